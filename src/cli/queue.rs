//! The arguments of `queue`, and those by which a job waits for its start.

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::names::{Cpus, Gpus, Invalid, QueueName};
use crate::units;

use super::duration;

/// What a job waits for before it starts.
#[derive(Debug, Args)]
pub struct Turn {
    /// Start it in turn with the other jobs of this queue
    #[arg(long, value_name = "QUEUE", value_parser = QueueName::parse)]
    pub queue: Option<QueueName>,
    /// In a queue: pass up to 1000 older jobs for each step
    #[arg(
        long,
        value_name = "N",
        requires = "queue",
        allow_negative_numbers = true,
        value_parser = clap::value_parser!(i32).range(-1000..=1000)
    )]
    pub priority: Option<i32>,
    /// Start it when these builds and runs have succeeded
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub after: Vec<String>,
    /// Start it when these builds and runs have ended
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub after_any: Vec<String>,
    /// End it if it has not started after this time
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub queue_timeout: Option<Duration>,
}

/// `longshore queue …`
#[derive(Debug, Subcommand)]
pub enum Queue {
    /// Set what the jobs of a queue may use together; makes the queue if there is none
    Set(QueueSet),
    /// List queues, their jobs and their limits
    #[command(visible_alias = "ls")]
    List(QueueList),
    /// Start no more jobs of queues; those that run continue
    Pause(Queues),
    /// Start jobs of paused queues again, and queued jobs whose supervisors are gone
    Resume(QueueResume),
    /// Remove queues that have no jobs
    Rm(Queues),
}

/// `longshore queue set`
#[derive(Debug, Args)]
pub struct QueueSet {
    /// The queue
    #[arg(value_name = "QUEUE", value_parser = QueueName::parse)]
    pub name: QueueName,
    /// How many jobs run at the same time [default: 1, or any number with another limit]
    #[arg(long, value_name = "N", value_parser = slots)]
    pub slots: Option<Most<u32>>,
    /// How many processors the jobs may have together, by their own --cpus
    #[arg(long, value_name = "N", value_parser = cpus)]
    pub cpus: Option<Most<Cpus>>,
    /// How much memory the jobs may have together, by their own --memory
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    pub memory: Option<Most<u64>>,
    /// The GPUs that are handed to the jobs, by index or UUID, such as 0,1,2,3
    #[arg(long, value_name = "GPUS", value_parser = gpus)]
    pub gpus: Option<Most<Devices>>,
}

/// A limit, or that there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Most<T> {
    /// `none`
    Any,
    /// This much.
    Of(T),
}

/// GPUs, by index or UUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Devices(pub Vec<String>);

impl<T> Most<T> {
    /// The limit; `None` if there is none.
    pub fn limit(self) -> Option<T> {
        match self {
            Self::Any => None,
            Self::Of(limit) => Some(limit),
        }
    }

    fn parse<E>(text: &str, limit: impl FnOnce(&str) -> Result<T, E>) -> Result<Self, E> {
        if text == "none" { Ok(Self::Any) } else { limit(text).map(Self::Of) }
    }
}

fn slots(text: &str) -> Result<Most<u32>, Invalid> {
    let wrong = || Invalid::new("number of slots", text, "it must be a number greater than zero, or \"none\"");
    Most::parse(text, |text| text.parse().ok().filter(|slots| *slots > 0).ok_or_else(wrong))
}

fn cpus(text: &str) -> Result<Most<Cpus>, Invalid> {
    Most::parse(text, Cpus::parse)
}

fn memory(text: &str) -> Result<Most<u64>, Invalid> {
    Most::parse(text, units::bytes)
}

fn gpus(text: &str) -> Result<Most<Devices>, Invalid> {
    Most::parse(text, |text| {
        let mut devices: Vec<String> = text.split(',').map(str::to_owned).collect();
        Gpus::of_devices(&devices)?;
        let all = devices.len();
        devices.sort_unstable();
        devices.dedup();
        if devices.len() < all {
            return Err(Invalid::new("list of GPUs", text, "it has one of them twice"));
        }
        Ok(Devices(text.split(',').map(str::to_owned).collect()))
    })
}

/// `longshore queue list`
#[derive(Debug, Args)]
pub struct QueueList {
    /// Print names only
    #[arg(short, long)]
    pub quiet: bool,
    /// Do not cut cells to the terminal's width
    #[arg(long)]
    pub no_trunc: bool,
}

/// Some queues.
#[derive(Debug, Args)]
pub struct Queues {
    /// Names of queues
    #[arg(value_name = "QUEUE", required = true, value_parser = QueueName::parse)]
    pub names: Vec<QueueName>,
}

/// `longshore queue resume`
#[derive(Debug, Args)]
pub struct QueueResume {
    /// Names of queues [default: none is resumed, and queued jobs without a supervisor get one]
    #[arg(value_name = "QUEUE", value_parser = QueueName::parse)]
    pub names: Vec<QueueName>,
}
