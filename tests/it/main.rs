//! Tests of the program as users see it. Each test runs it with its own directories and engine.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "tests make their own worlds")]

mod again;
mod answers;
mod cache;
mod cli;
mod complete;
mod container;
mod cron;
mod docs;
mod engine;
mod failures;
mod faults;
mod formats;
mod glance;
mod if_changed;
mod mounts;
mod nodes;
mod points;
mod programs;
mod prune;
mod pyproject;
mod queue;
mod readme;
mod requirements;
mod retry;
mod scripts;
mod secrets;
mod soak;
mod step;
mod support;
mod swarm;
mod sweep;
mod times;
mod typed;
mod uv;
