//! What a file system says of itself: its type, the room on it, and what this process may do there.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use rustix::fs::{AtFlags, OFlags};

use super::{Dir, FILE};
use crate::fault;

impl Dir {
    /// Whether nothing more can be written here: the disk is full, or the user's quota is used up.
    #[must_use]
    pub fn is_full(&self) -> bool {
        rustix::fs::fstatvfs(&self.fd).is_ok_and(|stat| stat.f_bavail == 0) || self.refuses_a_block()
    }

    /// Whether a block cannot be written for lack of room. A quota does not show in what the file system says of its size.
    /// The block is written to a file that never has a name. Where there are no such files, nothing is known.
    fn refuses_a_block(&self) -> bool {
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let Ok(file) = rustix::fs::openat(&self.fd, ".", flags, FILE).map(File::from) else { return false };
        let written = fault::call("probe", "").and_then(|()| (&file).write_all(&[0; 4096]));
        written.is_err_and(|error| lacks_room(&error))
    }

    /// The file system's name if locks and renames on it are not reliable: NFS, SMB, FUSE.
    #[must_use]
    pub fn untrusted_file_system(&self) -> Option<&'static str> {
        untrusted(self.file_system_type()?)
    }

    /// The file system's name, or the number of its type if that is not known here.
    #[must_use]
    pub fn file_system(&self) -> String {
        let unknown = || self.file_system_type().map_or_else(|| "unknown".into(), |number| format!("type {number:#x}"));
        self.known_file_system().map_or_else(unknown, str::to_owned)
    }

    fn known_file_system(&self) -> Option<&'static str> {
        known(self.file_system_type()?)
    }

    fn file_system_type(&self) -> Option<u32> {
        #[cfg(target_os = "linux")]
        {
            let magic = rustix::fs::fstatfs(&self.fd).ok()?.f_type as i64;
            // Where the number has 32 bits, the large ones are negative.
            u32::try_from(magic & 0xffff_ffff).ok()
        }
        #[cfg(not(target_os = "linux"))]
        None
    }

    /// The room that is left on its file system.
    ///
    /// # Errors
    /// As `fstatvfs(3)`.
    pub fn room(&self) -> io::Result<Room> {
        Ok(Room::of(&rustix::fs::fstatvfs(&self.fd)?))
    }
}

/// The magic numbers of statfs(2).
const FILE_SYSTEMS: [(u32, &str); 12] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "SMB"),
    (0xfe53_4d42, "SMB"),
    (0x6573_5546, "FUSE"),
    (0xef53, "ext4"),
    (0x5846_5342, "xfs"),
    (0x9123_683e, "btrfs"),
    (0x2fc1_2fc1, "zfs"),
    (0xf2f5_2010, "f2fs"),
    (0x0102_1994, "tmpfs"),
    (0x794c_7630, "overlay"),
];

/// The room that is left on a file system for a user who is not root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes.
    pub bytes: u64,
    /// Inodes, so many files can be made; `None` where the file system has no limit of them.
    pub files: Option<u64>,
}

impl Room {
    /// The room on the file system of a path.
    ///
    /// # Errors
    /// As `statvfs(3)`.
    pub fn at(path: &Path) -> io::Result<Self> {
        Ok(Self::of(&rustix::fs::statvfs(path)?))
    }

    fn of(stat: &rustix::fs::StatVfs) -> Self {
        let files = (stat.f_files > 0).then_some(stat.f_favail);
        Self { bytes: stat.f_bavail.saturating_mul(stat.f_frsize), files }
    }
}

/// Whether this process may make a directory: whether it may make entries in the nearest of its parents that there is.
///
/// # Errors
/// As `faccessat(2)`: why it may not.
pub fn may_make(path: &Path) -> io::Result<()> {
    use rustix::fs::{Access, CWD, accessat};
    let there = path.ancestors().find(|path| path.symlink_metadata().is_ok()).unwrap_or(path);
    Ok(accessat(CWD, there, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)?)
}

/// Whether this process may write to an existing file or directory, or connect to a socket.
///
/// # Errors
/// As `faccessat(2)`: why it may not.
pub fn may_write(path: &Path) -> io::Result<()> {
    use rustix::fs::{Access, CWD, accessat};
    Ok(accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS)?)
}

/// Whether an error says that the disk is full or that the user's quota is used up.
#[must_use]
pub fn lacks_room(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The name of the file system with this magic number.
fn known(magic: u32) -> Option<&'static str> {
    FILE_SYSTEMS.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name)
}

/// The name of the file system with this magic number if its locks are not reliable.
fn untrusted(magic: u32) -> Option<&'static str> {
    known(magic).filter(|name| ["NFS", "SMB", "FUSE"].contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_systems_of_other_machines_are_known_by_their_numbers() {
        let table = [
            ("NFS", 0x6969, Some("NFS")),
            ("SMB", 0x517b, Some("SMB")),
            ("CIFS", 0xff53_4d42, Some("SMB")),
            ("SMB 2", 0xfe53_4d42, Some("SMB")),
            ("FUSE: sshfs, virtiofs, s3fs", 0x6573_5546, Some("FUSE")),
            ("ext4", 0xef53, None),
            ("XFS", 0x5846_5342, None),
            ("btrfs", 0x9123_683e, None),
            ("tmpfs", 0x0102_1994, None),
            ("overlayfs", 0x794c_7630, None),
            ("ZFS", 0x2fc1_2fc1, None),
        ];
        for (name, magic, known) in table {
            assert_eq!(untrusted(magic), known, "{name}");
        }
    }

    #[test]
    fn a_full_disk_and_a_used_up_quota_lack_room() {
        for (errno, full) in [(28, true), (122, true), (5, false), (4, false)] {
            assert_eq!(lacks_room(&io::Error::from_raw_os_error(errno)), full, "{errno}");
        }
    }

    #[test]
    fn a_directory_with_room_is_not_full_and_a_look_leaves_nothing() {
        let (_temporary, dir) = Dir::temporary();
        assert!(!dir.is_full());
        assert_eq!(dir.names().unwrap(), Vec::<String>::new());
    }
}
