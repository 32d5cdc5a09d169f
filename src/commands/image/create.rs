//! `image create`: makes a build from flags and spec, and starts it under a supervisor.

use std::path::Path;

use anyhow::Result;
use serde::{Serialize, Serializer};

use super::need::{Condition, Need, Present, Wish};
use super::sources;
use crate::cli::ImageCreate;
use crate::commands::jobs::start::{self, Begun, Needless};
use crate::commands::jobs::stay::{begin_and_stay, start_and_stay};
use crate::commands::read_file;
use crate::engine::Engine;
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::job::record::{Build, Kind, Record, Work};
use crate::job::store::Store;
use crate::names::Installer;
use crate::output::{Page, Reply, Voice};
use crate::recipe::growth::Packages;
use crate::recipe::{CaCert, Recipe};
use crate::runner::{Values, rendered, steps};

/// Starts the build and returns, unless `--wait` or `--follow` is given.
pub fn create(env: &Env, voice: &Voice, args: &ImageCreate) -> Result<u8> {
    let spec = sources::recipe(args)?;
    let ca_cert = ca_cert(spec.ca_cert.as_deref().or(env.ca_cert.as_deref()))?;
    let recipe = Recipe::new(&spec, ca_cert.clone())?;
    let engine = Engine::chosen(env)?;
    let labels = start::labels(&spec.labels);
    let wish = Condition::of(args).map(|condition| Wish {
        condition,
        recipe: &recipe,
        labels: &labels,
        pull: spec.pull,
        squash: spec.squash,
    });
    let build = Build {
        tag: recipe.name.clone(),
        ca_cert: ca_cert.as_ref().map(|cert| cert.as_pem().to_owned()),
        pull: spec.pull,
        no_cache: spec.no_cache,
        squash: spec.squash,
        recipe: serde_json::to_value(&spec)?,
    };
    if args.stay.dry_run {
        let need = wish.map(|wish| Ok::<_, anyhow::Error>((wish.condition, wish.need(env, &engine)?))).transpose()?;
        return dry_run(env, voice, &engine, (&recipe, &build), need);
    }
    let record = Record {
        name: Some(recipe.name.normalized()),
        labels: labels.clone(),
        ..start::record(env, &engine, recipe.base.clone(), Work::Build(build))
    };
    let record = start::followed(env, &args.stay, record)?;
    let Some(wish) = wish else {
        return start_and_stay(env, voice, record, &Values::default(), &args.stay, |_, _| Ok(None));
    };
    let name = Some(recipe.name.shown());
    begin_and_stay(env, voice, &args.stay, name, |_| begin_if_needed(env, voice, &engine, record, &wish))
}

/// Starts the build, joins one that makes the same image, or does nothing. If another build of this name was started
/// meanwhile, it looks again.
fn begin_if_needed(env: &Env, voice: &Voice, engine: &Engine, mut record: Record, wish: &Wish) -> Result<Begun> {
    let store = Store::make(env, Kind::Build)?;
    loop {
        record.created = env.now();
        record.last_took = start::last_took(&store, &record);
        let newest = wish.newest(env)?;
        let is_newest = || -> Result<()> {
            let taken = || Failure::new(ErrorKind::Conflict, "another build of this image was started");
            if wish.newest(env)? == newest { Ok(()) } else { Err(taken().into()) }
        };
        let values = Values::default();
        let begun = match wish.need(env, engine)? {
            Need::Nothing(image) => return needless(&record, wish, image).map(Begun::Needless),
            // What is to follow the end of a build is a part of its record. It cannot be added to one that runs.
            Need::Running(job) if record.after.is_nothing() => {
                voice.text(|page| page.note(&format!("note: build {} of this image is running already", job.id)))?;
                return Ok(Begun::Started(job));
            }
            Need::Running(job) => return Err(store.in_use(&job, &record).into()),
            Need::BuildThere => {
                start::attempt_if(env, voice, &store, &record, &values, &|| Ok(()), |_, _| is_newest().map(|()| None))
            }
            Need::Build => start::attempt(env, voice, &store, &record, &values, |_, _| is_newest().map(|()| None)),
        };
        match begun {
            Err(_) if wish.newest(env)? != newest => {}
            begun => return begun.map(Begun::Started),
        }
    }
}

/// No build is needed. The image is there, which is what a stamp stands for.
fn needless(record: &Record, wish: &Wish, image: Present) -> Result<Needless> {
    if let Some(stamp) = &record.after.stamp {
        let job = image.job.as_ref().unwrap_or(&record.id);
        stamp.make(job, record.after.umask).map_err(|error| start::cannot_write(stamp.path(), &error))?;
    }
    Ok(Needless { why: wish.condition.reason(&wish.recipe.name.shown()), id: image.id, job: image.job })
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
    /// What would be taken first for the packages of pip. What uv cannot install is left to pip, unless the recipe has
    /// the installer uv. Null if there are no such packages.
    #[cfg_attr(test, schemars(extend("enum" = ["uv", "pip", null])))]
    installer: Option<&'static str>,
    /// The packages of each step. There are several if the last image of this name was made of fewer packages: then its steps are
    /// reused, and the last one is appended. A requirement with hashes has a digest of them behind a `#`.
    steps: Vec<Packages>,
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
fn dry_run(
    env: &Env,
    voice: &Voice,
    engine: &Engine,
    (recipe, build): (&Recipe, &Build),
    need: Option<(Condition, Need)>,
) -> Result<u8> {
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
    let steps = steps(engine, recipe, build, builder, env.now(), None);
    let context = rendered(recipe, builder, env.now(), &steps)
        .map_err(|failure| failure.because(&format!("could not build image {name:?}")))?;
    let files = context.entries();
    let files = files.map(|(name, contents)| (name.to_owned(), String::from_utf8_lossy(contents).into_owned()));
    if let Some(reason) = reason {
        voice.text(|page| page.note(&format!("note: {reason}; nothing would be built")))?;
    }
    let installer = recipe.installer_with(builder.dialect()).map(Installer::name);
    voice.reply(&DryRun {
        name,
        builder: builder.word(),
        installer,
        steps: steps.packages().to_vec(),
        files: files.collect(),
        up_to_date,
    })?;
    Ok(0)
}
