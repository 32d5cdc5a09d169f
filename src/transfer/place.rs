//! What was unpacked, moved to where it belongs.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::shown;
use super::tree::names;
use crate::error::plain;
use crate::fault;
use crate::fs::directory_flags;

/// Moves each entry of `part` to the directory `output`, on the same file system, and makes all of it durable. Directories that
/// both have are merged: those of `output` keep their mode and owner. What else has the name of an entry is replaced. A link
/// in `output` is replaced, never followed.
///
/// `part` is empty afterwards. It has to be private. If this process is killed meanwhile, `place` with the same arguments
/// moves the rest.
///
/// # Errors
/// Nothing has been moved if a directory and something else have the same name, if a directory of `output` cannot be written to,
/// or if it is on another file system. On other errors a part of the entries has been moved.
pub fn place(part: &Path, output: &Path) -> io::Result<()> {
    let from = rustix::fs::open(part, directory_flags(), Mode::empty()).map_err(|errno| about("open", part, errno))?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let to = rustix::fs::open(output, flags, Mode::empty()).map_err(|errno| about("open", output, errno))?;
    let device = rustix::fs::fstat(&from)?.st_dev;
    let pair = Pair { from, to, path: output.to_owned() };
    pair.check(device)?;
    pair.carry_out()?;
    Ok(rustix::fs::syncfs(&pair.to)?)
}

/// Two directories of which one is moved into the other. The path is that of the target, for messages.
struct Pair {
    from: OwnedFd,
    to: OwnedFd,
    path: PathBuf,
}

impl Pair {
    /// Finds out whether everything can be moved.
    fn check(&self, device: u64) -> io::Result<()> {
        let refused = |why: &str| io::Error::other(format!("could not write to {}: {why}", shown(&self.path)));
        if rustix::fs::fstat(&self.to)?.st_dev != device {
            return Err(refused("it is on another file system"));
        }
        let names = names(&self.from)?;
        if !names.is_empty() {
            let access = rustix::fs::accessat(&self.to, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::empty());
            access.map_err(|errno| about("write to", &self.path, errno))?;
        }
        for name in names {
            let (new, old) = (stat(&self.from, &name)?, stat(&self.to, &name)?);
            let path = || shown(&self.path.join(&name));
            match (new.map(|stat| is_directory(&stat)), old.map(|stat| is_directory(&stat))) {
                (Some(true), Some(true)) => self.below(&name)?.check(device)?,
                (Some(true), Some(false)) => {
                    return Err(io::Error::other(format!(
                        "could not write {}: it is there, and is not a directory",
                        path()
                    )));
                }
                (Some(false), Some(true)) => {
                    return Err(io::Error::other(format!(
                        "could not write {}: there is a directory of that name",
                        path()
                    )));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn carry_out(&self) -> io::Result<()> {
        for name in names(&self.from)? {
            let path = self.path.join(&name);
            let Some(new) = stat(&self.from, &name)? else { continue };
            if !is_directory(&new) {
                self.rename(&name).map_err(|errno| about("write", &path, errno))?;
            } else if stat(&self.to, &name)?.is_some() {
                self.below(&name)?.carry_out()?;
                rustix::fs::unlinkat(&self.from, &name, AtFlags::REMOVEDIR)?;
            } else {
                self.move_directory(&name, &new).map_err(|errno| about("write", &path, errno))?;
            }
        }
        Ok(())
    }

    fn rename(&self, name: &OsStr) -> rustix::io::Result<()> {
        fault::call("place", name.display()).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        rustix::fs::renameat(&self.from, name, &self.to, name)
    }

    /// A directory that moves to another one has to be writable, because its `..` changes.
    fn move_directory(&self, name: &OsStr, stat: &Stat) -> rustix::io::Result<()> {
        if stat.st_mode & 0o300 == 0o300 {
            return self.rename(name);
        }
        let dir = opened(&self.from, name)?;
        self.rename(name)?;
        rustix::fs::fchmod(&dir, Mode::from_raw_mode(stat.st_mode & 0o7777))
    }

    /// The directories of a name that both have.
    fn below(&self, name: &OsStr) -> io::Result<Self> {
        let path = self.path.join(name);
        let open =
            || Ok((opened(&self.from, name)?, rustix::fs::openat(&self.to, name, directory_flags(), Mode::empty())?));
        let (from, to) = open().map_err(|errno| about("open", &path, errno))?;
        Ok(Self { from, to, path })
    }
}

/// Opens a directory of ours. Its mode may forbid that to us, too.
fn opened(dir: &OwnedFd, name: &OsStr) -> rustix::io::Result<OwnedFd> {
    let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
    if !mode.contains(Mode::RWXU) {
        rustix::fs::chmodat(dir, name, mode | Mode::RWXU, AtFlags::empty())?;
    }
    rustix::fs::openat(dir, name, directory_flags(), Mode::empty())
}

fn stat(dir: &OwnedFd, name: &OsStr) -> io::Result<Option<Stat>> {
    match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode).is_dir()
}

fn about(what: &str, path: &Path, errno: Errno) -> io::Error {
    let error = io::Error::from(errno);
    io::Error::new(error.kind(), format!("could not {what} {}: {}", shown(path), plain(&error)))
}

#[cfg(test)]
#[path = "place_tests.rs"]
mod tests;
