//! Attends a run whose end nobody tells: on a swarm, only questions to a manager show how it stands. The pause between them
//! grows with the time that the run takes, because every question is one to the managers of all.

use std::time::{Duration, Instant};

use super::attend::Attendant;
use crate::job::PENDING;
use crate::job::standing::Alive;

/// The shortest and the longest pause between two questions.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// Which part of its time so far a run may be over before that is seen.
const PART: u32 = 10;

/// What was seen of a run that is polled.
#[derive(Debug, Default)]
pub struct Polled {
    /// Since when it is asked for.
    since: Option<Instant>,
    /// Since when it runs, as far as this process knows.
    running: Option<Instant>,
}

impl Attendant {
    /// Waits until a service that was just made can have a task on a node.
    pub(super) fn await_first_look(&mut self) {
        self.polled.since = Some(Instant::now());
        self.pause(PAUSES.0);
    }

    /// Notes what a run that has not ended does, and waits until it is to be asked for again. Its time is counted from its
    /// start on a node, and its output is copied from then on.
    pub(super) fn await_next_look(&mut self, alive: &Alive) {
        let now = Instant::now();
        let since = *self.polled.since.get_or_insert(now);
        self.note_pending(alive.pending.as_deref());
        if alive.pending.is_none() {
            self.relay_log(&alive.container, false);
            if self.polled.running.replace(now).is_none() {
                self.count_time_of(alive);
            }
        }
        self.pause((since.elapsed() / PART).clamp(PAUSES.0, PAUSES.1));
    }

    /// Shows in the job's directory why the swarm has not started it.
    fn note_pending(&self, why: Option<&str>) {
        let dir = &self.task.job.dir;
        let noted = dir.read(PENDING, 4096).ok();
        let _ = match (why, noted) {
            (Some(why), Some(noted)) if noted == why.as_bytes() => Ok(()),
            (Some(why), _) => dir.replace(PENDING, why.as_bytes()),
            (None, Some(_)) => dir.remove(PENDING),
            (None, None) => Ok(()),
        };
    }
}
