//! The reply to a completion script, in the form that its shell understands. Pure.
//!
//! The first line says what the reply is: `files` or `directories`, which the shell completes itself, or `words`; of bash
//! also `open`, if the only word is to be continued. A line for each word follows:
//!
//! ```text
//! bash    the text that takes the place of what bash replaces, in the quotes that are open
//! zsh     `=VALUE:DESCRIPTION`, or `+VALUE:DESCRIPTION` for a word to be continued; colons in the value have a backslash
//! fish    VALUE, a tab and the description
//! ```

use std::fmt::Write as _;

use super::line::Line;
use crate::cli::ScriptShell;
use crate::terminal::{escape_value, is_unprintable};

/// What can stand at the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paths {
    /// Any path.
    Files,
    /// A directory.
    Directories,
}

/// A word that fits at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The whole word, as the program would get it.
    pub value: String,
    /// A few words about it; empty if there is nothing to say.
    pub about: String,
}

impl Offer {
    /// A word and what it is.
    pub fn new(value: impl Into<String>, about: impl Into<String>) -> Self {
        Self { value: value.into(), about: about.into() }
    }

    /// Whether more has to be typed, so that no blank follows it.
    fn is_open(&self) -> bool {
        self.value.ends_with(['=', '/', ':'])
    }
}

/// The reply that leaves the completion to the shell.
pub fn paths(paths: Paths) -> String {
    match paths {
        Paths::Files => "files\n".into(),
        Paths::Directories => "directories\n".into(),
    }
}

/// The reply with these words. A word that a terminal would act on is left out, since it cannot be shown as it is.
pub fn words(shell: ScriptShell, line: &Line, mut offers: Vec<Offer>) -> String {
    offers.retain(|offer| !offer.value.contains(is_unprintable) && offer.value.starts_with(&line.current));
    let is_open = shell == ScriptShell::Bash && offers.len() == 1 && offers[0].is_open();
    let mut text = String::from(if is_open { "open\n" } else { "words\n" });
    for offer in &offers {
        let about = escape_value(&offer.about);
        let _ = match shell {
            ScriptShell::Bash => writeln!(text, "{}", for_bash(line, &offer.value)),
            ScriptShell::Zsh => writeln!(text, "{}", for_zsh(offer, &about)),
            ScriptShell::Fish if about.is_empty() => writeln!(text, "{}", offer.value),
            ScriptShell::Fish => writeln!(text, "{}\t{about}", offer.value),
        };
    }
    text
}

/// What bash puts into the line: it quotes nothing itself. It closes an open quote.
fn for_bash(line: &Line, value: &str) -> String {
    let rest = &value[line.kept..];
    match line.quote {
        Some('\'') => rest.replace('\'', r"'\''"),
        // In double quotes a backslash before `!` would stay, and without one bash would look into its history.
        Some(_) => escaped(rest, |char| matches!(char, '"' | '\\' | '$' | '`')).replace('!', r#""\!""#),
        None => escaped(rest, |char| char.is_ascii() && !char.is_ascii_alphanumeric() && !"-_./:=,@%+^".contains(char)),
    }
}

fn escaped(text: &str, is_special: impl Fn(char) -> bool) -> String {
    let mut quoted = String::with_capacity(text.len());
    for char in text.chars() {
        if is_special(char) {
            quoted.push('\\');
        }
        quoted.push(char);
    }
    quoted
}

/// zsh quotes the value itself. The script has told it that the part up to the `=` of a flag stays.
fn for_zsh(offer: &Offer, about: &str) -> String {
    let value = match offer.value.split_once('=') {
        Some((flag, value)) if flag.starts_with("--") => value,
        _ => &offer.value,
    };
    let value = value.replace('\\', r"\\").replace(':', r"\:");
    let mark = if offer.is_open() { '+' } else { '=' };
    if about.is_empty() { format!("{mark}{value}") } else { format!("{mark}{value}:{}", about.replace('\\', r"\\")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BREAKS: &str = " \t\n\"'><=;|&(:";

    fn bash(typed: &str, value: &str) -> String {
        let line = Line::read(ScriptShell::Bash, typed, BREAKS);
        words(ScriptShell::Bash, &line, vec![Offer::new(value, "about")])
    }

    #[test]
    fn bash_gets_the_rest_of_the_word_in_the_quotes_that_are_open() {
        for (typed, value, reply) in [
            ("x we", "web:1", "words\nweb:1\n"),
            ("x web:", "web:1", "words\n1\n"),
            ("x --filter=", "--filter=label=", "open\nlabel=\n"),
            ("x --filter=label=", "--filter=label=a=b c'$(id)", "words\na=b\\ c\\'\\$\\(id\\)\n"),
            ("x \"label=", "label=a b\"`$!", "words\nlabel=a b\\\"\\`\\$\"\\!\"\n"),
            ("x 'label=", "label=it's", "words\nlabel=it'\\''s\n"),
            ("x é", "é~", "words\né\\~\n"),
        ] {
            assert_eq!(bash(typed, value), reply, "{typed}");
        }
    }

    #[test]
    fn zsh_and_fish_get_values_and_descriptions() {
        let line = Line::default();
        let offers = vec![Offer::new("web:1", r"a: b\c"), Offer::new("label=", ""), Offer::new("a\\", "")];
        assert_eq!(words(ScriptShell::Zsh, &line, offers.clone()), "words\n=web\\:1:a: b\\\\c\n+label=\n=a\\\\\n");
        assert_eq!(words(ScriptShell::Fish, &line, offers), "words\nweb:1\ta: b\\c\nlabel=\na\\\n");
        let line = Line::read(ScriptShell::Zsh, "x --filter=st", "");
        assert_eq!(words(ScriptShell::Zsh, &line, vec![Offer::new("--filter=status=", "")]), "words\n+status=\n");
    }

    #[test]
    fn nothing_that_a_terminal_would_act_on_is_in_a_reply() {
        let hostile = ["\x1b[2J", "a\nb", "a\tb", "\u{202e}x", "a\rb", "\u{9b}1m"];
        for shell in [ScriptShell::Bash, ScriptShell::Zsh, ScriptShell::Fish] {
            let offers = hostile.iter().map(|text| Offer::new(*text, "")).collect();
            assert_eq!(words(shell, &Line::default(), offers), "words\n");
            let described = hostile.iter().map(|text| Offer::new("ok", *text)).collect();
            let reply = words(shell, &Line::default(), described);
            assert_eq!(reply.lines().count(), hostile.len() + 1);
            let shown = reply.replace("ok\t", "");
            assert!(!shown.contains(|char| char != '\n' && is_unprintable(char)), "{shown:?}");
        }
    }

    #[test]
    fn only_what_continues_the_word_is_offered() {
        assert_eq!(bash("x we", "api"), "words\n");
    }

    proptest::proptest! {
        /// What bash inserts is read back as the value, whatever is in it.
        #[test]
        fn bash_reads_back_what_is_offered(value in "[ -~é]{1,12}", cut in 0..12usize, quote in "[\"']?") {
            let typed: String = value.chars().take(cut).filter(char::is_ascii_alphanumeric).collect();
            proptest::prop_assume!(value.starts_with(&typed));
            let before = format!("x {quote}{typed}");
            let line = Line::read(ScriptShell::Bash, &before, BREAKS);
            let reply = words(ScriptShell::Bash, &line, vec![Offer::new(value.clone(), "")]);
            let inserted = reply.lines().nth(1).unwrap_or_default();
            let kept = before.len() - (line.current.len() - line.kept);
            let after = format!("{}{inserted}{quote} ", &before[..kept]);
            let read = Line::read(ScriptShell::Bash, &after, BREAKS).words;
            proptest::prop_assert_eq!(read, vec!["x".to_owned(), value]);
        }
    }
}
