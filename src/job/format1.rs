//! Reads records of format 1, in which a run was stored as a `docker run` command line. They are converted to the
//! current format. Records of builds have the same fields in both formats.

use serde_json::{Map, Value, json};

use super::record::{FORMAT, Record};
use crate::names::csv_fields;

/// Reads a record of format 1.
///
/// # Errors
/// A text, when a field is missing or has the wrong type.
pub fn record(bytes: &[u8]) -> Result<Record, String> {
    let mut record: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    record.as_object_mut().ok_or("not an object")?.insert("format".into(), FORMAT.into());
    if let Some(run) = record.pointer_mut("/work/run") {
        *run = asked(run)?;
    }
    // The text is not the one that is stored, so the place of an error in it says nothing.
    let why = |error: serde_json::Error| error.to_string().split(" at line ").next().unwrap_or_default().to_owned();
    serde_json::from_str(&record.to_string()).map_err(why)
}

/// The request from which the command line of a run was made.
fn asked(run: &Value) -> Result<Value, String> {
    let argv: Vec<&str> = run["argv"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let flags = flags(&argv);
    let flag = |name: &str| flags.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let number = |name: &str| flag(name).and_then(|value| value.parse::<u64>().ok());
    let mounted = |target: &str| {
        let mounts = flags.iter().filter(|(flag, _)| *flag == "--mount").filter_map(|(_, mount)| csv_fields(mount));
        let mut at_target = mounts.filter(|fields| fields.contains(&format!("target={target}")));
        at_target.next()?.iter().find_map(|field| field.strip_prefix("source=").map(str::to_owned))
    };
    let command = run["command"].as_array().filter(|command| !command.is_empty()).ok_or("it has no command")?;
    let asked = json!({
        "source": mounted("/app"),
        "main": command[0],
        "args": command[1..],
        "input": mounted("/app/data"),
        "output": mounted("/app/output"),
        "user": flag("--user").unwrap_or("image"),
        "cpus": flag("--cpus"),
        "shmSize": number("--shm-size"),
        "gpus": flag("--gpus"),
        "network": flag("--network"),
        "logDriver": flag("--log-driver").unwrap_or("local"),
    });
    let kept = ["env", "memory", "timeout", "keep"].map(|key| (key.to_owned(), run[key].clone()));
    let asked = asked.as_object().cloned().unwrap_or_default();
    Ok(Value::Object(asked.into_iter().chain(kept).collect::<Map<_, _>>()))
}

/// The flags before the image. In format 1 each had its value in the next word, except `--init`.
fn flags<'a>(argv: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    let mut flags = Vec::new();
    let mut words = argv.iter().skip(1).copied();
    while let Some(flag) = words.next().filter(|word| word.starts_with("--")) {
        if flag != "--init" {
            flags.extend(words.next().map(|value| (flag, value)));
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_read_back_as_what_was_asked() {
        let argv = [
            "run",
            "--name",
            "longshore-x",
            "--init",
            "--log-driver",
            "none",
            "--mount",
            r#"type=bind,"source=/a,""b",target=/app"#,
            "--mount",
            "type=bind,source=/in,target=/app/data,readonly",
            "--user",
            "1000:100",
            "--cpus",
            "1.5",
            "--shm-size",
            "64",
            "base",
            "--network",
            "host",
        ];
        let run = json!({"argv": argv, "command": ["-x.py", "--network", "host"], "env": ["A"], "keep": true,
            "timeout": 2.5, "memory": 7});
        let expected = json!({"source": "/a,\"b", "main": "-x.py", "args": ["--network", "host"], "input": "/in",
            "output": null, "user": "1000:100", "cpus": "1.5", "shmSize": 64, "gpus": null, "network": null,
            "logDriver": "none", "env": ["A"], "memory": 7, "timeout": 2.5, "keep": true});
        assert_eq!(asked(&run).unwrap(), expected);
        assert!(asked(&json!({"argv": argv})).is_err());
        assert!(record(b"[1]").is_err());
    }
}
