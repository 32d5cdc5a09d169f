//! What is left of a run that was forgotten before its container was removed, for example because the engine did not answer.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::record::{FORMAT, Record};
use super::{Here, Job, has_passed};
use crate::names::{Endpoint, JobId};

/// Where the container of a forgotten run is. A later sweep removes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tombstone {
    /// [`FORMAT`]
    pub format: u32,
    /// The job's id, which is on the label of its container.
    pub id: JobId,
    /// The path of the docker program.
    pub docker: PathBuf,
    /// The engine.
    pub endpoint: Endpoint,
    /// The engine's id, if it was recorded.
    pub engine_id: Option<String>,
    /// Whether it is a service of a swarm.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub swarm: bool,
    /// When it was forgotten.
    pub forgotten: DateTime<Utc>,
}

impl Tombstone {
    /// For this job. `docker` and `endpoint` are used if its record cannot be read.
    #[must_use]
    pub fn of(job: &Job, docker: PathBuf, endpoint: Endpoint, now: DateTime<Utc>) -> Self {
        let recorded = job.record().ok();
        let swarm = recorded.as_ref().is_some_and(Record::is_on_swarm);
        let engine = recorded.map_or((docker, endpoint), |record| (record.docker, record.endpoint));
        Self {
            format: FORMAT,
            id: job.id.clone(),
            docker: engine.0,
            endpoint: engine.1,
            engine_id: job.begun().and_then(|begun| begun.engine_id),
            swarm,
            forgotten: now,
        }
    }

    /// Whether a container that is missing now will not appear any more.
    #[must_use]
    pub fn is_old(&self, here: &Here) -> bool {
        has_passed(self.forgotten, here)
    }
}
