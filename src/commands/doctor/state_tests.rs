//! Which facts of the state directory are ok, a warning or a problem.

use std::time::Duration;

use super::super::Status;
use super::super::facts::More;
use super::*;
use crate::engine::EngineError;
use crate::engine::builder::Builder;
use crate::engine::condition::Info;
use crate::engine::inspect::Side;
use crate::error::{Failure, Kind as ErrorKind};
use crate::names::Endpoint;

fn id(text: &str) -> JobId {
    JobId::parse(text).unwrap()
}

fn directory_with(room: Room, locks: Result<bool, String>) -> Directory {
    let (path, file_system) = ("/home/me/state".into(), "ext4".into());
    Directory::There { path, mode: 0o700, file_system, is_untrusted: false, room: Some(room), locks }
}

fn state(jobs: Vec<JobFact>) -> State {
    let room = Room { bytes: 50 << 30, files: Some(1_000_000) };
    State { directory: Ok(directory_with(room, Ok(true))), jobs, remains: Vec::new(), tombstones: Vec::new() }
}

fn job(kind: Kind, name: &str, condition: Condition) -> JobFact {
    JobFact { kind, id: id(name), condition }
}

fn engine(containers: Vec<Named>) -> EngineFacts {
    let side = Side { version: "28.5.1".into() };
    EngineFacts {
        program: Ok("/usr/bin/docker".into()),
        others: Vec::new(),
        client: Some(side.clone()),
        endpoint: Endpoint::Context("default".into()),
        url: None,
        socket: None,
        ssh: None,
        server: Ok(side),
        took: Duration::ZERO,
        patience: Duration::ZERO,
        more: Some(More {
            info: Ok(Info::default()),
            containers: Ok(containers),
            builder: Builder::Buildx,
            wanted_builder: None,
            room: None,
        }),
    }
}

fn container(run: &str, name: &str, state: &str) -> Named {
    Named { run: run.into(), name: name.into(), state: state.into() }
}

/// The check of that name, if there is one.
fn of(name: &str, state: &State, engine: &EngineFacts, is_fixed: bool) -> Option<Check> {
    checks(state, engine, &BTreeSet::new(), is_fixed).into_iter().find(|check| check.check == name)
}

#[test]
fn a_job_is_complained_about_under_one_name_with_a_command_for_it() {
    use Condition::{Alone, Copied, Damaged, Ended, Lost, Remains, Running, Spent, Unknown, Unrecorded};
    let (run, build) = (Kind::Run, Kind::Build);
    let table = [
        (run, Ended, None),
        (run, Running, None),
        (run, Alone, Some(("abandoned-jobs", Status::Problem, "longshore doctor --fix"))),
        (build, Alone, Some(("abandoned-jobs", Status::Warning, "longshore image wait 0000000000aa"))),
        (build, Unrecorded, Some(("abandoned-jobs", Status::Problem, "longshore doctor --fix"))),
        (run, Remains, Some(("leftovers", Status::Warning, "longshore doctor --fix"))),
        (run, Spent, Some(("leftovers", Status::Warning, "longshore doctor --fix"))),
        (run, Lost, Some(("lost-jobs", Status::Warning, "longshore exec inspect 0000000000aa"))),
        (build, Lost, Some(("lost-jobs", Status::Warning, "longshore image forget 0000000000aa"))),
        (run, Unknown("why".into()), Some(("unknown-jobs", Status::Warning, "when its engine answers"))),
        (run, Copied, Some(("copied-jobs", Status::Warning, "longshore exec forget 0000000000aa"))),
        (run, Damaged("why".into()), Some(("damaged-records", Status::Problem, "longshore exec forget 0000000000aa"))),
    ];
    for (kind, condition, expected) in table {
        let state = state(vec![job(kind, "0000000000aa", condition.clone())]);
        let all = checks(&state, &engine(Vec::new()), &BTreeSet::new(), false);
        let found: Vec<&Check> = all.iter().filter(|check| check.status != Status::Ok).collect();
        match (expected, &found[..]) {
            (None, []) => {}
            (Some((name, status, hint)), [check]) => {
                assert_eq!((check.check, check.status), (name, status), "{condition:?}");
                assert!(check.hint.as_ref().unwrap().contains(hint), "{check:?}");
                assert_eq!(check.details["jobs"], serde_json::json!(["0000000000aa"]));
            }
            other => panic!("{condition:?}: {other:?}"),
        }
    }
}

#[test]
fn many_jobs_are_counted_and_a_few_named() {
    let ids = ["0a", "0b", "0c", "0d", "0e", "0f", "0g"].map(|end| format!("0000000000{end}"));
    let state = state(ids.iter().map(|id| job(Kind::Run, id, Condition::Lost)).collect());
    let check = of("lost-jobs", &state, &engine(Vec::new()), false).unwrap();
    assert!(check.message.contains("7 jobs") && check.message.ends_with("run 00000000000e and 2 more"), "{check:?}");
    let all = "longshore exec forget --status lost";
    assert!(check.hint.unwrap().ends_with(all));
}

#[test]
fn what_is_left_after_a_fix_is_not_sent_back_to_it_alone() {
    let abandoned = state(vec![job(Kind::Run, "0000000000aa", Condition::Unrecorded)]);
    let hint = |name, state: &State, is_fixed| of(name, state, &engine(Vec::new()), is_fixed).unwrap().hint.unwrap();
    assert_eq!(hint("abandoned-jobs", &abandoned, false), "finish what it left: longshore doctor --fix");
    assert!(hint("abandoned-jobs", &abandoned, true).starts_with("see why with: longshore exec wait"));
    let remains = state(vec![job(Kind::Run, "0000000000aa", Condition::Remains)]);
    assert!(hint("leftovers", &remains, true).contains("longshore exec forget 0000000000aa"));
}

#[test]
fn a_stray_is_named_as_a_run_is_and_is_known_nowhere() {
    let containers = vec![
        container("0000000000aa", "longshore-0000000000aa", "exited"),
        container("0000000000bb", "longshore-0000000000bb", "running"),
        // Of an image that a build made: the label of the build, and a name of its own.
        container("0000000000cc", "web", "running"),
        container("no id", "longshore-no id", "running"),
    ];
    let all = checks(&state(Vec::new()), &engine(containers), &BTreeSet::from([id("0000000000aa")]), true);
    let strays = all.iter().find(|check| check.check == "strays").unwrap();
    assert_eq!(strays.details["containers"], serde_json::json!(["longshore-0000000000bb"]));
}

#[test]
fn a_tombstone_counts_only_while_its_container_may_be_there() {
    let endpoint = Endpoint::Context("default".into());
    let tombstone = Tombstone {
        format: 2,
        id: id("0000000000aa"),
        docker: "/usr/bin/docker".into(),
        endpoint,
        engine_id: None,
        swarm: false,
        forgotten: chrono::DateTime::UNIX_EPOCH,
    };
    let elsewhere = Tombstone { endpoint: Endpoint::Host("tcp://far:2376".into()), ..tombstone.clone() };
    let hint = |tombstone: &Tombstone, engine: &EngineFacts| {
        let state = State { tombstones: vec![tombstone.clone()], ..state(Vec::new()) };
        of("forgotten-runs", &state, engine, false).map(|check| check.hint.unwrap())
    };
    let its = |state| engine(vec![container("0000000000aa", "longshore-0000000000aa", state)]);
    assert_eq!(hint(&tombstone, &engine(Vec::new())), None);
    assert_eq!(hint(&tombstone, &its("exited")).unwrap(), "remove what has ended: longshore doctor --fix");
    assert!(hint(&tombstone, &its("running")).unwrap().contains("longshore container stop longshore-0000000000aa"));
    assert!(hint(&elsewhere, &engine(Vec::new())).is_some());
    let mut silent = engine(Vec::new());
    silent.more = None;
    assert!(hint(&tombstone, &silent).is_some());
}

#[test]
fn the_directory_its_room_and_its_locks_are_told_apart() {
    let room = |bytes, files| Room { bytes, files };
    let plenty = room(50 << 30, None);
    let refused = Err("read-only file system".to_owned());
    for (room, locks, name, status) in [
        (plenty, Ok(true), "state-disk", Status::Ok),
        (plenty, Ok(true), "locks", Status::Ok),
        (plenty, Ok(false), "locks", Status::Problem),
        (plenty, refused, "locks", Status::Problem),
        (room(1 << 20, None), Ok(true), "state-disk", Status::Problem),
        (room(100 << 20, None), Ok(true), "state-disk", Status::Warning),
        (room(50 << 30, Some(10)), Ok(true), "state-disk", Status::Warning),
        (room(50 << 30, Some(0)), Ok(true), "state-disk", Status::Problem),
    ] {
        let state = State { directory: Ok(directory_with(room, locks)), ..state(Vec::new()) };
        assert_eq!(of(name, &state, &engine(Vec::new()), false).unwrap().status, status, "{name} {room:?}");
    }
    let missing = |why_not: Option<String>| Ok(Directory::Missing { path: "/home/me/state".into(), why_not });
    let failed = Err(Failure::new(ErrorKind::State, "cannot use it").hint("use another"));
    let why = || Some("permission denied".to_owned());
    for (directory, status) in
        [(missing(None), Status::Ok), (missing(why()), Status::Problem), (failed, Status::Problem)]
    {
        let all = checks(&State { directory, ..state(Vec::new()) }, &engine(Vec::new()), &BTreeSet::new(), false);
        assert_eq!(
            all.iter().map(|check| (check.check, check.status)).collect::<Vec<_>>(),
            [("state-directory", status)]
        );
    }
}

#[test]
fn why_a_status_is_unknown_is_not_told_twice() {
    let unknown = state(vec![job(Kind::Run, "0000000000aa", Condition::Unknown("another host".into()))]);
    let message = |engine: &EngineFacts| of("unknown-jobs", &unknown, engine, false).unwrap().message;
    assert!(message(&engine(Vec::new())).ends_with("another host"));
    let timed_out = EngineError::TimedOut { command: "docker version".into(), limit: Duration::from_secs(1) };
    let hung = EngineFacts { server: Err(timed_out), more: None, ..engine(Vec::new()) };
    assert!(message(&hung).ends_with("the engine does not answer"));
}
