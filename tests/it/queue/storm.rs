//! Queues under random kills of supervisors, stops and pauses. Whatever happens, never more jobs run than the limits say, and
//! every job ends once.

use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::fake::{Fake, job_ids};
use crate::support::processes::Processes;
use crate::support::random::Random;
use crate::support::real::Real;
use crate::support::wait_until;
use crate::support::witness::{Program, Witness};

const QUEUES: [(&str, usize); 3] = [("one", 1), ("two", 2), ("three", 3)];

#[test]
fn a_storm_of_kills_stops_and_pauses_exceeds_no_limit_and_every_job_ends_once() {
    let fake = Fake::new();
    fake.open_gate();
    for (queue, slots) in QUEUES {
        fake.run(&["queue", "set", queue, "--slots", &slots.to_string()]).code(0);
    }
    let mut random = Random(2_463_534_242);
    for number in 0..20 {
        let (queue, _) = QUEUES[number % 3];
        let pause = format!("0.{}", random.below(4));
        fake.run(&fake.job_args(queue, &number.to_string(), &["--", &number.to_string(), "0", queue, &pause])).code(0);
        match random.below(4) {
            0 => kill_one(&fake, &mut random),
            1 => drop(fake.run(&["queue", ["pause", "resume"][random.below(2)], queue]).code(0)),
            2 => {
                let ids = job_ids(&fake.jobs("run"));
                fake.run(&["exec", "stop", "-t", "1", &ids[random.below(ids.len())]]);
            }
            _ => {}
        }
    }
    let ids = job_ids(&fake.jobs("run"));
    let ended = |id: &String| fake.job("run", id).join("exit.json").exists();
    for _ in 0..4 {
        kill_one(&fake, &mut random);
    }
    wait_until("every job has ended", || {
        fake.run(&["queue", "resume", "one", "two", "three"]).code(0);
        ids.iter().all(ended)
    });
    for (queue, slots) in QUEUES {
        assert!(fake.most(queue) <= slots, "{:?}", fake.began());
    }
    let calls = fake.calls();
    for view in fake.run(&["exec", "list", "--json"]).code(0).json().as_array().unwrap() {
        let name = format!("--name longshore-{} ", view["id"].as_str().unwrap());
        let started = calls.iter().filter(|call| call.starts_with("run ") && call.contains(&name)).count();
        let expected = match view["outcome"].as_str().unwrap() {
            "succeeded" => 1..=1,
            "cancelled" | "lost" => 0..=1,
            _ => panic!("{view}"),
        };
        assert!(expected.contains(&started), "docker was asked {started} times to run it: {view}");
    }
}

/// Kills a supervisor, if there is one.
fn kill_one(fake: &Fake, random: &mut Random) {
    let supervisors = fake.supervisors();
    if !supervisors.is_empty() {
        kill(supervisors[random.below(supervisors.len())].pid);
    }
}

fn kill(pid: u32) {
    Command::new("kill").args(["-KILL", &pid.to_string()]).output().unwrap();
}

/// Two hundred jobs, or `LONGSHORE_SOAK_JOBS`, on the machine's engine. The first queue is spared, so its order is kept.
#[test]
#[ignore = "make soak"]
fn soak_of_two_hundred_jobs_in_three_queues_under_kills_stops_and_pauses() {
    let jobs: usize = std::env::var("LONGSHORE_SOAK_JOBS").map_or(200, |jobs| jobs.parse().unwrap());
    let soak = Soak::new();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let judge = scope.spawn(|| soak.judge_until(&over));
        for number in 0..jobs {
            soak.enter(number);
        }
        let mut random = Random(2_463_534_242);
        let deadline = Instant::now() + Duration::from_secs(60 * 30);
        while !soak.all_have_ended() && Instant::now() < deadline {
            soak.disturb(&mut random);
            std::thread::sleep(Duration::from_millis(200));
        }
        over.store(true, Ordering::Relaxed);
        let looks = judge.join().unwrap();
        assert!(looks > jobs, "the engine was looked at too seldom: {looks}");
    });
    soak.check();
}

/// The world of the long storm.
struct Soak {
    real: Real,
    processes: Processes,
    jobs: Mutex<Vec<(usize, Witness)>>,
}

impl Soak {
    fn new() -> Self {
        let mut real = Real::new();
        let mark = real.dir.path().to_str().unwrap().to_owned();
        real.set("LONGSHORE_TEST_WORLD", &mark);
        for (queue, slots) in QUEUES {
            real.run(&["queue", "set", queue, "--slots", &slots.to_string()]).code(0);
        }
        let processes = Processes::with(format!("LONGSHORE_TEST_WORLD={mark}"));
        Self { real, processes, jobs: Mutex::default() }
    }

    fn enter(&self, number: usize) {
        let at = number % QUEUES.len();
        let program = Program { code: 0, lines: 5, pause: 0.1 };
        let (own, queue) = (self.real.label(), format!("queue={}", QUEUES[at].0));
        let more = ["--label", &own, "--label", &queue, "--queue", QUEUES[at].0];
        let (args, witness) = program.args(&self.real, &Real::base(), &more);
        let id = self.real.run(&args).code(0).id();
        self.jobs.lock().unwrap().push((at, Witness { id, ..witness }));
    }

    /// Compares what the engine runs with the limits, again and again; gives how often.
    fn judge_until(&self, over: &AtomicBool) -> usize {
        let mut looks = 0;
        while !over.load(Ordering::Relaxed) {
            let format = "{{.Label \"queue\"}}";
            let running = self.real.docker_says(&["ps", "--filter", &self.real.filter(), "--format", format]);
            for (queue, slots) in QUEUES {
                let count = running.lines().filter(|line| *line == queue).count();
                assert!(count <= slots, "{count} jobs of queue {queue} run, which has {slots} slots");
            }
            looks += 1;
            std::thread::sleep(Duration::from_millis(50));
        }
        looks
    }

    fn all_have_ended(&self) -> bool {
        let has_ended = |(_, job): &(usize, Witness)| self.real.job("run", &job.id).join("exit.json").exists();
        self.jobs.lock().unwrap().iter().all(has_ended)
    }

    /// A kill, a stop, a pause, or supervisors for jobs that have none; the first queue is spared.
    fn disturb(&self, random: &mut Random) {
        let jobs = self.jobs.lock().unwrap();
        let others: Vec<&Witness> = jobs.iter().filter(|(at, _)| *at != 0).map(|(_, job)| job).collect();
        let queue = QUEUES[1 + random.below(2)].0;
        match random.below(16) {
            0..8 => {
                let is_one = |command: &str| {
                    command.contains("__supervise") && others.iter().any(|job| command.contains(&job.id))
                };
                let found: Vec<u32> =
                    self.processes.list().into_iter().filter(|p| is_one(&p.command)).map(|p| p.pid).collect();
                if !found.is_empty() {
                    kill(found[random.below(found.len())]);
                }
            }
            8 => drop(self.quietly(&["exec", "stop", "-t", "1", &others[random.below(others.len())].id])),
            9 => drop(self.quietly(&["queue", "pause", queue])),
            _ => drop(self.quietly(&["queue", "resume", queue])),
        }
    }

    fn quietly(&self, args: &[&str]) -> bool {
        let output = self.real.command(args).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("panicked"), "{said}");
        output.status.success()
    }

    fn check(&self) {
        let views = self.real.run(&["exec", "list", "--json"]).code(0).json();
        let mut spared: Vec<(String, &Witness)> = Vec::new();
        let jobs = self.jobs.lock().unwrap();
        for (at, job) in jobs.iter() {
            let view = views.as_array().unwrap().iter().find(|view| view["id"] == job.id.as_str()).unwrap();
            self.check_one(view, job);
            if *at == 0 {
                assert_eq!(view["outcome"], "succeeded", "{view}");
                spared.push((view["started"].as_str().unwrap().to_owned(), job));
            }
        }
        assert!(spared.is_sorted_by_key(|(started, _)| started), "the order of the queue that was spared: {spared:?}");
    }

    fn check_one(&self, view: &Value, job: &Witness) {
        let log = self.real.command(&["exec", "logs", &job.id]).output().unwrap().stdout;
        assert_eq!(job.contradiction(view, &log), None);
        let truth = std::fs::read_to_string(job.output.join("truth")).unwrap_or_default();
        assert!(truth.matches("line 0 of ").count() <= 1, "it ran twice: {view}\n{truth}");
        let known = ["succeeded", "cancelled", "lost", "failed"].contains(&view["outcome"].as_str().unwrap());
        assert!(known, "{view}");
    }
}
