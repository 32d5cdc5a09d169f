//! What holds for every input of the parsers and validators, stated without their help.
//!
//! Each function here takes any input, and panics if a property does not hold. The tests in these files call them with
//! random inputs of a likely shape; the targets in `fuzz` call the same functions with what libFuzzer finds. Nothing here
//! is part of the program.

pub mod create;
pub mod engine;
pub mod logs;
pub mod names;
pub mod pyproject;
pub mod records;
pub mod requirements;
pub mod spec;
pub mod sweep;
pub mod transfer;

/// Whether a terminal would act on a character of one line.
fn is_live(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A message for people: short, and nothing in it acts on a terminal. A hint may follow on a line of its own.
fn is_plain_message(message: &str) {
    let mut lines = message.split('\n');
    assert!(lines.by_ref().take(2).all(|line| !line.contains(is_live)), "{message:?}");
    assert_eq!(lines.next(), None, "more than a message and a hint: {message:?}");
    assert!(message.chars().count() < 1000, "{message:?}");
}

/// The grammar as a regular expression, compiled once.
macro_rules! grammar {
    ($pattern:expr) => {{
        static GRAMMAR: std::sync::LazyLock<regex::Regex> =
            std::sync::LazyLock::new(|| regex::Regex::new($pattern).expect("a grammar"));
        &*GRAMMAR
    }};
}
use grammar;

/// One record of Go's `encoding/csv`, as docker reads it: fields part at commas, a field that begins with a quote goes to
/// the next single quote, a doubled one is a quote, a CR before a LF or at the end is dropped, and a quote elsewhere is an
/// error.
fn go_csv(line: &str) -> Option<Vec<String>> {
    let line = line.replace("\r\n", "\n");
    let mut rest = line.strip_suffix('\r').unwrap_or(&line);
    let mut fields = vec![];
    loop {
        let mut field = String::new();
        if let Some(mut quoted) = rest.strip_prefix('"') {
            loop {
                let (text, after) = quoted.split_once('"')?;
                field.push_str(text);
                let Some(more) = after.strip_prefix('"') else {
                    rest = after;
                    break;
                };
                field.push('"');
                quoted = more;
            }
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            field.push_str(&rest[..end]);
            if field.contains(['"', '\n']) {
                return None;
            }
            rest = &rest[end..];
        }
        fields.push(field);
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None => return rest.is_empty().then_some(fields),
        }
    }
}
