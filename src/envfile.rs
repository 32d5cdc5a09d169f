//! The grammar of environment files, for `--env-file`. Pure: this module parses text. It reads no file and no variable
//! of the caller, and its errors never contain a value.

use std::fmt;

use crate::names::{EnvKey, EnvValue, Variable};

/// What separates words on a line.
const BLANKS: [char; 2] = [' ', '\t'];

/// Why a file of variables was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvFileError {
    /// The number of the line on which the faulty entry begins, from 1.
    pub line: usize,
    /// The reason, in lower case and without a full stop. It never contains text of the file, which may be a secret.
    pub why: &'static str,
}

impl fmt::Display for EnvFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for EnvFileError {}

/// The variables of a file, in its order; a name may occur more than once.
///
/// An entry is `KEY=VALUE`, `export KEY=VALUE` or `KEY`; spaces before it are skipped. A line that begins with `#` is a
/// comment. There are three forms of the value:
///
/// * Without quotes it is the rest of the line, without spaces at both ends and without a comment, which begins at a `#`
///   after a space. A quote inside it has no special meaning.
/// * In single quotes it is exact, and may have several lines.
/// * In double quotes `\n`, `\r`, `\t`, `\"`, `\\` and `\$` are one character each; any other `\` is itself.
///
/// Shells and `docker compose` read such files in the same way, but `$` is never expanded here. `docker run --env-file`
/// would keep the quotes. A BOM at the beginning is skipped, and CR LF is read as LF everywhere.
///
/// # Errors
/// [`EnvFileError`] for the first entry that is not of this form, and for a NUL.
pub fn parse(text: &str) -> Result<Vec<Variable>, EnvFileError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let mut variables = Vec::new();
    let (mut rest, mut line) = (text.as_str(), 1);
    while !rest.is_empty() {
        let after = match rest.as_bytes()[0] {
            b' ' | b'\t' | b'\n' => &rest[1..],
            b'#' => rest.split_once('\n').map_or("", |(comment, _)| &rest[comment.len()..]),
            _ => {
                let (variable, after) = entry(rest).map_err(|why| EnvFileError { line, why })?;
                variables.push(variable);
                after
            }
        };
        line += rest[..rest.len() - after.len()].matches('\n').count();
        rest = after;
    }
    Ok(variables)
}

/// The entry at the beginning of `text`, and the text from the end of its last line on.
fn entry(text: &str) -> Result<(Variable, &str), &'static str> {
    let text = text
        .strip_prefix("export")
        .filter(|rest| rest.starts_with(BLANKS))
        .map_or(text, |rest| rest.trim_start_matches(BLANKS));
    let name_end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(name_end);
    let key = EnvKey::parse(name)
        .map_err(|_| "a name must consist of letters, digits and \"_\", and must not begin with a digit")?;
    let Some(value) = rest.strip_prefix('=') else {
        return match end_of_line(rest) {
            Some(after) => Ok((Variable { key, value: None }, after)),
            None => Err("\"=\" must follow the name, without a space between them"),
        };
    };
    let (value, after) = value_text(value)?;
    let value = EnvValue::parse(&value).map_err(|_| "the value contains a NUL")?;
    Ok((Variable { key, value: Some(value) }, after))
}

/// The value at the beginning of `text`, and the text from the end of its last line on.
fn value_text(text: &str) -> Result<(String, &str), &'static str> {
    let quoted = text.trim_start_matches(BLANKS);
    let (value, rest) = if let Some(inside) = quoted.strip_prefix('\'') {
        let (value, rest) = inside.split_once('\'').ok_or("the single quote is not closed")?;
        (value.to_owned(), rest)
    } else if let Some(inside) = quoted.strip_prefix('"') {
        unescape(inside).ok_or("the double quote is not closed")?
    } else {
        return Ok(unquoted(text));
    };
    let after = end_of_line(rest).ok_or("there is text after the closing quote")?;
    Ok((value, after))
}

/// The value up to the double quote that ends it, and the text after that.
fn unescape(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                plain @ ('"' | '\\' | '$') => value.push(plain),
                other => value.extend(['\\', other]),
            },
            _ => value.push(c),
        }
    }
    None
}

/// The value to the end of the line or to a comment, and the text from that end on.
fn unquoted(text: &str) -> (String, &str) {
    let (line, after) = text.split_at(text.find('\n').unwrap_or(text.len()));
    let comment =
        line.match_indices('#').find(|&(at, _)| line[..at].ends_with(BLANKS)).map_or(line.len(), |(at, _)| at);
    (line[..comment].trim_matches(BLANKS).to_owned(), after)
}

/// The text from the end of this line on, if the rest of the line is empty or a comment.
fn end_of_line(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(BLANKS);
    let is_comment = rest.starts_with('#') && rest.len() < text.len();
    if is_comment {
        return Some(&rest[rest.find('\n').unwrap_or(rest.len())..]);
    }
    (rest.is_empty() || rest.starts_with('\n')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Vec<(String, Option<String>)> {
        let variables = parse(text).expect("a valid file");
        variables
            .into_iter()
            .map(|variable| (variable.key.to_string(), variable.value.map(|value| value.as_str().to_owned())))
            .collect()
    }

    /// The value of the only entry of a file.
    fn value(text: &str) -> String {
        let [(_, Some(value))] = &read(text)[..] else { panic!("one entry with a value expected in {text:?}") };
        value.clone()
    }

    #[test]
    fn a_file_gives_its_variables_in_order() {
        let text = "# head\n\nA=1\n  export B=two words \nC\nexport D\n\tE=\nA=again";
        let some = |key: &str, value: &str| (key.to_owned(), Some(value.to_owned()));
        let none = |key: &str| (key.to_owned(), None);
        let expected =
            vec![some("A", "1"), some("B", "two words"), none("C"), none("D"), some("E", ""), some("A", "again")];
        assert_eq!(read(text), expected);
    }

    #[test]
    fn a_value_is_what_the_table_says() {
        for (text, expected) in [
            ("A=", ""),
            ("A=x # comment", "x"),
            ("A=x#kept", "x#kept"),
            ("A=#kept", "#kept"),
            ("A= # comment", ""),
            ("A= x ", "x"),
            ("A=a=b", "a=b"),
            ("A=$X ${Y} `z`", "$X ${Y} `z`"),
            (r"A=a\nb", r"a\nb"),
            ("A=it's", "it's"),
            ("A=a\"b\"", "a\"b\""),
            ("A=''", ""),
            ("A='a # b'", "a # b"),
            (r"A='a\n$X'", r"a\n$X"),
            ("A='1\n2\n' # end", "1\n2\n"),
            ("A=\"1\n2\"", "1\n2"),
            (r#"A="\n\r\t\"\\\$\x""#, "\n\r\t\"\\$\\x"),
            ("A= 'x'\t# end", "x"),
            ("export=1", "1"),
            ("A=é\u{2028}", "é\u{2028}"),
            ("A=a\rb", "a\rb"),
            ("\u{feff}A=1\r\n", "1"),
            ("A=\"1\r\n2\"\r\n", "1\n2"),
        ] {
            assert_eq!(value(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_fault_is_reported_with_its_line_and_without_the_text() {
        for (text, line, why) in [
            ("A=1\n\nhunter2 x", 3, "\"=\" must follow the name"),
            ("A =hunter2", 1, "\"=\" must follow the name"),
            ("# a\n1A=hunter2", 2, "a name must consist of letters"),
            ("=hunter2", 1, "a name must consist of letters"),
            ("A-B=hunter2", 1, "\"=\" must follow the name"),
            ("export A B", 1, "\"=\" must follow the name"),
            ("A='x\ny'\nB='hunter2", 3, "the single quote is not closed"),
            ("A=\"hunter2\\\"", 1, "the double quote is not closed"),
            ("A=\"hunter2\\", 1, "the double quote is not closed"),
            ("A=\"x\"hunter2", 1, "there is text after the closing quote"),
            ("A='x'#hunter2", 1, "there is text after the closing quote"),
            ("A=hunter2\0", 1, "the value contains a NUL"),
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.line, line, "{text:?}");
            assert!(error.why.starts_with(why), "{text:?}: {error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }

    fn double_quoted(value: &str) -> String {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$").replace('\r', "\\r");
        format!("\"{value}\"")
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(?s).{0,60}|[ \t\r\nAx1=#'\"\\\\]{0,40}") {
            drop(parse(&text));
        }

        #[test]
        fn a_value_in_double_quotes_comes_back_exactly(values in prop::collection::vec("[^\0]{0,40}", 1..4)) {
            let lines: Vec<_> = values.iter().map(|value| format!("export K={} # c", double_quoted(value))).collect();
            let expected: Vec<_> = values.into_iter().map(|value| ("K".to_owned(), Some(value))).collect();
            prop_assert_eq!(read(&lines.join("\n")), expected);
        }

        #[test]
        fn a_value_in_single_quotes_comes_back_exactly(text in "[^\0'\r]{0,60}") {
            prop_assert_eq!(value(&format!("K='{text}'")), text);
        }
    }
}
