//! The spec of `image create`.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use serde::{Deserialize, Serialize};

use super::{field, instead};
use crate::names::{
    AptPackage, Commands, DependencyGroup, ExtraName, HttpUrl, ImageName, ImageRef, Installer, Label, Packages,
    PipRequirement, ProjectText, RequirementLines,
};

/// The JSON body of `image create --spec`. Its first six keys are those of the web API's `POST /api/image/create`. All
/// keys are optional. The name and the base image are required, here or as flags. An empty string and null have the
/// same meaning as an absent key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase", default)]
pub struct RecipeSpec {
    /// The name of the new image, with or without a tag (required, here or in the spec)
    #[arg(value_name = "NAME")]
    #[serde(deserialize_with = "field::text")]
    pub name: Option<ImageName>,
    /// The image to start from (required, here or in the spec)
    #[arg(long = "base", value_name = "IMAGE")]
    #[serde(deserialize_with = "field::text")]
    pub base_image: Option<ImageRef>,
    /// Upgrade the packages of the base image
    #[arg(long)]
    #[serde(deserialize_with = "field::switch")]
    #[cfg_attr(test, schemars(with = "Option<bool>"))]
    pub update: bool,
    /// Packages to install with apt, separated by blanks
    #[arg(long = "apt", value_name = "PACKAGES", allow_hyphen_values = true)]
    #[serde(with = "field::joined")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub apt_install: Vec<Packages<AptPackage>>,
    /// Packages to install with pip, separated by blanks
    #[arg(long = "pip", value_name = "PACKAGES", allow_hyphen_values = true)]
    #[serde(with = "field::joined")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub pip_install: Vec<Packages<PipRequirement>>,
    /// The text of a requirements file for pip, which may not name other files. `image create --requirements FILE` reads
    /// a file and those that it names
    #[arg(skip)]
    #[serde(deserialize_with = "field::text", skip_serializing_if = "Option::is_none")]
    pub requirements: Option<RequirementLines>,
    /// The text of a constraints file for pip, which may not name other files
    #[arg(skip)]
    #[serde(deserialize_with = "field::text", skip_serializing_if = "Option::is_none")]
    pub constraints: Option<RequirementLines>,
    /// The text of a `pyproject.toml`, of which the dependencies of `[project]` are installed with pip. `image create
    /// --pyproject FILE` reads a file
    #[arg(skip)]
    #[serde(deserialize_with = "field::text", skip_serializing_if = "Option::is_none")]
    pub pyproject: Option<ProjectText>,
    /// The groups of `[dependency-groups]` that are installed, too
    #[arg(skip)]
    #[serde(deserialize_with = "field::groups", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(with = "Option<Vec<String>>"))]
    pub groups: Vec<DependencyGroup>,
    /// The extras of `[project.optional-dependencies]` that are installed, too
    #[arg(skip)]
    #[serde(deserialize_with = "field::extras", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(with = "Option<Vec<String>>"))]
    pub extras: Vec<ExtraName>,
    /// Commands to run after the packages are installed
    #[arg(long = "run", value_name = "COMMAND", allow_hyphen_values = true)]
    #[serde(with = "field::joined")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub additional_command: Vec<Commands>,
    /// A PEM file with certificates to trust, during the build and in the image
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[serde(deserialize_with = "field::path", skip_serializing_if = "Option::is_none")]
    pub ca_cert: Option<PathBuf>,
    /// The package index that pip uses instead of its default
    #[arg(long, value_name = "URL")]
    #[serde(deserialize_with = "field::text", skip_serializing_if = "Option::is_none")]
    pub pip_index_url: Option<HttpUrl>,
    /// What installs the packages of pip: auto, uv or pip [default: auto]
    #[arg(long, value_name = "INSTALLER", value_enum)]
    #[serde(deserialize_with = "field::text", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub installer: Option<Installer>,
    /// Do not compile the packages of pip to bytecode. Builds take less time, and each run takes more to import them
    #[arg(long)]
    #[serde(deserialize_with = "field::switch", skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, schemars(with = "Option<bool>"))]
    pub no_compile: bool,
    /// The mirror that apt uses instead of the archives of Debian and Ubuntu
    #[arg(long, value_name = "URL")]
    #[serde(deserialize_with = "field::text", skip_serializing_if = "Option::is_none")]
    pub apt_mirror: Option<HttpUrl>,
    /// Also install recommended packages with apt
    #[arg(long)]
    #[serde(deserialize_with = "field::switch", skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, schemars(with = "Option<bool>"))]
    pub recommends: bool,
    // The remaining fields do not change the content of the image. A build's record keeps them in other fields.
    /// Add a label to the image and the build
    #[arg(long = "label", value_name = "KEY=VALUE")]
    #[serde(deserialize_with = "field::labels", skip_serializing)]
    #[cfg_attr(test, schemars(with = "Option<std::collections::BTreeMap<String, Option<String>>>"))]
    pub labels: Vec<Label>,
    /// Ask the registry for a newer base image
    #[arg(long)]
    #[serde(deserialize_with = "field::switch", skip_serializing)]
    #[cfg_attr(test, schemars(with = "Option<bool>"))]
    pub pull: bool,
    /// Do not use the build cache
    #[arg(long)]
    #[serde(deserialize_with = "field::switch", skip_serializing)]
    #[cfg_attr(test, schemars(with = "Option<bool>"))]
    pub no_cache: bool,
    /// Build from nothing instead of appending a step to the last image: one step for apt and one for pip
    #[arg(long)]
    #[serde(deserialize_with = "field::switch", skip_serializing)]
    #[cfg_attr(test, schemars(with = "Option<bool>"))]
    pub squash: bool,
}

impl RecipeSpec {
    /// Merges flags (`self`) with a file. Flags override the file; labels of both are kept, those of the flags last.
    #[must_use]
    pub fn over(self, file: Self) -> Self {
        Self {
            name: self.name.or(file.name),
            base_image: self.base_image.or(file.base_image),
            update: self.update || file.update,
            apt_install: instead(self.apt_install, file.apt_install),
            pip_install: instead(self.pip_install, file.pip_install),
            requirements: self.requirements.or(file.requirements),
            constraints: self.constraints.or(file.constraints),
            pyproject: self.pyproject.or(file.pyproject),
            groups: instead(self.groups, file.groups),
            extras: instead(self.extras, file.extras),
            additional_command: instead(self.additional_command, file.additional_command),
            ca_cert: self.ca_cert.or(file.ca_cert),
            pip_index_url: self.pip_index_url.or(file.pip_index_url),
            installer: self.installer.or(file.installer),
            no_compile: self.no_compile || file.no_compile,
            apt_mirror: self.apt_mirror.or(file.apt_mirror),
            recommends: self.recommends || file.recommends,
            labels: [file.labels, self.labels].concat(),
            pull: self.pull || file.pull,
            no_cache: self.no_cache || file.no_cache,
            squash: self.squash || file.squash,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;

    const WEB: &str = r#"{"name": "mine", "baseImage": "python:3-slim", "update": true, "aptInstall": "jq  g++",
        "pipInstall": "six idna", "additionalCommand": "echo hi\nexit"}"#;

    #[test]
    fn the_flags_give_what_a_body_of_the_web_api_gives() {
        let flags = ["", "mine", "--base", "python:3-slim", "--update", "--apt", "jq g++", "--pip", "six idna"];
        let flags = flags.into_iter().chain(["--run", "echo hi\nexit"]);
        let command = RecipeSpec::augment_args(clap::Command::new("create"));
        let given = RecipeSpec::from_arg_matches(&command.get_matches_from(flags)).unwrap();
        assert_eq!(crate::spec::parse::<RecipeSpec>(WEB.as_bytes()).unwrap(), given);
    }

    #[test]
    fn what_is_empty_or_null_is_absent() {
        let empty = r#"{"name": "", "baseImage": null, "update": null, "aptInstall": "", "pipInstall": null,
            "requirements": "", "constraints": null, "pyproject": "", "groups": null, "extras": [], "additionalCommand": "", "caCert": "", "pipIndexUrl": "",
            "installer": "", "noCompile": null,
            "labels": null}"#;
        assert_eq!(crate::spec::parse::<RecipeSpec>(empty.as_bytes()).unwrap(), RecipeSpec::default());
    }

    #[test]
    fn flags_win_lists_of_flags_take_the_place_of_the_files_and_labels_are_merged() {
        let file = crate::spec::parse(
            br#"{"name": "a", "baseImage": "b", "aptInstall": "vim nano", "pipInstall": "six", "labels": {"k": "1", "l": "2"}}"#,
        );
        let flags = RecipeSpec {
            name: "c".parse().ok(),
            apt_install: vec!["jq".parse().unwrap(), "git".parse().unwrap()],
            labels: vec!["k=3".parse().unwrap()],
            pull: true,
            ..RecipeSpec::default()
        };
        let both = flags.over(file.unwrap());
        let text = |items: &[Packages<_>]| items.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!((both.name.unwrap().as_str(), both.base_image.unwrap().as_str()), ("c", "b"));
        assert_eq!(text(&both.apt_install), ["jq", "git"]);
        assert_eq!(both.pip_install, ["six".parse().unwrap()]);
        let labels: Vec<String> = both.labels.iter().map(ToString::to_string).collect();
        assert_eq!(labels, ["k=1", "l=2", "k=3"]);
        assert!(both.pull && !both.no_cache);
    }

    #[test]
    fn a_record_keeps_the_keys_of_the_web_api_and_what_else_the_image_is_made_of() {
        let full = r#"{"name":"mine","baseImage":"python:3-slim","update":true,"aptInstall":"jq\ng++","pipInstall":"six",
            "requirements":"idna # x\n","constraints":"idna<9","pyproject":"[project]\n","groups":["dev"],
            "extras":["fast"],"additionalCommand":"a\nb","caCert":"c.pem","pipIndexUrl":"https://a/s","installer":"uv","noCompile":true,"aptMirror":"http://b","recommends":true}"#;
        let spec: RecipeSpec = serde_json::from_str(full).unwrap();
        let written = serde_json::to_value(RecipeSpec { pull: true, ..spec.clone() }).unwrap();
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(full).unwrap());
        assert_eq!(serde_json::from_value::<RecipeSpec>(written).unwrap(), spec);
        let least = serde_json::to_string(&RecipeSpec { recommends: false, ..Default::default() }).unwrap();
        let keys =
            r#"{"name":null,"baseImage":null,"update":false,"aptInstall":"","pipInstall":"","additionalCommand":""}"#;
        assert_eq!(least, keys);
    }

    #[test]
    fn a_record_of_an_older_or_newer_longshore_is_read() {
        let older = r#"{"name":"mine","baseImage":"a","update":false,"aptInstall":"jq curl","pipInstall":"six\nidna < 4",
            "additionalCommand":"","newer":1}"#;
        let spec: RecipeSpec = serde_json::from_str(older).unwrap();
        assert_eq!((spec.apt_install[0].0.len(), spec.pip_install[0].0.len()), (2, 2));
        assert_eq!(spec.additional_command, []);
    }
}
