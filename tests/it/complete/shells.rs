//! The completion scripts in the shells themselves. A shell that is missing fails its test.

use std::path::Path;

use serde::Deserialize;

use crate::support::fake::Fake;

/// What became of a line after the tab.
#[derive(Debug, Deserialize)]
struct Typed {
    line: String,
    shown: String,
}

const HOSTILE: &str = "danger=$(touch pwned) 'x' \"y\" `touch pwned`\\;x";

/// A world with two runs and some files, in which `longshore` is on the path. Random ids have no `i` and no `u`, so that no id
/// begins with `ni` or `tu` as the names do.
fn world() -> (Fake, [String; 2]) {
    let mut fake = Fake::new();
    let bin = fake.path("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_longshore"), bin.join("longshore")).unwrap();
    fake.set("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()));
    fake.set("TERM", "dumb");
    fake.set("LANG", "C.UTF-8");
    fake.write("my spec.json", "{}");
    fake.write("my src/main.py", "");
    fake.write("my src/it's.py", "");
    let ended = fake.ended_run_with("true", &["--name", "nightly", "--label", "team=blue sky", "--label", HOSTILE]);
    let running = fake.start_gated_with("true", &["--name", "tune"]);
    (fake, [ended, running])
}

fn script(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions").join(name);
    path.to_str().unwrap().to_owned()
}

#[track_caller]
fn need(fake: &Fake, shell: &str) {
    let found = fake.other("sh", &["-c", &format!("command -v {shell}")]).output().unwrap();
    assert!(found.status.success(), "this test needs {shell}, which is not installed; run: tools/shells");
}

/// Types each line and a tab at the shell.
#[track_caller]
fn type_at(fake: &Fake, shell: &str, setup: &str, lines: &[&str]) -> Vec<Typed> {
    need(fake, shell);
    let setup = fake.write("setup", setup);
    let typist = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/typist");
    let args: Vec<&str> = [shell, setup.to_str().unwrap()].into_iter().chain(lines.iter().copied()).collect();
    let output = fake.other(typist, &args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let typed: Vec<Typed> =
        serde_json::Deserializer::from_slice(&output.stdout).into_iter().map(Result::unwrap).collect();
    assert_eq!(typed.len(), lines.len());
    typed
}

/// What a line becomes, in bash and in zsh.
const LINES: [(&str, &str); 17] = [
    ("longshore cont", "longshore container "),
    ("longshore exec sto", "longshore exec stop "),
    ("longshore exec list --sta", "longshore exec list --status "),
    ("longshore exec list --status=succ", "longshore exec list --status=succeeded "),
    ("longshore exec wait tu", "longshore exec wait tune "),
    ("longshore exec wait \"tu", "longshore exec wait \"tune\" "),
    ("echo x | longshore exec wait ni", "echo x | longshore exec wait nightly "),
    // It has ended.
    ("longshore exec stop ni", "longshore exec stop ni"),
    ("longshore exec list --filter lab", "longshore exec list --filter label="),
    ("longshore exec list --filter label=team=b", "longshore exec list --filter label=team=blue\\ sky "),
    ("longshore exec list --filter=label=team=b", "longshore exec list --filter=label=team=blue\\ sky "),
    ("longshore exec list --filter 'label=team=b", "longshore exec list --filter 'label=team=blue sky' "),
    ("longshore exec run --spec my\\ sp", "longshore exec run --spec my\\ spec.json "),
    ("longshore exec run --spec=my\\ sp", "longshore exec run --spec=my\\ spec.json "),
    ("longshore exec run --src my", "longshore exec run --src my\\ src/"),
    ("longshore exec run --src 'my src' --main ma", "longshore exec run --src 'my src' --main main.py "),
    ("longshore exec list > my\\ sp", "longshore exec list > my\\ spec.json "),
];

/// What bash and zsh have in common. The words of a completed line are then read by the shell itself.
#[track_caller]
fn completes_lines(fake: &Fake, shell: &str, setup: &str) {
    let lines: Vec<&str> = LINES.iter().map(|(line, _)| *line).collect();
    for (typed, (line, expected)) in type_at(fake, shell, setup, &lines).iter().zip(LINES) {
        assert_eq!(typed.line, expected, "{line}: {typed:?}");
        assert!(!typed.shown.contains("error") && !typed.shown.contains("not found"), "{typed:?}");
    }
    for quote in ["", "\"", "'"] {
        let line = format!("longshore exec list --filter {quote}label=danger=");
        let typed = type_at(fake, shell, setup, &[&line]).remove(0);
        let words = typed.line.strip_prefix("longshore").expect("the command stays");
        let read = fake.other(shell, &["-c", &format!("printf '<%s>' {words}")]).output().unwrap();
        let expected = format!("<exec><list><--filter><label={HOSTILE}>");
        assert_eq!(String::from_utf8_lossy(&read.stdout), expected, "{typed:?}");
    }
    assert!(!fake.path("pwned").exists(), "the shell ran what was in a label");
}

#[track_caller]
fn end(fake: &Fake, ids: &[String; 2]) {
    fake.open_gate();
    fake.end_of(&ids[1]);
}

#[test]
fn bash_completes_what_is_there() {
    let (fake, ids) = world();
    let setup = format!(". {}", script("longshore.bash"));
    completes_lines(&fake, "bash", &setup);
    let shown = type_at(&fake, "bash", &setup, &["longshore exec stop "]).remove(0).shown;
    assert!(shown.contains("tune") && shown.contains(&ids[1]) && !shown.contains("nightly"), "{shown}");
    end(&fake, &ids);
}

#[test]
fn zsh_completes_what_is_there_with_descriptions() {
    let (fake, ids) = world();
    // As it is installed, and as it is sourced.
    std::fs::create_dir(fake.path("functions")).unwrap();
    std::fs::copy(script("_longshore"), fake.path("functions/_longshore")).unwrap();
    let installed =
        format!("fpath=({} $fpath); autoload -Uz compinit; compinit -u -D", fake.path("functions").display());
    completes_lines(&fake, "zsh", &installed);
    let sourced = "autoload -Uz compinit; compinit -u -D; source <(longshore completions zsh)";
    for setup in [installed.as_str(), sourced] {
        let shown = type_at(&fake, "zsh", setup, &["longshore exec stop "]).remove(0).shown;
        assert!(shown.contains(&format!("tune  {:>w$}-- {}, running, ", "", ids[1], w = 8)), "{shown}");
        assert!(shown.contains(&format!("{}  -- tune, running, ", ids[1])) && !shown.contains("nightly"), "{shown}");
    }
    end(&fake, &ids);
}

#[test]
fn fish_completes_what_is_there_with_descriptions() {
    let (fake, ids) = world();
    need(&fake, "fish");
    let offered = |line: &str| {
        let code = format!("source {}; complete --do-complete $argv[1]", script("longshore.fish"));
        let output = fake.other("fish", &["--no-config", "-c", &code, line]).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let described = offered("longshore exec stop ");
    let starts = [format!("tune\t{}, running, ", ids[1]), format!("{}\ttune, running, ", ids[1]), "latest\t".into()];
    assert_eq!(described.len(), starts.len(), "{described:?}");
    assert!(described.iter().zip(&starts).all(|(line, start)| line.starts_with(start)), "{described:?}");
    for (line, expected) in [
        ("longshore cont", "container"),
        ("longshore exec list --filter=label=team=b", "--filter=label=team=blue sky"),
        ("longshore exec list --filter \"label=team=b", "label=team=blue sky"),
        ("longshore exec list --filter 'label=danger=", &format!("label={HOSTILE}")),
        ("longshore exec run --spec my\\ sp", "my spec.json"),
        ("longshore exec run --spec='my sp", "--spec=my spec.json"),
        ("longshore exec run --src my", "my src/"),
        ("longshore exec run --src 'my src' --main it", "it's.py"),
        ("echo x | longshore exec wait ni", "nightly"),
        ("longshore exec list > my\\ sp", "my spec.json"),
    ] {
        let words: Vec<String> = offered(line).iter().map(|line| line.split('\t').next().unwrap().to_owned()).collect();
        assert_eq!(words, [expected], "{line}");
    }
    assert!(!fake.path("pwned").exists(), "the shell ran what was in a label");
    end(&fake, &ids);
}
