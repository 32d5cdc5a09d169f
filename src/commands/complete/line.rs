//! Reads the command line as a person has typed it so far: quotes may be open, and the last word may be incomplete. Pure.

use crate::cli::ScriptShell;

/// A command line up to the cursor.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The words before the one at the cursor, without quotes, the program first.
    pub words: Vec<String>,
    /// The word at the cursor up to it, without quotes.
    pub current: String,
    /// Whether the word at the cursor is the target of a redirection.
    pub is_target: bool,
    /// The quote that is open at the cursor.
    pub quote: Option<char>,
    /// The length of the part of `current`, in bytes, that bash keeps: it replaces only what follows a word break such as
    /// `=` or `:`, or an open quote.
    pub kept: usize,
}

impl Line {
    /// Reads `text`. `breaks` are bash's `COMP_WORDBREAKS`.
    pub fn read(shell: ScriptShell, text: &str, breaks: &str) -> Self {
        let mut reader = Reader { shell, breaks, line: Self::default(), has_word: false, last_break: 0 };
        reader.read(text);
        let mut line = reader.line;
        let assignments = line.words.iter().take_while(|word| is_assignment(word)).count();
        line.words.drain(..assignments);
        line
    }

    /// The value that a flag has on this line, the last one if it has several.
    pub fn value_of(&self, flag: &str) -> Option<&str> {
        let ours = self.words.iter().take_while(|word| *word != "--");
        let mut value = None;
        let mut is_next = false;
        for word in ours {
            if std::mem::take(&mut is_next) {
                value = Some(word.as_str());
            } else if word == flag {
                is_next = true;
            } else if let Some(given) = word.strip_prefix(flag).and_then(|rest| rest.strip_prefix('=')) {
                value = Some(given);
            }
        }
        value
    }

    /// Whether this word is already there.
    pub fn has(&self, word: &str) -> bool {
        self.words.iter().any(|known| known == word)
    }
}

fn is_assignment(word: &str) -> bool {
    let name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    word.split_once('=').is_some_and(|(key, _)| !key.is_empty() && name(key))
}

struct Reader<'a> {
    shell: ScriptShell,
    breaks: &'a str,
    line: Line,
    /// Whether a word has begun; it may be empty, as in `''`.
    has_word: bool,
    /// Where the last word break outside of quotes ends in the current word.
    last_break: usize,
}

impl Reader<'_> {
    fn read(&mut self, text: &str) {
        let mut rest = text.chars();
        while let Some(next) = rest.next() {
            match (self.line.quote, next) {
                (None, '\\') => {
                    // A backslash before the cursor belongs to what will be typed.
                    if let Some(next) = rest.next() {
                        self.push(next);
                    }
                }
                (None, '\'' | '"') => {
                    self.line.quote = Some(next);
                    self.has_word = true;
                    self.line.kept = self.line.current.len();
                }
                (None, '<' | '>') => self.redirect(),
                (None, ' ' | '\t' | '\n') => self.end_word(),
                (None, next) => {
                    self.push(next);
                    if self.breaks.contains(next) {
                        self.last_break = self.line.current.len();
                        self.line.kept = self.last_break;
                    }
                }
                (Some(quote), next) if quote == next => self.close(),
                (Some(quote), '\\') => match rest.next() {
                    Some(next) if self.escapes(quote, next) => self.push(next),
                    next => {
                        self.push('\\');
                        match next {
                            Some(next) if next == quote => self.close(),
                            Some(next) => self.push(next),
                            None => {}
                        }
                    }
                },
                (Some(_), next) => self.push(next),
            }
        }
    }

    /// Whether a backslash in this quote takes the meaning of a character away.
    fn escapes(&self, quote: char, next: char) -> bool {
        match (self.shell, quote) {
            (ScriptShell::Fish, '\'') => matches!(next, '\'' | '\\'),
            (_, '\'') => false,
            _ => matches!(next, '"' | '\\' | '$' | '`'),
        }
    }

    fn push(&mut self, char: char) {
        self.has_word = true;
        self.line.current.push(char);
    }

    /// Behind a closed quote bash again replaces everything from the last word break outside of quotes on.
    fn close(&mut self) {
        self.line.quote = None;
        self.line.kept = self.last_break;
    }

    /// `>` ends a word, unless that is the number of a descriptor.
    fn redirect(&mut self) {
        let is_number = self.line.current.bytes().all(|byte| byte.is_ascii_digit() || byte == b'&');
        if is_number {
            self.line.current.clear();
            (self.has_word, self.line.kept, self.last_break) = (false, 0, 0);
        }
        self.end_word();
        self.line.is_target = true;
    }

    fn end_word(&mut self) {
        if !std::mem::take(&mut self.has_word) {
            return;
        }
        let word = std::mem::take(&mut self.line.current);
        (self.line.kept, self.last_break) = (0, 0);
        if !std::mem::take(&mut self.line.is_target) {
            self.line.words.push(word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BREAKS: &str = " \t\n\"'><=;|&(:";

    fn read(text: &str) -> Line {
        Line::read(ScriptShell::Bash, text, BREAKS)
    }

    #[test]
    fn words_are_those_that_the_shell_would_pass_on() {
        for (text, words, current) in [
            ("longshore exec wait ", &["longshore", "exec", "wait"][..], ""),
            ("longshore  exec wa", &["longshore", "exec"], "wa"),
            (r#"longshore "a b" 'c"d' e\ f"#, &["longshore", "a b", "c\"d"], "e f"),
            (r#"longshore "a\"b\x" '' "" x"#, &["longshore", r#"a"b\x"#, "", ""], "x"),
            (r#"longshore "a b"#, &["longshore"], "a b"),
            (r"longshore 'a\", &["longshore"], r"a\"),
            (r"longshore a\", &["longshore"], "a"),
            ("A=1 B_2=x longshore é", &["longshore"], "é"),
            ("longshore exec list 2>/dev/null --js", &["longshore", "exec", "list"], "--js"),
            ("", &[], ""),
        ] {
            let line = read(text);
            assert_eq!((line.words, line.current.as_str()), (words.iter().map(|w| (*w).to_owned()).collect(), current));
        }
        let fish = Line::read(ScriptShell::Fish, r"longshore 'it\'s' x", "");
        assert_eq!((fish.words[1].as_str(), fish.current.as_str()), ("it's", "x"));
        let zsh = Line::read(ScriptShell::Zsh, r"longshore 'it\' x", "");
        assert_eq!(zsh.words[1], r"it\");
    }

    #[test]
    fn the_target_of_a_redirection_is_no_word_of_the_command() {
        for text in
            ["longshore exec list > fi", "longshore exec list >fi", "longshore exec list 2> fi", "longshore x &>fi"]
        {
            let line = read(text);
            assert!(line.is_target && line.current == "fi", "{text}: {line:?}");
        }
        assert!(!read("longshore exec list > file -").is_target);
    }

    #[test]
    fn bash_keeps_what_is_before_a_word_break_or_an_open_quote() {
        for (text, kept, quote) in [
            ("x --filter=label=te", "--filter=label=", None),
            ("x web:la", "web:", None),
            (r"x web\:la", "", None),
            ("x --filter=\"label=te", "--filter=", Some('"')),
            ("x 'a b=c", "", Some('\'')),
            ("x \"a b\"c=d", "a bc=", None),
            ("x \"a=b\"c", "", None),
            ("x a=\"b c\"d", "a=", None),
        ] {
            let line = read(text);
            assert_eq!((&line.current[..line.kept], line.quote), (kept, quote), "{text}");
        }
    }

    #[test]
    fn the_value_of_a_flag_is_found_in_both_forms() {
        let line = read("longshore --context a exec run --src=x --src y --context=b -- --src z ");
        assert_eq!((line.value_of("--context"), line.value_of("--src")), (Some("b"), Some("y")));
        assert_eq!((read("x --src ").value_of("--src"), line.value_of("--host")), (None, None));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text in "(?s).{0,60}", breaks in ".{0,6}") {
            for shell in [ScriptShell::Bash, ScriptShell::Zsh, ScriptShell::Fish] {
                let line = Line::read(shell, &text, &breaks);
                proptest::prop_assert!(line.current.is_char_boundary(line.kept));
            }
        }
    }
}
