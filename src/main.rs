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
#[cfg(test)]
mod properties;
mod recipe;
mod runner;
#[cfg(test)]
mod schemas;
mod shell;
mod spec;
mod supervisor;
mod survey;
mod terminal;
mod units;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, ColorWhen};
use env::Env;
use error::{Failure, Kind, Verb, exit_code};
use names::Endpoint;
use output::{Form, Voice};

fn main() -> ExitCode {
    // The caller may have blocked signals. With SIGCHLD blocked, the supervisor would never hear of its client's end.
    let _ = nix::sys::signal::SigSet::empty().thread_set_mask();
    // If the caller ignores SIGCHLD, the exit status of a child is lost. Any handler repairs that.
    let heard = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let _ = signal_hook::flag::register(signal_hook::consts::SIGCHLD, heard);
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &arguments),
    };
    let env = prepare(&cli);
    let verb = commands::verb(&cli.command);
    let voice = Voice::new(&env, form(&cli));
    match commands::run(&env, &voice, cli.command) {
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
    env.trace = (global.verbose || global.v || commands::is_verbose(&cli.command)).then_some(output::trace);
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
fn usage(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    use clap::error::ErrorKind;
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if matches!(error.kind(), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand) && !wants_json(arguments) {
        let _ = error.print();
        return ExitCode::from(2);
    }
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let (message, rest) = text.split_once("\n\n").unwrap_or((text, ""));
    let tip = rest.lines().find_map(|line| line.trim().strip_prefix("tip: "));
    let help = format!("{} --help", noun_and_verb(arguments));
    let hint = tip.map_or_else(|| format!("see: {help}"), |tip| format!("{tip}; see: {help}"));
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let failure = Failure::new(Kind::Usage, message).hint(hint);
    let verb = if passes_on(&noun_and_verb(arguments), arguments) { Verb::PassesOn } else { Verb::Plain };
    let form = if wants_json(arguments) { Form::Document } else { Form::Text };
    fail(&Voice::new(&Env::gather(), form), &failure, verb)
}

/// Whether a command line that does not parse asks for a program's exit code; compare `commands::verb`.
fn passes_on(command: &str, arguments: &[OsString]) -> bool {
    let has = |flag: &str| arguments.iter().take_while(|word| *word != "--").any(|word| word == flag);
    match command {
        "longshore image wait" | "longshore exec wait" => true,
        "longshore image create" | "longshore exec run" => has("--wait") || has("--follow"),
        _ => has("--exit-code"),
    }
}

/// The words of `longshore NOUN VERB` that are known commands.
fn noun_and_verb(arguments: &[OsString]) -> String {
    use clap::CommandFactory as _;
    let mut command = &Cli::command();
    let mut shown = "longshore".to_owned();
    for word in arguments.iter().skip(1).filter_map(|word| word.to_str()).filter(|word| !word.starts_with('-')) {
        let Some(found) = command.find_subcommand(word) else { break };
        shown = format!("{shown} {word}");
        command = found;
    }
    shown
}

/// Whether `--json` is among the words before `--`. The raw words are searched, because a command line that does not parse
/// must also be answered in JSON.
fn wants_json(arguments: &[OsString]) -> bool {
    arguments.iter().take_while(|word| *word != "--").any(|word| word == "--json")
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
