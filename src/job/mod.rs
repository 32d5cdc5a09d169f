//! A job: one build or run, as a directory.
//!
//! There is no daemon, no process id and no database. A job runs if and only if a lock in its directory is held. Its
//! end is recorded in one file, which appears complete or not at all. The status is derived from these facts and, if
//! they are not enough, from the engine. This module owns the directory of one job; `store` owns the directory of all
//! jobs.

pub mod after;
pub mod again;
pub mod attempts;
pub mod caches;
mod format1;
pub mod glance;
pub mod gone;
pub mod group;
pub mod index;
pub mod mark;
mod moment;
pub mod moved;
pub mod points;
pub mod prune;
pub mod queue;
pub mod record;
pub mod request;
pub mod select;
pub mod standing;
pub mod store;
pub mod tombstone;
pub mod upkeep;
pub mod view;
pub mod waits;
pub mod witness;

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};

use crate::env::Env;
use crate::fault;
use crate::fs::Dir;
use crate::names::JobId;
use after::{HookFacts, HookResult, SMALL_RESULT};
use mark::Mark;
use queue::Held;
use record::{Begun, Exit, Kind, Record};
use request::{Answer, Request, Requests};
use standing::{Damaged, Extras, Facts};

/// Held from before the job is published until its supervisor ends.
pub const LOCK: &str = "lock";
/// The output of the docker client, which has a lock on it through its open file.
pub const LOG: &str = "log";
/// The engine's copy of the log, if the client's was incomplete.
pub const LOG_RECOVERED: &str = "log.recovered";
/// How long the log was at which times: see `log::index`.
pub const LOG_INDEX: &str = "log.index";
/// What was asked.
pub const RECORD: &str = "job.json";
/// What the supervisor found when it began.
pub const BEGUN: &str = "begun.json";
/// Space for the exit record, written in advance, so that the end can be recorded on a full disk.
pub const EXIT_ROOM: &str = "exit.tmp";
/// How it ended.
pub const EXIT: &str = "exit.json";
/// Of a run that has ended: the engine's last description of its container.
pub const INSPECT: &str = "inspect.json";
/// The requests to end it, and the answers to them. It is created with blanks, so that a request can be recorded on a full
/// disk.
pub const STOP: &str = "stop.json";
/// Present while the supervisor waits for an engine that does not answer.
pub const WAITING: &str = "waiting";
/// Present while a swarm has not started a run: why.
pub const PENDING: &str = "pending";
/// Present if the job was forgotten while it ran.
pub const FORGOTTEN: &str = "forgotten";
/// A named pipe that wakes the supervisor, which then reads `stop.json`. It is removed last: while it exists, something of
/// the job, such as its container, may still have to be removed.
pub const CONTROL: &str = "control";
/// Locked while the end of a job is recorded or its directory is removed, so that only one process does that.
pub const ENDING: &str = "ending";
/// Present since a command first saw that docker has no started container of a run whose client is gone.
pub const MISSING: &str = "missing";
/// Present until the command of `--on-exit` is started. It is renamed to `on-exit.json` in that moment, so that of all
/// processes that finish the job one starts it.
pub const HOOK_DUE: &str = "on-exit";
/// What became of the command of `--on-exit`.
pub const HOOK_RESULT: &str = "on-exit.json";
/// The output of the command of `--on-exit`.
pub const HOOK_OUTPUT: &str = "on-exit.log";
/// The room that a queue gave to it.
pub const GRANTED: &str = "granted.json";
/// The build context.
pub const CONTEXT: &str = "ctx";
/// The file to which the docker client writes the id of the image.
pub const IMAGE_ID: &str = "iid";

/// The size of the exit record in bytes.
pub const EXIT_SIZE: usize = 4096;
/// The room for requests in bytes; a request and its answer take about 250.
pub const STOP_SIZE: usize = 4096;
/// How often and after which pause a lock is tried again that a reader may have taken for a moment.
const TRIES: u32 = 100;
const TRY_PAUSE: Duration = Duration::from_millis(2);
const SMALL_FILE: u64 = 4 << 20;
/// How much of the end of a log is searched for a reason.
const LAST_WORDS: u64 = 256 << 10;
/// A request and its answer take about 230 bytes.
const MANY_REQUESTS: u64 = 256 << 20;

/// A published job's directory, held open.
#[derive(Debug)]
pub struct Job {
    /// Its random name.
    pub id: JobId,
    /// Build or run.
    pub kind: Kind,
    /// The directory itself.
    pub dir: Dir,
}

impl Job {
    /// What was asked.
    ///
    /// # Errors
    /// When the record is missing, damaged, or of a newer format.
    pub fn record(&self) -> Result<Record, Damaged> {
        let bytes = self
            .dir
            .read(RECORD, SMALL_FILE)
            .map_err(|error| Damaged(format!("its record cannot be read: {error}")))?;
        Record::parse(&bytes).map_err(|why| Damaged(format!("its record {why}")))
    }

    /// How it ended, if it did.
    #[must_use]
    pub fn exit(&self) -> Option<Result<Exit, Damaged>> {
        match self.dir.read(EXIT, EXIT_SIZE as u64) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(Err(Damaged(format!("its exit record cannot be read: {error}")))),
            Ok(bytes) => Some(Exit::parse(&bytes).map_err(|why| Damaged(format!("its exit record {why}")))),
        }
    }

    /// What the supervisor found when it began; `None` before that.
    #[must_use]
    pub fn begun(&self) -> Option<Begun> {
        serde_json::from_slice(&self.dir.read(BEGUN, SMALL_FILE).ok()?).ok()
    }

    /// The requests to end it, and the answers.
    #[must_use]
    pub fn requests(&self) -> Requests {
        match self.dir.read(STOP, MANY_REQUESTS) {
            Ok(bytes) => Requests::parse(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Requests::default(),
            Err(_) => Requests::unreadable(),
        }
    }

    /// Records a request to end it, and wakes its supervisor.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn ask(&self, request: &Request) -> Result<()> {
        self.append_line(STOP, request)?;
        self.wake();
        Ok(())
    }

    /// Makes its supervisor read the requests. A supervisor that is just starting may miss this.
    pub fn wake(&self) {
        let _ = self.dir.poke_fifo(CONTROL);
    }

    /// Records the answer to a request.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn answer(&self, answer: &Answer) -> Result<()> {
        self.append_line(STOP, answer)
    }

    fn append_line(&self, name: &str, value: &impl serde::Serialize) -> Result<()> {
        let line = serde_json::to_string(value)?;
        self.dir.add_line(name, &line).with_context(|| format!("could not write {name} of job {}", self.id))
    }

    /// Replaces a JSON file of the job.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_json(&self, name: &str, value: &impl serde::Serialize) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(value)?;
        self.dir.replace(name, &bytes).with_context(|| format!("could not write {name} of job {}", self.id))
    }

    /// The engine's last description of the container, if it was saved.
    #[must_use]
    pub fn account(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.dir.read(INSPECT, 64 << 20).ok()?).ok()
    }

    /// Records the end of the job atomically and without new disk space: overwrites the prepared file, syncs it, renames
    /// it, and syncs the directory.
    ///
    /// # Errors
    /// When the state directory is gone or the device fails.
    pub fn finish(&self, exit: &Exit) -> Result<()> {
        let write = || -> io::Result<()> {
            self.dir.overwrite(EXIT_ROOM, &exit.to_bytes())?;
            fault::point("filled");
            self.dir.rename(EXIT_ROOM, &self.dir, EXIT)
        };
        write().with_context(|| format!("could not record the end of job {}", self.id))
    }

    /// Takes the command of `--on-exit` for this process, which then starts it; returns whether no other process has taken it.
    #[must_use]
    pub fn take_hook(&self) -> bool {
        let taken = self.dir.has(HOOK_DUE) && self.dir.place(HOOK_DUE, &self.dir, HOOK_RESULT).is_ok();
        // Without this, it may be started a second time after a crash of the host.
        let _ = self.dir.sync();
        taken
    }

    /// Whether the command of `--on-exit` has still to be started.
    #[must_use]
    pub fn has_hook_due(&self) -> bool {
        self.dir.has(HOOK_DUE)
    }

    fn hook(&self, record: &Record) -> Option<HookFacts> {
        record.after.on_exit.as_ref()?;
        let bytes = self.dir.read(HOOK_RESULT, SMALL_RESULT).ok();
        let result = bytes.map(|bytes| serde_json::from_slice::<HookResult>(&bytes).unwrap_or_default());
        Some(HookFacts { output: self.dir.path().join(HOOK_OUTPUT), result })
    }

    /// Records the room that its queue gave to it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn grant(&self, held: &Held) -> Result<()> {
        self.write_json(GRANTED, held)
    }

    /// The room that its queue gave to it. Only GPUs are worth a look into another file.
    #[must_use]
    pub fn granted(&self, record: &Record) -> Held {
        let read = || serde_json::from_slice(&self.dir.read(GRANTED, SMALL_RESULT).ok()?).ok();
        record.may_get_gpus().then(read).flatten().unwrap_or_default()
    }

    /// Reads the facts from the directory, in a safe order: the exit record, the lock, and the exit record again, because a
    /// job may end between the first two.
    #[must_use]
    pub fn facts(&self, here: &Here) -> Facts {
        let mut exit = self.exit();
        let mut lock = Ok(false);
        if exit.is_none() {
            lock = is_locked(&self.dir, LOCK);
            if !matches!(lock, Ok(true)) {
                exit = self.exit();
            }
        }
        let record = self.record();
        let extras = record.as_ref().map(|record| self.extras(record)).unwrap_or_default();
        if let Some(exit) = exit {
            return Facts::ended(self.id.clone(), self.kind, record, exit, extras).on_boot(&here.boot_id);
        }
        let locked = matches!(lock, Ok(true));
        let log_lock = if locked { Ok(false) } else { is_locked(&self.dir, LOG) };
        let begun = self.begun();
        let started = begun.as_ref().map(|begun| begun.started);
        let Extras { hook, attempts, gpus } = extras;
        let is_copied = begun.is_some() && record.as_ref().is_ok_and(Record::is_copied);
        let begun_on_swarm = begun.is_some() && record.as_ref().is_ok_and(Record::is_on_swarm);
        Facts {
            moving: is_copied.then(|| Box::new(self.moving())),
            log_locked: matches!(log_lock, Ok(true)),
            lock_error: lock.and(log_lock).err().map(|error| error.to_string()),
            queued: attempts.is_empty() && record.as_ref().is_ok_and(|record| self.waits_for_start(record)),
            resting: self.is_between(attempts.len()),
            attempts,
            begun,
            gpus,
            hook,
            log_gone: record.as_ref().map_or(0, |record| self.log_gone(record)),
            locked,
            waiting: locked && self.dir.has(WAITING),
            pending: if locked && begun_on_swarm { self.pending() } else { None },
            requests: self.requests().of_attempt(started),
            image_id: self.image_id(),
            starting: !locked && self.may_be_starting(here),
            ..Facts::new(self.id.clone(), self.kind, record)
        }
        .on_boot(&here.boot_id)
    }

    /// How many bytes of the beginning of its log are gone, of a job that has not ended.
    fn log_gone(&self, record: &Record) -> u64 {
        let marked = || Mark::open(&self.dir, LOG).ok()?.gone().ok();
        record.log_limit().and_then(|_| marked()).unwrap_or_default()
    }

    /// Why a swarm has not started it yet.
    fn pending(&self) -> Option<String> {
        let text = self.dir.read(PENDING, 4096).ok()?;
        Some(String::from_utf8_lossy(&text).into_owned())
    }

    /// Reads what only some jobs have.
    #[must_use]
    pub fn extras(&self, record: &Record) -> Extras {
        Extras {
            hook: self.hook(record),
            attempts: if record.may_retry() { self.attempts() } else { Vec::new() },
            gpus: self.granted(record).devices,
        }
    }

    /// Whether docker may still be starting a run whose client is gone: the client may have sent its request before it was
    /// killed. That is excluded once output was written, and when the container has been missing for a while.
    fn may_be_starting(&self, here: &Here) -> bool {
        let no_output = || self.dir.open_file(LOG).and_then(|log| log.metadata()).is_ok_and(|data| data.len() == 0);
        let long_ago =
            |begun: &Begun| (here.now - begun.started).to_std().is_ok_and(|passed| passed > here.settling * LONG);
        let missing = self.missing_since().is_some_and(|since| has_passed(since, here));
        !here.settling.is_zero()
            && self.kind == Kind::Run
            && self.begun().is_some_and(|begun| !long_ago(&begun))
            && !missing
            && no_output()
    }

    /// Since when the container is known to be missing.
    fn missing_since(&self) -> Option<DateTime<Utc>> {
        String::from_utf8(self.dir.read(MISSING, 100).ok()?).ok()?.parse().ok()
    }

    /// Records that docker has no started container of it. Returns whether that has been so for long enough.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn has_been_missing(&self, here: &Here) -> Result<bool> {
        if here.settling.is_zero() || !self.may_be_starting(here) {
            return Ok(true);
        }
        // A time in the future was written before the clock was set back.
        if self.missing_since().is_none_or(|since| since > here.now) {
            let written = self.dir.replace(MISSING, here.now.to_rfc3339().as_bytes());
            written.with_context(|| format!("could not write {MISSING} of job {}", self.id))?;
        }
        Ok(false)
    }

    /// Takes the lock under which the end is recorded, without waiting; `None` if another process has it.
    ///
    /// # Errors
    /// When it cannot be opened, for example because the state directory is read-only.
    pub fn hold_ending(&self) -> io::Result<Option<File>> {
        try_hold(self.dir.lock_file(ENDING)?)
    }

    /// As [`Job::hold_ending`]; waits for another process.
    ///
    /// # Errors
    /// Also when the other process takes longer than `patience`.
    pub fn hold_ending_for(&self, patience: Duration) -> Result<File> {
        let tries = u32::try_from(patience.as_millis() / TRY_PAUSE.as_millis()).unwrap_or(u32::MAX);
        hold_in(tries.max(1), || self.dir.lock_file(ENDING))?.context("another process is recording its end")
    }

    /// Takes the lock of a job whose supervisor is gone; `None` if another process has it. A reader that checks the lock has
    /// it for a moment, so it is tried again.
    ///
    /// # Errors
    /// As [`Job::hold_ending`].
    pub fn take_over(&self) -> io::Result<Option<File>> {
        hold_soon(|| self.dir.lock_file(LOCK))
    }

    /// Whether this directory is a copy of another one, for example made with `cp -a`. The container of the job then belongs
    /// to the original.
    #[must_use]
    pub fn is_copy(&self) -> bool {
        let Ok(mark) = self.dir.read(LOCK, 100) else { return false };
        !mark.is_empty() && self.dir.identity(LOCK).is_ok_and(|identity| identity.as_bytes() != mark)
    }

    /// Whether it has an exit record or its locks are not held, as far as that can be told. This is cheap, so it is used
    /// for waiting.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.has_surely_ended().unwrap_or(true)
    }

    /// Whether it has an exit record or its locks are free. What would harm a running job must ask this.
    ///
    /// # Errors
    /// When a lock cannot be read, for example because the process has no descriptor left: the job may still run.
    pub fn has_surely_ended(&self) -> Result<bool> {
        let runs = || -> io::Result<bool> { Ok(is_locked(&self.dir, LOCK)? || is_locked(&self.dir, LOG)?) };
        let ended =
            self.dir.has(EXIT) || !runs().with_context(|| format!("could not read the locks of {}", self.id))?;
        Ok(ended)
    }

    /// Waits until its supervisor is gone, and of a build also its docker client: that of a run keeps no time limit. A lock that
    /// cannot be read counts as free, after a pause.
    pub fn await_locks(&self) {
        let names: &[&str] = if self.kind == Kind::Run { &[LOCK] } else { &[LOCK, LOG] };
        for name in names {
            let free = self.dir.open_file(name).is_ok_and(|file| {
                loop {
                    match file.lock_shared() {
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        locked => break locked.is_ok(),
                    }
                }
            });
            if !free {
                std::thread::sleep(TRY_PAUSE);
            }
        }
    }

    /// Whether a docker client has its log open, or may have it open because the lock cannot be read.
    #[must_use]
    pub fn has_client(&self) -> bool {
        is_locked(&self.dir, LOG).unwrap_or(true)
    }

    /// The end of its log. A build that compiles writes much after the first error. What is not UTF-8 is U+FFFD.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn last_words(&self) -> io::Result<String> {
        let mut log = self.dir.open_file(LOG)?;
        let end = log.seek(SeekFrom::End(0))?;
        log.seek(SeekFrom::Start(end.saturating_sub(LAST_WORDS)))?;
        let mut bytes = Vec::new();
        log.take(LAST_WORDS).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Whether a process writes its log, or may write it: a docker client or, of a run on another machine, its supervisor.
    #[must_use]
    pub fn has_writer(&self) -> bool {
        self.has_client() || self.is_supervised() && self.record().is_ok_and(|record| record.is_copied())
    }

    /// Whether it was asked to wait, and nothing says that it has begun.
    fn waits_for_start(&self, record: &Record) -> bool {
        !record.waits.is_nothing() && !self.dir.has(BEGUN)
    }

    /// `still running` or `still queued`, for messages about a job that has not ended.
    #[must_use]
    pub fn still(&self) -> &'static str {
        let waits = self.record().is_ok_and(|record| self.waits_for_start(&record));
        if waits && self.attempts().is_empty() { "still queued" } else { "still running" }
    }

    /// Whether its supervisor waits for an engine that does not answer.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.dir.has(WAITING)
    }

    /// Whether something may be left to do: its end is not recorded, or its container is not removed, or the command of
    /// `--on-exit` was not started.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        !self.dir.has(EXIT) || self.dir.has(CONTROL) || self.has_hook_due()
    }

    /// Whether it was forgotten while it ran. It is hidden, and can be reached by its id.
    #[must_use]
    pub fn is_forgotten(&self) -> bool {
        self.dir.has(FORGOTTEN)
    }

    /// Whether its directory was removed because it was forgotten. Files of it may be gone.
    #[must_use]
    pub fn is_removed(&self) -> bool {
        !self.dir.path().exists()
    }

    /// Whether its supervisor lives, or may live because the lock cannot be read. It may have recorded the end already and
    /// still be cleaning up.
    #[must_use]
    pub fn is_supervised(&self) -> bool {
        is_locked(&self.dir, LOCK).unwrap_or(true)
    }

    /// The image id that the docker client wrote, if it is valid.
    #[must_use]
    pub fn image_id(&self) -> Option<String> {
        let text = String::from_utf8(self.dir.read(IMAGE_ID, 200).ok()?).ok()?;
        let hex = text.trim().strip_prefix("sha256:")?;
        let valid = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        valid.then(|| text.trim().to_owned())
    }

    /// When it was created, for sorting; the epoch if the record is damaged.
    #[must_use]
    pub fn created(&self) -> DateTime<Utc> {
        self.record().map(|record| record.created).unwrap_or_default()
    }
}

/// What the facts of a job are compared with.
#[derive(Debug, Clone)]
pub struct Here {
    /// The id of the host's present boot.
    pub boot_id: String,
    /// The present time.
    pub now: DateTime<Utc>,
    /// How long a container must be missing before that is believed.
    pub settling: Duration,
}

impl Here {
    /// This host, now.
    #[must_use]
    pub fn now(env: &Env) -> Self {
        Self { boot_id: env.boot_id(), now: env.now(), settling: env.settling }
    }
}

/// A start is not believed to take longer than this many times [`Here::settling`], even if no command looked meanwhile.
const LONG: u32 = 10;

fn has_passed(since: DateTime<Utc>, here: &Here) -> bool {
    (here.now - since).to_std().is_ok_and(|passed| passed >= here.settling)
}

/// Takes a lock that others have for a moment only; `None` if one has it for longer.
fn hold_soon(open: impl Fn() -> io::Result<File>) -> io::Result<Option<File>> {
    hold_in(TRIES, open)
}

/// Tries to take a lock so many times. The file is opened anew each time, because it may be replaced meanwhile.
fn hold_in(tries: u32, open: impl Fn() -> io::Result<File>) -> io::Result<Option<File>> {
    for _ in 0..tries {
        if let Some(held) = try_hold(open()?)? {
            return Ok(Some(held));
        }
        std::thread::sleep(TRY_PAUSE);
    }
    Ok(None)
}

fn try_hold(file: File) -> io::Result<Option<File>> {
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether a process has a lock on this file. The shared lock that is taken to find out is released at once. A file that
/// is missing is not locked; any other error leaves the question open.
fn is_locked(dir: &Dir, name: &str) -> io::Result<bool> {
    let file = match dir.open_file(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
