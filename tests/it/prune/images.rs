//! Images that builds left without a name, and `image rm`.

use serde_json::{Value, json};

use super::{document, ended_build, failure, listed, old_run, removed, sorted};
use crate::support::fake::{Fake, names};
use crate::support::schema;
use crate::support::snapshots::{snapshot, together};

/// The id of the image of a build.
fn image_of(fake: &Fake, build: &str) -> String {
    fake.end_of_build(build)["imageId"].as_str().unwrap().to_owned()
}

fn images(document: &Value) -> Vec<&str> {
    document["images"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect()
}

#[test]
fn images_of_builds_without_a_name_go_and_nothing_else() {
    let fake = Fake::new();
    // Three of one name: a container uses the first, nothing uses the second, the third has the name.
    let first = image_of(&fake, &ended_build(&fake, "web"));
    let run = fake.run_args(&fake.gated("echo on", ""), &[]).join(" ").replace("--image base", "--image web");
    let running = fake.run(&run.split(' ').collect::<Vec<_>>()).code(0).id();
    fake.wait_for_output(&running, "on");
    let second = image_of(&fake, &ended_build_beside(&fake, "web"));
    let third = image_of(&fake, &ended_build_beside(&fake, "web"));
    let dry = fake.run(&["prune", "--images", "--dry-run"]).code(0);
    let plan = document(&fake, &["prune", "--images", "--dry-run"], 0);
    assert_eq!(images(&plan), [&second], "{plan:#}");
    let done = fake.run(&["prune", "--images"]).code(0);
    let left = names(&fake.engine("images"));
    assert!(left.contains(&first) && left.contains(&third) && left.len() == 2, "{left:?}");
    assert_eq!(listed(&fake).len(), 2, "alone, --images removes no jobs");
    // What a container used is free when the run has ended.
    fake.open_gate();
    fake.end_of(&running);
    fake.wait_until_quiet();
    assert_eq!(images(&document(&fake, &["prune", "--images"], 0)), [&first]);
    let nothing = fake.run(&["prune", "--images"]).code(0);
    snapshot!(fake, dry, done, nothing);
}

/// A build that has ended beside a run that goes on.
fn ended_build_beside(fake: &Fake, name: &str) -> String {
    let id = fake.build(name);
    fake.end_of_build(&id);
    id
}

#[test]
fn an_age_holds_for_images_too_and_the_image_of_a_build_that_runs_stays() {
    let mut fake = Fake::new();
    let first = image_of(&fake, &ended_build(&fake, "web"));
    ended_build(&fake, "web");
    assert_eq!(images(&document(&fake, &["prune", "--images", "--older-than", "1h"], 0)), Vec::<&str>::new());
    // An image is there and has no name yet while its build runs.
    let running = fake.build_gated("api");
    let mut image: Value = serde_json::from_slice(&std::fs::read(fake.engine("images").join(&first)).unwrap()).unwrap();
    image["Id"] = json!(format!("sha256:{}", "a".repeat(64)));
    image["Config"]["Labels"]["longshore.job"] = json!(running);
    std::fs::write(fake.engine("images").join(image["Id"].as_str().unwrap()), image.to_string()).unwrap();
    fake.set("LONGSHORE_TEST_CLOCK", "7200");
    let done = document(&fake, &["prune", "--images", "--older-than", "1h"], 0);
    assert_eq!(images(&done), [&first]);
    fake.set("LONGSHORE_TEST_CLOCK", "0");
    fake.open_gate();
    fake.end_of_build(&running);
}

#[test]
fn without_an_engine_the_jobs_go_and_the_exit_code_says_that_something_failed() {
    let fake = Fake::new();
    let old = old_run(&fake, "exit 0", &[]);
    fake.take_engine_down();
    let args = ["prune", "--older-than", "1d", "--images"];
    let dry = fake.run(&[&args[..], &["--dry-run"]].concat()).code(1);
    let done = document(&fake, &args, 1);
    assert_eq!(removed(&done), sorted([&old]));
    assert_eq!((&done["success"], &done["errors"][0]["kind"]), (&json!(false), &json!("engine-unreachable")));
    fake.bring_engine_up();
    snapshot!(fake, dry);
}

#[test]
fn an_image_that_cannot_be_removed_is_named_and_one_that_got_a_name_is_left_alone() {
    let fake = Fake::new();
    let first = image_of(&fake, &ended_build(&fake, "web"));
    let second = image_of(&fake, &ended_build(&fake, "web"));
    ended_build(&fake, "web");
    // A user tags the one between the plan and the doing; a container of the other was started.
    let tag = format!(
        "sed -i 's/\"RepoTags\": \\[\\]/\"RepoTags\": [\"mine:latest\"]/' '{}'",
        fake.engine("images").join(&first).display()
    );
    fake.scenario(json!({"rules": [
        {"call": "ps --all --no-trunc --format {{json .ID}}", "first": tag},
        {"call": format!("image rm {second}"), "exit": 1, "stderr": "conflict: it is being used"},
    ]}));
    let ran = fake.run(&["prune", "--images", "--json"]).code(1);
    let done = schema::validated("prune", ran.json());
    let row = |id: &str| done["images"].as_array().unwrap().iter().find(|row| row["id"] == id).unwrap();
    assert_eq!(row(&first)["left"], "it has a name now", "{done:#}");
    assert_eq!(row(&second)["error"]["kind"], "engine-failed", "{done:#}");
    assert!(ran.stderr.contains(&format!("error: could not remove image {second}")), "{}", ran.stderr);
    fake.scenario(json!({}));
}

#[test]
fn image_rm_removes_the_image_and_keeps_the_record() {
    let fake = Fake::new();
    let builds = ["web", "api", "two:v1"].map(|name| ended_build(&fake, name));
    let text = fake.run(&["image", "rm", "web"]).code(0);
    let one = fake.run(&["image", "rm", "two:v1", "--json"]).code(0);
    let several = fake.run(&["image", "rm", "api", "nosuch", "--json"]).code(1);
    for ran in [&one, &several] {
        schema::validated("image-rm", ran.json());
    }
    assert_eq!(names(&fake.engine("images")), Vec::<String>::new());
    assert_eq!(listed(&fake), sorted([&builds[0], &builds[1], &builds[2]]));
    fake.run(&["image", "forget", "--all"]).code(0);
    let wrong: [&[&str]; 3] = [&["image", "rm", "nosuch"], &["image", "rm"], &["image", "rm", "Not-A-Name"]];
    snapshot!(fake, text, one, several, together(wrong.into_iter().flat_map(|args| failure(&fake, args))));
}
