//! The order of a queue, its limits, and the commands that change it.

use serde_json::{Value, json};

use super::counted;
use crate::glance::at_terminals;
use crate::support::fake::Fake;
use crate::support::schema::validated;
use crate::support::snapshots::{snapshot, together};
use crate::support::wait_until;

#[test]
fn jobs_run_in_the_order_of_their_requests_and_a_priority_goes_before_it() {
    let fake = Fake::new();
    let [first, second, third] = fake.enter_all("q", ["first", "second", "third"]);
    let low = fake.enter("q", "low", &["--priority", "-1"]);
    let high = fake.enter("q", "high", &["--priority", "2"]);
    let fourth = fake.enter("q", "fourth", &["--priority", "0"]);
    let waiting = json!([high, second, third, fourth, low]);
    assert_eq!(fake.queue_view("q")["waiting"], waiting);
    for (at, id) in waiting.as_array().unwrap().iter().enumerate() {
        assert_eq!(fake.job_view(id.as_str().unwrap())["position"], at + 1);
    }
    fake.open_gate();
    fake.wait_for_record(&low);
    assert_eq!(fake.order(), ["first", "high", "second", "third", "fourth", "low"]);
    assert_eq!((fake.most("q"), &fake.end_of(&first)["outcome"]), (1, &json!("succeeded")));
}

#[test]
fn as_many_jobs_run_as_the_limits_say_and_new_limits_hold_at_once() {
    let fake = Fake::new();
    fake.run(&["queue", "set", "q", "--slots", "2"]).code(0);
    let ids = fake.enter_all("q", ["a", "b", "c", "d", "e", "f"]);
    fake.wait_until_began("b");
    assert_eq!(fake.queue_view("q")["running"].as_array().unwrap().len(), 2);
    fake.run(&["queue", "set", "q", "--slots", "4"]).code(0);
    for word in ["c", "d"] {
        fake.wait_until_began(word);
    }
    fake.run(&["queue", "set", "q", "--slots", "1"]).code(0);
    for word in ["a", "b", "c"] {
        fake.go(word);
    }
    for id in &ids[..3] {
        fake.wait_for_record(id);
    }
    // One still runs, which is as many as there may be.
    assert_eq!((fake.order().len(), fake.most("q")), (4, 4));
    fake.go("d");
    fake.wait_until_began("e");
    fake.run(&["queue", "set", "q", "--slots", "none", "--cpus", "8"]).code(0);
    assert_eq!(
        fake.job_view(&ids[5])["waitingFor"],
        "larger limits: queue q limits the processors of its jobs, and the job has no --cpus of its own"
    );
    fake.run(&["queue", "set", "q", "--cpus", "none"]).code(0);
    fake.open_gate();
    for id in &ids {
        assert_eq!(fake.end_of(id)["outcome"], "succeeded");
    }
    let last = fake.began().pop().unwrap();
    assert_eq!((last.word.as_str(), last.running), ("f", 1));
}

#[test]
fn processors_and_memory_are_shared_and_no_small_job_overtakes_a_large_one() {
    let fake = Fake::new();
    fake.run(&["queue", "set", "q", "--cpus", "4", "--memory", "4608m"]).code(0);
    let enter = |word, cpus, memory| fake.enter("q", word, &["--cpus", cpus, "--memory", memory]);
    let ids = [enter("a", "2", "1g"), enter("b", "1.5", "1g"), enter("large", "1", "3g"), enter("small", "0.1", "16m")];
    fake.wait_until_began("a");
    fake.wait_until_began("b");
    assert_eq!(fake.job_view(&ids[3])["position"], 2);
    assert_eq!(fake.job_view(&ids[2])["waitingFor"], "room in queue q");
    assert_eq!(fake.began().len(), 2, "a small job overtook a large one: {:?}", fake.order());
    // Then there is room for both.
    fake.go("b");
    fake.wait_until_began("large");
    fake.wait_until_began("small");
    fake.open_gate();
    for id in &ids {
        assert_eq!(fake.end_of(id)["outcome"], "succeeded");
    }
    // What could never start is refused at once.
    let refused = [["--cpus", "5", "--memory", "1g"], ["--cpus", "1", "--memory", "5g"]]
        .map(|more| fake.run(&fake.job_args("q", "x", &more)).code(2));
    let none = fake.run(&fake.job_args("q", "x", &[])).code(2);
    snapshot!(fake, together(refused), none);
    assert_eq!(fake.queue_view("q")["waiting"], json!([]));
}

#[test]
fn a_paused_queue_starts_nothing_and_what_runs_goes_on() {
    let fake = Fake::new();
    let [first, second] = fake.enter_all("q", ["first", "second"]);
    fake.wait_until_began("first");
    let paused = fake.run(&["queue", "pause", "q"]).code(0);
    fake.open_gate();
    assert_eq!(fake.end_of(&first)["outcome"], "succeeded");
    let third = fake.enter("q", "third", &["--priority", "9"]);
    assert_eq!(fake.job_view(&third)["waitingFor"], "queue q, which is paused");
    fake.run(&["queue", "set", "q", "--slots", "5"]).code(0);
    assert_eq!(fake.order(), ["first"]);
    let resumed = fake.run(&["queue", "resume", "q"]).code(0);
    for id in [&second, &third] {
        assert_eq!(fake.end_of(id)["outcome"], "succeeded");
    }
    assert_eq!(counted(fake.order()).len(), 3);
    snapshot!(fake, paused, resumed);
}

#[test]
fn gpus_are_handed_out_one_by_one_and_come_back() {
    let fake = Fake::new();
    fake.run(&["queue", "set", "gpu", "--gpus", "0,1,2"]).code(0);
    let enter = |word, gpus| fake.enter("gpu", word, &["--gpus", gpus]);
    let (one, two, third, all) =
        (enter("one", "1"), enter("two", "2"), enter("third", "device=1"), enter("all", "all"));
    fake.wait_until_began("two");
    let asked = |id: &str| {
        let calls = fake.calls();
        let call = calls.iter().find(|call| call.contains(&format!("--name longshore-{id} "))).cloned();
        let mut words = call.as_deref().unwrap_or_default().split(' ').skip_while(|word| *word != "--gpus");
        words.nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!((asked(&one).as_str(), asked(&two).as_str()), ("device=0", "\"device=1,2\""));
    assert_eq!((&fake.job_view(&one)["gpus"], &fake.job_view(&two)["gpus"]), (&json!(["0"]), &json!(["1", "2"])));
    assert_eq!(fake.job_view(&third).get("gpus"), None);
    fake.go("one");
    fake.wait_for_record(&one);
    assert_eq!(fake.job_view(&third)["status"], "queued", "its device is not free");
    fake.go("two");
    fake.wait_until_began("third");
    assert_eq!(asked(&third), "device=1");
    assert_eq!(fake.job_view(&all)["status"], "queued");
    fake.open_gate();
    for id in [&one, &two, &third, &all] {
        let view = fake.end_of(id);
        assert_eq!(view["outcome"], "succeeded");
        validated("job", view);
    }
    assert_eq!(asked(&all), "\"device=0,1,2\"");
    let refused = ["4", "device=7"].map(|gpus| fake.run(&fake.job_args("gpu", "x", &["--gpus", gpus])).code(2));
    snapshot!(fake, together(refused), fake.run(&fake.job_args("gpu", "x", &[])).code(2));
}

#[test]
fn what_is_said_of_queues_and_their_jobs() {
    let mut fake = Fake::new();
    fake.run(&["queue", "set", "gpu", "--gpus", "0", "--slots", "2", "--memory", "2g", "--cpus", "4"]).code(0);
    let [first, second] = fake.enter_all("q", ["first", "second"]);
    fake.enter("q", "third", &["--name", "a-name-that-is-rather-long"]);
    fake.run(&["image", "create", "web", "--base", "base", "--queue", "q", "--after", &first]).code(0);
    fake.run(&["queue", "set", "paused"]).code(0);
    fake.run(&["queue", "pause", "paused"]).code(0);
    fake.wait_until_began("first");
    wait_until("it has begun", || fake.job("run", &first).join("begun.json").exists());
    let queues = fake.run(&["queue", "list", "--json"]).code(0).json();
    validated("queues", queues);
    let changed = validated("queue", fake.run(&["queue", "set", "q", "--json"]).code(0).json());
    assert_eq!(changed["waiting"].as_array().unwrap().len(), 2);
    for id in [&first, &second] {
        validated("job", fake.job_view(id));
    }
    let inspected = fake.run(&["exec", "inspect", &second]).code(0).json();
    assert_eq!((&inspected["Longshore"]["status"], &inspected["Id"]), (&json!("queued"), &json!(null)));
    let commands: [&[&str]; 9] = [
        &["queue", "list"],
        &["queue", "ls", "-q"],
        &["ps"],
        &["ps", "-q", "--filter", "queue=q"],
        &["exec", "list", "--status", "queued"],
        &["exec", "list", "--filter", "queue=gpu"],
        &["exec", "status", &second],
        &["image", "status", "web"],
        &["queue", "rm", "q"],
    ];
    let piped = commands.map(|args| fake.run(args));
    let shown = [&["queue", "list"][..], &["ps"]].map(|args| at_terminals(&mut fake, args));
    snapshot!(fake, together(piped), together(shown));
    fake.open_gate();
    fake.end_of_build("web");
}

#[test]
fn a_queue_is_removed_once_it_has_no_jobs_and_unknown_ones_are_named() {
    let fake = Fake::new();
    fake.run(&["queue", "set", "other", "--slots", "3"]).code(0);
    let id = fake.enter("q", "first", &[]);
    let refused = fake.run(&["queue", "rm", "q", "other", "nosuch", "--json"]).code(1);
    let missing = ["pause", "resume", "rm"].map(|verb| fake.run(&["queue", verb, "nosuch"]).code(1));
    let usage: [&[&str]; 5] = [
        &["queue", "set", "a b"],
        &["queue", "set", "q", "--slots", "0"],
        &["queue", "set", "q", "--gpus", "0,0"],
        &["queue", "pause"],
        &["exec", "run", "--image", "base", "--src", "src", "--main", "job.py", "--queue", ""],
    ];
    let usage = usage.map(|args| fake.run(args).code(2));
    snapshot!(fake, refused, together(missing), together(usage));
    fake.open_gate();
    fake.end_of(&id);
    fake.wait_until_quiet();
    fake.run(&["queue", "rm", "q"]).code(0);
    assert_eq!(fake.run(&["queue", "list", "--json"]).code(0).json(), json!([]));
    // A job makes it again.
    let again = fake.enter("q", "again", &[]);
    assert_eq!(fake.end_of(&again)["outcome"], "succeeded");
    // How long it took is noted after its end is recorded.
    fake.wait_until_quiet();
    assert_eq!(fake.queue_view("q")["took"].as_f64().map(|took| took >= 0.0), Some(true));
}

#[test]
fn of_many_commands_that_enter_and_change_a_queue_at_once_each_is_done() {
    let fake = Fake::new();
    fake.run(&["queue", "set", "q", "--slots", "3"]).code(0);
    fake.open_gate();
    let entering: Vec<_> = (0..12).map(|n| super::beside(&fake, &fake.job_args("q", &format!("n{n}"), &[]))).collect();
    let removing: Vec<_> = (0..4).map(|_| super::beside(&fake, &["queue", "rm", "q", "p"])).collect();
    let ids: Vec<String> = entering.into_iter().map(|child| super::end(child).code(0).id()).collect();
    for child in removing {
        super::end(child);
    }
    for id in &ids {
        assert_eq!(fake.end_of(id)["outcome"], Value::from("succeeded"));
    }
    assert!(fake.most("q") <= 3, "{:?}", fake.began());
    fake.assert_started(&ids.iter().collect::<Vec<_>>(), 1);
}
