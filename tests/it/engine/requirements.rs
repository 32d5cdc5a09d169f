//! Requirements files and files of apt packages on every kind of builder.

use serde_json::{Value, json};

use super::lines;
use crate::support::Ran;
use crate::support::real::{Client, Real, host_ca};

/// A version of six and its wheel's hash, which does not change any more.
const SIX: &str = "six==1.16.0";
const SIX_HASH: &str = "sha256:8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254";

impl Real {
    /// `image create` with the base, the label and the certificates of this machine.
    pub fn create_with(&self, name: &str, flags: &[&str]) -> Ran {
        let (base, label, ca) = (Self::base(), self.label(), host_ca());
        let ca: Vec<&str> = ca.iter().flat_map(|path| ["--ca-cert", path.to_str().unwrap()]).collect();
        self.run(&[&["image", "create", name, "--base", &base, "--label", &label], &ca[..], flags].concat())
    }

    fn status_of(&self, name: &str) -> Value {
        self.run(&["image", "status", name, "--json"]).code(0).json()
    }
}

/// Files with everything that pip and apt read, to an image that has it.
fn files_are_installed_with(client: Client) {
    let real = Real::with(client);
    let name = real.name(client.name());
    // The name of the client keeps the two clients of BuildKit from sharing a step.
    let mark = format!("never-{}; os_name == 'nt'\n", client.name());
    let hashed =
        format!("# é\r\n{SIX} \\\r\n    --hash={SIX_HASH} \\\r\n    --hash=sha256:{}  # other\r\n", "0".repeat(64));
    real.write("reqs/main.txt", format!("--only-binary=:all:\n-r sub/hashed.txt\n-c limits.txt\n{mark}"));
    real.write("reqs/sub/hashed.txt", hashed);
    real.write("reqs/limits.txt", "six<1.17\n");
    real.write("apt.txt", "# é\n\ntree\n");
    let [main, apt] = ["reqs/main.txt", "apt.txt"].map(|file| real.path(file).to_str().unwrap().to_owned());
    let flags = ["--requirements", &main, "--apt-file", &apt, "--wait", "--json"];
    let built = real.create_with(&name, &flags).code(0).json();
    assert_eq!(built["outcome"], "succeeded");
    let source = real
        .source("import os, shutil, six\nprint(six.__version__, shutil.which('tree'), os.path.exists('/.longshore'))");
    let args = real.run_args_in(&name, &source, &["--follow"]);
    assert_eq!(real.run(&args).code(0).stdout, "1.16.0 /usr/bin/tree False\n");

    // Another comment is the same recipe, and takes every step from the cache.
    real.write("reqs/main.txt", format!("# new\n--only-binary :all:\n-r sub/hashed.txt\n-c limits.txt\n{mark}"));
    real.create_with(&name, &flags).code(0);
    let status = real.status_of(&name);
    let cached = lines(&status).iter().filter(|line| line.ends_with("CACHED") || line.ends_with("Using cache")).count();
    assert!(cached >= 3, "a step was run again: {status:#}");
}

#[test]
fn files_are_installed_with_the_legacy_builder() {
    files_are_installed_with(Client::Legacy);
}

#[test]
fn files_are_installed_with_the_buildkit_of_an_old_client() {
    files_are_installed_with(Client::BuildkitOld);
}

#[test]
fn files_are_installed_with_buildx() {
    files_are_installed_with(Client::Buildx);
}

/// What pip cannot install is one sentence that names the package, also if it is in a file.
fn a_failure_names_the_package_with(client: Client) {
    let real = Real::with(client);
    let mark = format!("never-{}; os_name == 'nt'", client.name());
    let nosuch = format!("nosuch-{}-zzz", client.name());
    let zeros = "0".repeat(64);
    let cases = [
        (
            "unknown",
            format!("six\n{nosuch}\n"),
            format!("pip found no package {nosuch:?}"),
            "check the name".to_owned(),
        ),
        (
            "mismatch",
            format!("{SIX} --hash=sha256:{zeros}\n{mark}\n"),
            format!("the archive of {SIX:?} does not have the hash that was asked for: it has {}", &SIX_HASH[7..]),
            "find out why it changed before you take the new hash".to_owned(),
        ),
        (
            "dependency",
            // It needs six, which has no hash.
            format!("python-dateutil==2.9.0.post0 --hash=sha256:{DATEUTIL}\n{mark}\n"),
            "pip needs the version and the hash of \"six\", which \"python-dateutil==2.9.0.post0\" needs, because other \
             packages have one"
                .to_owned(),
            "pip-compile --generate-hashes".to_owned(),
        ),
    ];
    for (short, text, ..) in &cases {
        let file = real.write(&format!("{short}.txt"), text);
        real.create_with(&real.name(short), &["-r", file.to_str().unwrap()]).code(0);
    }
    for (short, _, reason, hint) in &cases {
        let ended = real.run(&["image", "wait", &real.name(short), "--json"]).code(1).json();
        assert_eq!((&ended["outcome"], &ended["reason"]), (&json!("failed"), &json!(reason)), "{client:?} {short}");
        let said = ended["hint"].as_str().unwrap();
        assert!(said.contains(hint), "{client:?} {short}: {said}");
    }
}

const DATEUTIL: &str = "a8b2bc7bffae282281c8140a97d3aa9c14da0b136dfe83f850eea9a5f7470427";

#[test]
fn a_failure_names_the_package_with_the_legacy_builder() {
    a_failure_names_the_package_with(Client::Legacy);
}

#[test]
fn a_failure_names_the_package_with_the_buildkit_of_an_old_client() {
    a_failure_names_the_package_with(Client::BuildkitOld);
}

#[test]
fn a_failure_names_the_package_with_buildx() {
    a_failure_names_the_package_with(Client::Buildx);
}

/// `--if-changed` builds again when the recipe or the base image is another one, and only then.
fn an_image_is_built_again_when_it_has_to_be_with(client: Client) {
    let real = Real::with(client);
    let (name, base, label) = (real.name("ensured"), real.own_base(), real.label());
    let ensure = |flags: &[&str]| {
        let args = ["image", "create", &name, "--base", &base, "--label", &label, "--if-changed", "--wait", "--json"];
        let answer = real.run(&[&args[..], flags].concat()).code(0).json();
        (answer["id"].as_str().unwrap().to_owned(), answer["upToDate"] == true)
    };
    let image = || real.docker_says(&["image", "inspect", "--format", "{{.Id}}", &name]);
    let command = format!("echo {} >/made", client.name());
    let first = ensure(&["--run", &command]);
    assert_eq!(ensure(&["--run", &command]), (first.0.clone(), true), "{client:?}");
    let before = image();
    let second = ensure(&["--run", "true"]);
    assert!(!second.1 && second.0 != first.0 && image() != before, "{client:?}");
    assert_eq!(ensure(&["--run", "true"]), (second.0.clone(), true), "{client:?}");
    let changed = format!("FROM {}\nLABEL {label}\nLABEL changed={}\n", Real::base(), client.name());
    assert_eq!(real.image("base", &changed), base);
    let third = ensure(&["--run", "true"]);
    assert!(!third.1 && third.0 != second.0, "{client:?}");
    assert_eq!(ensure(&["--run", "true"]), (third.0, true), "{client:?}");
}

#[test]
fn an_image_is_built_again_when_it_has_to_be_with_the_legacy_builder() {
    an_image_is_built_again_when_it_has_to_be_with(Client::Legacy);
}

#[test]
fn an_image_is_built_again_when_it_has_to_be_with_the_buildkit_of_an_old_client() {
    an_image_is_built_again_when_it_has_to_be_with(Client::BuildkitOld);
}

#[test]
fn an_image_is_built_again_when_it_has_to_be_with_buildx() {
    an_image_is_built_again_when_it_has_to_be_with(Client::Buildx);
}
