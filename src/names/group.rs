//! The names of lists of packages in a `pyproject.toml`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Checked, Invalid, Refusal, at_most, no, only};

checked_text! {
    /// The name of a dependency group (PEP 735).
    DependencyGroup, "group", check
}

checked_text! {
    /// The name of an extra (PEP 685).
    ExtraName, "extra", check
}

/// The form of a name of Python packaging in which names are compared: lower case, with one `-` for each run of `-`, `_`
/// and `.`.
#[must_use]
pub fn normalized(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if normal.ends_with('-') => {}
            '-' | '_' | '.' => normal.push('-'),
            _ => normal.push(c.to_ascii_lowercase()),
        }
    }
    normal
}

fn check(text: &str) -> Checked {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    only(text, allowed, "letters, digits, \".\", \"_\" and \"-\", and the flag again for another name")?;
    at_most(text, 200)?;
    let is_end = |c: char| c.is_ascii_alphanumeric();
    if !text.starts_with(is_end) || !text.ends_with(is_end) {
        return Err(no("it must begin and end with a letter or a digit"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_python_packaging() {
        for text in ["a", "0", "dev", "Type-Checks_1.2", "a--b"] {
            assert_eq!(DependencyGroup::parse(text).unwrap().as_str(), text);
            assert_eq!(ExtraName::parse(text).unwrap().as_str(), text);
        }
        for text in ["", "-a", "a-", ".a", "a b", "a,b", "a[b]", "a:b", "é", "a\n", &"a".repeat(201)] {
            assert!(DependencyGroup::parse(text).is_err() && ExtraName::parse(text).is_err(), "{text:?}");
        }
        let refusal = DependencyGroup::parse("a,b").unwrap_err();
        assert_eq!(refusal.to_string(), "invalid group \"a,b\": \",\" is not allowed");
    }

    #[test]
    fn names_are_compared_without_case_and_kind_of_separator() {
        for (name, normal) in [("Dev", "dev"), ("a-_.b", "a-b"), ("a.b_c", "a-b-c"), ("", "")] {
            assert_eq!(normalized(name), normal);
        }
    }
}
