//! A build: writes its context to the directory of the job, and makes the arguments of `docker build`.

use std::collections::BTreeMap;
use std::io::Write as _;

use anyhow::Result;
use chrono::{DateTime, Datelike as _, Utc};
use serde_json::Value;

use super::local::{Call, begin, patiently};
use crate::engine::argv::{self, BuildPlan};
use crate::engine::builder::Builder;
use crate::engine::{Engine, words};
use crate::env::Env;
use crate::error::Failure;
use crate::job::record::{Begun, Build, Record};
use crate::job::{CONTEXT, IMAGE_ID, Job, LOG};
use crate::names::ImageRef;
use crate::recipe::failure::{ANEW, Asked};
use crate::recipe::growth::Steps;
use crate::recipe::{Base, CaCert, Context, Dialect, MadeOf, Recipe};
use crate::spec::RecipeSpec;

/// The longest Dockerfile. It has a few lines for each step.
const MOST_DOCKERFILE: u64 = 1 << 20;

/// Chooses the builder, writes the context, and returns the docker call.
pub fn prepare(engine: &Engine, env: &Env, job: &Job, record: &Record, build: &Build) -> Result<(Call, Begun)> {
    let version = patiently(|| engine.version()).map_err(|error| error.failure("could not build"))?;
    let builder = engine.builder(&version, env.docker_buildkit.as_deref());
    let begun = begin(engine, env, job, Some((builder, &version)))?;
    let recipe = recipe(build)?;
    let base = base(engine, &record.image);
    let steps = steps(engine, &recipe, build, builder, record.created, Some(&base));
    Ok((written(job, record, build, builder, &recipe, base, &steps)?, begun))
}

/// The docker call that builds the image from nothing, after a build in which the appended steps, or those before them, failed. `None`
/// if this was another build, or another failure, or the build is to end.
pub fn anew(engine: &Engine, env: &Env, job: &Job, record: &Record, build: &Build) -> Result<Option<Call>> {
    let dockerfile = job.dir.subdir(CONTEXT)?.read("Dockerfile", MOST_DOCKERFILE)?;
    if !is_appended(&String::from_utf8_lossy(&dockerfile)) || !words::failed_at_packages(&job.last_words()?) {
        return Ok(None);
    }
    let version = patiently(|| engine.version()).map_err(|error| error.failure("could not build"))?;
    let builder = engine.builder(&version, env.docker_buildkit.as_deref());
    let recipe = recipe(build)?;
    job.dir.remove_tree(CONTEXT)?;
    let call = written(job, record, build, builder, &recipe, base(engine, &record.image), &recipe.whole())?;
    if job.requests().ask_for_end() {
        return Ok(None);
    }
    writeln!(job.dir.append(LOG)?, "{ANEW}")?;
    Ok(Some(call))
}

/// Whether a Dockerfile has an appended step.
fn is_appended(dockerfile: &str) -> bool {
    dockerfile.lines().any(|line| line.contains("/step.sh\", \"mounted\", \"") && line.contains("\"appended\""))
}

/// The recipe of a recorded build.
fn recipe(build: &Build) -> Result<Recipe> {
    let ca_cert = build.ca_cert.as_deref().map(|pem| CaCert::parse(pem.as_bytes())).transpose()?;
    let spec: RecipeSpec = serde_json::from_value(build.recipe.clone())?;
    Recipe::new(&spec, ca_cert)
}

/// Writes the context, and returns the docker call.
fn written(
    job: &Job,
    record: &Record,
    build: &Build,
    builder: Builder,
    recipe: &Recipe,
    base: Base,
    steps: &Steps,
) -> Result<Call> {
    let context = rendered(recipe, builder, record.created, steps)?;
    let dir = job.dir.make_subdir(CONTEXT)?;
    for (name, contents) in context.entries() {
        dir.write_public(name, contents)?;
    }
    let path = |name: &str| job.dir.path().join(name).to_string_lossy().into_owned();
    let week = week(record.created);
    let steps = recipe.steps_label(&week, &base, steps);
    let made_of = MadeOf { recipe: recipe.fingerprint(&week, &record.labels), base };
    let args = argv::build(&BuildPlan {
        tag: build.tag.normalized(),
        context: path(CONTEXT),
        iid: path(IMAGE_ID),
        labels: image_labels(record, &made_of, steps, builder),
        pull: build.pull,
        no_cache: build.no_cache,
        builder,
    });
    let environment = vec![("DOCKER_BUILDKIT".into(), builder.switch().into())];
    Ok(Call { args, environment, stdin: None })
}

/// The context of a recipe with these package steps for this builder. An upgrade may come from the build cache until the end
/// of the week.
///
/// # Errors
/// When this builder cannot do what the recipe asks for.
pub fn rendered(recipe: &Recipe, builder: Builder, now: DateTime<Utc>, steps: &Steps) -> Result<Context, Failure> {
    let dialect = builder.dialect();
    recipe.check(dialect)?;
    Ok(recipe.render(dialect, &week(now), steps))
}

/// The package steps of a build that is started now: those of the image that has its name, and an appended one, or those of a
/// build from nothing. The legacy builder shows no files of another image to a step, so it has no appended ones. The
/// engine is asked for the base image if that is not known.
pub fn steps(
    engine: &Engine,
    recipe: &Recipe,
    build: &Build,
    builder: Builder,
    now: DateTime<Utc>,
    known: Option<&Base>,
) -> Steps {
    let label = || {
        let is_of_use = builder.dialect() == Dialect::BuildKit && !build.is_from_nothing() && recipe.has_packages();
        let image = is_of_use.then(|| engine.images(&[build.tag.normalized()]).ok()?.into_iter().next()).flatten()?;
        Some(image.pointer("/Config/Labels")?.get(argv::STEPS_LABEL)?.as_str()?.to_owned())
    };
    let grown = label().and_then(|label| {
        let base = known.cloned().unwrap_or_else(|| base(engine, &recipe.base));
        recipe.grown(&week(now), &base, &label)
    });
    grown.unwrap_or_else(|| recipe.whole())
}

/// The week for which an upgrade is the same, such as `2026-W47`.
#[must_use]
pub fn week(now: DateTime<Utc>) -> String {
    let week = now.iso_week();
    format!("{}-W{:02}", week.year(), week.week())
}

/// The base image before a build. A later build need not be done again if it is still the same.
fn base(engine: &Engine, image: &ImageRef) -> Base {
    let found = engine.images(&[image.to_string()]);
    let id = |images: Vec<Value>| Some(images.first()?["Id"].as_str()?.to_owned());
    found.map_or(Base::Unknown, |images| id(images).map_or(Base::Missing, Base::Id))
}

/// What the reason of a failure depends on.
pub fn asked(record: &Record, build: &Build) -> Asked {
    let given = |key: &str| build.recipe.get(key).is_some_and(|value| !value.is_null());
    Asked {
        base: record.image.to_string(),
        pull: build.pull,
        ca_cert: build.ca_cert.is_some(),
        pip_index: given("pipIndexUrl"),
        apt_mirror: given("aptMirror"),
    }
}

/// The labels of the image. The label of the job proves which build made it, and that of the recipe says of what. The legacy
/// builder makes a layer for every label, which takes a second each on some storage drivers, so it gets only these two.
fn image_labels(
    record: &Record,
    made_of: &MadeOf,
    steps: Option<String>,
    builder: Builder,
) -> BTreeMap<String, String> {
    let mut labels = record.labels.clone();
    labels.insert(argv::JOB_LABEL.into(), record.id.to_string());
    labels.insert(argv::RECIPE_LABEL.into(), made_of.to_string());
    if builder != Builder::Legacy {
        labels.insert("longshore.base".into(), record.image.to_string());
        labels.insert("longshore.created".into(), record.created.to_rfc3339());
        // A base image of ours has passed on its own.
        labels.insert(argv::STEPS_LABEL.into(), steps.unwrap_or_default());
    }
    labels
}
