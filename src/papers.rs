//! Tests that compare man pages, completions, schemas, the READMEs and the cookbook with the program.
//!
//! Man pages and the README's list of commands are generated from the clap tree, and the JSON Schemas of `--spec` from the
//! structs that it fills. `make papers` (`UPDATE_PAPERS=1`) writes them. Every command line in the
//! README, the cookbook and the help is parsed as the program would parse it.

mod compared;
mod korean;
mod man;

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::str::Chars;

use clap::Command;
use clap_complete::Shell;

use crate::cli::{self, published};
use crate::commands::completion_script;
use crate::help;
use crate::schemas::{self, File};
use crate::spec::{RecipeSpec, RunSpec, keys, parse};

const README: &str = "README.md";
const COOKBOOK: &str = "docs/cookbook.md";
const COMMANDS: [&str; 2] = ["<!-- commands -->\n", "<!-- /commands -->"];

fn root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn readme() -> String {
    std::fs::read_to_string(root(README)).unwrap()
}

fn is_update() -> bool {
    std::env::var_os("UPDATE_PAPERS").is_some_and(|value| value == "1")
}

/// Compares a directory with the files that it should have, or writes them.
fn hold(directory: &str, files: &BTreeMap<String, Vec<u8>>) {
    let place = root(directory);
    if is_update() {
        let _ = std::fs::remove_dir_all(&place);
        std::fs::create_dir(&place).unwrap();
        for (name, bytes) in files {
            std::fs::write(place.join(name), bytes).unwrap();
        }
        return;
    }
    let there = std::fs::read_dir(&place).unwrap_or_else(|error| panic!("{directory}/: {error}; run: make papers"));
    let mut there: Vec<String> = there.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    there.sort();
    let wanted: Vec<String> = files.keys().cloned().collect();
    assert_eq!(there, wanted, "{directory}/ is out of date; run: make papers");
    for (name, bytes) in files {
        let same = std::fs::read(place.join(name)).unwrap() == *bytes;
        assert!(same, "{directory}/{name} is out of date; run: make papers");
    }
}

fn man_pages(command: &Command, parents: &[&Command], pages: &mut BTreeMap<String, Vec<u8>>) {
    for subcommand in command.get_subcommands() {
        man_pages(subcommand, &[parents, &[command]].concat(), pages);
    }
    pages.insert(format!("{}.1", man::name(command)), man::page(command, parents).into_bytes());
}

#[test]
fn papers_man_pages_are_those_of_the_command_line() {
    let mut pages = BTreeMap::new();
    let mut command = published();
    command.build();
    man_pages(&command, &[], &mut pages);
    assert!(pages.contains_key("longshore.1") && pages.contains_key("longshore-image-create.1"));
    hold("man", &pages);
}

#[test]
fn papers_completions_are_those_that_the_program_prints() {
    let shells = [("longshore.bash", Shell::Bash), ("_longshore", Shell::Zsh), ("longshore.fish", Shell::Fish)];
    let scripts = shells.map(|(name, shell)| (name.to_owned(), completion_script(shell)));
    hold("completions", &scripts.into());
}

#[test]
fn papers_schemas_are_those_of_the_types() {
    for File { name, schema } in schemas::bodies().into_iter().chain(schemas::documents()) {
        let path = format!("schemas/{name}.json");
        let text = format!("{schema:#}\n");
        if is_update() {
            std::fs::write(root(&path), text).unwrap();
        } else {
            let there = std::fs::read_to_string(root(&path)).unwrap_or_default();
            assert!(there == text, "{path} is out of date; run: make papers");
        }
    }
}

#[test]
fn papers_schemas_written_by_hand_are_those_of_the_engines_own_shapes() {
    let generated = schemas::bodies().into_iter().chain(schemas::documents());
    let generated: Vec<String> = generated.map(|file| format!("{}.json", file.name)).collect();
    let there = std::fs::read_dir(root("schemas")).unwrap();
    let mut there: Vec<String> = there.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    there.retain(|name| !generated.contains(name));
    there.sort();
    assert_eq!(there, ["container-list.json", "container-stats.json", "exec-inspect.json", "image-list.json"]);
}

#[test]
fn papers_schemas_of_bodies_accept_what_the_program_reads_and_no_other_key_or_type() {
    let [recipe, run] = schemas::bodies().map(|file| jsonschema::validator_for(&file.schema).unwrap());
    let recipe_reads = |body: &str| parse::<RecipeSpec>(body.as_bytes()).is_ok();
    let run_reads = |body: &str| parse::<RunSpec>(body.as_bytes()).is_ok();
    let values =
        ["null", "true", "1", "\"\"", "\"none\"", "[]", "[\"x\"]", "[1]", "{}", "{\"a\": \"1\"}", "{\"a\": 1}"];
    for (schema, keys, reads) in
        [(recipe, keys::<RecipeSpec>(), &recipe_reads as &dyn Fn(&str) -> bool), (run, keys::<RunSpec>(), &run_reads)]
    {
        assert!(!schema.is_valid(&serde_json::json!({"unknown": null})));
        for (key, value) in keys.iter().flat_map(|key| values.map(|value| (key, value))) {
            let body = format!("{{{key:?}: {value}}}");
            // A grammar of text is the program's own; the schema says types only.
            let empty = match value {
                "\"none\"" => "\"\"",
                "[\"x\"]" => "[]",
                other => other,
            };
            let reads = reads(&body) || reads(&format!("{{{key:?}: {empty}}}"));
            let is_valid = schema.is_valid(&serde_json::from_str(&body).unwrap());
            assert_eq!(is_valid, reads, "{body}");
        }
    }
}

fn command_list(command: &Command, list: &mut String) {
    let name = command.get_bin_name().unwrap_or_default().to_owned();
    if command.has_subcommands() {
        list.push_str(&format!("\n**`{name}`**: {}\n\n", command.get_about().unwrap_or_default()));
    } else {
        list.push_str(&format!("* `{name}`: {}\n", command.get_about().unwrap_or_default()));
    }
    for subcommand in command.get_subcommands() {
        command_list(subcommand, list);
    }
}

#[test]
fn papers_readme_lists_every_command() {
    let mut command = published();
    command.build();
    let mut list = String::new();
    let (nouns, verbs): (Vec<_>, Vec<_>) = command.get_subcommands().partition(|command| command.has_subcommands());
    for noun in nouns {
        command_list(noun, &mut list);
    }
    list.push_str("\n**And**\n\n");
    for verb in verbs {
        command_list(verb, &mut list);
    }
    list.push('\n');

    let text = readme();
    let (before, rest) = text.split_once(COMMANDS[0]).expect("the README has a place for the commands");
    let (there, after) = rest.split_once(COMMANDS[1]).expect("the place for the commands ends");
    if is_update() {
        // By rename: the other tests read it meanwhile.
        let new = root(".README.md.new");
        std::fs::write(&new, [before, COMMANDS[0], &list, COMMANDS[1], after].concat()).unwrap();
        std::fs::rename(new, root(README)).unwrap();
    } else {
        assert_eq!(there, list, "the README's commands are out of date; run: make papers");
    }
}

/// The blocks of code, as (language, text).
fn blocks(markdown: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in markdown.lines() {
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => blocks.push(block),
            (Some(language), None) => open = Some((language.to_owned(), String::new())),
            (None, Some((language, text))) => open = Some((language, text + line + "\n")),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block of code does not end");
    blocks
}

/// The part of a block that a shell runs: of a transcript, only the text after the prompts.
fn typed((language, text): &(String, String)) -> Option<String> {
    match language.as_str() {
        "sh" | "make" | "cron" => Some(text.replace("$$", "$")),
        "console" => {
            let mut typed = String::new();
            let mut goes_on = false;
            for line in text.lines() {
                if let Some(line) = line.strip_prefix("$ ").or_else(|| goes_on.then_some(line)) {
                    goes_on = line.ends_with('\\');
                    typed.push_str(line);
                    typed.push('\n');
                }
            }
            Some(typed)
        }
        _ => None,
    }
}

/// Splits shell text into words. It knows the syntax that the README uses: quotes, comments, pipes, redirections and `$(…)`.
struct Splitter<'a> {
    rest: Peekable<Chars<'a>>,
    commands: Vec<Vec<String>>,
}

#[derive(Default)]
struct Simple {
    words: Vec<String>,
    word: Option<String>,
    is_target: bool,
}

impl Simple {
    fn push(&mut self, text: &str) {
        self.word.get_or_insert_default().push_str(text);
    }

    fn end_word(&mut self) {
        if let Some(word) = self.word.take()
            && !std::mem::take(&mut self.is_target)
        {
            self.words.push(word);
        }
    }
}

impl Splitter<'_> {
    fn split(text: &str) -> Vec<Vec<String>> {
        let mut splitter = Splitter { rest: text.chars().peekable(), commands: Vec::new() };
        while splitter.rest.peek().is_some() {
            splitter.list();
        }
        splitter.commands
    }

    /// Reads up to the end, or to the closing parenthesis.
    fn list(&mut self) {
        let mut simple = Simple::default();
        while let Some(next) = self.rest.next() {
            match next {
                '\'' => {
                    simple.push("");
                    while let Some(next) = self.rest.next().filter(|next| *next != '\'') {
                        simple.push(next.encode_utf8(&mut [0; 4]));
                    }
                }
                '"' => self.quoted(&mut simple),
                '\\' => match self.rest.next() {
                    Some('\n') | None => {}
                    Some(next) => simple.push(next.encode_utf8(&mut [0; 4])),
                },
                '$' if self.rest.peek() == Some(&'(') => self.substitution(&mut simple),
                '#' if simple.word.is_none() => while self.rest.next_if(|next| *next != '\n').is_some() {},
                '<' | '>' => {
                    simple.word = simple.word.take().filter(|word| !word.bytes().all(|byte| byte.is_ascii_digit()));
                    simple.end_word();
                    simple.is_target = true;
                    while self.rest.next_if(|next| matches!(next, '>' | '&')).is_some() {}
                }
                ' ' | '\t' => simple.end_word(),
                '\n' | '|' | '&' | ';' | '(' | ')' => {
                    self.end(&mut simple);
                    if next == ')' {
                        return;
                    }
                }
                _ => simple.push(next.encode_utf8(&mut [0; 4])),
            }
        }
        self.end(&mut simple);
    }

    fn quoted(&mut self, simple: &mut Simple) {
        simple.push("");
        while let Some(next) = self.rest.next().filter(|next| *next != '"') {
            match next {
                '\\' => simple.push(&self.rest.next().map(String::from).unwrap_or_default()),
                '$' if self.rest.peek() == Some(&'(') => self.substitution(simple),
                _ => simple.push(next.encode_utf8(&mut [0; 4])),
            }
        }
    }

    fn substitution(&mut self, simple: &mut Simple) {
        self.rest.next();
        simple.push("x");
        self.list();
    }

    fn end(&mut self, simple: &mut Simple) {
        simple.end_word();
        let words = std::mem::take(simple).words;
        if !words.is_empty() {
            self.commands.push(words);
        }
    }
}

/// The words of a call of longshore in a simple command. An argument from xargs is replaced by one word.
fn ours(words: &[String]) -> Option<Vec<String>> {
    let at = words.iter().position(|word| word == "longshore")?;
    let more = words[..at].iter().any(|word| word == "xargs").then(|| "x".to_owned());
    Some(words[at..].iter().cloned().chain(more).collect())
}

/// A request for help or the version counts as a command line.
#[track_caller]
fn assert_parses(words: &[String]) {
    let arguments: Vec<std::ffi::OsString> = words.iter().map(std::ffi::OsString::from).collect();
    if let Err(error) = cli::parse(&arguments) {
        let is_answer = error.kind() == clap::error::ErrorKind::DisplayHelp
            || error.kind() == clap::error::ErrorKind::DisplayVersion;
        assert!(is_answer, "{}\n{error}", words.join(" "));
    }
}

/// Every command that is shown, with its words after `longshore`.
fn all_commands() -> Vec<(String, Command)> {
    fn add(command: &Command, words: &str, all: &mut Vec<(String, Command)>) {
        all.push((words.to_owned(), command.clone()));
        for below in command.get_subcommands() {
            add(below, format!("{words} {}", below.get_name()).trim_start(), all);
        }
    }
    let mut command = published();
    command.build();
    let mut all = Vec::new();
    add(&command, "", &mut all);
    all
}

#[test]
fn papers_help_fits_the_terminal_and_breaks_no_example() {
    for (words, command) in all_commands() {
        let examples = help::of(&words).examples;
        assert!(!examples.is_empty(), "longshore {words} has no example");
        for width in [80, 100] {
            for long in [false, true] {
                let mut command = command.clone().term_width(width);
                let help = if long { command.render_long_help() } else { command.render_help() }.to_string();
                for line in help.lines() {
                    assert!(
                        line.chars().count() <= width,
                        "longshore {words}: {} columns at {width}: {line}",
                        line.len()
                    );
                }
                for line in examples.iter().flat_map(|example| example.lines()) {
                    assert!(line.len() <= help::EXAMPLE, "longshore {words}: {} columns: {line}", line.len());
                    assert!(
                        help.lines().any(|shown| shown == format!("  {line}")),
                        "longshore {words}: {line}\n{help}"
                    );
                }
                assert_paragraphs_are_filled(&words, &help, width);
            }
        }
    }
}

/// A paragraph that is wrapped once is filled: the first word of a line would not have fitted the line before.
#[track_caller]
fn assert_paragraphs_are_filled(words: &str, help: &str, width: usize) {
    for note in help::of(words).notes {
        let help::Note::Text(text) = note else { continue };
        let first = text.split(' ').next().unwrap_or_default().to_owned() + " ";
        let start = help.lines().position(|line| line.starts_with(&first) && text.starts_with(line.trim_end()));
        let lines: Vec<&str> = help.lines().skip(start.expect("the paragraph is shown")).collect();
        for pair in lines.windows(2).take_while(|pair| !pair[1].is_empty()) {
            let next = pair[1].split(' ').next().unwrap_or_default();
            assert!(pair[0].len() + 1 + next.len() > width, "longshore {words} at {width}: {} / {}", pair[0], pair[1]);
        }
    }
}

#[test]
fn papers_help_shows_only_command_lines_that_parse() {
    for (words, _) in all_commands() {
        let text = help::of(&words).examples.join("\n");
        let found: Vec<Vec<String>> = Splitter::split(&text).iter().filter_map(|words| ours(words)).collect();
        assert!(!found.is_empty(), "longshore {words}");
        for words in &found {
            assert_parses(words);
        }
    }
}

#[test]
fn papers_readme_has_the_exit_codes_of_the_help() {
    let text = readme();
    for (code, meaning) in help::CODES {
        let row = format!("| {code} | {meaning} |\n");
        assert!(text.contains(&row), "the README lacks this row:\n{row}");
    }
}

#[test]
fn papers_readme_shows_only_command_lines_that_parse() {
    let mut seen = 0;
    let cookbook = std::fs::read_to_string(root(COOKBOOK)).unwrap();
    for text in [readme(), cookbook].iter().flat_map(|page| blocks(page)).filter_map(|block| typed(&block)) {
        for words in Splitter::split(&text).iter().filter_map(|words| ours(words)) {
            seen += 1;
            assert_parses(&words);
        }
    }
    assert!(seen > 30, "only {seen} command lines were found");
}

#[test]
fn papers_readme_splits_shell_text_as_a_shell_does() {
    let text = "id=$(longshore exec run --main 'a b' \\\n  -- --x) # no\nif longshore exec wait \"$id\" 2>&1 >o\"u\"t; then :; fi";
    let found: Vec<Vec<String>> = Splitter::split(text).iter().filter_map(|words| ours(words)).collect();
    assert_eq!(
        found,
        [vec!["longshore", "exec", "run", "--main", "a b", "--", "--x"], vec!["longshore", "exec", "wait", "$id"],]
    );
    let piped = Splitter::split("longshore exec list -q | xargs -r longshore exec forget");
    assert_eq!(ours(&piped[1]).unwrap(), ["longshore", "exec", "forget", "x"]);
}

#[test]
fn papers_readme_shows_only_json_that_parses_and_keys_that_exist() {
    let command = published();
    let verbs = command.get_subcommands().flat_map(Command::get_subcommands);
    let help: String = verbs.filter_map(|verb| verb.get_after_help().map(ToString::to_string)).collect();
    let mut seen = 0;
    for (_, text) in blocks(&readme()).iter().filter(|(language, _)| language == "json") {
        let body: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("in the README: {error}\n{text}"));
        for key in body.keys().filter(|key| key.starts_with(char::is_lowercase)) {
            assert!(help.contains(key.as_str()), "in the README: no help text names the key {key:?}");
        }
        seen += 1;
    }
    assert!(seen >= 2, "only {seen} bodies were found");
}

#[test]
fn papers_readme_names_only_make_targets_and_files_that_exist() {
    let makefile = std::fs::read_to_string(root("Makefile")).unwrap();
    for name in [README, korean::KOREAN, COOKBOOK] {
        let text = std::fs::read_to_string(root(name)).unwrap();
        for target in text.split("`make ").skip(1).map(|rest| rest.split(['`', ' ']).next().unwrap_or_default()) {
            assert!(makefile.contains(&format!("\n{target}:")), "in {name}: no make target {target:?}");
        }
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            assert!(root(name).with_file_name(link).exists(), "in {name}: there is no {link}");
        }
    }
}
