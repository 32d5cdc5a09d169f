//! Jobs on an engine that sees the same files as the caller. Starts docker's client with the job's log as its output.

use std::fs::File;
use std::io::{self, Write as _};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use super::{Push, Started, Subject, Values, build, cache};
use crate::engine::builder::Builder;
use crate::engine::inspect::{ContainerState, Phase, Side, Version};
use crate::engine::questions::Container;
use crate::engine::variables::Handed;
use crate::engine::{Engine, EngineError, argv, inspect};
use crate::env::Env;
use crate::error::{Failure, Kind};
use crate::fault;
use crate::job::record::{Begun, FORMAT, Record, Run, Work};
use crate::job::request::{Effect, Request, Verb};
use crate::job::standing::{Alive, Ended, NeverStarted, Sighting};
use crate::job::tombstone::Tombstone;
use crate::job::{BEGUN, Here, Job, LOG};
use crate::names::{ImageRef, Tail, UserSpec};
use crate::shell::ended;

/// The most bytes that are written to the docker client's stdin before it is started, so that the pipe does not block.
const MOST_STDIN: usize = 60_000;

/// How often a question is asked that must have an answer.
const TRIES: u32 = 3;
/// Pause between two checks of a client.
const LOOK: Duration = Duration::from_millis(20);

/// The exit code of a client whose request docker refused.
pub const REFUSED: i32 = 125;

/// A docker call: arguments, environment and stdin.
#[derive(Default)]
pub struct Call {
    /// The arguments of docker.
    pub args: Vec<String>,
    /// Variables for the client's environment.
    pub environment: Vec<(String, String)>,
    /// Text for the client's stdin.
    pub stdin: Option<String>,
}

pub fn check(engine: &Engine, record: &Record) -> Result<(), Failure> {
    let image = &record.image;
    if let Work::Build(build) = &record.work {
        // The base image is not checked, because the build may pull it.
        let could_not = format!("could not build image {:?}", build.tag.shown());
        return engine.ping().map_err(|error| error.failure(&could_not));
    }
    if !record.waits.after.is_empty() {
        // A build that it waits for may make the image.
        return engine.ping().map_err(|error| error.failure(&format!("could not run in image {:?}", image.as_str())));
    }
    match engine.has_image(image.as_str()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(no_image(image, "")),
        Err(error) => Err(error.failure(&format!("could not run in image {:?}", image.as_str()))),
    }
}

/// The engine lacks the image of a run. `more` follows what can be done about that.
pub fn no_image(image: &ImageRef, more: &str) -> Failure {
    let hint =
        format!("build it with: longshore image create {image} --base …   or fetch it with: docker pull {image}{more}");
    Failure::new(Kind::NotFound, format!("there is no image {:?}", image.as_str())).hint(hint)
}

/// The `docker run` of a recorded run, or its `docker create` with these mounts for files that are copied.
pub fn call(record: &Record, values: &Values, copied: Option<Vec<String>>) -> Result<Call> {
    let run = record.run().context("it is not a run")?;
    let handed = handed(values)?;
    let stdin = handed.text();
    let args = argv::run(&plan(record, run, copied), &handed.args("/dev/stdin"));
    Ok(Call { args, environment: handed.environment, stdin })
}

/// The ways in which docker gets the values of the variables.
pub fn handed(values: &Values) -> Result<Handed> {
    let handed = Handed::new(values.0.iter().cloned())?;
    if handed.text().is_some_and(|text| text.len() > MOST_STDIN) {
        return Err(Failure::usage(
            "invalid variables: the values of those that the docker client uses itself are too long",
        )
        .into());
    }
    Ok(handed)
}

pub fn plan(record: &Record, run: &Run, copied: Option<Vec<String>>) -> argv::RunPlan {
    let plain_name = |name: &&String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let (user, user_name) = match run.user {
        UserSpec::Image => (None, None),
        UserSpec::Caller => {
            (Some(format!("{}:{}", record.uid, record.gid)), record.user.as_ref().filter(plain_name).cloned())
        }
        ids @ UserSpec::Ids { .. } => (Some(ids.to_string()), None),
    };
    argv::RunPlan {
        id: record.id.clone(),
        name: record.name.clone(),
        image: record.image.clone(),
        src: run.source.clone(),
        input: run.input.clone(),
        output: run.output.clone(),
        parts: run.parts.clone(),
        cache: run.cache.as_ref().map(|cache| cache.volume(record.uid)),
        mounts: run.mounts.clone(),
        publish: run.publish.clone(),
        program: run.program.path().to_owned(),
        args: run.arguments(),
        user,
        user_name,
        env: run.env.iter().map(ToString::to_string).collect(),
        labels: record.labels.clone(),
        cpus: run.cpus,
        memory: run.memory,
        shm_size: run.shm_size,
        gpus: run.gpus.clone(),
        network: run.network.clone(),
        log_driver: run.log_driver.to_string(),
        copied,
    }
}

pub fn start(engine: &Engine, env: &Env, job: &Job, record: &Record, values: &Values) -> Result<Started> {
    match &record.work {
        Work::Run(run) => {
            let call = call(record, values, None)?;
            let begun = begin(engine, env, job, None)?;
            cache::prepare(engine, env, record, run, &begun)?;
            fault::point("begun");
            Ok(Started { client: Some(spawn(engine, job, &call)?), begun })
        }
        Work::Build(work) => {
            let (call, begun) = build::prepare(engine, env, job, record, work)?;
            fault::point("begun");
            let wanted = !job.requests().ask_for_end();
            let client = wanted.then(|| spawn(engine, job, &call)).transpose()?;
            Ok(Started { client, begun })
        }
    }
}

/// Starts the client that builds an image from nothing, if a build that reused the steps of the last image failed because of
/// that.
pub fn start_anew(engine: &Engine, env: &Env, job: &Job, record: &Record) -> Result<Option<Child>> {
    let Work::Build(work) = &record.work else { return Ok(None) };
    let call = build::anew(engine, env, job, record, work)?;
    call.map(|call| spawn(engine, job, &call)).transpose()
}

/// Starts docker's client with the locked log as its stdout and stderr. This process closes its own descriptor of the log,
/// so that the log is locked only while a client has it open.
fn spawn(engine: &Engine, job: &Job, call: &Call) -> Result<Child> {
    use std::os::unix::process::CommandExt as _;
    let log = job.dir.append(LOG)?;
    // Not `try_lock`: a reader that checks the lock takes it for a moment.
    log.lock().context("could not lock the log")?;
    let mut command = engine.command(&call.args);
    command.stdout(log.try_clone()?).stderr(log).current_dir("/").process_group(0);
    command.envs(call.environment.iter().map(|(key, value)| (key, value)));
    if let Some(text) = &call.stdin {
        let (reader, mut writer) = io::pipe()?;
        writer.write_all(text.as_bytes())?;
        command.stdin(reader);
    }
    let started = command.spawn();
    started.map_err(|error| engine.not_started(&error).failure("could not start the job").into())
}

/// Records what was found before the start: the versions and the engine's id. Without the id on record, nothing that an
/// engine says about the job later would prove anything.
pub fn begin(engine: &Engine, env: &Env, job: &Job, known: Option<(Builder, &Version)>) -> Result<Begun> {
    let (id, asked) = std::thread::scope(|scope| {
        let question = || if known.is_none() { engine.version().ok() } else { None };
        // Both at once, to save time. Without another thread they are asked one after the other.
        let asking = std::thread::Builder::new().spawn_scoped(scope, question);
        let id = patiently(|| engine.id());
        (id, asking.map_or_else(|_| question(), |asking| asking.join().ok().flatten()))
    });
    let version = known.map(|(_, version)| version).or(asked.as_ref());
    let begun = Begun {
        format: FORMAT,
        started: env.now(),
        engine_id: Some(id.map_err(|error| error.failure("could not find out which engine this is"))?),
        engine_version: version.and_then(|version| Some(version.server.as_ref()?.version.clone())),
        client_version: version.map(|version| version.client.version.clone()),
        builder: known.map(|(builder, _)| builder.word().to_owned()),
    };
    job.write_json(BEGUN, &begun)?;
    Ok(begun)
}

/// Asks again if docker was killed or gave an unexpected answer.
pub fn patiently<T>(ask: impl Fn() -> Result<T, EngineError>) -> Result<T, EngineError> {
    let mut answer = ask();
    for _ in 1..TRIES {
        match &answer {
            Err(EngineError::Failed { .. } | EngineError::Nonsense { .. }) => answer = ask(),
            _ => break,
        }
    }
    answer
}

pub fn look(engine: &Engine, subject: Subject) -> Sighting {
    let source = subject.record.run().map(|run| run.source.as_str());
    let container = || engine.container_of(&subject.record.id, source).map_err(|error| error.failure(""));
    look_with(engine, subject, container, || engine.id().map_err(|error| error.failure("")))
}

/// As [`look`], with answers that the caller may have already: the job's container, and the engine's id.
pub fn look_with(
    engine: &Engine,
    subject: Subject,
    container: impl FnOnce() -> Result<Option<Container>, Failure>,
    engine_id: impl FnOnce() -> Result<String, Failure>,
) -> Sighting {
    let seen = match &subject.record.work {
        Work::Run(run) => container().map(|found| found.map(|found| sighting(found, run, subject.begun))),
        Work::Build(_) => match proven_image(engine, subject) {
            Ok(image) => Ok(image.map(Sighting::ImageProven)),
            Err(error) => Err(error.failure("")),
        },
    };
    match seen {
        Ok(Some(sighting)) => sighting,
        Ok(None) => absent(subject.begun, engine_id),
        Err(why) => Sighting::Unreachable(why),
    }
}

/// A build has succeeded if the image with the id that the client wrote has the label of this job.
fn proven_image(engine: &Engine, subject: Subject) -> Result<Option<String>, EngineError> {
    let Some(image_id) = subject.image_id else { return Ok(None) };
    let label = format!("label={}={}", argv::JOB_LABEL, subject.record.id);
    let images: Vec<String> = engine.json_lines(&argv::image_ids(&[label]))?;
    Ok(images.into_iter().find(|image| image == image_id))
}

/// A missing job proves something only if the engine is the recorded one.
pub fn absent(begun: Option<&Begun>, engine_id: impl FnOnce() -> Result<String, Failure>) -> Sighting {
    let Some(recorded) = begun.and_then(|begun| begun.engine_id.as_ref()) else { return Sighting::Absent };
    match engine_id() {
        Ok(id) if is_same(recorded, &id) => Sighting::Absent,
        Ok(_) => Sighting::OtherEngine,
        Err(why) => Sighting::Unreachable(why),
    }
}

/// Whether a recorded engine is the one that answers. A record without the data directory has only the id.
fn is_same(recorded: &str, answers: &str) -> bool {
    recorded == answers || answers.split_once(' ').is_some_and(|(id, _)| id == recorded)
}

/// The [`Sighting`] of a container.
fn sighting(container: Container, run: &Run, begun: Option<&Begun>) -> Sighting {
    let Container { object, state } = container;
    let code = i32::try_from(state.exit_code).unwrap_or(-1);
    let why = (!state.error.is_empty()).then(|| state.error.replace('\n', " "));
    let ContainerState { id, phase, started, finished, oom_killed, .. } = state;
    let account = withhold(object, run);
    match phase {
        Phase::Running | Phase::Paused | Phase::Restarting | Phase::Removing => {
            Sighting::Alive(Alive { container: id, started, account, pending: None })
        }
        Phase::Created => Sighting::NeverStarted(NeverStarted { container: id, code, why, account }),
        Phase::Exited | Phase::Dead => Sighting::Ended(Box::new(Ended {
            container: id,
            code,
            signal: (129..=192).contains(&code).then(|| code - 128),
            started,
            finished,
            out_of_memory: oom_killed,
            why,
            made_up: inspect::made_up(code, begun.and_then(|begun| begun.engine_version.as_deref())),
            account,
        })),
    }
}

/// The engine's description without the values of the run's variables, which may be secrets.
pub fn withhold(object: Value, run: &Run) -> Value {
    inspect::withhold(object, |name| run.env.iter().any(|given| given.as_str() == name))
}

pub fn wait(engine: &Engine, container: &str) -> io::Result<Child> {
    let mut command = engine.command(&argv::wait(container));
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
}

pub fn end(
    engine: &Engine,
    subject: Subject,
    client: Option<Pid>,
    request: &Request,
    push: Push,
) -> Result<Effect, Failure> {
    let id = &subject.record.id;
    if let Some(run) = subject.record.run() {
        return end_run(engine, subject, run, request, push);
    }
    // Only the client can end a build, so the client and its plugins get the signal.
    let asked = Signal::from_named_raw(request.signal).unwrap_or(Signal::TERM);
    let signal = if push == Push::Kill { Signal::KILL } else { asked };
    match client.map(|client| kill_process_group(client, signal)) {
        Some(Ok(())) => Ok(Effect::Sent),
        Some(Err(error)) => Err(Failure::new(Kind::Internal, format!("could not end build {id}: {error}"))),
        None => {
            Err(Failure::new(Kind::Failed, format!("could not end build {id}: its docker client cannot be reached")))
        }
    }
}

/// The container is addressed by its id, because another may have its name by now. `docker kill` and not `docker stop`,
/// which also succeeds if the program had ended by itself.
fn end_run(engine: &Engine, subject: Subject, run: &Run, request: &Request, push: Push) -> Result<Effect, Failure> {
    let id = &subject.record.id;
    let could_not = match request.verb {
        Verb::Kill if !request.ends() => format!("could not send the signal to run {id}"),
        _ => format!("could not end run {id}"),
    };
    let look = || -> Result<Option<Sighting>, Failure> {
        let found = engine.container_of(id, Some(run.source.as_str())).map_err(|error| error.failure(&could_not))?;
        Ok(found.map(|container| sighting(container, run, subject.begun)))
    };
    let late = || {
        let ended = || Failure::new(Kind::Conflict, format!("{could_not}: it has already ended"));
        request.ends().then_some(Effect::Late).ok_or_else(ended)
    };
    let alive = match look()? {
        Some(Sighting::Alive(alive)) => alive,
        Some(Sighting::Ended(_)) => return late(),
        _ => return Err(Failure::new(Kind::Failed, format!("{could_not}: its container is not running yet"))),
    };
    let args = argv::kill(&alive.container, &signal_name(request, push, &alive.account));
    let output = engine.run(&args, engine.patience).map_err(|error| error.failure(&could_not))?;
    if output.status.success() {
        return Ok(Effect::Sent);
    }
    let failure = engine.explain(&args, &output).failure(&could_not);
    if let Some(Sighting::Ended(_)) = look()? { late() } else { Err(failure) }
}

/// An image may name the signal that stops its programs, as for `docker stop`.
fn signal_name(request: &Request, push: Push, account: &Value) -> String {
    let asked = crate::names::Signal::from_number(request.signal).map_or("TERM", crate::names::Signal::name);
    let images = account.pointer("/Config/StopSignal").and_then(Value::as_str).filter(|name| !name.is_empty());
    match (push, request.verb) {
        (Push::Kill, _) => "KILL".into(),
        (Push::Asked, Verb::Stop | Verb::Timeout) => images.unwrap_or(asked).to_owned(),
        (Push::Asked, Verb::Kill | Verb::Cancel) => asked.to_owned(),
    }
}

/// A file that does not grow for the time limit of a call means that the engine does not answer. A long log takes longer
/// than that.
pub fn fetch_log(engine: &Engine, container: &str, tail: Tail, into: File) -> io::Result<()> {
    bounded(engine, &argv::logs(container, &tail.to_string()), engine.patience, into)
}

/// Writes what a call says to a file. When nothing has come for so long, the engine does not answer.
pub fn bounded(engine: &Engine, args: &[String], patience: Duration, into: File) -> io::Result<()> {
    let mut command = engine.command(args);
    let mut client = command.stdout(into.try_clone()?).stderr(into.try_clone()?).spawn()?;
    let (mut length, mut grown) = (0, Instant::now());
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = client.try_wait()? {
            return if status.success() {
                Ok(())
            } else {
                Err(io::Error::other(format!("docker logs {}", ended(status))))
            };
        }
        let now = into.metadata()?.len();
        if now != length {
            (length, grown) = (now, Instant::now());
        } else if grown.elapsed() > patience {
            let _ = client.kill();
            let _ = client.wait();
            return Err(io::Error::other("docker logs did not answer"));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LOOK);
    }
}

/// No such program (127), not executable (126), no such device (125): the client knows which. What the engine keeps may
/// be a number of its own.
pub fn start_code(client: Option<ExitStatus>, container: i32) -> i32 {
    let clients = client.and_then(|status| status.code()).filter(|code| (REFUSED..=127).contains(code));
    match clients.unwrap_or(container) {
        0 => REFUSED,
        code => code,
    }
}

pub fn cuts_output(begun: Option<&Begun>) -> bool {
    let version = begun.and_then(|begun| begun.client_version.clone());
    version.is_none_or(|version| Side { version }.cuts_output())
}

pub fn is_in_use(engine: &Engine, directory: &str) -> bool {
    engine.is_mounted(directory).unwrap_or(true)
}

pub fn remove(engine: &Engine, container: &str) -> bool {
    let asked = engine.run(&argv::remove(container), engine.patience);
    asked.is_ok_and(|output| output.status.success())
}

pub fn clear(engine: &Engine, tombstone: &Tombstone, here: &Here) -> bool {
    let is_its_engine = || match &tombstone.engine_id {
        Some(known) => engine.id().is_ok_and(|id| is_same(known, &id)),
        None => true,
    };
    match engine.container_of(&tombstone.id, None) {
        Ok(Some(container)) => {
            let may_go = match container.state.phase {
                Phase::Exited | Phase::Dead => true,
                // It may be about to be started, and forgetting a run does not stop it.
                Phase::Created => tombstone.is_old(here),
                Phase::Running | Phase::Paused | Phase::Restarting | Phase::Removing => false,
            };
            may_go && remove(engine, &container.state.id)
        }
        Ok(None) => tombstone.is_old(here) && is_its_engine(),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use serde_json::json;

    use super::*;
    use crate::job::record::Kind as JobKind;
    use crate::names::{EnvKey, JobId};

    fn run() -> Run {
        let record = Record::example(&JobId::parse("0123456789ab").unwrap(), JobKind::Run, None);
        Run { env: vec![EnvKey::parse("TOKEN").unwrap()], ..record.run().unwrap().clone() }
    }

    fn container(status: &str, code: i64, error: &str) -> Container {
        let object = json!({
            "Id": "c0ffee",
            "State": {"Status": status, "ExitCode": code, "Error": error, "FinishedAt": "2026-01-01T00:00:00Z"},
            "Config": {"Env": ["TOKEN=hunter2", "PATH=/bin"]},
        });
        Container { state: inspect::container_state(&object).unwrap(), object }
    }

    fn begun(engine_id: Option<&str>, engine_version: &str) -> Begun {
        Begun {
            format: FORMAT,
            started: chrono::DateTime::UNIX_EPOCH,
            engine_id: engine_id.map(str::to_owned),
            engine_version: Some(engine_version.to_owned()),
            client_version: None,
            builder: None,
        }
    }

    #[test]
    fn a_container_is_alive_in_every_phase_between_start_and_end() {
        for status in ["running", "paused", "restarting", "removing"] {
            // The engine reports code 0 while it runs.
            let Sighting::Alive(alive) = sighting(container(status, 0, ""), &run(), None) else { panic!("{status}") };
            assert_eq!(alive.account["Config"]["Env"], json!(["TOKEN=(withheld)", "PATH=/bin"]));
        }
        let created = sighting(container("created", 127, "no such\nprogram"), &run(), None);
        let Sighting::NeverStarted(created) = created else { panic!("{created:?}") };
        assert_eq!((created.code, created.why.as_deref()), (127, Some("no such program")));
    }

    #[test]
    fn an_ended_container_has_its_code_its_signal_and_a_doubt() {
        let table = [
            ("exited", 0, "20.10.24", None, false),
            ("exited", 0, "24.0.1", None, true),
            ("dead", 137, "24.0.1", Some(9), false),
            ("exited", 128, "20.10.24", None, false),
            ("exited", 193, "20.10.24", None, false),
            ("exited", 255, "20.10.24", None, true),
        ];
        for (status, code, version, signal, doubtful) in table {
            let seen = sighting(container(status, code, ""), &run(), Some(&begun(None, version)));
            let Sighting::Ended(end) = seen else { panic!("{seen:?}") };
            assert_eq!((i64::from(end.code), end.signal, end.made_up.is_some()), (code, signal, doubtful), "{code}");
        }
    }

    #[test]
    fn absence_proves_something_only_on_the_recorded_engine() {
        let asked = |id: &str| Ok(id.to_owned());
        let away = || Err(Failure::new(Kind::EngineUnreachable, "down"));
        let known = begun(Some("ours"), "20.10.24");
        assert_eq!(absent(Some(&known), || asked("ours")), Sighting::Absent);
        assert_eq!(absent(Some(&known), || asked("other")), Sighting::OtherEngine);
        // Older records have no data directory.
        assert_eq!(absent(Some(&known), || asked("ours /var/lib/docker")), Sighting::Absent);
        let whole = begun(Some("ours /var/lib/docker"), "20.10.24");
        assert_eq!(absent(Some(&whole), || asked("ours /srv/docker")), Sighting::OtherEngine);
        assert!(matches!(absent(Some(&known), away), Sighting::Unreachable(_)));
        // Without a recorded engine there is nothing to compare, and the engine is not asked.
        assert_eq!(absent(Some(&begun(None, "20.10.24")), || panic!("asked")), Sighting::Absent);
        assert_eq!(absent(None, || panic!("asked")), Sighting::Absent);
    }

    #[test]
    fn the_clients_code_says_why_a_container_could_not_be_started() {
        let client = |code: i32| Some(ExitStatus::from_raw(code << 8));
        for (client, container, code) in
            [(client(126), 0, 126), (client(1), 127, 127), (None, 128, 128), (None, 0, 125), (client(0), 0, 125)]
        {
            assert_eq!(start_code(client, container), code);
        }
    }
}
