//! The directory of all jobs: publishing, finding, forgetting.
//!
//! ```text
//! STATE/build/<id>/  run/<id>/        a job each
//! STATE/.new-*  .del-*                being made, being removed; not among the jobs, so that sweeping costs nothing
//! STATE/<kind>/.names/<sha256>        the id of the newest job of that name; "@latest" is one of them
//! STATE/.names.lock                   held while a name changes hands or a directory gets its lock
//! ```
//! A job appears by one rename and disappears by one. Names are data: only their digest is ever part of a path.

use std::fs::File;
use std::io;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use super::record::{Kind, Record};
use super::{CONTROL, EXIT_ROOM, EXIT_SIZE, FORGOTTEN, Job, LOCK, LOG, RECORD};
use crate::env::Env;
use crate::error::{self, Failure};
use crate::fs::{Dir, random_name};
use crate::names::JobId;

const NAMES: &str = ".names";
const NAMES_LOCK: &str = ".names.lock";
const LATEST: &str = "@latest";

/// A job that is written and not yet published. It goes away again when it is dropped.
#[derive(Debug)]
pub struct Prepared<'a> {
    store: &'a Store,
    record: &'a Record,
    temporary: String,
    lock: File,
    published: bool,
}

impl Prepared<'_> {
    /// Makes it a job by one rename. The lock comes back, to be handed to the supervisor.
    ///
    /// A name belongs to the newest job that asked for it, and cannot be taken from one that still runs. A build takes
    /// the place of the one that had its name before; runs of one name stand beside each other.
    ///
    /// # Errors
    /// [`error::Kind::Conflict`] when the name is in use; otherwise what the file system says. Nothing is left.
    pub fn publish(mut self) -> Result<(Job, File)> {
        let (store, record) = (self.store, self.record);
        let could_not = || format!("could not record the new {}", record.kind.word());
        let held = store.hold_names().with_context(could_not)?;
        let before = record.name.as_deref().and_then(|name| store.named(name));
        if let Some(before) = &before {
            store.refuse_running(before, record)?;
        }
        store.root.rename(&self.temporary, &store.dir, record.id.as_str()).with_context(could_not)?;
        self.published = true;
        if let Err(error) = store.give_names(record) {
            store.discard(&record.id);
            return Err(error).with_context(could_not);
        }
        if let Some(before) = before.filter(|_| record.kind == Kind::Build) {
            store.discard(&before.id);
        }
        drop(held);
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
    /// Opens the directory for writing, making it when it is missing.
    ///
    /// # Errors
    /// [`error::Kind::State`], with the reason: somebody else's, writable by others, read-only, on a file system
    /// whose locks cannot be trusted, or in another user's home under sudo.
    pub fn make(env: &Env, kind: Kind) -> Result<Self> {
        let place = env.state_dir()?;
        let root = Dir::make(place).map_err(|error| unusable(env, &error))?;
        check(env, &root)?;
        let dir = root.make_subdir(kind.word()).map_err(|error| unusable(env, &error))?;
        Ok(Self { kind, root, dir })
    }

    /// Opens the directory for reading; nothing when there is none yet.
    ///
    /// # Errors
    /// As [`Store::make`].
    pub fn open(env: &Env, kind: Kind) -> Result<Option<Self>> {
        let root = match Dir::open(env.state_dir()?) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|error| unusable(env, &error))?,
        };
        check(env, &root)?;
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

    /// Writes and syncs a job under a name that no reader looks at, with its lock held.
    ///
    /// # Errors
    /// What the file system says. Nothing is left.
    pub fn prepare<'a>(&'a self, record: &'a Record) -> Result<Prepared<'a>> {
        self.sweep();
        let temporary = format!(".new-{}", random_name());
        let filled = self.fill(&temporary, record).inspect_err(|_| drop(self.root.remove_tree(&temporary)));
        let lock = filled.with_context(|| format!("could not record the new {}", record.kind.word()))?;
        Ok(Prepared { store: self, record, temporary, lock, published: false })
    }

    fn give_names(&self, record: &Record) -> io::Result<()> {
        let names = self.names()?;
        let mut wanted = record.name.iter().map(String::as_str).chain([LATEST]);
        wanted.try_for_each(|name| names.replace(&digest(name), record.id.as_str().as_bytes()))
    }

    fn fill(&self, temporary: &str, record: &Record) -> Result<File> {
        // A sweep must not come between the directory and its lock.
        let held = self.hold_names()?;
        let dir = self.root.make_subdir(temporary)?;
        let lock = dir.lock_file(LOCK)?;
        lock.try_lock().context("could not lock the new directory")?;
        drop(held);
        dir.write_new(RECORD, &serde_json::to_vec_pretty(record)?)?;
        dir.write_new(EXIT_ROOM, &[b' '; EXIT_SIZE])?;
        dir.make_fifo(CONTROL)?;
        dir.write_new(LOG, b"")?;
        dir.sync()?;
        Ok(lock)
    }

    fn refuse_running(&self, before: &Job, record: &Record) -> Result<()> {
        if before.has_ended() {
            return Ok(());
        }
        let name = record.name.as_deref().unwrap_or_default();
        let noun = self.kind.noun();
        let failure = match self.kind {
            Kind::Build => {
                let forgotten = if before.dir.has(FORGOTTEN) { " by a forgotten build" } else { "" };
                Failure::new(
                    error::Kind::Conflict,
                    format!("image {name:?} is being built{forgotten} (status: running, id {})", before.id),
                )
                .hint(format!(
                    "wait for it with: longshore image wait {name}   or end it with: longshore image cancel {name}"
                ))
            }
            Kind::Run => {
                Failure::new(error::Kind::Conflict, format!("a run named {name:?} is still running (id {})", before.id))
                    .hint(format!("wait for it with: longshore {noun} wait {name}   or choose another --name"))
            }
        };
        Err(failure.into())
    }

    /// Held while a name changes hands or a directory gets its lock, for a few file operations at a time.
    fn hold_names(&self) -> Result<File> {
        let lock = self.root.lock_file(NAMES_LOCK)?;
        lock.lock()?;
        Ok(lock)
    }

    fn names(&self) -> io::Result<Dir> {
        self.dir.make_subdir(NAMES)
    }

    /// The job a name stands for, a forgotten one included: for those who must not start a second of that name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<Job> {
        let bytes = self.dir.subdir(NAMES).ok()?.read(&digest(name), 100).ok()?;
        self.job(&JobId::parse(std::str::from_utf8(&bytes).ok()?).ok()?)
    }

    /// The newest job, if it was not forgotten; otherwise the newest of those that are left.
    #[must_use]
    pub fn latest(&self) -> Option<Job> {
        let known = self.named(LATEST).filter(|job| !job.dir.has(FORGOTTEN));
        known.or_else(|| {
            let newest = self.all().ok()?.flatten().map(|job| (job.created(), job.id)).max()?;
            self.job(&newest.1)
        })
    }

    /// The job of that id.
    #[must_use]
    pub fn job(&self, id: &JobId) -> Option<Job> {
        let dir = self.dir.subdir(id.as_str()).ok()?;
        Some(Job { id: id.clone(), kind: self.kind, dir })
    }

    /// Every id there is. What is no id of ours is passed over: it is somebody else's.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn ids(&self) -> Result<Vec<JobId>> {
        let names = self.dir.names().with_context(|| format!("could not read {}", self.dir.path().display()))?;
        Ok(names.iter().filter_map(|name| JobId::parse(name).ok()).collect())
    }

    /// Every job that was not forgotten, opened one at a time: an open directory costs a descriptor. One that cannot be
    /// opened comes as its id and the reason.
    ///
    /// # Errors
    /// As [`Store::ids`].
    pub fn all(&self) -> Result<impl Iterator<Item = Result<Job, (JobId, io::Error)>>> {
        let open = |id: JobId| match self.dir.subdir(id.as_str()) {
            Ok(dir) => Some(Ok(Job { id, kind: self.kind, dir })).filter(|job| !is_forgotten(job)),
            // It went away meanwhile, or something else has a name like an id's.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => None,
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => None,
            Err(error) => Some(Err((id, error))),
        };
        Ok(self.ids()?.into_iter().filter_map(open))
    }

    /// Drops what is kept about a job. One that still runs is not stopped: it is hidden at once, and its supervisor
    /// removes what is left when it has ended.
    ///
    /// # Errors
    /// What the file system says.
    pub fn forget(&self, job: &Job) -> Result<()> {
        let could_not = || format!("could not forget {}", job.id);
        let _held = self.hold_names().with_context(could_not)?;
        if !job.has_ended() {
            job.dir.replace(FORGOTTEN, b"").with_context(could_not)?;
            // The supervisor looks for the mark after its last word. If that came first, the rest is ours to do.
            if !job.has_ended() {
                return Ok(());
            }
        }
        self.unname(job);
        self.discard(&job.id);
        Ok(())
    }

    /// Removes a job that nobody wants to hear of any more, with its name.
    pub fn remove(&self, job: &Job) {
        let _held = self.hold_names();
        self.unname(job);
        self.discard(&job.id);
    }

    /// Removes a job's directory: hidden by one rename, then emptied.
    fn discard(&self, id: &JobId) {
        let hidden = format!(".del-{}", random_name());
        if self.dir.rename(id.as_str(), &self.root, &hidden).is_ok() {
            let _ = self.root.remove_tree(&hidden);
        }
    }

    /// Takes the job's name away from it, if it still has it. The lock on the names must be held.
    fn unname(&self, job: &Job) {
        let name = job.record().ok().and_then(|record| record.name);
        for name in name.iter().map(String::as_str).chain([LATEST]) {
            if self.named(name).is_some_and(|named| named.id == job.id)
                && let Ok(names) = self.names()
            {
                let _ = names.remove(&digest(name));
            }
        }
    }

    /// Removes what killed commands left half made or half removed. What is being made right now is locked.
    pub fn sweep(&self) {
        let mut names = self.root.names().unwrap_or_default();
        let Ok(held) = self.hold_names() else { return };
        names.retain(|name| {
            name.starts_with(".del-")
                || name.starts_with(".new-") && self.root.subdir(name).is_ok_and(|dir| is_abandoned(&dir))
        });
        drop(held);
        for name in names {
            let _ = self.root.remove_tree(&name);
        }
    }
}

fn is_forgotten(job: &Result<Job, (JobId, io::Error)>) -> bool {
    job.as_ref().is_ok_and(|job| job.dir.has(FORGOTTEN))
}

/// Nobody holds its lock, or it has none: whoever was making it is gone, however far that came.
fn is_abandoned(dir: &Dir) -> bool {
    !dir.has(LOCK) || dir.open_file(LOCK).is_ok_and(|lock| lock.try_lock_shared().is_ok())
}

fn digest(name: &str) -> String {
    Sha256::digest(name.as_bytes()).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
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
