//! The tables of a `pyproject.toml` that have lists of packages. Pure.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::List;
use crate::error::Failure;
use crate::names::{nearest, normalized};
use crate::recipe::source::Place;
use crate::terminal::escape_value;

type Item<'a> = Spanned<DeValue<'a>>;

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project => f.write_str("project.dependencies"),
            Self::Extra(name) => write!(f, "the extra \"{}\"", escape_value(name)),
            Self::Group(name) => write!(f, "the group \"{}\"", escape_value(name)),
        }
    }
}

/// A file that was parsed.
pub struct Document<'a> {
    place: Place<'a>,
    text: &'a str,
    root: DeTable<'a>,
    /// The normalized name of the project.
    pub name: Option<String>,
}

/// The names that a file has, as they are written in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Of dependency groups.
    pub groups: Vec<String>,
    /// Of extras.
    pub extras: Vec<String>,
}

/// The names of the groups and extras in a text; none if it cannot be read.
#[must_use]
pub fn names(text: &str) -> Names {
    let Ok(document) = Document::parse(Place::Key("pyproject"), text) else { return Names::default() };
    let written = |path: &[&str]| {
        let table = document.table(path).ok().flatten();
        table.into_iter().flatten().map(|(name, _)| name.get_ref().to_string()).collect()
    };
    Names { groups: written(&GROUPS), extras: written(&EXTRAS) }
}

const GROUPS: [&str; 1] = ["dependency-groups"];
const EXTRAS: [&str; 2] = ["project", "optional-dependencies"];

impl<'a> Document<'a> {
    /// Parses the text.
    ///
    /// # Errors
    /// When it is not TOML.
    pub fn parse(place: Place<'a>, text: &'a str) -> Result<Self, Failure> {
        let root = DeTable::parse(text).map_err(|error| {
            let why = error.message().lines().next().unwrap_or_default().to_owned();
            Failure::usage(format!("{}: not TOML: {}", line(place, text, error.span().as_ref()), escape_value(&why)))
        })?;
        let mut document = Self { place, text, root: root.into_inner(), name: None };
        let name = document.table(&["project"]).ok().flatten().and_then(|project| project.get("name"));
        document.name = name.and_then(|name| name.get_ref().as_str()).map(normalized);
        Ok(document)
    }

    /// The line of a place in the text, for messages.
    pub fn line(&self, at: Option<&Range<usize>>) -> String {
        line(self.place, self.text, at)
    }

    /// A failure that names the line.
    pub fn refuse(&self, at: Option<&Range<usize>>, why: &str) -> Failure {
        Failure::usage(format!("{}: {why}", self.line(at)))
    }

    /// Whether there is a `[project]`.
    pub fn has_project(&self) -> bool {
        self.root.contains_key("project")
    }

    /// The entries of a list. `from` is the entry that includes it.
    ///
    /// # Errors
    /// When there is no such list, only a build of the project would know it, or it is not an array.
    pub fn items(&self, list: &List, from: Option<&Range<usize>>) -> Result<Vec<Item<'a>>, Failure> {
        let found = match list {
            List::Project => {
                let project = self.table(&["project"])?.ok_or_else(|| self.no_project())?;
                self.check_static(project, "dependencies")?;
                project.get("dependencies")
            }
            List::Extra(name) => {
                if let Some(project) = self.table(&["project"])? {
                    self.check_static(project, "optional-dependencies")?;
                }
                Some(self.named(&EXTRAS, name, list, from)?)
            }
            List::Group(name) => Some(self.named(&GROUPS, name, list, from)?),
        };
        match found.map(|found| (found.get_ref(), found.span())) {
            None => Ok(Vec::new()),
            Some((DeValue::Array(items), _)) => Ok(items.iter().cloned().collect()),
            Some((_, span)) => Err(self.refuse(Some(&span), &format!("{list} must be an array"))),
        }
    }

    /// The table at a path of keys, if there is one.
    fn table(&self, path: &[&str]) -> Result<Option<&DeTable<'a>>, Failure> {
        let mut table = &self.root;
        for (at, key) in path.iter().enumerate() {
            let Some(value) = table.get(*key) else { return Ok(None) };
            let Some(below) = value.get_ref().as_table() else {
                let why = format!("\"{}\" must be a table", path[..=at].join("."));
                return Err(self.refuse(Some(&value.span()), &why));
            };
            table = below;
        }
        Ok(Some(table))
    }

    /// The list of this normalized name.
    fn named(&self, path: &[&str], name: &str, list: &List, from: Option<&Range<usize>>) -> Result<&Item<'a>, Failure> {
        let table = self.table(path)?;
        let mut found = table.into_iter().flatten().filter(|(key, _)| normalized(key.get_ref()) == name);
        let Some((_, item)) = found.next() else { return Err(self.unknown(path, name, list, from)) };
        match found.next() {
            None => Ok(item),
            Some((key, _)) => {
                let why =
                    format!("{list} is there twice, because names are compared without case and with \"-\" as \"_\"");
                Err(self.refuse(Some(&key.span()), &why))
            }
        }
    }

    fn unknown(&self, path: &[&str], name: &str, list: &List, from: Option<&Range<usize>>) -> Failure {
        let what = format!("[{}] does not have {list}", path.join("."));
        let failure = match from {
            Some(_) => self.refuse(from, &what),
            None => Failure::usage(format!("{}: {what}", self.place.whole())),
        };
        let keys = |path: &[&str]| -> Vec<String> {
            let table = self.table(path).ok().flatten();
            table.into_iter().flatten().map(|(key, _)| escape_value(key.get_ref())).collect()
        };
        let (other, flag) =
            if matches!(list, List::Group(_)) { (&EXTRAS[..], "--extra") } else { (&GROUPS[..], "--group") };
        if keys(other).iter().any(|key| normalized(key) == name) {
            return failure.hint(format!("[{}] has it: use {flag} {name}", other.join(".")));
        }
        let known = keys(path);
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        match nearest(name, &known) {
            Some(near) => failure.hint(format!("did you mean {near:?}?")),
            None if known.is_empty() => failure,
            None => failure.hint(format!("it has {}", known[..known.len().min(20)].join(", "))),
        }
    }

    fn no_project(&self) -> Failure {
        let failure = Failure::usage(format!("{}: there is no table [project]", self.place.whole()));
        failure.hint(
            "name a group of [dependency-groups] with --group NAME; or have the tool that the file is for write a \
             requirements file, and give that with --requirements FILE",
        )
    }

    /// Refuses a list that the project's build backend makes.
    fn check_static(&self, project: &DeTable<'a>, key: &str) -> Result<(), Failure> {
        let Some(dynamic) = project.get("dynamic") else { return Ok(()) };
        let Some(names) = dynamic.get_ref().as_array() else {
            return Err(self.refuse(Some(&dynamic.span()), "\"project.dynamic\" must be an array"));
        };
        let Some(entry) = names.iter().find(|name| name.get_ref().as_str() == Some(key)) else { return Ok(()) };
        let why = format!("the {key} are dynamic: only a build of the project knows them");
        Err(self
            .refuse(Some(&entry.span()), &why)
            .hint("give the file that they come from with --requirements FILE, or write them into [project]"))
    }
}

/// A position without a line is the start.
fn line(place: Place, text: &str, at: Option<&Range<usize>>) -> String {
    let before = at.map_or(0, |at| at.start.min(text.len()));
    place.line(text.as_bytes()[..before].split(|byte| *byte == b'\n').count())
}
