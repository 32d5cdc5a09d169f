//! Everything that is read from outside: environment variables, directories, terminals, user ids and the clock.
//!
//! No other module reads the environment or the clock: commands get an [`Env`]. Tests create one that points to their
//! own directory.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};

use crate::error::{Failure, Kind};
use crate::invalid::Invalid;
use crate::names::Endpoint;

/// How long a question to docker may take unless `LONGSHORE_DOCKER_TIMEOUT` says otherwise.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a question may take at least, also to an engine that did not answer before.
pub const LEAST_PATIENCE: Duration = Duration::from_millis(500);

/// The variable for another time.
const TIMEOUT: &str = "LONGSHORE_DOCKER_TIMEOUT";

/// How long an engine may take to carry out the request of a client that was killed.
const SETTLING: Duration = Duration::from_secs(60);

/// How long the command of `--on-exit` may take.
const HOOK_LIMIT: Duration = Duration::from_secs(10 * 60);

/// The caller's variables that the command of `--on-exit` gets: those by which programs find their files, the desktop and
/// the engine. All others may be secrets.
const HOOK_VARIABLES: [&str; 24] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_TLS_VERIFY",
    "DOCKER_TLS",
    "DOCKER_CERT_PATH",
    "LONGSHORE_DOCKER",
    "LONGSHORE_ANY_FILE_SYSTEM",
];

/// The outside world, as one process sees it.
#[derive(Debug, Clone)]
pub struct Env {
    state: Result<PathBuf, String>,
    /// The docker program, instead of the one in `PATH`.
    pub docker: Option<PathBuf>,
    /// `PATH`
    pub path: Option<OsString>,
    /// How long one question to docker may take.
    pub patience: Duration,
    /// What is wrong with the value of a variable.
    refused: Option<Failure>,
    /// How long a container must be missing, after the docker client was killed, before that is believed. A start that
    /// the client asked for may still be carried out.
    pub settling: Duration,
    /// How long the command of `--on-exit` may take.
    pub hook_limit: Duration,
    /// How much later than the system's clock it is; zero but in tests.
    clock_offset: TimeDelta,
    docker_host: Option<String>,
    docker_context: Option<String>,
    docker_config: Option<PathBuf>,
    /// Where the certificates for a `tcp://` URL are, and whether that of the engine is checked; `None` without TLS.
    docker_tls: Option<(String, bool)>,
    /// The engine given on the command line, which overrides everything else.
    pub wanted_endpoint: Option<Endpoint>,
    /// Print every engine command line (`--verbose`).
    pub trace: Option<fn(&str)>,
    /// Print that a command waits for an engine that does not answer.
    pub notice: Option<fn(&str)>,
    /// Whether stdout is a terminal.
    pub stdout_terminal: bool,
    /// Whether stderr is a terminal.
    pub stderr_terminal: bool,
    /// `TERM` is `dumb`: the terminal knows no escape sequences.
    pub dumb_terminal: bool,
    /// `NO_COLOR` is set.
    pub no_color: bool,
    /// `CLICOLOR_FORCE` is set.
    pub force_color: bool,
    /// The certificate bundle for builds that do not name one.
    pub ca_cert: Option<PathBuf>,
    /// `DOCKER_BUILDKIT`, docker's own switch between the builders.
    pub docker_buildkit: Option<String>,
    /// The user allows a network file system for the state directory.
    pub any_file_system: bool,
    /// The caller's user id.
    pub uid: u32,
    /// The caller's group id.
    pub gid: u32,
    /// The caller's name, if the environment has it.
    pub user: Option<String>,
}

impl Env {
    /// Reads everything.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn gather() -> Self {
        let text = |key: &str| std::env::var(key).ok().filter(|value| !value.is_empty());
        let path = |key: &str| std::env::var_os(key).filter(|value| !value.is_empty()).map(PathBuf::from);
        let uid = rustix::process::geteuid().as_raw();
        let patience = text(TIMEOUT).map_or(Ok(PATIENCE), |text| patience(&text));
        let docker_config =
            path("DOCKER_CONFIG").or_else(|| directories::BaseDirs::new().map(|dirs| dirs.home_dir().join(".docker")));
        // As docker reads them: any value but none is yes, and a missing directory is that of its configuration.
        let verify = text("DOCKER_TLS_VERIFY").is_some();
        let docker_tls = (verify || text("DOCKER_TLS").is_some())
            .then(|| path("DOCKER_CERT_PATH").or_else(|| docker_config.clone()))
            .flatten()
            .map(|certificates| std::path::absolute(&certificates).unwrap_or(certificates))
            .map(|certificates| (certificates.to_string_lossy().into_owned(), verify));
        Self {
            state: state_dir(uid, text("SUDO_UID").is_some()),
            docker: path("LONGSHORE_DOCKER"),
            path: std::env::var_os("PATH"),
            patience: patience.as_ref().copied().unwrap_or(PATIENCE),
            refused: patience.err(),
            // Only tests shorten it: a release build does not read the variable.
            settling: text("LONGSHORE_TEST_SETTLING")
                .filter(|_| cfg!(debug_assertions))
                .and_then(|text| crate::units::duration(&text).ok())
                .unwrap_or(SETTLING),
            hook_limit: text("LONGSHORE_TEST_HOOK_LIMIT")
                .filter(|_| cfg!(debug_assertions))
                .and_then(|text| crate::units::duration(&text).ok())
                .unwrap_or(HOOK_LIMIT),
            clock_offset: text("LONGSHORE_TEST_CLOCK")
                .filter(|_| cfg!(debug_assertions))
                .and_then(|seconds| TimeDelta::try_seconds(seconds.parse().ok()?))
                .unwrap_or_default(),
            docker_host: text("DOCKER_HOST"),
            docker_context: text("DOCKER_CONTEXT"),
            docker_config,
            docker_tls,
            wanted_endpoint: None,
            trace: None,
            notice: None,
            stdout_terminal: std::io::stdout().is_terminal(),
            stderr_terminal: std::io::stderr().is_terminal(),
            dumb_terminal: text("TERM").is_some_and(|term| term == "dumb"),
            no_color: text("NO_COLOR").is_some(),
            force_color: text("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
            ca_cert: path("LONGSHORE_CA_CERT"),
            docker_buildkit: text("DOCKER_BUILDKIT"),
            any_file_system: text("LONGSHORE_ANY_FILE_SYSTEM").is_some_and(|value| value == "1"),
            uid,
            gid: rustix::process::getegid().as_raw(),
            user: text("USER").or_else(|| text("LOGNAME")),
        }
    }

    /// An environment whose state directory is in `dir`, on any file system.
    #[cfg(test)]
    #[must_use]
    pub fn in_dir(dir: &Path) -> Self {
        Self { state: Ok(dir.join("longshore")), any_file_system: true, ..Self::gather() }
    }

    /// Whether every variable has a value that can be used.
    ///
    /// # Errors
    /// A usage error that names the variable.
    pub fn check(&self) -> Result<()> {
        self.refused.clone().map_or(Ok(()), |failure| Err(failure.into()))
    }

    /// The same, with little time for an engine that did not answer before.
    #[must_use]
    pub fn hurried(&self) -> Self {
        Self { patience: self.patience.min(LEAST_PATIENCE), ..self.clone() }
    }

    /// The state directory.
    ///
    /// # Errors
    /// [`Kind::State`] when no home is known, or when it is another user's (sudo without `-H`).
    pub fn state_dir(&self) -> Result<&Path> {
        self.state.as_deref().map_err(|why| {
            Failure::new(Kind::State, format!("cannot use the state directory: {why}"))
                .hint("set XDG_STATE_HOME to a directory of your own")
                .into()
        })
    }

    /// The engine to use: the one on the command line, or the first of docker's own order: `DOCKER_HOST`,
    /// `DOCKER_CONTEXT`, the current context of the configuration, the default.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint_of(self.wanted_endpoint.clone())
    }

    /// The same, with this one in the place of that on the command line.
    #[must_use]
    pub fn endpoint_of(&self, wanted: Option<Endpoint>) -> Endpoint {
        if let Some(endpoint) = wanted.or_else(|| self.docker_host.clone().map(Endpoint::Host)) {
            return self.secured(endpoint);
        }
        let configured = || {
            let bytes = std::fs::read(self.docker_config.as_ref()?.join("config.json")).ok()?;
            let config: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
            config.get("currentContext")?.as_str().filter(|name| !name.is_empty()).map(str::to_owned)
        };
        let context = self.docker_context.clone().or_else(configured);
        self.secured(Endpoint::Context(context.unwrap_or_else(|| "default".into())))
    }

    /// The same engine, with docker's variables for TLS if it is reached by them.
    #[must_use]
    pub fn secured(&self, endpoint: Endpoint) -> Endpoint {
        endpoint.secured(self.docker_tls.clone())
    }

    /// The URL of the engine of a context, from docker's own file about it; `None` if there is none or it says no URL. The file
    /// is where docker's client has kept it since version 19.03: `contexts/meta/<sha256 of the name>/meta.json`.
    #[must_use]
    pub fn context_url(&self, name: &str) -> Option<String> {
        let digest: String = Sha256::digest(name).iter().map(|byte| format!("{byte:02x}")).collect();
        let path = self.docker_config.as_ref()?.join("contexts/meta").join(digest).join("meta.json");
        let meta: serde_json::Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        let is_its = meta.get("Name")?.as_str() == Some(name);
        let url = meta.pointer("/Endpoints/docker/Host")?.as_str().filter(|url| !url.is_empty())?;
        is_its.then(|| url.to_owned())
    }

    /// Whether docker's configuration sets proxies, which its client passes on to containers and builds.
    #[must_use]
    pub fn docker_has_proxies(&self) -> bool {
        let read = || std::fs::read(self.docker_config.as_ref()?.join("config.json")).ok();
        let config: serde_json::Value =
            read().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        config.get("proxies").and_then(serde_json::Value::as_object).is_some_and(|proxies| !proxies.is_empty())
    }

    /// The names of the proxy variables that are set.
    #[must_use]
    pub fn proxy_variables(&self) -> Vec<&'static str> {
        let names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
        names.into_iter().filter(|name| self.variable(name).is_some_and(|value| !value.is_empty())).collect()
    }

    /// Whether SELinux enforces its policy; `None` if the kernel has no SELinux.
    #[must_use]
    pub fn selinux_enforces(&self) -> Option<bool> {
        let text = std::fs::read_to_string("/sys/fs/selinux/enforce").ok()?;
        Some(text.trim() == "1")
    }

    /// A path as a shell would read it: `~` at its beginning is the home directory.
    #[must_use]
    pub fn expanded(&self, path: &str) -> PathBuf {
        let home = || directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_path_buf());
        let below = path.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'));
        match below.and_then(|rest| Some(home()?.join(rest.trim_start_matches('/')))) {
            Some(expanded) => expanded,
            None => PathBuf::from(path),
        }
    }

    /// The current time.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub fn now(&self) -> DateTime<Utc> {
        Utc::now() + self.clock_offset
    }

    /// The caller's variables that the command of `--on-exit` gets, with their values.
    #[must_use]
    pub fn hook_variables(&self) -> BTreeMap<String, String> {
        HOOK_VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), self.variable(name)?))).collect()
    }

    /// The caller's umask.
    #[must_use]
    pub fn umask(&self) -> u32 {
        use rustix::fs::Mode;
        // It can only be read by setting it.
        let mode = rustix::process::umask(Mode::from_raw_mode(0o077));
        rustix::process::umask(mode);
        mode.as_raw_mode()
    }

    /// The working directory.
    ///
    /// # Errors
    /// When it was removed.
    pub fn here(&self) -> std::io::Result<PathBuf> {
        std::env::current_dir()
    }

    /// One variable of the caller's, for `--env KEY`.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn variable(&self, key: &str) -> Option<String> {
        std::env::var(key).ok()
    }

    /// Whether stdin is a file of which nothing was read yet, as after `< FILE`. The file of a loop around the command, such
    /// as `while read`, was read by the shell. A pipe or a terminal says nothing: nobody may ever write to it.
    #[must_use]
    pub fn has_unread_file_as_stdin(&self) -> bool {
        let stdin = std::io::stdin();
        let is_file = rustix::fs::fstat(&stdin).is_ok_and(|data| {
            rustix::fs::FileType::from_raw_mode(data.st_mode) == rustix::fs::FileType::RegularFile && data.st_size > 0
        });
        is_file && rustix::fs::tell(&stdin).is_ok_and(|position| position == 0)
    }

    /// The kernel's id of this boot. It is empty if the kernel has none; then all boots look the same.
    #[must_use]
    pub fn boot_id(&self) -> String {
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
    }

    /// The host's name.
    #[must_use]
    pub fn host(&self) -> String {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    }
}

/// How long docker may take, from the variable.
fn patience(text: &str) -> Result<Duration, Failure> {
    crate::units::limit(text).map_err(|invalid| {
        let why = Invalid { what: TIMEOUT, ..invalid };
        Failure::usage(why.to_string()).hint("set it to a duration such as 60s, or unset it")
    })
}

fn state_dir(uid: u32, sudo: bool) -> Result<PathBuf, String> {
    use std::os::unix::fs::MetadataExt as _;
    let Some(dirs) = directories::ProjectDirs::from("", "", "longshore") else {
        return Err("there is no home directory".into());
    };
    let state = dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).to_path_buf();
    let home = directories::BaseDirs::new().map(|base| base.home_dir().to_path_buf()).unwrap_or_default();
    let owner = std::fs::metadata(&home).map_or(uid, |data| data.uid());
    if sudo && uid == 0 && owner != 0 && state.starts_with(&home) {
        return Err(format!("under sudo it would be in {}, which belongs to uid {owner}", home.display()));
    }
    Ok(state)
}
