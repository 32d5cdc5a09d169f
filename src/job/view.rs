//! A job in the form that every command shows: its record and its status together.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::after::{Hook, HookFacts, HookResult};
use super::moment;
use super::moved::Moving;
use super::record::{Exit, Kind, LogState, Outcome, Record, Run};
use super::standing::{Facts, Queued, Running, Standing};
use crate::error::{Failure, Kind as ErrorKind};
use crate::names::{Endpoint, JobId, Parameters};
use crate::stamp::Stamp;
use crate::terminal::plain;

/// A job as every command shows it; with `--json` this very object.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(transform = crate::schemas::an_end_only_if_exited))]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// The job's id: random, never reused.
    #[cfg_attr(test, schemars(schema_with = "crate::schemas::job_id"))]
    pub id: JobId,
    /// `build` for `image create`, `run` for `exec run`.
    pub kind: Kind,
    /// The run's name if it has one, or the name of the image being built, without the tag `latest`.
    pub name: Option<String>,
    /// Whether it still runs. `queued`, before its start, is only the status of a job that was asked to wait.
    #[cfg_attr(test, schemars(extend("enum" = ["queued", "running", "exited"])))]
    pub status: &'static str,
    /// How it ended; null while it runs. `lost`: it ended, and how cannot be proven. `unknown`: the engine cannot be asked
    /// right now. `corrupt`: its record cannot be read.
    pub outcome: Option<Outcome>,
    /// The program's or the build's exit code; null while it runs and when it is not known.
    pub exit_code: Option<i32>,
    /// The number of the signal it died of.
    pub signal: Option<i32>,
    /// Why, in words, where there is something to say.
    pub reason: Option<String>,
    /// What the user could do, where that is known.
    pub hint: Option<String>,
    /// When it was asked for (RFC 3339, UTC); null only when its record cannot be read.
    #[serde(serialize_with = "moment::serialize_option")]
    pub created: Option<DateTime<Utc>>,
    /// When it started.
    #[serde(serialize_with = "moment::serialize_option")]
    pub started: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(serialize_with = "moment::serialize_option")]
    pub finished: Option<DateTime<Utc>>,
    /// The image it runs in, or starts from.
    pub image: Option<String>,
    /// Of a build that succeeded: the image it made.
    pub image_id: Option<String>,
    /// Of a run that has ended: the container it ran in.
    pub container_id: Option<String>,
    /// The engine on which it was started: the name of a context, or a URL. Every command asks that one about it. Null only
    /// when its record cannot be read.
    pub engine: Option<Cow<'static, str>>,
    /// The queue in which it takes its turn; otherwise absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// While it waits in a queue: its place in the line, 1 for the next job to start; otherwise absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
    /// While it is queued: what it waits for, in words; otherwise absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// Of a run with `--retry`: the attempts that have ended, the first one first; otherwise absent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(length(min = 1)))]
    pub attempts: Vec<Attempt>,
    /// The GPUs that its queue gave to a run; otherwise absent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(length(min = 1)))]
    pub gpus: Vec<String>,
    /// The user's labels.
    pub labels: BTreeMap<String, String>,
    /// What the log is worth, beside what --log-max-size took from it; null while it runs. `recovered`: fetched whole from the engine after the docker client was
    /// killed. `incomplete`: something may be missing, and the reason says what. `unverified`: it was not compared with the
    /// engine's copy, so it is not known whether something is missing.
    pub log: Option<LogState>,
    /// Of a run with --log-max-size: how many bytes of the beginning of its log are gone; absent if none are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "u64", range(min = 1)))]
    pub log_gone: Option<u64>,
    /// Whether its end was found out after its supervisor was gone.
    pub recovered: bool,
    /// Of a run: the file that python runs, or `-m` and the module, or the command, with the arguments. Of a build: empty.
    pub command: Vec<String>,
    /// Of a run that `exec rerun` started: the run that it repeats, which may be forgotten by now; otherwise absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(schema_with = "crate::schemas::job_id"))]
    pub rerun_of: Option<JobId>,
    /// Of a run in a group: the group's name; otherwise absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub group: Option<String>,
    /// Of a run of a sweep: the parameters that it was started with, in their order; otherwise absent.
    #[serde(skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters,
    /// The file that `--stamp` named; otherwise absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stamp: Option<Box<StampView>>,
    /// The command that `--on-exit` named; otherwise absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_exit: Option<Box<HookView>>,
    /// How far a run is whose files are copied to its engine and back; absent for others, and after the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Moving"))]
    pub moving: Option<Box<Moving>>,
    /// True if the output of a run on another machine was not fetched, and is still in its container; otherwise absent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, schemars(extend("const" = true)))]
    pub unfetched: bool,
    /// True if it was forgotten while it runs; otherwise absent. Its log and record are removed when it ends.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, schemars(extend("const" = true)))]
    pub forgotten: bool,
}

/// How an attempt of a run ended.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// How it ended.
    pub outcome: Outcome,
    /// The program's exit code; null when it is not known.
    pub exit_code: Option<i32>,
    /// The number of the signal it died of.
    pub signal: Option<i32>,
    /// Why, in words, where there is something to say.
    pub reason: Option<String>,
    /// When it started.
    pub started: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished: Option<DateTime<Utc>>,
    /// The container it ran in.
    pub container_id: Option<String>,
    /// What its log is worth; as for the job.
    pub log: LogState,
    /// How many bytes of the beginning of its log are gone; as for the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "u64", range(min = 1)))]
    pub log_gone: Option<u64>,
}

impl Attempt {
    fn of(exit: &Exit) -> Self {
        Self {
            outcome: exit.outcome,
            exit_code: exit.exit_code,
            signal: exit.signal,
            reason: exit.reason.as_deref().map(plain),
            started: exit.started,
            finished: exit.finished,
            container_id: exit.container_id.clone(),
            log: exit.log,
            log_gone: Some(exit.log_gone).filter(|gone| *gone > 0),
        }
    }

    /// `failed (3)`
    #[must_use]
    pub fn shown(&self) -> String {
        let code = self.exit_code.map(|code| format!(" ({code})")).unwrap_or_default();
        format!("{}{code}", self.outcome.word())
    }
}

/// A stamp file.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StampView {
    /// Its absolute path. It exists if the job has succeeded.
    pub file: String,
    /// Why it could not be made although the job has succeeded.
    pub error: Option<String>,
}

impl StampView {
    fn of(stamp: &Stamp) -> Self {
        Self { file: stamp.path().to_string_lossy().into_owned(), error: None }
    }

    /// The failure to make it, if it could not be made.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        let why = self.error.as_ref()?;
        let message = format!("could not make the stamp file {}: {why}", self.file);
        Some(Failure::new(ErrorKind::Internal, message).hint("the job itself has succeeded"))
    }
}

/// The command that is run when the job has ended, and what became of it. How it ends changes nothing else.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct HookView {
    /// The text for `sh`.
    pub command: String,
    /// The file with its output; null before it is started.
    pub output: Option<String>,
    /// When it was started.
    pub started: Option<DateTime<Utc>>,
    /// When it ended; null while it runs.
    pub finished: Option<DateTime<Utc>>,
    /// Its exit code.
    pub exit_code: Option<i32>,
    /// The number of the signal it died of.
    pub signal: Option<i32>,
    /// Why it could not be started, or was ended.
    pub reason: Option<String>,
}

impl HookView {
    fn of(hook: &Hook, facts: &Facts) -> Self {
        let known = facts.hook.as_ref();
        let output =
            known.filter(|known| known.result.is_some()).map(|known| known.output.to_string_lossy().into_owned());
        let HookResult { started, finished, exit_code, signal, reason } =
            known.and_then(|HookFacts { result, .. }| result.clone()).unwrap_or_default();
        Self { command: hook.command.clone(), output, started, finished, exit_code, signal, reason }
    }

    /// How it failed, for people; `None` as long as nothing is known to have gone wrong.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        match (&self.reason, self.exit_code, self.signal) {
            (Some(reason), _, _) => Some(format!("failed: {reason}")),
            (None, Some(code), _) if code != 0 => Some(format!("exited with {code}")),
            (None, _, Some(signal)) => Some(format!("died of signal {signal}")),
            _ => None,
        }
    }
}

impl View {
    /// Combines the facts and the status.
    #[must_use]
    pub fn new(facts: &Facts, standing: &Standing) -> Self {
        let record = facts.record.as_ref().ok();
        let mut view = Self {
            id: facts.id.clone(),
            kind: facts.kind,
            name: record.and_then(Record::shown_name),
            status: "running",
            outcome: None,
            exit_code: None,
            signal: None,
            reason: None,
            hint: None,
            created: record.map(|record| record.created),
            started: facts.begun.as_ref().map(|begun| begun.started),
            finished: None,
            image: record.map(|record| record.image.shown().to_owned()),
            image_id: None,
            container_id: None,
            engine: record.map(|record| record.endpoint.shared_name()),
            queue: record.and_then(|record| record.waits.queue.as_ref()).map(ToString::to_string),
            position: None,
            waiting_for: None,
            attempts: facts.attempts.iter().map(Attempt::of).collect(),
            gpus: facts.gpus.clone(),
            labels: record.map(|record| record.labels.clone()).unwrap_or_default(),
            log: None,
            log_gone: Some(facts.log_gone).filter(|gone| *gone > 0),
            recovered: false,
            command: record.and_then(Record::run).map(Run::command).unwrap_or_default(),
            rerun_of: record.and_then(|record| record.rerun_of.clone()),
            group: record.and_then(|record| record.group.clone()),
            parameters: record.map(|record| record.parameters.clone()).unwrap_or_default(),
            stamp: record.and_then(|record| record.after.stamp.as_ref()).map(|stamp| Box::new(StampView::of(stamp))),
            on_exit: record
                .and_then(|record| record.after.on_exit.as_ref())
                .map(|hook| Box::new(HookView::of(hook, facts))),
            moving: facts.moving.clone(),
            unfetched: false,
            forgotten: false,
        };
        match standing {
            Standing::Queued(Queued::Pending) => {
                view.wait(Queued::Pending);
                view.waiting_for.clone_from(&facts.pending);
            }
            Standing::Queued(queued) => view.wait(*queued),
            Standing::Running(Running::Supervised) => view.reason = facts.moving.as_deref().and_then(Moving::shown),
            Standing::Running(Running::Resting) => {
                let count = facts.attempts.len();
                let last = view.attempts.last().map(Attempt::shown).unwrap_or_default();
                view.reason = Some(format!("attempt {count} {last}; the next one follows"));
            }
            Standing::Running(Running::Waiting) => view.reason = Some("the engine is unreachable".into()),
            Standing::Running(Running::Unsupervised) => view.reason = Some("its supervisor was killed".into()),
            Standing::Ended(exit) => view.end(exit),
        }
        view
    }

    /// A job whose directory cannot be opened.
    #[must_use]
    pub fn unreadable(id: JobId, kind: Kind, why: &str) -> Self {
        let corrupt = Exit { reason: Some(why.to_owned()), ..Exit::new(Outcome::Corrupt) };
        Self::new(&Facts::unreadable(id, kind, why), &Standing::Ended(corrupt))
    }

    /// What a job waits for, as far as its own directory says. What it says of a job with a supervisor is added by the reader,
    /// who can look at the queue and at the other jobs.
    fn wait(&mut self, queued: Queued) {
        self.status = "queued";
        let what = match queued {
            Queued::Supervised | Queued::Pending => return,
            Queued::Waiting => "the engine, which does not answer",
            Queued::Unsupervised => "another supervisor, because its own was killed",
        };
        self.waiting_for = Some(what.to_owned());
        if queued == Queued::Unsupervised {
            self.hint = Some("start it with: longshore queue resume".to_owned());
        }
    }

    /// Whether it was started on another engine than this one.
    #[must_use]
    pub fn is_elsewhere(&self, here: &Endpoint) -> bool {
        self.engine.as_ref().is_some_and(|engine| engine != here.name())
    }

    /// Whether it waits for its start.
    #[must_use]
    pub fn is_queued(&self) -> bool {
        self.status == "queued"
    }

    fn end(&mut self, exit: &Exit) {
        self.status = "exited";
        self.outcome = Some(exit.outcome);
        self.exit_code = exit.exit_code;
        self.signal = exit.signal;
        // Records of earlier versions have reasons with docker's colours.
        self.reason = exit.reason.as_deref().map(plain);
        self.hint = exit.hint.as_deref().map(plain).or_else(|| self.advice(exit.outcome));
        self.started = exit.started.or(self.started);
        self.finished = exit.finished;
        self.container_id.clone_from(&exit.container_id);
        self.image_id.clone_from(&exit.image_id);
        // A run that was ended between two attempts had no other one.
        let is_attempt = exit.started.is_some() || exit.outcome != Outcome::Cancelled;
        if !self.attempts.is_empty() && is_attempt {
            self.attempts.push(Attempt::of(exit));
        }
        self.log = Some(exit.log);
        self.log_gone = Some(exit.log_gone).filter(|gone| *gone > 0);
        self.recovered = exit.recovered;
        self.unfetched = exit.unfetched;
        if let Some(stamp) = &mut self.stamp {
            stamp.error.clone_from(&exit.unstamped);
        }
    }

    /// What helps where no end could be found.
    fn advice(&self, outcome: Outcome) -> Option<String> {
        match outcome {
            Outcome::Unknown => Some("see what is wrong with the engine: longshore doctor".to_owned()),
            Outcome::Corrupt => Some(format!("remove it with: longshore {} forget {}", self.kind.noun(), self.id)),
            _ => None,
        }
    }

    /// Whether it has not ended: it runs, or waits for its start.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.outcome.is_none()
    }

    /// The exit code of `wait`: that of the program, 124 for a time limit, and 0 only if the job succeeded.
    #[must_use]
    pub fn wait_code(&self) -> u8 {
        let code = self.exit_code.and_then(|code| u8::try_from(code).ok());
        let signal = self.signal.and_then(|signal| u8::try_from(signal.checked_add(128)?).ok());
        match self.outcome {
            Some(Outcome::Succeeded) => 0,
            Some(Outcome::Timeout) => 124,
            Some(Outcome::Failed | Outcome::Cancelled) => code.or(signal).filter(|code| *code != 0).unwrap_or(1),
            Some(Outcome::Skipped | Outcome::Lost | Outcome::Unknown | Outcome::Corrupt) | None => 125,
        }
    }
}
