//! `container list` beside the Engine's `/containers/json`.

use serde_json::Value;

use crate::support::real::{Client, Real, assert_same};
use crate::support::snapshots::snapshot;

/// Containers in every state, with every kind of port, label, mount and network.
fn all_kinds(real: &Real) {
    let (name, label) = (|short: &str| real.name(short), real.label());
    real.docker_says(&["network", "create", "--label", &label, &name("net")]);
    real.docker_says(&["network", "create", "--label", &label, &name("second")]);
    real.docker_says(&["volume", "create", "--label", &label, &name("volume")]);
    let bind = real.path("home").display().to_string();
    let sleep = ["sleep", "600"];
    let run = ["run", "-d"];

    let ports = ["-p", "127.0.0.1::80", "-p", "127.0.0.1::53/udp", "-p", "81", "--expose", "9999", "--expose", "7/udp"];
    real.docker_made(&run, "ports", &ports, &sleep);
    let labels = ["--label", "a=1,2=3,b", "--label", "empty=", "--label", "json={\"a\": \"b,c\"}", "--label", "bare"];
    real.docker_made(&run, "labels", &labels, &sleep);
    let mounts = [
        "-v",
        &format!("{}:/volume:nocopy", name("volume")),
        "-v",
        &format!("{bind}:/bind:ro"),
        "-v",
        "/anonymous",
        "--mount",
        "type=volume,target=/nameless",
        "--mount",
        "type=tmpfs,target=/scratch",
        "--mount",
        &format!("type=volume,source={},target=/second", name("volume")),
    ];
    real.docker_made(&run, "mounts", &mounts, &sleep);
    real.docker_made(&run, "member", &["--network", &name("net"), "--network-alias", "database"], &sleep);
    real.docker_says(&["network", "connect", "--alias", "other", &name("second"), &name("member")]);
    real.docker_made(&run, "linked", &["--link", &format!("{}:peer", name("ports"))], &sleep);
    real.docker_made(&run, "shared", &["--network", &format!("container:{}", name("member"))], &sleep);
    real.docker_made(&run, "alone", &["--network", "none"], &sleep);
    real.docker_made(&run, "healthy", &["--health-cmd", "true", "--health-interval", "10m"], &sleep);
    real.docker_made(&run, "paused", &[], &sleep);
    real.docker_says(&["pause", &name("paused")]);
    real.finished("failed", "exit 3");
    real.docker_made(&["create"], "lender", &["-v", "/nameless", "-v", &format!("{}:/volume", name("volume"))], &sleep);
    real.docker_made(&run, "borrower", &["--volumes-from", &name("lender")], &sleep);
    let by_id = real.docker_says(&["image", "inspect", "--format", "{{.Id}}", &Real::base()]);
    real.docker_says(&["create", "--name", &name("created"), "--label", &label, "-p", "8080", &by_id, "echo"]);
    real.docker_made(
        &["create"],
        "words",
        &["--entrypoint", "/bin/sh"],
        &["-c", "echo 'a b'\n\techo \"$1\"", "", "x y"],
    );
}

/// Without what moves on by itself (seconds), in one order where the engine has none, and without what is ours.
fn settled(mut list: Value) -> Value {
    for container in list.as_array_mut().unwrap() {
        let status = container["Status"].as_str().unwrap();
        let words: Vec<&str> = status.split(' ').collect();
        let moving = ["Less", "than", "About", "a", "an", "second", "seconds", "minute", "minutes"];
        let kept = words.iter().filter(|word| !moving.contains(word) && word.parse::<u32>().is_err());
        container["Status"] = kept.copied().collect::<Vec<_>>().join(" ").into();
        for (list, key) in [("Ports", "PrivatePort"), ("Mounts", "Destination"), ("Names", "")] {
            let list = container[list].as_array_mut().unwrap();
            list.sort_by_key(|item| {
                (if key.is_empty() { 0 } else { item[key].as_u64().unwrap_or(0) }, item.to_string())
            });
        }
        container.as_object_mut().unwrap().remove("Longshore");
    }
    list
}

/// For [`Real::wrap_docker`]: no `system dial-stdio`, so that lists are made of what `ps` and `inspect` say.
pub const NO_DIAL: &str = "if [ \"$verb\" = system ]; then echo 'unknown command' >&2; exit 1; fi";

#[test]
fn a_list_is_the_engines_own_field_by_field() {
    let mut real = Real::new();
    all_kinds(&real);
    let filter = real.filter();
    let theirs = |all: &str| {
        settled(real.docker_py(&format!("c.containers(all={all}, filters={{'label': '{}'}})", real.label())))
    };
    let (theirs, theirs_running) = (theirs("True"), theirs("False"));
    assert_eq!((theirs.as_array().unwrap().len(), theirs_running.as_array().unwrap().len()), (14, 10));
    for (docker, calls) in [("", &["system"][..]), (NO_DIAL, &["system", "ps", "container"])] {
        real.wrap_docker(docker);
        let listed = real.container(&["list", "--json", "-a", "--filter", &filter]).code(0);
        assert_eq!(real.calls(), calls);
        assert_eq!(listed.stderr, "");
        assert_same(&settled(listed.json()), &theirs);
        assert_ports_are_sorted(&listed.json());
        let running = real.container(&["list", "--json", "--filter", &filter]).code(0).json();
        assert_same(&settled(running), &theirs_running);
        real.calls();
    }
    real.unwrap_docker();

    let listed = real.container(&["list", "--json", "-a", "--filter", &filter]).code(0);
    let ids: Vec<&str> = listed.stdout.lines().filter_map(|line| line.trim().strip_prefix("\"Id\": \"")).collect();
    let ids: String = ids.iter().map(|id| format!("{}\n", id.trim_end_matches("\","))).collect();
    let quiet = real.container(&["list", "-a", "-q", "--no-trunc", "--filter", &filter]).code(0);
    assert_eq!((quiet.stdout, quiet.stderr), (ids, String::new()));

    let exited = real.container(&["list", "-a", "--json", "--status", "exited", "--filter", &filter]).json();
    assert_eq!(exited.as_array().unwrap().len(), 1);
    assert_eq!(exited[0]["State"], "exited");
}

#[track_caller]
fn assert_ports_are_sorted(list: &Value) {
    for container in list.as_array().unwrap() {
        let ports: Vec<u64> =
            container["Ports"].as_array().unwrap().iter().map(|port| port["PrivatePort"].as_u64().unwrap()).collect();
        assert!(ports.is_sorted(), "{ports:?}");
    }
}

#[test]
fn every_client_asks_the_engine_itself() {
    for client in [Client::Legacy, Client::BuildkitOld, Client::Buildx] {
        let mut real = Real::with(client);
        let id = real.created("a");
        real.created("b");
        real.wrap_docker("");
        let filter = real.filter();
        let listed = real.container(&["list", "--json", "-n", "2", "--filter", &filter]).code(0).json();
        assert_eq!(listed.as_array().unwrap().len(), 2, "--last includes containers that are not running");
        let name = format!("name=^/{}$", real.name("a"));
        let one = real.container(&["list", "-a", "--json", "--filter", &filter, "--filter", &name]).code(0).json();
        assert_eq!((one.as_array().unwrap().len(), one[0]["Id"].as_str()), (1, Some(id.as_str())));
        assert_eq!(real.calls(), ["system", "system"], "{client:?}");
    }
}

/// A docker whose `system dial-stdio` runs this instead.
fn dials(script: &str) -> String {
    format!("if [ \"$verb\" = system ]; then {script}; fi")
}

#[test]
fn an_answer_of_the_api_that_cannot_be_used_is_made_up_for_without_a_word() {
    let mut real = Real::new();
    real.created("a");
    let filter = real.filter();
    let list = ["list", "-a", "--json", "--filter", &filter];
    let expected = settled(real.container(&list).code(0).json());
    let whole = "HTTP/1.0 200 OK\\r\\n\\r\\n[]";
    let says = |answer: &str| dials(&format!("printf '{answer}'; exit 0"));
    let cases = [
        ("no such command", NO_DIAL.to_owned()),
        ("nothing", says("")),
        ("garbage", says("what?")),
        ("an error", says("HTTP/1.0 500 Internal Server Error\\r\\n\\r\\n{\"message\": \"no\"}")),
        ("cut by its length", says("HTTP/1.0 200 OK\\r\\nContent-Length: 3\\r\\n\\r\\n[]")),
        ("cut in its text", says("HTTP/1.0 200 OK\\r\\n\\r\\n[{\"Id\": \"a\"}, ")),
        ("another document", says("HTTP/1.0 200 OK\\r\\n\\r\\n{\"message\": \"no\"}")),
        ("a list of something else", says("HTTP/1.0 200 OK\\r\\n\\r\\n[1]")),
        (
            "a huge header",
            dials(
                "printf 'HTTP/1.0 200 OK\\r\\nX: '; head -c 70000 /dev/zero | tr '\\0' x; printf '\\r\\n\\r\\n[]'; exit 0",
            ),
        ),
        ("a status of its own", dials(&format!("printf '{whole}'; exit 1"))),
        ("a death", dials(&format!("printf '{whole}'; kill -9 $$"))),
    ];
    for (case, script) in cases {
        real.wrap_docker(&script);
        let listed = real.container(&list).code(0);
        assert_eq!(listed.stderr, "", "{case}");
        assert_eq!(settled(listed.json()), expected, "{case}");
        assert_eq!(real.calls(), ["system", "ps", "container"], "{case}");
    }
    // The same answer, whole, is believed.
    real.wrap_docker(&says(whole));
    assert_eq!(real.container(&list).code(0).json(), serde_json::json!([]));
    assert_eq!(real.calls(), ["system"]);
}

#[test]
fn an_api_that_does_not_answer_is_given_up_before_the_list_is() {
    let mut real = Real::new();
    real.created("a");
    let filter = real.filter();
    real.set("LONGSHORE_DOCKER_TIMEOUT", "10s");
    real.wrap_docker(&dials("exec sleep 600"));
    let listed = real.container(&["list", "-a", "--json", "--filter", &filter]).code(0);
    assert_eq!((listed.json().as_array().unwrap().len(), listed.stderr.as_str()), (1, ""));
    assert_eq!(real.calls(), ["system", "ps", "container"]);
}

#[test]
fn a_filter_that_fits_no_request_is_left_to_docker() {
    let mut real = Real::new();
    real.created("a");
    real.wrap_docker("");
    let filter = real.filter();
    let long = format!("label!={}", "x".repeat(5000));
    let listed = real.container(&["list", "-a", "--json", "--filter", &filter, "--filter", &long]);
    assert_eq!(real.calls()[0], "ps", "{}", listed.stderr);
    let ran = real.container(&["list", "-a", "--json", "--filter", "colour"]).code(1);
    assert_eq!(real.calls()[0], "ps");
    assert!(ran.stderr.contains("bad format of filter"), "{}", ran.stderr);
}

#[test]
fn an_empty_list_is_an_empty_array_and_a_header() {
    let real = Real::new();
    let filter = real.filter();
    let listed = real.container(&["list", "-a", "--json", "--filter", &filter]).code(0);
    assert_eq!((listed.stdout.as_str(), listed.stderr.as_str()), ("[]\n", ""));
    let table = real.container(&["list", "-a", "--filter", &filter]).code(0);
    assert_eq!(
        (table.stdout.as_str(), table.stderr.as_str()),
        ("CONTAINER  NAMES  RUN  IMAGE  STATUS  PORTS  CREATED  COMMAND\n", "")
    );
    let quiet = real.container(&["list", "-a", "-q", "--filter", &filter]).code(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
}

#[test]
fn two_hundred_containers_take_one_engine_call() {
    let mut real = Real::new();
    let (label, base) = (real.label(), Real::base());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..COUNT / 8 {
                    real.docker_says(&["create", "--label", &label, &base, "true"]);
                }
            });
        }
    });
    real.wrap_docker("");
    let filter = real.filter();
    let listed = real.container(&["list", "-a", "--json", "--filter", &filter]).code(0).json();
    assert_eq!(listed.as_array().unwrap().len(), COUNT);
    assert_eq!(real.calls(), ["system"]);
    let table = real.container(&["list", "-a", "--filter", &filter]).code(0);
    assert_eq!(table.stdout.lines().count(), COUNT + 1);
    assert_eq!(real.calls(), ["ps"]);
    real.container(&["list", "-a", "-q", "--filter", &filter]).code(0);
    assert_eq!(real.calls(), ["ps"]);
}

const COUNT: usize = 200;

#[test]
fn a_list_marks_the_containers_of_our_runs() {
    let real = Real::new();
    real.write("src/main.py", "print('hi')");
    let (label, base) = (real.label(), Real::base());
    let run =
        ["exec", "run", "--image", &base, "--src", "src", "--main", "main.py", "--label", &label, "--name", "tally"];
    let id = real.run(&[&run[..], &["--keep", "--wait"]].concat()).code(0).id();
    let id = id.lines().next().unwrap();
    real.created("plain");
    let filter = real.filter();
    let listed = real.container(&["list", "-a", "--json", "--filter", &filter]).code(0).json();
    let marks: Vec<&Value> = listed.as_array().unwrap().iter().map(|container| &container["Longshore"]).collect();
    assert_eq!(*marks[0], Value::Null);
    assert_eq!(*marks[1], serde_json::json!({"id": id, "name": "tally", "image": base}));
    let table = real.container(&["list", "-a", "--filter", &filter]).code(0).stdout;
    let lines: Vec<&str> = table.lines().collect();
    let headings: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(headings, ["CONTAINER", "NAMES", "RUN", "IMAGE", "STATUS", "CREATED", "COMMAND"]);
    let has = |line: &str, word: &str| line.split_whitespace().any(|each| each == word);
    assert!(has(lines[2], "tally") && !has(lines[1], "tally"), "{table}");

    // Its removal is a matter of the run's.
    let container = listed[1]["Names"][0].as_str().unwrap().trim_start_matches('/');
    let refused = real.container(&["rm", container]).code(1);
    snapshot!(real, refused);
    assert_eq!(real.field(container, "{{.State.Status}}"), "exited");
    let removed = real.container(&["rm", "-f", container]).code(0);
    assert_eq!((removed.stdout, removed.stderr), (format!("{container}\n"), String::new()));
    assert!(!real.docker(&["inspect", container]).status.success());
}

/// What `container list` says of a container under RUN, and under `Longshore` in JSON.
fn marks(real: &Real, name: &str) -> (bool, Value) {
    let filter = format!("name=^{name}$");
    let table = real.container(&["list", "-a", "--filter", &filter]).code(0).stdout;
    let listed = real.container(&["list", "-a", "--json", "--filter", &filter]).code(0).json();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{name}");
    (table.lines().next().unwrap().contains(" RUN "), listed[0]["Longshore"].clone())
}

#[test]
fn a_container_with_an_inherited_label_is_no_run() {
    let real = Real::new();
    let (base, label, image, committed) = (real.own_base(), real.label(), real.name("web"), real.name("committed"));
    real.run(&["image", "create", &image, "--base", &base, "--run", "true", "--label", &label, "--wait"]).code(0);
    let source = real.source("print('hi')");
    let run = real.run(&real.run_args_in(&image, &source, &["--keep", "--wait"])).code(0).id();
    let run = run.lines().next().unwrap();
    // `docker commit` copies the labels of the container, and so does every container made from that image.
    real.docker_says(&["commit", &format!("longshore-{run}"), &committed]);
    for (short, image) in [("of-image", &image), ("of-commit", &committed)] {
        let name = real.name(short);
        real.docker_says(&["create", "--name", &name, "--label", &label, image, "true"]);
        let labels = real.field(&name, "{{json .Config.Labels}}");
        assert!(labels.contains("longshore.job"), "{labels}");
        assert_eq!(labels.contains("longshore.run"), short == "of-commit", "{labels}");
        assert_eq!(marks(&real, &name), (false, Value::Null), "{short}");
        let removed = real.container(&["rm", &name]).code(0);
        assert_eq!((removed.stdout, removed.stderr), (format!("{name}\n"), String::new()));
    }
    // The run's own container is one under any name.
    let renamed = real.name("renamed");
    for name in [format!("longshore-{run}"), renamed.clone()] {
        assert_eq!(marks(&real, &name).1["id"], run);
        assert!(marks(&real, &name).0);
        real.container(&["rm", &name]).code(1);
        let _ = real.docker(&["rename", &name, &renamed]);
    }
    real.run(&["exec", "forget", run]).code(0);
    let refused = real.container(&["rm", &renamed]);
    assert_eq!(refused.code, 0, "the source directory of a forgotten run is not known: {}", refused.stderr);
}

#[test]
fn the_container_of_a_run_of_another_state_directory_is_refused_without_a_hint_to_forget_it() {
    let real = Real::new();
    let digits: Vec<char> = real.label().chars().filter(char::is_ascii_digit).collect();
    let id: String = digits[digits.len() - 12..].iter().collect();
    let name = format!("longshore-{id}");
    for label in ["longshore.run", "longshore.job"] {
        let labels = [real.label(), format!("{label}={id}")];
        real.docker_says(&[
            "create",
            "--name",
            &name,
            "--label",
            &labels[0],
            "--label",
            &labels[1],
            &Real::base(),
            "true",
        ]);
        assert_eq!(marks(&real, &name), (true, serde_json::json!({"id": id, "name": null, "image": Real::base()})));
        let refused = real.container(&["rm", &name]).code(1);
        assert_eq!(
            refused.stderr,
            format!(
                "error: container {name} belongs to run {id}\n\
                 hint: the run is in another state directory; remove its container with -f\n"
            )
        );
        real.container(&["rm", "-f", &name]).code(0);
    }
}

#[test]
fn an_engine_that_goes_away_between_the_two_calls_is_no_empty_list() {
    let mut real = Real::new();
    real.created("a");
    let down = "if [ \"$verb\" != ps ]; then echo '[]'; echo 'it went away' >&2; exit 1; fi";
    real.wrap_docker(&format!("{NO_DIAL}\n{down}"));
    let filter = real.filter();
    let ran = real.container(&["list", "-a", "--json", "--filter", &filter]).code(1);
    assert_eq!(ran.json()["error"]["kind"], "engine-unreachable");
    // One that was removed meanwhile is no failure.
    let gone = "if [ \"$verb\" = container ]; then echo '[]'; echo 'Error: No such container' >&2; exit 1; fi";
    real.wrap_docker(&format!("{NO_DIAL}\n{gone}"));
    assert_eq!(real.container(&["list", "-a", "--json", "--filter", &filter]).code(0).json(), serde_json::json!([]));
}
