//! Queues while the engine, the disk or the state directory fails: nothing is lost, and the queue goes on afterwards.

use serde_json::json;

use crate::faults::disk::with_mounts;
use crate::support::fake::Fake;
use crate::support::snapshots::snapshot;
use crate::support::wait_until;

#[test]
fn while_the_engine_is_away_jobs_stay_queued_and_they_start_when_it_is_back() {
    let fake = Fake::new();
    let [first, second, third] = fake.enter_all("q", ["first", "second", "third"]);
    let build = ["image", "create", "web", "--base", "base", "--queue", "q", "--priority", "1", "--json"];
    let build = fake.run(&build).code(0).json()["id"].as_str().unwrap().to_owned();
    fake.wait_until_began("first");
    wait_until("it has begun", || fake.job("run", &first).join("begun.json").exists());
    fake.take_engine_down();
    fake.open_gate();
    // The end of the first is not known, so its room is not free.
    wait_until("the first waits for the engine", || fake.job("run", &first).join("waiting").exists());
    assert_eq!(fake.job_view(&build)["position"], 1);
    fake.bring_engine_up();
    for id in [&first, &second, &third] {
        assert_eq!(fake.end_of(id)["outcome"], "succeeded");
    }
    assert_eq!(fake.end_of_build(&build)["outcome"], "succeeded");
    assert_eq!((fake.order().len(), fake.most("q")), (3, 1));
}

#[test]
fn a_job_whose_turn_comes_while_the_engine_is_away_waits_for_it_and_can_be_stopped() {
    let fake = Fake::new();
    fake.run(&["queue", "set", "q", "--slots", "3"]).code(0);
    fake.run(&["queue", "pause", "q"]).code(0);
    let [first, second] = fake.enter_all("q", ["first", "second"]);
    let build = ["image", "create", "web", "--base", "base", "--queue", "q", "--json"];
    let build = fake.run(&build).code(0).json()["id"].as_str().unwrap().to_owned();
    fake.take_engine_down();
    fake.run(&["queue", "resume", "q"]).code(0);
    for (kind, id) in [("run", &first), ("run", &second), ("build", &build)] {
        wait_until("it waits for the engine", || fake.job(kind, id).join("waiting").exists());
        let view = fake.job_view(id);
        assert_eq!(
            (&view["status"], &view["waitingFor"]),
            (&"queued".into(), &"the engine, which does not answer".into())
        );
    }
    fake.run(&["exec", "stop", &second]).code(0);
    assert_eq!(fake.end_of(&second)["outcome"], "cancelled");
    // Another supervisor waits on.
    fake.kill(fake.supervisor(&first));
    fake.run(&["queue", "resume"]).code(0);
    fake.bring_engine_up();
    fake.open_gate();
    assert_eq!(fake.end_of(&first)["outcome"], "succeeded");
    let built = fake.end_of_build(&build);
    assert_eq!(built["outcome"], "succeeded", "{built}");
    fake.assert_started(&[&first], 1);
    fake.assert_started(&[&second], 0);
}

#[test]
fn while_the_engine_hangs_jobs_stay_queued_and_they_start_when_it_answers() {
    let mut fake = Fake::new();
    fake.set("LONGSHORE_DOCKER_TIMEOUT", "500ms");
    fake.run(&["queue", "set", "q"]).code(0);
    fake.run(&["queue", "pause", "q"]).code(0);
    let id = fake.enter("q", "first", &[]);
    fake.scenario(json!({"rules": [{"call": "", "hang": true}]}));
    fake.run(&["queue", "resume", "q"]).code(0);
    wait_until("it waits for the engine", || fake.job("run", &id).join("waiting").exists());
    assert_eq!(fake.job_view(&id)["status"], "queued");
    fake.scenario(json!({}));
    fake.open_gate();
    assert_eq!(fake.end_of(&id)["outcome"], "succeeded");
    fake.assert_started(&[&id], 1);
}

#[test]
fn a_disk_that_is_full_while_jobs_wait_loses_none_of_them_and_the_queue_goes_on_when_there_is_room() {
    let fake = Fake::new();
    std::fs::create_dir(fake.path("state")).unwrap();
    fake.write("src/job.py", "echo on; exit 3");
    fake.write("src/gated.py", fake.gated("", "exit 0"));
    let script = r#"
        mount -t tmpfs -o size=512k,mode=700 none state
        run() { "$longshore" exec run --image base --src src "$@"; }
        "$longshore" queue set q --gpus 0 >/dev/null || exit 89
        first=$(run --main gated.py --queue q --gpus 1) || exit 90
        second=$(run --main job.py --queue q --gpus 1) || exit 91
        third=$(run --main job.py --after "$second" --name third --on-exit 'echo hook >>told') || exit 92
        build=$("$longshore" image create web --base base --queue b --after-any "$second" --json) || exit 93
        cat /dev/zero >state/full 2>/dev/null
        touch engine/gate
        "$longshore" exec wait "$first" || exit 94
        while ! [ -e state/longshore/run/"$first"/exit.json ]; do sleep 0.02; done
        "$longshore" queue list --json; "$longshore" exec status --json "$second"
        "$longshore" queue pause q 2>said && exit 95
        ls state/longshore/.queues/*/running >running
        rm state/full
        "$longshore" exec wait "$second"; [ $? = 3 ] || exit 96
        "$longshore" wait --timeout 30s web || exit 97
        "$longshore" exec wait third; [ $? = 125 ] || exit 98
        "$longshore" ps -a --json >all
        "$longshore" exec forget --all >/dev/null; "$longshore" image forget --all >/dev/null
        ls -A state/longshore/.queues/*/line state/longshore/.queues/*/running state/longshore/.queues/*/held | grep '[.]run[.]'"#;
    let Some(ran) = with_mounts(&fake, script) else { return };
    let ran = ran.code(1);
    let mut documents = serde_json::Deserializer::from_str(&ran.stdout).into_iter::<serde_json::Value>();
    let (queues, status) = (documents.next().unwrap().unwrap(), documents.next().unwrap().unwrap());
    assert_eq!(status["status"], "queued", "{queues} {status}");
    let all: serde_json::Value = serde_json::from_slice(&std::fs::read(fake.path("all")).unwrap()).unwrap();
    let outcomes: Vec<&str> = all.as_array().unwrap().iter().map(|job| job["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["succeeded", "skipped", "failed", "succeeded"]);
    let said = std::fs::read_to_string(fake.path("said")).unwrap();
    assert!(said.contains("No space left on device"), "{said}");
    fake.wait_until_quiet();
}

#[test]
fn a_read_only_state_directory_shows_its_queues_and_changes_none() {
    let fake = Fake::new();
    fake.run(&["queue", "set", "q", "--slots", "2"]).code(0);
    fake.ended_run("exit 0");
    let script = r#"
        mount --bind state state && mount -o remount,bind,ro state || exit 90
        "$longshore" queue list || exit 91
        "$longshore" ps -q >/dev/null || exit 92
        "$longshore" queue set q --slots 3; [ $? = 1 ] || exit 93
        "$longshore" queue set new; [ $? = 1 ] || exit 94
        "$longshore" queue pause q; [ $? = 1 ] || exit 95
        "$longshore" queue rm q; [ $? = 1 ] || exit 96
        "$longshore" exec run --image base --src src --main p0.py --queue q; [ $? = 1 ] || exit 97"#;
    let Some(ran) = with_mounts(&fake, script) else { return };
    snapshot!(fake, ran.code(0));
    assert_eq!(fake.queue_view("q")["slots"], 2);
}

#[test]
fn when_the_state_directory_is_removed_no_queued_job_is_left() {
    let fake = Fake::new();
    let [first, _, _] = fake.enter_all("q", ["first", "second", "third"]);
    fake.wait_until_began("first");
    fake.run(&fake.job_args("q", "fourth", &["--after", &first])).code(0);
    std::fs::remove_dir_all(fake.path("state")).unwrap();
    fake.open_gate();
    fake.wait_until_quiet();
    assert_eq!(fake.order(), ["first"]);
    assert!(!fake.path("state/longshore").exists(), "it was made again");
    fake.leaves_unsound("the removed directory was the only place that knew the container");
}

/// A queue in which the job that comes first has a call of the file system that fails, for every call that there is.
fn each_fails(call: &str, errno: i32) {
    let mut fake = Fake::new();
    let fired = fake.path("fired");
    fake.set("LONGSHORE_TEST_FIRED", &fired);
    fake.open_gate();
    for at in 1.. {
        fake.run(&["queue", "set", "q"]).code(0);
        fake.run(&["queue", "pause", "q"]).code(0);
        let args = fake.job_args("q", "struck", &["--", "struck", "3", "q"]);
        let struck = fake.with_variable("LONGSHORE_TEST_FAULT", &format!("supervisor:{call}:{at}:{errno}"), &args);
        let last = fake.enter("q", "last", &[]);
        fake.run(&["queue", "resume", "q"]).code(0);
        assert_eq!(fake.end_of(&last)["outcome"], "succeeded", "{call} {at}");
        if struck.code == 0 {
            let view = fake.end_of(&struck.id());
            let is_true = fake.true_code(&struck.id()).is_none() || view["exitCode"] == 3;
            assert!(is_true && ["failed", "lost"].contains(&view["outcome"].as_str().unwrap()), "{call} {at}: {view}");
        }
        assert_eq!(fake.most("q"), 1, "{call} {at}");
        fake.assert_sound();
        let happened = std::fs::remove_file(&fired).is_ok();
        if !happened {
            assert!(at > 1, "the supervisor makes no call {call:?}");
            assert_eq!(struck.code, 0, "{struck:?}");
            return;
        }
    }
}

#[test]
fn whichever_write_of_a_queued_supervisor_fails_the_queue_goes_on() {
    each_fails("write", 28);
}

#[test]
#[ignore = "make soak"]
fn soak_of_every_call_of_a_queued_supervisor_that_fails() {
    for call in ["open", "make", "write", "fsync", "rename"] {
        for errno in [5, 28] {
            each_fails(call, errno);
        }
    }
}
