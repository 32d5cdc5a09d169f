//! `exec status`.

use serde_json::json;

use super::at_terminals;
use crate::support::fake::{Fake, assert_failure_document};
use crate::support::schema;
use crate::support::snapshots::{snapshot, together};

#[test]
fn a_run_is_shown_at_a_glance_in_every_state() {
    let mut fake = Fake::new();
    std::fs::create_dir(fake.path("data")).unwrap();
    let more = ["--name", "train", "--cpus", "2", "--memory", "1g", "--timeout", "1h", "--label", "team=red"];
    let paths = ["--input", "data", "--output", "out", "--", "--epochs", "a b"];
    let failed = fake.ended_run_with(
        "for i in 1 2 3 4 5 6; do echo line $i; done; printf ' 50%%\\r100%%\\r\\n'; exit 3",
        &[&more[..], &paths].concat(),
    );
    let silent = fake.ended_run("true");
    let running = fake.start_gated_with("true", &["--name", "now"]);
    fake.forget_calls();
    let shown = [
        at_terminals(&mut fake, &["exec", "status", "train"]),
        fake.run(&["exec", "status", &silent]).code(0).to_string(),
        fake.run(&["exec", "status", "now"]).code(0).to_string(),
    ];
    assert_eq!(fake.calls(), Vec::<String>::new(), "the files of the runs say how they stand");
    let document = fake.run(&["exec", "status", &failed, "--json"]).code(0);
    let status = schema::validated("exec-status", document.json());
    assert_eq!(status["lines"], json!(["line 3", "line 4", "line 5", "line 6", " 50%\r100%\r"]));
    assert_eq!(status["spec"], fake.run(&["exec", "inspect", "--spec", &failed]).code(0).json());
    assert_eq!((&status["outcome"], &status["exitCode"]), (&json!("failed"), &json!(3)));
    snapshot!(fake, together(shown), document);
    fake.open_gate();
    fake.end_of(&running);
}

#[test]
fn a_run_whose_record_is_damaged_has_a_status_and_exit_code_0() {
    let fake = Fake::new();
    let id = fake.ended_run("true");
    fake.leaves_unsound("a record is damaged");
    std::fs::write(fake.job("run", &id).join("job.json"), "{").unwrap();
    let shown = fake.run(&["exec", "status", &id]).code(0);
    let document = fake.run(&["exec", "status", &id, "--json"]).code(0);
    let status = schema::validated("exec-status", document.json());
    assert_eq!((&status["spec"], &status["lines"]), (&json!(null), &json!([])));
    snapshot!(fake, shown);
}

#[test]
fn the_status_of_a_run_that_is_not_there_names_the_nearest() {
    let fake = Fake::new();
    fake.ended_run_with("true", &["--name", "report"]);
    let ran = fake.run(&["exec", "status", "reprot", "--json"]).code(1);
    assert_failure_document(&ran, "not-found");
    assert!(ran.stderr.contains("did you mean \"report\"?"), "{ran:?}");
}
