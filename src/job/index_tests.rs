//! Writing, erasing and writing anew. What lists make of a damaged index is tested with them.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::env::Env;
use crate::job::record::{Kind, Outcome};
use crate::job::store::Store;

/// A directory of ended jobs.
struct World {
    _dir: tempfile::TempDir,
    store: Store,
    jobs: Dir,
    ids: Vec<JobId>,
}

impl World {
    fn new(count: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let env = Env::in_dir(dir.path());
        let store = Store::make(&env, Kind::Run).unwrap();
        let jobs = Dir::open(&dir.path().join("longshore/run")).unwrap();
        let mut world = Self { _dir: dir, store, jobs, ids: Vec::new() };
        (0..count).for_each(|_| world.end());
        world
    }

    fn end(&mut self) {
        let id = JobId::parse(&format!("{:012}", self.ids.len())).unwrap();
        let name = format!("name-{id}");
        let record = Record::example(&id, Kind::Run, Some(&name));
        let (job, _lock) = self.store.prepare(&record).unwrap().publish().unwrap();
        job.finish(&Exit::new(Outcome::Succeeded)).unwrap();
        self.ids.push(id);
    }

    fn add(&self) {
        add(&self.jobs, &self.ids, later());
    }

    fn known(&self) -> usize {
        let index = Index::read(&self.jobs);
        self.ids.iter().filter(|id| index.copy(&self.jobs, id).is_some()).count()
    }

    fn entries(&self) -> u64 {
        fs::metadata(self.path(INDEX)).unwrap().len() / SIZE as u64 - 1
    }

    fn path(&self, name: &str) -> PathBuf {
        self.jobs.path().join(name)
    }

    /// The files of the index and their content.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let names = self.jobs.names().unwrap().into_iter().filter(|name| name.starts_with(INDEX));
        names.map(|name| (name.clone(), fs::read(self.path(&name)).unwrap())).collect()
    }
}

/// Long after the last change of any file.
fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(3600)
}

#[test]
fn ended_jobs_are_copied_once_and_those_that_run_are_not() {
    let mut world = World::new(WORTH);
    let running = Record::example(&JobId::parse("rrrrrrrrrrrr").unwrap(), Kind::Run, None);
    let (_job, _lock) = world.store.prepare(&running).unwrap().publish().unwrap();
    world.ids.push(running.id);
    world.add();
    world.add();
    assert_eq!((world.known(), world.entries()), (WORTH, WORTH as u64));
    let copied = Index::read(&world.jobs).copy(&world.jobs, &world.ids[0]).unwrap();
    assert_eq!(copied.record(), fs::read(world.path("000000000000/job.json")).unwrap());
    assert_eq!(Exit::parse(copied.exit()).unwrap().outcome, Outcome::Succeeded);
}

#[test]
fn a_few_jobs_are_not_worth_an_index_and_what_changed_just_now_is_left_for_later() {
    let world = World::new(WORTH);
    add(&world.jobs, &world.ids[1..], later());
    assert_eq!(world.files(), []);
    // The files have times in the future of this clock.
    add(&world.jobs, &world.ids, SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000));
    assert_eq!(world.known(), 0);
    world.add();
    assert_eq!(world.known(), WORTH);
}

#[test]
fn of_a_removed_job_nothing_is_left_and_the_others_stay() {
    let world = World::new(WORTH);
    world.add();
    let gone = &world.ids[7];
    erase(&world.jobs, gone);
    for (name, bytes) in world.files() {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(gone.as_str()), "{name}: {text}");
        assert!(name.len() < 12 || text.contains("name-000000000008"), "{name}: {text}");
    }
    assert_eq!(world.known(), WORTH - 1);
    // It is only erased, so it is added again.
    world.add();
    assert_eq!((world.known(), world.entries()), (WORTH, WORTH as u64 + 1));
}

#[test]
fn a_suspended_writer_keeps_no_job_from_being_erased() {
    let world = World::new(WORTH);
    world.add();
    let _held = world.jobs.hold_within(LOCK, PATIENCE).unwrap();
    erase(&world.jobs, &world.ids[0]);
    assert_eq!(world.known(), WORTH - 1);
    // Nor does it keep a list from being made.
    add(&world.jobs, &world.ids, later());
    assert_eq!(world.known(), WORTH - 1);
}

#[test]
fn a_part_of_an_entry_is_cut_off_before_the_next_one() {
    let mut world = World::new(WORTH);
    world.add();
    world.end();
    let whole = fs::read(world.path(INDEX)).unwrap();
    fs::write(world.path(INDEX), &whole[..whole.len() - SIZE / 2]).unwrap();
    assert_eq!(world.known(), WORTH - 1);
    world.add();
    assert_eq!((world.known(), world.entries()), (WORTH + 1, WORTH as u64 + 1));
}

#[test]
fn entries_of_no_use_are_left_out_once_they_are_many() {
    let world = World::new(WORTH);
    world.add();
    let (old, _) = Index::read(&world.jobs).copies.unwrap();
    // As if each had been added many times over.
    let entries = fs::read(world.path(INDEX)).unwrap()[SIZE..].repeat(2 * WASTE / WORTH + 3);
    let mut file = fs::OpenOptions::new().append(true).open(world.path(INDEX)).unwrap();
    file.write_all(&entries).unwrap();
    fs::write(world.path(".index.0123left"), "by a killed process").unwrap();
    fs::write(
        world.path("000000000003/exit.json"),
        Exit { exit_code: Some(3), ..Exit::new(Outcome::Failed) }.to_bytes(),
    )
    .unwrap();
    world.add();
    assert_eq!((world.known(), world.entries()), (WORTH, WORTH as u64));
    let mut names: Vec<String> = world.files().into_iter().map(|(name, _)| name).collect();
    names.sort();
    let (new, _) = Index::read(&world.jobs).copies.unwrap();
    assert_eq!(names, [INDEX, &new, LOCK]);
    assert_ne!(new, old);
}

#[test]
fn writers_at_the_same_time_leave_a_whole_index() {
    let world = World::new(2 * WORTH);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| world.add());
            scope.spawn(|| erase(&world.jobs, &world.ids[1]));
        }
    });
    world.add();
    assert_eq!(world.known(), 2 * WORTH);
}

#[test]
fn where_nothing_can_be_written_there_is_no_index() {
    let world = World::new(WORTH);
    fs::create_dir(world.path(INDEX)).unwrap();
    world.add();
    erase(&world.jobs, &world.ids[0]);
    assert_eq!(world.known(), 0);
}
