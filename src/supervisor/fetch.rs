//! Copies the output of a run that has ended, after the supervisor could not. The exit record is corrected: the run has not
//! failed any more only because its output was missing.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::conclude::{is_cleared, save};
use super::{Task, after};
use crate::engine::copying::Heed;
use crate::env::Env;
use crate::error::{Failure, Kind};
use crate::job::moved::{FETCHED, Moved};
use crate::job::record::{Exit, Record};
use crate::job::standing::Sighting;
use crate::job::store::Store;
use crate::job::{CONTROL, EXIT, Job};
use crate::runner::NotFetched;

/// Copies it into this directory, and removes the container unless it is to be kept. `None` means that `heed` did not want
/// it any more.
///
/// # Errors
/// When the container is gone, the engine does not answer, or the copy fails. The container stays then.
pub fn fetch(env: &Env, job: &Job, record: Record, output: &Path, heed: &mut Heed) -> Result<Option<Moved>> {
    let could_not = format!("could not fetch the output of run {}", job.id);
    let conflict = |why: &str| Failure::new(Kind::Conflict, format!("{could_not}: {why}"));
    let held = job.hold_ending()?;
    let _held = held.ok_or_else(|| conflict("another process is recording its end").hint("try again"))?;
    let mut exit = job.exit().context("its end is not recorded")?.map_err(|damaged| anyhow::anyhow!(damaged.0))?;
    let store = Store::open(env, job.kind)?.context("there is no state directory")?;
    let opened = store.job(&job.id).context("the directory of the job is gone")?;
    let task = Task::new(env, opened, record);
    // A process that had fetched it may have been killed before this.
    correct(&task, &mut exit)?;
    let sighting = task.runner().look(task.subject(None));
    let container = match &sighting {
        Sighting::Ended(end) => end.container.clone(),
        Sighting::Unreachable(failure) => return Err(failure.clone().because(&could_not).into()),
        Sighting::OtherEngine => {
            return Err(conflict("another engine answers than the one on which it ran").into());
        }
        _ if job.has_fetched() => return Err(conflict("it was fetched before, and its container is removed").into()),
        _ => return Err(Failure::new(Kind::NotFound, format!("{could_not}: its container is gone")).into()),
    };
    let moved = match task.runner().fetch_output(&task.record, &container, output, heed) {
        Ok(moved) => moved,
        Err(NotFetched::Stopped) => return Ok(None),
        Err(NotFetched::Away(failure) | NotFetched::Cut(failure) | NotFetched::Failed(failure)) => {
            return Err(failure.into());
        }
    };
    job.write_json(FETCHED, &moved)?;
    correct(&task, &mut exit)?;
    let saved = job.account().is_some() || save(&task, &sighting);
    if is_cleared(&task, &exit, saved, &sighting) {
        let _ = job.dir.remove(CONTROL);
    }
    Ok(Some(moved))
}

/// Corrects the exit record of a run whose output was fetched after its end was recorded.
///
/// # Errors
/// When it cannot be written, for example because the disk is full. It is tried again then.
pub fn correct(task: &Task, exit: &mut Exit) -> Result<()> {
    if exit.unfetched && task.job.has_fetched() {
        exit.have_output();
        after::make_stamp(task, exit);
        task.job.dir.replace(EXIT, &exit.to_bytes()).context("could not correct the exit record")?;
    }
    Ok(())
}
