//! Specs, recipes and what is made of them, environment files and certificates.

use std::collections::BTreeSet;

use serde_json::json;

use super::is_plain_message;
use crate::envfile;
use crate::names::{AptPackage, ImageRef, Packages, PipRequirement, Variable};
use crate::recipe::growth::{Packages as Step, Steps};
use crate::recipe::{Base, CaCert, Dialect, Recipe};
use crate::spec::{self, RecipeSpec, RunSpec};

/// Every property of this file.
pub fn all(bytes: &[u8]) {
    recipe(bytes);
    steps(&String::from_utf8_lossy(bytes));
    run(bytes);
    variables(&String::from_utf8_lossy(bytes));
    certificates(bytes);
    super::sweep::all(bytes);
    super::requirements::all(&String::from_utf8_lossy(bytes));
    super::pyproject::all(&String::from_utf8_lossy(bytes));
}

/// A recipe that is accepted is stored and read again as the same one, and can be rendered.
pub fn recipe(bytes: &[u8]) {
    match spec::parse::<RecipeSpec>(bytes) {
        Ok(spec) => {
            let stored = serde_json::to_vec(&spec).expect("JSON");
            let read: RecipeSpec = spec::parse(&stored).expect("what was stored can be read");
            assert_eq!(serde_json::to_vec(&read).expect("JSON"), stored);
            assert_eq!(RecipeSpec::default().over(spec.clone()), spec);
            if let (Ok(asked), Ok(read)) = (Recipe::new(&spec, None), Recipe::new(&read, None)) {
                assert_eq!(asked.digest(), read.digest());
                rendered(&spec, &asked);
                several(spec, &asked);
            }
        }
        Err(failure) => is_plain_message(&failure.message),
    }
}

/// Lists that are given in several parts are stored as one, and their order has no effect.
fn several(spec: RecipeSpec, once: &Recipe) {
    let twice = RecipeSpec {
        apt_install: [spec.apt_install.clone(), spec.apt_install].concat(),
        pip_install: [spec.pip_install.clone(), spec.pip_install].concat(),
        additional_command: [spec.additional_command.clone(), spec.additional_command].concat(),
        ..spec
    };
    let stored: RecipeSpec = spec::parse(&serde_json::to_vec(&twice).expect("JSON")).expect("it can be read");
    let digest = |spec: &RecipeSpec| Recipe::new(spec, None).map(|recipe| recipe.digest()).ok();
    assert_eq!(digest(&stored), digest(&twice));
    let mut turned = once.clone();
    turned.apt.reverse();
    turned.pip.reverse();
    assert_eq!(turned.digest(), once.digest());
    assert_eq!(turned.render(Dialect::Legacy, "", &turned.whole()), once.render(Dialect::Legacy, "", &once.whole()));
}

/// Whatever the label of the last image says, each package of a recipe is in exactly one step.
pub fn steps(text: &str) {
    let spec = json!({"name": "mine", "baseImage": "base:1", "aptInstall": "jq g++", "pipInstall": "six idna numpy<2"});
    let spec: RecipeSpec = serde_json::from_value(spec).expect("a spec");
    let recipe = Recipe::new(&spec, None).expect("a recipe");
    let (base, whole) = (Base::Id("sha256:ab".into()), recipe.whole());
    let own = recipe.steps_label("", &base, &whole).expect("a label");
    let (before, _) = own.split_once("\"steps\":").expect("its steps");
    for label in [text, &format!("{before}\"steps\":{text}}}")] {
        let Some(grown) = recipe.grown("", &base, label) else { continue };
        let [apt, pip] = [|step: &Step| step.apt.clone(), |step: &Step| step.pip.clone()].map(|of| {
            let of_all = |steps: &Steps| steps.packages().iter().flat_map(of).collect::<Vec<_>>();
            let (mut grown, whole) = (of_all(&grown), of_all(&whole));
            grown.sort();
            (grown, whole)
        });
        assert!(apt.0 == apt.1 && pip.0 == pip.1, "{label}");
        assert!(grown.packages().len() <= 6);
        assert!(
            recipe.steps_label("", &base, &grown).is_some_and(|again| recipe.grown("", &base, &again) == Some(grown))
        );
    }
}

/// A recipe of the same shape as this one: the same steps with other texts.
fn alike(spec: &RecipeSpec, recipe: &Recipe) -> RecipeSpec {
    let text = |list: bool, text: &str| if list { text.to_owned() } else { String::new() };
    RecipeSpec {
        name: "other".parse().ok(),
        apt_install: text(!recipe.apt.is_empty(), "jq").parse().into_iter().collect(),
        pip_install: text(has_pip(recipe), "six").parse().into_iter().collect(),
        requirements: None,
        pyproject: None,
        groups: Vec::new(),
        extras: Vec::new(),
        constraints: text(!recipe.requirements.constraints.is_empty(), "six").parse().ok(),
        additional_command: text(!recipe.commands.trim().is_empty(), "true").parse().into_iter().collect(),
        pip_index_url: spec.pip_index_url.as_ref().and_then(|_| "http://a".parse().ok()),
        apt_mirror: spec.apt_mirror.as_ref().and_then(|_| "http://b".parse().ok()),
        ..spec.clone()
    }
}

/// Whether there is something for pip.
fn has_pip(recipe: &Recipe) -> bool {
    !recipe.pip.is_empty() || !recipe.requirements.is_empty()
}

/// The Dockerfile depends on the base image and on which steps there are, and on no other text. The files of the context
/// have everything that was asked for, and read back as that.
fn rendered(spec: &RecipeSpec, recipe: &Recipe) {
    let twin = Recipe::new(&alike(spec, recipe), None).expect("a recipe");
    for dialect in [Dialect::BuildKit, Dialect::Legacy] {
        let context = recipe.render(dialect, "2026-W47", &recipe.whole());
        assert_eq!(context.dockerfile, twin.render(dialect, "2026-W47", &twin.whole()).dockerfile);
        let whole = context.dockerfile.replace("\\\n", " ");
        let lines: Vec<&str> = whole.lines().collect();
        assert_eq!(lines.first().and_then(|line| line.strip_prefix("FROM ")), Some(recipe.base.as_str()));
        assert!(lines[1].starts_with("ENV PYTHONUNBUFFERED=1"));
        assert_eq!(lines.last(), Some(&"WORKDIR /app"));
        let steps = &lines[2..lines.len() - 1];
        assert!(steps.len() <= 6 && steps.iter().all(|line| line.starts_with("RUN ") || line.starts_with("COPY ")));

        let entries: Vec<(&str, String)> = context
            .entries()
            .map(|(name, contents)| (name, String::from_utf8(contents.to_vec()).expect("text")))
            .collect();
        let file = |name: &str| entries.iter().find(|(known, _)| *known == name).map(|(_, text)| text.as_str());
        let names: BTreeSet<&str> = entries.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), entries.len(), "each file once");
        let apt: Packages<AptPackage> = file("apt.txt").unwrap_or_default().parse().expect("packages");
        assert_eq!(apt.0.iter().collect::<BTreeSet<_>>(), recipe.apt.iter().collect());
        let requirements = file("requirements.txt").unwrap_or_default();
        let [wanted, constraints] = recipe.requirements.texts();
        assert_eq!(file("constraints.txt").unwrap_or_default(), if has_pip(recipe) { &constraints } else { "" });
        let wanted = if has_pip(recipe) { wanted.as_str() } else { "" };
        let requirements = requirements.strip_suffix(wanted).expect("what the files ask for");
        let pip: BTreeSet<_> = requirements.lines().map(|line| PipRequirement::parse(line).expect("one")).collect();
        assert_eq!(pip.iter().collect::<BTreeSet<_>>(), recipe.pip.iter().collect());
        let ended = format!("{}\n", recipe.commands);
        let commands = Some(ended.as_str()).filter(|_| !recipe.commands.trim().is_empty());
        assert_eq!(file("commands.sh"), commands);
        let index = recipe.pip_index_url.as_ref().map(|url| format!("{url}\n"));
        let wanted = index.filter(|_| has_pip(recipe) || commands.is_some());
        assert_eq!(file("pip-index-url.txt"), wanted.as_deref());
        let is_one_line = |text: &str| text.ends_with('\n') && text.matches('\n').count() == 1;
        assert!(["pip-index-url.txt", "apt-mirror.txt"].iter().filter_map(|name| file(name)).all(is_one_line));
    }
}

/// A run that is accepted stays the same when it is merged with nothing. Written and read again it is the same run, with the
/// names of its variables only.
pub fn run(bytes: &[u8]) {
    match spec::parse::<RunSpec>(bytes) {
        Ok(spec) => {
            assert_eq!(RunSpec::default().over(spec.clone()), spec);
            assert_eq!(spec.clone().over(RunSpec::default()), spec);
            let written = serde_json::to_vec(&spec).expect("JSON");
            let read: RunSpec = spec::parse(&written).expect("what was written can be read");
            let env = spec.env.iter().map(|variable| Variable { value: None, ..variable.clone() }).collect();
            assert_eq!(read, RunSpec { env, ..spec.clone() });
            assert!(spec.args.iter().all(|argument| !argument.as_str().contains('\0')));
            assert!(spec.labels.iter().all(|label| !label.value.contains(char::is_control)));
            assert!(spec.image_tag.as_ref().is_none_or(|image| ImageRef::parse(image.as_str()).is_ok()));
            assert!(spec.timeout.is_none_or(|limit| !limit.is_zero()));
        }
        Err(failure) => is_plain_message(&failure.message),
    }
}

/// Variables that were read, written with double quotes, are read as the same ones. An error names a line of the file.
pub fn variables(text: &str) {
    match envfile::parse(text) {
        Ok(variables) => {
            let written: Vec<String> = variables.iter().map(written).collect();
            assert_eq!(envfile::parse(&written.join("\n")), Ok(variables), "{text:?}");
        }
        Err(error) => assert!((1..=text.split('\n').count()).contains(&error.line), "{error} in {text:?}"),
    }
}

fn written(variable: &Variable) -> String {
    let Some(value) = &variable.value else { return variable.key.to_string() };
    let value = value.as_str().replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$").replace('\r', "\\r");
    format!("{}=\"{value}\"", variable.key)
}

/// What is kept of a file with certificates is whole certificates, and reads as the same ones.
pub fn certificates(bytes: &[u8]) {
    let Ok(certificates) = CaCert::parse(bytes) else { return };
    let pem = certificates.as_pem();
    assert_eq!(CaCert::parse(pem.as_bytes()).ok().as_ref(), Some(&certificates));
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\n") && pem.ends_with("-----END CERTIFICATE-----\n"));
    assert!(pem.chars().all(|c| c.is_ascii_alphanumeric() || "+/=- \n".contains(c)), "{pem:?}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    /// Texts with everything that could act in a Dockerfile, a shell, a list or a terminal.
    const HOSTILE: &str = "([a-z ]{0,4}(\n|\r|\\\\|`|\\$\\(x\\)|\\$\\{X\\}|'|\"|<<EOF|# syntax=|--|\u{202e}|RUN |\u{2028}|\u{feff}|\u{1b}\\[m)){0,4}[a-z]{0,3}";

    proptest! {
        #[test]
        fn what_a_user_writes_stays_in_the_files_that_it_is_for(
            commands in HOSTILE,
            apt in "([a-z]{2,4}[ \n]){0,4}",
            pip in "([a-z]{1,4}([<>]=?[0-9])?[ \n]){0,4}",
            (index, mirror) in (any::<bool>(), any::<bool>()),
        ) {
            let index = if index { "https://a.b/c" } else { "" };
            let mirror = if mirror { "http://m:1/debian/" } else { "" };
            let installer = ["auto", "uv", "pip"][apt.len() % 3];
            let body = json!({
                "name": "mine", "baseImage": "base:1", "additionalCommand": commands, "aptInstall": apt, "pipInstall": pip,
                "pipIndexUrl": index, "installer": installer, "noCompile": pip.len() % 3 == 0,
                "aptMirror": mirror, "update": apt.len() % 2 == 0, "recommends": pip.len() % 2 == 0,
            });
            super::recipe(body.to_string().as_bytes());
        }

        #[test]
        fn a_label_only_says_how_packages_are_spread(
            text in r#"\[(\{("apt":\["(jq|g\+\+|x)"(,"(jq|g\+\+)")?\],?)?("pip":\["(six|idna|numpy<2)"(,"(six|idna)")?\])?\},?){0,4}\]"#
        ) {
            super::steps(&text.replace(",}", "}").replace(",]", "]"));
        }

        #[test]
        fn a_hostile_text_in_any_key_is_refused_or_carried(
            key in prop::sample::select(&["name", "baseImage", "aptInstall", "pipInstall", "additionalCommand", "caCert", "pipIndexUrl", "aptMirror"][..]),
            value in HOSTILE,
        ) {
            let mut body = json!({"name": "mine", "baseImage": "base:1"});
            body[key] = value.into();
            super::recipe(body.to_string().as_bytes());
        }

        #[test]
        fn a_run_is_refused_with_a_plain_message_or_accepted(
            key in "srcPath|mainSrc|imageTag|volumes|mounts|publish|args|env|labels|name|cpus|memory|gpus|network|timeout|user|keep|logDriver|[a-z]{1,5}",
            value in prop_oneof![
                any::<i64>().prop_map(Into::into), any::<f64>().prop_map(Into::into), any::<bool>().prop_map(Into::into),
                HOSTILE.prop_map(Into::into), HOSTILE.prop_map(|text| json!([text, 1])), HOSTILE.prop_map(|text| json!({text: "x"})),
            ],
        ) {
            let value: serde_json::Value = value;
            super::run(json!({key: value}).to_string().as_bytes());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            super::all(&bytes);
        }

        #[test]
        fn a_file_of_variables_reads_back_as_it_was(text in "(export |#|[A-B1]{1,2}|=|'|\"|\\\\[nrtx\"$\\\\]?|[ \t$]|\n|\r\n?|\u{feff}|é|\0){0,24}") {
            super::variables(&text);
        }

        #[test]
        fn quoted_and_plain_values_read_back_as_they_were(
            text in "((export )?[AB]=([a$# \\\\]{0,4}|'[a$#\"\n\\\\]{0,4}'|\"([a$#'\n]|\\\\[n$\"x]){0,4}\")([ \t]#x)?\r?\n){0,4}"
        ) {
            super::variables(&text);
        }

        #[test]
        fn certificates_are_kept_whole(
            text in "((-----(BEGIN|END) (CERTIFICATE|RSA PRIVATE KEY)-----|[A-Za-z+/=]{0,8}|subject=/CN=x|\u{feff}|\\$)[ \r]?\n){0,8}"
        ) {
            super::certificates(text.as_bytes());
        }
    }
}
