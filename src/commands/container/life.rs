//! `container start`, `restart`, `stop`, `kill` and `rm`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::{Found, Runs, find, words};
use crate::cli::{ContainerKill, ContainerRm, ContainerStop, Containers};
use crate::engine::Engine;
use crate::engine::inspect::Phase;
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::output::{Page, Reply, Voice};
use crate::terminal::escape_value;

/// How long docker may take to change a container's state, in addition to the user's grace.
const CHANGE: Duration = Duration::from_secs(120);
/// Containers that are changed at the same time; docker itself takes as many stops at once.
const AT_ONCE: usize = 16;

/// A container that is now in the requested state.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct Changed {
    /// True: it is in that state.
    #[cfg_attr(test, schemars(extend("const" = true)))]
    success: bool,
    /// Its id in full.
    #[serde(rename = "Id")]
    #[cfg_attr(test, schemars(schema_with = "crate::schemas::container_id"))]
    id: String,
    /// Its name, without the engine's slash.
    #[serde(rename = "Name")]
    name: String,
    /// Whether there was anything to do.
    changed: bool,
    #[serde(skip)]
    typed: String,
    #[serde(skip)]
    nothing: Option<&'static str>,
}

impl Reply for Changed {
    fn show(&self, page: &mut Page) -> Result<()> {
        page.line(&self.typed)
    }

    fn remark(&self) -> Option<String> {
        self.nothing.map(|nothing| format!("note: {} {nothing}", self.name))
    }
}

/// What is to be done to one container.
struct Change {
    argv: Vec<String>,
    patience: Duration,
    /// Set if it is already in that state. docker is still called, for its exit code.
    nothing: Option<&'static str>,
}

impl Change {
    fn new(argv: Vec<String>) -> Self {
        Self { argv, patience: CHANGE, nothing: None }
    }

    /// A change for which the container gets time to end. As for docker, a negative grace means no limit.
    fn graceful(verb: &str, grace: Option<i32>, found: &Found) -> Self {
        let mut argv = vec![verb.to_owned()];
        argv.extend(grace.iter().flat_map(|grace| ["-t".to_owned(), grace.to_string()]));
        argv.push(found.id.clone());
        let patience = match grace {
            Some(grace) if grace < 0 => Duration::MAX,
            grace => CHANGE + Duration::from_secs(u64::from(grace.unwrap_or(10).unsigned_abs())),
        };
        Self { argv, patience, nothing: None }
    }
}

/// Starts them.
pub fn start(env: &Env, voice: &Voice, engine: &Engine, args: &Containers) -> Result<u8> {
    change(env, voice, engine, &args.containers, &|found| {
        let nothing = (found.state.phase == Phase::Running).then_some("was already running");
        Ok(Change { nothing, ..Change::new(words(["start"], &found.id)) })
    })
}

/// Stops and starts them.
pub fn restart(env: &Env, voice: &Voice, engine: &Engine, args: &ContainerStop) -> Result<u8> {
    change(env, voice, engine, &args.containers, &|found| Ok(Change::graceful("restart", args.grace, found)))
}

/// Asks them to end.
pub fn stop(env: &Env, voice: &Voice, engine: &Engine, args: &ContainerStop) -> Result<u8> {
    change(env, voice, engine, &args.containers, &|found| {
        let ended = matches!(found.state.phase, Phase::Exited | Phase::Created | Phase::Dead);
        Ok(Change { nothing: ended.then_some("was not running"), ..Change::graceful("stop", args.grace, found) })
    })
}

/// Sends them a signal.
pub fn kill(env: &Env, voice: &Voice, engine: &Engine, args: &ContainerKill) -> Result<u8> {
    change(env, voice, engine, &args.containers, &|found| {
        Ok(Change::new(words(["kill", "--signal", args.signal.name()], &found.id)))
    })
}

/// Removes them. Containers of runs are removed only with `--force`.
pub fn remove(env: &Env, voice: &Voice, engine: &Engine, args: &ContainerRm) -> Result<u8> {
    let runs = Runs::of(env);
    change(env, voice, engine, &args.containers, &|found| {
        if let Some(run) = runs.owner(&found.object, &found.state).filter(|_| !args.force) {
            let message = format!("container {} belongs to run {run}", found.name);
            let hint = if runs.know(&run) {
                format!("remove the run with: longshore exec forget {run}   or remove its container with -f")
            } else {
                "the run is in another state directory; remove its container with -f".into()
            };
            return Err(Failure::new(ErrorKind::Conflict, message).hint(hint));
        }
        let flags = [("--force", args.force), ("--volumes", args.volumes)];
        let given = flags.into_iter().filter_map(|(flag, is_given)| is_given.then_some(flag));
        Ok(Change::new(words(["rm"].into_iter().chain(given), &found.id)))
    })
}

type Decide<'a> = dyn Fn(&Found) -> Result<Change, Failure> + Sync + 'a;

/// Changes all of them, several at a time, and answers in the order in which they were named.
fn change(env: &Env, voice: &Voice, engine: &Engine, typed: &[String], decide: &Decide) -> Result<u8> {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let (done, changed) = channel();
        for _ in 0..typed.len().min(AT_ONCE) {
            let (done, next) = (done.clone(), &next);
            scope.spawn(move || {
                let take = || next.fetch_add(1, Ordering::Relaxed);
                while let Some((at, one)) = Some(take()).and_then(|at| Some((at, typed.get(at)?))) {
                    // All of them are changed, even when there is no reader for the answers any more.
                    let _ = done.send((at, change_one(env, engine, one, decide)));
                }
            });
        }
        drop(done);
        let mut early = BTreeMap::new();
        voice.each((0..typed.len()).map(|wanted| {
            while !early.contains_key(&wanted) {
                let (at, result) = changed.recv().context("a change did not end")?;
                early.insert(at, result);
            }
            Ok(early.remove(&wanted).context("a change did not end")??)
        }))
    })
}

fn change_one(env: &Env, engine: &Engine, typed: &str, decide: &Decide) -> Result<Changed, Failure> {
    let found = find(env, engine, typed)?;
    let Change { argv, patience, nothing } = decide(&found)?;
    let verb = argv.first().map(String::as_str).unwrap_or_default();
    let word = if verb == "rm" { "remove" } else { verb };
    let could_not = format!("could not {word} container \"{}\"", escape_value(typed));
    let output = engine.run(&argv, patience).map_err(|error| error.failure(&could_not))?;
    if !output.status.success() {
        let failure = engine.explain(&argv, &output).failure(&could_not);
        return Err(match found.state.phase {
            Phase::Running | Phase::Paused if verb == "rm" => failure.hint("stop it first, or remove it with -f"),
            _ => failure,
        });
    }
    let (id, name) = (found.id, found.name);
    Ok(Changed { success: true, id, name, changed: nothing.is_none(), typed: typed.to_owned(), nothing })
}
