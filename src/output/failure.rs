//! A failure as JSON.

use serde::Serialize;

use crate::error::{Failure, Kind};

/// What every command answers when it fails. The same text is on stderr.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct FailureDocument {
    /// False: it failed.
    #[cfg_attr(test, schemars(extend("const" = false)))]
    success: bool,
    /// Why.
    error: ErrorDocument,
}

/// Why something failed.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct ErrorDocument {
    /// What went wrong, for scripts to branch on.
    kind: Kind,
    /// The fact in one line: what could not be done, to what, and why.
    message: String,
    /// What could be done next.
    hint: Option<String>,
    /// If a job was not found because it was removed in the last thirty days: what is known of it; otherwise absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "crate::job::gone::Gone"))]
    job: Option<serde_json::Value>,
}

impl From<&Failure> for FailureDocument {
    fn from(failure: &Failure) -> Self {
        Self { success: false, error: failure.into() }
    }
}

impl From<&Failure> for ErrorDocument {
    fn from(failure: &Failure) -> Self {
        let job = failure.job.as_deref().cloned();
        Self { kind: failure.kind, message: failure.message.clone(), hint: failure.hint.clone(), job }
    }
}
