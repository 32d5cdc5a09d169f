//! Text for people on stdout: lines and tables. On a terminal, text is made safe and lines are cut to its width.

use std::io::{BufWriter, StdoutLock, Write as _};

use anyhow::Result;
use comfy_table::{ContentArrangement, presets};

use super::{Voice, stdout};
use crate::terminal::safe;

/// The longest cell that a terminal shows whole.
const CELL: usize = 40;

/// What one answer prints.
#[derive(Debug)]
pub struct Page<'a> {
    voice: &'a Voice,
    out: BufWriter<StdoutLock<'static>>,
}

/// A table: two blanks between columns, no borders; columns that no row fills are left out.
#[derive(Debug)]
pub struct Table<'a> {
    /// The columns' names.
    pub header: &'a [&'a str],
    /// As many cells in each as there are columns.
    pub rows: Vec<Vec<String>>,
    /// Cut nothing, also on a terminal.
    pub no_trunc: bool,
}

impl<'a> Page<'a> {
    pub(super) fn new(voice: &'a Voice) -> Self {
        Self { voice, out: BufWriter::new(stdout().lock()) }
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

    /// On a terminal, moves the cursor up over the last lines, so that they can be replaced.
    pub fn take_back(&mut self, lines: usize) -> Result<()> {
        if self.voice.stdout.is_terminal {
            let up = if lines > 0 { format!("\x1b[{lines}A") } else { String::new() };
            write!(self.out, "{up}\r\x1b[J")?;
        }
        Ok(())
    }

    /// On a terminal, clears the screen.
    pub fn clear(&mut self) -> Result<()> {
        if self.voice.stdout.is_terminal {
            write!(self.out, "\x1b[H\x1b[2J")?;
        }
        Ok(())
    }

    /// The columns of the terminal; without one there is no limit.
    #[must_use]
    pub fn width(&self) -> usize {
        if self.voice.stdout.is_terminal { self.voice.width() } else { usize::MAX }
    }

    /// Prints a table. Its lines are cut to the terminal's width and its long cells before that, unless asked not to.
    pub fn table(&mut self, table: &Table) -> Result<()> {
        let cut = self.voice.stdout.is_terminal && !table.no_trunc;
        let text = table.arranged(if cut { CELL } else { usize::MAX });
        let width = if cut { self.width() } else { usize::MAX };
        let status = text.lines().next().and_then(|header| header.find("STATUS"));
        let status = status.filter(|_| self.voice.stdout.has_colour);
        for line in text.lines() {
            let line = shorten(line.trim_end(), width);
            writeln!(self.out, "{}", status.map_or_else(|| line.clone(), |column| coloured(&line, column)))?;
        }
        Ok(())
    }
}

impl Table<'_> {
    /// As text, with no cell longer than so many characters.
    fn arranged(&self, most: usize) -> String {
        let fills = |column: &usize| self.rows.is_empty() || self.rows.iter().any(|row| !row[*column].is_empty());
        let filled: Vec<usize> = (0..self.header.len()).filter(fills).collect();
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(filled.iter().map(|column| self.header[*column]));
        for row in &self.rows {
            table.add_row(filled.iter().map(|column| shorten(&safe(&row[*column]).replace(['\n', '\t'], " "), most)));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        table.to_string()
    }
}

/// A status in its colour.
fn coloured(line: &str, column: usize) -> String {
    let Some((at, _)) = line.char_indices().nth(column) else { return line.to_owned() };
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

/// A text of at most so many characters; `…` stands for what was cut off.
#[must_use]
pub fn shorten(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_no_empty_columns_and_no_live_cells() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = vec![row(["a", "", "one\ntwo"]), row(["long cell", "", "\x1b[31mred\x1b[2J"])];
        let table = Table { header: &["ID", "NAME", "WHAT"], rows, no_trunc: false };
        let shown = |most| table.arranged(most).lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
        assert_eq!(shown(usize::MAX), ["ID         WHAT", "a          one two", "long cell  red^[[2J"]);
        assert_eq!(shown(5), ["ID     WHAT", "a      one …", "long…  red^…"]);
    }

    #[test]
    fn only_the_word_in_the_status_column_is_coloured() {
        assert_eq!(coloured("a  failed (3)  failed", 3), "a  \x1b[31mfailed\x1b[m (3)  failed");
        assert_eq!(coloured("é  Up 3 hours", 3), "é  \x1b[36mUp\x1b[m 3 hours");
        assert_eq!(coloured("a  odd", 3), "a  odd");
        assert_eq!(coloured("a", 3), "a");
    }
}
