//! Any bytes, read as specs, recipes, environment files and certificates.

#![no_main]

use longshore_fuzz::properties::spec;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| spec::all(bytes));
