//! What is read from the engine's answers, and the command lines that are made for it.

use serde_json::Value;

use super::is_live;
use crate::engine::inspect::{self, Version};
use crate::engine::ssh::{Settings, Target};
use crate::engine::{api, stats, tail, top, words};
use crate::recipe::failure::Asked;
use crate::shell;

/// Every property of this file.
pub fn all(bytes: &[u8]) {
    if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
        object(&value);
    }
    if let Ok(version) = serde_json::from_slice::<Version>(bytes) {
        let major = |version: &str| version.split('.').next().and_then(|part| part.parse::<u32>().ok());
        assert_eq!(version.client.major(), major(&version.client.version).unwrap_or(0));
        assert!(!version.client.cuts_output() || version.client.major() == 28);
    }
    let text = String::from_utf8_lossy(bytes);
    ssh(&text);
    http(bytes);
    usage(&text);
    processes(&text);
    output(bytes, &text);
    let words: Vec<String> = text.split('\n').map(str::to_owned).collect();
    command_line(&words);
}

/// A body is read only from an answer with status 200, and is what follows its first empty line, all or the beginning of it.
pub fn http(bytes: &[u8]) {
    let Ok(body) = api::body(bytes) else { return };
    assert!(bytes.starts_with(b"HTTP/1."));
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("headers end");
    assert!(bytes[end + 4..].starts_with(body));
    let head = std::str::from_utf8(&bytes[..end]).expect("headers are text");
    assert_eq!(head.lines().next().and_then(|line| line.split(' ').nth(1)), Some("200"));
}

/// An answer that says how long its body is counts when all of that is there, whatever the rest of its headers says.
pub fn http_of(status: u16, headers: &str, body: &[u8]) {
    let head = format!("HTTP/1.0 {status} Any Words\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    let whole = [head.as_bytes(), body].concat();
    let wanted = if status == 200 { Ok(body) } else { Err(api::Unusable::Refused(status)) };
    assert_eq!(api::body(&whole), wanted);
    for cut in 0..whole.len() {
        http(&whole[..cut]);
        assert!(api::body(&whole[..cut]).is_err(), "{cut} bytes of {}", whole.escape_ascii());
    }
}

/// A container's state is read from any object, or there is a reason. The values of variables are withheld.
pub fn object(value: &Value) {
    match inspect::container_state(value) {
        // serde also reads an array of the fields' values.
        Ok(state) if value["State"].is_object() => {
            assert_eq!(value["Id"].as_str(), Some(state.id.as_str()));
            let phase = format!("{:?}", state.phase).to_lowercase();
            assert_eq!(value["State"]["Status"].as_str(), Some(phase.as_str()));
            assert_eq!(value["State"]["ExitCode"].as_i64().unwrap_or(0), state.exit_code);
            assert!(state.started.is_none_or(|time| time.timestamp() > 0));
            assert!(state.finished.is_none_or(|time| time.timestamp() > 0));
        }
        Ok(_) => assert!(value.is_array() || value["State"].is_array()),
        Err(why) => assert!(!why.is_empty()),
    }
    let items = value.as_array().map(Vec::len);
    assert_eq!(inspect::only(value.clone()).is_ok(), items == Some(1));
    let shown = inspect::withhold(value.clone(), |_| true);
    let variables = |value: &Value| -> Vec<Option<String>> {
        let list = value.pointer("/Config/Env").and_then(Value::as_array);
        list.into_iter().flatten().map(|text| text.as_str().map(str::to_owned)).collect()
    };
    for (asked, shown) in variables(value).into_iter().zip(variables(&shown)) {
        let withheld =
            asked.as_deref().and_then(|text| text.split_once('=')).map(|(name, _)| format!("{name}=(withheld)"));
        assert_eq!(shown, withheld.or(asked));
    }
    assert_eq!(inspect::withhold(value.clone(), |_| false), *value);
}

/// Of any URL ssh gets one host, which is no option, and it is asked for its settings only. Settings are read from any text.
pub fn ssh(text: &str) {
    for url in [text.to_owned(), format!("ssh://{text}")] {
        if let Some(target) = Target::of(&url) {
            let arguments = target.arguments();
            assert_eq!(arguments[0], "-G");
            assert_eq!(arguments[arguments.len() - 2..], ["--", target.host.as_str()]);
            assert!(!target.host.is_empty() && url.contains(&target.host));
        }
    }
    let settings = Settings::parse(text);
    assert!(!settings.notices_loss || text.contains("serveraliveinterval "));
}

/// A row of `docker stats` keeps docker's own fields and gets numbers or null beside them.
pub fn usage(text: &str) {
    let Some(row) = stats::sample(text) else { return };
    let numbers = [
        "cpuPercent",
        "memoryUsageBytes",
        "memoryLimitBytes",
        "memoryPercent",
        "networkReceivedBytes",
        "networkSentBytes",
        "blockReadBytes",
        "blockWrittenBytes",
        "pids",
    ];
    assert!(numbers.iter().all(|key| row[*key].is_number() || row[*key].is_null()), "{row}");
    let start = text.find('{').unwrap_or_default();
    let end = text.rfind('}').unwrap_or_default();
    let theirs: Value = serde_json::from_str(&text[start..=end]).expect("it was read");
    for (key, value) in theirs.as_object().expect("an object") {
        assert!(numbers.contains(&key.as_str()) || row[key] == *value, "{key}");
    }
}

/// The end of an output is at most ten of its lines. A reason is one short line without live characters.
pub fn output(bytes: &[u8], text: &str) {
    let end = tail(bytes);
    assert!(end.lines().count() <= 10);
    assert!(end.lines().all(|line| text.contains(line)));
    let asked = Asked { base: "base".into(), ..Asked::default() };
    for reason in [words::of_run(text), words::of_build(text, &asked)].into_iter().flatten() {
        for text in [Some(reason.sentence), reason.hint].into_iter().flatten() {
            assert!(!text.contains(is_live) && text.chars().count() <= 403, "{text:?}");
        }
    }
}

/// A shell reads a command line that is shown as the words that it was made of.
pub fn command_line(words: &[String]) {
    let shown = shell::shown(words);
    assert_eq!(shell_reads(&shown).as_deref(), Some(words), "{shown}");
    let lines: Vec<String> = words.iter().map(|word| word.replace(is_live, "")).collect();
    assert!(!shell::shown(&lines).contains(is_live));
}

/// The words of a POSIX shell's line that has single quotes and backslashes. `None` for a character that would do
/// anything else.
fn shell_reads(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match c {
            ' ' => words.extend(word.take()),
            '\'' => {
                let inside: String = characters.by_ref().take_while(|c| *c != '\'').collect();
                word.get_or_insert_default().push_str(&inside);
            }
            '\\' => word.get_or_insert_default().push(characters.next()?),
            c if c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c) => word.get_or_insert_default().push(c),
            _ => return None,
        }
    }
    words.extend(word);
    Some(words)
}

/// Each process of `docker top` has as many cells as there are titles, and no title is empty.
pub fn processes(text: &str) {
    let found = top::processes(text);
    assert!(found.titles.iter().all(|title| !title.trim().is_empty()), "{found:?}");
    assert!(found.rows.iter().all(|row| row.len() == found.titles.len()), "{found:?}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    fn any_value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            "(?s).{0,8}|exited|running|dead|[A-Z]=[a-z=]{0,3}|000[01]-01-01T00:00:00Z|2026-01-02T03:04:05(\\.[0-9]{1,9})?Z".prop_map(Into::into),
        ];
        leaf.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Into::into),
                prop::collection::vec(("Id|State|Status|Env|Labels|[a-z]{1,3}", inner), 0..3)
                    .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn ssh_gets_one_host_and_nothing_else(
            url in "(ssh://)?(([a-z-]{0,4}|:[a-z]?)@){0,2}(-?[a-z.]{0,5}|\\[[0-9a-f:]{0,6}\\]?)(:[0-9x]{0,6})?(/[a-z@:]{0,4})?",
            settings in "((controlmaster|controlpath|controlpersist|serveraliveinterval) ?(no|none|false|auto|[0-9]{1,2}| )?\n){0,5}",
            any in ".*",
        ) {
            for text in [url, settings, any] {
                super::ssh(&text);
            }
        }

        #[test]
        fn a_container_is_read_or_there_is_a_reason(
            (id, status, code, started, finished, env, labels) in (any_value(), "created|running|exited|dead|x?", any_value(), any_value(), any_value(), any_value(), any_value()),
            wrong in any_value(),
            (real, start) in (any::<i64>(), "000[01]-01-01T00:00:00Z|19[67]0-01-01T00:00:0[01]Z|2026-01-02T03:04:05(\\.[0-9]{1,9})?Z"),
        ) {
            let id = if id.is_string() { id } else { "x".into() };
            let state = json!({"Status": status, "ExitCode": code, "StartedAt": started, "FinishedAt": finished});
            super::object(&json!({"Id": id, "State": state, "Config": {"Env": env, "Labels": labels}}));
            let state = json!({"Status": status, "ExitCode": real, "StartedAt": start, "FinishedAt": start});
            super::object(&json!({"Id": id, "State": state, "Config": {"Env": [env, "A=b"], "Labels": null}}));
            super::object(&wrong);
            super::object(&json!([wrong]));
        }

        #[test]
        fn any_answer_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            super::all(&bytes);
        }

        #[test]
        fn an_answer_counts_when_it_is_whole(
            status in prop_oneof![Just(200_u16), 100_u16..=999],
            headers in "([A-Z][a-z-]{0,5}: ?[ -~é]{0,9}\r\n){0,3}",
            body in prop::collection::vec(any::<u8>(), 0..20),
            strange in "HTTP/1[.01]{0,2} [0-9]{2,3}( OK)?\r\n((content-length|Content-Length|Transfer-Encoding|X) ?: ?[0-9x]{0,3}\r?\n?){0,3}\r\n\r\n.{0,5}",
        ) {
            super::http_of(status, &headers, &body);
            super::http(strange.as_bytes());
        }

        #[test]
        fn a_version_has_a_number(text in "[0-9]{0,11}(\\.[0-9]{1,3}){0,2}[-+~a-z0-9]{0,5}|28\\.0\\.[0-9]") {
            super::all(json!({"Client": {"Version": text}}).to_string().as_bytes());
        }

        #[test]
        fn usage_is_read_as_numbers(
            before in "(\u{1b}\\[(2J|H))?",
            (cpu, memory, net) in ("[0-9.]{0,5}%|--|inf%|NaN|1e999%", "[0-9.]{1,5}(B|kB|KiB|MiB|GiB|x)? / [0-9.e-]{1,12}(B|GB|TiB|PiB)", "-?[0-9]{1,30}B / [0-9]kB|-- / --"),
            after in "[ }{]{0,2}\n?",
        ) {
            let row = json!({"Container": "a", "CPUPerc": cpu, "MemUsage": memory, "NetIO": net, "PIDs": net, "memoryPercent": 1});
            super::usage(&format!("{before}{row}{after}"));
        }

        #[test]
        fn processes_have_a_cell_for_each_title(text in "((UID|PID|é|sh -c|   | {1,8}|\t)){0,9}\n((root|1|é|/bin/sh -c x|   | {1,8}){0,9}\n){0,3}") {
            super::processes(&text);
        }

        #[test]
        fn a_reason_is_part_of_a_line(text in "((#[0-9] [0-9.]{1,3} )?(longshore: |docker: |E: |ERROR: |failed to solve)?[a-z ]{0,5}\r?\n){0,14}") {
            super::output(text.as_bytes(), &text);
        }

        #[test]
        fn a_shell_reads_what_is_shown(words in prop::collection::vec("(?s).{0,8}|['\" \\\\$`;&|a-z=-]{0,8}", 0..5)) {
            super::command_line(&words);
        }
    }
}
