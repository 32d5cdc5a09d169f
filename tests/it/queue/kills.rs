//! SIGKILL in the life of a queued job. Its container counts against the limits until it has ended, whoever attends it; every
//! job ends once; and the queue goes on without a further command as long as a job waits in it.

use serde_json::{Value, json};

use super::counted;
use crate::support::fake::Fake;
use crate::support::wait_until;

/// The points at which the supervisor of a queued job may be killed, after the command has its answer.
const POINTS: [&str; 5] = ["admitted", "admitting", "begun", "left", "recorded"];
/// Those that say less of a queue.
const MORE_POINTS: [&str; 6] = ["client-started", "sweeping", "concluding", "saved", "filled", "removed"];

/// A queue for one job at a time. Its first job runs, the second one has a fault, and the third one waits.
fn struck(variable: &str, point: &str) {
    let mut fake = Fake::new();
    let fired = fake.path("fired");
    let first = fake.enter("q", "first", &[]);
    fake.wait_until_began("first");
    fake.set("LONGSHORE_TEST_FIRED", &fired);
    let args = fake.job_args("q", "struck", &["--", "struck", "3", "q"]);
    let struck = fake.with_variable(variable, point, &args).code(0).id();
    fake.unset("LONGSHORE_TEST_FIRED");
    let last = fake.enter("q", "last", &[]);
    fake.open_gate();
    // No command helps.
    for id in [&first, &struck, &last] {
        fake.wait_for_record(id);
    }
    // Which process admits a job is a matter of moments.
    assert!(fired.exists() || point == "admitting", "no process came to {point}");
    assert_eq!(fake.most("q"), 1, "{point}: more jobs ran than the queue has slots: {:?}", fake.began());
    assert!(counted(fake.order()).values().all(|times| *times == 1), "{point}: {:?}", fake.began());
    let view = fake.end_of(&struck);
    let ran = fake.true_code(&struck).is_some();
    let expected = if ran { ("failed", json!(3)) } else { ("lost", json!(null)) };
    assert_eq!((view["outcome"].as_str().unwrap(), view["exitCode"].clone()), expected, "{point}: {view}");
    assert!(ran || point == "begun", "{point}: a job that was not begun is not lost: {view}");
    for id in [&first, &last] {
        assert_eq!(fake.end_of(id)["outcome"], "succeeded", "{point}");
    }
}

#[test]
fn a_supervisor_killed_at_any_point_harms_no_other_job_and_exceeds_no_limit() {
    for point in POINTS {
        struck("LONGSHORE_TEST_ABORT", point);
    }
}

#[test]
#[ignore = "make soak"]
fn soak_of_the_points_at_which_a_supervisor_of_a_queue_is_killed_or_panics() {
    for point in MORE_POINTS {
        struck("LONGSHORE_TEST_ABORT", point);
    }
    for point in POINTS.iter().chain(&MORE_POINTS) {
        struck("LONGSHORE_TEST_PANIC", point);
    }
}

#[test]
fn a_supervisor_killed_before_the_command_has_its_answer_leaves_nothing_in_the_queue() {
    let mut fake = Fake::new();
    fake.run(&["queue", "set", "q"]).code(0);
    fake.run(&["queue", "pause", "q"]).code(0);
    let args = fake.job_args("q", "struck", &[]);
    let ran = fake.with_variable("LONGSHORE_TEST_ABORT", "entered", &args).code(1);
    assert!(ran.stderr.starts_with("error: the supervisor of the job did not start"), "{ran:?}");
    let last = fake.enter("q", "last", &[]);
    assert_eq!(fake.queue_view("q")["waiting"], json!([last]));
    fake.open_gate();
    fake.run(&["queue", "resume", "q"]).code(0);
    assert_eq!(fake.end_of(&last)["outcome"], "succeeded");
    assert_eq!(fake.order(), ["last"]);
}

#[test]
fn a_command_killed_after_it_has_started_the_supervisor_has_queued_the_job() {
    let mut fake = Fake::new();
    let args = fake.job_args("q", "struck", &[]);
    fake.with_variable("LONGSHORE_TEST_ABORT", "launched", &args).code(137);
    let id = fake.run(&["exec", "list", "-q"]).code(0).id();
    fake.open_gate();
    assert_eq!(fake.end_of(&id)["outcome"], "succeeded");
    fake.assert_started(&[&id], 1);
}

#[test]
fn a_container_whose_supervisor_and_client_are_killed_keeps_its_place_until_it_has_ended() {
    let fake = Fake::new();
    let [first, second] = fake.enter_all("q", ["first", "second"]);
    fake.wait_until_began("first");
    wait_until("it has begun", || fake.job("run", &first).join("begun.json").exists());
    fake.kill_supervisor_and_client(&first);
    wait_until("the job that waits has it attended again", || fake.is_supervised(&first));
    assert_eq!(fake.queue_view("q")["running"], json!([first]));
    assert_eq!(fake.job_view(&second)["status"], "queued");
    assert_eq!(fake.order(), ["first"]);
    fake.open_gate();
    fake.wait_for_record(&second);
    assert_eq!((fake.order(), fake.most("q")), (vec!["first".to_owned(), "second".to_owned()], 1));
    let view = fake.end_of(&first);
    assert_eq!((&view["outcome"], &view["recovered"]), (&"succeeded".into(), &true.into()));
}

#[test]
fn when_the_supervisor_that_watches_is_killed_the_next_one_watches() {
    let fake = Fake::new();
    let [first, second, third] = fake.enter_all("q", ["first", "second", "third"]);
    fake.wait_until_began("first");
    wait_until("it has begun", || fake.job("run", &first).join("begun.json").exists());
    fake.kill(fake.supervisor(&second));
    fake.kill(fake.supervisor(&first));
    wait_until("the third has the first attended again", || fake.is_supervised(&first));
    assert_eq!(fake.order(), ["first"]);
    fake.open_gate();
    // The job that was passed over gets a supervisor from the one that starts.
    for id in [&first, &third, &second] {
        fake.wait_for_record(id);
    }
    assert_eq!((fake.order().len(), fake.most("q")), (3, 1));
    fake.assert_started(&[&first, &second, &third], 1);
}

#[test]
fn a_job_whose_supervisor_is_killed_between_its_admission_and_its_start_is_started_all_the_same() {
    let fake = Fake::new();
    let [first, second, third] = fake.enter_all("q", ["first", "second", "third"]);
    fake.wait_until_began("first");
    let stopped = fake.supervisor(&second);
    fake.signal("STOP", stopped);
    fake.go("first");
    fake.wait_for_record(&first);
    wait_until("it is admitted", || fake.queue_view("q")["running"] == json!([second]));
    fake.kill(stopped);
    fake.wait_until_began("second");
    assert_eq!(fake.order(), ["first", "second"]);
    fake.open_gate();
    fake.wait_for_record(&third);
    assert_eq!((fake.order(), fake.most("q")), (["first", "second", "third"].map(str::to_owned).into(), 1));
    assert_eq!(fake.end_of(&second)["outcome"], "succeeded");
}

/// Kills every supervisor of the world at once, and the clients of those that run.
fn kill_all(fake: &Fake) {
    let pids: Vec<String> = fake.supervisors().iter().map(|process| process.pid.to_string()).collect();
    std::process::Command::new("kill").arg("-KILL").args(&pids).output().unwrap();
    wait_until("no supervisor is left", || fake.supervisors().is_empty());
}

/// Ten jobs in two queues, two of them for jobs that end first, and all supervisors killed while some run.
fn all_killed(revive: &[&str]) {
    let fake = Fake::new();
    fake.run(&["queue", "set", "two", "--slots", "2"]).code(0);
    let mut ids: Vec<String> = ["a", "b", "c", "d"].map(|word| fake.enter("two", word, &[])).into();
    ids.extend(fake.enter_all("one", ["e", "f", "g"]));
    ids.push(fake.enter("one", "h", &["--after", &ids[0], "--priority", "5"]));
    ids.push(fake.enter("two", "i", &["--after-any", &ids[4]]));
    for word in ["a", "b", "e"] {
        fake.wait_until_began(word);
    }
    for id in [&ids[0], &ids[1], &ids[4]] {
        wait_until("it has begun", || fake.job("run", id).join("begun.json").exists());
    }
    kill_all(&fake);
    let shown = fake.job_view(&ids[2]);
    assert_eq!((&shown["status"], &shown["position"]), (&"queued".into(), &json!(1)), "{shown}");
    assert_eq!(shown["waitingFor"], "another supervisor, because its own was killed");
    fake.run(revive);
    wait_until("every job has a supervisor", || ids.iter().all(|id| fake.is_supervised(id)));
    assert_eq!(fake.order().len(), 3, "nothing was started beside the containers that run");
    fake.open_gate();
    for id in &ids {
        fake.wait_for_record(id);
        assert_eq!(fake.end_of(id)["outcome"], "succeeded");
    }
    assert_eq!((fake.most("one"), fake.most("two")), (1, 2), "{:?}", fake.began());
    fake.assert_started(&ids.iter().collect::<Vec<_>>(), 1);
    let order = fake.order();
    let at = |word: &str| order.iter().position(|began| began == word);
    assert!(at("f") < at("g"), "those that were in the line have lost their order: {order:?}");
}

#[test]
fn after_all_supervisors_were_killed_at_once_resume_lets_every_job_wait_in_its_old_place() {
    all_killed(&["queue", "resume"]);
}

#[test]
fn after_all_supervisors_were_killed_at_once_any_command_that_changes_something_does_so_too() {
    all_killed(&["exec", "forget", "no-such-run", "nor-such-a-run"]);
}

#[test]
fn a_queued_run_with_variables_is_lost_with_its_supervisor_and_its_command_follows() {
    let fake = Fake::new();
    let first = fake.enter("q", "first", &[]);
    let more = ["-e", "TOKEN=secret", "--on-exit", "echo \"$LONGSHORE_OUTCOME\" >>told"];
    let second = fake.enter("q", "second", &more);
    let third = fake.enter("q", "third", &["-e", "TOKEN=secret"]);
    fake.wait_until_queued(&third);
    for id in [&second, &third] {
        fake.kill(fake.supervisor(id));
    }
    fake.run(&["exec", "wait", &second]).code(125);
    let view = fake.end_of(&second);
    assert_eq!(view["outcome"], "lost");
    let why = "its supervisor was killed before it was started, and with it the values of its variables";
    assert_eq!((&view["reason"], &view["recovered"]), (&why.into(), &true.into()));
    assert_eq!(view["hint"], format!("start it again with: longshore exec rerun {second}"));
    wait_until("its command was run", || std::fs::read_to_string(fake.path("told")).is_ok_and(|told| told == "lost\n"));
    // Another command finishes the other one, and says so.
    fake.run(&["queue", "resume"]).code(0);
    assert_eq!(fake.status_of(&third)["outcome"], "lost");
    assert_eq!(fake.queue_view("q")["waiting"], json!([]));
    fake.open_gate();
    fake.end_of(&first);
    fake.assert_started(&[&second, &third], 0);
}

#[test]
fn after_a_reboot_queued_jobs_wait_again_and_those_that_ran_are_lost() {
    let fake = Fake::new();
    let [first, second, third] = fake.enter_all("q", ["first", "second", "third"]);
    fake.wait_until_began("first");
    wait_until("it has begun", || fake.job("run", &first).join("begun.json").exists());
    let client = fake.client(&first);
    kill_all(&fake);
    fake.kill(client);
    for id in [&first, &second, &third] {
        let record = fake.job("run", id).join("job.json");
        let mut value: Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
        value["bootId"] = "another".into();
        std::fs::write(&record, value.to_string()).unwrap();
    }
    // As of an engine that makes up a code after a crash.
    fake.go("first");
    fake.wait_for_container_end(&first);
    fake.open_gate();
    let said = fake.run(&["queue", "resume"]).code(0);
    assert_eq!(said.stderr.lines().count(), 2, "{said:?}");
    for id in [&second, &third] {
        fake.wait_for_record(id);
        assert_eq!(fake.end_of(id)["outcome"], "succeeded");
    }
    assert_eq!(fake.end_of(&first)["outcome"], "lost");
    assert_eq!((fake.order(), fake.most("q")), (["first", "second", "third"].map(str::to_owned).into(), 1));
}

#[test]
fn a_request_that_a_killed_supervisor_had_not_carried_out_ends_the_job_when_it_has_another() {
    let fake = Fake::new();
    let [first, second] = fake.enter_all("q", ["first", "second"]);
    fake.wait_until_queued(&second);
    let supervisor = fake.supervisor(&second);
    fake.signal("STOP", supervisor);
    let stop = super::beside(&fake, &["exec", "stop", &second]);
    let asked = fake.job("run", &second).join("stop.json");
    wait_until("it is asked to end", || std::fs::read_to_string(&asked).unwrap().contains("stop"));
    fake.kill(supervisor);
    super::end(stop).code(0);
    assert_eq!(fake.end_of(&second)["outcome"], "cancelled");
    fake.assert_started(&[&second], 0);
    fake.open_gate();
    fake.end_of(&first);
}
