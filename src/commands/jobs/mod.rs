//! What builds and runs have in common: start, wait, logs, list, forget and prune.

pub mod end;
pub mod foreground;
pub mod forget;
pub mod last;
pub mod list;
pub mod logs;
pub mod name;
pub mod progress;
pub mod prune;
pub mod start;
pub mod stay;
pub mod stop;
mod turn;
pub mod wait;
mod watch;
pub mod which;

use std::borrow::Cow;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::interrupt::Interrupt;
use crate::job::Job;
use crate::job::record::{Kind, Outcome};
use crate::job::standing::Sighting;
use crate::job::view::View;
use crate::names::JobId;
use crate::output::{Page, Reply, Voice};
use crate::runner::{Runner, Subject};
use crate::supervisor::recover;

/// Pause between two checks of a job.
const LOOK: Duration = Duration::from_millis(25);

/// A job on which the command was carried out.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct Done {
    /// True: it was done.
    #[cfg_attr(test, schemars(extend("const" = true)))]
    success: bool,
    /// The job's id: random, never reused.
    #[cfg_attr(test, schemars(schema_with = "crate::schemas::job_id"))]
    id: JobId,
}

impl Done {
    /// For this job.
    pub fn to(job: &Job) -> Self {
        Self { success: true, id: job.id.clone() }
    }
}

impl Reply for Done {
    fn show(&self, page: &mut Page) -> Result<()> {
        page.line(self.id.as_str())
    }
}

/// The status in a few words: `queued`, `running`, `succeeded`, `failed (7)`, `lost`.
pub fn status(view: &View) -> Cow<'static, str> {
    match (view.outcome, view.exit_code) {
        (None, _) => match (view.forgotten, &view.reason) {
            (false, Some(reason)) => format!("{} ({reason})", view.status).into(),
            (true, Some(reason)) => format!("{} (forgotten; {reason})", view.status).into(),
            (true, None) => format!("{} (forgotten)", view.status).into(),
            (false, None) => view.status.into(),
        },
        // Every build that failed has the code 1, which says nothing.
        (Some(outcome), Some(1)) if view.kind == Kind::Build => outcome.word().into(),
        (Some(outcome @ (Outcome::Failed | Outcome::Cancelled)), Some(code)) => {
            format!("{} ({code})", outcome.word()).into()
        }
        (Some(outcome), _) => outcome.word().into(),
    }
}

/// Tells the user once that a command waits for the supervisor of a job, which waits for an engine that does not answer.
#[derive(Debug, Default)]
struct Waiting {
    is_told: bool,
}

impl Waiting {
    /// Looks at the job.
    fn look(&mut self, env: &Env, job: &Job) {
        if !self.is_told && job.is_waiting() {
            self.tell(env, &format!("the engine of {} {} does not answer", job.kind.word(), job.id));
        }
    }

    fn tell(&mut self, env: &Env, why: &str) {
        if let Some(notice) = env.notice.filter(|_| !self.is_told) {
            notice(&format!("note: {why}; still waiting (Ctrl-C to stop)"));
        }
        self.is_told = true;
    }
}

/// Fails after Ctrl-C, which ends the waiting and not the job.
fn check(interrupt: &Interrupt, job: &Job) -> Result<(), Failure> {
    let (noun, word, id) = (job.kind.noun(), job.kind.word(), &job.id);
    let heard = interrupt.check(|| format!("interrupted; {word} {id} is {}", job.still()));
    heard.map_err(|failure| {
        let end = job.kind.end_verb();
        failure.hint(format!(
            "wait for it again with: longshore {noun} wait {id}   or end it with: longshore {noun} {end} {id}"
        ))
    })
}

/// The failure to see the end of a job whose files were removed because it was forgotten.
fn forgotten(job: &Job) -> Failure {
    let message = format!("{} {} was forgotten before it ended", job.kind.word(), job.id);
    Failure::new(ErrorKind::NotFound, message)
}

/// Finishes what a killed supervisor left of a job. What the user asked for is done also if that fails. Returns the
/// environment for further questions: an engine that did not answer gets little time for them.
pub fn settle(env: &Env, voice: &Voice, job: &Job) -> Env {
    let begun = Instant::now();
    let recovered = recover(env, job);
    if let Err(error) = &recovered {
        voice.note(&format!("note: what was left of {} {} cannot be finished: {error:#}", job.kind.word(), job.id));
    }
    if begun.elapsed() >= env.patience { env.hurried() } else { env.clone() }
}

/// Asks the engine about a job.
fn look(env: &Env, job: &Job) -> Option<(Runner, Sighting)> {
    let record = job.record().ok()?;
    let runner = Runner::of(env, &record);
    let begun = job.begun();
    let sighting = runner.look(Subject { record: &record, begun: begun.as_ref(), image_id: None });
    Some((runner, sighting))
}
