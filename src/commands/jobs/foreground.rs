//! `--foreground`: the job ends with its command. Ctrl-C and TERM stop it, and a second one kills it.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::end::{ANSWERING, WAKING, end};
use super::name::stop;
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::interrupt::Interrupt;
use crate::job::Job;
use crate::job::record::{Kind, Outcome};
use crate::job::request::{Request, Verb};
use crate::job::view::View;
use crate::output::Voice;

/// What a command that stays in the foreground hears, and what it has asked of its job because of that.
#[derive(Debug)]
pub struct Foreground<'a> {
    env: &'a Env,
    voice: &'a Voice,
    job: &'a Job,
    interrupt: &'a Interrupt,
    /// The failure for the first signal: it has the exit code.
    heard: Option<Failure>,
    asked: Option<(Request, Instant)>,
}

impl<'a> Foreground<'a> {
    /// For this job.
    pub fn new(env: &'a Env, voice: &'a Voice, job: &'a Job, interrupt: &'a Interrupt) -> Self {
        Self { env, voice, job, interrupt, heard: None, asked: None }
    }

    /// Asks the job to end if a signal was heard since the last call. `before` is called before anything is said.
    ///
    /// # Errors
    /// When the job cannot be ended. It may go on then.
    pub fn hear(&mut self, before: impl FnOnce() -> std::io::Result<()>) -> Result<()> {
        if let Err(heard) = self.interrupt.take(|| "interrupted".into()) {
            before()?;
            self.ask(heard);
        }
        let Some((request, since)) = self.asked.take() else { return Ok(()) };
        let answer = self.job.requests().answer(&request).cloned();
        if let Some(failure) = answer.as_ref().and_then(|answer| answer.failure.clone()) {
            return if self.job.has_ended() { Ok(()) } else { Err(failure.into()) };
        }
        if answer.is_some() || self.job.has_ended() {
            return Ok(());
        }
        // A supervisor that was killed, or does not answer: the command asks docker itself.
        if !self.job.is_supervised() || since.elapsed() > Duration::from_secs(request.grace) + ANSWERING {
            return end(self.env, self.job, &request);
        }
        // One that is just starting may miss it.
        if since.elapsed() < WAKING {
            self.job.wake();
        }
        self.asked = Some((request, since));
        Ok(())
    }

    fn ask(&mut self, heard: Failure) {
        let (word, id) = (self.job.kind.word(), &self.job.id);
        let request = if self.heard.is_none() {
            self.voice.note(&format!("note: stopping {word} {id}; another Ctrl-C kills it"));
            stop(self.env, self.job)
        } else {
            self.voice.note(&format!("note: killing {word} {id}"));
            let verb = if self.job.kind == Kind::Build { Verb::Cancel } else { Verb::Kill };
            Request::new(verb, 9, Duration::ZERO, self.env.now())
        };
        self.heard.get_or_insert(heard);
        // On a full disk the request cannot be recorded; then nobody answers it, and it is carried out here.
        let _ = self.job.ask(&request);
        self.asked = Some((request, Instant::now()));
    }

    /// Ends the job because the command cannot stay, for example because nobody reads its output any more.
    pub fn abandon(&self) {
        if !self.job.has_ended() {
            let _ = end(self.env, self.job, &stop(self.env, self.job));
        }
    }

    /// The failure of a job that was stopped by a signal to the command; `None` if it ended by itself.
    pub fn failure(&self, view: &View) -> Option<Failure> {
        let heard = self.heard.as_ref().filter(|_| view.outcome == Some(Outcome::Cancelled))?;
        let (word, id) = (self.job.kind.word(), &self.job.id);
        Some(Failure::new(heard.kind, format!("{}; {word} {id} was stopped", heard.message)))
    }
}

/// Whether a failure is that of a signal.
pub fn is_signal(error: &anyhow::Error) -> bool {
    matches!(Failure::of(error).kind, ErrorKind::Interrupted | ErrorKind::Terminated)
}
