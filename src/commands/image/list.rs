//! `image list`: lists the engine's images in the form of the Engine API's `/images/json`, with the fields of `inspect`
//! added.

use std::collections::HashSet;

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::cli::ImageList;
use crate::engine::inspect::Version;
use crate::engine::{Answer, Engine, argv};
use crate::env::Env;
use crate::names::without_latest;
use crate::output::{Column, Table, Voice, ago};

const COLUMNS: [Column; 5] = [
    Column::part("IMAGE"),
    Column::whole("ID"),
    Column::whole("CREATED"),
    Column::whole("SIZE"),
    Column::spare("BUILD"),
];
/// The tag with which engines before 24 list an image without a tag.
const NO_TAG: &str = "<none>:<none>";

/// Lists the images. With `--quiet` the ids are enough, and the images are not inspected.
pub fn list(env: &Env, voice: &Voice, args: &ImageList) -> Result<u8> {
    let engine = Engine::chosen(env)?;
    let could_not = "could not list the images";
    let mut ids: Vec<String> =
        engine.json_lines(&argv::image_ids(&args.filters)).map_err(|error| error.failure(could_not))?;
    let mut seen = HashSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    let images = || -> Result<Vec<Value>> { Ok(images(&engine, &ids).map_err(|error| error.failure(could_not))?) };
    voice.answer(images, |page| {
        if args.quiet {
            return page.lines(ids.iter().map(String::as_str));
        }
        let rows = images()?.iter().map(|image| row(env.now(), image)).collect();
        page.table(&Table { columns: &COLUMNS, rows, no_trunc: args.no_trunc })
    })?;
    Ok(0)
}

fn images(engine: &Engine, ids: &[String]) -> Answer<Vec<Value>> {
    let objects = engine.images(ids)?;
    let version: Version = engine.json(&argv::version())?;
    Ok(objects.into_iter().map(|object| image(object, &version)).collect())
}

/// Converts an object of `inspect` to one of the list: the same data with the list's keys and types.
fn image(mut object: Value, version: &Version) -> Value {
    let field = |pointer: &str| object.pointer(pointer).cloned().unwrap_or_default();
    let created = field("/Created").as_str().and_then(|time| DateTime::parse_from_rfc3339(time).ok());
    let [tags, digests] = names(field("/RepoTags"), field("/RepoDigests"), version);
    let added = json!({
        "RepoTag": tags,
        "RepoTags": tags,
        "RepoDigests": digests,
        "Created": created.map(|time| time.timestamp()),
        "ParentId": field("/Parent").as_str().unwrap_or_default(),
        "Labels": field("/Config/Labels"),
        "SharedSize": -1,
        "Containers": -1,
    });
    if let (Some(object), Value::Object(added)) = (object.as_object_mut(), added) {
        object.extend(added);
    }
    object
}

/// What the list says where `inspect` has an empty array. Before engine 24 (API 1.43): nothing, and of an image that
/// has neither tag nor digest a placeholder for both.
fn names(tags: Value, digests: Value, version: &Version) -> [Value; 2] {
    if version.server.as_ref().is_none_or(|server| server.major() >= 24) {
        return [tags, digests];
    }
    let is_empty = |names: &Value| names.as_array().is_none_or(Vec::is_empty);
    match (is_empty(&tags), is_empty(&digests)) {
        (true, true) => [json!([NO_TAG]), json!(["<none>@<none>"])],
        (true, false) => [Value::Null, digests],
        (false, true) => [tags, Value::Null],
        (false, false) => [tags, digests],
    }
}

fn row(now: DateTime<Utc>, image: &Value) -> Vec<String> {
    let tags = image["RepoTags"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let tags: Vec<&str> = tags.filter(|tag| *tag != NO_TAG).map(without_latest).collect();
    let id = image["Id"].as_str().unwrap_or_default();
    let created = image["Created"].as_i64().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let empty = Map::new();
    let labels = image["Labels"].as_object().unwrap_or(&empty);
    vec![
        if tags.is_empty() { "<none>".into() } else { tags.join(", ") },
        id.strip_prefix("sha256:").unwrap_or(id).chars().take(12).collect(),
        ago(now, created),
        image["Size"].as_u64().map(crate::units::show_bytes).unwrap_or_default(),
        labels.get(argv::JOB_LABEL).and_then(Value::as_str).unwrap_or_default().to_owned(),
    ]
}
