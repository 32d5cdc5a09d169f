//! How things look: data to stdout, talk to stderr, tables, times, and text of others made safe for a terminal.

use std::io::{self, IsTerminal as _, Write};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::env::Env;
use crate::error::Failure;
use crate::terminal::{Escaper, safe, safe_json};

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
