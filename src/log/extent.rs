//! Which part of a log is shown: the last lines, and those of a span of time.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};

use super::passage::Passage;
use super::stamps::Stamps;
use super::times::{Place, Times};
use super::{CHUNK, Log, tail_start};
use crate::job::Job;
use crate::names::Tail;

/// How often the place of what is shown is looked for, if blocks are given back meanwhile.
const TRIES: u32 = 3;

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
    /// How many bytes before it were asked for and are gone.
    pub gone: u64,
}

/// The bytes of a log. Those of a file can be copied by the kernel.
#[derive(Debug)]
pub enum Reader {
    /// As they are.
    Plain(io::Take<File>),
    /// With the time before each line, or without what is gone meanwhile.
    Passing(Box<Passing>),
}

/// A log that is read up to a place.
#[derive(Debug)]
pub struct Passing {
    passage: Passage,
    end: u64,
    text: Vec<u8>,
    taken: usize,
}

impl Passing {
    /// Whether the times of all lines so far were known.
    #[must_use]
    pub fn timing(&self) -> Timing {
        self.passage.stamps.as_ref().map_or(Timing::Known, Stamps::timing)
    }

    /// How many bytes were gone before they could be read.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.passage.missed
    }
}

impl Read for Passing {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.text.len() {
            self.text.clear();
            self.taken = 0;
            if self.passage.next(self.end, &mut self.text)? == 0 {
                return Ok(0);
            }
        }
        let size = (self.text.len() - self.taken).min(into.len());
        into[..size].copy_from_slice(&self.text[self.taken..self.taken + size]);
        self.taken += size;
        Ok(size)
    }
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(into),
            Self::Passing(passing) => passing.read(into),
        }
    }
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
    /// How many bytes before it were asked for and are gone.
    pub gone: u64,
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
    pub fn span(&self, job: &Job, log: &mut Log) -> io::Result<Span> {
        let mut first = log.gone.bytes();
        for _ in 0..TRIES {
            let span = self.span_from(job, log, first)?;
            // What was given back meanwhile was looked through as zeros.
            let now = log.gone.bytes();
            if now == first {
                return Ok(span);
            }
            first = now;
        }
        self.span_from(job, log, first)
    }

    /// The same, of what follows the first bytes.
    fn span_from(&self, job: &Job, log: &mut Log, first: u64) -> io::Result<Span> {
        let length = log.file.metadata()?.len();
        let first = first.min(length);
        let mut times = self.needs_times().then(|| Times::of(job, log, self.now)).transpose()?;
        let mut timing = Timing::Known;
        let file = &mut log.file;
        let (mut asked, mut start, mut end) = (0, first, length);
        if let (Some(times), Some(since)) = (&mut times, self.since) {
            let place = times.since(since);
            asked = place.position.min(length);
            if asked >= first {
                timing = timing.max(state(times, place));
            }
            start = line_behind(file, asked, first, length)?;
        }
        let mut until = length;
        if let (Some(times), Some(time)) = (&mut times, self.until) {
            let place = times.until(time);
            until = place.position.min(length);
            if until >= first {
                timing = timing.max(state(times, place));
            }
            end = line_behind(file, until, first, length)?.max(start);
        }
        let lowest = start;
        if let Tail::Lines(lines) = self.tail {
            start = tail_start(file, start..end, lines)?;
        }
        file.seek(SeekFrom::Start(start))?;
        let is_asked = start == lowest && self.tail != Tail::Lines(0);
        let gone = if is_asked { first.min(until).saturating_sub(asked) } else { 0 };
        Ok(Span { start, end, timing, times, gone })
    }

    /// The part of the log that is shown, up to its present end. Without that end, a job that writes fast could keep the
    /// reader busy without end.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn read(&self, job: &Job, mut log: Log) -> io::Result<Shown> {
        let Span { start, end, timing, times, gone } = self.span(job, &mut log)?;
        let stamps = times.filter(|_| self.timestamps).map(|times| Stamps::new(times, start));
        let passage = Passage::new(log, start, stamps);
        let reader = if passage.is_plain() {
            Reader::Plain(passage.log.file.take(end - start))
        } else {
            Reader::Passing(Box::new(Passing { passage, end, text: Vec::new(), taken: 0 }))
        };
        Ok(Shown { reader, timing, gone })
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

/// The same of a log of which the first bytes are gone, up to the beginning of a line.
fn line_behind(file: &mut File, position: u64, gone: u64, end: u64) -> io::Result<u64> {
    if position > gone { line_after(file, position, end) } else { Ok(gone) }
}
