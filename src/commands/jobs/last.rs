//! The last lines of a job's log, where they stand beside something else. However long they are, little of them is held.

use std::io::{self, Read};

use crate::job::Job;
use crate::log;
use crate::log::extent::Extent;
use crate::names::Tail;
use crate::terminal::{plain_lines, settled};

/// How much is read and kept, in bytes.
const MOST: usize = 64 << 10;

/// So many of them, as far as they are in the last 64 KiB. None if the log cannot be read. What is not UTF-8 is U+FFFD.
pub fn lines(job: &Job, count: u64) -> Vec<String> {
    let read = || last_bytes(Extent::from(Tail::Lines(count)).read(job, log::open(job)?)?.reader);
    let bytes = read().unwrap_or_default();
    // Not `lines`, which takes carriage returns away.
    let text = String::from_utf8_lossy(&bytes);
    text.split_terminator('\n').map(str::to_owned).collect()
}

/// The same, each as it was redrawn last, and without escape sequences: a line of a progress bar can be very long before that.
pub fn settled_lines(lines: &[String]) -> Vec<String> {
    let settled: Vec<&str> = lines.iter().map(|line| settled(line)).collect();
    // The legacy builder colours what a step writes to stderr.
    plain_lines(&settled.join("\n")).lines().map(str::to_owned).collect()
}

fn last_bytes(mut from: impl Read) -> io::Result<Vec<u8>> {
    let (mut last, mut chunk) = (Vec::new(), vec![0; MOST]);
    loop {
        let count = from.read(&mut chunk)?;
        if count == 0 {
            return Ok(last);
        }
        last.extend_from_slice(&chunk[..count]);
        last.drain(..last.len().saturating_sub(MOST));
    }
}
