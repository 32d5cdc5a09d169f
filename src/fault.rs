//! Faults on demand, for the tests. In a release build every function here does nothing.
//!
//! | variable | effect |
//! |---|---|
//! | `LONGSHORE_TEST_ABORT=NAME` | the process is killed at the point of that name |
//! | `LONGSHORE_TEST_PANIC=NAME` | the thread panics at the point of that name |
//! | `LONGSHORE_TEST_FAULT=ROLE:CALL:N:ERRNO` | the Nth call of that kind fails in the command (`cli`) or in the supervisor (`supervisor`); with `odd` for N, the first, third, fifth, …, and with `all` each |
//! | `LONGSHORE_TEST_FIRED=FILE` | a line is appended to the file for each fault that happened, so that a test can check it |
//! | `LONGSHORE_TEST_CALLS=FILE` | a line `ROLE CALL OBJECT` is appended to the file for each call that did not fail |

use std::fmt::Display;
use std::io;

/// A point in the life of a job at which a test may kill the process, or let the thread panic.
#[inline]
pub fn point(name: &str) {
    #[cfg(debug_assertions)]
    active::point(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

/// A call that a test may let fail: `open`, `make` (of a directory or pipe), `write`, `sample` (a write to the index of a
/// log), `fsync`, `rename`, `watch` (for a log to grow), or `release` (of blocks of a log). `object` says of what.
///
/// # Errors
/// Those that the test asks for.
#[inline]
pub fn call(name: &str, object: impl Display) -> io::Result<()> {
    #[cfg(debug_assertions)]
    active::call(name, &object)?;
    #[cfg(not(debug_assertions))]
    let _ = (name, object);
    Ok(())
}

#[cfg(debug_assertions)]
#[expect(clippy::disallowed_methods, reason = "only tests set these variables")]
mod active {
    use std::fmt::Display;
    use std::io::{self, Write as _};
    use std::sync::atomic::{AtomicU32, Ordering};

    fn is_asked_for(variable: &str, name: &str) -> bool {
        std::env::var(variable).is_ok_and(|wanted| wanted == name)
    }

    pub fn point(name: &str) {
        if is_asked_for("LONGSHORE_TEST_ABORT", name) {
            note("LONGSHORE_TEST_FIRED", &format!("abort:{name}"));
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
        if is_asked_for("LONGSHORE_TEST_PANIC", name) {
            note("LONGSHORE_TEST_FIRED", &format!("panic:{name}"));
            panic!("a test asked for a panic at {name:?}");
        }
    }

    pub fn call(name: &str, object: &dyn Display) -> io::Result<()> {
        let is_supervisor = std::env::args().nth(1).is_some_and(|word| word == "__supervise");
        let role = if is_supervisor { "supervisor" } else { "cli" };
        let failed = fail(role, name);
        if failed.is_ok() {
            note("LONGSHORE_TEST_CALLS", &format!("{role} {name} {object}"));
        }
        failed
    }

    fn fail(role: &str, name: &str) -> io::Result<()> {
        static CALLS: AtomicU32 = AtomicU32::new(0);
        let Ok(wanted) = std::env::var("LONGSHORE_TEST_FAULT") else { return Ok(()) };
        let [wanted_role, call, at, errno] = wanted.split(':').collect::<Vec<_>>()[..] else { return Ok(()) };
        if (wanted_role, call) != (role, name) {
            return Ok(());
        }
        let number = CALLS.fetch_add(1, Ordering::SeqCst) + 1;
        let is_due = match at {
            "all" => true,
            "odd" => number % 2 == 1,
            at => Ok(number) == at.parse(),
        };
        if !is_due {
            return Ok(());
        }
        note("LONGSHORE_TEST_FIRED", &wanted);
        Err(io::Error::from_raw_os_error(errno.parse().unwrap_or(5)))
    }

    fn note(variable: &str, line: &str) {
        let Some(file) = std::env::var_os(variable) else { return };
        let opened = std::fs::File::options().append(true).create(true).open(file);
        let _ = opened.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    }
}
