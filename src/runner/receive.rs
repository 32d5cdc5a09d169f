//! The end of a copy of an output: unpacks it beside what the output directory has, and puts it into its place. Whole or not at
//! all.

use std::io;
use std::path::{Path, PathBuf};

use crate::engine::EngineError;
use crate::engine::copying::CopyError;
use crate::error::{Failure, Kind, plain};
use crate::fault;
use crate::job::moved::Moved;
use crate::job::record::{Record, UNFETCHED};
use crate::transfer::{Limits, Refused, Unpacked, Why, place};

/// The most files and directories of an output.
const MOST_ENTRIES: u64 = 10_000_000;

/// Why an output was not fetched.
#[derive(Debug)]
pub enum NotFetched {
    /// The engine does not answer, or the line broke: it can be tried again.
    Away(Failure),
    /// It broke in the middle, and the engine answers: it may succeed at another try.
    Cut(Failure),
    /// It would fail again.
    Failed(Failure),
    /// The caller did not want it any more.
    Stopped,
}

impl NotFetched {
    /// After an error of docker or the engine.
    #[must_use]
    pub fn after(error: &EngineError, could_not: &str) -> Self {
        let failure = error.failure(could_not);
        match error {
            EngineError::Unreachable { .. } | EngineError::TimedOut { .. } => Self::Away(failure),
            _ => Self::Cut(failure),
        }
    }
}

/// How a failure to fetch the output of a run begins.
#[must_use]
pub fn could_not(record: &Record) -> String {
    format!("{UNFETCHED} {}", record.id)
}

/// Puts an output into its directory. `copy` unpacks it into the given empty directory, within the limits.
///
/// # Errors
/// As [`NotFetched`]. The output directory is then as it was.
pub fn receive(
    record: &Record,
    output: &Path,
    copy: impl FnOnce(&Path, &Limits) -> Result<Unpacked, CopyError<Refused>>,
) -> Result<Moved, NotFetched> {
    let could_not = could_not(record);
    let failed = |why: &str| NotFetched::Failed(Failure::new(Kind::Failed, format!("{could_not}: {why}")));
    let at = |path: &Path, error: &io::Error| failed(&format!("{}: {}", path.display(), plain(error)));
    let part = Part::make(output, record.id.as_str()).map_err(|error| at(output, &error))?;
    let limits = Limits { bytes: room(output), entries: MOST_ENTRIES };
    let unpacked = copy(&part.0, &limits).map_err(|error| match error {
        CopyError::Engine(error) => NotFetched::after(&error, &could_not),
        CopyError::Ours(refused) if refused.why == Why::Cut => {
            NotFetched::Cut(Failure::new(Kind::EngineFailed, format!("{could_not}: {refused}")))
        }
        CopyError::Ours(refused) => failed(&refused.to_string()),
        CopyError::Stopped => NotFetched::Stopped,
    })?;
    fault::point("unpacked");
    place(&part.0, output).map_err(|error| failed(&plain(&error)))?;
    fault::point("output-placed");
    Ok(Moved { entries: unpacked.entries, bytes: unpacked.bytes, left_out: unpacked.left_out })
}

/// How many bytes fit on the disk of a directory.
fn room(dir: &Path) -> u64 {
    rustix::fs::statvfs(dir).map_or(u64::MAX, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// The directory for an output that is not complete, in the output directory itself, because only there it can be renamed.
struct Part(PathBuf);

impl Part {
    /// Makes it. What a killed process has left is removed.
    fn make(output: &Path, id: &str) -> io::Result<Self> {
        let path = output.join(format!(".longshore-{id}.part"));
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
