//! What goes wrong, one thing a test: whatever is killed, missing, full, hostile or slow, nothing wrong is said and
//! nothing is left.

mod calls;
pub mod cleaning;
mod client;
mod clock;
pub mod disk;
mod doctor;
mod follow;
mod hostile;
mod hung;
mod kills;
mod limits;
mod log_size;
pub mod logs;
mod numbers;
mod outages;
mod panics;
mod paths;
mod pids;
mod places;
mod processes;
mod prune;
mod recovery;
mod refusals;
mod ssh;
pub mod storm;
pub mod terminal;
mod text;
mod together;
