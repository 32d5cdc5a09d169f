//! A run that is tried again. An attempt that is followed by another one gets an exit record of its own, its container is
//! removed, and its files are moved aside. Each step can be repeated by another supervisor.

use std::sync::Arc;
use std::time::Duration;

use super::conclude::End;
use super::ending::BACKOFF;
use super::waiting::Waiting;
use super::{Admitted, Task, start_and_attend};
use crate::job::record::Exit;
use crate::job::standing::Sighting;

/// The pause before the next attempt, if there is to be one after this end.
pub fn next(task: &Task, exit: &Exit) -> Option<Duration> {
    let pause = task.retry()?.pause(task.job.attempts().len() + 1, exit)?;
    // After a reboot nothing is started again.
    let is_wanted = task.requests().to_end().is_none() && task.record.boot_id == task.env.boot_id();
    is_wanted.then_some(pause)
}

/// Waits, clears the place of the last attempt, and makes the next one. Returns the end of that, or of the job.
pub fn again(admitted: &mut Admitted, pause: Duration) -> End {
    let held = admitted.task.job.granted(&admitted.task.record);
    let mut waiting = match Waiting::between_attempts(&admitted.task, &admitted.attendant) {
        Ok(waiting) => waiting,
        Err(error) => return End::NotStarted(error),
    };
    if let Some(exit) = waiting.pause(&mut admitted.attendant, pause) {
        return End::Unstarted(exit);
    }
    let mut patience = BACKOFF.0;
    while !clear(&admitted.task) {
        admitted.attendant.mark_waiting(true);
        if let Some(exit) = waiting.pause(&mut admitted.attendant, patience) {
            return End::Unstarted(exit);
        }
        patience = (patience * 2).min(BACKOFF.1);
    }
    // What was found at the start of the last attempt is not that of the next one.
    let Task { env, record, .. } = &*admitted.task;
    let Some(job) = admitted.store.job(&admitted.task.job.id) else {
        return End::NotStarted(anyhow::anyhow!("the directory of the job is gone"));
    };
    let task = Arc::new(Task::new(env, job, record.clone()));
    admitted.task = Arc::clone(&task);
    admitted.attendant.renew(task);
    start_and_attend(admitted, &mut waiting, &held)
}

/// Removes the container of the last attempt, and moves its files aside. Returns whether that was done.
pub fn clear(task: &Task) -> bool {
    if !task.job.is_between_attempts() {
        return true;
    }
    let sighting = task.runner().look(task.subject(None));
    let removed = match &sighting {
        Sighting::Unreachable(_) | Sighting::OtherEngine | Sighting::Alive(_) | Sighting::ImageProven(_) => false,
        Sighting::Absent => task.runner().clear_absent(&task.record),
        Sighting::NeverStarted(_) | Sighting::Ended(_) => task.runner().remove(&sighting),
    };
    removed && task.job.clear_attempt().is_ok()
}
