//! Removing many jobs where the state directory is read-only, full, or fails.

use super::disk::with_mounts;
use crate::prune::copy_run;
use crate::support::fake::Fake;

#[test]
fn prune_in_a_read_only_state_directory_removes_nothing_and_says_so_once() {
    let fake = Fake::new();
    let ids = [fake.ended_run("exit 0"), fake.ended_run("exit 3")];
    let script = r#"
        mount --bind state state && mount -o remount,bind,ro state || exit 90
        "$longshore" prune --older-than 0s --dry-run >plan || exit 91
        "$longshore" prune --older-than 0s --json >done; [ $? = 1 ] || exit 92"#;
    let Some(ran) = with_mounts(&fake, script) else { return };
    let ran = ran.code(0);
    assert!(std::fs::read_to_string(fake.path("plan")).unwrap().contains("would remove 2 runs, and free "));
    let done: serde_json::Value = serde_json::from_slice(&std::fs::read(fake.path("done")).unwrap()).unwrap();
    assert_eq!(
        (&done["success"], &done["freedBytes"], &done["jobs"][0]["removed"]),
        (&false.into(), &0.into(), &false.into())
    );
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.starts_with("error: could not change "), "{}", ran.stderr);
    assert!(ran.stderr.contains("Read-only file system"), "{}", ran.stderr);
    for id in ids {
        assert!(fake.job("run", &id).join("exit.json").exists());
    }
}

#[test]
fn prune_on_a_full_disk_makes_room_and_says_afterwards_what_became_of_a_job() {
    let fake = Fake::new();
    std::fs::create_dir(fake.path("state")).unwrap();
    fake.write("src/main.py", "exit 3");
    let script = r#"
        mount -t tmpfs -o size=256k,mode=700 none state
        id=$("$longshore" exec run --image base --src src --main main.py) || exit 90
        "$longshore" exec wait --timeout 30s "$id"; [ $? = 3 ] || exit 91
        cat /dev/zero >state/full 2>/dev/null
        "$longshore" prune --older-than 0s || exit 92
        "$longshore" exec wait "$id" 2>told; [ $? = 125 ] || exit 93
        ls -A state/longshore/run | grep -v names"#;
    let Some(ran) = with_mounts(&fake, script) else { return };
    let ran = ran.code(1);
    assert!(ran.stdout.contains("removed 1 run, freed "), "{ran:?}");
    let told = std::fs::read_to_string(fake.path("told")).unwrap();
    assert!(told.contains("was pruned") && told.contains("(it had failed, exit code 3)"), "{told}");
    fake.wait_until_quiet();
}

#[test]
fn prune_whose_nth_call_fails_leaves_each_job_whole_or_gone() {
    let mut fake = Fake::new();
    let template = fake.ended_run("exit 3");
    let read = |file: &str| std::fs::read_to_string(fake.job("run", &template).join(file)).unwrap();
    let (record, exit) = (read("job.json"), read("exit.json"));
    let fired = fake.path("fired");
    fake.set("LONGSHORE_TEST_FIRED", &fired);
    let ids = ["000000000001", "000000000002"];
    for call in ["open", "write", "fsync", "rename", "make"] {
        for at in 1.. {
            for id in ids.into_iter().filter(|id| !fake.job("run", id).exists()) {
                copy_run(&fake, id, &record.replace(&template, id), &exit);
            }
            fake.set("LONGSHORE_TEST_FAULT", format!("cli:{call}:{at}:5"));
            let ran = fake.run(&["prune", "--older-than", "0s", "--keep-last", "1", "--json"]);
            fake.set("LONGSHORE_TEST_FAULT", "");
            for id in ids {
                let is_there = fake.job("run", id).exists();
                let code = fake.run(&["exec", "wait", id]).code;
                assert_eq!(code, if is_there { 3 } else { 125 }, "{call} {at}: {ran:?}");
            }
            if std::fs::remove_file(&fired).is_err() {
                assert!(at > 1 && ran.code == 0, "{call}: {ran:?}");
                break;
            }
        }
    }
}
