//! What the state of a task means for the run that it is. Pure.
//!
//! A service may have several tasks: the swarm makes a new one when the service is changed or its node is lost. The first one is
//! the run; the others never start anything of it. A swarm with a short history may have deleted the first one.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::argv::STOPPED;

/// The swarm's description of a task.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its id.
    pub id: String,
    /// When it was made.
    pub created: Option<DateTime<Utc>>,
    /// The node on which it is, once there is one.
    pub node: Option<String>,
    /// How it stands.
    pub status: Status,
    /// How the manager wants it to stand, such as `running` or `shutdown`.
    wanted: String,
    /// The swarm's own object.
    pub object: Value,
}

/// `Status` of a task.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Status {
    /// Since when it is in this state.
    pub timestamp: Option<DateTime<Utc>>,
    /// Such as `pending` or `complete`.
    pub state: String,
    /// What was done last, such as `started`.
    pub message: String,
    /// What went wrong, or what is waited for.
    pub err: String,
    /// Its container.
    pub container_status: ContainerStatus,
}

/// The container of a task.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerStatus {
    /// Its id on the node.
    #[serde(rename = "ContainerID")]
    pub container_id: String,
    /// The code of its program; 0 also while it runs.
    pub exit_code: i32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawTask {
    #[serde(rename = "ID", default)]
    id: String,
    created_at: Option<DateTime<Utc>>,
    #[serde(rename = "NodeID", default)]
    node: Option<String>,
    #[serde(default)]
    status: Status,
    #[serde(rename = "DesiredState", default)]
    wanted: String,
}

impl Task {
    /// Reads the swarm's object.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(object: Value) -> Result<Self, String> {
        let raw = RawTask::deserialize(&object).map_err(|error| error.to_string())?;
        let node = raw.node.filter(|node| !node.is_empty());
        Ok(Self { id: raw.id, created: raw.created_at, node, status: raw.status, wanted: raw.wanted, object })
    }

    /// Whether it was made after the service was asked to end the run. No node takes it.
    fn is_replacement(&self) -> bool {
        let constraints = self.object.pointer("/Spec/Placement/Constraints").and_then(Value::as_array);
        constraints.into_iter().flatten().any(|constraint| constraint == STOPPED)
    }

    /// Whether the manager wants it to end: on request, or because its node takes no tasks or does not answer.
    #[must_use]
    pub fn is_to_end(&self) -> bool {
        self.wanted != "running"
    }

    /// Whether nothing of the run that it stands for will change any more.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.is_replacement()
            || ["complete", "failed", "rejected", "shutdown", "orphaned", "remove"]
                .contains(&self.status.state.as_str())
    }
}

/// The task that is the run: the oldest one. If the swarm has deleted it, one that replaced it.
#[must_use]
pub fn first(tasks: Vec<Task>) -> Option<Task> {
    tasks.into_iter().min_by_key(|task| (task.is_replacement(), task.created))
}

/// What the state of a task means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It was not started yet, and why not.
    Queued(String),
    /// Its program runs.
    Running,
    /// Its node does not answer, so nothing is known.
    Unknown(String),
    /// Its program ended with this code.
    Ended(i32),
    /// The swarm ended it, on request or because of its node; with this code.
    Shut(i32),
    /// It could not be started: the code that a container engine would give, and why.
    NotStarted(i32, String),
    /// It has ended, and its code is not known; why.
    Lost(String),
}

/// What a container engine exits with that could not make a container.
const REFUSED: i32 = 125;

impl Task {
    /// What its state means. `down` is the name of its node, if that one is down.
    #[must_use]
    pub fn fate(&self, down: Option<&str>) -> Fate {
        let Status { state, message, err, container_status, .. } = &self.status;
        let code = container_status.exit_code;
        let or = |otherwise: &str| if err.is_empty() { otherwise.to_owned() } else { err.replace('\n', " ") };
        if self.is_replacement() {
            return Fate::Lost("it was ended, and the swarm has deleted its task, with its exit code".into());
        }
        match (state.as_str(), down) {
            ("complete", _) => Fate::Ended(0),
            ("rejected", _) => Fate::NotStarted(REFUSED, or("its node refused it")),
            ("shutdown" | "remove", _) if container_status.container_id.is_empty() => {
                Fate::NotStarted(REFUSED, "the swarm ended it before a node had started it".into())
            }
            ("shutdown" | "remove", _) => Fate::Shut(code),
            ("orphaned", _) => Fate::Lost("its node was down for so long that the swarm gave it up".into()),
            ("failed", _) if err.contains("No such container") => {
                Fate::Lost("the engine of its node was restarted, and lost its container".into())
            }
            ("failed", _) if message == "starting" => {
                let code = if (126..=128).contains(&code) { code } else { REFUSED };
                Fate::NotStarted(code, or("its container could not be started"))
            }
            ("failed", _) if code == 255 => Fate::Lost("its node crashed".into()),
            ("failed", _) if code == 0 => Fate::Lost(or("its node lost it")),
            ("failed", _) => Fate::Ended(code),
            (_, Some(node)) => Fate::Unknown(format!("node {node} is down")),
            ("running", None) => Fate::Running,
            // What is waited for, in words that follow "waits for".
            (state, None) => Fate::Queued(match state {
                "preparing" | "ready" | "starting" => "its node, which prepares it".into(),
                _ => or("a node of the swarm").replace("no suitable node", "a suitable node"),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task(state: &str, message: &str, err: &str, code: i32) -> Task {
        let container = json!({"ContainerID": "c0ffee", "ExitCode": code});
        let status = json!({"State": state, "Message": message, "Err": err, "ContainerStatus": container});
        Task::read(json!({"ID": "t", "NodeID": "n", "Status": status})).unwrap()
    }

    fn lost(fate: Fate) -> bool {
        matches!(fate, Fate::Lost(_))
    }

    #[test]
    fn a_complete_task_has_succeeded() {
        assert_eq!(task("complete", "finished", "", 0).fate(None), Fate::Ended(0));
    }

    #[test]
    fn a_task_that_failed_after_its_start_has_its_code() {
        for code in [1, 3, 127, 137, 254] {
            assert_eq!(task("failed", "started", "task: non-zero exit", code).fate(None), Fate::Ended(code));
        }
    }

    #[test]
    fn a_task_that_failed_while_it_was_started_could_not_be_started() {
        for (code, shown) in [(126, 126), (127, 127), (128, 128), (0, 125), (1, 125)] {
            let fate = task("failed", "starting", "exec: \"x\": not found", code).fate(None);
            assert_eq!(fate, Fate::NotStarted(shown, "exec: \"x\": not found".into()));
        }
    }

    #[test]
    fn a_task_whose_container_is_gone_is_lost() {
        assert!(lost(task("failed", "started", "No such container: x.1.abc", 0).fate(None)));
        assert!(lost(task("failed", "started", "No such container: x.1.abc", 3).fate(None)));
        assert!(lost(task("failed", "started", "", 0).fate(None)));
    }

    #[test]
    fn a_task_whose_node_crashed_is_lost() {
        assert!(lost(task("failed", "started", "task: non-zero exit (255)", 255).fate(None)));
        assert!(lost(task("orphaned", "", "", 0).fate(Some("n"))));
    }

    #[test]
    fn a_rejected_task_says_why_and_shows_no_code_of_its_own() {
        let fate = task("rejected", "preparing", "No such image: sha256:11", 0).fate(None);
        assert_eq!(fate, Fate::NotStarted(125, "No such image: sha256:11".into()));
    }

    #[test]
    fn a_task_that_was_shut_down_has_the_code_of_its_program() {
        for code in [0, 7, 137, 143] {
            assert_eq!(task("shutdown", "shutdown", "", code).fate(None), Fate::Shut(code));
        }
        let pending = json!({"ID": "t", "Status": {"State": "shutdown", "Message": "pending task scheduling"}});
        assert!(matches!(Task::read(pending).unwrap().fate(None), Fate::NotStarted(125, _)));
    }

    #[test]
    fn a_pending_task_is_queued_with_its_reason() {
        let fate =
            task("pending", "pending task scheduling", "no suitable node (insufficient resources on 3 nodes)", 0);
        assert_eq!(fate.fate(None), Fate::Queued("a suitable node (insufficient resources on 3 nodes)".into()));
        for state in ["new", "allocated", "pending", "assigned", "accepted", "preparing", "ready", "starting", ""] {
            assert!(matches!(task(state, "", "", 0).fate(None), Fate::Queued(_)), "{state}");
        }
    }

    #[test]
    fn a_running_task_runs_and_is_unknown_while_its_node_is_down() {
        let running = task("running", "started", "", 0);
        assert_eq!(running.fate(None), Fate::Running);
        assert_eq!(running.fate(Some("worker-2")), Fate::Unknown("node worker-2 is down".into()));
        assert_eq!(task("preparing", "", "", 0).fate(Some("w")), Fate::Unknown("node w is down".into()));
        // What has ended has ended, whatever became of its node.
        assert_eq!(task("complete", "finished", "", 0).fate(Some("w")), Fate::Ended(0));
    }

    #[test]
    fn a_task_is_to_end_if_its_manager_does_not_want_it_to_run() {
        let wanted = |state: &str| Task::read(json!({"ID": "t", "DesiredState": state})).unwrap().is_to_end();
        assert!(!wanted("running"));
        assert!(wanted("shutdown") && wanted("remove") && wanted(""));
    }

    #[test]
    fn the_oldest_task_is_the_run() {
        let made = |id: &str, at: &str| Task::read(json!({"ID": id, "CreatedAt": at})).unwrap();
        let tasks = vec![made("new", "2026-01-01T00:00:05.1Z"), made("old", "2026-01-01T00:00:05.01Z")];
        assert_eq!(first(tasks).unwrap().object["ID"], "old");
        assert!(first(Vec::new()).is_none());
    }

    #[test]
    fn a_task_that_replaces_a_stopped_one_is_not_the_run() {
        let made = |id: &str, at: &str, constraint: &str| {
            let spec = json!({"Placement": {"Constraints": [constraint]}});
            let status = json!({"State": "pending", "Err": "no suitable node"});
            Task::read(json!({"ID": id, "CreatedAt": at, "Spec": spec, "Status": status})).unwrap()
        };
        let other = made("other", "2026-01-01T00:00:01Z", STOPPED);
        let run = made("run", "2026-01-01T00:00:02Z", "node.role==worker");
        assert_eq!(first(vec![other.clone(), run]).unwrap().id, "run");
        // The swarm has deleted the task that was the run.
        let left = first(vec![other]).unwrap();
        assert!(left.has_ended() && lost(left.fate(None)));
    }

    #[test]
    fn what_is_no_task_is_refused() {
        assert!(Task::read(json!({"Status": {"State": 3}})).is_err());
    }
}
