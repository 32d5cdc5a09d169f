//! A directory as it would be shipped: its entries, their digest, and their way into an archive.
//!
//! Nothing is read through a link. Between the scan and the end of the reading a file may not change: half of a file, or two
//! halves of different versions, are never shipped. Files with several names become several files.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, FileType, Mode, OFlags, Stat};
use sha2::{Digest as _, Sha256};
use tar::EntryType;

use super::beneath::Beneath;
use super::ignore::{Ignore, Matched, joined};
use super::pack::{Meta, Pack};
use super::{DEEPEST, LONGEST, MODE, READING, Time, shown};
use crate::error::{Failure, plain};
use crate::fs::directory_flags;

/// The name of the file with the patterns of what is not shipped.
pub const IGNORE_FILE: &str = ".longshoreignore";
/// How large that file may be.
const LARGEST_IGNORE_FILE: u64 = 1 << 20;
/// The first bytes of what is digested. Its number changes when the same tree gets another digest.
const DIGESTED: &[u8] = b"longshore tree 1\n";

/// What of a directory is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Scan<'a> {
    /// The directory. It may be a link to one.
    pub root: &'a Path,
    /// Whether the patterns of [`IGNORE_FILE`] in it hold, if it has one.
    pub ignore: bool,
    /// Whether what is named `.git`, here or below, is wanted.
    pub with_git: bool,
    /// Names in the directory itself that are not wanted, because something is mounted over them. They do not count as left
    /// out.
    pub without: &'a [&'a str],
}

/// A directory as it was found: its entries without itself, sorted by the bytes of their paths.
#[derive(Debug)]
pub struct Tree {
    path: PathBuf,
    root: OwnedFd,
    top: Meta,
    entries: Vec<Entry>,
    ignored: usize,
    special: Vec<String>,
}

#[derive(Debug)]
struct Entry {
    path: PathBuf,
    meta: Meta,
    what: What,
}

#[derive(Debug)]
enum What {
    Directory,
    /// With what tells whether it changed.
    File {
        size: u64,
        state: State,
    },
    Link(OsString),
}

/// What is different if a file was written to or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    device: u64,
    inode: u64,
    size: i64,
    time: Time,
}

impl State {
    fn of(stat: &Stat) -> Self {
        Self { device: stat.st_dev, inode: stat.st_ino, size: stat.st_size, time: Time::of(stat) }
    }
}

impl Tree {
    /// Looks at a directory and at all below it. No file but the one with the patterns is opened.
    ///
    /// # Errors
    /// For what cannot be read, with its path, and for patterns that are none.
    pub fn scan(scan: &Scan) -> Result<Self, Failure> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(scan.root, flags, Mode::empty());
        let root = root.map_err(|errno| unreadable(scan.root, &errno.into()))?;
        let stat = rustix::fs::fstat(&root).map_err(|errno| unreadable(scan.root, &errno.into()))?;
        let ignore = if scan.ignore { patterns(scan.root, &root)? } else { Ignore::default() };
        let mut walk = Walk { scan, ignore, found: BTreeMap::new(), ignored: 0, special: Vec::new() };
        walk.directory(&root, Path::new(""), &Matched::default(), 0)?;
        let entries = walk.found.into_iter().map(|(path, (meta, what))| Entry {
            path: PathBuf::from(OsString::from_vec(path)),
            meta,
            what,
        });
        Ok(Self {
            path: scan.root.to_owned(),
            root,
            top: meta(&stat),
            entries: entries.collect(),
            ignored: walk.ignored,
            special: walk.special,
        })
    }

    /// How many files there are.
    #[must_use]
    pub fn files(&self) -> usize {
        self.sizes().count()
    }

    /// How many entries there are: files, directories and links.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.entries.len()
    }

    /// How many bytes the files have.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.sizes().sum()
    }

    /// How many entries the patterns and the rule for `.git` leave out. What is below such an entry is not counted.
    #[must_use]
    pub fn ignored(&self) -> usize {
        self.ignored
    }

    /// The paths of sockets, devices and FIFOs, which are not shipped. They are safe to print.
    #[must_use]
    pub fn special(&self) -> &[String] {
        &self.special
    }

    /// Mode, user and group of the directory itself.
    #[must_use]
    pub fn top(&self) -> (u32, u32, u32) {
        (self.top.mode, self.top.uid, self.top.gid)
    }

    /// SHA-256 in hexadecimal of everything that is shipped but times, and of the mode and owner of the directory itself.
    /// The files are read. `progress` is as for [`Tree::pack`].
    ///
    /// # Errors
    /// As [`Tree::pack`].
    pub fn digest(&self, progress: &mut dyn FnMut(u64) -> io::Result<()>) -> io::Result<String> {
        let mut digest = Sha256::new_with_prefix(DIGESTED);
        owner(&mut digest, &self.top);
        let mut reader = self.reader()?;
        for entry in &self.entries {
            part(&mut digest, entry.path.as_os_str().as_bytes());
            owner(&mut digest, &entry.meta);
            match &entry.what {
                What::Directory => digest.update(b"d"),
                What::Link(target) => {
                    digest.update(b"l");
                    part(&mut digest, target.as_bytes());
                }
                What::File { size, state } => {
                    digest.update(b"f");
                    digest.update(size.to_be_bytes());
                    let mut file = reader.open(&entry.path, *state)?;
                    file.copy(&mut |bytes| {
                        digest.update(bytes);
                        progress(bytes.len() as u64)
                    })?;
                }
            }
            progress(0)?;
        }
        Ok(digest.finalize().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")))
    }

    /// Writes the directory itself and its entries into an archive, under the name `at` there.
    ///
    /// # Errors
    /// As [`Tree::pack`].
    pub fn pack_whole<W: Write>(&self, at: &str, archive: &mut Pack<W>) -> io::Result<()> {
        let (mode, uid, gid) = self.top();
        archive.directory(at, mode, uid, gid)?;
        self.pack(at, archive, &mut |_| Ok(()))
    }

    /// Writes the entries into an archive, below the directory `at` there, which is written before by the caller. `progress`
    /// gets how many more bytes of content were written, at least once for each entry, and its error ends the writing.
    ///
    /// # Errors
    /// When the archive cannot be written: the writer's own error. When a file cannot be read or has changed since the scan,
    /// with its path. The archive must not be used then.
    pub fn pack<W: Write>(
        &self,
        at: &str,
        archive: &mut Pack<W>,
        progress: &mut dyn FnMut(u64) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut reader = self.reader()?;
        for entry in &self.entries {
            let name = Path::new(at).join(&entry.path);
            let name = name.as_os_str().as_bytes();
            match &entry.what {
                What::Directory => archive.begin(EntryType::Directory, name, &[], 0, &entry.meta)?,
                What::Link(target) => archive.begin(EntryType::Symlink, name, target.as_bytes(), 0, &entry.meta)?,
                What::File { size, state } => {
                    let mut file = reader.open(&entry.path, *state)?;
                    archive.begin(EntryType::Regular, name, &[], *size, &entry.meta)?;
                    file.copy(&mut |bytes| {
                        archive.content(bytes)?;
                        progress(bytes.len() as u64)
                    })?;
                    archive.pad(*size)?;
                }
            }
            progress(0)?;
        }
        Ok(())
    }

    fn sizes(&self) -> impl Iterator<Item = u64> {
        self.entries.iter().filter_map(|entry| match entry.what {
            What::File { size, .. } => Some(size),
            _ => None,
        })
    }

    fn reader(&self) -> io::Result<Reader<'_>> {
        Ok(Reader { root: &self.path, beneath: Beneath::of(self.root.try_clone()?), buffer: vec![0; READING] })
    }
}

/// Reads files as the scan found them.
struct Reader<'a> {
    root: &'a Path,
    beneath: Beneath,
    buffer: Vec<u8>,
}

struct Opened<'a> {
    file: File,
    path: PathBuf,
    state: State,
    buffer: &'a mut [u8],
}

impl Reader<'_> {
    fn open(&mut self, path: &Path, state: State) -> io::Result<Opened<'_>> {
        let shown = self.root.join(path);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let open = |(dir, name): (_, &OsStr)| Ok(rustix::fs::openat(dir, name, flags, Mode::empty())?);
        let file = self.beneath.parent(path).and_then(open).map_err(|error| unread(&shown, &error))?;
        let opened = Opened { file: file.into(), path: shown, state, buffer: &mut self.buffer };
        opened.check()?;
        Ok(opened)
    }
}

impl Opened<'_> {
    /// Passes the content on, in pieces.
    fn copy(&mut self, pass: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut left = u64::try_from(self.state.size).unwrap_or(0);
        while left > 0 {
            let length = self.buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let read = match self.file.read(&mut self.buffer[..length]) {
                Ok(0) => return Err(self.changed()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(unread(&self.path, &error)),
            };
            pass(&self.buffer[..read])?;
            left -= read as u64;
        }
        self.check()
    }

    /// That it is the file of the scan.
    fn check(&self) -> io::Result<()> {
        let stat = rustix::fs::fstat(&self.file).map_err(|errno| unread(&self.path, &errno.into()))?;
        if State::of(&stat) == self.state { Ok(()) } else { Err(self.changed()) }
    }

    fn changed(&self) -> io::Error {
        let path = shown(&self.path);
        io::Error::new(io::ErrorKind::InvalidData, format!("could not read {path}: it changed while it was read"))
    }
}

/// A scan that is under way.
struct Walk<'a> {
    scan: &'a Scan<'a>,
    ignore: Ignore,
    found: BTreeMap<Vec<u8>, (Meta, What)>,
    ignored: usize,
    special: Vec<String>,
}

impl Walk<'_> {
    /// Finds what is in a directory, and how many directories that is below the root.
    fn directory(&mut self, dir: &OwnedFd, path: &Path, above: &Matched, depth: usize) -> Result<(), Failure> {
        let refused = |error: io::Error| unreadable(&self.scan.root.join(path), &error);
        if depth > DEEPEST {
            return Err(refused(io::Error::other(format!("it is more than {DEEPEST} directories deep"))));
        }
        for name in names(dir).map_err(refused)? {
            let is_hidden = depth == 0 && self.scan.without.iter().any(|without| *without == name);
            if !is_hidden {
                self.entry(dir, &path.join(&name), &name, above, depth)?;
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        dir: &OwnedFd,
        path: &Path,
        name: &OsStr,
        above: &Matched,
        depth: usize,
    ) -> Result<(), Failure> {
        let refused = |error: io::Error| unreadable(&self.scan.root.join(path), &error);
        if path.as_os_str().len() > LONGEST {
            return Err(refused(io::Error::other(format!("its path is longer than {LONGEST} bytes"))));
        }
        let stat = match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            // It was removed in this moment.
            Err(rustix::io::Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(refused(errno.into())),
        };
        let matched = self.ignore.matched(above, &joined_names(path));
        let kind = FileType::from_raw_mode(stat.st_mode);
        if !self.scan.with_git && name == ".git" {
            self.ignored += 1;
        } else if kind.is_dir() {
            self.subdirectory(dir, path, name, &stat, &matched, depth)?;
        } else if self.ignore.decides(&matched) {
            self.ignored += 1;
        } else if let Some(what) = leaf(dir, name, kind, &stat).map_err(refused)? {
            self.found.insert(path.as_os_str().as_bytes().to_vec(), (meta(&stat), what));
        } else {
            self.special.push(shown(path));
        }
        Ok(())
    }

    /// A directory that is left out is shipped nevertheless if there is something in it that is not.
    fn subdirectory(
        &mut self,
        dir: &OwnedFd,
        path: &Path,
        name: &OsStr,
        stat: &Stat,
        matched: &Matched,
        depth: usize,
    ) -> Result<(), Failure> {
        let is_left_out = self.ignore.decides(matched);
        let (ignored, found) = (self.ignored + 1, self.found.len());
        if !is_left_out || self.ignore.may_hold_exceptions(path) {
            let opened = rustix::fs::openat(dir, name, directory_flags(), Mode::empty());
            let opened = opened.map_err(|errno| unreadable(&self.scan.root.join(path), &errno.into()))?;
            self.directory(&opened, path, matched, depth + 1)?;
        }
        if is_left_out && self.found.len() == found {
            self.ignored = ignored;
        } else {
            self.found.insert(path.as_os_str().as_bytes().to_vec(), (meta(stat), What::Directory));
        }
        Ok(())
    }
}

/// A file or a link; `None` for what is not shipped.
fn leaf(dir: &OwnedFd, name: &OsStr, kind: FileType, stat: &Stat) -> io::Result<Option<What>> {
    if kind.is_symlink() {
        let target = rustix::fs::readlinkat(dir, name, Vec::new())?;
        return Ok(Some(What::Link(OsString::from_vec(target.into_bytes()))));
    }
    if !kind.is_file() {
        return Ok(None);
    }
    // Without this, that a file cannot be read would be found out when a part of the archive has been sent.
    rustix::fs::accessat(dir, name, Access::READ_OK, AtFlags::empty())?;
    Ok(Some(What::File { size: u64::try_from(stat.st_size).unwrap_or(0), state: State::of(stat) }))
}

fn meta(stat: &Stat) -> Meta {
    Meta { mode: stat.st_mode & MODE, uid: stat.st_uid, gid: stat.st_gid, time: Time::of(stat) }
}

/// The names in a directory, in no order.
pub(super) fn names(dir: impl AsFd) -> io::Result<Vec<OsString>> {
    let entries = rustix::fs::Dir::read_from(dir)?;
    let names = entries.map(|entry| Ok(OsString::from_vec(entry?.file_name().to_bytes().to_vec())));
    names.filter(|name| name.as_ref().map_or(true, |name| name != "." && name != "..")).collect()
}

/// A path as the patterns see it.
fn joined_names(path: &Path) -> String {
    path.iter().fold(String::new(), |path, name| joined(&path, &name.to_string_lossy()))
}

/// The patterns of the directory; none if it has no such file.
fn patterns(root: &Path, dir: &OwnedFd) -> Result<Ignore, Failure> {
    let path = root.join(IGNORE_FILE);
    // It may be a link, for example to .dockerignore.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(dir, IGNORE_FILE, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::NOENT) => return Ok(Ignore::default()),
        Err(errno) => return Err(unreadable(&path, &errno.into())),
    };
    let refused = |why: &str| Failure::usage(format!("could not read {}: {why}", shown(&path)));
    let is_file = file.metadata().map_err(|error| unreadable(&path, &error))?.is_file();
    let mut bytes = Vec::new();
    if !is_file {
        return Err(refused("it is not a file"));
    }
    file.take(LARGEST_IGNORE_FILE + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&path, &error))?;
    if bytes.len() as u64 > LARGEST_IGNORE_FILE {
        return Err(refused("it is larger than 1 MiB"));
    }
    let text = String::from_utf8(bytes).map_err(|_| refused("it is not UTF-8"))?;
    Ignore::parse(&text).map_err(|why| refused(&why))
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::usage(unread(path, error).to_string());
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            failure.hint(format!("make it readable, or name it in {IGNORE_FILE} so that it is not shipped"))
        }
        _ => failure,
    }
}

fn unread(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("could not read {}: {}", shown(path), plain(error)))
}

/// Adds mode and owner to a digest.
fn owner(digest: &mut Sha256, meta: &Meta) {
    for number in [meta.mode, meta.uid, meta.gid] {
        digest.update(number.to_be_bytes());
    }
}

/// Adds bytes of any length to a digest, so that they end where they end.
fn part(digest: &mut Sha256, bytes: &[u8]) {
    digest.update((bytes.len() as u64).to_be_bytes());
    digest.update(bytes);
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
