//! Builds that install their packages with the real uv: the image has what pip would have installed.

use serde_json::{Value, json};

use super::lines;
use crate::support::real::{Client, Real, host_ca};

/// Packages with versions that do not change any more, as far as a test reads them; a constraint chooses an older one.
const PACKAGES: &str = "requests==2.31.0 jinja2 python-dateutil<2.9.1 pyyaml colorama;os_name=='nt'";
const CONSTRAINTS: &str = "urllib3<2\n";

/// Run by a user that has no rights: what `pip list` and `pip check` say, who installed a package, and what is in the image
/// that should not be there.
const LOOK: &str = r#"
import importlib.metadata, importlib.util, json, os, subprocess, sys
import requests, yaml, jinja2, dateutil
pip = lambda *words: subprocess.run([sys.executable, "-m", "pip", *words], stdout=subprocess.PIPE, check=True).stdout
site = os.path.dirname(os.path.dirname(requests.__file__))
files = [os.path.join(top, name) for top, _, names in os.walk(site) for name in names]
left = [os.path.join(top, name) for top, _, names in os.walk("/") for name in names
        if name in ("uv", "uvx", "uv.py", "uv.txt") or name.startswith("uv-")]
print(json.dumps({
    "packages": json.loads(pip("list", "--format", "json", "--disable-pip-version-check")),
    "check": pip("check").decode(),
    "installer": importlib.metadata.distribution("requests").read_text("INSTALLER").strip(),
    "compiled": os.path.exists(importlib.util.cache_from_source(requests.__file__)),
    "unreadable": [path for path in files if not os.access(path, os.R_OK)],
    "left": left + os.listdir("/tmp"),
}))
"#;

impl Real {
    /// Builds an image of this base with these flags, and waits.
    pub fn built(&self, short: &str, base: &str, flags: &[&str]) -> Value {
        let (name, label, ca) = (self.name(short), self.label(), host_ca());
        let ca: Vec<&str> = ca.iter().flat_map(|path| ["--ca-cert", path.to_str().unwrap()]).collect();
        let create = ["image", "create", &name, "--base", base, "--label", &label, "--wait", "--json"];
        let ran = self.run(&[&create, &ca[..], flags].concat());
        let status = self.run(&["image", "status", &name, "--json"]).code(0).json();
        assert_eq!(ran.code, 0, "{status:#}");
        status
    }

    /// A base image with Python under /usr/local, as the official images of Python. It is a new one, so its caches are empty.
    pub fn local_python(&self) -> String {
        let dockerfile = format!(
            "FROM {}\nLABEL {}\nRUN python3 -m venv --without-pip --copies /usr/local && cd /usr/lib/python3/dist-packages \
             && cp -r pip pip-*.dist-info /usr/local/lib/python3.*/site-packages/\n",
            Self::base(),
            self.label()
        );
        self.image("local", &dockerfile)
    }

    /// What [`LOOK`] finds in an image.
    fn look(&self, short: &str) -> Value {
        let said =
            self.docker_says(&["run", "--rm", "--user", "12345:12345", &self.name(short), "python3", "-c", LOOK]);
        serde_json::from_str(&said).unwrap()
    }

    /// The version of a package that pip sees in an image.
    fn version(&self, short: &str, package: &str) -> String {
        let script = format!("import importlib.metadata as it; print(it.version('{package}'))");
        self.docker_says(&["run", "--rm", &self.name(short), "python3", "-c", &script])
    }

    /// Images of one recipe, made by uv and by pip, with and without bytecode.
    fn uv_and_pip_install_the_same(&self, base: &str) {
        let constraints = self.write("limits.txt", CONSTRAINTS);
        let constraints = constraints.to_str().unwrap();
        let mut seen = Vec::new();
        for (short, installer, compiled) in [("uv", "uv", true), ("bare", "uv", false), ("pip", "pip", true)] {
            let mut flags = vec!["--pip", PACKAGES, "--constraints", constraints, "--installer", installer];
            flags.extend((!compiled).then_some("--no-compile"));
            let status = self.built(short, base, &flags);
            let look = self.look(short);
            let (expected, nothing) = (json!(compiled), json!([]));
            assert_eq!((&look["installer"], &look["compiled"]), (&json!(installer), &expected), "{short}: {status:#}");
            assert_eq!((&look["unreadable"], &look["left"]), (&nothing, &nothing), "{short}");
            assert_eq!(look["check"], "No broken requirements found.\n", "{short}");
            seen.push(look["packages"].clone());
        }
        assert!(seen[0].as_array().unwrap().iter().any(|package| package["name"] == "requests"), "{:#}", seen[0]);
        assert_eq!((&seen[0], &seen[1]), (&seen[2], &seen[2]));
    }
}

fn says(status: &Value, text: &str) -> bool {
    lines(status).iter().any(|line| line.contains(text))
}

#[test]
fn uv_and_pip_install_the_same_into_debians_python() {
    let real = Real::with(Client::Buildx);
    real.uv_and_pip_install_the_same(&Real::base());
}

#[test]
fn uv_and_pip_install_the_same_under_usr_local_and_builds_share_an_empty_cache() {
    let real = Real::with(Client::BuildkitOld);
    let base = real.local_python();
    let downloads = std::thread::scope(|scope| {
        let build = |short, package| {
            let (real, base) = (&real, &base);
            scope.spawn(move || real.built(short, base, &["--pip", package, "--installer", "uv"]))
        };
        let builds = [build("one", "six"), build("two", "idna")].map(|build| build.join().unwrap());
        builds.iter().filter(|status| says(status, "is downloaded to the cache of the build")).count()
    });
    assert!(downloads > 0);
    let third = real.built("three", &base, &["--pip", "six idna", "--installer", "uv"]);
    assert!(says(&third, "Installed 2 packages") && !says(&third, "is downloaded"), "{third:#}");
    real.uv_and_pip_install_the_same(&base);
}

/// A package of apt's, which uv does not see, and a setting of the base image, which uv does not have.
#[test]
fn what_uv_cannot_install_as_pip_would_is_installed_by_pip() {
    let real = Real::with(Client::Buildx);
    let note = "note: pip installs the packages";
    // The log of a step that was cached by an earlier build says nothing.
    let base = real.own_base();
    let debians = real.docker_says(&["run", "--rm", &base, "python3", "-m", "pip", "show", "setuptools"]);
    let debians = debians.lines().find_map(|line| line.strip_prefix("Version: ")).unwrap();
    let status = real.built("apts", &base, &["--pip", "setuptools idna"]);
    assert!(
        says(&status, note) && says(&status, "note: uv is not used: the base image has 'setuptools' in"),
        "{status:#}"
    );
    assert_eq!(real.version("apts", "setuptools"), debians);

    let binary =
        real.image("binary", &format!("FROM {}\nLABEL {}\nENV PIP_PREFER_BINARY=1\n", Real::base(), real.label()));
    let status = real.built("setting", &binary, &["--pip", "idna"]);
    let refusal =
        "note: uv is not used: the base image has the setting 'prefer-binary' for pip, which uv does not have";
    assert!(says(&status, note) && says(&status, refusal), "{status:#}");

    let status = real.built("quick", &base, &["--pip", "idna"]);
    assert!(says(&status, "Installed 1 package") && !says(&status, "note: "), "{status:#}");
}

#[test]
fn a_build_that_fails_with_uv_says_why() {
    let real = Real::with(Client::Buildx);
    let one = "ENV PIP_CERT=/one.pem\nRUN sed '/END CERT/q' /etc/ssl/certs/ca-certificates.crt >/one.pem\n";
    let distrustful = real.image("one", &format!("FROM {}\nLABEL {}\n{one}", Real::base(), real.label()));
    let hash = real.write("hash.txt", format!("six==1.16.0 --hash=sha256:{}\n", "0".repeat(64)));
    let index = "http://127.0.0.1:9/simple";
    let ca = host_ca().map(|path| path.to_str().unwrap().to_owned());
    let (base, ca) = (Real::base(), ca.as_deref().map_or_else(Vec::new, |path| vec!["--ca-cert", path]));
    // uv is in the cache, so what fails is uv.
    real.built("ready", &base, &["--pip", "idna", "--installer", "uv"]);
    let cases = [
        (
            "unknown",
            &base,
            &ca,
            vec!["--pip", "six nosuch-zzz"],
            "uv found no package \"nosuch-zzz\"",
            "check the name",
        ),
        (
            "mismatch",
            &base,
            &ca,
            vec!["-r", hash.to_str().unwrap()],
            "the archive of \"six==1.16.0\" does not have the hash that was asked for: it has \
             8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254",
            "find out why it changed",
        ),
        (
            "elsewhere",
            &base,
            &ca,
            vec!["--pip", "setuptools"],
            "uv cannot be used: the base image has 'setuptools' in a directory that uv does not look into",
            "--installer auto",
        ),
        (
            "network",
            &base,
            &vec![],
            vec!["--pip", "six", "--pip-index-url", index],
            "uv could not reach 127.0.0.1:9: Connection refused",
            "--pip-index-url",
        ),
    ];
    let label = real.label();
    for (short, base, ca, flags, ..) in &cases {
        let name = real.name(short);
        let create = ["image", "create", &name, "--base", base, "--label", &label, "--installer", "uv"];
        real.run(&[&create, &ca[..], flags].concat()).code(0);
    }
    for (short, .., reason, hint) in &cases {
        let ended = real.run(&["image", "wait", &real.name(short), "--json"]).code(1).json();
        let log = real.run(&["image", "logs", &real.name(short)]).stdout;
        assert_eq!(ended["reason"], *reason, "{short}: {log}");
        assert!(ended["hint"].as_str().unwrap().contains(hint), "{short}: {ended:#}");
    }
    // Its cache is empty, and pip, which downloads uv, does not trust the index either.
    let name = real.name("distrust");
    let create =
        ["image", "create", &name, "--base", &distrustful, "--label", &label, "--installer", "uv", "--pip", "six"];
    let ended = real.run(&[&create[..], &["--wait", "--json"]].concat()).code(1).json();
    assert!(ended["reason"].as_str().unwrap().starts_with("pip does not trust the certificate of "), "{ended:#}");
}
