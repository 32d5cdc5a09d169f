//! The values of a sweep, its jobs, and texts with parameters.

use std::collections::BTreeSet;

use super::{grammar, is_plain_message};
use crate::names::{ParameterName, Parameters};
use crate::sweep::{self, Axis, Each, Sweep, Use};

/// Every property of this file.
pub fn all(bytes: &[u8]) {
    file(bytes);
    let text = String::from_utf8_lossy(bytes);
    each(&text);
    template(&text);
}

/// An axis has parameters that are named once, and in each row a value for each of them.
fn whole(axis: &Axis) {
    let names: BTreeSet<&str> = axis.names.iter().map(ParameterName::as_str).collect();
    assert!(names.len() == axis.names.len() && !names.is_empty());
    assert!(names.iter().all(|name| grammar!("^[A-Za-z_][A-Za-z0-9_-]{0,62}$").is_match(name)));
    assert!((1..=sweep::MOST).contains(&axis.rows.len()));
    let is_value = |value: &String| !value.contains('\0') && value.len() <= 4096;
    assert!(axis.rows.iter().all(|row| row.len() == axis.names.len() && row.iter().all(is_value)));
}

/// A file is read whole, or refused with a plain message.
pub fn file(bytes: &[u8]) {
    match sweep::file("the file", bytes) {
        Ok(axis) => {
            whole(&axis);
            product(vec![axis]);
        }
        Err(failure) => is_plain_message(&failure.message),
    }
}

/// The argument of `--each` is a list, a path, or refused. What has no `=` is never a list.
pub fn each(text: &str) {
    match text.parse::<Each>() {
        Ok(Each::List(axis)) => {
            assert!(text.contains('='));
            whole(&axis);
            product(vec![axis]);
        }
        Ok(Each::File(path)) => assert_eq!(path.to_str(), Some(text)),
        Err(refusal) => is_plain_message(&refusal.to_string()),
    }
}

/// A sweep has as many jobs as the product of its axes, and no two of them take their values from the same rows. The last
/// axis varies fastest.
pub fn product(mut axes: Vec<Axis>) {
    axes.push(Axis {
        names: vec!["of-the-test".parse().expect("a name")],
        rows: vec![vec!["a".into()], vec!["b".into()]],
    });
    let count: usize = axes.iter().map(|axis| axis.rows.len()).product();
    let names: Vec<String> = axes.iter().flat_map(|axis| &axis.names).map(ToString::to_string).collect();
    let first = axes[0].clone();
    let Ok(sweep) = Sweep::new(axes) else {
        assert!(count > sweep::MOST || names.len() > 100);
        return;
    };
    let jobs: Vec<Parameters> = sweep.jobs().collect();
    assert_eq!((jobs.len(), sweep.len()), (count, count));
    for (at, job) in jobs.iter().enumerate() {
        assert!(job.0.iter().map(|(name, _)| name).eq(&names));
        assert_eq!(job.value("of-the-test"), Some(["a", "b"][at % 2]));
        assert_eq!(job.value(first.names[0].as_str()), Some(first.rows[at * first.rows.len() / count][0].as_str()));
    }
}

/// A text without braces stays as it is, and one with doubled braces becomes what it was. Of other texts, an argument is
/// completed or refused.
pub fn template(text: &str) {
    let row = Parameters(vec![("a".into(), "{b}".into()), ("b".into(), "}{".into())]);
    let filled = |text: &str| {
        let spec = crate::spec::RunSpec { args: vec![text.parse().ok()?], ..Default::default() };
        Some(sweep::fill(spec, &row, &mut Use::default()).map(|spec| spec.args[0].to_string()))
    };
    let doubled = text.replace('{', "{{").replace('}', "}}");
    if let Some(completed) = filled(&doubled) {
        assert_eq!(completed.as_deref(), Ok(text));
    }
    match filled(text) {
        Some(Ok(completed)) if !text.contains(['{', '}']) => assert_eq!(completed, text),
        Some(Err(failure)) => {
            assert!(text.contains(['{', '}']));
            is_plain_message(&failure.message);
        }
        Some(Ok(_)) | None => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_argument_of_each_is_a_list_or_a_path(
            text in "([a-c_1-]{1,3}=)?([a-c{}.\\\\=, \0\u{202e}]|-?[0-9]{1,3}|[0-9]{18,20}|\\.\\.){0,8}"
        ) {
            super::each(&text);
        }

        #[test]
        fn any_bytes_are_a_file_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            super::all(&bytes);
        }

        #[test]
        fn a_csv_file_is_read_whole(text in "\u{feff}?[ab ]{1,2}(,[c-e]){0,2}(\r?\n([a-c\" ]{0,3},?){0,4}){0,4}") {
            super::file(text.as_bytes());
        }

        #[test]
        fn a_json_file_is_read_whole(
            text in "\\[?(\\{(\"[ab]\": ?(\"[xy]?\"|1|0\\.10|1e400|true|null|\\[\\])(, ?)?){0,2}\\}[,\n]?){0,4}\\]?"
        ) {
            super::file(text.as_bytes());
        }

        #[test]
        fn a_product_has_all_combinations(counts in prop::collection::vec(1_usize..6, 1..4)) {
            let axis = |(at, count): (usize, &usize)| {
                format!("p{at}=1..{count}").parse().map(|each| match each {
                    super::Each::List(axis) => axis,
                    super::Each::File(_) => unreachable!("it has a name"),
                })
            };
            let axes: Result<Vec<_>, _> = counts.iter().enumerate().map(axis).collect();
            super::product(axes.expect("lists"));
        }

        #[test]
        fn a_text_with_parameters_is_completed_or_refused(text in "([ab}{\"é]|\\{[abc]\\}|\\{\\{|\\}\\}){0,10}") {
            super::template(&text);
        }
    }
}
