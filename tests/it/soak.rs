//! Hours in minutes: what `make soak` runs. Random SIGKILLs hit commands, supervisors, docker clients and the questions
//! of both to the engine, while runs and builds are in flight on the machine's engine; many jobs go through six restarts of
//! an engine of their own, or end while their engine is killed. Afterwards no status may be wrong, no lost line unsaid, and
//! nothing left. Some tests of `make test` are repeated here in their full size.
//!
//! `LONGSHORE_SOAK_KILLS` is how many kills, `LONGSHORE_SOAK_SECONDS` how long engines are killed at the end of runs, and
//! `LONGSHORE_SOAK_STORM` how many seconds the storm on the fake engine takes. `LONGSHORE_SOAK_SEED` makes the same choices
//! again; the moments differ.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::engine::logs::lines_of_both_streams;
use crate::engine::outages::killed_at_the_end;
use crate::engine::restarts::{End, Size, assert_sound, many};
use crate::faults::cleaning::many_jobs_leave_nothing;
use crate::faults::logs::follow_to_the_end;
use crate::faults::storm::storm;
use crate::support::fake::{job_ids, names};
use crate::support::private::Private;
use crate::support::processes::{Process, Processes};
use crate::support::real::Real;
use crate::support::witness::{Program, Witness};

const LARGE: Size = Size { runs: 20, builds: 3, restarts: 6 };

#[test]
#[ignore = "make soak"]
fn large_restarts_with_live_restore() {
    many(End::Kill, true, LARGE);
    many(End::Term, true, LARGE);
}

#[test]
#[ignore = "make soak"]
fn large_restarts_without_live_restore() {
    many(End::Kill, false, LARGE);
    many(End::Term, false, LARGE);
}

/// A kill of the engine every few seconds, each at another moment around the end of runs.
#[test]
#[ignore = "make soak"]
fn kills_of_the_engine_at_the_end_of_runs_make_no_success() {
    let Some(mut engine) = Private::new() else { return };
    let (seconds, begun) = (number("LONGSHORE_SOAK_SECONDS", 300), Instant::now());
    let mut random = Random(number("LONGSHORE_SOAK_SEED", 1) + 3);
    let (mut outcomes, mut kills) = (BTreeMap::new(), 0);
    while begun.elapsed() < Duration::from_secs(seconds) {
        let moment = Duration::from_millis(20 + random.below(100) as u64);
        let live_restore = random.below(2) == 0;
        for job in killed_at_the_end(&mut engine, live_restore, 10, moment) {
            let why = job["reason"].as_str().unwrap_or_default();
            *outcomes.entry(format!("{} {}: {why}", job["outcome"], job["exitCode"])).or_insert(0) += 1;
        }
        kills += 1;
        assert_sound(&engine, &[]);
        engine.crash();
    }
    report(&BTreeMap::new(), &outcomes, &[], kills, begun.elapsed());
}

#[test]
#[ignore = "make soak"]
fn a_million_lines_of_both_streams_are_whole_and_in_order() {
    lines_of_both_streams(500_000);
}

#[test]
#[ignore = "make soak"]
fn a_long_storm_of_commands_and_kills() {
    storm(Duration::from_secs(number("LONGSHORE_SOAK_STORM", 60)));
}

#[test]
#[ignore = "make soak"]
fn a_thousand_follows_end_exactly_at_the_end() {
    follow_to_the_end(40, 25);
}

#[test]
#[ignore = "make soak"]
fn a_thousand_jobs_leave_no_process_no_descriptor_and_no_zombie() {
    many_jobs_leave_nothing(1000);
}

/// The absence of a container is believed when its client has been gone for a minute.
const SETTLING: Duration = Duration::from_secs(65);

/// What a process of longshore's is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Command,
    Supervisor,
    Client,
    Question,
}

const TARGETS: [Target; 4] = [Target::Command, Target::Supervisor, Target::Client, Target::Question];

impl Target {
    fn of(process: &Process) -> Self {
        let words: Vec<&str> = process.command.split(' ').collect();
        if words.contains(&"__supervise") {
            Self::Supervisor
        } else if !words[0].ends_with("docker") {
            Self::Command
        } else if words.contains(&"--init") || words.contains(&"--iidfile") {
            Self::Client
        } else {
            Self::Question
        }
    }
}

/// Always the same numbers for a seed (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number % u64::from(limit)).unwrap()
    }
}

/// The world of the kills, and what happened in it.
struct Soak {
    real: Real,
    processes: Processes,
    base: String,
    witnesses: Mutex<Vec<Witness>>,
    builds: Mutex<Vec<String>>,
    /// Each job that a list called ended, as it did so for the first time.
    settled: Mutex<BTreeMap<String, Value>>,
    enough: AtomicBool,
}

#[test]
#[ignore = "make soak"]
fn kills_make_nothing_wrong() {
    let (kills, seed) = (number("LONGSHORE_SOAK_KILLS", 1000), number("LONGSHORE_SOAK_SEED", 1));
    let soak = Soak::new();
    let begun = Instant::now();
    let killed = std::thread::scope(|scope| {
        for worker in 0..3 {
            let soak = &soak;
            scope.spawn(move || soak.work(Random(seed * 1000 + worker + 1)));
        }
        let killed = soak.kill(kills, &mut Random(seed + 7));
        soak.enough.store(true, Ordering::Relaxed);
        killed
    });
    let took = begun.elapsed();
    let (outcomes, violations) = soak.judge();
    report(&killed, &outcomes, &violations, seed, took);
    assert!(violations.is_empty(), "seed {seed}: {} violations", violations.len());
}

impl Soak {
    fn new() -> Self {
        let mut real = Real::new();
        let mark = real.dir.path().to_str().unwrap().to_owned();
        real.set("LONGSHORE_TEST_WORLD", &mark);
        real.set("LONGSHORE_DOCKER_TIMEOUT", "30s");
        // So that what a killed build leaves has the label, too.
        let base = real.own_base();
        let processes = Processes::with(format!("LONGSHORE_TEST_WORLD={mark}"));
        Self {
            real,
            processes,
            base,
            witnesses: Mutex::default(),
            builds: Mutex::default(),
            settled: Mutex::default(),
            enough: AtomicBool::new(false),
        }
    }

    /// Starts jobs and looks at them, one command after the other, until there were enough kills.
    fn work(&self, mut random: Random) {
        while !self.enough.load(Ordering::Relaxed) {
            match random.below(10) {
                0..4 if self.in_flight() < 6 => self.start_run(&mut random),
                4 if self.in_flight() < 6 => self.start_build(&mut random),
                5 => self.note(&["exec", "list", "--json"]),
                6 => self.note(&["image", "builds", "--json"]),
                _ => self.look(&mut random),
            }
        }
    }

    /// How many programs have not ended as far as they know.
    fn in_flight(&self) -> usize {
        let recent: Vec<Witness> = lock(&self.witnesses).iter().rev().take(12).cloned().collect();
        recent.iter().filter(|witness| witness.truth().begun && witness.truth().code.is_none()).count()
    }

    fn start_run(&self, random: &mut Random) {
        let program = Program {
            code: [0, 3, 7][random.below(3)],
            lines: [20, 60, 120][random.below(3)],
            pause: [0.0, 0.01, 0.03][random.below(3)],
        };
        let label = self.real.label();
        let wait: &[&str] = if random.below(4) == 0 { &["--wait"] } else { &[] };
        let (args, witness) = program.args(&self.real, &self.base, &[&["--label", &label], wait].concat());
        lock(&self.witnesses).push(witness);
        self.finish(self.spawn(&args));
    }

    fn start_build(&self, random: &mut Random) {
        let name = self.real.name(&format!("b{}", lock(&self.builds).len()));
        let step = format!("for i in 1 2 3; do echo step $i; sleep 0.2; done; exit {} # {name}", random.below(3) / 2);
        let label = self.real.label();
        let args = ["image", "create", &name, "--base", &self.base, "--label", &label, "--run", &step];
        lock(&self.builds).push(name.clone());
        self.finish(self.spawn(&args));
    }

    /// One of the commands that finish what a kill has left undone, on one job.
    fn look(&self, random: &mut Random) {
        let known: Vec<String> = job_ids(&self.real.jobs("run"));
        if known.is_empty() {
            return;
        }
        let id = &known[random.below(u32::try_from(known.len()).unwrap())];
        let commands: [&[&str]; 3] = [
            &["exec", "inspect", id],
            &["exec", "logs", "--tail", "5", id],
            &["exec", "wait", "--timeout", "1s", "--json", id],
        ];
        self.finish(self.spawn(commands[random.below(3)]));
    }

    /// A list, and which jobs it calls ended. What is ended once stays as it is.
    fn note(&self, list: &[&str]) {
        let output = self.spawn(list).wait_with_output().unwrap();
        let Ok(Value::Array(jobs)) = serde_json::from_slice(&output.stdout) else { return };
        for job in jobs.into_iter().filter(|job| job["status"] == "exited" && job["outcome"] != "unknown") {
            lock(&self.settled).entry(job["id"].as_str().unwrap().to_owned()).or_insert(job);
        }
    }

    fn spawn<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> Child {
        let mut command = self.real.command(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("longshore runs")
    }

    fn finish(&self, command: Child) {
        let _ = command.wait_with_output();
    }

    /// Kills so many processes, each of a target that is drawn, if there is one.
    fn kill(&self, kills: u64, random: &mut Random) -> BTreeMap<Target, u64> {
        let mut killed = BTreeMap::new();
        while killed.values().sum::<u64>() < kills {
            let target = TARGETS[random.below(4)];
            // A question lives for a few milliseconds: it is waited for a little.
            for _ in 0..20 {
                let found: Vec<Process> =
                    self.processes.list().into_iter().filter(|process| Target::of(process) == target).collect();
                if !found.is_empty() {
                    let pid = found[random.below(u32::try_from(found.len()).unwrap())].pid;
                    if kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).is_ok() {
                        *killed.entry(target).or_default() += 1;
                    }
                    break;
                }
            }
            std::thread::sleep(Duration::from_millis(random.below(200) as u64));
        }
        killed
    }

    /// After one ordinary command: how the jobs ended, and everything that is wrong.
    fn judge(&self) -> (BTreeMap<String, u64>, Vec<String>) {
        let (mut outcomes, mut violations) = (BTreeMap::new(), Vec::new());
        self.wait_for_the_programs();
        std::thread::sleep(SETTLING);
        let (args, last) = Program { code: 0, lines: 1, pause: 0.0 }.args(
            &self.real,
            &self.base,
            &["--label", &self.real.label(), "--wait"],
        );
        if self.real.run(&args).code != 0 {
            violations.push("the ordinary command at the end failed".to_owned());
        }
        lock(&self.witnesses).push(last);
        let runs = self.ended("exec");
        for job in &runs {
            let why = if job["outcome"] == "lost" { job["reason"].as_str().unwrap_or_default() } else { "" };
            *outcomes.entry(format!("run {} (log {}) {why}", job["outcome"], job["log"])).or_default() += 1;
        }
        for witness in lock(&self.witnesses).iter() {
            let Some(job) = witness.among(&runs) else {
                if witness.truth().begun {
                    violations.push("a program ran and has no job".to_owned());
                }
                continue;
            };
            let log = self.real.command(&["exec", "logs", job["id"].as_str().unwrap()]).output().unwrap().stdout;
            violations.extend(witness.contradiction(job, &log));
            // No kill of ours takes the code from the engine.
            if job["outcome"] == "lost" && witness.truth().code.is_some() {
                violations.push(format!("its exit code was lost: {job:#}"));
            }
        }
        let builds = self.ended("image");
        for job in &builds {
            *outcomes.entry(format!("build {}", job["outcome"])).or_default() += 1;
            violations.extend(self.build_contradicts(job));
        }
        for job in runs.iter().chain(&builds) {
            let first = lock(&self.settled).get(job["id"].as_str().unwrap()).cloned();
            violations.extend(
                first
                    .filter(|first| changed(first, job))
                    .map(|first| format!("a list called it ended, and it ended otherwise: {first:#}\n{job:#}")),
            );
        }
        violations.extend(self.left());
        (outcomes, violations)
    }

    /// Waits until no container of a run runs.
    fn wait_for_the_programs(&self) {
        let filter = self.real.filter();
        crate::support::wait_until("the programs have ended", || {
            self.real.docker_says(&["ps", "--quiet", "--filter", &filter]).is_empty()
        });
    }

    /// Every job after its end.
    fn ended(&self, noun: &str) -> Vec<Value> {
        let list = if noun == "exec" { "list" } else { "builds" };
        let all = || self.real.run(&[noun, list, "--json"]).code(0).json().as_array().unwrap().clone();
        let unsettled = |job: &&Value| job["status"] == "running" || job["outcome"] == "unknown";
        for job in all().iter().filter(unsettled) {
            self.real.run(&[noun, "wait", "--timeout", "100s", job["id"].as_str().unwrap()]);
        }
        all()
    }

    fn build_contradicts(&self, job: &Value) -> Option<String> {
        let id = job["id"].as_str().unwrap();
        let template = "{{index .Config.Labels \"longshore.job\"}}";
        let label = self.real.docker(&["image", "inspect", "--format", template, job["name"].as_str().unwrap()]);
        let proven = String::from_utf8_lossy(&label.stdout).trim_end() == id;
        let context = self.real.job("build", id).join("ctx").exists();
        let why = match (job["outcome"].as_str(), proven) {
            (Some("succeeded"), false) => "it is said to have succeeded, and there is no image of it",
            (None, _) => "a dead build is said to run",
            _ if context => "its context is left",
            _ => return None,
        };
        Some(format!("{why}\n{job:#}"))
    }

    /// What is left, first of the jobs that are still known, then after all are forgotten.
    fn left(&self) -> Vec<String> {
        let mut left = self.once_quiet("before forgetting");
        for (noun, kind) in [("exec", "run"), ("image", "build")] {
            let ids = job_ids(&self.real.jobs(kind));
            for some in ids.chunks(50) {
                let ids: Vec<&str> = some.iter().map(String::as_str).collect();
                let ran = self.real.run(&[&[noun, "forget"], ids.as_slice()].concat());
                if ran.code != 0 {
                    left.push(format!("forget: {}", ran.stderr));
                }
            }
            let stay = job_ids(&self.real.jobs(kind));
            left.extend(stay.into_iter().map(|id| format!("after forgetting: {kind} {id}")));
        }
        left.extend(self.once_quiet("after forgetting"));
        left
    }

    /// What is left once it does not get less any more.
    fn once_quiet(&self, when: &str) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let mut left = Vec::new();
            for kind in ["run", "build"] {
                let half = |name: &String| name.starts_with(".new-") || name.starts_with(".del-");
                left.extend(names(&self.real.jobs(kind)).into_iter().filter(half));
            }
            let root = names(&self.real.path("state/longshore"));
            left.extend(root.into_iter().filter(|name| name.starts_with(".new-") || name.starts_with(".del-")));
            let format = "{{.Names}}: {{.Status}}";
            let filter = self.real.filter();
            let containers = self.real.docker_says(&["ps", "--all", "--filter", &filter, "--format", format]);
            left.extend(containers.lines().map(|line| format!("container {line}")));
            left.extend(self.processes.list().into_iter().map(|process| format!("process {}", process.command)));
            left.extend(zombies());
            if left.is_empty() || Instant::now() > deadline {
                return left.into_iter().map(|what| format!("left {when}: {what}")).collect();
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// Whether a job ended in two ways. That a code or log was found out later is no change of what it is.
fn changed(first: &Value, last: &Value) -> bool {
    ["outcome", "exitCode"].iter().any(|key| first[key] != last[key])
}

/// Children of this process that nobody waited for, and ours that nobody adopted.
fn zombies() -> Vec<String> {
    let ps = Command::new("ps").args(["-e", "-o", "stat=,ppid=,comm="]).output().unwrap();
    let ours = std::process::id().to_string();
    String::from_utf8_lossy(&ps.stdout)
        .lines()
        .filter(|line| line.starts_with('Z') && line.split_whitespace().nth(1) == Some(&ours))
        .map(|line| format!("zombie {line}"))
        .collect()
}

fn report(
    killed: &BTreeMap<Target, u64>,
    outcomes: &BTreeMap<String, u64>,
    violations: &[String],
    seed: u64,
    took: Duration,
) {
    let mut text = format!("\nseed {seed}, {} s of kills\n", took.as_secs());
    for (target, count) in killed {
        let _ = writeln!(text, "{:<44}{count:>6}", format!("killed: {target:?}").to_lowercase());
    }
    for (outcome, count) in outcomes {
        let _ = writeln!(text, "{:<44}{count:>6}", outcome.replace('"', ""));
    }
    let _ = writeln!(text, "{:<44}{:>6}", "violations", violations.len());
    for violation in violations {
        let _ = writeln!(text, "\n{violation}");
    }
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn number(key: &str, otherwise: u64) -> u64 {
    std::env::var(key).map_or(otherwise, |value| value.parse().expect(key))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
