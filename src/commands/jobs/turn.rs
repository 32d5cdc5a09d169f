//! What a new job waits for: the options `--queue`, `--after` and `--after-any`.

use anyhow::Result;

use crate::cli::Turn;
use crate::env::Env;
use crate::error::Failure;
use crate::job::queue::{Limits, Queue, ask};
use crate::job::record::Record;
use crate::job::select::Scope;
use crate::job::waits::{Dependency, Need, Waits};
use crate::names::QueueName;

/// What the record says about it. Nothing is changed yet.
///
/// # Errors
/// A usage error, a job that is not found, or a job that can never start in the queue.
pub fn waits(env: &Env, turn: &Turn, record: &Record) -> Result<Waits> {
    let mut after = Vec::new();
    for (typed, needs) in [(&turn.after, Need::Success), (&turn.after_any, Need::End)] {
        for typed in typed {
            after.push(dependency(env, typed, needs)?);
        }
    }
    if let Some(name) = &turn.queue {
        check(env, name, record)?;
    } else if turn.queue_timeout.is_some() && after.is_empty() {
        return Err(Failure::usage("--queue-timeout needs something to wait for")
            .hint("give --queue or --after")
            .into());
    }
    Ok(Waits {
        queue: turn.queue.clone(),
        priority: turn.priority.unwrap_or_default(),
        after,
        limit: turn.queue_timeout.map(|limit| limit.as_secs_f64()),
    })
}

/// The job that is meant. It exists, so no two jobs can wait for each other.
fn dependency(env: &Env, typed: &str, needs: Need) -> Result<Dependency> {
    let job = Scope::Both.find(env, typed, |_| "list").map_err(|error| {
        let failure = Failure::of(&error);
        let hint = match failure.kind {
            crate::error::Kind::Ambiguous => Some("give the id".to_owned()),
            _ => failure.hint.clone(),
        };
        Failure { hint, ..failure }
    })?;
    let name = job.record().ok().and_then(|record| record.shown_name());
    Ok(Dependency { kind: job.kind, id: job.id, name, needs })
}

fn check(env: &Env, name: &QueueName, record: &Record) -> Result<()> {
    let limits = match Queue::open(env, name)? {
        Some(queue) => queue.settings()?.limits,
        None => Limits::default(),
    };
    let Some(why) = limits.misfit(&ask(record)) else { return Ok(()) };
    let message = format!("the job could never start: queue {:?} {why}", name.as_str());
    Err(Failure::usage(message).hint("list the limits with: longshore queue list").into())
}
