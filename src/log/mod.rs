//! The log of a job: opening it, its last lines, following it, its lines as JSON, and the comparison with the engine's
//! copy. A log is never read into memory as a whole.

pub mod compare;
pub mod extent;
mod follow;
pub mod gone;
pub mod growth;
mod home;
pub mod index;
mod json;
mod lines;
mod passage;
pub mod stamps;
pub mod steps;
mod times;
pub mod trim;

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;

use crate::job::{Job, LOG, LOG_RECOVERED};
use crate::names::Tail;
pub use follow::Follower;
pub use gone::Log;
#[cfg(test)]
pub use json::{FollowedRow, Row};
pub use json::{GoneRow, JsonLines};

pub const CHUNK: usize = 64 * 1024;

/// Opens the log: the one recovered from the engine if there is one, otherwise the client's.
///
/// # Errors
/// When neither can be read.
pub fn open(job: &Job) -> io::Result<Log> {
    let opened = if job.is_between_attempts() {
        job.log_of_attempt(job.attempts().len()).or_else(|_| job.dir.open_file(LOG))
    } else {
        match job.dir.open_file(LOG_RECOVERED) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => job.dir.open_file(LOG),
            opened => opened,
        }
    };
    Log::of(job, opened?)
}

/// Opens the log of an attempt that is followed by another one.
///
/// # Errors
/// When there is no such attempt, or the log cannot be read.
pub fn open_attempt(job: &Job, number: usize) -> io::Result<Log> {
    Log::of(job, job.log_of_attempt(number)?)
}

/// The last lines of a log without a limit, up to the current end. Without that end, a job that writes fast could keep the reader busy without end.
///
/// # Errors
/// When the file cannot be read.
pub fn so_far(mut file: File, tail: Tail) -> io::Result<io::Take<File>> {
    let end = file.metadata()?.len();
    let start = match tail {
        Tail::All => 0,
        Tail::Lines(lines) => tail_start(&mut file, 0..end, lines)?,
    };
    file.seek(SeekFrom::Start(start))?;
    Ok(file.take(end - start))
}

/// Where the last lines of a part of the file begin. It reads backwards in chunks, so that the cost depends on the lines asked
/// for and not on the size of the log.
fn tail_start(file: &mut File, part: Range<u64>, lines: u64) -> io::Result<u64> {
    let mut missing = lines;
    let mut position = part.end;
    let mut buffer = vec![0; CHUNK];
    if lines == 0 {
        return Ok(part.end);
    }
    while position > part.start {
        let size = (position - part.start).min(CHUNK as u64);
        position -= size;
        let chunk = &mut buffer[..usize::try_from(size).unwrap_or(CHUNK)];
        file.seek(SeekFrom::Start(position))?;
        file.read_exact(chunk)?;
        for (index, _) in chunk.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            let after = position + index as u64 + 1;
            // The newline at the very end closes the last line; it opens none.
            if after == part.end {
                continue;
            }
            missing -= 1;
            if missing == 0 {
                return Ok(after);
            }
        }
    }
    Ok(part.start)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file
    }

    fn tail(bytes: &[u8], lines: u64) -> String {
        let mut text = String::new();
        so_far(file(bytes), Tail::Lines(lines)).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn the_last_lines_are_counted_as_people_count_them() {
        assert_eq!(tail(b"a\nb\nc\n", 2), "b\nc\n");
        assert_eq!(tail(b"a\nb\nc", 2), "b\nc");
        assert_eq!(tail(b"a\nb\nc", 9), "a\nb\nc");
        assert_eq!(tail(b"\n\n", 1), "\n");
        assert_eq!(tail(b"a\n", 0), "");
        assert_eq!(tail(b"", 5), "");
        let long = [vec![b'x'; 3 * CHUNK], b"\ny\n".to_vec()].concat();
        assert_eq!(tail(&long, 1), "y\n");
        assert_eq!(tail(&long, 2).len(), long.len());
    }

    #[test]
    fn a_log_that_grows_is_read_to_where_it_ended() {
        let mut grows = file(b"a\nb\n");
        let mut reader = so_far(grows.try_clone().unwrap(), Tail::Lines(1)).unwrap();
        let place = grows.stream_position().unwrap();
        grows.seek(SeekFrom::End(0)).unwrap();
        grows.write_all(b"c\n").unwrap();
        grows.seek(SeekFrom::Start(place)).unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "b\n");
    }
}
