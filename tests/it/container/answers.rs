//! Every command on containers, as text, as JSON and where it fails: what it prints, all of it.

use serde_json::json;

use crate::support::real::Real;
use crate::support::schema;
use crate::support::snapshots::{snapshot, together};

/// The command as text and with `--json`, whose document keeps to the schema of that name.
#[track_caller]
fn as_text_and_json(real: &Real, args: &[&str], schema: &str) -> String {
    let (text, document) = (real.container(args), real.container(&[args, &["--json"]].concat()));
    assert_eq!(text.code, document.code, "{args:?}");
    schema::validated(schema, document.json());
    together([text, document])
}

/// The failures of a command on a container that is not there, and without an engine.
#[track_caller]
fn failures(real: &Real, args: &[&str]) -> String {
    let away = [args, &["--host", "unix:///nowhere/docker.sock"]].concat();
    together([as_text_and_json(real, args, "error"), as_text_and_json(real, &away, "error")])
}

/// A container that was never started, of an image whose name is as wide on every machine.
fn created(real: &Real, short: &str, command: &[&str]) -> String {
    let (name, label, image) = (real.name(short), real.label(), real.name("base"));
    real.docker_says(&[&["create", "--name", &name, "--label", &label, &image], command].concat());
    name
}

#[test]
fn container_list() {
    let real = Real::new();
    real.own_base();
    created(&real, "a", &["echo", "two words"]);
    let b = created(&real, "b", &["sh", "-c", "exit 3"]);
    real.docker_says(&["start", &b]);
    real.docker_says(&["wait", &b]);
    let filter = real.filter();
    let all = ["list", "-a", "--filter", &filter];
    // The document is compared with docker-py's in `listing`.
    snapshot!(
        real,
        real.container(&["list", "--filter", &filter]),
        real.container(&["list", "--filter", &filter, "--json"]),
        real.container(&all),
        real.container(&[&all[..], &["-q"]].concat()),
        as_text_and_json(&real, &["list", "--filter", "colour=red"], "error"),
        as_text_and_json(&real, &["list", "--host", "unix:///nowhere/docker.sock"], "error"),
    );
}

#[test]
fn container_create() {
    let real = Real::new();
    let (image, label) = (real.own_base(), real.label());
    let create = |more: &[&str]| real.container(&[&["create", "--image", &image, "--label", &label], more].concat());
    let name = real.name("a");
    real.write("body.json", json!({"Image": image, "Memroy": 1}).to_string());
    snapshot!(
        real,
        create(&["--name", &name, "--", "true"]),
        create(&["--json", "--", "true"]),
        create(&["--dry-run", "-p", "8080:80", "-e", "A=b c", "--", "echo", "two words"]),
        create(&["--dry-run", "--json", "--", "true"]),
        as_text_and_json(&real, &["create", "--name", &name, "--image", &image], "error"),
        as_text_and_json(&real, &["create", "--spec", "body.json"], "error"),
        as_text_and_json(&real, &["create"], "error"),
        as_text_and_json(&real, &["create", "--image", &image, "--host", "unix:///nowhere/docker.sock"], "error"),
    );
}

#[test]
fn container_start_stop_restart_kill_and_rm() {
    let real = Real::new();
    real.own_base();
    let name = created(&real, "a", &["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"]);
    let answers = ["start", "restart", "stop"].map(|verb| as_text_and_json(&real, &[verb, &name], "container-changed"));
    real.container(&["start", &name]).code(0);
    let running = as_text_and_json(&real, &["rm", &name], "error");
    let killed = real.container(&["kill", &name]);
    real.docker_says(&["wait", &name]);
    let late = as_text_and_json(&real, &["kill", &name], "error");
    let removed = real.container(&["rm", "--json", &name]);
    let absent = ["start", "restart", "stop", "kill", "rm"].map(|verb| failures(&real, &[verb, "no-such-container"]));
    snapshot!(real, together(answers), running, killed, late, removed, together(absent));
}

#[test]
fn container_inspect_and_changes() {
    let real = Real::new();
    // Nothing is in this image, so that the engine need not look for long.
    real.image("base", &format!("FROM scratch\nLABEL {}\n", real.label()));
    let name = created(&real, "a", &["never"]);
    let new = real.write("new", "");
    real.docker_says(&["cp", new.to_str().unwrap(), &format!("{name}:/new")]);
    // The document of inspect is compared with docker-py's in `agree`.
    snapshot!(
        real,
        failures(&real, &["inspect", "no-such-container"]),
        as_text_and_json(&real, &["changes", &name], "container-changes"),
        failures(&real, &["changes", "no-such-container"]),
    );
}

#[test]
fn container_logs() {
    let real = Real::new();
    real.own_base();
    let name = created(&real, "a", &["sh", "-c", "echo one; echo two; printf three"]);
    real.docker_says(&["start", &name]);
    real.docker_says(&["wait", &name]);
    snapshot!(
        real,
        as_text_and_json(&real, &["logs", &name], "logs"),
        real.container(&["logs", "-f", &name]),
        real.container(&["logs", "-f", "--json", "-n", "1", &name]),
        failures(&real, &["logs", "no-such-container"]),
    );
}

#[test]
fn container_export() {
    let real = Real::new();
    real.own_base();
    let name = created(&real, "a", &["true"]);
    let text = real.container(&["export", "-o", "a.tar", &name]);
    let document = real.container(&["export", "-o", "a.tar", "--json", &name]);
    let bytes = schema::validated("container-export", document.json())["bytes"].to_string();
    real.known.show_as(bytes, "<bytes>");
    snapshot!(real, text, document, failures(&real, &["export", "-o", "b.tar", "no-such-container"]));
}

#[test]
fn container_stats() {
    let real = Real::new();
    real.own_base();
    // One that does not run: the numbers are all zero.
    let name = created(&real, "a", &["true"]);
    snapshot!(
        real,
        real.container(&["stats", "--no-stream", &name]),
        real.container(&["stats", "--no-stream", "--json", &name]),
        failures(&real, &["stats", "--no-stream", "no-such-container"]),
    );
}
