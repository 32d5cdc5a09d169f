//! Managers that are restarted, and nodes that crash, are cut off or are drained, on a swarm of the test's own.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{assert_cleared, await_words, left, status};
use crate::engine::processes;
use crate::support::real::Real;
use crate::support::remote::Nodes;
use crate::support::wait_until;

const LONG: &str = "\
import time
print('runs')
time.sleep(600)
";

/// A run on the node with this number.
fn start_on(manager: &Real, number: usize, code: &str) -> String {
    let constraint = format!("node.hostname==longshore-swarm-{number}");
    let id = manager.start(code, &["--swarm", "--constraint", &constraint]);
    await_words(manager, &id, "runs\n");
    id
}

#[track_caller]
pub fn kill_supervisor(id: &str) {
    let is_it = |words: &Vec<String>| ["__supervise", id].iter().all(|part| words.iter().any(|word| word == part));
    let found: Vec<i32> = processes().into_iter().filter(|(_, words)| is_it(words)).map(|(pid, _)| pid).collect();
    assert_eq!(found.len(), 1);
    kill_process(Pid::from_raw(found[0]).unwrap(), Signal::KILL).unwrap();
    wait_until("the supervisor is gone", || !processes().iter().any(|(_, words)| is_it(words)));
}

#[track_caller]
fn assert_lost(manager: &Real, id: &str, why: &str) {
    let (job, code) = manager.wait(id);
    assert_eq!((code, &job["outcome"], &job["exitCode"]), (125, &json!("lost"), &serde_json::Value::Null), "{job:#}");
    let reason = job["reason"].as_str().unwrap();
    assert!(reason.starts_with(why), "{reason}");
    assert_cleared(manager, id);
}

#[test]
fn each_outage_is_what_the_table_says() {
    let nodes = Nodes::own("swarm");
    let manager = nodes.world(1);

    // A manager that is restarted knows all that it knew.
    let id = start_on(&manager, 2, "import time; print('runs'); time.sleep(12); print('ends'); raise SystemExit(4)");
    nodes.engine(1, "stop");
    nodes.engine(1, "start");
    let (job, code) = manager.wait(&id);
    assert_eq!((code, &job["outcome"], &job["recovered"]), (4, &json!("failed"), &json!(false)), "{job:#}");
    assert_eq!(manager.log(&id), b"runs\nends\n");

    // A node that is drained ends its tasks, which is no request of the caller.
    let id = start_on(&manager, 2, LONG);
    manager.docker_says(&["node", "update", "--availability", "drain", "longshore-swarm-2"]);
    assert_lost(&manager, &id, "the swarm ended it: its node was drained");
    manager.docker_says(&["node", "update", "--availability", "active", "longshore-swarm-2"]);

    // With an output, too, another attempt follows.
    let output = manager.path("out");
    let code = "\
import socket, time
open('output/x', 'w').write(socket.gethostname())
print('runs in', socket.gethostname())
time.sleep(600)
";
    let flags =
        ["--swarm", "--constraint", "node.role==worker", "--retry", "1", "--retry-on", "lost", "--retry-delay", "0s"];
    let id = manager.start(code, &[&flags[..], &["--output", output.to_str().unwrap()]].concat());
    let host =
        || manager.log(&id).strip_prefix(b"runs in ").map(|host| String::from_utf8_lossy(host).trim().to_owned());
    wait_until("it runs", || host().is_some());
    let first = host();
    let node = manager.docker_says(&["service", "ps", "--format", "{{.Node}}", &format!("longshore-{id}")]);
    manager.docker_says(&["node", "update", "--availability", "drain", &node]);
    wait_until("the first attempt is over", || {
        status(&manager, &id)["attempts"].as_array().is_some_and(|all| all.len() == 1)
    });
    wait_until("the next attempt runs", || host().is_some_and(|host| Some(host) != first));
    let second = host();
    manager.run(&["exec", "stop", &id]).code(0);
    let (job, _) = manager.wait(&id);
    assert_eq!((&job["outcome"], &job["attempts"][0]["outcome"]), (&json!("cancelled"), &json!("lost")), "{job:#}");
    let why = job["attempts"][0]["reason"].as_str().unwrap();
    assert!(why.contains("its node was drained") && why.contains("could not fetch the output"), "{why}");
    assert_eq!(std::fs::read_to_string(output.join("x")).ok(), second);
    assert_cleared(&manager, &id);
    manager.docker_says(&["node", "update", "--availability", "active", &node]);

    // While a node is cut off, nothing is known; when it comes back, it has to end what it has.
    let cut = start_on(&manager, 3, LONG);
    nodes.line(3, "down");
    wait_until("the node is down", || {
        status(&manager, &cut)["reason"].as_str().is_some_and(|why| why.contains("unreachable"))
    });
    assert_eq!(status(&manager, &cut)["status"], "running");
    // The same without a supervisor that waits: it is unknown, and never lost.
    kill_supervisor(&cut);
    // The kernel releases the lock of a killed process in its own time.
    wait_until("it is unknown", || status(&manager, &cut)["outcome"] == "unknown");
    let job = status(&manager, &cut);
    assert!(job["reason"].as_str().unwrap().contains("node longshore-swarm-3 is down"));
    nodes.line(3, "up");
    wait_until("the node answers", || manager.wait(&cut).0["outcome"] != "unknown");
    assert_lost(&manager, &cut, "the swarm ended it: its node was drained, or had been cut off");

    // A node that loses its power.
    let crashed = start_on(&manager, 2, LONG);
    nodes.engine(2, "crash");
    wait_until("the node is down", || {
        status(&manager, &crashed)["reason"].as_str().is_some_and(|why| why.contains("unreachable"))
    });
    nodes.engine(2, "start");
    let (job, _) = manager.wait(&crashed);
    assert_eq!(job["outcome"], "lost", "{job:#}");
    assert_cleared(&manager, &crashed);
}

#[test]
fn a_log_that_never_comes_keeps_no_run_from_its_end() {
    let mut manager = Nodes::swarm().world(1);
    manager.wrap_docker("case \" $* \" in *' service logs '*) exec sleep 600 ;; esac");
    let begun = Instant::now();
    let ran = manager.finish("print('said'); raise SystemExit(6)", &["--swarm"]).code(6);
    assert!(begun.elapsed() < Duration::from_secs(100), "{:?}", begun.elapsed());
    let job = ran.json();
    assert_eq!((&job["outcome"], &job["log"]), (&json!("failed"), &json!("incomplete")), "{job:#}");
    // The swarm has the only copy of the output, so it is not removed, and can be read later.
    let id = job["exec_id"].as_str().unwrap().to_owned();
    manager.unwrap_docker();
    assert!(!left(&manager, &id).is_empty());
    assert_eq!(manager.docker_says(&["service", "logs", "--raw", &format!("longshore-{id}")]), "said");
    manager.run(&["exec", "forget", &id]).code(0);
    wait_until("nothing is left of the run on the swarm", || {
        manager.run(&["exec", "forget", "--all", "--dry-run"]);
        manager.run(&["doctor", "--fix"]);
        left(&manager, &id).is_empty()
    });
}
