//! `exec inspect`: shows the engine's description of a run's container, together with the run.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use super::rerun::recorded;
use crate::cli::ExecInspect;
use crate::commands::Inspected;
use crate::commands::jobs::settle;
use crate::env::Env;
use crate::job::Job;
use crate::job::record::{Kind, Record, Run};
use crate::job::select::find;
use crate::job::standing::Sighting;
use crate::job::view::View;
use crate::output::Voice;
use crate::runner::{Runner, Subject, container_name, withhold};
use crate::survey::view;

/// How long to wait for the container of a run that was just started.
const STARTING: Duration = Duration::from_secs(10);

/// The body that starts the run again; without `--spec`, the engine's own object while there is a container, its last account
/// after that, and always the job beside it.
pub fn inspect(env: &Env, voice: &Voice, args: &ExecInspect) -> Result<u8> {
    let (_, job) = find(env, Kind::Run, &args.run.job)?;
    if args.spec {
        voice.reply(&Inspected(serde_json::to_value(recorded(&job)?.1)?))?;
        return Ok(0);
    }
    let env = &settle(env, voice, &job);
    let view = view(env, &job);
    let account = match job.account() {
        Some(account) => account,
        None => account_of(env, &job, &view)?,
    };
    let mut object = match job.record().ok().as_ref().and_then(Record::run) {
        // Descriptions from versions that wrote format 1 still contain the values of variables.
        Some(run) => withhold(account, run),
        None => account,
    };
    if let Some(object) = object.as_object_mut() {
        object.insert("Longshore".into(), serde_json::to_value(&view)?);
    }
    voice.reply(&Inspected(object))?;
    Ok(0)
}

/// Looks at the container; waits for that of a run that was just started. Where there is none any more, the fields that
/// scripts read are there all the same. Of a run that still runs, an engine that does not answer proves nothing.
fn account_of(env: &Env, job: &Job, view: &View) -> Result<Value> {
    let deadline = Instant::now() + STARTING;
    if view.is_queued() {
        return Ok(no_account(job, view));
    }
    let Ok(record) = job.record() else { return Ok(no_account(job, view)) };
    let runner = Runner::of(env, &record);
    let begun = job.begun();
    let failed = loop {
        match runner.look(Subject { record: &record, begun: begun.as_ref(), image_id: None }) {
            Sighting::Alive(alive) => return Ok(alive.account),
            Sighting::NeverStarted(container) => return Ok(container.account),
            Sighting::Ended(end) => return Ok(end.account),
            Sighting::Unreachable(failure) => break Some(failure),
            _ if job.has_ended() || Instant::now() > deadline => break None,
            _ => sleep(Duration::from_millis(50)),
        }
    };
    // The run may have ended, and its container may have been removed, between the two questions.
    match (job.account(), failed) {
        (Some(account), _) => Ok(account),
        (None, Some(failure)) if view.is_running() => {
            Err(failure.because(&format!("could not inspect run {}", job.id)).into())
        }
        _ => Ok(no_account(job, view)),
    }
}

fn no_account(job: &Job, view: &View) -> Value {
    let status = if view.is_running() { "created" } else { "exited" };
    let record = job.record().ok();
    let run = record.as_ref().and_then(Record::run);
    json!({
        "Id": view.container_id,
        "Created": view.created,
        "Path": run.map_or("python3", |run| run.program.path()),
        "Args": run.map(Run::arguments).unwrap_or_default(),
        "State": {"Status": status, "Running": false, "ExitCode": view.exit_code},
        "Image": null,
        "Name": format!("/{}", container_name(&job.id)),
    })
}
