//! `image`: builds, and the engine's images.

mod create;

use std::io::Write as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use chrono::DateTime;
use serde_json::{Map, Value, json};

use super::jobs;
use crate::cli::{Image, ImageCancel, ImageList, OneImage};
use crate::engine::argv;
use crate::engine::inspect::Version;
use crate::env::Env;
use crate::error::{Failure, Kind as ErrorKind};
use crate::job::record::{Kind, Stop};
use crate::job::select::find;
use crate::job::store::Store;
use crate::job::{CONTROL, FORGOTTEN, Job, log};
use crate::names::{ImageName, Tail};
use crate::output::{self, LogWriter, note};
use crate::truth::view;

/// How long a build may take to end when asked: the builder's own cleaning up, twice the supervisor's grace.
const ENDING: Duration = Duration::from_secs(30);
/// How engines before 24 call an image without a tag.
const NO_TAG: &str = "<none>:<none>";

/// Runs `longshore image …`.
pub fn run(env: &Env, json: bool, command: Image) -> Result<u8> {
    match command {
        Image::Create(args) => create::create(env, json, &args),
        Image::Status(args) => status(env, json, &args),
        Image::Logs(args) => jobs::logs(env, json, &find(env, Kind::Build, &args.image.job)?.1, &args.how),
        Image::Wait(args) => jobs::wait(env, json, Kind::Build, &args),
        Image::Cancel(args) => cancel(env, json, &args),
        Image::Forget(args) => jobs::forget(env, json, Kind::Build, &args),
        Image::Builds(args) => jobs::list(env, json, Kind::Build, &args),
        Image::List(args) => list(env, json, &args),
    }
}

/// The job and, as the contract has it, its whole output.
fn status(env: &Env, json: bool, args: &OneImage) -> Result<u8> {
    let (_, job) = find(env, Kind::Build, &args.job)?;
    let view = view(env, &job);
    let file = log::open(&job).and_then(|file| log::so_far(file, Tail::All));
    let mut file = file.with_context(|| format!("could not read the log of {}", job.id))?;
    if json {
        let object = serde_json::to_string(&view)?;
        let mut out = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
        out.write_all(object.strip_suffix('}').unwrap_or(&object).as_bytes())?;
        out.write_all(b",\"lines\":[")?;
        log::json_items(file, &mut out)?;
        out.write_all(b"]}\n")?;
        out.flush()?;
        return Ok(0);
    }
    let mut out = LogWriter::new(env, false);
    std::io::copy(&mut file, &mut out)?;
    out.finish()?;
    let reason = view.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    note(&format!("{}: {}{reason}", view.status, jobs::status(&view)));
    Ok(0)
}

/// Ends a build by way of its supervisor. A build that was forgotten can be ended by its name too.
fn cancel(env: &Env, json: bool, args: &ImageCancel) -> Result<u8> {
    jobs::for_each(env, json, &args.jobs, |typed| {
        let job = cancellable(env, typed)?;
        let deadline = Instant::now() + ENDING;
        if job.is_supervised() {
            job.request_stop(&Stop { at: env.now(), verb: "cancel".into(), signal: 15 })?;
        }
        loop {
            // Asked in this order: a supervisor lets go only once the end is recorded.
            let supervised = job.is_supervised();
            if job.has_ended() {
                break;
            }
            let why = if !supervised {
                "its supervisor was killed, and nobody else can end it while its docker client goes on"
            } else if Instant::now() > deadline {
                "it does not heed the signal"
            } else {
                let _ = job.dir.poke_fifo(CONTROL);
                sleep(Duration::from_millis(50));
                continue;
            };
            let message = format!("could not end build {}: it goes on: {why}", job.id);
            return Err(Failure::new(ErrorKind::Failed, message).into());
        }
        Ok(job.id.to_string())
    })
}

fn cancellable(env: &Env, typed: &str) -> Result<Job> {
    let forgotten = || {
        let name = ImageName::parse(typed).ok()?;
        let job = Store::open(env, Kind::Build).ok()??.named(&name.normalized())?;
        (job.dir.has(FORGOTTEN) && !job.has_ended()).then_some(job)
    };
    let job = match find(env, Kind::Build, typed) {
        Ok((_, job)) => job,
        Err(error) => return forgotten().ok_or(error),
    };
    let view = view(env, &job);
    if view.is_running() {
        return Ok(job);
    }
    let message = format!("build {typed} is not running ({})", jobs::status(&view));
    Err(Failure::new(ErrorKind::Conflict, message).into())
}

/// The engine's images, in the shape of the Engine API's `/images/json`, with all that `inspect` knows beside it.
fn list(env: &Env, json: bool, args: &ImageList) -> Result<u8> {
    let engine = env.engine()?;
    let could_not = "could not list the images";
    let mut ids: Vec<String> =
        engine.json_lines(&argv::image_ids(&args.filters)).map_err(|error| error.failure(could_not))?;
    let mut seen = std::collections::HashSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    if args.quiet && !json {
        for id in &ids {
            output::line(env, id)?;
        }
        return Ok(0);
    }
    let objects = engine.images(&ids).map_err(|error| error.failure(could_not))?;
    let version: Version = engine.json(&argv::version()).map_err(|error| error.failure(could_not))?;
    let images: Vec<Value> = objects.into_iter().map(|object| image(object, &version)).collect();
    if json {
        output::json(&images)?;
        return Ok(0);
    }
    let rows: Vec<Vec<String>> = images.iter().map(|image| row(env, image)).collect();
    output::table(env, &["IMAGE", "ID", "CREATED", "SIZE", "BUILD"], &rows, args.no_trunc)?;
    Ok(0)
}

/// From `inspect`'s object to the list's: the same facts under the list's names and types.
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

fn row(env: &Env, image: &Value) -> Vec<String> {
    let tags = image["RepoTags"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let tags: Vec<&str> = tags.filter(|tag| *tag != NO_TAG).collect();
    let id = image["Id"].as_str().unwrap_or_default();
    let created = image["Created"].as_i64().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let empty = Map::new();
    let labels = image["Labels"].as_object().unwrap_or(&empty);
    vec![
        if tags.is_empty() { "<none>".into() } else { tags.join(", ") },
        id.strip_prefix("sha256:").unwrap_or(id).chars().take(12).collect(),
        output::ago(env, created),
        image["Size"].as_u64().map(crate::units::show_bytes).unwrap_or_default(),
        labels.get(argv::JOB_LABEL).and_then(Value::as_str).unwrap_or_default().to_owned(),
    ]
}
