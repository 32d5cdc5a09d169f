//! The truth table, row by row.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::job::attempts::Retry;
use crate::job::record::{FORMAT, Work};
use crate::job::request::Request;
use crate::job::view::View;

const ID: &str = "0123456789ab";
const BOOT: &str = "this-boot";
const GIB: u64 = 1 << 30;

fn at(second: u32) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + i64::from(second), 0).unwrap()
}

fn record(kind: Kind) -> Record {
    Record::example(&JobId::parse(ID).unwrap(), kind, Some("web:latest"))
}

fn begun(engine_version: &str) -> Begun {
    Begun {
        format: FORMAT,
        started: at(1),
        engine_id: Some("ENGINE".into()),
        engine_version: Some(engine_version.into()),
        client_version: Some("28.2.2".into()),
        builder: None,
    }
}

/// A job that was published and began, and of which nothing else is known.
fn facts(kind: Kind) -> Facts {
    Facts {
        id: JobId::parse(ID).unwrap(),
        kind,
        record: Ok(record(kind)),
        exit: None,
        locked: false,
        log_locked: false,
        lock_error: None,
        begun: Some(begun("20.10.24")),
        pending: None,
        waiting: false,
        queued: false,
        attempts: Vec::new(),
        resting: false,
        gpus: Vec::new(),
        log_gone: 0,
        requests: Requests::default(),
        image_id: None,
        starting: false,
        same_boot: None,
        hook: None,
        moving: None,
    }
    .on_boot(BOOT)
}

/// A program that ended in second 60.
fn ended_with(code: i32) -> Ended {
    Ended {
        container: "c0ffee".into(),
        code,
        signal: (129..=192).contains(&code).then(|| code - 128),
        started: Some(at(2)),
        finished: Some(at(60)),
        out_of_memory: false,
        why: None,
        made_up: None,
        account: Value::Null,
    }
}

fn seen(end: Ended) -> Sighting {
    Sighting::Ended(Box::new(end))
}

fn request(verb: Verb, signal: i32, second: u32) -> Requests {
    let mut requests = Requests::default();
    requests.add(Some(&Request::new(verb, signal, Duration::ZERO, at(second))));
    requests
}

fn unreachable() -> Sighting {
    Sighting::Unreachable(Failure::new(crate::error::Kind::EngineUnreachable, "connection refused"))
}

/// What people and scripts see of an end: outcome, code, signal, reason.
type Shown = (Outcome, Option<i32>, Option<i32>, String);

fn shown(exit: &Exit) -> Shown {
    (exit.outcome, exit.exit_code, exit.signal, exit.reason.clone().unwrap_or_default())
}

fn end(facts: &Facts, sighting: &Sighting) -> Exit {
    match derive(facts, sighting) {
        Standing::Ended(exit) => exit,
        standing => panic!("it has not ended: {standing:?}"),
    }
}

/// Every kind of sighting.
fn sightings() -> Vec<Sighting> {
    let alive = Alive { container: "c0ffee".into(), started: None, account: Value::Null, pending: None };
    let image = Sighting::ImageProven("sha256:1".into());
    vec![unreachable(), Sighting::OtherEngine, Sighting::Absent, seen(ended_with(0)), Sighting::Alive(alive), image]
}

#[test]
fn a_run_runs_until_its_output_is_copied() {
    let mut facts = facts(Kind::Run);
    let Ok(Record { work: Work::Run(run), .. }) = &mut facts.record else { panic!("it is a run") };
    run.ship = Some(crate::job::record::Ship { cache: crate::names::When::Auto, git: false, limit: 1 });
    let ended = Sighting::Ended(Box::new(ended_with(0)));
    assert_eq!(derive(&facts, &ended), Standing::Running(Running::Unsupervised));
    // Its own host was rebooted, and the engine was not.
    let facts = facts.on_boot("another boot");
    assert_eq!(facts.same_boot, Some(true));
    assert_eq!(derive(&facts, &ended), Standing::Running(Running::Unsupervised));
}

#[test]
fn a_terminal_record_wins_over_everything() {
    let exit = Exit { exit_code: Some(7), reason: Some("why".into()), ..Exit::new(Outcome::Failed) };
    for (locked, log_locked) in [(false, false), (true, false), (false, true), (true, true)] {
        let facts = Facts { exit: Some(Ok(exit.clone())), locked, log_locked, ..facts(Kind::Run) };
        assert_eq!(settled(&facts), Some(Standing::Ended(exit.clone())));
        for sighting in sightings() {
            assert_eq!(derive(&facts, &sighting), Standing::Ended(exit.clone()), "{sighting:?}");
        }
    }
}

#[test]
fn a_job_that_was_to_wait_and_did_not_begin_is_queued_whatever_the_engine_says() {
    let table = [
        (true, false, Queued::Supervised),
        (true, true, Queued::Waiting),
        (false, false, Queued::Unsupervised),
        (false, true, Queued::Unsupervised),
    ];
    for (locked, waiting, expected) in table {
        let facts = Facts { queued: true, begun: None, locked, waiting, ..facts(Kind::Run) };
        for sighting in sightings() {
            assert_eq!(derive(&facts, &sighting), Standing::Queued(expected), "{sighting:?}");
        }
    }
    // The same where its swarm has not started it.
    for (waiting, expected) in [(false, Queued::Pending), (true, Queued::Waiting)] {
        let facts = Facts { locked: true, waiting, pending: Some("a node".into()), ..facts(Kind::Run) };
        assert_eq!(settled(&facts), Some(Standing::Queued(expected)));
    }
    // A client that writes has begun, whatever else is missing. A record that cannot be read says nothing of a queue.
    let writes = Facts { queued: true, begun: None, log_locked: true, ..facts(Kind::Run) };
    assert_eq!(settled(&writes), Some(Standing::Running(Running::Unsupervised)));
    let ended = Facts { exit: Some(Ok(Exit::new(Outcome::Skipped))), queued: true, ..facts(Kind::Run) };
    assert_eq!(settled(&ended), Some(Standing::Ended(Exit::new(Outcome::Skipped))));
}

#[test]
fn a_run_that_is_to_be_tried_again_has_not_ended() {
    let of = |times, attempts, retries: bool| {
        let mut record = record(Kind::Run);
        let Work::Run(run) = &mut record.work else { panic!("it is a run") };
        run.retry = retries.then_some(Retry { times, delay: 0.0, on: None });
        let attempts = vec![Exit::new(Outcome::Failed); attempts];
        Facts { record: Ok(record), attempts, ..facts(Kind::Run) }.on_boot(BOOT)
    };
    let runs = Standing::Running(Running::Unsupervised);
    assert_eq!(derive(&of(1, 0, true), &seen(ended_with(3))), runs);
    assert_eq!(end(&of(1, 1, true), &seen(ended_with(3))).outcome, Outcome::Failed, "that was the last one");
    assert_eq!(end(&of(1, 0, true), &seen(ended_with(0))).outcome, Outcome::Succeeded);
    assert_eq!(end(&of(1, 0, true).on_boot("another"), &seen(ended_with(3))).exit_code, Some(3));
    assert_eq!(end(&of(1, 0, false), &seen(ended_with(3))).exit_code, Some(3));
    let stopped = Facts { requests: request(Verb::Stop, 15, 5), ..of(1, 0, true) };
    assert_eq!(end(&stopped, &seen(ended_with(143))).outcome, Outcome::Cancelled);
    let between = |locked| settled(&Facts { resting: true, locked, begun: None, ..of(1, 1, true) });
    assert_eq!(between(true), Some(Standing::Running(Running::Resting)));
    assert_eq!(between(false), Some(runs));
}

#[test]
fn a_held_lock_is_a_running_job_whatever_the_engine_says() {
    let table = [
        (true, false, false, Running::Supervised),
        (true, true, false, Running::Supervised),
        (true, false, true, Running::Waiting),
        (false, true, false, Running::Unsupervised),
    ];
    for (locked, log_locked, waiting, expected) in table {
        for record in [Ok(record(Kind::Run)), Err(Damaged("its record is damaged".into()))] {
            let facts = Facts { record, locked, log_locked, waiting, ..facts(Kind::Run) };
            assert_eq!(settled(&facts), Some(Standing::Running(expected)));
            for sighting in sightings() {
                assert_eq!(derive(&facts, &sighting), Standing::Running(expected), "{sighting:?}");
            }
        }
    }
}

#[test]
fn without_record_and_locks_the_engine_must_be_asked() {
    assert_eq!(settled(&facts(Kind::Run)), None);
    assert_eq!(settled(&facts(Kind::Build)), None);
}

#[test]
fn a_damaged_or_newer_file_is_corrupt_and_named() {
    let newer = Record::parse(br#"{"format": 99}"#).map(|_| ()).unwrap_err();
    let damaged = Exit::parse(b"").map(|_| ()).unwrap_err();
    let table = [
        Facts { record: Err(Damaged(format!("its record {newer}"))), ..facts(Kind::Run) },
        Facts { exit: Some(Err(Damaged(format!("its exit record {damaged}")))), ..facts(Kind::Run) },
    ];
    for (facts, reason) in
        table.iter().zip(["its record has format 99; this version of longshore", "its exit record is damaged"])
    {
        let exit = end(facts, &seen(ended_with(0)));
        assert_eq!((exit.outcome, exit.exit_code), (Outcome::Corrupt, None));
        assert!(exit.reason.unwrap().starts_with(reason));
    }
    let view = View::new(&table[0], &settled(&table[0]).unwrap());
    assert_eq!((view.status, view.outcome, view.created), ("exited", Some(Outcome::Corrupt), None));
}

#[test]
fn an_engine_that_cannot_tell_makes_it_unknown_and_never_lost() {
    for kind in [Kind::Run, Kind::Build] {
        for same_boot in [Some(true), Some(false)] {
            let facts = Facts { same_boot, ..facts(kind) };
            let exit = end(&facts, &unreachable());
            assert_eq!(
                shown(&exit),
                (Outcome::Unknown, None, None, "the engine cannot be asked: connection refused".into())
            );
            let exit = end(&facts, &Sighting::OtherEngine);
            let why = "the engine that answers is not the one on which it was started";
            assert_eq!(shown(&exit), (Outcome::Unknown, None, None, why.into()));
        }
    }
}

#[test]
fn nothing_on_the_engine_is_lost_with_the_reason() {
    let never = "it was not started: longshore was killed before that";
    let rebooted = "the host was rebooted while it ran";
    let removed = "its container was removed by another program";
    let killed = "its supervisor and its docker client were killed before the image was built";
    let table = [
        (Kind::Run, false, true, never),
        (Kind::Build, false, true, never),
        (Kind::Run, true, true, removed),
        (Kind::Build, true, true, killed),
        (Kind::Run, true, false, rebooted),
        (Kind::Build, true, false, rebooted),
        (Kind::Run, false, false, rebooted),
    ];
    for (kind, has_begun, same_boot, reason) in table {
        let begun = has_begun.then(|| begun("20.10.24"));
        let exit = end(&Facts { begun, same_boot: Some(same_boot), ..facts(kind) }, &Sighting::Absent);
        assert_eq!(shown(&exit), (Outcome::Lost, None, None, reason.into()));
        assert!(exit.recovered);
    }
}

#[test]
fn a_build_without_its_supervisor_succeeded_only_if_its_image_says_so() {
    let exit = end(&facts(Kind::Build), &Sighting::ImageProven("sha256:1".into()));
    assert_eq!((exit.outcome, exit.exit_code, exit.recovered), (Outcome::Succeeded, Some(0), true));
    assert_eq!(exit.image_id.as_deref(), Some("sha256:1"));
    assert_eq!(end(&facts(Kind::Build), &Sighting::Absent).outcome, Outcome::Lost);
}

#[test]
fn a_container_that_runs_is_a_run_without_supervisor() {
    let alive =
        Sighting::Alive(Alive { container: "c0ffee".into(), started: None, account: Value::Null, pending: None });
    for same_boot in [Some(true), Some(false)] {
        let facts = Facts { same_boot, ..facts(Kind::Run) };
        assert_eq!(derive(&facts, &alive), Standing::Running(Running::Unsupervised));
    }
}

#[test]
fn a_container_that_was_only_created_proves_nothing_without_the_engines_message() {
    let mut created = NeverStarted { container: "c0ffee".into(), code: 0, why: None, account: Value::Null };
    let exit = end(&facts(Kind::Run), &Sighting::NeverStarted(created.clone()));
    assert_eq!(shown(&exit), (Outcome::Lost, None, None, CREATED.into()));
    assert_eq!((exit.container_id.as_deref(), exit.log), (Some("c0ffee"), LogState::Incomplete));
    (created.why, created.code) = (Some("no such device".into()), 125);
    let exit = end(&facts(Kind::Run), &Sighting::NeverStarted(created));
    assert_eq!(shown(&exit), (Outcome::Failed, Some(125), None, "no such device".into()));
    assert_eq!(exit.log, LogState::Complete);
}

#[test]
fn a_run_whose_client_was_just_killed_is_unknown_and_not_lost() {
    let created = NeverStarted { container: "c0ffee".into(), code: 0, why: None, account: Value::Null };
    let tried = NeverStarted { why: Some("no such device".into()), ..created.clone() };
    let starting = |same_boot| Facts { starting: true, same_boot: Some(same_boot), ..facts(Kind::Run) };
    for (sighting, same_boot, outcome) in [
        (Sighting::Absent, true, Outcome::Unknown),
        (Sighting::NeverStarted(created), true, Outcome::Unknown),
        (Sighting::NeverStarted(tried), true, Outcome::Failed),
        (Sighting::Absent, false, Outcome::Lost),
        (seen(ended_with(3)), true, Outcome::Failed),
    ] {
        assert_eq!(end(&starting(same_boot), &sighting).outcome, outcome, "{sighting:?} {same_boot}");
    }
}

#[test]
fn a_log_is_not_called_whole_before_it_was_compared() {
    for (sighting, log) in [
        (seen(ended_with(0)), LogState::Unverified),
        (Sighting::ImageProven("sha256:1".into()), LogState::Unverified),
        (Sighting::Absent, LogState::Incomplete),
        (unreachable(), LogState::Incomplete),
    ] {
        assert_eq!(end(&facts(Kind::Run), &sighting).log, log, "{sighting:?}");
    }
}

#[test]
fn a_code_that_engines_make_up_is_believed_of_a_client_that_saw_it() {
    let invented = Ended { made_up: Some("the engine lost its exit code".into()), ..ended_with(255) };
    let from = |client| Evidence { same_boot: Some(true), client, engine: &|| true };
    assert_eq!(doubt(&invented, &from(Some(255))), None);
    for client in [None, Some(125), Some(0)] {
        assert_eq!(doubt(&invented, &from(client)).as_deref(), Some("the engine lost its exit code"));
    }
}

#[test]
fn a_zero_without_a_time_of_the_end_is_believed_of_a_client_that_saw_it() {
    let timeless = Ended { finished: None, ..ended_with(0) };
    let from = |client| Evidence { same_boot: Some(true), client, engine: &|| true };
    assert_eq!(doubt(&timeless, &from(Some(0))), None);
    assert!(doubt(&timeless, &from(Some(125))).is_some_and(|why| why.contains("does not know when it ended")));
    assert_eq!(end(&facts(Kind::Run), &seen(timeless)).outcome, Outcome::Lost);
    assert_eq!(doubt(&Ended { finished: None, ..ended_with(3) }, &from(None)), None);
}

#[test]
fn a_zero_is_believed_of_a_client_or_an_engine_that_saw_it() {
    // The engine's code, the client's, whether the engine saw the end (none: it must not be asked), whether it is believed.
    for (code, client, engine, believed) in [
        (0, Some(0), None, true),
        (0, Some(3), Some(false), false),
        (0, Some(3), Some(true), true),
        (0, Some(125), Some(false), false),
        (0, Some(125), Some(true), true),
        (0, None, Some(false), false),
        (0, None, Some(true), true),
        (3, None, None, true),
        (3, Some(125), None, true),
    ] {
        let saw = || engine.expect("the engine is asked");
        let why = doubt(&ended_with(code), &Evidence { same_boot: Some(true), client, engine: &saw });
        assert_eq!(why.is_none(), believed, "{code} {client:?} {engine:?}: {why:?}");
    }
}

#[test]
fn a_damaged_request_makes_no_run_a_success() {
    let requests = Requests::unreadable();
    let exit = exit_of(&ended_with(0), &requests, None);
    assert_eq!(shown(&exit), (Outcome::Lost, Some(0), None, REQUESTS_DAMAGED.into()));
    let exit = exit_of(&ended_with(3), &requests, None);
    assert_eq!(shown(&exit), (Outcome::Failed, Some(3), None, REQUESTS_DAMAGED.into()));
}

#[test]
fn a_recovered_code_is_believed_only_where_it_proves_something() {
    use Outcome::{Failed, Lost, Succeeded};
    let rebooted = "the host was rebooted while it ran, so the engine's exit code 0 is not reliable";
    let (same, changed, invented) = (Some(true), Some(false), Some("the engine lost its exit code"));
    let table: Vec<(i32, Option<bool>, Option<&str>, Shown)> = vec![
        (0, same, None, (Succeeded, Some(0), None, String::new())),
        (0, changed, None, (Lost, None, None, rebooted.into())),
        (0, None, None, (Lost, None, None, rebooted.into())),
        (0, changed, invented, (Lost, None, None, rebooted.into())),
        (0, same, invented, (Lost, None, None, "the engine lost its exit code".into())),
        (255, changed, invented, (Lost, None, None, "the engine lost its exit code".into())),
        (7, changed, None, (Failed, Some(7), None, String::new())),
        (254, changed, None, (Failed, Some(254), None, String::new())),
        (137, same, None, (Failed, Some(137), Some(9), "killed by signal SIGKILL".into())),
        (
            143,
            changed,
            None,
            (Failed, Some(143), Some(15), "exit code 143: killed by signal SIGTERM, or its own exit code".into()),
        ),
    ];
    for (code, same_boot, made_up, expected) in table {
        let facts = Facts { same_boot, ..facts(Kind::Run) };
        let exit = end(&facts, &seen(Ended { made_up: made_up.map(str::to_owned), ..ended_with(code) }));
        assert_eq!(shown(&exit), expected, "{code} {same_boot:?} {made_up:?}");
        assert!(exit.recovered);
        assert_eq!(exit.container_id.as_deref(), Some("c0ffee"));
    }
}

#[test]
fn a_code_of_a_supervised_run_is_its_code_also_255() {
    let table: [(i32, Shown); 5] = [
        (0, (Outcome::Succeeded, Some(0), None, String::new())),
        (7, (Outcome::Failed, Some(7), None, String::new())),
        (128, (Outcome::Failed, Some(128), None, String::new())),
        (193, (Outcome::Failed, Some(193), None, String::new())),
        (255, (Outcome::Failed, Some(255), None, String::new())),
    ];
    for (code, expected) in table {
        let exit = exit_of(&ended_with(code), &Requests::default(), None);
        assert_eq!(shown(&exit), expected);
        assert!(!exit.recovered);
        assert_eq!((exit.started, exit.finished), (Some(at(2)), Some(at(60))));
    }
}

#[test]
fn a_stop_counts_only_when_it_came_before_the_end_and_did_it() {
    use Outcome::{Cancelled, Failed, Succeeded, Timeout};
    let (sigkill, sigterm) =
        ("killed by signal SIGKILL", "exit code 143: killed by signal SIGTERM, or its own exit code");
    let (by_stop, by_kill) = ("ended by longshore exec stop", "ended by longshore exec kill");
    let time = "its time limit passed";
    // The container ended in second 60.
    let table = [
        (Verb::Stop, 15, 59, 143, Cancelled, Some(15), by_stop),
        (Verb::Stop, 15, 60, 137, Cancelled, Some(9), by_stop),
        (Verb::Stop, 15, 59, 0, Cancelled, None, by_stop),
        (Verb::Stop, 15, 59, 3, Cancelled, None, by_stop),
        (Verb::Stop, 15, 61, 0, Succeeded, None, ""),
        (Verb::Stop, 15, 61, 3, Failed, None, ""),
        (Verb::Stop, 15, 61, 143, Failed, Some(15), sigterm),
        (Verb::Kill, 9, 59, 137, Cancelled, Some(9), by_kill),
        (Verb::Kill, 15, 59, 143, Cancelled, Some(15), by_kill),
        (Verb::Kill, 10, 59, 137, Failed, Some(9), sigkill),
        (Verb::Kill, 10, 59, 0, Succeeded, None, ""),
        (Verb::Kill, 10, 59, 3, Failed, None, ""),
        (Verb::Kill, 9, 61, 137, Failed, Some(9), sigkill),
        (Verb::Timeout, 15, 59, 143, Timeout, Some(15), time),
        (Verb::Timeout, 15, 59, 137, Timeout, Some(9), time),
        (Verb::Timeout, 15, 59, 0, Timeout, None, time),
        (Verb::Timeout, 15, 61, 0, Succeeded, None, ""),
    ];
    for (verb, signal, second, code, outcome, died_of, reason) in table {
        let requests = request(verb, signal, second);
        let expected = (outcome, Some(code), died_of, reason.to_owned());
        let exit = exit_of(&ended_with(code), &requests, None);
        assert_eq!(shown(&exit), expected, "{verb:?} {signal} in second {second}, code {code}");
        // A later reader comes to the same result.
        let facts = Facts { requests, ..facts(Kind::Run) };
        assert_eq!(shown(&end(&facts, &seen(ended_with(code)))), expected);
    }
}

#[test]
fn a_run_out_of_memory_says_so_with_its_limit() {
    let killed = Ended { out_of_memory: true, ..ended_with(137) };
    let exit = exit_of(&killed, &Requests::default(), Some(2 * GIB));
    assert_eq!(shown(&exit), (Outcome::Failed, Some(137), Some(9), "killed: out of memory, limit 2 GiB".into()));
    assert_eq!(exit_of(&killed, &Requests::default(), None).reason.as_deref(), Some("killed: out of memory"));
    // The kernel may have killed a process that the program started.
    let survived = Ended { out_of_memory: true, ..ended_with(0) };
    let exit = exit_of(&survived, &Requests::default(), None);
    assert_eq!(shown(&exit), (Outcome::Succeeded, Some(0), None, "a process of it was killed: out of memory".into()));
    // A reader knows the limit from the record.
    let found = end(&facts(Kind::Run), &seen(killed));
    assert_eq!(found.reason.as_deref(), Some("killed: out of memory, limit 2 GiB"));
}

#[test]
fn what_could_not_be_started_says_why() {
    let failed = Ended { why: Some("exec: \"python3\": not found".into()), ..ended_with(127) };
    let expected = (Outcome::Failed, Some(127), None, "exec: \"python3\": not found".to_owned());
    assert_eq!(shown(&exit_of(&failed, &Requests::default(), None)), expected);
}

#[test]
fn a_found_end_began_when_the_engine_or_the_supervisor_says() {
    assert_eq!(end(&facts(Kind::Run), &seen(ended_with(0))).started, Some(at(2)));
    let silent = Ended { started: None, ..ended_with(0) };
    assert_eq!(end(&facts(Kind::Run), &seen(silent)).started, Some(at(1)));
    assert_eq!(end(&facts(Kind::Run), &Sighting::Absent).started, Some(at(1)));
}

fn ended_view(outcome: Outcome, exit_code: Option<i32>) -> View {
    View::new(&facts(Kind::Run), &Standing::Ended(Exit { exit_code, ..Exit::new(outcome) }))
}

#[test]
fn wait_gives_the_programs_code_and_never_0_unless_it_succeeded() {
    use Outcome::{Cancelled, Corrupt, Failed, Lost, Succeeded, Timeout, Unknown};
    let table = [
        (Succeeded, Some(0), 0),
        (Failed, Some(7), 7),
        (Failed, Some(255), 255),
        (Failed, Some(137), 137),
        (Failed, Some(0), 1),
        (Failed, None, 1),
        (Failed, Some(-1), 1),
        (Failed, Some(256), 1),
        (Cancelled, Some(143), 143),
        (Cancelled, Some(0), 1),
        (Cancelled, None, 1),
        (Timeout, Some(0), 124),
        (Timeout, Some(143), 124),
        (Lost, None, 125),
        (Lost, Some(0), 125),
        (Unknown, Some(0), 125),
        (Corrupt, Some(0), 125),
    ];
    for (outcome, code, expected) in table {
        assert_eq!(ended_view(outcome, code).wait_code(), expected, "{outcome:?} {code:?}");
    }
    assert_eq!(View::new(&facts(Kind::Run), &Standing::Running(Running::Supervised)).wait_code(), 125);
}

#[test]
fn a_running_job_has_no_end_and_says_how_it_runs() {
    let table = [
        (Running::Supervised, None),
        (Running::Waiting, Some("the engine is unreachable")),
        (Running::Unsupervised, Some("its supervisor was killed")),
    ];
    for (how, reason) in table {
        let view = View::new(&facts(Kind::Run), &Standing::Running(how));
        assert!(view.is_running());
        assert_eq!((view.status, view.outcome, view.exit_code, view.log), ("running", None, None, None));
        assert_eq!(view.reason.as_deref(), reason);
        assert_eq!((view.started, view.finished), (Some(at(1)), None));
    }
}

#[test]
fn a_job_is_the_same_object_everywhere() {
    let exit = exit_of(&ended_with(7), &Requests::default(), None);
    let view = View::new(&facts(Kind::Run), &Standing::Ended(exit));
    assert_eq!(
        serde_json::to_value(&view).unwrap(),
        json!({
            "id": ID, "kind": "run", "name": "web:latest", "status": "exited", "outcome": "failed", "exitCode": 7,
            "signal": null, "reason": null, "hint": null, "created": "2023-11-14T22:13:20Z", "started": "2023-11-14T22:13:22Z",
            "finished": "2023-11-14T22:14:20Z", "image": "base", "imageId": null, "containerId": "c0ffee",
            "engine": "default", "labels": {"team": "a"}, "log": "complete", "recovered": false, "command": ["main.py", "3"],
        })
    );
}
