//! What a program finds when it runs, how it ends, and how it is ended.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Stdio;

use serde_json::{Value, json};

use super::processes;
use crate::support::real::Real;
use crate::support::{schema, wait_until};

/// Waits for a file in the input directory, which the test writes.
const WAIT_FOR_GO: &str = "import os, time\nwhile not os.path.exists('data/go'): time.sleep(0.05)\n";

#[test]
fn arguments_and_variables_arrive_exactly_and_values_stay_secret() {
    let mut real = Real::new();
    let secret = format!("hush-{}\nsecond \"line\" $HOME \\ 'x'\n", real.name("secret"));
    let mark = secret.lines().next().unwrap().to_owned();
    real.set("MULTI", &secret);
    real.set("UNTOUCHED", "never handed over");
    let file = real.write(
        "env.txt",
        "# a comment\nFILED=\"quoted # value\"\nPLAIN=a b  # comment\nOVER=file\n\nexport EXPORTED='$x'\n",
    );
    let code = format!(
        "import json, os, sys\nprint(json.dumps([sys.argv[1:], dict(os.environ)]), file=open('output/seen', 'w'))\n{WAIT_FOR_GO}"
    );
    std::fs::create_dir(real.path("input")).unwrap();
    let (input, output) = (real.path("input"), real.path("output"));
    let id = real.start(
        &code,
        &[
            "--input",
            input.to_str().unwrap(),
            "--output",
            output.to_str().unwrap(),
            "--env-file",
            file.to_str().unwrap(),
            "-e",
            "MULTI",
            "-e",
            "ABSENT",
            "-e",
            "OVER=flag",
            "-e",
            "EMPTY=",
            "-e",
            "DOCKER_HOST=tcp://not-the-clients:1",
            "--",
            "--flag",
            "two words",
            "",
            "é\n\"quoted\"",
            "--",
            "$HOME",
            "-v",
        ],
    );
    wait_until("the program has begun", || std::fs::metadata(output.join("seen")).is_ok_and(|seen| seen.len() > 1));
    // While it runs: in no command line, in no file but the engine's own words on the container.
    for (_, words) in processes() {
        assert!(!words.iter().any(|word| word.contains(&mark)), "{words:?}");
    }
    real.write("input/go", "");
    assert_eq!(real.wait(&id).1, 0);
    let seen: Value = serde_json::from_slice(&std::fs::read(output.join("seen")).unwrap()).unwrap();
    assert_eq!(seen[0], json!(["--flag", "two words", "", "é\n\"quoted\"", "--", "$HOME", "-v"]));
    let env = &seen[1];
    for (key, value) in [
        ("MULTI", secret.as_str()),
        ("FILED", "quoted # value"),
        ("PLAIN", "a b"),
        ("EXPORTED", "$x"),
        ("OVER", "flag"),
        ("EMPTY", ""),
        ("DOCKER_HOST", "tcp://not-the-clients:1"),
        ("PYTHONUNBUFFERED", "1"),
        ("HOME", "/tmp"),
        ("USER", "tester"),
    ] {
        assert_eq!(env[key], value, "{key}");
    }
    assert!(env.get("ABSENT").is_none() && env.get("UNTOUCHED").is_none());
    for entry in std::fs::read_dir(real.job("run", &id)).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        let text = String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).into_owned();
        assert!(entry.file_name() == "inspect.json" || !text.contains(&mark), "{:?}", entry.path());
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.path());
    }
    let inspected = real.inspect(&id);
    for part in ["Path", "Args", "Longshore"] {
        assert!(!inspected[part].to_string().contains(&mark), "{part}");
    }
}

#[test]
fn a_run_is_run_again_with_what_is_changed() {
    let mut real = Real::new();
    let code = "import os, sys\nopen('output/seen', 'a').write(f'{sys.argv[1:]} {os.environ[\"TOKEN\"]}\\n')\n";
    let output = real.path("output");
    let flags = ["--output", output.to_str().unwrap(), "-e", "TOKEN=first", "--memory", "64m", "--keep", "--", "1"];
    let first = real.start(code, &flags);
    assert_eq!(real.wait(&first).1, 0);
    real.run(&["exec", "rerun", &first]).code(2);
    real.set("TOKEN", "second");
    let same = real.run(&["exec", "rerun", &first, "--wait", "--json"]).code(0).json();
    let changed =
        real.run(&["exec", "rerun", &first, "--memory", "128m", "--wait", "--json", "--", "2"]).code(0).json();
    assert_eq!(std::fs::read_to_string(output.join("seen")).unwrap(), "['1'] first\n['1'] second\n['2'] second\n");
    assert_eq!((&same["rerunOf"], &same["labels"]), (&json!(first), &real.labels()));
    let container = |id: &Value| real.inspect(id.as_str().unwrap());
    let (old, new, other) = (real.inspect(&first), container(&same["exec_id"]), container(&changed["exec_id"]));
    // Everything that the engine was asked for is the same.
    assert_eq!(new["HostConfig"], old["HostConfig"]);
    for part in ["Cmd", "Entrypoint", "Image", "User", "WorkingDir"] {
        assert_eq!(new["Config"][part], old["Config"][part], "{part}");
    }
    assert_eq!(other["HostConfig"]["Memory"], 128 << 20);
}

#[test]
fn limits_and_the_network_are_as_asked() {
    let real = Real::new();
    let code = concat!(
        "import json, os, socket\n",
        "shm = os.statvfs('/dev/shm')\n",
        "print(json.dumps([shm.f_blocks * shm.f_frsize, [name for _, name in socket.if_nameindex()]]))\n",
    );
    let flags = ["--cpus", "0.75", "--memory", "64m", "--shm-size", "5m", "--network", "none", "--label", "team=a,b=c"];
    let ran = real.finish(code, &[&flags[..], &["--log-driver", "json-file"]].concat()).code(0);
    let ran = schema::validated("exec-run", ran.json());
    assert_eq!((&ran["success"], &ran["exitCode"], &ran["labels"]["team"]), (&json!(true), &json!(0), &json!("a,b=c")));
    let id = ran["exec_id"].as_str().unwrap();
    assert_eq!(String::from_utf8(real.log(id)).unwrap(), "[5242880, [\"lo\"]]\n");
    let inspected = real.inspect(id);
    let host = &inspected["HostConfig"];
    assert_eq!(
        (&host["NanoCpus"], &host["Memory"], &host["ShmSize"]),
        (&json!(750_000_000), &json!(64 << 20), &json!(5 << 20))
    );
    assert_eq!(
        (&host["LogConfig"]["Type"], &host["Init"], &host["AutoRemove"]),
        (&json!("json-file"), &json!(true), &json!(false))
    );
    assert_eq!(inspected["Config"]["Labels"]["team"], "a,b=c");
    let filtered = real.run(&["exec", "list", "-q", "--filter", "label=team=a,b=c"]).code(0);
    assert_eq!(filtered.id(), id);
}

#[test]
fn a_program_that_takes_too_much_memory_ends_with_137_and_the_reason() {
    let real = Real::new();
    let ran = real.finish("print('before')\nblock = bytearray(300 << 20)\nprint('after')", &["--memory", "32m"]);
    let job = ran.json();
    assert_eq!((ran.code, &job["exitCode"], &job["outcome"]), (137, &json!(137), &json!("failed")), "{job:#}");
    assert_eq!((&job["reason"], &job["signal"]), (&json!("killed: out of memory, limit 32 MiB"), &json!(9)));
    assert_eq!(real.log(job["id"].as_str().unwrap()), b"before\n");
}

#[test]
fn a_time_limit_ends_the_run_with_124() {
    let real = Real::new();
    let ran = real.finish("import time\nprint('begun')\ntime.sleep(300)", &["--timeout", "1s"]);
    let job = ran.json();
    assert_eq!((ran.code, &job["outcome"], &job["exitCode"]), (124, &json!("timeout"), &json!(143)), "{job:#}");
    assert_eq!(job["reason"], "its time limit passed");
    assert_eq!(real.wait(job["id"].as_str().unwrap()).1, 124);
    // The time limit of a wait does not end the run.
    let id = real.start("import time; time.sleep(300)", &[]);
    let waited = real.run(&["exec", "wait", &id, "--timeout", "200ms", "--json"]).code(124);
    assert_eq!(schema::validated("error", waited.json())["error"]["kind"], "timeout");
    assert_eq!(real.inspect(&id)["Longshore"]["status"], "running");
    real.run(&["exec", "kill", &id]).code(0);
}

#[test]
fn a_run_has_the_callers_ids_or_the_images_or_those_asked_for() {
    let real = Real::new();
    let code = "import os; print(os.getuid(), os.getgid(), os.environ['HOME'])";
    let caller = std::fs::metadata(real.path("home")).unwrap();
    let truth = [
        (vec![], format!("{} {} /tmp\n", caller.uid(), caller.gid())),
        (vec!["--user", "image"], "0 0 /root\n".to_owned()),
        (vec!["--user", "1234:5678"], "1234 5678 /tmp\n".to_owned()),
    ];
    let ids: Vec<String> = truth.iter().map(|(flags, _)| real.start(code, flags)).collect();
    for ((flags, said), id) in truth.iter().zip(&ids) {
        assert_eq!(real.wait(id).1, 0, "{flags:?}");
        assert_eq!(String::from_utf8(real.log(id)).unwrap(), *said, "{flags:?}");
    }
}

#[test]
fn the_exit_code_is_the_programs_own() {
    let real = Real::new();
    let endings = [
        ("raise SystemExit(42)", 42, json!("failed"), json!(null), json!(null)),
        ("raise ValueError('no')", 1, json!("failed"), json!(null), json!(null)),
        ("raise SystemExit(125)", 125, json!("failed"), json!(null), json!(null)),
        ("import os; os.kill(os.getpid(), 9)", 137, json!("failed"), json!(9), json!("killed by signal SIGKILL")),
        (
            "import os; os.abort()",
            134,
            json!("failed"),
            json!(6),
            json!("exit code 134: killed by signal SIGABRT, or its own exit code"),
        ),
    ];
    let ids: Vec<String> = endings.iter().map(|(program, ..)| real.start(program, &[])).collect();
    for ((program, code, outcome, signal, reason), id) in endings.iter().zip(&ids) {
        let (job, passed_on) = real.wait(id);
        assert_eq!((passed_on, &job["exitCode"]), (*code, &json!(code)), "{program}");
        assert_eq!((&job["outcome"], &job["signal"], &job["reason"]), (outcome, signal, reason), "{program}");
    }
    assert!(real.says(&ids[1], "ValueError: no\n"));
    let followed = real.run(&["exec", "logs", "--follow", "--exit-code", &ids[0]]);
    assert_eq!((followed.code, followed.stdout.as_str()), (42, ""));
    let unseen = real.finish("print('x')\nraise SystemExit(3)", &[]).code(3);
    assert_eq!(unseen.json()["success"], json!(false));
    assert!(unseen.stderr.contains("did not succeed: failed with status 3\n  x\n"), "{}", unseen.stderr);
}

#[test]
fn an_image_without_python_ends_with_127_and_says_so() {
    let real = Real::new();
    let name = real.image("empty", &format!("FROM scratch\nLABEL {}\n", real.label()));
    let ran = real.run(&real.run_args_in(&name, &real.source(""), &["--wait", "--json"]));
    let job = ran.json();
    assert_eq!((ran.code, &job["outcome"], &job["exitCode"]), (127, &json!("failed"), &json!(127)), "{job:#}");
    assert!(real.says(job["id"].as_str().unwrap(), "python3"));
}

#[test]
fn follow_shows_the_output_while_it_runs_and_ends_with_the_code() {
    let real = Real::new();
    std::fs::create_dir(real.path("input")).unwrap();
    let (input, file) = (real.path("input"), real.path("id"));
    let flags = ["--follow", "--input", input.to_str().unwrap(), "--id-file", file.to_str().unwrap()];
    let code = format!("print('early')\n{WAIT_FOR_GO}print('late')\nraise SystemExit(5)");
    let args = real.run_args(&real.source(&code), &flags);
    let mut command = real.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 6];
    std::io::Read::read_exact(command.stdout.as_mut().unwrap(), &mut first).unwrap();
    assert_eq!(&first, b"early\n", "shown while it runs");
    // An id file is never written over, and without it nothing is started.
    let taken = real.run(&args).code(125);
    assert!(taken.stderr.contains("the file exists"), "{}", taken.stderr);
    assert_eq!(real.run(&["exec", "list", "-q"]).code(0).stdout, std::fs::read_to_string(&file).unwrap());
    real.write("input/go", "");
    let output = command.wait_with_output().unwrap();
    assert_eq!((output.stdout.as_slice(), output.status.code()), (&b"late\n"[..], Some(5)));
}

#[test]
fn input_is_read_only_and_paths_may_have_odd_names() {
    let real = Real::new();
    let odd = "a:b,\"c d\n";
    let code = concat!(
        "import os\n",
        "try: open('data/new', 'w')\n",
        "except OSError as error: print(error.strerror)\n",
        "print(open('/app/data/in').read())\n",
        "open('output/out', 'w').write('made')\n",
        "open('beside', 'w').write('made')\n",
    );
    let source = real.write(&format!("{odd}/main.py"), code).parent().unwrap().to_owned();
    let input = real.write(&format!("in {odd}/in"), "given").parent().unwrap().to_owned();
    let output = real.path(&format!("out {odd}/deep"));
    let flags = ["--input", input.to_str().unwrap(), "--output", output.to_str().unwrap(), "--follow"];
    let ran = real.run(&real.run_args(&source, &flags)).code(0);
    assert_eq!(ran.stdout, "Read-only file system\ngiven\n");
    assert_eq!(std::fs::read_to_string(output.join("out")).unwrap(), "made");
    assert_eq!(std::fs::read_to_string(source.join("beside")).unwrap(), "made");
    // The mount points are not left in the source tree.
    wait_until("the mount points are gone", || !["data", "output"].iter().any(|place| source.join(place).exists()));
}

#[test]
fn stop_sends_term_and_then_kill_and_kill_sends_the_given_signal() {
    let real = Real::new();
    let listening = concat!(
        "import signal, time\n",
        "signal.signal(signal.SIGTERM, lambda *_: print('asked'))\n",
        "signal.signal(signal.SIGUSR1, lambda *_: print('told'))\n",
        "print('ready')\n",
        "while True: time.sleep(0.05)\n",
    );
    let ids: Vec<String> = (0..2).map(|_| real.start(listening, &[])).collect();
    let plain = real.start("import time\nprint('ready')\ntime.sleep(300)", &["--name", "plain"]);
    for id in ids.iter().chain([&plain]) {
        wait_until("the program has begun", || real.says(id, "ready\n"));
    }
    let stopped = schema::validated("done", real.run(&["exec", "stop", "plain", "--json"]).code(0).json());
    assert_eq!(stopped, json!({"success": true, "id": plain}));
    let (job, code) = real.wait(&plain);
    assert_eq!((code, &job["outcome"], &job["exitCode"]), (143, &json!("cancelled"), &json!(143)));
    assert_eq!((&job["reason"], &job["signal"]), (&json!("ended by longshore exec stop"), &json!(15)));

    real.run(&["exec", "kill", "-s", "USR1", &ids[0]]).code(0);
    wait_until("the signal has come", || real.says(&ids[0], "told\n"));
    assert_eq!(real.inspect(&ids[0])["Longshore"]["status"], "running");
    real.run(&["exec", "stop", "-t", "1", &ids[0]]).code(0);
    let (job, code) = real.wait(&ids[0]);
    assert_eq!((code, &job["outcome"], &job["exitCode"]), (137, &json!("cancelled"), &json!(137)));
    assert!(real.says(&ids[0], "asked\n"));

    let killed = schema::validated("done", real.run(&["exec", "kill", &ids[1], "--json"]).code(0).json());
    assert_eq!(killed["id"], json!(ids[1]));
    let (job, code) = real.wait(&ids[1]);
    assert_eq!(
        (code, &job["outcome"], &job["reason"]),
        (137, &json!("cancelled"), &json!("ended by longshore exec kill"))
    );
    for verb in ["stop", "kill"] {
        let late = real.run(&["exec", verb, &ids[1], "--json"]).code(1);
        let error = schema::validated("error", late.json());
        assert_eq!(error["error"]["kind"], "conflict");
        assert_eq!(error["error"]["message"], format!("run {} is not running (cancelled (137))", ids[1]));
    }
    wait_until("every container is gone", || real.containers().is_empty());
}

#[test]
fn forget_of_a_running_program_stops_nothing_and_removes_all_when_it_ends() {
    let real = Real::new();
    std::fs::create_dir(real.path("input")).unwrap();
    let (input, output) = (real.path("input"), real.path("output"));
    let flags = ["--input", input.to_str().unwrap(), "--output", output.to_str().unwrap()];
    let code = format!("print('ready')\n{WAIT_FOR_GO}open('output/done', 'w')");
    let id = real.start(&code, &flags);
    wait_until("the program has begun", || real.says(&id, "ready\n"));
    real.run(&["exec", "forget", &id]).code(0);
    assert_eq!(real.run(&["exec", "list", "-q"]).code(0).stdout, "");
    assert_eq!(real.inspect(&id)["State"]["Status"], "running", "it can be reached by its id");
    assert_eq!(real.containers().len(), 1);
    assert!(!output.join("done").exists());
    real.write("input/go", "");
    wait_until("it has done its work", || output.join("done").exists());
    wait_until("the container is gone", || real.containers().is_empty());
    let job = real.job("run", &id);
    wait_until("nothing of the run is left", || !job.exists());
}

#[test]
fn a_kept_container_stays_and_the_engine_may_keep_no_log() {
    let real = Real::new();
    let id = real.start("print('said')", &["--keep", "--log-driver", "none", "--name", "kept"]);
    let (job, code) = real.wait("kept");
    assert_eq!((code, &job["id"], &job["name"]), (0, &json!(id), &json!("kept")));
    assert_eq!((&job["outcome"], &job["log"]), (&json!("succeeded"), &json!("complete")));
    assert_eq!(real.log("latest"), b"said\n");
    assert_eq!(real.containers(), [job["containerId"].as_str().unwrap()]);
    let inspected = real.inspect(&id[..6]);
    assert_eq!(inspected["HostConfig"]["LogConfig"]["Type"], "none");
    assert_eq!(inspected["Config"]["Labels"]["longshore.name"], "kept");
    real.run(&["exec", "forget", "kept"]).code(0);
    assert_eq!(real.containers().len(), 1, "forget removes no container that was to be kept");
}

#[test]
fn a_run_whose_container_was_removed_by_another_program_did_not_succeed() {
    let real = Real::new();
    let id = real.start("import time\nprint('ready')\ntime.sleep(300)", &[]);
    wait_until("the program has begun", || real.says(&id, "ready\n"));
    real.docker_says(&["rm", "--force", &format!("longshore-{id}")]);
    let (job, code) = real.wait(&id);
    assert_eq!(job["status"], "exited");
    assert_ne!(job["outcome"], "succeeded");
    assert_ne!(code, 0);
    real.inspect(&id);
}

#[test]
fn after_the_state_directory_was_removed_the_readmes_command_lists_what_is_left() {
    let readme = include_str!("../../../README.md");
    let command = readme.lines().find(|line| line.starts_with("docker ps --all ")).expect("the README has a command");
    let real = Real::new();
    let id = real.start("import time\nprint('on')\ntime.sleep(600)", &[]);
    wait_until("the program runs", || real.says(&id, "on"));
    // A container that has the label from its image, as one that was committed from a run, is none of ours.
    let label = format!("longshore.run={id}");
    let other = real.docker_made(&["create"], "other", &["--label", &label], &["true"]);
    std::fs::remove_dir_all(real.path("state")).unwrap();
    assert_eq!(real.run(&["exec", "list", "-q"]).code(0).stdout, "");
    let words: Vec<&str> = command
        .split(' ')
        .skip(1)
        .map(|word| word.trim_matches('\''))
        .chain(["--no-trunc", "--format", "{{.ID}} {{.Names}}"])
        .collect();
    let listed = real.docker_says(&words);
    assert!(listed.lines().any(|line| line.ends_with(&format!(" longshore-{id}"))), "{listed}");
    assert!(!listed.contains(&other), "{listed}");
    assert!(listed.lines().all(|line| line.contains(" longshore-")), "{listed}");
    // Its supervisor ends with it, and leaves it to the caller.
    real.docker_says(&["kill", &format!("longshore-{id}")]);
    wait_until("the supervisor has gone", || {
        !processes().iter().any(|(_, words)| words.contains(&id) && words.iter().any(|word| word == "__supervise"))
    });
}
