//! The stamp file of `--stamp`, by which make knows that a job has succeeded: it is removed when the job is started, and
//! appears whole if the job succeeds. It is a file of the user's, so it gets the mode that the caller's umask leaves it.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Failure, Kind, plain};
use crate::fault;
use crate::fs::may_make;
use crate::names::JobId;

/// A stamp file, by its absolute path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stamp(PathBuf);

impl Stamp {
    /// The stamp at a path that the user gave. Nothing is changed.
    ///
    /// # Errors
    /// A usage error: its directory is missing or may not be written to, or there is something else than a file.
    pub fn resolve(path: &Path) -> Result<Self, Failure> {
        let unusable = |why: &str| Failure::usage(format!("cannot use the stamp file {}: {why}", path.display()));
        let absolute = std::path::absolute(path).map_err(|error| unusable(&plain(&error)))?;
        let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
            return Err(unusable("it is a directory"));
        };
        let parent = parent.canonicalize().map_err(|error| {
            let failure = unusable(&format!("its directory: {}", plain(&error)));
            failure.hint("the directory of the stamp has to exist before the job is started")
        })?;
        if !parent.is_dir() {
            return Err(unusable("its directory: not a directory"));
        }
        let file = parent.join(name);
        if file.to_str().is_none() {
            return Err(unusable("its path is not UTF-8"));
        }
        match file.symlink_metadata() {
            Ok(data) if data.is_dir() => return Err(unusable("it is a directory")),
            Ok(data) if data.is_symlink() => return Err(unusable("it is a link").hint("name the file itself")),
            Ok(data) if !data.is_file() => return Err(unusable("it is not a regular file")),
            _ => {}
        }
        may_make(&parent).map_err(|error| unusable(&format!("its directory: {}", plain(&error))))?;
        Ok(Self(file))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Removes it, before the job is started. A missing file is no error.
    ///
    /// # Errors
    /// When it cannot be removed: the job must not be started, because the old stamp would stand for it.
    pub fn clear(&self) -> Result<(), Failure> {
        match std::fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let message = format!("could not remove the stamp file {}: {}", self.0.display(), plain(&error));
                Err(Failure::new(Kind::Internal, message))
            }
            _ => Ok(()),
        }
    }

    /// Makes it, with the id of the job as its content. It can be made again: the next try takes what an interrupted one left.
    ///
    /// # Errors
    /// As the calls of the file system. Nothing is left behind.
    pub fn make(&self, id: &JobId, umask: u32) -> io::Result<()> {
        let temporary = self.temporary(id);
        let made = self.write(&temporary, id, umask);
        if made.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        made
    }

    /// Removes what an interrupted try to make it left.
    pub fn sweep(&self, id: &JobId) {
        let _ = std::fs::remove_file(self.temporary(id));
    }

    fn temporary(&self, id: &JobId) -> PathBuf {
        self.0.with_file_name(format!(".longshore-{id}.stamp"))
    }

    #[expect(clippy::disallowed_methods, reason = "a file of the user's, not of our state")]
    fn write(&self, temporary: &Path, id: &JobId, umask: u32) -> io::Result<()> {
        self.sweep(id);
        fault::call("stamp", "")?;
        // With create_new, no link is followed that is in its place.
        let mut file = File::options().write(true).create_new(true).open(temporary)?;
        file.set_permissions(Permissions::from_mode(0o666 & !umask))?;
        file.write_all(format!("{id}\n").as_bytes())?;
        file.sync_all()?;
        fault::point("stamping");
        std::fs::rename(temporary, &self.0)?;
        // Where a directory cannot be synced, the stamp may be lost with the power, and make starts the job again.
        let _ = self.0.parent().map(|parent| File::open(parent).and_then(|parent| parent.sync_all()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn refusal(path: &Path) -> String {
        Stamp::resolve(path).map_or_else(|failure| failure.message, |stamp| stamp.path().display().to_string())
    }

    #[test]
    fn a_stamp_is_a_file_in_a_directory_that_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let at = |name: &str| root.join(name);
        std::fs::write(at("old"), "").unwrap();
        symlink(at("old"), at("link")).unwrap();
        symlink(&root, at("here")).unwrap();
        for (name, why) in [
            ("", "it is a directory"),
            ("link", "it is a link"),
            ("no/stamp", "its directory: no such file or directory"),
            ("old/stamp", "its directory: not a directory"),
            ("..", "it is a directory"),
        ] {
            assert!(refusal(&at(name)).ends_with(why), "{name}: {}", refusal(&at(name)));
        }
        assert!(refusal(Path::new("/dev/null")).ends_with("it is not a regular file"));
        for name in ["old", "new", "here/new"] {
            assert_eq!(refusal(&at(name)), at(name.trim_start_matches("here/")).display().to_string());
        }
    }

    #[test]
    fn it_appears_whole_with_the_callers_mode_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let stamp = Stamp::resolve(&dir.path().join("built")).unwrap();
        let id = JobId::from_bytes([7; 12]);
        // What a try that was killed has left.
        std::fs::write(stamp.temporary(&id), "half").unwrap();
        stamp.make(&id, 0o027).unwrap();
        assert_eq!(std::fs::read_to_string(stamp.path()).unwrap(), format!("{id}\n"));
        assert_eq!(stamp.path().metadata().unwrap().permissions().mode() & 0o777, 0o640);
        stamp.make(&id, 0o022).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        stamp.clear().unwrap();
        stamp.clear().unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn where_a_directory_is_by_now_it_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let stamp = Stamp::resolve(&dir.path().join("built")).unwrap();
        std::fs::create_dir(stamp.path()).unwrap();
        assert!(stamp.make(&JobId::from_bytes([7; 12]), 0o022).is_err());
        assert!(stamp.clear().is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
