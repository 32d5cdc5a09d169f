//! Where an engine is: whether it is on this machine, whether docker's client reaches it by ssh, and what ssh is configured to do
//! for it. No other module starts ssh, and this one opens no connection.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::slots::Slot;
use super::{Answer, Engine, EngineError, tail};
use crate::error::plain;
use crate::names::{Endpoint, Secured};

/// How the URL of such an engine begins.
const SCHEME: &str = "ssh://";

/// How the URLs of engines of this machine begin.
const LOCAL: [&str; 3] = ["unix://", "fd://", "npipe://"];

/// How long ssh may take to read its configuration. A `Match exec` in it may run any program.
const READING: Duration = Duration::from_secs(2);

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
    ///
    /// # Errors
    /// When docker cannot be asked where a context is.
    pub fn is_elsewhere(&self) -> Answer<bool> {
        let url = match (&self.url, &self.endpoint) {
            (Some(url), _) => url.clone(),
            (None, Endpoint::Context(name)) if name != "default" => match self.url() {
                Err(EngineError::Failed { .. }) => return Ok(false),
                asked => asked?,
            },
            _ => return Ok(false),
        };
        Ok(!LOCAL.iter().any(|scheme| url.starts_with(scheme)))
    }

    /// The URL of this engine if it is reached by ssh.
    fn ssh_url(&self, patience: Duration) -> Option<String> {
        self.url_of_call(patience).filter(|url| url.starts_with(SCHEME))
    }

    /// The URL of this engine; `None` for docker's own choice. Where docker's file about a context does not say it, docker is
    /// asked, without asking an engine.
    fn url_of_call(&self, patience: Duration) -> Option<String> {
        match &self.endpoint {
            _ if self.url.is_some() => self.url.clone(),
            Endpoint::Host(url) | Endpoint::Tls(Secured { url, .. }) => Some(url.clone()),
            Endpoint::Context(name) if name == "default" => None,
            Endpoint::Context(name) => {
                let mut known = URLS.lock().unwrap_or_else(PoisonError::into_inner);
                let asked = known.entry((self.program.clone(), name.clone()));
                asked.or_insert_with(|| self.url_within(patience).ok()).clone()
            }
        }
    }
}

/// Where ssh is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The user there, if the URL has one.
    pub user: Option<String>,
    /// The host, or what ssh's configuration calls so.
    pub host: String,
    /// The port, if the URL has one.
    pub port: Option<u16>,
}

impl Target {
    /// Of a URL; `None` if it is not one of ssh, or names no host.
    #[must_use]
    pub fn of(url: &str) -> Option<Self> {
        let authority = url.strip_prefix(SCHEME)?.split('/').next()?;
        let (user, place) = authority.rsplit_once('@').map_or((None, authority), |(user, place)| (Some(user), place));
        let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, rest)) => (address, rest.strip_prefix(':')),
            None => place.rsplit_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        let port = port.filter(|port| !port.is_empty()).map(str::parse).transpose().ok()?;
        let user = user.filter(|user| !user.is_empty()).map(str::to_owned);
        (!host.is_empty()).then(|| Self { user, host: host.to_owned(), port })
    }

    /// The arguments with which ssh prints its settings for this target, and does nothing else.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let mut argv = vec!["-G".to_owned()];
        argv.extend(self.user.iter().flat_map(|user| ["-l".to_owned(), user.clone()]));
        argv.extend(self.port.iter().flat_map(|port| ["-p".to_owned(), port.to_string()]));
        argv.extend(["--".to_owned(), self.host.clone()]);
        argv
    }

    /// What ssh is configured to do.
    ///
    /// # Errors
    /// Why ssh did not say, as a part of a sentence.
    pub fn settings(&self) -> Result<Settings, String> {
        #[expect(clippy::disallowed_methods, reason = "the one place that starts ssh")]
        let call = duct::cmd("ssh", self.arguments()).stdin_null().stdout_capture().stderr_capture().unchecked();
        let failed = |error: std::io::Error| plain(&error);
        let handle = call.start().map_err(failed)?;
        let Some(output) = handle.wait_timeout(READING).map_err(failed)? else {
            let _ = handle.kill();
            return Err(format!("no answer within {}", crate::units::show_duration(READING)));
        };
        if output.status.success() {
            return Ok(Settings::parse(&String::from_utf8_lossy(&output.stdout)));
        }
        Err(tail(&output.stderr).lines().last().map_or_else(|| crate::shell::ended(output.status), str::to_owned))
    }
}

/// Settings of ssh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Connections to one host share one that is kept open: `ControlMaster` and `ControlPath`.
    pub shares: bool,
    /// The shared connection stays for a while when its first user has ended: `ControlPersist`.
    pub persists: bool,
    /// A line that is lost without a word is noticed: `ServerAliveInterval`.
    pub notices_loss: bool,
}

impl Settings {
    /// From what `ssh -G` prints: a name in lower case and its value a line.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let of = |name: &str| {
            let mut settings = text.lines().filter_map(|line| line.split_once(' '));
            settings.find(|(known, _)| *known == name).map_or("", |(_, value)| value.trim())
        };
        let is_on = |value: &str| !["", "no", "false", "none", "0"].contains(&value);
        Self {
            shares: is_on(of("controlmaster")) && is_on(of("controlpath")),
            persists: is_on(of("controlpersist")),
            notices_loss: is_on(of("serveraliveinterval")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_what_docker_makes_of_the_url() {
        for (url, arguments) in [
            ("ssh://far", "-G -- far"),
            ("ssh://far/", "-G -- far"),
            ("ssh://me@far:2222/run/docker.sock", "-G -l me -p 2222 -- far"),
            ("ssh://far:", "-G -- far"),
            ("ssh://me@[2001:db8::1]:22", "-G -l me -p 22 -- 2001:db8::1"),
            ("ssh://-oProxyCommand=x", "-G -- -oProxyCommand=x"),
        ] {
            assert_eq!(Target::of(url).expect(url).arguments().join(" "), arguments, "{url}");
        }
        for url in ["", "far", "tcp://far", "ssh://", "ssh://me@", "ssh://far:x", "ssh://far:70000"] {
            assert_eq!(Target::of(url), None, "{url}");
        }
    }

    #[test]
    fn settings_are_read_as_ssh_prints_them() {
        let none = Settings { shares: false, persists: false, notices_loss: false };
        let all = Settings { shares: true, persists: true, notices_loss: true };
        for (text, expected) in [
            ("", none),
            ("controlmaster false\ncontrolpersist no\nserveraliveinterval 0\n", none),
            ("controlmaster auto\ncontrolpath /home/me/.ssh/c\ncontrolpersist 600\nserveraliveinterval 15\n", all),
            ("controlmaster auto\ncontrolpath none\n", none),
            ("user me\ncontrolmaster yes\ncontrolpath a b\n", Settings { shares: true, ..none }),
        ] {
            assert_eq!(Settings::parse(text), expected, "{text}");
        }
    }
}
