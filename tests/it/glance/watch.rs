//! `--watch`: a list that is redrawn in place.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::faults::terminal::terminal;
use crate::support::fake::Fake;
use crate::support::snapshots::{snapshot, together};
use crate::support::{Ran, schema, wait_until};

const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";
const CLEAR: &str = "\x1b[H\x1b[J";

/// A command at a terminal, and what it has shown until now.
struct Shown {
    child: Child,
    text: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

impl Shown {
    fn of(fake: &Fake, action: &str, args: &[&str]) -> Self {
        let args: Vec<String> = args.iter().map(|word| (*word).to_owned()).collect();
        Self::from(terminal(fake, action, &fake.engine("act"), &args))
    }

    fn from(mut child: Child) -> Self {
        let (mut stdout, text) = (child.stdout.take().unwrap(), Arc::new(Mutex::new(String::new())));
        let into = Arc::clone(&text);
        let reader = std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = stdout.read(&mut chunk) {
                into.lock().unwrap().push_str(&String::from_utf8_lossy(&chunk[..count]));
            }
        });
        Self { child, text, reader }
    }

    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// The drawings that are complete.
    fn drawings(&self) -> usize {
        self.text().matches(CLEAR).count().saturating_sub(1)
    }

    /// How the terminal gives its keys, as it was left.
    fn mode(fake: &Fake) -> String {
        std::fs::read_to_string(fake.engine("act.mode")).unwrap()
    }

    fn wait_for(&self, text: &str) {
        wait_until(&format!("the terminal shows {text:?}"), || self.text().contains(text));
    }

    /// All that was shown, and the exit code.
    fn end(mut self) -> (String, i32) {
        let code = self.child.wait().unwrap().code().unwrap();
        self.reader.join().unwrap();
        (Arc::into_inner(self.text).unwrap().into_inner().unwrap(), code)
    }
}

#[test]
fn a_watched_list_follows_the_jobs_and_the_size_and_leaves_the_screen_as_it_was() {
    let mut fake = Fake::new();
    fake.set("TERMINAL_SIZE", "80x24");
    fake.set("TERM", "xterm");
    let name = "a-name-that-is-longer-than-a-part-of-80-columns";
    let id =
        fake.start_gated_with("exit 3", &["--name", name, "--", "some", "more", "arguments", "that", "take", "room"]);
    let shown = Shown::of(&fake, "resize", &["exec", "list", "--watch"]);
    shown.wait_for("running");
    assert!(!shown.text().contains(name), "{}", shown.text());
    std::fs::write(fake.engine("act.new"), "200x24").unwrap();
    std::fs::rename(fake.engine("act.new"), fake.engine("act")).unwrap();
    shown.wait_for(name);
    fake.open_gate();
    fake.end_of(&id);
    shown.wait_for("failed");
    std::fs::write(fake.engine("act.end"), "").unwrap();
    let (text, code) = shown.end();
    assert_eq!(code, 130);
    assert!(text.starts_with(&format!("{ENTER}{CLEAR}ID ")), "{text:?}");
    let (other, first) = text.split_once(LEAVE).unwrap();
    assert!(!first.contains('\x1b') || first.matches("\x1b[").count() == 2, "only the colour of the status: {first:?}");
    for drawing in other.split(CLEAR).skip(1) {
        assert_eq!(drawing.trim_end_matches("^C").matches("\r\n").count(), 2, "a header and a row: {drawing:?}");
    }
    snapshot!(
        fake,
        Ran { typed: "longshore exec list --watch".into(), stdout: first.to_owned(), stderr: String::new(), code }
    );
}

#[test]
fn a_list_that_is_longer_than_the_terminal_says_how_many_are_left_out() {
    let mut fake = Fake::new();
    fake.set("TERM", "xterm");
    fake.set("TERMINAL_SIZE", "80x5");
    for _ in 0..4 {
        fake.ended_run("true");
    }
    let shown = Shown::of(&fake, "none", &["ps", "--watch"]);
    shown.wait_for("… and 2 more\r\n");
    std::fs::write(fake.engine("act.end"), "").unwrap();
    let (text, code) = shown.end();
    assert_eq!((code, text.split_once(LEAVE).unwrap().1.matches("\r\n").count()), (130, 4), "{text:?}");
}

/// Types this into a list that is watched, once it is there: what was shown, and the exit code.
fn ended_by(fake: &Fake, keys: &str) -> (String, i32) {
    let shown = Shown::of(fake, "none", &["exec", "list", "--watch"]);
    wait_until("it is drawn", || shown.drawings() > 0);
    std::fs::write(fake.engine("act.new"), keys).unwrap();
    std::fs::rename(fake.engine("act.new"), fake.engine("act.end")).unwrap();
    let ended = shown.end();
    std::fs::remove_file(fake.engine("act.end")).unwrap();
    ended
}

#[test]
fn the_key_q_ends_it_and_the_terminal_is_as_before() {
    let mut fake = Fake::new();
    fake.set("TERM", "xterm");
    fake.ended_run("true");
    for (keys, expected) in [("q", 0), ("%\r\x1b[Aq", 0), ("Q", 0), ("%\x03", 130)] {
        let (text, code) = ended_by(&fake, keys);
        assert_eq!((code, Shown::mode(&fake).as_str()), (expected, "icanon echo"), "{keys:?}");
        let (other, first) = text.split_once(LEAVE).unwrap();
        assert_eq!(first.matches("\r\n").count(), 2, "a header and a row: {first:?}");
        assert!(!other.contains(['%', '^']), "no key is shown: {other:?}");
    }
}

#[test]
fn without_a_keyboard_it_ends_by_ctrl_c_alone() {
    let mut fake = Fake::new();
    fake.set("TERM", "xterm");
    fake.ended_run("true");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/terminal");
    let (act, redirected) = (fake.engine("act"), "exec \"$@\" </dev/null");
    let outer = [script.to_str().unwrap(), "none", act.to_str().unwrap(), "sh", "-c", redirected, "sh"];
    let mut command = fake.through(&outer, &["exec", "list", "--watch"]);
    let shown = Shown::from(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    wait_until("it is drawn", || shown.drawings() > 0);
    std::fs::write(fake.engine("act.new"), "q\x03").unwrap();
    std::fs::rename(fake.engine("act.new"), fake.engine("act.end")).unwrap();
    let (text, code) = shown.end();
    assert_eq!((code, Shown::mode(&fake).as_str()), (130, "icanon echo"), "{text:?}");
}

#[test]
fn ctrl_z_and_the_end_by_a_signal_give_the_screen_back() {
    let mut fake = Fake::new();
    fake.set("TERM", "xterm");
    fake.ended_run("true");
    let shown = Shown::of(&fake, "ctrl-z", &["exec", "list", "-w"]);
    wait_until("it was drawn twice", || shown.drawings() > 1);
    std::fs::write(fake.engine("act"), "").unwrap();
    wait_until("the command is stopped", || fake.engine("act.stopped").exists());
    wait_until("the screen is given back", || shown.text().ends_with(LEAVE));
    assert_eq!(std::fs::read_to_string(fake.engine("act.stopped")).unwrap(), "icanon echo");
    let before = shown.drawings();
    std::fs::write(fake.engine("act.fg"), "").unwrap();
    wait_until("it is drawn again", || shown.drawings() > before && shown.text().matches(ENTER).count() == 2);
    let process = fake.processes().into_iter().find(|p| p.command.trim_end().ends_with("exec list -w")).unwrap();
    let pid = process.pid;
    // The first process of that command line is the terminal's; longshore is its child.
    let ours = fake.processes().into_iter().filter(|p| p.command.trim_end().ends_with("exec list -w")).find(|p| {
        let status = std::fs::read_to_string(format!("/proc/{}/status", p.pid)).unwrap_or_default();
        status.starts_with("Name:\tlongshore")
    });
    fake.signal("TERM", ours.map_or(pid, |process| process.pid));
    let (text, code) = shown.end();
    assert_eq!(code, 143);
    assert!(text.ends_with(LEAVE), "{text:?}");
    assert_eq!(Shown::mode(&fake), "icanon echo");
}

#[test]
fn without_a_terminal_that_redraws_watch_is_refused_and_as_json_a_line_a_change() {
    let mut fake = Fake::new();
    let id = fake.start_gated("exit 3");
    let refused = fake.run(&["exec", "list", "--watch"]).code(2);
    let mut child = fake.command(&["exec", "list", "--watch", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let mut next =
        || -> Value { schema::validated("jobs", serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap()) };
    let first = next();
    assert_eq!((&first[0]["id"], &first[0]["status"]), (&id.as_str().into(), &"running".into()));
    // It looks some more times, and says nothing.
    let reads = || {
        let io = std::fs::read_to_string(format!("/proc/{}/io", child.id())).unwrap();
        io.lines().find_map(|line| line.strip_prefix("syscr: ")?.parse::<u64>().ok()).unwrap()
    };
    let before = reads();
    wait_until("it has looked again", || reads() > before + 40);
    fake.open_gate();
    // The end may be seen before the record is complete, but never is a line printed without a change.
    let mut last = first;
    while last[0]["status"] == "running" {
        let now = next();
        assert_ne!(now, last);
        last = now;
    }
    assert_eq!(last[0]["exitCode"], 3);
    drop(lines);
    assert!(child.wait().unwrap().success(), "its reader has left");
    fake.set("TERM", "dumb");
    let (text, code) = Shown::of(&fake, "none", &["exec", "list", "--watch"]).end();
    assert_eq!(code, 2, "{text}");
    snapshot!(fake, together([refused]), text);
}
