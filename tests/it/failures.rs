//! Makes each failure of docs/failures.md happen. What the table says must be what is shown.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use crate::support::Ran;
use crate::support::fake::Fake;
use crate::support::snapshots::filtered;

/// A row of the table: the failure, and the texts in code of the other columns. A last column that does not begin with code
/// is advice of the page's own.
struct Row {
    failure: String,
    texts: Vec<String>,
}

/// The rows of all tables of the page.
fn rows() -> Vec<Row> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/failures.md");
    let text = std::fs::read_to_string(page).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| failure |"));
    let row = |line: &str| {
        let cells: Vec<&str> = line[2..].trim_end_matches(" |").split(" | ").collect();
        let [failure, shown, next] = cells[..] else { panic!("a row has three columns: {line}") };
        let shown = if next.starts_with('`') { format!("{shown} {next}") } else { shown.to_owned() };
        Row { failure: failure.to_owned(), texts: shown.split('`').skip(1).step_by(2).map(str::to_owned).collect() }
    };
    rows.map(row).collect()
}

type Case = (&'static str, fn(&mut Fake) -> Ran);

const RUN: [&str; 7] = ["exec", "run", "--image", "base", "--src", "src", "--main"];

fn run(fake: &Fake, more: &[&str]) -> Ran {
    fake.run(&[&RUN[..], more].concat())
}

/// A build whose log is a recorded one.
fn recorded(fake: &Fake, log: &str, flags: &[&str]) -> Ran {
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/builds/buildx").join(log).with_extension("log");
    fake.scenario(json!({"build": {"script": format!("cat {}; exit 1", log.display())}}));
    fake.run(&[&["image", "create", "web", "--base", "base"], flags].concat());
    fake.run(&["image", "wait", "web"])
}

const CASES: [Case; 36] = [
    ("docker is not installed", |fake| {
        fake.set("LONGSHORE_DOCKER", "/nowhere/docker");
        run(fake, &["main.py"])
    }),
    ("the engine does not run, or you may not use its socket", |fake| {
        fake.take_engine_down();
        run(fake, &["main.py"])
    }),
    ("the engine hangs", |fake| {
        fake.set("LONGSHORE_DOCKER_TIMEOUT", "500ms");
        fake.scenario(json!({"rules": [{"call": "image inspect", "hang": true}]}));
        run(fake, &["main.py"])
    }),
    ("the docker context does not exist", |fake| fake.run(&["image", "list", "--context", "nosuch"])),
    ("the engine has no such image", |fake| {
        fake.run(&["exec", "run", "--image", "wbe", "--src", "src", "--main", "main.py"])
    }),
    ("required flags are missing", |fake| fake.run(&["exec", "run", "--image", "base"])),
    ("a flag is misspelt", |fake| run(fake, &["main.py", "--memroy", "2g"])),
    ("a flag of docker's does not exist here", |fake| run(fake, &["main.py", "--rm"])),
    ("an option of the program is taken for one of longshore's", |fake| run(fake, &["main.py", "--epochs", "3"])),
    ("the program does not exist", |fake| run(fake, &["nosuch.py"])),
    ("the source directory does not exist", |fake| {
        fake.run(&["exec", "run", "--image", "base", "--src", "nosuch", "--main", "main.py"])
    }),
    ("two runs of a sweep have one output directory", |fake| {
        run(fake, &["main.py", "--each", "lr=0.1,0.01", "--output", "out"])
    }),
    ("a sweep uses a parameter that it does not have", |fake| {
        run(fake, &["main.py", "--each", "seed=1..3", "--", "{sed}"])
    }),
    ("a run with this name is running", |fake| {
        fake.start_gated_with("", &["--name", "report"]);
        let ran = run(fake, &["main.py", "--name", "report"]);
        fake.open_gate();
        ran
    }),
    ("the image is being built", |fake| {
        fake.build_gated("web");
        let ran = fake.run(&["image", "create", "web", "--base", "base"]);
        fake.open_gate();
        ran
    }),
    ("a rerun lacks the value of a variable", |fake| {
        fake.set("TOKEN", "secret");
        fake.ended_run_with("true", &["--name", "report", "--env", "TOKEN"]);
        fake.unset("TOKEN");
        fake.run(&["exec", "rerun", "report"])
    }),
    ("apt does not know a package", |fake| recorded(fake, "apt-unknown", &["--apt", "tre"])),
    ("pip does not know a package", |fake| recorded(fake, "pip-unknown", &["--pip", "nosuch"])),
    ("pip does not know a version", |fake| recorded(fake, "pip-version", &["--pip", "six==99"])),
    ("a command of the recipe fails", |fake| recorded(fake, "command", &["--run", "false"])),
    ("there is no base image", |fake| recorded(fake, "base-unknown", &[])),
    ("a certificate is not trusted", |fake| recorded(fake, "pip-certificate", &["--pip", "six"])),
    ("there is no network", |fake| recorded(fake, "apt-unresolved", &["--apt", "tree"])),
    ("the engine's disk is full", |fake| recorded(fake, "command-space", &["--run", "false"])),
    ("the program fails", |fake| {
        fake.write("src/main.py", "exit 3\n");
        run(fake, &["main.py", "--name", "report", "--wait"])
    }),
    ("the program used up its memory", |fake| {
        fake.scenario(json!({"inspect": {"State": {"OOMKilled": true}}}));
        fake.ended_run_with("kill -KILL $$", &["--name", "report", "--memory", "2g"]);
        fake.run(&["exec", "wait", "report"])
    }),
    ("the time limit passed", |fake| {
        fake.ended_run_with("sleep 60", &["--name", "report", "--timeout", "100ms"]);
        fake.run(&["exec", "wait", "report"])
    }),
    ("the exit code cannot be found out", |fake| {
        let id = fake.start_unattended("exit 0");
        let container = fake.containers().remove(0);
        fake.docker(&["rm", "--force", &container]);
        fake.leaves_unsound("its container was removed");
        fake.run(&["exec", "wait", &id])
    }),
    ("the engine is away, and the run lost its supervisor", |fake| {
        let id = fake.start_unattended("exit 0");
        fake.take_engine_down();
        let ran = fake.run(&["exec", "wait", &id]);
        fake.bring_engine_up();
        fake.open_gate();
        ran
    }),
    ("the name is misspelt", |fake| {
        fake.ended_run_with("true", &["--name", "report"]);
        fake.run(&["exec", "logs", "reprot"])
    }),
    ("the run has ended already", |fake| {
        fake.ended_run_with("exit 3", &["--name", "report"]);
        fake.run(&["exec", "stop", "report"])
    }),
    ("the record is damaged", |fake| {
        let id = fake.ended_run("true");
        std::fs::write(fake.job("run", &id).join("exit.json"), "{").unwrap();
        fake.leaves_unsound("its record is damaged");
        fake.run(&["exec", "wait", &id])
    }),
    ("the state directory can be written by others", |fake| {
        use std::os::unix::fs::PermissionsExt as _;
        fake.ended_run("true");
        let state = fake.path("state/longshore");
        std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o777)).unwrap();
        let ran = fake.run(&["exec", "list"]);
        std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o700)).unwrap();
        ran
    }),
    ("the output of a command cannot be written", |fake| {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = fake.command(&fake.run_args("true", &[])).stdout(full).output().unwrap();
        fake.wait_until_quiet();
        Ran::from(output)
    }),
    ("the filter has an unknown key", |fake| fake.run(&["exec", "list", "--filter", "colour=red"])),
    ("the container belongs to a run", |fake| {
        fake.start_gated("");
        let container = fake.containers().remove(0);
        let ran = fake.run(&["container", "rm", &container]);
        fake.open_gate();
        ran
    }),
];

#[test]
fn each_failure_shows_its_cause_and_what_to_type_next() {
    let (rows, mut wrong) = (rows(), Vec::new());
    for (failure, make) in CASES {
        let mut fake = Fake::new();
        fake.write("src/main.py", "true\n");
        let ran = make(&mut fake);
        assert_ne!(ran.code, 0, "{failure}");
        let shown = filtered(&fake, &(ran.stdout + &ran.stderr));
        let Some(row) = rows.iter().find(|row| row.failure == failure) else {
            wrong.push(format!("{failure}: not in the table\n{shown}"));
            continue;
        };
        assert!(!row.texts.is_empty(), "{failure}: the row does not say what is shown");
        let of_this_test =
            |text: &str| text.replace("7hfn5ytf0bm4", "<run-000001>").replace("6n26e20n97bw", "<build-0001>");
        for text in row.texts.iter().map(|text| of_this_test(text)).filter(|text| !shown.contains(text)) {
            wrong.push(format!("{failure}: {text:?} is not in\n{shown}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let cases: BTreeSet<&str> = CASES.iter().map(|(failure, _)| *failure).collect();
    let unknown: Vec<&str> = rows.iter().map(|row| row.failure.as_str()).filter(|row| !cases.contains(row)).collect();
    assert!(unknown.is_empty(), "rows without a test: {unknown:?}");
}
