//! An engine that takes calls and answers none. docker waits for it without a limit; longshore ends, or says that it waits.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;

use crate::support::fake::Fake;

/// Far longer than the time limit of a call, so that a busy machine does not fail the test.
const LIMIT: Duration = Duration::from_secs(90);

/// How a command behaves: its exit code, or the first line that says that it waits. It is ended after that.
fn behaviour(fake: &Fake, number: usize, args: &[&str]) -> Result<String, String> {
    let file = fake.path(&format!("said-{number}"));
    let mut command = fake.command(args);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&file).unwrap()).process_group(0);
    let mut running = command.spawn().unwrap();
    let begun = Instant::now();
    while begun.elapsed() < LIMIT {
        if let Some(status) = running.try_wait().unwrap() {
            return Ok(format!("{status}"));
        }
        let said = std::fs::read_to_string(&file).unwrap();
        if let Some(line) = said.lines().find(|line| line.contains("still waiting")) {
            end(&mut running);
            return Ok(line.to_owned());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    end(&mut running);
    Err(format!("longshore {} is silent", args.join(" ")))
}

/// Ends a command and its calls of docker, as a terminal does.
fn end(running: &mut Child) {
    let _ = kill_process_group(Pid::from_child(running), Signal::KILL);
    running.wait().unwrap();
}

/// Runs all of them at once.
fn behaviours(fake: &Fake, commands: &[&[&str]]) -> Vec<Result<String, String>> {
    std::thread::scope(|scope| {
        let spawn = |(number, args)| scope.spawn(move || behaviour(fake, number, args));
        let running: Vec<_> = commands.iter().copied().enumerate().map(spawn).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

#[track_caller]
fn assert_none_is_silent(answers: &[Result<String, String>]) {
    let silent: Vec<&String> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert!(silent.is_empty(), "{silent:#?}");
}

#[test]
fn every_command_ends_or_says_that_it_waits_when_no_call_is_answered() {
    let mut fake = Fake::new();
    fake.set("LONGSHORE_DOCKER_TIMEOUT", "10s");
    fake.build_gated("web");
    fake.scenario(json!({}));
    let ended = fake.ended_run("exit 3");
    let (watched, alone) = (fake.start_gated("exit 0"), fake.start_unattended("exit 0"));
    fake.write("src/more.py", "exit 0");
    fake.scenario(json!({"rules": [{"call": "", "hang": true}]}));
    // The supervisor of another run may have given it a new one before docker hung. Nothing can do that any more.
    for process in fake.processes().iter().filter(|process| process.command.contains(&format!("run {alone} --adopt"))) {
        fake.kill(process.pid);
    }
    fake.set("LONGSHORE_DOCKER_TIMEOUT", "1s");
    let (watched, alone, ended) = (watched.as_str(), alone.as_str(), ended.as_str());
    let tar = fake.path("tar").to_str().unwrap().to_owned();
    assert_none_is_silent(&behaviours(
        &fake,
        &[
            &["image", "create", "more", "--base", "base"],
            &["image", "create", "more", "--base", "base", "--wait"],
            &["image", "create", "more", "--base", "base", "--if-changed"],
            &["image", "create", "more", "--base", "base", "--if-missing"],
            &["image", "rm", "base"],
            &["image", "copy", "base", "--to", "far"],
            &["image", "status", "web"],
            &["image", "logs", "web"],
            &["image", "wait", "--timeout", "1s", "web"],
            &["image", "builds"],
            &["image", "list"],
            &["image", "list", "--json"],
            &["exec", "run", "--image", "base", "--src", "src", "--main", "more.py"],
            &["exec", "run", "--image", "base", "--src", "src", "--main", "more.py", "--wait"],
            &["exec", "run", "--image", "base", "--src", "src", "--main", "more.py", "--swarm"],
            &["exec", "run", "--image", "base", "--src", "src", "--main", "more.py", "--each", "n=1,2"],
            &["exec", "rerun", ended],
            &["exec", "list"],
            &["exec", "list", "--json"],
            &["exec", "status", watched],
            &["exec", "status", alone],
            &["exec", "stats", "--no-stream", watched],
            &["exec", "top", watched],
            &["exec", "inspect", watched],
            &["exec", "inspect", alone],
            &["exec", "inspect", ended],
            &["exec", "logs", watched],
            &["exec", "logs", alone],
            &["exec", "logs", "-f", alone],
            &["exec", "logs", "-f", ended],
            &["exec", "logs", ended, alone],
            &["exec", "logs", "-t", "--since", "1h", ended],
            &["ps"],
            &["logs", alone],
            &["wait", "--timeout", "1s", watched],
            &["stop", alone],
            &["exec", "forget", "--all", "--dry-run"],
            &["prune", "--older-than", "0s", "--dry-run"],
            &["prune", "--images"],
            &["prune", "--copies"],
            &["doctor"],
            &["exec", "run", "--image", "base", "--src", "src", "--main", "more.py", "--queue", "q"],
            &["exec", "run", "--image", "base", "--src", "src", "--main", "more.py", "--after", watched],
            &["queue", "set", "q", "--slots", "2"],
            &["queue", "list"],
            &["queue", "resume"],
            &["exec", "wait", "--timeout", "1s", watched],
            &["exec", "wait", alone],
            &["exec", "wait", ended],
            &["exec", "kill", "-s", "USR1", watched],
            &["exec", "kill", "-s", "USR1", alone],
            &["exec", "stop", watched],
            &["exec", "stop", alone],
            &["exec", "kill", watched],
            &["exec", "forget", ended],
            &["container", "list"],
            &["container", "list", "--json", "-a"],
            &["container", "create", "--image", "base"],
            &["container", "start", "c"],
            &["container", "restart", "c"],
            &["container", "stop", "c"],
            &["container", "kill", "c"],
            &["container", "rm", "c"],
            &["container", "inspect", "c"],
            &["container", "logs", "c"],
            &["container", "logs", alone],
            &["container", "logs", "-f", "c"],
            &["container", "changes", "c"],
            &["container", "export", "-o", &tar, "c"],
            &["container", "stats"],
            &["container", "stats", "--no-stream", "c"],
        ],
    ));
    assert_none_is_silent(&behaviours(&fake, &[&["queue", "pause", "q"], &["queue", "rm", "nosuch"]]));
    // What changes a job that others look at.
    assert_none_is_silent(&behaviours(
        &fake,
        &[&["image", "cancel", "web"], &["exec", "forget", watched], &["exec", "forget", alone]],
    ));
    assert_none_is_silent(&behaviours(&fake, &[&["image", "forget", "web"]]));
    fake.leaves_unsound("its jobs were ended in the middle");
}

#[test]
fn a_call_without_a_limit_that_is_not_answered_is_waited_for_with_a_note() {
    let mut fake = Fake::new();
    let id = fake.start_gated("exit 0");
    let name = format!("longshore-{id}");
    fake.write("engine/engines/far/scenario.json", r#"{"images": []}"#);
    // The questions before the call are answered in this time also on a busy machine.
    fake.set("LONGSHORE_DOCKER_TIMEOUT", "8s");
    let (tar, name) = (fake.path("tar").to_str().unwrap().to_owned(), name.as_str());
    let calls = ["create", "start", "restart", "stop", "kill", "rm", "logs", "export", "stats", "ps", "save"];
    let rules: Vec<_> = calls.map(|call| json!({"call": call, "hang": true})).into();
    fake.scenario(json!({"rules": rules}));
    let commands: [&[&str]; 13] = [
        &["container", "create", "--image", "base"],
        &["container", "create", "--image", "base", "--json", "--env", "PATH=/bin"],
        &["container", "start", name],
        &["container", "restart", "-t", "-1", name],
        &["container", "stop", "-t", "100", name],
        &["container", "kill", name],
        &["container", "rm", "-f", name],
        &["container", "logs", name],
        &["container", "logs", "-f", name],
        &["container", "logs", "-f", "--json", name],
        &["container", "export", "-o", &tar, name],
        &["container", "stats", name],
        &["image", "copy", "base", "--to", "far"],
    ];
    let note = "still waiting (Ctrl-C to stop)";
    for (answer, command) in behaviours(&fake, &commands).into_iter().zip(commands) {
        let said = answer.unwrap_or_else(|silent| panic!("{silent}"));
        assert!(said.starts_with("note: docker has not answered for ") && said.ends_with(note), "{command:?}: {said}");
    }
    fake.scenario(json!({}));
    fake.open_gate();
    fake.end_of(&id);
}

#[test]
fn a_container_that_says_nothing_is_followed_without_a_note() {
    let mut fake = Fake::new();
    let id = fake.start_gated("exit 0");
    fake.set("LONGSHORE_DOCKER_TIMEOUT", "6s");
    fake.scenario(json!({"rules": [{"call": "logs", "delay": 14, "exit": 0, "stdout": "late"}]}));
    let ran = fake.run(&["container", "logs", "-f", &format!("longshore-{id}")]).code(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.trim_end()), ("late", ""));
    assert!(fake.calls().iter().any(|call| call == "ps --quiet --filter id=none"), "the engine was asked");
    fake.scenario(json!({}));
    fake.open_gate();
    fake.end_of(&id);
}

#[test]
fn who_waits_for_a_run_whose_supervisor_waits_for_the_engine_is_told_so() {
    let fake = Fake::new();
    let id = fake.start(r#"echo all; touch "$FAKE_DOCKER_DIR/down"; exit 3"#);
    crate::support::wait_until("the run waits for the engine", || fake.job("run", &id).join("waiting").exists());
    for args in [&["exec", "wait", &id][..], &["exec", "logs", "-f", &id], &["exec", "wait", "--any", &id]] {
        let said = behaviour(&fake, 0, args).unwrap();
        let note = format!("note: the engine of run {id} does not answer; still waiting (Ctrl-C to stop)");
        assert_eq!(said, note, "{args:?}");
    }
    fake.bring_engine_up();
    assert_eq!(fake.end_of(&id)["exitCode"], 3);
}
