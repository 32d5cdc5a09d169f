//! The steps of a build, as its log announces them: the legacy builder's `Step 4/6 : RUN …`, and BuildKit's
//! `#6 [stage-0 2/3] RUN …`. Pure. The answer is only shown: a command of the user may print such a line, too.

use crate::terminal::plain;

/// A step that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its number, from 1.
    pub number: u32,
    /// How many steps the build has.
    pub of: u32,
    /// What it does, in a few words, for example `pip packages`. Of an instruction that no recipe has: the instruction.
    pub text: String,
}

/// The step that a line of a log announces, with or without its line end; `None` for any other line. BuildKit announces a
/// step again when its output goes on after that of another one.
#[must_use]
pub fn step(line: &[u8]) -> Option<Step> {
    // Most lines are output of a step, which has other first bytes. A colour of the output before may precede `Step`.
    if !line.first().is_some_and(|first| b"S#\x1b".contains(first)) {
        return None;
    }
    let line = plain(&String::from_utf8_lossy(line));
    let Announced { number, of, instruction, .. } = announced(&line)?;
    Some(Step { number, of, text: words(instruction) })
}

/// A step that a line announces, in the builder's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced<'a> {
    /// Its number, from 1.
    pub number: u32,
    /// How many steps the build has.
    pub of: u32,
    /// The instruction of the Dockerfile.
    pub instruction: &'a str,
    /// BuildKit's number for it, which stands before each line of its output.
    pub vertex: Option<u32>,
}

/// The step that a line without escape sequences announces.
#[must_use]
pub fn announced(line: &str) -> Option<Announced<'_>> {
    legacy(line).or_else(|| buildkit(line)).filter(|step| (1..=step.of).contains(&step.number))
}

/// `Step 4/6 : RUN …`
fn legacy(line: &str) -> Option<Announced<'_>> {
    let (fraction, instruction) = line.strip_prefix("Step ")?.split_once(" : ")?;
    let (number, of) = counted(fraction)?;
    Some(Announced { number, of, instruction, vertex: None })
}

/// `#6 [stage-0 2/3] RUN …` or `#6 [2/3] RUN …`; what is `[internal]` is no step.
fn buildkit(line: &str) -> Option<Announced<'_>> {
    let (vertex, rest) = line.strip_prefix('#')?.split_once(" [")?;
    let vertex = Some(vertex.parse().ok()?);
    let (place, instruction) = rest.split_once("] ")?;
    let (number, of) = counted(place.rsplit(' ').next()?)?;
    Some(Announced { number, of, instruction, vertex })
}

fn counted(fraction: &str) -> Option<(u32, u32)> {
    let (number, of) = fraction.split_once('/')?;
    Some((number.parse().ok()?, of.parse().ok()?))
}

/// What an instruction of a recipe does. BuildKit shows a `RUN` with its mounts before the words of `step.sh`.
fn words(instruction: &str) -> String {
    match instruction.split_once(' ') {
        Some(("FROM", image)) => format!("base image {}", image.strip_prefix("docker.io/library/").unwrap_or(image)),
        Some(("ENV", _)) => "environment".to_owned(),
        Some(("COPY", files)) if files.starts_with("step.sh ") => "files of the next step".to_owned(),
        Some(("RUN", run)) => ours(run).unwrap_or_else(|| instruction.to_owned()),
        Some(("WORKDIR", _)) => "working directory".to_owned(),
        _ => instruction.to_owned(),
    }
}

/// Of `… ["sh", "…/step.sh", "mounted", "ca", "pip"]`: `certificates, pip packages`.
fn ours(run: &str) -> Option<String> {
    let (_, arguments) = run.split_once("/step.sh\", ")?;
    let is_appended = arguments.contains("\"appended\"");
    let names = arguments.trim_end_matches(']').split(", ").filter_map(|word| match word.trim_matches('"') {
        "ca" => Some("certificates"),
        "apt" if is_appended => Some("more apt packages"),
        "apt" => Some("apt packages"),
        "pip" if is_appended => Some("more pip packages"),
        "pip" => Some("pip packages"),
        "commands" => Some("commands"),
        _ => None,
    });
    let names = names.collect::<Vec<_>>().join(", ");
    (!names.is_empty()).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps of a recorded log, as `number/of text`.
    fn steps(builder: &str, log: &str) -> Vec<String> {
        let path = format!("{}/tests/data/builds/{builder}/{log}.log", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(path).unwrap();
        let steps = bytes.split(|byte| *byte == b'\n').filter_map(step);
        let mut steps: Vec<String> = steps.map(|step| format!("{}/{} {}", step.number, step.of, step.text)).collect();
        // BuildKit announces some of them again.
        steps.dedup();
        steps
    }

    #[test]
    fn the_steps_of_every_builder_are_found_with_their_names() {
        assert_eq!(
            steps("legacy", "pip-unknown"),
            [
                "1/6 base image base:bookworm",
                "2/6 environment",
                "3/6 files of the next step",
                "4/6 certificates, pip packages"
            ]
        );
        let buildkit = |pip: &str| vec!["1/3 base image base:bookworm".to_owned(), format!("2/3 {pip}")];
        for builder in ["buildx", "buildkit-old"] {
            assert_eq!(steps(builder, "pip-unknown"), buildkit("certificates, pip packages"));
            assert_eq!(steps(builder, "apt-unknown"), buildkit("apt packages"));
            assert_eq!(steps(builder, "command"), buildkit("commands"));
        }
    }

    #[test]
    fn every_recorded_build_with_a_base_image_names_what_it_ran() {
        for builder in ["legacy", "buildx", "buildkit-old"] {
            for (log, name) in
                [("apt-version", "apt packages"), ("pip-compile", "pip packages"), ("command", "commands")]
            {
                let steps = steps(builder, log);
                assert!(steps.last().is_some_and(|last| last.ends_with(name)), "{builder}/{log}: {steps:?}");
            }
        }
    }

    #[test]
    fn a_colour_before_a_step_and_a_stage_without_a_name_are_understood() {
        let coloured = step(b"\x1b[0mStep 5/6 : RUN make install\r\n").unwrap();
        assert_eq!((coloured.number, coloured.of, coloured.text.as_str()), (5, 6, "RUN make install"));
        assert_eq!(step(b"#9 [3/3] WORKDIR /app").unwrap().text, "working directory");
    }

    #[test]
    fn an_appended_step_is_told_from_the_first_ones() {
        let text = |words: &str| {
            step(format!("#7 [stage-0 3/4] RUN x [\"sh\", \"/dev/longshore/step.sh\", {words}]").as_bytes())
        };
        for (words, expected) in [
            (r#""mounted", "appended", "apt", "auto", "pip""#, "more apt packages, more pip packages"),
            (r#""mounted", "appended", "recommends", "apt", "auto", "check""#, "more apt packages"),
            (r#""mounted", "appended", "uncompiled", "uv", "pip""#, "more pip packages"),
        ] {
            assert_eq!(text(words).unwrap().text, expected);
        }
    }

    #[test]
    fn output_of_a_step_announces_none() {
        for line in [
            &b""[..],
            b"#6 0.873 [2/3] Updating certificates",
            b"#2 [internal] load .dockerignore",
            b" > [stage-0 2/3] RUN x:",
            b"Step 0/6 : FROM x",
            b"Step 7/6 : FROM x",
            b"Step -1/6 : FROM x",
            b"Step 1/99999999999 : FROM x",
            b"Stepping over",
            b"#x [1/2] FROM x",
            b"\xff\xfe",
        ] {
            assert_eq!(step(line), None, "{}", String::from_utf8_lossy(line));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_read(line: Vec<u8>, tail in "(?s)[S#]{0,1}.{0,60}") {
            let _ = (step(&line), step(tail.as_bytes()));
        }
    }
}
