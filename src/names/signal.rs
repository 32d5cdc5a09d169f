//! The signals of Linux, by name and by number.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Invalid;

/// The names of signals 1 to 31 of Linux on x86 and Arm, from signal(7).
const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
];

/// The names of signals 34 to 64, in docker's spelling. The C library uses 32 and 33 itself.
const REALTIME_SIGNALS: [&str; 31] = [
    "RTMIN", "RTMIN+1", "RTMIN+2", "RTMIN+3", "RTMIN+4", "RTMIN+5", "RTMIN+6", "RTMIN+7", "RTMIN+8", "RTMIN+9",
    "RTMIN+10", "RTMIN+11", "RTMIN+12", "RTMIN+13", "RTMIN+14", "RTMIN+15", "RTMAX-14", "RTMAX-13", "RTMAX-12",
    "RTMAX-11", "RTMAX-10", "RTMAX-9", "RTMAX-8", "RTMAX-7", "RTMAX-6", "RTMAX-5", "RTMAX-4", "RTMAX-3", "RTMAX-2",
    "RTMAX-1", "RTMAX",
];

/// A signal of Linux on x86 and Arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Signal(i32);

impl Signal {
    /// Reads `TERM`, `SIGTERM`, `sigterm` or `15`, as docker's `--signal`; also `RTMIN+3` and the older names `IOT`,
    /// `CLD` and `POLL`.
    ///
    /// # Errors
    /// [`Invalid`] for anything else.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let upper = text.to_ascii_uppercase();
        let name = match upper.strip_prefix("SIG").unwrap_or(&upper) {
            "IOT" => "ABRT",
            "CLD" => "CHLD",
            "POLL" => "IO",
            name => name,
        };
        let is_number = text.bytes().all(|b| b.is_ascii_digit());
        let number =
            if is_number { text.parse().ok() } else { (1..=64).find(|&number| signal_name(number) == Some(name)) };
        number.and_then(Self::from_number).ok_or_else(|| {
            Invalid::new("signal", text, "there is no such signal").with_hint("write TERM, SIGTERM or 15")
        })
    }

    /// The signal of that number, if it has a name.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        signal_name(number).map(|_| Self(number))
    }

    /// All signals that have a name, by number.
    pub fn all() -> impl Iterator<Item = Self> {
        (1..=64).filter_map(Self::from_number)
    }

    /// The number, such as 15.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0
    }

    /// The name without `SIG`, such as `TERM`.
    #[must_use]
    pub fn name(self) -> &'static str {
        signal_name(self.0).unwrap_or_default()
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn signal_name(number: i32) -> Option<&'static str> {
    let (names, first) = if number < 34 { (&SIGNALS, 1) } else { (&REALTIME_SIGNALS, 34) };
    names.get(usize::try_from(number.checked_sub(first)?).ok()?).copied()
}

through_text!(Signal);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_read_by_name_and_by_number() {
        for (text, number, name) in [
            ("TERM", 15, "TERM"),
            ("SIGTERM", 15, "TERM"),
            ("sigterm", 15, "TERM"),
            ("15", 15, "TERM"),
            ("kill", 9, "KILL"),
            ("SIGSYS", 31, "SYS"),
            ("CLD", 17, "CHLD"),
            ("RTMIN", 34, "RTMIN"),
            ("SIGRTMIN+3", 37, "RTMIN+3"),
            ("RTMAX-1", 63, "RTMAX-1"),
            ("64", 64, "RTMAX"),
        ] {
            let signal = Signal::parse(text).expect(text);
            assert_eq!((signal.number(), signal.name()), (number, name));
        }
        for text in
            ["", "0", "32", "33", "65", "-15", "+15", "SIG", "SIGSIGTERM", " TERM", "TERM\n", "4294967311", "RTMIN+16"]
        {
            assert!(Signal::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(Signal::from_number(i32::MIN), None);
    }
}
