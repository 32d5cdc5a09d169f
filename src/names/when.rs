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
impl schemars::JsonSchema for When {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "When".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names = Self::value_variants().iter().map(|when| when.name());
        let names: Vec<&str> = std::iter::once("").chain(names).collect();
        schemars::json_schema!({"type": "string", "enum": names})
    }
}
