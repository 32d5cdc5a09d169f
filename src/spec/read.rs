//! Reads a struct from a JSON object with the struct's `Deserialize`. Keys are checked before values, so that a
//! misspelt key is never reported as a missing one. Pure.

use std::fmt;

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, Error as _, Expected, IntoDeserializer as _, MapAccess,
    Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

use crate::error::Failure;
use crate::names::nearest;
use crate::terminal::escape_value;

/// Reads a struct whose fields are all optional.
pub fn object<T: DeserializeOwned>(object: Map<String, Value>) -> Result<T, Failure> {
    T::deserialize(Body(object)).map_err(|refusal| Failure { hint: refusal.hint, ..Failure::usage(refusal.message) })
}

/// The keys that a struct has in JSON, in their order.
pub fn keys<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut keys: &'static [&'static str] = &[];
    let _ = T::deserialize(Keys(&mut keys));
    keys
}

/// Why a body is refused.
#[derive(Debug)]
struct Refusal {
    message: String,
    hint: Option<String>,
    /// Whether the key must be put before the message.
    wants_key: bool,
}

impl Refusal {
    fn unknown(key: &str, known: &[&str]) -> Self {
        let hint = match nearest(key, known) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("the keys are: {}", known.join(", ")),
        };
        let message = format!("invalid spec: unknown key \"{}\"", escape_value(key));
        Self { message, hint: Some(hint), wants_key: false }
    }

    fn of(self, key: &str) -> Self {
        let message = if self.wants_key { format!("invalid spec: {key:?} {}", self.message) } else { self.message };
        Self { message, wants_key: false, ..self }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

impl de::Error for Refusal {
    /// The refusal of a checked type. Its alternate form has the hint on a second line.
    fn custom<T: fmt::Display>(refusal: T) -> Self {
        let text = format!("{refusal:#}");
        let (message, hint) = text.split_once('\n').map_or((&*text, None), |(message, hint)| (message, Some(hint)));
        Self { message: message.to_owned(), hint: hint.map(str::to_owned), wants_key: false }
    }

    fn invalid_type(found: Unexpected, wanted: &dyn Expected) -> Self {
        Self { message: format!("must be {wanted}, not {found}"), hint: None, wants_key: true }
    }
}

/// The body, from which serde reads a struct.
struct Body(Map<String, Value>);

impl<'de> Deserializer<'de> for Body {
    type Error = Refusal;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        if let Some(key) = self.0.keys().find(|key| !fields.contains(&key.as_str())) {
            return Err(Refusal::unknown(key, fields));
        }
        visitor.visit_map(Entries { left: self.0.into_iter(), value: None })
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        Err(Refusal::invalid_type(Unexpected::Map, &visitor))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The keys and values of a body that are not read yet.
struct Entries {
    left: serde_json::map::IntoIter,
    value: Option<(String, Value)>,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refusal> {
        let Some((key, value)) = self.left.next() else { return Ok(None) };
        let read = seed.deserialize(key.as_str().into_deserializer()).map(Some);
        self.value = Some((key, value));
        read
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refusal> {
        let (key, value) = self.value.take().unwrap_or_default();
        seed.deserialize(Held(value)).map_err(|refusal| refusal.of(&key))
    }
}

/// A value. The fields' own readers take it whole and say what it must be.
struct Held(Value);

impl<'de> Deserializer<'de> for Held {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.0.deserialize_any(visitor).map_err(Refusal::custom)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Asks a struct for its keys, and gives it nothing to read.
struct Keys<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Keys<'_> {
    type Error = Refusal;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        Err(Refusal::invalid_type(Unexpected::Unit, &visitor))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
