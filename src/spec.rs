//! A JSON body as `--spec` takes it: the web API's own, checked key by key. Pure.
//!
//! Every key is taken out by its type; what is left at the end is unknown and an error, with the nearest known key as
//! a suggestion. An empty string is as good as absent, as it was for the web API.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::Failure;

/// What is left of a body, and the keys that were asked for.
#[derive(Debug)]
pub struct Spec {
    left: Map<String, Value>,
    asked: Vec<&'static str>,
}

type Taken<T> = Result<Option<T>, Failure>;

impl Spec {
    /// Parses a body.
    ///
    /// # Errors
    /// When it is not one JSON object.
    pub fn parse(bytes: &[u8]) -> Result<Self, Failure> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(left)) => Ok(Self { left, asked: Vec::new() }),
            Ok(other) => Err(Failure::usage(format!("invalid spec: a JSON object is wanted, not {}", kind(&other)))),
            Err(error) => Err(Failure::usage(format!("invalid spec: not JSON: {error}"))),
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.asked.push(key);
        self.left.shift_remove(key).filter(|value| !value.is_null())
    }

    /// A string; an empty one is absent.
    ///
    /// # Errors
    /// When it is something else.
    pub fn string(&mut self, key: &'static str) -> Taken<String> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(other) => Err(wrong(key, "a string", &other)),
        }
    }

    /// A string, or a number as it is written: sizes and times may be either.
    ///
    /// # Errors
    /// When it is something else.
    pub fn string_or_number(&mut self, key: &'static str) -> Taken<String> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(other) => Err(wrong(key, "a string or a number", &other)),
        }
    }

    /// True or false.
    ///
    /// # Errors
    /// When it is something else.
    pub fn boolean(&mut self, key: &'static str) -> Result<bool, Failure> {
        match self.take(key) {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(value),
            Some(other) => Err(wrong(key, "true or false", &other)),
        }
    }

    /// An array of strings.
    ///
    /// # Errors
    /// When it, or an item, is something else.
    pub fn strings(&mut self, key: &'static str) -> Result<Vec<String>, Failure> {
        let items = match self.take(key) {
            None => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(other) => return Err(wrong(key, "an array of strings", &other)),
        };
        let text = |item| match item {
            Value::String(text) => Ok(text),
            other => Err(wrong(key, "an array of strings", &other)),
        };
        items.into_iter().map(text).collect()
    }

    /// An object of strings; `null` is kept as a value of its own.
    ///
    /// # Errors
    /// When it, or a value, is something else.
    pub fn map(&mut self, key: &'static str) -> Result<BTreeMap<String, Option<String>>, Failure> {
        let object = match self.take(key) {
            None => return Ok(BTreeMap::new()),
            Some(Value::Object(object)) => object,
            Some(other) => return Err(wrong(key, "an object of strings", &other)),
        };
        let text = |(name, value)| match value {
            Value::String(text) => Ok((name, Some(text))),
            Value::Null => Ok((name, None)),
            other => Err(wrong(key, "an object of strings", &other)),
        };
        object.into_iter().map(text).collect()
    }

    /// Nothing may be left that was not asked for.
    ///
    /// # Errors
    /// Naming the first unknown key, and the known one that it resembles.
    pub fn finish(self) -> Result<(), Failure> {
        let Some((unknown, _)) = self.left.iter().next() else { return Ok(()) };
        let near = self
            .asked
            .iter()
            .map(|known| (strsim::damerau_levenshtein(&known.to_lowercase(), &unknown.to_lowercase()), known))
            .min()
            .filter(|(distance, _)| *distance <= 3);
        let hint = match near {
            Some((_, known)) => format!("did you mean {known:?}?"),
            None => format!("the keys are: {}", self.asked.join(", ")),
        };
        let unknown = crate::terminal::escape_value(unknown);
        Err(Failure::usage(format!("invalid spec: unknown key \"{unknown}\"")).hint(hint))
    }
}

/// A field that neither flag nor spec gave.
#[must_use]
pub fn missing(key: &str, flag: &str) -> Failure {
    Failure::usage(format!("missing {flag}")).hint(format!("in a spec it is the key {key:?}"))
}

fn wrong(key: &str, wanted: &str, found: &Value) -> Failure {
    Failure::usage(format!("invalid spec: {key:?} must be {wanted}, not {}", kind(found)))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> Spec {
        Spec::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn keys_are_taken_by_their_types() {
        let mut spec = spec(r#"{"a": "x", "b": true, "c": ["1"], "d": {"k": "v", "n": null}, "e": "", "f": 2.5}"#);
        assert_eq!(spec.string("a").unwrap().as_deref(), Some("x"));
        assert!(spec.boolean("b").unwrap());
        assert_eq!(spec.strings("c").unwrap(), ["1"]);
        assert_eq!(spec.map("d").unwrap()["n"], None);
        assert_eq!(spec.string("e").unwrap(), None);
        assert_eq!(spec.string_or_number("f").unwrap().as_deref(), Some("2.5"));
        assert_eq!(spec.string("g").unwrap(), None);
        spec.finish().unwrap();
    }

    #[test]
    fn a_wrong_type_names_the_key_and_both_types() {
        let error = spec(r#"{"update": "yes"}"#).boolean("update").unwrap_err();
        assert_eq!(error.message, r#"invalid spec: "update" must be true or false, not a string"#);
        assert!(Spec::parse(b"[]").unwrap_err().message.contains("not an array"));
        assert!(Spec::parse(b"{").unwrap_err().message.contains("not JSON"));
    }

    #[test]
    fn an_unknown_key_is_named_with_its_nearest() {
        let mut near = spec(r#"{"baseimage": "x"}"#);
        near.string("baseImage").unwrap();
        let error = near.finish().unwrap_err();
        assert_eq!(error.message, r#"invalid spec: unknown key "baseimage""#);
        assert_eq!(error.hint.as_deref(), Some(r#"did you mean "baseImage"?"#));
        assert!(spec(r#"{"zzzzzzzz": 1}"#).finish().unwrap_err().hint.unwrap().contains("keys are"));
    }
}
