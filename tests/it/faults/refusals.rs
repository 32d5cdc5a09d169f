//! Starts that are refused, and starts whose answer cannot be printed.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use crate::support::Ran;
use crate::support::fake::Fake;
use crate::support::snapshots::{snapshot, together};

/// The arguments of a run of `src/main.py`.
fn run_args(fake: &Fake, image: &str, source: &str, more: &[&str]) -> Vec<String> {
    fake.write("src/main.py", "exit 0");
    let head = ["exec", "run", "--image", image, "--src", source];
    head.iter().chain(more).map(|word| (*word).to_owned()).collect()
}

/// What a refused run says. It has made no directory.
fn refused(fake: &Fake, outer: &[&str], args: &[String]) -> String {
    let ran = Ran::from(fake.through(outer, args).output().unwrap());
    assert_ne!(ran.code, 0, "{args:?}");
    for path in ["new", "closed/out", "src/output", "src/data"] {
        assert!(!fake.path(path).exists(), "{path} is left: {}", ran.stderr);
    }
    ran.stderr
}

#[test]
fn a_run_that_is_refused_leaves_no_directory() {
    let fake = Fake::new();
    let output = ["--main", "main.py", "--output", "new/out"];
    let said = refused(&fake, &["env"], &run_args(&fake, "absent", "src", &output));
    assert!(said.contains("there is no image"), "{said}");
    // Nobody can make a directory there, not even root.
    let args = run_args(&fake, "base", "src", &["--main", "main.py", "--output", "/proc/sys/kernel/out"]);
    let said = refused(&fake, &["env"], &args);
    assert!(said.contains("could not make the directory /proc/sys/kernel/out"), "{said}");
    let id = fake.start_gated_with("exit 0", &["--name", "nightly"]);
    let named = [&output[..], &["--name", "nightly"]].concat();
    let said = refused(&fake, &["env"], &run_args(&fake, "base", "src", &named));
    assert!(said.contains(&id), "{said}");
    fake.open_gate();
    fake.end_of(&id);
}

#[test]
fn a_run_is_refused_before_it_makes_a_directory_if_another_may_not_be_made() {
    let fake = Fake::new();
    // Root without the right to pass over permissions is as any other user.
    let drop = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--"];
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let outer: &[&str] = if is_root { &drop } else { &["env"] };
    fake.write("closed/file", "");
    let args = run_args(&fake, "base", "src", &["--main", "main.py", "--output", "closed/out"]);
    set_permissions(fake.path("closed"), Permissions::from_mode(0o555)).unwrap();
    let said = refused(&fake, outer, &args);
    set_permissions(fake.path("closed"), Permissions::from_mode(0o755)).unwrap();
    let expected = format!("could not make the directory {}: permission denied", fake.path("closed/out").display());
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn a_full_stdout_is_named_and_the_job_that_was_started_is_told() {
    let fake = Fake::new();
    let run = fake.run_args("exit 0", &[]);
    let with = |more: &str| [run.as_slice(), &[more.to_owned()]].concat();
    let build = ["image", "create", "web", "--base", "base"].map(str::to_owned).to_vec();
    let shown = [run.clone(), with("--json"), with("--wait"), build].map(|args| {
        let ran = fake.through(&["sh", "-c", r#""$@" >/dev/full"#, "sh"], &args).output().unwrap();
        Ran::from(ran).typed(&args)
    });
    fake.wait_until_quiet();
    let ids = fake.run(&["exec", "list", "-q"]).code(0).stdout;
    let ids: Vec<&str> = ids.lines().rev().collect();
    for (ran, id) in shown.iter().zip(ids) {
        assert!(ran.code != 0 && ran.stderr.contains(id), "{ran:?}");
    }
    snapshot!(fake, together(shown));
}
