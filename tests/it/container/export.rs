//! `container export`: what docker exports, complete or absent, in constant memory.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::real::Real;
use crate::support::snapshots::{snapshot, together};
use crate::support::{Ran, wait_until};

/// What `tar -tv` lists.
fn listing(archive: &Path) -> String {
    let output = Command::new("tar").arg("-tvf").arg(archive).output().expect("tar runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The files of a directory but for what the world itself put there.
fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A container with a file of that size, which takes no room.
fn with_file(real: &Real, size: &str) -> String {
    real.finished("big", &format!("truncate -s {size} /big"))
}

fn spawn(real: &Real, args: &[&str]) -> Child {
    let mut command = real.command(&[&["container", "export"], args].concat());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The largest resident size that a running process had, in kB.
fn peak(process: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

#[test]
fn an_archive_is_what_docker_exports() {
    let real = Real::new();
    let id = real.finished("a", "mkdir '/a b'; echo x >'/a b/ü'; ln -s /etc /link");
    real.docker_says(&["export", "-o", real.path("theirs.tar").to_str().unwrap(), &id]);
    std::fs::create_dir(real.path("out")).unwrap();
    let ran = real.container(&["export", &id, "-o", "out/ours.tar", "--json"]).code(0);
    let (document, ours) = (ran.json(), real.path("out/ours.tar"));
    assert_eq!(document["bytes"], std::fs::metadata(&ours).unwrap().len());
    assert_eq!((&document["Id"], &document["path"]), (&id.as_str().into(), &"out/ours.tar".into()));
    assert_eq!(ran.stderr, "");
    let theirs = listing(&real.path("theirs.tar"));
    assert!(theirs.lines().count() > 1000);
    assert!(listing(&ours) == theirs, "the listings differ");
    assert_eq!(files(&real.path("out")), ["ours.tar"]);

    let piped = real.command(&["container", "export", &id]).output().unwrap();
    assert!(piped.status.success() && piped.stderr.is_empty());
    real.write("piped.tar", piped.stdout);
    assert!(listing(&real.path("piped.tar")) == theirs, "the listings differ");
}

#[test]
fn a_terminal_gets_no_archive() {
    let real = Real::new();
    let id = real.created("a");
    for args in [&["export", &id][..], &["export", "-o", "-", &id]] {
        let ran = real.at_terminal("", args).code(2);
        assert!(ran.stdout.contains("cannot write an archive to a terminal"), "{}", ran.stdout);
        assert!(ran.stdout.contains("hint: name a file with -o"), "{}", ran.stdout);
        assert!(ran.stdout.len() < 300, "{}", ran.stdout);
    }
    let ran = real.container(&["export", "--json", &id]).code(2);
    assert_eq!(ran.json()["error"]["kind"], "usage");
    let ran = real.at_terminal("", &["export", "-o", "a.tar", &id]).code(0);
    assert!(real.path("a.tar").exists());
    assert!(!ran.stdout.contains("error"), "{}", ran.stdout);
}

#[test]
fn a_file_of_a_gigabyte_costs_no_memory_and_an_interrupted_one_leaves_nothing() {
    let real = Real::new();
    let id = with_file(&real, "1G");
    std::fs::create_dir(real.path("out")).unwrap();
    let partial_size = || {
        let names = files(&real.path("out"));
        names.first().map_or(0, |name| std::fs::metadata(real.path("out").join(name)).map_or(0, |data| data.len()))
    };
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let process = spawn(&real, &[&id, "-o", "out/big.tar"]);
        wait_until("something was written", || partial_size() > 1 << 20);
        assert!(!real.path("out/big.tar").exists());
        kill_process(Pid::from_raw(i32::try_from(process.id()).unwrap()).unwrap(), signal).unwrap();
        let ran = Ran::from(process.wait_with_output().unwrap()).code(code);
        assert!(
            ran.stderr.starts_with("error: could not export container") && ran.stderr.contains("interrupted"),
            "{}",
            ran.stderr
        );
        assert!(files(&real.path("out")).is_empty());
    }

    // To a pipe: the disk has no part in it.
    let mut process = spawn(&real, &[&id]);
    let mut stdout = process.stdout.take().unwrap();
    let mut buffer = vec![0; 1 << 20];
    let (mut size, mut most) = (0_u64, 0);
    loop {
        let count = stdout.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        size += count as u64;
        most = peak(&process).unwrap_or(0).max(most);
    }
    assert!(process.wait().unwrap().success());
    assert!(size > 1 << 30, "{size}");
    assert!((1..40_000).contains(&most), "{most} kB");
}

#[test]
fn a_file_is_replaced_when_the_new_one_is_complete_and_not_before() {
    let mut real = Real::new();
    let id = real.created("a");
    real.write("out/a.tar", "old");
    real.wrap_docker("if [ \"$verb\" = export ]; then printf 'some bytes'; echo 'the engine said no' >&2; exit 1; fi");
    let ran = real.container(&["export", &id, "-o", "out/a.tar", "--json"]).code(1);
    assert_eq!(ran.json()["error"]["kind"], "engine-failed");
    assert_eq!(std::fs::read(real.path("out/a.tar")).unwrap(), b"old");
    assert_eq!(files(&real.path("out")), ["a.tar"]);

    real.unwrap_docker();
    real.container(&["export", &id, "-o", "out/a.tar"]).code(0);
    assert!(listing(&real.path("out/a.tar")).lines().count() > 1000);
    assert_eq!(files(&real.path("out")), ["a.tar"]);
    let directory = real.container(&["export", &id, "-o", "out"]).code(1);
    let absent = real.container(&["export", &id, "-o", "no/such/dir.tar"]).code(1);
    snapshot!(real, ran, directory, absent);
}

#[test]
fn a_link_stays_a_link_and_a_pipe_or_device_is_never_replaced() {
    let real = Real::new();
    let id = real.created("a");
    real.write("there/real.tar", "old");
    std::os::unix::fs::symlink("there/real.tar", real.path("link.tar")).unwrap();
    real.container(&["export", &id, "-o", "link.tar"]).code(0);
    assert!(real.path("link.tar").symlink_metadata().unwrap().is_symlink());
    assert!(listing(&real.path("there/real.tar")).lines().count() > 1000);
    assert_eq!(files(&real.path("there")), ["real.tar"]);

    assert!(Command::new("mkfifo").arg(real.path("pipe")).status().unwrap().success());
    std::os::unix::fs::symlink("/dev/null", real.path("device")).unwrap();
    std::os::unix::fs::symlink("nowhere/at/all", real.path("dangling")).unwrap();
    let refused = ["pipe", "device", "dangling"].map(|to| real.container(&["export", &id, "-o", to, "--json"]).code(1));
    snapshot!(real, together(refused));
    use std::os::unix::fs::FileTypeExt as _;
    assert!(real.path("pipe").symlink_metadata().unwrap().file_type().is_fifo());
    assert!(real.path("device").symlink_metadata().unwrap().is_symlink());
}
