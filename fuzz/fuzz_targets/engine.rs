//! Any bytes, read as the engine's answers.

#![no_main]

use longshore_fuzz::properties::engine;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| engine::all(bytes));
