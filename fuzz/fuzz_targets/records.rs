//! Any bytes, read as the files of a job.

#![no_main]

use longshore_fuzz::properties::records;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| records::all(bytes));
