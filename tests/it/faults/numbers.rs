//! Large numbers: of jobs, of foreign entries, of readers.

use std::fs::{DirBuilder, hard_link};
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::fake::{Fake, names};
use crate::support::{Ran, wait_until};

/// A valid id for each number.
fn id(number: usize) -> String {
    let digits = b"0123456789abcdefghjkmnpqrstvwxyz";
    let digit = |at: u32| char::from(digits[number / 32_usize.pow(at) % 32]);
    (0..12).rev().map(digit).collect()
}

/// A world whose state directory is in memory, where the machine has such a place: thousands of files are slow on a disk.
/// The directory must live longer than the world.
fn in_memory() -> (Option<TempDir>, Fake) {
    let fake = Fake::new();
    let memory = tempfile::Builder::new().prefix("longshore-test-").tempdir_in("/dev/shm").ok();
    if let Some(memory) = &memory {
        symlink(memory.path(), fake.path("state")).unwrap();
    }
    (memory, fake)
}

/// Runs a command and gives what it prints, and the most memory that it had, in bytes.
fn with_memory(fake: &Fake, args: &[&str]) -> (Ran, u64) {
    let code = "import resource, subprocess, sys\n\
                status = subprocess.run(sys.argv[1:], stdout=open('said', 'wb')).returncode\n\
                print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)\n\
                sys.exit(status)";
    let ran = Ran::from(fake.through(&["python3", "-c", code], args).output().unwrap());
    let memory = ran.stdout.trim().parse().unwrap();
    (Ran { stdout: std::fs::read_to_string(fake.path("said")).unwrap(), ..ran }, memory)
}

#[test]
fn ten_thousand_jobs_are_listed_right_in_little_memory() {
    const COUNT: usize = 10_000;
    let (_memory, fake) = in_memory();
    let template = fake.ended_run("exit 3");
    let read = |file: &str| std::fs::read_to_string(fake.job("run", &template).join(file)).unwrap();
    let (record, exit) = (read("job.json"), read("exit.json"));
    for number in 1..COUNT {
        let dir = fake.job("run", &id(number));
        DirBuilder::new().mode(0o700).create(&dir).unwrap();
        std::fs::write(dir.join("job.json"), record.replace(&template, &id(number))).unwrap();
        let code = exit.replacen("\"exitCode\":3", &format!("\"exitCode\":{}", 1 + number % 9), 1);
        std::fs::write(dir.join("exit.json"), code).unwrap();
    }
    let (ran, memory) = with_memory(&fake, &["exec", "list", "--json"]);
    let list = ran.code(0).json();
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), COUNT);
    let code = |name: &str| list.iter().find(|view| view["id"] == name).map(|view| view["exitCode"].clone());
    assert_eq!(code(&template), Some(3.into()));
    for number in [1, 99, 100, 5_000, COUNT - 1] {
        assert_eq!(code(&id(number)), Some((1 + number % 9).into()), "{number}");
    }
    assert!(list.iter().all(|view| view["outcome"] == "failed"));
    assert!(memory < 50 << 20, "{memory} bytes of memory");
    // What changed just now is not taken into the index, so at first it may lack the last ones.
    let is_old = || std::fs::metadata(fake.job("run", &id(COUNT - 1))).unwrap().modified().unwrap().elapsed().unwrap();
    wait_until("the files are two seconds old", || is_old() > Duration::from_secs(2));
    for _ in 0..2 {
        let (ran, memory) = with_memory(&fake, &["exec", "list", "--json"]);
        assert!(ran.code(0).json().as_array() == Some(list), "the index changes the list");
        assert!(memory < 50 << 20, "{memory} bytes of memory");
    }
    assert!(fake.job("run", ".index").metadata().unwrap().len() > 100 * COUNT as u64);
    let (ran, memory) = with_memory(&fake, &["exec", "list", "--no-trunc"]);
    assert_eq!(ran.code(0).stdout.lines().count(), COUNT + 1);
    assert!(memory < 50 << 20, "{memory} bytes of memory");
    // One by one it would take minutes.
    for number in 1..COUNT {
        std::fs::remove_dir_all(fake.job("run", &id(number))).unwrap();
    }
}

#[test]
fn a_hundred_thousand_foreign_entries_are_ignored_and_stay() {
    let (_memory, fake) = in_memory();
    let (kept, gone) = (fake.bystander(), fake.ended_run("exit 3"));
    let (root, runs) = (fake.path("state/longshore"), fake.jobs("run"));
    // Links to one file are made faster than files.
    let (one, other) = (fake.write("state/one", ""), fake.write("state/other", ""));
    for number in 0..50_000 {
        hard_link(&one, root.join(format!("junk {number}"))).unwrap();
        // Every tenth has the form of an id.
        let name = if number % 10 == 0 { id(number) } else { format!("junk-{number}.json") };
        hard_link(&other, runs.join(name)).unwrap();
    }
    let count = || (names(&root).len(), names(&runs).len());
    let before = count();
    let list = fake.run(&["exec", "list", "-q"]).code(0).stdout;
    let mut listed: Vec<&str> = list.lines().collect();
    listed.sort_unstable();
    let mut expected = [kept.as_str(), gone.as_str()];
    expected.sort_unstable();
    assert_eq!(listed, expected);
    fake.run(&["exec", "forget", &gone]).code(0);
    let last = fake.ended_run("exit 0");
    fake.run(&["exec", "forget", &last]).code(0);
    let places = [".forgotten", ".gone"].into_iter().filter(|place| root.join(place).exists()).count();
    assert_eq!(count().0 - before.0, places, "only what is told of forgotten jobs may have a place");
    assert_eq!(count().1, before.1 - 1);
    for dir in [&root, &runs] {
        for name in names(dir).into_iter().filter(|name| dir.join(name).is_file() && !name.starts_with('.')) {
            std::fs::remove_file(dir.join(name)).unwrap();
        }
    }
}

#[test]
fn a_thousand_readers_never_call_a_job_lost_while_jobs_end() {
    const READERS: usize = 4;
    let fake = Fake::new();
    let ids: Vec<String> =
        (0..10).map(|number| fake.start(&fake.gated("", &format!("sleep 0.{number}; exit 3")))).collect();
    fake.open_gate();
    let over = AtomicBool::new(false);
    let reads: usize = std::thread::scope(|scope| {
        let read = |reader: usize| {
            let (fake, ids, over) = (&fake, &ids, &over);
            move || {
                let mut count = 0;
                while count < 1000 / READERS || !over.load(Ordering::Relaxed) {
                    count += 1;
                    let view = if reader.is_multiple_of(2) {
                        fake.run(&["exec", "list", "--json"]).code(0).json()
                    } else {
                        let id = &ids[count % ids.len()];
                        serde_json::json!([fake.run(&["exec", "inspect", id, "--json"]).json()["Longshore"]])
                    };
                    for view in view.as_array().unwrap().iter().filter(|view| !view.is_null()) {
                        let told = (view["status"].as_str(), view["outcome"].as_str(), view["exitCode"].as_i64());
                        let is_true = [(Some("running"), None, None), (Some("exited"), Some("failed"), Some(3))];
                        assert!(is_true.contains(&told), "{view:#}");
                    }
                }
                count
            }
        };
        let readers: Vec<_> = (0..READERS).map(|reader| scope.spawn(read(reader))).collect();
        for id in &ids {
            let mut wait = fake.command(&["exec", "wait", id]);
            assert_eq!(wait.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().code(), Some(3));
        }
        over.store(true, Ordering::Relaxed);
        readers.into_iter().map(|reader| reader.join().unwrap()).sum()
    });
    assert!(reads >= 1000);
}
