//! Lists with the index are those without it, whatever happened to the index and to the jobs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::*;
use crate::fs::Dir;
use crate::job::index;
use crate::job::record::{Kind, Outcome};

const COUNT: usize = 40;

/// Something that happens to a job, or to a file of the index at a place in it, in thousandths.
#[derive(Debug, Clone)]
enum Event {
    Cut(Which, usize),
    Flip(Which, usize),
    Blank(Which, usize),
    Remove(Which),
    Fail(usize),
    ReplaceEnd(usize),
    SpoilEnd(usize),
    SpoilRecord(usize),
    RemoveEnd(usize),
    Hide(usize),
    RemoveJob(usize),
    Add,
    End,
}

#[derive(Debug, Clone, Copy)]
enum Which {
    Entries,
    Copies,
}

fn event() -> impl Strategy<Value = Event> {
    let which = || prop_oneof![Just(Which::Entries), Just(Which::Copies)];
    let job = || 0..COUNT;
    prop_oneof![
        (which(), 0..1000_usize).prop_map(|(which, place)| Event::Cut(which, place)),
        (which(), 0..1000_usize).prop_map(|(which, place)| Event::Flip(which, place)),
        (which(), 0..1000_usize).prop_map(|(which, place)| Event::Blank(which, place)),
        which().prop_map(Event::Remove),
        job().prop_map(Event::Fail),
        job().prop_map(Event::ReplaceEnd),
        job().prop_map(Event::SpoilEnd),
        job().prop_map(Event::SpoilRecord),
        job().prop_map(Event::RemoveEnd),
        job().prop_map(Event::Hide),
        job().prop_map(Event::RemoveJob),
        Just(Event::Add),
        Just(Event::End),
    ]
}

struct World {
    _dir: tempfile::TempDir,
    env: Env,
    store: Store,
    path: PathBuf,
    count: usize,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Without a docker program, no process is started.
        let mut env = Env::in_dir(dir.path());
        env.docker = Some("/nonexistent/docker".into());
        let store = Store::make(&env, Kind::Run).unwrap();
        let path = dir.path().join("longshore/run");
        let mut world = Self { _dir: dir, env, store, path, count: 0 };
        (0..COUNT).for_each(|_| world.end());
        world.add();
        world
    }

    fn end(&mut self) {
        let id = JobId::parse(&format!("{:012}", self.count)).unwrap();
        let created =
            DateTime::from_timestamp(1_700_000_000 + i64::try_from(self.count * 7919 % 100).unwrap(), 0).unwrap();
        let name = format!("name-{}", self.count);
        let record = Record { created, ..Record::example(&id, Kind::Run, Some(&name)) };
        let (job, _lock) = self.store.prepare(&record).unwrap().publish().unwrap();
        job.finish(&Exit::new(Outcome::Succeeded)).unwrap();
        self.count += 1;
    }

    fn add(&self) {
        let jobs = Dir::open(&self.path).unwrap();
        index::add(&jobs, &self.store.ids().unwrap(), SystemTime::now() + Duration::from_secs(3600));
    }

    fn job(&self, number: usize) -> PathBuf {
        self.path.join(format!("{number:012}"))
    }

    /// A file of the index; `None` if it is missing.
    fn file(&self, which: Which) -> Option<PathBuf> {
        let is_it = |name: &str| match which {
            Which::Entries => name == ".index",
            Which::Copies => name.starts_with(".index-"),
        };
        let files = fs::read_dir(&self.path).unwrap().map(|entry| entry.unwrap().path());
        files.into_iter().find(|path| is_it(path.file_name().unwrap().to_str().unwrap()))
    }

    /// Changes a part of a file of the index.
    fn spoil(&self, which: Which, place: usize, change: impl FnOnce(&mut Vec<u8>, usize)) {
        let Some(path) = self.file(which) else { return };
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.len() * place / 1000;
        change(&mut bytes, at);
        fs::write(path, bytes).unwrap();
    }

    fn apply(&mut self, event: &Event) {
        let failed = Exit { exit_code: Some(3), ..Exit::new(Outcome::Failed) }.to_bytes();
        match *event {
            Event::Cut(which, place) => self.spoil(which, place, Vec::truncate),
            Event::Flip(which, place) => self.spoil(which, place, |bytes, at| {
                bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 0x20);
            }),
            Event::Blank(which, place) => self.spoil(which, place, |bytes, at| {
                bytes.iter_mut().skip(at).take(300).for_each(|byte| *byte = 0);
            }),
            Event::Remove(which) => self.file(which).into_iter().for_each(|path| fs::remove_file(path).unwrap()),
            Event::Fail(job) => write_there(&self.job(job), "exit.json", &failed),
            Event::ReplaceEnd(job) => {
                write_there(&self.job(job), "new", &failed);
                let _ = fs::rename(self.job(job).join("new"), self.job(job).join("exit.json"));
            }
            Event::SpoilEnd(job) => write_there(&self.job(job), "exit.json", b"{\"format\": 2"),
            Event::SpoilRecord(job) => write_there(&self.job(job), "job.json", b"no JSON"),
            Event::RemoveEnd(job) => drop(fs::remove_file(self.job(job).join("exit.json"))),
            Event::Hide(job) => write_there(&self.job(job), "forgotten", b""),
            Event::RemoveJob(job) => drop(fs::remove_dir_all(self.job(job))),
            Event::Add => self.add(),
            Event::End => self.end(),
        }
    }

    /// Some lists: all jobs, the newest, those that match, and the ids. The order of these is not that of damaged records.
    fn lists(&self) -> [serde_json::Value; 4] {
        let stores = std::slice::from_ref(&self.store);
        let list = |last, accept: &(dyn Fn(&View) -> bool + Sync)| {
            let views = newest(&self.env, stores, Extent::Remembered, last, accept).unwrap();
            serde_json::to_value(views).unwrap()
        };
        let mut ids = ids(stores, Extent::Remembered, usize::MAX).unwrap();
        ids.sort();
        let failed = |view: &View| view.exit_code == Some(3);
        [list(usize::MAX, &|_| true), list(7, &|_| true), list(3, &failed), serde_json::to_value(ids).unwrap()]
    }

    /// The same without the index.
    fn lists_of_directories(&self) -> [serde_json::Value; 4] {
        let index = self.path.join(".index");
        let aside = self.path.join("index-aside");
        let is_there = fs::rename(&index, &aside).is_ok();
        let lists = self.lists();
        if is_there {
            fs::rename(&aside, &index).unwrap();
        }
        lists
    }
}

fn write_there(dir: &Path, name: &str, bytes: &[u8]) {
    let _ = fs::write(dir.join(name), bytes);
}

/// Waits until the kernel's clock for files has ticked, so that a change shows.
fn tick(dir: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    let time = || {
        fs::write(dir.join("tick"), "").unwrap();
        let data = fs::metadata(dir.join("tick")).unwrap();
        (data.ctime(), data.ctime_nsec())
    };
    let before = time();
    while time() == before {
        std::thread::sleep(Duration::from_millis(1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn lists_are_the_same_with_the_index_and_without(events in prop::collection::vec(event(), 1..12)) {
        let mut world = World::new();
        for event in &events {
            tick(&world.path);
            world.apply(event);
            // The whole lists are too long for a message.
            for (list, (with, without)) in world.lists().iter().zip(&world.lists_of_directories()).enumerate() {
                let differ = with.as_array().unwrap().iter().zip(without.as_array().unwrap()).find(|(a, b)| a != b);
                prop_assert!(with == without, "list {}, after {:?}: {:?}", list, event, differ);
            }
        }
    }
}

#[test]
fn ids_have_the_order_of_the_list() {
    let world = World::new();
    let stores = std::slice::from_ref(&world.store);
    for last in [0, 1, 5, usize::MAX] {
        let views = newest(&world.env, stores, Extent::Remembered, last, |_| true).unwrap();
        let ids = ids(stores, Extent::Remembered, last).unwrap();
        assert_eq!(ids, views.into_iter().map(|view| view.id).collect::<Vec<_>>());
        assert_eq!(ids.len(), last.min(COUNT));
    }
}
