//! `image rm`: removes images from the engine. The records of builds stay.

use anyhow::Result;
use serde::Serialize;

use super::missing;
use crate::cli::ImageRm;
use crate::engine::{Engine, EngineError, argv};
use crate::env::Env;
use crate::error::Failure;
use crate::names::ImageRef;
use crate::output::{Page, Reply, Voice};

/// An image that was removed, or that lost one of its names.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct Removed {
    /// True: it was done.
    #[cfg_attr(test, schemars(extend("const" = true)))]
    success: bool,
    /// The name or id that was given.
    image: String,
    /// The names that were taken from it.
    untagged: Vec<String>,
    /// The ids of the images and layers that are gone; empty if it has other names.
    deleted: Vec<String>,
}

impl Reply for Removed {
    fn show(&self, page: &mut Page) -> Result<()> {
        page.line(&self.image)
    }

    fn remark(&self) -> Option<String> {
        self.deleted.is_empty().then(|| format!("note: the image of {} has other names, and stays", self.image))
    }
}

/// Removes each of them.
pub fn remove(env: &Env, voice: &Voice, args: &ImageRm) -> Result<u8> {
    let engine = Engine::chosen(env)?;
    let flags: &[&str] = if args.force { &["--force"] } else { &[] };
    voice.each(args.images.iter().map(|image| Ok(remove_one(&engine, image, flags)?)))
}

fn remove_one(engine: &Engine, image: &ImageRef, flags: &[&str]) -> Result<Removed, Failure> {
    let could_not = format!("could not remove image {:?}", image.as_str());
    match engine.read(&argv::image_remove(image.as_str(), flags)) {
        Ok(said) => Ok(Removed::of(image, &String::from_utf8_lossy(&said))),
        Err(error @ EngineError::Failed { .. }) => Err(match engine.has_image(image.as_str()) {
            Ok(false) => missing(image.as_str()),
            _ => error.failure(&could_not).hint(format!(
                "see what uses it: longshore container list -a --filter ancestor={image}   remove it all the same: -f"
            )),
        }),
        Err(error) => Err(error.failure(&could_not)),
    }
}

impl Removed {
    /// docker prints a line `Untagged: NAME` or `Deleted: ID` for each; it has no form for programs.
    fn of(image: &ImageRef, said: &str) -> Self {
        let those = |what: &str| said.lines().filter_map(|line| line.strip_prefix(what)).map(str::to_owned).collect();
        Self {
            success: true,
            image: image.as_str().to_owned(),
            untagged: those("Untagged: "),
            deleted: those("Deleted: "),
        }
    }
}
