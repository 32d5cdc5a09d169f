//! Keeps a log to a size: its oldest blocks are given back to the disk while another process writes it. Its length and the
//! places of its bytes never change.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::CHUNK;
use crate::fault;
use crate::fs::{Dir, first_kept, release};
use crate::job::LOG;
use crate::job::mark::Mark;

/// The least that is given back at a time, in bytes.
const LEAST: u64 = 1 << 20;
/// The size of a block where the file system does not say it, in bytes.
const BLOCK: u64 = 4096;
/// Pause between two looks at a copy that is fetched.
const LOOK: Duration = Duration::from_millis(20);

/// A log, or a copy of one, that is kept to a size.
#[derive(Debug)]
pub struct Trim {
    read: File,
    written: File,
    /// In bytes.
    limit: u64,
    /// Where it is recorded how much is gone; `None` for a copy that has no other reader.
    mark: Option<Mark>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many bytes are gone.
    gone: u64,
    /// How many of them were given back by this process. Another one may have been killed before it had done that.
    released: u64,
    /// Whether it was found out that the file system gives blocks back.
    is_tried: bool,
    /// Why it does not.
    refusal: Option<String>,
}

impl Trim {
    /// Of the log in this directory.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn of_log(dir: &Dir, limit: u64) -> io::Result<Self> {
        let (read, written) = (dir.open_file(LOG)?, dir.change(LOG)?);
        let mark = match Mark::change(dir, LOG) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Mark::make(dir, LOG, first_kept(&read))?;
                Mark::change(dir, LOG)?
            }
            opened => opened?,
        };
        let gone = mark.gone().unwrap_or_else(|_| first_kept(&read));
        let state = State { gone, ..State::default() };
        Ok(Self { read, written, limit, mark: Some(mark), state: Mutex::new(state) })
    }

    /// Of a copy that only this process knows.
    #[must_use]
    pub fn of_copy(read: File, written: File, limit: u64) -> Self {
        Self { read, written, limit, mark: None, state: Mutex::default() }
    }

    /// Whether so much can be given back that it is worth a step.
    #[must_use]
    pub fn is_due(&self, length: u64) -> bool {
        let state = self.state();
        is_due(length, state.gone, self.limit) && state.refusal.is_none()
    }

    /// Why nothing is given back, if the file system cannot do that.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        self.state().refusal.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives back what is older than the last bytes of the limit. Returns how much is gone. What fails is tried again by the
    /// next call.
    pub fn to_limit(&self) -> u64 {
        let mut state = self.state();
        if state.refusal.is_none() {
            let _ = self.advance(&mut state);
        }
        state.gone
    }

    fn advance(&self, state: &mut State) -> io::Result<()> {
        let data = self.read.metadata()?;
        if self.mark.is_none() && data.len() < state.gone {
            // It is fetched once more, from its beginning.
            (state.gone, state.released) = (0, 0);
        }
        let cut = data.len().saturating_sub(self.limit);
        if cut <= state.gone.min(state.released) {
            return Ok(());
        }
        let gone = if cut > state.gone { line_from(&self.read, cut)? } else { state.gone };
        if let Some(mark) = self.mark.as_ref().filter(|_| gone > state.gone) {
            if !std::mem::replace(&mut state.is_tried, true) {
                state.refusal = mark.try_release().err().map(|error| error.to_string());
            }
            if state.refusal.is_some() {
                return Ok(());
            }
            mark.record(gone)?;
            state.gone = gone;
            fault::point("log-marked");
        }
        let size = Some(data.blksize()).filter(|size| size.is_power_of_two()).unwrap_or(BLOCK);
        release(&self.written, LOG, 0..whole_blocks(gone, size))?;
        (state.gone, state.released) = (gone, gone);
        fault::point("log-released");
        Ok(())
    }

    /// Keeps a copy to its size while `fetch` writes it. Returns how much of it is gone.
    ///
    /// # Errors
    /// Those of `fetch`.
    pub fn while_it_grows(&self, fetch: impl FnOnce() -> io::Result<()>) -> io::Result<u64> {
        let (end, ended) = channel::<()>();
        std::thread::scope(|scope| {
            let watch = move || {
                while ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                    // One that is shorter than what is gone is fetched once more.
                    let is_due = |length| self.is_due(length) || length < self.state().gone;
                    if self.read.metadata().is_ok_and(|data| is_due(data.len())) {
                        self.to_limit();
                    }
                }
            };
            // Without another thread, all of it is there until the end.
            let _ = std::thread::Builder::new().spawn_scoped(scope, watch);
            let fetched = fetch();
            drop(end);
            fetched
        })?;
        Ok(self.to_limit())
    }
}

fn is_due(length: u64, gone: u64, limit: u64) -> bool {
    length.saturating_sub(gone) >= limit.saturating_add((limit / 8).max(LEAST))
}

/// The end of the last block that has only bytes before this place.
fn whole_blocks(place: u64, size: u64) -> u64 {
    place / size * size
}

/// The beginning of the first line from here on. A line that is longer than a chunk is cut.
fn line_from(file: &File, position: u64) -> io::Result<u64> {
    let Some(before) = position.checked_sub(1) else { return Ok(0) };
    let mut chunk = vec![0; CHUNK];
    let count = file.read_at(&mut chunk, before)?;
    let end = memchr::memchr(b'\n', &chunk[..count]);
    Ok(end.map_or(position, |end| before + end as u64 + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::job::mark::name;
    use crate::log::gone::{Gone, Log};
    use crate::log::passage::Passage;

    const MIB: u64 = 1 << 20;

    fn dir() -> (tempfile::TempDir, Dir) {
        let (temporary, dir) = Dir::temporary();
        Mark::make(&dir, LOG, 0).unwrap();
        (temporary, dir)
    }

    #[test]
    fn a_step_is_due_when_an_eighth_of_the_limit_or_a_mebibyte_is_too_much() {
        for (length, gone, limit, due) in [
            (0, 0, MIB, false),
            (2 * MIB - 1, 0, MIB, false),
            (2 * MIB, 0, MIB, true),
            (2 * MIB, 1, MIB, false),
            (2 * MIB, 3 * MIB, MIB, false),
            (90 * MIB - 1, 0, 80 * MIB, false),
            (90 * MIB, 0, 80 * MIB, true),
        ] {
            assert_eq!(is_due(length, gone, limit), due, "{length} {gone} {limit}");
        }
    }

    #[test]
    fn only_whole_blocks_are_given_back() {
        for (place, size, end) in [
            (0, 4096, 0),
            (4095, 4096, 0),
            (4096, 4096, 4096),
            (8191, 4096, 4096),
            (MIB + 1, 131_072, MIB),
            (u64::MAX, 4096, u64::MAX - 4095),
        ] {
            assert_eq!(whole_blocks(place, size), end, "{place} {size}");
        }
    }

    #[test]
    fn what_is_kept_begins_with_a_line_unless_that_is_very_long() {
        let (_temporary, dir) = dir();
        let text = [b"ab\ncd\n".to_vec(), vec![b'x'; 2 * CHUNK], b"\nend\n".to_vec()].concat();
        dir.write_new(LOG, &text).unwrap();
        let file = dir.open_file(LOG).unwrap();
        let long = 6 + 2 * CHUNK as u64;
        for (position, line) in [
            (0, 0),
            (1, 3),
            (3, 3),
            (4, 6),
            (6, 6),
            (7, 7),
            (long - CHUNK as u64, long - CHUNK as u64),
            (long - CHUNK as u64 + 2, long + 1),
            (long + 1, long + 1),
        ] {
            assert_eq!(line_from(&file, position).unwrap(), line, "{position}");
        }
    }

    #[test]
    fn a_damaged_mark_is_written_anew_and_the_file_system_tells_what_is_gone() {
        let (_temporary, dir) = dir();
        let text = "0123456789abcde\n".repeat(40_000);
        dir.write_new(LOG, text.as_bytes()).unwrap();
        assert_eq!(Trim::of_log(&dir, 100_000).unwrap().to_limit(), 540_000);
        let file = dir.open_file(LOG).unwrap();
        dir.replace(&name(LOG), b"garbage").unwrap();
        let gone = Gone::in_dir(&dir, LOG, &file).unwrap();
        assert_eq!(gone.bytes(), 540_000 / 4096 * 4096);
        dir.remove(&name(LOG)).unwrap();
        assert_eq!(Trim::of_log(&dir, 50_000).unwrap().to_limit(), 590_000);
        assert_eq!(Gone::in_dir(&dir, LOG, &file).unwrap().bytes(), 590_000);
    }

    #[test]
    fn what_another_process_has_only_marked_is_given_back_by_the_next_one() {
        let (_temporary, dir) = dir();
        dir.write_new(LOG, "0123456789abcde\n".repeat(40_000).as_bytes()).unwrap();
        Mark::change(&dir, LOG).unwrap().record(540_000).unwrap();
        let file = dir.open_file(LOG).unwrap();
        assert!(file.metadata().unwrap().blocks() * 512 >= 640_000);
        assert_eq!(Trim::of_log(&dir, 100_000).unwrap().to_limit(), 540_000);
        assert!(file.metadata().unwrap().blocks() * 512 < 120_000);
        assert_eq!(first_kept(&file), 540_000 / 4096 * 4096);
    }

    #[test]
    fn a_copy_that_is_fetched_twice_begins_anew() {
        let (_temporary, dir) = dir();
        let trim = Trim::of_copy(
            dir.append("copy").and_then(|_| dir.open_file("copy")).unwrap(),
            dir.change("copy").unwrap(),
            1000,
        );
        let line = "0123456789abcde\n";
        let gone = trim.while_it_grows(|| {
            let into = dir.append("copy")?;
            into.write_all_at(line.repeat(500_000).as_bytes(), 0)?;
            while trim.state().gone == 0 {
                std::thread::yield_now();
            }
            into.set_len(0)?;
            into.write_all_at(line.repeat(100).as_bytes(), 0)
        });
        assert_eq!(gone.unwrap(), 608);
    }

    proptest! {
        /// However the log grows, what is kept is the end of it, and nothing but the end of the log is on the disk.
        #[test]
        fn what_is_kept_is_the_end_of_the_log(
            lines in prop::collection::vec((0..3000_usize, 1..40_usize), 1..40),
            limit in 70_000..400_000_u64,
        ) {
            use std::io::Write as _;
            let (_temporary, dir) = dir();
            let mut log = dir.append(LOG).unwrap();
            let trim = Trim::of_log(&dir, limit).unwrap();
            let mut whole = Vec::new();
            for (size, times) in lines {
                let text = [vec![b'a' + u8::try_from(size % 26).unwrap(); size], b"\n".to_vec()].concat().repeat(times);
                log.write_all(&text).unwrap();
                whole.extend_from_slice(&text);
                let gone = trim.to_limit();
                let data = log.metadata().unwrap();
                prop_assert_eq!(data.len(), whole.len() as u64);
                prop_assert!(gone <= data.len().saturating_sub(limit) + CHUNK as u64);
                prop_assert!(data.len() - gone <= limit);
                prop_assert!(data.blocks() * 512 <= limit + 2 * data.blksize() + 65_536, "{} blocks", data.blocks());
                let file = dir.open_file(LOG).unwrap();
                let log = Log { gone: Gone::in_dir(&dir, LOG, &file).unwrap(), file };
                let (mut kept, mut reader) = (Vec::new(), Passage::new(log, 0, None));
                while reader.next(data.len(), &mut kept).unwrap() > 0 {}
                prop_assert_eq!(reader.missed, gone);
                let at = usize::try_from(gone).unwrap();
                prop_assert!(kept == whole[at..] && (at == 0 || whole[at - 1] == b'\n'));
            }
        }
    }
}
