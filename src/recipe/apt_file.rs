//! Files with names of packages for apt. Pure.

use std::path::Path;

use super::source::{Source, about, place};
use crate::error::Failure;
use crate::names::{AptPackage, Packages};

/// The packages of a file: one on a line, or several with blanks between them. A `#` begins a comment.
///
/// # Errors
/// For the first that is no package, with its line.
pub fn packages(path: &Path, source: &Source) -> Result<Packages<AptPackage>, Failure> {
    let mut packages = Vec::new();
    for (at, line) in source.text(path)?.lines().enumerate() {
        let names = line.split('#').next().unwrap_or_default();
        let named = AptPackage::parse_list(names).map_err(|invalid| about(&place(path, at + 1), &invalid))?;
        packages.extend(named);
    }
    Ok(Packages(packages))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, Failure> {
        let source = Source { identity: "apt.txt".into(), bytes: text.into() };
        packages(Path::new("apt.txt"), &source).map(|packages| packages.to_string())
    }

    #[test]
    fn packages_are_read_without_comments_and_blank_lines() {
        let text = "\u{feff}# for git: é\r\ngit\r\n\r\n  g++  curl=7.88.1-10 # two\n\tlibc6:i386#x\n#";
        assert_eq!(read(text).unwrap(), "git\ng++\ncurl=7.88.1-10\nlibc6:i386");
        assert_eq!(read("").unwrap(), "");
    }

    #[test]
    fn what_is_no_package_is_refused_with_its_line() {
        for (text, message) in [
            ("git\n\n-y", "apt.txt:3: invalid apt package \"-y\": apt-get would read it as an option"),
            ("git\ncurl-", "apt.txt:2: invalid apt package \"curl-\": a trailing \"-\" would remove the package"),
            ("./x.deb", "apt.txt:1: invalid apt package \"./x.deb\": apt-get would read it as the path of a file"),
            ("git \\\ncurl", "apt.txt:1: invalid apt package \"\\\": \"\\\" is not allowed"),
            ("git\0", "apt.txt:1: invalid apt package \"git\\u{0}\": \"\\u{0}\" is not allowed"),
            ("Git", "apt.txt:1: invalid apt package \"Git\": \"G\" is not allowed"),
        ] {
            assert_eq!(read(text).unwrap_err().message, message, "{text:?}");
        }
        assert_eq!(
            read("Git").unwrap_err().hint.unwrap(),
            "use only a-z, 0-9, \"+\", \".\" and \"-\", and a blank between two packages"
        );
    }
}
