//! The text of a file that a recipe is read from. Pure.

use std::path::{Path, PathBuf};

use crate::error::Failure;
use crate::invalid::Invalid;

/// A file that was opened.
#[derive(Debug)]
pub struct Source {
    /// What tells it from others, whatever path it was found by.
    pub identity: PathBuf,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl Source {
    /// The text: UTF-8, with a mark at its start or without, or UTF-16 with one, as PowerShell writes it.
    ///
    /// # Errors
    /// When it is neither, with the number of the line.
    pub fn text(&self, path: &Path) -> Result<String, Failure> {
        decoded(&self.bytes).map_err(|line| {
            let message = format!("{}: it is neither UTF-8 nor UTF-16", place(path, line));
            Failure::usage(message).hint("store the file as UTF-8")
        })
    }
}

/// Where a text is from.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// A file, by the path that was given.
    File(&'a Path),
    /// A key of a spec.
    Key(&'a str),
}

impl Place<'_> {
    /// A line of it, counted from 1.
    #[must_use]
    pub fn line(&self, number: usize) -> String {
        match self {
            Self::File(path) => place(path, number),
            Self::Key(key) => format!("line {number} of {key:?}"),
        }
    }

    /// All of it.
    #[must_use]
    pub fn whole(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Key(key) => format!("{key:?}"),
        }
    }
}

/// A line of a file, as compilers name it.
#[must_use]
pub fn place(path: &Path, line: usize) -> String {
    format!("{}:{line}", path.display())
}

/// The failure for a line that cannot be used.
#[must_use]
pub fn about(place: &str, invalid: &Invalid) -> Failure {
    Failure { hint: invalid.hint.clone(), ..Failure::usage(format!("{place}: {invalid}")) }
}

/// The error is the number of the line.
fn decoded(bytes: &[u8]) -> Result<String, usize> {
    let wide = match bytes {
        [0xff, 0xfe, rest @ ..] => Some((rest, u16::from_le_bytes as fn([u8; 2]) -> u16)),
        [0xfe, 0xff, rest @ ..] => Some((rest, u16::from_be_bytes as fn([u8; 2]) -> u16)),
        _ => None,
    };
    if let Some((rest, unit)) = wide {
        // Half a unit at the end is as wrong as half a pair.
        let units = rest.chunks(2).map(|pair| pair.try_into().map_or(0xdc00, unit));
        let text: Result<String, _> = char::decode_utf16(units).collect();
        return text.map_err(|_| 1);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes);
    text.map(str::to_owned).map_err(|error| bytes[..error.valid_up_to()].split(|byte| *byte == b'\n').count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Result<String, String> {
        let source = Source { identity: PathBuf::new(), bytes: bytes.to_vec() };
        source.text(Path::new("a.txt")).map_err(|failure| failure.message)
    }

    #[test]
    fn a_file_is_utf_8_or_marked_as_utf_16() {
        let little: Vec<u8> = "\u{feff}é\r\n𝄞".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "\u{feff}é\r\n𝄞".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in ["é\r\n𝄞".as_bytes(), "\u{feff}é\r\n𝄞".as_bytes(), &little, &big] {
            assert_eq!(text(bytes), Ok("é\r\n𝄞".to_owned()));
        }
        assert_eq!(text(b""), Ok(String::new()));
        assert_eq!(text(b"six\n# caf\xe9\n"), Err("a.txt:2: it is neither UTF-8 nor UTF-16".into()));
        for bytes in [&b"\xff\xfes"[..], b"\xff\xfe\x00\xd8", b"\xff\xfe\x00\xd8s\x00"] {
            assert_eq!(text(bytes), Err("a.txt:1: it is neither UTF-8 nor UTF-16".into()));
        }
    }
}
