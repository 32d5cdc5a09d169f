//! Finds the reason of a failure in the output of docker and of the programs in a build. Pure. The reason is only shown: no
//! status depends on it. Which step failed decides only whether a build is repeated.

use crate::recipe::failure::{ANEW, Asked, KILLED, Reason, host, is_full, of_step};
use crate::terminal::plain_lines;

/// The reason of a run that docker refused: the last line that begins with `docker: `.
#[must_use]
pub fn of_run(log: &str) -> Option<Reason> {
    let log = plain_lines(log);
    let refusal = log.lines().rev().find_map(|line| line.trim().strip_prefix("docker: "))?;
    Some(Reason::new(refusal))
}

/// The reason of a failed build, from the end of its log. It is what `step.sh`, apt or pip said in the step that failed,
/// otherwise what docker said.
#[must_use]
pub fn of_build(log: &str, asked: &Asked) -> Option<Reason> {
    let log = plain_lines(log);
    let lines = of_last_try(&log);
    of_step(&step(&lines), asked)
        .or_else(|| lines.iter().find(|line| is_full(line)).map(|line| Reason::no_space(docker_error(line))))
        .or_else(|| base(&lines, asked))
        .or_else(|| unexplained(&lines))
        .or_else(|| last_words(&lines))
}

/// Whether the step of a build that failed is one for packages. BuildKit repeats its instruction after ` > [stage-0 2/3] `. What
/// a step prints has a prefix in each line, so it is not taken for that.
#[must_use]
pub fn failed_at_packages(log: &str) -> bool {
    let failed = of_last_try(log).into_iter().rfind(|line| line.starts_with(" > ["));
    failed.is_some_and(|line| line.contains("/step.sh\", ") && !line.contains("\"commands\""))
}

/// The lines after the last note that the build is repeated, unless nothing came of that.
fn of_last_try(log: &str) -> Vec<&str> {
    let lines: Vec<&str> = log.lines().collect();
    let begins = lines.iter().rposition(|line| *line == ANEW).map(|at| at + 1);
    lines[begins.filter(|at| *at < lines.len()).unwrap_or(0)..].to_vec()
}

/// The output of the step that failed, without the prefixes of BuildKit. BuildKit repeats the end of that output, and may
/// mix the lines of several steps.
fn step<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let failed = lines.iter().rev().find_map(|line| {
        let (number, rest) = line.strip_prefix('#')?.split_once(' ')?;
        rest.starts_with("ERROR").then_some(number)
    });
    let numbered: Vec<&str> = lines.iter().filter_map(|line| output(line, failed?)).collect();
    if !numbered.is_empty() {
        return numbered;
    }
    let begun = lines.iter().rposition(|line| begins_step(line)).map_or(0, |at| at + 1);
    lines[begun..].to_vec()
}

/// Whether a line is one of the legacy builder's, such as `Step 4/6 : RUN …`.
fn begins_step(line: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let counted = line.strip_prefix("Step ").and_then(|rest| rest.split_once(" : ")).map(|(count, _)| count);
    counted.and_then(|count| count.split_once('/')).is_some_and(|(step, of)| number(step) && number(of))
}

/// The text of `#7 1.234 text`, if it is of this step.
fn output<'a>(line: &'a str, step: &str) -> Option<&'a str> {
    let (time, text) = line.strip_prefix('#')?.strip_prefix(step)?.strip_prefix(' ')?.split_once(' ')?;
    time.parse::<f64>().is_ok().then_some(text)
}

/// The base image could not be had.
fn base(lines: &[&str], asked: &Asked) -> Option<Reason> {
    let why = buildkits_base(lines).or_else(|| legacys_base(lines))?;
    let image = &asked.base;
    if why.contains("x509") || why.contains("certificate") {
        let registry = host(why).unwrap_or("the registry");
        let hint = format!("put its certificate where the engine looks for it: /etc/docker/certs.d/{registry}/ca.crt");
        return Some(
            Reason::new(&format!(
                "the engine does not trust the certificate of {registry}, which has the base image {image:?}"
            ))
            .hint(&hint),
        );
    }
    let why = refusal(why).map_or_else(|| shortened(why), str::to_owned);
    Some(if asked.pull {
        Reason::new(&format!("the base image {image:?} could not be pulled: {why}"))
            .hint("without --pull, the base image that the engine has is used")
    } else {
        Reason::new(&format!("the engine has no base image {image:?} and could not pull it: {why}")).hint(&format!(
            "see the images it has with: longshore image list   or try to pull it with: docker pull {image}"
        ))
    })
}

/// A registry that answers, in the same words for every builder.
fn refusal(why: &str) -> Option<&'static str> {
    let says = |words: &[&str]| words.iter().any(|word| why.contains(word));
    if says(&["denied", "403 Forbidden", "401 Unauthorized", "authorization failed"]) {
        return Some("its registry has no such image, or wants a login");
    }
    says(&["not found", "manifest unknown"]).then_some("its registry has no such image")
}

/// The error below `load metadata for IMAGE`.
fn buildkits_base<'a>(lines: &[&'a str]) -> Option<&'a str> {
    let metadata = |line: &&str| line.contains("[internal] load metadata for ");
    let number = lines.iter().find(|line| line.starts_with('#') && metadata(line))?.split(' ').next()?;
    lines.iter().find_map(|line| line.strip_prefix(number)?.strip_prefix(" ERROR: "))
}

/// The line after `Step 1/9 : FROM IMAGE`.
fn legacys_base<'a>(lines: &[&'a str]) -> Option<&'a str> {
    let at = lines.iter().rposition(|line| begins_step(line))?;
    let first = lines[at].starts_with("Step 1/") && lines[at].contains(" : FROM ");
    let after = &lines[at + 1..];
    let has_it = after.iter().any(|line| line.starts_with(" ---> "));
    let said = after.iter().rev().find(|line| !line.trim().is_empty())?;
    (first && !has_it).then_some(docker_error(said))
}

/// `Get "URL": dial tcp 127.0.0.1:9: connect: connection refused` as `127.0.0.1:9: connection refused`.
fn shortened(why: &str) -> String {
    let call = why.split_once("Get \"").or_else(|| why.split_once("Head \""));
    let system = call.and_then(|(_, rest)| rest.rsplit_once(": ")).map(|(_, words)| words);
    match (host(why), system) {
        (Some(registry), Some(words)) => format!("{registry}: {words}"),
        _ => why.trim().to_owned(),
    }
}

/// A step that ended and said nothing: it was killed, or its output came in another build of the same recipe.
fn unexplained(lines: &[&str]) -> Option<Reason> {
    let last = lines.iter().rev().find(|line| line.contains("step.sh") && line.contains("code: "))?;
    let code = last.rsplit_once("code: ")?.1.trim();
    let what = if last.contains("commands") {
        "the commands"
    } else if last.contains("pip") {
        "the step of pip"
    } else if last.contains("apt") {
        "the step of apt"
    } else {
        "the step of the certificates"
    };
    let reason = Reason::new(&format!("{what} ended with exit code {code}"));
    Some(if code == "137" { reason.hint(KILLED) } else { reason })
}

/// The last line that docker marks as an error.
fn last_words(lines: &[&str]) -> Option<Reason> {
    let marked = |line: &&&str| line.starts_with("ERROR: ") || line.starts_with("Error response from daemon: ");
    lines.iter().rev().find(marked).map(|line| Reason::new(docker_error(line)))
}

/// An error of docker without the words that all of them begin with.
fn docker_error(line: &str) -> &str {
    let mut rest = line.trim();
    for start in ["ERROR: ", "Error response from daemon: ", "failed to solve: "] {
        rest = rest.strip_prefix(start).unwrap_or(rest);
    }
    rest
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
