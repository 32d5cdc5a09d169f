//! Tests of the program as users see it. Each test runs it with its own directories and engine.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "tests make their own worlds")]

mod again;
mod answers;
mod cli;
mod complete;
mod container;
mod docs;
mod engine;
mod faults;
mod formats;
mod if_changed;
mod readme;
mod requirements;
mod scripts;
mod secrets;
mod soak;
mod step;
mod support;
mod typed;
