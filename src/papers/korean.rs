//! Holds the Korean README to the English one.
//!
//! A translation cannot be compared word for word. Compared is what is the same in both: the headings, the blocks of code,
//! the tables, and in each section the code and the links in the text. A new flag or file that one README lacks shows up.

use std::collections::BTreeSet;

use super::{COMMANDS, README, blocks, readme, root};

pub(super) const KOREAN: &str = "README.ko.md";

pub(super) fn readme_ko() -> String {
    std::fs::read_to_string(root(KOREAN)).unwrap()
}

/// What one section has in common with its translation.
#[derive(Debug, PartialEq, Eq)]
struct Section {
    /// Of the heading.
    level: usize,
    /// The code in the text, sorted: the order of words is another one in Korean.
    code: Vec<String>,
    /// The targets of links, sorted.
    links: Vec<String>,
    /// The cells of each row of each table that are numbers.
    tables: Vec<Vec<Vec<String>>>,
}

/// A line of Markdown, without blocks of code and the list of commands.
fn lines_of_text(markdown: &str) -> Vec<&str> {
    let (before, rest) = markdown.split_once(COMMANDS[0]).expect("a place for the commands");
    let (_, after) = rest.split_once(COMMANDS[1]).expect("the place for the commands ends");
    let mut is_code = false;
    let is_text = |line: &&str| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    };
    before.lines().chain(after.lines()).filter(is_text).collect()
}

fn level(line: &str) -> Option<usize> {
    let marks = line.bytes().take_while(|byte| *byte == b'#').count();
    (marks > 0 && line[marks..].starts_with(' ')).then_some(marks)
}

/// The cells of a table's row, or nothing.
pub(super) fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.strip_prefix("| ")?.strip_suffix(" |")?;
    Some(inner.split(" | ").map(str::trim).collect())
}

/// The tables, each as the numbers of its rows.
fn tables(lines: &[&str]) -> Vec<Vec<Vec<String>>> {
    let numbers = |line: &&str| -> Vec<String> {
        let is_number = |cell: &&str| !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit());
        cells(line).unwrap_or_default().into_iter().filter(is_number).map(str::to_owned).collect()
    };
    let groups = lines.split(|line| !line.starts_with('|'));
    groups.filter(|rows| !rows.is_empty()).map(|rows| rows.iter().map(numbers).collect()).collect()
}

/// The texts in backticks. They may go on in the next line.
fn code(text: &str) -> Vec<String> {
    let spans = text.split('`').skip(1).step_by(2);
    let mut spans: Vec<String> = spans.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    spans.sort();
    spans
}

/// The targets of links but those to the other language.
fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let mut links: Vec<String> = targets.filter(|link| ![README, KOREAN].contains(link)).map(str::to_owned).collect();
    links.sort();
    links
}

/// The sections, in order.
fn sections(markdown: &str) -> Vec<Section> {
    let lines = lines_of_text(markdown);
    let starts: Vec<usize> = (0..lines.len()).filter(|at| level(lines[*at]).is_some()).collect();
    let ends = starts.iter().skip(1).copied().chain([lines.len()]);
    let section = |(start, end): (&usize, usize)| {
        let lines = &lines[*start..end];
        let text = lines[1..].join("\n");
        Section { level: level(lines[0]).unwrap(), code: code(&text), links: links(&text), tables: tables(lines) }
    };
    starts.iter().zip(ends).map(section).collect()
}

fn headings(markdown: &str) -> Vec<&str> {
    lines_of_text(markdown).into_iter().filter(|line| level(line).is_some()).collect()
}

/// The commands of the list, in order.
fn listed(markdown: &str) -> Vec<&str> {
    let (_, rest) = markdown.split_once(COMMANDS[0]).unwrap();
    let lines = rest.split_once(COMMANDS[1]).unwrap().0.lines();
    lines.filter_map(|line| line.split('`').nth(1)).collect()
}

fn assert_links_each_other(english: &str, korean: &str) {
    let head = |text: &str| text.lines().take(5).collect::<Vec<_>>().join("\n");
    assert!(head(english).contains(&format!("]({KOREAN})")), "{README} does not begin with a link to {KOREAN}");
    assert!(head(korean).contains(&format!("]({README})")), "{KOREAN} does not begin with a link to {README}");
}

#[test]
fn papers_readme_in_korean_has_the_sections_of_the_english_one() {
    let [english, korean] = [readme(), readme_ko()];
    assert_links_each_other(&english, &korean);
    let [names, translated] = [headings(&english), headings(&korean)];
    let levels = |headings: &[&str]| headings.iter().filter_map(|line| level(line)).collect::<Vec<_>>();
    assert_eq!(levels(&translated), levels(&names), "{KOREAN} has other headings:\n{translated:#?}\n{names:#?}");
    for ((here, there), name) in sections(&korean).iter().zip(&sections(&english)).zip(names) {
        let rows = |section: &Section| section.tables.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(rows(here), rows(there), "{KOREAN} has other rows in the tables of: {name}");
        assert_eq!(here, there, "{KOREAN} differs from {README} in: {name}");
    }
}

#[test]
fn papers_readme_in_korean_has_the_blocks_of_code_of_the_english_one() {
    let [english, korean] = [blocks(&readme()), blocks(&readme_ko())];
    for (here, there) in korean.iter().zip(&english) {
        assert_eq!(here, there, "{KOREAN} has another block of code");
    }
    assert_eq!(korean.len(), english.len(), "{KOREAN} has another number of blocks of code");
}

#[test]
fn papers_readme_in_korean_lists_every_command_in_korean() {
    let [english, korean] = [readme(), readme_ko()];
    let [names, translated] = [listed(&english), listed(&korean)];
    let missing: Vec<_> = names.iter().filter(|name| !translated.contains(name)).collect();
    assert!(missing.is_empty(), "{KOREAN} lacks these commands: {missing:?}");
    assert_eq!(translated, names, "{KOREAN} lists other commands, or in another order");
    let is_korean = |line: &&str| line.chars().any(|c| ('가'..='힣').contains(&c));
    let (_, rest) = korean.split_once(COMMANDS[0]).unwrap();
    let lines = rest.split_once(COMMANDS[1]).unwrap().0.lines().filter(|line| !line.is_empty());
    let untranslated: BTreeSet<&str> = lines.filter(|line| !is_korean(line)).collect();
    assert!(untranslated.is_empty(), "{KOREAN} has lines that are not Korean: {untranslated:#?}");
}
