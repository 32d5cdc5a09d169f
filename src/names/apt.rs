//! Names of Debian packages, by the grammar of Debian policy. Everything that apt-get would read as something other
//! than a package to install is refused.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Checked, Invalid, Refusal, is_lower_alphanumeric, no, only};

checked_text! {
    /// A package for `apt-get install`: `name[:arch][=version]`, with the characters that Debian policy allows
    /// (5.6.1 for names, 5.6.12 for versions).
    ///
    /// apt reads more into its arguments: `name-` removes, `name/release` and `task^` select, `*`, `?` and `~` are
    /// patterns, and a path is a file. All of these are refused. A final `+` is kept, because of `g++`.
    AptPackage, "apt package", check_apt_package
}

impl AptPackage {
    /// The packages of a list separated by blanks, tabs or line ends, in the order given.
    ///
    /// # Errors
    /// [`Invalid`] for the first entry that is not a package.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, Invalid> {
        text.split_ascii_whitespace().map(Self::parse).collect()
    }
}

fn check_apt_package(text: &str) -> Checked {
    check_apt_meaning(text)?;
    let (text_before, version) = text.split_once('=').map_or((text, None), |(name, version)| (name, Some(version)));
    let (name, arch) = text_before.split_once(':').map_or((text_before, None), |(name, arch)| (name, Some(arch)));
    let in_name = |c: char| is_lower_alphanumeric(c) || "+.-".contains(c);
    only(name, in_name, "a-z, 0-9, \"+\", \".\" and \"-\", and a blank between two packages")?;
    if name.len() < 2 || !name.starts_with(is_lower_alphanumeric) {
        return Err(no("a package name must have at least two characters and begin with a letter or a digit"));
    }
    if arch.is_some_and(|arch| {
        !arch.starts_with(is_lower_alphanumeric) || !arch.chars().all(|c| is_lower_alphanumeric(c) || c == '-')
    }) {
        return Err(no("after \":\" an architecture is expected, for example i386"));
    }
    let in_version = |c: char| c.is_ascii_alphanumeric() || ".+:~-".contains(c);
    if version.is_some_and(|version| {
        !version.starts_with(|c: char| c.is_ascii_alphanumeric()) || !version.chars().all(in_version)
    }) {
        return Err(no("after \"=\" a version is expected, for example 1:2.36-9"));
    }
    Ok(text.to_owned())
}

/// Refuses what apt would read as something other than a package to install.
fn check_apt_meaning(text: &str) -> Result<(), Refusal> {
    if text.starts_with('-') {
        return Err(no("apt-get would read it as an option"));
    }
    if text.starts_with(['.', '/']) || text.rsplit_once('.').is_some_and(|(_, ending)| ending == "deb") {
        return Err(no("apt-get would read it as the path of a file"));
    }
    if text.contains('/') {
        return Err(no("a release after \"/\" is not accepted").hint("to choose a version, write NAME=VERSION"));
    }
    // "~" is allowed in versions. Only at the front does it begin a pattern.
    if let Some(c) = text.chars().find(|&c| "^*?$|()!".contains(c) || (c == '~' && text.starts_with(c))) {
        return Err(no(format!("\"{c}\" would make it a pattern or a task")));
    }
    if text.ends_with('-') {
        return Err(no("a trailing \"-\" would remove the package"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_architectures_and_versions_are_accepted() {
        for text in [
            "gcc",
            "g++",
            "libc6:i386=2.36-9",
            "python3.12",
            "7zip",
            "git=1:2.39.5-0+deb12u2",
            "a+",
            "xz=1.0~rc1",
            "libc6:any",
        ] {
            assert_eq!(AptPackage::parse(text).expect(text).as_str(), text);
        }
    }

    #[test]
    fn what_apt_would_read_otherwise_is_refused_with_the_reason() {
        for (text, why) in [
            ("gzip-", "a trailing \"-\" would remove the package"),
            ("gzip:amd64-", "a trailing \"-\" would remove the package"),
            ("gzip=1.12-", "a trailing \"-\" would remove the package"),
            ("^b", "\"^\" would make it a pattern or a task"),
            ("lamp-server^", "\"^\" would make it a pattern or a task"),
            ("?x", "\"?\" would make it a pattern or a task"),
            ("~i", "\"~\" would make it a pattern or a task"),
            ("lib*", "\"*\" would make it a pattern or a task"),
            ("a/b", "a release after \"/\" is not accepted"),
            ("./x.deb", "apt-get would read it as the path of a file"),
            ("/x", "apt-get would read it as the path of a file"),
            ("x.deb", "apt-get would read it as the path of a file"),
            ("-oAPT::Update::Pre-Invoke::=id", "apt-get would read it as an option"),
            ("--", "apt-get would read it as an option"),
            ("", "it is empty"),
            ("g", "a package name must have at least two characters and begin with a letter or a digit"),
            ("+g", "a package name must have at least two characters and begin with a letter or a digit"),
            ("Git", "\"G\" is not allowed"),
            ("git curl", "a blank is not allowed"),
            ("git,curl", "\",\" is not allowed"),
            ("git;id", "\";\" is not allowed"),
            ("git\n", "\"\\n\" is not allowed"),
            ("gcc:", "after \":\" an architecture is expected, for example i386"),
            ("gcc:I386", "after \":\" an architecture is expected, for example i386"),
            ("gcc=", "after \"=\" a version is expected, for example 1:2.36-9"),
            ("gcc=1 0", "after \"=\" a version is expected, for example 1:2.36-9"),
            ("gcc=$(id)", "\"$\" would make it a pattern or a task"),
        ] {
            assert_eq!(AptPackage::parse(text).expect_err(text).why, why, "{text:?}");
        }
    }

    #[test]
    fn a_list_is_cut_at_blanks() {
        let list = AptPackage::parse_list(" git\tg++\n\ncurl  git\r\n").expect("a valid list");
        assert_eq!(list.iter().map(AptPackage::as_str).collect::<Vec<_>>(), ["git", "g++", "curl", "git"]);
        assert_eq!(AptPackage::parse_list(" \n"), Ok(vec![]));
        assert_eq!(AptPackage::parse_list("git -y curl").expect_err("an option").value, "-y");
    }

    proptest! {
        #[test]
        fn what_is_accepted_stays_one_harmless_word(text in "(?s).{0,12}|[a-z0-9+.:=~/^-]{0,12}") {
            if let Ok(package) = AptPackage::parse(&text) {
                prop_assert_eq!(package.as_str(), &text);
                prop_assert!(text.starts_with(|c: char| c.is_ascii_alphanumeric()) && !text.ends_with('-'));
                prop_assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || "+.:=~-".contains(c)));
            }
        }
    }
}
