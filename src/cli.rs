//! The command line. This module has no behaviour: `commands` carries out what is parsed here. What help says beside the
//! options is in `help`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

use crate::help;
use crate::names::{ImageRef, Invalid, Signal, Tail};
use crate::spec::{RecipeSpec, RunSpec};

/// What the engine says of a container.
pub const CONTAINER_STATUSES: [&str; 7] = ["created", "restarting", "running", "removing", "paused", "exited", "dead"];

/// What is required stands first. clap cannot know it, because a spec may have it.
const IMAGE_CREATE_USAGE: &str = "\
longshore image create <NAME> --base <IMAGE> [OPTIONS]
       longshore image create --spec <FILE> [NAME] [OPTIONS]";
const CONTAINER_CREATE_USAGE: &str = "\
longshore container create --image <IMAGE> [NAME] [OPTIONS]
                                  [-- <COMMAND>...]
       longshore container create --spec <FILE> [NAME] [OPTIONS]
                                  [-- <COMMAND>...]";
const EXEC_RUN_USAGE: &str = "\
longshore exec run --image <IMAGE> --src <DIR> --main <FILE> [OPTIONS]
                          [-- <ARGS>...]
       longshore exec run --spec <FILE> [OPTIONS] [-- <ARGS>...]";

/// The end of the help of an option that a flag or the spec has to give.
const REQUIRED: &str = " (required, here or in the spec)";

/// Background jobs for Docker
///
/// Builds images from a recipe and runs Python programs in them, in the background. Prints the status and the log of
/// each job as text or as JSON. There is no daemon. A job is a directory under $XDG_STATE_HOME/longshore (by default
/// ~/.local/state/longshore). Its status is derived from its files and from the engine at every call.
#[derive(Debug, Parser)]
#[command(name = "longshore", version, propagate_version = false, max_term_width = 100, infer_subcommands = false)]
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

/// The shells whose completion scripts call longshore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScriptShell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
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
    #[command(subcommand)]
    Image(Image),
    /// Run Python source trees in images, in the background
    #[command(subcommand)]
    Exec(Exec),
    /// Create, start, stop and inspect containers, with the JSON of the Engine API
    #[command(subcommand)]
    Container(Container),
    /// List builds and runs: short for `image builds` and `exec list`
    Ps(JobList),
    /// Show the output of builds and runs: short for `image logs` and `exec logs`
    Logs(JobLogs),
    /// Wait until builds and runs have ended: short for `image wait` and `exec wait`
    Wait(Wait),
    /// End builds and runs: short for `image cancel` and `exec stop`
    Stop(JobStop),
    /// Check what longshore needs, and what killed processes left; says what to do about it
    Doctor(Doctor),
    /// Print a completion script for a shell
    Completions {
        /// The shell to complete for
        shell: Shell,
    },
    /// Completes a command line; called by the completion scripts
    #[command(name = "__complete", hide = true)]
    Complete {
        /// The shell that asks
        shell: ScriptShell,
        /// The command line up to the cursor, as it was typed
        #[arg(allow_hyphen_values = true)]
        typed: String,
        /// bash's `COMP_WORDBREAKS`
        #[arg(allow_hyphen_values = true, default_value = "")]
        breaks: String,
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
        /// Only run the command of `--on-exit`
        #[arg(long, conflicts_with = "adopt")]
        conclude: bool,
    },
}

/// `longshore doctor`
#[derive(Debug, Args)]
pub struct Doctor {
    /// Finish what killed processes left, before the checks
    #[arg(long)]
    pub fix: bool,
}

/// `longshore image …`
#[derive(Debug, Subcommand)]
pub enum Image {
    /// Start to build an image from a recipe, print its name, and return at once
    #[command(override_usage = IMAGE_CREATE_USAGE)]
    Create(Box<ImageCreate>),
    /// Show a build's status and its output so far
    Status(OneImage),
    /// Show the output of builds
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
    #[command(visible_alias = "ls")]
    List(ImageList),
}

/// `longshore exec …`
#[derive(Debug, Subcommand)]
pub enum Exec {
    /// Start a Python program in an image, print the run's id, and return at once
    #[command(override_usage = EXEC_RUN_USAGE)]
    Run(Box<ExecRun>),
    /// Start a run again, also with changes, print the new run's id, and return at once
    Rerun(Box<ExecRerun>),
    /// List runs
    #[command(visible_aliases = ["ls", "ps"])]
    List(JobList),
    /// Show how a run stands, what it was asked to do, and its last lines of output
    Status(OneJob),
    /// Show the engine's description of a run's container, also after its removal
    Inspect(ExecInspect),
    /// Show the output of runs
    Logs(JobLogs),
    /// Wait until runs have ended, and pass on how
    Wait(Wait),
    /// Send runs the signal TERM, and KILL after a time limit
    Stop(JobStop),
    /// Send runs a signal, KILL by default
    Kill(ExecKill),
    /// Remove the logs and records of runs; does not stop them
    #[command(visible_alias = "rm")]
    Forget(Forget),
    /// Show the CPU, memory, network and disk usage of runs
    Stats(ExecStats),
    /// List the processes of a run
    Top(ExecTop),
}

/// `longshore container …`
#[derive(Debug, Subcommand)]
pub enum Container {
    /// List containers; with --json, in the form of the Engine API's /containers/json
    #[command(visible_aliases = ["ls", "ps"])]
    List(ContainerList),
    /// Create a container from a JSON body of the Engine API or from flags, and print its id
    #[command(override_usage = CONTAINER_CREATE_USAGE)]
    Create(Box<ContainerCreate>),
    /// Start containers that are not running
    Start(Containers),
    /// Stop containers and start them again
    Restart(ContainerStop),
    /// Send containers their stop signal, and KILL after a time limit
    Stop(ContainerStop),
    /// Send containers a signal, KILL by default
    Kill(ContainerKill),
    /// Remove containers
    Rm(ContainerRm),
    /// Show the engine's description of containers: one object, or an array for several
    Inspect(Containers),
    /// Show the engine's copy of a container's output
    Logs(ContainerLogs),
    /// List the files of a container that differ from its image
    Changes(OneContainer),
    /// Write a container's files as a tar archive
    Export(ContainerExport),
    /// Show the CPU, memory, network and disk usage of containers
    Stats(ContainerStats),
}

/// One or more containers.
#[derive(Debug, Args)]
pub struct Containers {
    /// Ids, unique prefixes, or names; also of runs
    #[arg(value_name = "CONTAINER", required = true)]
    pub containers: Vec<String>,
}

/// One container.
#[derive(Debug, Args)]
pub struct OneContainer {
    /// An id, a unique prefix, or a name; also of a run
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
    /// List only containers with this status
    #[arg(long = "status", value_name = "STATUS", value_parser = CONTAINER_STATUSES)]
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
    #[arg(short = 'v', long = "volume", value_name = "[SOURCE:]TARGET[:OPTIONS]")]
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
    /// When to pull the image
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
    /// Ids, unique prefixes, or names; also of runs
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
    /// Ids, unique prefixes, or names; also of runs
    #[arg(value_name = "CONTAINER", required = true)]
    pub containers: Vec<String>,
    /// The signal, for example TERM, SIGTERM or 15
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL", value_parser = Signal::parse)]
    pub signal: Signal,
}

/// `longshore container rm`
#[derive(Debug, Args)]
pub struct ContainerRm {
    /// Ids, unique prefixes, or names; also of runs
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
    /// An id, a unique prefix, or a name; also of a run
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
    /// An id, a unique prefix, or a name; also of a run
    #[arg(value_name = "CONTAINER")]
    pub container: String,
    /// The file to write, or - for stdout [default: stdout]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

/// `longshore container stats`
#[derive(Debug, Args)]
pub struct ContainerStats {
    /// Ids, unique prefixes, or names; also of runs [default: all running containers]
    #[arg(value_name = "CONTAINER")]
    pub containers: Vec<String>,
    /// Also show containers that are not running
    #[arg(short, long)]
    pub all: bool,
    /// How to show them
    #[command(flatten)]
    pub flags: StatsFlags,
}

/// How to show resource usage.
#[derive(Debug, Args)]
pub struct StatsFlags {
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
    /// As --follow; Ctrl-C and TERM stop the job, and a second one kills it
    #[arg(long)]
    pub foreground: bool,
    /// Only print what would be done
    #[arg(long, conflicts_with_all = ["wait", "follow", "foreground"])]
    pub dry_run: bool,
    /// Write the job's id to a new file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub id_file: Option<PathBuf>,
    /// What to do if a job with this name is running [default: fail]
    #[arg(long, value_name = "WHAT")]
    pub if_running: Option<IfRunning>,
    /// Remove this file now, and make it when the job has succeeded; for make
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub stamp: Option<PathBuf>,
    /// Run this with `sh -c` when the job has ended, whatever its outcome
    #[arg(long, value_name = "COMMAND")]
    pub on_exit: Option<String>,
}

/// What to do if a name is that of a running job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum IfRunning {
    /// Start nothing, and fail
    Fail,
    /// Start nothing, print the running job, and succeed
    Skip,
    /// Start when it has ended
    Wait,
    /// Stop it, then start
    Replace,
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
    /// Names of images, ids of builds, prefixes of ids, or `latest`
    #[arg(value_name = "NAME", required = true)]
    pub jobs: Vec<String>,
    /// How to show them
    #[command(flatten)]
    pub how: LogFlags,
}

/// `longshore exec logs` and `longshore logs`
#[derive(Debug, Args)]
pub struct JobLogs {
    /// Ids, prefixes, names, or `latest`
    #[arg(value_name = "ID", required = true)]
    pub jobs: Vec<String>,
    /// How to show them
    #[command(flatten)]
    pub how: LogFlags,
}

/// How to show a log.
#[derive(Debug, Args)]
pub struct LogFlags {
    /// Continue until the job ends; of several, until all have ended
    #[arg(short, long)]
    pub follow: bool,
    /// Show only the last lines of each job: a number, or `all`
    #[arg(short = 'n', long, value_name = "LINES", default_value = "all", value_parser = tail)]
    pub tail: Tail,
    /// With --follow: exit with the job's exit code; with several jobs, as `wait` does
    #[arg(long, requires = "follow")]
    pub exit_code: bool,
    /// Print the log byte for byte, also to a terminal
    #[arg(long)]
    pub raw: bool,
}

/// `wait`
#[derive(Debug, Args)]
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
pub struct JobList {
    /// Also list jobs that were forgotten and still run
    #[arg(short, long)]
    pub all: bool,
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
    /// Show every column, and do not cut cells to the terminal's width
    #[arg(long)]
    pub no_trunc: bool,
    /// Show the list until Ctrl-C, as it is at each moment; with --json, print it again when it has changed
    #[arg(short, long)]
    pub watch: bool,
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

/// `longshore exec rerun`
#[derive(Debug, Args)]
pub struct ExecRerun {
    /// Which run
    #[command(flatten)]
    pub run: OneJob,
    /// What to change
    #[command(flatten)]
    pub spec: RunSpec,
    /// Read environment variables from a file; it may have quotes and comments
    #[arg(long = "env-file", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub env_files: Vec<PathBuf>,
    /// What to do after the start
    #[command(flatten)]
    pub stay: Stay,
}

/// `longshore exec inspect`
#[derive(Debug, Args)]
pub struct ExecInspect {
    /// Which run
    #[command(flatten)]
    pub run: OneJob,
    /// Print the body for `exec run --spec` that starts the same run again
    #[arg(long)]
    pub spec: bool,
}

/// `longshore exec stats`
#[derive(Debug, Args)]
pub struct ExecStats {
    /// Ids, prefixes, names, or `latest` [default: all running runs]
    #[arg(value_name = "ID")]
    pub jobs: Vec<String>,
    /// How to show them
    #[command(flatten)]
    pub flags: StatsFlags,
}

/// `longshore exec top`
#[derive(Debug, Args)]
pub struct ExecTop {
    /// Which run
    #[command(flatten)]
    pub run: OneJob,
    /// Options of ps, which make other columns
    #[arg(last = true, value_name = "PS_OPTIONS")]
    pub options: Vec<String>,
}

/// `longshore exec stop` and `longshore stop`
#[derive(Debug, Args)]
pub struct JobStop {
    /// Ids, prefixes, names, or `latest`
    #[arg(value_name = "ID", required = true)]
    pub jobs: Vec<String>,
    /// Seconds to wait before KILL is sent to a run
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

/// The command line with all of its help.
#[must_use]
pub fn command() -> clap::Command {
    // Not `mut_subcommand`, which puts the command behind all others.
    let verb = |verb: clap::Command| if verb.get_name() == "rerun" { optional(verb) } else { verb };
    let noun = |noun: clap::Command| if noun.get_name() == "exec" { noun.mut_subcommands(verb) } else { noun };
    explained(Cli::command().mut_subcommands(noun), "")
}

/// The options of `exec run` in a command that requires none of them.
fn optional(command: clap::Command) -> clap::Command {
    command.mut_args(|arg| {
        let text = arg.get_help().map(ToString::to_string).unwrap_or_default();
        match text.strip_suffix(REQUIRED) {
            Some(text) => arg.help(text.to_owned()),
            None => arg,
        }
    })
}

fn explained(command: clap::Command, words: &str) -> clap::Command {
    let text = help::of(words).text();
    let command = if text.is_empty() { command } else { command.after_help(text) };
    command.mut_subcommands(|below| {
        let words = format!("{words} {}", below.get_name());
        explained(below, words.trim_start())
    })
}

/// Parses a command line, the program's name first. The help of all commands takes nearly as long to make as everything else
/// at the start, so it is made only for a command line that does not parse.
///
/// # Errors
/// clap's own, which is also how it asks for help or the version to be printed.
pub fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(arguments).or_else(|_| {
        let mut command = command();
        let matches = command.try_get_matches_from_mut(arguments)?;
        Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    })
}

/// The command line as man pages and completions show it: without hidden commands and without clap's `help`
/// commands, which would double the size of both.
#[must_use]
pub fn published() -> clap::Command {
    fn without_help(command: clap::Command) -> clap::Command {
        command.disable_help_subcommand(true).mut_subcommands(without_help)
    }
    let whole = command();
    let text = |text: Option<&clap::builder::StyledStr>| text.cloned().unwrap_or_default();
    // The options bring a description of their own, which is not that of the program.
    let shown = Global::augment_args(clap::Command::new("longshore"))
        .version(env!("CARGO_PKG_VERSION"))
        .about(text(whole.get_about()))
        .long_about(text(whole.get_long_about()))
        .after_help(text(whole.get_after_help()))
        .subcommand_required(true)
        .subcommands(whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned());
    without_help(shown)
}

fn duration(text: &str) -> Result<Duration, Invalid> {
    crate::units::duration(text)
}

fn tail(text: &str) -> Result<Tail, Invalid> {
    Tail::parse(text)
}
