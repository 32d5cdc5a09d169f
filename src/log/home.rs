//! Where an opened log is: in the directory of its job, or of one of its attempts. The files of an attempt are moved aside
//! when the next one is to begin, so the place of an open file can change.

use std::fs::File;
use std::io;

use crate::fs::{Dir, same_file};
use crate::job::{Job, LOG, LOG_RECOVERED};

/// The place of a log.
#[derive(Debug)]
pub struct Home {
    /// The directory.
    pub dir: Dir,
    /// The number of the attempt whose log it is, unless it is the last one.
    pub attempt: Option<usize>,
    /// Its name there; `None` for a copy that has none.
    pub name: Option<&'static str>,
}

impl Home {
    /// Of a log of this job.
    ///
    /// # Errors
    /// When the directory of the job cannot be read.
    pub fn of(job: &Job, log: &File) -> io::Result<Self> {
        let is_in = |dir: &Dir, name| dir.open_file(name).and_then(|file| same_file(&file, log)).unwrap_or(false);
        let found = |dir: &Dir| [LOG, LOG_RECOVERED].into_iter().find(|name| is_in(dir, name));
        let own = job.dir.subdir(".")?;
        if let Some(name) = found(&own) {
            return Ok(Self { dir: own, attempt: None, name: Some(name) });
        }
        for number in 1.. {
            let Ok(dir) = job.attempt_dir(number) else { break };
            if let Some(name) = found(&dir) {
                return Ok(Self { dir, attempt: Some(number), name: Some(name) });
            }
        }
        Ok(Self { dir: own, attempt: None, name: None })
    }

    /// Whether it is the log itself, and no copy.
    #[must_use]
    pub fn is_original(&self) -> bool {
        self.name == Some(LOG)
    }
}
