//! The spec of `exec run`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};
use serde::{Deserialize, Serialize};

use super::{field, instead};
use crate::names::{
    Argument, CacheName, Causes, Constraint, Cpus, GenericResource, Gpus, ImageRef, JobName, Label, LogDriver,
    MainFile, Module, Mount, NetworkName, Open, Publish, Retries, UserSpec, Variable, Volume, When,
};
use crate::units;

/// The JSON body of `exec run --spec`. Its first five keys are those of the web API's `POST /api/exec`. All keys are
/// optional. The source directory, the image, and one of the main file, the module and the switch for a command are required,
/// here or as flags. An empty string and null
/// have the same meaning as an absent key. Where text or a number is allowed, a number counts bytes of memory or seconds.
/// A variable of `env` that is null takes the caller's value. In that form every variable is written: values never are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase", default)]
pub struct RunSpec {
    /// The directory with the source code (required, here or in the spec)
    #[arg(long = "src", value_name = "DIR", value_hint = ValueHint::DirPath)]
    #[serde(deserialize_with = "field::path", skip_serializing_if = "Option::is_none")]
    pub src_path: Option<PathBuf>,
    /// The Python file to run, relative to the source directory, unless --entry or --command is given (required, here or in
    /// the spec)
    #[arg(long = "main", value_name = "FILE")]
    #[serde(deserialize_with = "field::text", skip_serializing_if = "Option::is_none")]
    pub main_src: Option<MainFile>,
    /// Run this module with `python3 -m`, instead of a file
    #[arg(short = 'm', long = "entry", value_name = "[module:]NAME")]
    #[serde(deserialize_with = "field::text", skip_serializing_if = "Option::is_none")]
    pub entry: Option<Open<Module>>,
    /// Run the words after `--` as the whole command, instead of a file
    #[arg(long = "command")]
    #[serde(deserialize_with = "field::switch", skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, schemars(with = "Option<bool>"))]
    pub command: bool,
    /// The image to run in (required, here or in the spec)
    #[arg(long = "image", value_name = "IMAGE")]
    #[serde(deserialize_with = "field::text", skip_serializing_if = "Option::is_none")]
    pub image_tag: Option<ImageRef>,
    /// The input directory, mounted read-only at /app/data
    #[arg(long = "input", value_name = "DIR", value_hint = ValueHint::AnyPath)]
    #[serde(deserialize_with = "field::path", skip_serializing_if = "Option::is_none")]
    pub input_path: Option<PathBuf>,
    /// The output directory, mounted at /app/output; created if it is missing
    #[arg(long = "output", value_name = "DIR", value_hint = ValueHint::DirPath)]
    #[serde(deserialize_with = "field::path", skip_serializing_if = "Option::is_none")]
    pub output_path: Option<PathBuf>,
    /// Mount a directory, a file or a volume of docker; for a relative path write ./PATH
    #[arg(short = 'v', long = "volume", value_name = "SOURCE:TARGET[:ro]")]
    #[serde(deserialize_with = "field::volumes", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(with = "Option<Vec<String>>"))]
    pub volumes: Vec<Volume>,
    /// Add a mount of the type bind, volume or tmpfs, in docker's syntax
    #[arg(long = "mount", value_name = "TYPE,SOURCE,TARGET")]
    #[serde(deserialize_with = "field::mounts", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(with = "Option<Vec<String>>"))]
    pub mounts: Vec<Mount>,
    /// Publish a port, in docker's syntax
    #[arg(short, long, value_name = "[[IP:]HOST:]PORT[/PROTO]")]
    #[serde(deserialize_with = "field::ports", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(with = "Option<Vec<String>>"))]
    pub publish: Vec<Publish>,
    /// A cache that runs share: the home directory of the program, in a volume of your own
    #[arg(long, value_name = "NAME")]
    #[serde(deserialize_with = "field::text", skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheName>,
    /// Arguments of the program
    #[arg(last = true, value_name = "ARGS")]
    #[serde(deserialize_with = "field::arguments", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(with = "Option<Vec<String>>"))]
    pub args: Vec<Argument>,
    /// Set an environment variable; without a value, yours is used. Values are not stored
    #[arg(short = 'e', long = "env", value_name = "KEY[=VALUE]")]
    #[serde(
        deserialize_with = "field::variables",
        serialize_with = "field::write_variables",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[cfg_attr(test, schemars(with = "Option<std::collections::BTreeMap<String, Option<String>>>"))]
    pub env: Vec<Variable>,
    /// Add a label to the run and its container
    #[arg(long = "label", value_name = "KEY=VALUE")]
    #[serde(
        deserialize_with = "field::labels",
        serialize_with = "field::write_labels",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[cfg_attr(test, schemars(with = "Option<std::collections::BTreeMap<String, Option<String>>>"))]
    pub labels: Vec<Label>,
    /// A name for the run
    #[arg(long, value_name = "NAME")]
    #[serde(deserialize_with = "field::text", skip_serializing_if = "Option::is_none")]
    pub name: Option<Open<JobName>>,
    /// Limit the number of processors, for example 1.5
    #[arg(long, value_name = "N")]
    #[serde(deserialize_with = "field::number", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<field::StringOrNumber>"))]
    pub cpus: Option<Cpus>,
    /// Limit the memory, for example 512m or 2g
    #[arg(long, value_name = "SIZE", value_parser = units::bytes)]
    #[serde(deserialize_with = "field::size", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<field::StringOrNumber>"))]
    pub memory: Option<u64>,
    /// GPUs to use: all, a number, or device=0,1
    #[arg(long, value_name = "GPUS")]
    #[serde(deserialize_with = "field::number", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<field::StringOrNumber>"))]
    pub gpus: Option<Gpus>,
    /// The size of /dev/shm, for example 1g
    #[arg(long, value_name = "SIZE", value_parser = units::bytes)]
    #[serde(deserialize_with = "field::size", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<field::StringOrNumber>"))]
    pub shm_size: Option<u64>,
    /// The network to use, or none
    #[arg(long, value_name = "NETWORK")]
    #[serde(deserialize_with = "field::text", skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkName>,
    /// End the run after this time, counted from just before its container is started: TERM, and KILL ten seconds later
    #[arg(long, value_name = "DURATION", value_parser = units::limit)]
    #[serde(
        deserialize_with = "field::limit",
        serialize_with = "field::write_limit",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(test, schemars(with = "Option<field::StringOrNumber>"))]
    pub timeout: Option<Duration>,
    /// Try it so many more times if it fails, each time in a new container
    #[arg(long, value_name = "N")]
    #[serde(deserialize_with = "field::number", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<field::StringOrNumber>"))]
    pub retry: Option<Retries>,
    /// The pause before the second attempt; it doubles with each one [default: 1s]
    #[arg(long, value_name = "DURATION", value_parser = units::duration)]
    #[serde(
        deserialize_with = "field::pause",
        serialize_with = "field::write_limit",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(test, schemars(with = "Option<field::StringOrNumber>"))]
    pub retry_delay: Option<Duration>,
    /// Try it again only after these ends: exit codes, lost, timeout [default: any failure]
    #[arg(long, value_name = "ENDS")]
    #[serde(deserialize_with = "field::number", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<field::StringOrNumber>"))]
    pub retry_on: Option<Causes>,
    /// The user to run as: caller (you), image (the image's user), or UID[:GID]
    #[arg(long, value_name = "USER")]
    #[serde(deserialize_with = "field::text", skip_serializing_if = "Option::is_none")]
    pub user: Option<UserSpec>,
    /// Keep the container after the run
    #[arg(long)]
    #[serde(deserialize_with = "field::switch", skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, schemars(with = "Option<bool>"))]
    pub keep: bool,
    /// The log driver for the engine's copy of the output [default: local]
    #[arg(long, value_name = "DRIVER", value_enum)]
    #[serde(deserialize_with = "field::text", skip_serializing_if = "Option::is_none")]
    pub log_driver: Option<LogDriver>,
    /// Keep only the last of the log, about so much of it, for example 100m [default: all of it]
    #[arg(long, value_name = "SIZE", value_parser = units::log_size)]
    #[serde(deserialize_with = "field::log_size", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<field::StringOrNumber>", extend("minimum" = 1_048_576)))]
    pub log_max_size: Option<u64>,
    /// Copy the files to the engine and the output back: where the engine is on another machine, or always, or never
    /// [default: auto]
    #[arg(long, value_name = "WHEN", value_enum)]
    #[serde(deserialize_with = "field::text", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub ship: Option<When>,
    /// Keep what was copied on the engine for the next run with the same files [default: auto, above 4 MiB]
    #[arg(long, value_name = "WHEN", value_enum)]
    #[serde(deserialize_with = "field::text", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub ship_cache: Option<When>,
    /// Copy the directory .git of the source, too
    #[arg(long)]
    #[serde(deserialize_with = "field::switch", skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, schemars(with = "Option<bool>"))]
    pub ship_git: bool,
    /// Refuse to copy more than this to the engine [default: 1g]
    #[arg(long, value_name = "SIZE", value_parser = units::bytes)]
    #[serde(deserialize_with = "field::size", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<field::StringOrNumber>"))]
    pub ship_limit: Option<u64>,
    /// Run on a node of the swarm whose manager is asked, as a service that is never restarted
    #[arg(long)]
    #[serde(deserialize_with = "field::switch", skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, schemars(with = "Option<bool>"))]
    pub swarm: bool,
    /// With --swarm: mount the directories as they are, because every node has them under the same paths
    #[arg(long)]
    #[serde(deserialize_with = "field::switch", skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, schemars(with = "Option<bool>"))]
    pub shared: bool,
    /// With --swarm: choose a node that has so many processors free
    #[arg(long, value_name = "N")]
    #[serde(deserialize_with = "field::number", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<field::StringOrNumber>"))]
    pub reserve_cpus: Option<Cpus>,
    /// With --swarm: choose a node that has so much memory free
    #[arg(long, value_name = "SIZE", value_parser = units::bytes)]
    #[serde(deserialize_with = "field::size", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<field::StringOrNumber>"))]
    pub reserve_memory: Option<u64>,
    /// With --swarm: choose a node of which this is true, for example node.labels.disk==ssd
    #[arg(long = "constraint", value_name = "KEY==VALUE")]
    #[serde(deserialize_with = "field::constraints", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(with = "Option<Vec<String>>"))]
    pub constraints: Vec<Constraint>,
    /// With --swarm: choose a node that has so many of a generic resource free, for example gpu=1
    #[arg(long = "generic-resource", value_name = "NAME=NUMBER")]
    #[serde(deserialize_with = "field::resources", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(with = "Option<Vec<String>>"))]
    pub generic_resources: Vec<GenericResource>,
}

impl RunSpec {
    /// Merges flags (`self`) with a file. Flags override the file; variables and labels of both are kept, those of the
    /// flags last. So are mounts and ports, but those of the file at the same place in the container are not.
    #[must_use]
    pub fn over(self, mut file: Self) -> Self {
        if self.main_src.is_some() || self.entry.is_some() || self.command {
            (file.main_src, file.entry, file.command) = (None, None, false);
        }
        file.volumes.retain(|volume| !self.mounts_at(&volume.0));
        file.mounts.retain(|mount| !self.mounts_at(mount));
        file.publish.retain(|port| !self.publish.iter().any(|ours| ours.has_port_of(port)));
        Self {
            src_path: self.src_path.or(file.src_path),
            main_src: self.main_src.or(file.main_src),
            entry: self.entry.or(file.entry),
            command: self.command || file.command,
            image_tag: self.image_tag.or(file.image_tag),
            input_path: self.input_path.or(file.input_path),
            output_path: self.output_path.or(file.output_path),
            volumes: [file.volumes, self.volumes].concat(),
            mounts: [file.mounts, self.mounts].concat(),
            publish: [file.publish, self.publish].concat(),
            cache: self.cache.or(file.cache),
            args: instead(self.args, file.args),
            env: [file.env, self.env].concat(),
            labels: [file.labels, self.labels].concat(),
            name: self.name.or(file.name),
            cpus: self.cpus.or(file.cpus),
            memory: self.memory.or(file.memory),
            gpus: self.gpus.or(file.gpus),
            shm_size: self.shm_size.or(file.shm_size),
            network: self.network.or(file.network),
            timeout: self.timeout.or(file.timeout),
            retry: self.retry.or(file.retry),
            retry_delay: self.retry_delay.or(file.retry_delay),
            retry_on: self.retry_on.or(file.retry_on),
            user: self.user.or(file.user),
            keep: self.keep || file.keep,
            log_driver: self.log_driver.or(file.log_driver),
            log_max_size: self.log_max_size.or(file.log_max_size),
            ship: self.ship.or(file.ship),
            ship_cache: self.ship_cache.or(file.ship_cache),
            ship_git: self.ship_git || file.ship_git,
            ship_limit: self.ship_limit.or(file.ship_limit),
            swarm: self.swarm || file.swarm,
            shared: self.shared || file.shared,
            reserve_cpus: self.reserve_cpus.or(file.reserve_cpus),
            reserve_memory: self.reserve_memory.or(file.reserve_memory),
            constraints: [file.constraints, self.constraints].concat(),
            generic_resources: [file.generic_resources, self.generic_resources].concat(),
        }
    }

    /// The mounts of both syntaxes.
    pub fn all_mounts(&self) -> impl Iterator<Item = &Mount> {
        self.volumes.iter().map(|volume| &volume.0).chain(&self.mounts)
    }

    fn mounts_at(&self, other: &Mount) -> bool {
        self.all_mounts().any(|mount| mount.target == other.target)
    }
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;

    fn flags(words: &[&str]) -> RunSpec {
        let command = RunSpec::augment_args(clap::Command::new("run"));
        RunSpec::from_arg_matches(&command.get_matches_from([&["run"], words].concat())).unwrap()
    }

    fn body(text: &str) -> RunSpec {
        crate::spec::parse(text.as_bytes()).unwrap()
    }

    const FULL: &str = r#"{"srcPath": "s", "mainSrc": "m.py", "entry": "a.b", "command": true, "imageTag": "web",
        "inputPath": "i", "outputPath": "o", "volumes": ["./v:/v:ro", "data:/w"], "mounts": ["type=tmpfs,target=/t"], "publish": ["127.0.0.1:8080:80/tcp"], "cache": "pip",
        "args": ["-x", "", "a b"], "env": {"A": "1=2", "B": null}, "labels": {"k": "v", "l": null}, "name": "n",
        "cpus": 1.5, "memory": "2g", "gpus": 2, "shmSize": 1024, "network": "none", "timeout": "1h", "retry": 3, "retryDelay": "10s", "retryOn": "2,lost", "user": "0:0",
        "keep": true, "logDriver": "json-file", "logMaxSize": "1m", "ship": "always", "shipCache": "never", "shipGit": true, "shipLimit": "2g",
        "swarm": true, "shared": true, "reserveCpus": 2, "reserveMemory": "1g",
        "constraints": ["node.role==worker"], "genericResources": ["gpu=1"]}"#;

    #[test]
    fn the_flags_give_what_a_body_gives() {
        let flags = flags(&[
            "--src=s",
            "--main=m.py",
            "--entry=module:a.b",
            "--command",
            "--image=web",
            "--input=i",
            "--output=o",
            "-v./v:/v:ro",
            "--volume=data:/w",
            "--mount=type=tmpfs,target=/t",
            "-p=127.0.0.1:8080:80",
            "--cache=pip",
            "-e=A=1=2",
            "--env=B",
            "--label=k=v",
            "--label=l=",
            "--name=n",
            "--cpus=1.5",
            "--memory=2g",
            "--gpus=2",
            "--shm-size=1024",
            "--network=none",
            "--timeout=3600",
            "--retry=3",
            "--retry-delay=10s",
            "--retry-on=2,lost",
            "--user=0:0",
            "--keep",
            "--log-driver=json-file",
            "--log-max-size=1m",
            "--ship=always",
            "--ship-cache=never",
            "--ship-git",
            "--ship-limit=2g",
            "--swarm",
            "--shared",
            "--reserve-cpus=2",
            "--reserve-memory=1g",
            "--constraint=node.role==worker",
            "--generic-resource=gpu=1",
            "--",
            "-x",
            "",
            "a b",
        ]);
        assert_eq!(body(FULL), flags);
    }

    #[test]
    fn what_is_empty_or_null_is_absent() {
        let keys = crate::spec::parse::<serde_json::Map<_, _>>(FULL.as_bytes());
        assert!(keys.is_err(), "only a struct says which keys there are");
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(FULL).unwrap();
        for empty in ["null", "\"\""] {
            for key in object.keys() {
                let is_text = ![
                    "volumes",
                    "mounts",
                    "publish",
                    "args",
                    "env",
                    "labels",
                    "keep",
                    "command",
                    "shipGit",
                    "swarm",
                    "shared",
                    "constraints",
                    "genericResources",
                ]
                .contains(&key.as_str());
                if is_text || empty == "null" {
                    assert_eq!(body(&format!("{{{key:?}: {empty}}}")), RunSpec::default(), "{key}");
                }
            }
        }
    }

    #[test]
    fn flags_win_arguments_take_the_place_of_the_files_and_variables_come_last() {
        let both = flags(&["--src=t", "--memory=1g", "-e", "A=3", "--", "-y"]).over(body(FULL));
        assert_eq!((both.src_path, both.memory), (Some("t".into()), Some(1 << 30)));
        assert_eq!(both.args, ["-y".parse().unwrap()]);
        let keys: Vec<&str> = both.env.iter().map(|variable| variable.key.as_str()).collect();
        assert_eq!(keys, ["A", "B", "A"]);
        let mounts =
            ["-v", "other:/t", "-v", "new:/new", "--mount", "type=tmpfs,target=/v/", "-p", "9:80", "-p", "80/udp"];
        let both = flags(&mounts).over(body(FULL));
        let shown: Vec<String> = both.all_mounts().map(ToString::to_string).collect();
        let ours = ["type=volume,source=other,target=/t", "type=volume,source=new,target=/new", "type=tmpfs,target=/v"];
        assert_eq!(shown, [&["type=volume,source=data,target=/w"], &ours[..]].concat());
        assert_eq!(both.publish.iter().map(ToString::to_string).collect::<Vec<_>>(), ["9:80", "80/udp"]);
        for (flag, program) in
            [("--main=x.py", (true, false, false)), ("-mx", (false, true, false)), ("--command", (false, false, true))]
        {
            let both = flags(&[flag]).over(body(FULL));
            assert_eq!((both.main_src.is_some(), both.entry.is_some(), both.command), program, "{flag}");
        }
        assert_eq!(RunSpec::default().over(body(FULL)), body(FULL));
        assert_eq!(body(FULL).over(RunSpec::default()), body(FULL));
    }

    #[test]
    fn a_body_is_written_as_it_is_read_with_the_names_of_variables_and_never_their_values() {
        let written = serde_json::to_value(body(FULL)).unwrap();
        let expected = serde_json::json!({"srcPath": "s", "mainSrc": "m.py", "entry": "a.b", "command": true, "imageTag": "web",
            "inputPath": "i", "outputPath": "o", "volumes": ["./v:/v:ro", "data:/w"], "mounts": ["type=tmpfs,target=/t"],
            "publish": ["127.0.0.1:8080:80"], "cache": "pip", "args": ["-x", "", "a b"], "env": {"A": null, "B": null}, "labels": {"k": "v", "l": ""},
            "name": "n", "cpus": "1.5", "memory": 2_147_483_648_u64, "gpus": "2", "shmSize": 1024, "network": "none",
            "timeout": "1h", "retry": "3", "retryDelay": "10s", "retryOn": "2,lost", "user": "0:0", "keep": true,
            "logDriver": "json-file", "logMaxSize": 1_048_576, "ship": "always", "shipCache": "never", "shipGit": true, "shipLimit": 2_147_483_648_u64,
            "swarm": true, "shared": true, "reserveCpus": "2", "reserveMemory": 1_073_741_824,
            "constraints": ["node.role==worker"], "genericResources": ["gpu=1"]});
        assert_eq!(written, expected);
        assert_eq!(serde_json::to_string(&RunSpec::default()).unwrap(), "{}");
        let limits = ["0.5", "90", "1.0000001", "1d"].map(|limit| body(&format!("{{\"timeout\": {limit:?}}}")));
        let written = limits.map(|spec| serde_json::to_value(spec).unwrap()["timeout"].clone());
        assert_eq!(written, ["500ms", "1m30s", "1.000000100", "1d"]);
    }

    #[test]
    fn a_value_of_a_variable_is_not_in_the_debug_form() {
        assert!(!format!("{:?}", body(r#"{"env": {"A": "hunter2"}}"#)).contains("hunter2"));
    }
}
