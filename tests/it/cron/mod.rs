//! What cron, make and other programs need of a start: a stamp file, names that are in use, a command that follows the end,
//! and jobs that end with their command.

mod examples;
mod foreground;
mod names;
mod on_exit;
mod progress;
mod stamps;

use std::process::{Child, Stdio};

use crate::support::Ran;
use crate::support::fake::Fake;

/// A command that runs beside the test.
pub fn beside(fake: &Fake, args: &[impl AsRef<std::ffi::OsStr>]) -> Child {
    fake.command(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What it printed, once it has ended.
pub fn end(child: Child) -> Ran {
    Ran::from(child.wait_with_output().unwrap())
}

/// The ids of all runs, in no order.
fn runs(fake: &Fake) -> Vec<String> {
    crate::support::fake::job_ids(&fake.jobs("run"))
}
