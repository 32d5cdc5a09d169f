//! The keys that are pressed while something is drawn. The terminal gives each at once and does not show it; Ctrl-C and
//! Ctrl-Z are signals as before. It gets its own mode back when this is dropped.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::stdin;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

/// A terminal that gives its keys.
#[derive(Debug)]
pub struct Keys {
    before: Termios,
}

impl Keys {
    /// Asks the terminal that is stdin for its keys. `None` without one, and for a process in the background, which would be
    /// stopped for it.
    #[must_use]
    pub fn listen() -> Option<Self> {
        let keys = Self { before: tcgetattr(stdin()).ok().filter(|_| is_foreground())? };
        keys.ask();
        Some(keys)
    }

    /// Asks again, after [`Keys::give_back`].
    pub fn ask(&self) {
        let mut mode = self.before.clone();
        mode.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        set(&mode);
    }

    /// Gives the terminal the mode that it had.
    pub fn give_back(&self) {
        set(&self.before);
    }

    /// Whether `q` was pressed. Never waits; other keys are dropped.
    #[must_use]
    pub fn has_quit(&self) -> bool {
        let mut pressed = [0; 64];
        // A shell may have given the terminal another mode, in which a read would wait for the end of a line.
        while is_foreground() && is_ready() {
            match rustix::io::read(stdin(), &mut pressed) {
                Ok(count @ 1..) if pressed[..count].iter().any(|key| key.eq_ignore_ascii_case(&b'q')) => return true,
                Ok(1..) => {}
                _ => return false,
            }
        }
        false
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// The terminal may be gone, or belong to another process by now: then there is nothing to set.
fn set(mode: &Termios) {
    if is_foreground() {
        let _ = tcsetattr(stdin(), OptionalActions::Now, mode);
    }
}

fn is_foreground() -> bool {
    tcgetpgrp(stdin()).is_ok_and(|group| group == rustix::process::getpgrp())
}

fn is_ready() -> bool {
    let fd = stdin();
    let mut polled = [PollFd::new(&fd, PollFlags::IN)];
    poll(&mut polled, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
        && polled[0].revents().contains(PollFlags::IN)
}
