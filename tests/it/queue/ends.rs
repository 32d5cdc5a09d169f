//! The ends of queued jobs without a start, and what waits for queued jobs.

use serde_json::json;

use super::{beside, end};
use crate::faults::terminal::{terminal, wait_until_it_listens};
use crate::support::Ran;
use crate::support::fake::{Fake, job_ids};
use crate::support::schema::validated;
use crate::support::snapshots::{snapshot, together};
use crate::support::wait_until;

/// Fails unless docker was not asked anything about this job.
#[track_caller]
fn assert_not_asked(fake: &Fake, id: &str) {
    let about: Vec<String> = fake.calls().into_iter().filter(|call| call.contains(id)).collect();
    assert_eq!(about, Vec::<String>::new());
}

#[test]
fn every_way_to_end_a_queued_job_cancels_it_without_docker_and_the_next_one_takes_its_place() {
    let fake = Fake::new();
    let [first, stopped, killed, hung] = fake.enter_all("q", ["first", "stopped", "killed", "hung-up"]);
    let build = ["image", "create", "web", "--base", "base", "--queue", "q", "--json"];
    let build = fake.run(&build).code(0).json()["id"].as_str().unwrap().to_owned();
    let last = fake.enter("q", "last", &[]);
    assert_eq!(fake.queue_view("q")["waiting"], json!([stopped, killed, hung, build, last]));
    let ways: [&[&str]; 4] = [
        &["exec", "stop", &stopped],
        &["exec", "kill", &killed],
        &["exec", "kill", "-s", "HUP", &hung],
        &["image", "cancel", "web"],
    ];
    let shown = ways.map(|way| fake.run(way).code(0));
    for (id, why) in [(&stopped, "exec stop"), (&killed, "exec kill"), (&hung, "exec kill"), (&build, "image cancel")] {
        let view = fake.run(&["wait", "--json", id]).code(1).json();
        assert_eq!(
            (&view["outcome"], &view["exitCode"], &view["started"]),
            (&"cancelled".into(), &json!(null), &json!(null))
        );
        assert_eq!(view["reason"], format!("ended by longshore {why} before it was started"));
        validated("job", view);
        assert_not_asked(&fake, id);
    }
    assert_eq!(fake.queue_view("q")["waiting"], json!([last]));
    assert_eq!(fake.job_view(&last)["position"], 1);
    snapshot!(fake, together(shown), fake.run(&["exec", "wait", &stopped]), fake.run(&["exec", "stop", &stopped]));
    fake.open_gate();
    for id in [&first, &last] {
        assert_eq!(fake.end_of(id)["outcome"], "succeeded");
    }
    assert_eq!(fake.order(), ["first", "last"]);
}

#[test]
fn a_job_that_is_not_started_in_time_ends_with_124_and_counts_from_its_request() {
    let fake = Fake::new();
    let first = fake.enter("q", "first", &[]);
    let late = fake.enter("q", "late", &["--queue-timeout", "300ms"]);
    let shown = fake.run(&["exec", "wait", &late]).code(124);
    assert_eq!(fake.end_of(&late)["outcome"], "timeout");
    let held = fake.enter("q", "held", &["--after", &first, "--queue-timeout", "200ms"]);
    let mut args = fake.job_args("q", "waited", &["--queue-timeout", "200ms", "--wait"]);
    let waited = fake.run(&args).code(124);
    args.retain(|word| word != "--wait");
    assert_eq!(fake.end_of(&held)["outcome"], "timeout");
    fake.open_gate();
    assert_eq!(fake.end_of(&first)["outcome"], "succeeded");
    assert_eq!(fake.order(), ["first"]);
    assert_not_asked(&fake, &late);
    snapshot!(fake, shown, waited);
}

#[test]
fn the_time_of_a_job_that_waits_does_not_begin_anew_with_another_supervisor() {
    let mut fake = Fake::new();
    let [first, second] = ["first", "second"].map(|word| fake.enter("q", word, &["--queue-timeout", "1h"]));
    fake.wait_until_queued(&second);
    fake.kill(fake.supervisor(&second));
    fake.set("LONGSHORE_TEST_CLOCK", "3601");
    assert_eq!(fake.end_of(&second)["outcome"], "timeout");
    fake.unset("LONGSHORE_TEST_CLOCK");
    fake.open_gate();
    assert_eq!(fake.end_of(&first)["outcome"], "succeeded");
}

#[test]
fn a_time_limit_of_the_waiting_is_none_of_the_run_and_the_other_way_round() {
    let fake = Fake::new();
    let id = fake.enter("q", "first", &["--queue-timeout", "1s"]);
    let second = fake.enter("q", "second", &["--timeout", "10ms"]);
    fake.wait_until_began("first");
    let end = fake.run(&["exec", "wait", "--timeout", "1500ms", &id]).code(124);
    assert_eq!(fake.job_view(&id)["status"], "running", "{end:?}");
    assert_eq!(fake.job_view(&second)["status"], "queued");
    fake.go("first");
    assert_eq!(fake.end_of(&id)["outcome"], "succeeded");
    assert_eq!(fake.end_of(&second)["outcome"], "timeout");
    fake.assert_started(&[&second], 1);
}

#[test]
fn wait_and_logs_of_a_queued_job_end_with_it() {
    let fake = Fake::new();
    let first = fake.enter("q", "first", &[]);
    let second = fake.enter("q", "second", &["--", "second", "4", "q"]);
    let third = fake.enter("q", "third", &[]);
    let commands: [&[&str]; 4] = [
        &["exec", "wait", &second],
        &["exec", "logs", "-f", "--exit-code", &second],
        &["wait", "--any", &second, &third],
        &["wait", &first, &second],
    ];
    let running = commands.map(|args| beside(&fake, args));
    fake.run(&["exec", "wait", "--timeout", "50ms", &second]).code(124);
    assert_eq!(fake.run(&["exec", "logs", &second]).code(0).stdout, "");
    fake.go("first");
    fake.go("second");
    let [waited, followed, any, both] = running.map(end);
    assert_eq!((waited.code, followed.code, any.code, both.code), (4, 4, 4, 1), "{waited:?} {followed:?} {any:?}");
    assert_eq!((followed.stdout.as_str(), any.stdout), ("on\n", format!("{second}\n")));
    assert_eq!(both.stdout, format!("{first} 0\n{second} 4\n"));
    fake.open_gate();
    fake.end_of(&third);
}

#[test]
fn a_start_that_stays_with_its_job_does_so_while_that_is_queued() {
    let fake = Fake::new();
    let first = fake.enter("q", "first", &[]);
    let staying = ["--wait", "--follow", "--foreground"].map(|stay| {
        let args = fake.job_args("q", &stay[2..], &[stay, "--", &stay[2..], "5", "q"]);
        let before = job_ids(&fake.jobs("run")).len();
        let child = beside(&fake, &args);
        wait_until("it is queued", || fake.queue_view("q")["waiting"].as_array().unwrap().len() == before);
        child
    });
    fake.open_gate();
    for (child, stdout) in staying.into_iter().zip([None, Some("on\n"), Some("on\n")]) {
        let ran = end(child).code(5);
        assert!(stdout.is_none_or(|stdout| ran.stdout == stdout), "{ran:?}");
    }
    assert_eq!(fake.order(), ["first", "wait", "follow", "foreground"]);
    fake.end_of(&first);
}

/// Ctrl-C at the terminal of a start whose job is queued.
fn interrupted(fake: &Fake, stay: &str) -> Ran {
    let args = fake.job_args("q", "second", &[stay]);
    let act = fake.engine("act");
    let child = terminal(fake, "ctrl-c", &act, &args);
    wait_until_it_listens(fake, &args);
    wait_until("it is queued", || fake.queue_view("q")["waiting"].as_array().unwrap().len() == 1);
    std::fs::write(&act, "").unwrap();
    let ran = end(child).typed(&args);
    std::fs::remove_file(&act).unwrap();
    ran
}

#[test]
fn ctrl_c_cancels_a_queued_job_in_the_foreground_and_leaves_that_of_a_wait_in_the_queue() {
    let fake = Fake::new();
    let first = fake.enter("q", "first", &[]);
    let foreground = interrupted(&fake, "--foreground").code(130);
    let queue = fake.queue_view("q");
    assert_eq!(queue["waiting"], json!([]), "{queue}");
    let waited = interrupted(&fake, "--wait").code(130);
    let id = fake.queue_view("q")["waiting"][0].as_str().unwrap().to_owned();
    fake.open_gate();
    assert_eq!(fake.end_of(&id)["outcome"], "succeeded");
    fake.end_of(&first);
    assert_eq!(fake.order(), ["first", "second"]);
    snapshot!(fake, foreground, waited);
}

#[test]
fn the_name_of_a_queued_job_is_in_use_and_each_policy_keeps_to_it() {
    let fake = Fake::new();
    let first = fake.enter("q", "first", &[]);
    let held = fake.enter("q", "held", &["--name", "nightly"]);
    let named = |more: &[&str]| fake.job_args("q", "other", &[&["--name", "nightly"], more].concat());
    let refused = fake.run(&named(&[])).code(1);
    let skipped = fake.run(&named(&["--if-running", "skip"])).code(0);
    assert_eq!(skipped.stdout, format!("{held}\n"));
    let replaced = fake.run(&named(&["--if-running", "replace"])).code(0);
    assert_eq!(fake.end_of(&held)["outcome"], "cancelled");
    let second = replaced.id();
    assert_eq!(fake.queue_view("q")["waiting"], json!([second]));
    let waiting = beside(&fake, &fake.job_args("q", "third", &["--name", "nightly", "--if-running", "wait"]));
    fake.open_gate();
    let third = end(waiting).code(0).id();
    assert_eq!(fake.end_of(&third)["outcome"], "succeeded");
    assert_eq!(fake.order(), ["first", "other", "third"]);
    assert_eq!(fake.end_of(&first)["outcome"], "succeeded");
    snapshot!(fake, refused, skipped, replaced);
}

#[test]
fn a_forgotten_queued_job_is_hidden_and_runs_in_its_turn_and_gives_its_room_back() {
    let fake = Fake::new();
    let [first, hidden, last] = fake.enter_all("q", ["first", "hidden", "last"]);
    let forgotten = fake.run(&["exec", "forget", &hidden]).code(0);
    assert_eq!(fake.run(&["ps", "-q"]).code(0).stdout.lines().collect::<Vec<_>>(), [&last, &first]);
    assert_eq!(fake.queue_view("q")["waiting"], json!([hidden, last]));
    assert_eq!(fake.job_view(&last)["position"], 2);
    fake.open_gate();
    fake.wait_for_record(&last);
    wait_until("it has removed itself", || !fake.job("run", &hidden).exists());
    assert_eq!(fake.order(), ["first", "hidden", "last"]);
    assert_eq!((fake.true_code(&hidden), fake.most("q")), (Some(0), 1));
    snapshot!(fake, forgotten);
}

#[test]
fn a_forgotten_queued_job_whose_supervisor_was_killed_is_started_or_stopped_by_its_id() {
    let fake = Fake::new();
    let [first, hidden, ended] = fake.enter_all("q", ["first", "hidden", "ended"]);
    fake.run(&["exec", "forget", &hidden, &ended]).code(0);
    for id in [&hidden, &ended] {
        fake.kill(fake.supervisor(id));
    }
    fake.run(&["exec", "stop", &ended]).code(0);
    fake.open_gate();
    fake.end_of(&first);
    fake.sweep();
    wait_until("both have removed themselves", || job_ids(&fake.jobs("run")) == [first.as_str()]);
    assert_eq!(fake.order(), ["first", "hidden"]);
}

#[test]
fn prune_never_removes_a_queued_job() {
    let fake = Fake::new();
    let [first, second] = fake.enter_all("q", ["first", "second"]);
    let third = fake.enter("q", "third", &["-e", "A=b"]);
    fake.kill(fake.supervisor(&second));
    for args in [&["prune", "--older-than", "0s"][..], &["prune", "--keep-last", "0"], &["exec", "forget", "--all"]] {
        fake.run(args).code(0);
        assert_eq!(job_ids(&fake.jobs("run")).len(), 3, "{args:?}");
    }
    fake.open_gate();
    for id in [&first, &second, &third] {
        assert_eq!(fake.end_of(id)["outcome"], "succeeded");
    }
}

#[test]
fn a_rerun_of_a_queued_job_does_not_wait_unless_that_is_asked_for() {
    let fake = Fake::new();
    let [first, second] = fake.enter_all("q", ["first", "second"]);
    let now = fake.run(&["exec", "rerun", &second]).code(0).id();
    wait_until("the rerun runs beside the queue", || fake.order() == ["first", "second"]);
    let later = fake.run(&["exec", "rerun", &second, "--queue", "q", "--priority", "1"]).code(0).id();
    assert_eq!(fake.queue_view("q")["waiting"], json!([later, second]));
    fake.open_gate();
    for id in [&first, &second, &now, &later] {
        assert_eq!(fake.end_of(id)["outcome"], "succeeded");
    }
}

#[test]
fn stamps_and_commands_follow_the_ends_of_jobs_that_were_never_started() {
    let fake = Fake::new();
    let told = || std::fs::read_to_string(fake.path("told")).unwrap_or_default();
    let command = "echo \"$LONGSHORE_NAME $LONGSHORE_OUTCOME $LONGSHORE_EXIT_CODE\" >>told";
    let follow = |name: &str, more: &[&str]| {
        let stamp = format!("{name}.stamp");
        fake.enter("q", name, &[&["--name", name, "--stamp", &stamp, "--on-exit", command], more].concat())
    };
    let first = fake.enter("q", "first", &["--", "first", "3", "q"]);
    fake.write("cancelled.stamp", "old");
    let cancelled = follow("cancelled", &[]);
    assert!(!fake.path("cancelled.stamp").exists(), "it is the stamp of an older job");
    let skipped = follow("skipped", &["--after", &first]);
    let late = follow("late", &["--queue-timeout", "100ms"]);
    let fine = follow("fine", &[]);
    fake.run(&["exec", "stop", &cancelled]).code(0);
    fake.open_gate();
    for (id, outcome) in [(&cancelled, "cancelled"), (&skipped, "skipped"), (&late, "timeout"), (&fine, "succeeded")] {
        assert_eq!(fake.end_of(id)["outcome"], outcome);
    }
    wait_until("all commands were run", || told().lines().count() == 4);
    let mut lines: Vec<String> = told().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["cancelled cancelled ", "fine succeeded 0", "late timeout ", "skipped skipped "]);
    let stamps = ["cancelled", "skipped", "late", "fine"].map(|name| fake.path(&format!("{name}.stamp")).exists());
    assert_eq!(stamps, [false, false, false, true]);
}
