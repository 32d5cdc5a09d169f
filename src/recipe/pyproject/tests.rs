use std::path::Path;

use super::*;

const WHOLE: &str = r#"
[build-system]
requires = ["setuptools"]

[project]
name = "My.Project"
version = "1"
dependencies = [
    "numpy >= 2, < 3",  # why
    'idna; os_name == "posix"',
]

[project.optional-dependencies]
fast = ["numba[tbb]==0.60"]
All_Things = ["my-project[fast]", "six"]

[dependency-groups]
Test = ["pytest>8", {include-group = "base.tools"}]
base-tools = ["coverage", "idna; os_name == \"posix\""]
dev = [{include-group = "test"}, {include-group = "base_tools"}, "my_project[ All-things ]", "ruff"]

[tool.uv.sources]
numpy = { git = "https://me:hunter2@example.org/numpy" }
"#;

fn read(text: &str, groups: &[&str], extras: &[&str]) -> Result<Vec<String>, Failure> {
    let groups: Vec<DependencyGroup> = groups.iter().map(|name| name.parse().unwrap()).collect();
    let extras: Vec<ExtraName> = extras.iter().map(|name| name.parse().unwrap()).collect();
    let found = packages(Place::File(Path::new("p.toml")), text, &groups, &extras)?;
    Ok(found.into_iter().map(String::from).collect())
}

#[track_caller]
fn refused(text: &str, groups: &[&str], extras: &[&str]) -> (String, String) {
    let failure = read(text, groups, extras).unwrap_err();
    (failure.message, failure.hint.unwrap_or_default())
}

#[test]
fn the_dependencies_come_with_the_extras_and_groups_that_are_named() {
    let project = ["numpy >= 2, < 3", "idna; os_name == \"posix\""];
    for (groups, extras, more) in [
        (&[][..], &[][..], &[][..]),
        (&[], &["fast"], &["numba[tbb]==0.60"]),
        (&[], &["all-things", "FAST"], &["numba[tbb]==0.60", "six"]),
        (&["test"], &[], &["pytest>8", "coverage"]),
        (&["BASE__TOOLS", "Test"], &[], &["coverage", "pytest>8"]),
        (&["dev"], &["fast"], &["numba[tbb]==0.60", "pytest>8", "coverage", "six", "ruff"]),
    ] {
        assert_eq!(read(WHOLE, groups, extras).unwrap(), [&project, more].concat(), "{groups:?} {extras:?}");
    }
}

#[test]
fn a_file_may_have_groups_only_or_no_dependencies() {
    assert_eq!(read("[dependency-groups]\na = ['six']", &["a"], &[]).unwrap(), ["six"]);
    assert_eq!(read("[dependency-groups]\na = []", &["a"], &[]).unwrap(), Vec::<String>::new());
    assert_eq!(read("[project]\nname = 'x'\ndynamic = ['version']", &[], &[]).unwrap(), Vec::<String>::new());
    assert_eq!(read("project = {dependencies = ['six']}\r\n", &[], &[]).unwrap(), ["six"]);
    // What was not asked for is not looked at.
    let broken =
        "[project]\noptional-dependencies = 7\ndynamic = ['optional-dependencies']\n[dependency-groups]\na = 1\n";
    assert_eq!(read(broken, &[], &[]).unwrap(), Vec::<String>::new());
}

/// A file, the groups and extras that are asked for, and the refusal or its beginning.
type Refused = (&'static str, &'static [&'static str], &'static [&'static str], &'static str);

const REFUSED: &[Refused] = &[
    ("[project", &[], &[], "p.toml:1: not TOML: "),
    ("[project]\nx = 1\nx = 2", &[], &[], "p.toml:3: not TOML: duplicate key"),
    ("", &[], &[], "p.toml: there is no table [project]"),
    ("[tool.poetry.dependencies]\nsix = '*'", &[], &[], "p.toml: there is no table [project]"),
    ("[project]\n", &["a"], &[], "p.toml: [dependency-groups] does not have the group \"a\""),
    (
        "[dependency-groups]\nA = [{include-group = 'b'}]",
        &["a"],
        &[],
        "p.toml:2: [dependency-groups] does not have the group \"b\"",
    ),
    ("[project]\n", &[], &["a"], "p.toml: [project.optional-dependencies] does not have the extra \"a\""),
    ("project = 1", &[], &[], "p.toml:1: \"project\" must be a table"),
    ("[project]\ndependencies = 'six'", &[], &[], "p.toml:2: project.dependencies must be an array"),
    (
        "[project]\ndependencies = [\n'six',\n{a = 1}]",
        &[],
        &[],
        "p.toml:4: project.dependencies may contain only texts",
    ),
    (
        "[project]\noptional-dependencies = []",
        &[],
        &["a"],
        "p.toml:2: \"project.optional-dependencies\" must be a table",
    ),
    (
        "[project.optional-dependencies]\na = [{include-group = 'a'}]",
        &[],
        &["a"],
        "p.toml:2: the extra \"a\" may contain only texts",
    ),
    (
        "[dependency-groups]\na = [1]",
        &["a"],
        &[],
        "p.toml:2: the group \"a\" may contain only texts and tables such as {include-group = \"NAME\"}",
    ),
    (
        "[dependency-groups]\na = [{include-group = 'a', x = 1}]",
        &["a"],
        &[],
        "p.toml:2: the group \"a\" may contain only texts and tables such as {include-group = \"NAME\"}",
    ),
    (
        "[dependency-groups]\na = [{include-group = 'b'}]\nb = [{include-group = 'A'}]",
        &["a"],
        &[],
        "p.toml:3: the group \"a\" includes itself",
    ),
    (
        "[project]\nname = 'x'\n[project.optional-dependencies]\na = ['x[b]']\nb = ['x[a]']",
        &[],
        &["a"],
        "p.toml:5: the extra \"a\" includes itself",
    ),
    ("[dependency-groups]\na-b = []\nA_B = []", &["a.b"], &[], "p.toml:"),
    (
        "[project]\ndynamic = ['version',\n'dependencies']",
        &[],
        &[],
        "p.toml:3: the dependencies are dynamic: only a build of the project knows them",
    ),
    (
        "[project]\ndynamic = ['dependencies']\n[dependency-groups]\na = ['six']",
        &["a"],
        &[],
        "p.toml:2: the dependencies are dynamic: only a build of the project knows them",
    ),
    (
        "[project]\ndynamic = ['optional-dependencies']",
        &[],
        &["a"],
        "p.toml:2: the optional-dependencies are dynamic: only a build of the project knows them",
    ),
    ("[project]\ndynamic = 'dependencies'", &[], &[], "p.toml:2: \"project.dynamic\" must be an array"),
    (
        "[project]\ndependencies = ['a', 'x @ https://me:pw@h/x.whl']",
        &[],
        &[],
        "p.toml:2: invalid pip requirement \"x @ https://***@h/x.whl\": a URL is not accepted here",
    ),
    (
        "[project]\ndependencies = ['git+https://h/x']",
        &[],
        &[],
        "p.toml:2: invalid pip requirement \"git+https://h/x\": it is a URL without a name",
    ),
    (
        "[project]\ndependencies = ['./x']",
        &[],
        &[],
        "p.toml:2: invalid pip requirement \"./x\": pip would read it as the path of a file",
    ),
    (
        "[project]\ndependencies = ['x.whl']",
        &[],
        &[],
        "p.toml:2: invalid pip requirement \"x.whl\": pip would read it as the path of a file",
    ),
    (
        "[project]\ndependencies = ['-r x.txt']",
        &[],
        &[],
        "p.toml:2: invalid pip requirement \"-r x.txt\": pip would read a word that begins with \"-\" as an option",
    ),
    (
        "[project]\ndependencies = ['six ${X}']",
        &[],
        &[],
        "p.toml:2: invalid pip requirement \"six ${X}\": \"$\" is not allowed, because pip would insert the value of a variable",
    ),
    (
        "[project]\ndependencies = [\"six\\n-e .\"]",
        &[],
        &[],
        "p.toml:2: invalid pip requirement \"six\\n-e .\": \"\\n\" is not allowed",
    ),
    ("[project]\ndependencies = ['']", &[], &[], "p.toml:2: invalid pip requirement \"\": it is empty"),
    (
        "[project]\nname = 'x'\ndependencies = ['X[a]>1']",
        &[],
        &[],
        "p.toml:3: invalid pip requirement \"X[a]>1\": it names the project itself, whose version and marker would have no \
             effect",
    ),
];

#[test]
fn what_cannot_be_taken_is_refused_with_its_line() {
    for (text, groups, extras, message) in REFUSED {
        let (said, _) = refused(text, groups, extras);
        let is_start = message.ends_with([':', ' ']);
        assert!(if is_start { said.starts_with(message) } else { said == *message }, "{said:?} and not {message:?}");
    }
    let long: String = (0..200).map(|at| format!("g{at} = [{{include-group = 'g{}'}}]\n", at + 1)).collect();
    let (said, _) = refused(&format!("[dependency-groups]\n{long}"), &["g0"], &[]);
    assert_eq!(said, "p.toml:101: lists of packages include each other too deeply");
}

#[test]
fn a_name_that_is_not_there_is_answered_with_what_to_type() {
    for (groups, extras, hint) in [
        (&["fast"][..], &[][..], "[project.optional-dependencies] has it: use --extra fast"),
        (&[], &["test"], "[dependency-groups] has it: use --group test"),
        (&["tests"], &[], "did you mean \"Test\"?"),
        (&["nosuchgroup"], &[], "it has Test, base-tools, dev"),
    ] {
        assert_eq!(refused(WHOLE, groups, extras).1, hint);
    }
    let hint = refused("[project]\ndynamic = ['dependencies']", &[], &[]).1;
    assert_eq!(hint, "give the file that they come from with --requirements FILE, or write them into [project]");
}

#[test]
fn names_are_known_also_of_a_file_whose_lists_are_broken() {
    let names = names(WHOLE);
    assert_eq!(
        (names.groups, names.extras),
        (["Test", "base-tools", "dev"].map(String::from).to_vec(), ["All_Things", "fast"].map(String::from).to_vec(),)
    );
    assert_eq!(super::names("[dependency-groups]\na = 1").groups, ["a"]);
    assert_eq!(super::names("[dependency-groups"), Names::default());
}

#[test]
fn groups_and_extras_need_a_file() {
    let spec = |body: &str| of_spec(&crate::spec::parse(body.as_bytes()).unwrap());
    assert_eq!(spec("{}"), Ok(Vec::new()));
    let refusal = spec(r#"{"groups": ["dev"]}"#).unwrap_err();
    assert_eq!(refusal.message, "the group \"dev\" needs a pyproject.toml");
    assert_eq!(spec(r#"{"extras": ["fast"]}"#).unwrap_err().message, "the extra \"fast\" needs a pyproject.toml");
    let found =
        spec(r#"{"pyproject": "[project]\ndependencies = ['six']\n[dependency-groups]\na = ['b']", "groups": ["a"]}"#);
    assert_eq!(found.unwrap().iter().map(PipRequirement::as_str).collect::<Vec<_>>(), ["six", "b"]);
    let refusal = spec(r#"{"pyproject": "[project]\n\ndependencies = ['-x']"}"#).unwrap_err();
    assert!(
        refusal.message.starts_with("line 3 of \"pyproject\": invalid pip requirement \"-x\""),
        "{}",
        refusal.message
    );
}
