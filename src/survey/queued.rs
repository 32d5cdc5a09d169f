//! What a queued job waits for: other jobs, or its turn in a queue.

use std::collections::HashMap;

use crate::env::Env;
use crate::job::EXIT;
use crate::job::queue::{Queue, Settings, ask};
use crate::job::record::Record;
use crate::job::store::Store;
use crate::job::view::View;
use crate::job::waits::Dependency;
use crate::names::{JobId, QueueName};

/// The lines of the queues, each read once.
#[derive(Debug)]
pub struct Lines<'a> {
    env: &'a Env,
    known: HashMap<QueueName, Option<Line>>,
}

/// A queue at one moment.
#[derive(Debug)]
struct Line {
    settings: Settings,
    places: HashMap<JobId, usize>,
}

impl Line {
    fn read(env: &Env, name: &QueueName) -> Option<Self> {
        let queue = Queue::open(env, name).ok()??;
        let (settings, members) = (queue.settings().ok()?, queue.members().ok()?);
        let places = members.line.into_iter().zip(1..).map(|(entry, place)| (entry.id, place)).collect();
        Some(Self { settings, places })
    }
}

impl<'a> Lines<'a> {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(env: &'a Env) -> Self {
        Self { env, known: HashMap::new() }
    }

    /// Adds to the view of a queued job what it waits for.
    pub fn tell(&mut self, view: &mut View, record: &Record) {
        let others = self.others(record);
        let turn = record.waits.queue.as_ref().and_then(|name| self.turn(name, record));
        view.position = turn.as_ref().and_then(|(place, _)| *place);
        let waiting_for = others.or(turn.map(|(_, what)| what)).unwrap_or_else(|| "its start".to_owned());
        view.waiting_for.get_or_insert(waiting_for);
    }

    /// The jobs that have not ended.
    fn others(&self, record: &Record) -> Option<String> {
        let is_open = |dependency: &&Dependency| {
            let store = Store::open(self.env, dependency.kind).ok().flatten();
            store.and_then(|store| store.job(&dependency.id)).is_some_and(|job| !job.dir.has(EXIT))
        };
        let open: Vec<&Dependency> = record.waits.after.iter().filter(is_open).collect();
        let more = open.len().saturating_sub(1);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        open.first().map(|first| format!("{}{more}", first.shown()))
    }

    /// Its place in the queue, and what has to happen first.
    fn turn(&mut self, name: &QueueName, record: &Record) -> Option<(Option<usize>, String)> {
        let env = self.env;
        let line = self.known.entry(name.clone()).or_insert_with(|| Line::read(env, name)).as_ref()?;
        let place = line.places.get(&record.id).copied();
        let what = match (line.settings.limits.misfit(&ask(record)), place) {
            (_, None) => return Some((None, "its start".to_owned())),
            (Some(misfit), _) => format!("larger limits: queue {name} {misfit}"),
            (None, Some(1)) if line.settings.paused => format!("queue {name}, which is paused"),
            (None, Some(1)) => format!("room in queue {name}"),
            (None, Some(2)) => format!("the job before it in queue {name}"),
            (None, Some(place)) => format!("the {} jobs before it in queue {name}", place - 1),
        };
        Some((place, what))
    }
}
