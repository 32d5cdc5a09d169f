//! `exec status`: shows a run at a glance: how it stands, what it was asked to do, and its last lines of output.

use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::rerun::recorded;
use crate::cli::OneJob;
use crate::commands::jobs::list::took;
use crate::commands::jobs::{last, status as status_of};
use crate::env::Env;
use crate::job::record::{Kind, Run};
use crate::job::select::find;
use crate::job::view::View;
use crate::names::MountPath;
use crate::output::{Page, Reply, Voice, ago};
use crate::runner::container_name;
use crate::shell;
use crate::spec::RunSpec;
use crate::survey::view;
use crate::units::{show_bytes, show_bytes_binary, show_duration};

/// How many lines of output are shown.
const LINES: u64 = 5;

/// A run at a glance.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Status {
    /// The run.
    #[serde(flatten)]
    #[cfg_attr(test, schemars(schema_with = "crate::schemas::job"))]
    job: View,
    /// What it was asked to do, as `exec inspect --spec` prints it; null if its record cannot be read.
    #[cfg_attr(test, schemars(schema_with = "crate::schemas::run_spec"))]
    spec: Option<RunSpec>,
    /// The last lines of its output, without the line ends. What is not UTF-8 is shown as U+FFFD.
    lines: Vec<String>,
    /// Of a run whose output was copied from its engine: what was left out of it.
    #[serde(rename = "leftOut", skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<String>,
    #[serde(skip)]
    run: Option<Run>,
    #[serde(skip)]
    now: DateTime<Utc>,
    /// Whether it was started on another engine than the one that the command would use for a new run.
    #[serde(skip)]
    is_elsewhere: bool,
}

/// Shows it. The engine is asked only if the files of the run do not tell how it stands.
pub fn status(env: &Env, voice: &Voice, args: &OneJob) -> Result<u8> {
    let (_, job) = find(env, Kind::Run, &args.job)?;
    let run = job.record().ok().and_then(|record| record.run().cloned());
    let spec = recorded(&job).ok().map(|(_, spec)| spec);
    let (view, lines) = (view(env, &job), last::lines(&job, LINES));
    let is_elsewhere = view.is_elsewhere(&env.endpoint());
    let left_out = job.fetched().map(|moved| moved.left_out).unwrap_or_default();
    voice.reply(&Status { job: view, spec, lines, left_out, run, now: env.now(), is_elsewhere })?;
    Ok(0)
}

impl Reply for Status {
    fn show(&self, page: &mut Page) -> Result<()> {
        for (name, value) in self.facts() {
            page.fact(name, &value)?;
        }
        let lines = last::settled_lines(&self.lines);
        let doubt =
            self.job.log.filter(|log| !log.is_whole()).map(|log| format!("{}; ", log.word())).unwrap_or_default();
        if lines.is_empty() {
            return page.fact("Log", &format!("{doubt}empty"));
        }
        let what = match self.job.log_gone {
            Some(gone) => format!("{} of it are gone; the rest", show_bytes(gone)),
            None => "all of it".to_owned(),
        };
        page.fact("Log", &format!("{doubt}{what}: longshore exec logs {}", self.job.id))?;
        lines.iter().try_for_each(|line| page.line(&format!("  {line}")))
    }
}

impl Status {
    /// What there is to say, each with its name.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let job = &self.job;
        let mut facts = vec![
            ("Run", job.name.as_ref().map_or_else(|| job.id.to_string(), |name| format!("{name} ({})", job.id))),
            ("Status", status_of(job).into_owned()),
        ];
        // The status of a running job has the reason in it.
        let reason = job.reason.clone().filter(|_| !job.is_running());
        let mut more = vec![
            ("Reason", reason),
            ("Waits for", job.waiting_for.clone()),
            ("Queue", self.queue()),
            ("Hint", job.hint.clone()),
            ("Since", self.since()),
            ("Took", self.took()),
            ("Command", Some(shell::shown(&job.command)).filter(|command| !command.is_empty())),
            ("Image", job.image.clone()),
            ("Context", job.engine.as_deref().filter(|_| self.is_elsewhere).map(str::to_owned)),
        ];
        more.extend(self.run.iter().flat_map(|run| asked(job, run)));
        let parameters = Some(job.parameters.to_string()).filter(|text| !text.is_empty());
        more.extend([("Labels", self.labels()), ("Group", job.group.clone()), ("Parameters", parameters)]);
        more.extend([("Repeats", job.rerun_of.as_ref().map(ToString::to_string))]);
        more.extend([("Left out", Some(self.left_out.join(", ")).filter(|text| !text.is_empty()))]);
        facts.extend(more.into_iter().filter_map(|(name, value)| Some((name, value?))));
        facts
    }

    /// When it came into the state in which it is.
    fn since(&self) -> Option<String> {
        let time = self.job.finished.or(self.job.started).or(self.job.created)?;
        let exact = time.to_rfc3339_opts(SecondsFormat::Secs, true);
        Some(format!("{} ({exact})", ago(self.now, Some(time))))
    }

    fn took(&self) -> Option<String> {
        let took = show_duration(took(&self.job, self.now)?);
        Some(if self.job.is_running() { format!("{took} until now") } else { took })
    }

    /// `gpu, at place 3`
    fn queue(&self) -> Option<String> {
        let place = self.job.position.map(|place| format!(", at place {place}")).unwrap_or_default();
        self.job.queue.as_ref().map(|queue| format!("{queue}{place}"))
    }

    fn labels(&self) -> Option<String> {
        let labels: Vec<String> = self.job.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        Some(labels.join(", ")).filter(|labels| !labels.is_empty())
    }
}

/// The paths, the limits and the container.
fn asked(job: &View, run: &Run) -> [(&'static str, Option<String>); 5] {
    let path = |path: &MountPath| path.as_str().to_owned();
    let limits = [
        run.cpus.map(|cpus| format!("{cpus} CPUs")),
        run.memory.map(|bytes| format!("{} of memory", show_bytes_binary(bytes))),
        run.shm_size.map(|bytes| format!("{} of /dev/shm", show_bytes_binary(bytes))),
        run.gpus.as_ref().map(|gpus| format!("GPUs: {gpus}")),
        run.log_max_size.map(|bytes| format!("{} of its log", show_bytes_binary(bytes))),
        run.timeout.and_then(|limit| Duration::try_from_secs_f64(limit).ok()).map(show_duration),
    ];
    let limits: Vec<String> = limits.into_iter().flatten().collect();
    [
        ("Source", Some(path(&run.source))),
        ("Input", run.input.as_ref().map(path)),
        ("Output", run.output.as_ref().map(path)),
        ("Limits", Some(limits.join(", ")).filter(|limits| !limits.is_empty())),
        ("Container", (job.is_running() && !job.is_queued() || run.keep).then(|| container_name(&job.id))),
    ]
}
