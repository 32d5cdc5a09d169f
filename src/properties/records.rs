//! The files of a job, and the filters of lists.

use serde_json::Value;

use crate::job::EXIT_SIZE;
use crate::job::again;
use crate::job::gone::Gone;
use crate::job::record::{Begun, Exit, Kind, Record};
use crate::job::request::{Effect, Requests};
use crate::job::select::Filters;
use crate::job::view::View;
use crate::names::JobId;
use crate::spec::{self, RunSpec};
use crate::terminal::plain;

/// Every property of this file.
pub fn all(bytes: &[u8]) {
    exit(bytes);
    record(bytes);
    requests(bytes);
    gone(bytes);
    let _ = serde_json::from_slice::<Begun>(bytes);
    filters(&String::from_utf8_lossy(bytes));
}

/// An exit record that was read is written in its room, and is read again as the same one; only its reason may be cut.
pub fn exit(bytes: &[u8]) {
    let Ok(exit) = Exit::parse(bytes) else { return };
    let bare = serde_json::to_vec(&Exit { reason: Some(String::new()), ..exit.clone() }).expect("JSON");
    if bare.len() >= EXIT_SIZE {
        // Ids that no engine should send are left out.
        assert_eq!(exit.to_bytes().len(), EXIT_SIZE);
        return;
    }
    let written = exit.to_bytes();
    assert_eq!(written.len(), EXIT_SIZE);
    assert!(written.ends_with(b"\n"));
    let read = Exit::parse(&written).expect("what was written can be read");
    let whole = serde_json::to_vec(&exit).expect("JSON").len() < EXIT_SIZE;
    let ours = exit.reason.as_deref().map(plain).unwrap_or_default();
    let theirs = read.reason.as_deref().unwrap_or_default();
    assert!(if whole { ours == theirs } else { ours.starts_with(theirs) });
    assert_eq!(Exit { reason: None, ..read }, Exit { reason: None, ..exit });
}

/// A record of any format that was read is written and read again as the same one. The spec that asks for its run again is one
/// that `--spec` takes.
pub fn record(bytes: &[u8]) {
    match Record::parse(bytes) {
        Ok(record) => {
            let written = serde_json::to_vec(&record).expect("JSON");
            let read = Record::parse(&written).expect("what was written can be read");
            let data = |record| without_fractions(serde_json::to_value(record).expect("JSON"));
            if let Some(Ok(spec)) = read.run().map(|run| again::spec(&read, run)) {
                let body = serde_json::to_vec(&spec).expect("JSON");
                assert_eq!(spec::parse::<RunSpec>(&body).ok(), Some(spec), "{}", String::from_utf8_lossy(&body));
            }
            assert_eq!(data(read), data(record));
        }
        Err(why) => assert!(why.starts_with("is damaged: ") || why.starts_with("has format "), "{why}"),
    }
}

/// serde_json reads a fraction to within one unit of its last digit.
fn without_fractions(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => Value::Null,
        Value::Array(items) => items.into_iter().map(without_fractions).collect(),
        Value::Object(entries) => entries.into_iter().map(|(key, value)| (key, without_fractions(value))).collect(),
        other => other,
    }
}

/// Requests that were read are written, a line each, and read again as the same ones. Whatever was asked has an answer to
/// whether the job is to end.
pub fn requests(bytes: &[u8]) {
    let requests = Requests::parse(bytes);
    let asked: Vec<_> = requests.since(0).collect();
    let lines: Vec<String> =
        asked.iter().map(|request| format!("\n{}", serde_json::to_string(request).expect("JSON"))).collect();
    let read = Requests::parse(lines.concat().as_bytes());
    assert_eq!(read.since(0).collect::<Vec<_>>(), asked);
    let refused = |request| requests.answer(request).is_some_and(|answer| answer.failure.is_some());
    let ends = asked.iter().any(|request| request.ends() && !refused(request));
    assert_eq!(requests.ask_for_end(), ends);
    for request in &asked {
        let behind = requests.behind(Some(request.at), Some(request.signal));
        // A signal that docker took counts whatever the clocks say.
        let sent = |request| requests.answer(request).is_some_and(|answer| answer.effect == Some(Effect::Sent));
        assert!(behind.is_none_or(|behind| (sent(behind) || behind.at <= request.at) && !refused(behind)));
        assert!(behind.is_some() || refused(request));
    }
}

/// A line about a removed job that was read is written as one line, and is read again as the same one. Nothing of it acts on a
/// terminal.
pub fn gone(bytes: &[u8]) {
    let Ok(gone) = Gone::parse(bytes) else { return };
    let line = gone.line();
    assert!(!line.contains('\n'), "{line:?}");
    assert!(!gone.sentence(gone.removed).contains(super::is_live), "{line:?}");
    assert_eq!(Gone::parse(line.as_bytes()), Ok(gone));
}

/// A filter has a key that is known. What it accepts of a job is what its value says.
pub fn filters(text: &str) {
    let id = JobId::from_bytes([7; 12]);
    let mut view = View::unreadable(id, Kind::Run, "for a test");
    view.name = Some("train-1".into());
    view.image = Some("web:latest".into());
    view.labels.insert("team".into(), "a".into());
    let known = ["id", "image", "label", "name", "outcome", "status"];
    let words = ["running", "exited", "succeeded", "failed", "cancelled", "timeout", "lost", "unknown", "corrupt"];
    let (key, value) = text.split_once('=').unwrap_or(("", text));
    let is_state = ["outcome", "status"].contains(&key);
    let filters = Filters::parse(&[text.to_owned()], &[]);
    assert_eq!(filters.is_ok(), known.contains(&key) && (!is_state || words.contains(&value)), "{text:?}");
    assert_eq!(Filters::parse(&[], &[text.to_owned()]).is_ok(), words.contains(&text));
    let Ok(filters) = filters else { return };
    let fits = match key {
        "id" => "777777777777".starts_with(value),
        "image" => ["web", "web:latest"].contains(&value),
        "label" => ["team", "team=a"].contains(&value),
        "name" => "train-1".contains(value),
        _ => ["exited", "corrupt"].contains(&value),
    };
    assert_eq!(filters.accept(&view), fits, "{text:?}");
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::error::Failure;
    use crate::job::gone::How;
    use crate::job::record::{LogState, Outcome, Work};
    use crate::job::request::{Answer, Request, Verb};

    fn time() -> impl Strategy<Value = DateTime<chrono::Utc>> {
        (-3_000_000_000_i64..10_000_000_000, 0..1_000_000_000_u32)
            .prop_map(|(seconds, nanos)| DateTime::from_timestamp(seconds, nanos).expect("a time"))
    }

    fn some_exit() -> impl Strategy<Value = Exit> {
        let outcome =
            prop::sample::select(&[Outcome::Succeeded, Outcome::Failed, Outcome::Timeout, Outcome::Corrupt][..]);
        let log = prop::sample::select(&[LogState::Complete, LogState::Recovered, LogState::Incomplete][..]);
        let reason = prop::option::of("(?s).{0,40}|\u{1}{600,900}|é{1900,2100}|x{2000}[a-z]{9}y{1800,2900}");
        let times = (prop::option::of(time()), prop::option::of(time()));
        let code = any::<Option<i32>>();
        (outcome, code, any::<Option<i32>>(), reason, times, prop::option::of("[a-f0-9]{64}"), log, any::<bool>())
            .prop_map(|(outcome, exit_code, signal, reason, (started, finished), id, log, recovered)| Exit {
                exit_code,
                signal,
                reason,
                started,
                finished,
                container_id: id.clone(),
                image_id: id,
                log,
                recovered,
                ..Exit::new(outcome)
            })
    }

    fn some_record() -> impl Strategy<Value = Record> {
        let texts = (
            "(?s).{0,9}",
            "(?s).{0,9}",
            prop::option::of("(?s).{0,9}"),
            prop::collection::btree_map("[a-z]{1,3}", "(?s).{0,9}", 0..3),
        );
        (
            any::<[u8; 12]>(),
            any::<bool>(),
            texts,
            time(),
            any::<(u32, u32)>(),
            prop::collection::vec("(?s).{0,9}", 0..4),
        )
            .prop_map(|(id, is_run, (host, boot_id, user, labels), created, (uid, gid), args)| {
                let kind = if is_run { Kind::Run } else { Kind::Build };
                let mut record = Record::example(&JobId::from_bytes(id), kind, user.as_deref());
                if let Work::Run(run) = &mut record.work {
                    run.args = args;
                }
                Record { created, labels, boot_id, uid, gid, user, host, ..record }
            })
    }

    fn some_request() -> impl Strategy<Value = Request> {
        let verb = prop::sample::select(&[Verb::Stop, Verb::Kill, Verb::Cancel, Verb::Timeout][..]);
        (time(), verb, 1..65_i32, any::<u64>(), "[a-z0-9]{6}").prop_map(|(at, verb, signal, grace, token)| Request {
            at,
            verb,
            signal,
            grace,
            token,
        })
    }

    proptest! {
        #[test]
        fn an_exit_record_is_read_as_it_was_written(written in some_exit()) {
            let bytes = written.to_bytes();
            exit(&bytes);
            let read = Exit::parse(&bytes).expect("a record");
            let cut = read.reason.clone().unwrap_or_default();
            prop_assert!(written.reason.as_deref().map(plain).unwrap_or_default().starts_with(&cut));
            prop_assert_eq!(Exit { reason: None, ..read }, Exit { reason: None, ..written });
        }

        #[test]
        fn a_record_is_read_as_it_was_written(written in some_record()) {
            let bytes = serde_json::to_vec(&written).expect("JSON");
            record(&bytes);
            let read = Record::parse(&bytes).expect("a record");
            prop_assert_eq!(format!("{read:?}"), format!("{written:?}"));
        }

        #[test]
        fn a_line_about_a_removed_job_is_read_as_it_was_written(
            ended in some_exit(), name in prop::option::of("(?s).{0,20}"), id: [u8; 12], removed in time(), is_run: bool, at in any::<prop::sample::Index>()
        ) {
            let written = Gone {
                id: JobId::from_bytes(id),
                kind: if is_run { Kind::Run } else { Kind::Build },
                name,
                outcome: ended.outcome,
                exit_code: ended.exit_code,
                finished: ended.finished,
                removed,
                how: How::Pruned,
            };
            let line = written.line();
            gone(line.as_bytes());
            prop_assert_eq!(Gone::parse(line.as_bytes()), Ok(written));
            prop_assert!(Gone::parse(&line.as_bytes()[..at.index(line.len())]).is_err());
        }

        #[test]
        fn a_half_or_damaged_record_is_damaged(written in some_record(), ended in some_exit(), at in any::<prop::sample::Index>(), byte: u8) {
            for mut bytes in [serde_json::to_vec(&written).expect("JSON"), ended.to_bytes()] {
                let at = at.index(bytes.len());
                all(&bytes[..at]);
                prop_assert!(Record::parse(&bytes[..at]).is_err());
                bytes[at] = byte;
                all(&bytes);
            }
        }

        #[test]
        fn a_command_line_of_format_1_is_read_or_refused(
            argv in prop::collection::vec("--(mount|user|cpus|shm-size|gpus|network|log-driver|init)|type=bind,\"?source=/[a,\"]{0,4}\"?,target=/app(/data)?|[ -~]{0,6}|none|[0-9]{1,4}", 0..9),
            command in prop::collection::vec("(?s).{0,6}", 0..3),
        ) {
            let id = JobId::from_bytes([7; 12]);
            let mut old = serde_json::to_value(Record::example(&id, Kind::Run, None)).expect("JSON");
            old["format"] = 1.into();
            let argv: Vec<_> = ["run".to_owned(), "--mount".into(), "type=bind,source=/s,target=/app".into()].into_iter().chain(argv).collect();
            old["work"]["run"] = json!({"argv": argv, "command": command, "env": [], "keep": false});
            record(old.to_string().as_bytes());
            let plain: Vec<_> = ["main.py"].into_iter().chain(command.iter().map(String::as_str)).collect();
            old["work"]["run"] = json!({"argv": &argv[..3], "command": plain, "env": [], "keep": false});
            let read = Record::parse(old.to_string().as_bytes());
            let args = read.map(|read| read.run().map(|run| run.args.clone()));
            prop_assert_eq!(args, Ok(Some(command)));
        }

        #[test]
        fn any_bytes_are_no_request_or_read_again(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            all(&bytes);
        }

        #[test]
        fn a_line_that_was_cut_hides_no_other(
            all in prop::collection::vec((some_request(), any::<Option<bool>>()), 1..5), cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>()
        ) {
            let mut lines = Vec::new();
            for (request, answered) in &all {
                lines.push((serde_json::to_string(request).expect("JSON"), true));
                if let Some(refused) = answered {
                    let result = if *refused { Err(Failure::usage("no")) } else { Ok(Effect::Sent) };
                    lines.push((serde_json::to_string(&Answer::new(request, result)).expect("JSON"), false));
                }
            }
            let cut = cut.index(lines.len());
            let lost = usize::from(lines[cut].1);
            let at = at.index(lines[cut].0.len());
            lines[cut].0 = String::from_utf8_lossy(&lines[cut].0.as_bytes()[..at]).into_owned();
            let bytes: String = lines.iter().map(|(line, _)| format!("\n{line}")).collect();
            requests(bytes.as_bytes());
            prop_assert_eq!(Requests::parse(bytes.as_bytes()).since(0).count(), all.len() - lost);
        }

        #[test]
        fn a_filter_says_what_its_key_says(
            text in "(id|image|label|name|outcome|status|x)?=?(7{0,13}|web?(:(latest)?)?|team(=[ab]?)?|rain-|exited|running|lost|corrupt|(?s).{0,4})"
        ) {
            filters(&text);
        }
    }
}
