//! What a run asks of a swarm, and what a swarm cannot do. Everything is refused before anything is started, and the message
//! says what to use instead.

use crate::error::Failure;
use crate::job::record::Swarm;
use crate::names::{LogDriver, Mount, Origin, UserSpec};
use crate::spec::RunSpec;

/// What the spec asks of a swarm, if the run is to be one of a swarm.
///
/// # Errors
/// A usage error for an option that needs `--swarm`, and for one that a swarm cannot carry out.
pub fn wanted(spec: &RunSpec) -> Result<Option<Swarm>, Failure> {
    if !spec.swarm {
        return alone(spec).map_or(Ok(None), |flag| {
            Err(Failure::usage(format!("{flag} needs --swarm")).hint("it says what a node of a swarm must have"))
        });
    }
    if let Some((what, instead)) = refused(spec) {
        return Err(Failure::usage(format!("cannot use {what} with --swarm")).hint(instead));
    }
    if !spec.shared
        && let Some((what, instead)) = unsent(spec)
    {
        return Err(Failure::usage(format!("cannot use {what} with --swarm without --shared")).hint(instead));
    }
    Ok(Some(Swarm {
        shared: spec.shared,
        reserve_cpus: spec.reserve_cpus,
        reserve_memory: spec.reserve_memory,
        constraints: spec.constraints.clone(),
        generic_resources: spec.generic_resources.clone(),
    }))
}

/// An option that is given and has no meaning without a swarm.
fn alone(spec: &RunSpec) -> Option<&'static str> {
    let given = [
        ("--shared", spec.shared),
        ("--reserve-cpus", spec.reserve_cpus.is_some()),
        ("--reserve-memory", spec.reserve_memory.is_some()),
        ("--constraint", !spec.constraints.is_empty()),
        ("--generic-resource", !spec.generic_resources.is_empty()),
    ];
    given.into_iter().find(|(_, is_given)| *is_given).map(|(flag, _)| flag)
}

/// What no swarm does, and what to use instead.
fn refused(spec: &RunSpec) -> Option<(&'static str, &'static str)> {
    let network = spec.network.as_ref().is_some_and(|network| ["none", "bridge"].contains(&network.as_str()));
    let given = [
        (spec.keep, "--keep", "the container is on another machine; its log, its code and its output are kept here"),
        (spec.shm_size.is_some(), "--shm-size", "say --mount type=tmpfs,target=/dev/shm,tmpfs-size=BYTES"),
        (
            spec.gpus.is_some(),
            "--gpus",
            "let the nodes offer their GPUs as a generic resource, and say --generic-resource NAME=NUMBER",
        ),
        (!spec.publish.is_empty(), "--publish", "a swarm would open the port on every node"),
        (
            spec.cache.is_some(),
            "--cache",
            "a cache is a volume of one engine; say --volume NAME:TARGET for one on each node",
        ),
        (
            spec.log_driver == Some(LogDriver::None),
            "--log-driver none",
            "leave it out: the log is read from the copy of the output on the node",
        ),
        (
            network,
            "--network none or bridge",
            "leave --network out, or name an overlay network that can be attached to",
        ),
    ];
    given.into_iter().find(|(is_given, ..)| *is_given).map(|(_, what, instead)| (what, instead))
}

/// What would be mounted from a path that a node has not got.
fn unsent(spec: &RunSpec) -> Option<(&'static str, &'static str)> {
    let is_path = |mount: &Mount| matches!(mount.origin, Origin::Path(_));
    let given = [
        (
            spec.all_mounts().any(is_path),
            "a mount of a path",
            "only --src and --input are sent; with --shared, all nodes have the path",
        ),
        (
            spec.user == Some(UserSpec::Image),
            "--user image",
            "name the user with --user UID:GID; root unpacks the files, and then starts the program as that user",
        ),
    ];
    given.into_iter().find(|(is_given, ..)| *is_given).map(|(_, what, instead)| (what, instead))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        let spec: RunSpec = crate::spec::parse(text.as_bytes()).unwrap();
        let failure = wanted(&spec).unwrap_err();
        format!("{}; {}", failure.message, failure.hint.unwrap())
    }

    #[test]
    fn what_a_swarm_cannot_do_is_refused_with_what_to_say_instead() {
        for (text, flag, instead) in [
            (r#"{"shared": true}"#, "--shared needs --swarm", "a node of a swarm"),
            (r#"{"constraints": ["node.role==worker"]}"#, "--constraint needs --swarm", "a node of a swarm"),
            (r#"{"swarm": true, "keep": true}"#, "cannot use --keep with --swarm", "its output are kept here"),
            (r#"{"swarm": true, "shmSize": 1}"#, "cannot use --shm-size", "target=/dev/shm"),
            (r#"{"swarm": true, "gpus": 1}"#, "cannot use --gpus", "--generic-resource"),
            (r#"{"swarm": true, "publish": ["80:80"]}"#, "cannot use --publish", "every node"),
            (r#"{"swarm": true, "cache": "pip"}"#, "cannot use --cache", "--volume NAME:TARGET"),
            (r#"{"swarm": true, "logDriver": "none"}"#, "cannot use --log-driver none", "on the node"),
            (r#"{"swarm": true, "network": "none"}"#, "cannot use --network none", "overlay"),
            (r#"{"swarm": true, "volumes": ["/data:/d"]}"#, "a mount of a path with --swarm without --shared", "--src"),
            (r#"{"swarm": true, "user": "image"}"#, "cannot use --user image", "--user UID:GID"),
        ] {
            let refusal = refusal(text);
            assert!(refusal.contains(flag) && refusal.contains(instead), "{text}: {refusal}");
        }
        let spec: RunSpec = crate::spec::parse(br#"{"swarm": true, "shared": true, "user": "image"}"#).unwrap();
        assert!(wanted(&spec).unwrap().is_some());
        let fine = r#"{"swarm": true, "shared": true, "volumes": ["/data:/d"], "reserveCpus": "0.5"}"#;
        let spec: RunSpec = crate::spec::parse(fine.as_bytes()).unwrap();
        assert!(wanted(&spec).unwrap().unwrap().shared);
        assert_eq!(wanted(&RunSpec::default()).unwrap(), None);
    }
}
