//! `--if-running`: what becomes of a start whose name is that of a running job.

use std::time::Duration;

use anyhow::Result;

use super::end::end;
use super::wait::{Awaited, wait_for};
use crate::cli::IfRunning;
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::interrupt::Interrupt;
use crate::job::record::{Kind, Record};
use crate::job::request::{Request, Verb};
use crate::job::store::Store;
use crate::job::{EXIT, Job};
use crate::output::Voice;
use crate::supervisor::recover;

/// How long a run that is replaced or stopped may take between TERM and KILL, as with `exec stop`.
const GRACE: Duration = Duration::from_secs(10);

/// The request to end a job of either kind, as `exec stop` and `image cancel` make it.
pub fn stop(env: &Env, job: &Job) -> Request {
    match job.kind {
        Kind::Build => Request::new(Verb::Cancel, 15, Duration::ZERO, env.now()),
        Kind::Run => Request::new(Verb::Stop, 15, GRACE, env.now()),
    }
}

/// The running job that has the name of a new one. A run whose supervisor was killed gets another one first, so that it is
/// not overlooked while its container runs.
pub fn holder(env: &Env, store: &Store, record: &Record) -> Result<Option<Job>> {
    if let Some(named) = record.name.as_deref().and_then(|name| store.named(name))
        && !named.dir.has(EXIT)
        && named.has_ended()
    {
        let _ = recover(env, &named);
    }
    store.holder(record)
}

/// Does what was asked about the running job that has the name. Returns whether the new job is to be started now; it may
/// find the name in use again.
///
/// # Errors
/// When the name was to be free, when the job could not be stopped, and after Ctrl-C.
pub fn give_way(
    env: &Env,
    voice: &Voice,
    store: &Store,
    record: &Record,
    holder: &Job,
    policy: IfRunning,
    interrupt: Option<&Interrupt>,
) -> Result<bool> {
    let (word, id) = (holder.kind.word(), &holder.id);
    let name = record.shown_name().unwrap_or_default();
    let shown = format!("{word} {id}, which has the name {name:?}");
    match policy {
        IfRunning::Fail => return Err(store.in_use(holder, record).into()),
        IfRunning::Skip => {
            let still = holder.still();
            voice.note(&format!("note: nothing was started, because {shown}, is {still}"));
            return Ok(false);
        }
        IfRunning::Wait => {
            voice.note(&format!("note: waiting for {shown}"));
            let ours = interrupt.map_or_else(|| Interrupt::ctrl_c().map(Some), |_| Ok(None))?;
            let heard = ours.as_ref().or(interrupt).expect("one of them");
            let waited = wait_for(env, &Awaited::new(env, holder), None, heard);
            waited.map(drop).or_else(|error| match Failure::of(&error).kind {
                // It was forgotten meanwhile, and has ended.
                ErrorKind::NotFound => Ok(()),
                _ => Err(error.context("nothing was started")),
            })?;
        }
        IfRunning::Replace => {
            voice.note(&format!("note: stopping {shown}"));
            end(env, holder, &stop(env, holder)).map_err(|error| error.context("nothing was started"))?;
        }
    }
    Ok(true)
}
