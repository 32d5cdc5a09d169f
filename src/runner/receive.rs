//! The end of a copy of an output: unpacks it beside what the output directory has, and puts it into its place. Whole or not at
//! all.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::engine::EngineError;
use crate::engine::copying::CopyError;
use crate::error::{Failure, Kind, plain};
use crate::fault;
use crate::fs::Room;
use crate::job::moved::Moved;
use crate::job::record::{Record, UNFETCHED};
use crate::transfer::{Limits, Refused, Unpacked, Why, place};

/// The most files and directories of an output.
const MOST_ENTRIES: u64 = 2_000_000;

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
/// As [`NotFetched`]. The output directory is then as it was, unless the device failed while entries were renamed.
pub fn receive(
    record: &Record,
    output: &Path,
    copy: impl FnOnce(&Path, &Limits) -> Result<Unpacked, CopyError<Refused>>,
) -> Result<Moved, NotFetched> {
    let could_not = could_not(record);
    let failed = |why: &str| NotFetched::Failed(Failure::new(Kind::Failed, format!("{could_not}: {why}")));
    let at = |path: &Path, error: &io::Error| failed(&format!("{}: {}", path.display(), plain(error)));
    let part = Part::make(output, record.id.as_str()).map_err(|error| at(output, &error))?;
    let limits = Limits { bytes: Room::at(output).map_or(u64::MAX, |room| room.bytes), entries: MOST_ENTRIES };
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

/// The directory for an output that is not complete, in the output directory itself, because only there it can be renamed.
struct Part(PathBuf);

impl Part {
    /// Makes it, for this user alone whatever the umask is. What a killed process has left is removed.
    fn make(output: &Path, id: &str) -> io::Result<Self> {
        let path = output.join(format!(".longshore-{id}.part"));
        remove(&path)?;
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        // A directory can pass on rights of its own to those in it.
        std::fs::set_permissions(&path, Permissions::from_mode(0o700))?;
        Ok(Self(path))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = remove(&self.0);
    }
}

/// Removes a directory of this user with all that is in it, also what nothing may be removed from. It need not exist.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_all(path)?;
            std::fs::remove_dir_all(path)
        }
        removed => removed,
    }
}

/// Gives this user all rights to a directory and those in it. Links are not followed.
fn open_all(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(0o700))?;
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_all(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_of_this_user_alone_and_is_removed_whatever_its_modes_are() {
        let dir = tempfile::tempdir().unwrap();
        let part = Part::make(dir.path(), "0123456789ab").unwrap();
        assert_eq!(std::fs::metadata(&part.0).unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::create_dir_all(part.0.join("a/b")).unwrap();
        std::fs::write(part.0.join("a/b/c"), "x").unwrap();
        for name in ["a/b", "a", ""] {
            std::fs::set_permissions(part.0.join(name), Permissions::from_mode(0o555)).unwrap();
        }
        // Another process makes it anew, as after a kill.
        let again = Part::make(dir.path(), "0123456789ab").unwrap();
        assert_eq!(std::fs::read_dir(&again.0).unwrap().count(), 0);
        std::fs::create_dir_all(again.0.join("a")).unwrap();
        std::fs::set_permissions(again.0.join("a"), Permissions::from_mode(0o000)).unwrap();
        open_all(&again.0).unwrap();
        assert_eq!(std::fs::metadata(again.0.join("a")).unwrap().permissions().mode() & 0o777, 0o700);
        drop(again);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
