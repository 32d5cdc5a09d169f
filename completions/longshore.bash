# Completes longshore in bash. `longshore completions bash` prints this script.

_longshore() {
    local -a reply
    mapfile -t reply < <(
        longshore __complete bash -- "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null </dev/null
    )
    COMPREPLY=("${reply[@]:1}")
    case ${reply[0]-} in
        files) compopt -o default ;;
        directories) compopt -o dirnames ;;
        open) compopt -o nospace ;;
    esac
}

complete -o nosort -F _longshore longshore
