//! The argument of `--each`: a parameter with a list of values, or the path of a file. Pure.

use std::path::PathBuf;
use std::str::FromStr;

use super::{Axis, MOST};
use crate::names::{Invalid, ParameterName};
use crate::terminal::escape_value;

/// What `--each` was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Each {
    /// `NAME=VALUES`
    List(Axis),
    /// A file with a row of values for each job; `-` is stdin.
    File(PathBuf),
}

/// A text whose beginning up to the first `=` is a parameter's name is a list. Any other text is a path.
impl FromStr for Each {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let named = text.split_once('=').and_then(|(name, list)| Some((ParameterName::parse(name).ok()?, list)));
        match named {
            Some((name, list)) => {
                let rows = values(list).map_err(|why| refused(text, why))?;
                let rows =
                    rows.into_iter().map(|value| check(&value).map(|()| vec![value])).collect::<Result<_, _>>()?;
                Ok(Self::List(Axis { names: vec![name], rows }))
            }
            None if text.is_empty() => Err(refused(text, "it is empty".into())),
            None => Ok(Self::File(text.into())),
        }
    }
}

fn check(value: &str) -> Result<(), Invalid> {
    ParameterName::check_value(value)
}

fn refused(text: &str, why: String) -> Invalid {
    Invalid::new("list of values", text, why).with_hint(
        "write NAME=VALUE,VALUE,… or NAME=FIRST..LAST[..STEP]; a `\\` before a comma makes it part of a value",
    )
}

/// The values of a list: its items, and the numbers of its ranges.
fn values(list: &str) -> Result<Vec<String>, String> {
    let mut values = Vec::new();
    for (at, (item, is_literal)) in items(list)?.into_iter().enumerate() {
        if item.is_empty() {
            return Err(format!("its value {} is empty", at + 1));
        }
        match Range::parse(&item).filter(|_| !is_literal) {
            Some(range) => values.extend(range?.numbers()?),
            None => values.push(item),
        }
    }
    Ok(values)
}

/// The texts between the commas, and whether a text has an escape, which keeps it from being a range. After a `\`, a character
/// stands for itself.
fn items(list: &str) -> Result<Vec<(String, bool)>, String> {
    let mut items = vec![(String::new(), false)];
    let mut chars = list.chars();
    while let Some(char) = chars.next() {
        let item = items.last_mut().expect("there is one from the beginning");
        match char {
            ',' => items.push((String::new(), false)),
            '\\' => {
                item.0.push(chars.next().ok_or("it ends with a `\\`; write `\\\\` for one")?);
                item.1 = true;
            }
            other => item.0.push(other),
        }
    }
    Ok(items)
}

/// `1..5`, both ends included, or `0..100..10`. If one of the ends has zeros before it, all numbers have the same width.
#[derive(Debug, PartialEq, Eq)]
struct Range {
    first: i64,
    last: i64,
    step: i64,
    width: usize,
}

impl Range {
    /// `None` for what is no range: fewer or more parts than it has, or one that is no number.
    fn parse(text: &str) -> Option<Result<Self, String>> {
        let parts: Vec<&str> = text.split("..").collect();
        let is_number = |part: &&str| part.starts_with(|c: char| "+-".contains(c) || c.is_ascii_digit());
        let is_number = |part: &&str| is_number(part) && part.parse::<f64>().is_ok();
        if !(2..=3).contains(&parts.len()) || !parts.iter().all(is_number) {
            return None;
        }
        let whole: Result<Vec<i64>, _> = parts.iter().map(|part| part.parse()).collect();
        let Ok(whole) = whole else {
            return Some(Err(format!(
                "the range \"{}\" has a number that is not whole, or too great",
                escape_value(text)
            )));
        };
        let digits = |part: &str| part.trim_start_matches(['+', '-']).to_owned();
        let has_zeros = |part: &&str| digits(part).len() > 1 && digits(part).starts_with('0');
        let width = if parts[..2].iter().any(has_zeros) { parts[0].len().max(parts[1].len()) } else { 0 };
        let step = whole.get(2).copied().unwrap_or(1);
        Some(Ok(Self { first: whole[0], last: whole[1], step, width }))
    }

    fn numbers(&self) -> Result<impl Iterator<Item = String>, String> {
        let Self { first, last, step, width } = *self;
        if step < 1 {
            return Err(format!("the step {step} of a range must be greater than zero"));
        }
        if last < first {
            return Err(format!("the range {first}..{last} ends before it begins"));
        }
        // Wider numbers, because the distance of two of 64 bits may need 65.
        let count = (i128::from(last) - i128::from(first)) / i128::from(step) + 1;
        let count = usize::try_from(count).ok().filter(|count| *count <= MOST);
        let count = count.ok_or_else(|| format!("the range {first}..{last} has more than {MOST} numbers"))?;
        let number = move |at: usize| i128::from(first) + i128::from(step) * i128::try_from(at).unwrap_or_default();
        Ok((0..count).map(move |at| format!("{:0width$}", number(at))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<String> {
        match text.parse() {
            Ok(Each::List(axis)) => axis.rows.concat(),
            other => panic!("{text}: {other:?}"),
        }
    }

    fn refusal(text: &str) -> String {
        text.parse::<Each>().unwrap_err().why
    }

    #[test]
    fn a_list_has_values_and_ranges_in_their_order() {
        for (text, values) in [
            ("lr=0.1,0.01", &["0.1", "0.01"][..]),
            ("x=a", &["a"]),
            ("x=a=b", &["a=b"]),
            ("x= a , b", &[" a ", " b"]),
            ("seed=1..4", &["1", "2", "3", "4"]),
            ("seed=-1..1,7", &["-1", "0", "1", "7"]),
            ("n=0..100..40", &["0", "40", "80"]),
            ("n=3..3", &["3"]),
            ("n=08..11", &["08", "09", "10", "11"]),
            ("n=-0..1", &["0", "1"]),
            ("x=a\\,b,c", &["a,b", "c"]),
            ("x=\\\\", &["\\"]),
            // Neither of these is a range.
            ("x=1\\..3", &["1..3"]),
            ("x=../a", &["../a"]),
            ("x=a..b", &["a..b"]),
            ("x=1..", &["1.."]),
            ("x=inf..nan", &["inf..nan"]),
            ("x={y}", &["{y}"]),
        ] {
            assert_eq!(list(text), values, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (text, why) in [
            ("x=", "its value 1 is empty"),
            ("x=a,,b", "its value 2 is empty"),
            ("x=a,", "its value 2 is empty"),
            ("x=5..1", "the range 5..1 ends before it begins"),
            ("x=1..5..0", "the step 0 of a range must be greater than zero"),
            ("x=1..5..-1", "the step -1 of a range must be greater than zero"),
            ("x=0.1..0.5", "the range \"0.1..0.5\" has a number that is not whole, or too great"),
            (
                "x=1..99999999999999999999",
                "the range \"1..99999999999999999999\" has a number that is not whole, or too great",
            ),
            ("x=1..10001", "the range 1..10001 has more than 10000 numbers"),
            (
                "x=-9223372036854775808..9223372036854775807",
                "the range -9223372036854775808..9223372036854775807 has more than 10000 numbers",
            ),
            ("x=a\\", "it ends with a `\\`; write `\\\\` for one"),
            ("", "it is empty"),
        ] {
            assert_eq!(refusal(text), why, "{text}");
        }
        assert!(refusal(&format!("x={}", "a".repeat(4097))).contains("at most 4096 bytes"));
    }

    #[test]
    fn what_does_not_begin_with_a_name_and_an_equals_sign_is_a_path() {
        for text in ["grid.csv", "./a=b.csv", "-", "/x/y.json", "1=2", "a b=c", "=x"] {
            assert_eq!(text.parse(), Ok(Each::File(text.into())), "{text}");
        }
    }
}
