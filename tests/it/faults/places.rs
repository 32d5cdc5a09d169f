//! Where the state directory lies: on file systems without inodes or of another machine, and on another host.

use std::process::Command;

use serde_json::Value;

use super::disk::with_mounts;
use crate::support::fake::Fake;
use crate::support::{skipped, wait_until};

/// Starts a run on a file system with so many inodes. Gives what `exec run --json` says and, if it was started, how the
/// run ended.
fn with_inodes(fake: &Fake, inodes: u32) -> Option<(Value, Option<Value>)> {
    let script = format!(
        r#"
        mount -t tmpfs -o nr_inodes={inodes},mode=700 none state
        said=$("$longshore" exec run --image base --src src --main main.py --json 2>err) || {{
            [ -z "$(ls -A state/longshore/run 2>/dev/null | grep -v names)" ] || exit 90
            echo "[$said]"; exit 0
        }}
        id=$(echo "$said" | grep -o '[0-9a-z]\{{12\}}')
        ended=$("$longshore" exec wait --timeout 30s --json "$id"); code=$?
        [ $code = 3 ] || [ $code = 125 ] || exit 91
        [ "$("$longshore" exec list -q)" = "$id" ] || exit 92
        [ $code = 125 ] || [ "$("$longshore" exec logs "$id" 2>/dev/null)" = all ] || exit 93
        rm state/longshore/run/.names/*
        "$longshore" exec forget "$id" >/dev/null || exit 94
        [ -z "$(ls -A state/longshore/run | grep -v names)" ] || exit 95
        echo "[$said, $ended]""#
    );
    let ran = with_mounts(fake, &script)?.code(0);
    let mut documents: Vec<Value> =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    fake.wait_until_quiet();
    let ended = (documents.len() == 2).then(|| documents.remove(1));
    Some((documents.remove(0), ended))
}

#[test]
fn without_inodes_a_run_is_refused_with_a_hint_or_ends_truly() {
    let fake = Fake::new();
    std::fs::create_dir(fake.path("state")).unwrap();
    fake.write("src/main.py", "echo all; exit 3");
    let (mut refused, mut whole) = (0, 0);
    for inodes in 2..40 {
        let Some((said, ended)) = with_inodes(&fake, inodes) else { return };
        let Some(ended) = ended else {
            assert_eq!(said["success"], false, "{inodes}: {said}");
            let hint = said["error"]["hint"].as_str().unwrap_or_default();
            assert!(said["error"]["kind"] == "state" || hint.contains("df -i"), "{inodes}: {said}");
            refused += 1;
            continue;
        };
        // The supervisor that could not record what it found has started nothing.
        let code = fake.true_code(ended["id"].as_str().unwrap()).unwrap_or(125);
        assert_eq!((&ended["outcome"], &ended["exitCode"]), (&"failed".into(), &code.into()), "{inodes}: {ended}");
        let reason = ended["reason"].as_str().unwrap_or_default();
        assert!(code == 3 || reason.contains("No space left on device"), "{inodes}: {ended}");
        assert_eq!(fake.containers(), Vec::<String>::new(), "{inodes}: {ended}");
        whole += u32::from(ended["log"] == "complete");
        if whole == 2 {
            break;
        }
    }
    assert!(refused > 0 && whole == 2, "refused {refused} times, whole {whole} times");
}

#[test]
fn a_state_directory_on_fuse_is_refused_at_once_and_can_be_allowed() {
    let fake = Fake::new();
    if !Command::new("fuse-overlayfs").arg("--version").output().is_ok_and(|ran| ran.status.success()) {
        return skipped("there is no fuse-overlayfs to mount a FUSE file system");
    }
    for dir in ["state", "lower", "upper", "work"] {
        std::fs::create_dir(fake.path(dir)).unwrap();
    }
    fake.write("src/main.py", "echo all; exit 3");
    let script = r#"
        env -i fuse-overlayfs -o lowerdir=lower,upperdir=upper,workdir=work state >/dev/null 2>&1 || exit 77
        run() { "$longshore" exec run --image base --src src --main main.py "$@"; }
        run --json >refused; [ $? = 1 ] || exit 90
        "$longshore" exec list --json >unlisted; [ $? = 1 ] || exit 91
        [ -z "$(ls -A state/longshore)" ] || exit 92
        export LONGSHORE_ANY_FILE_SYSTEM=1
        run --wait --json >allowed; [ $? = 3 ] || exit 93
        "$longshore" exec forget latest >/dev/null || exit 94
        umount -l state"#;
    let Some(ran) = with_mounts(&fake, script) else { return };
    if ran.code == 77 {
        return skipped("this machine mounts no FUSE file system");
    }
    ran.code(0);
    let read = |name: &str| serde_json::from_slice::<Value>(&std::fs::read(fake.path(name)).unwrap()).unwrap();
    for name in ["refused", "unlisted"] {
        let error = read(name)["error"].take();
        assert_eq!(error["kind"], "state", "{error}");
        assert!(error["message"].as_str().unwrap().ends_with("it is on FUSE, where locks are not reliable"), "{error}");
    }
    assert_eq!(read("allowed")["exitCode"], 3);
    assert_eq!(fake.calls().iter().filter(|call| call.starts_with("run ")).count(), 1, "a refused run was started");
    fake.wait_until_quiet();
}

/// A state directory that was moved to another machine, or is in a home directory that several share.
#[test]
fn a_job_of_another_host_is_unknown_and_its_container_is_left_alone() {
    let fake = Fake::new();
    let id = fake.start_unattended("exit 3");
    fake.open_gate();
    fake.wait_for_container_end(&id);
    let record = fake.job("run", &id).join("job.json");
    let ours = std::fs::read(&record).unwrap();
    let mut theirs: Value = serde_json::from_slice(&ours).unwrap();
    theirs["host"] = "elsewhere".into();
    theirs["bootId"] = "another".into();
    std::fs::write(&record, theirs.to_string()).unwrap();
    let view = fake.status_of(&id);
    assert_eq!(
        (&view["status"], &view["outcome"], &view["exitCode"]),
        (&"exited".into(), &"unknown".into(), &Value::Null)
    );
    assert!(view["reason"].as_str().unwrap().contains("it was started on another host, elsewhere"), "{view:#}");
    fake.run(&["exec", "wait", &id]).code(125);
    fake.sweep();
    assert_eq!(fake.containers(), [format!("longshore-{id}")], "the container of another host was removed");
    assert!(!fake.job("run", &id).join("exit.json").exists(), "the end of another host's job was recorded");
    // The host has another name by now, and is still the same.
    theirs["bootId"] = serde_json::from_slice::<Value>(&ours).unwrap()["bootId"].clone();
    std::fs::write(&record, theirs.to_string()).unwrap();
    assert_eq!(fake.end_of(&id)["exitCode"], 3);
    std::fs::write(&record, ours).unwrap();
    wait_until("the container is removed", || fake.containers().is_empty());
}
