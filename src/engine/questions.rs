//! The questions that longshore asks an engine, one method for each: about containers and images of jobs, and about the
//! engine itself.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::inspect::{self, ContainerState, Version};
use super::{Answer, Engine, EngineError, argv};
use crate::names::{JobId, SOURCE_TARGET};

/// How often, and after which pause, a container that is listed and cannot be inspected is asked for again.
const LISTED_TRIES: u32 = 5;
const LISTED_PAUSE: Duration = Duration::from_millis(100);

/// The engine's description of a container, and the state that was read from it.
#[derive(Debug, Clone)]
pub struct Container {
    /// The engine's own object.
    pub object: Value,
    /// The state that was read from it.
    pub state: ContainerState,
}

impl Container {
    /// Whether it is the container of this job.
    #[must_use]
    pub fn is_of(&self, id: &JobId, source: Option<&str>) -> bool {
        is_of(&self.object, &self.state, id, source)
    }
}

/// Whether the engine's description of a container is that of the container of this run. A label alone does not say so:
/// `docker commit` copies it into images, and every container inherits the labels of its image. So a container that does
/// not have the name of the run's must have its source directory, which images do not pass on.
fn is_of(object: &Value, state: &ContainerState, id: &JobId, source: Option<&str>) -> bool {
    let mounts = object.pointer("/HostConfig/Mounts").and_then(Value::as_array);
    let is_source = |mount: &Value| source.is_some_and(|source| has_source(mount, source));
    let is_labelled =
        argv::RUN_LABELS.iter().filter_map(|label| state.labels.get(*label)).any(|label| label == id.as_str());
    // The task of a service has the name of that, and `.1.` and its own id after it.
    let named =
        object["Name"].as_str().and_then(|name| name.strip_prefix('/')?.strip_prefix(&argv::container_name(id)));
    let is_named = named.is_some_and(|rest| rest.is_empty() || rest.starts_with(".1."));
    is_labelled && (is_named || mounts.is_some_and(|mounts| mounts.iter().any(is_source)))
}

/// Whether it is the mount of a source directory, or of an entry of it at its place.
fn has_source(mount: &Value, source: &str) -> bool {
    let [path, target] = ["Source", "Target"].map(|key| mount[key].as_str().unwrap_or_default());
    let inside = path.strip_prefix(source).filter(|inside| inside.is_empty() || inside.starts_with('/'));
    inside.is_some_and(|inside| target.strip_prefix(SOURCE_TARGET) == Some(inside))
}

/// The run to which a container belongs, by the engine's description of it. `source` tells the source directory of a run
/// that is known; the container of another run is told by its name alone.
#[must_use]
pub fn run_of(object: &Value, state: &ContainerState, source: impl Fn(&JobId) -> Option<String>) -> Option<JobId> {
    let mut runs = argv::RUN_LABELS.iter().filter_map(|label| JobId::parse(state.labels.get(*label)?).ok());
    runs.find(|id| is_of(object, state, id, source(id).as_deref()))
}

/// A container in the list of those with the label of a job.
#[derive(Debug, Clone, Deserialize)]
struct Listed {
    id: String,
    job: String,
}

/// The containers with the labels of jobs, by job. One whose description cannot be read is there as the error.
pub type Described = HashMap<String, Vec<Answer<Container>>>;

impl Engine {
    /// The container of a job. It is found by its name in one call or, if it was renamed, by its label and its source
    /// directory.
    ///
    /// # Errors
    /// When the engine does not answer, or gives an unexpected answer. `None` means that there is no container.
    pub fn container_of(&self, id: &JobId, source: Option<&str>) -> Answer<Option<Container>> {
        let args = argv::container_inspect(&[argv::container_name(id)]);
        let output = self.run(&args, self.patience)?;
        if output.status.success() {
            let container = self.container(&args, &output.stdout)?;
            if container.is_of(id, source) {
                return Ok(Some(container));
            }
        }
        self.container_labelled(id, source)
    }

    fn container_labelled(&self, id: &JobId, source: Option<&str>) -> Answer<Option<Container>> {
        for label in argv::RUN_LABELS {
            if let Some(container) = self.container_with(label, id, source)? {
                return Ok(Some(container));
            }
        }
        Ok(None)
    }

    /// A container that is being created or removed is listed and cannot be inspected. Then the list is asked for again,
    /// because only a list without it proves that there is none.
    fn container_with(&self, label: &str, id: &JobId, source: Option<&str>) -> Answer<Option<Container>> {
        let mut tries = 0;
        loop {
            let listed: Vec<Listed> = self.json_lines(&argv::containers_labelled(label, Some(id)))?;
            let described = self.describe(&listed)?.remove(id.as_str()).unwrap_or_default();
            let mut failed = None;
            for container in described {
                match container {
                    Ok(container) if container.is_of(id, source) => return Ok(Some(container)),
                    Ok(_) => {}
                    Err(error) => failed = Some(error),
                }
            }
            let Some(error) = failed else { return Ok(None) };
            if tries == LISTED_TRIES {
                return Err(error);
            }
            tries += 1;
            std::thread::sleep(LISTED_PAUSE);
        }
    }

    /// The containers with this label of the wanted jobs on this engine, in at most two calls. A container whose
    /// description cannot be read is there with the error, because it is not absent.
    ///
    /// # Errors
    /// As [`Engine::container_of`].
    pub fn containers_of_jobs(&self, label: &str, is_wanted: impl Fn(&str) -> bool) -> Answer<Described> {
        let mut listed: Vec<Listed> = self.json_lines(&argv::containers_labelled(label, None))?;
        listed.retain(|listed| is_wanted(&listed.job));
        self.describe(&listed)
    }

    fn describe(&self, listed: &[Listed]) -> Answer<Described> {
        if listed.is_empty() {
            return Ok(HashMap::new());
        }
        let ids: Vec<String> = listed.iter().map(|listed| listed.id.clone()).collect();
        // If one was removed meanwhile, docker exits with 1 and still prints the others.
        let args = argv::container_inspect(&ids);
        let output = self.run(&args, self.patience)?;
        let objects: Vec<Value> =
            serde_json::from_slice(&output.stdout).map_err(|error| self.nonsense(&args, &error.to_string()))?;
        let mut described = Described::new();
        for Listed { id, job } in listed {
            let object = objects.iter().find(|object| object["Id"] == id.as_str());
            let container = match object {
                Some(object) => inspect::container_state(object)
                    .map(|state| Container { object: object.clone(), state })
                    .map_err(|why| self.nonsense(&args, &why)),
                None if output.status.success() => Err(self.nonsense(&args, "a container is missing in it")),
                None => Err(self.explain(&args, &output)),
            };
            described.entry(job.clone()).or_default().push(container);
        }
        Ok(described)
    }

    /// The engine's descriptions of images, without those that were removed meanwhile.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub fn images(&self, ids: &[String]) -> Answer<Vec<Value>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.those_there(&argv::image_inspect(ids))
    }

    /// The engine's descriptions of containers, without those that were removed meanwhile.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub fn containers(&self, ids: &[String]) -> Answer<Vec<Value>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.those_there(&argv::container_inspect(ids))
    }

    /// What `inspect` says of those that are there. If one is missing, docker exits with 1 and still prints the others.
    fn those_there(&self, args: &[String]) -> Answer<Vec<Value>> {
        let output = self.run(args, self.patience)?;
        if !output.status.success() {
            match self.explain(args, &output) {
                EngineError::Failed { .. } => {}
                error => return Err(error),
            }
        }
        serde_json::from_slice(&output.stdout).map_err(|error| self.nonsense(args, &error.to_string()))
    }

    /// The ids of the images of all containers, running or not.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub fn images_in_use(&self) -> Answer<HashSet<String>> {
        let ids: Vec<String> = self.json_lines(&argv::container_ids())?;
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        let args = argv::container_inspect(&ids);
        let objects = self.those_there(&args)?;
        let image = |object: &Value| object["Image"].as_str().map(str::to_owned);
        // A container without an image would make one look unused.
        objects
            .iter()
            .map(|object| image(object).ok_or_else(|| self.nonsense(&args, "a container has no image")))
            .collect()
    }

    /// The engine's descriptions of these volumes, without those that were removed meanwhile.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub fn volumes(&self, names: &[String]) -> Answer<Vec<Value>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        self.those_there(&argv::volume_inspect(names))
    }

    /// The names of the volumes with copies of files of this user's runs that no container uses, running or not.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub fn unused_copies(&self, uid: u32) -> Answer<Vec<String>> {
        self.json_lines(&argv::unused_copies(uid))
    }

    /// Whether there is an image with this name. The answer is no only if docker exits with 1 and the engine answers.
    ///
    /// # Errors
    /// When the engine does not answer, or docker was killed.
    pub fn has_image(&self, image: &str) -> Answer<bool> {
        let args = argv::image_inspect(&[image.to_owned()]);
        let output = self.run(&args, self.patience)?;
        match output.status.code() {
            Some(0) => Ok(true),
            code => match self.explain(&args, &output) {
                EngineError::Failed { .. } if code == Some(1) => Ok(false),
                error => Err(error),
            },
        }
    }

    /// Whether a running container mounts this directory.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub fn is_mounted(&self, directory: &str) -> Answer<bool> {
        Ok(!self.read(&argv::containers_with(directory))?.is_empty())
    }

    /// Whether the engine answers.
    ///
    /// # Errors
    /// When it does not.
    pub fn ping(&self) -> Answer<()> {
        self.read(&argv::ping()).map(drop)
    }

    /// The versions of client and engine.
    ///
    /// # Errors
    /// When no engine answers.
    pub fn version(&self) -> Answer<Version> {
        self.json(&argv::version())
    }

    /// The engine's id and its data directory, with a blank between.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub fn id(&self) -> Answer<String> {
        self.json(&argv::engine_id())
    }

    /// The actions on a container that the engine remembers until this time of its own clock, such as `create` and `die`.
    /// Engines keep the last 256 events of all objects in memory, and forget them when they are restarted.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub fn events(&self, container: &str, until: DateTime<Utc>) -> Answer<Vec<String>> {
        self.json_lines(&argv::events(container, &until.to_rfc3339_opts(SecondsFormat::Nanos, true)))
    }

    fn container(&self, args: &[String], stdout: &[u8]) -> Answer<Container> {
        let object = self.only(args, stdout)?;
        let state = inspect::container_state(&object).map_err(|why| self.nonsense(args, &why))?;
        Ok(Container { object, state })
    }

    fn only(&self, args: &[String], stdout: &[u8]) -> Answer<Value> {
        let array = serde_json::from_slice(stdout).map_err(|error| self.nonsense(args, &error.to_string()))?;
        inspect::only(array).map_err(|why| self.nonsense(args, &why))
    }
}
