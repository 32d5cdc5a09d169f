//! Shows the resource usage of containers, for `container stats` and `exec stats`.
//!
//! While docker streams, it prints terminal controls between the rows. They show here where one frame ends. Each object
//! has docker's own fields and the same values as numbers.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read as _};
use std::process::Output;

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use crate::cli::StatsFlags;
use crate::engine::Engine;
use crate::engine::silence::Silence;
use crate::engine::stats::sample;
use crate::engine::stream::Readers;
use crate::interrupt::Interrupt;
use crate::output::{Column, Form, Page, Reply, Screen, Table, Voice, shorten};

/// The number of past samples that a sparkline shows.
const HISTORY: usize = 20;
/// The exit code after Ctrl-C.
const LEFT: u8 = 130;

/// Which containers, and how.
pub struct Measured<'a> {
    /// Their ids or names on the engine; none: all that run.
    pub containers: Vec<String>,
    /// Also those that do not run.
    pub all: bool,
    /// How.
    pub flags: &'a StatsFlags,
    /// What becomes of a row of docker's; `None` for one that is not wanted.
    pub seen: &'a (dyn Fn(Value) -> Option<Value> + Sync),
}

/// Shows them: once, as a stream of objects, or as a table that redraws in place.
pub fn stats(voice: &Voice, engine: &Engine, measured: &Measured) -> Result<u8> {
    let mut argv = ["stats", "--no-trunc", "--format", "{{json .}}"].map(str::to_owned).to_vec();
    argv.extend(measured.all.then(|| "--all".to_owned()));
    argv.extend(measured.flags.no_stream.then(|| "--no-stream".to_owned()));
    argv.extend(measured.containers.iter().cloned());
    let could_not = "could not measure the containers";
    if measured.flags.no_stream {
        let bytes = engine.read(&argv).map_err(|error| error.failure(could_not))?;
        let samples = String::from_utf8_lossy(&bytes).lines().filter_map(sample).filter_map(measured.seen).collect();
        voice.reply(&Samples { samples, flags: measured.flags })?;
        return Ok(0);
    }
    // Only a terminal has something to give back after Ctrl-C.
    let interrupt = voice.can_redraw().then(Interrupt::ctrl_c).transpose()?;
    let (mut shown, mut stderr) = (Ok(()), Vec::new());
    let readers = Readers::Apart(
        Box::new(|from| {
            shown = stream(voice, measured, BufReader::new(from));
            // If the output cannot be written, docker is not needed any more.
            if shown.is_ok() { Ok(()) } else { Err(std::io::ErrorKind::BrokenPipe.into()) }
        }),
        Box::new(|mut from| from.read_to_end(&mut stderr).map(drop)),
    );
    let status = engine.stream(engine.streamed(&argv), readers, Silence::Odd, interrupt.as_ref(), could_not);
    if interrupt.is_some_and(|interrupt| interrupt.is_heard()) {
        return Ok(LEFT);
    }
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
    flags: &'a StatsFlags,
}

impl Reply for Samples<'_> {
    fn show(&self, page: &mut Page) -> Result<()> {
        table(page, &self.samples, &History::default(), self.flags)
    }
}

/// A frame ends where docker clears the screen for the next one.
fn stream(voice: &Voice, measured: &Measured, mut lines: impl BufRead) -> Result<()> {
    let mut screen = Screen::open(voice)?;
    let mut history = History::default();
    let (mut shown, mut frame): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    let mut line = Vec::new();
    loop {
        line.clear();
        let ended = lines.read_until(b'\n', &mut line)? == 0;
        let text = String::from_utf8_lossy(&line);
        let row = sample(&text).and_then(measured.seen);
        let begins =
            text.contains("\x1b[H") || row.as_ref().is_some_and(|row| frame.iter().any(|known| key(known) == key(row)));
        // A frame without rows matters once, when there were some. One that is cut off by Ctrl-C does not.
        let is_cut = ended && frame.len() < shown.len();
        if (begins || ended && !is_cut) && (!frame.is_empty() || !shown.is_empty()) {
            shown = std::mem::take(&mut frame);
            shown.iter().try_for_each(|row| voice.row(row))?;
            history.add(&shown);
            if voice.form() == Form::Text {
                screen.draw(shown.len(), |page, most| table(page, &shown[..most], &history, measured.flags))?;
            }
        }
        frame.extend(row);
        if ended {
            return screen.close(shown.len(), |page, most| table(page, &shown[..most], &history, measured.flags));
        }
    }
}

fn table(page: &mut Page, frame: &[Value], history: &History, flags: &StatsFlags) -> Result<()> {
    let fit = Fit::of(frame, if flags.no_trunc { usize::MAX } else { page.width() });
    let rows = frame.iter().map(|row| fit.cells(row, history.0.get(&key(row)))).collect();
    page.table(&Table { columns: &HEADER.map(Column::whole), rows, no_trunc: flags.no_trunc })
}

/// The past samples of each container.
#[derive(Default)]
struct History(BTreeMap<String, Past>);

#[derive(Default)]
struct Past {
    cpu: VecDeque<f64>,
    memory: VecDeque<f64>,
}

impl History {
    fn add(&mut self, frame: &[Value]) {
        for row in frame {
            let past = self.0.entry(key(row)).or_default();
            remember(&mut past.cpu, row["cpuPercent"].as_f64());
            remember(&mut past.memory, row["memoryUsageBytes"].as_f64());
        }
        let ids: Vec<String> = frame.iter().map(key).collect();
        self.0.retain(|id, _| ids.contains(id));
    }
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

/// The columns of the pasts, which are shown if there is room for them.
const PASTS: [usize; 2] = [2, 5];
/// The blanks between two columns.
const GAP: usize = 2;
/// How short a name may be cut.
const LEAST_NAME: usize = 8;

/// How the rows of a frame are made to fit: where docker's own columns leave too little room, the pasts are left out first,
/// then the blanks around slashes, then the ends of names.
#[derive(Debug, PartialEq, Eq)]
struct Fit {
    /// Samples in each past.
    past: usize,
    /// What stands between two values in a cell.
    slash: &'static str,
    /// Characters of a name.
    name: usize,
}

impl Fit {
    fn of(frame: &[Value], width: usize) -> Self {
        let wide = Self { past: 0, slash: " / ", name: usize::MAX };
        if let Some(room) = width.checked_sub(wide.width(frame)) {
            let past = (room / 2).saturating_sub(GAP).min(HISTORY);
            return Self { past: if past < HEADER[PASTS[0]].len() { 0 } else { past }, ..wide };
        }
        let narrow = Self { slash: "/", ..wide };
        let over = narrow.width(frame).saturating_sub(width);
        let name = frame.iter().map(|row| name(row).chars().count()).max().unwrap_or_default();
        Self { name: name.saturating_sub(over).max(LEAST_NAME), ..narrow }
    }

    /// The width of the table without the pasts.
    fn width(&self, frame: &[Value]) -> usize {
        let rows: Vec<Vec<String>> = frame.iter().map(|row| self.cells(row, None)).collect();
        let columns = (0..HEADER.len()).filter(|column| !PASTS.contains(column));
        let longest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        columns.map(|column| longest(column).max(HEADER[column].len()) + GAP).sum::<usize>() - GAP
    }

    fn cells(&self, row: &Value, history: Option<&Past>) -> Vec<String> {
        let pair = |key: &str| text(row, key).replace(" / ", self.slash);
        let past = |of: fn(&Past) -> &VecDeque<f64>, floor: f64| {
            history.map(|history| sparkline(of(history), floor, self.past)).unwrap_or_default()
        };
        vec![
            shorten(name(row), self.name),
            text(row, "CPUPerc").to_owned(),
            past(|history| &history.cpu, 100.0),
            pair("MemUsage"),
            text(row, "MemPerc").to_owned(),
            past(|history| &history.memory, 1.0),
            pair("NetIO"),
            pair("BlockIO"),
            text(row, "PIDs").to_owned(),
        ]
    }
}

/// The name of a run, its id if it has none, or the name of another container.
fn name(row: &Value) -> &str {
    let run = &row["Longshore"];
    run["name"].as_str().or(run["id"].as_str()).unwrap_or_else(|| text(row, "Name"))
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_default()
}

/// The last values as bars relative to the highest, which counts as at least `floor`, so that an idle container looks idle.
fn sparkline(values: &VecDeque<f64>, floor: f64, most: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let top = values.iter().copied().fold(floor, f64::max);
    let bar = |value: &f64| {
        let level = (value / top * 7.0).round().clamp(0.0, 7.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 7")]
        BARS[level as usize]
    };
    values.iter().skip(values.len().saturating_sub(most)).map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_columns_fit_and_the_pasts_take_the_rest() {
        let frame = [serde_json::json!({"Name": "a-rather-long-name-of-a-container", "CPUPerc": "100.05%",
            "MemUsage": "123.4MiB / 15.36GiB", "MemPerc": "12.34%", "NetIO": "12.3kB / 126kB", "BlockIO": "1.23MB / 45.6MB",
            "PIDs": "123"})];
        let mut history = Past::default();
        history.cpu.extend([1.0; HISTORY]);
        history.memory.extend([1.0; HISTORY]);
        for width in 80..200 {
            let fit = Fit::of(&frame, width);
            let cells = fit.cells(&frame[0], Some(&history));
            let filled = (0..HEADER.len()).filter(|column| !cells[*column].is_empty());
            let widths = filled.map(|column| cells[column].chars().count().max(HEADER[column].len()) + GAP);
            let sum = widths.sum::<usize>() - GAP;
            assert!(sum <= width, "{sum} of {width}: {cells:?}");
            assert!(PASTS.iter().all(|past| cells[*past].is_empty() == (fit.past == 0)), "{width}: {fit:?}");
        }
        assert_eq!(Fit::of(&frame, 80), Fit { past: 0, slash: "/", name: 9 });
        assert_eq!(Fit::of(&frame, 200), Fit { past: HISTORY, slash: " / ", name: usize::MAX });
        assert_eq!(Fit::of(&frame, usize::MAX).past, HISTORY);
    }

    #[test]
    fn a_sparkline_shows_idle_as_idle() {
        assert_eq!(sparkline(&VecDeque::from([0.0, 1.0, 50.0, 100.0]), 100.0, 20), "▁▁▅█");
        assert_eq!(sparkline(&VecDeque::from([100.0, 400.0]), 100.0, 20), "▃█");
        assert_eq!(sparkline(&VecDeque::from([0.0, 400.0, 100.0]), 100.0, 2), "█▃");
        assert_eq!(sparkline(&VecDeque::from([100.0]), 100.0, 0), "");
    }
}
