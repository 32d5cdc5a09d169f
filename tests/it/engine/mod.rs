//! longshore on a real engine. Nothing here runs without one: `make test` makes sure of an engine, a base image, three
//! docker clients and docker-py, and says so in the environment; without that, every test here fails and names it.
//!
//! Whatever a test makes carries a label of its own and is removed by it, whether the test passes or not.

mod agree;
mod contract;
mod images;
mod kills;
mod logs;
mod many;
mod owners;
mod runs;
pub mod schema;

use std::ffi::OsStr;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::{Ran, World, wait_until};

/// A world with the machine's engine in it.
pub struct Real {
    world: World,
    docker: PathBuf,
    config: PathBuf,
    /// The value of this test's own label.
    label: String,
    sources: AtomicUsize,
}

const LABEL: &str = "longshore-test";

impl Real {
    /// With the client that has no buildx.
    pub fn new() -> Self {
        Self::with("legacy")
    }

    /// With one of the three clients: `legacy`, `buildkit-old`, `buildx`.
    pub fn with(client: &str) -> Self {
        let clients = std::fs::read_to_string(given("LONGSHORE_TEST_CLIENTS")).expect("the list of clients");
        let line = clients.lines().find(|line| line.split('\t').next() == Some(client));
        let fields: Vec<&str> = line.expect("a client of that name").split('\t').collect();
        let (docker, config) = (PathBuf::from(fields[1]), PathBuf::from(fields[2]));
        let mut world = World::new(&docker);
        world.set("DOCKER_CONFIG", &config);
        if let Some(host) = std::env::var_os("DOCKER_HOST") {
            world.set("DOCKER_HOST", host);
        }
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let label = format!("{}-{}-{}", std::process::id(), nanos(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self { world, docker, config, label, sources: AtomicUsize::new(0) }
    }

    /// The base image.
    pub fn base() -> String {
        given("LONGSHORE_TEST_BASE")
    }

    /// The label, `KEY=VALUE`.
    pub fn label(&self) -> String {
        format!("{LABEL}={}", self.label)
    }

    /// The label as a spec has it.
    pub fn labels(&self) -> Value {
        json!({ LABEL: self.label })
    }

    /// A name for an image of this test.
    pub fn image(&self, name: &str) -> String {
        format!("longshore-test-{}-{name}", self.label)
    }

    /// The base image with this test's label on it, so that whatever is built of it, also by a build that fails, can
    /// be told and removed.
    pub fn own_base(&self) -> String {
        let name = self.image("base");
        let context = self.write("own-base/Dockerfile", format!("FROM {}\nLABEL {}\n", Self::base(), self.label()));
        let directory = context.parent().unwrap().to_str().unwrap();
        assert!(self.docker(&["build", "--quiet", "--tag", &name, directory]).status.success());
        name
    }

    /// Runs docker itself, as longshore would be run.
    pub fn docker(&self, args: &[&str]) -> Output {
        let mut command = Command::new(&self.docker);
        command.args(args).env("DOCKER_CONFIG", &self.config).env("DOCKER_BUILDKIT", "0");
        command.output().expect("docker runs")
    }

    /// What docker prints.
    #[track_caller]
    pub fn docker_says(&self, args: &[&str]) -> String {
        let output = self.docker(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// What docker-py, an independent client of the same engine, answers to an expression on its low-level client `c`.
    #[track_caller]
    pub fn docker_py(&self, expression: &str) -> Value {
        let script = format!("import docker, json; c = docker.from_env().api; print(json.dumps({expression}))");
        let output = Command::new(given("LONGSHORE_TEST_PYTHON")).args(["-c", &script]).output().expect("python runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON of docker-py")
    }

    /// The containers of this test that are there, running or not.
    pub fn containers(&self) -> Vec<String> {
        let filter = format!("label={}", self.label());
        words(&self.docker_says(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter]))
    }

    /// A new source directory with this `main.py`.
    pub fn source(&self, code: &str) -> PathBuf {
        let number = self.sources.fetch_add(1, Ordering::Relaxed);
        self.write(&format!("src-{number}/main.py"), code).parent().unwrap().to_owned()
    }

    /// The arguments of `exec run` for a source directory, with the label and the base image.
    pub fn run_args(&self, source: &Path, more: &[&str]) -> Vec<String> {
        let mut args = vec!["exec", "run", "--image"].into_iter().map(str::to_owned).collect::<Vec<_>>();
        args.extend([Self::base(), "--label".into(), self.label(), "--main".into(), "main.py".into()]);
        args.extend(["--src".into(), source.to_str().unwrap().to_owned()]);
        args.extend(more.iter().map(|word| (*word).to_owned()));
        args
    }

    /// Starts this program in the background and gives its id.
    #[track_caller]
    pub fn start(&self, code: &str, more: &[&str]) -> String {
        self.run(&self.run_args(&self.source(code), more)).code(0).id()
    }

    /// Runs this program to its end; `more` may end with `--` and arguments.
    pub fn finish(&self, code: &str, more: &[&str]) -> Ran {
        let flags = [&["--wait", "--json"], more].concat();
        self.run(&self.run_args(&self.source(code), &flags))
    }

    /// The job as `wait` shows it, after its end, and the code of `wait`.
    #[track_caller]
    pub fn wait(&self, id: &str) -> (Value, i32) {
        let ran = self.run(&["exec", "wait", id, "--json"]);
        (ran.json(), ran.code)
    }

    /// A run's log, byte for byte.
    #[track_caller]
    pub fn log(&self, id: &str) -> Vec<u8> {
        let output = self.command(&["exec", "logs", id]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Whether a run's log says this by now.
    pub fn says(&self, id: &str, text: &str) -> bool {
        String::from_utf8_lossy(&self.log(id)).contains(text)
    }

    /// A run, inspected.
    #[track_caller]
    pub fn inspect(&self, id: &str) -> Value {
        sorted(schema::holds("exec-inspect", self.run(&["exec", "inspect", id, "--json"]).code(0).json()))
    }

    /// Whether the engine has an image of this name.
    pub fn has_image(&self, name: &str) -> bool {
        self.docker(&["image", "inspect", name]).status.success()
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let filter = format!("label={}", self.label());
        let found = |args: &[&str]| words(&String::from_utf8_lossy(&self.docker(args).stdout));
        let containers = found(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter]);
        if !containers.is_empty() {
            self.docker(&[&["rm", "--force", "--volumes"], &refs(&containers)[..]].concat());
        }
        // A parent goes with its last child, or in a later round.
        for _ in 0..8 {
            let mut images = found(&["image", "ls", "--all", "--quiet", "--no-trunc", "--filter", &filter]);
            images.dedup();
            if images.is_empty() {
                break;
            }
            self.docker(&[&["image", "rm", "--force"], &refs(&images)[..]].concat());
        }
    }
}

impl Deref for Real {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for Real {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

/// What `make test` found out. A test that cannot run must not pass.
fn given(key: &str) -> String {
    std::env::var(key).unwrap_or_else(|_| panic!("{key} is not set: these tests need a docker engine; run: make test"))
}

fn nanos() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos()
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn refs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// The lines of a document.
#[track_caller]
fn lines(document: &Value) -> Vec<&str> {
    document["lines"].as_array().expect("lines").iter().map(|line| line.as_str().unwrap()).collect()
}

/// Whether a build said this. BuildKit puts the number of the step and the time before each line.
fn has_line(status: &Value, said: &str) -> bool {
    lines(status).iter().any(|line| *line == said || line.ends_with(&format!(" {said}")))
}

/// A container's object with its mounts in an order; the engine gives them in another at every call.
fn sorted(mut container: Value) -> Value {
    if let Some(mounts) = container["Mounts"].as_array_mut() {
        mounts.sort_by_key(|mount| mount["Destination"].to_string());
    }
    container
}

/// A test that cannot run here says so by name, past the harness, which shows nothing of a test that passes.
fn skipped(test: &str, why: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr().lock(), "skipped: {test}: {why}");
}

/// Every process there is, with its command line.
fn processes() -> Vec<(i32, Vec<String>)> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: i32| {
        let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let words = bytes.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
        Some((pid, words.collect()))
    })
    .collect()
}

/// A bundle of certificates that the host trusts beyond its distribution's own, if it does.
fn host_ca() -> Option<PathBuf> {
    let variables = ["LONGSHORE_CA_CERT", "PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];
    let named = variables.iter().filter_map(std::env::var_os).map(PathBuf::from);
    let own = std::fs::read_dir("/usr/local/share/ca-certificates").into_iter().flatten().flatten();
    let has_own = own.into_iter().any(|entry| entry.path().extension() == Some(OsStr::new("crt")));
    let bundle = has_own.then(|| PathBuf::from("/etc/ssl/certs/ca-certificates.crt"));
    named.chain(bundle).find(|path| path.is_file())
}
