//! `image create`: makes a build from flags and spec, and starts it under a supervisor.

use std::path::Path;

use anyhow::Result;
use serde::{Serialize, Serializer};

use super::sources;
use crate::cli::ImageCreate;
use crate::commands::jobs::start;
use crate::commands::jobs::stay::stay;
use crate::commands::read_file;
use crate::engine::Engine;
use crate::env::Env;
use crate::error::Failure;
use crate::job::record::{Build, Record, Work};
use crate::output::{Page, Reply, Voice};
use crate::recipe::{CaCert, Recipe};
use crate::runner::{Values, rendered};

/// Starts the build and returns, unless `--wait` or `--follow` is given.
pub fn create(env: &Env, voice: &Voice, args: &ImageCreate) -> Result<u8> {
    let spec = sources::recipe(args)?;
    let ca_cert = ca_cert(spec.ca_cert.as_deref().or(env.ca_cert.as_deref()))?;
    let recipe = Recipe::new(&spec, ca_cert.clone())?;
    let engine = Engine::chosen(env)?;
    if args.stay.dry_run {
        return dry_run(env, voice, &engine, &recipe);
    }
    let id_file = start::IdFile::claim(args.stay.id_file.as_deref())?;
    let labels = start::labels(&spec.labels);
    let work = Work::Build(Build {
        tag: recipe.name.clone(),
        ca_cert: ca_cert.as_ref().map(|cert| cert.as_pem().to_owned()),
        pull: spec.pull,
        no_cache: spec.no_cache,
        recipe: serde_json::to_value(&spec)?,
    });
    let record = Record {
        name: Some(recipe.name.normalized()),
        labels,
        ..start::record(env, &engine, recipe.base.clone(), work)
    };
    let job = start::begin(env, voice, &record, &Values::default(), || Ok(()))?;
    id_file.write(job.id.as_str())?;
    stay(env, voice, &job, &args.stay, &recipe.name.shown())
}

fn ca_cert(path: Option<&Path>) -> Result<Option<CaCert>> {
    let Some(path) = path else { return Ok(None) };
    let bytes = read_file(path, "the certificates")?;
    let parsed = CaCert::parse(&bytes)
        .map_err(|error| Failure::usage(format!("could not use the certificates {}: {error:#}", path.display())))?;
    Ok(Some(parsed))
}

/// The context of the build that would be started, for the builder that is there.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct DryRun {
    /// The image to make.
    name: String,
    /// The builder that docker has.
    #[cfg_attr(test, schemars(extend("enum" = crate::engine::builder::Builder::words())))]
    builder: &'static str,
    /// Every file of the context by its name.
    #[serde(serialize_with = "as_map")]
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, String>", extend("required" = ["Dockerfile"])))]
    files: Vec<(String, String)>,
}

fn as_map<S: Serializer>(files: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(files.iter().map(|(name, text)| (name, text)))
}

impl Reply for DryRun {
    fn show(&self, page: &mut Page) -> Result<()> {
        let lines = |(name, text): &(String, String)| [format!("# {name}"), text.trim_end().to_owned(), String::new()];
        self.files.iter().flat_map(lines).try_for_each(|line| page.line(&line))
    }
}

/// Replies with the context that would be built.
fn dry_run(env: &Env, voice: &Voice, engine: &Engine, recipe: &Recipe) -> Result<u8> {
    let version = engine.version().map_err(|error| error.failure("could not determine the builder"))?;
    let builder = engine.builder(&version, env.docker_buildkit.as_deref());
    let context = rendered(recipe, builder, env.now());
    let files = context.entries();
    let files = files.map(|(name, contents)| (name.to_owned(), String::from_utf8_lossy(contents).into_owned()));
    voice.reply(&DryRun { name: recipe.name.shown(), builder: builder.word(), files: files.collect() })?;
    Ok(0)
}
