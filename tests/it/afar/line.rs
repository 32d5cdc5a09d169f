//! Connections that break: the client of the log, ssh, and the line itself.

use std::time::Duration;

use serde_json::json;

use super::{job, tree};
use crate::engine::processes;
use crate::support::real::Real;
use crate::support::remote::Nodes;
use crate::support::wait_until;

use rustix::process::{Pid, Signal, kill_process};

const LINES: &str = "LINES=150";

fn expected() -> Vec<String> {
    let head = ["read 11 as 0 in /app".to_owned(), "a warning".to_owned()];
    let mut lines: Vec<String> = head.into_iter().chain((0..150).map(|number| format!("line {number}"))).collect();
    lines.sort();
    lines
}

#[track_caller]
fn assert_whole(real: &Real, id: &str) {
    let (view, code) = real.wait(id);
    assert_eq!((code, &view["outcome"]), (6, &json!("failed")), "{view:#}");
    let mut lines: Vec<String> = String::from_utf8(real.log(id)).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, expected());
    assert!(["complete", "recovered"].contains(&view["log"].as_str().unwrap()), "{view:#}");
    assert_eq!(tree(&real.path("out")).len(), 6);
    wait_until("the container is gone", || real.containers().is_empty());
}

/// Kills the docker clients of this run that have this word on their command line, and what they have started.
fn kill(id: &str, word: &str) -> usize {
    let name = format!("longshore-{id}");
    let is_one = |words: &[String]| words.contains(&name) && words.iter().any(|known| known == word);
    let found: Vec<i32> = processes().into_iter().filter(|(_, words)| is_one(words)).map(|(pid, _)| pid).collect();
    for pid in &found {
        let _ = kill_process(Pid::from_raw(*pid).unwrap(), Signal::KILL);
    }
    found.len()
}

/// Kills the ssh processes that docker clients of this run have started, and not the clients.
fn kill_connections(id: &str) -> usize {
    let name = format!("longshore-{id}");
    let all = processes();
    let clients: Vec<i32> = all.iter().filter(|(_, words)| words.contains(&name)).map(|(pid, _)| *pid).collect();
    let parent = |pid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit(") ").next()?.split(' ').nth(1)?.parse::<i32>().ok()
    };
    let is_one = |pid: i32| parent(pid).is_some_and(|parent| clients.contains(&parent));
    let found: Vec<i32> = all.iter().map(|(pid, _)| *pid).filter(|pid| is_one(*pid)).collect();
    for pid in &found {
        let _ = kill_process(Pid::from_raw(*pid).unwrap(), Signal::KILL);
    }
    found.len()
}

#[test]
fn killed_clients_and_a_killed_supervisor_lose_no_line_behind_ssh() {
    let real = Nodes::ssh().world(1);
    let more = ["-e", LINES, "-e", "PAUSE=0.04", "-e", "CODE=6"];
    let id = real.run(&job(&real, "out", &more)).code(0).id();
    for (at, word) in [(10, "logs"), (30, "ssh"), (50, "wait"), (70, "logs"), (90, "__supervise")] {
        wait_until("the program is that far", || real.says(&id, &format!("line {at}\n")));
        if word == "__supervise" {
            let is_one = |words: &[String]| words.contains(&id) && words.iter().any(|known| known == word);
            for (pid, _) in processes().into_iter().filter(|(_, words)| is_one(words)) {
                let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
            }
            // The next command finds it without a supervisor, and gives it another one.
            assert_eq!(real.inspect(&id)["Longshore"]["status"], "running");
        } else if word == "ssh" {
            assert_ne!(kill_connections(&id), 0);
        } else {
            kill(&id, word);
        }
    }
    assert_whole(&real, &id);
}

#[test]
fn a_line_that_is_dead_for_half_a_minute_costs_no_line_and_no_code() {
    let nodes = Nodes::own("ssh");
    let mut real = nodes.world(1);
    real.set("LONGSHORE_DOCKER_TIMEOUT", "3s");
    let more = ["-e", LINES, "-e", "PAUSE=0.05", "-e", "CODE=6"];
    let id = real.run(&job(&real, "out", &more)).code(0).id();
    wait_until("the program has begun", || real.says(&id, "line 20\n"));
    nodes.line(1, "down");
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    let reason = || real.run(&["exec", "list", "--json"]).code(0).json()[0]["reason"].clone();
    wait_until("the dead line is noticed", || reason() == json!("the engine is unreachable"));
    std::thread::sleep(deadline.saturating_duration_since(std::time::Instant::now()));
    nodes.line(1, "up");
    assert_whole(&real, &id);
}
