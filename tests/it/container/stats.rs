//! `container stats`: once, as a stream, and on a terminal.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::support::real::Real;
use crate::support::wait_until;

const NUMBERS: [&str; 9] = [
    "cpuPercent",
    "memoryUsageBytes",
    "memoryLimitBytes",
    "memoryPercent",
    "networkReceivedBytes",
    "networkSentBytes",
    "blockReadBytes",
    "blockWrittenBytes",
    "pids",
];

fn measured(row: &Value, id: &str, name: &str) {
    assert_eq!((&row["ID"], &row["Name"]), (&id.into(), &name.into()), "{row}");
    for key in NUMBERS {
        assert!(row[key].is_number(), "{key} in {row}");
    }
    for key in ["CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs"] {
        assert!(row[key].is_string(), "{key} in {row}");
    }
    assert!(row["memoryUsageBytes"].as_u64() < row["memoryLimitBytes"].as_u64(), "{row}");
    assert!(row["pids"].as_u64() > Some(0), "{row}");
}

#[test]
fn one_measurement_is_an_array_and_a_stream_an_object_a_line() {
    let real = Real::new();
    let id = real.running("a");
    let idle = real.created("b");
    let once = real.container(&["stats", "--no-stream", "--json", &id, &idle]).code(0);
    assert_eq!(once.stderr, "");
    let rows = once.json();
    assert_eq!(rows.as_array().unwrap().len(), 2);
    measured(&rows[0], &id, &real.name("a"));
    let table = real.container(&["stats", "--no-stream", &id]).code(0).stdout;
    assert!(table.starts_with("NAME") && table.lines().count() == 2 && !table.contains('\x1b'), "{table:?}");

    let mut command = real.command(&["container", "stats", "--json", &id]);
    let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    for _ in 0..3 {
        let line = lines.next().unwrap().unwrap();
        let row: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        if row["pids"].as_u64() > Some(0) {
            measured(&row, &id, &real.name("a"));
        }
    }
    drop(lines);
    let mut status = None;
    wait_until("it ends when its reader has closed the pipe", || {
        status = process.try_wait().unwrap();
        status.is_some()
    });
    assert!(status.unwrap().success());
    let mut stderr = String::new();
    std::io::Read::read_to_string(&mut process.stderr.take().unwrap(), &mut stderr).unwrap();
    assert_eq!(stderr, "");
}

/// The drawings on the terminal's other screen, and the one that is left on the first.
fn drawings(shown: &str) -> (Vec<&str>, &str) {
    let (other, left) =
        shown.split_once("\x1b[?1049l").unwrap_or_else(|| panic!("the screen is not given back: {shown:?}"));
    let other = other.strip_prefix("\x1b[?1049h").unwrap_or_else(|| panic!("not on the other screen: {shown:?}"));
    (other.split("\x1b[H\x1b[J").skip(1).collect(), left)
}

#[test]
fn a_terminal_shows_a_table_that_redraws_in_place_with_its_past() {
    let real = Real::new();
    let id = real.running("a");
    let idle = [real.created("b"), real.created("c")];
    // Header and three rows, also of what was never measured.
    let flags = ["--columns", "140", "--until", "▁▁▁▁▁"];
    let ran = real.at_terminal_with(&flags, &["stats", "-a", &id, &idle[0], &idle[1]]);
    assert_eq!(ran.code, 130, "{:?}", ran.stdout);
    let (frames, left) = drawings(&ran.stdout);
    assert!(frames.len() >= 3, "{:?}", ran.stdout);
    // The terminal drops what it has not shown yet when Ctrl-C is typed, so the frame before that may be cut.
    for frame in frames.iter().chain([&left]).filter(|frame| !frame.ends_with("^C")) {
        assert_eq!(frame.matches("\r\n").count(), 4, "{:?}", ran.stdout);
    }
    assert!(frames[1].contains("CPU HISTORY") && frames[1].contains("▁"), "{:?}", ran.stdout);
    assert!(left.contains(&real.name("a")), "{:?}", ran.stdout);
}

#[test]
fn rows_that_do_not_fit_on_the_terminal_are_counted() {
    let mut real = Real::new();
    // A terminal of 30 lines: header, 27 rows, what is left out, and the cursor's own.
    let rows = r#"printf '\033[2J\033[H'; i=0; while [ $i -lt 40 ]; do i=$((i+1))
        printf '{"Container":"c%d","Name":"row%d","CPUPerc":"1%%"}\n' $i $i; done"#;
    real.wrap_docker(&format!("if [ \"$verb\" = stats ]; then {rows}; {rows}; exit 0; fi"));
    let ran = real.at_terminal("", &["stats"]).code(0);
    let (frames, left) = drawings(&ran.stdout);
    assert_eq!(frames.len(), 2, "{:?}", ran.stdout);
    for frame in frames.into_iter().chain([left]) {
        assert_eq!(frame.matches("\r\n").count(), 29, "{frame:?}");
        assert!(frame.contains("row27") && frame.ends_with("… and 13 more\r\n"), "{frame:?}");
    }
}

/// A frame of docker's with two containers.
const FRAME: &str = r#"printf '\033[2J\033[H'; for name in database-of-the-project cache; do
    printf '{"Container":"%s","Name":"%s","CPUPerc":"100.05%%","MemUsage":"123.4MiB / 15.36GiB","MemPerc":"12.34%%",' $name $name
    printf '"NetIO":"12.3kB / 126kB","BlockIO":"1.23MB / 45.6MB","PIDs":"123"}\n'; done"#;

/// The lines of a frame, each shown in at most so many columns.
fn lines(frame: &str, columns: usize) -> Vec<&str> {
    let lines: Vec<&str> = frame.trim_end_matches("\r\n").split("\r\n").collect();
    assert!(lines.iter().all(|line| line.chars().count() <= columns), "wider than {columns}: {frame:?}");
    lines
}

#[test]
fn a_terminal_of_80_columns_shows_every_column_of_dockers() {
    let mut real = Real::new();
    real.wrap_docker(&format!("if [ \"$verb\" = stats ]; then {FRAME}; exit 0; fi"));
    for args in [&["stats"][..], &["stats", "--no-stream"]] {
        let shown = real.at_terminal_with(&["--columns", "80"], args).code(0).stdout;
        let frame = if args.len() == 1 { drawings(&shown).0[0] } else { &shown };
        let lines = lines(frame, 80);
        let headings: Vec<&str> = lines[0].split("  ").map(str::trim).filter(|word| !word.is_empty()).collect();
        assert_eq!(headings, ["NAME", "CPU", "MEMORY", "MEM %", "NET I/O", "BLOCK I/O", "PIDS"], "{shown:?}");
        let words = ["database…", "100.05%", "123.4MiB/15.36GiB", "12.34%", "12.3kB/126kB", "1.23MB/45.6MB", "123"];
        assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>(), words, "{shown:?}");
    }
}

#[test]
fn a_frame_after_a_resize_has_the_new_width_and_a_screen_of_its_own() {
    let mut real = Real::new();
    let narrow = real.path("narrow");
    let wait = format!("while ! [ -e '{}' ]; do sleep 0.02; done", narrow.display());
    // A frame is shown when the next one begins.
    real.wrap_docker(&format!("if [ \"$verb\" = stats ]; then {FRAME}; {FRAME}; {wait}; {FRAME}; {FRAME}; exit 0; fi"));
    let flags = ["--columns", "140", "--narrow-to", "80", "--at", "cache", "--then", narrow.to_str().unwrap()];
    let shown = real.at_terminal_with(&flags, &["stats"]).code(0).stdout;
    let (frames, left) = drawings(&shown);
    let wide = lines(frames[0], 140);
    assert!(wide.len() == 3 && wide[0].contains("CPU HISTORY"), "{shown:?}");
    assert_eq!(frames.len(), 4, "{shown:?}");
    for frame in frames[1..].iter().chain([&left]) {
        let lines = lines(frame, 80);
        assert!(lines.len() == 3 && lines[0].ends_with("PIDS") && !lines[0].contains("HISTORY"), "{shown:?}");
    }
}
