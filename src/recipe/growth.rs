//! How the packages of a recipe are spread over the steps of a build, so that a recipe that grew reuses the layers of the last
//! image. Pure.
//!
//! An image of BuildKit has a label with the packages of each step. If the next recipe of that name only has more packages,
//! these steps stay as they are, docker takes them from its cache, and one appended step installs the rest. That step
//! checks that a build from nothing would give the same packages, and fails otherwise; the build is then repeated from
//! nothing. So a label only decides how much time a build takes, and one that others wrote does no harm.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::requirements::{Entry, What, text};
use super::{BYTECODE_PY, Base, CaCert, Recipe, STEP_SH, UV_PY, UV_TXT, hexadecimal};
use crate::names::{AptPackage, HttpUrl, Installer, PipRequirement};

/// The most appended steps. Each of them is a layer for ever, and makes docker's log and the list of layers longer. With
/// five, at most every sixth build with another package installs everything.
const MOST_APPENDED: usize = 5;
/// How many times as many packages the appended steps may have as the first one. With more, the first one is a small part of
/// the image, and to install it again costs little.
const MOST_TIMES: usize = 10;
/// The longest label, in bytes. It is one argument of docker's client, of which the kernel takes 128 KiB.
const MOST_LABEL: usize = 64 << 10;

/// The packages of one step. A requirement with hashes has a digest of them behind a `#`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(default)]
pub struct Packages {
    /// Packages for apt.
    pub apt: BTreeSet<String>,
    /// Requirements for pip, also those of requirements files.
    pub pip: BTreeSet<String>,
}

/// The packages of each step. The first has the apt step and the pip step of a build from nothing. Each other is an appended
/// step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steps(Vec<Packages>);

/// What the label of an image says.
#[derive(Serialize, Deserialize)]
struct Label<'a> {
    /// [`Recipe::ground`]
    of: String,
    steps: std::borrow::Cow<'a, [Packages]>,
}

impl Packages {
    fn len(&self) -> usize {
        self.apt.len() + self.pip.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes these away; false if one of them is missing.
    fn take(&mut self, others: &Self) -> bool {
        others.apt.iter().all(|name| self.apt.remove(name)) && others.pip.iter().all(|name| self.pip.remove(name))
    }
}

impl Steps {
    /// The packages of each step, in their order.
    #[must_use]
    pub fn packages(&self) -> &[Packages] {
        &self.0
    }

    /// How many steps the label of an image has; 0 if it cannot be read.
    #[must_use]
    pub fn counted(label: &str) -> usize {
        read(label).map_or(0, |label| label.steps.len())
    }
}

fn read(label: &str) -> Option<Label<'static>> {
    serde_json::from_str(label).ok().filter(|_| label.len() <= MOST_LABEL)
}

impl Recipe {
    /// The steps of a build from nothing.
    #[must_use]
    pub fn whole(&self) -> Steps {
        let pip = self.pip.iter().map(|package| package.as_str().to_owned());
        let pip = pip.chain(self.requirements.wanted.iter().filter_map(name));
        Steps(vec![Packages { apt: self.apt.iter().map(|it| it.as_str().to_owned()).collect(), pip: pip.collect() }])
    }

    /// The steps of the last image of this name, whose label this is, and an appended one for the packages that are new.
    /// `None` if the build has to be made from nothing: the recipe has more changes than that, an appended step cannot do it, or
    /// there are too many of them. `base` is the base image before the build.
    #[must_use]
    pub fn grown(&self, week: &str, base: &Base, label: &str) -> Option<Steps> {
        let last = read(label).filter(|last| *base != Base::Unknown && last.of == self.ground(week, base))?;
        let mut steps = last.steps.into_owned();
        let mut rest = self.whole().0.remove(0);
        if steps.iter().any(|step| step.is_empty() || !rest.take(step)) {
            return None;
        }
        if let [first] = &steps[..]
            && first.pip.is_empty()
            && rest.apt.is_empty()
        {
            // The same two steps as from nothing, of which the first is in the cache.
            return None;
        }
        steps.extend((!rest.is_empty()).then_some(rest));
        let (first, appended) = steps.split_first()?;
        let count: usize = appended.iter().map(Packages::len).sum();
        let is_fine = appended.len() <= MOST_APPENDED && count <= MOST_TIMES * first.len();
        let is_fine = is_fine && appended.iter().all(|step| self.can_append(step));
        // Without a label, later builds would not know of the appended steps.
        Some(Steps(steps)).filter(|steps| is_fine && self.steps_label(week, base, steps).is_some())
    }

    /// Whether an appended step can install these packages, and check the others.
    fn can_append(&self, packages: &Packages) -> bool {
        // What an upgrade would do before it installs packages cannot be told from what the base image has.
        let is_upgraded = self.update && !packages.apt.is_empty();
        // Only uv tells what it would install from nothing.
        let is_pips =
            self.has_pip() && (self.installer == Installer::Pip || self.options().contains("--prefer-binary\n"));
        // `from=0` would be the first stage of the Dockerfile.
        let is_stage = self.base.as_str().bytes().all(|byte| byte.is_ascii_digit());
        !(is_upgraded || is_pips || is_stage)
    }

    /// The label for an image with these steps, or none if it would be too long.
    #[must_use]
    pub fn steps_label(&self, week: &str, base: &Base, steps: &Steps) -> Option<String> {
        let steps = if steps.0.iter().all(Packages::is_empty) { &[] } else { steps.0.as_slice() };
        let label = Label { of: self.ground(week, base), steps: steps.into() };
        serde_json::to_string(&label).ok().filter(|label| *base != Base::Unknown && label.len() <= MOST_LABEL)
    }

    /// SHA-256, in hexadecimal, of what the package steps depend on beside their packages. Docker would not find steps of
    /// another one in its cache, or they would install something else.
    fn ground(&self, week: &str, base: &Base) -> String {
        let flag = |on: bool| if on { "1" } else { "0" };
        let url = |url: &Option<HttpUrl>| url.as_ref().map_or("", HttpUrl::as_str).to_owned();
        let base_id = match base {
            Base::Id(id) => id,
            Base::Missing | Base::Unknown => "",
        };
        let programs = [STEP_SH, UV_PY, BYTECODE_PY, UV_TXT].map(|text| hexadecimal(Sha256::new().chain_update(text)));
        let fields = [
            self.base.as_str(),
            base_id,
            if self.update { week } else { "" },
            self.ca_cert.as_ref().map_or("", CaCert::as_pem),
            &url(&self.pip_index_url),
            &url(&self.apt_mirror),
            flag(self.recommends),
            self.installer.name(),
            flag(self.compile),
            &text(&self.requirements.constraints),
            &self.options(),
            &programs.concat(),
        ];
        let mut hash = Sha256::new();
        for field in fields {
            hash.update(format!("{}\n{field}\n", field.len()));
        }
        hexadecimal(hash)
    }

    /// The options of the requirements files, a line each.
    fn options(&self) -> String {
        let wanted = self.requirements.wanted.iter();
        wanted.filter(|entry| name(entry).is_none()).map(|entry| format!("{entry}\n")).collect()
    }

    /// This recipe with the packages of the first steps only, as many as this.
    pub(super) fn first(&self, steps: &Steps, count: usize) -> Self {
        let steps = &steps.0[..count];
        let has_apt = |package: &AptPackage| steps.iter().any(|step| step.apt.contains(package.as_str()));
        let has_pip = |name: &str| steps.iter().any(|step| step.pip.contains(name));
        let mut part = self.clone();
        part.apt.retain(has_apt);
        part.pip.retain(|package: &PipRequirement| has_pip(package.as_str()));
        part.requirements.wanted.retain(|entry| name(entry).is_none_or(|name| has_pip(&name)));
        part
    }
}

/// The name of a requirement in a label; `None` for an option.
fn name(entry: &Entry) -> Option<String> {
    match &entry.what {
        What::Option(_) => None,
        What::Package(package, hashes) if hashes.is_empty() => Some(package.as_str().to_owned()),
        What::Package(package, hashes) => {
            let digest = hexadecimal(Sha256::new().chain_update(hashes.join(" ")));
            Some(format!("{package}#{}", &digest[..16]))
        }
    }
}

#[cfg(test)]
mod tests;
