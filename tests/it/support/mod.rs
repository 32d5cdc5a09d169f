//! The world of one test: its own directories, environment and engine, in which the program runs.

pub mod fake;
pub mod hostile;
pub mod invariants;
pub mod private;
pub mod processes;
pub mod random;
pub mod real;
pub mod remote;
pub mod schema;
pub mod snapshots;
pub mod witness;

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Where programs are found in every world.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The world. Everything in it goes away with it.
pub struct World {
    pub dir: tempfile::TempDir,
    env: Vec<(String, String)>,
    /// What snapshots show under another name.
    pub known: snapshots::Known,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Ran {
    /// The command line, for a snapshot.
    pub typed: String,
    pub stdout: String,
    pub stderr: String,
    /// The exit code; 128+n for a death by signal.
    pub code: i32,
}

impl World {
    /// With this docker program and nothing else of the machine's environment.
    pub fn new(docker: &Path) -> Self {
        let dir = tempfile::Builder::new().prefix("longshore-test-").tempdir().expect("a temporary directory");
        let home = dir.path().join("home");
        std::fs::create_dir(&home).unwrap();
        let path = |path: PathBuf| path.to_string_lossy().into_owned();
        let env = vec![
            ("HOME".into(), path(home.clone())),
            ("XDG_STATE_HOME".into(), path(dir.path().join("state"))),
            ("LONGSHORE_DOCKER".into(), path(docker.to_path_buf())),
            ("PATH".into(), PATH.into()),
            ("USER".into(), "tester".into()),
        ];
        let known = snapshots::Known::default();
        known.show_as(path(dir.path().to_owned()), "<world>");
        known.show_as(path(docker.to_owned()), "<docker>");
        Self { dir, env, known }
    }

    /// Sets a variable for all later commands.
    pub fn set(&mut self, key: &str, value: impl AsRef<OsStr>) {
        self.unset(key);
        self.env.push((key.into(), value.as_ref().to_string_lossy().into_owned()));
    }

    /// Removes a variable for all later commands.
    pub fn unset(&mut self, key: &str) {
        self.env.retain(|(known, _)| known != key);
    }

    /// A path in the world.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file in the world, with the directories that it needs.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The program with these arguments, to be run in the world; for tests that start it in a way of their own.
    pub fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        self.other(env!("CARGO_BIN_EXE_longshore"), args)
    }

    /// Another program with these arguments, to be run in the world.
    pub fn other<S: AsRef<OsStr>>(&self, program: impl AsRef<OsStr>, args: &[S]) -> Command {
        let mut command = Command::new(program);
        command.args(args).env_clear().envs(self.env.iter().map(|(k, v)| (k, v))).current_dir(self.dir.path());
        command
    }

    /// The program with these arguments, run in the world by another program that gets it as its last arguments.
    pub fn through<S: AsRef<OsStr>>(&self, outer: &[&str], args: &[S]) -> Command {
        let inner = self.command(args);
        let mut command = Command::new(outer[0]);
        command.args(&outer[1..]).arg(inner.get_program()).args(inner.get_args());
        command.env_clear().current_dir(self.dir.path()).stdin(Stdio::null());
        command.envs(self.env.iter().map(|(key, value)| (key, value)));
        command
    }

    /// Runs the program to its end, without stdin.
    pub fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Ran {
        let output = self.command(args).stdin(Stdio::null()).output().expect("longshore runs");
        self.note_jobs();
        Ran::from(output).typed(args)
    }

    /// Runs the program to its end with this stdin.
    pub fn run_with<S: AsRef<OsStr>>(&self, args: &[S], stdin: &[u8]) -> Ran {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("longshore runs");
        let _ = child.stdin.take().unwrap().write_all(stdin);
        let output = child.wait_with_output().unwrap();
        self.note_jobs();
        Ran::from(output).typed(args)
    }

    /// Gives the jobs that there are by now their names in snapshots.
    pub fn note_jobs(&self) {
        let state = self.env.iter().find(|(key, _)| key == "XDG_STATE_HOME");
        self.known.note_jobs(&Path::new(&state.unwrap().1).join("longshore"));
    }

    /// The directory of all jobs of a kind (`build`, `run`).
    pub fn jobs(&self, kind: &str) -> PathBuf {
        self.path("state/longshore").join(kind)
    }

    /// The directory of one job.
    pub fn job(&self, kind: &str, id: &str) -> PathBuf {
        self.jobs(kind).join(id)
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        let code = output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0));
        Self {
            typed: "longshore …".to_owned(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            code,
        }
    }
}

impl Ran {
    /// With the command line that it was.
    pub fn typed<S: AsRef<OsStr>>(mut self, args: &[S]) -> Self {
        self.typed = snapshots::typed(args.iter().map(|word| word.as_ref().to_string_lossy()));
        self
    }

    /// Fails the test, showing everything, unless it ended with this code.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Stdout as one JSON document; anything else fails the test.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}\nstdout:\n{}\nstderr:\n{}", self.stdout, self.stderr))
    }

    /// Stdout without the newline at its end: an id.
    pub fn id(&self) -> String {
        self.stdout.trim_end_matches('\n').to_owned()
    }
}

/// Waits for a fact, and fails the test by name of the fact after two minutes: a busy engine
/// takes that long for a build.
#[track_caller]
pub fn wait_until(fact: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !holds() {
        assert!(Instant::now() < deadline, "never became true: {fact}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A test that cannot run here says so by name, past the harness, which shows nothing of a test that passes.
pub fn skipped(why: &str) {
    let thread = std::thread::current();
    let _ = writeln!(std::io::stderr().lock(), "skipped: {}: {why}", thread.name().unwrap_or("a test"));
}
