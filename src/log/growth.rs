//! Wakes a process when a log grows, without a look at the log before that. Where the kernel cannot do that, the caller has
//! to look again and again.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// A wait for a file to grow. Its descriptor can be read once that has happened.
#[derive(Debug)]
pub struct Growth {
    #[cfg(target_os = "linux")]
    events: File,
    #[cfg(not(target_os = "linux"))]
    never: std::convert::Infallible,
}

#[cfg(target_os = "linux")]
impl Growth {
    /// A wait that is not armed.
    ///
    /// # Errors
    /// When the user has too many of them, or there is no descriptor left.
    pub fn new() -> io::Result<Self> {
        use rustix::fs::inotify::{CreateFlags, init};
        crate::fault::call("watch", "")?;
        Ok(Self { events: File::from(init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?) })
    }

    /// Forgets what has happened, and waits for the next write to this file. A write before this call may be missed, so the
    /// length has to be asked for after it. Until the next call, further writes cost nothing.
    ///
    /// # Errors
    /// When the file cannot be watched.
    pub fn arm(&self, file: &File) -> io::Result<()> {
        use rustix::fs::inotify::WatchFlags;
        self.clear();
        self.watch(file, WatchFlags::MODIFY | WatchFlags::ONESHOT)
    }

    /// Also waits for entries that come to this directory or leave it.
    ///
    /// # Errors
    /// As [`Growth::arm`].
    pub fn watch_entries(&self, dir: &impl AsFd) -> io::Result<()> {
        use rustix::fs::inotify::WatchFlags;
        self.watch(dir, WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVE)
    }

    fn watch(&self, file: &impl AsFd, events: rustix::fs::inotify::WatchFlags) -> io::Result<()> {
        use std::os::fd::AsRawFd as _;
        // By its descriptor, because its name may be another file's by now.
        let path = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
        rustix::fs::inotify::add_watch(&self.events, path, events)?;
        Ok(())
    }

    /// Forgets what has happened.
    fn clear(&self) {
        use std::io::Read as _;
        while (&self.events).read(&mut [0; 256]).is_ok_and(|length| length > 0) {}
    }
}

#[cfg(not(target_os = "linux"))]
impl Growth {
    /// Not known on this system.
    ///
    /// # Errors
    /// Always.
    pub fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// There is none to arm.
    ///
    /// # Errors
    /// Never.
    pub fn arm(&self, _: &File) -> io::Result<()> {
        match self.never {}
    }

    /// The same.
    ///
    /// # Errors
    /// Never.
    pub fn watch_entries(&self, _: &impl AsFd) -> io::Result<()> {
        match self.never {}
    }
}

impl AsFd for Growth {
    #[cfg(target_os = "linux")]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }

    #[cfg(not(target_os = "linux"))]
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.never {}
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Write as _;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    fn is_woken(growth: &Growth) -> bool {
        let mut fds = [PollFd::new(growth, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec::default())).unwrap() > 0
    }

    #[test]
    fn the_first_write_after_it_was_armed_wakes_it_and_no_other_one() {
        let mut written = tempfile::NamedTempFile::new().unwrap();
        let read = File::open(written.path()).unwrap();
        let growth = Growth::new().unwrap();
        written.write_all(b"before").unwrap();
        assert!(!is_woken(&growth));
        growth.arm(&read).unwrap();
        assert!(!is_woken(&growth));
        written.write_all(b"first").unwrap();
        assert!(is_woken(&growth));
        growth.clear();
        written.write_all(b"second").unwrap();
        assert!(!is_woken(&growth));
        // Also by another name, and after its own name is gone.
        growth.arm(&read).unwrap();
        let (mut file, _path) = (written.as_file().try_clone().unwrap(), written.into_temp_path().close().unwrap());
        file.write_all(b"third").unwrap();
        assert!(is_woken(&growth));
    }

    #[test]
    fn an_entry_that_comes_to_a_directory_wakes_it() {
        let dir = tempfile::tempdir().unwrap();
        let growth = Growth::new().unwrap();
        growth.watch_entries(&File::open(dir.path()).unwrap()).unwrap();
        assert!(!is_woken(&growth));
        for step in ["create", "rename", "remove"] {
            match step {
                "create" => std::fs::write(dir.path().join("a"), "").unwrap(),
                "rename" => std::fs::rename(dir.path().join("a"), dir.path().join("b")).unwrap(),
                _ => std::fs::remove_file(dir.path().join("b")).unwrap(),
            }
            assert!(is_woken(&growth), "{step}");
            growth.clear();
        }
    }
}
