//! State directories that earlier versions of longshore left. tests/data/format-N holds one of each format, as that
//! version wrote it, without locks and pipes, which git does not keep; `@BOOT@` and `@HOST@` stand for this machine.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::{Value, json};

use crate::support::fake::{Fake, names};
use crate::support::schema;

const RUNNING: &str = "ax18grtvbrcs";
const SUCCEEDED: &str = "nqtxqedvwwtd";
const BUILDING: &str = "1xjcpf03bc1p";

/// Copies a state directory of an earlier format, as it would lie there.
fn lay_out(from: &Path, to: &Path) {
    let read = |file: &str| fs::read_to_string(file).unwrap().trim().to_owned();
    let (boot, host) = (read("/proc/sys/kernel/random/boot_id"), read("/proc/sys/kernel/hostname"));
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, Permissions::from_mode(0o700)).unwrap();
    for name in names(from) {
        let (from, to) = (from.join(&name), to.join(&name));
        if from.is_dir() {
            lay_out(&from, &to);
        } else {
            let text = String::from_utf8(fs::read(&from).unwrap()).unwrap();
            fs::write(&to, text.replace("@BOOT@", &boot).replace("@HOST@", &host)).unwrap();
            fs::set_permissions(&to, Permissions::from_mode(0o600)).unwrap();
        }
    }
}

/// The same for a job that runs: its lock is held as long as the file lives.
fn hold(fake: &Fake, kind: &str, id: &str) -> File {
    let lock = File::create(fake.job(kind, id).join("lock")).unwrap();
    lock.lock().unwrap();
    lock
}

fn with_format_1() -> Fake {
    let fake = Fake::new();
    fake.leaves_unsound("the jobs were never this engine's");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/format-1");
    lay_out(&data, &fake.path("state/longshore"));
    for kind in ["run", "build"] {
        for id in names(&fake.jobs(kind)).iter().filter(|name| !name.starts_with('.')) {
            File::create(fake.job(kind, id).join("lock")).unwrap();
        }
    }
    fake
}

/// What a list says of each job: name, status, outcome, exit code.
fn stand(fake: &Fake, args: &[&str]) -> Value {
    let views = fake.run(args).code(0).json();
    let short =
        |view: &Value| json!([view["name"], view["status"], view["outcome"], view["exitCode"], view["command"]]);
    views.as_array().unwrap().iter().map(short).collect()
}

#[test]
fn jobs_of_format_1_are_read_as_they_were() {
    let fake = with_format_1();
    let _locks = [hold(&fake, "run", RUNNING), hold(&fake, "build", BUILDING)];
    let (ok, bad, gate) = (json!(["ok.py", "--epochs", "3"]), json!(["bad.py"]), json!(["gate.py"]));
    let expected = json!([
        [null, "exited", "corrupt", null, bad],
        ["going", "running", null, null, ["gate.py", "a b", "--x"]],
        [null, "exited", "timeout", 143, gate],
        [null, "exited", "cancelled", 143, gate],
        [null, "exited", "failed", 3, bad],
        ["finished", "exited", "succeeded", 0, ok],
        [null, "exited", "failed", 3, []],
    ]);
    assert_eq!(stand(&fake, &["exec", "list", "--json"]), expected);
    let expected = json!([
        ["going", "running", null, null, []],
        ["broken", "exited", "failed", 1, []],
        ["web", "exited", "succeeded", 0, []],
    ]);
    assert_eq!(stand(&fake, &["image", "builds", "--json"]), expected);
    assert_eq!(fake.run(&["exec", "logs", "finished"]).code(0).stdout, "one\ntwo\n");
    assert_eq!(fake.run(&["exec", "logs", RUNNING]).code(0).stdout, "on\n");
    assert_eq!(fake.run(&["image", "status", "web", "--json"]).code(0).json()["lines"][0], "Step 1/1 : FROM base");
    // Nothing of it was written anew.
    let record = fs::read_to_string(fake.job("run", SUCCEEDED).join("job.json")).unwrap();
    assert!(record.contains("\"format\": 1,"));
}

#[test]
fn a_run_of_format_1_can_be_ended_waited_for_and_forgotten() {
    let fake = with_format_1();
    let lock = hold(&fake, "run", RUNNING);
    fake.run(&["exec", "wait", "--timeout", "50ms", RUNNING]).code(124);
    drop(lock);
    // Its container is not on this engine any more.
    fake.run(&["exec", "wait", RUNNING]).code(125);
    fake.run(&["exec", "stop", RUNNING]).code(1);
    for id in names(&fake.jobs("run")).iter().filter(|name| !name.starts_with('.')) {
        fake.run(&["exec", "forget", id]).code(0);
    }
    assert_eq!(fake.run(&["exec", "list", "--json"]).code(0).json(), json!([]));
}

/// Earlier versions gave the container of a run the label that images have.
#[test]
fn the_container_of_a_run_of_an_earlier_version_is_found_by_its_old_label() {
    for is_renamed in [false, true] {
        let fake = Fake::new();
        let id = fake.start_unattended("exit 3");
        let ident = fs::read_link(fake.engine(&format!("names/longshore-{id}"))).unwrap();
        let path = fake.engine("containers").join(ident).join("config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        config["Config"]["Labels"] = json!({"longshore.job": id});
        if is_renamed {
            config["Name"] = "/renamed".into();
            fs::rename(fake.engine(&format!("names/longshore-{id}")), fake.engine("names/renamed")).unwrap();
            symlink(format!("longshore-{id}.log"), fake.engine("truth/renamed.log")).unwrap();
        }
        fs::write(&path, config.to_string()).unwrap();
        let listed = fake.run(&["exec", "list", "--json"]).code(0).json();
        assert_eq!(listed[0]["status"], "running", "renamed: {is_renamed}");
        fake.open_gate();
        assert_eq!(fake.end_of(&id)["exitCode"], 3, "renamed: {is_renamed}");
    }
}

/// A later version started them with the same options.
#[test]
fn the_spec_of_a_run_of_format_1_is_what_it_was_started_with() {
    let fake = with_format_1();
    let body = |id: &str| schema::validated("run-spec", fake.run(&["exec", "inspect", "--spec", id]).code(0).json());
    let expected = json!({"srcPath": "/home/tester/src", "mainSrc": "ok.py", "imageTag": "base",
        "inputPath": "/home/tester/in", "outputPath": "/home/tester/out", "args": ["--epochs", "3"],
        "env": {"TOKEN": null, "NO_PROXY": null}, "labels": {"team": "red"}, "name": "finished",
        "memory": 2_147_483_648_u64, "timeout": "1h", "user": "0:0", "logDriver": "local"});
    assert_eq!(body(SUCCEEDED), expected);
    let expected = json!({"srcPath": "/home/tester/src", "mainSrc": "gate.py", "imageTag": "base",
        "args": ["a b", "--x"], "env": {"HTTP_PROXY": null, "A": null}, "name": "going", "cpus": "1.5",
        "network": "none", "user": "1000:1000", "keep": true, "logDriver": "json-file"});
    assert_eq!(body(RUNNING), expected);
}

#[test]
fn values_that_format_1_kept_are_not_shown() {
    let fake = with_format_1();
    let path = fake.job("run", SUCCEEDED).join("inspect.json");
    let mut account: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    account["Config"]["Env"] = json!(["TOKEN=hunter2", "PATH=/bin"]);
    fs::write(&path, account.to_string()).unwrap();
    let shown = fake.run(&["exec", "inspect", SUCCEEDED]).code(0).json();
    assert_eq!(shown["Config"]["Env"], json!(["TOKEN=(withheld)", "PATH=/bin"]));
}
