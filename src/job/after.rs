//! What follows the end of a job: a stamp file for make, and a command. What was asked is a part of the record; what became of
//! the command is a file of its own, because it is run after the end was recorded.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::stamp::Stamp;

/// The longest result of a command in bytes.
pub const SMALL_RESULT: u64 = 64 << 10;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct After {
    /// The file that appears if the job succeeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stamp: Option<Stamp>,
    /// The command that is run when the job has ended, whatever its outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_exit: Option<Hook>,
    /// The caller's umask, for the stamp and for the command. The supervisor has another one.
    pub umask: u32,
}

impl After {
    /// Whether nothing was asked for.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.stamp.is_none() && self.on_exit.is_none()
    }
}

/// A command for `sh -c`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hook {
    /// The text for `sh`.
    pub command: String,
    /// The caller's working directory.
    pub cwd: PathBuf,
    /// The caller's variables that it gets.
    pub environment: BTreeMap<String, String>,
}

/// What became of a command: the content of `on-exit.json`, which is empty in the moment between mark and start.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HookResult {
    /// When it was started.
    pub started: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished: Option<DateTime<Utc>>,
    /// Its exit code.
    pub exit_code: Option<i32>,
    /// The signal it died of.
    pub signal: Option<i32>,
    /// Why it could not be started, or was ended.
    pub reason: Option<String>,
}

/// How the command of a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookFacts {
    /// The file with its output.
    pub output: PathBuf,
    /// What became of it; `None` before the end of the job was recorded and before it was started.
    pub result: Option<HookResult>,
}
