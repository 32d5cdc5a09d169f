//! Calls of the file system that fail, each in its turn, in the command and in the supervisor; and their order, which
//! decides what is left after a loss of power.

use serde_json::json;

use crate::support::Ran;
use crate::support::fake::Fake;

const IO: i32 = 5;
const INTERRUPTED: i32 = 4;
const NO_SPACE: i32 = 28;
const QUOTA: i32 = 122;

/// What is started.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Job {
    Run,
    Build,
}

impl Job {
    fn start(self, fake: &Fake) -> Ran {
        match self {
            Self::Run => fake.run(&fake.run_args("seq 100; exit 3", &["--name", "job"])),
            Self::Build => fake.run(&["image", "create", "job", "--base", "base", "--run", "true"]),
        }
    }

    fn list(self) -> [&'static str; 5] {
        match self {
            Self::Run => ["exec", "list", "--json", "--filter", "name=job"],
            Self::Build => ["image", "builds", "--json", "--filter", "name=job"],
        }
    }
}

/// A fault that may happen.
struct Faulty {
    fake: Fake,
    fault: String,
}

impl Faulty {
    fn new() -> Self {
        let mut fake = Fake::new();
        fake.bystander();
        let fired = fake.path("fired");
        fake.set("LONGSHORE_TEST_FIRED", fired);
        Self { fake, fault: String::new() }
    }

    /// Starts a job with the fault, and waits for its end. Nothing if the fault did not happen.
    fn start(&mut self, job: Job, fault: String) -> Option<Ran> {
        self.fake.set("LONGSHORE_TEST_FAULT", &fault);
        self.fault = fault;
        let ran = job.start(&self.fake);
        self.fake.wait_until_quiet();
        self.fake.set("LONGSHORE_TEST_FAULT", "");
        let happened = std::fs::remove_file(self.fake.path("fired")).is_ok();
        assert!(happened || ran.code == 0, "{}: nothing failed, and {}", self.fault, ran.stderr);
        happened.then_some(ran)
    }

    /// A command that failed has left nothing; one that did not has started a job.
    fn assert_said_truly(&self, job: Job, ran: &Ran) {
        let views = self.fake.run(&job.list()).code(0).json();
        let expected = usize::from(ran.code == 0);
        assert_eq!(views.as_array().unwrap().len(), expected, "{}: {ran:?}\n{views:#}", self.fault);
    }
}

/// Lets the nth call of this kind fail, for every n that there is, and checks the invariants after each.
fn each_fails(job: Job, role: &str, call: &str, errno: i32) {
    let mut faulty = Faulty::new();
    for at in 1.. {
        let Some(ran) = faulty.start(job, format!("{role}:{call}:{at}:{errno}")) else {
            assert!(at > 1, "the {role} makes no call {call:?}");
            return;
        };
        faulty.assert_said_truly(job, &ran);
        faulty.fake.assert_sound();
    }
}

/// As [`each_fails`], for each kind of call.
fn all_fail(job: Job, role: &str, calls: &[&str], errors: &[i32]) {
    for call in calls {
        for errno in errors {
            each_fails(job, role, call, *errno);
        }
    }
}

#[test]
fn a_command_whose_nth_open_or_new_directory_fails_leaves_nothing() {
    all_fail(Job::Run, "cli", &["open", "make"], &[IO, NO_SPACE]);
}

#[test]
fn a_command_whose_nth_write_sync_or_rename_fails_leaves_nothing() {
    all_fail(Job::Run, "cli", &["write", "fsync", "rename"], &[IO, NO_SPACE, QUOTA]);
}

#[test]
fn a_build_whose_commands_nth_call_fails_is_not_started() {
    all_fail(Job::Build, "cli", &["open", "make", "write", "fsync", "rename"], &[IO]);
}

#[test]
fn a_supervisor_whose_nth_open_fails_makes_nothing_untrue() {
    all_fail(Job::Run, "supervisor", &["open"], &[IO]);
}

#[test]
fn a_supervisor_whose_nth_open_finds_no_room_makes_nothing_untrue() {
    all_fail(Job::Run, "supervisor", &["open"], &[NO_SPACE]);
}

#[test]
fn a_supervisor_whose_nth_write_sync_or_rename_fails_makes_nothing_untrue() {
    all_fail(Job::Run, "supervisor", &["write", "fsync", "rename"], &[IO, NO_SPACE, QUOTA]);
}

#[test]
fn a_supervisor_of_a_build_whose_nth_call_fails_makes_nothing_untrue() {
    all_fail(Job::Build, "supervisor", &["open", "make", "write", "fsync", "rename"], &[NO_SPACE]);
}

/// What the supervisor of a run does is done by a command if that was killed.
#[test]
fn a_command_that_records_an_end_and_whose_nth_call_fails_makes_nothing_untrue() {
    for call in ["open", "write", "fsync", "rename"] {
        let mut fake = Fake::new();
        fake.bystander();
        let fired = fake.path("fired");
        fake.set("LONGSHORE_TEST_FIRED", &fired);
        for at in 1.. {
            fake.set("LONGSHORE_TEST_ABORT", "concluding");
            let id = fake.start("seq 100; exit 3");
            fake.wait_until_quiet();
            fake.set("LONGSHORE_TEST_ABORT", "");
            std::fs::remove_file(&fired).unwrap();
            fake.set("LONGSHORE_TEST_FAULT", format!("cli:{call}:{at}:{IO}"));
            let waited = fake.run(&["exec", "wait", &id]);
            fake.set("LONGSHORE_TEST_FAULT", "");
            if std::fs::remove_file(&fired).is_err() {
                assert!(at > 1, "the command makes no call {call:?}");
                assert_eq!(waited.code, 3, "{}", waited.stderr);
                break;
            }
            assert!([3, 125].contains(&waited.code), "{call} {at}: {waited:?}");
            assert_eq!(fake.end_of(&id)["exitCode"], 3, "{call} {at}");
            fake.assert_sound();
        }
    }
}

#[test]
fn interrupted_calls_change_nothing() {
    let mut faulty = Faulty::new();
    for (job, role, call) in [
        (Job::Run, "cli", "open"),
        (Job::Run, "cli", "make"),
        (Job::Run, "cli", "write"),
        (Job::Run, "cli", "fsync"),
        (Job::Run, "cli", "rename"),
        (Job::Run, "supervisor", "open"),
        (Job::Run, "supervisor", "write"),
        (Job::Run, "supervisor", "fsync"),
        (Job::Run, "supervisor", "rename"),
        (Job::Build, "supervisor", "make"),
        (Job::Build, "supervisor", "write"),
    ] {
        let ran = faulty.start(job, format!("{role}:{call}:odd:{INTERRUPTED}"));
        let ran = ran.unwrap_or_else(|| panic!("{}: no call was made", faulty.fault)).code(0);
        assert_eq!(ran.stderr, "", "{}", faulty.fault);
        let view = faulty.fake.run(&job.list()).code(0).json()[0].take();
        let code = if job == Job::Run { 3 } else { 0 };
        assert_eq!((&view["exitCode"], &view["recovered"]), (&json!(code), &json!(false)), "{}", faulty.fault);
        assert!(job == Job::Build || view["log"] == "complete", "{}: {view:#}", faulty.fault);
        faulty.fake.assert_sound();
    }
}

#[test]
fn a_log_that_could_not_be_synced_is_incomplete_and_its_container_is_kept() {
    let mut faulty = Faulty::new();
    // The first sync of a supervisor is that of what it found when it began: the file and its directory.
    let mut at = 0;
    let view = loop {
        at += 1;
        faulty.start(Job::Run, format!("supervisor:fsync:{at}:{IO}")).expect("a sync of the log").code(0);
        let view = faulty.fake.run(&Job::Run.list()).code(0).json()[0].take();
        if view["log"] == "incomplete" {
            break view;
        }
        faulty.fake.assert_sound();
    };
    let why = "log: incomplete: it could not be written to the disk: Input/output error (os error 5)";
    assert_eq!((&view["exitCode"], &view["reason"]), (&3.into(), &why.into()), "{view:#}");
    assert_eq!(faulty.fake.containers().len(), 1, "the last copy of the output is gone");
}

#[test]
fn a_build_that_used_up_the_quota_meanwhile_has_an_incomplete_log() {
    let mut faulty = Faulty::new();
    faulty.start(Job::Build, format!("supervisor:probe:1:{QUOTA}")).expect("a look at the disk").code(0);
    let view = faulty.fake.run(&Job::Build.list()).code(0).json()[0].take();
    assert_eq!((&view["outcome"], &view["log"]), (&"succeeded".into(), &"incomplete".into()), "{view:#}");
}

#[test]
fn a_start_over_the_quota_says_so() {
    let mut faulty = Faulty::new();
    let ran = faulty.start(Job::Run, format!("cli:write:1:{QUOTA}")).expect("a write").code(1);
    assert!(ran.stderr.contains("quota exceeded"), "{}", ran.stderr);
    assert!(ran.stderr.contains("\nhint: your disk quota is used up"), "{}", ran.stderr);
}

#[test]
fn a_log_that_could_not_be_compared_for_lack_of_quota_is_incomplete() {
    let mut faulty = Faulty::new();
    let refused = json!([{"call": "logs", "exit": 1, "stderr": "write error"}]);
    faulty.fake.scenario(json!({"rules": refused}));
    faulty.start(Job::Run, format!("supervisor:probe:1:{QUOTA}")).expect("a look at the disk").code(0);
    faulty.fake.scenario(json!({}));
    let view = faulty.fake.run(&Job::Run.list()).code(0).json()[0].take();
    assert_eq!((&view["exitCode"], &view["log"]), (&3.into(), &"incomplete".into()), "{view:#}");
}

/// The calls of a run, in their order.
fn recorded(job: Job) -> Vec<String> {
    let mut fake = Fake::new();
    let calls = fake.path("calls");
    fake.set("LONGSHORE_TEST_CALLS", &calls);
    job.start(&fake).code(0);
    fake.wait_until_quiet();
    fake.set("LONGSHORE_TEST_CALLS", "");
    std::fs::read_to_string(calls).unwrap().lines().map(str::to_owned).collect()
}

/// After a loss of power, a file has what was written before its last sync, and a directory the entries from before its
/// own. So a file is synced before it gets the name under which it is read, and the directory after that.
#[test]
fn nothing_is_renamed_before_it_is_synced_and_every_rename_is_synced() {
    for job in [Job::Run, Job::Build] {
        let calls = recorded(job);
        let after = |at: usize, call: &str| calls[at..].iter().position(|line| line == call).map(|found| found + at);
        let mut renames = 0;
        for (at, line) in calls.iter().enumerate() {
            let [role, "rename", from, to] = line.split(' ').collect::<Vec<_>>()[..] else { continue };
            renames += 1;
            let last = |call: &str| calls[..at].iter().rposition(|line| *line == format!("{role} {call} {from}"));
            let synced = last("fsync").unwrap_or_else(|| panic!("{from} became {to} without a sync: {calls:#?}"));
            assert!(
                last("write").is_none_or(|written| written < synced),
                "{from} was written after its sync: {calls:#?}"
            );
            let dir = |line: &&String| line.starts_with(&format!("{role} fsync ")) && !line.ends_with(from);
            assert!(calls[at..].iter().any(|line| dir(&line)), "no directory was synced after {line}: {calls:#?}");
        }
        assert!(renames >= 4, "{calls:#?}");
        assert_published_when_safe(&calls, after);
    }
}

/// Everything in a new directory is synced before the job is published, and that before the supervisor is started.
fn assert_published_when_safe(calls: &[String], after: impl Fn(usize, &str) -> Option<usize>) {
    let published = calls.iter().position(|line| line.starts_with("cli rename .new-")).expect("a job is published");
    let new = calls[published].split(' ').nth(2).unwrap();
    let begun = calls.iter().position(|line| *line == format!("cli make {new}")).expect("its directory was made");
    let written = calls[begun..published].iter().filter_map(|line| line.strip_prefix("cli write "));
    // The room for requests is blank: nothing is lost with it.
    for name in written.filter(|name| *name != "stop.json") {
        let synced = after(begun, &format!("cli fsync {name}")).is_some_and(|at| at < published);
        assert!(synced, "{name} was not synced before the job was published: {calls:#?}");
    }
    let entries = after(begun, &format!("cli fsync {new}")).is_some_and(|at| at < published);
    assert!(entries, "the entries of the new directory were not synced: {calls:#?}");
    let kind = if calls.iter().any(|line| line == "cli fsync run") { "run" } else { "build" };
    let durable = after(published, &format!("cli fsync {kind}")).expect("the directory of all jobs was synced");
    let supervisor = calls.iter().position(|line| line.starts_with("supervisor ")).expect("a supervisor");
    assert!(durable < supervisor, "the job was started before it was durable: {calls:#?}");
}

#[test]
fn the_end_is_on_record_only_after_the_log_and_the_record_are_synced() {
    let calls = recorded(Job::Run);
    let at = |call: &str| {
        let found = calls.iter().rposition(|line| *line == format!("supervisor {call}"));
        found.unwrap_or_else(|| panic!("there was no {call}: {calls:#?}"))
    };
    let order = ["fsync log", "write exit.tmp", "fsync exit.tmp", "rename exit.tmp exit.json"].map(at);
    assert!(order.is_sorted(), "{calls:#?}");
    let dir = calls[order[3]..].iter().any(|line| line.starts_with("supervisor fsync ") && !line.ends_with("exit.tmp"));
    assert!(dir, "the directory was not synced after the rename: {calls:#?}");
}
