//! `container stats`: shows the resource usage of containers.

use anyhow::Result;

use super::find;
use crate::cli::ContainerStats;
use crate::commands::stats::{self, Measured};
use crate::engine::Engine;
use crate::env::Env;
use crate::output::Voice;

/// Shows that of the named ones, or of all.
pub fn stats(env: &Env, voice: &Voice, engine: &Engine, args: &ContainerStats) -> Result<u8> {
    let containers = args.containers.iter().map(|typed| Ok(find(env, engine, typed)?.id)).collect::<Result<_>>()?;
    stats::stats(voice, engine, &Measured { containers, all: args.all, flags: &args.flags, seen: &Some })
}
