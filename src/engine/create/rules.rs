//! The table of keys: for each, the flag that it becomes, or why it is ignored or refused. Pure.

use super::read::{Fields, Item};
use super::{BodyError, Create};
use crate::names::csv_field;

/// How a key is translated. A default value (`""`, `0`, `false`, an empty array or object) has the same meaning as an
/// absent key, except with [`Rule::Read`], which decides itself.
pub(super) enum Rule {
    /// A string.
    Text(&'static str),
    /// A flag without a value.
    Switch(&'static str),
    /// A whole number.
    Number(&'static str),
    /// A number of bytes.
    Size(&'static str),
    /// An array of strings, each with the flag before it.
    List(&'static str),
    /// An object of strings, each as `name=value` with the flag before it.
    Pairs(&'static str),
    /// A function translates it.
    Read(fn(&Item, &mut Create) -> Result<(), BodyError>),
    /// Read together with other keys.
    Together,
    /// The API, or Linux, ignores it: left out with a note.
    Ignored(&'static str),
    /// docker create cannot express it.
    Refused(&'static str),
}

/// The keys of one object, in the order of their flags.
pub(super) type Table = &'static [(&'static str, Rule)];

/// The names of a table.
pub(super) fn names(table: Table) -> impl Iterator<Item = &'static str> {
    table.iter().map(|(name, _)| *name)
}

/// Translates the keys of an object by its table.
pub(super) fn carry(table: Table, fields: &Fields, create: &mut Create) -> Result<(), BodyError> {
    for (name, rule) in table {
        if let Some(item) = fields.get(name) {
            rule.carry(item, create)?;
        }
    }
    Ok(())
}

impl Rule {
    fn carry(&self, item: &Item, create: &mut Create) -> Result<(), BodyError> {
        match self {
            Self::Text(flag) => match item.text()? {
                "" => {}
                text => create.flag(flag, text),
            },
            Self::Switch(flag) => {
                if item.switch()? {
                    create.args.push((*flag).to_owned());
                }
            }
            Self::Number(flag) => match item.number()? {
                0 => {}
                number => create.flag(flag, number),
            },
            Self::Size(flag) => match item.size()? {
                0 => {}
                bytes => create.flag(flag, bytes),
            },
            Self::List(flag) => create.flags(flag, &item.texts()?),
            Self::Pairs(flag) => create.pairs(flag, &item.pairs()?),
            Self::Read(read) => read(item, create)?,
            Self::Together => {}
            Self::Ignored(_) | Self::Refused(_) if item.says_nothing() => {}
            Self::Ignored(why) => create.notes.push(item.ignored(why)),
            Self::Refused(why) => return Err(item.refuse(*why)),
        }
        Ok(())
    }
}

/// A line of CSV for Go's reader, which keeps everything except CR LF.
pub(super) fn csv_line(fields: &[String], item: &Item) -> Result<String, BodyError> {
    if fields.iter().any(|field| field.contains("\r\n")) {
        Err(item.refuse("docker create does not support CR LF here"))
    } else {
        Ok(fields.iter().map(|field| csv_field(field)).collect::<Vec<_>>().join(","))
    }
}
