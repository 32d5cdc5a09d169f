//! Completes from the files that the line names: the path of a program inside the source directory (`exec run --src DIR --main
//! FILE`), and the groups and extras of a `pyproject.toml` (`image create --pyproject FILE --group GROUP`).

use std::path::{Component, Path};

use super::line::Line;
use super::reply::Offer;
use crate::env::Env;
use crate::recipe::pyproject::{Names, names};

/// The largest `pyproject.toml` that is read, in bytes.
const LARGEST: u64 = 1 << 20;

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

/// The groups and extras of the `pyproject.toml` on the line; none if there is no such file.
pub fn project(env: &Env, line: &Line) -> Names {
    let Some(path) = line.value_of("--pyproject").map(|path| env.expanded(path)) else { return Names::default() };
    // A pipe would be empty for the command itself afterwards.
    let is_small = path.metadata().is_ok_and(|file| file.is_file() && file.len() <= LARGEST);
    let text = if is_small { std::fs::read_to_string(path).unwrap_or_default() } else { String::new() };
    names(text.strip_prefix('\u{feff}').unwrap_or(&text))
}
