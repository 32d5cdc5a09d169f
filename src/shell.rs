//! Command lines in a form that can be pasted into a shell, and the text for how a process ended. Pure.

use std::process::ExitStatus;

/// A command line, quoted so that a shell reads exactly these words.
#[must_use]
pub fn shown(line: &[String]) -> String {
    line.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word, quoted if necessary, so that a shell reads exactly this text.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// How a process ended, as text.
#[must_use]
pub fn ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".into(),
    }
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
