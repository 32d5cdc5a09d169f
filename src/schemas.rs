//! The JSON Schemas that are generated from types: of the bodies that `--spec` takes, and of longshore's own documents.
//!
//! Documents in the engine's shapes have no types here; their schemas are written by hand.

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _, transform_subschemas};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::commands::DryRun;
use crate::commands::answers::{
    BuildDryRun, BuildStarted, Changed, Created, Done, Exported, Fetched, FileChange, ImageCopied, ImageRemoved,
    Pruned, QueueChanged, QueueView, Report, Resumed, RunStarted, RunStatus, Status, Stayed, SweepDryRun, Swept, Top,
};
use crate::job::view::View;
use crate::output::{FailureDocument, Logs, Row};
use crate::spec::{RecipeSpec, RunSpec};
use crate::usage::Version;

/// Types that have a file of their own, or a place in one, to which other files refer.
const PLACES: [(&str, &str); 4] = [
    ("View", "job.json"),
    ("QueueView", "queue.json"),
    ("FailureDocument", "error.json"),
    ("ErrorDocument", "error.json#/properties/error"),
];

/// A file of `schemas/`.
pub struct File {
    /// Its name without `.json`.
    pub name: &'static str,
    /// What is in it.
    pub schema: Value,
}

impl File {
    fn new(name: &'static str, title: &str, description: &str, contents: Map<String, Value>) -> Self {
        let mut schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": format!("https://longshore.invalid/schemas/{name}.json"),
            "title": title,
            "description": description,
        });
        for (key, value) in contents {
            schema.as_object_mut().unwrap().entry(key).or_insert(value);
        }
        Self { name, schema }
    }

    fn document<T: JsonSchema>(name: &'static str, title: &str, description: &str) -> Self {
        Self::new(name, title, description, contents::<T>(name))
    }

    fn started<T: JsonSchema>(name: &'static str, title: &str, what: &str) -> Self {
        let description = format!(
            "{what} With --wait or --follow it is the job too, and `success` says whether it succeeded; if it did not, \
             `error` says why. With --follow it is a stream of one object a line: the document without the job, the lines \
             of the output (log-line.json), and the document with the job."
        );
        Self::new(name, title, &description, started::<T>(name))
    }
}

/// The bodies that `--spec` takes: of `image create` and of `exec run`.
pub fn bodies() -> [File; 2] {
    [body::<RecipeSpec>("recipe-spec", "image create"), body::<RunSpec>("run-spec", "exec run")]
}

/// Longshore's own documents.
pub fn documents() -> Vec<File> {
    let doctor = File::document::<Report>(
        "doctor",
        "How longshore and its engine are",
        "What `doctor` prints. More checks, and more values in `details`, may be added.",
    );
    let all =
        jobs().into_iter().chain(starts()).chain(dry_runs()).chain(containers()).chain(removals()).chain(queues());
    all.chain([doctor]).collect()
}

fn removals() -> [File; 3] {
    [
        File::document::<Pruned>(
            "prune",
            "Jobs, images and copies of files were removed",
            "What `prune`, and `forget` with --all, --status or --older-than, print: the plan and what came of it. With \
             --dry-run it is only the plan. More keys may be added to a job.",
        ),
        File::document::<Answers<ImageRemoved>>(
            "image-rm",
            "Images were removed",
            "What `image rm` prints: for one image an object, for several an array with an object each, in their order, in \
             which a failure has the shape of error.json.",
        ),
        File::document::<Answers<ImageCopied>>(
            "image-copy",
            "Images were copied to another engine",
            "What `image copy` prints: for one image an object, for several an array with an object each, in their order, in \
             which a failure has the shape of error.json.",
        ),
    ]
}

fn queues() -> [File; 4] {
    [
        File::document::<QueueView>("queue", "A queue", "What `queue set` prints. More keys may be added."),
        File::document::<Vec<QueueView>>("queues", "Queues", "What `queue list` prints: the queues, by name."),
        File::document::<Answers<QueueChanged>>(
            "queue-changed",
            "Queues were changed",
            "What `queue pause` and `queue rm` print: for one queue an object, for several an array with an object each, in \
             their order, in which a failure has the shape of error.json.",
        ),
        File::document::<Resumed>(
            "queue-resume",
            "Queues were resumed",
            "What `queue resume` prints: the queues that were named, and the jobs that got a new supervisor.",
        ),
    ]
}

fn jobs() -> [File; 11] {
    [
        File::document::<View>(
            "job",
            "A job",
            "One build or run, as `image wait`, `image create --wait`, `exec wait`, `exec run --wait` and, inside other \
             documents, `image status` and `exec inspect` show it. More keys may be added.",
        ),
        File::document::<Vec<Row<View>>>(
            "jobs",
            "Jobs",
            "What `image builds`, `exec list`, `ps` and `wait` with several ids print: jobs, of a list the newest first. With \
             --watch, it is one line, and another whenever it has changed. Where one of several ids is no job's, `wait` has a failure in its place. A job that runs when the --timeout of \
             `wait` passes is there as it runs.",
        ),
        File::document::<Status>(
            "image-status",
            "A build and its output",
            "What `image status` prints: the job and its whole output so far.",
        ),
        File::document::<RunStatus>(
            "exec-status",
            "A run at a glance",
            "What `exec status` prints: the job, what it was asked to do, and its last lines of output.",
        ),
        File::document::<Top>(
            "exec-top",
            "The processes of a run",
            "What `exec top` prints: the Engine API's own answer, and the job.",
        ),
        File::document::<Fetched>(
            "exec-fetch",
            "An output that was copied",
            "What `exec fetch` prints: where the output of the run is now, and how much it is.",
        ),
        File::document::<Answers<Logs>>(
            "logs",
            "A job's output",
            "What `image logs`, `exec logs` and `logs` print: for one id an object, for several an array with an object each, in \
             their order, in which a failure has the shape of error.json.",
        ),
        File::document::<crate::log::FollowedRow>(
            "log-line",
            "A line of a job's output",
            "What `image logs --follow`, `exec logs --follow` and `logs --follow` print: one such object a line. `image create \
             --follow` and `exec run --follow` print the same lines between their own documents. Where lines of a run with \
             --log-max-size are gone, there is an object with `gone`, the number of bytes, and the `id` of one of several jobs.",
        ),
        File::document::<Answers<Done>>(
            "done",
            "Done",
            "What `forget` with ids, `stop`, `kill` and `cancel` print: for one id an object, for several an array with an object \
             each, in their order, in which a failure has the shape of error.json.",
        ),
        File::document::<FailureDocument>(
            "error",
            "A failure",
            "What every command prints when it fails. The same text is on stderr.",
        ),
        File::document::<Version>("version", "The version", "What `longshore --version --json` prints."),
    ]
}

fn starts() -> [File; 3] {
    [
        File::started::<BuildStarted>(
            "image-create",
            "A build was started",
            "What `image create` prints once the build process has been started, or if --if-changed or --if-missing find \
             that no build is needed.",
        ),
        File::started::<RunStarted>(
            "exec-run",
            "A run was started",
            "What `exec run` prints once the program has been started.",
        ),
        File::document::<Swept>(
            "exec-sweep",
            "A sweep was started",
            "What `exec run --each` prints once all runs have been started; with --wait, once all have ended.",
        ),
    ]
}

fn dry_runs() -> [File; 4] {
    [
        File::document::<BuildDryRun>(
            "image-dry-run",
            "What would be built",
            "What `image create --dry-run` prints: the context of the build, for the builder that is there.",
        ),
        File::document::<DryRun>("exec-dry-run", "What would be run", "What `exec run --dry-run` prints."),
        File::document::<SweepDryRun>(
            "exec-sweep-dry-run",
            "What a sweep would run",
            "What `exec run --each --dry-run` prints.",
        ),
        File::document::<DryRun>(
            "container-dry-run",
            "What would be run",
            "What `container create --dry-run --json` prints.",
        ),
    ]
}

fn containers() -> [File; 4] {
    [
        File::document::<Created>(
            "container-create",
            "A container was made",
            "What `container create --json` prints: the Engine API's own answer.",
        ),
        File::document::<Answers<Changed>>(
            "container-changed",
            "Containers were changed",
            "What `container start`, `stop`, `restart`, `kill` and `rm` print: for one container an object, for several \
             an array with an object each, in their order, in which a failure has the shape of error.json.",
        ),
        File::document::<Vec<FileChange>>(
            "container-changes",
            "Changed files",
            "What `container changes --json` prints: the Engine API's own answer, an empty array where it has null.",
        ),
        File::document::<Exported>(
            "container-export",
            "A container was exported",
            "What `container export -o FILE --json` prints.",
        ),
    ]
}

/// What [`Voice::each`](crate::output::Voice::each) prints.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is wanted")]
enum Answers<R> {
    /// For one id.
    One(R),
    /// For several ids, in their order, and for a group.
    Several(Vec<Row<R>>),
}

/// For a field: a job's id.
pub fn job_id(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": "^[0-9a-z]+$"})
}

/// For a field: ids of jobs.
pub fn job_ids(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "items": {"type": "string", "pattern": "^[0-9a-z]+$"}})
}

/// For a field: a job's id, or null.
pub fn job_id_or_null(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": ["string", "null"], "pattern": "^[0-9a-z]+$"})
}

/// For a field: a container's id in full.
pub fn container_id(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": "^[0-9a-f]{12,64}$"})
}

/// For a flattened field: a job, by reference.
pub fn job(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"$ref": "job.json"})
}

/// For a field: what a run was asked to do, by reference; null if that is not known.
pub fn run_spec(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"anyOf": [{"$ref": "run-spec.json"}, {"type": "null"}]})
}

/// For a job: one that is queued or runs has no end, and one that has exited says how.
pub fn an_end_only_if_exited(schema: &mut Schema) {
    let none = json!({"type": "null"});
    let text = json!({"type": "string"});
    schema.insert("if".into(), json!({"properties": {"status": {"enum": ["queued", "running"]}}}));
    schema.insert(
        "then".into(),
        json!({"properties": {"outcome": none, "exitCode": none, "signal": none, "finished": none, "log": none}}),
    );
    schema.insert("else".into(), json!({"properties": {"outcome": text, "log": text}}));
}

/// The answer of a command that starts a job. With a status it is one that has stayed until the job's end.
fn started<T: JsonSchema>(name: &str) -> Map<String, Value> {
    let (mut started, mut stayed) = (contents::<T>(name), contents::<Stayed>(name));
    for key in ["$schema", "title", "type", "description"] {
        stayed.remove(key);
    }
    let properties = started["properties"].as_object_mut().unwrap();
    let Some(Value::Object(more)) = stayed.remove("properties") else { panic!("it has properties of its own") };
    for (key, property) in more {
        properties.entry(key).or_insert(property);
    }
    started.insert("if".into(), json!({"required": ["status"]}));
    started.insert("then".into(), stayed.into());
    started
}

fn body<T: JsonSchema>(name: &'static str, command: &str) -> File {
    let mut generated = object(SchemaGenerator::default().into_root_schema_for::<T>());
    for property in generated["properties"].as_object_mut().unwrap().values_mut() {
        for word in ["default", "writeOnly"] {
            property.as_object_mut().unwrap().remove(word);
        }
    }
    let description = one_line(&generated["description"]);
    let keys = ["type", "additionalProperties", "properties"];
    let contents = keys.map(|key| (key.to_owned(), generated[key].take()));
    File::new(name, &format!("The body of {command} --spec"), &description, Map::from_iter(contents))
}

/// The schema of what a type serializes to, for the file of that name.
fn contents<T: JsonSchema>(file: &str) -> Map<String, Value> {
    let mut schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
    let definitions = match schema.remove("$defs") {
        Some(Value::Object(definitions)) => definitions,
        _ => Map::new(),
    };
    let mut references = References { file: format!("{file}.json"), definitions, text: String::new() };
    // What stands in another file refers to others there.
    let here = references.definitions.iter().filter(|(name, _)| references.place(name).is_none());
    references.text = json!([schema, here.collect::<Vec<_>>()]).to_string();
    let shared = references.shared();
    if !shared.is_empty() {
        schema.insert("$defs".into(), shared.into());
    }
    RecursiveTransform(|schema: &mut Schema| references.resolve(schema)).transform(&mut schema);
    tidy(&mut schema);
    object(schema)
}

/// The definitions beside a schema, to which it refers.
struct References {
    /// Where the schema will be.
    file: String,
    definitions: Map<String, Value>,
    /// Schema and definitions, to count references in.
    text: String,
}

impl References {
    /// Where else than in this file a definition is.
    fn place(&self, name: &str) -> Option<&'static str> {
        let (_, place) = PLACES.iter().find(|(known, _)| *known == name)?;
        (!place.starts_with(&self.file)).then_some(*place)
    }

    fn is_shared(&self, name: &str) -> bool {
        self.place(name).is_none() && self.text.matches(&format!("\"#/$defs/{name}\"")).count() > 1
    }

    /// The definitions that this file keeps as such. One that is referred to once stands where it is used.
    fn shared(&self) -> Map<String, Value> {
        self.definitions.clone().into_iter().filter(|(name, _)| self.is_shared(name)).collect()
    }

    fn resolve(&self, schema: &mut Schema) {
        let reference = schema.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix("#/$defs/"));
        let Some(name) = reference.map(str::to_owned) else { return };
        if let Some(place) = self.place(&name) {
            schema.insert("$ref".into(), place.into());
        } else if !self.is_shared(&name) {
            schema.remove("$ref");
            for (key, value) in self.definitions[&name].as_object().unwrap() {
                schema.ensure_object().entry(key.as_str()).or_insert_with(|| value.clone());
            }
        }
    }
}

/// Makes a schema as plain as one that is written by hand.
fn tidy(schema: &mut Schema) {
    transform_subschemas(&mut tidy, schema);
    words(schema);
    or_null(schema);
    if let Some(description) = schema.get_mut("description") {
        *description = one_line(description).into();
    }
    if schema.get("format").is_some_and(|format| format != "date-time") {
        schema.remove("format");
    }
    if schema.get("enum").is_some() {
        schema.remove("minimum");
        schema.remove("maximum");
    }
    in_order(schema);
}

/// The keys in an order for people; those that are not named come last, as they are.
fn in_order(schema: &mut Schema) {
    const KEYS: [&str; 8] =
        ["$ref", "type", "description", "const", "enum", "required", "additionalProperties", "properties"];
    let Some(object) = schema.as_object_mut() else { return };
    let mut keys: Vec<(String, Value)> = std::mem::take(object).into_iter().collect();
    keys.sort_by_key(|(key, _)| KEYS.iter().position(|known| known == key).unwrap_or(KEYS.len()));
    object.extend(keys);
}

/// Words that are described one by one become a plain list.
fn words(schema: &mut Schema) {
    let Some(alternatives) = schema.get("oneOf").and_then(Value::as_array) else { return };
    let words: Option<Vec<Value>> = alternatives.iter().map(|word| word.get("const").cloned()).collect();
    if let Some(words) = words {
        schema.remove("oneOf");
        schema.insert("type".into(), "string".into());
        schema.insert("enum".into(), words.into());
    }
}

/// A list of words or null becomes a list with null in it.
fn or_null(schema: &mut Schema) {
    let Some([words, null]) = schema.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) else { return };
    let Some(words) = words["enum"].as_array().filter(|_| *null == json!({"type": "null"})) else { return };
    let words: Vec<Value> = words.iter().cloned().chain([Value::Null]).collect();
    schema.remove("anyOf");
    schema.insert("type".into(), json!(["string", "null"]));
    schema.insert("enum".into(), words.into());
}

fn one_line(description: &Value) -> String {
    description.as_str().unwrap().replace('\n', " ")
}

fn object(schema: Schema) -> Map<String, Value> {
    let Value::Object(object) = schema.into() else { panic!("the schema of a type is an object") };
    object
}
