//! What is said of options that several commands share.

pub const REMEMBERED: &str = "For thirty days, commands that are given the id or the name of a removed job say when it was removed \
    and how it had ended. In JSON, `error.job` has that.";
pub const ENDED_ONLY: &str = "--all, --status and --older-than remove jobs that have ended, and print the plan first. A job whose \
    record cannot be read goes only with --status corrupt. See also `longshore prune`.";
pub const FILTERS: &str = "Keys of --filter: group, id (prefix), image, label (KEY or KEY=VALUE), name (part), outcome, queue, status. If a \
    key is given more than once, one of its values must match. If several keys are given, all of them must match.";
pub const BOTH: &str = "Each ID is that of a build or of a run: an id, a prefix of one, a name, or `latest` for the newest job. If a \
    build and a run have the same name, it is an error that says what to type for each.";
pub const ENGINES: &str = "If a job was started on another engine than the one that --context, --host and the environment choose now, a column \
    CONTEXT says on which engine each job is. Every command asks the engine on which the job was started.";
pub const WATCH: &str = "With --watch, the list is drawn anew each second, in place and in the size that the terminal has by then, \
    until the key q, which exits with 0, or Ctrl-C, which exits with 130. Then the terminal is as before, with the last list on it. Without a terminal --watch is \
    an error; with --json, the array is printed on one line, and again whenever it has changed.";
pub const SEVERAL_LOGS: &str = "With several ids, each line has the name of its job before it, and its id where two jobs have the \
    same name. Lines are never mixed: a line is shown when it has ended. With --json, each object has the job's `id`; without \
    --follow it is an array with an object for each. With --follow --exit-code, the exit code is 0 if all succeeded, else 1.";
pub const TIMES: &str = "A line has the time at which it began, in UTC. --since, --until and -t use these times; -n counts the last lines of what \
    is left. The supervisor of a job notes while it runs when its log grew. Where that is missing, for example of a job of an \
    older version or of the time in which its supervisor was killed, -t shows `-`, and --since and --until show every line that \
    may be meant; a message says so. After the clock was set back, no line is shown with a time later than that of the line \
    after it. With --json, -t makes an object of each line, with `time` and `line`.";
pub const LOG_SIZE: &str = "With --log-max-size, the supervisor gives the oldest blocks of the log back to the disk while the run \
    writes it: about SIZE of it stays, and up to an eighth or 1 MiB more until the next step. `logs` then begins with the first \
    line that is left, and says on stderr how many bytes are gone; with --json, the key `gone` has them, and `logGone` that of \
    the job. The log file keeps its length, and reads as zeros there. What a slow reader of `logs -f` misses is told in \
    its place. The engine's copy of the output is not limited; with --log-driver none there is none. Each attempt of --retry has \
    its own log. If the file system takes no blocks back, all of it is kept, and the reason of the run says so.";
pub const GONE: &str = "Of a run with --log-max-size, the oldest lines may be gone. A message says how many bytes of what was asked for \
    are; with --json, they are the key `gone`, and with --follow an object {\"gone\": BYTES} in the place of the lines.";
pub const HEADINGS: &str = "A terminal shows a heading where a step of the build begins, such as `== 3/7 pip install numpy`, in the \
    place of docker's own line. A pipe and --raw have the log as it is.";
pub const WAIT: &str = "With one id, the exit code is that of the job: 0 only if it succeeded, 124 if its time limit passed, \
    125 if its exit code is not known. With several ids, a line `ID CODE` is printed for each, and the exit code is 0 if \
    all succeeded, else 1. If --timeout passes, the jobs that still run have a line `ID -`, and the exit code is 124. A \
    usage error exits with 125.";
pub const EACH: &str = "With --each, a run is started for each value of a parameter. VALUES have commas between them; A..B and \
    A..B..STEP stand for whole numbers, both ends included. After a \\, a character such as a comma is a part of the value. What \
    does not begin with NAME= is the path of a file, or - for stdin; before a path with an =, write ./. A file has a row for each run: \
    CSV with a header, or JSON objects, one a line or in an array. Of several --each, all combinations are started, and the last \
    one varies fastest.";
pub const SWEEP: &str = "{NAME} is replaced in --main, --entry, --input, --output, --name, the values of --env and --label, and ARGS; {{ \
    and }} are braces there. Without --each, nothing is replaced. Parameters are stored and shown, so they should be no \
    secrets. No two runs can have the same output directory or name. Everything is checked before the first run is started. \
    If a later start fails, the runs before it go on. All runs are in one group, with a new name unless --group has \
    one; `exec list`, `wait`, `logs`, `stop`, `kill` and `forget` take --group. With --wait, a line `ID CODE` is printed for \
    each run, and the exit code is 0 if all succeeded, else 1.";
pub const GROUPED: &str = "With --group, the answer is that for several ids, however many runs the group has. If there is no such group, \
    nothing is done.";
pub const SHIP: &str = "If the engine is on another machine (a context or --host with ssh:// or tcp://), it does not see your files. \
    Then source and input are copied into the container, the program is started, and when it has ended, its output is copied \
    into the output directory: whole or not at all. What the program writes elsewhere is lost with its container, and it does \
    not see what the output directory had before. A file .longshoreignore, with the syntax of .dockerignore, names what is not \
    copied; .git is not. From 4 MiB on, source and input stay on the engine, each in a read-only volume for its content, for \
    the next run with the same files; `longshore prune --copies` removes these. --ship always does the same for an engine \
    that is reached through a socket, and --ship never mounts directories as on this machine.";
pub const SWARM: &str = "With --swarm, the engine is a manager of a Docker Swarm, and the run is a service with one task that is never restarted. \
    --reserve-cpus, --reserve-memory, --constraint and --generic-resource choose the node; until one fits, the run is queued, and its \
    status says why. Source and input, compressed at most 10 MB, are given to the node by the managers, and the output is copied back \
    when the program has ended: the image needs sh, tar and gzip, with --output also base64, and for a user who is not root setpriv or \
    python3. With --shared, every node has the directories under the \
    same paths, and they are mounted. The image is taken by its digest in a registry, or by its id: then every node on which it may \
    run has to have it, see `longshore image copy`. `exec stop` sends TERM, and KILL after ten seconds; a longer --timeout of it is refused. While a \
    node is down, `exec list` shows its runs as running and the engine as unreachable; without a supervisor they are unknown. If the \
    swarm gives the node up, after about a day, they are lost. A run is also lost if its node is drained, cut off or restarted before \
    it ends; --retry-on lost starts it again elsewhere, without the output of the lost attempt. A program that exits with 255 cannot \
    be told from one whose node crashed, and is lost. The managers know the values of --env.";
pub const FOLLOW: &str = "With --follow --json, each line is one object: first the one that is printed without --follow, then \
    {\"line\": \"...\"} for each line of output, then the job with its outcome.";
pub const START: &str = "--if-running says what to do if a job with the name is running. `fail` starts nothing and fails. `skip` \
    starts nothing, prints the running job, and exits with 0. `wait` starts when it has ended, `replace` stops it first. \
    Of several commands at once, one starts a job with the name at a time.";
pub const STAMP: &str = "--stamp names a file for make. It is removed before the job is started, and made if the job succeeds, \
    with the id as its content. When `wait` returns, it is there.";
pub const ON_EXIT: &str = "--on-exit runs a command with `sh -c` once the end of the job is recorded, also if it failed, was \
    stopped, or lost its supervisor. It is run once, in your working directory. It gets LONGSHORE_ID, LONGSHORE_NAME, \
    LONGSHORE_KIND (build, run), LONGSHORE_OUTCOME, LONGSHORE_EXIT_CODE (empty if it is not known) and LONGSHORE_LOG (the \
    log file), and of your variables only those such as PATH, HOME, TZ and DOCKER_HOST. It is ended after ten minutes. In \
    JSON, `onExit` of the job has its exit code and the file with its output. Its failure changes nothing.";
pub const FOREGROUND: &str = "With --foreground, the job ends with the command: Ctrl-C and TERM stop it, as `stop` and `cancel` \
    do, and a second one kills it. The exit code is then 130 or 143. If the command is killed, the job goes on.";
pub const NUMBERS: &str = "In JSON, cpus, gpus, memory, shmSize and timeout may be text, as for the flag, or a number: of \
    processors, of GPUs, of bytes, of seconds.";

pub const REQUIREMENTS: &str = "A requirements file is read as pip reads it: hashes, markers, extras, comments, continuation \
    lines, and -r and -c relative to the file. Its text becomes part of the recipe. What reaches outside is refused with the \
    number of the line: -e, paths, URLs, variables and options for indexes. If one package has a hash, each needs one. With a \
    spec, these files take the place of its keys `requirements`, `constraints` and `aptInstall`.";

pub const INSTALLER: &str = "With BuildKit, uv installs the packages of pip. It is fetched into the build cache and does not become \
    part of the image. What uv cannot install as pip would is installed by pip, and a note in the log says why; with \
    --installer uv, the build fails. The legacy builder takes pip. --no-compile makes a build faster, but a program that cannot \
    write to its packages compiles what it imports at every run.";

pub const GROWTH: &str = "With BuildKit, an image whose recipe only got more packages of apt or pip reuses the layers of the last \
    image of its name, and an appended step installs the new packages. The packages are those of a build from nothing: if they would \
    not be, the log has a note, and the image is built from nothing. So it is with --squash, --no-cache and --pull, after five \
    appended steps, with --installer pip, and for new packages of apt with --update.";

pub const PYPROJECT: &str = "--pyproject installs the dependencies of [project]. As with pip and uv, --group names a group of \
    [dependency-groups], with {include-group = \"NAME\"} in it, and nothing else; an extra of [project.optional-dependencies] is \
    named with --extra. No group is installed by default. The project itself is not installed: its source is mounted at /app. \
    Its packages become part of the recipe, beside those of --pip. Dynamic dependencies, URLs and paths are refused; tables of \
    tools, such as [tool.uv.sources], are not read. In a spec, `pyproject` has the text of the file.";

pub const CONDITIONS: &str = "With --if-changed nothing is built if the image was made of the same recipe, labels and base image; \
    --update makes it another recipe every week, and with --pull it is always built. The name is printed, and the exit code is \
    0. A build of the same recipe that runs is not started again, and --wait waits for it. No --id-file is written if nothing \
    was started.";
