//! Whether `image create` has to build: `--if-changed` and `--if-missing`. Nothing is built here.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;

use crate::cli::ImageCreate;
use crate::engine::{Engine, argv};
use crate::env::Env;
use crate::job::Job;
use crate::job::record::{Kind, Record, Work};
use crate::job::store::Store;
use crate::names::JobId;
use crate::recipe::growth::Steps;
use crate::recipe::{Base, CaCert, MadeOf, Recipe};
use crate::runner::week;
use crate::spec::RecipeSpec;

/// When a build is not needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// When the image was made of the same recipe and the same base image.
    Changed,
    /// When there is an image of that name.
    Missing,
}

impl Condition {
    /// The condition of the flags.
    pub fn of(args: &ImageCreate) -> Option<Self> {
        let changed = args.if_changed.then_some(Self::Changed);
        changed.or(args.if_missing.then_some(Self::Missing))
    }

    /// Why nothing is built.
    pub fn reason(self, name: &str) -> String {
        match self {
            Self::Changed => format!("image {name:?} is up to date"),
            Self::Missing => format!("there is an image {name:?}"),
        }
    }
}

/// What has to be done.
#[derive(Debug)]
pub enum Need {
    /// A build. Nobody has asked the engine.
    Build,
    /// A build. The engine has answered.
    BuildThere,
    /// Nothing: the image is there.
    Nothing(Present),
    /// To wait for a build that runs.
    Running(Job),
}

/// An image that is there.
#[derive(Debug)]
pub struct Present {
    /// Its id.
    pub id: String,
    /// The build that made it, as its label says.
    pub job: Option<JobId>,
}

/// What would be built, and when it need not be.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// When a build is not needed.
    pub condition: Condition,
    /// What the image is to be made of.
    pub recipe: &'a Recipe,
    /// The labels that it is to have.
    pub labels: &'a BTreeMap<String, String>,
    /// Whether the registry is asked for a newer base image. Only a build can find out.
    pub pull: bool,
    /// Whether all packages are to be in one step for apt and one for pip.
    pub squash: bool,
}

impl Wish<'_> {
    /// Finds out what has to be done, with one question to the engine if it has both images.
    pub fn need(&self, env: &Env, engine: &Engine) -> Result<Need> {
        if let Some(job) = self.running(env)? {
            return Ok(Need::Running(job));
        }
        let could_not = format!("could not look for image {:?}", self.recipe.name.shown());
        let ask = |names: &[String]| engine.images(names).map_err(|error| error.failure(&could_not));
        let name = self.recipe.name.normalized();
        let present = match self.condition {
            Condition::Changed if self.pull => return Ok(Need::Build),
            Condition::Changed => self.unchanged(env, &ask(&[name, self.recipe.base.to_string()])?)?,
            Condition::Missing => ask(&[name])?.first().map(Present::of),
        };
        Ok(present.map_or(Need::BuildThere, Need::Nothing))
    }

    /// The newest build of this name, whatever became of it.
    pub fn newest(&self, env: &Env) -> Result<Option<JobId>> {
        let store = Store::open(env, Kind::Build)?;
        Ok(store.and_then(|store| store.named(&self.recipe.name.normalized())).map(|job| job.id))
    }

    /// A build of this name that runs, and whose image is what is wanted.
    fn running(&self, env: &Env) -> Result<Option<Job>> {
        let Some(store) = Store::open(env, Kind::Build)? else { return Ok(None) };
        let Some(job) = store.named(&self.recipe.name.normalized()) else { return Ok(None) };
        if job.is_forgotten() || job.has_surely_ended()? {
            return Ok(None);
        }
        let is_wanted = match self.condition {
            Condition::Missing => true,
            Condition::Changed => job.record().is_ok_and(|record| self.is_asked_by(env, &record)),
        };
        Ok(is_wanted.then_some(job))
    }

    fn is_asked_by(&self, env: &Env, record: &Record) -> bool {
        let recorded = || -> Result<String> {
            let Work::Build(build) = &record.work else { anyhow::bail!("it is not a build") };
            anyhow::ensure!(build.is_from_nothing() || !self.squash, "it may append a step");
            let ca_cert = build.ca_cert.as_deref().map(|pem| CaCert::parse(pem.as_bytes())).transpose()?;
            let spec: RecipeSpec = serde_json::from_value(build.recipe.clone())?;
            Ok(Recipe::new(&spec, ca_cert)?.fingerprint(&week(record.created), &record.labels))
        };
        recorded().is_ok_and(|recorded| recorded == self.fingerprint(env))
    }

    fn fingerprint(&self, env: &Env) -> String {
        self.recipe.fingerprint(&week(env.now()), self.labels)
    }

    /// The image among these that the engine has, if it was made of this recipe and of the base image as it is now.
    fn unchanged(&self, env: &Env, images: &[Value]) -> Result<Option<Present>> {
        let tag = self.recipe.name.normalized();
        let is_tagged =
            |image: &&Value| image["RepoTags"].as_array().is_some_and(|tags| tags.iter().any(|t| *t == tag));
        let Some(image) = images.iter().find(is_tagged) else { return Ok(None) };
        let base = match images {
            // In the order in which they were asked for.
            [_, base] => Base::Id(base["Id"].as_str().unwrap_or_default().to_owned()),
            _ if self.recipe.base.name_and_tag() == tag => return Ok(None),
            _ => Base::Missing,
        };
        let present = Present::of(image);
        let made_of: MadeOf = label(image, argv::RECIPE_LABEL).unwrap_or_default().parse()?;
        let wanted = MadeOf { recipe: self.fingerprint(env), base };
        // The legacy builder leaves the label of the base image.
        let inherited = if let [_, base] = images { label(base, argv::STEPS_LABEL) } else { None };
        let steps = label(image, argv::STEPS_LABEL).filter(|steps| Some(*steps) != inherited);
        let is_split = self.squash && steps.is_some_and(|steps| Steps::counted(steps) > 1);
        let is_same = made_of.is(&wanted) && !is_split && present.is_of_its_job(env)?;
        Ok(is_same.then_some(present))
    }
}

impl Present {
    fn of(image: &Value) -> Self {
        let job = label(image, argv::JOB_LABEL).and_then(|id| JobId::parse(id).ok());
        Self { id: image["Id"].as_str().unwrap_or_default().to_owned(), job }
    }

    /// An image that was made from another one inherits its labels. Where the build of the label is known, so is its image.
    fn is_of_its_job(&self, env: &Env) -> Result<bool> {
        let Some(store) = Store::open(env, Kind::Build)? else { return Ok(true) };
        let exit = self.job.as_ref().and_then(|id| store.job(id)).and_then(|job| job.exit()).and_then(Result::ok);
        let made = exit.and_then(|exit| exit.image_id);
        Ok(made.is_none_or(|made| made == self.id))
    }
}

fn label<'a>(image: &'a Value, key: &str) -> Option<&'a str> {
    image.pointer("/Config/Labels")?.get(key)?.as_str()
}
