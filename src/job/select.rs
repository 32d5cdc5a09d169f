//! Finds jobs by id, prefix or name, and filters lists of jobs. Pure, except for look-ups in a store.

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::Job;
use super::gone::Gone;
use super::record::Kind;
use super::store::Store;
use super::view::View;
use crate::env::Env;
use crate::error::{self, Failure};
use crate::names::{GroupName, ImageName, JobId, JobName, Label, nearest, without_latest};
use crate::terminal::escape_value;

/// Where a job is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Among the jobs of one kind.
    Only(Kind),
    /// Among builds and runs.
    Both,
}

impl Scope {
    /// The kinds, in the order in which they are named.
    #[must_use]
    pub fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Only(Kind::Build) => &[Kind::Build],
            Self::Only(Kind::Run) => &[Kind::Run],
            Self::Both => &[Kind::Build, Kind::Run],
        }
    }

    /// `build`, `run`, `build or run`
    fn words(self) -> String {
        self.kinds().iter().map(|kind| kind.word()).collect::<Vec<_>>().join(" or ")
    }

    /// The command that lists them.
    fn list(self) -> &'static str {
        match self {
            Self::Only(Kind::Build) => "longshore image builds",
            Self::Only(Kind::Run) => "longshore exec list",
            Self::Both => "longshore ps",
        }
    }

    /// The directories of these kinds that there are.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn stores(self, env: &Env) -> Result<Vec<Store>> {
        self.kinds().iter().filter_map(|kind| Store::open(env, *kind).transpose()).collect()
    }

    /// Finds the job: `latest`, a name, an id or a unique prefix of one. A job that was forgotten while it ran has only its
    /// id. `verb` is the command's, for the advice when a name is that of a build and of a run.
    ///
    /// # Errors
    /// [`error::Kind::NotFound`], or [`error::Kind::Ambiguous`] with what matches.
    pub fn find(self, env: &Env, typed: &str, verb: impl Fn(Kind) -> &'static str) -> Result<Job> {
        let stores = self.stores(env)?;
        let (store, id) = self.resolve(&stores, typed, env.now(), &verb)?;
        store.job(&id).ok_or_else(|| self.unknown(typed, None).into())
    }

    fn resolve<'a>(
        self,
        stores: &'a [Store],
        typed: &str,
        now: DateTime<Utc>,
        verb: &dyn Fn(Kind) -> &'static str,
    ) -> Result<(&'a Store, JobId)> {
        if typed == "latest" {
            let newest = stores.iter().filter_map(|store| Some((store, store.latest()?)));
            let newest = newest.max_by_key(|(_, job)| job.created());
            return newest.map(|(store, job)| (store, job.id)).ok_or_else(|| self.unknown(typed, None).into());
        }
        if let Ok(id) = JobId::parse(typed)
            && let Some(store) = stores.iter().find(|store| store.job(&id).is_some())
        {
            return Ok((store, id));
        }
        let named = |store: &'a Store| {
            let job = store.named(&full_name(store.kind, typed)?)?;
            (!job.is_forgotten()).then_some((store, job.id))
        };
        match &stores.iter().filter_map(named).collect::<Vec<_>>()[..] {
            [] => self.by_prefix(stores, typed, now),
            [(store, id)] => Ok((store, id.clone())),
            several => Err(same_name(typed, several, verb).into()),
        }
    }

    fn by_prefix<'a>(self, stores: &'a [Store], typed: &str, now: DateTime<Utc>) -> Result<(&'a Store, JobId)> {
        if !JobId::is_prefix(typed) {
            return Err(self.not_found(stores, typed, now));
        }
        let mut fits = Vec::new();
        for store in stores {
            let begins = store.ids_from(typed)?.into_iter();
            fits.extend(begins.filter(|id| store.job(id).is_some()).map(|id| (store, id)));
        }
        match fits.len() {
            0 => Err(self.not_found(stores, typed, now)),
            1 => Ok(fits.remove(0)),
            count => {
                fits.sort_by(|(_, a), (_, b)| a.cmp(b));
                let shown: Vec<&str> = fits.iter().take(10).map(|(_, id)| id.as_str()).collect();
                let more = if count > 10 { format!(" and {} more", count - 10) } else { String::new() };
                let what = if stores.len() == 1 { format!("{}s", stores[0].kind.word()) } else { "jobs".to_owned() };
                let message = format!("{typed:?} matches {count} {what}: {}{more}", shown.join(", "));
                Err(Failure::new(error::Kind::Ambiguous, message).hint("type more characters of the id").into())
            }
        }
    }

    /// What became of a job that was removed. Of one that never was, the names of all jobs are read, to find one that could
    /// have been meant.
    fn not_found(self, stores: &[Store], typed: &str, now: DateTime<Utc>) -> anyhow::Error {
        let gone = stores.iter().filter_map(|store| store.gone(typed, shown_name(store.kind, typed).as_deref(), now));
        if let Some(gone) = gone.max_by_key(|gone| gone.removed) {
            return removed(&gone, now).into();
        }
        self.unknown(typed, near(stores, typed).as_deref()).into()
    }

    fn unknown(self, typed: &str, meant: Option<&str>) -> Failure {
        let words = self.words();
        let message = match typed {
            "latest" => format!("there is no {words} yet"),
            _ => format!("there is no {words} \"{}\"", escape_value(typed)),
        };
        let meant = meant.map(|meant| format!("did you mean {meant:?}? ")).unwrap_or_default();
        Failure::new(error::Kind::NotFound, message).hint(format!("{meant}list them with: {}", self.list()))
    }
}

/// Finds the job of one kind, and where it is.
///
/// # Errors
/// As [`Scope::find`].
pub fn find(env: &Env, kind: Kind, typed: &str) -> Result<(Store, Job)> {
    let scope = Scope::Only(kind);
    let Some(store) = Store::open(env, kind)? else { return Err(scope.unknown(typed, None).into()) };
    let (_, id) = scope.resolve(std::slice::from_ref(&store), typed, env.now(), &|kind| kind.noun())?;
    let job = store.job(&id).ok_or_else(|| scope.unknown(typed, None))?;
    Ok((store, job))
}

/// The name of a job that is nearest to what was typed, or its id.
fn near(stores: &[Store], typed: &str) -> Option<String> {
    let (mut names, mut ids) = (Vec::new(), Vec::new());
    for job in stores.iter().filter_map(|store| store.glances(usize::MAX).ok()).flatten() {
        names.extend(job.asked.name);
        ids.push(job.id);
    }
    meant(typed, &names, &ids).map(str::to_owned)
}

/// The run that could have been meant by a word that names none.
#[must_use]
pub fn nearest_run(env: &Env, typed: &str) -> Option<String> {
    near(&Scope::Only(Kind::Run).stores(env).ok()?, typed)
}

fn same_name(typed: &str, several: &[(&Store, JobId)], verb: &dyn Fn(Kind) -> &'static str) -> Failure {
    let jobs: Vec<String> = several.iter().map(|(store, id)| format!("a {} ({id})", store.kind.word())).collect();
    let message = format!("\"{}\" is the name of {}", escape_value(typed), jobs.join(" and of "));
    let ways = several.iter().map(|(store, _)| format!("longshore {} {} {typed}", store.kind.noun(), verb(store.kind)));
    Failure::new(error::Kind::Ambiguous, message).hint(format!("use: {}", ways.collect::<Vec<_>>().join("   or: ")))
}

/// The full name of a job. For a build, `web` means `web:latest`.
fn full_name(kind: Kind, typed: &str) -> Option<String> {
    match kind {
        Kind::Build => ImageName::parse(typed).ok().map(|name| name.normalized()),
        Kind::Run => JobName::parse(typed).ok().map(String::from),
    }
}

/// The name as it is shown.
fn shown_name(kind: Kind, typed: &str) -> Option<String> {
    full_name(kind, typed).map(|name| without_latest(&name).to_owned())
}

/// The name that is nearest to what was typed, or the only id that begins with it but for one character. Fewer than four
/// characters are too little to tell.
fn meant<'a>(typed: &str, names: &'a [String], ids: &'a [JobId]) -> Option<&'a str> {
    let short: Vec<&str> = names.iter().map(|name| without_latest(name)).collect();
    let begins = |id: &&JobId| {
        let start = id.as_str().get(..typed.len()).unwrap_or(id.as_str());
        typed.len() >= 4 && strsim::damerau_levenshtein(start, typed) == 1
    };
    let mut near = ids.iter().filter(begins);
    let only = near.next().filter(|_| near.next().is_none());
    nearest(typed, &short).or(only.map(JobId::as_str))
}

/// The failure to find a job that was removed.
#[must_use]
pub fn removed(gone: &Gone, now: DateTime<Utc>) -> Failure {
    let failure = Failure::new(error::Kind::NotFound, gone.sentence(now));
    let list = Scope::Only(gone.kind).list();
    let hint = format!("its log and record are gone; list the others with: {list}");
    Failure { job: serde_json::to_value(gone).ok().map(Box::new), ..failure.hint(hint) }
}

/// The keys of `--filter`.
pub const KEYS: [&str; 8] = ["group", "id", "image", "label", "name", "outcome", "queue", "status"];

/// The statuses and outcomes that select jobs.
pub const STATUSES: [&str; 11] = [
    "queued",
    "running",
    "exited",
    "succeeded",
    "failed",
    "cancelled",
    "timeout",
    "skipped",
    "lost",
    "unknown",
    "corrupt",
];

/// Selects the jobs of a list. One value of each key must match.
#[derive(Debug, Default)]
pub struct Filters(Vec<(Key, String)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Status,
    Label,
    Name,
    Image,
    Id,
    Queue,
    Group,
}

impl Filters {
    /// Reads `--filter KEY=VALUE` and `--status WORD` flags.
    ///
    /// # Errors
    /// A usage error that names the known keys or statuses.
    pub fn parse(filters: &[String], statuses: &[String]) -> Result<Self> {
        let mut parsed = Vec::new();
        for filter in filters {
            let Some((key, value)) = filter.split_once('=') else {
                return Err(
                    Failure::usage(format!("invalid filter {filter:?}: it must have the form KEY=VALUE")).into()
                );
            };
            let key = match key {
                "status" | "outcome" => Key::Status,
                "label" => Key::Label,
                "name" => Key::Name,
                "image" => Key::Image,
                "id" => Key::Id,
                "queue" => Key::Queue,
                "group" => Key::Group,
                _ => {
                    return Err(Failure::usage(format!("invalid filter {filter:?}: unknown key {key:?}"))
                        .hint(format!("the keys are: {}", KEYS.join(", ")))
                        .into());
                }
            };
            parsed.push((key, value.to_owned()));
        }
        parsed.extend(statuses.iter().map(|status| (Key::Status, status.clone())));
        for (key, value) in &parsed {
            if *key == Key::Status && !STATUSES.contains(&value.as_str()) {
                return Err(Failure::usage(format!("invalid status {value:?}"))
                    .hint(format!("use one of: {}", STATUSES.join(", ")))
                    .into());
            }
        }
        Ok(Self(parsed))
    }

    /// The same, and one of these groups if there are any.
    #[must_use]
    pub fn in_groups(mut self, groups: &[GroupName]) -> Self {
        self.0.extend(groups.iter().map(|group| (Key::Group, group.to_string())));
        self
    }

    /// Whether every job matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a job matches.
    #[must_use]
    pub fn accept(&self, view: &View) -> bool {
        [Key::Status, Key::Label, Key::Name, Key::Image, Key::Id, Key::Queue, Key::Group].into_iter().all(|key| {
            let mut values = self.0.iter().filter(|(wanted, _)| *wanted == key).peekable();
            values.peek().is_none() || values.any(|(_, value)| fits(view, key, value))
        })
    }
}

fn fits(view: &View, key: Key, value: &str) -> bool {
    let contains = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains(value));
    match key {
        Key::Status => view.status == value || view.outcome.is_some_and(|outcome| outcome.word() == value),
        // `:latest` may be typed, and is not shown.
        Key::Name => match view.kind {
            Kind::Build => contains(&view.name.as_deref().and_then(|name| full_name(Kind::Build, name))),
            Kind::Run => contains(&view.name),
        },
        Key::Image => {
            let value = without_latest(value);
            view.image.as_ref().is_some_and(|image| image == value || image.starts_with(&format!("{value}:")))
        }
        Key::Queue => view.queue.as_deref() == Some(value),
        Key::Group => view.group.as_deref() == Some(value),
        Key::Id => view.id.as_str().starts_with(value),
        Key::Label => match Label::parse(value) {
            Ok(label) => view.labels.get(label.key.as_str()) == Some(&label.value),
            Err(_) => view.labels.contains_key(value),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_or_an_id_that_could_have_been_meant_is_found() {
        let names = ["report", "web:latest", "web:v2", "nightly"].map(str::to_owned);
        let ids = ["7hfn5ytf0bm4", "2s68zzzzzzzz", "2s69zzzzzzzz"].map(|id| JobId::parse(id).unwrap());
        for (typed, wanted) in [
            ("reprt", Some("report")),
            ("Report", Some("report")),
            ("wbe", Some("web")),
            ("web:v3", Some("web:v2")),
            ("7hnf5ytf0bm4", Some("7hfn5ytf0bm4")),
            ("7hfm", Some("7hfn5ytf0bm4")),
            // Two are as near, and too little was typed.
            ("2s67", None),
            ("7hm", None),
            ("something-else", None),
        ] {
            assert_eq!(meant(typed, &names, &ids), wanted, "{typed}");
        }
        assert_eq!(meant("web", &[], &[]), None);
    }

    #[test]
    fn what_could_have_been_meant_stands_in_the_hint() {
        let hint = |scope: Scope| scope.unknown("reprt", Some("report")).hint.unwrap();
        assert_eq!(hint(Scope::Only(Kind::Run)), "did you mean \"report\"? list them with: longshore exec list");
        assert_eq!(hint(Scope::Both), "did you mean \"report\"? list them with: longshore ps");
    }
}
