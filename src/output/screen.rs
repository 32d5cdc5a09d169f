//! What is drawn again and again in one place: the tables of `stats` and `--watch`.
//!
//! On a terminal that knows escape sequences they are drawn on its other screen, as `watch` does, and the last one is printed
//! on the first screen at the end. So neither a resize nor the end leaves anything behind, and what stood there before is
//! there again. Ctrl-Z and the signals that end a process leave the other screen first, and give the keyboard back. Elsewhere one drawing follows the
//! other.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::Result;
use signal_hook::consts::{SIGHUP, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level::emulate_default_handler;

use super::keys::Keys;
use super::{Page, Voice, stdout};

/// To the other screen, and back.
const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";
/// To the top of an empty screen.
const CLEAR: &str = "\x1b[H\x1b[J";

/// A place for one drawing after the other.
pub struct Screen<'a> {
    voice: &'a Voice,
    /// Columns and lines of the terminal at the last drawing.
    size: (usize, usize),
    /// On a terminal that has another screen.
    keeper: Option<Keeper>,
}

impl<'a> Screen<'a> {
    /// Turns to the other screen, where there is one.
    ///
    /// # Errors
    /// When signals cannot be listened for, or stdout cannot be written.
    pub fn open(voice: &'a Voice) -> Result<Self> {
        Self::with(voice, || None)
    }

    /// The same, and listens for the key that ends it.
    ///
    /// # Errors
    /// As [`Screen::open`].
    pub fn with_keys(voice: &'a Voice) -> Result<Self> {
        Self::with(voice, Keys::listen)
    }

    fn with(voice: &'a Voice, keys: impl FnOnce() -> Option<Keys>) -> Result<Self> {
        let keeper = if voice.can_redraw() { Some(Keeper::start(keys())?) } else { None };
        Ok(Self { voice, size: (0, 0), keeper })
    }

    /// Whether the key that ends it was pressed.
    #[must_use]
    pub fn has_quit(&self) -> bool {
        let keys = self.keeper.as_ref().and_then(|keeper| keeper.keys.as_ref());
        keys.as_ref().is_some_and(|keys| keys.has_quit())
    }

    /// Draws. `rows` is how many rows there are; the closure gets how many of them fit between a header and a line that
    /// tells how many more there are.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn draw(&mut self, rows: usize, show: impl FnOnce(&mut Page, usize) -> Result<()>) -> Result<()> {
        self.size = self.voice.size();
        let fitting = if self.keeper.is_some() { fitting(rows, self.size.1) } else { rows };
        self.voice.text(|page| {
            if let Some(keeper) = &self.keeper {
                keeper.is_stale.store(false, Ordering::Relaxed);
                page.controls(CLEAR)?;
            }
            draw(page, rows, fitting, show)
        })
    }

    /// Whether the last drawing does not fit the terminal any more, or is gone from it.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        let is_gone = |keeper: &Keeper| keeper.is_stale.load(Ordering::Relaxed) || self.size != self.voice.size();
        self.keeper.as_ref().is_some_and(is_gone)
    }

    /// Turns back, and draws for the last time.
    ///
    /// # Errors
    /// As [`Screen::draw`].
    pub fn close(mut self, rows: usize, show: impl FnOnce(&mut Page, usize) -> Result<()>) -> Result<()> {
        let Some(keeper) = self.keeper.take() else { return Ok(()) };
        drop(keeper);
        self.voice.text(|page| draw(page, rows, fitting(rows, self.voice.size().1), show))
    }
}

fn draw(page: &mut Page, rows: usize, fitting: usize, show: impl FnOnce(&mut Page, usize) -> Result<()>) -> Result<()> {
    show(page, fitting)?;
    if fitting < rows { page.line(&format!("… and {} more", rows - fitting)) } else { Ok(()) }
}

/// How many of so many rows fit on a terminal of this height. Beside them there is the header, the line that the cursor is
/// left on, and the one that tells of the others when there are any.
fn fitting(rows: usize, height: usize) -> usize {
    if rows + 2 <= height { rows } else { height.saturating_sub(3) }
}

/// Holds the other screen, and gives it back when this process is stopped or ended by a signal.
struct Keeper {
    signals: Handle,
    thread: Option<JoinHandle<()>>,
    is_stale: Arc<AtomicBool>,
    /// If there is a keyboard that was asked for.
    keys: Option<Arc<Keys>>,
}

impl Keeper {
    fn start(keys: Option<Keys>) -> io::Result<Self> {
        let mut signals = Signals::new([SIGTSTP, SIGTERM, SIGHUP, SIGQUIT])?;
        let (handle, is_stale) = (signals.handle(), Arc::new(AtomicBool::new(false)));
        control(ENTER)?;
        let (stale, keys) = (Arc::clone(&is_stale), keys.map(Arc::new));
        let keyboard = keys.clone();
        let thread = std::thread::spawn(move || {
            for signal in signals.forever() {
                if let Some(keys) = &keyboard {
                    keys.give_back();
                }
                let _ = control(LEAVE).and_then(|()| emulate_default_handler(signal));
                // Only a stop comes back.
                if let Some(keys) = &keyboard {
                    keys.ask();
                }
                let _ = control(ENTER);
                stale.store(true, Ordering::Relaxed);
            }
        });
        Ok(Self { signals: handle, thread: Some(thread), is_stale, keys })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.signals.close();
        let _ = self.thread.take().map(JoinHandle::join);
        let _ = control(LEAVE);
    }
}

fn control(sequence: &str) -> io::Result<()> {
    let mut out = stdout().lock();
    out.write_all(sequence.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_never_has_more_lines_than_the_terminal() {
        assert_eq!(fitting(3, 24), 3);
        assert_eq!(fitting(22, 24), 22);
        assert_eq!(fitting(23, 24), 21);
        assert_eq!(fitting(5, 2), 0);
    }
}
