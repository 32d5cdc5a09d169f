//! The lines of a requirements file, as pip makes them of its text. Pure.
//!
//! pip splits a text where Python's `splitlines` does, joins lines that end with a backslash, removes comments, and
//! splits the options of a line with Python's `shlex`. Each of these is repeated here, quirks included: a text that was
//! read otherwise would be another list of packages.

/// A line after joining and without its comment. It is never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The number of the first line that it was joined from, from 1.
    pub number: usize,
    /// Its text, without white space around it.
    pub text: String,
}

/// The lines of a text that have something to say.
pub fn of(text: &str) -> Vec<Line> {
    let lines = joined(text).into_iter();
    let lines = lines.map(|line| Line { text: without_comment(&line.text).trim_matches(is_space).to_owned(), ..line });
    lines.filter(|line| !line.text.is_empty()).collect()
}

/// Joins each line that ends with a backslash with the next one. A line that is a comment ends the joining, also if it
/// ends with a backslash itself.
fn joined(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut open: Option<Line> = None;
    for (at, line) in split(text).into_iter().enumerate() {
        let mut current = open.take().unwrap_or(Line { number: at + 1, text: String::new() });
        if is_comment(line) {
            // With a blank before it, it is a comment also behind other text.
            current.text.push(' ');
            current.text.push_str(line);
        } else if line.ends_with('\\') {
            current.text.push_str(line.trim_matches('\\'));
            open = Some(current);
            continue;
        } else {
            current.text.push_str(line);
        }
        lines.push(current);
    }
    lines.extend(open);
    lines
}

/// As `str.splitlines`: a text that ends with a line end has no empty line after it.
fn split(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some((at, end)) = rest.char_indices().find(|(_, c)| ends_line(*c)) {
        lines.push(&rest[..at]);
        rest = &rest[at + end.len_utf8()..];
        if end == '\r' {
            rest = rest.strip_prefix('\n').unwrap_or(rest);
        }
    }
    lines.extend((!rest.is_empty()).then_some(rest));
    lines
}

fn ends_line(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What Python takes for white space.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

fn is_comment(line: &str) -> bool {
    line.trim_start_matches(is_space).starts_with('#')
}

/// A comment begins at a `#` at the start or after white space, and takes that along.
fn without_comment(line: &str) -> &str {
    let begins = |(at, _): &(usize, &str)| *at == 0 || line[..*at].ends_with(is_space);
    match line.match_indices('#').find(begins) {
        Some((at, _)) => line[..at].trim_end_matches(is_space),
        None => line,
    }
}

/// The words of the options of a line, as `shlex.split` makes them. `None` if a quote is not closed or nothing follows
/// the last backslash.
pub fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\\' => word.get_or_insert_default().push(chars.next()?),
            '\'' | '"' => quoted(c, &mut chars, word.get_or_insert_default())?,
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

/// Reads up to the closing quote. In double quotes a backslash stands before a quote or another backslash.
fn quoted(quote: char, chars: &mut std::str::Chars, word: &mut String) -> Option<()> {
    loop {
        match chars.next()? {
            c if c == quote => return Some(()),
            '\\' if quote == '"' => {
                let next = chars.next()?;
                if !matches!(next, '"' | '\\') {
                    word.push('\\');
                }
                word.push(next);
            }
            c => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<(usize, String)> {
        of(text).into_iter().map(|line| (line.number, line.text)).collect()
    }

    #[test]
    fn lines_are_joined_and_lose_their_comments_as_with_pip() {
        for (text, expected) in [
            ("", &[][..]),
            ("a\n\n  # x\n\tb  ", &[(1, "a"), (4, "b")]),
            ("a\r\nb\rc\u{c}d\u{85}e\u{2028}f", &[(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "e"), (6, "f")]),
            ("a \\\n  --hash=x \\\n  --hash=y\nb", &[(1, "a   --hash=x   --hash=y"), (4, "b")]),
            // A comment after a continuation ends it; a comment is not continued.
            ("a \\\n  # x\nb", &[(1, "a"), (3, "b")]),
            ("# x \\\nb", &[(2, "b")]),
            ("a # x \\\nb\nc", &[(1, "a"), (3, "c")]),
            ("a#b\nc #d\n#e", &[(1, "a#b"), (2, "c")]),
            ("a\u{a0}#b", &[(1, "a")]),
            // All backslashes around a continued line are dropped.
            ("\\a\\\\\nb\\", &[(1, "ab")]),
            ("\\\n\\\n", &[]),
        ] {
            let expected: Vec<(usize, String)> = expected.iter().map(|(at, text)| (*at, (*text).to_owned())).collect();
            assert_eq!(texts(text), expected, "{text:?}");
        }
    }

    #[test]
    fn options_are_split_as_by_a_shell() {
        for (text, expected) in [
            ("", Some(&[][..])),
            ("-r  a.txt\t-c b", Some(&["-r", "a.txt", "-c", "b"])),
            ("-r 'a b'\"c\"d\\ e ''", Some(&["-r", "a bcd e", ""])),
            (r#"-r "a\"b\\c\d""#, Some(&["-r", r#"a"b\c\d"#])),
            (r"-r 'a\'b", Some(&["-r", r"a\b"])),
            ("-r 'a", None),
            ("-r a\\", None),
            ("-r \"a\\", None),
            ("-r a#b # c", Some(&["-r", "a#b", "#", "c"])),
        ] {
            let expected = expected.map(|words| words.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(words(text), expected, "{text:?}");
        }
    }
}
