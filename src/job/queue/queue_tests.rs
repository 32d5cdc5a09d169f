//! Queues as files: what several processes see of one, and what killed ones leave.

use std::sync::Barrier;

use super::*;
use crate::job::Job;
use crate::job::record::{Exit, Kind, Outcome};
use crate::job::store::Store;
use crate::names::JobId;

struct World {
    _dir: tempfile::TempDir,
    env: Env,
    store: Store,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let env = Env::in_dir(dir.path());
        let store = Store::make(&env, Kind::Run).unwrap();
        Self { _dir: dir, env, store }
    }

    fn queue(&self) -> Queue {
        Queue::make(&self.env, &name("q")).unwrap()
    }

    /// A job with its lock held, as by its supervisor.
    fn job(&self, number: usize) -> (Job, File) {
        let id = JobId::parse(&format!("{number:0>12}")).unwrap();
        self.store.prepare(&Record::example(&id, Kind::Run, None)).unwrap().publish().unwrap()
    }

    fn enter(&self, queue: &Queue, number: usize, priority: i32) -> (Job, File) {
        let (job, lock) = self.job(number);
        queue.enter(&job, priority, &Ask::default(), &Stage::Line).unwrap();
        (job, lock)
    }
}

fn name(text: &str) -> QueueName {
    QueueName::parse(text).unwrap()
}

fn numbers(entries: &[Entry]) -> Vec<usize> {
    entries.iter().map(|entry| entry.id.as_str().parse().unwrap()).collect()
}

fn end(job: &Job) {
    job.finish(&Exit::new(Outcome::Succeeded)).unwrap();
}

#[test]
fn a_queue_is_made_once_and_keeps_what_it_is_set_to() {
    let world = World::new();
    assert!(Queue::open(&world.env, &name("q")).unwrap().is_none());
    let queue = world.queue();
    queue.change(|settings| settings.limits.slots = Some(3)).unwrap();
    assert_eq!(world.queue().settings().unwrap().limits.slots, Some(3));
    Queue::make(&world.env, &name("a")).unwrap();
    let all: Vec<String> =
        Queue::all(&world.env).unwrap().iter().map(|(settings, _)| settings.name.to_string()).collect();
    assert_eq!(all, ["a", "q"]);
}

#[test]
fn jobs_are_admitted_in_their_order_and_give_their_room_back() {
    let world = World::new();
    let queue = world.queue();
    let jobs: Vec<(Job, File)> =
        [(1, 0), (2, 0), (3, 1)].map(|(number, step)| world.enter(&queue, number, step)).into();
    assert_eq!(numbers(&queue.members().unwrap().line), [3, 1, 2], "a higher priority comes first");
    assert_eq!(numbers(&queue.admit().unwrap()), [3]);
    assert_eq!(numbers(&queue.admit().unwrap()), [3], "there is one slot");
    assert_eq!(queue.stage(&jobs[2].0.id).unwrap(), Some(Stage::Running(Held::default())));
    queue.leave(&jobs[2].0.id).unwrap();
    assert_eq!(numbers(&queue.admit().unwrap()), [1]);
    // An ended job whose supervisor was killed before it had left has no room.
    end(&jobs[0].0);
    assert_eq!(numbers(&queue.admit().unwrap()), [2]);
    assert_eq!(queue.stage(&jobs[0].0.id).unwrap(), None);
}

#[test]
fn a_paused_queue_admits_nothing_and_loses_nothing() {
    let world = World::new();
    let queue = world.queue();
    let _job = world.enter(&queue, 1, 0);
    queue.change(|settings| settings.paused = true).unwrap();
    assert_eq!(numbers(&queue.admit().unwrap()), Vec::<usize>::new());
    queue.change(|settings| settings.paused = false).unwrap();
    assert_eq!(numbers(&queue.admit().unwrap()), [1]);
}

#[test]
fn a_job_without_a_supervisor_is_passed_over_and_keeps_its_place() {
    let world = World::new();
    let queue = world.queue();
    let (first, lock) = world.enter(&queue, 1, 0);
    let _second = world.enter(&queue, 2, 0);
    drop(lock);
    assert_eq!(numbers(&queue.admit().unwrap()), [2]);
    let lock = first.take_over().unwrap().unwrap();
    queue.enter(&first, 0, &Ask::default(), &Stage::Line).unwrap();
    assert_eq!(numbers(&queue.members().unwrap().line), [1], "it is not entered twice");
    drop(lock);
}

#[test]
fn a_job_that_waits_for_others_keeps_its_place_in_the_line() {
    let world = World::new();
    let queue = world.queue();
    let (held, _lock) = world.job(1);
    queue.enter(&held, 0, &Ask::default(), &Stage::Held).unwrap();
    let _second = world.enter(&queue, 2, 0);
    assert_eq!(numbers(&queue.admit().unwrap()), [2]);
    let _third = world.enter(&queue, 3, 0);
    queue.release(&held.id).unwrap();
    assert_eq!(numbers(&queue.members().unwrap().line), [1, 3]);
}

#[test]
fn gpus_are_handed_out_and_told() {
    let world = World::new();
    let queue = world.queue();
    queue.change(|settings| settings.limits.gpus = vec!["0".into(), "1".into()]).unwrap();
    let one = Ask { gpus: crate::names::Gpus::parse("1").ok(), ..Ask::default() };
    let jobs: Vec<(Job, File)> = (1..=3).map(|number| world.job(number)).collect();
    for (job, _) in &jobs {
        queue.enter(job, 0, &one, &Stage::Line).unwrap();
    }
    assert_eq!(numbers(&queue.admit().unwrap()).len(), 2);
    let devices = |number: usize| match queue.stage(&jobs[number].0.id).unwrap() {
        Some(Stage::Running(held)) => held.devices,
        other => panic!("{other:?}"),
    };
    assert_eq!((devices(0), devices(1)), (vec!["0".to_owned()], vec!["1".to_owned()]));
    queue.leave(&jobs[0].0.id).unwrap();
    queue.admit().unwrap();
    assert_eq!(devices(2), ["0"]);
}

#[test]
fn a_queue_with_jobs_is_not_removed_and_an_empty_one_leaves_nothing() {
    let world = World::new();
    let queue = world.queue();
    let (job, _lock) = world.enter(&queue, 1, 0);
    assert!(!world.queue().remove().unwrap());
    queue.leave(&job.id).unwrap();
    assert!(world.queue().remove().unwrap());
    assert!(Queue::all(&world.env).unwrap().is_empty());
    // Whoever had it open enters the one that is made anew.
    assert_eq!(queue.leave(&job.id).unwrap_err().kind(), io::ErrorKind::NotFound);
    Queue::enter_named(&world.env, &name("q"), &job, 0, &Ask::default(), &Stage::Line).unwrap();
    assert_eq!(numbers(&world.queue().members().unwrap().line), [1]);
}

#[test]
fn entries_of_jobs_that_are_gone_are_tidied_away() {
    let world = World::new();
    let queue = world.queue();
    let (job, _lock) = world.enter(&queue, 1, 0);
    end(&job);
    queue.dir.subdir(RUNNING).unwrap().write_new("000000000009.0.run.zzzzzzzzzzzz", b"{}").unwrap();
    queue.tidy().unwrap();
    for place in [HELD, LINE, RUNNING] {
        assert_eq!(queue.dir.subdir(place).unwrap().names().unwrap(), Vec::<String>::new(), "{place}");
    }
}

#[test]
fn many_that_enter_and_leave_at_once_keep_the_limit() {
    let world = World::new();
    let queue = world.queue();
    queue.change(|settings| settings.limits.slots = Some(3)).unwrap();
    let jobs: Vec<(Job, File)> = (0..40).map(|number| world.job(number)).collect();
    let start = Barrier::new(4);
    std::thread::scope(|scope| {
        for jobs in jobs.chunks(10) {
            let (world, start) = (&world, &start);
            scope.spawn(move || {
                let queue = world.queue();
                start.wait();
                for (job, _) in jobs {
                    queue.enter(job, 0, &Ask::default(), &Stage::Line).unwrap();
                    assert!(queue.admit().unwrap().len() <= 3);
                }
                // Any of them may have to wait for those of the other threads.
                let mut open: Vec<&Job> = jobs.iter().map(|(job, _)| job).collect();
                while !open.is_empty() {
                    open.retain(|job| {
                        let runs = matches!(queue.stage(&job.id).unwrap(), Some(Stage::Running(_)));
                        if runs {
                            end(job);
                            queue.leave(&job.id).unwrap();
                        }
                        assert!(queue.admit().unwrap().len() <= 3);
                        !runs
                    });
                }
            });
        }
    });
    assert!(queue.members().unwrap().is_empty());
    assert_eq!(queue.entries(RUNNING).unwrap(), Vec::<Entry>::new());
}
