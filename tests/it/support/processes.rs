//! The processes of one world. They are told by a variable of their environment, which every child inherits: a process
//! id alone could be another process's by now.

use std::path::Path;

use super::fake::names;

/// A process of the world, ours or the engine's.
#[derive(Debug, Clone)]
pub struct Process {
    pub pid: u32,
    pub command: String,
}

/// The processes that have the variable. What still runs when this is dropped is killed.
pub struct Processes {
    /// `KEY=VALUE`
    mark: String,
}

impl Processes {
    /// Those with this variable, `KEY=VALUE`.
    pub fn with(mark: String) -> Self {
        Self { mark }
    }

    /// All of them that there are by now.
    pub fn list(&self) -> Vec<Process> {
        let mut found = Vec::new();
        for name in names(Path::new("/proc")) {
            let Ok(pid) = name.parse() else { continue };
            let read = |file: &str| std::fs::read(format!("/proc/{name}/{file}")).unwrap_or_default();
            if read("environ").split(|byte| *byte == 0).any(|variable| variable == self.mark.as_bytes()) {
                let command = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
                found.push(Process { pid, command });
            }
        }
        found
    }
}

/// Whether a process, whoever's, is being ended by the kernel and may still have its files open, with the locks on them. Its
/// environment is gone by then, so it is in no list.
pub fn is_any_ending() -> bool {
    // The flag of a task that is exiting, in the kernel's `sched.h`.
    const EXITING: u64 = 0x4;
    let processes = names(Path::new("/proc")).into_iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    // Its threads share its files.
    let tasks = processes.flat_map(|name| std::fs::read_dir(format!("/proc/{name}/task")).into_iter().flatten());
    tasks.flatten().any(|task| {
        let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        let (state, flags) = (fields.next(), fields.nth(5).and_then(|flags| flags.parse::<u64>().ok()));
        // A zombie has closed its files.
        state != Some("Z") && flags.is_some_and(|flags| flags & EXITING != 0)
    })
}

impl Drop for Processes {
    fn drop(&mut self) {
        // More than once: a process may have started another a moment before it was killed.
        for _ in 0..100 {
            let left = self.list();
            if left.is_empty() {
                break;
            }
            for process in left {
                let _ = std::process::Command::new("kill").args(["-KILL", &process.pid.to_string()]).output();
            }
        }
    }
}
