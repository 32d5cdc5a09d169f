//! `container inspect` and `changes` beside docker-py's answers.

use crate::support::real::{Real, assert_same};

#[test]
fn one_container_is_inspected_as_an_object_and_several_as_an_array() {
    let real = Real::new();
    let id = real.running("a");
    let other = real.created("b");
    let (a, b) = (real.docker_py_inspect(&id), real.docker_py_inspect(&other));
    let one = real.container(&["inspect", &real.name("a"), "--json"]).code(0);
    assert_eq!(one.stderr, "");
    assert_same(&one.json(), &a);
    assert_same(&real.container(&["inspect", &id[..12]]).code(0).json(), &a);
    assert_same(&real.container(&["inspect", &other, &id]).code(0).json(), &serde_json::json!([b, a]));

    let partly = real.container(&["inspect", "--json", &id, "no-such-container"]).code(1);
    assert_same(&partly.json()[0], &a);
    assert_eq!(partly.json()[1]["error"]["kind"], "not-found");
    let plain = real.container(&["inspect", "no-such-container", &id]).code(1);
    assert_same(&plain.json(), &serde_json::json!([a]));
    assert!(partly.stderr.starts_with("error: there is no container \"no-such-container\"\n"), "{}", partly.stderr);
    let none = real.container(&["inspect", "--json", "no-such-container"]).code(1);
    assert_eq!(none.json()["error"]["kind"], "not-found");
}

#[test]
fn changes_are_those_that_docker_py_lists() {
    let real = Real::new();
    let id = real
        .finished("a", "mkdir /new; echo x >'/new/a b'; echo y >>/etc/passwd; rm /etc/hostname /etc/motd; rm -r /srv");
    let theirs = real.docker_py(&format!("c.diff('{id}')"));
    assert!(theirs.as_array().unwrap().len() > 4, "{theirs}");
    let sorted = |mut changes: serde_json::Value| {
        changes.as_array_mut().unwrap().sort_by_key(|change| change["Path"].to_string());
        changes
    };
    let ours = real.container(&["changes", &id, "--json"]).code(0);
    assert_eq!(ours.stderr, "");
    assert_same(&sorted(ours.json()), &sorted(theirs));
    let lines = real.container(&["changes", &id]).code(0).stdout;
    // The engine gives them in another order every time.
    let theirs = real.docker_says(&["diff", &id]);
    let sorted = |text: &str| text.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(sorted(&lines), sorted(&theirs));

    let unchanged = real.created("b");
    assert_eq!(real.container(&["changes", &unchanged, "--json"]).code(0).stdout, "[]\n");
    assert_eq!(real.docker_py(&format!("c.diff('{unchanged}')")), serde_json::Value::Null);
}
