//! Runs on an engine that does not see the caller's files. A container is created, filled through `docker cp`, and started.
//! At its end the output is copied back. All of it stays in the container until that has succeeded.
//!
//! Each step can be repeated, except one: a container that has ended would run again if it was started a second time. So only
//! the supervisor that filled it starts it.

use std::io::{self, PipeReader, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::copies::{Content, Shelf, Volume};
use super::local::{self, Call, call};
use super::receive::{NotFetched, receive};
use super::{Started, Values, cache};
use crate::engine::argv::{self, container_name};
use crate::engine::copying::{CopyError, Heed};
use crate::engine::inspect::Phase as State;
use crate::engine::{Engine, EngineError};
use crate::env::Env;
use crate::error::{Failure, Kind};
use crate::fault;
use crate::job::moved::{MOVING, Moved, Notes, Phase, SHIPPED};
use crate::job::record::{Begun, Record, Run, Ship};
use crate::job::{Job, LOG};
use crate::names::{INPUT_TARGET, MountPath, OUTPUT_TARGET, SOURCE_TARGET, When};
use crate::transfer::{Pack, Scan, Tree, unpack};
use crate::units::show_bytes_binary;

/// Pause between two looks for a request to end the run while it is shipped.
const ASKED: Duration = Duration::from_millis(200);
/// How often files are copied before that has failed, and the pause between.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);
/// The start of a container may take so many times the time limit of a question.
const STARTING: u32 = 6;
/// From how many bytes on files are kept on the engine for the next run.
const WORTH_KEEPING: u64 = 4 << 20;

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
        let cargo = Self::scan(run, ship.git)?;
        let bytes = cargo.bytes();
        if bytes > ship.limit {
            let (size, limit) = (show_bytes_binary(bytes), show_bytes_binary(ship.limit));
            let message = format!("the files to copy to the engine have {size}, and at most {limit} are allowed");
            let hint = "leave files out with a .longshoreignore, or raise the limit with --ship-limit";
            return Err(Failure::usage(message).hint(hint));
        }
        Ok(cargo)
    }

    /// The same without a limit.
    ///
    /// # Errors
    /// When a directory cannot be read.
    pub fn scan(run: &Run, with_git: bool) -> Result<Self, Failure> {
        let below = [("data", run.input.is_some()), ("output", run.output.is_some())];
        let hidden: Vec<&str> = below.into_iter().filter(|(_, is_mounted)| *is_mounted).map(|(name, _)| name).collect();
        let scan = |root: &MountPath, without: &[&str]| {
            Tree::scan(&Scan { root: Path::new(root.as_str()), ignore: true, with_git, without })
        };
        Ok(Self {
            source: scan(&run.source, &hidden)?,
            input: run.input.as_ref().map(|input| scan(input, &[])).transpose()?,
        })
    }

    /// What is noted when it was copied.
    #[must_use]
    pub fn moved(&self) -> Moved {
        let entries = self.trees().map(|tree| tree.entries() as u64).sum();
        Moved { entries, bytes: self.bytes(), left_out: self.special() }
    }

    /// Writes source and input as an archive, at their places in the container.
    ///
    /// # Errors
    /// When it cannot be written, or a file was changed meanwhile.
    pub fn pack_files(&self, to: &mut dyn Write) -> io::Result<()> {
        let mut archive = Pack::new(to);
        self.put(&Provided::default(), &mut archive)?;
        archive.finish().map(drop)
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

/// The `docker create` of a recorded run, as far as it is known before the files are looked at.
pub fn create(record: &Record, values: &Values) -> Result<Call> {
    created(record, values, &Provided::default())
}

/// Volumes of the engine that have the files already.
#[derive(Debug, Default)]
struct Provided {
    source: Option<Volume>,
    input: Option<Volume>,
}

fn created(record: &Record, values: &Values, provided: &Provided) -> Result<Call> {
    let run = record.run().context("it is not a run")?;
    // A volume is quicker to fill than the layer of a container.
    let empty = |target: &str| format!("type=volume,target={target}");
    let kept = |volume: &Volume, target: &str| {
        format!("type=volume,source={},target={target},readonly,volume-nocopy", volume.name)
    };
    let source = provided.source.as_ref().map(|volume| kept(volume, SOURCE_TARGET));
    let input = provided.input.as_ref().map(|volume| kept(volume, INPUT_TARGET));
    let input = run.input.as_ref().map(|_| input.unwrap_or_else(|| empty(INPUT_TARGET)));
    let output = run.output.as_ref().map(|_| empty(OUTPUT_TARGET));
    call(record, values, Some([source, input, output].into_iter().flatten().collect()))
}

pub fn start(engine: &Engine, env: &Env, job: &Job, record: &Record, values: &Values) -> Result<Started> {
    // Values that cannot be passed to docker are refused before anything is done.
    create(record, values)?;
    let begun = local::begin(engine, env, job, None)?;
    fault::point("begun");
    let wanted = || if job.requests().ask_for_end() { Err(CopyError::Stopped) } else { Ok(()) };
    let sent = wanted().and_then(|()| ship(engine, env, job, record, values, &begun));
    let _ = job.dir.remove(MOVING);
    let sent = sent.and_then(|moved| {
        wanted()?;
        job.write_json(SHIPPED, &moved).map_err(CopyError::Ours)
    });
    if let Err(error) = sent {
        // If this fails, the next start removes it, or whoever concludes the run.
        let _ = clear(engine, record);
        return match not_sent(record, error) {
            Some(error) => Err(error),
            None => Ok(Started { client: None, begun }),
        };
    }
    fault::point("shipped");
    begin(engine, job, record);
    Ok(Started { client: None, begun })
}

/// Makes the container of a run, with its files.
fn ship(
    engine: &Engine,
    env: &Env,
    job: &Job,
    record: &Record,
    values: &Values,
    begun: &Begun,
) -> Result<Moved, CopyError<anyhow::Error>> {
    let ours = CopyError::<anyhow::Error>::Ours;
    let run = record.run().context("it is not a run").map_err(ours)?;
    let ship = run.ship.as_ref().context("it is not to be copied").map_err(ours)?;
    let cargo = Cargo::of(run, ship).map_err(|failure| ours(failure.into()))?;
    cache::prepare(engine, env, record, run, begun).map_err(ours)?;
    let mut sending = Sending::new(job, cargo.bytes());
    let shelf = Shelf::open(engine, env, record, begun).map_err(ours)?;
    let mut provided = cargo.provide(&shelf, run, ship, &mut sending)?;
    let call = created(record, values, &provided).map_err(ours)?;
    if let Err(error) = make(engine, &call) {
        // An earlier try may have left a container, which has the name.
        if !clear(engine, record)? {
            return Err(error);
        }
        make(engine, &call)?;
    }
    // Now the container keeps the volumes. If another process has removed one before, docker has made an empty one.
    let are_there = provided.volumes().all(|volume| shelf.has(volume).unwrap_or(false));
    if !are_there {
        clear(engine, record)?;
        provided = Provided::default();
        make(engine, &created(record, values, &provided).map_err(ours)?)?;
    }
    fault::point("container-created");
    sending.send(engine, &container_name(&record.id), &|to| cargo.pack(run, &provided, to)).map_err(CopyError::ours)?;
    Ok(cargo.moved())
}

fn make(engine: &Engine, call: &Call) -> Result<(), CopyError<anyhow::Error>> {
    let stdin = call.stdin.clone().map(String::into_bytes);
    let output = engine.run_as(&call.args, engine.patience * STARTING, stdin, call.environment.clone());
    let output = output.map_err(CopyError::Engine)?;
    if output.status.success() { Ok(()) } else { Err(CopyError::Engine(engine.explain(&call.args, &output))) }
}

impl Provided {
    fn volumes(&self) -> impl Iterator<Item = &Volume> {
        self.source.iter().chain(&self.input)
    }
}

impl Cargo {
    /// The volumes for what is worth it, made if they are missing.
    fn provide(
        &self,
        shelf: &Shelf,
        run: &Run,
        ship: &Ship,
        sending: &mut Sending,
    ) -> Result<Provided, CopyError<anyhow::Error>> {
        let is_worth_it = |tree: &&Tree| match ship.cache {
            When::Always => true,
            When::Never => false,
            When::Auto => tree.bytes() >= WORTH_KEEPING,
        };
        let points = [run.input.as_ref().map(|_| "data"), run.output.as_ref().map(|_| "output")];
        let points: Vec<&str> = points.into_iter().flatten().collect();
        let source = Some(&self.source).filter(is_worth_it).map(|tree| Content { tree, points: &points });
        let input = self.input.as_ref().filter(is_worth_it).map(|tree| Content { tree, points: &[] });
        let mut provide = |content: Option<Content>| match content {
            Some(content) => shelf.provide(content, sending),
            None => Ok(None),
        };
        Ok(Provided { source: provide(source)?, input: provide(input)? })
    }

    /// Writes what the container itself gets: files that no volume has, and the directories that docker would make as root.
    fn pack(&self, run: &Run, provided: &Provided, to: &mut dyn Write) -> io::Result<()> {
        let mut archive = Pack::new(to);
        self.put(provided, &mut archive)?;
        if let Some(output) = &run.output {
            let data = std::fs::metadata(output.as_str())?;
            archive.directory(in_archive(OUTPUT_TARGET), data.mode() & 0o777, data.uid(), data.gid())?;
        }
        archive.finish().map(drop)
    }

    fn put<W: Write>(&self, provided: &Provided, archive: &mut Pack<W>) -> io::Result<()> {
        if provided.source.is_none() {
            self.source.pack_whole(in_archive(SOURCE_TARGET), archive)?;
        }
        match self.input.as_ref().filter(|_| provided.input.is_none()) {
            Some(input) => input.pack_whole(in_archive(INPUT_TARGET), archive),
            None => Ok(()),
        }
    }
}

/// Removes the container that an earlier try has left, which was never started. Returns whether there was one.
///
/// # Errors
/// When the engine does not answer, or the container was started.
pub fn clear(engine: &Engine, record: &Record) -> Result<bool, CopyError<anyhow::Error>> {
    let found = engine.container_of(&record.id, None).map_err(CopyError::Engine)?;
    match found.map(|container| container.state) {
        Some(state) if state.phase == State::Created => {
            engine.read(&argv::remove(&state.id)).map(|_| true).map_err(CopyError::Engine)
        }
        Some(_) => Err(CopyError::Ours(Failure::new(Kind::Conflict, "its container was started before").into())),
        None => Ok(false),
    }
}

/// Starts the container. Whether it was started is found out by looking at it: a call that failed may have been carried out.
/// What docker says is in the log, as after `docker run`.
fn begin(engine: &Engine, job: &Job, record: &Record) {
    let args = argv::start(&container_name(&record.id));
    if let Ok(output) = engine.run(&args, engine.patience * STARTING)
        && !output.status.success()
    {
        let words = String::from_utf8_lossy(&output.stderr);
        let words = words.lines().find(|line| line.starts_with("Error response from daemon")).unwrap_or(&words);
        // Also without these words, the container says why it was not started.
        let _ = job.dir.append(LOG).and_then(|mut log| writeln!(log, "docker: {}", words.trim_end()));
    }
}

fn not_sent(record: &Record, error: CopyError<anyhow::Error>) -> Option<anyhow::Error> {
    let could_not = format!("could not copy the files of run {} to the engine", record.id);
    match error {
        CopyError::Engine(error) => Some(error.failure(&could_not).into()),
        CopyError::Ours(error) => Some(Failure::of(&error).because(&could_not).into()),
        CopyError::Stopped => None,
    }
}

/// Sends files to an engine, and notes how far that is. A request to end the run stops it.
pub struct Sending<'a> {
    job: &'a Job,
    notes: Notes<'a>,
    /// The bytes of archives that were sent before.
    sent: u64,
}

impl<'a> Sending<'a> {
    fn new(job: &'a Job, total: u64) -> Self {
        Self { job, notes: Notes::new(job, Phase::Shipping, Some(total)), sent: 0 }
    }

    /// Whether the run was not asked to end.
    pub fn is_wanted(&self) -> bool {
        !self.job.requests().ask_for_end()
    }

    /// Sends an archive, and sends it again if that broke in the middle.
    pub fn send(
        &mut self,
        engine: &Engine,
        container: &str,
        pack: &(impl Fn(&mut dyn Write) -> io::Result<()> + Sync),
    ) -> Result<(), CopyError<io::Error>> {
        let mut sent = self.try_send(engine, container, pack);
        for _ in 1..TRIES {
            if !matches!(sent, Err(CopyError::Engine(EngineError::Failed { .. }))) {
                break;
            }
            std::thread::sleep(PAUSE);
            sent = self.try_send(engine, container, pack);
        }
        self.sent += sent?;
        Ok(())
    }

    fn try_send(
        &mut self,
        engine: &Engine,
        container: &str,
        pack: &(impl Fn(&mut dyn Write) -> io::Result<()> + Sync),
    ) -> Result<u64, CopyError<io::Error>> {
        let mut asked = Instant::now();
        let mut heed = |bytes: u64| {
            self.notes.note(self.sent + bytes);
            if asked.elapsed() < ASKED {
                return true;
            }
            asked = Instant::now();
            !self.job.requests().ask_for_end()
        };
        engine.copy_in(container, |to| pack(to), &mut heed)
    }
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

/// Copies the output of a container that has ended into a directory of the caller, as [`receive`].
pub fn fetch(
    engine: &Engine,
    record: &Record,
    container: &str,
    output: &Path,
    heed: &mut Heed,
) -> Result<Moved, NotFetched> {
    let name = Path::new(OUTPUT_TARGET).file_name().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
    receive(record, output, |part, limits| {
        let read = |from: &mut dyn io::Read| unpack(from, name, part, limits, &mut |_| Ok(()));
        engine.copy_out(container, OUTPUT_TARGET, read, heed)
    })
}
