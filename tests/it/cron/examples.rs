//! The examples for make, cron and systemd, as they are in `examples/`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::fake::Fake;
use crate::support::{Ran, skipped, wait_until};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// A project with the Makefile of the example. Its program is a shell script, as the fake docker wants it.
fn project(fake: &Fake) {
    fake.write("Makefile", std::fs::read_to_string(example("make/Makefile")).unwrap());
    fake.write("recipe.json", r#"{"pipInstall": "six"}"#);
    fake.write("src/report.py", "echo run >>../count; cat ../data/numbers >../output/sum");
    fake.write("data/numbers", "1 2 3\n");
}

fn make(fake: &Fake, more: &[&str]) -> Ran {
    let longshore = format!("LONGSHORE={}", env!("CARGO_BIN_EXE_longshore"));
    let args = [&[longshore.as_str(), "BASE=base", "IMAGE=report"], more].concat();
    let output = fake.other("make", &args).stdin(Stdio::null()).output().expect("make runs");
    Ran::from(output)
}

fn count(fake: &Fake) -> usize {
    std::fs::read_to_string(fake.path("count")).unwrap_or_default().lines().count()
}

/// Makes a file newer than everything that is there.
fn touch(fake: &Fake, name: &str) {
    let newest = std::time::SystemTime::now() + std::time::Duration::from_secs(2);
    std::fs::File::options().append(true).open(fake.path(name)).unwrap().set_modified(newest).unwrap();
}

#[test]
fn make_runs_what_is_older_than_its_source_and_a_failure_is_no_success() {
    let fake = Fake::new();
    fake.scenario(json!({"images": ["base", "report"]}));
    project(&fake);
    make(&fake, &[]).code(0);
    assert_eq!((count(&fake), std::fs::read_to_string(fake.path("output/sum")).unwrap()), (1, "1 2 3\n".to_owned()));
    let again = make(&fake, &[]).code(0);
    assert!(again.stdout.contains("Nothing to be done"), "{again:?}");
    touch(&fake, "data/numbers");
    make(&fake, &[]).code(0);
    assert_eq!(count(&fake), 2);
    // The stamp is older than the data, which is in the future.
    touch(&fake, ".stamps/report");
    make(&fake, &[]).code(0);
    assert_eq!(count(&fake), 2);
    std::fs::write(fake.path("src/report.py"), "echo run >>../count; exit 3").unwrap();
    touch(&fake, "src/report.py");
    for runs in [3, 4] {
        let failed = make(&fake, &[]).code(2);
        assert!(failed.stderr.contains("Error 3"), "{failed:?}");
        assert_eq!(count(&fake), runs, "a run that failed must be run again");
    }
    assert!(fake.path(".stamps/image").exists() && !fake.path(".stamps/report").exists());
}

#[test]
fn the_commands_jobserver_of_make_is_not_held_by_a_supervisor() {
    let fake = Fake::new();
    fake.scenario(json!({"images": ["base", "report"]}));
    project(&fake);
    fake.write("one.mk", "include Makefile\nbegin:\n\t+$(LONGSHORE) exec run --image base --src src --main long.py\n");
    fake.write("src/long.py", fake.gated("echo on", "exit 0"));
    // With the pipe of the jobserver open in the supervisor, make would wait for it.
    make(&fake, &["-j", "2", "-f", "one.mk", "begin"]).code(0);
    fake.open_gate();
    wait_until("the run has ended", || fake.run(&["exec", "wait", "latest"]).code == 0);
}

#[test]
fn the_crontab_starts_what_it_says_and_tells_of_a_failure() {
    let mut fake = Fake::new();
    fake.scenario(json!({"images": ["base", "sci"]}));
    let crontab = std::fs::read_to_string(example("cron/crontab")).unwrap();
    let line = crontab.lines().find(|line| line.starts_with("15 3")).unwrap();
    let command = line.split_whitespace().skip(5).collect::<Vec<_>>().join(" ");
    fake.write("home/report/src/main.py", "echo the reason; exit 3");
    let tell = fake.write("home/report/tell", std::fs::read_to_string(example("cron/tell")).unwrap());
    let mail = format!(
        "sed -i 's|mail -s .*\\$USER\"|cat|; s|^}} .*|}} >\"{}\"|' {}",
        fake.path("mail").display(),
        tell.display()
    );
    assert!(
        Command::new("sh").args(["-c", &format!("{mail}; chmod +x {}", tell.display())]).status().unwrap().success()
    );
    let bin = Path::new(env!("CARGO_BIN_EXE_longshore")).parent().unwrap();
    fake.set("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    let ran = Ran::from(fake.other("sh", &["-c", &command]).stdin(Stdio::null()).output().unwrap()).code(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    let id = fake.run(&["exec", "list", "-q"]).code(0).id();
    let expected = format!("run nightly ({id}): failed with exit code 3\nthe reason\n");
    wait_until("the mail is there", || std::fs::read_to_string(fake.path("mail")).is_ok_and(|mail| mail == expected));
}

#[test]
fn the_units_are_those_that_systemd_accepts() {
    let fake = Fake::new();
    let copy = |name: &str| fake.write(name, std::fs::read_to_string(example(&format!("systemd/{name}"))).unwrap());
    let timer = copy("nightly-report.timer");
    let service = copy("nightly-report.service");
    // The program is not installed here.
    let text = std::fs::read_to_string(&service).unwrap();
    std::fs::write(&service, text.replace("/usr/local/bin/longshore", env!("CARGO_BIN_EXE_longshore"))).unwrap();
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--user", "--man=no"]).args([&service, &timer]).env("XDG_RUNTIME_DIR", fake.dir.path());
    let verified = verify.output();
    let Ok(verified) = verified else { return skipped("there is no systemd-analyze") };
    assert!(verified.status.success() && verified.stderr.is_empty(), "{}", String::from_utf8_lossy(&verified.stderr));
}

#[test]
fn the_command_of_the_service_is_one_that_longshore_takes() {
    let fake = Fake::new();
    fake.scenario(json!({"images": ["base", "sci"]}));
    fake.write("home/report/src/main.py", "echo done; exit 4");
    let text = std::fs::read_to_string(example("systemd/nightly-report.service")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/longshore ")).unwrap();
    let line = line.replace("%h", fake.path("home").to_str().unwrap());
    let ran = fake.run(&line.split(' ').collect::<Vec<_>>()).code(4);
    assert_eq!(ran.stdout, "done\n");
}
