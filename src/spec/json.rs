//! A JSON parser that refuses duplicate keys. serde_json alone would use the last value and drop the others. Pure.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::error::Failure;
use crate::terminal::escape_value;

/// Parses one document; a BOM before it is skipped. `what` is its name in errors, such as `spec`.
///
/// # Errors
/// When it is not JSON, and for the first duplicate key, with its path and position.
pub fn parse(what: &str, bytes: &[u8]) -> Result<Value, Failure> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut from = serde_json::Deserializer::from_slice(bytes);
    let read = At(String::new()).deserialize(&mut from).and_then(|value| from.end().map(|()| value));
    read.map_err(|error| {
        let not = if error.is_data() { "" } else { "not JSON: " };
        Failure::usage(format!("invalid {what}: {not}{error}"))
    })
}

/// The name of a value's type.
#[must_use]
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Reads the value at a path, such as `HostConfig.Mounts[0]`.
struct At(String);

impl<'de> DeserializeSeed<'de> for At {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for At {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(At(format!("{}[{}]", self.0, array.len())))? {
            array.push(item);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let path = if self.0.is_empty() { key.clone() } else { format!("{}.{key}", self.0) };
            if object.contains_key(&key) {
                let path = escape_value(&path);
                return Err(A::Error::custom(format_args!("the key \"{path}\" is given twice")));
            }
            object.insert(key, entries.next_value_seed(At(path))?);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_given_twice_is_named_with_its_path_at_any_depth() {
        for (text, path) in [
            (r#"{"a": 1, "a": 1}"#, "a"),
            (r#"{"HostConfig": {"Mounts": [{}, {"Target": 1, "x": 2, "Target": 1}]}}"#, "HostConfig.Mounts[1].Target"),
            (r#"[[{"": 1, "\u001b": 1, "\u001b": 2}]]"#, r"[0][0].\u{1b}"),
        ] {
            let message = parse("body", text.as_bytes()).unwrap_err().message;
            assert!(
                message.starts_with(&format!("invalid body: the key \"{path}\" is given twice at line 1")),
                "{message}"
            );
        }
        assert!(parse("body", br#"{"a": {"a": 1}, "A": {"a": 1}}"#).is_ok());
    }

    proptest! {
        #[test]
        fn json_without_duplicate_keys_is_read_as_by_serde_json(
            text in r#"(?s).{0,20}|(\[?\{"[ab]": (null|true|"x"|-?[0-9]{1,20}(\.[0-9]{1,3})?(e[0-9]{1,4})?|\[\]|\[1, \{"c": 2\}\]), "c": 0\}\]?){1,2}"#,
        ) {
            let theirs: Option<Value> = serde_json::from_str(&text).ok();
            prop_assert_eq!(parse("spec", text.as_bytes()).ok(), theirs);
        }
    }
}
