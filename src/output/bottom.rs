//! Lines at the bottom of a terminal on stderr that are redrawn in place while a command waits. There is one such block in a
//! process: whatever else is printed at the terminal takes its place, and it is drawn again below.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Form, Voice, shorten, stderr};
use crate::terminal::safe;

/// How many lines of it are shown now.
static SHOWN: AtomicUsize = AtomicUsize::new(0);

/// What can be shown of progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progressing {
    /// Nothing: stderr is no terminal, or the answer is JSON.
    Never,
    /// Line after line, at a terminal that knows no escape sequences.
    ByLines,
    /// Lines that are redrawn.
    InPlace,
}

impl Voice {
    /// What can be shown of progress.
    #[must_use]
    pub fn progressing(&self) -> Progressing {
        match (self.form, self.stderr.is_terminal, self.stderr.is_dumb) {
            (Form::Text, true, false) => Progressing::InPlace,
            (Form::Text, true, true) => Progressing::ByLines,
            _ => Progressing::Never,
        }
    }

    /// Shows these lines in the place of those that were shown. They are cut to the width of the terminal, and there are
    /// fewer of them than it has lines.
    pub fn draw_bottom(&self, lines: &[String]) {
        let (width, height) = size();
        let fitting = lines.len().min(height.saturating_sub(1).max(1));
        let cut = |line: &String| format!("{}\x1b[K", shorten(&safe(line), width.saturating_sub(1)));
        let text = lines[..fitting].iter().map(cut).collect::<Vec<_>>().join("\n");
        // One write, so that nothing flickers.
        let _ = write!(stderr(), "{}{text}\x1b[J", start(SHOWN.swap(fitting, Ordering::Relaxed)));
    }
}

/// Removes what is shown, before something else is printed.
pub fn erase_bottom() {
    let shown = SHOWN.swap(0, Ordering::Relaxed);
    if shown > 0 {
        let _ = write!(stderr(), "{}\x1b[J", start(shown));
    }
}

/// From the end of so many lines to the beginning of the first.
fn start(shown: usize) -> String {
    if shown > 1 { format!("\r\x1b[{}A", shown - 1) } else { "\r".to_owned() }
}

/// Columns and lines of the terminal as it is now.
fn size() -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(stderr()).ok();
    let sized = size.filter(|size| size.ws_col > 0 && size.ws_row > 0);
    sized.map_or((80, 24), |size| (size.ws_col.into(), size.ws_row.into()))
}
