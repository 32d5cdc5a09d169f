//! Directories of a run that are missing, or that another user changes while it is started.

use std::os::unix::fs::PermissionsExt;

use crate::support::fake::{Fake, names};

/// A world whose docker does this first when it is asked for an image, which is when the paths have been checked.
fn changed_meanwhile(change: &str) -> Fake {
    let mut fake = Fake::new();
    for place in ["src", "input", "elsewhere"] {
        fake.write(&format!("{place}/main.py"), format!("echo {place}; exit 4"));
    }
    let docker = fake.command::<&str>(&[]);
    let docker = docker.get_envs().find(|(key, _)| *key == "LONGSHORE_DOCKER").unwrap().1.unwrap().to_owned();
    let world = fake.dir.path().display();
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *'image inspect'*) cd '{world}'; {change} ;; esac\nexec '{}' \"$@\"\n",
        docker.display()
    );
    let wrapper = fake.write("docker", script);
    std::fs::set_permissions(&wrapper, PermissionsExt::from_mode(0o755)).unwrap();
    fake.set("LONGSHORE_DOCKER", wrapper);
    fake
}

const RUN: [&str; 9] = ["exec", "run", "--image", "base", "--main", "main.py", "--input", "input", "--src"];

#[test]
fn a_directory_that_is_missing_is_refused_and_not_made() {
    let fake = Fake::new();
    for flag in ["--src", "--input"] {
        let given = [["--src", "src"], ["--input", "input"], [flag, "missing"]].concat();
        fake.write("src/main.py", "exit 0");
        fake.write("input/in", "");
        // The last one of a flag that is given twice is an error of its own.
        let given: Vec<&str> =
            given.chunks(2).filter(|pair| pair[0] != flag || pair[1] == "missing").flatten().copied().collect();
        let ran = fake.run(&[&["exec", "run", "--image", "base", "--main", "main.py"], &given[..]].concat()).code(2);
        assert!(ran.stderr.contains("missing: no such file or directory"), "{}", ran.stderr);
        assert!(!fake.path("missing").exists() && !fake.path("src/data").exists());
    }
}

#[test]
fn nothing_is_made_or_started_in_a_directory_that_was_replaced_or_removed_meanwhile() {
    for (change, said) in [
        ("mv src old; ln -s elsewhere src", "elsewhere while the engine was asked"),
        ("mv input old; ln -s elsewhere input", "elsewhere while the engine was asked"),
        ("ln -s ../elsewhere src/data", "as a mount point: it is a link"),
        ("rm -r src", "no such file or directory"),
        ("rm -r input", "no such file or directory"),
        ("rm src/main.py; ln -s ../elsewhere/main.py src/main.py", "which is outside the source directory"),
    ] {
        let fake = changed_meanwhile(change);
        let ran = fake.run(&[&RUN[..], &["src"]].concat()).code(2);
        assert!(ran.stderr.contains(said), "{change}: {}", ran.stderr);
        assert_eq!(names(&fake.path("elsewhere")), ["main.py"], "{change}");
        assert!(!change.starts_with("rm -r src") || !fake.path("src").exists(), "{change}");
        assert!(!fake.calls().iter().any(|call| call.starts_with("run ")), "{change}");
        assert_eq!(fake.run(&["exec", "list", "-q"]).code(0).stdout, "", "{change}");
    }
}

#[test]
fn a_link_that_is_given_as_a_directory_is_followed_once() {
    let fake = changed_meanwhile("ln -sfn elsewhere link");
    std::os::unix::fs::symlink("src", fake.path("link")).unwrap();
    let id = fake.run(&[&RUN[..], &["link"]].concat()).code(0).id();
    assert_eq!(fake.end_of(&id)["exitCode"], 4);
    assert_eq!(fake.log(&id), b"src\n");
}
