//! `logs` of several jobs at once: each line has the name of its job before it.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write as _};
use std::thread::ScopedJoinHandle;

use anyhow::Result;

use super::{Awaited, Doubt, LEFT, doubt, follow, wait_for, whole};
use crate::cli::LogFlags;
use crate::commands::jobs::{check, settle};
use crate::env::Env;
use crate::error::Failure;
use crate::interrupt::Interrupt;
use crate::job::Job;
use crate::job::record::Record;
use crate::log::extent::{Extent, Timing};
use crate::output::{FailureDocument, Form, Label, LogSink, Logs, Voice, shorten};
use crate::survey::view;

/// The longest name before a line on a terminal.
const LONGEST: usize = 24;
/// The exit code if one of them failed.
const FAILED: u8 = 1;

/// What was found under one of the words that were typed.
type Found = Result<Job>;

/// Shows the logs: one after the other or, followed, each line as it comes. A job that is not found, or whose log cannot be
/// read, is told, and the others are shown all the same.
pub fn logs(env: &Env, voice: &Voice, mut found: Vec<Found>, how: &LogFlags) -> Result<u8> {
    let mut seen = HashSet::new();
    found.retain(|found| found.as_ref().map_or(true, |job| seen.insert(job.id.clone())));
    let extent = &how.extent(env)?;
    match (voice.form(), how.follow) {
        (_, true) => follow_all(env, voice, found, how, extent),
        (Form::Text, false) => one_after_the_other(env, voice, found, how, extent),
        (_, false) => as_document(env, voice, &found, how, extent),
    }
}

/// The names of jobs: an id where two have the same one, or none.
fn labels<'a>(voice: &Voice, jobs: impl Iterator<Item = &'a Job> + Clone) -> Vec<Label> {
    let name = |job: &Job| job.record().ok().as_ref().and_then(Record::shown_name);
    let mut count: HashMap<String, usize> = HashMap::new();
    for name in jobs.clone().filter_map(name) {
        *count.entry(name).or_default() += 1;
    }
    let label = |job: &Job| {
        let own = name(job).filter(|name| count.get(name) == Some(&1));
        let shown = own.unwrap_or_else(|| job.id.to_string());
        let name = if voice.is_stdout_terminal() { shorten(&shown, LONGEST) } else { shown };
        Label { id: job.id.to_string(), name }
    };
    jobs.map(label).collect()
}

/// Tells what could not be found, also as a row; gives the rest and whether it is all.
fn tell_missing(voice: &Voice, found: Vec<Found>) -> Result<(Vec<Job>, bool)> {
    let (mut jobs, mut is_all) = (Vec::new(), true);
    for found in found {
        match found {
            Ok(job) => jobs.push(job),
            Err(error) => {
                is_all = false;
                tell(voice, &error)?;
            }
        }
    }
    Ok((jobs, is_all))
}

fn tell(voice: &Voice, error: &anyhow::Error) -> Result<()> {
    let failure = Failure::of(error);
    voice.tell(&failure);
    voice.row(&FailureDocument::from(&failure))
}

fn note_doubt(voice: &Voice, label: &Label, doubt: &Logs) {
    if let Some(log) = doubt.log {
        let reason = doubt.reason.as_deref().unwrap_or_default();
        voice.note(&format!("note: log of {}: {}: {reason}", label.name, log.word()));
    }
}

fn one_after_the_other(env: &Env, voice: &Voice, found: Vec<Found>, how: &LogFlags, extent: &Extent) -> Result<u8> {
    let (jobs, mut is_all) = tell_missing(voice, found)?;
    let labels = labels(voice, jobs.iter());
    for ((job, label), mut sink) in jobs.iter().zip(&labels).zip(sinks(voice, &labels, how)?) {
        let env = &settle(env, voice, job);
        match whole(env, voice, job, extent) {
            Ok(shown) => {
                let seen = sink.show(shown)?;
                sink.finish()?;
                how.tell_of(voice, &label.name, seen);
                note_doubt(voice, label, &doubt(view(env, job)));
            }
            Err(error) => {
                is_all = false;
                tell(voice, &error)?;
            }
        }
    }
    Ok(if is_all { 0 } else { FAILED })
}

/// One array, with the log of each job or the failure in its place.
fn as_document(env: &Env, voice: &Voice, found: &[Found], how: &LogFlags, extent: &Extent) -> Result<u8> {
    let (mut code, mut before) = (0, "[");
    for found in found {
        let opened = found.as_ref().map_err(Failure::of).and_then(|job| {
            let env = settle(env, voice, job);
            let shown = whole(&env, voice, job, extent).map_err(|error| Failure::of(&error))?;
            Ok((job, shown, doubt(view(&env, job))))
        });
        match opened {
            Ok((job, shown, doubt)) => {
                let name = job.record().ok().as_ref().and_then(Record::shown_name);
                let vague = shown.timing != Timing::Known;
                let sink = voice.log_item(before, &Logs { id: Some(job.id.clone()), name, vague, ..doubt })?;
                let mut sink = if how.timestamps { sink.timed() } else { sink };
                let seen = sink.show(shown)?;
                sink.finish()?;
                how.tell_of(voice, job.id.as_str(), seen);
            }
            Err(failure) => {
                code = FAILED;
                voice.tell(&failure);
                voice.item(before, &FailureDocument::from(&failure))?;
            }
        }
        before = ",\n ";
    }
    voice.bytes()?.write_all(b"]\n")?;
    Ok(code)
}

/// A place on stdout for each log.
fn sinks(voice: &Voice, labels: &[Label], how: &LogFlags) -> io::Result<Vec<LogSink>> {
    let sinks = voice.braid(labels, how.bytes())?;
    Ok(if how.timestamps { sinks.into_iter().map(LogSink::timed).collect() } else { sinks })
}

fn follow_all(env: &Env, voice: &Voice, found: Vec<Found>, how: &LogFlags, extent: &Extent) -> Result<u8> {
    let (jobs, mut is_all) = tell_missing(voice, found)?;
    let labels = labels(voice, jobs.iter());
    let interrupt = &Interrupt::ctrl_c()?;
    let sinks = sinks(voice, &labels, how)?;
    let ends: Vec<Result<u8>> = std::thread::scope(|scope| {
        let one = |((job, label), sink)| {
            let of = One { job, label, how, extent };
            scope.spawn(move || follow_one(env, voice, of, interrupt, sink))
        };
        let threads: Vec<_> = jobs.iter().zip(&labels).zip(sinks).map(one).collect();
        let ended = threads.into_iter().map(ScopedJoinHandle::join);
        ended.map(|end| end.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    if interrupt.is_heard() {
        return left(voice, &jobs, interrupt);
    }
    for end in ends {
        match end {
            Ok(code) => is_all &= code == 0,
            // That nobody reads any more is no failure of a job.
            Err(error) if is_closed(&error) => return Err(error),
            Err(error) => {
                is_all = false;
                tell(voice, &error)?;
            }
        }
    }
    Ok(if is_all { 0 } else { FAILED })
}

fn is_closed(error: &anyhow::Error) -> bool {
    let is_pipe = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(is_pipe))
}

/// One of several logs that are followed.
#[derive(Clone, Copy)]
struct One<'a> {
    job: &'a Job,
    label: &'a Label,
    how: &'a LogFlags,
    extent: &'a Extent,
}

/// Follows one of them to its end; gives the code of its end if that is wanted, otherwise 0.
fn follow_one(env: &Env, voice: &Voice, one: One, interrupt: &Interrupt, mut sink: LogSink) -> Result<u8> {
    let One { job, label, how, extent } = one;
    let env = &settle(env, voice, job);
    let awaited = Awaited::new(env, job);
    let followed = follow(env, voice, job, extent, &mut |_| Ok(check(interrupt, job)?), &mut sink);
    // Its last line must not keep the others waiting.
    sink.finish()?;
    how.tell(voice, &label.name, followed?);
    let doubt = awaited.seen(env).map(doubt).unwrap_or_default();
    if doubt.log.is_some() {
        voice.row(&Doubt { id: Some(&job.id), log: doubt.log, reason: doubt.reason.as_deref() })?;
    }
    note_doubt(voice, label, &doubt);
    if how.exit_code { Ok(wait_for(env, &awaited, None, interrupt)?.wait_code()) } else { Ok(0) }
}

/// After Ctrl-C: at a terminal it is the usual way to leave a log, in a stream it is an error.
fn left(voice: &Voice, jobs: &[Job], interrupt: &Interrupt) -> Result<u8> {
    let running: Vec<&str> = jobs.iter().filter(|job| !job.has_ended()).map(|job| job.id.as_str()).collect();
    let (is, ids) = (if running.len() == 1 { "is" } else { "are" }, running.join(" "));
    let words = format!("{} of {} jobs {is} still running", running.len(), jobs.len());
    let end = (!running.is_empty()).then(|| format!("end them with: longshore stop {ids}"));
    if voice.form() == Form::Text {
        voice.note(&format!("note: {words}"));
        if let Some(end) = end {
            voice.note(&format!("hint: {end}"));
        }
        return Ok(LEFT);
    }
    let interrupted = interrupt.check(|| format!("interrupted; {words}"));
    interrupted.map_err(|failure| Failure { hint: end, ..failure })?;
    Ok(LEFT)
}
