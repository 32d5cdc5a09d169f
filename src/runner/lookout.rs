//! Looks at many jobs with few calls: each engine is asked once for the containers of all runs, once more if one of them
//! is not among those, and at most once for its own id.

use std::collections::HashMap;
use std::path::PathBuf;

use super::{Runner, Subject, local};
use crate::engine::questions::{Container, Described};
use crate::engine::{Answer, argv};
use crate::env::Env;
use crate::error::Failure;
use crate::job::standing::Sighting;
use crate::names::Endpoint;

/// The answers of the engines that were asked so far.
pub struct Lookout<'a> {
    env: &'a Env,
    is_wanted: &'a dyn Fn(&str) -> bool,
    known: HashMap<(PathBuf, Endpoint), Known>,
}
struct Known {
    runner: Runner,
    engine_id: Option<Result<String, Failure>>,
    /// The containers with each of [`argv::RUN_LABELS`], as far as they were asked for.
    containers: [Option<Result<Described, Failure>>; 2],
}

impl<'a> Lookout<'a> {
    /// A lookout without answers, for the jobs of these ids. Containers with the labels of other jobs are not asked about.
    #[must_use]
    pub fn new(env: &'a Env, is_wanted: &'a dyn Fn(&str) -> bool) -> Self {
        Self { env, is_wanted, known: HashMap::new() }
    }

    /// Looks at one job of many.
    pub fn look(&mut self, subject: Subject) -> Sighting {
        if subject.record.is_on_swarm() {
            return Runner::of(self.env, subject.record).look(subject);
        }
        let key = (subject.record.docker.clone(), subject.record.endpoint.clone());
        let new = || Known { runner: Runner::of(self.env, subject.record), engine_id: None, containers: [None, None] };
        let known = self.known.entry(key).or_insert_with(new);
        let Known { runner, engine_id, containers } = known;
        let engine = runner.engine();
        let container = || {
            for (label, known) in argv::RUN_LABELS.iter().zip(containers) {
                let asked = || engine.containers_of_jobs(label, self.is_wanted).map_err(|error| error.failure(""));
                let described = known.get_or_insert_with(asked).as_mut().map_err(|why| why.clone())?;
                let found = described.remove(subject.record.id.as_str()).unwrap_or_default();
                if let Some(container) = pick(found, subject).map_err(|error| error.failure(""))? {
                    return Ok(Some(container));
                }
            }
            Ok(None)
        };
        let id = || engine.id().map_err(|error| error.failure(""));
        local::look_with(engine, subject, container, || engine_id.get_or_insert_with(id).clone())
    }
}

/// The job's own container among those with its label. One that cannot be read may be it.
fn pick(found: Vec<Answer<Container>>, subject: Subject) -> Answer<Option<Container>> {
    let source = subject.record.run().map(|run| run.source.as_str());
    let mut failed = None;
    for container in found {
        match container {
            Ok(container) if container.is_of(&subject.record.id, source) => return Ok(Some(container)),
            Ok(_) => {}
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(None), Err)
}
