//! Groups of runs. A group is the name that the records of its runs have; it has no file of its own, and ends with its last run.

use anyhow::Result;

use super::record::Kind;
use super::store::Store;
use crate::env::Env;
use crate::error::{self, Failure};
use crate::names::{GroupName, JobId, nearest};
use crate::terminal::escape_value;

/// The runs of a group that were not forgotten, in the order in which they were asked for.
///
/// # Errors
/// [`error::Kind::NotFound`] if there are none; the hint has the name of a group that could have been meant.
pub fn members(env: &Env, group: &GroupName) -> Result<Vec<JobId>> {
    let (mut found, mut others) = (Vec::new(), Vec::new());
    let store = Store::open(env, Kind::Run)?;
    let jobs = store.map(|store| store.glances(usize::MAX)).transpose()?;
    for job in jobs.into_iter().flatten() {
        match job.asked.group {
            Some(known) if known == group.as_str() => found.push((job.asked.created, job.id)),
            Some(other) => others.push(other),
            None => {}
        }
    }
    if found.is_empty() {
        return Err(unknown(group, &others).into());
    }
    found.sort();
    Ok(found.into_iter().map(|(_, id)| id).collect())
}

fn unknown(group: &GroupName, others: &[String]) -> Failure {
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    let meant = nearest(group.as_str(), &others).map(|near| format!("did you mean \"{}\"? ", escape_value(near)));
    Failure::new(error::Kind::NotFound, format!("there is no group \"{group}\""))
        .hint(format!("{}list the runs with: longshore exec list", meant.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_could_have_been_meant_stands_in_the_hint() {
        let group = GroupName::parse("swep").unwrap();
        let hint = |others: &[&str]| {
            unknown(&group, &others.iter().map(|other| (*other).to_owned()).collect::<Vec<_>>()).hint.unwrap()
        };
        assert_eq!(hint(&["nightly", "sweep"]), "did you mean \"sweep\"? list the runs with: longshore exec list");
        assert_eq!(hint(&["nightly"]), "list the runs with: longshore exec list");
    }
}
