//! longshore as its users see it: the program itself, run in a world of each test's own.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "tests make their own worlds")]

mod answers;
mod cli;
mod container;
mod engine;
mod faults;
mod formats;
mod readme;
mod secrets;
mod support;
