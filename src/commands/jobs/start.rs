//! Code for the commands that start a job: the common part of the record, publishing, the start of the supervisor,
//! labels, and the id file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread::ScopedJoinHandle;

use anyhow::Result;

use crate::engine::Engine;
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind, plain};
use crate::job::Job;
use crate::job::record::{FORMAT, Kind, Record, Work};
use crate::job::store::Store;
use crate::names::{ImageRef, Label};
use crate::output::Voice;
use crate::runner::{Runner, Values};
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
        work,
    }
}

/// Publishes a job and starts its supervisor. The record is written while the engine is asked, to save time. Then `make`
/// creates the directories that the job needs. Nothing is left of a job that could not be started.
pub fn begin(
    env: &Env,
    voice: &Voice,
    record: &Record,
    values: &Values,
    make: impl FnOnce() -> Result<()>,
) -> Result<Job> {
    let runner = Runner::of(env, record);
    begin_if(env, voice, record, values, &|| runner.check(record), make)
}

/// The same with another check than that of the engine, while the record is written.
pub fn begin_if(
    env: &Env,
    voice: &Voice,
    record: &Record,
    values: &Values,
    check: &(dyn Fn() -> Result<(), Failure> + Sync),
    make: impl FnOnce() -> Result<()>,
) -> Result<Job> {
    let store = Store::make(env, record.kind)?;
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
    make()?;
    let (job, lock) = prepared.publish()?;
    if let Err(error) = supervisor::launch(&job, lock, Way::Start, values) {
        // A supervisor that was killed may have started the docker client before.
        if job.has_surely_ended().unwrap_or(false) {
            store.remove(&job);
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
