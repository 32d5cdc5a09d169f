//! Several logs on one stdout, line by line: before each line stands whose it is.
//!
//! A line is written when it has ended, so that lines are never mixed. One that is longer than can be held is written in
//! pieces, and the others wait until it has ended.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::log::Bytes;
use super::{Form, LogSink, Voice};
use crate::log::JsonLines;
use crate::terminal::{Allowed, Redraws, safe_json, settled, shown};

/// How much of a line is held.
const LONGEST: usize = 1 << 20;
/// The colours of the names, one after the other; red is that of failures.
const COLOURS: [&str; 10] = ["36", "33", "32", "35", "34", "96", "93", "92", "95", "94"];

/// Where several logs come together.
#[derive(Debug)]
pub struct Braid {
    out: File,
    is_terminal: bool,
    /// The log whose line is written in pieces.
    owner: Mutex<Option<usize>>,
    released: Condvar,
}

/// Whose a log is.
#[derive(Debug, Clone)]
pub struct Label {
    /// For JSON.
    pub id: String,
    /// For people.
    pub name: String,
}

/// One of the logs.
#[derive(Debug)]
pub struct Strand {
    braid: Arc<Braid>,
    at: usize,
    lines: Lines,
    /// Whose it is.
    pub label: Label,
}

#[derive(Debug)]
enum Lines {
    Text(Text),
    Json(JsonLines),
}

/// Lines of text with a prefix.
#[derive(Debug)]
struct Text {
    prefix: String,
    held: Vec<u8>,
    is_open: bool,
    /// What a terminal may act on; `None` for exact bytes.
    allowed: Option<Allowed>,
}

impl Voice {
    /// A place on stdout for each of several logs.
    ///
    /// # Errors
    /// When stdout is closed.
    pub fn braid(&self, labels: &[Label], bytes: Bytes) -> io::Result<Vec<LogSink>> {
        let is_terminal = self.stdout.is_terminal;
        let braid = Braid { out: self.bytes()?, is_terminal, owner: Mutex::default(), released: Condvar::new() };
        let braid = Arc::new(braid);
        let width = labels.iter().map(|label| label.name.chars().count()).max().unwrap_or_default();
        let allowed = Allowed { colours: self.stdout.has_colour, redraws: Redraws::Never };
        let strand = |(at, label): (usize, &Label)| {
            let lines = match self.form {
                Form::Rows | Form::Document => Lines::Json(JsonLines::rows_of(&label.id)),
                Form::Text => Lines::Text(Text {
                    prefix: prefix(label, width, self.stdout.has_colour.then(|| COLOURS[at % COLOURS.len()])),
                    held: Vec::new(),
                    is_open: false,
                    allowed: (is_terminal && bytes == Bytes::Safe).then_some(allowed),
                }),
            };
            LogSink::Strand(Strand { braid: Arc::clone(&braid), at, lines, label: label.clone() })
        };
        Ok(labels.iter().enumerate().map(strand).collect())
    }
}

fn prefix(label: &Label, width: usize, colour: Option<&str>) -> String {
    let name = format!("{:<width$} |", label.name);
    match colour {
        Some(colour) => format!("\x1b[{colour}m{name}\x1b[m "),
        None => format!("{name} "),
    }
}

impl Strand {
    /// For lines that have their time before them.
    #[must_use]
    pub fn timed(mut self) -> Self {
        self.lines = match self.lines {
            Lines::Json(lines) => Lines::Json(lines.timed()),
            text @ Lines::Text(_) => text,
        };
        self
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut text = Vec::new();
        let is_open = match &mut self.lines {
            Lines::Text(lines) => lines.push(bytes, &mut text),
            Lines::Json(lines) => {
                lines.push(bytes, &mut text)?;
                lines.is_open()
            }
        };
        self.write(text, is_open)
    }

    /// Writes an object of its own between lines, and nothing in the form for people.
    pub fn row(&self, object: &impl Serialize) -> io::Result<()> {
        if let Lines::Text(_) = self.lines {
            return Ok(());
        }
        let mut text = serde_json::to_vec(object)?;
        text.push(b'\n');
        self.write(text, false)
    }

    /// Ends a line that has not ended.
    pub fn end_line(&mut self) -> io::Result<()> {
        let mut text = Vec::new();
        match &mut self.lines {
            Lines::Text(lines) => lines.end(&mut text),
            Lines::Json(lines) => lines.finish(&mut text)?,
        }
        self.write(text, false)
    }

    fn write(&self, mut text: Vec<u8>, is_open: bool) -> io::Result<()> {
        let mut owner = self.braid.turn(self.at);
        if self.braid.is_terminal && matches!(self.lines, Lines::Json(_)) {
            text = safe_json(&String::from_utf8_lossy(&text)).into_bytes();
        }
        let written = (&self.braid.out).write_all(&text);
        *owner = (is_open && written.is_ok()).then_some(self.at);
        drop(owner);
        self.braid.released.notify_all();
        written
    }
}

impl Braid {
    /// Waits until no other log is in the midst of a line.
    fn turn(&self, at: usize) -> MutexGuard<'_, Option<usize>> {
        let owner = self.owner.lock().unwrap_or_else(PoisonError::into_inner);
        let is_others = |owner: &mut Option<usize>| owner.is_some_and(|owner| owner != at);
        self.released.wait_while(owner, is_others).unwrap_or_else(PoisonError::into_inner)
    }
}

impl Text {
    /// Returns whether the last line is in the midst of being written.
    fn push(&mut self, bytes: &[u8], text: &mut Vec<u8>) -> bool {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let end = piece.strip_suffix(b"\n");
            self.held.extend_from_slice(end.unwrap_or(piece));
            if end.is_some() || self.held.len() >= LONGEST {
                self.pass(text);
            }
            if end.is_some() {
                text.push(b'\n');
                self.is_open = false;
            }
        }
        self.is_open
    }

    fn end(&mut self, text: &mut Vec<u8>) {
        if self.is_open || !self.held.is_empty() {
            self.pass(text);
            text.push(b'\n');
            self.is_open = false;
        }
    }

    fn pass(&mut self, text: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.is_open, true) {
            text.extend_from_slice(self.prefix.as_bytes());
        }
        match self.allowed {
            None => text.append(&mut self.held),
            Some(allowed) => {
                // A progress bar would go back over the name; what it shows in the end is enough.
                let line = String::from_utf8_lossy(&self.held);
                text.extend_from_slice(shown(settled(&line), allowed).as_bytes());
                self.held.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _};

    use super::*;

    /// Strands with these prefixes, and what they write.
    fn strands<const N: usize>(allowed: Option<Allowed>, names: [&str; N]) -> ([Strand; N], File) {
        let file = tempfile::tempfile().unwrap();
        let out = file.try_clone().unwrap();
        let braid = Braid { out, is_terminal: false, owner: Mutex::default(), released: Condvar::new() };
        let (braid, mut at) = (Arc::new(braid), 0);
        let strand = |name: &str| {
            let prefix = format!("{name}| ");
            let lines = Lines::Text(Text { prefix, held: Vec::new(), is_open: false, allowed });
            at += 1;
            let label = Label { id: at.to_string(), name: at.to_string() };
            Strand { braid: Arc::clone(&braid), at, lines, label }
        };
        (names.map(strand), file)
    }

    fn written(mut file: File) -> String {
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn lines_are_written_when_they_have_ended_and_the_last_one_at_the_end() {
        let ([mut a, mut b], file) = strands(None, ["a", "b"]);
        a.push(b"one\nha").unwrap();
        b.push(b"two\n\nthree").unwrap();
        a.push(b"lf\r\n").unwrap();
        b.end_line().unwrap();
        a.end_line().unwrap();
        assert_eq!(written(file), "a| one\nb| two\nb| \na| half\r\nb| three\n");
    }

    #[test]
    fn a_line_that_is_too_long_to_be_held_is_not_mixed_with_others() {
        let ([mut a, mut b], file) = strands(None, ["a", "b"]);
        let long = vec![b'x'; LONGEST];
        a.push(&long).unwrap();
        std::thread::scope(|scope| {
            let other = scope.spawn(move || b.push(b"other\n").unwrap());
            a.push(b"end").unwrap();
            assert!(!other.is_finished(), "it waits for the end of the long line");
            a.push(b"\n").unwrap();
        });
        assert_eq!(written(file), format!("a| {}end\nb| other\n", "x".repeat(LONGEST)));
    }

    #[test]
    fn a_terminal_gets_a_progress_bar_as_it_is_in_the_end_and_nothing_that_acts() {
        let allowed = Allowed { colours: true, redraws: Redraws::Never };
        let ([mut a], file) = strands(Some(allowed), ["a"]);
        a.push(b" 50%\r100%\r\n\x1b[31mred\x1b[2J\n\xff\n").unwrap();
        assert_eq!(written(file), "a| 100%\na| \x1b[31mred^[[2J\x1b[m\na| \u{fffd}\n");
    }
}
