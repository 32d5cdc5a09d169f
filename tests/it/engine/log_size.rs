//! `--log-max-size`: of a long log the last part is kept, and every reader says how much is gone.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::kills::{is_client, kill};
use super::lines;
use crate::support::real::Real;
use crate::support::{Ran, schema, wait_until};

const MIB: u64 = 1 << 20;

/// Prints so many lines of 50 bytes, with a pause after each thousand.
fn program(count: u32, pause: f32) -> String {
    format!(
        "import sys, time\nfor number in range({count}):\n    sys.stdout.write('%049d\\n' % number)\n    \
         if number % 1000 == 999: sys.stdout.flush(); time.sleep({pause})\n"
    )
}

fn line(number: u64) -> String {
    format!("{number:049}\n")
}

fn truth(count: u64) -> String {
    (0..count).map(line).collect()
}

fn limited(real: &Real, code: &str, more: &[&str]) -> String {
    real.start(code, &[&["--log-max-size", "2MB"], more].concat())
}

fn logs(real: &Real, args: &[&str]) -> Ran {
    real.run(&[&["exec", "logs"], args].concat()).code(0)
}

/// What the log takes on the disk, and its length.
fn sizes(log: &Path) -> (u64, u64) {
    let data = log.metadata().unwrap();
    (data.blocks() * 512, data.len())
}

/// The log of a run that has printed so many lines is the end of that, and the note says how much is missing. Gives how
/// much that is.
#[track_caller]
fn assert_end_is_kept(shown: &Ran, name: &str, count: u64) -> u64 {
    let truth = truth(count);
    assert!(truth.ends_with(&shown.stdout), "other lines: {:?} …", shown.stdout.get(..200));
    let gone = (truth.len() - shown.stdout.len()) as u64;
    assert!(gone.is_multiple_of(50) && gone > 0, "{gone}");
    assert!((2 * MIB - 70_000..=2 * MIB).contains(&(shown.stdout.len() as u64)), "{}", shown.stdout.len());
    let note = shown.stderr.strip_suffix(&format!(" of the log of {name} are gone: its run keeps to --log-max-size\n"));
    let size = note.and_then(|note| note.strip_prefix("note: ")).expect(&shown.stderr);
    assert!(size.ends_with("MB"), "{size}");
    gone
}

#[test]
fn of_forty_megabytes_two_are_kept_and_every_reader_says_how_much_is_gone() {
    let real = Real::new();
    let count = 800_000;
    let id = limited(&real, &program(800_000, 0.0), &["--name", &real.name("long")]);
    let (job, code) = real.wait(&id);
    assert_eq!((code, &job["log"], &job["reason"]), (0, &json!("complete"), &Value::Null), "{job:#}");
    let (room, length) = sizes(&real.job("run", &id).join("log"));
    assert!(length == 40_000_000 && room < 2 * MIB + 128 * 1024, "{room} of {length}");
    let all = logs(&real, &[&id]);
    let gone = assert_end_is_kept(&all, &id, count);
    assert_eq!(schema::validated("job", job)["logGone"], gone);
    // The last lines are all there.
    let last = logs(&real, &["-n", "10", &id]);
    assert_eq!((last.stdout, last.stderr.as_str()), ((count - 10..count).map(line).collect::<String>(), ""));
    assert_eq!(logs(&real, &["-n", "0", &id]).stderr, "");
    for args in [&["-n", "99999999"][..], &["--since", "1h"], &["-f"], &["-f", "--since", "1h"], &["--raw"]] {
        let same = logs(&real, &[args, &[&id]].concat());
        assert!(same.stdout == all.stdout && same.stderr == all.stderr, "{args:?}: {}", same.stderr);
    }
    let document = schema::validated("logs", logs(&real, &["--json", &id]).json());
    assert_eq!((&document["gone"], lines(&document).len() as u64), (&json!(gone), count - gone / 50));
    assert_eq!(logs(&real, &["--json", "-n", "1", &id]).json(), json!({"lines": [line(count - 1).trim_end()]}));
    let both = schema::validated("logs", logs(&real, &["--json", &id, &id, "latest"]).json());
    assert_eq!((&both[0]["gone"], &both[0]["id"]), (&json!(gone), &json!(id)));
    let rows = logs(&real, &["-f", "--json", &id]).stdout;
    let mut rows = rows.lines().map(|row| schema::validated("log-line", serde_json::from_str(row).unwrap()));
    assert_eq!(rows.next(), Some(json!({"gone": gone})));
    assert_eq!(rows.next(), Some(json!({"line": line(gone / 50).trim_end()})));
    // Each line has a time, and the ones that are gone are gone from any time.
    let stamped = logs(&real, &["-t", &id]);
    assert_eq!(stamped.stderr, all.stderr);
    let kept: Vec<(&str, &str)> = stamped.stdout.lines().map(|line| line.split_once(' ').unwrap()).collect();
    assert!(kept.iter().all(|(time, _)| *time != "-") && kept.iter().map(|(_, line)| *line).eq(all.stdout.lines()));
    let early = logs(&real, &["--until", kept[0].0, "-n", "3", &id]);
    assert!(early.stdout.len() < all.stdout.len() && !early.stdout.contains('\0'));
    let spec = real.run(&["exec", "inspect", "--spec", &id]).code(0).json();
    assert_eq!(spec["logMaxSize"], 2 * MIB);
    let status = real.run(&["exec", "status", &id]).code(0).stdout;
    assert!(status.contains("  2 MiB of its log\n"), "{status}");
    assert!(status.contains(&format!("  37.9MB of it are gone; the rest: longshore exec logs {id}\n")), "{status}");
    let again = real.run(&["exec", "rerun", &id, "--wait", "--json"]).code(0).json();
    assert!(again["logGone"].as_u64().unwrap() > 30_000_000, "{again:#}");
}

/// Reads what a follower prints, with a pause after each part; gives all of it and what it said.
fn read_slowly(mut follower: Child, pause: Duration) -> (String, String) {
    let (mut out, mut text, mut part) = (follower.stdout.take().unwrap(), Vec::new(), vec![0; 65_536]);
    loop {
        std::thread::sleep(pause);
        match out.read(&mut part).unwrap() {
            0 => break,
            count => text.extend_from_slice(&part[..count]),
        }
    }
    let said = follower.wait_with_output().unwrap().stderr;
    (String::from_utf8(text).unwrap(), String::from_utf8(said).unwrap())
}

#[test]
fn a_follower_that_is_overtaken_says_so_and_shows_whole_lines_only() {
    let real = Real::new();
    let count = 400_000;
    let id = limited(&real, &program(400_000, 0.02), &[]);
    let follow = |more: &[&str]| {
        let mut command = real.command(&[&["exec", "logs", "-f", &id], more].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let (slow, stamped, fast) = (follow(&[]), follow(&["-t"]), follow(&[]));
    let fast = std::thread::spawn(move || fast.wait_with_output().unwrap());
    let stamped = std::thread::spawn(move || read_slowly(stamped, Duration::from_millis(150)));
    let (slow, said) = read_slowly(slow, Duration::from_millis(150));
    let is_line = |text: &str| text.len() == 49 && text.parse::<u64>().is_ok_and(|number| number < count);
    for (shown, said) in [(slow, said), stamped.join().unwrap()] {
        assert!(said.contains(" are gone: its run keeps to --log-max-size\n"), "{said}");
        assert!(shown.ends_with(&line(count - 1)), "{said}");
        let numbers: Vec<&str> = shown.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
        // The line in which it was overtaken is cut off there.
        let broken: Vec<&&str> = numbers.iter().filter(|line| !is_line(line)).collect();
        assert!(broken.len() <= said.lines().count(), "{broken:?} {said}");
        assert!(numbers.iter().filter(|line| is_line(line)).is_sorted() && !shown.contains('\0'));
        assert!(numbers.len() < 399_000, "it missed nothing");
    }
    let fast = fast.join().unwrap();
    assert!(fast.stdout == truth(count).as_bytes(), "{}", String::from_utf8_lossy(&fast.stderr));
    assert_eq!(real.wait(&id).1, 0);
}

#[test]
fn the_log_of_a_run_that_is_copied_is_kept_to_its_size_too() {
    let real = Real::new();
    let count = 400_000;
    let id = limited(&real, &program(400_000, 0.01), &["--ship", "always"]);
    let (job, code) = real.wait(&id);
    assert_eq!((code, &job["log"]), (0, &json!("complete")), "{job:#}");
    let (room, length) = sizes(&real.job("run", &id).join("log"));
    assert!(length == 20_000_000 && room < 2 * MIB + 128 * 1024, "{room} of {length}");
    assert_eq!(job["logGone"], assert_end_is_kept(&logs(&real, &[&id]), &id, count));
}

#[test]
fn what_a_killed_client_lost_is_recovered_up_to_the_size() {
    let real = Real::new();
    for (first, more) in [(100_000, 300_000), (10, 20_000), (100_000, 1000)] {
        let gate = "import os\nwhile not os.path.exists('gate'): time.sleep(0.05)\n";
        let code = format!("{}{gate}", program(first, 0.0));
        let code = format!("{code}{}", program(more, 0.0).replace("% number)", &format!("% (number + {first}))")));
        let source = real.source(&code);
        let id = real.run(&real.run_args(&source, &["--log-max-size", "2m"])).code(0).id();
        let last = line(u64::from(first) - 1);
        wait_until("half of it is there", || logs(&real, &["-n", "1", &id]).stdout == last);
        kill(&id, is_client);
        std::fs::write(source.join("gate"), "").unwrap();
        let (job, code) = real.wait(&id);
        assert_eq!((code, &job["log"]), (0, &json!("recovered")), "{job:#}");
        let count = u64::from(first + more);
        let shown = logs(&real, &[&id]);
        if count * 50 > 2 * MIB {
            assert_eq!(job["logGone"], assert_end_is_kept(&shown, &id, count));
        } else {
            assert_eq!((shown.stdout, shown.stderr), (truth(count), String::new()));
            assert_eq!(job.get("logGone"), None);
        }
        let (room, length) = sizes(&real.job("run", &id).join("log.recovered"));
        assert!(length == count * 50 && room < 4 * MIB + 128 * 1024, "{room} of {length}");
    }
}

#[test]
fn each_attempt_of_a_run_has_a_log_of_that_size() {
    let real = Real::new();
    let code = format!("{}raise SystemExit(3)\n", program(100_000, 0.0));
    let id = limited(&real, &code, &["--retry", "1", "--retry-delay", "0s"]);
    let (job, code) = real.wait(&id);
    assert_eq!((code, &job["outcome"]), (3, &json!("failed")), "{job:#}");
    for (number, more) in [(0, &["--attempt", "1"][..]), (1, &["--attempt", "2"]), (1, &[])] {
        let gone = assert_end_is_kept(&logs(&real, &[more, &[&id]].concat()), &id, 100_000);
        assert_eq!(job["attempts"][number]["logGone"], gone, "{job:#}");
    }
    let (room, length) = sizes(&real.job("run", &id).join("attempts/1/log"));
    assert!(length == 5_000_000 && room < 2 * MIB + 128 * 1024, "{room} of {length}");
}
