//! What is cleaned up, and that nothing else is: sweeping, processes and descriptors, and the state directory itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::support::fake::{Fake, names};
use crate::support::wait_until;

/// Every file below a directory with its content, apart from these names.
fn contents(dir: &Path, without: &[&str], found: &mut BTreeMap<String, Vec<u8>>) {
    for name in names(dir).into_iter().filter(|name| !without.contains(&name.as_str())) {
        let path = dir.join(name);
        if path.is_dir() {
            contents(&path, without, found);
        }
        let is_file = path.symlink_metadata().unwrap().is_file();
        found.insert(path.display().to_string(), if is_file { std::fs::read(path).unwrap() } else { vec![] });
    }
}

#[test]
fn a_second_sweep_changes_nothing_and_none_removes_what_is_live() {
    let fake = Fake::new();
    let live = fake.start(&format!("while ! [ -e '{}' ]; do sleep 0.1; done; exit 6", fake.engine("enough").display()));
    wait_until("it has begun", || fake.job("run", &live).join("begun.json").exists());
    // One of each: an end to record, a container to remove, a directory of a killed command, one being removed.
    let (unrecorded, forgotten) = (fake.start_gated("exit 4"), fake.start_gated("exit 5"));
    for id in [&unrecorded, &forgotten] {
        fake.kill_supervisor_and_client(id);
    }
    fake.open_gate();
    fake.wait_for_container_end(&unrecorded);
    fake.wait_for_container_end(&forgotten);
    fake.take_engine_down();
    fake.run(&["exec", "forget", &forgotten]).code(0);
    fake.bring_engine_up();
    for left in [".new-killed", ".del-killed"] {
        fake.write(&format!("state/longshore/{left}/job.json"), "{}");
    }
    // A run that lives until everything is swept: with its end, the sweep of its supervisor would end, too.
    let sweep = || {
        let sweeper = fake.start_gated_with("exit 0", &["--name", "sweeper"]);
        let expected: BTreeSet<String> = [&live, &sweeper].map(|id| format!("longshore-{id}")).into();
        wait_until("everything is swept", || {
            let containers: BTreeSet<String> = fake.containers().into_iter().collect();
            containers == expected && names(&fake.path("state/longshore/.forgotten")).is_empty()
        });
        wait_until("the sweep is over", || size(fake.supervisor(&sweeper)).1 == 1);
        let mut found = BTreeMap::new();
        contents(&fake.path("state/longshore"), &[".names", ".gone", &sweeper], &mut found);
        fake.open_gate();
        fake.end_of(&sweeper);
        fake.run(&["exec", "forget", &sweeper]).code(0);
        std::fs::remove_file(fake.engine("gate")).unwrap();
        found
    };
    std::fs::remove_file(fake.engine("gate")).unwrap();
    let swept = sweep();
    assert_eq!(fake.status_of(&unrecorded)["exitCode"], 4);
    assert!(!swept.keys().any(|path| path.contains("killed") || path.contains(&forgotten)), "{:?}", swept.keys());
    let again = sweep();
    assert_eq!(swept.keys().collect::<Vec<_>>(), again.keys().collect::<Vec<_>>());
    assert!(swept == again, "a second sweep changed a file");
    fake.write("engine/enough", "");
    assert_eq!(fake.end_of(&live)["exitCode"], 6);
}

/// How many descriptors and threads a process has.
fn size(pid: u32) -> (usize, usize) {
    let count = |what: &str| names(Path::new(&format!("/proc/{pid}/{what}"))).len();
    (count("fd"), count("task"))
}

/// Ended children of supervisors for which nobody waited.
fn zombies(fake: &Fake) -> Vec<String> {
    let supervisors = fake.processes().into_iter().filter(|process| process.command.contains("__supervise"));
    let ours: Vec<String> = supervisors.map(|process| process.pid.to_string()).collect();
    let stats = names(Path::new("/proc"))
        .into_iter()
        .filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok());
    let is_zombie = |stat: &String| {
        let mut fields = stat.rsplit(") ").next().unwrap().split(' ');
        fields.next() == Some("Z") && fields.next().is_some_and(|parent| ours.iter().any(|pid| pid == parent))
    };
    stats.filter(is_zombie).collect()
}

/// Starts so many runs one after the other beside one that lives as long as all of them, and builds among them.
pub fn many_jobs_leave_nothing(runs: usize) {
    let fake = Fake::new();
    let live = fake.start_gated("exit 6");
    let supervisor = fake.supervisor(&live);
    let processes = || {
        let mut commands: Vec<String> = fake.processes().into_iter().map(|process| process.command).collect();
        // What a program that waits at the gate does.
        commands.retain(|command| !command.starts_with("sleep"));
        commands.sort();
        commands
    };
    // Its own sweep is over when it has one thread less.
    wait_until("the supervisor only waits", || {
        size(supervisor).1 == 1 && processes().iter().all(|command| !command.contains(" ps "))
    });
    let (before, commands) = (size(supervisor), processes());
    for number in 0..runs {
        if number % 10 == 9 {
            fake.build("web");
            fake.end_of_build("web");
        }
        let id = fake.start(&format!("exit {}", number % 3));
        assert_eq!(fake.end_of(&id)["exitCode"], number % 3);
        fake.run(&["exec", "forget", &id]).code(0);
    }
    wait_until("their processes have gone", || processes().len() <= commands.len());
    assert_eq!(processes(), commands);
    assert_eq!(size(supervisor), before, "the supervisor has more descriptors or threads");
    assert_eq!(zombies(&fake), Vec::<String>::new());
    assert_eq!(fake.containers(), [format!("longshore-{live}")]);
    fake.open_gate();
    assert_eq!(fake.end_of(&live)["exitCode"], 6);
}

#[test]
fn thirty_jobs_leave_no_process_no_descriptor_and_no_zombie() {
    many_jobs_leave_nothing(30);
}
