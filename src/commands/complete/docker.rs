//! Completes what docker knows: containers, images and contexts. An engine that does not answer within [`PATIENCE`] has
//! nothing to offer.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::jobs::{plain, prefixed};
use super::line::Line;
use super::reply::Offer;
use crate::cli::CONTAINER_STATUSES;
use crate::engine::{Engine, argv};
use crate::env::Env;
use crate::names::Endpoint;

/// A person waits for the reply with a finger on the key.
const PATIENCE: Duration = Duration::from_millis(300);

/// The keys of `docker ps --filter`.
const CONTAINER_KEYS: [&str; 13] = [
    "ancestor", "before", "exited", "expose", "health", "id", "label", "name", "network", "publish", "since", "status",
    "volume",
];
/// The keys of `docker image ls --filter`.
const IMAGE_KEYS: [&str; 5] = ["before", "dangling", "label", "reference", "since"];

/// Which containers a command can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Containers {
    /// All.
    All,
    /// Those that run.
    Running,
    /// Those that do not run.
    Still,
}

#[derive(Debug, Deserialize)]
struct Container {
    names: String,
    id: String,
    image: String,
    state: String,
    status: String,
    labels: String,
}

/// The fields one by one: for the whole object the engine measures the files of every container.
const CONTAINER: &str = concat!(
    r#"{"names":{{json .Names}},"id":{{json .ID}},"image":{{json .Image}},"state":{{json .State}},"#,
    r#""status":{{json .Status}},"labels":{{json .Labels}}}"#
);

#[derive(Debug, Deserialize)]
struct Image {
    name: String,
    tag: String,
    since: String,
    size: String,
}

const IMAGE: &str =
    r#"{"name":{{json .Repository}},"tag":{{json .Tag}},"since":{{json .CreatedSince}},"size":{{json .Size}}}"#;

#[derive(Debug, Deserialize)]
struct Context {
    name: String,
    endpoint: String,
}

const CONTEXT: &str = r#"{"name":{{json .Name}},"endpoint":{{json .DockerEndpoint}}}"#;

/// The names of containers; ids once a part of one is typed.
pub fn containers(env: &Env, fit: Containers, line: &Line, current: &str) -> Vec<Offer> {
    let mut offers = Vec::new();
    for container in list(env, line) {
        let is_still = !matches!(container.state.as_str(), "running" | "paused" | "restarting");
        let fits = match fit {
            Containers::All => true,
            Containers::Running => !is_still,
            Containers::Still => is_still,
        };
        let name = container.own_name();
        if !fits || line.has(name) || line.has(&container.id) {
            continue;
        }
        let about = format!("{}, {}", container.image, container.status);
        if !current.is_empty() {
            offers.push(Offer::new(container.id.as_str(), format!("{name}, {about}")));
        }
        offers.push(Offer::new(name, about));
    }
    offers
}

/// The names of images with their tags.
pub fn images(env: &Env, line: &Line, current: &str) -> Vec<Offer> {
    let listed: Vec<Image> = ask(env, line, &["image", "ls", "--format", IMAGE]);
    let tagged = listed.into_iter().filter(|image| image.name != "<none>" && image.tag != "<none>");
    let offer = |Image { name, tag, since, size }: Image| {
        let is_short = tag == "latest" && name.starts_with(current);
        let value = if is_short { name } else { format!("{name}:{tag}") };
        Offer::new(value, format!("{since}, {size}"))
    };
    tagged.map(offer).collect()
}

/// The names of volumes, and the beginnings of paths. The target of the mount follows a name.
pub fn sources(env: &Env, line: &Line) -> Vec<Offer> {
    let volumes: Vec<String> = ask(env, line, &["volume", "ls", "--format", "{{json .Name}}"]);
    let volumes = volumes.into_iter().map(|name| Offer::new(format!("{name}:"), "volume"));
    ["./", "/"].into_iter().map(|path| Offer::new(path, "")).chain(volumes).collect()
}

/// docker's contexts. The engine is not asked.
pub fn contexts(env: &Env) -> Vec<Offer> {
    let endpoint = Endpoint::Context("default".into());
    let listed: Vec<Context> = ask_at(env, endpoint, &["context", "ls", "--format", CONTEXT]);
    listed.into_iter().map(|context| Offer::new(context.name, context.endpoint)).collect()
}

/// The keys of `container list --filter`, or the values of the key that is typed.
pub fn container_filters(env: &Env, line: &Line, current: &str) -> Vec<Offer> {
    let Some((key, value)) = current.split_once('=') else { return keys(&CONTAINER_KEYS) };
    let values = match key {
        "status" => plain(CONTAINER_STATUSES),
        "health" => plain(["starting", "healthy", "unhealthy", "none"]),
        "label" => labels(env, line),
        "name" | "before" | "since" => list(env, line).iter().map(|one| Offer::new(one.own_name(), "")).collect(),
        "ancestor" => images(env, line, value),
        _ => Vec::new(),
    };
    prefixed(key, values)
}

/// The keys of `image list --filter`, or the values of the key that is typed.
pub fn image_filters(env: &Env, line: &Line, current: &str) -> Vec<Offer> {
    let Some((key, value)) = current.split_once('=') else { return keys(&IMAGE_KEYS) };
    let values = match key {
        "dangling" => plain(["true", "false"]),
        "reference" | "before" | "since" => images(env, line, value),
        _ => Vec::new(),
    };
    prefixed(key, values)
}

fn keys(keys: &[&str]) -> Vec<Offer> {
    keys.iter().map(|key| Offer::new(format!("{key}="), "")).collect()
}

/// The keys of the containers' labels, and each with its value. docker joins the labels with commas, so a value that has a
/// comma itself is offered up to there.
fn labels(env: &Env, line: &Line) -> Vec<Offer> {
    let mut found = BTreeSet::new();
    for container in list(env, line) {
        for (key, value) in container.labels.split(',').filter_map(|label| label.split_once('=')) {
            found.insert(key.to_owned());
            found.insert(format!("{key}={value}"));
        }
    }
    found.into_iter().map(|label| Offer::new(label, "")).collect()
}

impl Container {
    /// Its own name. A container has more if others are linked to it: these have a slash.
    fn own_name(&self) -> &str {
        self.names.split(',').find(|name| !name.contains('/')).unwrap_or_default()
    }
}

fn list(env: &Env, line: &Line) -> Vec<Container> {
    ask(env, line, &["ps", "--all", "--format", CONTAINER])
}

/// Asks the engine that this command line selects.
fn ask<T: DeserializeOwned>(env: &Env, line: &Line, args: &[&str]) -> Vec<T> {
    let host = line.value_of("--host").map(|host| Endpoint::Host(host.into()));
    let context = line.value_of("--context").map(|name| Endpoint::Context(name.into()));
    ask_at(env, env.endpoint_of(host.or(context)), args)
}

/// The lines of the answer, each a JSON object; nothing if anything fails.
fn ask_at<T: DeserializeOwned>(env: &Env, endpoint: Endpoint, args: &[&str]) -> Vec<T> {
    let Ok(engine) = Engine::at(env, endpoint) else { return Vec::new() };
    let Ok(output) = engine.impatient().run(&argv::words(args.iter().copied()), PATIENCE) else { return Vec::new() };
    let lines = output.stdout.split(|byte| *byte == b'\n');
    lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
}
