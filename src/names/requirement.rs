//! The grammar of a requirement: PEP 508 without URLs, with the versions of PEP 440.
//!
//! Text that only some releases of pip can read is refused; releases 23.2 to 26.3 were compared. No function here is
//! recursive, so that no text can exhaust the stack.

use super::{Refusal, escape_value, no, shown};
use crate::invalid::without_credentials;

/// The operators. One that begins with another comes before it.
const OPERATORS: [&str; 8] = ["===", "==", "~=", "!=", "<=", ">=", "<", ">"];

/// The variables of a marker, with the older spellings that pip still reads.
const VARIABLES: [&str; 18] = [
    "extra",
    "implementation_name",
    "implementation_version",
    "os_name",
    "os.name",
    "platform_machine",
    "platform.machine",
    "platform_python_implementation",
    "platform.python_implementation",
    "platform_release",
    "platform_system",
    "platform_version",
    "platform.version",
    "python_full_version",
    "python_implementation",
    "python_version",
    "sys_platform",
    "sys.platform",
];

/// How deep the parentheses of a marker may be nested. pip's parser is recursive; older ones fail at less than 100.
const DEEPEST: usize = 20;

const SEPARATORS: [char; 3] = ['.', '-', '_'];

/// Refuses a text that is not a requirement or begins with a space.
pub(super) fn check_grammar(text: &str) -> Result<(), Refusal> {
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(no("it does not begin with a name"));
    }
    let mut scanner = Scanner { rest: text, read: "" };
    scanner.name()?;
    scanner.extras()?;
    if scanner.rest.starts_with('@') {
        return Err(no("a URL is not accepted here").hint("to choose a version, write NAME==VERSION"));
    }
    let mut wanted = "an operator, \";\" or the end";
    if scanner.rest.starts_with(['(', '<', '>', '=', '!', '~']) {
        scanner.versions()?;
        wanted = "\",\", \";\" or the end";
    }
    if scanner.eat(";") {
        scanner.marker()?;
        wanted = "\"and\", \"or\" or the end";
    }
    if scanner.rest.is_empty() { Ok(()) } else { Err(scanner.expected(wanted)) }
}

/// Reads one piece after the other from left to right, and skips the spaces after each.
struct Scanner<'a> {
    rest: &'a str,
    /// The last piece, for messages.
    read: &'a str,
}

/// One side of a comparison in a marker.
#[derive(PartialEq, Eq)]
enum Operand {
    Variable,
    Text,
}

impl<'a> Scanner<'a> {
    fn expected(&self, what: &str) -> Refusal {
        no(format!("expected {what} after {}", quoted(self.read)))
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (read, rest) = self.rest.split_at(length);
        (self.read, self.rest) = (read, rest.trim_start_matches(' '));
        read
    }

    /// Reads the characters up to the first that does not belong. If there are none, nothing is read.
    fn run(&mut self, belongs: impl Fn(char) -> bool) -> Option<&'a str> {
        let length = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        (length > 0).then(|| self.take(length))
    }

    fn eat(&mut self, piece: &str) -> bool {
        let eaten = self.rest.starts_with(piece);
        if eaten {
            self.take(piece.len());
        }
        eaten
    }

    /// Like [`Scanner::eat`], for a complete word.
    fn eat_word(&mut self, word: &str) -> bool {
        self.rest.strip_prefix(word).is_some_and(|after| !after.starts_with(in_word)) && self.eat(word)
    }

    fn operator(&mut self) -> Option<&'static str> {
        OPERATORS.into_iter().find(|operator| self.eat(operator))
    }

    fn name(&mut self) -> Result<(), Refusal> {
        let name = self.run(|c| c.is_ascii_alphanumeric() || SEPARATORS.contains(&c));
        let name = name.ok_or_else(|| self.expected("a name"))?;
        if name.starts_with(SEPARATORS) || name.ends_with(SEPARATORS) {
            return Err(no(format!("the name {} must begin and end with a letter or a digit", quoted(name))));
        }
        Ok(())
    }

    /// `[NAME, NAME]` or `[]`, if there are any.
    fn extras(&mut self) -> Result<(), Refusal> {
        if !self.eat("[") || self.eat("]") {
            return Ok(());
        }
        loop {
            self.name()?;
            if self.eat("]") {
                return Ok(());
            }
            if !self.eat(",") {
                return Err(self.expected("\",\" or \"]\""));
            }
        }
    }

    /// `>= 1, < 2`, also in parentheses.
    fn versions(&mut self) -> Result<(), Refusal> {
        let enclosed = self.eat("(");
        loop {
            let operator = self.operator().ok_or_else(|| self.expected("an operator such as \"==\""))?;
            self.version(operator)?;
            if !self.eat(",") {
                break;
            }
        }
        if enclosed && !self.eat(")") {
            return Err(self.expected("\",\" or \")\""));
        }
        Ok(())
    }

    fn version(&mut self, operator: &str) -> Result<(), Refusal> {
        if operator == "===" {
            return self.any_version();
        }
        let version = self.run(in_version).ok_or_else(|| self.expected("a version"))?;
        check_version(operator, version)
    }

    /// The version after `===`. pip before 24.1 reads it up to the next space. If it contains "/", every pip may read the
    /// requirement as a path.
    fn any_version(&mut self) -> Result<(), Refusal> {
        let version = self.run(|c| c != ' ').ok_or_else(|| self.expected("a version"))?;
        version.chars().find(|c| !in_version(*c)).map_or(Ok(()), |c| {
            let why = format!("{} is not allowed in a version after \"===\"", shown(c));
            Err(no(why).hint("put a space after the version"))
        })
    }

    /// Comparisons joined by `and` and `or`. The parentheses are counted.
    fn marker(&mut self) -> Result<(), Refusal> {
        let mut open = 0;
        loop {
            while self.eat("(") {
                open += 1;
            }
            if open > DEEPEST {
                return Err(no(format!("parentheses are nested more than {DEEPEST} deep")));
            }
            self.comparison()?;
            while open > 0 && self.eat(")") {
                open -= 1;
            }
            if !self.eat_word("and") && !self.eat_word("or") {
                break;
            }
        }
        if open > 0 { Err(self.expected("\"and\", \"or\" or \")\"")) } else { Ok(()) }
    }

    fn comparison(&mut self) -> Result<(), Refusal> {
        let left = self.operand()?;
        let words = ["in", "not in"];
        let operator = self.operator().or_else(|| words.into_iter().find(|word| self.eat_word(word)));
        let operator = operator.ok_or_else(|| self.expected("an operator such as \"==\" or \"not in\""))?;
        let right = self.operand()?;
        // pip reads the second of two variables as a text, and fails with an internal error for two texts.
        if left == right {
            return Err(no("a marker must compare a variable with a quoted text"));
        }
        if operator == "~=" && left == Operand::Text {
            return Err(no("in a marker \"~=\" must be between a variable and a version"));
        }
        Ok(())
    }

    fn operand(&mut self) -> Result<Operand, Refusal> {
        if let Some(quote) = self.rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            let length = self.rest[1..].find(quote).ok_or_else(|| no("a quoted text is not closed"))?;
            self.read = self.take(length + 2).trim_matches(quote);
            return Ok(Operand::Text);
        }
        let word = self.run(in_word).ok_or_else(|| self.expected("a variable or a quoted text"))?;
        if !VARIABLES.contains(&word) {
            return Err(no(format!("{} is not a variable of a marker", quoted(word))).hint("write text in quotes"));
        }
        Ok(Operand::Variable)
    }
}

fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.')
}

/// Whether PEP 508 allows this character in a version.
fn in_version(c: char) -> bool {
    c.is_ascii_alphanumeric() || ".-_*+!".contains(c)
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escape_value(&without_credentials(text)))
}

/// The form of a version, which decides the operators that it may follow.
enum Version {
    /// `1.0`, `2!1.0rc1.post2.dev3`; the value is the count of numbers between its dots.
    Public(usize),
    /// `1.*`
    Prefix,
    /// `1.0+cpu`
    Local,
}

fn check_version(operator: &str, text: &str) -> Result<(), Refusal> {
    let lower = text.to_ascii_lowercase();
    let is_long = ["alpha", "beta", "preview"].into_iter().any(|label| lower.contains(label));
    match (operator, read_version(&lower)) {
        (_, None) => Err(no(format!("{} is not a version", quoted(text)))),
        ("~=", Some(Version::Public(1))) => {
            Err(no("after \"~=\" a version must have at least two numbers, for example 1.0"))
        }
        // A fault of pip before 24.1: there it reads "1.0b" of "1.0beta" and stops.
        ("~=", Some(Version::Public(_))) if is_long => {
            Err(no("after \"~=\" a pre-release must be written as 1.0a1 or 1.0b1"))
        }
        ("==" | "!=", _) | (_, Some(Version::Public(_))) => Ok(()),
        _ => Err(no(format!("{} is allowed only after \"==\" and \"!=\"", quoted(text)))),
    }
}

/// Reads a version of PEP 440, in lower case and in any of its spellings.
fn read_version(text: &str) -> Option<Version> {
    let mut rest = after_number(text.strip_prefix('v').unwrap_or(text))?;
    if let Some(after_epoch) = rest.strip_prefix('!') {
        rest = after_number(after_epoch)?;
    }
    let mut numbers = 1;
    while let Some(after) = rest.strip_prefix('.').and_then(after_number) {
        rest = after;
        numbers += 1;
    }
    if rest == ".*" {
        return Some(Version::Prefix);
    }
    rest = after_label(rest, &["alpha", "beta", "preview", "pre", "a", "b", "c", "rc"]);
    rest = match rest.strip_prefix('-').and_then(after_number) {
        Some(after) => after,
        None => after_label(rest, &["post", "rev", "r"]),
    };
    rest = after_label(rest, &["dev"]);
    match rest.strip_prefix('+') {
        Some(local) => {
            let is_part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric());
            local.split(SEPARATORS).all(is_part).then_some(Version::Local)
        }
        None => rest.is_empty().then_some(Version::Public(numbers)),
    }
}

/// What follows the digits at the start, of which there has to be one.
fn after_number(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    (rest.len() < text.len()).then_some(rest)
}

/// What follows one of the labels at the start, its number and the separators around it; all of the text if there is
/// no label.
fn after_label<'a>(text: &'a str, labels: &[&str]) -> &'a str {
    let bare = text.strip_prefix(SEPARATORS).unwrap_or(text);
    let Some(after) = labels.iter().find_map(|label| bare.strip_prefix(label)) else { return text };
    after.strip_prefix(SEPARATORS).unwrap_or(after).trim_start_matches(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
#[path = "requirement_tests.rs"]
mod tests;
