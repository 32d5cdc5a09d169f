//! The supervisor of a job: one process per job, in its own session, that lives as long as the job.
//!
//! It works in four steps: admit, start, attend, conclude. docker's client writes directly to the log file, so no line
//! is lost if the supervisor is killed.

mod attend;
mod conclude;
mod launch;

use std::process::Child;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result, ensure};

use crate::env::Env;
use crate::job::record::{Begun, Kind, Record};
use crate::job::store::Store;
use crate::job::{FORGOTTEN, Job, LOCK};
use crate::names::JobId;
use crate::runner::{Runner, Started, Subject, Values};
use attend::Attendant;
use launch::Caller;
pub use launch::launch;

/// The hidden subcommand.
pub const SUBCOMMAND: &str = "__supervise";

/// A job, its record and its runner.
#[derive(Debug)]
struct Task {
    env: Env,
    job: Job,
    record: Record,
    begun: OnceLock<Begun>,
}

impl Task {
    /// How it is run. The docker program may be replaced while the job runs, so it is looked for each time.
    fn runner(&self) -> Runner {
        Runner::of(&self.env, &self.record)
    }

    fn subject<'a>(&'a self, image_id: Option<&'a str>) -> Subject<'a> {
        Subject { record: &self.record, begun: self.begun.get(), image_id }
    }
}

/// A job that this process supervises, before it is started.
struct Admitted {
    store: Store,
    task: Arc<Task>,
    attendant: Attendant,
    caller: Caller,
    values: Values,
}

/// The whole life of a supervisor.
///
/// # Errors
/// When it was not started by [`launch`], or the files of the job cannot be read. A later failure is recorded as the end
/// of the job.
pub fn supervise(env: &Env, kind: &str, id: &str) -> Result<()> {
    let mut admitted = admit(env, kind, id)?;
    let started = start(&mut admitted);
    let Admitted { store, task, mut attendant, mut caller, .. } = admitted;
    let end = match started {
        Ok(client) => conclude::End::Seen(attendant.attend(client)),
        Err(error) => {
            caller.failed(&error);
            conclude::End::NotStarted(error)
        }
    };
    conclude::conclude(&task, end);
    if task.job.dir.has(FORGOTTEN) {
        store.remove(&task.job);
    }
    Ok(())
}

/// Takes the job over from the command: checks the lock, starts a session, and reads the values of the variables. The
/// command of a build returns now, because the choice of the builder takes too long to wait for.
fn admit(env: &Env, kind: &str, id: &str) -> Result<Admitted> {
    let kind = if kind == Kind::Build.word() { Kind::Build } else { Kind::Run };
    let store = Store::open(env, kind)?.context("there is no state directory")?;
    let job = store.job(&JobId::parse(id)?).context("there is no such job")?;
    ensure!(holds_lock(&job), "only longshore itself can start a supervisor");
    let record = job.record().map_err(|damaged| anyhow::anyhow!(damaged.0))?;
    let task = Arc::new(Task { env: env.clone(), job, record, begun: OnceLock::new() });
    let attendant = Attendant::detach(Arc::clone(&task))?;
    let mut caller = Caller::take()?;
    let values = caller.values()?;
    if kind == Kind::Build {
        caller.ready();
    }
    Ok(Admitted { store, task, attendant, caller, values })
}

/// Starts docker's client and, after the command has returned, records the engine.
fn start(admitted: &mut Admitted) -> Result<Option<Child>> {
    let task = Arc::clone(&admitted.task);
    let runner = task.runner();
    let values = std::mem::take(&mut admitted.values);
    let Started { client, begun } = runner.start(&task.env, &task.job, &task.record, &values)?;
    admitted.caller.ready();
    admitted.attendant.count_time();
    let _ = task.begun.set(begun.unwrap_or_else(|| runner.begin(&task.env, &task.job)));
    Ok(client)
}

/// Whether stdin is the lock file of this job.
fn holds_lock(job: &Job) -> bool {
    let stdin = rustix::fs::fstat(std::io::stdin());
    let lock = job.dir.open_file(LOCK).and_then(|file| Ok(rustix::fs::fstat(file)?));
    matches!((stdin, lock), (Ok(a), Ok(b)) if (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
}
