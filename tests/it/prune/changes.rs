//! What happens between the plan and the doing, and several prunes at once. The images of a plan are listed after its jobs, so
//! what the fake docker does at that call happens between the two.

use std::process::Stdio;

use serde_json::{Value, json};

use super::{document, failure, lines_of_gone, listed, many_runs, old_run, removed, sorted};
use crate::support::fake::{Fake, names};
use crate::support::{Ran, wait_until};

/// Lets the engine run this line of the shell when the images are listed.
fn meanwhile(fake: &Fake, line: &str) {
    fake.scenario(json!({"rules": [{"call": "image ls", "first": line}]}));
}

/// A run whose supervisor and client were killed, and whose container has ended and is put aside: its end seems to be lost.
/// Gives its id and the line of the shell that brings the container back.
fn hidden_run(fake: &Fake, script: &str) -> (String, String) {
    let id = fake.start_unattended(script);
    fake.open_gate();
    fake.wait_for_container_end(&id);
    fake.wait_until_quiet();
    let ident = std::fs::read_link(fake.engine(&format!("names/longshore-{id}"))).unwrap();
    let (place, aside) = (fake.engine("containers").join(ident), fake.engine("aside"));
    std::fs::rename(&place, &aside).unwrap();
    (id, format!("mv '{}' '{}'", aside.display(), place.display()))
}

#[test]
fn a_run_that_turns_out_to_have_ended_otherwise_is_left_alone() {
    let fake = Fake::new();
    let (id, bring_back) = hidden_run(&fake, "exit 3");
    meanwhile(&fake, &bring_back);
    let done = document(&fake, &["prune", "--status", "lost", "--images"], 0);
    let row = &done["jobs"][0];
    assert_eq!((&row["id"], &row["outcome"]), (&json!(id), &json!("lost")), "{done:#}");
    assert_eq!((&row["removed"], &row["left"]), (&json!(false), &json!("it has another status now")), "{done:#}");
    assert_eq!(fake.end_of(&id)["exitCode"], 3, "its record is gone");
}

#[test]
fn a_run_that_runs_again_when_its_turn_comes_is_left_alone() {
    let fake = Fake::new();
    let ended = fake.ended_run("exit 0");
    let (id, bring_back) = hidden_run(&fake, "exit 3");
    std::fs::remove_file(fake.engine("gate")).unwrap();
    let (lock, held, gate) = (fake.job("run", &id).join("lock"), fake.path("held"), fake.engine("gate"));
    let [lock, held, gate] = [lock, held, gate].map(|path| path.display().to_string());
    // As another supervisor would.
    let hold = format!("touch {held}; while ! [ -e {gate} ]; do sleep 0.02; done");
    meanwhile(
        &fake,
        &format!("flock {lock} sh -c '{hold}' >/dev/null 2>&1 & while ! [ -e {held} ]; do sleep 0.02; done"),
    );
    let done = document(&fake, &["prune", "--older-than", "0s", "--images"], 0);
    assert_eq!(removed(&done), sorted([&ended]));
    let row = done["jobs"].as_array().unwrap().iter().find(|row| row["id"] == id.as_str()).unwrap();
    assert_eq!((&row["removed"], &row["left"]), (&json!(false), &json!("it is running")), "{done:#}");
    assert_eq!(listed(&fake), sorted([&id]), "it is gone, or hidden");
    fake.scenario(json!({}));
    assert!(fake.other("sh", &["-c", &bring_back]).status().unwrap().success());
    fake.open_gate();
    fake.wait_until_quiet();
    assert_eq!(fake.end_of(&id)["exitCode"], 3);
}

#[test]
fn a_job_that_came_after_the_plan_is_not_in_it() {
    let fake = Fake::new();
    let old = [old_run(&fake, "exit 0", &[]), old_run(&fake, "exit 0", &[])];
    let run = fake.run_args("exit 0", &["--name", "late", "--wait"]).join(" ");
    meanwhile(&fake, &format!("{} {run} >/dev/null", env!("CARGO_BIN_EXE_longshore")));
    let done = document(&fake, &["prune", "--keep-last", "1", "--images"], 0);
    assert_eq!(removed(&done), sorted([&old[0]]));
    fake.scenario(json!({}));
    assert_eq!(fake.end_of("late")["outcome"], "succeeded");
    assert_eq!(listed(&fake).len(), 2);
}

#[test]
fn a_job_that_another_process_removed_is_no_failure() {
    let fake = Fake::new();
    let ids = [fake.ended_run("exit 0"), fake.ended_run("exit 0")];
    meanwhile(&fake, &format!("{} exec forget {} >/dev/null", env!("CARGO_BIN_EXE_longshore"), ids[0]));
    let done = document(&fake, &["prune", "--older-than", "0s", "--images"], 0);
    assert_eq!(removed(&done), sorted([&ids[1]]));
    assert!(done["jobs"].as_array().unwrap().iter().any(|row| row["left"] == "another process removed it"), "{done:#}");
    let told = failure(&fake, &["exec", "wait", &ids[0]]);
    assert!(told[0].stderr.contains("was forgotten"), "{}", told[0].stderr);
}

#[test]
fn of_many_prunes_at_once_each_job_is_removed_by_one() {
    let fake = Fake::new();
    let ids = many_runs(&fake, 120);
    let start = || {
        let mut command = fake.command(&["prune", "--older-than", "0s", "--json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let running: Vec<_> = (0..4).map(|_| start()).collect();
    let done: Vec<Value> =
        running.into_iter().map(|child| Ran::from(child.wait_with_output().unwrap()).code(0).json()).collect();
    let mut all: Vec<String> = done.iter().flat_map(removed).collect();
    all.sort();
    assert_eq!(all, ids, "a job was removed by none, or by two");
    assert_eq!(listed(&fake), Vec::<String>::new());
    let mut told: Vec<String> =
        lines_of_gone(&fake).iter().map(|gone| gone["id"].as_str().unwrap().to_owned()).collect();
    told.sort();
    assert_eq!(told, ids, "one line tells of each");
}

#[test]
fn a_prune_that_is_killed_leaves_whole_jobs_and_the_next_does_the_rest() {
    let fake = Fake::new();
    let ids = many_runs(&fake, 60);
    let mut child = fake.command(&["prune", "--older-than", "0s"]).stdout(Stdio::null()).spawn().unwrap();
    wait_until("some are gone", || names(&fake.jobs("run")).len() < ids.len());
    child.kill().unwrap();
    child.wait().unwrap();
    let left = listed(&fake);
    for view in fake.run(&["exec", "list", "--json"]).code(0).json().as_array().unwrap() {
        assert_eq!(view["exitCode"], 3, "{view}");
    }
    let done = document(&fake, &["prune", "--older-than", "0s"], 0);
    assert_eq!(removed(&done), left);
}

#[test]
fn a_plan_that_nobody_reads_is_carried_out_all_the_same() {
    let fake = Fake::new();
    many_runs(&fake, 30);
    let closed = format!("{} prune --older-than 0s | true; exit ${{PIPESTATUS[0]}}", env!("CARGO_BIN_EXE_longshore"));
    let ran = Ran::from(fake.other("bash", &["-c", &closed]).output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(listed(&fake), Vec::<String>::new());
}
