//! `logs`: shows the output of a job, complete or while it grows.

mod follow;
mod many;

use std::io;

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::Value;

use super::wait::{Awaited, wait_for};
use super::which::Words;
use super::{check, look, settle};
use crate::cli::{JobLogs, LogFlags};
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::fs::allow_many_files;
use crate::interrupt::Interrupt;
use crate::job::record::{Kind, LogState, Work};
use crate::job::select::Scope;
use crate::job::standing::Sighting;
use crate::job::view::View;
use crate::job::{EXIT, Job};
use crate::log::extent::{Extent, Shown, Timing};
use crate::log::steps::{Recipe, Steps};
use crate::log::{self, Log, compare};
use crate::names::JobId;
use crate::output::{Bytes, Form, LogSink, Logs, Seen, Voice};
use crate::survey::view;
use crate::units::{moment, show_bytes};
pub use follow::follow;

/// The exit code after Ctrl-C.
const LEFT: u8 = 130;

impl LogFlags {
    fn bytes(&self) -> Bytes {
        if self.raw { Bytes::Exact } else { Bytes::Safe }
    }

    /// What is to be shown of each log.
    fn extent(&self, env: &Env) -> Result<Extent> {
        let now = env.now();
        let read = |text: &Option<String>| text.as_ref().map(|text| moment(text, now)).transpose();
        let (since, until) = (read(&self.since)?, read(&self.until)?);
        let refused = |why: &str| Err(Failure::usage(format!("invalid time: {why}")).into());
        if since.zip(until).is_some_and(|(since, until)| since > until) {
            return refused("--since is later than --until");
        }
        if self.follow && since.is_some_and(|since| since > now) {
            return refused("--since is in the future, where --follow cannot begin");
        }
        let [since, until] = [since, until].map(|time| time.map(|time| time.timestamp_millis()));
        let (tail, timestamps) = (self.tail, self.timestamps);
        Ok(Extent { tail, since, until, timestamps, now: now.timestamp_millis() })
    }

    /// Tells what is missing of a log that was shown.
    fn tell_of(&self, voice: &Voice, name: &str, seen: Seen) {
        tell_gone(voice, name, seen.gone);
        self.tell(voice, name, seen.timing);
    }

    /// Tells if times that were asked for are not known.
    fn tell(&self, voice: &Voice, name: &str, timing: Timing) {
        let why = match timing {
            Timing::Known => return,
            Timing::Partial => "some times of the log of {} are not known: nothing watched it then",
            Timing::Missing => "the times of the log of {} are not known: it has no index",
        };
        let is_span = self.since.is_some() || self.until.is_some();
        let more = if is_span { "; lines that may be from another time are shown, too" } else { "" };
        voice.note(&format!("note: {}{more}", why.replace("{}", name)));
    }
}

/// Shows the logs of runs, or of jobs of both kinds, and returns the exit code.
pub fn logs_of_runs(env: &Env, voice: &Voice, scope: Scope, args: &JobLogs) -> Result<u8> {
    let words = args.which.words(env)?;
    match (args.attempt, &words.all[..]) {
        (None, _) => logs(env, voice, scope, &words, &args.how),
        (Some(number), [one]) => log_of_attempt(env, voice, &scope.find(env, one, |_| "logs")?, number, &args.how),
        (Some(_), _) => Err(Failure::usage("--attempt takes one run").hint("give one id").into()),
    }
}

/// Shows the log of one attempt of a run. That of the last one is the job's own.
fn log_of_attempt(env: &Env, voice: &Voice, job: &Job, number: usize, how: &LogFlags) -> Result<u8> {
    let env = &settle(env, voice, job);
    let ended = job.attempts().len();
    let last = if job.is_between_attempts() { ended } else { ended + 1 };
    if number == 0 || number > last {
        let had = if last == 1 { "1 attempt".to_owned() } else { format!("{last} attempts") };
        let message = format!("{} {} has no attempt {number}: it had {had}", job.kind.word(), job.id);
        return Err(Failure::new(ErrorKind::NotFound, message).hint("the first one is 1").into());
    }
    if number > ended {
        return log_of(env, voice, job, how);
    }
    let extent = how.extent(env)?;
    let shown = log::open_attempt(job, number).and_then(|log| extent.read(job, log));
    let shown = shown.with_context(|| format!("could not read the log of attempt {number} of {}", job.id))?;
    let document = Logs { vague: shown.timing != Timing::Known, ..Logs::default() };
    let mut sink = sink(voice, job, how, &document)?;
    let seen = sink.show(shown)?;
    sink.finish()?;
    how.tell_of(voice, job.id.as_str(), seen);
    Ok(0)
}

/// Shows the logs of jobs and returns the exit code.
pub fn logs(env: &Env, voice: &Voice, scope: Scope, words: &Words, how: &LogFlags) -> Result<u8> {
    allow_many_files();
    let found = |typed: &String| scope.find(env, typed, |_| "logs");
    match &words.all[..] {
        [one] if !words.are_several => log_of(env, voice, &found(one)?, how),
        several => many::logs(env, voice, several.iter().map(found).collect(), how),
    }
}

fn log_of(env: &Env, voice: &Voice, job: &Job, how: &LogFlags) -> Result<u8> {
    let extent = how.extent(env)?;
    let env = &settle(env, voice, job);
    if how.follow {
        return follow_log(env, voice, job, how, &extent);
    }
    let shown = whole(env, voice, job, &extent)?;
    let doubt = Logs { vague: shown.timing != Timing::Known, ..doubt(view(env, job)) };
    let mut sink = sink(voice, job, how, &doubt)?;
    let seen = sink.show(shown)?;
    sink.finish()?;
    how.tell_of(voice, job.id.as_str(), seen);
    tell(voice, &doubt);
    Ok(0)
}

/// What is to be shown of the log so far; of the engine's copy where that has more.
fn whole(env: &Env, voice: &Voice, job: &Job, extent: &Extent) -> Result<Shown> {
    let could_not = || format!("could not read the log of {}", job.id);
    let log = match engine_copy(env, job) {
        Some(Ok(log)) => log,
        Some(Err(error)) => {
            voice.note(&format!("note: the engine's copy of the log cannot be read, so lines may be missing: {error}"));
            log::open(job).with_context(could_not)?
        }
        None => log::open(job).with_context(could_not)?,
    };
    extent.read(job, log).with_context(could_not)
}

/// Where a log goes. A terminal shows the steps of a build as headings.
fn sink(voice: &Voice, job: &Job, how: &LogFlags, document: &Logs) -> Result<LogSink> {
    match job.kind {
        _ if how.timestamps => Ok(voice.log(how.bytes(), document)?.timed()),
        Kind::Build => voice.log_of_build(how.bytes(), document, || steps(job)),
        Kind::Run => voice.log(how.bytes(), document),
    }
}

/// What the recipe of a build says about its steps.
fn steps(job: &Job) -> Steps {
    let Some(Work::Build(build)) = job.record().ok().map(|record| record.work) else { return Steps::default() };
    // A list, or one text with blanks.
    let text = |key: &str| match &build.recipe[key] {
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        one => one.as_str().unwrap_or_default().to_owned(),
    };
    let on_one_line = |text: String| text.lines().collect::<Vec<_>>().join(" ");
    let commands = text("additionalCommand").lines().next().unwrap_or_default().to_owned();
    Steps::of(Recipe { apt: on_one_line(text("aptInstall")), pip: on_one_line(text("pipInstall")), commands })
}

/// What is said of the log of an ended job that is not known to be whole.
fn doubt(view: View) -> Logs {
    match view.log.filter(|log| !log.is_whole()) {
        Some(log) => Logs { log: Some(log), reason: view.reason, ..Logs::default() },
        None => Logs::default(),
    }
}

fn tell(voice: &Voice, doubt: &Logs) {
    let Some(log) = doubt.log else { return };
    let reason = doubt.reason.as_deref().unwrap_or_default();
    // The reason of the end stands before that of the log.
    match reason.split_once("log: ") {
        Some((_, why)) => voice.note(&format!("note: log: {why}")),
        None => voice.note(&format!("note: log: {}: {reason}", log.word())),
    }
}

fn follow_log(env: &Env, voice: &Voice, job: &Job, how: &LogFlags, extent: &Extent) -> Result<u8> {
    let interrupt = Interrupt::ctrl_c()?;
    let awaited = Awaited::new(env, job);
    let mut sink = sink(voice, job, how, &Logs::default())?;
    let followed = follow(env, voice, job, extent, &mut |_| Ok(check(&interrupt, job)?), &mut sink);
    // The next output, for example the document of a failure, must begin on a new line.
    sink.finish()?;
    if voice.form() == Form::Text && interrupt.is_heard() {
        return Ok(left(voice, job));
    }
    how.tell(voice, job.id.as_str(), followed?);
    let doubt = awaited.seen(env).map(doubt).unwrap_or_default();
    if doubt.log.is_some() && voice.form() == Form::Rows {
        voice.row(&Doubt { id: None, log: doubt.log, reason: doubt.reason.as_deref() })?;
    }
    tell(voice, &doubt);
    if how.exit_code { Ok(wait_for(env, &awaited, None, &interrupt)?.wait_code()) } else { Ok(0) }
}

/// Tells that a part of a log is gone which was asked for.
fn tell_gone(voice: &Voice, name: &str, gone: u64) {
    if gone > 0 {
        let size = show_bytes(gone);
        voice.note(&format!("note: {size} of the log of {name} are gone: its run keeps to --log-max-size"));
    }
}

/// Ctrl-C is the usual way to leave a log, so it is no error. The exit code says that the log went on.
fn left(voice: &Voice, job: &Job) -> u8 {
    let (word, id, noun, end) = (job.kind.word(), &job.id, job.kind.noun(), job.kind.end_verb());
    let still = job.still();
    voice.note(&format!("note: {word} {id} is {still}; end it with: longshore {noun} {end} {id}"));
    LEFT
}

/// The last row of a followed log that is not known to be whole.
#[derive(Debug, Serialize)]
struct Doubt<'a> {
    /// Of one of several jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a JobId>,
    log: Option<LogState>,
    reason: Option<&'a str>,
}

/// What the log has, and the engine's copy has more, of a run without a client; `None` if the log is all there is.
fn engine_copy(env: &Env, job: &Job) -> Option<io::Result<Log>> {
    if job.kind == Kind::Build || job.dir.has(EXIT) || job.has_writer() || job.begun().is_none() {
        return None;
    }
    let (runner, sighting) = look(env, job)?;
    if let Sighting::Unreachable(why) = &sighting {
        return Some(Err(io::Error::other(why.message.clone())));
    }
    let container = sighting.container()?;
    let limit = job.record().ok().and_then(|record| record.log_limit());
    Some(compare::longer(job, limit, &|tail, into| runner.fetch_log(container, tail, into)))
}
