//! What a run must be given: a source directory, an image, and exactly one program, which is a file, a module or a command.

use std::path::Path;
use std::str::FromStr;

use crate::error::Failure;
use crate::job::record::Program;
use crate::names::{ImageRef, Invalid, JobName, Open};
use crate::spec::{Required, RunSpec, listed, missing};

/// The required fields of a run.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The source directory.
    pub src: &'a Path,
    /// The image to run in.
    pub image: &'a ImageRef,
    /// The program.
    pub program: Program,
    /// Its arguments.
    pub args: Vec<String>,
    /// The run's name.
    pub name: Option<JobName>,
}

impl<'a> Wanted<'a> {
    /// Checks the required fields.
    ///
    /// # Errors
    /// A usage error that names everything that is missing, or the programs of which only one can be given.
    pub fn of(spec: &'a RunSpec) -> Result<Self, Failure> {
        let program = program(spec)?;
        let name = spec.name.as_ref().map(set).transpose()?.cloned();
        match (&spec.src_path, program, &spec.image_tag) {
            (Some(src), Some((program, args)), Some(image)) => Ok(Self { src, image, program, args, name }),
            (src, program, image) => Err(incomplete(spec, src.is_some(), program.is_some(), image.is_some())),
        }
    }
}

fn incomplete(spec: &RunSpec, has_src: bool, has_program: bool, has_image: bool) -> Failure {
    let failure = missing(&[
        Required { flag: "--image IMAGE", key: "imageTag", is_given: has_image },
        Required { flag: "--src DIR", key: "srcPath", is_given: has_src },
        Required { flag: "--main FILE", key: "mainSrc", is_given: has_program },
    ]);
    if has_src && has_image && !spec.args.is_empty() {
        failure.hint("to run the words after `--` as the whole command, add --command")
    } else {
        failure
    }
}

/// A value that no sweep completes.
fn set<T: FromStr<Err = Invalid>>(value: &Open<T>) -> Result<&T, Failure> {
    value.value().map_err(|invalid| Failure::of(&invalid.into()))
}

/// The program and its arguments; `None` if none is given.
fn program(spec: &RunSpec) -> Result<Option<(Program, Vec<String>)>, Failure> {
    let given = [("--main", spec.main_src.is_some()), ("--entry", spec.entry.is_some()), ("--command", spec.command)];
    let given: Vec<String> =
        given.iter().filter(|(_, is_given)| *is_given).map(|(flag, _)| (*flag).to_owned()).collect();
    if given.len() > 1 {
        return Err(Failure::usage(format!("only one of {} can be given", listed(&given)))
            .hint("a run starts a file (--main), a module (--entry), or the words after `--` (--command)"));
    }
    let args: Vec<String> = spec.args.iter().map(ToString::to_string).collect();
    Ok(match (&spec.main_src, &spec.entry) {
        (Some(file), _) => Some((Program::Main(file.clone()), args)),
        (_, Some(module)) => Some((Program::Module(set(module)?.clone()), args)),
        _ if spec.command => Some(command(&args)?),
        _ => None,
    })
}

/// The first word is the program. docker takes an empty one for the image's own.
fn command(words: &[String]) -> Result<(Program, Vec<String>), Failure> {
    match words.split_first() {
        Some((program, args)) if !program.is_empty() => Ok((Program::Command(program.clone()), args.to_vec())),
        _ => Err(Failure::usage("missing the command of --command")
            .hint("write it after `--`, for example: --command -- python3 -c 'print(1)'")),
    }
}
