//! Puts the time before each line of a log.

use chrono::{DateTime, SecondsFormat};

use super::extent::Timing;
use super::times::{Stretch, Times};

/// What stands before a line whose time is not known.
pub const UNKNOWN: &str = "-";

/// The times that are put before lines. A line has the time at which it began.
#[derive(Debug)]
pub struct Stamps {
    times: Times,
    /// Where the next byte is in the log.
    position: u64,
    is_in_line: bool,
    /// The part of the log with the last line that began, and what stands before its lines.
    stretch: Option<(Stretch, String)>,
    /// Whether a time was not known.
    has_unknown: bool,
}

impl Stamps {
    /// From this position on, where a line begins.
    #[must_use]
    pub fn new(times: Times, position: u64) -> Self {
        Self { times, position, is_in_line: false, stretch: None, has_unknown: false }
    }

    /// Uses what is known now of the same log.
    pub fn renew(&mut self, times: Times) {
        (self.times, self.stretch) = (times, None);
    }

    /// Whether the log may have grown since the times were asked for.
    #[must_use]
    pub fn may_grow(&self) -> bool {
        self.times.may_grow()
    }

    /// Whether the times of all lines so far were known.
    #[must_use]
    pub fn timing(&self) -> Timing {
        match (self.has_unknown, self.times.are_missing()) {
            (false, _) => Timing::Known,
            (true, false) => Timing::Partial,
            (true, true) => Timing::Missing,
        }
    }

    /// Appends the next bytes of the log to `text`, with the times.
    pub fn push(&mut self, bytes: &[u8], text: &mut Vec<u8>) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if !self.is_in_line {
                self.stamp(text);
            }
            text.extend_from_slice(piece);
            self.is_in_line = !piece.ends_with(b"\n");
            self.position += piece.len() as u64;
        }
    }

    /// Continues at this position, where a line begins.
    pub fn skip_to(&mut self, position: u64) {
        (self.position, self.is_in_line) = (position, false);
    }

    fn stamp(&mut self, text: &mut Vec<u8>) {
        let position = self.position;
        let held = self.stretch.take().filter(|(stretch, _)| (stretch.start..stretch.end).contains(&position));
        let (stretch, shown) = held.unwrap_or_else(|| {
            let stretch = self.times.at(position);
            let time = if stretch.is_known { DateTime::from_timestamp_millis(stretch.by) } else { None };
            let shown = time.map_or(UNKNOWN.to_owned(), |time| time.to_rfc3339_opts(SecondsFormat::Millis, true));
            (stretch, shown + " ")
        });
        self.has_unknown |= !stretch.is_known;
        text.extend_from_slice(shown.as_bytes());
        self.stretch = Some((stretch, shown));
    }
}
