//! Tells the user that docker is still waited for. docker itself waits without a limit and without a word for an engine
//! that hangs.

use std::io::{self, PipeReader, Read};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::{Engine, argv};

/// What it means that docker writes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// The engine has not answered yet.
    Odd,
    /// There may be nothing to write, or it is not seen here what docker writes. Another question finds out.
    Usual,
}

/// When something was read from docker last.
#[derive(Debug, Clone)]
pub struct Heard(Arc<Mutex<Instant>>);

impl Heard {
    /// Now.
    pub fn now() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    /// When that was.
    pub fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream of docker's.
#[derive(Debug)]
pub struct Source {
    pipe: PipeReader,
    heard: Heard,
}

impl Source {
    /// Reads from this pipe.
    pub fn new(pipe: PipeReader, heard: &Heard) -> Self {
        Self { pipe, heard: heard.clone() }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.pipe.read(buffer)?;
        *self.heard.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Ok(count)
    }
}

/// Watches a call of docker, and tells of its silence once.
#[derive(Debug)]
pub struct Watch<'a> {
    engine: &'a Engine,
    silence: Silence,
    heard: Heard,
    question: Option<(Child, Instant)>,
    is_over: bool,
}

impl<'a> Watch<'a> {
    /// Watches from now on.
    pub fn new(engine: &'a Engine, silence: Silence, heard: Heard) -> Self {
        Self { engine, silence, heard, question: None, is_over: false }
    }

    /// Looks whether docker has been silent for longer than the time limit of a call.
    pub fn look(&mut self) {
        if self.is_over || self.heard.last().elapsed() < self.engine.patience {
            return;
        }
        let answers = match self.silence {
            Silence::Odd => Some(false),
            Silence::Usual => self.ask(),
        };
        if let Some(answers) = answers {
            self.is_over = true;
            if !answers {
                self.engine.tell_waiting(self.heard.last().elapsed());
            }
        }
    }

    /// Whether the engine answers another question; `None` until that is known.
    fn ask(&mut self) -> Option<bool> {
        let Some((question, since)) = &mut self.question else {
            // One question more, while nothing else is asked, needs no slot.
            let mut question = self.engine.streamed(&argv::ping());
            let asked = question.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            self.question = asked.ok().map(|child| (child, Instant::now()));
            return self.question.is_none().then_some(false);
        };
        match question.try_wait() {
            Ok(Some(status)) => Some(status.success()),
            Ok(None) if since.elapsed() < self.engine.patience => None,
            _ => Some(false),
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if let Some((question, _)) = &mut self.question {
            let _ = question.kill();
            let _ = question.wait();
        }
    }
}
