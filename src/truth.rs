//! What is true of a job right now: the facts of its directory and, only where they are not enough, the engine's word.
//! Reads only.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::engine::inspect::ContainerState;
use crate::engine::{Answer, Endpoint, Engine, argv};
use crate::env::Env;
use crate::job::Job;
use crate::job::record::{Kind, Record};
use crate::job::status::{Facts, View, Word, derive, settled};

/// The containers of an engine by their jobs.
type Described = HashMap<String, Result<ContainerState, String>>;

/// How one job stands.
#[must_use]
pub fn view(env: &Env, job: &Job) -> View {
    let facts = job.facts(&env.boot_id());
    let state = settled(&facts).unwrap_or_else(|| derive(&facts, &word(env, &facts)));
    View::new(&facts, &state)
}

/// How many jobs stand, with at most two engine calls for each engine that must be asked.
#[must_use]
pub fn views(env: &Env, jobs: &[Job]) -> Vec<View> {
    let boot_id = env.boot_id();
    let mut known: HashMap<(PathBuf, Endpoint), Result<Described, String>> = HashMap::new();
    let mut look = |job: &Job| {
        let facts = job.facts(&boot_id);
        let state = settled(&facts).unwrap_or_else(|| {
            let word = match (&facts.record, job.kind) {
                (Ok(record), Kind::Run) => {
                    let key = (record.docker.clone(), record.endpoint.clone());
                    let engine = env.engine_of(&record.docker, &record.endpoint);
                    let all = known
                        .entry(key)
                        .or_insert_with(|| engine.containers_of_jobs().map_err(|error| error.to_string()));
                    match all {
                        Ok(all) => match all.get(job.id.as_str()) {
                            Some(Ok(state)) => Word::Container(Box::new(state.clone())),
                            Some(Err(why)) => Word::Unreachable(why.clone()),
                            None => absent(&engine, &facts),
                        },
                        Err(why) => Word::Unreachable(why.clone()),
                    }
                }
                _ => word(env, &facts),
            };
            derive(&facts, &word)
        });
        View::new(&facts, &state)
    };
    jobs.iter().map(&mut look).collect()
}

/// Asks the engine on which the job was started.
fn word(env: &Env, facts: &Facts) -> Word {
    let Ok(record) = &facts.record else { return Word::Absent };
    let engine = env.engine_of(&record.docker, &record.endpoint);
    let asked = match facts.kind {
        Kind::Run => engine.container_of(&record.id).map(|found| {
            found.map_or_else(|| absent(&engine, facts), |container| Word::Container(Box::new(container.state)))
        }),
        Kind::Build => built(&engine, record, facts),
    };
    asked.unwrap_or_else(|error| Word::Unreachable(error.to_string()))
}

/// A build's success is proven by the image id that the client left and this job's label on that very image.
fn built(engine: &Engine, record: &Record, facts: &Facts) -> Answer<Word> {
    let label = format!("label={}={}", argv::JOB_LABEL, record.id);
    let images: Vec<String> = engine.json_lines(&argv::image_ids(&[label]))?;
    Ok(match &facts.image_id {
        Some(id) if images.contains(id) => Word::Image(id.clone()),
        _ => absent(engine, facts),
    })
}

/// Nothing there proves something only on the engine where it should be.
fn absent(engine: &Engine, facts: &Facts) -> Word {
    let recorded = facts.begun.as_ref().and_then(|begun| begun.engine_id.as_ref());
    match (recorded, engine.id()) {
        (Some(recorded), Ok(id)) if *recorded != id => Word::OtherEngine,
        (_, Err(error)) => Word::Unreachable(error.to_string()),
        _ => Word::Absent,
    }
}
