//! Starts the supervisor of a job from a command, and owns the private socket between the two.
//!
//! The supervisor is the same program with a hidden subcommand. It gets the lock of the job as its stdin, so that the
//! lock is held without a gap. Its stdout is a socket. Through it the command sends the values of variables, and the
//! supervisor answers that it has them.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::SUBCOMMAND;
use crate::fault;
use crate::job::Job;
use crate::runner::Values;

/// How long a new supervisor may take to answer.
const READY: Duration = Duration::from_secs(30);

/// The supervisor's answer: it has everything that it needs from the command.
const READY_WORD: &str = "ready";

/// What a supervisor does first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It starts the job.
    Start,
    /// It takes over a run whose supervisor was killed and whose container still runs.
    Adopt,
    /// It only runs the command of `--on-exit`: the end of the job is recorded.
    Conclude,
}

impl Way {
    /// The flag of the hidden command.
    fn flag(self) -> Option<&'static str> {
        match self {
            Self::Start => None,
            Self::Adopt => Some("--adopt"),
            Self::Conclude => Some("--conclude"),
        }
    }
}

/// Starts the supervisor of a published job, gives it the lock, and waits for its answer. The values of variables are those
/// of the job to start.
///
/// # Errors
/// When it cannot be started.
pub fn launch(job: &Job, lock: File, way: Way, values: &Values) -> Result<Child> {
    let (mut ours, theirs) = UnixStream::pair()?;
    // The caller may have passed descriptors that must not stay open as long as the job, such as the lock file of a cron
    // script or make's jobserver. They are marked here, before a child could inherit them.
    close_fds::set_fds_cloexec(3, &[]);
    let program = if cfg!(target_os = "linux") { "/proc/self/exe".into() } else { current_program()? };
    #[expect(clippy::disallowed_methods, reason = "this module makes the supervisor's process")]
    let mut command = Command::new(program);
    command.arg0("longshore").args([SUBCOMMAND, job.kind.word(), job.id.as_str()]);
    command.args(way.flag());
    command.stdin(lock).stdout(OwnedFd::from(theirs)).stderr(Stdio::null()).current_dir("/");
    let child = command.spawn().context("could not start the supervisor of the job")?;
    drop(command);
    // If the supervisor died meanwhile, the missing answer shows it below.
    let _ = ours.write_all(&serde_json::to_vec(values)?);
    let _ = ours.shutdown(std::net::Shutdown::Write);
    fault::point("launched");
    await_answer(&ours, child)
}

fn await_answer(socket: &UnixStream, mut child: Child) -> Result<Child> {
    socket.set_read_timeout(Some(READY))?;
    let mut line = String::new();
    let read = BufReader::new(socket).read_line(&mut line);
    let why = match read {
        Ok(_) if line.trim_end() == READY_WORD => return Ok(child),
        Err(error) => {
            let _ = child.kill();
            error.to_string()
        }
        // It is ending, and holds the lock until it has ended.
        Ok(_) => crate::shell::ended(child.wait()?),
    };
    bail!("the supervisor of the job did not start: {why}")
}

#[expect(clippy::disallowed_methods, reason = "the program's own path, where /proc does not give it")]
fn current_program() -> Result<std::path::PathBuf> {
    std::env::current_exe().context("could not find the path of the longshore program")
}

/// The command that waits for a supervisor, as the supervisor sees it.
#[derive(Debug)]
pub struct Caller(Option<UnixStream>);

impl Caller {
    /// Takes the socket that is this process's stdout, and opens the null device in its place.
    ///
    /// # Errors
    /// When stdout cannot be replaced.
    #[expect(clippy::disallowed_methods, reason = "this stdout is the socket to the command")]
    pub fn take() -> Result<Self> {
        let socket = std::io::stdout().as_fd().try_clone_to_owned()?;
        let null = File::options().write(true).open("/dev/null")?;
        rustix::stdio::dup2_stdout(&null)?;
        Ok(Self(Some(UnixStream::from(socket))))
    }

    /// Reads the values of the variables.
    ///
    /// # Errors
    /// When they are incomplete.
    pub fn values(&mut self) -> Result<Values> {
        let mut text = String::new();
        self.0.as_mut().context("the socket to the command is closed")?.read_to_string(&mut text)?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Lets the command return. An error is ignored, because the command may have been killed meanwhile.
    pub fn ready(&mut self) {
        let _ = self.0.take().map(|mut socket| writeln!(socket, "{READY_WORD}"));
    }
}
