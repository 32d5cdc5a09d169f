//! A recipe that grows: the layers of the last image are reused, and the packages are those of a build from nothing.

use serde_json::{Value, json};

use super::lines;
use crate::support::real::{Client, Real};

const NOTE: &str = "note: the image is built from nothing, because packages could not be added to its layers";

/// What is installed in an image: `pip list` and `dpkg -l`.
fn packages(real: &Real, short: &str) -> (String, String) {
    let script = "python3 -m pip list --disable-pip-version-check; echo ---; dpkg -l";
    let said = real.docker_says(&["run", "--rm", &real.name(short), "sh", "-c", script]);
    let (pip, dpkg) = said.split_once("\n---\n").unwrap();
    (pip.to_owned(), dpkg.to_owned())
}

/// The layers of an image without the last one, which has only the working directory.
fn layers(real: &Real, short: &str) -> Vec<String> {
    let said = real.docker_says(&["image", "inspect", "--format", "{{json .RootFS.Layers}}", &real.name(short)]);
    let mut layers: Vec<String> = serde_json::from_str(&said).unwrap();
    layers.pop();
    layers
}

/// The packages of each step, as the label of an image says.
fn steps(real: &Real, short: &str) -> Value {
    let format = r#"{{index .Config.Labels "longshore.steps"}}"#;
    let label = real.docker_says(&["image", "inspect", "--format", format, &real.name(short)]);
    serde_json::from_str::<Value>(&label).unwrap()["steps"].take()
}

fn is_anew(status: &Value) -> bool {
    lines(status).contains(&NOTE)
}

impl Real {
    /// An image of this base grows by packages of pip, of apt and of both.
    fn an_image_grows(&self, base: &str) {
        let mut before: Option<Vec<String>> = None;
        let mut flags = Vec::new();
        for (apt, pip) in [
            ("jq", "requests==2.31.0 idna<3.8"),
            ("jq", "requests==2.31.0 idna<3.8 attrs==23.1.0"),
            ("jq tree", "requests==2.31.0 idna<3.8 attrs==23.1.0"),
            ("jq tree less", "requests==2.31.0 idna<3.8 attrs==23.1.0 six"),
            ("jq tree less", "requests==2.31.0 idna<3.8 attrs==23.1.0 six iniconfig"),
        ] {
            flags = vec!["--apt", apt, "--pip", pip, "--run", "echo done"];
            let status = self.built("grown", base, &flags);
            assert!(!is_anew(&status), "{status:#}");
            let mut now = layers(self, "grown");
            now.pop(); // that of the commands
            if let Some(before) = &before {
                assert!(now.len() == before.len() + 1 && now.starts_with(before), "{before:?} {now:?}");
            }
            before = Some(now);
        }
        let expected = json!([
            {"apt": ["jq"], "pip": ["idna<3.8", "requests==2.31.0"]}, {"apt": [], "pip": ["attrs==23.1.0"]},
            {"apt": ["tree"], "pip": []}, {"apt": ["less"], "pip": ["six"]}, {"apt": [], "pip": ["iniconfig"]},
        ]);
        assert_eq!(steps(self, "grown"), expected);
        let grown = packages(self, "grown");
        self.built("nothing", base, &flags);
        assert_eq!(grown, packages(self, "nothing"));
        assert!(grown.0.contains("attrs") && grown.1.contains(" tree "), "{grown:?}");

        let many = layers(self, "grown").len();
        self.built("grown", base, &[&flags[..], &["--squash"]].concat());
        assert_eq!((layers(self, "grown").len() + 4, steps(self, "grown").as_array().unwrap().len()), (many, 1));
        assert_eq!(grown, packages(self, "grown"));
    }
}

#[test]
fn an_image_with_debians_python_grows_to_that_of_a_build_from_nothing() {
    let real = Real::with(Client::Buildx);
    let base = real.own_base();
    real.an_image_grows(&base);
}

#[test]
fn an_image_with_python_under_usr_local_grows_to_that_of_a_build_from_nothing() {
    let real = Real::with(Client::BuildkitOld);
    let base = real.local_python();
    real.an_image_grows(&base);
}

#[test]
fn what_a_build_from_nothing_would_install_otherwise_is_built_from_nothing() {
    let real = Real::with(Client::Buildx);
    let base = real.own_base();
    real.built("one", &base, &["--pip", "requests==2.31.0"]);
    let before = layers(&real, "one");
    let flags = ["--pip", "requests==2.31.0 urllib3<2"];
    let status = real.built("one", &base, &flags);
    assert!(is_anew(&status) && !layers(&real, "one").starts_with(&before), "{status:#}");
    let why = "note: the packages are not added to those of the last image: urllib3 2.";
    assert!(lines(&status).iter().any(|line| line.contains(why)), "{status:#}");
    assert_eq!(steps(&real, "one"), json!([{"apt": [], "pip": ["requests==2.31.0", "urllib3<2"]}]));
    real.built("other", &base, &flags);
    assert_eq!(packages(&real, "one"), packages(&real, "other"));

    // A recipe that has other packages has not grown.
    let status = real.built("one", &base, &["--pip", "requests==2.31.0 attrs"]);
    assert!(!is_anew(&status), "{status:#}");
    assert_eq!(steps(&real, "one"), json!([{"apt": [], "pip": ["attrs", "requests==2.31.0"]}]));
}

/// pip would find the package of apt's, and would not install it a second time.
#[test]
fn apts_packages_of_python_are_installed_before_those_of_pip() {
    let real = Real::with(Client::BuildkitOld);
    let base = real.own_base();
    real.built("one", &base, &["--pip", "idna"]);
    let flags = ["--pip", "idna", "--apt", "python3-six"];
    let status = real.built("one", &base, &flags);
    let said = lines(&status).join("\n");
    assert!(is_anew(&status) && said.contains("has files of Python, which are there before pip"), "{said}");
    real.built("other", &base, &flags);
    assert_eq!(packages(&real, "one"), packages(&real, "other"));
}

/// `bsd-mailx` needs a mail server, and apt chooses exim4. With `msmtp-mta` that is not needed, and both exclude each other.
#[test]
fn what_apt_would_not_choose_from_nothing_is_not_kept() {
    let real = Real::with(Client::Buildx);
    let base = real.own_base();
    real.built("one", &base, &["--apt", "bsd-mailx"]);
    let flags = ["--apt", "bsd-mailx msmtp-mta"];
    let status = real.built("one", &base, &flags);
    let said = lines(&status).join("\n");
    assert!(is_anew(&status) && said.contains("note: a build from nothing would not install "), "{said}");
    real.built("other", &base, &flags);
    let found = packages(&real, "one");
    assert_eq!(found, packages(&real, "other"));
    assert!(found.1.contains("msmtp-mta") && !found.1.contains("exim4"), "{}", found.1);
}

#[test]
fn a_package_that_does_not_exist_fails_as_in_a_build_from_nothing() {
    let real = Real::with(Client::Buildx);
    let base = real.own_base();
    real.built("one", &base, &["--pip", "idna", "--apt", "tree"]);
    let (name, label) = (real.name("one"), real.label());
    for (flags, reason) in [
        (["--apt", "tree", "--pip", "idna nosuch-package-zzz"], "pip found no package \"nosuch-package-zzz\""),
        (["--pip", "idna", "--apt", "tree nosuch-zzz"], "apt has no package \"nosuch-zzz\""),
    ] {
        let ca = crate::support::real::host_ca();
        let ca: Vec<&str> = ca.iter().flat_map(|path| ["--ca-cert", path.to_str().unwrap()]).collect();
        let create = ["image", "create", &name, "--base", &base, "--label", &label, "--wait", "--json"];
        let ended = real.run(&[&create[..], &ca, &flags].concat()).code(1).json();
        assert_eq!(ended["reason"], reason, "{ended:#}");
        let status = real.run(&["image", "status", &name, "--json"]).code(0).json();
        assert!(is_anew(&status), "{status:#}");
    }
}

#[test]
fn the_legacy_builder_installs_all_packages_again() {
    let real = Real::with(Client::Legacy);
    let base = real.own_base();
    real.built("one", &base, &["--pip", "idna<3.8"]);
    let before = layers(&real, "one");
    let status = real.built("one", &base, &["--pip", "idna<3.8 six"]);
    assert!(!is_anew(&status) && layers(&real, "one").len() == before.len(), "{status:#}");
    let labels = real.docker_says(&["image", "inspect", "--format", "{{json .Config.Labels}}", &real.name("one")]);
    assert!(!labels.contains("longshore.steps"), "{labels}");
}
