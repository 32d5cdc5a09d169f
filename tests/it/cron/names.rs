//! `--if-running`: a name that is that of a running job.

use std::process::Child;

use serde_json::{Value, json};

use crate::cron::{beside, end, runs};
use crate::support::fake::Fake;
use crate::support::snapshots::{snapshot, together};
use crate::support::wait_until;

fn begun(fake: &Fake, count: usize) {
    wait_until("the runs are on record", || runs(fake).len() == count);
}

/// Waits until a command says this on stderr; the rest of what it says is lost.
fn says(child: &mut Child, text: &str) {
    use std::io::{BufRead as _, BufReader};
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let line = stderr.lines().map(Result::unwrap).next().unwrap_or_default();
    assert!(line.contains(text), "{line}");
}

#[test]
fn skip_starts_nothing_says_so_and_prints_the_job_that_runs() {
    let fake = Fake::new();
    let id = fake.start_gated_with("exit 0", &["--name", "nightly"]);
    let again = |more: &[&str]| fake.run(&fake.run_args("exit 9", &[&["--name", "nightly"], more].concat()));
    let skipped = again(&["--if-running", "skip"]).code(0);
    assert_eq!(skipped.id(), id);
    // What would follow the start does not.
    let stayed = again(&["--if-running", "skip", "--wait", "--id-file", "id", "--on-exit", "touch never"]).code(0);
    assert_eq!(std::fs::read_to_string(fake.path("id")).unwrap(), format!("{id}\n"));
    let document = again(&["--if-running", "skip", "--json"]).code(0).json();
    assert_eq!(document, json!({"exec_id": id, "skipped": true}));
    let refused = again(&["--if-running", "fail"]).code(1);
    assert_eq!(refused.stderr, again(&[]).code(1).stderr);
    assert_eq!(runs(&fake), [id.as_str()]);
    snapshot!(fake, together([skipped, stayed, refused]));
    fake.open_gate();
    fake.end_of(&id);
    // A name that is free is no reason to skip.
    let next = again(&["--if-running", "skip"]).code(0).id();
    assert_eq!(fake.end_of(&next)["exitCode"], 9);
}

#[test]
fn of_a_build_the_name_is_that_of_the_image() {
    let fake = Fake::new();
    let id = fake.build_gated("web");
    let again =
        |policy: &str| ["image", "create", "web:latest", "--base", "base", "--if-running", policy].map(str::to_owned);
    let skipped = fake.run(&again("skip")).code(0);
    assert_eq!(skipped.stdout, "web\n");
    let document = fake.run(&[&again("skip")[..], &["--json".into()]].concat()).code(0).json();
    assert_eq!(document, json!({"success": true, "name": "web", "id": id, "skipped": true}));
    // A build that replaces another one has its name when the other has ended.
    let replaced = fake.run(&again("replace")).code(0);
    assert_eq!(replaced.stdout, "web\n");
    assert!(!fake.job("build", &id).exists(), "a newer build takes the place of an older one");
    fake.open_gate();
    assert_eq!(fake.end_of_build("web")["outcome"], "succeeded");
    snapshot!(fake, together([skipped, replaced]));
}

#[test]
fn wait_starts_when_the_other_has_ended() {
    let fake = Fake::new();
    let first = fake.start_gated_with("exit 4", &["--name", "nightly"]);
    let args = fake.run_args("exit 5", &["--name", "nightly", "--if-running", "wait", "--wait"]);
    let mut second = beside(&fake, &args);
    says(&mut second, &format!("note: waiting for run {first}, which has the name \"nightly\""));
    assert_eq!(runs(&fake), [first.as_str()], "it was started while the other runs");
    fake.open_gate();
    let second = end(second).code(5);
    let view: Value = fake.end_of(&second.id());
    // It was created when the first one had ended.
    assert!(view["created"].as_str() >= fake.end_of(&first)["finished"].as_str(), "{view}");
}

#[test]
fn ctrl_c_while_it_waits_starts_nothing() {
    let fake = Fake::new();
    let first = fake.start_gated_with("exit 0", &["--name", "nightly"]);
    for (signal, more, code) in [("INT", None, 130), ("TERM", Some("--foreground"), 143)] {
        let mut args = fake.run_args("exit 5", &["--name", "nightly", "--if-running", "wait"]);
        args.extend(more.map(str::to_owned));
        let mut waiting = beside(&fake, &args);
        says(&mut waiting, "note: waiting for");
        fake.signal(signal, waiting.id());
        assert_eq!(end(waiting).code, code);
    }
    assert_eq!(runs(&fake), [first.as_str()]);
    fake.open_gate();
    fake.end_of(&first);
}

#[test]
fn replace_stops_the_other_and_starts() {
    let fake = Fake::new();
    let first = fake.start_with("trap 'exit 6' TERM; echo on; while :; do sleep 0.02; done", &["--name", "nightly"]);
    fake.wait_for_output(&first, "on");
    let ran = fake.run(&fake.run_args("exit 5", &["--name", "nightly", "--if-running", "replace", "--wait"])).code(5);
    assert!(ran.stderr.starts_with(&format!("note: stopping run {first}, which has the name")), "{}", ran.stderr);
    let view = fake.end_of(&first);
    assert_eq!((&view["outcome"], &view["exitCode"]), (&"cancelled".into(), &6.into()));
    assert_eq!(runs(&fake).len(), 2);
}

#[test]
fn a_run_whose_supervisor_was_killed_is_not_overlooked() {
    let fake = Fake::new();
    let id = fake.start_gated_with("exit 0", &["--name", "nightly"]);
    fake.kill_supervisor_and_client(&id);
    let ran = fake.run(&fake.run_args("exit 5", &["--name", "nightly", "--if-running", "skip"])).code(0);
    assert_eq!(ran.id(), id);
    fake.open_gate();
    fake.end_of(&id);
}

#[test]
fn without_a_name_or_with_an_unknown_word_it_is_a_usage_error() {
    let fake = Fake::new();
    let refused = ["skip", "never"].map(|word| fake.run(&fake.run_args("exit 0", &["--if-running", word])).code(2));
    snapshot!(fake, together(refused));
    assert!(!fake.jobs("run").exists());
}

/// A program that tells whether another one of its kind runs at the same time.
fn alone(fake: &Fake, then: &str) -> String {
    let dir = fake.engine("alone");
    let overlap = fake.engine("overlap");
    format!(
        "trap 'rmdir {0}; exit 0' TERM\nmkdir {0} || touch {1}\necho on\n{then}\nrmdir {0}\n",
        dir.display(),
        overlap.display()
    )
}

#[test]
fn of_many_that_skip_one_starts_and_all_print_its_id() {
    let fake = Fake::new();
    let args = fake.run_args(&fake.gated("echo on", "exit 0"), &["--name", "only", "--if-running", "skip"]);
    let all: Vec<Child> = (0..8).map(|_| beside(&fake, &args)).collect();
    let ids: Vec<String> = all.into_iter().map(|child| end(child).code(0).id()).collect();
    let [id] = &runs(&fake)[..] else { panic!("more than one was started: {ids:?}") };
    assert!(ids.iter().all(|printed| printed == id), "{ids:?}");
    fake.open_gate();
    fake.end_of(id);
}

#[test]
fn of_many_that_wait_all_run_one_after_the_other() {
    let fake = Fake::new();
    let args = fake.run_args(&alone(&fake, "sleep 0.05"), &["--name", "one", "--if-running", "wait", "--wait"]);
    let all: Vec<Child> = (0..5).map(|_| beside(&fake, &args)).collect();
    for child in all {
        end(child).code(0);
    }
    assert!(!fake.engine("overlap").exists(), "two ran at the same time");
    begun(&fake, 5);
}

#[test]
fn of_many_that_replace_one_is_left_and_no_two_run_at_once() {
    let fake = Fake::new();
    let script = alone(&fake, &fake.gated("", ""));
    let args = fake.run_args(&script, &["--name", "last", "--if-running", "replace"]);
    let all: Vec<Child> = (0..4).map(|_| beside(&fake, &args)).collect();
    let ids: Vec<String> = all.into_iter().map(|child| end(child).code(0).id()).collect();
    let running = fake.run(&["exec", "list", "-q", "--status", "running"]).code(0);
    assert_eq!(running.stdout.lines().count(), 1, "{running:?} of {ids:?}");
    fake.open_gate();
    fake.end_of(&running.id());
    assert!(!fake.engine("overlap").exists(), "two ran at the same time");
    for id in &ids {
        let view = fake.end_of(id);
        let expected = if *id == running.id() { "succeeded" } else { "cancelled" };
        assert_eq!(view["outcome"], expected, "{view}");
    }
}
