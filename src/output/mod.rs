//! The one voice of all commands: data to stdout, talk to stderr, an answer as text or as JSON. No command writes to
//! either by itself.
//!
//! A command makes a [`Reply`] and hands it to its [`Voice`], which knows the form that was asked for and what stdout and
//! stderr are. Only the form that is wanted is built.

mod failure;
mod log;
mod page;
mod several;

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::env::Env;
use crate::error::Failure;
use crate::terminal::{safe, safe_json};

pub use failure::{ErrorDocument, FailureDocument};
pub use log::{Bytes, LogSink, Logs};
pub use page::{Page, Table};
#[cfg(test)]
pub use several::Row;
pub use several::Several;

/// What a command answers. Its JSON is what it serializes to.
pub trait Reply: Serialize {
    /// Whether the JSON is the text too, as of `inspect`.
    const IS_DOCUMENT: bool = false;

    /// Writes its text; none unless it says otherwise.
    fn show(&self, _page: &mut Page) -> Result<()> {
        Ok(())
    }

    /// What is said to people after it, in either form.
    fn remark(&self) -> Option<String> {
        None
    }

    /// Whether a command that answers for several exits with 0 as far as this one goes.
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

/// How this process speaks.
#[derive(Debug)]
pub struct Voice {
    form: Form,
    stdout: Stream,
    stderr: Stream,
    /// Columns of the terminal.
    width: usize,
}

/// What is known of stdout or stderr.
#[derive(Debug, Clone, Copy)]
struct Stream {
    is_terminal: bool,
    has_colour: bool,
}

impl Voice {
    /// Speaks in this form to the terminals of `env`.
    #[must_use]
    pub fn new(env: &Env, form: Form) -> Self {
        let stream = |is_terminal| {
            let has_colour = env.force_color || is_terminal && !env.no_color;
            Stream { is_terminal, has_colour }
        };
        Self {
            form,
            stdout: stream(env.stdout_terminal),
            stderr: stream(env.stderr_terminal),
            width: usize::from(env.width),
        }
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

    /// Gives an answer of which text and document are found out in different ways; only one of them is.
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
        let mut page = Page::new(self);
        show(&mut page)?;
        page.finish()
    }

    /// Prints one object of a stream, and nothing in the form for people.
    pub fn row(&self, object: &impl Serialize) -> Result<()> {
        if self.form == Form::Text { Ok(()) } else { self.print_json(object) }
    }

    /// Says something to people. A closed stderr is nobody's failure.
    pub fn note(&self, text: &str) {
        note(text);
    }

    /// Shows how far something is, in place, on a terminal only; an empty text takes it away again.
    pub fn progress(&self, text: &str) {
        if self.stderr.is_terminal {
            let _ = write!(stderr(), "\r\x1b[K{}", safe(text));
        }
    }

    /// Says why something failed: the fact, somebody else's words indented, the hint.
    pub fn tell(&self, failure: &Failure) {
        let (red, plain) = if self.stderr.has_colour { ("\x1b[1;31m", "\x1b[m") } else { ("", "") };
        note(&format!("{red}error:{plain} {}", failure.message));
        for line in failure.detail.iter().flat_map(|detail| detail.lines()) {
            note(&format!("  {line}"));
        }
        if let Some(hint) = &failure.hint {
            note(&format!("hint: {hint}"));
        }
    }

    /// Ends a command with its failure: told to people, and as the answer where that is JSON.
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

    /// Lines of the terminal as it is now; its window may have changed since the last look.
    #[must_use]
    pub fn height(&self) -> usize {
        let size = rustix::termios::tcgetwinsize(stdout());
        size.map(|size| usize::from(size.ws_row)).ok().filter(|rows| *rows > 0).unwrap_or(24)
    }

    fn remark(&self, reply: &impl Reply) {
        if let Some(remark) = reply.remark() {
            self.note(&remark);
        }
    }

    fn print_json(&self, document: &impl Serialize) -> Result<()> {
        let mut json = match self.form {
            Form::Rows => serde_json::to_string(document)?,
            Form::Text | Form::Document => serde_json::to_string_pretty(document)?,
        };
        if self.stdout.is_terminal {
            json = safe_json(&json);
        }
        json.push('\n');
        let mut out = stdout().lock();
        out.write_all(json.as_bytes())?;
        Ok(out.flush()?)
    }
}

/// Tells an engine command line before it is run.
pub fn trace(line: &str) {
    note(&format!("+ {line}"));
}

/// Whether whoever read our stdout has gone: a pipe without a reader polls as an error, a socket as hung up.
#[must_use]
pub fn stdout_is_closed() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = stdout();
    let mut fds = [PollFd::new(&stdout, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now)).is_ok() && fds[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

/// A reader that has gone would be noticed only with the next output, and there may be none for days.
pub fn check_reader() -> io::Result<()> {
    if stdout_is_closed() { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
}

/// How long ago, for people.
#[must_use]
pub fn ago(now: DateTime<Utc>, time: Option<DateTime<Utc>>) -> String {
    time.map(|time| crate::units::ago((now - time).num_seconds())).unwrap_or_default()
}

fn note(text: &str) {
    let _ = writeln!(stderr(), "{}", safe(text));
}

#[expect(clippy::disallowed_methods, reason = "the one place that writes to it")]
fn stdout() -> io::Stdout {
    io::stdout()
}

#[expect(clippy::disallowed_methods, reason = "the one place that writes to it")]
fn stderr() -> io::StderrLock<'static> {
    io::stderr().lock()
}
