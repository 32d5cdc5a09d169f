//! What `doctor` looks at: the docker programs, the engine, this machine and the state directory. Nothing is judged here.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::engine::builder::Builder;
use crate::engine::condition::{Info, Named, Socket, others};
use crate::engine::inspect::{Side, Version};
use crate::engine::ssh::{Settings, Target};
use crate::engine::{Answer, Engine, EngineError, find};
use crate::env::Env;
use crate::error::{Failure, plain};
use crate::fs::{Room, may_make};
use crate::job::Job;
use crate::job::record::{Kind, Outcome};
use crate::job::store::{Extent, Spent, Store};
use crate::job::tombstone::Tombstone;
use crate::job::upkeep::Upkeep;
use crate::job::view::View;
use crate::job::{CONTROL, EXIT};
use crate::names::{Endpoint, JobId};
use crate::recipe::CaCert;
use crate::survey::views;

/// What was found out about docker and its engine.
#[derive(Debug)]
pub struct EngineFacts {
    /// The docker program that is used.
    pub program: Answer<PathBuf>,
    /// Others in `PATH`, with their versions; none if the user has chosen one.
    pub others: Vec<(PathBuf, Option<Side>)>,
    /// The version of the one that is used.
    pub client: Option<Side>,
    /// The engine that is asked.
    pub endpoint: Endpoint,
    /// Its URL; `None` if docker knows no such context.
    pub url: Option<String>,
    /// Its socket, if it has one here.
    pub socket: Option<Socket>,
    /// How ssh reaches it, if it is at a URL of ssh.
    pub ssh: Option<Ssh>,
    /// Its version, or why it does not answer.
    pub server: Answer<Side>,
    /// How long the answer took.
    pub took: Duration,
    /// How long it may take.
    pub patience: Duration,
    /// More about an engine that answers.
    pub more: Option<More>,
}

/// How ssh reaches an engine.
#[derive(Debug)]
pub struct Ssh {
    /// The host, as the URL names it.
    pub host: String,
    /// What ssh is configured to do for it, or why ssh did not say.
    pub settings: Result<Settings, String>,
}

impl Ssh {
    fn of(url: &str) -> Option<Self> {
        let target = Target::of(url)?;
        Some(Self { settings: target.settings(), host: target.host })
    }
}

/// What an engine that answers says.
#[derive(Debug)]
pub struct More {
    /// Its description of itself.
    pub info: Answer<Info>,
    /// The containers with labels of jobs.
    pub containers: Answer<Vec<Named>>,
    /// How images are built.
    pub builder: Builder,
    /// `DOCKER_BUILDKIT`
    pub wanted_builder: Option<String>,
    /// The room where it has its data, if that is on this machine.
    pub room: Option<Room>,
}

/// What was found out about this machine.
#[derive(Debug, Default)]
pub struct Host {
    /// Whether SELinux enforces its policy; `None` without SELinux.
    pub selinux: Option<bool>,
    /// The proxy variables that are set.
    pub proxies: Vec<&'static str>,
    /// Whether docker's configuration passes proxies on.
    pub docker_has_proxies: bool,
    /// `LONGSHORE_CA_CERT`, and how many certificates are in it or what is wrong with it.
    pub ca_cert: Option<(PathBuf, Result<usize, String>)>,
}

/// What was found out about the state directory.
#[derive(Debug)]
pub struct State {
    /// The directory itself, or why it cannot be used.
    pub directory: Result<Directory, Failure>,
    /// How each job is.
    pub jobs: Vec<JobFact>,
    /// Directories that killed processes left.
    pub remains: Vec<String>,
    /// Forgotten runs whose containers may still be there.
    pub tombstones: Vec<Tombstone>,
}

/// The state directory.
#[derive(Debug)]
pub enum Directory {
    /// It does not exist yet.
    Missing {
        /// Where it will be.
        path: PathBuf,
        /// Why it could not be made.
        why_not: Option<String>,
    },
    /// It exists.
    There {
        /// Where it is.
        path: PathBuf,
        /// Who may use it.
        mode: u32,
        /// The name of its file system.
        file_system: String,
        /// Whether that is one on which locks are not reliable, which the user allows.
        is_untrusted: bool,
        /// The room that is left.
        room: Option<Room>,
        /// Whether a held lock is refused to others, or why that could not be tried.
        locks: Result<bool, String>,
    },
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFact {
    /// Build or run.
    pub kind: Kind,
    /// Its id.
    pub id: JobId,
    /// How it is.
    pub condition: Condition,
}

/// How a job is, as far as something may have to be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It has ended, and nothing is left to do.
    Ended,
    /// It runs, and its supervisor lives.
    Running,
    /// It runs without a supervisor.
    Alone,
    /// It has ended, and nobody has recorded that.
    Unrecorded,
    /// Its end is recorded; its container or something else of it is not removed.
    Remains,
    /// Nobody needs it or its context any more: it was forgotten.
    Spent,
    /// Its end is recorded, and is not known.
    Lost,
    /// Its engine cannot be asked; why.
    Unknown(String),
    /// Its directory is a copy, and the job belongs to the original.
    Copied,
    /// A file of it cannot be read; why.
    Damaged(String),
}

/// Facts of a job's directory that its [`View`] does not have.
#[derive(Debug, Clone, Copy, Default)]
struct Marks {
    has_exit: bool,
    has_control: bool,
    is_supervised: bool,
    is_copy: bool,
}

/// The ids of all jobs, also of forgotten ones that may have a container.
pub fn known_ids(env: &Env) -> BTreeSet<JobId> {
    let stores = [Kind::Run, Kind::Build].into_iter().filter_map(|kind| Store::open(env, kind).ok().flatten());
    let ids = |store: Store| {
        let buried = store.tombstones().into_iter().map(|tombstone| tombstone.id);
        store.ids().unwrap_or_default().into_iter().chain(buried).collect::<Vec<_>>()
    };
    stores.flat_map(ids).collect()
}

/// Asks the docker program and the engine that a command would use. An engine that does not answer is not asked again.
pub fn engine(env: &Env) -> EngineFacts {
    let (endpoint, patience) = (env.endpoint(), env.patience);
    let program = find(env.docker.as_deref(), env.path.as_deref());
    let mut facts = EngineFacts {
        server: program.clone().and_then(|program| Err(EngineError::NotFound { program })),
        program,
        others: Vec::new(),
        client: None,
        endpoint: endpoint.clone(),
        url: None,
        socket: None,
        ssh: None,
        took: Duration::ZERO,
        patience,
        more: None,
    };
    let Ok(program) = facts.program.clone() else { return facts };
    let engine = Engine::with(env, program, endpoint);
    let begun = Instant::now();
    let versions = engine.versions();
    facts.took = begun.elapsed();
    facts.url = engine.url().ok();
    facts.socket = facts.url.as_deref().and_then(Socket::at);
    facts.ssh = facts.url.as_deref().and_then(Ssh::of);
    facts.others = if env.docker.is_none() { others(&engine, env.path.as_deref()) } else { Vec::new() };
    if let (Some(client), Ok(server)) = (&versions.client, &versions.server) {
        let version = Version { client: client.clone(), server: Some(server.clone()) };
        facts.more = Some(more(env, &engine, &version, facts.socket.is_some()));
    }
    EngineFacts { client: versions.client, server: versions.server, ..facts }
}

fn more(env: &Env, engine: &Engine, version: &Version, is_local: bool) -> More {
    let info = engine.info();
    let containers = match &info {
        Err(error @ EngineError::TimedOut { .. }) => Err(error.clone()),
        _ => engine.containers_named(),
    };
    let root = info.as_ref().ok().map(|info| &info.docker_root_dir).filter(|root| is_local && root.is_absolute());
    More {
        room: root.and_then(|root| Room::at(root).ok()),
        builder: engine.builder(version, env.docker_buildkit.as_deref()),
        wanted_builder: env.docker_buildkit.clone(),
        info,
        containers,
    }
}

/// Looks at this machine.
pub fn host(env: &Env) -> Host {
    let certificates = |path: &PathBuf| -> Result<usize, String> {
        let bytes = std::fs::read(path).map_err(|error| plain(&error))?;
        let pem = CaCert::parse(&bytes).map_err(|error| error.to_string())?;
        Ok(pem.as_pem().matches("-----BEGIN").count())
    };
    Host {
        selinux: env.selinux_enforces(),
        proxies: env.proxy_variables(),
        docker_has_proxies: env.docker_has_proxies(),
        ca_cert: env.ca_cert.as_ref().map(|path| (path.clone(), certificates(path))),
    }
}

/// The same environment, with little time for an engine that did not answer.
pub fn for_further_questions(env: &Env, facts: &EngineFacts) -> Env {
    let timed_out = |error: &EngineError| matches!(error, EngineError::TimedOut { .. });
    let more = facts.more.as_ref().and_then(|more| more.containers.as_ref().err());
    if facts.server.as_ref().err().into_iter().chain(more).any(timed_out) {
        return env.hurried();
    }
    env.clone()
}

/// Looks at the state directory. Jobs whose files are not enough cost their engine a question, as in a list.
pub fn state(env: &Env) -> State {
    let mut state = State {
        directory: directory(env).map_err(|error| Failure::of(&error)),
        jobs: Vec::new(),
        remains: Vec::new(),
        tombstones: Vec::new(),
    };
    if !matches!(state.directory, Ok(Directory::There { .. })) {
        return state;
    }
    state.remains = Upkeep::open(env).ok().flatten().and_then(|upkeep| upkeep.remains().ok()).unwrap_or_default();
    for kind in [Kind::Run, Kind::Build] {
        let jobs = Store::open(env, kind).and_then(|store| {
            let Some(store) = store else { return Ok(Vec::new()) };
            if kind == Kind::Run {
                state.tombstones = store.tombstones();
            }
            let jobs =
                views(env, &store, Extent::Remembered)?.into_iter().map(|view| fact(&store, &view)).collect::<Vec<_>>();
            let all = store.all(Extent::Everything)?.flatten();
            let spent = all.filter(|job| Spent::of(job).is_some());
            let spent = spent.map(|job| JobFact { kind, id: job.id, condition: Condition::Spent });
            Ok(jobs.into_iter().chain(spent).collect())
        });
        match jobs {
            Ok(jobs) => state.jobs.extend(jobs),
            Err(error) => state.directory = Err(Failure::of(&error)),
        }
    }
    state.jobs.sort_by(|a, b| (a.kind.word(), &a.id).cmp(&(b.kind.word(), &b.id)));
    state
}

fn directory(env: &Env) -> anyhow::Result<Directory> {
    let path = env.state_dir()?.to_path_buf();
    let Some(upkeep) = Upkeep::open(env)? else {
        let why_not = may_make(&path).err().map(|error| plain(&error));
        return Ok(Directory::Missing { path, why_not });
    };
    Ok(Directory::There {
        path,
        mode: upkeep.mode()?,
        file_system: upkeep.file_system(),
        is_untrusted: upkeep.is_on_untrusted(),
        room: upkeep.room().ok(),
        locks: upkeep.locks_work().map_err(|error| plain(&error)),
    })
}

fn fact(store: &Store, view: &View) -> JobFact {
    let marks = store.job(&view.id).map(|job| marks(&job)).unwrap_or_default();
    JobFact { kind: view.kind, id: view.id.clone(), condition: condition(view.outcome, view.reason.as_deref(), marks) }
}

/// The supervisor is looked for first: if it lives then, what it has not done yet is not left.
fn marks(job: &Job) -> Marks {
    let is_supervised = job.is_supervised();
    Marks { is_supervised, has_exit: job.dir.has(EXIT), has_control: job.dir.has(CONTROL), is_copy: job.is_copy() }
}

fn condition(outcome: Option<Outcome>, reason: Option<&str>, marks: Marks) -> Condition {
    let reason = || reason.unwrap_or_default().to_owned();
    match outcome {
        Some(Outcome::Corrupt) => Condition::Damaged(reason()),
        _ if marks.is_supervised => Condition::Running,
        Some(Outcome::Lost) if marks.has_exit && !marks.has_control => Condition::Lost,
        _ if marks.has_exit && !marks.has_control => Condition::Ended,
        _ if marks.is_copy => Condition::Copied,
        _ if marks.has_exit => Condition::Remains,
        None => Condition::Alone,
        Some(Outcome::Unknown) => Condition::Unknown(reason()),
        Some(_) => Condition::Unrecorded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::LEAST_PATIENCE;

    #[test]
    fn how_a_job_is_depends_on_its_locks_and_files_before_its_outcome() {
        let none = Marks::default();
        let exit = Marks { has_exit: true, ..none };
        let remains = Marks { has_control: true, ..exit };
        let supervised = Marks { is_supervised: true, ..none };
        let table = [
            (None, supervised, Condition::Running),
            // It ends just now: the supervisor still removes the container.
            (Some(Outcome::Failed), Marks { is_supervised: true, ..remains }, Condition::Running),
            (None, none, Condition::Alone),
            (None, exit, Condition::Ended),
            (Some(Outcome::Failed), none, Condition::Unrecorded),
            (Some(Outcome::Lost), none, Condition::Unrecorded),
            (Some(Outcome::Lost), exit, Condition::Lost),
            (Some(Outcome::Succeeded), exit, Condition::Ended),
            (Some(Outcome::Succeeded), remains, Condition::Remains),
            (Some(Outcome::Unknown), none, Condition::Unknown("why".into())),
            (Some(Outcome::Corrupt), exit, Condition::Damaged("why".into())),
            (None, Marks { is_copy: true, ..none }, Condition::Copied),
            (Some(Outcome::Succeeded), Marks { is_copy: true, ..exit }, Condition::Ended),
        ];
        for (outcome, marks, expected) in table {
            assert_eq!(condition(outcome, Some("why"), marks), expected, "{outcome:?} {marks:?}");
        }
    }

    #[test]
    fn an_engine_that_hung_once_gets_little_time_for_every_further_question() {
        let dir = tempfile::tempdir().unwrap();
        let mut env = Env::in_dir(dir.path());
        (env.patience, env.docker) = (Duration::from_secs(20), Some(dir.path().join("none")));
        let mut facts = engine(&env);
        assert_eq!(for_further_questions(&env, &facts).patience, env.patience, "there is no program");
        facts.server = Err(EngineError::TimedOut { command: "docker version".into(), limit: env.patience });
        assert_eq!(for_further_questions(&env, &facts).patience, LEAST_PATIENCE);
    }
}
