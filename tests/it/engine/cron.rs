//! Stamps, commands that follow, names that are in use, and `--foreground`, with real programs and builds.

use std::process::Stdio;

use crate::support::real::Real;
use crate::support::{Ran, wait_until};

const ENDLESS: &str = "import time\nprint('on', flush=True)\nwhile True: time.sleep(0.1)\n";

#[test]
fn a_run_and_a_build_make_their_stamps_and_run_what_follows() {
    let real = Real::new();
    let told = real.path("told");
    let command = format!("echo \"$LONGSHORE_KIND $LONGSHORE_OUTCOME $LONGSHORE_EXIT_CODE\" >>'{}'", told.display());
    let stamp = real.path("stamp");
    let follows = ["--stamp", stamp.to_str().unwrap(), "--on-exit", &command];
    let id = real.start("print('done')", &follows);
    assert_eq!(real.wait(&id).1, 0);
    assert_eq!(std::fs::read_to_string(&stamp).unwrap(), format!("{id}\n"));
    let lines = |count: usize| {
        wait_until("it was run", || std::fs::read_to_string(&told).is_ok_and(|text| text.lines().count() == count));
    };
    lines(1);
    let failed = real.start("raise SystemExit(3)", &follows);
    assert_eq!(real.wait(&failed).1, 3);
    assert!(!stamp.exists());
    lines(2);
    let (name, base) = (real.name("stamped"), real.own_base());
    let args = ["image", "create", &name, "--base", &base, "--run", "true", "--wait"];
    real.run(&[&args[..], &follows].concat()).code(0);
    assert!(stamp.exists());
    lines(3);
    assert_eq!(std::fs::read_to_string(&told).unwrap(), "run succeeded 0\nrun failed 3\nbuild succeeded 0\n");
}

#[test]
fn a_program_in_the_foreground_is_stopped_by_a_signal_and_replaced_by_its_name() {
    let real = Real::new();
    let name = real.name("nightly");
    let args = real.run_args(&real.source(ENDLESS), &["--name", &name, "--foreground"]);
    let child = real.command(&args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = || real.run(&["exec", "list", "-q"]).stdout.lines().next().unwrap_or_default().to_owned();
    wait_until("the program runs", || !id().is_empty() && real.says(&id(), "on"));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap()).code(130);
    assert_eq!(ran.stdout, "on\n");
    assert_eq!(real.wait(&id()).0["outcome"], "cancelled");

    let first = real.start(ENDLESS, &["--name", &name]);
    wait_until("the program runs", || real.says(&first, "on"));
    let skipped = real.run(&real.run_args(&real.source("pass"), &["--name", &name, "--if-running", "skip"])).code(0);
    assert_eq!(skipped.id(), first);
    let policy = ["--name", &name, "--if-running", "replace", "--wait"];
    real.run(&real.run_args(&real.source("raise SystemExit(5)"), &policy)).code(5);
    assert_eq!(real.wait(&first).0["outcome"], "cancelled");
}
