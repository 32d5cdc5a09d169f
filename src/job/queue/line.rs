//! The jobs of a queue: they enter, are admitted in their order, and leave.

use std::io;

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::admission::{Ask, Held, Room, Verdict};
use super::{Entry, HELD, LINE, Members, Queue, RUNNING, SMALL, Stage};
use crate::env::Env;
use crate::fault;
use crate::fs::Dir;
use crate::job::{EXIT, Job};
use crate::names::{JobId, QueueName};

/// The number of the last job that came.
const LAST: &str = "last";
/// The size of an entry in bytes, unless it needs more.
const ROOM: usize = 1024;
/// How often a queue may be removed while a job enters it.
const TRIES: u32 = 10;

impl Queue {
    /// All jobs of it. Those whose end is recorded are left out; a killed process may have left their entries.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn members(&self) -> io::Result<Members> {
        let [mut held, mut line, running] = [HELD, LINE, RUNNING].map(|place| self.entries(place));
        for waiting in [&mut held, &mut line].into_iter().flatten() {
            waiting.sort_by_key(Entry::order);
        }
        let mut members = Members { running: running?, line: line?, held: held? };
        for entries in [&mut members.running, &mut members.line, &mut members.held] {
            entries.retain(|entry| self.is_open(entry));
        }
        Ok(members)
    }

    pub(super) fn entries(&self, place: &str) -> io::Result<Vec<Entry>> {
        Ok(self.dir.subdir(place)?.names()?.iter().filter_map(|name| Entry::parse(name)).collect())
    }

    /// Whether the job of an entry is there and has no exit record.
    fn is_open(&self, entry: &Entry) -> bool {
        let job = format!("{}/{}", entry.kind.word(), entry.id);
        self.root.has(&job) && !self.root.has(&format!("{job}/{EXIT}"))
    }

    /// The job of an entry; `None` if it was removed.
    #[must_use]
    pub fn job(&self, entry: &Entry) -> Option<Job> {
        let dir = self.root.subdir(entry.kind.word()).ok()?.subdir(entry.id.as_str()).ok()?;
        Some(Job { id: entry.id.clone(), kind: entry.kind, dir })
    }

    /// Where a job stands in it; `None` if it is not a member.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn stage(&self, id: &JobId) -> io::Result<Option<Stage>> {
        // It may move from one to the next meanwhile, so they are looked at in the order of its life, the last one again.
        for (place, stage) in [(RUNNING, None), (HELD, Some(Stage::Held)), (LINE, Some(Stage::Line)), (RUNNING, None)] {
            let Some(entry) = self.entries(place)?.into_iter().find(|entry| entry.id == *id) else { continue };
            return Ok(Some(stage.unwrap_or_else(|| Stage::Running(self.held(&entry)))));
        }
        Ok(None)
    }

    fn held(&self, entry: &Entry) -> Held {
        let read = || serde_json::from_slice(&self.dir.subdir(RUNNING).ok()?.read(&entry.file(), SMALL).ok()?).ok();
        read().unwrap_or_default()
    }

    /// Whether a job waits for its turn.
    #[must_use]
    pub fn is_in_line(&self, id: &JobId) -> bool {
        self.stage(id).is_ok_and(|stage| stage == Some(Stage::Line))
    }

    /// As [`Queue::enter`], for the queue with this name, which is made if there is none.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn enter_named(env: &Env, name: &QueueName, job: &Job, priority: i32, ask: &Ask, stage: &Stage) -> Result<()> {
        for _ in 0..TRIES {
            match Self::make(env, name)?.enter(job, priority, ask, stage) {
                // It was removed in this moment.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                entered => return entered.with_context(|| format!("could not enter the queue {name}")),
            }
        }
        anyhow::bail!("could not enter the queue {name}: it is removed again and again")
    }

    /// Puts a job at the end of the line, or among those that wait for others. A job that is there already stays where it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn enter(&self, job: &Job, priority: i32, ask: &Ask, stage: &Stage) -> io::Result<()> {
        let _held = self.hold()?;
        if self.stage(&job.id)?.is_some() {
            return Ok(());
        }
        let entry = Entry { number: self.next_number()?, priority, kind: job.kind, id: job.id.clone() };
        let place = self.dir.subdir(if *stage == Stage::Held { HELD } else { LINE })?;
        place.write_new(&entry.file(), &padded(ask)?)
    }

    /// A number that is greater than all that were given. The file may be lost in a crash of the host.
    fn next_number(&self) -> io::Result<u64> {
        let kept = self.dir.read(LAST, SMALL).ok().and_then(|bytes| String::from_utf8(bytes).ok()?.trim().parse().ok());
        let mut numbers: Vec<u64> = kept.into_iter().collect();
        for place in [HELD, LINE, RUNNING] {
            numbers.extend(self.entries(place)?.iter().map(|entry| entry.number));
        }
        let next = numbers.into_iter().max().map_or(1, |last| last.saturating_add(1));
        if self.dir.has(LAST) {
            self.dir.overwrite(LAST, format!("{next:020}").as_bytes())?;
        } else {
            self.dir.write_new(LAST, format!("{next:020}").as_bytes())?;
        }
        Ok(next)
    }

    /// Moves a job whose dependencies have ended into the line, to the place that it has by its number.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn release(&self, id: &JobId) -> io::Result<()> {
        let _held = self.hold()?;
        let (held, line) = (self.dir.subdir(HELD)?, self.dir.subdir(LINE)?);
        let entries = self.entries(HELD)?;
        let mut ours = entries.iter().filter(|entry| entry.id == *id);
        ours.try_for_each(|entry| held.place(&entry.file(), &line, &entry.file()))
    }

    /// Takes a job out of it, which gives its room back.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn leave(&self, id: &JobId) -> io::Result<()> {
        let _held = self.hold()?;
        for place in [HELD, LINE, RUNNING] {
            let dir = self.dir.subdir(place)?;
            for entry in self.entries(place)?.iter().filter(|entry| entry.id == *id) {
                dir.remove(&entry.file())?;
            }
        }
        Ok(())
    }

    /// Admits the jobs for which there is room, and wakes their supervisors. Returns those that are admitted now. A job whose
    /// supervisor was killed is passed over until it has another one.
    ///
    /// # Errors
    /// When it cannot be read or written. What was admitted before stays so.
    pub fn admit(&self) -> Result<Vec<Entry>> {
        let _held = self.hold()?;
        let settings = self.settings()?;
        let (line_dir, running_dir) = (self.dir.subdir(LINE)?, self.dir.subdir(RUNNING)?);
        let mut running = self.entries(RUNNING)?;
        clear(&running_dir, &mut running, |entry| self.is_open(entry));
        if settings.paused {
            return Ok(running);
        }
        let held: Vec<Held> = running.iter().map(|entry| self.held(entry)).collect();
        let mut room = Room::beside(&settings.limits, &held);
        let mut line = self.entries(LINE)?;
        line.sort_by_key(Entry::order);
        for entry in line {
            if !self.is_open(&entry) {
                let _ = line_dir.remove(&entry.file());
                continue;
            }
            let Some(job) = self.job(&entry).filter(Job::is_supervised) else { continue };
            let ask: Ask = line_dir
                .read(&entry.file(), SMALL)
                .ok()
                .and_then(|bytes| serde_json::from_slice(&bytes).ok())
                .unwrap_or_default();
            match room.admit(&ask) {
                Verdict::Never => {}
                Verdict::Wait => break,
                Verdict::Start(devices) => {
                    if !devices.is_empty() {
                        line_dir.overwrite(&entry.file(), &padded(&Held { ask, devices })?)?;
                    }
                    fault::point("admitting");
                    line_dir.place(&entry.file(), &running_dir, &entry.file())?;
                    job.wake();
                    running.push(entry);
                }
            }
        }
        Ok(running)
    }

    /// Removes the entries of jobs that have ended, which killed processes left, and admits those for which there is room.
    ///
    /// # Errors
    /// As [`Queue::admit`].
    pub fn tidy(&self) -> Result<()> {
        let held = self.hold()?;
        for place in [HELD, LINE, RUNNING] {
            clear(&self.dir.subdir(place)?, &mut self.entries(place)?, |entry| self.is_open(entry));
        }
        drop(held);
        self.advance()
    }

    /// As [`Queue::admit`], by a process that does not watch the queue, so that the one that does learns of it.
    ///
    /// # Errors
    /// As [`Queue::admit`].
    pub fn advance(&self) -> Result<()> {
        // If this process is killed now, the other one admits them.
        self.ring();
        let admitted = self.admit();
        self.ring();
        admitted.map(drop)
    }
}

/// Removes entries of jobs that have ended, which killed processes left.
fn clear(dir: &Dir, entries: &mut Vec<Entry>, is_open: impl Fn(&Entry) -> bool) {
    entries.retain(|entry| {
        let stays = is_open(entry);
        if !stays {
            let _ = dir.remove(&entry.file());
        }
        stays
    });
}

/// What a queue knows of a job, with room for the GPUs that it gets: the disk may be full when it is admitted.
fn padded(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(value)?;
    bytes.resize(bytes.len().max(ROOM), b' ');
    Ok(bytes)
}
