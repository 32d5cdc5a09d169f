//! Directories as tar archives: what is shipped to an engine that shares no files with this machine, and what comes back
//! from it.
//!
//! The tar crate knows the header. Members are put together and taken apart here: the crate ends an archive when its builder
//! is dropped, accepts one without an end, reads names of any length into the memory, and splits the records of a member
//! at newlines, which names and attributes may have.

mod beneath;
mod ignore;
mod member;
mod pack;
mod place;
mod refused;
mod tree;
mod unpack;

use std::path::Path;

use rustix::fs::Stat;

use crate::terminal::escape_whole;

#[cfg_attr(not(test), allow(unused_imports, reason = "for the properties"))]
pub use ignore::Ignore;
pub use pack::Pack;
pub use place::place;
pub use refused::{Refused, Why};
pub use tree::{Scan, Tree};
#[cfg_attr(not(test), allow(unused_imports, reason = "for the properties"))]
pub use unpack::Unpacked;
pub use unpack::{Limits, unpack};

/// How many directories deep a tree may be. Where a directory is open for each level, this bounds how many are open.
const DEEPEST: usize = 256;
/// How many bytes a path may have. A longer one cannot be opened at once.
const LONGEST: usize = 4095;
/// The bits of a mode that are kept: no setuid, no setgid, no sticky bit.
const MODE: u32 = 0o777;
/// How many bytes of a file are read at a time.
const READING: usize = 128 << 10;

/// When something was modified, since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Time {
    /// Whole seconds, rounded down.
    seconds: i64,
    /// Below a thousand million.
    nanos: u32,
}

impl Time {
    fn of(stat: &Stat) -> Self {
        Self { seconds: stat.st_mtime, nanos: u32::try_from(stat.st_mtime_nsec).unwrap_or(0) }
    }
}

/// A path as a message shows it: on one line, and whole.
fn shown(path: &Path) -> String {
    escape_whole(&path.to_string_lossy())
}
