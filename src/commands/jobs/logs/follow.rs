//! Prints a log while it grows; of a run whose docker client was killed, the engine's copy.

use std::io::Write as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::engine_copy;
use crate::commands::jobs::{LOOK, Waiting, forgotten};
use crate::env::Env;
use crate::job::record::Kind;
use crate::job::{BEGUN, EXIT, Job};
use crate::log::extent::{Extent, Timing};
use crate::log::{self, Follower};
use crate::output::{LogSink, Voice, check_reader};
use crate::supervisor::{Recovery, recover};
use crate::survey::view;

/// Pause between two fetches of the engine's log, which is fetched completely each time.
const ENGINES_LOOK: Duration = Duration::from_secs(2);
/// How long a log may be without a client while its supervisor records the end of the job.
const CLIENT_CHANGE: Duration = Duration::from_secs(1);
/// After which time the index has what was written before, in milliseconds.
const SAMPLED: i64 = 250;

/// Called again and again while a log is followed: what it fails with ends the following.
pub type Hear<'a> = dyn FnMut(&mut LogSink) -> Result<()> + 'a;

/// Prints a log while it grows, to its end or the time at which what is shown ends. Returns whether the times are known.
pub fn follow(
    env: &Env,
    voice: &Voice,
    job: &Job,
    extent: &Extent,
    hear: &mut Hear,
    out: &mut LogSink,
) -> Result<Timing> {
    let could_not = || format!("could not follow the log of {}", job.id);
    let mut follower = Follower::new(job, extent).with_context(|| format!("could not read the log of {}", job.id))?;
    let (mut idle, mut waiting) = (None, Waiting::default());
    let now = || env.now().timestamp_millis();
    let passed = |time: Option<i64>| time.is_some_and(|time| time < now());
    loop {
        hear(out)?;
        // What is written from now on is not shown.
        let is_past = passed(extent.until);
        if !is_past && follower.advance(job, now(), out).with_context(could_not)? > 0 {
            out.flush()?;
            continue;
        }
        follower.check_place(job).with_context(could_not)?;
        if matches!(idle, Some(Idle::Ended)) || passed(extent.until.map(|until| until + SAMPLED)) {
            break;
        }
        check_reader()?;
        waiting.look(env, job);
        // Checked before the last read, so that everything that was written before the end is read.
        idle = idleness(job, &follower, idle);
        match idle {
            Some(Idle::Ended) => {}
            Some(Idle::NoClient(since)) if since.elapsed() > CLIENT_CHANGE && !is_past => {
                out.end_line()?;
                voice.note("note: the docker client was killed; following the engine's copy of the log");
                return follow_engine(env, job, follower, extent, hear, out);
            }
            _ => sleep(LOOK),
        }
    }
    let extent = Extent { now: now(), ..*extent };
    if !follower.change_over(job, &extent)? {
        out.end_line()?;
        voice.note("note: the docker client was killed; this is the whole log again, from the engine's copy");
    }
    if extent.until.is_some() {
        follower.end_at(job, &extent).with_context(could_not)?;
    }
    while follower.advance(job, now(), out)? > 0 {}
    out.flush()?;
    Ok(follower.timing())
}

/// Why a log does not grow.
#[derive(Debug, Clone, Copy)]
enum Idle {
    /// The job has ended.
    Ended,
    /// No client has the log open: it was killed, or it is not started yet, or its supervisor is recording the end.
    NoClient(Instant),
}

fn idleness(job: &Job, follower: &Follower, before: Option<Idle>) -> Option<Idle> {
    // A forgotten job is removed when it has ended.
    let was_removed = || job.is_removed() && !follower.has_client();
    if job.dir.has(EXIT) || job.kind == Kind::Build && job.has_ended() || was_removed() {
        return Some(Idle::Ended);
    }
    match before {
        _ if job.has_client() || is_to_start(job) => None,
        None => Some(Idle::NoClient(Instant::now())),
        known => known,
    }
}

/// Whether a supervisor waits, or has just begun, to start the job or its next attempt.
fn is_to_start(job: &Job) -> bool {
    (!job.dir.has(BEGUN) || job.is_between_attempts()) && job.is_supervised()
}

/// Continues with the engine's copy where the log ends.
fn follow_engine(
    env: &Env,
    job: &Job,
    mut follower: Follower,
    extent: &Extent,
    hear: &mut Hear,
    out: &mut LogSink,
) -> Result<Timing> {
    let could_not = || format!("could not follow the log of {}", job.id);
    let mut failing = None;
    loop {
        // Checked before the log is fetched, so that everything that was written before the end is fetched.
        let is_over = job.dir.has(EXIT) || job.is_removed();
        let file = match engine_copy(env, job) {
            Some(Ok(file)) => file,
            Some(Err(error)) => {
                let since = *failing.get_or_insert_with(Instant::now);
                if since.elapsed() > env.patience {
                    return Err(error).with_context(could_not);
                }
                sleep(ENGINES_LOOK);
                continue;
            }
            // The last lines went with the container.
            None if job.is_removed() => return Err(forgotten(job).into()),
            None => log::open(job).with_context(could_not)?,
        };
        failing = None;
        let now = env.now().timestamp_millis();
        follower.continue_in(job, now, file)?;
        let is_past = extent.until.is_some_and(|until| until < now);
        if is_past {
            follower.end_at(job, &Extent { now, ..*extent }).with_context(could_not)?;
        }
        while follower.advance(job, now, out)? > 0 {}
        out.flush()?;
        if is_over || is_past || is_without_supervisor(env, job) {
            return Ok(follower.timing());
        }
        hear(out)?;
        check_reader()?;
        sleep(ENGINES_LOOK);
    }
}

/// Whether nothing attends the job any more, and nothing can.
fn is_without_supervisor(env: &Env, job: &Job) -> bool {
    !job.is_supervised()
        && !matches!(recover(env, job), Ok(Recovery::Adopted(_) | Recovery::Busy | Recovery::Starting))
        && !job.dir.has(EXIT)
        && !view(env, job).is_running()
}
