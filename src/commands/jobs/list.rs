//! `image builds`, `exec list` and `ps`: lists jobs, the newest first.

use std::borrow::Cow;
use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::status;
use super::watch::{Watched, watch};
use crate::cli::JobList;
use crate::env::Env;
use crate::job::group::members;
use crate::job::record::Kind;
use crate::job::select::{Filters, Scope};
use crate::job::store::Extent;
use crate::job::view::View;
use crate::names::{Endpoint, GroupName, JobId};
use crate::output::{Column, Form, Page, Reply, Table, Voice, ago, ago_short};
use crate::survey::{ids, newest};

const BUILDS: [Column; 8] = [
    Column::whole("ID"),
    Column::part("IMAGE"),
    Column::whole("STATUS"),
    Column::whole("CREATED"),
    Column::spare("TOOK"),
    Column::spare("BASE"),
    Column::spare("LABELS"),
    Column::part("REASON"),
];
const RUNS: [Column; 9] = [
    Column::whole("ID"),
    Column::part("NAME"),
    Column::whole("STATUS"),
    Column::whole("CREATED"),
    Column::spare("TOOK"),
    Column::spare("IMAGE"),
    Column::part("COMMAND"),
    Column::spare("GROUP"),
    Column::part("REASON"),
];
/// Of a group, before its parameters.
const GROUP: [Column; 3] = [Column::whole("ID"), Column::part("NAME"), Column::whole("STATUS")];
/// And after them. All that is the same for the whole group can be left out.
const GROUPED: [Column; 5] = [
    Column::whole("CREATED"),
    Column::spare("TOOK"),
    Column::spare("IMAGE"),
    Column::spare("COMMAND"),
    Column::part("REASON"),
];
const BOTH: [Column; 9] = [
    Column::whole("ID"),
    Column::whole("KIND"),
    Column::part("NAME"),
    Column::whole("STATUS"),
    Column::whole("CREATED"),
    Column::spare("TOOK"),
    Column::spare("IMAGE"),
    Column::spare("COMMAND"),
    Column::part("REASON"),
];

/// After the time, if a job was started on another engine than the one that the command would use.
const CONTEXT: Column = Column::part("CONTEXT");

/// Below so many columns of a terminal, ages are short.
const NARROW: usize = 120;

/// How long ago something was, in words.
type Ago = fn(DateTime<Utc>, Option<DateTime<Utc>>) -> String;

/// Jobs, the newest first.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Jobs<'a> {
    views: Vec<View>,
    #[serde(skip)]
    scope: Scope,
    #[serde(skip)]
    now: DateTime<Utc>,
    /// The engine that the command would use for a new job.
    #[serde(skip)]
    here: Endpoint,
    #[serde(skip)]
    args: &'a JobList,
    /// The parameters of the groups that were asked for.
    #[serde(skip)]
    parameters: Option<Vec<String>>,
}

/// The ids of jobs, the newest first.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Ids(Vec<JobId>);

impl Reply for Ids {
    fn show(&self, page: &mut Page) -> Result<()> {
        page.lines(self.0.iter().map(JobId::as_str))
    }
}

impl Reply for Jobs<'_> {
    fn show(&self, page: &mut Page) -> Result<()> {
        self.first(page, self.views.len())
    }
}

impl Watched for Jobs<'_> {
    fn rows(&self) -> usize {
        self.views.len()
    }

    fn first(&self, page: &mut Page, count: usize) -> Result<()> {
        let shown = &self.views[..count];
        if self.args.quiet {
            return page.lines(shown.iter().map(|view| view.id.as_str()));
        }
        let columns = self.columns();
        let ago: Ago = if self.args.no_trunc || page.width() >= NARROW { ago } else { ago_short };
        let row =
            |view| columns.iter().enumerate().map(|(place, column)| self.cell(view, place, column.name, ago)).collect();
        page.table(&Table { columns: &columns, rows: shown.iter().map(row).collect(), no_trunc: self.args.no_trunc })
    }
}

/// Lists the jobs that match the flags.
pub fn list(env: &Env, voice: &Voice, scope: Scope, args: &JobList, groups: &[GroupName]) -> Result<u8> {
    let filters = Filters::parse(&args.filters, &args.statuses)?.in_groups(groups);
    groups.iter().try_for_each(|group| members(env, group).map(drop))?;
    let read = || {
        let jobs = Jobs::read(env, scope, args, &filters)?;
        Ok(if groups.is_empty() { jobs } else { jobs.with_parameters() })
    };
    if args.watch {
        return watch(voice, read);
    }
    // Of most jobs nothing has to be read for the ids alone.
    if args.quiet && voice.form() == Form::Text && filters.is_empty() {
        voice.reply(&Ids(ids(&scope.stores(env)?, extent(args), most(args))?))?;
    } else {
        voice.reply(&read()?)?;
    }
    Ok(0)
}

fn extent(args: &JobList) -> Extent {
    if args.all { Extent::Everything } else { Extent::Remembered }
}

fn most(args: &JobList) -> usize {
    args.last.unwrap_or(usize::MAX)
}

impl<'a> Jobs<'a> {
    fn read(env: &Env, scope: Scope, args: &'a JobList, filters: &Filters) -> Result<Self> {
        let views = newest(env, &scope.stores(env)?, extent(args), most(args), |view| filters.accept(view))?;
        Ok(Self { views, scope, now: env.now(), here: env.endpoint(), args, parameters: None })
    }

    /// With a column for each parameter, in the order of the oldest job that has it.
    fn with_parameters(mut self) -> Self {
        let mut names: Vec<String> = Vec::new();
        for (name, _) in self.views.iter().rev().flat_map(|view| &view.parameters.0) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        self.parameters = Some(names);
        self
    }

    fn columns(&self) -> Vec<Column<'_>> {
        let mut columns = match (&self.parameters, self.scope) {
            (Some(names), _) => {
                let parameters = names.iter().map(|name| Column::part(name));
                GROUP.into_iter().chain(parameters).chain(GROUPED).collect()
            }
            (None, Scope::Only(Kind::Build)) => BUILDS.to_vec(),
            (None, Scope::Only(Kind::Run)) => RUNS.to_vec(),
            (None, Scope::Both) => BOTH.to_vec(),
        };
        if self.views.iter().any(|view| view.is_elsewhere(&self.here)) {
            // A parameter may have the name of a column, and stands before it.
            let created = columns.iter().rposition(|column| column.name == "CREATED").unwrap_or_default();
            columns.insert(created + 1, CONTEXT);
        }
        columns
    }

    /// Whether the column at this place is that of a parameter, which may have any name.
    fn is_parameter(&self, place: usize) -> bool {
        let count = self.parameters.as_ref().map_or(0, Vec::len);
        (GROUP.len()..GROUP.len() + count).contains(&place)
    }

    fn cell<'v>(&self, view: &'v View, place: usize, column: &str, ago: Ago) -> Cow<'v, str> {
        let text = |text: &'v Option<String>| Cow::Borrowed(text.as_deref().unwrap_or_default());
        match column {
            _ if self.is_parameter(place) => view.parameters.value(column).unwrap_or_default().into(),
            "ID" => view.id.as_str().into(),
            "KIND" => view.kind.word().into(),
            // The name of a build is that of its image, and the image of a build is its base.
            "NAME" => text(&view.name),
            "IMAGE" if self.scope == Scope::Only(Kind::Build) => text(&view.name),
            "IMAGE" | "BASE" => text(&view.image),
            "STATUS" => status(view),
            "CREATED" => ago(self.now, view.created).into(),
            "CONTEXT" => view.engine.as_deref().unwrap_or_default().into(),
            "TOOK" => took(view, self.now).map(crate::units::show_duration).unwrap_or_default().into(),
            "COMMAND" => joined(&view.command),
            "GROUP" => text(&view.group),
            "LABELS" if view.kind == Kind::Build => {
                view.labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",").into()
            }
            "REASON" if view.is_queued() => {
                view.waiting_for.as_ref().map(|what| format!("waits for {what}")).unwrap_or_default().into()
            }
            // The status of a running job has the reason in it.
            "REASON" if !view.is_running() => text(&view.reason),
            _ => Cow::default(),
        }
    }
}

/// Words with blanks between them.
fn joined(words: &[String]) -> Cow<'_, str> {
    if let [word] = words { word.into() } else { words.join(" ").into() }
}

/// How long a job took, or has taken until now, in whole seconds.
pub fn took(view: &View, now: DateTime<Utc>) -> Option<Duration> {
    let took = view.finished.unwrap_or(now) - view.started?;
    took.to_std().ok().map(|took| Duration::from_secs(took.as_secs()))
}
