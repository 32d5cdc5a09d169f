//! The parameters of a sweep: their names, and the values that one job has.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::{Checked, Invalid, Refusal, at_most, no, only};

checked_text! {
    /// The name of a parameter: `[A-Za-z_][A-Za-z0-9_-]*`, at most 63 characters.
    ParameterName, "parameter", check_parameter
}

impl ParameterName {
    /// The rules of a value: text without NUL, which no argument can contain, of at most 4096 bytes.
    ///
    /// # Errors
    /// [`Invalid`] says which rule was broken.
    pub fn check_value(text: &str) -> Result<(), Invalid> {
        let checked = if text.contains('\0') { Err(no("it contains a NUL")) } else { at_most(text, 4096) };
        checked.map_err(|refusal| refusal.about("value of a parameter", text))
    }
}

fn check_parameter(text: &str) -> Checked {
    only(text, |c| c.is_ascii_alphanumeric() || "_-".contains(c), "letters, digits, \"_\" and \"-\"")?;
    if !text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return Err(no("it must begin with a letter or \"_\""));
    }
    at_most(text, 63)?;
    Ok(text.to_owned())
}

/// The parameters of one job with their values, in the order in which they were given. In JSON it is an object. A record is
/// read whatever the names in it are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters(pub Vec<(String, String)>);

impl Parameters {
    /// The value of a parameter.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `lr=0.1, seed=2`
impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, value)) in self.0.iter().enumerate() {
            write!(f, "{}{name}={value}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl Serialize for Parameters {
    fn serialize<S: Serializer>(&self, into: S) -> Result<S::Ok, S::Error> {
        into.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Parameters {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Parameters;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parameters, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Parameters(pairs))
            }
        }

        from.deserialize_map(Pairs)
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Parameters {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Parameters".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "object", "additionalProperties": {"type": "string"}})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_named_as_a_variable_and_may_have_dashes() {
        for text in ["a", "_", "lr", "batch-size", "A1", &"a".repeat(63)] {
            assert_eq!(ParameterName::parse(text).expect(text).as_str(), text);
        }
        for text in ["", "1a", "-a", "a b", "a.b", "a/b", "{a}", "é", "a=b", &"a".repeat(64)] {
            assert!(ParameterName::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn parameters_keep_their_order_in_json() {
        let text = r#"{"z":"1","a":"2","m":""}"#;
        let read: Parameters = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        assert_eq!((read.value("a"), read.value("b")), (Some("2"), None));
        assert_eq!(read.to_string(), "z=1, a=2, m=");
        assert!(serde_json::from_str::<Parameters>(r#"{"z":1}"#).is_err());
    }
}
