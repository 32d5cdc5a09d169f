//! Completion: what is offered, and what the shells make of it.

mod offers;
mod shells;

use crate::support::fake::Fake;

impl Fake {
    /// What is offered to fish at the end of this line: each word with its description.
    #[track_caller]
    fn offered(&self, line: &str) -> Vec<(String, String)> {
        let ran = self.run(&["__complete", "fish", "--", line]).code(0);
        assert_eq!(ran.stderr, "", "{line}");
        let rest = ran.stdout.strip_prefix("words\n").unwrap_or_else(|| panic!("{line}: {ran:?}"));
        let pair = |line: &str| {
            let (word, about) = line.split_once('\t').unwrap_or((line, ""));
            (word.to_owned(), about.to_owned())
        };
        rest.lines().map(pair).collect()
    }

    /// The words alone.
    #[track_caller]
    fn words(&self, line: &str) -> Vec<String> {
        self.offered(line).into_iter().map(|(word, _)| word).collect()
    }
}
