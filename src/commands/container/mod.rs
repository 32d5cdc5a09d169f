//! `container`: the life of containers, with the docker program underneath and the Engine API's answers.

mod create;
mod export;
mod list;
mod logs;
mod stats;

use std::process::Output;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::cli::Container;
use crate::engine::inspect::{ContainerState, Phase, container_state};
use crate::engine::{Engine, PATIENCE, argv};
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::output::{self, note};
use crate::terminal::escape_value;

/// How long docker may take over a change of a container's state, beside the grace that the user gave.
const CHANGE: Duration = Duration::from_secs(120);
/// Containers that are changed at the same time; docker itself takes as many stops at once.
const AT_ONCE: usize = 16;

/// Runs `longshore container …`.
pub fn run(env: &Env, json: bool, command: Container) -> Result<u8> {
    let engine = env.engine()?;
    match command {
        Container::List(args) => list::list(env, json, &engine, &args),
        Container::Create(args) => create::create(env, json, &engine, &args),
        Container::Start(args) => change(env, json, &engine, &args.containers, &|found| {
            let nothing = (found.state.phase == Phase::Running).then_some("was running already");
            Ok(Change { argv: words(["start"], &found.id), patience: CHANGE, nothing })
        }),
        Container::Restart(args) => {
            let grace = args.grace.map(|grace| ["-t".to_owned(), grace.to_string()]);
            change(env, json, &engine, &args.containers, &|found| {
                Ok(graceful("restart", grace.as_ref(), args.grace, found, None))
            })
        }
        Container::Stop(args) => {
            let grace = args.grace.map(|grace| ["-t".to_owned(), grace.to_string()]);
            change(env, json, &engine, &args.containers, &|found| {
                let ended = matches!(found.state.phase, Phase::Exited | Phase::Created | Phase::Dead);
                let nothing = ended.then_some("was not running");
                Ok(graceful("stop", grace.as_ref(), args.grace, found, nothing))
            })
        }
        Container::Kill(args) => {
            let signal = args.signal.name();
            change(env, json, &engine, &args.containers, &|found| {
                Ok(Change { argv: words(["kill", "--signal", signal], &found.id), patience: CHANGE, nothing: None })
            })
        }
        Container::Rm(args) => change(env, json, &engine, &args.containers, &|found| {
            if let Some(job) = found.state.labels.get(argv::JOB_LABEL).filter(|_| !args.force) {
                return Err(Failure::new(
                    ErrorKind::Conflict,
                    format!("container {} belongs to run {job}", found.name),
                )
                .hint(format!("drop the run with: longshore exec forget {job}   or remove its container with -f")));
            }
            let mut argv = vec!["rm".to_owned()];
            argv.extend(args.force.then(|| "--force".to_owned()));
            argv.extend(args.volumes.then(|| "--volumes".to_owned()));
            argv.push(found.id.clone());
            Ok(Change { argv, patience: CHANGE, nothing: None })
        }),
        Container::Inspect(args) => inspect(env, json, &engine, &args.containers),
        Container::Logs(args) => logs::logs(env, json, &engine, &args),
        Container::Changes(args) => changes(env, json, &engine, &args.container),
        Container::Export(args) => export::export(env, json, &engine, &args),
        Container::Stats(args) => stats::stats(env, json, &engine, &args),
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

/// Asks for a container by name, id or unique prefix, as docker resolves them.
fn find(engine: &Engine, typed: &str) -> Result<Found, Failure> {
    let could_not = format!("could not find container \"{}\"", escape_value(typed));
    if typed.starts_with('-') || typed.is_empty() {
        return Err(Failure::usage(format!("{could_not}: this is no name and no id of a container")));
    }
    let args = argv::container_inspect(&[typed.to_owned()]);
    let output = engine.run(&args, PATIENCE).map_err(|error| error.failure(&could_not))?;
    if !output.status.success() {
        return Err(match engine.explain(&args, &output) {
            crate::engine::EngineError::Failed { stderr, .. } => {
                Failure::new(ErrorKind::NotFound, format!("there is no container \"{}\"", escape_value(typed)))
                    .detail(stderr)
                    .hint("see what there is with: longshore container list -a")
            }
            error => error.failure(&could_not),
        });
    }
    let array = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string());
    let read = array.and_then(crate::engine::inspect::only).and_then(|object| {
        let state = container_state(&object)?;
        let name = object["Name"].as_str().unwrap_or_default().trim_start_matches('/').to_owned();
        Ok(Found { id: state.id.clone(), name, object, state })
    });
    read.map_err(|why| engine.nonsense(&args, &why).failure(&could_not))
}

/// What is to be done to one container.
struct Change {
    argv: Vec<String>,
    patience: Duration,
    /// In words, that it is in that state already. docker is asked all the same and says so by its exit code.
    nothing: Option<&'static str>,
}

fn graceful(
    verb: &str,
    flag: Option<&[String; 2]>,
    grace: Option<i32>,
    found: &Found,
    nothing: Option<&'static str>,
) -> Change {
    let mut argv = vec![verb.to_owned()];
    argv.extend(flag.into_iter().flatten().cloned());
    argv.push(found.id.clone());
    // A negative grace means for ever, as it does to docker.
    let patience = match grace {
        Some(grace) if grace < 0 => Duration::MAX,
        grace => CHANGE + Duration::from_secs(u64::from(grace.unwrap_or(10).unsigned_abs())),
    };
    Change { argv, patience, nothing }
}

fn words<'a>(before: impl IntoIterator<Item = &'a str>, container: &'a str) -> Vec<String> {
    before.into_iter().chain([container]).map(str::to_owned).collect()
}

type Decide<'a> = dyn Fn(&Found) -> Result<Change, Failure> + Sync + 'a;

/// Changes all of them, several at a time: each success on stdout in the order they were named, each failure on
/// stderr, 1 if any failed.
fn change(env: &Env, json: bool, engine: &Engine, typed: &[String], decide: &Decide) -> Result<u8> {
    let results = Mutex::new(Vec::new());
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..typed.len().min(AT_ONCE) {
            scope.spawn(|| {
                while let Some(one) = typed.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    let result = change_one(engine, one, decide);
                    if let Ok(mut results) = results.lock() {
                        results.push((one, result));
                    }
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_default();
    results.sort_by_key(|(one, _)| typed.iter().position(|typed| typed == *one));
    let mut rows = Vec::new();
    let mut failures = Vec::new();
    for (one, result) in results {
        match result {
            Ok((found, nothing)) => {
                if !json {
                    output::line(env, one)?;
                }
                if let Some(nothing) = nothing {
                    note(&format!("note: {} {nothing}", found.name));
                }
                rows.push(json!({"success": true, "Id": found.id, "Name": found.name, "changed": nothing.is_none()}));
            }
            Err(failure) => {
                rows.push(output::failure_document(&failure));
                failures.push(failure);
            }
        }
    }
    // With one container its failure is the command's; `main` prints it, and the document.
    if typed.len() == 1
        && let Some(failure) = failures.pop()
    {
        return Err(failure.into());
    }
    for failure in &failures {
        output::failure(env, failure);
    }
    match &rows[..] {
        [row] if json && typed.len() == 1 => output::json(row)?,
        rows if json => output::json(&rows)?,
        _ => {}
    }
    Ok(u8::from(!failures.is_empty()))
}

fn change_one(engine: &Engine, typed: &str, decide: &Decide) -> Result<(Found, Option<&'static str>), Failure> {
    let found = find(engine, typed)?;
    let change = decide(&found)?;
    let verb = change.argv.first().map(String::as_str).unwrap_or_default();
    let word = if verb == "rm" { "remove" } else { verb };
    let could_not = format!("could not {word} container \"{}\"", escape_value(typed));
    let output = engine.run(&change.argv, change.patience).map_err(|error| error.failure(&could_not))?;
    check(engine, &change.argv, &output, &could_not).map_err(|failure| match found.state.phase {
        Phase::Running | Phase::Paused if verb == "rm" => failure.hint("stop it first, or remove it with -f"),
        _ => failure,
    })?;
    Ok((found, change.nothing))
}

/// An engine call that had to succeed.
fn check(engine: &Engine, argv: &[String], output: &Output, could_not: &str) -> Result<(), Failure> {
    if output.status.success() {
        return Ok(());
    }
    Err(engine.explain(argv, output).failure(could_not))
}

/// The engine's object; for several an array in their order, in which with `--json` a failure has its own document.
fn inspect(env: &Env, json: bool, engine: &Engine, typed: &[String]) -> Result<u8> {
    if let [one] = typed {
        output::json(&find(engine, one)?.object)?;
        return Ok(0);
    }
    let mut objects = Vec::new();
    let mut failed = false;
    for one in typed {
        match find(engine, one) {
            Ok(found) => objects.push(found.object),
            Err(failure) => {
                failed = true;
                output::failure(env, &failure);
                objects.extend(json.then(|| output::failure_document(&failure)));
            }
        }
    }
    output::json(&objects)?;
    Ok(u8::from(failed))
}

/// `docker diff`, as the API gives it: 0 modified, 1 added, 2 deleted.
fn changes(env: &Env, json: bool, engine: &Engine, typed: &str) -> Result<u8> {
    let found = find(engine, typed)?;
    let argv = words(["diff"], &found.id);
    let could_not = format!("could not compare the files of container {}", found.name);
    let bytes = engine.read(&argv).map_err(|error| error.failure(&could_not))?;
    let text = String::from_utf8_lossy(&bytes);
    if !json {
        for line in text.lines() {
            output::line(env, line)?;
        }
        return Ok(0);
    }
    output::json(&file_changes(&text))?;
    Ok(0)
}

/// A path may hold newlines; a line that does not begin like a change goes on with the one before.
fn file_changes(text: &str) -> Vec<Value> {
    let mut changes: Vec<(u8, String)> = Vec::new();
    for line in text.lines() {
        let kind = match line.get(..3) {
            Some("C /") => Some(0),
            Some("A /") => Some(1),
            Some("D /") => Some(2),
            _ => None,
        };
        match (kind, changes.last_mut()) {
            (Some(kind), _) => changes.push((kind, line[2..].to_owned())),
            (None, Some((_, path))) => *path += &format!("\n{line}"),
            (None, None) => {}
        }
    }
    changes.into_iter().map(|(kind, path)| json!({"Path": path, "Kind": kind})).collect()
}

/// Our own word on a container of a run, under the one key that is ours.
fn ours(labels: &Value) -> Option<Value> {
    let label = |key: &str| labels.get(key).and_then(Value::as_str);
    let run = label(argv::JOB_LABEL)?;
    let mut mark = Map::new();
    mark.insert("id".into(), run.into());
    mark.insert("name".into(), label("longshore.name").into());
    Some(Value::Object(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read_with_their_kinds_and_odd_paths() {
        let text = "C /etc\nA /etc/new file\nD /old\nA /two\nlines\n";
        let expected = json!([
            {"Path": "/etc", "Kind": 0}, {"Path": "/etc/new file", "Kind": 1}, {"Path": "/old", "Kind": 2},
            {"Path": "/two\nlines", "Kind": 1},
        ]);
        assert_eq!(Value::Array(file_changes(text)), expected);
        assert!(file_changes("").is_empty());
    }
}
