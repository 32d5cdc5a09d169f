//! Jobs of a sweep that would get in each other's way: those with one output directory, or with one name. Pure.

use std::path::Path;

use super::shown;
use crate::error::Failure;
use crate::names::Parameters;

/// What a job has for itself alone.
#[derive(Debug, Clone, Copy)]
pub struct Placed<'a> {
    /// Its parameters.
    pub parameters: &'a Parameters,
    /// The output directory: absolute, resolved.
    pub output: Option<&'a Path>,
    /// Its name.
    pub name: Option<&'a str>,
}

/// Checks that no two jobs have the same name, and that no output directory is that of another job or inside one.
///
/// # Errors
/// A usage error with the first two jobs in question.
pub fn check_apart(jobs: &[Placed]) -> Result<(), Failure> {
    check_names(jobs)?;
    check_outputs(jobs)
}

fn job(at: usize, jobs: &[Placed]) -> String {
    shown(at, jobs.len(), jobs[at].parameters)
}

fn check_names(jobs: &[Placed]) -> Result<(), Failure> {
    let mut named: Vec<(&str, usize)> = jobs.iter().enumerate().filter_map(|(at, job)| Some((job.name?, at))).collect();
    named.sort_unstable();
    let Some([(name, a), (_, b)]) = named.windows(2).find(|pair| pair[0].0 == pair[1].0) else { return Ok(()) };
    let message = format!("{} and {} would have the same name: {name:?}", job(*a, jobs), job(*b, jobs));
    Err(Failure::usage(message).hint(hint(jobs, "--name", "run-")))
}

/// In the order of paths by their parts, what is inside a directory follows it at once.
fn check_outputs(jobs: &[Placed]) -> Result<(), Failure> {
    let mut placed: Vec<(&Path, usize)> =
        jobs.iter().enumerate().filter_map(|(at, job)| Some((job.output?, at))).collect();
    placed.sort_unstable();
    let Some([(outer, a), (inner, b)]) = placed.windows(2).find(|pair| pair[1].0.starts_with(pair[0].0)) else {
        return Ok(());
    };
    let (a, b) = (job(*a, jobs), job(*b, jobs));
    let message = if outer == inner {
        format!("{a} and {b} would have the same output directory: {}", outer.display())
    } else {
        format!("the output directory of {b}, {}, is inside that of {a}, {}", inner.display(), outer.display())
    };
    Err(Failure::usage(message).hint(hint(jobs, "--output", "results/")))
}

/// What to write, with the first of the parameters.
fn hint(jobs: &[Placed], flag: &str, before: &str) -> String {
    let names = jobs.iter().take(1).flat_map(|job| &job.parameters.0).take(4);
    let names: Vec<String> = names.map(|(name, _)| format!("{{{name}}}")).collect();
    format!("put what tells the jobs apart into {flag}, for example: {flag} '{before}{}'", names.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(jobs: &[(Option<&str>, Option<&str>)]) -> String {
        let parameters: Vec<Parameters> =
            (0..jobs.len()).map(|at| Parameters(vec![("n".into(), at.to_string())])).collect();
        let placed = jobs.iter().zip(&parameters);
        let placed: Vec<Placed> = placed
            .map(|((output, name), parameters)| Placed { parameters, output: output.map(Path::new), name: *name })
            .collect();
        check_apart(&placed).err().map(|failure| failure.message).unwrap_or_default()
    }

    #[test]
    fn one_output_directory_for_two_jobs_is_refused_and_one_in_another_too() {
        let outputs = |paths: &[&str]| message(&paths.iter().map(|path| (Some(*path), None)).collect::<Vec<_>>());
        assert_eq!(outputs(&["/o/1", "/o/2", "/o/10", "/o/1-2", "/p"]), "");
        assert_eq!(
            outputs(&["/o/1", "/o/2", "/o/1"]),
            "job 1 of 3 (n=0) and job 3 of 3 (n=2) would have the same output directory: /o/1"
        );
        assert_eq!(
            outputs(&["/o/1/x", "/o/1-2", "/o/1"]),
            "the output directory of job 1 of 3 (n=0), /o/1/x, is inside that of job 3 of 3 (n=2), /o/1"
        );
    }

    #[test]
    fn a_name_is_for_one_job_and_no_name_or_output_is_fine() {
        assert_eq!(message(&[(None, Some("a")), (None, Some("b")), (None, None), (None, None)]), "");
        assert_eq!(
            message(&[(None, Some("a")), (None, Some("b")), (None, Some("a"))]),
            "job 1 of 3 (n=0) and job 3 of 3 (n=2) would have the same name: \"a\""
        );
    }
}
