//! Any bytes, read as an archive, as one whose checksums are right, and as patterns of what is not shipped.

#![no_main]

use longshore_fuzz::properties::transfer;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| transfer::all(bytes));
