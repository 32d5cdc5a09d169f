//! The engine: the docker program, the choice of the engine that it uses, and the ways to call it.
//!
//! [`Engine::run`] waits for a call with a time limit. [`Engine::command`] is for callers that start and wait for the
//! process themselves: [`stream`] and the runner. `argv` makes arguments and `inspect` reads answers; both are pure.
//! Error texts are shown and never parsed: a second call finds out whether the engine answers.

pub mod api;
pub mod argv;
pub mod builder;
pub mod condition;
pub mod copying;
pub mod create;
pub mod inspect;
pub mod left;
pub mod pipe;
pub mod questions;
pub mod silence;
mod slots;
pub mod ssh;
pub mod stats;
pub mod stream;
pub mod swarm;
pub mod top;
pub mod variables;
pub mod words;

use std::fmt;
use std::io::PipeReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::env::Env;
use crate::error::{Failure, Kind};
use crate::names::Endpoint;
use crate::shell;
use slots::Slots;

/// The longest time limit of a call, used for calls without a limit.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Why an engine call gave no usable answer. Exit codes and hints depend on the variant.
#[derive(Debug, Clone)]
pub enum EngineError {
    /// There is no docker program.
    NotFound {
        /// The name or path that was not found.
        program: PathBuf,
    },
    /// The docker program cannot be executed.
    NotExecutable {
        /// Its path.
        program: PathBuf,
        /// The system's reason.
        why: String,
    },
    /// The docker program runs, but no engine answers.
    Unreachable {
        /// The engine that was asked.
        endpoint: Endpoint,
        /// The end of docker's stderr.
        stderr: String,
    },
    /// The docker program knows no such context.
    NoContext {
        /// Its name.
        name: String,
    },
    /// The engine answers, but the call failed.
    Failed {
        /// The command line, quoted for a shell.
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
    /// The answer has an unexpected form.
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
            Self::NoContext { name } => write!(f, "there is no docker context named {name:?}"),
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
    /// The failure for this error: what could not be done, the reason, docker's stderr and a hint.
    #[must_use]
    pub fn failure(&self, could_not: &str) -> Failure {
        let message = if could_not.is_empty() { self.to_string() } else { format!("{could_not}: {self}") };
        match self {
            Self::NotFound { .. } => Failure::new(Kind::EngineNotFound, message)
                .hint("install docker, or set LONGSHORE_DOCKER to the path of the program; see: longshore doctor"),
            Self::NotExecutable { .. } => Failure::new(Kind::EngineNotExecutable, message)
                .hint("check the permissions of the file, or set LONGSHORE_DOCKER to another program"),
            Self::Unreachable { stderr, .. } => Failure::new(Kind::EngineUnreachable, message)
                .detail(stderr)
                .hint("check that the engine runs and that you may use its socket; see: longshore doctor"),
            Self::NoContext { .. } => Failure::new(Kind::NotFound, message).hint("list them with: docker context ls"),
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
    /// The program; an absolute path if it was found.
    pub program: PathBuf,
    /// The engine to use.
    pub endpoint: Endpoint,
    /// Called with each command line before it runs (`--verbose`).
    pub trace: Option<fn(&str)>,
    /// Called with a message for the user if a call takes long and has no limit.
    pub notice: Option<fn(&str)>,
    /// How long a call may take. `docker` itself waits without a limit for an engine that hangs.
    pub patience: Duration,
    /// Where it is, as far as that is known without asking docker.
    url: Option<String>,
    /// The slots of calls to engines that are reached by ssh.
    slots: Slots,
}

/// What a call reads.
#[derive(Debug)]
enum Stdin {
    Nothing,
    /// These bytes, and then the end.
    Bytes(Vec<u8>),
    /// What is in the pipe. It ends when the caller closes its side.
    Pipe(PipeReader),
}

/// The result of a call.
pub type Answer<T> = Result<T, EngineError>;

impl Engine {
    /// The engine that a command uses: that of `--host` or `--context`, or the one that docker's rules select now.
    ///
    /// # Errors
    /// When there is no docker program that could be run.
    pub fn chosen(env: &Env) -> Result<Self, Failure> {
        Self::at(env, env.endpoint())
    }

    /// Another engine, with the docker program that a command uses.
    ///
    /// # Errors
    /// When there is no docker program that could be run.
    pub fn at(env: &Env, endpoint: Endpoint) -> Result<Self, Failure> {
        let program = find(env.docker.as_deref(), env.path.as_deref()).map_err(|error| error.failure(""))?;
        Ok(Self::with(env, program, endpoint))
    }

    /// An engine, and the docker program for it.
    #[must_use]
    pub fn with(env: &Env, program: PathBuf, endpoint: Endpoint) -> Self {
        let slots = Slots::of(env);
        let url = match &endpoint {
            Endpoint::Context(name) if name == "default" => None,
            Endpoint::Context(name) => env.context_url(name),
            Endpoint::Host(_) | Endpoint::Tls(_) => endpoint.url().map(str::to_owned),
        };
        Self { program, endpoint, trace: env.trace, notice: env.notice, patience: env.patience, url, slots }
    }

    /// The engine that a job was started on. If the recorded docker program is gone, the one found now is used. An older
    /// version recorded a URL without what docker needs for TLS, so the present variables count for it.
    #[must_use]
    pub fn recorded(env: &Env, program: &Path, endpoint: &Endpoint) -> Self {
        let found = find(Some(program), None).or_else(|_| find(env.docker.as_deref(), env.path.as_deref()));
        let program = found.unwrap_or_else(|_| program.to_path_buf());
        let endpoint = if let Endpoint::Host(_) = endpoint { env.secured(endpoint.clone()) } else { endpoint.clone() };
        Self::with(env, program, endpoint)
    }

    /// The same for a person who waits with a finger on a key: no call waits for a slot.
    #[must_use]
    pub fn impatient(self) -> Self {
        Self { slots: Slots::default(), ..self }
    }

    /// The complete command line, beginning with the program.
    #[must_use]
    pub fn line(&self, args: &[String]) -> Vec<String> {
        let mut line = vec![self.program.to_string_lossy().into_owned()];
        line.extend(self.endpoint.flag().map(str::to_owned));
        line.extend(args.iter().cloned());
        line
    }

    /// The same line; with `--verbose` it is printed first.
    fn told(&self, args: &[String]) -> Vec<String> {
        if let Some(trace) = self.trace {
            trace(&self.shown(args));
        }
        self.line(args)
    }

    /// A call in a form that can be pasted into a shell. It contains no values of the user's variables.
    #[must_use]
    pub fn shown(&self, args: &[String]) -> String {
        shell::shown(&self.line(args))
    }

    /// A call that the caller starts and waits for, without stdin.
    #[must_use]
    pub fn command(&self, args: &[String]) -> Command {
        if let Some(slot) = self.slot_for(args, self.patience) {
            slot.free_soon();
        }
        self.streamed(args)
    }

    /// A call for [`Engine::stream`], without stdin.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this module makes the engine's processes")]
    pub fn streamed(&self, args: &[String]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.told(args)[1..]).stdin(Stdio::null());
        set_environment(&mut command, &self.endpoint);
        command
    }

    /// Runs a call to its end and returns its output and status, also if it failed. If it may take longer than other calls, the
    /// user is told when it does. To an engine that is reached by ssh, few calls go at a time.
    ///
    /// # Errors
    /// When it cannot be started or takes longer than `patience`.
    pub fn run(&self, args: &[String], patience: Duration) -> Answer<Output> {
        self.run_with(args, patience, None)
    }

    /// As [`Engine::run`], with these bytes as its stdin.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub fn run_with(&self, args: &[String], patience: Duration, stdin: Option<Vec<u8>>) -> Answer<Output> {
        self.run_as(args, patience, stdin, Vec::new())
    }

    /// As [`Engine::run_with`], with these variables in docker's environment.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub fn run_as(
        &self,
        args: &[String],
        patience: Duration,
        stdin: Option<Vec<u8>>,
        environment: Vec<(String, String)>,
    ) -> Answer<Output> {
        self.call(args, patience, stdin.map_or(Stdin::Nothing, Stdin::Bytes), environment)
    }

    fn call(
        &self,
        args: &[String],
        patience: Duration,
        stdin: Stdin,
        environment: Vec<(String, String)>,
    ) -> Answer<Output> {
        let first = patience.min(self.patience);
        let slot = self.slot_for(args, first);
        let endpoint = self.endpoint.clone();
        #[expect(clippy::disallowed_methods, reason = "this module makes the engine's processes")]
        let call = duct::cmd(&self.program, &self.told(args)[1..])
            .before_spawn(move |command| {
                set_environment(command, &endpoint);
                command.envs(environment.iter().map(|(key, value)| (key, value)));
                Ok(())
            })
            .stdout_capture()
            .stderr_capture()
            .unchecked();
        let call = match stdin {
            Stdin::Nothing => call.stdin_null(),
            Stdin::Bytes(bytes) => call.stdin_bytes(bytes),
            Stdin::Pipe(reader) => call.stdin_file(reader),
        };
        let handle = call.start().map_err(|error| self.not_started(&error))?;
        let mut waited = handle.wait_timeout(first);
        // A call that takes so long has opened its connections.
        drop(slot);
        if patience > first && matches!(waited, Ok(None)) {
            self.tell_waiting(first);
            // duct adds the limit to the clock, which would overflow with an unlimited grace.
            waited = handle.wait_timeout(patience.saturating_sub(first).min(FOR_EVER));
        }
        match waited {
            Ok(Some(output)) => Ok(output.clone()),
            Ok(None) => {
                let _ = handle.kill();
                Err(EngineError::TimedOut { command: self.shown(args), limit: patience })
            }
            Err(error) => Err(self.not_started(&error)),
        }
    }

    /// Runs a call that must succeed and returns its stdout.
    ///
    /// # Errors
    /// As [`EngineError`]. After a failed call docker is asked whether there is an engine, and whether there is the context.
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

    /// Why a call failed: no engine, no such context, or a refusal by the engine. Asks docker to find out.
    #[must_use]
    pub fn explain(&self, args: &[String], output: &Output) -> EngineError {
        let stderr = tail(&output.stderr);
        match self.run(&argv::version(), self.patience) {
            Err(error) => error,
            Ok(probe) if !probe.status.success() => self.missing_context().unwrap_or_else(|| {
                EngineError::Unreachable { endpoint: self.endpoint.clone(), stderr: tail(&probe.stderr) }
            }),
            Ok(_) => EngineError::Failed { command: self.shown(args), status: shell::ended(output.status), stderr },
        }
    }

    fn tell_waiting(&self, waited: Duration) {
        let whole = Duration::from_secs(waited.as_secs());
        let waited = crate::units::show_duration(if whole.is_zero() { waited } else { whole });
        if let Some(notice) = self.notice {
            notice(&format!("note: docker has not answered for {waited}; still waiting (Ctrl-C to stop)"));
        }
    }

    /// The error for a context that the docker program does not know. There is always one named `default`.
    fn missing_context(&self) -> Option<EngineError> {
        let Endpoint::Context(name) = &self.endpoint else { return None };
        let is_missing = || self.run(&argv::context(name), self.patience).is_ok_and(|found| !found.status.success());
        (name != "default" && is_missing()).then(|| EngineError::NoContext { name: name.clone() })
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
    let name = wanted.unwrap_or_else(|| Path::new("docker"));
    if name.components().count() > 1 {
        return match std::path::absolute(name) {
            Ok(file) if is_runnable(&file) => Ok(file),
            Ok(file) if file.exists() => {
                Err(EngineError::NotExecutable { program: file, why: "it is not an executable file".into() })
            }
            _ => Err(EngineError::NotFound { program: name.to_path_buf() }),
        };
    }
    let mut refused = None;
    for dir in path.into_iter().flat_map(std::env::split_paths) {
        let Ok(file) = std::path::absolute(dir.join(name)) else { continue };
        if is_runnable(&file) {
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

fn is_runnable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// The last ten lines of a program's stderr.
#[must_use]
pub fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}

/// Removes the caller's choice of engine from the environment, because the engine is on the command line, sets what docker
/// needs for TLS, and turns docker's hints off.
fn set_environment(command: &mut Command, endpoint: &Endpoint) {
    command.env_remove("DOCKER_HOST").env_remove("DOCKER_CONTEXT").env("DOCKER_CLI_HINTS", "false");
    for (name, value) in endpoint.tls_variables() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
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
