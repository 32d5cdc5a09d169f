//! The mounts of a run in docker's two syntaxes, `--volume` and `--mount`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::run::check_mount_path;
use super::{Checked, Invalid, MountPath, Refusal, at_most, csv_field, csv_fields, no, only};
use crate::units;

checked_text! {
    /// The name of a docker volume, by the engine's grammar: `[a-zA-Z0-9][a-zA-Z0-9_.-]+`.
    VolumeName, "volume name", check_name
}

/// A mount in the syntax of docker's `--mount`: `type=bind,source=/a,target=/b,readonly`. Types are bind, volume (also if
/// there is none) and tmpfs. Fields that would give the container more than a file system are refused, for example the
/// options of a volume's driver, which can name any path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mount {
    /// What is mounted.
    pub origin: Origin,
    /// Where: absolute, without doubled slashes or one at the end.
    pub target: MountPath,
    /// Whether the program cannot write to it.
    pub read_only: bool,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file or directory of the caller, as it was typed; absolute and resolved in the record of a run.
    Path(String),
    /// A volume of docker.
    Volume {
        /// Its name; a volume without one is removed with the container.
        name: Option<VolumeName>,
        /// Leave a new volume empty, and do not copy to it what the image has at the target.
        stays_empty: bool,
    },
    /// An empty directory in memory.
    Tmpfs {
        /// Its size in bytes.
        size: Option<u64>,
        /// The mode of the directory.
        mode: Option<u32>,
    },
}

/// A mount in the syntax of docker's `--volume`: `SOURCE:TARGET[:ro]`. A source with a `/` is a path, any other one the name
/// of a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Volume(pub Mount);

impl Mount {
    /// Reads the syntax of `--mount`.
    ///
    /// # Errors
    /// [`Invalid`] says which rule was broken.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        Fields::read(text).and_then(Fields::mount).map_err(|refusal| refusal.about("mount", text))
    }
}

impl Volume {
    /// Reads the syntax of `--volume`.
    ///
    /// # Errors
    /// [`Invalid`] says which rule was broken.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        read_volume(text).map(Self).map_err(|refusal| refusal.about("volume", text))
    }
}

/// docker reads it as the same mount.
impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.origin {
            Origin::Path(_) => "bind",
            Origin::Volume { .. } => "volume",
            Origin::Tmpfs { .. } => "tmpfs",
        };
        let source = match &self.origin {
            Origin::Path(path) => Some(path.as_str()),
            Origin::Volume { name, .. } => name.as_ref().map(VolumeName::as_str),
            Origin::Tmpfs { .. } => None,
        };
        write!(f, "type={kind}")?;
        if let Some(source) = source {
            write!(f, ",{}", csv_field(&format!("source={source}")))?;
        }
        write!(f, ",{}", csv_field(&format!("target={}", self.target)))?;
        f.write_str(if self.read_only { ",readonly" } else { "" })?;
        match self.origin {
            Origin::Volume { stays_empty: true, .. } => f.write_str(",volume-nocopy"),
            Origin::Tmpfs { size, mode } => {
                size.map_or(Ok(()), |size| write!(f, ",tmpfs-size={size}"))?;
                mode.map_or(Ok(()), |mode| write!(f, ",tmpfs-mode={mode:o}"))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (source, stays_empty) = match &self.0.origin {
            Origin::Path(path) => (path.as_str(), false),
            Origin::Volume { name, stays_empty } => (name.as_ref().map_or("", VolumeName::as_str), *stays_empty),
            Origin::Tmpfs { .. } => ("", false),
        };
        write!(f, "{source}:{}", self.0.target)?;
        match (self.0.read_only, stays_empty) {
            (false, false) => Ok(()),
            (true, false) => f.write_str(":ro"),
            (false, true) => f.write_str(":nocopy"),
            (true, true) => f.write_str(":ro,nocopy"),
        }
    }
}

through_text!(Mount Volume);

fn check_name(text: &str) -> Checked {
    only(text, |c| c.is_ascii_alphanumeric() || "_.-".contains(c), "letters, digits, \"_\", \".\" and \"-\"")?;
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(no("it must begin with a letter or a digit"));
    }
    if text.len() < 2 {
        return Err(no("docker does not accept a name of one character"));
    }
    at_most(text, 255)?;
    Ok(text.to_owned())
}

/// The fields of `--mount`.
#[derive(Default)]
struct Fields {
    kind: Option<String>,
    source: Option<String>,
    target: Option<String>,
    read_only: Option<bool>,
    stays_empty: Option<bool>,
    size: Option<u64>,
    mode: Option<u32>,
}

/// The fields that are known, for a hint.
const KNOWN: &str = "the fields are type, source, target, readonly, volume-nocopy, tmpfs-size and tmpfs-mode";

impl Fields {
    fn read(text: &str) -> Result<Self, Refusal> {
        check_text(text)?;
        let fields = csv_fields(text).ok_or_else(|| {
            no("docker cannot read it as one line of CSV").hint("put quotes around a field that has a comma in it")
        })?;
        let mut read = Self::default();
        for field in &fields {
            let (key, value) = field.split_once('=').map_or((field.as_str(), None), |(key, value)| (key, Some(value)));
            read.take(&key.to_ascii_lowercase(), value)?;
        }
        Ok(read)
    }

    fn take(&mut self, key: &str, value: Option<&str>) -> Result<(), Refusal> {
        let text = || {
            value.filter(|value| !value.is_empty()).map(str::to_owned).ok_or_else(|| no(format!("{key} has no value")))
        };
        let invalid = |invalid: Invalid| no(format!("{key}: {}", invalid.why));
        match key {
            "type" => once(&mut self.kind, key, text()?.to_ascii_lowercase()),
            "source" | "src" => once(&mut self.source, "source", text()?),
            "target" | "destination" | "dst" => once(&mut self.target, "target", text()?),
            "readonly" | "ro" => once(&mut self.read_only, "readonly", switch(key, value)?),
            "volume-nocopy" => once(&mut self.stays_empty, key, switch(key, value)?),
            "tmpfs-size" => once(&mut self.size, key, units::bytes(&text()?).map_err(invalid)?),
            "tmpfs-mode" => once(&mut self.mode, key, mode(&text()?)?),
            "consistency" => Err(no("consistency has no effect on Linux").hint("leave it out")),
            key if key.starts_with("bind-") || key.starts_with("volume-") => {
                Err(no("a run has no such field").hint(KNOWN))
            }
            _ => Err(no("docker has no such field").hint(KNOWN)),
        }
    }

    fn mount(self) -> Result<Mount, Refusal> {
        let kind = self.kind.as_deref().unwrap_or("volume");
        let target = target(self.target.as_deref().ok_or_else(|| no("it has no target"))?)?;
        let foreign = [
            (kind != "volume" && self.stays_empty.is_some(), "volume-nocopy"),
            (kind != "tmpfs" && self.size.is_some(), "tmpfs-size"),
            (kind != "tmpfs" && self.mode.is_some(), "tmpfs-mode"),
            (kind == "tmpfs" && self.source.is_some(), "source"),
            (kind == "tmpfs" && self.read_only == Some(true), "readonly"),
        ];
        let origin = match kind {
            "bind" => Origin::Path(path(self.source.as_deref().ok_or_else(|| no("it has no source"))?)?),
            "volume" => Origin::Volume {
                name: self.source.as_deref().map(check_name).transpose()?.map(VolumeName),
                stays_empty: self.stays_empty.unwrap_or_default(),
            },
            "tmpfs" => Origin::Tmpfs { size: self.size, mode: self.mode },
            _ => return Err(no("the type must be bind, volume or tmpfs")),
        };
        match foreign.iter().find(|(is_foreign, _)| *is_foreign) {
            Some((_, field)) => Err(no(format!("a mount of type {kind} has no {field}"))),
            None => Ok(Mount { origin, target, read_only: self.read_only.unwrap_or_default() }),
        }
    }
}

fn once<T>(field: &mut Option<T>, key: &str, value: T) -> Result<(), Refusal> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(no(format!("it has {key} twice"))),
    }
}

/// `readonly`, or `readonly=true` as docker reads it.
fn switch(key: &str, value: Option<&str>) -> Result<bool, Refusal> {
    match value {
        None | Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some(_) => Err(no(format!("{key} must be true or false"))),
    }
}

fn mode(text: &str) -> Result<u32, Refusal> {
    let is_octal = text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| is_octal && *mode <= 0o7777);
    mode.ok_or_else(|| no("tmpfs-mode must be a file mode such as 1777"))
}

fn read_volume(text: &str) -> Result<Mount, Refusal> {
    check_text(text)?;
    let parts: Vec<&str> = text.split(':').collect();
    let (source, place, options) = match parts[..] {
        [source, target] => (source, target, None),
        [source, target, options] => (source, target, Some(options)),
        [_] => {
            return Err(
                no("it has no target").hint("write SOURCE:TARGET; an empty volume is --mount type=volume,target=DIR")
            );
        }
        _ => return Err(no("it has more than two colons").hint("a path with a colon needs --mount")),
    };
    let origin = origin(source)?;
    let target = target(place)?;
    let mut mount = Mount { origin, target, read_only: false };
    for option in options.into_iter().flat_map(|options| options.split(',')) {
        mount.take_option(option)?;
    }
    Ok(mount)
}

impl Mount {
    fn take_option(&mut self, option: &str) -> Result<(), Refusal> {
        match (option, &mut self.origin) {
            ("ro", _) => self.read_only = true,
            ("rw", _) => self.read_only = false,
            ("nocopy", Origin::Volume { stays_empty, .. }) => *stays_empty = true,
            ("nocopy", _) => return Err(no("only a volume has the option nocopy")),
            ("z" | "Z", _) => {
                return Err(no("longshore does not change the SELinux label of files")
                    .hint("leave it out, and label them with: chcon -Rt container_file_t DIR"));
            }
            ("cached" | "delegated" | "consistent", _) => {
                return Err(no("its option has no effect on Linux").hint("leave it out"));
            }
            _ => return Err(no("a run has no such option of a volume").hint("the options are ro, rw and nocopy")),
        }
        Ok(())
    }
}

fn origin(source: &str) -> Result<Origin, Refusal> {
    let is_path = source.starts_with('/') || source.split('/').next().is_some_and(|first| matches!(first, "." | ".."));
    match source {
        "" => Err(no("it has no source").hint("write SOURCE:TARGET")),
        path_or_name if is_path || path_or_name.starts_with('~') => Ok(Origin::Path(path(path_or_name)?)),
        relative if relative.contains('/') => {
            Err(no("the name of a volume has no \"/\"").hint("write ./ before a path that is relative"))
        }
        name => Ok(Origin::Volume { name: Some(VolumeName(check_name(name)?)), stays_empty: false }),
    }
}

fn path(source: &str) -> Result<String, Refusal> {
    if source.starts_with('~') {
        return Err(no("the shell did not replace the \"~\"").hint("write $HOME, or ./~ for a file of that name"));
    }
    Ok(source.to_owned())
}

/// The target without doubled slashes and one at the end.
fn target(text: &str) -> Result<MountPath, Refusal> {
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
    let joined = format!("{}{}", if text.starts_with('/') { "/" } else { "" }, parts.join("/"));
    let checked = check_mount_path(&joined).map_err(|refusal| no(format!("its target: {}", refusal.why)))?;
    MountPath::parse(&checked).map_err(|invalid| no(invalid.why))
}

fn check_text(text: &str) -> Result<(), Refusal> {
    if text.contains('\0') {
        return Err(no("it contains a NUL"));
    }
    if text.contains('\r') {
        return Err(no("docker does not support a carriage return in a path"));
    }
    at_most(text, 16 << 10)
}

#[cfg(test)]
#[path = "mount_tests.rs"]
mod tests;
