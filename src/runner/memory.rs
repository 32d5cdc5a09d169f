//! What an engine remembers of a container: its last events, which a restart of the engine takes away. So they prove that
//! there was none.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::local::patiently;
use crate::engine::{Engine, inspect};
use crate::env::Env;
use crate::job::record::Begun;
use crate::job::standing::Ended;

/// How long after the recorded end of a container the engine usually tells of it at the latest.
const TOLD: Duration = Duration::from_secs(1);

/// Whether the engine still has an event of the container, asked until each of these times in turn.
fn remembers(engine: &Engine, container: &str, event: &str, until: impl IntoIterator<Item = DateTime<Utc>>) -> bool {
    let events = |until| patiently(|| engine.events(container, until));
    until.into_iter().any(|until| events(until).is_ok_and(|events| events.iter().any(|action| action == event)))
}

/// The container was made before it was started, by the same clock.
pub fn has_stayed_up(engine: &Engine, container: &str, started: Option<DateTime<Utc>>) -> bool {
    remembers(engine, container, "create", started)
}

/// The engine tells of the end a moment after the time that it has noted for it; a busy one later. Its clock may differ from
/// ours.
pub fn saw_end(engine: &Engine, env: &Env, begun: Option<&Begun>, end: &Ended) -> bool {
    let may_lose_it = inspect::may_lose_an_end(begun.and_then(|begun| begun.engine_version.as_deref()));
    let told = end.finished.map(|finished| finished + TOLD);
    !may_lose_it || remembers(engine, &end.container, "die", told.into_iter().chain([env.now()]))
}
