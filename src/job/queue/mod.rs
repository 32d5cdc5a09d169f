//! A queue: jobs that start in turn. There is no process that runs it. Each job that waits has its supervisor, and whoever
//! changes a queue decides under its lock which jobs start, and wakes their supervisors.
//!
//! ```text
//! STATE/.queues/.lock   held while a queue is made or removed
//! STATE/.queues/<sha256 of the name>/
//!   queue.json   its name, its limits, and whether it is paused
//!   lock         held while something of it changes
//!   turn         held by the supervisor that watches the jobs that run; the others that wait in the line wait for it
//!   bell         a named pipe that wakes that supervisor
//!   last         the number of the last job that came
//!   took         how long the last jobs took
//!   held/        jobs that wait for the ends of others
//!   line/        jobs that wait for their turn
//!   running/     jobs that were admitted, and have not ended
//! ```
//!
//! A job is an entry in one of the three directories, and moves by a rename. That one of `running/` has the room that it was
//! given until its end is recorded, whatever happens to its supervisor.

mod admission;
mod entry;
mod line;

use std::fs::File;
use std::io;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

pub use admission::{Ask, Held, Limits};
pub use entry::Entry;

use super::record::{FORMAT, Record};
use super::store::{digest, make_root, open_root};
use crate::env::Env;
use crate::fs::Dir;
use crate::names::QueueName;

const PLACE: &str = ".queues";
const SETTINGS: &str = "queue.json";
const ALL_LOCK: &str = ".lock";
const LOCK: &str = "lock";
const TURN: &str = "turn";
const BELL: &str = "bell";
const TOOK: &str = "took";
/// The directories of entries.
const HELD: &str = "held";
const LINE: &str = "line";
const RUNNING: &str = "running";
const SMALL: u64 = 64 << 10;
/// Of how many jobs it is kept how long they took.
const KEPT: usize = 20;

/// What a queue is set to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// [`FORMAT`]
    format: u32,
    /// Its name.
    pub name: QueueName,
    /// What its jobs may use together.
    #[serde(default)]
    pub limits: Limits,
    /// Whether no job is started.
    #[serde(default)]
    pub paused: bool,
}

impl Settings {
    /// Those of a queue that nothing was said about: one job at a time.
    #[must_use]
    pub fn new(name: QueueName) -> Self {
        Self { format: FORMAT, name, limits: Limits::default(), paused: false }
    }
}

/// Where a job stands in a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// It waits for the ends of other jobs.
    Held,
    /// It waits for its turn.
    Line,
    /// It was admitted.
    Running(Held),
}

/// All jobs of a queue.
#[derive(Debug, Clone, Default)]
pub struct Members {
    /// Those that were admitted and have not ended, in no order.
    pub running: Vec<Entry>,
    /// Those that wait for their turn, the next one first.
    pub line: Vec<Entry>,
    /// Those that wait for the ends of other jobs, the oldest first.
    pub held: Vec<Entry>,
}

impl Members {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.running.is_empty() && self.line.is_empty() && self.held.is_empty()
    }
}

/// A queue's directory, held open.
#[derive(Debug)]
pub struct Queue {
    root: Dir,
    dir: Dir,
}

/// What a job uses, as its queue counts it. A build has no limits of its own.
#[must_use]
pub fn ask(record: &Record) -> Ask {
    record.run().map_or_else(Ask::default, |run| Ask { cpus: run.cpus, memory: run.memory, gpus: run.gpus.clone() })
}

impl Queue {
    /// The queue with this name; `None` if there is none.
    ///
    /// # Errors
    /// When the state directory cannot be used.
    pub fn open(env: &Env, name: &QueueName) -> Result<Option<Self>> {
        let Some(root) = open_root(env)? else { return Ok(None) };
        let opened = root.subdir(PLACE).and_then(|queues| queues.subdir(&digest(name.as_str())));
        match opened {
            Ok(dir) if dir.has(SETTINGS) => Ok(Some(Self { root, dir })),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("could not read the queue {name}"))
            }
            _ => Ok(None),
        }
    }

    /// The queue with this name. If there is none, it is made, for one job at a time.
    ///
    /// # Errors
    /// When the state directory cannot be written.
    pub fn make(env: &Env, name: &QueueName) -> Result<Self> {
        if let Some(queue) = Self::open(env, name)? {
            return Ok(queue);
        }
        let root = make_root(env)?;
        let made = || -> io::Result<Dir> {
            let queues = root.make_subdir(PLACE)?;
            let _alone = hold(&queues, ALL_LOCK)?;
            let dir = queues.make_subdir(&digest(name.as_str()))?;
            for place in [HELD, LINE, RUNNING] {
                dir.make_subdir(place)?;
            }
            if !dir.has(BELL) {
                dir.make_fifo(BELL)?;
            }
            // It is a queue from now on.
            if !dir.has(SETTINGS) {
                dir.replace(SETTINGS, &serde_json::to_vec(&Settings::new(name.clone()))?)?;
            }
            Ok(dir)
        };
        let dir = made().with_context(|| format!("could not make the queue {name}"))?;
        Ok(Self { root, dir })
    }

    /// All queues, by name. One whose settings cannot be read is left out.
    ///
    /// # Errors
    /// When the state directory cannot be used.
    pub fn all(env: &Env) -> Result<Vec<(Settings, Self)>> {
        let mut found = Vec::new();
        let Some(queues) = open_root(env)?.and_then(|root| root.subdir(PLACE).ok()) else { return Ok(found) };
        for name in queues.names().context("could not read the queues")? {
            let (Some(root), Ok(dir)) = (open_root(env)?, queues.subdir(&name)) else { continue };
            let queue = Self { root, dir };
            found.extend(queue.settings().ok().map(|settings| (settings, queue)));
        }
        found.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        Ok(found)
    }

    /// What it is set to.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn settings(&self) -> Result<Settings> {
        let read = || -> Result<Settings> { Ok(serde_json::from_slice(&self.dir.read(SETTINGS, SMALL)?)?) };
        read().with_context(|| format!("could not read the settings of a queue in {}", self.dir.path().display()))
    }

    /// Changes what it is set to, and returns that.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn change(&self, change: impl FnOnce(&mut Settings)) -> Result<Settings> {
        let _held = self.hold()?;
        let mut settings = self.settings()?;
        change(&mut settings);
        self.dir.replace(SETTINGS, &serde_json::to_vec(&settings)?)?;
        Ok(settings)
    }

    /// Removes it, unless it has jobs; returns whether it was removed.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(self) -> Result<bool> {
        let queues = self.root.subdir(PLACE)?;
        let _alone = hold(&queues, ALL_LOCK)?;
        let _held = self.hold()?;
        if !self.members()?.is_empty() {
            return Ok(false);
        }
        // Without its settings it is no queue any more. A job that enters it now makes it again.
        self.dir.remove(SETTINGS)?;
        let name = self.dir.path().file_name().and_then(|name| name.to_str()).context("a queue has a name")?;
        queues.remove_tree(name)?;
        Ok(true)
    }

    /// Takes the lock under which it is changed.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when it was removed meanwhile.
    fn hold(&self) -> io::Result<File> {
        let held = hold(&self.dir, LOCK)?;
        if self.dir.has(SETTINGS) { Ok(held) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// Wakes the supervisor that watches this queue, if there is one.
    pub fn ring(&self) {
        let _ = self.dir.poke_fifo(BELL);
    }

    /// The lock of the supervisor that watches this queue, not taken yet.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn turn(&self) -> io::Result<File> {
        self.dir.lock_file(TURN)
    }

    /// The bell, to be listened to.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn bell(&self) -> io::Result<File> {
        self.dir.open_fifo(BELL)
    }

    /// Notes how long a job took, in seconds.
    pub fn note(&self, seconds: f64) {
        let Ok(_held) = self.hold() else { return };
        let mut took = self.took();
        took.push(seconds);
        let kept = &took[took.len().saturating_sub(KEPT)..];
        let _ = serde_json::to_vec(kept).map(|bytes| self.dir.replace(TOOK, &bytes));
    }

    /// How long the last jobs took, in seconds, the newest last.
    #[must_use]
    pub fn took(&self) -> Vec<f64> {
        self.dir.read(TOOK, SMALL).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }
}

/// Takes a lock that is held for a few operations on files.
fn hold(dir: &Dir, name: &str) -> io::Result<File> {
    let lock = dir.lock_file(name)?;
    lock.lock()?;
    Ok(lock)
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
