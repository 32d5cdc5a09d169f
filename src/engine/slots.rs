//! At most [`COUNT`] calls at a time open connections to one host by ssh, over all processes of longshore of a user.
//!
//! sshd refuses connections when ten are being opened (`MaxStartups`), and docker's client then gives a wrong reason. A slot
//! is a lock on one of four files in the state directory; the kernel frees it when its process ends. A call that gets no
//! slot in time is made without one, and so is one whose slots cannot be used: this limit makes no call fail. Engines that
//! are not reached by ssh have no slots, and no files.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use crate::env::Env;
use crate::fs::Dir;

/// How many calls at a time may go to one host.
const COUNT: usize = 4;
/// The directory of the locks in the state directory.
const DIRECTORY: &str = ".calls";
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(10);
/// How long a call of which nothing is heard may take to open its connections.
const CONNECTING: Duration = Duration::from_secs(2);

/// Where the slots are.
#[derive(Debug, Clone, Default)]
pub struct Slots {
    /// The state directory; `None` where there is none that could be used.
    state: Option<PathBuf>,
    /// Also on a file system whose locks may not be reliable.
    any_file_system: bool,
}

/// A slot that is held until this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Slot {
    _lock: File,
    since: Instant,
}

impl Slots {
    /// In the state directory.
    #[must_use]
    pub fn of(env: &Env) -> Self {
        Self { state: env.state_dir().ok().map(Into::into), any_file_system: env.any_file_system }
    }

    /// In another directory, on any file system.
    #[cfg(test)]
    #[must_use]
    pub fn in_dir(dir: &std::path::Path) -> Self {
        Self { state: Some(dir.join("longshore")), any_file_system: true }
    }

    /// Whether there can be no slot.
    #[must_use]
    pub fn are_none(&self) -> bool {
        self.state.is_none()
    }

    /// Waits for a slot for the host of this URL. `None` after `patience`, and where there can be no slots.
    pub fn take(&self, url: &str, patience: Duration) -> Option<Slot> {
        let name = name(url);
        let dir = self.open().ok()?;
        let deadline = Instant::now() + patience;
        loop {
            let files = (0..COUNT).map(|number| dir.lock_file(&format!("{name}-{number}")));
            for file in files {
                let file = file.ok()?;
                if file.try_lock().is_ok() {
                    return Some(Slot { _lock: file, since: Instant::now() });
                }
            }
            if Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn open(&self) -> io::Result<Dir> {
        let root = Dir::make(self.state.as_ref().ok_or(io::ErrorKind::NotFound)?)?;
        if root.untrusted_file_system().is_some() && !self.any_file_system {
            return Err(io::ErrorKind::Unsupported.into());
        }
        root.make_subdir(DIRECTORY)
    }
}

/// Sixteen hexadecimal digits.
fn name(url: &str) -> String {
    let digest = Sha256::digest(url.as_bytes());
    digest.iter().take(8).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

impl Slot {
    /// Whether its call must have opened its connections by now.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.since.elapsed() >= CONNECTING
    }

    /// Frees it when that is so.
    pub fn free_soon(self) {
        // Without another thread it is freed now.
        let _ = std::thread::Builder::new().spawn(move || {
            std::thread::sleep(CONNECTING);
            drop(self);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    fn slots() -> (tempfile::TempDir, Slots) {
        let dir = tempfile::tempdir().unwrap();
        let slots = Slots::in_dir(dir.path());
        (dir, slots)
    }

    #[test]
    fn four_calls_have_a_slot_and_a_fifth_when_one_of_them_has_ended() {
        let (_dir, slots) = slots();
        let mut held: Vec<Slot> = (0..COUNT).map(|_| slots.take("ssh://far", NOW).unwrap()).collect();
        assert!(slots.take("ssh://far", NOW).is_none());
        assert!(slots.take("ssh://other", NOW).is_some(), "another host has its own");
        let begun = Instant::now();
        assert!(slots.take("ssh://far", PAUSE * 5).is_none());
        assert!(begun.elapsed() >= PAUSE * 5);
        drop(held.remove(2));
        assert!(slots.take("ssh://far", NOW).is_some());
    }

    #[test]
    fn one_that_waits_gets_a_slot_that_is_freed_meanwhile() {
        let (_dir, slots) = slots();
        let mut held: Vec<Slot> = (0..COUNT).map(|_| slots.take("ssh://far", NOW).unwrap()).collect();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| slots.take("ssh://far", Duration::from_secs(60)).is_some());
            held.pop();
            assert!(waiting.join().unwrap());
        });
    }

    #[test]
    fn without_a_directory_that_can_be_used_there_are_no_slots() {
        let (dir, slots) = slots();
        assert!(Slots::default().take("ssh://far", NOW).is_none());
        std::fs::write(dir.path().join("longshore"), "").unwrap();
        assert!(slots.take("ssh://far", NOW).is_none());
    }
}
