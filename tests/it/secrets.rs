//! Values of variables reach the program and docker. They are in nothing that is stored or shown.

use std::path::Path;

use serde_json::json;

use crate::support::fake::{Fake, names};

/// The files below a directory that hold this text.
fn holding(dir: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for name in names(dir) {
        let path = dir.join(name);
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if path.is_file() && String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains(text) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn values_of_variables_are_withheld_while_a_run_runs_and_after() {
    let fake = Fake::new();
    let engines = ["FLAG=hunter2-a", "FILE=hunter2-b", "SPEC=hunter2-c", "HTTPS_PROXY=hunter2-d", "PATH=/bin"];
    fake.scenario(json!({"inspect": {"Config": {"Env": engines}}}));
    fake.write("vars", "FILE=hunter2-b\n");
    let spec = json!({"env": {"SPEC": "hunter2-c", "HTTPS_PROXY": "hunter2-d"}}).to_string();
    let script = fake.gated("echo on", "test \"$FLAG$FILE$SPEC$HTTPS_PROXY\" = hunter2-ahunter2-bhunter2-chunter2-d");
    let more = ["--env", "FLAG=hunter2-a", "--env-file", "vars", "--spec", "-"];
    let id = fake.run_with(&fake.run_args(&script, &more), spec.as_bytes()).code(0).id();
    fake.wait_for_output(&id, "on");
    let shown = json!(["FLAG=(withheld)", "FILE=(withheld)", "SPEC=(withheld)", "HTTPS_PROXY=(withheld)", "PATH=/bin"]);
    assert_eq!(fake.run(&["exec", "inspect", &id]).code(0).json()["Config"]["Env"], shown);
    assert_eq!(holding(&fake.path("state"), "hunter2"), Vec::<String>::new());
    fake.open_gate();
    assert_eq!(fake.end_of(&id)["outcome"], "succeeded", "the program did not get its variables");
    assert_eq!(fake.run(&["exec", "inspect", &id]).code(0).json()["Config"]["Env"], shown);
    assert_eq!(holding(&fake.path("state"), "hunter2"), Vec::<String>::new());
    assert!(!fake.calls().concat().contains("hunter2"), "a value stood on a command line");
}
