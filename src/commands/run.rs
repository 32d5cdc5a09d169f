//! `exec run`: from flags and spec to a published, supervised run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum as _;
use serde_json::{Value, json};

use super::jobs::stay;
use super::start::{self, flag_labels, spec_labels};
use super::{paths, read_file, read_spec};
use crate::cli::{ExecRun, LogDriver};
use crate::engine::argv::{self, RunPlan, container_name};
use crate::engine::{Engine, EngineError, shown};
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::job::record::{Kind, Record, Run, Work};
use crate::job::store::Store;
use crate::names::{Cpus, EnvKey, EnvValue, Gpus, ImageRef, JobId, JobName, MainFile, NetworkName, UserSpec};
use crate::output;
use crate::spec::{Spec, missing};
use crate::supervisor::Secrets;
use crate::units;

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
pub fn run(env: &Env, json: bool, args: &ExecRun) -> Result<u8> {
    let request = request(env, args)?;
    let paths = paths::resolve(&request.src, &request.main, request.input.as_deref(), request.output.as_deref())?;
    let engine = env.engine()?;
    let id = Store::new_id();
    let (plain, stdin): (Vec<_>, Vec<_>) = request.env.iter().cloned().partition(|(key, _)| !changes_client(key));
    let plan = plan(env, &request, &paths, id.clone(), &plain, &stdin);
    let argv = argv::run(&plan);
    if args.stay.dry_run {
        let line = engine.line(&argv);
        if json {
            output::json(&json!({"argv": line}))?;
        } else {
            output::line(env, &shown(&line))?;
        }
        return Ok(0);
    }
    let secrets = Secrets { environment: texts(&plain), stdin: env_file(&stdin)? };
    let id_file = start::IdFile::claim(args.stay.id_file.as_deref())?;
    let store = Store::make(env, Kind::Run)?;
    check_image(&engine, &request.image)?;
    paths.make()?;
    let work = Work::Run(Run {
        container: container_name(&id),
        argv,
        env: request.env.iter().map(|(key, _)| key.to_string()).collect(),
        keep: request.keep,
        timeout: request.timeout.map(|timeout| timeout.as_secs_f64()),
        memory: request.memory,
        command: std::iter::once(plan.main).chain(plan.args).collect(),
    });
    let record = Record {
        id,
        name: request.name.as_ref().map(ToString::to_string),
        labels: request.labels,
        ..start::record(env, &engine, request.image.as_str(), work)
    };
    let job = start::begin(&store, &record, &secrets)?;
    id_file.write(job.id.as_str())?;
    stay(env, json, &job, &args.stay, json!({"exec_id": job.id}), job.id.as_str())
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

/// Whether the docker client would heed a variable itself: where it looks for its files, its plugins and its engine,
/// how it reaches the network, how its runtime behaves. Such a value reaches the container by another way.
pub(crate) fn changes_client(key: &EnvKey) -> bool {
    let upper = key.as_str().to_uppercase();
    const NAMES: [&str; 9] =
        ["PATH", "HOME", "USER", "TMPDIR", "TERM", "NO_COLOR", "SSH_AUTH_SOCK", "NOTIFY_SOCKET", "LISTEN_FDS"];
    const BEGINNINGS: [&str; 10] =
        ["DOCKER_", "BUILDKIT_", "BUILDX_", "COMPOSE_", "OTEL_", "GO", "LD_", "SSL_CERT", "XDG_", "CLICOLOR"];
    NAMES.contains(&upper.as_str())
        || BEGINNINGS.iter().any(|beginning| upper.starts_with(beginning))
        || upper.ends_with("_PROXY")
}

fn texts(variables: &[(EnvKey, EnvValue)]) -> Vec<(String, String)> {
    variables.iter().map(|(key, value)| (key.to_string(), value.as_str().to_owned())).collect()
}

/// The variables that must not stand in the client's environment, as docker's own environment file, whose values are
/// exact but can hold no newline.
fn env_file(variables: &[(EnvKey, EnvValue)]) -> Result<Option<String>> {
    let mut text = String::new();
    for (key, value) in variables {
        if value.as_str().contains(['\n', '\r']) {
            let why = "its value has several lines, and the docker client heeds this variable itself";
            return Err(Failure::usage(format!("invalid variable {key}: {why}")).hint("give it another name").into());
        }
        text += &format!("{key}={}\n", value.as_str());
    }
    if text.len() > 60_000 {
        return Err(Failure::usage("invalid variables: those that the docker client heeds itself are too long").into());
    }
    Ok((!text.is_empty()).then_some(text))
}

fn plan(
    env: &Env,
    request: &Request,
    paths: &paths::Paths,
    id: JobId,
    plain: &[(EnvKey, EnvValue)],
    stdin: &[(EnvKey, EnvValue)],
) -> RunPlan {
    let keys = |variables: &[(EnvKey, EnvValue)]| variables.iter().map(|(key, _)| key.to_string()).collect();
    let plain_name = |name: &&String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let (user, user_name) = match request.user {
        UserSpec::Image => (None, None),
        UserSpec::Caller => (Some(format!("{}:{}", env.uid, env.gid)), env.user.as_ref().filter(plain_name).cloned()),
        UserSpec::Ids { uid, gid: Some(gid) } => (Some(format!("{uid}:{gid}")), None),
        UserSpec::Ids { uid, gid: None } => (Some(uid.to_string()), None),
    };
    RunPlan {
        id,
        name: request.name.as_ref().map(ToString::to_string),
        image: request.image.clone(),
        src: paths.src.clone(),
        input: paths.input.clone(),
        output: paths.output.clone(),
        main: request.main.argument(),
        args: request.args.clone(),
        user,
        user_name,
        env: keys(plain),
        env_stdin: keys(stdin),
        labels: request.labels.clone(),
        cpus: request.cpus,
        memory: request.memory,
        shm_size: request.shm_size,
        gpus: request.gpus.clone(),
        network: request.network.clone(),
        log_driver: request.log_driver.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default(),
    }
}

/// The one engine call on the user's time: it tells of a missing image and of a missing engine alike.
fn check_image(engine: &Engine, image: &ImageRef) -> Result<()> {
    let asked: Result<Vec<Value>, EngineError> = engine.json(&argv::image_inspect(&[image.to_string()]));
    match asked {
        Ok(_) => Ok(()),
        Err(EngineError::Failed { .. }) => {
            let message = format!("there is no image {:?}", image.as_str());
            let hint = format!(
                "build it with: longshore image create {image} --base …   or fetch it with: docker pull {image}"
            );
            Err(Failure::new(ErrorKind::NotFound, message).hint(hint).into())
        }
        Err(error) => Err(error.failure(&format!("could not run in image {:?}", image.as_str())).into()),
    }
}
