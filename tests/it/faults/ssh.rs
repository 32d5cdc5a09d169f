//! Engines that are reached by ssh: few calls at a time, also of many processes, and nothing of that for other engines.

use std::process::{Child, Stdio};

use serde_json::json;

use crate::support::Ran;
use crate::support::fake::{Fake, names};
use crate::support::wait_until;

const FAR: [&str; 2] = ["--host", "ssh://far"];

/// The scenario of an engine whose lists of images are counted. The first ones take until so many of them are made at a time.
fn counting(fake: &Fake, at_a_time: usize) {
    let dir = fake.engine("counted");
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(dir.join("now")).unwrap();
    let script = format!(
        "cd {}; touch now/$$; ls now | wc -l >>most
         until [ -e reached ] || [ $(ls now | wc -l) -ge {at_a_time} ]; do sleep 0.05; done
         touch reached; sleep 0.2; ls now | wc -l >>most; rm now/$$",
        dir.display(),
    );
    let urls = json!({"far": "ssh://far", "near": "unix:///run/near.sock"});
    fake.scenario(json!({"urls": urls, "rules": [{"call": "image ls", "first": script}]}));
}

/// How many lists of images were made at a time.
fn most(fake: &Fake) -> usize {
    let counts = std::fs::read_to_string(fake.engine("counted/most")).unwrap();
    counts.lines().map(|line| line.trim().parse().unwrap()).max().unwrap()
}

fn spawn(fake: &Fake, args: &[&str]) -> Child {
    let mut command = fake.command(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Lists images in twelve processes at once.
fn twelve(fake: &Fake, engine: [&str; 2]) {
    let list = || spawn(fake, &[&["image", "list", "-q"][..], &engine].concat());
    let lists: Vec<Child> = (0..12).map(|_| list()).collect();
    for list in lists {
        Ran::from(list.wait_with_output().unwrap()).code(0);
    }
}

#[test]
fn twelve_processes_make_four_calls_at_a_time_by_ssh() {
    let fake = Fake::new();
    counting(&fake, 4);
    twelve(&fake, FAR);
    assert_eq!(most(&fake), 4);
    assert_eq!(names(&fake.path("state/longshore/.calls")).len(), 4);
    // A context whose URL is the same shares the slots.
    counting(&fake, 4);
    twelve(&fake, ["--context", "far"]);
    assert_eq!(most(&fake), 4);
    assert_eq!(names(&fake.path("state/longshore/.calls")).len(), 4);
}

#[test]
fn a_process_asks_once_for_the_url_of_a_context() {
    let fake = Fake::new();
    counting(&fake, 1);
    fake.forget_calls();
    fake.run(&["image", "list", "--context", "far"]).code(0);
    let asked = |fake: &Fake| fake.calls().iter().filter(|call| call.starts_with("context inspect")).count();
    assert_eq!(asked(&fake), 1, "{:?}", fake.calls());
    fake.forget_calls();
    for engine in [&["--context", "default"][..], &FAR, &["--host", "tcp://near:1"], &[]] {
        fake.run(&[&["image", "list"], engine].concat()).code(0);
    }
    assert_eq!(asked(&fake), 0, "{:?}", fake.calls());
}

#[test]
fn other_engines_have_no_slots_and_no_files() {
    let fake = Fake::new();
    for engine in [["--host", "unix:///run/docker.sock"], ["--host", "tcp://near:1"], ["--context", "near"]] {
        // They would wait for each other in vain if there were slots.
        counting(&fake, 5);
        twelve(&fake, engine);
    }
    fake.ended_run("exit 0");
    assert!(!fake.path("state/longshore/.calls").exists());
}

#[test]
fn a_killed_process_frees_its_slot_and_nobody_waits_longer_than_for_a_call() {
    let mut fake = Fake::new();
    fake.scenario(json!({"rules": [{"call": "image ls", "hang": true, "times": 4}]}));
    let list = [&["image", "list", "-q"][..], &FAR].concat();
    let mut hanging: Vec<Child> = (0..4).map(|_| spawn(&fake, &list)).collect();
    wait_until("all slots are held", || fake.calls().iter().filter(|call| call.starts_with("image ls")).count() == 4);
    // A call that gets no slot is made all the same.
    fake.set("LONGSHORE_DOCKER_TIMEOUT", "1s");
    let begun = std::time::Instant::now();
    fake.run(&list).code(0);
    assert!(begun.elapsed().as_secs_f64() > 0.9, "it did not wait");
    let waiting = {
        fake.set("LONGSHORE_DOCKER_TIMEOUT", "5m");
        spawn(&fake, &list)
    };
    let mut killed = hanging.remove(0);
    killed.kill().unwrap();
    killed.wait().unwrap();
    Ran::from(waiting.wait_with_output().unwrap()).code(0);
    for mut child in hanging {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    for process in fake.processes() {
        fake.kill(process.pid);
    }
}

#[test]
fn clients_that_go_on_have_a_slot_for_a_moment_only() {
    let mut fake = Fake::new();
    fake.set("LONGSHORE_DOCKER_TIMEOUT", "5m");
    let ids: Vec<String> = (0..5)
        .map(|_| {
            let args = fake.run_args(&fake.gated("echo on", "exit 3"), &FAR);
            fake.run(&args).code(0).id()
        })
        .collect();
    for id in &ids {
        fake.wait_for_output(id, "on");
    }
    fake.run(&[&["image", "list"][..], &FAR].concat()).code(0);
    fake.open_gate();
    for id in &ids {
        assert_eq!(fake.end_of(id)["exitCode"], 3);
    }
}
