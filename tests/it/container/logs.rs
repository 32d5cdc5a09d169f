//! `container logs` beside what the engine kept.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::real::Real;
use crate::support::snapshots::{snapshot, together};

#[test]
fn stdout_and_stderr_stay_apart_and_are_exact() {
    let real = Real::new();
    let id = real.finished("a", r"printf 'one\n\033[2Jtwo\n'; printf 'bad\n' >&2; printf '\377\000 no newline'");
    let logs = real.command(&["container", "logs", &id]).output().unwrap();
    assert!(logs.status.success());
    let theirs = |streams: &str| real.docker_py_bytes(&format!("c.logs('{id}', {streams})"));
    assert_eq!(logs.stdout, theirs("stdout=True, stderr=False"));
    assert_eq!(logs.stderr, theirs("stdout=False, stderr=True"));
    assert_eq!(logs.stderr, b"bad\n");

    let shown = real.at_terminal("", &["logs", &id]).code(0).stdout;
    assert!(shown.contains("^[[2Jtwo") && !shown.contains("\x1b[2J"), "{shown:?}");
}

#[test]
fn lines_are_the_whole_log_as_json() {
    let real = Real::new();
    let id = real.finished("a", "for i in 1 2 3; do echo line $i; done");
    let ran = real.container(&["logs", &id, "--json"]).code(0);
    assert_eq!(ran.stderr, "");
    assert_eq!(ran.json(), json!({"lines": ["line 1", "line 2", "line 3"]}));
    assert_eq!(real.container(&["logs", "-n", "1", "--json", &id]).json(), json!({"lines": ["line 3"]}));
    assert_eq!(real.container(&["logs", "--tail", "0", "--json", &id]).json(), json!({"lines": []}));
    assert_eq!(real.container(&["logs", "-n", "all", &id]).code(0).stdout, "line 1\nline 2\nline 3\n");
    let refused = real.container(&["logs", "-n", "-1", &id]).code(2);
    assert!(refused.stderr.starts_with("error: "), "{}", refused.stderr);
    let never = real.created("b");
    assert_eq!(real.container(&["logs", "--json", &never]).code(0).json(), json!({"lines": []}));
}

#[test]
fn times_choose_lines_and_begin_them() {
    let real = Real::new();
    let id = real.finished("a", "echo early; sleep 1.2; echo late");
    let lines = real.container(&["logs", "-t", &id]).code(0).stdout;
    let times: Vec<&str> = lines.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert!(lines.lines().zip(["early", "late"]).all(|(line, word)| line.ends_with(word)), "{lines}");
    let times: Vec<chrono::DateTime<chrono::FixedOffset>> =
        times.iter().map(|time| chrono::DateTime::parse_from_rfc3339(time).unwrap()).collect();
    let between = (times[0] + chrono::TimeDelta::milliseconds(600)).to_rfc3339();
    assert_eq!(real.container(&["logs", "--since", &between, &id]).code(0).stdout, "late\n");
    assert_eq!(real.container(&["logs", "--until", &between, &id]).code(0).stdout, "early\n");
    let second = (times[0].timestamp() + 3600).to_string();
    assert_eq!(real.container(&["logs", "--since", &second, &id]).code(0).stdout, "");
    assert_eq!(real.container(&["logs", "--since", "1h30m", &id]).code(0).stdout, "early\nlate\n");
    assert_eq!(real.container(&["logs", "--until", "42m", "--json", &id]).code(0).json(), json!({"lines": []}));
    real.container(&["logs", "--since", "yesterday", &id]).code(2);
}

#[test]
fn follow_ends_when_the_container_ends() {
    let real = Real::new();
    let line = "i=0; while [ ! -e /go ]; do sleep 0.05; done; echo late; echo bad >&2";
    let id = real.docker_made(&["run", "-d"], "a", &[], &["sh", "-c", &format!("echo early; {line}")]);
    let spawn = |args: &[&str]| {
        let mut command = real.command(&[&["container", "logs", "-f", &id], args].concat());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let (plain, rows) = (spawn(&[]), spawn(&["--json"]));
    real.docker_says(&["exec", &id, "touch", "/go"]);
    let plain = plain.wait_with_output().unwrap();
    assert!(plain.status.success());
    assert_eq!((&plain.stdout[..], &plain.stderr[..]), (&b"early\nlate\n"[..], &b"bad\n"[..]));
    let rows = rows.wait_with_output().unwrap();
    assert!(rows.status.success());
    let mut rows: Vec<Value> =
        String::from_utf8(rows.stdout).unwrap().lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    // Of two streams written at once the engine knows no order.
    rows[1..].sort_by_key(ToString::to_string);
    assert_eq!(rows, [json!({"line": "early"}), json!({"line": "bad"}), json!({"line": "late"})]);
}

#[test]
fn a_closed_pipe_ends_logs_with_0_and_no_message() {
    let real = Real::new();
    let id = real.finished("a", "seq 300000");
    for format in ["", "--json"] {
        let line = format!(r#""$@" container logs {id} {format} | head -n 1; exit ${{PIPESTATUS[0]}}"#);
        let output = real.through(&["bash", "-c", &line, "bash"], &[] as &[&str]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{format}");
        assert_eq!(output.status.code(), Some(0), "{format}");
    }
}

#[test]
fn a_log_that_cannot_be_read_is_one_error_and_one_document() {
    let mut real = Real::new();
    let id = real.docker_made(&["create"], "a", &["--log-driver", "none"], &["true"]);
    let without_log = [&["logs", &id][..], &["logs", "-f", &id]].map(|args| {
        let (text, document) = (real.container(args), real.container(&[args, &["--json"]].concat()));
        assert_eq!(document.json()["error"]["kind"], "engine-failed");
        together([text, document])
    });

    let id = real.created("b");
    real.wrap_docker("if [ \"$verb\" = logs ]; then echo 'the engine said no' >&2; exit 1; fi");
    let failed = [real.container(&["logs", &id]).code(1), real.container(&["logs", "--json", &id]).code(1)];
    snapshot!(real, together(without_log), together(failed));
}

#[test]
fn ctrl_c_ends_follow_and_not_the_container() {
    use rustix::process::{Pid, Signal, kill_process};
    use std::io::Read as _;
    let real = Real::new();
    let id = real.docker_made(&["run", "-d"], "a", &[], &["sh", "-c", "echo on; sleep 600"]);
    let said = format!("container {} is still running", real.name("a"));
    let ran = real.at_terminal("on", &["logs", "-f", &id]).code(130);
    assert!(ran.stdout.contains(&format!("note: {said}")) && !ran.stdout.contains("error"), "{:?}", ran.stdout);
    for (more, said) in [(&[][..], format!("note: {said}\n")), (&["--json"], format!("error: interrupted; {said}\n"))] {
        let mut command = real.command(&[&["container", "logs", "-f", &id], more].concat());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        process.stdout.as_mut().unwrap().read_exact(&mut [0; 2]).unwrap();
        // To longshore alone, docker hears nothing of it.
        kill_process(Pid::from_child(&process), Signal::INT).unwrap();
        let ran = crate::support::Ran::from(process.wait_with_output().unwrap()).code(130);
        assert_eq!(ran.stderr, said);
    }
    assert_eq!(real.field(&id, "{{.State.Running}}"), "true");
}
