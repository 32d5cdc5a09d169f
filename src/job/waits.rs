//! What a job waits for before it starts: the ends of other jobs, and its turn in a queue. A part of its record.

use serde::{Deserialize, Serialize};

use super::record::{Kind, Outcome};
use crate::names::{JobId, QueueName};

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Waits {
    /// The queue in which it takes its turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueName>,
    /// How far it goes before older jobs of the queue; see [`super::queue::Entry`].
    #[serde(skip_serializing_if = "is_zero")]
    pub priority: i32,
    /// The jobs that have to end first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Dependency>,
    /// How long it waits at most, in seconds from the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(priority: &i32) -> bool {
    *priority == 0
}

impl Waits {
    /// Whether there is nothing to wait for.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.queue.is_none() && self.after.is_empty()
    }
}

/// A job that has to end first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    /// Build or run.
    pub kind: Kind,
    /// Its id.
    pub id: JobId,
    /// Its name at the time of the request, as it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How it has to end.
    pub needs: Need,
}

/// How a job has to end, so that another one starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// It has to succeed.
    Success,
    /// Its outcome does not matter.
    End,
}

impl Dependency {
    /// `build 0a1b2c3d4e5f (web)`
    #[must_use]
    pub fn shown(&self) -> String {
        let name = self.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        format!("{} {}{name}", self.kind.word(), self.id)
    }

    /// Whether a job with this outcome lets the other one start.
    #[must_use]
    pub fn is_met_by(&self, outcome: Outcome) -> bool {
        self.needs == Need::End || outcome == Outcome::Succeeded
    }
}
