//! What is told of a job that was removed, for how long, and that it costs other commands nothing.

use super::{document, ended_build, failure, lines_of_gone, old_run};
use crate::support::fake::{Fake, names};
use crate::support::schema;
use crate::support::snapshots::{snapshot, together};
use crate::support::wait_until;

const DAY: i64 = 24 * 3600;

#[test]
fn every_command_says_what_became_of_a_removed_job() {
    let fake = Fake::new();
    let id = fake.ended_run_with("exit 3", &["--name", "report"]);
    let (old, build) = (old_run(&fake, "exit 0", &[]), ended_build(&fake, "web"));
    fake.known.show_as(&id[..8], "<prefix>");
    fake.run(&["exec", "forget", &id]).code(0);
    fake.run(&["prune", "--older-than", "1d"]).code(0);
    fake.run(&["image", "forget", "web"]).code(0);
    let shown: [&[&str]; 8] = [
        &["exec", "wait", &id],
        &["exec", "inspect", &old],
        &["exec", "logs", &id[..8]],
        &["exec", "stop", "report"],
        &["exec", "forget", &id],
        &["image", "status", "web"],
        &["image", "wait", "web:latest"],
        &["image", "logs", &build],
    ];
    let shown = together(shown.into_iter().flat_map(|args| failure(&fake, args)));
    let several = fake.run(&["exec", "wait", &id, &old, "--json"]).code(1);
    schema::validated("jobs", several.json());
    snapshot!(fake, shown, several);
}

#[test]
fn a_name_that_is_given_again_is_that_of_the_new_job_and_another_kind_is_not_told_of() {
    let fake = Fake::new();
    let old = fake.ended_run_with("exit 3", &["--name", "report"]);
    fake.run(&["exec", "forget", "report"]).code(0);
    let new = fake.ended_run_with("exit 4", &["--name", "report"]);
    assert_eq!(fake.end_of("report")["id"], new.as_str());
    assert!(failure(&fake, &["image", "wait", &old])[0].stderr.starts_with("error: there is no build"));
    // Of two that had the name, the one that was removed last.
    fake.run(&["exec", "forget", "report"]).code(0);
    let told = failure(&fake, &["exec", "wait", "report"]);
    assert_eq!(told[1].json()["error"]["job"]["id"], new.as_str());
}

#[test]
fn a_build_that_a_newer_one_replaced_is_told_of() {
    let fake = Fake::new();
    let old = ended_build(&fake, "web");
    ended_build(&fake, "web");
    let told = failure(&fake, &["image", "wait", &old]);
    assert!(told[0].stderr.contains("was replaced by a newer build of that name"), "{}", told[0].stderr);
    assert_eq!(told[1].json()["error"]["job"]["how"], "replaced");
}

#[test]
fn a_job_that_was_forgotten_while_it_ran_is_told_of_with_its_end() {
    let fake = Fake::new();
    let id = fake.start_gated("exit 3");
    fake.run(&["exec", "forget", &id]).code(0);
    assert_eq!(lines_of_gone(&fake).len(), 0);
    fake.open_gate();
    wait_until("it has removed itself", || !fake.job("run", &id).exists());
    let told = failure(&fake, &["exec", "wait", &id]);
    assert!(told[0].stderr.contains("(it had failed, exit code 3)"), "{}", told[0].stderr);
}

#[test]
fn a_removed_job_is_told_of_for_thirty_days() {
    let mut fake = Fake::new();
    let id = fake.ended_run("exit 0");
    fake.run(&["exec", "forget", &id]).code(0);
    let mut told_after = |days: i64| {
        fake.set("LONGSHORE_TEST_CLOCK", (days * DAY).to_string());
        let message = fake.run(&["exec", "wait", &id, "--json"]).code(125).json()["error"]["message"].take();
        message.as_str().unwrap().to_owned()
    };
    assert_eq!(told_after(3), format!("run {id} was forgotten 3 days ago (it had succeeded, exit code 0)"));
    assert!(told_after(29).contains("was forgotten 4 weeks ago"));
    assert_eq!(told_after(31), format!("there is no run \"{id}\""));
    let days = || names(&fake.path("state/longshore/.gone"));
    assert_eq!(days().len(), 1);
    // The next command that changes something removes the line.
    fake.set("LONGSHORE_TEST_CLOCK", (32 * DAY).to_string());
    fake.sweep();
    assert_eq!(names(&fake.path("state/longshore/.gone")), Vec::<String>::new());
    fake.set("LONGSHORE_TEST_CLOCK", "0");
}

#[test]
fn the_lines_of_removed_jobs_are_read_only_for_a_job_that_is_not_there() {
    let mut fake = Fake::new();
    let (gone, live) = (fake.ended_run("exit 0"), fake.ended_run_with("exit 0", &["--name", "report"]));
    fake.run(&["exec", "forget", &gone]).code(0);
    let [day] = &names(&fake.path("state/longshore/.gone"))[..] else { panic!("one day") };
    let (day, calls) = (day.clone(), fake.path("calls"));
    fake.set("LONGSHORE_TEST_CALLS", &calls);
    let reads = |fake: &Fake, args: &[&str]| {
        fake.run(args);
        let text = std::fs::read_to_string(&calls).unwrap_or_default();
        let _ = std::fs::remove_file(&calls);
        assert!(text.contains("cli open"), "no call was seen: {text}");
        text.contains(&day)
    };
    let without: [&[&str]; 8] = [
        &["exec", "wait", &live],
        &["exec", "inspect", "report"],
        &["exec", "logs", &live[..8]],
        &["exec", "list"],
        &["exec", "rerun", "report", "--wait"],
        &["image", "create", "web", "--base", "base", "--wait"],
        &["prune", "--older-than", "1d"],
        &["doctor"],
    ];
    for args in without {
        assert!(!reads(&fake, args), "{args:?} reads what is told of removed jobs");
    }
    assert!(reads(&fake, &["exec", "wait", &gone]));
    fake.set("LONGSHORE_TEST_CALLS", "/dev/null");
    fake.wait_until_quiet();
    let _ = document(&fake, &["exec", "forget", "--all"], 0);
}
