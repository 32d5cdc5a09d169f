//! The command line. This module has no behaviour: `commands` carries out what is parsed here. What help says beside the
//! options is in `help`.

use std::ffi::OsString;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::help;
use crate::names::{Invalid, Tail};

pub use containers::*;
pub use jobs::*;
pub use queue::*;

mod containers;
mod jobs;
mod narrow;
mod queue;

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
       longshore exec run --image <IMAGE> --src <DIR> -m <MODULE> [OPTIONS]
                          [-- <ARGS>...]
       longshore exec run --image <IMAGE> --src <DIR> --command [OPTIONS]
                          -- <COMMAND>...
       longshore exec run --spec <FILE> [OPTIONS] [-- <ARGS>...]";
const IMAGE_FORGET_USAGE: &str = "\
longshore image forget <ID>...
       longshore image forget --all [--dry-run]
       longshore image forget [--status <STATUS>] [--older-than <AGE>]
                              [--dry-run]";
const EXEC_FORGET_USAGE: &str = "\
longshore exec forget <ID>...
       longshore exec forget --group <GROUP> [<ID>...]
       longshore exec forget --all [--dry-run]
       longshore exec forget [--status <STATUS>] [--older-than <AGE>]
                             [--dry-run]";

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
    /// Run jobs in turn: queues, their limits and their jobs
    #[command(subcommand)]
    Queue(Queue),
    /// List builds and runs: short for `image builds` and `exec list`
    Ps(RunList),
    /// Show the output of builds and runs: short for `image logs` and `exec logs`
    Logs(JobLogs),
    /// Wait until builds and runs have ended: short for `image wait` and `exec wait`
    Wait(JobWait),
    /// End builds and runs: short for `image cancel` and `exec stop`
    Stop(JobStop),
    /// Check what longshore needs, and what killed processes left; says what to do about it
    Doctor(Doctor),
    /// Remove the logs and records of ended jobs, untagged images of builds, and copies of files
    Prune(Prune),
    /// Print a completion script for a shell
    Completions {
        /// The shell to complete for
        shell: Shell,
    },
    /// Completes a command line; called by the completion scripts
    #[command(name = "__complete", hide = true)]
    Complete(Complete),
    /// The supervisor of a job; started by longshore itself
    #[command(name = crate::supervisor::SUBCOMMAND, hide = true)]
    Supervise(Supervise),
}

/// `longshore __complete`
#[derive(Debug, Args)]
pub struct Complete {
    /// The shell that asks
    pub shell: ScriptShell,
    /// The command line up to the cursor, as it was typed
    #[arg(allow_hyphen_values = true)]
    pub typed: String,
    /// bash's `COMP_WORDBREAKS`
    #[arg(allow_hyphen_values = true, default_value = "")]
    pub breaks: String,
}

/// How longshore starts the supervisor of a job
#[derive(Debug, Args)]
pub struct Supervise {
    /// `build` or `run`
    pub kind: String,
    /// The job
    pub id: String,
    /// Take over a run that was started
    #[arg(long)]
    pub adopt: bool,
    /// Only run the command of `--on-exit`
    #[arg(long, conflicts_with = "adopt")]
    pub conclude: bool,
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
    Wait(ImageWait),
    /// End a running build
    Cancel(ImageCancel),
    /// Remove the logs and records of builds; does not stop them, and keeps the images
    #[command(override_usage = IMAGE_FORGET_USAGE)]
    Forget(Forget),
    /// List builds
    Builds(JobList),
    /// List the engine's images
    #[command(visible_alias = "ls")]
    List(ImageList),
    /// Copy images to another engine, without a registry
    Copy(ImageCopy),
    /// Remove images from the engine; the records of their builds stay
    Rm(ImageRm),
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
    List(RunList),
    /// Show how a run stands, what it was asked to do, and its last lines of output
    Status(OneJob),
    /// Show the engine's description of a run's container, also after its removal
    Inspect(ExecInspect),
    /// Show the output of runs
    Logs(JobLogs),
    /// Wait until runs have ended, and pass on how
    Wait(JobWait),
    /// Send runs the signal TERM, and KILL after a time limit
    Stop(JobStop),
    /// Send runs a signal, KILL by default
    Kill(ExecKill),
    /// Copy the output of a run from another machine, if that failed at its end
    Fetch(ExecFetch),
    /// Remove the logs and records of runs; does not stop them
    #[command(visible_alias = "rm", override_usage = EXEC_FORGET_USAGE)]
    Forget(ExecForget),
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

/// Parses a command line, the program's name first. To make all commands takes longer than everything else at the start, and
/// their help as long again. So the command is made alone that the words seem to name. All are made only for a command line that
/// does not parse so.
///
/// # Errors
/// clap's own, which is also how it asks for help or the version to be printed.
pub fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    match narrow::command(arguments).map(|narrow| read(narrow, arguments)) {
        Some(Ok(cli)) => Ok(cli),
        Some(Err(error)) if error.kind() == ErrorKind::DisplayVersion => Err(error),
        _ => read(command(), arguments),
    }
}

fn read(mut command: clap::Command, arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let mut matches = command.try_get_matches_from_mut(arguments)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
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

/// A number alone would be seconds, which nobody means by an age of 30.
fn age(text: &str) -> Result<Duration, Invalid> {
    let has_unit = text.ends_with(|c: char| c.is_ascii_alphabetic());
    let age = crate::units::duration(text).ok().filter(|_| has_unit);
    age.ok_or_else(|| Invalid::new("age", text, "it must be a number with a unit, such as 90s, 12h or 30d"))
}

fn tail(text: &str) -> Result<Tail, Invalid> {
    Tail::parse(text)
}
