//! Whether something is done: always, never, or where it is needed.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::Invalid;

/// Whether something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// Where it is needed
    #[default]
    Auto,
    /// In any case
    Always,
    /// In no case
    Never,
}

impl When {
    /// Its name in flags and specs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

impl FromStr for When {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let named = Self::value_variants().iter().find(|when| when.name() == text);
        named.copied().ok_or_else(|| Invalid::new("choice", text, "it must be auto, always or never"))
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_has_one_name_for_flags_and_specs() {
        for when in When::value_variants() {
            assert_eq!(when.to_possible_value().expect("it is not hidden").get_name(), when.name());
            assert_eq!(when.name().parse(), Ok(*when));
        }
        let refusal = "often".parse::<When>().expect_err("no choice").to_string();
        assert_eq!(refusal, r#"invalid choice "often": it must be auto, always or never"#);
    }
}
