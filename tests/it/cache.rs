//! Caches: the volume that runs share, and how it becomes writable.

use serde_json::json;

use crate::support::fake::{Fake, names};

/// The calls that concern the volume, by their verbs.
fn calls(fake: &Fake) -> Vec<String> {
    let verbs = ["volume create", "create", "cp", "rm"];
    let calls = fake.calls();
    let verb = |call: &String| verbs.into_iter().find(|verb| call.starts_with(verb)).filter(|_| call.contains("cache"));
    calls.iter().filter_map(verb).map(str::to_owned).collect()
}

#[test]
fn a_cache_is_prepared_once_and_is_the_callers() {
    let fake = Fake::new();
    let uid = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(fake.path("home")).unwrap());
    let volume = format!("longshore-cache-{uid}-pip");
    fake.ended_run_with("exit 0", &["--cache", "pip"]);
    assert_eq!(calls(&fake), ["volume create", "rm", "create", "cp", "rm"]);
    let tar = std::process::Command::new("tar")
        .args(["-tvf"])
        .arg(fake.engine(&format!("volumes/{volume}.tar")))
        .output()
        .unwrap();
    let listed = String::from_utf8(tar.stdout).unwrap();
    assert!(listed.starts_with("drwxrwxrwt ") && listed.trim_end().ends_with(" cache/"), "{listed}");
    fake.forget_calls();
    let id = fake.ended_run_with("exit 0", &["--cache", "pip", "--user", "5:6"]);
    assert_eq!(calls(&fake), ["volume create"]);
    let mount = format!("--mount type=volume,source={volume},target=/cache,volume-nocopy");
    assert!(fake.calls().iter().any(|call| call.starts_with("run ") && call.contains(&mount)), "{:?}", fake.calls());
    // Another volume of that name is prepared again, and another cache for itself.
    std::fs::remove_file(fake.engine(&format!("volumes/{volume}"))).unwrap();
    fake.forget_calls();
    let again = fake.run(&["exec", "rerun", &id, "--wait"]).code(0);
    assert_eq!(again.stderr, "");
    assert_eq!(calls(&fake), ["volume create", "rm", "create", "cp", "rm"]);
    fake.forget_calls();
    fake.ended_run_with("exit 0", &["--cache", "other"]);
    assert_eq!(calls(&fake).len(), 5);
}

#[test]
fn a_supervisor_that_is_killed_while_it_prepares_a_cache_leaves_nothing_for_the_next() {
    let mut fake = Fake::new();
    let fired = fake.path("fired");
    fake.set("LONGSHORE_TEST_FIRED", &fired);
    fake.set("LONGSHORE_TEST_ABORT", "cache-held");
    let lost = fake.run(&fake.run_args("exit 0", &["--cache", "pip"])).code(0).id();
    fake.wait_until_quiet();
    fake.set("LONGSHORE_TEST_ABORT", "");
    assert!(fired.exists());
    assert_eq!(fake.containers().len(), 1);
    assert_eq!(fake.end_of(&lost)["outcome"], "lost");
    let id = fake.ended_run_with("exit 3", &["--cache", "pip"]);
    assert_eq!(fake.end_of(&id)["exitCode"], 3);
    assert_eq!(fake.containers(), Vec::<String>::new());
}

#[test]
fn a_cache_that_cannot_be_prepared_is_the_reason_why_the_run_failed() {
    let fake = Fake::new();
    fake.scenario(json!({"rules": [{"call": "cp -", "exit": 1, "stderr": "no space left on device"}]}));
    let id = fake.ended_run_with("exit 0", &["--cache", "pip"]);
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["exitCode"]), (&json!("failed"), &json!(125)));
    assert!(view["reason"].as_str().unwrap().starts_with("could not prepare the cache pip: "), "{view}");
    assert_eq!(fake.containers(), Vec::<String>::new());
    // Somebody else's volume.
    fake.scenario(json!({}));
    let volume = names(&fake.engine("volumes")).into_iter().find(|name| name.ends_with("-pip")).unwrap();
    let text = std::fs::read_to_string(fake.engine(&format!("volumes/{volume}"))).unwrap();
    fake.write(
        &format!("engine/volumes/{volume}"),
        text.replace("\"Options\": null", "\"Options\": {\"device\": \"/\"}"),
    );
    let view = fake.end_of(&fake.ended_run_with("exit 0", &["--cache", "pip"]));
    assert!(view["reason"].as_str().unwrap().ends_with("was not made by longshore"), "{view}");
    fake.write("data/in", "");
    let taken = fake.run(&fake.run_args("exit 0", &["--cache", "pip", "-v", "./data:/cache"])).code(2);
    assert!(taken.stderr.contains("--cache is mounted there"), "{taken}");
}
