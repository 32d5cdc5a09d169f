use serde_json::json;

use super::*;
use crate::recipe::Dialect;
use crate::spec::RecipeSpec;

const WEEK: &str = "2026-W47";

fn recipe(more: serde_json::Value) -> Recipe {
    let mut spec = json!({"name": "mine", "baseImage": "python:3-slim"});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let spec: RecipeSpec = serde_json::from_value(spec).unwrap();
    let ca_cert = spec.ca_cert.as_ref().map(|_| CaCert::parse(PEM.as_bytes()).unwrap());
    Recipe::new(&spec, ca_cert).unwrap()
}

const PEM: &str = "-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----\n";

fn base() -> Base {
    Base::Id("sha256:ab".into())
}

fn label(recipe: &Recipe, steps: &Steps) -> String {
    recipe.steps_label(WEEK, &base(), steps).unwrap()
}

/// The steps of this recipe after a build of the other one from nothing.
fn after(last: &Recipe, recipe: &Recipe) -> Option<Steps> {
    recipe.grown(WEEK, &base(), &label(last, &last.whole()))
}

fn shown(steps: &Steps) -> String {
    let words = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(" ");
    let step = |step: &Packages| format!("{} / {}", words(&step.apt), words(&step.pip));
    steps.packages().iter().map(step).collect::<Vec<_>>().join(" | ")
}

/// A recipe with these packages.
fn of(apt: &str, pip: &str) -> Recipe {
    recipe(json!({"aptInstall": apt, "pipInstall": pip, "additionalCommand": "true"}))
}

#[test]
fn a_recipe_that_grew_keeps_the_steps_and_appends_one() {
    let mut last = of("jq g++", "six numpy");
    let mut steps = last.whole();
    for (apt, pip, expected) in [
        ("g++ jq", "numpy six", "g++ jq / numpy six"),
        ("jq g++", "idna six numpy", "g++ jq / numpy six |  / idna"),
        ("tree jq g++", "idna six numpy", "g++ jq / numpy six |  / idna | tree / "),
        ("tree jq g++ git", "a idna six numpy", "g++ jq / numpy six |  / idna | tree /  | git / a"),
    ] {
        let next = of(apt, pip);
        let grown = next.grown(WEEK, &base(), &label(&last, &steps)).unwrap();
        assert_eq!(shown(&grown), expected);
        let [before, now] =
            [(&last, &steps), (&next, &grown)].map(|(recipe, steps)| recipe.render(Dialect::BuildKit, WEEK, steps));
        // Docker finds in its cache what is the same: the instructions before the commands, and what they read.
        let (kept, _) = before.dockerfile.rsplit_once("RUN ").unwrap();
        assert!(now.dockerfile.starts_with(kept), "{}\n{}", before.dockerfile, now.dockerfile);
        assert!(before.files.iter().all(|file| now.files.contains(file)), "{apt}, {pip}");
        (last, steps) = (next, grown);
    }
}

#[test]
fn an_appended_step_has_all_packages_so_far_and_sees_the_base_image() {
    let text = |next: &Recipe| {
        let grown = after(&of("jq", "six"), next).unwrap();
        let context = next.render(Dialect::BuildKit, WEEK, &grown);
        let (_, step) = context.dockerfile.split_once("\"auto\", \"pip\"]\nRUN ").unwrap();
        let (step, _) = step.split_once("\nRUN ").unwrap();
        let files = context.files.into_iter().filter(|(name, _)| name.contains("-2."));
        let files =
            files.map(|(name, text)| format!("{name}: {}", String::from_utf8(text).unwrap().replace('\n', " ")));
        (step.to_owned(), files.collect::<Vec<_>>())
    };
    let (step, files) = text(&of("jq tree", "six idna"));
    assert_eq!(files, ["apt-2.txt: jq tree ", "requirements-2.txt: idna six "]);
    for mount in [
        "source=apt-2.txt,target=/dev/longshore/apt.txt ",
        "source=requirements-2.txt,target=/dev/longshore/requirements.txt ",
        "from=python:3-slim,target=/dev/longshore/base ",
        "id=longshore-debs-python:3-slim,",
        "id=longshore-uv-python:3-slim,",
    ] {
        assert!(step.contains(mount), "{mount}: {step}");
    }
    assert!(step.ends_with(r#""mounted", "appended", "apt", "auto", "pip"]"#), "{step}");
    let (step, files) = text(&of("jq", "six idna"));
    assert!(step.ends_with(r#""mounted", "appended", "auto", "pip"]"#) && !step.contains("apt"), "{step}");
    assert_eq!(files, ["requirements-2.txt: idna six "]);
    // From nothing, the packages of pip would be installed after the new one of apt.
    let (step, files) = text(&of("jq tree", "six"));
    assert!(step.ends_with(r#""mounted", "appended", "apt", "auto", "check"]"#), "{step}");
    assert_eq!(files, ["apt-2.txt: jq tree ", "requirements-2.txt: six "]);
}

#[test]
fn what_differs_in_more_than_new_packages_is_built_from_nothing() {
    let full = json!({
        "aptInstall": "jq", "pipInstall": "six", "requirements": "--pre\nidna", "constraints": "numpy<2",
        "caCert": "a.pem", "pipIndexUrl": "https://pip.example.org/simple", "aptMirror": "http://apt.example.org/debian",
    });
    let with = |key: &str, value: serde_json::Value| {
        let mut spec = full.clone();
        spec[key] = value;
        spec["pipInstall"] = "six attrs".into();
        recipe(spec)
    };
    let last = recipe(full.clone());
    assert!(after(&last, &with("additionalCommand", "true".into())).is_some());
    for (key, value) in [
        ("baseImage", json!("python:3")),
        ("update", json!(true)),
        ("aptInstall", json!("tree")),
        ("aptInstall", json!("")),
        ("requirements", json!("--pre\nrich")),
        ("requirements", json!("idna")),
        ("constraints", json!("numpy<3")),
        ("caCert", json!(null)),
        ("pipIndexUrl", json!("https://pip.example.org/other")),
        ("aptMirror", json!(null)),
        ("recommends", json!(true)),
        ("installer", json!("uv")),
        ("installer", json!("pip")),
        ("noCompile", json!(true)),
    ] {
        assert_eq!(after(&last, &with(key, value.clone())), None, "{key}: {value}");
    }
    let (grown, label) = (with("additionalCommand", "true".into()), label(&last, &last.whole()));
    for base in [Base::Missing, Base::Unknown, Base::Id("sha256:ac".into())] {
        assert_eq!(grown.grown(WEEK, &base, &label), None, "{base:?}");
    }
    assert!(grown.grown("2026-W48", &base(), &label).is_some());
}

#[test]
fn what_an_appended_step_cannot_do_is_built_from_nothing() {
    let grown = |apt: &str, pip: &str, more: serde_json::Value| {
        let [last, next] = [("jq", "six"), (apt, pip)].map(|(apt, pip)| {
            let mut spec = json!({"aptInstall": apt, "pipInstall": pip});
            spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            recipe(spec)
        });
        after(&last, &next).is_some()
    };
    for (more, apt, pip) in [
        (json!({}), true, true),
        (json!({"update": true}), false, true),
        (json!({"installer": "uv"}), true, true),
        (json!({"installer": "pip"}), false, false),
        (json!({"requirements": "--prefer-binary\nidna"}), false, false),
        (json!({"baseImage": "7"}), false, false),
    ] {
        let seen = (grown("jq tree", "six", more.clone()), grown("jq", "six attrs", more.clone()));
        assert_eq!(seen, (apt, pip), "{more}");
    }
    // Without packages of pip, its installer has no effect.
    let apt = |apt: &str| recipe(json!({"aptInstall": apt, "installer": "pip"}));
    assert!(after(&apt("jq"), &apt("jq tree")).is_some());
    // From nothing, the step for apt is the same one.
    assert_eq!(after(&of("jq", ""), &of("jq", "six")), None);
    assert_eq!(after(&of("", ""), &of("", "six")).map(|steps| shown(&steps)), Some(" / six".to_owned()));
    let upgraded = recipe(json!({"aptInstall": "jq", "pipInstall": "six", "update": true}));
    let later = recipe(json!({"aptInstall": "jq", "pipInstall": "six attrs", "update": true}));
    assert_eq!(later.grown("2026-W48", &base(), &label(&upgraded, &upgraded.whole())), None);
}

#[test]
fn many_or_large_appended_steps_are_folded_into_one() {
    let all = |count: usize| (0..count).map(|at| format!("p{at}")).collect::<Vec<_>>().join(" ");
    let mut steps = of("", &all(3)).whole();
    for count in 4..=8 {
        let last = of("", &all(count - 1));
        steps = of("", &all(count)).grown(WEEK, &base(), &label(&last, &steps)).unwrap();
        assert_eq!(steps.packages().len(), count - 2);
    }
    let label = label(&of("", &all(8)), &steps);
    assert!(of("", &all(8)).grown(WEEK, &base(), &label).is_some());
    assert_eq!(of("", &all(9)).grown(WEEK, &base(), &label), None);
    assert_eq!(Steps::counted(&label), 6);
    assert!(after(&of("", &all(2)), &of("", &all(22))).is_some());
    assert_eq!(after(&of("", &all(2)), &of("", &all(23))), None);
}

#[test]
fn a_label_of_others_is_ignored_or_only_spreads_the_packages() {
    let recipe = of("jq", "six idna");
    let of = recipe.ground(WEEK, &base());
    let grown = |label: &str| recipe.grown(WEEK, &base(), label);
    let label_of = |steps: serde_json::Value| json!({"of": of, "steps": steps}).to_string();
    assert!(grown(&label_of(json!([{"apt": ["jq"], "pip": ["six"]}]))).is_some());
    for steps in [
        json!([{"apt": ["jq"], "pip": ["six"]}, {}]),
        json!([{}, {"apt": ["jq"], "pip": ["six"]}]),
        json!([{"pip": ["six"]}, {"pip": ["six"]}]),
        json!([{"pip": ["six\nRUN x"]}]),
        json!([{"apt": ["six"]}]),
        json!([{"apt": "jq"}]),
        json!({"apt": ["jq"]}),
    ] {
        assert_eq!(grown(&label_of(steps.clone())), None, "{steps}");
    }
    let long = format!("{}{}", label_of(json!([{"pip": ["six"]}])), " ".repeat(MOST_LABEL));
    let others = r#"{"of": "", "steps": [{"pip": ["six"]}]}"#;
    for (label, count) in [("", 0), ("null", 0), ("{}", 0), ("[]", 0), ("\u{0}", 0), (others, 1), (&long, 0)] {
        assert_eq!((grown(label), Steps::counted(label)), (None, count), "{label}");
    }
}

#[test]
fn a_requirement_with_another_hash_is_another_one_and_a_long_list_has_no_label() {
    let hashed = |digit: &str, more: &str| {
        recipe(json!({"requirements": format!("six==1.16.0 --hash=sha256:{}\n{more}", digit.repeat(64))}))
    };
    let more = format!("idna==3.7 --hash=sha256:{}", "c".repeat(64));
    assert!(after(&hashed("a", ""), &hashed("a", &more)).is_some());
    assert_eq!(after(&hashed("b", ""), &hashed("a", &more)), None);
    let label = label(&hashed("a", ""), &hashed("a", "").whole());
    assert!(label.contains("\"six==1.16.0#") && label.len() < 200, "{label}");
    let many: Vec<String> = (0..MOST_LABEL / 8).map(|at| format!("package{at}")).collect();
    let long = of("", &many.join(" "));
    assert_eq!(long.steps_label(WEEK, &base(), &long.whole()), None);
    assert_eq!(of("", "six").steps_label(WEEK, &Base::Unknown, &of("", "six").whole()), None);
}
