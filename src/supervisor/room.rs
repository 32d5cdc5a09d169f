//! A job's place in its queue: it enters when its supervisor begins, and gives its room back when it has ended.

use anyhow::Result;

use super::Task;
use crate::fault;
use crate::job::queue::{Queue, Stage, ask};
use crate::job::record::{Exit, Kind, Outcome};

/// Enters the queue, if the job has one. The command returns after this, so jobs that are asked for one after the other have
/// their places in this order.
///
/// # Errors
/// When the queue cannot be read or written.
pub fn enter(task: &Task) -> Result<()> {
    let waits = &task.record.waits;
    let Some(name) = &waits.queue else { return Ok(()) };
    let stage = if waits.after.is_empty() { Stage::Line } else { Stage::Held };
    Queue::enter_named(&task.env, name, &task.job, waits.priority, &ask(&task.record), &stage)?;
    fault::point("entered");
    Ok(())
}

/// Gives back the room of a job that has ended for certain, and starts the next ones.
pub fn leave(task: &Task) {
    let Some(name) = &task.record.waits.queue else { return };
    let Ok(Some(queue)) = Queue::open(&task.env, name) else { return };
    let _ = queue.leave(&task.job.id);
    fault::point("left");
    let _ = queue.advance();
}

/// Notes how long a job of a queue took.
pub fn note_time(task: &Task, exit: &Exit) {
    let Some(name) = &task.record.waits.queue else { return };
    let Ok(Some(queue)) = Queue::open(&task.env, name) else { return };
    let is_typical = exit.outcome == Outcome::Succeeded || task.record.kind == Kind::Run && exit.exit_code.is_some();
    if let (true, Some(started), Some(finished)) = (is_typical, exit.started, exit.finished) {
        queue.note((finished - started).as_seconds_f64().max(0.0));
    }
}
