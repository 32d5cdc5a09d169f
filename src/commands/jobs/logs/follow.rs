//! Prints a log while it grows; of a run whose docker client was killed, the engine's copy.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{engine_copy, tell_gone};
use crate::commands::jobs::{LOOK, Waiting, forgotten};
use crate::env::Env;
use crate::job::record::Kind;
use crate::job::{BEGUN, EXIT, Job};
use crate::log::extent::{Extent, Timing};
use crate::log::growth::Growth;
use crate::log::{self, Follower, GoneRow};
use crate::output::{LogSink, Voice, check_reader};
use crate::supervisor::{Recovery, recover};
use crate::survey::view;

/// Pause between two fetches of the engine's log, which is fetched completely each time.
const ENGINES_LOOK: Duration = Duration::from_secs(2);
/// Pause between two looks at what the kernel does not tell.
const SLOW_LOOK: Duration = Duration::from_millis(250);
/// The shortest pause between two looks.
const SHORTEST: Duration = Duration::from_millis(10);
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
    let mut pause = Pause::of(job);
    let now = || env.now().timestamp_millis();
    let passed = |time: Option<i64>| time.is_some_and(|time| time < now());
    show_gone(voice, job, &mut follower, out)?;
    loop {
        hear(out)?;
        // What is written from now on is not shown.
        let is_past = passed(extent.until);
        let has_more = !is_past && follower.advance(job, now(), out).with_context(could_not)? > 0;
        show_gone(voice, job, &mut follower, out)?;
        if has_more {
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
                return follow_engine(env, voice, job, follower, extent, hear, out);
            }
            _ => pause.until_changed(job, &follower, extent.until.map(|until| until + SAMPLED - now())),
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
    show_rest(voice, job, &mut follower, now, out)?;
    Ok(follower.timing())
}

/// Shows all that the log has by now, and in its place what is gone.
fn show_rest(
    voice: &Voice,
    job: &Job,
    follower: &mut Follower,
    now: impl Fn() -> i64,
    out: &mut LogSink,
) -> Result<()> {
    show_gone(voice, job, follower, out)?;
    while follower.advance(job, now(), out)? > 0 {
        show_gone(voice, job, follower, out)?;
    }
    Ok(out.flush()?)
}

/// Tells what is gone of the log, in the place where it is missing.
fn show_gone(voice: &Voice, job: &Job, follower: &mut Follower, out: &mut LogSink) -> Result<()> {
    let gone = follower.take_gone();
    if gone > 0 {
        out.end_line()?;
        let label = out.label().cloned();
        out.row(voice, &GoneRow { id: label.as_ref().map(|label| label.id.as_str()), gone })?;
        tell_gone(voice, label.as_ref().map_or(job.id.as_str(), |label| label.name.as_str()), gone);
    }
    Ok(())
}

/// How many logs of one command are waited for in this way. The supervisors of the same user need it more.
const MOST: usize = 8;
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// A pause that ends when the log grows or the job ends.
struct Pause {
    growth: Option<Growth>,
    /// When the last one ended.
    woken: Instant,
}

impl Pause {
    /// Without a wait by the kernel, of which a user has few, it is a short pause each time.
    fn of(job: &Job) -> Self {
        let is_one_of_few = COUNT.fetch_add(1, Ordering::Relaxed) < MOST;
        let growth = is_one_of_few.then(Growth::new).and_then(Result::ok);
        let growth = growth.filter(|growth| growth.watch_entries(&job.dir).is_ok());
        Self { growth, woken: Instant::now() }
    }

    /// What the kernel does not tell, such as a lock that becomes free, or a reader that left, is looked at at intervals.
    /// `left` is how long it may last, in milliseconds.
    fn until_changed(&mut self, job: &Job, follower: &Follower, left: Option<i64>) {
        // A job that writes all the time is read at a bounded rate.
        sleep(SHORTEST.saturating_sub(self.woken.elapsed()));
        match &self.growth {
            Some(growth) if follower.arm(growth) && !job.dir.has(EXIT) => {
                let left = left.map(|left| Duration::from_millis(u64::try_from(left).unwrap_or_default()));
                let limit = left.into_iter().chain([SLOW_LOOK]).min().and_then(|limit| Timespec::try_from(limit).ok());
                // A signal ends it, too.
                let _ = poll(&mut [PollFd::new(growth, PollFlags::IN)], limit.as_ref());
            }
            // It has changed already.
            Some(_) => {}
            None => sleep(LOOK),
        }
        self.woken = Instant::now();
    }
}

/// Why a log does not grow.
#[derive(Debug, Clone, Copy)]
enum Idle {
    /// The job has ended.
    Ended,
    /// Nothing writes the log: its client was killed, or is not started yet, or its supervisor is recording the end.
    NoClient(Instant),
}

fn idleness(job: &Job, follower: &Follower, before: Option<Idle>) -> Option<Idle> {
    // A forgotten job is removed when it has ended.
    let was_removed = || job.is_removed() && !follower.has_client();
    if job.dir.has(EXIT) || job.kind == Kind::Build && job.has_ended() || was_removed() {
        return Some(Idle::Ended);
    }
    match before {
        _ if job.has_writer() || is_to_start(job) => None,
        None => Some(Idle::NoClient(Instant::now())),
        known => known,
    }
}

/// Whether a supervisor waits, or has just begun, to start the job or its next attempt. That of a build may start a second client.
fn is_to_start(job: &Job) -> bool {
    (job.kind == Kind::Build || !job.dir.has(BEGUN) || job.is_between_attempts()) && job.is_supervised()
}

/// Continues with the engine's copy where the log ends.
fn follow_engine(
    env: &Env,
    voice: &Voice,
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
        let copy = match engine_copy(env, job) {
            Some(Ok(copy)) => copy,
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
        follower.continue_in(job, now, copy)?;
        let is_past = extent.until.is_some_and(|until| until < now);
        if is_past {
            follower.end_at(job, &Extent { now, ..*extent }).with_context(could_not)?;
        }
        show_rest(voice, job, &mut follower, || now, out)?;
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
