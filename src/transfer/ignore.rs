//! The syntax of `.dockerignore`: which paths its lines leave out. Pure.
//!
//! A path is left out if the last pattern that matches it or a directory above it is not an exception. This is what Docker
//! documents, and what `MatchesOrParentMatches` of moby/patternmatcher does; its tests are in the table below. In three rare
//! cases that function depends on how it makes regular expressions, and here the documented meaning holds: an escaped letter
//! is that letter, `*` and `?` in a class are themselves, and `**` matches a newline.

use std::path::{Component, Path};

/// The patterns of a file, in their order.
#[derive(Debug, Default)]
pub struct Ignore(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    /// Whether it begins with `!`.
    exception: bool,
    pattern: Pattern,
}

#[derive(Debug)]
enum Pattern {
    /// `**` and a text without wildcards: what ends with that text. Unlike `**` elsewhere, it also matches a part of a name.
    Ending(String),
    Glob(Vec<Token>),
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Char(char),
    /// `?`: any character but `/`.
    One,
    /// `*`: any characters but `/`.
    Star,
    /// `**` at the end: any characters.
    Rest,
    /// `**/`: nothing, or any characters up to a `/`. `Within` always follows, the state between these.
    Directories,
    Within,
    /// `[a-z]` or `[^a-z]`. The latter matches `/`, too.
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// Which patterns match a path or a directory above it.
#[derive(Debug, Clone, Default)]
pub struct Matched(Vec<bool>);

impl Ignore {
    /// The patterns of a text.
    ///
    /// # Errors
    /// For a pattern that is none, with the number of its line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut rules = Vec::new();
        for (at, line) in text.lines().enumerate() {
            // A `#` behind a blank is a part of a pattern.
            if !line.starts_with('#') && !line.trim().is_empty() {
                rules.push(rule(line.trim()).map_err(|why| format!("line {}: {why}", at + 1))?);
            }
        }
        Ok(Self(rules))
    }

    /// Whether a path is left out. It is relative to the directory of the file; that directory itself is never left out.
    #[must_use]
    #[cfg_attr(not(test), allow(dead_code, reason = "for the properties: a walk asks directory by directory"))]
    pub fn excludes(&self, path: &Path) -> bool {
        let mut above = Matched::default();
        let mut reached = String::new();
        for name in names(path) {
            reached = joined(&reached, &name);
            above = self.matched(&above, &reached);
        }
        self.decides(&above)
    }

    /// Which patterns match a path in a directory of which that is known. The path has `/` between its names.
    pub(super) fn matched(&self, above: &Matched, path: &str) -> Matched {
        let is_above = |at: usize| above.0.get(at).copied().unwrap_or_default();
        Matched(self.0.iter().enumerate().map(|(at, rule)| is_above(at) || rule.pattern.matches(path)).collect())
    }

    /// Whether a path that these patterns match is left out.
    pub(super) fn decides(&self, matched: &Matched) -> bool {
        self.0.iter().zip(&matched.0).rev().find(|(_, matches)| **matches).is_some_and(|(rule, _)| !rule.exception)
    }

    /// Whether an exception can match something below a directory. If not, a directory that is left out need not be read.
    #[must_use]
    pub fn may_hold_exceptions(&self, dir: &Path) -> bool {
        let names: Vec<String> = names(dir).collect();
        self.0.iter().any(|rule| rule.exception && rule.pattern.may_match_below(&names))
    }
}

fn names(path: &Path) -> impl Iterator<Item = String> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
        _ => None,
    })
}

/// A path and a name in it.
pub(super) fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

fn rule(line: &str) -> Result<Rule, String> {
    let (exception, pattern) = line.strip_prefix('!').map_or((false, line), |pattern| (true, pattern.trim()));
    if pattern.is_empty() {
        return Err("there is no pattern after the \"!\"".to_owned());
    }
    let cleaned = cleaned(pattern);
    let pattern = cleaned.strip_prefix('/').filter(|rest| !rest.is_empty()).unwrap_or(&cleaned);
    Ok(Rule { exception, pattern: Pattern::parse(pattern)? })
}

/// The shortest path that means the same, as Go's `filepath.Clean`.
fn cleaned(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." if names.last().is_some_and(|last| *last != "..") => drop(names.pop()),
            ".." if is_absolute => {}
            name => names.push(name),
        }
    }
    match (is_absolute, names.is_empty()) {
        (true, _) => format!("/{}", names.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => names.join("/"),
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, String> {
        let tokens = tokens(text)?;
        match text.strip_prefix("**") {
            Some(ending) if !ending.contains(['*', '?', '[', ']', '\\']) => Ok(Self::Ending(ending.to_owned())),
            _ => Ok(Self::Glob(tokens)),
        }
    }

    fn matches(&self, path: &str) -> bool {
        match self {
            Self::Ending(ending) => path.ends_with(ending) || ending.strip_prefix('/') == Some(path),
            Self::Glob(tokens) => matches(tokens, path),
        }
    }

    /// Whether it can match something below a directory that it need not match itself. Where that is not plain, it is true.
    fn may_match_below(&self, dir: &[String]) -> bool {
        let Self::Glob(tokens) = self else { return true };
        let crosses = |token: &Token| matches!(token, Token::Rest | Token::Directories | Token::Class { .. });
        let mut names = tokens.split(|token| *token == Token::Char('/'));
        for name in dir {
            match names.next() {
                None => return false,
                Some(pattern) if pattern.iter().any(crosses) => return true,
                Some(pattern) if !matches(pattern, name) => return false,
                Some(_) => {}
            }
        }
        names.next().is_some()
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let (mut tokens, mut rest) = (Vec::new(), text.chars());
    while let Some(char) = rest.next() {
        match char {
            '*' if rest.as_str().starts_with('*') => {
                rest.next();
                let after = rest.as_str();
                rest = after.strip_prefix('/').unwrap_or(after).chars();
                match rest.as_str() {
                    "" => tokens.push(Token::Rest),
                    _ => tokens.extend([Token::Directories, Token::Within]),
                }
            }
            '*' => tokens.push(Token::Star),
            '?' => tokens.push(Token::One),
            '[' => tokens
                .push(class(&mut rest).ok_or_else(|| format!("\"[\" without its \"]\" or its range in {text:?}"))?),
            '\\' => {
                tokens.push(Token::Char(rest.next().ok_or_else(|| format!("nothing after the \"\\\" in {text:?}"))?));
            }
            char => tokens.push(Token::Char(char)),
        }
    }
    Ok(tokens)
}

/// The class that begins before `rest`: ranges, of which there is at least one. In it, `-`, `]` and `\` must be escaped.
fn class(rest: &mut std::str::Chars) -> Option<Token> {
    let negated = rest.as_str().starts_with('^');
    if negated {
        rest.next();
    }
    let mut ranges = Vec::new();
    loop {
        if rest.as_str().starts_with(']') && !ranges.is_empty() {
            rest.next();
            return Some(Token::Class { negated, ranges });
        }
        let from = member(rest)?;
        let to = match rest.as_str().strip_prefix('-') {
            Some(after) => {
                *rest = after.chars();
                member(rest)?
            }
            None => from,
        };
        ranges.push((from, to));
        if from > to {
            return None;
        }
    }
}

fn member(rest: &mut std::str::Chars) -> Option<char> {
    match rest.next()? {
        '\\' => rest.next(),
        '-' | ']' => None,
        char => Some(char),
    }
}

/// Whether tokens match a whole text. The time is at most the product of both lengths, whatever the pattern.
fn matches(tokens: &[Token], text: &str) -> bool {
    let mut now = vec![false; tokens.len() + 1];
    let mut next = now.clone();
    reach(tokens, &mut now, 0);
    for char in text.chars() {
        next.fill(false);
        let reached = (0..tokens.len()).filter(|at| now[*at]);
        let mut any = false;
        for at in reached {
            any = true;
            step(tokens, &mut next, at, char);
        }
        if !any {
            return false;
        }
        std::mem::swap(&mut now, &mut next);
    }
    now[tokens.len()]
}

/// Marks a state, and those that are reached from it without a character.
fn reach(tokens: &[Token], states: &mut [bool], at: usize) {
    states[at] = true;
    match tokens.get(at) {
        Some(Token::Star | Token::Rest) => reach(tokens, states, at + 1),
        Some(Token::Directories) => reach(tokens, states, at + 2),
        _ => {}
    }
}

fn step(tokens: &[Token], next: &mut [bool], at: usize, char: char) {
    let is_slash = char == '/';
    match &tokens[at] {
        Token::Char(wanted) if *wanted == char => reach(tokens, next, at + 1),
        Token::One if !is_slash => reach(tokens, next, at + 1),
        Token::Star if !is_slash => reach(tokens, next, at),
        Token::Rest => reach(tokens, next, at),
        Token::Directories => {
            next[at + 1] = true;
            if is_slash {
                reach(tokens, next, at + 2);
            }
        }
        Token::Within => {
            next[at] = true;
            if is_slash {
                reach(tokens, next, at + 1);
            }
        }
        Token::Class { negated, ranges }
            if ranges.iter().any(|(from, to)| (from..=to).contains(&&char)) != *negated =>
        {
            reach(tokens, next, at + 1);
        }
        Token::Char(_) | Token::One | Token::Star | Token::Class { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excludes(text: &str, path: &str) -> bool {
        Ignore::parse(text).unwrap_or_else(|why| panic!("{text:?}: {why}")).excludes(Path::new(path))
    }

    /// `TestMatches` and `TestMatch` of moby/patternmatcher.
    #[test]
    fn a_pattern_matches_what_it_matches_for_docker() {
        let table = [
            ("**", "file", true),
            ("**", "file/", true),
            ("**/", "file", true),
            ("**/", "file/", true),
            ("**", "dir/file", true),
            ("**/", "dir/file", true),
            ("**/**", "dir/file", true),
            ("dir/**", "dir/file", true),
            ("dir/**", "dir/dir2/file", true),
            ("**/dir", "dir", true),
            ("**/dir", "dir/file", true),
            ("**/dir2/*", "dir/dir2/file", true),
            ("**/dir2/**", "dir/dir2/dir3/file", true),
            ("**file", "file", true),
            ("**file", "dir/file", true),
            ("**/file", "dir/file", true),
            ("**file", "dir/dir/file", true),
            ("**/file", "dir/dir/file", true),
            ("**/file*", "dir/dir/file", true),
            ("**/file*", "dir/dir/file.txt", true),
            ("**/file*txt", "dir/dir/file.txt", true),
            ("**/file*.txt", "dir/dir/file.txt", true),
            ("**/file*.txt*", "dir/dir/file.txt", true),
            ("**/**/*.txt", "dir/dir/file.txt", true),
            ("**/**/*.txt2", "dir/dir/file.txt", false),
            ("**/*.txt", "file.txt", true),
            ("**/**/*.txt", "file.txt", true),
            ("a**/*.txt", "a/file.txt", true),
            ("a**/*.txt", "a/dir/file.txt", true),
            ("a**/*.txt", "a/dir/dir/file.txt", true),
            ("a/*.txt", "a/dir/file.txt", false),
            ("a/*.txt", "a/file.txt", true),
            ("a/*.txt**", "a/file.txt", true),
            ("a[b-d]e", "ae", false),
            ("a[b-d]e", "ace", true),
            ("a[b-d]e", "aae", false),
            ("a[^b-d]e", "aze", true),
            (".*", ".foo", true),
            (".*", "foo", false),
            ("abc.def", "abcdef", false),
            ("abc.def", "abc.def", true),
            ("abc.def", "abcZdef", false),
            ("abc?def", "abcZdef", true),
            ("abc?def", "abcdef", false),
            ("a\\\\", "a\\", true),
            ("**/foo/bar", "foo/bar", true),
            ("**/foo/bar", "dir/foo/bar", true),
            ("**/foo/bar", "dir/dir2/foo/bar", true),
            ("abc/**", "abc", false),
            ("abc/**", "abc/def", true),
            ("abc/**", "abc/def/ghi", true),
            ("**/.foo", ".foo", true),
            ("**/.foo", "bar.foo", false),
            ("a(b)c/def", "a(b)c/def", true),
            ("a(b)c/def", "a(b)c/xyz", false),
            ("a.|)$(}+{bc", "a.|)$(}+{bc", true),
            ("dist/*.whl", "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl", true),
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*c", "abc", true),
            ("a*", "a", true),
            ("a*", "ab/c", true),
            ("a*/b", "abc/b", true),
            ("a*/b", "a/c/b", false),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", false),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("a*b?c*x", "abxbbxdbxebxczzy", false),
            ("ab[c]", "abc", true),
            ("ab[e-g]", "abc", false),
            ("ab[^c]", "abc", false),
            ("ab[^b-d]", "abc", false),
            ("ab[^e-g]", "abc", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "ab", false),
            ("a?b", "a☺b", true),
            ("a[^a]b", "a☺b", true),
            ("a???b", "a☺b", false),
            ("[a-ζ]*", "α", true),
            ("*[a-ζ]", "A", false),
            ("a?b", "a/b", false),
            ("a*b", "a/b", false),
            ("[\\]a]", "]", true),
            ("[\\-]", "-", true),
            ("[x\\-]", "x", true),
            ("[x\\-]", "z", false),
            ("[\\-x]", "a", false),
            ("*x", "xxx", true),
            // The regular expression of docker lets these cross a directory, or match a part of a name.
            ("a[^b]c", "a/c", true),
            ("**file", "profile", true),
            ("a**file", "a/profile", false),
            // A pattern from the first line to the end, however many stars.
            ("*a*a*a*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ];
        for (pattern, path, expected) in table {
            assert_eq!(excludes(pattern, path), expected, "{pattern:?} {path:?}");
        }
    }

    #[test]
    fn lines_are_read_as_docker_reads_them() {
        let table = [
            ("# a\na", "# a", false),
            (" # a", "# a", true),
            ("#a", "#a", false),
            ("\\#a", "#a", true),
            ("\u{feff}a", "a", true),
            ("\u{feff}#a\n", "a", false),
            ("  a\t \r\n", "a", true),
            ("a b", "a b", true),
            ("/a", "a", true),
            ("//a//b/", "a/b", true),
            ("./a/./b", "a/b", true),
            ("a/../b", "b", true),
            ("/../b", "b", true),
            ("../b", "b", false),
            ("docs/", "docs", true),
            ("docs/", "docs/a/b", true),
            // For historical reasons, `.` means nothing; so does `/`.
            (".", "a", false),
            ("/", "a", false),
            ("\n \n\r\n", "a", false),
        ];
        for (text, path, expected) in table {
            assert_eq!(excludes(text, path), expected, "{text:?} {path:?}");
        }
    }

    #[test]
    fn the_last_pattern_that_matches_wins() {
        let table = [
            ("*.go\n!main.go", "main.go", false),
            ("!main.go\n*.go", "main.go", true),
            ("docs\n!docs/README.md", "docs/README.md", false),
            ("docs\n!docs/README.md", "docs/other", true),
            ("docs/\n!docs/README.md", "docs/README.md", false),
            ("docs/*\n! /docs/README.md", "docs/README.md", false),
            ("**\n!util/docker/web", "util/docker/web/foo", false),
            ("**\n!util/docker/web", "util/docker", true),
            ("**\n!util/docker/web\nutil/docker/web/foo", "util/docker/web/foo", true),
            ("**\n!dist/*.whl", "dist/a.whl", false),
            // An exception for a directory holds for what is below it, even if the directory itself is not left out.
            ("a/b\n!a", "a/b", false),
            ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true),
            ("*.md\n!README*.md\nREADME-secret.md", "README-x.md", false),
            ("!!a\n", "!a", false),
        ];
        for (text, path, expected) in table {
            assert_eq!(excludes(text, path), expected, "{text:?} {path:?}");
        }
        assert!(!excludes("**", ""), "the directory itself");
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_its_line() {
        let bad = ["!", "! ", "[", "[]a]", "[-]", "[x-]", "[-x]", "\\", "[a-b-c]", "[^", "[^bc", "a[", "[z-a]", "[a\\"];
        for pattern in bad {
            let why = Ignore::parse(&format!("a\n{pattern}\n")).expect_err(pattern);
            assert!(why.starts_with("line 2: "), "{why}");
        }
        assert_eq!(Ignore::parse("!").unwrap_err(), "line 1: there is no pattern after the \"!\"");
    }

    #[test]
    fn a_directory_is_read_only_if_an_exception_can_match_below_it() {
        let table = [
            ("docs", "docs", false),
            ("docs\n!docs/README.md", "docs", true),
            ("docs\n!docs/README.md", "docs/a", false),
            ("docs\n!README.md", "docs", false),
            ("docs\n!*/README.md", "docs", true),
            ("docs\n!*/README.md", "docs/a", false),
            ("docs\n!**/README.md", "docs/a/b", true),
            ("docs\n!**README.md", "docs/a/b", true),
            ("docs\n!d?cs/a*/x", "docs/ab", true),
            ("docs\n!d?cs/a*/x", "docs/b", false),
            ("docs\n!d[^x]cs/x", "docs/b", true),
            ("docs\n!docs\ndocs/a", "docs/a", false),
        ];
        for (text, dir, expected) in table {
            assert_eq!(Ignore::parse(text).unwrap().may_hold_exceptions(Path::new(dir)), expected, "{text:?} {dir:?}");
        }
    }

    #[test]
    fn a_name_that_is_not_utf_8_has_a_character_for_each_bad_byte() {
        use std::os::unix::ffi::OsStrExt as _;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"a\xffb"));
        assert!(Ignore::parse("a?b").unwrap().excludes(path));
    }
}
