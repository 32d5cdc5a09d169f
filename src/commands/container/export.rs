//! `container export`: writes a container's files as a tar archive. The file is complete or absent.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use super::{Found, find, words};
use crate::cli::ContainerExport;
use crate::commands::jobs::start::cannot_write;
use crate::engine::silence::Silence;
use crate::engine::stream::Readers;
use crate::engine::{Engine, tail};
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::interrupt::Interrupt;
use crate::output::{Form, Reply, Voice};
use crate::shell::ended;

/// A container was exported.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct Exported<'a> {
    /// True: the archive is complete.
    #[cfg_attr(test, schemars(extend("const" = true)))]
    success: bool,
    /// The container's id in full.
    #[serde(rename = "Id")]
    #[cfg_attr(test, schemars(schema_with = "crate::schemas::container_id"))]
    id: &'a str,
    /// Where the archive is, as it was named.
    path: &'a Path,
    /// Its size.
    bytes: u64,
}

impl Reply for Exported<'_> {}

/// Exports to a file or to stdout, in constant memory.
pub fn export(env: &Env, voice: &Voice, engine: &Engine, args: &ContainerExport) -> Result<u8> {
    let target = args.output.as_deref().filter(|path| *path != Path::new("-"));
    if target.is_none() && voice.is_stdout_terminal() {
        return Err(Failure::usage("cannot write an archive to a terminal")
            .hint("name a file with -o, or redirect stdout")
            .into());
    }
    if target.is_none() && voice.form() != Form::Text {
        return Err(Failure::usage("cannot write both an archive and JSON to stdout")
            .hint("name a file with -o")
            .into());
    }
    let found = find(env, engine, &args.container)?;
    let Some(path) = target else {
        stream(voice, engine, &found, &mut voice.bytes()?)?;
        return Ok(0);
    };
    let replaced = replaced(path)?;
    let mut partial = Partial::new(&replaced).map_err(|error| cannot_write(path, &error))?;
    let bytes = stream(voice, engine, &found, &mut partial.file)?;
    partial.finish(&replaced).map_err(|error| cannot_write(path, &error))?;
    voice.reply(&Exported { success: true, id: &found.id, path, bytes })?;
    Ok(0)
}

/// The file that the archive replaces. A link is resolved, so that it remains a link. As with docker, an existing device
/// or pipe is refused, because it would be replaced by a file.
fn replaced(target: &Path) -> Result<PathBuf> {
    if target.symlink_metadata().is_err() {
        return Ok(target.to_path_buf());
    }
    let file = target.canonicalize().map_err(|error| cannot_write(target, &error))?;
    if file.metadata().is_ok_and(|data| data.is_file() || data.is_dir()) {
        return Ok(file);
    }
    let why = format!("could not write {}: it exists and is not a regular file", target.display());
    Err(Failure::new(ErrorKind::Conflict, why).hint("name another file, or leave out -o and redirect stdout").into())
}

/// Copies docker's stdout; returns the number of bytes.
fn stream(voice: &Voice, engine: &Engine, found: &Found, out: &mut File) -> Result<u64> {
    let could_not = format!("could not export container {}", found.name);
    let interrupt = Interrupt::any_end()?;
    let (mut size, mut stderr) = (0, Vec::new());
    let readers = Readers::Apart(
        Box::new(|from| copy(voice, from, out).map(|copied| size = copied)),
        Box::new(|mut from| from.read_to_end(&mut stderr).map(drop)),
    );
    let command = engine.streamed(&words(["export"], &found.id));
    let status = engine.stream(command, readers, Silence::Odd, Some(&interrupt), &could_not);
    interrupt.check(|| format!("{could_not}: interrupted"))?;
    let status = status?;
    if !status.success() {
        let failure = format!("{could_not}: docker export {}", ended(status));
        return Err(Failure::new(ErrorKind::EngineFailed, failure).detail(tail(&stderr)).into());
    }
    Ok(size)
}

fn copy(voice: &Voice, mut from: impl io::Read, out: &mut File) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 18];
    let (mut size, mut shown) = (0, Instant::now());
    loop {
        let count = match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if count == 0 {
            break;
        }
        out.write_all(&buffer[..count])?;
        size += count as u64;
        if shown.elapsed() > Duration::from_millis(200) {
            shown = Instant::now();
            voice.progress(&format!("{} exported", crate::units::show_bytes(size)));
        }
    }
    voice.progress("");
    Ok(size)
}

/// A temporary file beside the target. It is removed unless it is completed.
struct Partial {
    file: File,
    path: PathBuf,
    finished: bool,
}

impl Partial {
    fn new(target: &Path) -> io::Result<Self> {
        if target.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
        let path = target.with_file_name(format!(".{name}.{}.partial", crate::fs::random_name()));
        let file = File::options().write(true).create_new(true).open(&path)?;
        Ok(Self { file, path, finished: false })
    }

    #[expect(clippy::disallowed_methods, reason = "a file of the user's, not of our state")]
    fn finish(&mut self, target: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.path, target)?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.finished {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
