//! A run again: from its record to a body for `--spec`, and `exec rerun`.

use serde_json::{Value, json};

use crate::support::fake::{Fake, assert_failure_document, job_ids};
use crate::support::schema;
use crate::support::snapshots::{snapshot, together};

/// Every option that a run can have. `GIVEN` takes the caller's value.
const OPTIONS: [&str; 44] = [
    "--cache",
    "pip",
    "--input",
    "in",
    "--output",
    "out",
    "-v",
    "./in:/v:ro",
    "--mount",
    "type=tmpfs,target=/t,tmpfs-size=1m",
    "-p",
    "127.0.0.1::80/udp",
    "-e",
    "SET=hunter2",
    "-e",
    "GIVEN",
    "-e",
    "HTTP_PROXY=http://p:1",
    "--label",
    "team=red",
    "--label",
    "empty=",
    "--name",
    "report",
    "--cpus",
    "1.5",
    "--memory",
    "2g",
    "--gpus",
    "device=0,1",
    "--shm-size",
    "64m",
    "--network",
    "bridge",
    "--timeout",
    "1h0.0001s",
    "--user",
    "caller",
    "--keep",
    "--log-driver=none",
    "--",
    "-x",
    "",
    "a b\n",
];

/// The words of a dry run without those that have the id.
fn words(document: &Value) -> Vec<String> {
    let words = document["argv"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned());
    let is_bound = |word: &String| word.starts_with("longshore-") || word.starts_with("longshore.run=");
    let all: Vec<String> = words.collect();
    let kept: Vec<String> = all.iter().filter(|word| !is_bound(word)).cloned().collect();
    assert_eq!(all.len(), kept.len() + 2, "the name and the label have the id: {all:?}");
    kept
}

/// The record of a run, as it is stored.
fn record(fake: &Fake, id: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fake.job("run", id).join("job.json")).unwrap()).unwrap()
}

#[test]
fn the_spec_of_a_run_starts_the_same_run() {
    let mut fake = Fake::new();
    fake.write("in/numbers", "1");
    for (key, value) in [("GIVEN", "sesame"), ("SET", "other"), ("HTTP_PROXY", "http://q:1")] {
        fake.set(key, value);
    }
    let args = fake.run_args("exit 0", &OPTIONS);
    let asked = fake.run(&[&args[..4], &["--dry-run".into(), "--json".into()], &args[4..]].concat()).code(0).json();
    let id = fake.run(&args).code(0).id();
    fake.end_of(&id);
    fake.wait_until_quiet();
    fake.forget_calls();
    let printed = fake.run(&["exec", "inspect", &id, "--spec"]).code(0);
    assert_eq!(fake.calls(), Vec::<String>::new(), "the engine was asked");
    assert!(!["hunter2", "sesame", "other", "p:1"].iter().any(|value| printed.stdout.contains(value)), "{printed}");
    let body = schema::validated("run-spec", printed.json());
    assert_eq!(body["env"], json!({"SET": null, "GIVEN": null, "HTTP_PROXY": null}));
    assert_eq!(fake.run(&["exec", "inspect", &id, "--spec", "--json"]).code(0).json(), body);

    // In another directory: the paths are absolute.
    let elsewhere = fake.path("in");
    let from_elsewhere = |args: &[&str]| {
        let mut command = fake.command(args);
        command.current_dir(&elsewhere);
        command
    };
    fake.write("body.json", &printed.stdout);
    let body = fake.path("body.json");
    for again in [vec!["exec", "run", "--spec", body.to_str().unwrap()], vec!["exec", "rerun", &id]] {
        let output = from_elsewhere(&[&again[..], &["--dry-run", "--json"]].concat()).output().unwrap();
        let document = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(words(&document), words(&asked), "{again:?}");
    }
    // Its container was kept.
    fake.docker(&["rm", &format!("longshore-{id}")]);
}

#[test]
fn a_rerun_takes_the_values_of_the_flags_and_of_the_caller_and_says_what_it_repeats() {
    let fake = Fake::new();
    let script = "echo \"$# $1 $2 $A $B\"";
    let more =
        ["-e", "A=a", "-e", "B=b", "--label", "team=red", "--label", "n=1", "--memory", "1g", "--", "one", "two"];
    let first = fake.ended_run_with(script, &more);
    let rerun = |typed: &str, more: &[&str]| {
        let mut command = fake.command(&[&["exec", "rerun", typed], more].concat());
        command.envs([("A", "caller"), ("B", "caller")]);
        let output = command.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        let id = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        (fake.end_of(&id), String::from_utf8(fake.log(&id)).unwrap())
    };
    let (same, said) = rerun(&first, &[]);
    assert_eq!(said, "2 one two caller caller\n");
    assert_eq!((&same["rerunOf"], &same["name"]), (&json!(first), &Value::Null));
    assert_eq!(same["labels"], json!({"team": "red", "n": "1"}));
    let id = same["id"].as_str().unwrap();
    assert_eq!(record(&fake, id)["rerunOf"], json!(first));
    assert_eq!(record(&fake, id)["work"], record(&fake, &first)["work"]);
    assert!(record(&fake, &first).get("rerunOf").is_none());
    schema::validated("job", same.clone());
    schema::assert_all_keys_described("job", &same);

    // What is changed once is the same from then on.
    fake.write("env", "B=filed\nA=filed\n");
    let more = ["-e", "A=flag", "--env-file", "env", "--label", "n=2", "--memory=2g", "--", "three"];
    let (changed, said) = rerun(id, &more);
    assert_eq!(said, "1 three  flag filed\n");
    assert_eq!((&changed["rerunOf"], &changed["labels"]), (&json!(id), &json!({"team": "red", "n": "2"})));
    let (again, said) = rerun("latest", &[]);
    assert_eq!(said, "1 three  caller caller\n");
    assert_eq!(record(&fake, again["id"].as_str().unwrap())["work"]["run"]["memory"], json!(2_u64 << 30));
}

#[test]
fn a_variable_without_a_value_is_named_and_nothing_is_started() {
    let fake = Fake::new();
    let id = fake.ended_run_with("exit 0", &["-e", "TOKEN=hunter2", "-e", "MODE=full", "-e", "HOME=/tmp"]);
    let refusals = [
        fake.run(&["exec", "rerun", &id]).code(2),
        fake.run(&["exec", "rerun", &id, "-e", "TOKEN=x"]).code(2),
        fake.run(&["exec", "rerun", &id, "-e", "TOKEN=x", "-e", "MODE", "--dry-run"]).code(2),
        fake.run(&["exec", "rerun", &id, "-e", "MODE=", "--wait"]).code(125),
        fake.run(&["exec", "rerun", &id, "--json"]).code(2),
    ];
    assert_failure_document(&refusals[4], "usage");
    snapshot!(fake, together(refusals));
    assert_eq!(job_ids(&fake.jobs("run")), [id.as_str()]);
    fake.run(&["exec", "rerun", &id, "-e", "TOKEN=x", "-e", "MODE=", "--wait"]).code(0);
}

#[test]
fn a_rerun_keeps_the_name_and_is_refused_while_the_run_runs() {
    let fake = Fake::new();
    let first = fake.start_gated_with("", &["--name", "report"]);
    let busy = fake.run(&["exec", "rerun", "report"]).code(1);
    let beside = fake.run(&["exec", "rerun", "report", "--name", "beside"]).code(0).id();
    assert_eq!(fake.status_of(&first)["status"], "running");
    fake.open_gate();
    assert_eq!(fake.end_of(&beside)["name"], "beside");
    fake.end_of(&first);
    let waited = fake.run(&["exec", "rerun", &first, "--wait", "--json", "--id-file", "id"]).code(0).json();
    schema::validated("exec-run", waited.clone());
    assert_eq!((&waited["name"], &waited["rerunOf"]), (&json!("report"), &json!(first)));
    assert_eq!(std::fs::read_to_string(fake.path("id")).unwrap().trim(), waited["exec_id"].as_str().unwrap());
    // The name is that of the newest by now.
    let newest = fake.run(&["exec", "inspect", "report"]).code(0).json()["Longshore"]["id"].take();
    assert_eq!(newest, waited["exec_id"]);
    snapshot!(fake, busy);
}

#[test]
fn a_rerun_goes_to_the_engine_of_the_run_unless_another_is_chosen() {
    let mut fake = Fake::new();
    fake.set("DOCKER_HOST", "tcp://192.0.2.1:2375");
    let id = fake.ended_run("exit 0");
    fake.set("DOCKER_HOST", "tcp://192.0.2.2:2375");
    let argv = |more: &[&str]| {
        fake.run(&[&["exec", "rerun", &id, "--dry-run", "--json"], more].concat()).code(0).json()["argv"].to_string()
    };
    assert!(argv(&[]).contains("192.0.2.1") && !argv(&[]).contains("192.0.2.2"));
    assert!(argv(&["--host", "tcp://192.0.2.3:2375"]).contains("192.0.2.3"));
    assert!(argv(&["--context", "other"]).contains("other"));
}

#[test]
fn a_run_whose_record_is_damaged_or_whose_source_is_gone_is_not_started_again() {
    let fake = Fake::new();
    fake.leaves_unsound("a record is damaged");
    let id = fake.ended_run("exit 0");
    std::fs::rename(fake.path("src"), fake.path("moved")).unwrap();
    let gone = fake.run(&["exec", "rerun", &id]).code(2);
    let moved = fake.run(&["exec", "rerun", &id, "--src", "moved", "--dry-run", "--json"]).code(0);
    assert!(moved.stdout.contains("/moved,"), "{moved}");
    std::fs::write(fake.job("run", &id).join("job.json"), "{").unwrap();
    let damaged = ["--spec", "--json"].map(|flag| match flag {
        "--spec" => fake.run(&["exec", "inspect", &id, flag]),
        _ => fake.run(&["exec", "rerun", &id, flag]),
    });
    assert_failure_document(&damaged[1], "state");
    snapshot!(fake, gone, together(damaged));
}
