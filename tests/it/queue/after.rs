//! `--after` and `--after-any`: jobs that wait for the ends of others, whatever becomes of those.

use serde_json::json;

use crate::support::fake::Fake;
use crate::support::snapshots::{snapshot, together};
use crate::support::wait_until;

/// The arguments of a run that waits for others, outside of any queue.
fn after(fake: &Fake, word: &str, more: &[&str]) -> Vec<String> {
    fake.job_args("", word, more).into_iter().filter(|arg| !arg.is_empty() && arg != "--queue").collect()
}

/// Starts it.
#[track_caller]
fn start(fake: &Fake, word: &str, more: &[&str]) -> String {
    let ran = fake.run(&after(fake, word, &[more, &["--", word, "0", "none"]].concat())).code(0);
    assert_eq!(ran.stderr, "");
    ran.id()
}

/// A job that ends with this code once its gate is open.
#[track_caller]
fn first(fake: &Fake, word: &str, code: &str) -> String {
    fake.run(&after(fake, word, &["--", word, code, "none"])).code(0).id()
}

#[test]
fn a_job_starts_after_all_that_it_waits_for_have_ended_as_it_needs() {
    let fake = Fake::new();
    fake.scenario(json!({"build": {"script": fake.gated("true", "true")}}));
    let (good, bad) = (first(&fake, "good", "0"), first(&fake, "bad", "3"));
    let build = fake.build("web");
    let all = start(&fake, "all", &["--after", &format!("{good},web"), "--after-any", &bad]);
    let shown = fake.job_view(&all);
    assert_eq!((&shown["status"], &shown["waitingFor"]), (&"queued".into(), &json!(format!("run {good} and 2 more"))));
    fake.go("good");
    fake.go("bad");
    for id in [&good, &bad] {
        fake.wait_for_record(id);
    }
    wait_until("only the build is left", || fake.job_view(&all)["waitingFor"] == format!("build {build} (web)"));
    assert_eq!(fake.order().len(), 2);
    fake.open_gate();
    assert_eq!(fake.end_of(&all)["outcome"], "succeeded");
    // Those that have ended long ago are no reason to wait.
    let later = start(&fake, "later", &["--after", &all, "--after-any", &bad, "--after", "web"]);
    assert_eq!(fake.end_of(&later)["outcome"], "succeeded");
    assert_eq!(fake.order()[2..], ["all", "later"]);
}

#[test]
fn a_build_waits_for_a_run_and_a_run_uses_the_image_that_is_built_meanwhile() {
    let fake = Fake::new();
    let data = first(&fake, "data", "0");
    let build = ["image", "create", "web", "--base", "base", "--after", &data, "--json"];
    let build = fake.run(&build).code(0).json()["id"].as_str().unwrap().to_owned();
    let mut args = after(&fake, "use", &["--after", "web"]);
    args[3] = "web".to_owned();
    let last = fake.run(&args).code(0).id();
    assert_eq!(fake.run(&["image", "status", "web", "--json"]).json()["status"], "queued");
    fake.open_gate();
    assert_eq!(fake.end_of(&last)["outcome"], "succeeded");
    assert_eq!(fake.end_of_build(&build)["outcome"], "succeeded");
    assert_eq!(fake.order(), ["data", "use"]);
}

#[test]
fn a_chain_is_skipped_with_its_first_job_and_each_one_says_why() {
    let fake = Fake::new();
    let bad = first(&fake, "bad", "3");
    let second = start(&fake, "second", &["--after", &bad, "--name", "second"]);
    let third = start(&fake, "third", &["--after", "second"]);
    let anyway = start(&fake, "anyway", &["--after-any", &third]);
    let mut fourth = fake.job_args("q", "fourth", &["--after", &format!("{anyway},{third}"), "--wait"]);
    fake.open_gate();
    let waited = fake.run(&fourth).code(125);
    for (id, why) in
        [(&second, format!("run {bad} ended as failed")), (&third, format!("run {second} (second) ended as skipped"))]
    {
        let view = fake.end_of(id);
        assert_eq!((&view["outcome"], &view["reason"]), (&"skipped".into(), &json!(why)));
    }
    assert_eq!(fake.end_of(&anyway)["outcome"], "succeeded");
    // One that has failed already.
    fourth.retain(|word| word != "--wait");
    let late = fake.run(&fourth).code(0).id();
    assert_eq!(fake.end_of(&late)["outcome"], "skipped");
    assert_eq!(fake.order(), ["bad", "anyway"]);
    snapshot!(
        fake,
        waited,
        together(
            [["exec", "status", &third], ["exec", "wait", &third], ["exec", "logs", &third]]
                .map(|args| fake.run(&args))
        )
    );
}

#[test]
fn a_job_that_was_forgotten_or_replaced_meanwhile_is_known_by_its_end() {
    let fake = Fake::new();
    let (good, bad) = (first(&fake, "good", "0"), first(&fake, "bad", "3"));
    fake.wait_until_began("good");
    fake.wait_until_began("bad");
    let build = fake.build("web");
    fake.end_of_build(&build);
    fake.run(&["queue", "set", "q"]).code(0);
    let runs = start(&fake, "runs", &["--after", &good]);
    let skipped = start(&fake, "skipped", &["--after", &bad]);
    let both = fake.enter("q", "both", &["--after", &format!("{good},web")]);
    fake.run(&["exec", "forget", &good, &bad]).code(0);
    let second = fake.build("web");
    fake.end_of_build(&second);
    assert!(!fake.job("build", &build).exists(), "it was replaced");
    fake.open_gate();
    for (id, outcome) in [(&runs, "succeeded"), (&skipped, "skipped"), (&both, "succeeded")] {
        assert_eq!(fake.end_of(id)["outcome"], outcome, "{id}");
    }
}

#[test]
fn a_job_whose_supervisor_is_killed_is_adopted_or_finished_by_the_one_that_waits_for_it() {
    let fake = Fake::new();
    let alone = first(&fake, "alone", "0");
    let last = start(&fake, "last", &["--after", &alone]);
    fake.wait_until_began("alone");
    wait_until("it has begun", || fake.job("run", &alone).join("begun.json").exists());
    fake.kill_supervisor_and_client(&alone);
    wait_until("it has another supervisor", || fake.is_supervised(&alone));
    assert_eq!(fake.order(), ["alone"]);
    // Of one that waits itself, too.
    let middle = start(&fake, "middle", &["--after", &last]);
    let end = start(&fake, "end", &["--after", &middle]);
    fake.kill(fake.supervisor(&middle));
    wait_until("the middle one has another supervisor", || fake.is_supervised(&middle));
    fake.open_gate();
    fake.wait_for_record(&end);
    assert_eq!(fake.order(), ["alone", "last", "middle", "end"]);
    fake.assert_started(&[&alone, &last, &middle, &end], 1);
    assert_eq!(fake.end_of(&alone)["recovered"], true);
}

#[test]
fn what_names_no_job_or_two_is_refused_before_anything_is_done() {
    let fake = Fake::new();
    let build = fake.build("web");
    fake.end_of_build(&build);
    let run = fake.ended_run_with("exit 0", &["--name", "web"]);
    let forgotten = fake.ended_run("exit 0");
    fake.run(&["exec", "forget", &forgotten]).code(0);
    let wrong: [&[&str]; 7] = [
        &["--after", "nosuch"],
        &["--after", &forgotten],
        &["--after-any", "zzzzzzzzzzzz"],
        &["--after", "web"],
        &["--after", ""],
        &["--queue-timeout", "1m"],
        &["--priority", "1"],
    ];
    let refused = wrong.map(|more| {
        let ran = fake.run(&after(&fake, "x", more));
        assert!([1, 2].contains(&ran.code), "{ran:?}");
        ran
    });
    snapshot!(fake, together(refused));
    assert_eq!(crate::support::fake::job_ids(&fake.jobs("run")), [run]);
}

#[test]
fn many_jobs_that_wait_for_one_start_once_although_all_of_them_adopt_it() {
    let fake = Fake::new();
    let one = first(&fake, "one", "0");
    let ids: Vec<String> = (0..12).map(|n| start(&fake, &format!("n{n}"), &["--after", &one])).collect();
    fake.wait_until_began("one");
    wait_until("it has begun", || fake.job("run", &one).join("begun.json").exists());
    fake.kill_supervisor_and_client(&one);
    fake.open_gate();
    for id in &ids {
        fake.wait_for_record(id);
        assert_eq!(fake.end_of(id)["outcome"], "succeeded");
    }
    fake.assert_started(&ids.iter().chain([&one]).collect::<Vec<_>>(), 1);
}
