//! The words of pip.

use super::{Asked, Reason, host, quoted};

/// What pip writes when it gives an index up. The same line with a higher number is only a warning.
const LAST_TRY: &str = "Retry(total=0,";
/// What ends the name in a requirement.
pub const END_OF_NAME: [char; 10] = ['<', '>', '=', '!', '~', ';', '[', ' ', '@', '('];

/// Why pip failed, if its output says so in a way that is known.
pub fn cause(lines: &[&str], asked: &Asked) -> Option<Reason> {
    let errors = || lines.iter().filter_map(|line| line.trim().strip_prefix("ERROR: "));
    if lines.iter().any(|line| distrusts(line)) {
        return Some(asked.untrusted("pip", index(lines)));
    }
    unreachable(lines, asked)
        .or_else(|| hashes(lines))
        .or_else(|| renamed("pip", lines))
        .or_else(|| errors().find_map(|error| unsatisfied(error, lines)))
        .or_else(|| conflict(lines))
        .or_else(|| not_built(lines))
        .or_else(|| errors().next_back().map(|error| Reason::new(&format!("pip failed: {error}"))))
}

/// Whether a line says that the certificate of a server is not trusted.
pub fn distrusts(line: &str) -> bool {
    line.contains("CERTIFICATE_VERIFY_FAILED") || line.contains("certificate verify failed")
}

/// The server of the index: pip names it when it gives up, and at the start if it is not its default.
fn index<'a>(lines: &[&'a str]) -> &'a str {
    let given_up = |line: &&'a str| -> Option<&'a str> { line.split_once("host='")?.1.split('\'').next() };
    let fetched = |line: &&'a str| host(line.trim().strip_prefix("Could not fetch URL ")?);
    let named = |line: &&'a str| host(line.trim().strip_prefix("Looking in indexes: ")?);
    let found = lines.iter().find_map(named).or_else(|| lines.iter().find_map(fetched));
    found.or_else(|| lines.iter().find_map(given_up)).unwrap_or("its index")
}

fn unreachable(lines: &[&str], asked: &Asked) -> Option<Reason> {
    let last = lines.iter().find(|line| line.contains(LAST_TRY) || line.contains("Max retries exceeded with url"))?;
    let why = if last.contains("Name or service not known") || last.contains("name resolution") {
        "its name cannot be resolved"
    } else if last.contains("ProxyError") {
        "the proxy cannot be reached"
    } else if last.contains("timed out") {
        "the connection timed out"
    } else {
        // Such as `[Errno 111] Connection refused')'`.
        let system = last.split_once("[Errno ").and_then(|(_, rest)| rest.split_once("] ")).map(|(_, words)| words);
        system.and_then(|words| words.split(['\'', '"', ')']).next()).unwrap_or("the connection failed")
    };
    Some(Reason::new(&format!("pip could not reach {}: {why}", index(lines))).hint(asked.check_index()))
}

/// Hashes of a requirements file: of another archive, or missing because other packages have one.
fn hashes(lines: &[&str]) -> Option<Reason> {
    let below = |start: &str| {
        let mut lines = lines.iter().map(|line| line.trim()).skip_while(|line| !line.starts_with(start));
        lines.nth(1).filter(|line| !line.is_empty())
    };
    let package = |line: &str| line.split([' ', ';']).next().unwrap_or(line).to_owned();
    if let Some(line) = below("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES") {
        let got = lines.iter().find_map(|line| line.trim().strip_prefix("Got ")).unwrap_or("another one").trim();
        let why = format!("the archive of {:?} does not have the hash that was asked for: it has {got}", package(line));
        return Some(Reason::new(&why).hint("find out why it changed before you take the new hash"));
    }
    if let Some(line) = below("ERROR: Hashes are required in --require-hashes mode") {
        let why = format!("pip needs a hash for {:?}, because other packages have one", package(line));
        return Some(Reason::new(&why).hint(&format!("add it to the requirements file: {line}")));
    }
    let line = below("ERROR: In --require-hashes mode, all requirements must have their versions pinned")?;
    let wanted_by = line.rsplit_once("(from ").and_then(|(_, from)| from.split_once("->"));
    let wanted_by = wanted_by.map(|(by, _)| format!(", which {by:?} needs")).unwrap_or_default();
    let name = line.split(END_OF_NAME).next().unwrap_or(line);
    let why = format!("pip needs the version and the hash of {name:?}{wanted_by}, because other packages have one");
    Some(Reason::new(&why).hint("a tool such as pip-compile --generate-hashes writes a file with all of them"))
}

/// A package whose only content is the advice to use another one, such as `sklearn`.
pub fn renamed(program: &str, lines: &[&str]) -> Option<Reason> {
    let (new, rest) = lines.iter().find_map(|line| line.split_once("use '")?.1.split_once("' rather than '"))?;
    let (old, _) = rest.split_once('\'')?;
    let [new, old] = [new, old].map(|name| name.trim_start_matches("pip install "));
    let hint = format!("install {new:?} instead: --pip {new}");
    Some(Reason::new(&format!("{program} cannot install {old:?}: the package is called {new:?}")).hint(&hint))
}

/// `Could not find a version that satisfies the requirement R (from versions: LIST)`
fn unsatisfied(error: &str, lines: &[&str]) -> Option<Reason> {
    let rest = error.strip_prefix("Could not find a version that satisfies the requirement ")?;
    let (requirement, versions) = rest.rsplit_once(" (from versions: ")?;
    // A requirement of a package: `R (from P)`.
    let requirement = requirement.split(" (from ").next().unwrap_or(requirement);
    let name = requirement.split(END_OF_NAME).next().unwrap_or(requirement);
    let newest = versions.trim_end_matches(')').rsplit(", ").next().filter(|version| !matches!(*version, "none" | ""));
    Some(match newest {
        None => Reason::new(&format!("pip found no package {name:?}"))
            .hint("check the name; or no release of it is for the Python of the base image"),
        Some(newest) => {
            let ignored = lines.iter().any(|line| line.contains("require a different python version"));
            let why = if ignored { "; others need another Python than that of the base image" } else { "" };
            Reason::new(&format!("pip found no version of {name:?} that satisfies {requirement:?}"))
                .hint(&format!("the newest that it found is {newest}{why}"))
        }
    })
}

/// After `The conflict is caused by:`, one indented line for each party.
fn conflict(lines: &[&str]) -> Option<Reason> {
    let listed = lines.iter().skip_while(|line| line.trim() != "The conflict is caused by:").skip(1);
    let parties: Vec<&str> = listed
        .map(|line| line.trim())
        .take_while(|line| !line.is_empty())
        .map(|line| line.strip_prefix("The user requested ").unwrap_or(line))
        .collect();
    (!parties.is_empty()).then(|| {
        Reason::new(&format!("pip cannot install what was asked for together: {}", parties.join("; ")))
            .hint("give a wider range of versions, or none, so that pip can choose")
    })
}

/// A package without a wheel, which is compiled.
fn not_built(lines: &[&str]) -> Option<Reason> {
    let wheel = |line: &&str| -> Option<String> {
        Some(line.trim().strip_prefix("ERROR: Failed building wheel for ")?.trim().to_owned())
    };
    let listed = || {
        let described = lines.iter().any(|line| line.contains("error: metadata-generation-failed"));
        let mut names = lines.iter().rev().filter_map(|line| line.trim().strip_prefix("╰─> "));
        // Older releases have a sentence there: `See above for output.`
        names.find(|name| described && !name.contains(' ')).map(str::to_owned)
    };
    let collected = || {
        let described = lines.iter().any(|line| line.contains("error: subprocess-exited-with-error"));
        let last = lines.iter().rev().find_map(|line| line.trim().strip_prefix("Collecting "))?;
        described.then(|| last.split_whitespace().next().unwrap_or(last).to_owned())
    };
    let name = lines.iter().find_map(wheel).or_else(listed).or_else(collected)?;
    Some(not_compiled("pip", &name, lines))
}

/// A program could not compile a package. What is missing is in the lines of the compiler.
pub fn not_compiled(program: &str, name: &str, lines: &[&str]) -> Reason {
    let reason = Reason::new(&format!("{program} could not compile {}", quoted([name])));
    let no_compiler = lines.iter().any(|line| {
        let line = line.trim();
        line.contains("error: command '") && line.contains("failed: No such file") || line.contains("gcc: not found")
    });
    if no_compiler || lines.iter().any(|line| line.contains("Python.h: No such file")) {
        reason.hint("it needs a compiler: --apt \"gcc g++ python3-dev\"")
    } else {
        reason.hint("it has no wheel for the Python of the base image, and may need libraries from apt: see the log")
    }
}
