//! One command alone, with its options, for a command line that seems to name it.
//!
//! The words are only looked at. Whether they are that command is for clap to find out: where it is another one, or none, the
//! command line does not parse, and all commands are made. So what parses means the same with all commands and with one.

use std::ffi::OsString;

use clap::Args as _;

use super::{
    Complete, ContainerCreate, ContainerExport, ContainerKill, ContainerList, ContainerLogs, ContainerRm,
    ContainerStats, ContainerStop, Containers, Doctor, ExecFetch, ExecForget, ExecInspect, ExecKill, ExecRerun,
    ExecRun, ExecStats, ExecTop, Forget, Global, ImageCancel, ImageCopy, ImageCreate, ImageList, ImageLogs, ImageRm,
    ImageWait, JobList, JobLogs, JobStop, JobWait, OneContainer, OneImage, OneJob, Prune, QueueList, QueueResume,
    QueueSet, Queues, RunList, Supervise,
};
use crate::supervisor::SUBCOMMAND;

/// Adds the options of a command.
type Options = fn(clap::Command) -> clap::Command;

/// The commands: the noun, if there is one; the name and other names; the options.
const COMMANDS: &[(&str, &[&str], Options)] = &[
    ("image", &["create"], ImageCreate::augment_args),
    ("image", &["status"], OneImage::augment_args),
    ("image", &["logs"], ImageLogs::augment_args),
    ("image", &["wait"], ImageWait::augment_args),
    ("image", &["cancel"], ImageCancel::augment_args),
    ("image", &["forget"], Forget::augment_args),
    ("image", &["builds"], JobList::augment_args),
    ("image", &["list", "ls"], ImageList::augment_args),
    ("image", &["copy"], ImageCopy::augment_args),
    ("image", &["rm"], ImageRm::augment_args),
    ("exec", &["run"], ExecRun::augment_args),
    ("exec", &["rerun"], ExecRerun::augment_args),
    ("exec", &["list", "ls", "ps"], RunList::augment_args),
    ("exec", &["status"], OneJob::augment_args),
    ("exec", &["inspect"], ExecInspect::augment_args),
    ("exec", &["logs"], JobLogs::augment_args),
    ("exec", &["wait"], JobWait::augment_args),
    ("exec", &["stop"], JobStop::augment_args),
    ("exec", &["kill"], ExecKill::augment_args),
    ("exec", &["fetch"], ExecFetch::augment_args),
    ("exec", &["forget", "rm"], ExecForget::augment_args),
    ("exec", &["stats"], ExecStats::augment_args),
    ("exec", &["top"], ExecTop::augment_args),
    ("container", &["list", "ls", "ps"], ContainerList::augment_args),
    ("container", &["create"], ContainerCreate::augment_args),
    ("container", &["start"], Containers::augment_args),
    ("container", &["restart"], ContainerStop::augment_args),
    ("container", &["stop"], ContainerStop::augment_args),
    ("container", &["kill"], ContainerKill::augment_args),
    ("container", &["rm"], ContainerRm::augment_args),
    ("container", &["inspect"], Containers::augment_args),
    ("container", &["logs"], ContainerLogs::augment_args),
    ("container", &["changes"], OneContainer::augment_args),
    ("container", &["export"], ContainerExport::augment_args),
    ("container", &["stats"], ContainerStats::augment_args),
    ("queue", &["set"], QueueSet::augment_args),
    ("queue", &["list", "ls"], QueueList::augment_args),
    ("queue", &["pause"], Queues::augment_args),
    ("queue", &["resume"], QueueResume::augment_args),
    ("queue", &["rm"], Queues::augment_args),
    ("", &["ps"], RunList::augment_args),
    ("", &["logs"], JobLogs::augment_args),
    ("", &["wait"], JobWait::augment_args),
    ("", &["stop"], JobStop::augment_args),
    ("", &["doctor"], Doctor::augment_args),
    ("", &["prune"], Prune::augment_args),
    ("", &["__complete"], Complete::augment_args),
    ("", &[SUBCOMMAND], Supervise::augment_args),
];

/// The options of every command that have a value.
const WITH_VALUE: [&str; 3] = ["--context", "--host", "--color"];

/// The command line with one command, or with none if there are no words; `None` if the words seem to name no command.
pub fn command(arguments: &[OsString]) -> Option<clap::Command> {
    let program = Global::augment_args(clap::Command::new("longshore")).version(env!("CARGO_PKG_VERSION"));
    let mut words = words(arguments);
    let Some(first) = words.next() else { return Some(program) };
    let (noun, names, options) = match find("", first) {
        Some(alone) => alone,
        None => find(first, words.next()?)?,
    };
    let (name, aliases) = names.split_first()?;
    let verb = options(clap::Command::new(*name).visible_aliases(aliases.iter()));
    Some(program.subcommand(if noun.is_empty() { verb } else { clap::Command::new(*noun).subcommand(verb) }))
}

fn find(noun: &str, name: &str) -> Option<&'static (&'static str, &'static [&'static str], Options)> {
    COMMANDS.iter().find(|(of, names, _)| *of == noun && names.contains(&name))
}

/// The words that are no options and not known to be their values.
fn words(arguments: &[OsString]) -> impl Iterator<Item = &str> {
    let mut arguments = arguments.iter().skip(1).map_while(|word| word.to_str());
    std::iter::from_fn(move || {
        loop {
            let word = arguments.next()?;
            if !word.starts_with('-') {
                return Some(word);
            }
            if WITH_VALUE.contains(&word) {
                arguments.next();
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::super::Cli;
    use super::*;

    /// All that a command line can be parsed by: what help says beside the options, and how a command is told from others, is
    /// left out.
    fn parsed_by(command: &clap::Command) -> String {
        let bare =
            command.clone().about(None::<&str>).long_about(None::<&str>).override_usage(None::<&str>).hide(false);
        format!("{:?}", bare.hide(false).display_order(0))
    }

    fn line(words: &[&str]) -> Vec<OsString> {
        ["longshore"].iter().chain(words).map(OsString::from).collect()
    }

    #[test]
    fn each_command_alone_has_the_options_that_it_has_among_all() {
        let whole = Cli::command();
        let mut count = 0;
        let mut compare = |words: &[&str], among_all: &clap::Command| {
            if among_all.get_name() == "completions" {
                return;
            }
            for name in among_all.get_all_aliases().chain([among_all.get_name()]) {
                let narrow = command(&line(&[words, &[name]].concat())).unwrap();
                let below = words.iter().fold(&narrow, |command, word| command.find_subcommand(word).unwrap());
                assert_eq!(below.get_subcommands().count(), 1);
                assert_eq!(parsed_by(below.find_subcommand(name).unwrap()), parsed_by(among_all), "{words:?} {name}");
                count += 1;
            }
        };
        for below in whole.get_subcommands() {
            if below.has_subcommands() {
                below.get_subcommands().for_each(|verb| compare(&[below.get_name()], verb));
            } else {
                compare(&[], below);
            }
        }
        assert_eq!(count, COMMANDS.iter().map(|(_, names, _)| names.len()).sum::<usize>());
        let program = command(&line(&["--version"])).unwrap();
        let global = |command: &clap::Command| format!("{:?}", command.get_arguments().collect::<Vec<_>>());
        assert_eq!((global(&program), program.get_version()), (global(&whole), whole.get_version()));
    }

    #[test]
    fn values_and_what_follows_no_command_are_not_taken_for_one() {
        let found = |words: &[&str]| words_of(command(&line(words)));
        fn words_of(command: Option<clap::Command>) -> Option<Vec<String>> {
            let mut command = &command?;
            let mut words = Vec::new();
            while let Some(below) = command.get_subcommands().next() {
                words.push(below.get_name().to_owned());
                command = below;
            }
            Some(words)
        }
        let is = |words: &[&str]| Some(words.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(found(&["--context", "exec", "--json", "image", "--host=x", "ls"]), is(&["image", "list"]));
        assert_eq!(found(&["--verbose", "stop", "exec", "run"]), is(&["stop"]));
        assert_eq!(found(&["--version"]), is(&[]));
        for none in [&["exec"][..], &["exec", "help"], &["help", "exec", "run"], &["completions", "bash"], &["rm", "x"]]
        {
            assert_eq!(found(none), None, "{none:?}");
        }
    }
}
