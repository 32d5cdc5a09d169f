//! `container create`: creates a container from the Engine API's body, from flags, or from both.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::process::{Command, ExitStatus, Output};

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::cli::ContainerCreate;
use crate::commands::jobs::start::{check_id_file, write_id_file};
use crate::commands::{DryRun, read_body};
use crate::engine::Engine;
use crate::engine::create::{Create, create_args};
use crate::engine::silence::Silence;
use crate::engine::stream::Readers;
use crate::engine::variables::Handed;
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::output::{Page, Reply, Voice};
use crate::spec::{Required, missing};

/// A container was made: the Engine API's own answer.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "PascalCase")]
pub struct Created {
    /// Its id in full.
    #[cfg_attr(test, schemars(schema_with = "crate::schemas::container_id"))]
    id: String,
    /// What the engine warned of.
    warnings: Vec<String>,
}

impl Reply for Created {
    fn show(&self, page: &mut Page) -> Result<()> {
        page.line(&self.id)
    }
}

/// Creates the container and answers with its id.
pub fn create(env: &Env, voice: &Voice, engine: &Engine, args: &ContainerCreate) -> Result<u8> {
    check_id_file(args.id_file.as_deref())?;
    let body = body(env, args)?;
    let name = args.name.as_deref().or(args.name_flag.as_deref());
    let create = create_args(name, &body).map_err(|error| {
        let hint = error.hint.clone();
        Failure { hint, ..Failure::usage(format!("invalid body: {error}")) }
    })?;
    for told in &create.notes {
        voice.note(&format!("note: {told}"));
    }
    let call = Call::of(args, create)?;
    if args.dry_run {
        voice.reply(&DryRun { argv: engine.line(&call.argv), copied: None })?;
        return Ok(0);
    }
    let created = created(voice, engine, &call)?;
    write_id_file(args.id_file.as_deref(), &created.id)?;
    voice.reply(&created)?;
    Ok(0)
}

/// Puts flags with a key of their own into the body; they override it.
fn body(env: &Env, args: &ContainerCreate) -> Result<Value> {
    let mut body = match &args.spec {
        Some(path) => read_body(path)?,
        None => json!({}),
    };
    let Some(object) = body.as_object_mut() else {
        return Err(Failure::usage("invalid body: expected a JSON object").into());
    };
    if let Some(image) = &args.image {
        object.insert("Image".into(), image.to_string().into());
    }
    if let Some(entrypoint) = &args.entrypoint {
        object.insert("Entrypoint".into(), json!([entrypoint]));
    }
    if !args.command.is_empty() {
        object.insert("Cmd".into(), json!(args.command));
    }
    if !args.env.is_empty() {
        // As with docker, a name without a value takes the caller's. If the caller has none, the image's is unset.
        let value = |name: &String| match env.variable(name) {
            Some(value) if !name.contains('=') => format!("{name}={value}"),
            _ => name.clone(),
        };
        add_env(object, args.env.iter().map(value));
    }
    if object.get("Image").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err(missing(&[Required { flag: "--image IMAGE", key: "Image", is_given: false }]).into());
    }
    Ok(body)
}

fn add_env(body: &mut Map<String, Value>, variables: impl Iterator<Item = String>) {
    let mut env: Vec<Value> = body.get("Env").and_then(Value::as_array).cloned().unwrap_or_default();
    let key = |text: &str| text.split('=').next().unwrap_or_default().to_owned();
    for variable in variables {
        env.retain(|known| known.as_str().is_none_or(|known| key(known) != key(&variable)));
        env.push(variable.into());
    }
    body.insert("Env".into(), Value::Array(env));
}

/// Flags that have no single key in the body. docker adds them to the settings of the body.
fn flags(args: &ContainerCreate) -> Vec<String> {
    let mut flags: Vec<String> = args.publish.iter().map(|port| format!("--publish={port}")).collect();
    let lists = [("--volume", &args.volumes), ("--mount", &args.mounts)];
    flags.extend(lists.iter().flat_map(|(flag, values)| values.iter().map(move |value| format!("{flag}={value}"))));
    flags.extend(args.labels.iter().map(|label| format!("--label={label}")));
    flags.extend(args.pull.iter().map(|when| format!("--pull={when}")));
    flags
}

/// A call of docker with its input besides the arguments.
struct Call {
    argv: Vec<String>,
    environment: Vec<(String, String)>,
    unset: Vec<String>,
    stdin: Option<String>,
    /// An environment file that docker reads by its path as long as this is open.
    _file: Option<MemoryFile>,
}

impl Call {
    /// The environment file comes on docker's stdin, unless a seccomp profile does.
    fn of(args: &ContainerCreate, create: Create) -> Result<Self> {
        let handed = Handed::new(create.env)?;
        let (stdin, file) = match (create.stdin, handed.text()) {
            (Some(profile), Some(text)) => (Some(profile), Some(MemoryFile::new(&text)?)),
            (profile, text) => (profile.or(text), None),
        };
        let path = file.as_ref().map_or_else(|| "/dev/stdin".to_owned(), MemoryFile::path);
        let words = [vec!["create".to_owned()], flags(args), handed.args(&path), create.args];
        Ok(Self { argv: words.concat(), environment: handed.environment, unset: create.unset, stdin, _file: file })
    }
}

/// A text in a file that exists only in memory and ends with this process.
struct MemoryFile(File);

impl MemoryFile {
    fn new(text: &str) -> Result<Self> {
        let made = rustix::fs::memfd_create("longshore", rustix::fs::MemfdFlags::CLOEXEC);
        let mut file = File::from(made.context("could not create a file in memory")?);
        file.write_all(text.as_bytes()).context("could not write a file in memory")?;
        Ok(Self(file))
    }

    /// Where another program of the same user can open it.
    fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }
}

/// Runs docker, which prints the id on stdout and warnings, and the progress of a pull, on stderr.
fn created(voice: &Voice, engine: &Engine, call: &Call) -> Result<Created> {
    let could_not = "could not create the container";
    let mut command = engine.streamed(&call.argv);
    command.envs(call.environment.iter().map(|(key, value)| (key, value)));
    for key in &call.unset {
        command.env_remove(key);
    }
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let readers = Readers::Apart(
        Box::new(|mut from| from.read_to_end(&mut stdout).map(drop)),
        Box::new(|from| told(voice, from, &mut stderr)),
    );
    let run = |command| engine.stream(command, readers, Silence::Odd, None, could_not);
    let status = fed(command, call.stdin.as_deref(), run)?;
    if !status.success() {
        let mut failure = engine.explain(&call.argv, &Output { status, stdout, stderr }).failure(could_not);
        // Lines that were already shown on the terminal are not repeated.
        failure.detail = failure.detail.filter(|_| !voice.is_stderr_terminal());
        return Err(failure.into());
    }
    let stderr = String::from_utf8_lossy(&stderr);
    let warnings: Vec<String> =
        stderr.lines().filter_map(|line| Some(line.strip_prefix(WARNING)?.to_owned())).collect();
    for warning in &warnings {
        voice.note(&format!("warning: {warning}"));
    }
    let id = String::from_utf8_lossy(&stdout).lines().last().unwrap_or_default().trim().to_owned();
    if id.is_empty() {
        return Err(Failure::new(ErrorKind::EngineFailed, "docker create printed no id").into());
    }
    Ok(Created { id, warnings })
}

/// Runs docker with a text to read on its stdin.
fn fed(
    mut command: Command,
    text: Option<&str>,
    run: impl FnOnce(Command) -> Result<ExitStatus>,
) -> Result<ExitStatus> {
    let Some(text) = text else { return run(command) };
    let (reader, mut writer) = io::pipe()?;
    command.stdin(reader);
    std::thread::scope(|scope| {
        // If docker ends before it has read everything, its stderr and status say why.
        scope.spawn(move || writer.write_all(text.as_bytes()));
        run(command)
    })
}

/// The prefix of docker's lines that the Engine API returns as `Warnings`.
const WARNING: &str = "WARNING: ";

/// Reads docker's stderr. A pull can take minutes, so on a terminal each line is shown at once, except warnings, which are
/// shown at the end.
fn told(voice: &Voice, from: impl io::Read, all: &mut Vec<u8>) -> io::Result<()> {
    let mut from = BufReader::new(from);
    loop {
        let begin = all.len();
        if from.read_until(b'\n', all)? == 0 {
            return Ok(());
        }
        let line = String::from_utf8_lossy(&all[begin..]);
        if voice.is_stderr_terminal() && !line.trim().is_empty() && !line.starts_with(WARNING) {
            voice.note(line.trim_end());
        }
    }
}
