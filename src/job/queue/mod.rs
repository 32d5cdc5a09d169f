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

use std::fs::File;
use std::io;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

pub use admission::{Ask, Held, Limits};
pub use entry::Entry;

use super::record::{FORMAT, Record};
use super::store::{digest, make_root, open_root};
use super::{EXIT, Job};
use crate::env::Env;
use crate::fault;
use crate::fs::Dir;
use crate::names::{JobId, QueueName};
use admission::{Room, Verdict};

const PLACE: &str = ".queues";
const SETTINGS: &str = "queue.json";
const ALL_LOCK: &str = ".lock";
const LOCK: &str = "lock";
const TURN: &str = "turn";
const BELL: &str = "bell";
const LAST: &str = "last";
const TOOK: &str = "took";
const HELD: &str = "held";
const LINE: &str = "line";
const RUNNING: &str = "running";
const SMALL: u64 = 64 << 10;
/// The size of an entry in bytes, unless it needs more.
const ROOM: usize = 1024;
/// How often a queue may be removed while a job enters it.
const TRIES: u32 = 10;
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

    /// All jobs of it. Those whose end is recorded are left out; a killed process may have left their entries.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn members(&self) -> io::Result<Members> {
        let [mut held, mut line, running] = [HELD, LINE, RUNNING].map(|place| self.entries(place));
        for waiting in [&mut held, &mut line].into_iter().flatten() {
            waiting.sort_by_key(Entry::order);
        }
        let mut members = Members { running: running?, line: line?, held: held? };
        for entries in [&mut members.running, &mut members.line, &mut members.held] {
            entries.retain(|entry| self.is_open(entry));
        }
        Ok(members)
    }

    fn entries(&self, place: &str) -> io::Result<Vec<Entry>> {
        Ok(self.dir.subdir(place)?.names()?.iter().filter_map(|name| Entry::parse(name)).collect())
    }

    /// Whether the job of an entry is there and has no exit record.
    fn is_open(&self, entry: &Entry) -> bool {
        let job = format!("{}/{}", entry.kind.word(), entry.id);
        self.root.has(&job) && !self.root.has(&format!("{job}/{EXIT}"))
    }

    /// The job of an entry; `None` if it was removed.
    #[must_use]
    pub fn job(&self, entry: &Entry) -> Option<Job> {
        let dir = self.root.subdir(entry.kind.word()).ok()?.subdir(entry.id.as_str()).ok()?;
        Some(Job { id: entry.id.clone(), kind: entry.kind, dir })
    }

    /// Where a job stands in it; `None` if it is not a member.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn stage(&self, id: &JobId) -> io::Result<Option<Stage>> {
        // It may move from one to the next meanwhile, so they are looked at in the order of its life, the last one again.
        for (place, stage) in [(RUNNING, None), (HELD, Some(Stage::Held)), (LINE, Some(Stage::Line)), (RUNNING, None)] {
            let Some(entry) = self.entries(place)?.into_iter().find(|entry| entry.id == *id) else { continue };
            return Ok(Some(stage.unwrap_or_else(|| Stage::Running(self.held(&entry)))));
        }
        Ok(None)
    }

    fn held(&self, entry: &Entry) -> Held {
        let read = || serde_json::from_slice(&self.dir.subdir(RUNNING).ok()?.read(&entry.file(), SMALL).ok()?).ok();
        read().unwrap_or_default()
    }

    /// Whether a job waits for its turn.
    #[must_use]
    pub fn is_in_line(&self, id: &JobId) -> bool {
        self.stage(id).is_ok_and(|stage| stage == Some(Stage::Line))
    }

    /// As [`Queue::enter`], for the queue with this name, which is made if there is none.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn enter_named(env: &Env, name: &QueueName, job: &Job, priority: i32, ask: &Ask, stage: &Stage) -> Result<()> {
        for _ in 0..TRIES {
            match Self::make(env, name)?.enter(job, priority, ask, stage) {
                // It was removed in this moment.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                entered => return entered.with_context(|| format!("could not enter the queue {name}")),
            }
        }
        anyhow::bail!("could not enter the queue {name}: it is removed again and again")
    }

    /// Puts a job at the end of the line, or among those that wait for others. A job that is there already stays where it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn enter(&self, job: &Job, priority: i32, ask: &Ask, stage: &Stage) -> io::Result<()> {
        let _held = self.hold()?;
        if self.stage(&job.id)?.is_some() {
            return Ok(());
        }
        let entry = Entry { number: self.next_number()?, priority, kind: job.kind, id: job.id.clone() };
        let place = self.dir.subdir(if *stage == Stage::Held { HELD } else { LINE })?;
        place.write_new(&entry.file(), &padded(ask)?)
    }

    /// A number that is greater than all that were given. The file may be lost in a crash of the host.
    fn next_number(&self) -> io::Result<u64> {
        let kept = self.dir.read(LAST, SMALL).ok().and_then(|bytes| String::from_utf8(bytes).ok()?.trim().parse().ok());
        let mut numbers: Vec<u64> = kept.into_iter().collect();
        for place in [HELD, LINE, RUNNING] {
            numbers.extend(self.entries(place)?.iter().map(|entry| entry.number));
        }
        let next = numbers.into_iter().max().map_or(1, |last| last.saturating_add(1));
        if self.dir.has(LAST) {
            self.dir.overwrite(LAST, format!("{next:020}").as_bytes())?;
        } else {
            self.dir.write_new(LAST, format!("{next:020}").as_bytes())?;
        }
        Ok(next)
    }

    /// Moves a job whose dependencies have ended into the line, to the place that it has by its number.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn release(&self, id: &JobId) -> io::Result<()> {
        let _held = self.hold()?;
        let (held, line) = (self.dir.subdir(HELD)?, self.dir.subdir(LINE)?);
        let entries = self.entries(HELD)?;
        let mut ours = entries.iter().filter(|entry| entry.id == *id);
        ours.try_for_each(|entry| held.place(&entry.file(), &line, &entry.file()))
    }

    /// Takes a job out of it, which gives its room back.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn leave(&self, id: &JobId) -> io::Result<()> {
        let _held = self.hold()?;
        for place in [HELD, LINE, RUNNING] {
            let dir = self.dir.subdir(place)?;
            for entry in self.entries(place)?.iter().filter(|entry| entry.id == *id) {
                dir.remove(&entry.file())?;
            }
        }
        Ok(())
    }

    /// Admits the jobs for which there is room, and wakes their supervisors. Returns those that are admitted now. A job whose
    /// supervisor was killed is passed over until it has another one.
    ///
    /// # Errors
    /// When it cannot be read or written. What was admitted before stays so.
    pub fn admit(&self) -> Result<Vec<Entry>> {
        let _held = self.hold()?;
        let settings = self.settings()?;
        let (line_dir, running_dir) = (self.dir.subdir(LINE)?, self.dir.subdir(RUNNING)?);
        let mut running = self.entries(RUNNING)?;
        clear(&running_dir, &mut running, |entry| self.is_open(entry));
        if settings.paused {
            return Ok(running);
        }
        let held: Vec<Held> = running.iter().map(|entry| self.held(entry)).collect();
        let mut room = Room::beside(&settings.limits, &held);
        let mut line = self.entries(LINE)?;
        line.sort_by_key(Entry::order);
        for entry in line {
            if !self.is_open(&entry) {
                let _ = line_dir.remove(&entry.file());
                continue;
            }
            let Some(job) = self.job(&entry).filter(Job::is_supervised) else { continue };
            let ask: Ask = line_dir
                .read(&entry.file(), SMALL)
                .ok()
                .and_then(|bytes| serde_json::from_slice(&bytes).ok())
                .unwrap_or_default();
            match room.admit(&ask) {
                Verdict::Never => {}
                Verdict::Wait => break,
                Verdict::Start(devices) => {
                    if !devices.is_empty() {
                        line_dir.overwrite(&entry.file(), &padded(&Held { ask, devices })?)?;
                    }
                    fault::point("admitting");
                    line_dir.place(&entry.file(), &running_dir, &entry.file())?;
                    job.wake();
                    running.push(entry);
                }
            }
        }
        Ok(running)
    }

    /// Removes the entries of jobs that have ended, which killed processes left, and admits those for which there is room.
    ///
    /// # Errors
    /// As [`Queue::admit`].
    pub fn tidy(&self) -> Result<()> {
        let held = self.hold()?;
        for place in [HELD, LINE, RUNNING] {
            clear(&self.dir.subdir(place)?, &mut self.entries(place)?, |entry| self.is_open(entry));
        }
        drop(held);
        self.advance()
    }

    /// As [`Queue::admit`], by a process that does not watch the queue, so that the one that does learns of it.
    ///
    /// # Errors
    /// As [`Queue::admit`].
    pub fn advance(&self) -> Result<()> {
        // If this process is killed now, the other one admits them.
        self.ring();
        let admitted = self.admit();
        self.ring();
        admitted.map(drop)
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

/// Removes entries of jobs that have ended, which killed processes left.
fn clear(dir: &Dir, entries: &mut Vec<Entry>, is_open: impl Fn(&Entry) -> bool) {
    entries.retain(|entry| {
        let stays = is_open(entry);
        if !stays {
            let _ = dir.remove(&entry.file());
        }
        stays
    });
}

/// What a queue knows of a job, with room for the GPUs that it gets: the disk may be full when it is admitted.
fn padded(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(value)?;
    bytes.resize(bytes.len().max(ROOM), b' ');
    Ok(bytes)
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
