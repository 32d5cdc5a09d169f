//! `exec run`: makes a run from flags and spec, and starts it under a supervisor. `exec rerun` starts its runs here, too.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use super::mounts;
use super::paths::{self, Given, Paths};
use super::program::Wanted;
use super::ship::{self, Shipment};
use super::swarm;
use super::sweep::sweep;
use crate::cli::{ExecRun, Stay};
use crate::commands::jobs::start;
use crate::commands::jobs::stay::start_and_stay;
use crate::commands::{DryRun, read_file, read_spec};
use crate::engine::Engine;
use crate::env::Env;
use crate::error::Failure;
use crate::job::attempts::Retry;
use crate::job::points::Making;
use crate::job::record::{Record, Run, Ship, Swarm, Work};
use crate::job::store::Store;
use crate::names::{CACHE_TARGET, EnvKey, EnvValue, GroupName, JobId, LogDriver, Parameters, UserSpec, Variable};
use crate::output::Voice;
use crate::runner::{Runner, Values};
use crate::spec::RunSpec;

/// What is asked for, and by which command.
pub struct Asked<'a> {
    /// What to run.
    pub spec: RunSpec,
    /// The run that this one repeats.
    pub rerun_of: Option<JobId>,
    /// The group that it belongs to.
    pub group: Option<GroupName>,
    /// Of a job of a sweep, and of a run that repeats one: its parameters.
    pub parameters: Parameters,
    /// Whether the command itself reads stdin.
    pub reads_stdin: bool,
    /// What to do after the start.
    pub stay: &'a Stay,
}

/// A run that is checked and can be started.
pub struct Ready {
    /// What was asked.
    pub record: Record,
    /// The values of its variables.
    pub values: Values,
    /// docker's command line.
    pub argv: Vec<String>,
    paths: Paths,
}

/// Starts the run, or those of a sweep, and returns, unless `--wait` or `--follow` is given.
pub fn run(env: &Env, voice: &Voice, args: &ExecRun) -> Result<u8> {
    if !args.each.is_empty() {
        return sweep(env, voice, args);
    }
    let spec = given(&args.spec, read_spec(args.file.as_deref())?, env_files(&args.env_files)?);
    let reads_stdin = args.file.as_deref() == Some(Path::new("-"));
    let (group, parameters) = (args.group.clone(), Parameters::default());
    start(env, voice, Asked { spec, rerun_of: None, group, parameters, reads_stdin, stay: &args.stay })
}

/// Starts what is asked for, on the engine that the environment selects.
pub fn start(env: &Env, voice: &Voice, asked: Asked) -> Result<u8> {
    let how = asked.stay;
    let reads_stdin = asked.reads_stdin;
    let Ready { record, values, argv, paths } = ready(env, asked)?;
    let copied = Shipment::of(&record)?;
    if how.dry_run {
        voice.text(|page| copied.iter().try_for_each(|copied| copied.show(page)))?;
        voice.reply(&DryRun { argv, copied })?;
        return Ok(0);
    }
    note_stdin(env, voice, reads_stdin);
    start_and_stay(env, voice, record, &values, how, |store, record| paths.make(store, record))
}

/// Says that a file on stdin does not reach the program.
pub fn note_stdin(env: &Env, voice: &Voice, reads_stdin: bool) {
    if !reads_stdin && env.has_unread_file_as_stdin() {
        voice.note(
            "note: the program gets no stdin; pass the file with --input, or its text as an argument: -- \"$(cat)\"",
        );
    }
}

/// Checks what is asked for. The engine is not asked, and nothing is changed.
pub fn ready(env: &Env, asked: Asked) -> Result<Ready> {
    let Asked { spec, rerun_of, group, parameters, stay: how, .. } = asked;
    let wanted = Wanted::of(&spec)?;
    let variables = variables(env, &spec.env)?;
    check_ports(&spec)?;
    check_cache(&spec)?;
    check_retry(&spec)?;
    let engine = Engine::chosen(env)?;
    let swarm = swarm::wanted(&spec)?;
    let ship = if swarm.is_some() { None } else { ship::of(&engine, &spec)? };
    let paths = paths::resolve(&Given {
        src: wanted.src,
        main: wanted.program.file(),
        input: spec.input_path.as_deref(),
        output: spec.output_path.as_deref(),
        mounts: &spec.all_mounts().cloned().collect::<Vec<_>>(),
        sockets: &mounts::sockets(&env.endpoint()),
        copied: ship.is_some() || swarm.as_ref().is_some_and(|swarm| !swarm.shared),
    })?;
    let names = variables.iter().map(|(name, _)| name.clone()).collect();
    let values = Values::of(variables);
    let group = group.map(String::from);
    let record = Record {
        rerun_of,
        group,
        parameters,
        ..record(env, &engine, &spec, &wanted, &paths, names, Place { ship, swarm })
    };
    let record = start::followed(env, how, record)?;
    // Values that cannot be passed to docker are refused before anything is created.
    let argv = Runner::of(env, &record).command_line(&record, &values)?;
    Ok(Ready { record, values, argv, paths })
}

impl Ready {
    /// Creates the directories that the run needs, as [`Paths::make`].
    pub fn make<'s>(&self, store: &'s Store, record: &Record) -> Result<Option<Making<'s>>> {
        self.paths.make(store, record)
    }
}

/// Merges a spec, the variables of the environment files and the flags. Later ones override earlier ones.
pub fn given(flags: &RunSpec, mut spec: RunSpec, env_files: Vec<Variable>) -> RunSpec {
    spec.env.extend(env_files);
    flags.clone().over(spec)
}

/// Reads the environment files.
pub fn env_files(paths: &[PathBuf]) -> Result<Vec<Variable>> {
    Ok(paths.iter().map(|path| env_file(path)).collect::<Result<Vec<_>>>()?.concat())
}

fn env_file(path: &Path) -> Result<Vec<Variable>> {
    let bytes = read_file(path, "the environment file")?;
    let wrong = |why: String| Failure::usage(format!("could not read the environment file {}: {why}", path.display()));
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".into()))?;
    Ok(crate::envfile::parse(&text).map_err(|error| wrong(error.to_string()))?)
}

fn check_cache(spec: &RunSpec) -> Result<(), Failure> {
    let is_taken = spec.all_mounts().any(|mount| mount.target.as_str() == CACHE_TARGET);
    if spec.cache.is_some() && is_taken {
        let message = format!("cannot mount anything else at {CACHE_TARGET}: --cache is mounted there");
        return Err(Failure::usage(message).hint("choose another target"));
    }
    Ok(())
}

fn check_ports(spec: &RunSpec) -> Result<(), Failure> {
    let is_cut_off = spec.network.as_ref().is_some_and(|network| network.as_str() == "none");
    match spec.publish.first() {
        Some(port) if is_cut_off => Err(Failure::usage(format!("cannot publish the port {port}: the network is none"))
            .hint("leave --network out, or choose another network")),
        _ => Ok(()),
    }
}

/// Names and values; the last value of a name is used. A name without a value takes the caller's, and is left out if the
/// caller has none.
fn variables(env: &Env, asked: &[Variable]) -> Result<Vec<(EnvKey, EnvValue)>> {
    let mut merged: Vec<(EnvKey, EnvValue)> = Vec::new();
    for Variable { key, value } in asked {
        let value = match value {
            Some(value) => Some(value.clone()),
            None => env.variable(key.as_str()).map(|value| EnvValue::parse(&value)).transpose()?,
        };
        merged.retain(|(known, _)| known != key);
        merged.extend(value.map(|value| (key.clone(), value)));
    }
    Ok(merged)
}

/// The pause before a second attempt, unless another is given.
const RETRY_DELAY: Duration = Duration::from_secs(1);

fn retry(spec: &RunSpec) -> Option<Retry> {
    let delay = spec.retry_delay.unwrap_or(RETRY_DELAY).as_secs_f64();
    spec.retry.map(|retries| Retry { times: retries.count(), delay, on: spec.retry_on.clone() })
}

fn check_retry(spec: &RunSpec) -> Result<(), Failure> {
    let alone = [("--retry-delay", spec.retry_delay.is_some()), ("--retry-on", spec.retry_on.is_some())];
    match alone.iter().find(|(_, is_given)| *is_given && spec.retry.is_none()) {
        Some((flag, _)) => Err(Failure::usage(format!("{flag} needs --retry")).hint("say how often with: --retry N")),
        None => Ok(()),
    }
}

/// Where a run runs, if not on an engine that sees the caller's files.
struct Place {
    ship: Option<Ship>,
    swarm: Option<Swarm>,
}

fn record(
    env: &Env,
    engine: &Engine,
    spec: &RunSpec,
    wanted: &Wanted,
    paths: &Paths,
    names: Vec<EnvKey>,
    place: Place,
) -> Record {
    let work = Work::Run(Run {
        source: paths.src.clone(),
        program: wanted.program.clone(),
        args: wanted.args.clone(),
        input: paths.input.clone(),
        output: paths.output.clone(),
        parts: paths.parts.clone(),
        mounts: paths.mounts.clone(),
        publish: spec.publish.clone(),
        cache: spec.cache.clone(),
        env: names,
        user: spec.user.unwrap_or(UserSpec::Caller),
        cpus: spec.cpus,
        memory: spec.memory,
        shm_size: spec.shm_size,
        gpus: spec.gpus.clone(),
        network: spec.network.clone(),
        timeout: spec.timeout.map(|timeout| timeout.as_secs_f64()),
        retry: retry(spec),
        keep: spec.keep,
        log_driver: spec.log_driver.unwrap_or(LogDriver::Local),
        log_max_size: spec.log_max_size,
        ship: place.ship,
        swarm: place.swarm,
    });
    Record {
        name: wanted.name.as_ref().map(ToString::to_string),
        labels: start::labels(&spec.labels),
        ..start::record(env, engine, wanted.image.clone(), work)
    }
}
