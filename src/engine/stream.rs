//! A docker call whose output is processed while it arrives. There is one thread for each of docker's streams. The
//! calling thread waits for them and checks for an interrupt.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::Engine;
use super::silence::{Heard, Silence, Source, Watch};
use super::slots::Slot;
use crate::interrupt::Interrupt;

/// Pause between two checks for an interrupt.
const LOOK: Duration = Duration::from_millis(50);

/// Reads what docker writes to a stream, to its end.
pub type Reader<'a> = Box<dyn FnOnce(Source) -> io::Result<()> + Send + 'a>;

/// Where docker's stdout and stderr go.
pub enum Readers<'a> {
    /// To longshore's own stdout and stderr.
    Inherited,
    /// Both to one pipe, in the order in which docker writes.
    Merged(Reader<'a>),
    /// Stdout and stderr to one pipe each.
    Apart(Reader<'a>, Reader<'a>),
}

impl Engine {
    /// Runs a call of [`Engine::streamed`] to its end. docker is killed when a reader fails, because its output is then
    /// useless, and when an interrupt is heard, because a signal to longshore alone does not reach docker. The user is told
    /// if docker does not answer.
    ///
    /// # Errors
    /// When docker cannot be started (`could_not` begins the message) or a reader fails. An interrupt is not an error here.
    pub fn stream(
        &self,
        mut command: Command,
        readers: Readers<'_>,
        silence: Silence,
        interrupt: Option<&Interrupt>,
        could_not: &str,
    ) -> Result<ExitStatus> {
        let heard = Heard::now();
        let readers = connect(&mut command, readers, &heard)?;
        let connecting = Connecting { slot: self.slot(self.patience), heard: heard.clone(), silent: heard.last() };
        let child = command.spawn().map_err(|error| self.not_started(&error).failure(could_not))?;
        // The command still has the writing ends of the pipes open; the readers would never see their end.
        drop(command);
        Ok(attend(child, readers, interrupt, Looks { watch: Watch::new(self, silence, heard), connecting })?)
    }
}

/// The slot of a call, while it opens its connections.
struct Connecting {
    slot: Option<Slot>,
    heard: Heard,
    /// When nothing was heard yet.
    silent: Instant,
}

impl Connecting {
    /// Frees the slot once something was heard, or after a time in which the connections must have been opened.
    fn look(&mut self) {
        let is_over = |slot: &mut Slot| slot.is_spent() || self.heard.last() > self.silent;
        drop(self.slot.take_if(is_over));
    }
}

/// What is looked at while a call runs.
struct Looks<'a> {
    watch: Watch<'a>,
    connecting: Connecting,
}

impl Looks<'_> {
    fn look(&mut self) {
        self.connecting.look();
        self.watch.look();
    }
}

fn connect<'a>(command: &mut Command, readers: Readers<'a>, heard: &Heard) -> io::Result<Vec<(Reader<'a>, Source)>> {
    Ok(match readers {
        Readers::Inherited => Vec::new(),
        Readers::Merged(both) => {
            let (reader, writer) = io::pipe()?;
            command.stdout(writer.try_clone()?).stderr(writer);
            vec![(both, Source::new(reader, heard))]
        }
        Readers::Apart(stdout, stderr) => {
            let (out, to_stdout) = io::pipe()?;
            let (err, to_stderr) = io::pipe()?;
            command.stdout(to_stdout).stderr(to_stderr);
            vec![(stdout, Source::new(out, heard)), (stderr, Source::new(err, heard))]
        }
    })
}

/// Waits for the readers, which end when docker closes the pipes, and then for docker.
fn attend(
    mut child: Child,
    readers: Vec<(Reader<'_>, Source)>,
    interrupt: Option<&Interrupt>,
    mut looks: Looks,
) -> io::Result<ExitStatus> {
    let is_interrupted = || interrupt.is_some_and(Interrupt::is_heard);
    let copied = std::thread::scope(|scope| {
        let (done, ended) = channel();
        for (read, pipe) in readers {
            let done = done.clone();
            scope.spawn(move || done.send(read(pipe)));
        }
        drop(done);
        let mut copied = Ok(());
        loop {
            match ended.recv_timeout(LOOK) {
                Ok(Ok(())) => {}
                // Otherwise the other reader would continue until docker ends.
                Ok(error) => copied = copied.and(error).inspect_err(|_| drop(child.kill())),
                Err(RecvTimeoutError::Timeout) if is_interrupted() => drop(child.kill()),
                Err(RecvTimeoutError::Timeout) => looks.look(),
                Err(RecvTimeoutError::Disconnected) => return copied,
            }
        }
    });
    let mut pause = Duration::from_millis(1);
    while child.try_wait()?.is_none() {
        if is_interrupted() {
            let _ = child.kill();
            break;
        }
        looks.look();
        std::thread::sleep(pause);
        pause = (pause * 2).min(LOOK);
    }
    let status = child.wait()?;
    copied.map(|()| status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Endpoint;
    use crate::engine::slots::Slots;
    use std::io::Read as _;

    /// An engine whose docker is a shell.
    fn engine(endpoint: Endpoint, slots: Slots) -> Engine {
        Engine { program: "/bin/sh".into(), endpoint, trace: None, notice: None, patience: LOOK, url: None, slots }
    }

    /// Runs a script in docker's place.
    fn run_on(
        engine: &Engine,
        script: &str,
        readers: Readers<'_>,
        interrupt: Option<&Interrupt>,
    ) -> Result<ExitStatus> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        engine.stream(command, readers, Silence::Odd, interrupt, "could not try")
    }

    fn run(script: &str, readers: Readers<'_>, interrupt: Option<&Interrupt>) -> Result<ExitStatus> {
        run_on(&engine(Endpoint::Context("default".into()), Slots::default()), script, readers, interrupt)
    }

    #[test]
    fn a_stream_over_ssh_has_a_slot_until_something_was_heard() {
        let (dir, url) = (tempfile::tempdir().unwrap(), "ssh://far");
        let slots = Slots::in_dir(dir.path());
        let _held = [(); 3].map(|()| slots.take(url, Duration::ZERO).unwrap());
        let (mut before, mut after) = (true, false);
        let reader = |mut from: Source| {
            before = slots.take(url, Duration::ZERO).is_some();
            from.read_exact(&mut [0])?;
            after = slots.take(url, Duration::from_secs(60)).is_some();
            Err(io::ErrorKind::BrokenPipe.into())
        };
        let engine = engine(Endpoint::Host(url.into()), slots.clone());
        run_on(&engine, "echo on; exec sleep 600", Readers::Merged(Box::new(reader)), None).unwrap_err();
        assert_eq!((before, after), (false, true));
    }

    #[test]
    fn streams_are_read_apart_or_in_the_order_in_which_they_are_written() {
        let script = "echo a; echo b >&2; echo c; exit 3";
        let (mut out, mut err) = (String::new(), String::new());
        let apart = Readers::Apart(
            Box::new(|mut from| from.read_to_string(&mut out).map(drop)),
            Box::new(|mut from| from.read_to_string(&mut err).map(drop)),
        );
        assert_eq!(run(script, apart, None).unwrap().code(), Some(3));
        assert_eq!((out.as_str(), err.as_str()), ("a\nc\n", "b\n"));
        let mut both = String::new();
        run(script, Readers::Merged(Box::new(|mut from| from.read_to_string(&mut both).map(drop))), None).unwrap();
        assert_eq!(both, "a\nb\nc\n");
    }

    #[test]
    fn a_reader_that_fails_ends_the_client() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let readers = Readers::Apart(
            Box::new(move |_| Err(full())),
            Box::new(|mut from| from.read_to_end(&mut Vec::new()).map(drop)),
        );
        let error = run("exec sleep 600", readers, None).unwrap_err();
        assert_eq!(error.downcast::<io::Error>().unwrap().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn an_interrupt_ends_a_client_that_is_silent() {
        let interrupt = Interrupt::heard_already();
        for readers in [Readers::Inherited, Readers::Merged(Box::new(|mut from| from.read(&mut [0]).map(drop)))] {
            assert!(!run("exec sleep 600", readers, Some(&interrupt)).unwrap().success());
        }
    }
}
