//! The attempts of a run that is tried again: `attempts/<n>/` in its directory. Each that has ended has its exit record there,
//! and its log, its recovered log and the final description of its container once the place for the next one is clear.

use std::fs::File;
use std::io;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::mark::{self, Mark};
use super::moved::{FETCHED, SHIPPED};
use super::record::{Exit, Outcome};
use super::{BEGUN, EXIT, EXIT_SIZE, INSPECT, Job, LOG, LOG_INDEX, LOG_RECOVERED, MISSING, WAITING};
use crate::fault;
use crate::fs::{Dir, first_kept};
use crate::names::{Cause, Causes};

const ATTEMPTS: &str = "attempts";
/// The longest pause before an attempt.
const LONGEST: Duration = Duration::from_secs(3600);

/// How a run is tried again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// How many more times, at most.
    pub times: u32,
    /// The pause before the second attempt in seconds. It doubles with each attempt, up to an hour.
    pub delay: f64,
    /// After which ends; any that is not a success, unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Causes>,
}

impl Retry {
    /// The pause before the next attempt, if there is to be one after so many that ended and this end of the last one.
    #[must_use]
    pub fn pause(&self, ended: usize, exit: &Exit) -> Option<Duration> {
        let ended = u32::try_from(ended).ok()?;
        if ended > self.times || !self.is_wanted(exit) {
            return None;
        }
        let doubled = self.delay * 2_f64.powi(i32::try_from(ended.saturating_sub(1)).ok()?);
        Some(Duration::try_from_secs_f64(doubled).unwrap_or(LONGEST).min(LONGEST))
    }

    fn is_wanted(&self, exit: &Exit) -> bool {
        let code = exit.exit_code.and_then(|code| u8::try_from(code).ok());
        let cause = match exit.outcome {
            Outcome::Failed => code.map(Cause::Code),
            Outcome::Lost => Some(Cause::Lost),
            Outcome::Timeout => Some(Cause::Timeout),
            _ => return false,
        };
        self.on.as_ref().is_none_or(|on| cause.is_some_and(|cause| on.have(cause)))
    }
}

impl Job {
    /// The directory with the files of an attempt that has ended.
    ///
    /// # Errors
    /// When there is no such attempt.
    pub fn attempt_dir(&self, number: usize) -> io::Result<Dir> {
        self.dir.subdir(ATTEMPTS)?.subdir(&number.to_string())
    }

    /// How the attempts ended that are followed by another one, the first one first.
    #[must_use]
    pub fn attempts(&self) -> Vec<Exit> {
        let exit = |number: usize| {
            let bytes = self.attempt_dir(number).ok()?.read(EXIT, EXIT_SIZE as u64).ok()?;
            Exit::parse(&bytes).ok()
        };
        (1..).map_while(exit).collect()
    }

    /// Whether one of its attempts is followed by another one.
    #[must_use]
    pub fn has_attempts(&self) -> bool {
        self.dir.has(ATTEMPTS)
    }

    /// Records the end of an attempt that is followed by another one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end_attempt(&self, number: usize, exit: &Exit) -> Result<()> {
        let write = || -> io::Result<()> {
            let dir = self.dir.make_subdir(ATTEMPTS)?.make_subdir(&number.to_string())?;
            dir.replace(EXIT, &exit.to_bytes())
        };
        write().with_context(|| format!("could not record the end of attempt {number} of run {}", self.id))
    }

    /// Whether the last attempt has ended, and its files are still in the place of the next one.
    #[must_use]
    pub fn is_between_attempts(&self) -> bool {
        self.is_between(self.attempts().len())
    }

    /// The same, for this number of attempts that have ended.
    pub(super) fn is_between(&self, last: usize) -> bool {
        last > 0 && (!self.dir.has(BEGUN) || self.attempt_dir(last).is_ok_and(|dir| !dir.has(LOG)))
    }

    /// Moves the files of the last attempt aside, unless that was done. Its container must be gone.
    ///
    /// # Errors
    /// When a file cannot be moved or made. The next call continues.
    pub fn clear_attempt(&self) -> Result<()> {
        let number = self.attempts().len();
        let clear = || -> io::Result<()> {
            let dir = self.attempt_dir(number)?;
            if dir.has(LOG) {
                return self.make_log(&dir);
            }
            for name in [BEGUN, WAITING, MISSING, SHIPPED, FETCHED] {
                let _ = self.dir.remove(name);
            }
            // Beside a log there is always what says how much of it is gone.
            for log in [LOG, LOG_RECOVERED] {
                if let (Ok(mark), Ok(file)) = (Mark::open(&self.dir, log), self.dir.open_file(log)) {
                    Mark::make(&dir, log, mark.gone().unwrap_or_else(|_| first_kept(&file)))?;
                }
            }
            for name in [INSPECT, LOG_RECOVERED, LOG_INDEX] {
                if self.dir.has(name) {
                    self.dir.place(name, &dir, name)?;
                }
            }
            fault::point("attempt-cleared");
            self.dir.place(LOG, &dir, LOG)?;
            self.make_log(&dir)?;
            dir.sync()?;
            self.dir.sync()
        };
        clear().with_context(|| format!("could not keep the files of attempt {number} of run {}", self.id))
    }

    /// Makes the log of the next attempt after the one with the files in `last`.
    fn make_log(&self, last: &Dir) -> io::Result<()> {
        if self.dir.has(LOG) {
            return Ok(());
        }
        let _ = self.dir.remove(&mark::name(LOG_RECOVERED));
        if last.has(&mark::name(LOG)) {
            Mark::make(&self.dir, LOG, 0)?;
        }
        fault::point("log-cleared");
        self.dir.write_new(LOG, b"")
    }

    /// The log of an attempt that is followed by another one: the recovered one, if there is one.
    ///
    /// # Errors
    /// When there is no such attempt, or the log cannot be read.
    pub fn log_of_attempt(&self, number: usize) -> io::Result<File> {
        match self.attempt_dir(number)?.open_file(LOG_RECOVERED) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.first_log_of_attempt(number),
            opened => opened,
        }
    }

    /// The same, as docker's client wrote it.
    ///
    /// # Errors
    /// As [`Job::log_of_attempt`].
    pub fn first_log_of_attempt(&self, number: usize) -> io::Result<File> {
        self.attempt_dir(number)?.open_file(LOG)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_follows_the_ends_that_were_named_and_the_pause_doubles() {
        let retry = |times, on: Option<&str>| Retry { times, delay: 1.5, on: on.map(|on| Causes::parse(on).unwrap()) };
        let exit = |outcome, code| Exit { exit_code: code, ..Exit::new(outcome) };
        let failed = exit(Outcome::Failed, Some(3));
        for (retry, ended, exit, expected) in [
            (retry(2, None), 1, failed.clone(), Some(1.5)),
            (retry(2, None), 2, failed.clone(), Some(3.0)),
            (retry(2, None), 3, failed.clone(), None),
            (retry(1000, None), 900, failed.clone(), Some(3600.0)),
            (retry(2, Some("3")), 1, failed.clone(), Some(1.5)),
            (retry(2, Some("4,lost")), 1, failed, None),
            (retry(2, Some("4,lost")), 1, exit(Outcome::Lost, None), Some(1.5)),
            (retry(2, Some("timeout")), 1, exit(Outcome::Timeout, Some(143)), Some(1.5)),
            (retry(2, Some("143")), 1, exit(Outcome::Timeout, Some(143)), None),
            (retry(2, None), 1, exit(Outcome::Failed, None), Some(1.5)),
            (retry(2, None), 1, exit(Outcome::Cancelled, Some(143)), None),
            (retry(2, None), 1, exit(Outcome::Succeeded, Some(0)), None),
        ] {
            let pause = retry.pause(ended, &exit).map(|pause| pause.as_secs_f64());
            assert_eq!(pause, expected, "{retry:?} {ended} {exit:?}");
        }
    }
}
