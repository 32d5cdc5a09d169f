//! A build that appends a step to those of the last image, and one that is repeated from nothing. The engine is a fake one, whose
//! build fails where the real one would; tests/it/engine/grown.rs has real packages.

use serde_json::{Value, json};

use crate::support::fake::Fake;
use crate::support::schema;
use crate::support::wait_until;

/// What BuildKit writes when an appended step fails.
const NOT_ADDED: &str = r#"
echo '#7 [stage-0 3/4] RUN ["sh", "/dev/longshore/step.sh", "mounted", "appended", "auto", "pip"]'
echo '#7 1.5 longshore: the packages cannot be added to those of the last image'
echo '#7 ERROR: executor failed running [sh /dev/longshore/step.sh mounted appended auto pip]: exit code: 95'
echo ' > [stage-0 3/4] RUN ["sh", "/dev/longshore/step.sh", "mounted", "appended", "auto", "pip"]:'
exit 1"#;

/// The script of a build that fails in this way if it has an appended step.
fn failing(how: &str, otherwise: &str) -> String {
    format!("if grep -q '\"appended\"' Dockerfile; then {how}; fi\n{otherwise}")
}

/// `image create web` from the base of the fake, with BuildKit. It does not wait.
fn create(fake: &Fake, script: &str, flags: &[&str]) {
    fake.scenario(json!({"buildx": true, "build": {"script": script}}));
    fake.run(&[&["image", "create", "web", "--base", "base"], flags].concat()).code(0);
}

#[track_caller]
fn built(fake: &Fake, script: &str, flags: &[&str]) -> Value {
    create(fake, script, flags);
    fake.end_of_build("web")
}

fn planned(fake: &Fake, flags: &[&str]) -> Value {
    let create = ["image", "create", "web", "--base", "base", "--dry-run", "--json"];
    schema::validated("image-dry-run", fake.run(&[&create, flags].concat()).code(0).json())
}

/// The packages of pip in each step.
fn steps(fake: &Fake, flags: &[&str]) -> Value {
    planned(fake, flags)["steps"].as_array().unwrap().iter().map(|step| step["pip"].clone()).collect()
}

/// How many builds docker was asked for.
fn builds(fake: &Fake) -> usize {
    fake.calls().iter().filter(|call| call.starts_with("buildx build ")).count()
}

#[test]
fn a_dry_run_shows_the_appended_step_and_what_is_built_from_nothing() {
    let fake = Fake::new();
    assert_eq!(built(&fake, "true", &["--pip", "six"])["outcome"], "succeeded");
    assert_eq!(steps(&fake, &["--pip", "six idna"]), json!([["six"], ["idna"]]));
    let files = planned(&fake, &["--pip", "six idna"])["files"].clone();
    assert_eq!((&files["requirements.txt"], &files["requirements-2.txt"]), (&json!("six\n"), &json!("idna\nsix\n")));
    for flag in ["--squash", "--no-cache", "--pull"] {
        assert_eq!(steps(&fake, &["--pip", "six idna", flag]), json!([["idna", "six"]]), "{flag}");
    }
    assert_eq!(steps(&fake, &["--pip", "idna"]), json!([["idna"]]));
    assert_eq!(steps(&fake, &["--pip", "six idna", "--installer", "pip"]), json!([["idna", "six"]]));
    assert_eq!(built(&fake, "true", &["--pip", "six idna"])["outcome"], "succeeded");
    assert_eq!(steps(&fake, &["--pip", "six idna attrs"]), json!([["six"], ["idna"], ["attrs"]]));
    fake.scenario(json!({"buildx": false}));
    assert_eq!(steps(&fake, &["--pip", "six idna attrs"]), json!([["attrs", "idna", "six"]]));
}

#[test]
fn a_squash_builds_an_unchanged_image_again_if_it_has_appended_steps() {
    let fake = Fake::new();
    let up_to_date =
        |fake: &Fake, flags: &[&str]| planned(fake, &[&["--if-changed"], flags].concat())["upToDate"].clone();
    built(&fake, "true", &["--pip", "six"]);
    assert_eq!(up_to_date(&fake, &["--pip", "six", "--squash"]), true);
    built(&fake, "true", &["--pip", "six idna"]);
    assert_eq!(up_to_date(&fake, &["--pip", "six idna"]), true);
    assert_eq!(up_to_date(&fake, &["--pip", "six idna", "--squash"]), false);
    built(&fake, "true", &["--pip", "six idna", "--squash", "--if-changed"]);
    assert_eq!(up_to_date(&fake, &["--pip", "six idna", "--squash"]), true);
    // A build that runs may append a step.
    let gated = fake.gated("echo building", "true");
    create(&fake, &gated, &["--pip", "six idna attrs"]);
    let create = ["image", "create", "web", "--base", "base", "--pip", "six idna attrs", "--if-changed"];
    fake.run(&create).code(0);
    fake.run(&[&create[..], &["--squash"]].concat()).code(1);
    fake.open_gate();
    fake.end_of_build("web");
}

#[test]
fn a_build_whose_appended_step_fails_is_repeated_from_nothing() {
    let fake = Fake::new();
    built(&fake, "true", &["--pip", "six"]);
    fake.forget_calls();
    let ended = built(&fake, &failing(NOT_ADDED, "echo from nothing"), &["--pip", "six idna"]);
    assert_eq!((&ended["outcome"], &ended["exitCode"]), (&json!("succeeded"), &json!(0)));
    assert_eq!(builds(&fake), 2);
    let log = fake.run(&["image", "logs", "web"]).code(0).stdout;
    let (before, after) = log
        .split_once("note: the image is built from nothing, because packages could not be added to its layers\n")
        .expect(&log);
    assert!(before.contains("cannot be added") && after.contains("from nothing\n"), "{log}");
    assert_eq!(steps(&fake, &["--pip", "six idna"]), json!([["idna", "six"]]));

    // The reason is that of the build from nothing.
    let ended = built(
        &fake,
        &failing(NOT_ADDED, "echo 'longshore: step pip ended with exit code 7'; exit 1"),
        &["--pip", "six idna attrs"],
    );
    assert_eq!(
        (&ended["outcome"], &ended["reason"]),
        (&json!("failed"), &json!("step pip ended with exit code 7")),
        "{ended:#}"
    );
}

#[test]
fn only_a_failure_of_packages_is_a_reason_to_repeat_a_build() {
    let fake = Fake::new();
    built(&fake, "true", &["--pip", "six"]);
    let commands = NOT_ADDED.replace(r#""appended", "auto", "pip""#, r#""commands""#);
    for (script, flags, count) in [
        (failing(&commands, "true"), ["--pip", "six idna"], 1),
        (failing("exit 1", "true"), ["--pip", "six idna"], 1),
        // Without an appended step, it was a build from nothing.
        (NOT_ADDED.to_owned(), ["--pip", "rich"], 1),
        (failing(NOT_ADDED, "exit 1"), ["--pip", "six idna"], 2),
    ] {
        fake.forget_calls();
        assert_eq!(built(&fake, &script, &flags)["outcome"], "failed", "{script}");
        assert_eq!(builds(&fake), count, "{script}");
    }
}

#[test]
fn a_build_that_is_cancelled_is_not_repeated_and_one_that_is_repeated_can_be_cancelled() {
    let fake = Fake::new();
    built(&fake, "true", &["--pip", "six"]);
    let building = |text: &str| {
        let id = fake.run(&["image", "status", "web", "--json"]).json()["id"].as_str().unwrap().to_owned();
        let log = fake.job("build", &id).join("log");
        wait_until("the build runs", || std::fs::read_to_string(&log).unwrap().contains(text));
    };
    let forever = |text: &str| format!("echo {text}; while :; do sleep 0.05; done");
    let slow = format!("fails() {{ {NOT_ADDED}\n}}; trap fails TERM INT; {}", forever("first"));
    for (script, text, count) in
        [(failing(&slow, "true"), "first", 1), (failing(NOT_ADDED, &forever("second")), "second", 2)]
    {
        fake.forget_calls();
        create(&fake, &script, &["--pip", "six idna"]);
        building(text);
        fake.run(&["image", "cancel", "web"]).code(0);
        assert_eq!(fake.end_of_build("web")["outcome"], "cancelled", "{text}");
        assert_eq!(builds(&fake), count, "{text}");
    }
}
