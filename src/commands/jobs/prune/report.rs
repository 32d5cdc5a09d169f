//! What a removal of many jobs prints: the plan as a table, the sums in words, and both as one document.

use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::commands::jobs::status;
use crate::engine::left::{LeftCopy, LeftImage};
use crate::error::Failure;
use crate::job::prune::{Stay, ended};
use crate::job::record::Kind;
use crate::job::view::View;
use crate::output::{Column, ErrorDocument, Page, Reply, Table, Voice, ago};
use crate::units::{counted, show_bytes, show_duration};

const COLUMNS: [Column; 6] = [
    Column::whole("KIND"),
    Column::whole("ID"),
    Column::part("NAME"),
    Column::whole("STATUS"),
    Column::whole("ENDED"),
    Column::whole("SIZE"),
];

/// What was removed, or would be.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether everything that was planned and could still go is gone; with --dry-run, whether the plan is whole.
    pub success: bool,
    /// Whether this is only the plan.
    pub dry_run: bool,
    /// The jobs of the plan: builds, then runs, of each kind the newest first.
    pub jobs: Vec<JobRow>,
    /// The images of the plan, the newest first.
    pub images: Vec<ImageRow>,
    /// The volumes with copies of files of the plan, the newest first.
    pub copies: Vec<CopyRow>,
    /// How many jobs are not in the plan, and why.
    pub kept: Kept,
    /// How many bytes of the disk the removed jobs had taken. What images had taken only the engine knows, because images
    /// share layers, and how large volumes are, it does not say.
    pub freed_bytes: u64,
    /// What failed and concerns no single job, image or volume.
    pub errors: Vec<ErrorDocument>,
    #[serde(skip)]
    #[cfg_attr(test, schemars(skip))]
    older_than: Option<Duration>,
}

/// A job of the plan.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct JobRow {
    /// The job.
    #[serde(flatten)]
    #[cfg_attr(test, schemars(schema_with = "crate::schemas::job"))]
    pub job: View,
    /// How many bytes of the disk its directory takes.
    pub size_bytes: u64,
    /// What came of it.
    #[serde(flatten)]
    pub fate: Fate,
}

/// An image of the plan: one that a build made, and that has no name any more.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ImageRow {
    /// Its id.
    pub id: String,
    /// The id of the build that made it, whose record may be gone.
    pub build: String,
    /// When it was made.
    pub created: Option<DateTime<Utc>>,
    /// Its size as the engine shows it, with the layers that it shares with other images.
    pub size_bytes: u64,
    /// What came of it.
    #[serde(flatten)]
    pub fate: Fate,
}

/// A volume of the plan: copies of files of runs, which no container uses.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CopyRow {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Option<DateTime<Utc>>,
    /// What came of it.
    #[serde(flatten)]
    pub fate: Fate,
    /// The label that tells it from others of its name.
    #[serde(skip)]
    #[cfg_attr(test, schemars(skip))]
    pub mark: String,
}

/// What came of a job, an image or a volume of the plan.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fate {
    /// Whether this command removed it.
    pub removed: bool,
    /// Why it was left alone, if it is not any more what it was when the plan was made; otherwise absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub left: Option<&'static str>,
    /// Why it could not be removed; otherwise absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "ErrorDocument"))]
    pub error: Option<ErrorDocument>,
}

impl Fate {
    /// It was removed.
    pub fn removed() -> Self {
        Self { removed: true, ..Self::default() }
    }

    /// It could not be removed, which is told.
    pub fn failed(voice: &Voice, failure: &Failure) -> Self {
        voice.tell(failure);
        Self { error: Some(failure.into()), ..Self::default() }
    }

    /// It was left alone.
    pub fn left(why: &'static str) -> Self {
        Self { left: Some(why), ..Self::default() }
    }
}

/// How many jobs are not in the plan, by the first reason that fits.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
pub struct Kept {
    /// They run.
    running: usize,
    /// Their status is unknown, so they may run.
    unknown: usize,
    /// Their outputs were not fetched, and only their containers have them.
    pub unfetched: usize,
    /// Their records cannot be read, and `--status corrupt` was not given.
    pub corrupt: usize,
    /// They have another status.
    status: usize,
    /// They are among the newest that `--keep-last` keeps.
    newest: usize,
    /// They ended not as long ago as `--older-than` says.
    young: usize,
}

impl Kept {
    fn of(&mut self, stay: Stay) -> &mut usize {
        match stay {
            Stay::Running => &mut self.running,
            Stay::Unknown => &mut self.unknown,
            Stay::Unfetched => &mut self.unfetched,
            Stay::Corrupt => &mut self.corrupt,
            Stay::Status => &mut self.status,
            Stay::Newest => &mut self.newest,
            Stay::Young => &mut self.young,
        }
    }

    /// `2 running, 3 newest, 1 younger than 7d`. That others have another status needs no mention.
    fn words(&self, older_than: Option<Duration>) -> String {
        let younger = format!("younger than {}", show_duration(older_than.unwrap_or_default()));
        let reasons = [
            (self.running, "running"),
            (self.unknown, "of unknown status"),
            (self.unfetched, "whose output was not fetched"),
            (self.corrupt, "that cannot be read"),
            (self.newest, "newest"),
            (self.young, younger.as_str()),
        ];
        let shown = reasons.iter().filter(|(count, _)| *count > 0).map(|(count, why)| format!("{count} {why}"));
        shown.collect::<Vec<_>>().join(", ")
    }
}

impl Report {
    /// A plan without anything in it.
    pub fn new(dry_run: bool, older_than: Option<Duration>) -> Self {
        Self { success: true, dry_run, older_than, ..Self::default() }
    }

    /// A job that is to be removed.
    pub fn add_job(&mut self, job: View, size_bytes: u64) {
        self.jobs.push(JobRow { job, size_bytes, fate: Fate::default() });
    }

    /// A job that stays.
    pub fn keep(&mut self, stay: Stay) {
        *self.kept.of(stay) += 1;
    }

    /// An image that is to be removed.
    pub fn add_image(&mut self, image: LeftImage) {
        let LeftImage { id, build, created, size } = image;
        self.images.push(ImageRow { id, build, created, size_bytes: size, fate: Fate::default() });
    }

    /// A volume with copies of files that is to be removed.
    pub fn add_copy(&mut self, copy: LeftCopy) {
        let LeftCopy { name, mark, created } = copy;
        self.copies.push(CopyRow { name, created, fate: Fate::default(), mark });
    }

    /// Tells and notes a failure that concerns no single row.
    pub fn fail(&mut self, voice: &Voice, failure: &Failure) {
        voice.tell(failure);
        self.errors.push(failure.into());
    }

    /// Sums up what was done.
    pub fn conclude(&mut self) {
        let jobs = self.jobs.iter();
        self.freed_bytes = jobs.filter(|row| row.fate.removed).map(|row| row.size_bytes).sum();
        let fates = self.jobs.iter().map(|row| &row.fate).chain(self.images.iter().map(|row| &row.fate));
        let fates = fates.chain(self.copies.iter().map(|row| &row.fate));
        self.success = self.errors.is_empty() && fates.filter(|fate| fate.error.is_some()).count() == 0;
    }

    /// The plan.
    pub fn show_plan(&self, page: &mut Page, now: DateTime<Utc>) -> Result<()> {
        let jobs = self.jobs.iter().map(|row| job_cells(row, now));
        let images = self.images.iter().map(|row| image_cells(row, now));
        let copies = self.copies.iter().map(|row| copy_cells(row, now));
        let rows: Vec<Vec<String>> = jobs.chain(images).chain(copies).collect();
        if rows.is_empty() {
            return Ok(());
        }
        page.table(&Table { columns: &COLUMNS, rows, no_trunc: false })
    }

    /// `removed 2 runs and 1 build, freed 86kB`
    fn sum(&self) -> String {
        let counts = |fate: &Fate| self.dry_run || fate.removed;
        let jobs: Vec<&JobRow> = self.jobs.iter().filter(|row| counts(&row.fate)).collect();
        let images: Vec<&ImageRow> = self.images.iter().filter(|row| counts(&row.fate)).collect();
        let copies = self.copies.iter().filter(|row| counts(&row.fate)).count();
        let of = |kind: Kind| jobs.iter().filter(|row| row.job.kind == kind).count();
        let counts = [(of(Kind::Build), "build"), (of(Kind::Run), "run"), (images.len(), "image"), (copies, "volume")];
        let parts: Vec<String> =
            counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| counted(count, word)).collect();
        let what = match parts.as_slice() {
            [] if self.is_empty() => return "nothing to remove".into(),
            [] => return "nothing was removed".into(),
            [one] => one.clone(),
            [first @ .., last] => format!("{} and {last}", first.join(", ")),
        };
        let of_jobs = show_bytes(jobs.iter().map(|row| row.size_bytes).sum());
        // Layers that other images share stay.
        let of_images = show_bytes(images.iter().map(|row| row.size_bytes).sum());
        let size = match (jobs.is_empty(), images.is_empty()) {
            (true, true) => None,
            (false, true) => Some(of_jobs),
            (true, false) => Some(format!("up to {of_images}")),
            (false, false) => Some(format!("{of_jobs} and up to {of_images} of images")),
        };
        let (did, freed) = if self.dry_run { ("would remove", ", and free ") } else { ("removed", ", freed ") };
        format!("{did} {what}{}", size.map(|size| format!("{freed}{size}")).unwrap_or_default())
    }

    fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.images.is_empty() && self.copies.is_empty()
    }
}

impl Reply for Report {
    /// The plan was shown before.
    fn show(&self, page: &mut Page) -> Result<()> {
        page.line(&self.sum())?;
        match self.kept.words(self.older_than) {
            kept if kept.is_empty() => Ok(()),
            kept => page.line(&format!("kept: {kept}")),
        }
    }
}

fn job_cells(row: &JobRow, now: DateTime<Utc>) -> Vec<String> {
    let job = &row.job;
    vec![
        job.kind.word().into(),
        job.id.to_string(),
        job.name.clone().unwrap_or_default(),
        status(job).into_owned(),
        ago(now, ended(job)),
        show_bytes(row.size_bytes),
    ]
}

fn image_cells(row: &ImageRow, now: DateTime<Utc>) -> Vec<String> {
    let id = row.id.strip_prefix("sha256:").unwrap_or(&row.id);
    vec![
        "image".into(),
        id.chars().take(12).collect(),
        String::new(),
        "untagged".into(),
        ago(now, row.created),
        show_bytes(row.size_bytes),
    ]
}

/// How large a volume is, an engine finds out only by looking through all of them.
fn copy_cells(row: &CopyRow, now: DateTime<Utc>) -> Vec<String> {
    let none = String::new;
    vec!["volume".into(), none(), row.name.clone(), "unused".into(), ago(now, row.created), none()]
}
