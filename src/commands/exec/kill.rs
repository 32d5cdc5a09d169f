//! `exec kill`: sends runs a signal.

use std::time::Duration;

use anyhow::Result;

use crate::cli::ExecKill;
use crate::commands::jobs::Done;
use crate::commands::jobs::end::{end, require_running};
use crate::env::Env;
use crate::job::Job;
use crate::job::record::Kind;
use crate::job::request::{Request, Verb};
use crate::job::select::find;
use crate::output::Voice;

/// Sends one signal at once. Only after KILL it waits for the end.
pub fn kill(env: &Env, voice: &Voice, args: &ExecKill) -> Result<u8> {
    args.which.words(env)?.each(voice, |typed| {
        let job = running(env, voice, typed)?;
        end(env, &job, &Request::new(Verb::Kill, args.signal.number(), Duration::ZERO, env.now()))?;
        Ok(Done::to(&job))
    })
}

fn running(env: &Env, voice: &Voice, typed: &str) -> Result<Job> {
    let (_, job) = find(env, Kind::Run, typed)?;
    require_running(env, voice, &job, job.id.as_str())?;
    Ok(job)
}
