//! Requests to end a job and the answers to them: the lines of `stop.json`.
//!
//! The process that makes a request adds a line. The process that carries it out adds a line with the result. A line
//! that cannot be read hides no other line, and is reported: then it is not known whether the job was asked to end.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::Failure;

/// The command that made the request, or the time limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// `exec stop`: TERM, and KILL after the grace.
    Stop,
    /// `exec kill`: one signal, which may leave the program running.
    Kill,
    /// `image cancel`
    Cancel,
    /// The time limit passed.
    Timeout,
}

impl Verb {
    /// The word of the command.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Kill => "kill",
            Self::Cancel => "cancel",
            Self::Timeout => "timeout",
        }
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// When it was made, by the clock of this host.
    pub at: DateTime<Utc>,
    /// The kind of request.
    pub verb: Verb,
    /// The number of the signal.
    pub signal: i32,
    /// Seconds between that signal and KILL.
    #[serde(default)]
    pub grace: u64,
    /// Its id in an answer; empty in format 1, which had no answers.
    #[serde(default)]
    pub token: String,
}

impl Request {
    /// A new request, with a token of its own.
    #[must_use]
    pub fn new(verb: Verb, signal: i32, grace: Duration, at: DateTime<Utc>) -> Self {
        Self { at, verb, signal, grace: grace.as_secs(), token: crate::fs::random_name() }
    }

    /// Whether the request is carried out only when the job has ended. A program may handle a signal other than KILL.
    #[must_use]
    pub fn ends(&self) -> bool {
        self.verb != Verb::Kill || self.signal == 9
    }

    /// Whether this request explains an end by this signal. A `kill` does only if the program died of its signal.
    #[must_use]
    pub fn explains(&self, died_of: Option<i32>) -> bool {
        self.verb != Verb::Kill || died_of == Some(self.signal)
    }
}

/// What a request did to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// docker accepted the signal for the running program.
    Sent,
    /// The program had ended before.
    Late,
}

/// The result of a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The request's token.
    pub to: String,
    /// What it did; absent if it failed, and in answers of versions that did not record it.
    #[serde(default)]
    pub effect: Option<Effect>,
    /// Why it could not be carried out; absent if it was.
    pub failure: Option<Failure>,
}

impl Answer {
    /// The answer to this request.
    #[must_use]
    pub fn new(to: &Request, result: Result<Effect, Failure>) -> Self {
        let (effect, failure) = match result {
            Ok(effect) => (Some(effect), None),
            Err(failure) => (None, Some(failure)),
        };
        Self { to: to.token.clone(), effect, failure }
    }
}

/// All requests and answers, in the order in which they were written.
#[derive(Debug, Clone, Default)]
pub struct Requests {
    asked: Vec<Request>,
    answers: Vec<Answer>,
    damaged: bool,
}

impl Requests {
    /// Reads `stop.json`. In format 1 it was one object over several lines, so the first request may have several.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Line {
            Request(Request),
            Answer(Answer),
        }
        let mut requests = Self::default();
        let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<Request>();
        let first = values.next().and_then(Result::ok);
        let rest = if first.is_some() { &bytes[values.byte_offset()..] } else { bytes };
        requests.asked.extend(first);
        for line in rest.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
            match serde_json::from_slice(line) {
                Ok(Line::Request(request)) => requests.asked.push(request),
                Ok(Line::Answer(answer)) => requests.answers.push(answer),
                Err(_) => requests.damaged = true,
            }
        }
        requests
    }

    /// A file that cannot be read at all.
    #[must_use]
    pub fn unreadable() -> Self {
        Self { damaged: true, ..Self::default() }
    }

    /// Adds a request that could not be recorded.
    pub fn add(&mut self, request: Option<&Request>) {
        let known = |request: &&Request| self.asked.iter().any(|known| known.token == request.token);
        if let Some(request) = request.filter(|request| !known(request)) {
            self.asked.push(request.clone());
        }
    }

    /// Adds an answer that could not be recorded.
    pub fn add_answer(&mut self, answer: &Answer) {
        if !self.answers.iter().any(|known| known.to == answer.to) {
            self.answers.push(answer.clone());
        }
    }

    /// Whether a part of the file cannot be read, so that a request may be missing.
    #[must_use]
    pub fn are_damaged(&self) -> bool {
        self.damaged
    }

    /// The requests from the `from`th on.
    pub fn since(&self, from: usize) -> impl Iterator<Item = &Request> {
        self.asked.iter().skip(from)
    }

    /// Without the time limits of earlier attempts: an attempt has a limit of its own.
    #[must_use]
    pub fn of_attempt(mut self, started: Option<DateTime<Utc>>) -> Self {
        self.asked
            .retain(|request| request.verb != Verb::Timeout || started.is_some_and(|started| request.at >= started));
        self
    }

    /// The request that ends a job that does not run now: a stop, a kill or a cancel, and no time limit of an attempt.
    #[must_use]
    pub fn to_end(&self) -> Option<&Request> {
        self.asked.iter().find(|request| request.ends() && request.verb != Verb::Timeout && !self.refused(request))
    }

    /// The answer to a request, if there is one yet.
    #[must_use]
    pub fn answer(&self, request: &Request) -> Option<&Answer> {
        self.answers.iter().find(|answer| answer.to == request.token)
    }

    /// Whether any request asks for the end of the job.
    #[must_use]
    pub fn ask_for_end(&self) -> bool {
        self.asked.iter().any(|request| request.ends() && !self.refused(request))
    }

    fn refused(&self, request: &Request) -> bool {
        self.answer(request).is_some_and(|answer| answer.failure.is_some())
    }

    /// The request that explains an end: the last one that reached the program while it ran. Its answer says whether it
    /// did. Without an answer, the times are compared, which is unreliable if the engine's clock differs from ours.
    #[must_use]
    pub fn behind(&self, finished: Option<DateTime<Utc>>, died_of: Option<i32>) -> Option<&Request> {
        let reached = |request: &Request| {
            let in_time = finished.is_none_or(|finished| request.at <= finished);
            match self.answer(request) {
                Some(Answer { failure: Some(_), .. }) => false,
                Some(Answer { effect: Some(Effect::Sent), .. }) => true,
                // docker may have been killed after it had sent the signal, so that a second try came late.
                Some(Answer { effect: Some(Effect::Late), .. }) => in_time && died_of == Some(request.signal),
                _ => in_time,
            }
        };
        self.asked.iter().rev().find(|request| request.explains(died_of) && reached(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn lines(requests: &[Request]) -> Vec<u8> {
        requests
            .iter()
            .flat_map(|request| format!("\n{}", serde_json::to_string(request).unwrap()).into_bytes())
            .collect()
    }

    #[test]
    fn the_one_request_of_format_1_is_read() {
        let requests =
            Requests::parse(b"{\n  \"at\": \"2026-01-01T00:00:00Z\",\n  \"verb\": \"stop\",\n  \"signal\": 15\n}");
        assert_eq!(requests.behind(None, None).map(|request| request.verb), Some(Verb::Stop));
        let kill = Request::new(Verb::Kill, 9, Duration::ZERO, at(2));
        let old = b"{\n  \"at\": \"2026-01-01T00:00:00Z\",\n  \"verb\": \"stop\",\n  \"signal\": 15\n}";
        let requests = Requests::parse(&[old.to_vec(), lines(std::slice::from_ref(&kill))].concat());
        assert_eq!(requests.since(0).map(|request| request.verb).collect::<Vec<_>>(), [Verb::Stop, Verb::Kill]);
    }

    #[test]
    fn a_cut_line_hides_no_other() {
        let stop = Request::new(Verb::Stop, 15, Duration::from_secs(3), at(1));
        let bytes = [b"\n{\"at\": \"2026".to_vec(), lines(std::slice::from_ref(&stop))].concat();
        assert_eq!(Requests::parse(&bytes).since(0).collect::<Vec<_>>(), [&stop]);
        assert!(!Requests::parse(b"\0\0\n[]").ask_for_end());
    }

    #[test]
    fn an_end_is_explained_by_the_last_request_that_fits() {
        let stop = Request::new(Verb::Stop, 15, Duration::from_secs(3), at(1));
        let usr1 = Request::new(Verb::Kill, 10, Duration::ZERO, at(2));
        let late = Request::new(Verb::Timeout, 15, Duration::ZERO, at(9));
        let mut requests = Requests::parse(&lines(&[stop.clone(), usr1.clone(), late]));
        assert_eq!(requests.behind(Some(at(5)), Some(15)), Some(&stop));
        assert_eq!(requests.behind(Some(at(5)), Some(10)), Some(&usr1));
        requests.answers.push(Answer::new(&stop, Err(Failure::usage("no"))));
        assert_eq!(requests.behind(Some(at(5)), None), None);
    }

    #[test]
    fn an_answer_decides_and_not_the_clocks() {
        // The program ended in second 5 of the engine's clock.
        for (asked_at, answer, died_of, explained) in [
            (15, Some(Effect::Sent), None, true),
            (15, Some(Effect::Sent), Some(15), true),
            (4, Some(Effect::Late), None, false),
            (4, Some(Effect::Late), Some(11), false),
            (4, Some(Effect::Late), Some(15), true),
            (15, Some(Effect::Late), Some(15), false),
            (4, None, None, true),
            (15, None, Some(15), false),
        ] {
            let stop = Request::new(Verb::Stop, 15, Duration::ZERO, at(asked_at));
            let mut requests = Requests::parse(&lines(std::slice::from_ref(&stop)));
            requests.answers.extend(answer.map(|effect| Answer::new(&stop, Ok(effect))));
            assert_eq!(requests.behind(Some(at(5)), died_of).is_some(), explained, "{asked_at} {answer:?} {died_of:?}");
        }
    }

    #[test]
    fn a_part_that_cannot_be_read_is_reported() {
        let stop = Request::new(Verb::Stop, 15, Duration::ZERO, at(1));
        let whole = lines(std::slice::from_ref(&stop));
        assert!(!Requests::parse(&[&whole[..], b"\n   \n\n     "].concat()).are_damaged());
        for broken in [&b"\0\0\0"[..], b"{\"at\": \"2026", b"\n[]\n"] {
            let requests = Requests::parse(&[&whole[..], b"\n", broken].concat());
            assert!(requests.are_damaged() && requests.ask_for_end(), "{broken:?}");
        }
        assert!(Requests::unreadable().are_damaged());
    }
}
