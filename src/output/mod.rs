//! The only module that prints: data to stdout, messages to stderr, and replies as text or as JSON.
//!
//! A command returns a [`Reply`] to its [`Voice`], which knows the requested form and whether stdout and stderr are
//! terminals. Only the requested form is built.

mod bottom;
mod braid;
mod failure;
mod json;
mod keys;
mod log;
mod page;
mod screen;
mod several;
mod table;

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::env::Env;
use crate::error::{Failure, Kind, plain};
use crate::terminal::{Allowed, Redraws, safe, settled, shown};
use json::Layout;

pub use bottom::{Progressing, erase_bottom};
pub use braid::Label;
pub use failure::{ErrorDocument, FailureDocument};
pub use log::{Bytes, LogSink, Logs, Seen};
pub use page::Page;
pub use screen::Screen;
#[cfg(test)]
pub use several::Row;
pub use several::Several;
pub use table::{Column, Table, shorten};

/// How many bytes of a long answer are written at a time.
const PART: usize = 64 << 10;

/// What a command answers. Its JSON is what it serializes to.
pub trait Reply: Serialize {
    /// Whether the JSON is the text too, as of `inspect`.
    const IS_DOCUMENT: bool = false;

    /// Writes its text. By default there is none.
    fn show(&self, _page: &mut Page) -> Result<()> {
        Ok(())
    }

    /// A message for people after the reply, in every form.
    fn remark(&self) -> Option<String> {
        None
    }

    /// Whether this reply allows exit code 0 in a command with several ids.
    fn is_success(&self) -> bool {
        true
    }
}

/// The form of the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// One JSON document.
    Document,
    /// A stream of JSON objects, one a line.
    Rows,
}

/// The output of this process: the form and the terminals.
#[derive(Debug)]
pub struct Voice {
    form: Form,
    stdout: Stream,
    stderr: Stream,
}

/// What is known of stdout or stderr.
#[derive(Debug, Clone, Copy)]
struct Stream {
    is_terminal: bool,
    has_colour: bool,
    /// It is a terminal that knows no escape sequences.
    is_dumb: bool,
}

impl Stream {
    /// What the output of a program may do on this terminal.
    fn allowed(self) -> Allowed {
        let redraws = if self.is_dumb { Redraws::ByReturning } else { Redraws::ByErasing };
        Allowed { colours: self.has_colour, redraws }
    }
}

impl Voice {
    /// Speaks in this form to the terminals of `env`.
    #[must_use]
    pub fn new(env: &Env, form: Form) -> Self {
        let stream = |is_terminal| {
            let is_dumb = is_terminal && env.dumb_terminal;
            let has_colour = env.force_color || is_terminal && !env.no_color && !is_dumb;
            Stream { is_terminal, has_colour, is_dumb }
        };
        Self { form, stdout: stream(env.stdout_terminal), stderr: stream(env.stderr_terminal) }
    }

    /// The form that was asked for, for those who ask docker for one thing or another by it.
    #[must_use]
    pub fn form(&self) -> Form {
        self.form
    }

    /// Whether stdout is a terminal.
    #[must_use]
    pub fn is_stdout_terminal(&self) -> bool {
        self.stdout.is_terminal
    }

    /// Whether stderr is a terminal.
    #[must_use]
    pub fn is_stderr_terminal(&self) -> bool {
        self.stderr.is_terminal
    }

    /// Gives an answer.
    pub fn reply<R: Reply>(&self, reply: &R) -> Result<()> {
        if R::IS_DOCUMENT || self.form != Form::Text {
            self.print_json(reply)?;
        } else {
            self.text(|page| reply.show(page))?;
        }
        self.remark(reply);
        Ok(())
    }

    /// Prints a reply whose text and document need different work. Only one of the two closures is called.
    pub fn answer<D: Serialize>(
        &self,
        document: impl FnOnce() -> Result<D>,
        text: impl FnOnce(&mut Page) -> Result<()>,
    ) -> Result<()> {
        if self.form == Form::Text { self.text(text) } else { self.print_json(&document()?) }
    }

    /// Answers for each of several ids: each success on stdout, each failure on stderr, 1 if any failed. With one id its
    /// answer or its failure is the command's.
    pub fn each<R: Reply>(&self, mut answers: impl ExactSizeIterator<Item = Result<R>>) -> Result<u8> {
        if answers.len() == 1
            && let Some(only) = answers.next()
        {
            return self.reply(&only?).map(|()| 0);
        }
        self.several(answers)
    }

    /// The same, but one answer is answered as several are. With JSON it is an array.
    pub fn several<R: Reply>(&self, answers: impl ExactSizeIterator<Item = Result<R>>) -> Result<u8> {
        let mut several = Several::new(self, answers.len());
        for (at, answer) in answers.enumerate() {
            several.take(at, answer)?;
        }
        several.finish()
    }

    /// Prints text in the form for people, and nothing in the others.
    pub fn text(&self, show: impl FnOnce(&mut Page) -> Result<()>) -> Result<()> {
        if self.form != Form::Text {
            return Ok(());
        }
        erase_bottom();
        let mut page = Page::new(self);
        show(&mut page).and_then(|()| page.finish()).map_err(not_written)
    }

    /// Prints one object of a stream, and nothing in the form for people.
    pub fn row(&self, object: &impl Serialize) -> Result<()> {
        if self.form == Form::Text { Ok(()) } else { self.print_json(object) }
    }

    /// Prints a message to stderr. A closed stderr is not an error.
    pub fn note(&self, text: &str) {
        note(text);
    }

    /// Shows progress on one line of a terminal; an empty text removes it.
    pub fn progress(&self, text: &str) {
        if self.stderr.is_terminal && !self.stderr.is_dumb {
            let _ = write!(stderr(), "\r\x1b[K{}", safe(text));
        }
    }

    /// Prints a failure to stderr: the message, the indented detail and the hint. Only the detail, which another program
    /// wrote, may have colours of its own.
    pub fn tell(&self, failure: &Failure) {
        let (red, plain) = if self.stderr.has_colour { ("\x1b[1;31m", "\x1b[m") } else { ("", "") };
        write_line(&format!("{red}error:{plain} {}", safe(&failure.message)));
        let allowed = Allowed { colours: self.stderr.has_colour, ..Allowed::NOTHING };
        for line in failure.detail.iter().flat_map(|detail| detail.lines()) {
            write_line(&format!("  {}", shown(settled(line), allowed)));
        }
        if let Some(hint) = &failure.hint {
            note(&format!("hint: {hint}"));
        }
    }

    /// Prints the failure of a command to stderr and, in the JSON forms, also as the reply.
    pub fn failure(&self, failure: &Failure) {
        self.tell(failure);
        if self.form != Form::Text {
            let _ = self.print_json(&FailureDocument::from(failure));
        }
    }

    /// Stdout for exact bytes, such as an archive.
    pub fn bytes(&self) -> io::Result<File> {
        Ok(File::from(stdout().as_fd().try_clone_to_owned()?))
    }

    /// Whether something can be drawn again and again on stdout in one place.
    #[must_use]
    pub fn can_redraw(&self) -> bool {
        self.form == Form::Text && self.stdout.is_terminal && !self.stdout.is_dumb
    }

    /// Columns and lines of the terminal as it is now; its window may have changed since the last look.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        let size = rustix::termios::tcgetwinsize(stdout()).ok();
        let given = |count: Option<u16>| count.map(usize::from).filter(|count| *count > 0);
        (given(size.map(|size| size.ws_col)).unwrap_or(80), given(size.map(|size| size.ws_row)).unwrap_or(24))
    }

    fn remark(&self, reply: &impl Reply) {
        if let Some(remark) = reply.remark() {
            self.note(&remark);
        }
    }

    fn print_json(&self, document: &impl Serialize) -> Result<()> {
        let layout = if self.form == Form::Rows { Layout::Line } else { Layout::Indented };
        json::print(document, layout, self.stdout.is_terminal)
    }
}

/// An error of stdout under its name: a full disk is where stdout is, and not where the jobs are. That its reader has gone
/// is left as it is.
fn not_written(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<io::Error>() {
        Some(cause) if cause.kind() != io::ErrorKind::BrokenPipe => {
            Failure::new(Kind::Internal, format!("could not write to stdout: {}", plain(cause))).into()
        }
        _ => error,
    }
}

/// Prints an engine command line before it is run.
pub fn trace(line: &str) {
    note(&format!("+ {line}"));
}

/// Prints that a command waits for something that takes longer than expected.
pub fn notice(text: &str) {
    note(text);
}

/// Whether the reader of stdout has closed it. A pipe without a reader polls as an error, a socket as hung up.
#[must_use]
pub fn stdout_is_closed() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = stdout();
    let mut fds = [PollFd::new(&stdout, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now)).is_ok() && fds[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

/// Fails if the reader of stdout has closed it. Without this check it would be noticed only at the next output.
pub fn check_reader() -> io::Result<()> {
    if stdout_is_closed() { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
}

/// How long ago, for people.
#[must_use]
pub fn ago(now: DateTime<Utc>, time: Option<DateTime<Utc>>) -> String {
    time.map(|time| crate::units::ago((now - time).num_seconds())).unwrap_or_default()
}

/// The same in few characters, for narrow tables.
#[must_use]
pub fn ago_short(now: DateTime<Utc>, time: Option<DateTime<Utc>>) -> String {
    time.map(|time| crate::units::ago_short((now - time).num_seconds())).unwrap_or_default()
}

fn note(text: &str) {
    write_line(&safe(text));
}

fn write_line(line: &str) {
    erase_bottom();
    let _ = writeln!(stderr(), "{line}");
}

#[expect(clippy::disallowed_methods, reason = "the one place that writes to it")]
fn stdout() -> io::Stdout {
    io::stdout()
}

#[expect(clippy::disallowed_methods, reason = "the one place that writes to it")]
fn stderr() -> io::StderrLock<'static> {
    io::stderr().lock()
}
