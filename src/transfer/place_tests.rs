use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::*;

/// The directories `part` and `output` with these files, links (`a>b`) and directories (`a/`).
fn made(part: &[&str], output: &[&str]) -> (tempfile::TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let roots = [dir.path().join("part"), dir.path().join("output")];
    for (root, entries) in roots.iter().zip([part, output]) {
        fs::create_dir(root).unwrap();
        for entry in entries {
            let path = root.join(entry.split('>').next().unwrap());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match entry.split_once('>') {
                Some((_, target)) => symlink(target, path).unwrap(),
                None if entry.ends_with('/') => fs::create_dir(path).unwrap(),
                None => fs::write(path, root.file_name().unwrap().as_encoded_bytes()).unwrap(),
            }
        }
    }
    let [part, output] = roots;
    (dir, part, output)
}

/// What is in a directory, as in [`made`], and whose file it is.
fn found(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let (name, path) = (entry.as_ref().unwrap().file_name(), entry.unwrap().path());
        let name = name.to_str().unwrap();
        if path.is_symlink() {
            found.push(format!("{name}>{}", fs::read_link(&path).unwrap().display()));
        } else if path.is_dir() {
            found.push(format!("{name}/"));
            found.extend(self::found(&path).iter().map(|below| format!("{name}/{below}")));
        } else {
            found.push(format!("{name}={}", fs::read_to_string(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn directories_are_merged_and_everything_else_is_replaced() {
    let (_dir, part, output) = made(
        &["a", "d/x", "d/e/y", "link>a", "new/z", "over>nowhere", "empty/"],
        &["a", "d/x", "d/e/", "d/old", "link>/etc/passwd", "kept", "over"],
    );
    fs::set_permissions(output.join("d"), fs::Permissions::from_mode(0o711)).unwrap();
    place(&part, &output).unwrap();
    assert_eq!(
        found(&output),
        [
            "a=part",
            "d/",
            "d/e/",
            "d/e/y=part",
            "d/old=output",
            "d/x=part",
            "empty/",
            "kept=output",
            "link>a",
            "new/",
            "new/z=part",
            "over>nowhere"
        ]
    );
    assert_eq!(found(&part), Vec::<String>::new());
    assert_eq!(fs::metadata(output.join("d")).unwrap().mode() & 0o777, 0o711);
}

#[test]
fn a_directory_against_something_else_is_found_before_anything_is_moved() {
    for (part, output, message) in [
        (&["a", "d/e/x"][..], &["a", "d/e"][..], "d/e: it is there, and is not a directory"),
        (&["a", "d/e"], &["a", "d/e/x"], "d/e: there is a directory of that name"),
        // A link to a directory is none.
        (&["a", "d/x"], &["a", "d>../outside"], "d: it is there, and is not a directory"),
        (&["a", "d>a"], &["a", "d/x"], "d: there is a directory of that name"),
    ] {
        let (dir, from, to) = made(part, output);
        fs::create_dir(dir.path().join("outside")).unwrap();
        let before = (found(&from), found(&to));
        let message = format!("could not write {}/{message}", to.display());
        assert_eq!(place(&from, &to).unwrap_err().to_string(), message);
        assert_eq!((found(&from), found(&to)), before);
        assert_eq!(found(&dir.path().join("outside")), Vec::<String>::new());
    }
}

#[test]
fn a_directory_that_cannot_be_written_to_is_moved_with_its_mode() {
    let (_dir, part, output) = made(&["d/e/x", "m/x"], &["m/y"]);
    for path in ["d/e", "d", "m"] {
        fs::set_permissions(part.join(path), fs::Permissions::from_mode(0o555)).unwrap();
    }
    place(&part, &output).unwrap();
    let mode = |path| fs::metadata(output.join(path)).unwrap().mode() & 0o777;
    assert_eq!((mode("d"), mode("d/e")), (0o555, 0o555));
    assert_eq!(found(&output), ["d/", "d/e/", "d/e/x=part", "m/", "m/x=part", "m/y=output"]);
    for path in ["d", "d/e"] {
        fs::set_permissions(output.join(path), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn what_was_interrupted_is_carried_out_again() {
    let (_dir, part, output) = made(&["a", "d/x", "d/y"], &["a"]);
    // As after a kill: some is there already.
    fs::rename(part.join("a"), output.join("a")).unwrap();
    fs::create_dir(output.join("d")).unwrap();
    fs::rename(part.join("d/x"), output.join("d/x")).unwrap();
    place(&part, &output).unwrap();
    place(&part, &output).unwrap();
    assert_eq!(found(&output), ["a=part", "d/", "d/x=part", "d/y=part"]);
}

#[test]
fn the_output_may_contain_what_is_unpacked() {
    let (_dir, part, output) = made(&["a", "d/x"], &["d/y"]);
    let inside = output.join(".part");
    fs::rename(&part, &inside).unwrap();
    place(&inside, &output).unwrap();
    fs::remove_dir(&inside).unwrap();
    assert_eq!(found(&output), ["a=part", "d/", "d/x=part", "d/y=output"]);
}

#[test]
fn a_missing_directory_and_another_file_system_are_errors() {
    let (dir, part, output) = made(&["a"], &[]);
    let missing = dir.path().join("no\nne");
    let message = format!("could not open {}/no\\nne: no such file or directory", dir.path().display());
    assert_eq!(place(&part, &missing).unwrap_err().to_string(), message);
    assert_eq!(place(&missing, &output).unwrap_err().to_string(), message);
    let message = "could not write to /proc: it is on another file system";
    assert_eq!(place(&part, Path::new("/proc")).unwrap_err().to_string(), message);
    assert_eq!(found(&part), ["a=part"]);
}
