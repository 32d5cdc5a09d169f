//! The supervisor of a job: one process per job, in its own session, that lives as long as the job.
//!
//! It works in four steps: admit, start, attend, conclude. docker's client writes directly to the log file, so no line
//! is lost if the supervisor is killed. `recovery` finishes what a killed supervisor left.

mod afar;
mod after;
mod attempts;
mod attend;
mod conclude;
mod ending;
mod fetch;
mod launch;
mod points;
mod poll;
mod recovery;
mod relay;
mod room;
mod sampler;
mod trimmer;
mod waiting;
mod watch;

use std::process::Child;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::fault;
use crate::fs::lacks_room;
use crate::job::attempts::Retry;
use crate::job::moved::SHIPPED;
use crate::job::queue::Held;
use crate::job::record::{Begun, Kind, Record};
use crate::job::request::{Answer, Requests};
use crate::job::store::Store;
use crate::job::{BEGUN, CONTEXT, Job, LOCK, LOG};
use crate::names::JobId;
use crate::runner::{Runner, Started, Subject, Values};
use attend::Attendant;
use conclude::{Concluded, End};
use ending::BACKOFF;
pub use fetch::fetch;
use launch::Caller;
pub use launch::{Way, launch};
pub use points::remove_points;
pub use recovery::{Recovery, Swept, clear, recover, sweep};
use waiting::{Waited, Waiting};

/// The hidden subcommand.
pub const SUBCOMMAND: &str = "__supervise";

/// A job, its record and its runner.
#[derive(Debug)]
struct Task {
    env: Env,
    job: Job,
    record: Record,
    begun: OnceLock<Begun>,
    /// Answers to requests. A full disk may keep them from being recorded.
    answers: Mutex<Vec<Answer>>,
    /// Which file docker's client writes to, of a job that this process started.
    log: OnceLock<String>,
}

impl Task {
    fn new(env: &Env, job: Job, record: Record) -> Self {
        let begun = job.begun().map(OnceLock::from).unwrap_or_default();
        Self { env: env.clone(), job, record, begun, answers: Mutex::default(), log: OnceLock::new() }
    }

    /// How it is run. The docker program may be replaced while the job runs, so it is looked for each time.
    fn runner(&self) -> Runner {
        Runner::of(&self.env, &self.record)
    }

    fn subject<'a>(&'a self, image_id: Option<&'a str>) -> Subject<'a> {
        Subject { record: &self.record, begun: self.begun.get(), image_id }
    }

    /// Whether another program put another file in the place of the log, as far as this process can tell.
    fn is_log_replaced(&self) -> bool {
        self.log.get().is_some_and(|written| self.job.dir.identity(LOG).ok().as_ref() != Some(written))
    }

    /// Whether a start that failed in this way is tried again: the job was asked to wait, nothing was started, and the engine
    /// does not answer or the disk is full.
    fn may_wait(&self, error: &anyhow::Error) -> bool {
        let is_passing = is_away(error) || error.chain().any(|cause| cause.downcast_ref().is_some_and(lacks_room));
        // Files that were not copied to an engine are copied again when it answers.
        let was_to_wait = !self.record.waits.is_nothing() || !self.job.attempts().is_empty() || self.runner().copies();
        is_passing && was_to_wait
    }

    /// How it is tried again, if it is.
    fn retry(&self) -> Option<&Retry> {
        self.record.run().and_then(|run| run.retry.as_ref())
    }

    /// Removes what a start has written that failed before docker's client was started.
    fn unstart(&self) {
        let _ = self.job.dir.remove_tree(CONTEXT);
        let _ = self.job.dir.remove(SHIPPED);
        let _ = self.job.dir.remove(BEGUN);
    }

    /// Records the answer to a request.
    fn answer(&self, answer: Answer) {
        let _ = self.job.answer(&answer);
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
    }

    /// The requests and answers, also those that could not be recorded.
    fn requests(&self) -> Requests {
        let mut requests = self.job.requests();
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.iter().for_each(|answer| requests.add_answer(answer));
        requests
    }
}

/// Whether the engine did not answer.
fn is_away(error: &anyhow::Error) -> bool {
    Failure::of(error).kind == ErrorKind::EngineUnreachable
}

/// A job that this process supervises, before it is started.
struct Admitted {
    store: Store,
    task: Arc<Task>,
    attendant: Attendant,
    values: Values,
}

impl Admitted {
    /// Whether this process knows the values of the job's variables, without which it cannot be started once more.
    fn has_values(&self, way: Way) -> bool {
        let has_variables = self.task.record.run().is_some_and(|run| !run.env.is_empty());
        !has_variables || way == Way::Start && !self.values.0.is_empty()
    }
}

/// The whole life of a supervisor.
///
/// # Errors
/// When it was not started by [`launch`], or the files of the job cannot be read. A later failure is recorded as the end
/// of the job.
pub fn supervise(env: &Env, kind: &str, id: &str, way: Way) -> Result<()> {
    if way == Way::Conclude {
        return conclude_only(env, kind, id);
    }
    let mut admitted = admit(env, kind, id, way)?;
    fault::point("admitted");
    let is_between = admitted.task.job.is_between_attempts();
    let mut end = match way {
        Way::Start if !is_between => start_in_turn(&mut admitted),
        Way::Start => attempts::again(&mut admitted, Duration::ZERO),
        Way::Adopt | Way::Conclude => End::Seen(admitted.attendant.attend_adopted()),
    };
    loop {
        let task = Arc::clone(&admitted.task);
        match conclude::conclude(&task, end, admitted.has_values(way)) {
            Concluded::Ended(running) => {
                running.into_iter().for_each(after::Running::finish);
                break;
            }
            Concluded::Again(pause) => end = attempts::again(&mut admitted, pause),
        }
    }
    let Admitted { store, task, .. } = admitted;
    if task.job.is_forgotten() {
        store.remove_forgotten(&task.job, env.now());
    }
    Ok(())
}

/// Runs the command of `--on-exit`, which a killed supervisor left.
fn conclude_only(env: &Env, kind: &str, id: &str) -> Result<()> {
    let (_, task) = take(env, kind, id)?;
    attend::leave_terminal()?;
    let mut caller = Caller::take()?;
    caller.values()?;
    caller.ready();
    after::run(&task);
    Ok(())
}

/// Takes the job over from the command: checks the lock, starts a session, and reads the values of the variables. The
/// command returns now: what follows are questions to the engine that take too long to wait for.
fn admit(env: &Env, kind: &str, id: &str, way: Way) -> Result<Admitted> {
    let (store, task) = take(env, kind, id)?;
    let task = Arc::new(task);
    let attendant = Attendant::detach(Arc::clone(&task))?;
    let mut caller = Caller::take()?;
    let values = caller.values()?;
    if way == Way::Start {
        room::enter(&task)?;
    }
    caller.ready();
    Ok(Admitted { store, task, attendant, values })
}

/// The job with the lock that is this process's stdin.
fn take(env: &Env, kind: &str, id: &str) -> Result<(Store, Task)> {
    let kind = if kind == Kind::Build.word() { Kind::Build } else { Kind::Run };
    let store = Store::open(env, kind)?.context("there is no state directory")?;
    let job = store.job(&JobId::parse(id)?).context("there is no such job")?;
    ensure!(holds_lock(&job), "only longshore itself can start a supervisor");
    let record = job.record().map_err(|damaged| anyhow::anyhow!(damaged.0))?;
    Ok((store, Task::new(env, job, record)))
}

/// Waits until the job may be started, starts it, and attends it until its end.
fn start_in_turn(admitted: &mut Admitted) -> End {
    let mut waiting = match Waiting::new(&admitted.task, &admitted.attendant) {
        Ok(waiting) => waiting,
        Err(error) => return End::NotStarted(error),
    };
    match waiting.wait(&mut admitted.attendant) {
        Waited::Turn(held) => start_and_attend(admitted, &mut waiting, &held),
        Waited::Over(exit) => End::Unstarted(exit),
    }
}

/// Starts the job and attends it until its end. A job that was to wait does so until the engine answers, or there is room on
/// the disk.
fn start_and_attend(admitted: &mut Admitted, waiting: &mut Waiting, held: &Held) -> End {
    let mut pause = BACKOFF.0;
    loop {
        match start(admitted, held) {
            Ok(client) => {
                sweep_aside(&admitted.task.env);
                return End::Seen(admitted.attendant.attend(client));
            }
            Err(error) if admitted.task.may_wait(&error) => {
                admitted.task.unstart();
                admitted.attendant.mark_waiting(is_away(&error));
                if let Some(exit) = waiting.pause(&mut admitted.attendant, pause) {
                    return End::Unstarted(exit);
                }
                pause = (pause * 2).min(BACKOFF.1);
            }
            Err(error) => return End::NotStarted(error),
        }
    }
}

/// Records the engine, and starts docker's client. The GPUs of a run are those that its queue gave to it.
fn start(admitted: &mut Admitted, held: &Held) -> Result<Option<Child>> {
    let task = Arc::clone(&admitted.task);
    let record = task.record.with_devices(&held.devices)?;
    if !held.devices.is_empty() {
        task.job.grant(held)?;
    }
    admitted.attendant.watch_log();
    let Started { client, begun } = task.runner().start(&task.env, &task.job, &record, &admitted.values)?;
    if task.retry().is_none() {
        admitted.values = Values::default();
    }
    admitted.attendant.mark_waiting(false);
    fault::point("client-started");
    // On a swarm it may wait for a node first.
    if !task.runner().is_polled() {
        admitted.attendant.count_time();
    }
    let _ = task.begun.set(begun);
    let _ = task.job.dir.identity(LOG).map(|written| task.log.set(written));
    Ok(client)
}

/// Finishes what killed processes left of other jobs, on a thread of its own: an engine that does not answer must not delay
/// this job. Without another thread, a later command does it.
fn sweep_aside(env: &Env) {
    let env = env.clone();
    let _ = std::thread::Builder::new().spawn(move || {
        fault::point("sweeping");
        // Supervisors that were started are children of this process, and have to be waited for.
        for (_, _, mut adopted) in sweep(&env).adopted {
            let _ = adopted.wait();
        }
    });
}

/// Whether stdin is the lock file of this job.
fn holds_lock(job: &Job) -> bool {
    let stdin = rustix::fs::fstat(std::io::stdin());
    let lock = job.dir.open_file(LOCK).and_then(|file| Ok(rustix::fs::fstat(file)?));
    matches!((stdin, lock), (Ok(a), Ok(b)) if (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
}
