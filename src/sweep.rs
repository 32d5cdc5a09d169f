//! `--each`: from the values of parameters to the jobs of a sweep, and what each of them is asked to do. Pure.
//!
//! A sweep has axes: a list of values of one parameter, or the rows of a file with values of several. Its jobs are the product
//! of the axes, in the order in which one would count: the last axis varies fastest.

mod apart;
mod file;
mod fill;
mod list;
mod template;

use crate::error::Failure;
use crate::names::{ParameterName, Parameters};
use crate::spec::listed;

pub use apart::{Placed, check_apart};
pub use file::parse as file;
pub use fill::{Use, fill};
pub use list::Each;

/// How many jobs a sweep can have.
pub const MOST: usize = 10_000;
/// How many parameters a sweep can have.
const MOST_PARAMETERS: usize = 100;

/// Values that belong together: in each row, one of each parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// The parameters.
    pub names: Vec<ParameterName>,
    /// As many values in each as there are parameters.
    pub rows: Vec<Vec<String>>,
}

/// The jobs of a sweep.
#[derive(Debug)]
pub struct Sweep(Vec<Axis>);

impl Sweep {
    /// The product of these axes.
    ///
    /// # Errors
    /// A usage error for a parameter in two axes, and for too many parameters or jobs.
    pub fn new(axes: Vec<Axis>) -> Result<Self, Failure> {
        let names: Vec<&ParameterName> = axes.iter().flat_map(|axis| &axis.names).collect();
        if let Some((_, twice)) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
            let hint = "give all of its values at once, for example: --each seed=1..5,10";
            return Err(Failure::usage(format!("the parameter {:?} is given twice", twice.as_str())).hint(hint));
        }
        if names.len() > MOST_PARAMETERS {
            return Err(Failure::usage(format!("too many parameters: {}, at most {MOST_PARAMETERS}", names.len())));
        }
        let counts: Vec<usize> = axes.iter().map(|axis| axis.rows.len()).collect();
        let count = counts.iter().try_fold(1_usize, |all, count| all.checked_mul(*count));
        if count.is_none_or(|count| count > MOST) {
            let counts: Vec<String> = counts.iter().map(ToString::to_string).collect();
            let product = counts.join(" × ");
            return Err(Failure::usage(format!("too many jobs: {product}, and a sweep has at most {MOST}")));
        }
        Ok(Self(axes))
    }

    /// How many jobs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|axis| axis.rows.len()).product()
    }

    /// The names of all parameters, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|axis| &axis.names).map(ParameterName::as_str)
    }

    /// The parameters of each job, in the order of the jobs.
    pub fn jobs(&self) -> impl Iterator<Item = Parameters> {
        (0..self.len()).map(|at| self.job(at))
    }

    fn job(&self, at: usize) -> Parameters {
        let (mut left, mut rows) = (at, Vec::new());
        for axis in self.0.iter().rev() {
            rows.push((axis, &axis.rows[left % axis.rows.len()]));
            left /= axis.rows.len();
        }
        let pairs = rows.iter().rev().flat_map(|(axis, row)| axis.names.iter().zip(*row));
        Parameters(pairs.map(|(name, value)| (name.to_string(), value.clone())).collect())
    }
}

/// `job 3 of 12 (lr=0.1, seed=3)`, with the number counted from 0.
#[must_use]
pub fn shown(at: usize, count: usize, parameters: &Parameters) -> String {
    format!("job {} of {count} ({parameters})", at + 1)
}

fn known(names: &[&str]) -> String {
    listed(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes(each: &[&str]) -> Vec<Axis> {
        let axis = |text: &&str| match text.parse() {
            Ok(Each::List(axis)) => axis,
            other => panic!("{other:?}"),
        };
        each.iter().map(axis).collect()
    }

    fn jobs(axes: Vec<Axis>) -> Vec<String> {
        Sweep::new(axes).unwrap().jobs().map(|job| job.to_string()).collect()
    }

    #[test]
    fn the_last_parameter_varies_fastest() {
        let found = jobs(axes(&["lr=0.1,0.01", "seed=1..3"]));
        let (a, b) = (["lr=0.1, seed=1", "lr=0.1, seed=2", "lr=0.1, seed=3"], ["lr=0.01, seed=1"]);
        assert_eq!(found[..4], [&a[..], &b[..]].concat());
        assert_eq!(found.len(), 6);
    }

    #[test]
    fn a_file_is_one_axis_among_others() {
        let file = file("grid", b"a,b\n1,2\n3,4\n").unwrap();
        let mut all = vec![file];
        all.extend(axes(&["x=p,q"]));
        assert_eq!(jobs(all), ["a=1, b=2, x=p", "a=1, b=2, x=q", "a=3, b=4, x=p", "a=3, b=4, x=q"]);
    }

    #[test]
    fn a_parameter_given_twice_and_too_many_jobs_are_refused() {
        let refusal = |each: &[&str]| Sweep::new(axes(each)).unwrap_err().message;
        assert_eq!(refusal(&["a=1", "b=1", "a=2"]), "the parameter \"a\" is given twice");
        assert_eq!(refusal(&["a=1..101", "b=1..100"]), "too many jobs: 101 × 100, and a sweep has at most 10000");
        let huge: Vec<String> = (0..30).map(|at| format!("p{at}=1..10000")).collect();
        assert!(refusal(&huge.iter().map(String::as_str).collect::<Vec<_>>()).starts_with("too many jobs: "));
        let wide: Vec<String> = (0..101).map(|at| format!("p{at}=1")).collect();
        let wide: Vec<&str> = wide.iter().map(String::as_str).collect();
        assert_eq!(refusal(&wide), "too many parameters: 101, at most 100");
        assert_eq!(Sweep::new(axes(&["a=1..100", "b=1..100"])).unwrap().len(), MOST);
    }
}
