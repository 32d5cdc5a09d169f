//! The engine that a command or a job uses.

use std::fmt;

use serde::{Deserialize, Serialize};

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
