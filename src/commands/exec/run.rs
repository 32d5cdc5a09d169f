//! `exec run`: from flags and spec to a published, supervised run.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use super::paths::{self, Paths};
use crate::cli::ExecRun;
use crate::commands::jobs::stay;
use crate::commands::{read_file, read_spec, start};
use crate::engine::argv::{self, RunPlan, container_name};
use crate::engine::variables::Handed;
use crate::engine::{Engine, EngineError, shown};
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::job::record::{Kind, Record, Run, Work};
use crate::job::store::Store;
use crate::names::{EnvValue, ImageRef, LogDriver, MainFile, UserSpec, Variable};
use crate::output;
use crate::spec::{RunSpec, missing};
use crate::supervisor::Secrets;

/// How much the docker client can be given on its stdin before it has been started.
const MOST_STDIN: usize = 60_000;

/// Starts the run and returns, unless it is to stay.
pub fn run(env: &Env, json: bool, args: &ExecRun) -> Result<u8> {
    let spec = asked(args)?;
    let program = Program::of(&spec)?;
    let variables = variables(env, &spec.env)?;
    let names = variables.iter().map(|(name, _)| name.clone()).collect();
    let paths = paths::resolve(program.src, program.main, spec.input_path.as_deref(), spec.output_path.as_deref())?;
    let engine = env.engine()?;
    let handed = Handed::new(variables)?;
    let plan = plan(env, &spec, &program, &paths, &handed);
    let argv = argv::run(&plan);
    if args.stay.dry_run {
        return dry_run(env, json, &engine.line(&argv));
    }
    let secrets = secrets(handed)?;
    let id_file = start::IdFile::claim(args.stay.id_file.as_deref())?;
    let store = Store::make(env, Kind::Run)?;
    check_image(&engine, program.image)?;
    paths.make()?;
    let work = Work::Run(Run {
        container: container_name(&plan.id),
        argv,
        env: names,
        keep: spec.keep,
        timeout: spec.timeout.map(|timeout| timeout.as_secs_f64()),
        memory: spec.memory,
        command: std::iter::once(plan.main).chain(plan.args).collect(),
    });
    let record = Record {
        id: plan.id,
        name: spec.name.as_ref().map(ToString::to_string),
        labels: start::labels(&spec.labels),
        ..start::record(env, &engine, program.image.as_str(), work)
    };
    let job = start::begin(&store, &record, &secrets)?;
    id_file.write(job.id.as_str())?;
    stay(env, json, &job, &args.stay, json!({"exec_id": job.id}), job.id.as_str())
}

/// The spec, the environment files and the flags, the later over the earlier.
fn asked(args: &ExecRun) -> Result<RunSpec> {
    let mut file: RunSpec = read_spec(args.file.as_deref())?;
    for path in &args.env_files {
        file.env.extend(env_file(path)?);
    }
    Ok(args.spec.clone().over(file))
}

fn env_file(path: &Path) -> Result<Vec<Variable>> {
    let bytes = read_file(path, "the environment file")?;
    let wrong = |why: String| Failure::usage(format!("could not read the environment file {}: {why}", path.display()));
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".into()))?;
    Ok(crate::envfile::parse(&text).map_err(|error| wrong(error.to_string()))?)
}

/// What there is no run without.
struct Program<'a> {
    src: &'a Path,
    main: &'a MainFile,
    image: &'a ImageRef,
}

impl<'a> Program<'a> {
    fn of(spec: &'a RunSpec) -> Result<Self, Failure> {
        Ok(Self {
            src: spec.src_path.as_deref().ok_or_else(|| missing("srcPath", "--src"))?,
            main: spec.main_src.as_ref().ok_or_else(|| missing("mainSrc", "--main"))?,
            image: spec.image_tag.as_ref().ok_or_else(|| missing("imageTag", "--image"))?,
        })
    }
}

/// Names and values, the last of a name. A name alone takes the caller's value, and is left out when the caller has
/// none.
fn variables(env: &Env, asked: &[Variable]) -> Result<Vec<(String, String)>> {
    let mut merged: Vec<(String, String)> = Vec::new();
    for Variable { key, value } in asked {
        let value = match value {
            Some(value) => Some(value.clone()),
            None => env.variable(key.as_str()).map(|value| EnvValue::parse(&value)).transpose()?,
        };
        merged.retain(|(known, _)| known != key.as_str());
        merged.extend(value.map(|value| (key.to_string(), value.as_str().to_owned())));
    }
    Ok(merged)
}

fn secrets(handed: Handed) -> Result<Secrets> {
    let stdin = handed.text();
    if stdin.as_ref().is_some_and(|text| text.len() > MOST_STDIN) {
        return Err(Failure::usage("invalid variables: those that the docker client heeds itself are too long").into());
    }
    Ok(Secrets { environment: handed.environment, stdin })
}

/// Prints docker's command line.
fn dry_run(env: &Env, json: bool, line: &[String]) -> Result<u8> {
    if json {
        output::json(&json!({"argv": line}))?;
    } else {
        output::line(env, &shown(line))?;
    }
    Ok(0)
}

fn plan(env: &Env, spec: &RunSpec, program: &Program, paths: &Paths, handed: &Handed) -> RunPlan {
    let names = |variables: &[(String, String)]| variables.iter().map(|(name, _)| name.clone()).collect();
    let plain_name = |name: &&String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let (user, user_name) = match spec.user.unwrap_or(UserSpec::Caller) {
        UserSpec::Image => (None, None),
        UserSpec::Caller => (Some(format!("{}:{}", env.uid, env.gid)), env.user.as_ref().filter(plain_name).cloned()),
        UserSpec::Ids { uid, gid: Some(gid) } => (Some(format!("{uid}:{gid}")), None),
        UserSpec::Ids { uid, gid: None } => (Some(uid.to_string()), None),
    };
    RunPlan {
        id: Store::new_id(),
        name: spec.name.as_ref().map(ToString::to_string),
        image: program.image.clone(),
        src: paths.src.clone(),
        input: paths.input.clone(),
        output: paths.output.clone(),
        main: program.main.argument(),
        args: spec.args.iter().map(ToString::to_string).collect(),
        user,
        user_name,
        env: names(&handed.environment),
        env_stdin: names(&handed.file),
        labels: start::labels(&spec.labels),
        cpus: spec.cpus,
        memory: spec.memory,
        shm_size: spec.shm_size,
        gpus: spec.gpus.clone(),
        network: spec.network.clone(),
        log_driver: spec.log_driver.unwrap_or(LogDriver::Local).to_string(),
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
