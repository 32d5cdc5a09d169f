//! `logs`: shows the output of a job, complete or while it grows.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::wait::wait_for;
use super::{LOOK, check, look};
use crate::cli::LogFlags;
use crate::env::Env;
use crate::interrupt::Interrupt;
use crate::job::record::Kind;
use crate::job::{EXIT, Job};
use crate::log::{self, Follower, compare};
use crate::names::Tail;
use crate::output::{Bytes, LogSink, Logs, Voice, check_reader};
use crate::survey::view;

/// Pause between two fetches of the engine's log, which is fetched completely each time.
const ENGINES_LOOK: Duration = Duration::from_secs(2);

impl LogFlags {
    fn bytes(&self) -> Bytes {
        if self.raw { Bytes::Exact } else { Bytes::Safe }
    }
}

/// Shows a job's log and returns the exit code.
pub fn logs(env: &Env, voice: &Voice, job: &Job, how: &LogFlags) -> Result<u8> {
    if how.follow {
        return follow_log(env, voice, job, how);
    }
    let could_not = || format!("could not read the log of {}", job.id);
    let file = match engine_copy(env, job) {
        Some(file) => file,
        None => log::open(job).with_context(could_not)?,
    };
    let mut sink = voice.log(how.bytes(), &Logs::default())?;
    sink.copy(log::so_far(file, how.tail).with_context(could_not)?)?;
    sink.finish()?;
    Ok(0)
}

fn follow_log(env: &Env, voice: &Voice, job: &Job, how: &LogFlags) -> Result<u8> {
    let interrupt = Interrupt::ctrl_c()?;
    let mut sink = voice.log(how.bytes(), &Logs::default())?;
    let followed = follow(env, voice, job, how.tail, &interrupt, &mut sink);
    // The next output, for example the document of a failure, must begin on a new line.
    sink.finish()?;
    followed?;
    if how.exit_code { Ok(wait_for(env, job, None, &interrupt)?.wait_code()) } else { Ok(0) }
}

/// Prints a log while it grows, to its end.
pub fn follow(env: &Env, voice: &Voice, job: &Job, tail: Tail, interrupt: &Interrupt, out: &mut LogSink) -> Result<()> {
    let mut follower = Follower::new(job, tail).with_context(|| format!("could not read the log of {}", job.id))?;
    let mut ended = false;
    loop {
        let copied = follower.advance(out)?;
        if copied > 0 {
            out.flush()?;
            continue;
        }
        if ended {
            break;
        }
        check(interrupt, job)?;
        check_reader()?;
        // Checked before the last read, so that everything that was written before the end is read.
        ended = job.has_ended();
        if !ended {
            sleep(LOOK);
        }
    }
    if view(env, job).is_running() {
        voice.note("note: the job's supervisor and docker client were killed; following the engine's copy of the log");
        return follow_engine(env, job, follower.position(), interrupt, out);
    }
    if !follower.change_over(job)? {
        voice.note("note: the docker client was killed; this is the whole log again, from the engine's copy");
    }
    while follower.advance(out)? > 0 {}
    Ok(out.flush()?)
}

/// The engine's copy of the log of a run whose client and supervisor were killed.
fn engine_copy(env: &Env, job: &Job) -> Option<File> {
    if job.kind == Kind::Build || job.dir.has(EXIT) || !job.has_ended() {
        return None;
    }
    let (runner, sighting) = look(env, job)?;
    let container = sighting.container()?;
    let copy = compare::fetch_unnamed(job, &|tail, into| runner.fetch_log(container, tail, into)).ok()?;
    let ours = log::open(job).ok()?.metadata().ok()?.len();
    (copy.metadata().ok()?.len() >= ours).then_some(copy)
}

/// Continues with the engine's copy where the log ends.
fn follow_engine(env: &Env, job: &Job, mut shown: u64, interrupt: &Interrupt, out: &mut LogSink) -> Result<()> {
    loop {
        // Checked before the log is fetched, so that everything that was written before the end is fetched.
        let is_running = view(env, job).is_running();
        let Some(mut copy) = engine_copy(env, job) else { return Ok(()) };
        copy.seek(SeekFrom::Start(shown))?;
        shown += io::copy(&mut copy, out)?;
        out.flush()?;
        if !is_running {
            return Ok(());
        }
        check(interrupt, job)?;
        check_reader()?;
        sleep(ENGINES_LOOK);
    }
}
