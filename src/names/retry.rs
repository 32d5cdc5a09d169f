//! How often, and after which ends, a run is tried again.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Invalid;

/// How many more times a run is tried: 1 to 1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Retries(u32);

impl Retries {
    const MOST: u32 = 1000;

    /// Reads a number.
    ///
    /// # Errors
    /// [`Invalid`] for anything but a number from 1 to 1000.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let number = text.parse().ok().filter(|number| (1..=Self::MOST).contains(number));
        let wrong = || Invalid::new("number of retries", text, "it must be a number from 1 to 1000");
        number.map(Self).ok_or_else(wrong)
    }

    /// The number.
    #[must_use]
    pub fn count(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Retries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

through_text!(Retries);

/// An end after which a run is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It failed with this exit code.
    Code(u8),
    /// It ended, and how cannot be found out.
    Lost,
    /// Its time limit passed.
    Timeout,
}

/// The ends after which a run is tried again: exit codes from 1 to 255, `lost` and `timeout`, with commas between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Causes(Vec<Cause>);

impl Causes {
    /// Reads a list.
    ///
    /// # Errors
    /// [`Invalid`] for an empty list, for 0, and for any other word.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let cause = |word: &str| match word {
            "lost" => Some(Cause::Lost),
            "timeout" => Some(Cause::Timeout),
            code => code.parse().ok().filter(|code| *code > 0).map(Cause::Code),
        };
        let why = "it must be exit codes from 1 to 255, \"lost\" or \"timeout\", with commas between";
        let causes: Option<Vec<Cause>> = text.split(',').map(cause).collect();
        causes.map(Self).ok_or_else(|| Invalid::new("list of ends to retry on", text, why))
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn have(&self, cause: Cause) -> bool {
        self.0.contains(&cause)
    }
}

impl fmt::Display for Causes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, cause) in self.0.iter().enumerate() {
            f.write_str(if at > 0 { "," } else { "" })?;
            match cause {
                Cause::Code(code) => code.fmt(f)?,
                Cause::Lost => f.write_str("lost")?,
                Cause::Timeout => f.write_str("timeout")?,
            }
        }
        Ok(())
    }
}

through_text!(Causes);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_and_numbers_are_read_as_they_are_shown() {
        for text in ["1", "255,lost", "timeout,3,4"] {
            assert_eq!(Causes::parse(text).expect(text).to_string(), text);
        }
        for text in ["", "0", "256", "-1", "1,", "1 ,2", "failed", "LOST", "1;2"] {
            assert!(Causes::parse(text).is_err(), "{text}");
        }
        let causes = Causes::parse("3,lost").unwrap();
        let have = [Cause::Code(3), Cause::Code(4), Cause::Lost, Cause::Timeout].map(|cause| causes.have(cause));
        assert_eq!(have, [true, false, true, false]);
        assert_eq!(Retries::parse("1000").unwrap().to_string(), "1000");
        for text in ["", "0", "1001", "-1", "1.5", "x"] {
            assert!(Retries::parse(text).is_err(), "{text}");
        }
    }
}
