//! Values of a body together with their paths, so that errors can name the key. Pure.

use std::fmt::Display;

use serde_json::{Map, Value};

use super::BodyError;
use crate::names::nearest;

/// A value, and its key as the user would write it: `HostConfig.Mounts[0].Target`.
#[derive(Debug, Clone)]
pub(super) struct Item<'a> {
    path: String,
    value: &'a Value,
}

/// The values of an object with fixed keys, without `null`, which the engine reads as absent.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    path: String,
    found: Vec<(&'static str, Item<'a>)>,
}

impl<'a> Item<'a> {
    /// The whole body.
    pub(super) fn root(value: &'a Value) -> Self {
        Self { path: String::new(), value }
    }

    /// An error about this value.
    pub(super) fn refuse(&self, why: impl Into<String>) -> BodyError {
        BodyError { key: self.path.clone(), why: why.into(), hint: None }
    }

    /// A note about this value.
    pub(super) fn note(&self, what: impl Display) -> String {
        format!("{}: {what}", self.path)
    }

    /// A note that this value is ignored, and why.
    pub(super) fn ignored(&self, why: &str) -> String {
        format!("ignored: {}: {why}", self.path)
    }

    pub(super) fn is_null(&self) -> bool {
        self.value.is_null()
    }

    /// Whether it is empty: `null`, `false`, `0`, `""`, or an array or object of such values.
    pub(super) fn says_nothing(&self) -> bool {
        says_nothing(self.value)
    }

    pub(super) fn text(&self) -> Result<&'a str, BodyError> {
        let text = self.value.as_str().ok_or_else(|| self.wrong("a string"))?;
        if text.contains('\0') {
            Err(self.refuse("it contains a NUL character, which a program argument cannot contain"))
        } else {
            Ok(text)
        }
    }

    pub(super) fn switch(&self) -> Result<bool, BodyError> {
        self.value.as_bool().ok_or_else(|| self.wrong("true or false"))
    }

    pub(super) fn number(&self) -> Result<i64, BodyError> {
        self.value.as_i64().ok_or_else(|| self.wrong("a whole number"))
    }

    /// A number of bytes. docker reads it as a floating-point number, which is exact up to 2^53 and for some larger numbers.
    pub(super) fn size(&self) -> Result<i64, BodyError> {
        let bytes = self.number()?;
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "the check is for this loss")]
        let read_back = bytes as f64 as i128;
        if bytes < 0 {
            return Err(self.refuse("a size cannot be negative"));
        }
        if read_back == i128::from(bytes) {
            Ok(bytes)
        } else {
            Err(self.refuse(format!("docker reads sizes as floating-point numbers and would read {read_back}")))
        }
    }

    pub(super) fn list(&self) -> Result<Vec<Self>, BodyError> {
        let items = self.value.as_array().ok_or_else(|| self.wrong("an array"))?;
        let item = |(at, value)| Self { path: format!("{}[{at}]", self.path), value };
        Ok(items.iter().enumerate().map(item).collect())
    }

    /// An array of strings.
    pub(super) fn texts(&self) -> Result<Vec<&'a str>, BodyError> {
        self.list()?.iter().map(Self::text).collect()
    }

    /// An array of strings, or one string, as the engine reads commands and capabilities.
    pub(super) fn words(&self) -> Result<Vec<&'a str>, BodyError> {
        match self.value {
            Value::String(_) => Ok(vec![self.text()?]),
            Value::Array(_) => self.texts(),
            _ => Err(self.wrong("a string or an array of strings")),
        }
    }

    /// An object with any keys.
    pub(super) fn entries(&self) -> Result<Vec<(&'a str, Self)>, BodyError> {
        let entry = |(key, value): (&'a String, &'a Value)| {
            let item = Self { path: format!("{}[{key:?}]", self.path), value };
            if key.contains('\0') {
                Err(item.refuse("it contains a NUL character, which a program argument cannot contain"))
            } else {
                Ok((key.as_str(), item))
            }
        };
        self.object()?.iter().map(entry).collect()
    }

    /// An object of strings whose keys contain no `=`.
    pub(super) fn pairs(&self) -> Result<Vec<(&'a str, &'a str)>, BodyError> {
        let pair = |(key, item): (&'a str, Self)| match key {
            "" => Err(item.refuse("docker create does not accept an empty name here")),
            key if key.contains('=') => {
                Err(item.refuse("docker create splits it at the first \"=\", so the name must not contain one"))
            }
            key => Ok((key, item.text()?)),
        };
        self.entries()?.into_iter().map(pair).collect()
    }

    /// An object with only these keys. As in the engine, their case is ignored.
    pub(super) fn fields(&self, names: impl IntoIterator<Item = &'static str>) -> Result<Fields<'a>, BodyError> {
        let names: Vec<_> = names.into_iter().collect();
        let mut found: Vec<(&'static str, Self)> = Vec::new();
        for (key, value) in self.object()? {
            let item = Self { path: join(&self.path, key), value };
            let Some(name) = names.iter().find(|name| name.eq_ignore_ascii_case(key)) else {
                return Err(item
                    .refuse("unknown key")
                    .or_hint(nearest(key, &names).map(|name| format!("did you mean {name}?"))));
            };
            if found.iter().any(|(known, _)| known == name) {
                return Err(item.refuse(format!("{name} is given twice")));
            }
            if !value.is_null() {
                found.push((name, Self { path: join(&self.path, name), value }));
            }
        }
        Ok(Fields { path: self.path.clone(), found })
    }

    /// The keys of an object as they are written, with their values.
    pub(super) fn keys(&self) -> Result<impl Iterator<Item = (&'a str, Self)>, BodyError> {
        let path = self.path.clone();
        let item = move |(key, value): (&'a String, &'a Value)| (key.as_str(), Self { path: join(&path, key), value });
        Ok(self.object()?.iter().map(item))
    }

    fn object(&self) -> Result<&'a Map<String, Value>, BodyError> {
        self.value.as_object().ok_or_else(|| self.wrong("an object"))
    }

    fn wrong(&self, wanted: &str) -> BodyError {
        self.refuse(format!("expected {wanted}, found {}", kind(self.value)))
    }
}

impl<'a> Fields<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&Item<'a>> {
        self.found.iter().find(|(known, _)| *known == name).map(|(_, item)| item)
    }

    /// A string; an absent one is empty.
    pub(super) fn text(&self, name: &str) -> Result<&'a str, BodyError> {
        self.get(name).map_or(Ok(""), Item::text)
    }

    pub(super) fn switch(&self, name: &str) -> Result<bool, BodyError> {
        self.get(name).map_or(Ok(false), Item::switch)
    }

    pub(super) fn number(&self, name: &str) -> Result<i64, BodyError> {
        self.get(name).map_or(Ok(0), Item::number)
    }

    pub(super) fn size(&self, name: &str) -> Result<i64, BodyError> {
        self.get(name).map_or(Ok(0), Item::size)
    }

    pub(super) fn list(&self, name: &str) -> Result<Vec<Item<'a>>, BodyError> {
        self.get(name).map_or(Ok(Vec::new()), Item::list)
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<&'a str>, BodyError> {
        self.get(name).map_or(Ok(Vec::new()), Item::texts)
    }

    pub(super) fn entries(&self, name: &str) -> Result<Vec<(&'a str, Item<'a>)>, BodyError> {
        self.get(name).map_or(Ok(Vec::new()), Item::entries)
    }

    pub(super) fn pairs(&self, name: &str) -> Result<Vec<(&'a str, &'a str)>, BodyError> {
        self.get(name).map_or(Ok(Vec::new()), Item::pairs)
    }

    /// A non-empty string without `:`.
    pub(super) fn before_colon(&self, name: &str) -> Result<&'a str, BodyError> {
        match self.text(name)? {
            "" => Err(self.refuse(name, "it is required")),
            text if text.contains(':') => {
                Err(self.refuse(name, "docker create splits it at \":\", so the path must not contain one"))
            }
            text => Ok(text),
        }
    }

    /// An error about one of the keys, present or not.
    pub(super) fn refuse(&self, name: &str, why: impl Into<String>) -> BodyError {
        BodyError { key: join(&self.path, name), why: why.into(), hint: None }
    }
}

fn join(path: &str, key: &str) -> String {
    let key = key.escape_debug();
    if path.is_empty() { key.to_string() } else { format!("{path}.{key}") }
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.iter().all(says_nothing),
        Value::Object(entries) => entries.values().all(says_nothing),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Number(number) if number.is_i64() => "a number",
        Value::Number(number) if number.is_u64() => "a number above 2^63",
        Value::Number(_) => "a fraction",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
