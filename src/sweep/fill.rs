//! What one job of a sweep is asked to do: the options of all of them, with its parameters in place. Pure.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::known;
use super::template::{self, Wrong};
use crate::error::Failure;
use crate::names::{Argument, EnvValue, Invalid, Label, Open, Parameters, Variable, nearest};
use crate::spec::RunSpec;
use crate::terminal::escape_value;

/// Which parameters were used by the options of a sweep.
#[derive(Debug, Default)]
pub struct Use(BTreeSet<String>);

impl Use {
    /// Those of the parameters that no option uses.
    #[must_use]
    pub fn unused<'a>(&self, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        names.filter(|name| !self.0.contains(*name)).collect()
    }
}

/// The options with the parameters of one job in `--main`, `--entry`, `--input`, `--output`, `--name`, the values of `--env`
/// and `--label`, and the arguments. Everything else is the same for all jobs.
///
/// # Errors
/// A usage error for an unknown parameter, for a brace that is neither doubled nor around a name, and for a value that the
/// option refuses.
pub fn fill(spec: RunSpec, row: &Parameters, used: &mut Use) -> Result<RunSpec, Failure> {
    let mut filling = Filling { row, used };
    Ok(RunSpec {
        main_src: spec.main_src.map(|main| filling.read("--main", main.as_str())).transpose()?,
        entry: spec.entry.map(|entry| filling.open("--entry", &entry)).transpose()?,
        input_path: spec.input_path.map(|path| filling.path("--input", &path)).transpose()?,
        output_path: spec.output_path.map(|path| filling.path("--output", &path)).transpose()?,
        args: spec.args.iter().map(|argument| filling.argument(argument)).collect::<Result<_, _>>()?,
        env: spec.env.into_iter().map(|variable| filling.variable(variable)).collect::<Result<_, _>>()?,
        labels: spec.labels.into_iter().map(|label| filling.label(label)).collect::<Result<_, _>>()?,
        name: spec.name.map(|name| filling.open("--name", &name)).transpose()?,
        ..spec
    })
}

struct Filling<'a> {
    row: &'a Parameters,
    used: &'a mut Use,
}

impl Filling<'_> {
    /// `place` is the option; `shown` is its text, unless that is a secret.
    fn text(&mut self, place: &str, text: &str, shown: Option<&str>) -> Result<String, Failure> {
        template::fill(text, self.row, &mut self.used.0).map_err(|wrong| self.refused(place, shown, &wrong))
    }

    fn refused(&self, place: &str, shown: Option<&str>, wrong: &Wrong) -> Failure {
        const BRACES: &str = "write {{ for { and }} for } where no parameter is meant";
        let place = shown.map_or_else(|| place.to_owned(), |text| format!("{place} \"{}\"", escape_value(text)));
        match wrong {
            Wrong::Unknown(name) => {
                let names: Vec<&str> = self.row.0.iter().map(|(name, _)| name.as_str()).collect();
                // A part of a secret is one, too.
                let named = if shown.is_some() { format!(" \"{name}\"") } else { String::new() };
                let meant = nearest(name, &names).filter(|_| shown.is_some());
                let meant = meant.map(|near| format!("did you mean {near:?}? ")).unwrap_or_default();
                Failure::usage(format!("unknown parameter{named} in {place}"))
                    .hint(format!("{meant}the parameters are: {}; {BRACES}", known(&names)))
            }
            Wrong::Lone(brace) => Failure::usage(format!("a \"{brace}\" alone in {place}")).hint(BRACES),
        }
    }

    fn read<T: FromStr<Err = Invalid>>(&mut self, place: &str, text: &str) -> Result<T, Failure> {
        self.text(place, text, Some(text))?.parse().map_err(failed)
    }

    fn open<T: FromStr<Err = Invalid>>(&mut self, place: &str, value: &Open<T>) -> Result<Open<T>, Failure>
    where
        Open<T>: ToString,
    {
        self.read(place, &value.to_string()).map(Open::Set)
    }

    fn path(&mut self, place: &str, path: &Path) -> Result<PathBuf, Failure> {
        match path.to_str() {
            Some(text) => Ok(self.text(place, text, Some(text))?.into()),
            None => Err(Failure::usage(format!("cannot use {place} {}: it is not UTF-8", path.display()))),
        }
    }

    fn argument(&mut self, argument: &Argument) -> Result<Argument, Failure> {
        self.read("the argument", argument.as_str())
    }

    fn variable(&mut self, variable: Variable) -> Result<Variable, Failure> {
        let Some(value) = &variable.value else { return Ok(variable) };
        let filled = self.text(&format!("the value of --env {}", variable.key), value.as_str(), None)?;
        Ok(Variable { value: Some(EnvValue::parse(&filled).map_err(failed)?), ..variable })
    }

    fn label(&mut self, label: Label) -> Result<Label, Failure> {
        let filled = self.text("--label", &label.value, Some(&label.to_string()))?;
        Label::new(label.key, &filled).map_err(failed)
    }
}

fn failed(invalid: Invalid) -> Failure {
    Failure::of(&invalid.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec;

    fn filled(body: &str) -> Result<(RunSpec, Vec<String>), Failure> {
        let row = Parameters(vec![("lr".into(), "0.1".into()), ("seed".into(), "2".into())]);
        let mut used = Use::default();
        let filled = fill(spec::parse(body.as_bytes()).unwrap(), &row, &mut used)?;
        Ok((filled, used.unused(["lr", "seed"].into_iter()).into_iter().map(str::to_owned).collect()))
    }

    fn refusal(body: &str) -> (String, String) {
        let failure = filled(body).unwrap_err();
        (failure.message, failure.hint.unwrap_or_default())
    }

    #[test]
    fn the_parameters_stand_in_what_tells_jobs_apart_and_nowhere_else() {
        let filled_alone = filled;
        let (filled, unused) = filled(
            r#"{"mainSrc": "a{seed}.py", "inputPath": "in/{seed}", "outputPath": "out/{seed}", "name": "run-{seed}",
                "args": ["--json", "{{\"seed\": {seed}}}", ""], "env": {"A": "{seed}{{}}", "B": null},
                "labels": {"s": "{seed}"}, "srcPath": "src{seed}", "imageTag": "web"}"#,
        )
        .unwrap();
        let body = r#"{"mainSrc": "a2.py", "inputPath": "in/2", "outputPath": "out/2", "name": "run-2",
            "args": ["--json", "{\"seed\": 2}", ""], "env": {"A": "2{}", "B": null}, "labels": {"s": "2"},
            "srcPath": "src{seed}", "imageTag": "web"}"#;
        assert_eq!(filled, spec::parse(body.as_bytes()).unwrap());
        assert_eq!(unused, ["lr"]);
        assert_eq!(filled_alone(r#"{"entry": "m.s{seed}"}"#).unwrap().0.entry, "m.s2".parse().ok());
    }

    #[test]
    fn an_unknown_parameter_is_named_with_those_that_there_are() {
        let braces = "write {{ for { and }} for } where no parameter is meant";
        let (message, hint) = refusal(r#"{"outputPath": "out/{sead}"}"#);
        assert_eq!(message, "unknown parameter \"sead\" in --output \"out/{sead}\"");
        assert_eq!(hint, format!("did you mean \"seed\"? the parameters are: lr and seed; {braces}"));
        let (message, hint) = refusal(r#"{"args": ["{\"a\": 1}"]}"#);
        assert_eq!((message.as_str(), hint.as_str()), ("a \"{\" alone in the argument \"{\"a\": 1}\"", braces));
        let (message, _) = refusal(r#"{"labels": {"a": "{b}"}}"#);
        assert_eq!(message, "unknown parameter \"b\" in --label \"a={b}\"");
        let (message, _) = refusal(r#"{"name": "Run-{lr}"}"#);
        assert_eq!(message, "invalid job name \"Run-0.1\": \"R\" is not allowed");
    }

    #[test]
    fn the_value_of_a_variable_is_never_shown() {
        let (message, hint) = refusal(r#"{"env": {"TOKEN": "hunter{lx}2"}}"#);
        assert_eq!(message, "unknown parameter in the value of --env TOKEN");
        assert!(hint.starts_with("the parameters are: lr and seed; "), "{hint}");
        assert_eq!(refusal(r#"{"env": {"TOKEN": "hunter2{"}}"#).0, "a \"{\" alone in the value of --env TOKEN");
    }
}
