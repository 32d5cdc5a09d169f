//! The ids, names and labels of jobs.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Checked, Invalid, Refusal, at_most, is_lower_alphanumeric, no, no_control, only};

checked_text! {
    /// A job's name: `[a-z0-9][a-z0-9._-]{0,62}`, which is docker's grammar of container names in lower case and
    /// fits a DNS label. `latest` is refused, because it is reserved for the newest job.
    JobName, "job name", check_job_name
}

checked_text! {
    /// The name of a queue, with the grammar of a job's name.
    QueueName, "queue name", check_dns_name
}

checked_text! {
    /// The name of a group of runs, in the grammar of a job's name. An id of a job is one, too.
    GroupName, "group name", check_job_name
}

checked_text! {
    /// A job's id: twelve digits of Crockford's base 32 in lower case, which has no `i`, `l`, `o` and `u`.
    JobId, "job id", check_job_id
}

checked_text! {
    /// The key of a label: `[a-z0-9.-]+`, beginning and ending with a letter or digit, as docker's guidelines for label
    /// keys recommend. Keys under `longshore.` are reserved.
    LabelKey, "label key", check_label_key
}

impl JobId {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    /// Whether a byte is in the alphabet. A list of thousands of jobs looks at each digit of each id.
    const IS_DIGIT: [bool; 256] = {
        let mut table = [false; 256];
        let mut at = 0;
        while at < Self::ALPHABET.len() {
            table[Self::ALPHABET[at] as usize] = true;
            at += 1;
        }
        table
    };
    const LENGTH: usize = 12;

    /// An id from random bytes: the low five bits of each byte select a digit.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 12]) -> Self {
        Self(bytes.iter().map(|byte| char::from(Self::ALPHABET[usize::from(byte & 31)])).collect())
    }

    /// Whether `text` could be the beginning of an id, or a whole one.
    #[must_use]
    pub fn is_prefix(text: &str) -> bool {
        (1..=Self::LENGTH).contains(&text.len()) && text.bytes().all(|byte| Self::IS_DIGIT[usize::from(byte)])
    }
}

/// A label, written `KEY=VALUE` as for `docker run --label`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label {
    /// The key.
    pub key: LabelKey,
    /// Text without control characters, at most 4096 bytes.
    pub value: String,
}

impl Label {
    /// Takes `KEY=VALUE`; the value may be empty and may contain `=`.
    ///
    /// # Errors
    /// [`Invalid`] says which rule was broken.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let Some((key, value)) = text.split_once('=') else {
            return Err(Invalid::new("label", text, "it has no \"=\"").with_hint("write KEY=VALUE"));
        };
        Self::new(LabelKey::parse(key)?, value)
    }

    /// A label from a separate key and value, as in a JSON object.
    ///
    /// # Errors
    /// [`Invalid`] for a value that is too long or has control characters.
    pub fn new(key: LabelKey, value: &str) -> Result<Self, Invalid> {
        match no_control(value).and_then(|()| at_most(value, 4096)) {
            Ok(()) => Ok(Self { key, value: value.to_owned() }),
            Err(refusal) => Err(refusal.about("label value", value)),
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

impl std::str::FromStr for Label {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Label {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.to_string()
    }
}

fn check_job_name(text: &str) -> Checked {
    if text == "latest" {
        return Err(no("\"latest\" is reserved for the newest job"));
    }
    check_dns_name(text)
}

fn check_dns_name(text: &str) -> Checked {
    only(text, |c| is_lower_alphanumeric(c) || "._-".contains(c), "a-z, 0-9, \".\", \"_\" and \"-\"")?;
    if !text.starts_with(is_lower_alphanumeric) {
        return Err(no("it must begin with a letter or a digit"));
    }
    if text.len() > 63 {
        return Err(no("it must have at most 63 characters"));
    }
    Ok(text.to_owned())
}

fn check_job_id(text: &str) -> Checked {
    if text.len() != JobId::LENGTH || !JobId::is_prefix(text) {
        return Err(no("an id has 12 characters: 0-9 and a-z without i, l, o and u"));
    }
    Ok(text.to_owned())
}

fn check_label_key(text: &str) -> Checked {
    only(text, |c| is_lower_alphanumeric(c) || ".-".contains(c), "a-z, 0-9, \".\" and \"-\"")?;
    if !text.starts_with(is_lower_alphanumeric) || !text.ends_with(is_lower_alphanumeric) {
        return Err(no("it must begin and end with a letter or a digit"));
    }
    if text.starts_with("longshore.") {
        return Err(no("keys under \"longshore.\" are reserved"));
    }
    at_most(text, 255)?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_job_name_is_short_and_plain() {
        for text in ["a", "0", "train.v2_final-3", "latest-model", "0123456789ab", &"a".repeat(63)] {
            assert_eq!(JobName::parse(text).expect(text).as_str(), text);
        }
        for text in ["", "latest", "-a", ".", "..", "_a", "A", "a b", "a/b", "../x", "a\n", "é", &"a".repeat(64)] {
            assert!(JobName::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_id_has_twelve_digits_of_its_alphabet() {
        assert_eq!(JobId::from_bytes([0, 31, 32, 255, 18, 17, 20, 21, 26, 27, 1, 9]).as_str(), "0z0zjhmntv19");
        for text in ["", "0z0zjhmntv1", "0z0zjhmntv199", "0z0zjhmntv1i", "0Z0ZJHMNTV19", "../../../etc", "éééééé"]
        {
            assert!(JobId::parse(text).is_err(), "{text:?}");
        }
        for (text, is_prefix) in [
            ("0", true),
            ("0z0zjhmntv19", true),
            ("", false),
            ("0z0zjhmntv190", false),
            ("u", false),
            ("/", false),
            ("é", false),
        ] {
            assert_eq!(JobId::is_prefix(text), is_prefix, "{text:?}");
        }
    }

    #[test]
    fn a_label_is_a_key_and_a_value() {
        for (text, key, value) in [
            ("team=ml", "team", "ml"),
            ("a.b-c=", "a.b-c", ""),
            ("x=a=b c", "x", "a=b c"),
            ("x= é\u{202e}", "x", " é\u{202e}"),
        ] {
            let label = Label::parse(text).expect(text);
            assert_eq!((label.key.as_str(), label.value.as_str()), (key, value));
            assert_eq!(label.to_string(), text);
        }
        for text in [
            "",
            "team",
            "=x",
            "Team=x",
            "-a=x",
            "a.=x",
            "a_b=x",
            "a b=x",
            "longshore.job=x",
            "a=x\n",
            "a=\u{1b}[m",
            "a=\u{85}",
            "--privileged=x",
            "é=x",
        ] {
            assert!(Label::parse(text).is_err(), "{text:?}");
        }
        assert!(Label::parse(&format!("a={}", "x".repeat(4096))).is_ok());
        assert!(Label::parse(&format!("a={}", "x".repeat(4097))).is_err());
        assert!(LabelKey::parse("longshore").is_ok());
    }

    #[test]
    fn a_label_travels_through_json_as_text() {
        let label: Label = serde_json::from_str("\"team=ml\"").expect("parses");
        assert_eq!(serde_json::to_string(&label).expect("serializes"), "\"team=ml\"");
        assert!(serde_json::from_str::<Label>("\"longshore.job=x\"").is_err());
    }

    proptest! {
        #[test]
        fn every_twelve_bytes_make_an_id(bytes: [u8; 12], length in 1_usize..=12) {
            let id = JobId::from_bytes(bytes);
            prop_assert!(JobId::is_prefix(&id.as_str()[..length]));
            prop_assert_eq!(JobId::parse(id.as_str()), Ok(id));
        }

        #[test]
        fn a_label_is_refused_or_carried_exactly(text in "(?s).{0,20}|[a-z.-]{1,9}=.{0,20}") {
            if let Ok(label) = Label::parse(&text) {
                prop_assert_eq!(label.to_string(), text);
                prop_assert!(!label.value.contains(char::is_control));
            }
        }
    }
}
