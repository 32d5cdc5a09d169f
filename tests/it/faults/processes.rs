//! A user who may have no more processes. The kernel counts them by user, so these tests need one of their own.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::fake::Fake;
use crate::support::{Ran, skipped, wait_until};

/// How many processes and threads the user may have.
const MOST: usize = 40;

/// The fake engine's world, in which an unprivileged user runs copies of the programs.
struct Limited {
    fake: Fake,
    uid: u32,
    longshore: PathBuf,
}

impl Limited {
    fn new(uid: u32) -> Option<Self> {
        let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
        let has_setpriv = Command::new("setpriv").arg("--version").output().is_ok_and(|ran| ran.status.success());
        let has_python =
            Command::new("/usr/bin/python3").arg("--version").output().is_ok_and(|ran| ran.status.success());
        if !is_root || !has_setpriv || !has_python {
            skipped("only root can become another user, with setpriv and the system's python3");
            return None;
        }
        let mut fake = Fake::new();
        let (longshore, docker) = (fake.path("longshore"), fake.path("docker"));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/docker");
        // By a process of its own: a child that another test forks now would hold the copy open for writing.
        for (from, to) in [(Path::new(env!("CARGO_BIN_EXE_longshore")), &longshore), (&script, &docker)] {
            assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
        }
        fake.set("LONGSHORE_DOCKER", &docker);
        fake.set("PATH", "/usr/bin:/bin");
        Some(Self { fake, uid, longshore })
    }

    /// A command of the user, with the limit or without.
    fn command(&self, limited: bool, args: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={}", self.uid), format!("--regid={}", self.uid), "--clear-groups".into()]);
        let limit = if limited { format!("ulimit -u {MOST}; ") } else { String::new() };
        command.args(["--", "bash", "-c", &format!("{limit}exec \"$@\""), "bash"]).args(args);
        let inner = self.fake.command::<&str>(&[]);
        command.env_clear().current_dir(self.fake.dir.path()).stdin(Stdio::null());
        command.envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?))));
        command
    }

    /// Starts a run that needs no more processes than it has from its start.
    #[track_caller]
    fn start(&self, flags: &[&str]) -> String {
        let args = self.fake.run_args("echo on; exec sleep 600", flags);
        give_away(self.fake.dir.path(), self.uid);
        let words: Vec<&str> =
            [self.longshore.to_str().unwrap()].into_iter().chain(args.iter().map(String::as_str)).collect();
        let id = Ran::from(self.command(true, &words).output().unwrap()).code(0).id();
        self.fake.wait_for_output(&id, "on");
        wait_until("the supervisor has begun", || self.fake.job("run", &id).join("begun.json").exists());
        id
    }

    /// Leaves the user no process.
    fn fill(&self) -> Vec<Child> {
        (0..MOST).map(|_| self.command(false, &["sleep", "600"]).spawn().unwrap()).collect()
    }

    #[track_caller]
    fn end_of(&self, id: &str) -> Value {
        let words = [self.longshore.to_str().unwrap(), "exec", "wait", "--timeout", "60s", "--json", id];
        Ran::from(self.command(false, &words).output().unwrap()).json()
    }
}

fn give_away(path: &Path, uid: u32) {
    chown(path, Some(uid), Some(uid)).unwrap();
    for entry in std::fs::read_dir(path).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            give_away(&entry.path(), uid);
        } else {
            std::os::unix::fs::lchown(entry.path(), Some(uid), Some(uid)).unwrap();
        }
    }
}

fn end(fillers: Vec<Child>) {
    for mut filler in fillers {
        filler.kill().unwrap();
        filler.wait().unwrap();
    }
}

#[test]
fn a_time_limit_that_passes_while_no_process_can_be_started_ends_the_run_later() {
    let Some(limited) = Limited::new(61_001) else { return };
    let id = limited.start(&["--timeout", "12s"]);
    let fillers = limited.fill();
    let requests = limited.fake.job("run", &id).join("stop.json");
    wait_until("the limit has passed", || std::fs::read_to_string(&requests).unwrap().contains("timeout"));
    assert!(limited.fake.true_code(&id).is_none(), "the test has left a process to the user");
    end(fillers);
    let view = limited.end_of(&id);
    assert_eq!((&view["outcome"], &view["exitCode"]), (&"timeout".into(), &143.into()), "{view}");
    limited.fake.leaves_unsound("its files belong to another user");
}

#[test]
fn a_stop_while_the_supervisor_can_start_no_process_is_carried_out_by_the_command() {
    let Some(limited) = Limited::new(61_002) else { return };
    let id = limited.start(&[]);
    let fillers = limited.fill();
    let words = [limited.longshore.to_str().unwrap(), "exec", "stop", "-t", "1", &id];
    let mut stop = limited.command(false, &words);
    let stop = stop.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The supervisor is still without a process of docker's.
    wait_until("the program has ended", || limited.fake.true_code(&id).is_some());
    end(fillers);
    let ran = Ran::from(stop.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stdout.trim_end()), (0, id.as_str()), "{}", ran.stderr);
    let view = limited.end_of(&id);
    assert_eq!(view["outcome"], "cancelled", "{view}");
    limited.fake.leaves_unsound("its files belong to another user");
}
