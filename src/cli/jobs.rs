//! The arguments of `image`, `exec` and `prune`, and of the short forms over builds and runs.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum, ValueHint};

use super::{StatsFlags, Turn, age, duration, tail};
use crate::job::prune::STATUSES as ENDED;
use crate::names::{DependencyGroup, Endpoint, ExtraName, GroupName, ImageRef, Signal, Tail};
use crate::spec::{RecipeSpec, RunSpec};
use crate::sweep::Each;

/// `longshore image create`
#[derive(Debug, Args)]
pub struct ImageCreate {
    /// The recipe
    #[command(flatten)]
    pub spec: RecipeSpec,
    /// Read the recipe from a JSON file, or from stdin (-)
    #[arg(long = "spec", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// Files that the recipe is read from
    #[command(flatten)]
    pub sources: RecipeSources,
    /// Build only if the image was made of another recipe or of an older base image, or is missing
    #[arg(long, conflicts_with = "if_running")]
    pub if_changed: bool,
    /// Build only if there is no image of that name
    #[arg(long, conflicts_with_all = ["if_changed", "if_running"])]
    pub if_missing: bool,
    /// What to do after the start
    #[command(flatten)]
    pub stay: Stay,
}

/// Files in formats of other tools, from which a recipe takes packages.
#[derive(Debug, Args)]
pub struct RecipeSources {
    /// A requirements file for pip, with the files that it names
    #[arg(short, long, visible_alias = "requirement", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub requirements: Vec<PathBuf>,
    /// A constraints file for pip: versions for what is installed in any case
    #[arg(long, visible_alias = "constraint", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub constraints: Vec<PathBuf>,
    /// A pyproject.toml, of which the dependencies of [project] are installed with pip
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub pyproject: Option<PathBuf>,
    /// Also install this group of [dependency-groups] in the pyproject.toml
    #[arg(long, value_name = "GROUP")]
    pub group: Vec<DependencyGroup>,
    /// Also install this extra of [project.optional-dependencies] in the pyproject.toml
    #[arg(long, value_name = "EXTRA")]
    pub extra: Vec<ExtraName>,
    /// A file with packages to install with apt, one on a line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub apt_file: Vec<PathBuf>,
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
    /// What to wait for before the start
    #[command(flatten)]
    pub turn: Turn,
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

/// Jobs that are named one by one, and groups of runs.
#[derive(Debug, Args)]
pub struct Which {
    /// Ids, prefixes, names, or `latest`
    #[arg(value_name = "ID", required_unless_present = "groups")]
    pub jobs: Vec<String>,
    /// All runs of this group
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<GroupName>,
}

/// `longshore exec logs` and `longshore logs`
#[derive(Debug, Args)]
pub struct JobLogs {
    /// Which jobs
    #[command(flatten)]
    pub which: Which,
    /// Of one run with --retry: show the log of this attempt, 1 for the first one [default: the last one]
    #[arg(long, value_name = "N", conflicts_with = "follow")]
    pub attempt: Option<usize>,
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
    /// Show only lines since this time: RFC 3339, Unix seconds, or an age such as 42m or 7d
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Show only lines up to this time; with --follow, end then
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Show the time at which each line began before it, exact to 100 ms
    #[arg(short, long)]
    pub timestamps: bool,
    /// With --follow: exit with the job's exit code; with several jobs, as `wait` does
    #[arg(long, requires = "follow")]
    pub exit_code: bool,
    /// Print the log byte for byte, also to a terminal
    #[arg(long)]
    pub raw: bool,
}

/// `longshore image wait`
#[derive(Debug, Args)]
pub struct ImageWait {
    /// Ids, prefixes, names, or `latest`
    #[arg(value_name = "ID", required = true)]
    pub jobs: Vec<String>,
    /// How to wait
    #[command(flatten)]
    pub how: WaitFlags,
}

/// `longshore exec wait` and `longshore wait`
#[derive(Debug, Args)]
pub struct JobWait {
    /// Which jobs
    #[command(flatten)]
    pub which: Which,
    /// How to wait
    #[command(flatten)]
    pub how: WaitFlags,
}

/// How to wait for jobs.
#[derive(Debug, Args)]
pub struct WaitFlags {
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
#[command(group = ArgGroup::new("which").required(true).multiple(true).args(["jobs", "all", "statuses", "older_than"]))]
pub struct Forget {
    /// Ids, prefixes, names, or `latest`
    #[arg(value_name = "ID", conflicts_with_all = ["all", "statuses", "older_than", "dry_run"])]
    pub jobs: Vec<String>,
    /// Forget all that have ended
    #[arg(long, conflicts_with_all = ["statuses", "older_than"])]
    pub all: bool,
    /// Forget those that ended with this status
    #[arg(long = "status", value_name = "STATUS", value_parser = ENDED)]
    pub statuses: Vec<String>,
    /// Forget those that ended longer ago than this, such as 12h or 30d
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub older_than: Option<Duration>,
    /// Only print what would be removed
    #[arg(long)]
    pub dry_run: bool,
}

/// `longshore exec forget`
#[derive(Debug, Args)]
pub struct ExecForget {
    /// Which runs
    #[command(flatten)]
    pub forget: Forget,
    /// Forget all runs of this group
    #[arg(
        long = "group",
        value_name = "GROUP",
        group = "which",
        conflicts_with_all = ["all", "statuses", "older_than", "dry_run"]
    )]
    pub groups: Vec<GroupName>,
}

/// `longshore prune`
#[derive(Debug, Args)]
pub struct Prune {
    /// Remove only what ended longer ago than this, such as 12h or 30d
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub older_than: Option<Duration>,
    /// Keep the newest N builds and the newest N runs, of those with the status
    #[arg(long, value_name = "N")]
    pub keep_last: Option<usize>,
    /// Remove only jobs that ended with this status
    #[arg(long = "status", value_name = "STATUS", value_parser = ENDED)]
    pub statuses: Vec<String>,
    /// Remove only runs of this group
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<GroupName>,
    /// Remove untagged images that builds left on the engine; alone, remove no jobs
    #[arg(long)]
    pub images: bool,
    /// Remove copies of files of your runs that no container on the engine uses; alone, remove no jobs
    #[arg(long)]
    pub copies: bool,
    /// Only print what would be removed
    #[arg(long)]
    pub dry_run: bool,
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
    /// List only jobs with this status or outcome: queued, running, exited, succeeded, failed, cancelled, timeout, skipped,
    /// lost, unknown, corrupt
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
    /// Show the list until q or Ctrl-C, as it is at each moment; with --json, print it again when it has changed
    #[arg(short, long)]
    pub watch: bool,
}

/// `longshore exec list` and `longshore ps`
#[derive(Debug, Args)]
pub struct RunList {
    /// What to list, and how
    #[command(flatten)]
    pub list: JobList,
    /// List only the runs of this group, with their parameters
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<GroupName>,
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

/// `longshore image copy`
#[derive(Debug, Args)]
pub struct ImageCopy {
    /// Names or ids of images
    #[arg(value_name = "IMAGE", required = true, value_parser = ImageRef::parse)]
    pub images: Vec<ImageRef>,
    /// The engine to copy to: the name of a docker context, or a URL as for docker's --host
    #[arg(long, required = true, value_name = "CONTEXT", value_parser = Endpoint::parse)]
    pub to: Endpoint,
}

/// `longshore image rm`
#[derive(Debug, Args)]
pub struct ImageRm {
    /// Names or ids of images
    #[arg(value_name = "IMAGE", required = true, value_parser = ImageRef::parse)]
    pub images: Vec<ImageRef>,
    /// Also remove an image that an ended container uses, or all names of an image given by its id
    #[arg(short, long)]
    pub force: bool,
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
    /// Start a run for each value of a parameter, or each row of a CSV or JSON file (a path, or -): {NAME} is replaced by the
    /// value. Given again: for all combinations
    #[arg(long, value_name = "NAME=VALUES|FILE", value_hint = ValueHint::FilePath)]
    pub each: Vec<Each>,
    /// Put the run into this group
    #[arg(long, value_name = "GROUP")]
    pub group: Option<GroupName>,
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
    /// Put the new run into this group
    #[arg(long, value_name = "GROUP")]
    pub group: Option<GroupName>,
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

/// `longshore exec fetch`
#[derive(Debug, Args)]
pub struct ExecFetch {
    /// Which run
    #[command(flatten)]
    pub run: OneJob,
    /// Copy it into this directory instead; created if it is missing
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
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
    /// Which jobs
    #[command(flatten)]
    pub which: Which,
    /// Seconds to wait before KILL is sent to a run
    #[arg(short = 't', long = "timeout", value_name = "SECONDS", default_value_t = 10)]
    pub grace: u32,
}

/// `longshore exec kill`
#[derive(Debug, Args)]
pub struct ExecKill {
    /// Which jobs
    #[command(flatten)]
    pub which: Which,
    /// The signal, for example TERM, SIGTERM or 15
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL", value_parser = Signal::parse)]
    pub signal: Signal,
}
