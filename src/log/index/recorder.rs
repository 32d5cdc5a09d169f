//! Writes the index of a log.
//!
//! A sample is a write of 16 bytes in place, so a sample that a killed supervisor did not finish is overwritten by the next
//! one. The index is never synced.

use std::fs::File;
use std::io;

use super::{Index, SIZE, Sample};
use crate::fs::{Dir, random_name, write_sample};
use crate::job::LOG_INDEX;

/// How many samples an index has at most: 16 MiB, or 29 hours of a log that grows all the time.
const MOST: u64 = 1 << 20;
/// By how much the clock may be set back without a gap in the times, in milliseconds.
const SMALL_STEP: i64 = 1000;
/// How exact the older half of an index is at least after it was thinned, in milliseconds. It is as exact as there is room.
const COARSEST: i64 = 24 * 3600 * 1000;

/// An index that is written.
#[derive(Debug)]
pub struct Recorder {
    file: File,
    count: u64,
    last: Option<Sample>,
    /// Whether a sample could not be written.
    missed: bool,
}

impl Recorder {
    /// Opens the index of the log in this directory, or makes it.
    ///
    /// # Errors
    /// When it cannot be read or made.
    pub fn open(dir: &Dir) -> io::Result<Self> {
        let file = dir.lock_file(LOG_INDEX)?;
        let mut known = Index::of(file.try_clone()?)?;
        let count = known.count();
        let last = count.checked_sub(1).and_then(|last| known.sample(last).ok());
        Ok(Self { file, count, last, missed: false })
    }

    /// The length of the log at the last sample.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.last.map(|last| last.length)
    }

    /// Adds a sample, unless the log is shorter than at the last one. Returns whether it is written. If one cannot be written,
    /// there is a gap before the next one.
    pub fn add(&mut self, dir: &Dir, sample: Sample) -> bool {
        if self.last.is_some_and(|last| last.length > sample.length) {
            return false;
        }
        let added = self.make_room(dir).and_then(|()| self.write(sample)).is_ok();
        self.missed = !added;
        added
    }

    fn write(&mut self, sample: Sample) -> io::Result<()> {
        let mut gap = sample.gap || self.missed;
        if let Some(last) = self.last.filter(|last| last.time > sample.time) {
            gap |= last.time - sample.time > SMALL_STEP;
            self.forget_after(sample.time)?;
        }
        let sample = Sample { gap, ..sample };
        write_sample(&self.file, LOG_INDEX, &sample.to_bytes(), self.count * SIZE)?;
        self.count += 1;
        self.last = Some(sample);
        Ok(())
    }

    /// Removes the samples that are later than this. After the clock was set back they lie in the future, and the new clock
    /// is taken as the right one: what they stand for was written before now.
    fn forget_after(&mut self, time: i64) -> io::Result<()> {
        let mut index = Index::of(self.file.try_clone()?)?;
        self.count = index.partition(|sample| sample.time <= time).unwrap_or(0);
        self.last = self.count.checked_sub(1).and_then(|last| index.sample(last).ok());
        self.file.set_len(self.count * SIZE)
    }

    /// Thins an index that is full: its older half becomes less exact.
    fn make_room(&mut self, dir: &Dir) -> io::Result<()> {
        if self.count < MOST {
            return Ok(());
        }
        let mut index = Index::of(self.file.try_clone()?)?;
        let temporary = format!(".{LOG_INDEX}.{}", random_name());
        let thinned = thin(&mut index, MOST, &mut io::BufWriter::new(dir.append(&temporary)?));
        thinned.and_then(|_| dir.place(&temporary, dir, LOG_INDEX)).inspect_err(|_| drop(dir.remove(&temporary)))?;
        *self = Self { missed: self.missed, ..Self::open(dir)? };
        Ok(())
    }
}

/// Writes the samples with at most three quarters of `most` of them; returns their number. The newer half is kept as it is. Of the
/// older one, samples that follow each other within some time become one, beginning with a second.
fn thin(index: &mut Index, most: u64, out: &mut impl io::Write) -> io::Result<u64> {
    let half = index.count() / 2;
    let mut resolution = 1000;
    while resolution < COARSEST && index.count() - half + kept(index, half, resolution, &mut |_| Ok(()))? > most / 4 * 3
    {
        resolution *= 4;
    }
    let mut count = kept(index, half, resolution, &mut |sample| out.write_all(&sample.to_bytes()))?;
    for at in half..index.count() {
        if let Ok(sample) = index.sample(at) {
            out.write_all(&sample.to_bytes())?;
            count += 1;
        }
    }
    out.flush()?;
    Ok(count)
}

/// The samples of the first `half` that are kept, and their number. The last one of those that become one has the right length
/// and is too late for the others, by the resolution at most.
fn kept(
    index: &mut Index,
    half: u64,
    resolution: i64,
    keep: &mut dyn FnMut(Sample) -> io::Result<()>,
) -> io::Result<u64> {
    let (mut count, mut first, mut held) = (0, None, None::<Sample>);
    for at in 0..half {
        let Ok(sample) = index.sample(at) else { continue };
        let joins = first.is_some_and(|first| sample.time - first <= resolution) && !sample.gap;
        if !joins {
            if let Some(held) = held {
                keep(held)?;
                count += 1;
            }
            // Nothing is joined with the end of a gap.
            first = (!sample.gap).then_some(sample.time);
        }
        held = Some(sample);
    }
    if let Some(held) = held {
        keep(held)?;
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn sample(time: i64, length: u64) -> Sample {
        Sample { time, length, gap: false }
    }

    fn read(dir: &Dir) -> Vec<Sample> {
        let mut index = Index::open(dir).unwrap();
        (0..index.count()).map(|at| index.sample(at).unwrap()).collect()
    }

    #[test]
    fn a_torn_sample_is_overwritten_and_another_supervisor_continues() {
        let (_temporary, dir) = Dir::temporary();
        let mut recorder = Recorder::open(&dir).unwrap();
        recorder.add(&dir, sample(100, 5));
        recorder.add(&dir, sample(200, 9));
        let file = dir.append(LOG_INDEX).unwrap();
        (&file).write_all(b"torn").unwrap();
        let mut recorder = Recorder::open(&dir).unwrap();
        assert_eq!(recorder.length(), Some(9));
        recorder.add(&dir, Sample { gap: true, ..sample(900, 20) });
        recorder.add(&dir, sample(950, 4));
        assert_eq!(read(&dir), [sample(100, 5), sample(200, 9), Sample { gap: true, ..sample(900, 20) }]);
        assert_eq!(file.metadata().unwrap().len(), 48);
    }

    #[test]
    fn an_index_of_other_bytes_is_begun_anew() {
        let (_temporary, dir) = Dir::temporary();
        dir.write_new(LOG_INDEX, &[b'x'; 100]).unwrap();
        let mut recorder = Recorder::open(&dir).unwrap();
        recorder.add(&dir, sample(1, 1));
        assert_eq!(Index::open(&dir).unwrap().sample(0), Ok(sample(1, 1)));
        recorder.add(&dir, sample(2, 2));
        assert_eq!(Index::open(&dir).unwrap().sample(1), Ok(sample(2, 2)));
    }

    #[test]
    fn times_never_go_back_when_the_clock_is_set_back() {
        let (_temporary, dir) = Dir::temporary();
        let mut recorder = Recorder::open(&dir).unwrap();
        for at in 0..1000_u32 {
            recorder.add(&dir, sample(i64::from(at) * 100, at.into()));
        }
        // By half a second: no line loses its time.
        recorder.add(&dir, sample(99_400, 1000));
        assert_eq!(read(&dir).last(), Some(&sample(99_400, 1000)));
        assert_eq!(read(&dir).len(), 996);
        // By more: those of the future have none.
        recorder.add(&dir, sample(50_050, 1001));
        let all = read(&dir);
        assert_eq!(all[all.len() - 2..], [sample(50_000, 500), Sample { gap: true, ..sample(50_050, 1001) }]);
        // To before the beginning.
        recorder.add(&dir, sample(-5, 1002));
        assert_eq!(read(&dir), [Sample { gap: true, ..sample(-5, 1002) }]);
    }

    #[test]
    fn a_full_index_is_thinned_and_its_newer_half_is_not() {
        let (_temporary, dir) = Dir::temporary();
        let mut recorder = Recorder::open(&dir).unwrap();
        // Ten samples in a second, then a pause of a minute, and a gap in every third.
        let time = |at: u64| i64::try_from(at / 10 * 60_000 + at % 10 * 100).unwrap();
        let all: Vec<Sample> = (0..4000).map(|at| Sample { gap: at % 30 == 5, ..sample(time(at), at * 10) }).collect();
        for sample in &all {
            recorder.add(&dir, *sample);
        }
        let mut index = Index::open(&dir).unwrap();
        let mut bytes = Vec::new();
        let count = thin(&mut index, 4000, &mut bytes).unwrap();
        let thinned: Vec<Sample> = bytes.chunks(16).map(|bytes| Sample::parse(bytes).unwrap()).collect();
        assert_eq!((count, thinned.len() as u64), (thinned.len() as u64, count));
        assert!(count <= 3000, "{count}");
        assert_eq!(thinned[thinned.len() - 2000..], all[2000..]);
        for sample in &all {
            let after = thinned.iter().find(|kept| kept.length >= sample.length).unwrap();
            assert!((0..=1000).contains(&(after.time - sample.time)), "{sample:?} {after:?}");
        }
        let gaps = |samples: &[Sample]| samples.iter().filter(|sample| sample.gap).copied().collect::<Vec<_>>();
        assert_eq!(gaps(&thinned).len(), gaps(&all).len());
    }
}
