//! `doctor --fix`: finishes what killed processes left, by the rules of every command that does so. It touches nothing that
//! runs, and removes nothing that is not provably longshore's own.

use super::counted;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::directories;
use crate::env::Env;
use crate::job::store::Spent;
use crate::supervisor::{Swept, sweep};

/// How long another process may take that does the same.
const BUSY: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// What was done, or could not be done.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Fix {
    /// Whether it was done.
    pub success: bool,
    /// What it is, in words.
    pub message: String,
    /// The id of the job that it was done to, if it was one.
    pub id: Option<String>,
}

/// Does all that can be done now.
pub fn fix(env: &Env) -> Vec<Fix> {
    let deadline = Instant::now() + BUSY;
    let mut fixes = Vec::new();
    loop {
        let swept = sweep(env);
        let is_busy = swept.is_busy;
        fixes.extend(told(&swept));
        if !is_busy {
            return fixes;
        }
        if Instant::now() >= deadline {
            fixes.push(failed("another longshore process is finishing jobs now; try again later"));
            return fixes;
        }
        std::thread::sleep(PAUSE);
    }
}

fn told(swept: &Swept) -> Vec<Fix> {
    let job = |message: String, id: &str| Fix { success: true, message, id: Some(id.to_owned()) };
    let adopted = swept
        .adopted
        .iter()
        .map(|(kind, id, _)| job(format!("{} {id} has a supervisor again", kind.word()), id.as_str()));
    let finished =
        swept.finished.iter().map(|(kind, id)| job(format!("{} {id} is finished", kind.word()), id.as_str()));
    let removed = swept.removed.iter().map(|(kind, id, spent)| {
        let what = if *spent == Spent::Context { "the context of" } else { "the forgotten" };
        job(format!("removed {what} {} {id}", kind.word()), id.as_str())
    });
    let cleared = swept.cleared.iter().map(|id| job(format!("nothing is left of the forgotten run {id}"), id.as_str()));
    let directories = (swept.directories > 0).then(|| {
        let message = format!("removed what killed processes left: {}", directories(swept.directories));
        Fix { success: true, message, id: None }
    });
    let points = (swept.points > 0).then(|| {
        let message = format!("removed {} in source directories", counted(swept.points, "mount point"));
        Fix { success: true, message, id: None }
    });
    let refused = swept.failed.iter().map(|why| failed(why));
    adopted.chain(finished).chain(removed).chain(cleared).chain(directories).chain(points).chain(refused).collect()
}

fn failed(why: &str) -> Fix {
    Fix { success: false, message: why.to_owned(), id: None }
}
