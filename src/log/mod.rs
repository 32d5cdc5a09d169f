//! The log of a job: opening it, its last lines, following it, its lines as JSON, and the comparison with the engine's
//! copy. A log is never read into memory as a whole.

pub mod compare;
mod follow;
mod json;
mod lines;
pub mod steps;

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

use crate::job::{Job, LOG, LOG_RECOVERED};
use crate::names::Tail;
pub use follow::Follower;
pub use json::JsonLines;
#[cfg(test)]
pub use json::Row;

const CHUNK: usize = 64 * 1024;

/// Opens the log: the one recovered from the engine if there is one, otherwise the client's.
///
/// # Errors
/// When neither can be read.
pub fn open(job: &Job) -> io::Result<File> {
    if job.is_between_attempts() {
        return job.log_of_attempt(job.attempts().len()).or_else(|_| job.dir.open_file(LOG));
    }
    match job.dir.open_file(LOG_RECOVERED) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => job.dir.open_file(LOG),
        opened => opened,
    }
}

/// Seeks to the beginning of the last lines. A last line without a newline counts.
///
/// # Errors
/// When the file cannot be read.
fn seek_tail(file: &mut File, tail: Tail) -> io::Result<u64> {
    let Tail::Lines(lines) = tail else { return Ok(0) };
    let end = file.seek(SeekFrom::End(0))?;
    let start = tail_start(file, end, lines)?;
    file.seek(SeekFrom::Start(start))
}

/// The last lines up to the current end. Without that end, a job that writes fast could keep the reader busy without end.
///
/// # Errors
/// When the file cannot be read.
pub fn so_far(mut file: File, tail: Tail) -> io::Result<io::Take<File>> {
    let start = seek_tail(&mut file, tail)?;
    let length = file.metadata()?.len();
    Ok(file.take(length.saturating_sub(start)))
}

/// Reads backwards in chunks, so that the cost depends on the lines asked for and not on the size of the log.
fn tail_start(file: &mut File, end: u64, lines: u64) -> io::Result<u64> {
    let mut missing = lines;
    let mut position = end;
    let mut buffer = vec![0; CHUNK];
    if lines == 0 {
        return Ok(end);
    }
    while position > 0 {
        let size = position.min(CHUNK as u64);
        position -= size;
        let chunk = &mut buffer[..usize::try_from(size).unwrap_or(CHUNK)];
        file.seek(SeekFrom::Start(position))?;
        file.read_exact(chunk)?;
        for (index, _) in chunk.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            let after = position + index as u64 + 1;
            // The newline at the very end closes the last line; it opens none.
            if after == end {
                continue;
            }
            missing -= 1;
            if missing == 0 {
                return Ok(after);
            }
        }
    }
    Ok(0)
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
        let mut file = file(bytes);
        seek_tail(&mut file, Tail::Lines(lines)).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
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
