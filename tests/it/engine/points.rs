//! Mount points in source directories, and containers that have them.

use crate::support::fake::names;
use crate::support::real::Real;
use crate::support::wait_until;

/// Says what it sees of its input before and after the file `go` is there.
const CODE: &str = concat!(
    "import os, time\n",
    "print(os.listdir('data'), flush=True)\n",
    "while not os.path.exists('go'): time.sleep(0.02)\n",
    "print(os.listdir('data'), flush=True)\n",
    "open('output/' + os.environ['NAME'], 'w').write('made')\n",
);

#[test]
fn of_two_runs_from_one_source_directory_the_second_keeps_its_mounts_when_the_first_ends() {
    let real = Real::new();
    let source = real.source(CODE);
    real.write("input/in", "");
    let (input, output) = (real.path("input"), real.path("output"));
    let flags = ["--input", input.to_str().unwrap(), "--output", output.to_str().unwrap(), "-e"];
    let start = |name: &str| {
        let id = real.run(&real.run_args(&source, &[&flags[..], &[name]].concat())).code(0).id();
        wait_until("the program has begun", || real.says(&id, "['in']\n"));
        id
    };
    let (first, second) = (start("NAME=first"), start("NAME=second"));
    assert_eq!(names(&source), ["data", "main.py", "output"]);
    real.run(&["exec", "kill", &first]).code(0);
    real.wait(&first);
    wait_until("its container is gone", || real.containers().len() == 1);
    // A sweep, and another run that ends.
    real.finish("print(1)", &[]).code(0);
    std::fs::write(source.join("go"), "").unwrap();
    assert_eq!(real.wait(&second).1, 0);
    assert_eq!(String::from_utf8(real.log(&second)).unwrap(), "['in']\n['in']\n");
    assert_eq!(names(&output), ["second"]);
    wait_until("the mount points are gone", || names(&source) == ["go", "main.py"]);
}

#[test]
fn a_container_that_docker_itself_runs_keeps_its_mounts() {
    let real = Real::new();
    let source = real.source("import sys, time\nif sys.argv[1:]: time.sleep(600)");
    real.write("input/in", "");
    let (input, source_path) = (real.path("input"), source.to_str().unwrap());
    let flags = ["--input", input.to_str().unwrap(), "--wait"];
    // Made by longshore, and then used by a container that it knows nothing of.
    let held = real.run(&real.run_args(&source, &["--input", input.to_str().unwrap(), "--", "stay"]));
    let held = held.code(0).id();
    wait_until("the container runs", || real.containers().len() == 1);
    let mounts = [
        format!("type=bind,source={source_path},target=/app"),
        format!("type=bind,source={},target=/app/data", input.display()),
    ];
    let other =
        real.docker_made(&["run", "-d"], "other", &["--mount", &mounts[0], "--mount", &mounts[1]], &["sleep", "600"]);
    real.run(&["exec", "kill", &held]).code(0);
    real.wait(&held);
    real.run(&real.run_args(&source, &flags)).code(0);
    assert_eq!(real.docker_says(&["exec", &other, "ls", "/app/data"]), "in");
    assert_eq!(names(&source), ["data", "main.py"]);
    real.docker_says(&["rm", "--force", &other]);
    real.run(&real.run_args(&source, &flags)).code(0);
    wait_until("the mount point is gone", || names(&source) == ["main.py"]);
}
