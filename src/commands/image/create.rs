//! `image create`: makes a build from flags and spec, and starts it under a supervisor.

use std::path::Path;

use anyhow::Result;
use serde::{Serialize, Serializer};

use super::need::{Condition, Need, Present, Wish};
use super::sources;
use crate::cli::{ImageCreate, Stay};
use crate::commands::jobs::start;
use crate::commands::jobs::stay::{BuildStarted, stay};
use crate::commands::read_file;
use crate::engine::Engine;
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::job::Job;
use crate::job::record::{Build, Record, Work};
use crate::output::{Form, Page, Reply, Voice};
use crate::recipe::{CaCert, Recipe};
use crate::runner::{Values, rendered};

/// Starts the build and returns, unless `--wait` or `--follow` is given.
pub fn create(env: &Env, voice: &Voice, args: &ImageCreate) -> Result<u8> {
    let spec = sources::recipe(args)?;
    let ca_cert = ca_cert(spec.ca_cert.as_deref().or(env.ca_cert.as_deref()))?;
    let recipe = Recipe::new(&spec, ca_cert.clone())?;
    let engine = Engine::chosen(env)?;
    let labels = start::labels(&spec.labels);
    let wish =
        Condition::of(args).map(|condition| Wish { condition, recipe: &recipe, labels: &labels, pull: spec.pull });
    if args.stay.dry_run {
        let need = wish.map(|wish| Ok::<_, anyhow::Error>((wish.condition, wish.need(env, &engine)?))).transpose()?;
        return dry_run(env, voice, &engine, &recipe, need);
    }
    let id_file = start::IdFile::claim(args.stay.id_file.as_deref())?;
    let work = Work::Build(Build {
        tag: recipe.name.clone(),
        ca_cert: ca_cert.as_ref().map(|cert| cert.as_pem().to_owned()),
        pull: spec.pull,
        no_cache: spec.no_cache,
        recipe: serde_json::to_value(&spec)?,
    });
    let record = Record {
        name: Some(recipe.name.normalized()),
        labels: labels.clone(),
        ..start::record(env, &engine, recipe.base.clone(), work)
    };
    let begun = match wish {
        None => Begun::Job(start::begin(env, voice, &record, &Values::default(), || Ok(()))?),
        Some(wish) => begin_if_needed(env, voice, &engine, &record, &wish)?,
    };
    match begun {
        Begun::Job(job) => {
            id_file.write(job.id.as_str())?;
            stay(env, voice, &job, &args.stay, &recipe.name.shown())
        }
        Begun::Needless(reason, image) => needless(voice, &args.stay, &recipe, reason, &image),
    }
}

/// What was begun.
enum Begun {
    /// A build, which may have been running before.
    Job(Job),
    /// Nothing, because there is this image.
    Needless(Condition, Present),
}

/// Starts the build, joins one that makes the same image, or does nothing. If another build of this name was started
/// meanwhile, it looks again.
fn begin_if_needed(env: &Env, voice: &Voice, engine: &Engine, record: &Record, wish: &Wish) -> Result<Begun> {
    loop {
        let newest = wish.newest(env)?;
        let is_newest = || {
            let is_newest = wish.newest(env)? == newest;
            let taken = || Failure::new(ErrorKind::Conflict, "another build of this image was started");
            if is_newest { Ok(()) } else { Err(taken().into()) }
        };
        let values = Values::default();
        let begun = match wish.need(env, engine)? {
            Need::Nothing(image) => return Ok(Begun::Needless(wish.condition, image)),
            Need::Running(job) => {
                voice.text(|page| page.note(&format!("note: build {} of this image is running already", job.id)))?;
                return Ok(Begun::Job(job));
            }
            Need::BuildThere => start::begin_if(env, voice, record, &values, &|| Ok(()), is_newest),
            Need::Build => start::begin(env, voice, record, &values, is_newest),
        };
        match begun {
            Err(_) if wish.newest(env)? != newest => {}
            begun => return begun.map(Begun::Job),
        }
    }
}

/// Replies that no build is needed. No id is written, because nothing was started.
fn needless(voice: &Voice, stay: &Stay, recipe: &Recipe, reason: Condition, image: &Present) -> Result<u8> {
    let name = recipe.name.shown();
    voice.text(|page| page.note(&format!("note: {}; nothing was built", reason.reason(&name))))?;
    // The stdout of --follow is the output of a build.
    if !stay.follow || voice.form() != Form::Text {
        voice.reply(&BuildStarted::needless(&name, image.job.as_ref(), &image.id))?;
    }
    Ok(0)
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
#[serde(rename_all = "camelCase")]
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
    /// With --if-changed or --if-missing: whether nothing would be built, because the image is there. Otherwise absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "bool"))]
    up_to_date: Option<bool>,
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

/// Replies with the context that would be built, and whether it would be.
fn dry_run(env: &Env, voice: &Voice, engine: &Engine, recipe: &Recipe, need: Option<(Condition, Need)>) -> Result<u8> {
    let name = recipe.name.shown();
    let (reason, up_to_date) = match need {
        None => (None, None),
        Some((condition, need)) => match need {
            Need::Nothing(_) => (Some(condition.reason(&name)), Some(true)),
            _ => (None, Some(false)),
        },
    };
    let version = engine.version().map_err(|error| error.failure("could not determine the builder"))?;
    let builder = engine.builder(&version, env.docker_buildkit.as_deref());
    let context = rendered(recipe, builder, env.now());
    let files = context.entries();
    let files = files.map(|(name, contents)| (name.to_owned(), String::from_utf8_lossy(contents).into_owned()));
    if let Some(reason) = reason {
        voice.text(|page| page.note(&format!("note: {reason}; nothing would be built")))?;
    }
    voice.reply(&DryRun { name, builder: builder.word(), files: files.collect(), up_to_date })?;
    Ok(0)
}
