//! Many jobs at once, and commands that run at the same time.

use std::path::Path;
use std::process::Stdio;

use crate::support::fake::{Fake, job_ids};
use crate::support::snapshots::snapshot;
use crate::support::{Ran, wait_until};

fn all_at_once(fake: &Fake, commands: Vec<Vec<String>>) -> Vec<Ran> {
    let start = |args: &Vec<String>| {
        fake.command(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = commands.iter().map(start).collect();
    children.into_iter().map(|child| Ran::from(child.wait_with_output().unwrap())).collect()
}

#[test]
fn of_a_hundred_runs_of_one_name_one_starts() {
    let fake = Fake::new();
    let args = fake.run_args(&fake.gated("echo on", "exit 0"), &["--name", "only"]);
    let ran = all_at_once(&fake, vec![args; 100]);
    let (won, lost): (Vec<_>, Vec<_>) = ran.iter().partition(|ran| ran.code == 0);
    assert_eq!(won.len(), 1);
    let id = won[0].id();
    for ran in &lost {
        assert_eq!((ran.code, &ran.stdout, &ran.stderr), (1, &String::new(), &lost[0].stderr));
    }
    snapshot!(fake, lost[0]);
    assert_eq!(job_ids(&fake.jobs("run")), [id.as_str()]);
    fake.open_gate();
    assert_eq!(fake.end_of("only")["id"], id.as_str());
}

#[test]
fn of_many_builds_of_one_image_one_starts() {
    let fake = Fake::new();
    fake.scenario(serde_json::json!({"build": {"script": fake.gated("echo building", "true")}}));
    let args = ["image", "create", "web", "--base", "base"].map(str::to_owned).to_vec();
    let ran = all_at_once(&fake, vec![args; 20]);
    let (won, lost): (Vec<_>, Vec<_>) = ran.iter().partition(|ran| ran.code == 0);
    assert_eq!(won.len(), 1);
    for ran in &lost {
        assert_eq!((ran.code, &ran.stdout, &ran.stderr), (1, &String::new(), &lost[0].stderr));
    }
    snapshot!(fake, lost[0]);
    fake.open_gate();
    assert_eq!(fake.end_of_build("web")["outcome"], "succeeded");
}

/// Twenty rather than a hundred: each is a handful of processes.
#[test]
fn twenty_runs_at_once_have_twenty_right_logs() {
    let fake = Fake::new();
    let args = (0..20).map(|n| fake.run_args(&format!("seq {n}; echo end {n}; exit {n}"), &[])).collect();
    let ids: Vec<String> = all_at_once(&fake, args).into_iter().map(|ran| ran.code(0).id()).collect();
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(fake.end_of(id)["exitCode"], n);
        let lines: String = (1..=n).map(|n| format!("{n}\n")).collect();
        assert_eq!(String::from_utf8(fake.log(id)).unwrap(), format!("{lines}end {n}\n"));
    }
}

#[test]
fn forgetting_a_running_job_hides_it_and_stops_nothing() {
    let fake = Fake::new();
    let id = fake.start_with(&fake.gated("echo on", "echo off; exit 3"), &["--name", "quiet"]);
    let other = fake.start("exit 0");
    fake.wait_for_output(&id, "on");
    let forgotten = fake.run(&["exec", "forget", &id]).code(0);
    let shown = fake.run(&["exec", "list", "-q"]).code(0).stdout;
    assert_eq!(shown, format!("{other}\n"));
    fake.run(&["exec", "inspect", "quiet"]).code(1);
    assert_eq!(fake.run(&["exec", "list", "-q", "--filter", "id=".to_owned().as_str()]).code(0).id(), other);
    snapshot!(fake, forgotten, fake.run(&["exec", "list", "-a", "--filter", "name=quiet"]));
    assert!(fake.true_code(&id).is_none(), "the program was ended");
    fake.open_gate();
    wait_until("it has removed itself", || !fake.job("run", &id).exists());
    assert_eq!(fake.true_code(&id), Some(3));
}

#[test]
fn a_forgotten_run_is_reached_by_its_id_until_it_ends() {
    let fake = Fake::new();
    let id = fake.start_with(&fake.gated("echo on", "echo off; exit 3"), &["--name", "quiet"]);
    fake.wait_for_output(&id, "on");
    fake.run(&["exec", "forget", "quiet"]).code(0);
    let view = fake.run(&["exec", "list", "-a", "--json"]).code(0).json();
    assert_eq!((&view[0]["id"], &view[0]["forgotten"]), (&id.as_str().into(), &true.into()));
    // A prefix that no other job can have, since there is none.
    for typed in [id.as_str(), &id[..8]] {
        let seen = fake.run(&["exec", "inspect", typed]).code(0).json();
        assert_eq!((&seen["State"]["Running"], &seen["Longshore"]["forgotten"]), (&true.into(), &true.into()));
        assert_eq!(fake.run(&["exec", "logs", typed]).code(0).stdout, "on\n");
        fake.run(&["exec", "wait", "--timeout", "10ms", typed]).code(124);
        fake.run(&["exec", "kill", "-s", "CONT", typed]).code(0);
    }
    // Everything that waits has the true end, although nothing is kept of it.
    let waits =
        [vec!["wait", &id], vec!["wait", "--any", &id], vec!["wait", &id, &id], vec!["logs", "-f", "--exit-code", &id]];
    let waiting = waits.map(|args| {
        let args = [vec!["exec"], args].concat();
        let mut child = fake.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let room = fake.job("run", &id).join("exit.tmp");
        wait_until("it holds the exit record", || has_open(child.id(), &room) || child.try_wait().unwrap().is_some());
        child
    });
    fake.open_gate();
    let ended = waiting.map(|child| Ran::from(child.wait_with_output().unwrap()));
    assert_eq!(ended.each_ref().map(|ran| ran.code), [3, 3, 1, 3], "{ended:?}");
    assert_eq!(ended[2].stdout, format!("{id} 3\n{id} 3\n"));
    assert_eq!((ended[3].stdout.as_str(), ended[3].stderr.as_str()), ("on\noff\n", ""));
    wait_until("it has removed itself", || !fake.job("run", &id).exists());
}

#[test]
fn the_name_of_a_forgotten_run_is_free_at_once_and_stop_ends_it_by_its_id() {
    let fake = Fake::new();
    let old = fake.start_gated_with("exit 0", &["--name", "nightly"]);
    fake.run(&["exec", "forget", "nightly"]).code(0);
    let new = fake.start_gated_with("exit 4", &["--name", "nightly"]);
    assert_eq!(fake.run(&["exec", "list", "-q"]).code(0).id(), new);
    fake.run(&["exec", "stop", &old]).code(0);
    wait_until("the old one has removed itself", || !fake.job("run", &old).exists());
    fake.open_gate();
    assert_eq!(fake.end_of("nightly")["id"], new.as_str(), "the old one took the name with it");
}

#[test]
fn the_name_of_a_forgotten_build_is_refused_until_it_ends_so_that_it_cannot_take_the_tag() {
    let fake = Fake::new();
    let id = fake.build_gated("web");
    let forgotten = fake.run(&["image", "forget", "web"]).code(0);
    let refused = fake.run(&["image", "create", "web", "--base", "base"]).code(1);
    snapshot!(fake, forgotten, refused, fake.run(&["image", "builds"]), fake.run(&["image", "builds", "-a"]));
    for args in [["image", "status", &id], ["image", "logs", &id], ["image", "cancel", &id]] {
        fake.run(&args).code(0);
    }
    wait_until("it has removed itself", || !fake.job("build", &id).exists());
    fake.scenario(serde_json::json!({}));
    fake.build("web");
    assert_eq!(fake.end_of_build("web")["outcome"], "succeeded");
}

#[test]
fn nothing_is_left_of_a_forgotten_run_whose_supervisor_was_killed() {
    let fake = Fake::new();
    let id = fake.start_gated("exit 3");
    fake.run(&["exec", "forget", &id]).code(0);
    fake.kill_supervisor_and_client(&id);
    fake.open_gate();
    fake.wait_for_container_end(&id);
    // The next command that sweeps records its end, removes its container and then the run itself.
    let other = fake.ended_run("exit 0");
    fake.run(&["exec", "forget", &other]).code(0);
    wait_until("the run is gone", || !fake.job("run", &id).exists());
    assert_eq!(fake.containers(), Vec::<String>::new());
}

/// Whether a process has a directory, or a file in it, open.
fn has_open(pid: u32, dir: &Path) -> bool {
    let links = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    links.into_iter().any(|link| std::fs::read_link(link.path()).is_ok_and(|target| target.starts_with(dir)))
}

#[test]
fn a_wait_for_a_job_that_is_forgotten_ends_with_an_error() {
    let fake = Fake::new();
    let id = fake.start_gated("exit 0");
    let waiting = fake.command(&["exec", "wait", &id]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let dir = fake.job("run", &id);
    wait_until("it has found the run", || has_open(waiting.id(), &dir));
    fake.run(&["exec", "forget", &id]).code(0);
    fake.open_gate();
    let ran = Ran::from(waiting.wait_with_output().unwrap());
    // The true end when it was still to be seen, an error when it was not, and never anything else.
    assert!(ran.code == 0 || ran.code == 125 && ran.stderr.contains("was forgotten before it ended"), "{ran:?}");
}

#[test]
fn readers_never_call_a_job_lost_while_it_ends() {
    let fake = Fake::new();
    let id = fake.start_gated("exit 3");
    fake.open_gate();
    for _ in 0..300 {
        let view = fake.run(&["exec", "list", "--json"]).code(0).json()[0].take();
        if view["status"] == "exited" {
            assert_eq!((&view["outcome"], &view["exitCode"]), (&"failed".into(), &3.into()));
            break;
        }
    }
    assert_eq!(fake.end_of(&id)["exitCode"], 3);
}

#[test]
fn forgetting_twice_fails_and_removes_nothing_that_runs() {
    let fake = Fake::new();
    let running = fake.start_gated("exit 0");
    let ids: Vec<String> = (0..3).map(|_| fake.start("exit 1")).collect();
    for id in &ids {
        fake.end_of(id);
    }
    wait_until("only the running one has a container", || fake.containers().len() == 1);
    for id in &ids[..2] {
        fake.run(&["exec", "forget", id]).code(0);
        fake.run(&["exec", "forget", id]).code(1);
    }
    let mut left = vec![running.clone(), ids[2].clone()];
    left.sort();
    assert_eq!(job_ids(&fake.jobs("run")), left);
    assert_eq!(fake.containers(), [format!("longshore-{running}")]);
    fake.open_gate();
}

#[test]
fn two_state_directories_on_one_engine_leave_each_other_alone() {
    let mut fake = Fake::new();
    let id = fake.start_unattended("exit 3");
    let (first, second) = (fake.path("state"), fake.path("second"));
    fake.set("XDG_STATE_HOME", &second);
    assert_eq!(fake.run(&["exec", "list", "--json"]).code(0).stdout, "[]\n");
    let mine = fake.run(&fake.run_args("exit 0", &["--wait"])).code(0).id();
    fake.run(&["exec", "forget", &mine]).code(0);
    fake.set("XDG_STATE_HOME", &first);
    assert_eq!(fake.status_of(&id)["status"], "running");
    fake.open_gate();
    assert_eq!(fake.end_of(&id)["exitCode"], 3);
}
