//! A job's entry in a queue: a file whose name says its place, and whose content says what the job uses.

use crate::job::record::Kind;
use crate::names::JobId;

/// How many older jobs one step of priority overtakes, at most. So a job of low priority is overtaken for a while and not for
/// ever.
const STEP: i64 = 1000;

/// The place of a job in a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The number in which it came; never given twice.
    pub number: u64,
    /// How far it goes before older jobs: by a thousand places for each step.
    pub priority: i32,
    /// Build or run.
    pub kind: Kind,
    /// The job.
    pub id: JobId,
}

impl Entry {
    /// The name of its file: `<number>.<priority>.<kind>.<id>`.
    #[must_use]
    pub fn file(&self) -> String {
        format!("{:012}.{}.{}.{}", self.number, self.priority, self.kind.word(), self.id)
    }

    /// Reads the name of a file; `None` for the file of another program.
    #[must_use]
    pub fn parse(file: &str) -> Option<Self> {
        let mut words = file.split('.');
        let (number, priority) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let kind = match words.next()? {
            "build" => Kind::Build,
            "run" => Kind::Run,
            _ => return None,
        };
        let id = JobId::parse(words.next()?).ok()?;
        words.next().is_none().then_some(Self { number, priority, kind, id })
    }

    /// What the line is sorted by.
    #[must_use]
    pub fn order(&self) -> (i64, u64) {
        let number = i64::try_from(self.number).unwrap_or(i64::MAX);
        (number.saturating_sub(i64::from(self.priority) * STEP), self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64, priority: i32) -> Entry {
        Entry { number, priority, kind: Kind::Run, id: JobId::parse("0123456789ab").unwrap() }
    }

    #[test]
    fn a_name_is_read_as_it_was_written_and_other_files_are_not_entries() {
        for entry in [entry(0, 0), entry(7, -1000), entry(u64::MAX, 1000)] {
            assert_eq!(Entry::parse(&entry.file()), Some(entry));
        }
        for other in [
            "",
            "1",
            "1.0.run",
            "1.0.run.x",
            "1.0.other.0123456789ab",
            "x.0.run.0123456789ab",
            "1.0.run.0123456789ab.tmp",
        ] {
            assert_eq!(Entry::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_priority_overtakes_a_thousand_older_jobs_for_each_step() {
        let mut line =
            [entry(1, 0), entry(2, -1), entry(3, 0), entry(900, 1), entry(1001, 0), entry(1200, 1), entry(1300, 2)];
        line.sort_by_key(Entry::order);
        assert_eq!(line.map(|entry| entry.number), [1300, 900, 1, 3, 1200, 1001, 2]);
    }
}
