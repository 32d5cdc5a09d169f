//! Python requirements, by the grammar of PEP 508. Everything that pip would read in a requirements file as something
//! other than a requirement is refused.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::requirement::check_grammar;
use super::{Checked, Invalid, Refusal, at_most, no, shown};

checked_text! {
    /// One requirement of PEP 508 that can be a line of a requirements file.
    ///
    /// Text that pip would read as something else on such a line is refused: an option, also after a space, a
    /// continuation, a comment, `${VARIABLE}`, and a name that looks like an archive file.
    PipRequirement, "pip requirement", check_requirement
}

impl PipRequirement {
    /// The requirements of a list, in the order given.
    ///
    /// A line end always separates two requirements. A space separates them, except in these places: inside quotes,
    /// brackets or parentheses; before a word that begins with one of `<>=!~;@,([)]`; after a word that ends with one of
    /// `<>=!~;@,` or an opening bracket; and, after the `;` of a marker, around `and`, `or`, `in` and `not`. So
    /// `numpy<2 pandas >= 2` is two requirements.
    ///
    /// # Errors
    /// [`Invalid`] for the first entry that is not a requirement.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, Invalid> {
        split_requirements(text).iter().map(|entry| Self::parse(entry)).collect()
    }
}

fn check_requirement(text: &str) -> Checked {
    let text = text.trim_matches([' ', '\t']);
    check_requirement_line(text)?;
    check_requirement_start(text)?;
    check_not_an_archive(text)?;
    check_grammar(text)?;
    Ok(text.to_owned())
}

/// Refuses text that is not one requirement in a requirements file. pip reads any word that begins with `-` as an option,
/// even inside a quoted marker, and expands variables before it parses.
fn check_requirement_line(text: &str) -> Result<(), Refusal> {
    if text.is_empty() {
        return Err(no("it is empty"));
    }
    at_most(text, 1000)?;
    if let Some(c) = text.chars().find(|c| !matches!(c, ' '..='~')) {
        return Err(no(format!("{} is not allowed", shown(c))));
    }
    if text.split(' ').any(|word| word.starts_with('-')) {
        return Err(no("pip would read a word that begins with \"-\" as an option"));
    }
    if text.split(' ').any(|word| word.starts_with('#')) {
        return Err(no("pip would read the text after \"#\" as a comment"));
    }
    if text.contains('\\') {
        return Err(no("\"\\\" would join it to the next line"));
    }
    if text.contains('$') {
        return Err(no("\"$\" is not allowed, because pip would insert the value of a variable"));
    }
    Ok(())
}

/// Gives better reasons than the grammar for some common mistakes.
fn check_requirement_start(text: &str) -> Result<(), Refusal> {
    if text.split([' ', ';', '@']).next().is_some_and(|word| word.contains("://")) {
        return Err(no("it is a URL without a name").hint("to choose a version, write NAME==VERSION"));
    }
    if text.starts_with(['.', '/']) {
        return Err(no("pip would read it as the path of a file"));
    }
    if text.contains(',') && !text.contains(['(', '[', ';', '<', '>', '=', '!', '~', '@']) {
        return Err(no("it contains a comma").hint("separate the requirements with spaces"));
    }
    Ok(())
}

/// Refuses the endings of archives: pip would read such a requirement as a file in the current directory.
fn check_not_an_archive(text: &str) -> Result<(), Refusal> {
    const ENDINGS: [&str; 12] = [
        ".whl",
        ".zip",
        ".tar",
        ".tgz",
        ".tar.gz",
        ".tbz",
        ".tar.bz2",
        ".txz",
        ".tlz",
        ".tar.xz",
        ".tar.lz",
        ".tar.lzma",
    ];
    let before_marker = text.split(';').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    if before_marker.contains('@') {
        return Ok(());
    }
    let before_extras = before_marker.split('[').next().unwrap_or_default().trim_end();
    if ENDINGS.iter().any(|ending| before_marker.ends_with(ending) || before_extras.ends_with(ending)) {
        return Err(no("pip would read it as the path of a file"));
    }
    Ok(())
}

/// Splits a list into the texts of its requirements, by the rule of [`PipRequirement::parse_list`].
fn split_requirements(text: &str) -> Vec<String> {
    let mut entries = Vec::new();
    for line in text.lines() {
        let mut entry = String::new();
        for word in words(line) {
            if !entry.is_empty() && !goes_on(&entry, &word) {
                entries.push(std::mem::take(&mut entry));
            }
            if !entry.is_empty() {
                entry.push(' ');
            }
            entry.push_str(&word);
        }
        entries.extend(Some(entry).filter(|entry| !entry.is_empty()));
    }
    entries
}

/// The words of a line, split at spaces that are not inside quotes, brackets or parentheses.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut depth = 0_usize;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[') => depth += 1,
            (None, ')' | ']') => depth = depth.saturating_sub(1),
            (None, _) if c.is_ascii_whitespace() && depth == 0 => {
                words.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether `word` belongs to the requirement that `entry` has begun.
fn goes_on(entry: &str, word: &str) -> bool {
    let last = entry.rsplit(' ').next().unwrap_or_default();
    let in_marker = entry.contains(';');
    // The space between a quote or a parenthesis and one of these words may be missing.
    let joins = |word: Option<&str>| matches!(word, Some("and" | "or" | "in" | "not"));
    word.starts_with(['<', '>', '=', '!', '~', ';', '@', ',', '(', '[', ')', ']'])
        || (last.ends_with(['<', '>', '=', '!', '~', ';', '@', ',', '(', '[']))
        || (in_marker && (joins(word.split(['"', '\'', '(']).next()) || joins(last.rsplit(['"', '\'', ')']).next())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(text: &str) -> Vec<String> {
        let requirements = PipRequirement::parse_list(text).expect(text);
        requirements.into_iter().map(String::from).collect()
    }

    #[test]
    fn requirements_of_pep_508_are_accepted() {
        for text in [
            "numpy",
            "numpy<2",
            "numpy >= 1.26, != 2.0.*",
            "requests[security,socks] (>=2.31)",
            "torch==2.1.0+cu118",
            "zope.interface~=6.0",
            "a; python_version < \"3.12\" and (os_name == 'posix' or extra == 'x')",
        ] {
            assert_eq!(PipRequirement::parse(&format!(" {text}\t")).expect(text).as_str(), text);
        }
    }

    #[test]
    fn what_pip_would_read_otherwise_is_refused_with_the_reason() {
        const OPTION: &str = "pip would read a word that begins with \"-\" as an option";
        const FILE: &str = "pip would read it as the path of a file";
        for (text, why) in [
            ("-r other.txt", OPTION),
            ("--index-url=https://x", OPTION),
            ("-e .", OPTION),
            ("numpy --hash=sha256:0", OPTION),
            ("a; os_name == \" --index-url http://x \"", OPTION),
            ("numpy==${TOK}", "\"$\" is not allowed, because pip would insert the value of a variable"),
            ("numpy \\", "\"\\\" would join it to the next line"),
            ("# numpy", "pip would read the text after \"#\" as a comment"),
            ("numpy # x", "pip would read the text after \"#\" as a comment"),
            ("numpy\npandas", "\"\\n\" is not allowed"),
            ("numpy\u{2028}", "\"\\u{2028}\" is not allowed"),
            ("numpÿ", "\"ÿ\" is not allowed"),
            ("", "it is empty"),
            ("./wheel", FILE),
            ("/wheel", FILE),
            ("x-1.0-py3-none-any.whl", FILE),
            ("src.ZIP", FILE),
            ("src.tar.gz[x] ; os_name == 'nt'", FILE),
            ("numpy,pandas", "it contains a comma"),
            ("https://example.org/x.whl", "it is a URL without a name"),
            ("git+https://example.org/x", "it is a URL without a name"),
            ("x @ https://example.org/x.whl", "a URL is not accepted here"),
            ("x@git+https://example.org/x", "a URL is not accepted here"),
        ] {
            assert_eq!(PipRequirement::parse(text).expect_err(text).why, why, "{text:?}");
        }
        for text in ["-", "`id`", "$(id)", "a&&b", "<<EOF"] {
            assert!(PipRequirement::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_url_is_refused_with_what_to_write_instead() {
        for text in ["x @ https://example.org/x.whl", "x[y]@git+https://example.org/x", "https://example.org/x"] {
            let refusal = PipRequirement::parse(text).expect_err(text);
            assert_eq!(refusal.hint.as_deref(), Some("to choose a version, write NAME==VERSION"), "{text:?}");
        }
    }

    #[test]
    fn credentials_in_a_url_are_refused_and_not_shown() {
        for text in [
            "x @ https://me:hunter2@example.org/x",
            "x @ https://hunter2@example.org/x",
            "x @ git+ssh://me:hunter2@example.org/x",
            "x @ git+https://hunter2@example.org/x@v1",
            "git+https://hunter2@example.org/x",
            "x @ https://me:hunter2@example.org:x/",
            "x; os_name == 'https://me:hunter2@example.org/' x",
        ] {
            let shown = format!("{:?}", PipRequirement::parse(text).expect_err(text));
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn a_list_is_cut_where_a_requirement_ends() {
        for (text, entries) in [
            ("", &[][..]),
            ("numpy pandas", &["numpy", "pandas"]),
            (
                "numpy<2 pandas >= 2 requests[security]; python_version<\"3.12\"",
                &["numpy<2", "pandas >= 2", "requests[security]; python_version<\"3.12\""],
            ),
            ("numpy >= 1 , < 2 pandas", &["numpy >= 1 , < 2", "pandas"]),
            ("a [x, y] (>= 1, < 2) b", &["a [x, y] (>= 1, < 2)", "b"]),
            (
                "a ; python_version < \"3\" and 'linux' in sys_platform b; os_name not in 'a b' c",
                &["a ; python_version < \"3\" and 'linux' in sys_platform", "b; os_name not in 'a b'", "c"],
            ),
            (
                "a; (os_name == 'x' or os_name == 'y') or os_name=='z' b",
                &["a; (os_name == 'x' or os_name == 'y') or os_name=='z'", "b"],
            ),
            (
                "a; os_name=='x'and 'y'in sys_platform or('x' in os_name)and os_name not in'y z' b",
                &["a; os_name=='x'and 'y'in sys_platform or('x' in os_name)and os_name not in'y z'", "b"],
            ),
            ("in and or", &["in", "and", "or"]),
            ("a\t==  1\r\nb\n\n c", &["a == 1", "b", "c"]),
        ] {
            assert_eq!(list(text), entries, "{text:?}");
        }
        for text in ["numpy, pandas", "a >=\nb", "a -r b", "a[x b", "a; os_name == 'x b", "a @ https://example.org/ b"]
        {
            assert!(PipRequirement::parse_list(text).is_err(), "{text:?}");
        }
    }

    /// A requirement without blanks.
    fn requirement() -> impl Strategy<Value = String> {
        let version = prop_oneof![Just(String::new()), "(<|<=|>|>=|==|!=|~=)[1-9]\\.[0-9]", ">=[0-9],<[1-9]0"];
        let marker = prop_oneof![Just(""), Just(";os_name=='posix'"), Just(";python_version<\"3.12\"")];
        ("[a-z][a-z0-9]{0,6}(-[a-z0-9]{1,4})?", prop_oneof![Just(""), Just("[x]"), Just("[x,y]")], version, marker)
            .prop_map(|(name, extras, version, marker)| format!("{name}{extras}{version}{marker}"))
            .prop_filter("a word of markers", |text| !matches!(text.as_str(), "and" | "or" | "in" | "not"))
    }

    proptest! {
        #[test]
        fn a_list_comes_back_as_its_entries(entries in prop::collection::vec((requirement(), "[ \t\n]{1,3}"), 0..6)) {
            let text: Vec<_> = entries.iter().flat_map(|(entry, blank)| [entry.as_str(), blank]).collect();
            let entries: Vec<_> = entries.iter().map(|(entry, _)| entry.clone()).collect();
            prop_assert_eq!(list(&text.concat()), entries);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "(?s).{0,30}|[ -~]{0,40}|a[ -~]{0,40}|a ?; ?[a-z_]{0,8}[ <>=!'\"()a-z0-9.]{0,30}") {
            drop((PipRequirement::parse(&text), PipRequirement::parse_list(&text)));
        }

        #[test]
        fn what_is_accepted_is_one_line_without_options(text in "(?s).{0,12}|[a-z0-9<>=!~;@\\[\\](),.# \n\t\\\\$-]{0,16}") {
            if let Ok(requirement) = PipRequirement::parse(&text) {
                let kept = requirement.as_str();
                prop_assert!(kept.starts_with(|c: char| c.is_ascii_alphanumeric()));
                prop_assert!(!kept.contains(['\n', '\r', '\t', '\0', '\\', '$']) && !kept.contains(" -"));
                prop_assert_eq!(list(kept), [kept]);
            }
        }
    }
}
