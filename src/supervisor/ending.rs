//! Ends the container of a run on request. docker takes time for it, so a supervisor does it on threads beside the one that
//! waits; what both know is here.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Task;
use crate::error::{Failure, Kind as ErrorKind};
use crate::fault;
use crate::job::request::{Effect, Request};
use crate::runner::Push;

/// Pause between two questions to an engine that does not answer: the first value, doubled each time up to the second.
pub const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// What the supervisor and the threads that end a container share.
#[derive(Debug, Default)]
pub struct Ending {
    /// When the job is killed, because it was asked to end.
    kill_at: Mutex<Option<Instant>>,
    /// Set when the job has ended.
    over: AtomicBool,
}

impl Ending {
    /// When the job is killed; may be taken.
    pub fn kill_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.kill_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the job this time to end, or less if it was given less before.
    pub fn grant(&self, grace: Duration) {
        let at = Instant::now().checked_add(grace);
        let mut kill_at = self.kill_at();
        *kill_at = kill_at.into_iter().chain(at).min();
    }

    /// The job has ended: nobody tries to end it any more.
    pub fn finish(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    /// Whether the job has ended.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }
}

/// Sends the container a signal, and repeats that while the engine does not answer or the container is missing. A panic is
/// a failure like others: a request has an answer, and a time limit holds.
pub fn end_container(
    task: &Task,
    ending: &Ending,
    request: &Request,
    push: Push,
    limit: Option<Instant>,
) -> Result<Effect, Failure> {
    let end = AssertUnwindSafe(|| insist_on_end(task, ending, request, push, limit));
    catch_unwind(end).unwrap_or_else(|_| {
        let message = format!("could not end run {}: a thread of its supervisor panicked", task.job.id);
        Err(Failure::new(ErrorKind::Internal, message))
    })
}

fn insist_on_end(
    task: &Task,
    ending: &Ending,
    request: &Request,
    push: Push,
    limit: Option<Instant>,
) -> Result<Effect, Failure> {
    fault::point(if push == Push::Asked { "ending" } else { "killing" });
    let mut pause = BACKOFF.0;
    loop {
        let failure = match task.runner().end(task.subject(None), None, request, push) {
            Ok(effect) => return Ok(effect),
            Err(failure) => failure,
        };
        if limit.is_some_and(|limit| limit <= Instant::now()) || ending.is_over() {
            return Err(failure);
        }
        sleep(pause);
        pause = if limit.is_some() { pause } else { (pause * 2).min(BACKOFF.1) };
    }
}
