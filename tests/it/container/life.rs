//! `container start`, `stop`, `restart`, `kill` and `rm`.

use serde_json::json;

use crate::support::real::Real;
use crate::support::wait_until;

const STATUS: &str = "{{.State.Status}}";

#[test]
fn start_and_stop_say_whether_they_changed_anything() {
    let real = Real::new();
    let (id, name) = (real.created("a"), real.name("a"));
    let ran = real.container(&["start", &name]).code(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (format!("{name}\n").as_str(), ""));
    assert_eq!(real.field(&id, STATUS), "running");
    let ran = real.container(&["start", &name]).code(0);
    assert_eq!((ran.stdout, ran.stderr), (format!("{name}\n"), format!("note: {name} was already running\n")));

    let prefix = &id[..10];
    let ran = real.container(&["stop", prefix]).code(0);
    assert_eq!((ran.stdout, ran.stderr), (format!("{prefix}\n"), String::new()));
    assert_eq!(real.field(&id, "{{.State.Status}} {{.State.ExitCode}}"), "exited 0");
    let ran = real.container(&["stop", "--json", &name]).code(0);
    assert_eq!(ran.stderr, format!("note: {name} was not running\n"));
    assert_eq!(ran.json(), json!({"success": true, "Id": id, "Name": name, "changed": false}));
    let ran = real.container(&["start", "--json", &name]).code(0);
    assert_eq!(ran.json(), json!({"success": true, "Id": id, "Name": name, "changed": true}));
}

#[test]
fn restart_interrupts_what_runs_and_starts_what_does_not() {
    let real = Real::new();
    let id = real.running("a");
    let before = real.field(&id, "{{.State.Pid}}");
    let ran = real.container(&["restart", "-t", "5", &id]).code(0);
    assert_eq!((ran.stdout, ran.stderr), (format!("{id}\n"), String::new()));
    assert_eq!(real.field(&id, STATUS), "running");
    assert_ne!(real.field(&id, "{{.State.Pid}}"), before);
    let other = real.created("b");
    assert_eq!(real.container(&["restart", "--time", "0", &other]).code(0).stdout, format!("{other}\n"));
    assert_eq!(real.field(&other, STATUS), "running");

    let help = real.run(&["container", "restart", "--help"]).code(0).stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("The difference between start and restart:"), "{help}");
    for word in ["It does not change one that is running", "stops a running container first"] {
        assert!(help.contains(word), "{help}");
    }
}

#[test]
fn stop_waits_for_its_timeout_and_kill_does_not_wait() {
    let real = Real::new();
    let deaf = ["sh", "-c", "trap '' TERM; trap 'exit 7' USR1; echo ready; while :; do sleep 0.1; done"];
    let id = real.docker_made(&["run", "-d"], "a", &[], &deaf);
    wait_until("it listens to signals", || real.docker_says(&["logs", &id]) == "ready");
    let begun = std::time::Instant::now();
    real.container(&["stop", "-t", "1", &id]).code(0);
    assert!((900..5000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    assert_eq!(real.field(&id, "{{.State.ExitCode}}"), "137");

    for verb in ["stop", "restart"] {
        let id = real.running(verb);
        let ran = real.container(&[verb, "-t", "-1", &id]).code(0);
        assert_eq!((ran.stdout, ran.stderr), (format!("{id}\n"), String::new()), "a grace without end is long enough");
    }

    // Each start says it once more, and the log keeps the starts before.
    let starts = || real.docker_says(&["logs", &id]).lines().count();
    for signal in ["USR1", "SIGUSR1", "10"] {
        let before = starts();
        real.docker_says(&["start", &id]);
        wait_until("it listens to signals", || starts() > before);
        let ran = real.container(&["kill", "-s", signal, &id]).code(0);
        assert_eq!((ran.stdout, ran.stderr), (format!("{id}\n"), String::new()));
        assert_eq!(real.docker_says(&["wait", &id]), "7");
    }
    real.docker_says(&["start", &id]);
    real.container(&["kill", &id]).code(0);
    assert_eq!(real.docker_says(&["wait", &id]), "137");
    // As docker has it, and in its words.
    let ran = real.container(&["kill", &id]).code(1);
    assert!(ran.stderr.contains("is not running"), "{}", ran.stderr);
    let ran = real.container(&["kill", "-s", "NOSUCH", &id]).code(2);
    assert!(ran.stderr.contains("NOSUCH"), "{}", ran.stderr);
}

#[test]
fn of_several_containers_each_is_done_and_any_failure_exits_with_1() {
    let real = Real::new();
    real.created("a");
    real.created("b");
    let (a, b) = (real.name("a"), real.name("b"));
    for verb in ["start", "restart", "stop", "rm"] {
        let ran = real.container(&[verb, &a, "no-such-container", &b]).code(1);
        assert_eq!(ran.stdout, format!("{a}\n{b}\n"), "{verb}");
        assert!(ran.stderr.contains("error: there is no container \"no-such-container\"\n"), "{verb}: {}", ran.stderr);
        assert_eq!(ran.stderr.matches("error:").count(), 1, "{verb}: {}", ran.stderr);
    }
    let (c, d) = (real.created("c"), real.created("d"));
    let ran = real.container(&["start", "--json", &c, "no-such-container", &d]).code(1);
    let rows = ran.json();
    assert_eq!(rows[0]["Id"], c);
    assert_eq!(rows[1]["error"]["kind"], "not-found");
    assert_eq!(rows[2]["Name"], real.name("d"));
    let ran = real.container(&["kill", &c, &d]).code(0);
    assert_eq!(ran.stdout, format!("{c}\n{d}\n"));
}

#[test]
fn rm_leaves_a_running_container_alone_unless_forced() {
    let real = Real::new();
    let id = real.running("a");
    let ran = real.container(&["rm", &id]).code(1);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.starts_with(&format!("error: could not remove container \"{id}\"")), "{}", ran.stderr);
    assert!(ran.stderr.contains("running container"), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("hint: stop it first, or remove it with -f\n"), "{}", ran.stderr);
    assert_eq!(real.field(&id, STATUS), "running");
    assert_eq!(real.container(&["rm", "-f", &id]).code(0).stdout, format!("{id}\n"));

    let volumes = || real.docker_says(&["volume", "ls", "--quiet"]);
    let id = real.docker_made(&["create"], "b", &["-v", "/data"], &["true"]);
    let volume = real.field(&id, "{{(index .Mounts 0).Name}}");
    assert!(volumes().contains(&volume));
    real.container(&["rm", "-v", &id]).code(0);
    assert!(!volumes().contains(&volume));
}

#[test]
fn a_missing_container_and_a_missing_engine_are_different_errors() {
    let mut real = Real::new();
    let one = ["start", "restart", "stop", "kill", "rm", "inspect", "logs", "changes", "export", "stats"];
    for verb in one {
        let ran = real.container(&[verb, "no-such-container"]);
        assert!(
            ran.stderr.starts_with("error: there is no container \"no-such-container\"\n"),
            "{verb}: {}",
            ran.stderr
        );
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{verb}");
        // Of `stats` alone it means all.
        assert!(verb == "stats" || real.container(&[verb]).code == 2, "{verb}");
    }
    real.set("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let base = Real::base();
    let none: [&[&str]; 14] = [
        &["start", "x"],
        &["restart", "x"],
        &["stop", "x"],
        &["kill", "x"],
        &["rm", "x"],
        &["inspect", "x"],
        &["logs", "x"],
        &["changes", "x"],
        &["export", "x", "-o", "x.tar"],
        &["stats", "x"],
        &["list"],
        &["create", "--image", &base],
        &["stats", "--no-stream"],
        &["stats"],
    ];
    for args in none {
        let ran = real.container(&[args, &["--json"]].concat()).code(1);
        assert_eq!(ran.json()["error"]["kind"], "engine-unreachable", "{args:?}");
        assert!(ran.stderr.contains("no docker engine answers at unix:///nowhere/docker.sock"), "{}", ran.stderr);
    }
    assert!(!real.path("x.tar").exists());
}
