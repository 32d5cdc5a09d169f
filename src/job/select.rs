//! Finds jobs by id, prefix or name, and filters lists of jobs. Pure, except for look-ups in a store.

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::Job;
use super::gone::Gone;
use super::record::Kind;
use super::store::{Extent, Store};
use super::view::View;
use crate::env::Env;
use crate::error::{self, Failure};
use crate::names::{ImageName, JobId, JobName, Label, nearest, without_latest};
use crate::terminal::escape_value;

/// Finds the job: `latest`, a name, an id or a unique prefix of one. A job that was forgotten while it ran has only its id.
///
/// # Errors
/// [`error::Kind::NotFound`], or [`error::Kind::Ambiguous`] with the ids that match.
pub fn find(env: &Env, kind: Kind, typed: &str) -> Result<(Store, Job)> {
    let Some(store) = Store::open(env, kind)? else { return Err(unknown(kind, typed, None).into()) };
    let job = resolve(&store, typed, env.now())?;
    Ok((store, job))
}

fn resolve(store: &Store, typed: &str, now: DateTime<Utc>) -> Result<Job> {
    if typed == "latest" {
        return store.latest().ok_or_else(|| unknown(store.kind, typed, None).into());
    }
    if let Some(job) = JobId::parse(typed).ok().and_then(|id| store.job(&id)) {
        return Ok(job);
    }
    let named = full_name(store.kind, typed).and_then(|name| store.named(&name));
    if let Some(job) = named.filter(|job| !job.is_forgotten()) {
        return Ok(job);
    }
    if !JobId::is_prefix(typed) {
        return Err(not_found(store, typed, now));
    }
    let fits = store.ids()?.into_iter().filter(|id| id.as_str().starts_with(typed));
    let mut fits: Vec<Job> = fits.filter_map(|id| store.job(&id)).collect();
    match fits.len() {
        0 => Err(not_found(store, typed, now)),
        1 => Ok(fits.remove(0)),
        count => {
            fits.sort_by(|a, b| a.id.cmp(&b.id));
            let shown: Vec<&str> = fits.iter().take(10).map(|job| job.id.as_str()).collect();
            let more = if count > 10 { format!(" and {} more", count - 10) } else { String::new() };
            let message = format!("{typed:?} matches {count} {}s: {}{more}", store.kind.word(), shown.join(", "));
            Err(Failure::new(error::Kind::Ambiguous, message).hint("type more characters of the id").into())
        }
    }
}

/// The full name of a job. For a build, `web` means `web:latest`.
fn full_name(kind: Kind, typed: &str) -> Option<String> {
    match kind {
        Kind::Build => ImageName::parse(typed).ok().map(|name| name.normalized()),
        Kind::Run => JobName::parse(typed).ok().map(String::from),
    }
}

/// What became of a job that was removed. Of one that never was, the names of all jobs are read, to find one that could
/// have been meant.
fn not_found(store: &Store, typed: &str, now: DateTime<Utc>) -> anyhow::Error {
    let name = full_name(store.kind, typed).map(|name| match store.kind {
        Kind::Build => without_latest(&name).to_owned(),
        Kind::Run => name,
    });
    if let Some(gone) = store.gone(typed, name.as_deref(), now) {
        return removed(&gone, now).into();
    }
    let (mut names, mut ids) = (Vec::new(), Vec::new());
    for job in store.all(Extent::Remembered).into_iter().flatten().flatten() {
        names.extend(job.record().ok().and_then(|record| record.name));
        ids.push(job.id);
    }
    unknown(store.kind, typed, meant(typed, &names, &ids)).into()
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
    let hint = format!("its log and record are gone; list the others with: {}", list(gone.kind));
    Failure { job: serde_json::to_value(gone).ok().map(Box::new), ..failure.hint(hint) }
}

fn list(kind: Kind) -> &'static str {
    match kind {
        Kind::Build => "longshore image builds",
        Kind::Run => "longshore exec list",
    }
}

fn unknown(kind: Kind, typed: &str, meant: Option<&str>) -> Failure {
    let list = list(kind);
    let message = match typed {
        "latest" => format!("there is no {} yet", kind.word()),
        _ => format!("there is no {} \"{}\"", kind.word(), escape_value(typed)),
    };
    let meant = meant.map(|meant| format!("did you mean {meant:?}? ")).unwrap_or_default();
    Failure::new(error::Kind::NotFound, message).hint(format!("{meant}list them with: {list}"))
}

/// The keys of `--filter`.
pub const KEYS: [&str; 6] = ["id", "image", "label", "name", "outcome", "status"];

/// The statuses and outcomes that select jobs.
pub const STATUSES: [&str; 9] =
    ["running", "exited", "succeeded", "failed", "cancelled", "timeout", "lost", "unknown", "corrupt"];

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

    /// Whether a job matches.
    #[must_use]
    pub fn accept(&self, view: &View) -> bool {
        [Key::Status, Key::Label, Key::Name, Key::Image, Key::Id].into_iter().all(|key| {
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
        let hint = unknown(Kind::Run, "reprt", Some("report")).hint.unwrap();
        assert_eq!(hint, "did you mean \"report\"? list them with: longshore exec list");
    }
}
