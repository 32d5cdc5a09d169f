//! Sources and inputs that stay on the engine for the next run.

use serde_json::json;

use super::SHIP;
use crate::support::real::Real;
use crate::support::{schema, wait_until};

const CODE: &str = "\
import os
print(sorted(os.listdir('.')), os.path.getsize('blob'), open('blob', 'rb').read(3))
try:
    open('new', 'w')
    print('writable')
except OSError as error:
    print(error.strerror)
if os.path.isdir('output'):
    open('output/made', 'w')
";

/// The volumes of copies that came since this list was made.
fn copies(real: &Real) -> Vec<String> {
    let listed = real.docker_says(&["volume", "ls", "--quiet", "--filter", "label=longshore.copy"]);
    listed.lines().map(str::to_owned).collect()
}

#[test]
fn a_large_source_is_sent_once_and_mounted_read_only() {
    let mut real = Real::new();
    let source = real.source(CODE);
    let seed = real.label();
    let blob = [seed.as_bytes(), &vec![b'x'; 5 << 20]].concat();
    std::fs::write(source.join("blob"), &blob).unwrap();
    let before = copies(&real);
    let output = real.path("out");
    real.wrap_docker("");
    let finish = |real: &Real| {
        real.calls();
        let more = [&SHIP[..], &["--output", output.to_str().unwrap(), "--wait"]].concat();
        let id = real.run(&real.run_args(&source, &more)).code(0).id();
        let log = String::from_utf8(real.log(&id)).unwrap();
        wait_until("the container is gone", || real.containers().is_empty());
        (log, real.calls().iter().filter(|call| *call == "cp").count())
    };
    let (log, copied) = finish(&real);
    let expected = format!("['blob', 'main.py', 'output'] {} b'lon'\nRead-only file system\n", blob.len());
    // Into the volume, into the container, and out of it.
    assert_eq!((log.as_str(), copied), (expected.as_str(), 3));
    let made: Vec<String> =
        copies(&real).into_iter().filter(|name| !before.contains(name) && name.ends_with("-output")).collect();
    assert_eq!(made.len(), 1, "{made:?}");
    assert_eq!(finish(&real), (expected.clone(), 2));
    assert!(output.join("made").exists());
    // Another program removes it, and docker would make an empty one of that name.
    real.docker_says(&["volume", "rm", &made[0]]);
    assert_eq!(finish(&real), (expected.clone(), 3));
    real.docker_says(&["volume", "rm", &made[0]]);
    real.docker_says(&["volume", "create", &made[0]]);
    assert_eq!(finish(&real), (expected, 3));
    real.docker_says(&["volume", "rm", &made[0]]);
    let more = [&SHIP[..], &["--ship-cache", "never", "--wait"]].concat();
    let id = real.run(&real.run_args(&source, &more)).code(0).id();
    assert!(real.says(&id, "writable\n"));
    assert_eq!(copies(&real).iter().filter(|name| **name == made[0]).count(), 0);
}

#[test]
fn several_runs_at_once_send_the_same_source_once() {
    let mut real = Real::new();
    let source = real.source(CODE);
    std::fs::write(source.join("blob"), [real.label().as_bytes(), &vec![b'y'; 5 << 20]].concat()).unwrap();
    real.wrap_docker("");
    let ids: Vec<String> = (0..4).map(|_| real.run(&real.run_args(&source, &SHIP)).code(0).id()).collect();
    for id in &ids {
        assert_eq!(real.wait(id).1, 0);
    }
    // One fills the volume, and each container gets an archive with nothing in it.
    assert_eq!(real.calls().iter().filter(|call| *call == "cp").count(), 5);
    wait_until("the containers are gone", || real.containers().is_empty());
    for name in copies(&real).into_iter().filter(|name| !name.ends_with("-output")) {
        let _ = real.docker(&["volume", "rm", &name]);
    }
}

#[test]
fn a_copy_is_pruned_when_no_container_uses_it() {
    let mut real = Real::new();
    let source = real.source("print('done')");
    std::fs::write(source.join("seed"), real.label()).unwrap();
    let more = [&SHIP[..], &["--ship-cache", "always", "--keep", "--wait"]].concat();
    let id = real.run(&real.run_args(&source, &more)).code(0).id();
    let mounts = real.docker_says(&["inspect", "--format", "{{json .HostConfig.Mounts}}", &format!("longshore-{id}")]);
    let mounts: serde_json::Value = serde_json::from_str(&mounts).unwrap();
    let name = mounts[0]["Source"].as_str().unwrap().to_owned();
    assert!(name.starts_with("longshore-copy-"), "{name}");
    // Others of this user may have copies on this engine, too: longshore is not to see them.
    let docker = real.docker_program().display().to_string();
    real.wrap_docker(&format!(
        "case \" $* \" in *' volume ls '*) exec '{docker}' \"$@\" --filter 'name={name}' ;; esac"
    ));
    let prune = |more: &[&str]| {
        let ran = real.run(&[&["prune", "--copies", "--json"], more].concat()).code(0);
        schema::validated("prune", ran.json())["copies"].clone()
    };
    assert_eq!(prune(&[]), json!([]), "its container uses it");
    real.docker_says(&["rm", "--volumes", &format!("longshore-{id}")]);
    let plan = prune(&["--dry-run"]);
    assert_eq!((&plan[0]["name"], &plan[0]["removed"]), (&json!(name), &json!(false)), "{plan:#}");
    assert!(plan[0]["created"].is_string(), "{plan:#}");
    assert_eq!(prune(&["--older-than", "1h"]), json!([]));
    assert_eq!(prune(&[])[0]["removed"], json!(true));
    assert!(!copies(&real).contains(&name));
    // The next run with the same files makes it again.
    let again = real.run(&real.run_args(&source, &[&SHIP[..], &["--ship-cache", "always", "--wait"]].concat()));
    assert!(real.says(&again.code(0).id(), "done\n"));
    assert!(copies(&real).contains(&name));
    wait_until("the container is gone", || real.containers().is_empty());
    assert_eq!(prune(&[])[0]["removed"], json!(true));
}
