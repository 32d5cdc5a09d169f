//! The packages of a `pyproject.toml`: the dependencies of its project, extras and dependency groups. Pure.
//!
//! The names mean what they mean for pip and uv: a group is a list of `[dependency-groups]` (PEP 735), an extra is one of
//! `[project.optional-dependencies]` (PEP 621). The project itself is not installed, so a requirement that names it stands
//! for its dependencies. Tables of tools are not read.

mod document;

use std::collections::HashSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::MOST_REQUIREMENTS;
use super::source::{Place, about};
use crate::error::Failure;
use crate::invalid::Invalid;
use crate::names::{DependencyGroup, ExtraName, PipRequirement, normalized};
use crate::spec::RecipeSpec;
use document::Document;
pub use document::{Names, names};

/// How deep lists may include each other.
const DEEPEST: usize = 100;

/// A list of packages in the file. Names are normalized.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum List {
    Project,
    Extra(String),
    Group(String),
}

/// The packages of the `pyproject.toml` in a spec.
///
/// # Errors
/// As [`packages`]; when groups or extras are asked for, and there is no such file.
pub fn of_spec(spec: &RecipeSpec) -> Result<Vec<PipRequirement>, Failure> {
    let Some(text) = &spec.pyproject else {
        let first = spec.groups.first().map(|name| format!("the group \"{name}\""));
        let first = first.or_else(|| spec.extras.first().map(|name| format!("the extra \"{name}\"")));
        return first.map_or(Ok(Vec::new()), |what| {
            let hint = "name it with --pyproject FILE, or give its text in a spec with the key \"pyproject\"";
            Err(Failure::usage(format!("{what} needs a pyproject.toml")).hint(hint))
        });
    };
    packages(Place::Key("pyproject"), text.as_str(), &spec.groups, &spec.extras)
}

/// The dependencies of `[project]`, then those of the extras and of the groups; each requirement once.
///
/// # Errors
/// For a text that is not TOML; for a missing table, extra or group; for dependencies that only a build of the project
/// would know; for the first entry that is no requirement of the grammar of pip's lines. All but the last are about what
/// was asked for: other lists of the file are not looked at.
pub fn packages(
    place: Place,
    text: &str,
    groups: &[DependencyGroup],
    extras: &[ExtraName],
) -> Result<Vec<PipRequirement>, Failure> {
    let document = Document::parse(place, text)?;
    let mut reader = Reader { document, open: Vec::new(), done: HashSet::new(), found: Vec::new() };
    if groups.is_empty() || reader.document.has_project() {
        reader.list(&List::Project, None)?;
    }
    for extra in extras {
        reader.list(&List::Extra(normalized(extra.as_str())), None)?;
    }
    for group in groups {
        reader.list(&List::Group(normalized(group.as_str())), None)?;
    }
    let length: usize = reader.found.iter().map(|package| package.as_str().len() + 1).sum();
    if length > MOST_REQUIREMENTS {
        let message = format!("the packages of {} are too long: {length} bytes", place.whole());
        return Err(Failure::usage(format!("{message}; at most {MOST_REQUIREMENTS} are allowed")));
    }
    let mut seen = HashSet::new();
    reader.found.retain(|package| seen.insert(package.clone()));
    Ok(reader.found)
}

/// Reads one list after the other, and those that they include.
struct Reader<'a> {
    document: Document<'a>,
    /// The lists that are being read, each included by the one before.
    open: Vec<List>,
    /// The lists that need not be read again.
    done: HashSet<List>,
    found: Vec<PipRequirement>,
}

impl Reader<'_> {
    /// Reads a list. `from` is the entry that includes it.
    fn list(&mut self, list: &List, from: Option<&Range<usize>>) -> Result<(), Failure> {
        if self.open.contains(list) {
            return Err(self.document.refuse(from, &format!("{list} includes itself")));
        }
        if self.open.len() == DEEPEST {
            return Err(self.document.refuse(from, "lists of packages include each other too deeply"));
        }
        if !self.done.insert(list.clone()) {
            return Ok(());
        }
        self.open.push(list.clone());
        for item in self.document.items(list, from)? {
            self.item(&item, list)?;
        }
        self.open.pop();
        Ok(())
    }

    fn item(&mut self, item: &Spanned<DeValue>, list: &List) -> Result<(), Failure> {
        let span = item.span();
        match item.get_ref() {
            DeValue::String(text) => self.requirement(text, &span),
            value if matches!(list, List::Group(_)) => match included(value) {
                Some(group) => self.list(&List::Group(normalized(group)), Some(&span)),
                None => Err(self.document.refuse(
                    Some(&span),
                    &format!("{list} may contain only texts and tables such as {{include-group = \"NAME\"}}"),
                )),
            },
            _ => Err(self.document.refuse(Some(&span), &format!("{list} may contain only texts"))),
        }
    }

    fn requirement(&mut self, text: &str, span: &Range<usize>) -> Result<(), Failure> {
        let refused = |invalid: Invalid| about(&self.document.line(Some(span)), &invalid);
        let requirement = PipRequirement::parse(text).map_err(refused)?;
        let (name, extras, rest) = parts(requirement.as_str());
        if self.document.name.as_deref() != Some(normalized(name).as_str()) {
            self.found.push(requirement);
            return Ok(());
        }
        if !rest.is_empty() {
            let why = "it names the project itself, whose version and marker would have no effect";
            return Err(refused(
                Invalid::new("pip requirement", text, why).with_hint("write only its name and extras"),
            ));
        }
        if !self.open.contains(&List::Project) {
            self.list(&List::Project, Some(span))?;
        }
        extras.iter().try_for_each(|extra| self.list(&List::Extra(normalized(extra)), Some(span)))
    }
}

/// The name of a requirement, its extras, and what follows them.
fn parts(requirement: &str) -> (&str, Vec<&str>, &str) {
    let end = requirement.find(|c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c));
    let (name, rest) = requirement.split_at(end.unwrap_or(requirement.len()));
    let rest = rest.trim_start();
    match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        None => (name, Vec::new(), rest),
        Some((extras, rest)) => {
            (name, extras.split(',').map(str::trim).filter(|extra| !extra.is_empty()).collect(), rest.trim_start())
        }
    }
}

/// The name in `{include-group = "NAME"}`.
fn included<'a>(value: &'a DeValue) -> Option<&'a str> {
    let table = value.as_table().filter(|table| table.len() == 1)?;
    table.get("include-group")?.get_ref().as_str()
}

#[cfg(test)]
#[path = "pyproject/tests.rs"]
mod tests;
