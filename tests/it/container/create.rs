//! `container create`, from flags and from the Engine API's body.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::real::{Real, given, python_file};
use crate::support::snapshots::snapshot;

#[test]
fn flags_make_a_container_and_its_id_is_all_that_is_printed() {
    let real = Real::new();
    let (name, label, base) = (real.name("web"), real.label(), Real::base());
    let bind = format!("{}:/home-of:ro", real.path("home").display());
    let args = [
        "create",
        "--name",
        &name,
        "--image",
        &base,
        "--label",
        &label,
        "-e",
        "MODE=a=b c",
        "-e",
        "HOME",
        "-p",
        "127.0.0.1:18099:80",
        "-v",
        &bind,
        "--mount",
        "type=tmpfs,target=/scratch",
        "--entrypoint",
        "/bin/echo",
        "--",
        "-n",
        "two words",
        "",
    ];
    let ran = real.container(&args).code(0);
    assert_eq!(ran.stderr, "");
    let made = real.docker_py_inspect(&name);
    assert_eq!(ran.stdout, format!("{}\n", made["Id"].as_str().unwrap()));
    assert_eq!(made["Path"], "/bin/echo");
    assert_eq!(made["Args"], json!(["-n", "two words", ""]));
    let env = made["Config"]["Env"].as_array().unwrap();
    assert!(env.contains(&json!("MODE=a=b c")));
    assert!(env.contains(&json!(format!("HOME={}", real.path("home").display()))), "{env:?}");
    assert_eq!(made["HostConfig"]["PortBindings"], json!({"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18099"}]}));
    assert_eq!(made["HostConfig"]["Binds"], json!([bind]));
    assert_eq!(made["HostConfig"]["Mounts"][0]["Target"], "/scratch");
    assert_eq!(made["State"]["Status"], "created");

    let again = real.container(&args).code(1);
    assert_eq!(again.stdout, "");
    assert!(again.stderr.contains("already in use"), "{}", again.stderr);
}

#[test]
fn the_api_body_makes_the_container_and_flags_win_over_it() {
    let real = Real::new();
    let mut labels = real.labels();
    labels["x"] = "1,2=3".into();
    let body = json!({
        "Image": "not-this-one", "Cmd": ["no"], "Env": ["A=1", "B=2"],
        "Labels": labels,
        "HostConfig": {"Memory": 64 << 20, "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}},
    });
    real.write("body.json", body.to_string());
    let flags = ["create", "--spec", "body.json", "--image", &Real::base(), "-e", "B=3", "--json", "--", "echo", "yes"];
    let ran = real.container(&flags).code(0);
    let made = real.docker_py_inspect(ran.json()["Id"].as_str().unwrap());
    assert_eq!(ran.json(), json!({"Id": made["Id"], "Warnings": []}));
    assert_eq!((&made["Path"], &made["Args"]), (&json!("echo"), &json!(["yes"])));
    assert_eq!(made["Config"]["Labels"]["x"], "1,2=3");
    assert_eq!(made["HostConfig"]["Memory"], 64 << 20);
    let env = made["Config"]["Env"].as_array().unwrap();
    assert!(env.contains(&json!("A=1")) && env.contains(&json!("B=3")) && !env.contains(&json!("B=2")), "{env:?}");
}

/// The body that the contract shows, on the base image.
fn the_contracts_example_body(real: &Real) -> Value {
    json!({
        "Hostname": "", "Domainname": "", "User": "", "AttachStdin": false, "AttachStdout": false, "AttachStderr": false,
        "Tty": true, "OpenStdin": true, "StdinOnce": false, "Image": Real::base(), "Env": ["POSTGRES_PASSWORD=gk"],
        "Cmd": ["postgres"], "Entrypoint": ["docker-entrypoint.sh"], "Volumes": {"/var/lib/postgresql/data": {}},
        "WorkingDir": "", "NetworkDisabled": false, "MacAddress": "", "ExposedPorts": {"5432/tcp": {}},
        "HostConfig": {
            "PortBindings": {"5432/tcp": [{"HostIp": "", "HostPort": "5432"}]},
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}, "ConsoleSize": [49, 188],
        },
        "NetworkSettings": {"Ports": {
            "5432/tcp": [{"HostIp": "0.0.0.0", "HostPort": "5432"}, {"HostIp": "::", "HostPort": "5432"}],
        }},
        "Labels": real.labels(),
    })
}

#[test]
fn the_contracts_example_body_works_and_ignored_keys_are_noted() {
    let real = Real::new();
    let name = real.name("postgres");
    let body = the_contracts_example_body(&real).to_string();
    let ran = real.run_with(&["container", "create", &name, "--spec", "-"], body.as_bytes()).code(0);
    snapshot!(real, ran);
    let made = real.docker_py_inspect(&name);
    assert_eq!(made["Path"], "docker-entrypoint.sh");
    assert_eq!(made["Args"], json!(["postgres"]));
    assert_eq!(made["Config"]["Tty"], true);
    assert_eq!(made["Config"]["OpenStdin"], true);
    assert_eq!(made["Config"]["Volumes"], json!({"/var/lib/postgresql/data": {}}));
    assert_eq!(made["HostConfig"]["PortBindings"], json!({"5432/tcp": [{"HostIp": "", "HostPort": "5432"}]}));
    assert_eq!(made["HostConfig"]["RestartPolicy"]["Name"], "no");
}

#[test]
fn a_body_with_a_key_that_docker_cannot_express_is_refused_by_the_keys_name() {
    let mut real = Real::new();
    real.wrap_docker("");
    let refused = |body: &str| {
        let ran = real.run_with(&["container", "create", "--json", "--spec", "-"], body.as_bytes()).code(2);
        assert_eq!(ran.json()["error"]["kind"], "usage", "{body}");
        format!("{body}\n{ran}")
    };
    let image = Real::base();
    let with = |key: &str, value: Value| refused(&json!({"Image": image, key: value}).to_string());
    snapshot!(
        real,
        with("NetworkDisabled", json!(true)),
        with("OnBuild", json!(["RUN true"])),
        with("HostConfig", json!({"Cgroup": "x"})),
        with("HostConfig", json!({"Memroy": 1})),
        with("Imagee", json!(1)),
        with("Tty", json!("yes")),
        refused("[]"),
        refused("{"),
        refused("{}"),
        real.container(&["create", "--spec", "no-such-file.json"]).code(2),
    );
    assert_eq!(real.calls(), [""; 0]);
}

#[test]
fn a_dry_run_prints_the_command_line_and_does_nothing() {
    let mut real = Real::new();
    real.wrap_docker("");
    let args = ["create", "web", "--dry-run", "--image", "nginx", "-p", "8080:80", "-e", "A=b c", "--", "nginx", "-v"];
    let ran = real.container(&args).code(0);
    assert!(ran.stdout.contains(" create ") && ran.stdout.contains("nginx"), "{}", ran.stdout);
    let argv = real.container(&[&args[..3], &["--json"], &args[3..]].concat()).code(0).json();
    let argv: Vec<&str> = argv["argv"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    assert!(argv.contains(&"--publish=8080:80") && argv.ends_with(&["nginx", "nginx", "-v"]), "{argv:?}");
    assert_eq!(real.calls(), [""; 0]);
}

#[test]
fn the_value_of_a_variable_is_in_the_container_and_on_no_command_line() {
    let mut real = Real::new();
    real.wrap_docker("echo \"$@\" >>\"$(dirname \"$0\")/lines\"");
    let (label, base) = (real.label(), Real::base());
    let filed = ["FILED=secret-1", "LD_NOTHING=secret-2 # 'x'", "a.b-c=secret-3", "GOOGLE_CREDENTIALS=secret-4\ny"];
    let given = ["GIVEN=secret-5 'x'\ny", "HTTP_PROXY=secret-6", "DOCKER_HOST=tcp://secret-7:1", "a-b=secret-8 "];
    let profile = r#"seccomp={"defaultAction":"SCMP_ACT_ALLOW"}"#;
    // With a profile, docker has two files to read, and one stdin.
    for (options, env_file) in [(json!([]), "--env-file=/dev/stdin"), (json!([profile]), "--env-file=/proc/")] {
        let body = json!({"Image": base, "Env": filed, "HostConfig": {"SecurityOpt": options}}).to_string();
        let mut args = vec!["container", "create", "--verbose", "--spec", "-", "--label", &label];
        args.extend(given.iter().flat_map(|variable| ["-e", variable]));
        let ran = real.run_with(&args, body.as_bytes()).code(0);
        assert!(ran.stderr.contains("--env=GIVEN ") && ran.stderr.contains(env_file), "{}", ran.stderr);
        assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
        let env = real.field(&ran.id(), "{{json .Config.Env}}");
        for variable in filed.iter().chain(&given) {
            assert!(env.contains(&json!(variable).to_string()), "{variable} in {env}");
        }
        assert_eq!(real.field(&ran.id(), "{{json .HostConfig.SecurityOpt}}") == "null", options == json!([]));
        let lines = std::fs::read_to_string(real.path("lines")).unwrap();
        assert!(lines.contains("create") && !lines.contains("secret"), "{lines}");
        for more in [&["--dry-run"][..], &["--dry-run", "--json"]] {
            let ran = real.run_with(&[&args[..], more].concat(), body.as_bytes()).code(0);
            assert!(ran.stdout.contains(env_file) && ran.stdout.contains("--env=FILED"), "{}", ran.stdout);
            assert!(!ran.stdout.contains("secret"), "{}", ran.stdout);
        }
    }
}

#[test]
fn a_variable_that_docker_uses_itself_is_refused_when_its_value_has_several_lines() {
    let mut real = Real::new();
    real.wrap_docker("");
    let ran = real.container(&["create", "--image", &Real::base(), "-e", "no_proxy=secret\nb"]).code(2);
    let why = "its value has several lines, and the docker client uses this variable itself";
    let hint = "hint: use another name";
    assert_eq!(ran.stderr, format!("error: invalid variable \"no_proxy\": {why}\n{hint}\n"));
    assert_eq!(real.calls(), [""; 0]);
}

#[test]
fn an_id_file_is_written_once_and_never_overwritten() {
    let real = Real::new();
    let (label, base) = (real.label(), Real::base());
    let args = ["create", "--image", &base, "--label", &label, "--id-file", "id", "--", "true"];
    let ran = real.container(&args).code(0);
    assert_eq!(std::fs::read_to_string(real.path("id")).unwrap(), ran.stdout);
    let refused = real.container(&args);
    assert!(refused.code != 0 && refused.stderr.contains("id"), "{}", refused.stderr);
    assert_eq!(real.docker_says(&["ps", "-aq", "--filter", &real.filter()]).lines().count(), 1);
}

#[test]
fn a_body_leaves_the_container_that_the_api_leaves() {
    let real = Real::new();
    let mut command = Command::new(given("LONGSHORE_TEST_PYTHON"));
    command.arg(python_file("create_equal.py")).args(["--image", &Real::base(), "--", env!("CARGO_BIN_EXE_longshore")]);
    command.args(["container", "create", "NAME", "--spec", "-"]).current_dir(real.dir.path());
    let output = command.output().expect("python runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let bad: Vec<&str> = text.lines().filter(|line| !line.starts_with("ok ")).collect();
    assert!(output.status.success(), "{}\n{}", bad.join("\n"), String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_docker_that_ends_before_it_reads_its_input_is_quoted() {
    let mut real = Real::new();
    real.wrap_docker("if [ \"$verb\" = create ]; then exec <&-; sleep 0.2; echo 'docker says no' >&2; exit 3; fi");
    let profile = json!({"defaultAction": "SCMP_ACT_ALLOW", "comment": "x".repeat(1 << 20)}).to_string();
    let body =
        json!({"Image": Real::base(), "HostConfig": {"SecurityOpt": [format!("seccomp={profile}")]}}).to_string();
    let ran = real.run_with(&["container", "create", "--json", "--spec", "-"], body.as_bytes()).code(1);
    assert_eq!(ran.json()["error"]["kind"], "engine-failed");
    assert!(ran.stderr.ends_with("exited with status 3\n  docker says no\n"), "{}", ran.stderr);
}

#[test]
fn a_terminal_shows_the_progress_of_a_pull_and_each_message_once() {
    let mut real = Real::new();
    let words = "echo 'latest: Pulling from x' >&2; echo 'WARNING: careful' >&2";
    real.wrap_docker(&format!("if [ \"$verb\" = create ]; then {words}; sleep 20 & wait; fi"));
    let ran = real.at_terminal("Pulling", &["create", "--image", &Real::base()]).code(130);
    assert!(ran.stdout.contains("latest: Pulling from x"), "{:?}", ran.stdout);

    real.wrap_docker(&format!("if [ \"$verb\" = create ]; then {words}; echo 0123456789ab; exit 0; fi"));
    let ran = real.at_terminal("", &["create", "--image", &Real::base()]).code(0);
    assert_eq!(ran.stdout, "latest: Pulling from x\r\nwarning: careful\r\n0123456789ab\r\n");
    let ran = real.container(&["create", "--image", &Real::base(), "--json"]).code(0);
    assert_eq!(ran.json(), json!({"Id": "0123456789ab", "Warnings": ["careful"]}));
    assert_eq!(ran.stderr, "warning: careful\n");

    real.wrap_docker(&format!("if [ \"$verb\" = create ]; then {words}; echo 'docker says no' >&2; exit 1; fi"));
    let ran = real.at_terminal("", &["create", "--image", &Real::base()]).code(1);
    assert_eq!(ran.stdout.matches("docker says no").count(), 1, "{:?}", ran.stdout);
}
