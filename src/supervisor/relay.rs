//! Copies the output of a container on another machine to the log, with a thread of the supervisor in between.
//!
//! docker's client does not write to the log itself: a line that is dead for a while can come back, and two clients would then
//! write to it. A client whose reader is gone writes nowhere. The engine has the whole output, so nothing is lost with it.
//!
//! A new client sends the output from its beginning. What the log has already is compared and skipped. A client that loses
//! its connection writes why in the middle of the output, as its last words before it ends. So what was read last is kept
//! back until more comes or the client is seen to live.

use std::fs::File;
use std::io::{self, PipeReader, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};

use super::Task;
use super::ending::BACKOFF;
use crate::job::LOG;
use crate::log::{CHUNK, Log};

/// How long the last bytes are kept back.
const KEPT: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Pause between two looks at a client when the container has ended.
const LOOK: Duration = Duration::from_millis(10);

/// How many bytes are compared at a time.
const COMPARED: usize = 8 << 10;

/// How often a client that fails is started again after the container has ended.
const LAST_TRIES: u32 = 5;

/// What the relay and the supervisor share.
#[derive(Debug, Default)]
struct Shared {
    /// The container has ended.
    over: AtomicBool,
    /// Nothing comes any more.
    given_up: AtomicBool,
    /// How many bytes were copied by all clients together.
    moved: AtomicU64,
    client: Mutex<Option<Child>>,
}

/// A thread that copies output to the log.
#[derive(Debug)]
pub struct Relay {
    thread: JoinHandle<bool>,
    shared: Arc<Shared>,
}

impl Relay {
    /// Begins to copy the output of a container, which may be over already.
    ///
    /// # Errors
    /// When the user has no more processes.
    pub fn start(task: Arc<Task>, container: String, is_over: bool) -> io::Result<Self> {
        let shared = Arc::new(Shared { over: is_over.into(), ..Shared::default() });
        let known = Arc::clone(&shared);
        let thread = std::thread::Builder::new().spawn(move || copy(&task, &container, &known))?;
        Ok(Self { thread, shared })
    }

    /// Whether it copies no more: the container has ended, as far as it knows.
    pub fn is_done(&self) -> bool {
        self.thread.is_finished()
    }

    /// Starts another client, because this one may wait for a line that is dead.
    pub fn renew(&self) {
        let mut client = self.shared.client.lock().unwrap_or_else(PoisonError::into_inner);
        client.as_mut().into_iter().for_each(end);
    }

    /// Waits until the output of a container that has ended is in the log; returns whether all of it is. `limit` is for a
    /// client that does not end by itself: it is ended, and the one after it may be silent for so long. Any other client that
    /// is silent for `quiet` is replaced: nothing else notices that its line is dead, because other calls may be answered.
    /// `meanwhile` is called again and again.
    pub fn finish(self, limit: Option<Duration>, quiet: Duration, mut meanwhile: impl FnMut()) -> bool {
        let was_over = self.shared.over.swap(true, Ordering::SeqCst);
        if limit.is_some() && !was_over {
            self.renew();
        }
        let moved = || self.shared.moved.load(Ordering::SeqCst);
        let (mut known, mut since) = (moved(), Instant::now());
        let mut pause = Duration::from_millis(1);
        while !self.is_done() {
            sleep(pause);
            pause = (pause * 2).min(LOOK);
            meanwhile();
            if moved() != known {
                (known, since) = (moved(), Instant::now());
            } else if since.elapsed() > limit.unwrap_or(quiet) {
                self.shared.given_up.store(limit.is_some(), Ordering::SeqCst);
                self.renew();
                since = Instant::now();
            }
        }
        self.thread.join().unwrap_or_default()
    }
}

/// Kills a client with the processes that it has started, such as ssh.
fn end(client: &mut Child) {
    let group = i32::try_from(client.id()).ok().and_then(Pid::from_raw);
    let _ = group.map(|group| kill_process_group(group, Signal::KILL));
}

fn copy(task: &Task, container: &str, shared: &Shared) -> bool {
    let (mut pause, mut tries) = (BACKOFF.0, 0);
    loop {
        let was_over = shared.over.load(Ordering::SeqCst);
        if matches!(pass(task, container, shared, was_over), Ok(true)) {
            return true;
        }
        if shared.given_up.load(Ordering::SeqCst) {
            return false;
        }
        // A client that follows a container without an end was ended for this one.
        if !was_over && shared.over.load(Ordering::SeqCst) {
            continue;
        }
        if shared.over.load(Ordering::SeqCst) {
            tries += 1;
            if tries >= LAST_TRIES {
                return false;
            }
        }
        sleep(pause);
        pause = (pause * 2).min(BACKOFF.1);
    }
}

/// One client from its start to its end; returns whether it has ended by itself.
fn pass(task: &Task, container: &str, shared: &Shared, is_over: bool) -> io::Result<bool> {
    let mut log = Appended::to(task)?;
    let (client, pipe) = task.runner().follow(container, is_over)?;
    *shared.client.lock().unwrap_or_else(PoisonError::into_inner) = Some(client);
    if !is_over && shared.over.load(Ordering::SeqCst) {
        // It ended before this client was known.
        shared.client.lock().unwrap_or_else(PoisonError::into_inner).as_mut().into_iter().for_each(end);
    }
    let copied = until_end(pipe, &mut log, shared);
    let mut client = shared.client.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(mut client) = client.take() else { return Ok(false) };
    if copied.is_err() {
        end(&mut client);
    }
    let status = client.wait()?;
    let last = copied?;
    if status.success() {
        log.add(&last)?;
    }
    Ok(status.success())
}

/// Copies until the client closes the pipe; returns the bytes that were kept back.
fn until_end(mut pipe: PipeReader, log: &mut Appended, shared: &Shared) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        let wait = (!kept.is_empty()).then_some(&KEPT);
        let has_more = poll(&mut [PollFd::new(&pipe, PollFlags::IN)], wait);
        if has_more == Ok(0) {
            log.add(&kept)?;
            kept.clear();
            continue;
        }
        match pipe.read(&mut buffer) {
            Ok(0) => return Ok(kept),
            Ok(count) => {
                shared.moved.fetch_add(count as u64, Ordering::SeqCst);
                log.add(&kept)?;
                kept.clear();
                kept.extend_from_slice(&buffer[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The log, to which the same output may come again from its beginning.
struct Appended {
    known: Log,
    log: File,
    /// How many bytes of the output have come.
    offset: u64,
    /// The length of the log.
    length: u64,
}

impl Appended {
    fn to(task: &Task) -> io::Result<Self> {
        let known = Log::under(task.record.log_limit(), &task.job, task.job.dir.open_file(LOG)?)?;
        let log = task.job.dir.append(LOG)?;
        let length = log.metadata()?.len();
        Ok(Self { known, log, offset: 0, length })
    }

    /// Adds what follows in the output. From the first byte on that differs, the log is replaced: it was the last words of
    /// another client. What is gone of the log is taken as the same.
    fn add(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let mut known = [0; COMPARED];
        while !bytes.is_empty() && self.offset < self.length {
            let wanted = bytes.len().min(COMPARED);
            let count = self.known.file.read_at(&mut known[..wanted], self.offset)?;
            // Asked after the bytes were read, which may be zeros since then.
            let gone = self.known.gone.bytes().min(self.length).saturating_sub(self.offset);
            if gone > 0 {
                let skipped = wanted.min(usize::try_from(gone).unwrap_or(wanted));
                self.offset += skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            let same = known[..count].iter().zip(bytes).take_while(|(known, new)| known == new).count();
            self.offset += same as u64;
            bytes = &bytes[same..];
            if same < count || count == 0 {
                self.log.set_len(self.offset)?;
                self.length = self.offset;
            }
        }
        if !bytes.is_empty() {
            let written = self.log.write_all(bytes);
            let length = self.log.metadata()?.len();
            written?;
            self.offset += bytes.len() as u64;
            self.length = length;
        }
        Ok(())
    }
}
