//! What `exec run --each` answers: the group and its runs, or their command lines.

use anyhow::Result;
use serde::Serialize;

use super::Planned;
use crate::job::view::View;
use crate::names::{GroupName, JobId, Parameters};
use crate::output::{Form, Page, Reply, Voice};
use crate::shell;

/// The runs of a sweep, in the order in which they were started.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct Swept {
    /// The group of all of them.
    group: String,
    /// The runs, in the order of the parameters: the last one varies fastest.
    jobs: Vec<SweptJob>,
    /// With --wait: whether all of them succeeded; otherwise absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "bool"))]
    success: Option<bool>,
}

/// A run of a sweep.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
enum SweptJob {
    /// It was started.
    Started {
        /// The id by which the run is known from now on.
        #[cfg_attr(test, schemars(schema_with = "crate::schemas::job_id"))]
        exec_id: JobId,
        /// Its parameters.
        parameters: Parameters,
    },
    /// With --wait: the job at its end.
    Ended {
        /// The run's id.
        #[cfg_attr(test, schemars(schema_with = "crate::schemas::job_id"))]
        exec_id: JobId,
        /// The job.
        #[serde(flatten)]
        #[cfg_attr(test, schemars(schema_with = "crate::schemas::job"))]
        job: Box<View>,
    },
}

impl Reply for Swept {}

impl Swept {
    /// Runs that were just started.
    pub fn started(group: &GroupName, jobs: &[JobId], parameters: Vec<Parameters>) -> Self {
        let job = |(id, parameters): (&JobId, _)| SweptJob::Started { exec_id: id.clone(), parameters };
        Self { group: group.to_string(), jobs: jobs.iter().zip(parameters).map(job).collect(), success: None }
    }

    /// Runs that were waited for. One whose end is not known, because it was forgotten, is there as it was started.
    pub fn ended(
        group: &GroupName,
        jobs: &[JobId],
        parameters: Vec<Parameters>,
        ends: Vec<Option<View>>,
        is_success: bool,
    ) -> Self {
        let mut swept = Self { success: Some(is_success), ..Self::started(group, jobs, parameters) };
        for (row, end) in swept.jobs.iter_mut().zip(ends) {
            if let Some(view) = end {
                *row = SweptJob::Ended { exec_id: view.id.clone(), job: Box::new(view) };
            }
        }
        swept
    }

    /// Answers. The ids were printed as text when the runs were started; a terminal also gets what to type next.
    pub fn tell(&self, voice: &Voice) -> Result<u8> {
        if voice.form() != Form::Text {
            voice.reply(self)?;
        } else if voice.is_stderr_terminal() {
            let group = &self.group;
            voice.note(&format!("list them:      longshore exec list --group {group}"));
            voice.note(&format!("wait for them:  longshore exec wait --group {group}"));
        }
        Ok(0)
    }
}

/// The command lines of a sweep.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct SweepDryRun {
    /// The group that was asked for; null if it would be a new one.
    group: Option<String>,
    /// The runs, in the order in which they would be started.
    jobs: Vec<PlannedRun>,
}

/// A run that would be started.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
struct PlannedRun {
    /// Its parameters.
    parameters: Parameters,
    /// The docker command line, word by word, the program first. Values of variables are not in it.
    #[cfg_attr(test, schemars(length(min = 2)))]
    argv: Vec<String>,
}

impl SweepDryRun {
    /// Of these runs.
    pub(super) fn of(group: Option<&GroupName>, plan: Vec<Planned>) -> Self {
        let run = |planned: Planned| PlannedRun { parameters: planned.parameters, argv: planned.ready.argv };
        Self { group: group.map(ToString::to_string), jobs: plan.into_iter().map(run).collect() }
    }
}

impl Reply for SweepDryRun {
    fn show(&self, page: &mut Page) -> Result<()> {
        self.jobs.iter().try_for_each(|job| page.line(&shell::shown(&job.argv)))
    }
}
