//! The engine: the docker program, which engine it is to talk to, and the ways to call it.
//!
//! What is waited for runs under duct, bounded in time; the one detached client is started by the supervisor from
//! [`Engine::command`]. Arguments come from `argv`, answers are read by `inspect`; both are pure. Error texts are
//! shown and never matched: whether an engine is there at all is asked, not guessed.

pub mod argv;
pub mod create;
pub mod inspect;
pub mod questions;
pub mod variables;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Failure, Kind};

/// How long a question may take. `docker` itself waits for ever on an engine that hangs.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// As long as a call is waited for that may take as long as it likes.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Which engine, pinned at the first call, so that a job is asked after where it was started.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Endpoint {
    /// `--host`: a URL as docker takes it.
    Host(String),
    /// `--context`: a context's name.
    Context(String),
}

impl Endpoint {
    /// The flag that says so to docker.
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

/// Why an engine call gave no answer. Exit codes and hints depend on which.
#[derive(Debug, Clone)]
pub enum EngineError {
    /// There is no docker program.
    NotFound {
        /// What was looked for.
        program: PathBuf,
    },
    /// There is one that cannot be run.
    NotExecutable {
        /// Which.
        program: PathBuf,
        /// The system's reason.
        why: String,
    },
    /// It runs, and no engine answers it.
    Unreachable {
        /// Whom it asked.
        endpoint: Endpoint,
        /// Its words.
        stderr: String,
    },
    /// The engine is there and the call ended badly.
    Failed {
        /// The command line as one could paste it.
        command: String,
        /// How it ended.
        status: String,
        /// The tail of its stderr.
        stderr: String,
    },
    /// No answer in time.
    TimedOut {
        /// The command line.
        command: String,
        /// The limit.
        limit: Duration,
    },
    /// An answer that is not what was asked for.
    Nonsense {
        /// The command line.
        command: String,
        /// What is wrong with the answer.
        why: String,
    },
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { program } => write!(f, "there is no docker program ({})", program.display()),
            Self::NotExecutable { program, why } => write!(f, "cannot run {}: {why}", program.display()),
            Self::Unreachable { endpoint, .. } => write!(f, "no docker engine answers at {endpoint}"),
            Self::Failed { command, status, .. } => write!(f, "`{command}` {status}"),
            Self::TimedOut { command, limit } => {
                write!(f, "`{command}` gave no answer in {}", crate::units::show_duration(*limit))
            }
            Self::Nonsense { command, why } => write!(f, "`{command}` answered something else than expected: {why}"),
        }
    }
}

impl std::error::Error for EngineError {}

impl EngineError {
    /// Whether asking again later could help.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TimedOut { .. })
    }

    /// The same for people: what could not be done, why, the engine's words, and a hint.
    #[must_use]
    pub fn failure(&self, could_not: &str) -> Failure {
        let message = if could_not.is_empty() { self.to_string() } else { format!("{could_not}: {self}") };
        match self {
            Self::NotFound { .. } => Failure::new(Kind::EngineNotFound, message)
                .hint("install docker, or name the program in LONGSHORE_DOCKER"),
            Self::NotExecutable { .. } => Failure::new(Kind::EngineNotExecutable, message)
                .hint("check the file's permissions, or name another in LONGSHORE_DOCKER"),
            Self::Unreachable { stderr, .. } => Failure::new(Kind::EngineUnreachable, message)
                .detail(stderr)
                .hint("is the engine running, and may you use its socket? try: docker version"),
            Self::TimedOut { .. } => {
                Failure::new(Kind::EngineUnreachable, message).hint("the engine hangs or is overloaded; try again")
            }
            Self::Failed { stderr, .. } => Failure::new(Kind::EngineFailed, message).detail(stderr),
            Self::Nonsense { .. } => Failure::new(Kind::EngineFailed, message)
                .hint("is LONGSHORE_DOCKER a docker program of version 20.10 or newer?"),
        }
    }
}

/// How to call docker.
#[derive(Debug, Clone)]
pub struct Engine {
    /// The program, absolute where it was found.
    pub program: PathBuf,
    /// Which engine.
    pub endpoint: Endpoint,
    /// Told every command line before it is run (`-v`).
    pub trace: Option<fn(&str)>,
}

/// What ended a call: its stdout and how it ended, for those who branch on it.
pub type Answer<T> = Result<T, EngineError>;

impl Engine {
    /// The whole command line, program first.
    #[must_use]
    pub fn line(&self, args: &[String]) -> Vec<String> {
        let mut line = vec![self.program.to_string_lossy().into_owned()];
        line.extend(self.endpoint.flag().map(str::to_owned));
        line.extend(args.iter().cloned());
        line
    }

    /// A call that somebody else starts and waits for: the supervisor, or a command that streams. The caller's own
    /// choice of engine is taken out of the environment; the pinned one stands on the command line.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this module makes the engine's processes")]
    pub fn command(&self, args: &[String]) -> Command {
        let line = self.line(args);
        if let Some(trace) = self.trace {
            trace(&shown(&line));
        }
        let mut command = Command::new(&self.program);
        command.args(&line[1..]).env_remove("DOCKER_HOST").env_remove("DOCKER_CONTEXT");
        command.env("DOCKER_CLI_HINTS", "false").stdin(Stdio::null());
        command
    }

    /// Runs a call to its end, output captured, and gives it whatever its status is.
    ///
    /// # Errors
    /// When it cannot be started or takes longer than `patience`.
    pub fn run(&self, args: &[String], patience: Duration) -> Answer<Output> {
        let line = self.line(args);
        if let Some(trace) = self.trace {
            trace(&shown(&line));
        }
        #[expect(clippy::disallowed_methods, reason = "this module makes the engine's processes")]
        let call = duct::cmd(&self.program, &line[1..])
            .env_remove("DOCKER_HOST")
            .env_remove("DOCKER_CONTEXT")
            .stdin_null()
            .stdout_capture()
            .stderr_capture()
            .unchecked();
        let handle = call.start().map_err(|error| self.not_started(&error))?;
        // duct adds the patience to the clock, which a grace for ever would carry past its end.
        match handle.wait_timeout(patience.min(FOR_EVER)) {
            Ok(Some(output)) => Ok(output.clone()),
            Ok(None) => {
                let _ = handle.kill();
                Err(EngineError::TimedOut { command: shown(&line), limit: patience })
            }
            Err(error) => Err(self.not_started(&error)),
        }
    }

    /// Runs a call that must succeed and gives its stdout.
    ///
    /// # Errors
    /// As [`EngineError`]. A call that failed is told from an engine that is not there by asking the engine's version.
    pub fn read(&self, args: &[String]) -> Answer<Vec<u8>> {
        let output = self.run(args, PATIENCE)?;
        if output.status.success() { Ok(output.stdout) } else { Err(self.explain(args, &output)) }
    }

    /// As [`Engine::read`], parsed as one JSON document.
    ///
    /// # Errors
    /// As [`Engine::read`], and [`EngineError::Nonsense`].
    pub fn json<T: DeserializeOwned>(&self, args: &[String]) -> Answer<T> {
        let bytes = self.read(args)?;
        serde_json::from_slice(&bytes).map_err(|error| self.nonsense(args, &error.to_string()))
    }

    /// As [`Engine::read`], parsed as one JSON document a line.
    ///
    /// # Errors
    /// As [`Engine::json`].
    pub fn json_lines<T: DeserializeOwned>(&self, args: &[String]) -> Answer<Vec<T>> {
        let bytes = self.read(args)?;
        bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).map_err(|error| self.nonsense(args, &error.to_string())))
            .collect()
    }

    /// Why a call ended badly: no engine, or the engine's no. Asks the engine's version to find out.
    #[must_use]
    pub fn explain(&self, args: &[String], output: &Output) -> EngineError {
        let stderr = tail(&output.stderr);
        match self.run(&argv::version(), PATIENCE) {
            Err(error) => error,
            Ok(probe) if !probe.status.success() => {
                EngineError::Unreachable { endpoint: self.endpoint.clone(), stderr: tail(&probe.stderr) }
            }
            Ok(_) => EngineError::Failed { command: shown(&self.line(args)), status: ended(output.status), stderr },
        }
    }

    /// What a failure to start the program means.
    #[must_use]
    pub fn not_started(&self, error: &std::io::Error) -> EngineError {
        let program = self.program.clone();
        match error.kind() {
            std::io::ErrorKind::NotFound => EngineError::NotFound { program },
            _ => EngineError::NotExecutable { program, why: error.to_string() },
        }
    }

    pub(crate) fn nonsense(&self, args: &[String], why: &str) -> EngineError {
        EngineError::Nonsense { command: shown(&self.line(args)), why: why.to_owned() }
    }
}

/// Looks for the docker program as a shell would.
///
/// # Errors
/// [`EngineError::NotFound`] or [`EngineError::NotExecutable`].
pub fn find(wanted: Option<&Path>, path: Option<&std::ffi::OsStr>) -> Answer<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let runnable = |file: &Path| {
        std::fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    };
    let name = wanted.unwrap_or_else(|| Path::new("docker"));
    if name.components().count() > 1 {
        return match std::path::absolute(name) {
            Ok(file) if runnable(&file) => Ok(file),
            Ok(file) if file.exists() => {
                Err(EngineError::NotExecutable { program: file, why: "it is not an executable file".into() })
            }
            _ => Err(EngineError::NotFound { program: name.to_path_buf() }),
        };
    }
    let mut refused = None;
    for dir in path.into_iter().flat_map(std::env::split_paths) {
        let Ok(file) = std::path::absolute(dir.join(name)) else { continue };
        if runnable(&file) {
            return Ok(file);
        }
        if file.is_file() {
            refused.get_or_insert(file);
        }
    }
    Err(match refused {
        Some(program) => EngineError::NotExecutable { program, why: "it is not an executable file".into() },
        None => EngineError::NotFound { program: name.to_path_buf() },
    })
}

/// How a process ended, in words.
#[must_use]
pub fn ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".into(),
    }
}

/// The last lines of somebody's stderr.
#[must_use]
pub fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}

/// A command line as one could paste it into a shell. No value of a variable is on one but what our own runs set, which
/// is known.
#[must_use]
pub fn shown(line: &[String]) -> String {
    line.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_pasted() {
        let line = ["docker", "run", "a b", "it's", "", "x=1,y"].map(str::to_owned);
        assert_eq!(shown(&line), r"docker run 'a b' 'it'\''s' '' x=1,y");
    }

    #[test]
    fn a_missing_program_and_one_without_permission_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = Some(dir.path().as_os_str());
        assert!(matches!(find(None, path), Err(EngineError::NotFound { .. })));
        assert!(matches!(find(None, None), Err(EngineError::NotFound { .. })));
        std::fs::write(dir.path().join("docker"), "").unwrap();
        assert!(matches!(find(None, path), Err(EngineError::NotExecutable { .. })));
        assert!(matches!(find(Some(&dir.path().join("docker")), None), Err(EngineError::NotExecutable { .. })));
        assert!(matches!(find(Some(&dir.path().join("no/docker")), None), Err(EngineError::NotFound { .. })));
    }
}
