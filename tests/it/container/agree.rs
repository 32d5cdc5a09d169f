//! `container inspect` and `changes` beside docker-py's answers.

use super::{Yard, docker_py_json, same};

#[test]
fn one_container_is_inspected_as_an_object_and_several_as_an_array() {
    let yard = Yard::new();
    let id = yard.running("a");
    let other = yard.created("b");
    let (a, b) = (docker_py_json("inspect", &id), docker_py_json("inspect", &other));
    let one = yard.container(&["inspect", &yard.name("a"), "--json"]).code(0);
    assert_eq!(one.stderr, "");
    same(&one.json(), &a);
    same(&yard.container(&["inspect", &id[..12]]).code(0).json(), &a);
    same(&yard.container(&["inspect", &other, &id]).code(0).json(), &serde_json::json!([b, a]));

    let partly = yard.container(&["inspect", "--json", &id, "no-such-container"]).code(1);
    same(&partly.json()[0], &a);
    assert_eq!(partly.json()[1]["error"]["kind"], "not-found");
    let plain = yard.container(&["inspect", "no-such-container", &id]).code(1);
    same(&plain.json(), &serde_json::json!([a]));
    assert!(partly.stderr.starts_with("error: there is no container \"no-such-container\"\n"), "{}", partly.stderr);
    let none = yard.container(&["inspect", "--json", "no-such-container"]).code(1);
    assert_eq!(none.json()["error"]["kind"], "not-found");
}

#[test]
fn changes_are_the_engines_diff() {
    let yard = Yard::new();
    let id = yard
        .finished("a", "mkdir /new; echo x >'/new/a b'; echo y >>/etc/passwd; rm /etc/hostname /etc/motd; rm -r /srv");
    let theirs = docker_py_json("changes", &id);
    assert!(theirs.as_array().unwrap().len() > 4, "{theirs}");
    let sorted = |mut changes: serde_json::Value| {
        changes.as_array_mut().unwrap().sort_by_key(|change| change["Path"].to_string());
        changes
    };
    let ours = yard.container(&["changes", &id, "--json"]).code(0);
    assert_eq!(ours.stderr, "");
    same(&sorted(ours.json()), &sorted(theirs));
    let lines = yard.container(&["changes", &id]).code(0).stdout;
    // The engine gives them in another order every time.
    let theirs = yard.says(&["diff", &id]);
    let sorted = |text: &str| text.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(sorted(&lines), sorted(&theirs));

    let unchanged = yard.created("b");
    assert_eq!(yard.container(&["changes", &unchanged, "--json"]).code(0).stdout, "[]\n");
    assert_eq!(docker_py_json("changes", &unchanged), serde_json::Value::Null);
}
