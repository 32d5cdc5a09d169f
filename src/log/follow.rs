//! Reads a log while it grows.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};

use super::compare::agree;
use super::{open, seek_tail};
use crate::job::{Job, LOG, LOG_RECOVERED};
use crate::names::Tail;

/// Reads what a job writes, while it writes it.
#[derive(Debug)]
pub struct Follower {
    file: File,
    position: u64,
    /// The log of the next attempt, once this one has ended.
    next: Option<File>,
}

impl Follower {
    /// Starts at the last lines of the log.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn new(job: &Job, tail: Tail) -> io::Result<Self> {
        let mut file = open(job)?;
        let position = seek_tail(&mut file, tail)?;
        Ok(Self { file, position, next: None })
    }

    /// The number of bytes up to the current position.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Writes what was added since the last call; returns the number of bytes.
    ///
    /// # Errors
    /// When the log was truncated, or the writer fails.
    pub fn advance(&mut self, out: &mut impl Write) -> io::Result<u64> {
        let length = self.file.metadata()?.len();
        if length < self.position {
            return Err(io::Error::other("it was truncated while it was read"));
        }
        if length == self.position {
            let Some(next) = self.next.take() else { return Ok(0) };
            (self.file, self.position) = (next, 0);
            return self.advance(out);
        }
        let copied = io::copy(&mut (&mut self.file).take(length - self.position), out)?;
        self.position += copied;
        Ok(copied)
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
    /// begins with what was shown, and otherwise at its beginning. Returns whether it continues.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub fn change_over(&mut self, job: &Job) -> io::Result<bool> {
        let Ok(mut whole) = job.dir.open_file(LOG_RECOVERED) else { return Ok(true) };
        if same_file(&whole, &self.file)? {
            return Ok(true);
        }
        self.file.seek(SeekFrom::Start(0))?;
        let same = agree((&self.file).take(self.position), (&whole).take(self.position))?;
        whole.seek(SeekFrom::Start(if same { self.position } else { 0 }))?;
        self.position = if same { self.position } else { 0 };
        self.file = whole;
        Ok(same)
    }
}

/// The log of the attempt after this one.
fn log_after(job: &Job, number: usize) -> Option<File> {
    let is_last = number == job.attempts().len();
    if is_last { job.dir.open_file(LOG) } else { job.log_of_attempt(number + 1) }.ok()
}

fn same_file(a: &File, b: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let (a, b) = (a.metadata()?, b.metadata()?);
    Ok((a.dev(), a.ino()) == (b.dev(), b.ino()))
}
