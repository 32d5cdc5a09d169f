//! SIGKILL of the command, the supervisor, the docker client, each alone and together, on the real engine: the status
//! is never wrong, the code is the program's, and the log is whole.

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{has_line, processes};
use crate::support::real::{Client, Real};
use crate::support::{schema, wait_until};

/// Says a hundred lines over two seconds and ends with 7. All on one stream: between two the engine keeps no order.
const PROGRAM: &str = "\
import time
for number in range(100):
    print('line', number)
    time.sleep(0.02)
raise SystemExit(7)
";

fn truth() -> String {
    (0..100).map(|number| format!("line {number}\n")).collect()
}

fn is_supervisor(words: &[String], id: &str) -> bool {
    words.iter().any(|word| word == "__supervise") && words.iter().any(|word| word == id)
}

pub fn is_client(words: &[String], id: &str) -> bool {
    let name = format!("longshore-{id}");
    words.windows(2).any(|pair| pair[0] == "--name" && pair[1] == name)
}

/// Kills every process that fits, at least one, and waits until it is gone.
#[track_caller]
pub fn kill(id: &str, fits: fn(&[String], &str) -> bool) {
    let found: Vec<i32> = processes().into_iter().filter(|(_, words)| fits(words, id)).map(|(pid, _)| pid).collect();
    assert!(!found.is_empty(), "there is no such process of {id}");
    for pid in found {
        let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
    }
    wait_until("it is gone", || !processes().iter().any(|(_, words)| fits(words, id)));
}

fn wait_for_line_10(real: &Real, id: &str) {
    wait_until("the program has begun", || real.says(id, "line 10\n"));
}

/// After the end: the code, the outcome, the log byte for byte.
#[track_caller]
fn assert_ended_right(real: &Real, id: &str) -> serde_json::Value {
    let (job, code) = real.wait(id);
    assert_eq!((code, &job["exitCode"], &job["outcome"]), (7, &json!(7), &json!("failed")), "{job:#}");
    assert_eq!(String::from_utf8(real.log(id)).unwrap(), truth());
    let inspected = real.inspect(id);
    assert_eq!((&inspected["State"]["ExitCode"], &inspected["State"]["Running"]), (&json!(7), &json!(false)));
    schema::validated("job", job)
}

/// Meanwhile it runs, and `logs --follow` from now on shows every line.
#[track_caller]
fn assert_running_and_follow(real: &Real, id: &str) -> Child {
    assert_eq!(real.inspect(id)["Longshore"]["status"], "running");
    let listed = real.run(&["exec", "list", "--status", "running", "-q"]).code(0).stdout;
    assert_eq!(listed, format!("{id}\n"));
    real.command(&["exec", "logs", "--follow", id]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[track_caller]
fn assert_followed_to_the_end(follower: Child) -> String {
    let output = follower.wait_with_output().unwrap();
    let (shown, said) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr).into_owned());
    assert_eq!(shown, truth(), "{said}");
    said
}

#[test]
fn a_supervisor_killed_changes_neither_the_run_nor_its_log() {
    let real = Real::new();
    let id = real.start(PROGRAM, &[]);
    wait_for_line_10(&real, &id);
    kill(&id, is_supervisor);
    let listed = real.run(&["exec", "list", "--json"]).code(0).json();
    assert_eq!(listed[0]["reason"], "its supervisor was killed");
    let follower = assert_running_and_follow(&real, &id);
    let job = assert_ended_right(&real, &id);
    assert_eq!(job["recovered"], json!(true));
    assert_followed_to_the_end(follower);
}

#[test]
fn a_killed_client_loses_no_line_and_no_code() {
    let real = Real::new();
    let id = real.start(PROGRAM, &[]);
    wait_for_line_10(&real, &id);
    kill(&id, is_client);
    assert_running_and_follow(&real, &id).wait_with_output().unwrap();
    let job = assert_ended_right(&real, &id);
    assert_eq!((&job["log"], &job["recovered"]), (&json!("recovered"), &json!(false)));
    wait_until("the container is gone", || real.containers().is_empty());
}

#[test]
fn a_supervisor_and_then_its_client_killed_lose_no_line_and_no_code() {
    let real = Real::new();
    let id = real.start(PROGRAM, &[]);
    wait_for_line_10(&real, &id);
    kill(&id, is_supervisor);
    kill(&id, is_client);
    let follower = assert_running_and_follow(&real, &id);
    let job = assert_ended_right(&real, &id);
    assert_eq!(job["recovered"], json!(true));
    let said = assert_followed_to_the_end(follower);
    assert!(said.contains("following the engine's copy of the log"), "{said}");
}

#[test]
fn a_client_and_then_its_supervisor_killed_lose_no_line_and_no_code() {
    let real = Real::new();
    let id = real.start(PROGRAM, &["--log-driver", "json-file"]);
    wait_for_line_10(&real, &id);
    kill(&id, is_client);
    kill(&id, is_supervisor);
    assert_ended_right(&real, &id);
}

#[test]
fn a_command_killed_while_it_waits_or_follows_leaves_the_run_as_it_was() {
    let real = Real::new();
    for flag in ["--wait", "--follow"] {
        let file = real.path(&format!("id{flag}"));
        let args = real.run_args(&real.source(PROGRAM), &[flag, "--id-file", file.to_str().unwrap()]);
        let mut command = real.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_until("the id is written", || std::fs::read(&file).is_ok_and(|id| !id.is_empty()));
        let id = std::fs::read_to_string(&file).unwrap().trim_end().to_owned();
        wait_for_line_10(&real, &id);
        command.kill().unwrap();
        command.wait().unwrap();
        let job = assert_ended_right(&real, &id);
        assert_eq!((&job["log"], &job["recovered"]), (&json!("complete"), &json!(false)), "{flag}");
    }
}

#[test]
fn a_supervisor_killed_at_once_never_makes_a_status_wrong() {
    let real = Real::new();
    for _ in 0..3 {
        let id = real.start(PROGRAM, &[]);
        kill(&id, is_supervisor);
        // The command returns before the client is started.
        let (job, code) = real.wait(&id);
        if job["outcome"] == "lost" {
            assert_eq!((code, real.log(&id).len()), (125, 0), "{job:#}");
            assert_eq!(job["reason"], "it was not started: longshore was killed before that");
        } else {
            assert_ended_right(&real, &id);
        }
    }
}

#[test]
fn a_client_killed_at_any_moment_makes_no_status_and_no_log_wrong() {
    let real = Real::new();
    let clients = |id: &str| -> Vec<i32> {
        processes().into_iter().filter(|(_, words)| is_client(words, id)).map(|(pid, _)| pid).collect()
    };
    let ids: Vec<String> = (0..12)
        .map(|moment| {
            let id = real.start(PROGRAM, &[]);
            std::thread::sleep(Duration::from_millis(moment * 40));
            for pid in clients(&id) {
                let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
            }
            id
        })
        .collect();
    let mut recovered = 0;
    for id in ids {
        let (job, code) = real.wait(&id);
        if job["outcome"] == "lost" {
            // Killed before it had the container started: nothing ran, and that is what is said.
            assert_eq!((code, &job["exitCode"], real.log(&id).len()), (125, &json!(null), 0), "{job:#}");
        } else {
            assert_eq!((code, &job["outcome"], &job["exitCode"]), (7, &json!("failed"), &json!(7)), "{job:#}");
            assert_eq!(String::from_utf8(real.log(&id)).unwrap(), truth());
            recovered += 1;
        }
    }
    assert!(recovered > 0, "the container of at least one had begun");
    wait_until("every container is gone", || real.containers().is_empty());
}

#[test]
fn a_renamed_container_is_found_by_its_label() {
    let real = Real::new();
    let id = real.start(PROGRAM, &[]);
    wait_for_line_10(&real, &id);
    kill(&id, is_supervisor);
    kill(&id, is_client);
    real.docker_says(&["rename", &format!("longshore-{id}"), &format!("renamed-{id}")]);
    assert_eq!(real.run(&["exec", "list", "-q", "--status", "running"]).code(0).id(), id);
    assert_ended_right(&real, &id);
}

/// Somebody else renames the container and restarts it: the run ends when it ends for the second time.
#[test]
fn a_container_that_was_renamed_and_restarted_is_one_run_with_the_last_code() {
    for is_supervised in [true, false] {
        let real = Real::new();
        let code = "import os, signal, sys, time\n\
                    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))\n\
                    life = len(os.listdir('output')) + 1\n\
                    open(f'output/{life}', 'w').close()\n\
                    print('life', life, flush=True)\n\
                    while life == 1 or not os.path.exists('output/go'): time.sleep(0.02)\n\
                    raise SystemExit(7)\n";
        let output = real.path("output");
        let id = real.start(code, &["--output", output.to_str().unwrap()]);
        wait_until("the program has begun", || real.says(&id, "life 1\n"));
        if !is_supervised {
            kill(&id, is_supervisor);
            kill(&id, is_client);
        }
        let name = format!("renamed-{id}");
        real.docker_says(&["rename", &format!("longshore-{id}"), &name]);
        real.docker_says(&["restart", "-t", "10", &name]);
        wait_until("it lives again", || output.join("2").exists());
        let listed = real.run(&["exec", "list", "--json"]).code(0).json();
        assert_eq!(listed.as_array().unwrap().len(), 1, "{listed:#}");
        assert_eq!((&listed[0]["id"], &listed[0]["status"]), (&json!(id), &json!("running")), "{listed:#}");
        assert_eq!(real.containers().len(), 1);
        real.write("output/go", "");
        let (job, code) = real.wait(&id);
        assert_eq!((code, &job["exitCode"], &job["outcome"]), (7, &json!(7), &json!("failed")), "{job:#}");
        assert_eq!(String::from_utf8(real.log(&id)).unwrap(), "life 1\nlife 2\n", "{job:#}");
        wait_until("the container is removed", || real.containers().is_empty());
    }
}

#[test]
fn without_a_copy_of_the_engine_a_killed_client_makes_the_log_incomplete_and_says_so() {
    let real = Real::new();
    let id = real.start(PROGRAM, &["--log-driver", "none"]);
    wait_for_line_10(&real, &id);
    kill(&id, is_client);
    let (job, code) = real.wait(&id);
    assert_eq!((code, &job["exitCode"], &job["log"]), (7, &json!(7), &json!("incomplete")));
    assert!(job["reason"].as_str().unwrap().contains("log: incomplete"), "{job:#}");
    assert!(truth().as_bytes().starts_with(&real.log(&id)));
}

/// Prints `first` and, when there is a file `gate` beside it, `last`.
fn in_two_parts(real: &Real, first: &str, driver: &str) -> (String, PathBuf) {
    let code = format!(
        "import os, sys, time\nos.write(1, {first})\nwhile not os.path.exists('/app/gate'): time.sleep(0.02)\n\
         os.write(1, b'last\\n')\nraise SystemExit(7)\n"
    );
    let source = real.source(&code);
    let id = real.run(&real.run_args(&source, &["--log-driver", driver])).code(0).id();
    (id, source.join("gate"))
}

/// The client is killed between the two parts. The log has the first part as it was printed, whatever the engine's copy
/// made of it, and the second.
#[track_caller]
fn assert_exact(driver: &str, first: &str, bytes: &[u8]) {
    let real = Real::new();
    let (id, gate) = in_two_parts(&real, first, driver);
    wait_until("the first part is there", || real.log(&id).len() == bytes.len());
    kill(&id, is_client);
    std::fs::write(gate, "").unwrap();
    let (job, code) = real.wait(&id);
    assert_eq!((code, &job["log"]), (7, &json!("recovered")), "{job:#}");
    assert!(
        real.log(&id) == [bytes, b"last\n"].concat(),
        "{driver}: {} bytes are not as they were printed",
        bytes.len()
    );
}

#[test]
fn bytes_that_are_no_text_stay_as_they_were_printed_when_the_client_is_killed() {
    assert_exact("json-file", r"b'\xff\xfe no text \xc3\n'", b"\xff\xfe no text \xc3\n");
}

#[test]
fn the_end_of_a_long_line_stays_as_it_was_printed_when_the_client_is_killed() {
    for driver in ["local", "json-file"] {
        assert_exact(driver, r"b'x' * 20000 + b'\n'", &[vec![b'x'; 20_000], vec![b'\n']].concat());
    }
}

/// The program makes a file and ends. A stop that is asked for after that finds it ended, and does not cancel the run. Only in
/// the moment before the container ends does docker take the signal: it ends the program, or comes after the program's end.
#[test]
fn a_stop_just_after_the_end_of_the_program_does_not_cancel_the_run() {
    let real = Real::new();
    let tries = std::sync::atomic::AtomicU64::new(0);
    let (wrong, right) = (std::sync::Mutex::new(Vec::new()), std::sync::atomic::AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let number = tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if number >= 30 {
                        return;
                    }
                    let output = real.path(&format!("ended-{number}"));
                    std::fs::create_dir(&output).unwrap();
                    let code = "open('/app/output/ended', 'w').close()\nimport os\nos._exit(0)\n";
                    let args = real.run_args(&real.source(code), &["--output", output.to_str().unwrap()]);
                    let id = real.run(&args).code(0).id();
                    while !output.join("ended").exists() {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    std::thread::sleep(Duration::from_millis(2 + number * 38 / 30));
                    real.run(&["exec", "stop", &id]);
                    let (job, _) = real.wait(&id);
                    if job["outcome"] == "succeeded" {
                        right.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    } else if job["outcome"] != "cancelled"
                        || ![0, 143].map(serde_json::Value::from).contains(&job["exitCode"])
                    {
                        wrong.lock().unwrap().push(job);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of 30: {wrong:#?}", wrong.len());
    let right = right.into_inner();
    assert!(right >= 15, "only {right} of 30 runs that ended by themselves have succeeded");
}

#[test]
fn a_build_whose_supervisor_was_killed_continues_and_is_proven_by_its_image() {
    let real = Real::with(Client::Buildx);
    let name = real.name("orphan");
    let command = format!("for i in 1 2 3 4 5 6 7 8; do echo step $i; sleep 0.2; done # {name}");
    let args =
        ["image", "create", &name, "--base", &Real::base(), "--label", &real.label(), "--run", &command, "--json"];
    let id = real.run(&args).code(0).json()["id"].as_str().unwrap().to_owned();
    let status = || schema::validated("image-status", real.run(&["image", "status", &name, "--json"]).code(0).json());
    wait_until("the step runs", || has_line(&status(), "step 2"));
    kill(&id, is_supervisor);
    assert_eq!((&status()["status"], &status()["outcome"]), (&json!("running"), &json!(null)));
    let job = real.run(&["image", "wait", &name, "--json"]).code(0).json();
    assert_eq!((&job["outcome"], &job["recovered"]), (&json!("succeeded"), &json!(true)));
    assert!(has_line(&status(), "step 8") && has_line(&status(), "done"), "{:#}", status());
    assert!(real.has_image(&name));
}
