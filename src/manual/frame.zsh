#compdef NAMES
# Completions of memlatch and its tools for zsh, as 'memlatch completions zsh' prints them: to be sourced after compinit,
# or a file '_memlatch' in a folder of fpath.
FUNCTIONS
# Behind '--' stands a command with arguments of its own.
_memlatch_tail() {
    local dash=${words[(i)--]}
    (( dash < CURRENT )) || return 1
    shift $dash words
    (( CURRENT -= dash ))
    _normal -p file-lock
    return 0
}

_memlatch() {
    local tool=${${service:t}%.sh}
    "_memlatch_${tool//-/_}" "$@"
}

if [[ ${funcstack[1]} == _memlatch ]]; then
    _memlatch "$@"
elif (( $+functions[compdef] )); then
    compdef _memlatch NAMES
else
    print -u2 "memlatch: completions need 'autoload -Uz compinit && compinit' before them"
    return 1
fi
