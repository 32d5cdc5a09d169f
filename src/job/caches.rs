//! Which volumes of caches, and of copies of files, have been prepared, so that this is not done again for each run.
//!
//! ```text
//! STATE/.caches/<sha256 of the volume's name>   the engine and the time at which the volume was made
//! STATE/.caches.lock                            held while a volume is prepared
//! STATE/.copies-<0 to f>.lock                   held while a volume is filled with files of runs, or removed
//! ```

use std::fs::{File, TryLockError};

use anyhow::{Context as _, Result};

use super::store::{Store, digest};

const CACHES: &str = ".caches";
const LOCK: &str = ".caches.lock";
const COPIES: &str = ".copies-";
const NOT_LOCKED: &str = "could not lock the copies of files";
const LOCK_END: &str = ".lock";
const SMALL_MARK: u64 = 4 << 10;

/// The volumes of caches, as far as this state directory knows them. Of several processes one at a time has them.
#[derive(Debug)]
pub struct Caches<'a> {
    store: &'a Store,
    _lock: File,
}

impl Store {
    /// Waits until no other process prepares a cache.
    ///
    /// # Errors
    /// When the lock cannot be taken.
    pub fn hold_caches(&self) -> Result<Caches<'_>> {
        let lock = self.root().lock_file(LOCK).context("could not lock the caches")?;
        lock.lock().context("could not lock the caches")?;
        Ok(Caches { store: self, _lock: lock })
    }

    /// Takes the lock of a process that fills this volume with files of runs, without waiting: that could take as long as files of
    /// gigabytes are sent. `None` if another process has it. It is one of several locks, so that two volumes are mostly filled
    /// at the same time.
    ///
    /// # Errors
    /// When the lock cannot be taken.
    pub fn try_hold_copies(&self, volume: &str) -> Result<Option<Caches<'_>>> {
        let lock = self.copies_lock(volume)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Caches { store: self, _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).context(NOT_LOCKED),
        }
    }

    fn copies_lock(&self, volume: &str) -> Result<File> {
        self.root().lock_file(&format!("{COPIES}{}{LOCK_END}", &digest(volume)[..1])).context(NOT_LOCKED)
    }
}

impl Caches<'_> {
    /// What is remembered of this volume.
    #[must_use]
    pub fn known(&self, volume: &str) -> Option<String> {
        let known = self.store.root().subdir(CACHES).and_then(|dir| dir.read(&digest(volume), SMALL_MARK));
        String::from_utf8(known.ok()?).ok()
    }

    /// Whether this volume was prepared. `mark` says which volume of that name it is.
    #[must_use]
    pub fn is_prepared(&self, volume: &str, mark: &str) -> bool {
        self.known(volume).is_some_and(|known| known == mark)
    }

    /// Remembers that it was prepared.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn set_prepared(&self, volume: &str, mark: &str) -> Result<()> {
        let dir = self.store.root().make_subdir(CACHES)?;
        dir.replace(&digest(volume), mark.as_bytes()).context("could not record that the cache is prepared")
    }

    /// Forgets a volume that was removed. One of that name that is made later has another mark, so a record that stays
    /// says nothing wrong.
    pub fn forget(&self, volume: &str) {
        let _ = self.store.root().subdir(CACHES).and_then(|dir| dir.remove(&digest(volume)));
    }
}
