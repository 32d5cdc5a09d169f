//! Text that is passed on unchanged. Only a NUL is refused, because a program argument cannot contain one.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Checked, Invalid, Refusal, no};

checked_text! {
    /// An argument of a program: any text without a NUL.
    Argument, "argument", |text: &str| without_nul(text, "it contains a NUL")
}

checked_text! {
    /// Shell commands, separated by newlines: any text without a NUL.
    Commands, "commands", |text: &str| without_nul(text, "they contain a NUL")
}

checked_text! {
    /// The lines of a requirements file: any text without a NUL. `recipe` reads them.
    RequirementLines, "requirements", |text: &str| without_nul(text, "they contain a NUL")
}

checked_text! {
    /// The text of a `pyproject.toml`: any text without a NUL. `recipe` reads it.
    ProjectText, "pyproject", |text: &str| without_nul(text, "it contains a NUL")
}

fn without_nul(text: &str, why: &str) -> Checked {
    if text.contains('\0') { Err(no(why)) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_without_a_nul_is_carried() {
        for text in ["", "-x", "a b\n\u{1b}\r\n", "$(x)"] {
            assert_eq!(Argument::parse(text).expect(text).as_str(), text);
            assert_eq!(Commands::parse(text).expect(text).as_str(), text);
        }
        let refusal = Argument::parse("a\0b").expect_err("a NUL").to_string();
        assert_eq!(refusal, r#"invalid argument "a\u{0}b": it contains a NUL"#);
        let refusal = Commands::parse("a\0b").expect_err("a NUL").to_string();
        assert_eq!(refusal, r#"invalid commands "a\u{0}b": they contain a NUL"#);
    }
}
