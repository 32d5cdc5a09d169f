//! The current status of jobs: from the files and locks of their directories and, only if these are not enough, from
//! the engine. This module only reads.

mod queued;

use std::io;

use anyhow::Result;

use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::job::record::Record;
use crate::job::standing::{Sighting, Standing, derive, settled};
use crate::job::store::{Extent, Store};
use crate::job::view::View;
use crate::job::{Here, Job};
use crate::names::JobId;
use crate::runner::{Lookout, Runner, Subject};
use queued::Lines;

/// The current status of one job.
#[must_use]
pub fn view(env: &Env, job: &Job) -> View {
    let look = &mut |subject: Subject| Runner::of(env, subject.record).look(subject);
    see(&Host::new(env), job, &mut Lines::new(env), look)
}

/// The current status of the jobs of a store.
///
/// # Errors
/// When the directory of the jobs cannot be read.
pub fn views(env: &Env, store: &Store, extent: Extent) -> Result<Vec<View>> {
    let host = Host::new(env);
    let is_ours = |id: &str| JobId::parse(id).is_ok_and(|id| store.job(&id).is_some());
    let (mut lookout, mut lines) = (Lookout::new(env, &is_ours), Lines::new(env));
    let one = |job: Result<Job, (JobId, io::Error)>| match job {
        Ok(job) => see(&host, &job, &mut lines, &mut |subject| lookout.look(subject)),
        Err((id, error)) => View::unreadable(id, store.kind, &format!("its directory cannot be read: {error}")),
    };
    Ok(store.all(extent)?.map(one).collect())
}

fn see(host: &Host, job: &Job, lines: &mut Lines, look: &mut dyn FnMut(Subject) -> Sighting) -> View {
    let facts = job.facts(&host.here);
    let standing = settled(&facts).unwrap_or_else(|| {
        let sighting = match Subject::of(&facts) {
            Some(subject) if host.is_not_that_of(subject.record) => {
                let why = format!("it was started on another host, {}", subject.record.host);
                Sighting::Unreachable(Failure::new(ErrorKind::EngineUnreachable, why))
            }
            Some(subject) => look(subject),
            None => Sighting::Absent,
        };
        derive(&facts, &sighting)
    });
    let mut view = View { forgotten: job.is_forgotten(), ..View::new(&facts, &standing) };
    if let (Standing::Queued(_), Ok(record)) = (&standing, &facts.record) {
        lines.tell(&mut view, record);
    }
    view
}

/// This host, read once for all jobs.
struct Host {
    here: Here,
    name: String,
}

impl Host {
    fn new(env: &Env) -> Self {
        Self { here: Here::now(env), name: env.host() }
    }

    /// Whether the job was started on another host; a state directory can be moved. If only the name of the host changed,
    /// it is the same host.
    fn is_not_that_of(&self, record: &Record) -> bool {
        record.host != self.name && record.boot_id != self.here.boot_id
    }
}
