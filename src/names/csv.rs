//! One line of CSV as docker reads it for `--mount` and `--gpus`, with Go's `encoding/csv`.

/// One field, such as `source=/a,b`, quoted if necessary. docker keeps everything in a quoted field except CR LF.
#[must_use]
pub fn csv_field(text: &str) -> String {
    let blank_edge = text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace);
    if blank_edge || text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// The fields of a line; `None` if docker would not read it as one line. In a quoted field, `""` is a quote.
#[must_use]
pub fn csv_fields(line: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted)?,
            None => plain_field(rest)?,
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(after) => rest = after,
            None => return after.is_empty().then_some(fields),
        }
    }
}

/// The text up to the closing quote, and what follows it.
fn quoted_field(mut rest: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    loop {
        let (text, after) = rest.split_once('"')?;
        field.push_str(text);
        match after.strip_prefix('"') {
            Some(more) => rest = more,
            None => return Some((field, after)),
        }
        field.push('"');
    }
}

/// The text up to the next comma, and what follows it.
fn plain_field(rest: &str) -> Option<(String, &str)> {
    let (field, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
    (!field.contains(['"', '\n', '\r'])).then(|| (field.to_owned(), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_docker_reads_it() {
        for (line, fields) in [
            ("a=b,c", Some(vec!["a=b", "c"])),
            ("", Some(vec![""])),
            ("a,", Some(vec!["a", ""])),
            (r#""a,""b""",c"#, Some(vec![r#"a,"b""#, "c"])),
            ("\"a\nb\"", Some(vec!["a\nb"])),
            (r#"a"b"#, None),
            (r#""a"b"#, None),
            (r#""a"#, None),
            ("a\nb", None),
        ] {
            assert_eq!(
                csv_fields(line),
                fields.map(|fields| fields.into_iter().map(str::to_owned).collect()),
                "{line}"
            );
        }
    }

    #[test]
    fn a_field_is_quoted_only_where_it_has_to_be() {
        for (text, field) in [
            ("source=/a b", "source=/a b"),
            ("source=/a,b", "\"source=/a,b\""),
            ("source=/\"", "\"source=/\"\"\""),
            ("target=/a ", "\"target=/a \""),
            ("", ""),
        ] {
            assert_eq!(csv_field(text), field);
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_back(fields in proptest::collection::vec("(?s).{0,8}", 1..4)) {
            let line = fields.iter().map(|field| csv_field(field)).collect::<Vec<_>>().join(",");
            proptest::prop_assert_eq!(csv_fields(&line), Some(fields));
        }
    }
}
