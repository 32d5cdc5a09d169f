//! `forget`: removes the logs and records of jobs. It stops no job.

use anyhow::Result;

use super::prune::forget_matching;
use super::which::words;
use super::{Done, settle};
use crate::cli::Forget;
use crate::env::Env;
use crate::error::Failure;
use crate::job::gone::{Gone, How};
use crate::job::record::Kind;
use crate::job::select::{find, removed};
use crate::job::store::{Forgotten, IfRunning, Removal, Store};
use crate::job::tombstone::Tombstone;
use crate::job::{CONTROL, EXIT, Job};
use crate::names::GroupName;
use crate::output::Voice;
use crate::runner::container_name;
use crate::supervisor::{clear, sweep};

/// How a job is removed.
#[derive(Debug, Clone, Copy)]
pub struct Mode {
    /// What is told of it afterwards.
    pub how: How,
    /// If it still runs.
    pub running: IfRunning,
}

/// Forgets each of them and the runs of the groups, or all that match, and finishes what killed processes left of others.
pub fn forget(env: &Env, voice: &Voice, kind: Kind, args: &Forget, groups: &[GroupName]) -> Result<u8> {
    if args.jobs.is_empty() && groups.is_empty() {
        return forget_matching(env, voice, kind, args);
    }
    let code = words(env, &args.jobs, groups)?.each(voice, |typed| {
        let (store, job) = find(env, kind, typed)?;
        let env = &settle(env, voice, &job);
        forget_one(env, voice, &store, &job)?;
        Ok(Done::to(&job))
    })?;
    sweep(env);
    Ok(code)
}

fn forget_one(env: &Env, voice: &Voice, store: &Store, job: &Job) -> Result<()> {
    let mode = Mode { how: How::Forgotten, running: IfRunning::Hide };
    match drop_job(env, voice, store, job, mode)? {
        Forgotten::Hidden | Forgotten::Running => {
            let (word, end) = (job.kind.word(), job.kind.end_verb());
            let how = format!("longshore {} {end} {}", job.kind.noun(), job.id);
            let still = job.still();
            voice.note(&format!("note: {word} {} is {still}, and is hidden now; end it with: {how}", job.id));
            Ok(())
        }
        Forgotten::Removed => Ok(()),
        Forgotten::Absent => {
            let gone = store.gone(job.id.as_str(), None, env.now());
            Err(gone.map_or_else(|| vanished(job), |gone: Gone| removed(&gone, env.now())).into())
        }
    }
}

fn vanished(job: &Job) -> Failure {
    let message = format!("could not forget {}: another process removed it", job.id);
    Failure::new(crate::error::Kind::NotFound, message)
}

/// Removes a job. The directory is moved aside first, because the container may have the last copy of the output. A tombstone
/// remembers the container until it is removed.
///
/// # Errors
/// An error of the file system. The job is then unchanged.
pub fn drop_job(env: &Env, voice: &Voice, store: &Store, job: &Job, mode: Mode) -> Result<Forgotten> {
    let may_have_container = job.kind == Kind::Run && (!job.dir.has(EXIT) || job.dir.has(CONTROL));
    let is_kept = job.record().is_ok_and(|record| record.run().is_some_and(|run| run.keep));
    let is_ours = may_have_container && !is_kept && !job.is_copy();
    let docker = || env.docker.clone().unwrap_or_else(|| "docker".into());
    let tombstone = is_ours.then(|| Tombstone::of(job, docker(), env.endpoint(), env.now()));
    let removal = Removal { tombstone: tombstone.as_ref(), how: mode.how, running: mode.running, now: env.now() };
    let forgotten = store.forget(job, &removal)?;
    if forgotten == Forgotten::Removed {
        let name = container_name(&job.id);
        match &tombstone {
            Some(tombstone) if !clear(env, store, tombstone) => {
                voice.note(&format!("note: its container {name} may still be there; a later command will remove it"));
            }
            None if may_have_container => voice.note(&format!("note: its container {name} was not removed")),
            _ => {}
        }
    }
    Ok(forgotten)
}
