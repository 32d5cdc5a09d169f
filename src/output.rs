//! How things look: data to stdout, talk to stderr, tables, times, and text of others made safe for a terminal.

use std::io::{self, IsTerminal as _, Write};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::env::Env;
use crate::error::Failure;

/// Prints one JSON document to stdout.
///
/// # Errors
/// When stdout cannot be written.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    json_text(serde_json::to_string_pretty(value)?)
}

/// Prints one JSON document on a line of its own, as a stream has them, and holds nothing back.
///
/// # Errors
/// When stdout cannot be written.
pub fn json_row(value: &impl Serialize) -> anyhow::Result<()> {
    json_text(serde_json::to_string(value)?)?;
    Ok(io::stdout().lock().flush()?)
}

fn json_text(mut text: String) -> anyhow::Result<()> {
    if io::stdout().is_terminal() {
        text = safe_json(&text);
    }
    text.push('\n');
    Ok(io::stdout().lock().write_all(text.as_bytes())?)
}

/// The same document without a character that could do something to a terminal. JSON has escaped what is below a blank;
/// what is left (DEL, C1, bidirectional controls) can only stand in strings, where an escape means the same.
fn safe_json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        if char == '\x7f' || is_hidden(char) {
            safe.push_str(&format!("\\u{:04x}", char as u32));
        } else {
            safe.push(char);
        }
    }
    safe
}

/// Prints one line of data to stdout.
///
/// # Errors
/// When stdout cannot be written.
pub fn line(env: &Env, text: &str) -> anyhow::Result<()> {
    let text = if env.stdout_terminal { safe(text) } else { text.to_owned() };
    Ok(writeln!(io::stdout().lock(), "{text}")?)
}

/// Says something to people, on stderr. A closed stderr is nobody's failure.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", safe(text));
}

/// Tells an engine command line before it is run.
pub fn trace(line: &str) {
    note(&format!("+ {line}"));
}

/// Prints the one error of this process: the fact, somebody else's words indented, the hint.
pub fn failure(env: &Env, failure: &Failure) {
    let (red, plain) = if env.color(env.stderr_terminal) { ("\x1b[1;31m", "\x1b[m") } else { ("", "") };
    note(&format!("{red}error:{plain} {}", failure.message));
    if let Some(detail) = &failure.detail {
        for line in detail.lines() {
            note(&format!("  {line}"));
        }
    }
    if let Some(hint) = &failure.hint {
        note(&format!("hint: {hint}"));
    }
}

/// The JSON document of a failure.
#[must_use]
pub fn failure_document(failure: &Failure) -> serde_json::Value {
    serde_json::json!({
        "success": false,
        "error": {"kind": failure.kind, "message": failure.message, "hint": failure.hint},
    })
}

/// A table for people: two blanks between columns, no borders; columns that no row fills are left out, and cells are
/// cut to the terminal's width unless asked not to.
///
/// # Errors
/// When stdout cannot be written.
pub fn table(env: &Env, header: &[&str], rows: &[Vec<String>], no_trunc: bool) -> anyhow::Result<()> {
    use comfy_table::{ContentArrangement, Table, presets};
    let fills = |column: &usize| rows.is_empty() || rows.iter().any(|row| !row[*column].is_empty());
    let filled: Vec<usize> = (0..header.len()).filter(fills).collect();
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(filled.iter().map(|column| header[*column]));
    let cut = env.stdout_terminal && !no_trunc;
    for row in rows {
        table.add_row(filled.iter().map(|column| {
            // Colours too are shown in writing: cut with its cell, one would never end.
            let cell = safe(&row[*column].replace('\x1b', "^[")).replace(['\n', '\t'], " ");
            if cut { shorten(&cell, 40) } else { cell }
        }));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let text = table.to_string();
    let status =
        text.lines().next().and_then(|header| header.find("STATUS")).filter(|_| env.color(env.stdout_terminal));
    let mut out = io::stdout().lock();
    for line in text.lines() {
        let line = line.trim_end();
        let line = if cut { shorten(line, usize::from(env.width)) } else { line.to_owned() };
        writeln!(out, "{}", status.map_or_else(|| line.clone(), |column| coloured(&line, column)))?;
    }
    Ok(())
}

/// The status word that stands in this column in its colour.
fn coloured(line: &str, column: usize) -> String {
    let Some((at, _)) = line.char_indices().nth(column) else { return line.to_owned() };
    let end = line[at..].find([' ', '…']).map_or(line.len(), |length| at + length);
    let colour = match &line[at..end] {
        "succeeded" => "32",
        "failed" | "timeout" | "corrupt" => "31",
        "lost" | "unknown" | "cancelled" => "33",
        "running" | "Up" => "36",
        _ => return line.to_owned(),
    };
    format!("{}\x1b[{colour}m{}\x1b[m{}", &line[..at], &line[at..end], &line[end..])
}

fn shorten(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// Whether whoever read our stdout has gone: a pipe without a reader polls as an error, a socket as hung up.
#[must_use]
pub fn stdout_is_closed() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = io::stdout();
    let mut fds = [PollFd::new(&stdout, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now)).is_ok() && fds[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

/// How long ago, for people.
#[must_use]
pub fn ago(env: &Env, time: Option<DateTime<Utc>>) -> String {
    time.map(|time| crate::units::ago((env.now() - time).num_seconds())).unwrap_or_default()
}

/// A copy of text that can do nothing to a terminal.
#[must_use]
pub fn safe(text: &str) -> String {
    let mut shown = Vec::with_capacity(text.len());
    let mut escaper = Escaper::new(&mut shown);
    let _ = escaper.write_all(text.as_bytes()).and_then(|()| escaper.finish());
    String::from_utf8_lossy(&shown).into_owned()
}

/// Where the bytes of a log go: as they are to a pipe, made safe for a terminal.
#[derive(Debug)]
pub enum LogWriter {
    /// Exact bytes.
    Raw(io::Stdout),
    /// Through the [`Escaper`].
    Safe(Escaper<io::Stdout>),
}

impl LogWriter {
    /// Chooses by what stdout is; `raw` asks for exact bytes in any case.
    #[must_use]
    pub fn new(env: &Env, raw: bool) -> Self {
        if env.stdout_terminal && !raw { Self::Safe(Escaper::new(io::stdout())) } else { Self::Raw(io::stdout()) }
    }

    /// Hands on what is held back.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Raw(out) => out.flush(),
            Self::Safe(out) => out.finish(),
        }
    }
}

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Raw(out) => out.write(bytes),
            Self::Safe(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Raw(out) => out.flush(),
            Self::Safe(out) => out.flush(),
        }
    }
}

/// Lets text, tab, newline and SGR colours through and shows every other control character in writing: C0 and DEL
/// in caret notation, C1 and bidirectional controls as `<U+202E>`. Colours end with their line, so that one job's
/// red does not colour what the shell prints next (git learned that in CVE-2024-52005). State is kept across writes.
#[derive(Debug)]
pub struct Escaper<W: Write> {
    out: W,
    held: Vec<u8>,
    coloured: bool,
}

/// The longest SGR sequence worth waiting for.
const LONGEST_SGR: usize = 40;

impl<W: Write> Escaper<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, held: Vec::new(), coloured: false }
    }

    /// Shows what was held back because more might have come.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn finish(&mut self) -> io::Result<()> {
        self.pass(true)?;
        if self.coloured {
            self.out.write_all(b"\x1b[m")?;
            self.coloured = false;
        }
        self.out.flush()
    }

    fn pass(&mut self, last: bool) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        let mut shown = Vec::with_capacity(held.len());
        let mut rest = &held[..];
        while !rest.is_empty() {
            match next(rest) {
                Next::Sgr(length) => {
                    shown.extend_from_slice(&rest[..length]);
                    self.coloured = true;
                    rest = &rest[length..];
                }
                Next::More if !last => break,
                Next::More => {
                    // An escape that never became one is shown; a cut character is replaced.
                    show(if rest[0] == 0x1b { '\x1b' } else { char::REPLACEMENT_CHARACTER }, &mut shown);
                    rest = if rest[0] == 0x1b { &rest[1..] } else { &[] };
                }
                Next::Char('\n', length) => {
                    if std::mem::take(&mut self.coloured) {
                        shown.extend_from_slice(b"\x1b[m");
                    }
                    shown.push(b'\n');
                    rest = &rest[length..];
                }
                Next::Char(char, length) => {
                    show(char, &mut shown);
                    rest = &rest[length..];
                }
            }
        }
        self.held = rest.to_vec();
        self.out.write_all(&shown)
    }
}

impl<W: Write> Write for Escaper<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        self.pass(false)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

enum Next {
    Sgr(usize),
    Char(char, usize),
    More,
}

fn next(bytes: &[u8]) -> Next {
    if bytes[0] == 0x1b {
        return escape(bytes);
    }
    let head = &bytes[..bytes.len().min(4)];
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.valid_up_to() > 0 => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default(),
        Err(error) => {
            return error.error_len().map_or(Next::More, |length| Next::Char(char::REPLACEMENT_CHARACTER, length));
        }
    };
    valid.chars().next().map_or(Next::More, |char| Next::Char(char, char.len_utf8()))
}

fn escape(bytes: &[u8]) -> Next {
    let Some(rest) = bytes.get(1..).filter(|rest| !rest.is_empty()) else { return Next::More };
    if rest[0] != b'[' {
        return Next::Char('\x1b', 1);
    }
    let end = rest[1..].iter().position(|byte| !(byte.is_ascii_digit() || matches!(byte, b';' | b':')));
    match end {
        Some(at) if rest[1 + at] == b'm' && at < LONGEST_SGR => Next::Sgr(at + 3),
        None if rest.len() < LONGEST_SGR => Next::More,
        _ => Next::Char('\x1b', 1),
    }
}

/// C1 and bidirectional controls, and the separators that some terminals take for newlines.
fn is_hidden(char: char) -> bool {
    matches!(char, '\u{80}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn show(char: char, shown: &mut Vec<u8>) {
    match char {
        '\t' | '\n' => shown.push(char as u8),
        '\0'..='\x1f' => shown.extend([b'^', char as u8 + 0x40]),
        '\x7f' => shown.extend(b"^?"),
        _ if is_hidden(char) => shown.extend(format!("<U+{:04X}>", char as u32).bytes()),
        _ => shown.extend(char.encode_utf8(&mut [0; 4]).bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_colour_pass_and_everything_else_is_shown() {
        assert_eq!(safe("plain\ttext é😀\n"), "plain\ttext é😀\n");
        assert_eq!(safe("\x1b[31mred\nnext"), "\x1b[31mred\x1b[m\nnext");
        assert_eq!(safe("\x1b[2J\x1b]0;title\x07"), "^[[2J^[]0;title^G");
        assert_eq!(safe("a\rb\x7f\0"), "a^Mb^?^@");
        assert_eq!(safe("\u{9b}31m\u{202e}x"), "<U+009B>31m<U+202E>x");
        assert_eq!(safe("\x1b"), "^[");
        assert_eq!(safe("\x1b[3"), "^[[3");
    }

    #[test]
    fn json_at_a_terminal_is_the_same_document_without_live_characters() {
        let value = serde_json::json!({"a\u{9b}b": "\x1b[2J \x7f \u{85} \u{202e}é😀 \\ \" \u{2028}"});
        let shown = safe_json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(shown.chars().all(|char| char == '\n' || !char.is_control() && !is_hidden(char)), "{shown:?}");
        assert!(shown.contains("\\u009b") && shown.contains("\\u202eé😀"), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }

    #[test]
    fn the_state_is_kept_across_writes() {
        let text = "é\x1b[1;31mx\x1b[0m\u{202e}\x1b]\r\n😀".as_bytes();
        for cut in 0..text.len() {
            let mut out = Vec::new();
            let mut escaper = Escaper::new(&mut out);
            escaper.write_all(&text[..cut]).unwrap();
            escaper.write_all(&text[cut..]).unwrap();
            escaper.finish().unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), safe(std::str::from_utf8(text).unwrap()), "cut at {cut}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_live_control_character_ever_comes_out(bytes: Vec<u8>) {
            let mut out = Vec::new();
            let mut escaper = Escaper::new(&mut out);
            escaper.write_all(&bytes).unwrap();
            escaper.finish().unwrap();
            let text = String::from_utf8(out).unwrap();
            for (at, char) in text.char_indices() {
                let sgr = char == '\x1b' && matches!(next(&text.as_bytes()[at..]), Next::Sgr(_));
                proptest::prop_assert!(sgr || matches!(char, '\t' | '\n') || !char.is_control());
            }
        }
    }
}
