//! `container stats`: shows the resource usage of containers.
//!
//! While docker streams, it prints terminal controls between the rows. They show here where one frame ends. Each object
//! has docker's own fields and the same values as numbers.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read as _};
use std::process::Output;

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use super::find;
use crate::cli::ContainerStats;
use crate::engine::Engine;
use crate::engine::stats::sample;
use crate::engine::stream::Readers;
use crate::output::{Page, Reply, Table, Voice};

/// The number of past samples that a sparkline shows.
const HISTORY: usize = 20;

/// Shows them: once, as a stream of objects, or as a table that redraws in place.
pub fn stats(voice: &Voice, engine: &Engine, args: &ContainerStats) -> Result<u8> {
    let mut argv = ["stats", "--no-trunc", "--format", "{{json .}}"].map(str::to_owned).to_vec();
    argv.extend(args.all.then(|| "--all".to_owned()));
    argv.extend(args.no_stream.then(|| "--no-stream".to_owned()));
    for typed in &args.containers {
        argv.push(find(engine, typed)?.id);
    }
    let could_not = "could not measure the containers";
    if args.no_stream {
        let bytes = engine.read(&argv).map_err(|error| error.failure(could_not))?;
        let samples = String::from_utf8_lossy(&bytes).lines().filter_map(sample).collect();
        voice.reply(&Samples { samples, args })?;
        return Ok(0);
    }
    let (mut shown, mut stderr) = (Ok(()), Vec::new());
    let readers = Readers::Apart(
        Box::new(|from| {
            shown = stream(voice, args, BufReader::new(from));
            // If the output cannot be written, docker is not needed any more.
            if shown.is_ok() { Ok(()) } else { Err(std::io::ErrorKind::BrokenPipe.into()) }
        }),
        Box::new(|mut from| from.read_to_end(&mut stderr).map(drop)),
    );
    let status = engine.stream(engine.command(&argv), readers, None, could_not);
    shown?;
    let output = Output { status: status?, stdout: Vec::new(), stderr };
    if output.status.success() {
        return Ok(0);
    }
    Err(engine.explain(&argv, &output).failure(could_not).into())
}

/// What was measured once, as docker has it, with the numbers beside.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Samples<'a> {
    samples: Vec<Value>,
    #[serde(skip)]
    args: &'a ContainerStats,
}

impl Reply for Samples<'_> {
    fn show(&self, page: &mut Page) -> Result<()> {
        let rows = self.samples.iter().map(|row| cells(row, None)).collect();
        page.table(&Table { header: &HEADER, rows, no_trunc: self.args.no_trunc })
    }
}

/// A frame ends where docker clears the screen for the next one.
fn stream(voice: &Voice, args: &ContainerStats, mut lines: impl BufRead) -> Result<()> {
    let mut screen = Screen::default();
    let mut frame: Vec<Value> = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let ended = lines.read_until(b'\n', &mut line)? == 0;
        let text = String::from_utf8_lossy(&line);
        let row = sample(&text);
        let begins =
            text.contains("\x1b[H") || row.as_ref().is_some_and(|row| frame.iter().any(|known| key(known) == key(row)));
        // A frame without rows matters once, when there were some.
        if (begins || ended) && (!frame.is_empty() || screen.lines > 1) {
            let frame = std::mem::take(&mut frame);
            frame.iter().try_for_each(|row| voice.row(row))?;
            voice.text(|page| screen.draw(voice, page, &frame, args))?;
        }
        frame.extend(row);
        if ended {
            return Ok(());
        }
    }
}

/// The lines on the terminal, and the past samples.
#[derive(Default)]
struct Screen {
    lines: usize,
    history: BTreeMap<String, History>,
}

#[derive(Default)]
struct History {
    cpu: VecDeque<f64>,
    memory: VecDeque<f64>,
}

impl Screen {
    fn draw(&mut self, voice: &Voice, page: &mut Page, frame: &[Value], args: &ContainerStats) -> Result<()> {
        self.remember(frame);
        page.take_back(self.lines)?;
        let fitting = if voice.is_stdout_terminal() { fitting(frame.len(), voice.height()) } else { frame.len() };
        let row = |row| cells(row, self.history.get(&key(row)));
        let rows = frame[..fitting].iter().map(row).collect();
        page.table(&Table { header: &HEADER, rows, no_trunc: args.no_trunc })?;
        self.lines = fitting + 1;
        if fitting < frame.len() {
            page.line(&format!("… and {} more", frame.len() - fitting))?;
            self.lines += 1;
        }
        Ok(())
    }

    fn remember(&mut self, frame: &[Value]) {
        for row in frame {
            let history = self.history.entry(key(row)).or_default();
            remember(&mut history.cpu, row["cpuPercent"].as_f64());
            remember(&mut history.memory, row["memoryUsageBytes"].as_f64());
        }
        let ids: Vec<String> = frame.iter().map(key).collect();
        self.history.retain(|id, _| ids.contains(id));
    }
}

/// How many of so many rows can be redrawn in place: what has scrolled away cannot be. Beside them there is the header,
/// the line that the cursor is left on, and the one that tells of the others when there are any.
fn fitting(rows: usize, height: usize) -> usize {
    if rows + 2 <= height { rows } else { height.saturating_sub(3) }
}

/// The key of a row's container. `ID` and `Name` are empty until it was measured; `Container` never is.
fn key(row: &Value) -> String {
    row["Container"].to_string()
}

fn remember(history: &mut VecDeque<f64>, value: Option<f64>) {
    history.push_back(value.unwrap_or(0.0));
    if history.len() > HISTORY {
        history.pop_front();
    }
}

const HEADER: [&str; 9] =
    ["NAME", "CPU", "CPU HISTORY", "MEMORY", "MEM %", "MEM HISTORY", "NET I/O", "BLOCK I/O", "PIDS"];

fn cells(row: &Value, history: Option<&History>) -> Vec<String> {
    let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let line = |of: fn(&History) -> &VecDeque<f64>, floor: f64| {
        history.map(|history| sparkline(of(history), floor)).unwrap_or_default()
    };
    vec![
        text("Name"),
        text("CPUPerc"),
        line(|history| &history.cpu, 100.0),
        text("MemUsage"),
        text("MemPerc"),
        line(|history| &history.memory, 1.0),
        text("NetIO"),
        text("BlockIO"),
        text("PIDs"),
    ]
}

/// Bars relative to the highest value, which counts as at least `floor`, so that an idle container looks idle.
fn sparkline(values: &VecDeque<f64>, floor: f64) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let top = values.iter().copied().fold(floor, f64::max);
    let bar = |value: &f64| {
        let level = (value / top * 7.0).round().clamp(0.0, 7.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 7")]
        BARS[level as usize]
    };
    values.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_never_has_more_lines_than_the_terminal() {
        assert_eq!(fitting(3, 24), 3);
        assert_eq!(fitting(22, 24), 22);
        assert_eq!(fitting(23, 24), 21);
        assert_eq!(fitting(5, 2), 0);
    }

    #[test]
    fn a_sparkline_shows_idle_as_idle() {
        assert_eq!(sparkline(&VecDeque::from([0.0, 1.0, 50.0, 100.0]), 100.0), "▁▁▅█");
        assert_eq!(sparkline(&VecDeque::from([100.0, 400.0]), 100.0), "▃█");
    }
}
