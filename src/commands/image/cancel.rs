//! `image cancel`: ends builds.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::cli::ImageCancel;
use crate::commands::jobs::{Done, status};
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::job::record::{Kind, Stop};
use crate::job::select::find;
use crate::job::store::Store;
use crate::job::{CONTROL, FORGOTTEN, Job};
use crate::names::ImageName;
use crate::output::Voice;
use crate::truth::view;

/// How long a build may take to end when asked: the builder's own cleaning up, twice the supervisor's grace.
const ENDING: Duration = Duration::from_secs(30);

/// Ends a build by way of its supervisor. A build that was forgotten can be ended by its name too.
pub fn cancel(env: &Env, voice: &Voice, args: &ImageCancel) -> Result<u8> {
    voice.each(args.jobs.iter().map(|typed| {
        let job = cancellable(env, typed)?;
        let deadline = Instant::now() + ENDING;
        if job.is_supervised() {
            job.request_stop(&Stop { at: env.now(), verb: "cancel".into(), signal: 15 })?;
        }
        loop {
            // Asked in this order: a supervisor lets go only once the end is recorded.
            let supervised = job.is_supervised();
            if job.has_ended() {
                break;
            }
            let why = if !supervised {
                "its supervisor was killed, and nobody else can end it while its docker client goes on"
            } else if Instant::now() > deadline {
                "it does not heed the signal"
            } else {
                let _ = job.dir.poke_fifo(CONTROL);
                sleep(Duration::from_millis(50));
                continue;
            };
            let message = format!("could not end build {}: it goes on: {why}", job.id);
            return Err(Failure::new(ErrorKind::Failed, message).into());
        }
        Ok(Done::to(&job))
    }))
}

fn cancellable(env: &Env, typed: &str) -> Result<Job> {
    let forgotten = || {
        let name = ImageName::parse(typed).ok()?;
        let job = Store::open(env, Kind::Build).ok()??.named(&name.normalized())?;
        (job.dir.has(FORGOTTEN) && !job.has_ended()).then_some(job)
    };
    let job = match find(env, Kind::Build, typed) {
        Ok((_, job)) => job,
        Err(error) => return forgotten().ok_or(error),
    };
    let view = view(env, &job);
    if view.is_running() {
        return Ok(job);
    }
    let message = format!("build {typed} is not running ({})", status(&view));
    Err(Failure::new(ErrorKind::Conflict, message).into())
}
