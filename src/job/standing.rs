//! The truth table: derives the status of a job from facts. Pure: no files, no clock, no engine.
//!
//! The order of the rows matters. An exit record decides first, then a held lock. The engine is needed only if there is
//! neither. If the engine cannot be asked, the outcome is `unknown`, never `lost`.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::after::HookFacts;
use super::moved::Moving;
use super::record::{Begun, Exit, Kind, LogState, Outcome, Record};
use super::request::{Requests, Verb};
use crate::error::Failure;
use crate::names::JobId;
use crate::names::Signal;

/// A file of the job cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged(pub String);

/// The facts that the directory of a job gives.
#[derive(Debug)]
pub struct Facts {
    /// The directory's name.
    pub id: JobId,
    /// Build or run.
    pub kind: Kind,
    /// What was asked.
    pub record: Result<Record, Damaged>,
    /// How it ended, if that is recorded.
    pub exit: Option<Result<Exit, Damaged>>,
    /// Whether the supervisor lives.
    pub locked: bool,
    /// Whether the supervisor is gone, but a docker client still writes the log.
    pub log_locked: bool,
    /// Why a lock could not be read, if that is so.
    pub lock_error: Option<String>,
    /// What the supervisor found when it began.
    pub begun: Option<Begun>,
    /// Whether the supervisor waits for the engine to answer.
    pub waiting: bool,
    /// Why its swarm has not started it yet, as its supervisor was told last.
    pub pending: Option<String>,
    /// Whether it was asked to wait before its start, and has not started.
    pub queued: bool,
    /// How the attempts ended that are followed by another one.
    pub attempts: Vec<Exit>,
    /// Whether the last attempt has ended and the next one has not started.
    pub resting: bool,
    /// The GPUs that its queue gave to it.
    pub gpus: Vec<String>,
    /// Before its end: how many bytes of the beginning of its log are gone.
    pub log_gone: u64,
    /// The requests to end it.
    pub requests: Requests,
    /// The image id that the client wrote, if it is valid.
    pub image_id: Option<String>,
    /// Whether docker may still be starting the container of a run whose client is gone.
    pub starting: bool,
    /// Whether the host was not rebooted since the job was created; `None` if the record cannot be read.
    pub same_boot: Option<bool>,
    /// How the command of `--on-exit` stands, if there is one.
    pub hook: Option<HookFacts>,
    /// Of a run whose files are copied to its engine and back, and which has begun and not ended: how far it is.
    pub moving: Option<Box<Moving>>,
}

/// What only some jobs have in their directories. The record says whether there is any.
#[derive(Debug, Default)]
pub struct Extras {
    /// How the command of `--on-exit` stands.
    pub hook: Option<HookFacts>,
    /// How the attempts ended that are followed by another one.
    pub attempts: Vec<Exit>,
    /// The GPUs that its queue gave to it.
    pub gpus: Vec<String>,
}

impl Extras {
    /// Whether a job with this record can have any.
    #[must_use]
    pub fn are_of(record: &Record) -> bool {
        record.after.on_exit.is_some() || record.may_retry() || record.may_get_gpus()
    }
}

impl Facts {
    /// Of a job of which nothing but its record is known.
    #[must_use]
    pub fn new(id: JobId, kind: Kind, record: Result<Record, Damaged>) -> Self {
        Self {
            id,
            kind,
            record,
            exit: None,
            locked: false,
            log_locked: false,
            lock_error: None,
            begun: None,
            waiting: false,
            pending: None,
            queued: false,
            attempts: Vec::new(),
            resting: false,
            gpus: Vec::new(),
            log_gone: 0,
            requests: Requests::default(),
            image_id: None,
            starting: false,
            same_boot: None,
            hook: None,
            moving: None,
        }
    }

    /// Of a job that cannot be read.
    #[must_use]
    pub fn unreadable(id: JobId, kind: Kind, why: &str) -> Self {
        Self::new(id, kind, Err(Damaged(why.to_owned())))
    }

    /// Of a job that has ended. Nothing else in its directory counts then.
    #[must_use]
    pub fn ended(
        id: JobId,
        kind: Kind,
        record: Result<Record, Damaged>,
        exit: Result<Exit, Damaged>,
        extras: Extras,
    ) -> Self {
        let Extras { hook, attempts, gpus } = extras;
        Self { exit: Some(exit), hook, attempts, gpus, ..Self::new(id, kind, record) }
    }

    /// Compares the recorded boot with the present one. It says nothing about an engine that does not see the caller's files,
    /// because that may run on another host.
    #[must_use]
    pub fn on_boot(mut self, boot_id: &str) -> Self {
        self.same_boot = self.record.as_ref().ok().map(|record| record.boot_id == boot_id || record.is_copied());
        self
    }
}

/// What the engine says about a job. It is needed only for a job without an exit record and without a supervisor.
#[derive(Debug, Clone, PartialEq)]
pub enum Sighting {
    /// The engine cannot be asked, or gives an unexpected answer; why.
    Unreachable(Failure),
    /// Another engine than the recorded one answers.
    OtherEngine,
    /// The engine has nothing of this job.
    Absent,
    /// Its container was created and never started.
    NeverStarted(NeverStarted),
    /// Its container runs.
    Alive(Alive),
    /// Its container has ended.
    Ended(Box<Ended>),
    /// The image of a build has the label of this job; the value is its id.
    ImageProven(String),
}

impl Sighting {
    /// The id of the container, if there is one.
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
    /// When it started, by the engine's clock.
    pub started: Option<DateTime<Utc>>,
    /// The engine's description of it, as it is shown.
    pub account: Value,
    /// Of a run on a swarm: why it was not started yet. Then there is no container.
    pub pending: Option<String>,
}

/// A container that was created and never started.
#[derive(Debug, Clone, PartialEq)]
pub struct NeverStarted {
    /// The container's id.
    pub container: String,
    /// The exit code in the engine's description; 0 if no start was tried.
    pub code: i32,
    /// Why it could not be started, if a start was tried.
    pub why: Option<String>,
    /// The engine's description of it, as it is saved and shown.
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
    /// When it ended, by the engine's clock.
    pub finished: Option<DateTime<Utc>>,
    /// Whether the kernel killed it because it was out of memory.
    pub out_of_memory: bool,
    /// The engine's error message, if any.
    pub why: Option<String>,
    /// Why the exit code may be wrong if no supervisor saw the end.
    pub made_up: Option<String>,
    /// The engine's description of it, as it is saved and shown.
    pub account: Value,
}

/// The status of a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// It waits for its start.
    Queued(Queued),
    /// It runs.
    Running(Running),
    /// It has ended.
    Ended(Exit),
}

/// Why a job that waits for its start is known to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queued {
    /// Its supervisor lives.
    Supervised,
    /// Its supervisor lives, and waits for an engine that does not answer. It is the job's turn.
    Waiting,
    /// Its swarm has not started it yet.
    Pending,
    /// Its supervisor is gone. The job was certainly not started, so it gets another one.
    Unsupervised,
}

/// Why a job is known to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Running {
    /// Its supervisor lives.
    Supervised,
    /// Its supervisor lives and waits for an engine that does not answer.
    Waiting,
    /// Its supervisor lives, an attempt has ended, and the next one has not started.
    Resting,
    /// Its supervisor is gone, and the client or the container still runs, or there is to be another attempt.
    Unsupervised,
}

/// The status, if it can be derived without the engine.
#[must_use]
pub fn settled(facts: &Facts) -> Option<Standing> {
    if let Some(exit) = &facts.exit {
        return Some(Standing::Ended(match exit {
            Ok(exit) => exit.clone(),
            Err(Damaged(why)) => ended(Outcome::Corrupt, why.clone()),
        }));
    }
    if facts.queued && facts.locked {
        return Some(Standing::Queued(if facts.waiting { Queued::Waiting } else { Queued::Supervised }));
    }
    if facts.locked && facts.pending.is_some() {
        // What the swarm said before it stopped answering may not be true any more.
        return Some(Standing::Queued(if facts.waiting { Queued::Waiting } else { Queued::Pending }));
    }
    if facts.locked && facts.resting {
        return Some(Standing::Running(Running::Resting));
    }
    if facts.locked {
        return Some(Standing::Running(if facts.waiting { Running::Waiting } else { Running::Supervised }));
    }
    if facts.log_locked {
        return Some(Standing::Running(Running::Unsupervised));
    }
    if let Some(why) = &facts.lock_error {
        let exit = ended(Outcome::Unknown, format!("its locks cannot be read: {why}"));
        return Some(Standing::Ended(Exit { recovered: true, log: LogState::Incomplete, ..exit }));
    }
    match &facts.record {
        Err(Damaged(why)) => Some(Standing::Ended(ended(Outcome::Corrupt, why.clone()))),
        Ok(_) if facts.resting => Some(Standing::Running(Running::Unsupervised)),
        Ok(_) if facts.queued => Some(Standing::Queued(Queued::Unsupervised)),
        Ok(_) => None,
    }
}

/// The status, derived from the facts and the engine's answer.
#[must_use]
pub fn derive(facts: &Facts, sighting: &Sighting) -> Standing {
    if let Some(standing) = settled(facts) {
        return standing;
    }
    let may_start = facts.starting && facts.same_boot != Some(false);
    let mut standing = match sighting {
        Sighting::Unreachable(why) => {
            Standing::Ended(ended(Outcome::Unknown, format!("the engine cannot be asked: {}", why.message)))
        }
        Sighting::OtherEngine => {
            Standing::Ended(ended(Outcome::Unknown, "the engine that answers is not the one on which it was started"))
        }
        Sighting::Absent if may_start => Standing::Ended(ended(Outcome::Unknown, MAY_START)),
        Sighting::NeverStarted(container) if may_start && container.why.is_none() => {
            Standing::Ended(ended(Outcome::Unknown, MAY_START))
        }
        Sighting::Absent => Standing::Ended(ended(Outcome::Lost, absent_reason(facts))),
        Sighting::ImageProven(id) => Standing::Ended(Exit {
            exit_code: Some(0),
            image_id: Some(id.clone()),
            ..ended(Outcome::Succeeded, "its supervisor was killed; the image has the label of this build")
        }),
        Sighting::Alive(alive) if alive.pending.is_some() => Standing::Queued(Queued::Unsupervised),
        Sighting::Alive(_) => Standing::Running(Running::Unsupervised),
        Sighting::NeverStarted(container) => Standing::Ended(never_started(container, container.code, &facts.requests)),
        // Its output is not here yet.
        Sighting::Ended(_) if facts.record.as_ref().is_ok_and(Record::is_copied) => {
            Standing::Running(Running::Unsupervised)
        }
        Sighting::Ended(end) => {
            let exit = match doubt(end, &Evidence::of(facts)) {
                None => exit_of(end, &facts.requests, memory_limit(facts)),
                Some(why) => lost(end, &why),
            };
            if is_tried_again(facts, &exit) { Standing::Running(Running::Unsupervised) } else { Standing::Ended(exit) }
        }
    };
    if let Standing::Ended(exit) = &mut standing {
        exit.recovered = true;
        // The engine's copy of the log may have more lines, and was not read.
        exit.log = match sighting {
            Sighting::Ended(_) | Sighting::ImageProven(_) => LogState::Unverified,
            Sighting::NeverStarted(_) => exit.log,
            _ => LogState::Incomplete,
        };
        exit.started = exit.started.or(facts.begun.as_ref().map(|begun| begun.started));
    }
    standing
}

/// Whether the next supervisor tries a run again that ended like this: it knows all that the next attempt needs.
fn is_tried_again(facts: &Facts, exit: &Exit) -> bool {
    let run = facts.record.as_ref().ok().and_then(Record::run).filter(|run| run.env.is_empty());
    let pause = run.and_then(|run| run.retry.as_ref()?.pause(facts.attempts.len() + 1, exit));
    pause.is_some() && facts.same_boot == Some(true) && facts.requests.to_end().is_none()
}

/// The reason of a run about which nothing can be said yet.
const MAY_START: &str = "its docker client was killed, and docker may still be starting its container";

/// The exit record of a container whose exit code is not reliable, and why.
#[must_use]
pub fn lost(end: &Ended, why: &str) -> Exit {
    let (started, finished) = (end.started, end.finished);
    Exit { container_id: Some(end.container.clone()), started, finished, ..ended(Outcome::Lost, why) }
}

/// What supports the engine's exit code.
pub struct Evidence<'a> {
    /// Whether the host was not rebooted since the job was created.
    pub same_boot: Option<bool>,
    /// The exit code of the client that was started for the job.
    pub client: Option<i32>,
    /// Whether the engine saw the end itself. It is asked only where that decides.
    pub engine: &'a dyn Fn() -> bool,
}

impl Evidence<'_> {
    /// What a reader knows. It does not ask what the engine saw: the engine forgets that, and most codes are true.
    #[must_use]
    pub fn of(facts: &Facts) -> Self {
        Self { same_boot: facts.same_boot, client: None, engine: &|| true }
    }
}

/// Why the engine's exit code is not reliable: engines report wrong codes after a crash. A client that was attached until
/// the end, and ended with the same code, got it from the engine before a crash.
#[must_use]
pub fn doubt(end: &Ended, evidence: &Evidence) -> Option<String> {
    if evidence.client == Some(end.code) {
        return None;
    }
    if end.code != 0 || end.made_up.is_some() && evidence.same_boot == Some(true) {
        return end.made_up.clone();
    }
    let why = if evidence.same_boot != Some(true) {
        "the host was rebooted while it ran"
    } else if end.finished.is_none() {
        "the engine does not know when it ended"
    } else if !(evidence.engine)() {
        "the engine was restarted about when it ended"
    } else {
        return None;
    };
    Some(format!("{why}, so the engine's exit code 0 is not reliable"))
}

/// The exit record of a run whose program has ended. The supervisor and readers both use it to turn an exit code into an
/// outcome. A request counts only if it reached the program before its end.
#[must_use]
pub fn exit_of(end: &Ended, requests: &Requests, memory: Option<u64>) -> Exit {
    let behind = requests.behind(end.finished, end.signal).map(|request| request.verb);
    let outcome = match behind {
        Some(Verb::Timeout) => Outcome::Timeout,
        Some(_) => Outcome::Cancelled,
        // A request that cannot be read may have ended it.
        None if end.code == 0 && requests.are_damaged() => Outcome::Lost,
        None if end.code == 0 => Outcome::Succeeded,
        None => Outcome::Failed,
    };
    let damaged = (behind.is_none() && requests.are_damaged()).then_some(REQUESTS_DAMAGED);
    let reasons = [damaged.map(str::to_owned), reason(end, behind, memory)];
    let reasons: Vec<String> = reasons.into_iter().flatten().collect();
    let hint = match outcome {
        Outcome::Timeout => Some("start it again with a longer --timeout: longshore exec rerun"),
        Outcome::Failed if end.out_of_memory => Some("start it again with a larger --memory: longshore exec rerun"),
        _ => None,
    };
    Exit {
        exit_code: Some(end.code),
        signal: end.signal,
        reason: (!reasons.is_empty()).then(|| reasons.join("; ")),
        hint: hint.map(str::to_owned),
        started: end.started,
        finished: end.finished,
        container_id: Some(end.container.clone()),
        ..Exit::new(outcome)
    }
}

const REQUESTS_DAMAGED: &str = "its stop.json is damaged, so it is not known whether it was asked to end";

/// The exit record of a container that could not be started: no such program (127), not executable (126), no such device
/// (125). Without the engine's message it is not known whether the program ran: an engine that crashed during the start
/// may report that the container was only created.
#[must_use]
pub fn never_started(container: &NeverStarted, code: i32, requests: &Requests) -> Exit {
    let (outcome, code, reason) = match &container.why {
        Some(why) => {
            let outcome = if requests.ask_for_end() { Outcome::Cancelled } else { Outcome::Failed };
            (outcome, Some(code), why.clone())
        }
        None => (Outcome::Lost, None, CREATED.to_owned()),
    };
    Exit {
        log: if outcome == Outcome::Lost { LogState::Incomplete } else { LogState::Complete },
        exit_code: code,
        reason: Some(reason),
        container_id: Some(container.container.clone()),
        ..Exit::new(outcome)
    }
}

const CREATED: &str = "its container was created, and the engine does not know whether it was started: the docker client or the engine was \
     killed";

fn reason(end: &Ended, behind: Option<Verb>, memory: Option<u64>) -> Option<String> {
    let requested = behind.map(|verb| match verb {
        Verb::Timeout => "its time limit passed",
        Verb::Stop => "ended by longshore exec stop",
        Verb::Kill => "ended by longshore exec kill",
        Verb::Cancel => "ended by longshore image cancel",
    });
    let out_of_memory = end.out_of_memory.then(|| {
        let limit = memory.map(|bytes| format!(", limit {}", crate::units::show_bytes_binary(bytes)));
        // The kernel may have killed a child of the program.
        let who = if end.signal == Some(9) { "killed" } else { "a process of it was killed" };
        format!("{who}: out of memory{}", limit.unwrap_or_default())
    });
    let killed = || {
        let signal = end.signal?;
        let name = Signal::from_number(signal).map(|signal| format!("SIG{}", signal.name()));
        let name = name.unwrap_or_else(|| signal.to_string());
        // Only the kernel sends KILL; a program may itself exit with 130.
        Some(match signal {
            9 => format!("killed by signal {name}"),
            _ => format!("exit code {}: killed by signal {name}, or its own exit code", end.code),
        })
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
