//! Publishing, finding and forgetting, in a state directory of each test's own.

use std::fs::symlink_metadata;
use std::path::PathBuf;
use std::sync::Barrier;

use chrono::TimeDelta;

use super::*;
use crate::job::record::{Exit, Outcome};
use crate::job::select::find;
use crate::job::standing::{Standing, settled};
use crate::job::{FORGOTTEN, Here};

/// A state directory and the store of one kind in it.
struct World {
    _dir: tempfile::TempDir,
    env: Env,
    store: Store,
}

impl World {
    fn new(kind: Kind) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let env = Env::in_dir(dir.path());
        let store = Store::make(&env, kind).unwrap();
        Self { _dir: dir, env, store }
    }

    fn place(&self, name: &str) -> PathBuf {
        self.store.dir.path().join(name)
    }

    /// A job of that name, and the lock that makes it a running one.
    fn start(&self, id: &str, name: Option<&str>) -> (Job, File) {
        self.try_start(id, name).unwrap()
    }

    fn try_start(&self, id: &str, name: Option<&str>) -> Result<(Job, File)> {
        let record = Record::example(&JobId::parse(id).unwrap(), self.store.kind, name);
        self.store.prepare(&record)?.publish()
    }

    fn end(&self, id: &str, name: Option<&str>) -> Job {
        let (job, lock) = self.start(id, name);
        job.finish(&Exit::new(Outcome::Succeeded)).unwrap();
        drop(lock);
        job
    }

    fn forget(&self, job: &Job) -> Result<Forgotten> {
        self.store.forget(job, &removal(&self.env, IfRunning::Hide))
    }

    fn found(&self, typed: &str) -> String {
        match find(&self.env, self.store.kind, typed) {
            Ok((_, job)) => job.id.to_string(),
            Err(error) => error.to_string(),
        }
    }

    fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> =
            self.store.all(Extent::Remembered).unwrap().flatten().map(|job| job.id.to_string()).collect();
        ids.sort();
        ids
    }

    /// What is half made or half removed.
    fn leftovers(&self) -> Vec<String> {
        let names = self.store.root.names().unwrap();
        names.into_iter().filter(|name| name.starts_with(".new-") || name.starts_with(".del-")).collect()
    }

    /// A path beside the jobs.
    fn beside(&self, name: &str) -> PathBuf {
        self.store.root.path().join(name)
    }
}

fn removal(env: &Env, running: IfRunning) -> Removal<'static> {
    Removal { tombstone: None, how: How::Forgotten, running, now: env.now() }
}

const A: &str = "aaaaaaaaaaaa";
const AB: &str = "aaaaaaaaaaab";
const B: &str = "bbbbbbbbbbbb";

fn kind_of(error: &anyhow::Error) -> error::Kind {
    Failure::of(error).kind
}

#[test]
fn a_published_job_is_whole_private_and_running_while_its_lock_is_held() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new(Kind::Run);
    let (job, lock) = world.start(A, Some("nightly"));
    assert_eq!(job.record().unwrap().name.as_deref(), Some("nightly"));
    assert!(job.exit().is_none() && !job.has_ended());
    assert_eq!(symlink_metadata(world.place(A)).unwrap().permissions().mode() & 0o777, 0o700);
    let mut names = job.dir.names().unwrap();
    names.sort();
    assert_eq!(names, [CONTROL, ENDING, EXIT_ROOM, RECORD, LOCK, LOG, STOP]);
    for name in names {
        let data = symlink_metadata(world.place(A).join(&name)).unwrap();
        assert_eq!(data.permissions().mode() & 0o777, 0o600, "{name}");
    }
    drop(lock);
    assert!(job.has_ended());
    assert_eq!(world.leftovers(), Vec::<String>::new());
}

#[test]
fn the_end_is_one_rename_into_room_kept_for_it() {
    let world = World::new(Kind::Run);
    let (job, _lock) = world.start(A, None);
    assert_eq!(symlink_metadata(world.place(A).join(EXIT_ROOM)).unwrap().len(), EXIT_SIZE as u64);
    job.finish(&Exit { exit_code: Some(7), ..Exit::new(Outcome::Failed) }).unwrap();
    assert!(!job.dir.has(EXIT_ROOM) && job.has_ended());
    assert_eq!(job.exit().unwrap().unwrap().exit_code, Some(7));
}

#[test]
fn a_job_is_found_by_id_by_prefix_by_name_and_as_the_latest() {
    let world = World::new(Kind::Run);
    world.end(A, Some("one"));
    world.end(AB, Some("two"));
    world.end(B, None);
    for (typed, id) in [(A, A), (B, B), ("b", B), ("bbbb", B), ("aaaaaaaaaaab", AB), ("one", A), ("two", AB)] {
        assert_eq!(world.found(typed), id, "{typed}");
    }
    assert_eq!(world.found("latest"), B);
    assert_eq!(world.found("aaa"), format!("\"aaa\" matches 2 runs: {A}, {AB}"));
    let (_, error) = (world.found("aaa"), find(&world.env, Kind::Run, "aaa").unwrap_err());
    assert_eq!(kind_of(&error), error::Kind::Ambiguous);
}

#[test]
fn what_names_no_job_is_not_found_whatever_it_is() {
    let world = World::new(Kind::Run);
    world.end(A, None);
    let long = "a".repeat(10_000);
    for typed in ["c", "three", "", "..", "../run", "/etc", ".names", "@latest", ".", "a/b", "AAAA", long.as_str()] {
        let error = find(&world.env, Kind::Run, typed).unwrap_err();
        assert_eq!(kind_of(&error), error::Kind::NotFound, "{typed:?}");
    }
}

#[test]
fn without_a_state_directory_there_is_no_job_and_none_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let env = Env::in_dir(dir.path());
    assert!(Store::open(&env, Kind::Run).unwrap().is_none());
    let error = find(&env, Kind::Build, "latest").unwrap_err();
    assert_eq!(error.to_string(), "there is no build yet");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_build_is_known_by_its_images_name_with_and_without_tag() {
    let world = World::new(Kind::Build);
    world.end(A, Some("web:latest"));
    world.end(B, Some("web:2"));
    assert_eq!(world.found("web"), A);
    assert_eq!(world.found("web:latest"), A);
    assert_eq!(world.found("web:2"), B);
}

#[test]
fn the_latest_is_the_newest_that_was_not_forgotten() {
    let world = World::new(Kind::Run);
    let mut record = Record::example(&JobId::parse(AB).unwrap(), Kind::Run, None);
    world.end(A, None);
    record.created += TimeDelta::seconds(5);
    world.store.prepare(&record).unwrap().publish().unwrap();
    let job = world.end(B, None);
    assert_eq!(world.found("latest"), B);
    world.forget(&job).unwrap();
    assert_eq!(world.found("latest"), AB);
    // Of one that still runs only the mark is set.
    let (job, _lock) = world.start("cccccccccccc", None);
    assert_eq!(world.found("latest"), "cccccccccccc");
    world.forget(&job).unwrap();
    assert_eq!(world.found("latest"), AB);
}

#[test]
fn a_name_goes_to_the_newest_run_and_the_older_one_stays() {
    let world = World::new(Kind::Run);
    let old = world.end(A, Some("nightly"));
    world.end(B, Some("nightly"));
    assert_eq!(world.found("nightly"), B);
    assert_eq!(world.ids(), [A, B]);
    // The name is no longer the old one's to give up.
    world.forget(&old).unwrap();
    assert_eq!(world.found("nightly"), B);
}

#[test]
fn a_build_takes_the_place_of_the_ended_one_before_it() {
    let world = World::new(Kind::Build);
    world.end(A, Some("web:latest"));
    world.end(B, Some("web:latest"));
    assert_eq!(world.ids(), [B]);
    assert_eq!(world.found("web"), B);
    assert!(!world.place(A).exists());
    assert_eq!(world.leftovers(), Vec::<String>::new());
}

#[test]
fn a_name_is_refused_while_its_job_runs_and_nothing_is_left() {
    for (kind, name) in [(Kind::Build, "web:latest"), (Kind::Run, "web")] {
        let world = World::new(kind);
        let (job, lock) = world.start(A, Some(name));
        let error = world.try_start(B, Some(name)).unwrap_err();
        let failure = Failure::of(&error);
        assert_eq!(failure.kind, error::Kind::Conflict);
        assert!(failure.message.contains("running") && failure.message.contains(A), "{}", failure.message);
        assert!(failure.hint.is_some());
        assert_eq!((world.ids(), world.leftovers()), (vec![A.to_owned()], vec![]));
        // A client that outlives its supervisor still writes the log, and is running as well.
        let log = job.dir.open_file(LOG).unwrap();
        log.lock().unwrap();
        drop(lock);
        assert_eq!(kind_of(&world.try_start(B, Some(name)).unwrap_err()), error::Kind::Conflict);
        drop(log);
        world.start(B, Some(name));
        assert_eq!(world.found(name), B);
    }
}

#[test]
fn a_forgotten_build_that_still_runs_keeps_its_name() {
    let world = World::new(Kind::Build);
    let (job, lock) = world.start(A, Some("web:latest"));
    world.forget(&job).unwrap();
    assert_eq!(world.found("web"), "there is no build \"web\"");
    let failure = Failure::of(&world.try_start(B, Some("web:latest")).unwrap_err());
    assert!(failure.message.contains("by a forgotten build"), "{}", failure.message);
    assert!(failure.hint.unwrap().contains(&format!("image cancel {A}")));
    drop(lock);
    world.start(B, Some("web:latest"));
    assert_eq!(world.found("web"), B);
}

#[test]
fn forget_drops_an_ended_job_and_only_hides_a_running_one() {
    let world = World::new(Kind::Run);
    let ended = world.end(A, Some("one"));
    let (running, _lock) = world.start(B, Some("two"));
    world.forget(&ended).unwrap();
    world.forget(&running).unwrap();
    assert_eq!(world.ids(), Vec::<String>::new());
    for (typed, said) in [
        (A, "run \"one\" (aaaaaaaaaaaa) was forgotten"),
        ("a", "run \"one\" (aaaaaaaaaaaa) was forgotten"),
        ("one", "run \"one\" (aaaaaaaaaaaa) was forgotten"),
        ("two", "there is no run"),
        ("latest", "there is no run"),
    ] {
        assert!(world.found(typed).starts_with(said), "{typed}: {}", world.found(typed));
    }
    // The running one is reached by its id.
    for typed in [B, "b"] {
        assert_eq!(world.found(typed), B);
    }
    let everything = world.store.all(Extent::Everything).unwrap().flatten();
    assert_eq!(everything.map(|job| job.id.to_string()).collect::<Vec<_>>(), [B]);
    assert!(!world.place(A).exists());
    assert!(world.place(B).join(LOG).exists() && !running.has_ended());
    assert_eq!(world.leftovers(), Vec::<String>::new());
}

#[test]
fn a_removal_that_spares_what_runs_does_not_even_hide_it() {
    let world = World::new(Kind::Run);
    let (running, lock) = world.start(A, Some("one"));
    let spare = removal(&world.env, IfRunning::Leave);
    assert_eq!(world.store.forget(&running, &spare).unwrap(), Forgotten::Running);
    assert!(!running.is_forgotten() && world.found("one") == A);
    // Without its supervisor, its client may still write the log.
    let log = running.dir.open_file(LOG).unwrap();
    log.lock().unwrap();
    drop(lock);
    assert_eq!(world.store.forget(&running, &spare).unwrap(), Forgotten::Running);
    drop(log);
    assert_eq!(world.store.forget(&running, &spare).unwrap(), Forgotten::Removed);
    assert_eq!(world.store.forget(&running, &spare).unwrap(), Forgotten::Absent);
    assert_eq!(world.leftovers(), Vec::<String>::new());
}

#[test]
fn the_names_of_a_forgotten_job_are_removed_with_it() {
    let world = World::new(Kind::Run);
    let job = world.end(A, Some("one"));
    let names = || world.store.dir.subdir(NAMES).unwrap().names().unwrap().len();
    assert_eq!(names(), 2);
    world.forget(&job).unwrap();
    assert_eq!(names(), 0);
}

#[test]
fn what_became_of_a_removed_job_is_told_by_its_id_and_its_name() {
    let world = World::new(Kind::Build);
    let job = world.end(B, Some("web:latest"));
    let told = |typed: &str| Failure::of(&find(&world.env, Kind::Build, typed).unwrap_err());
    world.forget(&job).unwrap();
    for typed in [B, "bbbb", "web", "web:latest"] {
        let failure = told(typed);
        assert!(failure.message.starts_with("build \"web\" (bbbbbbbbbbbb) was forgotten"), "{typed}: {failure}");
        assert_eq!(failure.job.unwrap()["id"], B);
        assert_eq!(failure.kind, error::Kind::NotFound);
    }
    assert_eq!(told("web:2").message, "there is no build \"web:2\"");
}

#[test]
fn a_job_that_could_not_be_started_is_not_told_of() {
    let world = World::new(Kind::Run);
    let (job, lock) = world.start(A, Some("one"));
    drop(lock);
    world.store.remove(&job);
    assert_eq!(world.found(A), format!("there is no run \"{A}\""));
}

#[test]
fn a_job_whose_lock_cannot_be_read_is_unknown_and_keeps_its_files() {
    for name in [LOCK, LOG] {
        let world = World::new(Kind::Run);
        let (job, lock) = world.start(A, Some("one"));
        drop(lock);
        std::fs::remove_file(world.place(A).join(name)).unwrap();
        std::os::unix::fs::symlink(name, world.place(A).join(name)).unwrap();
        let error = world.forget(&job).unwrap_err();
        assert!(format!("{error:#}").contains("could not read the locks of"), "{error:#}");
        assert!(world.try_start(B, Some("one")).is_err(), "its name is free");
        assert!(world.place(A).join(RECORD).exists() && !job.dir.has(FORGOTTEN));
        let Some(Standing::Ended(exit)) = settled(&job.facts(&Here::now(&world.env))) else {
            panic!("the engine was asked")
        };
        assert_eq!(exit.outcome, Outcome::Unknown);
        assert!(exit.reason.unwrap().starts_with("its locks cannot be read: "));
    }
}

#[test]
fn of_many_that_want_one_name_at_once_one_gets_it() {
    const MANY: usize = 24;
    for (kind, name) in [(Kind::Build, "web:latest"), (Kind::Run, "web")] {
        let world = World::new(kind);
        let barrier = Barrier::new(MANY);
        let results: Vec<Result<(Job, File)>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..MANY)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        world.try_start(Store::new_id().as_str(), Some(name))
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let winners: Vec<&str> = results.iter().flatten().map(|(job, _)| job.id.as_str()).collect();
        assert_eq!(winners.len(), 1, "{kind:?}");
        assert!(results.iter().filter_map(|one| one.as_ref().err()).all(|e| kind_of(e) == error::Kind::Conflict));
        assert_eq!(world.ids(), winners);
        assert_eq!(world.found(name), winners[0]);
        assert_eq!(world.leftovers(), Vec::<String>::new());
    }
}

#[test]
fn a_sweep_removes_what_was_abandoned_and_not_what_is_being_made() {
    let world = World::new(Kind::Run);
    world.end(A, None);
    let record = Record::example(&Store::new_id(), Kind::Run, None);
    drop(world.store.fill(".new-abandoned", &record).unwrap());
    let held = world.store.fill(".new-working", &record).unwrap();
    // The command that made this was killed before it took a lock.
    world.store.root.make_subdir(".new-first-step").unwrap();
    std::fs::create_dir_all(world.beside(".del-half/ctx")).unwrap();
    std::fs::write(world.beside(".del-half/log"), "").unwrap();
    world.store.sweep();
    assert_eq!(world.leftovers(), [".new-working"]);
    assert_eq!(world.ids(), [A]);
    // The next command that publishes a job sweeps.
    drop(held);
    world.end(B, None);
    assert_eq!(world.leftovers(), Vec::<String>::new());
}

#[test]
fn what_is_no_job_is_passed_over_and_kept() {
    let world = World::new(Kind::Run);
    world.end(A, None);
    std::fs::write(world.place("README"), "mine").unwrap();
    std::fs::write(world.place(B), "a file with an id's name").unwrap();
    std::fs::create_dir(world.place("not an id")).unwrap();
    std::os::unix::fs::symlink(world.place(A), world.place("cccccccccccc")).unwrap();
    world.store.dir.make_subdir("dddddddddddd").unwrap();
    // An empty directory of an id's name is a job whose record is gone; it is listed, and named as damaged.
    assert_eq!(world.ids(), [A, "dddddddddddd"]);
    assert!(world.store.job(&JobId::parse("dddddddddddd").unwrap()).unwrap().record().is_err());
    world.store.sweep();
    assert!(world.place("README").exists() && world.place("not an id").exists());
    assert_eq!(std::fs::read(world.place(B)).unwrap(), b"a file with an id's name");
}

#[test]
fn a_name_never_becomes_part_of_a_path() {
    let world = World::new(Kind::Run);
    let name = "../../../escape/\u{202e}";
    world.end(A, Some(name));
    assert_eq!(world.store.named(name).unwrap().id.as_str(), A);
    let names = world.store.dir.subdir(NAMES).unwrap().names().unwrap();
    assert_eq!(names.len(), 2);
    assert!(names.iter().all(|name| name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())));
}

#[test]
fn a_state_directory_that_others_can_write_is_refused_with_a_hint() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new(Kind::Run);
    let root = world.env.state_dir().unwrap();
    std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o777)).unwrap();
    let error = Store::open(&world.env, Kind::Run).unwrap_err();
    let failure = Failure::of(&error);
    assert_eq!(failure.kind, error::Kind::State);
    assert!(failure.message.contains("can be written by others"), "{}", failure.message);
    assert!(failure.hint.is_some());
}
