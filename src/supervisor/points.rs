//! Removes the mount points that longshore made in source directories, when no run needs them any more.

use crate::env::Env;
use crate::job::store::Store;
use crate::runner::Runner;

/// Removes those that neither a run of this state directory nor another container of their engine needs. Returns how many
/// were removed. What cannot be told now is left to a later sweep.
pub fn remove_points(env: &Env, store: &Store) -> usize {
    store.remove_points(|point| !Runner::of_point(env, point).is_in_use(point.source.as_str()))
}
