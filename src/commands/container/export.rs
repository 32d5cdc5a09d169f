//! `container export`: a container's files as a tar archive, complete or absent.

use std::fs::File;
use std::io::{IsTerminal as _, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use super::find;
use crate::cli::ContainerExport;
use crate::commands::start::cannot_write;
use crate::engine::{Engine, tail};
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::output;

/// Exports to a file or to stdout, in constant memory.
pub fn export(env: &Env, json: bool, engine: &Engine, args: &ContainerExport) -> Result<u8> {
    let target = args.output.as_deref().filter(|path| *path != Path::new("-"));
    if target.is_none() && std::io::stdout().is_terminal() {
        return Err(Failure::usage("cannot write an archive to a terminal")
            .hint("name a file with -o, or redirect stdout")
            .into());
    }
    if target.is_none() && json {
        return Err(Failure::usage("cannot write an archive and JSON to stdout both")
            .hint("name a file with -o")
            .into());
    }
    let found = find(engine, &args.container)?;
    let could_not = format!("could not export container {}", found.name);
    let Some(path) = target else {
        stream(env, engine, &found.id, &mut std::io::stdout().lock(), &could_not)?;
        return Ok(0);
    };
    let replaced = replaced(path)?;
    let mut partial = Partial::new(&replaced).map_err(|error| cannot_write(path, &error))?;
    let size = stream(env, engine, &found.id, &mut partial.file, &could_not)?;
    partial.finish(&replaced).map_err(|error| cannot_write(path, &error))?;
    if json {
        output::json(&json!({"success": true, "Id": found.id, "path": path, "bytes": size}))?;
    }
    Ok(0)
}

/// The file that the archive takes the place of: where a link leads, so that the link stays one. What is there and is
/// no regular file is refused, as docker does; replaced by a file, a device or a pipe would be gone.
fn replaced(target: &Path) -> Result<PathBuf> {
    if target.symlink_metadata().is_err() {
        return Ok(target.to_path_buf());
    }
    let file = target.canonicalize().map_err(|error| cannot_write(target, &error))?;
    if file.metadata().is_ok_and(|data| data.is_file() || data.is_dir()) {
        return Ok(file);
    }
    let why = format!("could not write {}: it is there and is not a regular file", target.display());
    Err(Failure::new(ErrorKind::Conflict, why).hint("name another file, or leave out -o and redirect stdout").into())
}

/// Copies docker's stdout; says how much there was.
fn stream(env: &Env, engine: &Engine, id: &str, out: &mut impl Write, could_not: &str) -> Result<u64> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let terminated = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, interrupted.clone())?;
    }
    signal_hook::flag::register(signal_hook::consts::SIGTERM, terminated.clone())?;
    let argv = super::words(["export"], id);
    let mut command = engine.command(&argv);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| engine.not_started(&error).failure(could_not))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let copied = stdout.map_or(Ok(0), |from| copy(env, from, out, &interrupted));
    if copied.is_err() {
        let _ = child.kill();
    }
    let mut words = Vec::new();
    let _ = stderr.map(|mut stderr| stderr.read_to_end(&mut words));
    let status = child.wait()?;
    if interrupted.load(Ordering::Relaxed) {
        let terminated = terminated.load(Ordering::Relaxed);
        let kind = if terminated { ErrorKind::Terminated } else { ErrorKind::Interrupted };
        return Err(Failure::new(kind, format!("{could_not}: interrupted")).into());
    }
    let size = copied?;
    if !status.success() {
        let failure = format!("{could_not}: docker export {}", crate::engine::ended(status));
        return Err(Failure::new(ErrorKind::EngineFailed, failure).detail(tail(&words)).into());
    }
    Ok(size)
}

fn copy(env: &Env, mut from: impl Read, out: &mut impl Write, interrupted: &AtomicBool) -> std::io::Result<u64> {
    let mut buffer = vec![0; 1 << 18];
    let (mut size, mut shown) = (0, Instant::now());
    loop {
        if interrupted.load(Ordering::Relaxed) {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        let count = match from.read(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if count == 0 {
            break;
        }
        out.write_all(&buffer[..count])?;
        size += count as u64;
        if env.stderr_terminal && shown.elapsed() > Duration::from_millis(200) {
            shown = Instant::now();
            let _ = write!(std::io::stderr(), "\r\x1b[K{} exported", crate::units::show_bytes(size));
        }
    }
    if env.stderr_terminal {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
    out.flush()?;
    Ok(size)
}

/// A file beside the target under a name of its own, removed again unless it is finished.
struct Partial {
    file: File,
    path: PathBuf,
    finished: bool,
}

impl Partial {
    fn new(target: &Path) -> std::io::Result<Self> {
        if target.is_dir() {
            return Err(std::io::ErrorKind::IsADirectory.into());
        }
        let name = target.file_name().ok_or(std::io::ErrorKind::InvalidInput)?.to_string_lossy();
        let path = target.with_file_name(format!(".{name}.{}.partial", crate::fs::random_name()));
        let file = File::options().write(true).create_new(true).open(&path)?;
        Ok(Self { file, path, finished: false })
    }

    #[expect(clippy::disallowed_methods, reason = "a file of the user's, not of our state")]
    fn finish(&mut self, target: &Path) -> std::io::Result<()> {
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
