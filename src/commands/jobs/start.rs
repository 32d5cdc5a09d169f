//! Code for the commands that start a job: the common part of the record, publishing, the start of the supervisor,
//! labels, and the id file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread::ScopedJoinHandle;

use anyhow::Result;

use super::{name, turn};
use crate::cli::{IfRunning, Stay};
use crate::engine::Engine;
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind, plain};
use crate::interrupt::Interrupt;
use crate::job::Job;
use crate::job::after::{After, Hook};
use crate::job::points::Making;
use crate::job::record::{FORMAT, Kind, Outcome, Record, Work};
use crate::job::store::Store;
use crate::job::waits::Waits;
use crate::names::{ImageRef, JobId, Label, Parameters};
use crate::output::Voice;
use crate::runner::{Runner, Values};
use crate::stamp::Stamp;
use crate::supervisor::{self, Way};

/// A record with everything that does not depend on the flags. The caller sets name and labels.
pub fn record(env: &Env, engine: &Engine, image: ImageRef, work: Work) -> Record {
    Record {
        format: FORMAT,
        id: Store::new_id(),
        kind: match work {
            Work::Build(_) => Kind::Build,
            Work::Run(_) => Kind::Run,
        },
        name: None,
        created: env.now(),
        image,
        labels: BTreeMap::new(),
        docker: engine.program.clone(),
        endpoint: engine.endpoint.clone(),
        boot_id: env.boot_id(),
        uid: env.uid,
        gid: env.gid,
        user: env.user.clone(),
        host: env.host(),
        rerun_of: None,
        last_took: None,
        waits: Waits::default(),
        group: None,
        parameters: Parameters::default(),
        after: After::default(),
        work,
    }
}

/// The record with what the job waits for and what follows its end. Nothing is changed yet.
///
/// # Errors
/// A usage error in the options of a start.
pub fn followed(env: &Env, how: &Stay, record: Record) -> Result<Record> {
    if how.if_running.is_some() && record.name.is_none() {
        return Err(Failure::usage("--if-running needs a name").hint("give the run a --name").into());
    }
    let waits = turn::waits(env, &how.turn, &record)?;
    let stamp = how.stamp.as_deref().map(Stamp::resolve).transpose()?;
    let on_exit = how.on_exit.as_deref().map(|command| hook(env, command, &record)).transpose()?;
    Ok(Record { waits, after: After { stamp, on_exit, umask: env.umask() }, ..record })
}

/// The command that follows. Variables of the run are left out, because they may be secrets.
fn hook(env: &Env, command: &str, record: &Record) -> Result<Hook, Failure> {
    let unusable = |why: &str| Failure::usage(format!("cannot use the command of --on-exit: {why}"));
    if command.trim().is_empty() {
        return Err(unusable("it is empty"));
    }
    let cwd = env.here().map_err(|error| unusable(&format!("the working directory: {}", plain(&error))))?;
    if cwd.to_str().is_none() {
        return Err(unusable("the path of the working directory is not UTF-8"));
    }
    let mut environment = env.hook_variables();
    let given = record.run().map(|run| &run.env[..]).unwrap_or_default();
    environment.retain(|name, _| given.iter().all(|key| key.as_str() != name));
    Ok(Hook { command: command.to_owned(), cwd, environment })
}

/// What became of a start.
#[derive(Debug)]
pub enum Begun {
    /// The job was started.
    Started(Job),
    /// Nothing was started, as asked, because this job has the name.
    Skipped(Job),
    /// Nothing was started, as asked, because an image is there.
    Needless(Needless),
}

/// An image that need not be built.
#[derive(Debug)]
pub struct Needless {
    /// Why not, in words.
    pub why: String,
    /// The image's id.
    pub id: String,
    /// The build that made it, as its label says.
    pub job: Option<JobId>,
}

/// How often a name may be free and in use in turns before that is an error.
const TURNS: u32 = 1000;

/// Starts a job, once `policy` has made its name free.
pub fn begin(
    env: &Env,
    voice: &Voice,
    record: &mut Record,
    values: &Values,
    policy: IfRunning,
    interrupt: Option<&Interrupt>,
    make: impl for<'s> Fn(&'s Store, &Record) -> Result<Option<Making<'s>>>,
) -> Result<Begun> {
    let store = Store::make(env, record.kind)?;
    if policy == IfRunning::Fail {
        record.last_took = last_took(&store, record);
        return attempt(env, voice, &store, record, values, &make).map(Begun::Started);
    }
    for _ in 0..TURNS {
        if let Some(holder) = name::holder(env, &store, record)? {
            if !name::give_way(env, voice, &store, record, &holder, policy, interrupt)? {
                return Ok(Begun::Skipped(holder));
            }
            continue;
        }
        record.created = env.now();
        record.last_took = last_took(&store, record);
        match attempt(env, voice, &store, record, values, &make) {
            // Another command took the name in this moment.
            Err(error) if Failure::of(&error).kind == ErrorKind::Conflict => {}
            started => return started.map(Begun::Started),
        }
    }
    attempt(env, voice, &store, record, values, &make).map(Begun::Started)
}

/// How long the last job with this name took that succeeded, in seconds. A newer one replaces the files of a build.
pub fn last_took(store: &Store, record: &Record) -> Option<f64> {
    let before = store.named(record.name.as_deref()?)?;
    let known = before.record().ok()?;
    match before.exit() {
        Some(Ok(exit)) if exit.outcome == Outcome::Succeeded => {
            Some((exit.finished? - known.created).as_seconds_f64().max(0.0))
        }
        _ => known.last_took,
    }
}

/// Publishes a job and starts its supervisor. The record is written while the engine is asked, to save time. Then `make`
/// creates the directories that the job needs; what it returns is kept until the job is published. Nothing is left of a job
/// that could not be started.
pub fn attempt(
    env: &Env,
    voice: &Voice,
    store: &Store,
    record: &Record,
    values: &Values,
    make: impl for<'s> Fn(&'s Store, &Record) -> Result<Option<Making<'s>>>,
) -> Result<Job> {
    let runner = Runner::of(env, record);
    attempt_if(env, voice, store, record, values, &|| runner.check(record), make)
}

/// The same with another check than that of the engine, while the record is written.
pub fn attempt_if(
    env: &Env,
    voice: &Voice,
    store: &Store,
    record: &Record,
    values: &Values,
    check: &(dyn Fn() -> Result<(), Failure> + Sync),
    make: impl for<'s> Fn(&'s Store, &Record) -> Result<Option<Making<'s>>>,
) -> Result<Job> {
    let (checked, prepared) = std::thread::scope(|scope| {
        let question = || check();
        // Without another thread, because the user may have no more processes, they are done one after the other.
        let asking = std::thread::Builder::new().spawn_scoped(scope, question);
        let prepared = store.prepare(record);
        (asking.map_or_else(|_| Ok(question()), ScopedJoinHandle::join), prepared)
    });
    checked.map_err(|_| anyhow::anyhow!("the check of the engine did not end"))??;
    let prepared = prepared?;
    // Of a run that is refused no directory is left.
    prepared.check_name()?;
    let made = make(store, record)?;
    // A job that is killed from here on has no stamp of an older one.
    record.after.stamp.as_ref().map_or(Ok(()), Stamp::clear)?;
    let (job, lock) = prepared.publish()?;
    drop(made);
    if let Err(error) = supervisor::launch(&job, lock, Way::Start, values) {
        // A supervisor that was killed may have started the docker client before.
        if job.has_surely_ended().unwrap_or(false) {
            store.remove(&job);
            supervisor::remove_points(env, store);
            return Err(error);
        }
        voice.note(&format!("warning: job {} runs without its supervisor: {error:#}", job.id));
    }
    Ok(job)
}

/// Labels by key; the last value of a key is used.
pub fn labels(labels: &[Label]) -> BTreeMap<String, String> {
    labels.iter().map(|label| (label.key.to_string(), label.value.clone())).collect()
}

/// The file of `--id-file`. It is created before anything is started, so that the start cannot succeed without it. It is
/// removed again unless the id is written to it.
#[derive(Debug)]
pub struct IdFile(Option<(PathBuf, File)>);

impl IdFile {
    /// Creates the file; never overwrites one.
    pub fn claim(path: Option<&Path>) -> Result<Self> {
        check_id_file(path)?;
        let Some(path) = path else { return Ok(Self(None)) };
        let file = File::options().write(true).create_new(true).open(path);
        Ok(Self(Some((path.to_path_buf(), file.map_err(|error| cannot_write(path, &error))?))))
    }

    /// Writes the id.
    pub fn write(mut self, id: &str) -> Result<()> {
        let Some((path, file)) = &mut self.0 else { return Ok(()) };
        file.write_all(format!("{id}\n").as_bytes())
            .map_err(|error| cannot_write(path, &error).hint(format!("the job was started: {id}")))?;
        self.0 = None;
        Ok(())
    }
}

impl Drop for IdFile {
    fn drop(&mut self) {
        if let Some((path, _)) = &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Checks whether `--id-file` can be written, without creating it.
pub fn check_id_file(path: Option<&Path>) -> Result<()> {
    let parent = |path: &Path| path.parent().filter(|parent| !parent.as_os_str().is_empty()).map(Path::to_path_buf);
    match path {
        Some(path) if parent(path).is_some_and(|parent| !parent.is_dir()) => {
            Err(Failure::usage(format!("could not write {}: there is no such directory", path.display())).into())
        }
        Some(path) if path.symlink_metadata().is_ok() => {
            Err(Failure::usage(format!("could not write {}: the file exists", path.display()))
                .hint("remove it, or choose another file")
                .into())
        }
        _ => Ok(()),
    }
}

/// Creates the file and writes the id.
pub fn write_id_file(path: Option<&Path>, id: &str) -> Result<()> {
    IdFile::claim(path)?.write(id)
}

/// For messages about files the user named.
pub fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(ErrorKind::Internal, format!("could not write {}: {}", path.display(), plain(error)))
}
