//! What is shown at a terminal while a command waits for jobs: a line for each, and how each ended. Of a build, the step that
//! it is in is read from its log.

use std::fs::File;
use std::io::Read as _;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::env::Env;
use crate::job::Job;
use crate::job::record::{Kind, Outcome};
use crate::job::view::View;
use crate::log;
use crate::output::{Progressing, Voice};
use crate::recipe::steps::{Step, step};
use crate::units::{show_bytes, show_duration};

/// Pause between two drawings.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest beginning of a line of a log in which a step is looked for.
const LINE: usize = 4 << 10;
const CHUNK: usize = 64 << 10;

/// The jobs that are waited for.
#[derive(Debug)]
pub struct Progress<'a> {
    env: &'a Env,
    voice: &'a Voice,
    rows: Vec<Row<'a>>,
    drawn: Option<Instant>,
}

impl<'a> Progress<'a> {
    /// Of these jobs; `None` where nothing of it can be shown.
    pub fn of(env: &'a Env, voice: &'a Voice, jobs: impl IntoIterator<Item = &'a Job>) -> Option<Self> {
        if voice.progressing() == Progressing::Never {
            return None;
        }
        Some(Self { env, voice, rows: jobs.into_iter().map(Row::new).collect(), drawn: None })
    }

    /// Shows how the jobs stand, if that was not done a moment before.
    pub fn tick(&mut self) {
        if self.drawn.is_some_and(|drawn| drawn.elapsed() < PAUSE) {
            return;
        }
        self.drawn = Some(Instant::now());
        let now = self.env.now();
        let changed: Vec<bool> = self.rows.iter_mut().map(Row::advance).collect();
        let lines = self.rows.iter().map(|row| row.line(now));
        match self.voice.progressing() {
            Progressing::InPlace => self.voice.draw_bottom(&lines.collect::<Vec<_>>()),
            _ => lines.zip(changed).filter(|(_, changed)| *changed).for_each(|(line, _)| self.voice.note(&line)),
        }
    }

    /// Says how a job ended, and how long it took.
    pub fn close(&mut self, view: &View) {
        let Some(at) = self.rows.iter().position(|row| row.job.id == view.id) else { return };
        let row = self.rows.remove(at);
        // At the next look, the other jobs are shown below.
        self.drawn = None;
        self.voice.note(&ending(&row.name, view));
    }
}

/// What is shown at a terminal while one thing is copied: the bytes so far.
#[derive(Debug)]
pub struct Counter<'a> {
    voice: &'a Voice,
    what: &'a str,
    /// The size that the thing is said to have. What is sent of it may be smaller or larger.
    size: Option<u64>,
    drawn: Option<Instant>,
}

impl<'a> Counter<'a> {
    /// Of a copy that is called this, such as `fetching` or the name of an image.
    #[must_use]
    pub fn new(voice: &'a Voice, what: &'a str, size: Option<u64>) -> Self {
        Self { voice, what, size, drawn: None }
    }

    /// Shows how far it is, if that was not done a moment before.
    pub fn tick(&mut self, bytes: u64) {
        let is_due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= PAUSE);
        if is_due && self.voice.progressing() == Progressing::InPlace {
            self.drawn = Some(Instant::now());
            self.voice.draw_bottom(&[line(self.what, bytes, self.size)]);
        }
    }
}

/// `web: 120MB of about 238MB`
fn line(what: &str, bytes: u64, size: Option<u64>) -> String {
    let of = size.filter(|size| *size >= bytes).map(|size| format!(" of about {}", show_bytes(size)));
    format!("{what}: {}{}", show_bytes(bytes), of.unwrap_or_default())
}

impl Drop for Counter<'_> {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            crate::output::erase_bottom();
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        crate::output::erase_bottom();
    }
}

/// `web: succeeded in 1m12s`, `web: failed after 3s`
fn ending(name: &str, view: &View) -> String {
    let outcome = view.outcome.map_or("running", Outcome::word);
    let word = if view.outcome == Some(Outcome::Succeeded) { "in" } else { "after" };
    match (view.created, view.finished) {
        (Some(begun), Some(end)) => format!("{name}: {outcome} {word} {}", between(begun, end)),
        _ => format!("{name}: {outcome}"),
    }
}

/// In whole seconds.
fn between(begun: DateTime<Utc>, end: DateTime<Utc>) -> String {
    show_duration(Duration::from_secs(u64::try_from((end - begun).num_seconds()).unwrap_or_default()))
}

/// One job.
#[derive(Debug)]
struct Row<'a> {
    job: &'a Job,
    /// Its name, or its id.
    name: String,
    created: Option<DateTime<Utc>>,
    /// How long the last one with its name took, in seconds.
    last_took: Option<f64>,
    steps: Option<Steps>,
    /// What is said of a run whose files are copied to its engine and back.
    moving: Option<String>,
    is_copied: bool,
    outcome: Option<Outcome>,
}

impl<'a> Row<'a> {
    fn new(job: &'a Job) -> Self {
        let record = job.record().ok();
        let name = record.as_ref().and_then(crate::job::record::Record::shown_name);
        let steps = (job.kind == Kind::Build).then(|| log::open(job).ok().map(|log| Steps::of(log.file))).flatten();
        Self {
            job,
            name: name.unwrap_or_else(|| job.id.to_string()),
            created: record.as_ref().map(|record| record.created),
            last_took: record.as_ref().and_then(|record| record.last_took),
            steps,
            moving: None,
            is_copied: record.is_some_and(|record| record.is_copied()),
            outcome: None,
        }
    }

    /// Looks at the job again; returns whether something else is to be said of it, beside the time.
    fn advance(&mut self) -> bool {
        let ended = self.outcome.is_none().then(|| self.job.exit()).flatten();
        if let Some(exit) = ended {
            self.outcome = Some(exit.map_or(Outcome::Corrupt, |exit| exit.outcome));
            return true;
        }
        let moving = self.is_copied.then(|| self.job.moving().shown()).flatten();
        // The bytes alone are no news for a log.
        let is_new = self.moving.is_some() != moving.is_some();
        self.moving = moving;
        self.outcome.is_none() && (is_new || self.steps.as_mut().is_some_and(Steps::advance))
    }

    /// `web: step 4 of 6: pip packages, 1m12s (the last one took 2m30s)`
    fn line(&self, now: DateTime<Utc>) -> String {
        if let Some(outcome) = self.outcome {
            return format!("{}: {}", self.name, outcome.word());
        }
        let doing = match (self.job.kind, self.steps.as_ref().and_then(|steps| steps.now.as_ref())) {
            (_, Some(Step { number, of, text })) => format!("step {number} of {of}: {text}"),
            (Kind::Run, None) if self.moving.is_some() => self.moving.clone().unwrap_or_default(),
            (Kind::Build, None) => "starting".to_owned(),
            (Kind::Run, None) => "running".to_owned(),
        };
        let elapsed = self.created.map(|created| format!(", {}", between(created, now))).unwrap_or_default();
        let seconds = self.last_took.and_then(|seconds| Duration::try_from_secs_f64(seconds.round()).ok());
        let last = seconds.map(|last| format!(" (the last one took {})", show_duration(last))).unwrap_or_default();
        format!("{}: {doing}{elapsed}{last}", self.name)
    }
}

/// The steps that a log announces while it grows.
#[derive(Debug)]
struct Steps {
    log: File,
    /// The beginning of a line whose end is not there yet.
    line: Vec<u8>,
    now: Option<Step>,
}

impl Steps {
    fn of(log: File) -> Self {
        Self { log, line: Vec::new(), now: None }
    }

    /// Reads what was added; returns whether another step has begun.
    fn advance(&mut self) -> bool {
        let before = self.now.clone();
        let mut chunk = vec![0; CHUNK];
        while let Ok(count @ 1..) = self.log.read(&mut chunk) {
            self.take(&chunk[..count]);
        }
        self.now != before
    }

    fn take(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LINE.saturating_sub(self.line.len());
            self.line.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                // Steps of BuildKit that do not depend on each other may be announced in any order.
                let begun =
                    step(&self.line).filter(|step| self.now.as_ref().is_none_or(|now| now.number < step.number));
                self.now = begun.or(self.now.take());
                self.line.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::record::Record;
    use crate::job::standing::{Facts, Standing};
    use crate::names::JobId;

    #[test]
    fn the_steps_of_a_growing_log_are_those_that_have_begun_whatever_the_pieces() {
        let text = b"#4 [1/3] FROM base\n#5 [internal] load\n#6 [2/3] RUN x\n#4 [1/3] FROM base\n#6 0.1 out\n#7 [3/3] WORKDIR /app\n";
        for size in [1, 2, 7, 1000] {
            let mut steps = Steps::of(tempfile::tempfile().unwrap());
            let mut seen = Vec::new();
            for piece in text.chunks(size) {
                steps.take(piece);
                seen.extend(steps.now.as_ref().map(|step| step.number));
            }
            seen.dedup();
            assert_eq!(seen.last(), Some(&3), "in pieces of {size}");
            assert!(seen.is_sorted(), "in pieces of {size}: {seen:?}");
        }
    }

    #[test]
    fn a_long_line_takes_little_memory_and_hides_no_step() {
        let mut steps = Steps::of(tempfile::tempfile().unwrap());
        steps.take(&vec![b'x'; 1 << 20]);
        assert!(steps.line.len() <= LINE);
        steps.take(b"\nStep 2/4 : ENV A=1\n");
        assert_eq!(steps.now.unwrap().number, 2);
    }

    #[test]
    fn a_size_that_was_passed_is_not_shown() {
        assert_eq!(line("web", 120_000_000, Some(238_000_000)), "web: 120MB of about 238MB");
        assert_eq!(line("web", 240_000_000, Some(238_000_000)), "web: 240MB");
        assert_eq!(line("web", 0, None), "web: 0B");
    }

    #[test]
    fn a_closing_line_says_how_it_ended_and_how_long_it_took() {
        let id = JobId::from_bytes([7; 12]);
        let record = Record::example(&id, Kind::Build, Some("web:latest"));
        let begun = record.created;
        let mut exit = crate::job::record::Exit::new(Outcome::Failed);
        exit.finished = Some(begun + chrono::TimeDelta::seconds(72));
        let facts = Facts { record: Ok(record), ..Facts::unreadable(id, Kind::Build, "") };
        let view = View::new(&facts, &Standing::Ended(exit.clone()));
        assert_eq!(ending("web", &view), "web: failed after 1m12s");
        exit.outcome = Outcome::Succeeded;
        assert_eq!(ending("web", &View::new(&facts, &Standing::Ended(exit))), "web: succeeded in 1m12s");
    }
}
