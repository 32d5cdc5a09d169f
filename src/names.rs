//! The checked types for names and values that a user gives, and the text of their refusals.
//!
//! A value of one of these types has been checked, so other modules use it without further checks. Everything here is
//! pure: nothing is looked up, opened or started.

pub use crate::invalid::Invalid;
use crate::terminal::escape_value;

/// A refusal that does not have the value yet.
struct Refusal {
    why: String,
    hint: Option<String>,
}

impl Refusal {
    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn about(self, what: &'static str, value: &str) -> Invalid {
        Invalid { hint: self.hint, ..Invalid::new(what, value, self.why) }
    }
}

fn no(why: impl Into<String>) -> Refusal {
    Refusal { why: why.into(), hint: None }
}

/// The result of a check: the text to keep, or why it is refused.
type Checked = Result<String, Refusal>;

/// Gives types the conversions that clap and serde use, through `parse` and `Display`; in JSON they are strings.
macro_rules! through_text {
    ($($name:ident)*) => { $(
        impl std::str::FromStr for $name {
            type Err = $crate::names::Invalid;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::names::Invalid;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }

        #[cfg(test)]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string"})
            }
        }
    )* };
}

/// Defines a type for a text that `$check` has accepted.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks `text` against the rules of this type.
            ///
            /// # Errors
            /// [`Invalid`] says which rule was broken.
            pub fn parse(text: &str) -> Result<Self, Invalid> {
                $check(text).map(Self).map_err(|refusal: Refusal| refusal.about($what, text))
            }

            /// The checked text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        through_text!($name);
    };
}

mod apt;
mod cache;
mod cpus;
mod csv;
mod endpoint;
mod group;
mod image;
mod installer;
mod job;
mod log_driver;
mod mount;
mod open;
mod packages;
mod parameter;
mod pip;
mod port;
mod requirement;
mod retry;
mod run;
mod signal;
mod swarm;
mod tail;
mod text;
mod url;
mod user;
mod variable;
mod when;

pub use apt::AptPackage;
pub use cache::{CACHE_TARGET, CacheName};
pub use cpus::Cpus;
pub use csv::{csv_field, csv_fields};
pub use endpoint::{Endpoint, Secured};
pub use group::{DependencyGroup, ExtraName, normalized};
pub use image::{ImageName, ImageRef, without_latest};
pub use installer::Installer;
pub use job::{GroupName, JobId, JobName, Label, LabelKey, QueueName};
pub use log_driver::LogDriver;
pub use mount::{Mount, Origin, Volume};
pub use open::Open;
pub use packages::Packages;
pub use parameter::{ParameterName, Parameters};
pub use pip::PipRequirement;
pub use port::{Ports, Publish};
pub use retry::{Cause, Causes, Retries};
pub use run::{GpuWish, Gpus, INPUT_TARGET, MainFile, Module, MountPath, NetworkName, OUTPUT_TARGET, SOURCE_TARGET};
pub use signal::Signal;
pub use swarm::{Constraint, GenericResource};
pub use tail::Tail;
pub use text::{Argument, Commands, ProjectText, RequirementLines};
pub use url::HttpUrl;
pub use user::UserSpec;
pub use variable::{EnvKey, EnvValue, Variable};
pub use when::When;

/// The known word nearest to `word`, if at most a third of its characters differ. Case is ignored.
#[must_use]
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase();
    let distance = |known: &&str| strsim::damerau_levenshtein(&known.to_lowercase(), &word);
    let near = known.iter().copied().min_by_key(|known| distance(known))?;
    (distance(&near) <= near.len().div_ceil(3)).then_some(near)
}

/// Refuses an empty text and a text with a character that is not allowed. `allowed` lists the allowed ones, for the hint.
fn only(text: &str, is_allowed: impl Fn(char) -> bool, allowed: &str) -> Result<(), Refusal> {
    if text.is_empty() {
        return Err(no("it is empty"));
    }
    match text.chars().find(|&c| !is_allowed(c)) {
        Some(c) => Err(no(format!("{} is not allowed", shown(c))).hint(format!("use only {allowed}"))),
        None => Ok(()),
    }
}

fn no_control(text: &str) -> Result<(), Refusal> {
    match text.chars().find(|c| c.is_control()) {
        Some(c) => Err(no(format!("it contains the control character {}", shown(c)))),
        None => Ok(()),
    }
}

fn at_most(text: &str, bytes: usize) -> Result<(), Refusal> {
    if text.len() > bytes {
        return Err(no(format!("it is {} bytes long; at most {bytes} bytes are allowed", text.len())));
    }
    Ok(())
}

fn shown(c: char) -> String {
    if c == ' ' { "a blank".to_owned() } else { format!("\"{}\"", escape_value(&c.to_string())) }
}

fn is_lower_alphanumeric(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::is_unprintable;
    use proptest::prelude::*;

    type Grammar = (&'static str, fn(&str) -> Result<String, Invalid>);

    /// A valid value of each type that ends up where some program could read more into it.
    const STRICT: [Grammar; 13] = [
        ("pip", |text| CacheName::parse(text).map(String::from)),
        ("python:3", |text| ImageRef::parse(text).map(String::from)),
        ("web:1", |text| ImageName::parse(text).map(String::from)),
        ("train", |text| JobName::parse(text).map(String::from)),
        ("0123456789ab", |text| JobId::parse(text).map(String::from)),
        ("dev", |text| DependencyGroup::parse(text).map(String::from)),
        ("fast", |text| ExtraName::parse(text).map(String::from)),
        ("gcc", |text| AptPackage::parse(text).map(String::from)),
        ("numpy", |text| PipRequirement::parse(text).map(String::from)),
        ("HOME", |text| EnvKey::parse(text).map(String::from)),
        ("team", |text| LabelKey::parse(text).map(String::from)),
        ("bridge", |text| NetworkName::parse(text).map(String::from)),
        ("all", |text| Gpus::parse(text).map(String::from)),
    ];

    /// A valid value of each type that is carried as data.
    const CARRIED: [Grammar; 4] = [
        ("pkg.module", |text| Module::parse(text).map(String::from)),
        ("main.py", |text| MainFile::parse(text).map(String::from)),
        ("/data", |text| MountPath::parse(text).map(String::from)),
        ("secret", |text| EnvValue::parse(text).map(|value| value.as_str().to_owned())),
    ];

    const HOSTILE: [&str; 20] = [
        "\n",
        "\r",
        "\0",
        "\u{2028}",
        "\u{85}",
        "\u{b}",
        "\u{c}",
        "\\",
        "`",
        "$(x)",
        "${X}",
        "'",
        "\"",
        "<<EOF",
        "# syntax=",
        " -x",
        "\u{feff}",
        "\u{202e}",
        "\n--privileged",
        "\nRUN touch /pwned",
    ];

    #[test]
    fn hostile_text_is_refused_where_it_could_act() {
        for (valid, parse) in STRICT {
            assert_eq!(parse(valid).as_deref(), Ok(valid));
            for hostile in HOSTILE {
                for text in
                    [hostile.to_owned(), format!("{hostile}{valid}"), format!("{valid}{hostile}"), format!("-{valid}")]
                {
                    let refusal = parse(&text).expect_err(&text);
                    assert!(!refusal.to_string().contains(is_unprintable), "{refusal}");
                }
            }
        }
    }

    #[test]
    fn hostile_text_is_refused_or_carried_exactly_elsewhere() {
        for (valid, parse) in CARRIED {
            for hostile in HOSTILE {
                let text = format!("{valid}{hostile}");
                if let Ok(kept) = parse(&text) {
                    assert_eq!(kept, text);
                }
            }
        }
    }

    #[test]
    fn a_very_long_text_is_refused_or_carried_exactly_and_shown_in_part() {
        for (valid, parse) in STRICT.into_iter().chain(CARRIED) {
            let text = valid.chars().cycle().take(65536).collect::<String>();
            match parse(&text) {
                Ok(kept) => assert_eq!(kept, text),
                Err(refusal) => assert!(refusal.to_string().len() < 300, "{refusal}"),
            }
        }
    }

    #[test]
    fn a_refusal_reads_as_one_line() {
        let refusal = Invalid::new("apt package", "gzip-", "a trailing \"-\" would remove the package");
        assert_eq!(refusal.to_string(), "invalid apt package \"gzip-\": a trailing \"-\" would remove the package");
        let refusal = refusal.with_hint("leave it out");
        assert_eq!(refusal.hint.as_deref(), Some("leave it out"));
        assert_eq!(format!("{refusal:#}"), format!("{refusal}\nleave it out"));
    }

    #[test]
    fn the_nearest_word_is_one_that_could_have_been_meant() {
        let known = ["srcPath", "args", "env"];
        for (word, near) in [
            ("srcpath", Some("srcPath")),
            ("scrPaht", Some("srcPath")),
            ("arg", Some("args")),
            ("src", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &known), near, "{word}");
        }
        assert_eq!(nearest("env", &[]), None);
    }

    #[test]
    fn values_are_checked_when_they_are_read_from_json() {
        let name: JobName = serde_json::from_str("\"web\"").expect("parses");
        assert_eq!(serde_json::to_string(&name).expect("serializes"), "\"web\"");
        let error = serde_json::from_str::<JobName>("\"../x\"").expect_err("no job name").to_string();
        assert!(error.starts_with("invalid job name \"../x\": \"/\" is not allowed"), "{error}");
    }

    #[test]
    fn values_travel_through_json_as_text() {
        let value = (
            Cpus::parse("1.50").expect("a number"),
            Signal::from_number(9).expect("KILL"),
            UserSpec::Image,
            Tail::Lines(3),
        );
        let json = serde_json::to_string(&value).expect("serializes");
        assert_eq!(json, r#"["1.5","KILL","image","3"]"#);
        assert_eq!(serde_json::from_str::<(Cpus, Signal, UserSpec, Tail)>(&json).expect("parses"), value);
        assert!(serde_json::from_str::<Signal>("\"SIGNOPE\"").is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic_and_what_is_accepted_is_plain(text in "(?s).{0,24}|[a-zA-Z0-9@:/._+=~-]{0,24}") {
            for (_, parse) in STRICT {
                match parse(&text) {
                    Ok(kept) => {
                        prop_assert!(!kept.starts_with('-') && kept.chars().all(|c| matches!(c, ' '..='~')), "{kept:?}");
                        prop_assert_eq!(parse(&kept), Ok(kept));
                    }
                    Err(refusal) => prop_assert!(!refusal.to_string().contains(is_unprintable)),
                }
            }
            drop((Cpus::parse(&text), Signal::parse(&text), UserSpec::parse(&text), Tail::parse(&text)));
            for (_, parse) in CARRIED {
                if let Ok(kept) = parse(&text) {
                    prop_assert!(!kept.contains('\0'));
                    prop_assert_eq!(parse(&kept), Ok(kept));
                }
            }
        }
    }
}
