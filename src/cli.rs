//! The command line and its help texts. This module has no behaviour: `commands` carries out what is parsed here.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

use crate::names::{ImageRef, Invalid, Signal, Tail};
use crate::spec::{RecipeSpec, RunSpec, keys_line};

/// Background jobs for Docker
///
/// Builds images from a recipe and runs Python programs in them, in the background. Prints the status and the log of
/// each job as text or as JSON. There is no daemon. A job is a directory under $XDG_STATE_HOME/longshore (by default
/// ~/.local/state/longshore). Its status is derived from its files and from the engine at every call.
#[derive(Debug, Parser)]
#[command(name = "longshore", version, propagate_version = false, max_term_width = 100, infer_subcommands = false)]
#[command(after_help = "\
Exit codes:
  0        success; for `wait`: every job succeeded
  1        the command failed, or found nothing; with several ids: at least one failed
  2        usage error
  124      a time limit passed: --timeout of `wait`, or of the job
  125      longshore or the engine failed, in a command that otherwise exits with a job's exit code
  126/127  the program in the container could not be executed / was not found
  128+n    ended by signal n (130: Ctrl-C)

Environment:
  LONGSHORE_DOCKER            the docker program, instead of `docker` from PATH
  LONGSHORE_DOCKER_TIMEOUT    how long docker may take to answer, for example 60s (default: 20s)
  LONGSHORE_CA_CERT           certificates for `image create` (as --ca-cert)
  LONGSHORE_ANY_FILE_SYSTEM   1: allow the state directory on NFS, SMB or FUSE
  XDG_STATE_HOME              the parent of the state directory
  DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG, DOCKER_BUILDKIT   the same as for docker
  NO_COLOR, CLICOLOR_FORCE    turn colours off, or on")]
pub struct Cli {
    /// Options of every command
    #[command(flatten)]
    pub global: Global,
    /// The command
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub struct Global {
    /// Print one JSON document, also on failure
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// Print each docker command line before it runs
    #[arg(long, global = true, help_heading = "Global options")]
    pub verbose: bool,
    /// The same as --verbose
    #[arg(short = 'v', hide = true)]
    pub v: bool,
    /// The docker context to use
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "host", help_heading = "Global options")]
    pub context: Option<String>,
    /// The docker engine to use: a URL, as for docker's --host
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    pub host: Option<String>,
    /// Use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Global options")]
    pub color: ColorWhen,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// At a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands of the first level.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build images from a recipe, in the background
    Image(Noun<Image>),
    /// Run Python source trees in images, in the background
    Exec(Noun<Exec>),
    /// Create, start, stop and inspect containers, with the JSON of the Engine API
    #[command(subcommand)]
    Container(Container),
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  longshore completions bash > ~/.local/share/bash-completion/completions/longshore"
    )]
    Completions {
        /// The shell to complete for
        shell: Shell,
    },
    /// The supervisor of a job; started by longshore itself
    #[command(name = crate::supervisor::SUBCOMMAND, hide = true)]
    Supervise {
        /// `build` or `run`
        kind: String,
        /// The job
        id: String,
        /// Take over a run that was started
        #[arg(long)]
        adopt: bool,
    },
}

/// A group of commands that have no `-v` of their own. `-v` after such a command means --verbose too.
#[derive(Debug, Args)]
pub struct Noun<V: Subcommand> {
    /// The same as --verbose
    #[arg(short = 'v', id = "noun_v", global = true, hide = true)]
    pub v: bool,
    /// The command
    #[command(subcommand)]
    pub verb: V,
}

/// `longshore image …`
#[derive(Debug, Subcommand)]
pub enum Image {
    /// Start to build an image from a recipe, print its name, and return at once
    #[command(after_help = image_create_help())]
    Create(Box<ImageCreate>),
    /// Show a build's status and its output so far
    Status(OneImage),
    /// Show a build's output
    Logs(ImageLogs),
    /// Wait until builds have ended, and pass on how
    Wait(Wait),
    /// End a running build
    Cancel(ImageCancel),
    /// Remove the logs and records of builds; does not stop them, and keeps the images
    Forget(Forget),
    /// List builds
    Builds(JobList),
    /// List the engine's images
    List(ImageList),
}

/// `longshore exec …`
#[derive(Debug, Subcommand)]
pub enum Exec {
    /// Start a Python program in an image, print the run's id, and return at once
    #[command(after_help = exec_run_help())]
    Run(Box<ExecRun>),
    /// List runs
    List(JobList),
    /// Show the engine's description of a run's container, also after its removal
    Inspect(OneJob),
    /// Show a run's output
    Logs(ExecLogs),
    /// Wait until runs have ended, and pass on how
    Wait(Wait),
    /// Send runs the signal TERM, and KILL after a time limit
    Stop(ExecStop),
    /// Send runs a signal, KILL by default
    Kill(ExecKill),
    /// Remove the logs and records of runs; does not stop them
    Forget(Forget),
}

/// `longshore container …`
#[derive(Debug, Subcommand)]
pub enum Container {
    /// List containers; with --json, in the form of the Engine API's /containers/json
    #[command(visible_aliases = ["ls", "ps"])]
    List(ContainerList),
    /// Create a container from a JSON body of the Engine API or from flags, and print its id
    #[command(after_help = "\
The body is that of POST /containers/create. A key that `docker create` cannot express is an error that names the key. \
A missing image is pulled, as with docker; see --pull.

Examples:
  longshore container create db --spec body.json
  longshore container create --name web --image nginx -p 8080:80 -e MODE=test
  longshore container create --image alpine -- sh -c 'echo hi'")]
    Create(Box<ContainerCreate>),
    /// Start containers that are not running
    #[command(after_help = "\
A container that is already running is not changed. To stop it and start it again, use `restart`.")]
    Start(Containers),
    /// Stop containers and start them again
    #[command(after_help = "\
The difference between start and restart:
  start    starts a container that is not running.
           It does not change one that is running.
  restart  stops a running container first, as `stop` does: the program
           gets the container's stop signal (TERM by default), and KILL
           after -t SECONDS (10, or the container's own setting).
           Then it starts the container again.
If a container is not running, both do the same. Both keep the container's file system, configuration and name, \
and start the program from the beginning.")]
    Restart(ContainerStop),
    /// Send containers their stop signal, and KILL after a time limit
    #[command(after_help = "\
The program gets the container's stop signal (TERM by default), so that it can finish its work. It gets KILL after \
-t SECONDS. To end it at once, use `kill`.")]
    Stop(ContainerStop),
    /// Send containers a signal, KILL by default
    Kill(ContainerKill),
    /// Remove containers
    #[command(
        after_help = "A container of one of longshore's runs is not removed without -f. Use `longshore exec forget` for it."
    )]
    Rm(ContainerRm),
    /// Show the engine's description of containers: one object, or an array for several
    Inspect(Containers),
    /// Show the engine's copy of a container's output
    Logs(ContainerLogs),
    /// List the files of a container that differ from its image
    #[command(
        after_help = "Prints one line per file: C changed, A added, D deleted. With --json [{\"Path\", \"Kind\"}]: 0 changed, 1 added, 2 deleted."
    )]
    Changes(OneContainer),
    /// Write a container's files as a tar archive
    #[command(after_help = "\
The file appears when the archive is complete. If the export fails or is interrupted, no file is written.

Examples:
  longshore container export web -o web.tar
  longshore container export web | tar -t")]
    Export(ContainerExport),
    /// Show the CPU, memory, network and disk usage of containers
    #[command(after_help = "\
With --json, each line is one object; with --no-stream, the output is one array. Each object has docker's own fields, \
which are text, and the same values as numbers: cpuPercent, memoryUsageBytes, memoryLimitBytes, memoryPercent, \
networkReceivedBytes, networkSentBytes, blockReadBytes, blockWrittenBytes, pids. The numbers are computed from docker's \
text and are rounded as it is.")]
    Stats(ContainerStats),
}

fn image_create_help() -> String {
    let keys = keys_line::<RecipeSpec>();
    format!(
        "\
The build runs in the background. Use the image's name to follow it:
  longshore image logs -f NAME       show its output
  longshore image wait NAME          wait until it has ended; exits with 0 if it succeeded

{keys}

Examples:
  longshore image create web --base python:3-slim --apt \"git curl\" --pip 'numpy<2' --run 'echo done'
  longshore image create --spec recipe.json --follow
  jq -n '{{name: \"web\", baseImage: \"python:3-slim\"}}' | longshore image create --spec - --json"
    )
}

fn exec_run_help() -> String {
    let keys = keys_line::<RunSpec>();
    format!(
        "\
The source directory is mounted at /app, which is also the working directory. The input directory is mounted \
read-only at /app/data, and the output directory at /app/output. The program runs with your user id, so the files \
that it writes belong to you. longshore creates the directories `data` and `output` in the source tree if they are \
needed as mount points.

{keys}

Examples:
  id=$(longshore exec run --image web --src src --main train.py --input data --output out -- --epochs 3)
  longshore exec logs -f \"$id\"
  longshore exec run --spec run.json --wait        exits with the program's exit code"
    )
}

/// One or more containers.
#[derive(Debug, Args)]
pub struct Containers {
    /// Ids, unique prefixes, or names
    #[arg(value_name = "CONTAINER", required = true)]
    pub containers: Vec<String>,
}

/// One container.
#[derive(Debug, Args)]
pub struct OneContainer {
    /// An id, a unique prefix, or a name
    #[arg(value_name = "CONTAINER")]
    pub container: String,
}

/// `longshore container list`
#[derive(Debug, Args)]
pub struct ContainerList {
    /// Also list containers that are not running
    #[arg(short, long)]
    pub all: bool,
    /// List only containers that match; the keys are those of `docker ps --filter`
    #[arg(short, long = "filter", value_name = "KEY=VALUE")]
    pub filters: Vec<String>,
    /// List only containers with this status: created, restarting, running, removing, paused, exited, dead
    #[arg(long = "status", value_name = "STATUS")]
    pub statuses: Vec<String>,
    /// List only the newest N containers, running or not
    #[arg(short = 'n', long, value_name = "N")]
    pub last: Option<u32>,
    /// Print ids only
    #[arg(short, long)]
    pub quiet: bool,
    /// Show full ids, and do not cut cells to the terminal's width
    #[arg(long)]
    pub no_trunc: bool,
}

/// `longshore container create`
#[derive(Debug, Args)]
pub struct ContainerCreate {
    /// A name for the container
    #[arg(value_name = "NAME", conflicts_with = "name_flag")]
    pub name: Option<String>,
    /// A name for the container
    #[arg(long = "name", value_name = "NAME", id = "name_flag")]
    pub name_flag: Option<String>,
    /// Read the JSON body of the Engine API from a file, or from stdin (-)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub spec: Option<PathBuf>,
    /// The image to create it from
    #[arg(long, value_name = "IMAGE", value_parser = ImageRef::parse)]
    pub image: Option<ImageRef>,
    /// Set an environment variable; without a value, yours is used
    #[arg(short, long, value_name = "KEY[=VALUE]")]
    pub env: Vec<String>,
    /// Publish a port, in docker's syntax
    #[arg(short, long, value_name = "[[IP:]HOST:]PORT[/PROTO]")]
    pub publish: Vec<String>,
    /// Mount a volume or a directory, in docker's syntax
    #[arg(long = "volume", short_alias = 'v', value_name = "[SOURCE:]TARGET[:OPTIONS]")]
    pub volumes: Vec<String>,
    /// Add a mount, in docker's syntax
    #[arg(long = "mount", value_name = "TYPE,SOURCE,TARGET")]
    pub mounts: Vec<String>,
    /// Add a label
    #[arg(short, long = "label", value_name = "KEY=VALUE")]
    pub labels: Vec<String>,
    /// The program to run instead of the image's
    #[arg(long, value_name = "PROGRAM")]
    pub entrypoint: Option<String>,
    /// When to pull the image: missing, always, never
    #[arg(long, value_name = "WHEN", value_parser = ["missing", "always", "never"])]
    pub pull: Option<String>,
    /// Only print the docker command line
    #[arg(long)]
    pub dry_run: bool,
    /// Write the container's id to a new file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub id_file: Option<PathBuf>,
    /// The command to run, with its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// `longshore container stop` and `restart`
#[derive(Debug, Args)]
pub struct ContainerStop {
    /// Ids, unique prefixes, or names
    #[arg(value_name = "CONTAINER", required = true)]
    pub containers: Vec<String>,
    /// Seconds to wait before KILL is sent; -1: no limit
    #[arg(
        short = 't',
        long = "timeout",
        visible_alias = "time",
        value_name = "SECONDS",
        allow_negative_numbers = true
    )]
    pub grace: Option<i32>,
}

/// `longshore container kill`
#[derive(Debug, Args)]
pub struct ContainerKill {
    /// Ids, unique prefixes, or names
    #[arg(value_name = "CONTAINER", required = true)]
    pub containers: Vec<String>,
    /// The signal, for example TERM, SIGTERM or 15
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL", value_parser = Signal::parse)]
    pub signal: Signal,
}

/// `longshore container rm`
#[derive(Debug, Args)]
pub struct ContainerRm {
    /// Ids, unique prefixes, or names
    #[arg(value_name = "CONTAINER", required = true)]
    pub containers: Vec<String>,
    /// Also remove running containers, and containers of longshore's runs
    #[arg(short, long)]
    pub force: bool,
    /// Also remove their anonymous volumes
    #[arg(short, long)]
    pub volumes: bool,
}

/// `longshore container logs`
#[derive(Debug, Args)]
pub struct ContainerLogs {
    /// An id, a unique prefix, or a name
    #[arg(value_name = "CONTAINER")]
    pub container: String,
    /// Continue until the container ends
    #[arg(short, long)]
    pub follow: bool,
    /// Show only the last lines: a number, or `all`
    #[arg(short = 'n', long, value_name = "LINES", default_value = "all", value_parser = tail)]
    pub tail: Tail,
    /// Show only output since this time: RFC 3339, Unix seconds, or an age such as 42m or 7d
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Show only output up to this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Show a timestamp before each line
    #[arg(short, long)]
    pub timestamps: bool,
}

/// `longshore container export`
#[derive(Debug, Args)]
pub struct ContainerExport {
    /// An id, a unique prefix, or a name
    #[arg(value_name = "CONTAINER")]
    pub container: String,
    /// The file to write, or - for stdout [default: stdout]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

/// `longshore container stats`
#[derive(Debug, Args)]
pub struct ContainerStats {
    /// Ids, unique prefixes, or names [default: all running containers]
    #[arg(value_name = "CONTAINER")]
    pub containers: Vec<String>,
    /// Also show containers that are not running
    #[arg(short, long)]
    pub all: bool,
    /// Measure once, then exit
    #[arg(long)]
    pub no_stream: bool,
    /// Do not cut cells to the terminal's width
    #[arg(long)]
    pub no_trunc: bool,
}

/// `longshore image create`
#[derive(Debug, Args)]
pub struct ImageCreate {
    /// The recipe
    #[command(flatten)]
    pub spec: RecipeSpec,
    /// Read the recipe from a JSON file, or from stdin (-)
    #[arg(long = "spec", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// What to do after the start
    #[command(flatten)]
    pub stay: Stay,
}

/// What a command does after it has started a job.
#[derive(Debug, Args)]
pub struct Stay {
    /// Wait until the job ends, and exit with its exit code
    #[arg(long)]
    pub wait: bool,
    /// Show the job's output until it ends, and exit with its exit code
    #[arg(long)]
    pub follow: bool,
    /// Only print what would be done
    #[arg(long, conflicts_with_all = ["wait", "follow"])]
    pub dry_run: bool,
    /// Write the job's id to a new file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub id_file: Option<PathBuf>,
}

/// A build, by name.
#[derive(Debug, Args)]
pub struct OneImage {
    /// The image's name, the build's id or a prefix of it, or `latest`
    #[arg(value_name = "NAME")]
    pub job: String,
}

/// A run.
#[derive(Debug, Args)]
pub struct OneJob {
    /// The run's id, a prefix of it, its name, or `latest`
    #[arg(value_name = "ID")]
    pub job: String,
}

/// `longshore image logs`
#[derive(Debug, Args)]
pub struct ImageLogs {
    /// Which build
    #[command(flatten)]
    pub image: OneImage,
    /// How to show it
    #[command(flatten)]
    pub how: LogFlags,
}

/// `longshore exec logs`
#[derive(Debug, Args)]
pub struct ExecLogs {
    /// Which run
    #[command(flatten)]
    pub run: OneJob,
    /// How to show it
    #[command(flatten)]
    pub how: LogFlags,
}

/// How to show a log.
#[derive(Debug, Args)]
pub struct LogFlags {
    /// Continue until the job ends
    #[arg(short, long)]
    pub follow: bool,
    /// Show only the last lines: a number, or `all`
    #[arg(short = 'n', long, value_name = "LINES", default_value = "all", value_parser = tail)]
    pub tail: Tail,
    /// With --follow: exit with the job's exit code
    #[arg(long, requires = "follow")]
    pub exit_code: bool,
    /// Print the log byte for byte, also to a terminal
    #[arg(long)]
    pub raw: bool,
}

/// `wait`
#[derive(Debug, Args)]
#[command(after_help = "\
With one id, the exit code is that of the job: 0 only if it succeeded, 124 if its time limit passed, 125 if its exit \
code is not known. With several ids, a line `ID CODE` is printed for each, and the exit code is 0 or 1.")]
pub struct Wait {
    /// Ids, prefixes, names, or `latest`
    #[arg(value_name = "ID", required = true)]
    pub jobs: Vec<String>,
    /// Return when the first job has ended, with its exit code
    #[arg(long)]
    pub any: bool,
    /// Stop waiting after this time, with exit code 124; the jobs continue
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
}

/// `longshore image cancel`
#[derive(Debug, Args)]
pub struct ImageCancel {
    /// Names of images, ids of builds, prefixes of ids, or `latest`
    #[arg(value_name = "NAME", required = true)]
    pub jobs: Vec<String>,
}

/// `forget`
#[derive(Debug, Args)]
pub struct Forget {
    /// Ids, prefixes, names, or `latest`
    #[arg(value_name = "ID", required = true)]
    pub jobs: Vec<String>,
}

/// Lists of jobs.
#[derive(Debug, Args)]
#[command(after_help = "\
Keys of --filter: id (prefix), image, label (KEY or KEY=VALUE), name (part), outcome, status. If a key is given more \
than once, one of its values must match. If several keys are given, all of them must match.")]
pub struct JobList {
    /// List only jobs that match
    #[arg(long = "filter", value_name = "KEY=VALUE")]
    pub filters: Vec<String>,
    /// List only jobs with this status or outcome: running, exited, succeeded, failed, cancelled, timeout, lost,
    /// unknown, corrupt
    #[arg(long = "status", value_name = "STATUS")]
    pub statuses: Vec<String>,
    /// List only the newest N jobs
    #[arg(short = 'n', long, value_name = "N")]
    pub last: Option<usize>,
    /// Print ids only
    #[arg(short, long)]
    pub quiet: bool,
    /// Do not cut cells to the terminal's width
    #[arg(long)]
    pub no_trunc: bool,
}

/// `longshore image list`
#[derive(Debug, Args)]
pub struct ImageList {
    /// List only images that match; the keys are those of `docker image ls --filter`
    #[arg(long = "filter", value_name = "KEY=VALUE")]
    pub filters: Vec<String>,
    /// Print ids only
    #[arg(short, long)]
    pub quiet: bool,
    /// Do not cut cells to the terminal's width
    #[arg(long)]
    pub no_trunc: bool,
}

/// `longshore exec run`
#[derive(Debug, Args)]
pub struct ExecRun {
    /// What to run
    #[command(flatten)]
    pub spec: RunSpec,
    /// Read environment variables from a file; it may have quotes and comments
    #[arg(long = "env-file", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub env_files: Vec<PathBuf>,
    /// Read these options from a JSON file, or from stdin (-)
    #[arg(long = "spec", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// What to do after the start
    #[command(flatten)]
    pub stay: Stay,
}

/// `longshore exec stop`
#[derive(Debug, Args)]
pub struct ExecStop {
    /// Ids, prefixes, names, or `latest`
    #[arg(value_name = "ID", required = true)]
    pub jobs: Vec<String>,
    /// Seconds to wait before KILL is sent
    #[arg(short = 't', long = "timeout", value_name = "SECONDS", default_value_t = 10)]
    pub grace: u32,
}

/// `longshore exec kill`
#[derive(Debug, Args)]
pub struct ExecKill {
    /// Ids, prefixes, names, or `latest`
    #[arg(value_name = "ID", required = true)]
    pub jobs: Vec<String>,
    /// The signal, for example TERM, SIGTERM or 15
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL", value_parser = Signal::parse)]
    pub signal: Signal,
}

/// The command line as man pages and completions show it: without hidden commands and without clap's `help`
/// commands, which would double the size of both.
#[must_use]
pub fn published() -> clap::Command {
    fn without_help(command: clap::Command) -> clap::Command {
        command.disable_help_subcommand(true).mut_subcommands(without_help)
    }
    let whole = Cli::command();
    let text = |text: Option<&clap::builder::StyledStr>| text.cloned().unwrap_or_default();
    let shown = clap::Command::new("longshore")
        .version(env!("CARGO_PKG_VERSION"))
        .about(text(whole.get_about()))
        .long_about(text(whole.get_long_about()))
        .after_help(text(whole.get_after_help()))
        .subcommand_required(true)
        .subcommands(whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned());
    without_help(Global::augment_args(shown))
}

fn duration(text: &str) -> Result<Duration, Invalid> {
    crate::units::duration(text)
}

fn tail(text: &str) -> Result<Tail, Invalid> {
    Tail::parse(text)
}
