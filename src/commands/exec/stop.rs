//! `exec stop` and `exec kill`: end runs, or send them a signal.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::STARTING;
use crate::cli::{ExecKill, ExecStop};
use crate::commands::jobs::{Done, status};
use crate::engine::{Engine, EngineError, PATIENCE, argv};
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::job::Job;
use crate::job::record::{Kind, Stop};
use crate::job::select::find;
use crate::output::Voice;
use crate::truth::view;
use crate::units::Signal;

/// TERM, a grace, KILL.
pub fn stop(env: &Env, voice: &Voice, args: &ExecStop) -> Result<u8> {
    voice.each(args.jobs.iter().map(|typed| {
        let (job, engine) = running(env, typed)?;
        request(env, &job, "stop", 15)?;
        let grace = u64::from(args.grace);
        insist(env, &job, &engine, &argv::stop(&argv::container_name(&job.id), grace), grace)?;
        Ok(Done::to(&job))
    }))
}

/// A signal at once. Only one that ends the run is waited for.
pub fn kill(env: &Env, voice: &Voice, args: &ExecKill) -> Result<u8> {
    voice.each(args.jobs.iter().map(|typed| {
        let (job, engine) = running(env, typed)?;
        request(env, &job, "kill", args.signal.number())?;
        let argv = argv::kill(&argv::container_name(&job.id), args.signal.name());
        if args.signal == Signal::from_number(9).unwrap_or(args.signal) {
            insist(env, &job, &engine, &argv, 0)?;
        } else {
            send(&job, &engine, &argv)?;
        }
        Ok(Done::to(&job))
    }))
}

fn running(env: &Env, typed: &str) -> Result<(Job, Engine)> {
    let (_, job) = find(env, Kind::Run, typed)?;
    let view = view(env, &job);
    if !view.is_running() {
        let message = format!("run {} is not running ({})", job.id, status(&view));
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
