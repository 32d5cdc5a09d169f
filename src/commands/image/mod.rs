//! `image`: builds and the engine's images.

mod cancel;
mod copy;
mod create;
mod list;
mod need;
mod rm;
mod sources;
mod status;

use anyhow::Result;

use super::jobs;
use super::jobs::which::Words;
use crate::cli::Image;
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::job::record::Kind;
use crate::job::select::Scope;
use crate::output::Voice;

#[cfg(test)]
pub use {copy::Copied, create::DryRun, rm::Removed, status::Status};

const BUILDS: Scope = Scope::Only(Kind::Build);

/// Runs `longshore image …`.
pub fn run(env: &Env, voice: &Voice, command: Image) -> Result<u8> {
    match command {
        Image::Create(args) => create::create(env, voice, &args),
        Image::Status(args) => status::status(env, voice, &args),
        Image::Logs(args) => jobs::logs::logs(env, voice, BUILDS, &Words::typed(&args.jobs), &args.how),
        Image::Wait(args) => jobs::wait::wait(env, voice, BUILDS, &Words::typed(&args.jobs), &args.how),
        Image::Cancel(args) => cancel::cancel(env, voice, &args),
        Image::Forget(args) => jobs::forget::forget(env, voice, Kind::Build, &args, &[]),
        Image::Builds(args) => jobs::list::list(env, voice, BUILDS, &args, &[]),
        Image::List(args) => list::list(env, voice, &args),
        Image::Copy(args) => copy::copy(env, voice, &args),
        Image::Rm(args) => rm::remove(env, voice, &args),
    }
}

/// The failure that an engine has no such image.
fn missing(image: &str) -> Failure {
    Failure::new(ErrorKind::NotFound, format!("there is no image {image:?}"))
        .hint("list images with: longshore image list")
}
