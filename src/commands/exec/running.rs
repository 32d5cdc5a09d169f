//! A run that runs, and its container, for the commands that look into it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::commands::jobs::end::require_running;
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::job::Job;
use crate::job::record::Kind;
use crate::job::select::find;
use crate::job::standing::Sighting;
use crate::output::Voice;
use crate::runner::{Runner, Subject};

/// How long to wait for the container of a run that was just started.
const STARTING: Duration = Duration::from_secs(10);

const SWARM: &str =
    "ask the engine of that node: `docker service ps` names it, and its containers have the label longshore.run";

/// The run, where it runs, and the id of its container.
pub struct Running {
    /// The run.
    pub job: Job,
    /// What knows its engine.
    pub runner: Runner,
    /// The id of its container.
    pub container: String,
}

/// The run that is named, which must be running.
///
/// # Errors
/// When it does not run, or its engine does not answer.
pub fn running(env: &Env, voice: &Voice, typed: &str) -> Result<Running> {
    let (_, job) = find(env, Kind::Run, typed)?;
    require_running(env, voice, &job, job.id.as_str())?;
    let record = job.record().map_err(|damaged| Failure::new(ErrorKind::State, damaged.0))?;
    if record.is_on_swarm() {
        let why = "its container is on a node of a swarm, and only a manager is asked";
        let message = format!("could not look into run {}: {why}", job.id);
        return Err(Failure::new(ErrorKind::Conflict, message).hint(SWARM).into());
    }
    let (runner, begun) = (Runner::of(env, &record), job.begun());
    let could_not = format!("could not look into run {}", job.id);
    let deadline = Instant::now() + STARTING;
    loop {
        let sighting = runner.look(Subject { record: &record, begun: begun.as_ref(), image_id: None });
        match &sighting {
            Sighting::Alive(_) => {
                let container = sighting.container().unwrap_or_default().to_owned();
                return Ok(Running { job, runner, container });
            }
            Sighting::Unreachable(failure) => return Err(failure.clone().because(&could_not).into()),
            _ if job.has_ended() || Instant::now() > deadline => {
                let message = format!("{could_not}: it has no running container");
                return Err(Failure::new(ErrorKind::Conflict, message).into());
            }
            _ => sleep(Duration::from_millis(50)),
        }
    }
}
