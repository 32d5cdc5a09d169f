//! `wait`: waits until jobs have ended for certain.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use super::{LEAST_PATIENCE, LOOK, check};
use crate::cli::Wait;
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::interrupt::Interrupt;
use crate::job::Job;
use crate::job::record::{Kind, Outcome};
use crate::job::select::find;
use crate::job::view::View;
use crate::output::{Page, Reply, Several, Voice};
use crate::supervisor::{Recovery, recover};
use crate::survey::view;

/// Between two looks at a run whose supervisor and client were killed.
const UNSUPERVISED_LOOK: Duration = Duration::from_millis(500);

/// A job that has ended.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Ended {
    job: View,
    #[serde(skip)]
    told: Told,
}

/// What people are told of it.
#[derive(Debug, Clone, Copy)]
enum Told {
    /// With one id: why, if it did not succeed.
    Reason,
    /// With `--any`: which.
    Id,
    /// With several ids: which, and its code.
    Code,
}

impl Reply for Ended {
    fn show(&self, page: &mut Page) -> Result<()> {
        let (job, outcome) = (&self.job, self.job.outcome);
        match (self.told, &job.reason) {
            (Told::Id, _) => page.line(job.id.as_str()),
            (Told::Code, _) => page.line(&format!("{} {}", job.id, job.wait_code())),
            (Told::Reason, Some(reason)) if outcome != Some(Outcome::Succeeded) => {
                page.note(&format!("note: {}: {reason}", outcome.map_or("", Outcome::word)))
            }
            (Told::Reason, _) => Ok(()),
        }
    }

    fn is_success(&self) -> bool {
        self.job.wait_code() == 0
    }
}

/// Waits for one job, for the first of several, or for each of them.
pub fn wait(env: &Env, voice: &Voice, kind: Kind, args: &Wait) -> Result<u8> {
    let deadline = args.timeout.map(|timeout| Instant::now() + timeout);
    let interrupt = Interrupt::ctrl_c()?;
    let found = |typed: &String| Ok(find(env, kind, typed)?.1);
    let (job, told) = match &args.jobs[..] {
        all if args.any => {
            let jobs = all.iter().map(found).collect::<Result<Vec<Job>>>()?;
            (wait_for_any(env, &jobs, deadline, &interrupt)?, Told::Id)
        }
        [one] => (wait_for(env, &found(one)?, deadline, &interrupt)?, Told::Reason),
        all => return wait_for_each(voice, all, found, |job| wait_for(env, job, deadline, &interrupt)),
    };
    let code = job.wait_code();
    voice.reply(&Ended { job, told })?;
    Ok(code)
}

/// Ids without a job are reported before the waiting begins.
fn wait_for_each(
    voice: &Voice,
    typed: &[String],
    found: impl Fn(&String) -> Result<Job>,
    wait: impl Fn(&Job) -> Result<View>,
) -> Result<u8> {
    let mut several = Several::new(voice, typed.len());
    let mut jobs = Vec::new();
    for (at, typed) in typed.iter().enumerate() {
        match found(typed) {
            Ok(job) => jobs.push((at, job)),
            Err(error) => several.take(at, Err(error))?,
        }
    }
    for (at, job) in jobs {
        match wait(&job) {
            Err(error) if Failure::of(&error).kind != ErrorKind::NotFound => return Err(error),
            ended => several.take(at, ended.map(|job| Ended { job, told: Told::Code }))?,
        }
    }
    several.finish()
}

fn wait_for_any(env: &Env, jobs: &[Job], deadline: Option<Instant>, interrupt: &Interrupt) -> Result<View> {
    loop {
        for job in jobs {
            if let Some(view) = ended(env, job, deadline)? {
                return Ok(view);
            }
            check(interrupt, job)?;
        }
        // Of a run without its supervisor the engine is asked each time.
        let pause = if jobs.iter().any(Job::has_ended) { UNSUPERVISED_LOOK } else { LOOK };
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            let message = format!("all {} jobs are still running", jobs.len());
            return Err(Failure::new(ErrorKind::Timeout, message).into());
        }
        sleep(pause);
    }
}

/// Waits until a job has ended for certain.
///
/// # Errors
/// When the deadline passes, on Ctrl-C, and when the job was forgotten meanwhile.
pub fn wait_for(env: &Env, job: &Job, deadline: Option<Instant>, interrupt: &Interrupt) -> Result<View> {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(view) = ended(env, job, deadline)? {
            return Ok(view);
        }
        check(interrupt, job)?;
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            let message = format!("{} {} is still running", job.kind.word(), job.id);
            return Err(Failure::new(ErrorKind::Timeout, message).into());
        }
        if job.has_ended() {
            // Its locks are free, and its end is not recorded.
            pause = UNSUPERVISED_LOOK;
        }
        sleep(pause.min(left.unwrap_or(pause)));
        pause = (pause * 2).min(LOOK.max(pause));
    }
}

/// The job after its end. If a running job is forgotten, its record is removed when it ends, and its end is not known.
fn ended(env: &Env, job: &Job, deadline: Option<Instant>) -> Result<Option<View>> {
    if !job.has_ended() {
        return Ok(None);
    }
    // The deadline of the wait is also that of its questions to the engine.
    let mut env = env.clone();
    if let Some(deadline) = deadline {
        let left = deadline.saturating_duration_since(Instant::now());
        env.patience = env.patience.min(left.max(LEAST_PATIENCE));
    }
    if let Ok(Recovery::Adopted(_) | Recovery::Busy | Recovery::Starting) = recover(&env, job) {
        return Ok(None);
    }
    let view = view(&env, job);
    if (view.recovered || view.outcome == Some(Outcome::Corrupt)) && job.is_removed() {
        let message = format!("{} {} was forgotten before it ended", job.kind.word(), job.id);
        return Err(Failure::new(ErrorKind::NotFound, message).into());
    }
    let is_late = deadline.is_some_and(|deadline| deadline <= Instant::now());
    let is_open = view.is_running() || is_late && view.outcome == Some(Outcome::Unknown);
    Ok((!is_open).then_some(view))
}
