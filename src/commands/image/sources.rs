//! The files from which `image create` takes packages. What is in them becomes text of the recipe, so a recipe needs no
//! other file later.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::Result;

use crate::cli::{ImageCreate, RecipeSources};
use crate::commands::read_spec;
use crate::error::{Failure, plain};
use crate::names::{Packages, RequirementLines};
use crate::recipe::{Place, Reader, Role, Source, apt_file, pyproject};
use crate::spec::RecipeSpec;

/// The largest file that is read, in bytes. What is kept of all of them is smaller.
const LARGEST: u64 = 8 << 20;

/// The recipe: the flags and the files that they name, over a spec. What they name of a kind takes the place of what the
/// spec has of it.
pub fn recipe(args: &ImageCreate) -> Result<RecipeSpec> {
    let mut flags = args.spec.clone();
    for path in &args.sources.apt_file {
        flags.apt_install.push(apt_file::packages(path, &open(path, "the packages for apt")?)?);
    }
    let mut spec = flags.over(read_spec(args.file.as_deref())?);
    project(&args.sources, &mut spec)?;
    requirements(&args.sources, &mut spec)?;
    Ok(spec)
}

/// Puts the packages of a `pyproject.toml` in its place. A record has nothing else of the file, in which the index of
/// some tool may have a password.
fn project(sources: &RecipeSources, spec: &mut RecipeSpec) -> Result<()> {
    if !sources.group.is_empty() {
        spec.groups.clone_from(&sources.group);
    }
    if !sources.extra.is_empty() {
        spec.extras.clone_from(&sources.extra);
    }
    let packages = match &sources.pyproject {
        None => pyproject::of_spec(spec)?,
        Some(path) => {
            let text = open(path, "the project")?.text(path)?;
            pyproject::packages(Place::File(path), &text, &spec.groups, &spec.extras)?
        }
    };
    spec.pip_install.extend((!packages.is_empty()).then_some(Packages(packages)));
    (spec.pyproject, spec.groups, spec.extras) = Default::default();
    Ok(())
}

/// Needs the whole spec, because the index and the packages of `--pip` may be in it.
fn requirements(sources: &RecipeSources, spec: &mut RecipeSpec) -> Result<()> {
    let index = spec.pip_index_url.clone();
    let open = |path: &Path| open(path, "the requirements");
    let mut reader = Reader::new(index.as_ref(), &open);
    for path in &sources.requirements {
        reader.file(path, Role::Wanted)?;
    }
    for path in &sources.constraints {
        reader.file(path, Role::Constraint)?;
    }
    let found = reader.finish();
    let listed: Vec<_> = spec.pip_install.iter().flat_map(|list| list.0.iter().cloned()).collect();
    found.check_hashes(&listed)?;
    let [wanted, constraints] = found.texts();
    if !sources.requirements.is_empty() {
        spec.requirements = Some(RequirementLines::parse(&wanted)?);
    }
    if !constraints.is_empty() {
        spec.constraints = Some(RequirementLines::parse(&constraints)?);
    }
    Ok(())
}

/// Reads a file whole. Its resolved path tells it from others; a pipe has none, and is told by the path that was given.
fn open(path: &Path, what: &str) -> Result<Source, Failure> {
    let failed =
        |error: &io::Error| Failure::usage(format!("could not read {what} {}: {}", path.display(), plain(error)));
    let file = File::open(path).map_err(|error| failed(&error))?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if bytes.len() as u64 > LARGEST {
        return Err(Failure::usage(format!("{} is larger than {} MiB", path.display(), LARGEST >> 20)));
    }
    Ok(Source { identity: path.canonicalize().unwrap_or_else(|_| path.to_path_buf()), bytes })
}
