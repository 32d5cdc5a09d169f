//! Reads a log from a place on. Bytes that are gone before they could be read are left out, and counted.

use std::io;
use std::os::unix::fs::FileExt as _;

use super::CHUNK;
use super::gone::Log;
use super::stamps::Stamps;

/// A log that is read from front to back.
#[derive(Debug)]
pub struct Passage {
    /// The log.
    pub log: Log,
    /// Where the next byte is.
    pub position: u64,
    /// The times before the lines, if they are wanted.
    pub stamps: Option<Stamps>,
    /// How many bytes were gone before they could be read.
    pub missed: u64,
    /// Whether the last byte that was read is in the midst of a line.
    is_in_line: bool,
    chunk: Vec<u8>,
}

impl Passage {
    /// From this position on, where a line begins.
    #[must_use]
    pub fn new(log: Log, position: u64, stamps: Option<Stamps>) -> Self {
        Self { log, position, stamps, missed: 0, is_in_line: false, chunk: Vec::new() }
    }

    /// Whether the bytes of the file are all that is read.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.stamps.is_none() && self.log.gone.is_nothing()
    }

    /// Appends what follows to `text`, up to `end` at most. Returns how many bytes of the log were passed; 0 at the end. If
    /// some of them are gone in the midst of a line, that line ends there.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn next(&mut self, end: u64, text: &mut Vec<u8>) -> io::Result<u64> {
        let wanted = usize::try_from(end.saturating_sub(self.position)).unwrap_or(CHUNK).min(CHUNK);
        self.chunk.resize(wanted, 0);
        let count = self.log.file.read_at(&mut self.chunk, self.position)?;
        // Asked after the bytes were read: what is gone now may have been read as zeros.
        let gone = self.log.gone.bytes().min(end);
        if gone > self.position {
            return Ok(self.skip_to(gone, text));
        }
        let bytes = &self.chunk[..self.passed_of(count, end)];
        match &mut self.stamps {
            Some(stamps) => stamps.push(bytes, text),
            None => text.extend_from_slice(bytes),
        }
        self.position += bytes.len() as u64;
        self.is_in_line = bytes.last().map_or(self.is_in_line, |last| *last != b'\n');
        Ok(bytes.len() as u64)
    }

    /// How many of the bytes that were read are passed on: of a log with a limit only whole lines, because the rest of a line
    /// may be gone before it is read. The last line before the end need not be whole, and a very long one is not held back.
    fn passed_of(&self, count: usize, end: u64) -> usize {
        if self.log.gone.is_nothing() || self.position + count as u64 >= end {
            return count;
        }
        memchr::memrchr(b'\n', &self.chunk[..count]).map_or(count, |last| last + 1)
    }

    fn skip_to(&mut self, position: u64, text: &mut Vec<u8>) -> u64 {
        let skipped = position - self.position;
        (self.position, self.missed) = (position, self.missed + skipped);
        if std::mem::take(&mut self.is_in_line) {
            text.push(b'\n');
        }
        if let Some(stamps) = &mut self.stamps {
            stamps.skip_to(position);
        }
        skipped
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;

    use super::*;
    use crate::fs::{Dir, release};
    use crate::job::LOG;
    use crate::job::mark::Mark;
    use crate::log::gone::Gone;

    struct World {
        _temporary: tempfile::TempDir,
        mark: Mark,
        log: File,
        passage: Passage,
    }

    fn world(bytes: &[u8]) -> World {
        let (temporary, dir) = Dir::temporary();
        dir.write_new(LOG, bytes).unwrap();
        Mark::make(&dir, LOG, 0).unwrap();
        let file = dir.open_file(LOG).unwrap();
        let log = Log { gone: Gone::in_dir(&dir, LOG, &file).unwrap(), file };
        let mark = Mark::change(&dir, LOG).unwrap();
        let file = dir.change(LOG).unwrap();
        World { _temporary: temporary, mark, log: file, passage: Passage::new(log, 0, None) }
    }

    fn read(passage: &mut Passage, end: u64) -> String {
        let mut text = Vec::new();
        passage.next(end, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_reader_that_is_overtaken_ends_its_line_and_continues_behind_what_is_gone() {
        let mut world = world(b"first\nsecond\nthird\nfourth\n");
        assert_eq!(read(&mut world.passage, 8), "first\nse");
        world.mark.record(13).unwrap();
        release(&world.log, LOG, 0..13).unwrap();
        assert_eq!(read(&mut world.passage, 26), "\n");
        assert_eq!((world.passage.position, world.passage.missed), (13, 5));
        assert_eq!(read(&mut world.passage, 26), "third\nfourth\n");
        assert_eq!(read(&mut world.passage, 26), "");
        // More is said to be gone than this reader is to read.
        (&world.log).write_all(b"0123456789012345678901234567890123456789").unwrap();
        world.mark.record(40).unwrap();
        assert_eq!(read(&mut world.passage, 30), "");
        assert_eq!((world.passage.position, world.passage.missed), (30, 9));
    }

    #[test]
    fn whatever_is_given_back_meanwhile_the_reader_has_the_rest_and_no_zero() {
        let lines: Vec<String> = (0..40_000).map(|number| format!("line {number}\n")).collect();
        let whole = lines.concat();
        for steps in [3_usize, 40, 999] {
            let mut world = world(whole.as_bytes());
            let (mut shown, mut at, mut gone) = (String::new(), 0, 0);
            while at < whole.len() as u64 {
                // The reader is slower than what gives blocks back, and faster, in turn.
                gone = (gone + whole.len() / steps).min(whole.len() - 30);
                gone += whole[gone..].find('\n').unwrap() + 1;
                world.mark.record(gone as u64).unwrap();
                release(&world.log, LOG, 0..gone as u64 / 4096 * 4096).unwrap();
                shown += &read(&mut world.passage, whole.len() as u64);
                at = world.passage.position;
            }
            assert!(!shown.contains('\0') && shown.ends_with(lines.last().unwrap()), "{steps}");
            let known: std::collections::HashSet<&str> = whole.lines().collect();
            assert_eq!(shown.lines().find(|line| !known.contains(line)), None, "{steps}");
            assert_eq!(shown.len() as u64 + world.passage.missed, whole.len() as u64, "{steps}");
        }
    }
}
