//! Writes the bytes of a log: unchanged, made safe for a terminal, or as JSON lines.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd as _;

use anyhow::Result;
use serde::Serialize;

use super::braid::{Label, Strand};
use super::{Form, Voice, stderr};
use crate::job::record::LogState;
use crate::log::JsonLines;
use crate::log::extent::{Reader, Shown, Timing};
use crate::log::steps::{Part, Steps};
use crate::names::JobId;
use crate::terminal::{Escaper, safe_json};

const CHUNK: usize = 1 << 16;

/// How a terminal gets the bytes of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bytes {
    /// Without what could act on it.
    Safe,
    /// Exactly.
    Exact,
}

/// A log as a document.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct Logs {
    /// Of one of several jobs: its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(schema_with = "crate::schemas::job_id"))]
    pub id: Option<JobId>,
    /// Of such a job: its name, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of a job whose log is not known to be whole: what it is worth, as in the job itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<LogState>,
    /// Of such a job: its reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// With --since or --until: true if it is not known exactly which lines were written then. Those that may have been are
    /// there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, schemars(extend("const" = true)))]
    pub vague: bool,
    /// Of a run with --log-max-size: how many bytes of what was asked for are gone, unless it is 0.
    // It is written behind the lines, because more may be given back while they are read. This is for the schema.
    #[cfg(test)]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64", range(min = 1))]
    pub gone: Option<u64>,
    /// The output, line by line, without the line ends. What is not UTF-8 is shown as U+FFFD.
    /// With --timestamps, each is an object with its time.
    // They are streamed in.
    #[cfg_attr(test, schemars(with = "Vec<LineOrRow>"))]
    pub lines: Vec<String>,
}

/// A line of a log as a document, for its schema.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum LineOrRow {
    /// A line.
    Line(String),
    /// With --timestamps: a line and its time.
    Row(crate::log::Row),
}

/// The destination of a log. Nothing is written before its first byte or its end.
#[derive(Debug)]
pub enum LogSink {
    /// Exact bytes.
    Raw(File),
    /// To a terminal.
    Safe(Escaper<File>),
    /// As JSON.
    Json(Json),
    /// To a terminal, with a heading at each step of a build.
    Steps(Steps, Escaper<File>),
    /// One of several.
    Strand(Strand),
}

/// The lines of a log as a part of a document, or as documents of their own.
#[derive(Debug)]
pub struct Json {
    out: File,
    lines: JsonLines,
    /// What stands before the first line and was not written yet, and behind the last one.
    around: (String, &'static str),
    /// How many bytes of what was asked for are gone.
    gone: u64,
    is_terminal: bool,
}

/// What is known of a log after it was shown.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Whether its times are known.
    pub timing: Timing,
    /// How many bytes of what was asked for are gone.
    pub gone: u64,
}

impl Voice {
    /// A log on stdout: as its bytes, or in the place of the empty array with which `document` ends. A stream has a row
    /// for each line instead.
    pub fn log(&self, bytes: Bytes, document: &impl Serialize) -> Result<LogSink> {
        let out = self.bytes()?;
        let (lines, around) = match self.form {
            Form::Text if self.stdout.is_terminal && bytes == Bytes::Safe => {
                return Ok(LogSink::Safe(Escaper::new(out, self.stdout.allowed())));
            }
            Form::Text => return Ok(LogSink::Raw(out)),
            Form::Rows => (JsonLines::rows(), (String::new(), "")),
            Form::Document => {
                let mut before = serde_json::to_string(document)?;
                before.truncate(before.len() - "]}".len());
                (JsonLines::items(), (before, "]}\n"))
            }
        };
        Ok(LogSink::Json(Json { out, lines, around, gone: 0, is_terminal: self.stdout.is_terminal }))
    }

    /// The log of a build on stdout. A terminal gets a heading where a step begins, with the names that `steps` knows.
    pub fn log_of_build(
        &self,
        bytes: Bytes,
        document: &impl Serialize,
        steps: impl FnOnce() -> Steps,
    ) -> Result<LogSink> {
        Ok(match self.log(bytes, document)? {
            LogSink::Safe(escaper) => LogSink::Steps(steps(), escaper),
            other => other,
        })
    }

    /// A log on stdout as an item of an array, of which `before` stands before it: in the place of the empty array with which
    /// `document` ends.
    pub fn log_item(&self, before: &str, document: &impl Serialize) -> Result<LogSink> {
        let mut text = format!("{before}{}", serde_json::to_string(document)?);
        text.truncate(text.len() - "]}".len());
        let (out, is_terminal) = (self.bytes()?, self.stdout.is_terminal);
        Ok(LogSink::Json(Json { out, lines: JsonLines::items(), around: (text, "]}"), gone: 0, is_terminal }))
    }

    /// Another item of such an array.
    pub fn item(&self, before: &str, document: &impl Serialize) -> Result<()> {
        let text = format!("{before}{}", serde_json::to_string(document)?);
        let text = if self.stdout.is_terminal { safe_json(&text) } else { text };
        Ok(self.bytes()?.write_all(text.as_bytes())?)
    }

    /// What belongs on stderr of a log whose streams are shown apart.
    pub fn log_of_stderr(&self) -> io::Result<LogSink> {
        let out = File::from(stderr().as_fd().try_clone_to_owned()?);
        let escaper = |out| LogSink::Safe(Escaper::new(out, self.stderr.allowed()));
        Ok(if self.stderr.is_terminal { escaper(out) } else { LogSink::Raw(out) })
    }
}

impl LogSink {
    /// For lines that have their time before them: as JSON, it becomes a key of its own.
    #[must_use]
    pub fn timed(self) -> Self {
        match self {
            Self::Json(json) => Self::Json(Json { lines: json.lines.timed(), ..json }),
            Self::Strand(strand) => Self::Strand(strand.timed()),
            other => other,
        }
    }

    /// Writes a part of a log; returns what is known of it then.
    pub fn show(&mut self, shown: Shown) -> io::Result<Seen> {
        let Shown { reader, timing, gone } = shown;
        let seen = match reader {
            Reader::Plain(file) => self.copy(file).map(|()| Seen { timing, gone }),
            Reader::Passing(mut passing) => {
                self.copy(&mut passing)?;
                Ok(Seen { timing: timing.max(passing.timing()), gone: gone + passing.missed() })
            }
        }?;
        if let Self::Json(json) = self {
            json.gone = seen.gone;
        }
        Ok(seen)
    }

    /// Writes an object of its own between lines, and nothing in the form for people.
    pub fn row(&mut self, voice: &Voice, object: &impl Serialize) -> Result<()> {
        match self {
            Self::Strand(strand) => Ok(strand.row(object)?),
            _ => voice.row(object),
        }
    }

    /// Of one of several logs: whose it is.
    #[must_use]
    pub fn label(&self) -> Option<&Label> {
        if let Self::Strand(strand) = self { Some(&strand.label) } else { None }
    }

    /// Writes everything from a reader as it arrives. Exact bytes of a file are copied by the kernel.
    pub fn copy(&mut self, mut from: impl Read) -> io::Result<()> {
        if let Self::Raw(out) = self {
            return io::copy(&mut from, out).map(drop);
        }
        let mut buffer = vec![0; CHUNK];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return self.flush(),
                Ok(count) => self.write_all(&buffer[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            self.flush()?;
        }
    }

    /// Whether what is printed next at the terminal begins a line.
    #[must_use]
    pub fn is_at_line_start(&self) -> bool {
        match self {
            Self::Safe(escaper) | Self::Steps(_, escaper) => escaper.is_at_line_start(),
            Self::Raw(_) | Self::Json(_) | Self::Strand(_) => true,
        }
    }

    /// Ends the line on a terminal before longshore itself prints something. Otherwise the program could write over that.
    pub fn end_line(&mut self) -> io::Result<()> {
        match self {
            Self::Safe(escaper) => escaper.end_line(),
            Self::Steps(steps, escaper) => steps.end(&mut |part| put(part, escaper)).and_then(|()| escaper.end_line()),
            Self::Strand(strand) => strand.end_line(),
            Self::Raw(_) | Self::Json(_) => Ok(()),
        }
    }

    /// Writes the rest, and ends the line on a terminal or the document.
    pub fn finish(mut self) -> io::Result<()> {
        match &mut self {
            Self::Raw(_) => Ok(()),
            Self::Safe(_) | Self::Steps(..) | Self::Strand(_) => self.end_line(),
            Self::Json(json) => {
                let gone = if json.gone > 0 { format!("],\"gone\":{}", json.gone) } else { "]".to_owned() };
                let after = json.around.1.replacen(']', &gone, 1);
                json.write(|lines, text| lines.finish(text).map(|()| text.extend_from_slice(after.as_bytes())))
            }
        }
    }
}

impl Write for LogSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Raw(out) => out.write(bytes),
            Self::Safe(escaper) => {
                super::erase_bottom();
                escaper.write(bytes)
            }
            Self::Steps(steps, escaper) => steps.push(bytes, &mut |part| put(part, escaper)).map(|()| bytes.len()),
            Self::Strand(strand) => strand.push(bytes).map(|()| bytes.len()),
            Self::Json(json) => json.write(|lines, text| lines.push(bytes, text)).map(|()| bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Safe(escaper) | Self::Steps(_, escaper) => escaper.flush(),
            Self::Raw(_) | Self::Json(_) | Self::Strand(_) => Ok(()),
        }
    }
}

/// Writes a part of the log of a build. A heading is longshore's own, and has a line of its own.
fn put(part: Part, escaper: &mut Escaper<File>) -> io::Result<()> {
    match part {
        Part::Bytes(bytes) => escaper.write_all(bytes),
        Part::Heading(heading) => {
            escaper.end_line()?;
            // The end of the line resets it.
            let bold = if escaper.has_colours() { "\x1b[1m" } else { "" };
            escaper.write_all(format!("{bold}== {heading}\n").as_bytes())
        }
    }
}

impl Json {
    /// Writes what `make` makes of the lines, and before the first of them what stands there.
    fn write(&mut self, make: impl FnOnce(&mut JsonLines, &mut Vec<u8>) -> io::Result<()>) -> io::Result<()> {
        let mut text = std::mem::take(&mut self.around.0).into_bytes();
        make(&mut self.lines, &mut text)?;
        if self.is_terminal {
            text = safe_json(&String::from_utf8_lossy(&text)).into_bytes();
        }
        self.out.write_all(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(lines: JsonLines, around: (&str, &'static str), is_terminal: bool, pieces: &[&[u8]]) -> String {
        use std::io::Seek as _;
        let mut file = tempfile::tempfile().unwrap();
        let out = file.try_clone().unwrap();
        let around = (around.0.to_owned(), around.1);
        let mut sink = LogSink::Json(Json { out, lines, around, gone: 0, is_terminal });
        for piece in pieces {
            sink.copy(*piece).unwrap();
        }
        sink.finish().unwrap();
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_log_takes_the_place_of_the_empty_array_of_its_document() {
        let document = |pieces: &[&[u8]]| written(JsonLines::items(), ("{\"lines\":[", "]}\n"), false, pieces);
        assert_eq!(document(&[]), "{\"lines\":[]}\n");
        assert_eq!(document(&[b"a\nb", "\u{e9}\nlast".as_bytes()]), "{\"lines\":[\"a\",\"b\u{e9}\",\"last\"]}\n");
        assert!(serde_json::to_string(&Logs::default()).unwrap().ends_with("[]}"));
    }

    #[test]
    fn the_json_of_a_log_does_nothing_to_a_terminal() {
        let hostile = "\x1b[2J\u{9b}\u{202e}\n".as_bytes();
        let rows = |is_terminal| written(JsonLines::rows(), ("", ""), is_terminal, &[hostile]);
        assert_eq!(rows(true), "{\"line\": \"\\u001b[2J\\u009b\\u202e\"}\n");
        assert_eq!(rows(false), "{\"line\": \"\\u001b[2J\u{9b}\u{202e}\"}\n");
    }
}
