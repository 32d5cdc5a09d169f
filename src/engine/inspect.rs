//! The parts of the engine's JSON that longshore reads. Pure.
//!
//! Fields that are used have types, and unknown fields are ignored. If a required field is missing, the result is an
//! error with a reason. The status is then `unknown` and not a wrong one.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

/// A container's `State.Status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Created and not started.
    Created,
    /// Running.
    Running,
    /// Running, frozen.
    Paused,
    /// Between two runs of a restart policy.
    Restarting,
    /// Being removed.
    Removing,
    /// Ended.
    Exited,
    /// Ended, and its removal failed.
    Dead,
}

/// A container's state, as far as a status depends on it.
#[derive(Debug, Clone, PartialEq)]
pub struct ContainerState {
    /// The container's id.
    pub id: String,
    /// The engine's status of it.
    pub phase: Phase,
    /// The code of its process; 0 also while it runs, so read `phase` first.
    pub exit_code: i64,
    /// Whether the kernel killed it because it was out of memory.
    pub oom_killed: bool,
    /// Why it could not be started.
    pub error: String,
    /// When its process started.
    pub started: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished: Option<DateTime<Utc>>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawContainer {
    id: String,
    state: RawState,
    #[serde(default)]
    config: RawConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawState {
    status: Phase,
    #[serde(default)]
    exit_code: i64,
    #[serde(default, rename = "OOMKilled")]
    oom_killed: bool,
    #[serde(default)]
    error: String,
    #[serde(default)]
    started_at: String,
    #[serde(default)]
    finished_at: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct RawConfig {
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

/// Reads one object of `docker container inspect`.
///
/// # Errors
/// A text, when a field that the status depends on is missing.
pub fn container_state(object: &Value) -> Result<ContainerState, String> {
    let raw = RawContainer::deserialize(object).map_err(|error| error.to_string())?;
    Ok(ContainerState {
        id: raw.id,
        phase: raw.state.status,
        exit_code: raw.state.exit_code,
        oom_killed: raw.state.oom_killed,
        error: raw.state.error,
        started: moment(&raw.state.started_at),
        finished: moment(&raw.state.finished_at),
        labels: raw.config.labels.unwrap_or_default(),
    })
}

/// Reads the one object out of what `docker … inspect ID` prints.
///
/// # Errors
/// A text, when it is not an array with one item.
pub fn only(array: Value) -> Result<Value, String> {
    match array {
        Value::Array(mut items) if items.len() == 1 => Ok(items.remove(0)),
        Value::Array(items) => Err(format!("expected one object, found {}", items.len())),
        _ => Err("expected an array".into()),
    }
}

/// A time as the engine prints it; the year 1 means never.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc);
    (time.timestamp() > 0).then_some(time)
}

/// Why this exit code from an engine of that version may be wrong. After a crash of the host engines report 255, and
/// engines 24.0.0 to 24.0.2 report 0 (moby#45788).
#[must_use]
pub fn made_up(code: i32, engine_version: Option<&str>) -> Option<String> {
    match (code, engine_version) {
        (255, _) => Some("the engine lost its exit code (it reports 255)".into()),
        (0, Some(version @ ("24.0.0" | "24.0.1" | "24.0.2"))) => {
            Some(format!("engine {version} may report 0 for a container whose exit code it lost"))
        }
        _ => None,
    }
}

/// Whether an engine of that version may report 0 for a container at whose end it was killed. Engines before 24.0.3 do, if
/// containerd has removed the container and the engine has not recorded its end; the time of the end is then that of the
/// engine's next start. Later engines report 255.
#[must_use]
pub fn may_lose_an_end(engine_version: Option<&str>) -> bool {
    let number = |part: &str| part.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok());
    let version = engine_version.map(|version| version.split('.').map(|part| number(part).unwrap_or(0)).collect());
    version.is_none_or(|version: Vec<u32>| version < vec![24, 0, 3])
}

/// The description of a container with `(withheld)` in place of the values of these variables.
#[must_use]
pub fn withhold(object: Value, is_secret: impl Fn(&str) -> bool) -> Value {
    withhold_at(object, "/Config/Env", is_secret)
}

/// The same for a task of a swarm.
#[must_use]
pub fn withhold_of_task(object: Value, is_secret: impl Fn(&str) -> bool) -> Value {
    withhold_at(object, "/Spec/ContainerSpec/Env", is_secret)
}

fn withhold_at(mut object: Value, place: &str, is_secret: impl Fn(&str) -> bool) -> Value {
    for variable in object.pointer_mut(place).and_then(Value::as_array_mut).into_iter().flatten() {
        let name = variable.as_str().and_then(|text| text.split_once('=')).map(|(name, _)| name.to_owned());
        if let Some(name) = name.filter(|name| is_secret(name)) {
            *variable = format!("{name}=(withheld)").into();
        }
    }
    object
}

/// The output of `docker version`.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase")]
pub struct Version {
    /// The client's.
    pub client: Side,
    /// The engine's; absent if none answers.
    pub server: Option<Side>,
}

/// One side's version.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase")]
pub struct Side {
    /// Such as `28.2.2` or `20.10.24+dfsg1`.
    pub version: String,
}

impl Side {
    /// The number before the first point; 0 when there is none.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0)
    }

    /// Major and minor number; `None` for a version that is no number, such as `dev`.
    #[must_use]
    pub fn release(&self) -> Option<(u32, u32)> {
        let mut numbers = self.version.split('.');
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }

    /// Clients 28.0.0 to 28.0.2 may cut the end of stdout (docker/cli#5957).
    #[must_use]
    pub fn cuts_output(&self) -> bool {
        matches!(self.version.as_str(), "28.0.0" | "28.0.1" | "28.0.2")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_container_is_read_and_the_rest_of_it_tolerated() {
        let state = container_state(&json!({
            "Id": "abc", "Extra": [1, 2],
            "State": {"Status": "exited", "ExitCode": 137, "OOMKilled": true, "Error": "",
                      "StartedAt": "2026-01-02T03:04:05.678901234Z", "FinishedAt": "0001-01-01T00:00:00Z"},
            "Config": {"Labels": null},
        }))
        .unwrap();
        assert_eq!((state.phase, state.exit_code, state.oom_killed), (Phase::Exited, 137, true));
        assert!(state.started.is_some());
        assert_eq!(state.finished, None);
    }

    #[test]
    fn only_the_values_of_given_variables_are_withheld() {
        let object = json!({"Config": {"Env": ["PATH=/bin", "TOKEN=a=b", "TOKEN2=x", "NAME"]}, "TOKEN": "TOKEN=x"});
        let shown = withhold(object, |name| name == "TOKEN" || name == "NAME");
        let env = json!(["PATH=/bin", "TOKEN=(withheld)", "TOKEN2=x", "NAME"]);
        assert_eq!(shown, json!({"Config": {"Env": env}, "TOKEN": "TOKEN=x"}));
        assert_eq!(withhold(json!([]), |_| true), json!([]));
    }

    #[test]
    fn codes_that_engines_make_up_are_known() {
        for (code, version, known) in [
            (255, None, true),
            (0, Some("24.0.1"), true),
            (0, Some("24.0.3"), false),
            (0, None, false),
            (1, Some("24.0.1"), false),
        ] {
            assert_eq!(made_up(code, version).is_some(), known, "{code} {version:?}");
        }
    }

    #[test]
    fn engines_before_24_0_3_may_report_0_for_an_end_that_they_lost() {
        for (version, may) in [
            (Some("20.10.24+dfsg1"), true),
            (Some("23.0.15"), true),
            (Some("24.0.2"), true),
            (Some("24.0.3"), false),
            (Some("24.0.10-rc1"), false),
            (Some("28.2.2"), false),
            (Some("nonsense"), true),
            (None, true),
        ] {
            assert_eq!(may_lose_an_end(version), may, "{version:?}");
        }
    }

    #[test]
    fn an_answer_without_a_state_is_an_error_in_words() {
        for broken in [json!({}), json!({"Id": 3, "State": {}}), json!({"Id": "x", "State": {"Status": "dancing"}})] {
            assert!(container_state(&broken).is_err());
        }
        assert_eq!(only(json!([])).unwrap_err(), "expected one object, found 0");
        assert_eq!(only(json!({})).unwrap_err(), "expected an array");
    }
}
