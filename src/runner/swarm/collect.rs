//! The output of a run on a swarm. It is on the node of its task, in a volume, and only the managers are asked. So a second
//! service on the same node writes it to its own output, as text. That service ends with the run's, and then removes the
//! directory in the volume.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;

use crate::engine::copying::Heed;
use crate::engine::swarm::{self, Fate, Place, Task, first};
use crate::engine::{Engine, EngineError};
use crate::error::{Failure, Kind};
use crate::fault;
use crate::job::moved::Moved;
use crate::job::record::Record;
use crate::names::Tail;
use crate::runner::NotFetched;
use crate::runner::receive::{could_not, receive};
use crate::transfer::{Refused, unpack};

/// The lines that end the text: of a whole archive, and of one that could not be made.
const WHOLE: &str = ".";
const BROKEN: &str = "!";
/// The longest line, with room for other programs of that name.
const LONGEST: u64 = 1 << 16;

/// Pause between two questions whether the text is complete: the first value, doubled up to the second.
const LOOK: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));
/// How long the second service may write nothing.
const STALLED: Duration = Duration::from_secs(5 * 60);
/// How long the swarm may take to find the node for the second service, although that node answers.
const PLACING: Duration = Duration::from_secs(30);

/// Copies the output into a directory of the caller, as [`receive`].
pub fn fetch(engine: &Engine, record: &Record, output: &Path, heed: &mut Heed) -> Result<Moved, NotFetched> {
    let could_not = could_not(record);
    let collector = swarm::collector_name(&record.id);
    let directory = begin(engine, record, &could_not)?;
    fault::point("collecting");
    let task = until_written(engine, record, &collector, &could_not, heed)?;
    receive(record, output, |part, limits| {
        let read = |from: &mut dyn Read| {
            let mut text = Text::of(from);
            let unpacked = unpack(&mut GzDecoder::new(&mut text), &directory, part, limits, &mut |_| Ok(()))?;
            text.finish().map_err(|error| Refused::unread(&error))?;
            Ok(unpacked)
        };
        engine.read_through(&swarm::logs(&task, "all", false), read, heed)
    })
}

/// Makes the second service on the node of the run's task. Returns the name of the directory that it writes.
fn begin(engine: &Engine, record: &Record, could_not: &str) -> Result<String, NotFetched> {
    let failed = |why: &str| NotFetched::Failed(Failure::new(Kind::Failed, format!("{could_not}: {why}")));
    let ask = |error: EngineError| NotFetched::after(&error, could_not);
    let tasks = engine.tasks(&record.id, &super::container_name(&record.id)).map_err(ask)?;
    let task = tasks.and_then(first).ok_or_else(|| failed("its service was removed by another program"))?;
    let node = task.node.as_deref().ok_or_else(|| failed("no node has had it"))?;
    let image = task.object.pointer("/Spec/ContainerSpec/Image").and_then(serde_json::Value::as_str);
    let image = image.ok_or_else(|| failed("the swarm does not say its image"))?;
    let place = Place::of(record.uid, &task).ok_or_else(|| failed("its service does not say where it is"))?;
    discard_failed(engine, record).map_err(ask)?;
    // The image is on that node already.
    let pinned = swarm::Pinned { reference: image.to_owned(), in_registry: false };
    let args = swarm::collector_create(&record.id, node, &place, &pinned);
    engine.make_service(&args, &record.id, &swarm::collector_name(&record.id), None, Vec::new()).map_err(ask)?;
    Ok(place.directory)
}

/// Removes a second service that has ended without the whole text: it would never write it, and its name is needed.
fn discard_failed(engine: &Engine, record: &Record) -> Result<(), EngineError> {
    let collector = swarm::collector_name(&record.id);
    let task = engine.tasks(&record.id, &collector)?.and_then(first);
    let Some(task) = task.filter(Task::has_ended) else { return Ok(()) };
    let has_log = matches!(task.fate(None), Fate::Ended(_) | Fate::Shut(_));
    let is_whole = has_log && last_line(engine, &task.id)? == WHOLE;
    if is_whole { Ok(()) } else { engine.remove_service(&collector) }
}

/// Waits until the text is complete. Returns the id of the task that has written it. If that one has ended since then, for
/// example because its node was drained, the text is still in its log.
fn until_written(
    engine: &Engine,
    record: &Record,
    collector: &str,
    could_not: &str,
    heed: &mut Heed,
) -> Result<String, NotFetched> {
    let begun = Instant::now();
    let mut pause = LOOK.0;
    let mut wait = || {
        std::thread::sleep(pause);
        pause = (pause * 2).min(LOOK.1);
    };
    let mut written = (String::new(), begun);
    loop {
        if !heed(0) {
            return Err(NotFetched::Stopped);
        }
        let tasks = engine.tasks(&record.id, collector).map_err(|error| NotFetched::after(&error, could_not))?;
        let failed = |why: String| Failure::new(Kind::Failed, format!("{could_not}: {why}"));
        let (fate, id) = match tasks.and_then(first) {
            Some(task) => {
                let down = super::down(engine, &task).map_err(|error| NotFetched::after(&error, could_not))?;
                (task.fate(down.as_deref()), task.id)
            }
            None => (Fate::Queued(String::new()), String::new()),
        };
        match fate {
            Fate::Running | Fate::Ended(_) | Fate::Shut(_) => {}
            Fate::Unknown(why) => return Err(NotFetched::Away(failed(why))),
            Fate::Queued(why) if begun.elapsed() > PLACING => return Err(unplaced(engine, record, failed(why))),
            Fate::Queued(_) => {
                wait();
                continue;
            }
            Fate::NotStarted(_, why) | Fate::Lost(why) => return Err(NotFetched::Failed(failed(why))),
        }
        let line = last_line(engine, &id).map_err(|error| NotFetched::after(&error, could_not))?;
        match fate {
            _ if ends_text(&line) => return Ok(id),
            Fate::Ended(code) | Fate::Shut(code) => {
                return Err(NotFetched::Failed(failed(format!("what reads it on its node exited with status {code}"))));
            }
            _ if line != written.0 => written = (line, Instant::now()),
            _ if written.1.elapsed() > STALLED => {
                let silence = crate::units::show_duration(STALLED);
                return Err(NotFetched::Cut(failed(format!(
                    "what reads it on its node has written nothing for {silence}"
                ))));
            }
            _ => {}
        }
        wait();
    }
}

/// No node takes the second service: the one that has the output is down, or takes no tasks.
fn unplaced(engine: &Engine, record: &Record, failure: Failure) -> NotFetched {
    let node = engine.tasks(&record.id, &super::container_name(&record.id)).ok().flatten().and_then(first);
    let node = node.and_then(|task| engine.node(task.node.as_deref()?).ok());
    match node {
        Some(node) if node.state != "ready" => NotFetched::Away(failure),
        _ => NotFetched::Failed(failure),
    }
}

/// Whether a line is one that ends the text.
fn ends_text(line: &str) -> bool {
    [WHOLE, BROKEN].contains(&line)
}

/// The last line that a task has written.
fn last_line(engine: &Engine, task: &str) -> Result<String, EngineError> {
    let text = engine.read(&swarm::logs(task, &Tail::Lines(1).to_string(), false))?;
    Ok(String::from_utf8_lossy(text.trim_ascii()).into_owned())
}

/// The bytes of an archive, which comes as lines of base64.
struct Text<R: Read> {
    lines: BufReader<R>,
    line: Vec<u8>,
    decoded: Vec<u8>,
    /// How much of it was read.
    at: usize,
    is_over: bool,
}

impl<R: Read> Text<R> {
    fn of(from: R) -> Self {
        Self { lines: BufReader::new(from), line: Vec::new(), decoded: Vec::new(), at: 0, is_over: false }
    }

    fn next_line(&mut self) -> io::Result<()> {
        self.line.clear();
        (&mut self.lines).take(LONGEST).read_until(b'\n', &mut self.line)?;
        let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
        match std::str::from_utf8(&self.line).map(str::trim_end) {
            Ok("") => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(WHOLE) => self.is_over = true,
            Ok(BROKEN) => return Err(invalid("it could not be read on its node")),
            Ok(line) => {
                self.decoded.clear();
                STANDARD
                    .decode_vec(line, &mut self.decoded)
                    .map_err(|_| invalid("it did not arrive as it was sent"))?;
            }
            Err(_) => return Err(invalid("it did not arrive as it was sent")),
        }
        self.at = 0;
        Ok(())
    }

    /// Reads up to the line that says that the archive is whole.
    fn finish(mut self) -> io::Result<()> {
        while !self.is_over {
            self.next_line()?;
        }
        io::copy(&mut self.lines, &mut io::sink()).map(drop)
    }
}

impl<R: Read> Read for Text<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.decoded.len() && !self.is_over {
            self.next_line()?;
        }
        if self.is_over {
            return Ok(0);
        }
        let count = buffer.len().min(self.decoded.len() - self.at);
        buffer[..count].copy_from_slice(&self.decoded[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> io::Result<String> {
        let mut from = Text::of(text.as_bytes());
        let mut bytes = String::new();
        from.read_to_string(&mut bytes)?;
        from.finish().map(|()| bytes)
    }

    #[test]
    fn lines_are_decoded_up_to_the_one_that_ends_them() {
        assert_eq!(read("aGVs\nbG8=\n.\n").unwrap(), "hello");
        assert_eq!(read(".\n").unwrap(), "");
    }

    #[test]
    fn a_text_that_is_cut_or_broken_is_no_archive() {
        for (text, kind) in [
            ("aGVs\n", io::ErrorKind::UnexpectedEof),
            ("", io::ErrorKind::UnexpectedEof),
            ("aGVs\n!\n", io::ErrorKind::InvalidData),
            ("aGVs\nb G8\n.\n", io::ErrorKind::InvalidData),
            ("aGVs\n\u{fc}\n.\n", io::ErrorKind::InvalidData),
        ] {
            assert_eq!(read(text).unwrap_err().kind(), kind, "{text:?}");
        }
    }
}
