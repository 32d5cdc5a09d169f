//! The mounts of a run, also the user's own: their sources are resolved, and their targets must not hide another mount or make
//! the engine create a mount point. It would create it as root, in a directory of the user. Nothing is changed here.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::error::{Failure, plain};
use crate::names::{Endpoint, INPUT_TARGET, Mount, MountPath, OUTPUT_TARGET, Origin};

/// A directory of the user at its place in the container. Mount points for what is mounted below it must be in it.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// Where it is in the container.
    pub target: &'a str,
    /// The directory.
    pub path: &'a Path,
    /// Whether missing mount points are created in it.
    pub may_grow: bool,
}

/// Resolves the user's mounts and checks them against the run's own, of which the first is the source directory. Adds the
/// mount points that have to be created to `missing`.
///
/// # Errors
/// A usage error that names the mount and what is wrong with it.
pub fn resolve(
    mounts: &[Mount],
    own: &[Ground],
    sockets: &[PathBuf],
    missing: &mut Vec<PathBuf>,
) -> Result<Vec<Mount>> {
    let resolved: Vec<Mount> = mounts.iter().map(|mount| resolved(mount, sockets)).collect::<Result<_>>()?;
    for (at, mount) in resolved.iter().enumerate() {
        let is_taken = |target: &str| target == mount.target.as_str();
        if let Some(ground) = own.iter().find(|ground| is_taken(ground.target)) {
            let flag = own_flag(ground.target);
            return Err(refused(mount, &format!("{flag} is mounted there")).hint("choose another target").into());
        }
        if resolved[..at].iter().any(|other| is_taken(other.target.as_str())) {
            return Err(refused(mount, "another mount has the same target").into());
        }
        check_ground(mount, &resolved, own, missing)?;
    }
    Ok(resolved)
}

fn own_flag(target: &str) -> &'static str {
    match target {
        INPUT_TARGET => "--input",
        OUTPUT_TARGET => "--output",
        _ => "--src",
    }
}

fn refused(mount: &Mount, why: &str) -> Failure {
    Failure::usage(format!("cannot mount {} at {}: {why}", source(mount), mount.target))
}

fn source(mount: &Mount) -> String {
    match &mount.origin {
        Origin::Path(path) => path.clone(),
        Origin::Volume { name: Some(name), .. } => format!("the volume {name}"),
        Origin::Volume { name: None, .. } => "a volume".into(),
        Origin::Tmpfs { .. } => "a tmpfs".into(),
    }
}

/// The mount with an absolute, resolved source.
fn resolved(mount: &Mount, sockets: &[PathBuf]) -> Result<Mount> {
    use std::os::unix::fs::FileTypeExt as _;
    let Origin::Path(path) = &mount.origin else { return Ok(mount.clone()) };
    let found = std::fs::canonicalize(path).map_err(|error| refused(mount, &plain(&error)))?;
    let kind = std::fs::metadata(&found).map_err(|error| refused(mount, &plain(&error)))?.file_type();
    if kind.is_socket() {
        return Err(refused(mount, "it is a socket").hint(SOCKET).into());
    }
    if !kind.is_file() && !kind.is_dir() {
        return Err(refused(mount, "it is neither a file nor a directory").into());
    }
    let path = MountPath::from_path(&found)?;
    check_sockets(&found, sockets).map_err(|why| refused(mount, &why).hint(SOCKET))?;
    Ok(Mount { origin: Origin::Path(path.as_str().to_owned()), ..mount.clone() })
}

const SOCKET: &str = "a program that can use the engine's socket is root on this machine";

/// Refuses a directory with a socket of the engine in it.
///
/// # Errors
/// Why it is refused.
pub fn check_sockets(path: &Path, sockets: &[PathBuf]) -> Result<(), String> {
    match sockets.iter().find(|socket| socket.starts_with(path)) {
        Some(socket) => Err(format!("the engine's socket {} is in it", socket.display())),
        None => Ok(()),
    }
}

/// Where the sockets of engines are: the usual place, and that of this engine.
#[must_use]
pub fn sockets(endpoint: &Endpoint) -> Vec<PathBuf> {
    let given = endpoint.url().and_then(|url| url.strip_prefix("unix://"));
    ["/var/run/docker.sock"].into_iter().chain(given).filter_map(|path| std::fs::canonicalize(path).ok()).collect()
}

/// What is directly below the mount decides where its mount point must be.
fn check_ground(mount: &Mount, others: &[Mount], own: &[Ground], missing: &mut Vec<PathBuf>) -> Result<()> {
    let below = |target: &str| Path::new(mount.target.as_str()).strip_prefix(target).ok();
    let depth = |target: &str| Path::new(target).components().count();
    let near = own.iter().filter(|ground| below(ground.target).is_some()).max_by_key(|ground| depth(ground.target));
    let is_above = |other: &&Mount| other.target != mount.target && below(other.target.as_str()).is_some();
    let other = others.iter().filter(is_above).max_by_key(|other| depth(other.target.as_str()));
    let other = other.filter(|other| near.is_none_or(|near| depth(near.target) < depth(other.target.as_str())));
    let ground = match other {
        // The engine may create what it likes in a volume.
        Some(Mount { origin: Origin::Volume { .. } | Origin::Tmpfs { .. }, .. }) => return Ok(()),
        Some(Mount { origin: Origin::Path(path), target, .. }) => {
            Some(Ground { target: target.as_str(), path: Path::new(path), may_grow: false })
        }
        None => near.copied(),
    };
    let Some(ground) = ground else { return Ok(()) };
    let is_file = matches!(&mount.origin, Origin::Path(path) if Path::new(path).is_file());
    let place = below(ground.target).unwrap_or(Path::new(""));
    let points = missing_points(ground.path, place, is_file)?;
    match points.last() {
        Some(point) if is_file || !ground.may_grow => {
            let what = if is_file { "file" } else { "directory" };
            let why = format!("its mount point {} does not exist, and docker would make it as root", point.display());
            Err(refused(mount, &why).hint(format!("make an empty {what} there, or choose another target")).into())
        }
        _ => {
            missing.extend(points.into_iter().filter(|point| !missing.contains(point)).collect::<Vec<_>>());
            Ok(())
        }
    }
}

/// The directories on the way to a mount point that are missing, the outermost first. Those that exist must be real
/// directories: through a link the engine would mount elsewhere.
///
/// # Errors
/// A usage error that names the path and what is wrong with it.
pub fn missing_points(ground: &Path, place: &Path, is_file: bool) -> Result<Vec<PathBuf>, Failure> {
    let mut missing = Vec::new();
    let mut path = ground.to_path_buf();
    let mut parts = place.components().peekable();
    while let Some(part) = parts.next() {
        path.push(part);
        let wants_file = is_file && parts.peek().is_none();
        let why = match path.symlink_metadata() {
            Ok(data) if data.is_symlink() => "it is a link".into(),
            Ok(data) if data.is_dir() != wants_file && data.is_file() == wants_file => continue,
            Ok(_) if wants_file => "it is not a file".into(),
            Ok(_) => "it is not a directory".into(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                missing.push(path.clone());
                continue;
            }
            Err(error) => plain(&error),
        };
        return Err(Failure::usage(format!("cannot use {} as a mount point: {why}", path.display())));
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            for place in ["src/there/deep", "in", "out/there", "more"] {
                std::fs::create_dir_all(dir.path().join(place)).unwrap();
            }
            std::fs::write(dir.path().join("file"), "").unwrap();
            std::fs::write(dir.path().join("src/file"), "").unwrap();
            symlink("../more", dir.path().join("src/link")).unwrap();
            Self(dir)
        }

        fn path(&self, name: &str) -> PathBuf {
            std::fs::canonicalize(self.0.path()).unwrap().join(name)
        }

        /// The mount points that are missing in the source directory, or why the mounts are refused. A source is a name in the
        /// tree, or that of a volume.
        fn resolve(&self, mounts: &[(&str, &str)]) -> Result<Vec<String>, String> {
            let (src, input, output) = (self.path("src"), self.path("in"), self.path("out"));
            let ground = |target, path, may_grow| Ground { target, path, may_grow };
            let own = [
                ground("/app", &*src, true),
                ground("/app/data", &input, false),
                ground("/app/output", &output, false),
            ];
            let mounts: Vec<Mount> = mounts
                .iter()
                .map(|(source, target)| {
                    let line = match *source {
                        "tmpfs" => format!("type=tmpfs,target={target}"),
                        "volume" => format!("type=volume,source=named,target={target}"),
                        name => format!("type=bind,source={},target={target}", self.path(name).display()),
                    };
                    Mount::parse(&line).unwrap()
                })
                .collect();
            let mut missing = Vec::new();
            let sockets = [self.path("run/engine.sock")];
            resolve(&mounts, &own, &sockets, &mut missing).map_err(|error| error.to_string())?;
            Ok(missing.iter().map(|path| path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned()).collect())
        }
    }

    #[test]
    fn mount_points_are_made_in_the_source_directory_only() {
        let tree = Tree::new();
        for (mounts, missing) in [
            (&[("more", "/x"), ("file", "/etc/conf"), ("volume", "/v"), ("tmpfs", "/t")][..], &[][..]),
            (&[("more", "/app/there/deep"), ("file", "/app/file")], &[]),
            (&[("more", "/app/a/b"), ("tmpfs", "/app/a/c")], &["a", "a/b", "a/c"]),
            (&[("volume", "/app/new")], &["new"]),
            // The engine makes mount points in a volume.
            (&[("volume", "/v"), ("more", "/v/x"), ("tmpfs", "/t"), ("file", "/t/f")], &[]),
            (&[("more", "/app/output/there")], &[]),
        ] {
            assert_eq!(
                tree.resolve(mounts).as_deref(),
                Ok(&missing.iter().map(|m| (*m).to_owned()).collect::<Vec<_>>()[..])
            );
        }
    }

    #[test]
    fn what_would_hide_a_mount_or_be_made_as_root_is_refused() {
        let tree = Tree::new();
        for (mounts, why) in [
            (&[("more", "/app")][..], "--src is mounted there"),
            (&[("volume", "/app/data")], "--input is mounted there"),
            (&[("tmpfs", "/app/output")], "--output is mounted there"),
            (&[("more", "/x"), ("volume", "/x")], "another mount has the same target"),
            (&[("more", "/app/data/x")], "docker would make it as root"),
            (&[("more", "/app/output/x")], "docker would make it as root"),
            (&[("more", "/x"), ("in", "/x/y")], "docker would make it as root"),
            (&[("in", "/x/y"), ("more", "/x")], "docker would make it as root"),
            (&[("more", "/app/there"), ("in", "/app/there/deep")], "docker would make it as root"),
            (&[("file", "/app/new")], "docker would make it as root"),
            (&[("file", "/app/there")], "it is not a file"),
            (&[("more", "/app/file")], "it is not a directory"),
            (&[("more", "/app/file/x")], "it is not a directory"),
            (&[("more", "/app/link")], "it is a link"),
            (&[("more", "/app/link/x")], "it is a link"),
        ] {
            let refusal = tree.resolve(mounts).unwrap_err();
            assert!(refusal.contains(why), "{mounts:?}: {refusal}");
        }
    }

    #[test]
    fn a_source_that_is_missing_or_gives_more_than_files_is_refused() {
        let tree = Tree::new();
        std::fs::create_dir(tree.path("run")).unwrap();
        let _listening = UnixListener::bind(tree.path("run/engine.sock")).unwrap();
        symlink("run/engine.sock", tree.path("socket")).unwrap();
        symlink("run", tree.path("hidden")).unwrap();
        let root = Mount::parse("type=bind,source=/,target=/x").unwrap();
        let refusal = resolve(&[root], &[], &[], &mut Vec::new()).unwrap_err().to_string();
        assert!(refusal.contains("the root directory cannot be mounted"), "{refusal}");
        for (source, why) in [
            ("absent", "no such file or directory"),
            ("run/engine.sock", "it is a socket"),
            ("socket", "it is a socket"),
            ("run", "engine.sock is in it"),
            ("hidden", "engine.sock is in it"),
            ("", "engine.sock is in it"),
        ] {
            let refusal = tree.resolve(&[(source, "/x")]).unwrap_err();
            assert!(refusal.contains(why), "{source}: {refusal}");
        }
        let null = Mount::parse("type=bind,source=/dev/null,target=/x").unwrap();
        let refusal = resolve(&[null], &[], &[], &mut Vec::new()).unwrap_err().to_string();
        assert!(refusal.contains("it is neither a file nor a directory"), "{refusal}");
    }
}
