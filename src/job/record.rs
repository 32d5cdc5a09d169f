//! The files of a job as data: what was asked, what was found at the start, and how it ended.
//!
//! Each file has a format number and is written once, by one process. An older longshore refuses a newer format by its
//! number.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::after::After;
use super::attempts::Retry;
use super::format1;
use super::moment;
use super::waits::Waits;
use crate::error::Failure;
use crate::names::{
    CacheName, Constraint, Cpus, Endpoint, EnvKey, GenericResource, Gpus, ImageName, ImageRef, Invalid, JobId,
    LogDriver, MainFile, Module, Mount, MountPath, NetworkName, Parameters, Publish, SOURCE_TARGET, UserSpec, When,
    without_latest,
};
use crate::terminal::plain;

/// The format that is written, and the newest that is read.
pub const FORMAT: u32 = 2;

/// The kind of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `image create`
    Build,
    /// `exec run`
    Run,
}

impl Kind {
    /// Its name, which is also the name of its directory.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Run => "run",
        }
    }

    /// The command group for this kind.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Build => "image",
            Self::Run => "exec",
        }
    }

    /// The command that ends a job of this kind.
    #[must_use]
    pub fn end_verb(self) -> &'static str {
        match self {
            Self::Build => "cancel",
            Self::Run => "stop",
        }
    }
}

/// What was asked: written once, before the job is published, never changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// [`FORMAT`]
    pub format: u32,
    /// The directory's name.
    pub id: JobId,
    /// Build or run.
    pub kind: Kind,
    /// The run's name, or the full name of the image.
    pub name: Option<String>,
    /// When it was asked for.
    #[serde(deserialize_with = "moment::deserialize")]
    pub created: DateTime<Utc>,
    /// The image to run in, or the base image of a build.
    pub image: ImageRef,
    /// The user's labels.
    pub labels: BTreeMap<String, String>,
    /// The path of the docker program.
    pub docker: PathBuf,
    /// The engine.
    pub endpoint: Endpoint,
    /// The id of the host's boot.
    pub boot_id: String,
    /// The caller's user id.
    pub uid: u32,
    /// The caller's group id; 0 in records of format 1.
    #[serde(default)]
    pub gid: u32,
    /// The caller's name, if the environment had it.
    #[serde(default)]
    pub user: Option<String>,
    /// The host's name, for state directories that are moved to another host.
    pub host: String,
    /// The run that this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerun_of: Option<JobId>,
    /// How long the last job with its name took that succeeded, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_took: Option<f64>,
    /// What it waits for before it starts.
    #[serde(default, skip_serializing_if = "Waits::is_nothing")]
    pub waits: Waits,
    /// The group of runs that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Of a job of a sweep: the parameters that it was started with.
    #[serde(default, skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters,
    /// What follows its end.
    #[serde(default, skip_serializing_if = "After::is_nothing")]
    pub after: After,
    /// What to do, by kind.
    pub work: Work,
}

/// What to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::large_enum_variant, reason = "a process has few records at a time")]
pub enum Work {
    /// `image create`
    Build(Build),
    /// `exec run`
    Run(Run),
}

/// What a build was asked to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Build {
    /// The tag it gets.
    pub tag: ImageName,
    /// What it is made of: a `RecipeSpec`. Its grammar is checked when the image is built and not when the record is read, so
    /// that a record stays readable when a later version refuses a name.
    pub recipe: serde_json::Value,
    /// The content of the certificate file at the time of the request.
    pub ca_cert: Option<String>,
    /// Ask the registry for a newer base image.
    pub pull: bool,
    /// Do not use the build cache.
    pub no_cache: bool,
    /// Build from nothing, without the steps of the last image.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub squash: bool,
}

impl Build {
    /// Whether the steps of the last image are of no use. With `--pull`, the base image may be another one.
    #[must_use]
    pub fn is_from_nothing(&self) -> bool {
        self.pull || self.no_cache || self.squash
    }
}

/// What a run was asked to do. The runner decides how.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// The source directory.
    pub source: MountPath,
    /// The program; its key says which kind it is.
    #[serde(flatten)]
    pub program: Program,
    /// Arguments of the program.
    pub args: Vec<String>,
    /// The directory with the input.
    pub input: Option<MountPath>,
    /// The directory for the output.
    pub output: Option<MountPath>,
    /// The entries of the source directory, which are mounted one by one, if mount points are missing in it and cannot be made
    /// there. Otherwise it is mounted whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<Vec<Mount>>,
    /// More mounts. Paths are absolute and resolved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    /// Published ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub publish: Vec<Publish>,
    /// The cache that it uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheName>,
    /// Names of the variables that were given; never their values.
    pub env: Vec<EnvKey>,
    /// The user that the program runs as.
    pub user: UserSpec,
    /// Processor limit.
    pub cpus: Option<Cpus>,
    /// Memory limit in bytes.
    pub memory: Option<u64>,
    /// Size of `/dev/shm` in bytes.
    pub shm_size: Option<u64>,
    /// GPUs to use.
    pub gpus: Option<Gpus>,
    /// The network to use.
    pub network: Option<NetworkName>,
    /// Time limit in seconds.
    pub timeout: Option<f64>,
    /// How it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Keep the container after the run.
    pub keep: bool,
    /// The log driver for the engine's copy of the output.
    pub log_driver: LogDriver,
    /// How much of its log is kept, in bytes; without this, all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_max_size: Option<u64>,
    /// How its files are copied to an engine that does not see the caller's. Without this, they are mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ship: Option<Ship>,
    /// What it asks of a swarm, if it is to run on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swarm: Option<Swarm>,
}

/// How the files of a run are copied to its engine and back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ship {
    /// Whether the copies are kept for runs with the same files.
    pub cache: When,
    /// Whether the directory `.git` of the source is copied, too.
    pub git: bool,
    /// The most bytes of source and input together.
    pub limit: u64,
}

/// What a run asks of the swarm that is to run it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Swarm {
    /// Whether every node has the directories of the caller under the same paths.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
    /// How many processors a node must have free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve_cpus: Option<Cpus>,
    /// How many bytes of memory a node must have free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve_memory: Option<u64>,
    /// What must be true of a node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
    /// What else a node must have free.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub generic_resources: Vec<GenericResource>,
}

/// What a run starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Program {
    /// python with a file of the source directory.
    Main(MainFile),
    /// python with a module.
    Module(Module),
    /// Any program of the image.
    Command(String),
}

impl Program {
    /// The program itself.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Main(_) | Self::Module(_) => "python3",
            Self::Command(program) => program,
        }
    }

    /// The file of the source directory that it runs.
    #[must_use]
    pub fn file(&self) -> Option<&MainFile> {
        match self {
            Self::Main(file) => Some(file),
            Self::Module(_) | Self::Command(_) => None,
        }
    }

    /// Its arguments before those of the user.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        match self {
            Self::Main(file) => vec![file.argument()],
            Self::Module(module) => vec!["-m".into(), module.to_string()],
            Self::Command(_) => Vec::new(),
        }
    }
}

impl Run {
    /// What was asked to run and its arguments, as people are shown them: without python.
    #[must_use]
    pub fn command(&self) -> Vec<String> {
        let first = match &self.program {
            Program::Command(program) => vec![program.clone()],
            program => program.arguments(),
        };
        [first, self.args.clone()].concat()
    }

    /// The mount points that docker needs in the source directory.
    #[must_use]
    pub fn points(&self) -> Vec<PathBuf> {
        if self.parts.is_some() || self.ship.is_some() || self.swarm.as_ref().is_some_and(|swarm| !swarm.shared) {
            return Vec::new();
        }
        let source = Path::new(self.source.as_str());
        let own = [self.input.as_ref().map(|_| "data"), self.output.as_ref().map(|_| "output")];
        let inside =
            |mount: &Mount| Some(Path::new(mount.target.as_str()).strip_prefix(SOURCE_TARGET).ok()?.to_owned());
        let more = self.mounts.iter().filter_map(inside);
        own.into_iter().flatten().map(PathBuf::from).chain(more).map(|point| source.join(point)).collect()
    }

    /// The arguments of the program.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        [self.program.arguments(), self.args.clone()].concat()
    }
}

/// What the supervisor found when it began; written once, before the client is started.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Begun {
    /// [`FORMAT`]
    pub format: u32,
    /// When.
    pub started: DateTime<Utc>,
    /// The id and the data directory in `docker info`, with a blank between. Older versions recorded the id only, and null if
    /// the engine did not answer.
    pub engine_id: Option<String>,
    /// The engine's version.
    pub engine_version: Option<String>,
    /// The client's version.
    pub client_version: Option<String>,
    /// Of a build: the builder in use.
    pub builder: Option<String>,
}

/// How a job ended, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It ended with 0, and that is proven.
    Succeeded,
    /// It ended with another code, or could not be started.
    Failed,
    /// It was asked to end, and ended.
    Cancelled,
    /// Its time limit passed.
    Timeout,
    /// It was not started, because a job that it waited for did not succeed.
    Skipped,
    /// It ended, and its exit code cannot be found out.
    Lost,
    /// The engine cannot be asked now.
    Unknown,
    /// Its record cannot be read.
    Corrupt,
}

impl Outcome {
    /// The word shown and filtered by.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Timeout => "timeout",
            Self::Skipped => "skipped",
            Self::Lost => "lost",
            Self::Unknown => "unknown",
            Self::Corrupt => "corrupt",
        }
    }
}

/// Whether the log is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LogState {
    /// It has every line.
    #[default]
    Complete,
    /// It has every line; it was fetched from the engine.
    Recovered,
    /// Lines may be missing; the reason says why.
    Incomplete,
    /// It was not compared with the engine's copy, so it is not known whether lines are missing.
    Unverified,
}

impl LogState {
    /// Its name in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Recovered => "recovered",
            Self::Incomplete => "incomplete",
            Self::Unverified => "unverified",
        }
    }

    /// Whether it is known to have every line.
    #[must_use]
    pub fn is_whole(self) -> bool {
        matches!(self, Self::Complete | Self::Recovered)
    }
}

/// The exit record: how a job ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exit {
    /// [`FORMAT`]
    pub format: u32,
    /// In one word.
    pub outcome: Outcome,
    /// The program's or the build's exit code.
    pub exit_code: Option<i32>,
    /// The signal it died of.
    pub signal: Option<i32>,
    /// Details, for people.
    pub reason: Option<String>,
    /// What the user could do, where that is known.
    #[serde(default)]
    pub hint: Option<String>,
    /// When it started, by the engine's clock if known.
    #[serde(default, deserialize_with = "moment::deserialize_option")]
    pub started: Option<DateTime<Utc>>,
    /// When it ended, by the same clock.
    #[serde(default, deserialize_with = "moment::deserialize_option")]
    pub finished: Option<DateTime<Utc>>,
    /// The container it ran in.
    pub container_id: Option<String>,
    /// The image that was built.
    pub image_id: Option<String>,
    /// Whether the log is complete.
    pub log: LogState,
    /// How many bytes of the beginning of the log are gone, because it has a limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub log_gone: u64,
    /// Whether the engine's copy of the output has no line that the logs lack, although the log may not be whole.
    #[serde(default)]
    pub saved: bool,
    /// Whether this was found out without the supervisor.
    pub recovered: bool,
    /// Why the stamp of a job that succeeded could not be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unstamped: Option<String>,
    /// Whether the output of a run on another machine was not fetched, and is still in its container.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unfetched: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// A text that continues "its record …".
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        match format(bytes)? {
            1 => format1::record(bytes).map_err(|error| format!("is damaged: {error}")),
            _ => parse(bytes),
        }
    }

    /// Whether its container is where nothing of the caller's is: its output is fetched, and its log is copied from there.
    #[must_use]
    pub fn is_copied(&self) -> bool {
        self.run().is_some_and(|run| run.ship.is_some() || run.swarm.is_some())
    }

    /// Whether its output, if it has one, is where nothing of the caller's is until it is fetched.
    #[must_use]
    pub fn has_output_afar(&self) -> bool {
        let is_sent = |run: &Run| run.swarm.as_ref().is_some_and(|wanted| !wanted.shared);
        self.run().is_some_and(|run| run.ship.is_some() || is_sent(run))
    }

    /// Whether it runs on a swarm.
    #[must_use]
    pub fn is_on_swarm(&self) -> bool {
        self.run().is_some_and(|run| run.swarm.is_some())
    }

    /// Its name as people and scripts see it: that of an image without the tag `latest`.
    #[must_use]
    pub fn shown_name(&self) -> Option<String> {
        let name = self.name.as_deref()?;
        Some(if self.kind == Kind::Build { without_latest(name) } else { name }.to_owned())
    }

    /// The run that was asked for; `None` for a build.
    #[must_use]
    pub fn run(&self) -> Option<&Run> {
        match &self.work {
            Work::Run(run) => Some(run),
            Work::Build(_) => None,
        }
    }

    /// Whether it may be tried again.
    #[must_use]
    pub fn may_retry(&self) -> bool {
        self.run().is_some_and(|run| run.retry.is_some())
    }

    /// How much of its log is kept, in bytes; `None` for all of it.
    #[must_use]
    pub fn log_limit(&self) -> Option<u64> {
        self.run().and_then(|run| run.log_max_size)
    }

    /// Whether a queue may give it GPUs.
    #[must_use]
    pub fn may_get_gpus(&self) -> bool {
        self.waits.queue.is_some() && self.run().is_some_and(|run| run.gpus.is_some())
    }

    /// The same job with these GPUs, if a queue gave it any.
    ///
    /// # Errors
    /// [`Invalid`] for a device that is no index and no UUID.
    pub fn with_devices(&self, devices: &[String]) -> Result<Self, Invalid> {
        let mut record = self.clone();
        if let (Work::Run(run), false) = (&mut record.work, devices.is_empty()) {
            run.gpus = Some(Gpus::of_devices(devices)?);
        }
        Ok(record)
    }

    /// For tests: a record like any other.
    #[cfg(test)]
    pub fn example(id: &JobId, kind: Kind, name: Option<&str>) -> Self {
        let work = match kind {
            Kind::Run => Work::Run(Run {
                source: MountPath::parse("/src").expect("a path"),
                program: Program::Main(MainFile::parse("main.py").expect("a file")),
                args: vec!["3".into()],
                input: None,
                output: None,
                parts: None,
                mounts: Vec::new(),
                publish: Vec::new(),
                cache: None,
                env: Vec::new(),
                user: UserSpec::Caller,
                cpus: None,
                memory: Some(2 << 30),
                shm_size: None,
                gpus: None,
                network: None,
                timeout: None,
                retry: None,
                keep: false,
                log_driver: LogDriver::Local,
                log_max_size: None,
                ship: None,
                swarm: None,
            }),
            Kind::Build => Work::Build(Build {
                tag: ImageName::parse("web").expect("a name"),
                recipe: serde_json::json!({}),
                ca_cert: None,
                pull: false,
                no_cache: false,
                squash: false,
            }),
        };
        Self {
            format: FORMAT,
            id: id.clone(),
            kind,
            name: name.map(str::to_owned),
            created: DateTime::from_timestamp(1_700_000_000, 0).expect("a time"),
            image: ImageRef::parse("base").expect("an image"),
            labels: BTreeMap::from([("team".into(), "a".into())]),
            docker: "/usr/bin/docker".into(),
            endpoint: Endpoint::Context("default".into()),
            boot_id: "this-boot".into(),
            uid: 1000,
            gid: 1000,
            user: None,
            host: "here".into(),
            rerun_of: None,
            last_took: None,
            waits: Waits::default(),
            group: None,
            parameters: Parameters::default(),
            after: After::default(),
            work,
        }
    }
}

/// How the reason of an output that was not fetched begins.
pub const UNFETCHED: &str = "could not fetch the output of run";

impl Exit {
    /// An end with this outcome and no details.
    #[must_use]
    pub fn new(outcome: Outcome) -> Self {
        Self {
            format: FORMAT,
            outcome,
            exit_code: None,
            signal: None,
            reason: None,
            hint: None,
            started: None,
            finished: None,
            container_id: None,
            image_id: None,
            log: LogState::Complete,
            log_gone: 0,
            saved: false,
            recovered: false,
            unstamped: None,
            unfetched: false,
        }
    }

    /// Marks the log as incomplete or unverified, and adds why to the reason.
    pub fn doubt_log(&mut self, log: LogState, why: &str) {
        let reason = self.reason.take().map(|reason| reason + "; ").unwrap_or_default();
        self.log = log;
        self.reason = Some(format!("{reason}log: {}: {why}", log.word()));
    }

    /// Adds to the reason that the log is kept whole although it has a limit, and why.
    pub fn keep_log(&mut self, why: &str) {
        let reason = self.reason.take().map(|reason| reason + "; ").unwrap_or_default();
        self.reason = Some(format!("{reason}log: kept whole: the file system takes no blocks back: {why}"));
    }

    /// Marks the output as not fetched. A run whose output is not there has not succeeded.
    pub fn lack_output(&mut self, id: &JobId, why: &Failure) {
        self.unfetched = true;
        let reason = self.reason.take().map(|reason| reason + "; ").unwrap_or_default();
        self.reason = Some(format!("{reason}{}", why.in_one_line()));
        if self.outcome == Outcome::Succeeded {
            self.outcome = Outcome::Failed;
        }
        self.hint = Some(format!("it is kept in the container of the run; try again with: longshore exec fetch {id}"));
    }

    /// Takes [`Exit::lack_output`] back, because the output was fetched later.
    pub fn have_output(&mut self) {
        self.unfetched = false;
        self.hint = None;
        let reason = self.reason.take().unwrap_or_default();
        let kept = reason.split(UNFETCHED).next().unwrap_or_default().trim_end_matches("; ");
        self.reason = Some(kept.to_owned()).filter(|reason| !reason.is_empty());
        if self.exit_code == Some(0) && self.outcome == Outcome::Failed {
            self.outcome = Outcome::Succeeded;
        }
    }

    /// Reads an exit record, padded as by [`Exit::to_bytes`].
    ///
    /// # Errors
    /// A text that continues "its exit record …".
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        parse(bytes)
    }

    /// Exactly [`super::EXIT_SIZE`] bytes: JSON, then spaces. A reason has no escape sequences. If the record is too long, the
    /// hint is left out and the reason cut.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let [reason, hint] = [&self.reason, &self.hint].map(|text| text.as_deref().map(plain));
        let mut exit = Self { reason, hint, ..self.clone() };
        loop {
            let mut bytes = serde_json::to_vec(&exit).unwrap_or_default();
            if bytes.len() < super::EXIT_SIZE {
                bytes.resize(super::EXIT_SIZE - 1, b' ');
                bytes.push(b'\n');
                return bytes;
            }
            if exit.hint.take().is_some() {
                continue;
            }
            let Some(reason) = exit.reason.take().filter(|reason| !reason.is_empty()) else {
                // Ids are short. A broken engine may send longer ones.
                (exit.container_id, exit.image_id, exit.unstamped) = (None, None, None);
                continue;
            };
            exit.reason = Some(reason.chars().take(reason.chars().count() / 2).collect());
        }
    }
}

fn parse<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    format(bytes)?;
    let damaged = |error: &dyn std::fmt::Display| format!("is damaged: {error}");
    // Otherwise serde_json would check each string alone.
    let text = std::str::from_utf8(bytes).map_err(|error| damaged(&error))?;
    serde_json::from_str(text).map_err(|error| damaged(&error))
}

/// Reads the format number first, so that a newer record is reported as newer and not as damaged.
fn format(bytes: &[u8]) -> Result<u32, String> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let whole = || serde_json::from_slice(bytes).map_err(|error| format!("is damaged: {error}"));
    let format = match leading_format(bytes) {
        Some(format) => format,
        None => whole().map(|Format { format }| format)?,
    };
    if format == 0 {
        return Err("is damaged: there is no format 0".into());
    }
    if format > FORMAT {
        return Err(format!("has format {format}; this version of longshore reads formats up to {FORMAT}"));
    }
    Ok(format)
}

/// The format number where it is the first value, as this program writes it: then nothing else has to be read for it.
fn leading_format(bytes: &[u8]) -> Option<u32> {
    let rest = bytes.trim_ascii_start().strip_prefix(b"{")?.trim_ascii_start().strip_prefix(b"\"format\"")?;
    let rest = rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let length = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = rest.split_at(length);
    let is_whole = rest.trim_ascii_start().starts_with(b",");
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|_| is_whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_record_fills_its_room_exactly_and_reads_back() {
        let mut exit = Exit::new(Outcome::Failed);
        exit.reason = Some("x\u{1}".repeat(20_000));
        let bytes = exit.to_bytes();
        assert_eq!(bytes.len(), crate::job::EXIT_SIZE);
        assert_eq!(Exit::parse(&bytes).unwrap().outcome, Outcome::Failed);
    }

    #[test]
    fn a_newer_or_half_record_is_named_as_such() {
        assert!(Exit::parse(br#"{"format": 3}"#).unwrap_err().contains("has format 3"));
        let bytes = Exit::new(Outcome::Succeeded).to_bytes();
        let text = String::from_utf8(bytes).unwrap().replacen("\"format\":2", "\"format\":0", 1);
        assert!(Exit::parse(text.as_bytes()).unwrap_err().contains("no format 0"));
        for broken in [&b""[..], &[0; 4096], br#"{"format":1,"outc"#, b"[]"] {
            assert!(Exit::parse(broken).unwrap_err().contains("damaged"));
        }
    }
}
