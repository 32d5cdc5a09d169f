//! Completes what the state directory knows: ids, names, labels and images of jobs. The engine is never asked. A state
//! directory that cannot be read has nothing to offer.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Utc};

use super::line::Line;
use super::queues;
use super::reply::Offer;
use crate::env::Env;
use crate::job::glance::{Glance, Stage, outcome};
use crate::job::record::Kind;
use crate::job::select::{KEYS, STATUSES};
use crate::job::store::Store;
use crate::names::{JobId, without_latest};
use crate::output::ago;

/// How many jobs are looked at, at most.
const MOST: usize = 1000;
/// How many jobs are offered before anything is typed, and of how many that the index has not got the exit record is read for
/// the description. The others have `exited` there.
const MOST_SHOWN: usize = 100;

/// Which jobs a command can use, and in which order they are offered. Newer jobs come before older ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// All.
    All,
    /// Those that run, or of which only the engine knows whether they do.
    Running,
    /// All, those that run first.
    RunningFirst,
    /// All, those that have ended first.
    EndedFirst,
}

/// All jobs of a kind, newest first.
struct Known {
    store: Option<Store>,
    now: DateTime<Utc>,
    jobs: Vec<Glance>,
    outcomes_left: Cell<usize>,
}

impl Known {
    fn read(env: &Env, kind: Kind) -> Self {
        let store = Store::open(env, kind).ok().flatten();
        let mut jobs = store.as_ref().and_then(|store| store.glances(MOST).ok()).unwrap_or_default();
        jobs.sort_by(|a, b| Reverse(a.asked.created).cmp(&Reverse(b.asked.created)).then_with(|| a.id.cmp(&b.id)));
        Self { store, now: env.now(), jobs, outcomes_left: Cell::new(MOST_SHOWN) }
    }

    /// Each job with the name by which it is found: a name means the newest job that has it.
    fn named<'a>(&'a self) -> Vec<(&'a Glance, Option<&'a str>)> {
        let mut seen = HashSet::new();
        let mut name = |job: &'a Glance| job.asked.name.as_deref().filter(|name| seen.insert(*name));
        self.jobs.iter().map(|job| (job, name(job))).collect()
    }

    /// `running, 3 minutes ago`
    fn about(&self, job: &Glance) -> String {
        let status = match job.stage {
            Stage::Running => "running",
            Stage::Ended => self.outcome(job),
            Stage::Open => "unknown",
        };
        join([status, &ago(self.now, job.asked.created)])
    }

    fn outcome(&self, job: &Glance) -> &'static str {
        if let Some(outcome) = job.outcome {
            return outcome.word();
        }
        let Some(left) = self.outcomes_left.get().checked_sub(1) else { return "exited" };
        self.outcomes_left.set(left);
        let job = self.store.as_ref().and_then(|store| store.job(&job.id));
        job.and_then(|job| outcome(&job)).map_or("corrupt", |outcome| outcome.word())
    }
}

/// The ids and names of jobs. Every build has a name, so ids of builds are offered only once a part of one is typed.
pub fn jobs(env: &Env, kind: Kind, fit: Fit, line: &Line, current: &str) -> Vec<Offer> {
    let known = Known::read(env, kind);
    let mut offers = Vec::new();
    let mut named = known.named();
    let is_over = |job: &Glance| job.stage == Stage::Ended;
    let newest = known.jobs.first().map(|job| job.id.clone());
    match fit {
        Fit::All => {}
        Fit::Running => named.retain(|(job, _)| !is_over(job)),
        Fit::RunningFirst => named.sort_by_key(|(job, _)| is_over(job)),
        Fit::EndedFirst => named.sort_by_key(|(job, _)| !is_over(job)),
    }
    if current.is_empty() {
        // Nobody reads a longer list, and the shells need their time for each word of it.
        named.truncate(MOST_SHOWN);
    }
    for (job, name) in named {
        let (id, name) = (job.id.as_str(), name.map(|name| short(kind, name, current)));
        if line.has(id) || name.is_some_and(|name| line.has(name)) {
            continue;
        }
        let name = name.filter(|name| name.starts_with(current));
        let has_id = id.starts_with(current) && (kind == Kind::Run || !current.is_empty());
        if name.is_some() || has_id {
            let about = known.about(job);
            offers.extend(name.map(|name| Offer::new(name, join([id, &about]))));
            let asked = job.asked.name.as_deref().unwrap_or_default();
            offers.extend(has_id.then(|| Offer::new(id, join([asked, &about]))));
        }
        if newest.as_ref() == Some(&job.id) && !line.has("latest") {
            offers.push(Offer::new("latest", format!("the newest {}", kind.word())));
        }
    }
    // `latest` is another word for a job that is already there, so it comes last.
    offers.sort_by_key(|offer| offer.value == "latest");
    offers
}

/// The names of runs that run, for commands that mean their containers.
pub fn running_names(env: &Env, line: &Line, current: &str) -> Vec<Offer> {
    let mut offers = jobs(env, Kind::Run, Fit::Running, line, current);
    offers.retain(|offer| JobId::parse(&offer.value).is_err() && offer.value != "latest");
    offers
}

/// The names of the images that were built before.
pub fn names(env: &Env, kind: Kind, current: &str) -> Vec<Offer> {
    let known = Known::read(env, kind);
    let names = known.named().into_iter().filter_map(|(job, name)| Some((job, name?)));
    names.map(|(job, name)| Offer::new(short(kind, name, current), known.about(job))).collect()
}

/// The labels of jobs, as `KEY=VALUE`; with `KEY` alone too, where that selects.
pub fn labels(env: &Env, kind: Kind, with_keys: bool) -> Vec<Offer> {
    let known = Known::read(env, kind);
    let labels = known.jobs.iter().flat_map(|job| &job.asked.labels);
    let pairs = labels.clone().map(|(key, value)| format!("{key}={value}"));
    let keys = labels.filter(|_| with_keys).map(|(key, _)| key.clone());
    let sorted: BTreeSet<String> = pairs.chain(keys).collect();
    sorted.into_iter().map(|label| Offer::new(label, "")).collect()
}

/// The names of groups, those with the newest runs first.
pub fn groups(env: &Env) -> Vec<Offer> {
    let known = Known::read(env, Kind::Run);
    let mut counted: Vec<(&str, usize, &Glance)> = Vec::new();
    for (job, group) in known.jobs.iter().filter_map(|job| Some((job, job.asked.group.as_deref()?))) {
        match counted.iter_mut().find(|(name, ..)| *name == group) {
            Some((_, count, _)) => *count += 1,
            None => counted.push((group, 1, job)),
        }
    }
    let offer = |(group, count, newest): (&str, usize, &Glance)| {
        let runs = if count == 1 { "1 run".to_owned() } else { format!("{count} runs") };
        Offer::new(group, join([&runs, &ago(known.now, newest.asked.created)]))
    };
    counted.into_iter().map(offer).collect()
}

/// The keys of `--filter`, or the values of the key that is typed.
pub fn filters(env: &Env, kind: Kind, current: &str) -> Vec<Offer> {
    let Some((key, value)) = current.split_once('=') else {
        return KEYS.iter().map(|key| Offer::new(format!("{key}="), "")).collect();
    };
    let values = match key {
        "status" | "outcome" => plain(STATUSES.iter().copied()),
        "label" => labels(env, kind, true),
        "name" => names(env, kind, value),
        "image" => images(env, kind),
        "id" => ids(env, kind),
        "queue" => plain(queues::names(env).iter().map(String::as_str)),
        "group" if kind == Kind::Run => groups(env),
        _ => Vec::new(),
    };
    prefixed(key, values)
}

fn images(env: &Env, kind: Kind) -> Vec<Offer> {
    let known = Known::read(env, kind);
    let images: BTreeSet<&str> = known.jobs.iter().filter_map(|job| job.asked.image.as_deref()).collect();
    plain(images)
}

fn ids(env: &Env, kind: Kind) -> Vec<Offer> {
    let known = Known::read(env, kind);
    known.jobs.iter().map(|job| Offer::new(job.id.as_str(), known.about(job))).collect()
}

/// Words that need no description.
pub fn plain<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<Offer> {
    words.into_iter().map(|word| Offer::new(word, "")).collect()
}

/// `KEY=` before each.
pub fn prefixed(key: &str, offers: Vec<Offer>) -> Vec<Offer> {
    let put = |offer: Offer| Offer { value: format!("{key}={}", offer.value), ..offer };
    offers.into_iter().map(put).collect()
}

/// People write `web` for the image `web:latest`.
fn short<'a>(kind: Kind, name: &'a str, current: &str) -> &'a str {
    let bare = without_latest(name);
    if kind == Kind::Build && bare.starts_with(current) { bare } else { name }
}

fn join<const N: usize>(words: [&str; N]) -> String {
    let said: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    said.join(", ")
}
