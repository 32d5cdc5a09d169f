//! Every row of the contract's parts A and B: the web API's own bodies in, its answers out.

use serde_json::{Value, json};

use super::{has_line, lines};
use crate::support::real::{Client, Real};
use crate::support::{schema, wait_until};

#[test]
fn an_image_is_created_watched_listed_and_forgotten_with_the_web_apis_body() {
    let real = Real::with(Client::Buildx);
    let name = real.name("web");
    // With its name in it, no earlier build's cache has it.
    let commands = format!("echo first line\nsleep 1\necho last line # {name}");
    let body = json!({
        "name": name, "baseImage": Real::base(), "update": false, "aptInstall": "", "pipInstall": "",
        "additionalCommand": commands, "labels": real.labels(),
    });

    // POST /api/image/create
    let answer = real.run_with(&["image", "create", "--spec", "-", "--json"], body.to_string().as_bytes()).code(0);
    assert_eq!(answer.stderr, "");
    let answer = schema::validated("image-create", answer.json());
    assert_eq!((&answer["success"], &answer["name"]), (&json!(true), &json!(name)));

    // GET /api/image/create/{name}
    let status = || schema::validated("image-status", real.run(&["image", "status", &name, "--json"]).code(0).json());
    let early = status();
    assert_eq!((&early["status"], &early["outcome"]), (&json!("running"), &json!(null)));
    wait_until("the build shows its first line", || has_line(&status(), "first line"));
    let waited = real.run(&["image", "wait", &name, "--json"]).code(0);
    schema::assert_all_keys_described("job", &schema::validated("job", waited.json()));
    let late = status();
    assert_eq!(
        (&late["status"], &late["outcome"], &late["exitCode"]),
        (&json!("exited"), &json!("succeeded"), &json!(0))
    );
    assert!(has_line(&late, "last line"));
    assert_eq!(late["id"], answer["id"]);

    // The log is the same by every way to it.
    let logs = schema::validated("logs", real.run(&["image", "logs", &name, "--json"]).code(0).json());
    assert_eq!(logs["lines"], late["lines"]);
    let text = real.run(&["image", "logs", &name]).code(0).stdout;
    assert_eq!(text.split_terminator('\n').collect::<Vec<_>>(), lines(&late));
    let tail = real.run(&["image", "logs", "-n", "2", &name]).code(0).stdout;
    assert!(text.ends_with(&tail) && tail.lines().count() == 2);

    // GET /api/image/list
    let list = schema::validated("image-list", real.run(&["image", "list", "--json"]).code(0).json());
    let tag = format!("{name}:latest");
    let has_tag = |image: &&Value| image["RepoTag"] == json!([tag]);
    let image = list.as_array().unwrap().iter().find(has_tag).expect("the image is listed");
    assert_eq!(image["RepoTags"], image["RepoTag"]);
    assert_eq!(image["Id"], late["imageId"]);
    assert!(image["Created"].is_i64() && image["Size"].as_u64().unwrap() > 0);
    assert_eq!(image["Labels"]["longshore.job"], answer["id"]);

    let builds = schema::validated("jobs", real.run(&["image", "builds", "--json"]).code(0).json());
    assert_eq!(builds, json!([waited.json()]));

    // DELETE /api/image/create/{name}
    let forgotten = schema::validated("done", real.run(&["image", "forget", &name, "--json"]).code(0).json());
    assert_eq!(forgotten, json!({"success": true, "id": answer["id"]}));
    let gone = schema::validated("error", real.run(&["image", "status", &name, "--json"]).code(1).json());
    assert_eq!(gone["error"]["kind"], "not-found");
    assert_eq!(real.run(&["image", "builds", "--json"]).code(0).json(), json!([]));
    assert!(real.has_image(&name), "forget keeps the image");
}

#[test]
fn a_program_is_run_inspected_read_and_forgotten_with_the_web_apis_body() {
    let real = Real::new();
    let source = real.source(concat!(
        "import os, time\n",
        "print(open('data/in.txt').read(), open('/app/data/in.txt').read(), os.getcwd())\n",
        "while not os.path.exists('data/go'): time.sleep(0.05)\n",
        "open('./output/relative', 'w').write('1')\n",
        "open('/app/output/absolute', 'w').write('2')\n",
        "print('done')\n",
    ));
    real.write("input/in.txt", "given");
    let body = json!({
        "srcPath": source, "mainSrc": "main.py", "imageTag": Real::base(),
        "inputPath": real.path("input"), "outputPath": real.path("output"), "labels": real.labels(),
    });

    // POST /api/exec
    let answer = real.run_with(&["exec", "run", "--spec", "-", "--json"], body.to_string().as_bytes()).code(0);
    assert_eq!(answer.stderr, "");
    let answer = schema::validated("exec-run", answer.json());
    let id = answer["exec_id"].as_str().unwrap();
    assert_eq!(answer, json!({"exec_id": id}));

    // GET /api/exec/{exec_id}
    wait_until("the container runs", || real.inspect(id)["State"]["Running"] == json!(true));
    let running = real.inspect(id);
    assert_eq!(running["Args"].as_array().unwrap().last(), Some(&json!("main.py")));
    assert!(running["Path"].is_string() && running["Created"].is_string());
    assert_eq!(running["Longshore"]["status"], "running");

    // GET /api/exec/logs/{exec_id}
    let logs = || schema::validated("logs", real.run(&["exec", "logs", id, "--json"]).code(0).json());
    wait_until("the program has begun", || logs() == json!({"lines": ["given given /app"]}));
    let listed = schema::validated("jobs", real.run(&["exec", "list", "--status", "running", "--json"]).code(0).json());
    assert_eq!(listed, json!([running["Longshore"]]));
    real.write("input/go", "");
    let (job, code) = real.wait(id);
    schema::assert_all_keys_described("job", &schema::validated("job", job.clone()));
    assert_eq!((code, &job["outcome"], &job["log"]), (0, &json!("succeeded"), &json!("complete")));
    assert_eq!(logs(), json!({"lines": ["given given /app", "done"]}));
    assert_eq!(std::fs::read_to_string(real.path("output/relative")).unwrap(), "1");
    assert_eq!(std::fs::read_to_string(real.path("output/absolute")).unwrap(), "2");

    // It keeps answering after the container is gone.
    wait_until("the container is gone", || real.containers().is_empty());
    let ended = real.inspect(id);
    for key in ["Id", "Args", "Created", "Path", "Image", "Name", "Mounts", "Config"] {
        assert_eq!(ended[key], running[key], "{key}");
    }
    assert_eq!(ended["State"]["Running"], json!(false));
    assert_eq!(ended["Longshore"], job);
    let listed = schema::validated("jobs", real.run(&["exec", "list", "--json"]).code(0).json());
    assert_eq!(listed, json!([job]));
    assert_eq!(real.run(&["exec", "list", "--quiet", "--json"]).code(0).json(), json!([job]), "still one document");

    // DELETE /api/exec/{exec_id}
    let forgotten = schema::validated("done", real.run(&["exec", "forget", id, "--json"]).code(0).json());
    assert_eq!(forgotten, json!({"success": true, "id": id}));
    for verb in ["inspect", "logs", "wait"] {
        let gone = real.run(&["exec", verb, id, "--json"]);
        assert_eq!(schema::validated("error", gone.json())["error"]["kind"], "not-found");
        assert_eq!(gone.code, if verb == "wait" { 125 } else { 1 }, "{verb}");
    }
    assert_eq!(real.run(&["exec", "list", "--json"]).code(0).json(), json!([]));
}

#[test]
fn nothing_is_started_where_the_image_or_the_engine_is_missing() {
    let real = Real::new();
    let source = real.source("print('never')");
    let body = |image: &str| json!({"srcPath": source, "mainSrc": "main.py", "imageTag": image}).to_string();
    let run = |flags: &[&str], image: &str| {
        let args = [&["exec", "run", "--spec", "-", "--json"], flags].concat();
        let answer = real.run_with(&args, body(image).as_bytes()).code(1);
        schema::validated("error", answer.json())
    };
    let absent = run(&[], "longshore-test-no-such-image");
    assert_eq!(absent["error"]["kind"], "not-found");
    assert_eq!(absent["error"]["message"], "there is no image \"longshore-test-no-such-image\"");
    let socket = format!("unix://{}", real.path("no.sock").display());
    let down = run(&["--host", &socket], &Real::base());
    assert_eq!(down["error"]["kind"], "engine-unreachable");
    let body = json!({"name": "longshore-test-never", "baseImage": Real::base()}).to_string();
    let build =
        real.run_with(&["image", "create", "--spec", "-", "--json", "--host", &socket], body.as_bytes()).code(1);
    assert_eq!(schema::validated("error", build.json())["error"]["kind"], "engine-unreachable");
    for kind in ["exec list", "image builds"] {
        let args: Vec<&str> = kind.split(' ').chain(["--json"]).collect();
        assert_eq!(real.run(&args).code(0).json(), json!([]), "{kind}");
    }
}

#[test]
fn a_dry_run_shows_what_would_be_done_and_does_nothing() {
    let real = Real::new();
    let source = real.source("");
    let run = real.run(&real.run_args(&source, &["--dry-run", "--json", "-e", "SECRET=hush-hush"])).code(0);
    assert!(!run.stdout.contains("hush-hush"));
    schema::validated("exec-dry-run", run.json());
    for (client, builder) in [(Client::Legacy, "legacy"), (Client::BuildkitOld, "buildkit"), (Client::Buildx, "buildx")]
    {
        let real = Real::with(client);
        let args = ["image", "create", "never", "--base", &Real::base(), "--pip", "six", "--dry-run", "--json"];
        let shown = schema::validated("image-dry-run", real.run(&args).code(0).json());
        assert_eq!(shown["builder"], builder);
        assert_eq!(real.run(&["image", "builds", "--json"]).code(0).json(), json!([]));
    }
    assert!(real.containers().is_empty());
}

#[test]
fn several_ids_are_done_one_by_one_and_a_failure_is_in_its_place() {
    let real = Real::new();
    let ids = [real.start("", &[]), real.start("raise SystemExit(3)", &["--name", "second"])];
    let waited = real.run(&["exec", "wait", &ids[0], "second", "--json"]).code(1);
    let waited = schema::validated("jobs", waited.json());
    assert_eq!((&waited[0]["exitCode"], &waited[1]["exitCode"]), (&json!(0), &json!(3)));
    let text = real.run(&["exec", "wait", &ids[0], &ids[1]]).code(1).stdout;
    assert_eq!(text, format!("{} 0\n{} 3\n", ids[0], ids[1]));
    let answer = real.run(&["exec", "forget", &ids[0], "no-such-run", &ids[1], "--json"]).code(1);
    let answer = schema::validated("done", answer.json());
    assert_eq!((&answer[0]["id"], &answer[2]["id"]), (&json!(ids[0]), &json!(ids[1])));
    assert_eq!(answer[1]["error"]["kind"], "not-found");
}
