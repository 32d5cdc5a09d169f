//! Engines that docker's client reaches by ssh: which they are.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Engine;
use super::slots::Slot;
use crate::names::Endpoint;

/// How the URL of such an engine begins.
const SCHEME: &str = "ssh://";

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

    /// The URL of this engine if it is reached by ssh. Docker is asked for that of a context, without asking an engine.
    fn ssh_url(&self, patience: Duration) -> Option<String> {
        let url = match &self.endpoint {
            Endpoint::Host(url) => Some(url.clone()),
            Endpoint::Context(name) if name == "default" => None,
            Endpoint::Context(name) => {
                let mut known = URLS.lock().unwrap_or_else(PoisonError::into_inner);
                let asked = known.entry((self.program.clone(), name.clone()));
                asked.or_insert_with(|| self.url_within(patience).ok()).clone()
            }
        };
        url.filter(|url| url.starts_with(SCHEME))
    }
}
