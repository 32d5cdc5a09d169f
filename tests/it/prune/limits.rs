//! What goes and what stays, by age, number and status, and how it is shown.

use serde_json::json;

use super::{document, ended_build, failure, listed, old_run, removed, sorted};
use crate::support::fake::Fake;
use crate::support::snapshots::{snapshot, together};

#[test]
fn prune_shows_the_plan_does_it_and_says_what_was_freed() {
    let fake = Fake::new();
    let old = [old_run(&fake, "exit 3", &["--name", "report"]), old_run(&fake, "exit 0", &[])];
    let (new, build) = (fake.ended_run("exit 0"), ended_build(&fake, "web"));
    let running = fake.start_gated("");
    let prune = ["prune", "--older-than", "30d"];
    let dry = fake.run(&[&prune[..], &["--dry-run"]].concat()).code(0);
    let plan = document(&fake, &[&prune[..], &["--dry-run"]].concat(), 0);
    assert_eq!(listed(&fake), sorted([&old[0], &old[1], &new, &build, &running]), "a dry run removed something");
    let sizes: u64 = plan["jobs"].as_array().unwrap().iter().map(|row| row["sizeBytes"].as_u64().unwrap()).sum();
    assert_eq!((&plan["freedBytes"], removed(&plan)), (&0.into(), vec![]));
    let done = fake.run(&prune).code(0);
    assert_eq!(listed(&fake), sorted([&new, &build, &running]));
    let text = format!("removed 2 runs, freed {}\n", decimal(sizes));
    assert!(done.stdout.contains(&text), "{}\n{text}", done.stdout);
    let again = fake.run(&prune).code(0);
    snapshot!(fake, dry, done, again, format!("{plan:#}\n"));
    fake.open_gate();
}

/// As docker shows a size.
fn decimal(size: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a size of a few files")]
    let kilo = size as f64 / 1000.0;
    let digits = if kilo < 10.0 { 2 } else { usize::from(kilo < 100.0) };
    format!("{}kB", format!("{kilo:.digits$}").parse::<f64>().unwrap())
}

#[test]
fn the_newest_of_each_kind_stay() {
    let fake = Fake::new();
    let builds = [ended_build(&fake, "one"), ended_build(&fake, "two"), ended_build(&fake, "three")];
    let runs = ["exit 0", "exit 3", "exit 0", "exit 3"].map(|script| fake.ended_run(script));
    // Of those that failed, one stays; of all others, all.
    let done = document(&fake, &["prune", "--keep-last", "1", "--status", "failed"], 0);
    assert_eq!(removed(&done), sorted([&runs[1]]));
    assert_eq!((&done["kept"]["newest"], &done["kept"]["status"]), (&1.into(), &5.into()), "{done:#}");
    let done = document(&fake, &["prune", "--keep-last", "2"], 0);
    assert_eq!(removed(&done), sorted([&builds[0], &runs[0]]));
    assert_eq!(listed(&fake), sorted([&builds[1], &builds[2], &runs[2], &runs[3]]));
    // All of them are too young.
    assert_eq!(
        removed(&document(&fake, &["prune", "--keep-last", "0", "--older-than", "1h"], 0)),
        Vec::<String>::new()
    );
    assert_eq!(removed(&document(&fake, &["prune", "--keep-last", "0"], 0)).len(), 4);
}

#[test]
fn what_runs_or_may_run_or_cannot_be_read_stays_and_is_counted() {
    let fake = Fake::new();
    let (damaged, ended) = (fake.ended_run("exit 0"), fake.ended_run("exit 0"));
    std::fs::write(fake.job("run", &damaged).join("exit.json"), "{").unwrap();
    let (running, unknown) = (fake.start_gated("exit 4"), fake.start_gated("exit 5"));
    fake.take_engine_down();
    fake.kill_supervisor_and_client(&unknown);
    let done = document(&fake, &["prune", "--older-than", "0s"], 0);
    assert_eq!(removed(&done), sorted([&ended]));
    assert_eq!(
        done["kept"],
        json!({"running": 1, "unknown": 1, "unfetched": 0, "corrupt": 1, "status": 0, "newest": 0, "young": 0})
    );
    let text = fake.run(&["exec", "forget", "--all"]).code(0);
    assert_eq!(listed(&fake), sorted([&running, &unknown, &damaged]));
    let asked_for = fake.run(&["prune", "--status", "corrupt"]).code(0);
    assert_eq!(listed(&fake), sorted([&running, &unknown]));
    fake.bring_engine_up();
    snapshot!(fake, text, asked_for);
    fake.open_gate();
    assert_eq!(
        (fake.end_of(&running)["exitCode"].clone(), fake.end_of(&unknown)["exitCode"].clone()),
        (4.into(), 5.into())
    );
}

#[test]
fn forget_takes_all_that_ended_or_those_of_a_status_or_an_age() {
    let fake = Fake::new();
    let (good, bad) = (fake.ended_run("exit 0"), fake.ended_run("exit 3"));
    let (old, build) = (old_run(&fake, "exit 0", &[]), ended_build(&fake, "web"));
    let dry = fake.run(&["exec", "forget", "--status", "failed", "--dry-run"]).code(0);
    let by_status = fake.run(&["exec", "forget", "--status", "failed"]).code(0);
    assert_eq!(listed(&fake), sorted([&good, &old, &build]));
    let by_age = document(&fake, &["exec", "forget", "--older-than", "1d", "--status", "succeeded"], 0);
    assert_eq!(removed(&by_age), sorted([&old]));
    assert_eq!(removed(&document(&fake, &["exec", "forget", "--all"], 0)), sorted([&good]));
    assert_eq!(listed(&fake), sorted([&build]), "a build is no run");
    let all = fake.run(&["image", "forget", "--all"]).code(0);
    assert_eq!(listed(&fake), Vec::<String>::new());
    let told = fake.run(&["exec", "wait", &bad]).code(125);
    snapshot!(fake, dry, by_status, all, told);
}

#[test]
fn what_is_to_be_removed_has_to_be_said_and_an_age_needs_a_unit() {
    let fake = Fake::new();
    let id = fake.ended_run("exit 0");
    let wrong: [&[&str]; 9] = [
        &["prune"],
        &["prune", "--dry-run"],
        &["prune", "--older-than", "30"],
        &["prune", "--older-than", "soon"],
        &["prune", "--status", "running"],
        &["prune", "--keep-last", "-1"],
        &["exec", "forget"],
        &["exec", "forget", "--all", &id],
        &["image", "forget", "--all", "--status", "failed"],
    ];
    snapshot!(fake, together(wrong.into_iter().flat_map(|args| failure(&fake, args)).map(|ran| ran.code(2))));
    assert_eq!(listed(&fake), [id]);
}

#[test]
fn where_there_is_no_state_directory_there_is_nothing_to_remove_and_none_is_made() {
    let fake = Fake::new();
    assert_eq!(fake.run(&["prune", "--older-than", "1d"]).code(0).stdout, "nothing to remove\n");
    assert!(!fake.path("state").exists());
    assert_eq!(fake.calls(), Vec::<String>::new());
}
