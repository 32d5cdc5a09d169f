//! `step.sh` with the shells of this machine: the user's commands behave as in a script of their own, and the one that
//! failed is named.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const STEP: &str = include_str!("../../src/recipe/step.sh");

/// The shells that are `sh` in some base image, as far as this machine has them.
fn shells() -> Vec<&'static str> {
    let shells = ["/bin/dash", "/bin/bash", "/bin/busybox"];
    let found: Vec<&str> = shells.into_iter().filter(|shell| Path::new(shell).exists()).collect();
    assert!(!found.is_empty());
    found
}

/// Runs these words with a PATH in which `sh` is this shell.
fn run(directory: &Path, shell: &str, words: &[&str]) -> Output {
    let bin = directory.join("bin");
    if !bin.exists() {
        fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(shell, bin.join("sh")).unwrap();
    }
    let mut command = Command::new(bin.join("sh"));
    command.args(words).env_clear().env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    command.current_dir("/").stdin(Stdio::null()).output().expect("a shell runs")
}

/// What a script prints and how it ends.
#[derive(Debug, PartialEq)]
struct Seen {
    stdout: String,
    stderr: String,
    code: Option<i32>,
}

/// The script alone, as `sh -e`, and through `step.sh`; and what `step.sh` said of it.
fn both(shell: &str, script: &str) -> (Seen, Seen, String) {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path().join("here");
    fs::create_dir(&here).unwrap();
    fs::write(here.join("commands.sh"), format!("{script}\n")).unwrap();
    fs::write(here.join("step.sh"), STEP).unwrap();
    let path = |name: &str| here.join(name).to_str().unwrap().to_owned();
    let seen = |output: Output| {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace("/marked/", "/");
        Seen { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code() }
    };
    let alone = seen(run(directory.path(), shell, &["-e", &path("commands.sh")]));
    let mut through = seen(run(directory.path(), shell, &[&path("step.sh"), "mounted", "commands"]));
    let said = match through.stderr.rfind("longshore: ") {
        Some(at) => through.stderr.split_off(at),
        None => String::new(),
    };
    (alone, through, said.trim_start_matches("longshore: ").trim_end().to_owned())
}

#[test]
fn commands_behave_as_in_a_script_of_their_own_and_the_failed_one_is_named() {
    const TABLE: &[(&str, &str)] = &[
        // A failure by its number and text; what came before holds for it.
        ("echo a\necho b\nexit 9", "command 3 of 3 ended with exit code 9: exit 9"),
        (
            "cd /tmp\nX=5\nf() { echo \"f $1\"; }\nf $X\npwd\nexit 3\necho no",
            "command 6 of 7 ended with exit code 3: exit 3",
        ),
        ("false", "the command ended with exit code 1: false"),
        ("echo all is well\n# nothing\n\ntrue", ""),
        ("# only\n\n  # comments", ""),
        // Commands of several lines.
        (
            "for x in 1 2; do\n  echo $x\ndone\nif true; then\n  (exit 7)\nfi\necho no",
            "command 2 of 3 ended with exit code 7: if true; then ...",
        ),
        ("echo a \\\n b\necho c # d \\\nfalse", "command 2 of 2 ended with exit code 1: echo c # d \\ ..."),
        ("echo 'a\nb'\necho \"x\n$(echo y)\"\nfalse # c", "command 3 of 3 ended with exit code 1: false # c"),
        (
            "cat <<EOF\nif x\n)\n$HOME.\nEOF\ncat <<'A' <<B\none\nA\ntwo\nB\nfalse",
            "command 3 of 3 ended with exit code 1: false",
        ),
        ("cat <<-EOF\n\ta\n\tEOF\nfalse", "command 2 of 2 ended with exit code 1: false"),
        ("f()\n{\n echo z\n}\nf\nf | grep q", "command 3 of 3 ended with exit code 1: f | grep q"),
        ("case x in\n x) echo y ;;\nesac\n(exit 7)", "command 2 of 2 ended with exit code 7: (exit 7)"),
        // What a mark between two commands could disturb.
        (
            "false && true\necho \"status $?\"\nfalse || exit 4",
            "command 3 of 3 ended with exit code 4: false || exit 4",
        ),
        ("set -x\necho a\nset +x\nfalse", "command 4 of 4 ended with exit code 1: false"),
        ("set -u\necho $?\nset -C\nset -- a b\necho $# $2\nfalse", "command 6 of 6 ended with exit code 1: false"),
        ("set +e\nfalse\necho on\nfalse", "command 4 of 4 ended with exit code 1: false"),
        ("trap 'echo bye' EXIT\necho x\nfalse", "command 3 of 3 ended with exit code 1: false"),
        ("echo $LINENO\nnosuch || echo $LINENO\nnosuch", "command 3 of 3 ended with exit code 127: nosuch"),
        ("alias q=echo\nq hi\nread x || echo end\nexit 4", "command 4 of 4 ended with exit code 4: exit 4"),
        ("exec false", "the command ended with exit code 1: exec false"),
        ("exit 0\nfi fi ((", ""),
        ("echo a\nexit 3\nfi", "command 2 of 3 ended with exit code 3: exit 3"),
    ];
    for shell in shells() {
        for (script, expected) in TABLE {
            let (alone, through, said) = both(shell, script);
            assert_eq!(through, alone, "{shell}: {script}");
            assert_eq!(said, *expected, "{shell}: {script}");
        }
    }
}

#[test]
fn the_last_argument_of_a_command_stays_known_to_a_shell_that_knows_it() {
    let (alone, through, _) = both("/bin/bash", "mkdir -p /tmp\necho $_\nfalse");
    assert_eq!(alone.stdout, "/tmp\n");
    assert_eq!(through, alone);
}

#[test]
fn a_script_that_sh_cannot_read_runs_up_to_there_and_the_line_is_named() {
    for shell in shells() {
        let (alone, through, said) = both(shell, "echo a\necho b\n\nfi\necho c");
        assert_eq!((through.stdout.as_str(), through.code), ("a\nb\n", Some(2)), "{shell}");
        assert_eq!(through, alone, "{shell}");
        let line = said.lines().next().unwrap_or_default().to_ascii_lowercase();
        assert!(line.starts_with("sh cannot read the commands: line 4: syntax error"), "{shell}: {said}");
        assert!(!line.contains("commands.sh"), "{shell}: {said}");
    }
}

/// Runs these words with a `python3` that stands for pip and for `uv.py`, which end with these codes. What it printed, and
/// how `step.sh` ended.
fn installs(shell: &str, words: &[&str], uv: i32, pip: i32) -> (String, Seen) {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path().join("here");
    fs::create_dir_all(&here).unwrap();
    fs::create_dir(directory.path().join("bin")).unwrap();
    let python = directory.path().join("bin/python3");
    let script = format!(
        "#!/bin/sh\ncase $* in\n*/uv.py*) echo uv ${{2-}}; exit {uv} ;;\n-m*) echo pip $4; exit {pip} ;;\nesac\n"
    );
    fs::write(&python, script).unwrap();
    fs::set_permissions(&python, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(here.join("step.sh"), STEP).unwrap();
    std::os::unix::fs::symlink(shell, directory.path().join("bin/sh")).unwrap();
    let step = here.join("step.sh");
    let output = run(directory.path(), shell, &[&[step.to_str().unwrap(), "mounted"], words].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let seen = Seen { stdout: String::new(), stderr: text(output.stderr), code: output.status.code() };
    (text(output.stdout).replace('\n', "; "), seen)
}

#[test]
fn pip_installs_what_uv_cannot_install_unless_only_uv_may() {
    const NOTE: &str = "note: pip installs the packages\n";
    for shell in shells() {
        for (words, uv, pip, called, code, stderr) in [
            (&["pip"][..], 0, 0, "pip --requirement; ", 0, String::new()),
            (&["auto", "pip"], 0, 1, "uv; ", 0, String::new()),
            (&["auto", "pip"], 94, 0, "uv; pip --requirement; ", 0, NOTE.to_owned()),
            (&["auto", "pip"], 137, 0, "uv; pip --requirement; ", 0, NOTE.to_owned()),
            (
                &["auto", "pip"],
                2,
                1,
                "uv; pip --requirement; ",
                1,
                format!("{NOTE}longshore: pip ended with exit code 1\n"),
            ),
            (&["uv", "pip"], 2, 0, "uv; ", 2, "longshore: uv ended with exit code 2\n".into()),
            (&["uv", "uncompiled", "pip"], 0, 0, "uv --no-compile; ", 0, String::new()),
            (&["auto", "uncompiled", "pip"], 1, 0, "uv --no-compile; pip --no-compile; ", 0, NOTE.to_owned()),
        ] {
            let expected = (called.to_owned(), Seen { stdout: String::new(), stderr, code: Some(code) });
            assert_eq!(installs(shell, words, uv, pip), expected, "{shell}: {words:?} {uv} {pip}");
        }
    }
}

/// The packages of a base image, as dpkg lists them.
const OF_BASE: &str = "installed dpkg:amd64 1.21\ninstalled tzdata:all 2025a\nconfig-files gone:amd64 1\ninstalled libc6:amd64 2.36\n\
                       installed libc6:i386 2.36\n";

/// Runs an appended step for apt with programs that stand for apt-get and dpkg: what apt simulates on the base image, and
/// which packages are there before and after it installs. The notes, and how `step.sh` ended.
fn appends(shell: &str, simulated: &str, before: &str, after: &str, words: &[&str]) -> Seen {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path().join("here");
    fs::create_dir_all(&here).unwrap();
    let bin = directory.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let state = |text: &str| OF_BASE.to_owned() + text;
    for (name, text) in [("base.in", state("")), ("before.in", state(before)), ("after.in", state(after))] {
        fs::write(bin.join(name), text).unwrap();
    }
    let simulated = if simulated.is_empty() { "exit 100".to_owned() } else { format!("echo '{simulated}'") };
    for (name, script) in [
        ("apt-get", format!("case \"$*\" in *' -s '*) {simulated} ;; *' install '*) : >\"$0.done\" ;; esac")),
        (
            "dpkg-query",
            "cd \"${0%/*}\"\ncase \"$*\" in --admindir=*) cat base.in ;; -L*) echo \"/usr/share/doc/$2\" \
             && echo \"/usr/lib/$2/x\" ;; *) if [ -e apt-get.done ]; then cat after.in; else cat before.in; fi ;; esac"
                .to_owned(),
        ),
        ("dpkg", "echo amd64".to_owned()),
        ("id", "echo 0".to_owned()),
        ("python3", "exit 0".to_owned()),
    ] {
        fs::write(bin.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(bin.join(name), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    fs::write(here.join("step.sh"), STEP).unwrap();
    fs::write(here.join("apt.txt"), "jq\ntree\n").unwrap();
    if words.contains(&"pip") {
        fs::write(here.join("uv.py"), "").unwrap();
    }
    std::os::unix::fs::symlink(shell, bin.join("sh")).unwrap();
    let step = here.join("step.sh");
    let output = run(directory.path(), shell, &[&[step.to_str().unwrap(), "mounted", "appended"], words].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Seen { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code() }
}

#[test]
fn an_appended_step_for_apt_leaves_what_a_build_from_nothing_leaves_or_fails() {
    const TABLE: &[(&str, &str, &str, &str)] = &[
        ("Inst jq (1.6 Debian:12 [amd64])", "", "installed jq:amd64 1.6\n", ""),
        (
            "Inst jq (1.6 Debian:12.5/stable, Security:12 [amd64]) []\nInst docs (2:3~4 Debian:12 [all])\nConf jq (1.6 Debian:12 [amd64])",
            "installed docs:all 2:3~4\n",
            "installed docs:all 2:3~4\ninstalled jq:amd64 1.6\n",
            "",
        ),
        (
            "Inst jq (1.6 Debian:12 [amd64])\nInst x:i386 (1 Debian:12 [i386])",
            "",
            "installed x:i386 1\ninstalled jq:amd64 1.6\n",
            "",
        ),
        // What is there has another version from nothing, or is not there.
        (
            "Inst jq (1.7 Debian:12 [amd64])",
            "installed jq:amd64 1.6\n",
            "",
            "a build from nothing would not install jq:amd64 in version 1.6",
        ),
        (
            "Inst jq (1.6 Debian:12 [amd64])",
            "installed jq:amd64 1.6\ninstalled exim4:all 4\n",
            "",
            "a build from nothing would not install exim4:all in version 4",
        ),
        // apt replaces a package of the base image, or removes it.
        (
            "Inst tzdata [2025a] (2026b Debian:12 [all])",
            "",
            "",
            "a build from nothing would not install tzdata:all in version 2025a",
        ),
        ("Remv libc6:i386 [2.36]", "", "", "a build from nothing would not install libc6:i386 in version 2.36"),
        ("Remv libc6 [2.36]", "", "", "a build from nothing would not install libc6:amd64 in version 2.36"),
        // It did something else than it said.
        (
            "Inst jq (1.6 Debian:12 [amd64])",
            "",
            "installed jq:amd64 1.6\ninstalled more:all 1\n",
            "apt-get installed other packages than a build from nothing would",
        ),
        ("", "", "", "apt-get cannot tell what it would install from nothing"),
    ];
    for shell in shells() {
        for (simulated, before, after, why) in TABLE {
            let (note, code) = match *why {
                "" => (String::new(), 0),
                why => {
                    (format!("note: {why}\nlongshore: the packages cannot be added to those of the last image\n"), 95)
                }
            };
            let expected = Seen { stdout: String::new(), stderr: note, code: Some(code) };
            assert_eq!(appends(shell, simulated, before, after, &["apt"]), expected, "{shell}: {simulated}");
        }
    }
}

#[test]
fn packages_of_apt_with_files_of_python_are_not_appended_after_those_of_pip() {
    for shell in shells() {
        let appends = |name: &str, words: &[&str]| {
            let simulated = format!("Inst {name} (1 Debian:12 [all])");
            appends(shell, &simulated, "", &format!("installed {name}:all 1\n"), words)
        };
        for (name, words, code) in [
            ("python3", &["apt"][..], 0),
            ("python3", &["apt", "auto", "pip"], 95),
            ("perl", &["apt", "auto", "check"], 0),
        ] {
            let seen = appends(name, words);
            assert_eq!(seen.code, Some(code), "{shell}: {name} {words:?} {}", seen.stderr);
            assert_eq!(seen.stderr.contains("note: python3:all has files of Python"), code == 95, "{}", seen.stderr);
        }
    }
}

#[test]
fn an_appended_step_for_pip_fails_where_uv_does() {
    const FAILURE: &str = "longshore: the packages cannot be added to those of the last image\n";
    for shell in shells() {
        for (words, uv, called, code, stderr) in [
            (&["appended", "auto", "pip"][..], 0, "uv --appended; ", 0, String::new()),
            (&["appended", "auto", "check"], 0, "uv --appended; ", 0, String::new()),
            (
                &["appended", "auto", "pip"],
                94,
                "uv --appended; ",
                95,
                format!("note: uv did not add the packages\n{FAILURE}"),
            ),
            (
                &["appended", "uv", "pip"],
                1,
                "uv --appended; ",
                95,
                format!("note: uv did not add the packages\n{FAILURE}"),
            ),
            (&["appended", "pip"], 0, "", 95, format!("note: only uv can add packages\n{FAILURE}")),
        ] {
            let expected = (called.to_owned(), Seen { stdout: String::new(), stderr, code: Some(code) });
            assert_eq!(installs(shell, words, uv, 0), expected, "{shell}: {words:?} {uv}");
        }
    }
}

#[test]
fn the_script_is_ascii_because_a_base_image_may_have_any_locale() {
    assert!(STEP.is_ascii());
}
