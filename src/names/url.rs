//! The URLs of package indexes and mirrors.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Checked, Invalid, Refusal, no};

checked_text! {
    /// An `http://` or `https://` address without a password: `scheme://host[:port][/path]` in plain ASCII.
    /// It contains no character with a meaning to a shell, to sed or in a file of lines.
    HttpUrl, "address", check_url
}

fn check_url(text: &str) -> Checked {
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        return Err(no("it must begin with http:// or https://"));
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(no("a user name or password in it would be stored unencrypted"));
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, "80"));
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if !host.starts_with(|c: char| c.is_ascii_alphanumeric()) || !host.chars().all(is_host) {
        return Err(no("it has no valid host name"));
    }
    if !port.bytes().all(|digit| digit.is_ascii_digit()) || port.parse::<u16>().is_err() {
        return Err(no("its port is not a number below 65536"));
    }
    if !path.chars().all(|c| c.is_ascii_alphanumeric() || "/._~%+,=:@-".contains(c)) {
        return Err(no("its path may contain only letters, digits and /._~%+,=:@-"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_addresses_are_accepted() {
        for text in
            ["http://a", "https://pip.example.org/simple/", "http://10.0.0.1:8080/a/b~c%20d", "https://a-b.c:1/"]
        {
            assert_eq!(HttpUrl::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_a_shell_or_a_line_could_read_otherwise_is_no_address() {
        let refused = [
            "",
            "http://",
            "ftp://a",
            "file:///etc",
            "-http://a",
            " http://a",
            "http://a b",
            "http://a/b c",
            "http://a\n",
            "http://a/$(x)",
            "http://a/`x`",
            "http://a/\"",
            "http://a/'",
            "http://a/\\",
            "http://a/#x",
            "http://a/?q",
            "http://a/&",
            "http://a:b",
            "http://a:+1",
            "http://a:",
            "http://a:70000",
            "http://.a",
            "http://é",
            "http://a\0",
        ];
        for text in refused {
            assert!(HttpUrl::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_shown() {
        let refusal = HttpUrl::parse("https://user:hunter2@a/simple").unwrap_err().to_string();
        assert!(!refusal.contains("hunter2") && refusal.contains("stored unencrypted"), "{refusal}");
    }
}
