//! `logs --follow` while what it reads from dies: the docker client of the run, and the questions about the engine's copy.

use std::process::{Child, Stdio};

use serde_json::json;

use crate::support::fake::{Fake, is_running};
use crate::support::{Ran, wait_until};

fn follow(fake: &Fake, id: &str) -> Child {
    let mut command = fake.command(&["exec", "logs", "--follow", id]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

const KILLED: &str = "note: the docker client was killed; following the engine's copy of the log\n";

#[test]
fn follow_goes_on_with_the_run_when_the_client_and_some_questions_are_killed() {
    let fake = Fake::new();
    let id = fake.start_gated("seq 100; exit 3");
    let follower = follow(&fake, &id);
    fake.scenario(json!({"rules": [{"call": "logs", "exit": 137, "times": 2}]}));
    fake.kill(fake.client(&id));
    wait_until("the engine's copy was asked for again", || {
        fake.calls().iter().filter(|call| call.starts_with("logs ")).count() > 2
    });
    assert!(is_running(follower.id()), "the run goes on");
    fake.open_gate();
    let ran = Ran::from(follower.wait_with_output().unwrap()).code(0);
    assert_eq!((ran.stdout.as_bytes(), ran.stderr.as_str()), (&fake.true_log(&id)[..], KILLED));
    assert_eq!(fake.end_of(&id)["exitCode"], 3);
}

#[test]
fn follow_fails_when_the_engines_copy_cannot_be_read_while_the_run_goes_on() {
    let mut fake = Fake::new();
    let id = fake.start_gated("exit 3");
    fake.scenario(json!({"rules": [{"call": "logs", "exit": 137}]}));
    fake.kill(fake.client(&id));
    fake.set("LONGSHORE_DOCKER_TIMEOUT", "3s");
    let ran = Ran::from(follow(&fake, &id).wait_with_output().unwrap()).code(1);
    let error = format!("error: could not follow the log of {id}: docker logs exited with status 137\n");
    assert_eq!((ran.stdout.as_str(), ran.stderr), ("on\n", format!("{KILLED}{error}")));
    fake.scenario(json!({}));
    fake.open_gate();
    assert_eq!(fake.end_of(&id)["log"], "complete");
}

#[test]
fn follow_says_at_the_end_that_the_log_is_not_whole() {
    let fake = Fake::new();
    let id = fake.start_gated("echo lost; exit 3");
    let follower = follow(&fake, &id);
    let container = std::fs::read_link(fake.engine(&format!("names/longshore-{id}"))).unwrap();
    fake.kill(fake.client(&id));
    wait_until("it follows the engine's copy", || fake.calls().iter().any(|call| call.starts_with("logs ")));
    fake.docker(&["rm", "--force", container.to_str().unwrap()]);
    fake.open_gate();
    let ran = Ran::from(follower.wait_with_output().unwrap()).code(0);
    assert_eq!(ran.stdout, "on\n");
    assert!(ran.stderr.contains("note: log: incomplete"), "{}", ran.stderr);
    assert_eq!(fake.end_of(&id)["outcome"], "lost");
}
