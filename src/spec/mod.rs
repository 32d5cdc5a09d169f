//! The types of what `image create` and `exec run` accept as flags, as the JSON body of `--spec`, or both. Pure.
//!
//! There is one struct for each command. clap fills it from the flags, serde from the body, and the two are merged. The
//! doc comment of a field is also the help text of the flag and the description in the JSON Schema. The list of known
//! keys comes from serde.

mod field;
pub mod json;
mod read;
mod recipe;
mod run;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::Failure;
pub use read::keys;
pub use recipe::RecipeSpec;
pub use run::RunSpec;

/// Reads a body: its keys first, then their values.
///
/// # Errors
/// When it is not one JSON object; for the first duplicate or unknown key, with the nearest known key; for the first value
/// that has the wrong type or is refused by a checked type.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    match json::parse("spec", bytes)? {
        Value::Object(object) => read::object(object),
        other => Err(Failure::usage(format!("invalid spec: expected a JSON object, not {}", json::kind(&other)))),
    }
}

/// The line of a command's help that lists the keys of its `--spec`.
#[must_use]
pub fn keys_line<T: DeserializeOwned>() -> String {
    format!("Keys of --spec (JSON): {}. Flags override the file.", keys::<T>().join(", "))
}

/// A field that has to be given, by a flag or in a spec.
#[derive(Debug, Clone, Copy)]
pub struct Required {
    /// The flag with its value, as it is typed.
    pub flag: &'static str,
    /// The key in a spec.
    pub key: &'static str,
    /// Whether it was given.
    pub is_given: bool,
}

/// The error for required fields that neither a flag nor the spec has; it names all of them.
#[must_use]
pub fn missing(fields: &[Required]) -> Failure {
    let missing = || fields.iter().filter(|field| !field.is_given);
    let flags = listed(&missing().map(|field| field.flag.to_owned()).collect::<Vec<_>>());
    let keys: Vec<String> = missing().map(|field| format!("{:?}", field.key)).collect();
    let word = if keys.len() == 1 { "key" } else { "keys" };
    Failure::usage(format!("missing {flags}")).hint(format!("in a spec, use the {word} {}", listed(&keys)))
}

/// `a, b and c`.
#[must_use]
pub fn listed(items: &[String]) -> String {
    match items {
        [before @ .., last] if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => items.concat(),
    }
}

/// A list of flags replaces the list of the file.
fn instead<T>(flags: Vec<T>, file: Vec<T>) -> Vec<T> {
    if flags.is_empty() { file } else { flags }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal<T: DeserializeOwned>(text: &str) -> (String, String) {
        let failure = parse::<T>(text.as_bytes()).err().unwrap_or_else(|| panic!("{text} is accepted"));
        (failure.message, failure.hint.unwrap_or_default())
    }

    #[test]
    fn a_body_is_one_object_with_or_without_a_bom() {
        assert_eq!(parse::<RecipeSpec>(b"\xef\xbb\xbf{}").unwrap(), RecipeSpec::default());
        assert_eq!(refusal::<RunSpec>("[]").0, "invalid spec: expected a JSON object, not an array");
        for text in ["", "{", "{} {}", "{'a': 1}"] {
            assert!(refusal::<RunSpec>(text).0.starts_with("invalid spec: not JSON: "), "{text}");
        }
    }

    #[test]
    fn an_unknown_key_is_named_with_its_nearest_before_anything_else_is_said() {
        let unknown = |key: &str| format!("invalid spec: unknown key \"{key}\"");
        for (text, key, near) in [
            (r#"{"mainSrc": 7, "srcpath": "x"}"#, "srcpath", "srcPath"),
            (r#"{"srcPaht": "x", "mainSrc": "x"}"#, "srcPaht", "srcPath"),
            (r#"{"imagetag": "x"}"#, "imagetag", "imageTag"),
        ] {
            assert_eq!(refusal::<RunSpec>(text), (unknown(key), format!("did you mean {near:?}?")));
        }
        let (message, hint) = refusal::<RecipeSpec>("{\"\\u001b[2J-zzzzzzz\": 1}");
        assert_eq!(message, unknown(r"\u{1b}[2J-zzzzzzz"));
        assert!(hint.starts_with("the keys are: name, baseImage, update, "), "{hint}");
    }

    #[test]
    fn a_key_given_twice_is_an_error_that_names_it() {
        for (text, key) in [
            (r#"{"mainSrc": "a", "mainSrc": "a"}"#, "mainSrc"),
            (r#"{"env": {"A": "1", "B": "2", "A": "3"}}"#, "env.A"),
            (r#"{"labels": {"a": "1", "a": "1"}}"#, "labels.a"),
        ] {
            let (message, _) = refusal::<RunSpec>(text);
            assert!(
                message.starts_with(&format!("invalid spec: the key \"{key}\" is given twice at line 1 ")),
                "{message}"
            );
        }
    }

    #[test]
    fn a_wrong_type_names_the_key_and_both_types() {
        for (text, wrong) in [
            (r#"{"args": "x"}"#, "\"args\" must be an array of strings, not a string"),
            (r#"{"args": ["a", 1]}"#, "\"args[1]\" must be a string, not a number"),
            (r#"{"env": {"A": 1}}"#, "\"env.A\" must be a string or null, not a number"),
            (r#"{"labels": {"a": "", "b": {}}}"#, "\"labels.b\" must be a string or null, not an object"),
            (r#"{"labels": []}"#, "\"labels\" must be an object of strings, not an array"),
            (r#"{"imageTag": 7}"#, "\"imageTag\" must be a string, not a number"),
            (r#"{"srcPath": {}}"#, "\"srcPath\" must be a string, not an object"),
            (r#"{"cpus": true}"#, "\"cpus\" must be a string or a number, not a boolean"),
            (r#"{"keep": "yes"}"#, "\"keep\" must be true or false, not a string"),
        ] {
            assert_eq!(refusal::<RunSpec>(text), (format!("invalid spec: {wrong}"), String::new()));
        }
        let (message, _) = refusal::<RecipeSpec>(r#"{"aptInstall": ["jq"]}"#);
        assert_eq!(message, "invalid spec: \"aptInstall\" must be a string, not an array");
    }

    #[test]
    fn a_number_may_be_given_as_text_and_as_a_number() {
        let read = |text: &str| parse::<RunSpec>(text.as_bytes()).unwrap();
        assert_eq!(
            read(r#"{"cpus": 2, "gpus": 1, "memory": 1024, "shmSize": 2048, "timeout": 90}"#),
            read(r#"{"cpus": "2", "gpus": "1", "memory": "1k", "shmSize": "2k", "timeout": "1m30s"}"#),
        );
    }

    #[test]
    fn all_missing_fields_are_named_at_once() {
        let field = |flag, key, is_given| Required { flag, key, is_given };
        let fields = |given: [bool; 3]| {
            let failure = missing(&[
                field("--image IMAGE", "imageTag", given[0]),
                field("--src DIR", "srcPath", given[1]),
                field("--main FILE", "mainSrc", given[2]),
            ]);
            (failure.message, failure.hint.unwrap())
        };
        for (given, message, hint) in [
            (
                [false; 3],
                "missing --image IMAGE, --src DIR and --main FILE",
                r#"in a spec, use the keys "imageTag", "srcPath" and "mainSrc""#,
            ),
            (
                [true, false, false],
                "missing --src DIR and --main FILE",
                r#"in a spec, use the keys "srcPath" and "mainSrc""#,
            ),
            ([true, true, false], "missing --main FILE", r#"in a spec, use the key "mainSrc""#),
        ] {
            assert_eq!(fields(given), (message.to_owned(), hint.to_owned()));
        }
    }

    #[test]
    fn a_refused_value_keeps_its_message_and_its_hint() {
        let (message, hint) = refusal::<RecipeSpec>(r#"{"baseImage": "Python:3"}"#);
        assert_eq!(message, "invalid image reference \"Python:3\": a repository name must be in lower case");
        assert_eq!(hint, "write python");
        let (message, hint) = refusal::<RunSpec>(r#"{"network": "host"}"#);
        assert!(message.starts_with("invalid network \"host\": "), "{message}");
        assert!(hint.starts_with("use \"bridge\""), "{hint}");
        for (text, message) in [
            (r#"{"timeout": 0}"#, "invalid timeout \"0\": it must be greater than zero"),
            (r#"{"args": ["a\u0000b"]}"#, r#"invalid argument "a\u{0}b": it contains a NUL"#),
            (r#"{"env": {"A": "x\u0000"}}"#, r#"invalid environment value "<secret>": it contains a NUL"#),
            (r#"{"env": {"A-B": "x"}}"#, r#"invalid environment variable "A-B": "-" is not allowed"#),
            (
                r#"{"logDriver": "syslog"}"#,
                r#"invalid log driver "syslog": it must be local, json-file, journald or none"#,
            ),
        ] {
            assert_eq!(refusal::<RunSpec>(text).0, message);
        }
    }

    #[test]
    fn the_help_lists_every_key_in_the_order_of_the_struct() {
        let line = keys_line::<RecipeSpec>();
        assert!(line.starts_with("Keys of --spec (JSON): name, baseImage, update, aptInstall, "), "{line}");
        assert!(line.ends_with(", pull, noCache, squash. Flags override the file."), "{line}");
    }
}
