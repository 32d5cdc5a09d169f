//! Makes the exit record of a job: verifies the log, saves the final description of the container, writes the record,
//! and removes what is left.
//!
//! The exit code of docker's client is only a hint; the engine's answer decides. Each step can be repeated. A supervisor
//! and a command that finishes what a killed supervisor left take the same steps under the same lock.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::process::ExitStatus;
use std::time::Duration;

use super::Task;
use super::attend::Seen;
use crate::error::Failure;
use crate::fault;
use crate::job::record::{Exit, Kind, LogState, Outcome};
use crate::job::request::Requests;
use crate::job::standing::{self, Sighting};
use crate::job::{CONTEXT, CONTROL, EXIT, IMAGE_ID, Job, LOG, MISSING, WAITING};
use crate::log::compare::{ClientEnd, verify};
use crate::names::Tail;
use crate::shell::ended;

/// How long a supervisor waits for another process that records the end of its job. It may be suspended.
const ENDING: Duration = Duration::from_secs(10);
/// How often the engine's copy of the log is asked for. docker may be killed, or cut the copy off.
const TRIES: u32 = 3;

/// How a job came to its end.
#[derive(Debug)]
pub enum End {
    /// It could not be started.
    NotStarted(anyhow::Error),
    /// It was started, or it was cancelled before its start.
    Seen(Seen),
}

/// Records the end of a job and removes what is left of it.
pub fn conclude(task: &Task, end: End) {
    let _held = task.job.hold_ending_for(ENDING);
    if task.job.dir.has(EXIT) {
        return;
    }
    fault::point("concluding");
    let mut exit = match &end {
        End::NotStarted(error) => not_started(&task.job, error),
        End::Seen(seen) if task.record.kind == Kind::Build => of_build(task, seen),
        End::Seen(seen) => of_run(task, seen),
    };
    exit.finished = exit.finished.or_else(|| Some(task.env.now()));
    if let End::Seen(seen) = &end {
        if seen.was_full {
            exit.doubt_log(LogState::Incomplete, "the disk was full while it was built");
        }
        // An adopted run has no client of its supervisor.
        exit.recovered = seen.client.is_none() && task.record.kind == Kind::Run;
        verify_log(task, &seen.sighting, seen.client, seen.gap, &mut exit);
    }
    let sighting = match end {
        End::Seen(seen) => seen.sighting,
        End::NotStarted(_) => Sighting::Absent,
    };
    complete(task, exit, &sighting);
}

/// The same for a job whose supervisor was killed. The lock under which ends are recorded must be held.
pub fn conclude_found(task: &Task, mut exit: Exit, sighting: &Sighting) {
    verify_log(task, sighting, None, false, &mut exit);
    complete(task, exit, sighting);
}

fn complete(task: &Task, mut exit: Exit, sighting: &Sighting) {
    exit.started = exit.started.or(task.begun.get().map(|begun| begun.started));
    let saved = save(task, sighting);
    fault::point("saved");
    if !record(&task.job, &exit) {
        return;
    }
    fault::point("recorded");
    tidy(task);
    if is_cleared(task, &exit, saved, sighting) {
        fault::point("removed");
        // Without this file, no command looks for a container.
        let _ = task.job.dir.remove(CONTROL);
    }
}

/// Saves the final description of the container; returns whether nothing of it would be lost with the container.
pub fn save(task: &Task, sighting: &Sighting) -> bool {
    let account = match sighting {
        Sighting::Ended(end) => &end.account,
        Sighting::NeverStarted(container) => &container.account,
        _ => return true,
    };
    task.runner().fetch_left(&task.job, account).is_ok()
}

/// Removes the files that no ended job needs.
pub fn tidy(task: &Task) {
    let _ = task.job.dir.remove_tree(CONTEXT);
    for name in [WAITING, IMAGE_ID, MISSING] {
        let _ = task.job.dir.remove(name);
    }
}

/// Whether the container needs no more work: there is none, or it is kept on request, or it was removed. It is not removed
/// while it has the only copy of something that could not be saved.
pub fn is_cleared(task: &Task, exit: &Exit, saved: bool, sighting: &Sighting) -> bool {
    let Some(container) = sighting.container() else { return true };
    let has_output = matches!(sighting, Sighting::Ended(_)) && task.runner().keeps_copy(&task.record);
    let may_go = saved && (exit.log.is_whole() || !has_output);
    task.record.run().is_some_and(|run| run.keep) || may_go && task.runner().remove(container)
}

/// The exit record of a job that ended before docker was started. The reason is appended to the log.
fn not_started(job: &Job, error: &anyhow::Error) -> Exit {
    let failure = Failure::of(error);
    if let Ok(mut log) = job.dir.append(LOG) {
        let detail = failure.detail.as_deref().map(|detail| format!("\n{detail}")).unwrap_or_default();
        let _ = writeln!(log, "longshore: {}{detail}", failure.message);
    }
    Exit { exit_code: Some(125), reason: Some(failure.message), ..Exit::new(Outcome::Failed) }
}

fn of_run(task: &Task, seen: &Seen) -> Exit {
    let requests = requests(task, seen);
    match &seen.sighting {
        // The host was not rebooted while this process lived.
        Sighting::Ended(end) => match standing::doubt(end, Some(true), seen.client.and_then(|status| status.code())) {
            None => standing::exit_of(end, &requests, task.record.run().and_then(|run| run.memory)),
            Some(why) => standing::lost(end, &why),
        },
        Sighting::NeverStarted(container) => {
            let code = task.runner().start_code(seen.client, container.code);
            standing::never_started(container, code, &requests)
        }
        _ if seen.client.is_some_and(|status| task.runner().refused(status)) => Exit {
            exit_code: seen.client.and_then(|status| status.code()),
            reason: Some(last_words(task).unwrap_or_else(|| "docker could not create the container".into())),
            ..Exit::new(Outcome::Failed)
        },
        _ => {
            let how = seen.client.map_or_else(|| "ended".into(), ended);
            let reason = format!("its container was removed by another program (the docker client {how})");
            Exit { reason: Some(reason), log: LogState::Incomplete, ..Exit::new(Outcome::Lost) }
        }
    }
}

/// The recorded requests, and the supervisor's own, which a full disk may have kept from being recorded.
fn requests(task: &Task, seen: &Seen) -> Requests {
    let mut requests = task.requests();
    requests.add(seen.timed_out.as_ref());
    requests
}

/// The exit record of a build. `docker build` exits with 0 even if its output could not be written, so a build has
/// succeeded only if the image with the id that it wrote has the label of this job.
fn of_build(task: &Task, seen: &Seen) -> Exit {
    let cancelled = requests(task, seen).ask_for_end();
    let mut exit = match (&seen.sighting, seen.client) {
        (Sighting::ImageProven(image), _) => {
            Exit { exit_code: Some(0), image_id: Some(image.clone()), ..Exit::new(Outcome::Succeeded) }
        }
        (_, None) => Exit::new(Outcome::Cancelled),
        (_, Some(status)) if status.success() => {
            let why = match task.job.image_id() {
                Some(_) => "docker build exited with status 0, but there is no image with the label of this build",
                None => "docker build exited with status 0, but wrote no image id",
            };
            Exit { exit_code: Some(0), reason: Some(why.into()), ..Exit::new(Outcome::Failed) }
        }
        (_, Some(status)) => failed_build(task, status, cancelled),
    };
    if exit.outcome == Outcome::Cancelled {
        exit.reason = Some("ended by longshore image cancel".into());
    }
    exit
}

fn failed_build(task: &Task, status: ExitStatus, cancelled: bool) -> Exit {
    use std::os::unix::process::ExitStatusExt as _;
    let reason = last_words(task).unwrap_or_else(|| format!("docker build {}", ended(status)));
    Exit {
        exit_code: status.code(),
        signal: status.signal(),
        reason: Some(reason),
        ..Exit::new(if cancelled { Outcome::Cancelled } else { Outcome::Failed })
    }
}

/// Compares the log with the engine's copy. The whole log is compared if the client did not end with the container's exit
/// code or is known to lose output. A build has no copy; docker does not report that its output could not be written.
fn verify_log(task: &Task, sighting: &Sighting, client: Option<ExitStatus>, gap: bool, exit: &mut Exit) {
    let Sighting::Ended(end) = sighting else {
        if task.record.kind == Kind::Build && exit.log.is_whole() && task.job.dir.is_full() {
            exit.doubt_log(LogState::Incomplete, "the disk is full");
        }
        return;
    };
    let code = client.and_then(|status| status.code());
    let whole = code == Some(end.code) && !task.runner().cuts_output(task.begun.get());
    let how = match (whole, code) {
        (true, _) => ClientEnd::EndedWithIt,
        (false, Some(code)) if code != end.code => ClientEnd::GaveUp,
        // How the client of a found end ended is not known.
        (false, None) if client.is_none() => ClientEnd::GaveUp,
        (false, _) => ClientEnd::CutOff,
    };
    let gap = gap.then_some("the engine was away after the docker client had ended, and may have lost lines");
    let (log, why) = match (task.runner().keeps_copy(&task.record), how) {
        (true, _) => verify(&task.job, how, gap, &|tail, into| fetch(task, &end.container, tail, into)),
        // A client that could not write ends with 1.
        (false, ClientEnd::EndedWithIt) if end.code != 1 && !task.job.dir.is_full() => (LogState::Complete, None),
        (false, ClientEnd::EndedWithIt) => (LogState::Unverified, Some(NO_COPY.into())),
        (false, _) => (LogState::Incomplete, Some(format!("the docker client may have lost lines, and {NO_COPY}"))),
    };
    match why {
        Some(why) => exit.doubt_log(log, &why),
        None => exit.log = log,
    }
}

const NO_COPY: &str = "its log driver keeps no copy to compare with";

fn fetch(task: &Task, container: &str, tail: Tail, into: File) -> io::Result<()> {
    let mut fetched = Ok(());
    for _ in 0..TRIES {
        into.set_len(0)?;
        fetched = task.runner().fetch_log(container, tail, into.try_clone()?);
        if fetched.is_ok() {
            break;
        }
    }
    fetched
}

fn record(job: &Job, exit: &Exit) -> bool {
    if let Ok(log) = job.dir.open_file(LOG) {
        let _ = log.sync_all();
    }
    job.finish(exit).is_ok()
}

/// The reason in the end of the log. It is only shown; no decision depends on it.
fn last_words(task: &Task) -> Option<String> {
    let mut log = task.job.dir.open_file(LOG).ok()?;
    let end = log.seek(SeekFrom::End(0)).ok()?;
    log.seek(SeekFrom::Start(end.saturating_sub(8192))).ok()?;
    let mut bytes = Vec::new();
    log.read_to_end(&mut bytes).ok()?;
    task.runner().reason(&String::from_utf8_lossy(&bytes))
}
