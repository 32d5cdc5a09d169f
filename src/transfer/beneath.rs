//! The directories below one that is open. They are reached name by name, and never through a link.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;

use crate::fs::directory_flags;

/// A directory, and the one below it that was used last. Neighbours are mostly used one after the other.
#[derive(Debug)]
pub struct Beneath {
    root: OwnedFd,
    last: Option<(PathBuf, OwnedFd)>,
}

impl Beneath {
    /// Below this directory.
    pub fn of(root: OwnedFd) -> Self {
        Self { root, last: None }
    }

    /// Opens the directory at a path that has only names; the empty path is the directory itself.
    ///
    /// # Errors
    /// As `openat(2)`; `ENOTDIR` or `ELOOP` for a link.
    pub fn dir(&mut self, path: &Path) -> io::Result<BorrowedFd<'_>> {
        if path.as_os_str().is_empty() {
            return Ok(self.root.as_fd());
        }
        if self.last.as_ref().is_none_or(|(last, _)| last != path) {
            let opened = self.open(path)?;
            self.last = Some((path.to_owned(), opened));
        }
        Ok(self.last.as_ref().map_or(self.root.as_fd(), |(_, dir)| dir.as_fd()))
    }

    /// Opens the directory of an entry; also its name there.
    ///
    /// # Errors
    /// As [`Beneath::dir`].
    pub fn parent<'p>(&mut self, path: &'p Path) -> io::Result<(BorrowedFd<'_>, &'p OsStr)> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        Ok((self.dir(path.parent().unwrap_or(Path::new("")))?, name))
    }

    fn open(&self, path: &Path) -> io::Result<OwnedFd> {
        let near = self.last.as_ref().and_then(|(last, dir)| Some((path.strip_prefix(last).ok()?, dir)));
        let (rest, start) = near.unwrap_or((path, &self.root));
        let mut opened: Option<OwnedFd> = None;
        for name in rest {
            let from = opened.as_ref().unwrap_or(start);
            opened = Some(rustix::fs::openat(from, name, directory_flags(), Mode::empty())?);
        }
        opened.map_or_else(|| start.try_clone(), Ok)
    }
}
