//! `doctor` names what is wrong with docker, the engine and the state directory; `--fix` finishes what killed processes left,
//! and nothing else.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::disk::with_mounts;
use crate::support::fake::{Fake, names};
use crate::support::schema;
use crate::support::snapshots::{snapshot, together};
use crate::support::{Ran, wait_until};

/// A world whose engine is at a socket of its own.
fn with_socket() -> (Fake, UnixListener) {
    let mut fake = Fake::new();
    let socket = fake.path("docker.sock");
    fake.set("DOCKER_HOST", format!("unix://{}", socket.display()));
    let listener = UnixListener::bind(socket).unwrap();
    (fake, listener)
}

/// What `doctor` says, as text. Its document keeps to the schema and says the same.
#[track_caller]
fn doctor(fake: &Fake, code: i32) -> Ran {
    let document = fake.run(&["doctor", "--json"]).code(code);
    let report = schema::validated("doctor", document.json());
    assert_eq!(report["healthy"], code == 0);
    let text = fake.run(&["doctor"]).code(code);
    for check in report["checks"].as_array().unwrap() {
        let hint = check["hint"].as_str().map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
        assert_eq!(check["status"] == "ok", hint.is_empty(), "{check}");
        assert!(text.stdout.contains(&hint), "{check}\n{}", text.stdout);
    }
    text
}

/// One check of the document.
#[track_caller]
fn check(fake: &Fake, name: &str) -> Value {
    let report = fake.run(&["doctor", "--json"]).json();
    let found = report["checks"].as_array().unwrap().iter().find(|check| check["check"] == name);
    found.unwrap_or_else(|| panic!("there is no check {name}: {report:#}")).clone()
}

/// The checks that are not ok.
#[track_caller]
fn complaints(fake: &Fake) -> Vec<String> {
    let report = fake.run(&["doctor", "--json"]).json();
    let checks = report["checks"].as_array().unwrap().iter().filter(|check| check["status"] != "ok");
    checks.map(|check| check["check"].as_str().unwrap().to_owned()).collect()
}

/// What `--fix` did.
#[track_caller]
fn fixes(fake: &Fake, code: i32) -> Vec<String> {
    let report = schema::validated("doctor", fake.run(&["doctor", "--fix", "--json"]).code(code).json());
    report["fixes"].as_array().unwrap().iter().map(|fix| fix["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn where_all_is_well_it_says_what_it_saw_and_asks_four_questions() {
    let (fake, _socket) = with_socket();
    fake.scenario(json!({"buildx": true}));
    let before = doctor(&fake, 0);
    assert!(!fake.path("state").exists(), "it made the state directory");
    fake.ended_run("exit 3");
    fake.forget_calls();
    let after = fake.run(&["doctor"]).code(0);
    let calls = fake.calls();
    assert_eq!(calls.len(), 4, "{calls:#?}");
    snapshot!(fake, before, after, fake.run(&["doctor", "--json"]));
}

#[test]
fn an_engine_that_is_down_too_old_or_known_to_be_bad_is_a_problem_or_a_warning() {
    let (fake, socket) = with_socket();
    fake.take_engine_down();
    let down = doctor(&fake, 1);
    drop(socket);
    std::fs::remove_file(fake.path("docker.sock")).unwrap();
    let missing = doctor(&fake, 1);
    fake.bring_engine_up();
    fake.scenario(json!({"clientVersion": "19.03.15", "serverVersion": "18.09.1", "buildx": true}));
    let old = doctor(&fake, 1);
    let bad = json!({"clientVersion": "28.0.1", "serverVersion": "24.0.2"});
    fake.scenario(bad);
    let bad = doctor(&fake, 0);
    snapshot!(fake, down, missing, old, bad);
}

#[test]
fn an_engine_that_needs_care_is_a_warning_that_says_which() {
    let (fake, _socket) = with_socket();
    let info = json!({"Images": 0, "SecurityOptions": ["name=rootless"], "Runtimes": {"runc": {}, "nvidia": {}}});
    fake.scenario(json!({"buildx": true, "info": info}));
    snapshot!(fake, doctor(&fake, 0));
}

#[test]
fn without_a_docker_program_it_says_how_to_get_one() {
    let mut fake = Fake::new();
    let none = fake.path("nothing-here");
    fake.set("LONGSHORE_DOCKER", &none);
    let absent = doctor(&fake, 1);
    let plain = fake.write("plain", "no program");
    fake.set("LONGSHORE_DOCKER", plain);
    snapshot!(fake, absent, doctor(&fake, 1));
}

#[test]
fn an_engine_that_hangs_is_reported_within_the_time_limit() {
    let (mut fake, _socket) = with_socket();
    let id = fake.start_unattended("exit 3");
    fake.set("LONGSHORE_DOCKER_TIMEOUT", "3s");
    let hang = |call: &str| json!({"call": call, "hang": true});
    fake.scenario(json!({"rules": [hang("version"), hang("info"), hang("ps"), hang("container")]}));
    let begun = Instant::now();
    let hung = fake.run(&["doctor"]).code(1);
    // Three seconds for the engine and little for the run.
    assert!(begun.elapsed() < Duration::from_secs(15), "it took {:?}", begun.elapsed());
    assert_eq!(check(&fake, "unknown-jobs")["details"]["jobs"], json!([id]));
    fake.scenario(json!({"rules": [hang("info"), hang("ps")]}));
    assert!(check(&fake, "engine")["message"].as_str().unwrap().contains("hangs"));
    snapshot!(fake, hung);
    fake.scenario(json!({}));
    fake.open_gate();
    assert_eq!(fake.end_of(&id)["exitCode"], 3);
}

#[test]
fn an_older_docker_before_a_newer_one_in_the_path_is_a_warning() {
    let (mut fake, _socket) = with_socket();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/docker");
    for (dir, version) in [("old", "20.10.24"), ("new", "28.5.1"), ("again", "")] {
        std::fs::create_dir(fake.path(dir)).unwrap();
        let text = format!("#!/bin/sh\necho 'Docker version {version}, build x'\n");
        match dir {
            "old" => std::os::unix::fs::symlink(&script, fake.path("old/docker")).unwrap(),
            // A link to a program that was seen is not another one.
            "again" => std::os::unix::fs::symlink(fake.path("new/docker"), fake.path("again/docker")).unwrap(),
            _ => {
                use std::os::unix::fs::PermissionsExt as _;
                let file = fake.write("new/docker", text);
                std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
    }
    fake.scenario(json!({"clientVersion": "20.10.24"}));
    fake.set("LONGSHORE_DOCKER", "");
    // Programs of the machine itself must not be found.
    let python = fake.path("python");
    std::fs::create_dir(&python).unwrap();
    for name in ["env", "python3"] {
        let found = ["/usr/local/bin", "/usr/bin", "/bin"].map(|dir| Path::new(dir).join(name));
        let found = found.iter().find(|file| file.exists()).expect("env and python3");
        std::os::unix::fs::symlink(found, python.join(name)).unwrap();
    }
    let dirs = ["old", "new", "again", "python"].map(|dir| fake.path(dir).display().to_string());
    fake.set("PATH", dirs.join(":"));
    let client = check(&fake, "docker-client");
    let newer = fake.path("new/docker").display().to_string();
    assert_eq!(client["message"], format!("20.10.24, and a newer one is in PATH: {newer} (28.5.1)"));
    assert_eq!(client["hint"], format!("to use it: export LONGSHORE_DOCKER={newer}"));
}

#[test]
fn certificates_and_proxies_that_do_not_reach_a_build_are_named() {
    let mut fake = Fake::new();
    let pem = "-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----\n".repeat(2);
    let file = fake.write("ca.pem", pem);
    fake.set("LONGSHORE_CA_CERT", file);
    assert!(check(&fake, "ca-certificate")["message"].as_str().unwrap().starts_with("2 certificates in "));
    let file = fake.write("ca.der", "0");
    fake.set("LONGSHORE_CA_CERT", file);
    assert_eq!(check(&fake, "ca-certificate")["status"], "problem");
    assert_eq!(check(&fake, "proxy")["message"], "none");
    fake.set("https_proxy", "http://user:secret@proxy:3128");
    let said = doctor(&fake, 1).stdout;
    assert!(said.contains("https_proxy") && !said.contains("secret"), "{said}");
    assert_eq!(check(&fake, "proxy")["status"], "warning");
    fake.write(
        "home/.docker/config.json",
        r#"{"proxies": {"default": {"httpsProxy": "http://user:secret@proxy:3128"}}}"#,
    );
    assert_eq!(check(&fake, "proxy")["status"], "ok");
}

#[test]
fn damaged_records_are_named_and_can_be_forgotten_as_it_says() {
    let (fake, _socket) = with_socket();
    fake.scenario(json!({"buildx": true}));
    let (run, other) = (fake.ended_run("exit 0"), fake.ended_run("exit 3"));
    let build = fake.build("web");
    fake.end_of_build(&build);
    fake.wait_until_quiet();
    std::fs::write(fake.job("run", &run).join("exit.json"), "{").unwrap();
    std::fs::write(fake.job("build", &build).join("job.json"), "{").unwrap();
    std::fs::remove_file(fake.job("build", &build).join("exit.json")).unwrap();
    let said = doctor(&fake, 1);
    let damaged = check(&fake, "damaged-records");
    assert_eq!(damaged["details"]["jobs"], json!([build, run]));
    for command in damaged["hint"].as_str().unwrap().split(" && ") {
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        fake.run(&words).code(0);
    }
    assert_eq!(complaints(&fake), Vec::<String>::new());
    assert_eq!(fake.end_of(&other)["exitCode"], 3);
    snapshot!(fake, said);
}

#[test]
fn fix_finishes_runs_and_builds_whose_supervisor_was_killed_once() {
    let (fake, _socket) = with_socket();
    fake.scenario(json!({"buildx": true}));
    // The start of a job finishes what is left of others, so the run comes last.
    let build = fake.build_gated("web");
    fake.kill(fake.supervisor(&build));
    let alone = fake.start_unattended("exit 3");
    let alive = doctor(&fake, 1);
    let first = fake.run(&["doctor", "--fix"]).code(0);
    fake.supervisor(&alone);
    fake.open_gate();
    assert_eq!(fake.end_of(&alone)["exitCode"], 3);
    wait_until("the client of the build has ended", || {
        !fake.processes().iter().any(|process| process.command.contains("--iidfile"))
    });
    let unrecorded = check(&fake, "abandoned-jobs");
    assert_eq!(unrecorded["details"]["jobs"], json!([build]));
    assert_eq!(fixes(&fake, 0), [format!("build {build} is finished")]);
    assert_eq!(fake.end_of_build(&build)["outcome"], "succeeded");
    fake.wait_until_quiet();
    let state = || names(&fake.path("state/longshore"));
    let before = state();
    fake.forget_calls();
    assert_eq!(fixes(&fake, 0), Vec::<String>::new());
    assert_eq!((fake.calls().len(), state()), (4, before), "the second time does nothing more");
    snapshot!(fake, alive, first, fake.run(&["doctor", "--fix"]));
}

#[test]
fn fix_records_the_end_of_a_run_that_nobody_saw() {
    let fake = Fake::new();
    let id = fake.start_unattended("echo more; exit 5");
    fake.open_gate();
    fake.wait_for_container_end(&id);
    assert_eq!(check(&fake, "abandoned-jobs")["details"]["jobs"], json!([id]));
    assert_eq!(fixes(&fake, 0), [format!("run {id} is finished")]);
    assert_eq!(fake.containers(), Vec::<String>::new());
    assert!(fake.job("run", &id).join("exit.json").exists());
    assert_eq!(fake.log(&id), b"on\nmore\n");
}

#[test]
fn fix_removes_what_killed_processes_left_and_nothing_that_is_in_use() {
    let fake = Fake::new();
    let running = fake.start_gated("exit 0");
    let (ended, hidden) = (fake.ended_run("exit 0"), fake.ended_run("exit 0"));
    let state = fake.path("state/longshore");
    for name in [".new-abandoned", ".del-half", "notes"] {
        std::fs::create_dir(state.join(name)).unwrap();
    }
    std::fs::create_dir(fake.job("run", &ended).join("ctx")).unwrap();
    std::fs::write(fake.job("run", &hidden).join("forgotten"), "").unwrap();
    let left = check(&fake, "leftovers");
    assert_eq!(left["details"]["directories"], json!([".del-half", ".new-abandoned"]));
    let mut jobs = vec![ended.clone(), hidden.clone()];
    jobs.sort();
    assert_eq!(left["details"]["jobs"], json!(jobs));
    assert_eq!(fixes(&fake, 0).len(), 3);
    let there = names(&state);
    assert!(there.contains(&"notes".to_owned()) && !there.iter().any(|name| name.starts_with(".new-")), "{there:?}");
    assert!(!fake.job("run", &ended).join("ctx").exists() && fake.job("run", &ended).exists());
    assert!(!fake.job("run", &hidden).exists());
    assert_eq!(fake.status_of(&running)["status"], "running");
    assert_eq!(check(&fake, "jobs")["details"], json!({"count": 2, "running": 1}));
    fake.open_gate();
    assert_eq!(fake.end_of(&running)["outcome"], "succeeded");
}

#[test]
fn fix_removes_containers_of_forgotten_runs_when_they_have_ended_and_never_a_stray() {
    let (fake, _socket) = with_socket();
    fake.scenario(json!({"buildx": true}));
    // A run of another state directory, as it were.
    let stray = fake.ended_run_with("exit 0", &["--keep"]);
    std::fs::rename(fake.job("run", &stray), fake.path("elsewhere")).unwrap();
    let id = fake.start_unattended("exit 3");
    fake.take_engine_down();
    fake.run(&["exec", "forget", &id]).code(0);
    fake.bring_engine_up();
    let container = format!("longshore-{id}");
    assert!(fake.containers().contains(&container));
    let hint = check(&fake, "forgotten-runs")["hint"].clone();
    assert_eq!(hint, format!("it still runs; end it with: longshore container stop {container}"));
    assert_eq!(fixes(&fake, 0), Vec::<String>::new(), "it runs");
    fake.open_gate();
    fake.wait_for_container_end(&id);
    let said = doctor(&fake, 0);
    assert_eq!(check(&fake, "strays")["details"]["containers"], json!([format!("longshore-{stray}")]));
    assert_eq!(fixes(&fake, 0), [format!("nothing is left of the forgotten run {id}")]);
    assert_eq!(fake.containers(), [format!("longshore-{stray}")]);
    assert_eq!(complaints(&fake), ["strays"]);
    snapshot!(fake, said);
    fake.docker(&["rm", &format!("longshore-{stray}")]);
}

#[test]
fn a_container_that_inherited_a_label_is_no_stray() {
    let fake = Fake::new();
    let container = fake.engine("containers/stranger");
    std::fs::create_dir(&container).unwrap();
    let label = json!({"longshore.job": "0123456789ab"});
    let state = json!({"Status": "running", "Running": true, "ExitCode": 0});
    std::fs::write(container.join("state.json"), state.to_string()).unwrap();
    let config = json!({"Id": "stranger", "Name": "/web", "Config": {"Labels": label}});
    std::fs::write(container.join("config.json"), config.to_string()).unwrap();
    assert!(!complaints(&fake).contains(&"strays".to_owned()));
}

#[test]
fn a_copied_state_directory_is_named_and_its_runs_are_not_touched() {
    let mut fake = Fake::new();
    let id = fake.start_gated("exit 3");
    let copied = fake.path("copied");
    let cp = std::process::Command::new("cp").arg("-a").arg(fake.path("state")).arg(&copied).status();
    assert!(cp.unwrap().success());
    let original = fake.path("state");
    fake.set("XDG_STATE_HOME", &copied);
    assert_eq!(check(&fake, "copied-jobs")["details"]["jobs"], json!([id]));
    assert_eq!(fixes(&fake, 0), Vec::<String>::new());
    fake.set("XDG_STATE_HOME", &original);
    assert_eq!(fake.containers(), [format!("longshore-{id}")]);
    fake.open_gate();
    assert_eq!(fake.end_of(&id)["exitCode"], 3);
}

#[test]
fn a_state_directory_that_is_full_read_only_or_open_to_others_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let (fake, _socket) = with_socket();
    fake.scenario(json!({"buildx": true}));
    fake.ended_run("exit 3");
    let state = fake.path("state/longshore");
    let mode = |mode| std::fs::set_permissions(&state, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o755);
    let readable = doctor(&fake, 0);
    mode(0o777);
    let writable = doctor(&fake, 1);
    mode(0o700);
    let script = r#"
        mount --bind state state && mount -o remount,bind,ro state || exit 90
        "$longshore" doctor --fix; [ $? = 1 ] || exit 91
        mkdir full && mount -t tmpfs -o size=64k,nr_inodes=50,mode=700 none full || exit 92
        export XDG_STATE_HOME="$PWD/full"
        mkdir -m 700 full/longshore
        "$longshore" doctor; [ $? = 1 ] || exit 93"#;
    let Some(ran) = with_mounts(&fake, script) else { return };
    snapshot!(fake, together([readable, writable, ran.code(0)]));
}

#[test]
fn at_a_terminal_the_verdicts_are_coloured_and_nothing_else_is() {
    let (fake, _socket) = with_socket();
    fake.scenario(json!({"clientVersion": "28.0.1", "serverVersion": "18.09.1\u{1b}[31m"}));
    let said = fake.run(&["doctor", "--color", "always"]).code(1).stdout;
    assert!(said.contains("\u{1b}[32mok\u{1b}[m       docker program"), "{said}");
    assert!(
        said.contains("\u{1b}[33mwarning\u{1b}[m  docker client") && said.contains("\u{1b}[31mproblem\u{1b}[m"),
        "{said}"
    );
    assert!(said.contains("18.09.1^[[31m is"), "the engine's own colour is shown as text: {said}");
}

/// A world with this shell script as its `ssh`, which writes how it was called into the file `ssh-calls`.
fn with_ssh(script: &str) -> Fake {
    use std::os::unix::fs::PermissionsExt as _;
    let mut fake = Fake::new();
    let calls = fake.path("ssh-calls");
    let ssh = fake.write("bin/ssh", format!("#!/bin/sh\necho \"$*\" >>'{}'\n{script}\n", calls.display()));
    std::fs::set_permissions(&ssh, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", fake.path("bin").display());
    fake.set("PATH", path);
    fake.scenario(json!({"urls": {"far": "ssh://me@far.example:2222", "near": "unix:///run/near.sock"}}));
    fake
}

const SHARED: &str = "controlmaster auto\ncontrolpath /home/me/.ssh/%C\ncontrolpersist 600\nserveraliveinterval 15\n";

#[test]
fn of_an_engine_behind_ssh_it_says_whether_connections_are_shared() {
    let fake = with_ssh(&format!("printf '{}'", SHARED.replace('%', "%%")));
    let far = ["--context", "far"];
    let report = fake.run(&[&["doctor", "--json"][..], &far].concat()).code(0);
    let report = schema::validated("doctor", report.json());
    let check = report["checks"].as_array().unwrap().iter().find(|check| check["check"] == "ssh").unwrap();
    assert_eq!((&check["status"], &check["details"]["sharesConnections"]), (&json!("ok"), &json!(true)), "{check}");
    let calls = || std::fs::read_to_string(fake.path("ssh-calls")).unwrap_or_default();
    assert_eq!(calls(), "-G -l me -p 2222 -- far.example\n");
    // Other engines have nothing to do with ssh.
    for other in [&[][..], &["--context", "near"], &["--host", "tcp://far:1"]] {
        let ran = fake.run(&[&["doctor"], other].concat()).code(0);
        assert!(!ran.stdout.contains("ssh"), "{ran}");
    }
    assert_eq!(calls().lines().count(), 1);
}

#[test]
fn what_ssh_lacks_is_told_with_the_lines_for_its_configuration() {
    let ssh_lines = |fake: &Fake| {
        let ran = fake.run(&["doctor", "--host", "ssh://far.example"]).code(0);
        let lines: Vec<&str> = ran.stdout.lines().collect();
        let at = lines.iter().position(|line| line.contains(" ssh  ")).unwrap_or_else(|| panic!("{ran}"));
        lines[at..at + 2].join("\n")
    };
    let shown = [
        "printf 'controlmaster false\\ncontrolpersist no\\nserveraliveinterval 0\\n'",
        "printf 'controlmaster auto\\ncontrolpath /c\\ncontrolpersist no\\nserveraliveinterval 30\\n'",
        "printf 'controlmaster auto\\ncontrolpath /c\\ncontrolpersist yes\\nserveraliveinterval 0\\n'",
        "echo '/home/me/.ssh/config: line 3: Bad configuration option: controlmastr' >&2; exit 255",
        "exec sleep 600",
    ]
    .map(|script| ssh_lines(&with_ssh(script)));
    snapshot!(Fake::new(), shown.join("\n"));
}

#[test]
fn the_advice_for_ssh_can_be_pasted_and_is_read_by_ssh() {
    let fake = with_ssh("printf 'controlmaster false\\n'");
    std::fs::create_dir(fake.path("home/.ssh")).unwrap();
    let report = fake.run(&["doctor", "--json", "--host", "ssh://far.example"]).code(0).json();
    let check = report["checks"].as_array().unwrap().iter().find(|check| check["check"] == "ssh").unwrap();
    let advice = check["hint"].as_str().unwrap().strip_prefix("configure ssh: ").unwrap();
    let done = fake.other("sh", &["-c", advice]).output().unwrap();
    assert!(done.status.success() && done.stderr.is_empty(), "{advice}");
    let config = std::fs::read_to_string(fake.path("home/.ssh/config")).unwrap();
    let lines = [
        "Host far.example",
        "ControlMaster auto",
        "ControlPath ~/.ssh/%C",
        "ControlPersist 10m",
        "ServerAliveInterval 15",
    ];
    assert_eq!(config.lines().collect::<Vec<_>>(), lines);
    // ssh itself, where it is installed, finds nothing wrong with it.
    let file = fake.path("home/.ssh/config");
    if let Ok(ssh) = std::process::Command::new("/usr/bin/ssh").arg("-F").arg(file).args(["-G", "far.example"]).output()
    {
        let settings = String::from_utf8_lossy(&ssh.stdout).into_owned();
        assert!(ssh.status.success() && settings.contains("controlmaster auto\n"), "{settings}");
        assert!(
            settings.contains("serveraliveinterval 15\n") && settings.contains("controlpersist 600\n"),
            "{settings}"
        );
    }
}
