//! The ways to run a job. A record says what was asked; a runner knows how it is done, and tells what it sees in the
//! words of `job`.
//!
//! The set is closed: another way to run is another variant here and a file beside `local`. Nothing outside this folder
//! depends on which one a job has.

mod build;
mod local;
mod lookout;

use std::fs::File;
use std::io;
use std::process::{Child, ExitStatus};

use anyhow::Result;
use rustix::process::Pid;
use serde::{Deserialize, Serialize};

pub use crate::engine::argv::container_name;
use crate::engine::{self, Engine};
use crate::env::Env;
use crate::error::Failure;
use crate::job::Job;
use crate::job::record::{Begun, Record};
use crate::job::request::Request;
use crate::job::standing::{Facts, Sighting};
use crate::names::{EnvKey, EnvValue, Tail};
pub use build::rendered;
pub use local::withhold;
pub use lookout::Lookout;

/// A way to run jobs.
#[derive(Debug, Clone)]
pub enum Runner {
    /// On an engine that sees the same files as the caller.
    Local(Engine),
}

/// The values of the variables of a run. They are handed from the command to the supervisor and on to docker, and are
/// never written down.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Values(pub Vec<(String, String)>);

impl Values {
    /// Of these variables.
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
    /// What was found at the start, where that was known before the client was started.
    pub begun: Option<Begun>,
}

/// What is known of a job that a look is for.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What was asked.
    pub record: &'a Record,
    /// What the supervisor found at the start.
    pub begun: Option<&'a Begun>,
    /// The image id that the client of a build left.
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
        Self::Local(Engine::recorded(env, &record.docker, &record.endpoint))
    }

    /// Asks, before anything is started, what can be known to fail: the one question on the user's time.
    ///
    /// # Errors
    /// When the engine does not answer, or there is no image to run in.
    pub fn check(&self, record: &Record) -> Result<(), Failure> {
        match self {
            Self::Local(engine) => local::check(engine, record),
        }
    }

    /// The command line that runs it, for people.
    ///
    /// # Errors
    /// When a value cannot be handed over.
    pub fn command_line(&self, record: &Record, values: &Values) -> Result<Vec<String>> {
        match self {
            Self::Local(engine) => Ok(engine.line(&local::call(record, values)?.args)),
        }
    }

    /// Starts it, its output going to the log. Nothing is started when a build was asked to end before.
    ///
    /// # Errors
    /// When it cannot be started; then there is nothing to attend.
    pub fn start(&self, env: &Env, job: &Job, record: &Record, values: &Values) -> Result<Started> {
        match self {
            Self::Local(engine) => local::start(engine, env, job, record, values),
        }
    }

    /// Finds out, and writes down, which engine it was started on. A build has done so before its start.
    pub fn begin(&self, env: &Env, job: &Job) -> Begun {
        match self {
            Self::Local(engine) => local::begin(engine, env, job, None),
        }
    }

    /// Looks at it.
    #[must_use]
    pub fn look(&self, subject: Subject) -> Sighting {
        match self {
            Self::Local(engine) => local::look(engine, subject),
        }
    }

    /// Starts a process that ends when the container does.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn wait(&self, container: &str) -> io::Result<Child> {
        match self {
            Self::Local(engine) => local::wait(engine, container),
        }
    }

    /// Asks it to end. `client` is the process that was started for it, where the caller has it.
    ///
    /// # Errors
    /// When it cannot be asked, or is not there yet.
    pub fn end(&self, subject: Subject, client: Option<Pid>, request: &Request) -> Result<(), Failure> {
        match self {
            Self::Local(engine) => local::end(engine, subject, client, request),
        }
    }

    /// Writes the runner's own copy of the output into a file, both streams in the order in which it has them.
    ///
    /// # Errors
    /// When it has none, or cannot be asked.
    pub fn fetch_log(&self, container: &str, tail: Tail, into: File) -> io::Result<()> {
        match self {
            Self::Local(engine) => local::fetch_log(engine, container, tail, into),
        }
    }

    /// Brings what it left into the directory of the job. On a local engine that is the account of its container: the
    /// output is where it belongs already.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn fetch_left(&self, job: &Job, account: &serde_json::Value) -> Result<()> {
        match self {
            Self::Local(_) => job.write_json(crate::job::INSPECT, account),
        }
    }

    /// Whether the client's own exit code says that docker refused to make what was asked for.
    #[must_use]
    pub fn refused(&self, client: ExitStatus) -> bool {
        match self {
            Self::Local(_) => client.code() == Some(local::REFUSED),
        }
    }

    /// The exit code of a container that could not be started: the client's, where it says which failure it was.
    #[must_use]
    pub fn start_code(&self, client: Option<ExitStatus>, container: i32) -> i32 {
        match self {
            Self::Local(_) => local::start_code(client, container),
        }
    }

    /// The reason of a failure that the end of a log gives.
    #[must_use]
    pub fn reason(&self, log: &str) -> Option<String> {
        match self {
            Self::Local(_) => engine::words::reason(log),
        }
    }

    /// Whether the client that started it may have cut the end of the output; so may one that is not known.
    #[must_use]
    pub fn cuts_output(&self, begun: Option<&Begun>) -> bool {
        match self {
            Self::Local(_) => local::cuts_output(begun),
        }
    }

    /// Removes what is left of it where it ran; says whether that was done.
    #[must_use]
    pub fn remove(&self, container: &str) -> bool {
        match self {
            Self::Local(engine) => local::remove(engine, container),
        }
    }
}
