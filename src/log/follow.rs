//! Reads a log while it grows.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};

use super::compare::agree;
use super::extent::{Extent, Span, Timing};
use super::growth::Growth;
use super::stamps::Stamps;
use super::times::Times;
use super::{CHUNK, open};
use crate::fs::same_file;
use crate::job::{Job, LOG, LOG_RECOVERED};
use crate::names::Tail;

/// Reads what a job writes, while it writes it.
#[derive(Debug)]
pub struct Follower {
    file: File,
    position: u64,
    /// The log of the next attempt, once this one has ended.
    next: Option<File>,
    /// Where it ends for the reader, once that is known.
    end: Option<u64>,
    /// The times before the lines, if they are wanted.
    stamps: Option<Stamps>,
    timing: Timing,
    text: Vec<u8>,
}

impl Follower {
    /// Starts where the part of the log begins that is shown.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn new(job: &Job, extent: &Extent) -> io::Result<Self> {
        let mut file = open(job)?;
        let Span { start: position, timing, times, .. } = extent.span(job, &mut file)?;
        let stamps = times.filter(|_| extent.timestamps).map(|times| Stamps::new(times, position));
        Ok(Self { file, position, next: None, end: None, stamps, timing, text: Vec::new() })
    }

    /// Whether the times that were needed so far are known.
    #[must_use]
    pub fn timing(&self) -> Timing {
        self.timing.max(self.stamps.as_ref().map_or(Timing::Known, Stamps::timing))
    }

    /// Ends the log for the reader where the part ends that is shown.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn end_at(&mut self, job: &Job, extent: &Extent) -> io::Result<()> {
        let span = Extent { tail: Tail::All, since: None, ..*extent }.span(job, &mut self.file)?;
        self.file.seek(SeekFrom::Start(self.position))?;
        (self.end, self.timing) = (Some(span.end), self.timing.max(span.timing));
        Ok(())
    }

    /// Writes what was added since the last call; returns the number of bytes of the log. `now` is in milliseconds since 1970.
    ///
    /// # Errors
    /// When the log was truncated, or the writer fails.
    pub fn advance(&mut self, job: &Job, now: i64, out: &mut impl Write) -> io::Result<u64> {
        let length = self.file.metadata()?.len();
        if length < self.position {
            return Err(io::Error::other("it was truncated while it was read"));
        }
        let length = self.end.map_or(length, |end| length.min(end.max(self.position)));
        if length == self.position {
            let Some(next) = self.next.take().filter(|_| self.end.is_none()) else { return Ok(0) };
            (self.file, self.position) = (next, 0);
            self.stamp_from(job, now)?;
            return self.advance(job, now, out);
        }
        let copied = if self.stamps.is_some() {
            self.stamp(job, now, length, out)?
        } else {
            io::copy(&mut (&mut self.file).take(length - self.position), out)?
        };
        self.position += copied;
        Ok(copied)
    }

    /// Continues at the same position in another copy of the log, unless that is shorter.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn continue_in(&mut self, job: &Job, now: i64, mut copy: File) -> io::Result<()> {
        if copy.metadata()?.len() >= self.position {
            copy.seek(SeekFrom::Start(self.position))?;
            self.file = copy;
            if let Some(stamps) = &mut self.stamps {
                stamps.renew(Times::of(job, &self.file, now)?);
            }
        }
        Ok(())
    }

    /// Has the times of another log put before its lines.
    fn stamp_from(&mut self, job: &Job, now: i64) -> io::Result<()> {
        if let Some(stamps) = self.stamps.take() {
            self.timing = self.timing.max(stamps.timing());
            self.stamps = Some(Stamps::new(Times::of(job, &self.file, now)?, self.position));
        }
        Ok(())
    }

    fn stamp(&mut self, job: &Job, now: i64, length: u64, out: &mut impl Write) -> io::Result<u64> {
        let Some(stamps) = &mut self.stamps else { return Ok(0) };
        if stamps.may_grow() {
            stamps.renew(Times::of(job, &self.file, now)?);
        }
        let mut chunk = vec![0; CHUNK];
        let count = (&mut self.file).take(length - self.position).read(&mut chunk)?;
        self.text.clear();
        stamps.push(&chunk[..count], &mut self.text);
        out.write_all(&self.text)?;
        Ok(count as u64)
    }

    /// Has this wait end when the log grows. Returns false if it has grown already, or nothing can be waited for.
    pub fn arm(&self, growth: &Growth) -> bool {
        let has_grown = || self.file.metadata().is_ok_and(|data| data.len() != self.position) || self.next.is_some();
        growth.arm(&self.file).is_ok() && !has_grown()
    }

    /// Checks that the log is still the file that is read here, or was removed together with the job. The log of an attempt
    /// that is followed by another one is moved aside; the next one is read then.
    ///
    /// # Errors
    /// When another file has its name, or that cannot be told.
    pub fn check_place(&mut self, job: &Job) -> io::Result<()> {
        for name in [LOG, LOG_RECOVERED] {
            match job.dir.open_file(name) {
                Ok(file) if same_file(&file, &self.file)? => return Ok(()),
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
            logs.into_iter().flatten().any(|file| same_file(&file, &self.file).unwrap_or(false))
        };
        (1..=job.attempts().len()).find(is_ours)
    }

    /// Whether docker's client still has the log open, also if its name is gone.
    #[must_use]
    pub fn has_client(&self) -> bool {
        match self.file.try_lock_shared() {
            Ok(()) => self.file.unlock().is_err(),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => true,
        }
    }

    /// Changes to the recovered log after the end, if there is one. It continues at the same position if the recovered log
    /// begins with what was shown, and otherwise at the beginning of what is to be shown. Returns whether it continues.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub fn change_over(&mut self, job: &Job, extent: &Extent) -> io::Result<bool> {
        let Ok(mut whole) = job.dir.open_file(LOG_RECOVERED) else { return Ok(true) };
        if same_file(&whole, &self.file)? {
            return Ok(true);
        }
        self.file.seek(SeekFrom::Start(0))?;
        let same = agree((&self.file).take(self.position), (&whole).take(self.position))?;
        if !same {
            self.position = Extent { tail: Tail::All, ..*extent }.span(job, &mut whole)?.start;
        }
        whole.seek(SeekFrom::Start(self.position))?;
        self.file = whole;
        if !same {
            self.stamp_from(job, extent.now)?;
        } else if let Some(stamps) = &mut self.stamps {
            stamps.renew(Times::of(job, &self.file, extent.now)?);
        }
        Ok(same)
    }
}

/// The log of the attempt after this one.
fn log_after(job: &Job, number: usize) -> Option<File> {
    let is_last = number == job.attempts().len();
    if is_last { job.dir.open_file(LOG) } else { job.log_of_attempt(number + 1) }.ok()
}
