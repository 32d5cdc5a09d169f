//! What goes wrong while a log is kept to its size: no reader ever shows the zeros of blocks that were given back, and none
//! says of too little that it is gone.

use std::os::unix::fs::MetadataExt as _;

use serde_json::{Value, json};

use super::disk::with_mounts;
use crate::support::fake::Fake;
use crate::support::wait_until;

const LIMIT: [&str; 2] = ["--log-max-size", "1m"];
/// Half of the output of a run: 20 MB.
const HALF: &str = "yes 0123456789abcdef | head -c 20000007";

/// The bytes of the log of a run that are on the disk.
fn room(fake: &Fake, id: &str) -> u64 {
    fake.job("run", id).join("log").metadata().unwrap().blocks() * 512
}

/// `logs` shows whole lines only, and says that others are gone if they are. Gives how many bytes it shows.
#[track_caller]
fn assert_readable(fake: &Fake, args: &[&str]) -> usize {
    let shown = fake.run(&[&["exec", "logs"], args].concat()).code(0);
    let is_line = |line: &str| ["0123456789abcdef", "end"].contains(&line);
    let other = shown.stdout.lines().find(|line| !is_line(line));
    assert_eq!(other, None, "{args:?}");
    let says = shown.stderr.contains(" are gone: its run keeps to --log-max-size\n");
    assert!(says || shown.stderr.is_empty(), "{}", shown.stderr);
    assert_eq!(shown.stdout.len() < 20_000_007, says, "{} {}", shown.stdout.len(), shown.stderr);
    shown.stdout.len()
}

/// The run has succeeded, and the last of its log is there and on the disk.
#[track_caller]
fn assert_kept(fake: &Fake, id: &str) -> Value {
    let view = fake.end_of(id);
    assert_eq!((&view["outcome"], &view["log"]), (&json!("succeeded"), &json!("complete")), "{view:#}");
    let size = assert_readable(fake, &[id]);
    assert!((900_000..=1 << 20).contains(&size), "{size}");
    assert!(room(fake, id) < 1_300_000, "{}", room(fake, id));
    assert_eq!(view["logGone"], fake.true_log(id).len() - size);
    view
}

#[test]
fn a_supervisor_killed_between_the_mark_and_the_disk_leaves_a_log_without_zeros() {
    for point in ["log-marked", "log-released"] {
        let mut fake = Fake::new();
        fake.set("LONGSHORE_TEST_ABORT", point);
        let id = fake.start_with(&fake.gated(HALF, &format!("{HALF}; echo end")), &LIMIT);
        fake.unset("LONGSHORE_TEST_ABORT");
        let is_dead = || !fake.processes().iter().any(|process| process.command.contains("__supervise"));
        wait_until("the supervisor is dead", is_dead);
        let log = fake.job("run", &id).join("log");
        wait_until("half of it is there", || log.metadata().unwrap().len() == 20_000_007);
        // A list starts no other one.
        let listed = fake.run(&["exec", "list", "--json"]).code(0).json();
        assert!(listed[0]["logGone"].as_u64().is_some_and(|gone| gone > 0), "{listed:#}");
        assert_readable(&fake, &[&id]);
        assert_readable(&fake, &["-n", "70000", &id]);
        fake.open_gate();
        let view = assert_kept(&fake, &id);
        assert_eq!(view["recovered"], true, "{point}");
    }
}

#[test]
fn without_any_process_of_the_job_the_next_command_keeps_its_log_to_the_size() {
    let mut fake = Fake::new();
    fake.set("LONGSHORE_TEST_ABORT", "log-marked");
    let id = fake.start_with(&format!("{HALF}; {HALF}; echo end"), &LIMIT);
    fake.unset("LONGSHORE_TEST_ABORT");
    fake.wait_for_container_end(&id);
    let is_dead = || !fake.processes().iter().any(|process| process.command.contains(&id));
    wait_until("no process is left", is_dead);
    assert!(room(&fake, &id) > 20_000_000);
    assert_kept(&fake, &id);
}

#[test]
fn where_the_disk_takes_no_blocks_back_all_of_the_log_is_kept_and_the_reason_says_so() {
    let mut fake = Fake::new();
    fake.set("LONGSHORE_TEST_FAULT", "supervisor:release:all:95");
    let id = fake.start_with(HALF, &LIMIT);
    let view = fake.end_of(&id);
    fake.unset("LONGSHORE_TEST_FAULT");
    assert_eq!((&view["outcome"], &view["log"], view.get("logGone")), (&json!("succeeded"), &json!("complete"), None));
    let why = "log: kept whole: the file system takes no blocks back: Operation not supported (os error 95)";
    assert_eq!(view["reason"], why);
    assert_eq!(assert_readable(&fake, &[&id]), 20_000_007);
}

/// Which of the supervisor's calls of this kind is the first one for this file.
fn number_of(calls: &str, call: &str, file: &str) -> usize {
    let of_kind = calls.lines().filter(|line| line.starts_with(&format!("supervisor {call} ")));
    of_kind.map(|line| line.ends_with(&format!(" {file}"))).position(|is_it| is_it).expect(calls) + 1
}

#[test]
fn a_step_that_fails_is_made_good_by_the_next_one() {
    let mut fake = Fake::new();
    let calls = fake.path("calls");
    fake.set("LONGSHORE_TEST_CALLS", &calls);
    fake.ended_run_with(HALF, &LIMIT);
    let calls = std::fs::read_to_string(calls).unwrap();
    for (call, file, error) in [("write", "log.gone", 28), ("fsync", "log.gone", 5), ("release", "log", 5)] {
        let mut fake = Fake::new();
        let fired = fake.path("fired");
        fake.set("LONGSHORE_TEST_FIRED", &fired);
        fake.set("LONGSHORE_TEST_FAULT", format!("supervisor:{call}:{}:{error}", number_of(&calls, call, file)));
        let id = fake.start_with(&fake.gated(HALF, &format!("{HALF}; echo end")), &LIMIT);
        assert_readable_while_it_runs(&fake, &id);
        fake.open_gate();
        assert_kept(&fake, &id);
        assert!(fired.exists(), "{call}");
    }
}

#[track_caller]
fn assert_readable_while_it_runs(fake: &Fake, id: &str) {
    let log = fake.job("run", id).join("log");
    wait_until("half of it is there", || log.metadata().unwrap().len() == 20_000_007);
    let text = fake.run(&["exec", "logs", id]).code(0).stdout;
    assert_eq!(text.lines().find(|line| *line != "0123456789abcdef"), None);
}

#[test]
fn a_supervisor_killed_between_two_attempts_leaves_the_logs_of_both_without_zeros() {
    for point in ["attempt-ended", "attempt-cleared", "log-cleared"] {
        let mut fake = Fake::new();
        let tries = fake.path("tries");
        let script = format!("{HALF}; echo x >>{0}; [ $(wc -l <{0}) -ge 2 ] && echo end", tries.display());
        fake.set("LONGSHORE_TEST_ABORT", point);
        let retry = ["--retry", "1", "--retry-delay", "0s"];
        let id = fake.start_with(&script, &[&LIMIT[..], &retry].concat());
        let is_dead = || !fake.processes().iter().any(|process| process.command.contains("__supervise"));
        wait_until("the supervisor is dead", is_dead);
        fake.unset("LONGSHORE_TEST_ABORT");
        // `exec status` starts no other one.
        let status = fake.run(&["exec", "status", "--json", &id]).code(0).json();
        let last = status["lines"].as_array().unwrap();
        assert!(last.iter().all(|line| line == "0123456789abcdef"), "{point}: {last:?}");
        let view = fake.end_of(&id);
        assert_eq!(view["outcome"], "succeeded", "{point}: {view:#}");
        for number in ["1", "2"] {
            let size = assert_readable(&fake, &["--attempt", number, &id]);
            assert!((900_000..=1 << 20).contains(&size), "{point}: {size}");
        }
        assert_eq!(view["attempts"][0]["logGone"].as_u64().unwrap() / 1_000_000, 18, "{view:#}");
    }
}

#[test]
fn a_disk_that_is_smaller_than_the_output_holds_the_log() {
    let fake = Fake::new();
    let slowly = "for n in $(seq 40); do yes 0123456789abcdef | head -c 1000008; sleep 0.1; done; echo end";
    fake.write("src/long.py", slowly);
    std::fs::create_dir(fake.path("state")).unwrap();
    let script = r#"
        mount -t tmpfs -o size=12m,mode=700 none state
        id=$("$longshore" exec run --image base --src src --main long.py --log-max-size 1m) || exit 90
        "$longshore" exec wait --timeout 60s --json "$id" || exit 91
        "$longshore" exec logs "$id" >log 2>said || exit 92
        "$longshore" exec forget "$id" >/dev/null"#;
    let Some(ran) = with_mounts(&fake, script) else { return };
    let view = ran.code(0).json();
    assert_eq!((&view["outcome"], &view["log"]), (&json!("succeeded"), &json!("complete")), "{view:#}");
    let text = std::fs::read_to_string(fake.path("log")).unwrap();
    assert!(text.ends_with("\n0123456789abcdef\nend\n") && !text.contains('\0'));
    assert_eq!(view["logGone"], 40 * 1_000_008 + 4 - text.len());
}
