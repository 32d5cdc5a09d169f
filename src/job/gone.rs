//! What is kept of a job that was removed: one line, for thirty days, so that its id and its name are not merely unknown.
//!
//! `STATE/.gone/<day>` has a line for each job that was removed on that day (UTC). Lines are read only when a job was not
//! found, so their number makes no other command slower. Days are removed whole. This is not the tombstone of a container,
//! which is a duty that every sweep looks at.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::Job;
use super::record::{Exit, FORMAT, Kind, Outcome, Record};
use crate::fs::Dir;
use crate::names::JobId;

const PLACE: &str = ".gone";
const DAYS: i64 = 30;
/// The most that is read of one day.
const MOST: u64 = 64 << 20;

/// Why a job was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// By `forget`.
    Forgotten,
    /// By `prune`.
    Pruned,
    /// A build, by a newer build of the same name.
    Replaced,
}

impl How {
    fn sentence(self) -> &'static str {
        match self {
            Self::Forgotten => "was forgotten",
            Self::Pruned => "was pruned",
            Self::Replaced => "was replaced by a newer build of that name",
        }
    }
}

/// A job that was removed, and how it had ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Gone {
    /// The job's id.
    #[cfg_attr(test, schemars(schema_with = "crate::schemas::job_id"))]
    pub id: JobId,
    /// `build` or `run`.
    pub kind: Kind,
    /// The run's name, or the name of the image, without the tag `latest`.
    pub name: Option<String>,
    /// How it had ended.
    pub outcome: Outcome,
    /// The program's or the build's exit code, if it was known.
    pub exit_code: Option<i32>,
    /// When it had ended (RFC 3339, UTC).
    pub finished: Option<DateTime<Utc>>,
    /// When it was removed.
    pub removed: DateTime<Utc>,
    /// By what it was removed.
    pub how: How,
}

/// As it is stored.
#[derive(Serialize, Deserialize)]
struct Line {
    format: u32,
    #[serde(flatten)]
    gone: Gone,
}

impl Gone {
    /// What will be known of this job, whose files are still there. An end that was not recorded is unknown.
    #[must_use]
    pub fn of(job: &Job, how: How, now: DateTime<Utc>) -> Self {
        let record = job.record().ok();
        let end = match job.exit() {
            Some(Ok(exit)) => exit,
            None if record.is_some() => Exit::new(Outcome::Unknown),
            Some(Err(_)) | None => Exit::new(Outcome::Corrupt),
        };
        Self {
            id: job.id.clone(),
            kind: job.kind,
            name: record.as_ref().and_then(Record::shown_name),
            outcome: end.outcome,
            exit_code: end.exit_code,
            finished: end.finished,
            removed: now,
            how,
        }
    }

    /// Reads a line of a day.
    ///
    /// # Errors
    /// When it is damaged, or of a newer format.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let Line { format, gone } = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        if (1..=FORMAT).contains(&format) { Ok(gone) } else { Err(format!("has format {format}")) }
    }

    /// The line that is stored, without a line end.
    #[must_use]
    pub fn line(&self) -> String {
        serde_json::to_string(&Line { format: FORMAT, gone: self.clone() }).unwrap_or_default()
    }

    /// `run "report" (7hfn5ytf0bm4) was forgotten 3 days ago (it had succeeded, exit code 0)`
    #[must_use]
    pub fn sentence(&self, now: DateTime<Utc>) -> String {
        let job = match &self.name {
            Some(name) => format!("{} {name:?} ({})", self.kind.word(), self.id),
            None => format!("{} {}", self.kind.word(), self.id),
        };
        let age = crate::units::ago((now - self.removed).num_seconds());
        // docker's words for an age begin a sentence.
        let age = age.replacen("About", "about", 1).replacen("Less", "less", 1);
        format!("{job} {} {age} ({})", self.how.sentence(), self.end())
    }

    fn end(&self) -> String {
        let end = match self.outcome {
            Outcome::Succeeded => "it had succeeded",
            Outcome::Failed => "it had failed",
            Outcome::Cancelled => "it had been cancelled",
            Outcome::Timeout => "its time limit had passed",
            Outcome::Skipped => "it had been skipped",
            Outcome::Lost => "its exit code was lost",
            Outcome::Unknown => "its end was not known",
            Outcome::Corrupt => "its record could not be read",
        };
        // The code of a build says no more than its outcome.
        match self.exit_code.filter(|_| self.kind == Kind::Run) {
            Some(code) => format!("{end}, exit code {code}"),
            None => end.to_owned(),
        }
    }

    fn is_kept(&self, now: DateTime<Utc>) -> bool {
        now - self.removed <= TimeDelta::days(DAYS)
    }
}

/// Adds a line. The lock on the names must be held.
pub(super) fn remember(root: &Dir, gone: &Gone) -> io::Result<()> {
    root.make_subdir(PLACE)?.append_line(&gone.removed.date_naive().to_string(), &gone.line())
}

/// The job of this kind that was removed and had this id, this name, or an id of which this is the only beginning.
pub(super) fn find(root: &Dir, kind: Kind, typed: &str, name: Option<&str>, now: DateTime<Utc>) -> Option<Gone> {
    let prefix = JobId::is_prefix(typed).then(|| format!("\"id\":\"{typed}"));
    let text = |name: &str| serde_json::to_string(name).ok().map(|name| format!("\"name\":{name}"));
    let named = name.and_then(text);
    // Most lines are passed over without being parsed.
    let may_fit = |line: &str| [&prefix, &named].into_iter().flatten().any(|part| line.contains(part.as_str()));
    let (mut begins, mut newest) = (BTreeMap::new(), None::<Gone>);
    for line in lines(root) {
        let Some(line) = std::str::from_utf8(&line).ok().filter(|line| may_fit(line)) else { continue };
        let Ok(gone) = Gone::parse(line.as_bytes()) else { continue };
        if gone.kind != kind || !gone.is_kept(now) {
            continue;
        }
        if gone.id.as_str() == typed {
            return Some(gone);
        }
        if gone.name.as_deref() == name
            && name.is_some()
            && newest.as_ref().is_none_or(|known| known.removed <= gone.removed)
        {
            newest = Some(gone.clone());
        }
        if prefix.is_some() && gone.id.as_str().starts_with(typed) {
            begins.insert(gone.id.clone(), gone);
        }
    }
    newest.or_else(|| begins.pop_first().filter(|_| begins.is_empty()).map(|(_, gone)| gone))
}

/// The lines of all days; those that cannot be read are left out.
fn lines(root: &Dir) -> impl Iterator<Item = Vec<u8>> {
    let place = root.subdir(PLACE).ok();
    let days = place.as_ref().and_then(|place| place.names().ok()).unwrap_or_default();
    let files = days.into_iter().filter_map(move |day| place.as_ref()?.open_file(&day).ok());
    files.flat_map(|file| BufReader::new(file.take(MOST)).split(b'\n').map_while(Result::ok))
}

/// Removes the days that are over, and those that are as far in the future because a clock was wrong.
pub(super) fn sweep(root: &Dir, now: DateTime<Utc>) {
    let Ok(place) = root.subdir(PLACE) else { return };
    let is_over = |name: &str| {
        let day = name.parse::<NaiveDate>().ok();
        day.is_some_and(|day| (now.date_naive() - day).num_days().abs() > DAYS)
    };
    for day in place.names().unwrap_or_default().iter().filter(|name| is_over(name)) {
        let _ = place.remove(day);
    }
}

#[cfg(test)]
#[path = "gone_tests.rs"]
mod tests;
