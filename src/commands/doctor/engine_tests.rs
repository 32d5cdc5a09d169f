//! Which facts of docker, an engine and a machine are ok, a warning or a problem.

use std::path::PathBuf;
use std::time::Duration;

use super::super::Status;
use super::*;
use crate::engine::ssh::Settings;
use crate::names::Endpoint;

const URL: &str = "unix:///var/run/docker.sock";

fn side(version: &str) -> Side {
    Side { version: version.into() }
}

fn info() -> Info {
    Info { id: "ID".into(), docker_root_dir: "/var/lib/docker".into(), images: 3, ..Info::default() }
}

fn healthy() -> EngineFacts {
    EngineFacts {
        program: Ok("/usr/bin/docker".into()),
        others: Vec::new(),
        client: Some(side("28.5.1")),
        endpoint: Endpoint::Context("default".into()),
        url: Some(URL.into()),
        socket: Some(Socket::Usable),
        ssh: None,
        server: Ok(side("28.5.1")),
        took: Duration::from_millis(20),
        patience: Duration::from_secs(20),
        more: Some(More {
            info: Ok(info()),
            containers: Ok(Vec::new()),
            builder: Builder::Buildx,
            wanted_builder: None,
            room: Some(Room { bytes: 50 << 30, files: None }),
        }),
    }
}

fn unreachable() -> EngineError {
    EngineError::Unreachable { endpoint: Endpoint::Context("default".into()), stderr: "no".into() }
}

fn silent(error: EngineError, socket: Option<Socket>) -> EngineFacts {
    EngineFacts { server: Err(error), socket, more: None, ..healthy() }
}

/// The check of that name, if there is one.
fn of(name: &str, facts: &EngineFacts, host: &Host) -> Option<Check> {
    checks(facts, host).into_iter().find(|check| check.check == name)
}

#[track_caller]
fn assert_says(name: &str, facts: &EngineFacts, status: Status, words: &str) {
    let check = of(name, facts, &Host::default()).expect(name);
    assert_eq!(check.status, status, "{check:?}");
    let hint = check.hint.clone().unwrap_or_default();
    assert!(format!("{}\n{hint}", check.message).contains(words), "{words:?} is not in {check:?}");
}

#[test]
fn a_healthy_engine_has_no_complaints_and_every_check_once() {
    let checks = checks(&healthy(), &Host { selinux: Some(false), ..Host::default() });
    assert!(checks.iter().all(|check| check.status == Status::Ok && check.hint.is_none()), "{checks:#?}");
    let names: Vec<&str> = checks.iter().map(|check| check.check).collect();
    let expected = [
        "docker-program",
        "docker-client",
        "engine",
        "engine-version",
        "builder",
        "rootless",
        "images",
        "gpu",
        "docker-disk",
        "selinux",
        "proxy",
    ];
    assert_eq!(names, expected);
}

#[test]
fn of_an_engine_behind_ssh_it_is_said_what_costs_time_and_what_hangs() {
    let good = Settings { shares: true, persists: true, notices_loss: true };
    let far = |settings| EngineFacts { ssh: Some(Ssh { host: "far".into(), settings }), ..healthy() };
    for (settings, status, words) in [
        (Ok(good), Status::Ok, "connections to far are shared"),
        (Ok(Settings { shares: false, ..good }), Status::Warning, "doubles the time of a run\n"),
        (Ok(Settings { shares: false, ..good }), Status::Warning, "'ControlPersist 10m' >>~/.ssh/config"),
        (Ok(Settings { persists: false, ..good }), Status::Warning, "ends with the call that opened it"),
        (Ok(Settings { notices_loss: false, ..good }), Status::Warning, "'Host far' 'ServerAliveInterval 15' >>"),
        (Err("no such file or directory".into()), Status::Warning, "no such file or directory"),
    ] {
        assert_says("ssh", &far(settings), status, words);
    }
    assert!(of("ssh", &healthy(), &Host::default()).is_none(), "a local engine has no such check");
}

#[test]
fn why_no_engine_answers_depends_on_its_socket() {
    for (socket, words) in [
        (Some(Socket::Missing), "there is no socket"),
        (Some(Socket::Missing), "sudo systemctl start docker"),
        (Some(Socket::Forbidden), "sudo usermod -aG docker $USER"),
        (Some(Socket::Usable), "nothing listens at its socket"),
        (None, "cannot be reached"),
    ] {
        assert_says("engine", &silent(unreachable(), socket), Status::Problem, words);
    }
    let timed_out = EngineError::TimedOut { command: "docker version".into(), limit: Duration::from_secs(20) };
    assert_says("engine", &silent(timed_out.clone(), None), Status::Problem, "no answer within 20s");
    let unknown = EngineFacts { url: None, ..silent(unreachable(), None) };
    assert_says("engine", &unknown, Status::Problem, "docker knows no context default");
    let mut half = healthy();
    half.more.as_mut().unwrap().info = Err(timed_out);
    assert_says("engine", &half, Status::Problem, "hangs");
    assert_eq!(of("images", &half, &Host::default()), None, "nothing is said about what was not answered");
}

#[test]
fn versions_that_are_too_old_or_have_known_faults_are_told() {
    for (client, server, name, status, words) in [
        ("19.03.15", "28.5.1", "docker-client", Status::Problem, "too old"),
        ("20.10.0", "28.5.1", "docker-client", Status::Ok, "20.10.0"),
        ("28.0.2", "28.5.1", "docker-client", Status::Warning, "28.0.3"),
        ("dev", "28.5.1", "docker-client", Status::Ok, "dev"),
        ("28.5.1", "18.09.1", "engine-version", Status::Problem, "too old"),
        ("28.5.1", "20.10.24+dfsg1", "engine-version", Status::Ok, "20.10.24+dfsg1"),
        ("28.5.1", "24.0.0", "engine-version", Status::Warning, "24.0.3"),
        ("28.5.1", "24.0.3", "engine-version", Status::Ok, "24.0.3"),
    ] {
        let facts = EngineFacts { client: Some(side(client)), server: Ok(side(server)), ..healthy() };
        assert_says(name, &facts, status, words);
    }
}

#[test]
fn another_docker_in_the_path_matters_only_if_it_is_newer() {
    let beside = |version: &str| {
        let others = vec![("/broken/docker".into(), None), (PathBuf::from("/opt/docker"), Some(side(version)))];
        EngineFacts { others, ..healthy() }
    };
    assert_says("docker-client", &beside("20.10.24"), Status::Ok, "also in PATH: /opt/docker (20.10.24)");
    assert_says("docker-client", &beside("29.0.0"), Status::Warning, "export LONGSHORE_DOCKER=/opt/docker");
}

#[test]
fn the_builder_is_told_with_the_reason() {
    for (builder, wanted, status, words) in [
        (Builder::Buildx, None, Status::Ok, "buildx plugin"),
        (Builder::BuiltIn, None, Status::Ok, "built into"),
        (Builder::Legacy, Some("0"), Status::Ok, "DOCKER_BUILDKIT is 0"),
        (Builder::Legacy, None, Status::Warning, "docker-buildx-plugin"),
    ] {
        let mut facts = healthy();
        let more = facts.more.as_mut().unwrap();
        (more.builder, more.wanted_builder) = (builder, wanted.map(str::to_owned));
        assert_says("builder", &facts, status, words);
    }
}

#[test]
fn little_room_for_images_is_a_warning_and_none_a_problem() {
    for (bytes, status) in [(1 << 20, Status::Problem), (1 << 30, Status::Warning), (3 << 30, Status::Ok)] {
        let mut facts = healthy();
        facts.more.as_mut().unwrap().room = Some(Room { bytes, files: None });
        assert_says("docker-disk", &facts, status, "free in /var/lib/docker");
    }
}

#[test]
fn selinux_and_proxies_are_told_where_they_matter() {
    let selinux = |enforces| of("selinux", &healthy(), &Host { selinux: enforces, ..Host::default() });
    assert_eq!(selinux(None), None);
    assert!(selinux(Some(true)).unwrap().hint.unwrap().contains("chcon -Rt container_file_t"));
    let proxy = |proxies: &[&'static str], configured| {
        let host = Host { proxies: proxies.to_vec(), docker_has_proxies: configured, ..Host::default() };
        of("proxy", &healthy(), &host).unwrap().status
    };
    assert_eq!(proxy(&[], false), Status::Ok);
    assert_eq!(proxy(&["HTTPS_PROXY"], false), Status::Warning);
    assert_eq!(proxy(&["HTTPS_PROXY"], true), Status::Ok);
}
