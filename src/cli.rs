//! The whole command line and every help text. No behaviour.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

use crate::names::{ImageRef, Invalid, Signal, Tail};
use crate::spec::{RecipeSpec, RunSpec, keys_line};

/// Background jobs for Docker
///
/// Builds images from a recipe and runs Python in them, in the background, and reads every status and log back, as
/// text or as JSON. There is no daemon: a job is a directory under $XDG_STATE_HOME/longshore (by default
/// ~/.local/state/longshore), and what is said of it is derived from its files and from the engine at every call.
#[derive(Debug, Parser)]
#[command(name = "longshore", version, propagate_version = false, max_term_width = 100, infer_subcommands = false)]
#[command(after_help = "\
Exit codes:
  0        done; for `wait`: every job succeeded
  1        it ran, and the answer is \"failed\" or \"not found\"; some of several ids failed
  2        usage
  124      a time limit ran out (--timeout of a wait, or of the job itself)
  125      longshore or the engine failed, in a verb that otherwise passes on a program's code
  126/127  the program in the container could not be run / was not found
  128+n    ended by signal n (130: Ctrl-C)

Environment:
  LONGSHORE_DOCKER            the docker program, instead of `docker` from PATH
  LONGSHORE_CA_CERT           certificates for `image create` (as --ca-cert)
  LONGSHORE_ANY_FILE_SYSTEM   1: keep jobs also on NFS, SMB or FUSE
  XDG_STATE_HOME              where the jobs are kept
  DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG, DOCKER_BUILDKIT   as docker reads them
  NO_COLOR, CLICOLOR_FORCE    as everywhere")]
pub struct Cli {
    /// What every command takes
    #[command(flatten)]
    pub global: Global,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub struct Global {
    /// Print JSON: one document, on failure too
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// Print every docker command line as it is run
    #[arg(long, global = true, help_heading = "Global options")]
    pub verbose: bool,
    /// The same as --verbose
    #[arg(short = 'v', hide = true)]
    pub v: bool,
    /// The docker context to use
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "host", help_heading = "Global options")]
    pub context: Option<String>,
    /// The docker engine to use: a URL as docker's own --host takes it
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

/// The nouns.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build images from a recipe, in the background
    Image(Noun<Image>),
    /// Run Python source trees in images, in the background
    Exec(Noun<Exec>),
    /// The life of containers, with the Engine API's JSON
    #[command(subcommand)]
    Container(Container),
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  longshore completions bash > ~/.local/share/bash-completion/completions/longshore"
    )]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// The supervisor of a job; started by longshore itself
    #[command(name = crate::supervisor::SUBCOMMAND, hide = true)]
    Supervise {
        /// `build` or `run`
        kind: String,
        /// The job
        id: String,
    },
}

/// A noun whose verbs have no `-v` of their own, so that it is --verbose behind them too.
#[derive(Debug, Args)]
pub struct Noun<V: Subcommand> {
    /// The same as --verbose
    #[arg(short = 'v', id = "noun_v", global = true, hide = true)]
    pub v: bool,
    /// What to do
    #[command(subcommand)]
    pub verb: V,
}

/// `longshore image …`
#[derive(Debug, Subcommand)]
pub enum Image {
    /// Start building an image from a recipe, and return at once
    #[command(after_help = image_create_help())]
    Create(Box<ImageCreate>),
    /// Show whether a build still runs, and its output so far
    Status(OneImage),
    /// Show a build's output
    Logs(ImageLogs),
    /// Wait until builds have ended, and pass on how
    Wait(Wait),
    /// End a running build
    Cancel(ImageCancel),
    /// Drop what is kept about builds; stops nothing and removes no image
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
    /// Show everything the engine knows of a run's container; also after it is gone
    Inspect(OneJob),
    /// Show a run's output
    Logs(ExecLogs),
    /// Wait until runs have ended, and pass on how
    Wait(Wait),
    /// Ask runs to end; kill them when they do not
    Stop(ExecStop),
    /// Send runs a signal; KILL unless told otherwise
    Kill(ExecKill),
    /// Drop what is kept about runs; stops nothing
    Forget(Forget),
}

/// `longshore container …`
#[derive(Debug, Subcommand)]
pub enum Container {
    /// List containers; with --json what the Engine API's /containers/json gives
    #[command(visible_aliases = ["ls", "ps"])]
    List(ContainerList),
    /// Create a container from the Engine API's JSON body, or from flags, and print its id
    #[command(after_help = "\
The body is that of POST /containers/create. A key that `docker create` cannot express is an error that names it. An
image that is missing is pulled, as docker does; see --pull.

Examples:
  longshore container create db --spec body.json
  longshore container create --name web --image nginx -p 8080:80 -e MODE=test
  longshore container create --image alpine -- sh -c 'echo hi'")]
    Create(Box<ContainerCreate>),
    /// Start containers that are not running
    #[command(after_help = "\
A container that is running is left as it is: `start` never interrupts. To end it and start it again, use `restart`.")]
    Start(Containers),
    /// Stop containers and start them again
    #[command(after_help = "\
The difference between start and restart:
  start    begins a container that is not running, and leaves one that is running alone.
  restart  first ends one that is running, as `stop` does: it gets its stop signal (TERM), and after -t SECONDS
           (10, unless the container has a setting of its own) it is killed; then it is started again.
On a container that is not running the two do the same. Either way it is the same container: its file system,
configuration and name stay, and the program begins anew.")]
    Restart(ContainerStop),
    /// Ask containers to end, and kill them when they do not
    #[command(after_help = "\
The program gets the container's stop signal (TERM unless set otherwise), so that it can finish its work, and after
-t SECONDS it is killed. To end it at once, use `kill`.")]
    Stop(ContainerStop),
    /// Send containers a signal; KILL, which ends them at once, unless told otherwise
    Kill(ContainerKill),
    /// Remove containers
    #[command(
        after_help = "A container of one of longshore's own runs is left to `longshore exec forget`, unless -f is given."
    )]
    Rm(ContainerRm),
    /// Show everything the engine knows of containers: its own object, or an array for several
    Inspect(Containers),
    /// Show a container's output as the engine kept it
    Logs(ContainerLogs),
    /// Show which files of a container differ from its image
    #[command(
        after_help = "A line each: C changed, A added, D deleted. With --json [{\"Path\", \"Kind\"}]: 0 changed, 1 added, 2 deleted."
    )]
    Changes(OneContainer),
    /// Write a container's files as a tar archive
    #[command(after_help = "\
The file appears when it is complete, and not at all when something fails or Ctrl-C ends it.

Examples:
  longshore container export web -o web.tar
  longshore container export web | tar -t")]
    Export(ContainerExport),
    /// Show what containers use: CPU, memory, network, disk
    #[command(after_help = "\
With --json an object a line (with --no-stream one array): docker's own fields, which are text, and beside them the same
as numbers: cpuPercent, memoryUsageBytes, memoryLimitBytes, memoryPercent, networkReceivedBytes, networkSentBytes,
blockReadBytes, blockWrittenBytes, pids. docker rounds before it prints, so the numbers are as coarse as its text.")]
    Stats(ContainerStats),
}

fn image_create_help() -> String {
    let keys = keys_line::<RecipeSpec>();
    format!(
        "\
The build runs in the background. Follow it by the image's name:
  longshore image logs -f NAME       its output
  longshore image wait NAME          until it has ended; exits 0 if it succeeded

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
The source directory is mounted at /app, which is also the working directory; the input, read-only, at /app/data;
the output at /app/output. The program runs as you, so what it writes is yours. Directories `data` and `output` are
made in the source tree where they are needed as mount points.

{keys}

Examples:
  id=$(longshore exec run --image web --src src --main train.py --input data --output out -- --epochs 3)
  longshore exec logs -f \"$id\"
  longshore exec run --spec run.json --wait        exits with the program's own code"
    )
}

/// Containers.
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
    /// Also those that are not running
    #[arg(short, long)]
    pub all: bool,
    /// Only those that fit, as `docker ps` filters
    #[arg(short, long = "filter", value_name = "KEY=VALUE")]
    pub filters: Vec<String>,
    /// Only those: created, restarting, running, removing, paused, exited, dead
    #[arg(long = "status", value_name = "STATUS")]
    pub statuses: Vec<String>,
    /// Only the newest, running or not
    #[arg(short = 'n', long, value_name = "N")]
    pub last: Option<u32>,
    /// Print ids only
    #[arg(short, long)]
    pub quiet: bool,
    /// Show ids in full, and do not cut cells to the terminal's width
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
    /// Read the Engine API's body from a JSON file, or from stdin (-)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub spec: Option<PathBuf>,
    /// The image
    #[arg(long, value_name = "IMAGE", value_parser = ImageRef::parse)]
    pub image: Option<ImageRef>,
    /// A variable
    #[arg(short, long, value_name = "KEY[=VALUE]")]
    pub env: Vec<String>,
    /// Publish a port, as docker writes it
    #[arg(short, long, value_name = "[[IP:]HOST:]PORT[/PROTO]")]
    pub publish: Vec<String>,
    /// Mount a volume or a directory, as docker writes it
    #[arg(long = "volume", short_alias = 'v', value_name = "[SOURCE:]TARGET[:OPTIONS]")]
    pub volumes: Vec<String>,
    /// Mount something, as docker writes it
    #[arg(long = "mount", value_name = "TYPE,SOURCE,TARGET")]
    pub mounts: Vec<String>,
    /// A label
    #[arg(short, long = "label", value_name = "KEY=VALUE")]
    pub labels: Vec<String>,
    /// The program to run instead of the image's
    #[arg(long, value_name = "PROGRAM")]
    pub entrypoint: Option<String>,
    /// Whether to pull the image: missing, always, never
    #[arg(long, value_name = "WHEN", value_parser = ["missing", "always", "never"])]
    pub pull: Option<String>,
    /// Print the docker command line, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Write the container's id to a file, which must not be there yet
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub id_file: Option<PathBuf>,
    /// The command and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// `longshore container stop` and `restart`
#[derive(Debug, Args)]
pub struct ContainerStop {
    /// Ids, unique prefixes, or names
    #[arg(value_name = "CONTAINER", required = true)]
    pub containers: Vec<String>,
    /// Seconds to wait for a clean end before killing it; -1: for ever
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
    /// The signal: TERM, SIGTERM or 15
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL", value_parser = Signal::parse)]
    pub signal: Signal,
}

/// `longshore container rm`
#[derive(Debug, Args)]
pub struct ContainerRm {
    /// Ids, unique prefixes, or names
    #[arg(value_name = "CONTAINER", required = true)]
    pub containers: Vec<String>,
    /// Also those that run, and those of longshore's own runs
    #[arg(short, long)]
    pub force: bool,
    /// Remove their anonymous volumes too
    #[arg(short, long)]
    pub volumes: bool,
}

/// `longshore container logs`
#[derive(Debug, Args)]
pub struct ContainerLogs {
    /// An id, a unique prefix, or a name
    #[arg(value_name = "CONTAINER")]
    pub container: String,
    /// Go on until the container ends
    #[arg(short, long)]
    pub follow: bool,
    /// Only the last lines: a number, or `all`
    #[arg(short = 'n', long, value_name = "LINES", default_value = "all", value_parser = tail)]
    pub tail: Tail,
    /// Only from this time on: RFC 3339, Unix seconds, or an age such as 42m or 7d
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only up to this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Begin every line with its time
    #[arg(short, long)]
    pub timestamps: bool,
}

/// `longshore container export`
#[derive(Debug, Args)]
pub struct ContainerExport {
    /// An id, a unique prefix, or a name
    #[arg(value_name = "CONTAINER")]
    pub container: String,
    /// The file to write; without it, or with -, stdout
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

/// `longshore container stats`
#[derive(Debug, Args)]
pub struct ContainerStats {
    /// Ids, unique prefixes, or names; without any, all that run
    #[arg(value_name = "CONTAINER")]
    pub containers: Vec<String>,
    /// Also those that are not running
    #[arg(short, long)]
    pub all: bool,
    /// Measure once
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
    /// How to stay or what to do instead
    #[command(flatten)]
    pub stay: Stay,
}

/// Whether a command that starts a job stays until its end.
#[derive(Debug, Args)]
pub struct Stay {
    /// Wait for the end, and exit as the job does
    #[arg(long)]
    pub wait: bool,
    /// Wait for the end, and show the output meanwhile
    #[arg(long)]
    pub follow: bool,
    /// Print what would be done, and do nothing
    #[arg(long, conflicts_with_all = ["wait", "follow"])]
    pub dry_run: bool,
    /// Write the job's id to a file, which must not be there yet
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
    /// Go on until the job ends
    #[arg(short, long)]
    pub follow: bool,
    /// Only the last lines: a number, or `all`
    #[arg(short = 'n', long, value_name = "LINES", default_value = "all", value_parser = tail)]
    pub tail: Tail,
    /// With --follow: exit as the job does
    #[arg(long, requires = "follow")]
    pub exit_code: bool,
    /// Exact bytes, also to a terminal
    #[arg(long)]
    pub raw: bool,
}

/// `wait`
#[derive(Debug, Args)]
#[command(after_help = "\
With one id, exits with its code: 0 only if it succeeded, 124 if its time ran out, 125 if nobody can tell.
With several, prints a line `ID CODE` each, and exits 0 or 1.")]
pub struct Wait {
    /// Ids, prefixes, names, or `latest`
    #[arg(value_name = "ID", required = true)]
    pub jobs: Vec<String>,
    /// Return when the first one has ended, with its code
    #[arg(long)]
    pub any: bool,
    /// Stop waiting after this time, with exit code 124; the jobs go on
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
}

/// `longshore image cancel`
#[derive(Debug, Args)]
pub struct ImageCancel {
    /// The images' names, the builds' ids or prefixes
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
Keys of --filter: id (prefix), image, label (KEY or KEY=VALUE), name (part), outcome, status. The same key twice means
either; different keys must both fit.")]
pub struct JobList {
    /// Only those that fit
    #[arg(long = "filter", value_name = "KEY=VALUE")]
    pub filters: Vec<String>,
    /// Only those: running, exited, succeeded, failed, cancelled, timeout, lost, unknown, corrupt
    #[arg(long = "status", value_name = "STATUS")]
    pub statuses: Vec<String>,
    /// Only the newest
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
    /// Only those that fit, as `docker image ls` filters
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
    /// Variables from a file; quotes and comments are understood
    #[arg(long = "env-file", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub env_files: Vec<PathBuf>,
    /// Read what to run from a JSON file, or from stdin (-)
    #[arg(long = "spec", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// How to stay or what to do instead
    #[command(flatten)]
    pub stay: Stay,
}

/// `longshore exec stop`
#[derive(Debug, Args)]
pub struct ExecStop {
    /// Ids, prefixes, names, or `latest`
    #[arg(value_name = "ID", required = true)]
    pub jobs: Vec<String>,
    /// Seconds to wait for a clean end before killing it
    #[arg(short = 't', long = "timeout", value_name = "SECONDS", default_value_t = 10)]
    pub grace: u32,
}

/// `longshore exec kill`
#[derive(Debug, Args)]
pub struct ExecKill {
    /// Ids, prefixes, names, or `latest`
    #[arg(value_name = "ID", required = true)]
    pub jobs: Vec<String>,
    /// The signal: TERM, SIGTERM or 15
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL", value_parser = Signal::parse)]
    pub signal: Signal,
}

/// The command line as man pages and completions show it: without what is hidden, and without clap's `help` below
/// every noun, which would double both.
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
