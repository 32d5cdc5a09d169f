//! The reply of a command that started a job, and its options `--wait` and `--follow`.

use std::io::{self, Read};

use anyhow::Result;
use serde::Serialize;

use super::logs::follow;
use super::wait::{Awaited, wait_for};
use crate::cli::Stay;
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::interrupt::Interrupt;
use crate::job::Job;
use crate::job::record::{Kind, Outcome};
use crate::job::view::View;
use crate::log;
use crate::names::JobId;
use crate::names::Tail;
use crate::output::{Bytes, ErrorDocument, Form, Logs, Page, Reply, Voice};
use crate::terminal::{plain_lines, settled};

/// How much of the last lines of a log is read, and how much of them is shown, in bytes.
const MOST_READ: usize = 64 << 10;
const MOST_SHOWN: usize = 8 << 10;

impl Stay {
    /// Whether the command stays until the job's end.
    #[must_use]
    pub fn stays(&self) -> bool {
        self.wait || self.follow
    }
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
    /// With --if-changed or --if-missing: true if nothing was started, because the image is there. Otherwise absent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, schemars(extend("const" = true)))]
    up_to_date: bool,
    /// The image that is there, if nothing was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    image_id: Option<&'a str>,
}

impl<'a> BuildStarted<'a> {
    /// No build is needed, because there is this image.
    pub fn needless(name: &'a str, id: Option<&'a JobId>, image_id: &'a str) -> Self {
        Self { success: true, name, id, up_to_date: true, image_id: Some(image_id) }
    }
}

/// A run was started.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunStarted<'a> {
    /// The id by which the run is known from now on.
    #[cfg_attr(test, schemars(schema_with = "crate::schemas::job_id"))]
    exec_id: &'a JobId,
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

/// Replies with a job that was just started, under the name `shown`. With `--wait` or `--follow` it waits for the end. As
/// JSON, `--follow` is a stream: that the job was started, the lines of its output, and the job at its end. Returns the exit
/// code.
pub fn stay(env: &Env, voice: &Voice, job: &Job, stay: &Stay, shown: &str) -> Result<u8> {
    if !stay.stays() {
        return started(voice, job, shown).map_err(|error| untold(&error, job));
    }
    let interrupt = Interrupt::ctrl_c()?;
    let awaited = Awaited::new(env, job);
    // The id is printed before the waiting, so that it is known if the waiting is interrupted.
    voice
        .text(|page| if stay.follow { page.note(&format!("{} {}", job.kind.word(), job.id)) } else { page.line(shown) })
        .map_err(|error| untold(&error, job))?;
    if stay.follow {
        if voice.form() != Form::Text {
            announce(voice, job, shown).map_err(|error| untold(&error, job))?;
        }
        let mut sink = voice.log(Bytes::Safe, &Logs::default())?;
        let followed = follow(env, voice, job, Tail::All, &interrupt, &mut sink);
        // What is printed next must begin on a new line.
        sink.finish()?;
        followed?;
    }
    let view = wait_for(env, &awaited, None, &interrupt)?;
    let code = view.wait_code();
    let failure = (view.outcome != Some(Outcome::Succeeded)).then(|| ended_badly(job, &view, stay));
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

fn announce(voice: &Voice, job: &Job, shown: &str) -> Result<()> {
    match job.kind {
        Kind::Build => {
            let (id, image_id) = (Some(&job.id), None);
            voice.reply(&BuildStarted { success: true, name: shown, id, up_to_date: false, image_id })
        }
        Kind::Run => voice.reply(&RunStarted { exec_id: &job.id }),
    }
}

fn started(voice: &Voice, job: &Job, shown: &str) -> Result<u8> {
    announce(voice, job, shown)?;
    if voice.is_stderr_terminal() {
        let noun = job.kind.noun();
        voice.note(&format!("follow it:    longshore {noun} logs -f {shown}"));
        voice.note(&format!("wait for it:  longshore {noun} wait {shown}"));
    }
    Ok(0)
}

/// The failure for a job that did not succeed, with the end of its log unless that was already shown.
fn ended_badly(job: &Job, view: &View, stay: &Stay) -> Failure {
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
    let tail = if stay.follow { String::new() } else { last_lines(job) };
    let log = format!("see the log with: longshore {noun} logs {}", view.id);
    let hint = view.hint.as_ref().map_or(log.clone(), |hint| format!("{hint}; {log}"));
    failure.detail(tail).hint(hint)
}

/// The last lines of the log, each as it was redrawn last. A line of a progress bar can be very long before that.
fn last_lines(job: &Job) -> String {
    let read = || last_bytes(log::so_far(log::open(job)?, Tail::Lines(10))?);
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(settled).collect();
    // The legacy builder colours what a step writes to stderr.
    let shown = plain_lines(&lines.join("\n"));
    String::from_utf8_lossy(&shown.as_bytes()[shown.len().saturating_sub(MOST_SHOWN)..]).into_owned()
}

fn last_bytes(mut from: impl Read) -> io::Result<Vec<u8>> {
    let (mut last, mut chunk) = (Vec::new(), vec![0; MOST_READ]);
    loop {
        let count = from.read(&mut chunk)?;
        if count == 0 {
            return Ok(last);
        }
        last.extend_from_slice(&chunk[..count]);
        last.drain(..last.len().saturating_sub(MOST_READ));
    }
}
