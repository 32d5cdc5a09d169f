//! What a program on a node is given, and what comes back from it.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::assert_cleared;
use crate::support::real::Real;
use crate::support::remote::Nodes;

/// Reads its input, and makes an output of every kind.
const PROGRAM: &str = "\
import hashlib, os, sys
import part
print('arguments', sys.argv[1:], os.getcwd(), os.getuid(), os.getgid())
for root, directories, files in sorted(os.walk('data')):
    for name in sorted(files):
        print(os.path.join(root, name), hashlib.sha256(open(os.path.join(root, name), 'rb').read()).hexdigest())
os.makedirs('output/deep/er', exist_ok=True)
open('output/deep/er/empty', 'w').close()
open('output/zeros', 'wb').write(bytes(3_000_000))
open('output/noise', 'wb').write(part.noise(2_000_000))
open('output/two words\\n', 'w').write('x')
os.chmod('output/zeros', 0o640)
os.symlink('deep/er', 'output/link')
os.link('output/zeros', 'output/deep/same')
os.utime('output/noise', (1_000_000_000, 1_000_000_000))
sys.stdout.buffer.write(b'not \\xff UTF-8\\n')
sys.exit(3)
";

const PART: &str = "\
import random
def noise(length):
    return random.Random(1).randbytes(length)
";

/// What is below a directory, with all that a caller could notice.
fn tree(root: &Path) -> BTreeMap<PathBuf, (u32, u32, u32, u64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let data = path.symlink_metadata().unwrap();
            let content = if data.is_dir() {
                open.push(path.clone());
                Vec::new()
            } else if data.is_symlink() {
                std::fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
            } else {
                std::fs::read(&path).unwrap()
            };
            let at = path.strip_prefix(root).unwrap().to_owned();
            found.insert(at, (data.mode(), data.uid(), data.gid(), data.nlink(), content));
        }
    }
    found
}

fn prepared(world: &Real) -> (PathBuf, PathBuf) {
    let source = world.source(PROGRAM);
    std::fs::write(source.join("part.py"), PART).unwrap();
    world.write("in/a.csv", "1,2\n");
    world.write("in/sub/b.csv", [0, 255, 10]);
    (source, world.path("in"))
}

#[test]
fn a_run_on_a_swarm_gives_what_a_run_on_this_machine_gives() {
    let manager = Nodes::swarm().world(1);
    let here = Real::new();
    let mut results = Vec::new();
    for (world, place) in [(&here, None), (&manager, Some("--swarm"))] {
        let (source, input) = prepared(world);
        let output = world.path("out");
        let flags = ["--input", input.to_str().unwrap(), "--output", output.to_str().unwrap(), "--wait", "--json"];
        let flags = [&flags[..], &place.into_iter().collect::<Vec<_>>(), &["--", "one", ""]].concat();
        let ran = world.run(&world.run_args(&source, &flags)).code(3);
        let id = ran.json()["exec_id"].as_str().unwrap().to_owned();
        let job = world.run(&["exec", "wait", &id, "--json"]).json();
        let facts = ["outcome", "exitCode", "signal", "reason", "log", "recovered"].map(|key| job[key].clone());
        results.push((world.log(&id), facts, tree(&output)));
        if place.is_some() {
            assert_cleared(world, &id);
        }
    }
    let (there, here) = (results.pop().unwrap(), results.pop().unwrap());
    assert_eq!(String::from_utf8_lossy(&there.0), String::from_utf8_lossy(&here.0));
    assert_eq!(there.0, here.0);
    assert_eq!(there.1, here.1);
    assert_eq!(there.2.keys().collect::<Vec<_>>(), here.2.keys().collect::<Vec<_>>());
    for (path, facts) in here.2 {
        assert!(there.2[&path] == facts, "{} differs: {:?}", path.display(), there.2[&path].0);
    }
}

#[test]
fn the_directory_on_the_node_is_gone_when_the_output_was_fetched() {
    let manager = Nodes::swarm().world(1);
    let output = manager.path("out");
    let flags = ["--swarm", "--constraint", "node.hostname==longshore-swarm-2", "--output", output.to_str().unwrap()];
    let ran = manager.finish("open('output/x', 'w').write('x')", &flags).code(0);
    let id = ran.json()["exec_id"].as_str().unwrap().to_owned();
    assert_eq!(std::fs::read_to_string(output.join("x")).unwrap(), "x");
    assert_cleared(&manager, &id);
    let worker = Nodes::swarm().world(2);
    let volume = "longshore-output-0:/outputs";
    let listed = || worker.docker_says(&["run", "--rm", "--volume", volume, &Real::base(), "ls", "/outputs"]);
    crate::support::wait_until("the directory is removed", || !listed().contains(&id));
}

#[test]
fn shared_directories_are_mounted_and_a_missing_one_is_refused_by_the_node() {
    let nodes = Nodes::swarm();
    let manager = nodes.world(1);
    let shared = nodes.shared().join(manager.label().replace('=', "-"));
    std::fs::create_dir_all(shared.join("out")).unwrap();
    std::fs::write(shared.join("main.py"), "open('output/x', 'w').write('x'); print(open('/more/main.py').read()[:4])")
        .unwrap();
    let (output, volume) = (shared.join("out"), format!("{}:/more:ro", shared.display()));
    let flags = ["--swarm", "--shared", "--wait", "-v", &volume];
    // The output is in the source directory, at its own mount point.
    std::fs::create_dir_all(shared.join("output")).unwrap();
    let outside = nodes.shared().join(format!("out-{}", manager.label().replace('=', "-")));
    std::fs::create_dir_all(&outside).unwrap();
    let flags = [&flags[..], &["--output", outside.to_str().unwrap()]].concat();
    let ran = manager.run(&manager.run_args(&shared, &flags)).code(0);
    assert_eq!(String::from_utf8(manager.log(&ran.id())).unwrap(), "open\n");
    assert_eq!(std::fs::read_to_string(outside.join("x")).unwrap(), "x");
    assert!(!output.join("x").exists());
    for dir in [&shared, &outside] {
        std::fs::remove_dir_all(dir).unwrap();
    }

    let ran = manager.finish("print('never')", &["--swarm", "--shared"]).code(125);
    let reason = ran.json()["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("bind source path does not exist"), "{reason}");
    assert_cleared(&manager, ran.json()["exec_id"].as_str().unwrap());
}

#[test]
fn a_program_has_its_user_its_variables_and_no_privileges() {
    let manager = Nodes::swarm().world(1);
    let code = "\
import os
print(os.getuid(), os.getgid(), os.getgroups(), os.environ['TOKEN'], os.environ['HTTP_PROXY'], os.environ['HOME'])
print([line.split()[1] for line in open('/proc/self/status') if line.startswith('CapEff')])
open('output/x', 'w').write('x')
open('/app/own', 'w')
";
    let output = manager.path("out");
    let flags = ["--swarm", "--user", "54321:54322", "--env", "TOKEN=a\nb", "--env", "HTTP_PROXY=http://h", "--output"];
    let source = manager.source(code);
    std::os::unix::fs::chown(&source, Some(54321), Some(54322)).unwrap();
    let flags = [&flags[..], &[output.to_str().unwrap(), "--wait"]].concat();
    let ran = manager.run(&manager.run_args(&source, &flags)).code(0);
    let log = String::from_utf8(manager.log(&ran.id())).unwrap();
    assert_eq!(log, "54321 54322 [] a\nb http://h /tmp\n['0000000000000000']\n");
    // What is fetched belongs to the caller.
    assert_eq!(std::fs::metadata(output.join("x")).unwrap().uid(), 0);
    let description = manager.run(&["exec", "inspect", &ran.id(), "--json"]).code(0).stdout;
    assert!(!description.contains("a\\nb") && description.contains("TOKEN=(withheld)"), "{description}");
    assert_eq!(manager.run(&["exec", "list", "--json"]).json()[0]["outcome"], json!("succeeded"));
}

#[test]
fn an_output_whose_collector_has_failed_is_fetched_by_another_one() {
    let mut manager = Nodes::swarm().world(1);
    let output = manager.path("out");
    // The last word is the directory.
    let none = "n=$#; for word; do shift; n=$((n-1)); [ $n != 0 ] || word=none; set -- \"$@\" \"$word\"; done";
    manager.wrap_docker(&format!("case \" $* \" in *' service create '*-output' '*) {none} ;; esac"));
    let ran = manager.finish("open('output/x', 'w').write('x')", &["--swarm", "--output", output.to_str().unwrap()]);
    let id = ran.json()["exec_id"].as_str().unwrap().to_owned();
    let reason = ran.json()["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("could not fetch the output"), "{reason}");
    // The run has recorded the path of this docker.
    manager.wrap_docker("");
    manager.run(&["exec", "fetch", &id]).code(0);
    assert_eq!(std::fs::read_to_string(output.join("x")).unwrap(), "x");
    assert_cleared(&manager, &id);
}
