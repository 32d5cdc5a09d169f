//! The arguments of docker calls, without the program and the endpoint. Pure.

use std::collections::BTreeMap;

use super::builder::Builder;
use crate::names::{
    CACHE_TARGET, CacheName, Cpus, Gpus, INPUT_TARGET, ImageRef, JobId, Mount, MountPath, NetworkName, OUTPUT_TARGET,
    Publish, SOURCE_TARGET, csv_field,
};

/// The label by which the container of a run is found, even after it was renamed. Builds never put it on an image.
pub const RUN_LABEL: &str = "longshore.run";

/// The label of the image that a build made. Every container made from that image inherits it. Earlier versions put it on
/// the containers of runs, too, in the place of [`RUN_LABEL`].
pub const JOB_LABEL: &str = "longshore.job";

/// The label that says what an image was made of; see `recipe::MadeOf`.
pub const RECIPE_LABEL: &str = "longshore.recipe";

/// The label of an image: the packages of each step of its build.
pub const STEPS_LABEL: &str = "longshore.steps";

/// The labels that the container of a run may have, the present one first.
pub const RUN_LABELS: [&str; 2] = [RUN_LABEL, JOB_LABEL];

/// The input of [`run`].
#[derive(Debug, Clone)]
pub struct RunPlan {
    /// The job.
    pub id: JobId,
    /// The name that the user gave the run.
    pub name: Option<String>,
    /// The image to run in.
    pub image: ImageRef,
    /// Mounted at `/app`.
    pub src: MountPath,
    /// Mounted at `/app/data`, read-only.
    pub input: Option<MountPath>,
    /// Mounted at `/app/output`.
    pub output: Option<MountPath>,
    /// The entries of the source directory, if it is not mounted whole.
    pub parts: Option<Vec<Mount>>,
    /// The user's own mounts.
    pub mounts: Vec<Mount>,
    /// The volume of its cache.
    pub cache: Option<String>,
    /// Ports to publish.
    pub publish: Vec<Publish>,
    /// The program to run.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// `UID:GID`; absent for the image's own user.
    pub user: Option<String>,
    /// A name for that user: `USER` and `LOGNAME`.
    pub user_name: Option<String>,
    /// Names of the variables that the user set.
    pub env: Vec<String>,
    /// The user's labels.
    pub labels: BTreeMap<String, String>,
    /// Limit of processors.
    pub cpus: Option<Cpus>,
    /// Limit of memory, in bytes.
    pub memory: Option<u64>,
    /// Size of `/dev/shm`, in bytes.
    pub shm_size: Option<u64>,
    /// GPUs to use.
    pub gpus: Option<Gpus>,
    /// The network to use.
    pub network: Option<NetworkName>,
    /// The log driver for the engine's copy of the output.
    pub log_driver: String,
    /// On an engine that does not see the caller's files: the mounts for the copies of source, input and output, in the place
    /// of these directories.
    pub copied: Option<Vec<String>>,
}

/// The name of a run's container.
#[must_use]
pub fn container_name(id: &JobId) -> String {
    format!("longshore-{id}")
}

/// The run whose container has this name.
#[must_use]
pub fn run_of_name(name: &str) -> Option<JobId> {
    JobId::parse(name.strip_prefix("longshore-")?).ok()
}

/// `docker run …`. Without `--rm`, because it loses the exit code if the client is killed. Without `--cidfile`, because a
/// kill leaves it empty; the engine sets name and label in one step with the container. `variables` are the flags that
/// pass the user's variables. If files have to be copied first, it is `docker create …` with the same flags.
#[must_use]
pub fn run(plan: &RunPlan, variables: &[String]) -> Vec<String> {
    let verb = if plan.copied.is_some() { "create" } else { "run" };
    let mut argv = words([verb, "--name", &container_name(&plan.id)]);
    argv.extend(words(["--label", &format!("{RUN_LABEL}={}", plan.id)]));
    if let Some(name) = &plan.name {
        argv.extend(words(["--label", &format!("longshore.name={name}")]));
    }
    argv.extend(plan.labels.iter().flat_map(|(key, value)| words(["--label", &format!("{key}={value}")])));
    argv.extend(words(["--init", "--restart", "no", "--pull", "never"]));
    argv.extend(log_options(&plan.log_driver));
    match &plan.copied {
        None => argv.extend(bound(plan)),
        Some(mounts) => argv.extend(mounts.iter().flat_map(|mount| words(["--mount", mount]))),
    }
    argv.extend(plan.mounts.iter().flat_map(|mount| words(["--mount", &mount.to_string()])));
    argv.extend(plan.cache.iter().flat_map(|volume| words(["--mount", &cache_mount(volume)])));
    argv.extend(plan.publish.iter().flat_map(|port| words(["--publish", &port.to_string()])));
    argv.extend(words(["--workdir", "/app"]));
    argv.extend(plan.user.iter().flat_map(|user| words(["--user", user])));
    argv.extend(default_env(plan));
    argv.extend(variables.iter().cloned());
    let limits = [
        ("--cpus", plan.cpus.as_ref().map(ToString::to_string)),
        ("--memory", plan.memory.map(|bytes| bytes.to_string())),
        ("--shm-size", plan.shm_size.map(|bytes| bytes.to_string())),
        ("--gpus", plan.gpus.as_ref().map(Gpus::argument)),
        ("--network", plan.network.as_ref().map(ToString::to_string)),
    ];
    for (flag, value) in limits {
        argv.extend(value.iter().flat_map(|value| words([flag, value])));
    }
    argv.extend(words(["--entrypoint", &plan.program, plan.image.as_str()]));
    argv.extend(plan.args.iter().cloned());
    argv
}

/// The log driver. The daemon's log-opts are merged into containers with the same driver and may limit the log, so the
/// options are explicit. With `local`, one uncompressed file without a limit is the fastest.
pub(super) fn log_options(driver: &str) -> Vec<String> {
    let options: &[&str] = match driver {
        "local" => &["max-size=1000p", "max-file=1", "compress=false"],
        "json-file" => &["max-size=1000p", "max-file=1"],
        _ => &[],
    };
    let options = options.iter().flat_map(|option| words(["--log-opt", option]));
    words(["--log-driver", driver]).into_iter().chain(options).collect()
}

/// Default variables, unless the user set them: unbuffered output, and a home and a name, because a uid without a passwd
/// entry has neither.
pub(super) fn default_env(plan: &RunPlan) -> Vec<String> {
    let name = plan.user_name.as_deref().unwrap_or("user");
    let mut defaults = vec![("PYTHONUNBUFFERED", "1")];
    if plan.cache.is_some() {
        defaults.extend(CACHE_VARIABLES);
    } else if plan.user.is_some() {
        defaults.push(("HOME", "/tmp"));
    }
    if plan.user.is_some() {
        defaults.extend([("USER", name), ("LOGNAME", name)]);
    }
    let set = |key: &str| plan.env.iter().any(|known| known == key);
    let defaults = defaults.into_iter().filter(|(key, _)| !set(key));
    defaults.flat_map(|(key, value)| words(["--env", &format!("{key}={value}")])).collect()
}

/// The mounts of the caller's directories.
fn bound(plan: &RunPlan) -> Vec<String> {
    let mut argv = match &plan.parts {
        None => mount(&plan.src, SOURCE_TARGET, ""),
        Some(parts) => in_parts(parts),
    };
    argv.extend(plan.input.iter().flat_map(|path| mount(path, INPUT_TARGET, ",readonly")));
    argv.extend(plan.output.iter().flat_map(|path| mount(path, OUTPUT_TARGET, "")));
    argv
}

/// `--mount` and not `-v`: `-v` cannot have a colon in the path, and creates a missing source directory as root.
pub(super) fn mount(source: &MountPath, target: &str, more: &str) -> Vec<String> {
    let source = csv_field(&format!("source={}", source.as_str()));
    words(["--mount", &format!("type=bind,{source},target={target}{more}")])
}

/// Where programs find the cache: as their home directory, and by the names that pip and others look for.
const CACHE_VARIABLES: [(&str, &str); 4] = [
    ("HOME", CACHE_TARGET),
    ("XDG_CACHE_HOME", "/cache/.cache"),
    ("PIP_CACHE_DIR", "/cache/.cache/pip"),
    ("HF_HOME", "/cache/.cache/huggingface"),
];

/// It stays empty, because what an image has there is not the cache's.
fn cache_mount(volume: &str) -> String {
    format!("type=volume,source={volume},target={CACHE_TARGET},volume-nocopy")
}

/// A directory in memory, in which docker can make mount points, with the entries of the source directory in it. As the
/// caller cannot write to the source directory, the program cannot write to this one, unless it is root.
pub(super) fn in_parts(parts: &[Mount]) -> Vec<String> {
    let empty = format!("type=tmpfs,target={SOURCE_TARGET},tmpfs-size=1048576,tmpfs-mode=555");
    let parts = parts.iter().map(ToString::to_string);
    [empty].into_iter().chain(parts).flat_map(|mount| words(["--mount", &mount])).collect()
}

/// The input of [`build`]. Paths are those of the supervisor.
#[derive(Debug, Clone)]
pub struct BuildPlan {
    /// `name:tag`
    pub tag: String,
    /// The directory with the Dockerfile.
    pub context: String,
    /// Where the client writes the image's id.
    pub iid: String,
    /// Labels of the image; no step's cache depends on them.
    pub labels: BTreeMap<String, String>,
    /// Ask the registry for a newer base image.
    pub pull: bool,
    /// Do not use the build cache.
    pub no_cache: bool,
    /// The builder to use.
    pub builder: Builder,
}

/// `docker build …` with the flags of the builder.
#[must_use]
pub fn build(plan: &BuildPlan) -> Vec<String> {
    let mut argv = match plan.builder {
        // --load: a builder in its own container would otherwise not give the image to the engine.
        Builder::Buildx => words(["buildx", "build", "--load", "--progress=plain"]),
        Builder::BuiltIn => words(["build", "--progress=plain"]),
        // With a flag between these two words, a client from 23 on does not take them for the command that it has to pass
        // to buildx, and does not write a warning of four lines into each log.
        Builder::Legacy => words(["image", "--help=false", "build", "--force-rm"]),
    };
    argv.extend(words(["--tag", &plan.tag, "--iidfile", &plan.iid]));
    argv.extend(plan.labels.iter().flat_map(|(key, value)| words(["--label", &format!("{key}={value}")])));
    if plan.pull {
        argv.push("--pull".into());
    }
    if plan.no_cache {
        argv.push("--no-cache".into());
    }
    argv.push(plan.context.clone());
    argv
}

/// The versions of client and engine; exits with 1 if no engine answers.
#[must_use]
pub fn version() -> Vec<String> {
    words(["version", "--format", "{{json .}}"])
}

/// The name of a context; exits with 1 if there is none of that name. No engine is asked.
#[must_use]
pub fn context(name: &str) -> Vec<String> {
    words(["context", "inspect", "--format", "{{.Name}}", name])
}

/// Nothing, in the cheapest way; ends with 1 when no engine answers.
#[must_use]
pub fn ping() -> Vec<String> {
    words(["ps", "--quiet", "--filter", "id=none"])
}

/// The engine's id and its data directory. Engines up to 20.10 have the id in a file beside their configuration, so two
/// engines with different data may have the same id.
#[must_use]
pub fn engine_id() -> Vec<String> {
    words(["info", "--format", r#"{{json (print .ID " " .DockerRootDir)}}"#])
}

/// The version of the buildx plugin; fails without it.
#[must_use]
pub fn buildx_version() -> Vec<String> {
    words(["buildx", "version"])
}

/// The engine's descriptions of images.
#[must_use]
pub fn image_inspect(images: &[String]) -> Vec<String> {
    let mut argv = words(["image", "inspect"]);
    argv.extend(images.iter().cloned());
    argv
}

/// Writes an image with all its layers to stdout, as a tar archive.
#[must_use]
pub fn save(image: &str) -> Vec<String> {
    words(["save", image])
}

/// Reads what [`save`] wrote from stdin.
#[must_use]
pub fn load() -> Vec<String> {
    words(["load"])
}

/// The ids of all tagged images, one JSON string a line.
#[must_use]
pub fn image_ids(filters: &[String]) -> Vec<String> {
    let mut argv = words(["image", "ls", "--no-trunc", "--format", "{{json .ID}}"]);
    argv.extend(filters.iter().flat_map(|filter| words(["--filter", filter])));
    argv
}

/// Removes images. Without force, the engine refuses one that a container uses, and one with several names given by its id.
#[must_use]
pub fn image_remove(image: &str, flags: &[&str]) -> Vec<String> {
    words(["image", "rm"].into_iter().chain(flags.iter().copied()).chain([image]))
}

/// The ids of all containers, running or not, one JSON string a line.
#[must_use]
pub fn container_ids() -> Vec<String> {
    words(["ps", "--all", "--no-trunc", "--format", "{{json .ID}}"])
}

/// The engine's descriptions of containers.
#[must_use]
pub fn container_inspect(containers: &[String]) -> Vec<String> {
    let mut argv = words(["container", "inspect"]);
    argv.extend(containers.iter().cloned());
    argv
}

/// A connection of stdin and stdout with the engine's API.
#[must_use]
pub fn dial() -> Vec<String> {
    words(["system", "dial-stdio"])
}

/// The containers with this label of this job or of any, running or not: their ids and the value of the label. It exits
/// with 0 if there is none and with 1 if there is no engine; `inspect` exits with 1 in both cases.
#[must_use]
pub fn containers_labelled(label: &str, job: Option<&JobId>) -> Vec<String> {
    let filter = job.map_or_else(|| format!("label={label}"), |id| format!("label={label}={id}"));
    // Named fields only: for the whole object the engine measures the files of every container.
    let format = format!(r#"{{"id":{{{{json .ID}}}},"job":{{{{json (.Label "{label}")}}}}}}"#);
    words(["ps", "--all", "--no-trunc", "--filter", &filter, "--format", &format])
}

/// The containers that may be those of runs, by their names, running or not: the id of the run on their label, the name and
/// the state.
#[must_use]
pub fn containers_named() -> Vec<String> {
    let format = format!(
        r#"{{"run":{{{{json (or (.Label "{RUN_LABEL}") (.Label "{JOB_LABEL}"))}}}},"name":{{{{json .Names}}}},"state":{{{{json .State}}}}}}"#
    );
    words(["ps", "--all", "--no-trunc", "--filter", "name=longshore-", "--format", &format])
}

/// The engine's description of itself.
#[must_use]
pub fn info() -> Vec<String> {
    words(["info", "--format", "{{json .}}"])
}

/// The version of the client; no engine is asked.
#[must_use]
pub fn client_version() -> Vec<String> {
    words(["--version"])
}

/// The URL of a context; no engine is asked.
#[must_use]
pub fn context_host(name: &str) -> Vec<String> {
    words(["context", "inspect", "--format", "{{json .Endpoints.docker.Host}}", name])
}

/// Waits until a container has ended.
#[must_use]
pub fn wait(container: &str) -> Vec<String> {
    words(["wait", container])
}

/// The engine's copy of the output; `all` or a number of last lines.
#[must_use]
pub fn logs(container: &str, tail: &str) -> Vec<String> {
    words(["logs", "--tail", tail, container])
}

/// The events of a container that the engine remembers until a time of its own clock: each as a JSON string, its action.
/// docker ends at once if the time has passed, and waits for it otherwise.
#[must_use]
pub fn events(container: &str, until: &str) -> Vec<String> {
    let filter = format!("container={container}");
    words(["events", "--since", "1", "--until", until, "--filter", &filter, "--format", "{{json .Action}}"])
}

/// Sends a signal.
#[must_use]
pub fn kill(container: &str, signal: &str) -> Vec<String> {
    words(["kill", "--signal", signal, container])
}

/// The ids of the running containers that mount this directory.
#[must_use]
pub fn containers_with(path: &str) -> Vec<String> {
    words(["ps", "--quiet", "--filter", &format!("volume={path}")])
}

/// The label of a volume that is a cache: its name.
pub const CACHE_LABEL: &str = "longshore.cache";

/// The label of a volume that is a cache or has copies of files: the id of the user whose it is.
pub const OWNER_LABEL: &str = "longshore.uid";

/// Makes the volume of a cache; one that exists is left as it is.
#[must_use]
pub fn volume_create(cache: &CacheName, uid: u32) -> Vec<String> {
    [words(["volume", "create"]), cache_labels(cache, uid), vec![cache.volume(uid)]].concat()
}

fn cache_labels(cache: &CacheName, uid: u32) -> Vec<String> {
    words(["--label", &format!("{CACHE_LABEL}={cache}"), "--label", &format!("{OWNER_LABEL}={uid}")])
}

/// The label of a volume with copies of the files of runs.
pub const COPY_LABEL: &str = "longshore.copy";

/// How the names of the volumes with copies of the files of this user's runs begin.
#[must_use]
pub fn copy_names(uid: u32) -> String {
    format!("longshore-copy-{uid}-")
}

/// The names of the volumes with copies of this user's files that no container uses, one JSON string a line.
#[must_use]
pub fn unused_copies(uid: u32) -> Vec<String> {
    let labels = [format!("label={COPY_LABEL}"), format!("label={OWNER_LABEL}={uid}")];
    let filters = [&labels[0], &labels[1], "dangling=true"].into_iter().flat_map(|filter| ["--filter", filter]);
    words(["volume", "ls", "--format", "{{json .Name}}"].into_iter().chain(filters))
}

/// Makes a volume for copies of files. `mark` tells it from others of its name: one that docker makes for a container has none.
#[must_use]
pub fn copy_create(volume: &str, uid: u32, mark: &str) -> Vec<String> {
    let labels = [format!("{COPY_LABEL}={mark}"), format!("{OWNER_LABEL}={uid}")];
    words(["volume", "create", "--label", &labels[0], "--label", &labels[1], volume])
}

/// Makes a container of this name that has such a volume and is never started.
#[must_use]
pub fn copy_holder(name: &str, volume: &str, place: &str, image: &ImageRef) -> Vec<String> {
    let mount = format!("type=volume,source={volume},target=/{place},volume-nocopy");
    let mut argv = words(["create", "--name", name, "--pull", "never", "--network", "none"]);
    argv.extend(words(["--label", COPY_LABEL]));
    argv.extend(words(["--mount", &mount, "--entrypoint", "none", image.as_str()]));
    argv
}

/// Removes a volume. The engine refuses one that a container uses, running or not.
#[must_use]
pub fn volume_remove(volume: &str) -> Vec<String> {
    words(["volume", "rm", volume])
}

/// The engine's descriptions of volumes.
#[must_use]
pub fn volume_inspect(volumes: &[String]) -> Vec<String> {
    let mut argv = words(["volume", "inspect"]);
    argv.extend(volumes.iter().cloned());
    argv
}

/// Makes a container that has the volume of a cache and is never started. Its name is that of the volume.
#[must_use]
pub fn cache_holder(cache: &CacheName, uid: u32, image: &ImageRef) -> Vec<String> {
    let volume = cache.volume(uid);
    let mut argv = words(["create", "--name", &volume, "--pull", "never", "--network", "none"]);
    argv.extend(cache_labels(cache, uid));
    argv.extend(words(["--mount", &cache_mount(&volume), "--entrypoint", "none", image.as_str()]));
    argv
}

/// Unpacks an archive from stdin at the root of a container.
#[must_use]
pub fn unpack(container: &str) -> Vec<String> {
    words(["cp", "-", &format!("{container}:/")])
}

/// A path in a container as an archive on stdout. Its top directory has the last name of the path.
#[must_use]
pub fn pack(container: &str, path: &str) -> Vec<String> {
    words(["cp", &format!("{container}:{path}"), "-"])
}

/// Starts a container that was created. One that has ended would run again.
#[must_use]
pub fn start(container: &str) -> Vec<String> {
    words(["start", container])
}

/// The engine's copy of the output from its beginning, and what is added until the container ends.
#[must_use]
pub fn follow(container: &str) -> Vec<String> {
    words(["logs", "--follow", container])
}

/// Removes an ended container and its anonymous volumes.
#[must_use]
pub fn remove(container: &str) -> Vec<String> {
    words(["rm", "--volumes", container])
}

/// Owned words.
pub fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    words.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
#[path = "argv_tests.rs"]
mod tests;
