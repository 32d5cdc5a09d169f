//! A job: one build or run, as a directory.
//!
//! There is no daemon, no process id and no database. A job runs if and only if a lock in its directory is held. Its
//! end is recorded in one file, which appears complete or not at all. The status is derived from these facts and, if
//! they are not enough, from the engine. This module owns the directory of one job; `store` owns the directory of all
//! jobs.

mod format1;
pub mod record;
pub mod request;
pub mod select;
pub mod standing;
pub mod store;
pub mod view;

use std::fs::TryLockError;
use std::io::{self, Write as _};

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};

use crate::fs::Dir;
use crate::names::JobId;
use record::{Begun, Exit, Kind, Record};
use request::{Answer, Request, Requests};
use standing::{Damaged, Facts};

/// Held from before the job is published until its supervisor ends.
pub const LOCK: &str = "lock";
/// The output of the docker client, which has a lock on it through its open file.
pub const LOG: &str = "log";
/// The engine's copy of the log, if the client's was incomplete.
pub const LOG_RECOVERED: &str = "log.recovered";
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
/// The requests to end it, and the answers to them.
pub const STOP: &str = "stop.json";
/// Present while the supervisor waits for an engine that does not answer.
pub const WAITING: &str = "waiting";
/// Present if the job was forgotten while it ran.
pub const FORGOTTEN: &str = "forgotten";
/// A named pipe that wakes the supervisor, which then reads `stop.json`. It is removed last: while it exists, something of
/// the job, such as its container, may still have to be removed.
pub const CONTROL: &str = "control";
/// The build context.
pub const CONTEXT: &str = "ctx";
/// The file to which the docker client writes the id of the image.
pub const IMAGE_ID: &str = "iid";

/// The size of the exit record in bytes.
pub const EXIT_SIZE: usize = 4096;
const SMALL_FILE: u64 = 4 << 20;
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
        self.dir.read(STOP, MANY_REQUESTS).map(|bytes| Requests::parse(&bytes)).unwrap_or_default()
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

    /// The newline comes first, so that a line cut off by a full disk does not spoil the next.
    fn append_line(&self, name: &str, value: &impl serde::Serialize) -> Result<()> {
        let line = format!("\n{}", serde_json::to_string(value)?);
        let append = || -> io::Result<()> {
            let mut file = self.dir.append(name)?;
            file.write_all(line.as_bytes())?;
            file.sync_data()
        };
        append().with_context(|| format!("could not write {name} of job {}", self.id))
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
            self.dir.rename(EXIT_ROOM, &self.dir, EXIT)
        };
        write().with_context(|| format!("could not record the end of job {}", self.id))
    }

    /// Reads the facts from the directory, in a safe order: the exit record, the lock, and the exit record again, because a
    /// job may end between the first two.
    #[must_use]
    pub fn facts(&self, boot_id: &str) -> Facts {
        let mut exit = self.exit();
        let mut lock = Ok(false);
        if exit.is_none() {
            lock = is_locked(&self.dir, LOCK);
            if !matches!(lock, Ok(true)) {
                exit = self.exit();
            }
        }
        let ended = exit.is_some();
        let locked = matches!(lock, Ok(true));
        let log_lock = if ended || locked { Ok(false) } else { is_locked(&self.dir, LOG) };
        Facts {
            id: self.id.clone(),
            kind: self.kind,
            record: self.record(),
            log_locked: matches!(log_lock, Ok(true)),
            lock_error: lock.and(log_lock).err().map(|error| error.to_string()),
            begun: if ended { None } else { self.begun() },
            waiting: locked && self.dir.has(WAITING),
            requests: if ended { Requests::default() } else { self.requests() },
            image_id: if ended { None } else { self.image_id() },
            same_boot: None,
            exit,
            locked,
        }
        .on_boot(boot_id)
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
