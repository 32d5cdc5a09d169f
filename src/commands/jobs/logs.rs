//! `logs`: shows the output of a job, complete or while it grows.

mod many;

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::Value;

use super::wait::{Awaited, wait_for};
use super::which::Words;
use super::{LOOK, Waiting, check, forgotten, look, settle};
use crate::cli::{JobLogs, LogFlags};
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::fs::allow_many_files;
use crate::interrupt::Interrupt;
use crate::job::record::{Kind, LogState, Work};
use crate::job::select::Scope;
use crate::job::standing::Sighting;
use crate::job::view::View;
use crate::job::{BEGUN, EXIT, Job};
use crate::log::steps::{Recipe, Steps};
use crate::log::{self, Follower, compare};
use crate::names::{JobId, Tail};
use crate::output::{Bytes, Form, LogSink, Logs, Voice, check_reader};
use crate::supervisor::{Recovery, recover};
use crate::survey::view;

/// Pause between two fetches of the engine's log, which is fetched completely each time.
const ENGINES_LOOK: Duration = Duration::from_secs(2);
/// The exit code after Ctrl-C.
const LEFT: u8 = 130;
/// How long a log may be without a client while its supervisor records the end of the job.
const CLIENT_CHANGE: Duration = Duration::from_secs(1);

impl LogFlags {
    fn bytes(&self) -> Bytes {
        if self.raw { Bytes::Exact } else { Bytes::Safe }
    }
}

/// Shows the logs of runs, or of jobs of both kinds, and returns the exit code.
pub fn logs_of_runs(env: &Env, voice: &Voice, scope: Scope, args: &JobLogs) -> Result<u8> {
    let words = args.which.words(env)?;
    match (args.attempt, &words.all[..]) {
        (None, _) => logs(env, voice, scope, &words, &args.how),
        (Some(number), [one]) => log_of_attempt(env, voice, &scope.find(env, one, |_| "logs")?, number, &args.how),
        (Some(_), _) => Err(Failure::usage("--attempt takes one run").hint("give one id").into()),
    }
}

/// Shows the log of one attempt of a run. That of the last one is the job's own.
fn log_of_attempt(env: &Env, voice: &Voice, job: &Job, number: usize, how: &LogFlags) -> Result<u8> {
    let env = &settle(env, voice, job);
    let ended = job.attempts().len();
    let last = if job.is_between_attempts() { ended } else { ended + 1 };
    if number == 0 || number > last {
        let had = if last == 1 { "1 attempt".to_owned() } else { format!("{last} attempts") };
        let message = format!("{} {} has no attempt {number}: it had {had}", job.kind.word(), job.id);
        return Err(Failure::new(ErrorKind::NotFound, message).hint("the first one is 1").into());
    }
    if number > ended {
        return log_of(env, voice, job, how);
    }
    let file = job.log_of_attempt(number).and_then(|file| log::so_far(file, how.tail));
    let mut sink = sink(voice, job, how, &Logs::default())?;
    sink.copy(file.with_context(|| format!("could not read the log of attempt {number} of {}", job.id))?)?;
    sink.finish()?;
    Ok(0)
}

/// Shows the logs of jobs and returns the exit code.
pub fn logs(env: &Env, voice: &Voice, scope: Scope, words: &Words, how: &LogFlags) -> Result<u8> {
    allow_many_files();
    let found = |typed: &String| scope.find(env, typed, |_| "logs");
    match &words.all[..] {
        [one] if !words.are_several => log_of(env, voice, &found(one)?, how),
        several => many::logs(env, voice, several.iter().map(found).collect(), how),
    }
}

fn log_of(env: &Env, voice: &Voice, job: &Job, how: &LogFlags) -> Result<u8> {
    let env = &settle(env, voice, job);
    if how.follow {
        return follow_log(env, voice, job, how);
    }
    let file = whole(env, voice, job, how.tail)?;
    let doubt = doubt(view(env, job));
    let mut sink = sink(voice, job, how, &doubt)?;
    sink.copy(file)?;
    sink.finish()?;
    tell(voice, &doubt);
    Ok(0)
}

/// The log so far, from its last lines on; the engine's copy where that has more.
fn whole(env: &Env, voice: &Voice, job: &Job, tail: Tail) -> Result<io::Take<File>> {
    let could_not = || format!("could not read the log of {}", job.id);
    let file = match engine_copy(env, job) {
        Some(Ok(file)) => file,
        Some(Err(error)) => {
            voice.note(&format!("note: the engine's copy of the log cannot be read, so lines may be missing: {error}"));
            log::open(job).with_context(could_not)?
        }
        None => log::open(job).with_context(could_not)?,
    };
    log::so_far(file, tail).with_context(could_not)
}

/// Where a log goes. A terminal shows the steps of a build as headings.
fn sink(voice: &Voice, job: &Job, how: &LogFlags, document: &Logs) -> Result<LogSink> {
    match job.kind {
        Kind::Build => voice.log_of_build(how.bytes(), document, || steps(job)),
        Kind::Run => voice.log(how.bytes(), document),
    }
}

/// What the recipe of a build says about its steps.
fn steps(job: &Job) -> Steps {
    let Some(Work::Build(build)) = job.record().ok().map(|record| record.work) else { return Steps::default() };
    // A list, or one text with blanks.
    let text = |key: &str| match &build.recipe[key] {
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        one => one.as_str().unwrap_or_default().to_owned(),
    };
    let on_one_line = |text: String| text.lines().collect::<Vec<_>>().join(" ");
    let commands = text("additionalCommand").lines().next().unwrap_or_default().to_owned();
    Steps::of(Recipe { apt: on_one_line(text("aptInstall")), pip: on_one_line(text("pipInstall")), commands })
}

/// What is said of the log of an ended job that is not known to be whole.
fn doubt(view: View) -> Logs {
    match view.log.filter(|log| !log.is_whole()) {
        Some(log) => Logs { log: Some(log), reason: view.reason, ..Logs::default() },
        None => Logs::default(),
    }
}

fn tell(voice: &Voice, doubt: &Logs) {
    let Some(log) = doubt.log else { return };
    let reason = doubt.reason.as_deref().unwrap_or_default();
    // The reason of the end stands before that of the log.
    match reason.split_once("log: ") {
        Some((_, why)) => voice.note(&format!("note: log: {why}")),
        None => voice.note(&format!("note: log: {}: {reason}", log.word())),
    }
}

fn follow_log(env: &Env, voice: &Voice, job: &Job, how: &LogFlags) -> Result<u8> {
    let interrupt = Interrupt::ctrl_c()?;
    let awaited = Awaited::new(env, job);
    let mut sink = sink(voice, job, how, &Logs::default())?;
    let followed = follow(env, voice, job, how.tail, &mut |_| Ok(check(&interrupt, job)?), &mut sink);
    // The next output, for example the document of a failure, must begin on a new line.
    sink.finish()?;
    if voice.form() == Form::Text && interrupt.is_heard() {
        return Ok(left(voice, job));
    }
    followed?;
    let doubt = awaited.seen(env).map(doubt).unwrap_or_default();
    if doubt.log.is_some() && voice.form() == Form::Rows {
        voice.row(&Doubt { id: None, log: doubt.log, reason: doubt.reason.as_deref() })?;
    }
    tell(voice, &doubt);
    if how.exit_code { Ok(wait_for(env, &awaited, None, &interrupt)?.wait_code()) } else { Ok(0) }
}

/// Ctrl-C is the usual way to leave a log, so it is no error. The exit code says that the log went on.
fn left(voice: &Voice, job: &Job) -> u8 {
    let (word, id, noun, end) = (job.kind.word(), &job.id, job.kind.noun(), job.kind.end_verb());
    let still = job.still();
    voice.note(&format!("note: {word} {id} is {still}; end it with: longshore {noun} {end} {id}"));
    LEFT
}

/// The last row of a followed log that is not known to be whole.
#[derive(Debug, Serialize)]
struct Doubt<'a> {
    /// Of one of several jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a JobId>,
    log: Option<LogState>,
    reason: Option<&'a str>,
}

/// Called again and again while a log is followed: what it fails with ends the following.
pub type Hear<'a> = dyn FnMut(&mut LogSink) -> Result<()> + 'a;

/// Prints a log while it grows, to its end.
pub fn follow(env: &Env, voice: &Voice, job: &Job, tail: Tail, hear: &mut Hear, out: &mut LogSink) -> Result<()> {
    let could_not = || format!("could not follow the log of {}", job.id);
    let mut follower = Follower::new(job, tail).with_context(|| format!("could not read the log of {}", job.id))?;
    let (mut idle, mut waiting) = (None, Waiting::default());
    loop {
        hear(out)?;
        if follower.advance(out).with_context(could_not)? > 0 {
            out.flush()?;
            continue;
        }
        follower.check_place(job).with_context(could_not)?;
        if matches!(idle, Some(Idle::Ended)) {
            break;
        }
        check_reader()?;
        waiting.look(env, job);
        // Checked before the last read, so that everything that was written before the end is read.
        idle = idleness(job, &follower, idle);
        match idle {
            Some(Idle::Ended) => {}
            Some(Idle::NoClient(since)) if since.elapsed() > CLIENT_CHANGE => {
                out.end_line()?;
                voice.note("note: the docker client was killed; following the engine's copy of the log");
                return follow_engine(env, job, follower.position(), hear, out);
            }
            _ => sleep(LOOK),
        }
    }
    if !follower.change_over(job)? {
        out.end_line()?;
        voice.note("note: the docker client was killed; this is the whole log again, from the engine's copy");
    }
    while follower.advance(out)? > 0 {}
    Ok(out.flush()?)
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

/// What the log has, and the engine's copy has more, of a run without a client; `None` if the log is all there is.
fn engine_copy(env: &Env, job: &Job) -> Option<io::Result<File>> {
    if job.kind == Kind::Build || job.dir.has(EXIT) || job.has_client() || job.begun().is_none() {
        return None;
    }
    let (runner, sighting) = look(env, job)?;
    if let Sighting::Unreachable(why) = &sighting {
        return Some(Err(io::Error::other(why.message.clone())));
    }
    let container = sighting.container()?;
    Some(compare::longer(job, &|tail, into| runner.fetch_log(container, tail, into)))
}

/// Continues with the engine's copy where the log ends.
fn follow_engine(env: &Env, job: &Job, mut shown: u64, hear: &mut Hear, out: &mut LogSink) -> Result<()> {
    let mut failing = None;
    loop {
        // Checked before the log is fetched, so that everything that was written before the end is fetched.
        let is_over = job.dir.has(EXIT) || job.is_removed();
        let copy = engine_copy(env, job);
        let mut file = match copy {
            Some(Ok(file)) => file,
            Some(Err(error)) => {
                let since = *failing.get_or_insert_with(Instant::now);
                if since.elapsed() > env.patience {
                    return Err(error).with_context(|| format!("could not follow the log of {}", job.id));
                }
                sleep(ENGINES_LOOK);
                continue;
            }
            // The last lines went with the container.
            None if job.is_removed() => return Err(forgotten(job).into()),
            None => log::open(job).with_context(|| format!("could not follow the log of {}", job.id))?,
        };
        failing = None;
        file.seek(SeekFrom::Start(shown))?;
        shown += io::copy(&mut file, out)?;
        out.flush()?;
        if is_over {
            return Ok(());
        }
        if !job.is_supervised()
            && !matches!(recover(env, job), Ok(Recovery::Adopted(_) | Recovery::Busy | Recovery::Starting))
            && !job.dir.has(EXIT)
            && !view(env, job).is_running()
        {
            return Ok(());
        }
        hear(out)?;
        check_reader()?;
        sleep(ENGINES_LOOK);
    }
}
