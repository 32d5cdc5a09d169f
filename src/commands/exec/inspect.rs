//! `exec inspect`: everything that the engine knows of a run's container, and the run beside it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use super::STARTING;
use crate::cli::OneJob;
use crate::commands::Inspected;
use crate::engine::argv;
use crate::env::Env;
use crate::job::Job;
use crate::job::record::Kind;
use crate::job::select::find;
use crate::job::status::View;
use crate::output::Voice;
use crate::truth::view;

/// The engine's own object while there is a container, its last word after that, and always the job beside it.
pub fn inspect(env: &Env, voice: &Voice, args: &OneJob) -> Result<u8> {
    let (_, job) = find(env, Kind::Run, &args.job)?;
    let view = view(env, &job);
    let mut object = match job.last_inspect() {
        Some(object) => object,
        None => container_object(env, &job, &view)?,
    };
    if let Some(object) = object.as_object_mut() {
        object.insert("Longshore".into(), serde_json::to_value(&view)?);
    }
    voice.reply(&Inspected(object))?;
    Ok(0)
}

/// Asks the engine; waits for the container of a run that was just started. Where there is none (any more), the
/// fields that scripts read are there all the same, and say so. Of a run that goes on, an engine that does not answer
/// proves nothing.
fn container_object(env: &Env, job: &Job, view: &View) -> Result<Value> {
    let deadline = Instant::now() + STARTING;
    if let Ok(record) = job.record() {
        let engine = env.engine_of(&record.docker, &record.endpoint);
        let failed = loop {
            match engine.container_of(&job.id) {
                Ok(Some(container)) => return Ok(container.object),
                Err(error) => break Some(error),
                Ok(None) if job.has_ended() || Instant::now() > deadline => break None,
                Ok(None) => sleep(Duration::from_millis(50)),
            }
        };
        // It may have ended, and its container gone, between the two questions.
        if let Some(object) = job.last_inspect() {
            return Ok(object);
        }
        if let Some(error) = failed.filter(|_| view.is_running()) {
            return Err(error.failure(&format!("could not inspect run {}", job.id)).into());
        }
    }
    Ok(json!({
        "Id": view.container_id,
        "Created": view.created,
        "Path": "python3",
        "Args": view.command,
        "State": {"Status": if view.is_running() { "created" } else { "exited" }, "Running": false, "ExitCode": view.exit_code},
        "Image": null,
        "Name": format!("/{}", argv::container_name(&job.id)),
    }))
}
