//! Volumes with copies of files of runs that no container uses.

use super::report::{CopyRow, Fate, Report};
use crate::engine::left::{LeftCopy, left_copies};
use crate::engine::{Answer, Engine, EngineError, argv};
use crate::env::Env;
use crate::error::Failure;
use crate::job::prune::Wanted;
use crate::job::record::Kind;
use crate::job::store::Store;
use crate::output::Voice;

/// Those of this user that are old enough.
pub fn left(engine: &Engine, env: &Env, wanted: &Wanted) -> Answer<Vec<LeftCopy>> {
    let objects = engine.volumes(&engine.unused_copies(env.uid)?)?;
    let mut left = left_copies(&objects, env.uid);
    left.retain(|copy| wanted.is_old(copy.created, env.now()));
    Ok(left)
}

/// Removes those of the plan. Without runs in the state directory, no process of this user is about to use one.
pub fn remove_all(env: &Env, voice: &Voice, engine: &Engine, report: &mut Report) {
    if report.copies.is_empty() {
        return;
    }
    let store = Store::open(env, Kind::Run).and_then(|store| match store {
        Some(store) => store.check_writable().map(|()| Some(store)),
        None => Ok(None),
    });
    let store = match store {
        Ok(store) => store,
        Err(error) => return report.fail(voice, &Failure::of(&error)),
    };
    for row in &mut report.copies {
        let done = remove(env, engine, store.as_ref(), row);
        row.fate = done.unwrap_or_else(|failure| Fate::failed(voice, &failure));
    }
}

/// Removes one of them. The engine refuses one that a container uses.
fn remove(env: &Env, engine: &Engine, store: Option<&Store>, row: &CopyRow) -> Result<Fate, Failure> {
    let name = &row.name;
    let could_not = format!("could not remove volume {name}");
    let failed = |error: EngineError| error.failure(&could_not);
    let held = store.map(|store| store.try_hold_copies(name)).transpose();
    let held = match held.map_err(|error| Failure::of(&error).because(&could_not))? {
        Some(None) => return Ok(Fate::left("files of a run are copied to an engine now")),
        held => held.flatten(),
    };
    let found = engine.volumes(std::slice::from_ref(name)).map_err(failed)?;
    match left_copies(&found, env.uid).as_slice() {
        [] => return Ok(Fate::left("another process removed it")),
        [copy] if copy.mark == row.mark => {}
        _ => return Ok(Fate::left("it was made anew meanwhile")),
    }
    if let Err(error) = engine.read(&argv::volume_remove(name)) {
        return match engine.unused_copies(env.uid).map_err(failed)?.contains(name) {
            true => Err(failed(error)),
            false => Ok(Fate::left("a container uses it now")),
        };
    }
    held.iter().for_each(|copies| copies.forget(name));
    Ok(Fate::removed())
}
