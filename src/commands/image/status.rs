//! `image status`: shows the status of a build and its output so far.

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::cli::OneImage;
use crate::commands::jobs;
use crate::env::Env;
use crate::job::record::Kind;
use crate::job::select::find;
use crate::job::view::View;
use crate::log;
use crate::names::Tail;
use crate::output::{Bytes, Voice};
use crate::survey::view;

/// A build and its output so far.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Status<'a> {
    /// The build.
    #[serde(flatten)]
    #[cfg_attr(test, schemars(schema_with = "crate::schemas::job"))]
    job: &'a View,
    /// The output, line by line, without the line ends. What is not UTF-8 is shown as U+FFFD.
    // They are streamed in.
    lines: Vec<String>,
}

/// Shows both.
pub fn status(env: &Env, voice: &Voice, args: &OneImage) -> Result<u8> {
    let (_, job) = find(env, Kind::Build, &args.job)?;
    let view = view(env, &job);
    let file = log::open(&job).and_then(|log| log::so_far(log.file, Tail::All));
    let file = file.with_context(|| format!("could not read the log of {}", job.id))?;
    let mut sink = voice.log(Bytes::Safe, &Status { job: &view, lines: Vec::new() })?;
    sink.copy(file)?;
    sink.finish()?;
    voice.text(|page| {
        page.note(&last_line(&view))?;
        view.hint.iter().try_for_each(|hint| page.note(&format!("hint: {hint}")))?;
        let failed = view.on_exit.as_ref().and_then(|hook| Some((hook.failure()?, hook.output.as_ref()?)));
        failed.map_or(Ok(()), |(why, output)| page.note(&format!("note: the command of --on-exit {why}; see {output}")))
    })?;
    Ok(0)
}

/// `running`, `exited: failed: REASON`
fn last_line(view: &View) -> String {
    let status = jobs::status(view);
    match &view.reason {
        _ if view.is_queued() => match &view.waiting_for {
            Some(what) => format!("{status}: it waits for {what}"),
            None => status.into_owned(),
        },
        _ if view.is_running() => status.into_owned(),
        Some(reason) => format!("{}: {status}: {reason}", view.status),
        None => format!("{}: {status}", view.status),
    }
}
