//! Completes names of queues.

use super::line::Line;
use super::reply::Offer;
use crate::env::Env;
use crate::job::queue::Queue;

/// The names of the queues.
pub fn names(env: &Env) -> Vec<String> {
    Queue::all(env).unwrap_or_default().into_iter().map(|(settings, _)| settings.name.to_string()).collect()
}

/// The queues that are not on the line yet, with how many jobs they have.
pub fn queues(env: &Env, line: &Line) -> Vec<Offer> {
    let about = |queue: &Queue| {
        let members = queue.members().unwrap_or_default();
        format!("{} running, {} waiting", members.running.len(), members.line.len() + members.held.len())
    };
    let queues = Queue::all(env).unwrap_or_default();
    let new = queues.iter().filter(|(settings, _)| !line.has(settings.name.as_str()));
    new.map(|(settings, queue)| Offer::new(settings.name.as_str(), about(queue))).collect()
}
