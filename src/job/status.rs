//! The truth table: from facts to a status. Pure: no files, no clock, no engine.
//!
//! The order of the questions is the point. A terminal record wins; then a held lock; only when neither is there is
//! the engine's word needed, and an engine that cannot be asked makes the answer `unknown`, never `lost`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::record::{Begun, Exit, Kind, LogState, Outcome, Record, Stop, Work};
use crate::engine::inspect::{ContainerState, Phase};
use crate::names::JobId;

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
    /// The last request to end it.
    pub stop: Option<Stop>,
    /// A valid image id that the client left.
    pub image_id: Option<String>,
    /// Whether the host is still in the boot of the record; unknown when the record is.
    pub same_boot: Option<bool>,
}

impl Facts {
    fn unreadable(id: JobId, kind: Kind, why: &str) -> Self {
        Self {
            id,
            kind,
            record: Err(Damaged(why.to_owned())),
            exit: None,
            locked: false,
            log_locked: false,
            begun: None,
            waiting: false,
            stop: None,
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

/// The engine's word on a job without a terminal record and without a supervisor.
#[derive(Debug, Clone, PartialEq)]
pub enum Word {
    /// Nobody answers, or the answer makes no sense; why.
    Unreachable(String),
    /// Another engine than the recorded one answers.
    OtherEngine,
    /// No container, or no image, of this job.
    Absent,
    /// A run's container.
    Container(Box<ContainerState>),
    /// A build's image carries this job's label.
    Image(String),
}

/// How a job stands.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
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
pub fn settled(facts: &Facts) -> Option<State> {
    if let Some(exit) = &facts.exit {
        return Some(State::Ended(match exit {
            Ok(exit) => exit.clone(),
            Err(Damaged(why)) => ended(Outcome::Corrupt, why.clone()),
        }));
    }
    if facts.locked {
        return Some(State::Running(if facts.waiting { Running::Waiting } else { Running::Supervised }));
    }
    if facts.log_locked {
        return Some(State::Running(Running::Unsupervised));
    }
    match &facts.record {
        Err(Damaged(why)) => Some(State::Ended(ended(Outcome::Corrupt, why.clone()))),
        Ok(_) => None,
    }
}

/// The whole answer, given the engine's word.
#[must_use]
pub fn derive(facts: &Facts, word: &Word) -> State {
    if let Some(state) = settled(facts) {
        return state;
    }
    let mut state = match word {
        Word::Unreachable(why) => State::Ended(ended(Outcome::Unknown, format!("the engine cannot be asked: {why}"))),
        Word::OtherEngine => {
            State::Ended(ended(Outcome::Unknown, "another engine answers than the one it was started on"))
        }
        Word::Absent => State::Ended(ended(Outcome::Lost, absent_reason(facts))),
        Word::Image(id) => State::Ended(Exit {
            exit_code: Some(0),
            image_id: Some(id.clone()),
            ..ended(Outcome::Succeeded, "its supervisor was killed; the image carries this build's label")
        }),
        Word::Container(container) => from_container(facts, container),
    };
    if let State::Ended(exit) = &mut state {
        exit.recovered = true;
        // The engine's copy would make the log whole; nobody has seen it.
        if matches!(exit.outcome, Outcome::Lost | Outcome::Unknown) && exit.container_id.is_none() {
            exit.log = LogState::Incomplete;
        }
        exit.started = exit.started.or(facts.begun.as_ref().map(|begun| begun.started));
    }
    state
}

fn from_container(facts: &Facts, container: &ContainerState) -> State {
    match container.phase {
        Phase::Running | Phase::Paused | Phase::Restarting | Phase::Removing => State::Running(Running::Unsupervised),
        Phase::Created => State::Ended(Exit {
            container_id: Some(container.id.clone()),
            ..ended(Outcome::Lost, start_error(container).unwrap_or_else(|| "its container was never started".into()))
        }),
        Phase::Exited | Phase::Dead => {
            let verdict = trusted(container.exit_code, facts.same_boot, facts.begun.as_ref());
            State::Ended(match verdict {
                Ok(()) => conclude(container, facts.stop.as_ref(), memory_limit(facts)),
                Err(why) => Exit { container_id: Some(container.id.clone()), ..ended(Outcome::Lost, why) },
            })
        }
    }
}

/// Whether an exit code found after the fact can be believed.
///
/// After a crash of the host the engine makes up 255, and engines 24.0.0 to 24.0.2 made up 0 (moby#45788).
fn trusted(code: i64, same_boot: Option<bool>, begun: Option<&Begun>) -> Result<(), String> {
    let version = begun.and_then(|begun| begun.engine_version.as_deref()).unwrap_or_default();
    match code {
        255 => Err("the engine lost its exit code (it reports 255)".into()),
        0 if same_boot != Some(true) => {
            Err("the host was rebooted while it ran; the engine's exit code 0 proves nothing".into())
        }
        0 if matches!(version, "24.0.0" | "24.0.1" | "24.0.2") => {
            Err(format!("engine {version} may report 0 for a container whose exit code it lost"))
        }
        _ => Ok(()),
    }
}

/// The end of a run whose container has ended: the one place where a code becomes an outcome, for the supervisor
/// and for readers alike.
///
/// A stop counts only when it was asked before the container ended, so that a late `stop` of a job that succeeded
/// changes nothing.
#[must_use]
pub fn conclude(container: &ContainerState, stop: Option<&Stop>, memory: Option<u64>) -> Exit {
    let code = i32::try_from(container.exit_code).unwrap_or(-1);
    let signal = (129..=192).contains(&code).then(|| code - 128);
    let stop = stop.filter(|stop| container.finished.is_none_or(|finished| stop.at <= finished));
    let asked = stop.filter(|stop| stop.verb != "kill" || signal == Some(stop.signal));
    let outcome = match asked.map(|stop| stop.verb.as_str()) {
        Some("timeout") => Outcome::Timeout,
        Some(_) => Outcome::Cancelled,
        None if code == 0 => Outcome::Succeeded,
        None => Outcome::Failed,
    };
    let out_of_memory = container.oom_killed.then(|| {
        let limit = memory.map(|bytes| format!(", limit {}", crate::units::show_bytes_binary(bytes)));
        format!("killed: out of memory{}", limit.unwrap_or_default())
    });
    let requested = asked.map(|stop| match stop.verb.as_str() {
        "timeout" => "its time ran out".to_owned(),
        verb => format!("ended by longshore exec {verb}"),
    });
    let killed = || {
        let name = crate::names::Signal::from_number(signal?).map(|signal| format!("SIG{}", signal.name()));
        Some(format!("killed by signal {}", name.or_else(|| signal.map(|signal| signal.to_string()))?))
    };
    let reason = match (requested, out_of_memory) {
        (Some(requested), Some(memory)) => Some(format!("{requested}; {memory}")),
        (requested, memory) => requested.or(memory).or_else(killed).or_else(|| start_error(container)),
    };
    Exit {
        exit_code: Some(code),
        signal,
        reason,
        started: container.started,
        finished: container.finished,
        container_id: Some(container.id.clone()),
        ..Exit::new(outcome)
    }
}

/// What the engine said when it could not start the container.
#[must_use]
pub fn start_error(container: &ContainerState) -> Option<String> {
    (!container.error.is_empty()).then(|| container.error.replace('\n', " "))
}

fn absent_reason(facts: &Facts) -> String {
    if facts.same_boot == Some(false) {
        return "the host was rebooted while it ran".into();
    }
    match (facts.kind, &facts.begun) {
        (_, None) => "it was never started: longshore was killed first".into(),
        (Kind::Run, Some(_)) => "its container was removed behind longshore's back".into(),
        (Kind::Build, Some(_)) => "its supervisor and its docker client were killed before an image was made".into(),
    }
}

fn memory_limit(facts: &Facts) -> Option<u64> {
    match &facts.record.as_ref().ok()?.work {
        Work::Run(run) => run.memory,
        Work::Build(_) => None,
    }
}

fn ended(outcome: Outcome, reason: impl Into<String>) -> Exit {
    Exit { reason: Some(reason.into()), ..Exit::new(outcome) }
}

/// A job as every command shows it; with `--json` this very object.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// Its id.
    pub id: JobId,
    /// `build` or `run`.
    pub kind: Kind,
    /// The run's name, or the image's.
    pub name: Option<String>,
    /// `running` or `exited`.
    pub status: &'static str,
    /// How it ended; null while it runs.
    pub outcome: Option<Outcome>,
    /// The program's code; null while it runs and when nobody knows it.
    pub exit_code: Option<i32>,
    /// The signal it died of.
    pub signal: Option<i32>,
    /// In words.
    pub reason: Option<String>,
    /// When it was asked for.
    pub created: Option<DateTime<Utc>>,
    /// When it started.
    pub started: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished: Option<DateTime<Utc>>,
    /// The image it runs in, or is built from.
    pub image: Option<String>,
    /// The image it made.
    pub image_id: Option<String>,
    /// The container it runs in.
    pub container_id: Option<String>,
    /// The user's labels.
    pub labels: BTreeMap<String, String>,
    /// What the log is worth: `complete`, `recovered` or `incomplete`; null while it runs.
    pub log: Option<LogState>,
    /// Whether its end was found out after its supervisor was gone.
    pub recovered: bool,
    /// Of a run: main file and arguments.
    pub command: Vec<String>,
}

impl View {
    /// Puts record and state together.
    #[must_use]
    pub fn new(facts: &Facts, state: &State) -> Self {
        let record = facts.record.as_ref().ok();
        let mut view = Self {
            id: facts.id.clone(),
            kind: facts.kind,
            name: record.and_then(|record| record.name.clone()),
            status: "running",
            outcome: None,
            exit_code: None,
            signal: None,
            reason: None,
            created: record.map(|record| record.created),
            started: facts.begun.as_ref().map(|begun| begun.started),
            finished: None,
            image: record.map(|record| record.image.clone()),
            image_id: None,
            container_id: None,
            labels: record.map(|record| record.labels.clone()).unwrap_or_default(),
            log: None,
            recovered: false,
            command: Vec::new(),
        };
        if let Some(Work::Run(run)) = record.map(|record| &record.work) {
            view.command.clone_from(&run.command);
        }
        match state {
            State::Running(Running::Supervised) => {}
            State::Running(Running::Waiting) => view.reason = Some("the engine is unreachable".into()),
            State::Running(Running::Unsupervised) => view.reason = Some("its supervisor was killed".into()),
            State::Ended(exit) => view.end(exit),
        }
        view
    }

    /// A job of which not even the directory can be opened.
    #[must_use]
    pub fn unreadable(id: JobId, kind: Kind, why: &str) -> Self {
        let facts = Facts::unreadable(id, kind, why);
        let state = settled(&facts).unwrap_or_else(|| State::Ended(ended(Outcome::Corrupt, why)));
        Self::new(&facts, &state)
    }

    fn end(&mut self, exit: &Exit) {
        self.status = "exited";
        self.outcome = Some(exit.outcome);
        self.exit_code = exit.exit_code;
        self.signal = exit.signal;
        self.reason.clone_from(&exit.reason);
        self.started = exit.started.or(self.started);
        self.finished = exit.finished;
        self.container_id.clone_from(&exit.container_id);
        self.image_id.clone_from(&exit.image_id);
        self.log = Some(exit.log);
        self.recovered = exit.recovered;
    }

    /// Whether it still runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.outcome.is_none()
    }

    /// The code that `wait` passes on: the program's own, 124 for a time limit, and never 0 unless it succeeded.
    #[must_use]
    pub fn wait_code(&self) -> u8 {
        let code = self.exit_code.and_then(|code| u8::try_from(code).ok());
        let signal = self.signal.and_then(|signal| u8::try_from(128 + signal).ok());
        match self.outcome {
            Some(Outcome::Succeeded) => 0,
            Some(Outcome::Timeout) => 124,
            Some(Outcome::Failed | Outcome::Cancelled) => code.or(signal).filter(|code| *code != 0).unwrap_or(1),
            Some(Outcome::Lost | Outcome::Unknown | Outcome::Corrupt) | None => 125,
        }
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
