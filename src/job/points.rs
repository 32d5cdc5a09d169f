//! Mount points that longshore made in source directories. docker needs the directories `data` and `output` in a source
//! directory, to mount the input and the output there. Those that are missing are made as the caller before a run, and
//! removed when no run needs them any more.
//!
//! ```text
//! STATE/.points/<sha256>   a file for each: its path, what identifies the directory, its source directory, the engine
//! STATE/.points.lock       held while they are made, until the run that needs them is published, and while they are removed
//! ```
//!
//! `rmdir` of a directory that is a mount point in a container succeeds and detaches the mount there. So one is removed only
//! if no unfinished run of this state directory needs it, and if its engine runs no container with its source directory, which
//! may be of another user. It must be empty, and the directory that was made.

use std::cmp::Reverse;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::record::{FORMAT, Record};
use super::store::{Extent, Store, digest};
use crate::fault;
use crate::fs::{Dir, identity};
use crate::names::{Endpoint, JobId, MountPath};

const POINTS: &str = ".points";
const LOCK: &str = ".points.lock";
const SMALL_POINT: u64 = 64 << 10;

/// A mount point that longshore made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Point {
    /// [`FORMAT`]
    format: u32,
    /// The directory.
    path: PathBuf,
    /// What it has that no other directory has; `None` if the process that made it was killed before this was recorded.
    identity: Option<String>,
    /// The source directory that it is in.
    pub source: MountPath,
    /// The docker program of the run for which it was made.
    pub docker: PathBuf,
    /// The engine of that run.
    pub endpoint: Endpoint,
}

/// Mount points that are being made for a run. As long as it lives, none is removed. When it is dropped and the run was not
/// published, those that it made are removed.
#[derive(Debug)]
pub struct Making<'a> {
    store: &'a Store,
    id: JobId,
    made: Vec<Point>,
    _lock: File,
}

impl Store {
    /// Keeps all mount points from being removed, so that they can be looked at and made.
    ///
    /// # Errors
    /// When the lock cannot be taken.
    pub fn hold_points(&self, id: &JobId) -> Result<Making<'_>> {
        let lock = self.lock_points().context("could not lock the mount points")?;
        Ok(Making { store: self, id: id.clone(), made: Vec::new(), _lock: lock })
    }

    /// Removes the mount points that no run needs any more, as far as `is_free` says yes of them. It is asked without the
    /// lock, because an engine may take long to answer. Returns how many were removed.
    pub fn remove_points(&self, is_free: impl Fn(&Point) -> bool) -> usize {
        let spare = |points: Vec<Point>| {
            let needed = if points.is_empty() { None } else { self.needed_points() };
            let is_spare = |point: &Point| {
                needed.as_ref().is_some_and(|needed| !needed.iter().any(|path| path.starts_with(&point.path)))
            };
            points.into_iter().filter(is_spare).collect::<Vec<_>>()
        };
        let mut free = spare(self.points());
        free.retain(is_free);
        if free.is_empty() {
            return 0;
        }
        let Ok(_held) = self.lock_points() else { return 0 };
        let mut points = spare(self.points());
        points.retain(|point| free.contains(point));
        points.sort_by_key(|point| Reverse(point.path.components().count()));
        points.iter().filter(|point| self.remove_point(point)).count()
    }

    fn lock_points(&self) -> io::Result<File> {
        let lock = self.root().lock_file(LOCK)?;
        lock.lock()?;
        Ok(lock)
    }

    /// One that cannot be read is left out.
    fn points(&self) -> Vec<Point> {
        let Ok(dir) = self.root().subdir(POINTS) else { return Vec::new() };
        let read = |name: &String| serde_json::from_slice(&dir.read(name, SMALL_POINT).ok()?).ok();
        let points = dir.names().unwrap_or_default();
        points.iter().filter_map(read).filter(|point: &Point| point.format <= FORMAT).collect()
    }

    /// The mount points in source directories that unfinished runs need, whoever made them. `None` if that cannot be told.
    fn needed_points(&self) -> Option<Vec<PathBuf>> {
        let mut needed = Vec::new();
        for job in self.all(Extent::Everything).ok()?.flatten().filter(|job| !job.dir.has(super::EXIT)) {
            match job.record() {
                Ok(record) => needed.extend(record.run().map(super::record::Run::points).unwrap_or_default()),
                Err(_) if job.has_surely_ended().unwrap_or(false) => {}
                Err(_) => return None,
            }
        }
        Some(needed)
    }

    /// Removes the directory, unless it is another one by now or has something in it: it is the user's then.
    fn remove_point(&self, point: &Point) -> bool {
        let is_same = point.identity.is_none() || identity(&point.path).ok() == point.identity;
        let removed = if is_same { std::fs::remove_dir(&point.path) } else { Err(io::ErrorKind::NotFound.into()) };
        fault::point("point-removed");
        if !removed.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ResourceBusy) {
            let _ = self.root().subdir(POINTS).and_then(|dir| dir.remove(&name(&point.path)));
        }
        removed.is_ok()
    }
}

impl Making<'_> {
    /// Makes a directory for a run if it is missing, and remembers that it is to be removed. One that somebody else makes at
    /// the same time is theirs.
    ///
    /// # Errors
    /// When it cannot be made or remembered.
    pub fn make(&mut self, path: &Path, record: &Record, source: &MountPath) -> io::Result<()> {
        if path.symlink_metadata().is_ok() {
            return Ok(());
        }
        let dir = self.store.root().make_subdir(POINTS)?;
        let mut point = Point {
            format: FORMAT,
            path: path.to_path_buf(),
            identity: None,
            source: source.clone(),
            docker: record.docker.clone(),
            endpoint: record.endpoint.clone(),
        };
        // Before it is made, so that nothing is left in the user's directory by a process that is killed.
        write(&dir, &point)?;
        fault::point("point-noted");
        if let Err(error) = std::fs::create_dir(path) {
            let _ = dir.remove(&name(path));
            return if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) };
        }
        fault::point("point-made");
        point.identity = identity(path).ok();
        let written = write(&dir, &point);
        self.made.push(point);
        written
    }
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        if self.store.job(&self.id).is_none() {
            for point in self.made.iter().rev() {
                self.store.remove_point(point);
            }
        }
    }
}

fn write(dir: &Dir, point: &Point) -> io::Result<()> {
    dir.replace(&name(&point.path), &serde_json::to_vec(point)?)
}

fn name(path: &Path) -> String {
    digest(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Env;
    use crate::job::record::{Exit, Kind, Outcome, Work};

    struct Place {
        dir: tempfile::TempDir,
        store: Store,
    }

    impl Place {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            std::fs::create_dir(dir.path().join("src")).unwrap();
            let store = Store::make(&Env::in_dir(dir.path()), Kind::Run).unwrap();
            Self { dir, store }
        }

        fn point(&self, name: &str) -> PathBuf {
            self.dir.path().join("src").join(name)
        }

        /// A run of the source directory with an input.
        fn record(&self) -> Record {
            let mut record = Record::example(&Store::new_id(), Kind::Run, None);
            let Work::Run(run) = &mut record.work else { panic!("it is a run") };
            run.source = MountPath::from_path(&self.dir.path().join("src")).unwrap();
            run.input = Some(MountPath::from_path(self.dir.path()).unwrap());
            record
        }

        /// Publishes it with its mount point, as `exec run` does.
        fn publish(&self) -> super::super::Job {
            let record = self.record();
            let prepared = self.store.prepare(&record).unwrap();
            let mut making = self.store.hold_points(&record.id).unwrap();
            let run = record.run().unwrap();
            run.points().iter().for_each(|point| making.make(point, &record, &run.source).unwrap());
            prepared.publish().unwrap().0
        }
    }

    #[test]
    fn a_point_is_removed_after_the_last_run_that_needs_it() {
        let place = Place::new();
        let (first, second) = (place.publish(), place.publish());
        let data = place.point("data");
        assert!(data.is_dir());
        first.finish(&Exit::new(Outcome::Succeeded)).unwrap();
        assert_eq!(place.store.remove_points(|_| true), 0);
        assert!(data.is_dir(), "the other run needs it");
        second.finish(&Exit::new(Outcome::Succeeded)).unwrap();
        assert_eq!(place.store.remove_points(|_| false), 0);
        assert!(data.is_dir(), "a container of somebody else has it");
        assert_eq!(place.store.remove_points(|_| true), 1);
        assert!(!data.exists());
        assert_eq!(place.store.points(), []);
    }

    #[test]
    fn a_run_that_is_not_published_leaves_nothing() {
        let place = Place::new();
        let record = place.record();
        let mut making = place.store.hold_points(&record.id).unwrap();
        for name in ["a", "a/b"] {
            making.make(&place.point(name), &record, &record.run().unwrap().source).unwrap();
        }
        assert!(place.point("a/b").is_dir());
        drop(making);
        assert!(!place.point("a").exists());
        assert_eq!(place.store.points(), []);
    }

    #[test]
    fn what_is_the_users_by_now_stays() {
        let place = Place::new();
        let job = place.publish();
        job.finish(&Exit::new(Outcome::Succeeded)).unwrap();
        let data = place.point("data");
        std::fs::write(data.join("mine"), "").unwrap();
        assert_eq!(place.store.remove_points(|_| true), 0);
        assert!(data.join("mine").exists());
        assert_eq!(place.store.points(), [], "it is not looked at again");

        let job = place.publish();
        job.finish(&Exit::new(Outcome::Succeeded)).unwrap();
        std::fs::remove_dir_all(&data).unwrap();
        place.publish().finish(&Exit::new(Outcome::Succeeded)).unwrap();
        std::fs::remove_dir(&data).unwrap();
        // Another directory of that name, also where the file system uses the number again.
        std::fs::create_dir(place.point("x")).unwrap();
        std::fs::create_dir(&data).unwrap();
        assert_eq!(place.store.remove_points(|_| true), 0);
        assert!(data.is_dir());
    }

    #[test]
    fn a_point_that_was_there_before_is_never_removed() {
        let place = Place::new();
        std::fs::create_dir(place.point("data")).unwrap();
        place.publish().finish(&Exit::new(Outcome::Succeeded)).unwrap();
        assert_eq!(place.store.remove_points(|_| true), 0);
        assert!(place.point("data").is_dir());
    }
}
