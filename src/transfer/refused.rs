//! Why an archive was not unpacked.

use std::fmt;
use std::path::Path;

use crate::error::plain;
use crate::terminal::escape_value;

/// The kind of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The archive ends too early, or could not be read. Another try may get the whole.
    Cut,
    /// The archive has something that no honest engine sends.
    Invalid,
    /// A limit was exceeded.
    TooMuch,
    /// Something could not be written here: the disk is full, for example.
    Local,
    /// The caller's own function returned an error.
    Stopped,
}

/// A refusal of an archive, in one line that is safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its kind.
    pub why: Why,
    message: String,
}

impl Refused {
    pub(super) fn new(why: Why, message: impl Into<String>) -> Self {
        Self { why, message: message.into() }
    }

    /// What the archive says is refused.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Why::Invalid, message)
    }

    /// The archive could not be read.
    pub fn unread(error: &std::io::Error) -> Self {
        Self::new(Why::Cut, format!("the archive could not be read: {}", plain(error)))
    }

    /// The archive ended in the middle.
    pub(super) fn cut() -> Self {
        Self::new(Why::Cut, "the archive is incomplete: it ends without the blocks that mark its end")
    }

    /// The member of that name is refused.
    pub(super) fn member(name: &[u8], why: &str) -> Self {
        Self::invalid(format!("{} in the archive: {why}", name_shown(name)))
    }

    /// It could not be written here.
    pub(super) fn local(path: &Path, error: &std::io::Error) -> Self {
        Self::new(Why::Local, format!("could not write {}: {}", path_shown(path), plain(error)))
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}

/// A name of an archive as a message shows it: in quotes, escaped and cut.
pub(super) fn name_shown(name: &[u8]) -> String {
    format!("\"{}\"", escape_value(&String::from_utf8_lossy(name)))
}

pub(super) fn path_shown(path: &Path) -> String {
    name_shown(path.as_os_str().as_encoded_bytes())
}
