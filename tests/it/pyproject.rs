//! `image create --pyproject`: what becomes of the file, and what is refused. The engine is a fake.

use serde_json::{Value, json};

use crate::support::Ran;
use crate::support::fake::{Fake, assert_failure_document, job_ids};
use crate::support::schema;
use crate::support::snapshots::{snapshot, together};

const PROJECT: &str = r#"
[project]
name = "report"
dependencies = ["numpy<2", "idna; os_name == 'posix'"]

[project.optional-dependencies]
fast = ["numba"]
all = ["report[fast]", "rich"]

[dependency-groups]
test = ["pytest", {include-group = "base"}]
base = ["coverage"]

[[tool.uv.index]]
url = "https://me:hunter2@pip.example.org/simple"
"#;

/// `image create web` from the base of the fake, with these flags.
fn create(fake: &Fake, flags: &[&str]) -> Ran {
    fake.run(&[&["image", "create", "web", "--base", "base"], flags].concat())
}

/// The list for pip that would be built.
#[track_caller]
fn listed(fake: &Fake, flags: &[&str]) -> String {
    let ran = create(fake, &[flags, &["--dry-run", "--json"]].concat()).code(0);
    let files = schema::validated("image-dry-run", ran.json())["files"].take();
    files["requirements.txt"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn the_packages_become_packages_of_the_recipe_and_the_rest_of_the_file_is_not_kept() {
    let fake = Fake::new();
    fake.write("pyproject.toml", PROJECT);
    let project = ["--pyproject", "pyproject.toml"];
    let with = |flags: &[&str]| listed(&fake, &[&project, flags].concat());
    let idna = "idna; os_name == 'posix'";
    assert_eq!(with(&[]), format!("{idna}\nnumpy<2\n"));
    assert_eq!(with(&["--group=test"]), format!("coverage\n{idna}\nnumpy<2\npytest\n"));
    assert_eq!(with(&["--extra", "all", "--group", "Base"]), format!("coverage\n{idna}\nnumba\nnumpy<2\nrich\n"));
    assert_eq!(with(&["--pip", "six"]), format!("{idna}\nnumpy<2\nsix\n"));
    fake.write("more.txt", "six==1\n");
    assert_eq!(with(&["-r", "more.txt"]), format!("{idna}\nnumpy<2\nsix==1\n"));

    create(&fake, &[&project[..], &["--extra", "fast", "--pip", "six", "--wait"]].concat()).code(0);
    let id = fake.run(&["image", "status", "web", "--json"]).code(0).json()["id"].as_str().unwrap().to_owned();
    let record = std::fs::read_to_string(fake.job("build", &id).join("job.json")).unwrap();
    assert!(!record.contains("hunter2"), "{record}");
    let mut recipe = serde_json::from_str::<Value>(&record).unwrap()["work"]["build"]["recipe"].take();
    assert_eq!(recipe["pipInstall"], format!("six\nnumpy<2\n{idna}\nnumba"));
    assert_eq!([&recipe["pyproject"], &recipe["groups"], &recipe["extras"]], [&Value::Null; 3]);
    // The recipe needs the file no more.
    std::fs::remove_file(fake.path("pyproject.toml")).unwrap();
    recipe["name"] = "again".into();
    let again =
        fake.run_with(&["image", "create", "--spec", "-", "--dry-run", "--json"], recipe.to_string().as_bytes());
    assert_eq!(again.code(0).json()["files"]["requirements.txt"], format!("{idna}\nnumba\nnumpy<2\nsix\n"));
}

#[test]
fn a_spec_has_the_text_of_the_file_and_flags_take_its_place() {
    let fake = Fake::new();
    let spec = json!({"pyproject": PROJECT, "groups": ["base"], "extras": ["fast"], "pipInstall": "six"});
    fake.write("spec.json", spec.to_string());
    fake.write(
        "other.toml",
        "[dependency-groups]\nbase = ['ruff']\ntest = ['tox']\n[project]\noptional-dependencies.fast = []",
    );
    let with = |flags: &[&str]| listed(&fake, &[&["--spec", "spec.json"], flags].concat());
    let idna = "idna; os_name == 'posix'";
    assert_eq!(with(&[]), format!("coverage\n{idna}\nnumba\nnumpy<2\nsix\n"));
    assert_eq!(with(&["--group", "test"]), format!("coverage\n{idna}\nnumba\nnumpy<2\npytest\nsix\n"));
    assert_eq!(with(&["--pyproject", "other.toml"]), "ruff\nsix\n");
    assert_eq!(with(&["--pyproject", "other.toml", "--group", "test"]), "six\ntox\n");
    let piped = ["image", "create", "web", "--base", "base", "--pyproject", "/dev/stdin", "--dry-run", "--json"];
    let piped = fake.run_with(&piped, b"\xef\xbb\xbf[project]\r\ndependencies = ['six']").code(0).json();
    assert_eq!(piped["files"]["requirements.txt"], "six\n");
}

#[test]
fn the_dockerfile_is_the_same_whatever_the_file_says() {
    let fake = Fake::new();
    fake.write("a.toml", "[project]\ndependencies = ['six']");
    fake.write("b.toml", "[project]\nname = \"\\nRUN x\"\ndependencies = [\"idna[x] ; os_name == 'RUN touch /x'\"]");
    let dockerfile = |file: &str| {
        create(&fake, &["--pyproject", file, "--dry-run", "--json"]).code(0).json()["files"]["Dockerfile"].take()
    };
    assert_eq!(dockerfile("a.toml"), dockerfile("b.toml"));
}

#[test]
fn a_project_is_built_again_when_its_packages_change() {
    let fake = Fake::new();
    let needless = |flags: &[&str]| {
        let flags = [&["--pyproject", "pyproject.toml", "--if-changed", "--wait", "--json"], flags].concat();
        create(&fake, &flags).code(0).json()["upToDate"] == true
    };
    fake.write("pyproject.toml", PROJECT);
    assert_eq!([needless(&[]), needless(&[])], [false, true]);
    assert_eq!([needless(&["--group", "test"]), needless(&["--group", "test"])], [false, true]);
    fake.write("pyproject.toml", PROJECT.replace("coverage", "coverage>=7"));
    assert_eq!([needless(&["--group", "test"]), needless(&["--group", "test"])], [false, true]);
    // A comment, the order, or a list that is not used has no effect.
    let same = PROJECT.replace("coverage", "coverage>=7");
    let same =
        same.replace("\"numpy<2\", \"idna; os_name == 'posix'\"", "\n# x\n\"idna; os_name == 'posix'\", 'numpy<2'");
    fake.write("pyproject.toml", same.replace("numba", "cython"));
    assert!(needless(&["--group", "test"]));
    fake.write("pyproject.toml", same.replace("numpy<2", "numpy<3"));
    assert!(!needless(&["--group", "test"]));
}

#[test]
fn what_cannot_be_used_is_named_with_its_file_and_line_and_starts_nothing() {
    let fake = Fake::new();
    let cases: [(&str, &str, &[&str]); 12] = [
        ("syntax.toml", "[project]\ndependencies = ['six'", &[]),
        ("empty.toml", "", &[]),
        ("poetry.toml", "[tool.poetry.dependencies]\nsix = '*'\n", &[]),
        ("dynamic.toml", "[project]\ndynamic = ['dependencies']\n", &[]),
        ("url.toml", "[project]\ndependencies = [\n  'six @ https://me:hunter2@example.org/six.whl',\n]\n", &[]),
        ("local.toml", "[project]\ndependencies = ['./wheels/six.whl']\n", &[]),
        ("type.toml", "[project]\ndependencies = 'six'\n", &[]),
        (
            "cycle.toml",
            "[dependency-groups]\na = [{include-group = 'b'}]\nb = [{include-group = 'a'}]\n",
            &["--group", "a"],
        ),
        ("table.toml", "[dependency-groups]\na = [{path = '.'}]\n", &["--group", "a"]),
        ("nosuch.toml", PROJECT, &["--group", "tests"]),
        ("other.toml", PROJECT, &["--group", "fast"]),
        (
            "own.toml",
            "[project]\nname = 'a'\noptional-dependencies.x = ['a[y]; os_name == \"nt\"']\n",
            &["--extra", "x"],
        ),
    ];
    let refused = cases.map(|(name, text, flags)| {
        fake.write(name, text);
        create(&fake, &[&["--pyproject", name], flags].concat()).code(2)
    });
    fake.write("latin.toml", b"[project]\n# caf\xe9\n");
    fake.write("large.toml", "#".repeat(9 << 20));
    fake.write("hashed.txt", format!("six==1.16.0 --hash=sha256:{}\n", "0".repeat(64)));
    fake.write("pyproject.toml", PROJECT);
    let more = [
        create(&fake, &["--group", "test"]).code(2),
        create(&fake, &["--extra", "fast"]).code(2),
        create(&fake, &["--pyproject", "pyproject.toml", "--group", "test,base"]).code(2),
        create(&fake, &["--pyproject", "pyproject.toml", "-r", "hashed.txt"]).code(2),
        create(&fake, &["--pyproject", "missing.toml"]).code(2),
        create(&fake, &["--pyproject", "latin.toml"]).code(2),
        create(&fake, &["--pyproject", "large.toml"]).code(2),
        create(&fake, &["--pyproject", "url.toml", "--wait"]).code(125),
    ];
    let document = create(&fake, &["--pyproject", "dynamic.toml", "--json"]).code(2);
    assert_failure_document(&document, "usage");
    let bodies = [
        json!({"pyproject": "[project]\n\ndependencies = ['-e .']"}),
        json!({"pyproject": {"project": {}}}),
        json!({"groups": ["test"]}),
        json!({"pyproject": PROJECT, "groups": "test"}),
        json!({"pyproject": PROJECT, "extras": ["a b"]}),
    ];
    let bodies = bodies.map(|body| {
        let args = ["image", "create", "web", "--base", "base", "--spec", "-"];
        fake.run_with(&args, body.to_string().as_bytes()).code(2)
    });
    snapshot!(fake, together(refused), together(more), document, together(bodies));
    assert!(job_ids(&fake.jobs("build")).is_empty());
    assert_eq!(fake.calls(), Vec::<String>::new(), "no engine is asked");
}
