//! The jobs that a command is told to work on: ids and names as they were typed, and the runs of groups.

use anyhow::Result;

use crate::cli::Which;
use crate::env::Env;
use crate::job::group;
use crate::names::GroupName;
use crate::output::{Reply, Voice};

/// Words that name one job each.
#[derive(Debug)]
pub struct Words {
    /// The words as they were typed, then the ids of the runs of the groups.
    pub all: Vec<String>,
    /// Whether groups were named. The answer is then that for several jobs, however many runs there are.
    pub are_several: bool,
}

impl Which {
    /// The jobs that are meant.
    ///
    /// # Errors
    /// As [`words`].
    pub fn words(&self, env: &Env) -> Result<Words> {
        words(env, &self.jobs, &self.groups)
    }
}

/// The jobs that are meant by what was typed and by the names of groups.
///
/// # Errors
/// When there is no such group. Then nothing is done with the other jobs either.
pub fn words(env: &Env, typed: &[String], groups: &[GroupName]) -> Result<Words> {
    let mut all = typed.to_vec();
    for group in groups {
        for id in group::members(env, group)? {
            if all.iter().all(|word| *word != id.as_str()) {
                all.push(id.to_string());
            }
        }
    }
    Ok(Words { are_several: all.len() > 1 || !groups.is_empty(), all })
}

impl Words {
    /// These words alone.
    #[must_use]
    pub fn typed(words: &[String]) -> Self {
        Self { all: words.to_vec(), are_several: words.len() > 1 }
    }

    /// Does something with each of the jobs, and answers as [`Voice::each`] does.
    pub fn each<R: Reply>(&self, voice: &Voice, mut work: impl FnMut(&String) -> Result<R>) -> Result<u8> {
        let answers = self.all.iter().map(&mut work);
        if self.are_several { voice.several(answers) } else { voice.each(answers) }
    }
}
