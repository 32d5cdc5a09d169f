//! The current status of jobs: from the files and locks of their directories and, only if these are not enough, from
//! the engine. This module only reads, and adds to the index what it had to read from many directories.

mod queued;

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

/// A job of a list: when it was asked for, and its store.
struct Place<T> {
    created: Option<DateTime<Utc>>,
    id: JobId,
    store: usize,
    seen: Seen<T>,
}

/// What was read of a job. It is in a box, because places are sorted.
enum Seen<T> {
    /// It was not looked at.
    NotYet,
    /// It is hidden or gone.
    Nothing,
    /// This.
    Job(Box<Taken<T>>),
}

/// How many jobs are looked at in the index at a time, at most.
const BATCH: usize = 4096;

/// Puts the jobs of the index and all others in order, and takes from the newest on until there are enough. `from_index` is
/// `None` where the index is stale.
fn merge<T: Send + Sync>(
    stores: &[Store],
    last: usize,
    from_index: impl Fn(&Store, &Index, &JobId) -> Option<Taken<T>> + Sync,
    mut from_dir: impl FnMut(&Store, &JobId) -> Option<(Option<DateTime<Utc>>, Taken<T>)>,
) -> Result<Vec<T>> {
    let indexes: Vec<Index> = stores.iter().map(Store::index).collect();
    let (mut places, mut new) = (Vec::new(), vec![Vec::new(); stores.len()]);
    for (at, (store, index)) in stores.iter().zip(&indexes).enumerate() {
        for id in store.ids()? {
            if let Some(entry) = index.entry(&id) {
                places.push(Place { created: Some(entry.created), id, store: at, seen: Seen::NotYet });
            } else if let Some((created, taken)) = from_dir(store, &id) {
                new[at].extend(taken.has_ended.then(|| id.clone()));
                places.push(Place { created, id, store: at, seen: Seen::Job(Box::new(taken)) });
            }
        }
    }
    let (mut found, mut looked) = (Vec::new(), 0);
    while found.len() < last && !places.is_empty() {
        // Only so many as are missing; if few of them are wanted, more and more.
        let size = (last - found.len()).max(looked).min(BATCH);
        let mut batch = take_newest(&mut places, size);
        looked += batch.len();
        let copies = parallel::map(&batch, |Place { id, store, seen, .. }| match seen {
            Seen::NotYet => from_index(&stores[*store], &indexes[*store], id).map(Box::new),
            Seen::Nothing | Seen::Job(_) => None,
        });
        let mut has_moved = false;
        for (place, copy) in batch.iter_mut().zip(copies).filter(|(place, _)| matches!(place.seen, Seen::NotYet)) {
            if let Some(copy) = copy {
                place.seen = Seen::Job(copy);
                continue;
            }
            let read = from_dir(&stores[place.store], &place.id);
            let has_ended = read.as_ref().is_some_and(|(_, taken)| taken.has_ended);
            new[place.store].extend(has_ended.then(|| place.id.clone()));
            // A record that was damaged has no time any more.
            let created = read.as_ref().map_or(place.created, |(created, _)| *created);
            has_moved |= created != place.created;
            place.created = created;
            place.seen = read.map_or(Seen::Nothing, |(_, taken)| Seen::Job(Box::new(taken)));
        }
        if has_moved {
            places.extend(batch);
            continue;
        }
        let taken = batch.into_iter().filter_map(|place| match place.seen {
            Seen::Job(taken) if taken.is_wanted => Some(taken.what),
            _ => None,
        });
        found.extend(taken.take(last - found.len()));
    }
    for (store, new) in stores.iter().zip(new) {
        store.add_to_index(&new);
    }
    Ok(found)
}

/// Takes at most so many of the newest out of the places, the newest first. The others are not put in order: of thousands, a short
/// list needs a few.
fn take_newest<T>(places: &mut Vec<Place<T>>, count: usize) -> Vec<Place<T>> {
    let order = |a: &Place<T>, b: &Place<T>| {
        b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)).then_with(|| a.store.cmp(&b.store))
    };
    let rest = places.len().saturating_sub(count);
    if rest > 0 {
        places.select_nth_unstable_by(rest, |a, b| order(b, a));
    }
    let mut newest = places.split_off(rest);
    newest.sort_unstable_by(order);
    newest
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
