//! What must hold of a state directory after every fault, once nothing runs any more: nothing is half made, and the jobs
//! that a fault does not concern are as they were.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::fake::{job_ids, names};

/// What lies in a state directory that no job needs: directories that are being made or removed, temporary files, and
/// files that only a running job has.
pub fn leftovers(state: &Path) -> Vec<String> {
    let mut left: Vec<String> = names(state).into_iter().filter(|name| is_half(name)).collect();
    for kind in ["build", "run"] {
        let jobs = state.join(kind);
        left.extend(names(&jobs).into_iter().filter(|name| is_half(name)).map(|name| format!("{kind}/{name}")));
        for id in job_ids(&jobs) {
            let files = names(&jobs.join(&id)).into_iter();
            let left_in_job = files.filter(|name| name.starts_with('.') || ["ctx", "waiting"].contains(&name.as_str()));
            left.extend(left_in_job.map(|name| format!("{kind}/{id}/{name}")));
        }
    }
    for queue in job_ids(&state.join(".queues")) {
        for place in ["held", "line", "running"] {
            let entries = names(&state.join(".queues").join(&queue).join(place)).into_iter();
            left.extend(entries.map(|entry| format!(".queues/{queue}/{place}/{entry}")));
        }
    }
    left
}

fn is_half(name: &str) -> bool {
    name.starts_with(".new-") || name.starts_with(".del-")
}

/// The files of jobs that a fault does not concern.
#[derive(Debug, Default)]
pub struct Bystanders(BTreeMap<PathBuf, Option<Vec<u8>>>);

impl Bystanders {
    /// Remembers every file of a job that has ended.
    pub fn add(&mut self, job: &Path) {
        self.0.extend(files(job));
    }

    /// Whether this job is one of them.
    pub fn has(&self, job: &Path) -> bool {
        self.0.keys().any(|file| file.parent() == Some(job))
    }

    /// The files that are not as they were: changed, new or gone. A job whose directory is gone was forgotten.
    pub fn changed(&self) -> Vec<PathBuf> {
        let mut dirs: Vec<&Path> = self.0.keys().filter_map(|file| file.parent()).collect();
        dirs.dedup();
        let now: BTreeMap<_, _> = dirs.iter().flat_map(|dir| files(dir)).collect();
        let is_there = |file: &&PathBuf| file.parent().is_some_and(Path::exists);
        let differs = |file: &&PathBuf| self.0.get(*file) != now.get(*file);
        let mut changed: Vec<PathBuf> =
            self.0.keys().chain(now.keys()).filter(is_there).filter(differs).cloned().collect();
        changed.sort();
        changed.dedup();
        changed
    }
}

/// The content of each file; none of what is no regular file.
fn files(job: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let entries = std::fs::read_dir(job).into_iter().flatten().flatten();
    let read = |path: &Path| path.metadata().is_ok_and(|data| data.is_file()).then(|| std::fs::read(path).unwrap());
    entries.map(|entry| entry.path()).map(|path| (path.clone(), read(&path))).collect()
}
