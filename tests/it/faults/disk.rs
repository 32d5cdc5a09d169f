//! State that is damaged, full, read-only, or gone.

use std::process::Command;

use serde_json::Value;

use crate::support::fake::Fake;
use crate::support::snapshots::snapshot;
use crate::support::{Ran, skipped};

/// Runs a script of the shell in a mount namespace of its own, in which `$longshore` is the program. Nothing where
/// this user may make none: then the test says so by its name.
pub fn with_mounts(fake: &Fake, script: &str) -> Option<Ran> {
    let flags = [["--mount"].as_slice(), &["--mount", "--user", "--map-root-user"]];
    let works = |flags: &&&[&str]| {
        let probe = "mount -t tmpfs none /mnt";
        Command::new("unshare").args(**flags).args(["sh", "-c", probe]).output().is_ok_and(|ran| ran.status.success())
    };
    let Some(flags) = flags.iter().find(works) else {
        skipped("this user may not mount a file system in a namespace of its own");
        return None;
    };
    let inner = fake.command::<&str>(&[]);
    let mut command = Command::new("unshare");
    command.args(*flags).args(["sh", "-c", script]).env_clear().current_dir(fake.dir.path());
    command.envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?))));
    command.env("longshore", inner.get_program());
    Some(Ran::from(command.output().unwrap()))
}

/// What `wait` prints of a run that prints more than the disk of its state holds, and ends with this code.
fn fill_the_disk(fake: &Fake, code: i32) -> Option<Value> {
    fake.write("src/big.py", format!("yes 0123456789 | head -c 200000; exit {code}"));
    std::fs::create_dir(fake.path("state")).unwrap();
    let script = format!(
        r#"
        mount -t tmpfs -o size=64k,mode=700 none state
        id=$("$longshore" exec run --image base --src src --main big.py) || exit 90
        "$longshore" exec wait --timeout 30s --json "$id"; [ $? = {code} ] || exit 91
        "$longshore" exec list --json >list || exit 92"#
    );
    let view = with_mounts(fake, &script)?.code(0).json();
    assert_eq!(
        (&view["outcome"], &view["exitCode"], &view["log"]),
        (&"failed".into(), &code.into(), &"incomplete".into()),
        "{view:#}"
    );
    fake.wait_until_quiet();
    assert_eq!(fake.containers().len(), 1, "the container is the last copy of the output");
    fake.leaves_unsound("the job is gone with its file system, and only its record could tell of the container");
    Some(view)
}

#[test]
fn a_disk_that_fills_up_loses_log_and_not_the_code() {
    let fake = Fake::new();
    let Some(view) = fill_the_disk(&fake, 3) else { return };
    fake.known.show_as(view["id"].as_str().unwrap(), "<run>");
    snapshot!(fake, format!("{view:#}\n"));
}

#[test]
fn a_log_that_could_not_be_compared_on_a_full_disk_is_not_complete() {
    // A client that cannot write its output exits with 1, like this program.
    fill_the_disk(&Fake::new(), 1);
}

#[test]
fn a_build_log_is_incomplete_if_the_disk_was_full_meanwhile() {
    let fake = Fake::new();
    std::fs::create_dir(fake.path("state")).unwrap();
    // The step runs in the context, which is in the directory of the build.
    let step = "dd if=/dev/zero of=../fill bs=4k 2>/dev/null; seq 1000; sleep 1; rm ../fill; echo freed";
    fake.scenario(serde_json::json!({"build": {"script": step}}));
    let script = r#"
        mount -t tmpfs -o size=256k,mode=700 none state
        "$longshore" image create web --base base --run true >/dev/null || exit 90
        "$longshore" image wait --timeout 30s --json web"#;
    let Some(ran) = with_mounts(&fake, script) else { return };
    let view = ran.code(0).json();
    assert_eq!((&view["outcome"], &view["log"]), (&"succeeded".into(), &"incomplete".into()), "{view:#}");
    assert_eq!(view["reason"], "log: incomplete: the disk was full while it was built");
    fake.wait_until_quiet();
}

#[test]
fn on_a_full_disk_nothing_is_started() {
    let fake = Fake::new();
    std::fs::create_dir(fake.path("state")).unwrap();
    fake.write("src/main.py", "exit 0");
    let script = r#"
        mount -t tmpfs -o size=64k,mode=700 none state
        mkdir -p state/longshore/run && chmod 700 state/longshore state/longshore/run
        cat /dev/zero >state/full 2>/dev/null
        "$longshore" exec run --image base --src src --main main.py --json; code=$?
        ls -A state/longshore/run | grep -v names
        exit $code"#;
    let Some(ran) = with_mounts(&fake, script) else { return };
    let ran = ran.code(1);
    let document: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("something is left: {}", ran.stdout));
    assert_eq!(document["error"]["kind"], "internal");
    snapshot!(fake, ran);
    assert!(!fake.calls().iter().any(|call| call.starts_with("run")), "the container was started all the same");
}

#[test]
fn a_read_only_state_directory_can_be_read_and_starts_nothing() {
    let fake = Fake::new();
    let id = fake.ended_run("echo all; exit 3");
    let script = r#"
        mount --bind state state && mount -o remount,bind,ro state || exit 90
        "$longshore" exec list -q || exit 91
        "$longshore" exec logs latest || exit 92
        "$longshore" exec wait latest; [ $? = 3 ] || exit 93
        "$longshore" exec inspect latest >/dev/null || exit 94
        "$longshore" exec run --image base --src src --main p0.py; [ $? = 1 ] || exit 95
        "$longshore" exec forget latest; [ $? = 1 ] || exit 96"#;
    let Some(ran) = with_mounts(&fake, script) else { return };
    let ran = ran.code(0);
    assert_eq!(ran.stdout, format!("{id}\nall\n"));
    snapshot!(fake, ran);
}

#[test]
fn forget_in_a_read_only_state_directory_keeps_the_container_and_says_why() {
    let fake = Fake::new();
    let id = fake.start_unattended("echo off; exit 3");
    fake.open_gate();
    fake.wait_for_container_end(&id);
    let script = r#"
        mount --bind state state && mount -o remount,bind,ro state || exit 90
        "$longshore" exec forget latest; [ $? = 1 ] || exit 91"#;
    let Some(ran) = with_mounts(&fake, script) else { return };
    let ran = ran.code(0);
    assert_eq!(fake.containers(), [format!("longshore-{id}")], "the last copy of its code and output is gone");
    assert!(ran.stderr.contains(&format!("error: could not forget {id}: Read-only file system")), "{}", ran.stderr);
    let view = fake.end_of(&id);
    assert_eq!((&view["exitCode"], &view["log"]), (&3.into(), &"recovered".into()), "{view}");
    assert_eq!(fake.log(&id), b"on\noff\n");
}

#[test]
fn a_damaged_exit_record_is_named_and_harms_no_other_job() {
    let fake = Fake::new();
    let (id, other) = (fake.start("exit 0"), fake.start("exit 3"));
    let before = (fake.end_of(&id), fake.end_of(&other));
    assert_eq!(before.0["outcome"], "succeeded");
    fake.wait_until_quiet();
    let exit = fake.job("run", &id).join("exit.json");
    let good = std::fs::read(&exit).unwrap();
    let newer = String::from_utf8(good.clone()).unwrap().replacen("\"format\":2", "\"format\":3", 1);
    assert_ne!(newer.as_bytes(), good);
    let wrong = r#"{"format":1,"outcome":"splendid","exitCode":0}"#;
    let older = newer.replacen("\"format\":3", "\"format\":0", 1);
    let padded = [good.as_slice(), b"{}"].concat();
    let broken: [&[u8]; 10] = [
        b"",
        &[0; 4096],
        &good[..40],
        &[&good[..40], &[0; 4056]].concat(),
        newer.as_bytes(),
        older.as_bytes(),
        wrong.as_bytes(),
        b"\xff\xfe[]",
        b"null",
        &padded,
    ];
    for bytes in broken {
        std::fs::write(&exit, bytes).unwrap();
        assert_corrupt(&fake, &id, "its exit record");
        assert_eq!(fake.status_of(&other), before.1);
    }
    // A gigabyte of holes.
    std::fs::File::create(&exit).unwrap().set_len(1 << 30).unwrap();
    assert_corrupt(&fake, &id, "larger than");
    std::fs::remove_file(&exit).unwrap();
    std::fs::create_dir(&exit).unwrap();
    assert_corrupt(&fake, &id, "its exit record");
    std::fs::remove_dir(&exit).unwrap();
    std::fs::write(&exit, good).unwrap();
    assert_eq!(fake.status_of(&id), before.0);
}

#[track_caller]
fn assert_corrupt(fake: &Fake, id: &str, why: &str) {
    let view = fake.status_of(id);
    assert_eq!((&view["status"], &view["outcome"]), (&"exited".into(), &"corrupt".into()));
    assert!(view["reason"].as_str().unwrap().contains(why), "{view}");
    fake.run(&["exec", "wait", id]).code(125);
}

#[test]
fn a_damaged_or_missing_record_is_named_and_harms_no_other_job() {
    let fake = Fake::new();
    let (id, other) = (fake.start("exit 0"), fake.start("exit 3"));
    fake.end_of(&id);
    let before = fake.end_of(&other);
    fake.wait_until_quiet();
    let dir = fake.job("run", &id);
    std::fs::remove_file(dir.join("exit.json")).unwrap();
    let good = std::fs::read(dir.join("job.json")).unwrap();
    let text = String::from_utf8(good.clone()).unwrap();
    let typed = text.replacen(&format!("\"id\": \"{id}\""), "\"id\": [7]", 1);
    assert_ne!(typed, text);
    for bytes in [&b""[..], &[0; 100], &good[..50], br#"{"format": 9}"#, br#"{"format": 0}"#, b"[]", typed.as_bytes()] {
        std::fs::write(dir.join("job.json"), bytes).unwrap();
        assert_corrupt(&fake, &id, "its record");
        assert_eq!(fake.status_of(&other), before);
    }
    // A gigabyte of holes.
    std::fs::File::create(dir.join("job.json")).unwrap().set_len(1 << 30).unwrap();
    assert_corrupt(&fake, &id, "larger than");
    std::fs::remove_file(dir.join("job.json")).unwrap();
    assert_corrupt(&fake, &id, "its record");
    snapshot!(fake, fake.run(&["exec", "list"]).code(0), fake.run(&["exec", "list", "--json"]));
    fake.run(&["exec", "forget", &id]).code(0);
}

#[test]
fn foreign_files_in_the_state_directory_are_ignored() {
    let fake = Fake::new();
    let id = fake.ended_run("exit 3");
    let names = ["README", ".hidden", "UPPER", "a b", "\n"];
    for name in names {
        fake.write(&format!("state/longshore/run/{name}"), "not ours");
        fake.write(&format!("state/longshore/run/{name}.d/file"), "not ours");
    }
    assert_eq!(fake.run(&["exec", "list", "-q"]).code(0).id(), id);
    fake.run(&["exec", "forget", &id]).code(0);
    for name in names {
        std::fs::remove_file(fake.job("run", name)).unwrap();
        std::fs::remove_dir_all(fake.job("run", &format!("{name}.d"))).unwrap();
    }
}

#[test]
fn a_state_directory_removed_during_a_run_leaves_no_process_and_at_most_its_container() {
    let fake = Fake::new();
    let id = fake.start_gated("exit 3");
    std::fs::remove_dir_all(fake.path("state")).unwrap();
    fake.run(&["exec", "inspect", &id]).code(1);
    assert_eq!(fake.run(&["exec", "list", "--json"]).code(0).stdout, "[]\n");
    fake.open_gate();
    fake.wait_until_quiet();
    for name in fake.containers() {
        assert_eq!(name, format!("longshore-{id}"));
    }
    let next = fake.start("exit 0");
    assert_eq!(fake.end_of(&next)["outcome"], "succeeded");
    fake.leaves_unsound("the removed directory was the only place that knew the container");
}

#[test]
fn a_record_is_never_changed_after_it_was_published() {
    let fake = Fake::new();
    let id = fake.start(&fake.gated("echo on", "exit 3"));
    let record = fake.job("run", &id).join("job.json");
    let before = std::fs::read(&record).unwrap();
    fake.open_gate();
    fake.end_of(&id);
    fake.wait_until_quiet();
    assert_eq!(std::fs::read(&record).unwrap(), before);
}
