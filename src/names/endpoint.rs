//! The engine that a command or a job uses.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Invalid, no};

/// The context that docker has without any configuration.
const DEFAULT: &str = "default";

/// One engine, as docker's command line names it. A job keeps the endpoint it was started on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Endpoint {
    /// `--host`: a URL as docker takes it.
    Host(String),
    /// `--context`: the name of a context.
    Context(String),
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
            Self::Host(name) | Self::Context(name) => name,
        }
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
            Self::Host(host) => ["--host", host],
            Self::Context(context) => ["--context", context],
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => f.write_str(host),
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
}
