//! Builds on every kind of builder: what succeeds, what fails and says why, and who may have a name.

use std::sync::{Arc, Barrier};
use std::thread;

use serde_json::{Value, json};

use super::{has_line, lines};
use crate::support::real::{Client, Real, host_ca};
use crate::support::{Ran, schema, wait_until};

impl Real {
    /// Starts a build of a recipe, whose name, base and label are filled in.
    fn create(&self, name: &str, mut recipe: Value, flags: &[&str]) -> Ran {
        let defaults = json!({"name": name, "baseImage": Self::base(), "labels": self.labels()});
        for (key, value) in defaults.as_object().unwrap() {
            recipe.as_object_mut().unwrap().entry(key).or_insert(value.clone());
        }
        self.run_with(&[&["image", "create", "--spec", "-", "--json"], flags].concat(), recipe.to_string().as_bytes())
    }

    fn status(&self, name: &str) -> Value {
        schema::validated("image-status", self.run(&["image", "status", name, "--json"]).code(0).json())
    }
}

/// The whole recipe through one client, to an image that runs and has in it what was asked for.
fn the_recipe_builds_with(client: Client, builder: &str) {
    let real = Real::with(client);
    let name = real.name(client.name());
    // The name of the client keeps the two clients of BuildKit from sharing the last step.
    let commands = concat!(
        "printf 'a \"quoted\" $HOME line\\n' >/made\n",
        "python3 -c 'import six; print(\"built\", \"with six\")' # ",
    );
    let mut recipe = json!({"pipInstall": "six", "additionalCommand": format!("{commands}{}", client.name())});
    if let Some(bundle) = host_ca() {
        recipe["caCert"] = json!(bundle);
    }
    let built = schema::validated("image-create", real.create(&name, recipe.clone(), &["--wait"]).code(0).json());
    assert_eq!(
        (&built["success"], &built["outcome"], &built["log"]),
        (&json!(true), &json!("succeeded"), &json!("complete"))
    );
    let status = real.status(&name);
    assert_eq!(
        real.docker_says(&["image", "inspect", "--format", "{{.Id}}", &name]),
        status["imageId"].as_str().unwrap()
    );
    let begun = std::fs::read(real.job("build", built["id"].as_str().unwrap()).join("begun.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&begun).unwrap()["builder"], builder);

    let source = real.source(concat!(
        "import json, os, ssl, six\n",
        "print(json.dumps([six.moves.range(3)[2], open('/made').read(), os.getcwd(),\n",
        "    ssl.create_default_context().cert_store_stats()['x509_ca'] > 0, sorted(os.listdir('/'))]))\n",
    ));
    let args = real.run_args_in(&name, &source, &["--follow"]);
    let said: Value = serde_json::from_str(&real.run(&args).code(0).stdout).unwrap();
    assert_eq!((&said[0], &said[2]), (&json!(2), &json!("/app")));
    assert_eq!(said[1], "a \"quoted\" $HOME line\n");
    assert_eq!(said[3], json!(true), "certificates are trusted in the image");
    assert!(!said[4].as_array().unwrap().contains(&json!(".longshore")), "nothing of the recipe stays in the image");

    // The same again takes every step from the builder's cache.
    let again = real.create(&name, recipe, &["--wait"]).code(0).json();
    assert_eq!(again["outcome"], "succeeded");
    let status = real.status(&name);
    let cached = lines(&status).iter().filter(|line| line.ends_with("CACHED") || line.ends_with("Using cache")).count();
    assert!(cached >= 3 && !has_line(&status, "built with six"), "a step was run again: {status:#}");
}

#[test]
fn the_recipe_builds_with_the_legacy_builder() {
    the_recipe_builds_with(Client::Legacy, "legacy");
}

#[test]
fn the_recipe_builds_with_the_buildkit_of_an_old_client() {
    the_recipe_builds_with(Client::BuildkitOld, "buildkit");
}

#[test]
fn the_recipe_builds_with_buildx() {
    the_recipe_builds_with(Client::Buildx, "buildx");
}

#[test]
fn an_update_and_apt_packages_are_installed() {
    let real = Real::with(Client::Buildx);
    let name = real.name("apt");
    real.create(&name, json!({"update": true, "aptInstall": "tree  tini"}), &["--wait"]).code(0);
    let source = real.source("import shutil; print(shutil.which('tree'), shutil.which('tini'))");
    let args = real.run_args_in(&name, &source, &["--follow"]);
    assert_eq!(real.run(&args).code(0).stdout, "/usr/bin/tree /usr/bin/tini\n");
}

#[test]
fn a_step_that_fails_ends_the_build_with_its_reason_and_leaves_no_container() {
    for client in [Client::Legacy, Client::Buildx] {
        let real = Real::with(client);
        let name = real.name("broken");
        // BuildKit leaves nothing of a build that fails; what the legacy builder leaves has its base's label.
        let base = if client == Client::Legacy { real.own_base() } else { Real::base() };
        let recipe = json!({"baseImage": base, "additionalCommand": "echo before\necho went wrong >&2\nexit 9"});
        let ran = real.create(&name, recipe, &["--wait"]);
        let built = schema::validated("image-create", ran.json());
        assert_eq!((&built["success"], &built["outcome"]), (&json!(false), &json!("failed")), "{client:?}");
        assert_eq!(json!(ran.code), built["exitCode"], "{client:?}");
        assert_ne!(ran.code, 0);
        assert!(built["reason"].as_str().unwrap().contains("docker build exited with status"), "{built:#}");
        assert!(ran.stderr.contains("went wrong"), "the end of the log is shown: {}", ran.stderr);
        assert_eq!(real.run(&["image", "wait", &name]).code, ran.code);
        assert!(!real.has_image(&name));
        assert_eq!(real.containers(), Vec::<String>::new(), "{client:?}");
    }
}

#[test]
fn a_base_without_apt_or_without_pip_fails_with_the_reason() {
    let real = Real::with(Client::Buildx);
    let name = real.name("never");
    let bare = format!(
        "FROM {}\nLABEL {}\nRUN rm -r /usr/bin/apt-get /usr/lib/python3/dist-packages/pip\n",
        Real::base(),
        real.label()
    );
    let base = real.image("bare", &bare);
    for (key, package, words) in [
        (
            "aptInstall",
            "tree",
            "the base image has no apt-get: apt packages and updates need a base image of Debian or Ubuntu",
        ),
        (
            "pipInstall",
            "six",
            "python3 in the base image has no pip: add \"python3-pip\" to the apt packages, or use a base image that has it",
        ),
    ] {
        let ran = real.create(&name, json!({"baseImage": base, key: package}), &["--wait"]);
        assert_eq!((&ran.json()["outcome"], &ran.json()["reason"]), (&json!("failed"), &json!(words)));
        assert!(
            ran.stderr.starts_with(&format!("error: could not build image \"{name}:latest\": failed")),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn of_twenty_builds_of_one_name_one_starts_and_cancel_ends_it() {
    let real = Arc::new(Real::new());
    let (name, base) = (real.name("race"), real.own_base());
    let recipe = json!({"baseImage": base, "additionalCommand": "echo begun\nsleep 120"});
    let gate = Arc::new(Barrier::new(20));
    let racers: Vec<_> = (0..20)
        .map(|_| {
            let (real, gate, name, recipe) = (real.clone(), gate.clone(), name.clone(), recipe.clone());
            thread::spawn(move || {
                gate.wait();
                real.create(&name, recipe, &[])
            })
        })
        .collect();
    let (won, lost): (Vec<Ran>, Vec<Ran>) =
        racers.into_iter().map(|racer| racer.join().unwrap()).partition(|ran| ran.code == 0);
    assert_eq!((won.len(), lost.len()), (1, 19));
    let id = won[0].json()["id"].as_str().unwrap().to_owned();
    for ran in &lost {
        let error = schema::validated("error", ran.json());
        assert_eq!(error["error"]["kind"], "conflict");
        let message = error["error"]["message"].as_str().unwrap();
        assert!(message.contains(&format!("is being built (status: running, id {id})")), "{message}");
    }
    assert_eq!(real.run(&["image", "builds", "-q"]).code(0).stdout, format!("{id}\n"));

    wait_until("the step runs", || has_line(&real.status(&name), "begun"));
    let cancelled = schema::validated("done", real.run(&["image", "cancel", &name, "--json"]).code(0).json());
    assert_eq!(cancelled["id"], id);
    let status = real.status(&name);
    assert_eq!((&status["status"], &status["outcome"]), (&json!("exited"), &json!("cancelled")));
    assert_eq!(status["reason"], "ended by longshore image cancel");
    assert!(!real.has_image(&name));
    wait_until("no container of the build is left", || real.containers().is_empty());
    // The name is free again.
    real.create(&name, recipe, &[]).code(0);
    real.run(&["image", "cancel", &name]).code(0);
}

#[test]
fn cancel_ends_a_build_of_buildkit() {
    for client in [Client::Buildx, Client::BuildkitOld] {
        let real = Real::with(client);
        let name = real.name("cancelled");
        let mark = format!("sleep 1{}", std::process::id());
        real.create(&name, json!({"additionalCommand": format!("echo begun\n{mark}")}), &[]).code(0);
        wait_until("the step runs", || has_line(&real.status(&name), "begun"));
        real.run(&["image", "cancel", &name]).code(0);
        assert_eq!(real.status(&name)["outcome"], "cancelled");
        let sleeping = || super::processes().iter().any(|(_, words)| words.join(" ").trim_end() == mark);
        wait_until("the step has been ended", || !sleeping());
        assert!(!real.has_image(&name));
    }
}

#[test]
fn forget_of_a_running_build_stops_nothing() {
    let real = Real::with(Client::Buildx);
    let name = real.name("forgotten");
    let created = real.create(&name, json!({"additionalCommand": format!("sleep 2 # {name}")}), &[]).code(0).json();
    real.run(&["image", "forget", &name]).code(0);
    let gone = real.run(&["image", "status", &name, "--json"]).code(1);
    assert_eq!(schema::validated("error", gone.json())["error"]["kind"], "not-found");
    let second = real.create(&name, json!({}), &[]).code(1);
    let message = second.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("is being built by a forgotten build"), "{message}");
    wait_until("the image is there", || real.has_image(&name));
    let job = real.job("build", created["id"].as_str().unwrap());
    wait_until("nothing of the build is left", || !job.exists());
}
