//! Completes a command line, for the scripts in `completions/`.
//!
//! clap's own engine (`clap_complete::engine`) finds the argument at the cursor, and offers commands, flags and fixed values.
//! [`wanted`] says what else completes an argument. The scripts and the quoting are longshore's own: those of
//! `clap_complete::env` break words at `=` and `:` in bash, insert blanks and quotes as they are, and may change with every
//! version, so that they cannot be installed as files.
//!
//! A reply never has an error: what cannot be found out is left out.

mod docker;
mod jobs;
mod line;
mod queues;
mod reply;
mod source;
mod wanted;

use std::ffi::OsString;
use std::io::Write as _;
use std::sync::Arc;

use anyhow::Result;
use clap::{Arg, Command};
use clap_complete::Shell;
use clap_complete::engine::{CompletionCandidate, complete};

use crate::cli::{ScriptShell, published};
use crate::env::Env;
use crate::output::Voice;
use line::Line;
use reply::Offer;
use wanted::{Source, Wanted, attach};

/// The completion script for a shell. Those for elvish and PowerShell are clap's, and complete commands and flags only.
#[must_use]
pub fn script(shell: Shell) -> Vec<u8> {
    match shell {
        Shell::Bash => include_bytes!("../../../completions/longshore.bash").to_vec(),
        Shell::Zsh => include_bytes!("../../../completions/_longshore").to_vec(),
        Shell::Fish => include_bytes!("../../../completions/longshore.fish").to_vec(),
        other => {
            let mut script = Vec::new();
            clap_complete::generate(other, &mut published(), "longshore", &mut script);
            script
        }
    }
}

/// Prints what can stand at the end of `typed`. `breaks` are bash's `COMP_WORDBREAKS`.
pub fn run(env: &Env, voice: &Voice, shell: ScriptShell, typed: &str, breaks: &str) -> Result<u8> {
    voice.bytes()?.write_all(reply(env, shell, typed, breaks).as_bytes())?;
    Ok(0)
}

fn reply(env: &Env, shell: ScriptShell, typed: &str, breaks: &str) -> String {
    let line = Line::read(shell, typed, breaks);
    if line.is_target {
        return reply::paths(reply::Paths::Files);
    }
    let source = Arc::new(Source::new(env.clone(), line));
    let candidates = candidates(&source);
    match source.asked() {
        Some(Wanted::Paths(paths)) => reply::paths(paths),
        asked => {
            let mut offers: Vec<Offer> = candidates.into_iter().filter_map(offer).collect();
            // Flags are offered where nothing else could stand, and once a dash is typed.
            let is_flag = |offer: &Offer| offer.value.starts_with('-');
            if source.line.current.is_empty() && (asked.is_some() || !offers.iter().all(is_flag)) {
                offers.retain(|offer| !is_flag(offer));
            }
            reply::words(shell, &source.line, offers)
        }
    }
}

fn candidates(source: &Arc<Source>) -> Vec<CompletionCandidate> {
    let line = &source.line;
    // For a single dash clap offers the short form of a flag that has both.
    let current = if line.current == "-" { "--" } else { &line.current };
    let words: Vec<OsString> = line.words.iter().map(String::as_str).chain([current]).map(OsString::from).collect();
    let mut command = attach(published(), source);
    command.build();
    if has_unknown_command(&command, &line.words) {
        return Vec::new();
    }
    complete(&mut command, words, line.words.len(), None).unwrap_or_default()
}

/// Whether a word stands where a command must be, and is none. clap's engine ignores such a word.
fn has_unknown_command(mut command: &Command, words: &[String]) -> bool {
    let mut words = words.iter().skip(1);
    while command.has_subcommands()
        && let Some(word) = words.next()
    {
        if let Some(inner) = command.find_subcommand(word) {
            command = inner;
        } else if !word.starts_with('-') {
            return true;
        } else if command.get_arguments().any(|arg| takes_next(arg, word)) {
            words.next();
        }
    }
    false
}

/// Whether this word is the flag, and the next one is its value.
fn takes_next(arg: &Arg, word: &str) -> bool {
    arg.get_action().takes_values() && arg.get_long().is_some_and(|long| word.strip_prefix("--") == Some(long))
}

fn offer(candidate: CompletionCandidate) -> Option<Offer> {
    let about = candidate.get_help().map(ToString::to_string).unwrap_or_default();
    let about = about.lines().next().unwrap_or_default().to_owned();
    Some(Offer { value: candidate.get_value().to_str()?.to_owned(), about })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_command_is_found_where_a_command_must_be() {
        let mut command = published();
        command.build();
        let unknown = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            has_unknown_command(&command, &words)
        };
        for line in ["x", "x exec", "x --json exec wait any", "x --context image exec --color=always list", "x -v exec"]
        {
            assert!(!unknown(line), "{line}");
        }
        for line in ["x nonsense", "x exec nonsense", "x --context a nonsense", "x exec --json nonsense"] {
            assert!(unknown(line), "{line}");
        }
    }

    proptest::proptest! {
        /// Neither clap's engine nor what is around it fails on any line.
        #[test]
        fn any_line_is_completed(words in proptest::collection::vec(
            "image|exec|container|list|run|wait|kill|create|--filter|--filter=|--spec=|--src|-n|-s|-e|--|-|--json|[ -~]{0,8}", 0..7,
        ), shell in 0..3usize) {
            let dir = tempfile::tempdir().unwrap();
            // Without a docker program, no process is started.
            let mut env = Env::in_dir(dir.path());
            env.docker = Some("/nonexistent/docker".into());
            let typed = format!("longshore {}", words.join(" "));
            let shell = [ScriptShell::Bash, ScriptShell::Zsh, ScriptShell::Fish][shell];
            let text = reply(&env, shell, &typed, " =:");
            let kind = text.lines().next().unwrap_or_default();
            proptest::prop_assert!(["words", "open", "files", "directories"].contains(&kind), "{}", text);
        }
    }
}
