//! `exec top`: lists the processes of a run.

use anyhow::Result;
use serde::Serialize;

use super::running::running;
use crate::cli::ExecTop;
use crate::engine::argv;
use crate::engine::top::{Processes, processes};
use crate::env::Env;
use crate::job::view::View;
use crate::output::{Page, Reply, Voice};
use crate::survey::view;

/// The Engine API's answer, and the run.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Top {
    /// The processes.
    #[serde(flatten)]
    processes: Processes,
    /// The run.
    #[serde(rename = "Longshore")]
    #[cfg_attr(test, schemars(schema_with = "crate::schemas::job"))]
    job: View,
    #[serde(skip)]
    text: String,
}

impl Reply for Top {
    fn show(&self, page: &mut Page) -> Result<()> {
        page.lines(self.text.lines().map(str::trim_end))
    }
}

/// Asks docker, with the options for `ps`.
pub fn top(env: &Env, voice: &Voice, args: &ExecTop) -> Result<u8> {
    let running = running(env, voice, &args.run.job)?;
    let call = [argv::words(["top", &running.container]), args.options.clone()].concat();
    let could_not = format!("could not list the processes of run {}", running.job.id);
    let bytes = running.runner.engine().read(&call).map_err(|error| error.failure(&could_not))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    voice.reply(&Top { processes: processes(&text), job: view(env, &running.job), text })?;
    Ok(0)
}
