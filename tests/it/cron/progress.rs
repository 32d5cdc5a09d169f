//! What a terminal shows while a command waits: steps, times, and how each job ended.

use std::io::Read as _;
use std::path::Path;
use std::process::Child;

use serde_json::json;

use crate::cron::end;
use crate::faults::terminal::{at_terminal, terminal};
use crate::support::Ran;
use crate::support::fake::Fake;

/// A build that says which step it is in, and waits at the gate.
fn stepping(fake: &Fake, after: &str) {
    let steps = "echo 'Step 2/3 : RUN [\"sh\", \"/.longshore/step.sh\", \"copied\", \"pip\"]'; echo one; echo two";
    fake.scenario(json!({"build": {"script": fake.gated(steps, after)}}));
}

fn words(args: &[&str]) -> Vec<String> {
    args.iter().map(|word| (*word).to_owned()).collect()
}

fn create(more: &[&str]) -> Vec<String> {
    words(&[&["image", "create", "web", "--base", "base"], more].concat())
}

/// A command at a terminal. Once the terminal has shown all of this, the gate is opened. Gives all that it has shown.
fn shown(fake: &Fake, args: &[String], until: &[&str]) -> Ran {
    let mut child: Child = terminal(fake, "none", Path::new("-"), args);
    let (mut text, mut stdout) = (Vec::new(), child.stdout.take().unwrap());
    let mut chunk = [0; 4096];
    let has = |text: &[u8], part: &&str| String::from_utf8_lossy(text).contains(*part);
    while let Ok(count @ 1..) = stdout.read(&mut chunk) {
        text.extend_from_slice(&chunk[..count]);
        if until.iter().all(|part| has(&text, part)) {
            fake.open_gate();
        }
    }
    let ran = end(child);
    std::fs::remove_file(fake.engine("gate")).expect("the terminal has shown it");
    Ran { stdout: String::from_utf8(text).unwrap(), ..ran }
}

/// The lines that are on the screen in the end.
fn screen(text: &str) -> Vec<String> {
    let (mut lines, mut row, mut column) = (vec![String::new()], 0, 0);
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '\r' => column = 0,
            '\n' => row += 1,
            '\x1b' => {
                let mut parameter = String::new();
                let last = loop {
                    match chars.next().expect("a whole sequence") {
                        char if char.is_ascii_alphabetic() => break char,
                        char => parameter.push(char),
                    }
                };
                match last {
                    'A' => row -= parameter.trim_start_matches('[').parse().unwrap_or(1),
                    'K' => lines[row].truncate(column),
                    'J' => {
                        lines[row].truncate(column);
                        lines.truncate(row + 1);
                    }
                    _ => {}
                }
            }
            _ => {
                lines[row].truncate(column);
                lines[row].push(char);
                column += 1;
            }
        }
        lines.resize(lines.len().max(row + 1), String::new());
    }
    lines.into_iter().filter(|line| !line.is_empty()).collect()
}

/// Times differ from run to run.
fn timeless(line: &str) -> String {
    regex::Regex::new(r"\b(\d+m)?\d+s\b").unwrap().replace_all(line, "TIME").into_owned()
}

#[test]
fn a_build_that_is_waited_for_shows_its_step_and_the_time_of_the_last_one() {
    let fake = Fake::new();
    for (code, after, last, ending) in [
        (0, "true", "", "web: succeeded in TIME"),
        (0, "true", " (the last one took TIME)", "web: succeeded in TIME"),
        (1, "exit 3", " (the last one took TIME)", "web: failed after TIME"),
        // The time is that of the last one that succeeded.
        (0, "true", " (the last one took TIME)", "web: succeeded in TIME"),
    ] {
        stepping(&fake, after);
        let ran = shown(&fake, &create(&["--wait"]), &["step 2 of 3"]).code(code);
        let drawn = timeless(&ran.stdout);
        assert!(drawn.contains(&format!("\rweb: step 2 of 3: pip packages, TIME{last}\x1b[K")), "{drawn:?}");
        let lines: Vec<String> = screen(&ran.stdout).iter().map(|line| timeless(line)).collect();
        assert_eq!(&lines[..2], ["web", ending], "{ran:?}");
        assert_eq!(lines.len() > 2, code == 1, "what was drawn is left on the screen: {lines:?}");
    }
    stepping(&fake, "true");
    fake.build("web");
    let waited = shown(&fake, &words(&["image", "wait", "web"]), &["step 2 of 3"]).code(0);
    assert_eq!(
        screen(&waited.stdout).iter().map(|line| timeless(line)).collect::<Vec<_>>(),
        ["web: succeeded in TIME"]
    );
}

#[test]
fn a_build_that_is_followed_shows_it_below_its_output() {
    let fake = Fake::new();
    stepping(&fake, "echo three; printf half; sleep 0.3; echo");
    let ran = shown(&fake, &create(&["--follow"]), &["step 2 of 3: pip packages"]).code(0);
    let lines: Vec<String> = screen(&ran.stdout).iter().map(|line| timeless(line)).collect();
    let begun = lines.iter().position(|line| line == "one").unwrap();
    assert_eq!(&lines[begun..begun + 4], ["one", "two", "three", "half"], "{ran:?}");
    assert_eq!(lines.last().unwrap(), "web: succeeded in TIME");
    assert_eq!(lines.iter().filter(|line| line.contains("of 3: pip")).count(), 0, "{lines:?}");
}

#[test]
fn several_that_are_waited_for_have_a_line_each() {
    let fake = Fake::new();
    let script = fake.gated("echo on", "exit 4");
    let first = fake.start_with(&script, &["--name", "first"]);
    let second = fake.start_with(&script, &[]);
    let args = words(&["exec", "wait", &first, &second]);
    let ran = shown(&fake, &args, &["first: running, ", &format!("{second}: running, ")]).code(1);
    let lines: Vec<String> = screen(&ran.stdout).iter().map(|line| timeless(line)).collect();
    assert_eq!(
        lines,
        [
            "first: failed after TIME".to_owned(),
            format!("{first} 4"),
            format!("{second}: failed after TIME"),
            format!("{second} 4")
        ]
    );
}

#[test]
fn where_nothing_can_be_redrawn_nothing_is() {
    let mut fake = Fake::new();
    let piped = fake.run(&create(&["--wait"])).code(0);
    assert_eq!((piped.stdout.as_str(), piped.stderr.as_str()), ("web\n", ""));
    let json = at_terminal(&fake, &create(&["--wait", "--json"])).code(0);
    assert!(json.stdout.starts_with('{') && json.stdout.trim_end().ends_with('}'), "{json:?}");
    fake.set("TERM", "dumb");
    stepping(&fake, "true");
    let dumb = shown(&fake, &create(&["--wait"]), &["step 2 of 3"]).code(0);
    assert!(!dumb.stdout.contains('\x1b'), "{dumb:?}");
    assert_eq!(dumb.stdout.matches("step 2 of 3").count(), 1, "{dumb:?}");
    assert!(dumb.stdout.contains("web: succeeded in "), "{dumb:?}");
}
