//! Writes a command's man page from the clap tree and the page that `--help` shows. Pure.
//!
//! The pages are in the language of man(7). Nothing is hyphenated, and no line of the source is longer than 80 bytes unless
//! a single word is.

use clap::{Arg, Command};

use crate::help::{self, Note, Term};

/// In the foot of every page.
const DATE: &str = "2026-11-29";
/// Of a line of the source.
const WIDTH: usize = 78;

/// The name of a command's page, such as `longshore-exec-run`.
#[must_use]
pub fn name(command: &Command) -> String {
    typed(command).replace(' ', "-")
}

/// The command as it is typed.
fn typed(command: &Command) -> &str {
    command.get_bin_name().unwrap_or(command.get_name())
}

/// The page of a command. `parents` are the commands above it, the nearest last.
#[must_use]
pub fn page(command: &Command, parents: &[&Command]) -> String {
    let name = name(command);
    let words = name.trim_start_matches("longshore").trim_start_matches('-').replacen('-', " ", 1);
    let mut page = Roff(String::new());
    // The macros read this register whenever they begin a paragraph.
    page.line(".nr HY 0");
    page.line(&format!(".TH {} 1 {DATE} \"longshore {}\" \"User Commands\"", upper(&name), env!("CARGO_PKG_VERSION")));
    page.line(".ad l");
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    page.section("NAME", |page| page.text(&format!("{name} - {about}")));
    page.section("SYNOPSIS", |page| page.synopsis(command));
    let help = help::of(&words);
    page.section("DESCRIPTION", |page| {
        let long = command.get_long_about().map(ToString::to_string);
        let mut paragraphs = long.as_deref().unwrap_or(&about).split("\n\n");
        page.text(&format!("{}.", paragraphs.next().unwrap_or_default().trim_end_matches('.')));
        paragraphs.for_each(|text| page.paragraph(text));
        if !words.is_empty() {
            help.notes.iter().for_each(|note| page.note(note));
        }
    });
    page.commands(command);
    page.options(command);
    page.section("EXIT STATUS", |page| {
        page.terms(help::codes(&words));
        if help::passes_on(&words) {
            page.paragraph(help::PASSING_ON);
        }
    });
    for (title, terms) in [("ENVIRONMENT", help::environment(&words)), ("FILES", help::files(&words))] {
        if !terms.is_empty() {
            page.section(title, |page| page.terms(terms));
        }
    }
    page.section("EXAMPLES", |page| page.code(help.examples));
    page.section("SEE ALSO", |page| page.see_also(command, parents));
    page.0
}

fn upper(name: &str) -> String {
    escaped(&name.to_uppercase())
}

/// The source of a page.
struct Roff(String);

impl Roff {
    fn line(&mut self, line: &str) {
        self.0 += line;
        self.0.push('\n');
    }

    fn section(&mut self, title: &str, write: impl FnOnce(&mut Self)) {
        self.line(&format!(".SH {title}"));
        write(self);
    }

    /// Text with code in backticks.
    fn text(&mut self, text: &str) {
        let parts = text.split('`').enumerate();
        let marked: String = parts.map(|(at, part)| if at % 2 == 1 { bold(part) } else { escaped(part) }).collect();
        for line in help::filled(&marked, WIDTH) {
            self.line(&guarded(&line));
        }
    }

    fn paragraph(&mut self, text: &str) {
        self.line(".PP");
        self.text(text);
    }

    fn note(&mut self, note: &Note) {
        match note {
            Note::Text(text) => self.paragraph(text),
            Note::List(heading, terms) => {
                self.paragraph(&format!("{heading}:"));
                self.terms(terms.to_vec());
            }
        }
    }

    fn terms(&mut self, terms: Vec<Term>) {
        for (term, meaning) in terms {
            self.line(&format!(".TP\n{}", guarded(&bold(term))));
            self.text(meaning);
        }
    }

    fn code(&mut self, examples: &[&str]) {
        self.line(".EX");
        for line in examples.iter().flat_map(|example| example.lines()) {
            self.line(&guarded(&escaped(line)));
        }
        self.line(".EE");
    }

    /// Each form of the usage, with every option in the place of `[OPTIONS]`.
    fn synopsis(&mut self, command: &Command) {
        let usage = command.clone().render_usage().to_string();
        let bin = typed(command);
        for form in usage.split(bin).skip(1) {
            let words: Vec<&str> = form.split_whitespace().collect();
            self.line(&format!(".SY \"{}\"", escaped(bin)));
            for word in joined(&words) {
                if word == "[OPTIONS]" {
                    self.optional(command, form);
                } else {
                    self.line(&guarded(&marked(&word)));
                }
            }
            self.line(".YS");
        }
    }

    fn optional(&mut self, command: &Command, form: &str) {
        for option in command.get_opts().chain(flags(command)).filter(|option| !option.is_hide_set()) {
            let long = option.get_long().map(|long| format!("--{long}")).unwrap_or_default();
            if !form.split_whitespace().any(|word| word == long) {
                let value = value(option).map(|value| format!(" <{value}>")).unwrap_or_default();
                self.line(&format!("[{}]", marked(&format!("{long}{value}"))));
            }
        }
    }

    fn commands(&mut self, command: &Command) {
        if !command.has_subcommands() {
            return;
        }
        self.section("COMMANDS", |page| {
            for below in command.get_subcommands() {
                page.line(&format!(".TP\n{}(1)", bold(&name(below))));
                let aliases: Vec<&str> = below.get_visible_aliases().collect();
                let known = if aliases.is_empty() { String::new() } else { format!(" (also: {})", aliases.join(", ")) };
                page.text(&format!("{}{known}", below.get_about().map(ToString::to_string).unwrap_or_default()));
            }
        });
    }

    fn options(&mut self, command: &Command) {
        let shown = || command.get_arguments().filter(|argument| !argument.is_hide_set());
        let is_global = |argument: &&Arg| argument.get_help_heading().is_some();
        let positional = shown().filter(|argument| argument.is_positional());
        let own = shown().filter(|argument| !argument.is_positional() && !is_global(argument));
        let arguments: Vec<&Arg> = positional.chain(own).chain(shown().filter(is_global)).collect();
        self.section("OPTIONS", |page| arguments.into_iter().for_each(|argument| page.option(argument)));
    }

    fn option(&mut self, argument: &Arg) {
        let value = value(argument).map(|value| format!("<{value}>"));
        let short = argument.get_short().map(|short| format!("-{short}"));
        let long = argument.get_long().map(|long| format!("--{long}"));
        let names = short.into_iter().chain(long).map(|name| bold(&name)).collect::<Vec<_>>().join(", ");
        let value = value.map(|value| marked(&value)).unwrap_or_default();
        let blank = if names.is_empty() || value.is_empty() { "" } else { " " };
        self.line(&format!(".TP\n{}", guarded(&format!("{names}{blank}{value}"))));
        let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
        self.text(&format!("{help}{}", more(argument)));
    }

    fn see_also(&mut self, command: &Command, parents: &[&Command]) {
        let mut pages: Vec<String> = parents.iter().map(|parent| name(parent)).collect();
        let near = if command.has_subcommands() { Some(command) } else { parents.last().copied() };
        pages.extend(
            near.into_iter().flat_map(Command::get_subcommands).map(name).filter(|page| *page != name(command)),
        );
        pages.push("docker".into());
        let last = pages.len() - 1;
        for (at, page) in pages.iter().enumerate() {
            self.line(&format!(".BR {} (1){}", escaped(page), if at < last { "," } else { "" }));
        }
    }
}

fn flags(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|argument| !argument.is_positional() && !argument.get_action().takes_values())
}

/// The name of an argument's value.
fn value(argument: &Arg) -> Option<String> {
    if !argument.get_action().takes_values() {
        return None;
    }
    let names = argument.get_value_names().unwrap_or_default();
    Some(names.first().map_or_else(|| argument.get_id().to_string().to_uppercase(), ToString::to_string))
}

/// What the help shows in brackets: the default, the values, other names.
fn more(argument: &Arg) -> String {
    let defaults = argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned());
    let takes_value = |_: &String| argument.get_action().takes_values();
    let values = argument.get_possible_values().into_iter().map(|value| value.get_name().to_owned());
    let values: Vec<String> = values.filter(takes_value).collect();
    let aliases: Vec<String> =
        argument.get_visible_aliases().unwrap_or_default().iter().map(|alias| format!("--{alias}")).collect();
    let said = |what: &str, words: String| if words.is_empty() { String::new() } else { format!(" [{what}: {words}]") };
    let defaults: Vec<String> = defaults.filter(takes_value).collect();
    said("default", defaults.join(", "))
        + &said("possible values", values.join(", "))
        + &said("aliases", aliases.join(", "))
}

/// The words of a usage; what stands in one pair of brackets is one word, and a flag has its value.
fn joined(words: &[&str]) -> Vec<String> {
    let mut joined: Vec<String> = Vec::new();
    let mut depth = 0_usize;
    for word in words {
        let is_value = word.starts_with('<') && joined.last().is_some_and(|last| last.starts_with("--"));
        match joined.last_mut().filter(|_| depth > 0 || is_value) {
            Some(last) => *last += &format!(" {word}"),
            None => joined.push((*word).to_owned()),
        }
        depth = (depth + word.matches('[').count()).saturating_sub(word.matches(']').count());
    }
    joined
}

/// A word of a usage: names of values are italic, flags bold, brackets and dots neither. It is not broken.
fn marked(word: &str) -> String {
    let mut text = String::new();
    let mut literal = String::new();
    let mut rest = word;
    let end = |literal: &mut String, text: &mut String| {
        if !literal.is_empty() {
            *text += &bold(&std::mem::take(literal));
        }
    };
    while let Some(next) = rest.chars().next() {
        let length = match next {
            '<' => rest.find('>').map_or(1, |end| end + 1),
            _ => next.len_utf8(),
        };
        let (part, after) = rest.split_at(length);
        match next {
            '<' => {
                end(&mut literal, &mut text);
                text += &format!(r"\fI{}\fR", escaped(part.trim_matches(['<', '>'])));
            }
            '[' | ']' | '.' | ' ' => {
                end(&mut literal, &mut text);
                text += if next == ' ' { r"\ " } else { part };
            }
            _ => literal.push(next),
        }
        rest = after;
    }
    end(&mut literal, &mut text);
    text
}

fn bold(text: &str) -> String {
    format!(r"\fB{}\fR", escaped(text))
}

/// Text in which no character has a meaning of its own, and each is shown as it is typed.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for next in text.chars() {
        assert!(next.is_ascii(), "man pages are written in ASCII: {text}");
        match next {
            '\\' => escaped += r"\e",
            '-' => escaped += r"\-",
            '\'' => escaped += r"\(aq",
            '"' => escaped += r"\(dq",
            '`' => escaped += r"\(ga",
            '^' => escaped += r"\(ha",
            '~' => escaped += r"\(ti",
            _ => escaped.push(next),
        }
    }
    escaped
}

/// A line of text that cannot be taken for a request.
fn guarded(line: &str) -> String {
    if line.starts_with('.') { format!(r"\&{line}") } else { line.to_owned() }
}

#[test]
fn a_usage_is_split_into_words_that_are_not_broken() {
    assert_eq!(
        joined(&["--image", "<IMAGE>", "[OPTIONS]", "[--", "<ARGS>...]", "<ID>..."]),
        ["--image <IMAGE>", "[OPTIONS]", "[-- <ARGS>...]", "<ID>..."]
    );
    assert_eq!(marked("[-- <ARGS>...]"), r"[\fB\-\-\fR\ \fIARGS\fR...]");
}

#[test]
fn text_is_shown_as_it_is_typed() {
    assert_eq!(escaped(r"-a '\n' ~"), r"\-a \(aq\en\(aq \(ti");
    assert_eq!(guarded(&escaped(".x")), r"\&.x");
}
