//! A job that waits for its start: until other jobs have ended, until it is its turn in a queue, and while the engine does not
//! answer. Nothing is polled: the supervisor sleeps until it is woken, and threads of it wait for locks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::attend::Attendant;
use super::watch::{Waker, Watch, dispatch};
use super::{Task, room};
use crate::env::Env;
use crate::job::Job;
use crate::job::queue::{Held, Queue, Stage};
use crate::job::record::{Exit, Outcome, Record};
use crate::job::request::{Answer, Effect, Request, Requests};
use crate::job::store::Store;
use crate::job::waits::Dependency;
use crate::units::show_duration;

/// Pause between two looks where a lock cannot be waited for.
const LOOK: Duration = Duration::from_secs(1);

/// Pause between two looks whether its own directory is still there.
const SLOW_LOOK: Duration = Duration::from_secs(10 * 60);

/// How the waiting came to its end.
#[derive(Debug)]
pub enum Waited {
    /// The job is to be started, with the room that its queue gave to it.
    Turn(Held),
    /// The job has ended without a start.
    Over(Exit),
}

/// A job that another one waits for.
#[derive(Debug)]
struct Open {
    dependency: Dependency,
    /// Whether a thread waits for its end.
    watched: Arc<AtomicBool>,
}

/// The state of a supervisor whose job waits.
#[derive(Debug)]
pub struct Waiting {
    task: Arc<Task>,
    waker: Waker,
    open: Vec<Open>,
    /// Until when it may wait.
    deadline: Option<Instant>,
    /// Whether this process takes part in watching the queue.
    dispatches: bool,
    /// Whether some of the jobs cannot be waited for, so that they have to be looked at.
    looks_at_jobs: bool,
    /// The same of the queue.
    looks_at_queue: bool,
}

impl Waiting {
    /// The waiting of a job that was just taken over.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub fn new(task: &Arc<Task>, attendant: &Attendant) -> Result<Self> {
        let waits = &task.record.waits;
        let open = |dependency: &Dependency| Open { dependency: dependency.clone(), watched: Arc::default() };
        // The limit counts from the request, also after another supervisor was killed.
        let passed = (task.env.now() - task.record.created).to_std().unwrap_or_default();
        let limit = waits.limit.map(Duration::from_secs_f64);
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit.saturating_sub(passed)));
        let open = waits.after.iter().map(open).collect();
        let (task, waker) = (Arc::clone(task), attendant.waker()?);
        Ok(Self { task, waker, open, deadline, dispatches: false, looks_at_jobs: false, looks_at_queue: false })
    }

    /// That of a job between two attempts, which has nothing more to wait for.
    ///
    /// # Errors
    /// As [`Waiting::new`].
    pub fn between_attempts(task: &Arc<Task>, attendant: &Attendant) -> Result<Self> {
        Ok(Self { open: Vec::new(), deadline: None, ..Self::new(task, attendant)? })
    }

    /// Waits until the job is to be started or has ended. A queue that cannot be read or written is tried again.
    pub fn wait(&mut self, attendant: &mut Attendant) -> Waited {
        loop {
            if let Some(exit) = self.over() {
                return Waited::Over(exit);
            }
            if self.open.is_empty() {
                match self.turn() {
                    Ok(Some(held)) => return Waited::Turn(held),
                    Ok(None) => {}
                    Err(_) => self.looks_at_queue = true,
                }
            }
            let look = Instant::now() + if self.looks_at_jobs || self.looks_at_queue { LOOK } else { SLOW_LOOK };
            attendant.listen(self.deadline.into_iter().chain([look]).min());
        }
    }

    /// Waits for the given time before another start. Returns the end of the job, if it ends meanwhile.
    pub fn pause(&mut self, attendant: &mut Attendant, length: Duration) -> Option<Exit> {
        let end = Instant::now() + length;
        loop {
            let over = self.over();
            if over.is_some() || Instant::now() >= end {
                return over;
            }
            attendant.listen(self.deadline.into_iter().chain([end]).min());
        }
    }

    /// The end of the job, if it has ended: it was asked to end, its time has passed, or a job that it waits for has ended in
    /// another way than it needs.
    fn over(&mut self) -> Option<Exit> {
        self.removed().or_else(|| self.asked_to_end()).or_else(|| self.too_late()).or_else(|| self.skipped())
    }

    /// Without its directory it would make a new state directory for its queue.
    fn removed(&self) -> Option<Exit> {
        let reason = || Some("its directory was removed".to_owned());
        self.task.job.is_removed().then(|| Exit { reason: reason(), ..Exit::new(Outcome::Lost) })
    }

    fn asked_to_end(&self) -> Option<Exit> {
        let (request, exit) = cancelled(&self.task.record, &self.task.requests(), &self.task.job)?;
        self.task.answer(Answer::new(&request, Ok(Effect::Sent)));
        Some(exit)
    }

    fn too_late(&self) -> Option<Exit> {
        self.deadline.filter(|deadline| *deadline <= Instant::now())?;
        let limit = self.task.record.waits.limit.map(Duration::from_secs_f64).unwrap_or_default();
        Some(Exit {
            reason: Some(format!("it was not started within its --queue-timeout of {}", show_duration(limit))),
            ..Exit::new(Outcome::Timeout)
        })
    }

    /// Looks at the jobs that it waits for. Those that have ended as needed are done with.
    fn skipped(&mut self) -> Option<Exit> {
        self.looks_at_jobs = false;
        let mut left = Vec::new();
        for open in std::mem::take(&mut self.open) {
            let dependency = &open.dependency;
            match end_of(&self.task.env, dependency) {
                Some(outcome) if dependency.is_met_by(outcome) => {}
                Some(outcome) => {
                    let reason = format!("{} ended as {}", dependency.shown(), outcome.word());
                    return Some(Exit { reason: Some(reason), ..Exit::new(Outcome::Skipped) });
                }
                None => {
                    self.looks_at_jobs |= !self.watch(&open);
                    left.push(open);
                }
            }
        }
        self.open = left;
        None
    }

    /// Has a thread wait for the end of a job, and wake this process then. Returns whether there is such a thread.
    fn watch(&self, open: &Open) -> bool {
        if open.watched.swap(true, Ordering::SeqCst) {
            return true;
        }
        let spawned = self.watch_anew(open).is_some();
        if !spawned {
            open.watched.store(false, Ordering::SeqCst);
        }
        spawned
    }

    fn watch_anew(&self, open: &Open) -> Option<()> {
        let Dependency { kind, id, .. } = &open.dependency;
        let job = Store::open(&self.task.env, *kind).ok()??.job(id)?;
        let (waker, watched) = (self.waker.clone(), Arc::clone(&open.watched));
        let watch = Watch::new(&self.task.env, job);
        let wait = move || {
            watch.until_ended();
            watched.store(false, Ordering::SeqCst);
            waker.wake();
        };
        std::thread::Builder::new().spawn(wait).ok().map(drop)
    }

    /// The room in the queue, once the job has its turn.
    fn turn(&mut self) -> Result<Option<Held>> {
        let Some(name) = &self.task.record.waits.queue else { return Ok(Some(Held::default())) };
        let job = &self.task.job;
        let queue = Queue::make(&self.task.env, name)?;
        match queue.stage(&job.id)? {
            Some(Stage::Running(held)) => return Ok(Some(held)),
            Some(Stage::Line) => {}
            Some(Stage::Held) => queue.release(&job.id)?,
            // Another program removed it.
            None => room::enter(&self.task)?,
        }
        if !self.dispatches {
            self.dispatches = true;
            // With a full disk it is tried again.
            self.looks_at_queue = queue.advance().is_err() | dispatch(&self.task.env, job, name, &self.waker).is_err();
        } else if self.looks_at_queue {
            let _ = queue.advance();
        }
        let stage = queue.stage(&job.id)?;
        Ok(stage.and_then(|stage| if let Stage::Running(held) = stage { Some(held) } else { None }))
    }
}

/// The end of a job that waits, if it was asked to end, and the request. Any request ends a job that was not started, also one
/// that would only send a signal to its program. Between two attempts, that one was for the last one.
#[must_use]
pub fn cancelled(record: &Record, requests: &Requests, job: &Job) -> Option<(Request, Exit)> {
    let is_first = job.attempts().is_empty();
    let request = if is_first { requests.since(0).next() } else { requests.to_end() }?;
    let (noun, verb) = (record.kind.noun(), request.verb.word());
    let before = if is_first { "it was started" } else { "its next attempt" };
    let reason = Some(format!("ended by longshore {noun} {verb} before {before}"));
    Some((request.clone(), Exit { reason, ..Exit::new(Outcome::Cancelled) }))
}

/// How a job that another one waits for has ended; `None` while it has not. What cannot be found out any more is lost.
fn end_of(env: &Env, dependency: &Dependency) -> Option<Outcome> {
    let Dependency { kind, id, .. } = dependency;
    let store = match Store::open(env, *kind) {
        Ok(Some(store)) => store,
        Ok(None) => return Some(Outcome::Lost),
        // It is looked at again.
        Err(_) => return None,
    };
    let end = |job: &Job| job.exit().map(|exit| exit.map_or(Outcome::Corrupt, |exit| exit.outcome));
    match store.job(id) {
        Some(job) if !job.is_removed() => end(&job),
        _ => Some(store.gone(id.as_str(), None, env.now()).map_or(Outcome::Lost, |gone| gone.outcome)),
    }
}
