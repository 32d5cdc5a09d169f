//! Prepares the volume of a cache before a run: a new volume belongs to root, and the program runs as another user.
//!
//! The engine unpacks an archive with one entry, the directory itself, into a container that has the volume and is never started.
//! So no process runs as root, and the image needs no program for it. Until that is on record it is done again, so a process may
//! be killed at any step; the next one removes the container that it left.

use std::process::Output;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::engine::{Engine, argv};
use crate::env::Env;
use crate::error::{Failure, Kind};
use crate::fault;
use crate::job::record::{Begun, Kind as JobKind, Record, Run};
use crate::job::store::Store;
use crate::names::{CACHE_TARGET, CacheName, UserSpec};

/// Makes the volume of the run's cache if it is missing, and makes it writable.
pub fn prepare(engine: &Engine, env: &Env, record: &Record, run: &Run, begun: &Begun) -> Result<()> {
    let Some(cache) = &run.cache else { return Ok(()) };
    let could_not = format!("could not prepare the cache {cache}");
    let store = Store::open(env, JobKind::Run)?.context("there is no state directory")?;
    let caches = store.hold_caches()?;
    let volume = cache.volume(record.uid);
    let call = |args: &[String]| engine.read(args).map_err(|error| error.failure(&could_not));
    call(&argv::volume_create(cache, record.uid))?;
    let described: Vec<Value> = serde_json::from_slice(&call(&argv::volume_inspect(std::slice::from_ref(&volume)))?)?;
    let described = described.first().context("docker does not describe the volume")?;
    check_owner(described, cache, record.uid)?;
    let made = described["CreatedAt"].as_str().unwrap_or_default();
    let mark = format!("{} {made}", begun.engine_id.as_deref().unwrap_or_default());
    if caches.is_prepared(&volume, &mark) {
        return Ok(());
    }
    // Another process that was killed may have left it.
    let _ = engine.run(&argv::remove(&volume), engine.patience);
    call(&argv::cache_holder(cache, record.uid, &record.image))?;
    fault::point("cache-held");
    let args = argv::unpack(&volume);
    let unpacked = engine.run_with(&args, engine.patience, Some(archive(owner(record, run))));
    let removed = call(&argv::remove(&volume));
    let output: Output = unpacked.map_err(|error| error.failure(&could_not))?;
    ensure!(output.status.success(), engine.explain(&args, &output).failure(&could_not));
    removed?;
    caches.set_prepared(&volume, &mark)
}

/// Somebody else may have made a volume of that name, with any directory of the host behind it.
fn check_owner(volume: &Value, cache: &CacheName, uid: u32) -> Result<(), Failure> {
    let has = |label: &str, value: &str| volume["Labels"][label] == value;
    let is_plain = volume["Driver"] == "local" && volume["Options"].as_object().is_none_or(serde_json::Map::is_empty);
    if is_plain && has(argv::CACHE_LABEL, cache.as_str()) && has(argv::OWNER_LABEL, &uid.to_string()) {
        return Ok(());
    }
    let name = cache.volume(uid);
    Err(Failure::new(
        Kind::Conflict,
        format!("cannot use the cache {cache}: the volume {name} was not made by longshore"),
    )
    .hint(format!("choose another name, or remove it with: docker volume rm {name}")))
}

/// The ids that the directory gets. Others can write to it, too, and cannot remove what is not theirs.
fn owner(record: &Record, run: &Run) -> (u32, u32) {
    match run.user {
        UserSpec::Caller => (record.uid, record.gid),
        UserSpec::Ids { uid, gid } => (uid, gid.unwrap_or(0)),
        UserSpec::Image => (0, 0),
    }
}

/// A tar archive with one entry: the directory of the cache, with its owner and the mode 1777.
fn archive((uid, gid): (u32, u32)) -> Vec<u8> {
    let mut header = [0; 512];
    let mut set = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    set(0, format!("{}/", CACHE_TARGET.trim_start_matches('/')).as_bytes());
    set(100, b"0001777\0");
    set(108, &number(uid));
    set(116, &number(gid));
    set(124, b"00000000000\0");
    set(136, b"00000000000\0");
    set(148, b"        ");
    set(156, b"5");
    set(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    // Two empty blocks end the archive.
    [&header[..], &[0; 1024]].concat()
}

/// Seven octal digits, or, of a larger number, its bytes behind a byte 128, as GNU tar writes them.
fn number(id: u32) -> [u8; 8] {
    let mut field = [0; 8];
    if id < 1 << 21 {
        field[..7].copy_from_slice(format!("{id:07o}").as_bytes());
    } else {
        field[0] = 128;
        field[4..].copy_from_slice(&id.to_be_bytes());
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_one_that_tar_reads() {
        for (uid, gid) in [(0, 0), (1000, 100), (2_097_151, 2_097_152), (0x7fff_ffff, 5)] {
            let archive = archive((uid, gid));
            assert_eq!(archive.len(), 1536);
            let sum: u32 = archive[..512]
                .iter()
                .enumerate()
                .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
                .sum();
            assert_eq!(archive[148..154], *format!("{sum:06o}").as_bytes());
        }
        assert_eq!(number(1000), *b"0001750\0");
        assert_eq!(number(0x7fff_ffff), [128, 0, 0, 0, 127, 255, 255, 255]);
    }

    #[test]
    fn a_volume_of_somebody_else_is_refused() {
        let cache = CacheName::parse("pip").unwrap();
        let labels = serde_json::json!({"longshore.cache": "pip", "longshore.uid": "7"});
        let volume = |labels: &Value, options: Value| serde_json::json!({"Driver": "local", "Labels": labels, "Options": options});
        assert_eq!(check_owner(&volume(&labels, Value::Null), &cache, 7), Ok(()));
        assert_eq!(check_owner(&volume(&labels, serde_json::json!({})), &cache, 7), Ok(()));
        for (volume, uid) in [
            (volume(&labels, Value::Null), 8),
            (volume(&Value::Null, Value::Null), 7),
            (volume(&labels, serde_json::json!({"device": "/"})), 7),
        ] {
            let refusal = check_owner(&volume, &cache, uid).unwrap_err();
            assert!(refusal.message.contains("was not made by longshore"), "{refusal:?}");
        }
    }
}
