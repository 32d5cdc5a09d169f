//! Makes text safe for a terminal, and shows unprintable characters in a visible form. Pure.

use std::io::{self, Write};

/// How many characters of a value an error message shows.
const SHOWN: usize = 80;
/// The longest SGR sequence that is recognised, in bytes.
const LONGEST_SGR: usize = 40;

/// Whether a terminal would act on a character or hide it: C0, DEL and C1; soft hyphen, Arabic letter mark, Mongolian
/// vowel separator; zero-width, bidirectional and separator characters of the General Punctuation block; BOM,
/// interlinear annotations and tag characters.
#[must_use]
pub fn is_unprintable(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A value as an error may show it: unprintable characters are written as `\n` or `\u{…}`, and the text is cut after 80
/// characters.
#[must_use]
pub fn escape_value(text: &str) -> String {
    let mut shown = String::new();
    let mut left = SHOWN;
    for char in text.chars() {
        let piece = if is_unprintable(char) { char.escape_default().to_string() } else { char.to_string() };
        let Some(rest) = left.checked_sub(piece.chars().count()) else {
            shown.push('…');
            break;
        };
        left = rest;
        shown.push_str(&piece);
    }
    shown
}

/// A copy of the text in which a terminal acts on nothing but colours.
#[must_use]
pub fn safe(text: &str) -> String {
    let mut shown = Vec::with_capacity(text.len());
    let mut escaper = Escaper::new(&mut shown);
    let _ = escaper.write_all(text.as_bytes()).and_then(|()| escaper.finish());
    String::from_utf8_lossy(&shown).into_owned()
}

/// The same JSON with every unprintable character escaped. C0 is already escaped in JSON. The other characters occur only
/// in strings, where an escape means the same.
#[must_use]
pub fn safe_json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        if char != '\n' && is_unprintable(char) {
            safe.extend(char.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            safe.push(char);
        }
    }
    safe
}

/// Passes text, tab, newline and SGR colours through, and shows every other unprintable character as text: C0 and DEL in
/// caret notation, the others as `<U+202E>`. Colours are reset at the end of each line, so that a job's colour does not
/// change what the shell prints next (compare CVE-2024-52005 in git). State is kept across writes.
#[derive(Debug)]
pub struct Escaper<W: Write> {
    out: W,
    held: Vec<u8>,
    coloured: bool,
}

impl<W: Write> Escaper<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, held: Vec::new(), coloured: false }
    }

    /// Writes what was held back, and resets the colour.
    pub fn finish(&mut self) -> io::Result<()> {
        self.pass(true)?;
        if self.coloured {
            self.out.write_all(b"\x1b[m")?;
            self.coloured = false;
        }
        self.out.flush()
    }

    fn pass(&mut self, last: bool) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        let mut shown = Vec::with_capacity(held.len());
        let mut rest = &held[..];
        while !rest.is_empty() {
            match next(rest) {
                Next::Sgr(length) => {
                    shown.extend_from_slice(&rest[..length]);
                    self.coloured = true;
                    rest = &rest[length..];
                }
                Next::More if !last => break,
                Next::More => {
                    // An incomplete escape sequence is shown; an incomplete character is replaced.
                    show(if rest[0] == 0x1b { '\x1b' } else { char::REPLACEMENT_CHARACTER }, &mut shown);
                    rest = if rest[0] == 0x1b { &rest[1..] } else { &[] };
                }
                Next::Char('\n', length) => {
                    if std::mem::take(&mut self.coloured) {
                        shown.extend_from_slice(b"\x1b[m");
                    }
                    shown.push(b'\n');
                    rest = &rest[length..];
                }
                Next::Char(char, length) => {
                    show(char, &mut shown);
                    rest = &rest[length..];
                }
            }
        }
        self.held = rest.to_vec();
        self.out.write_all(&shown)
    }
}

impl<W: Write> Write for Escaper<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        self.pass(false)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

enum Next {
    Sgr(usize),
    Char(char, usize),
    More,
}

fn next(bytes: &[u8]) -> Next {
    if bytes[0] == 0x1b {
        return escape(bytes);
    }
    let head = &bytes[..bytes.len().min(4)];
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.valid_up_to() > 0 => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default(),
        Err(error) => {
            return error.error_len().map_or(Next::More, |length| Next::Char(char::REPLACEMENT_CHARACTER, length));
        }
    };
    valid.chars().next().map_or(Next::More, |char| Next::Char(char, char.len_utf8()))
}

fn escape(bytes: &[u8]) -> Next {
    let Some(rest) = bytes.get(1..).filter(|rest| !rest.is_empty()) else { return Next::More };
    if rest[0] != b'[' {
        return Next::Char('\x1b', 1);
    }
    let end = rest[1..].iter().position(|byte| !(byte.is_ascii_digit() || matches!(byte, b';' | b':')));
    match end {
        Some(at) if rest[1 + at] == b'm' && at + 3 <= LONGEST_SGR => Next::Sgr(at + 3),
        None if bytes.len() < LONGEST_SGR => Next::More,
        _ => Next::Char('\x1b', 1),
    }
}

fn show(char: char, shown: &mut Vec<u8>) {
    match char {
        '\t' | '\n' => shown.push(char as u8),
        '\0'..='\x1f' => shown.extend([b'^', char as u8 + 0x40]),
        '\x7f' => shown.extend(b"^?"),
        _ if is_unprintable(char) => shown.extend(format!("<U+{:04X}>", char as u32).bytes()),
        _ => shown.extend(char.encode_utf8(&mut [0; 4]).bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_colour_pass_and_everything_else_is_shown() {
        assert_eq!(safe("plain\ttext é😀\n"), "plain\ttext é😀\n");
        assert_eq!(safe("\x1b[31mred\nnext"), "\x1b[31mred\x1b[m\nnext");
        assert_eq!(safe("\x1b[2J\x1b]0;title\x07"), "^[[2J^[]0;title^G");
        assert_eq!(safe("a\rb\x7f\0"), "a^Mb^?^@");
        assert_eq!(safe("\u{9b}31m\u{202e}x"), "<U+009B>31m<U+202E>x");
        assert_eq!(safe("\x1b"), "^[");
        assert_eq!(safe("\x1b[3"), "^[[3");
    }

    #[test]
    fn json_at_a_terminal_is_the_same_document_without_live_characters() {
        let value = serde_json::json!({"a\u{9b}b": "\x1b[2J \x7f \u{85} \u{202e}é😀 \\ \" \u{2028}\u{e0041}"});
        let shown = safe_json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(shown.chars().all(|char| char == '\n' || !is_unprintable(char)), "{shown:?}");
        assert!(shown.contains("\\u009b") && shown.contains("\\u202eé😀"), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }

    #[test]
    fn a_shown_value_is_printable_and_short() {
        for (text, shown) in [
            ("plain é", "plain é"),
            ("a\n\t\r\0", r"a\n\t\r\u{0}"),
            ("\u{1b}[31m\u{7f}\u{9b}", r"\u{1b}[31m\u{7f}\u{9b}"),
            ("\u{202e}\u{2028}\u{feff}", r"\u{202e}\u{2028}\u{feff}"),
            ("'\"\\", "'\"\\"),
        ] {
            assert_eq!(escape_value(text), shown);
        }
        assert_eq!(escape_value(&"é".repeat(80)), "é".repeat(80));
        assert_eq!(escape_value(&"é".repeat(81)), format!("{}…", "é".repeat(80)));
    }

    #[test]
    fn the_state_is_kept_across_writes() {
        let text = "é\x1b[1;31mx\x1b[0m\u{202e}\x1b]\r\n😀".as_bytes();
        for cut in 0..text.len() {
            let mut out = Vec::new();
            let mut escaper = Escaper::new(&mut out);
            escaper.write_all(&text[..cut]).unwrap();
            escaper.write_all(&text[cut..]).unwrap();
            escaper.finish().unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), safe(std::str::from_utf8(text).unwrap()), "cut at {cut}");
        }
    }

    #[test]
    fn the_longest_colour_is_recognised_in_one_write_and_in_two() {
        for (length, passes) in [(LONGEST_SGR - 3, true), (LONGEST_SGR - 2, false), (LONGEST_SGR, false)] {
            let text = format!("\x1b[{}m", "1".repeat(length));
            let shown = safe(&text);
            assert_eq!(shown.starts_with('\x1b'), passes, "{length}");
            for cut in 0..text.len() {
                let mut out = Vec::new();
                let mut escaper = Escaper::new(&mut out);
                escaper.write_all(&text.as_bytes()[..cut]).unwrap();
                escaper.write_all(&text.as_bytes()[cut..]).unwrap();
                escaper.finish().unwrap();
                assert_eq!(String::from_utf8(out).unwrap(), shown, "{length}, cut at {cut}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn no_live_control_character_ever_comes_out(bytes: Vec<u8>) {
            let mut out = Vec::new();
            let mut escaper = Escaper::new(&mut out);
            escaper.write_all(&bytes).unwrap();
            escaper.finish().unwrap();
            let text = String::from_utf8(out).unwrap();
            for (at, char) in text.char_indices() {
                let sgr = char == '\x1b' && matches!(next(&text.as_bytes()[at..]), Next::Sgr(_));
                proptest::prop_assert!(sgr || matches!(char, '\t' | '\n') || !is_unprintable(char));
            }
        }

        #[test]
        fn a_value_can_be_shown_whatever_it_is(text in "(?s).{0,120}") {
            let shown = escape_value(&text);
            proptest::prop_assert!(!shown.contains(is_unprintable));
            proptest::prop_assert!(shown.chars().count() <= 81);
        }
    }
}
