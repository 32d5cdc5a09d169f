//! The questions that longshore asks an engine, one method for each: about containers and images of jobs, and about the
//! engine itself.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use super::inspect::{self, ContainerState, Version};
use super::{Answer, Engine, EngineError, argv};
use crate::names::JobId;

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

impl Engine {
    /// The container of a job. It is found by its name in one call or, if it was renamed, by its label.
    ///
    /// # Errors
    /// When the engine does not answer, or gives an unexpected answer. `None` means that there is no container.
    pub fn container_of(&self, id: &JobId) -> Answer<Option<Container>> {
        let args = argv::container_inspect(&[argv::container_name(id)]);
        let output = self.run(&args, self.patience)?;
        if output.status.success() {
            let container = self.container(&args, &output.stdout)?;
            if container.state.labels.get(argv::JOB_LABEL).is_some_and(|label| label == id.as_str()) {
                return Ok(Some(container));
            }
        }
        self.container_labelled(&format!("{}={id}", argv::JOB_LABEL))
    }

    /// A container that is being created or removed is listed and cannot be inspected. Then the list is asked for again,
    /// because only an empty list proves that there is none.
    fn container_labelled(&self, label: &str) -> Answer<Option<Container>> {
        let mut tries = 0;
        loop {
            let ids: Vec<String> = self.json_lines(&argv::containers_labelled(label))?;
            let Some(found) = ids.first() else { return Ok(None) };
            let args = argv::container_inspect(std::slice::from_ref(found));
            let output = self.run(&args, self.patience)?;
            if output.status.success() {
                return self.container(&args, &output.stdout).map(Some);
            }
            if tries == LISTED_TRIES {
                return Err(self.explain(&args, &output));
            }
            tries += 1;
            std::thread::sleep(LISTED_PAUSE);
        }
    }

    /// The containers of all jobs on this engine, in at most two calls. A container whose description cannot be read is in
    /// the map with the error, because it is not absent.
    ///
    /// # Errors
    /// As [`Engine::container_of`].
    pub fn containers_of_jobs(&self) -> Answer<HashMap<String, Answer<Container>>> {
        let ids: Vec<String> = self.json_lines(&argv::containers_labelled(argv::JOB_LABEL))?;
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        // If one was removed meanwhile, docker exits with 1 and still prints the others.
        let args = argv::container_inspect(&ids);
        let output = self.run(&args, self.patience)?;
        let objects: Vec<Value> =
            serde_json::from_slice(&output.stdout).map_err(|error| self.nonsense(&args, &error.to_string()))?;
        if output.status.success() && objects.len() != ids.len() {
            return Err(self.nonsense(&args, &format!("expected {} objects, found {}", ids.len(), objects.len())));
        }
        let described = |object: Value| {
            let labels = object.pointer("/Config/Labels").and_then(Value::as_object);
            let job = labels.and_then(|labels| labels.get(argv::JOB_LABEL)?.as_str());
            let job = job.ok_or_else(|| self.nonsense(&args, "it has a container without the requested label"));
            let job = job?.to_owned();
            let state = inspect::container_state(&object).map_err(|why| self.nonsense(&args, &why));
            Ok((job, state.map(|state| Container { object, state })))
        };
        objects.into_iter().map(described).collect()
    }

    /// The engine's descriptions of images, without those that were removed meanwhile.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub fn images(&self, ids: &[String]) -> Answer<Vec<Value>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let args = argv::image_inspect(ids);
        let output = self.run(&args, self.patience)?;
        if !output.status.success() {
            // If one is missing, docker exits with 1 and still prints the others.
            match self.explain(&args, &output) {
                EngineError::Failed { .. } => {}
                error => return Err(error),
            }
        }
        serde_json::from_slice(&output.stdout).map_err(|error| self.nonsense(&args, &error.to_string()))
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

    /// The engine's id.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub fn id(&self) -> Answer<String> {
        self.json(&argv::engine_id())
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
