//! `container list`: a table from one `docker ps` or, with `--json`, the Engine API's `/containers/json`, made from two
//! docker calls for any number of containers.
//!
//! `docker ps` has the engine's texts for status and image, but prints ports and labels in a form that cannot be
//! parsed. `docker inspect` has everything else. The fields of `docker ps` are named one by one, because with `{{json
//! .}}` the engine measures the files of every container, which takes seconds for each.

use std::collections::HashMap;

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Runs;
use crate::cli::ContainerList;
use crate::engine::{Answer, Engine, EngineError, argv};
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

/// The fields of a [`Row`].
const ROW: &str = concat!(
    r#"{"ID":{{json .ID}},"Image":{{json .Image}},"Status":{{json .Status}},"Names":{{json .Names}},"#,
    r#""Ports":{{json .Ports}},"Command":{{json .Command}},"CreatedAt":{{json .CreatedAt}},"#,
    r#""Mounts":{{json .Mounts}},"Run":{{json (.Label "longshore.run")}},"Job":{{json (.Label "longshore.job")}},"#,
    r#""Name":{{json (.Label "longshore.name")}}}"#
);

/// Lists them.
pub fn list(env: &Env, voice: &Voice, engine: &Engine, args: &ContainerList) -> Result<u8> {
    let mut ps = argv::words(["ps", "--no-trunc", "--format", ROW]);
    ps.extend(args.all.then(|| "--all".to_owned()));
    ps.extend(args.last.map(|last| format!("--last={last}")));
    ps.extend(args.filters.iter().map(|filter| format!("--filter={filter}")));
    ps.extend(args.statuses.iter().map(|status| format!("--filter=status={status}")));
    let could_not = "could not list the containers";
    let rows: Vec<Row> = engine.json_lines(&ps).map_err(|error| error.failure(could_not))?;
    let runs = Runs::of(env);
    voice.answer(
        || Ok(containers(engine, &runs, &rows).map_err(|error| error.failure(could_not))?),
        |page| {
            if args.quiet {
                return page.lines(rows.iter().map(|row| if args.no_trunc { &row.id } else { short(&row.id) }));
            }
            let rows = rows.iter().map(|row| table_row(env.now(), &runs, row, args)).collect();
            page.table(&Table { columns: &COLUMNS, rows, no_trunc: args.no_trunc })
        },
    )?;
    Ok(0)
}

/// As the Engine API lists them. One that was removed between the two calls is in the first answer only, and is not there
/// any more.
fn containers(engine: &Engine, runs: &Runs, rows: &[Row]) -> Answer<Vec<Value>> {
    let objects = objects(engine, rows)?;
    Ok(rows.iter().filter_map(|row| Some(container(runs, row, objects.get(&row.id)?))).collect())
}

fn objects(engine: &Engine, rows: &[Row]) -> Answer<HashMap<String, Value>> {
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let args = argv::container_inspect(&ids);
    let output = engine.run(&args, engine.patience)?;
    if !output.status.success() {
        // One that was removed meanwhile makes the status 1, and the others are printed all the same.
        match engine.explain(&args, &output) {
            EngineError::Failed { .. } => {}
            error => return Err(error),
        }
    }
    let objects: Vec<Value> =
        serde_json::from_slice(&output.stdout).map_err(|error| engine.nonsense(&args, &error.to_string()))?;
    Ok(objects.into_iter().filter_map(|object| Some((object["Id"].as_str()?.to_owned(), object))).collect())
}

/// One object of `/containers/json`.
fn container(runs: &Runs, row: &Row, object: &Value) -> Value {
    let labels = &object["Config"]["Labels"];
    let created = object["Created"].as_str().and_then(|time| DateTime::parse_from_rfc3339(time).ok());
    let mut listed = json!({
        "Id": row.id,
        "Names": names(row),
        "Image": row.image,
        "ImageID": object["Image"],
        "Command": command(object),
        "Created": created.map(|time| time.timestamp()),
        "Ports": ports(&object["NetworkSettings"]["Ports"]),
        "Labels": if labels.is_null() { json!({}) } else { labels.clone() },
        "State": object["State"]["Status"],
        "Status": row.status,
        "HostConfig": {"NetworkMode": object["HostConfig"]["NetworkMode"]},
        "NetworkSettings": {"Networks": networks(&object["NetworkSettings"]["Networks"])},
        "Mounts": mounts(object),
    });
    if let (Some(listed), Some(mut mark)) = (listed.as_object_mut(), runs.mark(object)) {
        mark.insert("image".into(), row.image.clone().into());
        listed.insert("Longshore".into(), mark.into());
    }
    listed
}

/// docker joins a container's names, links from others among them, with commas; none holds one.
fn names(row: &Row) -> Vec<String> {
    row.names.split(',').map(|name| format!("/{name}")).collect()
}

/// As the engine puts a command line together for its list: arguments with a blank in single quotes.
fn command(object: &Value) -> String {
    let path = object["Path"].as_str().unwrap_or_default();
    let args = object["Args"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let quoted = args.map(|arg| if arg.contains(' ') { format!("'{arg}'") } else { arg.to_owned() });
    std::iter::once(path.to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
}

/// From `{"80/tcp": [{"HostIp", "HostPort"}]}` to `[{IP, PrivatePort, PublicPort, Type}]`, sorted, since the engine's
/// own order is none.
fn ports(ports: &Value) -> Vec<Value> {
    let mut listed = Vec::new();
    for (key, bindings) in ports.as_object().into_iter().flatten() {
        let (port, kind) = key.split_once('/').unwrap_or((key, "tcp"));
        let private: u64 = port.parse().unwrap_or(0);
        let bindings = bindings.as_array().map(Vec::as_slice).unwrap_or_default();
        if bindings.is_empty() {
            listed.push(json!({"PrivatePort": private, "Type": kind}));
        }
        for binding in bindings {
            let public: u64 = binding["HostPort"].as_str().and_then(|port| port.parse().ok()).unwrap_or(0);
            let mut port = Map::new();
            if let Some(ip) = binding["HostIp"].as_str().filter(|ip| !ip.is_empty()) {
                port.insert("IP".into(), ip.into());
            }
            port.insert("PrivatePort".into(), private.into());
            port.insert("PublicPort".into(), public.into());
            port.insert("Type".into(), kind.into());
            listed.push(Value::Object(port));
        }
    }
    listed.sort_by_key(|port| (port["PrivatePort"].as_u64(), port["Type"].to_string(), port["IP"].to_string()));
    listed
}

/// The list leaves out of a network what only its configuration says.
fn networks(networks: &Value) -> Value {
    let mut networks = networks.clone();
    for network in networks.as_object_mut().into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut) {
        for key in ["Links", "Aliases", "DriverOpts", "DNSNames"] {
            if let Some(value) = network.get_mut(key) {
                *value = Value::Null;
            }
        }
    }
    networks
}

/// The list does not tell where on the host a volume lies that was made for `Volumes` (`-v /data`, an image's `VOLUME`),
/// also when it came with `VolumesFrom`. Of any other mount it does.
fn mounts(object: &Value) -> Value {
    let host = &object["HostConfig"];
    let binds = host["Binds"].as_array().into_iter().flatten().filter_map(|bind| bind.as_str()?.split(':').nth(1));
    let targets = host["Mounts"].as_array().into_iter().flatten().filter_map(|mount| mount["Target"].as_str());
    let told: Vec<&str> = binds.chain(targets).map(|path| path.trim_end_matches('/')).collect();
    let volumes = object["Config"]["Volumes"].as_object();
    let mut mounts = object["Mounts"].clone();
    for mount in mounts.as_array_mut().into_iter().flatten().filter(|mount| mount["Type"] == "volume") {
        let path = mount["Destination"].as_str().unwrap_or_default().trim_end_matches('/');
        let own = volumes.is_some_and(|volumes| volumes.keys().any(|key| key.trim_end_matches('/') == path));
        let nameless = mount["Name"].as_str().is_some_and(|name| name.len() == 64);
        if !told.contains(&path) && (own || nameless) {
            mount["Source"] = "".into();
        }
    }
    if mounts.is_null() { json!([]) } else { mounts }
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
    fn ports_take_the_lists_shape() {
        let ports = ports(&json!({
            "443/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8443"}, {"HostIp": "::", "HostPort": "8443"}],
            "53/udp": null,
        }));
        let expected = json!([
            {"PrivatePort": 53, "Type": "udp"},
            {"IP": "0.0.0.0", "PrivatePort": 443, "PublicPort": 8443, "Type": "tcp"},
            {"IP": "::", "PrivatePort": 443, "PublicPort": 8443, "Type": "tcp"},
        ]);
        assert_eq!(Value::Array(ports), expected);
    }

    #[test]
    fn dockers_time_is_read_in_its_zone() {
        let time = created_at("2026-01-02 15:04:05 +0100 CET").unwrap();
        assert_eq!(time.to_rfc3339(), "2026-01-02T14:04:05+00:00");
        assert_eq!(created_at("soon"), None);
    }

    #[test]
    fn a_volumes_place_is_told_as_the_list_tells_it() {
        let volume =
            |name: &str, path: &str| json!({"Type": "volume", "Name": name, "Source": "/v", "Destination": path});
        let nameless = "0".repeat(64);
        let object = json!({
            "Config": {"Volumes": {"/own/": {}, "/bound": {}}},
            "HostConfig": {"Binds": ["data:/bound:ro"], "Mounts": [{"Target": "/mounted"}]},
            "Mounts": [volume(&nameless, "/own"), volume("data", "/bound"), volume(&nameless, "/mounted"),
                volume("data", "/from"), volume(&nameless, "/from/nameless")],
        });
        let places: Vec<Value> = mounts(&object).as_array().unwrap().iter().map(|m| m["Source"].clone()).collect();
        assert_eq!(places, ["", "/v", "/v", "/v", ""]);
    }

    #[test]
    fn a_command_line_is_quoted_as_the_engine_quotes_it() {
        let object = json!({"Path": "sh", "Args": ["-c", "echo hi"]});
        assert_eq!(command(&object), "sh -c 'echo hi'");
        assert_eq!(command(&json!({"Path": "true", "Args": []})), "true");
    }
}
