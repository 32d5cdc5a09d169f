//! Docker Swarm: the arguments of its calls, the parts of its JSON that are read, and what the state of a task means.
//! [`task`] is pure.
//!
//! A run is a service with one replica that is never restarted, and not a job of the swarm: a manager that is restarted runs
//! failed tasks of those again. Only a manager is asked.

mod argv;
mod task;

use serde::Deserialize;
use serde_json::Value;

use super::argv::{RunPlan, container_name};
use super::{Answer, Engine};
use crate::names::{Cpus, JobId};
pub use argv::{GRACE, collector_create, collector_name, logs, service_create};
pub use task::{Fate, Task, first};

/// What a run asks of the nodes.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Processors that a node must have free.
    pub cpus: Option<Cpus>,
    /// Bytes of memory that a node must have free.
    pub memory: Option<u64>,
    /// What must be true of a node.
    pub constraints: Vec<String>,
    /// Generic resources that a node must have free.
    pub resources: Vec<String>,
}

/// How the files of a run come to the node.
#[derive(Debug, Clone)]
pub enum Files {
    /// They are there, under the paths of the caller.
    Shared,
    /// They are in so many configs, from which the container unpacks them before the program is started.
    Sent {
        /// How many.
        configs: usize,
        /// Where the output is until it is collected.
        output: Option<Place>,
    },
}

/// Where an output is on its node.
#[derive(Debug, Clone)]
pub struct Place {
    /// The volume.
    pub volume: String,
    /// The directory in it.
    pub directory: String,
}

impl Place {
    /// That of an attempt of a run, counted from 1. Each has one of its own, because the directory of the last attempt may be
    /// removed while the next one runs.
    #[must_use]
    pub fn new(uid: u32, id: &JobId, attempt: usize) -> Self {
        Self { volume: argv::output_volume(uid), directory: format!("{id}-{attempt}") }
    }

    /// That of the run that this task is, which has it as an argument.
    #[must_use]
    pub fn of(uid: u32, task: &Task) -> Option<Self> {
        let directory = argv::output_of(&task.object)?.to_owned();
        Some(Self { volume: argv::output_volume(uid), directory })
    }
}

/// What a run has on its swarm, by name.
#[derive(Debug, PartialEq, Eq)]
pub struct Parts {
    /// Its service, and the one that hands over its output.
    pub services: Vec<String>,
    /// Its files.
    pub configs: Vec<String>,
}

impl Parts {
    /// Those of the run that this task is. Its output was handed over only after its end. `None` if the task is not as
    /// expected.
    #[must_use]
    pub fn of(id: &JobId, task: &Value, has_ended: bool) -> Option<Self> {
        let spec = task.pointer("/Spec/ContainerSpec")?;
        let configs = spec.get("Configs").and_then(Value::as_array).into_iter().flatten();
        let configs = configs.map(|config| Some(config.get("ConfigName")?.as_str()?.to_owned()));
        let output = (has_ended && argv::output_of(task).is_some()).then(|| collector_name(id));
        let services = std::iter::once(container_name(id)).chain(output).collect();
        Some(Self { services, configs: configs.collect::<Option<_>>()? })
    }
}

/// The input of [`service_create`].
#[derive(Debug)]
pub struct ServicePlan {
    /// What it runs. The image is pinned, see [`Engine::pinned`].
    pub run: RunPlan,
    /// What it asks of the nodes.
    pub wish: Wish,
    /// How its files come to the node.
    pub files: Files,
    /// Whether a registry has the image. Nodes then get the caller's login there.
    pub in_registry: bool,
}

/// How an engine stands in a swarm.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Membership {
    /// Whether it is a manager that can reach enough others.
    pub control_available: bool,
    /// The swarm, if it is a manager.
    pub cluster: Option<Cluster>,
}

/// A swarm.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Cluster {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
}

/// What `docker info` says of a manager.
#[derive(Debug, Clone, Deserialize)]
pub struct About {
    /// The engine's version.
    pub version: String,
    /// Its place in the swarm.
    pub swarm: Membership,
}

impl About {
    /// The id of the swarm whose manager it is.
    #[must_use]
    pub fn swarm_id(&self) -> Option<String> {
        let cluster = self.swarm.cluster.as_ref().filter(|_| self.swarm.control_available)?;
        Some(format!("swarm {}", cluster.id))
    }
}

/// A node, as far as the state of its tasks depends on it.
#[derive(Debug, Clone, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// `ready`, `down`, `unknown` or `disconnected`.
    pub state: String,
}

impl Engine {
    /// How this engine stands in a swarm.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn swarm(&self) -> Answer<About> {
        self.json(&argv::about())
    }

    /// The image as every node takes it, without asking a registry for it: by the digest under which a registry has it, or by
    /// its id. `None` if this engine does not have it.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub fn pinned(&self, image: &str) -> Answer<Option<Pinned>> {
        let found = self.images(&[image.to_owned()])?;
        Ok(found.first().and_then(|object| pinned(image, object)))
    }

    /// Makes a config.
    ///
    /// # Errors
    /// When the swarm refuses it, for example because there is one of its name, or does not answer.
    pub fn new_config(&self, id: &JobId, number: usize, content: Vec<u8>) -> Answer<()> {
        let args = argv::config_create(id, number);
        let output = self.run_with(&args, self.patience, Some(content))?;
        if output.status.success() { Ok(()) } else { Err(self.explain(&args, &output)) }
    }

    /// Makes a config; one of the same name is left as it is.
    ///
    /// # Errors
    /// When the swarm refuses it or does not answer.
    pub fn make_config(&self, id: &JobId, number: usize, content: Vec<u8>) -> Answer<()> {
        let name = argv::config_name(id, number);
        let exists = || self.json_lines(&argv::configs(id)).is_ok_and(|names: Vec<String>| names.contains(&name));
        self.new_config(id, number, content).or_else(|error| if exists() { Ok(()) } else { Err(error) })
    }

    /// Removes the configs of a run that has no service. They are those of a start that failed, and its files may have changed
    /// since then.
    ///
    /// # Errors
    /// When the swarm does not answer.
    pub fn discard_configs(&self, id: &JobId, service: &str) -> Answer<()> {
        let names: Vec<String> = self.json_lines(&argv::configs(id))?;
        if names.is_empty() || self.tasks(id, service)?.is_some() {
            return Ok(());
        }
        self.read(&argv::configs_remove(&names)).map(drop)
    }

    /// Makes a service from this command line; one of the same name is left as it is.
    ///
    /// # Errors
    /// When the swarm refuses it or does not answer.
    pub fn make_service(
        &self,
        args: &[String],
        id: &JobId,
        name: &str,
        stdin: Option<Vec<u8>>,
        environment: Vec<(String, String)>,
    ) -> Answer<()> {
        let output = self.run_as(args, self.patience, stdin, environment)?;
        let exists = || self.tasks(id, name).is_ok_and(|tasks| tasks.is_some());
        if output.status.success() || exists() { Ok(()) } else { Err(self.explain(args, &output)) }
    }

    /// The tasks of a service; `None` if there is no such service. They are one question to the API of the manager. Any other
    /// answer than tasks proves nothing, and docker's own commands are asked then.
    ///
    /// # Errors
    /// When the swarm does not answer.
    pub fn tasks(&self, id: &JobId, service: &str) -> Answer<Option<Vec<Task>>> {
        let filters = serde_json::json!({"service": {service: true}}).to_string();
        let answer: Option<Vec<Value>> = self.get("/tasks", &[("filters", filters)])?;
        match answer.and_then(|objects| objects.into_iter().map(|object| Task::read(object).ok()).collect()) {
            Some(tasks) => Ok(Some(tasks)),
            None => self.tasks_by_commands(id, service),
        }
    }

    /// As [`Engine::tasks`]. Only a list of services proves that there is no such service: the call for one fails also when the
    /// managers cannot agree.
    fn tasks_by_commands(&self, id: &JobId, service: &str) -> Answer<Option<Vec<Task>>> {
        let args = argv::task_ids(service);
        let output = self.run(&args, self.patience)?;
        if !output.status.success() {
            let names: Vec<String> = self.json_lines(&argv::services(id))?;
            let is_there = names.iter().any(|name| name == service);
            return if is_there { Err(self.explain(&args, &output)) } else { Ok(None) };
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let ids: Vec<&str> = text.split_whitespace().collect();
        if ids.is_empty() {
            // The swarm has not made one yet.
            return Ok(Some(Vec::new()));
        }
        let args = argv::task_inspect(&ids);
        let objects: Vec<Value> = self.json(&args)?;
        let tasks = objects.into_iter().map(|object| Task::read(object).map_err(|why| self.nonsense(&args, &why)));
        tasks.collect::<Answer<_>>().map(Some)
    }

    /// A node.
    ///
    /// # Errors
    /// When the swarm does not answer, or has no such node.
    pub fn node(&self, id: &str) -> Answer<Node> {
        self.json(&argv::node_inspect(id))
    }

    /// Whether a service was asked to end its task, by [`Engine::stop_service`].
    ///
    /// # Errors
    /// When the swarm does not answer.
    pub fn is_stopped(&self, service: &str) -> Answer<bool> {
        let constraints: Option<Vec<String>> = self.json(&argv::constraints(service))?;
        Ok(constraints.into_iter().flatten().any(|constraint| constraint == argv::STOPPED))
    }

    /// Ends the task of a service: TERM, the grace of the service, KILL. The service remains, with task, code and log. This is a
    /// constraint that no node fulfils, because a service that is scaled or removed loses them.
    ///
    /// # Errors
    /// When the swarm does not answer.
    pub fn stop_service(&self, service: &str) -> Answer<()> {
        self.read(&argv::stop(service)).map(drop)
    }

    /// Removes a service with its tasks and their logs.
    ///
    /// # Errors
    /// When the swarm does not answer.
    pub fn remove_service(&self, service: &str) -> Answer<()> {
        self.read(&argv::services_remove(&[service.to_owned()])).map(drop)
    }

    /// Removes these services and configs. Returns whether each of them was there and was removed.
    #[must_use]
    pub fn clear_parts(&self, parts: &Parts) -> bool {
        let done = |args: &[String]| self.run(args, self.patience).is_ok_and(|output| output.status.success());
        // A config cannot be removed while a service has it.
        done(&argv::services_remove(&parts.services))
            && (parts.configs.is_empty() || done(&argv::configs_remove(&parts.configs)))
    }

    /// Removes the services and the configs of a run. Returns whether nothing is left of them.
    #[must_use]
    pub fn clear_swarm(&self, id: &JobId) -> bool {
        self.emptied(&argv::services(id), argv::services_remove)
            && self.emptied(&argv::configs(id), argv::configs_remove)
    }

    /// Removes what a list has. Of several processes that do so, all but one fail, so the list is asked for again then.
    fn emptied(&self, list: &[String], remove: fn(&[String]) -> Vec<String>) -> bool {
        let names = || self.json_lines::<String>(list);
        let Ok(found) = names() else { return false };
        let removed = || self.run(&remove(&found), self.patience).is_ok_and(|output| output.status.success());
        found.is_empty() || removed() || names().is_ok_and(|names| names.is_empty())
    }
}

/// An image as every node takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// `NAME@sha256:…`, or `sha256:…`.
    pub reference: String,
    /// Whether a registry has it.
    pub in_registry: bool,
}

/// The engine's description of an image. What the caller gave as an id stays one.
fn pinned(image: &str, object: &Value) -> Option<Pinned> {
    let id = object["Id"].as_str()?;
    let digests = object["RepoDigests"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let named = digests.filter(|digest| !digest.starts_with("<none>")).min_by_key(|digest| !is_of(digest, image));
    let is_id = id.trim_start_matches("sha256:").starts_with(image.trim_start_matches("sha256:"));
    Some(match named.filter(|_| !is_id) {
        Some(digest) => Pinned { reference: digest.to_owned(), in_registry: true },
        None => Pinned { reference: id.to_owned(), in_registry: false },
    })
}

/// Whether a digest belongs to the name of an image.
fn is_of(digest: &str, image: &str) -> bool {
    let name = digest.split('@').next().unwrap_or_default();
    image.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '@']))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_image_is_pinned_by_the_digest_of_its_registry_or_by_its_id() {
        let object = |digests: Value| json!({"Id": "sha256:0123456789abcdef", "RepoDigests": digests});
        let reference = |image: &str, digests| pinned(image, &object(digests)).unwrap().reference;
        assert_eq!(reference("web", json!([])), "sha256:0123456789abcdef");
        assert_eq!(reference("web", json!(null)), "sha256:0123456789abcdef");
        let two = || json!(["reg.example/other@sha256:11", "reg.example/web@sha256:22"]);
        assert_eq!(reference("reg.example/web:v1", two()), "reg.example/web@sha256:22");
        assert_eq!(reference("web", two()), "reg.example/other@sha256:11");
        // Where the caller says the id, the nodes have the image by its id.
        assert_eq!(reference("sha256:0123456789abcdef", two()), "sha256:0123456789abcdef");
        assert_eq!(reference("0123456789ab", two()), "sha256:0123456789abcdef");
        assert_eq!(reference("web", json!(["<none>@sha256:33"])), "sha256:0123456789abcdef");
    }

    #[test]
    fn a_task_says_what_its_run_has_on_the_swarm() {
        let id = JobId::parse("0123456789ab").unwrap();
        let parts = |spec: Value, has_ended| {
            let parts = Parts::of(&id, &json!({"Spec": {"ContainerSpec": spec}}), has_ended)?;
            Some([parts.services, parts.configs].concat())
        };
        let files = json!([{"ConfigName": "longshore-0123456789ab-000"}, {"ConfigName": "longshore-0123456789ab-001"}]);
        let program = |output| json!(["-c", "unpack", "longshore", "1000:1000", output, "python3", "main.py"]);
        let [service, first, second] = ["", "-000", "-001"].map(|part| format!("longshore-0123456789ab{part}"));
        assert_eq!(
            parts(json!({"Configs": files, "Args": program("-")}), true),
            Some(vec![service.clone(), first.clone(), second.clone()])
        );
        let spec = json!({"Configs": files, "Args": program("/longshore/0123456789ab-1")});
        assert_eq!(parts(spec.clone(), false), Some(vec![service.clone(), first.clone(), second.clone()]));
        assert_eq!(parts(spec, true), Some(vec![service.clone(), collector_name(&id), first, second]));
        assert_eq!(parts(json!({"Args": ["main.py"]}), true), Some(vec![service]));
        assert_eq!(parts(json!({"Configs": [{"ConfigID": "x"}]}), true), None);
        assert_eq!(Parts::of(&id, &Value::Null, true), None);
    }

    #[test]
    fn only_a_manager_says_which_swarm_it_is() {
        let about = |text: &str| serde_json::from_str::<About>(text).unwrap().swarm_id();
        let manager = r#"{"version": "1", "swarm": {"ControlAvailable": true, "Cluster": {"ID": "abc"}}}"#;
        assert_eq!(about(manager).as_deref(), Some("swarm abc"));
        assert_eq!(about(r#"{"version": "1", "swarm": {"ControlAvailable": false, "Cluster": null}}"#), None);
        assert_eq!(about(r#"{"version": "1", "swarm": {}}"#), None);
    }
}
