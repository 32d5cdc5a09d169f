//! The error for a refused value: its kind, the value in a form that is safe to print, the reason and a hint.

use std::fmt;

use crate::terminal::escape_value;

/// Why a value was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The kind of value, such as `image reference`.
    pub what: &'static str,
    /// The value, safe to print: escaped, cut, and without the password of a URL.
    pub value: String,
    /// The reason, in lower case and without a full stop.
    pub why: String,
    /// What to write instead, if that is known.
    pub hint: Option<String>,
}

impl Invalid {
    /// A refusal of `value`, which is escaped, cut and masked here.
    pub fn new(what: &'static str, value: &str, why: impl Into<String>) -> Self {
        Self { what, value: escape_value(&without_credentials(value)), why: why.into(), hint: None }
    }

    /// The same refusal with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// One line; the alternate form (`{:#}`) has the hint, if there is one, on a second line.
impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid {} \"{}\": {}", self.what, self.value, self.why)?;
        match &self.hint {
            Some(hint) if f.alternate() => write!(f, "\n{hint}"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Invalid {}

/// `https://user:password@host` as `https://***@host`, everywhere in the text.
pub fn without_credentials(text: &str) -> String {
    let mut parts = text.split("://");
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        masked.push_str("://");
        let authority = part.split(['/', ' ', '?', '#']).next().unwrap_or_default();
        match authority.rfind('@') {
            Some(at) => masked.extend(["***", &part[at..]]),
            None => masked.push_str(part),
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_credentials_of_a_url_are_masked() {
        for (text, masked) in [
            ("https://me:pw@h/x@y", "https://***@h/x@y"),
            ("a https://t@h b ssh://u:p@ss@h", "a https://***@h b ssh://***@h"),
            ("a@b", "a@b"),
            ("https://h/@x?y://z", "https://h/@x?y://z"),
        ] {
            assert_eq!(without_credentials(text), masked);
        }
    }
}
