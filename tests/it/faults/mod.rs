//! What goes wrong, one thing a test: whatever is killed, missing, full, hostile or slow, nothing wrong is said and
//! nothing is left.

mod client;
mod disk;
mod hostile;
mod kills;
mod limits;
mod recovery;
mod terminal;
mod together;
