//! Runs on an engine that does not see the caller's files. A container is created, filled through `docker cp`, and started.
//! At its end the output is copied back. All of it stays in the container until that has succeeded.
//!
//! Each step can be repeated, except one: a container that has ended would run again if it was started a second time. So only
//! the supervisor that filled it starts it.

use std::io::{self, PipeReader, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::local::{self, Call, call};
use super::{Started, Values, cache};
use crate::engine::argv::{self, container_name};
use crate::engine::copying::{CopyError, Heed};
use crate::engine::inspect::Phase as State;
use crate::engine::{Engine, EngineError};
use crate::env::Env;
use crate::error::{Failure, Kind, plain};
use crate::fault;
use crate::job::moved::{MOVING, Moved, Notes, Phase, SHIPPED};
use crate::job::record::{Record, Run, Ship, UNFETCHED};
use crate::job::{Job, LOG};
use crate::names::{INPUT_TARGET, MountPath, OUTPUT_TARGET, SOURCE_TARGET};
use crate::transfer::{Limits, Pack, Scan, Tree, Why, place, unpack};
use crate::units::show_bytes_binary;

/// Pause between two looks for a request to end the run while it is shipped.
const ASKED: Duration = Duration::from_millis(200);
/// How often files are copied before that has failed, and the pause between.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);
/// The start of a container may take so many times the time limit of a question.
const STARTING: u32 = 6;
/// The most files and directories of an output.
pub const MOST_ENTRIES: u64 = 10_000_000;

/// What a run ships.
#[derive(Debug)]
pub struct Cargo {
    source: Tree,
    input: Option<Tree>,
}

impl Cargo {
    /// Looks through the directories of a run.
    ///
    /// # Errors
    /// When one cannot be read, or they have more than the run may ship.
    pub fn of(run: &Run, ship: &Ship) -> Result<Self, Failure> {
        let below = [("data", run.input.is_some()), ("output", run.output.is_some())];
        let hidden: Vec<&str> = below.into_iter().filter(|(_, is_mounted)| *is_mounted).map(|(name, _)| name).collect();
        let scan = |root: &MountPath, without: &[&str]| {
            Tree::scan(&Scan { root: Path::new(root.as_str()), ignore: true, with_git: ship.git, without })
        };
        let cargo = Self {
            source: scan(&run.source, &hidden)?,
            input: run.input.as_ref().map(|input| scan(input, &[])).transpose()?,
        };
        let bytes = cargo.bytes();
        if bytes > ship.limit {
            let (size, limit) = (show_bytes_binary(bytes), show_bytes_binary(ship.limit));
            let message = format!("the files to copy to the engine have {size}, and at most {limit} are allowed");
            let hint = "leave files out with a .longshoreignore, or raise the limit with --ship-limit";
            return Err(Failure::usage(message).hint(hint));
        }
        Ok(cargo)
    }

    fn trees(&self) -> impl Iterator<Item = &Tree> {
        std::iter::once(&self.source).chain(&self.input)
    }

    /// The bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.trees().map(Tree::bytes).sum()
    }

    /// How many files there are.
    #[must_use]
    pub fn files(&self) -> usize {
        self.trees().map(Tree::files).sum()
    }

    /// How many entries are left out on request, without what is below them.
    #[must_use]
    pub fn ignored(&self) -> usize {
        self.trees().map(Tree::ignored).sum()
    }

    /// The sockets, devices and pipes, which are not copied.
    #[must_use]
    pub fn special(&self) -> Vec<String> {
        self.trees().flat_map(Tree::special).cloned().collect()
    }
}

/// The `docker create` of a recorded run.
pub fn create(record: &Record, values: &Values) -> Result<Call> {
    let run = record.run().context("it is not a run")?;
    // A volume is quicker to fill than the layer of a container.
    let volume = |target: &str| format!("type=volume,target={target}");
    let mounts = [run.input.as_ref().map(|_| volume(INPUT_TARGET)), run.output.as_ref().map(|_| volume(OUTPUT_TARGET))];
    call(record, values, Some(mounts.into_iter().flatten().collect()))
}

pub fn start(engine: &Engine, env: &Env, job: &Job, record: &Record, values: &Values) -> Result<Started> {
    let run = record.run().context("it is not a run")?;
    let ship = run.ship.as_ref().context("it is not to be copied")?;
    let call = create(record, values)?;
    let begun = local::begin(engine, env, job, None)?;
    fault::point("begun");
    let never = |begun| Ok(Started { client: None, begun });
    if job.requests().ask_for_end() {
        return never(begun);
    }
    let cargo = Cargo::of(run, ship)?;
    cache::prepare(engine, env, record, run, &begun)?;
    clear(engine, record)?;
    let could_not = format!("could not create the container of run {}", record.id);
    let output =
        engine.run_as(&call.args, engine.patience * STARTING, call.stdin.map(String::into_bytes), call.environment);
    let output = output.map_err(|error| error.failure(&could_not))?;
    if !output.status.success() {
        return Err(engine.explain(&call.args, &output).failure(&could_not).into());
    }
    fault::point("created");
    let sent = send_surely(engine, job, record, run, &cargo);
    let _ = job.dir.remove(MOVING);
    match sent {
        Ok(shipped) => job.write_json(SHIPPED, &shipped)?,
        Err(error) => {
            // The next start removes it, if this fails.
            let _ = local::remove(engine, &container_name(&record.id));
            return match not_sent(&record.id.to_string(), error) {
                Some(failure) => Err(failure.into()),
                None => never(begun),
            };
        }
    }
    fault::point("shipped");
    if job.requests().ask_for_end() {
        let _ = local::remove(engine, &container_name(&record.id));
        return never(begun);
    }
    begin(engine, job, record)?;
    Ok(Started { client: None, begun })
}

/// Removes the container that an earlier try has left. It was never started.
fn clear(engine: &Engine, record: &Record) -> Result<(), Failure> {
    let could_not = format!("could not make room for the container of run {}", record.id);
    let found = engine.container_of(&record.id, None).map_err(|error| error.failure(&could_not))?;
    match found.map(|container| container.state) {
        Some(state) if state.phase == State::Created => {
            let args = argv::remove(&state.id);
            engine.read(&args).map(drop).map_err(|error| error.failure(&could_not))
        }
        Some(_) => Err(Failure::new(Kind::Conflict, format!("{could_not}: it was started before"))),
        None => Ok(()),
    }
}

/// Starts the container. Whether it was started is found out by looking at it: a call that failed may have been carried out.
/// What docker says is in the log, as after `docker run`.
fn begin(engine: &Engine, job: &Job, record: &Record) -> Result<()> {
    let args = argv::start(&container_name(&record.id));
    if let Ok(output) = engine.run(&args, engine.patience * STARTING)
        && !output.status.success()
    {
        let words = String::from_utf8_lossy(&output.stderr);
        let words = words.lines().find(|line| line.starts_with("Error response from daemon")).unwrap_or(&words);
        let mut log = job.dir.append(LOG)?;
        writeln!(log, "docker: {}", words.trim_end())?;
    }
    Ok(())
}

fn not_sent(id: &str, error: CopyError<io::Error>) -> Option<Failure> {
    let could_not = format!("could not copy the files of run {id} to the engine");
    match error {
        CopyError::Engine(error) => Some(error.failure(&could_not)),
        CopyError::Ours(error) => Some(Failure::new(Kind::Failed, format!("{could_not}: {}", plain(&error)))),
        CopyError::Stopped => None,
    }
}

/// Copies the files again if that broke in the middle.
fn send_surely(
    engine: &Engine,
    job: &Job,
    record: &Record,
    run: &Run,
    cargo: &Cargo,
) -> Result<Moved, CopyError<io::Error>> {
    let mut sent = send(engine, job, record, run, cargo);
    for _ in 1..TRIES {
        if !matches!(sent, Err(CopyError::Engine(EngineError::Failed { .. }))) {
            break;
        }
        std::thread::sleep(PAUSE);
        sent = send(engine, job, record, run, cargo);
    }
    sent
}

/// Copies the files into the container, with the directories that docker would make as root.
fn send(engine: &Engine, job: &Job, record: &Record, run: &Run, cargo: &Cargo) -> Result<Moved, CopyError<io::Error>> {
    let mut notes = Notes::new(job, Phase::Shipping, Some(cargo.bytes()));
    let write = |to: &mut dyn Write| {
        let mut archive = Pack::new(to);
        let mut progress = |_: u64| Ok(());
        let mut put = |tree: &Tree, at: &str| {
            let (mode, uid, gid) = tree.top();
            archive.directory(in_archive(at), mode, uid, gid)?;
            tree.pack(in_archive(at), &mut archive, &mut progress)
        };
        put(&cargo.source, SOURCE_TARGET)?;
        cargo.input.as_ref().map_or(Ok(()), |input| put(input, INPUT_TARGET))?;
        if let Some(output) = &run.output {
            let data = std::fs::metadata(output.as_str())?;
            archive.directory(in_archive(OUTPUT_TARGET), data.mode() & 0o777, data.uid(), data.gid())?;
        }
        archive.finish().map(drop)
    };
    let mut asked = Instant::now();
    let mut heed = |bytes: u64| {
        notes.note(bytes);
        if asked.elapsed() < ASKED {
            return true;
        }
        asked = Instant::now();
        !job.requests().ask_for_end()
    };
    engine.copy_in(&container_name(&record.id), write, &mut heed)?;
    let entries = cargo.trees().map(|tree| tree.entries() as u64).sum();
    Ok(Moved { entries, bytes: cargo.bytes(), left_out: cargo.special() })
}

/// A path of the container as the name of an entry.
fn in_archive(path: &str) -> &str {
    path.trim_start_matches('/')
}

/// What a call writes, both streams in the engine's order.
pub fn follow(engine: &Engine, args: &[String]) -> io::Result<(Child, PipeReader)> {
    use std::os::unix::process::CommandExt as _;
    let (reader, writer) = io::pipe()?;
    let mut command = engine.command(args);
    command.stdout(writer.try_clone()?).stderr(writer).current_dir("/").process_group(0);
    Ok((command.spawn()?, reader))
}

/// Why an output was not fetched.
#[derive(Debug)]
pub enum NotFetched {
    /// The engine does not answer, or the line broke: it can be tried again.
    Away(Failure),
    /// It broke in the middle, and the engine answers: it may succeed at another try.
    Cut(Failure),
    /// It would fail again.
    Failed(Failure),
    /// The caller did not want it any more.
    Stopped,
}

/// Copies the output of a container that has ended into a directory of the caller: whole or not at all. `heed` is told the
/// bytes so far, and says whether to continue.
pub fn fetch(
    engine: &Engine,
    record: &Record,
    container: &str,
    output: &Path,
    heed: &mut Heed,
) -> Result<Moved, NotFetched> {
    let could_not = format!("{UNFETCHED} {}", record.id);
    let failed = |why: &str| NotFetched::Failed(Failure::new(Kind::Failed, format!("{could_not}: {why}")));
    let at = |path: &Path, error: &io::Error| failed(&format!("{}: {}", path.display(), plain(error)));
    let part = Part::make(output, &record.id.to_string()).map_err(|error| at(output, &error))?;
    let limits = Limits { bytes: room(output), entries: MOST_ENTRIES };
    let name = Path::new(OUTPUT_TARGET).file_name().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
    let read = |from: &mut dyn io::Read| unpack(from, name, &part.0, &limits, &mut |_| Ok(()));
    let unpacked = engine.copy_out(container, OUTPUT_TARGET, read, heed).map_err(|error| match error {
        CopyError::Engine(error @ (EngineError::Unreachable { .. } | EngineError::TimedOut { .. })) => {
            NotFetched::Away(error.failure(&could_not))
        }
        CopyError::Engine(error) => NotFetched::Cut(error.failure(&could_not)),
        CopyError::Ours(refused) if refused.why == Why::Cut => {
            NotFetched::Cut(Failure::new(Kind::EngineFailed, format!("{could_not}: {refused}")))
        }
        CopyError::Ours(refused) => failed(&refused.to_string()),
        CopyError::Stopped => NotFetched::Stopped,
    })?;
    fault::point("unpacked");
    place(&part.0, output).map_err(|error| failed(&plain(&error)))?;
    fault::point("placed");
    Ok(Moved { entries: unpacked.entries, bytes: unpacked.bytes, left_out: unpacked.left_out })
}

/// How many bytes fit on the disk of a directory.
pub fn room(dir: &Path) -> u64 {
    rustix::fs::statvfs(dir).map_or(u64::MAX, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// The directory for an output that is not complete, in the output directory itself, because only there it can be renamed.
pub struct Part(pub PathBuf);

impl Part {
    /// Makes it. What a killed process has left is removed.
    pub fn make(output: &Path, id: &str) -> io::Result<Self> {
        let path = output.join(format!(".longshore-{id}.part"));
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
