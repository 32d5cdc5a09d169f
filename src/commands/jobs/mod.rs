//! What builds and runs have in common: start, wait, logs, list and forget.

pub mod end;
pub mod forget;
pub mod list;
pub mod logs;
pub mod start;
pub mod stay;
pub mod wait;

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use crate::env::Env;
use crate::error::Failure;
use crate::interrupt::Interrupt;
use crate::job::Job;
use crate::job::record::Outcome;
use crate::job::standing::Sighting;
use crate::job::view::View;
use crate::names::JobId;
use crate::output::{Page, Reply, Voice};
use crate::runner::{Runner, Subject};
use crate::supervisor::recover;

/// Pause between two checks of a job.
const LOOK: Duration = Duration::from_millis(25);
/// The least time that a question to the engine gets.
const LEAST_PATIENCE: Duration = Duration::from_millis(500);

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

/// The status in a few words: `running`, `succeeded`, `failed (7)`, `lost`.
pub fn status(view: &View) -> String {
    match (view.outcome, view.exit_code) {
        (None, _) => match &view.reason {
            Some(reason) => format!("running ({reason})"),
            None => "running".into(),
        },
        (Some(outcome @ (Outcome::Failed | Outcome::Cancelled)), Some(code)) => format!("{} ({code})", outcome.word()),
        (Some(outcome), _) => outcome.word().into(),
    }
}

/// Fails after Ctrl-C, which ends the waiting and not the job.
fn check(interrupt: &Interrupt, job: &Job) -> Result<(), Failure> {
    let (noun, word, id) = (job.kind.noun(), job.kind.word(), &job.id);
    let heard = interrupt.check(|| format!("interrupted; {word} {id} is still running"));
    heard.map_err(|failure| failure.hint(format!("wait for it again with: longshore {noun} wait {id}")))
}

/// Finishes what a killed supervisor left of a job. What the user asked for is done also if that fails. Returns the
/// environment for further questions: an engine that did not answer gets little time for them.
pub fn settle(env: &Env, voice: &Voice, job: &Job) -> Env {
    let begun = Instant::now();
    let recovered = recover(env, job);
    if let Err(error) = &recovered {
        voice.note(&format!("note: what was left of {} {} cannot be finished: {error:#}", job.kind.word(), job.id));
    }
    let mut env = env.clone();
    if begun.elapsed() >= env.patience {
        env.patience = env.patience.min(LEAST_PATIENCE);
    }
    env
}

/// Asks the engine about a job.
fn look(env: &Env, job: &Job) -> Option<(Runner, Sighting)> {
    let record = job.record().ok()?;
    let runner = Runner::of(env, &record);
    let begun = job.begun();
    let sighting = runner.look(Subject { record: &record, begun: begun.as_ref(), image_id: None });
    Some((runner, sighting))
}
