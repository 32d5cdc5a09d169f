//! Finds jobs by id, prefix or name, and filters lists of jobs. Pure, except for look-ups in a store.

use anyhow::Result;

use super::FORGOTTEN;
use super::Job;
use super::record::Kind;
use super::store::Store;
use super::view::View;
use crate::env::Env;
use crate::error::{self, Failure};
use crate::names::{ImageName, JobId, JobName, Label};
use crate::terminal::escape_value;

/// Finds the job: `latest`, a name, an id or a unique prefix of one.
///
/// # Errors
/// [`error::Kind::NotFound`], or [`error::Kind::Ambiguous`] with the ids that match.
pub fn find(env: &Env, kind: Kind, typed: &str) -> Result<(Store, Job)> {
    let Some(store) = Store::open(env, kind)? else { return Err(unknown(kind, typed).into()) };
    let job = resolve(&store, typed)?;
    Ok((store, job))
}

fn resolve(store: &Store, typed: &str) -> Result<Job> {
    if typed == "latest" {
        return store.latest().ok_or_else(|| unknown(store.kind, typed).into());
    }
    let heard_of = |job: &Job| !job.dir.has(FORGOTTEN);
    // No process cleans up a forgotten job whose supervisor was killed. It can be forgotten again by its id.
    let reachable = |job: &Job| heard_of(job) || job.has_ended();
    if let Some(job) = JobId::parse(typed).ok().and_then(|id| store.job(&id)).filter(reachable) {
        return Ok(job);
    }
    if let Some(job) = full_name(store.kind, typed).and_then(|name| store.named(&name)).filter(heard_of) {
        return Ok(job);
    }
    if !JobId::is_prefix(typed) {
        return Err(unknown(store.kind, typed).into());
    }
    let fits = store.ids()?.into_iter().filter(|id| id.as_str().starts_with(typed));
    let mut fits: Vec<Job> = fits.filter_map(|id| store.job(&id)).filter(heard_of).collect();
    match fits.len() {
        0 => Err(unknown(store.kind, typed).into()),
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

fn unknown(kind: Kind, typed: &str) -> Failure {
    let list = match kind {
        Kind::Build => "longshore image builds",
        Kind::Run => "longshore exec list",
    };
    let message = match typed {
        "latest" => format!("there is no {} yet", kind.word()),
        _ => format!("there is no {} {:?}", kind.word(), escape_value(typed)),
    };
    Failure::new(error::Kind::NotFound, message).hint(format!("list them with: {list}"))
}

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
                        .hint("the keys are: id, image, label, name, outcome, status")
                        .into());
                }
            };
            parsed.push((key, value.to_owned()));
        }
        parsed.extend(statuses.iter().map(|status| (Key::Status, status.clone())));
        const WORDS: [&str; 9] =
            ["running", "exited", "succeeded", "failed", "cancelled", "timeout", "lost", "unknown", "corrupt"];
        for (key, value) in &parsed {
            if *key == Key::Status && !WORDS.contains(&value.as_str()) {
                return Err(Failure::usage(format!("invalid status {value:?}"))
                    .hint(format!("use one of: {}", WORDS.join(", ")))
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
        Key::Name => contains(&view.name),
        Key::Image => {
            view.image.as_ref().is_some_and(|image| image == value || image.starts_with(&format!("{value}:")))
        }
        Key::Id => view.id.as_str().starts_with(value),
        Key::Label => match Label::parse(value) {
            Ok(label) => view.labels.get(label.key.as_str()) == Some(&label.value),
            Err(_) => view.labels.contains_key(value),
        },
    }
}
