//! Unpacking of what an engine sends. Nothing of it is trusted: whatever the archive says, nothing is written outside the given
//! directory, through a link, or over something.
//!
//! Unpacked are files, directories, links that stay inside, and hard links to files. Other members that honest programs make
//! are left out and named: devices, FIFOs, links to elsewhere. Everything else is an error, and so is an archive without its
//! end. Owners and attributes are ignored, and of a mode the lowest nine bits are used.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::Errno;

use super::beneath::Beneath;
use super::member::{Kind, Member, Members};
use super::refused::{Refused, Why, name_shown, path_shown};
use super::{DEEPEST, LONGEST, MODE, READING, Time};
use crate::error::plain;
use crate::fault;
use crate::fs::directory_flags;

/// While a directory is filled it needs these.
const FILLING: Mode = Mode::RWXU;
/// The size of the blocks that become holes if they are zeros.
const HOLE: usize = 4096;

/// What an archive may have at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of content, holes included.
    pub bytes: u64,
    /// Members, whether they are unpacked or not.
    pub entries: u64,
}

/// What was unpacked.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Files, directories and links, without the top directory.
    pub entries: u64,
    /// The content of the files, holes included.
    pub bytes: u64,
    /// What was not unpacked: the paths in the output directory, with the reason. They are safe to print.
    pub left_out: Vec<String>,
}

/// Unpacks an archive, whose only top directory is `strip`, into `into`: an empty directory that belongs to this user and that
/// others cannot write to. Mode and time of the top directory itself are ignored. `progress` gets how many more bytes of
/// content were written, at least once for each member, and its error ends the unpacking.
///
/// The archive is read up to the end of the stream. It is complete if this succeeds **and** the program that wrote it did.
///
/// # Errors
/// See [`Why`]. There may be something in `into` then; nothing else has changed.
pub fn unpack(
    reader: impl Read,
    strip: &str,
    into: &Path,
    limits: &Limits,
    progress: &mut dyn FnMut(u64) -> io::Result<()>,
) -> Result<Unpacked, Refused> {
    let root = empty_directory(into).map_err(|error| Refused::local(into, &error))?;
    let mut unpacker = Unpacker {
        strip: strip.as_bytes(),
        beneath: Beneath::of(root),
        limits,
        progress,
        directories: Vec::new(),
        left_out: HashSet::new(),
        unpacked: Unpacked::default(),
        buffer: vec![0; READING],
    };
    let mut members = Members::of(BufReader::with_capacity(READING, reader));
    let mut count = 0;
    while let Some(member) = members.next()? {
        count += 1;
        if count > limits.entries {
            return Err(Refused::new(Why::TooMuch, format!("the archive has more than {} entries", limits.entries)));
        }
        unpacker.member(&member, &mut members)?;
        unpacker.advance(0)?;
    }
    if count == 0 {
        return Err(Refused::invalid(format!(
            "the archive is empty: there is no {} in it",
            name_shown(strip.as_bytes())
        )));
    }
    unpacker.finish()
}

fn empty_directory(path: &Path) -> io::Result<OwnedFd> {
    let dir = rustix::fs::open(path, directory_flags(), Mode::empty())?;
    let stat = rustix::fs::fstat(&dir)?;
    if stat.st_uid != rustix::process::geteuid().as_raw() || stat.st_mode & 0o022 != 0 {
        return Err(io::Error::other("it belongs to another user, or others can write to it"));
    }
    if super::tree::names(&dir)?.is_empty() { Ok(dir) } else { Err(io::Error::other("it is not empty")) }
}

struct Unpacker<'a> {
    strip: &'a [u8],
    beneath: Beneath,
    limits: &'a Limits,
    progress: &'a mut dyn FnMut(u64) -> io::Result<()>,
    /// What the directories get when they are full, in the order of the archive, which is from the top down.
    directories: Vec<(PathBuf, Mode, Time)>,
    /// The paths that were left out; there may be hard links to them.
    left_out: HashSet<PathBuf>,
    unpacked: Unpacked,
    buffer: Vec<u8>,
}

impl Unpacker<'_> {
    fn member(&mut self, member: &Member, content: &mut Members<impl Read>) -> Result<(), Refused> {
        let refused = |why: &str| Refused::member(&member.name, why);
        let path = inside(&member.name, self.strip).map_err(|why| refused(&why))?;
        if path.as_os_str().is_empty() {
            return if member.kind == Kind::Directory { Ok(()) } else { Err(refused("it is not a directory")) };
        }
        match member.kind {
            Kind::Directory => self.directory(path, member),
            Kind::File if member.name.ends_with(b"/") => Err(refused("it is a file with the name of a directory")),
            Kind::File => self.file(&path, member, content),
            Kind::SymbolicLink => self.link(path, member),
            Kind::HardLink => self.hard_link(path, member),
            Kind::Special(what) => {
                self.leave_out(path, what);
                Ok(())
            }
        }
    }

    fn directory(&mut self, path: PathBuf, member: &Member) -> Result<(), Refused> {
        self.make(&path, member, |dir, name| Ok(rustix::fs::mkdirat(dir, name, FILLING)?))?;
        self.directories.push((path, Mode::from_raw_mode(member.mode & MODE), member.time));
        Ok(())
    }

    fn file(&mut self, path: &Path, member: &Member, content: &mut Members<impl Read>) -> Result<(), Refused> {
        if member.size > self.limits.bytes - self.unpacked.bytes {
            let limit = self.limits.bytes;
            return Err(Refused::new(Why::TooMuch, format!("the files in the archive have more than {limit} bytes")));
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let create =
            |dir: BorrowedFd<'_>, name: &OsStr| Ok(rustix::fs::openat(dir, name, flags, Mode::RUSR | Mode::WUSR)?);
        let file = File::from(self.make(path, member, create)?);
        let local = |error: io::Error| Refused::local(path, &error);
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut at = 0;
        loop {
            let length = content.read(&mut buffer)?;
            if length == 0 {
                break;
            }
            write(&file, &buffer[..length], at, path).map_err(local)?;
            at += length as u64;
            self.unpacked.bytes += length as u64;
            self.advance(length as u64)?;
        }
        self.buffer = buffer;
        // A hole at the end has not been written.
        file.set_len(at).map_err(local)?;
        keep(rustix::fs::fchmod(&file, Mode::from_raw_mode(member.mode & MODE))).map_err(local)?;
        keep(rustix::fs::futimens(&file, &times(member.time))).map_err(local)
    }

    fn link(&mut self, path: PathBuf, member: &Member) -> Result<(), Refused> {
        let target = &member.link[..];
        if target.is_empty() || target.contains(&0) || target.len() > LONGEST {
            return Err(Refused::member(&member.name, "the target of the link is empty, too long or has a NUL"));
        }
        if leads_outside(&path, target) {
            self.leave_out(path, &format!("a link to {}", name_shown(target)));
            return Ok(());
        }
        self.make(&path, member, |dir, name| {
            rustix::fs::symlinkat(OsStr::from_bytes(target), dir, name)?;
            keep(rustix::fs::utimensat(dir, name, &times(member.time), AtFlags::SYMLINK_NOFOLLOW))
        })
    }

    /// What has several names may also be a link or a FIFO.
    fn hard_link(&mut self, path: PathBuf, member: &Member) -> Result<(), Refused> {
        let refused = |why: &str| Refused::member(&member.name, why);
        let target =
            inside(&member.link, self.strip).map_err(|why| refused(&format!("a hard link to elsewhere: {why}")))?;
        if self.left_out.contains(&target) {
            self.leave_out(path, &format!("another name of {}", path_shown(&target)));
            return Ok(());
        }
        let missing = || refused("a hard link to something that is not in the archive before it");
        let (dir, name) = self.beneath.parent(&target).map_err(|_| missing())?;
        let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|_| missing())?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            // At another place it may lead outside.
            FileType::Symlink => {
                self.leave_out(path, &format!("another name of the link {}", path_shown(&target)));
                return Ok(());
            }
            _ => return Err(refused("a hard link to a directory")),
        }
        let from = dir.try_clone_to_owned().map_err(|error| Refused::local(&path, &error))?;
        self.make(&path, member, |dir, to| Ok(rustix::fs::linkat(&from, name, dir, to, AtFlags::empty())?))
    }

    /// Makes an entry. Its directory must be there and its name must be free, so nothing is ever written through a link or
    /// over something.
    fn make<T>(
        &mut self,
        path: &Path,
        member: &Member,
        make: impl FnOnce(BorrowedFd<'_>, &OsStr) -> io::Result<T>,
    ) -> Result<T, Refused> {
        let refused = |why: &str| Refused::member(&member.name, why);
        let (dir, name) = self.beneath.parent(path).map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                refused("its directory is not in the archive before it")
            }
            _ => Refused::local(path, &error),
        })?;
        let made = fault::call("unpack", path.display()).and_then(|()| make(dir, name));
        let made = made.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => refused("there are two of that name"),
            _ => Refused::local(path, &error),
        })?;
        self.unpacked.entries += 1;
        Ok(made)
    }

    fn leave_out(&mut self, path: PathBuf, why: &str) {
        self.unpacked.left_out.push(format!("{}: {why}", path_shown(&path)));
        self.left_out.insert(path);
    }

    fn advance(&mut self, bytes: u64) -> Result<(), Refused> {
        (self.progress)(bytes).map_err(|error| Refused::new(Why::Stopped, plain(&error)))
    }

    /// Gives the directories what they have in the archive, from the bottom up: one that cannot be entered is the last.
    fn finish(mut self) -> Result<Unpacked, Refused> {
        for (path, mode, time) in std::mem::take(&mut self.directories).into_iter().rev() {
            let local = |error: io::Error| Refused::local(&path, &error);
            let dir = self.beneath.dir(&path).map_err(local)?;
            keep(rustix::fs::futimens(dir, &times(time))).map_err(local)?;
            keep(rustix::fs::fchmod(dir, mode)).map_err(local)?;
        }
        Ok(self.unpacked)
    }
}

/// The path of a member below the top directory.
fn inside(name: &[u8], top: &[u8]) -> Result<PathBuf, String> {
    if name.contains(&0) || name.len() > LONGEST {
        return Err(format!("its path has a NUL, or more than {LONGEST} bytes"));
    }
    if name.starts_with(b"/") {
        return Err("its path is absolute".to_owned());
    }
    let mut names = name.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
    if names.clone().any(|name| name == b"..") {
        return Err("its path has a \"..\"".to_owned());
    }
    if names.next() != Some(top) {
        return Err(format!("it is not in the directory {}", name_shown(top)));
    }
    let path: PathBuf = names.map(OsStr::from_bytes).collect();
    if path.iter().count() > DEEPEST {
        return Err(format!("it is more than {DEEPEST} directories deep"));
    }
    Ok(path)
}

/// Whether a link may lead out of the top directory. Where `..` follows a name, that depends on what has this name, so it may.
/// All other targets go up first, through directories that are no links, and then down through links that stay inside.
fn leads_outside(path: &Path, target: &[u8]) -> bool {
    let mut names = target.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b".")).peekable();
    let mut up = 0;
    while names.next_if_eq(&b"..").is_some() {
        up += 1;
    }
    target.starts_with(b"/") || up >= path.iter().count() || names.any(|name| name == b"..")
}

/// Writes a piece of a file, but not its blocks of zeros. The pieces begin at multiples of these blocks.
fn write(file: &File, bytes: &[u8], at: u64, path: &Path) -> io::Result<()> {
    const ZEROS: [u8; HOLE] = [0; HOLE];
    let is_hole = |block: &[u8]| *block == ZEROS[..block.len()];
    fault::call("unpack", path.display())?;
    let mut start = 0;
    let blocks: Vec<&[u8]> = bytes.chunks(HOLE).collect();
    for run in blocks.chunk_by(|one, next| is_hole(one) == is_hole(next)) {
        let end = start + run.iter().map(|block| block.len()).sum::<usize>();
        if !is_hole(run[0]) {
            file.write_all_at(&bytes[start..end], at + start as u64)?;
        }
        start = end;
    }
    Ok(())
}

fn times(time: Time) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: time.seconds, tv_nsec: time.nanos.into() },
    }
}

/// Some file systems have no modes or times of their own. What was unpacked there is as good as it can be.
fn keep(done: rustix::io::Result<()>) -> io::Result<()> {
    match done {
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        done => Ok(done?),
    }
}

#[cfg(test)]
#[path = "unpack_tests.rs"]
mod tests;
