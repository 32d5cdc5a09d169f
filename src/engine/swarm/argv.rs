//! The arguments of docker calls about a swarm. Pure.

use super::{Files, Pinned, Place, ServicePlan};
use crate::engine::argv::{RUN_LABEL, RunPlan, container_name, default_env, in_parts, log_options, mount, words};
use crate::names::{JobId, SOURCE_TARGET};
use crate::shell;

/// The constraint that ends a task: no node has this label.
pub const STOPPED: &str = "node.labels.longshore==stopped";

/// How many seconds a program may take to end after TERM, before it is killed. The swarm reads it when the task is made.
pub const GRACE: u64 = 10;

/// Where the configs of a run are in its container.
const CONFIGS: &str = "/run/longshore";

/// Where the volume for outputs is in a container.
const OUTPUTS: &str = "/longshore";

/// What unpacks the files of a run and starts its program, as the user of the run.
const UNPACK: &str = include_str!("unpack.sh");

/// What writes the output of a run to its own output, and removes it when it is asked to end.
const COLLECT: &str = include_str!("collect.sh");

/// `docker service create …`, which returns before the task is started. `variables` are the flags that pass the user's
/// variables.
#[must_use]
pub fn service_create(plan: &ServicePlan, variables: &[String]) -> Vec<String> {
    let ServicePlan { run, wish, files, in_registry } = plan;
    let mut argv = service(&container_name(&run.id), *in_registry);
    let name = run.name.as_ref().map(|name| format!("longshore.name={name}"));
    let own = [Some(format!("{RUN_LABEL}={}", run.id)), name];
    let labels = own.into_iter().flatten().chain(run.labels.iter().map(|(key, value)| format!("{key}={value}")));
    argv.extend(labels.flat_map(|label| words(["--label", &label, "--container-label", &label])));
    argv.extend(log_options(&run.log_driver));
    let options = [
        ("--limit-cpu", run.cpus.as_ref().map(ToString::to_string)),
        ("--limit-memory", run.memory.map(|bytes| bytes.to_string())),
        ("--reserve-cpu", wish.cpus.as_ref().map(ToString::to_string)),
        ("--reserve-memory", wish.memory.map(|bytes| bytes.to_string())),
        ("--network", run.network.as_ref().map(ToString::to_string)),
    ];
    argv.extend(options.iter().flat_map(|(flag, value)| value.iter().flat_map(|value| words([*flag, value]))));
    argv.extend(wish.constraints.iter().flat_map(|constraint| words(["--constraint", constraint])));
    argv.extend(wish.resources.iter().flat_map(|resource| words(["--generic-resource", resource])));
    argv.extend(mounts(run, files));
    argv.extend(words(["--workdir", SOURCE_TARGET]));
    argv.extend(default_env(run));
    argv.extend(variables.iter().cloned());
    argv.extend(program(run, files));
    argv.extend(run.args.iter().cloned());
    argv
}

/// A service whose one task is never restarted.
fn service(name: &str, in_registry: bool) -> Vec<String> {
    let mut argv = words(["service", "create", "--detach", "--quiet", "--name", name]);
    argv.extend(words(["--replicas", "1", "--restart-condition", "none", "--no-resolve-image", "--init"]));
    argv.extend(words(["--stop-grace-period", &format!("{GRACE}s")]));
    if in_registry {
        argv.push("--with-registry-auth".into());
    }
    argv
}

fn mounts(run: &RunPlan, files: &Files) -> Vec<String> {
    let mut argv = Vec::new();
    match (files, &run.parts) {
        (Files::Shared, None) => argv.extend(mount(&run.src, SOURCE_TARGET, "")),
        (Files::Shared, Some(parts)) => argv.extend(in_parts(parts)),
        (Files::Sent { configs, output }, _) => {
            for number in 0..*configs {
                let source = config_name(&run.id, number);
                let config = format!("source={source},target={CONFIGS}/{number:03},mode=0400");
                argv.extend(words(["--config", &config]));
            }
            argv.extend(output.iter().flat_map(|place| words(["--mount", &output_mount(&place.volume)])));
        }
    }
    if matches!(files, Files::Shared) {
        argv.extend(run.input.iter().flat_map(|path| mount(path, "/app/data", ",readonly")));
        argv.extend(run.output.iter().flat_map(|path| mount(path, "/app/output", "")));
    }
    argv.extend(run.mounts.iter().flat_map(|mount| words(["--mount", &mount.to_string()])));
    argv
}

/// The user, the image, and the program up to its own arguments. docker splits an entrypoint into words, as a shell does.
fn program(run: &RunPlan, files: &Files) -> Vec<String> {
    match files {
        Files::Shared => {
            let user = run.user.iter().flat_map(|user| words(["--user", user]));
            user.chain(words(["--entrypoint", &shell::quoted(&run.program), run.image.as_str()])).collect()
        }
        Files::Sent { output, .. } => {
            let user = run.user.as_deref().unwrap_or("0:0");
            let output =
                output.as_ref().map_or_else(|| "-".to_owned(), |place| format!("{OUTPUTS}/{}", place.directory));
            let script = ["-c", UNPACK, "longshore", user, &output, &run.program];
            words(["--user", "0:0", "--entrypoint", "sh", run.image.as_str()].into_iter().chain(script))
        }
    }
}

/// The directory for the output of a task, from the arguments of [`program`].
pub fn output_of(task: &serde_json::Value) -> Option<&str> {
    let path = task.pointer("/Spec/ContainerSpec/Args/4")?.as_str()?;
    path.strip_prefix(OUTPUTS)?.strip_prefix('/')
}

/// It stays empty, because what an image has there is no output.
fn output_mount(volume: &str) -> String {
    format!("type=volume,source={volume},target={OUTPUTS},volume-nocopy")
}

/// The service that hands over the output of a run: on the node where it is.
#[must_use]
pub fn collector_create(id: &JobId, node: &str, place: &Place, image: &Pinned) -> Vec<String> {
    let mut argv = service(&collector_name(id), image.in_registry);
    let label = format!("{RUN_LABEL}={id}");
    argv.extend(words(["--label", &label, "--container-label", &label]));
    argv.extend(log_options("local"));
    argv.extend(words(["--constraint", &format!("node.id=={node}"), "--mount", &output_mount(&place.volume)]));
    argv.extend(words(["--user", "0:0", "--entrypoint", "sh", &image.reference]));
    argv.extend(words(["-c", COLLECT, "longshore", OUTPUTS, &place.directory]));
    argv
}

/// The name of the service that hands over the output of a run.
#[must_use]
pub fn collector_name(id: &JobId) -> String {
    format!("{}-output", container_name(id))
}

/// The volume in which the outputs of this user's runs are on a node until they are collected.
#[must_use]
pub fn output_volume(uid: u32) -> String {
    format!("longshore-output-{uid}")
}

/// The id of the swarm and the engine's version, as [`super::About`].
#[must_use]
pub fn about() -> Vec<String> {
    words(["info", "--format", r#"{"version":{{json .ServerVersion}},"swarm":{{json .Swarm}}}"#])
}

/// The name of a config of a run.
#[must_use]
pub fn config_name(id: &JobId, number: usize) -> String {
    format!("{}-{number:03}", container_name(id))
}

/// Makes a config of what comes on stdin.
#[must_use]
pub fn config_create(id: &JobId, number: usize) -> Vec<String> {
    words(["config", "create", "--label", &format!("{RUN_LABEL}={id}"), &config_name(id, number), "-"])
}

/// The names of the configs of a run, one JSON string a line.
#[must_use]
pub fn configs(id: &JobId) -> Vec<String> {
    words(["config", "ls", "--filter", &format!("label={RUN_LABEL}={id}"), "--format", "{{json .Name}}"])
}

/// Removes configs.
#[must_use]
pub fn configs_remove(names: &[String]) -> Vec<String> {
    [words(["config", "rm"]), names.to_vec()].concat()
}

/// The names of the services of a run, one JSON string a line.
#[must_use]
pub fn services(id: &JobId) -> Vec<String> {
    words(["service", "ls", "--filter", &format!("label={RUN_LABEL}={id}"), "--format", "{{json .Name}}"])
}

/// Removes services with their tasks.
#[must_use]
pub fn services_remove(names: &[String]) -> Vec<String> {
    [words(["service", "rm"]), names.to_vec()].concat()
}

/// The ids of the tasks of a service; exits with 1 if there is none of that name.
#[must_use]
pub fn task_ids(service: &str) -> Vec<String> {
    words(["service", "ps", "--quiet", "--no-trunc", service])
}

/// The swarm's descriptions of tasks.
#[must_use]
pub fn task_inspect(ids: &[&str]) -> Vec<String> {
    words(["inspect", "--type", "task"].into_iter().chain(ids.iter().copied()))
}

/// A node, as [`super::Node`].
#[must_use]
pub fn node_inspect(id: &str) -> Vec<String> {
    let format = r#"{"name":{{json .Description.Hostname}},"state":{{json .Status.State}}}"#;
    words(["node", "inspect", "--format", format, id])
}

/// The constraints of a service as an array, or null.
#[must_use]
pub fn constraints(service: &str) -> Vec<String> {
    words(["service", "inspect", "--format", "{{json .Spec.TaskTemplate.Placement.Constraints}}", service])
}

/// Ends the task of a service.
#[must_use]
pub fn stop(service: &str) -> Vec<String> {
    words(["service", "update", "--detach", "--quiet", "--constraint-add", STOPPED, service])
}

/// The output of a service or of one task from its beginning; with `follow` until docker is killed.
#[must_use]
pub fn logs(of: &str, tail: &str, follow: bool) -> Vec<String> {
    let follow = follow.then_some("--follow");
    words(["service", "logs", "--raw", "--tail", tail].into_iter().chain(follow).chain([of]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::engine::swarm::Wish;
    use crate::names::{Cpus, ImageRef, MountPath};

    fn plan(files: Files) -> ServicePlan {
        let path = |text: &str| MountPath::parse(text).unwrap();
        let run = RunPlan {
            id: JobId::parse("0123456789ab").unwrap(),
            name: Some("report".into()),
            image: ImageRef::parse("sha256:7a0f0d3f317f064ad827d26cbb4f896c49fa3f661eb48b2c7f83a8fe31a204f0").unwrap(),
            src: path("/home/ada/src"),
            input: Some(path("/home/ada/in")),
            output: Some(path("/home/ada/out")),
            parts: None,
            mounts: Vec::new(),
            cache: None,
            publish: Vec::new(),
            program: "python3".into(),
            args: vec!["main.py".into(), "a b".into()],
            user: Some("1000:1000".into()),
            user_name: Some("ada".into()),
            env: Vec::new(),
            labels: BTreeMap::from([("team".into(), "x".into())]),
            cpus: Some(Cpus::parse("1.5").unwrap()),
            memory: Some(1 << 20),
            shm_size: None,
            gpus: None,
            network: None,
            log_driver: "local".into(),
            copied: None,
        };
        let wish = Wish {
            cpus: Some(Cpus::parse("2").unwrap()),
            memory: Some(1 << 21),
            constraints: vec!["node.role==worker".into()],
            resources: vec!["gpu=1".into()],
        };
        ServicePlan { run, wish, files, in_registry: false }
    }

    /// The command line from this word on.
    fn from(argv: &[String], word: &str) -> String {
        let at = argv.iter().position(|known| known == word).unwrap();
        argv[at..].join(" ")
    }

    #[test]
    fn a_service_has_one_task_that_is_never_restarted_and_what_the_run_asks_for() {
        let argv = service_create(&plan(Files::Shared), &["--env=TOKEN".into()]);
        assert_eq!(
            argv.join(" "),
            "service create --detach --quiet --name longshore-0123456789ab --replicas 1 --restart-condition none \
             --no-resolve-image --init --stop-grace-period 10s --label longshore.run=0123456789ab --container-label \
             longshore.run=0123456789ab --label longshore.name=report --container-label longshore.name=report --label team=x \
             --container-label team=x --log-driver local --log-opt max-size=1000p --log-opt max-file=1 --log-opt \
             compress=false --limit-cpu 1.5 --limit-memory 1048576 --reserve-cpu 2 --reserve-memory 2097152 --constraint \
             node.role==worker --generic-resource gpu=1 --mount type=bind,source=/home/ada/src,target=/app --mount \
             type=bind,source=/home/ada/in,target=/app/data,readonly --mount type=bind,source=/home/ada/out,target=/app/output \
             --workdir /app --env PYTHONUNBUFFERED=1 --env HOME=/tmp --env USER=ada --env LOGNAME=ada --env=TOKEN --user \
             1000:1000 --entrypoint python3 \
             sha256:7a0f0d3f317f064ad827d26cbb4f896c49fa3f661eb48b2c7f83a8fe31a204f0 main.py a b"
        );
    }

    #[test]
    fn files_that_are_sent_are_unpacked_by_root_before_the_program_is_the_users() {
        let output = Some(Place::new(1000, &JobId::parse("0123456789ab").unwrap(), 2));
        let argv = service_create(&plan(Files::Sent { configs: 2, output }), &[]);
        let at = argv.iter().position(|word| word == "-c").unwrap();
        let task = serde_json::json!({"Spec": {"ContainerSpec": {"Args": argv[at..]}}});
        assert_eq!(output_of(&task), Some("0123456789ab-2"));
        assert!(!argv.iter().any(|word| word.contains("/home/ada")));
        let end = from(&argv, "--config").replace(UNPACK, "UNPACK");
        assert!(
            end.starts_with(
                "--config source=longshore-0123456789ab-000,target=/run/longshore/000,mode=0400 --config \
                 source=longshore-0123456789ab-001,target=/run/longshore/001,mode=0400 --mount \
                 type=volume,source=longshore-output-1000,target=/longshore,volume-nocopy --workdir /app"
            ),
            "{end}"
        );
        assert!(end.ends_with("-c UNPACK longshore 1000:1000 /longshore/0123456789ab-2 python3 main.py a b"), "{end}");
        let argv = service_create(&plan(Files::Sent { configs: 1, output: None }), &[]);
        let at = argv.iter().position(|word| word == "-c").unwrap();
        assert_eq!(output_of(&serde_json::json!({"Spec": {"ContainerSpec": {"Args": argv[at..]}}})), None);
        assert!(from(&argv, "longshore").starts_with("longshore 1000:1000 - python3"));
    }

    #[test]
    fn an_entrypoint_with_blanks_is_one_word_for_docker() {
        let mut plan = plan(Files::Shared);
        plan.run.program = "my program".into();
        let argv = service_create(&plan, &[]);
        assert!(from(&argv, "--entrypoint").starts_with("--entrypoint 'my program' sha256:"));
    }

    #[test]
    fn the_collector_is_on_the_node_of_the_output() {
        let image = Pinned { reference: "web@sha256:22".into(), in_registry: true };
        let id = JobId::parse("0123456789ab").unwrap();
        let argv = collector_create(&id, "node1", &Place::new(0, &id, 1), &image).join(" ").replace(COLLECT, "COLLECT");
        assert!(argv.contains("--with-registry-auth") && argv.contains("--constraint node.id==node1"), "{argv}");
        assert!(
            argv.ends_with("--entrypoint sh web@sha256:22 -c COLLECT longshore /longshore 0123456789ab-1"),
            "{argv}"
        );
    }
}
