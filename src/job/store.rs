//! The directory of all jobs: publishes and finds jobs. `removal` removes them.
//!
//! ```text
//! STATE/build/<id>/  run/<id>/        one directory per job
//! STATE/.new-*  .del-*                directories that are being created or removed; outside build/ and run/, so that sweeping is cheap
//! STATE/<kind>/.names/<sha256>        the id of the newest job with that name; "@latest" is one of the names
//! STATE/.forgotten/<id>               a tombstone: the container of a forgotten run may still have to be removed
//! STATE/.gone/<day>                   a line for each job that was removed on that day, see `gone`
//! STATE/.sweep.lock                   held by the process that finishes what killed processes left
//! STATE/.names.lock                   held while a name changes its job or a directory gets its lock
//! STATE/.points/  .points.lock        mount points in source directories; see `points`
//! STATE/.queues/                      the queues; see `queue`
//! ```
//!
//! A job appears by one rename and disappears by one rename. A name is never part of a path; only its digest is.

mod removal;

use std::cmp::Reverse;
use std::fs::File;
use std::io::{self, Write as _};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use super::glance::Glance;
use super::gone::{Gone, How};
use super::index::{self, Copied, Index};
use super::mark::Mark;
use super::record::{Kind, Record};
use super::{CONTROL, ENDING, EXIT_ROOM, EXIT_SIZE, HOOK_DUE, Job, LOCK, LOG, RECORD, STOP, STOP_SIZE};
use crate::env::Env;
use crate::error::{self, Failure};
use crate::fault;
use crate::fs::{Dir, random_name};
use crate::names::JobId;
use crate::parallel;
pub(super) use removal::is_remains;
pub use removal::{Forgotten, IfRunning, Removal, Spent};

const NAMES: &str = ".names";
pub(super) const NAMES_LOCK: &str = ".names.lock";
pub(super) const SWEEP_LOCK: &str = ".sweep.lock";
const LATEST: &str = "@latest";
const GRAVES: &str = ".forgotten";
const SMALL_TOMBSTONE: u64 = 64 << 10;

/// Which jobs are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Those that were not forgotten.
    Remembered,
    /// Also those that were forgotten while they ran.
    Everything,
}

/// A job that is written and not yet published. It is removed when it is dropped.
#[derive(Debug)]
pub struct Prepared<'a> {
    store: &'a Store,
    record: &'a Record,
    temporary: String,
    lock: File,
    published: bool,
}

impl Prepared<'_> {
    /// Checks whether its name is free. It may be taken before the job is published.
    ///
    /// # Errors
    /// [`error::Kind::Conflict`] when the name is in use.
    pub fn check_name(&self) -> Result<()> {
        self.store.holder(self.record)?.map_or(Ok(()), |holder| Err(self.store.in_use(&holder, self.record).into()))
    }

    /// Publishes it by one rename. Returns the lock, for the supervisor.
    ///
    /// A name refers to the newest job with that name, and cannot be taken from one that still runs, unless that is a
    /// forgotten run. A build replaces the older build with its name; older runs with the same name are kept.
    ///
    /// # Errors
    /// [`error::Kind::Conflict`] when the name is in use, or an error of the file system. Nothing is left behind.
    pub fn publish(mut self) -> Result<(Job, File)> {
        let (store, record) = (self.store, self.record);
        let could_not = || format!("could not record the new {}", record.kind.word());
        let held = store.hold_names().with_context(could_not)?;
        if let Some(holder) = store.holder(record)? {
            return Err(store.in_use(&holder, record).into());
        }
        let before = record.name.as_deref().and_then(|name| store.named(name));
        store.root.place(&self.temporary, &store.dir, record.id.as_str()).with_context(could_not)?;
        self.published = true;
        fault::point("placed");
        if let Err(error) = store.dir.sync().and_then(|()| store.give_names(record)) {
            let _ = store.discard(&record.id, None);
            return Err(error).with_context(could_not);
        }
        if let Some(before) = before.filter(|_| record.kind == Kind::Build) {
            let gone = Gone::of(&before, How::Replaced, record.created);
            let _ = store.discard(&before.id, Some(&gone));
        }
        drop(held);
        fault::point("published");
        let lock = self.lock.try_clone().with_context(could_not)?;
        Ok((store.job(&record.id).context("the job just published is gone")?, lock))
    }
}

impl Drop for Prepared<'_> {
    fn drop(&mut self) {
        if !self.published {
            let _ = self.store.root.remove_tree(&self.temporary);
        }
    }
}

/// All jobs of one kind.
#[derive(Debug)]
pub struct Store {
    /// Build or run.
    pub kind: Kind,
    root: Dir,
    dir: Dir,
}

impl Store {
    /// Opens the directory for writing. Creates it if it is missing.
    ///
    /// # Errors
    /// [`error::Kind::State`], with the reason: it belongs to another user, is writable by others, is read-only, is on a
    /// file system whose locks are not reliable, or is in another user's home under sudo.
    pub fn make(env: &Env, kind: Kind) -> Result<Self> {
        let root = make_root(env)?;
        let dir = root.make_subdir(kind.word()).map_err(|error| unusable(env, &error))?;
        Ok(Self { kind, root, dir })
    }

    /// Opens the directory for reading; `None` if it does not exist yet.
    ///
    /// # Errors
    /// As [`Store::make`].
    pub fn open(env: &Env, kind: Kind) -> Result<Option<Self>> {
        let Some(root) = open_root(env)? else { return Ok(None) };
        match root.subdir(kind.word()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => Ok(Some(Self { dir: opened.map_err(|error| unusable(env, &error))?, kind, root })),
        }
    }

    /// A new random id.
    #[must_use]
    pub fn new_id() -> JobId {
        JobId::from_bytes(crate::fs::random_bytes::<12>())
    }

    /// Writes and syncs a job under a temporary name that readers ignore, with its lock held.
    ///
    /// # Errors
    /// An error of the file system. Nothing is left behind.
    pub fn prepare<'a>(&'a self, record: &'a Record) -> Result<Prepared<'a>> {
        self.sweep();
        let temporary = format!(".new-{}", random_name());
        let filled = self.fill(&temporary, record).inspect_err(|_| drop(self.root.remove_tree(&temporary)));
        let lock = filled.with_context(|| format!("could not record the new {}", record.kind.word()))?;
        Ok(Prepared { store: self, record, temporary, lock, published: false })
    }

    /// Puts the files of the names in place, which were written and synced while the job was prepared.
    fn give_names(&self, record: &Record) -> io::Result<()> {
        let (names, job) = (self.names()?, self.dir.subdir(record.id.as_str())?);
        wanted_names(record).try_for_each(|name| job.place(&digest(name), &names, &digest(name)))?;
        names.sync()
    }

    fn fill(&self, temporary: &str, record: &Record) -> Result<File> {
        // A sweep must not see the directory before it has its lock.
        let held = self.hold_names()?;
        let dir = self.root.make_subdir(temporary)?;
        let mut lock = dir.lock_file(LOCK)?;
        lock.try_lock().context("could not lock the new directory")?;
        drop(held);
        fault::point("made");
        lock.write_all(dir.identity(LOCK)?.as_bytes())?;
        dir.write_new(RECORD, &serde_json::to_vec_pretty(record)?)?;
        dir.write_new(EXIT_ROOM, &[b' '; EXIT_SIZE])?;
        dir.make_room(STOP, STOP_SIZE)?;
        dir.make_fifo(CONTROL)?;
        if record.log_limit().is_some() {
            Mark::make(&dir, LOG, 0)?;
        }
        dir.write_new(LOG, b"")?;
        // Made in advance, so that a job can be forgotten where no file can be made any more.
        dir.write_new(ENDING, b"")?;
        if record.after.on_exit.is_some() {
            dir.write_new(HOOK_DUE, b"{}")?;
        }
        wanted_names(record).try_for_each(|name| dir.write_new(&digest(name), record.id.as_str().as_bytes()))?;
        dir.sync()?;
        fault::point("written");
        Ok(lock)
    }

    /// The running job that keeps the name of a new one from being used. docker tags the image when a build ends: if a
    /// forgotten build ended last, the name would be that of the older image. Nothing but the record of a run depends on its
    /// name, so a forgotten run does not keep it.
    ///
    /// # Errors
    /// When it cannot be told whether it runs.
    pub fn holder(&self, record: &Record) -> Result<Option<Job>> {
        let named = record.name.as_deref().and_then(|name| self.named(name));
        let Some(named) = named.filter(|named| self.kind == Kind::Build || !named.is_forgotten()) else {
            return Ok(None);
        };
        Ok((!named.has_surely_ended()?).then_some(named))
    }

    /// The refusal of a new job whose name `holder` has.
    #[must_use]
    pub fn in_use(&self, holder: &Job, record: &Record) -> Failure {
        let (name, id) = (record.shown_name().unwrap_or_default(), &holder.id);
        let still = holder.still();
        let status = still.trim_start_matches("still ");
        let (message, hint) = match (self.kind, holder.is_forgotten()) {
            (Kind::Build, false) => (
                format!("image {name:?} is being built (status: {status}, id {id})"),
                format!(
                    "wait for it with: longshore image wait {name}   or end it with: longshore image cancel {name}"
                ),
            ),
            (Kind::Build, true) => (
                format!("image {name:?} is still being built by a forgotten build (status: {status}, id {id})"),
                format!("end it with: longshore image cancel {id}   or wait for it with: longshore image wait {id}"),
            ),
            (Kind::Run, _) => (
                format!("a run named {name:?} is {still} (id {id})"),
                format!("wait for it with: longshore exec wait {name}   or choose another --name"),
            ),
        };
        Failure::new(error::Kind::Conflict, message).hint(hint)
    }

    /// Locks the names. The lock is held for a few file operations at a time.
    fn hold_names(&self) -> Result<File> {
        let lock = self.root.lock_file(NAMES_LOCK)?;
        lock.lock()?;
        Ok(lock)
    }

    /// Takes the lock of a sweep without waiting; `None` if another process has it.
    ///
    /// # Errors
    /// When it cannot be opened, for example because the directory is read-only.
    pub fn hold_sweep(&self) -> io::Result<Option<File>> {
        super::try_hold(self.root.lock_file(SWEEP_LOCK)?)
    }

    fn names(&self) -> io::Result<Dir> {
        self.dir.make_subdir(NAMES)
    }

    /// The job with this name, even if it was forgotten, so that no second build of this name is started.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<Job> {
        let bytes = self.dir.subdir(NAMES).ok()?.read(&digest(name), 100).ok()?;
        self.job(&JobId::parse(std::str::from_utf8(&bytes).ok()?).ok()?)
    }

    /// The newest job that was not forgotten.
    #[must_use]
    pub fn latest(&self) -> Option<Job> {
        let known = self.named(LATEST).filter(|job| !job.is_forgotten());
        known.or_else(|| {
            let newest = self.all(Extent::Remembered).ok()?.flatten().map(|job| (job.created(), job.id)).max()?;
            self.job(&newest.1)
        })
    }

    /// The job with this id.
    #[must_use]
    pub fn job(&self, id: &JobId) -> Option<Job> {
        let dir = self.dir.subdir(id.as_str()).ok()?;
        Some(Job { id: id.clone(), kind: self.kind, dir })
    }

    /// The ids of all jobs. Other names in the directory are ignored.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn ids(&self) -> Result<Vec<JobId>> {
        self.ids_from("")
    }

    /// The ids of all jobs that begin so.
    ///
    /// # Errors
    /// As [`Store::ids`].
    pub fn ids_from(&self, start: &str) -> Result<Vec<JobId>> {
        let mut ids = Vec::new();
        let read = self.dir.each_name(|name| {
            if name.starts_with(start) {
                ids.extend(JobId::parse(name));
            }
        });
        read.with_context(|| format!("could not read {}", self.dir.path().display()))?;
        Ok(ids)
    }

    /// Every job, or every job that was not forgotten. They are opened one at a time, because an open directory needs a
    /// descriptor. For a job that cannot be opened the item is its id and the error.
    ///
    /// # Errors
    /// As [`Store::ids`].
    pub fn all(&self, extent: Extent) -> Result<impl Iterator<Item = Result<Job, (JobId, io::Error)>>> {
        let open = move |id: JobId| match self.listed(&id, extent) {
            Ok(job) => job.map(Ok),
            Err(error) => Some(Err((id, error))),
        };
        Ok(self.ids()?.into_iter().filter_map(open))
    }

    /// A job for a list; `None` if it is hidden, was removed meanwhile, or is not a directory.
    ///
    /// # Errors
    /// When its directory cannot be opened.
    pub fn listed(&self, id: &JobId, extent: Extent) -> io::Result<Option<Job>> {
        match self.dir.subdir(id.as_str()) {
            Ok(dir) => {
                let job = Job { id: id.clone(), kind: self.kind, dir };
                Ok((extent == Extent::Everything || !job.is_forgotten()).then_some(job))
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The index of the jobs that have ended.
    #[must_use]
    pub fn index(&self) -> Index {
        Index::read(&self.dir)
    }

    /// What the index has of a job; `None` if that is not the state of its directory.
    #[must_use]
    pub fn copy(&self, index: &Index, id: &JobId) -> Option<Copied> {
        index.copy(&self.dir, id)
    }

    /// Whether the index has a job that is still to be listed.
    #[must_use]
    pub fn is_listed(&self, index: &Index, id: &JobId) -> bool {
        index.entry(id).is_some_and(|entry| entry.is_listed(&self.dir, id))
    }

    /// Adds these jobs to the index, if they have ended and are worth it.
    pub fn add_to_index(&self, ids: &[JobId]) {
        index::add(&self.dir, ids, SystemTime::now());
    }

    /// At most `limit` jobs that were not forgotten, as their directories show them at once. If there are more, those are
    /// taken whose directories changed last. One that cannot be opened is left out.
    ///
    /// # Errors
    /// As [`Store::ids`].
    pub fn glances(&self, limit: usize) -> Result<Vec<Glance>> {
        let mut ids = self.ids()?;
        if ids.len() > limit {
            ids.sort_by_cached_key(|id| Reverse(self.dir.changed(id.as_str())));
            ids.truncate(limit);
        }
        let index = self.index();
        let glance = |id: &JobId| Glance::of(&self.dir, &index, id, || self.job(id));
        let glances: Vec<Glance> = parallel::map(&ids, glance).into_iter().flatten().collect();
        let new: Vec<JobId> = glances.iter().filter(|job| job.is_new_to_index()).map(|job| job.id.clone()).collect();
        self.add_to_index(&new);
        Ok(glances)
    }

    /// The state directory.
    pub(super) fn root(&self) -> &Dir {
        &self.root
    }
}

/// The names by which a new job is found.
fn wanted_names(record: &Record) -> impl Iterator<Item = &str> {
    record.name.iter().map(String::as_str).chain([LATEST])
}

pub(super) fn digest(name: &str) -> String {
    Sha256::digest(name.as_bytes()).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// Opens the state directory for writing. Creates it if it is missing.
///
/// # Errors
/// As [`Store::make`].
pub(super) fn make_root(env: &Env) -> Result<Dir> {
    let root = Dir::make(env.state_dir()?).map_err(|error| unusable(env, &error))?;
    check(env, &root)?;
    Ok(root)
}

/// Opens the state directory; `None` if it does not exist yet.
///
/// # Errors
/// As [`Store::make`].
pub(super) fn open_root(env: &Env) -> Result<Option<Dir>> {
    let root = match Dir::open(env.state_dir()?) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| unusable(env, &error))?,
    };
    check(env, &root)?;
    Ok(Some(root))
}

fn unusable(env: &Env, error: &io::Error) -> anyhow::Error {
    let place = env.state_dir().map(|dir| dir.display().to_string()).unwrap_or_default();
    Failure::new(error::Kind::State, format!("cannot use the state directory {place}: {error}"))
        .hint("longshore keeps its jobs there; set XDG_STATE_HOME to use another directory")
        .into()
}

fn check(env: &Env, root: &Dir) -> Result<()> {
    if let Some(kind) = root.untrusted_file_system().filter(|_| !env.any_file_system) {
        let place = root.path().display();
        return Err(Failure::new(
            error::Kind::State,
            format!("cannot use the state directory {place}: it is on {kind}, where locks are not reliable"),
        )
        .hint("set XDG_STATE_HOME to a local directory, or LONGSHORE_ANY_FILE_SYSTEM=1 if you know that its locks work")
        .into());
    }
    Ok(())
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
