//! The paths of a run. They are resolved and checked before anything is started. Missing output directories and mount
//! points are created. `mounts` checks the mounts that the user adds.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::mounts::{self, Ground, missing_points};
use super::parts;
use crate::error::{Failure, plain};
use crate::fs::may_make;
use crate::job::points::Making;
use crate::job::record::Record;
use crate::job::store::Store;
use crate::names::{INPUT_TARGET, MainFile, Mount, MountPath, OUTPUT_TARGET};

/// The paths as they were given.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// The source directory.
    pub src: &'a Path,
    /// The file in it to run.
    pub main: Option<&'a MainFile>,
    /// The input directory.
    pub input: Option<&'a Path>,
    /// The output directory.
    pub output: Option<&'a Path>,
    /// The user's own mounts.
    pub mounts: &'a [Mount],
    /// Sockets of engines, which no run may see.
    pub sockets: &'a [PathBuf],
    /// Whether the directories are copied to the engine, so that nothing is mounted in them.
    pub copied: bool,
}

/// The directories that a run mounts.
#[derive(Debug)]
pub struct Paths {
    /// At `/app`.
    pub src: MountPath,
    /// At `/app/data`.
    pub input: Option<MountPath>,
    /// At `/app/output`.
    pub output: Option<MountPath>,
    /// The entries of the source directory, if it cannot be mounted whole.
    pub parts: Option<Vec<Mount>>,
    /// The user's own mounts.
    pub mounts: Vec<Mount>,
    main: Option<MainFile>,
    sockets: Vec<PathBuf>,
    copied: bool,
    /// The output directory, if it has to be made.
    new_output: Option<PathBuf>,
    /// Mount points in the source directory that have to be made, the outermost first.
    points: Vec<PathBuf>,
}

/// Resolves and checks the paths, and changes nothing.
///
/// # Errors
/// A usage error that names the path and what is wrong with it.
pub fn resolve(given: &Given) -> Result<Paths> {
    let source = directory(given.src, "source", given.sockets)?;
    given.main.map_or(Ok(()), |main| check_main(&source, main))?;
    let input = given.input.map(|input| directory(input, "input", given.sockets)).transpose()?;
    let mut new_output = None;
    let output = given.output.map(|path| check_output(&source, path, given.sockets, &mut new_output)).transpose()?;
    let mut points = Vec::new();
    for (used, name) in [(&input, "data"), (&output, "output")] {
        if used.is_some() && !given.copied {
            points.extend(missing_points(&source, Path::new(name), false).map_err(|failure| failure.hint(OWN_POINTS))?);
        }
    }
    let mounts = mounts::resolve(
        given.mounts,
        &grounds(&source, input.as_deref(), output.as_deref()),
        given.sockets,
        &mut points,
    )?;
    // An output directory at its own mount point is made to stay.
    points.retain(|point| new_output.as_ref() != Some(point));
    let own = [input.as_ref().map(|_| "data"), output.as_ref().map(|_| "output")];
    if given.copied {
        points.clear();
    }
    let parts = parts::of(&source, &points, own.into_iter().flatten(), &mounts)?;
    if parts.is_some() {
        points.clear();
    }
    let mount = |path: &PathBuf| MountPath::from_path(path);
    Ok(Paths {
        src: mount(&source)?,
        input: input.as_ref().map(mount).transpose()?,
        output: output.as_ref().map(mount).transpose()?,
        parts,
        mounts,
        main: given.main.cloned(),
        sockets: given.sockets.to_vec(),
        copied: given.copied,
        new_output,
        points,
    })
}

const OWN_POINTS: &str = "--input needs the directory `data` in the source tree, and --output the directory `output`";

/// The run's own mounts.
fn grounds<'a>(source: &'a Path, input: Option<&'a Path>, output: Option<&'a Path>) -> Vec<Ground<'a>> {
    let below = [(INPUT_TARGET, input), (OUTPUT_TARGET, output)];
    let below =
        below.into_iter().filter_map(|(target, path)| path.map(|path| Ground { target, path, may_grow: false }));
    [Ground { target: "/app", path: source, may_grow: true }].into_iter().chain(below).collect()
}

impl Paths {
    /// Creates missing directories as the caller. The engine would create the mount points as root. The paths are checked
    /// again first, because the engine was asked meanwhile: nothing is made through a link that was put in their place.
    /// Nothing is created if the caller may not create all of them. The output directory stays. Mount points are removed when
    /// no run needs them any more, and not before what is returned is dropped.
    ///
    /// # Errors
    /// When a path is another one by now, or a directory cannot be created.
    pub fn make<'a>(&self, store: &'a Store, record: &Record) -> Result<Option<Making<'a>>> {
        let needs_points = record.run().is_some_and(|run| !run.points().is_empty());
        let mut making = needs_points.then(|| store.hold_points(&record.id)).transpose()?;
        let now = self.again()?;
        let missing = now.new_output.iter().chain(&now.points);
        missing.clone().try_for_each(|path| may_make(path).map_err(|error| not_made(path, &error)))?;
        if let Some(making) = &mut making {
            let make = |point: &PathBuf| making.make(point, record, &now.src).map_err(|error| not_made(point, &error));
            now.points.iter().try_for_each(make)?;
        }
        // The output directory is the last of them, and the one that people would find.
        let made = now
            .new_output
            .iter()
            .try_for_each(|path| std::fs::create_dir_all(path).map_err(|error| not_made(path, &error)));
        made?;
        Ok(making)
    }

    /// The same paths, resolved anew.
    fn again(&self) -> Result<Self> {
        let path = |path: &MountPath| PathBuf::from(path.as_str());
        let (src, input, output) = (path(&self.src), self.input.as_ref().map(path), self.output.as_ref().map(path));
        let now = resolve(&Given {
            src: &src,
            main: self.main.as_ref(),
            input: input.as_deref(),
            output: output.as_deref(),
            mounts: &self.mounts,
            sockets: &self.sockets,
            copied: self.copied,
        })?;
        let used = |paths: &Self| {
            [Some(&paths.src), paths.input.as_ref(), paths.output.as_ref()].map(Option::<&MountPath>::cloned)
        };
        for (before, after) in used(self).into_iter().flatten().zip(used(&now).into_iter().flatten()) {
            if before != after {
                let why = format!("it was replaced by a link to {after} while the engine was asked");
                return Err(Failure::usage(format!("cannot use the directory {before}: {why}")).into());
            }
        }
        if self.parts != now.parts {
            let why = "its entries were changed while the engine was asked";
            return Err(Failure::usage(format!("cannot use the directory {}: {why}", self.src))
                .hint("try again")
                .into());
        }
        if let Some((before, after)) = self.mounts.iter().zip(&now.mounts).find(|(before, after)| before != after) {
            let why = format!("its source is {after} now, which was changed while the engine was asked");
            return Err(Failure::usage(format!("cannot mount {before}: {why}")).into());
        }
        Ok(now)
    }
}

fn not_made(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("could not make the directory {}: {}", path.display(), plain(error)))
        .hint("it is needed as a mount point; create it, or use a source directory that you may write to")
}

fn directory(path: &Path, what: &str, sockets: &[PathBuf]) -> Result<PathBuf> {
    let could_not = |why: &str| Failure::usage(format!("cannot use the {what} directory {}: {why}", path.display()));
    let resolved = std::fs::canonicalize(path).map_err(|error| could_not(&plain(&error)))?;
    if !resolved.is_dir() {
        return Err(could_not("it is not a directory").into());
    }
    mounts::check_sockets(&resolved, sockets).map_err(|why| could_not(&why))?;
    Ok(resolved)
}

fn check_main(source: &Path, main: &MainFile) -> Result<()> {
    let file = source.join(main.as_str());
    let could_not = |why: &str| {
        Failure::usage(format!("cannot run {:?} in {}: {why}", main.as_str(), source.display()))
            .hint("--main names a file inside --src, relative to it")
    };
    let resolved = std::fs::canonicalize(&file).map_err(|error| could_not(&plain(&error)))?;
    if !resolved.starts_with(source) {
        return Err(could_not(&format!(
            "it is a link to {}, which is outside the source directory",
            resolved.display()
        ))
        .into());
    }
    if !resolved.is_file() {
        return Err(could_not("it is not a file").into());
    }
    Ok(())
}

/// The output directory may be missing. Its path is then resolved as far as it exists.
fn check_output(source: &Path, path: &Path, sockets: &[PathBuf], missing: &mut Option<PathBuf>) -> Result<PathBuf> {
    let could_not = |why: &str| Failure::usage(format!("cannot use the output directory {}: {why}", path.display()));
    let absolute = std::path::absolute(path).map_err(|error| could_not(&plain(&error)))?;
    let resolved = match std::fs::canonicalize(&absolute) {
        Ok(resolved) if resolved.is_dir() => resolved,
        Ok(_) => return Err(could_not("it is not a directory").into()),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(could_not(&plain(&error)).into()),
        Err(_) => {
            if absolute.symlink_metadata().is_ok() {
                return Err(could_not("it is a dangling link").into());
            }
            let resolved = resolve_missing(&absolute).ok_or_else(|| could_not("its path cannot be resolved"))?;
            *missing = Some(resolved.clone());
            resolved
        }
    };
    mounts::check_sockets(&resolved, sockets).map_err(|why| could_not(&why))?;
    if resolved.starts_with(source) && resolved != source.join("output") {
        let failure = could_not("it is inside the source directory, so the program would see it twice");
        return Err(failure.hint(format!("use {} or a directory elsewhere", source.join("output").display())).into());
    }
    Ok(resolved)
}

/// Resolves the part of a path that exists, and appends the rest.
fn resolve_missing(path: &Path) -> Option<PathBuf> {
    let parent = path.parent()?;
    let name = path.file_name()?;
    let parent = match std::fs::canonicalize(parent) {
        Ok(parent) => parent,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => resolve_missing(parent)?,
        Err(_) => return None,
    };
    Some(parent.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    use crate::env::Env;
    use crate::job::record::{Kind, Work};

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("src/pkg")).unwrap();
        std::fs::create_dir(dir.path().join("in")).unwrap();
        std::fs::write(dir.path().join("src/main.py"), "").unwrap();
        std::fs::write(dir.path().join("src/pkg/job.py"), "").unwrap();
        std::fs::write(dir.path().join("secret.py"), "").unwrap();
        dir
    }

    fn main(file: &str) -> MainFile {
        MainFile::parse(file).unwrap()
    }

    fn resolved(dir: &Path, file: &str, input: Option<&str>, output: Option<&str>) -> Result<Paths> {
        let (src, main) = (dir.join("src"), main(file));
        let (input, output) = (input.map(|input| dir.join(input)), output.map(|output| dir.join(output)));
        let (input, output) = (input.as_deref(), output.as_deref());
        resolve(&Given { src: &src, main: Some(&main), input, output, mounts: &[], sockets: &[], copied: false })
    }

    fn refusal(dir: &Path, file: &str, input: Option<&str>, output: Option<&str>) -> String {
        let resolved = resolved(dir, file, input, output);
        resolved.map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn what_is_missing_is_found_and_made_only_when_asked() {
        let dir = tree();
        let src = dir.path().join("src");
        let output = dir.path().join("deep/er/out");
        let paths = resolved(dir.path(), "main.py", Some("in"), Some("deep/er/out")).unwrap();
        assert!(!output.exists() && !src.join("data").exists());
        let store = Store::make(&Env::in_dir(dir.path()), Kind::Run).unwrap();
        let mut record = Record::example(&Store::new_id(), Kind::Run, None);
        let Work::Run(run) = &mut record.work else { panic!("it is a run") };
        (run.source, run.input, run.output) = (paths.src.clone(), paths.input.clone(), paths.output.clone());
        let making = paths.make(&store, &record).unwrap();
        assert!(output.is_dir() && src.join("data").is_dir() && src.join("output").is_dir());
        // The run is never published.
        drop(making);
        assert!(output.is_dir() && !src.join("data").exists() && !src.join("output").exists());
    }

    #[test]
    fn a_main_file_outside_is_refused_also_through_a_link() {
        let dir = tree();
        symlink(dir.path().join("secret.py"), dir.path().join("src/link.py")).unwrap();
        symlink("pkg/job.py", dir.path().join("src/fine.py")).unwrap();
        assert!(refusal(dir.path(), "link.py", None, None).contains("is outside the source directory"));
        assert!(refusal(dir.path(), "absent.py", None, None).contains("no such file"));
        assert!(refusal(dir.path(), "pkg", None, None).contains("not a file"));
        assert_eq!(refusal(dir.path(), "fine.py", None, None), "");
    }

    #[test]
    fn an_output_in_the_source_is_refused_unless_it_is_the_mount_point() {
        let dir = tree();
        assert!(refusal(dir.path(), "main.py", None, Some("src/results")).contains("is inside the source directory"));
        assert!(refusal(dir.path(), "main.py", None, Some("src")).contains("is inside the source directory"));
        assert_eq!(refusal(dir.path(), "main.py", None, Some("src/output")), "");
        assert_eq!(refusal(dir.path(), "main.py", None, Some("elsewhere")), "");
    }

    #[test]
    fn mount_points_that_are_links_or_files_are_refused() {
        let dir = tree();
        symlink(dir.path(), dir.path().join("src/data")).unwrap();
        assert!(refusal(dir.path(), "main.py", Some("in"), None).contains("it is a link"));
        std::fs::write(dir.path().join("src/output"), "").unwrap();
        assert!(refusal(dir.path(), "main.py", None, Some("out")).contains("not a directory"));
        assert!(refusal(dir.path(), "main.py", Some("absent"), None).contains("no such file"));
        assert!(refusal(dir.path(), "main.py", Some("secret.py"), None).contains("not a directory"));
    }
}
