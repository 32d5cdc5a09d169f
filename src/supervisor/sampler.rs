//! Writes the index of the log while the job runs: a sample at most every 100 ms, and none while the log does not grow. The
//! kernel wakes the supervisor at the first write after a pause. It never reads the log, and the job never waits for it. A log
//! that has a limit is kept to it meanwhile.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::trimmer::Trimmer;
use crate::env::Env;
use crate::fs::Dir;
use crate::job::{Job, LOG};
use crate::log::growth::Growth;
use crate::log::index::{Recorder, Sample, written};

/// Pause between two samples of a log that grows.
const STEP: Duration = Duration::from_millis(100);
/// The longest pause between two looks at a log that does not grow, if the kernel cannot wake this process.
const SLOW: Duration = Duration::from_secs(1);

/// A log that is watched.
#[derive(Debug)]
pub struct Sampler {
    log: File,
    recorder: Recorder,
    growth: Option<Growth>,
    /// When the log is looked at; `None` if the kernel wakes this process.
    due: Option<Instant>,
    /// The pause that ended, or ends, then.
    pause: Duration,
    /// Of a log with a limit.
    trimmer: Option<Trimmer>,
}

impl Sampler {
    /// Begins with a sample of the log as it is. `limit` is that of the log in bytes. `None` if there can be no index.
    pub fn begin(env: &Env, job: &Job, limit: Option<u64>) -> Option<Self> {
        let recorder = Recorder::open(&job.dir).ok()?;
        let log = job.dir.open_file(LOG).ok()?;
        let trimmer = limit.and_then(|limit| Trimmer::begin(job, limit));
        let mut sampler = Self { log, recorder, growth: Growth::new().ok(), due: None, pause: STEP, trimmer };
        // What was written before has no time.
        sampler.add(env, &job.dir, true);
        sampler.go_on(env, &job.dir, false);
        Some(sampler)
    }

    /// What can be read when the log is to be looked at.
    pub fn woken_by(&self) -> Option<BorrowedFd<'_>> {
        self.growth.as_ref().filter(|_| self.due.is_none()).map(AsFd::as_fd)
    }

    /// How long until the log is to be looked at in any case.
    pub fn left(&self) -> Option<Duration> {
        self.due.map(|due| due.saturating_duration_since(Instant::now()))
    }

    /// Looks at the log, if it is time to.
    pub fn look(&mut self, env: &Env, dir: &Dir, is_woken: bool) {
        if !is_woken && self.left() != Some(Duration::ZERO) {
            return;
        }
        let has_grown = self.sample(env, dir);
        self.go_on(env, dir, has_grown);
    }

    /// Keeps the log to its limit, without a sample. Returns whether blocks are being given back.
    pub fn trim(&mut self) -> bool {
        let Some(trimmer) = &mut self.trimmer else { return false };
        self.log.metadata().is_ok_and(|data| trimmer.look(data.len()))
    }

    /// The last sample.
    pub fn finish(mut self, env: &Env, dir: &Dir) {
        self.sample(env, dir);
        self.trimmer.into_iter().for_each(Trimmer::finish);
    }

    /// Looks again soon at a log that has grown, or of which blocks are being given back.
    fn go_on(&mut self, env: &Env, dir: &Dir, has_grown: bool) {
        if self.trim() || has_grown {
            self.look_in(STEP);
        } else {
            self.rest(env, dir);
        }
    }

    fn look_in(&mut self, pause: Duration) {
        (self.pause, self.due) = (pause, Some(Instant::now() + pause));
    }

    /// Has the kernel wake this process, or looks less often.
    fn rest(&mut self, env: &Env, dir: &Dir) {
        let is_armed = self.growth.as_ref().is_some_and(|growth| growth.arm(&self.log).is_ok());
        if !is_armed {
            self.look_in((self.pause * 2).min(SLOW));
        } else if self.sample(env, dir) {
            // It has grown just before.
            self.look_in(STEP);
        } else {
            self.due = None;
        }
    }

    /// Adds a sample if the log has grown; returns whether there is one more.
    fn sample(&mut self, env: &Env, dir: &Dir) -> bool {
        let has_grown = self.log.metadata().is_ok_and(|data| Some(data.len()) > self.recorder.length());
        has_grown && self.add(env, dir, false)
    }

    /// Without room for it, the next write to the log brings another try.
    fn add(&mut self, env: &Env, dir: &Dir, gap: bool) -> bool {
        let Ok(data) = self.log.metadata() else { return false };
        // The last write is not later than now; another program may have set the time of the file.
        let time = written(&data).min(env.now().timestamp_millis());
        self.recorder.add(dir, Sample { time, length: data.len(), gap })
    }
}

/// Adds a sample of what a supervisor itself wrote to the log, which is not watched then.
pub fn note(env: &Env, job: &Job) {
    if let (Ok(recorder), Ok(log)) = (Recorder::open(&job.dir), job.dir.open_file(LOG)) {
        let sampler = Sampler { log, recorder, growth: None, due: None, pause: STEP, trimmer: None };
        sampler.finish(env, &job.dir);
    }
}

/// Adds a sample of what was written to the log while no supervisor watched it.
pub fn note_unwatched(env: &Env, job: &Job) {
    if let Some(sampler) = Sampler::begin(env, job, None) {
        sampler.finish(env, &job.dir);
    }
}

/// What is polled for a log, in the place of `otherwise` if none is.
pub fn polled<'a>(sampler: Option<&'a Sampler>, otherwise: &'a impl AsFd) -> PollFd<'a> {
    match sampler.and_then(Sampler::woken_by) {
        Some(fd) => PollFd::from_borrowed_fd(fd, PollFlags::IN),
        None => PollFd::new(otherwise, PollFlags::empty()),
    }
}
