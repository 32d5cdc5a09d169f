//! `container list`: a table from one `docker ps` or, with `--json`, the Engine API's `/containers/json`.

mod objects;

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::Runs;
use crate::cli::ContainerList;
use crate::engine::{Answer, Engine, argv};
use crate::env::Env;
use crate::output::{Column, Table, Voice, ago};

const COLUMNS: [Column; 8] = [
    Column::whole("CONTAINER"),
    Column::part("NAMES"),
    Column::part("RUN"),
    Column::part("IMAGE"),
    Column::whole("STATUS"),
    Column::part("PORTS"),
    Column::spare("CREATED"),
    Column::spare("COMMAND"),
];

/// What is taken from a line of `docker ps`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    #[serde(rename = "ID")]
    id: String,
    image: String,
    status: String,
    names: String,
    ports: String,
    /// In quotes, as docker shows it.
    command: String,
    created_at: String,
    /// The sources of its mounts, joined with commas.
    mounts: String,
    run: String,
    job: String,
    name: String,
}

/// The fields of a [`Row`], named one by one: with `{{json .}}` the engine measures the files of every container, which takes
/// seconds for each.
const ROW: &str = concat!(
    r#"{"ID":{{json .ID}},"Image":{{json .Image}},"Status":{{json .Status}},"Names":{{json .Names}},"#,
    r#""Ports":{{json .Ports}},"Command":{{json .Command}},"CreatedAt":{{json .CreatedAt}},"#,
    r#""Mounts":{{json .Mounts}},"Run":{{json (.Label "longshore.run")}},"Job":{{json (.Label "longshore.job")}},"#,
    r#""Name":{{json (.Label "longshore.name")}}}"#
);

/// Lists them.
pub fn list(env: &Env, voice: &Voice, engine: &Engine, args: &ContainerList) -> Result<u8> {
    let could_not = "could not list the containers";
    let runs = Runs::of(env);
    voice.answer(
        || Ok(objects::containers(engine, &runs, args).map_err(|error| error.failure(could_not))?),
        |page| {
            let rows = rows(engine, args).map_err(|error| error.failure(could_not))?;
            if args.quiet {
                return page.lines(rows.iter().map(|row| if args.no_trunc { &row.id } else { short(&row.id) }));
            }
            let rows = rows.iter().map(|row| table_row(env.now(), &runs, row, args)).collect();
            page.table(&Table { columns: &COLUMNS, rows, no_trunc: args.no_trunc })
        },
    )?;
    Ok(0)
}

fn rows(engine: &Engine, args: &ContainerList) -> Answer<Vec<Row>> {
    let mut ps = argv::words(["ps", "--no-trunc", "--format", ROW]);
    ps.extend(args.all.then(|| "--all".to_owned()));
    ps.extend(args.last.map(|last| format!("--last={last}")));
    ps.extend(filters(args).map(|filter| format!("--filter={filter}")));
    engine.json_lines(&ps)
}

/// Each as `key=value`.
fn filters(args: &ContainerList) -> impl Iterator<Item = String> {
    args.filters.iter().cloned().chain(args.statuses.iter().map(|status| format!("status={status}")))
}

fn table_row(now: DateTime<Utc>, runs: &Runs, row: &Row, args: &ContainerList) -> Vec<String> {
    let id = if args.no_trunc { &row.id } else { short(&row.id) };
    let run = runs.listed([&row.run, &row.job], &row.names, &row.mounts).map(|id| id.to_string()).unwrap_or_default();
    let run = if run.is_empty() || row.name.is_empty() { &run } else { &row.name };
    let created = ago(now, created_at(&row.created_at));
    [id, &row.names, run, &row.image, &row.status, &row.ports, &created, &row.command].map(str::to_owned).to_vec()
}

/// docker's own form of a time, `2026-01-02 15:04:05 +0100 CET`, of which the zone's name says nothing more.
fn created_at(text: &str) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_str(text.get(..25)?, "%Y-%m-%d %H:%M:%S %z").ok()?.to_utc())
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_time_is_read_in_its_zone() {
        let time = created_at("2026-01-02 15:04:05 +0100 CET").unwrap();
        assert_eq!(time.to_rfc3339(), "2026-01-02T14:04:05+00:00");
        assert_eq!(created_at("soon"), None);
    }
}
