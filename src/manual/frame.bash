# Completions of memlatch and its tools for bash, as 'memlatch completions bash' prints them.

# What can stand at a level of the command line: a tool, or a subcommand.
_memlatch_level() {
    level=$1 options='' commands='' operands='' more=word tail=word
    case $1 in
    'memlatch file-lock' | 'memlatch memory-update' | 'memlatch memory-read' | 'memlatch atomic-write')
        _memlatch_level "${1#memlatch }" ;;
    LEVELS
    esac
}

# The kinds of the values that an option takes.
_memlatch_values() {
    case "$1 $2" in
    VALUES
    *) values='' ;;
    esac
}

_memlatch() {
    local level options commands operands more tail values pending='' kind='' literal='' prefix=''
    local cur=$2 word at position=0 here=${COMP_WORDS[COMP_CWORD]}
    word=${1##*/}
    _memlatch_level "${word%.sh}"
    COMPREPLY=()

    for ((at = 1; at < COMP_CWORD; at++)); do
        word=${COMP_WORDS[at]}
        if [[ $word == = ]]; then
            # bash splits words at '=': what follows belongs to the word before.
            pending=${pending:-word}
        elif [[ -n $pending ]]; then
            [[ $pending == *' '* ]] && pending=${pending#* } || pending=''
        elif [[ -z $literal && $word == -- ]]; then
            literal=1
            if [[ $tail == command ]]; then
                _memlatch_command $((at + 1)) "$cur"
                return
            fi
        elif [[ -z $literal && $word == -?* ]]; then
            _memlatch_values "$level" "$word"
            pending=$values
        elif [[ " $commands " == *" $word "* ]]; then
            _memlatch_level "$level $word"
        else
            ((position++))
        fi
    done

    if [[ -n $pending ]]; then
        kind=${pending%% *}
    elif [[ $here == = ]]; then
        kind=word
    elif [[ -z $literal && $cur == --*=* ]]; then
        _memlatch_values "$level" "${cur%%=*}"
        kind=${values%% *} prefix=${cur%%=*}= cur=${cur#*=}
    elif [[ -z $literal && $cur == -* ]]; then
        kind="=${options// /,}"
    elif [[ -n $commands ]]; then
        kind="=${commands// /,}"
    else
        kind=$more
        # shellcheck disable=SC2206 # the kinds are words without blanks
        local kinds=($operands)
        ((position < ${#kinds[@]})) && kind=${kinds[position]}
    fi

    # Without an answer of ours the shell completes file names, with its own quoting.
    case $kind in
    file) [[ -n $prefix ]] && _memlatch_offer "$(compgen -P "$prefix" -f -- "$cur")" ;;
    folder)
        if [[ -n $prefix ]]; then
            _memlatch_offer "$(compgen -P "$prefix" -d -- "$cur")"
        else
            compopt +o default +o bashdefault -o dirnames 2>/dev/null
        fi ;;
    =*)
        kind=${kind#=}
        compopt +o default +o bashdefault 2>/dev/null
        _memlatch_offer "$(compgen -P "$prefix" -W "${kind//,/ }" -- "$cur")" ;;
    *) compopt +o default +o bashdefault 2>/dev/null ;;
    esac
    return 0
}

_memlatch_offer() {
    local IFS=$'\n'
    # shellcheck disable=SC2206 # split at the ends of lines
    COMPREPLY=($1)
}

# A command that stands at a place of its own, and its arguments as that command completes them.
_memlatch_command() {
    if declare -F _comp_command_offset >/dev/null; then
        _comp_command_offset "$1"
    elif declare -F _command_offset >/dev/null; then
        _command_offset "$1"
    elif ((COMP_CWORD == $1)); then
        [[ $2 == */* ]] || _memlatch_offer "$(compgen -c -- "$2")"
    else
        local known
        known=$(complete -p "${COMP_WORDS[$1]##*/}" 2>/dev/null)
        if [[ $known == *' -F '* ]]; then
            known=${known##* -F }
            local -a COMP_WORDS=("${COMP_WORDS[@]:$1}")
            local COMP_CWORD=$((COMP_CWORD - $1))
            "${known%% *}" "${COMP_WORDS[0]}" "$2" "${COMP_WORDS[COMP_CWORD - 1]}"
        fi
    fi
}

# shellcheck disable=SC2068 # each name is a word
complete -F _memlatch -o bashdefault -o default NAMES
