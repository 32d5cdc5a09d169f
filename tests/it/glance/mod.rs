//! Jobs at a glance: status, lists that are redrawn, several logs at once, and the short forms over builds and runs.

mod both;
mod engines;
mod lists;
mod logs;
mod real;
mod sessions;
mod status;
mod watch;

use std::fmt::Write as _;

use crate::faults::terminal::at_terminal;
use crate::support::Ran;
use crate::support::fake::Fake;

/// What a command shows at terminals: of 80 and of 200 columns with colours, and of 80 columns without them and without
/// escape sequences.
pub fn at_terminals(fake: &mut Fake, args: &[&str]) -> String {
    let args: Vec<String> = args.iter().map(|word| (*word).to_owned()).collect();
    let mut shown = String::new();
    for (size, variable, value) in
        [("80x24", "TERM", "xterm"), ("200x50", "TERM", "xterm"), ("80x24", "NO_COLOR", "1"), ("80x24", "TERM", "dumb")]
    {
        fake.set("TERMINAL_SIZE", size);
        fake.set(variable, value);
        let ran = at_terminal(fake, &args);
        writeln!(shown, "# {size}, {variable}={value}\n{ran}").unwrap();
        fake.set(variable, "");
    }
    fake.set("TERMINAL_SIZE", "80x24");
    shown
}

/// A command line in words.
fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

impl Fake {
    /// Runs a command line in words.
    fn line(&self, line: &str) -> Ran {
        self.run(&words(line))
    }
}
