//! Counts the characters of the commands in the README's comparison with other tools.

use std::collections::BTreeMap;

use super::korean::{KOREAN, cells, readme_ko};
use super::{README, Splitter, assert_parses, ours, readme};

/// A row of the list of commands: the tool, what is typed, the number of characters that the README says.
struct Typed {
    tool: String,
    command: String,
    said: usize,
}

/// The tools that are compared, each with this number of tasks.
const TOOLS: usize = 5;
const TASKS: usize = 5;

fn typed(markdown: &str) -> Vec<Typed> {
    let row = |line: &str| {
        let [tool, _, command, said] = cells(line)?[..] else { return None };
        let command = command.strip_prefix('`')?.strip_suffix('`')?;
        Some(Typed { tool: tool.to_owned(), command: command.to_owned(), said: said.parse().ok()? })
    };
    markdown.lines().filter_map(row).collect()
}

/// The rows of the table of numbers: a task, or the sum of all, for each tool.
fn numbers(markdown: &str) -> Vec<Vec<usize>> {
    let row = |line: &str| cells(line)?[1..].iter().map(|cell| cell.parse().ok()).collect::<Option<Vec<usize>>>();
    markdown.lines().filter_map(row).filter(|row| row.len() == TOOLS).collect()
}

/// The tools in their order, each with the characters of its tasks as they are counted here.
fn counted(typed: &[Typed]) -> Vec<Vec<usize>> {
    let mut order: Vec<&str> = Vec::new();
    let mut counts: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for row in typed {
        counts.entry(&row.tool).or_insert_with(|| {
            order.push(&row.tool);
            Vec::new()
        });
        counts.get_mut(&*row.tool).unwrap().push(row.command.chars().count());
    }
    order.iter().map(|tool| counts[tool].clone()).collect()
}

#[test]
fn papers_readme_counts_the_characters_that_are_typed_with_each_tool() {
    for (name, text) in [(README, readme()), (KOREAN, readme_ko())] {
        let typed = typed(&text);
        for row in &typed {
            let Typed { tool, command, said } = row;
            assert_eq!(*said, command.chars().count(), "{name}: {tool}: {command}");
        }
        let counted = counted(&typed);
        assert_eq!(counted.iter().map(Vec::len).collect::<Vec<_>>(), [TASKS; TOOLS], "{name}: a task is missing");
        let tasks = (0..TASKS).map(|task| counted.iter().map(|tool| tool[task]).collect::<Vec<_>>());
        let sums = counted.iter().map(|tool| tool.iter().sum()).collect();
        assert_eq!(numbers(&text), tasks.chain([sums]).collect::<Vec<_>>(), "{name}: the table of numbers");
    }
}

#[test]
fn papers_readme_compares_only_command_lines_of_longshore_that_parse() {
    let typed = typed(&readme());
    let ours: Vec<Vec<String>> =
        typed.iter().flat_map(|row| Splitter::split(&row.command)).filter_map(|words| ours(&words)).collect();
    assert_eq!(ours.len(), TASKS);
    for words in &ours {
        assert_parses(words);
    }
}
