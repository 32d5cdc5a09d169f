//! `image copy`: copies images from one engine to another, by way of docker's own archives.

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use super::missing;
use crate::cli::ImageCopy;
use crate::commands::jobs::progress::Counter;
use crate::engine::pipe::{Call, Piped, Side, pipe};
use crate::engine::{Answer, Engine, argv, tail};
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::interrupt::Interrupt;
use crate::names::ImageRef;
use crate::output::{Page, Reply, Voice};

/// An image that is on both engines.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct Copied {
    /// True: the image is on the other engine.
    #[cfg_attr(test, schemars(extend("const" = true)))]
    success: bool,
    /// The name or id that was given.
    image: String,
    /// The id of the image, which is the same on both engines.
    id: String,
    /// The engine that had it: the name of a context, or a URL.
    from: String,
    /// The engine that was to get it: the name of a context, or a URL.
    to: String,
    /// How many bytes were sent; 0 if it was there.
    bytes: u64,
    /// Whether it was copied. If not, it was there.
    copied: bool,
    #[serde(skip)]
    remark: Option<String>,
}

impl Reply for Copied {
    fn show(&self, page: &mut Page) -> Result<()> {
        page.line(&self.image)
    }

    fn remark(&self) -> Option<String> {
        self.remark.clone()
    }
}

/// Copies each of them.
pub fn copy(env: &Env, voice: &Voice, args: &ImageCopy) -> Result<u8> {
    let (from, to) = (Engine::chosen(env)?, Engine::at(env, env.endpoint_of(Some(args.to.clone())))?);
    let interrupt = Interrupt::any_end()?;
    let copy = |image: &ImageRef| {
        let copying = Copying { voice, from: &from, to: &to, image, interrupt: &interrupt };
        Ok(copying.run()?)
    };
    voice.each(args.images.iter().map(copy))
}

/// One image.
struct Copying<'a> {
    voice: &'a Voice,
    from: &'a Engine,
    to: &'a Engine,
    image: &'a ImageRef,
    interrupt: &'a Interrupt,
}

impl Copying<'_> {
    fn run(&self) -> Result<Copied, Failure> {
        self.check_interrupt()?;
        let name = self.image.as_str();
        let Some(image) = self.ask(self.from, name)? else { return Err(missing(name)) };
        let id = text(&image, "Id");
        // An archive has no digests of registries, so that the other engine knows the image by its name or its id.
        let is_named =
            image["RepoTags"].as_array().is_some_and(|tags| tags.contains(&self.image.name_and_tag().into()));
        let there = if is_named { name } else { &id };
        let is_there = |image: Option<Value>| image.is_some_and(|image| text(&image, "Id") == id);
        let mut copied = self.answer(&id);
        if is_there(self.ask(self.to, there)?) {
            copied.remark = Some(self.not_needed());
            return Ok(copied);
        }
        copied.bytes = self.send(there, image["Size"].as_u64())?;
        copied.copied = true;
        match self.ask(self.to, there)? {
            found @ Some(_) if is_there(found.clone()) => Ok(copied),
            found => Err(self.not_the_same(&id, found.map(|image| text(&image, "Id")))),
        }
    }

    fn answer(&self, id: &str) -> Copied {
        let name = |engine: &Engine| engine.endpoint.name().to_owned();
        Copied {
            success: true,
            image: self.image.as_str().to_owned(),
            id: id.to_owned(),
            from: name(self.from),
            to: name(self.to),
            bytes: 0,
            copied: false,
            remark: None,
        }
    }

    /// An engine's description of an image, if it has it.
    fn ask(&self, engine: &Engine, image: &str) -> Result<Option<Value>, Failure> {
        let images = engine.images(&[image.to_owned()]).map_err(|error| error.failure(&self.could_not()))?;
        Ok(images.into_iter().next())
    }

    /// Why nothing was copied. Two engines with one id may be copies of a machine, so the id decides only what is said.
    fn not_needed(&self) -> String {
        let (name, from, to) = (self.image.as_str(), &self.from.endpoint, &self.to.endpoint);
        let has_one_id = || -> Answer<bool> { Ok(self.from.id()? == self.to.id()?) };
        if from == to || has_one_id().unwrap_or(false) {
            return format!("note: {from} and {to} are the same engine, which has image {name:?}; nothing was copied");
        }
        format!("note: {to} has image {name:?} with the same id; nothing was copied")
    }

    /// Sends the image; returns the number of bytes.
    fn send(&self, image: &str, size: Option<u64>) -> Result<u64, Failure> {
        let (save, load) = (argv::save(image), argv::load());
        let (writer, reader) = (Call { engine: self.from, args: &save }, Call { engine: self.to, args: &load });
        let mut progress = Counter::new(self.voice, self.image.shown(), size);
        let piped = pipe(writer, reader, self.interrupt, &mut |bytes| progress.tick(bytes));
        drop(progress);
        self.check_interrupt()?;
        match piped.map_err(|error| error.failure(&self.could_not()))? {
            Piped::Done { bytes } => Ok(bytes),
            // A signal that is heard later than in `pipe` is heard here, too.
            Piped::Interrupted => Err(Failure::new(ErrorKind::Interrupted, self.interrupted())),
            Piped::Failed { side, how, stderr } => Err(self.failed(side, &how, &stderr)),
        }
    }

    fn failed(&self, side: Side, how: &str, stderr: &[u8]) -> Failure {
        let (call, engine) = match side {
            Side::Writer => ("save", self.from),
            Side::Reader => ("load", self.to),
        };
        let message = format!("{}: docker {call} on {} {how}", self.could_not(), engine.endpoint);
        Failure::new(ErrorKind::EngineFailed, message).detail(tail(stderr))
    }

    /// What follows from another id than that of the image, or from none, after docker has said that the image was loaded.
    fn not_the_same(&self, id: &str, found: Option<String>) -> Failure {
        let to = &self.to.endpoint;
        let failure = |why| Failure::new(ErrorKind::EngineFailed, format!("{}: {why}", self.could_not()));
        match found {
            None => failure(format!("docker load exited with status 0, but {to} does not have it")),
            Some(other) => failure(format!("{to} has it as {other} now, and not as {id}"))
                .hint("an engine that keeps its images in containerd gives them other ids; compare: docker info"),
        }
    }

    fn check_interrupt(&self) -> Result<(), Failure> {
        self.interrupt.check(|| self.interrupted())
    }

    fn interrupted(&self) -> String {
        format!("{}: interrupted", self.could_not())
    }

    fn could_not(&self) -> String {
        format!("could not copy image {:?} to {}", self.image.as_str(), self.to.endpoint)
    }
}

fn text(image: &Value, key: &str) -> String {
    image[key].as_str().unwrap_or_default().to_owned()
}
