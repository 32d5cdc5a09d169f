//! Makes the exit record of a job: verifies the log, saves the final description of the container, writes the record,
//! and removes what is left.
//!
//! The exit code of docker's client is only a hint; the engine's answer decides. Each step can be repeated. A supervisor
//! and a command that finishes what a killed supervisor left take the same steps under the same lock.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use super::attend::Seen;
use super::points::remove_points;
use super::{Task, after, attempts, room, sampler};
use crate::error::Failure;
use crate::fault;
use crate::job::moved::SHIPPED;
use crate::job::record::{Exit, Kind, LogState, Outcome};
use crate::job::request::Requests;
use crate::job::standing::{self, Sighting};
use crate::job::store::Store;
use crate::job::{BEGUN, CONTEXT, CONTROL, FORGOTTEN, HOOK_RESULT, IMAGE_ID, Job, LOG, MISSING, PENDING, WAITING};
use crate::log;
use crate::log::compare::{ClientEnd, MAY_HAVE_RESTARTED, Outage, verify};
use crate::log::trim::Trim;
use crate::names::Tail;
use crate::recipe::failure::Reason;
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
    /// It ended while it waited for its start.
    Unstarted(Exit),
    /// It was started, or it was cancelled before its start.
    Seen(Seen),
}

/// What follows an end.
#[derive(Debug)]
pub enum Concluded<'a> {
    /// The end of the job is recorded, and the command that follows was started, if there is one.
    Ended(Option<after::Running<'a>>),
    /// The end of an attempt is recorded, and the next one follows after this pause.
    Again(Duration),
}

/// Records the end of a job, removes what is left of it, and starts the command that follows; or records the end of an
/// attempt that is followed by another one. Without the values of its variables, a run cannot be tried again.
pub fn conclude(task: &Task, end: End, has_values: bool) -> Concluded<'_> {
    let _held = task.job.hold_ending_for(ENDING);
    if let Some(exit) = task.job.exit() {
        return Concluded::Ended(exit.ok().and_then(|exit| after::start(task, &exit)));
    }
    fault::point("concluding");
    if task.retry().is_none() && matches!(&end, End::Seen(Seen { sighting: Sighting::Ended(_), .. })) {
        // Its container has ended. The next job of its queue need not wait until the log is compared.
        room::leave(task);
    }
    let is_over = matches!(end, End::Unstarted(_));
    let (mut exit, sighting) = judged(task, end);
    match attempts::next(task, &exit).filter(|_| !is_over) {
        Some(pause) if has_values && end_attempt(task, &exit, &sighting) => return Concluded::Again(pause),
        Some(_) if !has_values => {
            let why = "it was not tried again, because the values of its variables were lost with its supervisor";
            let reason = exit.reason.take().map(|reason| reason + "; ").unwrap_or_default();
            exit.reason = Some(reason + why);
        }
        _ => {}
    }
    let mut running = None;
    complete(task, exit, &sighting, |exit| running = after::start(task, exit));
    Concluded::Ended(running)
}

/// The exit record for an end, after the log was compared.
fn judged(task: &Task, end: End) -> (Exit, Sighting) {
    let mut exit = match &end {
        End::NotStarted(error) => not_started(task, error),
        End::Unstarted(exit) => exit.clone(),
        End::Seen(seen) if task.record.kind == Kind::Build => of_build(task, seen),
        End::Seen(seen) => of_run(task, seen),
    };
    exit.finished = exit.finished.or_else(|| Some(task.env.now()));
    let End::Seen(seen) = end else { return (exit, Sighting::Absent) };
    if seen.was_full {
        exit.doubt_log(LogState::Incomplete, "the disk was full while it was built");
    }
    let had_client = seen.client.is_some() || task.runner().copies();
    exit.recovered = task.record.kind == Kind::Run && (seen.is_adopted || !had_client);
    verify_log(task, &seen.sighting, seen.client, seen.outage, &mut exit);
    // Last in the reason, because a later copy removes it from there, with what follows.
    if let Some(failure) = &seen.unfetched {
        exit.lack_output(&task.job.id, failure);
    }
    (exit, seen.sighting)
}

/// Records the end of an attempt, and removes its container. Returns whether the next one may follow: nothing that only
/// the container has would be lost with it, unless a swarm has ended it, whose node may never give that.
fn end_attempt(task: &Task, exit: &Exit, sighting: &Sighting) -> bool {
    let mut exit = Exit { started: exit.started.or(task.begun.get().map(|begun| begun.started)), ..exit.clone() };
    let is_cut_short = matches!(sighting, Sighting::Ended(end) if task.runner().is_cut_short(end));
    if is_cut_short && exit.unfetched {
        // The reason says that its output is missing.
        (exit.unfetched, exit.hint) = (false, None);
    }
    let may_go = save(task, sighting) && (is_cut_short || may_be_removed(task, &exit, sighting));
    if !may_go || task.job.end_attempt(task.job.attempts().len() + 1, &exit).is_err() {
        return false;
    }
    fault::point("attempt-ended");
    // If the engine does not answer, it is tried again before the next start.
    let _ = attempts::clear(task);
    true
}

/// The same for a job whose supervisor was killed, so that nobody watched the engine. The lock under which ends are
/// recorded must be held.
pub fn conclude_found(task: &Task, mut exit: Exit, sighting: &Sighting) {
    if task.record.log_limit().is_some() {
        // To give blocks back changes the time of the last write.
        sampler::note_unwatched(&task.env, &task.job);
    }
    verify_log(task, sighting, None, Outage::Possible, &mut exit);
    complete(task, exit, sighting, |_| {});
}

/// `then` is done as soon as the end is recorded.
fn complete(task: &Task, mut exit: Exit, sighting: &Sighting, then: impl FnOnce(&Exit)) {
    // A run that was ended between two attempts has no start.
    let begun = task.begun.get().filter(|_| task.job.dir.has(BEGUN));
    exit.started = exit.started.or(begun.map(|begun| begun.started));
    task.runner().amend(&mut exit, sighting, &task.record);
    let saved = save(task, sighting);
    fault::point("saved");
    after::make_stamp(task, &mut exit);
    fault::point("stamped");
    if !record(&task.job, &mut exit) {
        return;
    }
    fault::point("recorded");
    room::leave(task);
    then(&exit);
    room::note_time(task, &exit);
    tidy(task);
    remove_own_points(task);
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

/// Removes the mount points that only this run needed.
fn remove_own_points(task: &Task) {
    if task.record.run().is_some_and(|run| !run.points().is_empty())
        && let Ok(Some(store)) = Store::open(&task.env, task.record.kind)
    {
        remove_points(&task.env, &store);
    }
}

/// Removes the files that no ended job needs.
pub fn tidy(task: &Task) {
    let _ = task.job.dir.remove_tree(CONTEXT);
    for name in [WAITING, PENDING, IMAGE_ID, MISSING] {
        let _ = task.job.dir.remove(name);
    }
    remove_temporary(&task.job);
}

/// Removes what killed processes were writing. A copy of a log, which can be as large as the log, is locked while it is in
/// use. Two other files may be written by another process now.
fn remove_temporary(job: &Job) {
    let is_written = |name: &str| [FORGOTTEN, HOOK_RESULT].iter().any(|file| name.starts_with(&format!(".{file}.")));
    let is_locked = |name: &str| job.dir.open_file(name).is_ok_and(|file| file.try_lock().is_err());
    for name in job.dir.names().unwrap_or_default().iter().filter(|name| name.starts_with('.')) {
        if !is_written(name) && !is_locked(name) {
            let _ = job.dir.remove(name);
        }
    }
}

/// Whether the container needs no more work: there is none, or it is kept on request, or it was removed. It is not removed
/// while it has the only copy of something that could not be saved.
pub fn is_cleared(task: &Task, exit: &Exit, saved: bool, sighting: &Sighting) -> bool {
    if sighting.container().is_none() {
        return task.runner().clear_absent(&task.record);
    }
    let may_go = saved && may_be_removed(task, exit, sighting);
    task.record.run().is_some_and(|run| run.keep) || may_go && task.runner().remove(sighting)
}

/// Whether the container does not have the only copy of output.
fn may_be_removed(task: &Task, exit: &Exit, sighting: &Sighting) -> bool {
    let has_output = matches!(sighting, Sighting::Ended(_)) && task.runner().keeps_copy(&task.record);
    let is_fetched = !exit.unfetched || task.job.has_fetched();
    is_fetched && (exit.log.is_whole() || exit.saved || !has_output)
}

/// The exit record of a job that ended before docker was started. The reason is appended to the log.
fn not_started(task: &Task, error: &anyhow::Error) -> Exit {
    let failure = Failure::of(error);
    if let Ok(mut log) = task.job.dir.append(LOG) {
        let detail = failure.detail.as_deref().map(|detail| format!("\n{detail}")).unwrap_or_default();
        let _ = writeln!(log, "longshore: {}{detail}", failure.message);
    }
    sampler::note(&task.env, &task.job);
    Exit { exit_code: Some(125), reason: Some(failure.in_one_line()), hint: failure.hint, ..Exit::new(Outcome::Failed) }
}

fn of_run(task: &Task, seen: &Seen) -> Exit {
    let requests = requests(task, seen);
    match &seen.sighting {
        Sighting::Ended(end) => {
            let evidence = standing::Evidence {
                // The host was not rebooted while this process lived.
                same_boot: Some(true),
                client: seen.client.and_then(|status| status.code()),
                engine: &|| task.runner().saw_end(&task.env, task.begun.get(), end),
            };
            match standing::doubt(end, &evidence) {
                None => standing::exit_of(end, &requests, task.record.run().and_then(|run| run.memory)),
                Some(why) => standing::lost(end, &why),
            }
        }
        Sighting::NeverStarted(container) => {
            let code = task.runner().start_code(seen.client, container.code);
            standing::never_started(container, code, &requests)
        }
        // It was asked to end while its files were copied.
        Sighting::Absent if is_unshipped(task) && requests.ask_for_end() => {
            let verb = requests.to_end().map_or("stop", |request| request.verb.word());
            let reason = Some(format!("ended by longshore exec {verb} before it was started"));
            Exit { reason, ..Exit::new(Outcome::Cancelled) }
        }
        _ if seen.client.is_some_and(|status| task.runner().refused(status)) => Exit {
            exit_code: seen.client.and_then(|status| status.code()),
            ..failed(task, "docker could not create the container")
        },
        _ => {
            let how = seen.client.map_or_else(|| "ended".into(), ended);
            let reason = format!("its container was removed by another program (the docker client {how})");
            Exit { reason: Some(reason), log: LogState::Incomplete, ..Exit::new(Outcome::Lost) }
        }
    }
}

/// Whether its files are to be copied to the engine, and were not.
fn is_unshipped(task: &Task) -> bool {
    task.runner().copies() && !task.job.dir.has(SHIPPED)
}

/// The recorded requests, and the supervisor's own, which a full disk may have kept from being recorded.
fn requests(task: &Task, seen: &Seen) -> Requests {
    let mut requests = task.requests().of_attempt(task.begun.get().map(|begun| begun.started));
    requests.add(seen.timed_out.as_ref());
    requests
}

/// The exit code of every build that failed or was cancelled. Clients differ: the legacy builder's exits with the code of
/// the step, BuildKit's with 1, 100, 102 or 130. The code of the step is in the reason.
const BUILD_FAILED: i32 = 1;

/// The exit record of a build. `docker build` exits with 0 even if its output could not be written, so a build has
/// succeeded only if the image with the id that it wrote has the label of this job.
fn of_build(task: &Task, seen: &Seen) -> Exit {
    let cancelled = requests(task, seen).ask_for_end();
    let mut exit = match (&seen.sighting, seen.client) {
        (Sighting::ImageProven(image), _) => {
            Exit { exit_code: Some(0), image_id: Some(image.clone()), ..Exit::new(Outcome::Succeeded) }
        }
        (_, None) => Exit::new(Outcome::Cancelled),
        (_, Some(status)) if cancelled && !status.success() => Exit::new(Outcome::Cancelled),
        (_, Some(status)) if status.success() => {
            let why = match task.job.image_id() {
                Some(_) => "docker build exited with status 0, but there is no image with the label of this build",
                None => "docker build exited with status 0, but wrote no image id",
            };
            Exit { reason: Some(why.into()), ..Exit::new(Outcome::Failed) }
        }
        (_, Some(status)) => {
            let signal = status.signal();
            Exit { signal, ..failed(task, &format!("docker build {}", ended(status))) }
        }
    };
    if exit.outcome == Outcome::Cancelled {
        exit.reason = Some("ended by longshore image cancel".into());
    }
    if exit.signal.is_none() && exit.outcome != Outcome::Succeeded {
        exit.exit_code = Some(BUILD_FAILED);
    }
    exit
}

/// A failure with the reason that the end of the log gives, or with this one.
fn failed(task: &Task, otherwise: &str) -> Exit {
    let reason = last_words(task).unwrap_or_else(|| Reason::new(otherwise));
    Exit { reason: Some(reason.sentence), hint: reason.hint, ..Exit::new(Outcome::Failed) }
}

/// Keeps the log to its limit, and compares it with the engine's copy.
fn verify_log(task: &Task, sighting: &Sighting, client: Option<ExitStatus>, outage: Outage, exit: &mut Exit) {
    if task.is_log_replaced() {
        return exit.doubt_log(LogState::Incomplete, "another program replaced it");
    }
    if let Some(Ok(trim)) = task.record.log_limit().map(|limit| Trim::of_log(&task.job.dir, limit)) {
        trim.to_limit();
        trim.refusal().into_iter().for_each(|why| exit.keep_log(&why));
    }
    compare_log(task, sighting, client, outage, exit);
    if task.record.log_limit().is_some() {
        exit.log_gone = log::open(&task.job).map_or(0, |log| log.gone.bytes());
    }
}

/// Compares the log with the engine's copy. The whole log is compared if the client did not end with the container's exit
/// code or is known to lose output. A build has no copy; docker does not report that its output could not be written.
fn compare_log(task: &Task, sighting: &Sighting, client: Option<ExitStatus>, outage: Outage, exit: &mut Exit) {
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
    let outage = || match outage {
        Outage::Possible if task.runner().has_stayed_up(&end.container, end.started) => Outage::None,
        seen => seen,
    };
    if whole && task.runner().copies() {
        // It was read from the engine's copy, to the end.
        (exit.log, exit.saved) = (LogState::Complete, true);
        if outage() != Outage::None {
            exit.doubt_log(LogState::Unverified, MAY_HAVE_RESTARTED);
        }
        return;
    }
    let (log, why) = match (task.runner().keeps_copy(&task.record), how) {
        (true, _) => {
            let fetch = |tail, into| fetch(task, &end.container, tail, into);
            let verdict = verify(&task.job, how, task.record.log_limit(), &outage, &fetch);
            exit.saved = verdict.saved;
            (verdict.log, verdict.why)
        }
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

/// The log is synced first. If that fails, the kernel may have dropped lines that a comparison has still seen.
fn record(job: &Job, exit: &mut Exit) -> bool {
    if let Err(error) = job.dir.sync_file(LOG) {
        exit.saved = false;
        if exit.log.is_whole() {
            exit.doubt_log(LogState::Incomplete, &format!("it could not be written to the disk: {error}"));
        }
    }
    job.finish(exit).is_ok()
}

/// The reason in the end of the log. It is only shown; no decision depends on it.
fn last_words(task: &Task) -> Option<Reason> {
    task.runner().reason(&task.record, &task.job.last_words().ok()?)
}
