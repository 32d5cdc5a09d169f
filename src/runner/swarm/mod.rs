//! Runs on a swarm: each is a service with one task that is never restarted. Only the manager is asked, whose engine the
//! record has. The handle of such a run is the name of its service.

mod collect;
mod send;

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::local::{absent, bounded, handed, no_image, patiently, plan};
use super::{NotFetched, Push, Started, Subject, Values};
use crate::engine::argv::{container_name, run_of_name};
use crate::engine::copying::Heed;
use crate::engine::swarm::{self, About, Fate, Files, GRACE, Parts, Pinned, Place, ServicePlan, Task, Wish, first};
use crate::engine::{Engine, EngineError, inspect};
use crate::env::Env;
use crate::error::{Failure, Kind};
use crate::fault;
use crate::job::moved::{Moved, SHIPPED};
use crate::job::record::{Begun, Exit, FORMAT, Outcome, Record, Run, Swarm};
use crate::job::request::{Effect, Request, Verb};
use crate::job::standing::{Alive, Ended, NeverStarted, Sighting};
use crate::job::tombstone::Tombstone;
use crate::job::{BEGUN, Here, Job};
use crate::names::{ImageRef, Tail};

/// How long docker may be silent about the output of a task that has ended. That of a node that is down never comes.
pub const SILENT: Duration = Duration::from_secs(10);

const DRAINED: &str = "the swarm ended it: its node was drained, or had been cut off";

/// The run and what it asks of the swarm.
fn asked(record: &Record) -> Result<(&Run, &Swarm)> {
    let run = record.run().context("it is not a run")?;
    Ok((run, run.swarm.as_ref().context("it is no run of a swarm")?))
}

pub fn check(engine: &Engine, record: &Record) -> Result<(), Failure> {
    let could_not = format!("could not run in image {:?} on a swarm", record.image.as_str());
    manager(engine, &could_not)?;
    if record.waits.after.is_empty() { image(engine, record, &could_not).map(drop) } else { Ok(()) }
}

/// What the engine says of itself, and the id of its swarm.
fn manager(engine: &Engine, could_not: &str) -> Result<(About, String), Failure> {
    let about = patiently(|| engine.swarm()).map_err(|error| error.failure(could_not))?;
    let why = || format!("{could_not}: the engine at {} is no manager of a swarm", engine.endpoint);
    let hint = "name the context of a manager with --context; on a manager, `docker node ls` lists the nodes";
    let id = about.swarm_id().ok_or_else(|| Failure::new(Kind::Failed, why()).hint(hint))?;
    Ok((about, id))
}

fn image(engine: &Engine, record: &Record, could_not: &str) -> Result<Pinned, Failure> {
    let found = engine.pinned(record.image.as_str()).map_err(|error| error.failure(could_not))?;
    found.ok_or_else(|| no_image(&record.image, "   The manager has to have it, too"))
}

/// The `docker service create` of a recorded run, as far as it is known without the swarm.
pub fn command_line(engine: &Engine, record: &Record, values: &Values) -> Result<Vec<String>> {
    let (_, wanted) = asked(record)?;
    let image = Pinned { reference: record.image.to_string(), in_registry: false };
    let files = if wanted.shared { Files::Shared } else { sent(record, 1, 1)? };
    let handed = handed(values)?;
    Ok(engine.line(&swarm::service_create(&service(record, &image, files)?, &handed.args("/dev/stdin"))))
}

fn service(record: &Record, image: &Pinned, files: Files) -> Result<ServicePlan> {
    let (run, wanted) = asked(record)?;
    let mut run = plan(record, run, None);
    run.image = ImageRef::parse(&image.reference)?;
    let wish = Wish {
        cpus: wanted.reserve_cpus,
        memory: wanted.reserve_memory,
        constraints: wanted.constraints.iter().map(ToString::to_string).collect(),
        resources: wanted.generic_resources.iter().map(ToString::to_string).collect(),
    };
    Ok(ServicePlan { run, wish, files, in_registry: image.in_registry })
}

/// Files that are sent with so many configs to an attempt, which is counted from 1.
fn sent(record: &Record, configs: usize, attempt: usize) -> Result<Files> {
    let (run, _) = asked(record)?;
    Ok(Files::Sent { configs, output: run.output.as_ref().map(|_| Place::new(record.uid, &record.id, attempt)) })
}

pub fn start(engine: &Engine, env: &Env, job: &Job, record: &Record, values: &Values) -> Result<Started> {
    let (run, wanted) = asked(record)?;
    let could_not = format!("could not start run {} on the swarm", record.id);
    let (about, id) = manager(engine, &could_not)?;
    let image = image(engine, record, &could_not)?;
    let handed = handed(values)?;
    let begun = Begun {
        format: FORMAT,
        started: env.now(),
        engine_id: Some(id),
        engine_version: Some(about.version),
        client_version: None,
        builder: None,
    };
    job.write_json(BEGUN, &begun)?;
    fault::point("begun");
    let (files, moved) = if wanted.shared {
        (Files::Shared, Moved::default())
    } else {
        let (configs, moved) = send::send(engine, record, run, &could_not)?;
        (sent(record, configs, job.attempts().len() + 1)?, moved)
    };
    fault::point("configs-made");
    let args = swarm::service_create(&service(record, &image, files)?, &handed.args("/dev/stdin"));
    let stdin = handed.text().map(String::into_bytes);
    engine
        .make_service(&args, &record.id, &container_name(&record.id), stdin, handed.environment)
        .map_err(|error| error.failure(&could_not))?;
    job.write_json(SHIPPED, &moved)?;
    fault::point("service-made");
    Ok(Started { client: None, begun })
}

pub fn look(engine: &Engine, subject: Subject) -> Sighting {
    let Ok((run, _)) = asked(subject.record) else { return Sighting::Absent };
    let name = container_name(&subject.record.id);
    let failed = |error: EngineError| Sighting::Unreachable(error.failure(""));
    let task = match engine.tasks(&subject.record.id, &name) {
        Err(error) => return failed(error),
        Ok(None) => {
            return absent(subject.begun, || manager(engine, "could not ask the swarm").map(|(_, id)| id));
        }
        Ok(Some(tasks)) => first(tasks),
    };
    let Some(task) = task else {
        let pending = Some("the swarm, which has not made its task yet".to_owned());
        return Sighting::Alive(Alive { container: name, started: None, account: Value::Null, pending });
    };
    let down = match down(engine, &task) {
        Ok(down) => down,
        Err(error) => return failed(error),
    };
    let fate = task.fate(down.as_deref());
    // A request of ours is on the service, so it is known also to who does not know the request.
    let is_drained = match &fate {
        Fate::Shut(_) => engine.is_stopped(&name).map(|is_stopped| !is_stopped),
        _ => Ok(false),
    };
    match is_drained {
        Ok(is_drained) => sighting(name, task, fate, is_drained, run),
        Err(error) => failed(error),
    }
}

/// The name of the task's node, if that is down and the task has not ended. The manager wants every task to end that is on
/// such a node, so no other node is asked for.
fn down(engine: &Engine, task: &Task) -> Result<Option<String>, EngineError> {
    let is_doubtful = !task.has_ended() && task.is_to_end();
    let Some(node) = task.node.as_ref().filter(|_| is_doubtful) else { return Ok(None) };
    let node = engine.node(node)?;
    Ok((node.state != "ready").then_some(node.name))
}

fn sighting(name: String, task: Task, fate: Fate, is_drained: bool, run: &Run) -> Sighting {
    let time = task.status.timestamp;
    let account = inspect::withhold_of_task(task.object, |name| run.env.iter().any(|given| given.as_str() == name));
    let alive = |started, pending| Alive { container: name.clone(), started, account: account.clone(), pending };
    let ended = |code: i32, made_up| {
        Sighting::Ended(Box::new(Ended {
            container: name.clone(),
            code,
            signal: (129..=192).contains(&code).then(|| code - 128),
            started: None,
            finished: time,
            out_of_memory: false,
            why: None,
            made_up,
            account: account.clone(),
        }))
    };
    match fate {
        Fate::Queued(why) => Sighting::Alive(alive(None, Some(why))),
        Fate::Running => Sighting::Alive(alive(time, None)),
        Fate::Unknown(why) => Sighting::Unreachable(Failure::new(Kind::EngineUnreachable, why)),
        Fate::Ended(code) => ended(code, None),
        Fate::Shut(code) => ended(code, is_drained.then(|| DRAINED.to_owned())),
        Fate::Lost(why) => ended(task.status.container_status.exit_code, Some(why)),
        Fate::NotStarted(code, why) => {
            Sighting::NeverStarted(NeverStarted { container: name, code, why: Some(why), account })
        }
    }
}

pub fn end(engine: &Engine, subject: Subject, request: &Request, push: Push) -> Result<Effect, Failure> {
    let id = &subject.record.id;
    let could_not = format!("could not end run {id}");
    if request.verb == Verb::Kill && !request.ends() {
        let message =
            format!("could not send the signal to run {id}: a swarm sends a program only TERM, and KILL later");
        return Err(Failure::new(Kind::Conflict, message).hint(format!("end it with: longshore exec stop {id}")));
    }
    if request.verb == Verb::Stop && request.grace > GRACE {
        let message =
            format!("could not end run {id} with a grace of {} s: a swarm kills it after {GRACE} s", request.grace);
        return Err(
            Failure::new(Kind::Conflict, message).hint(format!("leave --timeout out: longshore exec stop {id}"))
        );
    }
    let name = container_name(id);
    let task = match engine.tasks(id, &name).map_err(|error| error.failure(&could_not))? {
        Some(tasks) => first(tasks),
        None => {
            return Err(Failure::new(Kind::Failed, format!("{could_not}: the swarm does not have its service yet")));
        }
    };
    if task.is_some_and(|task| task.has_ended()) {
        return Ok(Effect::Late);
    }
    // The swarm kills it by itself after the grace.
    if push == Push::Asked {
        engine.stop_service(&name).map_err(|error| error.failure(&could_not))?;
    }
    Ok(Effect::Sent)
}

/// The command line for the output of a task, which ends by itself if the task is over.
pub fn output(service: &str, is_over: bool) -> Vec<String> {
    swarm::logs(service, "all", !is_over)
}

/// Copies the output of a run into a directory of the caller. With shared directories it is there.
pub fn fetch(engine: &Engine, record: &Record, output: &Path, heed: &mut Heed) -> Result<Moved, NotFetched> {
    match record.run().and_then(|run| run.swarm.as_ref()) {
        Some(wanted) if !wanted.shared => collect::fetch(engine, record, output, heed),
        _ => Ok(Moved::default()),
    }
}

/// The output of a task whose node is down never comes, so this waits only for as long as something comes.
pub fn fetch_log(engine: &Engine, service: &str, tail: Tail, into: File) -> io::Result<()> {
    bounded(engine, &swarm::logs(service, &tail.to_string(), false), SILENT.min(engine.patience), into)
}

/// Removes what a run has on its swarm. What its task says that there is needs no question. If one of these cannot be removed,
/// the swarm is asked for what there is.
pub fn remove(engine: &Engine, service: &str, sighting: &Sighting) -> bool {
    let Some(id) = run_of_name(service) else { return false };
    let known = match sighting {
        Sighting::Ended(end) => Some((&end.account, true)),
        Sighting::NeverStarted(container) => Some((&container.account, false)),
        _ => None,
    };
    let parts = known.and_then(|(task, has_ended)| Parts::of(&id, task, has_ended));
    parts.is_some_and(|parts| engine.clear_parts(&parts)) || engine.clear_swarm(&id)
}

pub fn clear(engine: &Engine, tombstone: &Tombstone, here: &Here) -> bool {
    let name = container_name(&tombstone.id);
    let is_its_swarm = || match &tombstone.engine_id {
        Some(known) => manager(engine, "").is_ok_and(|(_, id)| id == *known),
        None => true,
    };
    match engine.tasks(&tombstone.id, &name) {
        // Forgetting a run does not stop it.
        Ok(Some(tasks)) => first(tasks).is_some_and(|task| task.has_ended()) && engine.clear_swarm(&tombstone.id),
        Ok(None) => tombstone.is_old(here) && is_its_swarm() && engine.clear_swarm(&tombstone.id),
        Err(_) => false,
    }
}

/// Adds to an exit record what only the swarm's own words say: the container, and what to do about an image that a node has
/// not got.
pub fn amend(exit: &mut Exit, sighting: &Sighting, record: &Record) {
    let (account, is_started) = match sighting {
        Sighting::Ended(end) => (&end.account, true),
        Sighting::NeverStarted(container) => (&container.account, false),
        _ => return,
    };
    let container = account.pointer("/Status/ContainerStatus/ContainerID").and_then(Value::as_str);
    exit.container_id = container.filter(|id| !id.is_empty()).map(str::to_owned);
    if exit.outcome == Outcome::Cancelled && !is_started {
        (exit.exit_code, exit.reason) = (None, Some("ended before a node had started it".to_owned()));
    }
    if exit.reason.as_ref().is_some_and(|reason| reason.contains("No such image")) {
        let image = record.image.shown();
        exit.hint = Some(format!(
            "push the image to a registry that the nodes reach, or copy it to each: longshore image copy {image} --to CONTEXT"
        ));
    }
}
