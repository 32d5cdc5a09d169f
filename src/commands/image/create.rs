//! `image create`: from flags and spec to a published, supervised build.

use std::path::Path;

use anyhow::Result;
use chrono::Datelike as _;
use serde_json::json;

use crate::cli::ImageCreate;
use crate::commands::jobs::stay;
use crate::commands::{read_file, read_spec, start};
use crate::engine::inspect::Version;
use crate::engine::{Engine, argv};
use crate::env::Env;
use crate::error::Failure;
use crate::job::record::{Build, Kind, Record, Work};
use crate::job::store::Store;
use crate::output;
use crate::recipe::{Builder, CaCert, Recipe};
use crate::supervisor::{Secrets, choose_builder};

/// Starts the build and returns, unless it is to stay.
pub fn create(env: &Env, json: bool, args: &ImageCreate) -> Result<u8> {
    let spec = args.spec.clone().over(read_spec(args.file.as_deref())?);
    let ca_cert = ca_cert(spec.ca_cert.as_deref().or(env.ca_cert.as_deref()))?;
    let recipe = Recipe::new(&spec, ca_cert.clone())?;
    let engine = env.engine()?;
    if args.stay.dry_run {
        return dry_run(env, json, &engine, &recipe);
    }
    let id_file = start::IdFile::claim(args.stay.id_file.as_deref())?;
    let store = Store::make(env, Kind::Build)?;
    // The one engine call on the user's time. Whether the base image is there only the build can tell: it may be
    // pulled.
    let _: Version = engine
        .json(&argv::version())
        .map_err(|error| error.failure(&format!("could not build image {:?}", recipe.name.as_str())))?;
    let labels = start::labels(&spec.labels);
    let work = Work::Build(Build {
        tag: recipe.name.clone(),
        ca_cert: ca_cert.as_ref().map(|cert| cert.as_pem().to_owned()),
        pull: spec.pull,
        no_cache: spec.no_cache,
        recipe: spec,
    });
    let record = Record {
        name: Some(recipe.name.normalized()),
        labels,
        ..start::record(env, &engine, recipe.base.as_str(), work)
    };
    let job = start::begin(&store, &record, &Secrets::default())?;
    id_file.write(job.id.as_str())?;
    let name = recipe.name.as_str();
    let answer = json!({"success": true, "name": name, "id": job.id});
    stay(env, json, &job, &args.stay, answer, name)
}

fn ca_cert(path: Option<&Path>) -> Result<Option<CaCert>> {
    let Some(path) = path else { return Ok(None) };
    let bytes = read_file(path, "the certificates")?;
    let parsed = CaCert::parse(&bytes)
        .map_err(|error| Failure::usage(format!("could not use the certificates {}: {error:#}", path.display())))?;
    Ok(Some(parsed))
}

/// Prints what would be built, for the builder that is there.
fn dry_run(env: &Env, json: bool, engine: &Engine, recipe: &Recipe) -> Result<u8> {
    let version: Version =
        engine.json(&argv::version()).map_err(|error| error.failure("could not find out which builder there is"))?;
    let client = choose_builder(engine, &version, env.docker_buildkit.as_deref());
    let builder = if client == argv::Client::Legacy { Builder::Legacy } else { Builder::BuildKit };
    let week = env.now().iso_week();
    let context = recipe.render(builder, &format!("{}-W{:02}", week.year(), week.week()));
    let files: Vec<(String, String)> = context
        .entries()
        .map(|(name, contents)| (name.to_owned(), String::from_utf8_lossy(contents).into_owned()))
        .collect();
    if json {
        let files: serde_json::Map<_, _> = files.into_iter().map(|(name, text)| (name, text.into())).collect();
        output::json(&json!({"name": recipe.name, "builder": client.word(), "files": files}))?;
        return Ok(0);
    }
    for (name, text) in files {
        output::line(env, &format!("# {name}"))?;
        output::line(env, text.trim_end())?;
        output::line(env, "")?;
    }
    Ok(0)
}
