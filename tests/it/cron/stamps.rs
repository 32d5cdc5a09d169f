//! `--stamp`: the file is there if and only if the job has succeeded.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::json;

use crate::cron::{beside, end, runs};
use crate::support::fake::{Fake, assert_failure_document, names};
use crate::support::snapshots::snapshot;
use crate::support::wait_until;

fn content(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// A directory with an old stamp, whose path this is.
fn old_stamp(fake: &Fake) -> std::path::PathBuf {
    fake.write("out/done", "old\n")
}

#[test]
fn a_stamp_goes_at_the_start_and_is_whole_when_a_wait_returns() {
    let fake = Fake::new();
    let stamp = old_stamp(&fake);
    let id = fake.start_gated_with("exit 0", &["--stamp", "out/done"]);
    assert_eq!(content(&stamp), None, "the old stamp stands for the run that runs");
    let waiting = beside(&fake, &["exec", "wait", &id]);
    fake.open_gate();
    end(waiting).code(0);
    assert_eq!(content(&stamp), Some(format!("{id}\n")));
    assert_eq!(names(&fake.path("out")), ["done"]);
    let view = fake.end_of(&id);
    assert_eq!(view["stamp"], json!({"file": stamp.canonicalize().unwrap(), "error": null}));
    assert_eq!(fake.run(&["exec", "inspect", &id, "--spec"]).json().get("stamp"), None, "it belongs to one start");
}

#[test]
fn its_mode_is_that_of_a_file_of_the_callers() {
    let fake = Fake::new();
    fake.write("out/other", "");
    for (umask, mode) in [("027", 0o640), ("002", 0o664)] {
        let args = fake.run_args("exit 0", &["--stamp", "out/done", "--wait"]);
        let script = format!("umask {umask}; exec \"$@\"");
        let output = fake.through(&["sh", "-c", &script, "sh"], &args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(fake.path("out/done").metadata().unwrap().permissions().mode() & 0o777, mode);
    }
}

#[test]
fn a_job_that_fails_is_stopped_or_cannot_be_started_has_no_stamp() {
    let fake = Fake::new();
    let stamp = old_stamp(&fake);
    fake.run(&fake.run_args("exit 3", &["--stamp", "out/done", "--wait"])).code(3);
    assert_eq!(content(&stamp), None);
    let id = fake.start_gated_with("exit 0", &["--stamp", "out/done"]);
    fake.run(&["exec", "stop", "-t", "0", &id]).code(0);
    assert_eq!(fake.end_of(&id)["outcome"], "cancelled");
    assert_eq!(content(&stamp), None);
    old_stamp(&fake);
    fake.scenario(json!({"startError": [127, "no such program"]}));
    fake.run(&fake.run_args("exit 0", &["--stamp", "out/done", "--wait"])).code(127);
    assert_eq!(names(&fake.path("out")), Vec::<String>::new());
}

#[test]
fn a_build_has_a_stamp_too() {
    let fake = Fake::new();
    let stamp = old_stamp(&fake);
    let create = |more: &[&str]| fake.run(&[&["image", "create", "web", "--base", "base", "--wait"], more].concat());
    create(&["--stamp", "out/done"]).code(0);
    let id = fake.run(&["image", "builds", "-q"]).code(0).id();
    assert_eq!(content(&stamp), Some(format!("{id}\n")));
    fake.scenario(json!({"build": {"script": "exit 7"}}));
    create(&["--stamp", "out/done"]).code(1);
    assert_eq!(content(&stamp), None);
}

#[test]
fn whoever_records_the_end_of_a_killed_job_makes_its_stamp() {
    let fake = Fake::new();
    let stamp = old_stamp(&fake);
    let id = fake.start_gated_with("exit 0", &["--stamp", "out/done"]);
    fake.kill_supervisor_and_client(&id);
    fake.open_gate();
    fake.wait_for_container_end(&id);
    fake.run(&["exec", "wait", &id]).code(0);
    assert_eq!(content(&stamp), Some(format!("{id}\n")));
}

#[test]
fn a_supervisor_killed_at_any_step_around_the_stamp_leaves_what_the_next_command_completes() {
    for point in ["concluding", "saved", "stamping", "stamped", "filled", "recorded"] {
        for (code, exists) in [(0, true), (3, false)] {
            let mut fake = Fake::new();
            fake.write("out/done", "old");
            let fired = fake.path("fired");
            fake.set("LONGSHORE_TEST_FIRED", &fired);
            fake.set("LONGSHORE_TEST_ABORT", point);
            let id = fake.run(&fake.run_args(&format!("exit {code}"), &["--stamp", "out/done"])).code(0).id();
            fake.wait_until_quiet();
            fake.set("LONGSHORE_TEST_ABORT", "");
            assert!(fired.exists() || point == "stamping" && code != 0, "no process came to {point}");
            assert_eq!(fake.end_of(&id)["exitCode"], code, "{point}");
            let expected: &[&str] = if exists { &["done"] } else { &[] };
            assert_eq!(names(&fake.path("out")), expected, "{point}, exit code {code}");
        }
    }
}

#[test]
fn a_stamp_that_cannot_be_made_fails_the_start_and_not_the_job() {
    let fake = Fake::new();
    let remove = "rm -r ../out; exit 0";
    fake.write("out/other", "");
    let ran = fake.run(&fake.run_args(remove, &["--stamp", "out/done", "--wait"])).code(125);
    let id = fake.run(&["exec", "list", "-q"]).code(0).id();
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["stamp"]["error"]), (&"succeeded".into(), &"no such file or directory".into()));
    fake.write("out/other", "");
    let document = fake.run(&fake.run_args(remove, &["--stamp", "out/done", "--wait", "--json"])).code(125).json();
    assert_eq!((&document["success"], &document["outcome"]), (&json!(false), &"succeeded".into()));
    snapshot!(fake, ran);
}

#[test]
fn a_stamp_that_cannot_be_used_or_a_start_that_is_refused_changes_nothing() {
    let fake = Fake::new();
    let stamp = old_stamp(&fake);
    fake.write("out/dir/x", "");
    symlink("done", fake.path("out/link")).unwrap();
    let refused = ["out/dir", "out/link", "no/such/dir", "out/done/x", "/", ""]
        .map(|typed| fake.run(&fake.run_args("exit 0", &["--stamp", typed])).code(2));
    snapshot!(fake, crate::support::snapshots::together(refused));
    let held = fake.start_gated_with("exit 0", &["--name", "held"]);
    let taken = fake.run(&fake.run_args("exit 0", &["--name", "held", "--stamp", "out/done", "--json"])).code(1);
    assert_failure_document(&taken, "conflict");
    fake.run(&fake.run_args("exit 0", &["--stamp", "out/done", "--dry-run"])).code(0);
    fake.take_engine_down();
    fake.run(&fake.run_args("exit 0", &["--stamp", "out/done"])).code(1);
    fake.bring_engine_up();
    assert_eq!(content(&stamp).as_deref(), Some("old\n"));
    assert_eq!(runs(&fake), [held.as_str()]);
    fake.open_gate();
    fake.end_of(&held);
    wait_until("the container is removed", || fake.containers().is_empty());
}
