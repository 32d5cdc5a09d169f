//! Whether the files of a run have to be copied to its engine, and what cannot be used then.

use anyhow::Result;
use serde::Serialize;

use crate::engine::Engine;
use crate::error::Failure;
use crate::job::record::{Record, Ship};
use crate::names::{LogDriver, Origin, When};
use crate::output::Page;
use crate::runner::Cargo;
use crate::spec::RunSpec;
use crate::units::show_bytes;

/// The most bytes that are copied unless another limit is given.
const LIMIT: u64 = 1 << 30;

/// How the files of a run are copied; `None` if its engine sees them. A context is looked up by docker, which does not ask
/// the engine.
///
/// # Errors
/// A usage error if the run has options that need files of the engine's machine.
pub fn of(engine: &Engine, spec: &RunSpec) -> Result<Option<Ship>, Failure> {
    let is_copied = match spec.ship.unwrap_or_default() {
        When::Always => true,
        When::Never => false,
        When::Auto => engine.is_elsewhere().map_err(|error| error.failure("could not find out where the engine is"))?,
    };
    if !is_copied {
        return Ok(None);
    }
    check(engine, spec)?;
    let cache = spec.ship_cache.unwrap_or_default();
    Ok(Some(Ship { cache, git: spec.ship_git, limit: spec.ship_limit.unwrap_or(LIMIT) }))
}

/// What a run would copy to its engine.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub struct Shipment {
    /// How many files.
    files: usize,
    /// Their size in bytes.
    bytes: u64,
    /// How many entries a `.longshoreignore` and the rule for `.git` leave out, without what is below them.
    ignored: usize,
    /// Sockets, devices and pipes, which are not copied.
    left_out: Vec<String>,
}

impl Shipment {
    /// Looks through the directories of a run; `None` if its engine sees them.
    ///
    /// # Errors
    /// When one cannot be read, or they have more than the run may copy.
    pub fn of(record: &Record) -> Result<Option<Self>, Failure> {
        let Some((run, ship)) = record.run().and_then(|run| Some((run, run.ship.as_ref()?))) else { return Ok(None) };
        let cargo = Cargo::of(run, ship)?;
        let left_out = cargo.special();
        Ok(Some(Self { files: cargo.files(), bytes: cargo.bytes(), ignored: cargo.ignored(), left_out }))
    }

    /// Says it to a person, beside the command line.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn show(&self, page: &mut Page) -> Result<()> {
        let Self { files, bytes, ignored, left_out } = self;
        let files = format!("{files} {}", if *files == 1 { "file" } else { "files" });
        let ignored = match ignored {
            0 => String::new(),
            count => format!("; left out by .longshoreignore, or as .git: {count}"),
        };
        page.note(&format!("note: {files}, {}, would be copied to the engine{ignored}", show_bytes(*bytes)))?;
        left_out.iter().try_for_each(|name| page.note(&format!("note: not copied: {name}")))
    }
}

/// Refuses what only an engine that sees the caller's files can do.
fn check(engine: &Engine, spec: &RunSpec) -> Result<(), Failure> {
    let where_it_is = format!("the engine ({}) does not see the files of this machine", engine.endpoint);
    let bound = spec.all_mounts().find_map(|mount| match &mount.origin {
        Origin::Path(path) => Some((path, &mount.target)),
        Origin::Volume { .. } | Origin::Tmpfs { .. } => None,
    });
    if let Some((path, target)) = bound {
        return Err(Failure::usage(format!("cannot mount {path} at {target}: {where_it_is}")).hint(
            "give the directory as --input, put it into --src, or use a volume of docker; if the engine does see it, use --ship never",
        ));
    }
    if spec.log_driver == Some(LogDriver::None) {
        return Err(Failure::usage(format!(
            "cannot use --log-driver none: {where_it_is}, so the log is read from its copy of the output"
        ))
        .hint("leave --log-driver out"));
    }
    Ok(())
}
