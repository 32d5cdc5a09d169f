//! Reads requirements files, and those that they name. Pure: the caller opens files.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::{Entry, Requirements, Role, What, lines, options};
use crate::error::Failure;
use crate::invalid::Invalid;
use crate::names::{HttpUrl, PipRequirement};
use crate::recipe::source::{Place, Source, about};

/// How deep files may name each other.
const DEEPEST: usize = 100;

/// Opens a file by its path; the error names it.
type Open<'a> = &'a dyn Fn(&Path) -> Result<Source, Failure>;

/// Reads files one after the other.
pub struct Reader<'a> {
    index: Option<&'a HttpUrl>,
    open: Open<'a>,
    /// The files that are being read, each named by the one before.
    stack: Vec<PathBuf>,
    /// The files that were read, and need not be read again.
    done: HashSet<(PathBuf, Role)>,
    found: Requirements,
}

impl<'a> Reader<'a> {
    /// Reads files that `open` opens. `index` is the one that the build uses: a line that names the same is accepted.
    #[must_use]
    pub fn new(index: Option<&'a HttpUrl>, open: Open<'a>) -> Self {
        Self { index, open, stack: Vec::new(), done: HashSet::new(), found: Requirements::default() }
    }

    /// What was read so far.
    #[must_use]
    pub fn finish(self) -> Requirements {
        self.found
    }

    /// Reads a file and those that it names.
    ///
    /// # Errors
    /// For the first line that a recipe cannot take, with its file and number.
    pub fn file(&mut self, path: &Path, role: Role) -> Result<(), Failure> {
        let source = (self.open)(path)?;
        self.source(path, source, role)
    }

    fn source(&mut self, path: &Path, source: Source, role: Role) -> Result<(), Failure> {
        if !self.done.insert((source.identity.clone(), role)) {
            return Ok(());
        }
        let text = source.text(path)?;
        self.stack.push(source.identity);
        let read = self.lines(&Place::File(path), &text, role);
        self.stack.pop();
        read
    }

    /// Reads a text that is not in a file, so that it can name none.
    ///
    /// # Errors
    /// As [`Reader::file`], with the key of the text.
    pub fn text(&mut self, key: &str, text: &str, role: Role) -> Result<(), Failure> {
        self.lines(&Place::Key(key), text, role)
    }

    fn lines(&mut self, place: &Place, text: &str, role: Role) -> Result<(), Failure> {
        for line in lines::of(text) {
            let at = place.line(line.number);
            let read = self.line(&line.text, role, &at);
            let named = read.map_err(|invalid| about(&at, &invalid))?;
            if let Some((name, role)) = named {
                self.named(place, &name, role, &at)?;
            }
        }
        Ok(())
    }

    /// Reads one line. Returns the file that it names.
    fn line(&mut self, line: &str, role: Role, at: &str) -> Result<Option<(String, Role)>, Invalid> {
        if has_variable(line) {
            return Err(Invalid::new("line", line, "pip would insert the value of a variable"));
        }
        let (requirement, rest) = parts(line);
        let words = lines::words(rest).ok_or_else(|| Invalid::new("line", line, "a quote in it is not closed"))?;
        let given = options::read(&words, self.index)?;
        if !requirement.is_empty() {
            let what = package(requirement, given, role)?;
            self.keep(what, role, at);
            return Ok(None);
        }
        let mut named = Vec::new();
        for option in given {
            match option {
                options::Given::File(name) => named.push((name, Role::Wanted)),
                options::Given::Constraints(name) => named.push((name, Role::Constraint)),
                options::Given::Kept(option) => self.keep(What::Option(option), role, at),
                options::Given::Dropped => {}
                options::Given::Hash(_) => return Err(Invalid::new("line", line, "a hash must follow a package")),
            }
        }
        if named.len() > 1 {
            return Err(Invalid::new("line", line, "pip reads one file for each line"));
        }
        Ok(named.pop())
    }

    fn keep(&mut self, what: What, role: Role, at: &str) {
        let entry = Entry { place: at.to_owned(), what };
        match role {
            Role::Wanted => self.found.wanted.push(entry),
            Role::Constraint => self.found.constraints.push(entry),
        }
    }

    /// Reads the file that a line names, relative to the file of the line.
    fn named(&mut self, place: &Place, name: &str, role: Role, at: &str) -> Result<(), Failure> {
        let refuse = |why: &str| about(at, &Invalid::new("file", name, why));
        let Place::File(file) = place else {
            return Err(refuse("a spec has no other files").hint("give the file itself with --requirements FILE"));
        };
        if name.contains("://") || name.to_ascii_lowercase().starts_with("file:") {
            return Err(refuse("a URL is not read").hint("download it, and name the file"));
        }
        if name.contains('\0') {
            return Err(refuse("it contains a NUL"));
        }
        let path = file.parent().map_or_else(|| PathBuf::from(name), |directory| directory.join(name));
        let source = (self.open)(&path).map_err(|failure| failure.because(at))?;
        if self.stack.contains(&source.identity) {
            return Err(refuse("it is being read already, so the files name each other in a circle"));
        }
        if self.stack.len() == DEEPEST {
            return Err(refuse("files name each other too deeply"));
        }
        self.source(&path, source, role)
    }
}

/// The requirement of a line and its options, which begin with the first word that begins with `-`.
fn parts(line: &str) -> (&str, &str) {
    let at = line.match_indices('-').map(|(at, _)| at).find(|at| *at == 0 || line[..*at].ends_with(' '));
    let (requirement, options) = line.split_at(at.unwrap_or(line.len()));
    (requirement.trim_end_matches(' '), options)
}

/// Whether pip would replace something like `${NAME}`.
fn has_variable(line: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    line.split("${").skip(1).any(|rest| rest.split_once('}').is_some_and(|(name, _)| is_name(name)))
}

fn package(text: &str, given: Vec<options::Given>, role: Role) -> Result<What, Invalid> {
    let requirement = PipRequirement::parse(text)?;
    if role == Role::Constraint && text.split(';').next().is_some_and(|name| name.contains('[')) {
        return Err(Invalid::new("constraint", text, "pip allows no extras in a constraint"));
    }
    let hash = |option| match option {
        options::Given::Hash(hash) => Ok(hash),
        _ => Err(Invalid::new("line", text, "only --hash can follow a package")),
    };
    Ok(What::Package(requirement, given.into_iter().map(hash).collect::<Result<_, _>>()?))
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
