//! What becomes of a key, said in a table: the flag that carries it, or why there is none. Pure.

use super::read::{Fields, Item};
use super::{BodyError, Create};
use crate::names::csv_field;

/// What becomes of a key. A value that means the default (`""`, `0`, `false`, nothing in it) is as good as absent,
/// but for [`Rule::Read`], which decides itself.
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
    /// More than one value says.
    Read(fn(&Item, &mut Create) -> Result<(), BodyError>),
    /// Read together with other keys.
    Together,
    /// The API, or Linux, makes nothing of it: left out with a note.
    Ignored(&'static str),
    /// There is no way to say it.
    Refused(&'static str),
}

/// The keys of one object, in the order in which their flags are to stand.
pub(super) type Table = &'static [(&'static str, Rule)];

/// The names of a table.
pub(super) fn names(table: Table) -> impl Iterator<Item = &'static str> {
    table.iter().map(|(name, _)| *name)
}

/// Carries over every key of an object that its table knows what to do with.
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

/// A line of CSV as Go reads it: exact but for CR LF, which it makes LF.
pub(super) fn csv_line(fields: &[String], item: &Item) -> Result<String, BodyError> {
    if fields.iter().any(|field| field.contains("\r\n")) {
        Err(item.refuse("docker create does not support CR LF here"))
    } else {
        Ok(fields.iter().map(|field| csv_field(field)).collect::<Vec<_>>().join(","))
    }
}
