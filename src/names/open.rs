//! A value that a sweep completes. Its grammar has no braces, so a text with braces cannot be meant as the value itself.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::Invalid;

/// A value of the type `T`, or a text with `{parameter}` in it, which becomes one for each job of a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Open<T> {
    /// The value.
    Set(T),
    /// The text, which has braces and is not checked yet.
    Template(String),
}

impl<T: FromStr<Err = Invalid>> Open<T> {
    /// The value.
    ///
    /// # Errors
    /// The type's own refusal of a text that was not completed.
    pub fn value(&self) -> Result<&T, Invalid> {
        match self {
            Self::Set(value) => Ok(value),
            Self::Template(text) => Err(refusal::<T>(text)),
        }
    }
}

fn refusal<T: FromStr<Err = Invalid>>(text: &str) -> Invalid {
    let refused = text.parse::<T>().err();
    let refused = refused.unwrap_or_else(|| Invalid::new("value", text, "it was not completed"));
    refused.with_hint("{NAME} is replaced only with --each")
}

impl<T: FromStr<Err = Invalid>> FromStr for Open<T> {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text.parse() {
            Ok(value) => Ok(Self::Set(value)),
            Err(_) if text.contains(['{', '}']) => Ok(Self::Template(text.to_owned())),
            Err(refused) => Err(refused),
        }
    }
}

impl<T: fmt::Display> fmt::Display for Open<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(value) => value.fmt(f),
            Self::Template(text) => f.write_str(text),
        }
    }
}

impl<T: fmt::Display> Serialize for Open<T> {
    fn serialize<S: Serializer>(&self, into: S) -> Result<S::Ok, S::Error> {
        into.collect_str(self)
    }
}

#[cfg(test)]
impl<T: schemars::JsonSchema> schemars::JsonSchema for Open<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::JobName;

    #[test]
    fn a_text_with_braces_waits_for_a_sweep_and_any_other_is_checked_at_once() {
        let open = |text: &str| text.parse::<Open<JobName>>();
        assert_eq!(open("run-1").unwrap(), Open::Set(JobName::parse("run-1").unwrap()));
        assert_eq!(open("run-{x}").unwrap(), Open::Template("run-{x}".into()));
        assert_eq!(open("Run").unwrap_err(), JobName::parse("Run").unwrap_err());
        let refused = open("run-{x}").unwrap().value().unwrap_err();
        assert_eq!(refused.to_string(), "invalid job name \"run-{x}\": \"{\" is not allowed");
        assert_eq!(refused.hint.as_deref(), Some("{NAME} is replaced only with --each"));
    }
}
