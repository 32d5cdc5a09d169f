//! Texts with `{parameter}` in them. `{{` and `}}` are braces. Pure.

use std::collections::BTreeSet;

use crate::names::{ParameterName, Parameters};

/// Why a text cannot be completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// It names a parameter that does not exist.
    Unknown(String),
    /// It has this brace alone.
    Lone(char),
}

/// Replaces each `{name}` by the value of the parameter, whose name is added to `used`. A value is never read as a text with
/// parameters again.
///
/// # Errors
/// For the first unknown name, and the first brace that is neither doubled nor around a name.
pub fn fill(text: &str, row: &Parameters, used: &mut BTreeSet<String>) -> Result<String, Wrong> {
    let (mut filled, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(['{', '}']) {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("{{").or_else(|| rest.strip_prefix("}}")) {
            filled.push_str(&rest[..1]);
            rest = after;
            continue;
        }
        let (name, after) = name(rest)?;
        let value = row.value(name).ok_or_else(|| Wrong::Unknown(name.to_owned()))?;
        used.insert(name.to_owned());
        filled.push_str(value);
        rest = after;
    }
    Ok(filled + rest)
}

/// The name in the braces at the beginning of the text, and what follows them.
fn name(text: &str) -> Result<(&str, &str), Wrong> {
    let Some(inside) = text.strip_prefix('{') else { return Err(Wrong::Lone('}')) };
    let name = inside.split_once('}').filter(|(name, _)| ParameterName::parse(name).is_ok());
    name.ok_or(Wrong::Lone('{'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Parameters {
        Parameters(vec![("lr".into(), "0.1".into()), ("name".into(), "{lr}".into()), ("e".into(), String::new())])
    }

    #[test]
    fn a_name_in_braces_is_replaced_and_a_doubled_brace_is_one() {
        for (text, filled, used) in [
            ("", "", &[][..]),
            ("a b\n", "a b\n", &[]),
            ("{lr}", "0.1", &["lr"]),
            ("--lr={lr},{lr}é", "--lr=0.1,0.1é", &["lr"]),
            ("{{lr}}", "{lr}", &[]),
            ("{{{lr}}}", "{0.1}", &["lr"]),
            // A value is not read again.
            ("{name}", "{lr}", &["name"]),
            ("[{e}]", "[]", &["e"]),
            ("{{}}", "{}", &[]),
            ("{{\"a\": {lr}}}", "{\"a\": 0.1}", &["lr"]),
        ] {
            let mut names = BTreeSet::new();
            assert_eq!(fill(text, &row(), &mut names).as_deref(), Ok(filled), "{text}");
            assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), used, "{text}");
        }
    }

    #[test]
    fn an_unknown_name_and_a_lone_brace_are_refused() {
        for (text, wrong) in [
            ("{x}", Wrong::Unknown("x".into())),
            ("{lr}{LR}", Wrong::Unknown("LR".into())),
            ("{", Wrong::Lone('{')),
            ("}", Wrong::Lone('}')),
            ("{lr", Wrong::Lone('{')),
            ("lr}", Wrong::Lone('}')),
            ("{}", Wrong::Lone('{')),
            ("{ lr }", Wrong::Lone('{')),
            ("{\"a\": 1}", Wrong::Lone('{')),
            ("{{lr}", Wrong::Lone('}')),
            ("{a{lr}", Wrong::Lone('{')),
        ] {
            assert_eq!(fill(text, &row(), &mut BTreeSet::new()), Err(wrong), "{text}");
        }
    }
}
