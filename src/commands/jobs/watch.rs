//! `--watch`: shows an answer as it is at each moment, until Ctrl-C or `q`.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::LOOK;
use crate::error::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Form, Page, Reply, Screen, Voice, check_reader};

/// Between two looks.
const EACH: Duration = Duration::from_secs(1);
/// The exit code after Ctrl-C.
const LEFT: u8 = 130;

/// What can be drawn on a terminal of any height.
pub trait Watched: Reply {
    /// How many rows it has.
    fn rows(&self) -> usize;

    /// Writes the first of them.
    fn first(&self, page: &mut Page, count: usize) -> Result<()>;
}

/// Shows what `read` gives: redrawn in place at a terminal, and as a line of JSON for each change.
///
/// # Errors
/// Without a terminal that can redraw, and those of `read`.
pub fn watch<W: Watched>(voice: &Voice, read: impl Fn() -> Result<W>) -> Result<u8> {
    match voice.form() {
        Form::Rows => changes(voice, read),
        _ if voice.can_redraw() => redraw(voice, read),
        _ => Err(Failure::usage("--watch needs a terminal on which it can redraw, and stdout is none")
            .hint("leave --watch out, or add --json for a line at each change")
            .into()),
    }
}

fn redraw<W: Watched>(voice: &Voice, read: impl Fn() -> Result<W>) -> Result<u8> {
    let interrupt = Interrupt::ctrl_c()?;
    let mut shown = read()?;
    let mut screen = Screen::with_keys(voice)?;
    loop {
        screen.draw(shown.rows(), |page, count| shown.first(page, count))?;
        let since = Instant::now();
        while since.elapsed() < EACH && !screen.is_stale() {
            let has_quit = screen.has_quit();
            if has_quit || interrupt.is_heard() {
                screen.close(shown.rows(), |page, count| shown.first(page, count))?;
                return Ok(if has_quit { 0 } else { LEFT });
            }
            sleep(LOOK);
        }
        shown = read()?;
    }
}

fn changes<W: Watched>(voice: &Voice, read: impl Fn() -> Result<W>) -> Result<u8> {
    let interrupt = Interrupt::ctrl_c()?;
    let mut before = None;
    loop {
        let now = serde_json::to_value(read()?)?;
        if before.as_ref() != Some(&now) {
            voice.row(&now)?;
            before = Some(now);
        }
        let since = Instant::now();
        while since.elapsed() < EACH {
            interrupt.check(|| "interrupted; the jobs go on".to_owned())?;
            check_reader()?;
            sleep(LOOK);
        }
    }
}
