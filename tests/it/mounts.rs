//! The mounts and ports that a user adds to a run: what is refused, and what docker is asked for.

use crate::support::fake::{Fake, names};
use crate::support::snapshots::{snapshot, together};

#[test]
fn what_cannot_be_mounted_or_published_is_refused_before_docker_is_asked() {
    let fake = Fake::new();
    fake.write("data/in", "");
    let _socket = std::os::unix::net::UnixListener::bind(fake.path("socket")).unwrap();
    let run = fake.run_args("exit 0", &[]);
    let cases: [&[&str]; 14] = [
        &["-v", "./absent:/data"],
        &["-v", "/data"],
        &["-v", "data/in:/data"],
        &["-v", "./socket:/socket"],
        &["-v", "/:/host"],
        &["-v", "./data:/app"],
        &["-v", "./data:/x", "--mount", "type=tmpfs,target=/x"],
        &["-v", "./data:/x", "-v", "./data:/x/y"],
        &["-v", "./data/in:/app/new"],
        &["-v", "./data:/x:z"],
        &["--mount", "type=bind,source=data,target=x"],
        &["--mount", "type=volume,source=v,target=/x,volume-driver=local"],
        &["-p", "80:80:80"],
        &["-p", "8080:80", "--network", "none"],
    ];
    let ran = cases.map(|more| {
        let more: Vec<String> = more.iter().map(|word| (*word).to_owned()).collect();
        fake.run(&[&run[..], &more].concat()).code(2)
    });
    snapshot!(fake, together(ran));
    assert_eq!(fake.calls(), Vec::<String>::new());
    assert_eq!(names(&fake.path("")), ["data", "engine", "home", "socket", "src"]);
    assert_eq!(names(&fake.path("src")), ["p0.py"]);
}

#[test]
fn a_mount_reaches_docker_with_its_path_resolved_and_a_rerun_can_put_another_in_its_place() {
    let fake = Fake::new();
    fake.write("with, comma/in", "");
    std::os::unix::fs::symlink("with, comma", fake.path("link")).unwrap();
    let flags = ["-v", "./link:/data/:ro", "-v", "named:/named", "-p", "8080:80", "-p", "53:53/udp"];
    let id = fake.ended_run_with("exit 0", &flags);
    let asked = |command: &[&str]| -> Vec<String> {
        let document = fake.run(&[command, &["--dry-run", "--json"]].concat()).code(0).json();
        let argv: Vec<&str> = document["argv"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        let wanted = argv.windows(2).filter(|pair| ["--mount", "--publish", "--volume"].contains(&pair[0]));
        wanted.map(|pair| pair[1].replace(fake.dir.path().to_str().unwrap(), "")).collect()
    };
    let rest = ["type=volume,source=named,target=/named"];
    let data = "type=bind,\"source=/with, comma\",target=/data,readonly";
    let source = "type=bind,source=/src,target=/app";
    assert_eq!(asked(&["exec", "rerun", &id]), [source, data, rest[0], "8080:80", "53:53/udp"]);
    let changed = ["exec", "rerun", &id, "--mount", "type=tmpfs,target=/data", "-v", "./src:/more", "-p", "9090:80"];
    let more = ["type=bind,source=/src,target=/more", "type=tmpfs,target=/data"];
    // Those of a record have no other order than that of `--mount`.
    assert_eq!(asked(&changed), [source, more[0], rest[0], more[1], "53:53/udp", "9090:80"]);
    std::fs::remove_file(fake.path("link")).unwrap();
    fake.run(&["exec", "rerun", &id]).code(0);
    std::fs::remove_dir_all(fake.path("with, comma")).unwrap();
    let gone = fake.run(&["exec", "rerun", &id]).code(2);
    assert!(gone.stderr.contains("comma at /data: no such file or directory"), "{gone}");
}
