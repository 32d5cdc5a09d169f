//! Where commands are typed and scripts run: terminals, signals, pipes, descriptors.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::support::fake::Fake;
use crate::support::snapshots::{snapshot, together};
use crate::support::{Ran, wait_until};

fn python(fake: &Fake, code: &str, args: &[String]) -> Ran {
    let code = format!("import os, signal, sys\n{code}\nos.execv(sys.argv[1], sys.argv[1:])");
    Ran::from(fake.through(&["python3", "-c", &code], args).output().unwrap())
}

/// At a terminal of its own, on which something is done once the file is there.
fn terminal(fake: &Fake, action: &str, file: &Path, args: &[String]) -> Child {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/terminal");
    let program = [script.to_str().unwrap(), action, file.to_str().unwrap()];
    fake.through(&program, args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What the command shows at a terminal.
pub fn at_terminal(fake: &Fake, args: &[String]) -> Ran {
    Ran::from(terminal(fake, "none", Path::new("-"), args).wait_with_output().unwrap()).typed(args)
}

/// Ctrl-C at the terminal, once the command listens for it.
fn interrupted(fake: &Fake, args: &[String]) -> Ran {
    let act = fake.engine("act");
    let child = terminal(fake, "ctrl-c", &act, args);
    let words = args.join(" ");
    wait_until("the command listens for Ctrl-C", || {
        let mut ours = fake.processes().into_iter().filter(|p| p.command.trim_end().ends_with(&words));
        ours.any(|process| {
            let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid)).unwrap_or_default();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            status.starts_with("Name:\tlongshore")
                && caught.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).unwrap() & 2 != 0)
        })
    });
    std::fs::write(&act, "").unwrap();
    Ran::from(child.wait_with_output().unwrap()).typed(args)
}

#[test]
fn a_job_survives_the_end_of_its_terminal() {
    let fake = Fake::new();
    let script = fake.gated(r#"echo on; touch "$FAKE_DOCKER_DIR/on""#, "echo off; exit 5");
    let args = fake.run_args(&script, &["--wait"]);
    let child = terminal(&fake, "close", &fake.engine("on"), &args);
    Ran::from(child.wait_with_output().unwrap()).code(129);
    let id = fake.run(&["exec", "list", "-q"]).code(0).id();
    assert_eq!(fake.status_of(&id)["status"], "running");
    fake.open_gate();
    assert_eq!(fake.end_of(&id)["exitCode"], 5);
    assert_eq!(fake.log(&id), b"on\noff\n");
}

#[test]
fn ctrl_c_ends_wait_and_not_the_job() {
    let fake = Fake::new();
    let shown = ["--wait", "--follow"].map(|stay| {
        let args = fake.run_args(&fake.gated("echo on", "echo off; exit 5"), &[stay]);
        let ran = interrupted(&fake, &args).code(130);
        std::fs::remove_file(fake.engine("act")).unwrap();
        let id = fake.run(&["exec", "list", "-q", "-n", "1"]).code(0).id();
        assert_eq!(fake.status_of(&id)["status"], "running");
        (ran, id)
    });
    fake.open_gate();
    for (_, id) in &shown {
        assert_eq!(fake.end_of(id)["exitCode"], 5);
    }
    snapshot!(fake, together(shown.map(|(ran, _)| ran)));
}

#[test]
fn ctrl_c_ends_logs_follow_and_not_the_job() {
    let fake = Fake::new();
    let id = fake.start_gated("echo off; exit 5");
    let shown = [["exec", "logs", "-f", &id], ["exec", "wait", "--any", &id]].map(|args| {
        let ran = interrupted(&fake, &args.map(str::to_owned)).code(130);
        std::fs::remove_file(fake.engine("act")).unwrap();
        ran
    });
    snapshot!(fake, together(shown));
    fake.open_gate();
    assert_eq!(fake.end_of(&id)["exitCode"], 5);
}

#[test]
fn ctrl_c_in_a_stream_of_json_adds_an_error_line() {
    let fake = Fake::new();
    let id = fake.start(&fake.gated("echo on; printf half", "echo; exit 5"));
    fake.wait_for_output(&id, "half");
    let ran = interrupted(&fake, &["exec", "logs", "-f", "--json", &id].map(str::to_owned)).code(130);
    snapshot!(fake, ran);
    fake.open_gate();
}

#[test]
fn a_caller_that_ignores_sigchld_gets_every_code() {
    let fake = Fake::new();
    let args = fake.run_args("echo on; exit 9", &["--wait"]);
    python(&fake, "signal.signal(signal.SIGCHLD, signal.SIG_IGN)", &args).code(9);
}

#[test]
fn a_caller_that_blocks_every_signal_gets_every_code() {
    let fake = Fake::new();
    let args = fake.run_args("echo on; exit 9", &["--wait"]);
    let begun = Instant::now();
    python(&fake, "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())", &args).code(9);
    assert!(begun.elapsed() < Duration::from_secs(30), "the supervisor did not hear of its client's end");
}

#[test]
fn a_caller_with_signals_ignored_and_blocked_gets_every_code_and_can_stop_the_job() {
    let fake = Fake::new();
    let state = "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n\
                 signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])";
    python(&fake, state, &fake.run_args("exit 9", &["--wait"])).code(9);
    let id = python(&fake, state, &fake.run_args(&fake.gated("echo on", ""), &[])).code(0).id();
    fake.wait_for_output(&id, "on");
    fake.run(&["exec", "stop", &id]).code(0);
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["exitCode"]), (&"cancelled".into(), &143.into()));
}

#[test]
fn a_lock_on_a_callers_descriptor_is_free_when_the_command_returns() {
    let fake = Fake::new();
    let script = r#"exec 9>held; flock -n 9 || exit 99; "$@""#;
    let args = fake.run_args(&fake.gated("echo on", ""), &[]);
    let id = Ran::from(fake.through(&["bash", "-c", script, "bash"], &args).output().unwrap()).code(0).id();
    let held = File::open(fake.path("held")).unwrap();
    let deadline = Instant::now() + Duration::from_millis(100);
    while held.try_lock().is_err() {
        assert!(Instant::now() < deadline, "the job holds its caller's lock");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(fake.status_of(&id)["status"], "running");
    fake.open_gate();
}

#[test]
fn a_captured_or_piped_command_returns_while_its_job_runs() {
    let fake = Fake::new();
    for script in [r#"x=$("$@"); echo "$x""#, r#""$@" | cat"#, r#""$@" 2>&1 | cat"#] {
        let args = fake.run_args(&fake.gated("echo on", ""), &[]);
        let ran = Ran::from(fake.through(&["sh", "-c", script, "sh"], &args).output().unwrap()).code(0);
        assert_eq!(fake.status_of(&ran.id())["status"], "running", "{script}");
    }
    fake.open_gate();
}

#[test]
fn the_descriptors_of_makes_jobserver_are_not_kept_open() {
    let fake = Fake::new();
    // Descriptor 7 is the pipe that we read to its end; the command's own stdout is a file.
    let args = fake.run_args(&fake.gated("echo on", ""), &[]);
    let mut child = fake.through(&["sh", "-c", r#""$@" 7>&1 >id"#, "sh"], &args);
    let mut child = child.stdout(Stdio::piped()).spawn().unwrap();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    let id = std::fs::read_to_string(fake.path("id")).unwrap();
    assert_eq!(fake.status_of(id.trim())["status"], "running");
    fake.open_gate();
}

#[test]
fn a_reader_that_closes_the_pipe_early_ends_logs_with_0_and_no_message() {
    let fake = Fake::new();
    let id = fake.ended_run("yes 0123456789 | head -c 1000000");
    for args in [vec!["exec", "logs", &id], vec!["exec", "logs", "-f", &id], vec!["exec", "logs", "--json", &id]] {
        let mut child = fake.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = Vec::new();
        let mut reader = BufReader::with_capacity(16, child.stdout.take().unwrap());
        reader.read_until(b'5', &mut line).unwrap();
        drop(reader);
        let ran = Ran::from(child.wait_with_output().unwrap()).code(0);
        assert_eq!(ran.stderr, "", "{args:?}");
    }
}

#[test]
fn follow_of_a_silent_job_ends_when_its_reader_leaves() {
    let fake = Fake::new();
    let id = fake.start_gated("");
    for args in [["exec", "logs", "-f", &id].as_slice(), &["exec", "logs", "-f", "--json", &id]] {
        let mut child = fake.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        let ran = Ran::from(child.wait_with_output().unwrap()).code(0);
        assert_eq!(ran.stderr, "", "{args:?}");
        assert_eq!(fake.status_of(&id)["status"], "running");
    }
    fake.open_gate();
}

#[test]
fn closed_standard_descriptors_do_not_harm_a_job() {
    let fake = Fake::new();
    let args = fake.run_args("echo out; echo err >&2; exit 2", &[]);
    for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        let script = format!(r#""$@" {closed}"#);
        Ran::from(fake.through(&["sh", "-c", &script, "sh"], &args).output().unwrap()).code(0);
    }
    let ids = fake.run(&["exec", "list", "-q"]).code(0).stdout;
    assert_eq!(ids.lines().count(), 4);
    for id in ids.lines() {
        assert_eq!(fake.end_of(id)["exitCode"], 2);
        assert_eq!(fake.log(id), b"out\nerr\n");
    }
}

#[test]
fn follow_ends_with_the_job_and_has_shown_all_of_it() {
    let fake = Fake::new();
    let id = fake.start(&fake.gated("echo on", "echo off; printf end; exit 3"));
    let mut child = fake.command(&["exec", "logs", "-f", "--exit-code", &id]).stdout(Stdio::piped()).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    reader.read_line(&mut text).unwrap();
    assert_eq!(text, "on\n");
    fake.open_gate();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "on\noff\nend");
    assert_eq!(child.wait().unwrap().code(), Some(3));
    fake.wait_until_quiet();
}
