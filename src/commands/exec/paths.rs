//! The paths of a run. They are resolved and checked before anything is started. Missing output directories and mount
//! points are created.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::error::{Failure, plain};
use crate::fs::may_make;
use crate::names::{MainFile, MountPath};

/// The directories that a run mounts.
#[derive(Debug)]
pub struct Paths {
    /// At `/app`.
    pub src: MountPath,
    /// At `/app/data`.
    pub input: Option<MountPath>,
    /// At `/app/output`.
    pub output: Option<MountPath>,
    main: MainFile,
    /// Directories to create first: the output directory, and mount points in the source tree.
    missing: Vec<PathBuf>,
}

/// Resolves and checks the paths, and changes nothing.
///
/// # Errors
/// A usage error that names the path and what is wrong with it.
pub fn resolve(src: &Path, main: &MainFile, input: Option<&Path>, output: Option<&Path>) -> Result<Paths> {
    let source = directory(src, "source")?;
    check_main(&source, main)?;
    let input = input.map(|input| directory(input, "input")).transpose()?;
    let mut missing = Vec::new();
    let output = output.map(|path| check_output(&source, path, &mut missing)).transpose()?;
    for (used, name) in [(&input, "data"), (&output, "output")] {
        if used.is_some() {
            check_mount_point(&source.join(name), &mut missing)?;
        }
    }
    let mount = |path: &PathBuf| MountPath::from_path(path);
    Ok(Paths {
        src: mount(&source)?,
        input: input.as_ref().map(mount).transpose()?,
        output: output.as_ref().map(mount).transpose()?,
        main: main.clone(),
        missing,
    })
}

impl Paths {
    /// Creates missing directories as the caller. The engine would create the mount points as root. The paths are checked
    /// again first, because the engine was asked meanwhile: nothing is made through a link that was put in their place.
    /// Nothing is created if the caller may not create all of them. What was created is never removed again: another run,
    /// started at the same time, may use it already.
    ///
    /// # Errors
    /// When a path is another one by now, or a directory cannot be created.
    pub fn make(&self) -> Result<()> {
        let missing = self.again()?.missing;
        missing.iter().try_for_each(|path| may_make(path).map_err(|error| not_made(path, &error)))?;
        // The output directory is the first of them, and the one that people would find.
        missing
            .iter()
            .rev()
            .try_for_each(|path| std::fs::create_dir_all(path).map_err(|error| not_made(path, &error)))?;
        Ok(())
    }

    /// The same paths, resolved anew.
    fn again(&self) -> Result<Self> {
        let path = |path: &MountPath| PathBuf::from(path.as_str());
        let (input, output) = (self.input.as_ref().map(path), self.output.as_ref().map(path));
        let now = resolve(&path(&self.src), &self.main, input.as_deref(), output.as_deref())?;
        let used = |paths: &Self| {
            [Some(&paths.src), paths.input.as_ref(), paths.output.as_ref()].map(Option::<&MountPath>::cloned)
        };
        for (before, after) in used(self).into_iter().flatten().zip(used(&now).into_iter().flatten()) {
            if before != after {
                let why = format!("it was replaced by a link to {after} while the engine was asked");
                return Err(Failure::usage(format!("cannot use the directory {before}: {why}")).into());
            }
        }
        Ok(now)
    }
}

fn not_made(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("could not make the directory {}: {}", path.display(), plain(error)))
        .hint("it is needed as a mount point; create it, or use a source directory that you may write to")
}

fn directory(path: &Path, what: &str) -> Result<PathBuf> {
    let could_not = |why: &str| Failure::usage(format!("cannot use the {what} directory {}: {why}", path.display()));
    let resolved = std::fs::canonicalize(path).map_err(|error| could_not(&plain(&error)))?;
    if !resolved.is_dir() {
        return Err(could_not("it is not a directory").into());
    }
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
fn check_output(source: &Path, path: &Path, missing: &mut Vec<PathBuf>) -> Result<PathBuf> {
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
            missing.push(resolved.clone());
            resolved
        }
    };
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

/// A mount point in the source tree must be a real directory. Through a link the engine would mount elsewhere.
fn check_mount_point(path: &Path, missing: &mut Vec<PathBuf>) -> Result<()> {
    let why = match path.symlink_metadata() {
        Ok(data) if data.is_dir() => return Ok(()),
        Ok(data) if data.is_symlink() => "it is a link",
        Ok(_) => "it is not a directory",
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if !missing.iter().any(|known| known == path) {
                missing.push(path.to_path_buf());
            }
            return Ok(());
        }
        Err(error) => {
            return Err(
                Failure::usage(format!("cannot use {} as a mount point: {}", path.display(), plain(&error))).into()
            );
        }
    };
    Err(Failure::usage(format!("cannot use {} as a mount point: {why}", path.display()))
        .hint("--input needs the directory `data` in the source tree, and --output the directory `output`")
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

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

    fn refusal(dir: &Path, file: &str, input: Option<&str>, output: Option<&str>) -> String {
        let input = input.map(|input| dir.join(input));
        let output = output.map(|output| dir.join(output));
        let resolved = resolve(&dir.join("src"), &main(file), input.as_deref(), output.as_deref());
        resolved.map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn what_is_missing_is_found_and_made_only_when_asked() {
        let dir = tree();
        let src = dir.path().join("src");
        let output = dir.path().join("deep/er/out");
        let paths = resolve(&src, &main("main.py"), Some(&dir.path().join("in")), Some(&output)).unwrap();
        assert!(!output.exists() && !src.join("data").exists());
        paths.make().unwrap();
        assert!(output.is_dir() && src.join("data").is_dir() && src.join("output").is_dir());
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
