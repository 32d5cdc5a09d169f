//! The programs that can install the pip packages of a recipe.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::Invalid;

/// What installs the pip packages of a recipe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Installer {
    /// uv if there is BuildKit, and pip for what uv cannot install
    #[default]
    Auto,
    /// uv, which needs BuildKit
    Uv,
    /// pip
    Pip,
}

impl Installer {
    /// Its name in flags and specs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Uv => "uv",
            Self::Pip => "pip",
        }
    }
}

impl FromStr for Installer {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let named = Self::value_variants().iter().find(|installer| installer.name() == text);
        named.copied().ok_or_else(|| Invalid::new("installer", text, "it must be auto, uv or pip"))
    }
}

impl fmt::Display for Installer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installer_has_one_name_for_flags_and_specs() {
        for installer in Installer::value_variants() {
            assert_eq!(installer.to_possible_value().expect("it is not hidden").get_name(), installer.name());
            assert_eq!(installer.name().parse(), Ok(*installer));
        }
        let refusal = "conda".parse::<Installer>().expect_err("no installer").to_string();
        assert_eq!(refusal, r#"invalid installer "conda": it must be auto, uv or pip"#);
    }
}
