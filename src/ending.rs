//! From the docker client's end to the job's terminal record: what really became of the container or the image, the
//! log made whole, the record written, the leftovers removed.
//!
//! The client's exit code is a hint; the truth is the engine's. Each step can be repeated, so whoever finds a job
//! whose supervisor was killed can finish it from here.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::process::ExitStatus;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::engine::inspect::{Phase, Side};
use crate::engine::questions::Container;
use crate::engine::{Engine, PATIENCE, argv, ended};
use crate::env::Env;
use crate::error::Failure;
use crate::job::record::{Begun, Exit, LogState, Outcome, Record, Run, Stop, Work};
use crate::job::status::{conclude, start_error};
use crate::job::store::Store;
use crate::job::{CONTEXT, CONTROL, FORGOTTEN, IMAGE_ID, INSPECT, Job, LOG, LOG_RECOVERED, WAITING};

/// Between two questions to an engine that does not answer; doubled each time up to the second value.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// How long a container may take to end when its time has run out.
const GRACE: Duration = Duration::from_secs(10);
/// How often an engine is asked again after a container that is not there, or not started, and may be about to be.
const PATIENT_TRIES: u32 = 5;
/// Last lines of the log that are compared with the engine's copy.
const COMPARED_LINES: &str = "20";

/// Finishes a run whose client has ended. The time limit goes on to count: the container may outlive its client.
pub fn end_run(
    env: &Env,
    job: &Job,
    record: &Record,
    begun: &Begun,
    client: Option<ExitStatus>,
    deadline: Option<Instant>,
) {
    let Work::Run(run) = &record.work else { return };
    let (engine, found) = await_container(env, job, record, run, client, deadline);
    let Some(container) = found else {
        let exit = without_container(job, client);
        let times = Exit { started: Some(begun.started), finished: Some(env.now()), ..exit };
        if finish(job, &times) {
            nothing_left(job);
        }
        return;
    };
    let mut exit = concluded(job, &container, run, client);
    exit.started = exit.started.or(Some(begun.started));
    exit.finished = exit.finished.or_else(|| Some(env.now()));
    // A container that was never started has written nothing.
    if container.state.phase != Phase::Created {
        let suspicious = client.and_then(|status| status.code()) != exit.exit_code
            || begun.client_version.clone().is_none_or(|version| Side { version }.cuts_output());
        match complete_log(job, &engine, &container.state.id, suspicious) {
            (_, Some(why)) => exit.lack_lines(&why),
            (log, None) => exit.log = log,
        }
    }
    let kept = job.write_json(INSPECT, &container.object).is_ok();
    let finished = finish(job, &exit);
    // The container is the last copy of what could not be written.
    let saved = kept && finished && (exit.log != LogState::Incomplete || container.state.phase == Phase::Created);
    let removed = || {
        let asked = engine.run(&argv::remove(&container.state.id), PATIENCE);
        asked.is_ok_and(|output| output.status.success())
    };
    if finished && (run.keep || saved && removed()) {
        nothing_left(job);
    }
}

/// Takes away the mark that something of an ended job may still be there to be cleaned up.
fn nothing_left(job: &Job) {
    let _ = job.dir.remove(CONTROL);
}

/// Ends a run whose time has run out: TERM, a grace, KILL. It may have to be asked again, for an engine may be away and
/// a container not yet started.
pub fn out_of_time(env: &Env, job: &Job, engine: &Engine, run: &Run) {
    if job.stop().is_none_or(|stop| stop.verb != "timeout") {
        let _ = job.request_stop(&Stop { at: env.now(), verb: "timeout".into(), signal: 15 });
    }
    let _ = engine.run(&argv::stop(&run.container, GRACE.as_secs()), GRACE + PATIENCE);
}

/// Waits until the container has ended for certain, or is proven to be absent. An engine that does not answer, or not
/// sensibly, or whose docker program is being replaced, proves nothing: the job says that it waits, and asks again.
fn await_container(
    env: &Env,
    job: &Job,
    record: &Record,
    run: &Run,
    client: Option<ExitStatus>,
    deadline: Option<Instant>,
) -> (Engine, Option<Container>) {
    let (mut pause, mut tries) = (BACKOFF.0, 0);
    loop {
        let engine = env.engine_of(&record.docker, &record.endpoint);
        let asked = engine.container_of(&record.id);
        mark_waiting(env, job, asked.is_err());
        match asked {
            Ok(Some(container)) => match container.state.phase {
                Phase::Exited | Phase::Dead => return (engine, Some(container)),
                Phase::Created if tries >= PATIENT_TRIES || start_error(&container.state).is_some() => {
                    return (engine, Some(container));
                }
                // A client that was killed may have asked for the start a moment before.
                Phase::Created => tries += 1,
                _ => wait_for_container(env, job, &engine, run, &container.state.id, deadline),
            },
            Ok(None) if tries >= PATIENT_TRIES || client.is_some_and(|status| status.code() == Some(125)) => {
                return (engine, None);
            }
            Ok(None) => tries += 1,
            Err(_) => {
                sleep(pause);
                pause = (pause * 2).min(BACKOFF.1);
                continue;
            }
        }
        sleep(BACKOFF.0);
    }
}

/// Ends when the container does, or when its time has run out and it was asked to end. When the waiting itself fails,
/// the engine is asked again after a pause.
fn wait_for_container(env: &Env, job: &Job, engine: &Engine, run: &Run, container: &str, deadline: Option<Instant>) {
    let Some(deadline) = deadline else {
        let _ = engine.command(&argv::wait(container)).output();
        return;
    };
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        out_of_time(env, job, engine, run);
    } else {
        let _ = engine.run(&argv::wait(container), left);
    }
}

fn mark_waiting(env: &Env, job: &Job, unreachable: bool) {
    if unreachable == job.dir.has(WAITING) {
        return;
    }
    let _ =
        if unreachable { job.dir.replace(WAITING, env.now().to_rfc3339().as_bytes()) } else { job.dir.remove(WAITING) };
}

fn concluded(job: &Job, container: &Container, run: &Run, client: Option<ExitStatus>) -> Exit {
    let state = &container.state;
    if state.phase != Phase::Created {
        return conclude(state, job.stop().as_ref(), run.memory);
    }
    // It was made and could not be started: no such program (127), not executable (126), no such device (125). The
    // client knows which; what the engine keeps may be a number of its own.
    let clients = client.and_then(|status| status.code()).filter(|code| (125..=127).contains(code));
    let code = clients.or_else(|| i32::try_from(state.exit_code).ok());
    match start_error(state) {
        Some(why) => Exit {
            exit_code: code.filter(|code| *code != 0).or(Some(125)),
            reason: Some(why),
            container_id: Some(state.id.clone()),
            ..Exit::new(if job.stop().is_some() { Outcome::Cancelled } else { Outcome::Failed })
        },
        None => Exit {
            reason: Some("its docker client was killed before it started the container".into()),
            container_id: Some(state.id.clone()),
            ..Exit::new(Outcome::Lost)
        },
    }
}

fn without_container(job: &Job, client: Option<ExitStatus>) -> Exit {
    if client.and_then(|status| status.code()) == Some(125) {
        return Exit {
            exit_code: Some(125),
            reason: Some(last_words(job).unwrap_or_else(|| "docker could not make the container".into())),
            ..Exit::new(Outcome::Failed)
        };
    }
    let how = client.map_or_else(|| "ended".into(), ended);
    Exit {
        reason: Some(format!("its container was removed behind longshore's back (the docker client {how})")),
        log: LogState::Incomplete,
        ..Exit::new(Outcome::Lost)
    }
}

/// Finishes a build whose client has ended; without a status it was never started, because it was cancelled first.
pub fn end_build(env: &Env, job: &Job, engine: &Engine, record: &Record, client: Option<ExitStatus>) {
    let stopped = job.stop();
    let mut exit = match client {
        None => Exit::new(Outcome::Cancelled),
        Some(status) if status.success() => proven_image(env, job, engine, record),
        Some(status) => {
            use std::os::unix::process::ExitStatusExt as _;
            let outcome = if stopped.is_some() { Outcome::Cancelled } else { Outcome::Failed };
            let reason = last_words(job).filter(|_| stopped.is_none());
            Exit {
                exit_code: status.code(),
                signal: status.signal(),
                reason: Some(reason.unwrap_or_else(|| format!("docker build {}", ended(status)))),
                ..Exit::new(outcome)
            }
        }
    };
    if exit.outcome == Outcome::Cancelled {
        exit.reason = Some("ended by longshore image cancel".into());
    }
    exit.started = job.begun().map(|begun| begun.started);
    exit.finished = Some(env.now());
    // docker does not say when its output could not be written.
    if job.dir.is_full() {
        exit.lack_lines("the disk is full");
    }
    if finish(job, &exit) {
        nothing_left(job);
    }
}

/// `docker build` exits 0 also when its output could not be written. A build has succeeded when the id that it left
/// is that of an image with this job's label.
fn proven_image(env: &Env, job: &Job, engine: &Engine, record: &Record) -> Exit {
    let failed = |why: &str| Exit { exit_code: Some(0), reason: Some(why.into()), ..Exit::new(Outcome::Failed) };
    let Some(image_id) = job.image_id() else {
        return failed("docker build exited with status 0 and left no image id");
    };
    let mut pause = BACKOFF.0;
    loop {
        let asked = engine.image_labels(&image_id);
        let unreachable = asked.as_ref().is_err_and(crate::engine::EngineError::is_unreachable);
        mark_waiting(env, job, unreachable);
        match asked {
            Ok(Some(labels)) if labels.get(argv::JOB_LABEL).is_some_and(|label| *label == record.id.as_str()) => {
                return Exit { exit_code: Some(0), image_id: Some(image_id), ..Exit::new(Outcome::Succeeded) };
            }
            Ok(Some(_)) => return failed("docker build exited with status 0, but the image is not this build's"),
            Ok(None) => return failed("docker build exited with status 0, but there is no such image"),
            Err(error) if !unreachable => return failed(&error.to_string()),
            Err(_) => sleep(pause),
        }
        pause = (pause * 2).min(BACKOFF.1);
    }
}

/// Records that a job ended before docker was started.
pub fn not_started(env: &Env, job: &Job, error: &anyhow::Error) {
    let failure = Failure::of(error);
    if let Ok(mut log) = job.dir.append(LOG) {
        let detail = failure.detail.as_deref().map(|detail| format!("\n{detail}")).unwrap_or_default();
        let _ = writeln!(log, "longshore: {}{detail}", failure.message);
    }
    let exit = Exit { exit_code: Some(125), reason: Some(failure.message), ..Exit::new(Outcome::Failed) };
    if finish(job, &Exit { finished: Some(env.now()), ..exit }) {
        nothing_left(job);
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

/// Removes a job that was forgotten while it ran.
pub fn clean_up(store: &Store, job: &Job) {
    if job.dir.has(FORGOTTEN) {
        store.remove(job);
    }
}

/// The line at the end of the log that says most, for a reason: our own steps mark theirs with "longshore: ", docker
/// its own with "docker: ", and apt and pip begin theirs with "E: " and "ERROR: ". Only ever shown, never branched on.
fn last_words(job: &Job) -> Option<String> {
    let mut log = job.dir.open_file(LOG).ok()?;
    let end = log.seek(SeekFrom::End(0)).ok()?;
    log.seek(SeekFrom::Start(end.saturating_sub(8192))).ok()?;
    let mut bytes = Vec::new();
    log.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = || text.lines().rev().map(step_output).filter(|line| !line.is_empty());
    let ours = lines().find_map(|line| line.split_once("longshore: ").map(|(_, words)| words.to_owned()));
    let docker = || lines().find_map(|line| line.strip_prefix("docker: ").map(str::to_owned));
    let builders = |line: &&str| line.contains("failed to solve") || line.contains("did not complete successfully");
    let errors =
        || lines().filter(|line| !builders(line)).find(|line| line.starts_with("E: ") || line.starts_with("ERROR: "));
    ours.or_else(docker).or_else(|| errors().map(str::to_owned))
}

/// A line of a step's output without what BuildKit puts before it: `#7 1.234 `.
fn step_output(line: &str) -> &str {
    let mut words = line.trim().splitn(3, ' ');
    match (words.next(), words.next(), words.next()) {
        (Some(step), Some(time), Some(rest)) if step.starts_with('#') && time.parse::<f64>().is_ok() => rest.trim(),
        _ => line.trim(),
    }
}

/// Holds the log against the engine's copy, and fetches that one when ours is short. Never spliced: the other one is
/// put beside ours whole. `suspicious` says that the client did not end as the container did.
fn complete_log(job: &Job, engine: &Engine, container: &str, suspicious: bool) -> (LogState, Option<String>) {
    let whole = |compare: fn(u64, u64) -> bool| -> io::Result<LogState> {
        let fetched = fetch(job, engine, container, "all")?;
        let (length, theirs) = (job.dir.open_file(LOG)?.metadata()?.len(), fetched.file.metadata()?.len());
        if theirs >= length && compare(theirs, length) && !same(&job.dir.open_file(LOG)?, &fetched.file)? {
            fetched.file.sync_all()?;
            job.dir.rename(&fetched.name, &job.dir, LOG_RECOVERED)?;
            return Ok(LogState::Recovered);
        }
        job.dir.remove(&fetched.name)?;
        Ok(if theirs < length && suspicious { LogState::Incomplete } else { LogState::Complete })
    };
    let result = if suspicious {
        whole(|_, _| true)
    } else {
        match tail_fits(job, engine, container) {
            Ok(true) => Ok(LogState::Complete),
            // Where both streams were written at once, the engine's order of lines may differ; then only a copy that
            // is longer proves that something is missing.
            Ok(false) => whole(|theirs, ours| theirs > ours),
            // A driver that cannot be read. The client ended as the container did, so its copy stands.
            Err(_) => Ok(LogState::Complete),
        }
    };
    match result {
        Ok(LogState::Incomplete) => {
            (LogState::Incomplete, Some("the docker client was cut off, and the engine's own copy is shorter".into()))
        }
        Ok(state) => (state, None),
        Err(error) => (LogState::Incomplete, Some(format!("the docker client was cut off: {error}"))),
    }
}

struct Fetched {
    name: String,
    file: File,
}

/// The engine's copy as a file beside the log, both streams in the order in which the engine gives them.
fn fetch(job: &Job, engine: &Engine, container: &str, tail: &str) -> io::Result<Fetched> {
    let name = format!(".fetched.{}", crate::fs::random_name());
    let out = job.dir.append(&name)?;
    let mut command = engine.command(&argv::logs(container, tail));
    let status = command.stdout(out.try_clone()?).stderr(out).status();
    drop(command);
    match status {
        Ok(status) if status.success() => Ok(Fetched { file: job.dir.open_file(&name)?, name }),
        other => {
            let _ = job.dir.remove(&name);
            Err(io::Error::other(
                other.map_or_else(|error| error.to_string(), |status| format!("docker logs {}", ended(status))),
            ))
        }
    }
}

/// The engine's copy of the output for one reader: a file without a name, from its beginning.
///
/// # Errors
/// When the engine does not give it.
pub fn fetch_unnamed(job: &Job, engine: &Engine, container: &str) -> io::Result<File> {
    let fetched = fetch(job, engine, container, "all")?;
    job.dir.remove(&fetched.name)?;
    Ok(fetched.file)
}

fn tail_fits(job: &Job, engine: &Engine, container: &str) -> io::Result<bool> {
    let fetched = fetch(job, engine, container, COMPARED_LINES)?;
    let _ = job.dir.remove(&fetched.name);
    let mut log = job.dir.open_file(LOG)?;
    let (length, theirs) = (log.metadata()?.len(), fetched.file.metadata()?.len());
    if theirs > length {
        return Ok(false);
    }
    log.seek(SeekFrom::Start(length - theirs))?;
    same(&log, &fetched.file)
}

/// Whether two files agree from where they stand to the end. A chunk at a time: a line may be larger than memory.
fn same(a: &File, b: &File) -> io::Result<bool> {
    let (mut left, mut right) = ([0; 8192], [0; 8192]);
    let (mut a, mut b) = (io::BufReader::with_capacity(8192, a), io::BufReader::with_capacity(8192, b));
    loop {
        let (one, two) = (fill(&mut a, &mut left)?, fill(&mut b, &mut right)?);
        if one != two || left[..one] != right[..two] {
            return Ok(false);
        }
        if one == 0 {
            return Ok(true);
        }
    }
}

fn fill(from: &mut impl io::Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}
