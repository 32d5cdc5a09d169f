//! JSON as it is printed: indented, or on one line.
//!
//! What is printed has some forty types, and serde_json is compiled for each of them once for each layout and each kind of writer.
//! So there is one of both.

use std::io::{self, BufWriter, StdoutLock, Write};

use anyhow::Result;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

use super::{PART, not_written, stdout};
use crate::terminal::safe_json;

/// How a document is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// For people and programs.
    Indented,
    /// One of a stream.
    Line,
}

/// Prints a document and a line end. On a terminal it is made whole first, because all of its text has to be safe.
pub fn print(document: &impl Serialize, layout: Layout, is_terminal: bool) -> Result<()> {
    let to = if is_terminal { Sink::Text(Vec::new()) } else { Sink::Stdout(stdout().lock()) };
    let mut out = BufWriter::with_capacity(PART, to);
    let form = Form((layout == Layout::Indented).then(PrettyFormatter::new));
    match document.serialize(&mut serde_json::Serializer::with_formatter(&mut out, form)) {
        Ok(()) => end(out).map_err(|error| not_written(error.into())),
        Err(error) => {
            // A document that cannot be made is not printed in part, unless it is longer than the buffer.
            let _ = out.into_parts();
            Err(not_written(if error.is_io() { io::Error::from(error).into() } else { error.into() }))
        }
    }
}

fn end(mut out: BufWriter<Sink>) -> io::Result<()> {
    out.write_all(b"\n")?;
    match out.into_inner()? {
        Sink::Stdout(mut stdout) => stdout.flush(),
        Sink::Text(text) => {
            let mut stdout = stdout().lock();
            stdout.write_all(safe_json(&String::from_utf8_lossy(&text)).as_bytes()).and_then(|()| stdout.flush())
        }
    }
}

/// Where a document goes.
enum Sink {
    Stdout(StdoutLock<'static>),
    Text(Vec<u8>),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::Text(text) => text.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::Text(_) => Ok(()),
        }
    }
}

/// serde_json's indented form, or its form of one line.
struct Form(Option<PrettyFormatter<'static>>);

macro_rules! by_layout {
    ($($method:ident($($first:ident)?);)*) => {
        impl Formatter for Form {
            $(
                fn $method<W: ?Sized + Write>(&mut self, writer: &mut W $(, $first: bool)?) -> io::Result<()> {
                    match &mut self.0 {
                        Some(indented) => indented.$method(writer $(, $first)?),
                        None => CompactFormatter.$method(writer $(, $first)?),
                    }
                }
            )*
        }
    };
}

by_layout! {
    begin_array();
    end_array();
    begin_array_value(first);
    end_array_value();
    begin_object();
    end_object();
    begin_object_key(first);
    end_object_key();
    begin_object_value();
    end_object_value();
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn both_layouts_are_those_of_serde_json() {
        let values = [
            json!({"a": [1, "two", null, {"b": {}}, []], "c": {"d": true, "e": [[2.5]]}}),
            json!([]),
            json!([{}, {"x": "\u{1b}"}]),
            json!("text"),
        ];
        let written = |value: &Value, form| {
            let mut out = Vec::new();
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, form)).unwrap();
            String::from_utf8(out).unwrap()
        };
        for value in &values {
            let indented = written(value, Form(Some(PrettyFormatter::new())));
            assert_eq!(indented, serde_json::to_string_pretty(value).unwrap());
            assert_eq!(written(value, Form(None)), serde_json::to_string(value).unwrap());
        }
    }
}
