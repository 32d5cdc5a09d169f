//! Finds the reason of a failure in the output of docker and of the programs in a build. Pure.

/// The line of a text that gives the reason of a failure, searched from the end. The first of these is used: a line with
/// "longshore: " from step.sh, a line that begins with "docker: ", or one that begins with "E: " (apt) or "ERROR: " (pip).
#[must_use]
pub fn reason(text: &str) -> Option<String> {
    let lines = || text.lines().rev().map(step_output).filter(|line| !line.is_empty());
    let ours = lines().find_map(|line| line.split_once("longshore: ").map(|(_, words)| words.to_owned()));
    let docker = || lines().find_map(|line| line.strip_prefix("docker: ").map(str::to_owned));
    let builders = |line: &&str| line.contains("failed to solve") || line.contains("did not complete successfully");
    let errors =
        || lines().filter(|line| !builders(line)).find(|line| line.starts_with("E: ") || line.starts_with("ERROR: "));
    ours.or_else(docker).or_else(|| errors().map(str::to_owned))
}

/// A line of a step's output without BuildKit's prefix, such as `#7 1.234 `.
fn step_output(line: &str) -> &str {
    let mut words = line.trim().splitn(3, ' ');
    match (words.next(), words.next(), words.next()) {
        (Some(step), Some(time), Some(rest)) if step.starts_with('#') && time.parse::<f64>().is_ok() => rest.trim(),
        _ => line.trim(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_says_most_is_found_behind_the_builders_own() {
        for (text, expected) in [
            ("#7 1.234 longshore: no pip\nERROR: failed to solve: exit code 93", Some("no pip")),
            ("docker: invalid mount config\nRun 'docker run --help'", Some("invalid mount config")),
            ("#5 0.1 E: Unable to locate package x\nERROR: failed to solve", Some("E: Unable to locate package x")),
            (
                "ERROR: No matching distribution\nthe step did not complete successfully: exit code: 1",
                Some("ERROR: No matching distribution"),
            ),
            ("all went well", None),
        ] {
            assert_eq!(reason(text).as_deref(), expected, "{text}");
        }
    }
}
