//! Waits until the client of a job has ended and the state of the job is certain. Meanwhile it carries out requests to
//! end the job and enforces the time limit.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Pid;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use super::Task;
use super::ending::{BACKOFF, Ending, end_container};
use super::poll::Polled;
use super::relay::Relay;
use super::sampler::{Sampler, polled};
use super::watch::Waker;
use crate::error::Failure;
use crate::job::record::Kind;
use crate::job::request::{Answer, Request, Verb};
use crate::job::standing::{Alive, Sighting};
use crate::job::{CONTROL, WAITING};
use crate::log::compare::Outage;
use crate::runner::Push;

/// How long a job may take to end before it is killed: a build that is asked to end, a run whose time has passed.
const GRACE: Duration = Duration::from_secs(10);
/// How long a stop or kill request waits for a container that is not running yet.
const STARTING: Duration = Duration::from_secs(10);
/// Pause between two looks at the disk while a build runs.
const DISK_LOOK: Duration = Duration::from_millis(200);
/// How long the client of an adopted run may take to end after the container.
const CLIENT_END: Duration = Duration::from_secs(10);
/// The longest pause between two questions about a container that may be starting.
const STARTING_PAUSE: Duration = Duration::from_secs(2);

/// The end of a job, as the supervisor saw it.
#[derive(Debug)]
pub struct Seen {
    /// How its client ended; `None` if no client was started.
    pub client: Option<ExitStatus>,
    /// The engine's last answer about it.
    pub sighting: Sighting,
    /// The request that the supervisor made because the time limit passed.
    pub timed_out: Option<Request>,
    /// Whether the engine was away after the client had ended and before the container had.
    pub outage: Outage,
    /// Whether the disk was full at any look while a build ran.
    pub was_full: bool,
    /// Why the output of a run on another machine could not be fetched.
    pub unfetched: Option<Failure>,
    /// Whether another supervisor had started it.
    pub is_adopted: bool,
}

/// The state of a supervisor while it waits.
#[derive(Debug)]
pub struct Attendant {
    pub(super) task: Arc<Task>,
    child_ended: UnixStream,
    control: File,
    heeded: usize,
    pub(super) deadline: Option<Instant>,
    timed_out: Option<Request>,
    pub(super) outage: Outage,
    was_full: bool,
    ending: Arc<Ending>,
    deeds: Vec<JoinHandle<()>>,
    /// Of a job that was started.
    pub(super) sampler: Option<Sampler>,
    /// Of a run on another machine: what copies its output.
    pub(super) relay: Option<Relay>,
    /// Of a run on another machine: the exit code that docker said while it waited.
    pub(super) witness: Option<i32>,
    /// Of a run that is polled: what was seen of it.
    pub(super) polled: Polled,
}

/// Starts a session, and ignores the signals that a terminal sends.
pub fn leave_terminal() -> io::Result<()> {
    let _ = rustix::process::setsid();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let ignored = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
        signal_hook::flag::register(signal, ignored.clone())?;
    }
    Ok(())
}

enum Event {
    Ended(ExitStatus),
    Asked,
    Due,
}

impl Attendant {
    /// Leaves the terminal. A job ends only by itself, by its time limit, or by a recorded request.
    pub fn detach(task: Arc<Task>) -> Result<Self> {
        leave_terminal()?;
        let (child_ended, wake) = UnixStream::pair()?;
        child_ended.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(SIGCHLD, wake)?;
        let control = task.job.dir.open_fifo(CONTROL)?;
        Ok(Self {
            task,
            child_ended,
            control,
            heeded: 0,
            deadline: None,
            timed_out: None,
            outage: Outage::None,
            was_full: false,
            ending: Arc::default(),
            deeds: Vec::new(),
            sampler: None,
            relay: None,
            witness: None,
            polled: Polled::default(),
        })
    }

    /// Starts the time limit.
    pub fn count_time(&mut self) {
        self.count_time_from(Duration::ZERO);
    }

    /// Starts the time limit of a run that another process may have started.
    pub(super) fn count_time_of(&mut self, alive: &Alive) {
        let runner = self.task.runner();
        // The clock of another machine may differ from this one's. On a swarm, only that one knows the start.
        let is_ours = runner.copies() && !runner.is_polled();
        let started = if is_ours { self.task.job.shipped_at() } else { alive.started };
        let passed = started.and_then(|started| (self.task.env.now() - started).to_std().ok());
        self.count_time_from(passed.unwrap_or_default());
    }

    /// Starts the time limit of a job that has run for this long.
    fn count_time_from(&mut self, passed: Duration) {
        let limit = self.task.record.run().and_then(|run| run.timeout).map(Duration::from_secs_f64);
        self.deadline = limit.and_then(|limit| Instant::now().checked_add(limit.saturating_sub(passed)));
    }

    /// The same supervisor for the next attempt of its job.
    pub fn renew(&mut self, task: Arc<Task>) {
        self.task = task;
        (self.deadline, self.timed_out, self.outage, self.was_full) = (None, None, Outage::None, false);
        self.ending = Arc::default();
        (self.witness, self.polled) = (None, Polled::default());
    }

    /// Writes the index of the log from now on.
    pub fn watch_log(&mut self) {
        self.sampler = Sampler::begin(&self.task.env, &self.task.job, self.task.record.log_limit());
    }

    /// Wakes this supervisor from another thread, also if its directory was removed. Fails without a free descriptor.
    pub fn waker(&self) -> io::Result<Waker> {
        Ok(Waker::new(&Arc::new(self.control.try_clone()?)))
    }

    /// Sleeps until it is woken, at the latest until then. For a job that waits for its start: nothing is carried out.
    pub fn listen(&mut self, until: Option<Instant>) {
        let _ = self.next_event(None, until);
    }

    /// Waits until the job has ended and its state is certain.
    pub fn attend(&mut self, client: Option<Child>) -> Seen {
        if self.task.runner().copies() {
            return self.attend_afar();
        }
        let mut client = client.map(|client| self.until_ended(client));
        if let Some(status) = client.filter(|status| !status.success()) {
            client = Some(self.built_anew(status));
        }
        let sighting = match client {
            None => Sighting::Absent,
            // A build that failed has no image to look for.
            Some(status) if self.task.record.kind == Kind::Build && !status.success() => Sighting::Absent,
            Some(status) => self.until_certain(Some(status)),
        };
        self.seen(client, sighting)
    }

    /// Attends a run whose supervisor was killed. It counts its time from the start of the container.
    pub fn attend_adopted(&mut self) -> Seen {
        self.outage = Outage::Possible;
        self.watch_log();
        if let Sighting::Alive(alive) = self.look() {
            // Asked now, because the engine forgets it. From here on it is watched.
            if self.task.runner().has_stayed_up(&alive.container, alive.started) {
                self.outage = Outage::None;
            }
            // One that is polled is counted when it is seen to run.
            if !self.task.runner().is_polled() {
                self.count_time_of(&alive);
            }
        }
        let sighting = self.until_certain(None);
        if self.task.runner().copies() {
            return Seen { is_adopted: true, ..self.seen_afar(sighting) };
        }
        // Its client may still live, and write the last lines.
        let deadline = Instant::now() + CLIENT_END;
        while self.task.job.has_client() && Instant::now() < deadline {
            sleep(BACKOFF.0);
        }
        Seen { is_adopted: true, ..self.seen(None, sighting) }
    }

    pub(super) fn seen(&mut self, client: Option<ExitStatus>, sighting: Sighting) -> Seen {
        self.ending.finish();
        let Task { env, job, .. } = &*self.task;
        self.sampler.take().into_iter().for_each(|sampler| sampler.finish(env, &job.dir));
        // Each of them waits for one docker call at most, and has the answer to a request.
        for deed in self.deeds.drain(..) {
            let _ = deed.join();
        }
        let (timed_out, outage, was_full) = (self.timed_out.take(), self.outage, self.was_full);
        Seen { client, sighting, timed_out, outage, was_full, unfetched: None, is_adopted: false }
    }

    /// Asks the engine until the state of the job is certain. The client may have ended before the container, and an
    /// engine that does not answer proves nothing. `client` is unknown for an adopted run.
    pub(super) fn until_certain(&mut self, client: Option<ExitStatus>) -> Sighting {
        let (mut pause, mut missing) = (BACKOFF.0, None);
        // The client that lost its connection ends with this code while the container runs.
        let mut alone = client.is_some_and(|status| self.task.runner().refused(status));
        loop {
            let sighting = self.look();
            let unreachable = matches!(sighting, Sighting::Unreachable(_) | Sighting::OtherEngine);
            self.mark_waiting(unreachable);
            if unreachable && self.task.runner().copies() {
                self.note_dead_line();
            } else if unreachable || alone && matches!(sighting, Sighting::Alive(_)) {
                self.outage = Outage::Seen;
            }
            alone &= !matches!(sighting, Sighting::Alive(_));
            match &sighting {
                Sighting::Ended(end) => {
                    if alone && client.and_then(|status| status.code()) != Some(end.code) {
                        self.outage = Outage::Seen;
                    }
                    return sighting;
                }
                Sighting::ImageProven(_) => return sighting,
                Sighting::NeverStarted(container) if container.why.is_some() => return sighting,
                Sighting::Absent if self.is_gone(client) => return sighting,
                // A client that was killed may have just requested the container or its start.
                Sighting::NeverStarted(_) | Sighting::Absent => {
                    let since = *missing.get_or_insert_with(Instant::now);
                    if since.elapsed() >= self.task.env.settling {
                        return sighting;
                    }
                    self.pause(pause);
                    pause = (pause * 2).min(STARTING_PAUSE);
                    continue;
                }
                Sighting::Alive(container) if self.task.runner().is_polled() => {
                    missing = None;
                    self.await_next_look(container);
                    continue;
                }
                Sighting::Alive(container) => {
                    missing = None;
                    self.relay_log(&container.container, false);
                    if self.await_container(&container.container).is_none() {
                        // docker or the engine was killed.
                        self.outage = self.outage.max(Outage::Possible);
                    }
                }
                Sighting::Unreachable(_) | Sighting::OtherEngine => {
                    self.pause(pause);
                    pause = (pause * 2).min(BACKOFF.1);
                    continue;
                }
            }
            self.pause(BACKOFF.0);
        }
    }

    /// Whether a job that the engine does not have cannot appear any more: its client ended by itself, so its request was
    /// answered, or it is an adopted run, whose container was there before.
    fn is_gone(&self, client: Option<ExitStatus>) -> bool {
        self.task.record.kind == Kind::Build || client.is_none_or(|status| status.code().is_some())
    }

    /// Asks the engine once. The docker program is searched again, because it may be replaced while the job runs.
    pub(super) fn look(&self) -> Sighting {
        let image_id = self.task.job.image_id();
        if self.task.record.kind == Kind::Build && image_id.is_none() {
            return Sighting::Absent;
        }
        self.task.runner().look(self.task.subject(image_id.as_deref()))
    }

    /// Shows in the job's directory whether the engine does not answer.
    pub fn mark_waiting(&self, unreachable: bool) {
        let dir = &self.task.job.dir;
        if unreachable != dir.has(WAITING) {
            let now = self.task.env.now().to_rfc3339();
            let _ = if unreachable { dir.replace(WAITING, now.as_bytes()) } else { dir.remove(WAITING) };
        }
    }

    /// Repeats a build from nothing, if it failed because it reused the steps of the last image. Returns how the last client
    /// ended.
    fn built_anew(&mut self, status: ExitStatus) -> ExitStatus {
        let Task { env, job, record, .. } = &*self.task;
        if record.kind != Kind::Build || self.task.requests().ask_for_end() {
            return status;
        }
        match self.task.runner().start_anew(env, job, record) {
            Ok(Some(client)) => self.until_ended(client),
            // Without another client, the first failure is the reason.
            Ok(None) | Err(_) => status,
        }
    }

    fn until_ended(&mut self, mut child: Child) -> ExitStatus {
        self.until_ended_by(&mut child, None).unwrap_or_default()
    }

    /// Waits until a client has ended; `None` if it has not at the limit.
    pub(super) fn until_ended_by(&mut self, child: &mut Child, limit: Option<Instant>) -> Option<ExitStatus> {
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        // A request may have come before there was a pipe to wake us.
        self.heed(group);
        loop {
            match self.next_event(Some(child), limit) {
                Event::Ended(status) => return Some(status),
                Event::Asked => self.heed(group),
                Event::Due if limit.is_some_and(|limit| limit <= Instant::now()) => return None,
                Event::Due => self.insist(group),
            }
        }
    }

    pub(super) fn pause(&mut self, length: Duration) {
        let end = Instant::now() + length;
        while Instant::now() < end {
            match self.next_event(None, Some(end)) {
                Event::Asked => self.heed(None),
                Event::Due => self.insist(None),
                Event::Ended(_) => {}
            }
        }
    }

    /// Carries out the requests that are new since the last call, and that no other process has answered.
    fn heed(&mut self, client: Option<Pid>) {
        let requests = self.task.requests();
        let new: Vec<Request> = requests.since(self.heeded).cloned().collect();
        self.heeded += new.len();
        let own = self.timed_out.as_ref().map(|request| request.token.clone());
        for request in new {
            if Some(&request.token) != own.as_ref() && requests.answer(&request).is_none() {
                self.carry_out(client, request);
            }
        }
    }

    /// Acts on a deadline that has passed: the time limit of a run, or the grace of a job that was asked to end.
    fn insist(&mut self, client: Option<Pid>) {
        let now = Instant::now();
        if self.deadline.take_if(|deadline| *deadline <= now).is_some() {
            let known = self.timed_out.clone();
            let request = known.unwrap_or_else(|| Request::new(Verb::Timeout, 15, GRACE, self.task.env.now()));
            if self.timed_out.is_none() {
                // On a full disk it is not on record, and carried out all the same.
                let _ = self.task.job.ask(&request);
            }
            self.timed_out = Some(request.clone());
            self.carry_out(client, request);
        }
        let is_due = self.ending.kill_at().take_if(|at| *at <= now).is_some();
        if is_due {
            let kill = Request::new(Verb::Cancel, 9, Duration::ZERO, self.task.env.now());
            if self.task.record.kind == Kind::Build {
                let _ = self.task.runner().end(self.task.subject(None), client, &kill, Push::Kill);
                if client.is_some() {
                    self.ending.grant(GRACE);
                }
            } else {
                let (task, ending, last) = (Arc::clone(&self.task), Arc::clone(&self.ending), kill.clone());
                let spawned = self.aside(move || {
                    if end_container(&task, &ending, &last, Push::Kill, None).is_err() {
                        ending.grant(BACKOFF.1);
                        task.job.wake();
                    }
                });
                let ends = || self.task.runner().end(self.task.subject(None), None, &kill, Push::Kill);
                if spawned.is_err() && ends().is_err() {
                    self.ending.grant(BACKOFF.1);
                }
            }
        }
    }

    /// Ends a build with a signal to its client. A container is ended on its own thread, because docker takes time for it,
    /// and another request or the end of the job may come meanwhile.
    fn carry_out(&mut self, client: Option<Pid>, request: Request) {
        let (task, ending) = (Arc::clone(&self.task), Arc::clone(&self.ending));
        if task.record.kind == Kind::Build {
            let result = task.runner().end(task.subject(None), client, &request, Push::Asked);
            if client.is_some() {
                self.ending.grant(GRACE);
            }
            task.answer(Answer::new(&request, result));
            return;
        }
        let is_limit = request.verb == Verb::Timeout;
        let limit = (!is_limit).then(|| Instant::now() + STARTING);
        let asked = request.clone();
        let spawned = self.aside(move || {
            let mut result = end_container(&task, &ending, &asked, Push::Asked, limit);
            // A time limit is tried until the run is over. What is left is a panic.
            if is_limit && result.is_err() && !ending.is_over() {
                result = end_container(&task, &ending, &asked, Push::Kill, None);
            }
            if result.is_ok() && asked.verb != Verb::Kill {
                ending.grant(Duration::from_secs(asked.grace));
            }
            task.answer(Answer::new(&asked, result));
            // The supervisor computes its next deadline again.
            task.job.wake();
        });
        if spawned.is_err() {
            self.carry_out_here(&request);
        }
    }

    /// Without another thread, because the user may have no more processes, one try is made by this one. If that fails, a time
    /// limit passes once more, and a command that waits for the answer asks docker itself.
    fn carry_out_here(&mut self, request: &Request) {
        match self.task.runner().end(self.task.subject(None), None, request, Push::Asked) {
            Ok(effect) => {
                if request.verb != Verb::Kill {
                    self.ending.grant(Duration::from_secs(request.grace));
                }
                self.task.answer(Answer::new(request, Ok(effect)));
            }
            Err(_) if request.verb == Verb::Timeout => self.deadline = Some(Instant::now() + BACKOFF.1),
            Err(_) => {}
        }
    }

    fn aside(&mut self, deed: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.deeds.retain(|deed| !deed.is_finished());
        self.deeds.push(std::thread::Builder::new().spawn(deed)?);
        Ok(())
    }

    /// Sleeps until the next event. A run is not polled, so its idle supervisor uses no processor time. While a build runs,
    /// the disk is looked at, because docker does not report that output could not be written.
    fn next_event(&mut self, mut child: Option<&mut Child>, until: Option<Instant>) -> Event {
        loop {
            let _ = (&self.child_ended).read(&mut [0; 64]);
            match child.as_mut().map(|child| child.try_wait()) {
                Some(Ok(Some(status))) => return Event::Ended(status),
                Some(Ok(None)) | None => {}
                // Its status is not available; the engine has the exit code of the job.
                Some(Err(_)) => return Event::Ended(ExitStatus::from_raw(0x7f00)),
            }
            let due = [until, self.deadline, *self.ending.kill_at()].into_iter().flatten().min();
            let left = due.map(|due| due.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Event::Due;
            }
            // Before its start nothing is written.
            let is_build = child.is_some() && self.task.record.kind == Kind::Build;
            self.was_full |= is_build && self.task.job.dir.is_full();
            let to_log = self.sampler.as_ref().and_then(Sampler::left);
            let sleep = left.into_iter().chain(is_build.then_some(DISK_LOOK)).chain(to_log).min();
            let timeout = sleep.and_then(|sleep| Timespec::try_from(sleep).ok());
            let mut fds = [
                PollFd::new(&self.child_ended, PollFlags::IN),
                PollFd::new(&self.control, PollFlags::IN),
                polled(self.sampler.as_ref(), &self.control),
            ];
            let _ = poll(&mut fds, timeout.as_ref());
            let [is_asked, has_grown] = [1, 2].map(|at: usize| fds[at].revents().contains(PollFlags::IN));
            if let Some(sampler) = &mut self.sampler {
                sampler.look(&self.task.env, &self.task.job.dir, has_grown);
            }
            if is_asked {
                let _ = (&self.control).read(&mut [0; 64]);
                return Event::Asked;
            }
        }
    }
}
