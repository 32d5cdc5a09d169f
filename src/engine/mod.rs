//! The engine: the docker program, which engine it is to talk to, and the ways to call it.
//!
//! What is waited for runs under duct, bounded in time; the one detached client is started by the supervisor from
//! [`Engine::command`]. Arguments come from `argv`, answers are read by `inspect`; both are pure. Error texts are
//! shown and never matched: whether an engine is there at all is asked, not guessed.

pub mod argv;
pub mod builder;
pub mod create;
pub mod inspect;
pub mod questions;
pub mod stream;
pub mod variables;
pub mod words;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::env::Env;
use crate::error::{Failure, Kind};
use crate::names::Endpoint;
use crate::shell;

/// As long as a call is waited for that may take as long as it likes.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

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
            Self::NotFound { program } => write!(f, "docker program not found ({})", program.display()),
            Self::NotExecutable { program, why } => write!(f, "cannot run {}: {why}", program.display()),
            Self::Unreachable { endpoint, .. } => write!(f, "no docker engine answers at {endpoint}"),
            Self::Failed { command, status, .. } => write!(f, "`{command}` {status}"),
            Self::TimedOut { command, limit } => {
                write!(f, "`{command}` did not answer within {}", crate::units::show_duration(*limit))
            }
            Self::Nonsense { command, why } => write!(f, "`{command}` gave an unexpected answer: {why}"),
        }
    }
}

impl std::error::Error for EngineError {}

impl EngineError {
    /// The same for people: what could not be done, why, the engine's words, and a hint.
    #[must_use]
    pub fn failure(&self, could_not: &str) -> Failure {
        let message = if could_not.is_empty() { self.to_string() } else { format!("{could_not}: {self}") };
        match self {
            Self::NotFound { .. } => Failure::new(Kind::EngineNotFound, message)
                .hint("install docker, or set LONGSHORE_DOCKER to the path of the program"),
            Self::NotExecutable { .. } => Failure::new(Kind::EngineNotExecutable, message)
                .hint("check the permissions of the file, or set LONGSHORE_DOCKER to another program"),
            Self::Unreachable { stderr, .. } => Failure::new(Kind::EngineUnreachable, message)
                .detail(stderr)
                .hint("check that the engine runs and that you may use its socket; try: docker version"),
            Self::TimedOut { .. } => Failure::new(Kind::EngineUnreachable, message)
                .hint("try again, or set LONGSHORE_DOCKER_TIMEOUT to a longer time"),
            Self::Failed { stderr, .. } => Failure::new(Kind::EngineFailed, message).detail(stderr),
            Self::Nonsense { .. } => Failure::new(Kind::EngineFailed, message)
                .hint("longshore needs a docker client of version 20.10 or later; see LONGSHORE_DOCKER"),
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
    /// How long a question may take. `docker` itself waits for ever on an engine that hangs.
    pub patience: Duration,
}

/// What ended a call: its stdout and how it ended, for those who branch on it.
pub type Answer<T> = Result<T, EngineError>;

impl Engine {
    /// The engine that a command talks to: `--host` or `--context`, else by docker's own rules, but pinned.
    ///
    /// # Errors
    /// When there is no docker program that could be run.
    pub fn chosen(env: &Env) -> Result<Self, Failure> {
        let program = find(env.docker.as_deref(), env.path.as_deref()).map_err(|error| error.failure(""))?;
        Ok(Self { program, endpoint: env.endpoint(), trace: env.trace, patience: env.patience })
    }

    /// The engine that a job was started on, called by today's docker program if the recorded one is gone.
    #[must_use]
    pub fn recorded(env: &Env, program: &Path, endpoint: &Endpoint) -> Self {
        let found = find(Some(program), None).or_else(|_| find(env.docker.as_deref(), env.path.as_deref()));
        let program = found.unwrap_or_else(|_| program.to_path_buf());
        Self { program, endpoint: endpoint.clone(), trace: env.trace, patience: env.patience }
    }

    /// The whole command line, program first.
    #[must_use]
    pub fn line(&self, args: &[String]) -> Vec<String> {
        let mut line = vec![self.program.to_string_lossy().into_owned()];
        line.extend(self.endpoint.flag().map(str::to_owned));
        line.extend(args.iter().cloned());
        line
    }

    /// The same line, told first to whoever wants to see every call.
    fn told(&self, args: &[String]) -> Vec<String> {
        if let Some(trace) = self.trace {
            trace(&self.shown(args));
        }
        self.line(args)
    }

    /// A call as one could paste it into a shell. The only values of variables on it are those that our own runs set.
    #[must_use]
    pub fn shown(&self, args: &[String]) -> String {
        shell::shown(&self.line(args))
    }

    /// A call that somebody else starts and waits for: the supervisor, or [`stream`].
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this module makes the engine's processes")]
    pub fn command(&self, args: &[String]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.told(args)[1..]).stdin(Stdio::null());
        set_environment(&mut command);
        command
    }

    /// Runs a call to its end, output captured, and gives it whatever its status is.
    ///
    /// # Errors
    /// When it cannot be started or takes longer than `patience`.
    pub fn run(&self, args: &[String], patience: Duration) -> Answer<Output> {
        #[expect(clippy::disallowed_methods, reason = "this module makes the engine's processes")]
        let call = duct::cmd(&self.program, &self.told(args)[1..])
            .before_spawn(|command| {
                set_environment(command);
                Ok(())
            })
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
                Err(EngineError::TimedOut { command: self.shown(args), limit: patience })
            }
            Err(error) => Err(self.not_started(&error)),
        }
    }

    /// Runs a call that must succeed and gives its stdout.
    ///
    /// # Errors
    /// As [`EngineError`]. A call that failed is told from an engine that is not there by asking the engine's version.
    pub fn read(&self, args: &[String]) -> Answer<Vec<u8>> {
        let output = self.run(args, self.patience)?;
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
        match self.run(&argv::version(), self.patience) {
            Err(error) => error,
            Ok(probe) if !probe.status.success() => {
                EngineError::Unreachable { endpoint: self.endpoint.clone(), stderr: tail(&probe.stderr) }
            }
            Ok(_) => EngineError::Failed { command: self.shown(args), status: shell::ended(output.status), stderr },
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
        EngineError::Nonsense { command: self.shown(args), why: why.to_owned() }
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

/// The last lines of somebody's stderr.
#[must_use]
pub fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}

/// Takes the caller's own choice of engine out of the environment, since the pinned one stands on the command line, and
/// has docker answer without advice.
fn set_environment(command: &mut Command) {
    command.env_remove("DOCKER_HOST").env_remove("DOCKER_CONTEXT").env("DOCKER_CLI_HINTS", "false");
}

#[cfg(test)]
mod tests {
    use super::*;

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
