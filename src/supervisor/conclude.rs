//! Makes the exit record of a job: verifies the log, saves the final description of the container, writes the record,
//! and removes what is left.
//!
//! The exit code of docker's client is only a hint; the engine's answer decides. Each step can be repeated.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::process::ExitStatus;

use super::Task;
use super::attend::Seen;
use crate::error::Failure;
use crate::job::record::{Exit, Kind, LogState, Outcome};
use crate::job::request::Requests;
use crate::job::standing::{self, Ended, NeverStarted, Sighting};
use crate::job::{CONTEXT, CONTROL, IMAGE_ID, Job, LOG, WAITING};
use crate::log::compare::{ClientEnd, verify};
use crate::shell::ended;

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
    let mut exit = match &end {
        End::NotStarted(error) => not_started(&task.job, error),
        End::Seen(seen) if task.record.kind == Kind::Build => of_build(task, seen),
        End::Seen(seen) => of_run(task, seen),
    };
    exit.started = exit.started.or(task.begun.get().map(|begun| begun.started));
    exit.finished = exit.finished.or_else(|| Some(task.env.now()));
    let remains = match &end {
        End::Seen(Seen { sighting: Sighting::Ended(end), client, .. }) => {
            verify_log(task, end, *client, &mut exit);
            Some((end.container.as_str(), &end.account))
        }
        End::Seen(Seen { sighting: Sighting::NeverStarted(container), .. }) => {
            Some((container.container.as_str(), &container.account))
        }
        _ => None,
    };
    // docker does not report that the output of a build could not be written.
    if task.record.kind == Kind::Build && task.job.dir.is_full() {
        exit.lack_lines("the disk is full");
    }
    let fetched = remains.is_none_or(|(_, account)| task.runner().fetch_left(&task.job, account).is_ok());
    if finish(&task.job, &exit) && remains.is_none_or(|(container, _)| is_cleared(task, &exit, fetched, container)) {
        // Without this file, `forget` does not look for a container.
        let _ = task.job.dir.remove(CONTROL);
    }
}

/// Whether the container needs no more work: it is kept on request, or was removed. It is not removed while it has the
/// only copy of something that could not be saved.
fn is_cleared(task: &Task, exit: &Exit, fetched: bool, container: &str) -> bool {
    let saved = fetched && exit.log != LogState::Incomplete;
    task.record.run().is_some_and(|run| run.keep) || saved && task.runner().remove(container)
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
    let requests = requests(&task.job, seen);
    match &seen.sighting {
        Sighting::Ended(end) => standing::exit_of(end, &requests, task.record.run().and_then(|run| run.memory)),
        Sighting::NeverStarted(container) => {
            never_started(container, task.runner().start_code(seen.client, container.code), &requests)
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
fn requests(job: &Job, seen: &Seen) -> Requests {
    let mut requests = job.requests();
    requests.add(seen.timed_out.as_ref());
    requests
}

/// The exit record of a container that could not be started: no such program (127), not executable (126), no such device
/// (125). The client's exit code says which; the engine's code may be another one.
fn never_started(container: &NeverStarted, code: i32, requests: &Requests) -> Exit {
    let (outcome, code, reason) = match &container.why {
        Some(why) => {
            let outcome = if requests.ask_for_end() { Outcome::Cancelled } else { Outcome::Failed };
            (outcome, Some(code), why.clone())
        }
        None => (Outcome::Lost, None, "its docker client was killed before it started the container".to_owned()),
    };
    Exit {
        exit_code: code,
        reason: Some(reason),
        container_id: Some(container.container.clone()),
        ..Exit::new(outcome)
    }
}

/// The exit record of a build. `docker build` exits with 0 even if its output could not be written, so a build has
/// succeeded only if the image with the id that it wrote has the label of this job.
fn of_build(task: &Task, seen: &Seen) -> Exit {
    let cancelled = requests(&task.job, seen).ask_for_end();
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
/// code or is known to lose output.
fn verify_log(task: &Task, end: &Ended, client: Option<ExitStatus>, exit: &mut Exit) {
    let code = client.and_then(|status| status.code());
    let whole = code == Some(end.code) && !task.runner().cuts_output(task.begun.get());
    let how = if whole { ClientEnd::EndedWithIt } else { ClientEnd::CutOff };
    let fetch = |tail, into| task.runner().fetch_log(&end.container, tail, into);
    match verify(&task.job, how, &fetch) {
        (_, Some(why)) => exit.lack_lines(&why),
        (log, None) => exit.log = log,
    }
}

fn finish(job: &Job, exit: &Exit) -> bool {
    if let Ok(log) = job.dir.open_file(LOG) {
        let _ = log.sync_all();
    }
    let finished = job.finish(exit).is_ok();
    if finished {
        let _ = job.dir.remove_tree(CONTEXT);
        for name in [WAITING, IMAGE_ID] {
            let _ = job.dir.remove(name);
        }
    }
    finished
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
