//! The relation of two logs by their lines, in one pass and with little memory.

use std::collections::{HashMap, VecDeque};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use super::CHUNK;

/// How many lines may be without a counterpart. Two streams of a program are out of order by a few lines only.
const MANY: usize = 100_000;

/// The relation of our log to the engine's copy.
#[derive(Debug, PartialEq, Eq)]
pub enum Relation {
    /// Both have the same lines.
    Equal,
    /// The copy has all of our bytes, and more lines.
    Exact,
    /// The copy has all of our lines in our order, some of them altered, and more lines. Those begin in the copy at
    /// `theirs`, where in our log the last whole line ends at `ours`.
    Altered {
        /// Bytes of our log.
        ours: u64,
        /// Bytes of the copy.
        theirs: u64,
    },
    /// Our log has lines that the copy lacks.
    Lacks,
}

/// Compares our log with the engine's copy. The order of lines may differ: docker does not keep the order between stdout
/// and stderr. Bytes that are not ASCII may differ: some log drivers replace what is not UTF-8. The last `words` lines of
/// our log may be those of the docker client about its own end.
///
/// # Errors
/// When one of them cannot be read.
pub fn relate<A: Read + Seek, B: Read + Seek>(ours: &mut A, theirs: &mut B, words: usize) -> io::Result<Relation> {
    if let Some(relation) = prefix(ours, theirs)? {
        return Ok(relation);
    }
    let rewind = |log: &mut dyn Seek| log.seek(SeekFrom::Start(0));
    rewind(ours)?;
    rewind(theirs)?;
    let relation = by_lines(Lines::new(&mut *ours), Lines::new(&mut *theirs), words)?;
    if relation != Relation::Lacks {
        return Ok(relation);
    }
    rewind(ours)?;
    rewind(theirs)?;
    Ok(but_for_newlines(ours, theirs)?.unwrap_or(relation))
}

/// The relation if the copy has all of our bytes in our order, and only newlines differ: engine 20.10 with the log driver `local`
/// drops the newline of a line of more than 16 KiB.
fn but_for_newlines(ours: &mut impl Read, theirs: &mut impl Read) -> io::Result<Option<Relation>> {
    let (mut ours, mut theirs) = (Bytes::new(ours), Bytes::new(theirs));
    while let Some(byte) = ours.next_in_line()? {
        if theirs.next_in_line()? != Some(byte) {
            return Ok(None);
        }
    }
    if ours.before == Some(b'\n') && theirs.peek()? == Some(b'\n') {
        theirs.take()?;
    }
    let is_over = theirs.peek()?.is_none();
    let altered = Relation::Altered { ours: ours.position, theirs: theirs.position };
    Ok(Some(if is_over { Relation::Equal } else { altered }))
}

/// Reads bytes one by one.
struct Bytes<R> {
    reader: BufReader<R>,
    position: u64,
    /// The last one that was read.
    before: Option<u8>,
}

impl<R: Read> Bytes<R> {
    fn new(reader: R) -> Self {
        Self { reader: BufReader::with_capacity(CHUNK, reader), position: 0, before: None }
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.reader.fill_buf()?.first().copied())
    }

    fn take(&mut self) -> io::Result<Option<u8>> {
        let byte = self.peek()?;
        if byte.is_some() {
            self.reader.consume(1);
            self.position += 1;
            self.before = byte;
        }
        Ok(byte)
    }

    /// The next byte that is no newline.
    fn next_in_line(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.take()? {
                Some(b'\n') => {}
                byte => return Ok(byte),
            }
        }
    }
}

/// The relation if our log is the beginning of the copy, byte by byte.
fn prefix(ours: &mut impl Read, theirs: &mut impl Read) -> io::Result<Option<Relation>> {
    let (mut ours, mut theirs) = (BufReader::with_capacity(CHUNK, ours), BufReader::with_capacity(CHUNK, theirs));
    loop {
        let (a, b) = (ours.fill_buf()?, theirs.fill_buf()?);
        let size = a.len().min(b.len());
        if a.is_empty() {
            return Ok(Some(if b.is_empty() { Relation::Equal } else { Relation::Exact }));
        }
        if b.is_empty() || a[..size] != b[..size] {
            return Ok(None);
        }
        ours.consume(size);
        theirs.consume(size);
    }
}

/// Counts for each line how many more there are in our log than in the copy. The last line of our log may be cut off; then it
/// must be the beginning of a line of the copy, which is not checked.
fn by_lines(mut ours: Lines<impl Read>, mut theirs: Lines<impl Read>, words: usize) -> io::Result<Relation> {
    let (mut exact, mut altered) = (Balance::default(), Balance::default());
    let mut last = VecDeque::new();
    let mut place = Some((0, 0));
    let (mut more, mut cut_off) = (0_u64, false);
    loop {
        let (mine, other) = (ours.next()?, theirs.next()?);
        if mine.is_none() && other.is_none() {
            break;
        }
        cut_off |= mine.as_ref().is_some_and(|line| !line.is_whole);
        let mine = mine.filter(|line| line.is_whole);
        if let Some(line) = &mine {
            exact.in_ours(line.exact);
            altered.in_ours(line.ascii);
            last.push_back((line.exact, line.ascii));
            last.drain(..last.len().saturating_sub(words));
        }
        if let Some(line) = &other {
            exact.in_theirs(line.exact, mine.is_none());
            altered.in_theirs(line.ascii, mine.is_none());
        }
        match (&mine, &other) {
            (Some(mine), Some(other)) if mine.ascii == other.ascii => {
                place = place.map(|_| (mine.end, other.end));
            }
            (Some(_), _) => place = None,
            (None, _) => more += 1,
        }
        if altered.counts.len() > MANY {
            return Ok(Relation::Lacks);
        }
    }
    if more > 0 {
        for (line, ascii) in last {
            exact.forgive(line);
            altered.forgive(ascii);
        }
    }
    Ok(match (exact.ahead > 0, altered.ahead > 0, place) {
        (_, true, _) => Relation::Lacks,
        _ if more == 0 && !cut_off => Relation::Equal,
        (false, _, _) => Relation::Exact,
        (true, false, Some((ours, theirs))) => Relation::Altered { ours, theirs },
        (true, false, None) => Relation::Lacks,
    })
}

/// For each line by its hash: the number in our log less the number in the copy, if that is not zero.
#[derive(Default)]
struct Balance {
    counts: HashMap<u64, i64>,
    /// The number of lines of which our log has more.
    ahead: usize,
}

impl Balance {
    fn in_ours(&mut self, line: u64) {
        let count = self.counts.entry(line).or_default();
        *count += 1;
        match *count {
            0 => drop(self.counts.remove(&line)),
            1 => self.ahead += 1,
            _ => {}
        }
    }

    /// After the end of our log, a line that it does not have needs no count.
    fn in_theirs(&mut self, line: u64, ours_ended: bool) {
        if ours_ended && !self.counts.contains_key(&line) {
            return;
        }
        let count = self.counts.entry(line).or_default();
        *count -= 1;
        if *count == 0 {
            self.ahead -= 1;
            self.counts.remove(&line);
        }
    }
}

impl Balance {
    /// Takes a line out of our log if the copy lacks it.
    fn forgive(&mut self, line: u64) {
        if self.counts.get(&line).is_some_and(|count| *count > 0) {
            self.in_theirs(line, false);
        }
    }
}

/// A line, by its hashes.
struct Line {
    exact: u64,
    /// Without the bytes that are not ASCII.
    ascii: u64,
    /// The position after it.
    end: u64,
    /// Whether it has its newline.
    is_whole: bool,
}

/// Reads lines without holding one in memory.
struct Lines<R> {
    reader: BufReader<R>,
    position: u64,
}

impl<R: Read> Lines<R> {
    fn new(reader: R) -> Self {
        Self { reader: BufReader::with_capacity(CHUNK, reader), position: 0 }
    }

    fn next(&mut self) -> io::Result<Option<Line>> {
        let mut line = Line { exact: FNV, ascii: FNV, end: self.position, is_whole: false };
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                let is_empty = line.end == self.position;
                self.position = line.end;
                return Ok((!is_empty).then_some(line));
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let piece = &buffer[..end.unwrap_or(buffer.len())];
            for byte in piece {
                line.exact = mix(line.exact, *byte);
                if byte.is_ascii() {
                    line.ascii = mix(line.ascii, *byte);
                }
            }
            let size = piece.len() + usize::from(end.is_some());
            line.end += size as u64;
            self.reader.consume(size);
            if end.is_some() {
                self.position = line.end;
                return Ok(Some(Line { is_whole: true, ..line }));
            }
        }
    }
}

const FNV: u64 = 0xcbf2_9ce4_8422_2325;

/// One step of the FNV-1a hash.
fn mix(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn related(ours: &[u8], theirs: &[u8]) -> Relation {
        relate(&mut Cursor::new(ours), &mut Cursor::new(theirs), 0).unwrap()
    }

    #[test]
    fn the_clients_last_words_are_not_missed_in_a_copy_that_continues() {
        let words = |ours: &[u8], theirs: &[u8]| relate(&mut Cursor::new(ours), &mut Cursor::new(theirs), 2).unwrap();
        assert_eq!(words(b"1\n2\ndocker: EOF\n", b"1\n2\n3\n4\n5\n"), Relation::Exact);
        assert_eq!(words(b"1\n2docker: EOF\n", b"1\n22\n3\n4\n5\n"), Relation::Exact);
        assert_eq!(words(b"1\nx\ndocker: EOF\nsee\n", b"1\n2\n3\n4\n5\n6\n7\n"), Relation::Lacks);
        // The copy does not continue, so a line may be missing in it.
        assert_eq!(words(b"1\n2\n3\n", b"1\n2\n"), Relation::Lacks);
    }

    #[test]
    fn a_log_is_compared_with_its_copy_by_bytes_and_then_by_lines() {
        let altered = |ours, theirs| Relation::Altered { ours, theirs };
        let table: &[(&[u8], &[u8], Relation)] = &[
            (b"", b"", Relation::Equal),
            (b"a\nb\n", b"a\nb\n", Relation::Equal),
            (b"", b"a\n", Relation::Exact),
            (b"a\n", b"a\nb\n", Relation::Exact),
            (b"a\nb", b"a\nbc\n", Relation::Exact),
            // Another order.
            (b"a\nb\nc\n", b"b\na\nc\n", Relation::Equal),
            (b"a\nb\n", b"b\na\nc\n", Relation::Exact),
            // Bytes that are not UTF-8, replaced by U+FFFD.
            (b"\xff\nb\n", b"\xef\xbf\xbd\nb\n", Relation::Equal),
            (b"\xff\nb\n", b"\xef\xbf\xbd\nb\nc\n", altered(4, 6)),
            (b"\xff\nb", b"\xef\xbf\xbd\nbc\n", altered(2, 4)),
            // A newline that the copy lacks.
            (b"long\n", b"long", Relation::Equal),
            (b"long\n", b"longlast\n", altered(5, 4)),
            (b"a\nlong\n", b"a\nlonglast\nmore\n", altered(7, 6)),
            (b"long\nla", b"longlast\n", altered(7, 6)),
            (b"long\nlast\n", b"longlast\nmore\n", altered(10, 9)),
            // Lines that the copy lacks.
            (b"a\nb\n", b"a\n", Relation::Lacks),
            (b"a\nb\n", b"a\nc\n", Relation::Lacks),
            (b"a\na\n", b"a\nb\nc\nd\n", Relation::Lacks),
            (b"1\n2\n3\n", b"3\n4\n5\n6\n7\n", Relation::Lacks),
        ];
        for (ours, theirs, relation) in table {
            assert_eq!(related(ours, theirs), *relation, "{ours:?} {theirs:?}");
        }
    }

    #[test]
    fn lines_longer_than_a_buffer_are_compared_whole() {
        let line = |last: u8| [vec![b'x'; 3 * CHUNK], vec![last, b'\n']].concat();
        let (ours, same) = ([b"\xff\n".to_vec(), line(b'1')].concat(), [b"?\n".to_vec(), line(b'1')].concat());
        assert_eq!(related(&ours, &same), Relation::Lacks, "the first line differs");
        let order = |first: u8, second: u8| [line(first), line(second)].concat();
        assert_eq!(related(&order(b'1', b'2'), &order(b'2', b'1')), Relation::Equal);
        assert_eq!(related(&order(b'1', b'2'), &order(b'2', b'3')), Relation::Lacks);
    }
}
