//! `exec`: runs Python source trees.

mod inspect;
mod mounts;
mod parts;
mod paths;
mod program;
mod rerun;
pub mod run;
mod stop;

use anyhow::Result;

use super::jobs;
use crate::cli::Exec;
use crate::env::Env;
use crate::job::record::Kind;
use crate::job::select::find;
use crate::output::Voice;

/// Runs `longshore exec …`.
pub fn run(env: &Env, voice: &Voice, command: Exec) -> Result<u8> {
    match command {
        Exec::Run(args) => run::run(env, voice, &args),
        Exec::Rerun(args) => rerun::rerun(env, voice, &args),
        Exec::List(args) => jobs::list::list(env, voice, Kind::Run, &args),
        Exec::Inspect(args) => inspect::inspect(env, voice, &args),
        Exec::Logs(args) => jobs::logs::logs(env, voice, &find(env, Kind::Run, &args.run.job)?.1, &args.how),
        Exec::Wait(args) => jobs::wait::wait(env, voice, Kind::Run, &args),
        Exec::Stop(args) => stop::stop(env, voice, &args),
        Exec::Kill(args) => stop::kill(env, voice, &args),
        Exec::Forget(args) => jobs::forget::forget(env, voice, Kind::Run, &args),
    }
}
