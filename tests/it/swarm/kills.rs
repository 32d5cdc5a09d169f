//! The supervisor killed at every step: the answer is right, and nothing is left on the swarm.

use std::time::{Duration, Instant};

use serde_json::json;

use super::outages::kill_supervisor;
use super::{assert_cleared, await_words};
use crate::support::remote::Nodes;
use crate::support::wait_until;

/// The steps before the program is started, after which a kill may leave a run that never starts.
const BEFORE: [&str; 2] = ["begun", "configs-made"];
/// The steps after which everything can be finished by whoever comes.
const AFTER: [&str; 12] = [
    "service-made",
    "client-started",
    "relayed",
    "collecting",
    "unpacked",
    "output-placed",
    "fetched",
    "concluding",
    "saved",
    "stamped",
    "recorded",
    "removed",
];

const PROGRAM: &str = "\
print('output')
open('output/x', 'w').write('x')
raise SystemExit(7)
";

#[test]
fn a_kill_after_the_start_changes_neither_code_nor_log_nor_output() {
    for point in AFTER {
        let mut manager = Nodes::swarm().world(1);
        let output = manager.path("out");
        let fired = manager.path("fired");
        manager.set("LONGSHORE_TEST_ABORT", point);
        manager.set("LONGSHORE_TEST_FIRED", &fired);

        let id = manager.start(PROGRAM, &["--swarm", "--output", output.to_str().unwrap()]);
        wait_until("it was killed", || std::fs::read_to_string(&fired).is_ok_and(|text| text.contains(point)));
        manager.unset("LONGSHORE_TEST_ABORT");
        let (job, code) = manager.wait(&id);
        assert_eq!((code, &job["exitCode"], &job["outcome"]), (7, &json!(7), &json!("failed")), "{point}: {job:#}");
        assert_eq!(manager.log(&id), b"output\n", "{point}");
        assert_eq!(std::fs::read_to_string(output.join("x")).unwrap(), "x", "{point}");
        // What a killed supervisor has left is removed by the next command.
        manager.run(&["exec", "wait", &id]).code(7);
        assert_cleared(&manager, &id);
    }
}

#[test]
fn a_kill_before_the_start_loses_the_run_and_leaves_nothing() {
    for point in BEFORE {
        let mut manager = Nodes::swarm().world(1);
        let fired = manager.path("fired");
        manager.set("LONGSHORE_TEST_ABORT", point);
        manager.set("LONGSHORE_TEST_FIRED", &fired);
        manager.set("LONGSHORE_TEST_SETTLING", "1s");
        let id = manager.start(PROGRAM, &["--swarm"]);
        wait_until("it was killed", || std::fs::read_to_string(&fired).is_ok_and(|text| text.contains(point)));
        manager.unset("LONGSHORE_TEST_ABORT");
        wait_until("it is known to be lost", || {
            manager.run(&["exec", "wait", &id, "--timeout", "5s", "--json"]).json()["outcome"] == "lost"
        });
        assert_cleared(&manager, &id);
    }
}

#[test]
fn a_time_limit_counts_from_the_start_also_with_another_supervisor() {
    let manager = Nodes::swarm().world(1);
    let id = manager.start("import time; print('runs'); time.sleep(600)", &["--swarm", "--timeout", "20s"]);
    await_words(&manager, &id, "runs\n");
    let begun = Instant::now();
    std::thread::sleep(Duration::from_secs(12));
    kill_supervisor(&id);
    let (job, code) = manager.wait(&id);
    assert_eq!((code, &job["outcome"]), (124, &json!("timeout")), "{job:#}");
    assert!(begun.elapsed() < Duration::from_secs(31), "{:?}", begun.elapsed());
    assert_cleared(&manager, &id);
}
