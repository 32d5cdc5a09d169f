//! Mount points in source directories: made for a run, and gone when no run needs them any more, whatever was killed.

use serde_json::json;

use crate::support::fake::{Fake, names};
use crate::support::wait_until;

/// With an input directory, so that runs with these flags need both mount points.
fn world() -> Fake {
    let fake = Fake::new();
    fake.write("in/file", "");
    fake
}

const FLAGS: [&str; 4] = ["--input", "in", "--output", "out"];

/// What is in the source directory beside programs.
fn points(fake: &Fake) -> Vec<String> {
    names(&fake.path("src")).into_iter().filter(|name| std::path::Path::new(name).extension().is_none()).collect()
}

const BOTH: [&str; 2] = ["data", "output"];

#[test]
fn mount_points_are_there_while_a_run_needs_them_and_the_output_directory_stays() {
    let fake = world();
    let id = fake.start_gated_with("exit 0", &[&FLAGS[..], &["-v", "./in:/app/deep/er"]].concat());
    assert_eq!(points(&fake), ["data", "deep", "output"]);
    assert!(fake.path("src/deep/er").is_dir());
    fake.open_gate();
    fake.end_of(&id);
    wait_until("the mount points are gone", || points(&fake).is_empty());
    assert!(fake.path("out").is_dir());
    let again = fake.run(&["exec", "rerun", &id]).code(0).id();
    fake.end_of(&again);
    wait_until("the mount points are gone", || points(&fake).is_empty());
}

#[test]
fn a_run_that_is_refused_leaves_no_mount_points() {
    let fake = world();
    let busy = fake.start_gated_with("exit 0", &["--name", "busy"]);
    fake.run(&fake.run_args("exit 0", &[&FLAGS[..], &["--name", "busy"]].concat())).code(1);
    assert_eq!(points(&fake), Vec::<String>::new());
    fake.open_gate();
    fake.end_of(&busy);
}

#[test]
fn of_two_runs_from_one_source_directory_the_last_one_removes_its_mount_points() {
    let fake = world();
    let first = fake.start_gated_with("exit 0", &FLAGS);
    let second = fake.start_gated_with("exit 0", &FLAGS);
    fake.run(&["exec", "kill", &first]).code(0);
    fake.end_of(&first);
    wait_until("its supervisor has gone", || !fake.processes().iter().any(|process| process.command.contains(&first)));
    assert_eq!(points(&fake), BOTH);
    // A sweep leaves them, too.
    fake.run(&["exec", "forget", &first]).code(0);
    assert_eq!(points(&fake), BOTH);
    fake.open_gate();
    fake.end_of(&second);
    wait_until("the mount points are gone", || points(&fake).is_empty());
}

#[test]
fn a_run_that_was_forgotten_still_needs_its_mount_points() {
    let fake = world();
    let id = fake.start_gated_with("exit 0", &FLAGS);
    fake.run(&["exec", "forget", &id]).code(0);
    fake.ended_run_with("exit 0", &FLAGS);
    assert_eq!(points(&fake), BOTH);
    fake.open_gate();
    wait_until("the mount points are gone", || points(&fake).is_empty());
}

#[test]
fn what_a_killed_supervisor_left_is_removed_when_the_end_is_recorded() {
    let fake = world();
    let id = fake.start_gated_with("exit 3", &FLAGS);
    fake.kill_supervisor_and_client(&id);
    // The container still has them.
    fake.ended_run_with("exit 0", &FLAGS);
    assert_eq!(points(&fake), BOTH);
    fake.open_gate();
    assert_eq!(fake.end_of(&id)["exitCode"], 3);
    wait_until("the mount points are gone", || points(&fake).is_empty());
}

#[test]
fn a_process_killed_at_any_step_leaves_no_mount_point_after_the_next_sweep() {
    for step in
        ["point-noted", "point-made", "placed", "published", "begun", "client-started", "recorded", "point-removed"]
    {
        let mut fake = world();
        let fired = fake.path("fired");
        fake.set("LONGSHORE_TEST_FIRED", &fired);
        fake.set("LONGSHORE_TEST_ABORT", step);
        let _ = fake.run(&fake.run_args("exit 3", &FLAGS));
        fake.wait_until_quiet();
        fake.set("LONGSHORE_TEST_ABORT", "");
        assert!(fired.exists(), "no process came to {step}");
        fake.sweep();
        assert_eq!(points(&fake), Vec::<String>::new(), "{step}");
        assert_eq!(names(&fake.path("state/longshore/.points")), Vec::<String>::new(), "{step}");
    }
}

#[test]
fn a_container_of_somebody_else_keeps_the_mount_points() {
    let fake = world();
    // As the engine tells of a running container that mounts the source directory.
    fake.scenario(json!({"rules": [{"call": "ps --quiet --filter volume=", "stdout": "c0ffee\n"}]}));
    fake.ended_run_with("exit 0", &FLAGS);
    fake.sweep();
    assert_eq!(points(&fake), BOTH);
    let asked = format!("ps --quiet --filter volume={}", fake.path("src").display());
    assert!(fake.calls().contains(&asked), "{:?}", fake.calls());
    fake.scenario(json!({"rules": [{"call": "ps --quiet --filter volume=", "exit": 1, "stderr": "away"}]}));
    fake.sweep();
    assert_eq!(points(&fake), BOTH, "nothing is known without an answer");
    fake.scenario(json!({}));
    let told = fake.run(&["doctor", "--fix"]);
    assert!(told.stdout.contains("removed 2 mount points in source directories"), "{told}");
    assert_eq!(points(&fake), Vec::<String>::new());
}

#[test]
fn directories_of_the_user_stay() {
    let fake = world();
    std::fs::create_dir_all(fake.path("src/data")).unwrap();
    let id = fake.start_gated_with("exit 0", &FLAGS);
    // What is put there meanwhile is the user's, too.
    fake.write("src/output/mine", "");
    fake.open_gate();
    fake.end_of(&id);
    fake.wait_until_quiet();
    assert_eq!(points(&fake), BOTH);
    assert!(fake.path("src/output/mine").exists());
    // The output directory may be the mount point itself.
    let other = world();
    let id = other.ended_run_with("exit 0", &["--output", "src/output"]);
    other.end_of(&id);
    other.wait_until_quiet();
    assert_eq!(points(&other), ["output"]);
}
