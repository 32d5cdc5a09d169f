//! `exec rerun`: starts a run again from its record, with what the flags change.

use anyhow::Result;

use super::run::{Asked, env_files, given, start};
use crate::cli::ExecRerun;
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::job::record::{Kind, Record};
use crate::job::select::find;
use crate::job::{Job, again};
use crate::names::EnvKey;
use crate::output::Voice;
use crate::spec::{RunSpec, listed};

/// Starts the same run again, on the engine that it was started on unless another one is chosen.
pub fn rerun(env: &Env, voice: &Voice, args: &ExecRerun) -> Result<u8> {
    let (_, job) = find(env, Kind::Run, &args.run.job)?;
    let (record, before) = recorded(&job)?;
    let spec = given(&args.spec, before, env_files(&args.env_files)?);
    check_values(env, &job, &spec)?;
    let endpoint = env.wanted_endpoint.clone().unwrap_or(record.endpoint);
    let mut env = env.clone();
    env.wanted_endpoint = Some(endpoint);
    let (group, parameters) = (args.group.clone(), record.parameters);
    start(&env, voice, Asked { spec, rerun_of: Some(job.id), group, parameters, reads_stdin: false, stay: &args.stay })
}

/// The record of a run, and the spec that asks for it again.
pub fn recorded(job: &Job) -> Result<(Record, RunSpec)> {
    let unable = |why: String| {
        let failure = Failure::new(ErrorKind::State, format!("could not tell how run {} was started: {why}", job.id));
        failure.hint("start it anew with: longshore exec run")
    };
    let record = job.record().map_err(|damaged| unable(damaged.0))?;
    let spec = record.run().map(|run| again::spec(&record, run));
    let spec = spec.ok_or_else(|| unable("it is a build".into()))?.map_err(|invalid| unable(invalid.to_string()))?;
    Ok((record, spec))
}

/// Refuses a variable that would be left out although the run had it: its value is not stored, and the caller has none.
fn check_values(env: &Env, job: &Job, spec: &RunSpec) -> Result<(), Failure> {
    let mut missing: Vec<&EnvKey> = Vec::new();
    for variable in &spec.env {
        missing.retain(|key| **key != variable.key);
        if variable.value.is_none() && env.variable(variable.key.as_str()).is_none() {
            missing.push(&variable.key);
        }
    }
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let (what, has, it) = match names.len() {
        0 => return Ok(()),
        1 => ("the variable", "has", "it"),
        _ => ("the variables", "have", "them"),
    };
    let why = format!("{what} {} {has} no value in your environment", listed(&names));
    let flags: Vec<String> = names.iter().map(|name| format!("--env {name}=VALUE")).collect();
    Err(Failure::usage(format!("could not start run {} again: {why}", job.id))
        .hint(format!("values are not stored; export {it}, or give {it} with: {}", flags.join(" "))))
}
