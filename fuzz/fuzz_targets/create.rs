//! Any JSON, read as the body of `container create`.

#![no_main]

use longshore_fuzz::properties::create;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| create::all(bytes));
