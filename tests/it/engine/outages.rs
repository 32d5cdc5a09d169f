//! Runs that nobody watched while their engine was away, and engines that are killed in the moment in which a run ends.

use std::time::Duration;

use serde_json::{Value, json};

use super::restarts::{assert_sound, ended, engine_says, kill_all_of_ours, start};
use crate::support::private::Private;
use crate::support::real::Real;
use crate::support::wait_until;
use crate::support::witness::{Program, Witness};

const PROGRAM: Program = Program { code: 7, lines: 100, pause: 0.02 };

/// A run whose supervisor and client are killed, and then its engine. The container lives on.
fn left_alone_over_an_outage(engine: &mut Private, ends_in_it: bool) -> Value {
    engine.start(true);
    let run = start(engine, PROGRAM);
    kill_all_of_ours(engine);
    engine.kill();
    if ends_in_it {
        wait_until("the program has ended", || run.truth().code.is_some());
    }
    engine.start(true);
    assert_sound(engine, &[run]).remove(0)
}

#[test]
fn the_log_of_a_run_that_ended_unwatched_in_an_outage_is_not_called_whole() {
    let Some(mut engine) = Private::new() else { return };
    let job = left_alone_over_an_outage(&mut engine, true);
    assert_eq!((&job["exitCode"], &job["recovered"]), (&json!(7), &json!(true)), "{job:#}");
    assert!(["unverified", "incomplete"].contains(&job["log"].as_str().unwrap()), "{job:#}");
}

#[test]
fn the_log_of_a_run_that_went_on_unwatched_over_an_outage_is_not_called_whole() {
    let Some(mut engine) = Private::new() else { return };
    let job = left_alone_over_an_outage(&mut engine, false);
    assert_eq!((&job["exitCode"], &job["recovered"]), (&json!(7), &json!(true)), "{job:#}");
    assert!(["unverified", "incomplete"].contains(&job["log"].as_str().unwrap()), "{job:#}");
}

#[test]
fn the_log_of_a_run_that_was_left_alone_is_recovered_if_its_engine_stayed_up() {
    let Some(mut engine) = Private::new() else { return };
    engine.start(true);
    let (ends_alone, is_adopted) = (start(&engine, PROGRAM), start(&engine, PROGRAM));
    kill_all_of_ours(&engine);
    engine.run(&["exec", "inspect", &is_adopted.id]).code(0);
    wait_until("both have ended", || [&ends_alone, &is_adopted].iter().all(|run| run.truth().code.is_some()));
    for job in assert_sound(&engine, &[ends_alone, is_adopted]) {
        assert_eq!((&job["exitCode"], &job["log"]), (&json!(7), &json!("recovered")), "{job:#}");
    }
}

#[test]
fn a_program_that_succeeds_long_after_an_outage_has_succeeded() {
    let Some(mut engine) = Private::new() else { return };
    engine.start(true);
    let run = start(&engine, Program { code: 0, lines: 300, pause: 0.02 });
    engine.kill();
    engine.start(true);
    assert!(run.truth().code.is_none(), "it was to go on");
    let jobs = assert_sound(&engine, &[run]);
    assert_eq!(jobs[0]["outcome"], "succeeded", "{:#}", jobs[0]);
}

/// Waits for the file `gate` beside it, and then for the milliseconds in its first argument; ends with the second.
const GATED: &str = r"
import os, sys, time
os.write(1, b'waiting\n')
while not os.path.exists('/app/gate'):
    time.sleep(0.002)
time.sleep(int(sys.argv[1]) / 1000)
os._exit(int(sys.argv[2]))
";

/// Kills an engine around the moment in which runs end, and gives how they are said to have ended.
#[track_caller]
pub fn killed_at_the_end(engine: &mut Private, live_restore: bool, runs: u32, moment: Duration) -> Vec<Value> {
    engine.start(live_restore);
    let main = engine.write("gated/main.py", GATED);
    let gate = main.with_file_name("gate");
    let _ = std::fs::remove_file(&gate);
    let (source, base) = (main.parent().unwrap().to_str().unwrap().to_owned(), Real::base());
    let head = ["exec", "run", "--image", &base, "--main", "main.py", "--src", &source, "--"];
    let ids: Vec<String> = (0..runs)
        .map(|number| engine.run(&[&head[..], &[&(number * 8).to_string(), "3"]].concat()).code(0).id())
        .collect();
    for id in &ids {
        wait_until("the program waits", || engine.run(&["exec", "logs", id]).stdout == "waiting\n");
    }
    std::fs::write(&gate, "").unwrap();
    std::thread::sleep(moment);
    engine.kill();
    engine.start(live_restore);
    let jobs: Vec<Value> = ids.iter().map(|id| ended(engine, "exec", id)).collect();
    let wrong: Vec<&Value> = jobs.iter().filter(|job| job["outcome"] == "succeeded").collect();
    assert!(wrong.is_empty(), "they ended with 3: {wrong:#?}\n{}", engine_says(engine));
    jobs
}

#[test]
fn an_engine_that_is_killed_at_the_end_of_runs_makes_no_success_of_a_failure() {
    let Some(mut engine) = Private::new() else { return };
    killed_at_the_end(&mut engine, false, 6, Duration::from_millis(60));
    assert_sound(&engine, &Vec::<Witness>::new());
}
