//! Ends jobs, for `exec stop`, `exec kill` and `image cancel`.
//!
//! The request is recorded, and the supervisor carries it out. If the supervisor was killed, the command asks the
//! runner itself.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::job::Job;
use crate::job::request::Request;
use crate::runner::{Runner, Subject};
use crate::survey::view;

/// How long a job may take to end after a request, in addition to the grace and the time limit of docker calls.
const ENDING: Duration = Duration::from_secs(30);
/// Pause between two checks.
const LOOK: Duration = Duration::from_millis(20);
/// Pause between two checks that need an engine call.
const SLOW_LOOK: Duration = Duration::from_millis(500);

/// Makes the request, and waits until the job has ended. For a signal other than KILL, waits until it was sent.
///
/// # Errors
/// When the request failed, or the job still runs after the grace.
pub fn end(env: &Env, job: &Job, request: &Request) -> Result<()> {
    job.ask(request)?;
    let deadline = Instant::now() + ENDING + env.patience + Duration::from_secs(request.grace);
    let mut asked_here = false;
    loop {
        // The order matters: a supervisor releases its lock only after it has recorded the end.
        let supervised = job.is_supervised();
        if job.has_ended() && !view(env, job).is_running() {
            return Ok(());
        }
        if !supervised && !asked_here {
            end_unsupervised(env, job, request)?;
            asked_here = true;
        }
        let answer = job.requests().answer(request).cloned();
        if let Some(failure) = answer.as_ref().and_then(|answer| answer.failure.clone()) {
            return Err(failure.into());
        }
        if !request.ends() && (asked_here || answer.is_some()) {
            return Ok(());
        }
        if Instant::now() > deadline {
            let message = format!("could not end {} {}: it is still running", job.kind.word(), job.id);
            return Err(Failure::new(ErrorKind::Failed, message).into());
        }
        if answer.is_none() {
            job.wake();
        }
        sleep(if asked_here { SLOW_LOOK } else { LOOK });
    }
}

fn end_unsupervised(env: &Env, job: &Job, request: &Request) -> Result<()> {
    let record = job.record().map_err(|damaged| Failure::new(ErrorKind::State, damaged.0))?;
    let begun = job.begun();
    let subject = Subject { record: &record, begun: begun.as_ref(), image_id: None };
    Ok(Runner::of(env, &record).end(subject, None, request)?)
}
