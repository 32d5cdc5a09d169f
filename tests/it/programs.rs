//! What a run starts instead of a file: a module, or a command.

use serde_json::{Value, json};

use crate::support::fake::Fake;
use crate::support::schema;
use crate::support::snapshots::{snapshot, together};

/// What docker would be asked to run: the words from `--entrypoint` on.
fn program(fake: &Fake, command: &[&str]) -> Vec<String> {
    let document = fake.run(&[&command[..3], &["--dry-run", "--json"], &command[3..]].concat()).code(0).json();
    let words: Vec<String> = serde_json::from_value(document["argv"].clone()).unwrap();
    let at = words.iter().position(|word| word == "--entrypoint").unwrap();
    words[at + 1..].to_vec()
}

#[test]
fn a_run_starts_exactly_one_of_a_file_a_module_and_a_command() {
    let fake = Fake::new();
    fake.write("src/main.py", "exit 0");
    fake.write("spec.json", r#"{"srcPath": "src", "imageTag": "base", "entry": "pkg", "command": true}"#);
    let cases: [&[&str]; 10] = [
        &["--main", "main.py", "-m", "pkg"],
        &["--main", "main.py", "-m", "pkg", "--command", "--", "ls"],
        &["--spec", "spec.json"],
        &["--command"],
        &["--command", "--", "", "x"],
        &["--", "python3", "-c", "1"],
        &["-m", "2g"],
        &["-m", "pkg:main"],
        &["--entry", "main.py"],
        &["--entrypoint", "sh"],
    ];
    let run = ["exec", "run", "--image", "base", "--src", "src"];
    snapshot!(fake, together(cases.map(|more| fake.run(&[&run[..], more].concat()).code(2))));
    assert_eq!(fake.calls(), Vec::<String>::new());
}

#[test]
fn what_is_started_is_kept_by_a_rerun_and_can_be_changed_by_it() {
    let fake = Fake::new();
    fake.write("src/main.py", "exit 0");
    let run = ["exec", "run", "--image", "base", "--src", "src"];
    let start = |more: &[&str]| {
        let id = fake.run(&[&run[..], more].concat()).code(0).id();
        fake.end_of(&id);
        id
    };
    let record = |id: &str| -> Value {
        let bytes = std::fs::read(fake.job("run", id).join("job.json")).unwrap();
        serde_json::from_slice::<Value>(&bytes).unwrap()["work"]["run"].take()
    };
    let spec = |id: &str| schema::validated("run-spec", fake.run(&["exec", "inspect", id, "--spec"]).code(0).json());

    let module = start(&["--entry", "module:jobs.report", "--", "--fast"]);
    assert_eq!(program(&fake, &["exec", "rerun", &module]), ["python3", "base", "-m", "jobs.report", "--fast"]);
    assert_eq!((&record(&module)["module"], record(&module).get("main")), (&json!("jobs.report"), None));
    assert_eq!((&spec(&module)["entry"], spec(&module).get("mainSrc")), (&json!("jobs.report"), None));

    let command = start(&["--command", "--", "sh", "-c", "exit 3", "--", "-x"]);
    assert_eq!(program(&fake, &["exec", "rerun", &command]), ["sh", "base", "-c", "exit 3", "--", "-x"]);
    assert_eq!((&record(&command)["command"], &record(&command)["args"][0]), (&json!("sh"), &json!("-c")));
    assert_eq!(spec(&command)["args"], json!(["sh", "-c", "exit 3", "--", "-x"]));
    assert_eq!(program(&fake, &["exec", "rerun", &command, "--", "ls"]), ["ls", "base"]);
    assert_eq!(program(&fake, &["exec", "rerun", &command, "--main", "main.py"])[..3], ["python3", "base", "main.py"]);
    assert_eq!(program(&fake, &["exec", "rerun", &module, "--command", "--", "ls"]), ["ls", "base"]);

    let listed = fake.run(&["exec", "list", "--json"]).code(0).json();
    let commands: Vec<&Value> = listed.as_array().unwrap().iter().map(|view| &view["command"]).collect();
    assert_eq!(commands, [&json!(["sh", "-c", "exit 3", "--", "-x"]), &json!(["-m", "jobs.report", "--fast"])]);
    // A file is recorded as ever.
    let file = start(&["--main", "main.py"]);
    assert_eq!((&record(&file)["main"], record(&file).get("module")), (&json!("main.py"), None));
}
