//! Waits until the client of a job has ended and the state of the job is certain. Meanwhile it carries out requests to
//! end the job and enforces the time limit.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Pid;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use super::Task;
use crate::error::{Failure, Kind as ErrorKind};
use crate::job::record::Kind;
use crate::job::request::{Answer, Request, Verb};
use crate::job::standing::Sighting;
use crate::job::{CONTROL, EXIT, WAITING};

/// How long a job may take to end before it is killed: a build that is asked to end, a run whose time has passed.
const GRACE: Duration = Duration::from_secs(10);
/// How long a stop or kill request waits for a container that is not running yet.
const STARTING: Duration = Duration::from_secs(10);
/// Pause between two questions to an engine that does not answer: the first value, doubled each time up to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// How often the engine is asked again about a container that is missing or not started, because it may be starting.
const PATIENT_TRIES: u32 = 5;

/// The end of a job, as the supervisor saw it.
#[derive(Debug)]
pub struct Seen {
    /// How its client ended; `None` if no client was started.
    pub client: Option<ExitStatus>,
    /// The engine's last answer about it.
    pub sighting: Sighting,
    /// The request that the supervisor made because the time limit passed.
    pub timed_out: Option<Request>,
}

/// The state of a supervisor while it waits.
#[derive(Debug)]
pub struct Attendant {
    task: Arc<Task>,
    child_ended: UnixStream,
    control: File,
    heeded: usize,
    deadline: Option<Instant>,
    timed_out: Option<Request>,
    kill_at: Option<Instant>,
}

enum Event {
    Ended(ExitStatus),
    Asked,
    Due,
}

impl Attendant {
    /// Starts a session, and ignores the signals that a terminal sends. A job ends only by itself, by its time limit, or
    /// by a recorded request.
    pub fn detach(task: Arc<Task>) -> Result<Self> {
        let _ = rustix::process::setsid();
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        let (child_ended, wake) = UnixStream::pair()?;
        child_ended.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(SIGCHLD, wake)?;
        let ignored = Arc::new(AtomicBool::new(false));
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
            signal_hook::flag::register(signal, ignored.clone())?;
        }
        let control = task.job.dir.open_fifo(CONTROL)?;
        Ok(Self { task, child_ended, control, heeded: 0, deadline: None, timed_out: None, kill_at: None })
    }

    /// Starts the time limit.
    pub fn count_time(&mut self) {
        let limit = self.task.record.run().and_then(|run| run.timeout);
        self.deadline = limit.map(|seconds| Instant::now() + Duration::from_secs_f64(seconds));
    }

    /// Waits until the job has ended and its state is certain.
    pub fn attend(&mut self, client: Option<Child>) -> Seen {
        let client = client.map(|client| self.until_ended(client));
        let sighting = match client {
            None => Sighting::Absent,
            // A build that failed has no image to look for.
            Some(status) if self.task.record.kind == Kind::Build && !status.success() => Sighting::Absent,
            Some(status) => self.until_certain(status),
        };
        Seen { client, sighting, timed_out: self.timed_out.take() }
    }

    /// Asks the engine until the state of the job is certain. The client may have ended before the container, and an
    /// engine that does not answer proves nothing.
    fn until_certain(&mut self, client: ExitStatus) -> Sighting {
        let (mut pause, mut tries) = (BACKOFF.0, 0);
        loop {
            let sighting = self.look();
            let unreachable = matches!(sighting, Sighting::Unreachable(_) | Sighting::OtherEngine);
            self.mark_waiting(unreachable);
            match &sighting {
                Sighting::Ended(_) | Sighting::ImageProven(_) => return sighting,
                Sighting::NeverStarted(container) if container.why.is_some() => return sighting,
                Sighting::Absent if self.task.record.kind == Kind::Build || self.task.runner().refused(client) => {
                    return sighting;
                }
                Sighting::NeverStarted(_) | Sighting::Absent if tries >= PATIENT_TRIES => return sighting,
                // A client that was killed may have just requested the container or its start.
                Sighting::NeverStarted(_) | Sighting::Absent => tries += 1,
                Sighting::Alive(container) => {
                    let waiting = self.task.runner().wait(&container.container);
                    let _ = waiting.map(|waiting| self.until_ended(waiting));
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

    /// Asks the engine once. The docker program is searched again, because it may be replaced while the job runs.
    fn look(&self) -> Sighting {
        let image_id = self.task.job.image_id();
        if self.task.record.kind == Kind::Build && image_id.is_none() {
            return Sighting::Absent;
        }
        self.task.runner().look(self.task.subject(image_id.as_deref()))
    }

    fn mark_waiting(&self, unreachable: bool) {
        let dir = &self.task.job.dir;
        if unreachable != dir.has(WAITING) {
            let now = self.task.env.now().to_rfc3339();
            let _ = if unreachable { dir.replace(WAITING, now.as_bytes()) } else { dir.remove(WAITING) };
        }
    }

    fn until_ended(&mut self, mut child: Child) -> ExitStatus {
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        // A request may have come before there was a pipe to wake us.
        self.heed(group);
        loop {
            match self.next_event(Some(&mut child), None) {
                Event::Ended(status) => return status,
                Event::Asked => self.heed(group),
                Event::Due => self.insist(group),
            }
        }
    }

    fn pause(&mut self, length: Duration) {
        let end = Instant::now() + length;
        while Instant::now() < end {
            match self.next_event(None, Some(end)) {
                Event::Asked => self.heed(None),
                Event::Due => self.insist(None),
                Event::Ended(_) => {}
            }
        }
    }

    /// Carries out the requests that are new since the last call.
    fn heed(&mut self, client: Option<Pid>) {
        let requests: Vec<Request> = self.task.job.requests().since(self.heeded).cloned().collect();
        self.heeded += requests.len();
        let own = self.timed_out.as_ref().map(|request| request.token.clone());
        for request in requests.into_iter().filter(|request| Some(&request.token) != own.as_ref()) {
            self.carry_out(client, request);
        }
    }

    /// Acts on a deadline that has passed: the time limit of a run, or the grace of a build that was asked to end.
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
        if self.kill_at.take_if(|at| *at <= now).is_some() {
            let kill = Request::new(Verb::Cancel, 9, Duration::ZERO, self.task.env.now());
            let _ = self.task.runner().end(self.task.subject(None), client, &kill);
            self.kill_at = client.map(|_| now + GRACE);
        }
    }

    /// Ends a build with a signal to its client. A container is ended on its own thread, because docker takes time for it,
    /// and another request or the end of the job may come meanwhile.
    fn carry_out(&mut self, client: Option<Pid>, request: Request) {
        let task = Arc::clone(&self.task);
        if task.record.kind == Kind::Build {
            let failure = task.runner().end(task.subject(None), client, &request).err();
            if client.is_some() {
                self.kill_at.get_or_insert(Instant::now() + GRACE);
            }
            let _ = task.job.answer(&Answer { to: request.token, failure });
            return;
        }
        let is_limit = request.verb == Verb::Timeout;
        let limit = (!is_limit).then(|| Instant::now() + STARTING);
        let token = request.token.clone();
        let spawned = std::thread::Builder::new().spawn(move || {
            let failure = end_container(&task, &request, limit);
            let _ = task.job.answer(&Answer { to: request.token, failure });
        });
        match spawned {
            Ok(_) => {}
            // Too many processes: the limit passes once more.
            Err(_) if is_limit => self.deadline = Some(Instant::now() + BACKOFF.1),
            Err(error) => {
                let failure =
                    Failure::new(ErrorKind::Internal, format!("could not end run {}: {error}", self.task.job.id));
                let _ = self.task.job.answer(&Answer { to: token, failure: Some(failure) });
            }
        }
    }

    /// Sleeps until the next event. There is no polling, so an idle supervisor uses no processor time.
    fn next_event(&self, mut child: Option<&mut Child>, until: Option<Instant>) -> Event {
        loop {
            let _ = (&self.child_ended).read(&mut [0; 64]);
            match child.as_mut().map(|child| child.try_wait()) {
                Some(Ok(Some(status))) => return Event::Ended(status),
                Some(Ok(None)) | None => {}
                // Its status is not available; the engine has the exit code of the job.
                Some(Err(_)) => return Event::Ended(ExitStatus::from_raw(0x7f00)),
            }
            let due = [until, self.deadline, self.kill_at].into_iter().flatten().min();
            let left = due.map(|due| due.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Event::Due;
            }
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            let mut fds = [PollFd::new(&self.child_ended, PollFlags::IN), PollFd::new(&self.control, PollFlags::IN)];
            let _ = poll(&mut fds, timeout.as_ref());
            if fds[1].revents().contains(PollFlags::IN) {
                let _ = (&self.control).read(&mut [0; 64]);
                return Event::Asked;
            }
        }
    }
}

/// Asks the engine to end the container, and repeats that while the engine does not answer or the container is missing.
fn end_container(task: &Task, request: &Request, limit: Option<Instant>) -> Option<Failure> {
    let mut pause = BACKOFF.0;
    loop {
        let failure = task.runner().end(task.subject(None), None, request).err()?;
        if limit.is_some_and(|limit| limit <= Instant::now()) || task.job.dir.has(EXIT) {
            return Some(failure);
        }
        sleep(pause);
        pause = if limit.is_some() { pause } else { (pause * 2).min(BACKOFF.1) };
    }
}
