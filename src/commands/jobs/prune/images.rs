//! Untagged images that builds left on the engine.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::report::Fate;
use crate::engine::left::{LeftImage, is_unnamed, left_by_builds};
use crate::engine::{Answer, Engine, argv};
use crate::error::Failure;
use crate::job::prune::Wanted;

/// Those that are old enough, apart from those of these builds, which may not have named theirs yet.
pub fn left(
    engine: &Engine,
    unfinished: &HashSet<String>,
    wanted: &Wanted,
    now: DateTime<Utc>,
) -> Answer<Vec<LeftImage>> {
    let ids: Vec<String> = engine.json_lines(&argv::image_ids(&[format!("label={}", argv::JOB_LABEL)]))?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let objects = engine.images(&ids)?;
    let mut left = left_by_builds(&objects, &engine.images_in_use()?);
    left.retain(|image| !unfinished.contains(&image.build) && wanted.is_old(image.created, now));
    Ok(left)
}

/// Removes one of them, unless it has got a name meanwhile. The engine refuses to remove one that a container uses.
pub fn remove(engine: &Engine, id: &str) -> Result<Fate, Failure> {
    let could_not = format!("could not remove image {id}");
    let failed = |error: crate::engine::EngineError| error.failure(&could_not);
    match engine.images(&[id.to_owned()]).map_err(failed)?.as_slice() {
        [] => return Ok(Fate::left("another process removed it")),
        [object] if is_unnamed(object) => {}
        _ => return Ok(Fate::left("it has a name now")),
    }
    engine.read(&argv::image_remove(id, &[])).map_err(failed)?;
    Ok(Fate::removed())
}
