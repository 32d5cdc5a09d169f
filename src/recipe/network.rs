//! What a build has to know of the network it runs in: where to fetch from, whom to trust. Nothing is opened or
//! asked here; both are checked texts.

use std::fmt;

use anyhow::{Result, bail, ensure};

use crate::names::Invalid;

/// An `http://` or `https://` address without a password: `scheme://host[:port][/path]` in plain ASCII.
/// What is in it means nothing to a shell, to sed or in a file of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUrl(String);

impl HttpUrl {
    /// Takes `text` if it keeps to that grammar.
    ///
    /// # Errors
    /// [`Invalid`] says which rule was broken.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let refuse = |why: &str| Err(Invalid::new("address", text, why));
        let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
            return refuse("it does not begin with http:// or https://");
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return refuse("a user or password in it would be kept in clear");
        }
        let (host, port) = authority.split_once(':').unwrap_or((authority, "80"));
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        if !host.starts_with(|c: char| c.is_ascii_alphanumeric()) || !host.chars().all(is_host) {
            return refuse("it has no plain host name");
        }
        if !port.bytes().all(|digit| digit.is_ascii_digit()) || port.parse::<u16>().is_err() {
            return refuse("its port is not a number below 65536");
        }
        if !path.chars().all(|c| c.is_ascii_alphanumeric() || "/._~%+,=:@-".contains(c)) {
            return refuse("its path may hold letters, digits and /._~%+,=:@- only");
        }
        Ok(Self(text.to_owned()))
    }

    /// The address as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One or more certificates in PEM form, and nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct CaCert(String);

impl CaCert {
    /// Takes the certificates out of a PEM file: comments are dropped, line ends become newlines. A file with
    /// a private key in it is refused, for the image would carry it about.
    ///
    /// # Errors
    /// What is wrong with "it", the file, which the caller names.
    pub fn parse(file: &[u8]) -> Result<Self> {
        const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
        const END: &str = "-----END CERTIFICATE-----";
        let text = String::from_utf8_lossy(file);
        let mut pem = String::new();
        let mut inside = false;
        for line in text.trim_start_matches('\u{feff}').lines().map(str::trim) {
            match line {
                BEGIN if !inside => inside = true,
                END if inside => inside = false,
                _ if line.starts_with("-----BEGIN") && line.ends_with("PRIVATE KEY-----") => {
                    bail!("it contains a private key, which would become part of the image")
                }
                _ if !inside => continue,
                _ => ensure!(is_base64(line), "a certificate in it is damaged"),
            }
            pem += line;
            pem.push('\n');
        }
        ensure!(!inside, "its last certificate is cut off");
        ensure!(!pem.is_empty(), "it contains no certificate in PEM form (\"{BEGIN}\")");
        Ok(Self(pem))
    }

    /// The certificates, each from its BEGIN line to its END line.
    #[must_use]
    pub fn as_pem(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CaCert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CaCert({} certificates)", self.0.matches("-----END").count())
    }
}

fn is_base64(line: &str) -> bool {
    line.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----\n";

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
        assert!(!refusal.contains("hunter2") && refusal.contains("kept in clear"), "{refusal}");
    }

    #[test]
    fn certificates_lose_their_comments_and_carriage_returns() {
        let file = format!("\u{feff}subject=/CN=Company\r\n{}\r\nmore\n{PEM}", PEM.replace('\n', "\r\n"));
        assert_eq!(CaCert::parse(file.as_bytes()).unwrap().as_pem(), PEM.repeat(2));
    }

    #[test]
    fn a_file_with_a_private_key_or_without_whole_certificates_is_refused() {
        let refusal = |file: &[u8]| CaCert::parse(file).unwrap_err().to_string();
        let key = format!("{PEM}-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n");
        assert_eq!(refusal(key.as_bytes()), "it contains a private key, which would become part of the image");
        assert_eq!(refusal(&PEM.as_bytes()[..37]), "its last certificate is cut off");
        assert_eq!(refusal(PEM.replace("TUlJ", "T$lJ").as_bytes()), "a certificate in it is damaged");
        let none = r#"it contains no certificate in PEM form ("-----BEGIN CERTIFICATE-----")"#;
        assert_eq!(refusal(b"\x30\x82\x01\x02"), none);
        assert_eq!(refusal(b""), none);
    }
}
