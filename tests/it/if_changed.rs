//! `image create --if-changed` and `--if-missing`: when nothing is built, and what is said then. The engine is a fake.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::thread;

use serde_json::{Value, json};

use crate::support::Ran;
use crate::support::fake::{Fake, assert_failure_document, job_ids, names};
use crate::support::schema;
use crate::support::snapshots::{snapshot, together};

/// `image create web` from the base of the fake, with these flags.
fn create(fake: &Fake, flags: &[&str]) -> Ran {
    fake.run(&[&["image", "create", "web", "--base", "base"], flags].concat())
}

/// Builds if it has to, and waits: the id of the build, and whether nothing was built.
#[track_caller]
fn ensure(fake: &Fake, flags: &[&str]) -> (String, bool) {
    let ran = create(fake, &[flags, &["--if-changed", "--wait", "--json"]].concat()).code(0);
    let answer = schema::validated("image-create", ran.json());
    (answer["id"].as_str().unwrap().to_owned(), answer["upToDate"] == true)
}

#[test]
fn an_image_of_the_same_recipe_and_base_is_not_built_again() {
    let fake = Fake::new();
    let flags = ["--pip", "six idna", "--apt", "jq"];
    let (first, built) = ensure(&fake, &flags);
    assert!(!built);
    fake.forget_calls();
    assert_eq!(ensure(&fake, &flags), (first.clone(), true));
    assert_eq!(fake.calls(), ["image inspect web:latest base"], "one question to the engine");
    assert_eq!(ensure(&fake, &["--apt", "jq", "--pip", "idna", "--pip", "six"]), (first.clone(), true));
    // Neither the cache nor a forgotten record has to do with what the image is made of.
    assert_eq!(ensure(&fake, &[&flags[..], &["--no-cache"]].concat()), (first.clone(), true));
    fake.run(&["image", "forget", &first]).code(0);
    assert_eq!(ensure(&fake, &flags), (first, true));
    assert_eq!(job_ids(&fake.jobs("build")), Vec::<String>::new());
}

#[test]
fn another_recipe_label_or_base_is_built_with_as_few_questions() {
    let fake = Fake::new();
    let mut last = ensure(&fake, &[]).0;
    fake.write("requirements.txt", "six # why\n");
    fake.write("pyproject.toml", "[project]\ndependencies = ['idna']\n[dependency-groups]\ntest = ['pytest']\n");
    for flags in [
        &["--pip", "six"][..],
        &["--requirements", "requirements.txt"],
        &["--requirements", "requirements.txt", "--label", "a=b"],
        &["--requirements", "requirements.txt", "--label", "a=c"],
        &["--pyproject", "pyproject.toml"],
        &["--pyproject", "pyproject.toml", "--group", "test"],
        &["--run", "true"],
        &[],
    ] {
        fake.forget_calls();
        let (id, needless) = ensure(&fake, flags);
        assert!(!needless && id != last, "{flags:?}");
        assert_eq!(fake.calls().iter().filter(|call| call.starts_with("ps ")).count(), 0, "{:?}", fake.calls());
        assert_eq!(ensure(&fake, flags), (id.clone(), true), "{flags:?}");
        last = id;
    }
    // A base image of the same name is another one.
    let child = |flags: &[&str]| {
        let args = ["image", "create", "child", "--base", "web:latest", "--if-changed", "--wait", "--json"];
        fake.run(&[&args[..], flags].concat()).code(0).json()["upToDate"] == true
    };
    assert_eq!([child(&[]), child(&[])], [false, true]);
    create(&fake, &["--wait"]).code(0);
    // The registry may have a newer base image, and only a build can find out.
    assert_eq!([child(&[]), child(&[]), child(&["--pull"]), child(&[])], [false, true, false, true]);
}

#[test]
fn an_upgrade_is_done_again_in_another_week() {
    let mut fake = Fake::new();
    let (first, _) = ensure(&fake, &["--update"]);
    assert_eq!(ensure(&fake, &["--update"]), (first.clone(), true));
    fake.set("LONGSHORE_TEST_CLOCK", (8 * 86400).to_string());
    let (second, needless) = ensure(&fake, &["--update"]);
    assert!(!needless && second != first);
    let (third, _) = ensure(&fake, &[]);
    fake.set("LONGSHORE_TEST_CLOCK", (16 * 86400).to_string());
    assert_eq!(ensure(&fake, &[]), (third, true));
}

#[test]
fn an_image_that_only_inherited_the_labels_is_built_again() {
    let fake = Fake::new();
    let (first, _) = ensure(&fake, &[]);
    let directory = fake.engine("images");
    let file = directory.join(&names(&directory)[0]);
    let mut image: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    image["Id"] = format!("sha256:{}", "a".repeat(64)).into();
    std::fs::write(&file, image.to_string()).unwrap();
    let (second, needless) = ensure(&fake, &[]);
    assert!(!needless && second != first);
}

#[test]
fn a_failed_build_of_another_recipe_leaves_the_image_up_to_date() {
    let fake = Fake::new();
    let (first, _) = ensure(&fake, &[]);
    fake.scenario(json!({"build": {"script": "exit 3"}}));
    create(&fake, &["--pip", "nosuch", "--if-changed", "--wait"]).code(1);
    create(&fake, &["--pip", "nosuch", "--if-changed", "--wait"]).code(1);
    assert_eq!(ensure(&fake, &[]), (first, true));
}

#[test]
fn what_is_said_where_nothing_is_built() {
    let fake = Fake::new();
    fake.scenario(json!({"images": ["base", "foreign"]}));
    ensure(&fake, &[]);
    let foreign = |more: &[&str]| {
        let args = ["image", "create", "foreign", "--base", "base", "--if-missing"];
        fake.run(&[&args[..], more].concat()).code(0)
    };
    let document = foreign(&["--json"]);
    assert_eq!(schema::validated("image-create", document.json())["id"], Value::Null);
    let dry = create(&fake, &["--if-changed", "--dry-run", "--json"]).code(0);
    assert_eq!(schema::validated("image-dry-run", dry.json())["upToDate"], true);
    let other = create(&fake, &["--if-changed", "--dry-run", "--json", "--pip", "six"]).code(0);
    assert_eq!(schema::validated("image-dry-run", other.json())["upToDate"], false);
    let streamed = create(&fake, &["--if-changed", "--follow", "--json"]).code(0);
    assert_eq!(streamed.stdout.lines().count(), 1);
    snapshot!(
        fake,
        create(&fake, &["--if-changed"]).code(0),
        create(&fake, &["--if-changed", "--json"]).code(0),
        create(&fake, &["--if-changed", "--wait"]).code(0),
        create(&fake, &["--if-changed", "--follow"]).code(0),
        streamed,
        create(&fake, &["--if-changed", "--id-file", "id"]).code(0),
        create(&fake, &["--if-changed", "--dry-run"]).code(0),
        foreign(&[]),
        document,
        create(&fake, &["--if-changed", "--if-missing"]).code(2),
    );
    assert!(!fake.path("id").exists(), "an id is written of what was started");
    fake.write("taken", "");
    create(&fake, &["--if-changed", "--id-file", "taken"]).code(2);
}

#[test]
fn if_missing_builds_what_is_missing_and_nothing_else() {
    let fake = Fake::new();
    let ensure = |flags: &[&str]| {
        create(&fake, &[flags, &["--if-missing", "--wait", "--json"]].concat()).code(0).json()["upToDate"] == true
    };
    assert_eq!([ensure(&[]), ensure(&[]), ensure(&["--pip", "six", "--pull"])], [false, true, true]);
}

#[test]
fn a_build_that_makes_the_same_image_is_joined_and_any_other_is_refused() {
    let fake = Fake::new();
    let id = fake.build_gated("web");
    let same = ["--run", "true", "--if-changed"];
    let joined = create(&fake, &[&same[..], &["--id-file", "id"]].concat()).code(0);
    assert_eq!(std::fs::read_to_string(fake.path("id")).unwrap(), format!("{id}\n"));
    let document = create(&fake, &[&same[..], &["--json"]].concat()).code(0);
    assert_eq!(schema::validated("image-create", document.json())["id"], id);
    let missing = create(&fake, &["--pip", "six", "--if-missing"]).code(0);
    let refused = create(&fake, &["--if-changed"]).code(1);
    let plain = create(&fake, &["--run", "true"]).code(1);

    // One that waits learns how the build ends.
    let args = ["image", "create", "web", "--base", "base", "--run", "true", "--if-changed", "--wait"];
    let mut child =
        fake.command(&args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, format!("note: build {id} of this image is running already\n"));
    fake.open_gate();
    assert!(child.wait().unwrap().success());
    assert_eq!(job_ids(&fake.jobs("build")), [id.as_str()]);
    snapshot!(fake, joined, document, missing, refused, plain);
}

#[test]
fn of_many_at_once_one_builds_and_all_succeed() {
    let fake = Fake::new();
    let ids: Vec<String> = thread::scope(|scope| {
        let one = || ensure(&fake, &["--run", "true"]).0;
        let all: Vec<_> = (0..12).map(|_| scope.spawn(one)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(job_ids(&fake.jobs("build")), [ids[0].as_str()]);
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn without_an_engine_nothing_is_started() {
    let fake = Fake::new();
    ensure(&fake, &[]);
    fake.take_engine_down();
    let refused = ["--if-changed", "--if-missing"].map(|flag| create(&fake, &[flag]).code(1));
    assert_failure_document(&create(&fake, &["--if-changed", "--json"]).code(1), "engine-unreachable");
    let waited = create(&fake, &["--if-changed", "--wait"]).code(125);
    fake.bring_engine_up();
    snapshot!(fake, together(refused), waited);
    assert_eq!(job_ids(&fake.jobs("build")).len(), 1);
}
