//! Which part of a log is shown: the last lines, and those of a span of time.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

use super::stamps::{Stamped, Stamps};
use super::times::{Place, Times};
use super::{CHUNK, tail_start};
use crate::job::Job;
use crate::names::Tail;

/// What is shown of a log. Of the span of time, the last lines.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// How many lines.
    pub tail: Tail,
    /// From which time on, in milliseconds since 1970.
    pub since: Option<i64>,
    /// Up to which time, in the same.
    pub until: Option<i64>,
    /// Whether each line has its time before it.
    pub timestamps: bool,
    /// The present time, in the same.
    pub now: i64,
}

impl From<Tail> for Extent {
    fn from(tail: Tail) -> Self {
        Self { tail, since: None, until: None, timestamps: false, now: 0 }
    }
}

/// Whether the times that were asked for are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timing {
    /// They are, or none was asked for.
    #[default]
    Known,
    /// Of a part of the log they are not: for some time no supervisor watched it.
    Partial,
    /// No time is known.
    Missing,
}

/// The part of a log that is shown, to be read once.
#[derive(Debug)]
pub struct Shown {
    /// What is read.
    pub reader: Reader,
    /// Whether its beginning and end are known exactly.
    pub timing: Timing,
}

/// The bytes of a log. Those of a file can be copied by the kernel.
#[derive(Debug)]
pub enum Reader {
    /// As they are.
    Plain(io::Take<File>),
    /// With the time before each line.
    Stamped(Box<Stamped<io::Take<File>>>),
}

/// What is read of a log, up to its present end.
#[derive(Debug)]
pub struct Span {
    /// Where it begins.
    pub start: u64,
    /// Where it ends.
    pub end: u64,
    /// Whether the two are known exactly.
    pub timing: Timing,
    /// The times, if they were needed.
    pub times: Option<Times>,
}

impl Extent {
    /// Whether the times of the log are needed.
    #[must_use]
    pub fn needs_times(&self) -> bool {
        self.timestamps || self.since.is_some() || self.until.is_some()
    }

    /// The part of the log that is shown, as it is now, without its end for logs that are followed.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn span(&self, job: &Job, file: &mut File) -> io::Result<Span> {
        let length = file.metadata()?.len();
        let mut times = self.needs_times().then(|| Times::of(job, file, self.now)).transpose()?;
        let mut timing = Timing::Known;
        let (mut start, mut end) = (0, length);
        if let (Some(times), Some(since)) = (&mut times, self.since) {
            let place = times.since(since);
            timing = timing.max(state(times, place));
            start = line_after(file, place.position.min(length), length)?;
        }
        if let (Some(times), Some(until)) = (&mut times, self.until) {
            let place = times.until(until);
            timing = timing.max(state(times, place));
            end = line_after(file, place.position.min(length), length)?.max(start);
        }
        if let Tail::Lines(lines) = self.tail {
            start = tail_start(file, start..end, lines)?;
        }
        file.seek(SeekFrom::Start(start))?;
        Ok(Span { start, end, timing, times })
    }

    /// The part of the log that is shown, up to its present end. Without that end, a job that writes fast could keep the
    /// reader busy without end.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn read(&self, job: &Job, mut file: File) -> io::Result<Shown> {
        let Span { start, end, timing, times } = self.span(job, &mut file)?;
        let taken = file.take(end - start);
        let reader = match times.filter(|_| self.timestamps) {
            Some(times) => Reader::Stamped(Box::new(Stamped::new(taken, Stamps::new(times, start)))),
            None => Reader::Plain(taken),
        };
        Ok(Shown { reader, timing })
    }
}

fn state(times: &Times, place: Place) -> Timing {
    match (place.is_vague, times.are_missing()) {
        (false, _) => Timing::Known,
        (true, false) => Timing::Partial,
        (true, true) => Timing::Missing,
    }
}

/// The beginning of the first line from here on.
fn line_after(file: &mut File, position: u64, end: u64) -> io::Result<u64> {
    let Some(before) = position.checked_sub(1) else { return Ok(0) };
    file.seek(SeekFrom::Start(before))?;
    let (mut at, mut chunk) = (before, vec![0; CHUNK]);
    while at < end {
        let count = file.read(&mut chunk)?;
        if count == 0 {
            break;
        }
        if let Some(found) = chunk[..count].iter().position(|byte| *byte == b'\n') {
            return Ok((at + found as u64 + 1).min(end));
        }
        at += count as u64;
    }
    Ok(end)
}
