//! Compares a log with the engine's copy, and recovers it from there.
//!
//! The log is the original. The engine's copy may have another order of lines, because stdout and stderr are two streams,
//! and log drivers may alter bytes that are not UTF-8, or drop a newline. So a copy is used only for lines that the log
//! lacks, and only if it has all lines of the log.
//!
//! Of a log with a limit, only the end is there. The copy is kept to the same limit while it is fetched, and the two are
//! compared from where both are there.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use super::CHUNK;
use super::gone::{Gone, Log};
use super::lines::{Relation, relate};
use super::trim::Trim;
use crate::fs::{lacks_room, random_name};
use crate::job::mark::Mark;
use crate::job::record::LogState;
use crate::job::{Job, LOG, LOG_RECOVERED};
use crate::names::Tail;

/// How many last lines are compared if no loss is suspected.
const COMPARED: Tail = Tail::Lines(20);

/// How the names of temporary copies begin. One that is in use is locked.
const COPY: &str = ".fetched.";

/// Whether docker's client may have lost lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientEnd {
    /// It ended with the exit code of the container.
    EndedWithIt,
    /// It was killed, or is known to lose output.
    CutOff,
    /// It ended in another way, and may have written why to the log.
    GaveUp,
}

impl ClientEnd {
    /// How many last lines of the log may be the client's own.
    fn words(self) -> usize {
        if self == Self::GaveUp { 4 } else { 0 }
    }
}

/// Whether the engine was away while no client wrote the log. It loses lines then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outage {
    /// It was not.
    None,
    /// Nobody watched it all the time.
    Possible,
    /// It was.
    Seen,
}

/// Writes the engine's copy of the last lines into a file.
pub type Fetch<'a> = dyn Fn(Tail, File) -> io::Result<()> + 'a;

/// What a log turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Its state.
    pub log: LogState,
    /// Why it is not known to be whole.
    pub why: Option<String>,
    /// Whether the engine's copy has no line that is not saved here, so that it may be removed.
    pub saved: bool,
}

/// Finds out whether the log of a container that has ended is whole. If the engine's copy has lines that the log lacks,
/// they are saved beside it, up to the limit of the log in bytes, if it has one. `outage` is asked for after the comparison,
/// and only where it decides.
pub fn verify(job: &Job, client: ClientEnd, limit: Option<u64>, outage: &dyn Fn() -> Outage, fetch: &Fetch) -> Verdict {
    let compared = match client {
        ClientEnd::CutOff | ClientEnd::GaveUp => recover(job, client, limit, fetch),
        ClientEnd::EndedWithIt => match ends_alike(job, limit, fetch) {
            // The client exits with 1 when it cannot write, as many programs do, so its exit code proves nothing here.
            Err(error) if lacks_room(&error) => Err(error),
            Err(error) => {
                let why = Some(format!("it cannot be compared with a copy: {error}"));
                return Verdict { log: LogState::Unverified, why, saved: false };
            }
            Ok(true) => Ok(Found::Whole),
            Ok(false) => recover(job, client, limit, fetch),
        },
    };
    match compared {
        Ok(found) => {
            let is_open = client != ClientEnd::EndedWithIt && found != Found::Other;
            let (log, why) = decide(found, client, if is_open { outage() } else { Outage::None });
            Verdict { log, why: why.map(str::to_owned), saved: log.is_whole() || is_open }
        }
        Err(error) => {
            let why = Some(format!("the docker client may have lost lines: {error}"));
            Verdict { log: LogState::Incomplete, why, saved: false }
        }
    }
}

/// Why a log is not known to be whole that nobody watched all the time.
pub const MAY_HAVE_RESTARTED: &str = "the engine may have been restarted while it ran, and may have lost lines";

/// The state of a log that was compared. Pure.
fn decide(found: Found, client: ClientEnd, outage: Outage) -> (LogState, Option<&'static str>) {
    match (found, client, outage) {
        // The client saw the end of the container. Its log is the original, and the engine's copy may be an altered one.
        (Found::Whole | Found::Other, ClientEnd::EndedWithIt, _) => (LogState::Complete, None),
        (Found::Saved, ClientEnd::EndedWithIt, _) => (LogState::Recovered, None),
        (Found::Other, _, _) => (
            LogState::Incomplete,
            Some("the docker client may have lost lines, and the engine's copy does not have all that it wrote"),
        ),
        (_, _, Outage::Seen) => (
            LogState::Incomplete,
            Some("the engine was away after the docker client had ended, and may have lost lines"),
        ),
        (_, _, Outage::Possible) => (LogState::Unverified, Some(MAY_HAVE_RESTARTED)),
        (Found::Whole, _, Outage::None) => (LogState::Complete, None),
        (Found::Saved, _, Outage::None) => (LogState::Recovered, None),
    }
}

/// What a comparison with the engine's whole copy found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// The log has every line of the copy, and the copy every line of the log.
    Whole,
    /// The copy has lines that the log lacks. They were saved.
    Saved,
    /// The log has lines that the copy lacks.
    Other,
}

fn recover(job: &Job, client: ClientEnd, limit: Option<u64>, fetch: &Fetch) -> io::Result<Found> {
    let copy = Copy::fetch(job, Tail::All, limit, fetch)?;
    let (found, better) = better(job, client, limit, copy)?;
    if let Some(better) = better {
        job.dir.sync_file(&better.name)?;
        if limit.is_some() {
            Mark::make(&job.dir, LOG_RECOVERED, better.gone)?;
        }
        job.dir.rename(&better.name, &job.dir, LOG_RECOVERED)?;
    }
    Ok(found)
}

/// The log or, if the engine's copy has more lines, a file without a name that has those too. `limit` is that of the log.
///
/// # Errors
/// When the engine does not return its copy.
pub fn longer(job: &Job, limit: Option<u64>, fetch: &Fetch) -> io::Result<Log> {
    let (_, better) = better(job, ClientEnd::GaveUp, limit, Copy::fetch(job, Tail::All, limit, fetch)?)?;
    match better {
        Some(better) => {
            let gone = if limit.is_some() { Gone::Known(better.gone) } else { Gone::Nothing };
            Ok(Log { file: job.dir.open_file(&better.name)?, gone })
        }
        None => Log::under(limit, job, job.dir.open_file(LOG)?),
    }
}

/// The file with more lines than the log, if there is one: the copy, or our lines and then the engine's.
fn better<'a>(
    job: &'a Job,
    client: ClientEnd,
    limit: Option<u64>,
    copy: Copy<'a>,
) -> io::Result<(Found, Option<Copy<'a>>)> {
    let ours = Log::under(limit, job, job.dir.open_file(LOG)?)?;
    let gone = ours.gone.bytes();
    let first = gone.max(copy.gone);
    let length = ours.file.metadata()?.len();
    if first > 0 && first >= length && copy.file.metadata()?.len() > first {
        // All that is kept of the copy was written after the end of our log.
        return Ok((Found::Saved, Some(copy)));
    }
    let (mut mine, mut theirs) = (Behind::of(&ours.file, first)?, Behind::of(&copy.file, first)?);
    Ok(match relate(&mut mine, &mut theirs, client.words())? {
        Relation::Equal => (Found::Whole, None),
        Relation::Lacks => (Found::Other, None),
        Relation::Exact => (Found::Saved, Some(copy)),
        Relation::Altered { ours: end, theirs: start } => {
            let mut joined = Copy::new(job)?;
            joined.gone = gone;
            let mut whole = job.dir.change(&joined.name)?;
            whole.seek(SeekFrom::Start(gone))?;
            (&ours.file).seek(SeekFrom::Start(gone))?;
            io::copy(&mut (&ours.file).take(first + end - gone), &mut whole)?;
            // Another process may have kept our log to its limit meanwhile.
            joined.gone = ours.gone.bytes().max(gone);
            (&copy.file).seek(SeekFrom::Start(first + start))?;
            io::copy(&mut &copy.file, &mut whole)?;
            (Found::Saved, Some(joined))
        }
    })
}

/// A file from a place on.
struct Behind<'a> {
    file: &'a File,
    first: u64,
}

impl<'a> Behind<'a> {
    fn of(file: &'a File, first: u64) -> io::Result<Self> {
        let mut behind = Self { file, first };
        behind.rewind()?;
        Ok(behind)
    }
}

impl Read for Behind<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.file.read(into)
    }
}

impl Seek for Behind<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Start(at) = to else { return Err(io::ErrorKind::Unsupported.into()) };
        self.file.seek(SeekFrom::Start(self.first + at)).map(|_| at)
    }
}

/// Compares the last lines, as far as they are not gone.
fn ends_alike(job: &Job, limit: Option<u64>, fetch: &Fetch) -> io::Result<bool> {
    let copy = Copy::fetch(job, COMPARED, None, fetch)?;
    let mut log = Log::under(limit, job, job.dir.open_file(LOG)?)?;
    let (length, theirs) = (log.file.metadata()?.len(), copy.file.metadata()?.len());
    if theirs > length {
        return Ok(false);
    }
    let start = (length - theirs).max(log.gone.bytes());
    log.file.seek(SeekFrom::Start(start))?;
    (&copy.file).seek(SeekFrom::Start(theirs - (length - start)))?;
    agree(&log.file, &copy.file)
}

/// A temporary file beside the log. Dropping it removes the name.
struct Copy<'a> {
    job: &'a Job,
    name: String,
    file: File,
    /// How many bytes of its beginning are gone.
    gone: u64,
}

impl<'a> Copy<'a> {
    fn new(job: &'a Job) -> io::Result<Self> {
        let name = format!("{COPY}{}", random_name());
        drop(job.dir.append(&name)?);
        let file = job.dir.open_file(&name).inspect_err(|_| drop(job.dir.remove(&name)))?;
        // It shows that the file is in use.
        let _ = file.try_lock_shared();
        Ok(Self { job, name, file, gone: 0 })
    }

    /// The engine's copy. Of a log with a limit, its oldest blocks are given back while it comes.
    fn fetch(job: &'a Job, tail: Tail, limit: Option<u64>, fetch: &Fetch) -> io::Result<Self> {
        let mut copy = Self::new(job)?;
        let into = job.dir.append(&copy.name)?;
        let fetched = match limit {
            None => fetch(tail, into).map(|()| 0),
            Some(limit) => {
                let trim = Trim::of_copy(job.dir.open_file(&copy.name)?, job.dir.change(&copy.name)?, limit);
                trim.while_it_grows(|| fetch(tail, into))
            }
        };
        match fetched {
            Ok(gone) => {
                copy.gone = gone;
                Ok(copy)
            }
            // Docker reports only that it could not write. This is asked before the removal, which makes room again.
            Err(_) if job.dir.is_full() => Err(io::Error::new(io::ErrorKind::StorageFull, "the disk is full")),
            Err(error) => Err(error),
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
    common(a, b).map(|(_, is_all)| is_all)
}

/// How many bytes two logs have in common at their beginnings, and whether both end there.
///
/// # Errors
/// When one of them cannot be read.
pub fn common(a: impl Read, b: impl Read) -> io::Result<(u64, bool)> {
    let (mut a, mut b) = (BufReader::with_capacity(CHUNK, a), BufReader::with_capacity(CHUNK, b));
    let mut length = 0;
    loop {
        let (left, right) = (a.fill_buf()?, b.fill_buf()?);
        let size = left.len().min(right.len());
        if size == 0 {
            return Ok((length, left.is_empty() && right.is_empty()));
        }
        if left[..size] != right[..size] {
            let same = left.iter().zip(right).take_while(|(left, right)| left == right).count();
            return Ok((length + same as u64, false));
        }
        length += size as u64;
        a.consume(size);
        b.consume(size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_whole_only_if_the_client_or_an_engine_that_stayed_up_saw_the_end() {
        use LogState::{Complete, Incomplete, Recovered, Unverified};
        let outages = [Outage::None, Outage::Possible, Outage::Seen];
        for (found, client, states) in [
            (Found::Whole, ClientEnd::EndedWithIt, [Complete, Complete, Complete]),
            (Found::Other, ClientEnd::EndedWithIt, [Complete, Complete, Complete]),
            (Found::Saved, ClientEnd::EndedWithIt, [Recovered, Recovered, Recovered]),
            (Found::Whole, ClientEnd::CutOff, [Complete, Unverified, Incomplete]),
            (Found::Whole, ClientEnd::GaveUp, [Complete, Unverified, Incomplete]),
            (Found::Saved, ClientEnd::CutOff, [Recovered, Unverified, Incomplete]),
            (Found::Saved, ClientEnd::GaveUp, [Recovered, Unverified, Incomplete]),
            (Found::Other, ClientEnd::CutOff, [Incomplete, Incomplete, Incomplete]),
            (Found::Other, ClientEnd::GaveUp, [Incomplete, Incomplete, Incomplete]),
        ] {
            for (outage, state) in outages.into_iter().zip(states) {
                let (log, why) = decide(found, client, outage);
                assert_eq!((log, why.is_none()), (state, state.is_whole()), "{found:?} {client:?} {outage:?}");
            }
        }
    }

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
