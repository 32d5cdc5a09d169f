//! The index of jobs that have ended: copies of their records in two files, so that a list of thousands opens two files and
//! not two for each job.
//!
//! ```text
//! STATE/<kind>/.index             a header and the entries, of the same size each; the last entry of an id counts
//! STATE/<kind>/.index-<random>    the copies; the header names this file
//! STATE/<kind>/.index.lock        held while one of them changes
//! ```
//!
//! The directories of the jobs decide. An entry has the number, the time of the last change and the size of the directory, the
//! record and the exit record, and its copy is used only while all of them are the same. Both have checksums. A job whose entry is
//! missing, torn, damaged or stale is read from its directory, and nothing is lost but time. So nothing here is synced, and no error is reported.

mod entry;

use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};

use super::record::{Exit, Record};
use super::{EXIT, EXIT_SIZE, FORGOTTEN, RECORD, SMALL_FILE};
use crate::fs::{Dir, random_name};
use crate::names::JobId;
pub use entry::Entry;
use entry::{Header, Key, SIZE, key};

const INDEX: &str = ".index";
const LOCK: &str = ".index.lock";
/// The room of ten million entries. A larger file is not ours.
const LARGEST: u64 = 10_000_000 * SIZE as u64;
/// How many ended jobs without an entry are worth the writing.
const WORTH: usize = 32;
/// How many entries may be of no use, beside half of all, before the files are written anew.
const WASTE: usize = 1000;
/// How many copies are in memory at a time.
const PART: usize = 256;
/// What changed less than this before may change again without a difference in the time of its last change: the kernel's clock
/// for files ticks every few milliseconds.
const FRESH: Duration = Duration::from_secs(2);
/// How long a removal waits for a process that writes the index. Thousands may be removed while it is suspended.
const PATIENCE: Duration = Duration::from_millis(20);

/// The entries of the ended jobs of one kind, and the copies of their records.
#[derive(Debug, Default)]
pub struct Index {
    /// The file: the header and the entries, which are read as they are needed.
    bytes: Vec<u8>,
    places: Places,
    /// The file of the copies, and its name.
    copies: Option<(String, File)>,
}

/// Where the last entry of each id is, in entries.
type Places = HashMap<Key, usize, BuildHasherDefault<KeyHasher>>;

/// A hash of an id. Ids are random and the user's own, so it need not withstand ids that were chosen to make the table slow, as the
/// standard hash does.
#[derive(Debug, Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            // 2^64 divided by the golden ratio, as in Fibonacci hashing.
            self.0 = (self.0.rotate_left(26) ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn finish(&self) -> u64 {
        // A table takes the low bits, and a product has more of the key in the high ones.
        self.0 ^ (self.0 >> 32)
    }
}

/// The record and the exit record of a job, as they are in its directory.
#[derive(Debug)]
pub struct Copied {
    bytes: Vec<u8>,
    record: usize,
}

impl Copied {
    /// What was asked.
    #[must_use]
    pub fn record(&self) -> &[u8] {
        &self.bytes[..self.record]
    }

    /// How it ended.
    #[must_use]
    pub fn exit(&self) -> &[u8] {
        &self.bytes[self.record..]
    }
}

impl Index {
    /// Reads the index of the jobs in this directory. It is empty if it is missing or cannot be used.
    #[must_use]
    pub fn read(jobs: &Dir) -> Self {
        // It may be written anew between the two files.
        Self::try_read(jobs).or_else(|| Self::try_read(jobs)).unwrap_or_default()
    }

    fn try_read(jobs: &Dir) -> Option<Self> {
        let bytes = jobs.read(INDEX, LARGEST).ok()?;
        let name = Header::read(bytes.get(..SIZE)?)?.copies();
        let copies = jobs.open_file(&name).ok()?;
        let (whole, _torn) = bytes.as_chunks::<SIZE>();
        let keys = whole.iter().zip(0..).skip(1).filter_map(|(entry, place)| Some((*entry.first_chunk()?, place)));
        let mut places = Places::with_capacity_and_hasher(whole.len(), BuildHasherDefault::default());
        places.extend(keys);
        Some(Self { bytes, places, copies: Some((name, copies)) })
    }

    /// The entry of a job. It may be stale.
    #[must_use]
    pub fn entry(&self, id: &JobId) -> Option<Entry> {
        self.at(*self.places.get(&key(id))?)
    }

    fn at(&self, place: usize) -> Option<Entry> {
        Entry::read(self.bytes.as_chunks().0.get(place)?)
    }

    /// The copy of a job; `None` if there is none, or it is stale or cannot be read.
    #[must_use]
    pub fn copy(&self, jobs: &Dir, id: &JobId) -> Option<Copied> {
        self.read_copy(jobs, id, &self.entry(id)?)
    }

    /// How many entries are those of jobs that there are.
    fn live(&self, jobs: &Dir) -> usize {
        let mut count = 0;
        let is_known = |name: &str| JobId::parse(name).is_ok_and(|id| self.entry(&id).is_some());
        // Without all names, fewer entries seem to be of use.
        let _ = jobs.each_name(|name| count += usize::from(is_known(name)));
        count
    }

    fn read_copy(&self, jobs: &Dir, id: &JobId, entry: &Entry) -> Option<Copied> {
        if !entry.is_current(jobs, id) {
            return None;
        }
        let mut bytes = vec![0; entry.length()];
        self.copies.as_ref()?.1.read_exact_at(&mut bytes, entry.offset).ok()?;
        let copied = Copied { bytes, record: entry.record as usize };
        entry.is_of(&copied).then_some(copied)
    }
}

/// Adds those of these jobs that have ended, if they are worth it. `now` is the time of the kernel's clock.
pub fn add(jobs: &Dir, ids: &[JobId], now: SystemTime) {
    if ids.len() >= WORTH {
        let _ = try_add(jobs, ids, now);
    }
}

/// Only the process that has the lock writes. Another one that wants to does without.
fn try_add(jobs: &Dir, ids: &[JobId], now: SystemTime) -> io::Result<()> {
    let lock = jobs.lock_file(LOCK)?;
    if lock.try_lock().is_err() {
        return Ok(());
    }
    let index = Index::read(jobs);
    let is_new = |id: &&JobId| !index.entry(id).is_some_and(|entry| entry.is_current(jobs, id));
    let mut new = ids.iter().filter(is_new).filter_map(|id| take(jobs, id, now)).peekable();
    if new.peek().is_none() {
        return Ok(());
    }
    let count = index.bytes.len() / SIZE;
    let wasted = count - index.live(jobs);
    let Some((name, _)) = index.copies.as_ref().filter(|_| wasted <= count / 2 + WASTE) else {
        return write_anew(jobs, &index, new);
    };
    let entries = jobs.append(INDEX)?;
    // What a killed process wrote last may be a part of an entry.
    let length = entries.metadata()?.len();
    entries.set_len(length - length % SIZE as u64)?;
    append(&jobs.append(name)?, &entries, new)
}

/// Appends entries and their copies, a part at a time, because thousands of copies are large.
fn append(copies: &File, entries: &File, mut new: impl Iterator<Item = (Entry, Copied)>) -> io::Result<()> {
    let mut offset = copies.metadata()?.len();
    loop {
        let (mut bodies, mut heads) = (Vec::new(), Vec::new());
        for (mut entry, copied) in new.by_ref().take(PART) {
            entry.offset = offset;
            offset += entry.length() as u64;
            bodies.extend_from_slice(&copied.bytes);
            heads.extend_from_slice(&entry.to_bytes());
        }
        if heads.is_empty() {
            return Ok(());
        }
        // An entry without its copy would be of no use.
        (&*copies).write_all(&bodies)?;
        (&*entries).write_all(&heads)?;
    }
}

/// Writes both files with other names, puts the entries in place, and removes the old copies.
fn write_anew(jobs: &Dir, index: &Index, new: impl Iterator<Item = (Entry, Copied)>) -> io::Result<()> {
    let kept = index.places.values().filter_map(|place| {
        let entry = index.at(*place)?;
        let id = JobId::parse(std::str::from_utf8(&entry.key).ok()?).ok()?;
        let copied = index.read_copy(jobs, &id, &entry)?;
        Some((entry, copied))
    });
    let header = Header::new(&random_name());
    let (copies, temporary) = (header.copies(), format!("{INDEX}.{}", random_name()));
    let written = (|| {
        let entries = jobs.append(&temporary)?;
        (&entries).write_all(&header.to_bytes())?;
        append(&jobs.append(&copies)?, &entries, kept.chain(new))?;
        jobs.place(&temporary, jobs, INDEX)
    })();
    let keep = if written.is_ok() { &copies } else { "" };
    let is_ours = |name: &&String| name.starts_with(".index-") || name.starts_with(".index.") && *name != LOCK;
    for name in jobs.names().unwrap_or_default().iter().filter(is_ours).filter(|name| *name != keep) {
        // Without a new index, the old one has its copies.
        if written.is_ok() || *name == copies || *name == temporary {
            let _ = jobs.remove(name);
        }
    }
    written
}

/// A copy of the files of a job; `None` if it has not ended, is hidden, damaged, or changed just now.
fn take(jobs: &Dir, id: &JobId, now: SystemTime) -> Option<(Entry, Copied)> {
    let mut entry = Entry::of(jobs, id)?;
    let job = jobs.subdir(id.as_str()).ok()?;
    let latest = now.checked_sub(FRESH)?;
    if job.has(FORGOTTEN) || DateTime::<Utc>::from(latest) < entry.changed()? {
        return None;
    }
    let (record, exit) = (job.read(RECORD, SMALL_FILE).ok()?, job.read(EXIT, EXIT_SIZE as u64).ok()?);
    let (asked, exit) = (Record::parse(&record).ok()?, exit.trim_ascii_end());
    Exit::parse(exit).ok()?;
    let copied = Copied { record: record.len(), bytes: [&record, exit].concat() };
    entry.describe(asked.created, &copied)?;
    // Not one of another job, and not one that changed while it was read.
    (asked.id == *id && entry.is_current(jobs, id)).then_some((entry, copied))
}

/// Overwrites what the index has of a job that is removed, so that nothing of its record is left.
pub fn erase(jobs: &Dir, id: &JobId) {
    let _ = try_erase(jobs, id);
}

fn try_erase(jobs: &Dir, id: &JobId) -> io::Result<()> {
    if !jobs.has(INDEX) {
        return Ok(());
    }
    // Without the lock, another process may just be writing both files anew. The job is gone, so it hardly copies that one.
    let _lock = jobs.hold_within(LOCK, PATIENCE);
    let bytes = jobs.read(INDEX, LARGEST)?;
    let (header, rest) = bytes.split_at_checked(SIZE).ok_or(io::ErrorKind::InvalidData)?;
    let places = rest.as_chunks::<SIZE>().0.iter().zip(1_u64..);
    for (entry, place) in places.filter(|(bytes, _)| bytes.starts_with(&key(id))) {
        if let (Some(entry), Some(header)) = (Entry::read(entry), Header::read(header)) {
            let copies = jobs.change(&header.copies())?;
            // A damaged entry must not make the file longer.
            let end = copies.metadata()?.len().min(entry.offset.saturating_add(entry.length() as u64));
            let length = usize::try_from(end.saturating_sub(entry.offset)).unwrap_or(0);
            copies.write_all_at(&vec![b' '; length], entry.offset)?;
        }
        jobs.change(INDEX)?.write_all_at(&[0; SIZE], place * SIZE as u64)?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
