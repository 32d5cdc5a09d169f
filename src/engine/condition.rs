//! The questions about the engine itself and about the docker programs, for those who ask how it is. Where no engine answers,
//! what can be found out without one is told all the same.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::inspect::Side;
use super::{Answer, Engine, EngineError, argv, is_runnable, tail};
use crate::names::{Endpoint, Secured};

/// How long a docker program may take for an answer of its own, without an engine.
const OWN_ANSWER: Duration = Duration::from_secs(2);

/// Where docker's client looks for an engine unless it is told otherwise.
const DEFAULT_URL: &str = "unix:///var/run/docker.sock";

/// The answer of `docker version`, of which each side may be missing.
#[derive(Debug)]
pub struct Versions {
    /// The client's, if the program works.
    pub client: Option<Side>,
    /// The engine's, or why there is none.
    pub server: Answer<Side>,
}

/// What `docker info` says, as far as it is used.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Info {
    /// The engine's id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Where it has its data.
    pub docker_root_dir: PathBuf,
    /// How many images it has.
    pub images: u64,
    /// Such as `name=rootless`.
    pub security_options: Option<Vec<String>>,
    /// The ways to run containers, by name.
    pub runtimes: Option<BTreeMap<String, Value>>,
    /// The proxy of the engine itself, for pulls.
    pub http_proxy: String,
    /// The same for HTTPS.
    pub https_proxy: String,
}

impl Info {
    /// Whether the engine runs without root.
    #[must_use]
    pub fn is_rootless(&self) -> bool {
        self.security_options.iter().flatten().any(|option| option.split(',').any(|part| part == "name=rootless"))
    }

    /// Whether there is a runtime for the GPUs of NVIDIA.
    #[must_use]
    pub fn has_gpu_runtime(&self) -> bool {
        self.runtimes.iter().flatten().any(|(name, _)| name.contains("nvidia"))
    }
}

/// A container that may be that of a run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Named {
    /// The id of the run on its label; empty if it has none.
    pub run: String,
    /// Its name.
    pub name: String,
    /// Its state in the engine's words, such as `running`.
    #[serde(default)]
    pub state: String,
}

/// What is known of an engine's socket on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Socket {
    /// There is none.
    Missing,
    /// The caller may not use it.
    Forbidden,
    /// It is there, and the caller may use it.
    Usable,
}

impl Socket {
    /// Looks at the socket of a URL; `None` if it names no socket.
    #[must_use]
    pub fn at(url: &str) -> Option<Self> {
        let path = Path::new(url.strip_prefix("unix://")?);
        Some(match crate::fs::may_write(path) {
            Ok(()) => Self::Usable,
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Self::Forbidden,
            Err(_) => Self::Missing,
        })
    }
}

impl Engine {
    /// The versions of both sides. docker prints the client's also if no engine answers. If docker hangs, the client is asked
    /// for its own.
    #[must_use]
    pub fn versions(&self) -> Versions {
        let args = argv::version();
        let output = match self.run(&args, self.patience) {
            Ok(output) => output,
            Err(error) => return Versions { client: client_version(self), server: Err(error) },
        };
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let side = |name: &str| Side::deserialize(&answer[name]).ok();
        let unreachable = || match side("Client") {
            Some(_) => EngineError::Unreachable { endpoint: self.endpoint.clone(), stderr: tail(&output.stderr) },
            None => EngineError::Failed {
                command: self.shown(&args),
                status: crate::shell::ended(output.status),
                stderr: tail(&output.stderr),
            },
        };
        Versions { client: side("Client"), server: side("Server").ok_or_else(unreachable) }
    }

    /// The engine's description of itself.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn info(&self) -> Answer<Info> {
        self.json(&argv::info())
    }

    /// The containers with the label of any job, in one call.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub fn containers_named(&self) -> Answer<Vec<Named>> {
        self.json_lines(&argv::containers_named())
    }

    /// The URL of the engine: of a context, what docker has stored for it. No engine is asked.
    ///
    /// # Errors
    /// When there is no such context.
    pub fn url(&self) -> Answer<String> {
        self.url_within(self.patience)
    }

    /// As [`Engine::url`], for a caller who waits no longer than this.
    pub(super) fn url_within(&self, patience: Duration) -> Answer<String> {
        match &self.endpoint {
            Endpoint::Host(url) | Endpoint::Tls(Secured { url, .. }) => Ok(url.clone()),
            Endpoint::Context(name) if name == "default" => Ok(DEFAULT_URL.into()),
            Endpoint::Context(name) => {
                let args = argv::context_host(name);
                let output = self.run(&args, patience.min(OWN_ANSWER))?;
                serde_json::from_slice(&output.stdout).map_err(|_| EngineError::Failed {
                    command: self.shown(&args),
                    status: crate::shell::ended(output.status),
                    stderr: tail(&output.stderr),
                })
            }
        }
    }
}

/// The version that a docker program has itself: the third word of `Docker version 28.2.2, build e6534b4`.
fn client_version(engine: &Engine) -> Option<Side> {
    let output = engine.run(&argv::client_version(), engine.patience.min(OWN_ANSWER)).ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.strip_prefix("Docker version ")?.split([',', ' ', '\n']).next()?;
    Some(Side { version: version.to_owned() })
}

/// The docker programs in `PATH` beside the one of this engine, with their versions. Links to the same file are one program.
#[must_use]
pub fn others(engine: &Engine, path: Option<&OsStr>) -> Vec<(PathBuf, Option<Side>)> {
    let mut seen = vec![std::fs::canonicalize(&engine.program).ok()];
    let mut found = Vec::new();
    for dir in path.into_iter().flat_map(std::env::split_paths) {
        let Ok(program) = std::path::absolute(dir.join("docker")) else { continue };
        let file = std::fs::canonicalize(&program).ok();
        if is_runnable(&program) && !seen.contains(&file) {
            seen.push(file);
            let other = Engine { program: program.clone(), ..engine.clone() };
            found.push((program, client_version(&other)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_engine_says_how_it_is_in_words_that_may_be_missing() {
        let info = |value: Value| Info::deserialize(&value).unwrap();
        assert!(!info(json!({})).is_rootless() && !info(json!({"Runtimes": null})).has_gpu_runtime());
        assert!(info(json!({"SecurityOptions": ["name=seccomp,profile=default", "name=rootless"]})).is_rootless());
        assert!(info(json!({"Runtimes": {"runc": {}, "nvidia": {"path": "x"}}})).has_gpu_runtime());
    }

    #[test]
    fn a_socket_is_missing_or_usable_and_a_remote_engine_has_none() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("unix://{}", dir.path().join("docker.sock").display());
        assert_eq!(Socket::at(&url), Some(Socket::Missing));
        let _listener = std::os::unix::net::UnixListener::bind(dir.path().join("docker.sock")).unwrap();
        assert_eq!(Socket::at(&url), Some(Socket::Usable));
        assert_eq!(Socket::at("tcp://127.0.0.1:2375"), None);
    }
}
