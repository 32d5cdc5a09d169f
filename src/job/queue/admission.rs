//! Which of the jobs that wait in a queue may start. Pure: no files, no clock.
//!
//! The first job of the line starts as soon as there is room for it, and no later job starts before it. So nothing is
//! overtaken for ever, and a large job gets its room when enough others have ended. Only a job that can never start, because
//! the limits of the queue were made smaller, lets the others pass.

use serde::{Deserialize, Serialize};

use crate::names::{Cpus, GpuWish, Gpus};
use crate::units::show_bytes_binary;

/// What the jobs of a queue may use together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// How many jobs run at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// The sum of the jobs' own limits of processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Cpus>,
    /// The sum of the jobs' own limits of memory, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// The GPUs that are handed out, by index or UUID.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<String>,
}

/// What a job uses while it runs: its own limits.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ask {
    /// Its limit of processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Cpus>,
    /// Its limit of memory in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// The GPUs that it asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpus: Option<Gpus>,
}

/// A job that was admitted, and has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Held {
    /// What it asked for.
    #[serde(flatten)]
    pub ask: Ask,
    /// The GPUs that it got.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,
}

/// What becomes of a job that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It starts, with these GPUs.
    Start(Vec<String>),
    /// It waits for room, and so do all that come after it.
    Wait,
    /// It can never start under these limits, and is passed over.
    Never,
}

impl Limits {
    /// How many jobs run at the same time, if that is limited: one, unless something else is said.
    #[must_use]
    pub fn most_jobs(&self) -> Option<u32> {
        let is_limited = self.cpus.is_some() || self.memory.is_some() || !self.gpus.is_empty();
        self.slots.or((!is_limited).then_some(1))
    }

    /// Why a job can never start in a queue with these limits, to follow "the queue …"; `None` if it can.
    #[must_use]
    pub fn misfit(&self, ask: &Ask) -> Option<String> {
        let needs =
            |what: &str, flag: &str| format!("limits the {what} of its jobs, and the job has no {flag} of its own");
        match (self.cpus, ask.cpus) {
            (Some(_), None) => return Some(needs("processors", "--cpus")),
            (Some(limit), Some(asked)) if asked > limit => {
                return Some(format!("has {limit} cpus, and the job asks for {asked}"));
            }
            _ => {}
        }
        match (self.memory, ask.memory) {
            (Some(_), None) => return Some(needs("memory", "--memory")),
            (Some(limit), Some(asked)) if asked > limit => {
                let [limit, asked] = [limit, asked].map(show_bytes_binary);
                return Some(format!("has {limit} of memory, and the job asks for {asked}"));
            }
            _ => {}
        }
        match &ask.gpus {
            _ if self.gpus.is_empty() => None,
            None => Some(needs("GPUs", "--gpus")),
            Some(gpus) => self.gpu_misfit(gpus),
        }
    }

    fn gpu_misfit(&self, gpus: &Gpus) -> Option<String> {
        match gpus.wish() {
            GpuWish::All => None,
            GpuWish::Count(count) if count <= self.gpus.len() => None,
            GpuWish::Count(count) => {
                Some(format!("has fewer GPUs ({}) than the job asks for ({count})", self.gpus.len()))
            }
            GpuWish::Devices(devices) => {
                let foreign = devices.into_iter().find(|device| !self.gpus.iter().any(|ours| ours == device));
                foreign.map(|device| format!("does not have the GPU {device}"))
            }
        }
    }
}

/// What is left of the limits.
#[derive(Debug, Clone)]
pub struct Room<'a> {
    limits: &'a Limits,
    slots: Option<u32>,
    cpus: Option<u64>,
    memory: Option<u64>,
    gpus: Vec<&'a str>,
}

impl<'a> Room<'a> {
    /// The room beside the jobs that were admitted. They may take more than the limits, if these were made smaller.
    #[must_use]
    pub fn beside(limits: &'a Limits, held: &[Held]) -> Self {
        let mut room = Self {
            limits,
            slots: limits.most_jobs(),
            cpus: limits.cpus.map(Cpus::nanos),
            memory: limits.memory,
            gpus: limits.gpus.iter().map(String::as_str).collect(),
        };
        for held in held {
            room.take(held);
        }
        room
    }

    fn take(&mut self, held: &Held) {
        self.slots = self.slots.map(|slots| slots.saturating_sub(1));
        let cpus = held.ask.cpus.map_or(0, Cpus::nanos);
        self.cpus = self.cpus.map(|left| left.saturating_sub(cpus));
        self.memory = self.memory.map(|left| left.saturating_sub(held.ask.memory.unwrap_or(0)));
        self.gpus.retain(|device| !held.devices.iter().any(|taken| taken == device));
    }

    /// Decides about the next job of the line, and gives it its room if it starts.
    pub fn admit(&mut self, ask: &Ask) -> Verdict {
        if self.limits.misfit(ask).is_some() {
            return Verdict::Never;
        }
        let fits = self.slots != Some(0)
            && self.cpus.is_none_or(|left| ask.cpus.map_or(0, Cpus::nanos) <= left)
            && self.memory.is_none_or(|left| ask.memory.unwrap_or(0) <= left);
        let Some(devices) = self.devices(ask).filter(|_| fits) else { return Verdict::Wait };
        self.take(&Held { ask: ask.clone(), devices: devices.clone() });
        Verdict::Start(devices)
    }

    /// The GPUs for a job, if enough are free. A queue without GPUs hands out none, and the job gets what it asked docker for.
    fn devices(&self, ask: &Ask) -> Option<Vec<String>> {
        let (all, free) = (&self.limits.gpus, &self.gpus);
        let owned = |devices: &[&str]| devices.iter().map(|device| (*device).to_owned()).collect();
        match ask.gpus.as_ref().map(Gpus::wish) {
            None => Some(Vec::new()),
            Some(_) if all.is_empty() => Some(Vec::new()),
            Some(GpuWish::All) => (free.len() == all.len()).then(|| all.clone()),
            Some(GpuWish::Count(count)) => free.get(..count).map(owned),
            Some(GpuWish::Devices(devices)) => {
                devices.iter().all(|device| free.contains(device)).then(|| owned(&devices))
            }
        }
    }
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
