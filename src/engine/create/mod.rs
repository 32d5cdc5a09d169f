//! Translates the body of the Engine API's `/containers/create` into arguments of `docker create` that create the same
//! container. Pure.
//!
//! Each key of the body (API 1.41 to 1.47) is translated exactly, ignored with a note because the API ignores it too,
//! or refused by name. A value always follows the `=` of its flag, so that docker cannot read it as a flag. A flag that
//! older docker clients do not know is used only if its key is given. The case of keys is ignored, as it is by the
//! engine.
//!
//! docker adds some settings of its own. None changes what the container does after its start. `AttachStdout` and
//! `AttachStderr` are true unless another stream is attached. An open stdin is attached, and closed after the first
//! client. A missing restart policy becomes `no`. Capabilities get the prefix `CAP_`. A published port is also exposed.
//! A network that only `EndpointsConfig` names becomes the `NetworkMode`. Variables lose their order and their
//! duplicates.

mod config;
mod host;
mod mounts;
mod network;
mod ports;
mod read;
mod rules;
#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::Value;

use read::{Fields, Item};
use rules::names;

/// A `docker create` as data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Create {
    /// Everything after `docker create`, including the image and its command. docker pulls a missing image; the API does
    /// not.
    pub args: Vec<String>,
    /// Variables with their values, each once. They are not among the arguments, which every user can read.
    pub env: Vec<(String, String)>,
    /// Variables that must not be in the environment of the docker program. `--env=NAME` without a value removes the
    /// image's variable, as the API does, but only if docker has no variable with that name.
    pub unset: Vec<String>,
    /// The stdin of the docker program, if any: a seccomp profile, which docker reads from a file and the API takes inline.
    pub stdin: Option<String>,
    /// Notes for stderr, one line each: a key that is ignored or has a different effect, and why.
    pub notes: Vec<String>,
}

impl Create {
    fn flag(&mut self, flag: &str, value: impl fmt::Display) {
        self.args.push(format!("{flag}={value}"));
    }

    fn flags(&mut self, flag: &str, values: &[&str]) {
        for value in values {
            self.flag(flag, value);
        }
    }

    fn pairs(&mut self, flag: &str, pairs: &[(&str, &str)]) {
        for (name, value) in pairs {
            self.flag(flag, format_args!("{name}={value}"));
        }
    }
}

/// Why a body cannot be translated: the key and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyError {
    /// The key with its path, such as `HostConfig.Mounts[0].Target`; empty for the body itself.
    pub key: String,
    /// Why, in lower case.
    pub why: String,
    /// What to do instead.
    pub hint: Option<String>,
}

impl BodyError {
    fn hint(self, hint: impl Into<String>) -> Self {
        self.or_hint(Some(hint.into()))
    }

    fn or_hint(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = if self.key.is_empty() { "the body" } else { &self.key };
        write!(f, "{key}: {}", self.why)
    }
}

impl std::error::Error for BodyError {}

/// Keys that `inspect` prints and a body cannot have. `NetworkSettings` is not among them: the API ignores it in a body,
/// and so does longshore, with a note.
const INSPECTED: &[&str] = &[
    "AppArmorProfile",
    "Args",
    "Config",
    "Created",
    "Driver",
    "ExecIDs",
    "GraphDriver",
    "HostnamePath",
    "HostsPath",
    "Id",
    "ImageManifestDescriptor",
    "LogPath",
    "MountLabel",
    "Mounts",
    "Name",
    "Path",
    "Platform",
    "ProcessLabel",
    "ResolvConfPath",
    "RestartCount",
    "SizeRootFs",
    "SizeRw",
    "State",
];

/// The arguments of a `docker create` that creates the same container as the API does from this body.
///
/// # Errors
/// When a key is unknown, has a value of the wrong type, or cannot be expressed with `docker create`. The engine itself
/// checks the rest, for example whether a path is absolute.
pub fn create_args(name: Option<&str>, body: &Value) -> Result<Create, BodyError> {
    let root = Item::root(body);
    root.keys()?.try_for_each(|(key, item)| misplaced(key, &item))?;
    let config = root.fields(names(config::KEYS))?;
    let host = match config.get("HostConfig") {
        Some(item) => item.fields(names(host::KEYS))?,
        None => Fields::default(),
    };
    let mut create = Create::default();
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        create.flag("--name", name);
    }
    config::carry(&config, &mut create)?;
    host::carry(&host, &mut create)?;
    ports::carry(&config, &host, &mut create)?;
    network::carry(&config, &host, &mut create)?;
    command(&config, &mut create)?;
    Ok(create)
}

/// Refuses keys in the wrong place. Engines up to 20.10 also accepted those of `HostConfig` at the top.
fn misplaced(key: &str, item: &Item) -> Result<(), BodyError> {
    let same = |name: &&str| name.eq_ignore_ascii_case(key);
    if names(config::KEYS).any(|name| same(&name)) {
        Ok(())
    } else if let Some(name) = names(host::KEYS).find(same) {
        Err(item.refuse("unknown key").hint(format!("it belongs in HostConfig: HostConfig.{name}")))
    } else if INSPECTED.iter().any(same) {
        Err(item.refuse("inspect prints it, but a container cannot be created with it"))
    } else {
        Ok(())
    }
}

/// The entrypoint, the image and the command. `--entrypoint` takes one word, so the others are put before the command.
/// The process is the same; `inspect` shows the words in other fields.
fn command(config: &Fields, create: &mut Create) -> Result<(), BodyError> {
    let entrypoint = config.get("Entrypoint").map(Item::words).transpose()?;
    let cmd = config.get("Cmd").map_or(Ok(Vec::new()), Item::words)?;
    let rest = match entrypoint.as_deref() {
        None => &[],
        Some([]) if cmd.is_empty() => {
            let why = "docker create cannot clear the image's entrypoint and keep the image's command";
            return Err(config.refuse("Entrypoint", why).hint("write the command in Cmd"));
        }
        Some([] | [""]) => {
            create.flag("--entrypoint", "");
            &[]
        }
        Some(["", ..]) => return Err(config.refuse("Entrypoint", "the first word is empty")),
        Some([first, rest @ ..]) => {
            create.flag("--entrypoint", first);
            rest
        }
    };
    match config.text("Image")? {
        "" => return Err(config.refuse("Image", "it is required")),
        image if image.starts_with('-') => return Err(config.refuse("Image", "docker create would read it as a flag")),
        image => create.args.push(image.to_owned()),
    }
    create.args.extend(rest.iter().chain(&cmd).map(|word| (*word).to_owned()));
    Ok(())
}
