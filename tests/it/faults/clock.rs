//! A clock that is ten years off, or from before 1970, when a job is started or when it is looked at. No status depends on
//! it.

use serde_json::Value;

use crate::support::fake::Fake;
use crate::support::{schema, wait_until};

const YEAR: i64 = 365 * 24 * 3600;

/// Seconds by which a clock is off. The last one is before 1970.
const OFFSETS: [i64; 4] = [-10 * YEAR, 10 * YEAR, 0, -70 * YEAR];

fn set_clock(fake: &mut Fake, offset: i64) {
    fake.set("LONGSHORE_TEST_CLOCK", offset.to_string());
}

/// Started in this time and looked at in all others: a run that has ended, one that runs, one that runs alone, and a build.
fn started_at(offset: i64) {
    let mut fake = Fake::new();
    set_clock(&mut fake, offset);
    let ended = fake.ended_run("echo all; exit 3");
    let running = fake.start_gated("exit 4");
    let alone = fake.start_unattended("exit 6");
    fake.build("web");
    fake.end_of_build("web");
    for later in OFFSETS {
        set_clock(&mut fake, later);
        let said = format!("started at {offset}, seen at {later}");
        let list = schema::validated("jobs", fake.run(&["exec", "list", "--json"]).code(0).json());
        let of = |id: &str| list.as_array().unwrap().iter().find(|view| view["id"] == id).unwrap().clone();
        let facts = |id: &str| (of(id)["status"].clone(), of(id)["outcome"].clone(), of(id)["exitCode"].clone());
        assert_eq!(facts(&ended), ("exited".into(), "failed".into(), 3.into()), "{said}");
        for id in [&running, &alone] {
            assert_eq!(facts(id), ("running".into(), Value::Null, Value::Null), "{said}");
        }
        assert_eq!(fake.run(&["exec", "list"]).code(0).stdout.lines().count(), 4, "{said}");
        fake.run(&["exec", "wait", &ended]).code(3);
        fake.run(&["exec", "wait", "--timeout", "10ms", &running]).code(124);
        assert_eq!(fake.run(&["exec", "logs", &ended]).code(0).stdout, "all\n", "{said}");
        let inspected = fake.run(&["exec", "inspect", &running]).code(0).json();
        assert_eq!(inspected["Longshore"]["status"], "running", "{said}");
        let builds = schema::validated("jobs", fake.run(&["image", "builds", "--json"]).code(0).json());
        assert_eq!(builds[0]["outcome"], "succeeded", "{said}");
        fake.run(&["image", "status", "web"]).code(0);
    }
    // The run that was alone gets a supervisor now.
    fake.run(&["exec", "inspect", &alone]).code(0);
    fake.open_gate();
    assert_eq!((&fake.end_of(&running)["exitCode"], &fake.end_of(&alone)["exitCode"]), (&4.into(), &6.into()));
    fake.wait_until_quiet();
    assert_eq!(fake.containers(), Vec::<String>::new());
}

#[test]
fn jobs_of_ten_years_ago_are_told_of_truly() {
    started_at(-10 * YEAR);
}

#[test]
fn jobs_from_the_future_are_told_of_truly() {
    started_at(10 * YEAR);
}

#[test]
fn jobs_from_before_1970_are_told_of_truly() {
    started_at(-70 * YEAR);
}

#[test]
fn a_run_is_stopped_whatever_the_clock_says_now() {
    for offset in OFFSETS {
        let mut fake = Fake::new();
        let id = fake.start_gated("exit 0");
        set_clock(&mut fake, offset);
        fake.run(&["exec", "stop", &id]).code(0);
        let view = fake.end_of(&id);
        assert_eq!((&view["outcome"], &view["exitCode"]), (&"cancelled".into(), &143.into()), "{offset}: {view:#}");
    }
}

/// A start may be in flight for a while after its client was killed. A clock that is set back must not make that forever.
#[test]
fn a_missing_container_is_believed_although_the_clock_was_set_back() {
    let mut fake = Fake::new();
    fake.set("LONGSHORE_TEST_SETTLING", "1s");
    fake.scenario(serde_json::json!({"rules": [{"call": "run", "hang": true}]}));
    let id = fake.run(&fake.run_args("exit 0", &[])).code(0).id();
    let client = || fake.processes().into_iter().find(|p| p.command.contains(&format!("--name longshore-{id}")));
    wait_until("the client runs", || client().is_some());
    let client = client().unwrap().pid;
    fake.kill(fake.supervisor(&id));
    fake.kill(client);
    fake.run(&["exec", "inspect", &id]);
    set_clock(&mut fake, -10 * YEAR);
    fake.run(&["exec", "wait", "--timeout", "30s", &id]).code(125);
    assert_eq!(fake.status_of(&id)["outcome"], "lost");
    set_clock(&mut fake, 0);
}
