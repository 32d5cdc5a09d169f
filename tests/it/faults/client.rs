//! A docker client, or an engine, that is missing, away, slow, cut short, or does not tell the truth.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::fake::{Fake, assert_failure_document, job_ids};
use crate::support::snapshots::snapshot;
use crate::support::{Ran, wait_until};

/// Starts a run that is refused with this kind of error, and of which nothing is left.
#[track_caller]
fn refused_run(fake: &Fake, kind: &str) -> Ran {
    let ran = fake.run(&fake.run_args("exit 0", &["--json"])).code(1);
    assert_failure_document(&ran, kind);
    assert_eq!(job_ids(&fake.jobs("run")), Vec::<String>::new(), "a refused run was published");
    ran
}

#[test]
fn without_a_docker_program_nothing_is_started() {
    let mut fake = Fake::new();
    let missing = fake.path("no-such-docker");
    fake.set("LONGSHORE_DOCKER", &missing);
    snapshot!(fake, refused_run(&fake, "engine-not-found"));
}

#[test]
fn a_docker_program_that_cannot_be_run_is_named() {
    let mut fake = Fake::new();
    let plain = fake.write("docker", "#!/bin/sh\n");
    fake.set("LONGSHORE_DOCKER", &plain);
    snapshot!(fake, refused_run(&fake, "engine-not-executable"));
}

#[test]
fn a_docker_program_that_vanished_does_not_hide_the_jobs() {
    let mut fake = Fake::new();
    let id = fake.ended_run("exit 3");
    fake.set("LONGSHORE_DOCKER", "/nonexistent/docker");
    assert_eq!(fake.status_of(&id)["exitCode"], 3);
    assert_eq!(fake.run(&["exec", "logs", &id]).code(0).stdout, "");
}

#[test]
fn a_start_without_an_engine_fails_with_dockers_message() {
    let fake = Fake::new();
    fake.take_engine_down();
    let run = refused_run(&fake, "engine-unreachable");
    let build = fake.run(&["image", "create", "web", "--base", "base", "--json"]).code(1);
    assert_failure_document(&build, "engine-unreachable");
    snapshot!(fake, run, build);
}

#[test]
fn a_running_program_stays_running_while_the_engine_is_down() {
    let fake = Fake::new();
    let id = fake.start_gated("exit 3");
    assert_eq!(fake.run(&["exec", "inspect", &id]).code(0).json()["State"]["Running"], true);
    fake.take_engine_down();
    let ran = fake.run(&["exec", "inspect", &id, "--json"]).code(1);
    assert_failure_document(&ran, "engine-unreachable");
    snapshot!(fake, ran, fake.run(&["exec", "list"]));
    fake.bring_engine_up();
    fake.open_gate();
    assert_eq!(fake.end_of(&id)["exitCode"], 3);
}

#[test]
fn a_supervisor_waits_for_an_engine_that_is_down_when_the_run_ends() {
    let fake = Fake::new();
    let id = fake.start(r#"echo all; touch "$FAKE_DOCKER_DIR/down"; exit 3"#);
    wait_until("the run waits for the engine", || fake.job("run", &id).join("waiting").exists());
    let view = fake.status_of(&id);
    assert_eq!((&view["status"], &view["reason"]), (&"running".into(), &"the engine is unreachable".into()));
    fake.bring_engine_up();
    let view = fake.end_of(&id);
    assert_eq!((&view["exitCode"], &view["recovered"]), (&3.into(), &false.into()));
}

#[test]
fn a_client_that_ends_first_does_not_end_the_run() {
    for code in [0, 1, 125, 137, 255] {
        let fake = Fake::new();
        fake.scenario(json!({"client": {"leaves": code}}));
        let id = fake.start(&fake.gated("echo on", "seq 100; exit 8"));
        wait_until("the client has left", || !crate::support::fake::is_running(fake.client(&id)));
        assert_eq!(fake.status_of(&id)["status"], "running", "the client ended with {code}");
        fake.open_gate();
        let view = fake.end_of(&id);
        assert_eq!(
            (&view["outcome"], &view["exitCode"]),
            (&"failed".into(), &8.into()),
            "the client ended with {code}"
        );
        assert_eq!(fake.log(&id), fake.true_log(&id));
    }
}

#[test]
fn the_clients_code_is_never_taken_for_the_containers() {
    for (client, container) in [(0, 3), (1, 0), (125, 0), (125, 125), (255, 255)] {
        let fake = Fake::new();
        fake.scenario(json!({"client": {"exit": client}}));
        let id = fake.start(&format!("echo on; exit {container}"));
        assert_eq!(fake.end_of(&id)["exitCode"], container, "the client ended with {client}");
    }
}

#[test]
fn a_255_that_the_client_did_not_see_is_lost() {
    let fake = Fake::new();
    fake.scenario(json!({"client": {"exit": 125}}));
    let id = fake.start("echo on; exit 255");
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["exitCode"]), (&"lost".into(), &Value::Null));
    assert_eq!(
        view["reason"].as_str().unwrap().split(';').next(),
        Some("the engine lost its exit code (it reports 255)")
    );
    fake.run(&["exec", "wait", &id]).code(125);
}

#[test]
fn a_program_that_ends_with_125_is_a_program_that_failed() {
    let fake = Fake::new();
    let id = fake.start("exit 125");
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["exitCode"], &view["reason"]), (&"failed".into(), &125.into(), &Value::Null));
}

#[test]
fn a_container_that_cannot_be_created_fails_with_dockers_reason() {
    let fake = Fake::new();
    let words =
        "docker: Error response from daemon: invalid mount config\nRun 'docker run --help' for more information";
    fake.scenario(json!({"rules": [{"call": "run", "exit": 125, "stderr": words}]}));
    let id = fake.start("exit 0");
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["exitCode"]), (&"failed".into(), &125.into()));
    assert_eq!(view["reason"], "Error response from daemon: invalid mount config");
}

#[test]
fn a_program_that_is_not_in_the_image_fails_with_the_engines_reason() {
    let fake = Fake::new();
    let words = "exec: \"python3\": executable file not found in $PATH";
    fake.scenario(json!({"startError": [127, words]}));
    let id = fake.start("exit 0");
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["exitCode"], &view["reason"]), (&"failed".into(), &127.into(), &words.into()));
}

#[test]
fn a_program_killed_by_a_signal_has_the_signal_in_its_status() {
    let fake = Fake::new();
    let id = fake.start("kill -KILL $$");
    let view = fake.end_of(&id);
    assert_eq!((&view["exitCode"], &view["signal"]), (&137.into(), &9.into()));
    assert_eq!(view["reason"], "killed by signal SIGKILL");
    fake.run(&["exec", "wait", &id]).code(137);
    fake.scenario(json!({"inspect": {"State": {"OOMKilled": true}}}));
    let id = fake.start_with("kill -KILL $$", &["--memory", "2g"]);
    assert_eq!(fake.end_of(&id)["reason"], "killed: out of memory, limit 2 GiB");
}

#[test]
fn after_a_reboot_a_code_of_zero_is_lost_and_any_other_is_shown() {
    let fake = Fake::new();
    fake.scenario(json!({"serverVersion": "24.0.1"}));
    let ids = [fake.start(&fake.gated("echo on", "exit 0")), fake.start(&fake.gated("echo on", "exit 3"))];
    // The later one first, because its supervisor adopts runs that it finds alone.
    for id in ids.iter().rev() {
        fake.wait_for_output(id, "on");
        wait_until("it has begun", || fake.job("run", id).join("begun.json").exists());
        fake.kill_supervisor_and_client(id);
        // The record of another boot.
        let record = fake.job("run", id).join("job.json");
        let mut value: Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
        value["bootId"] = "another".into();
        std::fs::write(&record, value.to_string()).unwrap();
    }
    fake.open_gate();
    for id in &ids {
        fake.wait_for_container_end(id);
    }
    let lost = fake.end_of(&ids[0]);
    assert_eq!((&lost["outcome"], &lost["exitCode"]), (&"lost".into(), &Value::Null));
    fake.run(&["exec", "wait", &ids[0]]).code(125);
    let failed = fake.end_of(&ids[1]);
    assert_eq!((&failed["outcome"], &failed["exitCode"]), (&"failed".into(), &3.into()));
    snapshot!(fake, format!("{lost:#}\n\n{failed:#}\n"));
}

#[test]
fn a_zero_of_an_engine_that_invents_zeros_is_lost() {
    let fake = Fake::new();
    fake.scenario(json!({"serverVersion": "24.0.1"}));
    let id = fake.start_unattended("exit 0");
    fake.open_gate();
    let view = fake.end_of(&id);
    assert_eq!(view["outcome"], "lost");
    snapshot!(fake, format!("{view:#}\n"));
}

#[test]
fn a_run_whose_container_was_removed_is_lost() {
    let fake = Fake::new();
    // Under the supervisor's eyes …
    let watched = fake.start_gated("exit 0");
    fake.docker(&["rm", "--force", &format!("longshore-{watched}")]);
    // … and without a supervisor.
    let alone = fake.start_unattended("echo off; exit 0");
    fake.open_gate();
    wait_until("the container has ended", || fake.true_code(&alone).is_some());
    fake.docker(&["rm", "--force", &format!("longshore-{alone}")]);
    for id in [watched, alone] {
        let view = fake.end_of(&id);
        assert_eq!((&view["outcome"], &view["exitCode"]), (&"lost".into(), &Value::Null));
        assert_eq!(view["log"], "incomplete", "what the container printed last cannot be known");
        fake.run(&["exec", "wait", &id]).code(125);
    }
    snapshot!(fake, fake.run(&["exec", "list", "--json"]));
}

#[test]
fn a_renamed_container_is_found_by_its_label() {
    let fake = Fake::new();
    let id = fake.start_gated("echo off; exit 3");
    let old = fake.engine(&format!("names/longshore-{id}"));
    let config = fake.engine("containers").join(std::fs::read_link(&old).unwrap()).join("config.json");
    let mut value: Value = serde_json::from_slice(&std::fs::read(&config).unwrap()).unwrap();
    value["Name"] = "/mine-now".into();
    std::fs::write(&config, value.to_string()).unwrap();
    std::fs::rename(old, fake.engine("names/mine-now")).unwrap();
    std::os::unix::fs::symlink(format!("longshore-{id}.log"), fake.engine("truth/mine-now.log")).unwrap();
    fake.open_gate();
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["exitCode"]), (&"failed".into(), &3.into()));
}

#[test]
fn a_job_is_looked_up_on_the_engine_on_which_it_was_started() {
    let mut fake = Fake::new();
    fake.set("DOCKER_HOST", "tcp://192.0.2.1:2375");
    let id = fake.start_gated_with("exit 3", &["--ship", "never"]);
    fake.kill_supervisor_and_client(&id);
    fake.set("DOCKER_HOST", "tcp://192.0.2.2:2375");
    let ran = fake.run(&["--verbose", "exec", "list", "--json"]).code(0);
    assert!(!ran.stderr.contains("192.0.2.2"), "{}", ran.stderr);
    snapshot!(fake, ran);
    fake.open_gate();
    assert_eq!(fake.end_of(&id)["exitCode"], 3);
}

#[test]
fn a_container_missing_on_another_engine_is_unknown_and_not_lost() {
    let fake = Fake::new();
    let id = fake.start_unattended("exit 3");
    let hidden = json!([{"call": "container inspect", "exit": 1, "stdout": "[]"}, {"call": "ps", "exit": 0}]);
    fake.scenario(json!({"engineId": "another", "rules": hidden}));
    let view = fake.status_of(&id);
    assert_eq!(view["outcome"], "unknown");
    snapshot!(fake, fake.run(&["exec", "list"]), fake.run(&["exec", "wait", "--json", &id]).code(125));
    fake.scenario(json!({}));
    fake.open_gate();
    assert_eq!(fake.end_of(&id)["exitCode"], 3);
}

#[test]
fn after_an_invalid_answer_a_run_is_unknown_and_never_lost() {
    let fake = Fake::new();
    let id = fake.start(&fake.gated("echo on", "exit 3"));
    let other = fake.ended_run("exit 0");
    fake.wait_for_output(&id, "on");
    fake.kill_supervisor_and_client(&id);
    fake.open_gate();
    wait_until("the container has ended", || fake.true_code(&id).is_some());
    let ours = format!("\"Id\": \"x\", \"Config\": {{\"Labels\": {{\"longshore.run\": \"{id}\"}}}}");
    let large = format!("[{}", "{\"Id\": [], ".repeat(1_000_000));
    for nonsense in [
        String::new(),
        "[]".to_owned(),
        "null".to_owned(),
        "{\"message\": \"sorry\"}".to_owned(),
        format!("[{{{ours}, \"State\": {{\"Status\": \"exi"),
        format!("[{{{ours}, \"State\": {{\"Status\": \"melted\", \"ExitCode\": 0}}}}]"),
        format!("[{{{ours}, \"State\": {{\"Status\": \"exited\", \"ExitCode\": \"0\"}}}}]"),
        format!("[{{{ours}, \"State\": []}}]"),
        "[{\"Id\": 7, \"Config\": {\"Labels\": []}, \"State\": {\"Status\": \"exited\"}}]".to_owned(),
        large,
    ] {
        fake.scenario(json!({"rules": [{"call": "container inspect", "stdout": nonsense}]}));
        let view = fake.status_of(&id);
        assert_eq!(view["outcome"], "unknown", "{nonsense:.200}: {view}");
        assert_eq!(fake.status_of(&other)["outcome"], "succeeded");
        fake.run(&["exec", "wait", &id]).code(125);
    }
    // More than is known of a container is no harm, however large.
    let more =
        json!({"New": {"Field": [1, {}], "Large": "x".repeat(10 << 20)}, "State": {"Health": {"Status": "starting"}}});
    fake.scenario(json!({"inspect": more}));
    assert_eq!(fake.status_of(&id)["exitCode"], 3);
}

#[test]
fn a_supervisor_asks_again_after_an_invalid_answer() {
    let fake = Fake::new();
    fake.scenario(json!({"rules": [{"call": "container inspect", "stdout": "[{", "times": 2}]}));
    let id = fake.start("exit 3");
    assert_eq!(fake.end_of(&id)["exitCode"], 3);
}

#[test]
fn an_engine_that_hangs_delays_a_list_by_its_timeout_only() {
    let mut fake = Fake::new();
    fake.set("LONGSHORE_DOCKER_TIMEOUT", "2s");
    let id = fake.start(&fake.gated("echo on", "exit 3"));
    let other = fake.ended_run("exit 0");
    fake.wait_for_output(&id, "on");
    fake.kill_supervisor_and_client(&id);
    fake.open_gate();
    fake.scenario(json!({"rules": [{"call": "container inspect", "hang": true}]}));
    let begun = Instant::now();
    let views = fake.run(&["exec", "list", "--json"]).code(0).json();
    assert!(begun.elapsed() < Duration::from_secs(12), "it took {:?}", begun.elapsed());
    let outcome = |id: &str| views.as_array().unwrap().iter().find(|v| v["id"] == id).unwrap()["outcome"].clone();
    assert_eq!((outcome(&id), outcome(&other)), ("unknown".into(), "succeeded".into()));
    fake.scenario(json!({}));
}

#[test]
fn a_log_whose_end_the_client_cut_is_fetched_again() {
    for version in ["28.0.1", "28.5.1"] {
        let fake = Fake::new();
        fake.scenario(json!({"clientVersion": version, "client": {"cut": 7}}));
        let id = fake.start("seq 1000; printf 'no newline'; exit 2");
        let view = fake.end_of(&id);
        assert_eq!((&view["exitCode"], &view["log"]), (&2.into(), &"recovered".into()), "client {version}");
        assert_eq!(fake.log(&id), fake.true_log(&id));
    }
}

#[test]
fn a_log_that_cannot_be_compared_is_unverified_and_every_reader_says_so() {
    let fake = Fake::new();
    let refusal = json!([{"call": "logs", "exit": 1, "stderr": "Error response from daemon: configured logging driver does not support reading"}]);
    fake.scenario(json!({"rules": refusal}));
    let id = fake.start("echo all; exit 2");
    let view = fake.end_of(&id);
    assert_eq!((&view["exitCode"], &view["log"]), (&2.into(), &"unverified".into()));
    let why = "log: unverified: it cannot be compared with a copy: docker logs exited with status 1";
    assert_eq!(view["reason"], why);
    for flags in [&[][..], &["-f"], &["-f", "--exit-code"]] {
        let ran = fake.run(&[&["exec", "logs", &id], flags].concat());
        assert_eq!((ran.stdout.as_str(), ran.stderr), ("all\n", format!("note: {why}\n")), "{flags:?}");
    }
    let document = fake.run(&["exec", "logs", "--json", &id]).json();
    assert_eq!(document, json!({"log": "unverified", "reason": why, "lines": ["all"]}));
    let rows = fake.run(&["exec", "logs", "-f", "--json", &id]).stdout;
    assert_eq!(rows, format!("{{\"line\": \"all\"}}\n{}\n", json!({"log": "unverified", "reason": why})));
}

#[test]
fn a_killed_look_at_the_engines_copy_is_repeated() {
    let fake = Fake::new();
    fake.scenario(json!({"rules": [{"call": "logs", "exit": 137, "times": 2}]}));
    let view = fake.end_of(&fake.start("echo all; exit 2"));
    assert_eq!((&view["exitCode"], &view["log"], &view["reason"]), (&2.into(), &"complete".into(), &Value::Null));
}

#[test]
fn a_log_that_cannot_be_completed_is_incomplete_and_its_container_is_kept() {
    let fake = Fake::new();
    fake.scenario(json!({"rules": [{"call": "logs", "exit": 1, "stderr": "does not support reading"}]}));
    let id = fake.start_gated("echo off; exit 2");
    fake.kill(fake.client(&id));
    fake.open_gate();
    let view = fake.end_of(&id);
    assert_eq!((&view["exitCode"], &view["log"]), (&2.into(), &"incomplete".into()));
    snapshot!(fake, fake.run(&["exec", "list"]), fake.run(&["exec", "logs", &id]));
    fake.wait_until_quiet();
    assert_eq!(fake.containers(), [format!("longshore-{id}")], "the last copy of the output is gone");
}

#[test]
fn a_build_is_a_success_only_with_an_image_of_its_own() {
    let other = json!({"longshore.job": "another"});
    let fake = Fake::new();
    for build in [json!({"iid": null}), json!({"iid": "rubbish"}), json!({"labels": other}), json!({"labels": {}})] {
        fake.scenario(json!({"build": build}));
        fake.build("web");
        let view = fake.run(&["image", "wait", "--json", "web"]).code(1).json();
        assert_eq!((&view["outcome"], &view["exitCode"]), (&"failed".into(), &1.into()), "{build}");
    }
    snapshot!(fake, fake.run(&["image", "builds", "--json"]));
}

#[test]
fn a_failed_build_exits_with_1_and_shows_the_end_of_its_log() {
    let fake = Fake::new();
    fake.scenario(json!({"build": {"script": "echo 'longshore: no such package'; exit 4"}}));
    let args = ["image", "create", "web", "--base", "base", "--wait"];
    let ran = fake.run(&args).code(1);
    snapshot!(fake, ran);
}

#[test]
fn a_cancelled_build_leaves_no_client() {
    let fake = Fake::new();
    fake.build_gated("web");
    fake.run(&["image", "cancel", "web"]).code(0);
    assert_eq!(fake.end_of_build("web")["outcome"], "cancelled");
}

#[test]
fn cancel_of_a_build_without_supervisor_is_refused_at_once() {
    let fake = Fake::new();
    let id = fake.build_gated("web");
    fake.kill(fake.supervisor(&id));
    let begun = Instant::now();
    let ran = fake.run(&["image", "cancel", "web"]).code(1);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    snapshot!(fake, ran, fake.run(&["image", "builds"]));
    fake.open_gate();
    assert_ne!(fake.end_of_build("web")["outcome"], "cancelled");
    // With its supervisor gone, the build's context stays until it is forgotten.
    fake.wait_until_quiet();
    fake.run(&["image", "forget", "web"]).code(0);
}

#[test]
fn a_run_is_ended_by_its_timeout() {
    let fake = Fake::new();
    let id = fake.start_with(&fake.gated("echo on", ""), &["--timeout", "500ms"]);
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["exitCode"]), (&"timeout".into(), &143.into()));
    fake.run(&["exec", "wait", &id]).code(124);
}

#[test]
fn a_stop_that_the_engine_refused_does_not_cancel_the_run() {
    let fake = Fake::new();
    let id = fake.start_unattended("exit 0");
    fake.scenario(json!({"rules": [{"call": "kill", "exit": 1, "stderr": "permission denied"}]}));
    let ran = fake.run(&["exec", "stop", &id]).code(1);
    assert!(ran.stderr.starts_with(&format!("error: could not end run {id}: ")), "{}", ran.stderr);
    fake.scenario(json!({}));
    fake.open_gate();
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["exitCode"]), (&"succeeded".into(), &0.into()), "{view}");
}

#[test]
fn a_run_that_ends_by_itself_before_the_signal_arrives_is_not_cancelled() {
    for code in [0, 3] {
        let fake = Fake::new();
        let id = fake.start_gated(&format!("exit {code}"));
        // The program ends after docker was found to run it, and before docker sends the signal.
        let gate = fake.engine("gate");
        let running = format!("grep -q '\"Running\": true' {}/*/state.json", fake.engine("containers").display());
        let first = format!("touch {}; while {running}; do sleep 0.01; done", gate.display());
        fake.scenario(json!({"rules": [{"call": "kill", "first": first}]}));
        fake.run(&["exec", "stop", &id]).code(0);
        let view = fake.end_of(&id);
        let outcome = if code == 0 { "succeeded" } else { "failed" };
        assert_eq!((&view["outcome"], &view["exitCode"]), (&outcome.into(), &code.into()), "{view}");
        assert!(fake.calls().iter().any(|call| call.starts_with("kill --signal TERM ")), "docker was asked");
    }
}

#[test]
fn a_run_whose_supervisor_was_suspended_can_be_ended() {
    let fake = Fake::new();
    let id = fake.start_gated("exit 0");
    let supervisor = fake.supervisor(&id);
    fake.signal("STOP", supervisor);
    let mut stop = fake.command(&["exec", "stop", "-t", "1", &id]).stdout(std::process::Stdio::null()).spawn().unwrap();
    wait_until("the container has ended", || fake.true_code(&id).is_some());
    fake.signal("CONT", supervisor);
    assert!(stop.wait().unwrap().success());
    assert_eq!(fake.end_of(&id)["outcome"], "cancelled");
}
