//! What a killed supervisor left is finished by the next command: a run is adopted, an end is recorded, remains are removed.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::fake::{Fake, names};
use crate::support::{Ran, wait_until};

/// A copy of everything that is in a directory of the world.
fn copy(fake: &Fake, from: &str, to: &str) {
    let copied = Command::new("cp").arg("-a").arg(fake.path(from)).arg(fake.path(to)).status().unwrap();
    assert!(copied.success());
}

fn remains(fake: &Fake) -> Vec<String> {
    let root = names(&fake.path("state/longshore"));
    root.into_iter().filter(|name| name.starts_with(".new-") || name.starts_with(".del-")).collect()
}

#[test]
fn a_run_whose_supervisor_was_killed_gets_another_that_keeps_its_time_limit() {
    let fake = Fake::new();
    let id = fake.start_gated_with("exit 0", &["--timeout", "3s"]);
    fake.kill_supervisor_and_client(&id);
    assert_eq!(fake.status_of(&id)["reason"], "its supervisor was killed");
    // Any look but a list starts a supervisor, which ends the run in time.
    fake.run(&["exec", "inspect", &id]).code(0);
    fake.supervisor(&id);
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["log"]), (&"timeout".into(), &"complete".into()), "{view}");
    fake.wait_until_quiet();
    assert_eq!(fake.containers(), Vec::<String>::new());
}

#[test]
fn of_many_commands_that_find_a_run_alone_one_starts_a_supervisor() {
    let fake = Fake::new();
    let id = fake.start_unattended("exit 4");
    let looks: Vec<_> =
        (0..8).map(|_| fake.command(&["exec", "inspect", &id]).stdout(Stdio::null()).spawn().unwrap()).collect();
    for mut look in looks {
        assert!(look.wait().unwrap().success());
    }
    let supervisors = fake.processes().into_iter().filter(|process| process.command.contains("__supervise"));
    assert_eq!(supervisors.count(), 1);
    fake.open_gate();
    let view = fake.end_of(&id);
    assert_eq!((&view["exitCode"], &view["recovered"], &view["log"]), (&4.into(), &true.into(), &"complete".into()));
}

#[test]
fn an_end_that_nobody_recorded_is_recorded_once_and_the_container_removed() {
    let fake = Fake::new();
    let id = fake.start_unattended("echo more; exit 5");
    fake.open_gate();
    fake.wait_for_container_end(&id);
    assert_eq!(fake.status_of(&id)["log"], "unverified", "a list does not compare logs");
    assert!(fake.job("run", &id).join("exit.json").exists());
    assert_eq!(fake.containers(), Vec::<String>::new());
    fake.take_engine_down();
    let view = fake.end_of(&id);
    assert_eq!((&view["exitCode"], &view["log"]), (&5.into(), &"recovered".into()));
    assert_eq!(fake.log(&id), b"on\nmore\n");
    fake.bring_engine_up();
}

/// The steps at which a job is on record, in the command and then in the supervisor.
const STEPS: [&str; 11] = [
    "placed",
    "published",
    "launched",
    "admitted",
    "begun",
    "client-started",
    "concluding",
    "saved",
    "filled",
    "recorded",
    "removed",
];

/// The process that comes to a step ends there, in the way of this variable.
fn ended_at_each_step(variable: &str) {
    for point in STEPS {
        let mut fake = Fake::new();
        fake.bystander();
        let fired = fake.path("fired");
        fake.set("LONGSHORE_TEST_FIRED", &fired);
        fake.set(variable, point);
        let args = fake.run_args("seq 200; exit 3", &["--label", "of=this"]);
        let _ = fake.run(&args);
        fake.wait_until_quiet();
        fake.set(variable, "");
        assert!(fired.exists(), "no process came to {point}");
        let list = || fake.run(&["exec", "list", "--json", "--filter", "label=of"]).code(0).json();
        // The kernel releases the locks of a killed process after its memory.
        wait_until("the locks are free", || list()[0]["status"] != "running");
        let views = list();
        let [view] = &views.as_array().unwrap()[..] else { panic!("{point}: {views}") };
        let id = view["id"].as_str().unwrap();
        let ran = fake.true_code(id).is_some();
        let expected = if ran { ("failed", json!(3)) } else { ("lost", json!(null)) };
        assert_eq!((view["outcome"].as_str().unwrap(), view["exitCode"].clone()), expected, "{point}: {view}");
        // The sweep of another run finishes it, as long as that runs.
        let other = fake.start_gated("exit 0");
        wait_until("the end is recorded", || fake.job("run", id).join("exit.json").exists());
        fake.open_gate();
        fake.end_of(&other);
        wait_until("nothing is left", || fake.containers().is_empty() && remains(&fake).is_empty());
        let view = fake.end_of(id);
        assert_eq!((view["outcome"].as_str().unwrap(), view["exitCode"].clone()), expected, "{point}: {view}");
        if ran {
            assert_eq!(fake.log(id), fake.true_log(id), "{point}");
        }
    }
}

#[test]
fn a_process_killed_at_any_step_leaves_a_true_status_and_one_command_finishes_the_rest() {
    ended_at_each_step("LONGSHORE_TEST_ABORT");
}

#[test]
fn a_process_that_panics_at_any_step_leaves_a_true_status_and_one_command_finishes_the_rest() {
    ended_at_each_step("LONGSHORE_TEST_PANIC");
}

#[test]
fn a_command_killed_before_the_job_is_on_record_leaves_what_the_next_sweeps() {
    for point in ["made", "written"] {
        let mut fake = Fake::new();
        fake.bystander();
        fake.set("LONGSHORE_TEST_ABORT", point);
        fake.run(&fake.run_args("exit 0", &["--name", "web"])).code(137);
        fake.set("LONGSHORE_TEST_ABORT", "");
        assert_eq!(remains(&fake).len(), 1, "{point}");
        assert_eq!(fake.run(&["exec", "list", "-q"]).code(0).stdout.lines().count(), 1, "{point}");
        // Its name is free.
        fake.ended_run_with("exit 0", &["--name", "web"]);
        assert_eq!(remains(&fake), Vec::<String>::new(), "{point}");
    }
}

#[test]
fn a_half_filled_exit_record_is_filled_again() {
    let mut fake = Fake::new();
    let fired = fake.path("fired");
    fake.set("LONGSHORE_TEST_FIRED", &fired);
    fake.set("LONGSHORE_TEST_FAULT", "supervisor:write:3:5");
    let id = fake.start("seq 10; exit 3");
    fake.wait_until_quiet();
    fake.set("LONGSHORE_TEST_FAULT", "");
    assert!(fired.exists());
    let half = std::fs::read_to_string(fake.job("run", &id).join("exit.tmp")).unwrap();
    assert!(half.starts_with("{\"format\""), "another write failed: {half:?}");
    let view = fake.end_of(&id);
    assert_eq!((&view["exitCode"], &view["recovered"]), (&3.into(), &true.into()), "{view:#}");
}

#[test]
fn of_many_commands_that_find_an_end_unrecorded_one_records_it() {
    let fake = Fake::new();
    let id = fake.start_unattended("echo more; exit 5");
    fake.open_gate();
    fake.wait_for_container_end(&id);
    fake.forget_calls();
    let all = || {
        let look = || {
            let mut command = fake.command(&["exec", "wait", "--json", &id]);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let looks: Vec<_> = (0..8).map(|_| look()).collect();
        looks.into_iter().map(|look| Ran::from(look.wait_with_output().unwrap()).code(5).json()).collect::<Vec<_>>()
    };
    let said = all();
    assert!(said.iter().all(|view| *view == said[0]), "they say different things: {said:#?}");
    assert_eq!((&said[0]["outcome"], &said[0]["recovered"]), (&"failed".into(), &true.into()));
    let removals = fake.calls().iter().filter(|call| call.starts_with("rm ")).count();
    assert_eq!(removals, 1, "{:?}", fake.calls());
}

#[test]
fn a_copied_state_directory_does_not_touch_the_containers_of_the_original() {
    let mut fake = Fake::new();
    let id = fake.start_gated("exit 3");
    copy(&fake, "state", "copied");
    let copied = fake.path("copied");
    let original = fake.path("state");
    fake.set("XDG_STATE_HOME", &copied);
    assert_eq!(fake.run(&["exec", "inspect", &id]).code(0).json()["Longshore"]["status"], "running");
    let said = fake.run(&["exec", "forget", &id]).code(0).stderr;
    assert!(said.contains("was not removed"), "{said}");
    fake.set("XDG_STATE_HOME", &original);
    assert_eq!(fake.containers(), [format!("longshore-{id}")]);
    fake.open_gate();
    assert_eq!(fake.end_of(&id)["exitCode"], 3);
}

#[test]
fn the_container_of_a_forgotten_run_is_removed_when_the_engine_is_back() {
    let fake = Fake::new();
    let id = fake.start_unattended("exit 3");
    fake.open_gate();
    fake.wait_for_container_end(&id);
    fake.take_engine_down();
    let said = fake.run(&["exec", "forget", &id]).code(0).stderr;
    assert!(said.contains(&format!("its container longshore-{id} may still be there")), "{said}");
    fake.bring_engine_up();
    assert_eq!(fake.containers(), [format!("longshore-{id}")]);
    let other = fake.ended_run("exit 0");
    fake.run(&["exec", "forget", &other]).code(0);
    assert_eq!(fake.containers(), Vec::<String>::new());
    assert_eq!(names(&fake.path("state/longshore/.forgotten")), Vec::<String>::new());
}

#[test]
fn the_container_of_a_run_with_a_corrupt_record_is_removed_when_it_is_forgotten() {
    let fake = Fake::new();
    let id = fake.start_unattended("exit 3");
    fake.open_gate();
    fake.wait_for_container_end(&id);
    std::fs::write(fake.job("run", &id).join("job.json"), "{").unwrap();
    fake.run(&["exec", "forget", &id]).code(0);
    assert_eq!(fake.containers(), Vec::<String>::new());
}

#[test]
fn a_stranger_with_the_label_of_a_run_is_not_taken_for_it() {
    let fake = Fake::new();
    let id = fake.start_unattended("exit 3");
    // As from an image that was committed from the container: the label, and another name and no source directory.
    let stranger = fake.engine("containers/stranger");
    std::fs::create_dir(&stranger).unwrap();
    let config = json!({"Id": "stranger", "Name": "/stranger", "Config": {"Labels": {"longshore.run": id, "longshore.job": id}}});
    let state = json!({"Status": "exited", "Running": false, "ExitCode": 0, "StartedAt": "2026-01-01T00:00:00Z",
                       "FinishedAt": "2026-01-01T00:00:01Z", "OOMKilled": false, "Error": ""});
    std::fs::write(stranger.join("state.json"), state.to_string()).unwrap();
    std::fs::write(stranger.join("config.json"), config.to_string()).unwrap();
    fake.open_gate();
    fake.wait_for_container_end(&id);
    fake.docker(&["rm", &format!("longshore-{id}")]);
    assert_eq!(fake.status_of(&id)["outcome"], "lost", "a stranger's end was told");
    assert!(stranger.exists(), "a stranger's container was removed");
}

#[test]
fn a_wait_with_a_deadline_keeps_it_while_the_engine_hangs() {
    let mut fake = Fake::new();
    fake.set("LONGSHORE_DOCKER_TIMEOUT", "20s");
    let id = fake.start_unattended("exit 3");
    fake.scenario(json!({"rules": [{"call": "container", "hang": true}, {"call": "ps", "hang": true}]}));
    let begun = std::time::Instant::now();
    fake.run(&["exec", "wait", "--timeout", "1s", &id]).code(124);
    assert!(begun.elapsed().as_secs() < 8, "it took {:?}", begun.elapsed());
    fake.scenario(json!({}));
    fake.open_gate();
    assert_eq!(fake.end_of(&id)["exitCode"], 3);
}

#[test]
fn a_run_that_docker_may_still_be_starting_is_not_called_lost() {
    let mut fake = Fake::new();
    fake.set("LONGSHORE_TEST_SETTLING", "2s");
    // The client is killed before it has made the container.
    fake.scenario(json!({"rules": [{"call": "run", "hang": true}]}));
    let id = fake.run(&fake.run_args("exit 0", &[])).code(0).id();
    let is_client = |line: &str| line.contains(&format!("--name longshore-{id}"));
    wait_until("the client runs", || fake.processes().iter().any(|process| is_client(&process.command)));
    let client = fake.processes().into_iter().find(|process| is_client(&process.command)).unwrap();
    fake.kill(fake.supervisor(&id));
    fake.kill(client.pid);
    let listed = || fake.run(&["exec", "list", "--json"]).code(0).json()[0]["outcome"].clone();
    assert_eq!(listed(), "unknown");
    let begun = std::time::Instant::now();
    fake.run(&["exec", "wait", &id]).code(125);
    assert!(begun.elapsed().as_secs() >= 2, "it was believed after {:?}", begun.elapsed());
    assert_eq!(listed(), "lost");
}

#[test]
fn damaged_requests_make_no_stopped_run_a_success() {
    let fake = Fake::new();
    let id = fake.start_unattended("exit 0");
    std::fs::write(fake.job("run", &id).join("stop.json"), "{\"at\": \"2026").unwrap();
    fake.open_gate();
    fake.wait_for_container_end(&id);
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["exitCode"]), (&"lost".into(), &0.into()));
    assert!(view["reason"].as_str().unwrap().contains("stop.json is damaged"), "{view}");
}
