//! The state directory as a whole: what it is like, whether its locks work, and what killed processes left in it. It is for
//! those who ask how it is, and changes nothing but its own lock file.

use std::fs::TryLockError;
use std::io;

use anyhow::Result;

use super::hold_soon;
use super::store::{NAMES_LOCK, SWEEP_LOCK, is_remains, open_root};
use crate::env::Env;
use crate::fs::{Dir, Room};

/// The state directory, held open.
#[derive(Debug)]
pub struct Upkeep {
    root: Dir,
}

impl Upkeep {
    /// Opens it; `None` if it does not exist yet.
    ///
    /// # Errors
    /// As [`Store::open`](super::store::Store::open).
    pub fn open(env: &Env) -> Result<Option<Self>> {
        Ok(open_root(env)?.map(|root| Self { root }))
    }

    /// Who may use it.
    ///
    /// # Errors
    /// As `fstat(2)`.
    pub fn mode(&self) -> io::Result<u32> {
        self.root.mode()
    }

    /// The name of its file system.
    #[must_use]
    pub fn file_system(&self) -> String {
        self.root.file_system()
    }

    /// Whether its file system is one on which locks are not reliable, and the user allows it.
    #[must_use]
    pub fn is_on_untrusted(&self) -> bool {
        self.root.untrusted_file_system().is_some()
    }

    /// The room that is left.
    ///
    /// # Errors
    /// As `fstatvfs(3)`.
    pub fn room(&self) -> io::Result<Room> {
        self.root.room()
    }

    /// Whether a lock that is held is refused to others. The lock of sweeps is used, which nobody waits for.
    ///
    /// # Errors
    /// When it cannot be opened or locked, for example because the directory is read-only.
    pub fn locks_work(&self) -> io::Result<bool> {
        let (first, second) = (self.root.lock_file(SWEEP_LOCK)?, self.root.lock_file(SWEEP_LOCK)?);
        let is_held = |locked: Result<(), TryLockError>| match locked {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        };
        // If another process holds it, that proves as much.
        Ok(is_held(first.try_lock())? || is_held(second.try_lock())?)
    }

    /// Directories that killed processes left of jobs that they made or removed.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn remains(&self) -> io::Result<Vec<String>> {
        let mut names = self.root.names()?;
        // A directory that is just being made must not be looked at before it has its lock.
        let held = hold_soon(|| self.root.lock_file(NAMES_LOCK)).ok().flatten();
        names.retain(|name| (held.is_some() || name.starts_with(".del-")) && is_remains(&self.root, name));
        names.sort();
        Ok(names)
    }
}
