//! `exec`: runs of Python source trees.

mod paths;
mod run;

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use super::jobs;
use crate::cli::{Exec, ExecKill, ExecStop, OneJob};
use crate::engine::{Engine, EngineError, PATIENCE, argv};
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::job::Job;
use crate::job::record::{Kind, Stop};
use crate::job::select::find;
use crate::job::status::View;
use crate::names::Signal;
use crate::output;
use crate::truth::view;

/// How long a run just started may take until its container is there.
const STARTING: Duration = Duration::from_secs(10);

/// Runs `longshore exec …`.
pub fn run(env: &Env, json: bool, command: Exec) -> Result<u8> {
    match command {
        Exec::Run(args) => run::run(env, json, &args),
        Exec::List(args) => jobs::list(env, json, Kind::Run, &args),
        Exec::Inspect(args) => inspect(env, &args),
        Exec::Logs(args) => jobs::logs(env, json, &find(env, Kind::Run, &args.run.job)?.1, &args.how),
        Exec::Wait(args) => jobs::wait(env, json, Kind::Run, &args),
        Exec::Stop(args) => stop(env, json, &args),
        Exec::Kill(args) => kill(env, json, &args),
        Exec::Forget(args) => jobs::forget(env, json, Kind::Run, &args),
    }
}

/// The engine's own object while there is a container, its last word after that, and always the job beside it.
fn inspect(env: &Env, args: &OneJob) -> Result<u8> {
    let (_, job) = find(env, Kind::Run, &args.job)?;
    let view = view(env, &job);
    let mut object = match job.last_inspect() {
        Some(object) => object,
        None => container_object(env, &job, &view)?,
    };
    if let Some(object) = object.as_object_mut() {
        object.insert("Longshore".into(), serde_json::to_value(&view)?);
    }
    output::json(&object)?;
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

/// TERM, a grace, KILL.
fn stop(env: &Env, json: bool, args: &ExecStop) -> Result<u8> {
    jobs::for_each(env, json, &args.jobs, |typed| {
        let (job, engine) = running(env, typed)?;
        request(env, &job, "stop", 15)?;
        let grace = u64::from(args.grace);
        insist(env, &job, &engine, &argv::stop(&argv::container_name(&job.id), grace), grace)?;
        Ok(job.id.to_string())
    })
}

/// A signal at once. Only one that ends the run is waited for.
fn kill(env: &Env, json: bool, args: &ExecKill) -> Result<u8> {
    jobs::for_each(env, json, &args.jobs, |typed| {
        let (job, engine) = running(env, typed)?;
        request(env, &job, "kill", args.signal.number())?;
        let argv = argv::kill(&argv::container_name(&job.id), args.signal.name());
        if args.signal == Signal::from_number(9).unwrap_or(args.signal) {
            insist(env, &job, &engine, &argv, 0)?;
        } else {
            send(&job, &engine, &argv)?;
        }
        Ok(job.id.to_string())
    })
}

fn running(env: &Env, typed: &str) -> Result<(Job, Engine)> {
    let (_, job) = find(env, Kind::Run, typed)?;
    let view = view(env, &job);
    if !view.is_running() {
        let message = format!("run {} is not running ({})", job.id, jobs::status(&view));
        return Err(Failure::new(ErrorKind::Conflict, message).into());
    }
    let record = job.record().map_err(|damaged| Failure::new(ErrorKind::State, damaged.0))?;
    let engine = env.engine_of(&record.docker, &record.endpoint);
    Ok((job, engine))
}

/// Written before docker is asked, so that the end is told as what it is: asked for. A signal that need not end a run
/// does not take the place of a request that does.
fn request(env: &Env, job: &Job, verb: &str, signal: i32) -> Result<()> {
    let ends = |signal: i32| [2, 3, 9, 15].contains(&signal);
    if !ends(signal) && job.stop().is_some_and(|earlier| ends(earlier.signal)) {
        return Ok(());
    }
    job.request_stop(&Stop { at: env.now(), verb: verb.into(), signal })
}

/// Asks until the run has ended: its container may not have been started yet when docker was asked first.
fn insist(env: &Env, job: &Job, engine: &Engine, argv: &[String], grace: u64) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(grace) + STARTING;
    loop {
        let asked = engine.run(argv, Duration::from_secs(grace) + PATIENCE);
        let soon = Instant::now() + Duration::from_secs(2);
        while Instant::now() < soon {
            if job.has_ended() && !view(env, job).is_running() {
                return Ok(());
            }
            sleep(Duration::from_millis(20));
        }
        if Instant::now() > deadline {
            return Err(not_ended(job, engine, argv, asked).into());
        }
    }
}

fn not_ended(job: &Job, engine: &Engine, argv: &[String], asked: Result<std::process::Output, EngineError>) -> Failure {
    let could_not = format!("could not end run {}", job.id);
    match asked {
        Err(error) => error.failure(&could_not),
        Ok(output) if !output.status.success() => engine.explain(argv, &output).failure(&could_not),
        Ok(_) => Failure::new(ErrorKind::Failed, format!("{could_not}: it goes on")),
    }
}

/// Sends a signal once the container runs.
fn send(job: &Job, engine: &Engine, argv: &[String]) -> Result<()> {
    let deadline = Instant::now() + STARTING;
    loop {
        let output = engine.run(argv, PATIENCE).map_err(|error| error.failure("could not send the signal"))?;
        if output.status.success() {
            return Ok(());
        }
        let error = engine.explain(argv, &output);
        if error.is_unreachable() || job.has_ended() || Instant::now() > deadline {
            return Err(error.failure(&format!("could not send the signal to run {}", job.id)).into());
        }
        sleep(Duration::from_millis(100));
    }
}
