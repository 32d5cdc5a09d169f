//! `image create`: from flags and spec to a published, supervised build.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Serialize, Serializer};

use crate::cli::ImageCreate;
use crate::commands::jobs::start::{self, flag_labels, spec_labels};
use crate::commands::jobs::stay::stay;
use crate::commands::{read_file, read_spec};
use crate::engine::Engine;
use crate::env::Env;
use crate::error::Failure;
use crate::job::record::{Build, Record, Work};
use crate::names::{ImageName, ImageRef};
use crate::output::{Page, Reply, Voice};
use crate::recipe::{CaCert, Recipe, Spec as RecipeSpec};
use crate::runner::{Values, rendered};
use crate::spec::{Spec, missing};

/// What the flags and the spec ask for together.
struct Request {
    recipe: RecipeSpec,
    labels: BTreeMap<String, String>,
    pull: bool,
    no_cache: bool,
}

/// Starts the build and returns, unless it is to stay.
pub fn create(env: &Env, voice: &Voice, args: &ImageCreate) -> Result<u8> {
    let request = request(args)?;
    let ca_cert = ca_cert(request.recipe.ca_cert.as_deref().or(env.ca_cert.as_deref()))?;
    let recipe = Recipe::new(&request.recipe, ca_cert.clone())?;
    let engine = Engine::chosen(env)?;
    if args.stay.dry_run {
        return dry_run(env, voice, &engine, &recipe);
    }
    let id_file = start::IdFile::claim(args.stay.id_file.as_deref())?;
    let work = Work::Build(Build {
        tag: recipe.name.clone(),
        recipe: request.recipe,
        ca_cert: ca_cert.as_ref().map(|cert| cert.as_pem().to_owned()),
        pull: request.pull,
        no_cache: request.no_cache,
    });
    let record = Record {
        name: Some(recipe.name.normalized()),
        labels: request.labels,
        ..start::record(env, &engine, recipe.base.clone(), work)
    };
    let job = start::begin(env, voice, &record, &Values::default(), || Ok(()))?;
    id_file.write(job.id.as_str())?;
    stay(env, voice, &job, &args.stay, recipe.name.as_str())
}

/// Flags win over the file; lists of flags take the place of the file's list.
fn request(args: &ImageCreate) -> Result<Request> {
    let mut spec = read_spec(args.spec.as_deref())?;
    let text = |given: Option<String>, key, spec: &mut Spec| -> Result<Option<String>, Failure> {
        let filed = spec.string(key)?;
        Ok(given.or(filed))
    };
    let list = |given: &[String], with: &str| (!given.is_empty()).then(|| given.join(with));
    let name = text(args.name.as_ref().map(ToString::to_string), "name", &mut spec)?;
    let base = text(args.base.as_ref().map(ToString::to_string), "baseImage", &mut spec)?;
    let update = spec.boolean("update")? || args.update;
    let apt = text(list(&args.apt, " "), "aptInstall", &mut spec)?;
    let pip = text(list(&args.pip, "\n"), "pipInstall", &mut spec)?;
    let commands = text(list(&args.run, "\n"), "additionalCommand", &mut spec)?;
    let certificate = spec.string("caCert")?.map(PathBuf::from);
    let recipe = RecipeSpec {
        name: String::new(),
        base_image: String::new(),
        update,
        apt_install: apt.unwrap_or_default(),
        pip_install: pip.unwrap_or_default(),
        additional_command: commands.unwrap_or_default(),
        ca_cert: args.ca_cert.clone().or(certificate),
        pip_index_url: text(args.pip_index_url.clone(), "pipIndexUrl", &mut spec)?,
        apt_mirror: text(args.apt_mirror.clone(), "aptMirror", &mut spec)?,
        recommends: spec.boolean("recommends")? || args.recommends,
    };
    let mut labels = spec_labels(&mut spec)?;
    labels.extend(flag_labels(&args.labels));
    let pull = spec.boolean("pull")? || args.pull;
    let no_cache = spec.boolean("noCache")? || args.no_cache;
    spec.finish()?;
    let name = ImageName::parse(&name.ok_or_else(|| missing("name", "NAME"))?)?;
    let base = ImageRef::parse(&base.ok_or_else(|| missing("baseImage", "--base"))?)?;
    let recipe = RecipeSpec { name: name.to_string(), base_image: base.to_string(), ..recipe };
    Ok(Request { recipe, labels, pull, no_cache })
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
struct DryRun<'a> {
    /// The image to make.
    name: &'a ImageName,
    /// The builder that docker has.
    builder: &'static str,
    /// Every file of the context by its name.
    #[serde(serialize_with = "as_map")]
    files: Vec<(String, String)>,
}

fn as_map<S: Serializer>(files: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(files.iter().map(|(name, text)| (name, text)))
}

impl Reply for DryRun<'_> {
    fn show(&self, page: &mut Page) -> Result<()> {
        let lines = |(name, text): &(String, String)| [format!("# {name}"), text.trim_end().to_owned(), String::new()];
        self.files.iter().flat_map(lines).try_for_each(|line| page.line(&line))
    }
}

/// Answers what would be built.
fn dry_run(env: &Env, voice: &Voice, engine: &Engine, recipe: &Recipe) -> Result<u8> {
    let version = engine.version().map_err(|error| error.failure("could not find out which builder there is"))?;
    let builder = engine.builder(&version, env.docker_buildkit.as_deref());
    let context = rendered(recipe, builder, env.now());
    let files = context.entries();
    let files = files.map(|(name, contents)| (name.to_owned(), String::from_utf8_lossy(contents).into_owned()));
    voice.reply(&DryRun { name: &recipe.name, builder: builder.word(), files: files.collect() })?;
    Ok(0)
}
