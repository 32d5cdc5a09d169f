//! `doctor` on the real engine: it is healthy, and a run whose supervisor and client were killed is found and finished.

use serde_json::{Value, json};

use super::processes;
use crate::support::real::Real;
use crate::support::{schema, wait_until};

fn report(real: &Real, args: &[&str], code: i32) -> Value {
    let ran = real.run(&[&["doctor", "--json"], args].concat()).code(code);
    schema::validated("doctor", ran.json())
}

/// One check, if there is one of that name.
fn check<'a>(report: &'a Value, name: &str) -> Option<&'a Value> {
    report["checks"].as_array().unwrap().iter().find(|check| check["check"] == name)
}

/// Kills every process of a run on the host: its supervisor and its client.
fn kill(real: &Real, id: &str) {
    let found = || processes().into_iter().filter(|(_, words)| words.iter().any(|word| word.ends_with(id)));
    for (pid, _) in found() {
        let _ =
            rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL);
    }
    wait_until("they are gone", || found().next().is_none());
    assert_eq!(real.containers().len(), 1, "the container is what is left");
}

#[test]
fn a_real_engine_is_healthy_and_says_who_it_is() {
    let real = Real::new();
    let report = report(&real, &[], 0);
    let detail = |name: &str, key: &str| check(&report, name).expect(name)["details"][key].clone();
    assert_eq!(detail("docker-client", "version"), real.docker_says(&["version", "--format", "{{.Client.Version}}"]));
    assert_eq!(detail("engine-version", "version"), real.docker_says(&["version", "--format", "{{.Server.Version}}"]));
    assert_eq!(detail("engine", "id"), real.docker_says(&["info", "--format", "{{.ID}}"]));
    assert_eq!(detail("builder", "builder"), "legacy");
    assert!(detail("images", "count").as_u64().unwrap() > 0);
}

#[test]
fn a_run_without_supervisor_and_client_is_found_and_finished() {
    let mut real = Real::new();
    let id = real.start("print('on', flush=True)\nimport time\ntime.sleep(600)", &[]);
    wait_until("the program has begun", || real.says(&id, "on\n"));
    wait_until("its engine is recorded", || real.job("run", &id).join("begun.json").exists());
    kill(&real, &id);
    let found = report(&real, &[], 1);
    assert_eq!(check(&found, "abandoned-jobs").unwrap()["details"]["jobs"], json!([id]));
    let fixed = report(&real, &["--fix"], 0);
    assert_eq!(fixed["fixes"][0]["id"], id);
    assert_eq!(check(&fixed, "jobs").unwrap()["details"], json!({"count": 1, "running": 1}));
    kill(&real, &id);
    real.docker_says(&["kill", &format!("longshore-{id}")]);
    wait_until("the container has ended", || real.field(&format!("longshore-{id}"), "{{.State.Running}}") == "false");
    let fixed = report(&real, &["--fix"], 0);
    assert_eq!(fixed["fixes"], json!([{"success": true, "message": format!("run {id} is finished"), "id": id}]));
    assert_eq!(real.containers(), Vec::<String>::new());
    assert_eq!(real.wait(&id).0["exitCode"], 137);

    // A run of another state directory is not touched.
    let other = real.finish("print('kept')", &["--keep"]).code(0).json()["id"].as_str().unwrap().to_owned();
    let elsewhere = real.path("elsewhere");
    real.set("XDG_STATE_HOME", elsewhere);
    let fixed = report(&real, &["--fix"], 0);
    assert_eq!(fixed["fixes"], json!([]));
    let strays = check(&fixed, "strays").unwrap()["details"]["containers"].clone();
    assert!(strays.as_array().unwrap().contains(&json!(format!("longshore-{other}"))), "{strays}");
    assert_eq!(real.containers().len(), 1);
}
