//! An engine that is restarted, killed, cut off, hung or replaced in the middle of runs and builds. After each case every
//! job is compared with what its program wrote down itself, and nothing may be left.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::Ran;
use crate::support::fake::{job_ids, names};
use crate::support::private::Private;
use crate::support::real::Real;
use crate::support::wait_until;
use crate::support::witness::{Program, Witness};

/// Prints for two seconds and ends with 7.
const PROGRAM: Program = Program { code: 7, lines: 100, pause: 0.02 };

/// How an engine ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum End {
    Term,
    Kill,
}

fn end(engine: &mut Private, how: End) {
    match how {
        End::Term => engine.stop(),
        End::Kill => engine.kill(),
    }
}

/// Starts a program that prints already when this returns.
pub fn start(engine: &Private, program: Program) -> Witness {
    let witness = program.start(engine, &Real::base());
    wait_until("the program prints", || witness.printed(10));
    witness
}

/// Waits for the end of these runs, compares them with the truth, forgets all jobs, and looks for what is left.
#[track_caller]
pub fn assert_sound(engine: &Private, runs: &[Witness]) -> Vec<Value> {
    let jobs: Vec<Value> = runs.iter().map(|run| ended(engine, "exec", &run.id)).collect();
    let contradictions: Vec<String> =
        runs.iter().zip(&jobs).filter_map(|(run, job)| run.contradiction(job, &log(engine, &run.id))).collect();
    assert!(contradictions.is_empty(), "{}\n{}", contradictions.join("\n"), engine_says(engine));
    assert_nothing_left(engine);
    jobs
}

/// How the engine described each container at its end, for who has to find out who was wrong.
pub fn engine_says(engine: &Private) -> String {
    let states = job_ids(&engine.jobs("run")).into_iter().filter_map(|id| {
        let text = std::fs::read(engine.job("run", &id).join("inspect.json")).ok()?;
        let container: Value = serde_json::from_slice(&text).ok()?;
        Some(format!("the engine on {id}: {}", container["State"]))
    });
    states.collect::<Vec<_>>().join("\n")
}

/// A job after its end, as `wait` shows it.
#[track_caller]
pub fn ended(engine: &Private, noun: &str, id: &str) -> Value {
    let ran = engine.run(&[noun, "wait", "--timeout", "100s", "--json", id]);
    let job = ran.json();
    assert_eq!(job["status"], "exited", "{noun} {id} never ended: {}\n{job:#}", ran.stderr);
    job
}

fn log(engine: &Private, id: &str) -> Vec<u8> {
    engine.command(&["exec", "logs", id]).output().unwrap().stdout
}

/// One run, as a list has it.
#[track_caller]
fn listed(engine: &Private, id: &str) -> Value {
    engine.run(&["exec", "list", "--json", "--filter", &format!("id={id}")]).code(0).json()[0].take()
}

#[track_caller]
fn assert_nothing_left(engine: &Private) {
    for (noun, kind) in [("exec", "run"), ("image", "build")] {
        for id in job_ids(&engine.jobs(kind)) {
            engine.run(&[noun, "forget", &id]).code(0);
        }
    }
    wait_until("the supervisors have gone", || engine.processes().is_empty());
    let mut left: Vec<String> = engine.containers();
    for kind in ["run", "build"] {
        left.extend(
            names(&engine.jobs(kind)).into_iter().filter(|name| ![".names", ".names.lock"].contains(&name.as_str())),
        );
    }
    let root = names(&engine.path("state/longshore"));
    left.extend(root.into_iter().filter(|name| name.starts_with(".new-") || name.starts_with(".del-")));
    assert!(left.is_empty(), "left: {left:?}");
}

/// Every run there is, as a list has it.
#[track_caller]
fn all(engine: &Private) -> Vec<Value> {
    engine.run(&["exec", "list", "--json"]).code(0).json().as_array().unwrap().clone()
}

/// Kills everything of longshore's: supervisors and docker clients.
pub fn kill_all_of_ours(engine: &Private) {
    wait_until("all of ours is gone", || {
        let left = engine.processes();
        for process in &left {
            let _ = kill_process(Pid::from_raw(process.pid.cast_signed()).unwrap(), Signal::KILL);
        }
        left.is_empty()
    });
}

/// A run through one restart of the engine in its middle.
fn restarted(how: End, live_restore: bool) {
    let Some(mut engine) = Private::new() else { return };
    engine.start(live_restore);
    let run = start(&engine, PROGRAM);
    end(&mut engine, how);
    engine.start(live_restore);
    let jobs = assert_sound(&engine, &[run]);
    if live_restore {
        assert_eq!(jobs[0]["exitCode"], json!(7), "the container ran on, and so its code is known: {:#}", jobs[0]);
    }
}

#[test]
fn a_run_has_its_code_when_the_engine_was_stopped_and_containers_live_on() {
    restarted(End::Term, true);
}

#[test]
fn a_run_has_its_code_when_the_engine_was_killed_and_containers_live_on() {
    restarted(End::Kill, true);
}

#[test]
fn a_run_that_ends_with_its_engine_has_the_code_that_it_gave_then() {
    restarted(End::Term, false);
}

#[test]
fn a_run_that_a_new_engine_ends_has_the_code_that_it_gave_then() {
    restarted(End::Kill, false);
}

/// A program that ends while no engine runs; the job after that.
fn ended_in_the_outage(how: End, live_restore: bool, program: Program) -> Option<Value> {
    let mut engine = Private::new()?;
    engine.start(live_restore);
    let run = start(&engine, program);
    end(&mut engine, how);
    wait_until("the program has ended", || run.truth().code.is_some());
    let job = listed(&engine, &run.id);
    assert!(job["status"] == "running" || job["outcome"] == "unknown", "the engine is not there: {job:#}");
    engine.start(live_restore);
    Some(assert_sound(&engine, &[run]).remove(0))
}

#[test]
fn a_program_that_ended_while_the_engine_was_stopped_has_its_true_code() {
    let Some(job) = ended_in_the_outage(End::Term, true, PROGRAM) else { return };
    assert_eq!(job["exitCode"], json!(7), "{job:#}");
}

/// An engine before 24.0.3 reports 0 also for an end that it lost.
#[test]
fn a_zero_of_a_program_that_ended_while_the_engine_was_dead_is_proven_or_lost() {
    let Some(job) = ended_in_the_outage(End::Kill, true, Program { code: 0, ..PROGRAM }) else { return };
    let why = "the engine was restarted about when it ended, so the engine's exit code 0 is not reliable";
    let is_lost = job["outcome"] == "lost" && job["reason"].as_str().unwrap().starts_with(why);
    assert!(is_lost || job["outcome"] == "succeeded", "{job:#}");
}

#[test]
fn a_program_that_failed_while_the_engine_was_dead_has_its_true_code() {
    let Some(job) = ended_in_the_outage(End::Kill, false, PROGRAM) else { return };
    assert_eq!(job["exitCode"], json!(7), "{job:#}");
}

/// Programs that end one after the other while a new engine takes over what the killed one left.
#[test]
fn programs_that_end_while_the_engine_starts_again_have_their_true_codes() {
    let Some(mut engine) = Private::new() else { return };
    engine.start(false);
    let begun = Instant::now();
    let (pause, all, each) = (0.02, Duration::from_secs(6), Duration::from_millis(60));
    let runs: Vec<Witness> = (0..14)
        .map(|number| {
            // Whatever its start took, it ends when it is its turn.
            let left = (all + each * number).saturating_sub(begun.elapsed());
            let lines = u32::try_from(left.as_millis() / 20).unwrap();
            Program { code: 7, lines, pause }.start(&engine, &Real::base())
        })
        .collect();
    wait_until("the first has ended", || runs.iter().any(|run| run.truth().code.is_some()));
    engine.kill();
    engine.start(false);
    assert_sound(&engine, &runs);
}

/// The engine loses its power in the middle of two runs; then they are lost, whatever code the engine makes up.
fn rebooted(supervised: bool) {
    let Some(mut engine) = Private::new() else { return };
    engine.start(false);
    let runs = [start(&engine, PROGRAM), start(&engine, Program { code: 0, ..PROGRAM })];
    if !supervised {
        kill_all_of_ours(&engine);
    }
    engine.hard_reboot();
    let codes = engine.docker_says(&["ps", "--all", "--format", "{{.Status}}", "--filter", "label=longshore.run"]);
    let jobs = assert_sound(&engine, &runs);
    for job in jobs {
        assert_eq!((&job["outcome"], &job["exitCode"]), (&json!("lost"), &json!(null)), "{codes}: {job:#}");
    }
}

#[test]
fn runs_are_lost_when_the_engines_machine_lost_its_power() {
    rebooted(true);
}

#[test]
fn runs_without_supervisor_are_lost_when_the_engines_machine_lost_its_power() {
    rebooted(false);
}

/// Another data root answers on the socket, until the recorded engine is back. `key` is `key` for the one of the first.
fn replaced(key: &str, supervised: bool) {
    let Some(mut engine) = Private::new() else { return };
    engine.start(true);
    let run = start(&engine, PROGRAM);
    engine.kill();
    engine.use_data("other", key);
    engine.start(true);
    if !supervised {
        kill_all_of_ours(&engine);
    }
    wait_until("the program has ended", || run.truth().code.is_some());
    // Long enough for a supervisor that waits to have asked the wrong engine.
    let until = Instant::now() + Duration::from_secs(4);
    while Instant::now() < until {
        let job = listed(&engine, &run.id);
        assert!(job["status"] == "running" || job["outcome"] == "unknown", "another engine answers: {job:#}");
    }
    engine.stop();
    engine.use_data("root", "key");
    engine.start(true);
    let jobs = assert_sound(&engine, &[run]);
    assert_eq!(jobs[0]["exitCode"], json!(7), "{:#}", jobs[0]);
}

#[test]
fn another_engine_on_the_socket_settles_no_run() {
    replaced("other-key", true);
}

#[test]
fn another_engine_on_the_socket_settles_no_run_without_supervisor() {
    replaced("other-key", false);
}

#[test]
fn other_data_of_the_same_engine_settles_no_run() {
    replaced("key", true);
}

#[test]
fn a_run_that_was_starting_when_the_engine_lost_its_power_is_never_said_not_to_have_run_if_it_did() {
    let Some(mut engine) = Private::new() else { return };
    engine.start(false);
    let mut runs = Vec::new();
    for moment in [20, 60, 90, 120, 150, 180, 210, 240, 300] {
        let (args, run) = Program { code: 7, lines: 200, pause: 0.02 }.args(&engine, &Real::base(), &["--json"]);
        let started = engine.command(&args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        std::thread::sleep(Duration::from_millis(moment));
        engine.crash();
        engine.start(false);
        let said = Ran::from(started.unwrap().wait_with_output().unwrap());
        let found = run.among(&all(&engine)).map(|job| job["id"].as_str().unwrap().to_owned());
        assert!(found.is_some() || !run.truth().begun, "it ran, and there is no job:\n{}{}", said.stdout, said.stderr);
        runs.extend(found.map(|id| Witness { id, ..run }));
    }
    assert_sound(&engine, &runs);
}

#[test]
fn a_hung_engine_keeps_no_command_longer_than_its_patience() {
    let Some(mut engine) = Private::new() else { return };
    engine.set("LONGSHORE_DOCKER_TIMEOUT", "3s");
    engine.start(true);
    let program = Program { code: 7, lines: 250, pause: 0.02 };
    let (watched, alone) = (start(&engine, program), start(&engine, program));
    for process in engine.processes() {
        if process.command.contains(&alone.id) {
            let _ = kill_process(Pid::from_raw(process.pid.cast_signed()).unwrap(), Signal::KILL);
        }
    }
    engine.hang();
    let commands: [&[&str]; 10] = [
        &["exec", "list", "--json"],
        &["exec", "inspect", &watched.id],
        &["exec", "logs", &watched.id],
        &["exec", "inspect", &alone.id],
        &["exec", "logs", &alone.id],
        &["exec", "logs", "--tail", "3", &alone.id],
        &["exec", "wait", "--timeout", "1s", &alone.id],
        &["image", "builds"],
        &["image", "list"],
        &["container", "list"],
    ];
    // Its patience of three seconds for each of two questions, and what two cores need for them.
    let limit = Duration::from_secs(8);
    let slow: Vec<String> = std::thread::scope(|scope| {
        let engine = &engine;
        let answers = commands.map(|command| (command, scope.spawn(move || answers_within(engine, command, limit))));
        answers
            .into_iter()
            .filter_map(|(command, answer)| (!answer.join().unwrap()).then(|| command.join(" ")))
            .collect()
    });
    for run in [&watched, &alone] {
        let job = listed(&engine, &run.id);
        assert!(job["status"] == "running" || job["outcome"] == "unknown", "the engine hangs: {job:#}");
    }
    engine.resume();
    assert!(slow.is_empty(), "still without an answer:\n{}", slow.join("\n"));
    assert_sound(&engine, &[watched, alone]);
}

/// Whether a command ends, or says that it waits, within this time. After that it is killed.
fn answers_within(engine: &Private, command: &[&str], limit: Duration) -> bool {
    let file = engine.path(&format!("said by {}", command.join(" ")));
    let said = std::fs::File::create(&file).unwrap();
    let mut running = engine.command(command);
    let mut running = running.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn().unwrap();
    let begun = Instant::now();
    while begun.elapsed() < limit {
        if running.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    running.kill().unwrap();
    running.wait().unwrap();
    std::fs::read_to_string(file).unwrap().contains("wait")
}

#[test]
fn a_full_disk_of_the_engine_changes_no_code_and_no_line() {
    let Some(mut engine) = Private::on_disk_of("400m") else { return };
    engine.start(false);
    let run = start(&engine, PROGRAM);
    engine.fill_disk();
    let (args, refused) = PROGRAM.args(&engine, &Real::base(), &["--wait", "--json"]);
    let said = engine.run(&args);
    let truth = refused.truth();
    assert!(said.code != 0 && (truth.code.is_none() || truth.code == Some(said.code.into())), "{}", said.stdout);
    wait_until("the program has ended", || run.truth().code.is_some());
    let job = ended(&engine, "exec", &run.id);
    assert_eq!(job["exitCode"], json!(7), "{job:#}");
    engine.empty_disk();
    assert_sound(&engine, &[run]);
}

/// A daemon's own limit of a log would also be that of its containers with the same driver.
#[test]
fn a_daemon_that_keeps_little_of_a_log_by_default_loses_no_line() {
    let Some(mut engine) = Private::new() else { return };
    for driver in ["local", "json-file"] {
        engine.use_options(&["--log-driver", driver, "--log-opt", "max-size=10k", "--log-opt", "max-file=1"]);
        engine.start(false);
        // Its client is killed, so that most lines are in the engine's copy only.
        let run = Program { code: 7, lines: 3000, pause: 0.0005 }.start(&engine, &Real::base());
        wait_until("the program prints", || run.printed(10));
        for process in engine.processes().iter().filter(|process| process.command.contains("--init")) {
            kill_process(Pid::from_raw(process.pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
        }
        let job = ended(&engine, "exec", &run.id);
        assert_eq!((&job["exitCode"], &job["log"]), (&json!(7), &json!("recovered")), "{driver}: {job:#}");
        assert_eq!(log(&engine, &run.id), run.truth().lines, "{driver}");
        assert_sound(&engine, &[run]);
        engine.stop();
    }
}

/// How much goes through how many restarts.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub runs: u32,
    pub builds: u32,
    pub restarts: u32,
}

/// Runs and builds in flight while the engine ends and starts again, each time another way.
pub fn many(how: End, live_restore: bool, size: Size) {
    let Some(mut engine) = Private::new() else { return };
    engine.start(live_restore);
    let mut runs = Vec::new();
    let lines = 60 * size.restarts;
    for number in 0..size.runs {
        // Some end in each part of it; some succeed.
        let program =
            Program { code: [7, 0, 3][number as usize % 3], lines: lines * (number + 1) / size.runs, pause: 0.02 };
        runs.push(program.start(&engine, &Real::base()));
    }
    let builds: Vec<String> = (0..size.builds).map(|number| start_build(&engine, number)).collect();
    for restart in 0..size.restarts {
        let (part, of) = (restart as usize + 1, size.restarts as usize + 1);
        let longest = runs.last().unwrap();
        wait_until("it is time for the next restart", || {
            longest.printed(lines as usize * part / of) || all_ended(&engine, &runs)
        });
        end(&mut engine, how);
        engine.start(live_restore);
    }
    for (number, id) in (0..).zip(&builds) {
        assert_build_is_true(&engine, &build_name(number), id);
    }
    assert_sound(&engine, &runs);
}

fn all_ended(engine: &Private, runs: &[Witness]) -> bool {
    let jobs = all(engine);
    runs.iter().all(|run| run.among(&jobs).is_some_and(|job| job["status"] == "exited"))
}

fn build_name(number: u32) -> String {
    format!("built-{number}")
}

#[track_caller]
fn start_build(engine: &Private, number: u32) -> String {
    let step = format!("for i in 1 2 3 4 5 6 7 8; do echo step $i; sleep 0.3; done # {number}");
    let args = ["image", "create", &build_name(number), "--base", &Real::base(), "--run", &step, "--json"];
    engine.run(&args).code(0).json()["id"].as_str().unwrap().to_owned()
}

/// A build has succeeded if and only if its image is there, and then its log, unless said otherwise, is whole.
#[track_caller]
fn assert_build_is_true(engine: &Private, name: &str, id: &str) {
    let job = ended(engine, "image", id);
    let label = engine.docker(&["image", "inspect", "--format", "{{index .Config.Labels \"longshore.job\"}}", name]);
    let proven = String::from_utf8_lossy(&label.stdout).trim_end() == id;
    assert_eq!(job["outcome"] == "succeeded", proven, "{}\n{job:#}", String::from_utf8_lossy(&label.stderr));
    assert!(job["exitCode"] != 0 || proven, "{job:#}");
    let log = engine.run(&["image", "logs", id]).stdout;
    let whole = (1..=8).all(|step| log.contains(&format!("step {step}\n")));
    assert!(!proven || whole || job["log"] != "complete", "{log}\n{job:#}");
}

const FEW: Size = Size { runs: 6, builds: 1, restarts: 2 };

#[test]
fn many_jobs_are_true_after_stops_of_the_engine_with_live_restore() {
    many(End::Term, true, FEW);
}

#[test]
fn many_jobs_are_true_after_kills_of_the_engine_with_live_restore() {
    many(End::Kill, true, FEW);
}

#[test]
fn many_jobs_are_true_after_stops_of_the_engine_without_live_restore() {
    many(End::Term, false, FEW);
}

#[test]
fn many_jobs_are_true_after_kills_of_the_engine_without_live_restore() {
    many(End::Kill, false, FEW);
}
