//! `forget`: removes the logs and records of jobs. It stops no job.

use anyhow::Result;

use super::{Done, look};
use crate::cli::Forget;
use crate::env::Env;
use crate::job::record::Kind;
use crate::job::select::find;
use crate::job::{CONTROL, EXIT, Job};
use crate::output::Voice;
use crate::runner::container_name;

/// Forgets each of them.
pub fn forget(env: &Env, voice: &Voice, kind: Kind, args: &Forget) -> Result<u8> {
    voice.each(args.jobs.iter().map(|typed| {
        let (store, job) = find(env, kind, typed)?;
        remove_abandoned_container(env, voice, &job);
        store.forget(&job)?;
        store.sweep();
        Ok(Done::to(&job))
    }))
}

/// Removes the container of a run if no supervisor will: its end was not recorded, or its output could not be saved
/// completely. The container of a run that is running or has a supervisor is not touched.
fn remove_abandoned_container(env: &Env, voice: &Voice, job: &Job) {
    let clean = job.dir.has(EXIT) && !job.dir.has(CONTROL);
    if clean || job.is_supervised() || !job.has_surely_ended().unwrap_or(false) || job.kind == Kind::Build {
        return;
    }
    let keep = job.record().ok().and_then(|record| Some(record.run()?.keep)).unwrap_or_default();
    let Some((runner, sighting)) = look(env, job) else { return };
    let Some(container) = sighting.container() else { return };
    if keep || !runner.remove(container) {
        voice.note(&format!("note: its container {} was not removed", container_name(&job.id)));
    }
}
