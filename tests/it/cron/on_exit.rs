//! `--on-exit`: a command that is run once when a job has ended, and changes nothing.

use std::collections::BTreeMap;
use std::process::Child;

use serde_json::{Value, json};

use crate::cron::{beside, end, runs};
use crate::support::fake::Fake;
use crate::support::snapshots::{snapshot, together};
use crate::support::wait_until;

/// A command that adds a line with these words to a file in the working directory.
const COUNT: &str = "echo \"$LONGSHORE_OUTCOME $LONGSHORE_EXIT_CODE\" >>told";

fn told(fake: &Fake) -> String {
    std::fs::read_to_string(fake.path("told")).unwrap_or_default()
}

/// What a run says of its command, once that has ended.
fn after(fake: &Fake, id: &str) -> Value {
    let view = || fake.run(&["exec", "inspect", id]).code(0).json()["Longshore"]["onExit"].take();
    wait_until("the command has ended", || !view()["finished"].is_null());
    view()
}

/// Starts a run with this command, and waits until both have ended.
fn ended(fake: &Fake, script: &str, command: &str) -> (String, Value) {
    let id = fake.start_with(script, &["--on-exit", command]);
    fake.end_of(&id);
    let after = after(fake, &id);
    (id, after)
}

#[test]
fn it_is_told_of_the_job_and_has_the_callers_directory_and_no_secret() {
    let mut fake = Fake::new();
    for (key, value) in [("TOKEN", "hunter2"), ("SET", "sesame"), ("LC_ALL", "C"), ("TZ", "secret/zone")] {
        fake.set(key, value);
    }
    let command =
        "env >\"$PWD/told\"; pwd; readlink /proc/self/fd/0; ls /proc/self/fd | wc -l; umask; exec 2>&1; echo err >&2";
    let more = ["--on-exit", command, "--name", "nightly", "-e", "SET", "-e", "GIVEN=sesame", "-e", "TZ"];
    let id = fake.run(&fake.run_args("echo out; exit 3", &more)).code(0).id();
    fake.end_of(&id);
    let after = after(&fake, &id);
    assert_eq!((&after["exitCode"], &after["command"]), (&json!(0), &json!(command)));
    let text = told(&fake);
    let told: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    let log = fake.job("run", &id).join("log");
    for (key, value) in [
        ("LONGSHORE_ID", id.as_str()),
        ("LONGSHORE_NAME", "nightly"),
        ("LONGSHORE_KIND", "run"),
        ("LONGSHORE_OUTCOME", "failed"),
        ("LONGSHORE_EXIT_CODE", "3"),
        ("LONGSHORE_LOG", log.to_str().unwrap()),
        ("HOME", fake.path("home").to_str().unwrap()),
        ("LC_ALL", "C"),
    ] {
        assert_eq!(told.get(key), Some(&value), "{key}");
    }
    assert!(!["hunter2", "sesame", "secret/zone"].iter().any(|secret| text.contains(secret)), "{text}");
    assert!(told.contains_key("PATH") && !told.keys().any(|key| key.starts_with("LONGSHORE_TEST")), "{text}");
    let output = std::fs::read_to_string(after["output"].as_str().unwrap()).unwrap();
    let lines: Vec<&str> = output.lines().collect();
    let here = fake.dir.path().canonicalize().unwrap();
    // The fourth descriptor is that of `ls` itself.
    assert_eq!(lines, [here.to_str().unwrap(), "/dev/null", "4", "0022", "err"]);
    let record = std::fs::read_to_string(fake.job("run", &id).join("job.json")).unwrap();
    assert!(!["hunter2", "sesame", "secret/zone"].iter().any(|secret| record.contains(secret)), "{record}");
}

#[test]
fn it_is_run_once_whatever_the_outcome() {
    let fake = Fake::new();
    for (script, expected) in [("exit 0", "succeeded 0\n"), ("exit 3", "failed 3\n"), ("kill -9 $$", "failed 137\n")] {
        ended(&fake, script, COUNT);
        assert_eq!(told(&fake), expected);
        std::fs::remove_file(fake.path("told")).unwrap();
    }
    let id = fake.start_gated_with("exit 0", &["--on-exit", COUNT]);
    assert_eq!(fake.run(&["exec", "inspect", &id]).json()["Longshore"]["onExit"]["started"], Value::Null);
    fake.run(&["exec", "stop", "-t", "0", &id]).code(0);
    after(&fake, &id);
    assert_eq!(told(&fake), "cancelled 143\n");
    std::fs::remove_file(fake.path("told")).unwrap();
    fake.scenario(json!({"startError": [127, "no such program"]}));
    ended(&fake, "exit 0", COUNT);
    assert_eq!(told(&fake), "failed 127\n");
}

#[test]
fn a_build_has_one_too() {
    let fake = Fake::new();
    let command = "echo \"$LONGSHORE_KIND $LONGSHORE_NAME $LONGSHORE_OUTCOME\" >told; echo said; exit 4";
    fake.run(&["image", "create", "web", "--base", "base", "--wait", "--on-exit", command]).code(0);
    wait_until("it was run", || told(&fake) == "build web succeeded\n");
    let view = || fake.run(&["image", "status", "web", "--json"]).code(0).json();
    wait_until("it has ended", || view()["onExit"]["exitCode"] == 4);
    assert_eq!(view()["outcome"], "succeeded");
    let shown = fake.run(&["image", "status", "web"]).code(0);
    snapshot!(fake, shown);
}

#[test]
fn its_failure_is_noted_and_changes_nothing() {
    let fake = Fake::new();
    let (id, failed) = ended(&fake, "exit 0", "echo why >&2; exit 9");
    assert_eq!((&failed["exitCode"], &failed["signal"], &failed["reason"]), (&json!(9), &json!(null), &json!(null)));
    assert_eq!(std::fs::read_to_string(failed["output"].as_str().unwrap()).unwrap(), "why\n");
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["exitCode"], &view["reason"]), (&"succeeded".into(), &json!(0), &json!(null)));
    assert_eq!(fake.run(&fake.run_args("exit 0", &["--on-exit", "exit 9", "--wait"])).code(0).stderr, "");
    let (_, killed) = ended(&fake, "exit 0", "kill -KILL $$");
    assert_eq!((&killed["exitCode"], &killed["signal"]), (&json!(null), &json!(9)));
    // The working directory is gone by then.
    fake.write("gone/src/p.py", "rmdir \"$FAKE_DOCKER_DIR/../there\"; exit 0");
    std::fs::create_dir(fake.path("there")).unwrap();
    let mut command = fake.command(&["exec", "run", "--image", "base", "--src", "../gone/src", "--main", "p.py"]);
    let output = command.args(["--on-exit", "true"]).current_dir(fake.path("there")).output().unwrap();
    let id = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    assert_eq!(fake.end_of(&id)["outcome"], "succeeded");
    let view = || fake.run(&["exec", "inspect", &id]).code(0).json()["Longshore"]["onExit"].take();
    wait_until("it is noted", || view()["reason"] == "it could not be started: no such file or directory");
}

#[test]
fn it_is_ended_after_its_time_limit() {
    let mut fake = Fake::new();
    fake.set("LONGSHORE_TEST_HOOK_LIMIT", "0.2s");
    let (_, after) = ended(&fake, "exit 0", "trap 'echo term; exit 5' TERM; sleep 600 & wait");
    assert_eq!(
        (&after["exitCode"], &after["reason"]),
        (&json!(5), &json!("it was ended after its time limit of 200ms"))
    );
    assert_eq!(std::fs::read_to_string(after["output"].as_str().unwrap()).unwrap(), "term\n");
}

#[test]
fn it_may_use_longshore_and_holds_nothing_of_the_job() {
    let fake = Fake::new();
    let longshore = env!("CARGO_BIN_EXE_longshore");
    let state = fake.path("state");
    // The name is free, the end is known, the log is whole, and the job can be forgotten.
    let command = format!(
        "set -e; export FAKE_DOCKER_DIR='{}' XDG_STATE_HOME='{}'
         {longshore} exec wait \"$LONGSHORE_ID\" && exit 1
         [ \"$({longshore} exec logs \"$LONGSHORE_ID\")\" = out ]
         {longshore} exec run --image base --src src --main p0.py --name nightly >next
         {longshore} exec forget \"$LONGSHORE_ID\"
         touch done",
        fake.path("engine").display(),
        state.display()
    );
    let id = fake.start_with("echo out; exit 3", &["--name", "nightly", "--on-exit", &command]);
    wait_until("the command has ended", || fake.path("done").exists());
    let next = std::fs::read_to_string(fake.path("next")).unwrap();
    assert_eq!(fake.end_of(next.trim())["exitCode"], 3);
    assert!(!fake.job("run", &id).exists());
}

#[test]
fn a_run_that_is_forgotten_while_it_runs_keeps_its_command() {
    let fake = Fake::new();
    let id = fake.start_gated_with("exit 3", &["--on-exit", COUNT]);
    fake.run(&["exec", "forget", &id]).code(0);
    fake.open_gate();
    wait_until("it was run", || told(&fake) == "failed 3\n");
    wait_until("nothing is left of the run", || !fake.job("run", &id).exists());
}

#[test]
fn of_many_commands_that_finish_a_killed_job_one_runs_it_and_none_waits_for_it() {
    let fake = Fake::new();
    let gate = fake.path("go");
    let command = format!("{COUNT}; while ! [ -e '{}' ]; do sleep 0.02; done", gate.display());
    let id = fake.start_gated_with("exit 4", &["--on-exit", &command]);
    fake.kill_supervisor_and_client(&id);
    fake.open_gate();
    fake.wait_for_container_end(&id);
    let all: Vec<Child> = (0..6).map(|_| beside(&fake, &["exec", "wait", &id])).collect();
    for child in all {
        end(child).code(4);
    }
    wait_until("it runs", || told(&fake) == "failed 4\n");
    assert!(
        fake.processes().iter().any(|process| process.command.contains("--conclude")),
        "it has no process of its own"
    );
    std::fs::write(&gate, "").unwrap();
    assert_eq!(after(&fake, &id)["exitCode"], 0);
    assert_eq!(told(&fake), "failed 4\n");
}

#[test]
fn a_supervisor_killed_at_any_step_leaves_it_to_the_next_command_or_has_started_it() {
    for (point, expected) in [
        ("concluding", "failed 3\n"),
        ("filled", "failed 3\n"),
        ("recorded", "failed 3\n"),
        // It may have been started or not: it is never run twice.
        ("hook-taken", ""),
        ("hook-started", "failed 3\n"),
        ("removed", "failed 3\n"),
    ] {
        let mut fake = Fake::new();
        let fired = fake.path("fired");
        fake.set("LONGSHORE_TEST_FIRED", &fired);
        fake.set("LONGSHORE_TEST_ABORT", point);
        let id = fake.run(&fake.run_args("exit 3", &["--on-exit", COUNT])).code(0).id();
        fake.wait_until_quiet();
        fake.set("LONGSHORE_TEST_ABORT", "");
        assert!(fired.exists(), "no process came to {point}");
        for _ in 0..2 {
            assert_eq!(fake.end_of(&id)["exitCode"], 3, "{point}");
            fake.sweep();
        }
        wait_until(&format!("after {point} it was run as expected"), || told(&fake) == expected);
    }
}

#[test]
fn what_cannot_be_a_command_is_refused() {
    let fake = Fake::new();
    let refused = ["", " \n"].map(|command| fake.run(&fake.run_args("exit 0", &["--on-exit", command])).code(2));
    snapshot!(fake, together(refused));
    assert!(!fake.jobs("run").exists());
    // What a rerun does is what the run does, without what followed it.
    let (id, _) = ended(&fake, "exit 3", COUNT);
    let again = fake.run(&["exec", "rerun", &id]).code(0).id();
    assert_eq!(fake.end_of(&again).get("onExit"), None);
    assert_eq!(runs(&fake).len(), 2);
}
