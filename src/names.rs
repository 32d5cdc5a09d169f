//! What every name a user may give has to look like, and how a refusal reads. A value of one of these types has been
//! checked, so whoever holds it may use it as it stands. Everything here is pure: nothing is looked up, opened or
//! started.

use std::fmt;

/// How much of a refused value an error message shows, in characters.
const SHOWN: usize = 80;

/// Why a value was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The kind of value, such as `image reference`.
    pub what: &'static str,
    /// The value, safe to print: escaped, cut, and without the password of a URL.
    pub value: String,
    /// The reason, in lower case and without a full stop.
    pub why: String,
    /// What to write instead, if that is known.
    pub hint: Option<String>,
}

impl Invalid {
    /// A refusal of `value`, which is escaped, cut and masked here.
    pub fn new(what: &'static str, value: &str, why: impl Into<String>) -> Self {
        Self { what, value: escape_value(&without_credentials(value)), why: why.into(), hint: None }
    }

    /// The same refusal with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid {} \"{}\": {}", self.what, self.value, self.why)
    }
}

impl std::error::Error for Invalid {}

/// A refusal before it knows which value it is about.
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

/// What a check makes of a text: the text to keep, or why not.
type Checked = Result<String, Refusal>;

/// Gives types the conversions that clap and serde use, through `parse` and `Display`.
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
    )* };
}
pub(crate) use through_text;

/// Defines a type that holds a text which `$check` has accepted.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes `text` if it keeps the rules of this type.
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
mod image;
mod job;
mod pip;
mod requirement;
mod run;

pub use apt::AptPackage;
pub use image::{ImageName, ImageRef};
pub use job::{JobId, JobName, Label, LabelKey};
pub use pip::PipRequirement;
pub use run::{EnvKey, EnvValue, Gpus, MainFile, MountPath, NetworkName, csv_field};

/// A value as an error may show it: what a terminal would act on or hide (control, bidi and zero-width characters,
/// line and paragraph separators) is written as `\n` or `\u{…}`, and the rest is cut after 80 characters.
#[must_use]
pub fn escape_value(text: &str) -> String {
    let mut shown = String::new();
    let mut left = SHOWN;
    for c in text.chars() {
        let piece = if is_unprintable(c) { c.escape_default().to_string() } else { c.to_string() };
        let Some(rest) = left.checked_sub(piece.chars().count()) else {
            shown.push('…');
            break;
        };
        left = rest;
        shown.push_str(&piece);
    }
    shown
}

/// C0, DEL and C1; soft hyphen, Arabic letter mark, Mongolian vowel separator; zero-width, bidi and separator
/// characters of the General Punctuation block; BOM, interlinear annotations and tag characters.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// `https://user:password@host` as `https://***@host`, everywhere in the text.
fn without_credentials(text: &str) -> String {
    let mut parts = text.split("://");
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        masked.push_str("://");
        let authority = part.split(['/', ' ', '?', '#']).next().unwrap_or_default();
        match authority.rfind('@') {
            Some(at) => masked.extend(["***", &part[at..]]),
            None => masked.push_str(part),
        }
    }
    masked
}

/// Refuses an empty text and one with a character that is not allowed. `allowed` says which are, for the hint.
fn only(text: &str, is_allowed: impl Fn(char) -> bool, allowed: &str) -> Result<(), Refusal> {
    if text.is_empty() {
        return Err(no("it is empty"));
    }
    match text.chars().find(|&c| !is_allowed(c)) {
        Some(c) => Err(no(format!("{} is not allowed in it", shown(c))).hint(format!("use only {allowed}"))),
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
        return Err(no(format!("it is {} bytes long, and {bytes} are the most", text.len())));
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
    use proptest::prelude::*;

    type Grammar = (&'static str, fn(&str) -> Result<String, Invalid>);

    /// A valid value of each type that ends up where some program could read more into it.
    const STRICT: [Grammar; 10] = [
        ("python:3", |text| ImageRef::parse(text).map(String::from)),
        ("web:1", |text| ImageName::parse(text).map(String::from)),
        ("train", |text| JobName::parse(text).map(String::from)),
        ("0123456789ab", |text| JobId::parse(text).map(String::from)),
        ("gcc", |text| AptPackage::parse(text).map(String::from)),
        ("numpy", |text| PipRequirement::parse(text).map(String::from)),
        ("HOME", |text| EnvKey::parse(text).map(String::from)),
        ("team", |text| LabelKey::parse(text).map(String::from)),
        ("bridge", |text| NetworkName::parse(text).map(String::from)),
        ("all", |text| Gpus::parse(text).map(String::from)),
    ];

    /// A valid value of each type that is carried as data.
    const CARRIED: [Grammar; 3] = [
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
        assert_eq!(refusal.with_hint("leave it out").hint.as_deref(), Some("leave it out"));
    }

    #[test]
    fn a_shown_value_is_printable_and_short() {
        for (text, shown) in [
            ("plain é", "plain é"),
            ("a\n\t\r\0", r"a\n\t\r\u{0}"),
            ("\u{1b}[31m\u{7f}\u{9b}", r"\u{1b}[31m\u{7f}\u{9b}"),
            ("\u{202e}\u{2028}\u{feff}", r"\u{202e}\u{2028}\u{feff}"),
            ("'\"\\", "'\"\\"),
        ] {
            assert_eq!(escape_value(text), shown);
        }
        assert_eq!(escape_value(&"é".repeat(80)), "é".repeat(80));
        assert_eq!(escape_value(&"é".repeat(81)), format!("{}…", "é".repeat(80)));
    }

    #[test]
    fn the_credentials_of_a_url_are_masked() {
        for (text, masked) in [
            ("https://me:pw@h/x@y", "https://***@h/x@y"),
            ("a https://t@h b ssh://u:p@ss@h", "a https://***@h b ssh://***@h"),
            ("a@b", "a@b"),
            ("https://h/@x?y://z", "https://h/@x?y://z"),
        ] {
            assert_eq!(without_credentials(text), masked);
        }
    }

    #[test]
    fn values_are_checked_when_they_are_read_from_json() {
        let name: JobName = serde_json::from_str("\"web\"").expect("parses");
        assert_eq!(serde_json::to_string(&name).expect("serializes"), "\"web\"");
        let error = serde_json::from_str::<JobName>("\"../x\"").expect_err("no job name").to_string();
        assert!(error.starts_with("invalid job name \"../x\": \"/\" is not allowed in it"), "{error}");
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
            for (_, parse) in CARRIED {
                if let Ok(kept) = parse(&text) {
                    prop_assert!(!kept.contains('\0'));
                    prop_assert_eq!(parse(&kept), Ok(kept));
                }
            }
        }

        #[test]
        fn a_value_can_be_shown_whatever_it_is(text in "(?s).{0,120}") {
            let shown = escape_value(&text);
            prop_assert!(!shown.contains(is_unprintable));
            prop_assert!(shown.chars().count() <= 81);
        }
    }
}
