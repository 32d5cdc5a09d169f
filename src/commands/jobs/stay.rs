//! The reply of a command that started a job, and its options `--wait` and `--follow`.

use anyhow::Result;
use serde::Serialize;

use super::logs::follow;
use super::wait::wait_for;
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

impl Stay {
    /// Whether the command stays until the job's end.
    #[must_use]
    pub fn stays(&self) -> bool {
        self.wait || self.follow
    }
}

/// A build was started.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BuildStarted<'a> {
    /// True once the build has been started; with --wait or --follow, whether it succeeded.
    success: bool,
    /// The name by which the build is followed from now on.
    name: &'a str,
    /// The job's id: random, never reused.
    #[cfg_attr(test, schemars(schema_with = "crate::schemas::job_id"))]
    id: &'a JobId,
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
    /// The job; a build has the name with which it was asked for.
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

/// Replies with a job that was just started, under the name `shown`. With `--wait` or `--follow` it waits for the end.
/// Returns the exit code.
pub fn stay(env: &Env, voice: &Voice, job: &Job, stay: &Stay, shown: &str) -> Result<u8> {
    if !stay.stays() {
        return started(voice, job, shown);
    }
    let interrupt = Interrupt::ctrl_c()?;
    // The id is printed before the waiting, so that it is known if the waiting is interrupted.
    voice.text(
        |page| if stay.follow { page.note(&format!("{} {}", job.kind.word(), job.id)) } else { page.line(shown) },
    )?;
    if stay.follow && voice.form() == Form::Text {
        let mut sink = voice.log(Bytes::Safe, &Logs::default())?;
        follow(env, voice, job, Tail::All, &interrupt, &mut sink)?;
        sink.finish()?;
    }
    let view = wait_for(env, job, None, &interrupt)?;
    let code = view.wait_code();
    let failure = (view.outcome != Some(Outcome::Succeeded)).then(|| ended_badly(job, &view, stay));
    voice.reply(&Stayed {
        exec_id: (job.kind == Kind::Run).then_some(&job.id),
        success: failure.is_none(),
        error: failure.as_ref().map(ErrorDocument::from),
        job: if job.kind == Kind::Build { View { name: Some(shown.to_owned()), ..view } } else { view },
    })?;
    if let Some(failure) = &failure {
        voice.tell(failure);
    }
    Ok(code)
}

fn started(voice: &Voice, job: &Job, shown: &str) -> Result<u8> {
    match job.kind {
        Kind::Build => voice.reply(&BuildStarted { success: true, name: shown, id: &job.id })?,
        Kind::Run => voice.reply(&RunStarted { exec_id: &job.id })?,
    }
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
    let reason = view.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let failure = Failure::new(ErrorKind::Failed, format!("{subject}: {outcome}{code}{reason}"));
    let tail = if stay.follow { String::new() } else { last_lines(job) };
    failure.detail(tail).hint(format!("see the log with: longshore {noun} logs {}", view.id))
}

fn last_lines(job: &Job) -> String {
    let read = || -> std::io::Result<String> {
        let lines = log::so_far(log::open(job)?, Tail::Lines(10))?;
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::Read::take(lines, 8192), &mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}
