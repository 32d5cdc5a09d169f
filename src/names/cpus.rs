//! The number of processors that a container may use.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Invalid;
use crate::units::billionths;

/// A number of processors, such as `1.5`: greater than zero, with at most nine decimals, because the engine counts in
/// billionths of a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cpus(u64);

impl Cpus {
    /// Reads a decimal number, as docker's `--cpus`.
    ///
    /// # Errors
    /// [`Invalid`] for zero, for anything that is not a decimal number, and for values beyond the engine's 63 bits.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = |why| Err(Invalid::new("number of cpus", text, why));
        match billionths(text).map(i64::try_from) {
            None => invalid("it must be a number such as 2 or 1.5, with at most nine decimals"),
            Some(Err(_)) => invalid("it is too large"),
            Some(Ok(0)) => invalid("it must be greater than zero"),
            Some(Ok(nanos)) => Ok(Self(nanos.unsigned_abs())),
        }
    }

    /// Billionths of a processor, the engine's `NanoCpus`.
    #[must_use]
    pub fn nanos(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

through_text!(Cpus);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cpus_are_counted_in_billionths() {
        for (text, nanos, shown) in [
            ("2", 2_000_000_000, "2"),
            ("1.50", 1_500_000_000, "1.5"),
            ("0.000000001", 1, "0.000000001"),
            ("10", 10_000_000_000, "10"),
        ] {
            let cpus = Cpus::parse(text).expect(text);
            assert_eq!((cpus.nanos(), cpus.to_string().as_str()), (nanos, shown));
        }
        for text in ["", "0", "0.0", "-1", "1e3", "1/2", ".5", "5.", "1.1234567891", "9223372037", "NaN", "inf"] {
            assert!(Cpus::parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn cpus_come_back_as_they_were_shown(nanos in 1..=i64::MAX.unsigned_abs()) {
            prop_assert_eq!(Cpus::parse(&Cpus(nanos).to_string()), Ok(Cpus(nanos)));
        }
    }
}
