//! What scripts rely on: the rows of a stream, the codes of several jobs, and documents that are always JSON.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::fake::{Fake, assert_failure_document};
use crate::support::schema;
use crate::support::snapshots::{snapshot, together};

/// The rows of a stream.
#[track_caller]
fn rows(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn a_followed_start_as_json_is_the_start_the_lines_and_the_job() {
    let fake = Fake::new();
    let run = rows(&fake.run(&fake.run_args("echo one; echo two; exit 3", &["--follow", "--json"])).code(3).stdout);
    let [started, one, two, ended] = &run[..] else { panic!("{run:#?}") };
    assert_eq!(started, &json!({"exec_id": ended["id"]}));
    assert_eq!([one, two].map(|row| schema::validated("log-line", row.clone())["line"].clone()), ["one", "two"]);
    assert_eq!((&ended["outcome"], &ended["success"]), (&json!("failed"), &json!(false)));
    for row in [started, ended] {
        schema::validated("exec-run", row.clone());
    }
    let create = ["image", "create", "web", "--base", "base", "--follow", "--json"];
    let build = rows(&fake.run(&create).code(0).stdout);
    let (started, ended) = (&build[0], &build[build.len() - 1]);
    assert_eq!(started, &json!({"success": true, "name": "web", "id": ended["id"]}));
    assert_eq!((&ended["outcome"], &ended["success"]), (&json!("succeeded"), &json!(true)));
    for row in [started, ended] {
        schema::validated("image-create", row.clone());
    }
    for row in &build[1..build.len() - 1] {
        schema::validated("log-line", row.clone());
    }
    let refused = rows(&fake.run(&["exec", "run", "--follow", "--json"]).code(125).stdout);
    assert_eq!((refused.len(), &refused[0]["error"]["kind"]), (1, &json!("usage")));
}

#[test]
fn a_wait_for_several_that_takes_too_long_gives_the_codes_that_are_known() {
    let fake = Fake::new();
    let ids = [fake.start_gated("exit 0"), fake.ended_run("exit 3"), fake.ended_run("exit 0")];
    let args = ["exec", "wait", "--timeout", "10ms", &ids[0], &ids[1], &ids[2]];
    let text = fake.run(&args).code(124);
    assert_eq!(text.stdout, format!("{} -\n{} 3\n{} 0\n", ids[0], ids[1], ids[2]));
    assert_eq!(text.stderr, "error: 1 of 3 jobs is still running\n");
    let document = fake.run(&[&args[..], &["--json"]].concat()).code(124);
    assert_eq!(document.stderr, text.stderr);
    let jobs = schema::validated("jobs", document.json());
    let known: Vec<Value> =
        jobs.as_array().unwrap().iter().map(|job| json!([job["status"], job["exitCode"]])).collect();
    assert_eq!(known, [json!(["running", null]), json!(["exited", 3]), json!(["exited", 0])]);
    fake.open_gate();
    fake.end_of(&ids[0]);
    fake.run(&args).code(1);
}

#[test]
fn a_job_that_was_waited_for_is_the_object_that_a_list_shows_whatever_became_of_it() {
    let fake = Fake::new();
    let ids = [fake.ended_run("exit 0"), fake.ended_run("exit 3"), fake.ended_run("kill -KILL $$")];
    let waited = ids.each_ref().map(|id| fake.run(&["exec", "wait", "--json", id]).json());
    let several = fake.run(&["exec", "wait", "--json", &ids[0], &ids[1], &ids[2]]).code(1).json();
    assert_eq!(several, json!(waited));
    for (id, waited) in ids.iter().zip(waited) {
        let listed = fake.run(&["exec", "list", "--json", "--filter", &format!("id={id}")]).code(0).json();
        assert_eq!(listed, json!([schema::validated("job", waited)]));
    }
}

#[test]
fn what_has_no_json_refuses_the_flag_in_json() {
    let fake = Fake::new();
    let cases: [&[&str]; 7] = [
        &["--help", "--json"],
        &["exec", "run", "--help", "--json"],
        &["help", "exec", "--json"],
        &["completions", "bash", "--json"],
        // Without a command.
        &["--json"],
        &["exec", "--json"],
        &["--json", "container"],
    ];
    for args in cases {
        assert_failure_document(&fake.run(args).code(2), "usage");
    }
    let version = fake.run(&["--version", "--json"]).code(0);
    assert_eq!(schema::validated("version", version.json())["version"], env!("CARGO_PKG_VERSION"));
    snapshot!(fake, together(cases.map(|args| fake.run(args))), fake.run(&["--verbose"]).code(2));
}

#[test]
fn a_variable_with_a_value_that_cannot_be_used_is_named() {
    let mut fake = Fake::new();
    for value in ["abc", "0", "60 s"] {
        fake.set("LONGSHORE_DOCKER_TIMEOUT", value);
        let ran = fake.run(&["exec", "list", "--json"]).code(2);
        assert_failure_document(&ran, "usage");
        let message = ran.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with(&format!("invalid LONGSHORE_DOCKER_TIMEOUT \"{value}\": ")), "{message}");
        fake.run(&["exec", "wait", "latest"]).code(125);
    }
    for value in ["", "60s", "5"] {
        fake.set("LONGSHORE_DOCKER_TIMEOUT", value);
        fake.run(&["exec", "list"]).code(0);
    }
}

#[test]
fn a_context_that_does_not_exist_is_named() {
    let fake = Fake::new();
    fake.scenario(json!({"contexts": ["there"]}));
    let program = fake.run_args("exit 0", &["--context", "nosuch", "--json"]);
    let ran = fake.run(&program).code(1);
    assert_failure_document(&ran, "not-found");
    snapshot!(fake, ran, fake.run(&["image", "list", "--context", "nosuch"]).code(1));
    // A context that exists, and whose engine does not answer, is another matter.
    fake.take_engine_down();
    let ran = fake.run(&["image", "list", "--context", "there", "--json"]).code(1);
    assert_failure_document(&ran, "engine-unreachable");
    fake.bring_engine_up();
}

/// The first block of shell text in the README that contains these words.
fn readme_block(words: &str) -> String {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let block =
        readme.split("```").find(|block| block.contains(words)).unwrap_or_else(|| panic!("no block has {words}"));
    block.strip_prefix("sh\n").unwrap_or(block).to_owned()
}

#[test]
fn the_readmes_list_of_failed_runs_has_no_null() {
    let mut fake = Fake::new();
    let id = fake.ended_run("exit 3");
    std::fs::create_dir(fake.path("bin")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_longshore"), fake.path("bin/longshore")).unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", fake.path("bin").display());
    fake.set("PATH", path);
    let block = readme_block("select(.finished > ");
    let end = block.find("\n\n").unwrap_or(block.len());
    let inner = fake.command::<&str>(&[]);
    let mut shell = Command::new("sh");
    shell.args(["-c", &block[..end]]).env_clear().current_dir(fake.path(""));
    let output = shell.envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?)))).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!((told.trim_end_matches('\n'), output.status.success()), (&*format!("{id}\t3\t"), true), "{output:?}");
}
