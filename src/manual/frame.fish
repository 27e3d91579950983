# Completions of memlatch and its tools for fish, as 'memlatch completions fish' prints them.

# What can stand at a level of the command line: a tool, or a subcommand. Sets the variables of its caller.
function __memlatch_level --no-scope-shadowing
    set level $argv[1]
    set options
    set commands
    set operands
    set more word
    set tail word
    switch (string replace -r '^memlatch (file-lock|memory-update|memory-read|atomic-write)$' '$1' -- $argv[1])
        LEVELS
    end
end

# The kinds of the values that an option takes. Sets the variable of its caller.
function __memlatch_values --no-scope-shadowing
    set values
    switch "$argv[1] $argv[2]"
        VALUES
    end
end

function __memlatch_offer -a kind prefix current
    switch $kind
        case file
            printf '%s\n' $prefix(__fish_complete_path $current)
        case folder
            printf '%s\n' $prefix(__fish_complete_directories $current '')
        case '=*'
            printf '%s\n' $prefix(string split , -- (string sub -s 2 -- $kind))
    end
end

function __memlatch
    set -l level
    set -l options
    set -l commands
    set -l operands
    set -l more
    set -l tail
    set -l values
    set -l pending
    set -l literal
    set -l position 1
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    __memlatch_level (string replace -r '\.sh$' '' -- (string replace -r '.*/' '' -- $words[1]))

    set -l at 1
    while test $at -lt (count $words)
        set at (math $at + 1)
        set -l word $words[$at]
        if set -q pending[1]
            set -e pending[1]
        else if test -z "$literal"; and test "$word" = --
            set literal 1
            if test "$tail" = command
                # What follows is a command line of its own.
                set -l rest
                if test $at -lt (count $words)
                    set rest (string escape -- $words[(math $at + 1)..-1])
                end
                complete -C (string join ' ' -- $rest $current)
                return
            end
        else if test -z "$literal"; and string match -qr '^-.' -- $word
            __memlatch_values $level $word
            set pending $values
        else if contains -- $word (string replace -r '\t.*' '' -- $commands)
            __memlatch_level "$level $word"
        else
            set position (math $position + 1)
        end
    end

    if set -q pending[1]
        __memlatch_offer $pending[1] '' $current
    else if test -z "$literal"; and string match -q -- '--*=*' $current
        set -l parts (string split -m 1 = -- $current)
        __memlatch_values $level $parts[1]
        __memlatch_offer "$values[1]" $parts[1]= $parts[2]
    else if test -z "$literal"; and string match -q -- '-*' $current
        printf '%s\n' $options
    else if set -q commands[1]
        printf '%s\n' $commands
    else if test $position -le (count $operands)
        __memlatch_offer $operands[$position] '' $current
    else
        __memlatch_offer $more '' $current
    end
end

for name in NAMES
    # Loaded again, under another of the names, it is not to say everything twice.
    complete -c $name -e
    complete -c $name -f -a '(__memlatch)'
end
