//! `exec run`: from flags and spec to a published, supervised run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum as _;

use super::paths;
use crate::cli::{ExecRun, LogDriver};
use crate::commands::jobs::start::{self, flag_labels, spec_labels};
use crate::commands::jobs::stay::stay;
use crate::commands::{DryRun, read_file, read_spec};
use crate::engine::Engine;
use crate::env::Env;
use crate::error::Failure;
use crate::job::record::{Record, Run, Work};
use crate::names::{EnvKey, EnvValue, Gpus, ImageRef, JobName, MainFile, NetworkName};
use crate::output::Voice;
use crate::runner::{Runner, Values};
use crate::spec::{Spec, missing};
use crate::units::{self, Cpus, UserSpec};

/// What the flags and the spec ask for together.
struct Request {
    src: PathBuf,
    main: MainFile,
    image: ImageRef,
    input: Option<PathBuf>,
    output: Option<PathBuf>,
    args: Vec<String>,
    env: Vec<(EnvKey, EnvValue)>,
    labels: BTreeMap<String, String>,
    name: Option<JobName>,
    cpus: Option<Cpus>,
    memory: Option<u64>,
    gpus: Option<Gpus>,
    shm_size: Option<u64>,
    network: Option<NetworkName>,
    timeout: Option<Duration>,
    user: UserSpec,
    keep: bool,
    log_driver: LogDriver,
}

/// Starts the run and returns, unless it is to stay.
pub fn run(env: &Env, voice: &Voice, args: &ExecRun) -> Result<u8> {
    let request = request(env, args)?;
    let paths = paths::resolve(&request.src, &request.main, request.input.as_deref(), request.output.as_deref())?;
    let engine = Engine::chosen(env)?;
    let values = Values(texts(&request.env));
    let record = record(env, &engine, &request, &paths);
    // What cannot be handed over is refused before anything is made.
    let argv = Runner::of(env, &record).command_line(&record, &values)?;
    if args.stay.dry_run {
        voice.reply(&DryRun { argv })?;
        return Ok(0);
    }
    let id_file = start::IdFile::claim(args.stay.id_file.as_deref())?;
    let job = start::begin(env, voice, &record, &values, || paths.make())?;
    id_file.write(job.id.as_str())?;
    stay(env, voice, &job, &args.stay, job.id.as_str())
}

fn record(env: &Env, engine: &Engine, request: &Request, paths: &paths::Paths) -> Record {
    let work = Work::Run(Run {
        source: paths.src.clone(),
        main: request.main.clone(),
        args: request.args.clone(),
        input: paths.input.clone(),
        output: paths.output.clone(),
        env: request.env.iter().map(|(key, _)| key.clone()).collect(),
        user: request.user,
        cpus: request.cpus,
        memory: request.memory,
        shm_size: request.shm_size,
        gpus: request.gpus.clone(),
        network: request.network.clone(),
        timeout: request.timeout.map(|timeout| timeout.as_secs_f64()),
        keep: request.keep,
        log_driver: request.log_driver.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default(),
    });
    Record {
        name: request.name.as_ref().map(ToString::to_string),
        labels: request.labels.clone(),
        ..start::record(env, engine, request.image.clone(), work)
    }
}

/// Flags win over the file; variables and labels are merged, flags last.
fn request(env: &Env, args: &ExecRun) -> Result<Request> {
    let mut spec = read_spec(args.spec.as_deref())?;
    let path = |given: &Option<PathBuf>, key, spec: &mut Spec| -> Result<Option<PathBuf>, Failure> {
        let filed = spec.string(key)?.map(PathBuf::from);
        Ok(given.clone().or(filed))
    };
    let src = path(&args.src, "srcPath", &mut spec)?;
    let main = or_parse(args.main.clone(), spec.string("mainSrc")?, MainFile::parse)?;
    let image = or_parse(args.image.clone(), spec.string("imageTag")?, ImageRef::parse)?;
    let input = path(&args.input, "inputPath", &mut spec)?;
    let output = path(&args.output, "outputPath", &mut spec)?;
    let filed = spec.strings("args")?;
    let mut labels = spec_labels(&mut spec)?;
    labels.extend(flag_labels(&args.labels));
    let request = Request {
        src: src.ok_or_else(|| missing("srcPath", "--src"))?,
        main: main.ok_or_else(|| missing("mainSrc", "--main"))?,
        image: image.ok_or_else(|| missing("imageTag", "--image"))?,
        input,
        output,
        args: if args.args.is_empty() { filed } else { args.args.clone() },
        env: environment(env, args, &mut spec)?,
        labels,
        name: or_parse(args.name.clone(), spec.string("name")?, JobName::parse)?,
        cpus: or_parse(args.cpus, spec.string_or_number("cpus")?, Cpus::parse)?,
        memory: or_parse(args.memory, spec.string_or_number("memory")?, units::bytes)?,
        gpus: or_parse(args.gpus.clone(), spec.string_or_number("gpus")?, Gpus::parse)?,
        shm_size: or_parse(args.shm_size, spec.string_or_number("shmSize")?, units::bytes)?,
        network: or_parse(args.network.clone(), spec.string("network")?, NetworkName::parse)?,
        timeout: or_parse(args.timeout, spec.string_or_number("timeout")?, units::duration)?,
        user: or_parse(args.user, spec.string("user")?, UserSpec::parse)?.unwrap_or(UserSpec::Caller),
        keep: spec.boolean("keep")? || args.keep,
        log_driver: or_parse(args.log_driver, spec.string("logDriver")?, log_driver)?.unwrap_or(LogDriver::Local),
    };
    spec.finish()?;
    if let Some(argument) = request.args.iter().find(|argument| argument.contains('\0')) {
        return Err(Failure::usage(format!("invalid argument {argument:?}: it contains a NUL")).into());
    }
    if request.timeout == Some(Duration::ZERO) {
        return Err(Failure::usage("invalid timeout: it must be longer than nothing").into());
    }
    Ok(request)
}

fn or_parse<T, E>(
    given: Option<T>,
    filed: Option<String>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<T>, E> {
    match (given, filed) {
        (Some(given), _) => Ok(Some(given)),
        (None, Some(text)) => parse(&text).map(Some),
        (None, None) => Ok(None),
    }
}

fn log_driver(text: &str) -> Result<LogDriver, Failure> {
    LogDriver::from_str(text, false).map_err(|_| {
        Failure::usage(format!("invalid spec: \"logDriver\" must be local, json-file, journald or none, not {text:?}"))
    })
}

/// Variables in the order in which later ones win: the spec's, the files', the flags'. A key alone takes the
/// caller's value, and nothing when the caller has none.
fn environment(env: &Env, args: &ExecRun, spec: &mut Spec) -> Result<Vec<(EnvKey, EnvValue)>> {
    let mut variables = Vec::new();
    for (key, value) in spec.map("env")? {
        variables.push((EnvKey::parse(&key)?, value.as_deref().map(EnvValue::parse).transpose()?));
    }
    for file in &args.env_files {
        let bytes = read_file(file, "the environment file")?;
        let wrong =
            |why: String| Failure::usage(format!("could not read the environment file {}: {why}", file.display()));
        let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".into()))?;
        variables.extend(crate::envfile::parse(&text).map_err(|error| wrong(error.to_string()))?);
    }
    variables.extend(args.env.iter().cloned());
    let mut merged: Vec<(EnvKey, EnvValue)> = Vec::new();
    for (key, value) in variables {
        let value = match value {
            Some(value) => Some(value),
            None => env.variable(key.as_str()).map(|value| EnvValue::parse(&value)).transpose()?,
        };
        merged.retain(|(known, _)| *known != key);
        merged.extend(value.map(|value| (key, value)));
    }
    Ok(merged)
}

fn texts(variables: &[(EnvKey, EnvValue)]) -> Vec<(String, String)> {
    variables.iter().map(|(key, value)| (key.to_string(), value.as_str().to_owned())).collect()
}
