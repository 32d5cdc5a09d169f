//! Compares a log with the engine's copy, and recovers it from there. The two are never spliced: the engine's copy
//! becomes a second file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _, SeekFrom};

use crate::fs::random_name;
use crate::job::record::LogState;
use crate::job::{Job, LOG, LOG_RECOVERED};
use crate::names::Tail;

/// How many last lines are compared if no loss is suspected.
const COMPARED: Tail = Tail::Lines(20);

/// Whether docker's client may have lost lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientEnd {
    /// It ended with the exit code of the container.
    EndedWithIt,
    /// It ended in another way, or it is known to lose output.
    CutOff,
}

/// Writes the engine's copy of the last lines into a file.
pub type Fetch<'a> = dyn Fn(Tail, File) -> io::Result<()> + 'a;

/// The state of the log of a container that has ended and, if it is incomplete, why. If the log is shorter than the
/// engine's copy, the copy is saved beside it.
pub fn verify(job: &Job, client: ClientEnd, fetch: &Fetch) -> (LogState, Option<String>) {
    let verified = match client {
        ClientEnd::CutOff => recover(job, fetch, |_, _| true),
        ClientEnd::EndedWithIt => match ends_alike(job, fetch) {
            // The client exits with 1 when it cannot write, as many programs do, so its exit code proves nothing here.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => Err(error),
            // Any other error means that the log driver cannot be read. The client saw the container's end, so its log
            // is used.
            Ok(true) | Err(_) => Ok(LogState::Complete),
            // The engine's order of lines may differ if both streams were written at the same time. So only a longer
            // copy proves that lines are missing.
            Ok(false) => recover(job, fetch, |theirs, ours| theirs > ours),
        },
    };
    match verified {
        Ok(LogState::Incomplete) if client == ClientEnd::EndedWithIt => (LogState::Complete, None),
        Ok(LogState::Incomplete) => (
            LogState::Incomplete,
            Some("the docker client may have lost lines, and the engine's copy is shorter".into()),
        ),
        Ok(state) => (state, None),
        Err(error) => (LogState::Incomplete, Some(format!("the docker client may have lost lines: {error}"))),
    }
}

/// Saves the engine's copy beside the log if it is not shorter, differs, and `prefer` (of both lengths) is true.
fn recover(job: &Job, fetch: &Fetch, prefer: fn(u64, u64) -> bool) -> io::Result<LogState> {
    let copy = Copy::fetch(job, Tail::All, fetch)?;
    let ours = job.dir.open_file(LOG)?;
    let (length, theirs) = (ours.metadata()?.len(), copy.file.metadata()?.len());
    if theirs < length {
        return Ok(LogState::Incomplete);
    }
    if prefer(theirs, length) && !agree(&ours, &copy.file)? {
        copy.file.sync_all()?;
        job.dir.rename(&copy.name, &job.dir, LOG_RECOVERED)?;
        return Ok(LogState::Recovered);
    }
    Ok(LogState::Complete)
}

fn ends_alike(job: &Job, fetch: &Fetch) -> io::Result<bool> {
    let copy = Copy::fetch(job, COMPARED, fetch)?;
    let mut log = job.dir.open_file(LOG)?;
    let (length, theirs) = (log.metadata()?.len(), copy.file.metadata()?.len());
    if theirs > length {
        return Ok(false);
    }
    log.seek(SeekFrom::Start(length - theirs))?;
    agree(&log, &copy.file)
}

/// The engine's copy as an open file without a name, at its beginning.
///
/// # Errors
/// When the engine does not return it.
pub fn fetch_unnamed(job: &Job, fetch: &Fetch) -> io::Result<File> {
    job.dir.open_file(&Copy::fetch(job, Tail::All, fetch)?.name)
}

/// The engine's copy as a temporary file beside the log. Dropping it removes the name.
struct Copy<'a> {
    job: &'a Job,
    name: String,
    file: File,
}

impl<'a> Copy<'a> {
    fn fetch(job: &'a Job, tail: Tail, fetch: &Fetch) -> io::Result<Self> {
        let name = format!(".fetched.{}", random_name());
        let into = job.dir.append(&name)?;
        let fetched = fetch(tail, into).and_then(|()| job.dir.open_file(&name));
        match fetched {
            Ok(file) => Ok(Self { job, name, file }),
            Err(error) => {
                // Docker reports only that it could not write. This is asked before the removal, which makes room again.
                let full = job.dir.is_full();
                let _ = job.dir.remove(&name);
                Err(if full { io::Error::new(io::ErrorKind::StorageFull, "the disk is full") } else { error })
            }
        }
    }
}

impl Drop for Copy<'_> {
    fn drop(&mut self) {
        let _ = self.job.dir.remove(&self.name);
    }
}

/// Whether two readers have the same content.
///
/// # Errors
/// When one cannot be read.
pub fn agree(a: impl Read, b: impl Read) -> io::Result<bool> {
    let (mut a, mut b) = (BufReader::new(a), BufReader::new(b));
    loop {
        let (left, right) = (a.fill_buf()?, b.fill_buf()?);
        let size = left.len().min(right.len());
        if size == 0 {
            return Ok(left.is_empty() && right.is_empty());
        }
        if left[..size] != right[..size] {
            return Ok(false);
        }
        a.consume(size);
        b.consume(size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_readers_agree_only_if_both_end_together() {
        let long = vec![b'x'; 100_000];
        assert!(agree(&long[..], &long[..]).unwrap());
        assert!(agree(&b""[..], &b""[..]).unwrap());
        assert!(!agree(&long[..], &long[..99_999]).unwrap());
        assert!(!agree(&b"a"[..], &b"b"[..]).unwrap());
        assert!(agree((&long[..]).take(9), (&long[..50]).take(9)).unwrap());
    }
}
