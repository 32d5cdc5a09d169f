//! Finds where the steps of a build begin in docker's plain progress, of both builders. Pure.
//!
//! A line that begins a step becomes a heading, which says in words what the step does. Everything else passes as it is. Of a
//! line only the beginning is held back, and only while it may be that of a step.

use std::collections::BTreeSet;
use std::io;

use crate::recipe::failure::ANEW;
use crate::recipe::steps::announced;

/// How much of a line is held back.
const LONGEST: usize = 16 << 10;
/// The longest colour (SGR) that is recognised before a step, in bytes.
const COLOUR: usize = 8;

/// How much of a step's name is shown, in characters.
const NAME: usize = 100;

/// A part of a log.
#[derive(Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// As the builder wrote it.
    Bytes(&'a [u8]),
    /// In the place of a line with which a step begins: `3/7 pip install numpy`.
    Heading(String),
}

/// What the recipe says about the steps, to name them.
#[derive(Debug, Clone, Default)]
pub struct Recipe {
    /// The packages for apt, with blanks between.
    pub apt: String,
    /// The requirements for pip, with blanks between.
    pub pip: String,
    /// The first line of the commands.
    pub commands: String,
}

/// The steps of one log.
#[derive(Debug, Default)]
pub struct Steps {
    recipe: Recipe,
    held: Vec<u8>,
    /// The beginning of the line has passed.
    in_line: bool,
    /// Numbers of BuildKit's that have begun: it repeats the line when it turns to another step in between.
    begun: BTreeSet<u32>,
}

type Pass<'a> = dyn FnMut(Part) -> io::Result<()> + 'a;

impl Steps {
    /// Of a build of this recipe.
    #[must_use]
    pub fn of(recipe: Recipe) -> Self {
        Self { recipe, ..Self::default() }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// Those of `pass`.
    pub fn push(&mut self, bytes: &[u8], pass: &mut Pass) -> io::Result<()> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let ends = piece.ends_with(b"\n");
            if self.in_line {
                self.in_line = !ends;
                pass(Part::Bytes(piece))?;
                continue;
            }
            self.held.extend_from_slice(piece);
            if ends {
                self.line(pass)?;
            } else if !may_begin(&self.held) || self.held.len() > LONGEST {
                self.in_line = true;
                self.end(pass)?;
            }
        }
        Ok(())
    }

    /// Passes what was held back.
    ///
    /// # Errors
    /// Those of `pass`.
    pub fn end(&mut self, pass: &mut Pass) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        if held.is_empty() { Ok(()) } else { pass(Part::Bytes(&held)) }
    }

    fn line(&mut self, pass: &mut Pass) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        let colour = held.len() - after_colour(&held).len();
        let line = std::str::from_utf8(&held[colour..]).unwrap_or_default().trim_end();
        let heading = if held.len() > LONGEST { None } else { self.heading(line) };
        let Some(heading) = heading else { return pass(Part::Bytes(&held)) };
        // The legacy builder ends the colour of the step before on this line.
        if colour > 0 {
            pass(Part::Bytes(&held[..colour]))?;
        }
        pass(Part::Heading(heading))
    }

    fn heading(&mut self, line: &str) -> Option<String> {
        if line == ANEW {
            // Its numbers begin again.
            self.begun.clear();
        }
        let step = announced(line)?;
        if step.vertex.is_some_and(|vertex| !self.begun.insert(vertex)) {
            return None;
        }
        let words = self.words(step.instruction);
        let more = if words.chars().nth(NAME).is_some() { "…" } else { "" };
        Some(format!("{}/{} {}{more}", step.number, step.of, words.chars().take(NAME).collect::<String>()))
    }

    /// What an instruction does. Those of the recipe's own script are told by its words.
    fn words(&self, instruction: &str) -> String {
        let Some((_, script)) = instruction.split_once("/step.sh\", ") else { return instruction.to_owned() };
        let script: Vec<&str> =
            script.split('"').filter(|word| !word.trim_matches([',', ' ', ']']).is_empty()).collect();
        let recipe = &self.recipe;
        let mut said: Vec<String> = Vec::new();
        let is_appended = script.contains(&"appended");
        for word in script {
            said.extend(match word {
                "apt" if is_appended => Some("add apt packages".to_owned()),
                "pip" if is_appended => Some("add pip packages".to_owned()),
                "update" => Some("apt-get upgrade".to_owned()),
                "apt" if recipe.apt.is_empty() => None,
                "apt" => Some(format!("apt-get install {}", recipe.apt)),
                "pip" => Some(format!("pip install {}", recipe.pip)),
                "commands" => Some(format!("run {}", recipe.commands)),
                _ => None,
            });
        }
        if said.is_empty() { "trust certificates".to_owned() } else { said.join(", ").trim_end().to_owned() }
    }
}

/// Whether a line that begins like this may begin a step.
fn may_begin(held: &[u8]) -> bool {
    let rest = after_colour(held);
    let is_colour = rest.starts_with(b"\x1b") && rest.len() < COLOUR;
    let begins = |with: &[u8]| rest.iter().zip(with).all(|(a, b)| a == b);
    rest.starts_with(b"#") || begins(b"Step ") || begins(ANEW.as_bytes()) || is_colour
}

/// Without the colours (SGR) at the beginning.
fn after_colour(mut bytes: &[u8]) -> &[u8] {
    while let Some(rest) = bytes.strip_prefix(b"\x1b[") {
        let Some(end) = rest.iter().position(|byte| !(byte.is_ascii_digit() || *byte == b';')) else { return bytes };
        if rest[end] != b'm' || end + 3 > COLOUR {
            return bytes;
        }
        bytes = &rest[end + 1..];
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe() -> Recipe {
        let text = |text: &str| text.to_owned();
        Recipe { apt: text("git curl"), pip: text("requests==2.31.0"), commands: text("exit 9") }
    }

    /// What is shown of a log that arrives in pieces of this size.
    fn shown(log: &[u8], size: usize) -> String {
        let (mut steps, mut shown) = (Steps::of(recipe()), String::new());
        let mut pass = |part: Part| {
            match part {
                Part::Bytes(bytes) => shown.push_str(&String::from_utf8_lossy(bytes)),
                Part::Heading(heading) => shown.push_str(&format!("== {heading}\n")),
            }
            Ok(())
        };
        log.chunks(size).try_for_each(|piece| steps.push(piece, &mut pass)).unwrap();
        steps.end(&mut pass).unwrap();
        shown
    }

    fn headings(log: &[u8]) -> Vec<String> {
        let shown = shown(log, log.len());
        shown.lines().filter_map(|line| Some(line.strip_prefix("== ")?.to_owned())).collect()
    }

    #[test]
    fn the_steps_of_both_builders_have_headings() {
        assert_eq!(
            headings(include_bytes!("../../tests/data/builds/legacy/command.log")),
            [
                "1/6 FROM base:bookworm",
                "2/6 ENV PYTHONUNBUFFERED=1",
                "3/6 COPY step.sh commands.sh /.longshore/",
                "4/6 run exit 9"
            ]
        );
        let first = "1/3 FROM docker.io/library/base:bookworm";
        for (log, second) in [
            (&include_bytes!("../../tests/data/builds/buildx/command.log")[..], "2/3 run exit 9"),
            (include_bytes!("../../tests/data/builds/buildx/pip-conflict.log"), "2/3 pip install requests==2.31.0"),
            (
                include_bytes!("../../tests/data/builds/buildkit-old/pip-conflict.log"),
                "2/3 pip install requests==2.31.0",
            ),
            (include_bytes!("../../tests/data/builds/buildkit-old/apt-unknown.log"), "2/3 apt-get install git curl"),
        ] {
            assert_eq!(headings(log), [first, second]);
        }
    }

    #[test]
    fn a_build_that_is_repeated_has_headings_again() {
        let run = |words: &str| {
            format!("#7 [stage-0 3/4] RUN x [\"sh\", \"/dev/longshore/step.sh\", \"mounted\", {words}]\n")
        };
        let log = format!("{}{ANEW}\n{}", run("\"appended\", \"apt\", \"auto\", \"check\""), run("\"auto\", \"pip\""));
        assert_eq!(headings(log.as_bytes()), ["3/4 add apt packages", "3/4 pip install requests==2.31.0"]);
        let (base, pip) = ("1/3 FROM docker.io/library/base:bookworm", "pip install requests==2.31.0");
        for recorded in [
            &include_bytes!("../../tests/data/builds/buildx/appended-unknown.log")[..],
            include_bytes!("../../tests/data/builds/buildkit-old/appended-unknown.log"),
        ] {
            let shown = headings(recorded);
            let expected = [format!("2/4 {pip}"), "3/4 add pip packages".into(), base.into(), format!("2/3 {pip}")];
            assert_eq!(
                shown.iter().filter(|heading| !heading.starts_with("1/4")).collect::<Vec<_>>(),
                expected.each_ref()
            );
        }
        assert_eq!(shown(log.as_bytes(), 1), shown(log.as_bytes(), log.len()));
    }

    #[test]
    fn nothing_else_changes_whatever_the_pieces_are() {
        for log in [
            &include_bytes!("../../tests/data/builds/legacy/pip-conflict.log")[..],
            include_bytes!("../../tests/data/builds/buildx/pip-conflict.log"),
            b"Step 1/2 : FROM a\nSteps\nStep\n#\n#1 [internal] load\n#2 1.0 [1/2] x\n\x1b[91mred\x1b[0mStep 2/2 : RUN b\nend",
        ] {
            let whole = shown(log, log.len());
            let before: Vec<&str> = std::str::from_utf8(log).unwrap().lines().collect();
            let after: Vec<&str> = whole.lines().collect();
            assert_eq!(before.len(), after.len(), "{whole}");
            assert!(before.iter().zip(after).all(|(before, after)| *before == after || after.contains("== ")), "{whole}");
            for size in [1, 2, 7, 64] {
                assert_eq!(shown(log, size), whole, "in pieces of {size}");
            }
        }
        assert_eq!(shown(b"\x1b[0mStep 2/2 : RUN b\n", 1), "\x1b[0m== 2/2 RUN b\n");
        assert_eq!(shown(b"Step x : y\n#5 [1/x] y\n", 99), "Step x : y\n#5 [1/x] y\n");
    }

    #[test]
    fn of_a_line_that_is_no_step_nothing_is_held_back() {
        let (mut steps, mut shown) = (Steps::default(), Vec::new());
        let mut pass = |part: Part| {
            let Part::Bytes(bytes) = part else { panic!("{part:?}") };
            shown.extend_from_slice(bytes);
            Ok(())
        };
        steps.push(b" 50%", &mut pass).unwrap();
        steps.push(b"\r100%", &mut pass).unwrap();
        assert_eq!(shown, b" 50%\r100%");
    }
}
