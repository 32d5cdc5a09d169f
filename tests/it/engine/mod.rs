//! Builds and runs on a real engine.

mod agree;
mod cache;
mod complete;
mod contract;
mod copy;
mod cron;
mod doctor;
mod grown;
mod hostile;
mod images;
mod kills;
mod log_size;
pub mod logs;
mod many;
mod mounts;
pub mod outages;
mod owners;
mod points;
mod programs;
mod prune;
mod pyproject;
mod requirements;
pub mod restarts;
mod runs;
mod sweeps;
mod times;
mod uv;

use serde_json::Value;

/// The lines of a document.
#[track_caller]
fn lines(document: &Value) -> Vec<&str> {
    document["lines"].as_array().expect("lines").iter().map(|line| line.as_str().unwrap()).collect()
}

/// Whether a build said this. BuildKit puts the number of the step and the time before each line.
fn has_line(status: &Value, said: &str) -> bool {
    lines(status).iter().any(|line| *line == said || line.ends_with(&format!(" {said}")))
}

/// Every process there is, with its command line.
pub fn processes() -> Vec<(i32, Vec<String>)> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: i32| {
        let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let words = bytes.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
        Some((pid, words.collect()))
    })
    .collect()
}
