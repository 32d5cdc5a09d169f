//! `exec`: runs Python source trees.

mod fetch;
mod inspect;
mod kill;
mod mounts;
mod parts;
mod paths;
mod program;
mod rerun;
pub mod run;
mod running;
mod ship;
mod stats;
mod status;
mod swarm;
mod sweep;
mod top;

use anyhow::Result;

use super::jobs;
use crate::cli::Exec;
use crate::env::Env;
use crate::job::record::Kind;
use crate::job::select::Scope;
use crate::output::Voice;

#[cfg(test)]
pub use {fetch::Fetched, status::Status, sweep::SweepDryRun, sweep::Swept, top::Top};

pub use ship::Shipment;

const RUNS: Scope = Scope::Only(Kind::Run);

/// Runs `longshore exec …`.
pub fn run(env: &Env, voice: &Voice, command: Exec) -> Result<u8> {
    match command {
        Exec::Run(args) => run::run(env, voice, &args),
        Exec::Rerun(args) => rerun::rerun(env, voice, &args),
        Exec::List(args) => jobs::list::list(env, voice, RUNS, &args.list, &args.groups),
        Exec::Status(args) => status::status(env, voice, &args),
        Exec::Inspect(args) => inspect::inspect(env, voice, &args),
        Exec::Logs(args) => jobs::logs::logs_of_runs(env, voice, RUNS, &args),
        Exec::Wait(args) => jobs::wait::wait(env, voice, RUNS, &args.which.words(env)?, &args.how),
        Exec::Stop(args) => jobs::stop::stop(env, voice, RUNS, &args),
        Exec::Kill(args) => kill::kill(env, voice, &args),
        Exec::Fetch(args) => fetch::fetch(env, voice, &args),
        Exec::Forget(args) => jobs::forget::forget(env, voice, Kind::Run, &args.forget, &args.groups),
        Exec::Stats(args) => stats::stats(env, voice, &args),
        Exec::Top(args) => top::top(env, voice, &args),
    }
}
