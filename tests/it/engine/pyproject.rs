//! A `pyproject.toml` on a real engine. The build is the one of a list of packages, which is tried with every builder.

use crate::support::real::Real;

#[test]
fn the_packages_of_a_project_are_installed_and_only_those_that_are_named() {
    let real = Real::new();
    let name = real.name("project");
    let text = "[project]\nname = 'report'\ndependencies = ['six==1.16.0', \"never-there; os_name == 'nt'\"]\n\
        [project.optional-dependencies]\nnever = ['nosuch-package-zzz']\nwords = ['report', 'idna==3.4']\n\
        [dependency-groups]\ntest = ['toml==0.10.2', {include-group = 'empty'}]\nempty = []\nother = ['nosuch-package-zzz']\n";
    let file = real.write("pyproject.toml", text);
    let flags = ["--pyproject", file.to_str().unwrap(), "--group", "test", "--extra", "words", "--wait", "--json"];
    let built = real.create_with(&name, &[&flags[..], &["--if-changed"]].concat()).code(0).json();
    assert_eq!((&built["outcome"], &built["upToDate"]), (&"succeeded".into(), &serde_json::Value::Null));
    let source = real.source(
        "import idna, importlib.util, six, toml\n\
         print(six.__version__, idna.__version__, toml.__version__, importlib.util.find_spec('report'))",
    );
    let args = real.run_args_in(&name, &source, &["--follow"]);
    assert_eq!(real.run(&args).code(0).stdout, "1.16.0 3.4 0.10.2 None\n");
    let again = real.create_with(&name, &[&flags[..], &["--if-changed"]].concat()).code(0).json();
    assert_eq!(again["upToDate"], true);
}
