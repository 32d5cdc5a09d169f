//! The documents of the container commands, held against the JSON Schemas of the repository.

use serde_json::Value;

use crate::support::real::Real;
use crate::support::schema::{assert_all_keys_described, validated};

#[test]
fn every_document_of_a_container_keeps_to_its_schema() {
    let real = Real::new();
    let (label, base) = (real.label(), Real::base());
    let create = ["create", "--image", &base, "--label", &label, "--json", "-e", "K=secret", "-p", "127.0.0.1::80"];
    validated("container-dry-run", real.container(&[&create[..], &["--dry-run"]].concat()).code(0).json());
    let script = "rm /etc/motd; echo x >/new; echo y >>/etc/passwd; echo ready; sleep 600";
    let made = real.container(&[&create[..], &["--", "sh", "-c", script]].concat()).code(0).json();
    let made = validated("container-create", made);
    let id = made["Id"].as_str().unwrap();

    validated("container-changed", real.container(&["start", "--json", id]).code(0).json());
    crate::support::wait_until("it is ready", || real.docker_says(&["logs", id]) == "ready");
    let filter = real.filter();
    real.created("other");
    let listed =
        validated("container-list", real.container(&["list", "-a", "--json", "--filter", &filter]).code(0).json());
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let changes = validated("container-changes", real.container(&["changes", "--json", id]).code(0).json());
    let kinds = |kind: u64| changes.as_array().unwrap().iter().any(|change| change["Kind"] == kind);
    assert!(kinds(0) && kinds(1) && kinds(2), "{changes}");
    let measured = real.container(&["stats", "--no-stream", "--json", id, &real.name("other")]).code(0).json();
    assert_eq!(measured.as_array().unwrap().len(), 2);
    for row in measured.as_array().unwrap() {
        assert_all_keys_described("container-stats", &validated("container-stats", row.clone()));
    }
    validated("container-export", real.container(&["export", id, "-o", "a.tar", "--json"]).code(0).json());
    let some: Value = real.container(&["rm", "-f", "--json", id, "no-such-container"]).code(1).json();
    validated("container-changed", some);
}
