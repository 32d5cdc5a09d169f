//! Builds on every kind of builder: what succeeds, what fails and says why, and who may have a name.

use std::process::Command;
use std::sync::{Arc, Barrier};
use std::thread;

use serde_json::{Value, json};

use super::{has_line, lines};
use crate::support::real::{Client, Real, given, host_ca};
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

/// A build that fails: the short name, the recipe, the reason, and what the hint has in it.
type Failing = (&'static str, Value, String, &'static str);

impl Real {
    /// Builds that fail, each for another reason. The name of the client keeps the two clients of BuildKit from sharing a
    /// step, whose output only one of them gets.
    fn failing(&self, client: Client) -> Vec<Failing> {
        let mark = client.name();
        // BuildKit leaves nothing of a build that fails; what the legacy builder leaves has its base's label.
        let base = if client == Client::Legacy { self.own_base() } else { Self::base() };
        let head = format!("FROM {}\nLABEL {}\n", Self::base(), self.label());
        let bare = format!("{head}RUN rm -r /usr/bin/apt-get /usr/lib/python3/dist-packages/pip\n");
        let bare = self.image("bare", &bare);
        // One certificate, which is not that of the index.
        let distrust = "ENV PIP_CERT=/one.pem\nRUN sed '/END CERT/q' /etc/ssl/certs/ca-certificates.crt >/one.pem\n";
        let distrustful = self.image("distrustful", &format!("{head}{distrust}"));
        let mut unknown = json!({"baseImage": base, "pipInstall": format!("six nosuch-{mark}-zzz")});
        if let Some(bundle) = host_ca() {
            unknown["caCert"] = json!(bundle);
        }
        let commands = format!("cd /tmp # {mark}\necho went wrong >&2\nexit 9\necho no");
        let index = format!("http://127.0.0.1:9/{mark}");
        vec![
            (
                "apt",
                json!({"baseImage": base, "aptInstall": format!("nosuch-{mark}")}),
                format!("apt has no package \"nosuch-{mark}\""),
                "apt-cache search",
            ),
            ("pip", unknown, format!("pip found no package \"nosuch-{mark}-zzz\""), "check the name"),
            (
                "command",
                json!({"baseImage": base, "additionalCommand": commands}),
                "command 3 of 4 ended with exit code 9: exit 9".into(),
                "",
            ),
            (
                "no-base",
                json!({"baseImage": "127.0.0.1:9/no/base:1"}),
                "the engine has no base image \"127.0.0.1:9/no/base:1\" and could not pull it: 127.0.0.1:9: connection \
                 refused"
                    .into(),
                "docker pull 127.0.0.1:9/no/base:1",
            ),
            (
                "certificate",
                json!({"baseImage": distrustful, "pipInstall": "six"}),
                format!("pip does not trust the certificate of {}", default_index()),
                "--ca-cert FILE",
            ),
            (
                "network",
                json!({"baseImage": base, "pipInstall": "six", "pipIndexUrl": index}),
                "pip could not reach 127.0.0.1:9: Connection refused".into(),
                "--pip-index-url",
            ),
            (
                "no-apt",
                json!({"baseImage": bare, "aptInstall": "tree"}),
                "the base image has no apt-get: apt packages and updates need a base image of Debian or Ubuntu".into(),
                "",
            ),
            (
                "no-pip",
                json!({"baseImage": bare, "pipInstall": "six"}),
                "python3 in the base image has no pip: add \"python3-pip\" to the apt packages, or use a base image that \
                 has it"
                    .into(),
                "",
            ),
        ]
    }
}

/// The host of the index that pip uses unless it is told another.
fn default_index() -> String {
    let script = "from pip._internal.models.index import PyPI; print(PyPI.netloc)";
    let output = Command::new(given("LONGSHORE_TEST_PYTHON")).args(["-c", script]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Each build fails with 1 and one sentence, in every command that shows it, and leaves no container.
fn a_failed_build_says_why_with(client: Client) {
    let real = Real::with(client);
    let failing = real.failing(client);
    for (short, recipe, ..) in &failing {
        real.create(&real.name(short), recipe.clone(), &[]).code(0);
    }
    for (short, _, reason, hint) in &failing {
        let name = real.name(short);
        let ended = real.run(&["image", "wait", &name, "--json"]).code(1).json();
        let expected = (&json!("failed"), &json!(1), &json!(reason));
        let log = real.run(&["image", "logs", &name]).stdout;
        assert_eq!((&ended["outcome"], &ended["exitCode"], &ended["reason"]), expected, "{client:?} {short}: {log}");
        let said = ended["hint"].as_str().unwrap_or_default();
        assert!(said.contains(hint) && said.is_empty() == hint.is_empty(), "{client:?} {short}: {said:?}");

        let hint = if said.is_empty() { String::new() } else { format!("hint: {said}\n") };
        let waited = real.run(&["image", "wait", &name]).code(1);
        assert_eq!(waited.stderr, format!("note: failed: {reason}\n{hint}"), "{client:?} {short}");
        let status = real.run(&["image", "status", &name]).code(0);
        assert_eq!(status.stderr, format!("exited: failed: {reason}\n{hint}"), "{client:?} {short}");
        assert!(!status.stdout.contains("DEPRECATED"), "{client:?} {short}: {}", status.stdout);
        assert!(!real.has_image(&name));
    }
    let builds = real.run(&["image", "builds"]).code(0).stdout;
    assert!(failing.iter().all(|(.., reason, _)| builds.contains(reason)), "{client:?}: {builds}");
    assert_eq!(real.containers(), Vec::<String>::new(), "{client:?}");
}

#[test]
fn a_failed_build_says_why_with_the_legacy_builder() {
    a_failed_build_says_why_with(Client::Legacy);
}

#[test]
fn a_failed_build_says_why_with_the_buildkit_of_an_old_client() {
    a_failed_build_says_why_with(Client::BuildkitOld);
}

#[test]
fn a_failed_build_says_why_with_buildx() {
    a_failed_build_says_why_with(Client::Buildx);
}

#[test]
fn who_waits_for_a_build_that_fails_gets_1_the_end_of_its_log_the_reason_and_a_hint() {
    let real = Real::with(Client::Buildx);
    let name = real.name("waited");
    let ran = real.create(&name, json!({"additionalCommand": "echo went wrong >&2\nexit 137"}), &["--wait"]).code(1);
    let built = schema::validated("image-create", ran.json());
    assert_eq!((&built["success"], &built["exitCode"]), (&json!(false), &json!(1)));
    let reason = "command 2 of 2 ended with exit code 137: exit 137";
    assert_eq!(built["reason"], reason);
    assert_eq!(built["error"]["message"], format!("could not build image \"{name}\": {reason}"));
    assert!(ran.stderr.contains("went wrong"), "the end of the log is shown: {}", ran.stderr);
    let hint = built["error"]["hint"].as_str().unwrap();
    assert!(hint.starts_with("exit code 137: it was killed") && hint.contains("longshore image logs"), "{hint}");
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
    assert_eq!((&status["outcome"], &status["exitCode"]), (&json!("cancelled"), &json!(1)));
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
        let status = real.status(&name);
        assert_eq!((&status["outcome"], &status["exitCode"]), (&json!("cancelled"), &json!(1)));
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
    assert!(message.contains("is still being built by a forgotten build"), "{message}");
    wait_until("the image is there", || real.has_image(&name));
    let job = real.job("build", created["id"].as_str().unwrap());
    wait_until("nothing of the build is left", || !job.exists());
}
