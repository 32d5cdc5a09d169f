//! A world with the machine's engine. `make test` prepares an engine, a base image, three docker clients and docker-py, and
//! puts them into the environment. Without them every test fails and says what is missing.
//!
//! Everything that a test makes has the test's own label and is removed by it, also if the test fails.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::schema;
use super::{Ran, World};

/// The docker clients, which differ in how they build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// Has no buildx: the legacy builder.
    Legacy,
    /// Older than 23, with BuildKit built in.
    BuildkitOld,
    /// Has the buildx plugin.
    Buildx,
}

impl Client {
    /// The name in the list that `tools/docker-clients` writes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::BuildkitOld => "buildkit-old",
            Self::Buildx => "buildx",
        }
    }

    /// The program and its configuration directory.
    pub fn find(self) -> (PathBuf, PathBuf) {
        let clients = std::fs::read_to_string(given("LONGSHORE_TEST_CLIENTS")).expect("the list of clients");
        let line = clients.lines().find(|line| line.split('\t').next() == Some(self.name()));
        let fields: Vec<&str> = line.expect("a client of that name").split('\t').collect();
        (PathBuf::from(fields[1]), PathBuf::from(fields[2]))
    }
}

/// The world, and what one test has on the engine.
pub struct Real {
    world: World,
    docker: PathBuf,
    config: PathBuf,
    /// More variables of docker's, where the engine is not the machine's.
    place: Vec<(String, String)>,
    /// The value of this test's own label.
    label: String,
    sources: AtomicUsize,
}

const LABEL: &str = "longshore-test";

impl Real {
    /// With the client that has no buildx.
    pub fn new() -> Self {
        Self::with(Client::Legacy)
    }

    /// With this client.
    pub fn with(client: Client) -> Self {
        let (docker, config) = client.find();
        let mut world = World::new(&docker);
        world.set("DOCKER_CONFIG", &config);
        // A busy engine needs its time.
        world.set("LONGSHORE_DOCKER_TIMEOUT", "2m");
        world.set("LONGSHORE_TEST_SETTLING", "5s");
        for key in ["DOCKER_HOST", "DOCKER_CONTEXT"] {
            if let Some(value) = std::env::var_os(key) {
                // What a job is said to be on.
                world.known.show_as(value.to_string_lossy(), "default");
                world.set(key, value);
            }
        }
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        // Short, so that a name with it fits into a column of a table, and always as wide, so that the table is, too.
        let since = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() % 100_000_000;
        let label = format!("{:07}-{since:08}-{:03}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        world.known.show_as(&label, "<label>");
        world.known.show_as(Self::base(), "<base>");
        Self { world, docker, config, place: Vec::new(), label, sources: AtomicUsize::new(0) }
    }

    /// With the engine of another machine, which has the base image: these variables lead docker to it.
    pub fn at(place: Vec<(String, String)>) -> Self {
        let mut real = Self::new();
        for (key, value) in &place {
            real.set(key, value);
        }
        real.place = place;
        real
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

    /// The filter of a list that leaves only what is this test's: `label=KEY=VALUE`.
    pub fn filter(&self) -> String {
        format!("label={}", self.label())
    }

    /// The name on the engine of what the test calls by this short name: an image, a container, a network.
    pub fn name(&self, short: &str) -> String {
        format!("longshore-test-{}-{short}", self.label)
    }

    /// Builds an image of this Dockerfile with the legacy builder, under the name of this short name; gives the name.
    /// The Dockerfile has to carry the label.
    #[track_caller]
    pub fn image(&self, short: &str, dockerfile: &str) -> String {
        let name = self.name(short);
        let file = self.write(&format!("{short}-image/Dockerfile"), dockerfile);
        let directory = file.parent().unwrap().to_str().unwrap();
        self.docker_says(&["build", "--quiet", "--force-rm", "--tag", &name, directory]);
        name
    }

    /// The base image with this test's label on it, so that whatever is built of it, also by a build that fails, can
    /// be told and removed.
    #[track_caller]
    pub fn own_base(&self) -> String {
        self.image("base", &format!("FROM {}\nLABEL {}\n", Self::base(), self.label()))
    }

    /// Whether the engine has an image of this name.
    pub fn has_image(&self, name: &str) -> bool {
        self.docker(&["image", "inspect", name]).status.success()
    }
}

/// Docker itself, and docker-py.
impl Real {
    /// The docker program.
    pub fn docker_program(&self) -> &Path {
        &self.docker
    }

    /// Runs docker itself, as longshore would be run.
    pub fn docker(&self, args: &[&str]) -> Output {
        let mut command = Command::new(&self.docker);
        command.args(args).env("DOCKER_CONFIG", &self.config).env("DOCKER_BUILDKIT", "0");
        command.envs(self.place.iter().map(|(key, value)| (key, value)));
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
        let answer = self.docker_py_bytes(&format!("json.dumps({expression}).encode()"));
        serde_json::from_slice(&answer).expect("JSON of docker-py")
    }

    /// What docker-py says of a container.
    #[track_caller]
    pub fn docker_py_inspect(&self, name: &str) -> Value {
        self.docker_py(&format!("c.inspect_container('{name}')"))
    }

    /// What docker-py answers to an expression whose value is bytes.
    #[track_caller]
    pub fn docker_py_bytes(&self, expression: &str) -> Vec<u8> {
        let script =
            format!("import docker, json, sys; c = docker.from_env().api; sys.stdout.buffer.write({expression})");
        let output = Command::new(given("LONGSHORE_TEST_PYTHON")).args(["-c", &script]).output().expect("python runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// The containers of this test that are there, running or not.
    pub fn containers(&self) -> Vec<String> {
        words(&self.docker_says(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &self.filter()]))
    }

    /// A container that `docker run -d` (or another verb) makes, by its short name; gives its id. Of the two lists,
    /// the first has flags, the second what stands after the image.
    #[track_caller]
    pub fn docker_made(&self, verb: &[&str], short: &str, flags: &[&str], command: &[&str]) -> String {
        let (name, label, base) = (self.name(short), self.label(), Self::base());
        let head = ["--name", &name, "--label", &label];
        self.docker_says(&[verb, &head, flags, &[base.as_str()], command].concat())
    }

    /// A container that runs for as long as the test does, and ends at once when asked to.
    #[track_caller]
    pub fn running(&self, short: &str) -> String {
        self.docker_made(&["run", "-d"], short, &[], &["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"])
    }

    /// A container that ran to its end; its command is a line for the shell.
    #[track_caller]
    pub fn finished(&self, short: &str, line: &str) -> String {
        let id = self.docker_made(&["run", "-d"], short, &[], &["sh", "-c", line]);
        self.docker_says(&["wait", &id]);
        id
    }

    /// A container that was never started.
    #[track_caller]
    pub fn created(&self, short: &str) -> String {
        self.docker_made(&["create"], short, &[], &["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"])
    }

    /// A field of a container, as docker's template prints it.
    #[track_caller]
    pub fn field(&self, id: &str, template: &str) -> String {
        self.docker_says(&["inspect", "--format", template, id])
    }

    /// Makes every engine call go through a shell script that writes the verb of each into the file `calls`; `script`
    /// comes before docker's turn.
    pub fn wrap_docker(&mut self, script: &str) {
        let text = format!(
            "#!/bin/sh\nfor word; do\n  case $skip$word in\n  --host|--context) skip=+ ;;\n  +*) skip= ;;\n  \
             *) echo \"$word\" >>'{}'; verb=$word; break ;;\n  esac\ndone\n{script}\nexec '{}' \"$@\"\n",
            self.path("calls").display(),
            self.docker.display()
        );
        let path = self.write("docker-wrapper", text);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        self.set("LONGSHORE_DOCKER", path);
    }

    /// Calls docker itself again, after [`Real::wrap_docker`].
    pub fn unwrap_docker(&mut self) {
        let docker = self.docker.clone();
        self.set("LONGSHORE_DOCKER", docker);
    }

    /// The verbs of the engine calls since [`Real::wrap_docker`], and forgets them.
    pub fn calls(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("calls")).unwrap_or_default();
        let _ = std::fs::remove_file(self.path("calls"));
        text.lines().map(str::to_owned).collect()
    }
}

/// longshore's commands.
impl Real {
    /// A new source directory with this `main.py`.
    pub fn source(&self, code: &str) -> PathBuf {
        let number = self.sources.fetch_add(1, Ordering::Relaxed);
        self.write(&format!("src-{number}/main.py"), code).parent().unwrap().to_owned()
    }

    /// The arguments of `exec run` for a source directory, with the label and the base image.
    pub fn run_args(&self, source: &Path, more: &[&str]) -> Vec<String> {
        self.run_args_in(&Self::base(), source, more)
    }

    /// The arguments of `exec run` in this image.
    pub fn run_args_in(&self, image: &str, source: &Path, more: &[&str]) -> Vec<String> {
        let (label, source) = (self.label(), source.to_str().unwrap());
        let head = ["exec", "run", "--image", image, "--label", &label, "--main", "main.py", "--src", source];
        head.iter().chain(more).map(|word| (*word).to_owned()).collect()
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
        sorted(schema::validated("exec-inspect", self.run(&["exec", "inspect", id, "--json"]).code(0).json()))
    }

    /// `longshore container …`
    pub fn container(&self, args: &[&str]) -> Ran {
        self.run(&[&["container"], args].concat())
    }

    /// `longshore container …` at a terminal of its own, with Ctrl-C after this text: what stands there, and the code.
    pub fn at_terminal(&self, until: &str, args: &[&str]) -> Ran {
        self.at_terminal_with(&["--until", until], args)
    }

    /// The same with flags of `at_terminal.py`.
    pub fn at_terminal_with(&self, flags: &[&str], args: &[&str]) -> Ran {
        let python = given("LONGSHORE_TEST_PYTHON");
        let script = python_file("at_terminal.py");
        let outer = [&[python.as_str(), script.to_str().unwrap()], flags, &["--"]].concat();
        let args: Vec<String> = ["container"].iter().chain(args).map(|word| (*word).to_owned()).collect();
        Ran::from(self.through(&outer, &args).env("TERM", "xterm").output().expect("python runs"))
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let filter = self.filter();
        let found = |list: &[&str]| {
            let output = self.docker(&[list, &["--filter", &filter]].concat());
            words(&String::from_utf8_lossy(&output.stdout)).into_iter().collect::<BTreeSet<String>>()
        };
        let remove = |verb: &[&str], ids: &BTreeSet<String>| {
            self.docker(&[verb, &ids.iter().map(String::as_str).collect::<Vec<_>>()].concat());
        };
        let lists: [(&[&str], &[&str]); 3] = [
            (&["ps", "--all", "--quiet", "--no-trunc"], &["rm", "--force", "--volumes"]),
            (&["network", "ls", "--quiet"], &["network", "rm"]),
            (&["volume", "ls", "--quiet"], &["volume", "rm"]),
        ];
        for (list, verb) in lists {
            let ids = found(list);
            if !ids.is_empty() {
                remove(verb, &ids);
            }
        }
        // A parent goes with its last child, or in a later round.
        for _ in 0..8 {
            let images = found(&["image", "ls", "--all", "--quiet", "--no-trunc"]);
            if images.is_empty() {
                break;
            }
            remove(&["image", "rm", "--force"], &images);
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
pub fn given(key: &str) -> String {
    std::env::var(key).unwrap_or_else(|_| panic!("{key} is not set: these tests need a docker engine; run: make test"))
}

/// A program in Python beside the tests.
pub fn python_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine_py").join(name)
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// A bundle of certificates that the host trusts beyond its distribution's own, if it does.
pub fn host_ca() -> Option<PathBuf> {
    let variables = ["LONGSHORE_CA_CERT", "PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];
    let named = variables.iter().filter_map(std::env::var_os).map(PathBuf::from);
    let own = std::fs::read_dir("/usr/local/share/ca-certificates").into_iter().flatten().flatten();
    let has_own = own.into_iter().any(|entry| entry.path().extension() == Some(OsStr::new("crt")));
    let bundle = has_own.then(|| PathBuf::from("/etc/ssl/certs/ca-certificates.crt"));
    named.chain(bundle).find(|path| path.is_file())
}

/// A container's object with its mounts in an order; the engine gives them in another at every call.
pub fn sorted(mut container: Value) -> Value {
    if let Some(mounts) = container["Mounts"].as_array_mut() {
        mounts.sort_by_key(|mount| mount["Destination"].to_string());
    }
    container
}

/// Fails the test with each field in which two answers differ.
#[track_caller]
pub fn assert_same(ours: &Value, theirs: &Value) {
    let mut found = Vec::new();
    differences("", ours, theirs, &mut found);
    assert!(found.is_empty(), "ours and docker-py's differ:\n{}", found.join("\n"));
}

fn differences(path: &str, ours: &Value, theirs: &Value, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(mine), Value::Object(other)) => {
            let keys: BTreeSet<&String> = mine.keys().chain(other.keys()).collect();
            for key in keys {
                match (mine.get(key), other.get(key)) {
                    (Some(a), Some(b)) => differences(&format!("{path}.{key}"), a, b, found),
                    (a, b) => found.push(format!("{path}.{key}: {a:?} {b:?}")),
                }
            }
        }
        (Value::Array(mine), Value::Array(other)) if mine.len() == other.len() => {
            for (at, (a, b)) in mine.iter().zip(other).enumerate() {
                differences(&format!("{path}[{at}]"), a, b, found);
            }
        }
        _ if ours == theirs => {}
        _ => found.push(format!("{path}: {ours} {theirs}")),
    }
}
