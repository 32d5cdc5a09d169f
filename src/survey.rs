//! The current status of jobs: from the files and locks of their directories and, only if these are not enough, from
//! the engine. This module only reads, and adds to the index what it had to read from many directories.

mod queued;

use std::collections::VecDeque;

use anyhow::Result;
use chrono::{DateTime, Utc};

use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::job::index::{Copied, Index};
use crate::job::record::{Exit, Record};
use crate::job::standing::{Damaged, Extras, Facts, Sighting, Standing, derive, settled};
use crate::job::store::{Extent, Store};
use crate::job::view::View;
use crate::job::{EXIT, Here, Job};
use crate::names::JobId;
use crate::parallel;
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
    newest(env, std::slice::from_ref(store), extent, usize::MAX, |_| true)
}

/// The current status of jobs, the newest first: at most `last` of those that `accept` takes. No others are read, except jobs
/// that the index has not got.
///
/// # Errors
/// When the directory of the jobs cannot be read.
pub fn newest(
    env: &Env,
    stores: &[Store],
    extent: Extent,
    last: usize,
    accept: impl Fn(&View) -> bool + Sync,
) -> Result<Vec<View>> {
    let host = Host::new(env);
    let is_ours = |id: &str| JobId::parse(id).is_ok_and(|id| stores.iter().any(|store| store.job(&id).is_some()));
    let (mut lookout, mut lines) = (Lookout::new(env, &is_ours), Lines::new(env));
    let from_copy = |store: &Store, id: &JobId, copied: &Copied| {
        let view = host.view_of_copy(store, id, copied);
        Taken { is_wanted: accept(&view), has_ended: true, what: view }
    };
    let from_dir = |store: &Store, id: &JobId| {
        let view = match store.listed(id, extent) {
            Ok(job) => see(&host, &job?, &mut lines, &mut |subject| lookout.look(subject)),
            Err(error) => View::unreadable(id.clone(), store.kind, &format!("its directory cannot be read: {error}")),
        };
        Some((view.created, Taken { is_wanted: accept(&view), has_ended: !view.is_running(), what: view }))
    };
    merge(stores, last, |store, index, id| Some(from_copy(store, id, &store.copy(index, id)?)), from_dir)
}

/// The ids of jobs, the newest first, at most `last`. Neither the engine nor the rest of a record is needed for them.
///
/// # Errors
/// When the directory of the jobs cannot be read.
pub fn ids(stores: &[Store], extent: Extent, last: usize) -> Result<Vec<JobId>> {
    let taken = |id: &JobId, has_ended| Taken { is_wanted: true, has_ended, what: id.clone() };
    let from_dir = |store: &Store, id: &JobId| {
        let (created, has_ended) = match store.listed(id, extent) {
            Ok(job) => {
                let job = job?;
                (job.record().ok().map(|record| record.created), job.dir.has(EXIT))
            }
            Err(_) => (None, false),
        };
        Some((created, taken(id, has_ended)))
    };
    merge(stores, last, |store, index, id| store.is_listed(index, id).then(|| taken(id, true)), from_dir)
}

/// What was read of a job, and whether it belongs to the list and to the index.
struct Taken<T> {
    is_wanted: bool,
    has_ended: bool,
    what: T,
}

/// A job of a list: when it was asked for, its store, and where that is what was read of it, if the index has not got it.
struct Place {
    created: Option<DateTime<Utc>>,
    id: JobId,
    store: usize,
    seen: Option<usize>,
}

/// How many jobs are looked at in the index at a time, at most.
const BATCH: usize = 1024;

/// Puts the jobs of the index and all others in order, and takes from the newest on until there are enough. `from_index` is
/// `None` where the index is stale.
fn merge<T: Send>(
    stores: &[Store],
    last: usize,
    from_index: impl Fn(&Store, &Index, &JobId) -> Option<Taken<T>> + Sync,
    mut from_dir: impl FnMut(&Store, &JobId) -> Option<(Option<DateTime<Utc>>, Taken<T>)>,
) -> Result<Vec<T>> {
    let indexes: Vec<Index> = stores.iter().map(Store::index).collect();
    let (mut places, mut new) = (VecDeque::new(), vec![Vec::new(); stores.len()]);
    // Places are sorted, so what was read stays outside of them.
    let mut seen = Vec::new();
    for (at, (store, index)) in stores.iter().zip(&indexes).enumerate() {
        for id in store.ids()? {
            if let Some(entry) = index.entry(&id) {
                places.push_back(Place { created: Some(entry.created), id, store: at, seen: None });
            } else if let Some((created, taken)) = from_dir(store, &id) {
                new[at].extend(taken.has_ended.then(|| id.clone()));
                places.push_back(Place { created, id, store: at, seen: Some(seen.len()) });
                seen.push(Some(taken));
            }
        }
    }
    sort(&mut places);
    let (mut found, mut looked) = (Vec::new(), 0);
    while found.len() < last && !places.is_empty() {
        // Only so many as are missing; if few of them are wanted, more and more.
        let size = (last - found.len()).max(looked).min(BATCH).min(places.len());
        looked += size;
        let mut batch: Vec<Place> = places.drain(..size).collect();
        let copies = parallel::map(&batch, |Place { id, store, seen, .. }| match seen {
            Some(_) => None,
            None => from_index(&stores[*store], &indexes[*store], id),
        });
        let mut has_moved = false;
        for (place, copy) in batch.iter_mut().zip(copies).filter(|(place, _)| place.seen.is_none()) {
            place.seen = Some(seen.len());
            if copy.is_some() {
                seen.push(copy);
                continue;
            }
            let read = from_dir(&stores[place.store], &place.id);
            let has_ended = read.as_ref().is_some_and(|(_, taken)| taken.has_ended);
            new[place.store].extend(has_ended.then(|| place.id.clone()));
            // A record that was damaged has no time any more.
            let created = read.as_ref().map_or(place.created, |(created, _)| *created);
            has_moved |= created != place.created;
            place.created = created;
            seen.push(read.map(|(_, taken)| taken));
        }
        if has_moved {
            batch.into_iter().rev().for_each(|place| places.push_front(place));
            sort(&mut places);
            continue;
        }
        let taken = batch.into_iter().filter_map(|place| seen[place.seen?].take()).filter(|taken| taken.is_wanted);
        found.extend(taken.map(|taken| taken.what).take(last - found.len()));
    }
    for (store, new) in stores.iter().zip(new) {
        store.add_to_index(&new);
    }
    Ok(found)
}

/// The newest first.
fn sort(places: &mut VecDeque<Place>) {
    places.make_contiguous().sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
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

    /// The status of a job that has ended, from its copy in the index.
    fn view_of_copy(&self, store: &Store, id: &JobId, copied: &Copied) -> View {
        let record = Record::parse(copied.record()).map_err(Damaged);
        let exit = Exit::parse(copied.exit()).map_err(Damaged);
        let has_extras = |record: &&Record| Extras::are_of(record);
        let extras = record.as_ref().ok().filter(has_extras).and_then(|record| Some(store.job(id)?.extras(record)));
        let facts = Facts::ended(id.clone(), store.kind, record, exit, extras.unwrap_or_default());
        let facts = facts.on_boot(&self.here.boot_id);
        let standing = settled(&facts).unwrap_or_else(|| derive(&facts, &Sighting::Absent));
        View::new(&facts, &standing)
    }

    /// Whether the job was started on another host; a state directory can be moved. If only the name of the host changed,
    /// it is the same host.
    fn is_not_that_of(&self, record: &Record) -> bool {
        record.host != self.name && record.boot_id != self.here.boot_id
    }
}

#[cfg(test)]
#[path = "survey_tests.rs"]
mod tests;
