//! How much of the beginning of a limited log is gone: a file beside it, which is written before the blocks are given back.
//! So a process that is killed in between has said of too much that it is gone, and never of too little.
//!
//! The file is as large from the beginning as it ever is, so it can be written on a full disk. It has two places, in
//! blocks of their own. They are written in turn: of a mark that was not written completely, the one before is left. A
//! third block is there to find out whether the file system gives blocks back.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use crate::fs::{Dir, overwrite_at, release};

/// The size of a block of the file in bytes.
const BLOCK: u64 = 4096;
/// The size of a place in bytes.
const PLACE: usize = 12;
/// The size of the file in bytes.
const SIZE: usize = 3 * 4096;

/// The name of the file beside the log of this name.
#[must_use]
pub fn name(log: &str) -> String {
    format!("{log}.gone")
}

/// Reads and writes how much is gone. A file that stays open is that of the same log, also after it was renamed.
#[derive(Debug)]
pub struct Mark {
    file: File,
    name: String,
}

/// No place of the file can be read, so it is not known how much is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged;

impl Mark {
    /// Makes the file of a log of which so many bytes are gone. One that is there is replaced.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn make(dir: &Dir, log: &str, gone: u64) -> io::Result<()> {
        let mut bytes = vec![0; SIZE];
        bytes[..PLACE].copy_from_slice(&place(gone));
        dir.replace(&name(log), &bytes)
    }

    /// Opens the file to read it.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when there is none: nothing is gone then.
    pub fn open(dir: &Dir, log: &str) -> io::Result<Self> {
        Ok(Self { file: dir.open_file(&name(log))?, name: name(log) })
    }

    /// Opens the file to write it.
    ///
    /// # Errors
    /// As [`Mark::open`].
    pub fn change(dir: &Dir, log: &str) -> io::Result<Self> {
        let found = Self::open(dir, log)?;
        Ok(Self { file: dir.lock_file(&found.name)?, ..found })
    }

    /// How many bytes are gone.
    ///
    /// # Errors
    /// [`Damaged`] when that cannot be read.
    pub fn gone(&self) -> Result<u64, Damaged> {
        self.places().into_iter().flatten().max().ok_or(Damaged)
    }

    /// The values of the two places; `None` for one that is damaged.
    fn places(&self) -> [Option<u64>; 2] {
        [0, BLOCK].map(|at| {
            let mut bytes = [0; PLACE];
            self.file.read_exact_at(&mut bytes, at).ok().and_then(|()| parse(bytes))
        })
    }

    /// Records durably that so many bytes are gone, or are about to be.
    ///
    /// # Errors
    /// When it cannot be written. What was recorded before is then unchanged.
    pub fn record(&self, gone: u64) -> io::Result<()> {
        let [first, second] = self.places();
        let at = if first > second { BLOCK } else { 0 };
        overwrite_at(&self.file, &self.name, &place(gone), at)
    }

    /// Gives a block of this file back that has nothing in it.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] where the file system cannot do that.
    pub fn try_release(&self) -> io::Result<()> {
        release(&self.file, &self.name, 2 * BLOCK..3 * BLOCK)
    }
}

fn place(gone: u64) -> [u8; PLACE] {
    let mut bytes = [0; PLACE];
    bytes[..8].copy_from_slice(&gone.to_le_bytes());
    let check = crc32fast::hash(&bytes[..8]);
    bytes[8..].copy_from_slice(&check.to_le_bytes());
    bytes
}

fn parse(bytes: [u8; PLACE]) -> Option<u64> {
    let (value, check) = bytes.split_at(8);
    let is_whole = crc32fast::hash(value) == u32::from_le_bytes(check.try_into().ok()?);
    Some(u64::from_le_bytes(value.try_into().ok()?)).filter(|_| is_whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::LOG;

    #[test]
    fn what_was_recorded_last_is_read_by_all_who_have_it_open() {
        let (_temporary, dir) = Dir::temporary();
        assert_eq!(Mark::open(&dir, LOG).unwrap_err().kind(), io::ErrorKind::NotFound);
        Mark::make(&dir, LOG, 0).unwrap();
        let (reader, writer) = (Mark::open(&dir, LOG).unwrap(), Mark::change(&dir, LOG).unwrap());
        for gone in [0, 1, 4096, 1 << 20, u64::MAX] {
            writer.record(gone).unwrap();
            assert_eq!(reader.gone(), Ok(gone));
            assert_eq!(Mark::open(&dir, LOG).unwrap().gone(), Ok(gone));
        }
        assert_eq!(dir.open_file(&name(LOG)).unwrap().metadata().unwrap().len(), SIZE as u64);
    }

    #[test]
    fn a_mark_that_was_torn_leaves_the_one_before() {
        for last in [100_u64, 200, 300] {
            for torn in 0..PLACE {
                let (_temporary, dir) = Dir::temporary();
                Mark::make(&dir, LOG, 0).unwrap();
                let writer = Mark::change(&dir, LOG).unwrap();
                (100..=last).step_by(100).for_each(|gone| writer.record(gone).unwrap());
                let [first, second] = writer.places();
                let at = if first > second { BLOCK } else { 0 };
                writer.file.write_all_at(&place(last + 100)[..torn], at).unwrap();
                let read = Mark::open(&dir, LOG).unwrap().gone().unwrap();
                assert!(read == last || read == last + 100, "{last} {torn} {read}");
                // The next one repairs it.
                writer.record(last + 200).unwrap();
                assert_eq!(writer.gone(), Ok(last + 200));
            }
        }
    }

    #[test]
    fn garbage_is_damaged_and_never_a_number() {
        let (_temporary, dir) = Dir::temporary();
        for bytes in [&b""[..], b"x", &[0; SIZE], &[0xff; SIZE], &b"{\"gone\": 7}".repeat(2000)] {
            let _ = dir.remove(&name(LOG));
            dir.write_new(&name(LOG), bytes).unwrap();
            assert_eq!(Mark::open(&dir, LOG).unwrap().gone(), Err(Damaged));
        }
    }
}
