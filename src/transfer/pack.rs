//! Writing an archive. What the header has no room for is in records of POSIX before the member, which Go reads as well as
//! GNU tar: long names, times with fractions, large numbers.

use std::io::{self, Write};

use tar::{EntryType, Header};

use super::{MODE, Time};

const BLOCK: usize = 512;
/// The time of a directory that is in no tree, in the year 2006: a ZIP file has no time before 1980.
const LEADING: Time = Time { seconds: 1_153_704_088, nanos: 0 };
/// The first number that does not fit into an owner of seven octal digits, and the first size of eleven.
const OWNERS: u32 = 1 << 21;
const SIZES: u64 = 1 << 33;

/// An archive that is being written. It has an end only after [`Pack::finish`], so one that is dropped is incomplete.
#[derive(Debug)]
pub struct Pack<W: Write> {
    out: W,
}

/// What a member has beside its name and content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// Only the bits of [`MODE`] are written.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub time: Time,
}

impl<W: Write> Pack<W> {
    /// An archive without members. The writer should have a buffer.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    /// A directory that is in no tree, such as the one into which a tree is unpacked. `path` is relative, without a slash at
    /// its end.
    ///
    /// # Errors
    /// When the archive cannot be written.
    pub fn directory(&mut self, path: &str, mode: u32, uid: u32, gid: u32) -> io::Result<()> {
        self.begin(EntryType::Directory, path.as_bytes(), &[], 0, &Meta { mode, uid, gid, time: LEADING })
    }

    /// Ends the archive, and returns the writer, which is flushed.
    ///
    /// # Errors
    /// When the archive cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.flush()?;
        Ok(self.out)
    }

    /// Begins a member. If it is a file, its content follows, and then [`Pack::pad`].
    pub(super) fn begin(
        &mut self,
        kind: EntryType,
        name: &[u8],
        link: &[u8],
        size: u64,
        meta: &Meta,
    ) -> io::Result<()> {
        let mut name = name.to_vec();
        if kind == EntryType::Directory {
            name.push(b'/');
        }
        let mut header = Header::new_ustar();
        let mut records = Vec::new();
        if !fill(&mut header.as_old_mut().name, &name) {
            record(&mut records, "path", &name);
        }
        if !fill(&mut header.as_old_mut().linkname, link) {
            record(&mut records, "linkpath", link);
        }
        header.set_uid(owner(&mut records, "uid", meta.uid));
        header.set_gid(owner(&mut records, "gid", meta.gid));
        if size >= SIZES {
            record(&mut records, "size", size.to_string().as_bytes());
        }
        header.set_size(if size < SIZES { size } else { 0 });
        let seconds = u64::try_from(meta.time.seconds).ok().filter(|seconds| *seconds < SIZES);
        if seconds.is_none() || meta.time.nanos > 0 {
            record(&mut records, "mtime", decimal(meta.time).as_bytes());
        }
        header.set_mtime(seconds.unwrap_or(0));
        header.set_mode(meta.mode & MODE);
        header.set_entry_type(kind);
        header.set_cksum();
        if !records.is_empty() {
            self.records(&records)?;
        }
        self.out.write_all(header.as_bytes())
    }

    pub(super) fn content(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// Fills the last block of a content of this size.
    pub(super) fn pad(&mut self, size: u64) -> io::Result<()> {
        let left = size.wrapping_neg() % BLOCK as u64;
        self.out.write_all(&[0; BLOCK][..usize::try_from(left).unwrap_or(0)])
    }

    fn records(&mut self, records: &[u8]) -> io::Result<()> {
        let mut header = Header::new_ustar();
        fill(&mut header.as_old_mut().name, b"PaxHeaders/member");
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(records.len() as u64);
        header.set_entry_type(EntryType::XHeader);
        header.set_cksum();
        self.out.write_all(header.as_bytes())?;
        self.out.write_all(records)?;
        self.pad(records.len() as u64)
    }
}

/// Writes a value into a field, as much as there is room for; returns whether that is all. Not all readers agree on bytes
/// that are not ASCII.
fn fill(field: &mut [u8], value: &[u8]) -> bool {
    let length = value.len().min(field.len());
    field[..length].copy_from_slice(&value[..length]);
    length == value.len() && value.is_ascii()
}

/// What the header has for an owner. One that has no room there is in a record.
fn owner(records: &mut Vec<u8>, key: &str, id: u32) -> u64 {
    if id < OWNERS {
        return u64::from(id);
    }
    record(records, key, id.to_string().as_bytes());
    0
}

/// Appends `LENGTH KEY=VALUE\n`. The length counts its own digits.
pub(super) fn record(records: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} {key}=").as_bytes());
    records.extend_from_slice(value);
    records.push(b'\n');
}

/// A time such as `-12.5`, whose fraction is added away from 0.
fn decimal(time: Time) -> String {
    match (time.seconds, time.nanos) {
        (seconds, 0) => seconds.to_string(),
        (seconds @ ..=-1, nanos) => format!("-{}.{:09}", (seconds + 1).unsigned_abs(), 1_000_000_000 - nanos),
        (seconds, nanos) => format!("{seconds}.{nanos:09}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::member::{Kind, Members};
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let long = "d/".repeat(150) + "e";
        let time = |seconds, nanos| Time { seconds, nanos };
        let table: [(&[u8], &[u8], u32, Time); 7] = [
            (b"a", b"", 0, time(0, 0)),
            (long.as_bytes(), b"b", 1000, time(1_700_000_000, 123_456_789)),
            (b"caf\xe9\n\x1b[m", long.as_bytes(), OWNERS - 1, time(-1, 0)),
            (&[b'n'; 100], &[b'l'; 100], OWNERS, time(-1, 500_000_000)),
            (&[b'n'; 101], &[b'l'; 101], u32::MAX - 1, time(-2, 1)),
            (b"x\n20 path=../../etc", b"\n", 7, time(1 << 33, 0)),
            (b"\xff", b"\xff", 7, time((1 << 33) - 1, 999_999_999)),
        ];
        for (name, link, uid, time) in table {
            let mut pack = Pack::new(Vec::new());
            let meta = Meta { mode: 0o4755, uid, gid: uid, time };
            pack.begin(EntryType::Symlink, name, link, 0, &meta).unwrap();
            let archive = pack.finish().unwrap();
            let mut members = Members::of(&archive[..]);
            let member = members.next().unwrap().expect("a member");
            assert_eq!((&member.name[..], &member.link[..]), (name, link));
            assert_eq!((member.kind, member.mode, member.time), (Kind::SymbolicLink, 0o755, time));
            assert!(members.next().unwrap().is_none());
        }
    }

    #[test]
    fn a_record_counts_the_digits_of_its_own_length() {
        for size in (0..120).chain(980..1010) {
            let mut records = Vec::new();
            record(&mut records, "path", &vec![b'x'; size]);
            let digits = records.split(|byte| *byte == b' ').next().unwrap();
            assert_eq!(std::str::from_utf8(digits).unwrap(), records.len().to_string());
        }
    }

    #[test]
    fn a_large_file_has_its_size_in_a_record() {
        let mut pack = Pack::new(Vec::new());
        let meta = Meta { mode: 0o644, uid: 0, gid: 0, time: Time::default() };
        pack.begin(EntryType::Regular, b"huge", b"", 1 << 40, &meta).unwrap();
        let member = Members::of(&pack.out[..]).next().unwrap().expect("a member");
        assert_eq!(member.size, 1 << 40);
    }

    /// Another reader, which is no twin of ours.
    #[test]
    fn gnu_tar_lists_what_is_written() {
        let mut pack = Pack::new(Vec::new());
        pack.directory("app", 0o755, 1000, 1000).unwrap();
        let meta =
            Meta { mode: 0o640, uid: 5_000_000, gid: 7, time: Time { seconds: 1_700_000_000, nanos: 500_000_000 } };
        let name = format!("app/{}/caf\u{e9}", "d".repeat(120));
        pack.begin(EntryType::Regular, name.as_bytes(), b"", 3, &meta).unwrap();
        pack.content(b"abc").and_then(|()| pack.pad(3)).unwrap();
        let archive = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(archive.path(), pack.finish().unwrap()).unwrap();
        let tar = std::process::Command::new("tar")
            .args([
                "--list",
                "--verbose",
                "--numeric-owner",
                "--full-time",
                "--quoting-style=literal",
                "--utc",
                "--file",
            ])
            .arg(archive.path())
            .env("LC_ALL", "C")
            .output()
            .expect("GNU tar");
        let listed = format!(
            "drwxr-xr-x 1000/1000         0 2006-07-24 01:21:28 app/\n\
             -rw-r----- 5000000/7         3 2023-11-14 22:13:20.5 {name}\n"
        );
        assert_eq!(
            (String::from_utf8_lossy(&tar.stdout), String::from_utf8_lossy(&tar.stderr)),
            (listed.into(), "".into())
        );
    }
}
