//! `exec stats`: shows the resource usage of runs.

use anyhow::Result;
use serde_json::{Value, json};

use super::running::{Running, running};
use crate::cli::ExecStats;
use crate::commands::stats::{Measured, stats as measure};
use crate::engine::Engine;
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::job::record::Kind;
use crate::job::store::Store;
use crate::names::JobId;
use crate::output::Voice;
use crate::runner::run_of_name;

/// Shows that of the named runs, or of all that run on the engine.
pub fn stats(env: &Env, voice: &Voice, args: &ExecStats) -> Result<u8> {
    let runs = args.jobs.iter().map(|typed| running(env, voice, typed)).collect::<Result<Vec<_>>>()?;
    let engine = match runs.first() {
        Some(first) => first.runner.engine().clone(),
        None => Engine::chosen(env)?,
    };
    if let Some(other) = runs.iter().find(|run| run.runner.engine().endpoint != engine.endpoint) {
        return Err(elsewhere(&runs[0], other).into());
    }
    let store = Store::open(env, Kind::Run)?;
    let known = |id: &JobId| store.as_ref()?.job(id)?.record().ok();
    // docker tells a container by what it was asked for until it was measured, and by its name after that.
    let run = |row: &Value| {
        let named = row["Name"].as_str().and_then(run_of_name);
        let asked = || runs.iter().find(|run| row["Container"] == run.container.as_str()).map(|run| run.job.id.clone());
        named.or_else(asked)
    };
    let seen = |mut row: Value| {
        let id = run(&row)?;
        let name = known(&id)?.name;
        row.as_object_mut()?.insert("Longshore".into(), json!({"id": id, "name": name}));
        Some(row)
    };
    let containers = runs.iter().map(|run| run.container.clone()).collect();
    measure(voice, &engine, &Measured { containers, all: false, flags: &args.flags, seen: &seen })
}

/// docker measures the containers of one engine at a time.
fn elsewhere(one: &Running, other: &Running) -> Failure {
    let message = format!("could not measure the runs: {} and {} run on different engines", one.job.id, other.job.id);
    Failure::new(ErrorKind::Conflict, message).hint("measure the runs of one engine at a time")
}
