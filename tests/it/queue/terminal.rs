//! A terminal that is closed after many jobs were queued at it.

use std::path::Path;
use std::process::Stdio;

use crate::support::Ran;
use crate::support::fake::{Fake, job_ids};
use crate::support::wait_until;

#[test]
fn twenty_jobs_of_a_terminal_that_is_closed_all_run() {
    let fake = Fake::new();
    fake.run(&["queue", "set", "q", "--slots", "2"]).code(0);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/terminal");
    let queued = fake.engine("queued");
    let typed = "i=0; while [ $i -lt 20 ]; do i=$((i + 1)); \"$@\"; done; : >\"$FAKE_DOCKER_DIR/queued\"
                 while :; do sleep 0.05; done";
    let outer = [script.to_str().unwrap(), "close", queued.to_str().unwrap(), "sh", "-c", typed, "sh"];
    let mut shell = fake.through(&outer, &fake.job_args("q", "one", &[]));
    let shell = shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    Ran::from(shell.wait_with_output().unwrap()).code(129);
    let ids = job_ids(&fake.jobs("run"));
    assert_eq!(ids.len(), 20);
    fake.open_gate();
    for id in &ids {
        fake.wait_for_record(id);
    }
    assert_eq!(fake.most("q"), 2);
    fake.assert_started(&ids.iter().collect::<Vec<_>>(), 1);
    let views = fake.run(&["exec", "list", "--json"]).code(0).json();
    assert!(views.as_array().unwrap().iter().all(|view| view["outcome"] == "succeeded"), "{views:#}");
    wait_until("no supervisor is left", || fake.supervisors().is_empty());
}
