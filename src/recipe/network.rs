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
