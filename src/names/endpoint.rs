//! The engine that a command or a job uses.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Invalid, no};

/// The context that docker has without any configuration.
const DEFAULT: &str = "default";

/// Where it leads with docker's variables for TLS.
const DEFAULT_TLS: &str = "tcp://localhost:2376";

/// One engine, as docker's command line names it. A job keeps the endpoint it was started on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Endpoint {
    /// `--host`: a URL as docker takes it.
    Host(String),
    /// `--context`: the name of a context.
    Context(String),
    /// A `tcp://` URL, and the variables with which docker uses TLS for it.
    Tls(Secured),
}

/// An engine that docker reaches by TLS because of variables. A context has its own certificates.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Secured {
    /// The URL, which begins with `tcp://` or has no scheme, which docker takes for the same.
    pub url: String,
    /// The directory with `ca.pem`, `cert.pem` and `key.pem`, as far as there are any: an absolute path.
    pub certificates: String,
    /// Whether the certificate of the engine is checked.
    pub verify: bool,
}

impl Endpoint {
    /// Reads a URL, such as `ssh://host`, or else the name of a context. Whether docker can use it is not known here.
    ///
    /// # Errors
    /// When there is nothing.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match text {
            "" => Err(no("it is empty").hint("list contexts with: docker context ls").about("docker context", text)),
            _ if text.contains("://") => Ok(Self::Host(text.to_owned())),
            _ => Ok(Self::Context(text.to_owned())),
        }
    }

    /// The URL or the name of the context, as [`Endpoint::parse`] reads it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Host(name) | Self::Context(name) | Self::Tls(Secured { url: name, .. }) => name,
        }
    }

    /// The URL, unless a context has it.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        match self {
            Self::Host(url) | Self::Tls(Secured { url, .. }) => Some(url),
            Self::Context(_) => None,
        }
    }

    /// The same, as [`Endpoint::Tls`] if docker would use TLS for it with these variables. Its own context is not a socket
    /// then.
    #[must_use]
    pub fn secured(self, tls: Option<(String, bool)>) -> Self {
        let Some((certificates, verify)) = tls else { return self };
        match self {
            Self::Host(url) if url.starts_with("tcp://") || !url.contains("://") => {
                Self::Tls(Secured { url, certificates, verify })
            }
            Self::Context(name) if name == DEFAULT => {
                Self::Tls(Secured { url: DEFAULT_TLS.into(), certificates, verify })
            }
            endpoint => endpoint,
        }
    }

    /// docker's variables for TLS: a name, and the value that it has for this engine, if any.
    #[must_use]
    pub fn tls_variables(&self) -> [(&'static str, Option<&str>); 3] {
        let tls = if let Self::Tls(tls) = self { Some(tls) } else { None };
        let set = |verify: bool| tls.filter(|tls| tls.verify == verify).map(|_| "1");
        [
            ("DOCKER_TLS_VERIFY", set(true)),
            ("DOCKER_TLS", set(false)),
            ("DOCKER_CERT_PATH", tls.map(|tls| tls.certificates.as_str())),
        ]
    }

    /// The same. The name of docker's own context, which most of thousands of jobs have, takes no memory.
    #[must_use]
    pub fn shared_name(&self) -> Cow<'static, str> {
        match self.name() {
            DEFAULT => Cow::Borrowed(DEFAULT),
            name => Cow::Owned(name.to_owned()),
        }
    }

    /// The flag that names this engine on docker's command line.
    #[must_use]
    pub fn flag(&self) -> [&str; 2] {
        match self {
            Self::Host(url) | Self::Tls(Secured { url, .. }) => ["--host", url],
            Self::Context(context) => ["--context", context],
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(url) | Self::Tls(Secured { url, .. }) => f.write_str(url),
            Self::Context(context) => write!(f, "context {context}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_told_from_the_name_of_a_context() {
        for (text, endpoint) in [
            ("far", Endpoint::Context("far".into())),
            ("far.example_2+x-y", Endpoint::Context("far.example_2+x-y".into())),
            ("ssh://me@far:22", Endpoint::Host("ssh://me@far:22".into())),
            ("unix:///run/docker.sock", Endpoint::Host("unix:///run/docker.sock".into())),
        ] {
            assert_eq!(Endpoint::parse(text), Ok(endpoint.clone()));
            assert_eq!(endpoint.name(), text);
        }
        assert!(Endpoint::parse("").is_err());
    }

    #[test]
    fn only_a_tcp_url_is_reached_by_tls_because_of_variables() {
        let tls = || Some(("/certs".to_owned(), true));
        for text in ["unix:///run/docker.sock", "ssh://far", "far"] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!(endpoint.clone().secured(tls()), endpoint);
        }
        let default = Endpoint::Context("default".into());
        assert_eq!(default.clone().secured(None), default);
        assert_eq!(default.secured(tls()).name(), "tcp://localhost:2376");
        let bare = Endpoint::Host("far:2376".into()).secured(tls());
        assert!(matches!(bare, Endpoint::Tls(Secured { url, .. }) if url == "far:2376"));
        let far = Endpoint::parse("tcp://far:2376").unwrap();
        assert_eq!(far.clone().secured(None), far);
        assert!(far.tls_variables().iter().all(|(_, value)| value.is_none()));
        let secured = far.clone().secured(tls());
        assert_eq!((secured.name(), secured.flag()), ("tcp://far:2376", ["--host", "tcp://far:2376"]));
        let variables = secured.tls_variables();
        let set: Vec<_> = variables.iter().filter_map(|(name, value)| Some((*name, (*value)?))).collect();
        assert_eq!(set, [("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", "/certs")]);
        let text = serde_json::to_string(&secured).unwrap();
        assert_eq!(text, r#"{"tls":{"url":"tcp://far:2376","certificates":"/certs","verify":true}}"#);
        assert_eq!(serde_json::from_str::<Endpoint>(&text).unwrap(), secured);
    }
}
