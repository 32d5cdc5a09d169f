//! Text on which some program might act: a shell, a builder, a terminal, or a parser of flags, lines or CSV.

/// Pieces of such text.
pub const HOSTILE: [&str; 24] = [
    "\n",
    "\r",
    "\0",
    "\u{2028}",
    "\u{85}",
    "\u{b}",
    "\u{c}",
    "\\",
    "`touch /pwned`",
    "$(touch /pwned)",
    "${PATH}",
    "'",
    "\"",
    "<<EOF",
    "# syntax=evil/frontend",
    " --privileged",
    "-",
    "\u{feff}",
    "\u{202e}",
    "\nRUN touch /pwned\n",
    "; touch /pwned",
    ",source=/etc",
    "\u{1b}]0;owned\u{7}\u{1b}[2J",
    "%s",
];

/// The text with pieces of each kind before or after it, and a text of 64 KiB.
pub fn around(text: &str) -> Vec<String> {
    let after = [
        "\n",
        "\0",
        "\u{2028}",
        "\\",
        "$(touch /pwned)",
        "\"",
        " --privileged",
        "-",
        "\u{202e}",
        "\nRUN touch /pwned\n",
    ];
    let before = ["\n", "-", "\u{feff}", "\u{1b}[2J"];
    let after = after.iter().map(|piece| format!("{text}{piece}"));
    let before = before.iter().map(|piece| format!("{piece}{text}"));
    after.chain(before).chain([text.chars().cycle().take(1 << 16).collect()]).collect()
}

/// Fails if a terminal would act on anything in what was shown to it, colours apart.
#[track_caller]
pub fn assert_dead(shown: &str) {
    let colours = regex::Regex::new("\x1b\\[[0-9;]*m").unwrap();
    // The terminal itself returns the carriage.
    let text = colours.replace_all(shown, "").replace("\r\n", "\n");
    let live = |c: char| {
        c.is_control() && !"\n\t".contains(c)
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    assert!(!text.contains(live), "live characters: {text:?}");
}
