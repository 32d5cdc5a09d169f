//! `exec run --each`, and groups of runs.

use serde_json::{Value, json};

use crate::cron::{beside, end};
use crate::support::fake::{Fake, assert_failure_document, job_ids};
use crate::support::schema;
use crate::support::snapshots::{snapshot, together};
use crate::support::{Ran, wait_until};

/// A program that prints its arguments and the variable `X`, and fails for the seed 13.
const SHOW: &str = "echo \"$* $X\"; [ \"$2\" != 13 ]";

impl Fake {
    /// Starts a sweep of this shell script with these flags, and gives its document.
    #[track_caller]
    fn swept(&self, script: &str, more: &[&str]) -> Value {
        let args = self.run_args(script, &[&["--json"], more].concat());
        let ran = self.run(&args).code(0);
        assert_eq!(ran.stderr, "", "a healthy start says nothing");
        schema::validated("exec-sweep", ran.json())
    }

    fn end_all(&self, ids: &[String]) {
        for id in ids {
            self.end_of(id);
        }
    }

    fn record(&self, id: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.job("run", id).join("job.json")).unwrap()).unwrap()
    }
}

/// The ids of a sweep.
fn ids(swept: &Value) -> Vec<String> {
    swept["jobs"].as_array().unwrap().iter().map(|job| job["exec_id"].as_str().unwrap().to_owned()).collect()
}

/// The parameters of each job of a document, as `a=1 b=2`.
fn parameters(jobs: &Value) -> Vec<String> {
    let pair = |(name, value): (&String, &Value)| format!("{name}={}", value.as_str().unwrap());
    let job = |job: &Value| job["parameters"].as_object().unwrap().iter().map(pair).collect::<Vec<_>>().join(" ");
    jobs.as_array().unwrap().iter().map(job).collect()
}

#[test]
fn a_run_is_started_for_each_combination_with_its_parameters_in_place() {
    let fake = Fake::new();
    let flags =
        ["--each", "lr=0.1,0.01", "--each", "seed=1..2", "--output", "out/{lr}-{seed}", "--name", "run-{seed}-{lr}"];
    let more = ["-e", "X={seed}{{}}", "--label", "rate={lr}", "--", "--seed", "{seed}", "{{\"lr\": {lr}}}"];
    let swept = fake.swept(SHOW, &[&flags[..], &more].concat());
    let expected = ["lr=0.1 seed=1", "lr=0.1 seed=2", "lr=0.01 seed=1", "lr=0.01 seed=2"];
    assert_eq!(parameters(&swept["jobs"]), expected);
    let group = swept["group"].as_str().unwrap();
    assert!(group.len() == 12 && swept.get("success").is_none());
    for (id, (rate, seed)) in ids(&swept).iter().zip([("0.1", 1), ("0.1", 2), ("0.01", 1), ("0.01", 2)]) {
        let job = fake.end_of(id);
        schema::validated("job", job.clone());
        schema::assert_all_keys_described("job", &job);
        assert_eq!(job["outcome"], "succeeded", "{job}");
        assert_eq!(job["name"], format!("run-{seed}-{rate}"));
        assert_eq!((&job["group"], &job["labels"]), (&json!(group), &json!({"rate": rate})));
        assert_eq!(job["parameters"], json!({"lr": rate, "seed": seed.to_string()}));
        assert_eq!(String::from_utf8(fake.log(id)).unwrap(), format!("--seed {seed} {{\"lr\": {rate}}} {seed}{{}}\n"));
        let output = fake.path(&format!("out/{rate}-{seed}")).canonicalize().unwrap();
        assert_eq!(fake.record(id)["work"]["run"]["output"], json!(output));
    }
    // The newest is listed first.
    let listed = fake.run(&["exec", "list", "--group", group, "--json"]).code(0).json();
    let mut reversed = expected;
    reversed.reverse();
    assert_eq!(parameters(&schema::validated("jobs", listed)), reversed);
    let filtered = fake.run(&["exec", "list", "-q", "--filter", &format!("group={group}")]).code(0);
    assert_eq!(filtered.stdout.lines().count(), 4);
}

#[test]
fn the_image_is_asked_for_once() {
    let fake = Fake::new();
    let asked = |fake: &Fake| fake.calls().iter().filter(|call| call.contains("image inspect")).count();
    let id = fake.ended_run("exit 0");
    fake.wait_until_quiet();
    let once = asked(&fake);
    fake.forget_calls();
    let swept = fake.swept("exit 0", &["--each", "n=1..5", "--", "{n}"]);
    fake.end_all(&[ids(&swept), vec![id]].concat());
    fake.wait_until_quiet();
    assert_eq!((once, asked(&fake)), (1, 1), "{:?}", fake.calls());
}

#[test]
fn rows_of_a_file_and_lists_are_combined() {
    let fake = Fake::new();
    fake.write("grid.csv", "model,size\nsmall,1\n\"large, wide\",2\n");
    fake.write("a=b.jsonl", "{\"size\": 1, \"on\": true}\n{\"size\": 2.5, \"on\": false}\n");
    let group = ["--group", "files", "--each"];
    let started = |more: &[&str]| {
        let swept = fake.swept("exit 0", &[&group, more].concat());
        fake.end_all(&ids(&swept));
        parameters(&swept["jobs"])
    };
    assert_eq!(
        started(&["grid.csv", "--each", "seed=1,2", "--", "{model}{size}{seed}"]),
        [
            "model=small size=1 seed=1",
            "model=small size=1 seed=2",
            "model=large, wide size=2 seed=1",
            "model=large, wide size=2 seed=2"
        ]
    );
    assert_eq!(started(&["./a=b.jsonl", "--", "{size}{on}"]), ["size=1 on=true", "size=2.5 on=false"]);
    let piped = fake.run_args("exit 0", &["--group", "files", "--each", "-", "--wait", "--", "{size}"]);
    let ran = fake.run_with(&piped, b"[{\"size\": 7}]").code(0);
    assert_eq!((ran.stdout.lines().count(), ran.stderr.as_str()), (1, ""));
    // All of them are one group.
    let list = fake.run(&["exec", "list", "--group", "files", "-q"]).code(0);
    assert_eq!(list.stdout.lines().count(), 7);
    fake.run(&["exec", "wait", "--group", "files"]).code(0);
}

#[test]
fn what_cannot_be_started_is_refused_before_anything_is_started() {
    let fake = Fake::new();
    fake.write("rows.csv", "a,b\n1\n");
    fake.write("src/main.py", "exit 0");
    let base = ["exec", "run", "--image", "base", "--src", "src", "--main", "main.py"];
    let refusals = [
        &["--each", "n=1,2", "--output", "out"][..],
        &["--each", "n=1,2", "--output", "out/{n}", "--each", "m=1,2"],
        &["--each", "o=out,out/in", "--output", "{o}"],
        &["--each", "n=1,2", "--name", "train"],
        &["--each", "n=1,2", "--name", "Train-{n}"],
        &["--each", "n=a,B", "--name", "train-{n}"],
        &["--each", "n=1,2", "--input", "in/{n}"],
        &["--each", "seed=1,2", "--", "--seed", "{sed}"],
        &["--each", "seed=1,2", "--", "{\"seed\": 1}"],
        &["--each", "n=1,2", "-e", "TOKEN=hunter{2}"],
        &["--each", "n=1,2", "-e", "TOKEN=hunter{two}"],
        &["--each", "n="],
        &["--each", "n=3..1"],
        &["--each", "n=1..10001"],
        &["--each", "n=1..101", "--each", "m=1..100"],
        &["--each", "n=1", "--each", "n=2"],
        &["--each", "rows.csv"],
        &["--each", "nosuch.csv"],
        &["--each", "n=1", "--follow"],
        &["--each", "n=1", "--foreground"],
        &["--each", "n=1", "--stamp", "done"],
        &["--each", "n=1", "--name", "a", "--if-running", "skip"],
        &["--each", "n=1,2", "--group", "Big"],
        // Without --each, nothing is replaced.
        &["--name", "run-{n}"],
    ]
    .map(|more| {
        let code = if more.contains(&"--follow") || more.contains(&"--foreground") { 125 } else { 2 };
        fake.run(&[&base[..], more].concat()).code(code)
    });
    assert!(refusals.iter().all(|ran| !ran.stderr.contains("hunter")));
    let missing =
        fake.run(&["exec", "run", "--image", "nosuch", "--src", "src", "--main", "main.py", "--each", "n=1,2"]);
    snapshot!(fake, together(refusals), missing.code(1));
    assert_eq!(job_ids(&fake.jobs("run")), Vec::<String>::new());
    assert!(!fake.path("out").exists());
}

#[test]
fn a_name_of_a_running_run_keeps_the_whole_sweep_from_being_started() {
    let fake = Fake::new();
    let id = fake.start_gated_with("", &["--name", "run-2"]);
    let args = fake.run_args("exit 0", &["--each", "n=1..3", "--name", "run-{n}", "--json"]);
    assert_failure_document(&fake.run(&args).code(1), "conflict");
    assert_eq!(job_ids(&fake.jobs("run")), [id.as_str()]);
    fake.open_gate();
    fake.end_of(&id);
}

#[test]
fn a_start_that_fails_leaves_the_runs_before_it_and_says_how_many() {
    let fake = Fake::new();
    let calls = fake.path("calls");
    let started = |more: &[&str], variable: &str, value: &str| {
        let mut command = fake.command(&fake.run_args("exit 0", more));
        command.env(variable, value);
        Ran::from(command.output().unwrap())
    };
    let single = started(&["--each", "n=0", "--", "{n}"], "LONGSHORE_TEST_CALLS", calls.to_str().unwrap()).code(0).id();
    fake.end_of(&single);
    let text = std::fs::read_to_string(&calls).unwrap();
    let renames = text.lines().filter(|line| line.starts_with("cli rename ")).count();
    let third = format!("cli:rename:{}:28", 2 * renames + 1);
    let flags = ["--each", "n=1..4", "--group", "g", "--id-file", "ids", "--", "{n}"];
    let ran = started(&flags, "LONGSHORE_TEST_FAULT", &third).code(1);
    let ids: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(std::fs::read_to_string(fake.path("ids")).unwrap(), ran.stdout);
    assert!(ids.iter().all(|id| fake.end_of(id)["outcome"] == "succeeded"));
    assert_eq!(parameters(&fake.run(&["exec", "list", "--group", "g", "--json"]).json()), ["n=2", "n=1"]);
    snapshot!(fake, ran.typed(&flags));
}

#[test]
fn a_parameter_that_nothing_uses_is_noted() {
    let fake = Fake::new();
    let args = fake.run_args("exit 0", &["--each", "n=1,2", "--each", "m=1", "--wait", "--", "{m}"]);
    let ran = fake.run(&args).code(0);
    assert_eq!(ran.stderr, "note: the parameter \"n\" is used nowhere; write {n} where its value belongs\n");
}

#[test]
fn a_dry_run_prints_all_command_lines_and_starts_nothing() {
    let fake = Fake::new();
    let args = fake.run_args("exit 0", &["--each", "n=1,2", "--dry-run", "--output", "out/{n}", "--", "{n}"]);
    let text = fake.run(&args).code(0);
    assert_eq!(text.stdout.lines().count(), 2);
    assert!(text.stdout.lines().zip(["1", "2"]).all(|(line, n)| line.ends_with(&format!(" {n}"))), "{text}");
    let mut args = args;
    args.insert(2, "--json".into());
    let document = schema::validated("exec-sweep-dry-run", fake.run(&args).code(0).json());
    assert_eq!((&document["group"], parameters(&document["jobs"])), (&Value::Null, vec!["n=1".into(), "n=2".into()]));
    assert!(!fake.path("out").exists() && !fake.path("state/longshore").exists());
}

#[test]
fn a_sweep_that_is_waited_for_ends_as_wait_with_several_ids() {
    let fake = Fake::new();
    let flags = ["--each", "seed=12..14", "--group", "odd", "--wait", "--", "--seed", "{seed}"];
    let args = fake.run_args(SHOW, &flags);
    let text = fake.run(&args).code(1);
    let ids = job_ids(&fake.jobs("run"));
    let codes: Vec<(&str, &str)> = text.stdout.lines().map(|line| line.split_once(' ').unwrap()).collect();
    assert_eq!(codes.iter().map(|(_, code)| *code).collect::<Vec<_>>(), ["0", "1", "0"]);
    assert!(codes.iter().all(|(id, _)| ids.contains(&(*id).to_owned())));
    let again = fake.run(&["exec", "wait", "--group", "odd"]).code(1);
    assert_eq!(again.stdout, text.stdout);
    let mut args = args;
    args.insert(2, "--json".into());
    let document = schema::validated("exec-sweep", fake.run(&args).code(1).json());
    assert_eq!((&document["success"], &document["group"]), (&json!(false), &json!("odd")));
    assert_eq!(parameters(&document["jobs"]), ["seed=12", "seed=13", "seed=14"]);
    assert_eq!(document["jobs"][1]["outcome"], "failed");
    let fine = fake.run_args("exit 0", &["--each", "n=1", "--wait", "--json", "--", "{n}"]);
    let document = schema::validated("exec-sweep", fake.run(&fine).code(0).json());
    assert_eq!((&document["success"], &document["jobs"][0]["outcome"]), (&json!(true), &json!("succeeded")));
}

#[test]
fn a_group_is_waited_for_shown_ended_and_forgotten_as_one() {
    let fake = Fake::new();
    let gated = fake.gated("trap : USR2; echo on", "");
    let swept = fake.swept(&gated, &["--each", "n=1,2", "--group", "g", "--", "{n}"]);
    let single = fake.start_with(&gated, &["--group", "g"]);
    let other = fake.ended_run_with("exit 0", &["--group", "h"]);
    let all = [ids(&swept), vec![single.clone()]].concat();
    for id in &all {
        fake.wait_for_output(id, "on");
    }
    let lines = |args: &[&str], code| fake.run(args).code(code).stdout.lines().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&["exec", "kill", "--group", "g", "-s", "USR2"], 0), all);
    assert_eq!(lines(&["exec", "stop", "--group", "g", "-t", "0"], 0), all);
    let codes = lines(&["wait", "--group", "g", &other], 1);
    assert_eq!(
        codes.iter().map(|line| &line[..12]).collect::<Vec<_>>(),
        [&[&*other], &all.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat()
    );
    let logs = schema::validated("logs", fake.run(&["logs", "--group", "g", "--json"]).code(0).json());
    assert_eq!(logs.as_array().unwrap().len(), 3);
    // A group of one run is answered as any other.
    assert_eq!(lines(&["exec", "wait", "--group", "h"], 0), [format!("{other} 0")]);
    let one = fake.run(&["exec", "wait", "--group", "h", "--json"]).code(0).json();
    assert_eq!(schema::validated("jobs", one).as_array().unwrap().len(), 1);
    let pruned = fake.run(&["prune", "--group", "h", "--dry-run", "--json"]).code(0).json();
    assert_eq!(pruned["jobs"].as_array().unwrap().len(), 1);
    let done = schema::validated("done", fake.run(&["exec", "forget", "--group", "h", "--json"]).code(0).json());
    assert_eq!(done[0]["id"], json!(other));
    assert_eq!(lines(&["exec", "forget", "--group", "g"], 0), all);
    let gone = [
        fake.line_of("exec list --group g", 1),
        fake.line_of("exec list --group g --json", 1),
        fake.line_of("exec wait --group g", 125),
        fake.line_of("exec wait", 125),
        fake.line_of("exec stop --group g", 1),
        fake.line_of("exec forget --group g --all", 2),
        fake.line_of("prune --group g", 1),
        fake.line_of("image wait --group g", 125),
    ];
    assert_failure_document(&gone[1], "not-found");
    snapshot!(fake, together(gone));
}

impl Fake {
    #[track_caller]
    fn line_of(&self, line: &str, code: i32) -> Ran {
        self.run(&line.split(' ').collect::<Vec<_>>()).code(code)
    }
}

#[test]
fn a_sweep_may_have_more_runs_than_there_are_descriptors() {
    let fake = Fake::new();
    let limited = ["sh", "-c", "ulimit -Sn 40; exec \"$@\"", "sh"];
    let args = fake.run_args("exit 0", &["--each", "n=1..50", "--group", "many", "--wait", "--", "{n}"]);
    let ran = Ran::from(fake.through(&limited, &args).output().unwrap()).code(0);
    assert_eq!(ran.stdout.lines().count(), 50, "{ran}");
    let waited = Ran::from(fake.through(&limited, &["exec", "wait", "--group", "many"]).output().unwrap()).code(0);
    assert_eq!(waited.stdout, ran.stdout);
    let forgotten = Ran::from(fake.through(&limited, &["exec", "forget", "--group", "many"]).output().unwrap());
    assert_eq!(forgotten.code(0).stdout.lines().count(), 50);
}

#[test]
fn ctrl_c_leaves_the_runs_and_names_their_group() {
    let fake = Fake::new();
    let flags = ["--each", "n=1,2", "--group", "g", "--wait", "--", "{n}"];
    let child = beside(&fake, &fake.run_args(&fake.gated("echo on", ""), &flags));
    wait_until("both runs are on record", || job_ids(&fake.jobs("run")).len() == 2);
    for id in job_ids(&fake.jobs("run")) {
        fake.wait_for_output(&id, "on");
    }
    fake.signal("INT", child.id());
    let ran = end(child).code(130);
    assert_eq!(ran.stdout, "");
    assert_eq!(
        ran.stderr,
        "error: interrupted; the runs of the group \"g\" go on\nhint: wait for them again with: longshore exec wait --group g   \
         or end them with: longshore exec stop --group g\n"
    );
    fake.open_gate();
    fake.run(&["exec", "wait", "--group", "g"]).code(0);
}

#[test]
fn a_reader_who_goes_does_not_keep_runs_from_being_started() {
    let fake = Fake::new();
    let args = fake.run_args("exit 0", &["--each", "n=1..5", "--group", "g", "--", "{n}"]);
    let headed = fake.through(&["sh", "-c", "\"$@\" | head -n 1", "sh"], &args).output().unwrap();
    assert_eq!((String::from_utf8(headed.stdout).unwrap().lines().count(), headed.stderr.len()), (1, 0));
    let waited = fake.run(&["exec", "wait", "--group", "g"]).code(0);
    assert_eq!(waited.stdout.lines().count(), 5);
}

#[test]
fn a_rerun_keeps_the_parameters_and_joins_a_group_only_if_asked() {
    let fake = Fake::new();
    let swept = fake.swept(SHOW, &["--each", "seed=5", "--group", "g", "--", "--seed", "{seed}"]);
    let first = &ids(&swept)[0];
    fake.end_of(first);
    let again = fake.run(&["exec", "rerun", first, "--wait", "--json"]).code(0).json();
    assert_eq!((&again["parameters"], again.get("group")), (&json!({"seed": "5"}), None));
    let again = fake.run(&["exec", "rerun", first, "--group", "g", "--wait", "--json"]).code(0).json();
    assert_eq!((&again["parameters"], &again["group"]), (&json!({"seed": "5"}), &json!("g")));
    let status = fake.run(&["exec", "status", first]).code(0);
    assert!(status.stdout.contains("\nGroup      g\nParameters seed=5\n"), "{status}");
    let account = fake.run(&["exec", "inspect", first]).code(0).json();
    assert_eq!(account["Longshore"]["parameters"], json!({"seed": "5"}));
    // The body has the values in place.
    let body = schema::validated("run-spec", fake.run(&["exec", "inspect", first, "--spec"]).code(0).json());
    assert_eq!(body["args"], json!(["--seed", "5"]));
}

#[test]
fn a_spec_can_have_parameters_and_braces_stay_without_a_sweep() {
    let fake = Fake::new();
    let body =
        json!({"imageTag": "base", "srcPath": "src", "mainSrc": "show.py", "args": ["{n}", "{{}}"], "name": "n{n}"});
    fake.write("src/show.py", "echo \"$@\"");
    fake.write("body.json", body.to_string());
    let run = ["exec", "run", "--spec", "body.json", "--wait", "--json"];
    let swept = fake.run(&[&run[..], &["--each", "n=1,2"]].concat()).code(0).json();
    assert_eq!(swept["jobs"][1]["name"], "n2");
    let log = |job: &Value| String::from_utf8(fake.log(job["exec_id"].as_str().unwrap())).unwrap();
    assert_eq!(log(&swept["jobs"][1]), "2 {}\n");
    let single = fake.run(&[&run[..], &["--name", "plain"]].concat()).code(0).json();
    assert_eq!(log(&single), "{n} {{}}\n");
}
