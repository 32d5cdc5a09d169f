//! `image cancel`: ends builds.

use std::time::Duration;

use anyhow::Result;

use crate::cli::ImageCancel;
use crate::commands::jobs::Done;
use crate::commands::jobs::end::{end, require_running};
use crate::env::Env;
use crate::job::Job;
use crate::job::record::Kind;
use crate::job::request::{Request, Verb};
use crate::job::select::find;
use crate::job::store::Store;
use crate::names::ImageName;
use crate::output::Voice;

/// Ends builds through their supervisors. A forgotten build can also be ended by its name.
pub fn cancel(env: &Env, voice: &Voice, args: &ImageCancel) -> Result<u8> {
    voice.each(args.jobs.iter().map(|typed| {
        let job = cancellable(env, voice, typed)?;
        end(env, &job, &Request::new(Verb::Cancel, 15, Duration::ZERO, env.now()))?;
        Ok(Done::to(&job))
    }))
}

fn cancellable(env: &Env, voice: &Voice, typed: &str) -> Result<Job> {
    let forgotten = || {
        let name = ImageName::parse(typed).ok()?;
        let job = Store::open(env, Kind::Build).ok()??.named(&name.normalized())?;
        (job.is_forgotten() && !job.has_surely_ended().unwrap_or(false)).then_some(job)
    };
    let job = match find(env, Kind::Build, typed) {
        Ok((_, job)) => job,
        Err(error) => return forgotten().ok_or(error),
    };
    require_running(env, voice, &job, typed)?;
    Ok(job)
}
