//! Looks at many jobs with few calls: each engine is asked once for the containers of all runs, and at most once for
//! its own id.

use std::collections::HashMap;
use std::path::PathBuf;

use super::{Runner, Subject, local};
use crate::engine::EngineError;
use crate::engine::questions::Container;
use crate::env::Env;
use crate::error::Failure;
use crate::job::standing::Sighting;
use crate::names::Endpoint;

/// The answers of the engines that were asked so far.
#[derive(Debug)]
pub struct Lookout<'a> {
    env: &'a Env,
    known: HashMap<(PathBuf, Endpoint), Known>,
}

#[derive(Debug)]
struct Known {
    runner: Runner,
    engine_id: Option<Result<String, Failure>>,
    containers: Option<Result<Described, Failure>>,
}

/// The containers of an engine by job id. One whose description cannot be read has the error.
type Described = HashMap<String, Result<Container, EngineError>>;

impl<'a> Lookout<'a> {
    /// A lookout without answers.
    #[must_use]
    pub fn new(env: &'a Env) -> Self {
        Self { env, known: HashMap::new() }
    }

    /// Looks at one job of many.
    pub fn look(&mut self, subject: Subject) -> Sighting {
        let key = (subject.record.docker.clone(), subject.record.endpoint.clone());
        let new = || Known { runner: Runner::of(self.env, subject.record), engine_id: None, containers: None };
        let known = self.known.entry(key).or_insert_with(new);
        let Known { runner: Runner::Local(engine), engine_id, containers } = known;
        let container = || {
            let asked = || engine.containers_of_jobs().map_err(|error| error.failure(""));
            let described = containers.get_or_insert_with(asked).as_mut().map_err(|why| why.clone())?;
            described.remove(subject.record.id.as_str()).transpose().map_err(|error| error.failure(""))
        };
        let id = || engine.id().map_err(|error| error.failure(""));
        local::look_with(engine, subject, container, || engine_id.get_or_insert_with(id).clone())
    }
}
