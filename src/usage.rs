//! The answer to a command line that does not parse, and to a request for help or the version. Pure.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use serde::Serialize;

use crate::cli;
use crate::error::{Failure, Verb};
use crate::names::{Invalid, nearest};
use crate::output::Reply;
use crate::supervisor::SUBCOMMAND;

/// What is done with it.
#[derive(Debug)]
pub enum Answer {
    /// clap's own text is printed, with this exit code.
    Text(u8),
    /// The version, as JSON.
    Version(Version),
    /// It fails.
    Refusal(Failure, Verb),
}

/// The version as a document.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct Version {
    /// The program's name.
    #[cfg_attr(test, schemars(extend("const" = "longshore")))]
    name: &'static str,
    /// Its version.
    version: &'static str,
}

impl Reply for Version {}

/// What clap's error or text becomes for this command line.
#[must_use]
pub fn answer(error: &clap::Error, arguments: &[OsString]) -> Answer {
    let json = wants_json(arguments);
    match error.kind() {
        ErrorKind::DisplayVersion if json => {
            Answer::Version(Version { name: "longshore", version: env!("CARGO_PKG_VERSION") })
        }
        ErrorKind::DisplayHelp if json => {
            Answer::Refusal(Failure::usage("help is text and not JSON").hint("leave --json out"), Verb::Plain)
        }
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Answer::Text(0),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand if !json => Answer::Text(2),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            Answer::Refusal(Words::of(arguments).incomplete(), Verb::Plain)
        }
        _ => {
            let command = Words::of(arguments);
            Answer::Refusal(command.refusal(error), command.verb(arguments))
        }
    }
}

/// Whether `--json` is among the words before `--`. The raw words are searched, because a command line that does not parse
/// must also be answered in JSON.
#[must_use]
pub fn wants_json(arguments: &[OsString]) -> bool {
    has(arguments, "--json")
}

fn has(arguments: &[OsString], flag: &str) -> bool {
    arguments.iter().take_while(|word| *word != "--").any(|word| word == flag)
}

/// The command of a command line, as far as it is known: its words after `longshore`, and the commands below it.
struct Words {
    words: Vec<String>,
    below: Vec<String>,
    /// Whether it starts a job and has `--wait`.
    can_wait: bool,
}

impl Words {
    fn of(arguments: &[OsString]) -> Self {
        let mut command = &cli::command();
        let mut words = Vec::new();
        for word in arguments.iter().skip(1).filter_map(|word| word.to_str()).filter(|word| !word.starts_with('-')) {
            let Some(found) = command.find_subcommand(word) else { break };
            words.push(found.get_name().to_owned());
            command = found;
        }
        let below = command.get_subcommands().filter(|command| !command.is_hide_set());
        let can_wait = command.get_arguments().any(|arg| arg.get_long() == Some("wait"));
        Self { below: below.map(|command| command.get_name().to_owned()).collect(), words, can_wait }
    }

    /// As it is typed.
    fn shown(&self) -> String {
        ["longshore"].into_iter().chain(self.words.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
    }

    fn incomplete(&self) -> Failure {
        let (shown, below) = (self.shown(), self.below.join(", "));
        Failure::usage(format!("`{shown}` needs a command")).hint(format!("use one of: {below}; see: {shown} --help"))
    }

    fn refusal(&self, error: &clap::Error) -> Failure {
        let text = error.render().to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let (message, rest) = text.split_once("\n\n").unwrap_or((text, ""));
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        let advice = match (error.kind(), error.get(ContextKind::InvalidArg)) {
            (ErrorKind::UnknownArgument, Some(ContextValue::String(flag))) => dockers(&self.words.join(" "), flag),
            _ => None,
        };
        let see = format!("see: {} --help", self.shown());
        let hint = match advice
            .or_else(|| of_value(error))
            .or_else(|| tip(rest).filter(|tip| is_close(tip, error)))
            .or_else(|| self.of_the_program(error))
        {
            Some(advice) => format!("{advice}; {see}"),
            None => see,
        };
        Failure::usage(message).hint(hint)
    }

    /// Where an option of the program belongs, for an option that neither longshore nor docker has.
    fn of_the_program(&self, error: &clap::Error) -> Option<String> {
        let runs = self.words.first().is_some_and(|noun| noun == "exec") && self.can_wait;
        let is_unknown = error.kind() == ErrorKind::UnknownArgument;
        (runs && is_unknown).then(|| "options of the program are given at the end, after `--`".to_owned())
    }

    /// Whether the command asks for a program's exit code; compare `commands::verb`.
    fn verb(&self, arguments: &[OsString]) -> Verb {
        let waits = self.words.last().is_some_and(|verb| verb == "wait");
        let stays = self.can_wait && ["--wait", "--follow", "--foreground"].iter().any(|flag| has(arguments, flag));
        if waits || stays || has(arguments, "--exit-code") { Verb::PassesOn } else { Verb::Plain }
    }
}

/// The advice of the type that refused a value. clap shows its message only.
fn of_value(error: &clap::Error) -> Option<String> {
    std::error::Error::source(error)?.downcast_ref::<Invalid>()?.hint.clone()
}

/// clap's advice, such as a similar flag. It also advises to put an unknown flag after `--`, which would make an option for
/// docker an argument of the program.
fn tip(rest: &str) -> Option<String> {
    let mut tips = rest.lines().filter_map(|line| line.trim().strip_prefix("tip: "));
    tips.find(|tip| !tip.starts_with("to pass '") && !tip.contains(SUBCOMMAND)).map(str::to_owned)
}

/// Whether the flag that clap advises could have been meant: it is near what was typed, or one of them begins with the other.
/// clap takes `--epochs`, an option of many programs, for `--each`.
fn is_close(tip: &str, error: &clap::Error) -> bool {
    let similar = tip.strip_prefix("a similar argument exists: '").and_then(|rest| rest.strip_suffix('\''));
    let (Some(similar), Some(ContextValue::String(typed))) = (similar, error.get(ContextKind::InvalidArg)) else {
        return true;
    };
    let typed = typed.split('=').next().unwrap_or_default();
    typed.starts_with(similar) || similar.starts_with(typed) || nearest(typed, &[similar]).is_some()
}

/// What to do instead of a flag that docker has and this command has not.
fn dockers(command: &str, flag: &str) -> Option<String> {
    let flag = flag.split('=').next().unwrap_or_default();
    let known: &[(&[&str], &str)] = match command {
        "exec run" | "exec rerun" => &RUN,
        "image create" => &BUILD,
        _ => &[],
    };
    let found = known.iter().find(|(flags, _)| flags.contains(&flag)).map(|(_, advice)| *advice);
    found.or((flag == "-v").then_some("use --verbose to print each docker command line")).map(str::to_owned)
}

/// Flags of `docker run`.
const RUN: [(&[&str], &str); 10] = [
    (&["-P", "--publish-all", "--expose"], "publish each port with -p"),
    (&["--tmpfs"], "use --mount type=tmpfs,target=DIR"),
    (&["-d", "--detach"], "leave it out: a run is in the background, unless --wait or --follow is given"),
    (&["-i", "--interactive", "-t", "--tty"], "leave it out: a run has no stdin and no terminal"),
    (&["--rm"], "leave it out: the container is removed after the run, unless --keep is given"),
    (&["-w", "--workdir"], "leave it out: the working directory is /app, where --src is mounted"),
    (&["-u"], "use --user"),
    (&["--entrypoint"], "use --command: the words after `--` are then the whole command"),
    (&["-l"], "use --label"),
    (
        &["--privileged", "--cap-add", "--device", "--add-host", "--restart", "--security-opt"],
        "a run has no such setting; `longshore container create --spec` takes those of the Engine API",
    ),
];

/// Flags of `docker build`.
const BUILD: [(&[&str], &str); 3] = [
    (&["-t", "--tag"], "the image's name is an argument: longshore image create NAME --base IMAGE"),
    (&["-f", "--file"], "there is no Dockerfile: a recipe is given by flags, or as JSON with --spec"),
    (&["--build-arg"], "there is no Dockerfile: a recipe is given by flags, or as JSON with --spec"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(line: &str) -> String {
        let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let error = cli::parse(&arguments).expect_err(line);
        match answer(&error, &arguments) {
            Answer::Refusal(failure, _) => failure.hint.unwrap_or_default(),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_usage_error_passes_codes_on_where_the_command_would() {
        for (line, verb) in [
            ("image wait --nosuch", Verb::PassesOn),
            ("exec wait --nosuch", Verb::PassesOn),
            ("image create --wait --nosuch", Verb::PassesOn),
            ("exec run --follow --nosuch", Verb::PassesOn),
            ("exec rerun --wait --nosuch", Verb::PassesOn),
            ("exec rerun --follow --nosuch", Verb::PassesOn),
            ("exec logs -f --exit-code --nosuch", Verb::PassesOn),
            ("exec rerun --nosuch", Verb::Plain),
            ("exec run --nosuch -- --wait", Verb::Plain),
            ("exec logs --follow --nosuch", Verb::Plain),
            ("container logs --follow --nosuch", Verb::Plain),
        ] {
            let arguments: Vec<OsString> = format!("longshore {line}").split(' ').map(OsString::from).collect();
            let error = cli::parse(&arguments).expect_err(line);
            let Answer::Refusal(_, found) = answer(&error, &arguments) else { panic!("{line}") };
            assert_eq!(found, verb, "{line}");
        }
    }

    #[test]
    fn no_hint_makes_a_flag_an_argument_of_the_program() {
        let flags = RUN.iter().chain(&BUILD).flat_map(|(flags, _)| flags.iter().copied());
        for flag in flags.chain(["--nosuch", "--gpus-all", "-x", "-v"]) {
            for command in ["exec run", "image create", "container create", "image list", "exec wait x"] {
                let line = format!("longshore {command} {flag} 8080:80");
                let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
                if cli::parse(&arguments).is_err() {
                    assert!(!hint(&line).contains("-- "), "{line}: {}", hint(&line));
                }
            }
        }
    }

    #[test]
    fn a_flag_of_docker_is_answered_with_what_to_do_instead() {
        for (line, advice) in [
            ("longshore exec run -P", "publish each port with -p"),
            ("longshore exec run --expose=80", "publish each port with -p"),
            ("longshore exec run --tmpfs /x", "use --mount type=tmpfs"),
            ("longshore exec run --entrypoint sh", "use --command"),
            ("longshore exec run -m 2g", "limit the memory with --memory"),
            ("longshore exec run -it", "leave it out"),
            ("longshore exec run --rm", "leave it out"),
            ("longshore exec rerun x -P", "publish each port with -p"),
            ("longshore image create -t web .", "the image's name is an argument"),
            ("longshore image list -v", "use --verbose"),
            ("longshore -v", "use --verbose"),
        ] {
            assert!(hint(line).starts_with(advice), "{line}: {}", hint(line));
        }
    }

    #[test]
    fn a_refused_value_keeps_its_hint() {
        let line = "longshore exec run -v data/x:/data";
        assert!(hint(line).starts_with("write ./ before a path that is relative; see: "), "{}", hint(line));
    }

    #[test]
    fn a_flag_that_is_nearly_one_is_answered_with_that_one() {
        for (line, near) in
            [("longshore exec run --mian x", "'--main'"), ("longshore image create --bsae x", "'--base'")]
        {
            assert!(hint(line).contains(near), "{line}: {}", hint(line));
        }
        assert!(!hint("longshore _supervise").contains(SUBCOMMAND));
    }
}
