//! The arguments of `container`, and of what shows the usage of containers.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::tail;
use crate::names::{ImageRef, Publish, Signal, Tail};

/// What the engine says of a container.
pub const CONTAINER_STATUSES: [&str; 7] = ["created", "restarting", "running", "removing", "paused", "exited", "dead"];

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
    #[arg(short, long, value_name = "[[IP:]HOST:]PORT[/PROTO]", value_parser = Publish::parse)]
    pub publish: Vec<Publish>,
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
