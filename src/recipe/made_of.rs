//! What an image was made of, as its label says. Pure.

use std::fmt;
use std::str::FromStr;

/// The digest of a recipe, and its base image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeOf {
    /// [`Recipe::fingerprint`](super::Recipe::fingerprint)
    pub recipe: String,
    /// The base image at the start of the build.
    pub base: Base,
}

/// Which image a base image was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// The one with this id.
    Id(String),
    /// The engine did not have it, and fetched it in the build.
    Missing,
    /// The engine could not be asked.
    Unknown,
}

impl MadeOf {
    /// Whether both are known and the same.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self == other && self.base != Base::Unknown
    }
}

const MISSING: &str = "missing";
const UNKNOWN: &str = "unknown";

/// `DIGEST@BASE`
impl fmt::Display for MadeOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = match &self.base {
            Base::Id(id) => id,
            Base::Missing => MISSING,
            Base::Unknown => UNKNOWN,
        };
        write!(f, "{}@{base}", self.recipe)
    }
}

/// A label may have been written by another version: what is not known equals nothing.
impl FromStr for MadeOf {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (recipe, base) = text.split_once('@').unwrap_or((text, UNKNOWN));
        let base = match base {
            MISSING => Base::Missing,
            UNKNOWN | "" => Base::Unknown,
            id => Base::Id(id.to_owned()),
        };
        Ok(Self { recipe: recipe.to_owned(), base })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> MadeOf {
        text.parse().unwrap()
    }

    #[test]
    fn a_label_reads_back_and_what_is_not_known_equals_nothing() {
        for text in ["ab@sha256:cd", "ab@missing", "ab@unknown"] {
            assert_eq!(read(text).to_string(), text);
        }
        for (one, other, same) in [
            ("ab@sha256:cd", "ab@sha256:cd", true),
            ("ab@missing", "ab@missing", true),
            ("ab@unknown", "ab@unknown", false),
            ("ab", "ab", false),
            ("ab@", "ab@", false),
            ("ab@sha256:cd", "ab@sha256:ce", false),
            ("ab@sha256:cd", "ac@sha256:cd", false),
            ("ab@missing", "ab@sha256:cd", false),
        ] {
            assert_eq!(read(one).is(&read(other)), same, "{one} {other}");
        }
    }
}
