//! What builds and runs have in common: waiting, logs, lists, forgetting, and staying with a job just started.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::cli::{Forget, JobList, LogFlags, Stay, Wait};
use crate::ending;
use crate::engine::{Engine, PATIENCE, argv};
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::job::log::{self, Follower, JsonLines};
use crate::job::record::{Kind, Outcome, Record, Work};
use crate::job::select::{Filters, find};
use crate::job::status::View;
use crate::job::store::Store;
use crate::job::{CONTROL, EXIT, Job};
use crate::names::Tail;
use crate::output::{self, LogWriter, note};
use crate::truth::{view, views};

/// Between two looks at a job that is waited for.
const LOOK: Duration = Duration::from_millis(25);

impl Stay {
    /// Whether the command stays until the job's end.
    #[must_use]
    pub fn stays(&self) -> bool {
        self.wait || self.follow
    }
}

/// Ctrl-C while waiting ends the waiting and never the job.
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on.
    pub fn listen() -> Result<Self> {
        let heard = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(signal_hook::consts::SIGINT, heard.clone())?;
        Ok(Self(heard))
    }

    fn check(&self, job: &Job) -> Result<()> {
        if !self.0.load(Ordering::Relaxed) {
            return Ok(());
        }
        let (noun, id) = (job.kind.noun(), &job.id);
        let message = format!("interrupted; {} {id} goes on", job.kind.word());
        Err(Failure::new(ErrorKind::Interrupted, message)
            .hint(format!("wait for it again with: longshore {noun} wait {id}"))
            .into())
    }
}

/// Takes part in a job just started as the flags say, and gives the exit code.
pub fn stay(env: &Env, json: bool, job: &Job, stay: &Stay, answer: Value, shown: &str) -> Result<u8> {
    if !stay.stays() {
        if json {
            output::json(&answer)?;
        } else {
            output::line(env, shown)?;
        }
        if env.stderr_terminal {
            let noun = job.kind.noun();
            note(&format!(
                "follow it:    longshore {noun} logs -f {shown}\nwait for it:  longshore {noun} wait {shown}"
            ));
        }
        return Ok(0);
    }
    let interrupt = Interrupt::listen()?;
    // Told before the waiting: whoever is cut off in it has the id.
    match (json, stay.follow) {
        (true, _) => {}
        (false, true) => note(&format!("{} {}", job.kind.word(), job.id)),
        (false, false) => output::line(env, shown)?,
    }
    if stay.follow && !json {
        follow(env, job, Tail::All, &interrupt, &mut LogWriter::new(env, false))?;
    }
    let view = wait_for(env, job, None, &interrupt)?;
    let failure = (view.outcome != Some(Outcome::Succeeded)).then(|| ended_badly(job, &view, !stay.follow));
    if json {
        output::json(&stayed(&view, &answer, failure.as_ref())?)?;
    }
    if let Some(failure) = failure {
        output::failure(env, &failure);
    }
    Ok(view.wait_code())
}

/// The job, what was answered when it was started, and whether and why it is no success.
fn stayed(view: &View, answer: &Value, failure: Option<&Failure>) -> Result<Value> {
    let mut document = serde_json::to_value(view)?;
    if let (Some(document), Some(answer)) = (document.as_object_mut(), answer.as_object()) {
        document.extend(answer.clone());
        document.insert("success".into(), json!(failure.is_none()));
        if let Some(failure) = failure {
            document.insert("error".into(), output::failure_document(failure)["error"].take());
        }
    }
    Ok(document)
}

/// Why a job is no success, with the end of its log where nobody has seen it.
fn ended_badly(job: &Job, view: &View, show_log: bool) -> Failure {
    let noun = job.kind.noun();
    let subject = match (job.kind, &view.name) {
        (Kind::Build, Some(name)) => format!("could not build image {name:?}"),
        (_, Some(name)) => format!("run {name:?} ({}) did not succeed", view.id),
        _ => format!("{} {} did not succeed", job.kind.word(), view.id),
    };
    let outcome = view.outcome.map_or("running", Outcome::word);
    let code = view.exit_code.map(|code| format!(" with status {code}")).unwrap_or_default();
    let reason = view.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let failure = Failure::new(ErrorKind::Failed, format!("{subject}: {outcome}{code}{reason}"));
    let tail = if show_log { last_lines(job) } else { String::new() };
    failure.detail(tail).hint(format!("see the log with: longshore {noun} logs {}", view.id))
}

fn last_lines(job: &Job) -> String {
    let read = || -> std::io::Result<String> {
        let lines = log::so_far(log::open(job)?, Tail::Lines(10))?;
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::Read::take(lines, 8192), &mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}

/// Waits until a job has ended for certain.
fn wait_for(env: &Env, job: &Job, deadline: Option<Instant>, interrupt: &Interrupt) -> Result<View> {
    let mut pause = Duration::from_millis(1);
    loop {
        if job.has_ended() {
            let view = view(env, job);
            if !view.is_running() {
                return still_known(job, view);
            }
            // Nobody holds its locks, and its container goes on: its supervisor and its client were killed.
            pause = Duration::from_millis(500);
        }
        interrupt.check(job)?;
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            let message = format!("{} {} is still running", job.kind.word(), job.id);
            return Err(Failure::new(ErrorKind::Timeout, message).into());
        }
        sleep(pause.min(left.unwrap_or(pause)));
        pause = (pause * 2).min(LOOK.max(pause));
    }
}

/// A job that somebody forgets goes away when it ends, and its end with it.
fn still_known(job: &Job, view: View) -> Result<View> {
    if (view.recovered || view.outcome == Some(Outcome::Corrupt)) && job.is_removed() {
        let message = format!("{} {} was forgotten before it ended", job.kind.word(), job.id);
        return Err(Failure::new(ErrorKind::NotFound, message).into());
    }
    Ok(view)
}

/// `wait`
pub fn wait(env: &Env, json: bool, kind: Kind, args: &Wait) -> Result<u8> {
    let deadline = args.timeout.map(|timeout| Instant::now() + timeout);
    let interrupt = Interrupt::listen()?;
    if args.any {
        let jobs = args.jobs.iter().map(|typed| Ok(find(env, kind, typed)?.1)).collect::<Result<Vec<Job>>>()?;
        let view = wait_for_any(env, &jobs, deadline, &interrupt)?;
        if json {
            output::json(&view)?;
        } else {
            output::line(env, view.id.as_str())?;
        }
        return Ok(view.wait_code());
    }
    let [one] = &args.jobs[..] else { return wait_for_each(env, json, kind, args, deadline, &interrupt) };
    let view = wait_for(env, &find(env, kind, one)?.1, deadline, &interrupt)?;
    if json {
        output::json(&view)?;
    } else if let Some(reason) = view.reason.as_ref().filter(|_| view.outcome != Some(Outcome::Succeeded)) {
        note(&format!("note: {}: {reason}", view.outcome.map_or("", Outcome::word)));
    }
    Ok(view.wait_code())
}

/// Waits for all that there are. What is no job is told before the waiting begins.
fn wait_for_each(
    env: &Env,
    json: bool,
    kind: Kind,
    args: &Wait,
    deadline: Option<Instant>,
    interrupt: &Interrupt,
) -> Result<u8> {
    let failed = |error: &anyhow::Error| {
        let failure = Failure::of(error);
        output::failure(env, &failure);
        output::failure_document(&failure)
    };
    let find = |typed: &String| find(env, kind, typed).map(|(_, job)| job).map_err(|error| failed(&error));
    let jobs: Vec<Result<Job, Value>> = args.jobs.iter().map(find).collect();
    let mut rows = Vec::new();
    let mut all_good = true;
    for job in jobs {
        let ended = job.map(|job| wait_for(env, &job, deadline, interrupt));
        let row = match ended {
            Ok(Ok(view)) => {
                if !json {
                    output::line(env, &format!("{} {}", view.id, view.wait_code()))?;
                }
                all_good &= view.wait_code() == 0;
                serde_json::to_value(view)?
            }
            Ok(Err(error)) if Failure::of(&error).kind != ErrorKind::NotFound => return Err(error),
            Ok(Err(error)) => {
                all_good = false;
                failed(&error)
            }
            Err(document) => {
                all_good = false;
                document
            }
        };
        rows.push(row);
    }
    if json {
        output::json(&rows)?;
    }
    Ok(u8::from(!all_good))
}

fn wait_for_any(env: &Env, jobs: &[Job], deadline: Option<Instant>, interrupt: &Interrupt) -> Result<View> {
    loop {
        for job in jobs {
            let now = Some(Instant::now());
            match wait_for(env, job, now, interrupt) {
                Err(error) if Failure::of(&error).kind == ErrorKind::Timeout => {}
                other => return other,
            }
        }
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            let message = format!("all of {} jobs are still running", jobs.len());
            return Err(Failure::new(ErrorKind::Timeout, message).into());
        }
        sleep(LOOK);
    }
}

/// `logs`
pub fn logs(env: &Env, json: bool, job: &Job, how: &LogFlags) -> Result<u8> {
    if how.follow {
        return follow_log(env, json, job, how);
    }
    let could_not = || format!("could not read the log of {}", job.id);
    let file = match engine_copy(env, job) {
        Some(file) => file,
        None => log::open(job).with_context(could_not)?,
    };
    let mut file = log::so_far(file, how.tail).with_context(could_not)?;
    if json {
        let mut out = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
        out.write_all(b"{\"lines\": [")?;
        log::json_items(file, &mut out)?;
        out.write_all(b"]}\n")?;
        out.flush()?;
    } else {
        let mut out = LogWriter::new(env, how.raw);
        match &mut out {
            // Straight from file to stdout; the kernel copies.
            LogWriter::Raw(stdout) => std::io::copy(&mut file, &mut stdout.lock())?,
            LogWriter::Safe(escaper) => std::io::copy(&mut file, escaper)?,
        };
        out.finish()?;
    }
    Ok(0)
}

fn follow_log(env: &Env, json: bool, job: &Job, how: &LogFlags) -> Result<u8> {
    let interrupt = Interrupt::listen()?;
    if json {
        let mut rows = JsonRows::default();
        let followed = follow(env, job, how.tail, &interrupt, &mut rows);
        // What comes after it, be it the document of a failure, begins a line of its own.
        rows.finish()?;
        followed?;
    } else {
        let mut out = LogWriter::new(env, how.raw);
        follow(env, job, how.tail, &interrupt, &mut out)?;
        out.finish()?;
    }
    if how.exit_code { Ok(wait_for(env, job, None, &interrupt)?.wait_code()) } else { Ok(0) }
}

/// Hands on a log while it grows, to its very end.
fn follow(env: &Env, job: &Job, tail: Tail, interrupt: &Interrupt, out: &mut impl Write) -> Result<()> {
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
        interrupt.check(job)?;
        check_reader()?;
        // Asked before the last look at the file: what was written before the end is then there to be seen.
        ended = job.has_ended();
        if !ended {
            sleep(LOOK);
        }
    }
    if view(env, job).is_running() {
        note("note: the job's supervisor and docker client were killed; following the engine's own log");
        return follow_engine(env, job, follower.position(), interrupt, out);
    }
    if !follower.change_over(job)? {
        note("note: the docker client was killed; this is the whole log again, as the engine kept it");
    }
    while follower.advance(out)? > 0 {}
    Ok(out.flush()?)
}

/// A reader that has gone would be noticed only with the next output, and a job may be silent for days.
fn check_reader() -> std::io::Result<()> {
    if output::stdout_is_closed() { Err(std::io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
}

/// The log of a run whose client was killed and whose supervisor cannot fetch it again any more, as the engine has it.
fn engine_copy(env: &Env, job: &Job) -> Option<std::fs::File> {
    if job.kind == Kind::Build || job.dir.has(EXIT) || !job.has_ended() {
        return None;
    }
    let (engine, _) = engine_of(env, job)?;
    let container = engine.container_of(&job.id).ok()??;
    let copy = ending::fetch_unnamed(job, &engine, &container.state.id).ok()?;
    let ours = log::open(job).ok()?.metadata().ok()?.len();
    (copy.metadata().ok()?.len() >= ours).then_some(copy)
}

fn engine_of(env: &Env, job: &Job) -> Option<(Engine, Record)> {
    let record = job.record().ok()?;
    Some((env.engine_of(&record.docker, &record.endpoint), record))
}

/// Goes on with the engine's log where ours ends.
fn follow_engine(env: &Env, job: &Job, shown: u64, interrupt: &Interrupt, out: &mut impl Write) -> Result<()> {
    let Some((engine, _)) = engine_of(env, job) else { return Ok(()) };
    let mut skip = shown;
    loop {
        let Some(mut copy) = engine_copy(env, job) else { return Ok(()) };
        std::io::Seek::seek(&mut copy, std::io::SeekFrom::Start(skip))?;
        skip += std::io::copy(&mut copy, out)?;
        out.flush()?;
        interrupt.check(job)?;
        check_reader()?;
        if !view(env, job).is_running() {
            let Some(mut copy) = engine_copy(env, job) else { return Ok(()) };
            std::io::Seek::seek(&mut copy, std::io::SeekFrom::Start(skip))?;
            std::io::copy(&mut copy, out)?;
            return Ok(out.flush()?);
        }
        // The container may run for days: ask the engine to tell, rather than fetching the log over and over.
        let _ = engine.run(&argv::wait(&argv::container_name(&job.id)), Duration::from_secs(2).min(PATIENCE));
    }
}

/// One JSON object a line for each line of a log, on stdout.
pub struct JsonRows(JsonLines);

impl Default for JsonRows {
    fn default() -> Self {
        Self(JsonLines::rows())
    }
}

impl JsonRows {
    /// Gives a last line that has no newline.
    pub fn finish(mut self) -> std::io::Result<()> {
        self.0.finish(&mut std::io::stdout().lock())
    }
}

impl Write for JsonRows {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut rows = Vec::new();
        self.0.push(bytes, &mut rows)?;
        std::io::stdout().lock().write_all(&rows)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stdout().lock().flush()
    }
}

/// `builds` and `exec list`
pub fn list(env: &Env, json: bool, kind: Kind, args: &JobList) -> Result<u8> {
    let filters = Filters::parse(&args.filters, &args.statuses)?;
    let store = Store::open(env, kind)?;
    let mut views = match &store {
        Some(store) => views(env, kind, store.all()?),
        None => Vec::new(),
    };
    views.retain(|view| filters.accept(view));
    views.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
    views.truncate(args.last.unwrap_or(usize::MAX));
    if args.quiet && !json {
        for view in &views {
            output::line(env, view.id.as_str())?;
        }
        return Ok(0);
    }
    if json {
        output::json(&views)?;
        return Ok(0);
    }
    let header = match kind {
        Kind::Build => ["ID", "IMAGE", "STATUS", "CREATED", "TOOK", "BASE", "LABELS"],
        Kind::Run => ["ID", "NAME", "STATUS", "CREATED", "TOOK", "IMAGE", "COMMAND"],
    };
    let rows: Vec<Vec<String>> = views.iter().map(|view| row(env, kind, view)).collect();
    output::table(env, &header, &rows, args.no_trunc)?;
    Ok(0)
}

fn row(env: &Env, kind: Kind, view: &View) -> Vec<String> {
    let took = view.started.map(|started| view.finished.unwrap_or_else(|| env.now()) - started);
    let took = took.and_then(|took| took.to_std().ok()).map(|took| Duration::from_secs(took.as_secs()));
    let labels: Vec<String> = view.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    vec![
        view.id.to_string(),
        view.name.clone().unwrap_or_default(),
        status(view),
        output::ago(env, view.created),
        took.map(crate::units::show_duration).unwrap_or_default(),
        view.image.clone().unwrap_or_default(),
        if kind == Kind::Build { labels.join(",") } else { view.command.join(" ") },
    ]
}

/// The status in a few words: `running`, `succeeded`, `failed (7)`, `lost`.
pub fn status(view: &View) -> String {
    match (view.outcome, view.exit_code) {
        (None, _) => match &view.reason {
            Some(reason) => format!("running ({reason})"),
            None => "running".into(),
        },
        (Some(outcome @ (Outcome::Failed | Outcome::Cancelled)), Some(code)) => format!("{} ({code})", outcome.word()),
        (Some(outcome), _) => outcome.word().into(),
    }
}

/// `forget`
pub fn forget(env: &Env, json: bool, kind: Kind, args: &Forget) -> Result<u8> {
    for_each(env, json, &args.jobs, |typed| {
        let (store, job) = find(env, kind, typed)?;
        remove_abandoned_container(env, &job);
        store.forget(&job)?;
        store.sweep();
        Ok(job.id.to_string())
    })
}

/// A run that nobody finished any more has left its container behind, and one whose output could not be saved whole has
/// kept it as the last copy. One that still runs is left alone, and what its supervisor cleans up is left to it.
fn remove_abandoned_container(env: &Env, job: &Job) {
    let clean = job.dir.has(EXIT) && !job.dir.has(CONTROL);
    if clean || job.is_supervised() || !job.has_ended() || job.kind == Kind::Build {
        return;
    }
    let Some((engine, record)) = engine_of(env, job) else { return };
    let keep = matches!(&record.work, Work::Run(run) if run.keep);
    let Ok(Some(container)) = engine.container_of(&job.id) else { return };
    let removed =
        !keep && engine.run(&argv::remove(&container.state.id), PATIENCE).is_ok_and(|output| output.status.success());
    if !removed {
        note(&format!("note: its container {} goes on", argv::container_name(&job.id)));
    }
}

/// Does all of them: each success on stdout, each failure on stderr, 1 if any failed.
pub fn for_each(env: &Env, json: bool, typed: &[String], mut each: impl FnMut(&str) -> Result<String>) -> Result<u8> {
    if let [one] = typed {
        let done = each(one)?;
        if json {
            output::json(&json!({"success": true, "id": done}))?;
        } else {
            output::line(env, &done)?;
        }
        return Ok(0);
    }
    let mut rows = Vec::new();
    let mut failed = false;
    for one in typed {
        match each(one) {
            Ok(done) if json => rows.push(json!({"success": true, "id": done})),
            Ok(done) => output::line(env, &done)?,
            Err(error) => {
                failed = true;
                let failure = Failure::of(&error);
                output::failure(env, &failure);
                rows.push(output::failure_document(&failure));
            }
        }
    }
    if json {
        output::json(&rows)?;
    }
    Ok(u8::from(failed))
}
