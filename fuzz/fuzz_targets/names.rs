//! Any text, read as every name, value and measure.

#![no_main]

use longshore_fuzz::properties::names;

libfuzzer_sys::fuzz_target!(|text: &str| names::all(text));
