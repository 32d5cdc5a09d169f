//! `exec stop` and `stop`: end runs, and cancel builds.

use std::time::Duration;

use anyhow::Result;

use super::Done;
use super::end::{end, require_running};
use crate::cli::JobStop;
use crate::env::Env;
use crate::job::record::Kind;
use crate::job::request::{Request, Verb};
use crate::job::select::Scope;
use crate::output::Voice;

/// Sends TERM to a run, and KILL after the grace. A build is cancelled.
pub fn stop(env: &Env, voice: &Voice, scope: Scope, args: &JobStop) -> Result<u8> {
    let grace = Duration::from_secs(args.grace.into());
    args.which.words(env)?.each(voice, |typed| {
        let job = scope.find(env, typed, Kind::end_verb)?;
        require_running(env, voice, &job, job.id.as_str())?;
        let request = match job.kind {
            Kind::Run => Request::new(Verb::Stop, 15, grace, env.now()),
            Kind::Build => Request::new(Verb::Cancel, 15, Duration::ZERO, env.now()),
        };
        end(env, &job, &request)?;
        Ok(Done::to(&job))
    })
}
