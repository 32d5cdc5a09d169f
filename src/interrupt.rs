//! Signals that end a command, such as Ctrl-C. They set a flag, and code that waits checks it at intervals. This module
//! does not decide what follows.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::error::{Failure, Kind};

/// The signal that was heard, or 0.
#[derive(Debug)]
pub struct Interrupt(Arc<AtomicUsize>);

impl Interrupt {
    /// Listens for Ctrl-C from now on.
    pub fn ctrl_c() -> io::Result<Self> {
        Self::of(&[SIGINT])
    }

    /// Listens from now on for SIGINT and SIGTERM.
    pub fn stops() -> io::Result<Self> {
        Self::of(&[SIGINT, SIGTERM])
    }

    /// Listens from now on for SIGINT, SIGHUP and SIGTERM.
    pub fn any_end() -> io::Result<Self> {
        Self::of(&[SIGINT, SIGHUP, SIGTERM])
    }

    /// An interrupt that was already heard.
    #[cfg(test)]
    pub fn heard_already() -> Self {
        Self(Arc::new(AtomicUsize::new(1)))
    }

    fn of(signals: &[i32]) -> io::Result<Self> {
        let heard = Arc::new(AtomicUsize::new(0));
        for signal in signals {
            signal_hook::flag::register_usize(*signal, heard.clone(), usize::try_from(*signal).unwrap_or_default())?;
        }
        Ok(Self(heard))
    }

    /// Whether a signal was heard.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// Fails with this message if a signal was heard.
    ///
    /// # Errors
    /// [`Kind::Terminated`] after SIGTERM, else [`Kind::Interrupted`].
    pub fn check(&self, words: impl FnOnce() -> String) -> Result<(), Failure> {
        failure(self.0.load(Ordering::Relaxed), words)
    }

    /// The same, and forgets the signal, so that the next one is heard.
    ///
    /// # Errors
    /// As [`Interrupt::check`].
    pub fn take(&self, words: impl FnOnce() -> String) -> Result<(), Failure> {
        failure(self.0.swap(0, Ordering::Relaxed), words)
    }
}

fn failure(heard: usize, words: impl FnOnce() -> String) -> Result<(), Failure> {
    match i32::try_from(heard) {
        Ok(0) => Ok(()),
        Ok(SIGTERM) => Err(Failure::new(Kind::Terminated, words())),
        _ => Err(Failure::new(Kind::Interrupted, words())),
    }
}
