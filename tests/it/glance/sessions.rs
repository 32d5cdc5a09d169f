//! What the commands of builds and runs show at a terminal: narrow and wide, with colours, with NO_COLOR, and with
//! TERM=dumb. Where two of these are the same, the snapshot says so. `--watch`, progress and screens that are redrawn have tests
//! of their own.

use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::Regex;

use super::words;
use crate::faults::terminal::at_terminal;
use crate::support::fake::Fake;
use crate::support::snapshots::{filtered, snapshot};

/// A command line at a terminal of this size. Each run is a new job, so their numbers are left out.
fn shown(fake: &mut Fake, line: &str, size: &str, variable: &str, value: &str) -> String {
    static JOB: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"<(run|build)-0*\d+>").unwrap());
    let args: Vec<String> = words(line).into_iter().map(str::to_owned).collect();
    fake.set("TERMINAL_SIZE", size);
    fake.set(variable, value);
    let ran = at_terminal(fake, &args);
    fake.unset(variable);
    JOB.replace_all(&filtered(fake, &ran.to_string()), "<$1>").into_owned()
}

/// The text without colours, as a snapshot shows them.
fn uncoloured(text: &str) -> String {
    static COLOUR: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\\e\[[0-9;]*m").unwrap());
    COLOUR.replace_all(text, "").into_owned()
}

/// The command line at all four terminals.
fn session(fake: &mut Fake, line: &str) -> String {
    let narrow = shown(fake, line, "80x24", "TERM", "xterm");
    let others = [
        ("200x50", shown(fake, line, "200x50", "TERM", "xterm")),
        ("NO_COLOR", shown(fake, line, "80x24", "NO_COLOR", "1")),
        ("TERM=dumb", shown(fake, line, "80x24", "TERM", "dumb")),
    ];
    let mut text = narrow.clone();
    for (name, other) in others {
        if other == narrow {
            writeln!(text, "{name}: the same").unwrap();
        } else if other == uncoloured(&narrow) {
            writeln!(text, "{name}: the same without colours").unwrap();
        } else {
            writeln!(text, "{name}:\n{other}").unwrap();
        }
    }
    text
}

#[test]
fn every_command_of_runs_fits_every_terminal() {
    let mut fake = Fake::new();
    fake.write("src/quick.py", "echo done\n");
    fake.write("src/broken.py", "printf '\\033[31mred\\033[0m and plain\\n'; echo half; exit 3\n");
    fake.ended_run_with("echo one; echo two", &["--name", "report"]);
    fake.ended_run_with(
        "exit 3",
        &["--name", "a-name-that-is-rather-long", "--", "--epochs", "300", "--rate", "0.001"],
    );
    let sessions = [
        "exec run --image base --src src --main quick.py --wait",
        "exec run --image base --src src --main broken.py --wait",
        "exec run --image base --src src --main broken.py --follow",
        "exec run --image base --src src --main nosuch.py",
        "exec run --image base",
        "exec rerun report --wait",
        "exec logs report",
        "exec logs -f report",
        "exec logs report a-name-that-is-rather-long",
        "exec wait report",
        "exec wait a-name-that-is-rather-long",
        "exec wait report a-name-that-is-rather-long",
        "exec inspect --spec report",
        "exec status a-name-that-is-rather-long",
        "exec stop report",
        "exec logs reprot",
        "exec forget nosuch",
        "exec list --filter colour=red",
        "exec",
    ]
    .map(|line| session(&mut fake, line));
    snapshot!(fake, sessions.join("\n"));
}

#[test]
fn a_sweep_fits_every_terminal() {
    let mut fake = Fake::new();
    fake.write("src/train.py", "[ \"$2\" != 2 ] || exit 3\n");
    let sweep = "exec run --image base --src src --main train.py --group rates --each lr=0.1,0.01 --each seed=1..2";
    fake.line(&format!("{sweep} --name run-{{lr}}-{{seed}} --wait -- {{lr}} {{seed}}")).code(1);
    fake.write("models.csv", "model,ID\n\"a model with a name that is long enough to be cut\",7\n");
    fake.line("exec run --image base --src src --main train.py --group wide --each models.csv --wait -- {model} {ID}")
        .code(0);
    let sessions = [
        "exec list --group rates",
        "exec list --group rates --no-trunc",
        "exec list --group wide",
        "exec list",
        "exec status run-0.1-2",
        "exec wait --group rates",
        "exec run --image base --src src --main train.py --each seed=1..2 --group again -- {seed}",
        "exec list --group rate",
    ]
    .map(|line| session(&mut fake, line));
    fake.line("exec wait --group again").code(0);
    snapshot!(fake, sessions.join("\n"));
}

#[test]
fn every_command_of_builds_fits_every_terminal() {
    let mut fake = Fake::new();
    let id = fake.build("web");
    fake.end_of_build(&id);
    fake.scenario(serde_json::json!({"build": {"script": "echo longshore: pip ended with exit code 1; exit 1"}}));
    let id = fake.build("registry.example.org/a/very/long/name/of/an/image:of-tuesday");
    fake.end_of_build(&id);
    // An age of minutes is as wide on a slow machine. Otherwise the column changes after ten seconds.
    fake.set("LONGSHORE_TEST_CLOCK", "200");
    let sessions = [
        "image create web --base base --dry-run",
        "image create web",
        "image create web --base base --if-missing",
        "image status web",
        "image logs web",
        "image wait web",
        "image wait registry.example.org/a/very/long/name/of/an/image:of-tuesday",
        "image builds",
        "image list",
        "image cancel web",
        "image status wbe",
        "ps",
        "wait web",
        "prune --older-than 0s --dry-run",
        "prune",
        "nosuch",
    ]
    .map(|line| session(&mut fake, line));
    snapshot!(fake, sessions.join("\n"));
}
