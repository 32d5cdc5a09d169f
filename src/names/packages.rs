//! A list of packages in one text.

use std::fmt;
use std::str::FromStr;

use super::{AptPackage, Invalid, PipRequirement};

/// The packages of one text, in the order given; the list may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packages<T>(pub Vec<T>);

impl FromStr for Packages<AptPackage> {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        AptPackage::parse_list(text).map(Self)
    }
}

impl FromStr for Packages<PipRequirement> {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        PipRequirement::parse_list(text).map(Self)
    }
}

/// One line per package. The text can be parsed again.
impl<T: fmt::Display> fmt::Display for Packages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_back_as_it_was() {
        let apt: Packages<AptPackage> = "git  g++\ncurl=1".parse().expect("packages");
        assert_eq!(apt.to_string(), "git\ng++\ncurl=1");
        assert_eq!(apt.to_string().parse(), Ok(apt));
        let pip: Packages<PipRequirement> = "numpy < 2 six\nidna; python_version > '3'".parse().expect("requirements");
        assert_eq!(pip.0.len(), 3);
        assert_eq!(pip.to_string().parse(), Ok(pip));
        assert_eq!("".parse(), Ok(Packages::<AptPackage>(Vec::new())));
        assert!("git -x".parse::<Packages<AptPackage>>().is_err());
    }
}
