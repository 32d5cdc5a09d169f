//! `forget`: drops what is kept about jobs. Stops nothing.

use anyhow::Result;

use super::{Done, engine_of};
use crate::cli::Forget;
use crate::engine::{PATIENCE, argv};
use crate::env::Env;
use crate::job::record::{Kind, Work};
use crate::job::select::find;
use crate::job::{CONTROL, EXIT, Job};
use crate::output::Voice;

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

/// A run that nobody finished any more has left its container behind, and one whose output could not be saved whole has
/// kept it as the last copy. One that still runs is left alone, and what its supervisor cleans up is left to it.
fn remove_abandoned_container(env: &Env, voice: &Voice, job: &Job) {
    let clean = job.dir.has(EXIT) && !job.dir.has(CONTROL);
    if clean || job.is_supervised() || !job.has_ended() || job.kind == Kind::Build {
        return;
    }
    let Some((engine, record)) = engine_of(env, job) else { return };
    let keep = matches!(&record.work, Work::Run(run) if run.keep);
    let Ok(Some(container)) = engine.container_of(&job.id) else { return };
    let removed =
        !keep && engine.run(&argv::remove(&container.state.id), PATIENCE).is_ok_and(|output| output.status.success());
    if !removed {
        voice.note(&format!("note: its container {} goes on", argv::container_name(&job.id)));
    }
}
