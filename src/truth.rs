//! What is true of a job right now: the facts of its directory and, only where they are not enough, the engine's word.
//! Reads only.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use crate::engine::inspect::ContainerState;
use crate::engine::{Endpoint, Engine, argv};
use crate::env::Env;
use crate::job::Job;
use crate::job::record::{Kind, Record};
use crate::job::status::{Facts, View, Word, derive, settled};
use crate::names::JobId;

/// How one job stands.
#[must_use]
pub fn view(env: &Env, job: &Job) -> View {
    let mut engines = Engines { env, known: HashMap::new() };
    look(&Host::new(env), job, &mut |facts, record| {
        let asked = engines.asked(record);
        match facts.kind {
            Kind::Run => match asked.engine.container_of(&record.id) {
                Ok(Some(container)) => Word::Container(Box::new(container.state)),
                Ok(None) => asked.absent(facts),
                Err(error) => Word::Unreachable(error.to_string()),
            },
            Kind::Build => asked.built(facts, record),
        }
    })
}

/// How many jobs stand. Each engine is asked for all of its containers at once, and for its own id at most once.
#[must_use]
pub fn views(env: &Env, kind: Kind, jobs: impl Iterator<Item = Result<Job, (JobId, io::Error)>>) -> Vec<View> {
    let host = Host::new(env);
    let mut engines = Engines { env, known: HashMap::new() };
    let mut one = |job: Result<Job, (JobId, io::Error)>| match job {
        Ok(job) => look(&host, &job, &mut |facts, record| {
            let asked = engines.asked(record);
            match facts.kind {
                Kind::Run => asked.container(facts),
                Kind::Build => asked.built(facts, record),
            }
        }),
        Err((id, error)) => View::unreadable(id, kind, &format!("its directory: {error}")),
    };
    jobs.map(&mut one).collect()
}

fn look(host: &Host, job: &Job, word: &mut dyn FnMut(&Facts, &Record) -> Word) -> View {
    let facts = job.facts(&host.boot_id);
    let state = settled(&facts).unwrap_or_else(|| {
        let word = match &facts.record {
            Ok(record) if host.is_not_that_of(record) => {
                Word::Unreachable(format!("it was started on another host, {}", record.host))
            }
            Ok(record) => word(&facts, record),
            Err(_) => Word::Absent,
        };
        derive(&facts, &word)
    });
    View::new(&facts, &state)
}

/// This host, asked once however many jobs there are.
struct Host {
    boot_id: String,
    name: String,
}

impl Host {
    fn new(env: &Env) -> Self {
        Self { boot_id: env.boot_id(), name: env.host() }
    }

    /// A state directory may travel between hosts. A new name alone does not make a host another one.
    fn is_not_that_of(&self, record: &Record) -> bool {
        record.host != self.name && record.boot_id != self.boot_id
    }
}

/// The engines that were asked so far.
struct Engines<'a> {
    env: &'a Env,
    known: HashMap<(PathBuf, Endpoint), Asked>,
}

/// One engine, and what it answered to what is asked only once.
struct Asked {
    engine: Engine,
    id: Option<Result<String, String>>,
    containers: Option<Result<Described, String>>,
}

/// The containers of an engine by their jobs.
type Described = HashMap<String, Result<ContainerState, String>>;

impl Engines<'_> {
    fn asked(&mut self, record: &Record) -> &mut Asked {
        let key = (record.docker.clone(), record.endpoint.clone());
        self.known.entry(key).or_insert_with(|| Asked {
            engine: self.env.engine_of(&record.docker, &record.endpoint),
            id: None,
            containers: None,
        })
    }
}

impl Asked {
    fn container(&mut self, facts: &Facts) -> Word {
        let engine = &self.engine;
        let all = self.containers.get_or_insert_with(|| engine.containers_of_jobs().map_err(|error| error.to_string()));
        match all {
            Ok(all) => match all.get(facts.id.as_str()) {
                Some(Ok(state)) => Word::Container(Box::new(state.clone())),
                Some(Err(why)) => Word::Unreachable(why.clone()),
                None => self.absent(facts),
            },
            Err(why) => Word::Unreachable(why.clone()),
        }
    }

    /// A build's success is proven by the image id that the client left and this job's label on that very image.
    fn built(&mut self, facts: &Facts, record: &Record) -> Word {
        let Some(image_id) = &facts.image_id else { return self.absent(facts) };
        let label = format!("label={}={}", argv::JOB_LABEL, record.id);
        match self.engine.json_lines::<String>(&argv::image_ids(&[label])) {
            Ok(images) if images.contains(image_id) => Word::Image(image_id.clone()),
            Ok(_) => self.absent(facts),
            Err(error) => Word::Unreachable(error.to_string()),
        }
    }

    /// Nothing there proves something only on the engine where it should be.
    fn absent(&mut self, facts: &Facts) -> Word {
        let recorded = facts.begun.as_ref().and_then(|begun| begun.engine_id.as_ref());
        let engine = &self.engine;
        match (recorded, self.id.get_or_insert_with(|| engine.id().map_err(|error| error.to_string()))) {
            (Some(recorded), Ok(id)) if recorded != id => Word::OtherEngine,
            (_, Err(why)) => Word::Unreachable(why.clone()),
            _ => Word::Absent,
        }
    }
}
