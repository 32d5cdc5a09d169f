//! Logs: their lines as JSON, their last lines, and what of them reaches a terminal.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};

use rustix::fs::MemfdFlags;
use serde_json::Value;

use super::is_live;
use crate::log::steps::{Part, Recipe, Steps};
use crate::log::{JsonLines, so_far};
use crate::names::Tail;
use crate::terminal::{Allowed, Escaper, Redraws, escape_value, is_unprintable, plain, safe, safe_json};

/// Every property of this file. The pieces in which the bytes arrive have these sizes, again and again.
pub fn all(bytes: &[u8], sizes: &[usize], lines: u64) {
    json(bytes, sizes);
    tail(bytes, lines);
    terminal(bytes, sizes);
    steps(bytes, sizes);
    let text = String::from_utf8_lossy(bytes);
    values(&text);
}

/// The bytes in pieces of these sizes.
fn pieces<'a>(bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut sizes = sizes.iter().map(|size| (*size).max(1)).cycle();
    let mut rest = bytes;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(sizes.next().unwrap_or(rest.len()).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// The lines as JSON are valid JSON, and their text is that of the lines with U+FFFD for what is not UTF-8, in whatever
/// pieces the bytes arrive.
pub fn json(bytes: &[u8], sizes: &[usize]) {
    let lines: Vec<String> = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line)).into_owned())
        .collect();
    let (mut items, mut written) = (JsonLines::items(), b"[".to_vec());
    let (mut rows, mut listed) = (JsonLines::rows(), Vec::new());
    for piece in pieces(bytes, sizes) {
        items.push(piece, &mut written).expect("memory");
        rows.push(piece, &mut listed).expect("memory");
    }
    items.finish(&mut written).expect("memory");
    rows.finish(&mut listed).expect("memory");
    written.push(b']');
    assert_eq!(serde_json::from_slice::<Vec<String>>(&written).expect("valid JSON"), lines);
    let row = |row: &[u8]| {
        let row: Value = serde_json::from_slice(row).expect("valid JSON");
        row["line"].as_str().expect("a line").to_owned()
    };
    assert_eq!(listed.split_inclusive(|byte| *byte == b'\n').map(row).collect::<Vec<_>>(), lines);
}

/// The last lines are the last lines.
pub fn tail(bytes: &[u8], lines: u64) {
    let mut file = File::from(rustix::fs::memfd_create("log", MemfdFlags::CLOEXEC).expect("a file"));
    file.write_all(bytes).and_then(|()| file.seek(SeekFrom::Start(0))).expect("a file");
    let mut read = Vec::new();
    so_far(file, Tail::Lines(lines)).and_then(|mut end| end.read_to_end(&mut read)).expect("a file");
    let all: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let first = all.len().saturating_sub(usize::try_from(lines).unwrap_or(usize::MAX));
    assert_eq!(read, all[first..].concat());
}

/// A log without a step passes as it is, a step takes one line, and the pieces in which the bytes arrive change nothing.
pub fn steps(bytes: &[u8], sizes: &[usize]) {
    let shown = |pieces: &[&[u8]]| {
        let (mut steps, mut shown, mut headings) = (Steps::of(Recipe::default()), Vec::new(), 0);
        let mut pass = |part: Part| {
            match part {
                Part::Bytes(bytes) => shown.extend_from_slice(bytes),
                Part::Heading(heading) => {
                    headings += 1;
                    assert!(!heading.contains('\n'), "{heading:?}");
                    shown.extend_from_slice(format!("== {heading}\n").as_bytes());
                }
            }
            Ok(())
        };
        pieces.iter().try_for_each(|piece| steps.push(piece, &mut pass)).expect("memory");
        steps.end(&mut pass).expect("memory");
        (shown, headings)
    };
    let whole = shown(&[bytes]);
    assert_eq!(shown(&pieces(bytes, sizes)), whole, "pieces of {sizes:?}");
    assert!(whole.1 > 0 || whole.0 == bytes);
    let ends = |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').count();
    assert_eq!(ends(&whole.0), ends(bytes));
}

/// A terminal gets text, tabs, newlines and what is allowed, and no colour is left on at the end of a line. In whatever
/// pieces the bytes arrive, it gets the same. Letters, digits and the like are not changed. What stands on the screen before
/// and after a log stays there.
pub fn terminal(bytes: &[u8], sizes: &[usize]) {
    for redraws in [Redraws::Never, Redraws::ByReturning, Redraws::ByErasing] {
        for colours in [false, true] {
            let allowed = Allowed { colours, redraws };
            let whole = shown(&[bytes], allowed);
            assert_eq!(shown(&pieces(bytes, sizes), allowed), whole, "pieces of {sizes:?}");
            whole.split('\n').for_each(|line| is_allowed(line, allowed));
            let screen = screen(&format!("before\n{whole}after\n"));
            assert_eq!(
                (screen.first().map(String::as_str), screen.iter().rev().nth(1).map(String::as_str)),
                (Some("before"), Some("after")),
                "{whole:?}"
            );
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && text.chars().all(|c| "\n\t ".contains(c) || c.is_ascii_graphic() || c.is_alphanumeric())
    {
        let allowed = Allowed { colours: true, redraws: Redraws::ByErasing };
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        assert_eq!(shown(&[bytes], allowed), format!("{text}{end}"));
        assert_eq!(safe(text), text);
    }
}

/// What a terminal gets of these pieces, up to the end of the last line.
fn shown(pieces: &[&[u8]], allowed: Allowed) -> String {
    let mut out = Vec::new();
    let mut escaper = Escaper::new(&mut out, allowed);
    pieces.iter().try_for_each(|piece| escaper.write_all(piece)).expect("memory");
    escaper.end_line().expect("memory");
    String::from_utf8(out).expect("UTF-8")
}

/// Whether a terminal does with a line only what is allowed, and has no colour on at its end.
fn is_allowed(line: &str, allowed: Allowed) {
    let mut on = false;
    let mut parts = line.split('\x1b');
    let is_text =
        |text: &str| is_passive(&text.replace('\r', if allowed.redraws == Redraws::Never { "\r" } else { "" }));
    assert!(parts.next().is_none_or(is_text), "{line:?}");
    for part in parts {
        let end = part.find(['m', 'K']).unwrap_or_else(|| panic!("another sequence: {line:?}"));
        let (numbers, text) = (part[..end].strip_prefix('[').expect("a control sequence"), &part[end + 1..]);
        if part[end..].starts_with('K') {
            assert!(allowed.redraws == Redraws::ByErasing && ["", "0", "1", "2"].contains(&numbers), "{line:?}");
        } else {
            assert!(allowed.colours && numbers.chars().all(|c| c.is_ascii_digit() || ";:".contains(c)), "{line:?}");
            on = !numbers.is_empty();
        }
        assert!(is_text(text), "{line:?}");
    }
    assert!(!on, "a colour is left on: {line:?}");
    assert!(!line.starts_with('\r') && !line.ends_with('\r') && !line.contains("\r\r"), "{line:?}");
}

/// The rows that a wide terminal shows in the end. It knows lines, carriage returns and erasing in a line.
fn screen(text: &str) -> Vec<String> {
    let (mut rows, mut column) = (vec![Vec::new()], 0);
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        let row = rows.last_mut().expect("a row");
        match char {
            '\n' => {
                rows.push(Vec::new());
                column = 0;
            }
            '\r' => column = 0,
            '\x1b' => {
                let end = chars.as_str().find(|c: char| c.is_ascii_alphabetic()).map_or(0, |end| end + 1);
                let sequence: Vec<char> = chars.by_ref().take(end).collect();
                match sequence[..] {
                    ['[', 'K'] | ['[', '0', 'K'] => row.truncate(column),
                    ['[', '1', 'K'] => row.iter_mut().take(column + 1).for_each(|cell| *cell = ' '),
                    ['[', '2', 'K'] => row.fill(' '),
                    _ => {}
                }
            }
            _ => {
                row.resize(row.len().max(column + 1), ' ');
                row[column] = char;
                column += 1;
            }
        }
    }
    rows.into_iter().map(|row| row.into_iter().collect()).collect()
}

/// Whether a terminal only shows it.
fn is_passive(text: &str) -> bool {
    !text.contains(|c| c != '\t' && is_live(c))
}

/// A value in a message is one printable line of at most 81 characters, and JSON at a terminal is the same document.
pub fn values(text: &str) {
    let shown = escape_value(text);
    assert!(!shown.contains(is_unprintable) && shown.chars().count() <= 81, "{shown:?}");
    let said = plain(text);
    assert!(!said.contains(char::is_control) && plain(&said) == said && said.len() <= text.len(), "{said:?}");
    if !text.contains(char::is_control) {
        assert_eq!(said, text.trim());
    }
    let document = serde_json::to_string_pretty(&serde_json::json!({ text: [text] })).expect("JSON");
    let printed = safe_json(&document);
    assert!(is_passive(&printed.replace('\n', "")), "{printed:?}");
    assert_eq!(serde_json::from_str::<Value>(&printed).ok(), serde_json::from_str(&document).ok());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// Bytes of which many begin, continue or end a character, a line or an escape sequence.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let parts: [&[u8]; 30] = [
            b"a",
            b"\n",
            b"\r",
            b"\t",
            b"\"",
            b"\\",
            b"\0",
            b"\x1b",
            b"\x1b[",
            b"1;31",
            b"m",
            b"\x1b[0m",
            b"\x1b[K",
            b"2K",
            b"\r\n",
            b"J",
            b"]0;t\x07",
            b"\x7f",
            b"\xc2",
            b"\x9b",
            b"\xe2",
            b"\x80",
            b"\xae",
            b"\xf0\x9f",
            b"\x98\x80",
            b"\xed\xa0",
            b"\xff",
            b"\xe2\x80\xa8",
            b"\x1b[1111111111111111111111111111111111111m",
            b"\x1b[11111111111111111111111111111111111111m",
        ];
        let part = prop_oneof![9 => prop::sample::select(parts.to_vec()).prop_map(<[u8]>::to_vec), 1 => any::<u8>().prop_map(|byte| vec![byte])];
        prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn the_pieces_in_which_bytes_arrive_change_nothing(bytes in bytes(), sizes in prop::collection::vec(1..9_usize, 1..4), lines in 0..9_u64) {
            super::all(&bytes, &sizes, lines);
        }

        #[test]
        fn the_pieces_of_a_log_of_a_build_change_nothing(
            log in "(Step [0-9x]{1,2}/[0-9] : |#[0-9x] \\[(a |internal)?[0-9]/[0-9]\\] |#1 |\u{1b}\\[[0-9;]{0,9}m|RUN x|/step.sh\", \"pip\"|S|\n){0,12}",
            sizes in prop::collection::vec(1..9_usize, 1..4),
        ) {
            super::steps(log.as_bytes(), &sizes);
        }

        #[test]
        fn a_value_is_shown_in_a_plain_line(text in "(?s).{0,120}") {
            super::values(&text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn last_lines_are_found_at_the_edge_of_what_is_read_at_once(before in prop::sample::select(&[0, 1, 1 << 16][..]), over in 0..3_usize) {
            let bytes = [&vec![b'w'; before][..], b"x\n", &vec![b'y'; (1 << 16) - 2 + over], b"\nz"].concat();
            for lines in 0..4 {
                super::tail(&bytes, lines);
                super::tail(&bytes[..bytes.len() - 2], lines);
            }
        }

        #[test]
        fn a_line_longer_than_the_buffer_is_one_line(bytes in bytes(), short in 0..9_usize, sizes in prop::collection::vec(20_000..70_000_usize, 1..3)) {
            let long = [&vec![b'x'; (1 << 16) - short][..], &bytes, "é".repeat(40_000).as_bytes(), &bytes].concat();
            super::json(&long, &sizes);
            super::tail(&long, short as u64);
        }
    }
}
