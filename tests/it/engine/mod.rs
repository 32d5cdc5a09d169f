//! Builds and runs on a real engine.

mod agree;
mod contract;
mod images;
mod kills;
mod logs;
mod many;
mod owners;
mod runs;

use std::ffi::OsStr;
use std::path::PathBuf;

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
fn processes() -> Vec<(i32, Vec<String>)> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: i32| {
        let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let words = bytes.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
        Some((pid, words.collect()))
    })
    .collect()
}

/// A bundle of certificates that the host trusts beyond its distribution's own, if it does.
fn host_ca() -> Option<PathBuf> {
    let variables = ["LONGSHORE_CA_CERT", "PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];
    let named = variables.iter().filter_map(std::env::var_os).map(PathBuf::from);
    let own = std::fs::read_dir("/usr/local/share/ca-certificates").into_iter().flatten().flatten();
    let has_own = own.into_iter().any(|entry| entry.path().extension() == Some(OsStr::new("crt")));
    let bundle = has_own.then(|| PathBuf::from("/etc/ssl/certs/ca-certificates.crt"));
    named.chain(bundle).find(|path| path.is_file())
}
