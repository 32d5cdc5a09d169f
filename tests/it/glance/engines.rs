//! Jobs of several engines: where each is, and that every command asks the engine on which the job was started.

use serde_json::json;

use super::at_terminals;
use crate::support::fake::Fake;
use crate::support::schema;
use crate::support::snapshots::{snapshot, together};

/// A run on the context `far`, whose client and supervisor are killed, so that the engine has to be asked about it. The
/// environment names another engine from now on.
fn far_and_unattended(fake: &mut Fake, after: &str) -> String {
    fake.scenario(json!({"contexts": ["far"]}));
    fake.unset("DOCKER_HOST");
    fake.set("DOCKER_CONTEXT", "far");
    let id = fake.start_unattended(after);
    fake.unset("DOCKER_CONTEXT");
    fake.set("DOCKER_HOST", "tcp://elsewhere:1");
    std::fs::remove_file(fake.engine("endpoints.log")).unwrap();
    id
}

/// The engines that were named by all calls since then, each once.
fn asked(fake: &Fake) -> Vec<String> {
    let calls = std::fs::read_to_string(fake.engine("endpoints.log")).unwrap_or_default();
    let named = |line: &str| serde_json::from_str::<Vec<String>>(line).unwrap()[..2].join(" ");
    let mut engines: Vec<String> = calls.lines().map(named).collect();
    engines.sort();
    engines.dedup();
    engines
}

#[test]
fn lists_say_where_jobs_are_if_one_is_elsewhere() {
    let mut fake = Fake::new();
    fake.scenario(json!({"contexts": ["far"]}));
    fake.ended_run_with("exit 0", &["--name", "near"]);
    let build = fake.build("web");
    fake.end_of_build(&build);
    let lists: [&[&str]; 3] = [&["exec", "list"], &["image", "builds"], &["ps"]];
    let before = lists.map(|list| fake.run(list).code(0));
    assert!(before.iter().all(|ran| !ran.stdout.contains("CONTEXT")), "{}", together(before));
    fake.ended_run_with(
        "kill -KILL $$",
        &["--name", "far", "--context", "far", "--", "--epochs", "3", "--rate", "0.01"],
    );
    let shown = [at_terminals(&mut fake, &["exec", "list"]), at_terminals(&mut fake, &["ps"])];
    let builds = fake.run(&["image", "builds"]).code(0);
    assert!(!builds.stdout.contains("CONTEXT"), "all builds are here: {builds}");
    let there = fake.run(&["image", "builds", "--context", "far"]).code(0);
    let one = [fake.run(&["exec", "status", "far"]).code(0), fake.run(&["exec", "status", "near"]).code(0)];
    snapshot!(fake, together(shown), there, together(one));
    let document = schema::validated("jobs", fake.run(&["ps", "--json"]).code(0).json());
    let engines: Vec<&str> = document.as_array().unwrap().iter().map(|job| job["engine"].as_str().unwrap()).collect();
    assert_eq!(engines, ["far", "default", "default"]);
}

#[test]
fn a_queue_says_where_its_jobs_run_if_one_is_elsewhere() {
    let mut fake = Fake::new();
    fake.scenario(json!({"contexts": ["far"]}));
    fake.run(&["queue", "set", "empty"]).code(0);
    let near = fake.run(&["queue", "list"]).code(0);
    assert!(!near.stdout.contains("CONTEXT"), "{near}");
    let args = fake.run_args(&fake.gated("echo on", "exit 0"), &["--queue", "gpu", "--context", "far"]);
    let id = fake.run(&args).code(0).id();
    fake.wait_for_output(&id, "on");
    let shown = fake.run(&["queue", "list"]).code(0);
    fake.set("DOCKER_CONTEXT", "far");
    let there = fake.run(&["queue", "list"]).code(0);
    assert!(!there.stdout.contains("CONTEXT"), "{there}");
    fake.open_gate();
    fake.end_of(&id);
    snapshot!(fake, shown);
}

#[test]
fn every_command_asks_the_engine_on_which_the_run_was_started() {
    let mut fake = Fake::new();
    let commands: [(&[&str], i32); 9] = [
        (&["exec", "wait"], 7),
        (&["exec", "logs", "-f"], 0),
        (&["exec", "inspect"], 0),
        (&["exec", "status"], 0),
        (&["exec", "stop"], 0),
        (&["exec", "kill"], 0),
        (&["exec", "top"], 0),
        (&["exec", "forget"], 0),
        (&["stop"], 0),
    ];
    for (command, code) in commands {
        let id = far_and_unattended(&mut fake, "exit 7");
        if ["wait", "-f"].contains(command.last().unwrap()) {
            fake.open_gate();
            fake.wait_for_container_end(&id);
        }
        let ran = fake.run(&[command, &[&id, "--context", "other"]].concat());
        assert!(ran.code == code || command[1] == "top", "{ran}");
        fake.open_gate();
        fake.run(&["exec", "wait", &id]);
        fake.wait_until_quiet();
        assert_eq!(asked(&fake), ["--context far"], "{command:?}");
        std::fs::remove_file(fake.engine("gate")).unwrap();
        fake.sweep();
    }
}

#[test]
fn prune_and_lists_ask_the_engine_on_which_each_run_was_started() {
    let mut fake = Fake::new();
    for command in [
        &["exec", "list", "--host", "tcp://other:1"][..],
        &["ps"],
        &["prune", "--older-than", "0s", "--host", "tcp://other:1"],
        &["exec", "forget", "--all", "--context", "other"],
        &["doctor", "--fix"],
    ] {
        let id = far_and_unattended(&mut fake, "exit 7");
        fake.open_gate();
        fake.wait_for_container_end(&id);
        fake.run(command);
        fake.wait_until_quiet();
        let others: Vec<String> = asked(&fake).into_iter().filter(|engine| engine != "--context far").collect();
        // Of its own engine, `doctor` asks how it is.
        let expected: &[&str] = if command[0] == "doctor" { &["--host tcp://elsewhere:1"] } else { &[] };
        assert_eq!(others, expected, "{command:?}");
        assert!(asked(&fake).contains(&"--context far".to_owned()), "{command:?}");
        std::fs::remove_file(fake.engine("gate")).unwrap();
        fake.sweep();
    }
}
