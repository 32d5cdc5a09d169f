//! The ways to run a job. A record says what was asked. A runner carries it out, and reports what it sees as a
//! [`Sighting`].
//!
//! The set is closed: to add another way, add a variant here and a file beside `local`. No module outside this folder
//! depends on the variant of a job.

mod build;
mod cache;
mod copies;
mod local;
mod lookout;
mod memory;
mod receive;
mod shipped;
mod swarm;

use std::fmt;
use std::fs::File;
use std::io::{self, PipeReader};
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, Utc};
use rustix::process::Pid;
use serde::{Deserialize, Serialize};

pub use crate::engine::argv::{container_name, run_of_name};
use crate::engine::copying::Heed;
use crate::engine::{Engine, argv, words};
use crate::env::Env;
use crate::error::Failure;
use crate::job::moved::Moved;
use crate::job::points::Point;
use crate::job::record::{Begun, Exit, Record, Work};
use crate::job::request::{Effect, Request};
use crate::job::standing::{Ended, Facts, Sighting};
use crate::job::tombstone::Tombstone;
use crate::job::{Here, Job};
use crate::names::{EnvKey, EnvValue, LogDriver, Tail};
use crate::recipe::failure::Reason;
pub use build::{rendered, steps, week};
pub use local::withhold;
pub use lookout::Lookout;
pub use receive::NotFetched;
pub use shipped::Cargo;

/// A way to run jobs.
#[derive(Debug, Clone)]
pub enum Runner {
    /// On an engine that sees the same files as the caller.
    Local(Engine),
    /// On an engine to which files are copied, and from which output is fetched.
    Shipped(Engine),
    /// On a node of the swarm whose manager the engine is.
    Swarm(Engine),
}

/// The values of a run's variables. The command sends them to the supervisor, which passes them to docker. They are never
/// stored.
#[derive(Default, Serialize, Deserialize)]
pub struct Values(pub Vec<(String, String)>);

/// Without the values, which may be secrets.
impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Values({} variables)", self.0.len())
    }
}

impl Values {
    /// The values of these variables.
    #[must_use]
    pub fn of(variables: Vec<(EnvKey, EnvValue)>) -> Self {
        Self(variables.into_iter().map(|(key, value)| (key.to_string(), value.as_str().to_owned())).collect())
    }
}

/// What was started.
#[derive(Debug)]
pub struct Started {
    /// The client; none if a build was asked to end before.
    pub client: Option<Child>,
    /// What was found before the start.
    pub begun: Begun,
}

/// Which signal a job gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Push {
    /// The one that was asked for.
    Asked,
    /// KILL, because the grace has passed.
    Kill,
}

/// A job to look at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What was asked.
    pub record: &'a Record,
    /// What the supervisor found at the start.
    pub begun: Option<&'a Begun>,
    /// The image id that the client of a build wrote.
    pub image_id: Option<&'a str>,
}

impl<'a> Subject<'a> {
    /// The subject of facts whose record can be read.
    #[must_use]
    pub fn of(facts: &'a Facts) -> Option<Self> {
        let record = facts.record.as_ref().ok()?;
        Some(Self { record, begun: facts.begun.as_ref(), image_id: facts.image_id.as_deref() })
    }
}

impl Runner {
    /// The runner of a recorded job.
    #[must_use]
    pub fn of(env: &Env, record: &Record) -> Self {
        let engine = Engine::recorded(env, &record.docker, &record.endpoint);
        match record {
            _ if record.is_on_swarm() => Self::Swarm(engine),
            _ if record.is_copied() => Self::Shipped(engine),
            _ => Self::Local(engine),
        }
    }

    /// The runner of a forgotten run.
    #[must_use]
    pub fn of_forgotten(env: &Env, tombstone: &Tombstone) -> Self {
        let engine = Engine::recorded(env, &tombstone.docker, &tombstone.endpoint);
        if tombstone.swarm { Self::Swarm(engine) } else { Self::Local(engine) }
    }

    /// The runner of the run for which a mount point was made.
    #[must_use]
    pub fn of_point(env: &Env, point: &Point) -> Self {
        Self::Local(Engine::recorded(env, &point.docker, &point.endpoint))
    }

    /// The engine on which the containers of its runs are.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        match self {
            Self::Local(engine) | Self::Shipped(engine) | Self::Swarm(engine) => engine,
        }
    }

    /// Checks, before anything is started, that the engine answers and that it has the image of a run.
    ///
    /// # Errors
    /// When the engine does not answer, or does not have the image.
    pub fn check(&self, record: &Record) -> Result<(), Failure> {
        match self {
            Self::Local(engine) | Self::Shipped(engine) => local::check(engine, record),
            Self::Swarm(engine) => swarm::check(engine, record),
        }
    }

    /// docker's command line for a run.
    ///
    /// # Errors
    /// When a value cannot be passed to docker.
    pub fn command_line(&self, record: &Record, values: &Values) -> Result<Vec<String>> {
        match self {
            Self::Local(engine) => Ok(engine.line(&local::call(record, values, None)?.args)),
            Self::Shipped(engine) => Ok(engine.line(&shipped::create(record, values)?.args)),
            Self::Swarm(engine) => swarm::command_line(engine, record, values),
        }
    }

    /// Records on which engine the job runs, and starts it with the log as its output.
    ///
    /// # Errors
    /// When the engine cannot be asked or recorded, or the client cannot be started.
    pub fn start(&self, env: &Env, job: &Job, record: &Record, values: &Values) -> Result<Started> {
        match self {
            Self::Local(engine) => local::start(engine, env, job, record, values),
            Self::Shipped(engine) => shipped::start(engine, env, job, record, values),
            Self::Swarm(engine) => swarm::start(engine, env, job, record, values),
        }
    }

    /// Starts the client of a build once more, from nothing. `None` if the build that failed was one, or would fail in the same
    /// way.
    ///
    /// # Errors
    /// As [`Runner::start`].
    pub fn start_anew(&self, env: &Env, job: &Job, record: &Record) -> Result<Option<Child>> {
        match self {
            Self::Local(engine) | Self::Shipped(engine) | Self::Swarm(engine) => {
                local::start_anew(engine, env, job, record)
            }
        }
    }

    /// Asks the engine about the job.
    #[must_use]
    pub fn look(&self, subject: Subject) -> Sighting {
        match self {
            Self::Local(engine) | Self::Shipped(engine) => local::look(engine, subject),
            Self::Swarm(engine) => swarm::look(engine, subject),
        }
    }

    /// Whether files are copied to the engine and back, and the log from there.
    #[must_use]
    pub fn copies(&self) -> bool {
        matches!(self, Self::Shipped(_) | Self::Swarm(_))
    }

    /// Whether nothing tells that the container has ended, so that it has to be asked for.
    #[must_use]
    pub fn is_polled(&self) -> bool {
        matches!(self, Self::Swarm(_))
    }

    /// Starts a process that writes the output of the container from its beginning, both streams in the engine's order. It
    /// ends when the container does; on a swarm, it ends by itself only if the container was over at its start.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn follow(&self, container: &str, is_over: bool) -> io::Result<(Child, PipeReader)> {
        match self {
            Self::Local(engine) | Self::Shipped(engine) => shipped::follow(engine, &argv::follow(container)),
            Self::Swarm(engine) => shipped::follow(engine, &swarm::output(container, is_over)),
        }
    }

    /// How long a process of [`Runner::follow`] may be silent about a container that is over, before it is taken for dead.
    /// `None` if it ends by itself.
    #[must_use]
    pub fn follow_limit(&self) -> Option<Duration> {
        self.is_polled().then_some(swarm::SILENT)
    }

    /// Copies the output of a container that has ended into a directory of the caller: whole or not at all. `heed` is told
    /// the bytes so far, and says whether to continue.
    ///
    /// # Errors
    /// Whether it can be tried again, and why it failed.
    pub fn fetch_output(
        &self,
        record: &Record,
        container: &str,
        output: &Path,
        heed: &mut Heed,
    ) -> Result<Moved, NotFetched> {
        match self {
            Self::Local(engine) | Self::Shipped(engine) => shipped::fetch(engine, record, container, output, heed),
            Self::Swarm(engine) => swarm::fetch(engine, record, output, heed),
        }
    }

    /// Starts a process that ends when the container does, and then writes its exit code to stdout.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn wait(&self, container: &str) -> io::Result<Child> {
        match self {
            Self::Local(engine) | Self::Shipped(engine) | Self::Swarm(engine) => local::wait(engine, container),
        }
    }

    /// Sends the job a signal. `client` is the process that was started for it, if the caller has it.
    ///
    /// # Errors
    /// When the engine cannot be asked, or the container is not running yet.
    pub fn end(&self, subject: Subject, client: Option<Pid>, request: &Request, push: Push) -> Result<Effect, Failure> {
        match self {
            Self::Local(engine) | Self::Shipped(engine) => local::end(engine, subject, client, request, push),
            Self::Swarm(engine) => swarm::end(engine, subject, request, push),
        }
    }

    /// Writes the engine's copy of the output to a file, both streams in the engine's order.
    ///
    /// # Errors
    /// When there is no copy, or the engine cannot be asked, or sends nothing for too long.
    pub fn fetch_log(&self, container: &str, tail: Tail, into: File) -> io::Result<()> {
        match self {
            Self::Local(engine) | Self::Shipped(engine) => local::fetch_log(engine, container, tail, into),
            Self::Swarm(engine) => swarm::fetch_log(engine, container, tail, into),
        }
    }

    /// Saves the final description of its container to its directory.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn fetch_left(&self, job: &Job, account: &serde_json::Value) -> Result<()> {
        match self {
            Self::Local(_) | Self::Shipped(_) | Self::Swarm(_) => job.write_json(crate::job::INSPECT, account),
        }
    }

    /// Whether the client's own exit code says that docker refused to make what was asked for.
    #[must_use]
    pub fn refused(&self, client: ExitStatus) -> bool {
        match self {
            Self::Local(_) => client.code() == Some(local::REFUSED),
            // What ended is `docker wait`, after the container was made.
            Self::Shipped(_) | Self::Swarm(_) => false,
        }
    }

    /// The exit code of a container that could not be started: the client's, where it says which failure it was.
    #[must_use]
    pub fn start_code(&self, client: Option<ExitStatus>, container: i32) -> i32 {
        match self {
            Self::Local(_) => local::start_code(client, container),
            Self::Shipped(_) | Self::Swarm(_) => local::start_code(None, container),
        }
    }

    /// The reason of a failure, as the end of the log says it.
    #[must_use]
    pub fn reason(&self, record: &Record, log: &str) -> Option<Reason> {
        match self {
            Self::Local(_) | Self::Shipped(_) | Self::Swarm(_) => match &record.work {
                Work::Run(_) => words::of_run(log),
                Work::Build(build) => words::of_build(log, &build::asked(record, build)),
            },
        }
    }

    /// Whether the client that started it may have lost the end of the output. This is assumed of an unknown client.
    #[must_use]
    pub fn cuts_output(&self, begun: Option<&Begun>) -> bool {
        match self {
            Self::Local(_) => local::cuts_output(begun),
            // It follows the engine's copy.
            Self::Shipped(_) | Self::Swarm(_) => false,
        }
    }

    /// Whether there is a copy of its output. A run can be asked not to have one.
    #[must_use]
    pub fn keeps_copy(&self, record: &Record) -> bool {
        match self {
            Self::Local(_) | Self::Shipped(_) | Self::Swarm(_) => {
                record.run().is_none_or(|run| run.log_driver != LogDriver::None)
            }
        }
    }

    /// Whether the engine that answers is known to have run without a restart since it made the container. It forgets that
    /// after some hundred events.
    #[must_use]
    pub fn has_stayed_up(&self, container: &str, started: Option<DateTime<Utc>>) -> bool {
        match self {
            Self::Local(engine) | Self::Shipped(engine) => memory::has_stayed_up(engine, container, started),
            // The managers keep the state of a task.
            Self::Swarm(_) => true,
        }
    }

    /// Whether the engine reports an exit code that it saw itself, or would not make one up that looks like a success.
    #[must_use]
    pub fn saw_end(&self, env: &Env, begun: Option<&Begun>, end: &Ended) -> bool {
        match self {
            Self::Local(engine) | Self::Shipped(engine) => memory::saw_end(engine, env, begun, end),
            Self::Swarm(_) => true,
        }
    }

    /// Whether a running container mounts this directory, or may mount it because the engine does not answer.
    #[must_use]
    pub fn is_in_use(&self, directory: &str) -> bool {
        match self {
            Self::Local(engine) => local::is_in_use(engine, directory),
            Self::Shipped(_) | Self::Swarm(_) => false,
        }
    }

    /// Adds to an exit record what only this runner knows of the end.
    pub fn amend(&self, exit: &mut Exit, sighting: &Sighting, record: &Record) {
        if let Self::Swarm(_) = self {
            swarm::amend(exit, sighting, record);
        }
    }

    /// Removes its container, if it has one that was seen; returns whether that succeeded.
    #[must_use]
    pub fn remove(&self, sighting: &Sighting) -> bool {
        let Some(container) = sighting.container() else { return false };
        match self {
            Self::Local(engine) | Self::Shipped(engine) => local::remove(engine, container),
            Self::Swarm(engine) => swarm::remove(engine, container, sighting),
        }
    }

    /// Whether the swarm, and not the program, has ended a run. What only its node has may never come.
    #[must_use]
    pub fn is_cut_short(&self, end: &Ended) -> bool {
        self.is_polled() && end.made_up.is_some()
    }

    /// Removes what there may be of a run that has no container. Returns whether nothing is left.
    #[must_use]
    pub fn clear_absent(&self, record: &Record) -> bool {
        match self {
            Self::Local(_) => true,
            Self::Shipped(engine) => shipped::clear(engine, record).is_ok(),
            Self::Swarm(engine) => engine.clear_swarm(&record.id),
        }
    }

    /// Removes the container of a forgotten run. Returns whether nothing is left of it: it was removed, or has been missing
    /// for long enough.
    #[must_use]
    pub fn clear(&self, tombstone: &Tombstone, here: &Here) -> bool {
        match self {
            Self::Local(engine) | Self::Shipped(engine) => local::clear(engine, tombstone, here),
            Self::Swarm(engine) => swarm::clear(engine, tombstone, here),
        }
    }
}
