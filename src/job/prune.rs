//! Which of many jobs may be removed. Pure: the jobs as they stand and the time are arguments.
//!
//! A job goes only if it is known to have ended. One whose status is unknown may still run. A record that cannot be read
//! proves no end, so such a job goes only if its status was asked for.

use std::cmp::Reverse;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::record::{Kind, Outcome};
use super::view::View;

/// The statuses by which jobs can be removed.
pub const STATUSES: [&str; 8] = ["exited", "succeeded", "failed", "cancelled", "timeout", "skipped", "lost", "corrupt"];

/// Which jobs are to be removed. Without any limit: all that have ended.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Only with one of these of [`STATUSES`]; with none, with any.
    pub statuses: Vec<String>,
    /// So many of the newest stay, of each kind, counted among those with one of the statuses.
    pub keep_last: usize,
    /// Only those that ended so long ago.
    pub older_than: Option<Duration>,
}

/// Why a job stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stay {
    /// It runs.
    Running,
    /// It may run: its engine cannot be asked now.
    Unknown,
    /// Its output was not fetched: its container has the only copy.
    Unfetched,
    /// Its record cannot be read, and that status was not asked for.
    Corrupt,
    /// It has another status.
    Status,
    /// It is one of the newest.
    Newest,
    /// It has not ended so long ago, or it is not known when it ended.
    Young,
}

impl Wanted {
    /// Why a job stays whatever its age and the other jobs are; `None` if it may go.
    #[must_use]
    pub fn refusal(&self, view: &View) -> Option<Stay> {
        let asks_for = |status: &str| self.statuses.iter().any(|wanted| wanted == status);
        let outcome = match view.outcome {
            None => return Some(Stay::Running),
            Some(Outcome::Unknown) => return Some(Stay::Unknown),
            Some(_) if view.unfetched => return Some(Stay::Unfetched),
            Some(outcome) => outcome,
        };
        if asks_for(outcome.word()) {
            return None;
        }
        let may_go = self.statuses.is_empty() || asks_for("exited");
        match outcome {
            Outcome::Corrupt if may_go => Some(Stay::Corrupt),
            _ => (!may_go).then_some(Stay::Status),
        }
    }

    /// Why a job that was to go stays after a second look; `None` if it still may go.
    #[must_use]
    pub fn second_thought(&self, view: &View, now: DateTime<Utc>) -> Option<Stay> {
        self.refusal(view).or_else(|| (!self.is_old(ended(view), now)).then_some(Stay::Young))
    }

    /// Whether what ended or was made at this time is old enough.
    #[must_use]
    pub fn is_old(&self, since: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
        let Some(age) = self.older_than else { return true };
        // An age beyond what a calendar has is reached by nothing.
        let Ok(age) = TimeDelta::from_std(age) else { return false };
        since.is_some_and(|since| now - since >= age)
    }
}

/// When a job ended, or at least was asked for.
#[must_use]
pub fn ended(view: &View) -> Option<DateTime<Utc>> {
    view.finished.or(view.created)
}

/// Why each of the jobs stays, in their order; `None` for those that are to be removed.
#[must_use]
pub fn fates(views: &[View], wanted: &Wanted, now: DateTime<Utc>) -> Vec<Option<Stay>> {
    let mut fates: Vec<Option<Stay>> = views.iter().map(|view| wanted.refusal(view)).collect();
    for kind in [Kind::Build, Kind::Run] {
        let may_go = |at: &usize| views[*at].kind == kind && fates[*at].is_none();
        let mut candidates: Vec<usize> = (0..views.len()).filter(may_go).collect();
        candidates.sort_by_key(|at| (Reverse(views[*at].created), &views[*at].id));
        for at in candidates.into_iter().take(wanted.keep_last) {
            fates[at] = Some(Stay::Newest);
        }
    }
    for (fate, view) in fates.iter_mut().zip(views) {
        if fate.is_none() && !wanted.is_old(ended(view), now) {
            *fate = Some(Stay::Young);
        }
    }
    fates
}

#[cfg(test)]
#[path = "prune_tests.rs"]
mod tests;
