//! The whole command line and every help text. No behaviour.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

use crate::names::{EnvKey, EnvValue, Gpus, ImageName, ImageRef, Invalid, JobName, Label, MainFile, NetworkName};
use crate::units::{Cpus, Signal, Tail, UserSpec};

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
    #[command(subcommand)]
    Image(Image),
    /// Run Python source trees in images, in the background
    #[command(subcommand)]
    Exec(Exec),
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

/// `longshore image …`
#[derive(Debug, Subcommand)]
pub enum Image {
    /// Start building an image from a recipe, and return at once
    #[command(after_help = "\
The build runs in the background. Follow it by the image's name:
  longshore image logs -f NAME       its output
  longshore image wait NAME          until it has ended; exits 0 if it succeeded

Keys of --spec (JSON): name, baseImage, update, aptInstall, pipInstall, additionalCommand; and beside them
caCert, pipIndexUrl, aptMirror, recommends, labels, pull, noCache. Flags win over the file.

Examples:
  longshore image create web --base python:3-slim --apt \"git curl\" --pip 'numpy<2' --run 'echo done'
  longshore image create --spec recipe.json --follow
  jq -n '{name: \"web\", baseImage: \"python:3-slim\"}' | longshore image create --spec - --json")]
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
    #[command(after_help = "\
The source directory is mounted at /app, which is also the working directory; the input, read-only, at /app/data;
the output at /app/output. The program runs as you, so what it writes is yours. Directories `data` and `output` are
made in the source tree where they are needed as mount points.

Keys of --spec (JSON): srcPath, mainSrc, imageTag, inputPath, outputPath; and beside them args, env, labels, name,
cpus, memory, gpus, shmSize, network, timeout, user, keep, logDriver. Flags win over the file.

Examples:
  id=$(longshore exec run --image web --src . --main train.py --input ./data --output ./out -- --epochs 3)
  longshore exec logs -f \"$id\"
  longshore exec run --spec run.json --wait        exits with the program's own code")]
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

/// `longshore image create`
#[derive(Debug, Args)]
pub struct ImageCreate {
    /// Name (and tag) of the image to make
    #[arg(value_name = "NAME", value_parser = ImageName::parse)]
    pub name: Option<ImageName>,
    /// The image to start from
    #[arg(long, value_name = "IMAGE", value_parser = ImageRef::parse)]
    pub base: Option<ImageRef>,
    /// Upgrade the base image's packages
    #[arg(long)]
    pub update: bool,
    /// Packages to install with apt, separated by blanks
    #[arg(long, value_name = "PACKAGES", allow_hyphen_values = true)]
    pub apt: Vec<String>,
    /// Packages to install with pip, separated by blanks
    #[arg(long, value_name = "PACKAGES", allow_hyphen_values = true)]
    pub pip: Vec<String>,
    /// A command to run after the packages are installed
    #[arg(long, value_name = "COMMAND", allow_hyphen_values = true)]
    pub run: Vec<String>,
    /// Read the recipe from a JSON file, or from stdin (-)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub spec: Option<PathBuf>,
    /// Certificates to trust in the image and while building it (PEM)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ca_cert: Option<PathBuf>,
    /// Another package index for pip
    #[arg(long, value_name = "URL")]
    pub pip_index_url: Option<String>,
    /// Another mirror for apt
    #[arg(long, value_name = "URL")]
    pub apt_mirror: Option<String>,
    /// Install also what apt packages recommend
    #[arg(long)]
    pub recommends: bool,
    /// Label the image and the build
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = Label::parse)]
    pub labels: Vec<Label>,
    /// Ask the registry for a newer base image
    #[arg(long)]
    pub pull: bool,
    /// Use nothing of the build cache
    #[arg(long)]
    pub no_cache: bool,
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
    /// The image to run in
    #[arg(long, value_name = "IMAGE", value_parser = ImageRef::parse)]
    pub image: Option<ImageRef>,
    /// The directory with the source code
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub src: Option<PathBuf>,
    /// The Python file in it to run
    #[arg(long, value_name = "FILE", value_parser = MainFile::parse)]
    pub main: Option<MainFile>,
    /// Input data, read-only at /app/data
    #[arg(long, value_name = "DIR", value_hint = ValueHint::AnyPath)]
    pub input: Option<PathBuf>,
    /// Where output goes, at /app/output; made when it is missing
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
    /// Arguments of the program
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<String>,
    /// Read what to run from a JSON file, or from stdin (-)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub spec: Option<PathBuf>,
    /// A name to call the run by
    #[arg(long, value_name = "NAME", value_parser = JobName::parse)]
    pub name: Option<JobName>,
    /// Label the run and its container
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = Label::parse)]
    pub labels: Vec<Label>,
    /// A variable for the program; without a value: yours. Values are never written down
    #[arg(short = 'e', long = "env", value_name = "KEY[=VALUE]", value_parser = variable)]
    pub env: Vec<(EnvKey, Option<EnvValue>)>,
    /// Variables from a file; quotes and comments are understood
    #[arg(long = "env-file", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub env_files: Vec<PathBuf>,
    /// Limit the processors, such as 1.5
    #[arg(long, value_name = "N", value_parser = Cpus::parse)]
    pub cpus: Option<Cpus>,
    /// Limit the memory, such as 512m or 2g
    #[arg(long, value_name = "SIZE", value_parser = crate::units::bytes)]
    pub memory: Option<u64>,
    /// GPUs to use: all, a number, or device=0,1
    #[arg(long, value_name = "GPUS", value_parser = Gpus::parse)]
    pub gpus: Option<Gpus>,
    /// Size of /dev/shm, such as 1g
    #[arg(long, value_name = "SIZE", value_parser = crate::units::bytes)]
    pub shm_size: Option<u64>,
    /// The network to join, or none
    #[arg(long, value_name = "NETWORK", value_parser = NetworkName::parse)]
    pub network: Option<NetworkName>,
    /// End the run after this time: TERM, ten seconds later KILL
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// Run as: caller (you), image (the image's own user), or UID[:GID]
    #[arg(long, value_name = "USER", value_parser = UserSpec::parse)]
    pub user: Option<UserSpec>,
    /// Keep the container after the end
    #[arg(long)]
    pub keep: bool,
    /// How the engine keeps its own copy of the output [default: local]
    #[arg(long, value_name = "DRIVER")]
    pub log_driver: Option<LogDriver>,
    /// How to stay or what to do instead
    #[command(flatten)]
    pub stay: Stay,
}

/// The engine's log drivers that make sense here: longshore has the output in a log of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogDriver {
    /// The engine's fastest format that can be read back
    Local,
    /// The engine's usual format
    JsonFile,
    /// The journal of systemd
    Journald,
    /// No copy: fastest, but nothing to recover from when the docker client is killed
    None,
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

fn duration(text: &str) -> Result<Duration, Invalid> {
    crate::units::duration(text)
}

fn tail(text: &str) -> Result<Tail, Invalid> {
    Tail::parse(text)
}

fn variable(text: &str) -> Result<(EnvKey, Option<EnvValue>), Invalid> {
    let (key, value) = text.split_once('=').map_or((text, None), |(key, value)| (key, Some(value)));
    Ok((EnvKey::parse(key)?, value.map(EnvValue::parse).transpose()?))
}
