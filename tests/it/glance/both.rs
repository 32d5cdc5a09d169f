//! `ps`, `logs`, `wait` and `stop` over builds and runs.

use serde_json::json;

use crate::support::fake::{Fake, assert_failure_document};
use crate::support::schema;
use crate::support::snapshots::{snapshot, together};

/// A build and a run that have ended, and one of each that run.
struct Four {
    fake: Fake,
    build: String,
    run: String,
    building: String,
    running: String,
}

fn four() -> Four {
    let fake = Fake::new();
    let build = fake.build("web");
    fake.end_of_build(&build);
    let run = fake.ended_run_with("echo hello; exit 3", &["--name", "train"]);
    let running = fake.start_gated_with("exit 0", &["--name", "now"]);
    let building = fake.build_gated("api");
    Four { fake, build, run, building, running }
}

#[test]
fn builds_and_runs_are_listed_together_the_newest_first() {
    let Four { fake, build, run, building, running } = four();
    fake.forget_calls();
    let ids = fake.line("ps -q").code(0).stdout;
    assert_eq!(ids.lines().collect::<Vec<_>>(), [&building, &running, &run, &build]);
    let jobs = schema::validated("jobs", fake.line("ps --json --status running").code(0).json());
    assert_eq!(jobs.as_array().unwrap().len(), 2);
    assert_eq!(fake.line("ps -q -n 1").stdout, format!("{building}\n"));
    assert_eq!(fake.line("ps -q --filter name=web").stdout, format!("{build}\n"));
    assert_eq!(fake.calls(), Vec::<String>::new());
    snapshot!(fake, fake.line("ps"));
    fake.open_gate();
    fake.end_of(&running);
    fake.end_of_build(&building);
}

#[test]
fn each_short_form_takes_what_its_long_forms_take() {
    let Four { fake, build, run, building, running } = four();
    assert_eq!(fake.line("logs train").code(0).stdout, "hello\n");
    assert_eq!(fake.line("logs web").stdout, fake.line("image logs web").stdout);
    assert_eq!(fake.line("logs latest").stdout, fake.line(&format!("image logs {building}")).stdout);
    assert_eq!(fake.line("wait train").code(3).stdout, "");
    assert_eq!(fake.run(&["wait", &build[..6]]).code(0).stdout, "");
    let several = fake.run(&["wait", "web", "train", "--json"]).code(1);
    let ended = schema::validated("jobs", several.json());
    assert_eq!([&ended[0]["id"], &ended[1]["id"]], [&build, &run]);
    assert_eq!(fake.line("stop now api").code(0).stdout, format!("{running}\n{building}\n"));
    assert_eq!(fake.end_of(&running)["outcome"], "cancelled");
    assert_eq!(fake.end_of_build(&building)["outcome"], "cancelled");
    assert_eq!(fake.line("wait").code(125).stdout, "");
    let refused = fake.line("stop train web --json").code(1).json();
    assert_eq!([&refused[0]["error"]["kind"], &refused[1]["error"]["kind"]], ["conflict", "conflict"]);
    fake.open_gate();
}

#[test]
fn a_name_of_a_build_and_of_a_run_is_an_error_that_says_what_to_type_for_each() {
    let fake = Fake::new();
    let build = fake.build("web");
    fake.end_of_build(&build);
    let run = fake.ended_run_with("echo hello", &["--name", "web"]);
    let shown = ["logs web", "wait web", "stop web", "logs nosuch", "wait wbe", "ps --status nosuch"].map(|line| {
        let ran = fake.line(line);
        assert_eq!(ran.stdout, "", "{line}");
        ran
    });
    let ran = fake.line("logs web --json").code(1);
    assert_failure_document(&ran, "ambiguous");
    assert_eq!(fake.run(&["logs", &run]).code(0).stdout, "hello\n");
    assert_eq!(fake.run(&["wait", &build, &run]).code(0).stdout, format!("{build} 0\n{run} 0\n"));
    snapshot!(fake, together(shown));
}

#[test]
fn without_any_job_the_list_is_empty_and_nothing_is_found() {
    let fake = Fake::new();
    assert_eq!(fake.line("ps --json").code(0).json(), json!([]));
    assert!(fake.line("logs latest").code(1).stderr.starts_with("error: there is no build or run yet\n"));
    assert!(fake.line("wait x").code(125).stderr.starts_with("error: there is no build or run \"x\"\n"));
}

#[test]
fn short_forms_complete_builds_and_runs() {
    let Four { fake, run, running, building, .. } = four();
    let words = |line: &str| {
        let ran = fake.run(&["__complete", "fish", "--", line]).code(0);
        ran.stdout.lines().skip(1).map(|line| line.split('\t').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(words("longshore logs "), ["now", &running, "train", &run, "api", "web", "latest"]);
    assert_eq!(words("longshore stop "), ["now", &running, "api", "latest"]);
    assert_eq!(words("longshore exec status trai"), ["train"]);
    assert_eq!(words("longshore ps --filter name=w"), ["name=web"]);
    assert_eq!(words("longshore exec top "), ["now", &running, "latest"]);
    fake.open_gate();
    fake.end_of(&running);
    fake.end_of_build(&building);
}
