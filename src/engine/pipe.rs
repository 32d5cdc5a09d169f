//! Two docker calls, perhaps to different engines, of which one reads what the other one writes. The bytes pass through
//! longshore, which counts them.
//!
//! The reader sees the end of its stdin only after the writer has exited with 0: an archive that is cut off at the end of an
//! entry is a valid one. Otherwise the reader is killed, and its engine sees a broken request. Which call failed is decided
//! by which one ended first, because the other one fails then, too.

use std::io::{self, PipeWriter, Read as _, Write as _};
use std::process::{Child, ChildStderr, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::silence::{Heard, Silence, Source, Watch};
use super::{Answer, Engine};
use crate::interrupt::Interrupt;
use crate::shell::ended;

/// Pause between two looks at both calls.
const LOOK: Duration = Duration::from_millis(50);
/// How long the writer may go on after the reader has exited with 0.
const GRACE: Duration = Duration::from_secs(2);
const CHUNK: usize = 1 << 18;

/// One of the two calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one whose stdout is read.
    Writer,
    /// The one that gets it as its stdin.
    Reader,
}

/// A call of a pipe.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Where it goes.
    pub engine: &'a Engine,
    /// Its arguments.
    pub args: &'a [String],
}

/// How it came out.
#[derive(Debug)]
pub enum Piped {
    /// The reader has exited with 0. So has the writer, unless the reader did not need the rest.
    Done {
        /// How many bytes were passed on.
        bytes: u64,
    },
    /// An interrupt was heard; both calls were killed.
    Interrupted,
    /// A call failed, and the other one was killed.
    Failed {
        /// Which.
        side: Side,
        /// How it ended, such as `exited with status 1`.
        how: String,
        /// What it wrote to stderr.
        stderr: Vec<u8>,
    },
}

/// Runs both calls to their ends. `tell` is called again and again with the number of bytes so far. The user is told if an engine
/// does not answer.
///
/// # Errors
/// When docker cannot be started.
pub fn pipe(writer: Call, reader: Call, interrupt: &Interrupt, tell: &mut dyn FnMut(u64)) -> Answer<Piped> {
    let pipe = |call: Call| io::pipe().map_err(|error| call.engine.not_started(&error));
    let ((from, out), (into, to)) = (pipe(writer)?, pipe(reader)?);
    let mut source = Process::start(writer, Stdio::null(), out.into())?;
    let mut sink = match Process::start(reader, into.into(), Stdio::null()) {
        Ok(sink) => sink,
        Err(error) => {
            source.kill();
            return Err(error);
        }
    };
    let (heard, count) = (Heard::now(), AtomicU64::new(0));
    let watches = [writer, reader].map(|call| Watch::new(call.engine, Silence::Usual, heard.clone()));
    let (mut words, mut more) = (Vec::new(), Vec::new());
    let outcome = std::thread::scope(|scope| {
        let (done, pumped) = channel();
        let (from, count) = (Source::new(from, &heard), &count);
        let stderrs = [source.stderr.take(), sink.stderr.take()].into_iter().flatten();
        for (stderr, words) in stderrs.zip([&mut words, &mut more]) {
            scope.spawn(move || read_all(stderr, words));
        }
        scope.spawn(move || done.send(pump(from, to, count)));
        let outcome = Both { source: &mut source, sink: &mut sink, interrupt, watches, count, tell }.attend(&pumped);
        // In this order, so that the reader does not see the end of its stdin.
        sink.kill();
        source.kill();
        outcome
    });
    Ok(match outcome {
        Outcome::Done => Piped::Done { bytes: count.into_inner() },
        Outcome::Interrupted => Piped::Interrupted,
        Outcome::Failed(Side::Writer, how) => Piped::Failed { side: Side::Writer, how, stderr: words },
        Outcome::Failed(Side::Reader, how) => Piped::Failed { side: Side::Reader, how, stderr: more },
    })
}

/// A call that was started.
#[derive(Debug)]
struct Process {
    child: Child,
    stderr: Option<ChildStderr>,
}

impl Process {
    /// The caller's copies of the ends of the pipes are closed with the command.
    fn start(call: Call, stdin: Stdio, stdout: Stdio) -> Answer<Self> {
        let mut command = call.engine.command(call.args);
        let started = command.stdin(stdin).stdout(stdout).stderr(Stdio::piped()).spawn();
        let mut child = started.map_err(|error| call.engine.not_started(&error))?;
        Ok(Self { stderr: child.stderr.take(), child })
    }

    /// How it ended, if it has.
    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Ends it, if it has not ended.
    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_all(mut stderr: ChildStderr, words: &mut Vec<u8>) {
    let _ = stderr.read_to_end(words);
}

/// The stream, and how it stands.
#[derive(Debug)]
enum Pumped {
    /// Everything that the writer wrote was passed on. The reader waits for more until this is closed.
    All(PipeWriter),
    /// The reader takes no more.
    Refused,
}

/// Copies everything in constant memory.
fn pump(mut from: Source, mut to: PipeWriter, count: &AtomicU64) -> Pumped {
    let mut chunk = vec![0; CHUNK];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Pumped::All(to),
            Ok(size) if to.write_all(&chunk[..size]).is_ok() => {
                count.fetch_add(size as u64, Ordering::Relaxed);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => return Pumped::Refused,
        }
    }
}

/// How it came out, without the words of the calls.
#[derive(Debug)]
enum Outcome {
    Done,
    Interrupted,
    Failed(Side, String),
}

/// Both calls while they run.
struct Both<'a, 't> {
    source: &'a mut Process,
    sink: &'a mut Process,
    interrupt: &'a Interrupt,
    watches: [Watch<'a>; 2],
    count: &'a AtomicU64,
    tell: &'t mut dyn FnMut(u64),
}

impl Both<'_, '_> {
    fn attend(mut self, pumped: &Receiver<Pumped>) -> Outcome {
        let pumped = match self.copied(pumped) {
            Ok(pumped) => pumped,
            Err(outcome) => return outcome,
        };
        if let Pumped::All(end) = pumped {
            let failed = match self.wait(Side::Writer) {
                Err(outcome) => Some(outcome),
                Ok(status) => (!status.success()).then(|| Outcome::Failed(Side::Writer, ended(status))),
            };
            if let Some(outcome) = failed {
                // Before its stdin ends.
                self.sink.kill();
                return outcome;
            }
            drop(end);
        }
        match self.wait(Side::Reader) {
            Err(outcome) => outcome,
            Ok(status) if status.success() => Outcome::Done,
            Ok(status) => Outcome::Failed(Side::Reader, ended(status)),
        }
    }

    /// Waits until everything was passed on, or until the reader has ended.
    fn copied(&mut self, pumped: &Receiver<Pumped>) -> Result<Pumped, Outcome> {
        let mut since: Option<Instant> = None;
        loop {
            match pumped.recv_timeout(LOOK) {
                Ok(pumped) => return Ok(pumped),
                Err(RecvTimeoutError::Disconnected) => return Ok(Pumped::Refused),
                Err(RecvTimeoutError::Timeout) => self.look()?,
            }
            // The pump may be waiting for a writer that is silent.
            let ended = self.sink.ended();
            if ended.is_some_and(|status| !status.success() || since.get_or_insert_with(Instant::now).elapsed() > GRACE)
            {
                self.source.kill();
                return Ok(Pumped::Refused);
            }
        }
    }

    fn wait(&mut self, side: Side) -> Result<ExitStatus, Outcome> {
        loop {
            let process = if side == Side::Writer { &mut *self.source } else { &mut *self.sink };
            if let Some(status) = process.ended() {
                return Ok(status);
            }
            std::thread::sleep(LOOK);
            self.look()?;
        }
    }

    /// Kills both after an interrupt, which ends the pump, too.
    fn look(&mut self) -> Result<(), Outcome> {
        if self.interrupt.is_heard() {
            return Err(Outcome::Interrupted);
        }
        (self.tell)(self.count.load(Ordering::Relaxed));
        self.watches.iter_mut().for_each(Watch::look);
        Ok(())
    }
}
