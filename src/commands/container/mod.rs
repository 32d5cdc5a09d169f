//! `container`: commands for containers. They call the docker program and print the Engine API's answers.

mod create;
mod diff;
mod export;
mod life;
mod list;
mod logs;
mod stats;

use anyhow::Result;
use serde_json::{Map, Value};

use super::Inspected;
use crate::cli::Container;
use crate::engine::inspect::{ContainerState, container_state, only};
use crate::engine::{Engine, EngineError, argv, questions};
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::job::record::Kind;
use crate::job::select;
use crate::job::store::Store;
use crate::names::JobId;
use crate::output::Voice;
use crate::terminal::escape_value;

#[cfg(test)]
pub use {create::Created, diff::FileChange, export::Exported, life::Changed};

/// Runs `longshore container …`.
pub fn run(env: &Env, voice: &Voice, command: Container) -> Result<u8> {
    let engine = Engine::chosen(env)?;
    match command {
        Container::List(args) => list::list(env, voice, &engine, &args),
        Container::Create(args) => create::create(env, voice, &engine, &args),
        Container::Start(args) => life::start(env, voice, &engine, &args),
        Container::Restart(args) => life::restart(env, voice, &engine, &args),
        Container::Stop(args) => life::stop(env, voice, &engine, &args),
        Container::Kill(args) => life::kill(env, voice, &engine, &args),
        Container::Rm(args) => life::remove(env, voice, &engine, &args),
        Container::Inspect(args) => {
            voice.each(args.containers.iter().map(|typed| Ok(Inspected(find(env, &engine, typed)?.object))))
        }
        Container::Logs(args) => logs::logs(env, voice, &engine, &args),
        Container::Changes(args) => diff::changes(env, voice, &engine, &args.container),
        Container::Export(args) => export::export(env, voice, &engine, &args),
        Container::Stats(args) => stats::stats(env, voice, &engine, &args),
    }
}

/// A container that the user named, as the engine describes it.
#[derive(Debug)]
struct Found {
    /// Its id in full.
    id: String,
    /// Its name, without the engine's slash.
    name: String,
    /// The engine's own object.
    object: Value,
    /// What was read of it.
    state: ContainerState,
}

/// Asks for a container by name, id or unique prefix, as docker resolves them. A word that docker does not know can name a
/// run, whose container is then meant.
fn find(env: &Env, engine: &Engine, typed: &str) -> Result<Found, Failure> {
    let could_not = format!("could not find container \"{}\"", escape_value(typed));
    if typed.starts_with('-') || typed.is_empty() {
        return Err(Failure::usage(format!("{could_not}: it is neither a name nor an id of a container")));
    }
    let args = argv::container_inspect(&[typed.to_owned()]);
    let output = engine.run(&args, engine.patience).map_err(|error| error.failure(&could_not))?;
    if !output.status.success() {
        return match engine.explain(&args, &output) {
            EngineError::Failed { stderr, .. } => of_run(env, engine, typed, stderr),
            error => Err(error.failure(&could_not)),
        };
    }
    let array = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string());
    let read = array.and_then(only).and_then(|object| Ok(Found::new(container_state(&object)?, object)));
    read.map_err(|why| engine.nonsense(&args, &why).failure(&could_not))
}

/// The container of the run that is meant by a word that docker does not know. `stderr` is what docker said.
fn of_run(env: &Env, engine: &Engine, typed: &str, stderr: String) -> Result<Found, Failure> {
    let absent = |meant: Option<String>| {
        let meant = meant.map(|run| format!("did you mean the run {run:?}? ")).unwrap_or_default();
        Failure::new(ErrorKind::NotFound, format!("there is no container \"{}\"", escape_value(typed)))
            .detail(stderr)
            .hint(format!("{meant}list containers with: longshore container list -a"))
    };
    let job = match select::find(env, Kind::Run, typed) {
        Ok((_, job)) => job,
        Err(error) => {
            let failure = Failure::of(&error);
            let is_ambiguous = failure.kind == ErrorKind::Ambiguous;
            return Err(if is_ambiguous { failure } else { absent(select::nearest_run(env, typed)) });
        }
    };
    let source = job.record().ok().and_then(|record| record.run().map(|run| run.source.as_str().to_owned()));
    let could_not = format!("could not find the container of run {}", job.id);
    let found = engine.container_of(&job.id, source.as_deref()).map_err(|error| error.failure(&could_not))?;
    found.map(|container| Found::new(container.state, container.object)).ok_or_else(|| {
        let message = format!("run {} has no container on this engine", job.id);
        let kept = "a container is removed after the run, unless --keep is given";
        let hint = format!("{kept}; see: longshore exec logs {0}   or: longshore exec inspect {0}", job.id);
        Failure::new(ErrorKind::NotFound, message).hint(hint)
    })
}

impl Found {
    fn new(state: ContainerState, object: Value) -> Self {
        let name = object["Name"].as_str().unwrap_or_default().trim_start_matches('/').to_owned();
        Self { id: state.id.clone(), name, object, state }
    }
}

fn words<'a>(before: impl IntoIterator<Item = &'a str>, container: &'a str) -> Vec<String> {
    before.into_iter().chain([container]).map(str::to_owned).collect()
}

/// The runs of this state directory, which tell whose a container is.
#[derive(Debug)]
struct Runs(Option<Store>);

impl Runs {
    /// Without a usable state directory no run is known.
    fn of(env: &Env) -> Self {
        Self(Store::open(env, Kind::Run).ok().flatten())
    }

    /// Whether the run is one of them.
    fn know(&self, id: &JobId) -> bool {
        self.0.as_ref().is_some_and(|store| store.job(id).is_some())
    }

    /// The source directory of a run.
    fn source(&self, id: &JobId) -> Option<String> {
        let record = self.0.as_ref()?.job(id)?.record().ok()?;
        record.run().map(|run| run.source.as_str().to_owned())
    }

    /// The run that a container belongs to.
    fn owner(&self, container: &Value, state: &ContainerState) -> Option<JobId> {
        questions::run_of(container, state, |id| self.source(id))
    }

    /// The run that a container belongs to, under longshore's own key.
    fn mark(&self, container: &Value) -> Option<Map<String, Value>> {
        let state = container_state(container).ok()?;
        let id = self.owner(container, &state)?;
        let name = state.labels.get("longshore.name").cloned();
        Some(Map::from_iter([("id".to_owned(), id.as_str().into()), ("name".to_owned(), name.into())]))
    }

    /// Whether a container has the label of a run whose source directory is known, which its mounts may have.
    fn may_own(&self, container: &Value) -> bool {
        let labels = &container["Config"]["Labels"];
        let mut ids = argv::RUN_LABELS.iter().filter_map(|label| JobId::parse(labels[*label].as_str()?).ok());
        ids.any(|id| self.source(&id).is_some())
    }

    /// The run that a line of `docker ps` is about, by the values of [`argv::RUN_LABELS`], its names and the sources of its
    /// mounts, each joined with commas.
    fn listed(&self, labels: [&str; 2], names: &str, mounts: &str) -> Option<JobId> {
        let has = |list: &str, item: &str| format!(",{list},").contains(&format!(",{item},"));
        let mut runs = labels.into_iter().filter_map(|label| JobId::parse(label).ok());
        runs.find(|id| {
            has(names, &argv::container_name(id)) || self.source(id).is_some_and(|source| has(mounts, &source))
        })
    }
}
