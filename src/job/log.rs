//! Reading a job's log: whole, its last lines, as JSON, or while it grows. Never all of it in memory.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write};

use super::{Job, LOG, LOG_RECOVERED};
use crate::names::Tail;

const CHUNK: usize = 64 * 1024;

/// Opens the log: the one fetched anew from the engine where there is one, else the client's own.
///
/// # Errors
/// When neither can be read.
pub fn open(job: &Job) -> io::Result<File> {
    match job.dir.open_file(LOG_RECOVERED) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => job.dir.open_file(LOG),
        opened => opened,
    }
}

/// Moves to where the last lines begin. A last line without a newline counts as one.
///
/// # Errors
/// When the file cannot be read.
fn seek_tail(file: &mut File, tail: Tail) -> io::Result<u64> {
    let Tail::Lines(lines) = tail else { return Ok(0) };
    let end = file.seek(SeekFrom::End(0))?;
    let start = tail_start(file, end, lines)?;
    file.seek(SeekFrom::Start(start))
}

/// The last lines of what is there now: a job that writes faster than it is read would never let the reader go.
///
/// # Errors
/// When the file cannot be read.
pub fn so_far(mut file: File, tail: Tail) -> io::Result<io::Take<File>> {
    let start = seek_tail(&mut file, tail)?;
    let length = file.metadata()?.len();
    Ok(file.take(length.saturating_sub(start)))
}

/// Reads backwards, a chunk at a time, so that the cost depends on the lines asked for and not on the log.
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

/// Writes everything there is to read as the items of a JSON array of strings, without the brackets.
/// Invalid UTF-8 becomes U+FFFD. A line longer than memory passes through in pieces.
///
/// # Errors
/// When reading or writing fails.
pub fn json_items(from: impl io::Read, out: &mut impl Write) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(CHUNK, from);
    let mut lines = JsonLines::items();
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return lines.finish(out);
        }
        lines.push(buffer, out)?;
        let used = buffer.len();
        reader.consume(used);
    }
}

/// Makes JSON of lines while their bytes come. A line stays here until its newline comes or it is too long for that;
/// from then on its pieces pass through, so that none costs more memory than a chunk.
#[derive(Debug)]
pub struct JsonLines {
    before: &'static [u8],
    between: &'static [u8],
    after: &'static [u8],
    carry: Vec<u8>,
    open: bool,
    first: bool,
}

impl JsonLines {
    /// The items of an array, without the brackets.
    #[must_use]
    pub fn items() -> Self {
        Self { before: b"\"", between: b",", after: b"\"", carry: Vec::new(), open: false, first: true }
    }

    /// One object a line, with the text as its `line`.
    #[must_use]
    pub fn rows() -> Self {
        Self { before: b"{\"line\": \"", between: b"", after: b"\"}\n", ..Self::items() }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When writing fails.
    pub fn push(&mut self, bytes: &[u8], out: &mut impl Write) -> io::Result<()> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if let Some(end) = piece.strip_suffix(b"\n") {
                self.carry.extend_from_slice(end);
                self.end_line(out)?;
                continue;
            }
            self.carry.extend_from_slice(piece);
            if self.carry.len() >= CHUNK {
                let whole = self.carry.len() - incomplete(&self.carry);
                self.pass(whole, out)?;
            }
        }
        Ok(())
    }

    /// Gives a last line that has no newline.
    ///
    /// # Errors
    /// When writing fails.
    pub fn finish(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.open || !self.carry.is_empty() { self.end_line(out) } else { Ok(()) }
    }

    fn end_line(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.pass(self.carry.len(), out)?;
        self.open = false;
        out.write_all(self.after)
    }

    fn pass(&mut self, length: usize, out: &mut impl Write) -> io::Result<()> {
        if !self.open {
            out.write_all(if self.first { b"" } else { self.between })?;
            out.write_all(self.before)?;
            (self.open, self.first) = (true, false);
        }
        write_escaped(&self.carry[..length], out)?;
        self.carry.drain(..length);
        Ok(())
    }
}

/// Bytes at the end that may become a character with the next chunk.
fn incomplete(bytes: &[u8]) -> usize {
    let from = bytes.len().saturating_sub(3);
    (from..bytes.len())
        .find(|at| matches!(std::str::from_utf8(&bytes[*at..]), Err(error) if error.valid_up_to() == 0 && error.error_len().is_none()))
        .map_or(0, |at| bytes.len() - at)
}

fn write_escaped(bytes: &[u8], out: &mut impl Write) -> io::Result<()> {
    let quoted = serde_json::to_string(&String::from_utf8_lossy(bytes))?;
    out.write_all(&quoted.as_bytes()[1..quoted.len() - 1])
}

/// Reads what a job writes, while it writes it.
#[derive(Debug)]
pub struct Follower {
    file: File,
    position: u64,
}

impl Follower {
    /// Starts at the last lines of what is there.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn new(job: &Job, tail: Tail) -> io::Result<Self> {
        let mut file = open(job)?;
        let position = seek_tail(&mut file, tail)?;
        Ok(Self { file, position })
    }

    /// How many bytes of the log lie behind.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Hands on what has come since the last time; says how many bytes that was.
    ///
    /// # Errors
    /// When the log was cut short behind our back, or the writer fails.
    pub fn advance(&mut self, out: &mut impl Write) -> io::Result<u64> {
        let length = self.file.metadata()?.len();
        if length < self.position {
            return Err(io::Error::other("the log was truncated while it was read"));
        }
        if length == self.position {
            return Ok(0);
        }
        let copied = io::copy(&mut (&mut self.file).take(length - self.position), out)?;
        self.position += copied;
        Ok(copied)
    }

    /// After the end: goes on in the log that was fetched anew from the engine, if there is one and it begins with
    /// what was already shown. Says whether what was shown is the beginning of the log.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub fn change_over(&mut self, job: &Job) -> io::Result<bool> {
        let Ok(mut whole) = job.dir.open_file(LOG_RECOVERED) else { return Ok(true) };
        if same_file(&whole, &self.file)? {
            return Ok(true);
        }
        self.file.seek(SeekFrom::Start(0))?;
        let same = same_start(&mut self.file, &mut whole, self.position)?;
        whole.seek(SeekFrom::Start(if same { self.position } else { 0 }))?;
        self.position = if same { self.position } else { 0 };
        self.file = whole;
        Ok(same)
    }
}

fn same_file(a: &File, b: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let (a, b) = (a.metadata()?, b.metadata()?);
    Ok((a.dev(), a.ino()) == (b.dev(), b.ino()))
}

fn same_start(a: &mut File, b: &mut File, length: u64) -> io::Result<bool> {
    let (mut a, mut b) = (BufReader::new(a.take(length)), BufReader::new(b.take(length)));
    loop {
        let (left, right) = (a.fill_buf()?, b.fill_buf()?);
        let size = left.len().min(right.len());
        if size == 0 {
            return Ok(left.is_empty() && right.is_empty());
        }
        if left[..size] != right[..size] {
            return Ok(false);
        }
        a.consume(size);
        b.consume(size);
    }
}

#[cfg(test)]
mod tests {
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

    fn json(bytes: &[u8]) -> Vec<String> {
        let mut out = b"[".to_vec();
        json_items(file(bytes), &mut out).unwrap();
        out.push(b']');
        serde_json::from_slice(&out).unwrap()
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

    #[test]
    fn json_lines_are_exact_for_text_and_lossy_for_the_rest() {
        assert_eq!(json(b""), Vec::<String>::new());
        assert_eq!(json(b"a\n\nb"), ["a", "", "b"]);
        assert_eq!(json("\"\\\t\u{1}é😀\n".as_bytes()), ["\"\\\t\u{1}é😀"]);
        assert_eq!(json(b"\xff\n\xe2\x82"), ["\u{fffd}", "\u{fffd}"]);
        let wide = "é".repeat(CHUNK) + "😀" + &"ü€".repeat(CHUNK);
        assert_eq!(json(wide.as_bytes()), [wide]);
    }

    #[test]
    fn a_line_of_any_length_is_one_row_and_is_never_held_whole() {
        let mut lines = JsonLines::rows();
        let (mut written, mut most) = (Vec::new(), 0);
        let text = "€".repeat(CHUNK);
        // Seven bytes at a time cut the character of three at every place.
        for piece in text.as_bytes().chunks(7) {
            lines.push(piece, &mut written).unwrap();
            most = most.max(lines.carry.len());
        }
        assert!(most <= CHUNK && written.len() > text.len() - CHUNK, "{most} bytes were held");
        lines.push(b"\nshort\n", &mut written).unwrap();
        lines.push(b"last", &mut written).unwrap();
        lines.finish(&mut written).unwrap();
        let rows: Vec<serde_json::Value> =
            written.split_inclusive(|byte| *byte == b'\n').map(|row| serde_json::from_slice(row).unwrap()).collect();
        assert_eq!(rows, [&text, "short", "last"].map(|line| serde_json::json!({"line": line})));
    }
}
