//! Environment variables of a program: names, values and pairs of both.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Checked, Invalid, Refusal, no, only};

checked_text! {
    /// The name of an environment variable: `[A-Za-z_][A-Za-z0-9_]*`, the POSIX grammar in either case.
    EnvKey, "environment variable", check_env_key
}

/// The value of an environment variable: any text without NUL. It may be a secret, so `Debug` hides it, and it can
/// be neither displayed nor serialized.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvValue(String);

impl EnvValue {
    /// Accepts any text without a NUL, which an environment cannot contain.
    ///
    /// # Errors
    /// [`Invalid`], which does not show the value.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.contains('\0') {
            return Err(Invalid::new("environment value", "<secret>", "it contains a NUL"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The value itself, for the environment of the docker client. It must not be printed or stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EnvValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// A variable as the user gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub key: EnvKey,
    /// Its value; `None` for the caller's value.
    pub value: Option<EnvValue>,
}

impl Variable {
    /// Takes `KEY=VALUE`, or `KEY` alone.
    ///
    /// # Errors
    /// [`Invalid`] says which rule was broken.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let (key, value) = text.split_once('=').map_or((text, None), |(key, value)| (key, Some(value)));
        Ok(Self { key: EnvKey::parse(key)?, value: value.map(EnvValue::parse).transpose()? })
    }
}

impl std::str::FromStr for Variable {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::parse(text)
    }
}

fn check_env_key(text: &str) -> Checked {
    only(text, |c| c.is_ascii_alphanumeric() || c == '_', "letters, digits and \"_\"")?;
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(no("it must not begin with a digit"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_named_as_in_a_shell() {
        for text in ["A", "_", "http_proxy", "A1"] {
            assert_eq!(EnvKey::parse(text).expect(text).as_str(), text);
        }
        for text in ["", "1A", "A-B", "A=B", "A B", "A\n", "-e", "É", "$A"] {
            assert!(EnvKey::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_value_is_never_shown() {
        let value = EnvValue::parse("hunter2\n\u{1b}").expect("a valid value");
        assert_eq!(value.as_str(), "hunter2\n\u{1b}");
        assert_eq!(format!("{value:?}"), "<secret>");
        let refusal = EnvValue::parse("hunter2\0").expect_err("a NUL");
        assert_eq!(refusal.to_string(), "invalid environment value \"<secret>\": it contains a NUL");
    }

    #[test]
    fn a_variable_has_a_value_of_its_own_or_the_callers() {
        let parts = |text: &str| {
            let variable = Variable::parse(text).expect(text);
            (variable.key.to_string(), variable.value.map(|value| value.as_str().to_owned()))
        };
        assert_eq!(parts("A=b=c"), ("A".into(), Some("b=c".into())));
        assert_eq!(parts("A="), ("A".into(), Some(String::new())));
        assert_eq!(parts("A"), ("A".into(), None));
        assert!(Variable::parse("A-B=c").is_err());
    }
}
