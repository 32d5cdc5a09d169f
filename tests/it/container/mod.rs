//! Containers on a real engine, beside what docker-py and docker itself say of them.

mod agree;
mod answers;
mod create;
mod export;
mod life;
pub mod listing;
mod logs;
mod schema;
mod stats;
