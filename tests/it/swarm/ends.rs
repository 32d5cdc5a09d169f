//! How runs on a swarm wait, end and are refused.

use serde_json::{Value, json};

use super::{assert_cleared, await_words, left, status};
use crate::support::real::Real;
use crate::support::remote::Nodes;
use crate::support::wait_until;

/// Says that it runs, and when it is asked to end.
const PATIENT: &str = "\
import signal, sys, time
def end(*_):
    print('asked')
    sys.exit(5)
signal.signal(signal.SIGTERM, end)
print('runs')
time.sleep(600)
";

fn reason(job: &Value) -> String {
    job["reason"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_run_that_fits_on_no_node_is_queued_with_the_reason_and_can_be_cancelled() {
    let manager = Nodes::swarm().world(1);
    let id = manager.start("print('never')", &["--swarm", "--reserve-memory", "500g"]);
    wait_until("it is queued by the swarm", || {
        status(&manager, &id)["waitingFor"] == "a suitable node (insufficient resources on 3 nodes)"
    });
    assert_eq!(status(&manager, &id)["status"], "queued");
    manager.run(&["exec", "stop", &id]).code(0);
    let (job, code) = manager.wait(&id);
    assert_eq!((code, &job["outcome"], &job["exitCode"]), (1, &json!("cancelled"), &Value::Null), "{job:#}");
    assert_eq!((reason(&job).as_str(), &job["log"]), ("ended before a node had started it", &json!("complete")));
    assert_cleared(&manager, &id);
}

#[test]
fn a_manager_is_asked_by_docker_s_commands_where_its_api_cannot_be_reached() {
    let mut manager = Nodes::swarm().world(1);
    let output = manager.path("out");
    manager.wrap_docker("case \" $* \" in *' dial-stdio '*) echo 'unknown command' >&2; exit 1 ;; esac");
    let flags = ["--swarm", "--output", output.to_str().unwrap()];
    let ran = manager.finish("open('output/x', 'w').write('y'); print('said'); raise SystemExit(6)", &flags).code(6);
    let id = ran.json()["exec_id"].as_str().unwrap().to_owned();
    assert_eq!(manager.log(&id), b"said\n");
    assert_eq!(std::fs::read_to_string(output.join("x")).unwrap(), "y");
    assert_cleared(&manager, &id);
    assert!(manager.calls().contains(&"system".to_owned()));
}

#[test]
fn the_log_of_a_run_on_a_swarm_is_kept_to_its_size() {
    let manager = Nodes::swarm().world(1);
    let code = "for n in range(200_000): print(f'line {n:06} ' + 'x' * 37)";
    let job = manager.finish(code, &["--swarm", "--log-max-size", "1m"]).code(0).json();
    assert_eq!((&job["outcome"], &job["log"]), (&json!("succeeded"), &json!("complete")), "{job:#}");
    let id = job["exec_id"].as_str().unwrap();
    let logs = manager.run(&["exec", "logs", "--json", id]).code(0).json();
    let lines = logs["lines"].as_array().unwrap();
    let (first, last) = (lines.first().unwrap().as_str().unwrap(), lines.last().unwrap().as_str().unwrap());
    assert!(first.starts_with("line 1") && last.starts_with("line 199999 "), "{first} {last}");
    // A line has 50 bytes.
    assert_eq!(logs["gone"].as_u64().unwrap() + 50 * lines.len() as u64, 10_000_000);
    assert!(lines.len() <= (1 << 20) / 50, "{}", lines.len());
    assert_cleared(&manager, id);
}

#[test]
fn a_node_is_chosen_by_constraints_and_reservations() {
    let manager = Nodes::swarm().world(1);
    let flags = ["--swarm", "--constraint", "node.role==worker", "--constraint", "node.hostname!=longshore-swarm-2"];
    let flags = [&flags[..], &["--reserve-cpus", "0.5", "--reserve-memory", "32m", "--memory", "64m"]].concat();
    let code =
        "print(open('/etc/hostname').read() != '', open('/sys/fs/cgroup/memory/memory.limit_in_bytes').read().strip())";
    let ran = manager.finish(code, &flags).code(0);
    let id = ran.json()["exec_id"].as_str().unwrap().to_owned();
    assert_eq!(String::from_utf8(manager.log(&id)).unwrap(), "True 67108864\n");
    let node = manager.run(&["exec", "inspect", &id, "--json"]).code(0).json()["NodeID"].as_str().unwrap().to_owned();
    let name = manager.docker_says(&["node", "inspect", "--format", "{{.Description.Hostname}}", &node]);
    assert_eq!(name, "longshore-swarm-3");
}

#[test]
fn stop_and_a_time_limit_end_the_program_and_keep_its_log_code_and_output() {
    let manager = Nodes::swarm().world(1);
    let output = manager.path("out");
    let code = PATIENT.replace("print('asked')", "print('asked'); open('output/late', 'w').write('late')");
    let id = manager.start(&code, &["--swarm", "--output", output.to_str().unwrap()]);
    await_words(&manager, &id, "runs\n");
    manager.run(&["exec", "stop", &id]).code(0);
    let (job, _) = manager.wait(&id);
    assert_eq!((&job["outcome"], &job["exitCode"], &job["log"]), (&json!("cancelled"), &json!(5), &json!("complete")));
    assert_eq!(reason(&job), "ended by longshore exec stop");
    assert_eq!(manager.log(&id), b"runs\nasked\n");
    assert_eq!(std::fs::read_to_string(output.join("late")).unwrap(), "late");
    assert_cleared(&manager, &id);

    let ran = manager.finish(PATIENT, &["--swarm", "--timeout", "2s"]).code(124);
    assert_eq!((&ran.json()["outcome"], &ran.json()["exitCode"]), (&json!("timeout"), &json!(5)));
}

#[test]
fn only_a_manager_takes_runs_and_says_so_at_once() {
    let worker = Nodes::swarm().world(2);
    let ran = worker.run(&worker.run_args(&worker.source(""), &["--swarm"])).code(1);
    assert!(ran.stderr.contains("is no manager of a swarm\nhint: name the context of a manager"), "{}", ran.stderr);
    // The machine's own engine is in no swarm.
    let here = Real::new();
    let ran = here.run(&here.run_args(&here.source(""), &["--swarm"])).code(1);
    assert!(ran.stderr.contains("is no manager of a swarm"), "{}", ran.stderr);
    assert_eq!(worker.run(&["exec", "list", "-q"]).stdout, "");
}

#[test]
fn an_image_that_a_node_has_not_got_is_named_with_the_remedy() {
    let manager = Nodes::swarm().world(1);
    let image = manager.image("alone", &format!("FROM {}\nLABEL {}\nRUN true\n", Real::base(), manager.label()));
    let flags = ["--swarm", "--constraint", "node.role==worker", "--wait", "--json"];
    let ran = manager.run(&manager.run_args_in(&image, &manager.source(""), &flags)).code(125);
    let job = ran.json();
    assert!(reason(&job).starts_with("No such image: sha256:"), "{job:#}");
    let hint = job["hint"].as_str().unwrap();
    assert!(
        hint.contains("push the image to a registry") && hint.contains(&format!("image copy {image} --to")),
        "{hint}"
    );
    assert_cleared(&manager, job["exec_id"].as_str().unwrap());

    let ran = manager.run(&manager.run_args_in("longshore-test-nowhere", &manager.source(""), &["--swarm"])).code(1);
    assert!(ran.stderr.contains("there is no image \"longshore-test-nowhere\""), "{}", ran.stderr);
}

#[test]
fn a_run_on_a_swarm_can_wait_in_a_queue_be_tried_again_and_be_one_of_a_sweep() {
    let manager = Nodes::swarm().world(1);
    let flags = ["--swarm", "--queue", "q", "--retry", "1", "--retry-delay", "0s", "--each", "n=0,1", "--wait"];
    let source = manager.source("import sys; print('number', sys.argv[1]); sys.exit(int(sys.argv[1]))");
    manager.run(&["queue", "set", "q", "--slots", "1"]).code(0);
    let flags = [&flags[..], &["--name", "n{n}", "--", "{n}"]].concat();
    manager.run(&manager.run_args(&source, &flags)).code(1);
    let jobs = manager.run(&["exec", "list", "--json"]).code(0).json();
    let ends: Vec<_> = jobs
        .as_array()
        .unwrap()
        .iter()
        .map(|job| (job["outcome"].clone(), job["attempts"].as_array().map_or(0, Vec::len)))
        .collect();
    assert_eq!(ends, [(json!("failed"), 2), (json!("succeeded"), 0)], "{jobs:#}");
    for job in jobs.as_array().unwrap() {
        assert_cleared(&manager, job["id"].as_str().unwrap());
    }
}

#[test]
fn a_signal_that_a_swarm_cannot_send_is_refused_and_a_forgotten_run_leaves_nothing() {
    let manager = Nodes::swarm().world(1);
    let id = manager.start(PATIENT, &["--swarm"]);
    await_words(&manager, &id, "runs\n");
    let ran = manager.run(&["exec", "kill", "--signal", "USR1", &id]).code(1);
    assert!(ran.stderr.contains("a swarm sends a program only TERM"), "{}", ran.stderr);
    let ran = manager.run(&["exec", "stop", "--timeout", "60", &id]).code(1);
    assert!(ran.stderr.contains("a swarm kills it after 10 s"), "{}", ran.stderr);
    for verb in ["top", "stats"] {
        let ran = manager.run(&["exec", verb, &id]).code(1);
        assert!(ran.stderr.contains("its container is on a node of a swarm"), "{verb}: {}", ran.stderr);
    }
    let listed = manager.run(&["container", "list", "--json"]).code(0).json();
    let ours = manager.docker_says(&["ps", "-q", "--no-trunc", "--filter", &format!("label=longshore.run={id}")]);
    let marked = listed.as_array().unwrap().iter().filter(|object| object["Longshore"]["id"] == id.as_str()).count();
    assert_eq!(marked, ours.lines().count(), "{listed:#}");
    assert!(!left(&manager, &id).is_empty());
    manager.run(&["exec", "kill", &id]).code(0);
    manager.wait(&id);
    manager.run(&["exec", "forget", &id]).code(0);
    assert_cleared(&manager, &id);
}
