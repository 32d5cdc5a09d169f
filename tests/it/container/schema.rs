//! The documents of the container commands, held against the JSON Schemas of the repository.

use serde_json::Value;

use super::{Yard, base};
use crate::engine::schema::{describes, holds};

#[test]
fn every_document_of_a_container_keeps_to_its_schema() {
    let yard = Yard::new();
    let (label, base) = (yard.label(), base());
    let create = ["create", "--image", &base, "--label", &label, "--json", "-e", "K=secret", "-p", "127.0.0.1::80"];
    holds("container-dry-run", yard.container(&[&create[..], &["--dry-run"]].concat()).code(0).json());
    let script = "rm /etc/motd; echo x >/new; echo y >>/etc/passwd; echo ready; sleep 600";
    let made = yard.container(&[&create[..], &["--", "sh", "-c", script]].concat()).code(0).json();
    let made = holds("container-create", made);
    let id = made["Id"].as_str().unwrap();

    holds("container-changed", yard.container(&["start", "--json", id]).code(0).json());
    crate::support::wait_until("it is ready", || yard.says(&["logs", id]) == "ready");
    let filter = format!("label={label}");
    yard.created("other");
    let listed = holds("container-list", yard.container(&["list", "-a", "--json", "--filter", &filter]).code(0).json());
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let changes = holds("container-changes", yard.container(&["changes", "--json", id]).code(0).json());
    let kinds = |kind: u64| changes.as_array().unwrap().iter().any(|change| change["Kind"] == kind);
    assert!(kinds(0) && kinds(1) && kinds(2), "{changes}");
    let measured = yard.container(&["stats", "--no-stream", "--json", id, &yard.name("other")]).code(0).json();
    assert_eq!(measured.as_array().unwrap().len(), 2);
    for row in measured.as_array().unwrap() {
        describes("container-stats", &holds("container-stats", row.clone()));
    }
    holds("container-export", yard.container(&["export", id, "-o", "a.tar", "--json"]).code(0).json());
    let some: Value = yard.container(&["rm", "-f", "--json", id, "no-such-container"]).code(1).json();
    holds("container-changed", some);
}
