//! The times of the lines of a log: which of them were written since or until a time, and when each was.
//!
//! The index of a log cuts it into stretches. All bytes of one were written between two times, at most 100 ms apart, or with
//! a pause before the first of them. Where no supervisor watched the log, nothing but these two times is known.

use std::fs::File;
use std::io;

use super::compare;
use super::gone::{Gone, Log};
use super::home::Home;
use super::index::{Damaged, Index, Sample, partition, written};
use crate::fs::Dir;
use crate::job::{EXIT, Job, LOG};

/// How late the sample of a log may be that a supervisor watches, in milliseconds. It has more time than it needs.
const LATE: i64 = 1000;

/// What is known of the times of a log.
#[derive(Debug)]
pub struct Times {
    index: Option<Index>,
    /// How many samples are about the bytes of this log.
    count: u64,
    /// When its first byte was written, at the earliest.
    begun: i64,
    /// When its last byte was written.
    written: i64,
    length: u64,
    /// Whether a supervisor watches it now.
    is_watched: bool,
    /// Whether it is the log itself, and no copy.
    is_original: bool,
}

/// A part of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Where it begins in the log.
    pub start: u64,
    /// Where it ends.
    pub end: u64,
    /// Its bytes were not written before this, in milliseconds since 1970.
    pub after: i64,
    /// They were not written after this.
    pub by: i64,
    /// Whether the second of the two times is that of all its bytes.
    pub is_known: bool,
}

/// A place in a log that was looked for by a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// In bytes from the beginning.
    pub position: u64,
    /// Whether it is not known exactly: then there is rather too much on the side that is shown.
    pub is_vague: bool,
}

impl Times {
    /// Those of a log of this job that was opened: its own, that of an attempt, or a copy of the engine's. `now` is in
    /// milliseconds since 1970.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn of(job: &Job, log: &Log, now: i64) -> io::Result<Self> {
        // The files of an attempt are moved aside when the next one is to begin, the log last.
        for _ in 0..2 {
            let home = Home::of(job, &log.file)?;
            let (index, number) = (Index::open(&home.dir), home.attempt);
            if Home::of(job, &log.file)?.attempt == number {
                let is_original = home.is_original();
                let times = Self { is_original, ..Self::new(index, &log.file, begun(job, number))? };
                let may_grow = is_original && number.is_none() && !job.dir.has(EXIT);
                let is_watched = || times.is_fresh(now) && may_grow && job.is_supervised();
                let times = Self { is_watched: is_watched(), ..times };
                return Ok(if is_original { times } else { times.for_copy(&home.dir, log) });
            }
        }
        Self::new(None, &log.file, begun(job, None))
    }

    fn new(index: Option<Index>, log: &File, begun: i64) -> io::Result<Self> {
        let data = log.metadata()?;
        let written = written(&data);
        let times = Self { index, count: 0, begun, written, length: data.len(), is_watched: false, is_original: true };
        Ok(times.up_to(data.len()))
    }

    /// Uses the index for the first bytes only. One that is damaged where it is looked at is not used at all.
    fn up_to(mut self, length: u64) -> Self {
        match self.index.as_mut().map(|index| index.partition(|sample| sample.length <= length)) {
            Some(Ok(count)) if count > 0 => Self { count, ..self },
            _ => Self { index: None, count: 0, ..self },
        }
    }

    /// Of a copy, the index is that of the bytes with which it begins as the log does.
    fn for_copy(self, dir: &Dir, copy: &Log) -> Self {
        let original = || {
            let file = dir.open_file(LOG)?;
            let gone = Gone::in_dir(dir, LOG, &file)?;
            io::Result::Ok(Log { file, gone })
        };
        let same = original().and_then(|log| common(&log, copy)).unwrap_or(0);
        self.up_to(same)
    }

    fn is_fresh(&self, now: i64) -> bool {
        (now - self.written).abs() <= LATE
    }

    /// Whether no time is known at all.
    #[must_use]
    pub fn are_missing(&self) -> bool {
        self.index.is_none()
    }

    /// Whether the log may have grown since.
    #[must_use]
    pub fn may_grow(&self) -> bool {
        self.is_original
    }

    /// The stretch of this number: there is one that ends at each sample, and one after the last.
    fn stretch(&mut self, number: u64) -> Result<Stretch, Damaged> {
        let mut sample = |at: u64| self.index.as_mut().ok_or(Damaged)?.sample(at);
        let before = number.checked_sub(1).map(&mut sample).transpose()?;
        let (start, after) = before.map_or((0, self.begun), |before| (before.length, before.time));
        if number < self.count {
            let Sample { time, length, gap } = sample(number)?;
            let is_known = !gap && before.is_some();
            return Ok(Stretch { start, end: length.max(start), after: after.min(time), by: time, is_known });
        }
        let by = self.written.max(after);
        // It is written, or was a moment ago: the next sample is to come.
        let is_known = before.is_some() && self.is_watched;
        Ok(Stretch { start, end: self.length.max(start), after: after.min(by), by, is_known })
    }

    /// The number of the first stretch with this property; all after it have it, too.
    fn first(&mut self, has: impl Fn(&Stretch) -> bool) -> Result<u64, Damaged> {
        partition(self.count, |number| Ok(!has(&self.stretch(number)?)))
    }

    /// Where what was written at this time or later begins.
    pub fn since(&mut self, time: i64) -> Place {
        let found = self.first(|stretch| stretch.by >= time).and_then(|number| self.stretch(number));
        match found {
            Ok(stretch) if stretch.by < time => Place { position: stretch.end, is_vague: false },
            Ok(stretch) => {
                let is_vague = !stretch.is_known && stretch.after < time && stretch.start < stretch.end;
                Place { position: stretch.start, is_vague }
            }
            Err(Damaged) => Place { position: 0, is_vague: true },
        }
    }

    /// Where what was written up to this time ends.
    pub fn until(&mut self, time: i64) -> Place {
        let found = self.first(|stretch| stretch.by > time).and_then(|number| self.stretch(number));
        match found {
            Ok(stretch) if stretch.by <= time => Place { position: stretch.end, is_vague: false },
            Ok(stretch) if stretch.is_known || stretch.after > time => {
                Place { position: stretch.start, is_vague: false }
            }
            Ok(stretch) => Place { position: stretch.end, is_vague: stretch.start < stretch.end },
            Err(Damaged) => Place { position: self.length, is_vague: true },
        }
    }

    /// The stretch with the byte at this position.
    pub fn at(&mut self, position: u64) -> Stretch {
        let found = self.first(|stretch| stretch.end > position).and_then(|number| self.stretch(number));
        let unknown = Stretch { start: 0, end: u64::MAX, after: self.begun, by: self.written, is_known: false };
        found.unwrap_or(unknown)
    }
}

/// When the job, or this attempt of it, was started at the earliest.
fn begun(job: &Job, attempt: Option<usize>) -> i64 {
    let of_attempt = || job.attempts().into_iter().nth(attempt?.checked_sub(1)?)?.started;
    let of_job = || job.begun().map(|begun| begun.started).or_else(|| job.exit()?.ok()?.started);
    let started = if attempt.is_some() { of_attempt() } else { of_job() };
    started.unwrap_or_else(|| job.created()).timestamp_millis()
}

/// How many bytes two logs have in common at their beginnings. What is gone of one of them is taken as the same; if all of
/// one is, they have nothing in common.
fn common(a: &Log, b: &Log) -> io::Result<u64> {
    use std::io::Seek as _;
    let first = a.gone.bytes().max(b.gone.bytes());
    if first > 0 && first >= a.file.metadata()?.len() {
        return Ok(0);
    }
    let at = (&mut &b.file).stream_position()?;
    for log in [a, b] {
        (&mut &log.file).seek(io::SeekFrom::Start(first))?;
    }
    let length = compare::common(&a.file, &b.file).map(|(length, _)| first + length);
    (&mut &b.file).seek(io::SeekFrom::Start(at))?;
    length
}
