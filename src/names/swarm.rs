//! What a run asks of the nodes of a swarm: constraints, and generic resources.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Checked, Invalid, Refusal, at_most, no};

checked_text! {
    /// A condition on a node, by docker's grammar: `KEY==VALUE` or `KEY!=VALUE`, without blanks around them. The keys are those
    /// that a swarm knows; it would wait for ever for a node that has another one.
    Constraint, "constraint", check_constraint
}

checked_text! {
    /// A number of a generic resource that nodes have, such as `gpu=1`.
    GenericResource, "generic resource", check_resource
}

/// The keys of constraints. A name may follow those that end with a dot.
const KEYS: [&str; 8] = [
    "node.id",
    "node.hostname",
    "node.ip",
    "node.role",
    "node.platform.os",
    "node.platform.arch",
    "node.labels.",
    "engine.labels.",
];

fn check_constraint(text: &str) -> Checked {
    at_most(text, 1000)?;
    let split = || text.split_once("==").map(|it| (it, "==")).or_else(|| text.split_once("!=").map(|it| (it, "!=")));
    let ((key, value), operator) =
        split().ok_or_else(|| no("it must be KEY==VALUE or KEY!=VALUE").hint("for example: node.labels.disk==ssd"))?;
    let (key, value) = (key.trim(), value.trim());
    let is_known = |known: &str| match known.strip_suffix('.') {
        Some(_) => key.len() > known.len() && key.starts_with(known),
        None => key.eq_ignore_ascii_case(known),
    };
    if !KEYS.iter().any(|known| is_known(known)) {
        let keys = KEYS.map(|known| if known.ends_with('.') { format!("{known}NAME") } else { known.to_owned() });
        return Err(no(format!("a swarm knows no key {key:?}")).hint(format!("the keys are {}", keys.join(", "))));
    }
    let in_key = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let in_value = |c: char| c.is_ascii_alphanumeric() || c == ' ' || ":-_.*()?+[]\\^$|/".contains(c);
    if !key.chars().all(in_key) || value.is_empty() || !value.chars().all(in_value) {
        return Err(no("docker accepts only letters, digits and some punctuation in it"));
    }
    Ok(format!("{key}{operator}{value}"))
}

fn check_resource(text: &str) -> Checked {
    let (name, count) = text.split_once('=').ok_or_else(|| {
        no("it must be NAME=NUMBER").hint("a node has it by node-generic-resources in its daemon.json")
    })?;
    let in_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    at_most(name, 255)?;
    if name.is_empty() || !name.chars().all(in_name) {
        return Err(no("its name may have only letters, digits, \".\", \"_\" and \"-\""));
    }
    let is_count = count.bytes().all(|byte| byte.is_ascii_digit()) && count.parse::<i64>().is_ok_and(|count| count > 0);
    if !is_count {
        return Err(no("its number must be a whole number greater than zero"));
    }
    Ok(format!("{name}={}", count.trim_start_matches('0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constraint_is_a_comparison_of_something_that_nodes_have() {
        for (text, kept) in [
            ("node.labels.disk==ssd", "node.labels.disk==ssd"),
            ("node.role != manager", "node.role!=manager"),
            (" engine.labels.os==ubuntu 22.04", "engine.labels.os==ubuntu 22.04"),
            ("node.id==2ivku8v2gvtg4", "node.id==2ivku8v2gvtg4"),
        ] {
            assert_eq!(Constraint::parse(text).unwrap().as_str(), kept);
        }
        for text in
            ["", "node.role", "node.role=manager", "node.labels.==x", "nod.role==x", "node.role==", "node.id==a\nb"]
        {
            assert!(Constraint::parse(text).is_err(), "{text:?}");
        }
        let refusal = Constraint::parse("role==manager").unwrap_err();
        assert!(refusal.hint.unwrap().contains("node.role, "));
    }

    #[test]
    fn a_generic_resource_has_a_name_and_a_number() {
        assert_eq!(GenericResource::parse("NVIDIA-GPU=02").unwrap().as_str(), "NVIDIA-GPU=2");
        for text in ["", "gpu", "gpu=", "=1", "gpu=0", "gpu=-1", "gpu=1.5", "g u=1", "gpu=99999999999999999999"] {
            assert!(GenericResource::parse(text).is_err(), "{text:?}");
        }
    }
}
