//! On the real engine: usage and processes of runs, several logs, and `container` verbs by a run's name.

use serde_json::Value;

use crate::support::real::Real;
use crate::support::schema;
use crate::support::wait_until;

const SLEEP: &str = "import time; print('on', flush=True); time.sleep(600)";

/// A run that has said `on`.
fn running(real: &Real, name: &str) -> String {
    let id = real.start(SLEEP, &["--name", name]);
    wait_until("it is on", || real.says(&id, "on"));
    id
}

#[test]
fn usage_and_processes_are_those_of_the_run() {
    let real = Real::new();
    let id = running(&real, "train");
    let other = real.running("other");
    let stats = real.run(&["exec", "stats", "--no-stream", "--json", "train"]).code(0);
    assert_eq!(stats.stderr, "");
    let rows = stats.json();
    let run = serde_json::json!({"id": id, "name": "train"});
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["Longshore"]), (1, &run));
    assert!(rows[0]["memoryUsageBytes"].as_u64() > Some(0), "{rows}");
    let all = real.run(&["exec", "stats", "--no-stream", "--json"]).code(0).json();
    let ours = |row: &&Value| row["Longshore"] == run;
    assert_eq!(all.as_array().unwrap().iter().filter(ours).count(), 1, "{all}");
    assert!(all.as_array().unwrap().iter().all(|row| row["ID"] != other.as_str()), "{all}");
    let table = real.run(&["exec", "stats", "--no-stream", &id]).code(0).stdout;
    assert!(table.lines().nth(1).unwrap().starts_with("train "), "{table}");

    let top = schema::validated("exec-top", real.run(&["exec", "top", "train", "--json"]).code(0).json());
    let theirs = real.docker_py(&format!("c.top('longshore-{id}')"));
    assert_eq!(top["Titles"], theirs["Titles"]);
    let commands = |of: &Value| {
        let rows = of["Processes"].as_array().unwrap();
        rows.iter().map(|row| row.as_array().unwrap().last().unwrap().clone()).collect::<Vec<_>>()
    };
    assert_eq!(commands(&top), commands(&theirs));
    assert_eq!(top["Longshore"]["id"], id.as_str());
    let text = real.run(&["exec", "top", &id, "--", "-o", "pid,args"]).code(0).stdout;
    assert!(text.starts_with("PID") && text.contains("main.py"), "{text}");
    let refused = real.run(&["exec", "top", &id, "--", "--no-such-option"]).code(1).stderr;
    assert!(refused.starts_with(&format!("error: could not list the processes of run {id}: ")), "{refused}");

    real.run(&["exec", "stop", "-t", "0", "train"]).code(0);
    for verb in [["exec", "top", "train"], ["exec", "stats", "train"]] {
        let ran = real.run(&verb).code(1);
        assert_eq!(ran.stderr, format!("error: run {id} is not running (cancelled (143))\n"), "{verb:?}");
    }
}

#[test]
fn a_run_is_a_container_wherever_one_is_meant_and_dockers_own_names_come_first() {
    let real = Real::new();
    let name = real.name("train");
    let id = running(&real, &name);
    let container = real.container(&["inspect", &name]).code(0).json()["Id"].as_str().unwrap().to_owned();
    assert_eq!(container, real.field(&format!("longshore-{id}"), "{{.Id}}"));
    assert_eq!(real.container(&["inspect", &id]).code(0).json()["Id"], container.as_str());
    assert_eq!(real.container(&["logs", &name]).code(0).stdout, "on\n");
    assert_eq!(real.container(&["changes", &name]).code(0).stderr, "");
    assert!(real.container(&["stats", "--no-stream", &name]).code(0).stdout.contains(&format!("longshore-{id}")));
    let refused = real.container(&["rm", &name]).code(1).stderr;
    assert!(refused.contains(&format!("belongs to run {id}")), "{refused}");
    // From now on docker has a container of that name.
    let other = real.created("train");
    assert_eq!(real.container(&["inspect", &name]).code(0).json()["Id"], other.as_str());
    real.docker_says(&["rm", &other]);
    assert_eq!(real.container(&["kill", &name]).code(0).stdout, format!("{name}\n"));
    assert_eq!(real.wait(&id).1, 137);
    wait_until("the container is removed", || !real.docker(&["inspect", &container]).status.success());
    let gone = real.container(&["logs", &name]).code(1).stderr;
    assert!(gone.starts_with(&format!("error: run {id} has no container on this engine\nhint: ")), "{gone}");
    let near = real.container(&["logs", &format!("{name}x")]).code(1).stderr;
    assert!(near.contains(&format!("did you mean the run {name:?}?")), "{near}");
}

#[test]
fn several_logs_are_whole() {
    let real = Real::new();
    let code = "import sys\nfor i in range(2000): print(sys.argv[1], i)";
    let ids = ["a", "b", "c"].map(|name| real.start(code, &["--name", name, "--", name]));
    let shown = real.run(&["exec", "logs", "-f", "--exit-code", "a", "b", "c"]).code(0).stdout;
    assert_eq!(shown.lines().count(), 6000);
    for (id, name) in ids.iter().zip(["a", "b", "c"]) {
        let lines = shown.lines().filter_map(|line| line.strip_prefix(&format!("{name} | ")));
        let expected = String::from_utf8(real.log(id)).unwrap();
        assert_eq!(lines.map(|line| format!("{line}\n")).collect::<String>(), expected);
    }
}
