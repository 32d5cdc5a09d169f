//! Text for people on stdout: lines and tables. On a terminal, text is made safe and tables fit its width.

use std::io::{BufWriter, StdoutLock, Write as _};

use anyhow::Result;

use super::table::{Table, place};
use super::{PART, Voice, stdout};
use crate::terminal::safe;

/// The width of the names of facts.
const FACT: usize = 11;

/// What one answer prints.
#[derive(Debug)]
pub struct Page<'a> {
    voice: &'a Voice,
    out: BufWriter<StdoutLock<'static>>,
}

impl<'a> Page<'a> {
    pub(super) fn new(voice: &'a Voice) -> Self {
        Self { voice, out: BufWriter::with_capacity(PART, stdout().lock()) }
    }

    pub(super) fn finish(&mut self) -> Result<()> {
        Ok(self.out.flush()?)
    }

    /// Prints a line.
    pub fn line(&mut self, text: &str) -> Result<()> {
        let is_terminal = self.voice.stdout.is_terminal;
        Ok(if is_terminal { writeln!(self.out, "{}", safe(text)) } else { writeln!(self.out, "{text}") }?)
    }

    /// Prints a line that begins with a verdict (`ok`, `warning`, `problem`), which is coloured where colours are wanted.
    pub fn verdict(&mut self, word: &str, text: &str) -> Result<()> {
        let line = safe(&format!("{word:<9}{text}").replace('\x1b', "^["));
        let line = line.trim_end();
        Ok(if self.voice.stdout.has_colour {
            writeln!(self.out, "{}", coloured(line, 0))
        } else {
            writeln!(self.out, "{line}")
        }?)
    }

    /// Prints a line with a name and a value. A status is coloured where colours are wanted.
    pub fn fact(&mut self, name: &str, value: &str) -> Result<()> {
        let line = safe(&format!("{name:<FACT$}{value}").replace('\n', " "));
        let is_coloured = self.voice.stdout.has_colour && name == "Status";
        Ok(writeln!(self.out, "{}", if is_coloured { coloured(&line, FACT) } else { line })?)
    }

    /// Prints lines.
    pub fn lines<'t>(&mut self, lines: impl IntoIterator<Item = &'t str>) -> Result<()> {
        lines.into_iter().try_for_each(|line| self.line(line))
    }

    /// Prints a message to stderr, after the text so far.
    pub fn note(&mut self, text: &str) -> Result<()> {
        self.out.flush()?;
        self.voice.note(text);
        Ok(())
    }

    /// Writes escape sequences of longshore's own.
    pub(super) fn controls(&mut self, sequences: &str) -> Result<()> {
        Ok(self.out.write_all(sequences.as_bytes())?)
    }

    /// The columns of the terminal; without one there is no limit.
    #[must_use]
    pub fn width(&self) -> usize {
        if self.voice.stdout.is_terminal { self.voice.size().0 } else { usize::MAX }
    }

    /// Prints a table. At a terminal it is made to fit, unless asked not to.
    pub fn table<T: AsRef<str>>(&mut self, table: &Table<T>) -> Result<()> {
        let width = if table.no_trunc { usize::MAX } else { self.width() };
        let (out, has_colour) = (&mut self.out, self.voice.stdout.has_colour);
        // The header is the first line.
        let mut header = true;
        let mut status = None;
        table.each_line(width, |line| {
            if std::mem::take(&mut header) {
                status = line.find("STATUS").filter(|_| has_colour);
            }
            Ok(match status {
                Some(column) => writeln!(out, "{}", coloured(line, column)),
                None => writeln!(out, "{line}"),
            }?)
        })
    }
}

/// A status in its colour.
fn coloured(line: &str, column: usize) -> String {
    let Some(at) = place(line, column) else { return line.to_owned() };
    let end = line[at..].find([' ', '…']).map_or(line.len(), |length| at + length);
    let colour = match &line[at..end] {
        "succeeded" | "ok" | "fixed" => "32",
        "failed" | "timeout" | "corrupt" | "problem" => "31",
        "lost" | "unknown" | "cancelled" | "warning" => "33",
        "running" | "Up" => "36",
        _ => return line.to_owned(),
    };
    format!("{}\x1b[{colour}m{}\x1b[m{}", &line[..at], &line[at..end], &line[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_in_the_status_column_is_coloured() {
        assert_eq!(coloured("a  failed (3)  failed", 3), "a  \x1b[31mfailed\x1b[m (3)  failed");
        assert_eq!(coloured("é  Up 3 hours", 3), "é  \x1b[36mUp\x1b[m 3 hours");
        assert_eq!(coloured("a  odd", 3), "a  odd");
        assert_eq!(coloured("a", 3), "a");
    }
}
