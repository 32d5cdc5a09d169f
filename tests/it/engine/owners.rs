//! Whose the files are: the caller's, also where the caller is not root.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::real::Real;
use crate::support::skipped;

/// Ids that no user of the machine has.
const UID: u32 = 54_321;
const GID: u32 = 54_322;

#[test]
fn outputs_and_mount_points_belong_to_an_unprivileged_caller() {
    let mut real = Real::new();
    let socket = std::fs::metadata("/var/run/docker.sock");
    let Ok(socket) = socket.as_ref().map(std::os::unix::fs::MetadataExt::gid) else {
        return skipped("the engine has no socket whose group one could join");
    };
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return skipped("only root can become another user");
    }
    if !Command::new("setpriv").arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        return skipped("there is no setpriv");
    }
    // Nothing of root's is needed: the program is a copy, docker's configuration an empty directory.
    let program = real.path("longshore");
    // By a process of its own: a child that another test forks now would hold the copy open for writing ("text file busy").
    assert!(Command::new("cp").arg(env!("CARGO_BIN_EXE_longshore")).arg(&program).status().unwrap().success());
    let source = real.source("open('output/file', 'w').write('x')\nimport os\nos.makedirs('output/deep/er')\nprint(os.getuid(), os.getgid())");
    real.write("input/in", "");
    std::fs::create_dir(real.path("config")).unwrap();
    let config = real.path("config");
    real.set("DOCKER_CONFIG", config);
    real.set("USER", "somebody");
    give_away(real.dir.path());

    let (input, output) = (real.path("input"), real.path("new/output"));
    let flags = ["--input", input.to_str().unwrap(), "--output", output.to_str().unwrap()];
    let args = real.run_args(&source, &[&flags[..], &["--wait", "--json"]].concat());
    let as_user = real.command(&args);
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={UID}"), format!("--regid={GID}"), format!("--groups={socket}"), "--".into()]);
    command.arg(&program).args(as_user.get_args()).current_dir(real.dir.path()).env_clear();
    command.envs(as_user.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let ran = crate::support::Ran::from(command.output().unwrap()).code(0);
    assert_eq!(ran.json()["outcome"], json!("succeeded"));
    let log = real.job("run", ran.json()["exec_id"].as_str().unwrap()).join("log");
    assert_eq!(std::fs::read_to_string(log).unwrap(), format!("{UID} {GID}\n"));
    for path in [
        output.join("file"),
        output.join("deep/er"),
        output,
        real.path("new"),
        source.join("data"),
        source.join("output"),
        real.path("state/longshore"),
    ] {
        let owner = std::fs::metadata(&path).unwrap();
        assert_eq!((owner.uid(), owner.gid()), (UID, GID), "{}", path.display());
    }
}

fn give_away(path: &Path) {
    chown(path, Some(UID), Some(GID)).unwrap();
    for entry in std::fs::read_dir(path).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            give_away(&entry.path());
        } else {
            chown(entry.path(), Some(UID), Some(GID)).unwrap();
        }
    }
}
