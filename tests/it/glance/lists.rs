//! Lists at terminals: the reason in the row, and columns that share the width.

use super::at_terminals;
use crate::support::fake::Fake;
use crate::support::snapshots::{snapshot, together};

const ARGS: [&str; 8] = ["--name", "a-name-that-is-rather-long", "--", "--epochs", "3", "--rate", "0.01", "--verbose"];

#[test]
fn runs_have_their_reason_in_the_row_and_share_the_width() {
    let mut fake = Fake::new();
    fake.ended_run("exit 0");
    fake.ended_run_with("kill -KILL $$", &ARGS);
    fake.ended_run_with("sleep 600", &["--timeout", "100ms"]);
    fake.forget_calls();
    let shown = [at_terminals(&mut fake, &["exec", "list"]), at_terminals(&mut fake, &["exec", "list", "--no-trunc"])];
    let piped = fake.run(&["exec", "list"]);
    assert_eq!(fake.calls(), Vec::<String>::new());
    snapshot!(fake, together(shown), piped);
}

#[test]
fn builds_have_their_reason_in_the_row_and_share_the_width() {
    let mut fake = Fake::new();
    fake.scenario(serde_json::json!({"build": {"script": "echo longshore: pip ended with exit code 1; exit 1"}}));
    let id = fake.build("registry.example.org/a/very/long/name/of/an/image:of-tuesday");
    fake.end_of_build(&id);
    fake.scenario(serde_json::json!({}));
    let id = fake.build("web");
    fake.end_of_build(&id);
    let shown = [at_terminals(&mut fake, &["image", "builds"]), at_terminals(&mut fake, &["ps"])];
    snapshot!(fake, together(shown));
}
