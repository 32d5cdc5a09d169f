//! Detaching, from both sides: how a command starts a job's supervisor, and what the supervisor does.
//!
//! The supervisor is this same program behind a hidden subcommand, one for each job, in a session of its own. The
//! job's lock reaches it as its stdin, so that it is held without a gap; a private socket as its stdout carries the
//! secret values in and the word "ready" out. The docker client gets the log file itself as its stdout and stderr:
//! killing the supervisor loses no line. What comes after the client's end stands in `ending`.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use chrono::Datelike as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};

use crate::ending;
use crate::engine::argv::{self, BuildPlan, Client};
use crate::engine::inspect::Version;
use crate::engine::{Engine, PATIENCE};
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::job::record::{Begun, Build, FORMAT, Kind, Record, Run, Work};
use crate::job::store::Store;
use crate::job::{BEGUN, CONTEXT, CONTROL, IMAGE_ID, Job, LOCK, LOG};
use crate::names::JobId;
use crate::recipe::{Builder, CaCert, Recipe};

/// The hidden subcommand.
pub const SUBCOMMAND: &str = "__supervise";
/// How long a build may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(10);
/// How long the new supervisor may take to say that it is there.
const READY: Duration = Duration::from_secs(30);

/// What must never be written down: handed from the command to the supervisor, and on to the docker client.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Secrets {
    /// For the client's environment.
    pub environment: Vec<(String, String)>,
    /// For the client's stdin, as an environment file.
    pub stdin: Option<String>,
}

/// What the supervisor answers, on one line.
#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    Ready,
    Failed { message: String, detail: Option<String>, hint: Option<String> },
}

/// Starts the supervisor of a published job and waits until it has taken over. The lock goes with it.
///
/// # Errors
/// When it cannot be started, or could not start the docker client; the reason is its own.
pub fn launch(job: &Job, lock: File, secrets: &Secrets) -> Result<()> {
    let (mut ours, theirs) = UnixStream::pair()?;
    // A caller may have handed us descriptors that must not live as long as the job: a cron script's flock on 9,
    // make's jobserver. Marked here, before there is a child that could inherit them.
    close_fds::set_fds_cloexec(3, &[]);
    let program = if cfg!(target_os = "linux") { "/proc/self/exe".into() } else { current_program()? };
    #[expect(clippy::disallowed_methods, reason = "this module makes the supervisor's process")]
    let mut command = Command::new(program);
    command.arg0("longshore").args([SUBCOMMAND, job.kind.word(), job.id.as_str()]);
    command.stdin(lock).stdout(OwnedFd::from(theirs)).stderr(Stdio::null()).current_dir("/");
    let mut child = command.spawn().context("could not start the job's supervisor")?;
    drop(command);
    // A supervisor that died meanwhile shows below, by saying nothing.
    let _ = ours.write_all(&serde_json::to_vec(secrets)?);
    let _ = ours.shutdown(std::net::Shutdown::Write);
    ours.set_read_timeout(Some(READY))?;
    let mut line = String::new();
    let read = BufReader::new(&ours).read_line(&mut line);
    match serde_json::from_str(&line) {
        Ok(Answer::Ready) => Ok(()),
        Ok(Answer::Failed { message, detail, hint }) => {
            let _ = child.wait();
            Err(Failure { detail, hint, ..Failure::new(ErrorKind::EngineFailed, message) }.into())
        }
        Err(_) => {
            let why = match read {
                Err(error) => {
                    let _ = child.kill();
                    error.to_string()
                }
                Ok(_) => child.try_wait()?.map_or_else(|| "it said nothing".into(), crate::engine::ended),
            };
            bail!("the job's supervisor did not start: {why}")
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the program's own path, where /proc does not give it")]
fn current_program() -> Result<std::path::PathBuf> {
    std::env::current_exe().context("could not find longshore's own program")
}

/// The whole life of a supervisor.
///
/// # Errors
/// When it was not started by [`launch`], or the job's files cannot be read. Whatever goes wrong later becomes the
/// job's end.
pub fn supervise(env: &Env, kind: &str, id: &str) -> Result<()> {
    let kind = if kind == Kind::Build.word() { Kind::Build } else { Kind::Run };
    let store = Store::open(env, kind)?.context("there is no state directory")?;
    let job = store.job(&JobId::parse(id)?).context("there is no such job")?;
    ensure!(holds_lock(&job), "a supervisor is started by longshore only");
    let mut supervisor = Supervisor::detach(env, job)?;
    let mut socket = take_stdout()?;
    let mut text = String::new();
    socket.read_to_string(&mut text)?;
    let secrets: Secrets = serde_json::from_str(&text)?;
    drop(text);
    let record = supervisor.job.record().map_err(|damaged| anyhow::anyhow!(damaged.0))?;
    let engine = env.engine_of(&record.docker, &record.endpoint);
    match &record.work {
        Work::Build(build) => {
            answer(&mut socket, &Answer::Ready);
            drop(socket);
            supervisor.build(&engine, &record, build);
        }
        Work::Run(run) => match supervisor.start(&engine, &run.argv, &secrets, &[]) {
            Ok(client) => {
                drop(secrets);
                answer(&mut socket, &Answer::Ready);
                drop(socket);
                supervisor.run(&engine, &record, run, client);
            }
            Err(error) => {
                let Failure { message, detail, hint, .. } = Failure::of(&error);
                answer(&mut socket, &Answer::Failed { message, detail, hint });
                return Ok(());
            }
        },
    }
    ending::clean_up(&store, &supervisor.job);
    Ok(())
}

/// Whether our stdin is the very lock of this job.
fn holds_lock(job: &Job) -> bool {
    let stdin = rustix::fs::fstat(std::io::stdin());
    let lock = job.dir.open_file(LOCK).and_then(|file| Ok(rustix::fs::fstat(file)?));
    matches!((stdin, lock), (Ok(a), Ok(b)) if (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
}

/// The socket that came as our stdout; what is left there is the null device.
#[expect(clippy::disallowed_methods, reason = "it is no stdout but the socket to the command")]
fn take_stdout() -> Result<UnixStream> {
    let socket = std::io::stdout().as_fd().try_clone_to_owned()?;
    let null = File::options().write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&null)?;
    Ok(UnixStream::from(socket))
}

/// A command that has gone does not mind.
fn answer(socket: &mut UnixStream, answer: &Answer) {
    let mut line = serde_json::to_vec(answer).unwrap_or_default();
    line.push(b'\n');
    let _ = socket.write_all(&line);
}

struct Supervisor<'a> {
    env: &'a Env,
    job: Job,
    child_ended: UnixStream,
    control: File,
}

/// What a supervisor waits for.
enum Event {
    Ended(ExitStatus),
    Poked,
    Deadline,
}

impl<'a> Supervisor<'a> {
    /// Takes a session of its own. Signals meant for a terminal's programs change nothing: a job ends by its own
    /// end, its time limit, or a request that is on record.
    fn detach(env: &'a Env, job: Job) -> Result<Self> {
        let _ = rustix::process::setsid();
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        let (child_ended, wake) = UnixStream::pair()?;
        child_ended.set_nonblocking(true)?;
        // A handler also repairs a caller's `SIGCHLD = SIG_IGN`, under which wait() would lose every status.
        signal_hook::low_level::pipe::register(signal_hook::consts::SIGCHLD, wake)?;
        let heard = Arc::new(AtomicBool::new(false));
        for signal in [
            signal_hook::consts::SIGHUP,
            signal_hook::consts::SIGINT,
            signal_hook::consts::SIGQUIT,
            signal_hook::consts::SIGTERM,
        ] {
            signal_hook::flag::register(signal, heard.clone())?;
        }
        let control = job.dir.open_fifo(CONTROL)?;
        Ok(Self { env, job, child_ended, control })
    }

    /// Starts the docker client with the locked log as its stdout and stderr. Our own descriptor of the log is closed
    /// with the command, so the lock on it says that a client writes, and nothing else.
    fn start(&self, engine: &Engine, argv: &[String], secrets: &Secrets, env: &[(&str, &str)]) -> Result<Child> {
        let log = self.job.dir.append(LOG)?;
        // Not `try_lock`: a reader that asks who holds it has it for a microsecond.
        log.lock().context("could not lock the log")?;
        let mut command = engine.command(argv);
        command.stdout(log.try_clone()?).stderr(log).current_dir("/").process_group(0);
        command.envs(env.iter().copied());
        command.envs(secrets.environment.iter().map(|(key, value)| (key, value)));
        if let Some(text) = &secrets.stdin {
            let (reader, mut writer) = std::io::pipe()?;
            ensure!(text.len() <= 60_000, "the values of --env are too long");
            writer.write_all(text.as_bytes())?;
            command.stdin(reader);
        }
        let started = command.spawn();
        started.map_err(|error| engine.not_started(&error).failure("could not start the job").into())
    }

    fn run(&mut self, engine: &Engine, record: &Record, run: &Run, mut client: Child) {
        let deadline = run.timeout.map(|seconds| Instant::now() + Duration::from_secs_f64(seconds));
        let begun = self.begin(engine, None);
        let status = self.attend_run(engine, run, &mut client, deadline);
        ending::end_run(self.env, &self.job, record, &begun, Some(status), deadline);
    }

    /// Waits for the client. When the time runs out, docker is asked to end the container: TERM, grace, KILL. It is
    /// asked again until the client has ended, for an engine may be away and a container not yet started.
    fn attend_run(&self, engine: &Engine, run: &Run, client: &mut Child, mut deadline: Option<Instant>) -> ExitStatus {
        loop {
            match self.next_event(client, deadline) {
                Event::Ended(status) => return status,
                Event::Poked => {}
                Event::Deadline => {
                    ending::out_of_time(self.env, &self.job, engine, run);
                    deadline = Some(Instant::now() + Duration::from_secs(2));
                }
            }
        }
    }

    fn build(&mut self, engine: &Engine, record: &Record, build: &Build) {
        let client = match self.prepare_build(engine, record, build) {
            Ok(client) => client,
            Err(error) => {
                ending::not_started(self.env, &self.job, &error);
                return;
            }
        };
        let status = client.map(|mut client| self.attend_build(&mut client));
        ending::end_build(self.env, &self.job, engine, record, status);
    }

    /// Everything up to the client's start; nothing when the build was cancelled before.
    fn prepare_build(&self, engine: &Engine, record: &Record, build: &Build) -> Result<Option<Child>> {
        let version: Version = engine.json(&argv::version()).map_err(|error| error.failure("could not build"))?;
        let builder = choose_builder(engine, &version, self.env.docker_buildkit.as_deref());
        self.begin(engine, Some((builder, &version)));
        let ca_cert = build.ca_cert.as_deref().map(|pem| CaCert::parse(pem.as_bytes())).transpose()?;
        let recipe = Recipe::new(&build.recipe, ca_cert)?;
        let week = record.created.iso_week();
        let kind = if builder == Client::Legacy { Builder::Legacy } else { Builder::BuildKit };
        let context = recipe.render(kind, &format!("{}-W{:02}", week.year(), week.week()));
        let dir = self.job.dir.make_subdir(CONTEXT)?;
        for (name, contents) in context.entries() {
            dir.write_public(name, contents)?;
        }
        let path = |name: &str| self.job.dir.path().join(name).to_string_lossy().into_owned();
        let argv = argv::build(&BuildPlan {
            tag: build.tag.normalized(),
            context: path(CONTEXT),
            iid: path(IMAGE_ID),
            labels: image_labels(record, &recipe, builder),
            pull: build.pull,
            no_cache: build.no_cache,
            builder,
        });
        if self.job.stop().is_some() {
            return Ok(None);
        }
        let switch = [("DOCKER_BUILDKIT", builder.switch())];
        self.start(engine, &argv, &Secrets::default(), &switch).map(Some)
    }

    /// Waits for the client, which is killed with its plugins when somebody asks for the build's end.
    fn attend_build(&self, client: &mut Child) -> ExitStatus {
        let group = i32::try_from(client.id()).ok().and_then(Pid::from_raw);
        let signal = |signal| group.map(|group| kill_process_group(group, signal));
        let mut deadline = None;
        loop {
            match self.next_event(client, deadline) {
                Event::Ended(status) => return status,
                Event::Poked if deadline.is_none() && self.job.stop().is_some() => {
                    signal(Signal::TERM);
                    deadline = Some(Instant::now() + GRACE);
                }
                Event::Poked => {}
                Event::Deadline => {
                    signal(Signal::KILL);
                    deadline = Some(Instant::now() + GRACE);
                }
            }
        }
    }

    /// Writes down what was found at the start. That needs the engine, but nobody waits for it any more.
    fn begin(&self, engine: &Engine, known: Option<(Client, &Version)>) -> Begun {
        let started = self.env.now();
        let asked = if known.is_none() { engine.json::<Version>(&argv::version()).ok() } else { None };
        let version = known.map(|(_, version)| version).or(asked.as_ref());
        let begun = Begun {
            format: FORMAT,
            started,
            engine_id: engine.json(&argv::engine_id()).ok(),
            engine_version: version.and_then(|version| Some(version.server.as_ref()?.version.clone())),
            client_version: version.map(|version| version.client.version.clone()),
            builder: known.map(|(builder, _)| builder.word().to_owned()),
        };
        // A full disk must not stop the job; without this file less is known of it, and nothing wrong.
        let _ = self.job.write_json(BEGUN, &begun);
        begun
    }

    /// Sleeps until something happens. There is no polling: an idle supervisor uses no processor time.
    fn next_event(&self, client: &mut Child, deadline: Option<Instant>) -> Event {
        loop {
            let _ = (&self.child_ended).read(&mut [0; 64]);
            match client.try_wait() {
                Ok(Some(status)) => return Event::Ended(status),
                Ok(None) => {}
                // Nobody can tell how it ended; the engine will.
                Err(_) => return Event::Ended(ExitStatus::from_raw(0x7f00)),
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Event::Deadline;
            }
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            let mut fds = [PollFd::new(&self.child_ended, PollFlags::IN), PollFd::new(&self.control, PollFlags::IN)];
            let _ = poll(&mut fds, timeout.as_ref());
            if fds[1].revents().contains(PollFlags::IN) {
                let _ = (&self.control).read(&mut [0; 64]);
                return Event::Poked;
            }
        }
    }
}

/// BuildKit where there is one: the buildx plugin, or what a client before 23 has built in. `DOCKER_BUILDKIT=0` asks
/// for the legacy builder, as it does with docker.
pub fn choose_builder(engine: &Engine, version: &Version, wanted: Option<&str>) -> Client {
    if wanted == Some("0") {
        return Client::Legacy;
    }
    if version.client.major() < 23 {
        return if version.client.major() >= 19 { Client::BuiltIn } else { Client::Legacy };
    }
    let plugin = engine.run(&argv::buildx_version(), PATIENCE);
    if plugin.is_ok_and(|output| output.status.success()) { Client::Buildx } else { Client::Legacy }
}

/// What the image says of itself. Our own label proves whose build it is. The legacy builder makes a layer of every
/// label, at a second each on some storage drivers, so there that one has to do.
fn image_labels(record: &Record, recipe: &Recipe, builder: Client) -> std::collections::BTreeMap<String, String> {
    let mut labels = record.labels.clone();
    labels.insert(argv::JOB_LABEL.into(), record.id.to_string());
    if builder != Client::Legacy {
        labels.insert("longshore.recipe".into(), recipe.digest());
        labels.insert("longshore.base".into(), record.image.clone());
        labels.insert("longshore.created".into(), record.created.to_rfc3339());
    }
    labels
}
