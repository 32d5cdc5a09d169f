//! Containers on a real engine, beside what docker-py and docker itself say of them. Nothing here runs without an
//! engine; `make test` makes sure of one and says so in the environment, and without that every test here fails.
//!
//! Whatever a test makes carries a label of its own and is removed by it, whether the test passes or not.

mod agree;
mod create;
mod export;
mod life;
mod listing;
mod logs;
mod schema;
mod stats;

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::support::{Ran, World};

/// A world with the machine's engine in it, and the containers of one test.
struct Yard {
    world: World,
    label: String,
}

impl Yard {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut world = World::new(Path::new("docker"));
        for key in ["DOCKER_HOST", "DOCKER_CONTEXT"] {
            if let Some(value) = std::env::var_os(key) {
                world.set(key, value);
            }
        }
        let since = std::time::UNIX_EPOCH.elapsed().unwrap();
        Self { world, label: format!("yard-{}-{}-{number}", std::process::id(), since.as_nanos()) }
    }

    /// What marks everything of this test, as `KEY=VALUE`.
    fn label(&self) -> String {
        format!("longshore-test={}", self.label)
    }

    /// The name on the engine of what the test calls by this short name.
    fn name(&self, short: &str) -> String {
        format!("{}-{short}", self.label)
    }

    /// Runs docker itself.
    fn docker(&self, args: &[&str]) -> Output {
        Command::new("docker").args(args).output().expect("docker runs")
    }

    /// What docker prints.
    #[track_caller]
    fn says(&self, args: &[&str]) -> String {
        let output = self.docker(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// A container that `docker run -d` (or another verb) starts, by its short name; gives its id. Of `rest` the flags
    /// come first, then what stands after the image.
    #[track_caller]
    fn docker_made(&self, verb: &[&str], short: &str, flags: &[&str], command: &[&str]) -> String {
        let (name, label, base) = (self.name(short), self.label(), base());
        let head = ["--name", &name, "--label", &label];
        self.says(&[verb, &head, flags, &[base.as_str()], command].concat())
    }

    /// A container that runs for as long as the test does, and ends at once when asked to.
    #[track_caller]
    fn running(&self, short: &str) -> String {
        self.docker_made(&["run", "-d"], short, &[], &["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"])
    }

    /// A container that ran to its end; its command is a line for the shell.
    #[track_caller]
    fn finished(&self, short: &str, line: &str) -> String {
        let id = self.docker_made(&["run", "-d"], short, &[], &["sh", "-c", line]);
        self.says(&["wait", &id]);
        id
    }

    /// One that was never started.
    #[track_caller]
    fn created(&self, short: &str) -> String {
        self.docker_made(&["create"], short, &[], &["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"])
    }

    /// `longshore container …`
    fn container(&self, args: &[&str]) -> Ran {
        self.run(&[&["container"], args].concat())
    }

    /// A field of a container, as docker's template prints it.
    #[track_caller]
    fn field(&self, id: &str, template: &str) -> String {
        self.says(&["inspect", "--format", template, id])
    }

    /// `longshore container …` at a terminal of its own: what stands there, and the code.
    fn at_terminal(&self, until: &str, args: &[&str]) -> Ran {
        let ours = self.command(&[&["container"], args].concat());
        let mut command = Command::new(given("LONGSHORE_TEST_PYTHON"));
        command.arg(helper("at_terminal.py")).args(["--until", until, "--"]).arg(ours.get_program());
        command.args(ours.get_args()).env_clear().current_dir(self.dir.path());
        for (key, value) in ours.get_envs() {
            command.env(key, value.unwrap_or_default());
        }
        Ran::from(command.env("TERM", "xterm").output().expect("python runs"))
    }

    /// Makes every engine call go through a shell script that writes the verb of each into the file `calls`; `script`
    /// comes before docker's turn.
    fn wrap_docker(&mut self, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let calls = self.path("calls");
        let text = format!(
            "#!/bin/sh\nfor word; do\n  case $skip$word in\n  --host|--context) skip=+ ;;\n  +*) skip= ;;\n  \
             *) echo \"$word\" >>'{}'; verb=$word; break ;;\n  esac\ndone\n{script}\nexec docker \"$@\"\n",
            calls.display()
        );
        let path = self.write("docker-wrapper", text);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        self.set("LONGSHORE_DOCKER", path);
    }

    /// The verbs of the engine calls since [`Yard::wrap_docker`], and forgets them.
    fn calls(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("calls")).unwrap_or_default();
        let _ = std::fs::remove_file(self.path("calls"));
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for Yard {
    fn drop(&mut self) {
        let filter = format!("label={}", self.label());
        let lists: [(&[&str], &[&str]); 4] = [
            (&["ps", "--all", "--quiet", "--no-trunc"], &["rm", "--force", "--volumes"]),
            (&["network", "ls", "--quiet"], &["network", "rm"]),
            (&["volume", "ls", "--quiet"], &["volume", "rm"]),
            (&["image", "ls", "--quiet"], &["image", "rm"]),
        ];
        for (list, remove) in lists {
            let found = self.docker(&[list, &["--filter", &filter]].concat()).stdout;
            let found = String::from_utf8_lossy(&found).into_owned();
            let ids: Vec<&str> = found.split_whitespace().collect();
            if !ids.is_empty() {
                self.docker(&[remove, &ids[..]].concat());
            }
        }
    }
}

impl Deref for Yard {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for Yard {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

/// What `make test` found out. A test that cannot run must not pass.
fn given(key: &str) -> String {
    std::env::var(key).unwrap_or_else(|_| panic!("{key} is not set: these tests need a docker engine; run: make test"))
}

fn base() -> String {
    given("LONGSHORE_TEST_BASE")
}

fn helper(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine_py").join(file)
}

/// The answer of docker-py, an independent client of the same engine.
#[track_caller]
fn docker_py(question: &str, of: &str) -> Vec<u8> {
    let output = Command::new(given("LONGSHORE_TEST_PYTHON")).arg(helper("ask.py")).args([question, of]).output();
    let output = output.expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The same, as JSON.
#[track_caller]
fn docker_py_json(question: &str, of: &str) -> Value {
    serde_json::from_slice(&docker_py(question, of)).expect("JSON of docker-py")
}

/// Fails the test with each field in which two answers differ.
#[track_caller]
fn same(ours: &Value, theirs: &Value) {
    let mut found = Vec::new();
    differences("", ours, theirs, &mut found);
    assert!(found.is_empty(), "ours and docker-py's differ:\n{}", found.join("\n"));
}

fn differences(path: &str, ours: &Value, theirs: &Value, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(mine), Value::Object(other)) => {
            let keys: std::collections::BTreeSet<&String> = mine.keys().chain(other.keys()).collect();
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
