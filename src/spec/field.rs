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
use crate::names::{Argument, EnvKey, EnvValue, Invalid, Label, LabelKey, Variable};
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

/// A time limit.
pub fn limit<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    measured(from, units::limit)
}

/// True or false.
pub fn switch<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    match Value::deserialize(from)? {
        Value::Null => Ok(false),
        Value::Bool(value) => Ok(value),
        other => Err(wrong("true or false", &other)),
    }
}

/// An array of strings.
pub fn arguments<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Argument>, D::Error> {
    const WANTED: &str = "an array of strings";
    let argument = |item: Value| match item {
        Value::String(text) => text.parse().map_err(D::Error::custom),
        other => Err(wrong(WANTED, &other)),
    };
    match Value::deserialize(from)? {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => items.into_iter().map(argument).collect(),
        other => Err(wrong(WANTED, &other)),
    }
}

/// An object of strings; a `null` value is an empty string.
pub fn labels<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Label>, D::Error> {
    let label = |(key, value): (String, Option<String>)| -> Result<Label, Invalid> {
        Label::new(LabelKey::parse(&key)?, value.as_deref().unwrap_or_default())
    };
    pairs(from)?.into_iter().map(|pair| label(pair).map_err(D::Error::custom)).collect()
}

/// An object of strings; a `null` value means the caller's value.
pub fn variables<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Variable>, D::Error> {
    let variable = |(key, value): (String, Option<String>)| -> Result<_, Invalid> {
        let value = value.as_deref().map(EnvValue::parse).transpose();
        Ok(Variable { key: EnvKey::parse(&key)?, value: value? })
    };
    pairs(from)?.into_iter().map(|pair| variable(pair).map_err(D::Error::custom)).collect()
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

fn pairs<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(String, Option<String>)>, D::Error> {
    const WANTED: &str = "an object of strings";
    let object = match Value::deserialize(from)? {
        Value::Null => Map::new(),
        Value::Object(object) => object,
        other => return Err(wrong(WANTED, &other)),
    };
    let pair = |(name, value)| match value {
        Value::String(text) => Ok((name, Some(text))),
        Value::Null => Ok((name, None)),
        other => Err(wrong(WANTED, &other)),
    };
    object.into_iter().map(pair).collect()
}

fn wrong<E: Error>(wanted: &str, found: &Value) -> E {
    E::invalid_type(Unexpected::Other(kind(found)), &wanted)
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
