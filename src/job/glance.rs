//! What a job's directory says at once, for a list that has to appear within milliseconds. The engine is never asked, so a
//! job that neither runs nor has an exit record is left open. A damaged file costs only what it would have said.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::index::Index;
use super::record::Outcome;
use super::{EXIT, EXIT_SIZE, FORGOTTEN, Job, RECORD, SMALL_FILE};
use crate::fs::Dir;
use crate::names::JobId;

/// A job at a glance.
#[derive(Debug, Clone)]
pub struct Glance {
    /// The directory's name.
    pub id: JobId,
    /// What was asked, as far as it can be read.
    pub asked: Asked,
    /// Whether it runs.
    pub stage: Stage,
    /// How it ended, if the index has it.
    pub outcome: Option<Outcome>,
}

/// The part of a record that is of the same form in all formats.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// The run's name, or the full name of the image.
    pub name: Option<String>,
    /// When it was asked for.
    pub created: Option<DateTime<Utc>>,
    /// The image to run in, or the base image of a build.
    pub image: Option<String>,
    /// The user's labels.
    pub labels: BTreeMap<String, String>,
    /// The group of runs that it belongs to.
    pub group: Option<String>,
}

/// Whether a job runs, as far as its directory says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// One of its locks is held.
    Running,
    /// It has an exit record.
    Ended,
    /// Only the engine knows.
    Open,
}

impl Glance {
    /// Takes the job from the index. Where that has not got it, reads the record in the directory of all jobs, and looks whether
    /// there is an exit record. The job's own directory is opened only where these are not enough, since that takes as long as
    /// all the rest. `None` for a job that was forgotten, or removed meanwhile.
    #[must_use]
    pub fn of(jobs: &Dir, index: &Index, id: &JobId, open: impl Fn() -> Option<Job>) -> Option<Self> {
        if let Some(copied) = index.copy(jobs, id) {
            let asked = serde_json::from_slice(copied.record()).unwrap_or_default();
            return Some(Self { id: id.clone(), asked, stage: Stage::Ended, outcome: end(copied.exit()) });
        }
        let file = |name: &str| format!("{id}/{name}");
        let has_ended = || jobs.has(&file(EXIT));
        let record = jobs.read(&file(RECORD), SMALL_FILE).ok();
        let asked = record.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let mut stage = Stage::Ended;
        if asked.is_none() || !has_ended() {
            // A job is forgotten while it runs, and removed when it ends. So the mark is not looked for in those that have
            // ended, which are nearly all: each look at a file counts.
            if jobs.has(&file(FORGOTTEN)) {
                return None;
            }
            // The exit record, then the locks, then the exit record again: a job may end between the first two.
            let is_over = open()?.has_ended();
            stage = match (has_ended(), is_over) {
                (true, _) => Stage::Ended,
                (false, true) => Stage::Open,
                (false, false) => Stage::Running,
            };
        }
        Some(Self { id: id.clone(), asked: asked.unwrap_or_default(), stage, outcome: None })
    }

    /// Whether it has ended, and the index has not got it.
    #[must_use]
    pub fn is_new_to_index(&self) -> bool {
        self.stage == Stage::Ended && self.outcome.is_none()
    }
}

/// How a job ended; `None` if it has no exit record that can be read.
#[must_use]
pub fn outcome(job: &Job) -> Option<Outcome> {
    end(&job.dir.read(EXIT, EXIT_SIZE as u64).ok()?)
}

fn end(exit: &[u8]) -> Option<Outcome> {
    #[derive(Deserialize)]
    struct End {
        outcome: Outcome,
    }
    serde_json::from_slice(exit).ok().map(|end: End| end.outcome)
}
