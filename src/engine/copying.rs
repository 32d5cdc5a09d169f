//! Archives into a container and out of it, by `docker cp`. One thread moves the bytes and another one keeps what docker
//! says. The calling thread waits for docker, tells how far it is, and ends a call that does not move any more.
//!
//! docker exits with 0 also after an archive that was cut between two entries. So an archive has arrived only if docker exits
//! with 0 and the writer has finished.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::{Engine, EngineError, argv};

/// Pause between two looks at a call.
const LOOK: Duration = Duration::from_millis(20);

/// After how many times the time limit of a call a copy that does not move is ended.
const STALLED: u32 = 6;

/// The most bytes of docker's stderr that are kept.
const MOST_WORDS: u64 = 64 << 10;

/// Why a copy failed.
#[derive(Debug)]
pub enum CopyError<E> {
    /// docker or the engine failed.
    Engine(EngineError),
    /// The caller did not want it any more.
    Stopped,
    /// The writer or the reader failed.
    Ours(E),
}

impl CopyError<io::Error> {
    /// The same, with any error of ours.
    pub fn ours(self) -> CopyError<anyhow::Error> {
        match self {
            Self::Engine(error) => CopyError::Engine(error),
            Self::Stopped => CopyError::Stopped,
            Self::Ours(error) => CopyError::Ours(error.into()),
        }
    }
}

/// What is asked while a copy runs, with the bytes so far: whether it is to continue.
pub type Heed<'a> = dyn FnMut(u64) -> bool + 'a;

impl Engine {
    /// Unpacks an archive at the root of a container; returns its size in bytes. An error in `write` leaves a part of it
    /// there.
    ///
    /// # Errors
    /// As [`CopyError`].
    pub fn copy_in(
        &self,
        container: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send,
        heed: &mut Heed,
    ) -> Result<u64, CopyError<io::Error>> {
        let args = argv::unpack(container);
        let mut command = self.command(&args);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let work = |pipe: Counted<ChildStdin>| {
            let mut pipe = pipe;
            write(&mut pipe)
        };
        self.copy(&args, command, heed, |child| child.stdin.take(), work).map(|((), moved)| moved)
    }

    /// Reads an archive with a directory of a container. `read` gets the stream, and has to find its end and to read what
    /// follows that.
    ///
    /// # Errors
    /// As [`CopyError`].
    pub fn copy_out<T: Send, E: Send>(
        &self,
        container: &str,
        path: &str,
        read: impl FnOnce(&mut dyn Read) -> Result<T, E> + Send,
        heed: &mut Heed,
    ) -> Result<T, CopyError<E>> {
        self.read_through(&argv::pack(container, path), read, heed)
    }

    /// Reads what a call writes, which has to end by itself.
    ///
    /// # Errors
    /// As [`CopyError`].
    pub fn read_through<T: Send, E: Send>(
        &self,
        args: &[String],
        read: impl FnOnce(&mut dyn Read) -> Result<T, E> + Send,
        heed: &mut Heed,
    ) -> Result<T, CopyError<E>> {
        let mut command = self.command(args);
        command.stdout(Stdio::piped());
        let work = |pipe: Counted<ChildStdout>| {
            let mut pipe = pipe;
            read(&mut pipe)
        };
        self.copy(args, command, heed, |child| child.stdout.take(), work).map(|(read, _)| read)
    }

    /// Runs docker with `work` on a thread of its own, and returns what that did and how many bytes were moved.
    fn copy<P: Send, T: Send, E: Send>(
        &self,
        args: &[String],
        mut command: Command,
        heed: &mut Heed,
        pipe: impl FnOnce(&mut Child) -> Option<P>,
        work: impl FnOnce(Counted<P>) -> Result<T, E> + Send,
    ) -> Result<(T, u64), CopyError<E>> {
        command.stderr(Stdio::piped()).process_group(0);
        let failed = |error: &io::Error| CopyError::Engine(self.not_started(error));
        let mut child = command.spawn().map_err(|error| failed(&error))?;
        drop(command);
        let (Some(inner), Some(stderr)) = (pipe(&mut child), child.stderr.take()) else {
            return Err(failed(&io::Error::other("it has no pipe")));
        };
        let flow = Flow::default();
        let limit = self.patience * STALLED;
        let (worked, words, ended) = std::thread::scope(|scope| {
            // docker sees the end of the archive, or cannot write any more, when `work` has ended and the pipe is closed.
            let worker = scope.spawn(|| work(Counted { inner, flow: &flow }));
            let words = scope.spawn(|| {
                let mut words = Vec::new();
                stderr.take(MOST_WORDS).read_to_end(&mut words).map(|_| words).unwrap_or_default()
            });
            let ended = wait(&mut child, &flow, limit, heed);
            let worked = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (worked, words.join().unwrap_or_default(), ended)
        });
        let status = match ended {
            Ended::Status(status) => status,
            Ended::Stopped => return Err(CopyError::Stopped),
            Ended::Stalled => {
                let command = self.shown(args);
                return Err(CopyError::Engine(EngineError::TimedOut { command, limit }));
            }
            Ended::Failed(error) => return Err(failed(&error)),
        };
        match worked {
            Ok(value) if status.success() => Ok((value, flow.moved())),
            // If docker closed its end first and failed, that is the reason.
            Err(ours) if status.success() || !flow.is_over.load(Ordering::Relaxed) => Err(CopyError::Ours(ours)),
            _ => {
                let output = Output { status, stdout: Vec::new(), stderr: words };
                Err(CopyError::Engine(self.explain(args, &output)))
            }
        }
    }
}

/// The bytes of a copy, as the threads that move and watch them see it.
#[derive(Default)]
struct Flow {
    moved: AtomicU64,
    /// Whether docker has closed its end.
    is_over: AtomicBool,
}

impl Flow {
    fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    fn note(&self, moved: io::Result<usize>) -> io::Result<usize> {
        match &moved {
            Ok(count @ 1..) => drop(self.moved.fetch_add(*count as u64, Ordering::Relaxed)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => self.is_over.store(true, Ordering::Relaxed),
        }
        moved
    }
}

/// A pipe whose bytes are counted.
struct Counted<'a, P> {
    inner: P,
    flow: &'a Flow,
}

impl<P: Read> Read for Counted<'_, P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.flow.note(self.inner.read(buffer))
    }
}

impl<P: Write> Write for Counted<'_, P> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flow.note(self.inner.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// How the waiting for a copy ended.
enum Ended {
    Status(ExitStatus),
    Stopped,
    Stalled,
    Failed(io::Error),
}

/// Waits for docker. It is killed if the caller wants that, and if nothing moves.
fn wait(child: &mut Child, flow: &Flow, limit: Duration, heed: &mut Heed) -> Ended {
    let (mut last, mut since) = (0, Instant::now());
    let mut pause = Duration::from_millis(1);
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // docker may have started another process, such as ssh, that has the pipes open, too. The group has this id for as long as
    // docker is not waited for.
    let end = |child: &mut Child| {
        let _ = pid.map(|group| kill_process_group(group, Signal::KILL));
        child.wait()
    };
    loop {
        let has_ended = pid
            .map(|pid| waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT));
        match has_ended {
            Some(Ok(None)) => {}
            Some(Ok(Some(_))) => return end(child).map_or_else(Ended::Failed, Ended::Status),
            Some(Err(error)) if error == Errno::INTR => {}
            Some(Err(error)) => {
                let _ = end(child);
                return Ended::Failed(error.into());
            }
            None => return end(child).map_or_else(Ended::Failed, Ended::Status),
        }
        let now = flow.moved();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        if !heed(now) {
            let _ = end(child);
            return Ended::Stopped;
        }
        if since.elapsed() > limit {
            let _ = end(child);
            return Ended::Stalled;
        }
        sleep(pause);
        pause = (pause * 2).min(LOOK);
    }
}
