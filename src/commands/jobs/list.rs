//! `image builds` and `exec list`: lists jobs, the newest first.

use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::status;
use crate::cli::JobList;
use crate::env::Env;
use crate::job::record::Kind;
use crate::job::select::Filters;
use crate::job::store::{Extent, Store};
use crate::job::view::View;
use crate::output::{Page, Reply, Table, Voice, ago};
use crate::survey::views;

/// Jobs, the newest first.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Jobs<'a> {
    views: Vec<View>,
    #[serde(skip)]
    kind: Kind,
    #[serde(skip)]
    now: DateTime<Utc>,
    #[serde(skip)]
    args: &'a JobList,
}

impl Reply for Jobs<'_> {
    fn show(&self, page: &mut Page) -> Result<()> {
        if self.args.quiet {
            return page.lines(self.views.iter().map(|view| view.id.as_str()));
        }
        let header: &[&str] = match self.kind {
            Kind::Build => &["ID", "IMAGE", "STATUS", "CREATED", "TOOK", "BASE", "LABELS", "REASON"],
            Kind::Run => &["ID", "NAME", "STATUS", "CREATED", "TOOK", "IMAGE", "COMMAND"],
        };
        let rows = self.views.iter().map(|view| self.row(view)).collect();
        page.table(&Table { header, rows, no_trunc: self.args.no_trunc })
    }
}

/// Lists the jobs that match the flags.
pub fn list(env: &Env, voice: &Voice, kind: Kind, args: &JobList) -> Result<u8> {
    let filters = Filters::parse(&args.filters, &args.statuses)?;
    let store = Store::open(env, kind)?;
    let mut views = match &store {
        Some(store) => views(env, store, if args.all { Extent::Everything } else { Extent::Remembered })?,
        None => Vec::new(),
    };
    views.retain(|view| filters.accept(view));
    views.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
    views.truncate(args.last.unwrap_or(usize::MAX));
    voice.reply(&Jobs { views, kind, now: env.now(), args })?;
    Ok(0)
}

impl Jobs<'_> {
    fn row(&self, view: &View) -> Vec<String> {
        let took = view.started.map(|started| view.finished.unwrap_or(self.now) - started);
        let took = took.and_then(|took| took.to_std().ok()).map(|took| Duration::from_secs(took.as_secs()));
        let labels = || view.labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",");
        let mut row = vec![
            view.id.to_string(),
            view.name.clone().unwrap_or_default(),
            status(view),
            ago(self.now, view.created),
            took.map(crate::units::show_duration).unwrap_or_default(),
            view.image.clone().unwrap_or_default(),
            if self.kind == Kind::Build { labels() } else { view.command.join(" ") },
        ];
        if self.kind == Kind::Build {
            // The status of a running job has the reason in it.
            row.push(view.reason.clone().filter(|_| !view.is_running()).unwrap_or_default());
        }
        row
    }
}
