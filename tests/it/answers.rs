//! Every command of builds and runs, as text, as JSON and where it fails: what it prints, all of it. The commands on
//! containers are in `container/answers.rs`, for they need a real engine.

use serde_json::json;

use crate::support::Ran;
use crate::support::fake::{Fake, assert_failure_document};
use crate::support::schema;
use crate::support::snapshots::{snapshot, together};

/// The command as text and with `--json`, whose document keeps to the schema of that name.
#[track_caller]
fn as_text_and_json(fake: &Fake, args: &[&str], schema: &str) -> String {
    let (text, document) = (fake.run(args), fake.run(&[args, &["--json"]].concat()));
    assert_eq!(text.code, document.code, "{args:?}");
    schema::validated(schema, document.json());
    together([text, document])
}

/// The same of a command that fails.
#[track_caller]
fn as_failure(fake: &Fake, args: &[&str], kind: &str) -> String {
    let (text, document) = (fake.run(args), fake.run(&[args, &["--json"]].concat()));
    assert_eq!((text.stdout.as_str(), text.code), ("", document.code), "{args:?}");
    assert_eq!(text.stderr, document.stderr, "{args:?}");
    assert_failure_document(&document, kind);
    together([text, document])
}

/// One line of JSON for each line, or for each row.
fn follow(fake: &Fake, args: &[&str]) -> [Ran; 2] {
    [fake.run(args), fake.run(&[args, &["--json"]].concat())]
}

#[test]
fn exec_run() {
    let fake = Fake::new();
    let args = |script: &str, more: &[&str]| fake.run(&fake.run_args(script, more));
    let background = [args("echo on", &["--name", "first"]), args("echo on", &["--json"])];
    let waited = [args("echo on; exit 3", &["--wait"]), args("echo on; exit 3", &["--wait", "--json"])];
    let followed = [args("echo on; exit 3", &["--follow"]), args("echo on; exit 3", &["--follow", "--json"])];
    let absent = ["exec", "run", "--image", "nosuch", "--src", "src", "--main", "p0.py"];
    let none = ["exec", "run", "--image", "base", "--src", "src", "--main", "nosuch.py"];
    snapshot!(
        fake,
        together(background),
        together(waited),
        together(followed),
        as_failure(&fake, &absent, "not-found"),
        as_failure(&fake, &none, "usage"),
    );
}

#[test]
fn exec_rerun() {
    let fake = Fake::new();
    let id = fake.ended_run_with("echo \"on $1\"; exit 3", &["--name", "first", "--", "one"]);
    let rerun = |more: &[&str]| {
        let ran = fake.run(&[&["exec", "rerun", &id], more].concat());
        fake.end_of("first");
        ran
    };
    let background = [rerun(&[]), rerun(&["--json"])];
    let waited = [rerun(&["--wait"]), rerun(&["--wait", "--json", "--", "two"])];
    let followed = [rerun(&["--follow"]), rerun(&["--follow", "--json"])];
    snapshot!(
        fake,
        together(background),
        together(waited),
        together(followed),
        as_failure(&fake, &["exec", "rerun", "nosuch"], "not-found"),
    );
}

#[test]
fn exec_list() {
    let fake = Fake::new();
    let empty = as_text_and_json(&fake, &["exec", "list"], "jobs");
    fake.ended_run_with("exit 0", &["--name", "good", "--label", "team=red"]);
    fake.ended_run("kill -KILL $$");
    fake.start_gated("");
    let full = as_text_and_json(&fake, &["exec", "list"], "jobs");
    let failure = as_failure(&fake, &["exec", "list", "--filter", "colour=red"], "usage");
    snapshot!(fake, empty, full, fake.run(&["exec", "list", "-q"]), failure);
    fake.open_gate();
}

#[test]
fn exec_inspect() {
    let fake = Fake::new();
    let (ended, running) = (fake.ended_run_with("exit 3", &["--name", "first"]), fake.start_gated(""));
    snapshot!(
        fake,
        as_text_and_json(&fake, &["exec", "inspect", &ended], "exec-inspect"),
        as_text_and_json(&fake, &["exec", "inspect", "--spec", &ended], "run-spec"),
        fake.run(&["exec", "inspect", &running]),
        as_failure(&fake, &["exec", "inspect", "nosuch"], "not-found"),
    );
    fake.open_gate();
}

#[test]
fn exec_logs() {
    let fake = Fake::new();
    let id = fake.ended_run("echo one; echo two; printf three; exit 3");
    snapshot!(
        fake,
        as_text_and_json(&fake, &["exec", "logs", &id], "logs"),
        as_text_and_json(&fake, &["exec", "logs", "-n", "2", &id], "logs"),
        together(follow(&fake, &["exec", "logs", "--follow", "--exit-code", &id])),
        as_failure(&fake, &["exec", "logs", "nosuch"], "not-found"),
    );
}

#[test]
fn exec_wait() {
    let fake = Fake::new();
    let (good, bad) = (fake.ended_run("exit 0"), fake.ended_run("exit 3"));
    let running = fake.start_gated("");
    snapshot!(
        fake,
        as_text_and_json(&fake, &["exec", "wait", &good], "job"),
        as_text_and_json(&fake, &["exec", "wait", &bad], "job"),
        as_text_and_json(&fake, &["exec", "wait", &good, &bad], "jobs"),
        fake.run(&["exec", "wait", "--any", &running, &bad]),
        as_failure(&fake, &["exec", "wait", "--timeout", "10ms", &running], "timeout"),
        as_failure(&fake, &["exec", "wait", "nosuch"], "not-found"),
    );
    fake.open_gate();
}

#[test]
fn exec_stop_and_kill() {
    let fake = Fake::new();
    let answers = ["stop", "kill"].map(|verb| {
        let ids = [fake.start_gated(""), fake.start_gated("")];
        let text = fake.run(&["exec", verb, &ids[0]]);
        let document = fake.run(&["exec", verb, "--json", &ids[1]]);
        schema::validated("done", document.json());
        fake.end_of(&ids[0]);
        let late = as_failure(&fake, &["exec", verb, &ids[0]], "conflict");
        together([
            text.to_string(),
            document.to_string(),
            late,
            as_failure(&fake, &["exec", verb, "nosuch"], "not-found"),
        ])
    });
    snapshot!(fake, together(answers));
}

#[test]
fn exec_forget() {
    let fake = Fake::new();
    let ids = [fake.ended_run("exit 0"), fake.ended_run("exit 0")];
    let (text, document) = (fake.run(&["exec", "forget", &ids[0]]), fake.run(&["exec", "forget", "--json", &ids[1]]));
    schema::validated("done", document.json());
    snapshot!(fake, text, document, as_failure(&fake, &["exec", "forget", &ids[0]], "not-found"));
}

#[test]
fn image_create() {
    let fake = Fake::new();
    let create = |name: &str, more: &[&str]| {
        let ran = fake.run(&[&["image", "create", name, "--base", "base"], more].concat());
        fake.end_of_build(name);
        ran
    };
    let background = [create("web", &[]), create("web", &["--json"])];
    let waited = [create("web", &["--wait"]), create("web", &["--wait", "--json"])];
    let followed = create("web", &["--follow"]);
    let absent = as_failure(&fake, &["image", "create", "web"], "usage");
    fake.scenario(json!({"build": {"script": "echo no such package; exit 4"}}));
    let failed = [create("web", &["--wait"]), create("web", &["--wait", "--json"])];
    fake.build_gated("web");
    let busy = as_failure(&fake, &["image", "create", "web", "--base", "base"], "conflict");
    snapshot!(fake, together(background), together(waited), followed, absent, together(failed), busy);
    fake.open_gate();
}

#[test]
fn image_status_and_logs() {
    let fake = Fake::new();
    fake.build("web");
    fake.end_of_build("web");
    fake.build_gated("api");
    let answers = [("status", "image-status"), ("logs", "logs")].map(|(verb, document)| {
        together([
            as_text_and_json(&fake, &["image", verb, "web"], document),
            as_text_and_json(&fake, &["image", verb, "api"], document),
            as_failure(&fake, &["image", verb, "nosuch"], "not-found"),
        ])
    });
    snapshot!(fake, together(answers));
    fake.open_gate();
}

#[test]
fn image_wait() {
    let fake = Fake::new();
    fake.build("web");
    fake.end_of_build("web");
    fake.scenario(json!({"build": {"script": "exit 4"}}));
    fake.build("api");
    fake.end_of_build("api");
    snapshot!(
        fake,
        as_text_and_json(&fake, &["image", "wait", "web"], "job"),
        as_text_and_json(&fake, &["image", "wait", "api"], "job"),
        as_text_and_json(&fake, &["image", "wait", "web", "api"], "jobs"),
        as_failure(&fake, &["image", "wait", "nosuch"], "not-found"),
    );
}

#[test]
fn image_cancel() {
    let fake = Fake::new();
    fake.build_gated("web");
    let text = fake.run(&["image", "cancel", "web"]);
    fake.end_of_build("web");
    fake.build_gated("api");
    let document = fake.run(&["image", "cancel", "--json", "api"]);
    schema::validated("done", document.json());
    snapshot!(
        fake,
        text,
        document,
        as_failure(&fake, &["image", "cancel", "web"], "conflict"),
        as_failure(&fake, &["image", "cancel", "nosuch"], "not-found"),
        as_text_and_json(&fake, &["image", "status", "web"], "image-status"),
    );
    fake.open_gate();
}

#[test]
fn image_forget() {
    let fake = Fake::new();
    for name in ["web", "api"] {
        fake.build(name);
        fake.end_of_build(name);
    }
    let (text, document) = (fake.run(&["image", "forget", "web"]), fake.run(&["image", "forget", "--json", "api"]));
    schema::validated("done", document.json());
    snapshot!(fake, text, document, as_failure(&fake, &["image", "forget", "web"], "not-found"));
}

#[test]
fn image_builds_and_list() {
    let fake = Fake::new();
    let empty = as_text_and_json(&fake, &["image", "builds"], "jobs");
    fake.build("web");
    fake.end_of_build("web");
    fake.scenario(json!({"build": {"script": "exit 4"}}));
    fake.build("api");
    fake.end_of_build("api");
    let full = as_text_and_json(&fake, &["image", "builds"], "jobs");
    let list = as_text_and_json(&fake, &["image", "list"], "image-list");
    fake.take_engine_down();
    let failures = [
        as_failure(&fake, &["image", "builds", "--filter", "x"], "usage"),
        as_failure(&fake, &["image", "list"], "engine-unreachable"),
    ];
    snapshot!(fake, empty, full, list, together(failures));
    fake.bring_engine_up();
}

#[test]
fn completions() {
    let fake = Fake::new();
    // The scripts themselves are in completions/.
    assert!(fake.run(&["completions", "bash"]).code(0).stdout.contains("longshore"));
    snapshot!(fake, as_failure(&fake, &["completions", "no-such-shell"], "usage"));
}
