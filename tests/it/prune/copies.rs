//! Volumes with copies of files of runs.

use serde_json::{Value, json};

use super::{document, listed, old_run, removed, sorted};
use crate::support::fake::{Fake, names};
use crate::support::schema;

/// Makes a volume with these labels, and returns its name: that of a copy of this user and what is given.
fn volume(fake: &Fake, end: &str, labels: &[&str]) -> String {
    let name = format!("longshore-copy-{}-{end}", uid());
    let labels = labels.iter().flat_map(|label| ["--label", label]);
    fake.docker(&["volume", "create"].into_iter().chain(labels).chain([name.as_str()]).collect::<Vec<_>>());
    name
}

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// One that a run of this user left.
fn copy(fake: &Fake, end: &str) -> String {
    let owner = format!("longshore.uid={}", uid());
    volume(fake, end, &["longshore.copy=mark", &owner])
}

fn volumes(fake: &Fake) -> Vec<String> {
    names(&fake.engine("volumes")).into_iter().filter(|name| !name.contains(".tar")).collect()
}

fn copies(document: &Value) -> Vec<&str> {
    document["copies"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

#[test]
fn copies_that_no_container_uses_go_and_nothing_else() {
    let mut fake = Fake::new();
    let run = old_run(&fake, "exit 3", &[]);
    let (old, used) = (copy(&fake, "old"), copy(&fake, "used"));
    let mount = format!("type=volume,source={used},target=/app");
    fake.docker(&["create", "--name", "user", "--entrypoint", "none", "--mount", &mount, "base"]);
    let owner = format!("longshore.uid={}", uid());
    let others = [
        volume(&fake, "alike", &[]),
        volume(&fake, "cache", &["longshore.cache=pip", &owner]),
        volume(&fake, "theirs", &["longshore.copy=mark", "longshore.uid=77777"]),
    ];
    fake.set("LONGSHORE_TEST_CLOCK", "10900");
    let shown = |end: &str| {
        let name = format!("{:width$}", "NAME", width = old.len());
        format!("KIND    {name}  STATUS  ENDED\nvolume  {old}  unused  3 hours ago\n{end}\n")
    };
    assert_eq!(fake.run(&["prune", "--copies", "--dry-run"]).code(0).stdout, shown("would remove 1 volume"));
    let plan = document(&fake, &["prune", "--copies", "--dry-run"], 0);
    assert_eq!((copies(&plan), &plan["copies"][0]["removed"]), (vec![old.as_str()], &json!(false)), "{plan:#}");
    assert!(volumes(&fake).contains(&old), "a dry run removed something");
    assert_eq!(fake.run(&["prune", "--copies"]).code(0).stdout, shown("removed 1 volume"));
    let mut left = [&others[..], std::slice::from_ref(&used)].concat();
    left.sort();
    assert_eq!(volumes(&fake), left);
    assert_eq!(listed(&fake), [run], "alone, --copies removes no jobs");
    assert_eq!(fake.run(&["prune", "--copies"]).code(0).stdout, "nothing to remove\n");
    fake.docker(&["rm", "user"]);
    let done_later = document(&fake, &["prune", "--copies"], 0);
    assert_eq!((copies(&done_later), &done_later["copies"][0]["removed"]), (vec![used.as_str()], &json!(true)));
    fake.set("LONGSHORE_TEST_CLOCK", "0");
}

#[test]
fn an_age_holds_for_copies_and_jobs() {
    let mut fake = Fake::new();
    let run = old_run(&fake, "exit 0", &[]);
    let first = copy(&fake, "first");
    let done = document(&fake, &["prune", "--copies", "--older-than", "1h"], 0);
    assert_eq!((copies(&done), removed(&done)), (vec![], sorted([&run])));
    fake.set("LONGSHORE_TEST_CLOCK", "7200");
    let ran = fake.run(&["prune", "--copies", "--images", "--older-than", "1h"]).code(0);
    assert!(ran.stdout.contains("removed 1 volume\n"), "{ran}");
    assert!(!volumes(&fake).contains(&first));
    fake.set("LONGSHORE_TEST_CLOCK", "0");
}

#[test]
fn a_copy_that_is_used_or_made_anew_since_the_plan_is_left_alone_and_a_failure_is_named() {
    let fake = Fake::new();
    let [used, gone, new, stuck, busy] = ["used", "gone", "new", "stuck", "busy"].map(|end| copy(&fake, end));
    // The mark tells a volume from another one of its name.
    let file = fake.engine("volumes").join(&new);
    let text = std::fs::read_to_string(&file).unwrap().replace("\"mark\"", "\"another\"");
    let changed = fake.write("changed", text);
    let docker = format!("'{}/tests/it/support/docker'", env!("CARGO_MANIFEST_DIR"));
    let meanwhile = format!(
        "cp '{}' '{}'; {docker} volume rm {gone}; \
         {docker} create --name user --entrypoint none --mount type=volume,source={used},target=/app base >/dev/null",
        changed.display(),
        file.display()
    );
    std::fs::create_dir_all(fake.path("state/longshore")).unwrap();
    let done = fake.ended_run("exit 0");
    fake.scenario(json!({"rules": [
        {"call": format!("volume rm {stuck}"), "exit": 1, "stderr": "device or resource busy"},
        {"call": format!("volume rm {busy}"), "first": meanwhile},
    ]}));
    let ran = fake.run(&["prune", "--copies", "--json"]).code(1);
    let told = schema::validated("prune", ran.json());
    let row = |name: &str| told["copies"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap();
    assert_eq!(row(&busy)["removed"], json!(true), "{told:#}");
    assert_eq!(row(&used)["left"], "a container uses it now", "{told:#}");
    assert_eq!(row(&gone)["left"], "another process removed it", "{told:#}");
    assert_eq!(row(&new)["left"], "it was made anew meanwhile", "{told:#}");
    assert_eq!(row(&stuck)["error"]["kind"], "engine-failed", "{told:#}");
    assert!(ran.stderr.contains(&format!("error: could not remove volume {stuck}")), "{}", ran.stderr);
    assert!(volumes(&fake).contains(&new));
    fake.scenario(json!({}));
    fake.docker(&["rm", "user"]);
    assert_eq!(listed(&fake), [done]);
}
