//! Any bytes as a log: as JSON, by its last lines, and at a terminal. The first four bytes say in which pieces they arrive,
//! how many lines are wanted, and whether the first line is longer than what is held in memory.

#![no_main]

use longshore_fuzz::properties::logs;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((&[one, two, lines, filler], log)) = bytes.split_first_chunk() else { return };
    let log =
        if filler < 0xf0 { log.to_vec() } else { [&vec![b'x'; 0x1_0000 - usize::from(filler & 15)][..], log].concat() };
    let more = if filler < 0xf0 { 0 } else { 0xff00 };
    logs::all(&log, &[usize::from(one) + more, usize::from(two)], u64::from(lines));
});
