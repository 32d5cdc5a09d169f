//! SIGKILL and panics at every step of a run that is copied: its status is never wrong, its log is whole, its output is there
//! whole or not at all, and nothing is left on the engine.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{SHIP, job, tree};
use crate::engine::processes;
use crate::support::random::Random;
use crate::support::real::Real;
use crate::support::remote::Nodes;
use crate::support::wait_until;

/// Where a process of the run can be killed, in their order.
const POINTS: [&str; 12] = [
    "admitted",
    "begun",
    "container-created",
    "shipped",
    "client-started",
    "relayed",
    "unpacked",
    "output-placed",
    "fetched",
    "concluding",
    "saved",
    "recorded",
];

#[test]
fn a_supervisor_killed_at_any_step_leaves_the_truth() {
    for point in POINTS {
        let mut real = Real::new();
        real.set("LONGSHORE_TEST_SETTLING", "1s");
        real.set("LONGSHORE_TEST_ABORT", point);
        let fired = real.path("fired");
        real.set("LONGSHORE_TEST_FIRED", &fired);
        let more = [&SHIP[..], &["-e", "CODE=3"]].concat();
        let started = real.run(&job(&real, "out", &more));
        real.unset("LONGSHORE_TEST_ABORT");
        if started.code != 0 {
            // The command saw that its supervisor was gone.
            assert_eq!(point, "admitted", "{started:?}");
            continue;
        }
        wait_until("the supervisor is killed", || fired.exists());
        let id = started.id();
        // Whoever waits first gives it another supervisor.
        let ended = || real.run(&["exec", "wait", "--timeout", "30s", &id, "--json"]).json();
        let mut view = ended();
        wait_until("it has an end", || {
            view = ended();
            view["status"] == "exited" && view["outcome"] != "unknown"
        });
        let was_started =
            POINTS.iter().position(|known| *known == point) >= POINTS.iter().position(|p| *p == "client-started");
        if was_started {
            assert_eq!((&view["outcome"], &view["exitCode"]), (&json!("failed"), &json!(3)), "{point}: {view:#}");
            let log = String::from_utf8(real.log(&id)).unwrap();
            assert_eq!(log.lines().count(), 5, "{point}: {log}");
            assert_eq!(tree(&real.path("out")).len(), 6, "{point}");
        } else {
            assert_eq!(view["outcome"], "lost", "{point}: {view:#}");
            assert_eq!(tree(&real.path("out")), Vec::<String>::new(), "{point}");
        }
        real.run(&["doctor", "--fix"]);
        wait_until("nothing is left on the engine", || real.containers().is_empty());
    }
}

/// The processes of these runs: supervisors, docker clients, and the ssh processes of these.
fn of_runs(ids: &[String]) -> Vec<i32> {
    let all = processes();
    let is_of = |word: &String| ids.iter().any(|id| word == id || *word == format!("longshore-{id}"));
    let own: Vec<i32> = all.iter().filter(|(_, words)| words.iter().any(is_of)).map(|(pid, _)| *pid).collect();
    let parent = |pid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit(") ").next()?.split(' ').nth(1)?.parse::<i32>().ok()
    };
    let is_one = |pid: i32| own.contains(&pid) || parent(pid).is_some_and(|parent| own.contains(&parent));
    all.iter().map(|(pid, _)| *pid).filter(|pid| is_one(*pid)).collect()
}

/// Runs programs behind ssh, and kills one of their processes after the other. Each program ends with a code of its own, which
/// is not 0. A slow machine gets more time for its kills, and each program writes until that time is over.
fn storm(seed: u32, runs: usize, lasting: Duration) {
    let real = Nodes::ssh().world(1);
    let mut random = Random(seed);
    let at_most = lasting * 2;
    let lines = at_most.as_secs() * 10 + 20;
    let start = |number: usize| {
        let (count, code) = (format!("LINES={lines}"), format!("CODE={}", number + 1));
        let more = ["-e", count.as_str(), "-e", "PAUSE=0.1", "-e", code.as_str()];
        real.run(&job(&real, &format!("out-{number}"), &more)).code(0).id()
    };
    let ids: Vec<String> = (0..runs).map(start).collect();
    for id in &ids {
        wait_until("its program runs", || {
            let view = real.run(&["exec", "status", id, "--json"]).json();
            assert_eq!(view["status"], "running", "seed {seed}: {view:#}");
            real.says(id, "line 0\n")
        });
    }
    let begin = Instant::now();
    let mut kills = 0;
    while begin.elapsed() < lasting || (kills <= 10 && begin.elapsed() < at_most) {
        let found = of_runs(&ids);
        if !found.is_empty() {
            let pid = found[random.below(found.len())];
            kills += usize::from(kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).is_ok());
        }
        std::thread::sleep(Duration::from_millis(200));
        // A command that finishes what killed processes have left, and may be killed itself.
        let id = &ids[random.below(runs)];
        let mut command = real.command(&["exec", "inspect", id, "--json"]);
        let mut command =
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        if random.below(3) == 0 {
            let _ = command.kill();
        }
        let _ = command.wait();
    }
    assert!(kills > 10, "{kills} kills");
    for (number, id) in ids.iter().enumerate() {
        let (view, code) = real.wait(id);
        assert_eq!(usize::try_from(code), Ok(number + 1), "seed {seed}: {view:#}");
        assert_eq!(view["outcome"], "failed", "seed {seed}: {view:#}");
        let log = String::from_utf8(real.log(id)).unwrap();
        let numbered: Vec<&str> = log.lines().filter(|line| line.starts_with("line ")).collect();
        let expected: Vec<String> = (0..lines).map(|number| format!("line {number}")).collect();
        assert_eq!(numbered, expected, "seed {seed}");
        assert_eq!(log.lines().count(), expected.len() + 2, "seed {seed}: {log}");
        assert_eq!(tree(&real.path(&format!("out-{number}"))).len(), 6, "seed {seed}");
    }
    wait_until("nothing is left on the engine", || real.containers().is_empty());
}

#[test]
fn runs_behind_ssh_tell_the_truth_after_a_storm_of_kills() {
    storm(7, 3, Duration::from_secs(8));
}

#[test]
#[ignore = "it takes minutes: make soak"]
fn soak_of_runs_behind_ssh_under_kills() {
    for seed in 1..=10 {
        storm(seed, 6, Duration::from_secs(20));
    }
}
