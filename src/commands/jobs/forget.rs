//! `forget`: drops what is kept about jobs. Stops nothing.

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

/// A run whose end was not recorded has left its container behind, and one whose output could not be saved whole has
/// kept it as the last copy. One that still runs is left alone, and what its supervisor cleans up is left to it.
fn remove_abandoned_container(env: &Env, voice: &Voice, job: &Job) {
    let clean = job.dir.has(EXIT) && !job.dir.has(CONTROL);
    if clean || job.is_supervised() || !job.has_ended() || job.kind == Kind::Build {
        return;
    }
    let keep = job.record().ok().and_then(|record| Some(record.run()?.keep)).unwrap_or_default();
    let Some((runner, sighting)) = look(env, job) else { return };
    let Some(container) = sighting.container() else { return };
    if keep || !runner.remove(container) {
        voice.note(&format!("note: its container {} was not removed", container_name(&job.id)));
    }
}
