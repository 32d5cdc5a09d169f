//! Failures: their kinds, hints and exit codes.
//!
//! Most functions return `anyhow` errors with context. A [`Failure`] is used where the kind decides something: the exit
//! code, the hint or the JSON document. `main` prints the final error and returns its exit code.

use std::fmt;

use crate::invalid::Invalid;

/// The kind of a failure. It decides the exit code, and `--json` shows its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The command line or a spec was not understood.
    Usage,
    /// No job, container, image or file of that name.
    NotFound,
    /// A prefix that matches several jobs.
    Ambiguous,
    /// The name is in use, or the job is in the wrong state for it.
    Conflict,
    /// There is no docker program.
    EngineNotFound,
    /// The docker program cannot be run.
    EngineNotExecutable,
    /// The docker program runs, but no engine answers.
    EngineUnreachable,
    /// An engine call failed.
    EngineFailed,
    /// The state directory cannot be used.
    State,
    /// The command ran, and the job or one of several ids failed.
    Failed,
    /// A time limit that the caller gave passed.
    Timeout,
    /// Ctrl-C ended it.
    Interrupted,
    /// SIGTERM ended it.
    Terminated,
    /// Anything else, for example a full disk.
    Internal,
}

/// A failure of a known kind. `Display` is one line that says what could not be done, and why. It is serialized in the
/// supervisor's answer to the command and in `stop.json`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Failure {
    /// Decides the exit code.
    pub kind: Kind,
    /// The fact in one line, lower case, no full stop.
    pub message: String,
    /// The last lines of another program's output (the engine's, a log's), shown indented below the message.
    pub detail: Option<String>,
    /// What the user could do next.
    pub hint: Option<String>,
    /// If it is that a job was removed: what is known of the job, for the JSON document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Box<serde_json::Value>>,
}

impl Failure {
    /// A failure of that kind. What would end the line, for example in the name of a file, is escaped in the message.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: unbroken(message.into()), detail: None, hint: None, job: None }
    }

    /// A command line that was not understood.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Adds what the user could do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same failure as the reason why something else could not be done.
    #[must_use]
    pub fn because(self, could_not: &str) -> Self {
        Self { message: format!("{could_not}: {}", self.message), ..self }
    }

    /// Adds lines of another program's output.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        self.detail = (!detail.trim().is_empty()).then_some(detail);
        self
    }

    /// The message, and of a call that the engine refused, the last line of docker's words: for a record, which has one line.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        let words = self.detail.as_deref().filter(|_| self.kind == Kind::EngineFailed);
        match words.and_then(|words| words.lines().rfind(|line| !line.trim().is_empty())) {
            Some(last) => unbroken(format!("{}: {}", self.message, last.trim())),
            None => self.message.clone(),
        }
    }

    /// Finds the failure in an error, or makes one of the whole chain.
    #[must_use]
    pub fn of(error: &anyhow::Error) -> Self {
        if let Some(failure) = error.chain().find_map(|cause| cause.downcast_ref::<Self>()) {
            let mut failure = failure.clone();
            // Not `error.is()`, which looks through context.
            if !error.chain().next().is_some_and(<dyn std::error::Error>::is::<Self>) {
                failure.message = one_line(error);
            }
            return failure;
        }
        if let Some(invalid) = error.chain().find_map(|cause| cause.downcast_ref::<Invalid>()) {
            let hint = invalid.hint.clone();
            return Self { hint, ..Self::usage(one_line(error)) };
        }
        let hint = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>()).find_map(room_hint);
        Self { hint: hint.map(str::to_owned), ..Self::new(Kind::Internal, one_line(error)) }
    }
}

/// An I/O error as a part of a sentence, without the number that Rust appends.
#[must_use]
pub fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    let mut text = text.split(" (os error").next().unwrap_or_default().chars();
    text.next().into_iter().flat_map(char::to_lowercase).chain(text).collect()
}

/// What to do about an error that means that there is no room. It is the same error for blocks and for inodes.
fn room_hint(error: &std::io::Error) -> Option<&'static str> {
    match error.kind() {
        std::io::ErrorKind::StorageFull => Some(
            "the disk has no room or no inodes left (df, df -i); longshore --help shows where longshore keeps its files",
        ),
        std::io::ErrorKind::QuotaExceeded => {
            Some("your disk quota is used up (quota); longshore --help shows where longshore keeps its files")
        }
        _ => None,
    }
}

fn unbroken(text: String) -> String {
    let ends_line = |c| matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}');
    if !text.contains(ends_line) {
        return text;
    }
    text.chars().fold(String::new(), |line, c| {
        if ends_line(c) { line + &c.escape_default().to_string() } else { line + c.encode_utf8(&mut [0; 4]) }
    })
}

fn one_line(error: &anyhow::Error) -> String {
    format!("{error:#}").replace('\n', " ")
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// How a command uses its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// The code is longshore's own.
    Plain,
    /// The code is that of a program: `wait`, `--wait`, `--exit-code`. longshore's own failures use 125.
    PassesOn,
}

/// The one table of exit codes for failures.
#[must_use]
pub fn exit_code(failure: &Failure, verb: Verb) -> u8 {
    match (failure.kind, verb) {
        (Kind::Interrupted, _) => 130,
        (Kind::Terminated, _) => 143,
        (Kind::Timeout, _) => 124,
        (Kind::Failed, _) => 1,
        (_, Verb::PassesOn) => 125,
        (Kind::Usage, Verb::Plain) => 2,
        (_, Verb::Plain) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn a_failure_is_found_under_its_context() {
        let error = Err::<(), _>(Failure::usage("no such key").hint("try another"))
            .context("could not read the spec")
            .unwrap_err();
        let failure = Failure::of(&error);
        assert_eq!(failure.kind, Kind::Usage);
        assert_eq!(failure.message, "could not read the spec: no such key");
        assert_eq!(failure.hint.as_deref(), Some("try another"));
    }

    #[test]
    fn an_error_of_any_text_is_shown_without_its_number() {
        let shown = |text: &str| plain(&std::io::Error::other(text.to_owned()));
        assert_eq!(plain(&std::io::Error::from_raw_os_error(2)), "no such file or directory");
        assert_eq!((shown(""), shown("Über")), (String::new(), "über".to_owned()));
    }

    #[test]
    fn a_lack_of_room_has_a_hint() {
        let hint = |errno| {
            let error = Err::<(), _>(std::io::Error::from_raw_os_error(errno)).context("could not write").unwrap_err();
            Failure::of(&error).hint
        };
        assert!(hint(28).unwrap().contains("df -i"));
        assert!(hint(122).unwrap().contains("quota"));
        assert_eq!(hint(5), None);
    }

    #[test]
    fn a_message_is_one_line_whatever_is_in_it() {
        let failure = Failure::usage("could not read a\nb\r\u{2028}\u{85}: no such file");
        assert_eq!(failure.message, r"could not read a\nb\r\u{2028}\u{85}: no such file");
    }

    #[test]
    fn a_verb_that_passes_a_code_on_never_uses_a_programs_code_for_its_own_failure() {
        for kind in [Kind::Usage, Kind::NotFound, Kind::EngineUnreachable, Kind::State, Kind::Internal] {
            assert_eq!(exit_code(&Failure::new(kind, ""), Verb::PassesOn), 125);
        }
        assert_eq!(exit_code(&Failure::usage(""), Verb::Plain), 2);
        assert_eq!(exit_code(&Failure::new(Kind::NotFound, ""), Verb::Plain), 1);
    }
}
