//! The end of a job's directory: forgetting, pruning and sweeping. A job disappears by one rename. What is still to be done on
//! the engine, and what is told of the job afterwards, is written before.

use std::io;
use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};

use super::{GRAVES, LATEST, NAMES_LOCK, SMALL_TOMBSTONE, Store, digest};
use crate::fs::{Dir, lacks_room, random_name};
use crate::job::gone::{self, Gone, How};
use crate::job::index;
use crate::job::tombstone::Tombstone;
use crate::job::{CONTEXT, FORGOTTEN, Job, LOCK};
use crate::names::JobId;

/// How long `forget` waits for a process that records the end of the job.
const ENDING_PATIENCE: Duration = Duration::from_secs(5);

/// What became of a job that was to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgotten {
    /// It still runs, and is hidden.
    Hidden,
    /// It still runs, and nothing was done.
    Running,
    /// Its files are gone.
    Removed,
    /// Another process removed it meanwhile.
    Absent,
}

/// What is done about a job that still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfRunning {
    /// It is hidden, and removed when it ends.
    Hide,
    /// Nothing.
    Leave,
}

/// How a job is removed.
#[derive(Debug, Clone, Copy)]
pub struct Removal<'a> {
    /// Written first, so that a container that the job left is removed even if this process is killed.
    pub tombstone: Option<&'a Tombstone>,
    /// What is told of it afterwards.
    pub how: How,
    /// If it still runs.
    pub running: IfRunning,
    /// The present time.
    pub now: DateTime<Utc>,
}

impl Store {
    /// Removes a job's log and record. A job that still runs is not stopped: it is left alone, or hidden at once, and its
    /// supervisor removes the files when the job has ended.
    ///
    /// # Errors
    /// An error of the file system; also when it cannot be told whether the job runs. The job is then unchanged.
    pub fn forget(&self, job: &Job, removal: &Removal) -> Result<Forgotten> {
        let could_not = || format!("could not forget {}", job.id);
        let _held = self.hold_names().with_context(could_not)?;
        if job.is_removed() {
            return Ok(Forgotten::Absent);
        }
        if !job.has_surely_ended().with_context(could_not)? {
            if removal.running == IfRunning::Leave {
                return Ok(Forgotten::Running);
            }
            job.dir.replace(FORGOTTEN, b"").with_context(could_not)?;
            // The supervisor checks the mark after it has recorded the end. If the job has ended by now, it may have
            // missed the mark, so the files are removed here.
            if !job.has_surely_ended().with_context(could_not)? {
                return Ok(Forgotten::Hidden);
            }
        }
        let _ending = job.hold_ending_for(ENDING_PATIENCE).with_context(could_not)?;
        let buried = removal.tombstone.map_or(Ok(()), |tombstone| self.bury(tombstone));
        let lacks_room = buried.as_ref().is_err_and(lacks_room);
        if !lacks_room {
            buried.with_context(could_not)?;
        }
        let (names, gone) = (names_of(job), Gone::of(job, removal.how, removal.now));
        self.discard(&job.id, Some(&gone)).with_context(could_not)?;
        // The removal has made room for it.
        if let Some(tombstone) = removal.tombstone.filter(|_| lacks_room) {
            let _ = self.bury(tombstone);
        }
        self.unname(&job.id, &names);
        Ok(Forgotten::Removed)
    }

    /// Whether jobs can be removed at all.
    ///
    /// # Errors
    /// When they cannot, for example because the directory is read-only.
    pub fn check_writable(&self) -> Result<()> {
        let lock = self.root.lock_file(NAMES_LOCK);
        lock.map(drop).with_context(|| format!("could not change {}", self.root.path().display()))
    }

    /// Removes a job that could not be started, and its name. Nothing is told of it.
    pub fn remove(&self, job: &Job) {
        let _held = self.hold_names();
        self.unname(&job.id, &names_of(job));
        let _ = self.discard(&job.id, None);
    }

    /// Removes a job that was forgotten while it ran, and its name.
    pub fn remove_forgotten(&self, job: &Job, now: DateTime<Utc>) {
        let _held = self.hold_names();
        self.unname(&job.id, &names_of(job));
        let _ = self.discard(&job.id, Some(&Gone::of(job, How::Forgotten, now)));
    }

    /// Removes a job's directory: renames it away, then deletes it. What could not be deleted is swept later. What is told
    /// of it is written before, so that a kill does not lose it, or after, when the removal has made room.
    pub(super) fn discard(&self, id: &JobId, gone: Option<&Gone>) -> io::Result<()> {
        let is_remembered = gone.is_none_or(|gone| gone::remember(&self.root, gone).is_ok());
        let hidden = format!(".del-{}", random_name());
        self.dir.rename(id.as_str(), &self.root, &hidden)?;
        index::erase(&self.dir, id);
        let _ = self.root.remove_tree(&hidden);
        if let Some(gone) = gone.filter(|_| !is_remembered) {
            let _ = gone::remember(&self.root, gone);
        }
        Ok(())
    }

    /// A job that was removed in the last thirty days, by its id, a beginning of it, or its name.
    #[must_use]
    pub fn gone(&self, typed: &str, name: Option<&str>, now: DateTime<Utc>) -> Option<Gone> {
        gone::find(&self.root, self.kind, typed, name, now)
    }

    /// Forgets what is told of jobs that were removed longer ago.
    pub fn sweep_gone(&self, now: DateTime<Utc>) {
        gone::sweep(&self.root, now);
    }

    fn graves(&self) -> io::Result<Dir> {
        self.root.make_subdir(GRAVES)
    }

    fn bury(&self, tombstone: &Tombstone) -> io::Result<()> {
        self.graves()?.replace(tombstone.id.as_str(), &serde_json::to_vec(tombstone)?)
    }

    /// The tombstones of forgotten runs whose containers may still have to be removed. One that cannot be read is left out.
    #[must_use]
    pub fn tombstones(&self) -> Vec<Tombstone> {
        let Ok(graves) = self.root.subdir(GRAVES) else { return Vec::new() };
        let read = |name: &String| serde_json::from_slice(&graves.read(name, SMALL_TOMBSTONE).ok()?).ok();
        graves.names().unwrap_or_default().iter().filter_map(read).collect()
    }

    /// Removes a tombstone.
    pub fn unbury(&self, id: &JobId) {
        let _ = self.graves().map(|graves| graves.remove(id.as_str()));
    }

    /// Takes these names from a job, unless a newer job has them. The lock on the names must be held.
    fn unname(&self, id: &JobId, names: &[String]) {
        let Ok(place) = self.names() else { return };
        for name in names.iter().map(|name| digest(name)) {
            if place.read(&name, 100).is_ok_and(|bytes| bytes == id.as_str().as_bytes()) {
                let _ = place.remove(&name);
            }
        }
    }

    /// Removes directories that killed commands left incomplete. Those that are being created now are locked and kept.
    /// Returns how many it removed.
    pub fn sweep(&self) -> usize {
        let names = self.root.names().unwrap_or_default();
        let Ok(held) = self.hold_names() else { return 0 };
        let names = names.into_iter().filter(|name| is_remains(&self.root, name)).collect::<Vec<_>>();
        drop(held);
        names.iter().filter(|name| self.root.remove_tree(name).is_ok()).count()
    }

    /// Removes what a job left; returns whether it is gone. A job that another process is ending now is kept.
    pub fn remove_spent(&self, job: &Job, spent: Spent, now: DateTime<Utc>) -> bool {
        let Ok(Some(_ending)) = job.hold_ending() else { return false };
        match spent {
            Spent::Forgotten => {
                self.remove_forgotten(job, now);
                job.is_removed()
            }
            Spent::Context => job.dir.remove_tree(CONTEXT).is_ok(),
        }
    }
}

/// What a job has left that nobody needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// All of it: it was forgotten, and its supervisor was killed before it had removed it.
    Forgotten,
    /// The context of a build, which could not be removed.
    Context,
}

impl Spent {
    /// Of a job that has ended and of which nothing is left to do; `None` if it left nothing.
    #[must_use]
    pub fn of(job: &Job) -> Option<Self> {
        let spent = match (job.is_forgotten(), job.dir.has(CONTEXT)) {
            (true, _) => Self::Forgotten,
            (false, true) => Self::Context,
            (false, false) => return None,
        };
        (!job.is_unfinished() && !job.is_supervised()).then_some(spent)
    }
}

/// The names that may be those of a job, as far as its record can be read.
fn names_of(job: &Job) -> Vec<String> {
    let name = job.record().ok().and_then(|record| record.name);
    name.into_iter().chain([LATEST.to_owned()]).collect()
}

/// Whether an entry of the state directory is what a killed process left of a job that it made or removed.
pub(in super::super) fn is_remains(root: &Dir, name: &str) -> bool {
    name.starts_with(".del-") || name.starts_with(".new-") && root.subdir(name).is_ok_and(|dir| is_abandoned(&dir))
}

/// Whether its lock is free or missing: the process that created it is gone.
fn is_abandoned(dir: &Dir) -> bool {
    !dir.has(LOCK) || dir.open_file(LOCK).is_ok_and(|lock| lock.try_lock_shared().is_ok())
}
