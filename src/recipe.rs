//! What an image is made of, and the build context that is made from it. Pure.
//!
//! The Dockerfile contains one value from the user: the checked reference of the base image. Package lists, commands
//! and certificates are files of the context. The constant script `recipe/step.sh` reads them as data during the build.
//! With BuildKit these files are mounted under `/dev`, which is a tmpfs of the container, so that not even a mount
//! point remains in the image.

pub mod apt_file;
mod ca_cert;
pub mod failure;
pub mod growth;
mod instruction;
mod made_of;
pub mod pyproject;
mod requirements;
mod source;
pub mod steps;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use sha2::{Digest, Sha256};

use crate::error::{Failure, Kind};
use crate::names::{
    AptPackage, Commands, HttpUrl, ImageName, ImageRef, Installer, Invalid, Packages, PipRequirement, RequirementLines,
};
use crate::spec::{RecipeSpec, Required, missing};
pub use ca_cert::CaCert;
use growth::Steps;
use instruction::{Cache, File, Step};
pub use made_of::{Base, MadeOf};
pub use requirements::{Reader, Requirements, Role};
pub use source::{Place, Source};

const STEP_SH: &[u8] = include_bytes!("recipe/step.sh");
const UV_PY: &[u8] = include_bytes!("recipe/uv.py");
const BYTECODE_PY: &[u8] = include_bytes!("recipe/bytecode.py");
const UV_TXT: &[u8] = include_bytes!("recipe/uv.txt");
/// The most bytes of requirements, and of constraints, as JSON.
const MOST_REQUIREMENTS: usize = 3 << 19;

/// What an image is made of. All values are checked.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The image to make. It is not part of the build itself.
    pub name: ImageName,
    /// The image to start from.
    pub base: ImageRef,
    /// Whether to upgrade the base image's own packages.
    pub update: bool,
    /// Packages for apt; order and duplicates have no effect.
    pub apt: Vec<AptPackage>,
    /// Requirements for pip; order and duplicates have no effect.
    pub pip: Vec<PipRequirement>,
    /// What requirements files ask for, in addition to `pip`.
    pub requirements: Requirements,
    /// Shell text, run as one script by `sh -e` in `/`. May be empty.
    pub commands: String,
    /// Certificates to trust, in the build and in the image.
    pub ca_cert: Option<CaCert>,
    /// The index that pip uses in the build and the commands. It is not stored in the image.
    pub pip_index_url: Option<HttpUrl>,
    /// What installs the packages of pip.
    pub installer: Installer,
    /// Whether the packages of pip are compiled to bytecode.
    pub compile: bool,
    /// The server that replaces the distribution's archives in the apt step. The image keeps its own sources.
    pub apt_mirror: Option<HttpUrl>,
    /// Whether apt installs recommended packages too.
    pub recommends: bool,
}

/// The two kinds of builder that docker has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// buildx, or a client before 23 with `DOCKER_BUILDKIT=1`.
    BuildKit,
    /// The legacy builder, which has neither mounts nor secrets.
    Legacy,
}

/// The files of a build's context, all in one directory. Every user must be able to read them, because a base image may
/// have its own user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The text of `Dockerfile`.
    pub dockerfile: String,
    /// The other files: name, contents.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Context {
    /// Every file to write, `Dockerfile` among them.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let dockerfile = ("Dockerfile", self.dockerfile.as_bytes());
        std::iter::once(dockerfile)
            .chain(self.files.iter().map(|(name, contents)| (name.as_str(), contents.as_slice())))
    }
}

impl Recipe {
    /// The recipe for a spec. `ca_cert` is the content of the file that `spec.ca_cert` names.
    ///
    /// # Errors
    /// When the name or the base image is missing, or the base image is an id; for a line of the requirements or
    /// of the `pyproject.toml` that a recipe cannot take.
    pub fn new(spec: &RecipeSpec, ca_cert: Option<CaCert>) -> Result<Self> {
        let (Some(name), Some(base)) = (spec.name.clone(), spec.base_image.clone()) else {
            return Err(missing(&[
                Required { flag: "NAME", key: "name", is_given: spec.name.is_some() },
                Required { flag: "--base IMAGE", key: "baseImage", is_given: spec.base_image.is_some() },
            ])
            .into());
        };
        if base.is_id() {
            let invalid = Invalid::new("base image", base.as_str(), "an image id cannot be the base of a build");
            return Err(invalid.with_hint("give the image a tag, and use that").into());
        }
        let pip = [all(&spec.pip_install), pyproject::of_spec(spec)?].concat();
        let requirements = requirements(spec)?;
        requirements.check_hashes(&pip)?;
        Ok(Self {
            name,
            base,
            update: spec.update,
            apt: all(&spec.apt_install),
            pip,
            requirements,
            commands: spec.additional_command.iter().map(Commands::as_str).collect::<Vec<_>>().join("\n"),
            ca_cert,
            pip_index_url: spec.pip_index_url.clone(),
            installer: spec.installer.unwrap_or_default(),
            compile: !spec.no_compile,
            apt_mirror: spec.apt_mirror.clone(),
            recommends: spec.recommends,
        })
    }

    /// Refuses what this builder cannot do.
    ///
    /// # Errors
    /// When uv is asked for and the builder has no cache for it.
    pub fn check(&self, dialect: Dialect) -> Result<(), Failure> {
        if (self.installer, dialect) != (Installer::Uv, Dialect::Legacy) {
            return Ok(());
        }
        let failure = Failure::new(Kind::Failed, "uv needs BuildKit, and docker has only the legacy builder");
        Err(failure.hint("install the buildx plugin of docker, or use --installer auto, which then takes pip"))
    }

    /// Whether packages are installed, with apt or pip.
    #[must_use]
    pub fn has_packages(&self) -> bool {
        !self.apt.is_empty() || self.has_pip()
    }

    fn has_pip(&self) -> bool {
        !(self.pip.is_empty() && self.requirements.is_empty())
    }

    /// What this builder would take first to install the packages of pip, if there are any and it can do so.
    #[must_use]
    pub fn installer_with(&self, dialect: Dialect) -> Option<Installer> {
        let installer = match (self.installer, dialect) {
            (Installer::Uv, Dialect::Legacy) => None,
            (Installer::Pip, _) | (_, Dialect::Legacy) => Some(Installer::Pip),
            _ => Some(Installer::Uv),
        };
        installer.filter(|_| self.has_pip())
    }

    /// The context that builds this recipe in these steps, of which only BuildKit can have several. An upgrade may come from the
    /// build cache as long as `week` (such as `2026-W47`) is the same. Without `update` it has no effect.
    #[must_use]
    pub fn render(&self, dialect: Dialect, week: &str, packages: &Steps) -> Context {
        let steps = self.steps(dialect, week, packages);
        let mut dockerfile = format!("FROM {}\n{}\n", self.base.as_str(), self.environment());
        for step in &steps {
            dockerfile += &match dialect {
                Dialect::BuildKit => step.mounted(self.base.as_str()),
                Dialect::Legacy => step.copied(),
            };
        }
        dockerfile += "WORKDIR /app\n";

        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        for file in steps.into_iter().flat_map(|step| step.files) {
            if files.iter().all(|(known, _)| *known != file.source) {
                files.push((file.source, file.contents));
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
        let requirements = [
            ("requirements", requirements::text(&self.requirements.wanted)),
            ("constraints", requirements::text(&self.requirements.constraints)),
        ];
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
        let [installer, no_compile] = [
            if self.installer == Installer::Auto { "" } else { self.installer.name() },
            if self.compile { "" } else { "1" },
        ];
        // What came later is left out where it is empty, so that the digest of an older recipe stays the same.
        let later = requirements.iter().map(|(key, text)| (*key, text.as_str()));
        let later = later.chain([("installer", installer), ("noCompile", no_compile)]);
        let later = later.filter(|(_, text)| !text.is_empty());
        let mut hash = Sha256::new();
        for (key, value) in fields.into_iter().chain(later) {
            hash.update(format!("{key} {}\n{value}\n", value.len()));
        }
        hexadecimal(hash)
    }

    /// SHA-256, in hexadecimal, of everything by which the same build on another day, with these labels, would make another
    /// image. An upgrade is another one every week.
    #[must_use]
    pub fn fingerprint(&self, week: &str, labels: &BTreeMap<String, String>) -> String {
        let week = if self.update { week } else { "" };
        let mut hash = Sha256::new();
        hash.update(format!("{}\n{week}\n", self.digest()));
        for (key, value) in labels {
            hash.update(format!("{key} {}\n{value}\n", value.len()));
        }
        hexadecimal(hash)
    }

    /// One `ENV` instruction for all variables, because the legacy builder makes a layer for each instruction.
    fn environment(&self) -> String {
        let mut line = "ENV PYTHONUNBUFFERED=1".to_owned();
        if self.ca_cert.is_some() {
            for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE"] {
                line += &format!(" {name}=/etc/ssl/certs/ca-certificates.crt");
            }
        }
        line
    }

    /// The steps that are needed. The first one also installs the certificates.
    fn steps(&self, dialect: Dialect, week: &str, packages: &Steps) -> Vec<Step> {
        let first = self.first(packages, 1);
        let appended = (1..packages.packages().len()).map(|at| Some(self.appended_step(dialect, week, packages, at)));
        let steps = [first.apt_step(week), first.pip_step(dialect)].into_iter().chain(appended);
        let mut steps: Vec<Step> = steps.chain([self.commands_step()]).flatten().collect();
        if let Some(ca_cert) = &self.ca_cert {
            if steps.is_empty() {
                steps.push(Step::default());
            }
            steps[0].words.insert(0, "ca");
            steps[0].files.push(File::new("ca.pem", ca_cert.as_pem()));
        }
        for step in &mut steps {
            step.files.insert(0, File::new("step.sh", STEP_SH));
        }
        steps
    }

    /// The step that installs what these packages have in addition to those before. It has all packages so far, because it
    /// checks that they are those of a build from nothing. For that it sees the base image. The packages of pip are checked
    /// even if none of them is new: from nothing, they would be installed after those of apt. Those of apt are checked if an
    /// appended step has some: the archive may have other versions since then. The first step comes from the cache.
    fn appended_step(&self, dialect: Dialect, week: &str, packages: &Steps, at: usize) -> Step {
        let (new, part) = (&packages.packages()[at], self.first(packages, at + 1));
        let mut step = Step { words: vec!["appended"], sees_base: true, ..Step::default() };
        let has_apt = packages.packages()[1..=at].iter().any(|step| !step.apt.is_empty());
        let apt = part.apt_step(week).filter(|_| has_apt);
        let mut pip = part.pip_step(dialect);
        if new.pip.is_empty() {
            pip.iter_mut()
                .flat_map(|step| &mut step.words)
                .filter(|word| **word == "pip")
                .for_each(|word| *word = "check");
        }
        for part in apt.into_iter().chain(pip) {
            step.words.extend(part.words);
            step.caches.extend(part.caches);
            step.files.extend(part.files);
        }
        for file in step.files.iter_mut().filter(|file| ["apt.txt", "requirements.txt"].contains(&file.name)) {
            file.source = file.name.replace('.', &format!("-{}.", at + 1));
        }
        step
    }

    fn apt_step(&self, week: &str) -> Option<Step> {
        if !self.update && self.apt.is_empty() {
            return None;
        }
        let mut step = Step { caches: vec![Cache::AptArchives, Cache::AptLists], ..Step::default() };
        if self.update {
            step.files.push(File::new("update.txt", format!("{week}\n")));
        }
        if !self.apt.is_empty() {
            step.files.push(File::new("apt.txt", lines(self.apt.iter().map(AptPackage::as_str))));
        }
        if let Some(mirror) = &self.apt_mirror {
            step.files.push(File::new("apt-mirror.txt", format!("{}\n", archive_root(mirror))));
        }
        if self.recommends {
            step.words.push("recommends");
        }
        step.words.push("apt");
        Some(step)
    }

    fn pip_step(&self, dialect: Dialect) -> Option<Step> {
        if !self.has_pip() {
            return None;
        }
        let listed = lines(self.pip.iter().map(PipRequirement::as_str));
        let mut step = Step { words: vec!["pip"], caches: vec![Cache::Pip], ..Step::default() };
        step.files.push(File::new("requirements.txt", listed + &requirements::text(&self.requirements.wanted)));
        let constraints = requirements::text(&self.requirements.constraints);
        if !constraints.is_empty() {
            step.files.push(File::new("constraints.txt", constraints));
        }
        step.files.extend(self.index_file());
        if !self.compile {
            step.words.insert(0, "uncompiled");
        }
        let word = match (self.installer, dialect) {
            (Installer::Pip, _) | (_, Dialect::Legacy) => return Some(step),
            (Installer::Auto, Dialect::BuildKit) => "auto",
            (Installer::Uv, Dialect::BuildKit) => "uv",
        };
        step.words.insert(0, word);
        let programs = [("uv.py", UV_PY), ("bytecode.py", BYTECODE_PY), ("uv.txt", UV_TXT)];
        step.files.extend(programs.map(|(name, contents)| File::new(name, contents)));
        step.caches.push(Cache::Uv);
        Some(step)
    }

    fn commands_step(&self) -> Option<Step> {
        if self.commands.trim().is_empty() {
            return None;
        }
        let mut step = Step { words: vec!["commands"], caches: vec![Cache::Pip], ..Step::default() };
        step.files.push(File::new("commands.sh", format!("{}\n", self.commands)));
        step.files.extend(self.index_file());
        Some(step)
    }

    fn index_file(&self) -> Option<File> {
        self.pip_index_url.as_ref().map(|url| File::new("pip-index-url.txt", format!("{}\n", url.as_str())))
    }
}

fn hexadecimal(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The requirements of a spec, which names no files.
fn requirements(spec: &RecipeSpec) -> Result<Requirements, Failure> {
    let no_file = |path: &Path| Err(Failure::usage(format!("could not read {}: a spec has no files", path.display())));
    let mut reader = Reader::new(spec.pip_index_url.as_ref(), &no_file);
    let texts =
        [("requirements", &spec.requirements, Role::Wanted), ("constraints", &spec.constraints, Role::Constraint)];
    for (key, text, role) in texts {
        if let Some(text) = text {
            check_size(key, text)?;
            reader.text(key, text.as_str(), role)?;
        }
    }
    Ok(reader.finish())
}

/// The record of a build has to stay readable, and quick to read.
fn check_size(key: &str, text: &RequirementLines) -> Result<(), Failure> {
    let length = serde_json::to_string(text).map_or(usize::MAX, |text| text.len());
    if length > MOST_REQUIREMENTS {
        let message =
            format!("the {key} are too long: {length} bytes as JSON; at most {MOST_REQUIREMENTS} are allowed");
        return Err(Failure::usage(message).hint("copy a file of that size into the image in another way"));
    }
    Ok(())
}

fn all<T: Clone>(lists: &[Packages<T>]) -> Vec<T> {
    lists.iter().flat_map(|list| list.0.iter().cloned()).collect()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----\n";

    fn minimal() -> RecipeSpec {
        serde_json::from_value(json!({"name": "mine", "baseImage": "python:3-slim"})).unwrap()
    }

    fn full() -> RecipeSpec {
        let spec = json!({
            "name": "mine", "baseImage": "python:3-slim", "update": true, "aptInstall": "jq g++ jq",
            "pipInstall": "six numpy<2", "additionalCommand": "echo hi > /hello\ncat /hello", "caCert": "company.pem",
            "pipIndexUrl": "https://pip.example.org/simple", "aptMirror": "http://apt.example.org:8080/debian/",
            "recommends": true,
        });
        serde_json::from_value(spec).unwrap()
    }

    fn list<T>(text: &str) -> Vec<Packages<T>>
    where
        Packages<T>: std::str::FromStr<Err = Invalid>,
    {
        vec![text.parse().unwrap()]
    }

    fn commands(text: &str) -> Vec<Commands> {
        vec![Commands::parse(text).unwrap()]
    }

    fn recipe(spec: &RecipeSpec) -> Recipe {
        let ca_cert = spec.ca_cert.as_ref().map(|_| CaCert::parse(PEM.as_bytes()).unwrap());
        Recipe::new(spec, ca_cert).unwrap()
    }

    /// The context of a build from nothing.
    fn rendered(recipe: &Recipe, dialect: Dialect, week: &str) -> Context {
        recipe.render(dialect, week, &recipe.whole())
    }

    fn dockerfile(spec: &RecipeSpec, dialect: Dialect) -> String {
        rendered(&recipe(spec), dialect, "2026-W47").dockerfile
    }

    #[test]
    fn a_recipe_with_nothing_to_do_has_no_step_on_either_builder() {
        for builder in [Dialect::BuildKit, Dialect::Legacy] {
            let context = rendered(&recipe(&minimal()), builder, "2026-W47");
            assert_eq!(context.dockerfile, "FROM python:3-slim\nENV PYTHONUNBUFFERED=1\nWORKDIR /app\n");
            assert_eq!(context.files, []);
        }
    }

    #[test]
    fn buildkit_mounts_what_a_step_reads_and_keeps() {
        let expected = r#"FROM python:3-slim
ENV PYTHONUNBUFFERED=1 SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt CURL_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt
RUN --mount=type=bind,source=step.sh,target=/dev/longshore/step.sh \
    --mount=type=bind,source=update.txt,target=/dev/longshore/update.txt \
    --mount=type=bind,source=apt.txt,target=/dev/longshore/apt.txt \
    --mount=type=bind,source=apt-mirror.txt,target=/dev/longshore/apt-mirror.txt \
    --mount=type=bind,source=ca.pem,target=/dev/longshore/ca.pem \
    --mount=type=cache,id=longshore-debs-python:3-slim,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,id=longshore-lists-python:3-slim,target=/var/lib/apt/lists,sharing=locked \
    ["sh", "/dev/longshore/step.sh", "mounted", "ca", "recommends", "apt"]
RUN --mount=type=bind,source=step.sh,target=/dev/longshore/step.sh \
    --mount=type=bind,source=requirements.txt,target=/dev/longshore/requirements.txt \
    --mount=type=bind,source=pip-index-url.txt,target=/dev/longshore/pip-index-url.txt \
    --mount=type=bind,source=uv.py,target=/dev/longshore/uv.py \
    --mount=type=bind,source=bytecode.py,target=/dev/longshore/bytecode.py \
    --mount=type=bind,source=uv.txt,target=/dev/longshore/uv.txt \
    --mount=type=cache,id=longshore-pip-python:3-slim,target=/dev/longshore/pip-cache \
    --mount=type=cache,id=longshore-uv-python:3-slim,target=/dev/longshore/uv \
    ["sh", "/dev/longshore/step.sh", "mounted", "auto", "pip"]
RUN --mount=type=bind,source=step.sh,target=/dev/longshore/step.sh \
    --mount=type=bind,source=commands.sh,target=/dev/longshore/commands.sh \
    --mount=type=bind,source=pip-index-url.txt,target=/dev/longshore/pip-index-url.txt \
    --mount=type=cache,id=longshore-pip-python:3-slim,target=/dev/longshore/pip-cache \
    ["sh", "/dev/longshore/step.sh", "mounted", "commands"]
WORKDIR /app
"#;
        assert_eq!(dockerfile(&full(), Dialect::BuildKit), expected);
    }

    #[test]
    fn the_legacy_builder_copies_in_two_instructions_a_step() {
        let expected = r#"FROM python:3-slim
ENV PYTHONUNBUFFERED=1 SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt CURL_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt
COPY step.sh update.txt apt.txt apt-mirror.txt ca.pem /.longshore/
RUN ["sh", "/.longshore/step.sh", "copied", "ca", "recommends", "apt"]
COPY step.sh requirements.txt pip-index-url.txt /.longshore/
RUN ["sh", "/.longshore/step.sh", "copied", "pip"]
COPY step.sh commands.sh pip-index-url.txt /.longshore/
RUN ["sh", "/.longshore/step.sh", "copied", "commands"]
WORKDIR /app
"#;
        assert_eq!(dockerfile(&full(), Dialect::Legacy), expected);
    }

    #[test]
    fn the_context_holds_each_file_once_and_lists_in_order() {
        let context = rendered(&recipe(&full()), Dialect::BuildKit, "2026-W47");
        let text = |contents: &[u8]| String::from_utf8(contents.to_vec()).unwrap();
        let files: Vec<(&str, String)> = context.entries().map(|(name, contents)| (name, text(contents))).collect();
        let expected = [
            ("Dockerfile", context.dockerfile.as_str()),
            ("step.sh", include_str!("recipe/step.sh")),
            ("update.txt", "2026-W47\n"),
            ("apt.txt", "g++\njq\n"),
            ("apt-mirror.txt", "http://apt.example.org:8080\n"),
            ("ca.pem", PEM),
            ("requirements.txt", "numpy<2\nsix\n"),
            ("pip-index-url.txt", "https://pip.example.org/simple\n"),
            ("uv.py", include_str!("recipe/uv.py")),
            ("bytecode.py", include_str!("recipe/bytecode.py")),
            ("uv.txt", include_str!("recipe/uv.txt")),
            ("commands.sh", "echo hi > /hello\ncat /hello\n"),
        ];
        assert_eq!(files, expected.map(|(name, contents)| (name, contents.to_owned())));
    }

    #[test]
    fn certificates_go_with_the_first_step_there_is() {
        let spec = RecipeSpec { ca_cert: Some("company.pem".into()), ..minimal() };
        assert!(dockerfile(&spec, Dialect::Legacy).contains(r#""copied", "ca"]"#));
        let spec = RecipeSpec { pip_install: list("six"), ..spec };
        assert!(dockerfile(&spec, Dialect::Legacy).contains(r#""copied", "ca", "pip"]"#));
    }

    #[test]
    fn uv_installs_the_packages_where_buildkit_has_a_cache_for_it() {
        let words = |installer, no_compile, dialect| {
            let spec = RecipeSpec { pip_install: list("six"), installer, no_compile, ..minimal() };
            let dockerfile = dockerfile(&spec, dialect);
            let (_, words) = dockerfile.split_once("step.sh\", \"").unwrap();
            let uv =
                ["source=uv.py", "source=uv.txt", "id=longshore-uv-python:3-slim"].map(|it| dockerfile.contains(it));
            (words.split(']').next().unwrap().replace("\", \"", " "), uv)
        };
        use Dialect::{BuildKit, Legacy};
        for (installer, no_compile, dialect, expected, with_uv) in [
            (None, false, BuildKit, "mounted auto pip\"", true),
            (Some(Installer::Auto), true, BuildKit, "mounted auto uncompiled pip\"", true),
            (Some(Installer::Uv), false, BuildKit, "mounted uv pip\"", true),
            (Some(Installer::Pip), false, BuildKit, "mounted pip\"", false),
            (Some(Installer::Pip), true, BuildKit, "mounted uncompiled pip\"", false),
            (None, false, Legacy, "copied pip\"", false),
            (Some(Installer::Auto), true, Legacy, "copied uncompiled pip\"", false),
        ] {
            assert_eq!(words(installer, no_compile, dialect), (expected.to_owned(), [with_uv; 3]), "{installer:?}");
        }
        let uv = recipe(&RecipeSpec { pip_install: list("six"), installer: Some(Installer::Uv), ..minimal() });
        assert_eq!(uv.check(BuildKit), Ok(()));
        let refusal = uv.check(Legacy).unwrap_err();
        assert_eq!(refusal.message, "uv needs BuildKit, and docker has only the legacy builder");
        assert_eq!((uv.installer_with(BuildKit), uv.installer_with(Legacy)), (Some(Installer::Uv), None));
        assert_eq!(recipe(&full()).installer_with(Legacy), Some(Installer::Pip));
        assert_eq!(recipe(&minimal()).installer_with(BuildKit), None);
    }

    #[test]
    fn the_week_matters_only_to_an_update() {
        let render = |spec: &RecipeSpec, week| rendered(&recipe(spec), Dialect::BuildKit, week);
        assert_ne!(render(&full(), "2026-W47"), render(&full(), "2026-W48"));
        let still = RecipeSpec { update: false, ..full() };
        assert_eq!(render(&still, "2026-W47"), render(&still, "2026-W48"));
    }

    #[test]
    fn blank_commands_are_no_step() {
        let spec = RecipeSpec { additional_command: commands(" \n\t\n"), ..minimal() };
        assert_eq!(dockerfile(&spec, Dialect::BuildKit), dockerfile(&minimal(), Dialect::BuildKit));
    }

    #[test]
    fn the_digest_is_of_what_the_image_is_made_of() {
        let digest = |spec: &RecipeSpec| recipe(spec).digest();
        assert_eq!(digest(&minimal()), "8384a6d1b0e3284cfef614b14e9388f4ac035b2b7332280f9dc3c7a2233fc420");
        assert_eq!(digest(&full()), "eb56414b1dfb8be553b3eae3e3861172373c8abddfa0993719735b7b154b41f2");
        let same = RecipeSpec { name: "other".parse().ok(), apt_install: list("g++\njq"), ..full() };
        assert_eq!(digest(&same), digest(&full()));
        let same = RecipeSpec { installer: Some(Installer::Auto), ..full() };
        assert_eq!(digest(&same), digest(&full()));
        let others = [
            RecipeSpec { base_image: "python:3".parse().ok(), ..full() },
            RecipeSpec { update: false, ..full() },
            RecipeSpec { apt_install: list("jq"), ..full() },
            RecipeSpec { pip_install: list("six"), ..full() },
            RecipeSpec { additional_command: commands("true"), ..full() },
            RecipeSpec { ca_cert: None, ..full() },
            RecipeSpec { pip_index_url: None, ..full() },
            RecipeSpec { apt_mirror: None, ..full() },
            RecipeSpec { installer: Some(Installer::Pip), ..full() },
            RecipeSpec { installer: Some(Installer::Uv), ..full() },
            RecipeSpec { no_compile: true, ..full() },
            RecipeSpec { recommends: false, ..full() },
            RecipeSpec { requirements: "six".parse().ok(), ..full() },
            RecipeSpec { requirements: "idna".parse().ok(), ..full() },
            RecipeSpec { constraints: "six".parse().ok(), ..full() },
        ];
        let digests: std::collections::BTreeSet<String> = others.iter().chain([&full()]).map(digest).collect();
        assert_eq!(digests.len(), others.len() + 1);
    }

    #[test]
    fn comments_of_requirements_are_no_part_of_a_recipe() {
        let recipe = |text: &str| recipe(&RecipeSpec { requirements: text.parse().ok(), ..full() });
        let [one, other] = ["# a\nsix \\\n # b\n", "six"].map(recipe);
        assert_eq!(
            (one.digest(), rendered(&one, Dialect::Legacy, "")),
            (other.digest(), rendered(&other, Dialect::Legacy, ""))
        );
        let only_options =
            RecipeSpec { requirements: "--pre".parse().ok(), constraints: "a<1".parse().ok(), ..minimal() };
        assert_eq!(dockerfile(&only_options, Dialect::Legacy), dockerfile(&minimal(), Dialect::Legacy));
    }

    #[test]
    fn a_fingerprint_depends_on_labels_and_with_an_upgrade_on_the_week() {
        let labels = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let (full, still) = (recipe(&full()), recipe(&RecipeSpec { update: false, ..full() }));
        let none = labels(&[]);
        assert_ne!(full.fingerprint("2026-W47", &none), full.fingerprint("2026-W48", &none));
        assert_eq!(still.fingerprint("2026-W47", &none), still.fingerprint("2026-W48", &none));
        assert_ne!(still.fingerprint("", &none), full.fingerprint("", &none));
        let prints = [labels(&[("a", "b")]), labels(&[("a", "")]), labels(&[("a", "b"), ("c", "d")]), none];
        let prints: std::collections::BTreeSet<String> = prints.iter().map(|it| full.fingerprint("", it)).collect();
        assert_eq!(prints.len(), 4);
    }

    #[test]
    fn an_image_id_is_nothing_to_build_upon_and_a_recipe_needs_a_name_and_a_base() {
        let refusal = |spec: &RecipeSpec| Recipe::new(spec, None).unwrap_err().to_string();
        let id = RecipeSpec { base_image: "a".repeat(64).parse().ok(), ..minimal() };
        assert!(refusal(&id).ends_with("an image id cannot be the base of a build"), "{}", refusal(&id));
        assert_eq!(refusal(&RecipeSpec { name: None, ..minimal() }), "missing NAME");
        assert_eq!(refusal(&RecipeSpec { base_image: None, ..minimal() }), "missing --base IMAGE");
    }

    proptest! {
        #[test]
        fn what_the_user_wrote_is_never_in_the_dockerfile(
            text in "[^\0]{1,40}",
            apt in "[a-z0-9][a-z0-9+.-]{0,20}[a-z0-9]( [a-z0-9][a-z0-9+.-]{0,20}[a-z0-9]){0,5}",
            pip in "[a-z][a-z0-9]{0,9}([<>]=?[0-9])?( [a-z][a-z0-9]{0,9}(==[0-9])?){0,5}",
        ) {
            prop_assume!(!text.trim().is_empty());
            let (Ok(apt), Ok(pip)) = (apt.parse(), pip.parse()) else { return Ok(()) };
            let additional_command = commands(&text);
            let spec = RecipeSpec { additional_command, apt_install: vec![apt], pip_install: vec![pip], ..full() };
            for builder in [Dialect::BuildKit, Dialect::Legacy] {
                prop_assert_eq!(dockerfile(&spec, builder), dockerfile(&full(), builder));
            }
        }

        #[test]
        fn a_base_image_changes_nothing_but_its_own_places(base in "[ -~\n]{1,30}|[a-z]{1,9}(:[0-9]{1,4}/[a-z]{1,9})?(:[A-Za-z0-9_.-]{1,9})?") {
            let base_image = base.parse::<ImageRef>().ok();
            prop_assume!(base_image.as_ref().is_some_and(|base| !base.is_id()));
            let spec = RecipeSpec { base_image, ..full() };
            for builder in [Dialect::BuildKit, Dialect::Legacy] {
                prop_assert_eq!(dockerfile(&spec, builder), dockerfile(&full(), builder).replace("python:3-slim", &base));
            }
            prop_assert!(!base.contains([',', '"', '\'', '$', '\\', ' ', '\n']));
        }
    }
}
