//! Command lines as one could paste them into a shell. Pure.

/// A command line whose words a shell would read as they are.
#[must_use]
pub fn shown(line: &[String]) -> String {
    line.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word that a shell reads as this very text.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_pasted() {
        let line = ["docker", "run", "a b", "it's", "", "x=1,y"].map(str::to_owned);
        assert_eq!(shown(&line), r"docker run 'a b' 'it'\''s' '' x=1,y");
    }
}
