//! The reply of a command that started a job, and its options `--wait` and `--follow`.

use std::io;

use anyhow::Result;
use serde::Serialize;

use super::check;
use super::foreground::{Foreground, is_signal};
use super::last;
use super::logs::follow;
use super::progress::Progress;
use super::start::{Begun, IdFile, Needless, begin};
use super::wait::{Awaited, wait_while};
use crate::cli::{IfRunning, Stay};
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind, Verb as ErrorVerb, exit_code};
use crate::interrupt::Interrupt;
use crate::job::Job;
use crate::job::points::Making;
use crate::job::record::{Kind, Outcome, Record};
use crate::job::store::Store;
use crate::job::view::{StampView, View};
use crate::names::JobId;
use crate::names::Tail;
use crate::output::{Bytes, ErrorDocument, Form, LogSink, Logs, Page, Reply, Voice};
use crate::runner::Values;

/// How many of the last lines of a log are shown, and how much of them, in bytes.
const LINES: u64 = 10;
const MOST_SHOWN: usize = 8 << 10;

impl Stay {
    /// Whether the command stays until the job's end.
    #[must_use]
    pub fn stays(&self) -> bool {
        self.wait || self.follows()
    }

    /// Whether it shows the job's output.
    #[must_use]
    pub fn follows(&self) -> bool {
        self.follow || self.foreground
    }
}

/// The exit code for a job that succeeded and whose stamp could not be made.
const UNSTAMPED: u8 = 125;

/// Whether a job was started, or another has its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Done,
    Skipped,
}

/// A build was started, or is not needed.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BuildStarted<'a> {
    /// True once the build has been started, or if none is needed; with --wait or --follow, whether it succeeded.
    success: bool,
    /// The name by which the build is followed from now on.
    name: &'a str,
    /// The job's id: random, never reused. If no build is needed, the build that made the image, which may be forgotten by
    /// now; null if the image has no label that tells it.
    #[cfg_attr(test, schemars(schema_with = "crate::schemas::job_id_or_null"))]
    id: Option<&'a JobId>,
    /// With `--if-running skip`: true if nothing was started, because this job has the name; otherwise absent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, schemars(extend("const" = true)))]
    skipped: bool,
    /// With --if-changed or --if-missing: true if nothing was started, because the image is there. Otherwise absent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, schemars(extend("const" = true)))]
    up_to_date: bool,
    /// The image that is there, if nothing was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    image_id: Option<&'a str>,
}

/// A run was started.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunStarted<'a> {
    /// The id by which the run is known from now on.
    #[cfg_attr(test, schemars(schema_with = "crate::schemas::job_id"))]
    exec_id: &'a JobId,
    /// With `--if-running skip`: true if nothing was started, because this job has the name; otherwise absent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, schemars(extend("const" = true)))]
    skipped: bool,
}

/// A job that was started, at its end.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stayed<'a> {
    /// The job.
    #[serde(flatten)]
    #[cfg_attr(test, schemars(schema_with = "crate::schemas::job"))]
    job: View,
    /// The id of a run; its schema comes from [`RunStarted`].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(skip))]
    exec_id: Option<&'a JobId>,
    /// With --wait or --follow: whether it succeeded.
    success: bool,
    /// Why it did not succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "ErrorDocument"))]
    error: Option<ErrorDocument>,
}

impl Reply for BuildStarted<'_> {
    fn show(&self, page: &mut Page) -> Result<()> {
        page.line(self.name)
    }
}

impl Reply for RunStarted<'_> {
    fn show(&self, page: &mut Page) -> Result<()> {
        page.line(self.exec_id.as_str())
    }
}

/// Its text was already printed before the waiting.
impl Reply for Stayed<'_> {}

/// Starts a job as `how` says, and stays with it if that was asked for. Returns the exit code. `make` creates what the job
/// needs, and may be called more than once.
pub fn start_and_stay(
    env: &Env,
    voice: &Voice,
    mut record: Record,
    values: &Values,
    how: &Stay,
    make: impl for<'s> Fn(&'s Store, &Record) -> Result<Option<Making<'s>>>,
) -> Result<u8> {
    let policy = how.if_running.unwrap_or(IfRunning::Fail);
    let name = if record.kind == Kind::Build { record.shown_name() } else { None };
    begin_and_stay(env, voice, how, name, |interrupt| begin(env, voice, &mut record, values, policy, interrupt, make))
}

/// Begins a job, and stays with it if that was asked for. Returns the exit code. `name` is what is printed instead of the id.
pub fn begin_and_stay(
    env: &Env,
    voice: &Voice,
    how: &Stay,
    name: Option<String>,
    begin: impl FnOnce(Option<&Interrupt>) -> Result<Begun>,
) -> Result<u8> {
    // From now on Ctrl-C does not end the command: it would leave the job.
    let interrupt = how.foreground.then(Interrupt::stops).transpose()?;
    let id_file = IdFile::claim(how.id_file.as_deref())?;
    let shown = |id: Option<&JobId>| name.clone().or(id.map(ToString::to_string)).unwrap_or_default();
    match begin(interrupt.as_ref())? {
        Begun::Started(job) => {
            id_file.write(job.id.as_str())?;
            stay(env, voice, &job, how, &shown(Some(&job.id)), interrupt)
        }
        Begun::Skipped(job) => {
            id_file.write(job.id.as_str())?;
            announce(voice, &job, &shown(Some(&job.id)), Start::Skipped).map(|()| 0)
        }
        Begun::Needless(image) => needless(voice, how, &shown(image.job.as_ref()), &image).map(|()| 0),
    }
}

/// Replies that no build is needed. No id is written, because nothing was started.
fn needless(voice: &Voice, how: &Stay, name: &str, image: &Needless) -> Result<()> {
    voice.text(|page| page.note(&format!("note: {}; nothing was built", image.why)))?;
    // The stdout of --follow is the output of a build.
    if how.follows() && voice.form() == Form::Text {
        return Ok(());
    }
    let (id, image_id) = (image.job.as_ref(), Some(image.id.as_str()));
    voice.reply(&BuildStarted { success: true, name, id, skipped: false, up_to_date: true, image_id })
}

/// Replies with a job that was just started, under the name `shown`. With `--wait` or `--follow` it waits for the end. As
/// JSON, `--follow` is a stream: that the job was started, the lines of its output, and the job at its end. Returns the exit
/// code. `interrupt` is given with `--foreground`.
fn stay(env: &Env, voice: &Voice, job: &Job, how: &Stay, shown: &str, interrupt: Option<Interrupt>) -> Result<u8> {
    if !how.stays() {
        return started(voice, job, shown).map_err(|error| untold(&error, job));
    }
    let is_foreground = interrupt.is_some();
    let interrupt = interrupt.map_or_else(Interrupt::ctrl_c, Ok)?;
    let mut foreground = is_foreground.then(|| Foreground::new(env, voice, job, &interrupt));
    let awaited = Awaited::new(env, job);
    let view = until_ended(env, voice, &awaited, how, shown, &interrupt, &mut foreground)
        .inspect_err(|_| foreground.iter().for_each(Foreground::abandon))?;
    let stopped = foreground.as_ref().and_then(|foreground| foreground.failure(&view));
    let code = stopped.as_ref().map_or_else(|| view.wait_code(), |stopped| exit_code(stopped, ErrorVerb::PassesOn));
    let failure = stopped.or_else(|| ended_badly(job, &view, how));
    let code = if code == 0 && failure.is_some() { UNSTAMPED } else { code };
    voice.reply(&Stayed {
        exec_id: (job.kind == Kind::Run).then_some(&job.id),
        success: failure.is_none(),
        error: failure.as_ref().map(ErrorDocument::from),
        job: view,
    })?;
    if let Some(failure) = &failure {
        voice.tell(failure);
    }
    Ok(code)
}

/// Tells of the job, shows its output if that was asked for, and waits for its end.
fn until_ended(
    env: &Env,
    voice: &Voice,
    awaited: &Awaited,
    how: &Stay,
    shown: &str,
    interrupt: &Interrupt,
    foreground: &mut Option<Foreground>,
) -> Result<View> {
    let job = awaited.job;
    // A run has no steps.
    let progress = &mut (job.kind == Kind::Build).then(|| Progress::of(env, voice, [job])).flatten();
    // The id is printed before the waiting, so that it is known if the waiting is interrupted.
    voice
        .text(
            |page| if how.follows() { page.note(&format!("{} {}", job.kind.word(), job.id)) } else { page.line(shown) },
        )
        .map_err(|error| untold(&error, job))?;
    if how.follows() {
        if voice.form() != Form::Text {
            announce(voice, job, shown, Start::Done).map_err(|error| untold(&error, job))?;
        }
        let mut sink = voice.log(Bytes::Safe, &Logs::default())?;
        let mut hear = |sink: &mut LogSink| {
            match foreground {
                Some(foreground) => foreground.hear(|| sink.end_line())?,
                None => check(interrupt, job)?,
            }
            progress.iter_mut().filter(|_| sink.is_at_line_start()).for_each(Progress::tick);
            Ok(())
        };
        let followed = follow(env, voice, job, &Tail::All.into(), &mut hear, &mut sink);
        // What is printed next must begin on a new line.
        sink.finish()?;
        followed?;
    }
    loop {
        match (wait_while(env, awaited, None, interrupt, progress), &mut *foreground) {
            (Err(error), Some(foreground)) if is_signal(&error) => foreground.hear(|| Ok(()))?,
            (Ok(view), _) => {
                if let Some(progress) = progress {
                    progress.close(&view);
                }
                return Ok(view);
            }
            (Err(error), _) => return Err(error),
        }
    }
}

/// The failure to print the id of a job that was started. It must be told all the same.
fn untold(error: &anyhow::Error, job: &Job) -> anyhow::Error {
    let broken = error.downcast_ref::<io::Error>().is_some();
    let failure = Failure::of(error);
    let (word, id, noun, end) = (job.kind.word(), &job.id, job.kind.noun(), job.kind.end_verb());
    if broken {
        return io::Error::from(io::ErrorKind::BrokenPipe).into();
    }
    failure.hint(format!("{word} {id} was started; end it with: longshore {noun} {end} {id}")).into()
}

fn announce(voice: &Voice, job: &Job, shown: &str, start: Start) -> Result<()> {
    let skipped = start == Start::Skipped;
    match job.kind {
        Kind::Build => {
            let (id, image_id) = (Some(&job.id), None);
            voice.reply(&BuildStarted { success: true, name: shown, id, skipped, up_to_date: false, image_id })
        }
        Kind::Run => voice.reply(&RunStarted { exec_id: &job.id, skipped }),
    }
}

fn started(voice: &Voice, job: &Job, shown: &str) -> Result<u8> {
    announce(voice, job, shown, Start::Done)?;
    if voice.is_stderr_terminal() {
        let noun = job.kind.noun();
        voice.note(&format!("follow it:    longshore {noun} logs -f {shown}"));
        voice.note(&format!("wait for it:  longshore {noun} wait {shown}"));
    }
    Ok(0)
}

/// The failure for a job that did not succeed, with the end of its log unless that was already shown, or whose stamp could
/// not be made; `None` if all went well.
fn ended_badly(job: &Job, view: &View, stay: &Stay) -> Option<Failure> {
    if view.outcome == Some(Outcome::Succeeded) {
        return view.stamp.as_deref().and_then(StampView::failure);
    }
    let noun = job.kind.noun();
    let subject = match (job.kind, &view.name) {
        (Kind::Build, Some(name)) => format!("could not build image {name:?}"),
        (_, Some(name)) => format!("run {name:?} ({}) did not succeed", view.id),
        _ => format!("{} {} did not succeed", job.kind.word(), view.id),
    };
    let outcome = view.outcome.map_or("running", Outcome::word);
    let code = view.exit_code.map(|code| format!(" with status {code}")).unwrap_or_default();
    let message = match (job.kind, view.outcome, &view.reason) {
        (Kind::Build, Some(Outcome::Failed), Some(reason)) => format!("{subject}: {reason}"),
        (_, _, Some(reason)) => format!("{subject}: {outcome}{code}: {reason}"),
        (_, _, None) => format!("{subject}: {outcome}{code}"),
    };
    let failure = Failure::new(ErrorKind::Failed, message);
    let tail = if stay.follows() { String::new() } else { last_lines(job) };
    let log = format!("see the log with: longshore {noun} logs {}", view.id);
    let hint = view.hint.as_ref().map_or(log.clone(), |hint| format!("{hint}; {log}"));
    Some(failure.detail(tail).hint(hint))
}

fn last_lines(job: &Job) -> String {
    let shown = last::settled_lines(&last::lines(job, LINES)).join("\n");
    String::from_utf8_lossy(&shown.as_bytes()[shown.len().saturating_sub(MOST_SHOWN)..]).into_owned()
}
