//! Finishes what killed processes left: jobs whose supervisor was killed, containers of forgotten runs, and directories.
//!
//! A run whose container still runs gets a new supervisor. The end of any other job is recorded here. Both happen only with
//! the engine on which the job was started. Every step may be repeated, and of two processes one acts.

use std::process::Child;

use anyhow::Result;

use super::Task;
use super::after;
use super::conclude::{conclude_found, is_cleared, save, tidy};
use super::fetch::correct;
use super::launch::{Way, launch};
use super::points::remove_points;
use super::waiting::cancelled;
use crate::env::Env;
use crate::job::queue::Queue;
use crate::job::record::{Exit, Kind, Outcome, Record};
use crate::job::request::{Answer, Effect};
use crate::job::standing::{Facts, Queued, Running, Sighting, Standing, derive, settled};
use crate::job::store::{Extent, Spent, Store};
use crate::job::tombstone::Tombstone;
use crate::job::{CONTROL, EXIT, Here, Job};
use crate::names::JobId;
use crate::runner::{Runner, Subject, Values};

/// What was done about a job.
#[derive(Debug)]
pub enum Recovery {
    /// Nothing: it has ended, or it has a supervisor, or a docker client that still builds.
    Settled,
    /// It has a new supervisor, which attends it, or waits for its start.
    Adopted(Child),
    /// Its end was recorded.
    Finished,
    /// Another process is doing it.
    Busy,
    /// Nothing can be done yet, because docker may still be starting its container.
    Starting,
    /// Nothing can be done now: the engine does not answer, or the job belongs to another host or directory.
    Open,
}

/// Finishes what a killed supervisor left of a job, if anything.
///
/// # Errors
/// When the state directory cannot be written, or no supervisor can be started.
pub fn recover(env: &Env, job: &Job) -> Result<Recovery> {
    let here = Here::now(env);
    if job.dir.has(EXIT) {
        let removed = remove_remains(env, job);
        follow_up(env, job)?;
        return removed;
    }
    let facts = job.facts(&here);
    let is_alone = match settled(&facts) {
        None => true,
        Some(Standing::Queued(Queued::Unsupervised)) => true,
        // Between two attempts there is no client.
        // A client that still writes the log is no supervisor: the time limit of the run would not be kept.
        Some(Standing::Running(Running::Unsupervised)) => job.kind == Kind::Run,
        Some(_) => false,
    };
    let Some(subject) = Subject::of(&facts).filter(|_| is_alone) else { return Ok(Recovery::Settled) };
    if is_foreign(env, job, subject.record) {
        return Ok(Recovery::Open);
    }
    if facts.queued || facts.resting && !facts.locked {
        let recovery = wait_again(env, job, &facts, subject.record);
        follow_up(env, job)?;
        return recovery;
    }
    match Runner::of(env, subject.record).look(subject) {
        Sighting::Alive(_) => adopt(job),
        _ if facts.log_locked => Ok(Recovery::Settled),
        Sighting::Unreachable(_) | Sighting::OtherEngine => Ok(Recovery::Open),
        Sighting::Absent if !job.has_been_missing(&here)? => Ok(Recovery::Starting),
        Sighting::NeverStarted(container) if container.why.is_none() && !job.has_been_missing(&here)? => {
            Ok(Recovery::Starting)
        }
        // The supervisor decides whether it is tried again, and fetches the output, which may take long.
        Sighting::Ended(_) if may_be_tried_again(&facts, subject.record) || subject.record.is_copied() => adopt(job),
        sighting => {
            let finished = finish(env, job, &sighting);
            follow_up(env, job)?;
            finished
        }
    }
}

/// Has the command of `--on-exit` run, if the supervisor was killed before it had started it.
fn follow_up(env: &Env, job: &Job) -> Result<()> {
    let is_due = job.dir.has(EXIT) && job.has_hook_due();
    let is_ours = || job.record().is_ok_and(|record| !is_foreign(env, job, &record));
    if is_due && is_ours() { after::hand_over(job) } else { Ok(()) }
}

/// Whether this process must not act on a job: it was started on another host, or its directory is a copy and the container
/// belongs to the original.
fn is_foreign(env: &Env, job: &Job, record: &Record) -> bool {
    record.host != env.host() && record.boot_id != env.boot_id() || job.is_copy()
}

/// Starts a supervisor for a run whose container still runs.
fn adopt(job: &Job) -> Result<Recovery> {
    let Some(lock) = job.take_over()? else { return Ok(Recovery::Busy) };
    if job.dir.has(EXIT) {
        return Ok(Recovery::Settled);
    }
    launch(job, lock, Way::Adopt, &Values::default()).map(Recovery::Adopted)
}

/// Whether a run whose container has ended may be tried again. After a reboot nothing is.
fn may_be_tried_again(facts: &Facts, record: &Record) -> bool {
    record.may_retry() && facts.same_boot == Some(true)
}

/// Starts another supervisor for a job that was certainly not started, or not for its next attempt: it waits on, in its old
/// place. The values of variables were known to the old supervisor only.
fn wait_again(env: &Env, job: &Job, facts: &Facts, record: &Record) -> Result<Recovery> {
    // A forgotten job that has ended is being removed: its exit record may be gone before its record is.
    if job.is_removed() {
        return Ok(Recovery::Settled);
    }
    if let Some(exit) = ended_meanwhile(job, facts, record) {
        return finish_as(env, job, record, exit, &Sighting::Absent);
    }
    let Some(lock) = job.take_over()? else { return Ok(Recovery::Busy) };
    if job.dir.has(EXIT) || job.begun().is_some() && !job.is_between_attempts() {
        return Ok(Recovery::Settled);
    }
    launch(job, lock, Way::Start, &Values::default()).map(Recovery::Adopted)
}

/// The end of a job that waits without a supervisor, if nothing is started any more: it was asked to end, it needs values of
/// variables, or the host was rebooted between two attempts.
fn ended_meanwhile(job: &Job, facts: &Facts, record: &Record) -> Option<Exit> {
    if let Some((request, exit)) = cancelled(record, &job.requests(), job) {
        let _ = job.answer(&Answer::new(&request, Ok(Effect::Sent)));
        return Some(Exit { recovered: true, ..exit });
    }
    let needs_values = record.run().is_some_and(|run| !run.env.is_empty());
    let reason = match (facts.resting, needs_values) {
        (true, _) if facts.same_boot != Some(true) => "the host was rebooted before its next attempt",
        (true, true) => "its supervisor was killed before its next attempt, and with it the values of its variables",
        (false, true) => "its supervisor was killed before it was started, and with it the values of its variables",
        (_, false) => return None,
    };
    let hint = Some(format!("start it again with: longshore exec rerun {}", job.id));
    Some(Exit { reason: Some(reason.to_owned()), hint, recovered: true, ..Exit::new(Outcome::Lost) })
}

/// Records the end of a job.
fn finish(env: &Env, job: &Job, sighting: &Sighting) -> Result<Recovery> {
    let Some(_held) = job.hold_ending()? else { return Ok(Recovery::Busy) };
    let facts = job.facts(&Here::now(env));
    if settled(&facts).is_some() {
        return Ok(Recovery::Settled);
    }
    let (Ok(record), Standing::Ended(exit)) = (&facts.record, derive(&facts, sighting)) else {
        return Ok(Recovery::Settled);
    };
    conclude_as(env, job, record, exit, sighting)
}

/// Records this end of a job that has no supervisor.
fn finish_as(env: &Env, job: &Job, record: &Record, exit: Exit, sighting: &Sighting) -> Result<Recovery> {
    let Some(_held) = job.hold_ending()? else { return Ok(Recovery::Busy) };
    if job.dir.has(EXIT) || job.is_supervised() {
        return Ok(Recovery::Settled);
    }
    conclude_as(env, job, record, exit, sighting)
}

fn conclude_as(env: &Env, job: &Job, record: &Record, exit: Exit, sighting: &Sighting) -> Result<Recovery> {
    let Some(task) = task(env, job, record.clone()) else { return Ok(Recovery::Settled) };
    conclude_found(&task, exit, sighting);
    anyhow::ensure!(job.dir.has(EXIT), "could not record the end of {} {}", job.kind.word(), job.id);
    Ok(Recovery::Finished)
}

fn task(env: &Env, job: &Job, record: Record) -> Option<Task> {
    let job = Store::open(env, job.kind).ok()??.job(&job.id)?;
    Some(Task::new(env, job, record))
}

/// Removes what a supervisor left that was killed after it had recorded the end.
fn remove_remains(env: &Env, job: &Job) -> Result<Recovery> {
    if !job.dir.has(CONTROL) || job.is_supervised() {
        return Ok(Recovery::Settled);
    }
    let Some(_held) = job.hold_ending()? else { return Ok(Recovery::Busy) };
    let (Ok(record), Some(Ok(mut exit))) = (job.record(), job.exit()) else { return Ok(Recovery::Settled) };
    if is_foreign(env, job, &record) {
        return Ok(Recovery::Open);
    }
    let Some(task) = task(env, job, record) else { return Ok(Recovery::Settled) };
    tidy(&task);
    correct(&task, &mut exit)?;
    let sighting = match task.record.kind {
        Kind::Run => task.runner().look(task.subject(None)),
        Kind::Build => Sighting::Absent,
    };
    let is_cleared = match &sighting {
        Sighting::Absent => task.runner().clear_absent(&task.record),
        // A swarm may have made its service after the call for it had timed out.
        Sighting::Alive(_) if task.runner().is_polled() => task.runner().clear_absent(&task.record),
        Sighting::Unreachable(_) | Sighting::OtherEngine | Sighting::Alive(_) | Sighting::ImageProven(_) => false,
        Sighting::Ended(_) | Sighting::NeverStarted(_) => {
            let saved = job.account().is_some() || save(&task, &sighting);
            is_cleared(&task, &exit, saved, &sighting)
        }
    };
    if !is_cleared {
        return Ok(Recovery::Open);
    }
    let _ = job.dir.remove(CONTROL);
    Ok(Recovery::Finished)
}

/// What a sweep did.
#[derive(Debug, Default)]
pub struct Swept {
    /// Jobs that got a new supervisor, which is a child of this process.
    pub adopted: Vec<(Kind, JobId, Child)>,
    /// Jobs whose end was recorded, or whose container was removed.
    pub finished: Vec<(Kind, JobId)>,
    /// Forgotten jobs that were removed, and builds whose context was removed.
    pub removed: Vec<(Kind, JobId, Spent)>,
    /// Forgotten runs of which nothing is left on the engine.
    pub cleared: Vec<JobId>,
    /// How many mount points in source directories were removed, which no run needed any more.
    pub points: usize,
    /// How many directories of killed processes were removed.
    pub directories: usize,
    /// What could not be done, and why.
    pub failed: Vec<String>,
    /// Whether another process sweeps now.
    pub is_busy: bool,
}

/// Finishes what killed processes left of all jobs. What cannot be done now is left to a later sweep, so there are no
/// errors.
pub fn sweep(env: &Env) -> Swept {
    let mut swept = Swept::default();
    for kind in [Kind::Run, Kind::Build] {
        let Ok(Some(store)) = Store::open(env, kind) else { continue };
        // One process at a time is enough.
        match store.hold_sweep() {
            Ok(Some(_held)) => {
                if kind == Kind::Run {
                    line_up(env, &mut swept);
                }
                sweep_store(env, &store, &mut swept);
            }
            Ok(None) => swept.is_busy = true,
            Err(error) => swept.failed.push(format!("could not finish {}s: {error}", kind.word())),
        }
    }
    for (settings, queue) in Queue::all(env).unwrap_or_default() {
        let tidied = queue.tidy();
        swept.failed.extend(tidied.err().map(|error| format!("could not tidy queue {}: {error:#}", settings.name)));
    }
    swept
}

/// Starts other supervisors for the jobs that wait in queues, in the order of their lines. In another order, the first of them
/// would take the room of those that come before it.
fn line_up(env: &Env, swept: &mut Swept) {
    for (_, queue) in Queue::all(env).unwrap_or_default() {
        let members = queue.members().unwrap_or_default();
        for entry in members.running.into_iter().chain(members.line) {
            let Some(job) = queue.job(&entry).filter(|job| job.begun().is_none() && !job.is_supervised()) else {
                continue;
            };
            // What fails here is tried once more with the other jobs.
            match recover(env, &job) {
                Ok(Recovery::Adopted(child)) => swept.adopted.push((entry.kind, entry.id, child)),
                Ok(Recovery::Finished) => swept.finished.push((entry.kind, entry.id)),
                _ => {}
            }
        }
    }
}

fn sweep_store(env: &Env, store: &Store, swept: &mut Swept) {
    let kind = store.kind;
    swept.directories += store.sweep();
    store.sweep_gone(env.now());
    // Each job is opened once, because there may be thousands.
    for job in store.all(Extent::Everything).into_iter().flatten().flatten() {
        // Of thousands that wait, each is supervised.
        if job.is_unfinished() && !job.is_supervised() {
            match recover(env, &job) {
                Ok(Recovery::Adopted(child)) => swept.adopted.push((kind, job.id.clone(), child)),
                Ok(Recovery::Finished) => swept.finished.push((kind, job.id.clone())),
                Ok(_) => {}
                Err(error) => swept.failed.push(format!("could not finish {} {}: {error:#}", kind.word(), job.id)),
            }
        }
        if let Some(spent) = Spent::of(&job).filter(|spent| store.remove_spent(&job, *spent, env.now())) {
            swept.removed.push((kind, job.id, spent));
        }
    }
    if kind == Kind::Run {
        let cleared = store.tombstones().into_iter().filter(|tombstone| clear(env, store, tombstone));
        swept.cleared.extend(cleared.map(|tombstone| tombstone.id));
        swept.points += remove_points(env, store);
    }
}

/// Removes the container of a forgotten run, if it can be removed now. Returns whether nothing is left of it.
#[must_use]
pub fn clear(env: &Env, store: &Store, tombstone: &Tombstone) -> bool {
    let is_clear = Runner::of_forgotten(env, tombstone).clear(tombstone, &Here::now(env));
    if is_clear {
        store.unbury(&tombstone.id);
    }
    is_clear
}
