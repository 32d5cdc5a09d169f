//! A log of which the oldest blocks may be given back to the disk while it is written and read. They read as zeros then.
//!
//! How much is gone is recorded before the blocks are given back, always up to the beginning of a line unless one is very
//! long. So a reader reads first and asks then: what lies behind the recorded place was text when it was read.

use std::fs::File;
use std::io;

use super::home::Home;
use crate::fs::{Dir, first_kept};
use crate::job::mark::{Damaged, Mark, name};
use crate::job::{Job, LOG};

/// How much of the beginning of a log is gone.
#[derive(Debug)]
pub enum Gone {
    /// Nothing, now and later: the log has no limit.
    Nothing,
    /// So many bytes; that does not change.
    Known(u64),
    /// What is recorded, now and later, of this log.
    Recorded(Mark, File),
}

impl Gone {
    /// What is gone of an opened log of this job.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn of(job: &Job, log: &File) -> io::Result<Self> {
        if !job.dir.has(&name(LOG)) && !job.has_attempts() {
            return Ok(Self::Nothing);
        }
        // The files of an attempt may be moved aside between the two looks.
        for _ in 0..2 {
            let home = Home::of(job, log)?;
            let Some(file) = home.name else { break };
            let found = Self::in_dir(&home.dir, file, log)?;
            if Home::of(job, log)?.attempt == home.attempt {
                return Ok(found);
            }
        }
        Ok(Self::Nothing)
    }

    /// What is gone of the log with this name.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn in_dir(dir: &Dir, name: &str, log: &File) -> io::Result<Self> {
        match Mark::open(dir, name) {
            Ok(mark) => Ok(Self::Recorded(mark, log.try_clone()?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Whether nothing is gone and never will be.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// How many bytes are gone now. If the record is damaged, the file system says where the log begins.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Known(bytes) => *bytes,
            Self::Recorded(mark, log) => mark.gone().unwrap_or_else(|Damaged| first_kept(log)),
        }
    }
}

/// An open log.
#[derive(Debug)]
pub struct Log {
    /// Its bytes.
    pub file: File,
    /// Which of them are gone.
    pub gone: Gone,
}

impl Log {
    /// A log of this job that was just opened.
    ///
    /// # Errors
    /// When it cannot be read how much of it is gone.
    pub fn of(job: &Job, file: File) -> io::Result<Self> {
        let gone = Gone::of(job, &file)?;
        Ok(Self { file, gone })
    }

    /// The same of a job whose limit is known. Without one, nothing is looked for.
    ///
    /// # Errors
    /// As [`Log::of`].
    pub fn under(limit: Option<u64>, job: &Job, file: File) -> io::Result<Self> {
        if limit.is_some() { Self::of(job, file) } else { Ok(Self { file, gone: Gone::Nothing }) }
    }
}
