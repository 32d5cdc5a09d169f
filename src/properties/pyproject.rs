//! The packages of a `pyproject.toml`.

use super::is_plain_message;
use crate::names::{DependencyGroup, ExtraName, Packages, PipRequirement};
use crate::recipe::{Place, pyproject};

/// Every property of this file. All groups and extras that the text has are asked for, and then none.
pub fn all(text: &str) {
    let names = pyproject::names(text);
    let groups: Vec<DependencyGroup> = names.groups.iter().filter_map(|name| name.parse().ok()).collect();
    let extras: Vec<ExtraName> = names.extras.iter().filter_map(|name| name.parse().ok()).collect();
    let Some(most) = taken(text, &groups, &extras) else { return };
    // Which lists are asked for, and in which order, adds nothing that is not there.
    let fewer = taken(text, &groups[..groups.len() / 2], &[]).unwrap_or_default();
    assert!(fewer.iter().all(|package| most.contains(package)), "{fewer:?} {most:?}");
    let again = taken(text, &[&groups[..], &groups].concat(), &extras).expect("a list may be named twice");
    assert_eq!(again, most);
}

/// What is taken is a line for pip for each package, which reads back as the same packages.
fn taken(text: &str, groups: &[DependencyGroup], extras: &[ExtraName]) -> Option<Vec<PipRequirement>> {
    match pyproject::packages(Place::Key("pyproject"), text, groups, extras) {
        Ok(found) => {
            let lines: String = found.iter().map(|package| format!("{package}\n")).collect();
            assert_eq!(lines.lines().count(), found.len());
            for line in lines.lines() {
                let is_line = line.starts_with(|c: char| c.is_ascii_alphanumeric()) && !line.contains(['\\', '$']);
                assert!(is_line && !line.split(' ').any(|word| word.starts_with(['-', '#'])), "{line:?}");
            }
            assert_eq!(lines.parse::<Packages<PipRequirement>>(), Ok(Packages(found.clone())));
            Some(found)
        }
        Err(failure) => {
            is_plain_message(&failure.message);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    /// An entry of a list, likely and unlikely.
    const ENTRY: &str = "('six'|\"a\\.b==1\\.0\"|'idna\\[x\\] >=1,<2'|\"x ; os_name == 'nt'\"|'P\\[a\\]'|'p'|'x @ https://h'|'\\./y'|'-e \\.'\
        |\\{include-group = '[ab]'\\}|\\{include-group = 1\\}|\\{\\}|1|\"\\\\n\"|'[ -&(-~]{0,5}'|'\u{85}'|'\u{202e}'|\\[\\])";

    /// A key with a list, or a table.
    const KEY: &str = "(dependencies|dynamic|optional-dependencies\\.a|optional-dependencies\\.B|name|a|b|A|'')";

    proptest! {
        #[test]
        fn properties_hold(
            tables in prop::collection::vec(
                ("\\[(project|project|dependency-groups|dependency-groups|project\\.optional-dependencies|tool)\\]\n",
                 prop::collection::vec((KEY, prop::collection::vec(ENTRY, 0..3)), 0..3)), 0..4),
            named in any::<bool>(),
        ) {
            let mut text = if named { "project.name = 'P'\n".to_owned() } else { String::new() };
            for (table, lists) in tables {
                text += &table;
                for (key, entries) in lists {
                    text += &format!("{key} = [{}]\n", entries.join(", "));
                }
            }
            all(&text);
        }

        #[test]
        fn lists_that_are_accepted_have_everything_that_was_written(
            packages in prop::collection::vec("[a-z]{2,5}((==|>=)[0-9]{1,2})?", 0..6), split in 0..6usize,
        ) {
            let quoted: Vec<String> = packages.iter().map(|package| format!("'{package}'")).collect();
            let (project, group) = quoted.split_at(split.min(quoted.len()));
            let text = format!(
                "[project]\ndependencies = [{}]\n[dependency-groups]\na = [{{include-group='b'}}]\nb = [{}]",
                project.join(","), group.join(",\n"),
            );
            let group = "a".parse::<DependencyGroup>().unwrap();
            let found = taken(&text, &[group], &[]).expect("requirements");
            let mut seen = HashSet::new();
            let expected: Vec<&str> = packages.iter().map(String::as_str).filter(|package| seen.insert(*package)).collect();
            prop_assert_eq!(found.iter().map(PipRequirement::as_str).collect::<Vec<_>>(), expected);
        }

        #[test]
        fn properties_hold_for_any_text(text in "(?s).{0,60}") {
            all(&text);
        }
    }
}
