//! `prune`, and `forget` by status or age: the plan, what is done and what stays, and what is told of jobs that are gone.

mod changes;
mod copies;
mod gone;
mod images;
mod limits;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;

use serde_json::{Value, json};

use crate::support::Ran;
use crate::support::fake::Fake;
use crate::support::schema;

/// A run that ended years ago.
#[track_caller]
fn old_run(fake: &Fake, script: &str, more: &[&str]) -> String {
    let state = json!({"StartedAt": "2020-01-01T00:00:00Z", "FinishedAt": "2020-01-01T00:00:10Z"});
    fake.scenario(json!({"inspect": {"State": state}}));
    let id = fake.ended_run_with(script, more);
    fake.scenario(json!({}));
    id
}

/// A build that has ended.
#[track_caller]
fn ended_build(fake: &Fake, name: &str) -> String {
    let id = fake.build(name);
    fake.end_of_build(&id);
    fake.wait_until_quiet();
    id
}

/// A command with `--json`, whose document keeps to the schema.
#[track_caller]
fn document(fake: &Fake, args: &[&str], code: i32) -> Value {
    let ran = fake.run(&[args, &["--json"]].concat());
    let document = schema::validated("prune", ran.json());
    ran.code(code);
    document
}

/// The ids of the jobs of a plan that were removed, sorted.
fn removed(document: &Value) -> Vec<String> {
    let rows = document["jobs"].as_array().unwrap().iter().filter(|row| row["removed"] == true);
    let mut ids: Vec<String> = rows.map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

/// The ids of the jobs that are listed, sorted.
fn listed(fake: &Fake) -> Vec<String> {
    let ids = |noun: &str, list: &str| fake.run(&[noun, list, "-q"]).code(0).stdout;
    let mut ids: Vec<String> =
        format!("{}{}", ids("exec", "list"), ids("image", "builds")).lines().map(str::to_owned).collect();
    ids.sort();
    ids
}

fn sorted<const N: usize>(ids: [&String; N]) -> Vec<String> {
    let mut ids = ids.map(String::clone).to_vec();
    ids.sort();
    ids
}

/// As many ended runs more, which are copies of one; gives the ids of all.
fn many_runs(fake: &Fake, count: usize) -> Vec<String> {
    let template = fake.ended_run("exit 3");
    let record = std::fs::read_to_string(fake.job("run", &template).join("job.json")).unwrap();
    let exit = std::fs::read_to_string(fake.job("run", &template).join("exit.json")).unwrap();
    let mut ids: Vec<String> = (0..count).map(|number| format!("{number:012}")).collect();
    for id in &ids {
        copy_run(fake, id, &record.replace(&template, id), &exit);
    }
    ids.push(template);
    ids.sort();
    ids
}

/// An ended run with this record and this exit record.
pub fn copy_run(fake: &Fake, id: &str, record: &str, exit: &str) {
    let dir = fake.job("run", id);
    DirBuilder::new().mode(0o700).create(&dir).unwrap();
    std::fs::write(dir.join("job.json"), record).unwrap();
    std::fs::write(dir.join("exit.json"), exit).unwrap();
}

/// The lines that tell of removed jobs.
fn lines_of_gone(fake: &Fake) -> Vec<Value> {
    let days = std::fs::read_dir(fake.path("state/longshore/.gone")).into_iter().flatten().flatten();
    let texts = days.map(|day| std::fs::read_to_string(day.path()).unwrap());
    let lines = |text: String| -> Vec<Value> {
        text.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    texts.flat_map(lines).collect()
}

/// A command that fails, as text and as JSON.
#[track_caller]
fn failure(fake: &Fake, args: &[&str]) -> [Ran; 2] {
    let (text, document) = (fake.run(args), fake.run(&[args, &["--json"]].concat()));
    schema::validated("error", document.json());
    assert_eq!((text.stdout.as_str(), text.code), ("", document.code));
    [text, document]
}
