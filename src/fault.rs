//! Faults on demand, for the tests. In a release build every function here does nothing.
//!
//! `LONGSHORE_TEST_ABORT=NAME` kills the process at the point of that name. `LONGSHORE_TEST_FAULT=ROLE:CALL:N:ERRNO` lets the
//! Nth call of that kind fail in the command (`cli`) or in the supervisor (`supervisor`), and appends a line to the file in
//! `LONGSHORE_TEST_FIRED`, so that a test can check that it happened.

use std::io;

/// A point in the life of a job at which a test may kill the process.
#[inline]
pub fn point(name: &str) {
    #[cfg(debug_assertions)]
    active::point(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

/// A call that a test may let fail: `open`, `write`, `fsync` or `rename`.
///
/// # Errors
/// Those that the test asks for.
#[inline]
pub fn call(name: &str) -> io::Result<()> {
    #[cfg(debug_assertions)]
    active::call(name)?;
    #[cfg(not(debug_assertions))]
    let _ = name;
    Ok(())
}

#[cfg(debug_assertions)]
#[expect(clippy::disallowed_methods, reason = "only tests set these variables")]
mod active {
    use std::io::{self, Write as _};
    use std::sync::atomic::{AtomicU32, Ordering};

    pub fn point(name: &str) {
        if std::env::var("LONGSHORE_TEST_ABORT").is_ok_and(|wanted| wanted == name) {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }

    pub fn call(name: &str) -> io::Result<()> {
        static CALLS: AtomicU32 = AtomicU32::new(0);
        let Ok(wanted) = std::env::var("LONGSHORE_TEST_FAULT") else { return Ok(()) };
        let [role, call, at, errno] = wanted.split(':').collect::<Vec<_>>()[..] else { return Ok(()) };
        let is_supervisor = std::env::args().nth(1).is_some_and(|word| word == "__supervise");
        if call != name || is_supervisor != (role == "supervisor") {
            return Ok(());
        }
        if Ok(CALLS.fetch_add(1, Ordering::SeqCst) + 1) != at.parse() {
            return Ok(());
        }
        let fired = std::env::var_os("LONGSHORE_TEST_FIRED").unwrap_or_default();
        let _ = std::fs::File::options()
            .append(true)
            .create(true)
            .open(fired)
            .and_then(|mut file| writeln!(file, "{wanted}"));
        Err(io::Error::from_raw_os_error(errno.parse().unwrap_or(5)))
    }
}
