//! Limits, of time and of descriptors, hold also when something is missing.

use crate::support::fake::{Fake, job_ids};
use crate::support::{Ran, wait_until};

#[test]
fn the_time_limit_holds_when_the_client_was_killed() {
    let fake = Fake::new();
    let id = fake.start_with(&fake.gated("echo on", "exit 0"), &["--timeout", "2s"]);
    fake.wait_for_output(&id, "on");
    fake.kill(fake.client(&id));
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["reason"]), (&"timeout".into(), &"its time limit passed".into()));
    fake.run(&["exec", "wait", &id]).code(124);
}

#[test]
fn half_answers_of_docker_make_no_run_lost() {
    let fake = Fake::new();
    let id = fake.start_gated("exit 6");
    // A question that cannot be asked is not answered with "no".
    let half = |call: &str| serde_json::json!({"call": call, "stdout": "{\"half a docum"});
    fake.scenario(serde_json::json!({"rules": [half("container inspect"), half("ps")]}));
    fake.kill(fake.client(&id));
    let waiting = fake.job("run", &id).join("waiting");
    wait_until("it waits for a sensible answer", || waiting.exists());
    fake.forget_calls();
    wait_until("it has asked again", || fake.calls().iter().filter(|call| call.contains("inspect")).count() >= 3);
    assert_eq!(fake.status_of(&id)["status"], "running");
    fake.scenario(serde_json::json!({}));
    fake.open_gate();
    let view = fake.end_of(&id);
    assert_eq!((&view["outcome"], &view["exitCode"]), (&"failed".into(), &6.into()));
}

#[test]
fn forget_without_descriptors_left_removes_nothing_of_a_running_job() {
    let fake = Fake::new();
    let id = fake.start_gated("exit 6");
    let job = fake.job("run", &id);
    let mut refused = 0;
    for limit in 4..24 {
        let limited = format!(r#"ulimit -n {limit}; exec "$@""#);
        let ran = Ran::from(fake.through(&["sh", "-c", &limited, "sh"], &["exec", "forget", &id]).output().unwrap());
        for name in ["job.json", "log", "lock"] {
            assert!(job.join(name).exists(), "{name}, with {limit} descriptors: {}", ran.stderr);
        }
        if ran.code == 0 {
            assert!(job.join("forgotten").exists(), "with {limit} descriptors");
            break;
        }
        refused += 1;
    }
    assert!(refused > 0, "the limits were never too small");
    fake.open_gate();
    wait_until("the supervisor removes the forgotten job", || !job.exists());
}

#[test]
fn a_list_shows_more_jobs_than_there_are_descriptors() {
    let fake = Fake::new();
    let id = fake.ended_run("exit 0");
    // Its supervisor has a last file to remove after the end, and a copy would stumble over that.
    fake.wait_until_quiet();
    let runs = fake.jobs("run");
    let digits = "0123456789abcdefghjkmnpqrstvwxyz".as_bytes();
    for number in 0..300_usize {
        let digit = |at: u32| char::from(digits[number / 32_usize.pow(at) % 32]);
        let copy = format!("zzzzzzzzz{}{}{}", digit(2), digit(1), digit(0));
        let status = std::process::Command::new("cp").arg("-a").arg(runs.join(&id)).arg(runs.join(&copy)).status();
        assert!(status.unwrap().success());
        let record = std::fs::read_to_string(runs.join(&id).join("job.json")).unwrap();
        std::fs::write(runs.join(&copy).join("job.json"), record.replace(&id, &copy)).unwrap();
    }
    let limited = ["sh", "-c", "ulimit -n 64; exec \"$@\"", "sh"];
    let mut command = fake.through(&limited, &["exec", "list", "-q"]);
    let ran = Ran::from(command.output().unwrap()).code(0);
    assert_eq!(ran.stdout.lines().count(), 301);
    assert_eq!(job_ids(&runs).len(), 301);
    let latest = fake.run(&["exec", "forget", &id]).code(0).id();
    assert_eq!(latest, id);
    fake.run(&["exec", "wait", "latest"]).code(0);
    let all: Vec<String> = job_ids(&runs);
    for ids in all.chunks(100) {
        let mut args = vec!["exec".to_owned(), "forget".to_owned()];
        args.extend(ids.iter().cloned());
        fake.run(&args).code(0);
    }
}
