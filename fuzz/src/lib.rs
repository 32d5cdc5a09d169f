//! The modules of longshore that read something, as a library for the fuzz targets. The program itself is one binary
//! without a library.

#![allow(dead_code, reason = "only a part of the program is used")]

/// The modules, from where they are. They find each other at the root of the crate, as in the program.
#[path = "../../src"]
mod program {
    pub mod engine;
    pub mod env;
    pub mod envfile;
    pub mod error;
    pub mod fault;
    pub mod fs;
    pub mod interrupt;
    pub mod invalid;
    pub mod job;
    pub mod log;
    pub mod names;
    pub mod parallel;
    pub mod properties;
    pub mod recipe;
    pub mod shell;
    pub mod spec;
    pub mod stamp;
    pub mod sweep;
    pub mod terminal;
    pub mod transfer;
    pub mod units;
}

pub use program::*;
