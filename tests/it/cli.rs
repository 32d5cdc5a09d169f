//! The conventions: exit codes, messages, JSON, selectors, and what a command costs.

use std::io::Read as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::fake::{Fake, Process, assert_failure_document, job_ids};
use crate::support::snapshots::{snapshot, together};
use crate::support::{Ran, schema, wait_until};

#[test]
fn a_usage_error_is_one_line_and_a_hint_and_exits_with_2() {
    let fake = Fake::new();
    let cases: [&[&str]; 12] = [
        &["exec", "lits"],
        &["image", "create", "--bsae", "x"],
        &["exec", "list", "-n", "many"],
        &["exec", "logs", "x", "--tail", "-3"],
        &["exec", "logs", "x", "--tail", "1.5"],
        &["exec", "logs"],
        // This one passes a program's code on.
        &["exec", "logs", "x", "--exit-code"],
        &["exec", "list", "--filter", "status"],
        &["exec", "list", "--filter", "colour=red"],
        &["exec", "list", "--status", "dead"],
        &["exec", "list", "--context", "a", "--host", "b"],
        &["exec", "kill", "x", "-s", "NOSUCH"],
    ];
    snapshot!(fake, together(cases.map(|args| fake.run(args))));
    for args in cases {
        let ran = fake.run(&[args, &["--json"]].concat());
        assert_failure_document(&ran, "usage");
    }
    assert!(!fake.path("state").exists(), "a usage error made the state directory");
    assert_eq!(fake.calls(), Vec::<String>::new());
}

#[test]
fn a_usage_error_of_a_verb_that_passes_codes_on_exits_with_125() {
    let fake = Fake::new();
    let cases: [&[&str]; 6] = [
        &["exec", "wait", "--timeout", "soon"],
        &["exec", "wait"],
        &["image", "wait", "--any"],
        &["exec", "run", "--wait", "--mian", "x"],
        &["exec", "run", "--wait"],
        &["image", "create", "web", "--wait"],
    ];
    snapshot!(fake, together(cases.map(|args| fake.run(args).code(125))));
    for args in cases {
        assert_failure_document(&fake.run(&[args, &["--json"]].concat()).code(125), "usage");
    }
}

#[test]
fn help_and_version_are_data() {
    let fake = Fake::new();
    snapshot!(fake, fake.run(&["--version"]), fake.run(&["-h"]), fake.run(&["exec", "-h"]));
    // The man pages hold every help text.
    for args in [["--help"].as_slice(), &["exec", "run", "--help"], &["image", "-h"]] {
        let ran = fake.run(args).code(0);
        assert!(!ran.stdout.is_empty() && ran.stderr.is_empty(), "{args:?}: {ran:?}");
    }
}

#[test]
fn a_spec_is_checked_key_by_key() {
    let fake = Fake::new();
    fake.write("src/main.py", "");
    let run = json!({"srcPath": "src", "mainSrc": "main.py", "imageTag": "base"});
    let build = json!({"name": "web", "baseImage": "base"});
    let with = |base: &Value, key: &str, value: Value| {
        let mut spec = base.clone();
        spec[key] = value;
        spec.to_string()
    };
    let cases = [
        ("exec run", with(&run, "mainsrc", json!("x"))),
        ("exec run", json!({"srcpath": "src"}).to_string()),
        ("exec run", run.to_string().replace('{', "{\"mainSrc\": 1, ")),
        ("exec run", r#"{"env": {"A": "1", "A": "1"}}"#.into()),
        ("exec run", r#"{"labels": {"a": "1", "a": "2"}}"#.into()),
        ("exec run", with(&run, "network", json!("host"))),
        ("exec run", with(&run, "timeout", json!(0))),
        ("exec run", with(&run, "args", json!("x"))),
        ("exec run", with(&run, "args", json!([1]))),
        ("exec run", with(&run, "env", json!({"A": 1}))),
        ("exec run", with(&run, "imageTag", json!(""))),
        ("exec run", with(&run, "imageTag", json!(7))),
        ("exec run", with(&run, "\u{1b}[2J", json!(7))),
        ("exec run", "[]".into()),
        ("exec run", "{".into()),
        ("image create", with(&build, "baseimage", json!("x"))),
        ("image create", json!({"nmae": "web"}).to_string()),
        ("image create", with(&build, "baseImage", json!("Python:3"))),
        ("image create", with(&build, "update", json!("yes"))),
        ("image create", with(&build, "name", Value::Null)),
        ("container create", r#"{"Image": "a", "HostConfig": {"Memory": 1, "Memory": 2}}"#.into()),
    ];
    let answers = cases.iter().map(|(command, spec)| {
        let args: Vec<&str> = command.split(' ').chain(["--spec", "-"]).collect();
        let ran = fake.run_with(&args, spec.as_bytes()).code(2);
        assert_eq!(ran.stdout, "");
        format!("{spec}\n{ran}")
    });
    snapshot!(fake, together(answers), fake.run(&["exec", "run", "--spec", "absent.json"]));
    assert!(job_ids(&fake.jobs("run")).is_empty() && job_ids(&fake.jobs("build")).is_empty());
}

#[test]
fn a_spec_does_what_the_flags_do_and_flags_win() {
    let fake = Fake::new();
    fake.write("src/main.py", "echo \"$1 $A $B\"; exit 3");
    let spec = json!({"srcPath": "src", "mainSrc": "main.py", "imageTag": "base", "inputPath": "", "outputPath": null,
        "args": ["one"], "env": {"A": "a", "B": "b"}, "labels": {"k": "v"}, "name": "filed", "timeout": 60});
    let args = ["exec", "run", "--spec", "-", "--json", "--name", "given", "-e", "B=c"];
    let answer = fake.run_with(&args, spec.to_string().as_bytes()).code(0).json();
    assert_eq!(answer.as_object().unwrap().keys().collect::<Vec<_>>(), ["exec_id"]);
    let id = answer["exec_id"].as_str().unwrap();
    let view = fake.end_of("given");
    assert_eq!((view["id"].as_str().unwrap(), &view["exitCode"]), (id, &3.into()));
    assert_eq!((&view["name"], &view["labels"]), (&"given".into(), &json!({"k": "v"})));
    assert_eq!(fake.log(id), b"one a c\n");
}

#[test]
fn a_build_answers_as_the_contract_has_it() {
    let fake = Fake::new();
    let created = fake.run(&["image", "create", "web", "--base", "base", "--json"]);
    fake.end_of_build("web");
    let (status, logs) =
        (fake.run(&["image", "status", "web", "--json"]), fake.run(&["image", "logs", "web", "--json"]));
    assert_eq!(logs.json()["lines"], status.json()["lines"]);
    snapshot!(fake, created, status, logs, fake.run(&["image", "list", "--json"]));
}

#[test]
fn of_several_ids_each_is_done_and_any_failure_exits_with_1() {
    let fake = Fake::new();
    let ids = [fake.ended_run("exit 0"), fake.ended_run("exit 3"), fake.ended_run("exit 0")];
    snapshot!(
        fake,
        fake.run(&["exec", "wait", &ids[0], &ids[1]]).code(1),
        fake.run(&["exec", "wait", "nosuch", &ids[0]]).code(1),
        fake.run(&["exec", "wait", "--json", "nosuch", &ids[0]]).code(1),
        fake.run(&["exec", "wait", "nosuch"]).code(125),
        fake.run(&["exec", "forget", &ids[0], "nosuch", &ids[1]]).code(1),
        fake.run(&["exec", "forget", "--json", "nosuch", &ids[2]]).code(1),
    );
}

#[test]
fn a_failed_job_that_was_waited_for_is_one_json_document_with_the_job_and_the_error() {
    let fake = Fake::new();
    let failed = fake.run(&fake.run_args("exit 3", &["--wait", "--json"])).code(3);
    assert_failure_document(&failed, "failed");
    schema::validated("exec-run", failed.json());
    let succeeded = fake.run(&fake.run_args("exit 0", &["--wait", "--json"])).code(0);
    schema::validated("exec-run", succeeded.json());
    fake.scenario(json!({"build": {"script": "echo no >&2; exit 1"}}));
    let build = fake.run(&["image", "create", "web", "--base", "base", "--wait", "--json"]).code(1);
    assert_failure_document(&build, "failed");
    schema::validated("image-create", build.json());
    snapshot!(fake, failed, succeeded, build);
}

#[test]
fn wait_and_follow_print_the_id_before_the_run_ends() {
    let fake = Fake::new();
    for (stay, talks) in [("--wait", false), ("--follow", true)] {
        let script = format!("echo on\nwhile ! [ -e {} ]; do sleep 0.02; done", fake.engine(stay).display());
        let mut command = fake.command(&fake.run_args(&script, &[stay]));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let mut told = [0; 12];
        let (first, from) = if talks { (4, &mut stderr as &mut dyn std::io::Read) } else { (0, &mut stdout as _) };
        from.read_exact(&mut [0; 4][..first]).unwrap();
        from.read_exact(&mut told).unwrap();
        let id = fake.run(&["exec", "list", "-q", "-n", "1"]).code(0).id();
        assert_eq!(String::from_utf8_lossy(&told), id, "{stay}");
        assert_eq!(fake.status_of(&id)["status"], "running");
        std::fs::write(fake.engine(stay), "").unwrap();
        let (mut out, mut err) = (String::new(), String::new());
        stdout.read_to_string(&mut out).unwrap();
        stderr.read_to_string(&mut err).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert_eq!((out.as_str(), err.as_str()), if talks { ("on\n", "\n") } else { ("\n", "") }, "{stay}");
    }
}

#[test]
fn wait_passes_the_programs_code_on() {
    let fake = Fake::new();
    for code in [0, 1, 2, 42, 124, 125, 126, 255] {
        fake.run(&fake.run_args(&format!("exit {code}"), &["--wait"])).code(code);
        fake.run(&["exec", "wait", "latest"]).code(code);
        fake.run(&["exec", "logs", "--follow", "--exit-code", "latest"]).code(code);
    }
    let id = fake.start(&fake.gated("echo on", "exit 0"));
    snapshot!(fake, fake.run(&["exec", "wait", "--timeout", "50ms", &id]).code(124));
    fake.run(&["exec", "list", "latest"]).code(2);
    fake.open_gate();
}

#[test]
fn a_job_is_named_by_latest_by_its_name_and_by_a_unique_prefix() {
    let fake = Fake::new();
    let ran = fake.run(&["exec", "inspect", "latest", "--json"]).code(1);
    assert_failure_document(&ran, "not-found");
    let mut ids = vec![fake.start_with("exit 0", &["--name", "first"])];
    // More jobs than first characters, so that two share theirs.
    for id in 1..34 {
        let mut record: Value =
            serde_json::from_slice(&std::fs::read(fake.job("run", &ids[0]).join("job.json")).unwrap()).unwrap();
        let made = format!("{}z{id:010}", if id < 33 { 'a' } else { 'b' });
        record["id"] = made.as_str().into();
        record["name"] = Value::Null;
        fake.write(&format!("state/longshore/run/{made}/job.json"), record.to_string());
        ids.push(made);
    }
    assert_eq!(fake.end_of("first")["id"], ids[0].as_str());
    let inspected = |typed: &str| fake.run(&["exec", "inspect", typed]).code(0).json()["Longshore"]["id"].clone();
    assert_eq!(inspected("latest"), ids[0].as_str());
    assert_eq!(inspected("az0000000003"), "az0000000003");
    assert_eq!(inspected("az00000000032"[..12].trim_end()), "az0000000003");
    assert_eq!(inspected("bz"), "bz0000000033");
    let ran = fake.run(&["exec", "inspect", "az00", "--json"]).code(1);
    assert_failure_document(&ran, "ambiguous");
    snapshot!(fake, ran);
    // No process made them, and the engine need not be asked about each.
    ids[1..].iter().for_each(|made| std::fs::remove_dir_all(fake.job("run", made)).unwrap());
}

#[test]
fn an_image_is_named_with_and_without_the_tag_latest_and_shown_without_it() {
    let fake = Fake::new();
    let created = fake.run(&["image", "create", "docker.io/library/web:latest", "--base", "base:latest", "--wait"]);
    assert_eq!(created.code(0).stdout, "web\n");
    for typed in ["web", "web:latest", "docker.io/library/web"] {
        let status = fake.run(&["image", "status", typed, "--json"]).code(0).json();
        assert_eq!((&status["name"], &status["image"]), (&json!("web"), &json!("base")), "{typed}");
    }
    for filter in ["name=web", "name=web:latest", "image=base", "image=base:latest"] {
        let found = fake.run(&["image", "builds", "--filter", filter, "--json"]).code(0).json();
        assert_eq!(found.as_array().unwrap().len(), 1, "{filter}");
    }
    assert_eq!(fake.run(&["image", "builds", "--filter", "name=web:1", "--json"]).code(0).json(), json!([]));
}

#[test]
fn lists_filter_by_flags_and_show_the_last_n() {
    let fake = Fake::new();
    assert_eq!(fake.run(&["exec", "list", "--json"]).code(0).stdout, "[]\n");
    assert_eq!(fake.run(&["exec", "list", "-q"]).code(0).stdout, "");
    let good = fake.start_with("exit 0", &["--name", "good-one", "--label", "team=red"]);
    let bad = fake.start_with("exit 3", &["--name", "bad-one", "--label", "team=blue"]);
    fake.end_of(&good);
    fake.end_of(&bad);
    let running = fake.start_with(&fake.gated("echo on", ""), &["--label", "team=blue"]);
    wait_until("it is known when it started", || fake.job("run", &running).join("begun.json").exists());
    let list = |args: &[&str]| {
        let ran = fake.run(&[&["exec", "list", "-q"], args].concat()).code(0);
        ran.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(list(&[]), [running.as_str(), &bad, &good]);
    assert_eq!(list(&["-n", "2"]), [running.as_str(), &bad]);
    assert_eq!(list(&["-n", "0"]), Vec::<String>::new());
    assert_eq!(list(&["--status", "running"]), [running.as_str()]);
    assert_eq!(list(&["--status", "exited"]), [bad.as_str(), &good]);
    assert_eq!(list(&["--status", "failed", "--status", "succeeded"]), [bad.as_str(), &good]);
    assert_eq!(list(&["--filter", "outcome=failed"]), [bad.as_str()]);
    assert_eq!(list(&["--filter", "label=team=blue"]), [running.as_str(), &bad]);
    assert_eq!(list(&["--filter", "label=team", "--filter", "name=one"]), [bad.as_str(), &good]);
    assert_eq!(list(&["--filter", "label=team=blue", "--status", "exited"]), [bad.as_str()]);
    assert_eq!(list(&["--filter", &format!("id={}", &good[..9])]), [good.as_str()]);
    assert_eq!(list(&["--filter", "image=base"]).len(), 3);
    assert_eq!(list(&["--filter", "image=other"]), Vec::<String>::new());
    snapshot!(fake, fake.run(&["exec", "list"]).code(0));
    fake.open_gate();
}

#[test]
fn an_id_file_contains_the_id_and_is_never_overwritten() {
    let fake = Fake::new();
    let id = fake.start_with("exit 0", &["--id-file", "id"]);
    assert_eq!(std::fs::read_to_string(fake.path("id")).unwrap(), format!("{id}\n"));
    snapshot!(fake, fake.run(&fake.run_args("exit 0", &["--id-file", "id"])));
    assert_eq!(job_ids(&fake.jobs("run")), [id.as_str()]);
    assert_eq!(std::fs::read_to_string(fake.path("id")).unwrap(), format!("{id}\n"));
}

#[test]
fn an_id_file_that_cannot_be_written_starts_nothing() {
    let fake = Fake::new();
    // A missing directory, and one in which no file can be created.
    let answers = ["no/such/dir/id", "/proc/longshore-id"].map(|path| {
        let ran = fake.run(&fake.run_args("exit 0", &["--id-file", path]));
        assert_ne!(ran.code, 0);
        let build = fake.run(&["image", "create", "web", "--base", "base", "--id-file", path]).code(ran.code);
        together([ran, build])
    });
    snapshot!(fake, together(answers));
    fake.wait_until_quiet();
    assert_eq!(job_ids(&fake.jobs("run")), Vec::<String>::new(), "a job runs whose id was not printed");
    assert_eq!(job_ids(&fake.jobs("build")), Vec::<String>::new(), "a job runs whose id was not printed");
}

#[test]
fn an_id_file_is_not_left_by_what_could_not_be_started() {
    let fake = Fake::new();
    fake.take_engine_down();
    let run = fake.run(&fake.run_args("exit 0", &["--id-file", "id"])).code(1);
    let build = fake.run(&["image", "create", "web", "--base", "base", "--id-file", "id"]).code(1);
    snapshot!(fake, run, build);
    assert!(!fake.path("id").exists());
    fake.bring_engine_up();
}

#[test]
fn a_dry_run_starts_nothing_and_writes_nothing() {
    let fake = Fake::new();
    let text = fake.run(&fake.run_args("exit 0", &["--dry-run", "--output", "out"])).code(0);
    let document = fake.run(&fake.run_args("exit 0", &["--dry-run", "--json"])).code(0);
    assert_eq!(fake.calls(), Vec::<String>::new());
    let build = ["image", "create", "web", "--base", "base", "--pip", "numpy", "--dry-run"];
    let mut files = fake.run(&[&build[..], &["--json"]].concat()).code(0).json();
    let mut shown = fake.run(&build).code(0);
    // The script is a file of the project, and long.
    let script = files["files"]["step.sh"].as_str().unwrap();
    assert!(script.len() > 1000 && shown.stdout.contains(script));
    shown.stdout = shown.stdout.replace(script, "…\n");
    files["files"]["step.sh"] = "…".into();
    assert!(!fake.calls().iter().any(|call| call.contains("build ")), "{:?}", fake.calls());
    assert!(!fake.path("state").exists() && !fake.path("out").exists() && !fake.path("src/output").exists());
    snapshot!(fake, text, document, shown, format!("{files:#}\n"));
}

#[test]
fn exec_run_prints_its_id_after_one_engine_call() {
    let fake = Fake::new();
    // Whatever comes after the id would hang, were it asked before.
    fake.scenario(json!({"rules": [{"call": "version", "hang": true}, {"call": "info", "hang": true}]}));
    let id = fake.start(&fake.gated("echo on", "exit 0"));
    assert_eq!(fake.calls().iter().filter(|call| call.starts_with("image inspect")).count(), 1);
    let others = |call: &String| !["image inspect", "version", "info"].iter().any(|known| call.starts_with(known));
    assert!(!fake.calls().iter().any(others), "{:?}", fake.calls());
    wait_until("both questions hang", || fake.engine("rule-0").exists() && fake.engine("rule-1").exists());
    fake.scenario(json!({}));
    let hung = |process: &Process| [" version ", " info "].iter().any(|call| process.command.contains(call));
    for process in fake.processes().into_iter().filter(hung) {
        fake.kill(process.pid);
    }
    fake.open_gate();
    assert_eq!(fake.end_of(&id)["outcome"], "succeeded");
}

#[test]
fn a_finished_job_costs_no_engine_call() {
    let fake = Fake::new();
    let id = fake.ended_run("echo all; exit 0");
    fake.build("web");
    fake.end_of_build("web");
    fake.wait_until_quiet();
    fake.forget_calls();
    fake.take_engine_down();
    for args in [
        vec!["exec", "list"],
        vec!["exec", "inspect", &id],
        vec!["exec", "logs", &id],
        vec!["exec", "wait", &id],
        vec!["exec", "logs", "-f", &id],
        vec!["image", "builds"],
        vec!["image", "status", "web"],
        vec!["image", "logs", "web"],
        vec!["image", "wait", "web"],
    ] {
        fake.run(&args).code(0);
    }
    fake.run(&["exec", "stop", &id]).code(1);
    fake.run(&["exec", "forget", &id]).code(0);
    assert_eq!(fake.calls(), Vec::<String>::new());
    fake.bring_engine_up();
}

#[test]
fn a_list_of_many_unattended_runs_costs_two_engine_calls() {
    let fake = Fake::new();
    // The last one is killed first, because the supervisor of a new run adopts those that it finds alone.
    for id in [0; 3].map(|_| fake.start_gated("exit 0")).into_iter().rev() {
        fake.kill_supervisor_and_client(&id);
    }
    wait_until("only containers are left", || {
        !fake.processes().iter().any(|process| process.command.contains(" --format "))
    });
    fake.forget_calls();
    let list = fake.run(&["exec", "list"]).code(0);
    assert_eq!(fake.calls().len(), 2, "{:?}", fake.calls());
    snapshot!(fake, list, fake.run(&["exec", "list", "--json"]).code(0));
    fake.open_gate();
}

#[test]
fn a_closed_pipe_ends_every_command_with_0_and_no_message() {
    let fake = Fake::new();
    let id = fake.ended_run("yes | head -c 300000");
    for args in [
        vec!["exec", "list", "--json"],
        vec!["exec", "inspect", &id],
        vec!["exec", "logs", &id],
        vec!["--help"],
        vec!["completions", "bash"],
    ] {
        let mut child = fake.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn a_closed_socket_ends_a_command_with_0_and_no_message() {
    let fake = Fake::new();
    let id = fake.ended_run("yes | head -c 300000");
    let (reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
    drop(reader);
    let mut command = fake.command(&["exec", "logs", &id]);
    let ran = Ran::from(command.stdout(std::os::fd::OwnedFd::from(writer)).output().unwrap()).code(0);
    assert_eq!(ran.stderr, "");
}

#[test]
fn arguments_that_begin_with_a_dash_reach_the_program() {
    let fake = Fake::new();
    let id = fake.run(&fake.run_args(r#"printf '<%s>' "$@""#, &["--", "--rm", "-v", "/:/host", "--", "", "a b", "$X"]));
    let id = id.code(0).id();
    fake.end_of(&id);
    assert_eq!(fake.log(&id), b"<--rm><-v></:/host><--><><a b><$X>");
}

#[test]
fn stop_and_kill_end_a_run_and_say_what_they_did() {
    let fake = Fake::new();
    let deaf = fake.gated("trap '' TERM; echo on", "");
    let ids = [fake.start_gated(""), fake.start_gated(""), fake.start(&deaf)];
    fake.wait_for_output(&ids[2], "on");
    let stopped = fake.run(&["exec", "stop", &ids[0]]).code(0);
    let killed = fake.run(&["exec", "kill", &ids[1]]).code(0);
    let insisted = fake.run(&["exec", "stop", "-t", "0", "--json", &ids[2]]).code(0);
    for (id, code) in ids.iter().zip([143, 137, 137]) {
        let view = fake.end_of(id);
        assert_eq!((&view["outcome"], &view["exitCode"]), (&"cancelled".into(), &code.into()), "{view}");
    }
    let late = ["stop", "kill"].map(|verb| fake.run(&["exec", verb, &ids[0], "--json"]).code(1));
    snapshot!(fake, stopped, killed, insisted, together(late), fake.run(&["exec", "list"]));
}

#[test]
fn a_harmless_kill_does_not_overwrite_a_stop_request() {
    let fake = Fake::new();
    let script = fake.gated("trap '' USR1; trap 'exit 9' TERM; echo on", "exit 9");
    let id = fake.start(&script);
    fake.wait_for_output(&id, "on");
    let requests = || {
        let text = std::fs::read_to_string(fake.job("run", &id).join("stop.json")).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let verbs = lines.filter_map(|line| line["verb"].as_str().map(str::to_owned));
        verbs.collect::<Vec<_>>()
    };
    fake.run(&["exec", "kill", "-s", "USR1", &id]).code(0);
    assert_eq!(requests(), ["kill"]);
    fake.scenario(json!({"rules": [{"call": "kill --signal TERM", "exit": 0}]}));
    let mut stop = fake.command(&["exec", "stop", "-t", "60", &id]).stdout(Stdio::null()).spawn().unwrap();
    wait_until("an end is asked for", || requests().len() == 2);
    fake.run(&["exec", "kill", "-s", "USR1", &id]).code(0);
    assert_eq!(requests(), ["kill", "stop", "kill"]);
    fake.open_gate();
    assert!(stop.wait().unwrap().success());
    assert_eq!(fake.end_of(&id)["outcome"], "cancelled");
}

#[test]
fn verbose_works_at_any_place_of_the_command_line() {
    let fake = Fake::new();
    for args in
        [["image", "list", "--verbose"].as_slice(), &["image", "--verbose", "list"], &["--verbose", "image", "list"]]
    {
        let ran = fake.run(args).code(0);
        assert!(ran.stderr.starts_with("+ "), "{args:?}: {}", ran.stderr);
    }
    snapshot!(
        fake,
        fake.run(&["--verbose", "image", "list"]),
        fake.run(&fake.run_args("exit 0", &["--verbose", "--", "-v"])).code(0),
    );
}
