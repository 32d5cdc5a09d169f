//! What the help of a command and its man page say beside the options: notes, words with their meanings, examples. Pure.
//!
//! There is one [`Page`] for each command, by its words after `longshore`. [`Page::text`] is the end of `--help`. The man
//! pages are made from the same pages. A line of an example is never wrapped at 80 columns, so that it can be pasted.

mod notes;
mod queue;

use crate::spec::{RecipeSpec, RunSpec, keys_line};
use notes::{
    BOTH, CONDITIONS, EACH, ENDED_ONLY, ENGINES, FILTERS, FOLLOW, FOREGROUND, GONE, GROUPED, GROWTH, HEADINGS,
    INSTALLER, LOG_SIZE, NUMBERS, ON_EXIT, PYPROJECT, REMEMBERED, REQUIREMENTS, SEVERAL_LOGS, SHIP, STAMP, START,
    SWARM, SWEEP, TIMES, WAIT, WATCH,
};

/// The width that every list and example fits.
const WIDTH: usize = 80;
/// The longest line of an example. A man page indents it by seven.
#[cfg(test)]
pub const EXAMPLE: usize = WIDTH - 7;
/// How far lists and examples are indented.
const INDENT: &str = "  ";

/// A word and what it means.
pub type Term = (&'static str, &'static str);

/// What is said of one command.
#[derive(Debug, Default)]
pub struct Page {
    /// Paragraphs and lists, in their order.
    pub notes: Vec<Note>,
    /// Command lines for a shell, with lines of at most `EXAMPLE` characters. One of several lines goes on after a `\`
    /// or a `|`.
    pub examples: &'static [&'static str],
}

/// A part of a page.
#[derive(Debug)]
pub enum Note {
    /// One paragraph, without line ends.
    Text(String),
    /// Words with their meanings, below a heading.
    List(&'static str, &'static [Term]),
}

/// What the exit codes of all commands mean. The README has the same table.
pub const CODES: [Term; 7] = [
    ("0", "success; for `wait`: every job succeeded"),
    ("1", "the command ran and failed, or found nothing; with several ids: at least one failed"),
    ("2", "usage error, in a command that does not pass on an exit code"),
    ("124", "a time limit passed: `--timeout` of `wait`, or of the job"),
    ("125", "in a command that passes on an exit code: usage error, or longshore or the engine failed"),
    ("126, 127", "the program in the container could not be executed, or was not found"),
    ("128+n", "ended by signal n; 130: Ctrl-C"),
];

/// Which commands pass on an exit code.
pub const PASSING_ON: &str = "These commands pass on the exit code of a job: `wait`; `exec run`, `exec rerun` and \
    `image create` with `--wait`, `--follow` or `--foreground`, and `logs --follow --exit-code`. `wait` with several ids exits with 0, 1 or 124.";

/// The variables that longshore reads.
const ENVIRONMENT: [Term; 8] = [
    ("LONGSHORE_DOCKER", "the docker program, instead of `docker` from PATH"),
    ("LONGSHORE_DOCKER_TIMEOUT", "how long docker may take to answer, for example 60s (default: 20s)"),
    ("LONGSHORE_CA_CERT", "certificates for `image create`, as with `--ca-cert`"),
    ("LONGSHORE_ANY_FILE_SYSTEM", "1: allow the state directory on NFS, SMB or FUSE"),
    ("XDG_STATE_HOME", "the parent of the state directory"),
    ("DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG, DOCKER_BUILDKIT", "the same as for docker"),
    ("DOCKER_TLS_VERIFY, DOCKER_TLS, DOCKER_CERT_PATH", "the same as for docker, for a tcp:// URL"),
    ("NO_COLOR, CLICOLOR_FORCE", "turn colours off, or on"),
];

/// The files that longshore keeps.
#[cfg(test)]
const FILES: [Term; 3] = [
    (
        "$XDG_STATE_HOME/longshore",
        "the state directory, by default ~/.local/state/longshore; only its owner can read it",
    ),
    ("build/ID, run/ID", "below it: the directory of a job, with its record, its log and how it ended"),
    ("~/.docker/config.json", "docker's own configuration; its current context is used, as docker does"),
];

impl Page {
    /// The end of the command's `--help`. A paragraph is one line, for clap wraps it.
    #[must_use]
    pub fn text(&self) -> String {
        let notes = self.notes.iter().map(|note| match note {
            Note::Text(text) => text.clone(),
            Note::List(heading, terms) => format!("{heading}:\n{}", list(terms)),
        });
        let indented = |line: &str| format!("{INDENT}{line}");
        let lines: Vec<String> = self.examples.iter().flat_map(|example| example.lines()).map(indented).collect();
        let heading = if self.examples.len() == 1 { "Example" } else { "Examples" };
        let examples = (!lines.is_empty()).then(|| format!("{heading}:\n{}", lines.join("\n")));
        notes.chain(examples).collect::<Vec<_>>().join("\n\n")
    }
}

/// Two columns. A word that is longer than its column has a line of its own.
fn list(terms: &[Term]) -> String {
    let column = terms.iter().map(|(term, _)| term.len()).filter(|length| *length <= 26).max().unwrap_or_default() + 2;
    let left = INDENT.len() + column;
    let mut lines = Vec::new();
    for (term, meaning) in terms {
        let mut word = *term;
        if word.len() + 2 > column {
            lines.push(format!("{INDENT}{word}"));
            word = "";
        }
        for line in filled(meaning, WIDTH - left) {
            lines.push(format!("{INDENT}{word:column$}{line}"));
            word = "";
        }
    }
    lines.join("\n")
}

/// The lines of a text of at most so many characters each; a longer word has its own line.
#[must_use]
pub fn filled(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut().filter(|line| line.len() + 1 + word.len() <= width) {
            Some(line) => *line += &format!(" {word}"),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

fn page<const N: usize>(notes: [Note; N], examples: &'static [&'static str]) -> Page {
    Page { notes: notes.into(), examples }
}

fn text(text: &str) -> Note {
    Note::Text(text.to_owned())
}

/// The codes that a command exits with, for its man page.
#[cfg(test)]
#[must_use]
pub fn codes(command: &str) -> Vec<Term> {
    if passes_on(command) || command.is_empty() {
        return CODES.to_vec();
    }
    vec![("0", "success"), CODES[1], ("2", "usage error"), ("130", "Ctrl-C")]
}

/// Whether a command can pass on an exit code; compare `commands::verb`.
#[cfg(test)]
#[must_use]
pub fn passes_on(command: &str) -> bool {
    let verbs = [
        "",
        "image create",
        "image logs",
        "image wait",
        "exec run",
        "exec rerun",
        "exec logs",
        "exec wait",
        "logs",
        "wait",
    ];
    verbs.contains(&command)
}

/// The variables that a command reads, for its man page.
#[cfg(test)]
#[must_use]
pub fn environment(command: &str) -> Vec<Term> {
    let of_builds = |term: &Term| term.0 == "LONGSHORE_CA_CERT";
    let is_build = command.is_empty() || command == "image create";
    let known = ENVIRONMENT.into_iter().filter(|term| is_build || !of_builds(term));
    known.filter(|_| command != "completions").collect()
}

/// The files that a command uses, for its man page.
#[cfg(test)]
#[must_use]
pub fn files(command: &str) -> Vec<Term> {
    let jobs = if command.starts_with("container") { 2 } else { 0 };
    FILES.into_iter().skip(jobs).filter(|_| command != "completions").collect()
}

/// The page of a command, by its words after `longshore`; empty for none.
#[must_use]
pub fn of(command: &str) -> Page {
    match command.split_once(' ') {
        None => top(command),
        Some(("image", verb)) => image(verb),
        Some(("exec", verb)) => exec(verb),
        Some(("container", verb)) => container(verb),
        Some(("queue", verb)) => queue::of(verb),
        Some(_) => Page::default(),
    }
}

fn top(command: &str) -> Page {
    match command {
        "" => page(
            [Note::List("Exit codes", &CODES), text(PASSING_ON), Note::List("Environment", &ENVIRONMENT)],
            &[
                "longshore image create web --base python:3-slim --pip numpy --wait",
                "longshore exec run --image web --src src --main train.py",
                "longshore exec logs -f latest",
            ],
        ),
        "image" => {
            page([], &["longshore image create web --base python:3-slim --pip numpy", "longshore image wait web"])
        }
        "exec" => page([], &["longshore exec run --image web --src src --main train.py", "longshore exec wait latest"]),
        "container" => page(
            [text(
                "Where a container is meant, the id or name of a run works too. docker's own ids, prefixes and names come first; \
                 a word that docker does not know is looked up among the runs, as `exec` does it.",
            )],
            &["longshore container list -a", "longshore container logs -f web"],
        ),
        "queue" => page(
            [text(
                "A queue is made by the first job that names it, and then runs one job at a time. There is no server: jobs wait \
                 by themselves, and the next one starts when one ends. Each state directory has queues of its own.",
            )],
            &[
                "longshore queue set train --slots 2",
                "for seed in 1 2 3; do\n    longshore exec run --spec run.json --queue train -- --seed $seed\ndone",
            ],
        ),
        "ps" => page(
            [
                text(
                    "The newest job stands first, running or not. The flags are those of `image builds` and `exec list`.",
                ),
                text(FILTERS),
                text(ENGINES),
                text(WATCH),
            ],
            &["longshore ps --status running", "longshore ps --watch -n 20"],
        ),
        "logs" => page(
            [text(BOTH), text(TIMES), text(GONE), text(SEVERAL_LOGS)],
            &["longshore logs -f web", "longshore logs -n 5 web train", "longshore logs -t --since 10m train"],
        ),
        "wait" => page([text(BOTH), text(WAIT)], &["longshore wait web && longshore exec run --spec run.json"]),
        "stop" => page(
            [text(BOTH), text("A build is cancelled, which has no time limit.")],
            &["longshore stop web train", "longshore ps -q --status running | xargs -r longshore stop"],
        ),
        "doctor" => page(
            [
                text(
                    "One line for each check: ok, warning or problem, and for the last two what to do. The exit code is 0 if \
                     there is no problem, and 1 otherwise. Containers are neither started nor stopped, and the engine is \
                     asked few questions, each with a time limit.",
                ),
                text(
                    "Of an engine at an ssh:// URL it says whether ssh shares connections (ControlMaster, ControlPersist) and notices \
                     a lost line (ServerAliveInterval). For that `ssh -G` is called, which opens no connection.",
                ),
                text(
                    "With --fix, every job whose supervisor was killed is finished first: a run that still runs gets a new \
                     supervisor, the end of any other job is recorded, and its container is removed. Directories of killed \
                     processes and containers of forgotten runs are removed too. What runs is not touched. What is not \
                     provably longshore's own is not removed.",
                ),
            ],
            &[
                "longshore doctor",
                "longshore doctor --fix",
                "longshore doctor --json |\n    jq -r '.checks[] | select(.status != \"ok\") | .message'",
            ],
        ),
        "prune" => prune(),
        "completions" => page(
            [
                text(
                    "In bash, zsh and fish the script completes commands and flags, and also what is there: ids and names of \
                     jobs, labels, containers, images, contexts and paths. `exec stop` and `exec kill` offer running runs \
                     only, `image cancel` running builds. In elvish and PowerShell it completes commands and flags.",
                ),
                text(
                    "The script calls longshore at each completion. Jobs are read from the state directory. Docker is asked \
                     for containers, images and contexts, for at most 0.3 seconds.",
                ),
                text(
                    "The script goes where the shell looks for completions. `make install` puts it there. In zsh its \
                     directory must be in fpath before compinit runs.",
                ),
            ],
            &[
                "longshore completions bash > \\\n    ~/.local/share/bash-completion/completions/longshore",
                "longshore completions zsh > ~/.zfunc/_longshore",
                "longshore completions fish > ~/.config/fish/completions/longshore.fish",
            ],
        ),
        _ => Page::default(),
    }
}

fn prune() -> Page {
    page(
        [
            text(
                "First the plan is printed: what goes, and how much of the disk it takes. Then each job is looked at again \
                 and removed as by `forget`. A job goes only if all options allow it. --keep-last counts the newest builds \
                 and the newest runs that have ended with one of the statuses; an age begins with the end of a job.",
            ),
            text(
                "Jobs that run are never removed. Neither are jobs whose status is unknown because their engine cannot be \
                 asked now. A job whose record cannot be read goes only with --status corrupt.",
            ),
            text(
                "With --images, images that have the label of a build and no tag are removed from the engine, unless a \
                 container uses them. Rebuilding a name leaves such an image. All builds on the engine count, also those of \
                 other users. Without another option, no job is removed. --older-than holds for images, too.",
            ),
            text(
                "With --copies, volumes with copies of source and input that your runs left on the engine are removed, unless a \
                 container uses them, running or not. Only volumes with the labels of such a copy and of your user count. \
                 The age for --older-than begins when the volume was made. The next run with the same files sends them again.",
            ),
            text(REMEMBERED),
            text(
                "The exit code is 0 if everything of the plan that could still go is gone, and 1 if something failed.",
            ),
        ],
        &[
            "longshore prune --older-than 30d --dry-run",
            "longshore prune --keep-last 20 --older-than 7d --images",
            "longshore prune --status failed --status cancelled --older-than 1d",
            "longshore prune --older-than 0s    # everything that has ended",
            "longshore prune --group rates --status failed",
            "longshore --context big prune --copies --older-than 7d --dry-run",
            "longshore prune --older-than 30d --json | jq .freedBytes",
        ],
    )
}

fn image(verb: &str) -> Page {
    match verb {
        "create" => page(
            [
                text("The build runs in the background, and its log is kept."),
                text(REQUIREMENTS),
                text(PYPROJECT),
                text(INSTALLER),
                text(GROWTH),
                text(CONDITIONS),
                text(queue::WAITING),
                text(queue::AFTER),
                text(FOLLOW),
                text(FOREGROUND),
                text(START),
                text(STAMP),
                text(ON_EXIT),
                Note::Text(keys_line::<RecipeSpec>()),
            ],
            &[
                "longshore image create web --base python:3-slim --apt \"git curl\" \\\n    --pip 'numpy<2' --run 'echo done'",
                "longshore image logs -f web",
                "longshore image wait web    # exits with 0 if the build succeeded",
                "longshore image create web --base python:3-slim -r requirements.txt \\\n    --apt-file apt.txt --if-changed --wait",
                "longshore image create web --base python:3-slim \\\n    --pyproject pyproject.toml --group test --wait",
                "longshore image create --spec recipe.json --follow",
                "jq -n '{name: \"web\", baseImage: \"python:3-slim\"}' |\n    longshore image create --spec - --json",
            ],
        ),
        "status" => page([], &["longshore image status web", "longshore image status web --json | jq -r .status"]),
        "logs" => page(
            [text(HEADINGS), text(TIMES), text(SEVERAL_LOGS)],
            &[
                "longshore image logs -n 20 web",
                "longshore image logs -t --since 10m web",
                "longshore image logs -f --exit-code web",
                "longshore image logs -f web api",
            ],
        ),
        "wait" => page([text(WAIT)], &["longshore image wait web", "longshore image wait --timeout 10m web api"]),
        "cancel" => page([], &["longshore image cancel web"]),
        "forget" => page(
            [
                text(
                    "A build that is still running is hidden, and its log and record are removed when it ends. Until then \
                     `image cancel`, `wait`, `logs` and `status` take its id, and no other build of this name can be started.",
                ),
                text(ENDED_ONLY),
                text(REMEMBERED),
            ],
            &["longshore image forget web", "longshore image forget --status failed --dry-run"],
        ),
        "builds" => page(
            [text(FILTERS), text(ENGINES), text(WATCH)],
            &["longshore image builds --status failed", "longshore image builds --watch"],
        ),
        "list" => page([], &["longshore image list --filter reference='web*'"]),
        "copy" => page(
            [
                text(
                    "`docker save` on the engine of the command, which --context and --host choose, and `docker load` on the \
                     other one. The bytes pass through this machine; there is no registry. If the other engine has the same \
                     image under that name, nothing is copied. Afterwards the other engine is asked: the image must have the \
                     same id there.",
                ),
                text(
                    "--to is the name of a docker context, or a URL such as ssh://user@host. A terminal shows how many bytes were \
                     sent. The size beside it is the engine's, and the archive may be smaller or larger. Ctrl-C ends both \
                     clients.",
                ),
            ],
            &[
                "longshore image copy web --to far",
                "longshore image copy web train:v2 --to ssh://me@gpu.example.org",
                "longshore --context far image copy web --to default --json",
            ],
        ),
        "rm" => page(
            [text(
                "As `docker image rm`: an image with several names loses the one that was given, and is removed with the last. \
                 To remove the log and record of a build, use `image forget`. To remove images that builds left without a name, \
                 use `longshore prune --images`.",
            )],
            &["longshore image rm web", "longshore image rm -f web:old"],
        ),
        _ => Page::default(),
    }
}

fn exec(verb: &str) -> Page {
    match verb {
        "run" => exec_run(),
        "list" => page(
            [text(FILTERS), text(ENGINES), text(WATCH)],
            &[
                "longshore exec list --status failed --json",
                "longshore exec list --group rates    # with a column for each parameter",
                "longshore exec list -n 5 --filter label=team=red",
                "longshore exec list --watch --status running",
            ],
        ),
        "rerun" => page(
            [
                text(
                    "The run is started with the options that it had, and flags override them. Variables, labels, mounts and \
                     ports are added to those of the run; a mount takes the place of one with the same target, and a port \
                     that of the same port of the container. ARGS replace its arguments. A run that has a name gives it to the new one. To \
                     leave an option out, edit what `exec inspect --spec` prints, and start that.",
                ),
                text(
                    "Values of variables are not stored. Each variable of the run takes its value from your environment, \
                     or from --env or --env-file. It is an error if it has none.",
                ),
                text(
                    "It runs on the engine of the first run, unless --context or --host is given. In JSON, `rerunOf` of the \
                     new run is the id of the first. The parameters of a sweep stay; the group of the first run is given again \
                     with --group. What belongs to one start is not repeated: --queue, --after, --if-running, --stamp, --on-exit \
                     and --foreground are those of this command line. `exec run --help` explains them.",
                ),
                text(FOLLOW),
            ],
            &[
                "longshore exec rerun report",
                "longshore exec rerun report --memory 4g --wait",
                "longshore exec rerun latest -- --epochs 5",
            ],
        ),
        "inspect" => page(
            [text(
                "With --spec, the engine is not asked. In `env` of the body each variable is null, which takes the value \
                 from your environment, because values are not stored.",
            )],
            &[
                "longshore exec inspect report | jq .Longshore.outcome",
                "longshore exec inspect report --spec |\n    jq '.memory = \"4g\"' |\n    longshore exec run --spec -",
            ],
        ),
        "logs" => page(
            [text(TIMES), text(GONE), text(SEVERAL_LOGS), text(GROUPED)],
            &[
                "longshore exec logs -n 20 latest",
                "longshore exec logs -t --since 2024-05-17T08:00:00Z --until 1h report",
                "longshore exec logs -f --exit-code report",
                "longshore exec logs -f report train",
            ],
        ),
        "wait" => page(
            [text(WAIT), text(GROUPED)],
            &[
                "longshore exec wait report",
                "longshore exec wait --timeout 10m 7hfn 2s68",
                "longshore exec wait --group rates",
            ],
        ),
        "stop" => page([text(GROUPED)], &["longshore exec stop -t 30 report", "longshore exec stop --group rates"]),
        "kill" => page([text(GROUPED)], &["longshore exec kill -s USR1 report"]),
        "forget" => page(
            [
                text(
                    "A run that is still running is hidden, and its log and record are removed when it ends. Until then \
                     `exec stop`, `kill`, `wait`, `logs` and `inspect` take its id. Its name is free at once.",
                ),
                text(GROUPED),
                text(ENDED_ONLY),
                text(REMEMBERED),
            ],
            &[
                "longshore exec forget report",
                "longshore exec forget --status succeeded --older-than 1d",
                "longshore exec forget --all --dry-run",
            ],
        ),
        _ => exec_at_a_glance(verb),
    }
}

fn exec_run() -> Page {
    page(
        [
            text(
                "The source directory is mounted at /app, which is also the working directory. The input directory \
                 is mounted read-only at /app/data, and the output directory at /app/output. The program runs with \
                 your user id, so the files that it writes belong to you. docker needs the directories `data` and \
                 `output` in the source tree as mount points: longshore creates those that are missing, and removes them \
                 when no run needs them. If you may not write to the source tree, its entries are mounted one by one. The \
                 program gets no stdin: pass data as files with --input, or as an argument, for example `-- \"$(cat)\"`.",
            ),
            text(
                "With -m (--entry), `python3 -m NAME` runs a module of the source tree or of the image. With --command, the \
                 words after `--` are the whole command, and python is not started before it. One of the three is needed.",
            ),
            text(
                "With --cache NAME, HOME, XDG_CACHE_HOME, PIP_CACHE_DIR and HF_HOME lie below /cache, a volume that all of your \
                 runs with this name share, so that what one has downloaded is there for the next. The volume is named \
                 longshore-cache-UID-NAME; `docker volume rm` removes it. A variable that you set yourself wins.",
            ),
            text(
                "A path that -v or --mount names must exist. The engine's socket is refused, and so is a target that would \
                 hide another mount. A new volume belongs to root, unless the image has a directory at its target: the \
                 volume then gets the owner and the files of that directory.",
            ),
            text(SHIP),
            text(SWARM),
            text(queue::WAITING),
            text(queue::AFTER),
            text(queue::RETRY),
            text(LOG_SIZE),
            text(EACH),
            text(SWEEP),
            text(FOLLOW),
            text(FOREGROUND),
            text(START),
            text(STAMP),
            text(ON_EXIT),
            Note::Text(format!("{} {NUMBERS}", keys_line::<RunSpec>())),
        ],
        &[
            "id=$(longshore exec run --image web --src src --main train.py \\\n    --input data --output out -- --epochs 3)",
            "longshore exec logs -f \"$id\"",
            "longshore exec run --spec run.json --wait    # exits with its exit code",
            "longshore exec run --spec run.json --name nightly --if-running skip \\\n    --on-exit 'echo \"$LONGSHORE_ID $LONGSHORE_OUTCOME\" >>~/runs.txt'",
            "longshore exec run --image web --src src --command -- \\\n    python3 -c 'import jobs'",
            "longshore exec run --image web --src src --main train.py \\\n    --each lr=0.1,0.01 --each seed=1..5 --output 'out/{lr}-{seed}' \\\n    -- --lr '{lr}' --seed '{seed}'",
            "longshore exec run --image web --src src --main serve.py -p 8080:80 \\\n    -v ./models:/models:ro",
            "longshore --context big exec run --image web --src src --main train.py \\\n    --input data --output out",
            "longshore --context hub exec run --swarm --image web --src src \\\n    --main train.py --output out --reserve-memory 4g \\\n    --constraint node.labels.disk==ssd",
        ],
    )
}

fn exec_at_a_glance(verb: &str) -> Page {
    match verb {
        "status" => page(
            [text(
                "Shows at a glance whether the run runs or how it ended, why, since when and how long it took, what it was \
                 asked to do, and its last five lines of output. The exit code is 0, whatever became of the run; `wait` \
                 passes its exit code on. With --json, the job has two more keys: `spec`, as `exec inspect --spec` prints \
                 it, and `lines`.",
            )],
            &["longshore exec status train", "longshore exec status latest --json | jq -r .reason"],
        ),
        "fetch" => page(
            [text(
                "The output of a run on another machine is copied when the run ends, and again while the engine does not \
                 answer. If it cannot be copied, for example because the disk is full, the run has failed, and its container \
                 stays with the output in it. After this command has copied it, the run has the outcome of its program, and \
                 the container is removed. What is in the output directory stays, unless a file of the same name comes.",
            )],
            &["longshore exec fetch train", "longshore exec fetch train --output /mnt/big/out"],
        ),
        "stats" => page(
            [text(
                "The same as `container stats`, for runs. In JSON, each object has the run's id and name below `Longshore`.",
            )],
            &["longshore exec stats train", "longshore exec stats --no-stream --json | jq '.[].cpuPercent'"],
        ),
        "top" => page(
            [text(
                "The same as `docker top`. With --json, it is the answer of the Engine API, `Titles` and `Processes`, and the \
                 job below `Longshore`. What stands after -- are options of ps on the engine's host.",
            )],
            &["longshore exec top train", "longshore exec top train -- -o pid,pcpu,args"],
        ),
        _ => Page::default(),
    }
}

const START_AND_RESTART: [Term; 2] = [
    ("start", "starts a container that is not running. It does not change one that is running."),
    (
        "restart",
        "stops a running container first, as `stop` does: the program gets the container's stop signal (TERM by default), \
         and KILL after -t SECONDS (10, or the container's own setting). Then it starts the container again.",
    ),
];

fn container(verb: &str) -> Page {
    match verb {
        "list" => page(
            [],
            &["longshore container list -a --filter label=team", "longshore container list --json | jq -r '.[].Id'"],
        ),
        "create" => page(
            [text(
                "The body is that of POST /containers/create. A key that `docker create` cannot express is an error that \
                 names the key. A missing image is pulled, as with docker; see --pull.",
            )],
            &[
                "longshore container create db --spec body.json",
                "longshore container create --name web --image nginx -p 8080:80",
                "longshore container create --image alpine -- sh -c 'echo hi'",
            ],
        ),
        "start" => page(
            [text("A container that is already running is not changed. To stop it and start it again, use `restart`.")],
            &["longshore container start web db"],
        ),
        "restart" => page(
            [
                Note::List("The difference between start and restart", &START_AND_RESTART),
                text(
                    "If a container is not running, both do the same. Both keep the container's file system, \
                     configuration and name, and start the program from the beginning.",
                ),
            ],
            &["longshore container restart -t 30 web"],
        ),
        "stop" => page(
            [text(
                "The program gets the container's stop signal (TERM by default), so that it can finish its work. It gets \
                 KILL after -t SECONDS. To end it at once, use `kill`.",
            )],
            &["longshore container stop -t 30 web"],
        ),
        "kill" => page([], &["longshore container kill -s HUP web"]),
        "rm" => page(
            [text(
                "A container of one of longshore's runs is not removed without -f. Use `longshore exec forget` for it.",
            )],
            &["longshore container rm -v web"],
        ),
        "inspect" => page([], &["longshore container inspect web | jq .State.Status"]),
        "logs" => page([], &["longshore container logs -f --since 10m web"]),
        "changes" => page(
            [text(
                "Prints one line per file: C changed, A added, D deleted. With --json [{\"Path\", \"Kind\"}]: 0 changed, 1 \
                 added, 2 deleted.",
            )],
            &["longshore container changes web"],
        ),
        "export" => page(
            [text(
                "The file appears when the archive is complete. If the export fails or is interrupted, no file is \
                 written.",
            )],
            &["longshore container export web -o web.tar", "longshore container export web | tar -t"],
        ),
        "stats" => page(
            [text(
                "With --json, each line is one object; with --no-stream, the output is one array. Each object has \
                 docker's own fields, which are text, and the same values as numbers: cpuPercent, memoryUsageBytes, \
                 memoryLimitBytes, memoryPercent, networkReceivedBytes, networkSentBytes, blockReadBytes, \
                 blockWrittenBytes, pids. The numbers are computed from docker's text and are rounded as it is.",
            )],
            &["longshore container stats --no-stream --json | jq '.[].cpuPercent'"],
        ),
        _ => Page::default(),
    }
}
