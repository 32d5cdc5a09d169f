//! `uv.py` and `bytecode.py` with a Python of this machine and a program that stands for uv: settings of pip become options of uv, and what
//! uv would do otherwise is left to pip. tests/it/engine/uv.rs has the real uv.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::fake::Fake;
use crate::support::real::given;
use crate::support::schema;

const UV_PY: &str = include_str!("../../src/recipe/uv.py");
const BYTECODE_PY: &str = include_str!("../../src/recipe/bytecode.py");
const UV_TXT: &str = include_str!("../../src/recipe/uv.txt");

/// Writes its variables, its arguments and its stdin into files.
const UV: &str = "#!/bin/sh
here=${0%/*}
for argument; do echo \"$argument\"; done >>$here/arguments
echo >>$here/arguments
env >$here/variables
cat >$here/stdin
";

/// The files of a recipe and a cache with a program for uv.
struct Step {
    directory: TempDir,
    variables: Vec<(String, String)>,
}

/// How `uv.py` ended.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Step {
    fn new(requirements: &str) -> Self {
        let step = Self { directory: tempfile::tempdir().unwrap(), variables: Vec::new() };
        fs::create_dir_all(step.program().parent().unwrap()).unwrap();
        for (name, text) in
            [("uv.py", UV_PY), ("bytecode.py", BYTECODE_PY), ("uv.txt", UV_TXT), ("requirements.txt", requirements)]
        {
            fs::write(step.path(name), text).unwrap();
        }
        step.uv(UV);
        step
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn program(&self) -> PathBuf {
        self.path(&format!("uv/program-{}/uv", version()))
    }

    /// The program that stands for uv.
    fn uv(&self, script: &str) {
        fs::write(self.program(), script).unwrap();
        fs::set_permissions(self.program(), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn run(&self, words: &[&str]) -> Ended {
        let mut command = Command::new(given("LONGSHORE_TEST_PYTHON"));
        command.arg(self.path("uv.py")).args(words).env_clear().env("PATH", "/usr/bin:/bin");
        command.envs([("HOME", self.path("home")), ("PIP_CONFIG_FILE", "/dev/null".into())]);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let output = command.current_dir("/").stdin(Stdio::null()).output().expect("python runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// What uv got: a line of arguments for each call.
    fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.program().with_file_name("arguments")).unwrap_or_default();
        text.split("\n\n").map(|call| call.replace('\n', " ")).filter(|call| !call.is_empty()).collect()
    }

    fn told(&self, what: &str) -> String {
        fs::read_to_string(self.program().with_file_name(what)).unwrap()
    }
}

fn version() -> &'static str {
    UV_TXT.lines().find_map(|line| line.strip_prefix("uv==")).unwrap().trim_end_matches(" \\")
}

/// The reason why pip has to install the packages.
#[track_caller]
fn refusal(step: &Step) -> String {
    let ended = step.run(&[]);
    assert_eq!(ended.code, Some(94), "{}", ended.stderr);
    ended.stderr.lines().last().unwrap().strip_prefix("note: uv is not used: ").unwrap().to_owned()
}

#[test]
fn settings_of_pip_become_options_of_uv() {
    for (name, value, expected) in [
        ("PIP_INDEX_URL", "https://a.example/simple", "--default-index https://a.example/simple"),
        (
            "PIP_EXTRA_INDEX_URL",
            "https://a.example https://b.example",
            "--index https://a.example --index https://b.example",
        ),
        ("PIP_FIND_LINKS", "/a\n/b", "--find-links /a --find-links /b"),
        ("PIP_TRUSTED_HOST", "a.example", "--allow-insecure-host a.example"),
        ("PIP_NO_INDEX", "1", "--no-index"),
        ("PIP_PRE", "true", "--prerelease allow"),
    ] {
        let step = Step::new("six\n").set(name, value);
        assert_eq!(step.run(&[]).code, Some(0), "{name}");
        let [call] = &step.calls()[..] else { panic!("{:?}", step.calls()) };
        assert!(format!("{call} ").contains(&format!(" --requirements - {expected} ")), "{name}: {call}");
    }
    for (name, value, expected) in [
        ("PIP_CERT", "/a.pem", "SSL_CERT_FILE=/a.pem"),
        ("REQUESTS_CA_BUNDLE", "/b.pem", "SSL_CERT_FILE=/b.pem"),
        ("PIP_CLIENT_CERT", "/c.pem", "SSL_CLIENT_CERT=/c.pem"),
        ("PIP_DEFAULT_TIMEOUT", "7", "UV_HTTP_TIMEOUT=7"),
        ("PIP_RETRIES", "0", "UV_HTTP_RETRIES=0"),
    ] {
        let step = Step::new("six\n").set("CURL_CA_BUNDLE", "/other.pem").set(name, value);
        assert_eq!(step.run(&[]).code, Some(0), "{name}");
        assert!(step.told("variables").lines().any(|line| line == expected), "{name}: {}", step.told("variables"));
    }
    // What pip would not follow, uv does not follow either.
    let step =
        Step::new("six\n").set("UV_INDEX_URL", "https://a.example").set("PIP_NO_INDEX", "off").set("PIP_USER", "0");
    let step = step.set("PIP_PROGRESS_BAR", "on").set("PIP_EXTRA_INDEX_URL", "");
    assert_eq!(step.run(&[]).code, Some(0));
    assert!(!step.told("variables").contains("a.example") && !step.calls()[0].contains("index "), "{:?}", step.calls());
}

#[test]
fn settings_in_files_are_those_that_pip_finds() {
    let step = Step::new("six\n");
    let named = step.path("named.conf");
    fs::write(
        &named,
        "[global]\nindex-url = https://a.example\ntimeout = 5\n[install]\nfind-links =\n  /a\n  /b\nindex-url = \
         https://b.example\n[list]\nuser = yes\n",
    )
    .unwrap();
    let step = step.set("PIP_CONFIG_FILE", named.to_str().unwrap()).set("PIP_TIMEOUT", "6");
    assert_eq!(step.run(&[]).code, Some(0));
    let call = format!("{} ", step.calls().concat());
    assert!(call.contains(" --find-links /a --find-links /b ") && !call.contains("a.example"), "{call}");
    assert!(call.contains(" --default-index https://b.example "), "{call}");
    assert!(step.told("variables").contains("UV_HTTP_TIMEOUT=6\n"));
    // Without that variable, pip has a file in the home directory, too.
    let step = Step::new("six\n");
    let user = step.path("home/.config/pip/pip.conf");
    fs::create_dir_all(user.parent().unwrap()).unwrap();
    fs::write(&user, "[install]\nno-index = yes\n").unwrap();
    let step = step.set("PIP_CONFIG_FILE", "");
    assert_eq!(step.run(&[]).code, Some(0));
    assert!(format!("{} ", step.calls().concat()).contains(" --no-index "), "{:?}", step.calls());
}

#[test]
fn what_uv_would_do_otherwise_is_left_to_pip() {
    let setting = |key: &str| format!("the base image has the setting '{key}' for pip, which uv does not have");
    for (name, value, key) in
        [("PIP_USER", "1", "user"), ("PIP_CONSTRAINT", "/c.txt", "constraint"), ("PIP_NO_BINARY", "six", "no-binary")]
    {
        let step = Step::new("six\n").set(name, value);
        assert_eq!(refusal(&step), setting(key));
        assert_eq!(step.calls(), Vec::<String>::new());
    }
    assert_eq!(refusal(&Step::new("--prefer-binary\nsix\n")), "uv has no --prefer-binary");
    // A setting may contain a password.
    let step = Step::new("six\n").set("PIP_PROXY", "http://me:hunter2@proxy.example");
    assert_eq!(refusal(&step), setting("proxy"));
    let step = Step::new("six\n").set("PIP_NO_INDEX", "1");
    fs::remove_file(step.program()).unwrap();
    assert_eq!(refusal(&step), format!("pip could not download uv {}", version()));
    let left: Vec<_> = fs::read_dir(step.path("uv")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [format!("program-{}", version()).as_str()]);
}

#[test]
fn options_of_requirements_become_those_of_uv() {
    let hash = format!("six==1.16.0 --hash=sha256:{}", "0".repeat(64));
    for (requirements, constraints, options, read) in [
        ("six\nidna\n", "", "", "six\nidna\n"),
        ("--pre\nsix\n--only-binary :all:\n", "", "--prerelease allow ", "six\n--only-binary :all:\n"),
        ("--require-hashes\nsix\n", "", "--require-hashes ", "six\n"),
        (hash.as_str(), "", "--require-hashes ", &format!("{hash}\n")),
        ("six\n", hash.as_str(), "--constraints HERE/constraints.txt --require-hashes ", "six\n"),
    ] {
        let step = Step::new(requirements);
        if !constraints.is_empty() {
            fs::write(step.path("constraints.txt"), constraints).unwrap();
        }
        assert_eq!(step.run(&["--no-compile"]).code, Some(0), "{requirements}");
        let call = step.calls().concat().replace(step.directory.path().to_str().unwrap(), "HERE");
        let (_, given) = call.split_once(" --requirements - ").unwrap();
        assert_eq!(given.replace("--system-certs", "").trim_end(), options.trim_end(), "{requirements}");
        assert_eq!(step.told("stdin"), read, "{requirements}");
    }
}

#[test]
fn bytecode_is_compiled_unless_the_recipe_or_the_base_image_says_no() {
    for (words, setting, expected) in [
        (&[][..], "", "Bytecode of 0 files, 0 of them from the cache of the build\n"),
        (&["--no-compile"], "", ""),
        (&[], "1", ""),
        (&[], "0", "Bytecode of 0 files, 0 of them from the cache of the build\n"),
    ] {
        let step = Step::new("six\n").set("PIP_NO_COMPILE", setting);
        let ended = step.run(words);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), expected), "{words:?} {setting:?}");
    }
    let step = Step::new("six\n");
    fs::write(step.path("uv/bytecode"), "in the place of the directory").unwrap();
    let ended = step.run(&[]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
    assert!(ended.stderr.starts_with("note: not all bytecode was compiled: FileExistsError: "), "{}", ended.stderr);
    let step = Step::new("six\n");
    step.uv("#!/bin/sh\nexit 3\n");
    assert_eq!(step.run(&[]).stdout, "", "nothing is compiled where nothing was installed");
}

/// A package in a directory of packages, and a cache of bytecode.
struct Package {
    step: Step,
}

impl Package {
    fn new() -> Self {
        let package = Self { step: Step::new("") };
        fs::create_dir_all(package.step.path("site/thing-1.dist-info")).unwrap();
        fs::create_dir(package.step.path("site/thing")).unwrap();
        package.source("good.py", "VALUE = 1\n");
        package.source("bad.py", "VALUE = = 1\n");
        package.record("a");
        package
    }

    fn source(&self, name: &str, text: &str) {
        fs::write(self.step.path("site/thing").join(name), text).unwrap();
    }

    /// Writes the RECORD, with this as the hash of its sources.
    fn record(&self, hash: &str) {
        let record = format!("../bin/tool.py,,\nthing/good.py,{hash},\nthing/bad.py,{hash},\nthing/data.txt,,\n");
        fs::write(self.step.path("site/thing-1.dist-info/RECORD"), record).unwrap();
    }

    fn python(&self, flags: &[&str], script: &str) -> std::process::Output {
        let mut command = Command::new(given("LONGSHORE_TEST_PYTHON"));
        command.args(flags).args(["-c", script]).env("PYTHONPATH", self.step.path("site"));
        let output = command.current_dir(self.step.directory.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// Compiles it: how many files have bytecode, and for how many it was in the cache.
    fn compiled(&self) -> String {
        let script = "import bytecode; print(bytecode.compile_packages(list(bytecode.installed(['site'])), 'cache'))";
        String::from_utf8(self.python(&[], script).stdout).unwrap().trim_end().to_owned()
    }

    /// The same package again, as an installation writes it: at another time, without bytecode.
    fn installed_again(&self) {
        fs::remove_dir_all(self.step.path("site/thing/__pycache__")).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_234_567_890_500);
        fs::File::options()
            .append(true)
            .open(self.step.path("site/thing/good.py"))
            .unwrap()
            .set_modified(time)
            .unwrap();
    }

    /// Whether Python takes the bytecode for that of the source.
    fn is_current(&self) -> bool {
        let said = self.python(&["-v", "-B"], "import thing.good; assert thing.good.VALUE == 1");
        String::from_utf8_lossy(&said.stderr).lines().any(|line| line.contains("matches") && line.ends_with("good.py"))
    }

    fn kept(&self) -> Vec<PathBuf> {
        fs::read_dir(self.step.path("cache")).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

#[test]
fn bytecode_of_a_package_is_compiled_once_and_current_wherever_it_is_installed_again() {
    let package = Package::new();
    assert!(!package.is_current());
    assert_eq!(package.compiled(), "(1, 0)");
    assert!(package.is_current());
    package.installed_again();
    assert!(!package.is_current());
    assert_eq!(package.compiled(), "(1, 1)");
    assert!(package.is_current());
    assert_eq!(package.kept().len(), 1);
}

#[test]
fn bytecode_of_other_sources_is_never_taken() {
    let package = Package::new();
    assert_eq!(package.compiled(), "(1, 0)");
    // Another release has another RECORD.
    package.installed_again();
    package.record("b");
    assert_eq!(package.compiled(), "(1, 0)");
    assert_eq!(package.kept().len(), 2);
    // A file of another size than that which was compiled.
    package.installed_again();
    package.source("good.py", "VALUE = 1  # changed\n");
    assert_eq!(package.compiled(), "(0, 0)");
    assert!(!package.is_current());
    // A file of the cache that was damaged.
    package.source("good.py", "VALUE = 1\n");
    for file in package.kept() {
        let half = fs::read(&file).unwrap();
        fs::write(&file, &half[..half.len() - 1]).unwrap();
    }
    assert_eq!(package.compiled(), "(1, 0)");
    assert!(package.is_current());
}

/// A directory that pip searches and uv does not, with a package of this name.
fn elsewhere(step: &Step, name: &str) -> PathBuf {
    let directory = step.path("elsewhere");
    let metadata = directory.join(format!("{}-1.0.dist-info", name.replace('-', "_")));
    fs::create_dir_all(&metadata).unwrap();
    fs::write(metadata.join("METADATA"), format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")).unwrap();
    directory
}

#[test]
fn a_package_that_only_pip_finds_is_not_installed_a_second_time() {
    let planned = r#"{"changes": [{"name": "some-thing", "version": "2.0", "action": "installed"}]}"#;
    let script = format!("{UV}case \"$*\" in *--dry-run*) echo '{planned}' ;; esac\n");
    let with = |name: &str| {
        let step = Step::new("six\n");
        step.uv(&script);
        let path = elsewhere(&step, name);
        step.set("PYTHONPATH", path.to_str().unwrap())
    };
    let step = with("Some_Thing");
    assert_eq!(refusal(&step), "the base image has 'some-thing' in a directory that uv does not look into");
    assert_eq!(step.calls().len(), 1, "nothing was installed");
    let step = with("other");
    assert_eq!(step.run(&[]).code, Some(0));
    let calls = step.calls();
    assert!(calls.len() == 2 && !calls[1].contains("--dry-run"), "{calls:?}");
}

/// A step whose base image has the packages of the Python of this machine, apart from these, which the last build added. `uv`
/// says that it would make these changes from nothing.
fn appended(added: &[&str], changes: &Value) -> Step {
    let step = Step::new("six\n");
    let planned = json!({ "changes": changes });
    step.uv(&format!("{UV}case \"$*\" in *--dry-run*) echo '{planned}' ;; esac\n"));
    for (name, version, site) in of_this_machine() {
        let directory = step.path(&format!("base{site}/{name}-{version}.dist-info"));
        if !added.contains(&name.as_str()) {
            fs::create_dir_all(&directory).unwrap();
            let text = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
            fs::write(directory.join("METADATA"), text).unwrap();
        }
    }
    step
}

/// The packages in the directory of the Python of this machine: name, version, directory.
fn of_this_machine() -> Vec<(String, String, String)> {
    let script = "import importlib.metadata as it, os, sysconfig\nsite = os.path.realpath(sysconfig.get_paths()['purelib'])\n\
                  for each in it.distributions(path=[site]): print(each.metadata['Name'], each.version, site)";
    let output = Command::new(given("LONGSHORE_TEST_PYTHON")).args(["-c", script]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let fields = text.lines().map(|line| line.splitn(3, ' ').map(str::to_owned).collect::<Vec<_>>());
    fields.map(|fields| (fields[0].clone(), fields[1].clone(), fields[2].clone())).collect()
}

/// The reason why an appended step is not possible.
#[track_caller]
fn not_added(step: &Step) -> String {
    let ended = step.run(&["--appended"]);
    assert_eq!(ended.code, Some(95), "{}", ended.stderr);
    let last = ended.stderr.lines().last().unwrap();
    last.strip_prefix("note: the packages are not added to those of the last image: ").unwrap().to_owned()
}

#[test]
fn an_appended_step_installs_only_what_completes_a_build_from_nothing() {
    let (name, version, _) = of_this_machine().into_iter().find(|(name, ..)| name != "pip").expect("a package");
    let change = |name: &str, version: &str, action: &str| json!({"name": name, "version": version, "action": action});

    // The base image has all of it, and nothing is new.
    let step = appended(&[], &json!([]));
    assert_eq!(step.run(&["--appended"]).code, Some(0));
    let calls = step.calls();
    assert!(calls.len() == 1 && calls[0].contains(" --dry-run ") && calls[0].contains(" --target "), "{calls:?}");
    assert_eq!(fs::read_dir(step.path("uv")).unwrap().count(), 1, "nothing is left in the cache");

    // A package of the last build is one of a build from nothing, and nothing is new.
    let step = appended(&[&name], &json!([change(&name, &version, "installed")]));
    assert_eq!((step.run(&["--appended"]).code, step.calls().len()), (Some(0), 1));

    for (added, changes, why) in [
        (&[name.as_str()][..], json!([]), format!("{version} is there, and a build from nothing would have none")),
        (
            &[&name],
            json!([change(&name, "0.0.1", "installed")]),
            format!("{version} is there, and a build from nothing would have 0.0.1"),
        ),
        (
            &[],
            json!([change(&name, "0.0.2", "installed"), change(&name, &version, "uninstalled")]),
            format!("{version} is there, and a build from nothing would have 0.0.2"),
        ),
    ] {
        let step = appended(added, &changes);
        assert!(not_added(&step).ends_with(&why), "{why}: {}", not_added(&step));
        assert!(step.calls().iter().all(|call| call.contains(" --dry-run ")), "nothing is installed");
    }

    // This uv says that it installs a package, and does not.
    let step = appended(&[], &json!([change("some-thing", "1.0", "installed")]));
    assert_eq!(not_added(&step), "uv installed other packages than in a build from nothing");
    assert_eq!(step.calls().len(), 2);
    let step = appended(&[], &json!([]));
    step.uv("#!/bin/sh\necho words >&2; exit 3\n");
    assert_eq!(not_added(&step), "uv cannot tell what it would install from nothing");
}

#[test]
fn a_link_in_the_base_image_does_not_lead_to_the_packages_of_the_last_build() {
    let step = appended(&[], &json!([]));
    let (_, _, site) = of_this_machine().remove(0);
    let in_base = step.path(&format!("base{site}"));
    fs::remove_dir_all(&in_base).unwrap();
    std::os::unix::fs::symlink(&site, &in_base).unwrap();
    assert_eq!(not_added(&step), "the base image has links in the path of its packages");
}

#[test]
fn a_failure_of_uv_passes_on_its_code_and_its_words_and_leaves_no_directory() {
    for (script, code) in [("echo words >&2; exit 3", 3), ("echo words >&2; kill -KILL $$", 137)] {
        for planned in [false, true] {
            let mut step = Step::new("six\n");
            step.uv(&format!("#!/bin/sh\n{script}\n"));
            if planned {
                let path = elsewhere(&step, "other");
                step = step.set("PYTHONPATH", path.to_str().unwrap());
            }
            let ended = step.run(&[]);
            assert_eq!((ended.code, ended.stderr.as_str()), (Some(code), "words\n"), "{script} {planned}");
            assert_eq!(fs::read_dir(step.path("uv")).unwrap().count(), 1);
        }
    }
}

#[test]
fn temporary_files_are_in_the_cache_and_those_of_killed_builds_are_removed_after_a_week() {
    let step = Step::new("six\n");
    let [old, young] = ["new-old", "new-young"].map(|name| step.path("uv").join(name));
    for (path, age) in [(&old, 8), (&young, 6)] {
        fs::create_dir(path).unwrap();
        let time = std::time::SystemTime::now() - std::time::Duration::from_secs(age * 86400);
        fs::File::open(path).unwrap().set_modified(time).unwrap();
    }
    assert_eq!(step.run(&[]).code, Some(0));
    assert!(!old.exists() && young.exists());
    let told = step.told("variables");
    let temporary = told.lines().find_map(|line| line.strip_prefix("TMPDIR=")).unwrap();
    assert!(Path::new(temporary).starts_with(step.path("uv")) && !Path::new(temporary).exists(), "{temporary}");
}

#[test]
fn the_script_is_ascii_and_names_the_exact_release() {
    assert!(UV_PY.is_ascii() && BYTECODE_PY.is_ascii() && UV_TXT.is_ascii());
    assert_eq!(UV_TXT.lines().filter(|line| line.starts_with("uv==")).count(), 1);
    assert!(UV_TXT.lines().filter(|line| line.contains("--hash=sha256:")).count() > 10);
}

#[test]
fn the_legacy_builder_has_no_cache_for_uv_and_a_dry_run_says_what_would_install() {
    let fake = Fake::new();
    let create = ["image", "create", "web", "--base", "base", "--pip", "six"];
    let installer = |fake: &Fake, flags: &[&str]| {
        let document = fake.run(&[&create[..], &["--dry-run", "--json"], flags].concat()).code(0).json();
        schema::validated("image-dry-run", document)["installer"].clone()
    };
    assert_eq!(installer(&fake, &[]), "pip");
    const REFUSAL: &str = "uv needs BuildKit, and docker has only the legacy builder";
    const HINT: &str = "install the buildx plugin of docker, or use --installer auto, which then takes pip";
    let refused = fake.run(&[&create[..], &["--dry-run", "--installer", "uv"]].concat()).code(1);
    assert_eq!(refused.stderr, format!("error: could not build image \"web\": {REFUSAL}\nhint: {HINT}\n"));
    // Which builder there is, is found out after the command has returned.
    fake.run(&[&create[..], &["--installer", "uv"]].concat()).code(0);
    let ended = fake.run(&["image", "wait", "web", "--json"]).json();
    assert_eq!(
        (&ended["outcome"], &ended["reason"], &ended["hint"]),
        (&json!("failed"), &json!(REFUSAL), &json!(HINT))
    );

    fake.scenario(json!({"buildx": true}));
    for (flags, expected) in
        [(&[][..], json!("uv")), (&["--installer", "uv"], json!("uv")), (&["--installer", "pip"], json!("pip"))]
    {
        assert_eq!(installer(&fake, flags), expected);
    }
    let none = fake.run(&["image", "create", "web", "--base", "base", "--dry-run", "--json"]).code(0).json();
    assert_eq!(none["installer"], Value::Null);
}
