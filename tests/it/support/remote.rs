//! Engines on other machines: the nodes of `tools/nodes`, which share nothing with this machine but the kernel. A
//! directory of a test is not there, so whatever a job has of it was sent.
//!
//! The nodes end when the end of their stdin that this process has is closed, so nothing outlives a test process that
//! was killed.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::real::Real;

/// The nodes of one name.
pub struct Nodes {
    name: &'static str,
    dir: PathBuf,
    /// `tools/nodes hold`, with its stdin.
    holder: Child,
    /// What it printed: the variables, in its order.
    exports: Vec<(String, String)>,
}

impl Nodes {
    /// One node behind ssh, of all tests of this process. Its engine is not to be disturbed.
    pub fn ssh() -> &'static Self {
        static SSH: OnceLock<Nodes> = OnceLock::new();
        SSH.get_or_init(|| Self::own("ssh"))
    }

    /// A swarm of three nodes, of all tests of this process. Its nodes are not to be disturbed.
    pub fn swarm() -> &'static Self {
        static SWARM: OnceLock<Nodes> = OnceLock::new();
        SWARM.get_or_init(|| Self::own("swarm"))
    }

    /// Nodes of a test's own, which it may stop, kill and cut off. They end with this value.
    pub fn own(name: &'static str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("nodes-{}-{count}", std::process::id()));
        let mut command = tool(&["hold", name], &dir);
        let mut holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("tools/nodes runs");
        let lines = BufReader::new(holder.stdout.take().unwrap()).lines().map(Result::unwrap);
        let exports: Vec<_> = lines.take_while(|line| !line.is_empty()).map(|line| exported(&line)).collect();
        assert!(!exports.is_empty(), "tools/nodes hold {name} failed: {:?}", holder.wait());
        let nodes = Self { name, dir, holder, exports };
        nodes.run(&["load", name, &Real::base()]);
        nodes
    }

    /// A world in which docker and longshore use the engine of the node with this number, from 1.
    pub fn world(&self, number: usize) -> Real {
        let path = self.export("PATH").map(|path| format!("{path}{}", super::PATH));
        let context = self.export("NODES_CONTEXTS").unwrap().split(' ').nth(number - 1).unwrap();
        let config = self.export("DOCKER_CONFIG").unwrap();
        let given = [("DOCKER_CONFIG", config.to_owned()), ("DOCKER_CONTEXT", context.to_owned())];
        let place = given.into_iter().chain(path.map(|path| ("PATH", path)));
        Real::at(place.map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// A directory that all nodes and this machine have under the same path.
    pub fn shared(&self) -> PathBuf {
        PathBuf::from(self.export("NODES_SHARED").unwrap())
    }

    /// Runs `tools/nodes` on these nodes.
    #[track_caller]
    pub fn run(&self, args: &[&str]) {
        let output = tool(args, &self.dir).output().expect("tools/nodes runs");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Does this to the engine of a node: `stop`, `kill`, `crash` or `start`.
    #[track_caller]
    pub fn engine(&self, number: usize, what: &str) {
        self.run(&["engine", &format!("{}/{number}", self.name), what]);
    }

    /// Cuts the network line of a node (`down`), or restores it (`up`).
    #[track_caller]
    pub fn line(&self, number: usize, state: &str) {
        self.run(&["line", &format!("{}/{number}", self.name), state]);
    }

    fn export(&self, name: &str) -> Option<&str> {
        self.exports.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn tool(args: &[&str], dir: &PathBuf) -> Command {
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tools/nodes"));
    command.args(args).arg("--dir").arg(dir);
    // The machine's engine is the one that images are copied from.
    command.env_remove("DOCKER_CONTEXT");
    command
}

/// The name and the value of a line `export NAME=VALUE`. No path here has a character that a shell quotes.
fn exported(line: &str) -> (String, String) {
    let (name, value) = line.strip_prefix("export ").and_then(|rest| rest.split_once('=')).expect("an export");
    (name.to_owned(), value.strip_suffix("\"$PATH\"").unwrap_or(value).trim_matches('\'').to_owned())
}
