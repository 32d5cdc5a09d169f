//! What is known of the files of a run that are copied to its engine and back: how far a copy is, and that it is done.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Job;
use crate::units::show_bytes;

/// How far a copy is. Present while files are copied.
pub const MOVING: &str = "moving.json";
/// Present when the files of the run are in its container. Only after that, the container is started.
pub const SHIPPED: &str = "shipped.json";
/// Present when the output is in the directory of the caller.
pub const FETCHED: &str = "fetched.json";

/// The most bytes that are read of what was copied.
const LARGEST: u64 = 64 << 20;
/// Pause between two notes of how far a copy is.
const NOTED: Duration = Duration::from_secs(1);

/// What is done for a run whose files are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Its source and input are copied to the engine.
    Shipping,
    /// Its program runs.
    Running,
    /// Its output is copied back.
    Fetching,
}

/// How far a run is whose files are copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Moving {
    /// What is done now.
    pub phase: Phase,
    /// Of a copy: the bytes so far, with the overhead of the archive.
    pub bytes: Option<u64>,
    /// Of a copy to the engine: the bytes of all files.
    pub total: Option<u64>,
}

impl Moving {
    /// `its files are copied to the engine: 1.2 MB of 3.4 MB`; `None` while its program runs.
    #[must_use]
    pub fn shown(&self) -> Option<String> {
        let what = match self.phase {
            Phase::Running => return None,
            Phase::Shipping => "its files are copied to the engine",
            Phase::Fetching => "its output is copied from the engine",
        };
        let total = self.total.map(|total| format!(" of {}", show_bytes(total))).unwrap_or_default();
        let far = self.bytes.map(|bytes| format!(": {}{total}", show_bytes(bytes))).unwrap_or_default();
        Some(format!("{what}{far}"))
    }
}

/// What was copied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moved {
    /// How many files and directories.
    pub entries: u64,
    /// The bytes of the files.
    pub bytes: u64,
    /// What was left out because it is no file, directory or link to one of the same copy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

impl Job {
    /// Notes how far a copy is. A note that cannot be written changes nothing.
    pub fn note_moving(&self, moving: &Moving) {
        let _ = self.write_json(MOVING, moving);
    }

    /// What is done for a run whose files are copied, before its end.
    #[must_use]
    pub fn moving(&self) -> Moving {
        let noted = || serde_json::from_slice(&self.dir.read(MOVING, 4096).ok()?).ok();
        let phase = if self.dir.has(SHIPPED) { Phase::Running } else { Phase::Shipping };
        noted().unwrap_or(Moving { phase, bytes: None, total: None })
    }

    /// When its files were in its container, just before the start, by the clock of this machine.
    #[must_use]
    pub fn shipped_at(&self) -> Option<DateTime<Utc>> {
        let written = self.dir.open_file(SHIPPED).and_then(|file| file.metadata()?.modified());
        written.ok().map(DateTime::from)
    }

    /// What was copied of the output of a run, if it was.
    #[must_use]
    pub fn fetched(&self) -> Option<Moved> {
        serde_json::from_slice(&self.dir.read(FETCHED, LARGEST).ok()?).ok()
    }

    /// Whether the output of a run is where its caller wants it.
    #[must_use]
    pub fn has_fetched(&self) -> bool {
        self.dir.has(FETCHED)
    }
}

/// Notes of how far a copy is.
#[derive(Debug)]
pub struct Notes<'a> {
    job: &'a Job,
    moving: Moving,
    noted: Instant,
}

impl<'a> Notes<'a> {
    /// Notes of a copy of so many bytes, if that is known.
    #[must_use]
    pub fn new(job: &'a Job, phase: Phase, total: Option<u64>) -> Self {
        Self { job, moving: Moving { phase, bytes: None, total }, noted: Instant::now() }
    }

    /// Notes this number of bytes, unless another one was noted just before.
    pub fn note(&mut self, bytes: u64) {
        if self.noted.elapsed() >= NOTED {
            self.moving.bytes = Some(bytes);
            self.job.note_moving(&self.moving);
            self.noted = Instant::now();
        }
    }
}
