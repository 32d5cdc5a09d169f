//! The truth table: from facts to how a job stands. Pure: no files, no clock, no engine.
//!
//! The order of the questions is the point. An exit record wins; then a held lock. Only when neither is there is a look
//! at the engine needed, and an engine that cannot be asked makes the outcome `unknown`, never `lost`.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::record::{Begun, Exit, Kind, LogState, Outcome, Record};
use super::request::{Requests, Verb};
use crate::error::Failure;
use crate::names::JobId;
use crate::names::Signal;

/// A file of the job that cannot be used, in words that continue "… of job ID: ".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged(pub String);

/// What the directory alone can tell.
#[derive(Debug)]
pub struct Facts {
    /// The directory's name.
    pub id: JobId,
    /// Which kind's directory it lies in.
    pub kind: Kind,
    /// What was asked.
    pub record: Result<Record, Damaged>,
    /// How it ended, if that is recorded.
    pub exit: Option<Result<Exit, Damaged>>,
    /// The supervisor lives.
    pub locked: bool,
    /// The supervisor does not, but a docker client still writes the log.
    pub log_locked: bool,
    /// What the supervisor found when it began.
    pub begun: Option<Begun>,
    /// The supervisor waits for the engine to answer.
    pub waiting: bool,
    /// The requests to end it.
    pub requests: Requests,
    /// A valid image id that the client left.
    pub image_id: Option<String>,
    /// Whether the host is still in the boot of the record; unknown when the record is.
    pub same_boot: Option<bool>,
}

impl Facts {
    pub(super) fn unreadable(id: JobId, kind: Kind, why: &str) -> Self {
        Self {
            id,
            kind,
            record: Err(Damaged(why.to_owned())),
            exit: None,
            locked: false,
            log_locked: false,
            begun: None,
            waiting: false,
            requests: Requests::default(),
            image_id: None,
            same_boot: None,
        }
    }

    /// Compares the recorded boot with the present one.
    #[must_use]
    pub fn on_boot(mut self, boot_id: &str) -> Self {
        self.same_boot = self.record.as_ref().ok().map(|record| record.boot_id == boot_id);
        self
    }
}

/// What a look at the place where a job runs shows, in this module's own terms. Needed only for a job without an exit
/// record and without a supervisor.
#[derive(Debug, Clone, PartialEq)]
pub enum Sighting {
    /// The engine cannot be asked, or its answer makes no sense; why.
    Unreachable(Failure),
    /// Another engine than the recorded one answers.
    OtherEngine,
    /// There is nothing of this job.
    Absent,
    /// A container was made and never started.
    NeverStarted(NeverStarted),
    /// It runs.
    Alive(Alive),
    /// It has ended.
    Ended(Box<Ended>),
    /// The image that a build left carries the label of this job; its id.
    ImageProven(String),
}

impl Sighting {
    /// The id of the container, where there is one.
    #[must_use]
    pub fn container(&self) -> Option<&str> {
        match self {
            Self::Alive(alive) => Some(&alive.container),
            Self::NeverStarted(container) => Some(&container.container),
            Self::Ended(end) => Some(&end.container),
            Self::Unreachable(_) | Self::OtherEngine | Self::Absent | Self::ImageProven(_) => None,
        }
    }
}

/// A container that runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Alive {
    /// The container's id.
    pub container: String,
    /// All that the engine knows of it, as it is shown.
    pub account: Value,
}

/// A container that was made and never started.
#[derive(Debug, Clone, PartialEq)]
pub struct NeverStarted {
    /// The container's id.
    pub container: String,
    /// The code that the engine gives it; 0 when it was not even tried.
    pub code: i32,
    /// Why it could not be started, if that was tried.
    pub why: Option<String>,
    /// All that the engine knows of it, as it is kept and shown.
    pub account: Value,
}

/// A program that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// The container's id.
    pub container: String,
    /// Its exit code.
    pub code: i32,
    /// The signal it died of.
    pub signal: Option<i32>,
    /// When it started, by the engine's clock.
    pub started: Option<DateTime<Utc>>,
    /// When it ended, likewise.
    pub finished: Option<DateTime<Utc>>,
    /// The kernel killed it for its memory.
    pub out_of_memory: bool,
    /// What the engine could not do for it.
    pub why: Option<String>,
    /// Why the code may be made up, if it is found out after the fact.
    pub made_up: Option<String>,
    /// All that the engine knows of it, as it is kept and shown.
    pub account: Value,
}

/// How a job stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// It runs.
    Running(Running),
    /// It does not.
    Ended(Exit),
}

/// How a running job is known to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Running {
    /// Its supervisor lives.
    Supervised,
    /// Its supervisor lives and waits for an engine that does not answer.
    Waiting,
    /// Its supervisor is gone; the client or the container goes on.
    Unsupervised,
}

/// What can be said without the engine, or that it must be asked.
#[must_use]
pub fn settled(facts: &Facts) -> Option<Standing> {
    if let Some(exit) = &facts.exit {
        return Some(Standing::Ended(match exit {
            Ok(exit) => exit.clone(),
            Err(Damaged(why)) => ended(Outcome::Corrupt, why.clone()),
        }));
    }
    if facts.locked {
        return Some(Standing::Running(if facts.waiting { Running::Waiting } else { Running::Supervised }));
    }
    if facts.log_locked {
        return Some(Standing::Running(Running::Unsupervised));
    }
    match &facts.record {
        Err(Damaged(why)) => Some(Standing::Ended(ended(Outcome::Corrupt, why.clone()))),
        Ok(_) => None,
    }
}

/// The whole answer, given what a look shows.
#[must_use]
pub fn derive(facts: &Facts, sighting: &Sighting) -> Standing {
    if let Some(standing) = settled(facts) {
        return standing;
    }
    let mut standing = match sighting {
        Sighting::Unreachable(why) => {
            Standing::Ended(ended(Outcome::Unknown, format!("the engine cannot be asked: {}", why.message)))
        }
        Sighting::OtherEngine => {
            Standing::Ended(ended(Outcome::Unknown, "the engine that answers is not the one on which it was started"))
        }
        Sighting::Absent => Standing::Ended(ended(Outcome::Lost, absent_reason(facts))),
        Sighting::ImageProven(id) => Standing::Ended(Exit {
            exit_code: Some(0),
            image_id: Some(id.clone()),
            ..ended(Outcome::Succeeded, "its supervisor was killed; the image has the label of this build")
        }),
        Sighting::Alive(_) => Standing::Running(Running::Unsupervised),
        Sighting::NeverStarted(container) => Standing::Ended(Exit {
            container_id: Some(container.container.clone()),
            ..ended(Outcome::Lost, container.why.clone().unwrap_or_else(|| "its container was never started".into()))
        }),
        Sighting::Ended(end) => Standing::Ended(match doubt(end, facts) {
            None => conclude(end, &facts.requests, memory_limit(facts)),
            Some(why) => Exit { container_id: Some(end.container.clone()), ..ended(Outcome::Lost, why) },
        }),
    };
    if let Standing::Ended(exit) = &mut standing {
        exit.recovered = true;
        // The engine's copy may hold more than ours, and was not read.
        if matches!(exit.outcome, Outcome::Lost | Outcome::Unknown) && exit.container_id.is_none() {
            exit.log = LogState::Incomplete;
        }
        exit.started = exit.started.or(facts.begun.as_ref().map(|begun| begun.started));
    }
    standing
}

/// Why a code that is found out after the fact cannot be believed: engines make up codes after a crash of the host.
fn doubt(end: &Ended, facts: &Facts) -> Option<String> {
    if end.code == 0 && facts.same_boot != Some(true) {
        return Some("the host was rebooted while it ran, so the engine's exit code 0 is not reliable".into());
    }
    end.made_up.clone()
}

/// The end of a run whose program has ended: the one place where a code becomes an outcome, for the supervisor and for
/// readers alike. A request counts only if it was made before the end.
#[must_use]
pub fn conclude(end: &Ended, requests: &Requests, memory: Option<u64>) -> Exit {
    let behind = requests.behind(end.finished, end.signal).map(|request| request.verb);
    let outcome = match behind {
        Some(Verb::Timeout) => Outcome::Timeout,
        Some(_) => Outcome::Cancelled,
        None if end.code == 0 => Outcome::Succeeded,
        None => Outcome::Failed,
    };
    Exit {
        exit_code: Some(end.code),
        signal: end.signal,
        reason: reason(end, behind, memory),
        started: end.started,
        finished: end.finished,
        container_id: Some(end.container.clone()),
        ..Exit::new(outcome)
    }
}

fn reason(end: &Ended, behind: Option<Verb>, memory: Option<u64>) -> Option<String> {
    let requested = behind.map(|verb| match verb {
        Verb::Timeout => "its time limit passed",
        Verb::Stop => "ended by longshore exec stop",
        Verb::Kill => "ended by longshore exec kill",
        Verb::Cancel => "ended by longshore image cancel",
    });
    let out_of_memory = end.out_of_memory.then(|| {
        let limit = memory.map(|bytes| format!(", limit {}", crate::units::show_bytes_binary(bytes)));
        format!("killed: out of memory{}", limit.unwrap_or_default())
    });
    let killed = || {
        let signal = end.signal?;
        let name = Signal::from_number(signal).map(|signal| format!("SIG{}", signal.name()));
        Some(format!("killed by signal {}", name.unwrap_or_else(|| signal.to_string())))
    };
    match (requested, out_of_memory) {
        (Some(requested), Some(memory)) => Some(format!("{requested}; {memory}")),
        (requested, memory) => requested.map(str::to_owned).or(memory).or_else(killed).or_else(|| end.why.clone()),
    }
}

fn absent_reason(facts: &Facts) -> String {
    if facts.same_boot == Some(false) {
        return "the host was rebooted while it ran".into();
    }
    match (facts.kind, &facts.begun) {
        (_, None) => "it was not started: longshore was killed before that".into(),
        (Kind::Run, Some(_)) => "its container was removed by another program".into(),
        (Kind::Build, Some(_)) => "its supervisor and its docker client were killed before the image was built".into(),
    }
}

fn memory_limit(facts: &Facts) -> Option<u64> {
    facts.record.as_ref().ok()?.run()?.memory
}

fn ended(outcome: Outcome, reason: impl Into<String>) -> Exit {
    Exit { reason: Some(reason.into()), ..Exit::new(outcome) }
}

#[cfg(test)]
#[path = "standing_tests.rs"]
mod tests;
