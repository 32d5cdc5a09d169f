//! Keeps the log of a run to its limit while it runs. The steps are taken by another thread: a disk that is slow must delay
//! neither requests nor the time limit.

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use crate::job::Job;
use crate::log::trim::Trim;

/// A log that is kept to its limit.
#[derive(Debug)]
pub struct Trimmer {
    trim: Arc<Trim>,
    /// What takes a step, or took the last one.
    step: Option<JoinHandle<()>>,
}

impl Trimmer {
    /// Of the log of this job. `None` if it cannot be opened; it is kept to its limit at the end of the job then.
    pub fn begin(job: &Job, limit: u64) -> Option<Self> {
        Some(Self { trim: Arc::new(Trim::of_log(&job.dir, limit).ok()?), step: None })
    }

    /// Begins a step if the log, which is so long, has become too large. Returns whether one is being taken.
    pub fn look(&mut self, length: u64) -> bool {
        if self.step.as_ref().is_some_and(|step| !step.is_finished()) {
            return true;
        }
        if !self.trim.is_due(length) {
            return false;
        }
        let trim = Arc::clone(&self.trim);
        let step = move || {
            trim.to_limit();
        };
        self.step = Builder::new().spawn(step).ok();
        if self.step.is_none() {
            // The user may have no more processes.
            self.trim.to_limit();
        }
        self.step.is_some()
    }

    /// Waits for the last step.
    pub fn finish(self) {
        self.step.into_iter().for_each(|step| drop(step.join()));
    }
}
