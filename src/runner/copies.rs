//! Files of runs in volumes of the engine that are used again: a volume for each content. Runs mount it read-only.
//!
//! A volume is filled through a container that is never started, because docker copies nothing into a volume that is
//! mounted read-only. That it is whole is on record here and not at the engine. So one without a record, which a killed
//! process may have left, is made anew; if a container has it, the files are copied for this run alone.

use std::io::{self, Write};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::shipped::Sending;
use crate::engine::copying::CopyError;
use crate::engine::{Engine, EngineError, argv};
use crate::env::Env;
use crate::fault;
use crate::fs::random_name;
use crate::job::record::{Begun, Kind, Record};
use crate::job::store::Store;
use crate::transfer::{Pack, Tree};

/// Where the volume is in the container that fills it.
const PLACE: &str = "copy";
/// What is remembered of a volume that is being filled, before the name of the container that fills it.
const FILLING: &str = "filling ";
/// Pause between two looks whether another process has filled a volume.
const HELD: Duration = Duration::from_millis(100);

/// What is to be in a volume.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// The files.
    pub tree: &'a Tree,
    /// Directories that are added at the top, because others are mounted there.
    pub points: &'a [&'a str],
}

/// A volume with files.
#[derive(Debug)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// The label that tells it from others of its name.
    mark: String,
}

impl Content<'_> {
    /// The name of the volume for it: the user, and what is in it.
    fn volume(&self, uid: u32) -> io::Result<String> {
        let digest = self.tree.digest(&mut |_| Ok(()))?;
        let points: String = self.points.iter().map(|point| format!("-{point}")).collect();
        Ok(format!("{}{}{points}", argv::copy_names(uid), &digest[..40]))
    }

    fn pack(&self, to: &mut dyn Write) -> io::Result<()> {
        let mut archive = Pack::new(to);
        self.tree.pack_whole(PLACE, &mut archive)?;
        let (_, uid, gid) = self.tree.top();
        for point in self.points {
            archive.directory(&format!("{PLACE}/{point}"), 0o755, uid, gid)?;
        }
        archive.finish().map(drop)
    }
}

/// The volumes of an engine with files of runs, as far as this state directory knows them.
pub struct Shelf<'a> {
    engine: &'a Engine,
    store: Store,
    record: &'a Record,
    engine_id: &'a str,
}

impl<'a> Shelf<'a> {
    /// Those of the engine of a run.
    ///
    /// # Errors
    /// When the state directory cannot be opened.
    pub fn open(engine: &'a Engine, env: &Env, record: &'a Record, begun: &'a Begun) -> Result<Self> {
        let store = Store::open(env, Kind::Run)?.context("there is no state directory")?;
        Ok(Self { engine, store, record, engine_id: begun.engine_id.as_deref().unwrap_or_default() })
    }

    /// Whether the engine still has this volume.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub fn has(&self, volume: &Volume) -> Result<bool, EngineError> {
        Ok(self.found(&volume.name)?.is_some_and(|mark| mark == volume.mark))
    }

    /// The mark of a volume; `None` if there is none of this name. That of another maker is empty.
    fn found(&self, name: &str) -> Result<Option<String>, EngineError> {
        let described = self.engine.volumes(&[name.to_owned()])?;
        let mark = |volume: &Value| volume["Labels"][argv::COPY_LABEL].as_str().unwrap_or_default().to_owned();
        Ok(described.first().map(mark))
    }

    /// A volume with this content, which is made if it is missing. `None` if another one of its name is in use.
    ///
    /// # Errors
    /// When the engine or the copy fails.
    pub fn provide(&self, content: Content, sending: &mut Sending) -> Result<Option<Volume>, CopyError<anyhow::Error>> {
        let ours = CopyError::<anyhow::Error>::Ours;
        let name = content.volume(self.record.uid).map_err(|error| ours(error.into()))?;
        // Of several runs with the same files, the first makes the volume.
        let caches = loop {
            match self.store.try_hold_copies(&name).map_err(ours)? {
                Some(held) => break held,
                None if sending.is_wanted() => sleep(HELD),
                None => return Err(CopyError::Stopped),
            }
        };
        let on_record = |mark: &str| format!("{} {mark}", self.engine_id);
        let found = self.found(&name).map_err(CopyError::Engine)?;
        if let Some(mark) = found.clone().filter(|mark| caches.is_prepared(&name, &on_record(mark))) {
            return Ok(Some(Volume { name, mark }));
        }
        let engine = self.engine;
        let remove = || engine.run(&argv::volume_remove(&name), engine.patience);
        // What a killed process of this state directory has left. Another one may be filling the volume now: then it is in use.
        let filling = caches.known(&name).and_then(|known| Some(known.strip_prefix(FILLING)?.to_owned()));
        if let Some(holder) = filling {
            let _ = engine.run(&argv::remove(&holder), engine.patience);
        }
        if found.is_some() && !remove().map_err(CopyError::Engine)?.status.success() {
            return Ok(None);
        }
        let mark = random_name();
        let holder = format!("longshore-copy-{mark}");
        caches.set_prepared(&name, &format!("{FILLING}{holder}")).map_err(ours)?;
        engine.read(&argv::copy_create(&name, self.record.uid, &mark)).map_err(CopyError::Engine)?;
        engine.read(&argv::copy_holder(&holder, &name, PLACE, &self.record.image)).map_err(CopyError::Engine)?;
        fault::point("copy-held");
        let sent = sending.send(engine, &holder, &|to| content.pack(to)).map_err(CopyError::ours);
        let freed = engine.read(&argv::remove(&holder)).map(drop).map_err(CopyError::Engine);
        // A file may have been changed after it was read for the name.
        let filled = sent.and(freed).and_then(|()| match content.volume(self.record.uid) {
            Ok(again) if again == name => Ok(()),
            Ok(_) => Err(ours(anyhow::anyhow!("files were changed while they were copied"))),
            Err(error) => Err(ours(error.into())),
        });
        if let Err(error) = filled {
            let _ = remove();
            return Err(error);
        }
        fault::point("copy-filled");
        caches.set_prepared(&name, &on_record(&mark)).map_err(ours)?;
        Ok(Some(Volume { name, mark }))
    }
}
