//! The words of apt.

use super::{Asked, Reason, host, quoted};

/// Why apt failed, if its output says so in a way that is known.
pub fn cause(lines: &[&str], asked: &Asked) -> Option<Reason> {
    let errors = || lines.iter().filter_map(|line| error(line));
    // A piece of stdout may also stand between `E: ` and its words.
    let words = || lines.iter().map(|line| error(line).unwrap_or(line.trim()));
    let fetch = words().find_map(|error| error.strip_prefix("Failed to fetch "));
    fetch
        .map(|error| not_fetched(error, asked))
        .or_else(|| missing(&words().collect::<Vec<_>>(), asked))
        .or_else(|| words().find_map(|error| no_candidate(error, lines)))
        .or_else(|| words().find_map(no_version))
        .or_else(|| errors().next_back().map(|error| Reason::new(&format!("apt-get failed: {error}"))))
}

/// The error in a line. It may stand behind a piece of stdout, such as `Building dependency tree...`, because the legacy
/// builder copies stdout and stderr in the order in which it gets their pieces.
fn error(line: &str) -> Option<&str> {
    let (before, error) = line.trim().split_once("E: ")?;
    (!before.ends_with(char::is_alphanumeric)).then_some(error)
}

/// `URL  WHY`
fn not_fetched(error: &str, asked: &Asked) -> Reason {
    let (url, why) = error.split_once(' ').unwrap_or((error, ""));
    let server = host(url).unwrap_or(url);
    if why.contains("ertificate") {
        return asked.untrusted("apt", server);
    }
    let why = why.split(" [IP:").next().unwrap_or(why).trim();
    // Such as `connect (111: Connection refused)`.
    let system = why.rsplit_once(": ").and_then(|(before, words)| {
        before.rsplit_once('(').filter(|(_, number)| number.parse::<u32>().is_ok()).map(|_| words.trim_end_matches(')'))
    });
    let connected = why.starts_with(|c: char| c.is_ascii_digit());
    if connected {
        return Reason::new(&format!(
            "apt could not fetch {url}: {}",
            why.split_whitespace().collect::<Vec<_>>().join(" ")
        ))
        .hint("a mirror may lack this file: try again later, or give another one with --apt-mirror URL");
    }
    let unresolved = why.starts_with("Could not resolve") || why.contains("resolving '");
    let why = if unresolved { "its name cannot be resolved" } else { system.unwrap_or(why) };
    let hint = if asked.apt_mirror {
        "check the URL of --apt-mirror, and whether a container can reach it"
    } else {
        "check that containers have a network, or give a mirror that they can reach with --apt-mirror URL"
    };
    Reason::new(&format!("apt could not reach {server}: {why}")).hint(hint)
}

fn missing(errors: &[&str], asked: &Asked) -> Option<Reason> {
    let unknown = |error: &&str| -> Option<String> {
        let by_pattern = || Some(error.split_once("Couldn't find any package by ")?.1.split_once('\'')?.1);
        let by_name = || Some(error.split_once("Unable to locate package ")?.1);
        let name = by_name().or_else(by_pattern)?;
        Some(name.trim_end_matches('\'').to_owned())
    };
    let names: Vec<String> = errors.iter().filter_map(unknown).collect();
    let first = names.first()?;
    let search = format!("docker run --rm {} sh -c 'apt-get -q update && apt-cache search {first}'", asked.base);
    let known = names.iter().map(String::as_str);
    let noun = if names.iter().all(|name| name == first) { "package" } else { "packages" };
    Some(
        Reason::new(&format!("apt has no {noun} {}", quoted(known))).hint(&format!("look for its name with: {search}")),
    )
}

/// A name without a package of its own. Before the error, apt lists the packages that provide or replace it.
fn no_candidate(error: &str, lines: &[&str]) -> Option<Reason> {
    let name = error.strip_prefix("Package '")?.strip_suffix("' has no installation candidate")?;
    let after = |start: &str| -> Vec<&str> {
        let listed = lines.iter().skip_while(|line| !line.starts_with(start)).skip(1);
        listed.take_while(|line| line.starts_with(' ')).filter_map(|line| line.split_whitespace().next()).collect()
    };
    let providers = after(&format!("Package {name} is a virtual package provided by:"));
    let heirs = after("However the following packages replace it:");
    let reason = |why: &str| Reason::new(&format!("apt cannot install {name:?}: {why}"));
    Some(match (&providers[..], &heirs[..]) {
        ([first, ..], _) => reason(&format!("it stands for one of {}", quoted(providers.iter().copied())))
            .hint(&format!("name the one to install: --apt {first}")),
        (_, [first, ..]) => reason(&format!("it was replaced by {}", quoted(heirs.iter().copied())))
            .hint(&format!("install that instead: --apt {first}")),
        _ => reason("no archive of the base image has it"),
    })
}

/// `Version 'V' for 'P' was not found`
fn no_version(error: &str) -> Option<Reason> {
    let mut parts = error.strip_prefix("Version '")?.split('\'');
    let (version, package) = (parts.next()?, parts.nth(1)?);
    Some(
        Reason::new(&format!("apt has no version {version:?} of {package:?}"))
            .hint(&format!("leave the version out to get the newest one: --apt {package}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The legacy builder of a real engine made such lines: apt writes `E: ` and the words after it one by one, and its
    /// stdout without the ends of lines.
    #[test]
    fn pieces_of_stdout_hide_no_error() {
        let whole = ["Building dependency tree...", "E: Unable to locate package tre"];
        let behind = ["Building dependency tree...E: Unable to locate package tre", "Reading state information..."];
        let between = ["E: Building dependency tree...", "Unable to locate package tre"];
        let both = ["E: Building dependency tree...Unable to locate package tre"];
        let reason = |lines: &[&str]| cause(lines, &Asked::default()).map(|reason| reason.sentence);
        for lines in [&whole[..], &behind, &between, &both] {
            assert_eq!(reason(lines).as_deref(), Some("apt has no package \"tre\""), "{lines:?}");
        }
        assert_eq!(reason(&["SIZE: 5", "Reading state information..."]), None);
    }
}
