//! What an image is made of, and how that becomes the context of a build.
//!
//! Everything here is pure. The Dockerfile holds nothing of the user's but the base image's validated
//! reference: package lists, commands and certificates are files of the context, which the one
//! constant script `recipe/step.sh` reads as data inside the build. On BuildKit those files are mounts
//! under `/dev`, a tmpfs of the container, so not even a mount point of them stays in the image.

mod network;

use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::names::{AptPackage, ImageName, ImageRef, Invalid, PipRequirement};
pub use network::{CaCert, HttpUrl};

const STEP_SH: &[u8] = include_bytes!("recipe/step.sh");

/// A recipe as it was asked for: the body of the web API's `POST /api/image/create`, with our own optional
/// keys beside its six. Nothing in it has been checked. Unknown keys are passed over; [`Spec::KEYS`] tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Spec {
    /// Name (tag) of the image to make.
    pub name: String,
    /// Tag of the image to start from.
    pub base_image: String,
    /// Whether to upgrade the base image's own packages.
    pub update: bool,
    /// Packages for `apt install`, separated by blanks.
    pub apt_install: String,
    /// Requirements for `pip install`, separated by blanks.
    pub pip_install: String,
    /// Shell commands to run after the packages, separated by newlines.
    pub additional_command: String,
    /// A PEM file with certificates to trust, in the build and in the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_cert: Option<PathBuf>,
    /// The package index that pip uses in the build instead of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pip_index_url: Option<String>,
    /// The server that apt uses in the build instead of those of Debian or Ubuntu.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apt_mirror: Option<String>,
    /// Whether apt installs recommended packages too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recommends: bool,
}

impl Spec {
    /// Every key that a recipe may have, as it is spelled in JSON.
    pub const KEYS: [&str; 10] = [
        "name",
        "baseImage",
        "update",
        "aptInstall",
        "pipInstall",
        "additionalCommand",
        "caCert",
        "pipIndexUrl",
        "aptMirror",
        "recommends",
    ];
}

/// What an image is made of. Each field holds a valid value or none.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The image to make. It is not part of the build itself.
    pub name: ImageName,
    /// The image to start from.
    pub base: ImageRef,
    /// Whether to upgrade the base image's own packages.
    pub update: bool,
    /// Packages for apt; order and repetition mean nothing.
    pub apt: Vec<AptPackage>,
    /// Requirements for pip; order and repetition mean nothing.
    pub pip: Vec<PipRequirement>,
    /// Shell text, run as one script by `sh -e` in `/`. May be empty.
    pub commands: String,
    /// Certificates to trust, in the build and in the image.
    pub ca_cert: Option<CaCert>,
    /// The index that pip uses in the build and the commands. The image keeps nothing of it.
    pub pip_index_url: Option<HttpUrl>,
    /// The server that takes the place of `http://deb.debian.org` and its like in the apt step. The image
    /// keeps its own sources.
    pub apt_mirror: Option<HttpUrl>,
    /// Whether apt installs recommended packages too.
    pub recommends: bool,
}

/// The two kinds of builder that docker has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builder {
    /// buildx, or a client before 23 with `DOCKER_BUILDKIT=1`.
    BuildKit,
    /// The classic builder, which knows neither mounts nor secrets.
    Legacy,
}

/// The files of a build's context, all in one directory. They must be readable by everybody there, for
/// a base image may have a user of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The text of `Dockerfile`.
    pub dockerfile: String,
    /// The other files: name, contents.
    pub files: Vec<(&'static str, Vec<u8>)>,
}

impl Context {
    /// Every file to write, `Dockerfile` among them.
    pub fn entries(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let dockerfile = ("Dockerfile", self.dockerfile.as_bytes());
        std::iter::once(dockerfile).chain(self.files.iter().map(|(name, contents)| (*name, contents.as_slice())))
    }
}

impl Recipe {
    /// Checks what was asked for. `ca_cert` is what the file that `spec.ca_cert` names holds.
    ///
    /// # Errors
    /// [`Invalid`] for the first field that does not keep to its grammar.
    pub fn new(spec: &Spec, ca_cert: Option<CaCert>) -> Result<Self> {
        let base = ImageRef::parse(&spec.base_image)?;
        if base.is_id() {
            let invalid = Invalid::new("base image", base.as_str(), "an image id cannot be built upon");
            return Err(invalid.with_hint("give the image a tag, and use that").into());
        }
        if spec.additional_command.contains('\0') {
            return Err(Invalid::new("commands", &spec.additional_command, "a NUL is not allowed in them").into());
        }
        Ok(Self {
            name: ImageName::parse(&spec.name)?,
            base,
            update: spec.update,
            apt: AptPackage::parse_list(&spec.apt_install)?,
            pip: PipRequirement::parse_list(&spec.pip_install)?,
            commands: spec.additional_command.clone(),
            ca_cert,
            pip_index_url: spec.pip_index_url.as_deref().map(HttpUrl::parse).transpose()?,
            apt_mirror: spec.apt_mirror.as_deref().map(HttpUrl::parse).transpose()?,
            recommends: spec.recommends,
        })
    }

    /// The context that builds this recipe. `week` (like `2026-W47`) says how long an upgrade may come from
    /// the build cache: as long as it is the same. It changes nothing where `update` is not asked for.
    #[must_use]
    pub fn render(&self, builder: Builder, week: &str) -> Context {
        let steps = self.steps(week);
        let mut dockerfile = format!("FROM {}\n{}\n", self.base.as_str(), self.environment());
        for step in &steps {
            dockerfile += &match builder {
                Builder::BuildKit => step.mounted(self.base.as_str()),
                Builder::Legacy => step.copied(),
            };
        }
        dockerfile += "WORKDIR /app\n";

        let mut files: Vec<(&'static str, Vec<u8>)> = Vec::new();
        for (name, contents) in steps.into_iter().flat_map(|step| step.files) {
            if files.iter().all(|(known, _)| *known != name) {
                files.push((name, contents));
            }
        }
        Context { dockerfile, files }
    }

    /// SHA-256, in hexadecimal, of what the image is made of. It is the same for recipes that differ only in
    /// the image's name or in the order of packages, and stays the same from one version to the next.
    #[must_use]
    pub fn digest(&self) -> String {
        let flag = |on: bool| if on { "1" } else { "0" };
        let url = |url: &Option<HttpUrl>| url.as_ref().map_or("", HttpUrl::as_str).to_owned();
        let ca_cert = self.ca_cert.as_ref().map_or("", CaCert::as_pem);
        let fields = [
            ("base", self.base.as_str()),
            ("update", flag(self.update)),
            ("apt", &lines(self.apt.iter().map(AptPackage::as_str))),
            ("pip", &lines(self.pip.iter().map(PipRequirement::as_str))),
            ("commands", &self.commands),
            ("caCert", ca_cert),
            ("pipIndexUrl", &url(&self.pip_index_url)),
            ("aptMirror", &url(&self.apt_mirror)),
            ("recommends", flag(self.recommends)),
        ];
        let mut hash = Sha256::new();
        for (key, value) in fields {
            hash.update(format!("{key} {}\n{value}\n", value.len()));
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// One instruction, before the steps: on the legacy builder every instruction, even this, costs a commit.
    fn environment(&self) -> String {
        let mut line = "ENV PYTHONUNBUFFERED=1".to_owned();
        if self.ca_cert.is_some() {
            for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE"] {
                line += &format!(" {name}=/etc/ssl/certs/ca-certificates.crt");
            }
        }
        line
    }

    /// The steps that have something to do. The certificates go with the first of them.
    fn steps(&self, week: &str) -> Vec<Step> {
        let mut steps: Vec<Step> =
            [self.apt_step(week), self.pip_step(), self.commands_step()].into_iter().flatten().collect();
        if let Some(ca_cert) = &self.ca_cert {
            if steps.is_empty() {
                steps.push(Step::default());
            }
            steps[0].words.insert(0, "ca");
            steps[0].files.push(("ca.pem", ca_cert.as_pem().into()));
        }
        for step in &mut steps {
            step.files.insert(0, ("step.sh", STEP_SH.into()));
        }
        steps
    }

    fn apt_step(&self, week: &str) -> Option<Step> {
        if !self.update && self.apt.is_empty() {
            return None;
        }
        let mut step = Step { caches: &[Cache::AptArchives, Cache::AptLists], ..Step::default() };
        if self.update {
            step.files.push(("update.txt", format!("{week}\n").into()));
        }
        if !self.apt.is_empty() {
            step.files.push(("apt.txt", lines(self.apt.iter().map(AptPackage::as_str)).into()));
        }
        if let Some(mirror) = &self.apt_mirror {
            step.files.push(("apt-mirror.txt", format!("{}\n", archive_root(mirror)).into()));
        }
        if self.recommends {
            step.words.push("recommends");
        }
        step.words.push("apt");
        Some(step)
    }

    fn pip_step(&self) -> Option<Step> {
        if self.pip.is_empty() {
            return None;
        }
        let requirements = lines(self.pip.iter().map(PipRequirement::as_str));
        let mut step = Step { words: vec!["pip"], caches: &[Cache::Pip], ..Step::default() };
        step.files.push(("requirements.txt", requirements.into()));
        step.files.extend(self.index_file());
        Some(step)
    }

    fn commands_step(&self) -> Option<Step> {
        if self.commands.trim().is_empty() {
            return None;
        }
        let mut step = Step { words: vec!["commands"], caches: &[Cache::Pip], ..Step::default() };
        step.files.push(("commands.sh", format!("{}\n", self.commands).into()));
        step.files.extend(self.index_file());
        Some(step)
    }

    fn index_file(&self) -> Option<(&'static str, Vec<u8>)> {
        self.pip_index_url.as_ref().map(|url| ("pip-index-url.txt", format!("{}\n", url.as_str()).into()))
    }
}

/// One `RUN` of `step.sh`: what it has to do, what it reads, what it keeps between builds.
#[derive(Default)]
struct Step {
    words: Vec<&'static str>,
    files: Vec<(&'static str, Vec<u8>)>,
    caches: &'static [Cache],
}

#[derive(Clone, Copy)]
enum Cache {
    AptArchives,
    AptLists,
    Pip,
}

impl Cache {
    /// The options of the mount. Each holds the base image, so that releases never share package lists,
    /// nor glibc and musl the wheels that pip built for itself. A reference has no comma in it.
    fn mount(self, base: &str) -> String {
        match self {
            Cache::AptArchives => format!("id=longshore-debs-{base},target=/var/cache/apt,sharing=locked"),
            Cache::AptLists => format!("id=longshore-lists-{base},target=/var/lib/apt/lists,sharing=locked"),
            Cache::Pip => format!("id=longshore-pip-{base},target=/dev/longshore/pip-cache"),
        }
    }
}

impl Step {
    fn mounted(&self, base: &str) -> String {
        let mut run = "RUN".to_owned();
        for (name, _) in &self.files {
            run += &format!(" --mount=type=bind,source={name},target=/dev/longshore/{name} \\\n   ");
        }
        for cache in self.caches {
            run += &format!(" --mount=type=cache,{} \\\n   ", cache.mount(base));
        }
        run + &format!(" {}\n", self.program("/dev/longshore", "mounted"))
    }

    fn copied(&self) -> String {
        let names: Vec<&str> = self.files.iter().map(|(name, _)| *name).collect();
        format!("COPY {} /.longshore/\nRUN {}\n", names.join(" "), self.program("/.longshore", "copied"))
    }

    /// As a list: the shell form would run under whatever `SHELL` the base image has set.
    fn program(&self, directory: &str, how: &str) -> String {
        format!(r#"["sh", "{directory}/step.sh", "{how}", "{}"]"#, self.words.join(r#"", ""#))
    }
}

/// Sorted and without repetition, so that only a real change misses the build cache.
fn lines<'a>(entries: impl Iterator<Item = &'a str>) -> String {
    let mut entries: Vec<&str> = entries.collect();
    entries.sort_unstable();
    entries.dedup();
    entries.iter().map(|entry| format!("{entry}\n")).collect()
}

/// What stands before `/debian` or `/ubuntu`: mirrors are written with and without it.
fn archive_root(mirror: &HttpUrl) -> &str {
    let url = mirror.as_str().trim_end_matches('/');
    url.strip_suffix("/debian").or_else(|| url.strip_suffix("/ubuntu")).unwrap_or(url)
}
