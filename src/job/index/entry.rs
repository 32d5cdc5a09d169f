//! The form of the index: records of 132 bytes, numbers in little endian.
//!
//! ```text
//!   0  12  the id
//!  12  12  when the job was asked for: seconds, nanoseconds
//!  24  84  of its directory, its record and its exit record: number, seconds and nanoseconds of the last change, size
//! 108   8  where its copy begins
//! 116   8  the sizes of the copies of the record and of the exit record
//! 124   4  the CRC-32 of its copy
//! 128   4  the CRC-32 of the bytes before
//! ```

use chrono::{DateTime, Utc};

use crate::fs::{Dir, State};
use crate::job::index::Copied;
use crate::job::{EXIT, RECORD};
use crate::names::JobId;

/// The size of a header and of an entry in bytes.
pub const SIZE: usize = 132;
/// The first bytes of the file. Another form gets another number.
const MAGIC: &[u8] = b"longshore index 1\n";

/// An id as it stands in the file.
pub type Key = [u8; 12];

/// An id as it stands in the file.
pub fn key(id: &JobId) -> Key {
    // An id has twelve characters of ASCII.
    id.as_str().as_bytes().try_into().unwrap_or_default()
}

/// The first record of the file, which names the file of the copies.
#[derive(Debug)]
pub struct Header(String);

impl Header {
    pub fn new(random: &str) -> Self {
        Self(random.to_owned())
    }

    pub fn read(bytes: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(bytes.strip_prefix(MAGIC)?).ok()?.trim_end();
        name.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| Self(name.to_owned()))
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = [MAGIC, self.0.as_bytes()].concat();
        bytes.resize(SIZE, b' ');
        bytes
    }

    /// The name of the file of the copies.
    pub fn copies(&self) -> String {
        format!(".index-{}", self.0)
    }
}

/// What the index says of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub(super) key: Key,
    /// When the job was asked for.
    pub created: DateTime<Utc>,
    /// Of the directory, the record and the exit record.
    states: [State; 3],
    pub(super) offset: u64,
    pub(super) record: u32,
    exit: u32,
    sum: u32,
}

impl Entry {
    /// An entry without a copy.
    pub(super) fn of(jobs: &Dir, id: &JobId) -> Option<Self> {
        let created = DateTime::default();
        Some(Self { key: key(id), created, states: states(jobs, id)?, offset: 0, record: 0, exit: 0, sum: 0 })
    }

    /// Adds when the job was asked for, and what its copy is like; `None` if that is too large.
    pub(super) fn describe(&mut self, created: DateTime<Utc>, copied: &Copied) -> Option<()> {
        self.created = created;
        self.record = u32::try_from(copied.record().len()).ok()?;
        self.exit = u32::try_from(copied.exit().len()).ok()?;
        self.sum = crc32fast::hash(&copied.bytes);
        Some(())
    }

    /// Whether this is its copy.
    pub(super) fn is_of(&self, copied: &Copied) -> bool {
        self.sum == crc32fast::hash(&copied.bytes)
    }

    /// Whether the files of the job are those that were copied.
    #[must_use]
    pub fn is_current(&self, jobs: &Dir, id: &JobId) -> bool {
        states(jobs, id).as_ref() == Some(&self.states)
    }

    /// Whether the job is still to be listed: to hide it, a file is made in its directory.
    #[must_use]
    pub fn is_listed(&self, jobs: &Dir, id: &JobId) -> bool {
        jobs.state(id.as_str()).ok().as_ref() == Some(&self.states[0])
    }

    /// When one of its files changed last.
    pub(super) fn changed(&self) -> Option<DateTime<Utc>> {
        self.states.iter().map(State::changed).max()?
    }

    /// How many bytes its copy has.
    pub(super) fn length(&self) -> usize {
        self.record as usize + self.exit as usize
    }

    /// `None` for a record that was never written completely, or is damaged.
    pub(super) fn read(bytes: &[u8; SIZE]) -> Option<Self> {
        let (all, sum) = bytes.split_last_chunk()?;
        if crc32fast::hash(all) != u32::from_le_bytes(*sum) {
            return None;
        }
        let mut rest = Rest(all);
        let key = rest.next();
        let created = DateTime::from_timestamp(i64::from_le_bytes(rest.next()), u32::from_le_bytes(rest.next()))?;
        let states = std::array::from_fn(|_| State {
            number: u64::from_le_bytes(rest.next()),
            changed: (i64::from_le_bytes(rest.next()), u32::from_le_bytes(rest.next())),
            size: u64::from_le_bytes(rest.next()),
        });
        let offset = u64::from_le_bytes(rest.next());
        let [record, exit, sum] = std::array::from_fn(|_| u32::from_le_bytes(rest.next()));
        Some(Self { key, created, states, offset, record, exit, sum })
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.key.to_vec();
        bytes.extend(self.created.timestamp().to_le_bytes());
        bytes.extend(self.created.timestamp_subsec_nanos().to_le_bytes());
        for State { number, changed: (seconds, nanoseconds), size } in &self.states {
            bytes.extend(number.to_le_bytes());
            bytes.extend(seconds.to_le_bytes());
            bytes.extend(nanoseconds.to_le_bytes());
            bytes.extend(size.to_le_bytes());
        }
        bytes.extend(self.offset.to_le_bytes());
        bytes.extend(self.record.to_le_bytes());
        bytes.extend(self.exit.to_le_bytes());
        bytes.extend(self.sum.to_le_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }
}

/// What has not been read of a record.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn next<const N: usize>(&mut self) -> [u8; N] {
        let (next, rest) = self.0.split_first_chunk().unwrap_or((&[0; N], &[]));
        self.0 = rest;
        *next
    }
}

/// `None` if one of them is missing.
fn states(jobs: &Dir, id: &JobId) -> Option<[State; 3]> {
    let file = |name: &str| jobs.state(&format!("{id}/{name}")).ok();
    Some([jobs.state(id.as_str()).ok()?, file(RECORD)?, file(EXIT)?])
}
