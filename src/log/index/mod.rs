//! The index of a log: how long the log was at which times. The supervisor writes it beside the log, from which the times
//! of its lines can be found by binary search. The log never depends on it: without an index, or with a damaged one, only
//! the times are not known.
//!
//! The index is a sequence of [`Sample`]s of 16 bytes. Times and lengths never go back from one to the next. What is left of
//! a sample that was not written completely, at the end of the file, is ignored.

mod recorder;

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use crate::fs::Dir;
use crate::job::LOG_INDEX;
pub use recorder::Recorder;

/// The size of a sample in bytes.
const SIZE: u64 = 16;
/// How many samples are read at once.
const BLOCK: u64 = 256;
/// The bit of a length that marks a gap.
const GAP: u64 = 1 << 47;

/// The length of a log at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When the last byte of that length was written, in milliseconds since 1970.
    pub time: i64,
    /// In bytes.
    pub length: u64,
    /// Whether no process watched the log between the sample before and this one: what was written in between has no time.
    pub gap: bool,
}

impl Sample {
    fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        let length = self.length & (GAP - 1) | if self.gap { GAP } else { 0 };
        // Up to the year 6429.
        let time = self.time.clamp(-(1 << 47), (1 << 47) - 1);
        bytes[..6].copy_from_slice(&time.to_le_bytes()[..6]);
        bytes[6..12].copy_from_slice(&length.to_le_bytes()[..6]);
        let check = crc32fast::hash(&bytes[..12]);
        bytes[12..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    /// `None` if the bytes are damaged.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (values, found) = (bytes.get(..12)?, u32::from_le_bytes(bytes.get(12..16)?.try_into().ok()?));
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        // A time before 1970 is negative.
        let time = (number(&values[..6]) << 16).cast_signed() >> 16;
        let length = number(&values[6..]);
        (found == crc32fast::hash(values)).then_some(Self { time, length: length & (GAP - 1), gap: length & GAP != 0 })
    }
}

/// A sample of the index cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged;

/// An index that is read. More samples may be written meanwhile; they are not seen.
#[derive(Debug)]
pub struct Index {
    file: File,
    count: u64,
    /// The samples that were read last, and the number of the first of them.
    block: (u64, Vec<u8>),
}

impl Index {
    /// Opens the index of the log in this directory; `None` if there is none, or none of its samples can be read.
    #[must_use]
    pub fn open(dir: &Dir) -> Option<Self> {
        Self::of(dir.open_file(LOG_INDEX).ok()?).ok().filter(|index| index.count > 0)
    }

    fn of(file: File) -> io::Result<Self> {
        let count = file.metadata()?.len() / SIZE;
        let mut index = Self { file, count, block: (0, Vec::new()) };
        // After a crash of the host, the end of the file may be other bytes.
        while index.count > 0 && index.sample(index.count - 1).is_err() {
            index.count -= 1;
        }
        Ok(index)
    }

    /// How many samples it has.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sample of this number, from 0 on.
    ///
    /// # Errors
    /// When it is damaged, or there is none.
    pub fn sample(&mut self, at: u64) -> Result<Sample, Damaged> {
        if at >= self.count {
            return Err(Damaged);
        }
        let offset = |block: &(u64, Vec<u8>)| usize::try_from(at.checked_sub(block.0)? * SIZE).ok();
        let is_held = offset(&self.block).is_some_and(|offset| offset < self.block.1.len());
        if !is_held {
            let first = at / BLOCK * BLOCK;
            let size = usize::try_from((self.count - first).min(BLOCK) * SIZE).map_err(|_| Damaged)?;
            let mut bytes = vec![0; size];
            self.file.read_exact_at(&mut bytes, first * SIZE).map_err(|_| Damaged)?;
            self.block = (first, bytes);
        }
        let offset = offset(&self.block).ok_or(Damaged)?;
        self.block.1.get(offset..).and_then(Sample::parse).ok_or(Damaged)
    }

    /// How many samples come before the first one of which this is false. They must be sorted by it.
    ///
    /// # Errors
    /// When one that is looked at is damaged.
    pub fn partition(&mut self, mut is_before: impl FnMut(&Sample) -> bool) -> Result<u64, Damaged> {
        partition(self.count, |at| Ok(is_before(&self.sample(at)?)))
    }
}

/// How many of so many numbers come before the first one of which this is false. They must be sorted by it.
///
/// # Errors
/// The first of the look at a number.
pub fn partition(count: u64, mut is_before: impl FnMut(u64) -> Result<bool, Damaged>) -> Result<u64, Damaged> {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if is_before(middle)? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// When a file was written last, in milliseconds since 1970.
#[must_use]
pub fn written(data: &Metadata) -> i64 {
    data.mtime() * 1000 + data.mtime_nsec() / 1_000_000
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn index(bytes: &[u8]) -> Index {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Index::of(file).unwrap()
    }

    fn samples(count: i64) -> Vec<Sample> {
        (0..count).map(|at| Sample { time: at * 100 - 500, length: at.unsigned_abs() * 7, gap: at % 10 == 0 }).collect()
    }

    fn bytes(samples: &[Sample]) -> Vec<u8> {
        samples.iter().flat_map(|sample| sample.to_bytes()).collect()
    }

    #[test]
    fn a_sample_reads_back_as_the_same_and_a_damaged_one_does_not() {
        for time in [0, -1, 1_790_000_000_123, -62_000_000_000_000, (1 << 47) - 1] {
            for length in [0, 1, (1 << 47) - 1] {
                for gap in [false, true] {
                    let sample = Sample { time, length, gap };
                    let bytes = sample.to_bytes();
                    assert_eq!(Sample::parse(&bytes), Some(sample));
                    for at in 0..16 {
                        let mut damaged = bytes;
                        damaged[at] ^= 4;
                        assert_eq!(Sample::parse(&damaged), None, "{sample:?} {at}");
                    }
                }
            }
        }
        assert_eq!(Sample::parse(&[0; 16]), None, "a hole is no sample");
    }

    #[test]
    fn samples_are_found_by_their_number_and_by_binary_search() {
        let all = samples(1000);
        let mut index = index(&bytes(&all));
        assert_eq!(index.count(), 1000);
        for at in [0, 255, 256, 999, 3, 511] {
            assert_eq!(index.sample(at as u64), Ok(all[at]), "{at}");
        }
        for time in [-501, -500, 0, 50, 99_400, 99_401] {
            let expected = all.partition_point(|sample| sample.time < time) as u64;
            assert_eq!(index.partition(|sample| sample.time < time), Ok(expected), "{time}");
        }
        assert_eq!(index.sample(1000), Err(Damaged));
    }

    #[test]
    fn what_is_torn_or_damaged_at_the_end_is_ignored_and_elsewhere_it_is_told() {
        let all = bytes(&samples(20));
        assert_eq!(index(&all[..all.len() - 1]).count(), 19);
        assert_eq!(index(&[&all[..], &[0; 4096]].concat()).count(), 20);
        assert_eq!(index(&[7; 4099]).count(), 0);
        let mut damaged = all;
        damaged[16 * 10] ^= 1;
        let mut index = index(&damaged);
        assert_eq!((index.count(), index.sample(10)), (20, Err(Damaged)));
        assert_eq!(index.partition(|sample| sample.length < 70), Err(Damaged));
    }
}
