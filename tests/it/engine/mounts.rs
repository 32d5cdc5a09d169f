//! What a run sees of the mounts and ports that a user adds, and whose the files are.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt as _;

use serde_json::{Value, json};

use crate::support::real::Real;
use crate::support::wait_until;

#[test]
fn mounts_are_where_they_were_asked_for_and_files_in_them_belong_to_the_caller() {
    let real = Real::new();
    real.write("read/in", "given");
    real.write("a:b,\"c\"/file", "odd");
    real.write("settings.ini", "[a]\n");
    std::fs::create_dir(real.path("write")).unwrap();
    let volume = real.name("volume");
    real.docker_says(&["volume", "create", "--label", &real.label(), &volume]);
    let code = concat!(
        "import os\n",
        "print(open('/read/in').read(), open('/odd/file').read(), open('/etc/settings.ini').read().strip())\n",
        "try: open('/read/new', 'w')\n",
        "except OSError as error: print(error.strerror)\n",
        "open('/write/new', 'w').write('made')\n",
        "open('sub/dir/new', 'w').write('made')\n",
        "size = os.statvfs('/scratch')\n",
        "open('/scratch/x', 'w').write('x')\n",
        "print(size.f_blocks * size.f_frsize, os.path.ismount('/kept'))\n",
    );
    let source = real.source(code);
    let odd = format!(
        "type=bind,\"source={}\",target=/odd,readonly",
        real.path("a:b,\"c\"").display().to_string().replace('"', "\"\"")
    );
    let kept = format!("{volume}:/kept");
    let flags = [
        "-v",
        "./read:/read:ro",
        "-v",
        "./write:/write",
        "--mount",
        &odd,
        "-v",
        "./settings.ini:/etc/settings.ini:ro",
        "-v",
        &kept,
        "--mount",
        "type=tmpfs,target=/scratch,tmpfs-size=1m",
        "-v",
        "./write:/app/sub/dir",
        "--follow",
    ];
    let ran = real.run(&real.run_args(&source, &flags)).code(0);
    assert_eq!(ran.stdout, "given odd [a]\nRead-only file system\n1048576 True\n");
    let caller = std::fs::metadata(real.path("home")).unwrap();
    for made in [real.path("write/new"), source.join("sub"), source.join("sub/dir")].iter().filter(|path| path.exists())
    {
        let owner = std::fs::metadata(made).unwrap();
        assert_eq!((owner.uid(), owner.gid()), (caller.uid(), caller.gid()), "{}", made.display());
    }
    assert_eq!(std::fs::read_to_string(real.path("write/new")).unwrap(), "made");
    // A volume outlives the run.
    real.docker_says(&["volume", "inspect", &volume]);
}

#[test]
fn a_published_port_answers_and_one_that_is_taken_is_the_reason_of_the_failure() {
    let real = Real::new();
    let code =
        "import http.server\nhttp.server.HTTPServer(('', 8000), http.server.SimpleHTTPRequestHandler).serve_forever()";
    let source = real.source(code);
    let id = real.run(&real.run_args(&source, &["-p", "127.0.0.1::8000"])).code(0).id();
    let binding = || real.inspect(&id)["NetworkSettings"]["Ports"]["8000/tcp"][0].clone();
    wait_until("the port is published", || binding()["HostPort"].is_string());
    let port = binding()["HostPort"].as_str().unwrap().to_owned();
    assert_eq!(binding()["HostIp"], "127.0.0.1");
    let mut said = String::new();
    wait_until("the program answers", || {
        said.clear();
        TcpStream::connect(format!("127.0.0.1:{port}")).is_ok_and(|mut stream| {
            stream.write_all(b"GET /main.py HTTP/1.0\r\n\r\n").is_ok() && stream.read_to_string(&mut said).is_ok()
        }) && said.contains("200 OK")
    });
    let taken = format!("127.0.0.1:{port}:8000");
    let refused: Value = real.run(&real.run_args(&source, &["-p", &taken, "--wait", "--json"])).code(125).json();
    let reason = refused["reason"].as_str().unwrap();
    assert!(reason.contains("port is already allocated") || reason.contains("address already in use"), "{reason}");
    assert_eq!((&refused["outcome"], &refused["exitCode"]), (&json!("failed"), &json!(125)));
    real.run(&["exec", "kill", &id]).code(0);
}

#[test]
fn the_engines_socket_and_what_has_it_are_refused() {
    let real = Real::new();
    if std::fs::metadata("/var/run/docker.sock").is_err() {
        return crate::support::skipped("the engine has no socket");
    }
    let source = real.source("print(1)");
    for mount in ["/var/run/docker.sock:/run/docker.sock", "/var/run:/outer", "/run:/outer:ro", "/:/outer"] {
        let refused = real.run(&real.run_args(&source, &["-v", mount])).code(2);
        let why = ["it is a socket", "docker.sock is in it", "the root directory cannot be mounted"];
        assert!(why.iter().any(|why| refused.stderr.contains(why)), "{mount}: {refused:?}");
    }
}
