//! Where the engine keeps its own copy of a run's output.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::Invalid;

/// The engine's log drivers that make sense here: longshore has the output in a log of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogDriver {
    /// The engine's fastest format that can be read back
    Local,
    /// The engine's usual format
    JsonFile,
    /// The journal of systemd
    Journald,
    /// No copy: fastest, but nothing to recover from when the docker client is killed
    None,
}

impl LogDriver {
    /// The name by which docker knows it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::JsonFile => "json-file",
            Self::Journald => "journald",
            Self::None => "none",
        }
    }
}

impl FromStr for LogDriver {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let named = Self::value_variants().iter().find(|driver| driver.name() == text);
        named.copied().ok_or_else(|| Invalid::new("log driver", text, "it must be local, json-file, journald or none"))
    }
}

impl fmt::Display for LogDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
impl schemars::JsonSchema for LogDriver {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LogDriver".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names = Self::value_variants().iter().map(|driver| driver.name());
        let names: Vec<&str> = std::iter::once("").chain(names).collect();
        schemars::json_schema!({"type": "string", "enum": names})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_has_one_name_for_flags_specs_and_docker() {
        for driver in LogDriver::value_variants() {
            assert_eq!(driver.to_possible_value().expect("it is not hidden").get_name(), driver.name());
            assert_eq!(driver.name().parse(), Ok(*driver));
        }
        let refusal = "syslog".parse::<LogDriver>().expect_err("no driver").to_string();
        assert_eq!(refusal, r#"invalid log driver "syslog": it must be local, json-file, journald or none"#);
    }
}
