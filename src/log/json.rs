//! The lines of a log as JSON. A line is never held in memory as a whole, because it may be longer than the memory.

use std::io::{self, Write};

use super::CHUNK;
use super::stamps::UNKNOWN;

/// What stands before the text of a line in its object.
const LINE: &str = "\"line\": \"";

/// Writes lines as JSON while their bytes arrive; invalid UTF-8 becomes U+FFFD. A line is buffered until its newline arrives
/// or the buffer is full. Then its pieces are written, so that no line needs more memory than a chunk.
#[derive(Debug)]
pub struct JsonLines {
    /// How the object of a line begins; `None` for a text alone.
    object: Option<String>,
    /// What stands before the text of a line.
    before: Vec<u8>,
    /// Of lines that have their time before them: what stands before the time. `before` is then what follows it.
    head: Option<Vec<u8>>,
    between: &'static [u8],
    after: &'static [u8],
    carry: Vec<u8>,
    open: bool,
    first: bool,
}

/// What a row is, for its JSON Schema.
#[cfg(test)]
#[derive(Debug, PartialEq, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Of one of several jobs: its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// With --timestamps: when the line began, exact to 100 ms; null if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[expect(clippy::option_option, reason = "it may be missing or null")]
    time: Option<Option<chrono::DateTime<chrono::Utc>>>,
    /// The line, without its end.
    line: String,
}

/// A row of a followed log in the place of lines that are gone.
#[derive(Debug, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct GoneRow<'a> {
    /// Of one of several jobs: its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<&'a str>,
    /// How many bytes are gone.
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub gone: u64,
}

/// What a row of a followed log is, for its JSON Schema.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is wanted")]
pub enum FollowedRow {
    /// A line.
    Line(Row),
    /// Lines that are gone.
    Gone(GoneRow<'static>),
}

/// A value that may be null, and is not missing.
#[cfg(test)]
fn given<'de, T: serde::Deserialize<'de>, D: serde::Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

impl JsonLines {
    /// The items of an array, without the brackets.
    #[must_use]
    pub fn items() -> Self {
        Self {
            object: None,
            before: b"\"".to_vec(),
            head: None,
            between: b",",
            after: b"\"",
            carry: Vec::new(),
            open: false,
            first: true,
        }
    }

    /// One object a line, with the text as its `line`.
    #[must_use]
    pub fn rows() -> Self {
        Self::objects("{".to_owned())
    }

    /// The same for one of several jobs, with its id in each object.
    #[must_use]
    pub fn rows_of(id: &str) -> Self {
        Self::objects(format!("{{\"id\": \"{id}\", "))
    }

    fn objects(start: String) -> Self {
        let before = format!("{start}{LINE}").into_bytes();
        Self { object: Some(start), before, between: b"", after: b"\"}\n", ..Self::items() }
    }

    /// For lines that have their time before them, as [`Stamps`] puts it there. Each becomes an object with `time` and `line`.
    ///
    /// [`Stamps`]: super::stamps::Stamps
    #[must_use]
    pub fn timed(self) -> Self {
        let after = if self.object.is_some() { self.after } else { b"\"}" };
        let head = format!("{}\"time\": ", self.object.as_deref().unwrap_or("{"));
        Self { head: Some(head.into_bytes()), before: format!(", {LINE}").into_bytes(), after, ..self }
    }

    /// Whether the last line is in the midst of being written.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When writing fails.
    pub fn push(&mut self, bytes: &[u8], out: &mut impl Write) -> io::Result<()> {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            if self.carry.is_empty() {
                self.put(&rest[..end], out)?;
                self.close(out)?;
            } else {
                self.carry.extend_from_slice(&rest[..end]);
                self.end_line(out)?;
            }
            rest = &rest[end + 1..];
        }
        self.carry.extend_from_slice(rest);
        if self.carry.len() >= CHUNK {
            let whole = self.carry.len() - incomplete(&self.carry);
            self.pass(whole, out)?;
        }
        Ok(())
    }

    /// Writes a last line that has no newline.
    ///
    /// # Errors
    /// When writing fails.
    pub fn finish(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.open || !self.carry.is_empty() { self.end_line(out) } else { Ok(()) }
    }

    fn end_line(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.pass(self.carry.len(), out)?;
        self.close(out)
    }

    fn close(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.open = false;
        out.write_all(self.after)
    }

    fn pass(&mut self, length: usize, out: &mut impl Write) -> io::Result<()> {
        let mut carry = std::mem::take(&mut self.carry);
        self.put(&carry[..length], out)?;
        carry.drain(..length);
        self.carry = carry;
        Ok(())
    }

    /// Writes a piece of a line, and before the first one what stands there.
    fn put(&mut self, piece: &[u8], out: &mut impl Write) -> io::Result<()> {
        let mut from = 0;
        if !self.open {
            out.write_all(if self.first { b"" } else { self.between })?;
            from = self.pass_time(piece, out)?;
            out.write_all(&self.before)?;
            (self.open, self.first) = (true, false);
        }
        write_escaped(&piece[from..], out)
    }

    /// Writes the time before a line; returns how many bytes of the line it takes.
    fn pass_time(&self, line: &[u8], out: &mut impl Write) -> io::Result<usize> {
        let Some(head) = &self.head else { return Ok(0) };
        let end = memchr::memchr(b' ', line).unwrap_or(line.len());
        out.write_all(head)?;
        match &line[..end] {
            time if time == UNKNOWN.as_bytes() => out.write_all(b"null")?,
            time => {
                out.write_all(b"\"")?;
                write_escaped(time, out)?;
                out.write_all(b"\"")?;
            }
        }
        Ok((end + 1).min(line.len()))
    }
}

/// Bytes at the end that may become a character with the next chunk.
fn incomplete(bytes: &[u8]) -> usize {
    let from = bytes.len().saturating_sub(3);
    (from..bytes.len())
        .find(|at| matches!(std::str::from_utf8(&bytes[*at..]), Err(error) if error.valid_up_to() == 0 && error.error_len().is_none()))
        .map_or(0, |at| bytes.len() - at)
}

/// Most lines are text that stands in JSON as it is.
fn write_escaped(bytes: &[u8], out: &mut impl Write) -> io::Result<()> {
    if is_plain(bytes) {
        return out.write_all(bytes);
    }
    let quoted = serde_json::to_string(&String::from_utf8_lossy(bytes))?;
    out.write_all(&quoted.as_bytes()[1..quoted.len() - 1])
}

/// Whether all bytes are ASCII that is not escaped in JSON. Eight are looked at together, because a program that is compiled to be
/// small has no vector instructions for a plain loop, which takes five times as long.
fn is_plain(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks();
    let mut last = [b' '; 8];
    last[..rest.len()].copy_from_slice(rest);
    words.iter().chain([&last]).all(|word| is_plain_word(u64::from_le_bytes(*word)))
}

fn is_plain_word(word: u64) -> bool {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let differs = |byte: u8| (word ^ (ONES * u64::from(byte))).wrapping_sub(ONES);
    // The high bit of a byte is set where it is not ASCII, or smaller than what is taken from it. A byte borrows only where the one
    // before it was found.
    (word | word.wrapping_sub(ONES * 0x20) | differs(b'"') | differs(b'\\')) & HIGH == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(bytes: &[u8]) -> Vec<String> {
        let (mut lines, mut out) = (JsonLines::items(), b"[".to_vec());
        bytes.chunks(CHUNK).for_each(|chunk| lines.push(chunk, &mut out).unwrap());
        lines.finish(&mut out).unwrap();
        out.push(b']');
        serde_json::from_slice(&out).unwrap()
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
    fn a_byte_that_json_escapes_is_found_at_every_place() {
        for byte in 0..=u8::MAX {
            let is_itself = (0x20..0x80).contains(&byte) && byte != b'"' && byte != b'\\';
            for (length, at) in (1..20).flat_map(|length| (0..length).map(move |at| (length, at))) {
                let mut text = vec![b'a'; length];
                text[at] = byte;
                assert_eq!(is_plain(&text), is_itself, "{byte} at {at} of {length}");
            }
        }
    }

    #[test]
    fn a_time_before_a_line_becomes_a_key_of_its_object() {
        let timed = |lines: JsonLines, text: &str| {
            let (mut lines, mut out) = (lines.timed(), Vec::new());
            lines.push(text.as_bytes(), &mut out).unwrap();
            lines.finish(&mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let text = "2026-01-01T00:00:00.250Z a b\n- \n- c";
        let rows = r#"{"time": "2026-01-01T00:00:00.250Z", "line": "a b"}
{"time": null, "line": ""}
{"time": null, "line": "c"}
"#;
        assert_eq!(timed(JsonLines::rows(), text), rows);
        assert_eq!(timed(JsonLines::items(), text), rows.trim_end().replace("}\n", "},"));
        assert_eq!(timed(JsonLines::rows_of("x"), text), rows.replace('{', "{\"id\": \"x\", "));
        let long = format!("- {}", "x".repeat(3 * CHUNK));
        let row: Row = serde_json::from_str(&timed(JsonLines::rows(), &long)).unwrap();
        assert_eq!(row, Row { id: None, time: Some(None), line: long[2..].to_owned() });
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
        let rows: Vec<Row> =
            written.split_inclusive(|byte| *byte == b'\n').map(|row| serde_json::from_slice(row).unwrap()).collect();
        assert_eq!(rows, [&text, "short", "last"].map(|line| Row { id: None, time: None, line: line.to_owned() }));
    }
}
