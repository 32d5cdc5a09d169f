//! The commands. Each finds what it was given, asks the engine or a job, and hands its reply to `output`.

mod complete;
mod container;
mod doctor;
mod exec;
mod image;
mod jobs;
mod queue;
mod stats;

use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cli::{Command, Container, Exec, Image, Supervise};
use crate::env::Env;
use crate::error::{Failure, Verb, plain};
use crate::job::select::Scope;
use crate::output::{Form, Page, Reply, Voice};
use crate::shell;
use crate::spec;
use crate::supervisor::{self, Way};

pub use complete::script as completion_script;

/// The docker command line of a `--dry-run`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct DryRun {
    /// The docker command line, word by word, the program first. Values of variables are not in it.
    #[cfg_attr(test, schemars(length(min = 2)))]
    argv: Vec<String>,
    /// Of a run whose engine does not see the caller's files: what would be copied to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "exec::Shipment"))]
    copied: Option<exec::Shipment>,
}

impl Reply for DryRun {
    fn show(&self, page: &mut Page) -> Result<()> {
        page.line(&shell::shown(&self.argv))
    }
}

/// The answers of which each noun knows its own, for their JSON Schemas.
#[cfg(test)]
pub mod answers {
    pub use super::container::{Changed, Created, Exported, FileChange};
    pub use super::doctor::Report;
    pub use super::exec::{Fetched, Status as RunStatus, SweepDryRun, Swept, Top};
    pub use super::image::{Copied as ImageCopied, DryRun as BuildDryRun, Removed as ImageRemoved, Status};
    pub use super::jobs::Done;
    pub use super::jobs::prune::Report as Pruned;
    pub use super::jobs::stay::{BuildStarted, RunStarted, Stayed};
    pub use super::queue::{Changed as QueueChanged, QueueView, Resumed};
}

/// What `inspect` answers: the engine's own object.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Inspected(Value);

impl Reply for Inspected {
    const IS_DOCUMENT: bool = true;
}

/// Runs the command; the number is the exit code.
///
/// # Errors
/// What `main` prints.
pub fn run(env: &Env, voice: &Voice, command: Command) -> Result<u8> {
    match command {
        Command::Image(verb) => image::run(env, voice, verb),
        Command::Exec(verb) => exec::run(env, voice, verb),
        Command::Container(command) => container::run(env, voice, command),
        Command::Queue(verb) => queue::run(env, voice, verb),
        Command::Ps(args) => jobs::list::list(env, voice, Scope::Both, &args.list, &args.groups),
        Command::Logs(args) => jobs::logs::logs_of_runs(env, voice, Scope::Both, &args),
        Command::Wait(args) => jobs::wait::wait(env, voice, Scope::Both, &args.which.words(env)?, &args.how),
        Command::Stop(args) => jobs::stop::stop(env, voice, Scope::Both, &args),
        Command::Doctor(args) => doctor::run(env, voice, &args),
        Command::Prune(args) => jobs::prune::prune(env, voice, &args),
        Command::Completions { .. } if voice.form() != Form::Text => {
            Err(Failure::usage("a completion script is text and not JSON").hint("leave --json out").into())
        }
        Command::Completions { shell } => {
            voice.bytes()?.write_all(&completion_script(shell))?;
            Ok(0)
        }
        Command::Complete(args) => complete::run(env, voice, args.shell, &args.typed, &args.breaks),
        Command::Supervise(Supervise { kind, id, adopt, conclude }) => {
            let way = match (adopt, conclude) {
                (true, _) => Way::Adopt,
                (_, true) => Way::Conclude,
                _ => Way::Start,
            };
            supervisor::supervise(env, &kind, &id, way).map(|()| 0)
        }
    }
}

/// Whether the exit code may be that of a program.
#[must_use]
pub fn verb(command: &Command) -> Verb {
    let passes_on = match command {
        Command::Image(verb) => match verb {
            Image::Create(create) => create.stay.stays(),
            Image::Wait(_) => true,
            Image::Logs(logs) => logs.how.exit_code,
            _ => false,
        },
        Command::Exec(verb) => match verb {
            Exec::Run(run) => run.stay.stays(),
            Exec::Rerun(rerun) => rerun.stay.stays(),
            Exec::Wait(_) => true,
            Exec::Logs(logs) => logs.how.exit_code,
            _ => false,
        },
        Command::Wait(_) => true,
        Command::Logs(logs) => logs.how.exit_code,
        _ => false,
    };
    if passes_on { Verb::PassesOn } else { Verb::Plain }
}

/// Whether its JSON is a stream with one object per line.
#[must_use]
pub fn streams(command: &Command) -> bool {
    match command {
        Command::Image(Image::Logs(logs)) => logs.how.follow,
        Command::Exec(Exec::Logs(logs)) | Command::Logs(logs) => logs.how.follow,
        Command::Image(Image::Builds(list)) => list.watch,
        Command::Exec(Exec::List(runs)) | Command::Ps(runs) => runs.list.watch,
        Command::Image(Image::Create(create)) => create.stay.follows(),
        Command::Exec(Exec::Run(run)) => run.stay.follows(),
        Command::Exec(Exec::Rerun(rerun)) => rerun.stay.follows(),
        Command::Container(Container::Logs(logs)) => logs.follow,
        Command::Container(Container::Stats(stats)) => !stats.flags.no_stream,
        Command::Exec(Exec::Stats(stats)) => !stats.flags.no_stream,
        _ => false,
    }
}

/// Reads `--spec FILE`, or stdin for `-`. Without it, the spec is empty.
fn read_spec<T: DeserializeOwned + Default>(path: Option<&Path>) -> Result<T> {
    let Some(path) = path else { return Ok(T::default()) };
    Ok(spec::parse(&read_input(path, "the spec")?)?)
}

/// Reads `--spec FILE`, or stdin for `-`, as any JSON value.
fn read_body(path: &Path) -> Result<Value> {
    Ok(spec::json::parse("body", &read_input(path, "the spec")?)?)
}

/// Reads a file the user named, or stdin for `-`.
fn read_input(path: &Path, what: &str) -> Result<Vec<u8>> {
    if path != Path::new("-") {
        return read_file(path, what);
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).with_context(|| format!("could not read {what} from stdin"))?;
    Ok(bytes)
}

/// Reads a file the user named.
fn read_file(path: &Path, what: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        let failure = Failure::usage(format!("could not read {what} {}: {}", path.display(), plain(&error)));
        failure.into()
    })
}
