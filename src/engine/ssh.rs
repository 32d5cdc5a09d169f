//! Where an engine is: which ones docker's client reaches by ssh, and which ones are on this machine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Engine;
use super::slots::Slot;
use crate::names::Endpoint;

/// How the URL of such an engine begins.
const SCHEME: &str = "ssh://";

/// How the URLs of engines of this machine begin.
const LOCAL: [&str; 3] = ["unix://", "fd://", "npipe://"];

/// A docker program and the name of a context.
type Key = (PathBuf, String);

/// The URLs of contexts that docker was asked for, so that a process asks once. `None` if it did not say one.
static URLS: Mutex<BTreeMap<Key, Option<String>>> = Mutex::new(BTreeMap::new());

impl Engine {
    /// A slot for a call to this engine, if it is reached by ssh. Waits as long as the call may take, and then does without.
    pub(super) fn slot(&self, patience: Duration) -> Option<Slot> {
        if self.slots.are_none() {
            return None;
        }
        self.slots.take(&self.ssh_url(patience)?, patience)
    }

    /// As [`Engine::slot`], for these arguments: docker answers some calls without an engine.
    pub(super) fn slot_for(&self, args: &[String], patience: Duration) -> Option<Slot> {
        let words: Vec<&str> = args.iter().take(2).map(String::as_str).collect();
        let is_answered_here = matches!(words[..], ["context" | "--version", ..] | ["buildx", "version"]);
        if is_answered_here { None } else { self.slot(patience) }
    }

    /// Whether it is reached by anything but a socket of this machine, so that it may not see the caller's files. A context
    /// that docker does not know is taken for one of this machine.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        self.url_of_call(self.patience).is_some_and(|url| !LOCAL.iter().any(|scheme| url.starts_with(scheme)))
    }

    /// The URL of this engine if it is reached by ssh.
    fn ssh_url(&self, patience: Duration) -> Option<String> {
        self.url_of_call(patience).filter(|url| url.starts_with(SCHEME))
    }

    /// The URL of this engine; `None` for docker's own choice. Docker is asked for that of a context, without asking an engine.
    fn url_of_call(&self, patience: Duration) -> Option<String> {
        match &self.endpoint {
            Endpoint::Host(url) => Some(url.clone()),
            Endpoint::Context(name) if name == "default" => None,
            Endpoint::Context(name) => {
                let mut known = URLS.lock().unwrap_or_else(PoisonError::into_inner);
                let asked = known.entry((self.program.clone(), name.clone()));
                asked.or_insert_with(|| self.url_within(patience).ok()).clone()
            }
        }
    }
}
