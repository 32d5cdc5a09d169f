//! Attends a run on an engine that does not see the caller's files: copies its output to the log while it runs, notices a dead
//! line, and fetches what it left when it has ended.
//!
//! A connection can break without a sign, for example one through ssh. So no client is waited for without a limit: another
//! question finds out whether the engine still answers.

use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Instant;

use super::attend::{Attendant, Seen};
use super::ending::BACKOFF;
use super::relay::Relay;
use crate::error::{Failure, Kind};
use crate::fault;
use crate::job::moved::{FETCHED, MOVING, Notes, Phase, SHIPPED};
use crate::job::record::UNFETCHED;
use crate::job::standing::{Ended, Sighting};
use crate::log::compare::Outage;
use crate::runner::{NotFetched, container_name};

/// After how many times the time limit of a question the engine is asked again about a container that runs, and a client of
/// the log that is silent after its end is replaced.
const QUIET: u32 = 3;
/// How often a copy of the output that breaks in the middle is begun while the engine answers.
const TRIES: u32 = 5;

impl Attendant {
    /// Attends a run that this process has started.
    pub(super) fn attend_afar(&mut self) -> Seen {
        if !self.task.job.dir.has(SHIPPED) {
            // It was asked to end before its container was started.
            return self.seen(None, Sighting::Absent);
        }
        let container = container_name(&self.task.job.id);
        if self.task.runner().is_polled() {
            self.await_first_look();
        } else {
            self.relay_log(&container, false);
            self.await_container(&container);
        }
        let sighting = self.until_certain(None);
        self.seen_afar(sighting)
    }

    /// The same for a run whose supervisor was killed, when its container has ended.
    pub(super) fn seen_afar(&mut self, sighting: Sighting) -> Seen {
        let Sighting::Ended(end) = &sighting else { return self.seen(None, sighting) };
        self.relay_log(&end.container, true);
        let (limit, quiet) = (self.task.runner().follow_limit(), self.task.env.patience * QUIET);
        let sampler = &mut self.sampler;
        let meanwhile = || {
            if let Some(sampler) = sampler {
                sampler.trim();
            }
        };
        let is_whole = self.relay.take().is_some_and(|relay| relay.finish(limit, quiet, meanwhile));
        fault::point("relayed");
        let unfetched = self.fetch_output(end);
        // The managers of a swarm say themselves whether they know the code.
        let known = (self.task.runner().is_polled() && end.made_up.is_none()).then_some(end.code);
        let witness = self.witness.or(known).filter(|code| is_whole && *code == end.code);
        let client = witness.map(|code| ExitStatus::from_raw(code << 8));
        Seen { unfetched, ..self.seen(client, sighting) }
    }

    /// Copies the output of a container to the log from now on, unless that is done already.
    pub(super) fn relay_log(&mut self, container: &str, is_over: bool) {
        if self.task.runner().copies() && self.relay.as_ref().is_none_or(Relay::is_done) {
            // Without another thread, the whole output is copied at the end.
            self.relay = Relay::start(Arc::clone(&self.task), container.to_owned(), is_over).ok();
        }
    }

    /// Waits until docker says that a container has ended. If it is on another machine, the engine is asked now and then
    /// whether it still runs: the connection of this client may be dead. Returns the exit code that docker says; of a container
    /// on another machine it is kept, because docker waited for one that ran: the engine did not make that code up.
    pub(super) fn await_container(&mut self, container: &str) -> Option<i32> {
        let mut waiting = self.task.runner().wait(container).ok()?;
        let answer = waiting.stdout.take();
        let is_afar = self.task.runner().copies();
        let status = loop {
            let limit = is_afar.then(|| Instant::now() + self.task.env.patience * QUIET);
            match self.until_ended_by(&mut waiting, limit) {
                Some(status) => break status,
                None if matches!(self.look(), Sighting::Alive(_)) => {}
                None => {
                    let _ = waiting.kill();
                    let _ = waiting.wait();
                    return None;
                }
            }
        };
        let mut text = String::new();
        answer?.take(64).read_to_string(&mut text).ok()?;
        let code = text.trim().parse().ok().filter(|_| status.success());
        self.witness = code.filter(|_| is_afar);
        code
    }

    /// The engine could not be asked about a run on another machine. What it is connected to may be dead.
    pub(super) fn note_dead_line(&mut self) {
        self.outage = self.outage.max(Outage::Possible);
        self.relay.iter().for_each(Relay::renew);
    }

    /// Copies the output to its directory, and tries again while the engine does not answer. Returns why it cannot be copied.
    fn fetch_output(&mut self, end: &Ended) -> Option<Failure> {
        let task = Arc::clone(&self.task);
        let output = task.record.run()?.output.as_ref()?;
        if task.job.has_fetched() {
            return None;
        }
        // Its node may be gone for good, so this does not wait for it. `exec fetch` can ask for what is there.
        if task.runner().is_cut_short(end) && task.record.has_output_afar() {
            let why = format!("{UNFETCHED} {}: its program did not come to its end", task.job.id);
            return Some(Failure::new(Kind::Failed, why));
        }
        let (mut pause, mut tries) = (BACKOFF.0, 0);
        loop {
            tries += 1;
            let mut notes = Notes::new(&task.job, Phase::Fetching, None);
            let heed = &mut |bytes: u64| {
                notes.note(bytes);
                true
            };
            let fetched = task.runner().fetch_output(&task.record, &end.container, Path::new(output.as_str()), heed);
            let failure = match fetched {
                Ok(moved) => match task.job.write_json(FETCHED, &moved) {
                    Ok(()) => None,
                    Err(error) => Some(Failure::new(Kind::Internal, format!("could not record a copy: {error:#}"))),
                },
                Err(NotFetched::Failed(failure)) => Some(failure),
                Err(NotFetched::Cut(failure)) if tries >= TRIES => Some(failure),
                Err(broken) => {
                    self.mark_waiting(matches!(broken, NotFetched::Away(_)));
                    self.pause(pause);
                    pause = (pause * 2).min(BACKOFF.1);
                    continue;
                }
            };
            self.mark_waiting(false);
            let _ = task.job.dir.remove(MOVING);
            fault::point("fetched");
            return failure;
        }
    }
}
