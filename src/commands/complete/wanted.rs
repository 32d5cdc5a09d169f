//! Says for each argument of the command line what completes it.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::sync::{Arc, OnceLock};

use clap::{Arg, Command, ValueHint};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};

use super::docker::{self, Containers};
use super::jobs::{self, Fit, plain};
use super::line::Line;
use super::queues;
use super::reply::{Offer, Paths};
use super::source;
use crate::cli::CONTAINER_STATUSES;
use crate::env::Env;
use crate::job::record::Kind;
use crate::job::select::{STATUSES, Scope};
use crate::names::Signal;

/// What completes an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Paths, which the shell completes.
    Paths(Paths),
    /// Ids and names of jobs.
    Jobs(Scope, Fit),
    /// Names of images that were built before.
    Built,
    /// Names and ids of containers.
    Containers(Containers),
    /// Names of images.
    Images,
    /// Contexts of docker.
    Contexts,
    /// `--filter` of a list of jobs.
    JobFilters(Scope),
    /// `--filter` of `container list`.
    ContainerFilters,
    /// `--filter` of `image list`.
    ImageFilters,
    /// Labels that jobs have.
    Labels(Kind),
    /// Names of queues.
    Queues,
    /// Statuses and outcomes of jobs.
    Statuses,
    /// States of containers.
    States,
    /// Names of signals.
    Signals,
    /// Names of groups of runs.
    Groups,
    /// A file in the source directory.
    Main,
    /// The source of a mount: a volume or a path.
    Sources,
    /// A group of the `pyproject.toml` on the line.
    DependencyGroups,
    /// An extra of the `pyproject.toml` on the line.
    Extras,
}

impl Wanted {
    /// What completes this argument of the command with these names; `None` if clap knows, or nothing does.
    fn of(path: &[&str], arg: &Arg) -> Option<Self> {
        let kind = match path {
            ["image", ..] => Some(Kind::Build),
            ["exec", ..] => Some(Kind::Run),
            _ => None,
        };
        let scope = match path {
            ["ps" | "logs" | "wait" | "stop"] => Some(Scope::Both),
            _ => kind.map(Scope::Only),
        };
        let value = arg.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
        match (path, scope, arg.get_long(), value) {
            (["image", "create"], _, None, "NAME") => Some(Self::Built),
            ([.., verb], Some(scope), None, "ID" | "NAME") => Some(Self::Jobs(scope, fit(verb))),
            (["container", verb], _, None, "CONTAINER") => Some(Self::Containers(containers(verb))),
            (["container", "list"], _, Some("filter"), _) => Some(Self::ContainerFilters),
            (["image", "list"], _, Some("filter"), _) => Some(Self::ImageFilters),
            (_, Some(scope), Some("filter"), _) => Some(Self::JobFilters(scope)),
            (["container", "list"], _, Some("status"), _) => Some(Self::States),
            // clap knows those by which jobs can be removed.
            ([_, "forget"], _, Some("status"), _) => None,
            (_, Some(_), Some("status"), _) => Some(Self::Statuses),
            (_, Some(_), Some("label"), _) => kind.map(Self::Labels),
            (_, _, Some("context" | "to"), _) => Some(Self::Contexts),
            (["exec", ..], _, Some("main"), _) => Some(Self::Main),
            (_, _, Some("volume"), _) => Some(Self::Sources),
            (["image", "create"], _, _, "GROUP") => Some(Self::DependencyGroups),
            (_, _, _, "GROUP") => Some(Self::Groups),
            (_, _, _, "EXTRA") => Some(Self::Extras),
            (_, _, _, "IMAGE") => Some(Self::Images),
            (_, _, Some("after" | "after-any"), _) => Some(Self::Jobs(Scope::Both, Fit::RunningFirst)),
            (_, _, _, "QUEUE") => Some(Self::Queues),
            (_, _, _, "SIGNAL") => Some(Self::Signals),
            _ => match arg.get_value_hint() {
                ValueHint::DirPath => Some(Self::Paths(Paths::Directories)),
                ValueHint::FilePath | ValueHint::AnyPath => Some(Self::Paths(Paths::Files)),
                _ => None,
            },
        }
    }
}

fn fit(verb: &str) -> Fit {
    match verb {
        "stop" | "kill" | "cancel" | "stats" | "top" => Fit::Running,
        "wait" => Fit::RunningFirst,
        "forget" | "rerun" | "fetch" => Fit::EndedFirst,
        _ => Fit::All,
    }
}

fn containers(verb: &str) -> Containers {
    match verb {
        "stop" | "kill" => Containers::Running,
        "start" => Containers::Still,
        _ => Containers::All,
    }
}

/// What is known while one word is completed. clap calls it when it has found the argument at the cursor.
#[derive(Debug)]
pub struct Source {
    /// The outside world.
    pub env: Env,
    /// The command line.
    pub line: Line,
    asked: OnceLock<Wanted>,
}

impl Source {
    /// For this line.
    pub fn new(env: Env, line: Line) -> Self {
        Self { env, line, asked: OnceLock::new() }
    }

    /// The argument at the cursor, if it is one that is completed here.
    pub fn asked(&self) -> Option<Wanted> {
        self.asked.get().copied()
    }

    fn complete(&self, wanted: Wanted, current: &OsStr) -> Vec<CompletionCandidate> {
        let current = current.to_string_lossy();
        let is_path = current.starts_with(['.', '/', '~']) && !current.contains(':');
        let wanted = if wanted == Wanted::Sources && is_path { Wanted::Paths(Paths::Files) } else { wanted };
        let _ = self.asked.set(wanted);
        // Without a tag of ours, clap writes one for each candidate, which takes longer than all the rest.
        let candidate = |offer: Offer| {
            CompletionCandidate::new(offer.value).help(Some(offer.about.into())).tag(Some("Values".into()))
        };
        self.offers(wanted, &current).into_iter().map(candidate).collect()
    }

    fn offers(&self, wanted: Wanted, current: &str) -> Vec<Offer> {
        let (env, line) = (&self.env, &self.line);
        match wanted {
            Wanted::Paths(_) => Vec::new(),
            Wanted::Jobs(scope, fit) => of_each(scope, |kind| jobs::jobs(env, kind, fit, line, current)),
            Wanted::Built => jobs::names(env, Kind::Build, current),
            Wanted::Containers(fit) => {
                let mut offers = docker::containers(env, fit, line, current);
                // The container of a run that does not run is usually gone.
                let runs = if fit == Containers::Still { Vec::new() } else { jobs::running_names(env, line, current) };
                offers.extend(runs);
                offers
            }
            Wanted::Images => docker::images(env, line, current),
            Wanted::Contexts => docker::contexts(env),
            Wanted::JobFilters(scope) => of_each(scope, |kind| jobs::filters(env, kind, current)),
            Wanted::ContainerFilters => docker::container_filters(env, line, current),
            Wanted::ImageFilters => docker::image_filters(env, line, current),
            Wanted::Labels(kind) => jobs::labels(env, kind, false),
            Wanted::Queues => queues::queues(env, line),
            Wanted::Statuses => plain(STATUSES.iter().copied()),
            Wanted::States => plain(CONTAINER_STATUSES),
            Wanted::Signals => signals(current),
            Wanted::Groups => jobs::groups(env),
            Wanted::Sources => docker::sources(env, line),
            Wanted::DependencyGroups => plain(source::project(env, line).groups.iter().map(String::as_str)),
            Wanted::Extras => plain(source::project(env, line).extras.iter().map(String::as_str)),
            Wanted::Main => source::files(env, line.value_of("--src"), current),
        }
    }
}

/// What there is of each kind, each once. `latest` comes last.
fn of_each(scope: Scope, of: impl Fn(Kind) -> Vec<Offer>) -> Vec<Offer> {
    let mut offers: Vec<Offer> = scope.kinds().iter().rev().flat_map(|kind| of(*kind)).collect();
    if scope == Scope::Both {
        let mut seen = HashSet::new();
        offers.retain(|offer| seen.insert(offer.value.clone()));
        offers.sort_by_key(|offer| offer.value == "latest");
        offers
            .iter_mut()
            .filter(|offer| offer.value == "latest")
            .for_each(|offer| offer.about = "the newest job".into());
    }
    offers
}

/// The usual signals before the rest; the realtime signals once their names are begun.
fn signals(current: &str) -> Vec<Offer> {
    let with_prefix = current.starts_with("SIG");
    let names = Signal::all().map(Signal::name).filter(|name| !name.starts_with("RT") || current.contains("RT"));
    let mut names: Vec<&str> = names.collect();
    names.sort_by_key(|name| !["TERM", "INT", "KILL", "HUP", "QUIT", "USR1", "USR2"].contains(name));
    let spelt = |name: &str| if with_prefix { format!("SIG{name}") } else { name.to_owned() };
    names.into_iter().map(|name| Offer::new(spelt(name), "")).collect()
}

/// The command line with a completer at each argument that has one.
pub fn attach(command: Command, source: &Arc<Source>) -> Command {
    attach_below(command, &[], source)
}

fn attach_below(command: Command, path: &[&str], source: &Arc<Source>) -> Command {
    let command = command.mut_args(|arg| match Wanted::of(path, &arg) {
        None => arg,
        Some(wanted) => {
            let source = Arc::clone(source);
            arg.add(ArgValueCompleter::new(move |current: &OsStr| source.complete(wanted, current)))
        }
    });
    command.mut_subcommands(|verb| {
        let name = verb.get_name().to_owned();
        attach_below(verb, &[path, &[name.as_str()]].concat(), source)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::published;

    /// Values that nothing completes: text, numbers, and lists in a syntax of docker's.
    const FREE: [&str; 25] = [
        "[module:]NAME",
        "[[IP:]HOST:]PORT[/PROTO]",
        "AGE",
        "ARGS",
        "COMMAND",
        "DURATION",
        "ENDS",
        "GPUS",
        "KEY=VALUE",
        "KEY==VALUE",
        "KEY[=VALUE]",
        "LINES",
        "N",
        "NAME",
        "NAME=NUMBER",
        "NETWORK",
        "PACKAGES",
        "PS_OPTIONS",
        "PROGRAM",
        "SECONDS",
        "SIZE",
        "TIME",
        "TYPE,SOURCE,TARGET",
        "URL",
        "USER",
    ];

    fn each(command: &Command, path: &[&str], see: &mut dyn FnMut(&[&str], &Arg)) {
        for arg in command.get_arguments() {
            see(path, arg);
        }
        for verb in command.get_subcommands() {
            each(verb, &[path, &[verb.get_name()]].concat(), see);
        }
    }

    #[test]
    fn every_value_is_completed_or_known_to_be_free() {
        let mut command = published();
        command.build();
        let mut unknown = Vec::new();
        each(&command, &[], &mut |path, arg| {
            let value = arg.get_value_names().map_or("", |names| names[0].as_str());
            let is_known = !arg.get_action().takes_values()
                || !arg.get_possible_values().is_empty()
                || Wanted::of(path, arg).is_some()
                || FREE.contains(&value);
            if !is_known {
                unknown.push(format!("{} {value}", path.join(" ")));
            }
        });
        assert_eq!(unknown, Vec::<String>::new(), "add them to Wanted::of, or to the values that are free");
    }

    #[test]
    fn each_verb_gets_what_fits_it() {
        let mut command = published();
        command.build();
        let mut found = std::collections::BTreeMap::new();
        each(&command, &[], &mut |path, arg| {
            if let Some(wanted) = Wanted::of(path, arg).filter(|_| arg.is_positional()) {
                found.insert(path.join(" "), wanted);
            }
        });
        for (path, wanted) in [
            ("image create", Wanted::Built),
            ("image rm", Wanted::Images),
            ("image copy", Wanted::Images),
            ("image cancel", Wanted::Jobs(Scope::Only(Kind::Build), Fit::Running)),
            ("image wait", Wanted::Jobs(Scope::Only(Kind::Build), Fit::RunningFirst)),
            ("image status", Wanted::Jobs(Scope::Only(Kind::Build), Fit::All)),
            ("exec stop", Wanted::Jobs(Scope::Only(Kind::Run), Fit::Running)),
            ("exec kill", Wanted::Jobs(Scope::Only(Kind::Run), Fit::Running)),
            ("exec wait", Wanted::Jobs(Scope::Only(Kind::Run), Fit::RunningFirst)),
            ("exec forget", Wanted::Jobs(Scope::Only(Kind::Run), Fit::EndedFirst)),
            ("exec rerun", Wanted::Jobs(Scope::Only(Kind::Run), Fit::EndedFirst)),
            ("exec logs", Wanted::Jobs(Scope::Only(Kind::Run), Fit::All)),
            ("exec status", Wanted::Jobs(Scope::Only(Kind::Run), Fit::All)),
            ("exec top", Wanted::Jobs(Scope::Only(Kind::Run), Fit::Running)),
            ("exec stats", Wanted::Jobs(Scope::Only(Kind::Run), Fit::Running)),
            ("logs", Wanted::Jobs(Scope::Both, Fit::All)),
            ("wait", Wanted::Jobs(Scope::Both, Fit::RunningFirst)),
            ("stop", Wanted::Jobs(Scope::Both, Fit::Running)),
            ("container start", Wanted::Containers(Containers::Still)),
            ("container stop", Wanted::Containers(Containers::Running)),
            ("container rm", Wanted::Containers(Containers::All)),
        ] {
            assert_eq!(found.get(path), Some(&wanted), "{path}");
        }
    }
}
