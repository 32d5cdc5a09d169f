//! Runs on a swarm of three nodes, which see nothing of the caller's files.

mod ends;
mod files;
mod kills;
mod outages;
mod scripts;

use serde_json::Value;

use crate::support::real::Real;
use crate::support::wait_until;

/// What is left of a run on the swarm: services and configs.
fn left(manager: &Real, id: &str) -> Vec<String> {
    let filter = format!("label=longshore.run={id}");
    let list = |kind: &str| manager.docker_says(&[kind, "ls", "--quiet", "--filter", &filter]);
    [list("service"), list("config")].concat().lines().map(str::to_owned).collect()
}

/// Waits until nothing is left of a run.
#[track_caller]
fn assert_cleared(manager: &Real, id: &str) {
    wait_until("nothing is left of the run on the swarm", || left(manager, id).is_empty());
}

/// A run as `exec status` shows it, without its log.
#[track_caller]
fn status(manager: &Real, id: &str) -> Value {
    manager.run(&["exec", "list", "--json", "--filter", &format!("id={id}")]).code(0).json()[0].clone()
}

/// Waits until the program says this.
#[track_caller]
fn await_words(manager: &Real, id: &str, words: &str) {
    wait_until(&format!("the program says {words}"), || manager.says(id, words));
}
