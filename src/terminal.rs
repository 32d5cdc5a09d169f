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

/// Whether each character is one of ASCII that can be printed. Nearly every cell of a table is such a text.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// A value as an error may show it: unprintable characters are written as `\n` or `\u{…}`, and the text is cut after 80
/// characters.
#[must_use]
pub fn escape_value(text: &str) -> String {
    let mut shown = String::new();
    let mut left = SHOWN;
    for char in text.chars() {
        let piece = escaped(char);
        let Some(rest) = left.checked_sub(piece.chars().count()) else {
            shown.push('…');
            break;
        };
        left = rest;
        shown.push_str(&piece);
    }
    shown
}

/// As [`escape_value`], whole.
#[must_use]
pub fn escape_whole(text: &str) -> String {
    text.chars().map(escaped).collect()
}

fn escaped(char: char) -> String {
    if is_unprintable(char) { char.escape_default().to_string() } else { char.to_string() }
}

/// A copy of the text in which a terminal acts on nothing. Colours are left out.
#[must_use]
pub fn safe(text: &str) -> String {
    shown(text, Allowed::NOTHING)
}

/// A copy of the text in which a terminal acts on what is allowed.
#[must_use]
pub fn shown(text: &str, allowed: Allowed) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut shown = Vec::with_capacity(text.len());
    let mut escaper = Escaper::new(&mut shown, allowed);
    let _ = escaper.write_all(text.as_bytes()).and_then(|()| escaper.finish());
    String::from_utf8_lossy(&shown).into_owned()
}

/// What another program said, as a part of a sentence: without escape sequences, and with a blank for each other control
/// character.
#[must_use]
pub fn plain(text: &str) -> String {
    without_sequences(text, |char| Some(if char.is_control() { ' ' } else { char })).trim().to_owned()
}

/// Lines that another program printed, without escape sequences and other unprintable characters, for a search in them and for
/// one of them alone. A carriage return, which goes back to the start of a line, becomes a line end. Tab and newline stay.
#[must_use]
pub fn plain_lines(text: &str) -> String {
    without_sequences(text, |char| match char {
        '\r' => Some('\n'),
        '\t' | '\n' => Some(char),
        _ => Some(char).filter(|char| !is_unprintable(*char)),
    })
}

/// The text without escape sequences, and each other character as `shown` has it.
fn without_sequences(text: &str, shown: impl Fn(char) -> Option<char>) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let length = sequence(rest);
        plain.extend(shown(char).filter(|_| length == 0));
        rest = &rest[length.max(char.len_utf8())..];
    }
    plain
}

/// What a line that redraws itself shows in the end: the text after its last carriage return.
#[must_use]
pub fn settled(line: &str) -> &str {
    let line = line.trim_end_matches('\r');
    line.rsplit('\r').next().unwrap_or(line)
}

/// The length of the escape sequence at the beginning of a text; 0 if there is none. Control sequences have parameters and a
/// final byte, control strings (titles, links) end with BEL or ST, and other sequences have intermediate bytes and a final
/// byte (ECMA-48). One that is cut off by the end of the text or by another control character ends there.
fn sequence(text: &str) -> usize {
    let mut chars = text.char_indices();
    let introducer = match chars.next() {
        Some((_, '\x1b')) => chars.next().map(|(_, char)| char),
        Some((_, char @ '\u{80}'..='\u{9f}')) => char::from_u32(char as u32 - 0x40),
        _ => return 0,
    };
    let is_string = matches!(introducer, Some(']' | 'P' | 'X' | '^' | '_'));
    match introducer {
        Some('[') => {}
        Some(' '..='/') => {}
        _ if is_string => {}
        Some(char) if !char.is_control() => return text.len() - chars.as_str().len(),
        _ => return '\x1b'.len_utf8().min(text.len()),
    }
    for (at, char) in chars {
        let length = at + char.len_utf8();
        match char {
            '\x07' | '\u{9c}' if is_string => return length,
            '\x1b' if is_string && text[length..].starts_with('\\') => return length + 1,
            _ if char.is_control() => return at,
            _ if is_string => {}
            '@'..='~' if introducer == Some('[') => return length,
            '0'..='~' if introducer != Some('[') => return length,
            ' '..='?' => {}
            _ => return at,
        }
    }
    text.len()
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

/// What a terminal may act on, beside text, tabs and newlines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// Colours (SGR). Where they are not allowed they are left out.
    pub colours: bool,
    /// What redraws a line.
    pub redraws: Redraws,
}

/// How a line may be redrawn, as progress bars do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redraws {
    /// Not at all.
    Never,
    /// By a carriage return. For a terminal that knows no escape sequences; those that erase in the line are left out.
    ByReturning,
    /// By a carriage return, and by erasing in the line.
    ByErasing,
}

impl Allowed {
    /// Only text, tabs and newlines.
    pub const NOTHING: Self = Self { colours: false, redraws: Redraws::Never };
}

/// Passes text, tab, newline and what is allowed through, and shows every other unprintable character as text: C0 and DEL in
/// caret notation, the others as `<U+202E>`. State is kept across writes.
///
/// Nothing that passes acts beyond the line on which it stands (compare CVE-2024-52005 in git). Colours are reset at the end
/// of each line, so that a job's colour does not change what the shell prints next. A carriage return goes to the beginning
/// of the line, and the line is ended before longshore itself prints something ([`Escaper::end_line`]), so a program cannot
/// overwrite that.
#[derive(Debug)]
pub struct Escaper<W: Write> {
    out: W,
    allowed: Allowed,
    held: Vec<u8>,
    coloured: bool,
    line: Line,
}

/// Where the cursor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// At the beginning of an empty line.
    Empty,
    /// Behind text.
    Written,
    /// Behind text, and the next character is written at the beginning of the line. Carriage returns before a newline are
    /// a part of the line end.
    Returning,
}

impl<W: Write> Escaper<W> {
    /// Writes to `out`.
    pub fn new(out: W, allowed: Allowed) -> Self {
        Self { out, allowed, held: Vec::new(), coloured: false, line: Line::Empty }
    }

    /// Whether colours pass.
    pub fn has_colours(&self) -> bool {
        self.allowed.colours
    }

    /// Writes what was held back, and resets the colour.
    pub fn finish(&mut self) -> io::Result<()> {
        self.pass(true)?;
        let mut end = Vec::new();
        self.reset(&mut end);
        self.out.write_all(&end)?;
        self.out.flush()
    }

    /// Whether the cursor is at the beginning of an empty line, and nothing is held back.
    #[must_use]
    pub fn is_at_line_start(&self) -> bool {
        self.line == Line::Empty && self.held.is_empty()
    }

    /// As [`Escaper::finish`], and ends a line on which there is text. What is printed next has a line of its own.
    pub fn end_line(&mut self) -> io::Result<()> {
        self.finish()?;
        if std::mem::replace(&mut self.line, Line::Empty) != Line::Empty {
            self.out.write_all(b"\n")?;
        }
        self.out.flush()
    }

    fn pass(&mut self, last: bool) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        let mut shown = Vec::with_capacity(held.len());
        let mut rest = &held[..];
        while !rest.is_empty() {
            let length = match next(rest) {
                Next::More if !last => break,
                // An incomplete escape sequence is shown; an incomplete character is replaced.
                Next::More if rest[0] == 0x1b => self.char('\x1b', 1, &mut shown),
                Next::More => self.char(char::REPLACEMENT_CHARACTER, rest.len(), &mut shown),
                Next::Sgr(length) => self.colour(&rest[..length], &mut shown),
                Next::Erase(length) => self.erase(&rest[..length], &mut shown),
                Next::Char(char, length) => self.char(char, length, &mut shown),
            };
            rest = &rest[length..];
        }
        self.held = rest.to_vec();
        self.out.write_all(&shown)
    }

    fn reset(&mut self, shown: &mut Vec<u8>) {
        if std::mem::take(&mut self.coloured) {
            shown.extend_from_slice(b"\x1b[m");
        }
    }

    /// Carries out a carriage return, before something is written.
    fn write_at_cursor(&mut self, shown: &mut Vec<u8>) {
        if std::mem::replace(&mut self.line, Line::Written) == Line::Returning {
            shown.push(b'\r');
        }
    }

    fn colour(&mut self, sequence: &[u8], shown: &mut Vec<u8>) -> usize {
        if self.allowed.colours {
            shown.extend_from_slice(sequence);
            self.coloured = true;
        }
        sequence.len()
    }

    /// Erases in the line. In an empty line there is nothing to erase.
    fn erase(&mut self, sequence: &[u8], shown: &mut Vec<u8>) -> usize {
        match self.allowed.redraws {
            Redraws::Never => return self.char('\x1b', 1, shown),
            Redraws::ByErasing if self.line != Line::Empty => {
                self.write_at_cursor(shown);
                shown.extend_from_slice(sequence);
            }
            Redraws::ByErasing | Redraws::ByReturning => {}
        }
        sequence.len()
    }

    fn char(&mut self, char: char, length: usize, shown: &mut Vec<u8>) -> usize {
        match char {
            '\r' if self.allowed.redraws != Redraws::Never => {
                if self.line == Line::Written {
                    self.line = Line::Returning;
                }
            }
            '\n' => {
                self.reset(shown);
                shown.push(b'\n');
                self.line = Line::Empty;
            }
            _ => {
                self.write_at_cursor(shown);
                show(char, shown);
            }
        }
        length
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
    /// A colour, of so many bytes.
    Sgr(usize),
    /// What erases in the line (EL), of so many bytes.
    Erase(usize),
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
        Some(at) if rest[1 + at] == b'K' && matches!(&rest[1..=at], b"" | b"0" | b"1" | b"2") => Next::Erase(at + 3),
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

    const COLOURS: Allowed = Allowed { colours: true, redraws: Redraws::Never };
    const LOG: Allowed = Allowed { colours: true, redraws: Redraws::ByErasing };
    const DUMB: Allowed = Allowed { colours: false, redraws: Redraws::ByReturning };

    #[test]
    fn text_and_colour_pass_and_everything_else_is_shown() {
        for allowed in [COLOURS, LOG] {
            let shown = |text| shown(text, allowed);
            assert_eq!(shown("plain\ttext é😀\n"), "plain\ttext é😀\n");
            assert_eq!(shown("\x1b[31mred\nnext"), "\x1b[31mred\x1b[m\nnext");
            assert_eq!(shown("\x1b[2J\x1b]0;title\x07"), "^[[2J^[]0;title^G");
            assert_eq!(shown("b\x7f\0\x08"), "b^?^@^H");
            assert_eq!(shown("\u{9b}31m\u{202e}x"), "<U+009B>31m<U+202E>x");
            assert_eq!(shown("\x1b"), "^[");
            assert_eq!(shown("\x1b[3"), "^[[3");
        }
        assert_eq!(safe("\x1b[31mred\x1b[m\r\x1b[K\x1b[2J\n"), "red^M^[[K^[[2J\n");
    }

    #[test]
    fn a_progress_bar_redraws_its_line() {
        let shown = |text: &str| shown(text, LOG);
        assert_eq!(shown(" 50%|##  |\r100%|####|\n"), " 50%|##  |\r100%|####|\n");
        assert_eq!(shown("\r 50%\r100%\r\n"), " 50%\r100%\n");
        // A carriage return before a newline is a part of the line end, also after a colour.
        assert_eq!(shown("a\r\nb\r\r\n\r\n"), "a\nb\n\n");
        assert_eq!(shown("\x1b[32ma\r\x1b[0m\r\n"), "\x1b[32ma\x1b[0m\x1b[m\n");
        for erase in ["\x1b[K", "\x1b[0K", "\x1b[1K", "\x1b[2K"] {
            assert_eq!(shown(&format!("long\r{erase}a")), format!("long\r{erase}a"));
            assert_eq!(shown(&format!("{erase}a")), "a", "an empty line has nothing to erase");
            assert_eq!(super::shown(&format!("long\r{erase}a"), DUMB), "long\ra");
        }
        assert_eq!(shown("a\x1b[3K\x1b[00K\x1b[?2K"), "a^[[3K^[[00K^[[?2K");
    }

    #[test]
    fn what_is_printed_after_a_log_has_a_line_of_its_own() {
        for (log, expected) in [
            ("", ""),
            ("a\n", "a\n"),
            ("a", "a\n"),
            ("a\r", "a\n"),
            ("\x1b[31ma\rb", "\x1b[31ma\rb\x1b[m\n"),
            ("\r", ""),
        ] {
            let mut out = Vec::new();
            let mut escaper = Escaper::new(&mut out, LOG);
            escaper.write_all(log.as_bytes()).unwrap();
            escaper.end_line().unwrap();
            escaper.end_line().unwrap();
            // The log continues on the next line, and cannot go back over what stands before.
            escaper.write_all(b"\rmore").unwrap();
            escaper.finish().unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), format!("{expected}more"), "{log:?}");
        }
    }

    #[test]
    fn what_another_program_said_becomes_a_part_of_a_sentence() {
        for (said, expected) in [
            ("ERROR: no such package", "ERROR: no such package"),
            ("\x1b[91mERROR:\x1b[0m é\r\n", "ERROR: é"),
            ("a\tb\nc", "a b c"),
            ("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b\u{9d}t\u{9c}c", "abc"),
            ("\u{9b}31ma\x1b(Bb\x1bMc", "abc"),
            ("a\x1b[31", "a"),
            ("a\x1b", "a"),
            ("a\x1b[3\nb", "a b"),
            ("a\x1b[é", "aé"),
            ("\x1b]open", ""),
        ] {
            assert_eq!(plain(said), expected, "{said:?}");
        }
    }

    #[test]
    fn a_line_that_was_redrawn_settles_on_its_last_text() {
        for (line, end) in [("a", "a"), (" 1%\r 2%\r3%", "3%"), ("a\rb\r", "b"), ("\r", ""), ("", "")] {
            assert_eq!(settled(line), end);
        }
    }

    #[test]
    fn a_plain_text_has_no_escape_sequence_and_nothing_unprintable() {
        for (text, shown) in [
            ("\x1b[91mE\x1b[0m\x1b[91m: \x1b[0mno\ttext é😀\nx", "E: no\ttext é😀\nx"),
            ("\x1b]0;title\x07a\x1b]8;;u\x1b\\b\u{9b}1;31mc\x1b(d\x1b", "abc"),
            ("\x1b]no end\nnext", "\nnext"),
            ("10%\r20%\r\n\0\u{202e}\x7fdone", "10%\n20%\n\ndone"),
            ("\x1b[31", ""),
            ("\x1b[3\nnext", "\nnext"),
        ] {
            assert_eq!(plain_lines(text), shown, "{text:?}");
        }
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
        let text = "é\x1b[1;31mx\x1b[0m\r\x1b[2Ky\u{202e}\x1b]\r\n😀".as_bytes();
        for cut in 0..text.len() {
            let mut out = Vec::new();
            let mut escaper = Escaper::new(&mut out, LOG);
            escaper.write_all(&text[..cut]).unwrap();
            escaper.write_all(&text[cut..]).unwrap();
            escaper.finish().unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), shown(std::str::from_utf8(text).unwrap(), LOG), "cut at {cut}");
        }
    }

    #[test]
    fn the_longest_colour_is_recognised_in_one_write_and_in_two() {
        for (length, passes) in [(LONGEST_SGR - 3, true), (LONGEST_SGR - 2, false), (LONGEST_SGR, false)] {
            let text = format!("\x1b[{}m", "1".repeat(length));
            let shown = shown(&text, LOG);
            assert_eq!(shown.starts_with('\x1b'), passes, "{length}");
            for cut in 0..text.len() {
                let mut out = Vec::new();
                let mut escaper = Escaper::new(&mut out, LOG);
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
            let mut escaper = Escaper::new(&mut out, LOG);
            escaper.write_all(&bytes).unwrap();
            escaper.finish().unwrap();
            let text = String::from_utf8(out).unwrap();
            for (at, char) in text.char_indices() {
                let known = char == '\x1b' && matches!(next(&text.as_bytes()[at..]), Next::Sgr(_) | Next::Erase(_));
                proptest::prop_assert!(known || matches!(char, '\t' | '\n' | '\r') || !is_unprintable(char));
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
