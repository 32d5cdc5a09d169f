//! SIGKILL and other signals to the processes of a job, one or all.

use crate::support::fake::{Fake, Process, names};
use crate::support::wait_until;

#[test]
fn a_run_ends_with_its_own_code_and_leaves_nothing() {
    let fake = Fake::new();
    let id = fake.start("echo out; echo err >&2; exit 7");
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["exitCode"], &view["log"]), (&"failed".into(), &7.into(), &"complete".into()));
    assert_eq!(fake.log(&id), b"out\nerr\n");
    fake.wait_until_quiet();
    assert_eq!(fake.containers(), Vec::<String>::new());
}

#[test]
fn a_killed_supervisor_loses_no_byte_of_a_hundred_megabytes() {
    let fake = Fake::new();
    let half = "yes 0123456789abcdef | head -c 50000000";
    let id = fake.start(&fake.gated(half, half));
    let log = fake.job("run", &id).join("log");
    wait_until("half of the output is there", || log.metadata().unwrap().len() == 50_000_000);
    fake.kill(fake.supervisor(&id));
    let view = fake.status_of(&id);
    assert_eq!((&view["status"], &view["reason"]), (&"running".into(), &"its supervisor was killed".into()));
    fake.open_gate();
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["recovered"]), (&"succeeded".into(), &true.into()));
    assert_eq!(fake.true_log(&id).len(), 100_000_000);
    assert!(fake.log(&id) == fake.true_log(&id));
}

#[test]
fn a_killed_client_loses_neither_line_nor_code() {
    let fake = Fake::new();
    let id = fake.start(&fake.gated("echo before", "echo after; exit 3"));
    fake.wait_for_output(&id, "before");
    fake.kill(fake.client(&id));
    assert_eq!(fake.status_of(&id)["status"], "running");
    fake.open_gate();
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["exitCode"], &view["log"]), (&"failed".into(), &3.into(), &"recovered".into()));
    assert_eq!(fake.log(&id), b"before\nafter\n");
}

#[test]
fn a_killed_supervisor_and_client_lose_neither_line_nor_code() {
    let fake = Fake::new();
    let id = fake.start(&fake.gated("echo before", "echo after; exit 4"));
    fake.wait_for_output(&id, "before");
    fake.kill_supervisor_and_client(&id);
    assert_eq!(fake.status_of(&id)["status"], "running");
    fake.open_gate();
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["exitCode"]), (&"failed".into(), &4.into()));
    assert_eq!(view["recovered"], true);
    assert_eq!(fake.log(&id), b"before\nafter\n");
}

#[test]
fn a_supervisor_killed_after_its_client_ended_leaves_a_true_status() {
    let fake = Fake::new();
    // The engine goes away with the program's end, which keeps the supervisor from finishing.
    let id = fake.start(r#"echo all; touch "$FAKE_DOCKER_DIR/down"; exit 5"#);
    wait_until("the supervisor waits for the engine", || fake.job("run", &id).join("waiting").exists());
    fake.kill(fake.supervisor(&id));
    let view = fake.status_of(&id);
    assert_eq!((&view["status"], &view["outcome"]), (&"exited".into(), &"unknown".into()));
    fake.bring_engine_up();
    let view = fake.status_of(&id);
    assert_eq!((&view["outcome"], &view["exitCode"], &view["recovered"]), (&"failed".into(), &5.into(), &true.into()));
}

#[test]
fn while_its_supervisor_is_stopped_a_run_is_running_and_a_list_is_quick() {
    let fake = Fake::new();
    let id = fake.start_gated("exit 0");
    let supervisor = fake.supervisor(&id);
    fake.signal("STOP", supervisor);
    fake.open_gate();
    wait_until("the container has ended", || fake.true_code(&id).is_some());
    let begun = std::time::Instant::now();
    assert_eq!(fake.status_of(&id)["status"], "running");
    assert!(begun.elapsed().as_secs_f32() < 1.0, "the reader took {:?}", begun.elapsed());
    fake.signal("CONT", supervisor);
    assert_eq!(fake.end_of(&id)["outcome"], "succeeded");
}

#[test]
fn a_supervisor_ignores_term_hup_int_and_quit() {
    let fake = Fake::new();
    let id = fake.start_gated("exit 6");
    let supervisor = fake.supervisor(&id);
    for signal in ["TERM", "HUP", "INT", "QUIT"] {
        fake.signal(signal, supervisor);
    }
    assert_eq!(fake.status_of(&id)["status"], "running");
    fake.open_gate();
    assert_eq!(fake.end_of(&id)["exitCode"], 6);
}

#[test]
fn a_build_whose_supervisor_was_killed_is_proven_by_its_image() {
    let fake = Fake::new();
    let script = fake.gated("echo building", "true");
    fake.scenario(serde_json::json!({"build": {"script": script}}));
    let id = fake.build("web");
    let log = fake.job("build", &id).join("log");
    wait_until("the step of the build runs", || std::fs::read_to_string(&log).unwrap().contains("building"));
    fake.kill(fake.supervisor(&id));
    let view = fake.run(&["image", "status", "web", "--json"]).code(0).json();
    assert_eq!((&view["status"], &view["reason"]), (&"running".into(), &"its supervisor was killed".into()));
    fake.open_gate();
    let view = fake.end_of_build("web");
    assert_eq!((&view["outcome"], &view["recovered"]), (&"succeeded".into(), &true.into()));
    fake.wait_until_quiet();
    fake.run(&["image", "forget", "web"]).code(0);
}

#[test]
fn a_build_whose_supervisor_and_client_were_killed_is_lost() {
    let fake = Fake::new();
    let id = fake.build_gated("web");
    fake.kill(fake.supervisor(&id));
    let clients: Vec<_> = fake.processes().into_iter().filter(|p| p.command.contains("--force-rm")).collect();
    assert_eq!(clients.len(), 1, "{clients:?}");
    fake.kill(clients[0].pid);
    fake.open_gate();
    let ran = fake.run(&["image", "wait", "--json", "web"]).code(125);
    assert_eq!(ran.json()["outcome"], "lost");
    fake.wait_until_quiet();
    assert_eq!(fake.run(&["image", "builds", "--json", "--status", "lost"]).json()[0]["id"], id.as_str());
    fake.run(&["image", "forget", "web"]).code(0);
}

#[test]
fn directories_of_killed_commands_are_swept_and_those_in_use_are_not() {
    let fake = Fake::new();
    let id = fake.ended_run("exit 0");
    let half = |name: &str| {
        fake.write(&format!("state/longshore/{name}/log"), "");
        fake.write(&format!("state/longshore/{name}/lock"), "")
    };
    half(".new-dead");
    half(".del-dead");
    std::fs::create_dir(fake.path("state/longshore/.new-empty")).unwrap();
    fake.write("state/longshore/.new-lock/lock", "");
    let held = std::fs::File::open(half(".new-live")).unwrap();
    held.try_lock().unwrap();
    fake.run(&["exec", "forget", &id]).code(0);
    for name in [".new-dead", ".del-dead", ".new-empty", ".new-lock"] {
        assert!(!fake.path("state/longshore").join(name).exists(), "{name} is left");
    }
    assert!(fake.path("state/longshore/.new-live").exists(), "a directory that is being made was swept");
    drop(held);
    fake.ended_run("exit 0");
}

#[test]
fn a_build_whose_client_was_killed_is_a_failure() {
    let fake = Fake::new();
    fake.build_gated("web");
    let client = fake.processes().into_iter().find(|process| process.command.contains("--force-rm")).unwrap();
    fake.kill(client.pid);
    fake.open_gate();
    let view = fake.end_of_build("web");
    assert_eq!((&view["outcome"], &view["signal"]), (&"failed".into(), &9.into()));
    fake.run(&["image", "wait", "web"]).code(137);
}

#[test]
fn a_file_that_a_killed_supervisor_was_writing_is_removed() {
    let fake = Fake::new();
    let id = fake.start_unattended("exit 3");
    fake.write(&format!("state/longshore/run/{id}/.begun.json.0927c9ac520ae614a43e"), "{");
    fake.open_gate();
    assert_eq!(fake.end_of(&id)["exitCode"], 3);
    wait_until("it is removed", || names(&fake.job("run", &id)).iter().all(|name| !name.starts_with('.')));
}

#[test]
fn random_kills_make_no_status_wrong_and_lose_no_line_unmarked() {
    let fake = Fake::new();
    // Always the same kills, at moments that never are the same.
    let mut seed: u32 = 2_463_534_242;
    let mut random = |below: u32| {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        seed % below
    };
    let pause = |milliseconds: u32| std::thread::sleep(std::time::Duration::from_millis(milliseconds.into()));
    for round in 0..16 {
        let script = format!("seq 100; sleep 0.0{}; seq 100; exit {}", random(9), round % 3);
        let mut command =
            fake.command(&fake.run_args(&script, &[])).stdout(std::process::Stdio::null()).spawn().unwrap();
        pause(random(120));
        if round % 4 == 0 {
            let _ = command.kill();
        }
        let _ = command.wait();
        // The containers of the fake are forks of its clients: only the pid tells them apart.
        let clients: Vec<u32> = names(&fake.engine("clients"))
            .iter()
            .filter_map(|name| std::fs::read_to_string(fake.engine("clients").join(name)).ok()?.parse().ok())
            .collect();
        let is_ours = |process: &Process| process.command.contains("__supervise") || clients.contains(&process.pid);
        for process in fake.processes().into_iter().filter(is_ours) {
            if random(2) == 0 {
                let _ = std::process::Command::new("kill").args(["-KILL", &process.pid.to_string()]).output();
            }
        }
    }
    fake.wait_until_quiet();
    let views = fake.run(&["exec", "list", "--json"]).code(0).json();
    assert!(views.as_array().unwrap().len() >= 8, "too few runs came about: {views}");
    // One whole run, so that there is always something to forget, and with it the rest is swept.
    fake.ended_run("exit 0");
}
