//! A build: writes its context to the directory of the job, and makes the arguments of `docker build`.

use std::collections::BTreeMap;

use anyhow::Result;
use chrono::{DateTime, Datelike as _, Utc};
use serde_json::Value;

use super::local::{Call, begin, patiently};
use crate::engine::Engine;
use crate::engine::argv::{self, BuildPlan};
use crate::engine::builder::Builder;
use crate::env::Env;
use crate::error::Failure;
use crate::job::record::{Begun, Build, Record};
use crate::job::{CONTEXT, IMAGE_ID, Job};
use crate::recipe::failure::Asked;
use crate::recipe::{Base, CaCert, Context, MadeOf, Recipe};
use crate::spec::RecipeSpec;

/// Chooses the builder, writes the context, and returns the docker call.
pub fn prepare(engine: &Engine, env: &Env, job: &Job, record: &Record, build: &Build) -> Result<(Call, Begun)> {
    let version = patiently(|| engine.version()).map_err(|error| error.failure("could not build"))?;
    let builder = engine.builder(&version, env.docker_buildkit.as_deref());
    let begun = begin(engine, env, job, Some((builder, &version)))?;
    let ca_cert = build.ca_cert.as_deref().map(|pem| CaCert::parse(pem.as_bytes())).transpose()?;
    let spec: RecipeSpec = serde_json::from_value(build.recipe.clone())?;
    let recipe = Recipe::new(&spec, ca_cert)?;
    let context = rendered(&recipe, builder, record.created)?;
    let dir = job.dir.make_subdir(CONTEXT)?;
    for (name, contents) in context.entries() {
        dir.write_public(name, contents)?;
    }
    let path = |name: &str| job.dir.path().join(name).to_string_lossy().into_owned();
    let args = argv::build(&BuildPlan {
        tag: build.tag.normalized(),
        context: path(CONTEXT),
        iid: path(IMAGE_ID),
        labels: image_labels(record, &made_of(engine, record, &recipe), builder),
        pull: build.pull,
        no_cache: build.no_cache,
        builder,
    });
    let environment = vec![("DOCKER_BUILDKIT".into(), builder.switch().into())];
    Ok((Call { args, environment, stdin: None }, begun))
}

/// The context of a recipe for this builder. An upgrade may come from the build cache until the end of the week.
///
/// # Errors
/// When this builder cannot do what the recipe asks for.
pub fn rendered(recipe: &Recipe, builder: Builder, now: DateTime<Utc>) -> Result<Context, Failure> {
    let dialect = builder.dialect();
    recipe.check(dialect)?;
    Ok(recipe.render(dialect, &week(now)))
}

/// The week for which an upgrade is the same, such as `2026-W47`.
#[must_use]
pub fn week(now: DateTime<Utc>) -> String {
    let week = now.iso_week();
    format!("{}-W{:02}", week.year(), week.week())
}

/// What the image will be made of, for a later build that need not be done again. If the base image is replaced meanwhile, it
/// is done again.
fn made_of(engine: &Engine, record: &Record, recipe: &Recipe) -> MadeOf {
    let found = engine.images(&[record.image.to_string()]);
    let id = |images: Vec<Value>| Some(images.first()?["Id"].as_str()?.to_owned());
    let base = found.map_or(Base::Unknown, |images| id(images).map_or(Base::Missing, Base::Id));
    MadeOf { recipe: recipe.fingerprint(&week(record.created), &record.labels), base }
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
fn image_labels(record: &Record, made_of: &MadeOf, builder: Builder) -> BTreeMap<String, String> {
    let mut labels = record.labels.clone();
    labels.insert(argv::JOB_LABEL.into(), record.id.to_string());
    labels.insert(argv::RECIPE_LABEL.into(), made_of.to_string());
    if builder != Builder::Legacy {
        labels.insert("longshore.base".into(), record.image.to_string());
        labels.insert("longshore.created".into(), record.created.to_rfc3339());
    }
    labels
}
