//! `image copy`: an image goes to another engine whole, or it is said on which side what went wrong.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::faults::terminal::at_terminal;
use crate::support::fake::{Fake, names};
use crate::support::schema;
use crate::support::snapshots::{snapshot, together};
use crate::support::{Ran, wait_until};

/// A world with a second engine, which has no image: the context `far`.
fn two_engines() -> Fake {
    let fake = Fake::new();
    far(&fake, json!({}));
    fake
}

/// Makes the second engine different from a healthy one.
fn far(fake: &Fake, scenario: Value) {
    let mut whole = json!({"images": [], "engineId": "far-engine"});
    whole.as_object_mut().unwrap().extend(scenario.as_object().unwrap().clone());
    fake.write("engine/engines/far/scenario.json", whole.to_string());
}

/// The images that were loaded into the second engine.
fn loaded(fake: &Fake) -> Vec<String> {
    names(&fake.engine("engines/far/images"))
}

fn copy(fake: &Fake, args: &[&str]) -> Ran {
    fake.run(&[&["image", "copy"], args, &["--to", "far"]].concat())
}

/// The calls of both engines that send something, with the engine that each names.
fn sent(fake: &Fake) -> Vec<String> {
    let calls = std::fs::read_to_string(fake.engine("endpoints.log")).unwrap_or_default();
    let calls = calls.lines().map(|line| serde_json::from_str::<Vec<String>>(line).unwrap().join(" "));
    calls.filter(|call| call.contains(" save ") || call.ends_with(" load")).collect()
}

/// A command that fails: as text and as JSON, whose document keeps to the schema. Nothing is loaded and nothing runs on.
#[track_caller]
fn refused(fake: &Fake, args: &[&str]) -> [Ran; 2] {
    let (text, document) = (copy(fake, args), copy(fake, &[args, &["--json"]].concat()).code(1));
    schema::validated("error", document.json());
    assert_eq!((text.stdout.as_str(), text.code), ("", 1));
    assert_eq!(loaded(fake), Vec::<String>::new());
    assert!(fake.processes().is_empty(), "{:?}", fake.processes());
    [text, document]
}

#[test]
fn an_image_is_copied_once_and_only_its_name_is_printed() {
    let fake = two_engines();
    let first = copy(&fake, &["base", "--json"]).code(0);
    let document = schema::validated("image-copy", first.json());
    assert_eq!(loaded(&fake), [document["id"].as_str().unwrap()]);
    assert!(document["bytes"].as_u64().unwrap() > 100, "{document}");
    let again = copy(&fake, &["base"]).code(0);
    let second = copy(&fake, &["base", "--json"]).code(0);
    let document = schema::validated("image-copy", second.json());
    assert_eq!((&document["copied"], &document["bytes"]), (&json!(false), &json!(0)));
    let mut calls = sent(&fake);
    calls.sort();
    assert_eq!(calls, ["--context default save base", "--context far load"]);
    std::fs::remove_file(fake.engine("engines/far/images").join(document["id"].as_str().unwrap())).unwrap();
    let text = copy(&fake, &["base"]).code(0);
    assert_eq!((text.stdout.as_str(), text.stderr.as_str()), ("base\n", ""));
    snapshot!(fake, again);
}

#[test]
fn the_engine_of_the_command_is_the_source_and_a_url_may_be_the_target() {
    let mut fake = two_engines();
    std::fs::create_dir(fake.engine("engines/tcp:__near:1")).unwrap();
    fake.set("DOCKER_HOST", "tcp://near:1");
    let ran = fake.run(&["image", "copy", "base", "--to", "tcp://other:2", "--json"]).code(0);
    let document = schema::validated("image-copy", ran.json());
    assert_eq!((&document["from"], &document["to"]), (&json!("tcp://near:1"), &json!("tcp://other:2")));
    // The other URL has no engine of its own, so it means the first one, which has the image.
    assert_eq!(document["copied"], false);
    std::fs::remove_dir_all(fake.engine("engines/tcp:__near:1")).unwrap();
    let same = fake.run(&["image", "copy", "base", "--to", "tcp://other:2"]).code(0);
    let itself = fake.run(&["image", "copy", "base", "--to", "far", "--context", "far"]).code(1);
    snapshot!(fake, same, itself);
}

#[test]
fn an_image_is_copied_by_its_id_and_several_are_copied_one_after_the_other() {
    let fake = two_engines();
    let build = fake.build("web");
    let id = fake.end_of_build(&build)["imageId"].as_str().unwrap().to_owned();
    copy(&fake, &[&id]).code(0);
    assert_eq!(loaded(&fake), [id]);
    let several = copy(&fake, &["base", "nosuch", "web"]).code(1);
    let document = copy(&fake, &["base", "nosuch", "web", "--json"]).code(1);
    schema::validated("image-copy", document.json());
    assert_eq!(loaded(&fake).len(), 2);
    snapshot!(fake, several);
}

#[test]
fn nothing_is_sent_if_the_image_or_an_engine_is_missing() {
    let fake = two_engines();
    let mut shown = Vec::from(refused(&fake, &["nosuch"]));
    fake.write("engine/engines/far/down", "");
    shown.extend(refused(&fake, &["base"]));
    std::fs::remove_file(fake.engine("engines/far/down")).unwrap();
    fake.take_engine_down();
    shown.extend(refused(&fake, &["base"]));
    fake.bring_engine_up();
    shown.push(fake.run(&["image", "copy", "base", "--to", "none"]).code(1));
    shown.push(fake.run(&["image", "copy", "base", "--to", ""]).code(2));
    shown.push(fake.run(&["image", "copy", "base"]).code(2));
    assert_eq!(sent(&fake), Vec::<String>::new());
    snapshot!(fake, together(shown));
}

#[test]
fn a_save_that_dies_after_what_looks_like_a_whole_archive_loads_nothing() {
    let fake = two_engines();
    let id = format!("sha256:{}", "a".repeat(64));
    let archive = format!("{}\n", json!({"Id": id, "RepoTags": ["base:latest"], "Size": 1}));
    fake.scenario(json!({"rules": [{"call": "save", "stdout": archive, "stderr": "connection lost", "exit": 1}]}));
    let shown = refused(&fake, &["base"]);
    snapshot!(fake, together(shown));
}

#[test]
fn a_load_that_fails_or_ends_early_is_named_and_does_not_hang_the_other_side() {
    let fake = two_engines();
    fake.scenario(json!({"save": 50_000_000}));
    far(&fake, json!({"rules": [{"call": "load", "stderr": "write /layer.tar: no space left on device", "exit": 1}]}));
    let mut shown = Vec::from(refused(&fake, &["base"]));
    far(&fake, json!({"rules": [{"call": "load", "exit": 0}]}));
    shown.extend(refused(&fake, &["base"]));
    // The source says nothing, and the target is gone.
    fake.scenario(json!({"rules": [{"call": "save", "hang": true}]}));
    shown.extend(refused(&fake, &["base"]));
    far(&fake, json!({"rules": [{"call": "load", "stderr": "cannot connect", "exit": 1}]}));
    shown.extend(refused(&fake, &["base"]));
    snapshot!(fake, together(shown));
}

#[test]
fn another_id_after_a_load_is_an_error() {
    let fake = two_engines();
    far(&fake, json!({"load": format!("sha256:{}", "b".repeat(64))}));
    let text = copy(&fake, &["base"]).code(1);
    let document = copy(&fake, &["base", "--json"]).code(1);
    schema::validated("error", document.json());
    assert_eq!(document.json()["error"]["kind"], "engine-failed");
    snapshot!(fake, text);
}

#[test]
fn a_signal_ends_both_clients() {
    let fake = two_engines();
    fake.scenario(json!({"save": 50_000_000}));
    for (near, other) in
        [(json!([]), json!([{"call": "load", "hang": true}])), (json!([{"call": "save", "hang": true}]), json!([]))]
    {
        fake.scenario(json!({"save": 50_000_000, "rules": near}));
        far(&fake, json!({"rules": other}));
        for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
            let _ = std::fs::remove_file(fake.engine("endpoints.log"));
            let mut command = fake.command(&["image", "copy", "base", "--to", "far"]);
            let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            wait_until("both clients run", || sent(&fake).len() == 2);
            kill_process(Pid::from_child(&child), signal).unwrap();
            let ran = Ran::from(child.wait_with_output().unwrap()).code(code);
            assert_eq!(ran.stderr, "error: could not copy image \"base\" to context far: interrupted\n");
            assert_eq!(ran.stdout, "");
            assert!(fake.processes().is_empty(), "{:?}", fake.processes());
            assert_eq!(loaded(&fake), Vec::<String>::new());
        }
    }
}

#[test]
fn a_terminal_shows_how_much_was_sent_and_then_only_the_result() {
    let fake = two_engines();
    fake.scenario(json!({"save": 300_000, "rules": [{"call": "save", "delay": 1}]}));
    far(&fake, json!({"rules": [{"call": "load", "delay": 1}]}));
    let ran = at_terminal(&fake, &["image", "copy", "base", "--to", "far"].map(str::to_owned)).code(0);
    assert!(ran.stdout.contains("base: 0B of about 1MB"), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("\x1b[Jbase\r\n"), "{:?}", ran.stdout);
}
