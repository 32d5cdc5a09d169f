//! longshore: background jobs for Docker.
//!
//! `main` parses the command line, runs one command, prints its error if it fails, and returns the exit code.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own worlds"))]

mod cli;
mod commands;
mod engine;
mod env;
mod envfile;
mod error;
mod fault;
mod fs;
mod help;
mod interrupt;
mod invalid;
mod job;
#[cfg(test)]
mod layers;
mod log;
mod names;
mod output;
#[cfg(test)]
mod papers;
mod parallel;
#[cfg(test)]
mod properties;
mod recipe;
mod runner;
#[cfg(test)]
mod schemas;
mod shell;
mod spec;
mod stamp;
mod supervisor;
mod survey;
mod sweep;
mod terminal;
mod transfer;
mod units;
mod usage;

use std::ffi::OsString;
use std::process::ExitCode;

use cli::{Cli, ColorWhen};
use env::Env;
use error::{Failure, Kind, Verb, exit_code};
use names::Endpoint;
use output::{Form, Voice};
use usage::Answer;

const PANICKED: &str = "longshore panicked, which is a defect of longshore";

fn main() -> ExitCode {
    // The caller may have blocked signals. With SIGCHLD blocked, the supervisor would never hear of its client's end.
    let _ = nix::sys::signal::SigSet::empty().thread_set_mask();
    // If the caller ignores SIGCHLD, the exit status of a child is lost. Any handler repairs that.
    let heard = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let _ = signal_hook::flag::register(signal_hook::consts::SIGCHLD, heard);
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = match cli::parse(&arguments) {
        Ok(cli) => cli,
        Err(error) => return unparsed(&error, &arguments),
    };
    let env = prepare(&cli);
    let verb = commands::verb(&cli.command);
    let voice = Voice::new(&env, form(&cli));
    // The exit code of a panic must not be taken for the code of a program, and stdout must be a document.
    let run = std::panic::AssertUnwindSafe(|| env.check().and_then(|()| commands::run(&env, &voice, cli.command)));
    let ran = std::panic::catch_unwind(run).unwrap_or_else(|_| Err(Failure::new(Kind::Internal, PANICKED).into()));
    match ran {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_silence(&error, output::stdout_is_closed) => ExitCode::SUCCESS,
        Err(error) => fail(&voice, &Failure::of(&error), verb),
    }
}

fn prepare(cli: &Cli) -> Env {
    let global = &cli.global;
    let mut env = Env::gather();
    let host = global.host.clone().map(Endpoint::Host);
    env.wanted_endpoint = host.or_else(|| global.context.clone().map(Endpoint::Context));
    env.trace = global.verbose.then_some(output::trace);
    env.notice = Some(output::notice);
    match global.color {
        ColorWhen::Auto => {}
        ColorWhen::Always => env.force_color = true,
        ColorWhen::Never => (env.force_color, env.no_color) = (false, true),
    }
    env
}

fn form(cli: &Cli) -> Form {
    match cli.global.json {
        false => Form::Text,
        true if commands::streams(&cli.command) => Form::Rows,
        true => Form::Document,
    }
}

fn fail(voice: &Voice, failure: &Failure, verb: Verb) -> ExitCode {
    voice.failure(failure);
    ExitCode::from(exit_code(failure, verb))
}

/// Prints help and version to stdout. Every other error of clap becomes a usage error in longshore's form.
fn unparsed(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let form = if usage::wants_json(arguments) { Form::Document } else { Form::Text };
    let voice = Voice::new(&Env::gather(), form);
    match usage::answer(error, arguments) {
        Answer::Text(code) => {
            let _ = error.print();
            ExitCode::from(code)
        }
        Answer::Version(version) => {
            let _ = voice.reply(&version);
            ExitCode::SUCCESS
        }
        Answer::Refusal(failure, verb) => fail(&voice, &failure, verb),
    }
}

/// Whether the error is that the reader of stdout has closed it (`| head`), which counts as success. A broken pipe to
/// another program, such as a docker client, is an error.
fn is_silence(error: &anyhow::Error, reader_has_gone: impl Fn() -> bool) -> bool {
    let is_pipe = |error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe;
    let broken = error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(is_pipe)
            || cause
                .downcast_ref::<serde_json::Error>()
                .is_some_and(|error| error.io_error_kind() == Some(std::io::ErrorKind::BrokenPipe))
    });
    broken && reader_has_gone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn only_a_reader_of_stdout_that_has_gone_is_silence() {
        let error = |kind| Err::<(), _>(std::io::Error::from(kind)).context("could not write").unwrap_err();
        let broken = error(std::io::ErrorKind::BrokenPipe);
        assert!(is_silence(&broken, || true));
        assert!(!is_silence(&broken, || false), "a pipe that broke elsewhere");
        assert!(!is_silence(&error(std::io::ErrorKind::StorageFull), || true));
    }
}
