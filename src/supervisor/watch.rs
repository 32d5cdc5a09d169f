//! Waits for the ends of other jobs, by their locks. If the supervisor of such a job was killed, it gets another one, or its
//! end is recorded.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, sleep};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::ending::BACKOFF;
use super::recovery::{Recovery, recover};
use crate::env::Env;
use crate::job::queue::{Entry, Queue};
use crate::job::store::Store;
use crate::job::{EXIT, Job};
use crate::names::{JobId, QueueName};

/// Pause between two looks of the watching supervisor where no thread could be made for a job.
const LOOK: Duration = Duration::from_secs(1);

/// The writing end of a named pipe that this process reads itself.
#[derive(Debug, Clone)]
pub struct Waker(Arc<File>);

impl Waker {
    /// For this pipe, which is open for both directions.
    #[must_use]
    pub fn new(pipe: &Arc<File>) -> Self {
        Self(Arc::clone(pipe))
    }

    /// Wakes the reader. A pipe that is full does so already.
    pub fn wake(&self) {
        let _ = (&*self.0).write(b"!");
    }
}

/// A job that another process waits for.
#[derive(Debug)]
pub struct Watch {
    env: Env,
    job: Job,
}

impl Watch {
    /// Of this job.
    #[must_use]
    pub fn new(env: &Env, job: Job) -> Self {
        Self { env: env.clone(), job }
    }

    /// Returns when its end is recorded or it was removed, or when nothing can be done about it.
    pub fn until_ended(&self) {
        let mut pause = BACKOFF.0;
        loop {
            self.job.await_locks();
            if self.job.dir.has(EXIT) || self.job.is_removed() {
                return;
            }
            match recover(&self.env, &self.job) {
                Ok(Recovery::Adopted(mut child)) => {
                    // It is a child of this process, and has to be waited for.
                    let _ = child.wait();
                }
                Ok(Recovery::Finished) => return,
                // The engine does not answer, or docker may still be starting it.
                _ => {
                    sleep(pause);
                    pause = (pause * 2).min(BACKOFF.1);
                }
            }
        }
    }
}

/// Starts the thread that takes part in watching a queue. Of all supervisors that wait in a line, the one that has the lock
/// `turn` watches the jobs that run, until its own job leaves the line. The others wait for that lock.
///
/// # Errors
/// When there can be no thread, or a file of the queue cannot be opened.
pub fn dispatch(env: &Env, job: &Job, name: &QueueName, waker: &Waker) -> anyhow::Result<()> {
    let (env, name, id, waker) = (env.clone(), name.clone(), job.id.clone(), waker.clone());
    let turn = Queue::make(&env, &name)?.turn()?;
    Builder::new().spawn(move || {
        if !uninterrupted(|| turn.lock()) {
            return;
        }
        if let Ok(Some(queue)) = Queue::open(&env, &name) {
            watch_queue(&env, &queue, &id);
        }
        // It may have ended because the state directory was removed.
        waker.wake();
    })?;
    Ok(())
}

/// Admits jobs, and watches those that run, as long as this process's own job is in the line.
fn watch_queue(env: &Env, queue: &Queue, own: &JobId) {
    let Ok(bell) = queue.bell().map(Arc::new) else { return };
    let mut watched: HashMap<JobId, Arc<AtomicBool>> = HashMap::new();
    loop {
        let admitted = queue.admit();
        if !queue.is_in_line(own) {
            // The next one looks at once.
            return;
        }
        let Ok(running) = admitted else {
            hear(&bell, Some(LOOK));
            continue;
        };
        watched.retain(|id, _| running.iter().any(|entry| entry.id == *id));
        let mut all = true;
        for entry in running {
            let flag = watched.entry(entry.id.clone()).or_default();
            if !flag.swap(true, Ordering::SeqCst) && !watch_member(env, &Waker::new(&bell), &entry, flag) {
                flag.store(false, Ordering::SeqCst);
                all = false;
            }
        }
        hear(&bell, (!all).then_some(LOOK));
    }
}

/// Has a thread wait for the end of a job of the queue, and ring then. Returns whether there is such a thread.
fn watch_member(env: &Env, bell: &Waker, entry: &Entry, flag: &Arc<AtomicBool>) -> bool {
    let Ok(Some(store)) = Store::open(env, entry.kind) else { return false };
    // It was removed meanwhile, which the next look at the queue finds out.
    let Some(job) = store.job(&entry.id) else { return false };
    let (watch, bell, flag) = (Watch::new(env, job), bell.clone(), Arc::clone(flag));
    let spawned = Builder::new().spawn(move || {
        watch.until_ended();
        flag.store(false, Ordering::SeqCst);
        bell.wake();
    });
    spawned.is_ok()
}

/// Waits for the bell, and takes what was rung so far.
fn hear(bell: &File, limit: Option<Duration>) {
    let timeout = limit.and_then(|limit| Timespec::try_from(limit).ok());
    let mut fds = [PollFd::new(bell, PollFlags::IN)];
    let _ = poll(&mut fds, timeout.as_ref());
    let mut bell = bell;
    while bell.read(&mut [0; 256]).is_ok_and(|length| length > 0) {}
}

/// Repeats a call that a signal interrupts; returns whether it succeeded.
fn uninterrupted(mut call: impl FnMut() -> io::Result<()>) -> bool {
    loop {
        match call() {
            Ok(()) => return true,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
}
