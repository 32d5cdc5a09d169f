//! A source directory in which mount points are missing and cannot be made, because the caller may not write to it. Its entries
//! are then mounted one by one below an empty directory, in which docker can make the mount points.
//!
//! The program sees the same files at the same places. It cannot make new ones beside them, and could not otherwise. A link is
//! mounted as what it leads to inside the source directory. Left out are links that lead elsewhere, which could be to any file
//! of the caller, and what docker cannot mount: pipes, sockets, devices, and names that are not UTF-8.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::error::{Failure, plain};
use crate::fs::may_make;
use crate::names::{Mount, MountPath, Origin, SOURCE_TARGET};

/// The most entries. Each is a mount, which docker needs about a millisecond for.
const MOST: usize = 500;

/// The entries to mount; `None` if the missing mount points can be made, or nothing is missing. `own` are the names at which
/// the run mounts something itself.
///
/// # Errors
/// A usage error, when the directory cannot be read, has too many entries, or a mount point is missing further down.
pub fn of<'a>(
    source: &Path,
    points: &[PathBuf],
    own: impl Iterator<Item = &'a str>,
    mounts: &'a [Mount],
) -> Result<Option<Vec<Mount>>> {
    let refused = |point: &&PathBuf| may_make(point).is_err_and(|error| is_not_ours(&error));
    let Some(point) = points.iter().find(refused) else { return Ok(None) };
    let inside =
        |path: &Path| path.strip_prefix(source).ok().and_then(|inside| inside.iter().next()).map(PathBuf::from);
    let deep = |point: &&PathBuf| inside(point).is_some_and(|first| source.join(first).is_dir());
    if let Some(deep) = points.iter().find(deep) {
        let why = "it is below a directory of the source directory, and you may not write there";
        return Err(Failure::usage(format!("could not make the mount point {}: {why}", deep.display()))
            .hint("choose another target")
            .into());
    }
    let could_not = |why: &str| {
        Failure::usage(format!("could not make the directory {}: {why}", point.display()))
            .hint("it is needed as a mount point; create it, or use a source directory that you may write to")
    };
    let taken: Vec<&str> = own.chain(mounts.iter().filter_map(|mount| name_of(mount.target.as_str()))).collect();
    let mut parts = Vec::new();
    for entry in std::fs::read_dir(source).map_err(|error| could_not(&plain(&error)))? {
        let path = entry.map_err(|error| could_not(&plain(&error)))?.path();
        parts.extend(
            part(source, &path)
                .filter(|mount| !name_of(mount.target.as_str()).is_some_and(|name| taken.contains(&name))),
        );
    }
    if parts.len() > MOST {
        let why = format!("you may not write there, and it has more than {MOST} entries to mount one by one");
        return Err(could_not(&why).into());
    }
    parts.sort_by(|one, other| one.target.cmp(&other.target));
    Ok(Some(parts))
}

/// Whether the caller may not write there at all. Any other error, such as a full disk, is one.
fn is_not_ours(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// The name of an entry of the source directory, by its place in the container.
fn name_of(target: &str) -> Option<&str> {
    let name = target.strip_prefix(SOURCE_TARGET)?.strip_prefix('/')?;
    (!name.contains('/')).then_some(name)
}

/// The mount of one entry, if it can be mounted.
fn part(source: &Path, path: &Path) -> Option<Mount> {
    let found = std::fs::canonicalize(path).ok().filter(|found| found.starts_with(source) && found != source)?;
    let kind = found.metadata().ok()?.file_type();
    let name = path.file_name()?.to_str()?;
    let target = MountPath::parse(&format!("{SOURCE_TARGET}/{name}")).ok()?;
    let path = MountPath::from_path(&found).ok()?;
    let origin = Origin::Path(path.as_str().to_owned());
    (kind.is_file() || kind.is_dir()).then_some(Mount { origin, target, read_only: false })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn an_entry_is_mounted_at_its_place_if_it_leads_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(dir.path()).unwrap();
        let source = root.join("src");
        std::fs::create_dir_all(source.join("pkg")).unwrap();
        std::fs::write(source.join("main.py"), "").unwrap();
        std::fs::write(root.join("secret"), "").unwrap();
        for (target, name) in
            [("pkg", "link"), ("../secret", "out"), ("absent", "dangling"), (".", "self"), ("/etc", "etc")]
        {
            symlink(target, source.join(name)).unwrap();
        }
        let _socket = std::os::unix::net::UnixListener::bind(source.join("socket")).unwrap();
        let shown = |name: &str| {
            part(&source, &source.join(name)).map(|mount| mount.to_string().replace(root.to_str().unwrap(), ""))
        };
        assert_eq!(shown("main.py").as_deref(), Some("type=bind,source=/src/main.py,target=/app/main.py"));
        assert_eq!(shown("pkg").as_deref(), Some("type=bind,source=/src/pkg,target=/app/pkg"));
        assert_eq!(shown("link").as_deref(), Some("type=bind,source=/src/pkg,target=/app/link"));
        for name in ["out", "dangling", "self", "etc", "socket"] {
            assert_eq!(shown(name), None, "{name}");
        }
    }

    #[test]
    fn a_directory_in_which_mount_points_can_be_made_is_mounted_whole() {
        let dir = tempfile::tempdir().unwrap();
        let point = dir.path().join("data");
        assert_eq!(of(dir.path(), &[point], ["data"].into_iter(), &[]).unwrap(), None);
        assert_eq!(of(dir.path(), &[], [].into_iter(), &[]).unwrap(), None);
    }
}
