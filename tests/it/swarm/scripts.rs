//! The scripts that run on a node, without a node.

use std::fs::Permissions;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::support::wait_until;

const COLLECT: &str = include_str!("../../../src/engine/swarm/collect.sh");

/// The collector of `<dir>/output`, with this `tar`, in a process group of its own.
fn collector(dir: &std::path::Path, tar: &str) -> Child {
    let programs = dir.join("bin");
    std::fs::create_dir_all(&programs).unwrap();
    std::fs::create_dir_all(dir.join("output")).unwrap();
    std::fs::write(dir.join("output/x"), "x").unwrap();
    for (name, text) in [("tar", tar), ("sleep", ">\"$1.begun\"; exec /bin/sleep \"$1\"")] {
        let path = programs.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }
    Command::new("sh")
        .args(["-c", COLLECT, "longshore"])
        .arg(dir)
        .arg("output")
        .current_dir(dir)
        .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap()
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().try_into().unwrap()).unwrap()
}

#[test]
fn a_collector_that_is_asked_to_end_before_the_text_is_whole_removes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let begun = dir.path().join("begun");
    let mut child = collector(dir.path(), &format!(">'{}'; exec sleep 600", begun.display()));
    wait_until("tar runs", || begun.exists());
    kill_process(pid(&child), Signal::TERM).unwrap();
    assert!(!child.wait().unwrap().success());
    kill_process_group(pid(&child), Signal::KILL).unwrap();
    assert!(dir.path().join("output/x").exists());
}

#[test]
fn a_collector_removes_the_directory_when_it_is_asked_to_end_after_the_last_line() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = collector(dir.path(), "exec /bin/tar \"$@\"");
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let text: Vec<String> = lines.map(Result::unwrap).take_while(|line| line != ".").collect();
    assert!(!text.is_empty() && dir.path().join("output/x").exists());
    // The trap is set just after the last line.
    wait_until("it waits", || dir.path().join("2147483647.begun").exists());
    kill_process(pid(&child), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    kill_process_group(pid(&child), Signal::KILL).unwrap();
    assert!(!dir.path().join("output").exists());
}
