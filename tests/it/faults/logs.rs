//! Logs of any content and any size, and what happens to a log while it is followed.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use super::terminal::at_terminal;
use crate::support::fake::Fake;
use crate::support::{Ran, skipped, wait_until};

/// The lines of `logs --json`.
fn lines(fake: &Fake, more: &[&str], id: &str) -> Vec<String> {
    let document = fake.run(&[&["exec", "logs", "--json"], more, &[id]].concat()).code(0).json();
    serde_json::from_value(document["lines"].clone()).unwrap()
}

/// The exact output of `logs`.
fn bytes(fake: &Fake, more: &[&str], id: &str) -> Vec<u8> {
    let output = fake.command(&[&["exec", "logs"], more, &[id]].concat()).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A run that has printed these bytes.
fn printed(fake: &Fake, bytes: &[u8]) -> String {
    let file = fake.write("bytes", bytes);
    fake.ended_run(&format!("cat '{}'", file.display()))
}

#[test]
fn a_log_may_be_empty_have_no_last_newline_or_be_nothing_but_nuls() {
    let fake = Fake::new();
    let table: [(&[u8], &[u8], &[&str]); 5] = [
        (b"", b"", &[]),
        (b"a\nb", b"b", &["a", "b"]),
        (b"\n", b"\n", &[""]),
        (&[0; 5000], &[0; 5000], &[&"\0".repeat(5000)]),
        (b"\0\n\0", b"\0", &["\0", "\0"]),
    ];
    for (truth, last, shown) in table {
        let id = printed(&fake, truth);
        assert_eq!(fake.end_of(&id)["log"], "complete");
        assert_eq!(bytes(&fake, &[], &id), truth);
        assert_eq!(bytes(&fake, &["-f"], &id), truth);
        assert_eq!(bytes(&fake, &["-n", "1"], &id), last);
        assert_eq!(lines(&fake, &[], &id), shown);
        let rows = fake.run(&["exec", "logs", "-f", "--json", &id]).code(0).stdout;
        let rows: Vec<Value> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
        assert_eq!(rows, shown.iter().map(|line| json!({ "line": line })).collect::<Vec<_>>());
    }
}

#[test]
fn every_byte_is_exact_on_a_pipe_replaced_in_json_and_dead_at_a_terminal() {
    let fake = Fake::new();
    // Up and down: no byte above 0x7f continues a character.
    let truth: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    let id = printed(&fake, &truth);
    assert_eq!(bytes(&fake, &[], &id), truth);
    assert_eq!(bytes(&fake, &["-f"], &id), truth);
    let lossy = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
    let shown: Vec<String> = truth.split(|byte| *byte == b'\n').map(lossy).collect();
    assert_eq!(lines(&fake, &[], &id), shown);
    let dead = |byte: &u8| match byte {
        b'\t' => "\t".to_owned(),
        // A line may redraw itself.
        b'\r' => "\r".to_owned(),
        // The terminal itself returns the carriage.
        b'\n' => "\r\n".to_owned(),
        0..=31 => format!("^{}", char::from(byte + 64)),
        127 => "^?".to_owned(),
        128.. => "\u{fffd}".to_owned(),
        _ => char::from(*byte).to_string(),
    };
    let args = ["exec", "logs", &id].map(str::to_owned);
    // What is printed next, such as a prompt, has a line of its own.
    let shown = truth.iter().map(dead).collect::<String>() + "\r\n";
    assert_eq!(at_terminal(&fake, &args).code(0).stdout, shown);
}

#[test]
fn last_lines_of_text_that_is_not_utf_8_are_counted_by_their_newlines() {
    let fake = Fake::new();
    let id = printed(&fake, b"\xff\xfe\n\xc3\n\n\xe2\x82\nlast\xf0\x9f");
    let table: [(&str, &[u8], &[&str]); 4] = [
        ("0", b"", &[]),
        ("1", b"last\xf0\x9f", &["last\u{fffd}"]),
        ("4", b"\xc3\n\n\xe2\x82\nlast\xf0\x9f", &["\u{fffd}", "", "\u{fffd}", "last\u{fffd}"]),
        (
            "9",
            b"\xff\xfe\n\xc3\n\n\xe2\x82\nlast\xf0\x9f",
            &["\u{fffd}\u{fffd}", "\u{fffd}", "", "\u{fffd}", "last\u{fffd}"],
        ),
    ];
    for (tail, exact, shown) in table {
        assert_eq!(bytes(&fake, &["--tail", tail], &id), exact, "{tail}");
        assert_eq!(bytes(&fake, &["-f", "--tail", tail], &id), exact, "{tail}");
        assert_eq!(lines(&fake, &["--tail", tail], &id), shown, "{tail}");
    }
}

/// Reads the output of a command: two texts with this many `x` between them. Prints the most memory that the command had, in
/// kB; that of this program before it becomes the command counts, too.
const MEASURE: &str = "
import hashlib, resource, subprocess, sys
before, count, after = sys.argv[1].encode(), int(sys.argv[2]), sys.argv[3].encode()
truth, found = hashlib.sha256(before), hashlib.sha256()
for _ in range(count // 1000000): truth.update(b'x' * 1000000)
truth.update(after)
process = subprocess.Popen(sys.argv[4:], stdout=subprocess.PIPE)
while piece := process.stdout.read(1 << 16): found.update(piece)
code = process.wait()
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code or found.digest() != truth.digest())
";

/// The most memory of a command in kB. Its output must be `before`, so many millions of `x`, and `after`.
fn memory(fake: &Fake, args: &[&str], before: &str, millions: usize, after: &str) -> u64 {
    let count = (millions * 1_000_000).to_string();
    let outer = ["python3", "-I", "-S", "-c", MEASURE, before, &count, after];
    let ran = Ran::from(fake.through(&outer, args).output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{args:?}: the output is another one");
    ran.stdout.trim_end().parse().unwrap()
}

#[test]
fn a_line_of_130_megabytes_takes_less_than_64_megabytes_of_memory() {
    let fake = Fake::new();
    let id = fake.ended_run("echo first");
    let log = fake.job("run", &id).join("log");
    let mut file = File::options().append(true).open(&log).unwrap();
    (0..130).for_each(|_| file.write_all(&vec![b'x'; 1_000_000]).unwrap());
    for (args, before, after) in [
        (&["exec", "logs", &id][..], "first\n", ""),
        (&["exec", "logs", &id, "-n", "1"], "", ""),
        (&["exec", "logs", &id, "--json"], "{\"lines\":[\"first\",\"", "\"]}\n"),
    ] {
        let most = memory(&fake, args, before, 130, after);
        assert!((1..64_000).contains(&most), "{args:?}: {most} kB");
    }
    std::fs::write(log, "first\n").unwrap();
}

#[test]
fn the_end_of_a_sparse_log_of_100_gigabytes_is_found_at_once() {
    let fake = Fake::new();
    let id = fake.ended_run("echo first");
    let log = fake.job("run", &id).join("log");
    let mut file = File::options().write(true).open(&log).unwrap();
    let wrote = file.seek(SeekFrom::Start(100 << 30)).and_then(|_| {
        let lines: String = (1..=20).map(|number| format!("\nline {number}")).collect();
        file.write_all(lines.as_bytes())
    });
    if wrote.is_err() {
        return skipped("the file system has no sparse files of 100 GB");
    }
    let last: Vec<String> = (11..=20).map(|number| format!("line {number}")).collect();
    for more in [&["--tail", "10"][..], &["--tail", "10", "-f"]] {
        assert_eq!(String::from_utf8(bytes(&fake, more, &id)).unwrap(), last.join("\n"), "{more:?}");
    }
    assert_eq!(lines(&fake, &["--tail", "10"], &id), last);
    let most = memory(&fake, &["exec", "logs", "--tail", "10", &id], &last.join("\n"), 0, "");
    assert!((1..64_000).contains(&most), "{most} kB");
    std::fs::write(log, "first\n").unwrap();
}

/// Follows runs, so many of them with so many commands each, from before their end. Each command must print everything, up
/// to a last line without a newline, and end with the code of the run.
pub fn follow_to_the_end(runs: usize, commands: usize) {
    let fake = Fake::new();
    for round in 0..runs {
        let id = fake.start_gated("seq 300; sleep 0.0$(($$ % 9)); printf 'no newline'; exit 3");
        let follow =
            || fake.command(&["exec", "logs", "-f", "--exit-code", &id]).stdout(Stdio::piped()).spawn().unwrap();
        let following: Vec<Child> = (0..commands).map(|_| follow()).collect();
        fake.open_gate();
        for command in following {
            let ran = Ran::from(command.wait_with_output().unwrap()).code(3);
            assert_eq!(ran.stdout.as_bytes(), fake.true_log(&id), "round {round}");
            assert!(ran.stdout.ends_with("300\nno newline"), "round {round}: {:?}", ran.stdout);
        }
        fake.end_of(&id);
        std::fs::remove_file(fake.engine("gate")).unwrap();
    }
}

#[test]
fn many_follows_end_exactly_at_the_end() {
    follow_to_the_end(2, 15);
}

/// A run that waits at the gate, and a command that follows it and has shown its first line.
fn followed(fake: &Fake, more: &[&str], after: &str) -> (String, Child, BufReader<std::process::ChildStdout>) {
    let id = fake.start_gated(after);
    let args = [&["exec", "logs", "-f"], more, &[&id]].concat();
    let mut child = fake.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.contains("on"), "{line}");
    (id, child, reader)
}

#[test]
fn a_follow_goes_on_when_another_supervisor_takes_over() {
    for with_client in [false, true] {
        let fake = Fake::new();
        let (id, child, mut reader) = followed(&fake, &["--exit-code"], "seq 100; printf end; exit 3");
        let client = fake.client(&id);
        fake.kill(fake.supervisor(&id));
        if with_client {
            fake.kill(client);
        }
        fake.run(&["exec", "inspect", &id]).code(0);
        fake.supervisor(&id);
        fake.open_gate();
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        let truth: String = (1..=100).map(|number| format!("{number}\n")).collect();
        assert_eq!(rest, truth + "end", "client killed: {with_client}");
        Ran::from(child.wait_with_output().unwrap()).code(3);
        let view = fake.end_of(&id);
        let log = if with_client { "recovered" } else { "complete" };
        assert_eq!((&view["exitCode"], &view["log"]), (&json!(3), &json!(log)), "{view}");
    }
}

#[test]
fn a_log_that_is_truncated_or_replaced_ends_a_follow_with_an_error() {
    for replaced in [false, true] {
        for more in [&[][..], &["--json"]] {
            let fake = Fake::new();
            let (id, child, _reader) = followed(&fake, more, "echo off; exit 3");
            let log = fake.job("run", &id).join("log");
            if replaced {
                let other = fake.write("other", "another log\n");
                std::fs::set_permissions(&other, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
                std::fs::rename(other, &log).unwrap();
            } else {
                File::options().write(true).open(&log).unwrap().set_len(0).unwrap();
            }
            let ran = Ran::from(child.wait_with_output().unwrap()).code(1);
            let what = if replaced { "replaced" } else { "truncated" };
            let message = format!("error: could not follow the log of {id}: it was {what} while it was read\n");
            assert_eq!(ran.stderr, message);
            fake.open_gate();
            let view = fake.end_of(&id);
            // The engine has everything that a truncated log lost. What a replaced one is worth cannot be told.
            let (log, reason) = if replaced {
                ("incomplete", json!("log: incomplete: another program replaced it"))
            } else {
                ("recovered", json!(null))
            };
            assert_eq!((&view["exitCode"], &view["log"], &view["reason"]), (&json!(3), &json!(log), &reason), "{view}");
        }
    }
}

#[test]
fn a_follow_of_a_forgotten_run_shows_it_to_its_end() {
    let fake = Fake::new();
    let (id, child, mut reader) = followed(&fake, &[], "seq 100; printf end; exit 3");
    let dir = fake.job("run", &id);
    fake.run(&["exec", "forget", &id]).code(0);
    // The command does not see the end, only that the directory is gone.
    fake.signal("STOP", child.id());
    fake.open_gate();
    wait_until("the directory of the run is removed", || !dir.exists());
    fake.signal("CONT", child.id());
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("100\nend"), "{rest}");
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}
