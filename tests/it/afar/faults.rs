//! An engine that fails while files are copied, while the program runs, or while its output is fetched.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{SHIP, tree};
use crate::faults::disk::with_mounts;
use crate::support::fake::Fake;
use crate::support::wait_until;

const BROKEN: &str = "error during connect: unexpected EOF";

/// Starts a run with an output directory, which is returned, too.
#[track_caller]
fn start(fake: &Fake, script: &str) -> (String, PathBuf) {
    let out = fake.path("out");
    let id = fake.start_with(script, &[&SHIP[..], &["--output", out.to_str().unwrap()]].concat());
    (id, out)
}

/// The calls that begin so.
fn count(fake: &Fake, call: &str) -> usize {
    fake.calls().iter().filter(|known| known.starts_with(call)).count()
}

#[track_caller]
fn assert_succeeded(fake: &Fake, id: &str) -> Value {
    let view = fake.end_of(id);
    assert_eq!((&view["outcome"], &view["log"]), (&json!("succeeded"), &json!("complete")), "{view:#}");
    assert_eq!(fake.log(id), fake.true_log(id));
    wait_until("the container is gone", || fake.containers().is_empty());
    view
}

#[test]
fn a_run_is_copied_started_and_fetched() {
    let fake = Fake::new();
    fake.write("src/data.txt", "data");
    let (id, out) = start(&fake, "cat data.txt; echo made >output/made");
    assert_succeeded(&fake, &id);
    assert_eq!((fake.log(&id), std::fs::read(out.join("made")).unwrap()), (b"data".to_vec(), b"made\n".to_vec()));
}

#[test]
fn files_are_sent_again_if_that_breaks_and_the_run_fails_if_it_always_does() {
    let fake = Fake::new();
    fake.scenario(json!({"rules": [{"call": "cp -", "exit": 1, "stderr": BROKEN, "times": 1}]}));
    let (id, _) = start(&fake, "echo done");
    assert_succeeded(&fake, &id);
    assert_eq!((count(&fake, "cp -"), count(&fake, "start ")), (2, 1));
    fake.forget_calls();
    fake.scenario(json!({"rules": [{"call": "cp -", "exit": 1, "stderr": "Error response from daemon: no room"}]}));
    let (id, out) = start(&fake, "echo done");
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["exitCode"]), (&json!("failed"), &json!(125)), "{view:#}");
    let reason = view["reason"].as_str().unwrap();
    assert!(reason.starts_with(&format!("could not copy the files of run {id} to the engine: ")), "{reason}");
    assert!(reason.ends_with(": Error response from daemon: no room"), "{reason}");
    wait_until("the container is gone", || fake.containers().is_empty());
    assert_eq!((count(&fake, "cp -"), count(&fake, "start "), tree(&out)), (3, 0, vec![]));
    fake.scenario(json!({}));
}

#[test]
fn a_file_that_grows_while_it_is_sent_is_named_and_nothing_is_started() {
    let fake = Fake::new();
    fake.write("src/a.bin", vec![b'a'; 300_000]);
    let grows = fake.write("src/b.txt", "short");
    // By then the writer is in the midst of the first file, since a pipe has no room for all of it.
    let line = format!("sleep 0.3; echo longer >>'{}'", grows.display());
    fake.scenario(json!({"rules": [{"call": "cp -", "first": line}]}));
    let (id, _) = start(&fake, "echo done");
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["exitCode"]), (&json!("failed"), &json!(125)), "{view:#}");
    let reason = view["reason"].as_str().unwrap();
    assert!(reason.contains("b.txt"), "{reason}");
    assert_eq!(count(&fake, "start "), 0);
    wait_until("the container is gone", || fake.containers().is_empty());
}

#[test]
fn a_container_that_cannot_be_started_ends_as_it_does_here() {
    let fake = Fake::new();
    for (code, words) in [(127, "exec: \"python3\": executable file not found in $PATH"), (126, "permission denied")] {
        fake.scenario(json!({"startError": [code, format!("failed to create task: {words}: unknown.")]}));
        let ends = [&[][..], &SHIP].map(|more| {
            let id = fake.start_with("exit 0", more);
            let view = fake.end_of(&id);
            (view["outcome"].clone(), view["exitCode"].clone(), view["reason"].clone(), fake.log(&id))
        });
        assert_eq!((&ends[0].0, &ends[0].1), (&json!("failed"), &json!(code)));
        assert_eq!(ends[0], ends[1]);
    }
}

#[test]
fn a_client_of_the_log_that_dies_three_times_leaves_no_word_in_it() {
    let fake = Fake::new();
    let dies = |after: usize| json!({"call": "logs --follow", "after": after, "times": 1, "exit": 1, "stderr": BROKEN});
    fake.scenario(json!({"rules": [dies(500), dies(1500), dies(0)]}));
    let (id, _) = start(&fake, "for n in $(seq 400); do echo line $n; [ $((n % 20)) -gt 0 ] || sleep 0.1; done");
    assert_succeeded(&fake, &id);
    assert_eq!(count(&fake, "logs --follow"), 4);
    assert!(!String::from_utf8(fake.log(&id)).unwrap().contains("error during connect"));
}

#[test]
fn a_client_of_the_log_that_hangs_is_replaced_when_the_container_has_ended() {
    let mut fake = Fake::new();
    fake.set("LONGSHORE_DOCKER_TIMEOUT", "1s");
    fake.scenario(json!({"rules": [{"call": "logs --follow", "hang": true, "times": 1}]}));
    let (id, _) = start(&fake, "echo first; sleep 0.5; echo last");
    assert_succeeded(&fake, &id);
    assert_eq!(fake.log(&id), b"first\nlast\n");
}

#[test]
fn a_log_that_stays_incomplete_is_still_said_to_be_when_the_output_was_fetched_later() {
    let fake = Fake::new();
    fake.scenario(json!({"rules": [
        {"call": "logs ", "exit": 1, "stderr": BROKEN},
        {"call": "cp ", "part": ":/app/output -", "exit": 1, "stderr": BROKEN},
    ]}));
    let (id, out) = start(&fake, "echo lost; echo made >output/made");
    let view = fake.end_of(&id);
    let reason = view["reason"].as_str().unwrap();
    assert!(reason.contains("log: incomplete: ") && reason.contains("could not fetch the output"), "{reason}");
    fake.scenario(json!({}));
    fake.run(&["exec", "fetch", &id]).code(0);
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["log"]), (&json!("succeeded"), &json!("incomplete")), "{view:#}");
    let reason = view["reason"].as_str().unwrap();
    assert!(reason.starts_with("log: incomplete: ") && !reason.contains("could not fetch"), "{reason}");
    assert_eq!(std::fs::read(out.join("made")).unwrap(), b"made\n");
}

#[test]
fn an_engine_that_goes_down_while_the_output_is_fetched_is_waited_for() {
    let fake = Fake::new();
    let down = format!("touch '{}'", fake.engine("down").display());
    let rule = json!({"call": "cp ", "part": ":/app/output -", "first": down, "times": 1, "exit": 1, "stderr": BROKEN});
    fake.scenario(json!({"rules": [rule]}));
    let (id, out) = start(&fake, "echo made >output/made");
    let reason = || fake.run(&["exec", "list", "--json"]).code(0).json()[0]["reason"].clone();
    wait_until("the engine is missed", || reason() == json!("the engine is unreachable"));
    assert_eq!(tree(&out), Vec::<String>::new(), "something half is there");
    fake.bring_engine_up();
    assert_succeeded(&fake, &id);
    assert_eq!(std::fs::read(out.join("made")).unwrap(), b"made\n");
}

#[test]
fn a_supervisor_killed_between_the_faults_of_an_engine_leaves_the_truth() {
    let points = ["container-created", "shipped", "client-started", "relayed", "unpacked", "output-placed", "fetched"];
    for (number, point) in points.into_iter().enumerate() {
        let mut fake = Fake::new();
        let broken =
            |call: &str, part: &str| json!({"call": call, "part": part, "exit": 1, "stderr": BROKEN, "times": 1});
        let dies = json!({"call": "logs --follow", "after": 20, "times": 2, "exit": 1, "stderr": BROKEN});
        fake.scenario(
            json!({"rules": [dies, broken("cp -", ""), broken("cp ", "/app/output -"), broken("wait ", "")]}),
        );
        let fired = fake.path("fired");
        fake.set("LONGSHORE_TEST_ABORT", point);
        fake.set("LONGSHORE_TEST_FIRED", &fired);
        let script = "for n in $(seq 30); do echo line $n; sleep 0.01; done; echo made >output/made; exit 3";
        let (id, out) = start(&fake, script);
        fake.unset("LONGSHORE_TEST_ABORT");
        wait_until("the supervisor is killed", || fired.exists());
        let mut view = Value::Null;
        wait_until("it has an end", || {
            view = fake.end_of(&id);
            view["status"] == "exited" && view["outcome"] != "unknown"
        });
        if number < 2 {
            assert_eq!((&view["outcome"], tree(&out)), (&json!("lost"), vec![]), "{point}: {view:#}");
        } else {
            assert_eq!((&view["outcome"], &view["exitCode"]), (&json!("failed"), &json!(3)), "{point}: {view:#}");
            assert_eq!(fake.log(&id), fake.true_log(&id), "{point}");
            assert_eq!(
                (tree(&out).len(), std::fs::read(out.join("made")).unwrap()),
                (1, b"made\n".to_vec()),
                "{point}"
            );
        }
    }
}

#[test]
fn a_disk_that_is_full_when_the_output_comes_has_nothing_half_and_it_is_fetched_later() {
    let fake = Fake::new();
    std::fs::create_dir(fake.path("out")).unwrap();
    // Of many small files, the disk needs more than their sizes.
    fake.write("src/many.py", "for n in $(seq 60); do echo $n >output/$n; done");
    fake.write("src/large.py", "head -c 300000 /dev/zero | tr '\\0' x >output/large");
    let script = r#"
        mount -t tmpfs -o size=128k,mode=755 none out || exit 90
        for program in many large; do
            id=$("$longshore" exec run --image base --src src --main $program.py --ship always --output out) || exit 91
            "$longshore" exec wait --timeout 30s --json "$id" >>ends; [ $? = 1 ] || exit 92
            echo kept >out/kept
            [ "$(ls -A out)" = kept ] || { ls -A out; exit 93; }
            "$longshore" exec fetch "$id" && exit 94
            [ "$(ls -A out)" = kept ] || { ls -A out; exit 95; }
            mount -o remount,size=1m out || exit 96
            "$longshore" exec fetch "$id" || exit 97
            [ "$(ls -A out | wc -l)" -gt 1 ] || exit 98
            rm -r out/*
            mount -o remount,size=128k out || exit 99
        done"#;
    let Some(ran) = with_mounts(&fake, script) else { return };
    ran.code(0);
    let ends = std::fs::read_to_string(fake.path("ends")).unwrap();
    let ends: Vec<Value> = serde_json::Deserializer::from_str(&ends).into_iter().map(Result::unwrap).collect();
    let reasons: Vec<&str> = ends.iter().map(|view| view["reason"].as_str().unwrap()).collect();
    assert!(reasons[0].contains("no space left on device"), "{reasons:?}");
    assert!(reasons[1].contains("the files in the archive have more than"), "{reasons:?}");
    assert!(ends.iter().all(|view| view["hint"].as_str().unwrap().contains("longshore exec fetch")), "{ends:#?}");
    fake.wait_until_quiet();
    assert_eq!(fake.containers(), Vec::<String>::new());
}
