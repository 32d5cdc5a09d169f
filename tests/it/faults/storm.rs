//! Commands that start, name, look, stop, forget and sweep at the same time, while supervisors and clients are killed.

use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::fake::{Fake, job_ids, names};
use crate::support::random::Random;

/// A storm of this length. What is true afterwards is checked when the engine is dropped.
pub fn storm(length: Duration) {
    let fake = Fake::new();
    fake.bystander();
    let end = Instant::now() + length;
    let counts: [AtomicUsize; 5] = Default::default();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (fake, counts) = (&fake, &counts);
            scope.spawn(move || {
                let mut random = Random(2_463_534_242 + worker);
                while Instant::now() < end {
                    let deed = random.below(counts.len());
                    let is_done = act(fake, deed, &mut random);
                    counts[deed].fetch_add(usize::from(is_done), Ordering::Relaxed);
                }
            });
        }
    });
    fake.wait_until_quiet();
    for (deed, count) in counts.iter().enumerate() {
        assert!(count.load(Ordering::Relaxed) > 0, "deed {deed} was never done: {counts:?}");
    }
    // What was killed last may still be adopted by the next command.
    fake.sweep();
}

/// One of the deeds, if there is something to do it to.
fn act(fake: &Fake, deed: usize, random: &mut Random) -> bool {
    match deed {
        0 => {
            let script = format!("seq 50; sleep 0.{}; seq 50; exit {}", random.below(5), random.below(3));
            let name = format!("name-{}", random.below(3));
            let more: &[&str] = if random.below(2) == 0 { &["--name", &name] } else { &[] };
            quietly(fake, &fake.run_args(&script, more))
        }
        1 => any_job(fake, random).is_some_and(|id| quietly(fake, &["exec", "forget", &id])),
        2 => any_job(fake, random).is_some_and(|id| {
            let verb = ["inspect", "stop", "logs"][random.below(3)];
            quietly(fake, &["exec", verb, &id])
        }),
        3 => quietly(fake, &["exec", "list", "--json"]),
        _ => kill_one(fake, random),
    }
}

/// A command whose answer depends on what the others do. It never panics.
fn quietly<S: AsRef<std::ffi::OsStr>>(fake: &Fake, args: &[S]) -> bool {
    let output = fake.command(args).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("panicked"), "{said}");
    output.status.success()
}

fn any_job(fake: &Fake, random: &mut Random) -> Option<String> {
    let bystander = |id: &String| fake.is_bystander(id);
    let mut ids: Vec<String> = job_ids(&fake.jobs("run")).into_iter().filter(|id| !bystander(id)).collect();
    (!ids.is_empty()).then(|| ids.swap_remove(random.below(ids.len())))
}

/// Kills a supervisor or a client.
fn kill_one(fake: &Fake, random: &mut Random) -> bool {
    let clients = names(&fake.engine("clients"));
    let client = |name: &String| std::fs::read_to_string(fake.engine("clients").join(name)).ok()?.parse().ok();
    let clients: Vec<u32> = clients.iter().filter_map(client).collect();
    let is_target = |pid: u32, command: &str| command.contains("__supervise") || clients.contains(&pid);
    let all = fake.processes().into_iter();
    let targets: Vec<u32> =
        all.filter(|process| is_target(process.pid, &process.command)).map(|process| process.pid).collect();
    if targets.is_empty() {
        return false;
    }
    let pid = targets[random.below(targets.len())].to_string();
    std::process::Command::new("kill").args(["-KILL", &pid]).output().unwrap().status.success()
}

#[test]
fn a_storm_of_commands_and_kills_leaves_nothing_and_makes_nothing_untrue() {
    storm(Duration::from_secs(6));
}
