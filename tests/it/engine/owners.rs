//! Whose the files are: the caller's, also where the caller is not root.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::fake::names;
use crate::support::real::Real;
use crate::support::{Ran, skipped, wait_until};

/// Ids that no user of the machine has.
const UID: u32 = 54_321;
const GID: u32 = 54_322;

/// The group that may use the engine's socket, if this test can become another user.
fn group_of_the_socket() -> Result<u32, &'static str> {
    let socket = std::fs::metadata("/var/run/docker.sock");
    let socket = socket.map_err(|_| "the engine has no socket whose group one could join")?.gid();
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return Err("only root can become another user");
    }
    let has_setpriv = Command::new("setpriv").arg("--version").stdout(Stdio::null()).status();
    has_setpriv.is_ok_and(|status| status.success()).then_some(socket).ok_or("there is no setpriv")
}

/// A world of this user. Nothing of root's is needed in it: the program is a copy, docker's configuration an empty
/// directory.
fn world_of(uid: u32) -> Real {
    let mut real = Real::new();
    // By a process of its own: a child that another test forks now would hold the copy open for writing ("text file busy").
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_longshore")).arg(real.path("longshore")).status();
    assert!(copied.unwrap().success());
    std::fs::create_dir(real.path("config")).unwrap();
    let config = real.path("config");
    real.set("DOCKER_CONFIG", config);
    real.set("USER", format!("user-{uid}"));
    real
}

/// Runs a command of this world as a user, who may use the engine.
fn run_as(uid: u32, real: &Real, args: &[String]) -> Ran {
    let socket = group_of_the_socket().unwrap();
    let as_user = real.command(args);
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={uid}"), format!("--regid={GID}"), format!("--groups={socket}"), "--".into()]);
    command.arg(real.path("longshore")).args(as_user.get_args()).current_dir(real.dir.path()).env_clear();
    command.envs(as_user.get_envs().filter_map(|(key, value)| Some((key, value?))));
    Ran::from(command.output().unwrap())
}

#[test]
fn outputs_belong_to_an_unprivileged_caller() {
    if let Err(why) = group_of_the_socket() {
        return skipped(why);
    }
    let real = world_of(UID);
    let code = concat!(
        "import os\n",
        "open('output/file', 'w').write('x')\n",
        "os.makedirs('output/deep/er')\n",
        "print(os.getuid(), os.getgid(), os.listdir('data'))\n",
    );
    let source = real.source(code);
    real.write("input/in", "");
    give_away(real.dir.path(), UID);

    let (input, output) = (real.path("input"), real.path("new/output"));
    let flags = ["--input", input.to_str().unwrap(), "--output", output.to_str().unwrap()];
    let args = real.run_args(&source, &[&flags[..], &["--wait", "--json"]].concat());
    let ran = run_as(UID, &real, &args).code(0);
    assert_eq!(ran.json()["outcome"], json!("succeeded"));
    let log = real.job("run", ran.json()["exec_id"].as_str().unwrap()).join("log");
    assert_eq!(std::fs::read_to_string(log).unwrap(), format!("{UID} {GID} ['in']\n"));
    // Nothing of root's is left in the source tree, for longshore removed what it made as this user.
    wait_until("the mount points are gone", || names(&source) == ["main.py"]);
    for path in [output.join("file"), output.join("deep/er"), output, real.path("new"), real.path("state/longshore")] {
        let owner = std::fs::metadata(&path).unwrap();
        assert_eq!((owner.uid(), owner.gid()), (UID, GID), "{}", path.display());
    }
}

#[test]
fn a_source_tree_in_which_the_caller_may_not_write_is_run_and_nothing_is_made_in_it() {
    if let Err(why) = group_of_the_socket() {
        return skipped(why);
    }
    let real = world_of(UID);
    let code = concat!(
        "import os, pkg.part, link.part\n",
        "print(sorted(os.listdir('.')), open('data/in').read(), pkg.part.NAME, os.getcwd())\n",
        "open('output/file', 'w').write('x')\n",
        "open('pkg/cache/file', 'w').write('x')\n",
        "try: open('new', 'w')\n",
        "except OSError as error: print(error.strerror)\n",
        "print(os.path.exists('outside'))\n",
    );
    let source = real.source(code);
    real.write("src-0/pkg/part.py", "NAME = 'part'\n");
    real.write("input/in", "given");
    real.write("secret", "");
    std::os::unix::fs::symlink("pkg", source.join("link")).unwrap();
    std::os::unix::fs::symlink("../secret", source.join("outside")).unwrap();
    std::fs::create_dir(source.join("pkg/cache")).unwrap();
    give_away(real.dir.path(), UID);
    // Root's, but for one directory further down.
    for place in [source.clone(), source.join("pkg")] {
        chown(&place, Some(0), Some(0)).unwrap();
    }
    let before = [names(&source), names(&source.join("pkg"))];
    let (input, output) = (real.path("input"), real.path("output"));
    let flags = ["--input", input.to_str().unwrap(), "--output", output.to_str().unwrap()];
    let ran = run_as(UID, &real, &real.run_args(&source, &[&flags[..], &["--follow"]].concat())).code(0);
    let seen = "['data', 'link', 'main.py', 'output', 'pkg'] given part /app\nPermission denied\nFalse\n";
    assert_eq!(ran.stdout, seen);
    let again = run_as(UID, &real, &["exec", "rerun", "latest", "--follow"].map(str::to_owned)).code(0);
    assert_eq!(again.stdout, seen);
    assert_eq!([names(&source), names(&source.join("pkg"))], before);
    for path in [output.join("file"), source.join("pkg/cache/file")] {
        assert_eq!(std::fs::metadata(&path).unwrap().uid(), UID, "{}", path.display());
    }
    // Without mount points that are missing it is mounted whole, and the program cannot write there either.
    let whole = run_as(UID, &real, &real.run_args(&source, &["--dry-run"])).code(0);
    assert!(whole.stdout.contains(",target=/app ") && !whole.stdout.contains("tmpfs"), "{whole:?}");
    let deep = format!("{}:/app/pkg/deep", input.display());
    let refused = run_as(UID, &real, &real.run_args(&source, &["-v", &deep])).code(2);
    assert!(refused.stderr.contains("it is below a directory of the source directory"), "{refused:?}");
}

#[test]
fn two_users_on_one_engine_neither_see_nor_touch_each_others_jobs() {
    if let Err(why) = group_of_the_socket() {
        return skipped(why);
    }
    let users = [UID, UID + 1];
    let worlds = users.map(world_of);
    let begun = [0, 1].map(|at: usize| {
        let (uid, real) = (users[at], &worlds[at]);
        let code = "import os, time\nprint(os.getuid(), flush=True)\nwhile not os.path.exists('go'): time.sleep(0.02)\nraise SystemExit(7)";
        let source = real.source(code);
        give_away(real.dir.path(), uid);
        let id = run_as(uid, real, &real.run_args(&source, &["--name", "same"])).code(0).id();
        wait_until("the program has begun", || std::fs::read_to_string(real.job("run", &id).join("log")).unwrap() == format!("{uid}\n"));
        (id, source)
    });
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let [(mine, _), (theirs, _)] = &begun;
    // The name is theirs, too.
    for (at, (id, _)) in begun.iter().enumerate() {
        let listed = run_as(users[at], &worlds[at], &words("exec list --json")).code(0).json();
        let ids: Vec<&str> = listed.as_array().unwrap().iter().map(|view| view["id"].as_str().unwrap()).collect();
        assert_eq!(ids, [id.as_str()]);
    }
    // Another's id is not known, and their state directory is refused.
    run_as(users[0], &worlds[0], &words(&format!("exec stop {theirs}"))).code(1);
    let state = worlds[1].path("state");
    let mut stranger = Real::new();
    stranger.set("XDG_STATE_HOME", &state);
    std::fs::copy(worlds[0].path("longshore"), stranger.path("longshore")).unwrap();
    give_away(stranger.dir.path(), users[0]);
    let refused = run_as(users[0], &stranger, &words("exec list --json"));
    assert_eq!((refused.code, &refused.json()["error"]["kind"]), (1, &json!("state")), "{refused:?}");
    // What one forgets and sweeps is their own.
    std::fs::write(begun[0].1.join("go"), "").unwrap();
    run_as(users[0], &worlds[0], &words(&format!("exec wait {mine}"))).code(7);
    run_as(users[0], &worlds[0], &words(&format!("exec forget {mine}"))).code(0);
    assert_eq!((worlds[0].containers().len(), worlds[1].containers().len()), (0, 1));
    let listed = run_as(users[1], &worlds[1], &words("exec list --json")).code(0).json();
    assert_eq!(listed[0]["status"], "running");
    std::fs::write(begun[1].1.join("go"), "").unwrap();
    run_as(users[1], &worlds[1], &words(&format!("exec wait {theirs}"))).code(7);
}

fn give_away(path: &Path, uid: u32) {
    chown(path, Some(uid), Some(GID)).unwrap();
    for entry in std::fs::read_dir(path).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            give_away(&entry.path(), uid);
        } else {
            chown(entry.path(), Some(uid), Some(GID)).unwrap();
        }
    }
}
