# Completes longshore in fish. `longshore completions fish` prints this script.

function __longshore_complete
    set -l typed (commandline --current-process --cut-at-cursor | string collect --allow-empty)
    set -l word (commandline --current-token --cut-at-cursor | string collect --allow-empty)
    set -l reply (longshore __complete fish -- "$typed" 2>/dev/null </dev/null)
    # fish replaces the whole word, and completes the path of a flag alone.
    set -l flag (string match --regex -- '^--[^=]+=' "$word")
    set -l path (string replace --regex -- '^--[^=]+=' '' "$word" | string collect --allow-empty)
    switch "$reply[1]"
        case files
            # Nothing but files completes the arguments of a command without a name.
            string replace --regex -- '^' "$flag" (complete --do-complete "'' $path")
        case directories
            string replace --regex -- '^' "$flag" (__fish_complete_directories "$path" '')
        case words
            string join -- \n $reply[2..]
    end
end

complete --command longshore --no-files --keep-order --arguments '(__longshore_complete)'
