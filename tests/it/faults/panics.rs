//! A panic is a defect. It ends one process or one thread, and no job is told wrong of because of it.

use crate::support::fake::{Fake, assert_failure_document};
use crate::support::wait_until;

/// With a panic at this point from now on.
fn with_panic(point: &str) -> Fake {
    let mut fake = Fake::new();
    let fired = fake.path("fired");
    fake.set("LONGSHORE_TEST_FIRED", fired);
    fake.set("LONGSHORE_TEST_PANIC", point);
    fake
}

#[test]
fn a_panic_in_the_thread_that_sweeps_does_not_end_the_supervisor() {
    let fake = with_panic("sweeping");
    let id = fake.start_gated("echo off; exit 3");
    wait_until("the thread has panicked", || fake.path("fired").exists());
    fake.supervisor(&id);
    fake.open_gate();
    let view = fake.end_of(&id);
    assert_eq!((&view["exitCode"], &view["recovered"]), (&3.into(), &false.into()), "{view:#}");
    assert_eq!(view["log"], "complete");
}

#[test]
fn a_panic_in_the_thread_that_ends_a_run_is_the_answer_to_the_request() {
    let fake = with_panic("ending");
    let id = fake.start_gated("echo off; exit 3");
    let ran = fake.run(&["exec", "stop", "--json", &id]).code(1);
    assert_failure_document(&ran, "internal");
    assert!(ran.stderr.contains(&format!("could not end run {id}: a thread of its supervisor panicked")), "{ran:?}");
    fake.supervisor(&id);
    fake.open_gate();
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["exitCode"]), (&"failed".into(), &3.into()), "{view:#}");
}

#[test]
fn a_time_limit_holds_when_the_thread_that_keeps_it_panics() {
    let fake = with_panic("ending");
    let id = fake.start_gated_with("", &["--timeout", "1s"]);
    // TERM cannot be sent, and KILL can.
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["exitCode"]), (&"timeout".into(), &137.into()), "{view:#}");
    fake.run(&["exec", "wait", &id]).code(124);
}

#[test]
fn a_panic_of_a_command_is_a_failure_of_its_own_and_a_document() {
    let mut fake = with_panic("launched");
    let ran = fake.run(&fake.run_args("exit 0", &["--wait", "--json"])).code(125);
    let document = ran.json();
    assert_eq!((&document["success"], &document["error"]["kind"]), (&false.into(), &"internal".into()), "{document}");
    assert!(ran.stderr.ends_with("error: longshore panicked, which is a defect of longshore\n"), "{}", ran.stderr);
    fake.run(&fake.run_args("exit 0", &["--json"])).code(1);
    fake.set("LONGSHORE_TEST_PANIC", "");
    fake.wait_until_quiet();
    for view in fake.run(&["exec", "list", "--json"]).json().as_array().unwrap() {
        assert_eq!(view["outcome"], "succeeded", "its supervisor goes on: {view:#}");
    }
}
