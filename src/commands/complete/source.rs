//! Completes the path of a program inside the source directory: `exec run --src DIR --main FILE`.

use std::path::{Component, Path};

use super::reply::Offer;
use crate::env::Env;

/// The files and directories in the source directory that continue what is typed. Hidden ones are offered once their dot
/// is typed.
pub fn files(env: &Env, source: Option<&str>, current: &str) -> Vec<Offer> {
    let (dir, start) = current.rsplit_once('/').map_or(("", current), |(dir, start)| (dir, start));
    let inside = Path::new(dir).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !inside || current.starts_with('/') {
        return Vec::new();
    }
    let source = env.expanded(source.unwrap_or("."));
    let before = &current[..current.len() - start.len()];
    let entries = std::fs::read_dir(source.join(dir)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path().is_dir())));
    let mut found: Vec<Offer> = names
        .filter(|(name, _)| name.starts_with(start) && (start.starts_with('.') || !name.starts_with('.')))
        .map(|(name, is_dir)| Offer::new(format!("{before}{name}{}", if is_dir { "/" } else { "" }), ""))
        .collect();
    found.sort_by(|a, b| a.value.cmp(&b.value));
    found
}
