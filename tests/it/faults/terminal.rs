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
pub fn terminal(fake: &Fake, action: &str, file: &Path, args: &[String]) -> Child {
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
    wait_until_it_listens(fake, args);
    std::fs::write(&act, "").unwrap();
    Ran::from(child.wait_with_output().unwrap()).typed(args)
}

fn wait_until_it_listens(fake: &Fake, args: &[String]) {
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

/// Ctrl-Z, once the command waits; and `fg`, once the job has ended meanwhile.
fn suspended(fake: &Fake, args: &[String]) -> Ran {
    let act = fake.engine("act");
    let child = terminal(fake, "ctrl-z", &act, args);
    wait_until_it_listens(fake, args);
    wait_until("the run has begun", || fake.run(&["exec", "logs", "latest"]).stdout == "on\n");
    std::fs::write(&act, "").unwrap();
    wait_until("the command is stopped", || fake.engine("act.stopped").exists());
    fake.open_gate();
    let id = fake.run(&["exec", "list", "-q", "-n", "1"]).code(0).id();
    assert_eq!(fake.end_of(&id)["exitCode"], 5, "the job goes on while the command is stopped");
    std::fs::write(fake.engine("act.fg"), "").unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap()).typed(args);
    for file in ["act", "act.stopped", "act.fg", "gate"] {
        std::fs::remove_file(fake.engine(file)).unwrap();
    }
    // The terminal shows the key.
    Ran { stdout: ran.stdout.replacen("^Z", "", 1), ..ran }
}

#[test]
fn ctrl_z_stops_the_command_and_not_the_job_and_fg_continues_it() {
    let fake = Fake::new();
    let script = fake.gated("echo on", "echo off; exit 5");
    suspended(&fake, &fake.run_args(&script, &["--wait"])).code(5);
    let ran = suspended(&fake, &fake.run_args(&script, &["--follow"])).code(5);
    assert!(ran.stdout.contains("on\r\noff\r\n"), "{ran:?}");
    let id = fake.start(&script);
    let follow = ["exec", "logs", "-f", "--exit-code", &id].map(str::to_owned);
    let ran = suspended(&fake, &follow).code(5);
    assert_eq!(ran.stdout, "on\r\noff\r\n");
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

/// A progress bar as tqdm writes it, a colour, and a sequence that acts beyond its line.
const PROGRESS: &str = r"printf ' 50%%\r100%%\033[K\r\n'; printf '\033[31mred\033[m\033[2J\n'; printf 'half\r'; exit 3";

#[test]
fn progress_bars_and_colours_work_at_a_terminal_and_nothing_else_does() {
    let mut fake = Fake::new();
    let id = fake.ended_run(PROGRESS);
    let follow = fake.run_args(PROGRESS, &["--follow"]);
    let logs: Vec<String> = ["exec", "logs", "-f", &id].map(str::to_owned).into();
    let without_colour = [&["--color", "never"].map(str::to_owned)[..], &logs].concat();
    let mut shown =
        vec![at_terminal(&fake, &follow).code(3), at_terminal(&fake, &logs), at_terminal(&fake, &without_colour)];
    for (variable, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let mut ran = {
            fake.set(variable, value);
            at_terminal(&fake, &logs)
        };
        ran.typed = format!("{variable}={value} {}", ran.typed);
        shown.push(ran);
        fake.set(variable, "");
    }
    snapshot!(fake, together(shown));
}

#[test]
fn a_progress_bar_does_not_overwrite_what_longshore_says_in_the_midst_of_it() {
    let fake = Fake::new();
    let id = fake.start(&fake.gated("printf half", "printf '\\rover\\n'; exit 3"));
    fake.wait_for_output(&id, "half");
    let mut child = terminal(&fake, "none", Path::new("-"), &["exec", "logs", "-f", &id].map(str::to_owned));
    fake.kill(fake.client(&id));
    let (mut reader, mut note, mut rest) = (BufReader::new(child.stdout.take().unwrap()), Vec::new(), String::new());
    while !note.ends_with(b"the engine's copy of the log\r\n") {
        assert!(reader.read_until(b'\n', &mut note).unwrap() > 0, "{}", String::from_utf8_lossy(&note));
    }
    fake.open_gate();
    reader.read_to_string(&mut rest).unwrap();
    let note = String::from_utf8(note).unwrap();
    assert_eq!(note, "half\r\nnote: the docker client was killed; following the engine's copy of the log\r\n");
    assert_eq!(rest, "over\r\n");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_failure_shows_a_progress_bar_as_it_was_in_the_end() {
    let fake = Fake::new();
    let bar = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); printf 'step %d\\r' $i; done; echo; echo failed; exit 3";
    let ran = fake.run(&fake.run_args(bar, &["--wait"])).code(3);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines[1..3], ["  step 20000", "  failed"], "{ran:?}");
}

#[test]
fn stdin_is_left_alone_and_a_file_that_is_given_as_stdin_is_noted() {
    let fake = Fake::new();
    fake.write("three", "1\n2\n3\n");
    let args = fake.run_args("cat; exit 0", &[]);
    let sh = |script: &str| Ran::from(fake.through(&["sh", "-c", script, "sh"], &args).output().unwrap()).code(0);
    let noted = sh(r#""$@" <three"#);
    assert!(
        noted.stderr.starts_with("note: the program gets no stdin") && noted.stderr.lines().count() == 1,
        "{noted:?}"
    );
    assert_eq!(fake.end_of(&noted.id())["outcome"], "succeeded");
    assert_eq!(fake.log(&noted.id()), b"");
    // A loop keeps its lines, and neither a pipe nor an empty or missing stdin is a reason for a note.
    for (script, runs) in [
        (r#"while read -r line; do "$@"; done <three"#, 3),
        (r#"cat three | { "$@"; cat; }"#, 1 + 3),
        (r#""$@" </dev/null"#, 1),
        (r#""$@" <&-"#, 1),
    ] {
        let ran = sh(script);
        assert_eq!((ran.stdout.lines().count(), ran.stderr.as_str()), (runs, ""), "{script}");
    }
}

#[test]
fn reasons_in_lists_messages_and_json_have_no_escape_sequences() {
    let mut fake = Fake::new();
    let words = "\u{1b}[31mno such\u{1b}[m program \u{1b}]0;title\u{7}";
    fake.scenario(serde_json::json!({"startError": [127, words]}));
    let id = fake.ended_run("exit 0");
    // As earlier versions recorded it.
    let path = fake.job("run", &id).join("exit.json");
    let mut exit: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(exit["reason"], "no such program", "recorded");
    exit["reason"] = words.into();
    std::fs::write(&path, exit.to_string()).unwrap();
    let wait = fake.run_args("exit 0", &["--wait"]);
    fake.set("CLICOLOR_FORCE", "1");
    let shown = [
        at_terminal(&fake, &["exec", "list", "--no-trunc"].map(str::to_owned)),
        at_terminal(&fake, &["exec", "wait", &id].map(str::to_owned)),
        at_terminal(&fake, &["exec", "list", "--json", "--filter", &format!("id={id}")].map(str::to_owned)),
    ];
    fake.set("CLICOLOR_FORCE", "");
    fake.set("NO_COLOR", "1");
    snapshot!(fake, together(shown), at_terminal(&fake, &wait));
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
