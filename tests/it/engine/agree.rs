//! The same engine asked by docker-py, an independent client: what longshore says is what it says.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::support::real::{Client, Real, sorted};
use crate::support::{schema, wait_until};

/// Every field of theirs is in ours and equal.
#[track_caller]
fn assert_contains(ours: &Value, theirs: &Value) {
    let keys = theirs.as_object().unwrap().keys();
    let wrong: Vec<&String> = keys.filter(|key| ours.get(key) != theirs.get(key)).collect();
    let both: Map<String, Value> =
        wrong.iter().map(|key| ((*key).clone(), json!({"ours": ours.get(key), "theirs": theirs[*key]}))).collect();
    assert!(wrong.is_empty(), "{:#}", Value::Object(both));
}

/// What the engine says of a container, without ours.
fn without_longshore(mut object: Value) -> Value {
    object.as_object_mut().unwrap().remove("Longshore").expect("the job is beside it");
    object
}

#[test]
fn image_list_equals_docker_py() {
    let real = Real::new();
    // Beside the base: one that lost its name to another, one with two names, one with children, one without labels
    // of its own.
    let (base, twice) = (real.own_base(), real.name("twice"));
    for text in ["one", "two"] {
        real.image("twice", &format!("FROM {base}\nENV WHICH={text}\n"));
    }
    real.docker_says(&["tag", &twice, &format!("{twice}:other")]);
    let own = |images: &Value| -> BTreeMap<String, Value> {
        let mine = |image: &&Value| {
            image["Labels"]["longshore-test"] == real.labels()["longshore-test"]
                || image["RepoTags"].as_array().is_some_and(|tags| tags.iter().any(|tag| *tag == Real::base()))
        };
        let images = images.as_array().unwrap().iter().filter(mine);
        images.map(|image| (image["Id"].as_str().unwrap().to_owned(), image.clone())).collect()
    };
    let theirs = own(&real.docker_py("c.images()"));
    assert!(theirs.len() >= 4, "{theirs:#?}");
    for client in [&real, &Real::with(Client::BuildkitOld)] {
        let ours = own(&schema::validated("image-list", client.run(&["image", "list", "--json"]).code(0).json()));
        assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
        for (id, image) in &theirs {
            assert_contains(&ours[id], image);
        }
    }
}

#[test]
fn image_list_filters_as_docker_does() {
    let real = Real::new();
    let base = real.own_base();
    let filter = real.filter();
    let list = real.run(&["image", "list", "--json", "--filter", &filter]).code(0).json();
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(list[0]["RepoTags"], json!([format!("{base}:latest")]));
    let quiet = real.run(&["image", "list", "-q", "--filter", &filter]).code(0).stdout;
    assert_eq!(quiet.trim_end(), list[0]["Id"].as_str().unwrap());
    let none = real.run(&["image", "list", "--json", "--filter", "label=longshore-test=nobody"]).code(0);
    assert_eq!(none.json(), json!([]));
}

#[test]
fn exec_inspect_equals_docker_py_during_and_after_a_run() {
    let real = Real::new();
    real.write("input/file", "");
    let code = "import os, time\nwhile not os.path.exists('data/go'): time.sleep(0.05)\nraise SystemExit(7)";
    let input = real.path("input");
    let flags = ["--input", input.to_str().unwrap(), "-e", "GREETING=hello\nworld", "--memory", "64m", "--cpus", "0.5"];
    let kept = real.start(code, &[&flags[..], &["--keep", "--name", "kept"]].concat());
    let gone = real.start(code, &flags);
    // Of the variables that a run was given only the names are shown.
    let theirs = |id: &str| {
        let mut theirs = sorted(real.docker_py_inspect(&format!("longshore-{id}")));
        let variables = theirs["Config"]["Env"].as_array_mut().unwrap();
        let given = variables.iter_mut().find(|variable| *variable == "GREETING=hello\nworld");
        *given.expect("the engine knows the value") = json!("GREETING=(withheld)");
        theirs
    };
    let mut during = Vec::new();
    for id in [&kept, &gone] {
        wait_until("the container runs", || real.inspect(id)["State"]["Running"] == json!(true));
        let ours = without_longshore(real.inspect(id));
        let same = theirs(id);
        assert_contains(&ours, &same);
        assert_eq!(ours, same);
        during.push(ours);
    }
    real.write("input/go", "");
    assert_eq!((real.wait(&kept).1, real.wait(&gone).1), (7, 7));
    assert_eq!(without_longshore(real.inspect(&kept)), theirs(&kept));
    wait_until("the container is gone", || real.containers().len() == 1);
    let ours = without_longshore(real.inspect(&gone));
    assert_eq!((&ours["State"]["Status"], &ours["State"]["ExitCode"]), (&json!("exited"), &json!(7)));
    // What ends with the process: its state, and its addresses in the network.
    let mut fields = during[1].clone();
    for volatile in ["State", "NetworkSettings"] {
        assert!(ours[volatile].is_object());
        fields.as_object_mut().unwrap().remove(volatile);
    }
    assert_contains(&ours, &fields);
}
