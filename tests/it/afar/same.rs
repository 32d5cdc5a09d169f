//! A run elsewhere is the same as a run here: its output, its log, its code, its end on request.

use serde_json::json;

use super::{JOB, SHIP, job, places, tree};
use crate::container::listing::NO_DIAL;
use crate::support::real::Real;
use crate::support::remote::Nodes;
use crate::support::{schema, wait_until};

#[test]
fn the_main_job_gives_the_same_behind_ssh_as_here() {
    let (here, there) = (Real::new(), Nodes::ssh().world(1));
    let mut seen = Vec::new();
    for real in [&here, &there] {
        let job = real.run(&job(real, "out", &["-e", "CODE=3", "--wait", "--json"])).json();
        assert_eq!((&job["exitCode"], &job["outcome"], &job["log"]), (&json!(3), &json!("failed"), &json!("complete")));
        assert_eq!(job["recovered"], json!(false), "{job:#}");
        let id = job["id"].as_str().unwrap();
        let mut lines: Vec<String> = String::from_utf8(real.log(id)).unwrap().lines().map(str::to_owned).collect();
        // docker keeps no order between two streams.
        lines.sort();
        seen.push((lines, tree(&real.path("out"))));
        wait_until("the container is gone", || real.containers().is_empty());
    }
    let there_seen = seen.pop().unwrap();
    assert_eq!(seen[0], there_seen);
    assert_eq!(there_seen.1.len(), 6, "{:?}", there_seen.1);
    // A mount would have shown the node's own directory, which is empty.
    assert_eq!(there.docker_says(&["volume", "ls", "--quiet", "--filter", "dangling=true"]), "");
}

#[test]
fn what_the_output_directory_had_before_stays_and_is_not_sent() {
    let real = Real::new();
    real.write("out/mine", "kept");
    real.write("out/result.bin", "old");
    let ended = real.run(&job(&real, "out", &[&SHIP[..], &["--wait", "--json"]].concat())).code(0).json();
    assert_eq!(ended["outcome"], "succeeded");
    assert_eq!(std::fs::read(real.path("out/mine")).unwrap(), b"kept");
    assert_eq!(std::fs::metadata(real.path("out/result.bin")).unwrap().len(), 256_000);
    let left: Vec<String> = tree(&real.path("out")).into_iter().filter(|entry| entry.contains(".part")).collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn a_program_that_cannot_be_started_ends_with_the_code_of_a_run_here() {
    let real = Real::new();
    let source = real.source(JOB);
    for (program, code) in [("no-such-program", 127), ("/etc", 126)] {
        let (label, source) = (real.label(), source.to_str().unwrap());
        let base = Real::base();
        for ship in ["never", "always"] {
            let args = ["exec", "run", "--image", &base, "--label", &label, "--src", source, "--ship", ship];
            let args = [&args[..], &["--command", "--wait", "--", program]].concat();
            real.run(&args).code(code);
        }
    }
    wait_until("the containers are gone", || real.containers().is_empty());
}

#[test]
fn a_run_elsewhere_is_stopped_and_ends_at_its_time_limit() {
    let real = Real::new();
    let start = |more: &[&str]| {
        let id = real.run(&job(&real, "out", &[&SHIP[..], &["-e", "PAUSE=600"], more].concat())).code(0).id();
        wait_until("the program has begun", || real.says(&id, "line 0\n"));
        id
    };
    let stopped = start(&[]);
    real.run(&["exec", "stop", &stopped]).code(0);
    let (view, code) = real.wait(&stopped);
    assert_eq!((&view["outcome"], code), (&json!("cancelled"), 143), "{view:#}");
    assert_eq!(std::fs::metadata(real.path("out/result.bin")).unwrap().len(), 256_000);
    let late = start(&["--timeout", "1s"]);
    let (view, code) = real.wait(&late);
    assert_eq!((&view["outcome"], code), (&json!("timeout"), 124), "{view:#}");
}

#[test]
fn a_run_that_takes_longer_than_the_pauses_between_questions_keeps_its_witness() {
    let mut real = Real::new();
    // After three times that, the engine is asked whether it still runs.
    real.set("LONGSHORE_DOCKER_TIMEOUT", "1s");
    let more = [&SHIP[..], &["-e", "LINES=70", "-e", "PAUSE=0.1"]].concat();
    let id = real.run(&job(&real, "out", &more)).code(0).id();
    real.set("LONGSHORE_DOCKER_TIMEOUT", "2m");
    // The supervisor writes the log, and no client has it open.
    let followed = real.run(&["exec", "logs", "-f", &id]).code(0);
    assert_eq!((followed.stdout.lines().count(), followed.stderr.as_str()), (72, ""));
    let (view, code) = real.wait(&id);
    assert_eq!((code, &view["log"], &view["recovered"]), (0, &json!("complete"), &json!(false)), "{view:#}");
    let copies = real.docker_says(&["ps", "--all", "--quiet", "--filter", &real.filter()]);
    assert!(copies.lines().count() <= 1, "{copies}");
}

#[test]
fn a_run_is_stopped_while_its_files_are_sent() {
    let real = Real::new();
    let source = real.source(JOB);
    // Holes are sent as zeros.
    std::fs::File::create(source.join("large")).unwrap().set_len(40 << 30).unwrap();
    let more = [&SHIP[..], &["--ship-limit", "100g", "--ship-cache", "never"]].concat();
    let id = real.run(&real.run_args(&source, &more)).code(0).id();
    let view = || real.run(&["exec", "list", "--json"]).code(0).json()[0].clone();
    wait_until("bytes were sent", || view()["moving"]["bytes"].as_u64().is_some_and(|bytes| bytes > 1000));
    let sending = schema::validated("job", view());
    assert_eq!((&sending["status"], &sending["moving"]["phase"]), (&json!("running"), &json!("shipping")));
    assert!(sending["reason"].as_str().unwrap().starts_with("its files are copied to the engine: "), "{sending:#}");
    real.run(&["exec", "stop", &id]).code(0);
    let (view, code) = real.wait(&id);
    assert_eq!((&view["outcome"], code), (&json!("cancelled"), 1), "{view:#}");
    assert_eq!(view["reason"], "ended by longshore exec stop before it was started");
    wait_until("the container is gone", || real.containers().is_empty());
}

#[test]
fn each_attempt_of_a_run_is_sent_and_fetched() {
    let real = Real::new();
    let more = [&SHIP[..], &["-e", "CODE=5", "--retry", "2", "--retry-delay", "0s", "--wait", "--json"]].concat();
    let view = real.run(&job(&real, "out", &more)).json();
    let codes: Vec<_> = view["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["exitCode"]).collect();
    assert_eq!(codes, [&json!(5), &json!(5), &json!(5)], "{view:#}");
    assert_eq!(std::fs::metadata(real.path("out/result.bin")).unwrap().len(), 256_000);
    wait_until("the containers are gone", || real.containers().is_empty());
}

#[test]
fn what_is_left_out_of_an_output_is_named() {
    let real = Real::new();
    let code =
        "import os\nos.symlink('/etc/passwd', '/app/output/a')\nos.mkfifo('/app/output/b')\nopen('/app/output/c', 'w')";
    let output = real.path("out");
    let more = [&SHIP[..], &["--output", output.to_str().unwrap()]].concat();
    let id = real.finish(code, &more).code(0).json()["id"].as_str().unwrap().to_owned();
    assert_eq!(tree(&output).len(), 1);
    let status = schema::validated("exec-status", real.run(&["exec", "status", &id, "--json"]).code(0).json());
    assert_eq!(status["leftOut"].as_array().unwrap().len(), 2, "{status:#}");
    let told = real.run(&["exec", "status", &id]).code(0).stdout;
    assert!(told.contains("Left out") && told.contains("/etc/passwd"), "{told}");
}

#[test]
fn what_is_ignored_is_not_there_and_a_dry_run_says_how_much_is_sent() {
    let real = Real::new();
    let source = real.source("import os\nprint(sorted(os.listdir('.')))");
    for name in [".git/config", "cache/x.o", "cache/keep", "sub/y.o"] {
        let path = source.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "12345").unwrap();
    }
    std::fs::write(source.join(".longshoreignore"), "**/*.o\n!sub/y.o\n").unwrap();
    let args = |more: &[&str]| real.run_args(&source, &[&SHIP[..], more].concat());
    let planned = real.run(&args(&["--dry-run", "--json"])).code(0).json();
    let planned = schema::validated("exec-dry-run", planned);
    assert_eq!(planned["copied"], json!({"files": 4, "bytes": 66, "ignored": 2, "leftOut": []}), "{planned:#}");
    let told = real.run(&args(&["--dry-run"])).code(0);
    assert!(told.stderr.contains("note: 4 files, 66B, would be copied to the engine; left out"), "{told:?}");
    let id = real.run(&args(&["--wait"])).code(0).id();
    assert_eq!(real.log(&id), b"['.longshoreignore', 'cache', 'main.py', 'sub']\n");
    let id = real.run(&args(&["--ship-git", "--wait"])).code(0).id();
    assert_eq!(real.log(&id), b"['.git', '.longshoreignore', 'cache', 'main.py', 'sub']\n");
}

#[test]
fn what_needs_the_files_of_the_engines_machine_is_refused_before_anything_is_done() {
    let real = Real::new();
    let source = real.source(JOB);
    let (input, _) = places(&real, "out");
    let mount = format!("{}:/more", input.display());
    for (more, message) in [
        (&["-v", &mount][..], "cannot mount"),
        (&["--log-driver", "none"], "cannot use --log-driver none"),
        (&["--ship-limit", "10b"], "the files to copy to the engine have"),
    ] {
        let refused = real.run(&real.run_args(&source, &[&SHIP[..], more].concat())).code(2);
        assert!(refused.stderr.contains(message) && refused.stderr.contains("hint: "), "{}", refused.stderr);
    }
    assert_eq!(real.run(&["exec", "list", "--json"]).code(0).json(), json!([]));
    // A volume of the engine is no file of this machine.
    let name = real.name("volume");
    real.docker_says(&["volume", "create", "--label", &real.label(), &name]);
    let volume = format!("{name}:/more");
    real.run(&job(&real, "out", &[&SHIP[..], &["-v", &volume, "--wait"]].concat())).code(0);
}

#[test]
fn a_run_elsewhere_is_repeated_and_inspected_as_one_here() {
    let real = Real::new();
    let id = real.run(&job(&real, "out", &[&SHIP[..], &["--wait"]].concat())).code(0).id();
    let spec = real.run(&["exec", "inspect", &id, "--spec"]).code(0).json();
    assert_eq!(
        (&spec["ship"], &spec["shipCache"], &spec["shipLimit"]),
        (&json!("always"), &json!("auto"), &json!(1 << 30))
    );
    std::fs::remove_file(real.path("out/result.bin")).unwrap();
    real.run(&["exec", "rerun", &id, "--wait"]).code(0);
    assert_eq!(std::fs::metadata(real.path("out/result.bin")).unwrap().len(), 256_000);
    let inspected = real.inspect(&id);
    assert_eq!(inspected["State"]["ExitCode"], 0);
}

#[test]
fn containers_behind_ssh_are_listed_by_one_call_and_as_without_it() {
    let mut there = Nodes::ssh().world(1);
    let id = there.run(&job(&there, "out", &["--keep", "--wait", "--json"])).json()["id"].take();
    let list = ["container", "list", "-a", "--json", "--filter", &there.filter()].map(str::to_owned);
    let mut lists = Vec::new();
    for (docker, calls) in [("", &["system"][..]), (NO_DIAL, &["system", "ps", "container"])] {
        there.wrap_docker(docker);
        lists.push(there.run(&list).code(0).json());
        // Whether slots are needed is a question to the context.
        let asked: Vec<String> = there.calls().into_iter().filter(|verb| verb != "context").collect();
        assert_eq!(asked, calls);
    }
    there.unwrap_docker();
    assert_eq!(lists[0].as_array().unwrap().len(), 1);
    assert_eq!(lists[0][0]["Longshore"]["id"], id);
    for list in &mut lists {
        // Seconds have passed.
        list[0]["Status"].take();
    }
    assert_eq!(lists[0], lists[1]);
}
