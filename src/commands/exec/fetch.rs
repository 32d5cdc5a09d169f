//! `exec fetch`: copies the output of a run that has ended from its engine, if that failed before.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;

use crate::cli::ExecFetch;
use crate::commands::jobs::progress::Counter;
use crate::commands::jobs::settle;
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind, plain};
use crate::interrupt::Interrupt;
use crate::job::record::{Kind, Record};
use crate::job::select::find;
use crate::names::JobId;
use crate::output::{Page, Reply, Voice};
use crate::supervisor;
use crate::units::show_bytes;

/// An output that was copied.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub struct Fetched {
    /// The run.
    #[cfg_attr(test, schemars(schema_with = "crate::schemas::job_id"))]
    id: JobId,
    /// The directory where the output is now.
    output: PathBuf,
    /// How many files, directories and links it has.
    entries: u64,
    /// The bytes of its files.
    bytes: u64,
    /// What was left out: devices, pipes, sockets, and links that lead out of the directory.
    left_out: Vec<String>,
}

impl Reply for Fetched {
    fn show(&self, page: &mut Page) -> Result<()> {
        let Self { output, entries, bytes, .. } = self;
        let entries = format!("{entries} {}", if *entries == 1 { "entry" } else { "entries" });
        page.line(&format!("{}: {entries}, {}", output.display(), show_bytes(*bytes)))
    }
}

/// Copies it. The container of the run is removed after that, unless it is to be kept.
pub fn fetch(env: &Env, voice: &Voice, args: &ExecFetch) -> Result<u8> {
    let (_, job) = find(env, Kind::Run, &args.run.job)?;
    let could_not = format!("could not fetch the output of run {}", job.id);
    let env = &settle(env, voice, &job);
    let record =
        job.record().map_err(|damaged| Failure::new(ErrorKind::State, format!("{could_not}: {}", damaged.0)))?;
    let own = own_output(&record, &could_not)?;
    if !job.has_ended() {
        let message = format!("{could_not}: it is {}", job.still());
        let hint = format!("its output is copied when it ends; wait for that with: longshore exec wait {}", job.id);
        return Err(Failure::new(ErrorKind::Conflict, message).hint(hint).into());
    }
    let output = match &args.output {
        Some(output) => {
            let make = || std::fs::create_dir_all(output).and_then(|()| std::fs::canonicalize(output));
            make().map_err(|error| Failure::usage(format!("{could_not}: {}: {}", output.display(), plain(&error))))?
        }
        None => own,
    };
    let interrupt = Interrupt::any_end()?;
    let mut progress = Counter::new(voice, "fetching", None);
    let moved = supervisor::fetch(env, &job, record, &output, &mut |bytes| {
        progress.tick(bytes);
        !interrupt.is_heard()
    });
    drop(progress);
    let Some(moved) = moved? else {
        interrupt.check(|| format!("{could_not}: the command was interrupted; nothing was changed"))?;
        return Ok(1);
    };
    for name in &moved.left_out {
        voice.note(&format!("note: left out: {name}"));
    }
    voice.reply(&Fetched {
        id: job.id.clone(),
        output,
        entries: moved.entries,
        bytes: moved.bytes,
        left_out: moved.left_out,
    })?;
    Ok(0)
}

/// The output directory of a run whose output is copied.
fn own_output(record: &Record, could_not: &str) -> Result<PathBuf, Failure> {
    let run = record.run().filter(|_| record.has_output_afar());
    let Some(run) = run else {
        let why = "its engine writes into the directory itself, so there is nothing to copy";
        return Err(Failure::usage(format!("{could_not}: {why}")));
    };
    match &run.output {
        Some(output) => Ok(Path::new(output.as_str()).to_owned()),
        None => Err(Failure::usage(format!("{could_not}: it has no output directory"))
            .hint("give the run one with --output, then --output of this command can name another")),
    }
}
