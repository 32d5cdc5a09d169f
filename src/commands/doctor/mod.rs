//! `doctor`: checks what longshore needs and what killed processes left, and says what to do about it.
//!
//! `facts` asks the machine, the state directory and the engine. `engine` and `state` make checks of the facts and ask
//! nothing. `fix` has finished what could be finished before the facts of the state directory are read.

mod engine;
mod facts;
mod fix;
mod state;

use anyhow::Result;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::cli::Doctor;
use crate::env::Env;
use crate::output::{Page, Reply, Voice};
use crate::units::counted;
use fix::Fix;

/// The answer of `doctor`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether there is no problem. The exit code is 0 then, and 1 otherwise; warnings do not count.
    healthy: bool,
    /// With --fix: what was done, and what could not be done; otherwise null.
    fixes: Option<Vec<Fix>>,
    /// What was seen, after that. A check that does not apply here is left out: without an engine nothing is said about
    /// its disk.
    checks: Vec<Check>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What was checked, such as `docker-program`. More checks may be added.
    check: &'static str,
    /// `problem`: jobs cannot be started, or something has to be done. `warning`: it may matter.
    status: Status,
    /// What was seen.
    message: String,
    /// What to do about it; null if it is ok.
    hint: Option<String>,
    /// Values for programs, such as `freeBytes`, `version` or `jobs`; their keys depend on the check.
    details: Map<String, Value>,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Warning,
    Problem,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

impl Check {
    fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, status: Status::Ok, message: message.into(), hint: None, details: Map::new() }
    }

    fn warning(check: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status: Status::Warning, hint: Some(hint.into()), ..Self::ok(check, message) }
    }

    fn problem(check: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status: Status::Problem, ..Self::warning(check, message, hint) }
    }

    /// Adds a value for programs.
    fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }
}

impl Report {
    fn new(fixes: Option<Vec<Fix>>, checks: Vec<Check>) -> Self {
        let healthy = checks.iter().all(|check| check.status != Status::Problem);
        Self { healthy, fixes, checks }
    }

    fn count(&self, status: Status) -> usize {
        self.checks.iter().filter(|check| check.status == status).count()
    }

    fn summary(&self) -> String {
        let (problems, warnings) = (self.count(Status::Problem), self.count(Status::Warning));
        match (problems, warnings) {
            (0, 0) => "no problems found".into(),
            (0, _) => format!("no problems found; {}", counted(warnings, "warning")),
            (_, 0) => format!("{} found", counted(problems, "problem")),
            _ => format!("{} found; {}", counted(problems, "problem"), counted(warnings, "warning")),
        }
    }
}

impl Reply for Report {
    fn show(&self, page: &mut Page) -> Result<()> {
        for fix in self.fixes.iter().flatten() {
            page.verdict(if fix.success { "fixed" } else { "failed" }, &fix.message)?;
        }
        if self.fixes.as_ref().is_some_and(Vec::is_empty) {
            page.line("nothing to fix")?;
        }
        if self.fixes.is_some() {
            page.line("")?;
        }
        let width = self.checks.iter().map(|check| check.check.len()).max().unwrap_or(0);
        for Check { check, status, message, hint, .. } in &self.checks {
            let name = check.replace('-', " ");
            page.verdict(status.word(), &format!("{name:width$}  {message}"))?;
            if let Some(hint) = hint {
                page.line(&format!("         hint: {hint}"))?;
            }
        }
        page.line("")?;
        page.line(&self.summary())
    }
}

/// Checks everything; with `--fix` finishes first what can be finished. Exits with 1 if there is a problem.
pub fn run(env: &Env, voice: &Voice, args: &Doctor) -> Result<u8> {
    let before = facts::known_ids(env);
    let engine = facts::engine(env);
    let host = facts::host(env);
    // An engine that did not answer gets little time for each further question.
    let env = &facts::for_further_questions(env, &engine);
    let fixes = args.fix.then(|| fix::fix(env));
    let state = facts::state(env);
    let known = before.into_iter().chain(facts::known_ids(env)).collect();
    let checks = [engine::checks(&engine, &host), state::checks(&state, &engine, &known, args.fix)].concat();
    let report = Report::new(fixes, checks);
    voice.reply(&report)?;
    Ok(u8::from(!report.healthy))
}

fn directories(number: usize) -> String {
    if number == 1 { "1 directory".into() } else { format!("{number} directories") }
}
