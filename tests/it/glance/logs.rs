//! Several logs at once, and the steps of a build as headings.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use super::at_terminals;
use crate::faults::terminal::{at_terminal, terminal};
use crate::support::fake::Fake;
use crate::support::schema;
use crate::support::snapshots::{snapshot, together};
use crate::support::{Ran, wait_until};

#[test]
fn each_line_of_several_logs_has_the_name_of_its_job_before_it() {
    let mut fake = Fake::new();
    let a = fake.ended_run_with("printf 'one\\n\\nthree'", &["--name", "a"]);
    let train =
        fake.ended_run_with("printf '\\033[31mred\\033[m\\n 50%%\\r100%%\\r\\nlast\\n'; exit 3", &["--name", "train"]);
    let nameless = fake.ended_run("echo nameless");
    let piped = fake.run(&["exec", "logs", "a", "train", &nameless, "a"]).code(0);
    let pad = " ".repeat(11);
    let expected = format!(
        "a{pad} | one\na{pad} | \na{pad} | three\ntrain{} | \x1b[31mred\x1b[m\ntrain{} |  50%\r100%\r\ntrain{} | last\n{nameless} | nameless\n",
        &pad[4..],
        &pad[4..],
        &pad[4..]
    );
    assert_eq!(piped.stdout, expected, "exact bytes, and each job once");
    assert_eq!(fake.run(&["exec", "logs", "-n", "1", &a, &train]).code(0).stdout, "a     | three\ntrain | last\n");
    // Two runs of one name are told by their ids.
    let second = fake.ended_run_with("echo again", &["--name", "a"]);
    let shown = fake.run(&["exec", "logs", "-n", "1", &a, &second]).code(0).stdout;
    assert_eq!(shown, format!("{a} | three\n{second} | again\n"));
    let shown = at_terminals(&mut fake, &["exec", "logs", "a", "train"]);
    snapshot!(fake, shown);
}

#[test]
fn several_logs_as_json_are_an_array_or_rows_with_the_id() {
    let fake = Fake::new();
    let a = fake.ended_run_with("printf 'one\\ntwo'", &["--name", "a"]);
    let b = fake.ended_run("true");
    let ran = fake.run(&["exec", "logs", "a", "nosuch", &b, "--json"]).code(1);
    let logs = schema::validated("logs", ran.json());
    assert_eq!(logs[0], json!({"id": a, "name": "a", "lines": ["one", "two"]}));
    assert_eq!(logs[1]["error"]["kind"], "not-found");
    assert_eq!(logs[2], json!({"id": b, "lines": []}));
    assert!(ran.stderr.starts_with("error: there is no run \"nosuch\"\n"), "{ran:?}");
    let followed = fake.run(&["exec", "logs", "-f", "--json", "a", "nosuch", &b]).code(1);
    let rows: Vec<Value> = followed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows[0]["error"]["kind"], "not-found");
    let lines: Vec<Value> = rows[1..].iter().map(|row| schema::validated("log-line", row.clone())).collect();
    assert_eq!(lines, [json!({"id": a, "line": "one"}), json!({"id": a, "line": "two"})]);
    let none = fake.run(&["exec", "logs", "nosuch", "nor-such", "--json"]).code(1).json();
    assert_eq!([&none[0]["success"], &none[1]["success"]], [false, false]);
}

/// Whether a process has read so many bytes of a file that it has open.
fn has_read(pid: u32, file: &Path, bytes: usize) -> bool {
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let mut of_file = descriptors.filter(|entry| std::fs::read_link(entry.path()).is_ok_and(|link| link == file));
    of_file.any(|entry| {
        let name = entry.file_name().into_string().unwrap();
        let info = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{name}")).unwrap_or_default();
        let position = info.lines().find_map(|line| line.strip_prefix("pos:")?.trim().parse::<usize>().ok());
        position.is_some_and(|position| position >= bytes)
    })
}

#[test]
fn several_logs_are_followed_until_all_have_ended_and_no_line_is_mixed() {
    let fake = Fake::new();
    let write = "for i in 1 2 3 4 5 6 7 8 9; do printf 'half of '; printf \"line $i\\n\"; done; printf end";
    let ids = ["a", "b", "c"].map(|name| {
        let script = fake.gated("printf 'on and '", write);
        let id = fake.start_with(&script, &["--name", name]);
        fake.wait_for_output(&id, "on and");
        id
    });
    let args = ["exec", "logs", "-f", "--exit-code", &ids[0], &ids[1], &ids[2]];
    let mut child = fake.command(&args).stdout(Stdio::piped()).spawn().unwrap();
    for id in &ids {
        let log = fake.job("run", id).join("log");
        wait_until("the beginning of the line was read", || has_read(child.id(), &log, "on and ".len()));
    }
    fake.open_gate();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    for name in ["a", "b", "c"] {
        let of = |line: &&str| line.starts_with(&format!("{name} | "));
        let lines: Vec<&str> = text.lines().filter(of).map(|line| &line[4..]).collect();
        let mut expected: Vec<String> = (1..10).map(|number| format!("half of line {number}")).collect();
        expected[0].insert_str(0, "on and ");
        expected.push("end".into());
        assert_eq!(lines, expected, "{text}");
    }
    assert_eq!(text.lines().count(), 30, "{text}");
}

#[test]
fn following_several_shows_each_line_as_it_comes_and_ctrl_c_leaves_the_jobs() {
    let fake = Fake::new();
    let ids = ["a", "b"].map(|name| fake.start_gated_with("exit 3", &["--name", name]));
    let act = fake.engine("act");
    let args = ["exec", "logs", "-f", "a", "b"].map(str::to_owned);
    let mut child = terminal(&fake, "ctrl-c", &act, &args);
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let (mut first, mut second, mut rest) = (String::new(), String::new(), String::new());
    reader.read_line(&mut first).unwrap();
    reader.read_line(&mut second).unwrap();
    std::fs::write(&act, "").unwrap();
    reader.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let mut lines = [first, second];
    lines.sort_by_key(|line| line.contains("b |"));
    let ran = Ran {
        typed: "longshore exec logs -f a b".into(),
        stdout: lines.concat() + &rest,
        stderr: String::new(),
        code: 130,
    };
    snapshot!(fake, ran);
    fake.open_gate();
    assert!(ids.iter().all(|id| fake.end_of(id)["exitCode"] == 3));
    let ended = [&["exec", "logs", "-f"], &args[3..].iter().map(String::as_str).collect::<Vec<_>>()[..]].concat();
    fake.run(&ended).code(0);
    fake.run(&[&ended[..], &["--exit-code"]].concat()).code(1);
}

#[test]
fn a_reader_that_leaves_ends_several_logs_with_0_and_no_message() {
    let fake = Fake::new();
    let ids = [fake.start_gated(""), fake.start_gated("")];
    let mut child = fake.command(&["exec", "logs", "-f", &ids[0], &ids[1]]);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap()).code(0);
    assert_eq!(ran.stderr, "");
    fake.open_gate();
}

#[test]
fn a_run_without_its_client_is_followed_among_others() {
    let fake = Fake::new();
    let unattended = fake.start_unattended("echo off; exit 3");
    let other = fake.ended_run("echo other");
    let mut child = fake.command(&["exec", "logs", "-f", "--exit-code", &unattended, &other]);
    let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the run has a new supervisor", || {
        fake.processes().iter().any(|process| process.command.contains("__supervise"))
    });
    fake.open_gate();
    let ran = Ran::from(child.wait_with_output().unwrap()).code(1);
    for line in [format!("{unattended} | on"), format!("{unattended} | off"), format!("{other} | other")] {
        assert_eq!(ran.stdout.lines().filter(|shown| *shown == line).count(), 1, "{ran:?}");
    }
}

#[test]
fn a_build_log_has_headings_at_a_terminal_and_is_exact_elsewhere() {
    let mut fake = Fake::new();
    let log = "/tests/data/builds/legacy/pip-conflict.log";
    let cat = format!("cat {}{log}; exit 1", env!("CARGO_MANIFEST_DIR"));
    fake.scenario(json!({"build": {"script": cat}}));
    let create = ["image", "create", "web", "--base", "base", "--pip", "requests==2.31.0 urllib3==1.20", "--wait"];
    fake.run(&create).code(1);
    let exact = fake.run(&["image", "logs", "web"]).code(0);
    let recorded = std::fs::read_to_string(format!("{}{log}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert!(exact.stdout.contains(&recorded), "{}", exact.stdout);
    let raw = at_terminal(&fake, &["image", "logs", "--raw", "web"].map(str::to_owned)).stdout;
    assert_eq!(raw.replace("\r\n", "\n"), exact.stdout);
    let shown = [at_terminals(&mut fake, &["image", "logs", "web"])];
    let followed = at_terminal(&fake, &["image", "logs", "-f", "web"].map(str::to_owned));
    assert!(followed.stdout.contains("== 4/6 pip install requests==2.31.0 urllib3==1.20"), "{followed:?}");
    snapshot!(fake, together(shown));
}
