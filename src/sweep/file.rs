//! Files with a row of values for each job: JSON objects, one a line or in an array, or CSV with a header. Pure.

use serde_json::Value;

use super::{Axis, MOST};
use crate::error::Failure;
use crate::names::ParameterName;
use crate::spec::json;
use crate::terminal::escape_value;

/// Reads a file. It is JSON if its first character that is no blank is `[` or `{`, and CSV otherwise. `name` is what errors
/// call it.
///
/// # Errors
/// A usage error with the line or the number of the row. Each row has a value for each parameter; a value of JSON is text, a
/// number or a boolean.
pub fn parse(name: &str, bytes: &[u8]) -> Result<Axis, Failure> {
    let wrong = |why: String| Failure::usage(format!("could not read the parameters in {name}: {why}"));
    let text = std::str::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".into()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let axis = match text.trim_start().chars().next() {
        None => Err("it is empty".into()),
        Some('[') => array(text),
        Some('{') => lines(text),
        Some(_) => csv(text),
    };
    axis.and_then(|axis| if axis.rows.is_empty() { Err("it has no row of values".into()) } else { Ok(axis) })
        .map_err(wrong)
}

/// The axis of rows that say where they are. The first row has the names.
fn axis(rows: impl Iterator<Item = Result<(String, Value), String>>) -> Result<Axis, String> {
    let mut axis = Axis { names: Vec::new(), rows: Vec::new() };
    for row in rows {
        let (place, value) = row?;
        let at = |why: String| format!("{place}: {why}");
        let Value::Object(object) = value else { return Err(at(format!("it is {}", json::kind(&value)))) };
        if axis.rows.is_empty() {
            axis.names = names(object.keys().map(String::as_str)).map_err(at)?;
        }
        if let Some(key) = object.keys().find(|key| axis.names.iter().all(|name| name.as_str() != *key)) {
            return Err(at(format!("the key \"{}\" is not in the first row", escape_value(key))));
        }
        let cells = axis.names.iter().map(|name| cell(name, object.get(name.as_str())));
        let cells = cells.collect::<Result<_, _>>().map_err(at)?;
        push(&mut axis, cells)?;
    }
    Ok(axis)
}

fn array(text: &str) -> Result<Axis, String> {
    let Value::Array(items) = parsed(text)? else { return Err("it is no array".into()) };
    axis(items.into_iter().enumerate().map(|(at, item)| Ok((format!("row {}", at + 1), item))))
}

fn lines(text: &str) -> Result<Axis, String> {
    let full = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    axis(full.map(|(at, line)| {
        let place = format!("line {}", at + 1);
        parsed(line).map(|value| (place.clone(), value)).map_err(|why| format!("{place}: {why}"))
    }))
}

fn parsed(text: &str) -> Result<Value, String> {
    json::parse("JSON", text.as_bytes()).map_err(|failure| failure.message)
}

fn cell(name: &ParameterName, value: Option<&Value>) -> Result<String, String> {
    match value {
        Some(Value::String(text)) => checked(name, text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(Value::Bool(value)) => Ok(value.to_string()),
        Some(other) => {
            Err(format!("{:?} must be text, a number or a boolean, not {}", name.as_str(), json::kind(other)))
        }
        None => Err(format!("{:?} is missing", name.as_str())),
    }
}

fn checked(name: &ParameterName, value: String) -> Result<String, String> {
    ParameterName::check_value(&value).map_err(|invalid| format!("{:?}: {}", name.as_str(), invalid.why))?;
    Ok(value)
}

/// Blanks around names and values are dropped.
fn csv(text: &str) -> Result<Axis, String> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| error.to_string())?;
    let mut axis = Axis { names: names(header.iter()).map_err(|why| format!("line 1: {why}"))?, rows: Vec::new() };
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let line = record.position().map_or(0, csv::Position::line);
        let at = |why: String| format!("line {line}: {why}");
        if record.len() != axis.names.len() {
            return Err(at(format!("it has {} values, and the header has {} names", record.len(), axis.names.len())));
        }
        let cells = axis.names.iter().zip(&record).map(|(name, value)| checked(name, value.to_owned()));
        let cells = cells.collect::<Result<_, _>>().map_err(at)?;
        push(&mut axis, cells)?;
    }
    Ok(axis)
}

fn push(axis: &mut Axis, row: Vec<String>) -> Result<(), String> {
    if axis.rows.len() == MOST {
        return Err(format!("it has more than {MOST} rows"));
    }
    axis.rows.push(row);
    Ok(())
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<ParameterName>, String> {
    let names: Vec<ParameterName> =
        names.map(ParameterName::parse).collect::<Result<_, _>>().map_err(|invalid| invalid.to_string())?;
    match names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        Some((_, twice)) => Err(format!("the parameter {:?} is given twice", twice.as_str())),
        None if names.is_empty() => Err("it has no parameters".into()),
        None => Ok(names),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match parse("grid", text.as_bytes()) {
            Ok(axis) => {
                let names: Vec<&str> = axis.names.iter().map(ParameterName::as_str).collect();
                let rows = axis.rows.iter().map(|row| row.join("|"));
                [names.join("|")].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
            }
            Err(failure) => failure.message,
        }
    }

    #[test]
    fn the_three_forms_give_the_same_rows() {
        for text in [
            "lr,seed\n0.1,1\n0.01,2\n",
            "\u{feff}lr , seed\r\n0.1, 1\r\n\r\n\"0.01\",2",
            "{\"lr\": 0.1, \"seed\": \"1\"}\n\n{\"seed\": 2, \"lr\": 0.01}\n",
            " [{\"lr\": \"0.1\", \"seed\": 1},\n {\"lr\": 0.01, \"seed\": 2}]",
        ] {
            assert_eq!(shown(text), "lr|seed\n0.1|1\n0.01|2", "{text}");
        }
        assert_eq!(shown("x,on\n\"a, \"\"b\"\"\",\n"), "x|on\na, \"b\"|");
        assert_eq!(shown("{\"x\": \"\", \"on\": true}"), "x|on\n|true");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let wrong = |why: &str| format!("could not read the parameters in grid: {why}");
        for (text, why) in [
            ("", "it is empty"),
            (" \n", "it is empty"),
            ("lr,seed\n", "it has no row of values"),
            ("[]", "it has no row of values"),
            ("lr,seed\n1,2\n3\n", "line 3: it has 1 values, and the header has 2 names"),
            ("lr,\n1,2\n", "line 1: invalid parameter \"\": it is empty"),
            ("lr,learning rate\n1,2\n", "line 1: invalid parameter \"learning rate\": a blank is not allowed"),
            ("lr,lr\n1,2\n", "line 1: the parameter \"lr\" is given twice"),
            ("{\"a\": 1}\n{\"b\": 1}", "line 2: the key \"b\" is not in the first row"),
            ("{\"a\": 1, \"b\": 2}\n{\"b\": 1}", "line 2: \"a\" is missing"),
            ("{\"a\": null}", "line 1: \"a\" must be text, a number or a boolean, not null"),
            ("[{\"a\": [1]}]", "row 1: \"a\" must be text, a number or a boolean, not an array"),
            ("[1]", "row 1: it is a number"),
            ("[{}]", "row 1: it has no parameters"),
            ("[{\"a\": \"\\u0000\"}]", "row 1: \"a\": it contains a NUL"),
        ] {
            assert_eq!(shown(text), wrong(why), "{text}");
        }
        assert!(shown("{\"a\": 1").starts_with(&wrong("line 1: invalid JSON: not JSON: EOF")));
        assert!(shown("[{\"a\": 1, \"a\": 2}]").contains("the key \"[0].a\" is given twice"));
        assert_eq!(parse("grid", b"a\n\xff\n").unwrap_err().message, wrong("it is not UTF-8"));
        let many = format!("a\n{}", "1\n".repeat(MOST + 1));
        assert_eq!(shown(&many), wrong("it has more than 10000 rows"));
    }
}
