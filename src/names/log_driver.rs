//! The log drivers that a run can use for the engine's copy of its output.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::Invalid;

/// A log driver for the engine's copy of a run's output. longshore writes its own log and needs the copy to recover it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogDriver {
    /// The engine's own compact format
    Local,
    /// JSON files, the engine's default
    JsonFile,
    /// systemd's journal
    Journald,
    /// No copy: output cannot be recovered if the docker client is killed
    None,
}

impl LogDriver {
    /// The driver's name, as in docker's `--log-driver`.
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
