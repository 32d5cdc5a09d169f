//! From the body of the Engine API's container create to the `docker create` that leaves the same container. Pure.
//!
//! Each key of the body (API 1.41 to 1.47) is carried over exactly, ignored with a note because the API itself makes
//! nothing of it, or refused by name. A value is never a word of its own but stands behind its flag's `=`, so none can
//! be read as a flag; flags that older docker programs do not know are used only when their key is given. Keys count
//! in any case, as they do for the engine, whose JSON reader is Go's.
//!
//! docker adds some things of its own, none of which changes what the container does once started: `AttachStdout` and
//! `AttachStderr` are true unless some other stream is attached; an open stdin is attached and closed after the first
//! client; a restart policy that is not given is `no`; capabilities get their `CAP_`; a published port is exposed; a
//! network that only `EndpointsConfig` names is the `NetworkMode` too; variables lose their order and their doubles.

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
    /// Everything after `docker create`, the image and its command included. Whether a missing image is pulled is left
    /// to docker; the API never does.
    pub args: Vec<String>,
    /// Variables with their values, each once. They are not among the arguments, which everybody can read.
    pub env: Vec<(String, String)>,
    /// Variables that the docker program must not have in its own environment: `--env=NAME` without a value drops the
    /// image's variable, as the API does, only where the client has none of that name to put in its place.
    pub unset: Vec<String>,
    /// What the docker program is to read on its stdin; absent for nothing at all. A seccomp profile goes this way,
    /// for docker takes it from a file and the API inline.
    pub stdin: Option<String>,
    /// What was ignored or comes out otherwise, and why, each one line that names the key, for stderr.
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

/// Why a body cannot be carried over: what is wrong with which key.
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

/// What `inspect` prints of a container and a body does not have. `NetworkSettings` is left out: the API, given an
/// inspect's, ignores it, and so do we, with a note.
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

/// The arguments of a `docker create` that leaves the container which the API would make of this body.
///
/// # Errors
/// When a key is unknown, has a value of the wrong type, or says what `docker create` has no way to say. What only the
/// engine can judge (whether a path is absolute, a mode known) is left to it.
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

/// Refuses keys that have their place elsewhere. Engines up to 20.10 took the host's at the top as well.
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

/// The entrypoint, the image and the command. `--entrypoint` takes one word, so the others go before the command: the
/// process is the same, though `inspect` spells it otherwise.
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
