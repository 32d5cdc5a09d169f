//! Reads the values of a body. An empty string and `null` have the same meaning as an absent key, as in the web API.
//! Pure.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::json::kind;
use crate::names::{
    Argument, Constraint, DependencyGroup, EnvKey, EnvValue, ExtraName, GenericResource, Invalid, Label, LabelKey,
    Mount, Publish, Variable, Volume,
};
use crate::terminal::escape_value;
use crate::units;

/// A string.
pub fn text<'de, D: Deserializer<'de>, T: FromStr<Err = Invalid>>(from: D) -> Result<Option<T>, D::Error> {
    string(from)?.map(|text| text.parse()).transpose().map_err(D::Error::custom)
}

/// A string that is a path.
pub fn path<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    Ok(string(from)?.map(PathBuf::from))
}

/// A string that is a list with one item per flag. It is written in the form in which it is read.
pub mod joined {
    use super::{Deserializer, FromStr, Invalid, Serialize as _, Serializer, fmt, text};

    pub fn deserialize<'de, D: Deserializer<'de>, T: FromStr<Err = Invalid>>(from: D) -> Result<Vec<T>, D::Error> {
        Ok(text(from)?.into_iter().collect())
    }

    pub fn serialize<T: fmt::Display, S: Serializer>(items: &[T], into: S) -> Result<S::Ok, S::Error> {
        items.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n").serialize(into)
    }
}

/// A string or a number.
pub fn number<'de, D: Deserializer<'de>, T: FromStr<Err = Invalid>>(from: D) -> Result<Option<T>, D::Error> {
    measured(from, str::parse)
}

/// A size in bytes.
pub fn size<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    measured(from, units::bytes)
}

/// How much of a log is kept, in bytes.
pub fn log_size<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    measured(from, units::log_size)
}

/// A time limit.
pub fn limit<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    measured(from, units::limit)
}

/// A time, which may be none.
pub fn pause<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    measured(from, units::duration)
}

/// True or false.
pub fn switch<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    match Value::deserialize(from)? {
        Value::Null => Ok(false),
        Value::Bool(value) => Ok(value),
        other => Err(wrong("true or false", &other)),
    }
}

/// `args`: an array of strings.
pub fn arguments<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Argument>, D::Error> {
    list(from, "args")
}

/// `groups`: an array of strings.
pub fn groups<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<DependencyGroup>, D::Error> {
    list(from, "groups")
}

/// `extras`: an array of strings.
pub fn extras<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<ExtraName>, D::Error> {
    list(from, "extras")
}

/// `volumes`: an array of strings.
pub fn volumes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Volume>, D::Error> {
    list(from, "volumes")
}

/// `mounts`: an array of strings.
pub fn mounts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Mount>, D::Error> {
    list(from, "mounts")
}

/// `publish`: an array of strings.
pub fn ports<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Publish>, D::Error> {
    list(from, "publish")
}

/// `constraints`: an array of strings.
pub fn constraints<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Constraint>, D::Error> {
    list(from, "constraints")
}

/// `genericResources`: an array of strings.
pub fn resources<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<GenericResource>, D::Error> {
    list(from, "genericResources")
}

/// `labels`: an object of strings; a `null` value is an empty string.
pub fn labels<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Label>, D::Error> {
    let label = |(key, value): (String, Option<String>)| -> Result<Label, Invalid> {
        Label::new(LabelKey::parse(&key)?, value.as_deref().unwrap_or_default())
    };
    pairs(from, "labels")?.into_iter().map(|pair| label(pair).map_err(D::Error::custom)).collect()
}

/// `env`: an object of strings; a `null` value means the caller's value.
pub fn variables<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Variable>, D::Error> {
    let variable = |(key, value): (String, Option<String>)| -> Result<_, Invalid> {
        let value = value.as_deref().map(EnvValue::parse).transpose();
        Ok(Variable { key: EnvKey::parse(&key)?, value: value? })
    };
    pairs(from, "env")?.into_iter().map(|pair| variable(pair).map_err(D::Error::custom)).collect()
}

/// `env` without values, which are never written: each name with `null`, once.
pub fn write_variables<S: Serializer>(variables: &[Variable], into: S) -> Result<S::Ok, S::Error> {
    let names: Map<String, Value> = variables.iter().map(|variable| (variable.key.to_string(), Value::Null)).collect();
    names.serialize(into)
}

/// `labels`, the last value of a key.
pub fn write_labels<S: Serializer>(labels: &[Label], into: S) -> Result<S::Ok, S::Error> {
    let pairs: Map<String, Value> =
        labels.iter().map(|label| (label.key.to_string(), label.value.clone().into())).collect();
    pairs.serialize(into)
}

/// A time limit in units, or exactly in seconds where it has fractions of a millisecond.
#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
pub fn write_limit<S: Serializer>(limit: &Option<Duration>, into: S) -> Result<S::Ok, S::Error> {
    let shown = |limit: &Duration| {
        let units = units::show_duration(*limit);
        let is_exact = units::duration(&units).is_ok_and(|read| read == *limit);
        if is_exact { units } else { format!("{}.{:09}", limit.as_secs(), limit.subsec_nanos()) }
    };
    limit.as_ref().map(shown).serialize(into)
}

fn string<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(from)? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        other => Err(wrong("a string", &other)),
    }
}

fn measured<'de, D: Deserializer<'de>, T>(
    from: D,
    parse: impl Fn(&str) -> Result<T, Invalid>,
) -> Result<Option<T>, D::Error> {
    let text = match Value::deserialize(from)? {
        Value::Null => return Ok(None),
        Value::String(text) if text.is_empty() => return Ok(None),
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        other => return Err(wrong("a string or a number", &other)),
    };
    parse(&text).map(Some).map_err(D::Error::custom)
}

fn list<'de, D: Deserializer<'de>, T: FromStr<Err = Invalid>>(from: D, key: &str) -> Result<Vec<T>, D::Error> {
    let read = |(at, item): (usize, Value)| match item {
        Value::String(text) => text.parse().map_err(D::Error::custom),
        other => Err(wrong_inside(&format!("{key}[{at}]"), "a string", &other)),
    };
    match Value::deserialize(from)? {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => items.into_iter().enumerate().map(read).collect(),
        other => Err(wrong("an array of strings", &other)),
    }
}

fn pairs<'de, D: Deserializer<'de>>(from: D, key: &str) -> Result<Vec<(String, Option<String>)>, D::Error> {
    let object = match Value::deserialize(from)? {
        Value::Null => Map::new(),
        Value::Object(object) => object,
        other => return Err(wrong("an object of strings", &other)),
    };
    let pair = |(name, value)| match value {
        Value::String(text) => Ok((name, Some(text))),
        Value::Null => Ok((name, None)),
        other => Err(wrong_inside(&format!("{key}.{name}"), "a string or null", &other)),
    };
    object.into_iter().map(pair).collect()
}

fn wrong<E: Error>(wanted: &str, found: &Value) -> E {
    E::invalid_type(Unexpected::Other(kind(found)), &wanted)
}

/// For a value inside the value of a key. serde knows only the key.
fn wrong_inside<E: Error>(path: &str, wanted: &str, found: &Value) -> E {
    let path = escape_value(path);
    E::custom(format_args!("invalid spec: \"{path}\" must be {wanted}, not {}", kind(found)))
}

/// The type that `number`, `size` and `limit` read, for the JSON Schema.
#[cfg(test)]
pub struct StringOrNumber;

#[cfg(test)]
impl schemars::JsonSchema for StringOrNumber {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StringOrNumber".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": ["string", "number"]})
    }
}
