//! The replies of a command that was given several ids.

use anyhow::Result;
use serde::Serialize;

use super::{FailureDocument, Form, Reply, Voice};
use crate::error::Failure;

/// Prints each reply and each failure as it arrives. With JSON they become one array, in the order of the ids.
#[derive(Debug)]
pub struct Several<'a, R> {
    voice: &'a Voice,
    /// Only what will be printed.
    rows: Vec<Option<Row<R>>>,
    failed: bool,
}

/// The answer for one of several ids.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Row<R> {
    /// The answer itself.
    Answer(R),
    /// The failure in its place.
    Failure(FailureDocument),
}

impl<'a, R: Reply> Several<'a, R> {
    /// For so many ids.
    #[must_use]
    pub fn new(voice: &'a Voice, count: usize) -> Self {
        Self { voice, rows: (0..count).map(|_| None).collect(), failed: false }
    }

    /// Takes the answer for one of them, by its place among them.
    pub fn take(&mut self, at: usize, answer: Result<R>) -> Result<()> {
        let is_text = self.voice.form == Form::Text;
        match answer {
            Ok(reply) => {
                self.failed |= !reply.is_success();
                if is_text && !R::IS_DOCUMENT {
                    self.voice.text(|page| reply.show(page))?;
                }
                self.voice.remark(&reply);
                self.rows[at] = (R::IS_DOCUMENT || !is_text).then_some(Row::Answer(reply));
            }
            Err(error) => {
                self.failed = true;
                let failure = Failure::of(&error);
                self.voice.tell(&failure);
                self.rows[at] = (!is_text).then(|| Row::Failure((&failure).into()));
            }
        }
        Ok(())
    }

    /// Ends the output, and returns the exit code: 1 if any failed.
    pub fn finish(self) -> Result<u8> {
        if R::IS_DOCUMENT || self.voice.form != Form::Text {
            self.voice.print_json(&self.rows.into_iter().flatten().collect::<Vec<_>>())?;
        }
        Ok(u8::from(self.failed))
    }
}
