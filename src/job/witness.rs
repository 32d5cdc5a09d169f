//! The end of a job whose directory may be removed at any moment, because the job was forgotten.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use super::record::Exit;
use super::standing::{Facts, Standing};
use super::view::View;
use super::{EXIT, EXIT_ROOM, EXIT_SIZE, Here, Job};

/// What was asked, and the file of the exit record, held open. The record is written into the file that was prepared for
/// it, so it can still be read when the directory is gone.
#[derive(Debug)]
pub struct Witness {
    facts: Facts,
    exit: File,
}

impl Witness {
    /// Of this job; `None` if its files cannot be opened.
    #[must_use]
    pub fn of(job: &Job, here: &Here) -> Option<Self> {
        let facts = job.facts(here);
        // In this order: the first is renamed to the second.
        let exit = [EXIT_ROOM, EXIT].iter().find_map(|name| job.dir.open_file(name).ok())?;
        Some(Self { facts, exit })
    }

    /// The job at its end, if that was recorded.
    #[must_use]
    pub fn end(&self) -> Option<View> {
        let mut bytes = [0; EXIT_SIZE];
        self.exit.read_exact_at(&mut bytes, 0).ok()?;
        let exit = Exit::parse(&bytes).ok()?;
        Some(View::new(&self.facts, &Standing::Ended(exit)))
    }
}
