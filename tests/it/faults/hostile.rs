//! Files, names and texts that another user planted.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::json;

use super::terminal::at_terminal;
use crate::support::fake::{Fake, assert_failure_document};
use crate::support::snapshots::{snapshot, together};
use crate::support::{Ran, skipped};

#[test]
fn text_that_is_no_id_finds_no_job_and_no_file() {
    let fake = Fake::new();
    fake.write("state/secret/log", "secret");
    let id = fake.ended_run("exit 3");
    let long = "a".repeat(5000);
    for typed in [
        "",
        ".",
        "..",
        "../../secret",
        "/etc/passwd",
        ".names",
        &format!("{id}/"),
        &format!("{id}x"),
        "-",
        "*",
        "a b",
        "\n",
        "\u{202e}",
        &id.to_uppercase(),
        &long,
    ] {
        for verb in ["inspect", "logs", "wait", "stop", "kill", "forget"] {
            let ran = fake.run(&["exec", verb, "--json", "--", typed]);
            assert!(ran.code == 1 || ran.code == 125 && verb == "wait", "{verb} {typed:?}: {ran:?}");
            assert_failure_document(&ran, "not-found");
        }
    }
    assert_eq!(fake.status_of(&id)["exitCode"], 3);
}

#[test]
fn a_link_instead_of_a_state_directory_is_refused() {
    for place in ["state/longshore", "state/longshore/run"] {
        let fake = Fake::new();
        fake.ended_run("exit 0");
        std::fs::rename(fake.path(place), fake.path("moved")).unwrap();
        symlink(fake.path("moved"), fake.path(place)).unwrap();
        let before = tree(&fake.path("moved"));
        for args in [fake.run_args("exit 0", &["--json"]), vec!["exec".into(), "list".into(), "--json".into()]] {
            assert_failure_document(&fake.run(&args).code(1), "state");
        }
        assert_eq!(tree(&fake.path("moved")), before, "something was written through a link at {place}");
        std::fs::remove_file(fake.path(place)).unwrap();
        std::fs::rename(fake.path("moved"), fake.path(place)).unwrap();
    }
}

#[test]
fn a_link_or_a_pipe_instead_of_a_job_file_is_never_followed() {
    for name in ["job.json", "exit.json", "log", "lock", "inspect.json"] {
        for planted in ["link", "hard link", "pipe", "directory"] {
            let fake = Fake::new();
            let id = fake.ended_run("echo mine; exit 0");
            let secret = fake.write("secret", "secret words");
            let file = fake.job("run", &id).join(name);
            std::fs::remove_file(&file).unwrap();
            match planted {
                "link" => symlink(&secret, &file).unwrap(),
                "hard link" => std::fs::hard_link(&secret, &file).unwrap(),
                "pipe" => assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success()),
                _ => std::fs::create_dir(&file).unwrap(),
            }
            let views = fake.run(&["exec", "list", "--json"]).code(0).json();
            assert_eq!(views[0]["id"], id.as_str(), "{name} is a {planted}");
            if name == "exit.json" || name == "job.json" {
                let outcome = views[0]["outcome"].as_str().unwrap();
                assert!(outcome == "corrupt" || name == "job.json" && outcome == "succeeded", "{outcome}");
            }
            for verb in ["inspect", "logs"] {
                let ran = fake.run(&["exec", verb, &id]);
                assert!(!ran.stdout.contains("secret"), "{name} is a {planted}: {}", ran.stdout);
                assert!(verb != "logs" || name != "log" || ran.code == 1, "{name} is a {planted}: {ran:?}");
            }
            fake.run(&["exec", "forget", &id]).code(0);
            assert_eq!(std::fs::read_to_string(&secret).unwrap(), "secret words");
            assert!(!fake.job("run", &id).exists());
        }
    }
}

/// Everything that a job's directory may have in it.
const FILES: [&str; 17] = [
    "lock",
    "log",
    "job.json",
    "begun.json",
    "stop.json",
    "control",
    "waiting",
    "exit.tmp",
    "exit.json",
    "inspect.json",
    "log.recovered",
    "ending",
    "missing",
    "forgotten",
    "ctx",
    "iid",
    "other",
];

#[test]
fn a_link_that_is_planted_in_a_running_job_is_never_written_through_or_shown() {
    let fake = Fake::new();
    let secret = fake.write("secret", "secret words");
    let ids: Vec<String> = FILES.iter().map(|_| fake.start_gated("echo off; exit 3")).collect();
    for (id, name) in ids.iter().zip(FILES) {
        let file = fake.job("run", id).join(name);
        let _ = std::fs::remove_file(&file);
        symlink(&secret, file).unwrap();
    }
    fake.run(&["exec", "stop", "--timeout", "0", &ids[4]]);
    fake.open_gate();
    fake.wait_until_quiet();
    let views = fake.run(&["exec", "list", "--json"]).code(0).json();
    assert!(!views.as_array().unwrap().iter().any(|view| view["outcome"] == "succeeded"), "{views:#}");
    for (id, name) in ids.iter().zip(FILES) {
        for verb in ["inspect", "logs", "wait", "stop", "forget"] {
            let ran = fake.run(&["exec", verb, id]);
            assert!(!ran.stdout.contains("secret words"), "{name}: {verb}: {ran:?}");
        }
        // Without the lock under which ends are recorded, nothing is removed.
        assert_eq!(fake.job("run", id).exists(), name == "ending", "{name}");
        let _ = std::fs::remove_file(fake.job("run", id).join("ending"));
    }
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "secret words");
}

#[test]
fn a_link_that_is_planted_beside_the_jobs_is_never_followed() {
    for place in
        [".names.lock", ".points.lock", ".points", ".sweep.lock", ".forgotten", ".new-x", ".del-x", "run", "run/.names"]
    {
        let fake = Fake::new();
        fake.write("secret/file", "secret words");
        std::fs::create_dir(fake.path("state")).unwrap();
        for dir in ["state/longshore", "state/longshore/run"].into_iter().filter(|dir| !dir.ends_with(place)) {
            std::fs::create_dir(fake.path(dir)).unwrap();
            std::fs::set_permissions(fake.path(dir), std::fs::Permissions::from_mode(0o700)).unwrap();
        }
        let target = if place.ends_with("lock") { "secret/file" } else { "secret" };
        std::fs::set_permissions(fake.path("secret"), std::fs::Permissions::from_mode(0o700)).unwrap();
        symlink(fake.path(target), fake.path("state/longshore").join(place)).unwrap();
        let ran = fake.run(&fake.run_args("exit 3", &["--name", "named", "--output", "out"]));
        if ran.code == 0 {
            assert_eq!(fake.end_of(&ran.id())["exitCode"], 3, "{place}");
            // There is no place for the note that its container must be removed.
            let forgotten = fake.run(&["exec", "forget", &ran.id()]);
            assert_eq!(forgotten.code, i32::from(place == ".forgotten"), "{place}: {forgotten:?}");
        }
        fake.wait_until_quiet();
        let left: Vec<String> = tree(&fake.path("secret")).into_iter().map(|(path, _)| path).collect();
        assert_eq!(left, [fake.path("secret/file").to_str().unwrap()], "{place}: {ran:?}");
        assert_eq!(std::fs::read_to_string(fake.path("secret/file")).unwrap(), "secret words", "{place}");
        let _ = std::fs::remove_file(fake.path("state/longshore").join(place));
    }
}

#[test]
fn a_link_instead_of_a_job_directory_is_no_job() {
    let fake = Fake::new();
    let id = fake.ended_run("exit 0");
    std::fs::rename(fake.job("run", &id), fake.path("moved")).unwrap();
    symlink(fake.path("moved"), fake.job("run", &id)).unwrap();
    assert_eq!(fake.run(&["exec", "list", "--json"]).code(0).stdout, "[]\n");
    fake.run(&["exec", "forget", &id]).code(1);
    assert!(fake.path("moved/job.json").exists());
    std::fs::remove_file(fake.job("run", &id)).unwrap();
    std::fs::rename(fake.path("moved"), fake.job("run", &id)).unwrap();
}

#[test]
fn no_umask_makes_state_readable_or_unusable() {
    for umask in ["000", "077", "777"] {
        let fake = Fake::new();
        let args = fake.run_args("echo on; exit 3", &[]);
        let mut command = fake.through(&["sh", "-c", &format!(r#"umask {umask}; exec "$@""#), "sh"], &args);
        let id = Ran::from(command.output().unwrap()).code(0).id();
        assert_eq!(fake.end_of(&id)["exitCode"], 3);
        fake.wait_until_quiet();
        let parent = std::fs::metadata(fake.path("state")).unwrap().permissions().mode();
        assert_eq!(parent & 0o700, 0o700, "its parent under umask {umask}");
        for (path, mode) in tree(&fake.path("state/longshore")) {
            let wanted = if Path::new(&path).is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode & 0o777, wanted, "{path} under umask {umask}");
        }
    }
}

#[test]
fn a_state_directory_that_others_may_write_is_refused() {
    let fake = Fake::new();
    fake.ended_run("exit 0");
    let dir = fake.path("state/longshore");
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o777)).unwrap();
    let ran = fake.run(&fake.run_args("exit 0", &["--json"])).code(1);
    assert_failure_document(&ran, "state");
    let list = fake.run(&["exec", "list", "--json"]).code(1);
    assert_failure_document(&list, "state");
    snapshot!(fake, ran, list);
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_state_directory_of_another_user_is_refused() {
    let fake = Fake::new();
    let dir = fake.path("state/longshore");
    std::fs::create_dir_all(&dir).unwrap();
    if std::os::unix::fs::chown(&dir, Some(12345), None).is_err() {
        return skipped("only root can give a directory away");
    }
    let ran = fake.run(&fake.run_args("exit 0", &["--json"])).code(1);
    assert_failure_document(&ran, "state");
    snapshot!(fake, ran);
    std::fs::remove_dir(dir).unwrap();
}

#[test]
fn secrets_are_in_the_program_and_nowhere_else() {
    let mut fake = Fake::new();
    fake.set("FROM_CALLER", "hunter2-caller");
    let file = fake.write("vars", "FROM_FILE='hunter2-file'\nHTTP_PROXY=hunter2-proxy\n");
    let script = fake.gated(
        r#"echo "${FROM_FLAG#hunter2-} ${FROM_FILE#hunter2-} ${FROM_CALLER#hunter2-} ${HTTP_PROXY#hunter2-}""#,
        "",
    );
    let more = ["-e", "FROM_FLAG=hunter2-flag", "-e", "FROM_CALLER", "--env-file", file.to_str().unwrap()];
    let id = fake.start_with(&script, &more);
    fake.wait_for_output(&id, "flag file caller proxy");
    let commands: String = fake.processes().into_iter().map(|process| process.command + "\n").collect();
    assert!(commands.contains("__supervise") && !commands.contains("hunter2"), "{commands}");
    let calls = fake.calls().join("\n");
    assert!(calls.contains("--env=FROM_FLAG ") && !calls.contains("hunter2"), "{calls}");
    fake.open_gate();
    fake.end_of(&id);
    fake.wait_until_quiet();
    for (path, _) in tree(&fake.path("state")).into_iter().filter(|(path, _)| Path::new(path).is_file()) {
        let bytes = std::fs::read(&path).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"), "a secret was written to {path}");
    }
    let told = fake.run(&["--verbose", "exec", "inspect", &id]).code(0);
    assert!(!told.stdout.contains("hunter2") && !told.stderr.contains("hunter2"));
}

#[test]
fn dry_runs_and_traces_show_no_secret() {
    let fake = Fake::new();
    let args = fake.run_args("exit 0", &["-e", "TOKEN=hunter2", "--dry-run", "--verbose"]);
    let ran = fake.run(&args).code(0);
    assert!(!ran.stdout.contains("hunter2") && !ran.stderr.contains("hunter2"));
    // The command line that was typed has it, of course.
    snapshot!(fake, ran);
}

#[test]
fn a_log_is_exact_on_a_pipe_and_without_control_characters_on_a_terminal() {
    let fake = Fake::new();
    let escapes = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\u{9b}5n\r\u{202e}";
    let id = fake.ended_run(&format!("printf '%s\\n' '{escapes}'; exit 3"));
    assert_eq!(fake.log(&id), format!("{escapes}\n").as_bytes());
    let args = ["exec", "logs", &id].map(str::to_owned);
    snapshot!(fake, at_terminal(&fake, &args).code(0));
}

#[test]
fn an_engines_message_reaches_a_terminal_without_control_characters() {
    let fake = Fake::new();
    let words = "\x1b]0;owned\x07gone";
    fake.scenario(json!({"rules": [{"call": "image inspect", "exit": 1, "stderr": words}, {"call": "version", "exit": 1, "stderr": words}]}));
    let ran = fake.run(&fake.run_args("exit 0", &[])).code(1);
    assert!(!ran.stderr.contains('\x1b'), "{:?}", ran.stderr);
    fake.scenario(json!({"startError": [127, words]}));
    let id = fake.ended_run("exit 0");
    let shown = [vec!["exec", "list"], vec!["exec", "inspect", &id]].map(|args| {
        let args: Vec<String> = args.into_iter().map(str::to_owned).collect();
        let shown = at_terminal(&fake, &args).code(0);
        assert!(!shown.stdout.contains("\x1b]0;"), "{shown:?}");
        shown
    });
    snapshot!(fake, ran, together(shown));
}

/// Every path below a directory, with its mode.
fn tree(dir: &Path) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let data = entry.metadata().unwrap();
        found.push((entry.path().to_string_lossy().into_owned(), data.mode()));
        if data.is_dir() {
            found.extend(tree(&entry.path()));
        }
    }
    found.sort();
    found
}
