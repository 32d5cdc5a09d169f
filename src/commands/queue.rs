//! `queue`: what queues are set to, and which jobs they have. Whoever changes a queue also admits the jobs that may start then.

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::cli::{Devices, Most, Queue as Verb, QueueList, QueueSet};
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::job::queue::{Entry, Limits, Members, Queue, Settings};
use crate::job::store::Store;
use crate::names::{Cpus, Endpoint, JobId, QueueName};
use crate::output::{Column, Page, Reply, Table, Voice};
use crate::supervisor::sweep;
use crate::units::{show_bytes_binary, show_duration};

/// If a job that runs was started on another engine than the one that the command would use.
const CONTEXT: &str = "CONTEXT";
const COLUMNS: [Column; 8] = [
    Column::part("QUEUE"),
    Column::whole("STATUS"),
    Column::whole("RUNNING"),
    Column::whole("WAITING"),
    Column::part(CONTEXT),
    Column::part("LIMITS"),
    Column::spare("TOOK"),
    Column::spare("DONE"),
];

/// A queue at one moment.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub struct QueueView {
    /// Its name.
    #[cfg_attr(test, schemars(with = "String"))]
    name: QueueName,
    /// Whether no job is started.
    paused: bool,
    /// How many jobs run at the same time; null if only another limit says so.
    slots: Option<u32>,
    /// How many processors the jobs may have together; null if that is not limited.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    cpus: Option<Cpus>,
    /// How much memory the jobs may have together, in bytes; null if that is not limited.
    memory: Option<u64>,
    /// The GPUs that are handed to the jobs, by index or UUID.
    gpus: Vec<String>,
    /// The jobs that run.
    #[cfg_attr(test, schemars(schema_with = "crate::schemas::job_ids"))]
    running: Vec<JobId>,
    /// The jobs that wait for their turn, the next one first.
    #[cfg_attr(test, schemars(schema_with = "crate::schemas::job_ids"))]
    waiting: Vec<JobId>,
    /// The jobs that wait for the ends of other jobs.
    #[cfg_attr(test, schemars(schema_with = "crate::schemas::job_ids"))]
    held: Vec<JobId>,
    /// How long the last jobs took, in seconds: the median of at most twenty; null if none has ended yet.
    took: Option<f64>,
    /// When the last job will be done, judged by that (RFC 3339, UTC); null if it cannot be told, or there is none.
    done: Option<DateTime<Utc>>,
    #[serde(skip)]
    #[cfg_attr(test, schemars(skip))]
    now: DateTime<Utc>,
    /// The engines of the jobs that run, each once.
    #[serde(skip)]
    #[cfg_attr(test, schemars(skip))]
    engines: Vec<Endpoint>,
}

/// Runs the command.
pub fn run(env: &Env, voice: &Voice, verb: Verb) -> Result<u8> {
    match verb {
        Verb::Set(args) => set(env, voice, &args),
        Verb::List(args) => list(env, voice, &args),
        Verb::Pause(args) => voice.each(args.names.iter().map(|name| pause(env, name))),
        Verb::Resume(args) => resume(env, voice, args.names),
        Verb::Rm(args) => voice.each(args.names.iter().map(|name| remove(env, name))),
    }
}

/// A queue that was changed.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct Changed {
    /// True: it was done.
    #[cfg_attr(test, schemars(extend("const" = true)))]
    success: bool,
    /// Its name.
    #[cfg_attr(test, schemars(with = "String"))]
    name: QueueName,
}

impl Reply for Changed {
    fn show(&self, page: &mut Page) -> Result<()> {
        page.line(self.name.as_str())
    }
}

fn set(env: &Env, voice: &Voice, args: &QueueSet) -> Result<u8> {
    let queue = Queue::make(env, &args.name)?;
    let settings = change(&queue, &args.name, |settings| settings.limits = changed(args, settings.limits.clone()))?;
    queue.advance()?;
    voice.reply(&QueueView::new(env, settings, &queue)?)?;
    Ok(0)
}

/// The limits with those that were given; the others stay.
fn changed(args: &QueueSet, old: Limits) -> Limits {
    let gpus = args.gpus.clone().map(|gpus| gpus.limit().map_or_else(Vec::new, |Devices(gpus)| gpus));
    Limits {
        slots: args.slots.clone().map_or(old.slots, Most::limit),
        cpus: args.cpus.clone().map_or(old.cpus, Most::limit),
        memory: args.memory.clone().map_or(old.memory, Most::limit),
        gpus: gpus.unwrap_or(old.gpus),
    }
}

fn list(env: &Env, voice: &Voice, args: &QueueList) -> Result<u8> {
    let queues = Queue::all(env)?.into_iter().map(|(settings, queue)| QueueView::new(env, settings, &queue));
    let queues = queues.collect::<Result<_>>()?;
    let here = env.endpoint();
    voice.reply(&QueueViews { queues, here, quiet: args.quiet, no_trunc: args.no_trunc })?;
    Ok(0)
}

fn pause(env: &Env, name: &QueueName) -> Result<Changed> {
    change(&find(env, name)?, name, |settings| settings.paused = true)?;
    Ok(Changed { success: true, name: name.clone() })
}

fn change(queue: &Queue, name: &QueueName, change: impl FnOnce(&mut Settings)) -> Result<Settings> {
    queue.change(change).with_context(|| format!("could not change queue {name}"))
}

/// What was started again.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct Resumed {
    /// The queues that were named.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    queues: Vec<QueueName>,
    /// The jobs that have a supervisor again.
    #[cfg_attr(test, schemars(schema_with = "crate::schemas::job_ids"))]
    jobs: Vec<JobId>,
}

impl Reply for Resumed {
    fn show(&self, page: &mut Page) -> Result<()> {
        page.lines(self.queues.iter().map(QueueName::as_str))?;
        self.jobs.iter().try_for_each(|id| page.note(&format!("note: job {id} has a supervisor again")))
    }
}

/// Starts queues again. Every command that changes something gives new supervisors to jobs that have none; without names,
/// this one does nothing else.
fn resume(env: &Env, voice: &Voice, names: Vec<QueueName>) -> Result<u8> {
    let queues = names.iter().map(|name| find(env, name)).collect::<Result<Vec<_>>>()?;
    for (queue, name) in queues.iter().zip(&names) {
        change(queue, name, |settings| settings.paused = false)?;
        queue.advance()?;
    }
    let swept = sweep(env);
    swept.failed.iter().for_each(|why| voice.note(&format!("warning: {why}")));
    let jobs = swept.adopted.into_iter().map(|(_, id, _)| id).collect();
    voice.reply(&Resumed { queues: names, jobs })?;
    Ok(0)
}

fn remove(env: &Env, name: &QueueName) -> Result<Changed> {
    if find(env, name)?.remove().with_context(|| format!("could not remove queue {name}"))? {
        return Ok(Changed { success: true, name: name.clone() });
    }
    let failure = Failure::new(ErrorKind::Conflict, format!("could not remove queue {name}: it has jobs"));
    Err(failure.hint(format!("wait for them, or stop them; list them with: longshore ps --filter queue={name}")).into())
}

/// The queue with this name.
///
/// # Errors
/// [`ErrorKind::NotFound`]
fn find(env: &Env, name: &QueueName) -> Result<Queue> {
    let missing = || Failure::new(ErrorKind::NotFound, format!("there is no queue {:?}", name.as_str()));
    Ok(Queue::open(env, name)?.ok_or_else(|| missing().hint("list them with: longshore queue list"))?)
}

/// All queues, by name.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct QueueViews {
    queues: Vec<QueueView>,
    #[serde(skip)]
    here: Endpoint,
    #[serde(skip)]
    quiet: bool,
    #[serde(skip)]
    no_trunc: bool,
}

impl Reply for QueueViews {
    fn show(&self, page: &mut Page) -> Result<()> {
        if self.quiet {
            return page.lines(self.queues.iter().map(|queue| queue.name.as_str()));
        }
        let is_elsewhere = self.queues.iter().flat_map(|queue| &queue.engines).any(|engine| *engine != self.here);
        let is_shown = |column: &&Column| column.name != CONTEXT || is_elsewhere;
        let columns: Vec<Column> = COLUMNS.iter().filter(is_shown).copied().collect();
        let row = |queue: &QueueView| columns.iter().map(|column| queue.cell(column.name)).collect();
        page.table(&Table { columns: &columns, rows: self.queues.iter().map(row).collect(), no_trunc: self.no_trunc })
    }
}

impl Reply for QueueView {
    fn show(&self, page: &mut Page) -> Result<()> {
        page.line(self.name.as_str())
    }
}

impl QueueView {
    fn new(env: &Env, settings: Settings, queue: &Queue) -> Result<Self> {
        let members = queue.members().with_context(|| format!("could not read queue {}", settings.name))?;
        let engines = engines(env, &members.running)?;
        let took = median(queue.took());
        let Settings { name, limits, paused, .. } = settings;
        let done = if paused { None } else { done(env.now(), &limits, &members, took) };
        let ids = |entries: Vec<Entry>| entries.into_iter().map(|entry| entry.id).collect();
        let slots = limits.most_jobs();
        let (running, waiting, held) = (ids(members.running), ids(members.line), ids(members.held));
        let Limits { cpus, memory, gpus, .. } = limits;
        Ok(Self {
            name,
            paused,
            slots,
            cpus,
            memory,
            gpus,
            running,
            waiting,
            held,
            took,
            done,
            now: env.now(),
            engines,
        })
    }

    fn cell(&self, column: &str) -> String {
        match column {
            "QUEUE" => self.name.to_string(),
            "STATUS" if self.paused => "paused".to_owned(),
            "STATUS" => "active".to_owned(),
            "RUNNING" => self.running.len().to_string(),
            "WAITING" => (self.waiting.len() + self.held.len()).to_string(),
            CONTEXT => self.engines.iter().map(Endpoint::name).collect::<Vec<_>>().join(", "),
            "LIMITS" => self.limits(),
            "TOOK" => self.took.and_then(duration).map(show_duration).unwrap_or_default(),
            "DONE" => self.done.and_then(|done| (done - self.now).to_std().ok()).map(until).unwrap_or_default(),
            _ => String::new(),
        }
    }

    /// `2 slots, 8 cpus, 16 GiB, GPUs 0,1`
    fn limits(&self) -> String {
        let count = |slots: u32| if slots == 1 { "1 slot".to_owned() } else { format!("{slots} slots") };
        let limits = [
            self.slots.map(count),
            self.cpus.map(|cpus| format!("{cpus} cpus")),
            self.memory.map(show_bytes_binary),
            (!self.gpus.is_empty()).then(|| format!("GPUs {}", self.gpus.join(","))),
        ];
        limits.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// The engines on which jobs were started, each once. A job that is gone meanwhile has none.
fn engines(env: &Env, entries: &[Entry]) -> Result<Vec<Endpoint>> {
    let mut engines = Vec::new();
    for entry in entries {
        let job = Store::open(env, entry.kind)?.and_then(|store| store.job(&entry.id));
        if let Some(Ok(record)) = job.map(|job| job.record())
            && !engines.contains(&record.endpoint)
        {
            engines.push(record.endpoint);
        }
    }
    Ok(engines)
}

/// `in 3m20s`
fn until(time: Duration) -> String {
    duration(time.as_secs_f64()).map(|time| format!("in {}", show_duration(time))).unwrap_or_default()
}

/// A number of seconds, rounded to whole ones from one second on.
fn duration(seconds: f64) -> Option<Duration> {
    let digits = if seconds < 1.0 { 10.0 } else { 1.0 };
    Duration::try_from_secs_f64((seconds * digits).round() / digits).ok()
}

fn median(mut took: Vec<f64>) -> Option<f64> {
    took.sort_by(f64::total_cmp);
    took.get(took.len() / 2).copied()
}

/// When the last job of a queue will be done, if each takes as long as the last ones and as many run at a time as now. Those
/// that run are taken to be in the middle of their time.
fn done(now: DateTime<Utc>, limits: &Limits, members: &Members, took: Option<f64>) -> Option<DateTime<Utc>> {
    let (running, waiting) = (members.running.len(), members.line.len() + members.held.len());
    if running + waiting == 0 {
        return None;
    }
    let at_once = limits.most_jobs().map_or(running, |slots| slots as usize).max(1);
    let rounds = u32::try_from(waiting.div_ceil(at_once)).ok()?;
    let left = took? * (f64::from(rounds) + if running == 0 { 0.0 } else { 0.5 });
    now.checked_add_signed(TimeDelta::from_std(Duration::try_from_secs_f64(left).ok()?).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::record::Kind;

    fn members(running: usize, line: usize) -> Members {
        let entry = |number: usize| Entry {
            number: number as u64,
            priority: 0,
            kind: Kind::Run,
            id: JobId::from_bytes([u8::try_from(number).unwrap(); 12]),
        };
        let entries = |count| (0..count).map(entry).collect();
        Members { running: entries(running), line: entries(line), held: Vec::new() }
    }

    #[test]
    fn when_a_queue_is_done_is_judged_by_the_last_jobs() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let slots = |slots| Limits { slots, cpus: Cpus::parse("4").ok(), ..Limits::default() };
        for (limits, running, line, took, expected) in [
            (slots(Some(1)), 0, 0, Some(10.0), None),
            (slots(Some(1)), 1, 0, None, None),
            (slots(Some(1)), 1, 0, Some(10.0), Some(5)),
            (slots(Some(1)), 1, 3, Some(10.0), Some(35)),
            (slots(Some(2)), 2, 3, Some(10.0), Some(25)),
            // Without slots, as many run at a time as now.
            (slots(None), 3, 6, Some(10.0), Some(25)),
            (slots(None), 0, 2, Some(10.0), Some(20)),
        ] {
            let done = done(now, &limits, &members(running, line), took).map(|done| (done - now).num_seconds());
            assert_eq!(done, expected, "{limits:?} {running} {line} {took:?}");
        }
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(Vec::new()), None);
    }
}
