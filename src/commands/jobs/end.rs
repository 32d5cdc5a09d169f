//! Ends jobs, for `exec stop`, `exec kill` and `image cancel`.
//!
//! The request is recorded, and the supervisor carries it out. If the supervisor was killed, the command asks the
//! runner itself.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Waiting, settle, status};
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::job::Job;
use crate::job::record::Kind;
use crate::job::request::{Answer, Effect, Request, Verb};
use crate::job::standing::Sighting;
use crate::output::Voice;
use crate::runner::{Push, Runner, Subject};
use crate::supervisor::recover;
use crate::survey::view;

/// How long a job may take to end after a request, in addition to the grace and the time limit of docker calls.
const ENDING: Duration = Duration::from_secs(30);
/// How long a supervisor may take to answer, beside the grace. One that was stopped, or is of an older version, never does.
pub const ANSWERING: Duration = Duration::from_secs(10);
/// How long a supervisor that is just starting is woken again and again.
pub const WAKING: Duration = Duration::from_secs(2);
/// Pause between two checks.
const LOOK: Duration = Duration::from_millis(20);
/// Pause between two checks that need an engine call.
const SLOW_LOOK: Duration = Duration::from_millis(500);

/// Makes the request, and waits until the job has ended. For a signal other than KILL, waits until it was sent.
///
/// # Errors
/// When the request failed, or the job still runs after the grace.
pub fn end(env: &Env, job: &Job, request: &Request) -> Result<()> {
    let begun = Instant::now();
    let grace = Duration::from_secs(request.grace);
    let deadline = begun + ENDING + env.patience + grace;
    let (mut asked_here, mut waiting) = (false, Waiting::default());
    if let Err(error) = job.ask(request) {
        // A full disk: the run that fills it must be ended all the same.
        end_here(env, job, request).map_err(|_| error)?;
        asked_here = true;
    }
    loop {
        // The order matters: a supervisor releases its lock only after it has recorded the end.
        let supervised = job.is_supervised();
        let answer = job.requests().answer(request).cloned();
        if job.has_surely_ended().unwrap_or(false) && !view(env, job).is_running() {
            return if request.ends() || asked_here || answer.is_some() {
                Ok(())
            } else {
                Err(ended_before(job).into())
            };
        }
        if let Some(failure) = answer.as_ref().and_then(|answer| answer.failure.clone()) {
            return Err(failure.into());
        }
        if !request.ends() && (asked_here || answer.is_some()) {
            return Ok(());
        }
        // A job that waits for its start gets another supervisor, which carries the request out.
        let is_queued = !supervised && answer.is_none() && view(env, job).is_queued();
        if is_queued {
            recover(env, job)?;
        } else if !asked_here && answer.is_none() && (!supervised || begun.elapsed() > grace + ANSWERING) {
            end_here(env, job, request)?;
            asked_here = true;
        }
        if Instant::now() > deadline {
            let message = format!("could not end {} {}: it is {}", job.kind.word(), job.id, job.still());
            return Err(Failure::new(ErrorKind::Failed, message).into());
        }
        if answer.is_none() && begun.elapsed() < WAKING {
            job.wake();
        }
        if answer.is_none() && begun.elapsed() > env.patience {
            let waited = crate::units::show_duration(env.patience);
            waiting.tell(env, &format!("{} {} has not ended after {waited}", job.kind.word(), job.id));
        }
        sleep(if asked_here { SLOW_LOOK } else { LOOK });
    }
}

/// Finishes what a killed supervisor left of a job, and refuses one that has ended; `shown` names it in the message.
///
/// # Errors
/// [`ErrorKind::Conflict`] with its status.
pub fn require_running(env: &Env, voice: &Voice, job: &Job, shown: &str) -> Result<(), Failure> {
    let env = &settle(env, voice, job);
    let view = view(env, job);
    if view.is_running() {
        return Ok(());
    }
    let message = format!("{} {shown} is not running ({})", job.kind.word(), status(&view));
    Err(Failure::new(ErrorKind::Conflict, message))
}

fn ended_before(job: &Job) -> Failure {
    Failure::new(
        ErrorKind::Conflict,
        format!("could not send the signal to {} {}: it has ended", job.kind.word(), job.id),
    )
}

/// Sends the signal from here, and KILL after the grace, and records the answer.
fn end_here(env: &Env, job: &Job, request: &Request) -> Result<()> {
    let record = job.record().map_err(|damaged| Failure::new(ErrorKind::State, damaged.0))?;
    if record.kind == Kind::Build {
        let why = "its supervisor was killed, and only the supervisor can end it";
        return Err(Failure::new(ErrorKind::Failed, format!("could not end build {}: {why}", job.id)).into());
    }
    let begun = job.begun();
    let subject = Subject { record: &record, begun: begun.as_ref(), image_id: None };
    let runner = Runner::of(env, &record);
    let mut result = runner.end(subject, None, request, Push::Asked);
    if result == Ok(Effect::Sent) && request.verb != Verb::Kill {
        let deadline = Instant::now().checked_add(Duration::from_secs(request.grace));
        let is_due = || deadline.is_some_and(|deadline| deadline <= Instant::now());
        while !is_due() && matches!(runner.look(subject), Sighting::Alive(_)) {
            sleep(SLOW_LOOK);
        }
        if is_due() {
            result = runner.end(subject, None, request, Push::Kill).map(|_| Effect::Sent);
        }
    }
    let _ = job.answer(&Answer::new(request, result.clone()));
    result.map(drop).map_err(Into::into)
}
