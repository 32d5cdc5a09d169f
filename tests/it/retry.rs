//! `--retry`: a run that is tried again.

use serde_json::{Value, json};

use crate::support::fake::{Fake, assert_failure_document, names};
use crate::support::schema;
use crate::support::snapshots::{snapshot, together};
use crate::support::wait_until;

/// A script that fails with 3 until its so manieth attempt, which ends with 0. Each prints its number.
fn until(fake: &Fake, count: usize) -> String {
    let tries = fake.path("tries");
    format!("echo x >>{0}; n=$(wc -l <{0}); echo try $n; [ $n -ge {count} ] || exit 3", tries.display())
}

/// How many attempts there were.
fn tries(fake: &Fake) -> usize {
    std::fs::read_to_string(fake.path("tries")).unwrap_or_default().lines().count()
}

fn start(fake: &Fake, script: &str, more: &[&str]) -> String {
    let at_once: &[&str] = if more.contains(&"--retry-delay") { &[] } else { &["--retry-delay", "0s"] };
    fake.run(&fake.run_args(script, &[at_once, more].concat())).code(0).id()
}

fn codes(view: &Value) -> Vec<Option<i64>> {
    view["attempts"].as_array().unwrap().iter().map(|attempt| attempt["exitCode"].as_i64()).collect()
}

fn log(fake: &Fake, id: &str, attempt: &str) -> String {
    fake.run(&["exec", "logs", "--attempt", attempt, id]).code(0).stdout
}

#[test]
fn a_run_is_tried_again_until_it_succeeds_and_each_attempt_has_its_log() {
    let fake = Fake::new();
    let id = start(&fake, &until(&fake, 3), &["--retry", "5", "--name", "flaky"]);
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["exitCode"]), (&json!("succeeded"), &json!(0)));
    assert_eq!(codes(&view), [Some(3), Some(3), Some(0)]);
    assert_eq!(
        (log(&fake, &id, "1"), log(&fake, &id, "2"), log(&fake, &id, "3")),
        ("try 1\n".into(), "try 2\n".into(), "try 3\n".into())
    );
    assert_eq!(fake.log(&id), b"try 3\n");
    schema::validated("job", view.clone());
    let refused = ["4", "0"].map(|number| fake.run(&["exec", "logs", "--attempt", number, &id]).code(1));
    assert_failure_document(&fake.run(&["exec", "logs", "--attempt", "4", "--json", &id]).code(1), "not-found");
    let [four, zero] = refused;
    let alone = fake.run(&["exec", "logs", "--attempt", "1", &id, &id]).code(2);
    snapshot!(fake, together([four, zero, alone, fake.run(&["exec", "status", "flaky"]).code(0)]));
}

#[test]
fn the_last_attempt_is_the_runs_end() {
    let fake = Fake::new();
    let id = start(
        &fake,
        &until(&fake, 9),
        &["--retry", "2", "--on-exit", "echo $LONGSHORE_OUTCOME >>told", "--stamp", "stamp"],
    );
    assert_eq!(fake.run(&["exec", "wait", &id]).code, 3);
    assert_eq!((tries(&fake), codes(&fake.end_of(&id))), (3, vec![Some(3); 3]));
    wait_until("the command was run", || fake.path("told").exists());
    fake.wait_until_quiet();
    assert_eq!(std::fs::read_to_string(fake.path("told")).unwrap(), "failed\n", "it is run once, at the end");
    assert!(!fake.path("stamp").exists());
}

#[test]
fn only_the_ends_that_were_named_are_tried_again() {
    let fake = Fake::new();
    for (on, script, expected) in
        [("4", "exit 3", 1), ("4,3", "exit 3", 2), ("lost", "exit 3", 1), ("137", "kill -9 $$", 2)]
    {
        let id = start(&fake, script, &["--retry", "1", "--retry-on", on]);
        let view = fake.end_of(&id);
        assert_eq!(view["attempts"].as_array().map_or(1, Vec::len), expected, "{on}: {view}");
    }
    let ok = fake.end_of(&start(&fake, "exit 0", &["--retry", "1"]));
    assert_eq!(ok["attempts"], Value::Null);
}

#[test]
fn each_attempt_has_the_whole_time_limit() {
    let fake = Fake::new();
    let script = format!("{}; trap 'exit 5' TERM; while :; do sleep 0.02; done", until(&fake, 1));
    let id = start(&fake, &script, &["--retry", "1", "--timeout", "300ms"]);
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], tries(&fake)), (&json!("timeout"), 2), "{view}");
    let outcomes: Vec<&str> =
        view["attempts"].as_array().unwrap().iter().map(|attempt| attempt["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["timeout", "timeout"]);
    std::fs::remove_file(fake.path("tries")).unwrap();
    // A limit that ended the first attempt does not make the second one a timeout.
    let script = format!("{}; [ $n -gt 1 ] && exit 7; sleep 60", until(&fake, 1));
    let id = start(&fake, &script, &["--retry", "1", "--timeout", "300ms"]);
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["exitCode"]), (&json!("failed"), &json!(7)), "{view}");
}

#[test]
fn a_stop_ends_it_for_good_in_an_attempt_and_between_two() {
    let fake = Fake::new();
    let running = start(&fake, "trap 'exit 5' TERM; echo on; while :; do sleep 0.02; done", &["--retry", "9"]);
    fake.wait_for_output(&running, "on");
    fake.run(&["exec", "stop", &running]).code(0);
    let view = fake.end_of(&running);
    assert_eq!((&view["outcome"], &view["attempts"]), (&json!("cancelled"), &Value::Null));
    let between = start(&fake, &until(&fake, 9), &["--retry", "9", "--retry-delay", "1h"]);
    let status = || fake.status_of(&between);
    wait_until("the first attempt has ended", || status()["attempts"].is_array());
    let resting = status();
    assert_eq!(
        (&resting["status"], &resting["reason"]),
        (&json!("running"), &json!("attempt 1 failed (3); the next one follows"))
    );
    wait_until("the container of the attempt is removed", || fake.containers().is_empty());
    assert_eq!(fake.log(&between), b"try 1\n");
    fake.run(&["exec", "stop", &between]).code(0);
    let view = fake.end_of(&between);
    assert_eq!(
        (&view["outcome"], &view["reason"]),
        (&json!("cancelled"), &json!("ended by longshore exec stop before its next attempt"))
    );
    assert_eq!(tries(&fake), 1);
}

#[test]
fn who_follows_the_log_sees_every_attempt() {
    let fake = Fake::new();
    let args = fake.run_args(&until(&fake, 4), &["--retry", "5", "--retry-delay", "20ms", "--follow"]);
    let followed = fake.run(&args).code(0);
    assert_eq!(followed.stdout, "try 1\ntry 2\ntry 3\ntry 4\n");
}

#[test]
fn a_supervisor_killed_at_any_step_makes_no_attempt_twice_and_loses_none() {
    for point in ["client-started", "concluding", "saved", "attempt-ended", "attempt-cleared", "recorded"] {
        let mut fake = Fake::new();
        fake.set("LONGSHORE_TEST_ABORT", point);
        let id = start(&fake, &until(&fake, 3), &["--retry", "2"]);
        wait_until("the supervisor was killed", || {
            !fake.processes().iter().any(|process| process.command.contains("__supervise"))
        });
        fake.set("LONGSHORE_TEST_ABORT", "");
        let listed = fake.run(&["exec", "list", "--json"]).code(0).json()[0].take();
        assert!(listed["outcome"].is_null() || listed["outcome"] == "succeeded", "{point}: {listed}");
        let view = fake.end_of(&id);
        assert_eq!((&view["outcome"], tries(&fake)), (&json!("succeeded"), 3), "{point}: {view}");
        assert_eq!(codes(&view), [Some(3), Some(3), Some(0)], "{point}");
    }
}

#[test]
fn without_the_values_of_its_variables_it_is_not_tried_again() {
    let fake = Fake::new();
    let id = start(&fake, &fake.gated("echo on", "exit 3"), &["--retry", "2", "-e", "TOKEN=hunter2"]);
    fake.wait_for_output(&id, "on");
    wait_until("the run has begun", || fake.job("run", &id).join("begun.json").exists());
    fake.kill(fake.supervisor(&id));
    fake.open_gate();
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["exitCode"], &view["attempts"]), (&json!("failed"), &json!(3), &Value::Null));
    let reason = view["reason"].as_str().unwrap();
    assert_eq!(reason, "it was not tried again, because the values of its variables were lost with its supervisor");
    // With its supervisor, it has them each time.
    let id = start(&fake, "[ \"$TOKEN\" = hunter2 ] || exit 9; exit 3", &["--retry", "1", "-e", "TOKEN=hunter2"]);
    assert_eq!(codes(&fake.end_of(&id)), [Some(3), Some(3)]);
}

#[test]
fn an_engine_that_is_away_between_two_attempts_is_waited_for() {
    let fake = Fake::new();
    let id = start(&fake, &until(&fake, 2), &["--retry", "1", "--retry-delay", "500ms"]);
    wait_until("the first attempt has ended", || fake.status_of(&id)["attempts"].is_array());
    fake.take_engine_down();
    wait_until("the supervisor waits for it", || fake.job("run", &id).join("waiting").exists());
    assert_eq!(fake.status_of(&id)["status"], "running");
    fake.bring_engine_up();
    assert_eq!((&fake.end_of(&id)["outcome"], tries(&fake)), (&json!("succeeded"), 2));
}

#[test]
fn a_run_that_is_tried_again_keeps_its_place_in_the_queue() {
    let fake = Fake::new();
    let first = start(&fake, &until(&fake, 3), &["--retry", "2", "--retry-delay", "100ms", "--queue", "q"]);
    let second = fake.start_with("exit 0", &["--queue", "q"]);
    let (first, second) = (fake.end_of(&first), fake.end_of(&second));
    assert_eq!(codes(&first), [Some(3), Some(3), Some(0)]);
    assert!(second["started"].as_str() >= first["finished"].as_str(), "{first} {second}");
}

#[test]
fn what_is_wrong_is_said_at_once_and_a_rerun_keeps_the_rest() {
    let fake = Fake::new();
    let asked = |more: &[&str]| fake.run(&fake.run_args("exit 0", more));
    let refused = [
        asked(&["--retry", "0"]).code(2),
        asked(&["--retry", "many"]).code(2),
        asked(&["--retry", "1", "--retry-on", "0"]).code(2),
        asked(&["--retry", "1", "--retry-on", "failed"]).code(2),
        asked(&["--retry-on", "3"]).code(2),
        asked(&["--retry-delay", "3s"]).code(2),
    ];
    assert_eq!(names(&fake.jobs("run")), Vec::<String>::new());
    let id = start(&fake, "exit 0", &["--retry", "2", "--retry-on", "4,lost"]);
    fake.end_of(&id);
    let spec = fake.run(&["exec", "inspect", "--spec", &id]).code(0).json();
    assert_eq!((&spec["retry"], &spec["retryDelay"], &spec["retryOn"]), (&json!("2"), &json!("0s"), &json!("4,lost")));
    snapshot!(fake, together(refused));
}
