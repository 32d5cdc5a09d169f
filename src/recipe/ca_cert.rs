//! The certificates that a build trusts. Pure: the text is an argument.

use std::fmt;

use anyhow::{Result, bail, ensure};

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
        ensure!(!inside, "its last certificate is incomplete");
        ensure!(!pem.is_empty(), "it contains no certificate in PEM format (\"{BEGIN}\")");
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
    fn certificates_lose_their_comments_and_carriage_returns() {
        let file = format!("\u{feff}subject=/CN=Company\r\n{}\r\nmore\n{PEM}", PEM.replace('\n', "\r\n"));
        assert_eq!(CaCert::parse(file.as_bytes()).unwrap().as_pem(), PEM.repeat(2));
    }

    #[test]
    fn a_file_with_a_private_key_or_without_whole_certificates_is_refused() {
        let refusal = |file: &[u8]| CaCert::parse(file).unwrap_err().to_string();
        let key = format!("{PEM}-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n");
        assert_eq!(refusal(key.as_bytes()), "it contains a private key, which would become part of the image");
        assert_eq!(refusal(&PEM.as_bytes()[..37]), "its last certificate is incomplete");
        assert_eq!(refusal(PEM.replace("TUlJ", "T$lJ").as_bytes()), "a certificate in it is damaged");
        let none = r#"it contains no certificate in PEM format ("-----BEGIN CERTIFICATE-----")"#;
        assert_eq!(refusal(b"\x30\x82\x01\x02"), none);
        assert_eq!(refusal(b""), none);
    }
}
