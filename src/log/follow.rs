//! Reads a log while it grows.

use std::fs::TryLockError;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};

use super::compare::agree;
use super::extent::{Extent, Span, Timing};
use super::growth::Growth;
use super::passage::Passage;
use super::stamps::Stamps;
use super::times::Times;
use super::{Log, open};
use crate::fs::same_file;
use crate::job::{Job, LOG, LOG_RECOVERED};
use crate::names::Tail;

/// Reads what a job writes, while it writes it.
#[derive(Debug)]
pub struct Follower {
    passage: Passage,
    /// The log of the next attempt, once this one has ended.
    next: Option<Log>,
    /// Where it ends for the reader, once that is known.
    end: Option<u64>,
    timing: Timing,
    /// How many bytes were asked for and are gone, since that was told last.
    gone: u64,
    text: Vec<u8>,
}

impl Follower {
    /// Starts where the part of the log begins that is shown.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn new(job: &Job, extent: &Extent) -> io::Result<Self> {
        let mut log = open(job)?;
        let Span { start: position, timing, times, gone, .. } = extent.span(job, &mut log)?;
        let stamps = times.filter(|_| extent.timestamps).map(|times| Stamps::new(times, position));
        let passage = Passage::new(log, position, stamps);
        Ok(Self { passage, next: None, end: None, timing, gone, text: Vec::new() })
    }

    /// Whether the times that were needed so far are known.
    #[must_use]
    pub fn timing(&self) -> Timing {
        self.timing.max(self.passage.stamps.as_ref().map_or(Timing::Known, Stamps::timing))
    }

    /// How many bytes that were asked for are gone, since the last call: those before the beginning, and those that were given
    /// back before they could be read.
    pub fn take_gone(&mut self) -> u64 {
        std::mem::take(&mut self.gone) + std::mem::take(&mut self.passage.missed)
    }

    /// Ends the log for the reader where the part ends that is shown.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn end_at(&mut self, job: &Job, extent: &Extent) -> io::Result<()> {
        let span = Extent { tail: Tail::All, since: None, ..*extent }.span(job, &mut self.passage.log)?;
        self.seek()?;
        (self.end, self.timing) = (Some(span.end), self.timing.max(span.timing));
        Ok(())
    }

    /// Bytes that the kernel copies are those from the place of the file on.
    fn seek(&mut self) -> io::Result<()> {
        self.passage.log.file.seek(SeekFrom::Start(self.passage.position)).map(drop)
    }

    /// Writes what was added since the last call; returns the number of bytes of the log. `now` is in milliseconds since 1970.
    ///
    /// # Errors
    /// When the log was truncated, or the writer fails.
    pub fn advance(&mut self, job: &Job, now: i64, out: &mut impl Write) -> io::Result<u64> {
        let (length, position) = (self.passage.log.file.metadata()?.len(), self.passage.position);
        if length < position {
            return Err(io::Error::other("it was truncated while it was read"));
        }
        let length = self.end.map_or(length, |end| length.min(end.max(position)));
        if length == position {
            let Some(next) = self.next.take().filter(|_| self.end.is_none()) else { return Ok(0) };
            self.continue_from(job, now, next, 0)?;
            return self.advance(job, now, out);
        }
        if !self.passage.is_plain() {
            return self.pass(job, now, length, out);
        }
        let copied = io::copy(&mut (&mut self.passage.log.file).take(length - position), out)?;
        self.passage.position += copied;
        Ok(copied)
    }

    /// Continues in another log, with its times before its lines.
    fn continue_from(&mut self, job: &Job, now: i64, log: Log, position: u64) -> io::Result<()> {
        let missed = self.passage.missed;
        let stamps = match self.passage.stamps.take() {
            Some(stamps) => {
                self.timing = self.timing.max(stamps.timing());
                Some(Stamps::new(Times::of(job, &log, now)?, position))
            }
            None => None,
        };
        self.passage = Passage::new(log, position, stamps);
        self.passage.missed = missed;
        self.seek()
    }

    /// Continues at the same position in another copy of the log, unless that is shorter.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn continue_in(&mut self, job: &Job, now: i64, copy: Log) -> io::Result<()> {
        if copy.file.metadata()?.len() < self.passage.position {
            return Ok(());
        }
        self.passage.log = copy;
        self.seek()?;
        self.renew_times(job, now)
    }

    /// Uses what is known now of the times of the log.
    fn renew_times(&mut self, job: &Job, now: i64) -> io::Result<()> {
        if let Some(stamps) = &mut self.passage.stamps {
            stamps.renew(Times::of(job, &self.passage.log, now)?);
        }
        Ok(())
    }

    fn pass(&mut self, job: &Job, now: i64, length: u64, out: &mut impl Write) -> io::Result<u64> {
        if self.passage.stamps.as_ref().is_some_and(Stamps::may_grow) {
            self.renew_times(job, now)?;
        }
        self.text.clear();
        let passed = self.passage.next(length, &mut self.text)?;
        out.write_all(&self.text)?;
        Ok(passed)
    }

    /// Has this wait end when the log grows. Returns false if it has grown already, or nothing can be waited for.
    pub fn arm(&self, growth: &Growth) -> bool {
        let Passage { log, position, .. } = &self.passage;
        let has_grown = || log.file.metadata().is_ok_and(|data| data.len() != *position) || self.next.is_some();
        growth.arm(&log.file).is_ok() && !has_grown()
    }

    /// Checks that the log is still the file that is read here, or was removed together with the job. The log of an attempt
    /// that is followed by another one is moved aside; the next one is read then.
    ///
    /// # Errors
    /// When another file has its name, or that cannot be told.
    pub fn check_place(&mut self, job: &Job) -> io::Result<()> {
        for name in [LOG, LOG_RECOVERED] {
            match job.dir.open_file(name) {
                Ok(file) if same_file(&file, &self.passage.log.file)? => return Ok(()),
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if let Some(number) = self.attempt(job) {
            // In the moment after the log was moved aside there is no other one.
            self.next = self.next.take().or_else(|| log_after(job, number));
            return Ok(());
        }
        // Asked last: a job is renamed away before its files are removed.
        if job.is_removed() { Ok(()) } else { Err(io::Error::other("it was replaced while it was read")) }
    }

    /// The number of the attempt whose log is read here, if it was moved aside.
    fn attempt(&self, job: &Job) -> Option<usize> {
        let is_ours = |number: &usize| {
            let logs = [job.log_of_attempt(*number), job.first_log_of_attempt(*number)];
            logs.into_iter().flatten().any(|file| same_file(&file, &self.passage.log.file).unwrap_or(false))
        };
        (1..=job.attempts().len()).find(is_ours)
    }

    /// Whether docker's client still has the log open, also if its name is gone.
    #[must_use]
    pub fn has_client(&self) -> bool {
        let file = &self.passage.log.file;
        match file.try_lock_shared() {
            Ok(()) => file.unlock().is_err(),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => true,
        }
    }

    /// Changes to the recovered log after the end, if there is one. It continues at the same position if the recovered log
    /// begins with what was shown, and otherwise at the beginning of what is to be shown. Returns whether it continues.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub fn change_over(&mut self, job: &Job, extent: &Extent) -> io::Result<bool> {
        let Ok(whole) = job.dir.open_file(LOG_RECOVERED) else { return Ok(true) };
        if same_file(&whole, &self.passage.log.file)? {
            return Ok(true);
        }
        let mut whole = Log::of(job, whole)?;
        let same = self.has_shown(&mut whole)?;
        if same {
            self.passage.log = whole;
            self.seek()?;
            self.renew_times(job, extent.now)?;
        } else {
            let span = Extent { tail: Tail::All, ..*extent }.span(job, &mut whole)?;
            self.gone += span.gone;
            self.continue_from(job, extent.now, whole, span.start)?;
        }
        Ok(same)
    }

    /// Whether another log begins with what was shown of this one, as far as neither is gone.
    fn has_shown(&mut self, whole: &mut Log) -> io::Result<bool> {
        let position = self.passage.position;
        let own = &mut self.passage.log;
        let first = own.gone.bytes().max(whole.gone.bytes()).min(position);
        for log in [&mut *own, &mut *whole] {
            log.file.seek(SeekFrom::Start(first))?;
        }
        agree((&own.file).take(position - first), (&whole.file).take(position - first))
    }
}

/// The log of the attempt after this one.
fn log_after(job: &Job, number: usize) -> Option<Log> {
    let is_last = number == job.attempts().len();
    let file = if is_last { job.dir.open_file(LOG) } else { job.log_of_attempt(number + 1) }.ok()?;
    Log::of(job, file).ok()
}
