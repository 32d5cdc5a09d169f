//! Requirements files of pip, without what reaches outside of them. Pure: files are opened by the caller.
//!
//! What is kept of a file are its requirements, with their hashes and markers, and the options that a build can follow.
//! They are written anew, a line each, so pip gets no line that was not read here. The lines of other files stand in
//! the place of the `-r` or `-c` that names them, so a recipe with them can be built anywhere.

mod lines;
mod options;
mod read;

use std::fmt;

use crate::error::Failure;
use crate::names::PipRequirement;
pub use read::Reader;

/// What requirements files say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirements {
    /// What is to be installed, and options, in the order of the files.
    pub wanted: Vec<Entry>,
    /// Versions that are installed if anything needs them, in the order of the files.
    pub constraints: Vec<Entry>,
}

/// How the lines of a file are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// They are to be installed.
    Wanted,
    /// They limit the versions of what is installed.
    Constraint,
}

/// A line: where it is from, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The file and the number of the line, as people read them.
    pub place: String,
    /// What it says.
    pub what: What,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// An option for everything that is installed, as it is written in a file.
    Option(String),
    /// A package, and the hashes of which its archive must have one.
    Package(PipRequirement, Vec<String>),
}

/// The line for pip, which is ASCII and reads back as the same entry.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Option(option) => f.write_str(option),
            What::Package(requirement, hashes) => {
                write!(f, "{requirement}")?;
                hashes.iter().try_for_each(|hash| write!(f, " --hash={hash}"))
            }
        }
    }
}

impl Entry {
    fn is_package(&self) -> bool {
        matches!(self.what, What::Package(..))
    }

    fn has_hash(&self) -> bool {
        matches!(&self.what, What::Package(_, hashes) if !hashes.is_empty())
    }

    fn wants_hashes(&self) -> bool {
        self.has_hash() || matches!(&self.what, What::Option(option) if option == "--require-hashes")
    }

    /// The requirement, if pip will certainly miss its hash. A package with a marker may not be for this system.
    fn lacks_hash(&self) -> Option<&PipRequirement> {
        match &self.what {
            What::Package(requirement, hashes) if hashes.is_empty() && !has_marker(requirement) => Some(requirement),
            _ => None,
        }
    }
}

fn has_marker(requirement: &PipRequirement) -> bool {
    requirement.as_str().contains(';')
}

impl Requirements {
    /// Whether nothing is to be installed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.wanted.iter().any(Entry::is_package)
    }

    /// What is to be installed, and the constraints, as texts that read back as the same.
    #[must_use]
    pub fn texts(&self) -> [String; 2] {
        [text(&self.wanted), text(&self.constraints)]
    }

    /// Refuses what pip would refuse after it has downloaded everything: if one line has a hash, each package needs one.
    /// `listed` are packages that come without a file, and so without a hash.
    ///
    /// # Errors
    /// For the first package without a hash, if one is needed.
    pub fn check_hashes(&self, listed: &[PipRequirement]) -> Result<(), Failure> {
        let mut all = self.wanted.iter().chain(&self.constraints);
        let Some(hashed) = all.find(|entry| entry.wants_hashes()) else { return Ok(()) };
        let bare = self.wanted.iter().find_map(|entry| Some((format!("{}: ", entry.place), entry.lacks_hash()?)));
        let bare = bare.or_else(|| Some((String::new(), listed.iter().find(|package| !has_marker(package))?)));
        let Some((place, package)) = bare else { return Ok(()) };
        let message = format!("{place}the package \"{package}\" has no hash, and {} asks for hashes", hashed.place);
        Err(Failure::usage(message).hint(
            "pip wants a hash for every package or for none: add it to the file with its version and hash, or install it \
             with --run",
        ))
    }
}

/// One line for each entry.
#[must_use]
pub fn text(entries: &[Entry]) -> String {
    entries.iter().map(|entry| format!("{entry}\n")).collect()
}
