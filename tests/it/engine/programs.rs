//! Modules and commands as programs of runs.

use serde_json::json;

use crate::support::real::Real;

#[test]
fn a_module_and_a_command_run_in_the_source_directory_and_give_their_code() {
    let real = Real::new();
    let source = real.source("");
    real.write("src-0/pkg/__init__.py", "");
    real.write(
        "src-0/pkg/tool.py",
        "import os, sys\nprint(__name__, os.getcwd(), sys.argv[1:])\nraise SystemExit(5)\n",
    );
    let (label, base) = (real.label(), Real::base());
    let head = ["exec", "run", "--image", &base, "--label", &label, "--src", source.to_str().unwrap()];
    let follow = |more: &[&str], code: i32| real.run(&[&head[..], &["--follow"], more].concat()).code(code).stdout;
    assert_eq!(follow(&["-m", "pkg.tool", "--", "a b"], 5), "__main__ /app ['a b']\n");
    assert_eq!(follow(&["--command", "--", "python3", "-c", "import pkg.tool", "x"], 5), "pkg.tool /app ['x']\n");
    assert_eq!(follow(&["--command", "--", "sh", "-c", "echo \"$0 $PWD\"; exit 4", "me"], 4), "me /app\n");
    let ran = real.run(&[&head[..], &["--wait", "--json", "--command", "--", "no-such-program"]].concat()).code(127);
    assert_eq!((&ran.json()["exitCode"], &ran.json()["command"]), (&json!(127), &json!(["no-such-program"])));
    let inspected = real.inspect(ran.json()["exec_id"].as_str().unwrap());
    assert_eq!((&inspected["Path"], &inspected["Args"]), (&json!("no-such-program"), &json!([])));
}
