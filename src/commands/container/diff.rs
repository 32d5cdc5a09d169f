//! `container changes`: lists the files of a container that differ from its image.

use anyhow::Result;
use serde::Serialize;

use super::{find, words};
use crate::engine::Engine;
use crate::env::Env;
use crate::output::Voice;

/// A file that differs from the image's, as the Engine API gives it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "PascalCase")]
pub struct FileChange {
    /// Its path.
    path: String,
    /// 0 modified, 1 added, 2 deleted.
    #[cfg_attr(test, schemars(extend("enum" = [0, 1, 2])))]
    kind: u8,
}

/// Shows docker's own lines, or reads them.
pub fn changes(env: &Env, voice: &Voice, engine: &Engine, typed: &str) -> Result<u8> {
    let found = find(env, engine, typed)?;
    let could_not = format!("could not compare the files of container {}", found.name);
    let bytes = engine.read(&words(["diff"], &found.id)).map_err(|error| error.failure(&could_not))?;
    let text = String::from_utf8_lossy(&bytes);
    voice.answer(|| Ok(file_changes(&text)), |page| page.lines(text.lines()))?;
    Ok(0)
}

/// A path may hold newlines; a line that does not begin like a change continues the line before.
fn file_changes(text: &str) -> Vec<FileChange> {
    let mut changes: Vec<FileChange> = Vec::new();
    for line in text.lines() {
        let kind = match line.get(..3) {
            Some("C /") => Some(0),
            Some("A /") => Some(1),
            Some("D /") => Some(2),
            _ => None,
        };
        match (kind, changes.last_mut()) {
            (Some(kind), _) => changes.push(FileChange { path: line[2..].to_owned(), kind }),
            (None, Some(change)) => change.path += &format!("\n{line}"),
            (None, None) => {}
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changes_are_read_with_their_kinds_and_odd_paths() {
        let text = "C /etc\nA /etc/new file\nD /old\nA /two\nlines\n";
        let expected = json!([
            {"Path": "/etc", "Kind": 0}, {"Path": "/etc/new file", "Kind": 1}, {"Path": "/old", "Kind": 2},
            {"Path": "/two\nlines", "Kind": 1},
        ]);
        assert_eq!(serde_json::to_value(file_changes(text)).unwrap(), expected);
        assert!(file_changes("").is_empty());
    }
}
