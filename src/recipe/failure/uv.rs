//! The words of uv, of the release in `recipe/uv.txt`, and of `uv.py`.

use super::pip::{END_OF_NAME, not_compiled, renamed};
use super::{Asked, Reason, host, pip, quoted};

/// What `uv.py` writes before the reason why it did not call uv.
const NOT_USED: &str = "note: uv is not used: ";

/// Why uv failed, if its output says so in a way that is known.
pub fn cause(lines: &[&str], asked: &Asked) -> Option<Reason> {
    if let Some(why) = lines.iter().rev().find_map(|line| line.trim().strip_prefix(NOT_USED)) {
        // pip downloads uv.
        return pip::cause(lines, asked).or_else(|| Some(unusable(why)));
    }
    let chain = chain(lines);
    unreachable(&chain, asked)
        .or_else(|| unsolved(lines))
        .or_else(|| hashes(lines, &chain))
        .or_else(|| not_built(lines, &chain))
        .or_else(|| (!chain.is_empty()).then(|| Reason::new(&format!("uv failed: {}", chain.join(": ")))))
}

fn unusable(why: &str) -> Reason {
    Reason::new(&format!("uv cannot be used: {why}"))
        .hint("use --installer auto, which takes pip where uv cannot be used")
}

/// The error and its causes, from the outermost to the innermost.
fn chain<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let lines = lines.iter().skip_while(|line| !line.starts_with("error: "));
    lines.filter_map(|line| line.strip_prefix("error: ").or_else(|| line.trim().strip_prefix("cause: "))).collect()
}

fn unreachable(chain: &[&str], asked: &Asked) -> Option<Reason> {
    let url = chain.iter().find_map(|cause| {
        let request = cause.strip_prefix("error sending request for url (").map(|url| url.trim_end_matches(')'));
        request.or_else(|| cause.strip_prefix("Failed to fetch: "))
    })?;
    let server = host(url).unwrap_or(url);
    let last = chain.last().unwrap_or(&url);
    if last.contains("invalid peer certificate") {
        return Some(asked.untrusted("uv", server));
    }
    if let Some((_, status)) = last.split_once("HTTP status ") {
        let status = status.split_once(" (").map_or(status, |(_, code)| code).split(')').next().unwrap_or(status);
        return Some(Reason::new(&format!("uv could not fetch {url}: {status}")).hint(asked.check_index()));
    }
    let why = if last.contains("failed to lookup address information") {
        "its name cannot be resolved"
    } else if chain.iter().any(|cause| cause.contains("proxy") || cause.contains("tunnel")) {
        "the proxy cannot be reached"
    } else if last.contains("timed out") {
        "the connection timed out"
    } else {
        last.split(" (os error ").next().unwrap_or(last)
    };
    Some(Reason::new(&format!("uv could not reach {server}: {why}")).hint(asked.check_index()))
}

/// No set of versions is what was asked for. uv explains that in sentences.
fn unsolved(lines: &[&str]) -> Option<Reason> {
    let begins = |line: &&&str| !line.starts_with("error: No solution found");
    let sentences = lines.iter().skip_while(begins).skip(1).take_while(|line| !line.is_empty());
    let sentences: Vec<&str> = sentences.map(|line| line.trim().trim_start_matches("cause: ")).collect();
    let text = sentences.join(" ");
    let unknown: Vec<&str> = text.split(" was not found in the package registry").map(last_word).collect();
    if let [names @ .., _] = &unknown[..]
        && !names.is_empty()
    {
        let noun = if names.len() == 1 { "package" } else { "packages" };
        return Some(
            Reason::new(&format!("uv found no {noun} {}", quoted(names.iter().copied())))
                .hint("check the name; or give the index that has it with --pip-index-url URL"),
        );
    }
    no_version(&text).or_else(|| no_wheel(&text)).or_else(|| conflict(&sentences))
}

fn last_word(text: &str) -> &str {
    text.rsplit(' ').next().unwrap_or(text)
}

/// `there is no version of R and you require R`, `only NAME<=V is available and you require R`
fn no_version(text: &str) -> Option<Reason> {
    let reason = |requirement: &str| {
        let name = requirement.split(END_OF_NAME).next().unwrap_or(requirement).to_owned();
        (Reason::new(&format!("uv found no version of {name:?} that satisfies {requirement:?}")), name)
    };
    if let Some((_, rest)) = text.split_once("there is no version of ") {
        let (found, name) = reason(rest.split([' ', ',']).next()?);
        return Some(found.hint(&format!("leave the version out to get the newest one: --pip {name}")));
    }
    let (_, rest) = text.split_once("ecause only ")?;
    let (known, rest) = rest.split_once(" is available and you require ")?;
    let (found, _) = reason(rest.split([' ']).next()?.trim_end_matches(','));
    let newest = known.split_once("<=")?.1;
    Some(found.hint(&format!("the newest that it found is {newest}")))
}

/// `R has no wheels with a matching Python ABI tag`
fn no_wheel(text: &str) -> Option<Reason> {
    let (before, _) = text.split_once(" has no wheels with a matching ")?;
    Some(
        Reason::new(&format!("uv found no package {:?} for the Python of the base image", last_word(before)))
            .hint("ask for another version, or use a base image with another Python"),
    )
}

/// Each sentence is `Because A and B, we can conclude that C.`
fn conflict(sentences: &[&str]) -> Option<Reason> {
    let facts = sentences.iter().filter_map(|sentence| {
        let (_, rest) = sentence.split_once("ecause ")?;
        Some(rest.split(", we can conclude").next().unwrap_or(rest))
    });
    let facts: Vec<&str> = facts.collect();
    (!facts.is_empty()).then(|| {
        Reason::new(&format!("uv cannot install what was asked for together: {}", facts.join("; ")))
            .hint("give a wider range of versions, or none, so that uv can choose")
    })
}

/// Hashes of a requirements file: of another archive, or missing because other packages have one.
fn hashes(lines: &[&str], chain: &[&str]) -> Option<Reason> {
    let after = |start: &str| chain.iter().find_map(|cause| Some(cause.split_once(start)?.1.trim_matches('`')));
    if let Some(package) = after("Hash mismatch for ") {
        let mut lines = lines.iter().map(|line| line.trim()).skip_while(|line| *line != "Computed:");
        let got = lines.nth(1).map_or("another one", |hash| hash.trim_start_matches("sha256:"));
        let why = format!("the archive of {package:?} does not have the hash that was asked for: it has {got}");
        return Some(Reason::new(&why).hint("find out why it changed before you take the new hash"));
    }
    if let Some(package) = after("must have a hash, but none were provided for: ") {
        let package = package.split([' ', ';', ',']).next().unwrap_or(package);
        let why = format!("uv needs a hash for {package:?}, because other packages have one");
        return Some(Reason::new(&why).hint(&format!("add it to the requirements file: {package} --hash=sha256:…")));
    }
    let missing = after("no trusted hash was provided for: ").or_else(|| after("pinned with `==`, but found: "))?;
    let why = format!("uv needs the version and the hash of {missing:?}, because other packages have one");
    Some(Reason::new(&why).hint("a tool such as pip-compile --generate-hashes writes a file with all of them"))
}

/// A package without a wheel, which is compiled.
fn not_built(lines: &[&str], chain: &[&str]) -> Option<Reason> {
    let package = chain.iter().find_map(|cause| cause.split_once("Failed to build `")?.1.split('`').next())?;
    let name = package.split(END_OF_NAME).next().unwrap_or(package);
    Some(renamed("uv", lines).unwrap_or_else(|| not_compiled("uv", name, lines)))
}
