# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_longshore_global_optspecs
    string join \n json verbose v context= host= color= h/help V/version
end

function __fish_longshore_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_longshore_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_longshore_using_subcommand
    set -l cmd (__fish_longshore_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c longshore -n "__fish_longshore_needs_command" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_needs_command" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_needs_command" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_needs_command" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_needs_command" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_needs_command" -s v -d 'The same as --verbose'
complete -c longshore -n "__fish_longshore_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_needs_command" -s V -l version -d 'Print version'
complete -c longshore -n "__fish_longshore_needs_command" -f -a "image" -d 'Build images from a recipe, in the background'
complete -c longshore -n "__fish_longshore_needs_command" -f -a "exec" -d 'Run Python source trees in images, in the background'
complete -c longshore -n "__fish_longshore_needs_command" -f -a "container" -d 'Create, start, stop and inspect containers, with the JSON of the Engine API'
complete -c longshore -n "__fish_longshore_needs_command" -f -a "completions" -d 'Print a completion script for a shell'
complete -c longshore -n "__fish_longshore_using_subcommand image; and not __fish_seen_subcommand_from create status logs wait cancel forget builds list" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and not __fish_seen_subcommand_from create status logs wait cancel forget builds list" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and not __fish_seen_subcommand_from create status logs wait cancel forget builds list" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand image; and not __fish_seen_subcommand_from create status logs wait cancel forget builds list" -s v -d 'The same as --verbose'
complete -c longshore -n "__fish_longshore_using_subcommand image; and not __fish_seen_subcommand_from create status logs wait cancel forget builds list" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand image; and not __fish_seen_subcommand_from create status logs wait cancel forget builds list" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand image; and not __fish_seen_subcommand_from create status logs wait cancel forget builds list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand image; and not __fish_seen_subcommand_from create status logs wait cancel forget builds list" -f -a "create" -d 'Start to build an image from a recipe, print its name, and return at once'
complete -c longshore -n "__fish_longshore_using_subcommand image; and not __fish_seen_subcommand_from create status logs wait cancel forget builds list" -f -a "status" -d 'Show a build\'s status and its output so far'
complete -c longshore -n "__fish_longshore_using_subcommand image; and not __fish_seen_subcommand_from create status logs wait cancel forget builds list" -f -a "logs" -d 'Show a build\'s output'
complete -c longshore -n "__fish_longshore_using_subcommand image; and not __fish_seen_subcommand_from create status logs wait cancel forget builds list" -f -a "wait" -d 'Wait until builds have ended, and pass on how'
complete -c longshore -n "__fish_longshore_using_subcommand image; and not __fish_seen_subcommand_from create status logs wait cancel forget builds list" -f -a "cancel" -d 'End a running build'
complete -c longshore -n "__fish_longshore_using_subcommand image; and not __fish_seen_subcommand_from create status logs wait cancel forget builds list" -f -a "forget" -d 'Remove the logs and records of builds; does not stop them, and keeps the images'
complete -c longshore -n "__fish_longshore_using_subcommand image; and not __fish_seen_subcommand_from create status logs wait cancel forget builds list" -f -a "builds" -d 'List builds'
complete -c longshore -n "__fish_longshore_using_subcommand image; and not __fish_seen_subcommand_from create status logs wait cancel forget builds list" -f -a "list" -d 'List the engine\'s images'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from create" -l base -d 'The image to start from' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from create" -l apt -d 'Packages to install with apt, separated by blanks' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from create" -l pip -d 'Packages to install with pip, separated by blanks' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from create" -l run -d 'Commands to run after the packages are installed' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from create" -l ca-cert -d 'A PEM file with certificates to trust, during the build and in the image' -r -F
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from create" -l pip-index-url -d 'The package index that pip uses instead of its default' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from create" -l apt-mirror -d 'The mirror that apt uses instead of the archives of Debian and Ubuntu' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from create" -l label -d 'Add a label to the image and the build' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from create" -l spec -d 'Read the recipe from a JSON file, or from stdin (-)' -r -F
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from create" -l id-file -d 'Write the job\'s id to a new file' -r -F
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from create" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from create" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from create" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from create" -l update -d 'Upgrade the packages of the base image'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from create" -l recommends -d 'Also install recommended packages with apt'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from create" -l pull -d 'Ask the registry for a newer base image'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from create" -l no-cache -d 'Do not use the build cache'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from create" -l wait -d 'Wait until the job ends, and exit with its exit code'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from create" -l follow -d 'Show the job\'s output until it ends, and exit with its exit code'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from create" -l dry-run -d 'Only print what would be done'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from create" -s v -d 'The same as --verbose'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from create" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from create" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from status" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from status" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from status" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from status" -s v -d 'The same as --verbose'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from status" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from status" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from logs" -s n -l tail -d 'Show only the last lines: a number, or `all`' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from logs" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from logs" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from logs" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from logs" -s f -l follow -d 'Continue until the job ends'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from logs" -l exit-code -d 'With --follow: exit with the job\'s exit code'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from logs" -l raw -d 'Print the log byte for byte, also to a terminal'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from logs" -s v -d 'The same as --verbose'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from logs" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from logs" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from logs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from wait" -l timeout -d 'Stop waiting after this time, with exit code 124; the jobs continue' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from wait" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from wait" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from wait" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from wait" -l any -d 'Return when the first job has ended, with its exit code'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from wait" -s v -d 'The same as --verbose'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from wait" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from wait" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from wait" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from cancel" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from cancel" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from cancel" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from cancel" -s v -d 'The same as --verbose'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from cancel" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from cancel" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from cancel" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from forget" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from forget" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from forget" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from forget" -s v -d 'The same as --verbose'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from forget" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from forget" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from forget" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from builds" -l filter -d 'List only jobs that match' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from builds" -l status -d 'List only jobs with this status or outcome: running, exited, succeeded, failed, cancelled, timeout, lost, unknown, corrupt' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from builds" -s n -l last -d 'List only the newest N jobs' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from builds" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from builds" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from builds" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from builds" -s q -l quiet -d 'Print ids only'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from builds" -l no-trunc -d 'Do not cut cells to the terminal\'s width'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from builds" -s v -d 'The same as --verbose'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from builds" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from builds" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from builds" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from list" -l filter -d 'List only images that match; the keys are those of `docker image ls --filter`' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from list" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from list" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from list" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print ids only'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from list" -l no-trunc -d 'Do not cut cells to the terminal\'s width'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from list" -s v -d 'The same as --verbose'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from list" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from list" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand image; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and not __fish_seen_subcommand_from run list inspect logs wait stop kill forget" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and not __fish_seen_subcommand_from run list inspect logs wait stop kill forget" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and not __fish_seen_subcommand_from run list inspect logs wait stop kill forget" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand exec; and not __fish_seen_subcommand_from run list inspect logs wait stop kill forget" -s v -d 'The same as --verbose'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and not __fish_seen_subcommand_from run list inspect logs wait stop kill forget" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and not __fish_seen_subcommand_from run list inspect logs wait stop kill forget" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and not __fish_seen_subcommand_from run list inspect logs wait stop kill forget" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and not __fish_seen_subcommand_from run list inspect logs wait stop kill forget" -f -a "run" -d 'Start a Python program in an image, print the run\'s id, and return at once'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and not __fish_seen_subcommand_from run list inspect logs wait stop kill forget" -f -a "list" -d 'List runs'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and not __fish_seen_subcommand_from run list inspect logs wait stop kill forget" -f -a "inspect" -d 'Show the engine\'s description of a run\'s container, also after its removal'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and not __fish_seen_subcommand_from run list inspect logs wait stop kill forget" -f -a "logs" -d 'Show a run\'s output'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and not __fish_seen_subcommand_from run list inspect logs wait stop kill forget" -f -a "wait" -d 'Wait until runs have ended, and pass on how'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and not __fish_seen_subcommand_from run list inspect logs wait stop kill forget" -f -a "stop" -d 'Send runs the signal TERM, and KILL after a time limit'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and not __fish_seen_subcommand_from run list inspect logs wait stop kill forget" -f -a "kill" -d 'Send runs a signal, KILL by default'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and not __fish_seen_subcommand_from run list inspect logs wait stop kill forget" -f -a "forget" -d 'Remove the logs and records of runs; does not stop them'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l src -d 'The directory with the source code' -r -f -a "(__fish_complete_directories)"
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l main -d 'The Python file to run, relative to the source directory' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l image -d 'The image to run in' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l input -d 'The input directory, mounted read-only at /app/data' -r -F
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l output -d 'The output directory, mounted at /app/output; created if it is missing' -r -f -a "(__fish_complete_directories)"
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -s e -l env -d 'Set an environment variable; without a value, yours is used. Values are not stored' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l label -d 'Add a label to the run and its container' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l name -d 'A name for the run' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l cpus -d 'Limit the number of processors, for example 1.5' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l memory -d 'Limit the memory, for example 512m or 2g' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l gpus -d 'GPUs to use: all, a number, or device=0,1' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l shm-size -d 'The size of /dev/shm, for example 1g' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l network -d 'The network to use, or none' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l timeout -d 'End the run after this time: TERM, and KILL ten seconds later' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l user -d 'The user to run as: caller (you), image (the image\'s user), or UID[:GID]' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l log-driver -d 'The log driver for the engine\'s copy of the output [default: local]' -r -f -a "local\t'The engine\'s own compact format'
json-file\t'JSON files, the engine\'s default'
journald\t'systemd\'s journal'
none\t'No copy: output cannot be recovered if the docker client is killed'"
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l env-file -d 'Read environment variables from a file; it may have quotes and comments' -r -F
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l spec -d 'Read these options from a JSON file, or from stdin (-)' -r -F
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l id-file -d 'Write the job\'s id to a new file' -r -F
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l keep -d 'Keep the container after the run'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l wait -d 'Wait until the job ends, and exit with its exit code'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l follow -d 'Show the job\'s output until it ends, and exit with its exit code'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l dry-run -d 'Only print what would be done'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -s v -d 'The same as --verbose'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from list" -l filter -d 'List only jobs that match' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from list" -l status -d 'List only jobs with this status or outcome: running, exited, succeeded, failed, cancelled, timeout, lost, unknown, corrupt' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from list" -s n -l last -d 'List only the newest N jobs' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from list" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from list" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from list" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print ids only'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from list" -l no-trunc -d 'Do not cut cells to the terminal\'s width'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from list" -s v -d 'The same as --verbose'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from list" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from list" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from inspect" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from inspect" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from inspect" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from inspect" -s v -d 'The same as --verbose'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from inspect" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from inspect" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from inspect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from logs" -s n -l tail -d 'Show only the last lines: a number, or `all`' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from logs" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from logs" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from logs" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from logs" -s f -l follow -d 'Continue until the job ends'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from logs" -l exit-code -d 'With --follow: exit with the job\'s exit code'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from logs" -l raw -d 'Print the log byte for byte, also to a terminal'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from logs" -s v -d 'The same as --verbose'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from logs" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from logs" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from logs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from wait" -l timeout -d 'Stop waiting after this time, with exit code 124; the jobs continue' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from wait" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from wait" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from wait" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from wait" -l any -d 'Return when the first job has ended, with its exit code'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from wait" -s v -d 'The same as --verbose'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from wait" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from wait" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from wait" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from stop" -s t -l timeout -d 'Seconds to wait before KILL is sent' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from stop" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from stop" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from stop" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from stop" -s v -d 'The same as --verbose'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from stop" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from stop" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from stop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from kill" -s s -l signal -d 'The signal, for example TERM, SIGTERM or 15' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from kill" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from kill" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from kill" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from kill" -s v -d 'The same as --verbose'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from kill" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from kill" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from kill" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from forget" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from forget" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from forget" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from forget" -s v -d 'The same as --verbose'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from forget" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from forget" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand exec; and __fish_seen_subcommand_from forget" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand container; and not __fish_seen_subcommand_from list ls ps create start restart stop kill rm inspect logs changes export stats" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and not __fish_seen_subcommand_from list ls ps create start restart stop kill rm inspect logs changes export stats" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and not __fish_seen_subcommand_from list ls ps create start restart stop kill rm inspect logs changes export stats" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand container; and not __fish_seen_subcommand_from list ls ps create start restart stop kill rm inspect logs changes export stats" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand container; and not __fish_seen_subcommand_from list ls ps create start restart stop kill rm inspect logs changes export stats" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand container; and not __fish_seen_subcommand_from list ls ps create start restart stop kill rm inspect logs changes export stats" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand container; and not __fish_seen_subcommand_from list ls ps create start restart stop kill rm inspect logs changes export stats" -f -a "list" -d 'List containers; with --json, in the form of the Engine API\'s /containers/json'
complete -c longshore -n "__fish_longshore_using_subcommand container; and not __fish_seen_subcommand_from list ls ps create start restart stop kill rm inspect logs changes export stats" -f -a "ls" -d 'List containers; with --json, in the form of the Engine API\'s /containers/json'
complete -c longshore -n "__fish_longshore_using_subcommand container; and not __fish_seen_subcommand_from list ls ps create start restart stop kill rm inspect logs changes export stats" -f -a "ps" -d 'List containers; with --json, in the form of the Engine API\'s /containers/json'
complete -c longshore -n "__fish_longshore_using_subcommand container; and not __fish_seen_subcommand_from list ls ps create start restart stop kill rm inspect logs changes export stats" -f -a "create" -d 'Create a container from a JSON body of the Engine API or from flags, and print its id'
complete -c longshore -n "__fish_longshore_using_subcommand container; and not __fish_seen_subcommand_from list ls ps create start restart stop kill rm inspect logs changes export stats" -f -a "start" -d 'Start containers that are not running'
complete -c longshore -n "__fish_longshore_using_subcommand container; and not __fish_seen_subcommand_from list ls ps create start restart stop kill rm inspect logs changes export stats" -f -a "restart" -d 'Stop containers and start them again'
complete -c longshore -n "__fish_longshore_using_subcommand container; and not __fish_seen_subcommand_from list ls ps create start restart stop kill rm inspect logs changes export stats" -f -a "stop" -d 'Send containers their stop signal, and KILL after a time limit'
complete -c longshore -n "__fish_longshore_using_subcommand container; and not __fish_seen_subcommand_from list ls ps create start restart stop kill rm inspect logs changes export stats" -f -a "kill" -d 'Send containers a signal, KILL by default'
complete -c longshore -n "__fish_longshore_using_subcommand container; and not __fish_seen_subcommand_from list ls ps create start restart stop kill rm inspect logs changes export stats" -f -a "rm" -d 'Remove containers'
complete -c longshore -n "__fish_longshore_using_subcommand container; and not __fish_seen_subcommand_from list ls ps create start restart stop kill rm inspect logs changes export stats" -f -a "inspect" -d 'Show the engine\'s description of containers: one object, or an array for several'
complete -c longshore -n "__fish_longshore_using_subcommand container; and not __fish_seen_subcommand_from list ls ps create start restart stop kill rm inspect logs changes export stats" -f -a "logs" -d 'Show the engine\'s copy of a container\'s output'
complete -c longshore -n "__fish_longshore_using_subcommand container; and not __fish_seen_subcommand_from list ls ps create start restart stop kill rm inspect logs changes export stats" -f -a "changes" -d 'List the files of a container that differ from its image'
complete -c longshore -n "__fish_longshore_using_subcommand container; and not __fish_seen_subcommand_from list ls ps create start restart stop kill rm inspect logs changes export stats" -f -a "export" -d 'Write a container\'s files as a tar archive'
complete -c longshore -n "__fish_longshore_using_subcommand container; and not __fish_seen_subcommand_from list ls ps create start restart stop kill rm inspect logs changes export stats" -f -a "stats" -d 'Show the CPU, memory, network and disk usage of containers'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from list" -s f -l filter -d 'List only containers that match; the keys are those of `docker ps --filter`' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from list" -l status -d 'List only containers with this status: created, restarting, running, removing, paused, exited, dead' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from list" -s n -l last -d 'List only the newest N containers, running or not' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from list" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from list" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from list" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from list" -s a -l all -d 'Also list containers that are not running'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print ids only'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from list" -l no-trunc -d 'Show full ids, and do not cut cells to the terminal\'s width'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from list" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from list" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from ls" -s f -l filter -d 'List only containers that match; the keys are those of `docker ps --filter`' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from ls" -l status -d 'List only containers with this status: created, restarting, running, removing, paused, exited, dead' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from ls" -s n -l last -d 'List only the newest N containers, running or not' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from ls" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from ls" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from ls" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from ls" -s a -l all -d 'Also list containers that are not running'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from ls" -s q -l quiet -d 'Print ids only'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from ls" -l no-trunc -d 'Show full ids, and do not cut cells to the terminal\'s width'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from ls" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from ls" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from ps" -s f -l filter -d 'List only containers that match; the keys are those of `docker ps --filter`' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from ps" -l status -d 'List only containers with this status: created, restarting, running, removing, paused, exited, dead' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from ps" -s n -l last -d 'List only the newest N containers, running or not' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from ps" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from ps" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from ps" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from ps" -s a -l all -d 'Also list containers that are not running'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from ps" -s q -l quiet -d 'Print ids only'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from ps" -l no-trunc -d 'Show full ids, and do not cut cells to the terminal\'s width'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from ps" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from ps" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from ps" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from create" -l name -d 'A name for the container' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from create" -l spec -d 'Read the JSON body of the Engine API from a file, or from stdin (-)' -r -F
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from create" -l image -d 'The image to create it from' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from create" -s e -l env -d 'Set an environment variable; without a value, yours is used' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from create" -s p -l publish -d 'Publish a port, in docker\'s syntax' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from create" -l volume -d 'Mount a volume or a directory, in docker\'s syntax' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from create" -l mount -d 'Add a mount, in docker\'s syntax' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from create" -s l -l label -d 'Add a label' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from create" -l entrypoint -d 'The program to run instead of the image\'s' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from create" -l pull -d 'When to pull the image: missing, always, never' -r -f -a "missing\t''
always\t''
never\t''"
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from create" -l id-file -d 'Write the container\'s id to a new file' -r -F
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from create" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from create" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from create" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from create" -l dry-run -d 'Only print the docker command line'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from create" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from create" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from start" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from start" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from start" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from start" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from start" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from start" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from restart" -s t -l timeout -l time -d 'Seconds to wait before KILL is sent; -1: no limit' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from restart" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from restart" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from restart" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from restart" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from restart" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from restart" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from stop" -s t -l timeout -l time -d 'Seconds to wait before KILL is sent; -1: no limit' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from stop" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from stop" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from stop" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from stop" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from stop" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from stop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from kill" -s s -l signal -d 'The signal, for example TERM, SIGTERM or 15' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from kill" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from kill" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from kill" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from kill" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from kill" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from kill" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from rm" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from rm" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from rm" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from rm" -s f -l force -d 'Also remove running containers, and containers of longshore\'s runs'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from rm" -s v -l volumes -d 'Also remove their anonymous volumes'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from rm" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from rm" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from inspect" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from inspect" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from inspect" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from inspect" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from inspect" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from inspect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from logs" -s n -l tail -d 'Show only the last lines: a number, or `all`' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from logs" -l since -d 'Show only output since this time: RFC 3339, Unix seconds, or an age such as 42m or 7d' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from logs" -l until -d 'Show only output up to this time' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from logs" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from logs" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from logs" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from logs" -s f -l follow -d 'Continue until the container ends'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from logs" -s t -l timestamps -d 'Show a timestamp before each line'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from logs" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from logs" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from logs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from changes" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from changes" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from changes" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from changes" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from changes" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from changes" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from export" -s o -l output -d 'The file to write, or - for stdout [default: stdout]' -r -F
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from export" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from export" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from export" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from export" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from export" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from stats" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from stats" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from stats" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from stats" -s a -l all -d 'Also show containers that are not running'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from stats" -l no-stream -d 'Measure once, then exit'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from stats" -l no-trunc -d 'Do not cut cells to the terminal\'s width'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from stats" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from stats" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand container; and __fish_seen_subcommand_from stats" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c longshore -n "__fish_longshore_using_subcommand completions" -l context -d 'The docker context to use' -r
complete -c longshore -n "__fish_longshore_using_subcommand completions" -l host -d 'The docker engine to use: a URL, as for docker\'s --host' -r
complete -c longshore -n "__fish_longshore_using_subcommand completions" -l color -d 'Use colours' -r -f -a "auto\t'At a terminal'
always\t'Always'
never\t'Never'"
complete -c longshore -n "__fish_longshore_using_subcommand completions" -l json -d 'Print one JSON document, also on failure'
complete -c longshore -n "__fish_longshore_using_subcommand completions" -l verbose -d 'Print each docker command line before it runs'
complete -c longshore -n "__fish_longshore_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
