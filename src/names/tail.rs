//! The number of lines to show from the end of a log.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Invalid;

/// How many lines from the end of a log to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Tail {
    /// The whole log.
    All,
    /// At most this many lines; may be 0.
    Lines(u64),
}

impl Tail {
    /// Reads `all` or a number of lines. docker shows the whole log for anything else; here that is an error.
    ///
    /// # Errors
    /// [`Invalid`] for anything else.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let is_number = text.bytes().all(|b| b.is_ascii_digit());
        match text.parse() {
            _ if text == "all" => Ok(Self::All),
            Ok(lines) if is_number => Ok(Self::Lines(lines)),
            _ => Err(Invalid::new("number of lines", text, "it must be a number or \"all\"")),
        }
    }
}

impl fmt::Display for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Lines(lines) => write!(f, "{lines}"),
        }
    }
}

through_text!(Tail);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_all_or_a_number() {
        for (text, tail) in [("all", Tail::All), ("0", Tail::Lines(0)), ("25", Tail::Lines(25))] {
            assert_eq!(Tail::parse(text), Ok(tail));
            assert_eq!(tail.to_string(), text);
        }
        for text in ["", "ALL", "-1", "+1", "1.5", "10k", "18446744073709551616"] {
            assert!(Tail::parse(text).is_err(), "{text:?}");
        }
    }
}
