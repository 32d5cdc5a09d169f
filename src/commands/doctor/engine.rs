//! The checks of docker, its engine and this machine. Pure: the facts are arguments.

use super::Check;
use super::facts::{EngineFacts, Host, More, Ssh};
use crate::engine::EngineError;
use crate::engine::builder::Builder;
use crate::engine::condition::{Info, Socket};
use crate::engine::inspect::{Side, made_up};
use crate::fs::Room;
use crate::shell::quoted;
use crate::units::{counted, show_bytes, show_duration};

/// The oldest docker that longshore supports.
const OLDEST: (u32, u32) = (20, 10);

/// Less room than this where the engine has its data is a problem: no image can be built.
const NO_ROOM: u64 = 128 << 20;
/// Less than this is a warning: images of pip packages are large.
const LITTLE_ROOM: u64 = 2 << 30;

/// All of them, in the order in which they are shown.
pub fn checks(facts: &EngineFacts, host: &Host) -> Vec<Check> {
    let mut checks = vec![program(facts)];
    checks.extend(facts.client.as_ref().map(|client| self::client(client, facts)));
    if facts.program.is_ok() {
        checks.push(engine(facts));
    }
    checks.extend(facts.ssh.as_ref().map(ssh));
    checks.extend(facts.server.as_ref().ok().map(engine_version));
    checks.extend(facts.more.iter().flat_map(|more| of_an_engine(more, facts)));
    checks.extend(host.selinux.map(selinux));
    checks.push(proxy(host, facts.more.as_ref().and_then(|more| more.info.as_ref().ok())));
    checks.extend(ca_cert(host));
    checks
}

fn of_an_engine(more: &More, facts: &EngineFacts) -> Vec<Check> {
    let mut checks = vec![builder(more, facts.client.as_ref())];
    if let Ok(info) = &more.info {
        checks.extend([rootless(info), images(info), gpu(info)]);
        checks.extend(more.room.map(|room| docker_disk(info, room)));
    }
    checks
}

fn program(facts: &EngineFacts) -> Check {
    const NAME: &str = "docker-program";
    match &facts.program {
        Ok(path) => {
            let path = path.display().to_string();
            Check::ok(NAME, &path).with("path", path)
        }
        Err(error @ EngineError::NotFound { .. }) => Check::problem(
            NAME,
            error.to_string(),
            "install docker (https://docs.docker.com/engine/install), or set LONGSHORE_DOCKER to the path of the program",
        ),
        Err(error) => {
            Check::problem(NAME, error.to_string(), "make it executable, or set LONGSHORE_DOCKER to another program")
        }
    }
}

fn client(client: &Side, facts: &EngineFacts) -> Check {
    const NAME: &str = "docker-client";
    let version = &client.version;
    let with = |check: Check| check.with("version", version.as_str());
    if client.release().is_some_and(|release| release < OLDEST) {
        let hint = "longshore needs 20.10 or later: upgrade docker, or set LONGSHORE_DOCKER to a newer program";
        return with(Check::problem(NAME, format!("{version} is too old"), hint));
    }
    if client.cuts_output() {
        let message = format!("{version} may lose the end of a program's output, which is then fetched again");
        return with(Check::warning(NAME, message, "upgrade the docker client to 28.0.3 or later"));
    }
    let newer = |side: &Side| side.release() > client.release() && client.release().is_some();
    let others = facts.others.iter().filter_map(|(path, side)| Some((path, side.as_ref()?)));
    if let Some((path, other)) = others.clone().find(|(_, side)| newer(side)) {
        let message = format!("{version}, and a newer one is in PATH: {} ({})", path.display(), other.version);
        return with(Check::warning(NAME, message, format!("to use it: export LONGSHORE_DOCKER={}", path.display())));
    }
    let beside = others.map(|(path, side)| format!("; also in PATH: {} ({})", path.display(), side.version));
    with(Check::ok(NAME, format!("{version}{}", beside.collect::<String>())))
}

fn engine(facts: &EngineFacts) -> Check {
    const NAME: &str = "engine";
    let place = match &facts.url {
        Some(url) if *url != facts.endpoint.to_string() => format!("{} ({url})", facts.endpoint),
        _ => facts.endpoint.to_string(),
    };
    let check = match &facts.server {
        Ok(_) => answering(NAME, &place, facts),
        Err(_) if facts.url.is_none() => Check::problem(
            NAME,
            format!("docker knows no {}", facts.endpoint),
            "list the contexts with: docker context ls   then use one with --context, DOCKER_CONTEXT or: docker context use NAME",
        ),
        Err(EngineError::TimedOut { .. }) => hanging(NAME, &place, facts),
        Err(EngineError::Unreachable { .. }) => silent(NAME, &place, facts),
        Err(error) => Check::problem(
            NAME,
            format!("cannot ask for the engine's version: {error}"),
            "check that this is docker's own client; to use another one, set LONGSHORE_DOCKER",
        ),
    };
    check.with("endpoint", facts.endpoint.to_string()).with("url", facts.url.clone())
}

fn answering(name: &'static str, place: &str, facts: &EngineFacts) -> Check {
    let Some(more) = &facts.more else { return Check::ok(name, format!("answers at {place}")) };
    match &more.info {
        Ok(info) => {
            Check::ok(name, format!("answers at {place} in {}", show_duration(facts.took))).with("id", info.id.as_str())
        }
        Err(EngineError::TimedOut { .. }) => hanging(name, place, facts),
        Err(error) => {
            Check::problem(name, format!("the engine at {place} does not describe itself: {error}"), DAEMON_LOG)
        }
    }
}

const DAEMON_LOG: &str = "see what it says: sudo journalctl -u docker --since -10min";

fn hanging(name: &'static str, place: &str, facts: &EngineFacts) -> Check {
    let hint = "restart it: sudo systemctl restart docker   if it is only slow: export LONGSHORE_DOCKER_TIMEOUT=60s";
    let limit = show_duration(facts.patience);
    Check::problem(name, format!("the engine at {place} hangs: no answer within {limit}"), hint)
}

fn silent(name: &'static str, place: &str, facts: &EngineFacts) -> Check {
    let (why, hint) = match facts.socket {
        Some(Socket::Missing) => (
            "there is no socket",
            "start the engine: sudo systemctl start docker   or choose another with --host, --context or DOCKER_HOST",
        ),
        Some(Socket::Forbidden) => (
            "you may not use its socket",
            "join the group of the socket: sudo usermod -aG docker $USER   then log out and in again",
        ),
        Some(Socket::Usable) => ("nothing listens at its socket", "start the engine: sudo systemctl start docker"),
        None => ("it cannot be reached", "check that it runs there, and the network between; try: docker version"),
    };
    Check::problem(name, format!("no engine answers at {place}: {why}"), hint)
}

/// What costs time over ssh, and what hangs. A run took 3.6 seconds without shared connections, and 1.9 with them.
fn ssh(ssh: &Ssh) -> Check {
    const NAME: &str = "ssh";
    let Ssh { host, settings } = ssh;
    let settings = match settings {
        Ok(settings) => *settings,
        Err(why) => {
            let message = format!("ssh does not say its settings for {host}: {why}");
            return Check::warning(NAME, message, format!("see what is wrong: ssh -G {}", quoted(host)))
                .with("host", host.as_str());
        }
    };
    let slow = match (settings.shares, settings.persists) {
        (false, _) => Some("each call opens a connection of its own, which doubles the time of a run"),
        (true, false) => Some("a shared connection ends with the call that opened it"),
        (true, true) => None,
    };
    let silent = (!settings.notices_loss).then_some("a call hangs for good if the line is lost without a word");
    let complaints: Vec<&str> = slow.into_iter().chain(silent).collect();
    let check = if complaints.is_empty() {
        Check::ok(NAME, format!("connections to {host} are shared, and a lost line is noticed"))
    } else {
        Check::warning(NAME, complaints.join("; "), configured(host, slow.is_some(), silent.is_some()))
    };
    check
        .with("host", host.as_str())
        .with("sharesConnections", settings.shares)
        .with("persists", settings.persists)
        .with("noticesLoss", settings.notices_loss)
}

/// A command that adds to ssh's configuration what it lacks.
fn configured(host: &str, sharing: bool, alive: bool) -> String {
    let mut lines = vec![format!("Host {host}")];
    if sharing {
        lines.extend(["ControlMaster auto", "ControlPath ~/.ssh/%C", "ControlPersist 10m"].map(str::to_owned));
    }
    lines.extend(alive.then(|| "ServerAliveInterval 15".to_owned()));
    let words: Vec<String> = lines.iter().map(|line| quoted(line)).collect();
    format!("configure ssh: printf '%s\\n' {} >>~/.ssh/config", words.join(" "))
}

fn engine_version(engine: &Side) -> Check {
    const NAME: &str = "engine-version";
    let version = &engine.version;
    let check = if engine.release().is_some_and(|release| release < OLDEST) {
        Check::problem(NAME, format!("{version} is too old"), "longshore needs 20.10 or later: upgrade the engine")
    } else if made_up(0, Some(version)).is_some() {
        Check::warning(
            NAME,
            format!("{version} makes up exit code 0 after a crash of the host; longshore says `lost`"),
            "upgrade the engine to 24.0.3 or later",
        )
    } else {
        Check::ok(NAME, version)
    };
    check.with("version", version.as_str())
}

fn builder(more: &More, client: Option<&Side>) -> Check {
    const NAME: &str = "builder";
    let major = client.map_or(0, Side::major);
    let check = match more.builder {
        Builder::Buildx => Check::ok(NAME, "BuildKit: docker has the buildx plugin"),
        Builder::BuiltIn => {
            Check::ok(NAME, format!("BuildKit: built into docker clients before 23, and this is {major}"))
        }
        Builder::Legacy if more.wanted_builder.as_deref() == Some("0") => {
            Check::ok(NAME, "legacy: DOCKER_BUILDKIT is 0")
        }
        Builder::Legacy => Check::warning(
            NAME,
            "legacy, without caches for apt and pip: docker has no buildx plugin",
            "install the plugin, for example: sudo apt-get install docker-buildx-plugin",
        ),
    };
    check.with("builder", more.builder.word())
}

fn rootless(info: &Info) -> Check {
    const NAME: &str = "rootless";
    let check = if info.is_rootless() {
        let message = "yes: files that runs write belong to a subordinate user id";
        Check::warning(NAME, message, "to get files of your own: longshore exec run --user 0:0 …")
    } else {
        Check::ok(NAME, "no, the engine runs as root")
    };
    check.with("isRootless", info.is_rootless())
}

fn images(info: &Info) -> Check {
    const NAME: &str = "images";
    let check = match info.images {
        0 => Check::warning(NAME, "the engine has no image to start from", "get one: docker pull python:3-slim"),
        // The engine counts the images of steps too.
        _ => Check::ok(NAME, "there are some; see: longshore image list"),
    };
    check.with("count", info.images)
}

fn gpu(info: &Info) -> Check {
    let has = info.has_gpu_runtime();
    let message = if has { "the engine has the nvidia runtime" } else { "none: the engine has no nvidia runtime" };
    Check::ok("gpu", message).with("hasRuntime", has)
}

fn docker_disk(info: &Info, room: Room) -> Check {
    const NAME: &str = "docker-disk";
    let place = info.docker_root_dir.display();
    let message = format!("{} free in {place}", show_bytes(room.bytes));
    let hint = "see what could go: docker system df   remove unused images and caches: docker system prune";
    let check = match room.bytes {
        ..NO_ROOM => Check::problem(NAME, message, hint),
        NO_ROOM..LITTLE_ROOM => Check::warning(NAME, message, hint),
        _ => Check::ok(NAME, message),
    };
    check.with("path", place.to_string()).with("freeBytes", room.bytes)
}

fn selinux(enforces: bool) -> Check {
    const NAME: &str = "selinux";
    let check = if enforces {
        let message = "enforcing: containers may not read directories without a label for them";
        Check::warning(NAME, message, "give each directory of a run that label: chcon -Rt container_file_t DIR")
    } else {
        Check::ok(NAME, "not enforcing")
    };
    check.with("enforcing", enforces)
}

fn proxy(host: &Host, info: Option<&Info>) -> Check {
    const NAME: &str = "proxy";
    let ours = host.proxies.join(", ");
    let engine_has = info.map(|info| !info.http_proxy.is_empty() || !info.https_proxy.is_empty());
    let check = match (host.proxies.is_empty(), host.docker_has_proxies) {
        (false, false) => Check::warning(
            NAME,
            format!("{ours} set here, but docker does not pass it on to builds and runs"),
            "put it under \"proxies\" in ~/.docker/config.json; see: https://docs.docker.com/engine/cli/proxy",
        ),
        (true, false) => Check::ok(NAME, "none"),
        (_, true) => Check::ok(NAME, "docker's config.json sets proxies for builds and runs"),
    };
    let check = match engine_has {
        Some(true) => Check { message: format!("{}; the engine pulls through its own", check.message), ..check },
        _ => check,
    };
    check.with("variables", host.proxies.clone()).with("configured", host.docker_has_proxies).with("engine", engine_has)
}

fn ca_cert(host: &Host) -> Option<Check> {
    const NAME: &str = "ca-certificate";
    let (path, read) = host.ca_cert.as_ref()?;
    let shown = path.display().to_string();
    let check = match read {
        Ok(count) => Check::ok(NAME, format!("{} in {shown}", counted(*count, "certificate"))),
        Err(why) => Check::problem(
            NAME,
            format!("LONGSHORE_CA_CERT names {shown}, which cannot be used: {why}"),
            "set it to a file of certificates in PEM format, or unset it",
        ),
    };
    Some(check.with("path", shown))
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
