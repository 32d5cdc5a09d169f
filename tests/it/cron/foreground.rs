//! `--foreground`: the job ends with its command.

use std::io::Read as _;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::cron::{beside, end, runs};
use crate::faults::terminal::{terminal, wait_until_it_listens};
use crate::support::Ran;
use crate::support::fake::Fake;
use crate::support::snapshots::{snapshot, together};
use crate::support::wait_until;

/// A command in the foreground whose program says `on`, and the id of the run.
fn foreground(fake: &Fake, script: &str, more: &[&str]) -> (Child, String) {
    let args = fake.run_args(script, &[&["--foreground"], more].concat());
    let child = beside(fake, &args);
    wait_until("the run is on record", || runs(fake).len() == 1);
    let id = runs(fake).remove(0);
    fake.wait_for_output(&id, "on");
    (child, id)
}

/// Says `on`, ends with 6 on TERM after `bye`.
const POLITE: &str = "trap 'echo bye; exit 6' TERM; echo on; while :; do sleep 0.02; done 2>/dev/null";
/// Says `on`, and `no` on TERM.
const STUBBORN: &str = "trap 'echo no' TERM; echo on; while :; do sleep 0.02; done 2>/dev/null";

#[test]
fn without_a_signal_it_shows_the_output_and_passes_the_code_on() {
    let fake = Fake::new();
    let ran = fake.run(&fake.run_args("echo out; exit 5", &["--foreground"])).code(5);
    assert_eq!(ran.stdout, "out\n");
    assert_eq!(fake.run(&fake.run_args("exit 0", &["--foreground"])).code(0).stdout, "");
}

#[test]
fn ctrl_c_at_the_terminal_stops_the_job_and_shows_its_last_words() {
    let fake = Fake::new();
    let args = fake.run_args(POLITE, &["--foreground"]);
    let act = fake.engine("act");
    let child = terminal(&fake, "ctrl-c", &act, &args);
    wait_until_it_listens(&fake, &args);
    wait_until("the program runs", || fake.run(&["exec", "logs", "latest"]).stdout == "on\n");
    std::fs::write(&act, "").unwrap();
    let ran = end(child).typed(&args).code(130);
    let view = fake.end_of(&runs(&fake)[0]);
    assert_eq!((&view["outcome"], &view["exitCode"]), (&"cancelled".into(), &6.into()));
    // The output that the program had written may be shown after the key.
    let (first, rest) = ran.stdout.split_once("\r\n").unwrap();
    let rest = format!("on\r\n{}", rest.replacen("on\r\n", "", 1));
    snapshot!(fake, Ran { stdout: format!("{first}\r\n{rest}"), ..ran });
}

#[test]
fn each_signal_has_its_code_and_the_job_has_ended_when_the_command_does() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let fake = Fake::new();
        let (child, id) = foreground(&fake, POLITE, &[]);
        fake.signal(signal, child.id());
        let ran = end(child).code(code);
        assert_eq!(ran.stdout, "on\nbye\n");
        assert!(fake.job("run", &id).join("exit.json").exists(), "it still runs");
        assert_eq!(fake.end_of(&id)["outcome"], "cancelled");
    }
}

#[test]
fn a_second_signal_kills_a_program_that_does_not_end() {
    let fake = Fake::new();
    let (child, id) = foreground(&fake, STUBBORN, &[]);
    fake.signal("INT", child.id());
    fake.wait_for_output(&id, "no");
    fake.signal("INT", child.id());
    end(child).code(130);
    let view = fake.end_of(&id);
    // And not the supervisor, after the time that a program has between TERM and KILL.
    assert_eq!(view["reason"], "ended by longshore exec kill");
}

#[test]
fn a_supervisor_that_was_killed_does_not_keep_the_job_from_being_stopped() {
    let fake = Fake::new();
    let (child, id) = foreground(&fake, POLITE, &[]);
    fake.kill_supervisor_and_client(&id);
    fake.signal("INT", child.id());
    end(child).code(130);
    assert_eq!(fake.end_of(&id)["outcome"], "cancelled");
}

#[test]
fn in_json_it_is_a_stream_whose_last_document_says_that_it_was_stopped() {
    let fake = Fake::new();
    let (child, id) = foreground(&fake, POLITE, &["--json"]);
    fake.signal("INT", child.id());
    let ran = end(child).code(130);
    let rows: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows[0], json!({"exec_id": id}));
    assert_eq!(rows[1..3], [json!({"line": "on"}), json!({"line": "bye"})]);
    let last = rows.last().unwrap();
    assert_eq!((&last["success"], &last["outcome"]), (&json!(false), &"cancelled".into()));
    assert_eq!(last["error"]["kind"], "interrupted");
}

#[test]
fn nobody_who_reads_ends_the_job() {
    let fake = Fake::new();
    let args = fake.run_args(POLITE, &["--foreground"]);
    let mut child = fake.command(&args).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 3]).unwrap();
    drop(stdout);
    child.wait().unwrap();
    assert_eq!(fake.end_of(&runs(&fake)[0])["outcome"], "cancelled");
}

#[test]
fn a_build_in_the_foreground_is_cancelled() {
    let fake = Fake::new();
    let script = fake.gated("echo building", "true");
    fake.scenario(json!({"build": {"script": script}}));
    let child = beside(&fake, &["image", "create", "web", "--base", "base", "--foreground"]);
    wait_until("the step runs", || fake.run(&["image", "logs", "web"]).stdout.contains("building"));
    fake.signal("INT", child.id());
    let ran = end(child).code(130);
    assert_eq!(fake.end_of_build("web")["outcome"], "cancelled");
    snapshot!(fake, together([ran]));
    fake.open_gate();
}
