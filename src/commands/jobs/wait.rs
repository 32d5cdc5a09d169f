//! `wait`: waits until jobs have ended for certain.

use std::cell::OnceCell;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use super::progress::Progress;
use super::which::Words;
use super::{LOOK, Waiting, check, forgotten};
use crate::cli::WaitFlags;
use crate::env::{Env, LEAST_PATIENCE};
use crate::error::{Failure, Kind as ErrorKind, Verb, exit_code};
use crate::fs::allow_many_files;
use crate::interrupt::Interrupt;
use crate::job::record::{Kind, Outcome};
use crate::job::select::Scope;
use crate::job::view::View;
use crate::job::witness::Witness;
use crate::job::{Here, Job};
use crate::output::{Page, Reply, Several, Voice};
use crate::supervisor::{Recovery, recover};
use crate::survey::view;

/// Between two looks at a run whose supervisor and client were killed.
const UNSUPERVISED_LOOK: Duration = Duration::from_millis(500);

/// A job that was waited for.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Waited {
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
    /// With several ids: which, and that its end is not known when the time limit passes.
    Open,
}

impl Reply for Waited {
    fn show(&self, page: &mut Page) -> Result<()> {
        let (job, outcome) = (&self.job, self.job.outcome);
        match (self.told, &job.reason) {
            (Told::Id, _) => page.line(job.id.as_str()),
            (Told::Code, _) => page.line(&format!("{} {}", job.id, job.wait_code())),
            (Told::Open, _) => page.line(&format!("{} -", job.id)),
            (Told::Reason, Some(reason)) if outcome != Some(Outcome::Succeeded) => {
                page.note(&format!("note: {}: {reason}", outcome.map_or("", Outcome::word)))?;
                job.hint.iter().try_for_each(|hint| page.note(&format!("hint: {hint}")))
            }
            (Told::Reason, _) => Ok(()),
        }
    }

    fn is_success(&self) -> bool {
        self.job.wait_code() == 0
    }
}

/// A job that is waited for. Its end is known also if the job is forgotten, and its directory removed, meanwhile.
#[derive(Debug)]
pub struct Awaited<'a> {
    /// The job.
    pub job: &'a Job,
    witness: OnceCell<Witness>,
}

impl<'a> Awaited<'a> {
    /// This job. Its files are held open from now on.
    #[must_use]
    pub fn new(env: &Env, job: &'a Job) -> Self {
        let awaited = Self::one_of_many(job);
        awaited.watch(env);
        awaited
    }

    /// This job. Its files are held open only if it turns out to be forgotten, because descriptors are few.
    #[must_use]
    pub fn one_of_many(job: &'a Job) -> Self {
        Self { job, witness: OnceCell::new() }
    }

    fn watch(&self, env: &Env) {
        if self.witness.get().is_none()
            && let Some(witness) = Witness::of(self.job, &Here::now(env))
        {
            let _ = self.witness.set(witness);
        }
    }

    /// The job as it is now; `None` if it was removed and its end is not known.
    #[must_use]
    pub fn seen(&self, env: &Env) -> Option<View> {
        let view = view(env, self.job);
        if self.job.is_removed() { self.removed().ok() } else { Some(view) }
    }

    /// The end of a job whose directory was removed.
    fn removed(&self) -> Result<View> {
        self.witness.get().and_then(Witness::end).ok_or_else(|| forgotten(self.job).into())
    }
}

/// Waits for one job, for the first of several, or for each of them.
pub fn wait(env: &Env, voice: &Voice, scope: Scope, words: &Words, how: &WaitFlags) -> Result<u8> {
    allow_many_files();
    let deadline = how.timeout.map(|timeout| Instant::now() + timeout);
    let interrupt = Interrupt::ctrl_c()?;
    let found = |typed: &String| scope.find(env, typed, |_| "wait");
    let (job, told) = match &words.all[..] {
        all if how.any => {
            let jobs = all.iter().map(found).collect::<Result<Vec<Job>>>()?;
            (wait_for_any(env, &jobs, deadline, &interrupt)?, Told::Id)
        }
        [one] if !words.are_several => {
            let job = found(one)?;
            // A run has no steps.
            let mut progress = (job.kind == Kind::Build).then(|| Progress::of(env, voice, [&job])).flatten();
            let view = wait_while(env, &Awaited::new(env, &job), deadline, &interrupt, &mut progress)?;
            if let Some(progress) = &mut progress {
                progress.close(&view);
            }
            (view, Told::Reason)
        }
        all => {
            let wait = |job: &Job, progress: &mut Option<Progress>| {
                wait_while(env, &Awaited::one_of_many(job), deadline, &interrupt, progress)
            };
            return wait_for_each(env, voice, all, found, wait);
        }
    };
    let code = job.wait_code();
    voice.reply(&Waited { job, told })?;
    Ok(code)
}

/// Ids without a job are reported before the waiting begins. Jobs that run when the time limit passes are counted, and the
/// ends of the others are reported all the same.
fn wait_for_each(
    env: &Env,
    voice: &Voice,
    typed: &[String],
    found: impl Fn(&String) -> Result<Job>,
    wait: impl Fn(&Job, &mut Option<Progress>) -> Result<View>,
) -> Result<u8> {
    let mut several = Several::new(voice, typed.len());
    let mut jobs = Vec::new();
    for (at, typed) in typed.iter().enumerate() {
        match found(typed) {
            Ok(job) => jobs.push((at, job)),
            Err(error) => several.take(at, Err(error))?,
        }
    }
    let mut progress = Progress::of(env, voice, jobs.iter().map(|(_, job)| job));
    let mut open = 0;
    for (at, job) in &jobs {
        let (at, ended) = (*at, wait(job, &mut progress));
        if let (Ok(view), Some(progress)) = (&ended, &mut progress) {
            progress.close(view);
        }
        let waited = match ended.map_err(|error| (Failure::of(&error).kind, error)) {
            Ok(job) => Ok(Waited { job, told: Told::Code }),
            Err((ErrorKind::Timeout, _)) => Ok(at_the_limit(env, job)),
            Err((ErrorKind::NotFound, error)) => Err(error),
            Err((_, error)) => return Err(error),
        };
        open += usize::from(matches!(waited, Ok(Waited { told: Told::Open, .. })));
        several.take(at, waited)?;
    }
    let code = several.finish()?;
    if open == 0 {
        return Ok(code);
    }
    let is = if open == 1 { "is" } else { "are" };
    let late = Failure::new(ErrorKind::Timeout, format!("{open} of {} jobs {is} still running", typed.len()));
    voice.tell(&late);
    Ok(exit_code(&late, Verb::PassesOn))
}

/// How a job stands when the time limit of the wait has passed. An engine that hangs gets little time.
fn at_the_limit(env: &Env, job: &Job) -> Waited {
    let job = view(&env.hurried(), job);
    let is_open = job.is_running() || job.outcome == Some(Outcome::Unknown);
    Waited { job, told: if is_open { Told::Open } else { Told::Code } }
}

fn wait_for_any(env: &Env, jobs: &[Job], deadline: Option<Instant>, interrupt: &Interrupt) -> Result<View> {
    let awaited: Vec<Awaited> = jobs.iter().map(Awaited::one_of_many).collect();
    let mut waiting = Waiting::default();
    loop {
        for one in &awaited {
            if let Some(view) = ended(env, one, deadline)? {
                return Ok(view);
            }
            check(interrupt, one.job)?;
            waiting.look(env, one.job);
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
/// When the deadline passes, on Ctrl-C, and when the job was removed and its end is not known.
pub fn wait_for(env: &Env, awaited: &Awaited, deadline: Option<Instant>, interrupt: &Interrupt) -> Result<View> {
    wait_while(env, awaited, deadline, interrupt, &mut None)
}

/// The same, and shows meanwhile how the jobs stand.
///
/// # Errors
/// As [`wait_for`].
pub fn wait_while(
    env: &Env,
    awaited: &Awaited,
    deadline: Option<Instant>,
    interrupt: &Interrupt,
    progress: &mut Option<Progress>,
) -> Result<View> {
    let job = awaited.job;
    let (mut pause, mut waiting) = (Duration::from_millis(1), Waiting::default());
    loop {
        if let Some(view) = ended(env, awaited, deadline)? {
            return Ok(view);
        }
        check(interrupt, job)?;
        progress.iter_mut().for_each(Progress::tick);
        waiting.look(env, job);
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            let message = format!("{} {} is {}", job.kind.word(), job.id, job.still());
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

/// The job after its end.
fn ended(env: &Env, awaited: &Awaited, deadline: Option<Instant>) -> Result<Option<View>> {
    let job = awaited.job;
    if job.is_forgotten() {
        awaited.watch(env);
    }
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
        return awaited.removed().map(Some);
    }
    let is_late = deadline.is_some_and(|deadline| deadline <= Instant::now());
    let is_open = view.is_running() || is_late && view.outcome == Some(Outcome::Unknown);
    Ok((!is_open).then_some(view))
}
