//! Private files that are written atomically and without following links. All writes to the state directory go through
//! this module.
//!
//! Files are opened relative to an open directory. Each is checked first: it must belong to the user, must not be
//! writable by others, and must be a regular file with one link. Files have mode 0600 and directories 0700, independent
//! of the umask.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rustix::fs::{AtFlags, Mode, OFlags, RawDir, Stat};

use crate::fault;

pub use disk::{Room, lacks_room, may_make, may_write};

mod disk;

const FILE: Mode = Mode::from_raw_mode(0o600);
const DIRECTORY: Mode = Mode::from_raw_mode(0o700);
/// How many bytes of a directory are read at a time. A name has at most 255.
const READING: usize = 64 << 10;
/// How long a writer waits for another one.
const HOLDING: Duration = Duration::from_secs(1);

/// An open, checked directory. Files are opened relative to it, so it may be renamed meanwhile.
#[derive(Debug)]
pub struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

impl Dir {
    /// A directory in a temporary one, which goes with the first value.
    #[cfg(test)]
    #[must_use]
    pub fn temporary() -> (tempfile::TempDir, Self) {
        let temporary = tempfile::tempdir().expect("a temporary directory");
        let dir = Self::make(&temporary.path().join("state")).expect("a directory");
        (temporary, dir)
    }

    /// Opens `path`. Creates it and its parents if they are missing.
    ///
    /// # Errors
    /// When it is a link, belongs to another user, can be written by others, or cannot be created.
    pub fn make(path: &Path) -> io::Result<Self> {
        path.parent().map_or(Ok(()), make_parents)?;
        match rustix::fs::mkdir(path, DIRECTORY) {
            Ok(()) => {
                let dir = Self::open(path)?;
                rustix::fs::fchmod(&dir.fd, DIRECTORY)?;
                Ok(dir)
            }
            Err(rustix::io::Errno::EXIST) => Self::open(path),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens an existing directory of ours.
    ///
    /// # Errors
    /// As [`Dir::make`]; [`io::ErrorKind::NotFound`] when there is none.
    pub fn open(path: &Path) -> io::Result<Self> {
        let fd = rustix::fs::open(path, directory_flags(), Mode::empty())?;
        Self::checked(fd, path.to_path_buf())
    }

    /// Opens the directory `name` inside this one.
    ///
    /// # Errors
    /// As [`Dir::open`].
    pub fn subdir(&self, name: &str) -> io::Result<Self> {
        let fd = rustix::fs::openat(&self.fd, name, directory_flags(), Mode::empty())?;
        Self::checked(fd, self.path.join(name))
    }

    /// Opens the directory `name` inside this one, creating it when it is missing.
    ///
    /// # Errors
    /// As [`Dir::make`].
    pub fn make_subdir(&self, name: &str) -> io::Result<Self> {
        match uninterrupted(|| {
            fault::call("make", name)?;
            Ok(rustix::fs::mkdirat(&self.fd, name, DIRECTORY)?)
        }) {
            Ok(()) => {
                let dir = self.subdir(name)?;
                rustix::fs::fchmod(&dir.fd, DIRECTORY)?;
                Ok(dir)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.subdir(name),
            Err(error) => Err(error),
        }
    }

    fn checked(fd: OwnedFd, path: PathBuf) -> io::Result<Self> {
        let stat = rustix::fs::fstat(&fd)?;
        if stat.st_uid != rustix::process::geteuid().as_raw() {
            return Err(refused(format!("{} belongs to uid {}, not to you", path.display(), stat.st_uid)));
        }
        if stat.st_mode & 0o022 != 0 {
            let mode = stat.st_mode & 0o7777;
            return Err(refused(format!("{} can be written by others (mode {mode:04o})", path.display())));
        }
        Ok(Self { fd, path })
    }

    /// The path at which it was opened, for messages and for programs that need a path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names in it that are UTF-8, in no order.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        self.each_name(|name| names.push(name.to_owned()))?;
        Ok(names)
    }

    /// Calls `f` with each name in it that is UTF-8, in no order.
    ///
    /// # Errors
    /// As [`Dir::names`].
    pub fn each_name(&self, mut f: impl FnMut(&str)) -> io::Result<()> {
        // An open directory has one position for all who read from it.
        let fd = rustix::fs::openat(&self.fd, ".", directory_flags(), Mode::empty())?;
        let mut buffer = Vec::with_capacity(READING);
        let mut entries = RawDir::new(fd, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            if let Ok(name) = entry?.file_name().to_str()
                && name != "."
                && name != ".."
            {
                f(name);
            }
        }
        Ok(())
    }

    /// Whether an entry with that name exists, even if it is a dangling link.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.stat(name).is_ok()
    }

    fn stat(&self, name: &str) -> rustix::io::Result<Stat> {
        rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// When an entry changed last, in seconds and nanoseconds; `None` if there is none.
    #[must_use]
    pub fn changed(&self, name: &str) -> Option<(i64, u64)> {
        self.stat(name).ok().map(|stat| (stat.st_mtime, stat.st_mtime_nsec))
    }

    /// What the file system says of an entry, to find out later whether it changed.
    ///
    /// # Errors
    /// As `fstatat(2)`.
    pub fn state(&self, name: &str) -> io::Result<State> {
        Ok(self.stat(name).map(|stat| State::of(&stat))?)
    }

    /// What a file has that a copy of it has not: its number in the file system and the time of its creation.
    ///
    /// # Errors
    /// As `statx(2)`.
    pub fn identity(&self, name: &str) -> io::Result<String> {
        identity_at(self.fd.as_fd(), Path::new(name))
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when there is none; refused when it is not a regular file that belongs to the user.
    pub fn open_file(&self, name: &str) -> io::Result<File> {
        self.file(name, OFlags::RDONLY)
    }

    /// Opens a file for appending, creating it when it is missing.
    ///
    /// # Errors
    /// As [`Dir::open_file`].
    pub fn append(&self, name: &str) -> io::Result<File> {
        self.file(name, OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE)
    }

    /// Opens a file that is used as a lock, creating it when it is missing.
    ///
    /// # Errors
    /// As [`Dir::open_file`].
    pub fn lock_file(&self, name: &str) -> io::Result<File> {
        self.file(name, OFlags::RDWR | OFlags::CREATE)
    }

    /// Opens a file for writing in place.
    ///
    /// # Errors
    /// As [`Dir::open_file`].
    pub fn change(&self, name: &str) -> io::Result<File> {
        self.file(name, OFlags::WRONLY)
    }

    /// Opens and locks a file that is used as a lock.
    ///
    /// # Errors
    /// As [`Dir::lock_file`]; [`io::ErrorKind::TimedOut`] when another process has the lock for longer than `patience`.
    pub fn hold_within(&self, name: &str, patience: Duration) -> io::Result<File> {
        let file = self.lock_file(name)?;
        if hold_within(&file, patience)? { Ok(file) } else { Err(io::ErrorKind::TimedOut.into()) }
    }

    /// NONBLOCK has no effect on regular files. Without it, opening a FIFO with the name of a file would block.
    fn file(&self, name: &str, flags: OFlags) -> io::Result<File> {
        self.sized_file(name, flags).map(|(file, _)| file)
    }

    /// The file and its size.
    fn sized_file(&self, name: &str, flags: OFlags) -> io::Result<(File, u64)> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = uninterrupted(|| {
            fault::call("open", name)?;
            Ok(rustix::fs::openat(&self.fd, name, flags, FILE)?)
        })?;
        let stat = rustix::fs::fstat(&fd)?;
        let regular = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file();
        if !regular || stat.st_nlink > 1 || stat.st_uid != rustix::process::geteuid().as_raw() {
            let path = self.path.join(name);
            return Err(refused(format!("{} is not a regular file with one link that belongs to you", path.display())));
        }
        if flags.contains(OFlags::CREATE) && stat.st_size == 0 && stat.st_mode & 0o777 != 0o600 {
            rustix::fs::fchmod(&fd, FILE)?;
        }
        Ok((File::from(fd), u64::try_from(stat.st_size).unwrap_or(0)))
    }

    /// Reads a whole small file. A file of more than `limit` bytes is refused, so that it cannot fill the memory.
    ///
    /// # Errors
    /// As [`Dir::open_file`], and [`io::ErrorKind::InvalidData`] when it is too large.
    pub fn read(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        let (file, size) = self.sized_file(name, OFlags::RDONLY)?;
        // Without room for the whole file from the beginning, it would be read in many small pieces.
        let mut bytes = Vec::with_capacity(usize::try_from(size.min(limit)).unwrap_or(0) + 1);
        file.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{name} is larger than {limit} bytes")));
        }
        Ok(bytes)
    }

    /// Creates a new file with this content, and syncs it unless it is empty.
    ///
    /// # Errors
    /// When it exists or cannot be written completely. A partial file is removed.
    pub fn write_new(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let file = self.file(name, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?;
        if bytes.is_empty() {
            return Ok(());
        }
        let written = write(&file, name, bytes).and_then(|()| sync(&file, name));
        if written.is_err() {
            let _ = self.remove(name);
        }
        written
    }

    /// Creates a new file that every user may read who has access to its directory. The engine copies it into images.
    ///
    /// # Errors
    /// As [`Dir::write_new`].
    pub fn write_public(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let file = self.file(name, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(0o644))?;
        write(&file, name, bytes)
    }

    /// Replaces a file atomically: writes a temporary file, syncs it and renames it.
    ///
    /// # Errors
    /// When it cannot be written. The old file is then unchanged.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = format!(".{name}.{}", random_name());
        self.write_new(&temporary, bytes)?;
        self.rename(&temporary, self, name).inspect_err(|_| drop(self.remove(&temporary)))
    }

    /// Overwrites the first bytes of a file in place. Its blocks are already allocated, so this works on a full disk.
    ///
    /// # Errors
    /// When the file is missing or cannot be written.
    pub fn overwrite(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let file = self.file(name, OFlags::WRONLY)?;
        write(&file, name, bytes)?;
        sync(&file, name)
    }

    /// Creates a new file of blanks, so that [`Dir::add_line`] finds room on a full disk.
    ///
    /// # Errors
    /// As [`Dir::write_new`].
    pub fn make_room(&self, name: &str, size: usize) -> io::Result<()> {
        write(&self.file(name, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?, name, &vec![b' '; size])
    }

    /// Writes a line into the blanks at the end of a file, or after its end where they are too few. Processes that write at
    /// the same time wait for each other. A line that could not be written completely is removed again.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add_line(&self, name: &str, line: &str) -> io::Result<()> {
        let mut file = self.file(name, OFlags::RDWR | OFlags::CREATE)?;
        // One that was suspended while it had the lock must not stop all others.
        let locked = hold_within(&file, HOLDING)?;
        let length = file.metadata()?.len();
        let blank = blanks_at_end(&mut file, length)?;
        // The newline comes first, so that a line that was cut off does not spoil this one.
        let bytes = format!("\n{line}");
        let start = if locked && bytes.len() as u64 <= blank { length - blank } else { length };
        file.seek(SeekFrom::Start(start))?;
        let written = write(&file, name, bytes.as_bytes()).and_then(|()| sync(&file, name));
        if written.is_err() && start == length {
            let _ = file.set_len(length);
        }
        written
    }

    /// Appends a line to a file, creating it when it is missing, without making it durable. The caller holds a lock. A line
    /// that could not be written completely is removed again.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append_line(&self, name: &str, line: &str) -> io::Result<()> {
        let file = self.append(name)?;
        let length = file.metadata()?.len();
        // The newline comes first, as in `add_line`.
        write(&file, name, format!("\n{line}").as_bytes()).inspect_err(|_| drop(file.set_len(length)))
    }

    /// How many bytes of the disk the directory takes, with everything in it, without following links. What cannot be read
    /// counts as nothing.
    #[must_use]
    pub fn size_on_disk(&self) -> u64 {
        rustix::fs::fstat(&self.fd).map_or(0, |stat| room_of(&stat)) + size_below(&self.fd)
    }

    /// Renames an entry of this directory to one of `target`, and syncs `target`.
    ///
    /// # Errors
    /// As `rename(2)`; a directory is never renamed onto one that has entries.
    pub fn rename(&self, from: &str, target: &Self, to: &str) -> io::Result<()> {
        self.place(from, target, to)?;
        target.sync()
    }

    /// As [`Dir::rename`], without making it durable.
    ///
    /// # Errors
    /// As `rename(2)`.
    pub fn place(&self, from: &str, target: &Self, to: &str) -> io::Result<()> {
        uninterrupted(|| {
            fault::call("rename", format_args!("{from} {to}"))?;
            Ok(rustix::fs::renameat(&self.fd, from, &target.fd, to)?)
        })
    }

    /// Syncs the directory, so that created, renamed and removed entries survive a crash.
    ///
    /// # Errors
    /// As `fsync(2)`.
    pub fn sync(&self) -> io::Result<()> {
        uninterrupted(|| {
            fault::call("fsync", self.path.file_name().unwrap_or_default().display())?;
            Ok(rustix::fs::fsync(self.fd.as_fd())?)
        })
    }

    /// Syncs the content of a file.
    ///
    /// # Errors
    /// As [`Dir::open_file`] and `fsync(2)`.
    pub fn sync_file(&self, name: &str) -> io::Result<()> {
        sync(&self.open_file(name)?, name)
    }

    /// Removes a file.
    ///
    /// # Errors
    /// As `unlink(2)`.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::empty())?)
    }

    /// Removes a directory and everything in it, without following links. A missing directory is no error.
    ///
    /// # Errors
    /// When something in it cannot be removed.
    pub fn remove_tree(&self, name: &str) -> io::Result<()> {
        match std::fs::remove_dir_all(self.path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Creates the named pipe that is used to wake a supervisor.
    ///
    /// # Errors
    /// As `mkfifo(3)`.
    pub fn make_fifo(&self, name: &str) -> io::Result<()> {
        uninterrupted(|| {
            fault::call("make", name)?;
            Ok(rustix::fs::mknodat(&self.fd, name, rustix::fs::FileType::Fifo, FILE, 0)?)
        })?;
        // It cannot be opened before it has its mode; the directory is ours alone.
        Ok(rustix::fs::chmodat(&self.fd, name, FILE, AtFlags::empty())?)
    }

    /// Opens the reading end of the named pipe. It is opened for both directions, so that it never reports an end of file.
    ///
    /// # Errors
    /// When it is missing.
    pub fn open_fifo(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::openat(&self.fd, name, flags, Mode::empty())?))
    }

    /// Wakes the process that has the named pipe open; returns whether there is one.
    #[must_use]
    pub fn poke_fifo(&self, name: &str) -> bool {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.fd, name, flags, Mode::empty());
        opened.is_ok_and(|fd| {
            let fifo =
                rustix::fs::fstat(&fd).is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_fifo());
            fifo && rustix::io::write(&fd, b"!").is_ok()
        })
    }

    /// Who may do what with it, without the type of the file.
    ///
    /// # Errors
    /// As `fstat(2)`.
    pub fn mode(&self) -> io::Result<u32> {
        Ok(rustix::fs::fstat(&self.fd)?.st_mode & 0o7777)
    }
}

/// What differs once an entry of a directory was changed or replaced. The time of the last change is the kernel's, which no
/// program can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Its number in the file system.
    pub number: u64,
    /// When its content or its attributes changed last: seconds and nanoseconds since 1970.
    pub changed: (i64, u32),
    /// Its size in bytes.
    pub size: u64,
}

impl State {
    fn of(stat: &Stat) -> Self {
        let nanoseconds = u32::try_from(stat.st_ctime_nsec).unwrap_or_default();
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        Self { number: stat.st_ino, changed: (stat.st_ctime, nanoseconds), size }
    }

    /// When it changed last.
    #[must_use]
    pub fn changed(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(self.changed.0, self.changed.1)
    }
}

/// What a file or directory has that a copy of it, or another one at its place, has not. As [`Dir::identity`].
///
/// # Errors
/// As `statx(2)`.
pub fn identity(path: &Path) -> io::Result<String> {
    identity_at(rustix::fs::CWD, path)
}

/// Whether two open files are the same one.
///
/// # Errors
/// As `fstat(2)`.
pub fn same_file(a: &File, b: &File) -> io::Result<bool> {
    let (a, b) = (rustix::fs::fstat(a)?, rustix::fs::fstat(b)?);
    Ok((a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
}

fn identity_at(dir: BorrowedFd, path: &Path) -> io::Result<String> {
    use rustix::fs::StatxFlags;
    let wanted = StatxFlags::INO | StatxFlags::BTIME;
    let stat = rustix::fs::statx(dir, path, AtFlags::SYMLINK_NOFOLLOW, wanted)?;
    // Not every file system knows the time of creation; it is zero then.
    Ok(format!("{} {}.{:09}", stat.stx_ino, stat.stx_btime.tv_sec, stat.stx_btime.tv_nsec))
}

/// Creates a directory and its parents, which can be used under any umask.
fn make_parents(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if path.is_dir() || path.as_os_str().is_empty() {
        return Ok(());
    }
    path.parent().map_or(Ok(()), make_parents)?;
    match std::fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => {
            let mut permissions = std::fs::metadata(path)?.permissions();
            permissions.set_mode(permissions.mode() | DIRECTORY.as_raw_mode());
            std::fs::set_permissions(path, permissions)
        }
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn write(mut file: &File, name: &str, bytes: &[u8]) -> io::Result<()> {
    // A write that fails may have written a part.
    uninterrupted(|| fault::call("write", name)).inspect_err(|_| drop(file.write(&bytes[..bytes.len() / 2])))?;
    file.write_all(bytes)
}

/// Writes a sample of a log at a place of its index, without making it durable.
///
/// # Errors
/// When it cannot be written. A part of it may have been.
pub fn write_sample(file: &File, name: &str, bytes: &[u8], offset: u64) -> io::Result<()> {
    // How many there are depends on the time, so they are not counted with the other writes.
    write_at("sample", file, name, bytes, offset)
}

/// Overwrites bytes in the middle of a file, and syncs it. Its blocks are already allocated, so this works on a full disk.
///
/// # Errors
/// When it cannot be written. A part of it may have been.
pub fn overwrite_at(file: &File, name: &str, bytes: &[u8], offset: u64) -> io::Result<()> {
    write_at("write", file, name, bytes, offset)?;
    sync(file, name)
}

fn write_at(call: &str, file: &File, name: &str, bytes: &[u8], offset: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    uninterrupted(|| fault::call(call, name))
        .inspect_err(|_| drop(file.write_at(&bytes[..bytes.len() / 2], offset)))?;
    file.write_all_at(bytes, offset)
}

/// Gives a part of a file back to the disk. It reads as zeros then, and the length of the file stays. Only whole blocks are
/// given back; of others the bytes are overwritten.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`] where the file system cannot do that.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "only Linux can do it"))]
pub fn release(file: &File, name: &str, part: std::ops::Range<u64>) -> io::Result<()> {
    if part.is_empty() {
        return Ok(());
    }
    uninterrupted(|| {
        fault::call("release", name)?;
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{FallocateFlags, fallocate};
            let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            Ok(fallocate(file, how, part.start, part.end - part.start)?)
        }
        #[cfg(not(target_os = "linux"))]
        Err(io::ErrorKind::Unsupported.into())
    })
}

/// Where the first bytes of a file are that were not given back, as far as the file system tells.
#[must_use]
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "only Linux can tell"))]
pub fn first_kept(file: &File) -> u64 {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{SeekFrom, seek};
        match seek(file, SeekFrom::Data(0)) {
            Ok(first) => first,
            Err(rustix::io::Errno::NXIO) => file.metadata().map_or(0, |data| data.len()),
            Err(_) => 0,
        }
    }
    #[cfg(not(target_os = "linux"))]
    0
}

fn sync(file: &File, name: &str) -> io::Result<()> {
    uninterrupted(|| fault::call("fsync", name))?;
    file.sync_all()
}

/// Repeats a call that a signal interrupted. Some file systems let signals interrupt any call.
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Locks a file; returns whether that succeeded in time.
fn hold_within(file: &File, patience: Duration) -> io::Result<bool> {
    let deadline = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => return Ok(false),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// How many of the last 4096 bytes of a file are blank at its end.
fn blanks_at_end(file: &mut File, length: u64) -> io::Result<u64> {
    let mut end = Vec::new();
    file.seek(SeekFrom::Start(length.saturating_sub(4096)))?;
    file.take(4096).read_to_end(&mut end)?;
    Ok(end.iter().rev().take_while(|byte| **byte == b' ').count() as u64)
}

/// What the entries of a directory take, in bytes.
fn size_below(dir: &OwnedFd) -> u64 {
    let Ok(entries) = rustix::fs::Dir::read_from(dir) else { return 0 };
    let size = |name: &std::ffi::CStr| {
        let Ok(stat) = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) else { return 0 };
        let is_dir = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir();
        let below = is_dir.then(|| rustix::fs::openat(dir, name, directory_flags(), Mode::empty()).ok()).flatten();
        room_of(&stat) + below.map_or(0, |fd| size_below(&fd))
    };
    let entries = entries.flatten().filter(|entry| ![c".", c".."].contains(&entry.file_name()));
    entries.map(|entry| size(entry.file_name())).sum()
}

/// What an entry itself takes. A file with holes takes less than its length.
fn room_of(stat: &Stat) -> u64 {
    u64::try_from(stat.st_blocks).unwrap_or(0) * 512
}

/// To open a directory; anything else of its name, also a link to one, is an error.
#[must_use]
pub fn directory_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

fn refused(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

/// Allows this process as many open files as it may be allowed, where it can. Each job that is waited for has its directory
/// open, a group may have thousands of them, and the usual limit is 1024.
pub fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// Eighty random bits in hexadecimal, for names that must not collide.
#[must_use]
pub fn random_name() -> String {
    random_bytes::<10>().iter().fold(String::new(), |name, byte| name + &format!("{byte:02x}"))
}

/// Random bytes from the kernel.
///
/// # Panics
/// When the kernel returns none. According to its documentation this does not happen after the boot.
#[must_use]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let got = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    assert_eq!(got, Ok(N), "the kernel gave no random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn the_size_of_a_directory_is_what_it_takes_on_the_disk_with_all_below_it() {
        let (temporary, dir) = Dir::temporary();
        let empty = dir.size_on_disk();
        dir.write_new("log", &vec![b'x'; 100_000]).unwrap();
        dir.make_subdir("ctx").unwrap().write_new("Dockerfile", &vec![b'x'; 50_000]).unwrap();
        let full = dir.size_on_disk();
        assert!((150_000..300_000).contains(&(full - empty)), "{empty} {full}");
        // Neither what a link leads to nor a hole counts.
        std::fs::write(temporary.path().join("large"), vec![b'x'; 1_000_000]).unwrap();
        symlink(temporary.path().join("large"), dir.path().join("link")).unwrap();
        symlink(temporary.path(), dir.path().join("loop")).unwrap();
        dir.append("sparse").unwrap().set_len(1 << 30).unwrap();
        assert!(dir.size_on_disk() - full < 100_000, "{}", dir.size_on_disk());
    }

    #[test]
    fn a_line_is_appended_and_one_that_was_cut_off_spoils_no_other() {
        let (_temporary, dir) = Dir::temporary();
        dir.append_line("day", "one").unwrap();
        io::Write::write_all(&mut dir.append("day").unwrap(), b"\ncut").unwrap();
        dir.append_line("day", "two").unwrap();
        assert_eq!(dir.read("day", 100).unwrap(), b"\none\ncut\ntwo");
    }

    #[test]
    fn a_link_in_a_files_place_is_refused() {
        let (temporary, dir) = Dir::temporary();
        std::fs::write(temporary.path().join("secret"), "x").unwrap();
        symlink(temporary.path().join("secret"), dir.path().join("log")).unwrap();
        assert!(dir.open_file("log").is_err());
        assert!(dir.append("log").is_err());
    }

    #[test]
    fn a_hard_link_and_a_fifo_are_refused_without_hanging() {
        let (temporary, dir) = Dir::temporary();
        std::fs::write(temporary.path().join("other"), "x").unwrap();
        std::fs::hard_link(temporary.path().join("other"), dir.path().join("log")).unwrap();
        assert_eq!(dir.open_file("log").unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        dir.make_fifo("pipe").unwrap();
        assert_eq!(dir.open_file("pipe").unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn a_directory_others_can_write_is_refused() {
        let (temporary, _) = Dir::temporary();
        let path = temporary.path().join("state");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(Dir::open(&path).unwrap_err().to_string().contains("mode 0777"));
    }

    #[test]
    fn replace_leaves_one_file_with_the_new_content() {
        let (_temporary, dir) = Dir::temporary();
        dir.replace("a", b"one").unwrap();
        dir.replace("a", b"two").unwrap();
        assert_eq!(dir.read("a", 10).unwrap(), b"two");
        assert_eq!(dir.names().unwrap(), ["a"]);
    }

    #[test]
    fn lines_fill_the_room_and_then_follow_it() {
        let (_temporary, dir) = Dir::temporary();
        dir.make_room("lines", 40).unwrap();
        let long = "x".repeat(20);
        let sizes = [&long, "b", &long, "d"].map(|line| {
            dir.add_line("lines", line).unwrap();
            dir.read("lines", 1000).unwrap().len()
        });
        assert_eq!(sizes, [40, 40, 61, 63]);
        let text = String::from_utf8(dir.read("lines", 1000).unwrap()).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        assert_eq!(lines, [&long, "b", &long, "d"]);
    }

    #[test]
    fn a_suspended_writer_does_not_stop_another() {
        let (_temporary, dir) = Dir::temporary();
        dir.make_room("lines", 40).unwrap();
        let held = dir.open_file("lines").unwrap();
        held.lock().unwrap();
        dir.add_line("lines", "a").unwrap();
        assert_eq!(dir.read("lines", 100).unwrap(), [vec![b' '; 40], b"\na".to_vec()].concat());
    }

    #[test]
    fn an_interrupted_call_is_repeated_and_any_other_error_is_not() {
        let mut errors = vec![28, 4, 4];
        let mut call = || errors.pop().map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)));
        assert_eq!(uninterrupted(&mut call).unwrap_err().raw_os_error(), Some(28));
        assert_eq!(uninterrupted(&mut call).ok(), Some(()));
    }

    #[test]
    fn a_file_over_the_limit_is_refused() {
        let (_temporary, dir) = Dir::temporary();
        dir.write_new("big", &[0; 100]).unwrap();
        assert_eq!(dir.read("big", 99).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(dir.read("big", 100).unwrap().len(), 100);
    }

    #[test]
    fn a_fifo_without_a_reader_cannot_be_poked() {
        let (_temporary, dir) = Dir::temporary();
        dir.make_fifo("control").unwrap();
        assert!(!dir.poke_fifo("control"));
        let held = dir.open_fifo("control").unwrap();
        assert!(dir.poke_fifo("control"));
        drop(held);
        assert!(!dir.poke_fifo("control"));
    }
}
